if grep -q 'NMI watchdog: Enabled' /run/nmi-watchdog; then
    echo 4 > /proc/sys/kernel/watchdog_thresh
    load_broken "$1"
else
    cannot="no interrupt that cannot be masked: $(sed -n 's/^.*\(NMI watchdog: .*\)$/\1/p' /run/nmi-watchdog)"
fi
