#!/bin/sh
# Devices on USB that are protected, refuse, lie, stall, vanish or lose power:
# every end is a verified image or a clean failure, in bounded time.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/usb.sh"
usb_need jq
head -c 40000 /dev/urandom >"$T/random.bin"

device() { # NAME VERB...
	_n=$1
	shift
	usb "$_n" provisor device "$@"
}
write() { # NAME [OPTION...]
	_n=$1
	shift
	device "$_n" write "$T/random.bin@0x08000000" --port dfu "$@"
}
flash_is() { # NAME DESC
	head -c 40000 "$T/$1/flash.bin" >"$T/flash"
	same "$2" "$T/random.bin" "$T/flash"
}
# A chip $T/NAME of a part with these quirks, and times short enough to wait
# for.
quirky() { # NAME QUIRK...
	_n=$1
	shift
	jq --arg q "$*" '.name = "quirky" | .default_for_id = false
		| .dfu.quirks = ($q | split(" ") - [""])
		| .flash.times = { "sector_erase_typ_ms": 20,
			"sector_erase_max_ms": 100, "mass_erase_typ_ms": 60,
			"mass_erase_max_ms": 300, "write_unit_typ_us": 1,
			"write_unit_max_us": 10 }' \
		"$PROVISOR_CHIPS/stm32f407.json" >"$T/$_n.json"
	provisor sim create "$T/$_n" --chip "$T/$_n.json" >/dev/null
}

# --- every quirk of the chip data
for q in poll-long mass-erase-long erase-stalls-status status-blocks \
	clrstatus-stalls no-functional-descriptor gd32; do
	quirky "$q" "$q"
	usb_run "$q" --flash-times || fail 'the server does not start'
	expect 0 'all of it read back' "write to a part with $q" -- \
		write "$q" --chip "$T/$q.json"
	flash_is "$q" "flash of the part with $q"
	expect 0 'erased and blank' "erase all of a part with $q" -- \
		device "$q" erase --all --port dfu --chip "$T/$q.json"
	usb_stop "$q"
done
# Busy for ever with poll time 0 is told from slow by its end.
quirky zero busy-zero-poll
usb_run zero --flash-times
expect 0 'all of it read back' 'write to a part with busy-zero-poll' -- \
	write zero --chip "$T/zero.json"
usb_stop zero
# A second bank makes it stay busy after a mass erase.
quirky stuck erase-busy-stuck
jq '.flash.banks[0].size = "0x80000" | .flash.banks[0].sectors[2].count = 3
	| .flash.banks += [{"base": "0x08080000", "size": "0x80000",
		"sectors": [{"count": 4, "size": 131072}]}]' \
	"$T/stuck.json" >"$T/stuck2.json"
provisor sim create "$T/stuck2" --chip "$T/stuck2.json" >/dev/null
usb_run stuck2 --flash-times
expect 0 'erased and blank' 'erase all of a part with erase-busy-stuck' -- \
	device stuck2 erase --all --port dfu --chip "$T/stuck2.json"
expect 7 'mass erase: the device is still busy after 1300 ms' \
	'the same, not known for it' -- \
	device stuck2 erase --all --port dfu --chip "$T/clrstatus-stalls.json"
usb_stop stuck2

# --- protection
quirky plain
usb_run plain
ok 'write something to protect' -- write plain
usb_stop plain
sed -i 's/"rdp":0/"rdp":1/' "$T/plain/state.json"
usb_run plain
expect 7 'read at 0x08000000: the chip is read protected' 'read' -- \
	device plain read 0x08000000+64 --port dfu -o "$T/no.bin"
expect 7 'read protected' 'write' -- write plain
flash_is plain 'nothing was lost'
expect 0 'protection  active' 'info' -- device plain info --port dfu
expect 2 'is USB; this needs a serial line' 'end write protection' -- \
	device plain unprotect --sectors all --port dfu
expect 0 'read protection is off, and all of flash was erased' \
	'end read protection' -- \
	device plain unprotect --read-protect --port dfu
expect 0 'RDP 0' 'the chip is open' -- provisor sim show "$T/plain"
expect 0 'all of it read back' 'and can be written' -- write plain
usb_stop plain
jq '.write_protected |= ("02" + .[2:])' "$T/plain/state.json" >"$T/s" &&
	mv "$T/s" "$T/plain/state.json"
head -c 40000 /dev/urandom >"$T/random.bin"
usb_run plain
expect 4 'a write-protected sector accepts writes and ignores them|wrote 0x' \
	'a write-protected sector is no success' -- write plain
usb_stop plain
# A part without the command: STM32H5 does not list 0x92 on USB.
jq '.usart.opcodes -= ["0x92"]' "$T/plain.json" >"$T/h.json"
provisor sim create "$T/h" --chip "$T/h.json" >/dev/null
sed -i 's/"rdp":0/"rdp":1/' "$T/h/state.json"
usb_run h
expect 3 'read unprotect: the device does not list this command' \
	'no read unprotect there' -- \
	device h unprotect --read-protect --port dfu
