#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The flavors of ST with the options of its own templates (formats/mcuboot.md),
# compared byte by byte with tests/cli/mcuboot.py.
# shellcheck disable=SC2086 # lists of options
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/image.sh"
cd "$T" || exit 1
keys

C="-e little --pad-header -v 1.0.0 -s auto"
V="version=1.0.0 counter=0x01000000 st=1"
code() { # NAME FLAVOR SIGN-OPTIONS WITNESS-OPTIONS VERIFY-OPTIONS [OUTPUT]
	cell "$1" "--flavor $2 $C -H 0x400 $3" "$V hdr=0x400 $4" "--flavor $2 $5" "${6:-}"
}
K="-k p256.pem -E enc-ec-pub.pem"
D="--decrypt-key enc-ec.pem"
WK="key=p256-pub.pem decrypt=enc-ec.pem"

# --- STiRoT of STM32H5
M="magic=0x73ab1024"
X="-S 0x20000 --overwrite-only --align 16 -x 0x8000000"
code 'STiRoT code: fills the slot' st-h5-stirot "$K --pad $X" \
	"$M $WK slot=0x20000 pad=1 overwrite=1 align=16 base=0x8000000" \
	"-k p256-pub.pem $D -S 0x20000 --overwrite-only" out.hex
ok 'as the example of the description has it' -- sh -c "
	provisor --json image sign --flavor st-h5-stirot $C -H 0x400 $K --pad $X fw.bin -o ex.bin |
		jq -e '.payload_size == \"129728\" and .size == \"131072\"' &&
	provisor --json image inspect ex.bin | jq -e '
		.entries[1].name == \"boot record\" and .entries[1].data == \"000000\"'"
for n in 4990 4997 5007 5008; do
	head -c $n /dev/urandom >fw.bin
	code "STiRoT code of $n bytes, more entries" st-h5-stirot "$K --pad $X -d 1,1.0.0 --custom-tlv 0xa0 0x${n#?}0" \
		"$M $WK slot=0x20000 pad=1 overwrite=1 dep=1:1.0.0 custom=0xa0:${n#?}0" \
		"-k p256-pub.pem $D -S 0x20000 --overwrite-only"
done
code 'without the filler' st-h5-stirot "$K --pad $X --no-pad-tlv" \
	"$M $WK slot=0x20000 pad=1 overwrite=1 no_fill=1" "-k p256-pub.pem $D -S 0x20000"
code 'STiRoT code init: clear, confirmed' st-h5-stirot "$K $X -c --confirm" \
	"$M $WK slot=0x20000 confirm=1 overwrite=1 clear=1" '-k p256-pub.pem -S 0x20000'
code 'STiRoT code, not encrypted: no filler' st-h5-stirot "-k p256.pem --pad $X" \
	"$M key=p256-pub.pem slot=0x20000 pad=1 overwrite=1" '-k p256-pub.pem -S 0x20000'
M="magic=0x55f7394e"
cell 'STiRoT data' "--flavour st-h5-stirot-data $C -H 0x20 $K --pad -S 0x2000 --overwrite-only --align 16" \
	"$V $M $WK hdr=0x20 slot=0x2000 pad=1 overwrite=1" "-k p256-pub.pem $D -S 0x2000 --overwrite-only"
cell 'STiRoT data init: no key' "--flavor st-h5-stirot-data $C -H 0x20 -S 0x2000 --overwrite-only" \
	"$V $M hdr=0x20 slot=0x2000 overwrite=1" "--unsigned -S 0x2000 --overwrite-only"

# --- OEMiRoT, OEMuRoT
for f in st-oemirot st-oemurot; do
	code "$f, secure code" $f "$K --pad -M 0 --align 16 -S 0x6000 -x 0x8012000" \
		"$WK slot=0x6000 pad=1 sectors=0 align=16 base=0x8012000" \
		"-k p256-pub.pem $D -S 0x6000 -M 0" s.hex
	code "$f, non-secure code" $f "$K --pad -M 0 --overwrite-only --align 16 -S 0x10000 -d 0,1.0.0" \
		"$WK slot=0x10000 pad=1 overwrite=1 dep=0:1.0.0" \
		"-k p256-pub.pem $D -S 0x10000 --overwrite-only"
	code "$f, init" $f "$K -c --confirm -M 0 -S 0x6000 --align 16" \
		"$WK slot=0x6000 confirm=1 sectors=0 align=16 clear=1" '-k p256-pub.pem -S 0x6000 -M 0'
done
code 'OEMiRoT on H7RS' st-oemirot "$K --pad --overwrite-only --align 4 -M 33 -S 0x200000 -x 0x90200000" \
	"$WK slot=0x200000 pad=1 overwrite=1 align=4" "-k p256-pub.pem $D -S 0x200000 --overwrite-only --align 4"
code 'OEMiRoT on WBA, boot record' st-oemirot "$K --overwrite-only --align 16 -M 0 --boot-record NSPE" \
	"$WK overwrite=1 record=NSPE" "-k p256-pub.pem $D"
code 'OEMiRoT, RSA' st-oemirot "-k rsa2048.pem -E enc-rsa-pub.pem --pad -M 0 -S 0x6000" \
	'key=rsa2048-pub.pem decrypt=enc-rsa.pem slot=0x6000 pad=1 sectors=0 align=16' \
	'-k rsa2048-pub.pem --decrypt-key enc-rsa.pem -S 0x6000 -M 0'
