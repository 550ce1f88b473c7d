#!/bin/sh
# An unmodified dfu-util lists, writes, reads back, protects and leaves a
# virtual chip over USB/IP, on parts that follow the document and on others.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/usb.sh"
usb_need dfu-util jq
head -c 65536 /dev/urandom >"$T/random.bin"

# dfu-util ends in 74 after a leave that worked, see its own manual.
write() { # NAME FILE [MODIFIER]
	usb "$1" dfu-util -a 0 -s "0x08000000${3:-}" -D "$2"
}
read_back() { # NAME FILE SIZE
	rm -f "$2"
	usb "$1" dfu-util -a 0 -s "0x08000000:$3" -U "$2"
}

expect 0 'virtual STM32F407' 'create an F407' -- \
	provisor sim create "$T/f407" --chip stm32f407
usb_run f407 || fail 'the server does not start'
expect 0 'Internal Flash  /0x08000000/04\*016Kg,01\*064Kg,07\*128Kg' \
	'dfu-util lists the flash' -- usb f407 dfu-util -l
expect 0 'Option Bytes  /0x1FFFC000/01\*016 e' \
	'dfu-util lists the option bytes' -- usb f407 dfu-util -l
expect 0 'File downloaded successfully' 'write' -- \
	write f407 "$T/random.bin"
ok 'six transfers a block' -- test "$(count f407 pointers)" = 32
ok 'four pages were erased' -- test "$(count f407 page_erases)" = 4
ok 'read back' -- read_back f407 "$T/back.bin" 65536
same 'what was read is what was written' "$T/random.bin" "$T/back.bin"
head -c 65536 "$T/f407/flash.bin" >"$T/flash"
same 'flash.bin holds it' "$T/random.bin" "$T/flash"

# A short last block, which dfu-util asks for with its own size.
head -c 5000 "$T/random.bin" >"$T/odd.bin"
ok 'write 5000 bytes' -- write f407 "$T/odd.bin"
head -c 5000 "$T/f407/flash.bin" >"$T/flash"
same 'flash.bin holds them' "$T/odd.bin" "$T/flash"

# Read unprotect. (Its mass erase sleeps 35 seconds whatever the part does.)
usb_stop f407
ok 'protect it' -- sh -c \
	"sed -i 's/\"rdp\":0/\"rdp\":1/' '$T/f407/state.json'"
usb_run f407 || fail 'the server does not start again'
not_ok 'a protected chip cannot be read' -- \
	read_back f407 "$T/no.bin" 64
not_ok 'nor written' -- write f407 "$T/odd.bin"
usb f407 dfu-util -a 0 -s :unprotect:force -D /dev/null >"$T/out" 2>&1
usb_stop f407
expect 0 'RDP 0 \(open\)' 'unprotect opened it' -- \
	provisor sim show "$T/f407"
head -c 1048576 /dev/zero | tr '\000' '\377' >"$T/erased"
same 'and erased all' "$T/erased" "$T/f407/flash.bin"

# Leave: the program runs, the bootloader is off the bus.
usb_run f407 || fail 'the server does not start again'
write f407 "$T/odd.bin" :leave >"$T/out" 2>&1
expect 0 'running at 0x08000000' 'leave started the program' -- \
	provisor sim show "$T/f407"
expect 0 'dfu-util 0' 'nothing is left to list' -- usb f407 dfu-util -l
not_ok 'no device any more' -- grep -q 'Found DFU' "$T/out"
usb_stop f407

# Parts that differ: smaller transfers, other poll times, other addresses.
provisor sim create "$T/g474" --chip stm32g474 >/dev/null
for behavior in poll=short poll=long poll=zero address=descriptor; do
	usb_run g474 --usb "$behavior" || fail 'the server does not start'
	head -c 4500 /dev/urandom >"$T/part.bin"
	ok "write a G474 with $behavior" -- write g474 "$T/part.bin"
	head -c 4500 "$T/g474/flash.bin" >"$T/flash"
	same "flash of the G474 with $behavior" "$T/part.bin" "$T/flash"
	usb_stop g474
done

# Options that make no sense.
expect 2 'one of --usart and --usbip' 'neither line nor USB' -- \
	provisor sim run "$T/f407"
expect 2 'one of --usart and --usbip' 'both' -- \
	provisor sim run "$T/f407" --usart "$T/tty" --usbip 0
expect 2 "no behavior 'poll=never'|no poll times 'never'" 'bad behavior' -- \
	provisor sim run "$T/f407" --usbip 0 --usb poll=never
expect 2 "no behavior 'speed=high'" 'unknown behavior' -- \
	provisor sim run "$T/f407" --usbip 0 --usb speed=high
expect 2 'not a chance between 0 and 1' 'bad chance' -- \
	provisor sim run "$T/f407" --usbip 0 --faults stall=2
expect 2 "no fault 'drop' on USB" 'fault of the line' -- \
	provisor sim run "$T/f407" --usbip 0 --faults drop=0.1
expect 2 'port' 'bad port' -- \
	provisor sim run "$T/f407" --usbip 127.0.0.1:99999
expect 2 "go with --usbip" 'USB options on a line' -- \
	provisor sim run "$T/f407" --usart "$T/tty" --flash-times
done_testing
