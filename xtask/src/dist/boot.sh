#!/bin/sh
# Runs as a service of systemd in a guest that has the packages: whether the units work together. It says on the console
# how it went and turns the guest off.
set -u
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
exec >/dev/ttyS0 2>&1

finish() {
	echo "boot: $*"
	sync
	systemctl poweroff --force --force
	exit
}
fail() {
	systemctl --no-pager --lines=0 status telemd.service 'telemd-probes@*' telemetrics-backend.service
	journalctl --no-pager --lines=60 --output=cat
	telemctl doctor
	finish "FAILED: $*"
}
# Waits until a command succeeds. The guest is slow: for at most 5 minutes.
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 150 ] || fail "not in time: $*"
		sleep 2
	done
}
property() { systemctl show --property "$2" --value "$1"; }
says() { [ "$(property telemd.service StatusText)" = "$1" ]; }
holds_no_capability() { grep -q '^CapPrm:[[:space:]]*0000000000000000$' "/proc/$(property telemd.service MainPID)/status"; }
# The timer may have started a run that has read the journal already; starting it then waits for that one.
failure_told() { systemctl start telemetrics-failures.service && arrived org.telemetrics/unit/failed; }
dumped() { file=$(echo /var/core.*) && [ "$(head -c 4 "$file")" = "$(printf '\177ELF')" ]; }
told_once() { telemctl flush >/dev/null && [ "$(telemctl journal | grep -c "$1")" = 1 ]; }
arrived() { curl --silent --fail 'http://127.0.0.1:7131/api/v1/faults?class=custom' | grep -q "$1"; }

for unit in telemd.service telemd.socket telemd-probes.socket telemetrics-updates.timer telemetrics-failures.timer \
	telemetrics-backend.service; do
	if systemctl --quiet is-active "$unit"; then fail "$unit runs and nobody asked for it"; fi
	if systemctl --quiet is-enabled "$unit"; then fail "$unit is enabled and nobody asked for it"; fi
done

echo "boot: the collector"
systemctl start telemetrics-backend.service || fail "telemetrics-backend does not start"
await curl --silent --fail http://127.0.0.1:7131/

echo "boot: the agent without consent"
systemctl enable --now telemd.service || fail "telemd does not start"
says "waiting for opt-in" || fail "telemd says $(property telemd.service StatusText)"
holds_no_capability || fail "telemd holds a capability"
[ "$(property telemd.service WatchdogUSec)" = 1min ] || fail "telemd is not watched"

echo "boot: the agent with consent"
# It answers once everything is attached, which a slow guest takes long for.
await telemctl opt-in
await says watching
await systemctl --quiet is-active 'telemd-probes@*'
telemctl doctor
await telem-record-gen --class org.example/boot/first --payload first
await arrived org.example/boot/first

echo "boot: a record that waits while telemd starts again"
systemctl stop telemd.service || fail "telemd does not stop"
if telemctl is-active; then fail "telemctl calls a stopped agent active"; fi
telem-record-gen --class org.example/boot/second --payload second || fail "the socket does not start telemd"
await arrived org.example/boot/second

echo "boot: a unit that fails"
systemctl start telemetrics-updates.timer telemetrics-failures.timer || fail "the timers do not start"
systemctl start telemetrics-updates.service || fail "updates are not told"
systemd-run --quiet --unit=boot-fails.service /bin/false
await systemctl --quiet is-failed boot-fails.service
await failure_told

echo "boot: a program that dumps core"
was=$(cat /proc/sys/kernel/core_pattern)
telemctl crashes enable --then '/var/core.%p' || fail "core dumps are not read"
cp /bin/sh /usr/bin/boot-crashes
boot-crashes -c 'ulimit -c unlimited; kill -SEGV $$'
await dumped
# By the hook and by the helper, and one record.
await told_once program.crash
telemctl crashes disable || fail "core dumps are still read"
[ "$(cat /proc/sys/kernel/core_pattern)" = "$was" ] || fail "core dumps do not go where they went"

echo "boot: reload, kill"
systemctl reload telemd.service || fail "telemd does not reload"
says watching || fail "telemd says $(property telemd.service StatusText) after reloading"
telemctl is-active || fail "telemctl calls a running agent inactive"
systemctl kill --signal=KILL telemd.service
await telem-record-gen --class org.example/boot/third --payload third
await arrived org.example/boot/third
told_once program.crash || fail "the crash was told twice"
telemctl stop && systemctl stop telemetrics-backend.service || fail "stopping"
[ "$(property telemetrics-backend.service Result)" = success ] || fail "the collector ended badly"
[ "$(property telemd.service Result)" = success ] || fail "telemd ended badly"
finish "all was right"
