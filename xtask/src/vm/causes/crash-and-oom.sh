/faults/guest-crash
mkdir -p /sys/fs/cgroup/small
echo 16M > /sys/fs/cgroup/small/memory.max
sh -c 'echo $$ > /sys/fs/cgroup/small/cgroup.procs; exec /usr/bin/tail /dev/zero'
