#!/bin/sh
# sfi options: what option bytes would do, in words, and what is wrong with them.
. "$(dirname "$0")/lib.sh"
need jq

G="$TOP/fixtures/golden/sfi-v1/options.csv"
C="$TOP/fixtures/corrupt/options"
FW="$TOP/fixtures/firmware"
cd "$T" || exit 1
printf AES_KEY_TEST_001 >k

explain() { # CHIP CSV
	provisor sfi options --chip "$1" --explain "$2"
}
said() {
	if grep -Eq -- "$1" said; then pass "$1"; else fail "$1"; fi
}

expect 0 'PRODUCT_STATE +0x17  provisioning' 'an STM32H5' -- explain stm32h573 "$G"
cp out said
said '^OPTSR_PRG +0x2d3017f8$'
said 'BOOT_UBE +0xb4  OEM-iRoT, user flash'
said 'TZEN +0xb4  TrustZone enabled'
said 'NSBOOTADD +0x80000  address 0x08000000'
said 'SECBOOT_LOCK +0xc3  not locked'
said 'secure sectors of bank 1: 0..127'
said 'secure sectors of bank 2: none'
said 'write-protected groups of four sectors of bank 2: none'
expect 0 '^FOPTSR_PRG$' 'without a file it lists the rows' -- \
	provisor sfi options --chip stm32h753
ok 'as many as there are words' -- test "$(provisor --json sfi options \
	--chip stm32h753 | jq '.rows | length')" = 9
expect 0 'not described here' 'an STM32L5, whose rows are not public' -- \
	provisor sfi options --chip stm32l562

# --- an STM32H7, from a public production example
cat >h7.csv <<'END'
FOPTSR_PRG,0x1BF6BBF0
FPRAR_PRG_A,0x000000FF
FPRAR_PRG_B,0x000000FF
FSCAR_PRG_A,0x82030000
FSCAR_PRG_B,0x00000FFF
FWPSN_PRG_A,0x000000FF
FWPSN_PRG_B,0x000000FE
FBOOT7_PRG,0x08000800
RFU,0x00000000
END
expect 0 'RDP +0xbb  level 1' 'an STM32H753' -- explain stm32h753 h7.csv
cp out said
said 'bank 1: 0\.\.515'
said 'write-protected sectors of bank 2: 1 of 8'
said 'BOOT_ADD1 +0x800  address 0x08000000'
said 'not used by the chip'
sed 's/BBF0/CCF0/' h7.csv >rdp2.csv
expect 0 'IRREVERSIBLE' 'RDP level 2 is marked' -- explain stm32h753 rdp2.csv
expect 0 '"irreversible":true' 'in JSON too' -- provisor --json sfi options \
	--chip stm32h753 --explain rdp2.csv
cp out json
ok 'with every field' -- jq -e '[.settings[] | select(.field == "RDP")][0] |
	.register == "FOPTSR_PRG" and .value == "0x000000cc" and
	.effect == "irreversible" and (.advice | length) > 0' json

# --- what locks a chip needs a word at packing
pack() { # CSV
	provisor sfi pack --chip stm32h563 --key k --image-version 1 -o x.sfi \
		--firmware "$FW/blink.elf" --option-bytes "$@"
}
sed 's/^SECBOOTR_PRG,.*/SECBOOTR_PRG,0x0C0000B4/' "$G" >secboot.csv
expect 5 'SECBOOT_LOCK locked' 'SECBOOT_LOCK' -- pack secboot.csv
not_ok 'nothing is packed' -- test -e x.sfi
expect 0 'irreversible: SECBOOT_LOCK' 'with --yes-irreversible' -- \
	pack secboot.csv --yes-irreversible
sed 's/^OPTSR_PRG,.*/OPTSR_PRG,0x2D3072F8/' "$G" >closed.csv
expect 0 'note: PRODUCT_STATE 0x72 \(closed\): .*debug authentication' \
	'a closed state is pointed out' -- pack closed.csv
sed 's/^SECWM1R_PRG,.*/SECWM1R_PRG,0x007F0080/' "$G" >reserved.csv
expect 0 'note: reserved bits .*0x00000080 where 0x00000000' \
	'reserved bits are pointed out' -- pack reserved.csv
sed 's/^OPTSR_PRG,.*/OPTSR_PRG,0x2D3000F8/' "$G" >state.csv
expect 0 'CAUTION' 'a product state that nobody documents' -- explain h563 state.csv

# --- rows: missing, doubled, out of place
bad() { # FILE PATTERN
	expect 3 "$2" "rows: $1" -- explain stm32h563 "$C/$1.csv"
	expect 3 "$2" "rows of a package: $1" -- pack "$C/$1.csv"
}
bad eleven-rows "11 rows, the chip has 12 option words: 'HDP2R_PRG' is missing"
bad row-doubled "line 4: 'NSBOOTR_PRG' again, it is on line 3 already"
bad rows-swapped "line 5: 'SECWM2R_PRG' stands where 'SECWM1R_PRG' belongs, its place is line 6"
expect 2 '\-\-chip is needed' 'no chip' -- provisor sfi options --explain "$G"
expect 1 'nosuch' 'no file' -- explain h563 nosuch.csv
mkdir -p chips/options
cp "$TOP/share/chips/stm32h563.json" chips
cp "$TOP/fixtures/corrupt/optmap/field-too-wide.json" chips/options/stm32h5.json
export PROVISOR_CHIPS="$T/chips"
expect 3 "stm32h5.json': 'bit' and 'width' leave the 32 bits" 'a damaged map' -- \
	explain stm32h563 "$G"

done_testing
