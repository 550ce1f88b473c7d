#!/bin/sh
# push of plain images in four formats, dry run, go; flash equals the BIN.
. "$(dirname "$0")/lib.sh"

FW="$TOP/fixtures/firmware"
PORT="usart:$T/tty"
size=$(wc -c <"$FW/blink.bin")

provisor sim create "$T/chip" --chip stm32h563 >/dev/null
cp "$T/chip/flash.bin" "$T/flash.fresh"
background provisor sim run "$T/chip" --usart "$T/tty"
wait_for "$T/tty"

# The program, and four bytes in a sector far from it.
{
	grep -v -e '^:04000005' -e '^:00000001' "$FW/blink.hex"
	printf ':020000040801F1\n:0400000001020304F2\n:00000001FF\n'
} >"$T/gap.hex"
expect 0 'sector 8, 0x08010000\+0x2000' 'dry run names the sectors' -- \
	provisor push "$T/gap.hex" --chip stm32h563 --dry-run
expect 0 'nothing was changed' 'dry run with the chip at the port' -- \
	provisor push "$FW/blink.elf" --port "$PORT" --dry-run
expect 0 '"write":\[\{"address":"0x08000000"' 'dry run as JSON' -- \
	provisor --json push "$FW/blink.elf" --chip h563 --dry-run
same 'and changed nothing' "$T/flash.fresh" "$T/chip/flash.bin"

for f in blink.elf blink.hex blink.srec "blink.bin@0x08000000"; do
	provisor device erase --all --no-check --port "$PORT" >/dev/null
	expect 0 '^PASS ' "push $f" -- provisor push "$FW/$f" --port "$PORT"
	head -c "$size" "$T/chip/flash.bin" >"$T/head"
	same "flash after $f" "$FW/blink.bin" "$T/head"
	provisor device read "0x08000000+$size" --port "$PORT" \
		-o "$T/read" >/dev/null
	same "read back after $f" "$FW/blink.bin" "$T/read"
done

expect 0 '"result":"pass"' 'as JSON' -- \
	provisor --json push "$FW/blink.hex" --port "$PORT"
expect 0 '"device_state":"programmed and verified"' 'with the state' -- \
	provisor --json push "$FW/blink.hex" --port "$PORT"

# Events: one object a line, the last one is the result.
provisor --events 3 --quiet push "$FW/blink.bin@0x08000000" \
	--port "$PORT" >"$T/out" 3>"$T/events"
ok 'events of the steps' -- grep -q '"step":"verify"' "$T/events"
tail -n 1 "$T/events" >"$T/last"
ok 'the result is the last event' -- grep -q '"result":"pass"' "$T/last"

expect 3 'outside' 'an image that does not fit' -- \
	provisor push "$FW/blink.bin@0x081fff00" --port "$PORT"
expect 3 'FAIL' 'and it says FAIL' -- \
	provisor push "$FW/blink.bin@0x081fff00" --port "$PORT"
expect 2 'exclude each other' 'two sources of a license' -- \
	provisor push x.sfi --port "$PORT" --campaign a --license b
expect 2 'needs a license' 'a package without a license' -- \
	provisor push x.sfi --port "$PORT"
expect 1 'No such file' 'a file that is not there' -- \
	provisor push "$T/none.elf" --port "$PORT"
expect 2 '.' 'raw without an address' -- \
	provisor push "$FW/blink.bin" --port "$PORT"
expect 2 'port' 'no port' -- provisor push "$FW/blink.elf"

expect 0 'program started' 'push and go' -- \
	provisor push "$FW/blink.elf" --port "$PORT" --go
expect 7 'no bootloader answers' 'the program runs' -- \
	provisor push "$FW/blink.elf" --port "$PORT"
expect 7 'BOOT0' 'and what to do is said' -- \
	provisor push "$FW/blink.elf" --port "$PORT"

# A chip nobody described: its maker alone has the description.
sed 's/"device_id": *"\{0,1\}0x413"\{0,1\}/"device_id": "0x7ab"/' \
	"$TOP/share/chips/stm32f407.json" >"$T/secret.json"
provisor sim create "$T/other" --chip "$T/secret.json" >/dev/null
background provisor sim run "$T/other" --usart "$T/tty2"
wait_for "$T/tty2"
PORT="usart:$T/tty2"
expect 7 '0x7ab, which no chip description has' 'an unknown chip' -- \
	provisor push "$FW/blink.elf" --port "$PORT"
expect 7 'add a description' 'and how to add it' -- \
	provisor push "$FW/blink.elf" --port "$PORT"
expect 0 'unknown chip' 'info shows it all the same' -- \
	provisor device info --port "$PORT"
expect 0 '^PASS' 'with its description it works' -- \
	provisor push "$FW/blink.elf" --port "$PORT" --chip "$T/secret.json"
done_testing