usb_stop h

# --- option bytes
quirky opt
usb_run opt
expect 0 '0x1fffc004  0xffffffff' 'read the option bytes' -- \
	device opt options --port dfu --chip f407
expect 0 'written and read back' 'write a word' -- \
	device opt options --port dfu --chip f407 --set 0x1fffc008=0x12345678
ok 'it is there' -- sh -c \
	"od -An -tx4 -j8 -N4 '$T/opt/options.bin' | grep -q 12345678"
expect 5 'closes the chip for ever' 'nothing that locks it for good' -- \
	device opt options --port dfu --chip f407 --set 0x1fffc000=0xffffccff
ok 'the rest is as before' -- sh -c \
	"od -An -tx4 -N4 '$T/opt/options.bin' | grep -q ffffffff"
usb_stop opt

# --- what a device may claim
quirky odd
usb_run odd --usb-layout '@Internal Flash /0x08000000/12*0Kg'
expect 7 "memory 0 of the device: memory map .* a size expected" \
	'a memory map that makes no sense' -- write odd
expect 0 'all of it read back' 'with --force and --chip' -- \
	write odd --force --chip f407
expect 0 'not understood' 'info shows it' -- device odd info --port dfu
usb_stop odd
usb_run odd --usb-layout '@Internal Flash /0x08000000/1*1024Mg,1*1024Mg,9*1024Mg'
expect 7 'a size that fits the address space' 'huge sizes' -- write odd
usb_stop odd
usb_run odd --usb transfer-size=3
expect 7 'claims a transfer size of 3 bytes' 'a transfer size of 3' -- \
	write odd
usb_stop odd
usb_run odd --usb transfer-size=65535
expect 0 'transfers   2048 bytes' 'no more than 2048 is sent' -- \
	device odd info --port dfu
usb_stop odd
start=$(date +%s)
usb_run odd --usb poll=absurd
expect 7 'erase .*asks for 16777215 ms between polls' '24-bit poll times' -- \
	write odd --chip "$T/odd.json"
ok 'bounded' -- test $(($(date +%s) - start)) -lt 20
usb_stop odd
usb_run odd --usb overread=hang,address=descriptor
ok 'read all of flash from a part that hangs past its end' -- \
	device odd read 0x08000000+1M --port dfu -o "$T/all.bin"
same 'all of it' "$T/all.bin" "$T/odd/flash.bin"
usb_stop odd

# --- gone
for n in 1 4 10 40 70; do
	quirky "u$n"
	usb_run "u$n" --faults "unplug@$((n + 2))"
	expect 7 'went away|no device in DFU mode|Gone|no USB device' \
		"unplugged after $n transfers" -- write "u$n"
done
for n in 12 60; do
	quirky "r$n"
	usb_run "r$n" --faults "reset@$n"
	expect 7 'went away|no device in DFU mode|no USB device' \
		"reset after $n transfers" -- write "r$n"
	sleep 0.3 # off the bus while it starts
	expect 0 'all of it read back' 'and it takes the next write' -- \
		write "r$n"
	flash_is "r$n" 'the image'
	usb_stop "r$n"
done
quirky cut
usb_run cut --faults powercut@80
expect 7 ' at 0x0800[0-9a-f]{4}: .*went away' \
	'a power cut: where, and what' -- write cut
usb_run cut
expect 0 'all of it read back' 'and the next write succeeds' -- write cut
flash_is cut 'the image'
usb_stop cut

# --- noise: a verified image or a clean failure, never anything else
wrong=0
done=0
for seed in 1 2 3 4 5 6 7 8 9 10; do
	quirky n
	rm -f "$T/n.port"
	usb_run n --faults stall=0.01,short=0.01 --seed "$seed"
	write n >"$T/out" 2>&1
	case $? in
	0)
		done=$((done + 1))
		head -c 40000 "$T/n/flash.bin" | cmp -s - "$T/random.bin" ||
			wrong=$((wrong + 1))
		;;
	7) ;;
	*) wrong=$((wrong + 1)) ;;
	esac
	usb_stop n
	rm -rf "$T/n"
done
echo "# $done of 10 noisy runs ended in a verified image"
ok 'no false success in 10 noisy runs' -- test "$wrong" = 0
ok 'most of them came through' -- test "$done" -ge 7
quirky slow
usb_run slow --faults timeout=0.01 --seed 3
write slow --json >"$T/out" 2>&1
code=$?
ok 'transfers that are never answered: 0 or 7' -- \
	test "$code" = 0 -o "$code" = 7
[ "$code" = 0 ] && flash_is slow 'and when 0, the image'
done_testing
