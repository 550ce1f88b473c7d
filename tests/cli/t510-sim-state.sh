#!/bin/sh
# What a virtual chip keeps: over kill -9, over a power cut and an unplug at a
# given byte; and who may run it.
. "$(dirname "$0")/lib.sh"
need stm32flash

head -c 8192 /dev/urandom >"$T/random.bin"
flash() {
	stm32flash -m 8n1 "$@"
}

# sim_start [OPTIONS]: run the chip; $sim is its process.
sim_start() {
	background provisor sim run "$T/chip" --usart "$T/tty" "$@"
	sim=$!
	wait_for "$T/tty"
}

# sim_gone: wait until the process has ended.
sim_gone() {
	wait "$sim" 2>/dev/null
}

expect 0 'product id 41300001, bootloader only' 'create' -- \
	provisor sim create "$T/chip" --chip stm32f407
expect 1 "already holds a virtual chip" 'a second create is refused' -- \
	provisor sim create "$T/chip" --chip stm32f407
expect 3 'no description of chip' 'an unknown chip is refused' -- \
	provisor sim create "$T/other" --chip stm32x999
not_ok 'and makes no folder' -- test -e "$T/other"
sed '/"mpu": true/,$d' "$TOP/share/chips/stm32mp15.json" >"$T/no-rom.json"
printf '"mpu": true, "device_id": "0x500", "ram": [ %s ] }\n' \
	'{ "base": "0x2ffc0000", "size": "0x40000" }' >>"$T/no-rom.json"
expect 3 'says nothing of its ROM' 'an MPU without a ROM is refused' -- \
	provisor sim create "$T/other" --chip "$T/no-rom.json"
expect 2 'not 8 printable' 'a product id of 7 characters is refused' -- \
	provisor sim create "$T/other" --chip stm32f407 --product-id 1234567
expect 2 'exclude' '--agent and --no-agent' -- \
	provisor sim create "$T/other" --chip stm32f407 --agent --no-agent
ok 'the certificate has 136 bytes' -- \
	sh -c "[ \$(wc -c <'$T/chip/certificate.bin') -eq 136 ]"
ok 'the key is private' -- \
	sh -c "[ \"\$(stat -c %a '$T/chip/chip.key')\" = 600 ]"
ok 'the CA key is private' -- \
	sh -c "[ \"\$(stat -c %a '$PROVISOR_HOME/sim-ca/ca.key')\" = 600 ]"
expect 0 'BEGIN PUBLIC KEY' 'the CA has a public key' -- \
	cat "$PROVISOR_HOME/sim-ca/ca.pem"
ok 'otp.bin has the size of the description' -- \
	sh -c "[ \$(wc -c <'$T/chip/otp.bin') -eq 528 ]"
ok 'a chip without OTP' -- provisor sim create "$T/f103" --chip stm32f103
ok 'has an empty otp.bin' -- sh -c "[ -e '$T/f103/otp.bin' ] &&
	! [ -s '$T/f103/otp.bin' ]"
cp "$PROVISOR_HOME/sim-ca/ca.pem" "$T/ca.before"
ok 'another chip' -- provisor sim create "$T/chip2" --chip stm32h563 \
	--product-id ABCD1234
same 'the same CA serves it' "$T/ca.before" "$PROVISOR_HOME/sim-ca/ca.pem"
expect 0 '^ABCD1234' 'its certificate has its id' -- \
	head -c 8 "$T/chip2/certificate.bin"
rm "$PROVISOR_HOME/sim-ca/ca.key"
expect 1 'private key' 'half a CA is not replaced' -- \
	provisor sim create "$T/other" --chip stm32f407
same 'nor its public key' "$T/ca.before" "$PROVISOR_HOME/sim-ca/ca.pem"

# kill -9 in mid-life.
sim_start
expect 0 '100.00%' 'write' -- flash -w "$T/random.bin" -v "$T/tty"
expect 7 'already running' 'a second run is refused' -- \
	provisor sim run "$T/chip" --usart "$T/tty2"
