/faults/guest-crash
load_broken "$1"
