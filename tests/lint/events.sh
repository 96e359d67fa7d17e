#!/bin/sh
# SPDX-License-Identifier: MIT
# Every event of the log stands in stsd(8), LOGS, and every event there in the source. (That
# a variable brings none there that is not documented, tests/e2e/test_events.py sees.)
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

complain() {
	echo "$1"
	bad=1
}

# What is logged, one statement a line: its event, or "?" where a variable has it.
logged() {
	cat daemon/*.c | tr '\n\t' '  ' | tr ';' '\n' |
		sed -nE 's/.*log_(say|begin)\(([^,"(]*(\([^()]*\))?[^,"(]*), *("([a-z-]+)")?.*/?\5/p' |
		sed 's/^?\(.\)/\1/'
}

documented() {
	sed -n '/^\.Sh LOGS/,/^\.Sh METRICS/s/^\.It Li //p' daemon/stsd.8 | tr -d ' ' | tr , '\n'
}

known=" $(documented | tr '\n' ' ')"
for event in $(logged | grep -v '^?' | sort -u); do
	case $known in
	*" $event "*) ;;
	*) complain "daemon/stsd.8: LOGS does not know the event $event" ;;
	esac
done
for event in $known; do
	grep -q "\"$event\"" daemon/*.c || complain "daemon/stsd.8: LOGS: $event is logged nowhere"
done
[ "$(logged | grep -vc '^?')" -gt 30 ] || complain "$0: the source is not understood any more"
exit $bad
