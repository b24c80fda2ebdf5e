#!/bin/busybox sh
# The first program of a test guest: brings up devices and the agent, then does what the host asks for over the second
# serial line, a number and a word on each line, and answers on it. The host tells a word again until its number is
# answered. A word is the name of a script in /causes, which sets `cannot` to the reason when this kernel cannot do it. The kernel hands `guest_boot` over from its command line: what is to be missing.

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
        [ -e "/sys/module/$module" ] || insmod "/lib/guest/$module.ko" $options || fail "to load module $module"
    done < "/lib/guest/$1"
}
load_listed order
# A locked down kernel does not let anybody say where the log is kept.
[ "$guest_boot" = netconsole ] || [ "$guest_boot" = lockdown ] || load_listed order-ramoops

mount -t debugfs debugfs /sys/kernel/debug
[ "$guest_boot" = no-tracefs ] || mount -t tracefs tracefs /sys/kernel/tracing
[ "$guest_boot" != no-btf ] || mount -t tmpfs tmpfs /sys/kernel/btf
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

# The log will have lost it when it is asked for.
dmesg | grep 'NMI watchdog:' | tail -n 1 > /run/nmi-watchdog

if [ -e /etc/telemetrics ]; then
    without=
    # With this capability the agent would mount tracefs for itself.
    [ "$guest_boot" != no-tracefs ] || without="/opt/guest/setpriv --bounding-set -sys_admin"
    # The agent's own log goes to the console.
    $without telemd --config /etc/telemetrics/telemd.toml > /dev/console 2>&1 &
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
    cannot=
    [ ! -e "/lib/guest/order-$1" ] || load_listed "order-$1"
    if [ -e "/causes/$1.sh" ]; then
        . "/causes/$1.sh"
    else
        fail "to understand $1"
    fi
    if [ -n "$cannot" ]; then
        answer "cannot $1 $cannot"
    else
        answer "done $1"
    fi
}

last=
while read -r number word <&3; do
    [ -n "$number" ] || continue
    answer "heard $number"
    [ "$number" != "$last" ] || continue
    last=$number
    cause "$word"
done
fail "to read from the host"
sleep 3600
