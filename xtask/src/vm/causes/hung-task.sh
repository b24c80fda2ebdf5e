make_files
echo 5 > /proc/sys/kernel/hung_task_timeout_secs
echo 2 > /proc/sys/kernel/hung_task_check_interval_secs
# It is told again every two seconds, unless one warning is all there may be.
echo 1 > /proc/sys/kernel/hung_task_warnings
fsfreeze --freeze /mnt
touch /mnt/there &
sleep 12
fsfreeze --unfreeze /mnt
wait $!
echo 10 > /proc/sys/kernel/hung_task_warnings
echo 120 > /proc/sys/kernel/hung_task_timeout_secs
remove_files
