#!/bin/sh
# Boot images of STM32MP and STM32N6. The golden images are made by another
# program (make-stm32.py) and by mkimage; openssl checks signatures, AES-CMAC
# and AES-CBC.
. "$(dirname "$0")/lib.sh"
need xxd openssl jq mkimage
cd "$T" || exit 1
G=$TOP/fixtures/golden/stm32
C=$TOP/fixtures/corrupt/stm32
ok 'make-stm32.sh' -- sh "$TOP/fixtures/corrupt/make-stm32.sh" "$T/corrupt"
ok 'gives what is committed' -- diff -r corrupt "$C"
sign() {
	provisor image sign --format stm32 "$@"
}
verify() { # CODE PATTERN DESC ARGS
	_vc=$1 _vp=$2 _vd=$3
	shift 3
	expect "$_vc" "$_vp" "$_vd" -- provisor image verify --format stm32 "$@"
}
A='--load-address 0x2ffc2500 --entry-point 0x2ffc2501 --image-version 5'
TABLE=''
for i in 0 1 2 3 4 5 6 7; do TABLE="$TABLE --public-key $G/key$i.pub.pem"; done

# --- every version, byte for byte
# shellcheck disable=SC2086
{
	ok 'MP15' -- sign --header-version 1 $A --key "$G/key0.pem" "$G/payload.bin" -o v1
	same 'the bytes of the other program' v1 "$G/v1-signed.stm32"
	ok 'MP13 without a signature' -- sign --header-version 2 $A --no-key "$G/payload.bin" -o v2u
	same 'the bytes of the other program' v2u "$G/v2.0-unsigned.stm32"
	ok 'MP13' -- sign --header-version stm32mp13 $A $TABLE --key "$G/key2.pem" "$G/payload.bin" -o v2
	same 'the bytes of the other program' v2 "$G/v2.0-signed.stm32"
	ok 'MP13, encrypted' -- sign --header-version 2.0 $A $TABLE --key "$G/key0.pem" \
		--encrypt-key "$G/edmk.bin" --derivation-constant 0x25205f0e "$G/payload.bin" -o v2e
	same 'the bytes of the other program' v2e "$G/v2.0-encrypted.stm32"
	ok 'MP2' -- sign --header-version 2.2 $A $TABLE --key "$G/key7.pem" "$G/payload.bin" -o v22
	same 'the bytes of the other program' v22 "$G/v2.2-signed.stm32"
	ok 'MP2, encrypted' -- sign --header-version 2.2 $A $TABLE --key "$G/key0.pem" \
		--encrypt-key "$G/edmk.bin" --derivation-constant 0x25205f0e "$G/payload.bin" -o v22e
	same 'the bytes of the other program' v22e "$G/v2.2-encrypted.stm32"
	# The filler of v2.3 is random in ST's tool: the rest is compared.
	ok 'N6' -- sign --header-version stm32n6 $A --key "$G/key0.pem" "$G/payload.bin" -o n6
	head -c 316 n6 | tail -c +101 >have
	head -c 316 "$G/v2.3-signed.stm32" | tail -c +101 >want
	same 'header and extensions of the other program' have want
	tail -c +577 n6 >have
	tail -c +577 "$G/v2.3-signed.stm32" >want
	same 'its payload' have want
	ok 'N6, encrypted' -- sign --header-version 2.3 $A $TABLE --key "$G/key1.pem" \
		--encrypt-key "$G/edmk.bin" --derivation-constant 0x25205f0e "$G/payload.bin" -o n6e
	tail -c +577 n6e >have
	tail -c +577 "$G/v2.3-encrypted.stm32" >want
	same 'the ciphertext of the other program' have want
}
for f in v1 v2 v2e v22 v22e n6 n6e; do
	verify 0 'verified: checksum, signature' "$f verifies" $f
done

# --- mkimage's image, signed
mkimage -T stm32image -a 0x2ffc2500 -e 0x2ffc2501 -d "$G/payload.bin" mk.stm32 >/dev/null
ok 'an image of mkimage' -- sign --key "$G/key0.pem" --image-version 5 --binary-type fsbl \
	mk.stm32 -o mk-signed.stm32
same 'signed is that of the other program' mk-signed.stm32 "$G/v1-signed.stm32"
verify 4 'the image is not signed; a closed device refuses it' 'not signed' mk.stm32
verify 0 'verified: checksum$' 'allowed' mk.stm32 --allow-unsigned
expect 0 'binary type +0x00000000 U-Boot' 'inspect' -- \
	provisor image inspect --format stm32 mk.stm32
