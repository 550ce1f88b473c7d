#!/bin/sh
# U-Boot of a virtual STM32MP on a UART: FlashLayouts good and bad, partitions
# written and read back, the OTP and PMIC partitions.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu.sh"
need jq xxd

for f in fsbl fip boot; do
	head -c 1500 /dev/urandom >"$T/$f.bin"
done
cat >"$T/layout.tsv" <<'END'
#Opt	Id	Name	Type	IP	Offset	Binary
-	0x01	fsbl-boot	Binary	none	0x0	x
-	0x03	fip-boot	FIP	none	0x0	x
P	0x04	fsbl1	Binary	nor0	0x0	fsbl.bin
P	0x06	fip-a	FIP	nor0		0x80000	fip.bin

PE	0x07	empty	Binary	mmc0	0x84400	none
PD	0x10	boot	System	mmc0	0x504400	boot.bin
END
uboot() { # NAME IMAGE: up to U-Boot
	timeout 20 "$MPU" uboot "$T/tty" "$LOADERS/$2" "$LOADERS/u-boot.fip"
}
flash() { # [stay]
	timeout 20 "$MPU" flash "$T/tty" "$T/layout.tsv" "$@"
}

provisor sim create "$T/u" --chip stm32mp15 >/dev/null
mpu_run u
expect 0 'U-Boot asks for phase 00' 'ROM, TF-A, U-Boot' -- \
	uboot u tf-a-mp15.stm32
mpu_raw 7f 00ff 01fe 02fd 03fc >"$T/got"
printf '79\n79084000010203111221%s79\n790379\n7901050079\n' 31 >"$T/want"
printf '790500%s0079\n' 000000c2 >>"$T/want"
same 'answers of U-Boot' "$T/got" "$T/want"
# A number that is not the next: ACK for the header, then NACK at once.
mpu_raw 31ce 0000000505:2 >"$T/got"
printf '79\n791f\n' >"$T/want"
same 'a wrong packet number' "$T/got" "$T/want"
flash stay | tr -d ' ' >"$T/got"
printf 'phase%s\n' 04 06 10 fe >"$T/want"
same 'a whole layout, in the order of its ids' "$T/got" "$T/want"
for f in 04:fsbl 06:fip 10:boot; do
	same "${f#*:}.bin is stored" "$T/${f#*:}.bin" \
		"$T/u/partition-0x${f%:*}.bin"
done
ok 'read back' -- "$MPU" read "$T/tty" 0x10 1500 "$T/back"
same 'what was written' "$T/back" "$T/boot.bin"
# Out of range: ABORT, and U-Boot goes on.
expect 0 '5f' 'no such partition: ABORT' -- \
	mpu_raw 12ed 110000000011 ff00
expect 0 '^79$' 'and it listens' -- mpu_raw 7f

# --- PMIC, OTP structure 1
mpu_raw 31ce f4000000f4 0701020304050607080f 21de 000000f4f4 >"$T/out"
expect 0 '790102030405060708' 'PMIC NVM, written and read' -- \
	mpu_raw 12ed f400000000f4 07f8
ok 'OTP' -- "$MPU" read "$T/tty" 0xf2 1024 "$T/otp1"
ok 'of version 1' -- sh -c "[ \"\$(xxd -l 4 -p '$T/otp1')\" = 01000000 ]"
cp "$T/otp1" "$T/otp2"
# Word 60 to 0x44332211, and its permanent lock (array at 0x50).
printf '\021\042\063\104' | dd of="$T/otp2" bs=1 seek=$((0xb0 + 240)) \
	conv=notrunc 2>/dev/null
printf '\020' | dd of="$T/otp2" bs=1 seek=$((0x50 + 7)) conv=notrunc 2>/dev/null
ok 'burn' -- "$MPU" burn "$T/tty" "$T/otp2"
ok 'the word is burnt and locked' -- \
	sh -c "[ '$(otp u 60)' = '0x44332211 locked' ]"
