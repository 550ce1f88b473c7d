#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# image sign and verify for upstream MCUboot: every kind of key with every kind
# of encryption, trailers, entries. Each image is made again by an independent
# program that leaves signatures and ciphers to openssl.
# shellcheck disable=SC2086 # lists of options
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/image.sh"
cd "$T" || exit 1
keys

# --- keys and encryption: the table of formats/mcuboot.md
sign() { # NAME KEY WITNESS-OPTIONS SIGN-OPTIONS [VERIFY-OPTIONS]
	cell "$1" "$B --key $2.pem $4" "$W key=$2-pub.pem $3" "--key $2-pub.pem ${5:-}"
}
for k in p256 rsa2048 rsa3072 ed; do
	sign "$k" $k "" ""
done
sign 'p384' p384 sha=384 ""
sign 'ed25519, SHA-512' ed sha=512 '--sha 512'
sign 'ed25519, pure' ed 'sha=512 pure=1' --pure
sign 'the key itself' p256 full=1 '--public-key-format full'
sign 'the key itself, RSA' rsa2048 full=1 '--public-key-format full'
sign 'signature of full length' p256 padsig=1 --pad-sig
for n in 128 256; do
	e="--encrypt-keylen $n"
	for k in p256 p384; do
		sha=256
		[ $k = p384 ] && sha=384
		sign "$k, ECIES-P256, AES-$n" $k "sha=$sha decrypt=enc-ec.pem" \
			"-E enc-ec-pub.pem $e" '--decrypt-key enc-ec.pem'
	done
	for k in rsa2048 rsa3072; do
		sign "$k, RSA-OAEP, AES-$n" $k decrypt=enc-rsa.pem \
			"-E enc-rsa-pub.pem $e" '--decrypt-key enc-rsa.pem'
	done
	for h in 256 512; do
		sign "ed25519, X25519 with HMAC-SHA$h, AES-$n" ed decrypt=enc-x.pem \
			"-E enc-x-pub.pem $e --hmac-sha $h" '--decrypt-key enc-x.pem'
	done
	kek=kek$((n / 8))
	sign "p256, AES-KW, AES-$n" p256 kw=$kek "--encrypt-kw $kek $e" "--decrypt-kw $kek"
done
sign 'pure and encrypted' ed 'sha=512 pure=1 decrypt=enc-x.pem' \
	'--pure -E enc-x-pub.pem' '--decrypt-key enc-x.pem'
sign 'encrypted, left clear' p256 'clear=1 decrypt=enc-ec.pem' \
	'-E enc-ec-pub.pem --clear' ''
sign 'a private key to encrypt to: only its public half' p256 decrypt=enc-ec.pem \
	'-E enc-ec.pem' '--decrypt-key enc-ec.pem'

# --- entries, in the order of imgtool whatever the order of the options
sign 'all entries' p256 "record=SPE dep=1:1.2.3+0 dep=2:0.1.0 custom=0x00a0:aabb
	custom=0x12f0:68656c6c6f vid=00112233445566778899aabbccddeeff
	cid=ffeeddccbbaa99887766554433221100 flags=0x10" \
	"--custom-tlv 0xa0 0xaabb --custom-tlv 0x12f0 hello --boot-record SPE
	--vid 00112233-4455-6677-8899-aabbccddeeff --non-bootable
	--cid ffeeddccbbaa99887766554433221100 -d (1,1.2.3+0)(2,0.1.0)"
