#!/bin/sh
# Runs as root in a Debian of its own: installs, uses, upgrades, removes and purges the packages in /packages.
# /packages/new holds the same packages with a higher version. Ends with 0 when all was right.
set -eu
export DEBIAN_FRONTEND=noninteractive LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

say() { echo "check: $*"; }
fail() {
	say "FAILED: $*"
	tail -n 20 /tmp/telemd.log /tmp/backend.log 2>/dev/null || true
	exit 1
}
# Waits until a command succeeds, for at most 60 s.
await() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ "$tries" -lt 120 ] || fail "not within 60 s: $*"
		sleep 0.5
	done
}
refuse() { if "$@" >/dev/null 2>&1; then fail "this should not work: $*"; fi; }
runs() { pgrep -x "$1" >/dev/null; }
stop() {
	pkill -x "$1"
	tries=0
	while runs "$1"; do
		tries=$((tries + 1))
		[ "$tries" -lt 120 ] || fail "$1 does not end"
		sleep 0.5
	done
}
arrived() { curl --silent --fail 'http://127.0.0.1:7131/api/v1/faults?class=custom' | grep -q "$1"; }

say "install"
dpkg -i /packages/old/*.deb
for user in telemetrics telemetrics-backend; do
	getent passwd "$user" >/dev/null || fail "there is no user $user"
done
[ "$(stat -c %U:%a /var/lib/telemetrics)" = telemetrics:700 ] || fail "/var/lib/telemetrics is not closed"

say "nothing runs before consent"
for program in telemd telemd-probes telemetrics-bac; do
	if runs "$program"; then fail "$program runs"; fi
done
if find /etc/systemd/system -name '*tele*' | grep .; then fail "a unit is enabled"; fi
[ ! -e /etc/telemetrics/opt-in ] || fail "the host has opted in"
systemd-analyze verify telemd.service telemd.socket telemd-probes.socket telemd-probes@0.service \
	telemetrics-updates.service telemetrics-updates.timer telemetrics-failures.service telemetrics-failures.timer \
	telemetrics-backend.service || fail "systemd does not like a unit"

say "use"
BACKEND_DATA_DIR=/var/lib/telemetrics-backend setpriv --reuid telemetrics-backend --regid telemetrics-backend \
	--clear-groups telemetrics-backend serve >/tmp/backend.log 2>&1 &
await curl --silent --fail http://127.0.0.1:7131/
printf '[probes]\nenabled = false\n' >/tmp/check.toml
telemd --config /tmp/check.toml >/tmp/telemd.log 2>&1 &
await telemctl --config /tmp/check.toml status
refuse telem-record-gen --class org.example/check/refused --payload refused
telemctl --config /tmp/check.toml opt-in
await telem-record-gen --class org.example/check/first --payload first
await arrived org.example/check/first
telem-record-gen --class org.example/check/second --payload second
await arrived org.example/check/second

say "upgrade"
stop telemd
dpkg -i /packages/new/*.deb
[ -e /etc/telemetrics/opt-in ] || fail "the upgrade withdrew consent"
telemd --config /tmp/check.toml >/tmp/telemd.log 2>&1 &
await telem-record-gen --class org.example/check/third --payload third
await arrived org.example/check/third
stop telemd
stop telemetrics-bac

say "remove"
dpkg -r telemetrics-agent telemetrics-backend libtelemetry-dev libtelemetry4
[ -d /var/lib/telemetrics/spool ] || fail "removing deleted what waits in the spool"
[ ! -e /usr/bin/telemd ] || fail "telemd is still there"

say "purge"
dpkg -P telemetrics-agent telemetrics-backend libtelemetry-dev libtelemetry4
for left in /var/lib/telemetrics /var/lib/telemetrics-backend /etc/telemetrics /etc/default/telemetrics-backend; do
	[ ! -e "$left" ] || fail "$left is left"
done
say "all was right"
