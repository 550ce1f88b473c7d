#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Licenses of profiles ecies and ssp: counted like the others, explained,
# found in the ledger, opened with the chip's key; the key that leaves the
# token is said aloud, and refused by --require-resident.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token
ca ca
campaign res 1 >/dev/null 2>&1 || fail "campaign create"
for i in 1 2 3; do
	chip "$T/c$i" ca
	cp "$T/chip.key" "$T/k$i"
done
head -c 16 /dev/urandom >"$T/nonce16"
head -c 16 /dev/urandom >"$T/file.key"

issue() { # CAMPAIGN CERT OUTPUT...
	_c=$1 _k=$2 _o=$3
	shift 3
	provisor license issue --campaign "$_c" --certificate "$_k" -o "$_o" "$@"
}
ssp() { # NAME OPTIONS...
	_name=$1
	shift
	provisor campaign create "$_name" --token pkcs11:token=oem --flow ssp \
		--product-id "$PRODUCT" --firmware-id sec-1 --max-licenses 2 \
		--nonce "$T/${NONCE:-nonce16}" --trust "$T/ca.pem" "$@"
}

# --- ecies, with the package key of the token
expect 5 "needs the package key in this machine's memory" \
	"--require-resident refuses the profile" -- \
	campaign e1 2 --license-profile ecies --require-resident
expect 1 "no campaign 'e1'" "and there is no such campaign" -- \
	provisor campaign show e1
expect 0 "comes into this machine's memory, locked and wiped" \
	"a campaign of profile ecies says where the key goes" -- \
	campaign e1 2 --license-profile ecies
expect 0 'kdf=x963-sha256.*iv_half=high.*not verified on silicon' \
	"campaign show tells every field" -- provisor campaign show e1
expect 0 'license no. 1 of 2 \(1 left\)' "a license" -- \
	issue e1 "$T/c1" "$T/l1"
expect 0 "comes into this machine's memory" "issuing says it as well" -- \
	issue e1 "$T/c1" "$T/again"
same "asked again: the same bytes" "$T/l1" "$T/again"
expect 5 'require-resident refuses' "issue --require-resident" -- \
	issue e1 "$T/c2" "$T/x" --require-resident
not_ok "makes no file" -- test -e "$T/x"
expect 0 '1 of 2 spent' "and spends nothing" -- provisor campaign show e1
expect 0 '^136 ' "136 bytes" -- wc -c "$T/l1"
expect 0 "type +SFI\. +profile 'ecies'" "inspect explains" -- \
	provisor license inspect "$T/l1"
expect 0 'not accepted by ST silicon' "with its label" -- \
	provisor license inspect "$T/l1"
expect 0 '"profile":"ecies".*"tag":"[0-9a-f]{32}".*"accepted_by_st_silicon":false' \
	"inspect as JSON" -- provisor --json license inspect "$T/l1"
expect 0 'no. 1, issued to this chip by the ledger' "verify by the ledger" -- \
	provisor license verify "$T/l1" --campaign e1 --certificate "$T/c1"
expect 0 "tag valid under the chip's key, nonce of the campaign" \
	"verify with the chip's key" -- \
	provisor license verify "$T/l1" --campaign e1 --chip-key "$T/k1"
expect 0 "tag valid under the chip's key$" "without a ledger" -- \
	provisor --home "$T/empty" license verify "$T/l1" --chip-key "$T/k1"
expect 4 'tag differs' "another chip's key" -- \
	provisor license verify "$T/l1" --chip-key "$T/k2"
expect 4 'tag differs' "another profile" -- provisor license verify \
	"$T/l1" --chip-key "$T/k1" --license-profile ecies:gcm_iv_len=12
expect 4 'not the key of the certificate' "key and certificate apart" -- \
	provisor license verify "$T/l1" --certificate "$T/c2" \
	--chip-key "$T/k1"
expect 4 'did not issue this license' "another chip's certificate" -- \
	provisor license verify "$T/l1" --campaign e1 --certificate "$T/c2"
expect 2 'carries no signature' "verify needs something to verify with" -- \
	provisor license verify "$T/l1" --campaign e1
issue e1 "$T/c2" "$T/l2" >/dev/null 2>&1
expect 5 'used all 2' "the limit holds" -- issue e1 "$T/c3" "$T/l3"
expect 0 '5 entries, chain intact, signatures valid, token anchor agrees' \
	"the ledger verifies" -- provisor ledger verify --campaign e1

