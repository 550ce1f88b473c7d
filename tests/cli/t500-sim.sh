#!/bin/sh
# An unmodified stm32flash reads, erases, writes, verifies and reads back a
# virtual chip, on the bare pseudo-terminal and, through the preload, at 8E1.
. "$(dirname "$0")/lib.sh"
need stm32flash

flash() {
	stm32flash -m 8n1 "$@"
}
head -c 30000 /dev/urandom >"$T/random.bin"

expect 0 'virtual STM32F407' 'create an F407' -- \
	provisor sim create "$T/f407" --chip stm32f407
background provisor sim run "$T/f407" --usart "$T/tty"
wait_for "$T/tty"
expect 0 'Device ID *: 0x0413' 'stm32flash reads the id' -- flash "$T/tty"
expect 0 'Wrote and verified address .*100.00%' 'write and verify' -- \
	flash -w "$T/random.bin" -v "$T/tty"
head -c 30000 "$T/f407/flash.bin" >"$T/first"
same 'flash.bin holds it' "$T/random.bin" "$T/first"
ok 'read it back' -- flash -r "$T/back.bin" -S 0x08000000:30000 "$T/tty"
same 'what was read is what was written' "$T/random.bin" "$T/back.bin"
expect 0 'Erasing flash' 'erase all' -- flash -o "$T/tty"
head -c 1048576 /dev/zero | tr '\000' '\377' >"$T/erased"
same 'all of flash is erased' "$T/erased" "$T/f407/flash.bin"

expect 0 'Done' 'write-unprotect' -- flash -u "$T/tty"
# Read protection: refused, then lifted with everything erased.
ok 'write something to protect' -- flash -w "$T/random.bin" "$T/tty"
expect 0 'Done' 'readout protect' -- flash -j "$T/tty"
expect 0 'read protected' 'the chip is read protected' -- \
	provisor sim show "$T/f407"
not_ok 'a protected chip cannot be read' -- \
	flash -r "$T/no.bin" -S 0x08000000:256 "$T/tty"
expect 0 'Done' 'readout unprotect' -- flash -k "$T/tty"
same 'that erased all' "$T/erased" "$T/f407/flash.bin"
expect 0 'RDP 0 \(open\)' 'the chip is open again' -- \
	provisor sim show "$T/f407"

# Go: acknowledged, then the line is the program's.
ok 'go' -- flash -g 0x08000000 "$T/tty"
expect 0 'running at 0x08000000' 'show says where it runs' -- \
	provisor sim show "$T/f407"
not_ok 'a running chip does not answer' -- flash "$T/tty"

# 8E1 through the preload; ECC parts with units of 16 bytes as well.
preload="$BUILD/tests/preload/ptyshim.so"
if [ -e "$preload" ]; then
	for chip in stm32l476 stm32g071; do
		ok "create a $chip" -- \
			provisor sim create "$T/$chip" --chip "$chip"
		background provisor sim run "$T/$chip" --usart "$T/$chip.tty"
		wait_for "$T/$chip.tty"
		expect 0 '8E1.*|100.00%' "$chip: write and verify at 8E1" -- \
			env LD_PRELOAD="$preload" PTYSHIM_LOG="$T/lines" \
			stm32flash -w "$T/random.bin" -v "$T/$chip.tty"
		head -c 30000 "$T/$chip/flash.bin" >"$T/first"
		same "$chip: flash.bin holds it" "$T/random.bin" "$T/first"
	done
	# PARENB, 0x100, was asked for.
	ok 'the program asked for parity' -- \
		grep -Eq 'cflag 0x[0-9a-f]*[13579bdf][0-9a-f]{2}$' "$T/lines"
fi
done_testing
