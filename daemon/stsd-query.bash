# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion of stsd-query for bash. Options are those that --help names, settings those
# that stsd -T prints, and domains those that are cached.

_stsd_query_options()
{
	"$1" --help 2>/dev/null |
		sed -nE 's/^  (-[a-zA-Z], +)? *(--[a-z-]+)(\[?=[A-Z]+(=VALUE)?\]?)? .*/\2 \3/p' |
		sed -E 's/ \[=.*//; s/ =.*/=/; s/ $//'
}

_stsd_query_settings()
{
	local stsd

	stsd=$(PATH=$PATH:/usr/sbin:/usr/local/sbin type -P stsd) || return
	"$stsd" -T 2>/dev/null | sed -nE 's/^([a-z_]+) *=.*/\1=/p' | uniq
}

# The command among the words so far: what the others mean depends on it.
_stsd_query_command()
{
	local word

	for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
		case $word in
		--reply | --health | --lint-policy | --lint-record | --match | --postfix | \
			--list | --show | --refresh | --forget | --stats | --overrides | \
			--export | --import)
			echo "$word"
			return
			;;
		esac
	done
}

_stsd_query_words()
{
	local IFS=$'\n'

	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
	case ${COMPREPLY[0]-} in
	*=) compopt -o nospace ;;
	esac
}

_stsd_query_files()
{
	mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
	compopt -o filenames
}

_stsd_query()
{
	local cur=${COMP_WORDS[COMP_CWORD]} before='' program=$1

	[ "$COMP_CWORD" -eq 0 ] || before=${COMP_WORDS[COMP_CWORD - 1]}
	# "--color=al" comes as three words.
	if [ "$cur" = "=" ]; then
		cur=
	elif [ "$before" = "=" ] && [ "$COMP_CWORD" -ge 2 ]; then
		before=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	COMPREPLY=()
	case $before in
	--map)
		_stsd_query_words $'QUERY\nQUERYwithTLSRPT\npostfix'
		return
		;;
	--color)
		_stsd_query_words $'auto\nalways\nnever'
		return
		;;
	--server)
		_stsd_query_words $'inet:\nunix:'
		compopt -o nospace
		return
		;;
	-c | --config | --lint-policy | --import)
		_stsd_query_files -f
		return
		;;
	--postfix)
		_stsd_query_files -d
		return
		;;
	-o | --option)
		_stsd_query_words "$(_stsd_query_settings)"
		return
		;;
	esac
	case $cur in
	-*)
		_stsd_query_words "$(_stsd_query_options "$program")"
		return
		;;
	esac
	case $(_stsd_query_command) in
	--show | --refresh | --forget | --reply)
		_stsd_query_words "$("$program" --list 2>/dev/null | cut -f1)"
		;;
	--lint-policy | --import)
		_stsd_query_files -f
		;;
	esac
}

complete -F _stsd_query stsd-query
