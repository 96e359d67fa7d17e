#!/bin/sh
# SPDX-License-Identifier: MIT
# What bash offers behind stsd-query: options, map names, settings, files, domains.
set -u
cd "$(dirname "$0")/../.." || exit 1
: "${B:=build}"
command -v bash >/dev/null || {
	echo "bash is not installed"
	exit 77
}
if [ ! -x "$B/stsd-query" ] || [ ! -x "$B/stsd" ]; then
	echo "$B/stsd-query and $B/stsd are not built"
	exit 77
fi
home=$(mktemp -d) || exit 1
trap 'rm -rf "$home"' EXIT
touch "$home/policy.txt"
mkdir "$home/folder"
cat >"$home/stsd-query" <<-END
	#!/bin/sh
	[ "\$1" != --list ] || exec printf 'b.example\tenforce\nc.example\tnone\n'
	exec "$PWD/$B/stsd-query" "\$@"
END
chmod +x "$home/stsd-query"
B=$PWD/$B HOME_OF_TEST=$home bash -u <<'END'
. daemon/stsd-query.bash || exit 1
cd "$HOME_OF_TEST" || exit 1
PATH=$HOME_OF_TEST:$B:$PATH
bad=0
compopt() { :; } # there is no completion under way

# offers WANTED WORD...: the last word is the one that is completed
offers() {
	local wanted=$1 got

	shift
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	_stsd_query stsd-query "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
	got=${COMPREPLY[*]-}
	[ "$got" = "$wanted" ] || {
		echo "${*}: '$got', not '$wanted'"
		bad=1
	}
}

offers "--smtp --server= --show --stats" stsd-query --s
offers "--lint-policy --lint-record --list" stsd-query --li
offers "--verbose --version" stsd-query --ve
offers "--config=" stsd-query --con
offers "--postfix" stsd-query --po
offers "QUERY QUERYwithTLSRPT" stsd-query --reply --map Q
offers "postfix" stsd-query --reply --map = p
offers "auto always never" stsd-query --color =
offers "always" stsd-query --color = al
offers "inet: unix:" stsd-query --reply --server ""
offers "max_connections= max_fetches= max_lookups= max_reply=" stsd-query -o max_
offers "dnssec=" stsd-query --option = dnss
offers "policy.txt" stsd-query --lint-policy pol
offers "policy.txt" stsd-query -c po
offers "policy.txt" stsd-query --import po
offers "folder" stsd-query --postfix = f
offers "b.example c.example" stsd-query --show ""
offers "c.example" stsd-query --reply b.example c
offers "" stsd-query exam

# Every option that there is.
for option in $(stsd-query --help | grep -oE '^  (-[a-zA-Z], | +)--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
	COMP_WORDS=(stsd-query "$option")
	COMP_CWORD=1
	_stsd_query stsd-query "$option" stsd-query
	case " ${COMPREPLY[*]-} " in
	*" $option "* | *" $option= "*) ;;
	*)
		echo "$option is not offered"
		bad=1
		;;
	esac
done
exit $bad
END
