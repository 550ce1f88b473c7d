#!/bin/sh
# Our own driver over USB: list, info, write, verify, read, erase, go and
# push; the flash is the same as dfu-util leaves, with half the transfers.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/usb.sh"
usb_need dfu-util jq
FW="$TOP/fixtures/firmware"

# A part whose flash the image fills: an STM32F407xE has 512 KiB.
jq '.name = "f407xe" | .title = "STM32F407xE" | .default_for_id = false
	| .flash.banks[0].size = "0x00080000"
	| .flash.banks[0].sectors[2].count = 3' \
	"$PROVISOR_CHIPS/stm32f407.json" >"$T/f407xe.json"
head -c 524288 /dev/urandom >"$T/full.bin"
device() { # NAME VERB...
	_n=$1
	shift
	usb "$_n" provisor device "$@"
}

for c in a b; do
	provisor sim create "$T/$c" --chip "$T/f407xe.json" >/dev/null
	usb_run "$c" || fail 'the server does not start'
done
provisor sim create "$T/f407" --chip stm32f407 >/dev/null
usb_run f407 || fail 'the server does not start'

# --- the same flash, half the control transfers
expect 0 '512.0 KiB written, 8 sectors erased, all of it read back' \
	'write 512 KiB' -- \
	device a write "$T/full.bin@0x08000000" --port dfu --chip "$T/f407xe.json"
# Without the read-back: its blocks, and two pointers (6) with three ABORTs.
ours=$(($(count a transfers) - $(count a upload) - 9))
blocks=$(count a blocks)
expect 0 'File downloaded' 'dfu-util writes the same' -- \
	usb b dfu-util -a 0 -s 0x08000000 -D "$T/full.bin"
theirs=$(count b transfers)
same 'identical flash' "$T/a/flash.bin" "$T/b/flash.bin"
same 'and it is the image' "$T/a/flash.bin" "$T/full.bin"
echo "# $blocks blocks: $ours control transfers without the read-back," \
	"dfu-util $theirs"
ok '256 blocks' -- test "$blocks" = 256
ok 'at most half of the control transfers of dfu-util' -- \
	test $((2 * ours)) -le "$theirs"
ok 'every byte was read back' -- test "$(count a pointers)" -le 5

# --- look
expect 0 '^dfu:1-1 +0483:df11 +[0-9a-f]{12} +STM32F407 \(by its memory map\), bootloader 2.2' \
	'list' -- usb f407 provisor device list
ok 'list as JSON' -- sh -c "'$UMOCK' $(cat "$T/f407.port") provisor --json \
	device list | jq -e '.ports[] | select(.port == \"dfu:1-1\")
	| .chip == \"stm32f407\" and .bootloader == \"2.2\"
	and .transfer_size == 2048 and .usb == \"0483:df11\"'"
expect 0 'memory 1 +Option Bytes, 16 bytes at 0x1fffc000, 1 sector' \
	'info' -- device f407 info --port dfu
expect 0 'protection  off' 'info says that it is open' -- \
	device f407 info --port dfu
ok 'info as JSON' -- sh -c "'$UMOCK' $(cat "$T/f407.port") provisor --json \
	device info --port dfu | jq -e '.commands == \"00214192\"
	and .memories[0].sectors == 12 and .read_protected == false
	and .chip == \"stm32f407\"'"

# --- several at once: never just the first
expect 0 'dfu:1-2' 'both are listed' -- usb a,b provisor device list
expect 7 '2 USB devices in DFU mode match: dfu:1-1, dfu:1-2' 'ambiguous' -- \
	device a,b info --port dfu
serial=$(jq -r .product_id "$T/b/state.json" >/dev/null &&
	usb b provisor --json device info --port dfu | jq -r .serial)
expect 0 "serial $serial" 'by serial number' -- \
	device a,b info --port "dfu:$serial"
expect 0 "on dfu:1-2, serial $serial" 'by port' -- \
	device a,b info --port dfu:1-2
expect 7 "has serial number or port 'nobody'" 'no such device' -- \
	device a,b info --port dfu:nobody
expect 7 'no USB device is in DFU mode' 'no device at all' -- \
	provisor device info --port dfu
usb_stop b
usb_run b --usb "serial=$(usb a provisor --json device info --port dfu |
	jq -r .serial)"
expect 7 '2 USB devices in DFU mode match' 'equal serial numbers' -- \
	device a,b info --port "dfu:$(usb a provisor --json device info \
		--port dfu | jq -r .serial)"

# --- write, verify, read without knowing the part
expect 0 'written, .*all of it read back' 'write an ELF file' -- \
	device f407 write "$FW/blink.elf" --port dfu
