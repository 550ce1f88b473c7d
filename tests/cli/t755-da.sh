#!/bin/sh
# Debug authentication: chains made, shown, verified; openssl checks each
# signature, and the bytes are those of another program (make-adac.py).
. "$(dirname "$0")/lib.sh"
need xxd openssl jq base64
cd "$T" || exit 1
G=$TOP/fixtures/golden/adac
C=$TOP/fixtures/corrupt/adac
W='full-regression,partial-regression,secure-debug-hdpl1,secure-debug-hdpl2'
W="$W,secure-debug-hdpl3,nonsecure-debug-hdpl1,nonsecure-debug-hdpl2,nonsecure-debug-hdpl3"
make() { # OPTIONS
	provisor da certificate create "$@"
}

# --- the corrupt files are made again
ok 'make-adac.sh' -- sh "$TOP/fixtures/corrupt/make-adac.sh" "$T/corrupt"
ok 'gives what is committed' -- diff -r corrupt "$C"

# --- one, two and three levels
ok 'a root' -- make --role root --key "$G/root.pem" --permissions 0x5077 -o root.b64
same 'has the bytes of the other program' root.b64 "$G/root.b64"
ok 'root and leaf' -- make --role leaf --key "$G/leaf.pub.pem" --chain root.b64 \
	--issuer "$G/root.pem" --permissions full-regression --soc-class 0x484 -o leaf.b64
same 'have the bytes of the other program' leaf.b64 "$G/root-leaf.b64"
ok 'an intermediate, its mask in words' -- make --role intermediate \
	--key "$G/intermediate.pem" --chain root.b64 --issuer "$G/root.pem" \
	--permissions "$W" --soc-class 0x484 -o mid.b64
ok 'and a leaf for one chip' -- make --role leaf --key "$G/leaf.pem" --chain mid.b64 \
	--issuer "$G/intermediate.pem" --permissions 0x5000 --soc-class 0x484 \
	--soc-id 000102030405060708090a0b0c0d0e0f -o three.b64
same 'have the bytes of the other program' three.b64 "$G/root-intermediate-leaf.b64"

# --- openssl verifies each signature
der() { # RAW-SIGNATURE: as DER
	printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' \
		"$(xxd -p -c 64 "$1" | cut -c 1-64)" "$(xxd -p -c 64 "$1" | cut -c 65-128)" >der.cnf
	openssl asn1parse -genconf der.cnf -noout -out "$1.der"
}
check() { # CHAIN NUMBER KEY
	base64 -d "$1" | tail -c +$((($2 - 1) * 220 + 1)) | head -c 220 >cert
	tail -c +9 cert | head -c 148 >tbs
	tail -c 64 cert >sig
	der sig
	ok "openssl verifies certificate $2 of $1" -- openssl dgst -sha256 \
		-verify "$3" -signature sig.der tbs
}
check root.b64 1 "$G/root.pub.pem"
check leaf.b64 2 "$G/root.pub.pem"
check three.b64 2 "$G/root.pub.pem"
check three.b64 3 "$G/intermediate.pub.pem"

# --- verify
verify() { # CODE PATTERN DESC ARGS
	_vc=$1 _vp=$2 _vd=$3
	shift 3
	expect "$_vc" "$_vp" "$_vd" -- provisor da certificate verify "$@"
}
O=$TOP/fixtures/golden/obk-xml/Binary
verify 0 '^verified: 3 signatures$' 'a chain verifies' three.b64
verify 0 'any root signs itself' 'and says what that means' root.b64
verify 0 '^verified: 2 signatures, root key, OB keys$' 'against key and OB keys' \
	leaf.b64 --root "$G/root.pub.pem" --obk "$O/da.golden"
verify 4 'the root certificate is not of the key' 'another root' \
	leaf.b64 --root "$G/leaf.pub.pem"
verify 4 'has the hash of another root key' 'OB keys of another root' \
	leaf.b64 --obk "$O/da_password.golden"
verify 3 'is no debug authentication by certificate' 'other OB keys' \
	leaf.b64 --obk "$O/stirot_h5.golden"
verify 4 'ends with an intermediate certificate' 'an intermediate at the end' mid.b64
verify 0 'permissions its issuer lacks' 'a wider mask is said' "$G/wider.b64"
verify 4 'for SoC class 0x484 and for 0x485' 'two classes' "$G/two-classes.b64"
verify 4 'it is for two chips' 'two chips' "$G/two-chips.b64"
verify 4 'certificate 1 of 2, root: ' 'a damaged root' "$C/signature-root.bin"
verify 4 'certificate 2 of 2, leaf: ' 'a damaged leaf' "$C/signature-leaf.bin"
verify 4 'certificate 2 of 2, leaf: ' 'a changed mask' "$C/mask-changed.bin"
verify 4 'certificate 1 of 2, root: ' 'a point off the curve' "$C/point.bin"
verify 3 'not base64 text' 'not base64' "$C/not-base64.b64"
verify 3 'certificate 1 of 2: type 0x0200' 'no certificate' "$C/type.bin"
verify 3 'is root, intermediates, leaf' 'a wrong order' "$C/first-is-leaf.bin"
verify 3 'extensions' 'extensions' "$C/extensions.bin"
verify 1 'No such file' 'no file' none.b64

# --- inspect
expect 0 'grants +0x4000 full-regression$' 'inspect' -- \
	provisor da certificate inspect leaf.b64
expect 0 'root hash +f16b0a8339daad693adc7348bcdb82248d17354bcc53ce1ac646b37a0c0f24c7' \
	'the general inspect' -- provisor inspect "$G/root-leaf.bin"
