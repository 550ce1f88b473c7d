#!/bin/sh
# Protection and option bytes on a virtual chip: what is refused before a byte
# is sent, what the chip does, and what is proven afterwards.
. "$(dirname "$0")/lib.sh"

FW="$TOP/fixtures/firmware"
PORT="usart:$T/tty"

expect 0 '' 'make a chip' -- provisor sim create "$T/chip" --chip stm32g071
background provisor sim run "$T/chip" --usart "$T/tty"
wait_for "$T/tty"

expect 0 'sectors? erased' 'program it' -- \
	provisor device write "$FW/blink.elf" --port "$PORT"

# Option bytes.
expect 0 'read protection level' 'show the option bytes' -- \
	provisor device options --port "$PORT"
head -c 128 /dev/zero | tr '\0' '\252' >"$T/area.bin"
expect 0 'written and read back' 'write all of them from a file' -- \
	provisor device options --port "$PORT" --set "$T/area.bin"
same 'the chip has them' "$T/area.bin" "$T/chip/options.bin"
expect 0 '0x1fff7804  0x12345678  written' 'one word by its offset' -- \
	provisor device options --port "$PORT" --set 4=0x12345678
expect 0 '"value":"0x12345678","changed":false' 'as JSON' -- \
	provisor --json device options --port "$PORT"
expect 0 '0x1fff7808  0xcccccccc  written' \
	'0xcc elsewhere is no read protection' -- \
	provisor device options --port "$PORT" --set 0x1fff7808=0xcccccccc
expect 5 'level 2 closes the chip for ever' 'level 2 by options is refused' -- \
	provisor device options --port "$PORT" --set 0=0xaaaaaacc
expect 5 'level 1 opens again only by erasing' 'level 1 by options too' -- \
	provisor device options --port "$PORT" --set 0=0xaaaaaa55
expect 3 'no word of the option area' 'a word outside the area' -- \
	provisor device options --port "$PORT" --set 0x80=1
expect 3 'no word of the option area' 'half a word' -- \
	provisor device options --port "$PORT" --set 0x1fff7802=1
head -c 12 "$T/area.bin" >"$T/short.bin"
expect 3 'has 12 bytes, the option area has 128' 'a file too short' -- \
	provisor device options --port "$PORT" --set "$T/short.bin"
expect 3 'outside flash|not in flash' 'an image in the option area is refused' -- \
	provisor device write "$T/area.bin@0x1fff7800" --port "$PORT"
expect 0 '0xaaaaaaaa' 'nothing of that was written' -- \
	provisor device options --port "$PORT"

# Write protection: the set is replaced, and a push notices.
expect 0 'acknowledged the set' 'protect sector 0' -- \
	provisor device protect --sectors 0 --port "$PORT"
expect 0 '"proven":false,"option_bytes":"[0-9a-f]{256}"' \
	'no proof, but the option bytes as they are now' -- \
	provisor --json device protect --sectors 0 --port "$PORT"
head -c 4096 /dev/urandom >"$T/other.bin"
expect 4 'write-protected sector' 'a protected sector is noticed, though erase and write are acknowledged' -- \
	provisor device write "$T/other.bin@0x08000000" --port "$PORT"
expect 3 'sector 200 is beyond the last, 63' 'a sector it does not have' -- \
	provisor device protect --sectors 0-3,200 --port "$PORT"
expect 3 'sector 2 is named twice' 'a sector twice' -- \
	provisor device protect --sectors 0-3,2 --port "$PORT"
expect 2 'no range of sectors' 'a range upside down' -- \
	provisor device protect --sectors 3-1 --port "$PORT"
expect 2 'sector' 'no number' -- \
	provisor device protect --sectors 1,x --port "$PORT"
expect 2 'all sectors or none' 'unprotect some' -- \
	provisor device unprotect --sectors 0 --port "$PORT"
expect 0 'no sector is write-protected' 'unprotect' -- \
	provisor device unprotect --sectors all --port "$PORT"
expect 0 '' 'writing works again' -- \
	provisor device write "$T/other.bin@0x08000000" --port "$PORT"

# Read protection.
expect 2 'one of' 'nothing asked for' -- \
	provisor device protect --port "$PORT"
expect 2 'level 0 is no protection' 'level 0' -- \
	provisor device protect --level 0 --port "$PORT"
expect 5 'no way back' 'level 2 without consent, no port touched' -- \
	provisor device protect --level 2 --port "usart:$T/none"
expect 0 '"proven":true,"option_bytes":null' 'level 1' -- \
	provisor --json device protect --read-protect --port "$PORT"
expect 0 '"read_protected":true' 'info says so' -- \
	provisor --json device info --port "$PORT"
expect 7 'read protected' 'reading is refused' -- \
	provisor device read 0x08000000+16 --port "$PORT" -o "$T/x"
expect 7 'unprotect --read-protect' 'writing names the way out' -- \
	provisor device write "$FW/blink.elf" --port "$PORT"
expect 0 'all of flash was erased' 'lift it' -- \
	provisor device unprotect --read-protect --port "$PORT"
tr -d '\377' <"$T/chip/flash.bin" >"$T/rest"
not_ok 'nothing is left in flash' -- test -s "$T/rest"
expect 0 '' 'and it can be written' -- \
	provisor device write "$FW/blink.elf" --port "$PORT"
done_testing
