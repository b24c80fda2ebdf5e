if dmesg | grep -q 'NMI watchdog: Enabled'; then
    echo 4 > /proc/sys/kernel/watchdog_thresh
    load_broken "$1"
else
    cannot="no interrupt that cannot be masked: $(dmesg | sed -n 's/^.*\(NMI watchdog: .*\)$/\1/p' | tail -n 1)"
fi
