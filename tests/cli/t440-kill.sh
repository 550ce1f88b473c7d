#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 'license issue' killed at every call that changes a file, one after the
# other, then asked again: no number is issued twice, none past the limit, at
# most one is burnt per kill, and ledger and token agree afterwards.
#
# The kills begin after the login. SoftHSM rewrites its own token.object in
# place at every login, and a process that dies within that write takes the
# whole token with it, whatever this program does (provisor-campaign(1), BUGS).
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
need strace
token
ca ca
campaign spring 400 >/dev/null 2>&1 || fail "campaign create"

CALLS=write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink,close

issue() { # FILE-OF-CHIP, OUTPUT
	provisor --json license issue --campaign spring --certificate "$1" \
		-o "$2" 2>&1
}
number() {
	sed -n 's/.*"number":"\([0-9]*\)".*/\1/p'
}
burnt() {
	provisor --json ledger verify |
		sed -n 's/.*"burnt":"\([0-9]*\)".*/\1/p'
}

# May this process be traced at all?
strace -f -o "$T/count" -e trace=$CALLS true 2>/dev/null || {
	echo "1..0 # SKIP strace cannot trace here"
	exit 0
}
chip "$T/c0" ca
strace -f -y -o "$T/count" -e trace=$CALLS provisor --json license issue \
	--campaign spring --certificate "$T/c0" -o "$T/l0" >/dev/null 2>&1
total=$(grep -c '(' "$T/count")
login=$(grep '(' "$T/count" | grep -n 'token\.object' | tail -n 1 | cut -d: -f1)
echo "# $total calls that change or close files, login done at ${login:=0}"
if [ "$((total - login))" -ge 20 ]; then
	pass "calls are seen"
else
	fail "$((total - login)) calls"
fi

# All of them in a long run (PV_SLOW=1), every other one otherwise.
step=2
[ -n "${PV_SLOW:-}" ] && step=1
n=$((login + 1))
kills=0
bad=0
: >"$T/numbers"
while [ "$n" -le "$total" ]; do
	chip "$T/c$n" ca
	strace -f -o /dev/null -e trace=$CALLS \
		-e inject=$CALLS:signal=KILL:when="$n" \
		provisor --json license issue --campaign spring \
		--certificate "$T/c$n" -o "$T/l$n" >"$T/first" 2>&1
	[ $? -ne 0 ] && kills=$((kills + 1))
	issue "$T/c$n" "$T/l$n" >"$T/again"
	if ! grep -q '"number"' "$T/again"; then
		bad=$((bad + 1))
		echo "# after a kill at call $n: $(head -n 1 "$T/again")"
	fi
	# A license that got out before the kill is the one given again.
	got=$(number <"$T/first")
	again=$(number <"$T/again")
	if [ -n "$got" ] && [ "$got" != "$again" ]; then
		bad=$((bad + 1))
		echo "# killed at call $n: number $got, then $again"
	fi
	echo "$again" >>"$T/numbers"
	n=$((n + step))
done
echo "# $kills kills"
if [ "$bad" -eq 0 ]; then
	pass "every chip gets its license after the kill"
else
	fail "$bad points fail"
fi
if [ "$kills" -ge 8 ]; then pass "kills happened"; else fail "$kills kills"; fi
sort "$T/numbers" | uniq -d >"$T/out"
if [ -s "$T/out" ]; then fail "a number twice"; else pass "no number twice"; fi
b=$(burnt)
echo "# $b burnt"
if [ "${b:-999}" -le "$kills" ]; then
	pass "at most one number burnt per kill"
else
	fail "$b burnt in $kills kills"
fi
expect 0 'chain intact, signatures valid, token anchor agrees' \
	"ledger and token agree" -- provisor ledger verify
done_testing
