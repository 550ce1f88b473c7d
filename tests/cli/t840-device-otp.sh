#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# OTP words of an STM32MP through U-Boot: shown, dry-run, burnt, refused.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu-push.sh"
need jq
vmp 1 stm32mp15
mp_run 1
otp() {
	timeout 60 provisor device otp "$@" --port "usart:$T/tty1"
}
expect 2 'neither read nor write' "another word" -- otp burn
expect 2 'which words' "write without words" -- otp write
expect 2 "'60' is not WORD=VALUE" "a word without a value" -- otp write 60
expect 2 'OTP 60 is given twice' "a word twice" -- otp write 60=1 60=2
expect 2 'goes with .write.' "read with words" -- otp read 60=1
expect 2 '^provisor device otp: --fsbl and --fip go together' "half a chain" -- \
	otp read --fsbl "$LOADERS/tf-a-mp15.stm32"
expect 2 'ROM asks for the FSBL \(phase 0x01\), and none was given' \
	"a chip in its ROM needs images" -- otp read
expect 0 'OTP structure [12], 96 words' "read, through ROM and TF-A" -- otp read \
	--fsbl "$LOADERS/tf-a-mp15.stm32" --fip "$LOADERS/u-boot.fip" \
	-o "$T/otp.raw"
said 'OTP +2 +0xa0200000' "the word of the product id"
ok "the structure is in the file" -- test -s "$T/otp.raw"
expect 0 'stage +U-Boot' "it stays in U-Boot" -- \
	provisor device info --port "usart:$T/tty1"
expect 0 'would burn OTP 60: 0x00000000 -> 0x12345678' "--dry-run" -- \
	otp write 60=0x12345678 --dry-run
last 'nothing was burnt' "burns nothing"
expect 5 'would be burnt, which cannot be undone' "asks for the flag" -- \
	otp write 60=0x12345678
said 'add --yes-irreversible' "and names it"
expect 0 'burnt and read back' "burn a word" -- \
	otp write 60=0x12345678 --yes-irreversible
expect 0 'burnt and read back' "burn and lock" -- \
	otp write 61=0x1 --lock --yes-irreversible
expect 0 'as wanted; nothing to burn' "the same again" -- \
	otp write 60=0x12345678 --yes-irreversible
expect 5 'words from 32 on can be burnt once' "an upper word again" -- \
	otp write 60=0x1234567c --yes-irreversible
expect 5 'cannot go back to 0' "bits back to 0" -- \
	otp write 60=0x2345678 --yes-irreversible
expect 5 'OTP 61 is locked for good' "a locked word" -- \
	otp write 61=0x3 --yes-irreversible
expect 5 'OTP 24..31 hold no key hash: it would start nothing' \
	"closing a chip without a key" -- otp write 0=0x40 --yes-irreversible
said 'nothing was sent' "is not sent"
expect 0 'would burn OTP 0: 0x00000000 -> 0x00000040' \
	"with one it may be" -- otp write 0=0x40 24=0x1 --dry-run
expect 2 'OTP word' "no such word" -- otp write 400=1 --dry-run
expect 3 'OTP 200: this device has words 0 to 95' "beyond the device" -- \
	otp write 200=1 --dry-run
expect 0 '"burn":\[\{"word":10,' "JSON" -- timeout 60 provisor --json device otp \
	write 10=0x4 --port "usart:$T/tty1" --dry-run
mp_stop 1
otp_is 1 60 "0x12345678" "the chip holds it"
otp_is 1 61 "0x00000001 locked" "locked"
otp_is 1 10 "0x00000000" "and not the dry run"
done_testing
