#!/bin/sh
# sfi sign, verify-signature, push --require-signature: who released a package.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"
need openssl
# SoftHSM2 leaks a little when it signs with Ed25519; only with whole stacks
# can tests/lsan.supp tell whose leak it is.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:fast_unwind_on_malloc=0"

G="$TOP/fixtures/golden/signature"
C="$TOP/fixtures/corrupt/signature"
cd "$T" || exit 1
cp "$TOP/fixtures/golden/sfi-v1/package.sfi" app.sfi
pub="$G/test-only.pem"

verify() { # SIGNATURE
	provisor sfi verify-signature app.sfi --key "$pub" --signature "$1"
}

# --- keys in files: the same bytes every time, and openssl agrees
expect 0 'app.sfi.sig: ecdsa-p256-sha256 by key' 'sign with a P-256 key' -- \
	provisor sfi sign app.sfi --key "$G/test-only.key.pem"
same 'gives the golden signature' app.sfi.sig "$G/package.sfi.sig"
expect 0 "signed by .*test-only.pem' \(ecdsa-p256-sha256\)" 'it verifies' -- \
	provisor sfi verify-signature app.sfi --key "$pub"
signed_part() { # SIGNATURE-FILE
	printf 'provisor/sfi-signature/v1\000'
	head -c 84 "$1"
}
signed_part app.sfi.sig >message.bin
der() { # FILE OFFSET BYTES-PER-NUMBER: r and s as DER, for openssl
	_r=$(dd if="$1" bs=1 skip="$2" count="$3" 2>/dev/null | od -An -tx1 | tr -d ' \n')
	_s=$(dd if="$1" bs=1 skip=$(($2 + $3)) count="$3" 2>/dev/null | od -An -tx1 | tr -d ' \n')
	printf 'asn1=SEQUENCE:s\n[s]\nr=INTEGER:0x%s\ns=INTEGER:0x%s\n' "$_r" "$_s" >asn1
	openssl asn1parse -genconf asn1 -noout -out der
}
der app.sfi.sig 86 32
ok 'openssl verifies it' -- openssl dgst -sha256 -verify "$pub" -signature der message.bin
for alg in P-256 P-384 ED25519; do
	case $alg in
	P-*) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:$alg -out k.pem 2>/dev/null ;;
	*) openssl genpkey -algorithm $alg -out k.pem 2>/dev/null ;;
	esac
	openssl pkey -in k.pem -pubout -out p-$alg.pem
	ok "$alg: sign" -- provisor sfi sign app.sfi --key k.pem -o one.sig
	ok "$alg: sign again" -- provisor sfi sign app.sfi --key k.pem -o two.sig
	same "$alg: the same bytes" one.sig two.sig
	ok "$alg: verify" -- provisor sfi verify-signature app.sfi \
		--key p-$alg.pem --signature one.sig
	expect 4 'signed by another key' "$alg: another key" -- verify one.sig
	signed_part one.sig >message.bin
	case $alg in
	P-384)
		der one.sig 86 48
		ok 'openssl verifies P-384' -- openssl dgst -sha384 \
			-verify p-$alg.pem -signature der message.bin
		;;
	ED25519)
		tail -c 64 one.sig >raw
		ok 'openssl verifies Ed25519' -- openssl pkeyutl -verify -rawin \
			-pubin -inkey p-$alg.pem -sigfile raw -in message.bin
		;;
	esac
done
expect 0 '"algorithm":"ecdsa-p256-sha256"' 'as JSON' -- provisor --json sfi \
	verify-signature app.sfi --key "$pub"

# --- the package was changed
cp app.sfi other.sfi
printf x | dd of=other.sfi bs=1 seek=100 conv=notrunc 2>/dev/null
expect 4 'not the one that was signed' 'a changed package' -- provisor sfi \
	verify-signature other.sfi --key "$pub" --signature app.sfi.sig
head -c 200 app.sfi >other.sfi
expect 4 'has 200 bytes, the signed one had' 'a package cut short' -- provisor \
	sfi verify-signature other.sfi --key "$pub" --signature app.sfi.sig
expect 3 'inside the payload|bytes of payload|inside the header' \
	'what is no whole package is not signed' -- \
	provisor sfi sign other.sfi --key "$G/test-only.key.pem"
expect 3 'too short|does not start' 'nor is a text file' -- \
	provisor sfi sign "$pub" --key "$G/test-only.key.pem" -o x.sig
not_ok 'no signature appears' -- test -e x.sig -o -e other.sfi.sig

# --- signatures that are wrong: one file for each rule
ok 'the corrupt signatures are made again' -- \
	sh "$TOP/fixtures/corrupt/make-signature.sh" "$T/corrupt"