sign 'load address' p256 'flags=0x20 load=0x20000000' '--load-addr 0x20000000'
sign 'ROM address' p256 'flags=0x100 load=0x8000000' '--rom-fixed 0x8000000'
provisor image sign $B --key p256.pem fw.bin -o a.bin >/dev/null
ok 'the boot record is what its description says' -- sh -c "
	provisor image sign -k p256.pem $B --boot-record SPE fw.bin -o b.bin >/dev/null &&
	provisor --json image inspect b.bin | jq -e '
		.entries[1].name == \"boot record\" and .entries[1].length == 91 and
		(.entries[1].data | startswith(\"a501635350450465312e322e33055820\"))'"

# --- trailers
S="--slot-size 0x8000 --pad"
sign 'trailer of swap' p256 'slot=0x8000 pad=1' "$S" '--slot-size 0x8000'
for a in 1 2 4 16 32; do
	sign "trailer, alignment $a" p256 "slot=0x8000 pad=1 align=$a" "$S --align $a" \
		"--slot-size 0x8000 --align $a"
done
sign 'trailer, larger slots elsewhere' p256 'slot=0x8000 pad=1 align=4 max_align=32' \
	"$S --align 4 --max-align 32" '--align 4 --max-align 32 --slot-size 0x8000'
sign 'trailer, sectors' p256 'slot=0x8000 pad=1 sectors=300' "$S --max-sectors 300" \
	'--slot-size 0x8000 --max-sectors 300'
sign 'trailer, confirmed' p256 'slot=0x8000 confirm=1' '-S 0x8000 --confirm' ''
sign 'trailer of overwrite' p256 'slot=0x8000 pad=1 overwrite=1' "$S --overwrite-only" \
	'--slot-size 0x8000 --overwrite-only'
sign 'trailer, encrypted' p256 'slot=0x8000 pad=1 decrypt=enc-ec.pem' \
	"$S -E enc-ec-pub.pem" '--slot-size 0x8000 --decrypt-key enc-ec.pem'
sign 'trailer, with the image key' p256 'slot=0x8000 pad=1 enctlv=1 decrypt=enc-ec.pem' \
	"$S -E enc-ec-pub.pem --save-enctlv" \
	'--slot-size 0x8000 --save-enctlv --decrypt-key enc-ec.pem'
sign 'erased to zero' p256 'slot=0x8000 pad=1 erased=0' "$S --erased-val 0" ''

# --- HEX in and out
hexed() {
	cell "$1" "$B --key p256.pem $2" "$W key=p256-pub.pem $3" "--key p256-pub.pem" out.hex
}
hexed 'HEX' '--hex-addr 0x8000000' base=0x8000000
hexed 'HEX, trailer' "--hex-addr 0x800fff0 $S" 'base=0x800fff0 pad=1 slot=0x8000'
hexed 'HEX, confirmed' '--hex-addr 0x8000000 --confirm -S 0x8000' \
	'base=0x8000000 confirm=1 slot=0x8000'
ok 'imgtool leaves erased bytes of the trailer out of HEX' -- \
	test "$(wc -l <out.hex)" -lt 400
objcopy=$(command -v objcopy || command -v arm-none-eabi-objcopy)
$objcopy -I binary -O ihex --change-addresses 0x8000200 fw.bin fw.hex
expect 0 'good' 'HEX in: the header goes before its address' -- sh -c "
	provisor image sign $B -k p256.pem fw.hex -o in.hex && provisor image verify -k p256-pub.pem in.hex"
ok 'the same bytes as by name of the address' -- sh -c "
	provisor image sign $B -k p256.pem -x 0x8000000 fw.bin -o ref.hex && cmp ref.hex in.hex"
ok 'other programs read it' -- sh -c "$objcopy -I ihex -O binary in.hex in.bin && cmp in.bin a.bin"

# --- without --pad-header the firmware brings zeros
(head -c 512 /dev/zero && cat fw.bin) >zeros.bin
N="--version 1.2.3+4 -s auto --header-size 0x200"
ok 'room in the firmware' -- sh -c "
	provisor image sign $N -k p256.pem zeros.bin -o z.bin && provisor image verify -k p256-pub.pem z.bin &&
	'$WITNESS' z.bin fw.bin $W key=p256-pub.pem fill=0"

# --- several signatures
sign 'two signatures' p256 'key=rsa2048-pub.pem' '--key rsa2048.pem' '--key rsa2048-pub.pem'
expect 0 'warning: 1 signatures are by keys that were not given' 'one of them is enough' -- \
	provisor image verify -k rsa2048-pub.pem signed.bin
expect 4 'no signature by key 2' 'but not any other' -- \
	provisor image verify -k p256-pub.pem -k other-pub.pem signed.bin

# --- imgtool's own command line
ok 'FILE OUTPUT, short letters, dependencies in brackets' -- sh -c "
	provisor image sign -k p256.pem --align 8 -v 1.2.3+4 -s auto -H 0x200 --pad-header \
		-S 0x8000 --pad -M 128 -e little -d '(1, 1.2.3+0)(2, 0.1.0)' -x 0x8000000 \
		fw.bin imgtool.bin &&
	'$WITNESS' imgtool.bin fw.bin $W key=p256-pub.pem slot=0x8000 pad=1 dep=1:1.2.3 dep=2:0.1.0"

# --- same inputs, same bytes
for k in p256 p384 rsa3072 ed; do
	provisor image sign $B -k $k.pem fw.bin -o one.bin >/dev/null
	provisor image sign $B -k $k.pem fw.bin -o two.bin >/dev/null
	same "$k: the same image again" one.bin two.bin
done
E="$B -k p256.pem -E enc-ec-pub.pem"
provisor image sign $E fw.bin -o one.bin >/dev/null
provisor image sign $E fw.bin -o two.bin >/dev/null
not_ok 'image keys are fresh' -- cmp one.bin two.bin
for e in 'p256.pem -E enc-ec-pub.pem' 'rsa2048.pem -E enc-rsa-pub.pem' 'ed.pem -E enc-x-pub.pem'; do
	provisor image sign $B -k $e --deterministic-test s1 fw.bin -o one.bin >/dev/null
	provisor image sign $B -k $e --deterministic-test s1 fw.bin -o two.bin >/dev/null
	same "seeded: $e" one.bin two.bin
done
expect 5 'a test image: its keys come from a seed' 'a test image is refused' -- \
	provisor image verify -k ed-pub.pem --decrypt-key enc-x.pem one.bin
expect 0 'warning: a test image' 'unless tests are allowed' -- \
	provisor image verify -k ed-pub.pem --decrypt-key enc-x.pem --allow-test one.bin
provisor image sign $B -k ed.pem -E enc-x-pub.pem --deterministic-test s2 fw.bin -o two.bin >/dev/null
not_ok 'another seed, other keys' -- cmp one.bin two.bin

# --- made elsewhere: only public keys here
for k in p256 p384 rsa2048 ed; do
	V="$B --public-key $k-pub.pem"
	provisor image sign $V --vector-to-sign digest fw.bin -o d >"$T/out" 2>&1
	case $k in
	p256) openssl pkeyutl -sign -inkey $k.pem -in d -out sig ;;
	p384) openssl pkeyutl -sign -inkey $k.pem -in d | openssl base64 >sig ;;
	rsa2048) openssl pkeyutl -sign -inkey $k.pem -in d -out sig -pkeyopt digest:sha256 \
		-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:32 ;;
	ed) openssl pkeyutl -sign -inkey $k.pem -rawin -in d -out sig ;;
	esac
	expect 0 'good' "$k: a digest signed by openssl" -- sh -c "
		provisor image sign $V --signature sig fw.bin -o s.bin && provisor image verify -k $k-pub.pem s.bin"
