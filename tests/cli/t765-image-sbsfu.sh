#!/bin/sh
# X-CUBE-SBSFU images. The golden images are made by another program
# (make-sbsfu.py); openssl checks signatures, ciphers and certificates.
. "$(dirname "$0")/lib.sh"
need xxd openssl jq
cd "$T" || exit 1
G=$TOP/fixtures/golden/sbsfu
C=$TOP/fixtures/corrupt/sbsfu
ok 'make-sbsfu.sh' -- sh "$TOP/fixtures/corrupt/make-sbsfu.sh" "$T/corrupt"
ok 'gives what is committed' -- diff -r corrupt "$C"
sign() {
	provisor image sign --format sbsfu "$@"
}
verify() { # CODE PATTERN DESC ARGS
	_vc=$1 _vp=$2 _vd=$3
	shift 3
	expect "$_vc" "$_vp" "$_vd" -- provisor image verify --format sbsfu "$@"
}
K="--key $G/signer.pem"
CBC="--scheme ecdsa-aes-cbc $K -E $G/aes.bin --iv $G/iv.bin"
CTR="--scheme ecdsa-aes-ctr $K -E $G/aes.bin --iv $G/nonce8.bin --otfdec-address 0x90000400"
GCM="--scheme aes-gcm -E $G/aes.bin --iv $G/nonce12.bin"
X509="--scheme ecdsa-x509 --key $G/leaf.pem --certificate $G/leaf.crt --certificate $G/intermediate.crt"
F=$G/firmware.bin
# make NAME GOLDEN OPTIONS: packs and compares
make() {
	_mn=$1 _mg=$2
	shift 2
	ok "pack: $_mn" -- sign -v 2 "$@" -o "$_mn"
	same "the bytes of the other program: $_mn" "$_mn" "$G/$_mg"
}
# shellcheck disable=SC2086
{
	make cbc ecdsa-aes-cbc.sfb $CBC "$F"
	make ctr ecdsa-aes-ctr.sfb $CTR "$F"
	make clear ecdsa.sfb --scheme ecdsa $K "$F"
	make x509 ecdsa-x509.sfb $X509 "$F"
	make gcm aes-gcm.sfb $GCM "$F"
	make slot2 slot2.sfb --scheme ecdsa $K --slot 2 "$F"
	make slot3 slot3.sfb --scheme ecdsa $K --slot 3 "$F"
	make pcbc partial-cbc.sfb $CBC --base "$G/old.bin" "$G/new.bin"
	make pctr partial-ctr.sfb $CTR --base "$G/old.bin" "$G/new.bin"
	make pgcm partial-gcm.sfb $GCM --base "$G/old.bin" "$G/new.bin"
	make installed installed.bin $CBC --install "$F"
}

