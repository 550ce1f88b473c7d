# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# bash completion for provisor: asks the program for its nouns, verbs and
# options, so that it never falls behind.
_provisor() {
	local cur=${COMP_WORDS[COMP_CWORD]} prog=${COMP_WORDS[0]}
	local noun="" verb="" i words
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--home | --events | --ledger | --station | --operator) ((i++)) ;;
		-*) ;;
		*)
			if [ -z "$noun" ]; then
				noun=${COMP_WORDS[i]}
			else
				verb=${COMP_WORDS[i]}
				break
			fi
			;;
		esac
	done
	if [ -z "$noun" ]; then
		words="$("$prog" --list-words 2>/dev/null)
			--home --ledger --station --operator --json --events --quiet --version --help"
	else
		words=$("$prog" --list-words "$noun" 2>/dev/null)
		if [ -z "$words" ]; then
			words=$("$prog" "$noun" --list-options 2>/dev/null)
		elif [ -n "$verb" ]; then
			words=$("$prog" "$noun" "$verb" --list-options 2>/dev/null)
		fi
	fi
	if [[ $cur == -* || -z $verb ]]; then
		mapfile -t COMPREPLY < <(compgen -W "${words//=/}" -- "$cur")
		[ ${#COMPREPLY[@]} -gt 0 ] && return
	fi
	mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -o filenames -F _provisor provisor
