# A cgroup gets less memory than the files in it take: who says so is held up until they are out of it. A program that writes more
# than its cgroup may keep is not, before Linux 5.16: reclaim did not wait for the disk then.
mkdir -p /sys/fs/cgroup/tight
sh -c 'echo $$ > /sys/fs/cgroup/tight/cgroup.procs; exec dd if=/dev/zero of=/state/written bs=1M count=48' 2> /dev/null
sync
echo 1M > /sys/fs/cgroup/tight/memory.max
rm /state/written
load_broken "$1"
