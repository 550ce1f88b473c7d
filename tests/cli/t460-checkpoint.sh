#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A checkpoint kept elsewhere notices ledger and token put back together; a
# receipt verifies with nothing but the campaign's public key.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token
ca ca
campaign spring 20 >/dev/null 2>&1 || fail "campaign create"
campaign summer 20 >/dev/null 2>&1 || fail "campaign create"
for i in 1 2 3 4 5; do chip "$T/c$i" ca; done
H=$PROVISOR_HOME

issue() {
	provisor license issue --campaign spring --certificate "$T/c$1" \
		-o "$T/l$1"
}
# Byte OFFSET of FILE changed.
flip() {
	perl -e 'my ($f, $o) = @ARGV; local $/; open F, "<", $f; my $d = <F>;
		substr($d, $o, 1) ^= "\x01"; open F, ">", $f; print F $d' "$@"
}

ok "license 1" -- issue 1
mkdir "$T/then"
cp -R "$T/tokens" "$T/then/tokens"
cp "$H"/ledger.db* "$T/then/"
ok "license 2" -- issue 2
expect 0 'entry 5, .*, 2 of 20 licenses spent, operational' \
	"a checkpoint" -- provisor --station audit ledger anchor \
	--campaign spring --export "$T/cp"
expect 0 '"seq":"5".*"station":"audit"' "as JSON" -- \
	provisor --json --station audit ledger anchor --campaign spring
ok "of the other campaign" -- provisor ledger anchor --campaign summer \
	--export "$T/cp-summer"
expect 0 'nothing up to entry 5 of campaign spring changed' \
	"nothing changed since" -- provisor ledger verify --since "$T/cp"
ok "license 3" -- issue 3
expect 0 'nothing up to entry 5' "nor after one more" -- \
	provisor ledger verify --since "$T/cp" --since "$T/cp-summer"
expect 0 '"since":\[\{"campaign":"spring"' "as JSON" -- \
	provisor --json ledger verify --since "$T/cp"
expect 0 'nothing up to entry 5' "without the token too" -- \
	provisor ledger verify --no-token --since "$T/cp"
expect 2 "of campaign 'summer', not of 'spring'" "the wrong campaign" -- \
	provisor ledger verify --campaign spring --since "$T/cp-summer"
cp "$T/cp" "$T/cp-bad"
flip "$T/cp-bad" 60
expect 4 'signature of the checkpoint' "a changed checkpoint" -- \
	provisor ledger verify --since "$T/cp-bad"
expect 3 "does not start with 'PVCK'" "a file that is none" -- \
	provisor ledger verify --since "$T/c1"
expect 1 'No such file' "a missing one" -- \
	provisor ledger verify --since "$T/none"
expect 2 '--campaign is needed' "of which campaign" -- \
	provisor ledger anchor --export "$T/x"

# --- receipts
ok "the public key" -- \
	provisor campaign show spring --export-key "$T/k.pem"
expect 0 'receipt of license no. 2' "a receipt by certificate" -- \
	provisor license receipt --campaign spring --certificate "$T/c2" \
	-o "$T/r2"
expect 0 'receipt of license no. 2' "by number" -- \
	provisor license receipt --campaign spring --number 2 -o "$T/r2n"
same "the same" "$T/r2" "$T/r2n"
expect 0 'signatures valid, issued to this chip' \
	"verifies offline, without home and token" -- \
	env -u SOFTHSM2_CONF provisor --home "$T/empty" license verify "$T/r2" \
	--campaign-key "$T/k.pem" --certificate "$T/c2"
expect 0 'license no. 2 of campaign spring, signatures valid$' \
	"with the key alone" -- \
	provisor license verify "$T/r2" --campaign-key "$T/k.pem"
expect 0 '"number":"2".*"chip":"' "as JSON" -- \
	provisor --json license verify "$T/r2" --campaign spring
expect 4 'another chip' "another chip" -- provisor license verify "$T/r2" \
	--campaign-key "$T/k.pem" --certificate "$T/c1"
expect 4 'definition of the receipt' "another key" -- \
	provisor license verify "$T/r2" --campaign-key "$T/ca.pem"
expect 4 '' "another campaign" -- \
	provisor license verify "$T/r2" --campaign summer
expect 0 'not verified here' "inspect" -- provisor license inspect "$T/r2"
cp "$T/r2" "$T/bad"
flip "$T/bad" 700
expect 4 'license entry|signature' "a changed receipt" -- \
	provisor license verify "$T/bad" --campaign-key "$T/k.pem"
expect 1 'issued no such license' "a chip without a license" -- \
	provisor license receipt --campaign spring --certificate "$T/c5" \
	-o "$T/x"
expect 1 'issued no such license' "a number not issued" -- \
	provisor license receipt --campaign spring --number 9 -o "$T/x"
expect 2 'one of --certificate and --number' "neither" -- \
	provisor license receipt --campaign spring -o "$T/x"
not_ok "and no file" -- test -e "$T/x"

# --- ledger and token put back together
rm -rf "$T/tokens" "$H"/ledger.db*
cp -R "$T/then/tokens" "$T/tokens"
cp "$T/then"/ledger.db* "$H/"
expect 0 'anchors agree' "both put back agree with each other" -- \
	provisor ledger verify
expect 5 'older than the checkpoint: it ends at entry 3' \
	"the checkpoint knows better" -- provisor ledger verify --since "$T/cp"
ok "and they go on" -- issue 4
ok "to the same length" -- issue 5
expect 0 'anchors agree' "still without a finding" -- provisor ledger verify
expect 5 'entry 5 is not the one of the checkpoint' \
	"which the checkpoint has" -- provisor ledger verify --since "$T/cp"
rm -f "$H"/ledger.db*
campaign autumn 3 >/dev/null 2>&1
expect 5 "lacks campaign 'spring'" "a ledger without the campaign" -- \
	provisor ledger verify --since "$T/cp"
done_testing
