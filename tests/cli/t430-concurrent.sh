#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Eight processes ask for ten licenses each from a budget of fifty: fifty
# distinct numbers, thirty refusals with exit 5, a valid chain. And two that
# ask for the same chip at once get one license. With KIND=postgres on a
# PostgreSQL server that falls over and comes back in the middle.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
if [ "${KIND:-}" = postgres ]; then
	. "$(dirname "$0")/postgres.sh"
	postgres
fi
token
ca ca
campaign spring 50 >/dev/null 2>&1 || fail "campaign create"
for p in 1 2 3 4 5 6 7 8; do
	for i in 0 1 2 3 4 5 6 7 8 9; do chip "$T/c$p$i" ca; done
done

worker() {
	for i in 0 1 2 3 4 5 6 7 8 9; do
		# A command that finds no server is given again, as a
		# station does; everything else must come right at once.
		_try=0
		while :; do
			provisor --json license issue --campaign spring \
				--certificate "$T/c$1$i" -o "$T/l$1$i" \
				>"$T/o$1$i" 2>&1
			_x=$?
			_try=$((_try + 1))
			[ "$_x" -eq 1 ] || break
			[ -n "${KIND:-}" ] || break
			[ $_try -lt 50 ] || break
			sleep 0.1
		done
		echo "$_x" >"$T/x$1$i"
	done
}
pids=""
for p in 1 2 3 4 5 6 7 8; do
	worker $p &
	pids="$pids $!"
done
if [ "${KIND:-}" = postgres ]; then
	sleep 0.7
	ok "the server falls over" -- cluster restart
	sleep 0.5
	ok "and again" -- cluster restart
fi
for p in $pids; do wait "$p"; done

issued=$(cat "$T"/x?? | grep -cx 0)
refused=$(cat "$T"/x?? | grep -cx 5)
numbers=$(cat "$T"/o?? | sed -n 's/.*"number":"\([0-9]*\)".*/\1/p' |
	sort -n | uniq | wc -l)
cat "$T"/x?? | sort | uniq -c >"$T/out"; cat "$T"/o?? | grep -v number | sort | uniq -c >>"$T/out"
# A server that falls over may burn the one number that was under way, each
# time, and issues none twice (formats/ledger.md, section 9).
lost=0
if [ "${KIND:-}" = postgres ] && [ "$issued" -lt 50 ] && [ "$issued" -ge 48 ]; then
	lost=$((50 - issued))
fi
if [ "$issued" -eq $((50 - lost)) ]; then
	pass "50 issued, less what a fall of the server burnt"
else
	fail "$issued issued"
fi
if [ "$refused" -eq $((30 + lost)) ]; then
	pass "the others refused with exit 5"
else
	fail "$refused refused"
fi
if [ "$numbers" -eq "$issued" ]; then
	pass "distinct numbers"
else
	fail "$numbers distinct numbers"
fi
expect 0 "$issued of 50 licenses issued, $lost burnt" "the ledger verifies" -- \
	provisor ledger verify
expect 0 'entries, chain intact' "with all its entries" -- \
	provisor ledger verify

campaign summer 50 >/dev/null 2>&1
chip "$T/twin" ca
pids=""
for p in 1 2 3 4; do
	provisor license issue --campaign summer --certificate "$T/twin" \
		-o "$T/t$p" >"$T/to$p" 2>&1 &
	pids="$pids $!"
done
for p in $pids; do wait "$p"; done
same "one chip, asked for twice at once" "$T/t1" "$T/t2"
same "or thrice" "$T/t1" "$T/t3"
expect 0 '1 of 50 spent' "costs one" -- provisor campaign show summer
done_testing
