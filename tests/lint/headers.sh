#!/bin/sh
# SPDX-License-Identifier: MIT
# Every header compiles alone, twice over, and is its own proof.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${CC:=cc}"
bad=0
for header in lib/*.h lib/io/*.h postfix/*.h daemon/*.h daemon/query/*.h; do
	[ -f "$header" ] || continue
	printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
	    "$CC" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -iquote lib -iquote lib/io -iquote postfix \
	        -iquote daemon -iquote daemon/query -fsyntax-only -x c - || {
		echo "$header: does not compile alone" >&2
		bad=1
	}
done
exit $bad
