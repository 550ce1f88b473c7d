#!/bin/sh
# sfi: bad input is named, with the right exit code, and nothing is written.
. "$(dirname "$0")/lib.sh"

G="$TOP/fixtures/golden/sfi-v1"
C="$TOP/fixtures/corrupt"
FW="$TOP/fixtures/firmware"
cd "$T" || exit 1
printf AES_KEY_TEST_001 >k
printf AES_KEY_TEST_002 >k2
printf NONCE_TEST01 >n
printf NONCE_TEST02 >n2
printf short >short

pack() {
	provisor sfi pack --chip stm32h563 --key k --image-version 1 -o x.sfi "$@"
}
verify() {
	provisor sfi verify "$1" --key k --nonce n
}

# --- packages whose layout is wrong: one file for each rule
layout() { # FILE PATTERN CODE-OF-VERIFY
	expect 3 "$2" "inspect: $1" -- provisor sfi inspect "$C/sfi/$1.sfi"
	expect "$3" . "verify: $1" -- verify "$C/sfi/$1.sfi"
	expect "$3" . "unpack: $1" -- \
		provisor sfi unpack "$C/sfi/$1.sfi" --key k --nonce n -d plain
}
layout empty '0 bytes, too short' 3
layout magic 'does not start with SFIMAGIC' 3
layout header-cut '27 bytes, too short' 4
layout no-areas-left 'inside the header of area 1 of 3' 4
layout area-header-cut 'inside the header of area 1 of 3' 4
layout payload-cut 'area 3: 48 bytes of payload, but the file has 47' 4
layout last-area-missing 'inside the header of area 3 of 3' 4
layout version-3 'protocol version 3, this program knows 1 and 2' 4
layout version-0 'protocol version 0' 4
layout version-0x101 'protocol version 257' 4
layout type-not-letter 'area 1: type 0x31 is not a letter' 4
layout index-from-0 'area 1: carries index 0' 4
layout index-repeats 'area 2: carries index 1' 4
layout index-skips 'area 2: carries index 3' 4
layout total-differs 'area 1: says there are 4 areas, the file header says 3' 4
layout header-total-less 'area 1: says there are 3 areas, the file header says 2' 4
layout header-total-more 'area 1: says there are 3 areas, the file header says 4' 4
layout size-past-end 'area 1: 2130706533 bytes of payload' 4
layout size-one-less '1 bytes after the last area' 4
layout trailing-byte '1 bytes after the last area' 4

# --- packages whose layout is right: the tags tell
tags() { # FILE PATTERN
	ok "inspect: $1 looks whole" -- provisor sfi inspect "$C/sfi-tags/$1.sfi"
	expect 4 "$2" "verify: $1" -- verify "$C/sfi-tags/$1.sfi"
	expect 4 "$2" "unpack: $1" -- \
		provisor sfi unpack "$C/sfi-tags/$1.sfi" --key k --nonce n -d plain
}
tags header-tag 'tag of the file header does not verify'
tags area-version 'area 1 of 3 .*does not verify'
tags area-address 'area 1 of 3 .*0x08000100.*does not verify'
tags area-type 'area 1 of 3 \(f,.*does not verify'
tags area-tag 'area 1 of 3'
tags payload-first 'area 1 of 3'
tags payload-last 'area 3 of 3'
expect 4 'wrong key, wrong nonce' 'a wrong key' -- \
	provisor sfi verify "$G/package.sfi" --key k2 --nonce n
expect 4 'wrong key, wrong nonce' 'a wrong nonce' -- \
	provisor sfi verify "$G/package.sfi" --key k --nonce n2
expect 4 'calibrate' 'another iv-add' -- provisor sfi verify \
	"$G/package.sfi" --key k --nonce n --iv-add le32-hi
not_ok 'no plaintext was written' -- test -e plain

# --- option bytes: one file for each rule
options() { # FILE PATTERN
	expect 3 "$2" "option bytes: $1" -- pack --firmware "$FW/blink.elf" \
		--option-bytes "$C/options/$1.csv"
}
options eleven-rows '11 rows, the chip has 12 option words'
options thirteen-rows '13 rows, the chip has 12'
options empty "empty.csv': no rows"
options header-line 'line 1: the value is not a number'
options comment 'line 1: comments are not part of the format'
options semicolon 'line 1: no comma'
options three-columns 'line 3: more than two columns'
options no-name 'line 4: no register name'
options no-value 'line 5: no value'
options value-33-bits 'line 6: the value does not fit 32 bits'
options value-not-hex 'line 7: the value is not a number'
options leading-zero 'line 8: .*leading zero'
options name-with-blank 'line 9: a register name has letters'
options empty-line 'line 3: empty line between rows'
options byte-order-mark 'line 1: byte 0xef'
options cr-only 'line 1: byte 0x0d'
options too-many-rows 'line 33: more than 32 rows'
options long-line 'line 1: longer than 256 bytes'
options long-name 'line 1: register name of 64 characters'
options too-large 'larger than 8192 bytes'

