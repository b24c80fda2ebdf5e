/faults/guest-crash
