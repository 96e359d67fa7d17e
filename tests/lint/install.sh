#!/bin/sh
# SPDX-License-Identifier: MIT
# What was built for one place and is installed to another works there, and uninstall
# takes away all but the configuration.
set -eu
cd "$(dirname "$0")/../.." || exit 1
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
make -s -j2 B="$place/build" all >/dev/null
make -s -j2 B="$place/build" PREFIX="$place/usr" SYSCONFDIR="$place/etc" \
    UNITDIR="$place/units" SYSUSERSDIR="$place/sysusers" \
    COMPLETIONDIR="$place/completions" install >/dev/null
"$place/usr/sbin/stsd" -V | grep -q libcurl || {
	echo "the installed stsd does not find its resolver"
	exit 1
}
"$place/usr/sbin/stsd" -T | grep -q "^listen = inet:127.0.0.1:8461" || {
	echo "the installed stsd does not read its configuration"
	exit 1
}
make -s B="$place/build" PREFIX="$place/usr" SYSCONFDIR="$place/etc" \
    UNITDIR="$place/units" SYSUSERSDIR="$place/sysusers" \
    COMPLETIONDIR="$place/completions" uninstall >/dev/null
left=$(cd "$place" && find usr etc units sysusers completions -type f)
[ "$left" = etc/stsd/stsd.conf ] || {
	echo "uninstall left: $left"
	exit 1
}