expect 0 'STM32 image, header v1.0' 'the general inspect' -- provisor inspect mk.stm32
mkimage -l v1 >listed 2>&1
ok 'mkimage reads ours' -- grep -q 'Image Load.*0x2ffc2500' listed
expect 5 'it is signed already' 'a second signature' -- sign --key "$G/key1.pem" v1 -o again
not_ok 'no output' -- test -e again
ok 'another signature' -- sign --key "$G/key1.pem" --resign v1 -o again
verify 0 'signature, key' 'it verifies' again --key "$G/key1.pub.pem"
expect 5 'it is encrypted already' 'an encrypted image' -- sign --key "$G/key0.pem" \
	--resign v2e -o bad

# --- openssl: signature, key derivation, cipher
der() { # RAW-SIGNATURE OUT
	printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' \
		"$(printf %s "$1" | cut -c 1-64)" "$(printf %s "$1" | cut -c 65-128)" >der.cnf
	openssl asn1parse -genconf der.cnf -noout -out "$2"
}
der "$(tail -c +5 v1 | head -c 64 | xxd -p -c 64)" sig.der
tail -c +73 v1 >signed
ok 'openssl verifies MP15' -- openssl dgst -sha256 -verify "$G/key0.pub.pem" -signature sig.der signed
der "$(tail -c +5 v2e | head -c 64 | xxd -p -c 64)" sig.der
tail -c +73 v2e >signed
ok 'openssl verifies MP13, encrypted' -- openssl dgst -sha256 -verify "$G/key0.pub.pem" -signature sig.der signed
der "$(tail -c +5 n6 | head -c 64 | xxd -p -c 64)" sig.der
{ head -c 152 n6 | tail -c +105 && tail -c +161 n6; } >signed
ok 'openssl verifies N6' -- openssl dgst -sha256 -verify "$G/key0.pub.pem" -signature sig.der signed
m=00000001$(printf 'BL2 encryption key.' | xxd -p)000e5f202500000080
printf %s "$m" | xxd -r -p >m.bin
key=$(openssl mac -cipher AES-128-CBC -macopt hexkey:"$(xxd -p "$G/edmk.bin")" -in m.bin CMAC)
iv=$(openssl dgst -sha256 -r "$G/payload.bin" | cut -c 1-32)
openssl enc -aes-128-cbc -nopad -K "$key" -iv "$iv" -in "$G/payload.bin" -out want
tail -c +513 v2e >have
same 'openssl encrypts the same' have want
ok 'decrypt' -- provisor image decrypt --format stm32 --decrypt-key "$G/edmk.bin" v2e -o plain
same 'gives the payload' plain "$G/payload.bin"
verify 0 'decrypted payload' 'verify with the master key' v2e --decrypt-key "$G/edmk.bin"
# A master key of 32 bytes is made one of 16 first.
cat "$G/edmk.bin" "$G/edmk.bin" >edmk32.bin
master=$(openssl mac -cipher AES-128-CBC -macopt hexkey:00000000000000000000000000000000 \
	-in edmk32.bin CMAC)
key=$(openssl mac -cipher AES-128-CBC -macopt hexkey:"$master" -in m.bin CMAC)
openssl enc -aes-128-cbc -nopad -K "$key" -iv "$iv" -in "$G/payload.bin" -out want
# shellcheck disable=SC2086
ok 'a master key of 32 bytes' -- sign --header-version 2 $A $TABLE --key "$G/key0.pem" \
	--encrypt-key edmk32.bin --derivation-constant 0x25205f0e "$G/payload.bin" -o v2e32
tail -c +513 v2e32 >have
same 'openssl encrypts the same' have want
head -c 17 edmk32.bin >edmk17.bin
# shellcheck disable=SC2086
expect 3 '17' 'one of 17 bytes' -- sign --header-version 2 $A $TABLE --key "$G/key0.pem" \
	--encrypt-key edmk17.bin --derivation-constant 1 "$G/payload.bin" -o bad
head -c 16 /dev/zero >other.bin
verify 4 'another hash than the header says' 'another master key' v2e --decrypt-key other.bin
expect 4 'another hash' 'decrypt with another' -- provisor image decrypt --format stm32 \
	--decrypt-key other.bin v2e -o bad
