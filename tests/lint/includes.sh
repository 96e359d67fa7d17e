#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may include whom: daemon/query -> daemon -> postfix, lib/io, lib; lib/io -> lib; postfix -> lib;
# lib -> lib. And each dependency's header in the one file that knows it.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

complain()
{
	echo "$*" >&2
	bad=1
}

# The folder that a quoted header lives in.
home_of()
{
	for folder in lib lib/io postfix daemon daemon/query; do
		if [ -f "$folder/$1" ]; then
			echo "$folder"
			return
		fi
	done
	echo nowhere
}

# room FOLDER ALLOWED...: each quoted include of FOLDER's files is in an allowed folder.
room()
{
	room=$1
	shift
	for file in "$room"/*.[ch]; do
		[ -f "$file" ] || continue
		[ "$file" != daemon/stsd-query.c ] || continue # the door to daemon/query
		# shellcheck disable=SC2013 # no blanks in our headers' names
		for header in $(sed -n 's/^[ 	]*#[ 	]*include[ 	]*"\([^"]*\)".*/\1/p' "$file"); do
			home=$(home_of "$header")
			case " $* " in
			*" $home "*) ;;
			*) complain "$file: includes $header of $home; $room may include: $*" ;;
			esac
		done
	done
}

# owner FILE PATTERN: system headers that match are included in FILE (a regular
# expression) alone.
owner()
{
	grep -lE "^[[:space:]]*#[[:space:]]*include[[:space:]]*<$2" lib/*.[ch] lib/io/*.[ch] \
	    postfix/*.[ch] daemon/*.[ch] daemon/query/*.[ch] 2>/dev/null | grep -vxE "$1" | while read -r file; do
		echo "$file: includes <$2...>, which only $1 may"
	done
}

# pure FOLDER: only headers without I/O, clock or locale.
pure()
{
	grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' "$1"/*.[ch] |
	    grep -vE '<(assert|limits|stdarg|stdbool|stddef|stdint|stdlib|string)\.h>' |
	    sed 's/$/ is not for a pure room/'
}

room lib lib
room lib/io lib lib/io
room postfix lib postfix
room daemon lib lib/io postfix daemon
room daemon/query lib lib/io postfix daemon daemon/query

said=$(
	owner 'lib/io/loop\.c' 'event'
	owner 'lib/io/resolve\.c' 'ares'
	owner 'lib/io/fetch\.c' 'curl/'
	owner 'lib/io/tls(_[a-z]+)?\.c' 'openssl/'
	owner 'lib/io/cache\.c' 'lmdb'
	owner 'lib/io/idn\.c' 'idn2'
	pure lib
	pure postfix
)
[ -z "$said" ] || complain "$said"
exit $bad
