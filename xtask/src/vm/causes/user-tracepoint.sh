sleep 60 &
# The first is not the one that the probe asks for.
kill -41 $!
sleep 60 &
kill -40 $!