# --- verify and decrypt
D="--decrypt-key $G/aes.bin"
P="--key $G/signer.pub.pem"
A='--otfdec-address 0x90000400'
# shellcheck disable=SC2086
{
	verify 0 '^verified$' 'CBC' $P $D cbc
	verify 0 'encrypted and not checked' 'CBC without its key' $P cbc
	verify 0 '^verified: header, not firmware$' 'which is not called verified' $P cbc
	ok 'nor in JSON' -- sh -c "
		provisor --json image verify --format sbsfu $P cbc | jq -e '.firmware_verified == false' &&
		provisor --json image verify --format sbsfu $P clear | jq -e .firmware_verified"
	verify 0 '^verified$' 'CTR' $P $D $A ctr
	verify 2 'otfdec-address' 'CTR without its address' $P $D ctr
	verify 4 'another$|key or address' 'CTR at another address' $P $D --otfdec-address 0x90000000 ctr
	verify 0 '^verified$' 'clear' $P clear
	verify 0 '^verified$' 'X.509' --root "$G/root.crt" x509
	verify 0 '^verified$' 'GCM' $D gcm
	verify 0 'of it here +480 bytes at 0x60' 'partial CBC' $P $D pcbc
	verify 0 '^verified$' 'partial CTR' $P $D $A pctr
	verify 0 '^verified$' 'partial GCM' $D pgcm
	verify 0 'state +valid' 'installed' $P installed
	ok 'its firmware is in clear, so for its owner only' -- test "$(stat -c %a installed)" = 600
	verify 4 'signature' 'the key of somebody else' --key "$G/leaf.pub.pem" cbc
	verify 2 '--root' 'X.509 without a root' $P x509
	verify 4 'certificates: ' 'another root' --root "$G/intermediate.crt" x509
	head -c 16 /dev/zero >other.bin
	verify 4 'has not the hash' 'another AES key' $P --decrypt-key other.bin cbc
	verify 4 'the tag of the header' 'another GCM key' --decrypt-key other.bin gcm
	verify 5 'version 2 is below 3' 'an old version' $P --min-version 3 clear
	verify 4 'signature' 'a changed version' $P "$C/version.sfb"
	verify 4 'signature' 'a changed IV' $P "$C/iv-changed.sfb"
	verify 4 'signature' 'a signature' $P "$C/signature.sfb"
	verify 4 'the tag of the header' 'a header tag' $D "$C/header-tag.sfb"
	verify 4 'has not the hash' 'firmware' $P $D "$C/firmware.sfb"
	verify 4 'the tag of the firmware' 'firmware, GCM' $D "$C/firmware-gcm.sfb"
	verify 4 'has not the hash' 'firmware, CTR' $P $D $A "$C/firmware-ctr.sfb"
	verify 4 'has not the hash' 'firmware, clear' $P "$C/firmware-clear.sfb"
	verify 3 'no certificate in DER|certificates' 'a certificate' --root "$G/root.crt" "$C/certificate.sfb"
	verify 3 'something follows the two certificates' 'rest behind certificates' \
		--root "$G/root.crt" "$C/certificates-rest.sfb"
	verify 4 "its state is 'invalid'" 'a state' $P "$C/state-invalid.sfb"
	verify 3 'byte 0x00 at 400, between header' 'the fill' $P "$C/fill.sfb"
	verify 3 'two different tags' 'tags' $P "$C/tags.sfb"
	verify 3 'no SBSFU header of a scheme' 'reserved bytes' $P "$C/reserved.sfb"
	verify 3 'another scheme than ecdsa-aes-cbc' 'told the scheme' \
		--scheme ecdsa-aes-cbc $P "$C/reserved.sfb"
	verify 3 'the file has 31' 'cut' $P "$C/cut.sfb"
	for f in cbc pcbc gcm pgcm; do
		ok "decrypt: $f" -- provisor image decrypt --format sbsfu $D "$f" -o "$f.bin"
	done
	ok 'decrypt: ctr' -- provisor image decrypt --format sbsfu $D $A ctr -o ctr.bin
}
same 'CBC gives the firmware' cbc.bin "$F"
same 'CTR gives the firmware' ctr.bin "$F"
same 'GCM gives the firmware' gcm.bin "$F"
tail -c +97 "$G/new.bin" >want
same 'partial: what differs' pcbc.bin want
same 'partial GCM: what differs' pgcm.bin want
expect 2 'is not encrypted' 'decrypt a clear one' -- provisor image decrypt \
	--format sbsfu --decrypt-key "$G/aes.bin" clear -o x
expect 0 'scheme ecdsa-aes-ctr' 'inspect' -- provisor image inspect --format sbsfu ctr
expect 0 'SBSFU image, scheme aes-gcm' 'the general inspect' -- provisor inspect gcm

# --- openssl: signature, cipher, hash, certificates
der() { # RAW-SIGNATURE OUT
	printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' \
		"$(printf %s "$1" | cut -c 1-64)" "$(printf %s "$1" | cut -c 65-128)" >der.cnf
	openssl asn1parse -genconf der.cnf -noout -out "$2"
}
der "$(head -c 192 cbc | tail -c 64 | xxd -p -c 64)" sig.der
head -c 128 cbc >signed
ok 'openssl verifies the header' -- openssl dgst -sha256 -verify "$G/signer.pub.pem" -signature sig.der signed
tail -c 32 cbc >body
openssl enc -d -aes-128-cbc -nopad -K "$(xxd -p "$G/aes.bin")" -iv "$(xxd -p "$G/iv.bin")" -in body -out have
same 'openssl decrypts CBC' have "$F"
openssl enc -aes-128-ctr -K "$(xxd -p "$G/aes.bin")" -iv "$(xxd -p "$G/nonce8.bin")0000000009000040" \
	-in /dev/zero 2>/dev/null | head -c 32 >stream 2>/dev/null
{ head -c 16 stream | xxd -p -c 1 | tac | xxd -r -p
	tail -c 16 stream | xxd -p -c 1 | tac | xxd -r -p; } >reversed
