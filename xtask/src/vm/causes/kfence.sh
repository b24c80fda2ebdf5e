echo 100 > /sys/module/kfence/parameters/sample_interval
load_broken "$1"
echo 0 > /sys/module/kfence/parameters/sample_interval
