sleep 1
# Without reading ahead, which would fail too.
blockdev --setra 0 /dev/sda
dd if=/dev/sda of=/dev/null bs=512 skip=4660 count=1 2> /dev/null
