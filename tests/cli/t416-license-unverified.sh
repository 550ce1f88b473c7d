#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Chips whose CA nobody knows, as with ST's: a campaign says once that it takes
# their word, each license says it again, and the ledger shows it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
need jq xxd
token
PRODUCT=5000200A
campaign_key
ca ca
ca other
head -c 16 /dev/urandom >"$T/nonce"
for i in 1 2 3; do
	chip "$T/c$i" other
	cp "$T/chip.key" "$T/k$i"
done
ACCEPT=--accept-unverified-certificate

create() { # NAME FLOW OPTIONS...
	_name=$1 _flow=$2
	shift 2
	provisor campaign create "$_name" --token pkcs11:token=oem --flow "$_flow" \
		--product-id "$PRODUCT" --firmware-id sec-1 --max-licenses 2 \
		--key 'pkcs11:token=oem;object=fw' --nonce "$T/nonce" "$@"
}
issue() { # CAMPAIGN CERT OUTPUT OPTIONS...
	_c=$1 _k=$2 _o=$3
	shift 3
	provisor license issue --campaign "$_c" --certificate "$_k" -o "$_o" "$@"
}
spent() { # CAMPAIGN
	provisor --json campaign show "$1" | jq -r .spent
}

# --- the campaign
expect 2 'trust is missing' 'no CA and no word about it' -- create open ssp
expect 2 'a campaign that knows a CA verifies' 'a CA and the option' -- \
	create open ssp --trust "$T/ca.pem" $ACCEPT
head -c 12 "$T/nonce" >"$T/nonce12"
expect 2 'is for flow ssp' 'the option in flow sfi' -- create open sfi \
	--nonce "$T/nonce12" $ACCEPT
expect 0 'NOT verified: whoever shows one gets a license' 'a campaign without a CA' -- \
	create open ssp $ACCEPT
expect 0 'trusted CA +none: chip certificates are NOT verified' 'show says it' -- \
	provisor campaign show open
expect 0 '"certificates_verified":false,"trust":\[\]' 'as JSON, too' -- \
	provisor --json campaign show open

# --- licenses
expect 4 "cannot be verified: campaign 'open' knows no CA" 'refused without a word' -- \
	issue open "$T/c1" "$T/l1"
expect 4 'no license was spent; --accept-unverified-certificate' 'and says what to do' -- \
	issue open "$T/c1" "$T/l1"
not_ok 'no license' -- test -e "$T/l1"
ok 'nothing spent' -- test "$(spent open)" = 0
expect 0 'license no. 1 of 2' 'issued with the word' -- \
	issue open "$T/c1" "$T/l1" $ACCEPT
expect 0 'certificate was NOT verified; the ledger says so' 'which is said' -- \
	issue open "$T/c1" "$T/again" $ACCEPT
same 'the same chip, the same license' "$T/l1" "$T/again"
ok 'spent once' -- test "$(spent open)" = 1
expect 0 '"certificate_verified":false' 'as JSON, too' -- \
	provisor --json license issue --campaign open --certificate "$T/c2" \
	-o "$T/l2" $ACCEPT
expect 0 "tag valid under the chip's key, nonce of the campaign" \
	'the license opens with the key of the chip' -- \
	provisor license verify "$T/l2" --campaign open --chip-key "$T/k2"
expect 4 'did not issue this license' 'the license of another chip' -- provisor \
	license verify "$T/l2" --campaign open --certificate "$T/c1"

expect 0 'security counter +02' 'inspect reads the product id' -- \
	provisor inspect "$T/c1"
expect 0 '"chip":"stm32mp15","security_counter":"02","st_key":"0A"' 'as JSON, too' -- \
	provisor --json inspect "$T/c1"
expect 0 "type +SSP\\. +profile 'ssp', static" 'inspect knows the license' -- \
	provisor inspect "$T/l1"
expect 0 '"format":"license","profile":"ssp"' 'as JSON, too' -- \
	provisor --json inspect "$T/l1"
expect 3 'reading license|none of the formats' 'and one cut short' -- sh -c \
	"head -c 135 $T/l1 >$T/short; provisor inspect $T/short"

# --- what is checked all the same
PRODUCT=5010200A chip "$T/mp13" other
expect 4 "for product '5010200A', campaign 'open' is for '5000200A'" \
	'a chip of another product' -- issue open "$T/mp13" "$T/x" $ACCEPT
{ head -c 8 "$T/c3" && head -c 64 /dev/zero && tail -c 64 "$T/c3"; } >"$T/zero"
expect 4 'not a point on P-256' 'a key that is none' -- \
	issue open "$T/zero" "$T/x" $ACCEPT
head -c 135 "$T/c3" >"$T/cut"
expect 3 '135 bytes' 'a certificate cut short' -- issue open "$T/cut" "$T/x" $ACCEPT
# Nothing proves the signature, so other bytes there are no other chip.
other_signature() { # CERT OUTPUT
	{ head -c 72 "$1" && head -c 64 /dev/urandom; } >"$2"
}
other_signature "$T/c1" "$T/c1b"
expect 0 'license no. 1 of 2.*already has' 'another signature, the same chip' -- \
	issue open "$T/c1b" "$T/l1b" $ACCEPT