expect 0 '' 'as JSON' -- provisor --json inspect three.b64
members=$(jq -r '.format,.certificates[2].role,.permissions' "$T/out" | tr '\n' ' ')
ok 'its members' -- test "$members" = 'adac leaf 0x5000 '

# --- detached: the key is elsewhere
D="--role leaf --key $G/leaf.pub.pem --chain root.b64 --permissions full-regression --soc-class 0x484"
# shellcheck disable=SC2086
{
	ok 'what must be signed' -- make $D --vector-to-sign payload -o payload
	ok 'its digest' -- make $D --vector-to-sign digest -o digest
	openssl dgst -sha256 -binary payload >want
	same 'is SHA-256 of it' digest want
	openssl dgst -sha256 -sign "$G/root.pem" -out sig.der payload
	ok 'with the signature of openssl' -- make $D --signature sig.der -o detached.b64
	verify 0 '^verified: 2 signatures, root key' 'it verifies' detached.b64 \
		--root "$G/root.pub.pem"
	base64 <sig.der >sig.b64
	ok 'a signature in base64' -- make $D --signature sig.b64 -o base64.b64
	same 'gives the same' base64.b64 detached.b64
	base64 -d "$G/root-leaf.b64" | tail -c 64 >sig.raw
	ok 'a raw signature' -- make $D --signature sig.raw -o raw.b64
	same 'gives the golden chain' raw.b64 "$G/root-leaf.b64"
	openssl dgst -sha256 -sign "$G/leaf.pem" -out other.der payload
	expect 4 'the signature is not of the key of the last certificate' \
		'a signature of another key' -- make $D --signature other.der -o bad.b64
	head -c 63 sig.raw >short
	expect 3 'no ECDSA signature of P-256' 'no signature' -- \
		make $D --signature short -o bad.b64
}

# --- what is refused
bad() { # CODE PATTERN DESC OPTIONS
	_bc=$1 _bp=$2 _bd=$3
	shift 3
	rm -f bad.b64
	expect "$_bc" "$_bp" "$_bd" -- make "$@" -o bad.b64
	not_ok "no output: $_bd" -- test -e bad.b64
}
L="--role leaf --key $G/leaf.pem --chain root.b64 --issuer $G/root.pem"
# shellcheck disable=SC2086
{
	bad 5 'permissions 0x8000 are wider than those of the issuer, 0x5077' \
		'a wider mask' $L --permissions 0x8000
	bad 5 'the permissions are empty' 'an empty mask' $L --permissions 0x0
	bad 2 "'everything' is no permission" 'no mask' $L --permissions everything
	bad 2 '32 hex digits are wanted' 'a short SoC id' $L --permissions 0x4000 --soc-id 00
	bad 2 "role 'boss'" 'no role' --role boss --key "$G/root.pem" --permissions 1
}
bad 2 "is not the key of the last certificate" 'the key of somebody else' --role leaf \
	--key "$G/leaf.pem" --chain root.b64 --issuer "$G/leaf.pem" --permissions 0x4000
bad 2 'needs the chain of its issuer' 'a leaf alone' --role leaf --key "$G/leaf.pem" \
	--permissions 0x4000
bad 2 'the chain ends with a leaf' 'behind a leaf' --role leaf --key "$G/leaf.pem" \
	--chain leaf.b64 --issuer "$G/leaf.pem" --permissions 0x4000
bad 2 'a root certificate begins a chain' 'a second root' --role root \
	--key "$G/leaf.pem" --chain root.b64 --issuer "$G/root.pem" --permissions 0x4000
bad 5 'SoC class 0x485, and the issuer is for 0x484 only' 'another class' --role leaf \
	--key "$G/leaf.pem" --chain mid.b64 --issuer "$G/intermediate.pem" \
	--permissions 0x4000 --soc-class 0x485
bad 2 'option --issuer is missing|--issuer' 'no issuer' --role leaf --key "$G/leaf.pem" \
	--chain root.b64 --permissions 0x4000
bad 4 'certificate 1 of 2, root' 'a damaged chain' --role leaf --key "$G/leaf.pem" \
	--chain "$C/signature-root.bin" --issuer "$G/root.pem" --permissions 0x4000
expect 2 'followed by create, inspect or verify' 'no third word' -- provisor da certificate
expect 2 'followed by create, inspect or verify' 'another third word' -- \
	provisor da certificate make
expect 0 '^usage: provisor da certificate create --role' 'its help' -- \
	provisor da certificate create --help
openssl ecparam -name secp384r1 -genkey -noout -out p384.pem 2>/dev/null
bad 3 'takes P-256' 'a key of P-384' --role root --key p384.pem --permissions 0x4000

# --- keys in a token
if command -v softhsm2-util >/dev/null; then
	token oem
	for k in root leaf; do
		ok "the key '$k' in the token" -- provisor key generate \
			--token 'pkcs11:token=oem' --type ec-p256 --label "$k"
	done
	ok 'a root of the token' -- make --role root \
		--key 'pkcs11:token=oem;object=root' --permissions 0x5077 -o t.b64
	ok 'a leaf of the token' -- make --role leaf --key 'pkcs11:token=oem;object=leaf' \
		--chain t.b64 --issuer 'pkcs11:token=oem;object=root' \
		--permissions 0x4000 -o t2.b64
	ok 'the public key of the token' -- provisor key export-public \
		'pkcs11:token=oem;object=root' -o t.pem
	check t2.b64 1 t.pem
	check t2.b64 2 t.pem
	verify 0 'verified: 2 signatures, root key' 'verify with the token' t2.b64 \
		--root 'pkcs11:token=oem;object=root'
fi
done_testing
