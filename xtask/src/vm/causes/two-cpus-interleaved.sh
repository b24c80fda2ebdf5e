# Both wait for the same moment.
gzip -c "/faults/$1.ko" > /tmp/one.ko.gz
gzip -c /faults/free-irq.ko > /tmp/other.ko.gz
taskset 1 insmod /tmp/one.ko.gz &
taskset 2 insmod /tmp/other.ko.gz
wait $!
