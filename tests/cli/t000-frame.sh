#!/bin/sh
# The frame of the program: help, version, usage errors, JSON errors, events.
. "$(dirname "$0")/lib.sh"

expect 0 '^provisor [0-9]+\.[0-9]+\.[0-9]+$' 'version' -- provisor --version
expect 0 '^usage: provisor \[--home DIR\]' 'help' -- provisor --help
expect 0 'ST.s$|silicon does not accept' 'help says what is ours' -- provisor --help
expect 2 'no command given' 'no command' -- provisor
expect 2 "unknown command 'frobnicate'" 'unknown command' -- provisor frobnicate
expect 2 "needs a verb" 'noun without verb' -- provisor sfi
expect 2 "unknown command 'sfi frob'" 'unknown verb' -- provisor sfi frob
expect 2 "'provisor sfi --help' lists its verbs" 'and a hint' -- provisor sfi frob
expect 2 'frob: unknown option' 'unknown option' -- provisor sfi pack --frob
expect 2 "see 'provisor sfi pack --help'" 'and where to look' -- provisor sfi pack --frob
expect 2 'argument is missing' 'missing argument' -- provisor sfi inspect
expect 2 "unexpected argument 'b'" 'too many arguments' -- provisor sfi inspect a b
expect 2 -- '--home without a value' -- provisor --home
expect 2 "'x' is not a number" 'bad descriptor for events' -- provisor --events x sfi inspect a

# Of an option that is given twice the last value counts (nothing leaks: the
# sanitizer build would say so).
expect 0 'virtual STM32F407' 'the last of two values counts' -- \
	provisor sim create "$T/twice" --chip stm32h563 --chip stm32f407

# Every verb has help with a usage line, options and an example.
for noun in $(provisor --list-words); do
	verbs=$(provisor --list-words "$noun")
	for verb in ${verbs:--}; do
		[ "$verb" = - ] && verb=
		# shellcheck disable=SC2086
		provisor "$noun" $verb --help >"$T/help"
		ok "help of $noun $verb" -- grep -q "^usage: provisor $noun" "$T/help"
		ok "help of $noun $verb has an example" -- \
			grep -A 1 '^example:' "$T/help"
	done
done

# A failure with --json is one object on stdout.
provisor --json sfi inspect "$T/missing" >"$T/json" 2>/dev/null
ok 'a failure is a JSON object' -- jq -e \
	'.result == "fail" and .code == 1 and (.message | test("missing"))' "$T/json"
ok 'and only one' -- sh -c "[ \$(wc -l <'$T/json') -eq 1 ]"

# Control bytes of a file name never reach the terminal.
expect 1 'opening .*\?\[31m' 'messages are masked' -- \
	provisor sfi inspect "$(printf '%s/\033[31mred' "$T")"

# Results that cannot be written are an error.
if [ -e /dev/full ]; then
	provisor --version >/dev/full 2>"$T/out"
	if [ $? -eq 1 ]; then pass "a full disk on stdout is exit 1"; else
		fail "a full disk on stdout is exit 1"; fi
fi
done_testing
