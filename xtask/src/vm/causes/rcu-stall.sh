echo 3 > /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout
# Something has to wait for RCU.
sh -c 'while :; do ls /; done' > /dev/null &
load_broken "$1"
kill $!
