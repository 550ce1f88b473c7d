#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Keys in a token: made, listed, exported, imported, destroyed; what openssl
# and pkcs11-tool think of them.
. "$(dirname "$0")/lib.sh"

SOFTHSM=/usr/lib/softhsm/libsofthsm2.so
need softhsm2-util pkcs11-tool openssl jq
token oem
# ID of the object labeled $1; pkcs11-tool takes no label where it uses a key.
id_of() {
	tool -O 2>/dev/null | awk -v l="  label:      $1" \
		'$0 == l { f = 1 } f && $1 == "ID:" { print $2; exit }'
}
tool() { pkcs11-tool --module "$SOFTHSM" --token-label oem --login --pin 271828 "$@"; }

# --- made and listed
expect 0 'fw: new aes-128 key in token oem' "generate aes-128" -- \
	provisor key generate --token pkcs11:token=oem --type aes-128 --label fw
expect 0 'pkcs11:token=oem;object=fw' "list shows its URI" -- provisor key list
expect 0 'can serve a resident license as package key' "and what it serves" -- provisor key list
expect 1 "already" "a label in use is refused" -- \
	provisor key generate --token pkcs11:token=oem --type ec-p256 --label fw
for t in aes-256 ec-p256 ec-p384 ed25519; do
	expect 0 "new $t key" "generate $t" -- \
		provisor key generate --token pkcs11:token=oem --type $t --label "k $t"
done
expect 0 '' "list --json" -- provisor --json key list
if [ "$(jq -r '.keys | map(.label) | join(",")' "$T/out")" = "fw,k aes-256,k ec-p256,k ec-p384,k ed25519" ] &&
	[ "$(jq '[.keys[] | select(.resident)] | length' "$T/out")" = 3 ] &&
	[ "$(jq '[.keys[] | select(.type | startswith("aes")) | .sensitive and .extractable] | all' "$T/out")" = true ] &&
	[ "$(jq '[.keys[] | select(.type | startswith("e")) | .sensitive and (.extractable | not)] | all' "$T/out")" = true ]; then
	pass "the JSON names all keys with their attributes"
else
	fail "the JSON names all keys with their attributes"
fi
expect 2 "not a type of key" "an unknown type" -- \
	provisor key generate --token pkcs11:token=oem --type rsa --label r
expect 2 "label" "an empty label" -- \
	provisor key generate --token pkcs11:token=oem --type aes-128 --label ''
expect 2 "type" "a missing option" -- provisor key generate --token pkcs11:token=oem --label x
expect 2 "not a pkcs11: URI" "a file name as token" -- provisor key list --token oem

# --- pkcs11-tool sees them as we say
tool -O >"$T/objects" 2>/dev/null
ok "pkcs11-tool sees the pair" -- grep -q 'k ec-p256' "$T/objects"
tool -O --type secrkey --label fw >"$T/objects" 2>/dev/null
ok "the AES key is sensitive for pkcs11-tool too" -- grep -q 'sensitive' "$T/objects"

# --- export-public against openssl and pkcs11-tool
for t in ec-p256 ec-p384; do
	uri="pkcs11:token=oem;object=k%20$t"
	expect 0 "public key of" "export-public $t" -- provisor key export-public "$uri" -o "$T/$t.pem"
	ok "openssl reads it" -- openssl ec -pubin -in "$T/$t.pem" -noout
done
# pkcs11-tool of OpenSC 0.23 cannot write a P-384 key.
openssl pkey -pubin -in "$T/ec-p256.pem" -outform DER -out "$T/ec-p256.ours" 2>/dev/null
tool --read-object --type pubkey --label "k ec-p256" -o "$T/ec-p256.theirs" >/dev/null 2>&1
same "pkcs11-tool exports the same ec-p256 key" "$T/ec-p256.ours" "$T/ec-p256.theirs"
# So the P-384 point is compared as text.
point=$(openssl ec -pubin -in "$T/ec-p384.pem" -noout -text 2>/dev/null |
	sed -n '/^    /p' | tr -cd '0-9a-f')
