# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Sourced after lib.sh by the tests of campaigns, licenses and the ledger:
# chips with certificates of a CA, made with openssl alone, and a campaign.
#
#   ca NAME                   $T/NAME.key and $T/NAME.pem
#   chip FILE CA [PRODUCT]    a certificate of a fresh chip, signed by CA
#   campaign NAME LIMIT [OPTIONS...]   in token oem, trusting CA 'ca'
#   campaign_key           the package key of these campaigns

need openssl perl

PRODUCT=48400001

ca() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-out "$T/$1.key" 2>/dev/null
	openssl pkey -in "$T/$1.key" -pubout -out "$T/$1.pem"
}

# The 64 bytes r, s of a DER ECDSA signature on stdin.
der_to_raw() {
	perl -e '
		local $/; my $d = <STDIN>; my $o = 2;
		for (1, 2) {
			my $n = unpack("C", substr($d, $o + 1, 1));
			my $v = substr($d, $o + 2, $n); $o += 2 + $n;
			$v =~ s/^\0+//;
			print "\0" x (32 - length $v), $v;
		}'
}

chip() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
		-out "$T/chip.key" 2>/dev/null
	{
		printf '%s' "${3:-$PRODUCT}"
		openssl pkey -in "$T/chip.key" -pubout -outform DER | tail -c 64
	} >"$1"
	openssl dgst -sha256 -sign "$T/$2.key" "$1" | der_to_raw >"$T/sig"
	cat "$T/sig" >>"$1"
}

nonce() {
	printf 'NONCE_TEST01' >"$T/nonce"
}

# The package key 'fw' in token oem.
campaign_key() {
	provisor key generate --token pkcs11:token=oem --type aes-128 \
		--label fw >/dev/null 2>&1 || fail "key generate"
}

# One campaign in token oem; the first makes nonce, CA and package key.
campaign() {
	_name=$1 _limit=$2
	shift 2
	[ -f "$T/ca.pem" ] || ca ca
	[ -f "$T/nonce" ] || { nonce && campaign_key; }
	provisor campaign create "$_name" --token pkcs11:token=oem --flow sfi \
		--product-id "$PRODUCT" --firmware-id app-7 \
		--max-licenses "$_limit" --key 'pkcs11:token=oem;object=fw' \
		--nonce "$T/nonce" --trust "$T/ca.pem" "$@"
}
