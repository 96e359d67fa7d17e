#!/bin/sh
# SPDX-License-Identifier: MIT
# A search with libFuzzer, after "make fuzzers": search.sh TARGET. It ends with 10 million
# executions or after FUZZ_SECONDS. build/fuzz/found keeps what it finds: new inputs in
# TARGET/, what breaks a property in TARGET-crash-..., what libFuzzer says in TARGET.log.
#
# 200 seconds, not more, so that 18 targets, two at a time, take half an hour, and leave the
# other long tests the rest of one.
set -u
cd "$(dirname "$0")/../.." || exit 1
found=build/fuzz/found
mkdir -p "$found/$1"
if build/fuzz/tests/fuzz/"$1" -runs=10000000 -max_total_time="${FUZZ_SECONDS:-200}" \
    -timeout=20 -print_final_stats=1 -artifact_prefix="$found/$1-" \
    "$found/$1" tests/fuzz/corpus/"$1" >"$found/$1.log" 2>&1; then
	sed -nE "s/^Done ([0-9]+) runs in ([0-9]+) .*/passed fuzz\/$1: \1 executions in \2 s/p" \
	    "$found/$1.log"
else
	echo "failed fuzz/$1: see $found/$1.log"
	grep -E '^(==|SUMMARY|artifact_prefix|tests/|daemon/|lib/|postfix/)' "$found/$1.log"
fi
