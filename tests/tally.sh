#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs test programs and counts: read in by tests/run and tests/packages/run.
#
# A test program passes with status 0, is skipped with 77, fails otherwise; its last line
# may be totals of its own ("N passed, N failed, N skipped"). So is ours.
: "${B:=build}" "${V:=0}" "${REQUIRE_ALL:=0}"
export B V REQUIRE_ALL
passed=0 failed=0 skipped=0
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT TERM

has()
{
	command -v "$1" >/dev/null 2>&1
}

skip()
{
	echo "skipped $1: $2"
	skipped=$((skipped + 1))
}

# The number before a word in the totals that a program printed.
total()
{
	sed -nE '$s/^([0-9]+ [a-z]+, )*([0-9]+) '"$1"'(, .*)?$/\2/p' "$log"
}

# one NAME COMMAND...
one()
{
	name=$1
	shift
	"$@" >"$log" 2>&1 </dev/null
	status=$?
	ok=$(total passed)
	if [ $status -eq 77 ]; then
		skip "$name" "$(tail -n 1 "$log")"
		return
	fi
	if [ -n "$ok" ]; then
		passed=$((passed + ok))
		failed=$((failed + $(total failed)))
		left=$(total skipped)
		skipped=$((skipped + ${left:-0}))
		[ $status -eq 0 ] || [ "$(total failed)" -ne 0 ] || [ "$REQUIRE_ALL" = 1 ] ||
		    failed=$((failed + 1))
	elif [ $status -eq 0 ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
	if [ $status -ne 0 ]; then
		echo "failed $name: status $status"
		cat "$log"
	elif [ "$V" = 1 ]; then
		echo "passed $name"
		cat "$log"
	else
		grep '^skipped' "$log"
	fi
}

# The last line, and whether all is well.
conclude()
{
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$REQUIRE_ALL" != 1 ] || failed=$((failed + skipped))
	[ $failed -eq 0 ]
}
