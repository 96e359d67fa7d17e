#!/bin/sh
# SPDX-License-Identifier: MIT
# The units of systemd, as they are installed: it understands them, finds that stsd can do
# little harm, and makes the account.
set -eu
cd "$(dirname "$0")/../.." || exit 1
EXPOSURE=15 # tenths
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
make -s DESTDIR="$place" UNITDIR=/units SYSUSERSDIR=/sysusers install >/dev/null
units=$place/units
# "verify" wants the program where it will be.
sed -i "s|^ExecStart=|&$place|" "$units/stsd.service"
said=$(systemd-analyze verify --man=no "$units"/* 2>&1) || true
[ -z "$said" ] || {
	echo "$said"
	exit 1
}
said=$(systemd-analyze security --no-pager --offline=true --threshold=$EXPOSURE \
    "$units/stsd.service" 2>&1) || {
	echo "$said"
	exit 1
}
systemd-sysusers --root="$place" "$place/sysusers/stsd.conf" 2>/dev/null
grep -q '^_stsd:x:[0-9]*:[0-9]*:[^:]*:/var/lib/stsd:/usr/sbin/nologin$' "$place/etc/passwd" || {
	echo "no account: $(cat "$place/etc/passwd")"
	exit 1
}
