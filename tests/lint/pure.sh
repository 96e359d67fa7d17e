#!/bin/sh
# SPDX-License-Identifier: MIT
# The rules are pure: the archives of lib/ and postfix/ want nothing of the C library but
# memory and strings, and hold nothing that can change between two calls.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${B:=build}"
allowed='abort|__assert_fail|__stack_chk_fail|calloc|free|malloc|realloc'
allowed="$allowed|(__)?(memchr|memcmp|memcpy|memmove|memset|strchr|strcmp|strlen|strncmp)(_chk)?"
# What the processor can do, told by the compiler's own library.
allowed="$allowed|__cpu_model|__cpu_indicator_init"
allowed="$allowed|_GLOBAL_OFFSET_TABLE_|__asan_.*|__ubsan_.*|__sanitizer_.*|__lsan_.*"

archives="$B/libsts-core.a $B/libpostfix.a"
for archive in $archives; do
	[ -f "$archive" ] || {
		echo "$archive is not there: make first" >&2
		exit 1
	}
done

# shellcheck disable=SC2086 # two words
defined=$(nm --defined-only -g $archives | awk 'NF == 3 { print $3 }' | sort -u)
# shellcheck disable=SC2086
wanted=$(nm -u $archives | awk '$1 == "U" { print $2 }' | sort -u)
bad=$(echo "$wanted" | grep -vxF "$defined" | grep -vxE "$allowed")
# Symbols in sections that are written to; sanitizers keep their own there.
# shellcheck disable=SC2086
data=$(objdump -t $archives |
    awk '/[[:space:]]O[[:space:]]+(\.t?data|\.t?bss|\*COM\*)/ && !/\.data\.rel\.ro/ { print $NF }' |
    grep -vE '^(__asan|__ubsan|__odr_asan|\.L)')
[ -z "$bad" ] || echo "pure code calls: $bad" >&2
[ -z "$data" ] || echo "pure code keeps: $data" >&2
[ -z "$bad$data" ]
