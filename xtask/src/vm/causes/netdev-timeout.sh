# A card that may not access memory any more takes packets, 16 of them, and never sends them. After the first time-out it
# may again.
card=/sys/class/net/eth1
command() { printf "$1" | dd of=$card/device/config bs=1 seek=4 conv=notrunc 2> /dev/null; }
ip addr add 10.9.9.1/24 dev eth1
ip link set eth1 up
ip route add 239.0.0.0/8 dev eth1
sleep 1
command '\001\001'
packets=0
while [ $packets -lt 24 ]; do
    ping -c 1 -W 1 239.9.9.9 > /dev/null 2>&1 &
    packets=$((packets + 1))
done
tries=0
until dmesg | grep -q 'NETDEV WATCHDOG' || [ $tries -ge 30 ]; do
    tries=$((tries + 1))
    sleep 1
done
command '\005\001'
ip link set eth1 down