# --- option bytes that lock a chip for ever
sed 's/^OPTSR_PRG,.*/OPTSR_PRG,0x2D305CF8/' "$G/options.csv" >locked.csv
expect 5 'PRODUCT_STATE locked' 'locking a chip needs a word' -- \
	pack --firmware "$FW/blink.elf" --option-bytes locked.csv
expect 0 'irreversible: PRODUCT_STATE locked' 'a dry run lists it' -- \
	pack --firmware "$FW/blink.elf" --option-bytes locked.csv --dry-run
not_ok 'nothing was written' -- test -e x.sfi -o -e x.sfi.nonce
expect 0 'irreversible: PRODUCT_STATE locked' '--yes-irreversible' -- \
	provisor sfi pack --chip stm32h563 --key k --image-version 1 -o lock.sfi \
	--firmware "$FW/blink.elf" --option-bytes locked.csv --yes-irreversible
printf 'FOPTSR_PRG,0x1BF6CCF0\nA,0\nB,0\nC,0\nD,0\nE,0\nF,0\nG,0\nRFU,0\n' >rdp2.csv
expect 5 'RDP level 2' 'RDP level 2 needs a word' -- provisor sfi pack \
	--chip stm32h753 --key k --image-version 1 -o x.sfi \
	--firmware "$FW/blink.elf" --option-bytes rdp2.csv

# --- what is missing or does not fit
expect 2 '\-\-chip is needed' 'no chip' -- provisor sfi pack \
	--firmware "$FW/blink.elf" --key k --image-version 1 -o x.sfi
expect 2 '\-\-image-version is needed' 'no image version' -- provisor sfi pack \
	--chip h563 --firmware "$FW/blink.elf" --key k -o x.sfi
expect 2 '\-\-firmware is needed' 'no firmware' -- pack
expect 2 '\-\-key is needed' 'no key' -- provisor sfi pack --chip h563 \
	--firmware "$FW/blink.elf" --image-version 1 -o x.sfi
expect 2 'image-version' 'image version 256' -- provisor sfi pack --chip h563 \
	--firmware "$FW/blink.elf" --key k --image-version 256 -o x.sfi
expect 2 'profile' 'an unknown profile' -- pack --firmware "$FW/blink.elf" --profile v3
expect 2 'iv-add' 'an unknown iv-add' -- pack --firmware "$FW/blink.elf" --iv-add be32
expect 3 'nosuch' 'an unknown chip' -- provisor sfi pack --chip nosuch \
	--firmware "$FW/blink.elf" --key k --image-version 1 -o x.sfi
expect 3 '0x08200000' 'firmware outside of flash' -- \
	pack --firmware "$G/low.bin@0x08200000"
expect 2 . 'a raw file without an address' -- pack --firmware "$G/low.bin"
expect 3 '5 bytes, .*16' 'a key of 5 bytes' -- provisor sfi pack --chip h563 \
	--firmware "$FW/blink.elf" --key short --image-version 1 -o x.sfi
expect 3 'holds 5 bytes, 12 are needed' 'a nonce of 5 bytes' -- \
	pack --firmware "$FW/blink.elf" --nonce short
expect 1 'missing' 'a key file that is not there' -- provisor sfi pack \
	--chip h563 --firmware "$FW/blink.elf" --key missing --image-version 1 -o x.sfi
expect 1 'missing' 'a package that is not there' -- verify missing
expect 2 'one of the inputs' 'the key as output' -- provisor sfi pack \
	--chip h563 --firmware "$FW/blink.elf" --key k --image-version 1 -o k
cp "$FW/blink.elf" a.elf
expect 2 'one of the inputs' 'the firmware as output' -- provisor sfi pack \
	--chip h563 --firmware a.elf --key k --image-version 1 -o ./a.elf
cp "$G/low.bin" raw.bin
expect 2 'one of the inputs' 'the raw firmware as output' -- provisor sfi pack \
	--chip h563 --firmware raw.bin@0x08000000 --key k --image-version 1 -o raw.bin
same 'the firmware is as it was' a.elf "$FW/blink.elf"

# --- a disk that is full, by a limit on the size of files: 512-byte blocks
cat >small <<'E'
#!/bin/sh
trap '' XFSZ
ulimit -f "$1" || exit 99
shift
exec "$@"
E
chmod 755 small
head -c 20000 /dev/zero >zeros.bin
expect 1 'File too large' 'a full disk' -- ./small 8 \
	provisor sfi pack --chip stm32h563 --key k --image-version 1 \
	--firmware zeros.bin@0x08000000 -o x.sfi
not_ok 'no package and no nonce' -- test -e x.sfi -o -e x.sfi.nonce
ok 'no temporary file' -- test "$(find . -name '*.tmp*' | wc -l)" -eq 0
ok 'with room it works' -- provisor sfi pack --chip stm32h563 --key k \
	--image-version 1 --firmware zeros.bin@0x08000000 -o x.sfi
expect 1 'File too large' 'a full disk while unpacking' -- ./small 8 \
	provisor sfi unpack x.sfi --key k --nonce x.sfi.nonce -d plain
ok 'leaves no plaintext' -- test "$(find plain -type f | wc -l)" -eq 0

done_testing