not_ok 'and makes no link' -- test -L "$T/tty2"
kill -9 "$sim"
sim_gone
ok 'the link of a killed run stays' -- test -L "$T/tty"
head -c 8192 "$T/chip/flash.bin" >"$T/first"
same 'flash survives kill -9' "$T/random.bin" "$T/first"
rm -f "$T/tty"
ln -s /dev/pts/999 "$T/tty"
background provisor sim run "$T/chip" --usart "$T/tty"
sim=$!
_n=0
while [ ! -e "$T/tty" ] && [ $_n -lt 200 ]; do
	_n=$((_n + 1))
	sleep 0.05
done
ok 'a dangling link is replaced; the chip reads the same' -- \
	flash -r "$T/back.bin" -S 0x08000000:8192 "$T/tty"
same 'what was read is what was written' "$T/random.bin" "$T/back.bin"
kill "$sim"
ok 'SIGTERM ends it with 0' -- wait "$sim"
not_ok 'and removes the link' -- test -L "$T/tty"

# Something else at LINK is left alone.
echo mine >"$T/tty"
expect 1 'not a symbolic link' 'a file at LINK is kept' -- \
	provisor sim run "$T/chip" --usart "$T/tty"
expect 0 mine 'and not changed' -- cat "$T/tty"
rm "$T/tty"

# OTP: read and written over the line, bits only clear, kept over a restart.
sim_start
printf '\360\017\252\125' >"$T/otp1"
printf '\377\360\377\377' >"$T/otp2"
printf '\360\000\252\125' >"$T/otp3"
ok 'write OTP' -- flash -w "$T/otp1" -S 0x1fff7800:4 "$T/tty"
ok 'and over it' -- flash -w "$T/otp2" -S 0x1fff7800:4 "$T/tty"
kill "$sim"
sim_gone
head -c 4 "$T/chip/otp.bin" >"$T/otp4"
same 'bits went to 0 only' "$T/otp3" "$T/otp4"
sim_start
ok 'read OTP' -- flash -r "$T/otp5" -S 0x1fff7800:4 "$T/tty"
same 'it is what otp.bin has' "$T/otp3" "$T/otp5"
kill "$sim"
sim_gone

# Faults.
expect 2 "no fault 'smoke=1e-4'" 'an unknown fault is refused' -- \
	provisor sim run "$T/chip" --usart "$T/tty" --faults smoke=1e-4
expect 2 'not a byte count' 'unplug without a number' -- \
	provisor sim run "$T/chip" --usart "$T/tty" --faults unplug@x
expect 2 'nothing after' 'a comma too many' -- \
	provisor sim run "$T/chip" --usart "$T/tty" --faults unplug@5,
sim_start --faults unplug@4000
not_ok 'the write ends at the unplug' -- flash -w "$T/random.bin" "$T/tty"
ok 'the chip ended with 0' -- wait "$sim"
not_ok 'its link is gone' -- test -L "$T/tty"
expect 0 'unplugged after 4000 bytes' 'and it said so' -- \
	sh -c "cat '$T'/background.*"
sim_start --faults powercut@3000
not_ok 'the write ends at the power cut' -- flash -w "$T/random.bin" "$T/tty"
sim_gone
ok 'nothing was put in order' -- test -L "$T/tty"
rm "$T/tty"

# Damaged state.
cp "$T/chip/state.json" "$T/state.good"
printf '{"format":"provisor-sim/9"}\n' >"$T/chip/state.json"
expect 3 "format 'provisor-sim/9'" 'a newer state is refused' -- \
	provisor sim show "$T/chip"
head -c 100 "$T/state.good" >"$T/chip/state.json"
expect 3 'state.json' 'a cut state is refused' -- \
	provisor sim run "$T/chip" --usart "$T/tty"
cp "$T/state.good" "$T/chip/state.json"
head -c 1000 /dev/zero >"$T/chip/ram.bin"
expect 3 'ram.bin.* has 1000 bytes' 'a memory of another size is refused' -- \
	provisor sim run "$T/chip" --usart "$T/tty"
expect 1 'sim create' 'no chip: says how to make one' -- \
	provisor sim show "$T/nothing"
expect 0 '"rdp":0' 'show --json' -- provisor --json sim show "$T/chip"
done_testing