# The key that came out of the token is the one that encrypts packages there:
# a sealer in the token and the bytes in the license agree.
if python3 -c 'import cryptography' 2>/dev/null; then
	python3 - "$T/l1" "$T/k1" >"$T/aes" <<'END'
import hashlib, sys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
l = open(sys.argv[1], "rb").read()
k = serialization.load_pem_private_key(open(sys.argv[2], "rb").read(), None)
p = ec.EllipticCurvePublicKey.from_encoded_point(
    ec.SECP256R1(), b"\4" + l[24:88])
z = k.exchange(ec.ECDH(), p)
d = [hashlib.sha256(z + bytes([0, 0, 0, i])).digest() for i in (1, 2)]
plain = AESGCM(d[0][:16]).decrypt(d[0][16:], l[88:], l[:88] + d[1])
assert plain[:16] == b"NONCE_TEST01" + bytes(4)
sys.stdout.buffer.write(plain[16:])
END
	echo "some firmware" >"$T/fw.bin"
	provisor sfi pack --chip stm32h563 --firmware "$T/fw.bin@0x08000000" \
		--key 'pkcs11:token=oem;object=fw' --image-version 1 \
		-o "$T/p.sfi" >/dev/null 2>&1
	expect 0 '' "the license's key opens a package of the token's key" -- \
		provisor sfi verify "$T/p.sfi" --key "$T/aes" \
		--nonce "$T/p.sfi.nonce"
fi

# --- ssp, with a key file, and fields that are not the default
expect 2 "does not serve the flow 'ssp'" "resident does not serve ssp" -- \
	ssp s0 --key 'pkcs11:token=oem;object=fw' --license-profile resident
NONCE=nonce
expect 3 '12 bytes, 16 are needed' "a short nonce" -- \
	ssp s0 --key "$T/file.key"
NONCE=nonce16
expect 2 "no field 'iv'" "an unknown field" -- \
	ssp s0 --key "$T/file.key" --license-profile ssp:iv=12
expect 2 'same half' "halves that are one" -- \
	ssp s0 --key "$T/file.key" --license-profile ssp:key_half=high
expect 3 '12 bytes, 16 are needed|holds 12 bytes' "a short key file" -- \
	ssp s0 --key "$T/nonce"
expect 0 "memory, locked and wiped.*: it is in a file" "a key file" -- \
	ssp s1 --key "$T/file.key" \
	--license-profile ssp:gcm_iv_len=12,fsbl_min_version=3
expect 0 'license no. 1 of 2' "a license of profile ssp" -- \
	issue s1 "$T/c1" "$T/s1"
expect 0 'min version +3 ' "inspect has the least version" -- \
	provisor license inspect "$T/s1"
expect 0 "layout as ST's SSP.*not verified on silicon" "and its label" -- \
	provisor license inspect "$T/s1"
expect 0 'issued to this chip by the ledger, tag valid.*nonce of the campaign' \
	"verified both ways" -- provisor license verify "$T/s1" \
	--campaign s1 --certificate "$T/c1" --chip-key "$T/k1"
expect 4 "is of profile 'ecies', not 'ssp" "licenses do not mix" -- \
	provisor license verify "$T/l1" --chip-key "$T/k1" \
	--license-profile ssp
expect 4 "not of the profile" "nor campaigns" -- provisor license verify \
	"$T/l1" --campaign s1 --chip-key "$T/k1"
rm "$T/file.key"
expect 1 'No such file' "the key file is gone" -- issue s1 "$T/c2" "$T/x"
expect 0 '1 of 2 spent' "and nothing was spent" -- provisor campaign show s1

# --- what the token can do
expect 0 'resident licenses keep the key inside' "key list on resident" -- \
	provisor key list --token pkcs11:token=oem
expect 0 'made on the host, key in memory: the token does not offer CKM_' \
	"key list on ssp and ecies" -- provisor key list
expect 0 '"profile":"ecies","in_token":false,"why_not":"the token' \
	"campaign show --with-token as JSON" -- \
	provisor --json campaign show e1 --with-token
expect 0 '"resident","in_token":true,"why_not":null' "and resident" -- \
	provisor --json campaign show e1 --with-token

while read -r name code pattern; do
	expect "$code" "$pattern" "corrupt license: $name" -- \
		provisor license verify --chip-key "$T/k1" \
		"$TOP/fixtures/corrupt/license-ssp/$name.bin"
done <<'END'
cut 3 135 bytes
trailing 3 137 bytes
session 3 not live
session-static 3 not live
version 3 version 2
min-version 3 0x0c..0x0f
reserved 3 0x10..0x17
point 4 not a point on P-256
tag 4 tag differs
END
done_testing
