# A corrected memory error: valid, enabled, with address and misc; channel 1.
cd /sys/kernel/debug/mce-inject
echo sw > flags
echo 0 > cpu
echo 0x9c00400001010091 > status
echo 0x12345000 > addr
echo 0x8c > misc
echo 7 > bank
cd /
