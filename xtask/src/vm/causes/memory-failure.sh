echo 0x10000 > /sys/kernel/debug/hwpoison/corrupt-pfn