# The same again is nothing new; another value of that word is refused.
ok 'burn the same' -- "$MPU" burn "$T/tty" "$T/otp2"
printf '\377' | dd of="$T/otp2" bs=1 seek=$((0xb0 + 240)) conv=notrunc 2>/dev/null
expect 1 'start: 5f' 'a locked word: ABORT' -- "$MPU" burn "$T/tty" "$T/otp2"
# SSP_REQ through structure 1 arms SSP.
printf '\001' | dd of="$T/otp1" bs=1 seek=$((0xb0 + 33)) conv=notrunc 2>/dev/null
"$MPU" burn "$T/tty" "$T/otp1" >"$T/out" 2>&1
mpu_raw 03fc >"$T/got"
ok 'SSP_REQ: Provisioning' -- \
	grep -q "$(printf 'Provisioning' | xxd -p)" "$T/got"
mpu_stop

# --- OTP structure 2, of an MP13
provisor sim create "$T/v" --chip stm32mp13 >/dev/null
mpu_run v
ok 'U-Boot of an MP13' -- uboot v tf-a-mp13.stm32
ok 'OTP' -- "$MPU" read "$T/tty" 0xf2 776 "$T/otp2"
ok 'of version 2, open' -- sh -c \
	"[ \"\$(xxd -l 8 -p '$T/otp2')\" = 0200000000000000 ]"
# Word 61, with bit 31 of its state; word 62 without.
printf '\001\000\000\000\000\000\000\300' |
	dd of="$T/otp2" bs=1 seek=$((8 + 488)) conv=notrunc 2>/dev/null
printf '\001' | dd of="$T/otp2" bs=1 seek=$((8 + 496)) conv=notrunc 2>/dev/null
ok 'burn' -- "$MPU" burn "$T/tty" "$T/otp2"
ok 'the word with an update request is burnt and locked' -- \
	sh -c "[ '$(otp v 61)' = '0x00000001 locked' ]"
ok 'the other is not' -- sh -c "[ '$(otp v 62)' = '0x00000000 open' ]"
mpu_stop

# --- layouts that U-Boot refuses, with its text
refused() { # PATTERN TEXT
	printf '%b' "$2" >"$T/layout.tsv"
	mpu_run u
	uboot u tf-a-mp15.stm32 >/dev/null 2>&1
	expect 1 "phase ff $1" "layout: $1" -- flash
	mpu_stop
}
refused "Layout line 2: missing 'P'" \
	'-\t1\ta\tBinary\tnone\t0\nE\t4\ta\tBinary\tmmc0\t0\n'
refused 'Layout line 1: invalid option' 'X\t4\ta\tBinary\tmmc0\t0\n'
refused 'Layout line 1: invalid phase' 'P\t0xf1\ta\tBinary\tmmc0\t0\n'
refused 'Layout line 1: partition name too long' \
	'P\t4\tabcdefghijklmnopq\tBinary\tmmc0\t0\n'
refused 'Layout line 1: type parsing' 'P\t4\ta\tBlob\tmmc0\t0\n'
refused 'Layout line 1: ip parsing' 'P\t4\ta\tBinary\tmmc\t0\n'
refused 'Layout line 1: invalid part' 'P\t4\ta\tBinary\tmmc0\tboot3\n'
refused 'Layout line 1: invalid offset' 'P\t4\ta\tBinary\tmmc0\t0xg\n'
refused 'Layout line 1: no enought column' 'P\t4\ta\tBinary\tmmc0\n'
refused 'Layout: no partition found' '# nothing\n'
refused 'Layout: duplicated phase 0x4' \
	'P\t4\ta\tBinary\tmmc0\t0\nP\t4\tb\tBinary\tmmc0\t0x1000\n'
refused 'Layout: selected none phase = 0x4' 'P\t4\ta\tBinary\tnone\t0\n'
refused 'Layout: overlap' \
	'P\t4\ta\tBinary\tmmc0\t0\nP\t5\tb\tBinary\tmmc0\t0\n'
done_testing