ok 'the same bytes' -- diff -r "$C" corrupt
bad() { # FILE CODE PATTERN
	expect "$2" "$3" "signature: $1" -- verify "$C/$1.sig"
}
bad empty 3 'does not start with PVSIGNAT'
bad magic 3 'does not start with PVSIGNAT'
bad version-2 3 'signature of version 2'
bad algorithm-0 3 'unknown signature algorithm 0'
bad algorithm-4 3 'unknown signature algorithm 4'
bad algorithm-other 4 'signed by ed25519, the key is for ecdsa-p256'
bad algorithm-p384 3 '64 bytes of signature, the algorithm has 96'
bad kind-2 3 'signature of kind 2'
bad file-size 4 'bytes, the signed one had'
bad digest 4 'not the one that was signed'
bad key-id 4 'signed by another key \(0000'
bad length-less 3 '63 bytes of signature'
bad signature-r 4 'signature does not verify'
bad signature-s 4 'signature does not verify'
bad signature-r-zero 4 'signature does not verify'
bad cut 3 'cut short at 149 bytes'
bad header-cut 3 'cut short at 40 bytes'
bad trailing 3 'bytes after the signature'
expect 1 'nosuch' 'no signature file' -- verify nosuch.sig

# --- keys that are wrong
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2>/dev/null
openssl pkey -in rsa.pem -pubout -out rsa-pub.pem
expect 3 'packages are not signed with rsa-2048' 'an RSA key cannot sign' -- \
	provisor sfi sign app.sfi --key rsa.pem -o x.sig
expect 3 'packages are not signed with rsa-2048' 'nor verify' -- provisor sfi verify-signature app.sfi \
	--key rsa-pub.pem
expect 3 'holds no PEM private key' 'a public key cannot sign' -- \
	provisor sfi sign app.sfi --key "$pub" -o x.sig
expect 3 'no PEM public key' 'a private key does not verify' -- provisor sfi \
	verify-signature app.sfi --key "$G/test-only.key.pem"

# --- a key behind a passphrase
openssl pkcs8 -topk8 -in "$G/test-only.key.pem" -passout pass:blue -out enc.pem
(umask 077 && echo blue >right && echo red >wrong)
expect 2 "'enc.pem' is encrypted and there is no terminal" 'no passphrase' -- \
	provisor sfi sign app.sfi --key enc.pem -o x.sig
expect 3 "'enc.pem': wrong passphrase" 'a wrong passphrase' -- \
	provisor sfi sign app.sfi --key enc.pem --passphrase-file wrong -o x.sig
not_ok 'nothing is written' -- test -e x.sig
expect 0 'ecdsa-p256' 'the right passphrase' -- \
	provisor sfi sign app.sfi --key enc.pem --passphrase-file right -o enc.sig
ok 'and by descriptor' -- sh -c \
	'provisor sfi sign app.sfi --key enc.pem --passphrase-fd 3 -o fd.sig 3<right'
same 'with the same signature' enc.sig fd.sig
expect 2 'one of the inputs' 'the key is not overwritten' -- \
	provisor sfi sign app.sfi --key "$G/test-only.key.pem" -o "$G/test-only.key.pem"
expect 2 '\-\-key is needed' 'sign without a key' -- provisor sfi sign app.sfi

# --- a key in a token, and a station that wants its signature
station 5
ok 'a release key in the token' -- provisor --quiet key generate \
	--token pkcs11:token=oem --type ec-p256 --label release
ok 'its public half' -- provisor key export-public \
	'pkcs11:token=oem;object=release' -o release.pem
expect 0 'ecdsa-p256-sha256' 'sign with it' -- provisor sfi sign app.sfi \
	--key 'pkcs11:token=oem;object=release'
ok 'the signature verifies' -- provisor sfi verify-signature app.sfi --key release.pem
for type in ec-p384 ed25519; do
	ok "a key of $type in the token" -- provisor --quiet key generate \
		--token pkcs11:token=oem --type $type --label $type
	ok 'its public half' -- provisor key export-public \
		"pkcs11:token=oem;object=$type" -o $type.pem
	ok 'sign with it' -- provisor sfi sign app.sfi -o $type.sig \
		--key "pkcs11:token=oem;object=$type"
	ok 'the signature verifies' -- provisor sfi verify-signature app.sfi \
		--key $type.pem --signature $type.sig
	expect 4 'another key' 'under that key only' -- provisor sfi \
		verify-signature app.sfi --key release.pem --signature $type.sig
done
expect 6 'no private key in token' 'an AES key does not sign' -- provisor sfi sign app.sfi \
	--key "$KEY" -o x.sig
vchip 1
push() { # FILE OPTIONS
	provisor push "$@" --port "usart:$T/tty1" --campaign spring \
		--require-signature release.pem
}
cp app.sfi unsigned.sfi
cp app.sfi forged.sfi
provisor sfi sign forged.sfi --key "$G/test-only.key.pem" >/dev/null 2>&1
expect 4 "'unsigned.sfi' is not signed: there is no 'unsigned.sfi.sig'" \
	'a station refuses an unsigned package' -- push unsigned.sfi
expect 4 'signed by another key' 'and one that somebody else signed' -- push forged.sfi
expect 4 'another key' 'in a dry run too' -- push forged.sfi --dry-run
expect 5 'only signed packages' 'and a plain image' -- provisor push \
	"$FW/blink.elf" --port "usart:$T/tty1" --require-signature release.pem
expect 2 'signature goes with' '--signature alone says nothing' -- provisor push \
	app.sfi --port "usart:$T/tty1" --campaign spring --signature app.sfi.sig
ok 'no license was spent' -- test "$(left)" = 5
flash_blank 1
expect 0 PASS 'a released package is installed' -- push app.sfi
expect 0 PASS 'the signature may lie elsewhere' -- push unsigned.sfi \
	--signature app.sfi.sig

done_testing