tool -O >"$T/objects" 2>/dev/null
ok "and shows the same ec-p384 point" -- grep -q "EC_POINT: *0461$point" "$T/objects"
expect 0 "public key of" "export-public ed25519" -- \
	provisor key export-public 'pkcs11:token=oem;object=k%20ed25519' -o "$T/ed.pem"
ok "openssl reads the Ed25519 key" -- openssl pkey -pubin -in "$T/ed.pem" -noout
expect 0 "BEGIN PUBLIC KEY" "without -o it goes to standard output" -- \
	provisor key export-public 'pkcs11:token=oem;object=k%20ec-p256'
expect 6 "no public key" "a secret key has no public half" -- \
	provisor key export-public 'pkcs11:token=oem;object=fw'
expect 6 "names a secret key where a public key is needed" "type in the URI" -- \
	provisor key export-public 'pkcs11:token=oem;object=fw;type=secret-key'
expect 1 "nowhere" "a folder that is not there" -- \
	provisor key export-public 'pkcs11:token=oem;object=k%20ec-p256' -o "$T/nowhere/x.pem"

# --- a signature made in the token by pkcs11-tool verifies under our export
printf 'what is signed' >"$T/msg"
openssl dgst -sha256 -binary "$T/msg" >"$T/digest"
tool --sign --mechanism ECDSA --id "$(id_of 'k ec-p256')" --signature-format openssl \
	--input-file "$T/digest" --output-file "$T/sig" >/dev/null 2>&1
ok "openssl verifies with the exported key" -- \
	openssl dgst -sha256 -verify "$T/ec-p256.pem" -signature "$T/sig" "$T/msg"

# --- import
printf 'AES_KEY_TEST_001' >"$T/key.bin"
printf 'AES_KEY_TEST_0012' >"$T/key17.bin"
expect 0 'now in token oem' "import" -- \
	provisor key import --token pkcs11:token=oem --label given "$T/key.bin"
expect 3 '17 bytes; a raw AES key has 16 or 32' "a key file of 17 bytes" -- \
	provisor key import --token pkcs11:token=oem --label odd "$T/key17.bin"
expect 1 'absent.bin' "a missing key file" -- \
	provisor key import --token pkcs11:token=oem --label odd "$T/absent.bin"
# The token encrypts with it what openssl encrypts with the file.
head -c 32 /dev/zero >"$T/zeros"
tool --encrypt --mechanism AES-ECB --id "$(id_of given)" --input-file "$T/zeros" \
	--output-file "$T/ct.token" >/dev/null 2>&1
openssl enc -aes-128-ecb -nopad -K "$(od -An -tx1 "$T/key.bin" | tr -d " \n")" -in "$T/zeros" -out "$T/ct.file"
same "the imported key is the key of the file" "$T/ct.token" "$T/ct.file"

# --- keys of another program
tool --keygen --key-type aes:16 --label theirs --sensitive --extractable >/dev/null 2>&1
tool --keygen --key-type aes:16 --label stuck --sensitive >/dev/null 2>&1
expect 0 '' "list with foreign keys" -- provisor key list --json
if [ "$(jq -r '.keys[] | select(.label == "theirs").resident' "$T/out")" = true ]; then
	pass "a key of pkcs11-tool can serve"
else
	fail "a key of pkcs11-tool can serve"
fi
if jq -r '.keys[] | select(.label == "stuck").why_not' "$T/out" | grep -q 'not extractable'; then
	pass "or is told why not"
else
	fail "or is told why not"
fi

# --- destroy
expect 5 'cannot be undone' "destroy asks for --yes" -- \
	provisor key destroy 'pkcs11:token=oem;object=k%20ec-p256'
expect 0 'k%20ec-p256' "and nothing was changed" -- provisor key list
expect 0 'destroyed' "destroy --yes" -- provisor key destroy 'pkcs11:token=oem;object=k%20ec-p256' --yes
tool -O >"$T/objects" 2>/dev/null
not_ok "both halves are gone" -- grep -q 'k ec-p256' "$T/objects"
expect 6 'no key in token' "a second time there is none" -- \
	provisor key destroy 'pkcs11:token=oem;object=k%20ec-p256' --yes
expect 6 '[0-9]+ keys in token .* must be exactly one' "a URI of the whole token" -- \
	provisor key destroy 'pkcs11:token=oem' --yes

done_testing
