#!/bin/sh
# Runs as root in a system that has the RPM packages: what their scripts did, and whether the programs start.
set -eu
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin

fail() {
	echo "rpm: FAILED: $*"
	exit 1
}

for user in telemetrics telemetrics-backend; do
	getent passwd "$user" >/dev/null || fail "there is no user $user"
done
[ "$(stat -c %U:%a /var/lib/telemetrics)" = telemetrics:700 ] || fail "/var/lib/telemetrics is not closed"
[ "$(stat -c %U:%a /var/lib/telemetrics-backend)" = telemetrics-backend:700 ] || fail "/var/lib/telemetrics-backend is not closed"
if find /etc/systemd/system -name '*tele*' | grep .; then fail "a unit is enabled"; fi
[ ! -e /etc/telemetrics/opt-in ] || fail "the host has opted in"
for program in telemd telemd-crash telemd-probes telemctl telem-record-gen telem_journal telemetrics-backend; do
	"$program" --version >/dev/null || fail "$program does not start"
done
# Where programs of an RPM distribution look; a Debian does not look there.
[ -e /usr/lib64/libtelemetry.so.4 ] || [ -e /usr/lib/libtelemetry.so.4 ] || fail "there is no libtelemetry.so.4"
systemd-analyze verify telemd.service telemetrics-updates.timer telemetrics-failures.timer telemetrics-backend.service ||
	fail "systemd does not like a unit"