cp other.bin over.bin
expect 2 'is one of the inputs' 'decrypt over the key' -- provisor image decrypt --format stm32 \
	--decrypt-key over.bin v2e -o ./over.bin
ok 'the key is there' -- cmp over.bin other.bin
expect 2 'the image is not encrypted' 'decrypt a plain image' -- \
	provisor image decrypt --format stm32 --decrypt-key "$G/edmk.bin" v2 -o bad

# --- key hashes
printf '3039301306072a8648ce3d020106082a8648ce3d030107032200036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296' |
	xxd -r -p >g.der
openssl pkey -pubin -inform DER -in g.der -ec_conv_form uncompressed -out g.pem 2>/dev/null ||
	openssl ec -pubin -inform DER -in g.der -conv_form uncompressed -out g.pem 2>/dev/null
expect 0 '^d875db7def232236aec738c6b0bb3e80142f5d0fd8f4df24fed6eef5cbb50d9f ' \
	'MP15: of the generator' -- provisor key hash --device stm32mp15 g.pem
expect 0 '^d4135802721a9179460fdd49af6bfe21e05698ff49538ebdd7f34a535f175386 ' \
	'MP13: of the generator' -- provisor key hash --device stm32mp13 g.pem g.pem g.pem \
	g.pem g.pem g.pem g.pem g.pem -o pkhth.bin
cp "$T/out" hashes
ok 'its table' -- grep -q '^84ac9af8cf92c62496bc3eaac50dc5fbe8d69ae17f0bf52209a6986c407425d3 ' hashes
ok 'is the file' -- test "$(xxd -p -c 32 pkhth.bin | cut -c 1-8)" = 84ac9af8
expect 0 'OTP word 24  0xd875db7d' 'OTP words' -- provisor key hash --device stm32mp15 g.pem
expect 0 'OTP word 144  0x84ac9af8' 'OTP words of MP2' -- provisor key hash \
	--device stm32mp2 g.pem g.pem g.pem g.pem g.pem g.pem g.pem g.pem
expect 2 '2 keys; this device has one' 'two keys for MP15' -- \
	provisor key hash --device stm32mp15 g.pem g.pem
expect 2 "no header version 'stm32f4'" 'another device' -- \
	provisor key hash --device stm32f4 g.pem
ok 'the hash of the key' -- provisor key hash --device stm32mp15 "$G/key0.pem" -o pkh.bin
verify 0 'signature, key' 'verify against a hash in a file' v1 --key-hash pkh.bin
verify 0 'signature, key' 'and in hex' v1 --key-hash "$(xxd -p -c 32 pkh.bin)"
verify 4 'the hash of its keys is not' 'another hash' v2 --key-hash pkh.bin
verify 4 'signed by another key' 'another key' v1 --key "$G/key1.pub.pem"
verify 5 'version 5 is below 6' 'an old version' v1 --min-version 6
verify 0 'verified' 'a new one' v1 --min-version 5

# --- detached
# shellcheck disable=SC2086
{
	D="--header-version 2 $A $TABLE --key-index 2 $G/payload.bin"
	ok 'what must be signed' -- sign --vector-to-sign payload $D -o payload
	ok 'its digest' -- sign --vector-to-sign digest $D -o digest
	openssl dgst -sha256 -binary payload >want
	same 'is SHA-256 of it' digest want
	openssl dgst -sha256 -sign "$G/key2.pem" -out sig.der payload
	ok 'a signature of openssl' -- sign --signature sig.der $D -o detached
	verify 0 'signature, key' 'verifies' detached --key "$G/key2.pub.pem"
	head -c 68 "$G/v2.0-signed.stm32" | tail -c 64 >sig.raw
	ok 'a raw one' -- sign --signature sig.raw $D -o raw
	same 'gives the golden image' raw "$G/v2.0-signed.stm32"
	openssl dgst -sha256 -sign "$G/key3.pem" -out other.der payload
	expect 4 'the signature that was made' 'that of another key' -- \
		sign --signature other.der $D -o bad
	not_ok 'no output' -- test -e bad
}

# --- ELF has its addresses
ok 'an ELF file' -- sign --header-version 1 --key "$G/key0.pem" \
	"$TOP/fixtures/firmware/blink.elf" -o elf.stm32
expect 0 'load address +0x08000000' 'they are in the header' -- \
	provisor image inspect --format stm32 elf.stm32

