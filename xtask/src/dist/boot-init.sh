#!/bin/busybox sh
# The first program of a guest whose system is on a disk: loads what that takes and hands over to systemd.
/bin/busybox mount -t devtmpfs dev /dev
while read -r module; do
	/bin/busybox insmod "/modules/$module.ko"
done </modules/order
tries=0
until /bin/busybox mount -t ext4 /dev/vda /root; do
	tries=$((tries + 1))
	[ "$tries" -lt 30 ] || exec /bin/busybox poweroff -f
	/bin/busybox sleep 1
done
exec /bin/busybox switch_root /root /lib/systemd/systemd
