#!/bin/sh
# The virtual chip on a line with the time of a real one: stm32flash on it,
# overruns, noise by seed, torn flash, quirks, and the account of a session.
. "$(dirname "$0")/lib.sh"
need stm32flash od awk

head -c 3000 /dev/urandom >"$T/random.bin"
flash() {
	timeout 60 stm32flash -m 8n1 "$@"
}

# run_chip NAME [OPTIONS]: power NAME up on $T/tty; $sim is the process.
run_chip() {
	_chip=$1
	shift
	rm -f "$T/tty"
	background provisor sim run "$T/$_chip" --usart "$T/tty" "$@"
	sim=$!
	wait_for "$T/tty"
}

# off: stop the chip; what it counted is on disk then.
off() {
	exec 3>&-
	kill "$sim" 2>/dev/null
	wait "$sim" 2>/dev/null
}

# plug: open the line for `send` and `say`.
plug() {
	exec 3<>"$T/tty"
}

# bytes HEX...: these bytes on stdout.
bytes() {
	# shellcheck disable=SC2059
	printf "$(echo "$*" | tr -d ' ' | awk '{
		d = "0123456789ABCDEF"
		for (i = 1; i < length($0); i += 2)
			printf "\\%03o", (index(d, substr($0, i, 1)) - 1) * 16 + \
			    index(d, substr($0, i + 1, 1)) - 1 }')"
}

