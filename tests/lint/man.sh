#!/bin/sh
# SPDX-License-Identifier: MIT
# The manuals are complete: every setting stands with its default in stsd.conf(5) and in
# the example file, every word it takes and every metric and option in its manual. And
# mandoc finds nothing to warn of.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

complain() {
	echo "$1"
	bad=1
}

# The table of settings, one a line: name, TAB, default.
settings() {
	tr '\n\t' '  ' <daemon/setting.c | grep -oE '\.name = "[a-z_]+"[^;]*' |
		sed 's/\.name = /\n&/g' | sed -nE \
		's/^\.name = "([a-z_]+)".*\.preset *= *("[^"]*"( *"[^"]*")*).*/\1	\2/p' |
		sed -E 's/" *"//g; s/"$//; s/	"/	/'
}

# A manual's text without what marks it up, words separated by one blank.
plain() {
	sed -E 's/^\.\\".*//; s/^\.[A-Z][a-z] //; s/ (Ns|Li|Ic|Cm|Pa|Ar|No|Pq|Op|Oo|Oc) / /g; s/\\&//g' \
		"$1" | tr '\n' ' ' | tr -s ' '
}

manual=daemon/stsd.conf.5
text=$(plain "$manual")
count=0
while IFS='	' read -r name preset; do
	count=$((count + 1))
	grep -qE "^\.It Ic $name( |,|\$)" "$manual" || complain "$manual: no .It Ic $name"
	grep -qxF "#$name =${preset:+ $preset}" daemon/stsd.conf ||
		complain "daemon/stsd.conf: no line '#$name =${preset:+ $preset}'"
	for word in $preset; do
		case " $text" in
		*" $word"[' ,.;:)']*) ;;
		*) complain "$manual: $name: the default $word is missing" ;;
		esac
	done
done <<-END
	$(settings)
END
[ "$count" -eq "$(grep -c '\.name = "' daemon/setting.c)" ] ||
	complain "daemon/setting.c: $count settings were understood, not all"

# Words that settings take: { "exact", 0 }.
words=$(grep -oE '\{ "[a-z]+", [A-Z0-9_]+ \}' daemon/setting.c | cut -d'"' -f2)
for word in $words; do
	case " $text" in
	*" $word"[' ,.;:)']*) ;;
	*) complain "$manual: the value $word is missing" ;;
	esac
done

if [ -e daemon/stsd.8 ]; then
	metrics=$(grep -oE '"stsd_[a-z_]+"' daemon/metrics.c | tr -d '"' | sort -u)
	for metric in $metrics; do
		grep -q "$metric" daemon/stsd.8 || complain "daemon/stsd.8: no $metric"
	done
	options=$(sed -nE 's/.*getopt\(argc, argv, "([a-zA-Z:]+)".*/\1/p' daemon/stsd.c)
	for option in $(echo "$options" | tr -d : | sed 's/./& /g'); do
		grep -qE "Fl $option( |\$)" daemon/stsd.8 || complain "daemon/stsd.8: no -$option"
	done
fi
if [ -e daemon/stsd-query.1 ]; then
	options=$(sed -nE "s/^	\{ (OPT_[A-Z_]+|'.'), \"([a-z-]+)\".*/\2/p" daemon/query/query_options.c)
	for option in $options; do
		grep -qE "Fl -$option( |\$)" daemon/stsd-query.1 ||
			complain "daemon/stsd-query.1: no --$option"
	done
fi

# A manual that is not installed here is no fault of ours.
for page in daemon/*.[158]; do
	mandoc -T lint -W warning "$page" || bad=1
done
exit $bad
