[ -e /sys/kernel/tracing/events/ras/aer_event ] || cannot="this kernel has no ras:aer_event"
