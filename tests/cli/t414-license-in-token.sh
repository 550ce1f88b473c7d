#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Licenses of profiles ecies and ssp made inside a token that has the
# mechanisms: the package key never leaves it, --require-resident is content,
# the chip's key opens them. And what is said about tokens that cannot.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/campaign.sh"
token
MODULE="$BUILD/tests/preload/p11ecies.so"
[ -f "$MODULE" ] || fail "$MODULE is not built"
export PROVISOR_MODULE="$MODULE"
ca ca
nonce
head -c 16 /dev/urandom >"$T/nonce16"

plain() { # COMMAND...: with SoftHSM2 as it is
	(unset PROVISOR_MODULE && "$@")
}

# A key that SoftHSM2 itself made may not derive: it lacks what that is for.
plain provisor key generate --token pkcs11:token=oem \
	--type aes-128 --label old >/dev/null 2>&1 || fail "key generate"
campaign_key
for i in 1 2 3 4; do
	chip "$T/c$i" ca
	cp "$T/chip.key" "$T/k$i"
done
issue() { # CAMPAIGN CERT OUTPUT...
	_c=$1 _k=$2 _o=$3
	shift 3
	provisor license issue --campaign "$_c" --certificate "$_k" -o "$_o" "$@"
}
ssp() { # NAME OPTIONS...
	_name=$1
	shift
	provisor campaign create "$_name" --token pkcs11:token=oem --flow ssp \
		--product-id "$PRODUCT" --firmware-id sec-1 --max-licenses 4 \
		--key 'pkcs11:token=oem;object=fw' --nonce "$T/nonce16" \
		--trust "$T/ca.pem" "$@"
}

expect 0 'ssp and ecies licenses keep the key inside as well' "key list" -- \
	provisor key list --token pkcs11:token=oem
expect 0 'not for ssp and ecies licenses inside the token: it may not derive' \
	"and by key" -- provisor key list
expect 0 'can serve ssp and ecies licenses inside' "the new one can" -- \
	provisor key list
expect 0 '"label":"fw".*"ecies_why_not":null.*"label":"old".*"ecies_why_not":"it may not derive' \
	"key list as JSON, by key" -- provisor --json key list
expect 0 '"profile":"ssp","in_token":true,"why_not":null' "and by profile" -- \
	provisor --json key list

P11ECIES_LOG="$T/log"
export P11ECIES_LOG
expect 0 'campaign e1: 4 licenses, profile ecies \(key stays in the token\)' \
	"ecies with --require-resident" -- \
	campaign e1 4 --license-profile ecies --require-resident
expect 0 'license no. 1 of 4' "a license" -- \
	issue e1 "$T/c1" "$T/l1" --require-resident
not_ok "no word of a key in memory" -- grep -q "machine's memory" "$T/out"
expect 0 '"key_resident":true' "the JSON says so" -- \
	provisor --json license issue --campaign e1 --certificate "$T/c2" \
	-o "$T/l2"
expect 0 "tag valid under the chip's key, nonce of the campaign" \
	"the chip's key opens it" -- \
	provisor license verify "$T/l1" --campaign e1 --chip-key "$T/k1"
expect 4 'tag differs' "another chip's does not" -- \
	provisor license verify "$T/l1" --campaign e1 --chip-key "$T/k2"
not_ok "no key was wrapped but with AES-GCM" -- grep -q '^wrap ' "$T/log"
not_ok "no value of a token's key was read" -- \
	grep -q 'value-of-a-token' "$T/log"
not_ok "only IV and additional data came out" -- \
	grep -Evq '^(wrap-gcm 64|value-of-a-part (16|32))$' "$T/log"
expect 0 '' "and they did" -- grep -q 'value-of-a-part 32' "$T/log"

# --- ssp, in every field that touches the token
n=0
for fields in '' :shared_info=ephemeral :key_half=high,iv_half=low \
	:gcm_iv_len=12,fsbl_min_version=7 \
	:shared_info=ephemeral,key_half=high,iv_half=low,gcm_iv_len=12; do
	n=$((n + 1))
	ssp "s$n" --license-profile "ssp$fields" --require-resident \
		>"$T/out" 2>&1 || fail "campaign of profile ssp$fields"
	issue "s$n" "$T/c1" "$T/s$n" >/dev/null 2>&1
	expect 0 "issued to this chip by the ledger, tag valid.*nonce of the campaign" \
		"ssp$fields" -- provisor license verify "$T/s$n" \
		--campaign "s$n" --certificate "$T/c1" --chip-key "$T/k1"
done

# --- the same key through a host that lacks the mechanisms: one content
expect 0 "memory, locked and wiped.*CKM_EXTRACT_KEY_FROM_KEY" \
	"SoftHSM2 alone makes the next one on the host" -- \
	plain provisor license issue --campaign e1 \
	--certificate "$T/c3" -o "$T/l3"
if python3 -c 'import cryptography' 2>/dev/null; then
	cat >"$T/open.py" <<'END'
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
sys.stdout.buffer.write(
    AESGCM(d[0][:16]).decrypt(d[0][16:], l[88:], l[:88] + d[1]))
END
	python3 "$T/open.py" "$T/l1" "$T/k1" >"$T/p1"
	python3 "$T/open.py" "$T/l3" "$T/k3" >"$T/p3"
	same "token and host seal the same IV and key" "$T/p1" "$T/p3"
	expect 0 '^32 ' "32 bytes" -- wc -c "$T/p1"
fi

# --- tokens that cannot, each with its reason
refused() { # MODE PATTERN
	P11ECIES_MODE=$1
	export P11ECIES_MODE
	expect 5 "machine's memory: .*$2" "$1: --require-resident" -- \
		issue e1 "$T/c4" "$T/x" --require-resident
	expect 0 "key in memory: .*$2" "$1: key list says why" -- \
		provisor key list
	unset P11ECIES_MODE
}
refused nokdf 'CKD_SHA256_KDF.*CKR_MECHANISM_PARAM_INVALID'
refused nowrap 'CKM_AES_GCM.*CKR_MECHANISM_INVALID'
refused badtag 'tag differs|tag does not match'
expect 0 '3 of 4 spent' "nothing was spent" -- provisor campaign show e1
expect 5 'may not derive' "a key that may not derive" -- \
	campaign e2 1 --license-profile ecies --require-resident \
	--key 'pkcs11:token=oem;object=old'
expect 0 'comes into this machine' "and without the option, on the host" -- \
	campaign e2 1 --license-profile ecies \
	--key 'pkcs11:token=oem;object=old'
P11ECIES_MODE=strict
export P11ECIES_MODE
expect 0 'license no. 4 of 4' "a strict token can" -- \
	issue e1 "$T/c4" "$T/l4" --require-resident
unset P11ECIES_MODE
expect 0 "tag valid under the chip's key" "and right" -- \
	provisor license verify "$T/l4" --campaign e1 --chip-key "$T/k4"
expect 0 'licenses keep the key inside as well' "campaign show --with-token" \
	-- provisor campaign show e1 --with-token
not_ok "no key of a license was left in the token" -- \
	grep -q left-behind "$T/log"
expect 0 'chains intact' "the ledger verifies" -- provisor ledger verify
done_testing
