# 80 K more than 300 K, tenths, where the thermal zone looks; then the kernel is made to look.
heat() {
    printf "$1\0\0" | dd of=/dev/mem bs=1 seek=$((0x20100000)) conv=notrunc 2> /dev/null
    for zone in /sys/class/thermal/thermal_zone*; do
        [ "$(cat $zone/type)" = acpitz ] || continue
        echo disabled > $zone/mode
        echo enabled > $zone/mode
    done
}
heat '\040\003'
heat '\0\0'