# say DESC HOST DEVICE: the host sends HOST, the chip answers exactly DEVICE.
say() {
	_want=$(echo "$3" | tr -d ' ')
	bytes "$2" >&3
	_got=$(timeout 5 dd bs=1 count=$((${#_want} / 2)) <&3 2>/dev/null |
		od -An -v -tx1 | tr -d ' \n' | tr a-f A-F)
	if [ "$_got" = "$_want" ]; then
		pass "$1"
	else
		echo "# wanted $_want, got $_got"
		fail "$1"
	fi
}

# count NAME: a counter of the chip $_chip.
count() {
	provisor --json sim show "$T/$_chip" |
		sed -n "s/.*\"$1\":\"\\([0-9]*\\)\".*/\\1/p"
}

# is DESC VALUE OP VALUE
is() {
	ok "$1: $2 $3 $4" -- test "$2" "$3" "$4"
}

ok 'create' -- provisor sim create "$T/f407" --chip stm32f407

# stm32flash on a line with an adapter of 16 ms.
run_chip f407 --baud 115200 --latency-ms 16 --time-scale 0.01 \
	--transcript "$T/log"
began=$(date +%s%N)
expect 0 '100.00%' 'stm32flash on a paced line' -- \
	flash -b 115200 -w "$T/random.bin" -v "$T/tty"
took=$((($(date +%s%N) - began) / 1000000))
off
# 12 blocks written, 12 read: 24 x 268 byte times and three turns of 16 ms.
is 'it took no less than the line needs' "$took" -ge 1760
is 'nothing overran' "$(count overruns)" -eq 0
is 'twelve blocks were written' "$(grep -c '^write .* ok$' "$T/log")" -eq 12
is 'and read' "$(grep -c '^read .* ok$' "$T/log")" -ge 12
ok 'one sector was erased' -- \
	grep -q '^extended-erase 1 ok erased=1$' "$T/log"
expect 0 '"erases":\{"0":"1"\}' 'which is counted' -- \
	provisor --json sim show "$T/f407"
is 'write units were programmed' "$(count programs)" -eq 750
cmp -n 3000 "$T/random.bin" "$T/f407/flash.bin"
is 'flash holds it' $? -eq 0

# The rate of the client's port.
run_chip f407 --baud port --max-baud 115200
expect 0 '0x0413' 'a rate of the client' -- flash -b 57600 "$T/tty"
off
run_chip f407 --baud port --max-baud 115200
not_ok 'a rate too high for the chip' -- flash -b 230400 "$T/tty"
off

# A block in one write: fine for a chip that turns at once, not at 50 us.
{
	bytes 31CE 0800010009 FF
	head -c 256 /dev/zero
	bytes FF
} >"$T/block"
run_chip f407 --baud 921600 --turn-us 5 --time-scale 0
plug
say 'sync' 7F 79
cat "$T/block" >&3
say 'a block at once' '' '79 79 79'
off
is 'no overrun' "$(count overruns)" -eq 0
run_chip f407 --baud 921600 --turn-us 50 --time-scale 0
plug
say 'sync' 7F 79
cat "$T/block" >&3
say 'the first ACK comes' '' 79
sleep 0.2
off
is 'overruns when the chip turns slowly' "$(count overruns)" -gt 0

# Noise: the same seed is the same run.
for n in a b c; do
	ok "create $n" -- provisor sim create "$T/$n" --chip stm32f407
	run_chip "$n" --faults flip-in=2e-3 --seed "$([ $n = c ] && echo 8 || echo 7)" \
		--transcript "$T/log.$n"
	flash -w "$T/random.bin" "$T/tty" >/dev/null 2>&1
	off
done
same 'the same seed, the same transcript' "$T/log.a" "$T/log.b"
not_ok 'another seed, another one' -- cmp "$T/log.a" "$T/log.c"

# A power cut in a write: one unit is torn, what follows is not written.
ok 'create' -- provisor sim create "$T/torn" --chip stm32f407
{
	bytes 7F 31CE 0800000008 FF
	head -c 256 /dev/zero
	bytes FF
} >"$T/write"
run_chip torn --faults powercut@266 --seed 3
plug
cat "$T/write" >&3
wait "$sim"
exec 3>&-
zeros=$(head -c 256 "$T/torn/flash.bin" | tr -d '\377' | wc -c)
is 'a write was cut' "$zeros" -lt 256
is 'but begun' "$zeros" -gt 0
# And in an erase: neither old nor erased.
head -c 16384 /dev/zero | dd of="$T/torn/flash.bin" conv=notrunc 2>/dev/null
run_chip torn --faults powercut@8 --seed 4
plug
bytes 7F 44BB 00000000 00 >&3
wait "$sim"
exec 3>&-
old=$(head -c 16384 "$T/torn/flash.bin" | tr -d '\001-\377' | wc -c)
is 'an erase was cut' "$old" -gt 100
is 'but begun' "$old" -lt 16384

# Every command with and without read protection, and its transcript.
ok 'create' -- provisor sim create "$T/open" --chip stm32f407
ok 'create --rdp 1' -- provisor sim create "$T/closed" --chip stm32f407 \
	--rdp 1
expect 2 '--rdp' '--rdp 3' -- provisor sim create "$T/no" --chip stm32f407 \
	--rdp 3
run_chip open --quirk checksum --transcript "$T/log.open"
plug
say 'sync' 7F 79
say 'Get' 00FF '79 0C 31 00 01 02 11 21 31 44 63 73 82 92 A1 79'
say 'Get Version' 01FE '79 31 00 00 79'
say 'Get ID' 02FD '79 01 04 13 79'
say 'Read' '11EE 08000000 08 01FE' '79 79 79 FF FF'
say 'Write' '31CE 08000000 08 03 DEADBEEF 21' '79 79 79'
say 'Get Checksum' \
	'A15E 08000100 09 00000040 40 04C11DB7 6F FFFFFFFF 00' \
	'79 79 79 79 79 79 7B EA EA 80 FB'
say 'Extended Erase' '44BB 0000 0000 00' '79 79'
say 'Write Protect' '639C 00 02 02' '79 79'
say 'a restart' 7F 79
say 'Write Unprotect' 738C '79 79'
say 'a restart' 7F 79
say 'Readout Protect' 827D '79 79'
say 'a restart' 7F 79
say 'Readout Unprotect' 926D '79 79'
say 'a restart' 7F 79
say 'Go' '21DE 08000000 08' '79 79'
off
cat >"$T/want" <<EOF
power-on
sync ok
get ok
get-version ok
get-id ok
read 0x08000000 2 ok
write 0x08000000 4 ok
get-checksum 0x08000100 64 ok
extended-erase 1 ok erased=1
write-protect 1 ok
restart
sync ok
write-unprotect ok
restart
sync ok
readout-protect ok
restart
sync ok
readout-unprotect ok
restart
sync ok
go 0x08000000 ok
EOF
same 'the transcript of an open chip' "$T/want" "$T/log.open"
is 'syncs are counted' "$(count syncs)" -eq 5

run_chip closed --quirk checksum --quirk double-nack \
	--quirk unprotect-erases-first --quirk unprotect-fails \
	--transcript "$T/log.closed"
plug
say 'sync' 7F 79
say 'Get is answered' 00FF '79 0C 31 00 01 02 11 21 31 44 63 73 82 92 A1 79'
say 'Get Version' 01FE '79 31 00 00 79'
say 'Get ID' 02FD '79 01 04 13 79'
say 'Read is refused, twice' 11EE '1F 1F'
say 'Write' 31CE '1F 1F'
say 'Go' 21DE '1F 1F'
say 'Extended Erase' 44BB 1F
say 'Write Protect' 639C 1F
say 'Write Unprotect' 738C 1F
say 'Readout Protect' 827D 1F
say 'Get Checksum' A15E 1F
say 'Readout Unprotect that fails' 926D '79 1F'
off
is 'nine refusals' "$(grep -c ' nack' "$T/log.closed")" -eq 9
expect 0 'RDP 1' 'the protection stays' -- provisor sim show "$T/closed"
run_chip closed
plug
say 'sync' 7F 79
say 'Readout Unprotect' 926D '79 79'
off
expect 0 'RDP 0' 'lifts it' -- provisor sim show "$T/closed"

# What this part does not list: Erase (0x43), Special and Extended Special.
for rdp in 0 1; do
	ok "create a part with 0x43, level $rdp" -- provisor sim create \
		"$T/short$rdp" --chip stm32f103 --rdp $rdp
	ok "and one with the agent, level $rdp" -- provisor sim create \
		"$T/agent$rdp" --chip stm32f407 --agent --rdp $rdp
done
run_chip short0 --transcript "$T/log.short0"
plug
say 'sync' 7F 79
say 'Get lists 0x43' 00FF '79 0B 22 00 01 02 11 21 31 43 63 73 82 92 79'
say 'Erase, two pages' '43BC 01 00 01 00' '79 79'
say 'Erase, all' '43BC FF 00' '79 79'
say 'FF with anything else erases nothing' '43BC FF 01' '79 79'
off
cat >"$T/want" <<EOF
power-on
sync ok
get ok
erase 2 ok erased=2
erase 0xff00 ok erased=128
erase 0xff01 ok erased=0
EOF
same 'the transcript of Erase' "$T/want" "$T/log.short0"
run_chip short1 --transcript "$T/log.short1"
plug
say 'sync' 7F 79
say 'Erase is refused at level 1' 43BC 1F
off
ok 'the transcript has it' -- grep -qx 'erase nack' "$T/log.short1"

zeros=0000000000000000
run_chip agent0 --transcript "$T/log.agent0"
plug
say 'sync' 7F 79
say 'Special: the report of an idle agent' '50AF 5007 57 0000 00' \
	"79 79 79 0010 $zeros$zeros 0008 $zeros 79"
say 'an unknown subcommand' '50AF 5FFF A0' '79 1F'
say 'more data than there may be' '50AF 5007 57 0081' '79 79 1F'
say 'Extended Special, out of order' '51AE 5102 53 0000 00 0000 00' \
	'79 79 79 79 0008 0000010000000000 79'
off
run_chip agent1 --transcript "$T/log.agent1"
plug
say 'sync' 7F 79
say 'Special at level 1: the report' '50AF 5007 57 0000 00' \
	"79 79 79 0010 $zeros$zeros 0008 $zeros 79"
say 'no header' '50AF 5003 53' '79 1F'
say 'no Extended Special at all' 51AE 1F
off
printf '%s\n' power-on 'sync ok' 'special 0x5007 ok' 'special 0x5fff nack' \
	'special 0x5007 nack' 'extended-special 0x5102 ok' >"$T/want"
same 'the transcript of both, open' "$T/want" "$T/log.agent0"
printf '%s\n' power-on 'sync ok' 'special 0x5007 ok' 'special 0x5003 nack' \
	'extended-special nack' >"$T/want"
same 'and at level 1' "$T/want" "$T/log.agent1"

# Quirks of the start, of a bad address, of protection; the reset pin.
run_chip open --quirk stray-zero --quirk silent-bad-address \
	--no-quirk restart-after-protect --go-text hello --quirk no-mass-erase
plug
say 'a stray byte' 7F '00 79'
say 'silence, and the next pair' '11EE 30000000 30 02FD' \
	'79 79 01 04 13 79'
say 'no restart' '738C 02FD' '79 79 79 01 04 13 79'
say 'no mass erase' '44BB FFFF 00' '79 1F'
say 'the program talks' '21DE 08000000 08' '79 79 68 65 6C 6C 6F'
kill -USR1 "$sim"
sleep 0.3
say 'the reset pin' 7F '00 79'
off
run_chip open --quirk restart-before-ack
plug
say 'sync' 7F 79
say 'no last ACK' '31CE 1FFFC000 20 0F FFAAEFFF FFFFFFFF FFFFFFFF FFFFFFFF 4A' \
	'79 79'
sleep 0.2
say 'it restarted' 7F 79
off

# Boot pin low: an empty chip with the empty check is a bootloader.
run_chip open --boot0 low
plug
bytes 7F >&3
sleep 0.2
off
expect 0 'running at 0x08000000' 'boot0 low runs the program' -- \
	provisor sim show "$T/open"
run_chip open --boot0 low --quirk empty-check
plug
say 'empty: sync' 7F 79
say 'write' '31CE 08000000 08 03 00000000 03' '79 79 79'
kill -USR1 "$sim"
sleep 0.3
say 'a reset after that: still the bootloader' 7F 79
off
run_chip open --boot0 low --quirk empty-check
off
expect 0 'running at 0x08000000' 'after a power cycle the program runs' -- \
	provisor sim show "$T/open"

# ECC: kept, or damaged.
ok 'create' -- provisor sim create "$T/ecc" --chip stm32g071
for q in '--quirk double-nack' '--quirk ecc-damage'; do
	# shellcheck disable=SC2086
	run_chip ecc $q
	plug
	say 'sync' 7F 79
	say 'erase' '44BB 0000 0000 00' '79 79'
	say 'write' '31CE 08000000 08 07 0102030405060708 0F' '79 79 79'
	say 'write again' '31CE 08000000 08 07 FFFFFFFF00000000 07' '79 79 79'
	off
	bytes 0102030405060708 >"$T/first"
	case $q in
	*ecc*) not_ok 'damaged' -- cmp -n 8 "$T/first" "$T/ecc/flash.bin" ;;
	*) ok 'kept' -- cmp -n 8 "$T/first" "$T/ecc/flash.bin" ;;
	esac
done
is 'double writes are counted' "$(count rewrites)" -eq 2

# A frame that does not end.
run_chip open --quirk byte-timeout
plug
say 'sync' 7F 79
say 'half a frame' '31CE 0800' '79'
sleep 1.3
say 'it restarted' 7F 79
off

# Broken chips: the driver ends in bounded time with the code of a device.
for q in '--quirk refuses-all' '--quirk huge-sizes' '--faults flip-out=1' \
	'--faults drop-out=1'; do
	# shellcheck disable=SC2086
	run_chip f407 $q
	expect 7 '' "the driver gives up on $q" -- timeout 60 \
		provisor device info --port "usart:$T/tty"
	off
done
run_chip f407 --quirk other-id
plug
say 'sync' 7F 79
say 'its id' 02FD '79 01 04 13 79'
say 'a restart' '738C' '79 79'
say 'another id' '7F 02FD' '79 79 01 04 12 79'
off

# What is refused.
expect 2 "no quirk 'odd'" 'an unknown quirk' -- \
	provisor sim run "$T/open" --usart "$T/tty2" --quirk odd
expect 2 '--baud' 'a rate of 100' -- \
	provisor sim run "$T/open" --usart "$T/tty2" --baud 100
expect 2 'goes with --baud' 'a turn time without a rate' -- \
	provisor sim run "$T/open" --usart "$T/tty2" --turn-us 5
expect 2 'neither low nor high' 'a boot pin' -- \
	provisor sim run "$T/open" --usart "$T/tty2" --boot0 up
expect 2 'not a chance' 'a chance of 2' -- \
	provisor sim run "$T/open" --usart "$T/tty2" --faults drop=2
expect 2 'go with --usart' 'a rate on USB' -- \
	provisor sim run "$T/open" --usbip 0 --baud 9600
expect 1 'transcript' 'a transcript that cannot be written' -- \
	provisor sim run "$T/open" --usart "$T/tty2" --transcript "$T/no/log"
expect 0 'stray-zero.*0x00' 'sim quirks' -- provisor sim quirks
expect 0 '"stray-zero":"' 'sim quirks --json' -- provisor --json sim quirks
done_testing