done
V="$B --public-key ed-pub.pem --pure"
ok 'the bytes signed by openssl' -- sh -c "
	provisor image sign $V --vector-to-sign payload fw.bin -o p &&
	openssl pkeyutl -sign -inkey ed.pem -rawin -in p -out sig &&
	provisor image sign $V --fix-sig sig --sig-out out.sig fw.bin -o s.bin &&
	provisor image verify -k ed-pub.pem s.bin && openssl base64 -d -A -in out.sig | cmp - sig"
ok 'vector and digest agree' -- sh -c "
	provisor image sign $B --vector-to-sign payload fw.bin -o p &&
	provisor image sign $B --vector-to-sign digest fw.bin -o d &&
	openssl dgst -sha256 -binary p | cmp - d"
expect 4 'not of this image by this key' 'a signature of something else' -- \
	provisor image sign $B --public-key ed-pub.pem --signature sig fw.bin -o no.bin
not_ok 'and no image' -- test -e no.bin

ok '--test is --pad, as in imgtool' -- sh -c "
	provisor image sign -k p256.pem $B -S 0x4000 -M 8 --pad fw.bin -o a.bin &&
	provisor image sign -k p256.pem $B -S 0x4000 -M 8 --test fw.bin -o b.bin && cmp a.bin b.bin"

# --- decrypt, encrypt
provisor image sign $E $S fw.bin -o e.bin >/dev/null
ok 'decrypt, encrypt: the same image' -- sh -c '
	provisor image decrypt --decrypt-key enc-ec.pem e.bin -o c.bin &&
	provisor image encrypt --decrypt-key enc-ec.pem c.bin -o e2.bin && cmp e.bin e2.bin'
ok 'what was decrypted is for its owner only' -- test "$(stat -c %a c.bin) $(stat -c %a e2.bin)" = '600 644'
ok 'the firmware alone' -- sh -c '
	provisor image decrypt --decrypt-key enc-ec.pem --payload-only e.bin -o p.bin &&
	head -c 5003 p.bin | cmp - fw.bin'
expect 0 'plain although there is an image key' 'the clear one verifies, loudly' -- \
	provisor image verify -k p256-pub.pem c.bin
expect 4 'clear already' 'decrypting a clear one' -- \
	provisor image decrypt --decrypt-key enc-ec.pem c.bin -o x.bin
expect 4 'not clear' 'encrypting an encrypted one' -- \
	provisor image encrypt --decrypt-key enc-ec.pem e.bin -o x.bin
expect 4 'MAC differs' 'with another key' -- \
	provisor image decrypt --decrypt-key other.pem e.bin -o x.bin
not_ok 'nothing came of these' -- test -e x.bin

# --- inspect, push
expect 0 'security counter +16908291' 'image inspect' -- provisor image inspect e.bin
expect 0 'MCUboot' 'inspect knows the image' -- provisor inspect e.bin
ok 'and says the same in JSON' -- sh -c '
	provisor --json inspect in.hex | jq -e ".format == \"mcuboot\" and .entries[0].name == \"security counter\""'
done_testing
