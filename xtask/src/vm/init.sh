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

while read -r module options; do
    insmod "/lib/guest/$module.ko" $options || fail "to load module $module"
done < /lib/guest/order

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
answer "ready $(uname -r)"

# Since 6.5 a task that dies in finit_module() leaves an entry on its stack in a hash table, which another module's load
# may run into. insmod uses init_module() for a compressed file.
load_broken() {
    gzip -c "/faults/$1.ko" > "/tmp/$1.ko.gz"
    insmod "/tmp/$1.ko.gz" 2> /dev/null
}

cause() {
    case $1 in
        oops | bug)
            load_broken "$1" ;;
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
            echo 4 > bank
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