# --- what is refused
bad() { # CODE PATTERN DESC ARGS
	_bc=$1 _bp=$2 _bd=$3
	shift 3
	rm -f bad
	expect "$_bc" "$_bp" "$_bd" -- sign "$@" -o bad
	not_ok "no output: $_bd" -- test -e bad
}
P=$G/payload.bin
K="--key $G/key0.pem"
# shellcheck disable=SC2086
{
	bad 2 'option --header-version|--header-version' 'no version' $A $K "$P"
	bad 2 "no header version '3'" 'a version that is none' --header-version 3 $A $K "$P"
	bad 2 '--load-address' 'no load address' --header-version 1 $K "$P"
	bad 2 '--entry-point' 'no entry point' --header-version 1 --load-address 0 $K "$P"
	bad 2 'image-version' 'a counter out of range' --header-version 1 $A \
		--image-version 4294967296 $K "$P"
	bad 2 '8 times|0 public keys; the device has the hash of a table of 8' 'no table' \
		--header-version 2 $A $K "$P"
	bad 2 'at most 8 --public-key' 'nine keys' --header-version 2 $A $K $TABLE \
		--public-key "$G/key0.pub.pem" "$P"
	bad 2 'has one public key' 'two keys for MP15' --header-version 1 $A $K \
		--public-key "$G/key0.pem" --public-key "$G/key1.pem" "$P"
	bad 2 "none of the public keys is that of" 'a key outside the table' \
		--header-version 1 $A $K --public-key "$G/key1.pem" "$P"
	bad 2 'public key 3 is not that of' 'another index' --header-version 2 $A $K $TABLE \
		--key-index 3 "$P"
	bad 2 'one of --key, --vector-to-sign, --signature and --no-key' 'no key' \
		--header-version 1 $A "$P"
	bad 3 'header and payload have 464 bytes, the slot 463' 'larger than its slot' \
		--header-version 1 $A $K -S 463 "$P"
	bad 3 'not encrypted' 'MP15 encrypted' --header-version 1 $A $K \
		--encrypt-key "$G/edmk.bin" --derivation-constant 1 "$P"
	bad 2 'derivation-constant' 'no constant' --header-version 2 $A $K $TABLE \
		--encrypt-key "$G/edmk.bin" "$P"
	bad 2 'it has a header of v1.0' 'another version than it has' --header-version 2 $K mk.stm32
}
openssl ecparam -name secp384r1 -genkey -noout -out p384.pem 2>/dev/null
# shellcheck disable=SC2086
bad 3 'takes P-256' 'a key of P-384' --header-version 1 $A --key p384.pem "$P"
verify 3 'unknown version of the image header' 'another header' "$C/version.stm32"
verify 3 'says 209 bytes of payload' 'cut' "$C/length-more.stm32"
verify 4 'the checksum is' 'a checksum' "$C/checksum.stm32"
verify 4 'the checksum is' 'a payload' "$C/payload.stm32"
verify 4 'signature' 'a signature' "$C/signature.stm32"
verify 4 "not number 2 of the header's table" 'a key hash' "$C/key-hash.stm32"
verify 3 'unknown signature algorithm 3' 'an algorithm' "$C/algorithm.stm32"
expect 2 "there is no 'image encrypt' for format 'stm32'" 'encrypt' -- \
	provisor image encrypt --format stm32 v1 -o x

# --- an encrypted key file
printf 'open sesame\n' >pass.txt
printf 'wrong\n' >wrong.txt
openssl pkcs8 -topk8 -v2 aes-256-cbc -in "$G/key0.pem" -passout file:pass.txt -out locked.pem
# shellcheck disable=SC2086
{
	ok 'an encrypted key' -- sign --header-version 1 $A --key locked.pem \
		--passphrase-file pass.txt "$P" -o locked
	same 'the same image' locked "$G/v1-signed.stm32"
	bad 3 'wrong passphrase' 'a wrong passphrase' --header-version 1 $A --key locked.pem \
		--passphrase-file wrong.txt "$P"
}

# --- a key in a token
if command -v softhsm2-util >/dev/null; then
	token oem
	ok 'a key in the token' -- provisor key generate --token 'pkcs11:token=oem' \
		--type ec-p256 --label boot
	# shellcheck disable=SC2086
	ok 'signs' -- sign --header-version 1 $A --key 'pkcs11:token=oem;object=boot' "$P" -o token.stm32
	verify 0 'signature, key' 'verifies' token.stm32 --key 'pkcs11:token=oem;object=boot'
fi
done_testing
