#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# FlashLayouts: a board programmed through ROM, TF-A and U-Boot over a serial
# line and USB, files beside the layout, and what is refused before it begins.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/mpu-push.sh"
. "$(dirname "$0")/usb.sh"
need jq
mkdir -p "$T/board"
head -c 40000 /dev/urandom >"$T/board/root.ext4"
layout() { # CHIP
	cp "$LOADERS/tf-a-$1.stm32" "$LOADERS/u-boot.fip" "$T/board"
	printf '%s\n' '#Opt	Id	Name	Type	IP	Offset	Binary' \
		"-	0x01	fsbl-boot	Binary	none	0x0	tf-a-$1.stm32" \
		'-	0x03	fip-boot	FIP	none	0x0	u-boot.fip' \
		"P	0x04	fsbl1	Binary	mmc0	0x4400	tf-a-$1.stm32" \
		'PE	0x07	env	ENV	mmc0	0x484400	none' \
		'P	0x10	rootfs	System	mmc0	0x504400	root.ext4' \
		>"$T/board/$1.tsv"
}
layout mp15
layout mp13
push() { # N LAYOUT [OPTIONS...]
	_n=$1 _l=$2
	shift 2
	timeout 60 provisor push "$T/board/$_l" --port "usart:$T/tty$_n" "$@"
}

expect 0 'write +0x10 +rootfs +39.1 KiB +mmc0 0x00504400 +root.ext4' \
	"--dry-run lists what would be written" -- \
	provisor push "$T/board/mp15.tsv" --dry-run
said '^boot +0x01 +fsbl-boot' "and what boots"
said '^empty +0x07 +env' "and what stays empty"
last 'nothing was changed \(--dry-run\); 40.3 KiB would be written' "and does nothing"
expect 0 '"action":"write","id":16' "as JSON" -- \
	provisor --json push "$T/board/mp15.tsv" --dry-run

# --- refused before the port is touched
sed 's/root.ext4/missing.ext4/' "$T/board/mp15.tsv" >"$T/board/bad.tsv"
expect 1 "line 6 \('rootfs'\): opening '.*board/missing.ext4'" \
	"a file that is missing" -- push 1 bad.tsv
said 'storage was not changed: safe to push again' "says that nothing changed"
last '^FAIL' "FAIL"
cp "$TOP/fixtures/corrupt/flashlayout/id-twice.tsv" "$T/board"
expect 3 'line 2: Id 0x04 is that of line 1' "an id twice" -- push 1 id-twice.tsv
sed 's/u-boot.fip/root.ext4/' "$T/board/mp15.tsv" >"$T/board/bad.tsv"
expect 3 'line 3 .*does not begin like a FIP' "a FIP that is none" -- \
	push 1 bad.tsv
expect 2 'takes no --campaign' "a campaign is not for it" -- \
	push 1 mp15.tsv --campaign x

# --- serial line
vmp 1 stm32mp15
mp_run 1
expect 4 'header is v2.0 \(STM32MP13\), the chip 0x500 takes v1.0' \
	"the FSBL of another chip" -- push 1 mp13.tsv
said 'storage was not changed' "nothing was sent"
expect 0 'verified +2 partitions, 40.3 KiB, each confirmed by U-Boot' \
	"a board over a serial line" -- push 1 mp15.tsv
last '^PASS' "PASS"
mp_stop 1
same "the root file system is there" "$T/board/root.ext4" \
	"$T/chip1/partition-0x10.bin"
same "the FSBL is there" "$LOADERS/tf-a-mp15.stm32" \
	"$T/chip1/partition-0x04.bin"
vmp 2 stm32mp13
mp_run 2
expect 0 'all of it read back' "MP13, read back" -- push 2 mp13.tsv --read-back
mp_stop 2
same "it is there" "$T/board/root.ext4" "$T/chip2/partition-0x10.bin"

# --- without the images that boot it
grep -v fip-boot "$T/board/mp15.tsv" >"$T/board/nofip.tsv"
vmp 3 stm32mp15
mp_run 3
expect 2 'TF-A asks for the FIP \(phase 0x03\), and none was given' \
	"no line for the FIP" -- push 3 nofip.tsv
mp_stop 3

# --- unplugged in the midst
vmp 4 stm32mp15
mp_run 4 --faults unplug@20000
expect 7 "partition 'rootfs' \(0x10\)" "unplugged in a partition" -- \
	push 4 mp15.tsv
said '1 partition is written, the board does not start' "says what is there"
mp_stop 4

# --- U-Boot that is in the midst of another layout
vmp 6 stm32mp15
mp_run 6
head -c 4000000 /dev/urandom >"$T/board/long.ext4"
sed 's/root.ext4/long.ext4/; s/0x504400/0x904400/' "$T/board/mp15.tsv" \
	>"$T/board/first.tsv"
provisor push "$T/board/first.tsv" --port "usart:$T/tty6" >"$T/cut" 2>&1 &
cut=$!
n=0
until [ -s "$T/chip6/partition-0x10.bin" ] || [ $n -gt 300 ]; do
	n=$((n + 1))
	sleep 0.05
done
kill "$cut"
wait "$cut"
expect 7 'U-Boot has another layout already, .*\(phase 0x10\)' \
	"the partitions of another layout" -- push 6 mp15.tsv
said 'reset the board into serial boot' "says what to do"
mp_stop 6

# --- a file that is a pipe
mkfifo "$T/board/pipe"
sed 's/root.ext4/pipe/' "$T/board/mp15.tsv" >"$T/board/piped.tsv"
expect 3 "pipe' is not a file" "a pipe is not waited for" -- push 6 piped.tsv

# --- a line that loses and damages bytes
vmp 5 stm32mp15
mp_run 5 --faults flip=2e-5,nack=1e-3 --seed 7
expect 0 '^PASS' "noise on the line" -- push 5 mp15.tsv --read-back
mp_stop 5
same "and every byte is right" "$T/board/root.ext4" \
	"$T/chip5/partition-0x10.bin"

# --- USB
usb_need dfu-util
for c in 15 13; do
	vmp u$c stm32mp$c
	usb_run chipu$c
	expect 0 'all of it read back' "MP$c over USB" -- \
		usb chipu$c provisor push "$T/board/mp$c.tsv" --port dfu --read-back
	usb_stop chipu$c
	same "it is there" "$T/board/root.ext4" "$T/chipu$c/partition-0x10.bin"
done
done_testing
