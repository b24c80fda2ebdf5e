cp /faults/guest-crash /tmp/guest-dump
echo /tmp/core > /proc/sys/kernel/core_pattern
(
    ulimit -c unlimited
    /tmp/guest-dump
)
[ -s /tmp/core ] || fail "to dump core"
rm /tmp/core
