#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 'license issue' killed at every call that changes a file, one after the
# other, then asked again: no number is issued twice, none past the limit, at
# most one is burnt per kill, and ledger and token agree afterwards. Between two
# such calls nothing durable happens, so these are all the states that a kill
# at any call can leave; KILL_ALL=1 ('make heavy') kills at any call all the same.
# With HOW=error=EIO the call fails instead, and the command must say so.
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
campaign spring ${KILL_ALL:+2}400 >/dev/null 2>&1 || fail "campaign create"

CALLS=write,writev,pwrite64,pwritev,fsync,fdatasync,ftruncate,fallocate
CALLS=$CALLS,rename,renameat,renameat2,unlink,unlinkat,link,linkat,mkdir
CALLS=$CALLS,fchmod,fchown,openat,flock
[ -z "${KIND:-}" ] || CALLS=$CALLS,sendto,recvfrom
[ -z "${KILL_ALL:-}" ] || CALLS=all

issue() { # FILE-OF-CHIP, OUTPUT, [CAMPAIGN]
	provisor --json license issue --campaign "${3:-spring}" \
		--certificate "$1" -o "$2" 2>&1
}
: "${HOW:=signal=KILL}"
killed_at() { # CALL, WHICH, CHIP, OUTPUT, CAMPAIGN
	# The leak checker of a sanitizer build cannot be traced.
	ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 strace -f -o /dev/null -e trace="$1" \
		-e inject="$1:$HOW:when=$2" \
		provisor --json license issue --campaign "$5" \
		--certificate "$3" -o "$4" </dev/null
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
awk -v all="${KILL_ALL:-}" '{
	if (!match($0, /[a-z0-9]+\(/)) next
	name = substr($0, RSTART, RLENGTH - 1)
	seen[name]++
	# Of these only the ones that make or empty a file.
	if (name == "openat" && !all && !/O_CREAT|O_TRUNC/) next
	if ($0 ~ /token\.object/) { n = 0; next }
	points[++n] = name " " seen[name]
} END { for (i = 1; i <= n; i++) print points[i] }' "$T/count" >"$T/points"
total=$(wc -l <"$T/points")
echo "# $total calls"
if [ "$total" -ge 20 ]; then pass "calls are seen"; else fail "$total calls"; fi

n=0
kills=0
bad=0
last=1 # that of c0
: >"$T/numbers"
while read -r name when; do
	n=$((n + 1))
	chip "$T/c$n" ca
	killed_at "$name" "$when" "$T/c$n" "$T/l$n" spring >"$T/first" 2>&1
	code=$?
	[ $code -eq 0 ] || kills=$((kills + 1))
	if [ "$HOW" != signal=KILL ]; then
		case $code in
		0) [ -s "$T/l$n" ] ;;
		1 | 6) grep -q '^provisor license issue: ' "$T/first" ;;
		*) false ;;
		esac || {
			bad=$((bad + 1))
			echo "# $name $when fails: exit $code," \
				"$(head -n 1 "$T/first")"
		}
	fi
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
	# One number for the license, and at most one more that is burnt.
	if [ -n "$again" ]; then
		[ "$again" -le $((last + 2)) ] || {
			bad=$((bad + 1))
			echo "# killed at $name $when: from no. $last to $again"
		}
		last=$again
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

# --- at the limit: a small budget, killed until it is used up
campaign edge 5 >/dev/null 2>&1 || fail "campaign edge"
: >"$T/edge"
n=0
tail -n 30 "$T/points" >"$T/some"
while read -r name when && [ $n -lt 12 ]; do
	n=$((n + 1))
	killed_at "$name" "$when" "$T/c$n" "$T/e$n" edge >"$T/first" 2>&1
	issue "$T/c$n" "$T/e$n" edge >"$T/again" </dev/null
	echo "$? $(number <"$T/again")" >>"$T/edge"
done <"$T/some"
sed 's/^/# /' "$T/edge"
expect 0 '' "no other answers than a license and 'used up'" -- \
	sh -c "! grep -Evq '^(0 [1-5]|5 )\$' '$T/edge'"
expect 0 '^5 $' "and the budget was used up" -- cat "$T/edge"
sed -n 's/^0 //p' "$T/edge" | sort | uniq -d >"$T/out"
if [ -s "$T/out" ]; then fail "a number twice"; else pass "none twice"; fi
expect 0 'edge: [1-5] of 5 licenses issued' "nothing past the limit" -- \
	provisor ledger verify
expect 0 '5 of 5 spent, 0 left' "all five" -- provisor campaign show edge
done_testing
