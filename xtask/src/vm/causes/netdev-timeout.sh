# A card that may not access memory any more takes packets and never sends them. After the first time-out it may again.
card=/sys/class/net/eth1
command() { printf "$1" | dd of=$card/device/config bs=1 seek=4 conv=notrunc 2> /dev/null; }
ip addr add 10.9.9.1/24 dev eth1
ip link set eth1 up
sleep 3
ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev eth1 2> /dev/null ||
    arp -i eth1 -s 10.9.9.2 02:00:00:00:00:02
command '\003\001'
dd if=/dev/zero bs=1000 count=400 2> /dev/null | nc -u -w 1 10.9.9.2 9 > /dev/null 2>&1
tries=0
until dmesg | grep -q 'NETDEV WATCHDOG' || [ $tries -ge 30 ]; do
    tries=$((tries + 1))
    sleep 1
done
command '\007\001'
ip link set eth1 down
