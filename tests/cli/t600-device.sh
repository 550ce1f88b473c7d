#!/bin/sh
# A virtual chip's bootloader: info, write, verify, read, erase, go; what our
# driver wrote is read back by stm32flash, and what stm32flash wrote by ours.
. "$(dirname "$0")/lib.sh"

FW="$TOP/fixtures/firmware"
PORT="usart:$T/tty"

expect 0 'virtual STM32G474' 'make a chip' -- \
	provisor sim create "$T/chip" --chip stm32g474
background provisor sim run "$T/chip" --usart "$T/tty"
wait_for "$T/tty"

expect 0 'STM32G474 \(0x469\)' 'info names the chip' -- \
	provisor device info --port "$PORT"
expect 0 '"read_protected":false' 'info as JSON' -- \
	provisor --json device info --port "$PORT"
# The second session finds a device that has its baud rate already.
expect 0 'already synchronized' 'a device synchronized before' -- \
	provisor device info --port "$PORT"

expect 4 '0x08000000 holds 0xff' 'an empty chip does not verify' -- \
	provisor device verify "$FW/blink.elf" --port "$PORT"
expect 0 'sectors? erased, all of it read back' 'write an ELF' -- \
	provisor device write "$FW/blink.elf" --port "$PORT"
expect 0 'the chip holds these' 'verify by the HEX' -- \
	provisor device verify "$FW/blink.hex" --port "$PORT"
size=$(wc -c <"$FW/blink.bin")
head -c "$size" "$T/chip/flash.bin" >"$T/flash.head"
same 'flash equals objcopy' "$FW/blink.bin" "$T/flash.head"
expect 0 "from 0x08000000" 'read it back' -- \
	provisor device read "0x08000000+$size" --port "$PORT" -o "$T/read.bin"
same 'what was read is what is there' "$FW/blink.bin" "$T/read.bin"

if command -v stm32flash >/dev/null; then
	ok 'stm32flash reads what we wrote' -- stm32flash -m 8n1 \
		-S "0x08000000:$size" -r "$T/judge.bin" "$T/tty"
	same 'and it is the same' "$FW/blink.bin" "$T/judge.bin"
	head -c 5000 /dev/urandom >"$T/random.bin"
	ok 'stm32flash writes' -- stm32flash -m 8n1 -w "$T/random.bin" -v "$T/tty"
	expect 0 'holds these 4.9 KiB' 'we verify what stm32flash wrote' -- \
		provisor device verify "$T/random.bin@0x08000000" --port "$PORT"
fi

# An image that begins and ends inside a write unit, over old content.
head -c 777 /dev/urandom >"$T/odd.bin"
expect 0 '' 'write a raw image at an odd address' -- \
	provisor device write "$T/odd.bin@0x08001003" --port "$PORT"
expect 0 '' 'read it' -- \
	provisor device read "0x08001003+777" --port "$PORT" -o "$T/odd.read"
same 'odd image' "$T/odd.bin" "$T/odd.read"

expect 0 'written, 0 sectors erased' 'write to RAM' -- \
	provisor device write "$T/odd.bin@0x20004000" --port "$PORT"
expect 3 'belong to the bootloader' 'RAM of the bootloader is refused' -- \
	provisor device read 0x20000000+16 --port "$PORT" -o "$T/ram.bin"
not_ok 'and no file is left' -- test -e "$T/ram.bin"

expect 2 'not whole sectors' 'erase part of a sector' -- \
	provisor device erase 0x08000400+2K --port "$PORT"
expect 3 'not in flash' 'erase outside flash' -- \
	provisor device erase 0x20000000+2K --port "$PORT"
expect 2 'nothing to erase' 'erase without a range' -- \
	provisor device erase --port "$PORT"
expect 0 '2 sectors .* erased and blank' 'erase two sectors' -- \
	provisor device erase 0x08000000+2K 0x08002000+2K --port "$PORT"
expect 0 'erased, not checked' 'mass erase' -- \
	provisor device erase --all --no-check --port "$PORT"
tr -d '\377' <"$T/chip/flash.bin" >"$T/rest"
not_ok 'nothing is left in flash' -- test -s "$T/rest"

expect 3 'outside flash' 'an image outside flash' -- \
	provisor device write "$T/odd.bin@0x90000000" --port "$PORT"
expect 2 'ADDR\+SIZE' 'a range without a size' -- \
	provisor device read 0x08000000 --port "$PORT" -o "$T/x"
expect 2 'port' 'no port' -- provisor device info
expect 7 'no such port' 'a port that is not there' -- \
	provisor device info --port "usart:$T/none"
expect 0 '' 'list the ports' -- provisor device list
expect 0 '"ports":\[' 'list as JSON' -- provisor --json device list

expect 0 '' 'write again' -- \
	provisor device write "$FW/blink.srec" --port "$PORT"
expect 0 'started' 'go' -- provisor device go 0x08000000 --port "$PORT"
expect 7 'no bootloader answers' 'the program runs now' -- \
	provisor device info --port "$PORT"
done_testing
