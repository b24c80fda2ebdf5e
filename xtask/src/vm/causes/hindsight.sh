# A program writes more than its cgroup may keep in memory, and waits for the disk to take it.
mkdir -p /sys/fs/cgroup/tight
echo 6M > /sys/fs/cgroup/tight/memory.max
sh -c 'echo $$ > /sys/fs/cgroup/tight/cgroup.procs; exec dd if=/dev/zero of=/state/written bs=1M count=24' 2> /dev/null
rm /state/written
load_broken "$1"