tail -c 32 ctr | xxd -p -c 32 >c.hex
xxd -p -c 32 reversed >s.hex
: >xor.hex
i=1
while [ $i -lt 64 ]; do
	a=$(cut -c $i-$((i + 1)) c.hex)
	b=$(cut -c $i-$((i + 1)) s.hex)
	printf '%02x' $((0x$a ^ 0x$b)) >>xor.hex
	i=$((i + 2))
done
xxd -r -p xor.hex >have
same 'openssl decrypts CTR' have "$F"
openssl dgst -sha256 -binary "$G/new.bin" >want
head -c 52 pcbc | tail -c 32 >have
same 'the hash of the whole firmware' have want
tail -c +97 "$G/new.bin" | openssl dgst -sha256 -binary >want
head -c 84 pcbc | tail -c 32 >have
same 'the hash of its part' have want
ok 'openssl verifies the certificates' -- openssl verify -no_check_time -CAfile "$G/root.crt" \
	-untrusted "$G/intermediate.crt" "$G/leaf.crt"

# --- a random IV, and the tag of CTR over what is encrypted
R="--scheme ecdsa-aes-cbc $K -E $G/aes.bin -v 2"
# shellcheck disable=SC2086
{
	ok 'a random IV' -- sign $R "$F" -o r1
	ok 'and another' -- sign $R "$F" -o r2
	not_ok 'are two' -- cmp r1 r2
	verify 0 '^verified$' 'it verifies' $P $D r1
	ok 'CTR, tag of the encrypted firmware' -- sign -v 2 $CTR --ctr-tag encrypted "$F" -o te
	verify 0 '^verified$' 'verifies so' $P $D $A --ctr-tag encrypted te
	verify 4 'has not the hash' 'and not otherwise' $P $D $A te
	tail -c 32 te | openssl dgst -sha256 -binary >want
	head -c 52 te | tail -c 32 >have
	same 'is the hash of it' have want
}

# --- one file for the factory
head -c 1000 /dev/zero | tr '\000' B >boot.bin
# shellcheck disable=SC2086
{
	ok 'merged' -- sign -v 2 $CBC --install --merge boot.bin --slot-offset 2K "$F" -o merged.bin
	head -c 1000 merged.bin >have
	same 'the boot program' have boot.bin
	tail -c +2049 merged.bin >have
	same 'the image behind it' have installed
	ok 'the size' -- test "$(wc -c <merged.bin)" -eq 2592
	ok 'merged as HEX' -- sign -v 2 $CBC --install --merge "$TOP/fixtures/firmware/blink.hex" \
		--slot-offset 64K "$F" -o merged.hex
	expect 0 '0x08010000' 'has the addresses' -- provisor inspect merged.hex
	expect 3 'would reach into the slot' 'a boot program too large' -- sign -v 2 $CBC --install \
		--merge boot.bin --slot-offset 512 "$F" -o bad
}

# --- detached
# shellcheck disable=SC2086
{
	S="--scheme ecdsa-aes-cbc -E $G/aes.bin --iv $G/iv.bin -v 2 $P"
	S=$(printf %s "$S" | sed 's/--key/--public-key/')
	ok 'what must be signed' -- sign $S --vector-to-sign payload "$F" -o payload
	same 'is the head' payload signed
	ok 'its digest' -- sign $S --vector-to-sign digest "$F" -o digest
	openssl dgst -sha256 -binary payload >want
	same 'is SHA-256 of it' digest want
	openssl dgst -sha256 -sign "$G/signer.pem" -out sig.der payload
	ok 'a signature of openssl' -- sign $S --signature sig.der "$F" -o detached
	verify 0 '^verified$' 'verifies' $P $D detached
	openssl dgst -sha256 -sign "$G/leaf.pem" -out other.der payload
	expect 4 'the signature that was made' 'that of another key' -- \
		sign $S --signature other.der "$F" -o bad
	expect 2 'two steps with one --iv' 'detached and random' -- sign --scheme ecdsa-aes-cbc \
		-E "$G/aes.bin" -v 2 --public-key "$G/signer.pub.pem" --vector-to-sign digest "$F" -o bad
}

