#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Three licenses and not one more. Bad certificates spend nothing; a chip that
# asks again gets the same bytes; licenses are explained and verified.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token
ca ca
ca other
campaign spring 3 >/dev/null 2>&1 || fail "campaign create"
for i in 1 2 3 4; do chip "$T/c$i" ca; done

issue() {
	provisor license issue --campaign spring --certificate "$1" -o "$2"
}

# --- nothing is spent on these
chip "$T/foreign" other
expect 4 'not signed by a CA' "a certificate of another CA" -- \
	issue "$T/foreign" "$T/x"
expect 4 'no license was spent' "says that nothing was spent" -- \
	issue "$T/foreign" "$T/x"
chip "$T/product" ca 49200001
expect 4 "for product '49200001'" "a certificate of another product" -- \
	issue "$T/product" "$T/x"
head -c 135 "$T/c1" >"$T/short"
expect 3 '135 bytes' "a short certificate" -- issue "$T/short" "$T/x"
{ cat "$T/c1"; printf x; } >"$T/long"
expect 3 '137 bytes' "a certificate with a trailing byte" -- \
	issue "$T/long" "$T/x"
# One changed byte in product id, key, r and s.
for off in 3 20 60 80 130; do
	perl -e '
		my ($in, $out, $off) = @ARGV; local $/;
		open F, "<", $in; my $d = <F>; close F;
		substr($d, $off, 1) ^= "\x01";
		open F, ">", $out; print F $d; close F' \
		"$T/c1" "$T/flip" "$off"
	expect 4 'product|public key|not signed' "byte $off changed" -- \
		issue "$T/flip" "$T/x"
done
for f in point-off-curve point-zero point-secp256k1 point-brainpool \
	point-past-field; do
	expect 4 'public key of the chip certificate' "$f" -- \
		issue "$TOP/fixtures/corrupt/certificate/$f.bin" "$T/x"
done
for f in r-zero s-zero r-order s-order; do
	expect 4 'not signed by a CA' "$f" -- \
		issue "$TOP/fixtures/corrupt/certificate/$f.bin" "$T/x"
done
expect 3 'product id' "an unprintable product id" -- \
	issue "$TOP/fixtures/corrupt/certificate/product-id.bin" "$T/x"
expect 1 'missing|No such file' "no certificate file" -- issue "$T/none" "$T/x"
expect 1 "no campaign 'autumn'" "an unknown campaign" -- \
	provisor license issue --campaign autumn --certificate "$T/c1" -o "$T/x"
not_ok "no license file came of these" -- test -e "$T/x"
expect 0 '0 of 3 spent' "and the counter is where it was" -- \
	provisor campaign show spring

# --- three licenses
for i in 1 2 3; do
	expect 0 "license no. $i of 3 \\($((3 - i)) left\\)" "license $i" -- \
		issue "$T/c$i" "$T/l$i"
done
expect 0 'not accepted by ST silicon' "an asked-again license has its label" -- \
	issue "$T/c1" "$T/again"
same "and the same bytes" "$T/l1" "$T/again"
expect 5 "has used all 3 licenses" "the fourth chip is refused" -- \
	issue "$T/c4" "$T/l4"
not_ok "without a file" -- test -e "$T/l4"
expect 0 'no. 2 of 3 \(0 left\), the one this chip already has' \
	"the second still gets its own" -- issue "$T/c2" "$T/again"
expect 0 '"repeated":true' "in JSON too" -- \
	provisor --json license issue --campaign spring \
	--certificate "$T/c3" -o "$T/again"
same "the third likewise" "$T/l3" "$T/again"
expect 0 '212' "212 bytes" -- wc -c "$T/l1"
expect 0 '7 entries, chain intact, signatures valid, token anchor agrees' \
	"the ledger verifies" -- provisor ledger verify

# --- a place that cannot be written: the license is not lost
expect 1 'in the ledger, but not saved' "an output folder that is missing" -- \
	issue "$T/c1" "$T/none/l1"

# --- inspect, verify
expect 0 "number +1 " "inspect explains the number" -- \
	provisor license inspect "$T/l1"
expect 0 "campaign 'spring'" "and names the campaign" -- \
	provisor license inspect "$T/l1"
expect 0 '"number":"1".*"wrapped_length":24' "inspect as JSON" -- \
	provisor --json license inspect "$T/l1"
expect 0 'signature valid, issued to this chip' "verify with the ledger" -- \
	provisor license verify "$T/l1" --campaign spring \
	--certificate "$T/c1"
expect 4 'did not issue this license to this chip' "another chip" -- \
	provisor license verify "$T/l1" --campaign spring \
	--certificate "$T/c2"
ok "the public key comes out" -- \
	provisor campaign show spring --export-key "$T/k.pem"
expect 0 'signature valid' "verify with the key alone, without a home" -- \
	provisor --home "$T/empty" license verify "$T/l1" \
	--campaign-key "$T/k.pem"
expect 4 'signature of the license' "under another key" -- \
	provisor license verify "$T/l1" --campaign-key "$T/other.pem"
expect 2 'one of --campaign and --campaign-key' "verify needs a key" -- \
	provisor license verify "$T/l1"
campaign summer 1 >/dev/null 2>&1
expect 4 'belongs to another campaign' "under another campaign" -- \
	provisor license verify "$T/l1" --campaign summer

while read -r name pattern; do
	expect 3 "$pattern" "corrupt license: $name" -- provisor license \
		inspect "$TOP/fixtures/corrupt/license/$name.bin"
done <<'END'
empty does not start with 'PVLR'
magic does not start with 'PVLR'
version version 2
flags flags 0x0001
number-zero number 0
product-id product id
zero-bytes bytes 0x74..0x77
wrapped-length wrapped key of 25 bytes
wrapped-length-file fields need 228
header-cut the header alone has 124
signature-cut fields need 212
trailing fields need 212
END
expect 3 '' "a file far too long" -- provisor license inspect /bin/sh
done_testing
