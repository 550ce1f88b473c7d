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
if [ "${KIND:-}" = postgres ]; then
	. "$(dirname "$0")/postgres.sh"
	postgres
fi
need strace
token
ca ca
campaign spring 400 >/dev/null 2>&1 || fail "campaign create"

CALLS=write,pwrite64,fsync,fdatasync,ftruncate,rename,unlink
[ -z "${KIND:-}" ] || CALLS=$CALLS,sendto,recvfrom

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
# One line for each call after the login: its name, and which of that name it
# is, since strace counts each kind of call by itself.
awk '{
	if (!match($0, /[a-z0-9]+\(/)) next
	name = substr($0, RSTART, RLENGTH - 1)
	seen[name]++
	if ($0 ~ /token\.object/) { n = 0; next }
	points[++n] = name " " seen[name]
} END { for (i = 1; i <= n; i++) print points[i] }' "$T/count" >"$T/points"
total=$(wc -l <"$T/points")
echo "# $total calls that change files"
if [ "$total" -ge 20 ]; then pass "calls are seen"; else fail "$total calls"; fi

n=0
kills=0
bad=0
: >"$T/numbers"
while read -r name when; do
	n=$((n + 1))
	chip "$T/c$n" ca
	strace -f -o /dev/null -e trace="$name" \
		-e inject="$name:signal=KILL:when=$when" \
		provisor --json license issue --campaign spring \
		--certificate "$T/c$n" -o "$T/l$n" >"$T/first" 2>&1 </dev/null ||
		kills=$((kills + 1))
	issue "$T/c$n" "$T/l$n" >"$T/again" </dev/null
	if ! grep -q '"number"' "$T/again"; then
		bad=$((bad + 1))
		echo "# after a kill at $name $when: $(head -n 1 "$T/again")"
	fi
	# A license that got out before the kill is the one given again.
	got=$(number <"$T/first")
	again=$(number <"$T/again")
	if [ -n "$got" ] && [ "$got" != "$again" ]; then
		bad=$((bad + 1))
		echo "# killed at $name $when: number $got, then $again"
	fi
	echo "$again" >>"$T/numbers"
done <"$T/points"
echo "# $kills kills"
if [ "$bad" -eq 0 ]; then
	pass "every chip gets its license after the kill"
else
	fail "$bad points fail"
fi
if [ "$kills" -ge $((total / 2)) ]; then
	pass "kills happened"
else
	fail "$kills kills"
fi
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