code 'OEMiRoT, signature of 72 bytes' st-oemirot "-k p256.pem --pad-sig" \
	'key=p256-pub.pem padsig=1' '-k p256-pub.pem'
code 'OEMiRoT, swap with the image key in the trailer' st-oemirot \
	"$K --pad --save-enctlv -S 0x10000" "$WK slot=0x10000 pad=1 enctlv=1 align=16" \
	"-k p256-pub.pem $D -S 0x10000 --save-enctlv"

# --- one slot
code 'H503: encryption flagged after the hash' st-h503-oemirot \
	"$K --pad --overwrite-only --align 16 -S 0xE000 -x 0x8012000" \
	"$WK slot=0xE000 pad=1 primary=1 base=0x8012000" "-k p256-pub.pem $D -S 0xE000" p.hex
code 'H503 init: not encrypted' st-h503-oemirot '-k p256.pem --pad --primary-only -S 0xE000' \
	'key=p256-pub.pem slot=0xE000 pad=1 primary=1' '-k p256-pub.pem -S 0xE000'
code 'H7RS STiRoT' st-h7rs-stirot "$K --pad --primary-only --align 16 -S 0x10000" \
	"magic=0xc1592ee9 $WK slot=0x10000 pad=1 primary=1" "-k p256-pub.pem $D -S 0x10000"

# --- U5, L5
code 'U5 SBSFU, swap' st-u5-sbsfu "$K --align 16 -S 0x10000 --pad -M 9 -d (1,1.0.0)(2,1.2.0)" \
	"$WK slot=0x10000 pad=1 sectors=9 align=16 dep=1:1.0.0 dep=2:1.2.0" \
	"-k p256-pub.pem $D -S 0x10000 -M 9"
code 'U5 SBSFU, RSA-3072' st-u5-sbsfu '-k rsa3072.pem -E enc-rsa-pub.pem --overwrite-only' \
	'key=rsa3072-pub.pem decrypt=enc-rsa.pem overwrite=1' '-k rsa3072-pub.pem --decrypt-key enc-rsa.pem'
code 'L5: OTFDEC' st-l5-sbsfu "$K --align 8 --otfdec 0x90000000" "$WK otfdec=1 align=8" "-k p256-pub.pem"
expect 0 'good' 'OTFDEC: the image key is checked as well' -- \
	provisor image verify --flavor st-l5-sbsfu -k p256-pub.pem $D signed.bin
ok 'OTFDEC: the firmware alone' -- sh -c "
	provisor image decrypt --flavor st-l5-sbsfu $D --payload-only signed.bin -o p.bin &&
	head -c 5008 p.bin | cmp - fw.bin"
ok "ST's -o, where the output is an argument" -- sh -c "
	provisor image sign --flavor st-l5-sbsfu $C -H 0x400 $K --deterministic-test s -o 0x90000000 fw.bin a.bin &&
	provisor image sign --flavor st-l5-sbsfu $C -H 0x400 $K --deterministic-test s --otfdec 0x90000000 fw.bin -o b.bin &&
	cmp a.bin b.bin"
ok "ST's -ma" -- sh -c "
	provisor image sign --flavor st-oemirot -ma 0x55f7394e $C -H 0x20 fw.bin -o a.bin &&
	provisor image sign --flavor st-h5-stirot-data $C -H 0x20 fw.bin -o b.bin && cmp a.bin b.bin"

# --- what does not go together
r() { # CODE PATTERN FLAVOR OPTIONS
	rm -f no.bin
	expect "$1" "$2" "$3: $4" -- provisor image sign --flavor $3 $C -H 0x400 $4 fw.bin -o no.bin
	[ "$1" = 0 ] || [ ! -e no.bin ] || fail 'an output all the same'
}
r 2 'does not take a key of ecdsa-p384' st-h5-stirot '-k p384.pem'
r 2 'does not take a key of rsa-2048' st-h5-stirot '-k rsa2048.pem'
r 2 'does not take a key of ed25519' st-oemirot '-k ed.pem'
r 2 'neither --primary-only nor' st-h5-stirot '-k p256.pem --primary-only'
r 2 'neither --primary-only nor' st-h5-stirot "$K --otfdec 0 -S 0x8000"
r 2 'exclude each other' st-h503-oemirot "$K --clear"
r 2 'encrypts with AES-128' st-oemirot "$K --encrypt-keylen 256"
r 2 'does not know X25519' st-oemirot '-k p256.pem -E enc-x-pub.pem'
r 2 'fills its slot: --slot-size is needed' st-h5-stirot "$K"
r 2 'one signature, not 2' st-h5-stirot '-k p256.pem -k other.pem'
r 2 "needs a flavor of ST" mcuboot '-k p256.pem --primary-only'
r 2 "needs a flavor of ST" mcuboot '-ma 0x73ab1024'
r 2 "unknown flavor 'st-f4'" st-f4 ''
r 3 'bytes more than the slot' st-h5-stirot "$K -S 0x1000"
r 3 'which no filler can take' st-h5-stirot "$K -S 0x18cb"
r 0 'marks nothing' st-h5-stirot '-k p256.pem --confirm -S 0x8000'
rm -f no.bin
expect 4 "is not that of flavor 'st-oemirot'" 'another magic than the flavor' -- \
	provisor image verify --flavor st-oemirot -k p256-pub.pem ex.bin
done_testing
