#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A token of another process, through p11-kit's remoting: keys, a campaign,
# licenses. Then the connection drops at every call of 'license issue', on the
# way there and on the way back: exit 6, and no number is issued twice.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
need p11-kit perl
for m in /usr/lib/*/pkcs11/p11-kit-client.so /usr/lib/pkcs11/p11-kit-client.so; do
	[ -e "$m" ] && client=$m
done
[ -n "${client:-}" ] || need p11-kit-client.so
token
ca ca
nonce
softhsm=
for m in /usr/lib/softhsm/libsofthsm2.so /usr/lib/*/softhsm/libsofthsm2.so; do
	[ -e "$m" ] && softhsm=$m
done

serve() {
	rm -f "$T/server"
	p11-kit server -f -n "$T/server" --provider "$softhsm" \
		'pkcs11:token=oem' >"$T/server.out" 2>&1 </dev/null &
	server=$!
	PIDS="$PIDS $server"
	wait_for "$T/server"
}
serve
background perl "$TOP/tests/cli/relay.pl" "$T/relay" "$T/server" "$T/plan"
wait_for "$T/relay"
# From here on nobody but the server has the token.
unset SOFTHSM2_CONF
export PROVISOR_MODULE="$client" P11_KIT_SERVER_ADDRESS="unix:path=$T/relay"

expect 0 'new ec-p256 key in token oem' "a key is made over there" -- \
	provisor key generate --token pkcs11:token=oem --type ec-p256 --label k
expect 0 'k +ec-p256' "and listed" -- provisor key list
ok "its public half comes over" -- \
	provisor key export-public 'pkcs11:token=oem;object=k' -o "$T/k.pem"
expect 0 '' "and openssl reads it" -- openssl pkey -pubin -in "$T/k.pem" -noout
(umask 077 && echo 000000 >"$T/wrong")
expect 6 'CKR_PIN_INCORRECT' "a wrong PIN" -- \
	provisor key list --pin-file "$T/wrong"
expect 0 'resident licenses are not possible: the token does not offer' \
	"p11-kit passes on only some mechanisms, and key list says so" -- \
	provisor key list
head -c 16 /dev/urandom >"$T/fw.key"
provisor key generate --token pkcs11:token=oem --type aes-128 --label fw \
	>/dev/null 2>&1
expect 6 'p11-kit passes on' "a resident campaign is refused with a hint" -- \
	campaign res 3
expect 0 'profile ecies' "a campaign of profile ecies with a key file" -- \
	provisor campaign create spring --token pkcs11:token=oem --flow sfi \
	--product-id "$PRODUCT" --firmware-id app-7 --max-licenses 1000 \
	--license-profile ecies --key "$T/fw.key" --nonce "$T/nonce" \
	--trust "$T/ca.pem"

issue() { # CERT OUTPUT
	provisor --json license issue --campaign spring --certificate "$1" \
		-o "$2"
}
number() {
	sed -n 's/.*"number":"\([0-9]*\)".*/\1/p'
}
chip "$T/c0" ca
rm -f "$T/plan.count"
expect 0 '"number":"1"' "a license" -- issue "$T/c0" "$T/l0"
wait_for "$T/plan.count"
calls=$(cat "$T/plan.count")
echo "# $calls calls over the wire"
if [ "$calls" -ge 20 ]; then pass "calls are seen"; else fail "$calls calls"; fi

: >"$T/numbers"
drops=0
bad=0
for mode in before after; do
	n=0
	while [ $n -lt "$calls" ]; do
		n=$((n + 1))
		chip "$T/c" ca
		echo "$mode $n" >"$T/plan"
		issue "$T/c" "$T/l" >"$T/first" 2>&1 </dev/null
		code=$?
		rm -f "$T/plan"
		if [ $code -ne 0 ]; then drops=$((drops + 1)); fi
		if [ $code -ne 0 ] && [ $code -ne 6 ]; then
			bad=$((bad + 1))
			echo "# $mode $n: exit $code: $(head -n 1 "$T/first")"
		fi
		issue "$T/c" "$T/l" >"$T/again" 2>&1 </dev/null
		got=$(number <"$T/first")
		again=$(number <"$T/again")
		if [ -z "$again" ] || [ "${got:-$again}" != "$again" ]; then
			bad=$((bad + 1))
			echo "# $mode $n: ${got:-none}, then $(cat "$T/again")"
		fi
		echo "$again" >>"$T/numbers"
	done
done
echo "# $drops commands failed"
if [ "$bad" -eq 0 ]; then
	pass "each drop is exit 6, and the chip gets its license afterwards"
else
	fail "$bad points fail"
fi
if [ "$drops" -ge "$calls" ]; then
	pass "connections dropped"
else
	fail "$drops drops"
fi
sort "$T/numbers" | uniq -d >"$T/out"
if [ -s "$T/out" ]; then fail "a number twice"; else pass "no number twice"; fi
burnt=$(provisor --json ledger verify | sed -n 's/.*"burnt":"\([0-9]*\)".*/\1/p')
echo "# $burnt burnt"
if [ "${burnt:-9999}" -le "$drops" ]; then
	pass "at most one number burnt per drop"
else
	fail "$burnt burnt in $drops drops"
fi
expect 0 'chain intact, signatures valid, token anchor agrees' \
	"ledger and token agree" -- provisor ledger verify

# The server itself is gone, and comes back.
kill "$server"
wait "$server" 2>/dev/null
chip "$T/c" ca
expect 6 '' "no server" -- issue "$T/c" "$T/x"
not_ok "no license" -- test -e "$T/x"
export SOFTHSM2_CONF="$T/softhsm2.conf"
serve
unset SOFTHSM2_CONF
expect 0 '"repeated":false' "a new server of the same token" -- \
	issue "$T/c" "$T/x"
done_testing