same 'and the same license' "$T/l1" "$T/l1b"
# X, -Y gives the same X of ECDH: what is sealed for it the chip opens.
negated() { # CERT OUTPUT
	perl -MMath::BigInt -e '
		local $/; my $c = <STDIN>;
		my $p = Math::BigInt->from_hex("ffffffff00000001" . "0" x 24 .
		    "f" x 24);
		my $y = Math::BigInt->from_hex(unpack("H*", substr($c, 40, 32)));
		my $h = $p->bsub($y)->as_hex; $h =~ s/^0x//;
		print substr($c, 0, 40), pack("H*", "0" x (64 - length $h) . $h),
		    substr($c, 72);' <"$1" >"$2"
}
negated "$T/c1" "$T/c1n"
expect 0 'NOT verified|P-256' 'a point of the curve' -- provisor inspect "$T/c1n"
expect 0 'license no. 1 of 2.*already has' 'the negated key, the same chip' -- \
	issue open "$T/c1n" "$T/l1n" $ACCEPT
same 'and the same license' "$T/l1" "$T/l1n"
expect 0 '' 'a chip is denied' -- \
	provisor campaign deny open --certificate "$T/c2" --reason stolen
other_signature "$T/c2" "$T/c2b"
expect 5 'deny list' 'also under another signature' -- \
	issue open "$T/c2b" "$T/x" $ACCEPT
negated "$T/c2" "$T/c2n"
expect 5 'deny list' 'and with its key negated' -- issue open "$T/c2n" "$T/x" $ACCEPT
expect 0 'issued' 'a receipt by the other certificate' -- sh -c "provisor license \
	receipt --campaign open --certificate $T/c1b -o $T/rc && echo issued"
expect 0 'chip .*its certificate was NOT verified' 'which says what nobody checked' -- \
	provisor license verify "$T/rc" --campaign open
expect 0 '"certificate_verified":false' 'as JSON, too' -- \
	provisor --json license inspect "$T/rc"
expect 5 'used all 2' 'the limit holds' -- issue open "$T/c3" "$T/x" $ACCEPT
not_ok 'none of them left a license' -- test -e "$T/x"

# --- a campaign that knows a CA takes none on its word
create known ssp --trust "$T/ca.pem" >/dev/null 2>&1
expect 4 'not signed by a CA' 'the option changes nothing with a CA' -- \
	issue known "$T/c3" "$T/x" $ACCEPT
ok 'nothing spent' -- test "$(spent known)" = 0

# --- r, n - s is a second valid signature of the same certificate (SEC 1, 4.1.4)
chip "$T/c4" ca
perl -MMath::BigInt -e '
	local $/; my $c = <STDIN>;
	my $n = Math::BigInt->from_hex("ffffffff00000000ffffffffffffffff" .
	    "bce6faada7179e84f3b9cac2fc632551");
	my $s = Math::BigInt->from_hex(unpack("H*", substr($c, 104)));
	my $h = $n->bsub($s)->as_hex; $h =~ s/^0x//;
	print substr($c, 0, 104), pack("H*", "0" x (64 - length $h) . $h);
' <"$T/c4" >"$T/c4b"
not_ok 'the certificates differ' -- cmp -s "$T/c4" "$T/c4b"
expect 0 'license no. 1 of 2' 'a chip that is proved' -- issue known "$T/c4" "$T/l4"
expect 0 'license no. 1 of 2.*already has' 'under its other signature' -- \
	issue known "$T/c4b" "$T/l4b"
same 'the same license' "$T/l4" "$T/l4b"
expect 0 '' 'is denied' -- provisor campaign deny known --certificate "$T/c4b"
expect 5 'deny list' 'under both' -- issue known "$T/c4" "$T/x"
ok 'spent once' -- test "$(spent known)" = 1

# --- the ledger
expect 0 'chain intact, signatures valid' 'the ledger verifies' -- \
	provisor ledger verify --campaign open
provisor ledger export --campaign open -o "$T/export" >/dev/null 2>&1
ok 'the definition is in the export' -- test "$(jq -r \
	'select(.kind == "create") | .certificates_verified' "$T/export")" = false
ok 'and with each license' -- test "$(jq -r \
	'select(.kind == "issued") | .certificate_verified' "$T/export" |
	sort | uniq -c | tr -s ' ')" = ' 2 false'
expect 0 'chip certificates were NOT verified' 'the report says it' -- \
	provisor ledger report --html "$T/page.html"
ok 'the page, too' -- grep -q 'certificates were not verified' "$T/page.html"
expect 0 '"certificates_verified":false' 'as JSON, too' -- \
	provisor --json ledger report --campaign open
expect 0 '"certificates_verified":true' 'and of the other' -- \
	provisor --json ledger report --campaign known

# --- a draft stays what it was accepted for
expect 0 'draft' 'a draft without a CA' -- create draft ssp $ACCEPT --draft
expect 0 'revised' 'revised' -- provisor campaign revise draft --firmware-id sec-2
expect 0 'revised' 'a CA becomes known' -- \
	provisor campaign revise draft --trust "$T/ca.pem"
expect 0 '"certificates_verified":true' 'and counts' -- \
	provisor --json campaign show draft
expect 0 'opened' 'opened' -- provisor campaign open draft
expect 4 'not signed by a CA' 'and is asked' -- issue draft "$T/c3" "$T/x" $ACCEPT

done_testing
