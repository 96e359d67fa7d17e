#!/bin/sh
# SPDX-License-Identifier: MIT
# Searches with libFuzzer, after "make fuzzers": search.sh [TARGET...], all of them without.
# Each makes 10 million executions, or as many as FUZZ_SECONDS allow, as many targets at once
# as there are processors. build/fuzz/found keeps what was found: new inputs in TARGET/, what
# broke a property in TARGET-crash-..., what was said in TARGET.log.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${FUZZ_SECONDS:=300}"
export FUZZ_SECONDS
found=build/fuzz/found

search()
{
	mkdir -p "$found/$1"
	if build/fuzz/tests/fuzz/"$1" -runs=10000000 -max_total_time="$FUZZ_SECONDS" \
	    -timeout=20 -print_final_stats=1 -artifact_prefix="$found/$1-" \
	    "$found/$1" tests/fuzz/corpus/"$1" >"$found/$1.log" 2>&1; then
		sed -nE "s/^Done ([0-9]+) runs in ([0-9]+) .*/passed fuzz\/$1: \1 executions in \2 s/p" \
		    "$found/$1.log"
	else
		echo "failed fuzz/$1: see $found/$1.log"
		grep -E '^(==|SUMMARY|artifact_prefix|tests/|daemon/|lib/|postfix/)' "$found/$1.log"
	fi
}

if [ "${1-}" = --one ]; then
	search "$2"
	exit
fi
[ $# -gt 0 ] || set -- $(ls tests/fuzz/corpus)
mkdir -p "$found"
printf '%s\n' "$@" | xargs -P "$(nproc)" -n 1 "$0" --one >"$found/said"
cat "$found/said"
failed=$(grep -c '^failed' "$found/said")
echo "$(grep -c '^passed' "$found/said") passed, $failed failed"
[ "$failed" -eq 0 ]