objcopy=$(wc -c <"$FW/blink.bin")
head -c "$objcopy" "$T/f407/flash.bin" >"$T/flash"
same 'flash holds it' "$FW/blink.bin" "$T/flash"
expect 0 'the chip holds these' 'verify' -- \
	device f407 verify "$FW/blink.elf" --port dfu
expect 4 'holds 0x' 'verify something else' -- \
	device f407 verify "$T/full.bin@0x08000000" --port dfu
head -c 5001 /dev/urandom >"$T/odd.bin"
expect 0 'written' 'write an odd size at an odd place' -- \
	device f407 write "$T/odd.bin@0x08004123" --port dfu
expect 0 '4.9 KiB from 0x08004123' 'read it' -- \
	device f407 read 0x08004123+5001 --port dfu -o "$T/back.bin"
same 'the same bytes' "$T/odd.bin" "$T/back.bin"
ok 'read one byte' -- device f407 read 0x08004123+1 --port dfu -o "$T/one.bin"
head -c 1 "$T/odd.bin" >"$T/first.bin"
same 'the first one' "$T/first.bin" "$T/one.bin"

# --- DfuSe files: read, and written back by either program
expect 0 '' 'read into a DfuSe file' -- \
	device f407 read 0x08004000+16K --port dfu -o "$T/dump.dfu"
expect 0 'Valid DFU suffix|DFU suffix|dfu-suffix' 'dfu-suffix accepts it' -- \
	dfu-suffix -c "$T/dump.dfu"
expect 0 'written' 'write it' -- \
	device a write "$T/dump.dfu" --port dfu
dd if="$T/a/flash.bin" bs=16384 skip=1 count=1 of="$T/part.a" 2>/dev/null
dd if="$T/f407/flash.bin" bs=16384 skip=1 count=1 of="$T/part.f" 2>/dev/null
same 'the same sector' "$T/part.a" "$T/part.f"
expect 0 'done parsing DfuSe file|Download done' 'dfu-util writes it' -- \
	usb b dfu-util -D "$T/dump.dfu"
dd if="$T/b/flash.bin" bs=16384 skip=1 count=1 of="$T/part.b" 2>/dev/null
same 'the same sector again' "$T/part.b" "$T/part.f"

# --- refused before a byte is sent
before=$(jq -r .total.dnload "$T/f407/usb.json")
expect 3 'cannot be read by the device.s memory map' 'read past flash' -- \
	device f407 read 0x080ffff0+32 --port dfu -o "$T/no.bin"
not_ok 'nothing was written' -- test -e "$T/no.bin"
expect 3 'outside flash' 'write past flash' -- \
	device f407 write "$T/odd.bin@0x080fff00" --port dfu
expect 3 'outside flash' 'write into RAM' -- \
	device f407 write "$T/odd.bin@0x20001000" --port dfu
expect 3 'outside flash' 'write option bytes' -- \
	device f407 write "$T/odd.bin@0x1fffc000" --port dfu
sleep 0.1
ok 'no download request at all' -- \
	test "$(jq -r .total.dnload "$T/f407/usb.json")" = "$before"
expect 2 'is USB; this needs a serial line' 'a package over USB' -- \
	usb f407 provisor push "$TOP/fixtures/golden/sfi-v1/package.sfi" \
	--license "$T/odd.bin" --port dfu

# --- erase
expect 0 '1 sector .* erased and blank' 'erase a sector' -- \
	device f407 erase 0x08004000+16K --port dfu
expect 0 '12 sectors .* erased and blank' 'erase all' -- \
	device f407 erase --all --port dfu
ok 'by one command' -- test "$(count f407 mass_erases)" = 1
head -c 1048576 /dev/zero | tr '\000' '\377' >"$T/erased"
same 'all of flash is erased' "$T/erased" "$T/f407/flash.bin"

# --- push and go
expect 0 '^PASS' 'push' -- \
	usb f407 provisor push "$FW/blink.hex" --port dfu --chip f407
head -c "$objcopy" "$T/f407/flash.bin" >"$T/flash"
same 'flash holds the program' "$FW/blink.bin" "$T/flash"
expect 0 'program at 0x08000000 started' 'go' -- \
	device f407 go 0x08000000 --port dfu
expect 0 'running at 0x08000000' 'it runs' -- provisor sim show "$T/f407"
expect 7 'no USB device is in DFU mode' 'and is off the bus' -- \
	device f407 info --port dfu
usb_stop f407
usb_run f407 --usb leave=early
expect 0 'PASS' 'push with go, on a part that is gone at once' -- \
	usb f407 provisor push "$FW/blink.hex" --port dfu --go
done_testing
