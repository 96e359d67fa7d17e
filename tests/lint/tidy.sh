#!/bin/sh
# SPDX-License-Identifier: MIT
# clang-tidy over the daemon's sources, a file a processor; see .clang-tidy. A complaint fails it.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck disable=SC2016 # $0 is for the shell inside
! find lib postfix daemon -name '*.c' -print0 |
    xargs -0 -n 1 -P "$(nproc)" sh -c '
	clang-tidy --quiet "$0" -- -std=c17 -D_GNU_SOURCE -iquote lib -iquote lib/io -iquote postfix -iquote daemon -iquote daemon/query \
	    "-DSTSD_VERSION=\"0\"" "-DSTSD_CONFIG=\"/x\"" "-DSTSD_LIBEXEC=\"/x\"" 2>/dev/null' |
    grep -E ' (error|warning): '