# --- what is refused
bad() { # CODE PATTERN DESC ARGS
	_bc=$1 _bp=$2 _bd=$3
	shift 3
	rm -f bad
	expect "$_bc" "$_bp" "$_bd" -- sign "$@" -o bad
	not_ok "no output: $_bd" -- test -e bad
}
head -c 33 /dev/zero >odd.bin
# shellcheck disable=SC2086
{
	bad 2 "no SBSFU scheme 'rsa'" 'another scheme' --scheme rsa -v 1 "$F"
	bad 2 'version' 'a version out of range' --scheme ecdsa $K -v 65536 "$F"
	bad 2 'slot' 'slot 4' --scheme ecdsa $K -v 1 --slot 4 "$F"
	bad 3 'firmware of 33 bytes; this scheme takes a multiple of 16' 'CBC of 33 bytes' $CBC -v 1 odd.bin
	bad 2 'encrypt-key' 'no AES key' --scheme ecdsa-aes-cbc $K -v 1 "$F"
	bad 2 'scheme ecdsa does not encrypt' 'an AES key for nothing' --scheme ecdsa $K -E "$G/aes.bin" -v 1 "$F"
	bad 2 'aes-gcm has no signature' 'a signer for GCM' $GCM $K -v 1 "$F"
	bad 2 'one of --key' 'no signer' --scheme ecdsa -v 1 "$F"
	bad 3 '12 bytes|16 bytes|8' 'an IV of another length' --scheme ecdsa-aes-cbc $K -E "$G/aes.bin" \
		--iv "$G/nonce12.bin" -v 1 "$F"
	bad 2 'the leaf and the intermediate' 'one certificate' --scheme ecdsa-x509 --key "$G/leaf.pem" \
		--certificate "$G/leaf.crt" -v 1 "$F"
	bad 2 'is not the certificate of the key that signs' 'another certificate' --scheme ecdsa-x509 $K \
		--certificate "$G/leaf.crt" --certificate "$G/intermediate.crt" -v 1 "$F"
	bad 2 'does not differ from its base' 'the same firmware' $CBC -v 1 --base "$F" "$F"
	bad 5 'has an SBSFU header already' 'packed twice' --scheme ecdsa $K -v 1 clear
	bad 2 'lies in the header of 320' 'an offset in the header' --scheme ecdsa $K -v 1 --offset 256 "$F"
	bad 2 '--merge goes with' 'merge alone' --scheme ecdsa $K -v 1 --merge boot.bin "$F"
}
openssl ecparam -name secp384r1 -genkey -noout -out p384.pem 2>/dev/null
bad 3 'takes P-256' 'a key of P-384' --scheme ecdsa --key p384.pem -v 1 "$F"

# --- a key in a token
if command -v softhsm2-util >/dev/null; then
	token oem
	ok 'a key in the token' -- provisor key generate --token 'pkcs11:token=oem' \
		--type ec-p256 --label sbsfu
	ok 'signs' -- sign --scheme ecdsa --key 'pkcs11:token=oem;object=sbsfu' -v 1 "$F" -o token.sfb
	verify 0 '^verified$' 'verifies' token.sfb --key 'pkcs11:token=oem;object=sbsfu'
fi

# --- OEMiSB: a hash of the application, filled up
ok 'OEMiSB' -- provisor image sign --format oemisb --size 1K "$F" -o sb.bin
{ cat "$F" && head -c 992 /dev/zero | tr '\000' '\377'; } | openssl dgst -sha256 -binary >want
same 'is SHA-256 by openssl' sb.bin want
expect 0 'verified' 'OEMiSB verifies' -- provisor image verify --format oemisb --size 1K --hash sb.bin "$F"
expect 4 'has not the hash' 'another size' -- provisor image verify --format oemisb --hash sb.bin "$F"
expect 3 'has 32 bytes, not 16' 'too small a size' -- provisor image sign --format oemisb \
	--size 16 "$F" -o bad
ok 'without a size' -- provisor image sign --format oemisb "$F" -o sb2.bin
openssl dgst -sha256 -binary "$F" >want
same 'is that of the file' sb2.bin want
expect 2 "there is no 'image encrypt' for format 'oemisb'" 'nothing else' -- \
	provisor image encrypt --format oemisb "$F" -o x
done_testing
