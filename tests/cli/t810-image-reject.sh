#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What image sign and image verify refuse, why, and that nothing is left.
# shellcheck disable=SC2086 # lists of options
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/image.sh"
cd "$T" || exit 1
F="$TOP/fixtures/corrupt/mcuboot"
G="$TOP/fixtures/golden/mcuboot"
pub="$G/test-only-sign.pub.pem"
enc="$G/test-only-enc.pem"

# --- the good ones
good() {
	expect 0 "$2" "$1 verifies" -- provisor image verify --key "$pub" $3 "$G/$1.bin"
}
good plain '1 signature verified' ''
good worked-example 'encrypted' "--decrypt-key $enc"
good stirot '1 signature verified' ''
good padded '1 signature verified' '--slot-size 4096 --overwrite-only'
expect 0 '0 signatures' 'an unsigned one, if that is said' -- \
	provisor image verify --unsigned "$G/unsigned.bin"
expect 2 'encrypted, so its hash cannot be checked' 'an encrypted one without key' -- \
	provisor image verify --key "$pub" "$G/worked-example.bin"
expect 2 '--key is needed' 'a signed one without key' -- provisor image verify "$G/plain.bin"

# --- one file for each rule
bad() { # FILE CODE PATTERN [OPTIONS]
	seen="$seen $1"
	expect "$2" "$3" "$1" -- provisor image verify --key "$pub" --decrypt-key "$enc" ${4:-} "$F/$1.bin"
}
seen=""
bad magic 3 'not an MCUboot image'
bad header-cut 3 'cut short in the header, at 20 bytes'
bad header-size-31 3 'a header of 31 bytes'
bad last-word 3 'last word of the header is 0x00000001'
bad payload-cut 3 'cut short: header and payload have 52 bytes, the file has 50'
bad payload-size-huge 3 'cut short: header and payload have 4294967327 bytes'
bad protected-size 3 'header says 13 bytes of protected area, behind the payload are 12'
bad protected-size-4 3 'header says 4 bytes of protected area, behind the payload are 0'
bad protected-size-0 3 'header says 0 bytes of protected area, behind the payload are 12'
bad unprotected-magic 3 'no area of hash and signature'
bad unprotected-missing 3 'no area of hash and signature'
bad area-length-3 3 'unprotected area says that it has 3 bytes'
bad area-cut 3 'unprotected area of [0-9]+ bytes is cut short'
bad entry-past-end 3 'entry 4 goes past the end of the unprotected area'
bad entries-65 3 'more than 64 entries'
bad hash-length-31 3 'SHA-256 of 31 bytes'
bad hash-none 3 '0 hashes, not one'
bad hash-two 3 '2 hashes, not one'
bad counter-length-5 3 'security counter of 5 bytes'
bad counter-two 3 '2 security counters'
bad counter-unprotected 3 'security counter is in the unprotected area'
bad custom-unprotected 3 'type 0x12a0 is in the unprotected area'
bad key-hash-protected 3 'key hash is in the protected area'
bad dependency-length 3 'dependency of 11 bytes'
bad key-two 3 '2 image keys'
bad key-length 3 'image key ECIES-P256 of 112 bytes'
bad key-without-flag 3 'an image key, but the header does not say encrypted'
bad flag-without-key 3 'header says encrypted, but there is no image key'
bad flags-both 3 'say AES-128 and AES-256'
bad encrypted-odd 3 'payload of 20 bytes, no multiple of 16'
bad load-address 3 'load address 0x20000000 without a flag'
bad payload-bit 4 'not what was signed: SHA-256 differs'
bad version-bit 4 'SHA-256 differs'
bad fill-bit 4 'SHA-256 differs'
bad counter-bit 4 'SHA-256 differs'
bad hash-bit 4 'SHA-256 differs'
bad key-hash-bit 4 'no signature by key 1'
bad signature-bit 4 'signature does not verify'
bad signature-der 3 'no DER of ecdsa-p256'
bad signature-raw 3 'signature of 64 bytes that is no DER'
bad signature-zero 4 'signature does not verify'
bad signature-stirot 4 'has not the form of 72'
bad signature-missing 4 'the image is not signed'
bad trailing 4 '1 bytes behind the image are no trailer'
bad trailer-alignment 4 'for another --align' '--overwrite-only'
bad trailer-no-room 4 'do not fit the slot'
bad key-mac 4 'MAC differs'
bad key-sealed 4 'MAC differs'
bad key-point 4 'not one of ecdsa-p256|none of this key.s curve'
bad key-point-form 3 'ephemeral key begins with 0x02'
bad key-zero 4 'image key is all zeros'
bad encrypted-bit 4 'SHA-256 differs'
bad trailing-in-slot 4 'byte 0xfe at [0-9]+, behind the image' '--overwrite-only'
bad trailer-status 4 'byte 0x01 at 4056, in the trailer' '--max-sectors 16'
bad trailer-image-ok 4 'byte 0x03 at 4072, in the trailer' '--max-sectors 16'
bad hash-of-another-key 4 'SHA-384, and the loader of a key of ecdsa-p256-sha256 looks for SHA-256'
bad signature-second-wrong 4 'signature does not verify'
bad pure-of-p256 4 'says pure, which ecdsa-p256-sha256 never is'
bad pure-value 3 'signature is pure. has the value 0'
bad tag-without-license 3 'type 0x03a0 is in the unprotected area'
bad key-length-between 3 'image key ECIES-P256 of 114 bytes'
bad key-length-other 3 'image key ECIES-P256 of 129 bytes, the header says AES-128'
bad test-mark 5 'a test image'
for f in "$F"/*.bin; do
	n=$(basename "$f" .bin)
	case " $seen " in *" $n "*) ;; *) fail "$n has no test" ;; esac
done
expect 5 'security counter 16908291 is below 16908292' 'a counter that is used up' -- \
	provisor image verify --key "$pub" --min-security-counter 0x01020004 "$G/plain.bin"
expect 4 'the trailer ends at 4096, the slot at 8192' 'another slot' -- \
	provisor image verify --key "$pub" --overwrite-only --slot-size 8192 "$G/padded.bin"
expect 4 'do not fit the slot of 256' 'a slot too small' -- \
	provisor image verify --key "$pub" --slot-size 256 "$G/plain.bin"

# --- signing
keys
refuse() { # CODE PATTERN DESC OPTIONS
	_c=$1 _p=$2 _d=$3
	shift 3
	rm -f no.bin
	expect "$_c" "$_p" "$_d" -- provisor image sign --key p256.pem "$@" -o no.bin
	[ ! -e no.bin ] || fail "$_d: an output all the same"
}
V="--version 1.0.0 --pad-header"
refuse 3 'has an MCUboot header already' 'an image that is signed' $V "$G/plain.bin"
refuse 3 'has an MCUboot header already' 'the same without --pad-header' --version 1.0.0 "$G/plain.bin"
refuse 3 'does not begin with 512 zero bytes' 'no room for the header' --version 1.0.0 -H 512 fw.bin
refuse 3 'not even a header of 8192' 'shorter than the header' --version 1.0.0 -H 8192 fw.bin
refuse 2 'header-size 16 is out of its range' 'a header too small' $V -H 16 fw.bin
refuse 2 'header-size 65536 is out of its range' 'a header too large' $V -H 0x10000 fw.bin
refuse 3 'bytes more than the slot of 4096' 'larger than its slot' $V -S 4096 fw.bin
refuse 3 'trailer of 3120 are 1[0-9]+ bytes more than the slot of 8192' 'not with its trailer' \
	$V -H 0x200 --pad -S 8192 --max-sectors 128 fw.bin --custom-tlv 0xa0 "$(head -c 700 /dev/zero | tr '\0' x)"
refuse 2 'pad needs --slot-size' 'padding to nowhere' $V --pad fw.bin
refuse 2 'major number is larger than 255' 'version' --version 256.0.0 --pad-header fw.bin
refuse 2 'revision is larger than 65535' 'revision' --version 1.0.65536 --pad-header fw.bin
refuse 2 'is no version such as' 'no version' --version one --pad-header fw.bin
refuse 2 '--version is needed' 'version missing' --pad-header fw.bin
refuse 2 '4294967295' 'counter' $V -s 4294967296 fw.bin
refuse 2 'security-counter' 'counter in words' $V -s many fw.bin
refuse 2 'align .3. is none' 'alignment' $V --align 3 fw.bin
refuse 2 'max-align 8 is less than' 'alignments' $V --align 16 --max-align 8 fw.bin
refuse 2 'images are little-endian' 'byte order' $V -e big fw.bin
refuse 2 'not of the form' 'dependencies' $V -d '(1 1.0.0)' fw.bin
refuse 2 'image number' 'dependencies: number' $V -d '(300, 1.0.0)' fw.bin
refuse 2 '0x00a0 to 0xfffe are free' 'a custom entry of a known type' $V --custom-tlv 0x50 0x00 fw.bin
refuse 2 'stands twice' 'two custom entries' $V --custom-tlv 0xa0 a --custom-tlv 0xa0 b fw.bin
refuse 2 '0x54a0 is the mark of test images' 'a test mark by hand' $V --custom-tlv 0x54a0 provisor-test fw.bin
many=$(for i in $(seq 10 54); do echo "--custom-tlv 0x${i}a1:x"; done)
refuse 2 'more than 44 dependencies and custom' 'more entries than verify takes' $V $many fw.bin
ok 'as many as it takes' -- sh -c "
	provisor image sign -k p256.pem $V $(echo $many | sed 's/--custom-tlv 0x54a1:x//') fw.bin -o most.bin &&
	provisor image verify -k p256-pub.pem most.bin"
refuse 2 'no run of hex digits' 'a custom entry' $V --custom-tlv 0xa0 0xabc fw.bin
refuse 2 'longer than 12 characters' 'boot record' $V --boot-record thirteenchars fw.bin
refuse 2 'no UUID' 'UUID' $V --vid 1234 fw.bin
refuse 2 'mixed curves: .* ecdsa-p256.* X25519' 'P-256 with X25519' $V -E enc-x-pub.pem fw.bin
refuse 2 'mixed curves: .* RSA-2048' 'P-256 with RSA' $V -E enc-rsa-pub.pem fw.bin
refuse 2 'keys that need two hashes' 'P-256 with P-384' $V -k p384.pem fw.bin
refuse 2 'sha 512 does not go with' 'P-256 with SHA-512' $V --sha 512 fw.bin
refuse 2 'pure is for Ed25519' 'pure with P-256' $V --pure fw.bin
refuse 2 'hmac-sha 512 is for an X25519' 'HMAC with P-256' $V -E enc-ec-pub.pem --hmac-sha 512 fw.bin
refuse 2 'clear is for encrypted images' 'clear of what' $V --clear fw.bin
refuse 2 'wrapping key has 16 bytes, the image key 32' 'key lengths' $V --encrypt-kw kek16 --encrypt-keylen 256 fw.bin
refuse 5 'signing and encryption key are the same' 'one key for both' $V -E p256-pub.pem fw.bin
refuse 3 'is no key that images are encrypted to' 'encryption to P-384' $V -E p384-pub.pem fw.bin
refuse 3 'a wrapping key has 16 or 32 raw bytes' 'a wrapping key of another size' $V --encrypt-kw fw.bin fw.bin
refuse 2 'two outputs' 'two outputs' $V --otfdec 0 --flavor st-l5-sbsfu fw.bin out.bin
expect 2 'is Intel HEX, and the input has no address' 'HEX of raw bytes' -- \
	provisor image sign -k p256.pem $V fw.bin -o no.hex
not_ok 'and nothing is written' -- test -e no.hex
refuse 2 'stands twice' 'custom entries in one word' $V --custom-tlv 0xa0:a --custom-tlv 0xa0:b fw.bin
refuse 1 'creating .no/sig.' 'a signature into no folder' --sig-out no/sig $V fw.bin
refuse 2 'is the output as well' 'a signature over the image' --sig-out no.bin $V fw.bin
refuse 2 'sig-out and --vector-to-sign exclude' 'a signature before it is made' \
	--sig-out sig --vector-to-sign digest $V fw.bin
refuse 2 'batch names the outputs' 'a list and an output' --batch list $V
rm -f no.bin
expect 2 'sig-out: the image has no signature' 'a signature of an unsigned image' -- \
	provisor image sign $V --sig-out sig fw.bin -o no.bin
ed() { # PATTERN DESC OPTIONS
	_p=$1 _d=$2
	shift 2
	expect 2 "$_p" "$_d" -- provisor image sign --key ed.pem $V "$@" fw.bin -o no.bin
}
ed 'sha 384 does not go with a key of ed25519' 'Ed25519 with SHA-384' --sha 384
ed 'sha 256 does not go with --pure' 'pure with SHA-256' --pure --sha 256
ed 'two hashes: SHA-384 and that of a key of ed25519' 'Ed25519 with P-384' --key p384.pem
not_ok 'and no output of these' -- test -e no.bin
not_ok 'nor a signature' -- test -e sig

# --- a list
batch() { # CODE PATTERN DESC LIST [OPTIONS]
	_c=$1 _p=$2 _d=$3
	# shellcheck disable=SC2059 # the list has \n and \0
	printf "$4" >list
	shift 4
	rm -f one.bin two.bin
	expect "$_c" "$_p" "$_d" -- provisor image sign --key p256.pem $V --batch list "$@"
}
batch 3 "'list' is no text" 'a zero byte in a list' 'fw.bin one.bin\n\000\nfw.bin two.bin\n'
not_ok 'of which nothing is signed' -- test -e one.bin
batch 3 "'list' line 2: a line is 'IN OUT" 'a line with one word' '# c\nfw.bin\n'
batch 2 "'list' line 1: version '300.0.0'" 'a line with a wrong version' 'fw.bin one.bin 300.0.0\n'
not_ok 'makes no image' -- test -e one.bin
batch 1 "'list' line 2: .*nosuch" 'a line without firmware' 'fw.bin one.bin\nnosuch two.bin\n'
ok 'the line before is done' -- test -e one.bin
not_ok 'it is not' -- test -e two.bin
batch 2 'sig-out and --batch exclude' 'one signature of many images' 'fw.bin one.bin\n' --sig-out sig
not_ok 'signs nothing' -- test -e one.bin

refuse 1 'nosuch' 'no firmware' $V nosuch.bin
printf ':020000040800F2\n:0400000001020304F2\n:020000044002B8\n:0400000001020304F2\n:00000001FF\n' >far.hex
refuse 3 'more than 128 MiB of nothing before address 0x40020000' 'records far apart' $V far.hex
: >empty.bin
refuse 3 'empty' 'an empty firmware' $V empty.bin
expect 2 'is the input' 'over the input' -- provisor image sign -k p256.pem $V fw.bin -o fw.bin
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521.pem 2>/dev/null
expect 3 "'p521.pem' is no key of" 'a curve that no loader knows' -- \
	provisor image sign -k p521.pem $V fw.bin -o no.bin
expect 3 'holds no PEM private key' 'a public key to sign with' -- \
	provisor image sign -k p256-pub.pem $V fw.bin -o no.bin
openssl pkcs8 -topk8 -in p256.pem -passout pass:blue -out locked.pem
(umask 077 && echo red >wrong && echo blue >right)
expect 3 "'locked.pem': wrong passphrase" 'a wrong passphrase' -- \
	provisor image sign -k locked.pem --passphrase-file wrong $V fw.bin -o no.bin
expect 2 'no terminal to ask for its passphrase' 'no passphrase' -- \
	provisor image sign -k locked.pem $V fw.bin -o no.bin
not_ok 'nothing came of these' -- test -e no.bin
ok 'the right passphrase' -- sh -c "
	provisor image sign -k locked.pem --passphrase-file right $V fw.bin -o a.bin &&
	provisor image sign -k p256.pem $V fw.bin -o b.bin && cmp a.bin b.bin"
openssl ec -in p256.pem -aes128 -passout pass:blue -out sec1.pem 2>/dev/null
ok 'SEC1, encrypted the old way' -- sh -c "
	provisor image sign -k sec1.pem --passphrase-fd 3 $V fw.bin -o a.bin 3<right && cmp a.bin b.bin"
expect 2 'unknown image format' 'another format' -- provisor image sign --format zip fw.bin -o no.bin
expect 2 'number of|one key for each' 'a signature without its key' -- \
	provisor image sign $V --signature kek16 fw.bin -o no.bin
expect 2 'more than 4' 'five keys' -- provisor image sign $V -k ed.pem -k ed.pem -k ed.pem -k ed.pem -k ed.pem fw.bin -o no.bin
# --- a key is never the output
sum=$(cat p256.pem enc-ec.pem p256-pub.pem kek16 | openssl sha256)
over() { # OUTPUT OPTIONS
	_o=$1
	shift
	expect 2 'is one of the inputs' "not over $_o" -- provisor image sign $V "$@" fw.bin -o "$_o"
}
over p256.pem -k p256.pem
over ./p256.pem -k p256.pem
over enc-ec.pem -k p256.pem -E enc-ec.pem
over kek16 -k p256.pem --encrypt-kw kek16
over p256-pub.pem --vector-to-sign digest --public-key p256-pub.pem
expect 2 'is one of the inputs' 'nor --sig-out' -- \
	provisor image sign $V -k p256.pem --sig-out p256.pem fw.bin -o no.bin
printf 'fw.bin p256.pem\n' >list
expect 2 'is one of the inputs' 'nor a list' -- provisor image sign $V -k p256.pem --batch list
provisor image sign $V -k p256.pem -E enc-ec.pem fw.bin -o e.bin >"$T/out" 2>&1
expect 2 'is one of the inputs' 'nor decrypt' -- \
	provisor image decrypt --decrypt-key enc-ec.pem e.bin -o enc-ec.pem
expect 2 'is one of the inputs' 'nor key hash' -- \
	provisor key hash --device stm32mp15 p256.pem -o p256.pem
ok 'all keys are there' -- test "$sum" = "$(cat p256.pem enc-ec.pem p256-pub.pem kek16 | openssl sha256)"

# Loaders hash the key with its point uncompressed.
for k in p256 p384; do
	openssl ec -in $k.pem -conv_form compressed -out compressed.pem 2>/dev/null
	openssl ec -in $k-pub.pem -pubin -conv_form compressed -out compressed-pub.pem 2>/dev/null
	ok "$k: a key file with a compressed point gives the same image" -- sh -c "
		provisor image sign -k $k.pem $V fw.bin -o a.bin &&
		provisor image sign -k compressed.pem $V fw.bin -o b.bin && cmp a.bin b.bin &&
		provisor image verify -k compressed-pub.pem a.bin"
done
done_testing
