#!/bin/busybox sh
# The first program of a test guest: brings up devices and the agent, then does what the host asks for over the second
# serial line, one word a line, and answers on it.

/bin/busybox mkdir -p /bin /sbin /usr/bin /usr/sbin /proc /sys /dev /run /tmp /state /etc
/bin/busybox --install -s
export PATH=/bin:/sbin:/usr/bin:/usr/sbin:/opt/telemetrics

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mkdir -p /dev/pts /run/telemetrics
mount -t devpts devpts /dev/pts
stty -F /dev/ttyS1 raw -echo
exec 3<>/dev/ttyS1

answer() { echo "$@" >&3; }
fail() { answer "failed $*"; }

load_listed() {
    while read -r module options; do
        insmod "/lib/guest/$module.ko" $options || fail "to load module $module"
    done < "/lib/guest/$1"
}
load_listed order

mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t pstore pstore /sys/fs/pstore
mount -t ext4 /dev/vda /state || fail "to mount the state disk"
echo +memory > /sys/fs/cgroup/cgroup.subtree_control
ulimit -c 0

hostname -F /etc/hostname
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up && ip route add default via 10.0.2.2 ||
    fail "to configure the network"

if [ -e /etc/telemetrics ]; then
    # The agent's own log goes to the console.
    telemd --config /etc/telemetrics/telemd.toml > /dev/console 2>&1 &
    agent=$!
    tries=0
    until telemctl --config /etc/telemetrics/telemd.toml status > /run/status 2>&1; do
        tries=$((tries + 1))
        if ! kill -0 $agent 2> /dev/null; then
            fail "to run telemd: it ended, see the console"
            break
        elif [ $tries -ge 240 ]; then
            fail "to reach telemd: $(tail -n 1 /run/status)"
            break
        fi
        sleep 0.5
    done
fi
answer "ready $(uname -r)"

# Since 6.5 a task that dies in finit_module() leaves an entry on its stack in a hash table, which another module's load
# may run into. insmod uses init_module() for a compressed file.
load_broken() {
    gzip -c "/faults/$1.ko" > "/tmp/$1.ko.gz"
    insmod "/tmp/$1.ko.gz" 2> /dev/null
}

# A small file system of its own, mounted on /mnt.
make_files() {
    dd if=/dev/zero of=/tmp/files bs=1M count=8 2> /dev/null
    mke2fs -F /tmp/files > /dev/null
    losetup /dev/loop0 /tmp/files
    mkdir -p /mnt
    mount -t ext4 /dev/loop0 /mnt
    mkdir /mnt/here
}

remove_files() {
    umount /mnt
    losetup -d /dev/loop0
}

cause() {
    if [ -e "/lib/guest/order-$1" ]; then
        load_listed "order-$1"
        rm "/lib/guest/order-$1"
    fi
    case $1 in
        oops | bug | gpf | bad-address | divide | null-call | exec-data | stack-overflow | warn | refcount | list | \
            usercopy | double-free | atomic | alloc | vmalloc | stack-protector)
            load_broken "$1" ;;
        rcu-stall)
            echo 3 > /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
            # Something has to wait for RCU.
            sh -c 'while :; do ls /; done' > /dev/null &
            load_broken "$1"
            kill $! ;;
        kfence)
            echo 100 > /sys/module/kfence/parameters/sample_interval
            load_broken "$1"
            echo 0 > /sys/module/kfence/parameters/sample_interval ;;
        hung-task)
            make_files
            echo 5 > /proc/sys/kernel/hung_task_timeout_secs
            echo 2 > /proc/sys/kernel/hung_task_check_interval_secs
            fsfreeze --freeze /mnt
            touch /mnt/there &
            sleep 12
            fsfreeze --unfreeze /mnt
            wait $!
            echo 120 > /proc/sys/kernel/hung_task_timeout_secs
            remove_files ;;
        ext4)
            make_files
            umount /mnt
            # The table of inodes is named in the descriptor in block 2; the first of its blocks has the root.
            table=$(od -An -tu4 -j2056 -N4 /tmp/files)
            tr '\0' '\377' < /dev/zero | dd of=/tmp/files bs=1k seek=$((table + 1)) count=4 conv=notrunc 2> /dev/null
            mount -t ext4 /dev/loop0 /mnt
            ls -l /mnt > /dev/null 2>&1
            remove_files ;;
        disk)
            sleep 1
            dd if=/dev/sda of=/dev/null bs=512 skip=4660 count=1 2> /dev/null ;;
        hwpoison)
            echo 0x10000 > /sys/kernel/debug/hwpoison/corrupt-pfn ;;
        oom-global)
            tail /dev/zero ;;
        soft-lockup)
            echo 4 > /proc/sys/kernel/watchdog_thresh
            load_broken "$1" ;;
        mce)
            # A corrected memory error: valid, enabled, with address and misc; channel 1.
            cd /sys/kernel/debug/mce-inject
            echo sw > flags
            echo 0 > cpu
            echo 0x9c00400001010091 > status
            echo 0x12345000 > addr
            echo 0x8c > misc
            echo 7 > bank
            cd / ;;
        oom)
            mkdir -p /sys/fs/cgroup/small
            echo 16M > /sys/fs/cgroup/small/memory.max
            sh -c 'echo $$ > /sys/fs/cgroup/small/cgroup.procs; exec /usr/bin/tail /dev/zero' ;;
        crash)
            /faults/guest-crash ;;
        panic)
            echo c > /proc/sysrq-trigger ;;
        *)
            fail "to understand $1" ;;
    esac
    answer "done $1"
}

while read -r word <&3; do
    cause "$word"
done
fail "to read from the host"
sleep 3600
