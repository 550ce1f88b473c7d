#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One campaign for a batch of packages: each has a nonce of its own, and a chip
# gets one license for one of them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
need jq xxd
token
PRODUCT=5000200A
G="$TOP/fixtures/golden/ssp"
campaign_key
ca ca
for i in 1 2 3; do
	chip "$T/c$i" ca
	cp "$T/chip.key" "$T/k$i"
done
KEY='pkcs11:token=oem;object=fw'

cat >"$T/s.json" <<'END'
{ "provisor_secrets": 1, "chip": "stm32mp15", "rma_unlock": 1, "rma_relock": 2,
  "fields": [ { "name": "key", "size": 16, "column": "key" } ] }
END
{
	echo name,key
	for i in 1 2 3; do
		echo "b$i,$(head -c 16 /dev/urandom | xxd -p)"
	done
} >"$T/d.csv"
expect 0 '3 packages' 'a batch sealed by the token' -- provisor ssp pack \
	--secrets "$T/s.json" --public-key "$G/key0.pem" --key "$KEY" \
	--batch "$T/d.csv" -d "$T/pk"

create() { # NAME FLOW OPTIONS...
	_name=$1 _flow=$2
	shift 2
	provisor campaign create "$_name" --token pkcs11:token=oem --flow "$_flow" \
		--product-id "$PRODUCT" --firmware-id sec-1 --max-licenses 3 \
		--key "$KEY" --trust "$T/ca.pem" "$@"
}
issue() { # CAMPAIGN CHIP PACKAGE OUTPUT
	provisor license issue --campaign "$1" --certificate "$T/c$2" \
		--nonce "$T/pk/b$3.ssp.nonce" -o "$T/$4"
}
spent() {
	provisor --json campaign show "$1" | jq -r .spent
}

expect 2 'nonce is missing|--nonce' 'a campaign needs one or the other' -- create x ssp
expect 2 'exclude each other' 'not both' -- create x ssp --nonce-per-package \
	--nonce "$T/pk/b1.ssp.nonce"
expect 2 'is for flow ssp' 'not with firmware' -- create x sfi --nonce-per-package
head -c 16 /dev/zero >"$T/zero"
expect 3 'holds zeros, which is no nonce' 'nor a nonce of zeros' -- create x ssp \
	--nonce "$T/zero"
expect 0 'operational' 'a campaign for the batch' -- create each ssp --nonce-per-package
expect 0 'nonce +each package has its own' 'show says it' -- provisor campaign show each
expect 0 '"nonce_per_package":true,"nonce":null' 'as JSON, too' -- \
	provisor --json campaign show each

expect 2 'nonce of its own, and none is given' 'a license needs the nonce' -- \
	provisor license issue --campaign each --certificate "$T/c1" -o "$T/x"
expect 3 'holds 12 bytes|12' 'of the right length' -- sh -c "head -c 12 $T/zero >$T/12;
	provisor license issue --campaign each --certificate $T/c1 --nonce $T/12 -o $T/x"
ok 'nothing spent' -- test "$(spent each)" = 0
for i in 1 2 3; do
	expect 0 "license no. $i of 3" "chip $i gets package $i" -- issue each $i $i l$i
	expect 0 "tag valid under the chip's key, nonce" "which its license opens" -- \
		provisor license verify "$T/l$i" --campaign each \
		--certificate "$T/c$i" --chip-key "$T/k$i"
done
expect 0 'nothing was spent' 'asked again for the same' -- issue each 1 1 again
same 'the same license' "$T/l1" "$T/again"
expect 5 'has license no. 1 of campaign .each. already, for a package with another' \
	'asked again for another' -- issue each 1 2 x
not_ok 'no license' -- test -e "$T/x"
ok 'three spent' -- test "$(spent each)" = 3

# --- the ledger
expect 0 'chain intact, signatures valid' 'the ledger verifies' -- \
	provisor ledger verify --campaign each
provisor ledger export --campaign each -o "$T/export" >/dev/null 2>&1
want=$({ printf 'provisor/package/v1' && cat "$T/pk/b2.ssp.nonce"; } | sha256sum |
	cut -d ' ' -f 1)
ok 'and says which package went to a chip' -- test "$(jq -r \
	'select(.kind == "issued" and .number == "2") | .package' "$T/export")" = "$want"
expect 0 'receipt' 'a receipt' -- provisor license receipt --campaign each \
	--certificate "$T/c2" -o "$T/receipt"

# --- one package for two chips: two licenses, and the audit says so
expect 0 '"packages_again":"0"' 'each package went to one chip' -- \
	provisor --json ledger verify --campaign each
expect 0 'operational' 'a further campaign' -- create twice ssp --nonce-per-package
expect 0 'license no. 1 of 3' 'a package for a chip' -- issue twice 1 1 t1
expect 0 'license no. 2 of 3' 'and for another one' -- issue twice 2 1 t2
expect 0 '1 licenses are for a package that another chip has' 'the audit tells' -- \
	provisor ledger verify --campaign twice
expect 0 '"packages_again":"1"' 'as JSON, too' -- \
	provisor --json ledger verify --campaign twice

# --- a campaign of one package is asked for that one
expect 0 'operational' 'a campaign of one package' -- create one ssp \
	--nonce "$T/pk/b1.ssp.nonce"
expect 4 "not the nonce of campaign 'one'" 'another package' -- issue one 1 2 x
ok 'nothing spent' -- test "$(spent one)" = 0
expect 0 'license no. 1 of 3' 'its own' -- issue one 1 1 one

done_testing
