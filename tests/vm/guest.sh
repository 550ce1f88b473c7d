#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Init of the guest of scripts/check-vm: our drivers on Debian's kernel. Prints
# TAP and time stamps to the console; a line "HOST VERB" asks the host for
# something that only it can do.
#
# /vm/ports (made by the host) names the USB/IP ports of the virtual chips.
export PATH=/bin PROVISOR_HOME=/tmp/home PROVISOR_CHIPS=/vm TERM=dumb
mount -t proc p /proc
mount -t sysfs s /sys
mount -t devtmpfs d /dev
mount -t tmpfs t /tmp

COUNT=0
up() { cut -d ' ' -f 1 /proc/uptime; }
say() { echo "# $(up) s: $*"; }
pass() {
	COUNT=$((COUNT + 1))
	echo "ok $COUNT - $1"
}
fail() {
	COUNT=$((COUNT + 1))
	echo "not ok $COUNT - $1"
	sed 's/^/#   /' /tmp/out | tail -n 12
}
# As in tests/cli/lib.sh.
expect() { # CODE PATTERN DESC -- COMMAND...
	_code=$1 _pattern=$2 _desc=$3
	shift 4
	"$@" >/tmp/out 2>&1 </dev/null
	_got=$?
	if [ $_got -ne "$_code" ]; then
		echo "# exit code $_got, wanted $_code: $*"
		fail "$_desc"
	elif ! grep -Eq -- "$_pattern" /tmp/out; then
		echo "# output lacks /$_pattern/: $*"
		fail "$_desc"
	else
		pass "$_desc"
	fi
}
ok() { # DESC -- COMMAND...
	_desc=$1
	shift 2
	if "$@" >/tmp/out 2>&1 </dev/null; then
		pass "$_desc"
	else
		fail "$_desc"
	fi
}
ended() { # DESC CODE: of a command in the background, its output in /tmp/out
	if [ "$2" -eq 0 ]; then pass "$1"; else fail "$1: exit code $2"; fi
}
same() { # DESC FILE FILE
	if cmp "$2" "$3" >/tmp/out 2>&1; then pass "$1"; else fail "$1"; fi
}
# Nothing may hang: the time of every command has a bound.
provisor() { timeout 40 /bin/provisor "$@"; }
dfu_util() { timeout 40 /bin/dfu-util "$@"; }
stm32flash() { timeout 40 /bin/stm32flash "$@"; }
# Up to 15 s for a command to succeed.
wait_until() {
	_n=0
	until "$@" >/dev/null 2>&1; do
		_n=$((_n + 1))
		[ $_n -gt 150 ] && return 1
		sleep 0.1
	done
}

say init
while read -r m; do
	insmod "/lib/modules/$m" || echo "# insmod $m failed"
done </lib/modules/order
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
say modules

# shellcheck source=/dev/null
. /vm/ports

# --- USB: the kernel's stack, attached by Debian's usbip ---------------------

# The device in /sys with this serial number.
usb_dir() {
	for _d in /sys/bus/usb/devices/*; do
		[ "$(cat "$_d/serial" 2>/dev/null)" = "$1" ] || continue
		echo "$_d"
		return 0
	done
	return 1
}
# Plug a device in again whenever it is gone, as a cable that stays in does. One
# after the other: two usbip at once fight for a port for ever.
keep_attached() { # SERIAL:PORT...
	while :; do
		for _pair; do
			usb_dir "${_pair%:*}" >/dev/null || timeout 10 usbip \
				--tcp-port "${_pair#*:}" attach -r 10.0.2.2 -b 1-1
		done
		sleep 0.2
	done >/dev/null 2>&1
}
write_usb() { # SERIAL [OPTION...]
	_s=$1
	shift
	provisor device write /vm/usb.bin@0x08000000 --port "dfu:$_s" "$@"
}

keep_attached "VMA:$PORT_A" "VMB:$PORT_B" "VMC:$PORT_C" "VMF:$PORT_F" &
for chip in A B C F; do
	ok "chip $chip is on the bus" -- wait_until usb_dir VM$chip
done
say attached
provisor device list >/tmp/list 2>&1
for chip in A B C F; do
	ok "device list shows chip $chip" -- grep "VM$chip" /tmp/list
done
expect 7 '4 USB devices in DFU mode match' 'four devices: none is picked' -- \
	provisor device info --port dfu
expect 0 'memory 0 +Internal Flash' 'info, by serial number' -- \
	provisor device info --port dfu:VMA
expect 0 'erased and blank' 'erase' -- \
	provisor device erase 0x08000000+128K --port dfu:VMA
expect 0 'all of it read back' 'write and read back' -- write_usb VMA
expect 0 'the chip holds these' 'verify' -- \
	provisor device verify /vm/usb.bin@0x08000000 --port dfu:VMA
expect 4 'holds 0x' 'verify what is not there' -- \
	provisor device verify /vm/tty.bin@0x08000000 --port dfu:VMA
ok 'read' -- provisor device read 0x08000000+64K --port dfu:VMA -o /tmp/a.bin
same 'what was written' /vm/usb.bin /tmp/a.bin
ok 'dfu-util reads it' -- dfu_util -S VMA -a 0 -s 0x08000000:65536 -U /tmp/d.bin
same 'and finds the same' /vm/usb.bin /tmp/d.bin
say 'USB: erase, write, verify, read done'

expect 7 'at 0x0800[0-9a-f]{4}: .*went away' 'unplugged in mid-transfer' -- \
	write_usb VMB
echo HOST serve
wait_until usb_dir VMB
expect 0 'all of it read back' 'plugged in again: the same command' -- \
	write_usb VMB
say 'USB: unplug done'

expect 7 'at 0x0800[0-9a-f]{4}: .*went away' 'chip reset in mid-transfer' -- \
	write_usb VMC
wait_until usb_dir VMC
expect 0 'all of it read back' 'after the reset: the same command' -- \
	write_usb VMC
say 'USB: chip reset done'

# The bus reset comes from another program, at a moment of its own.
# Content decides: 0 only when every byte is there.
write_usb VMA --events 3 3>/tmp/events >/tmp/log 2>&1 &
job=$!
wait_until grep -q '"write"' /tmp/events
ok 'the bus is reset meanwhile' -- usbreset "$(cat "$(usb_dir VMA)/busnum")/$(
	cat "$(usb_dir VMA)/devnum")"
wait $job
code=$?
cat /tmp/log >/tmp/out
case $code in
0 | 7) pass "a bus reset in mid-transfer ends in exit $code" ;;
*) fail "a bus reset in mid-transfer ends in exit $code" ;;
esac
[ $code -ne 7 ] || wait_until usb_dir VMA
expect 0 'all of it read back' 'after the bus reset: the same command' -- \
	write_usb VMA
say 'USB: bus reset done'

# Some of its transfers are never answered: the kernel has to cancel them.
write_usb VMF --json >/tmp/out 2>&1
code=$?
case $code in
0 | 7) pass "transfers without an answer end in exit $code" ;;
*) fail "transfers without an answer end in exit $code" ;;
esac
[ $code -ne 0 ] ||
	expect 0 'the chip holds these' 'and then the flash is right' -- \
		provisor device verify /vm/usb.bin@0x08000000 --port dfu:VMF
say 'USB: time-outs done'

expect 0 'read back' 'option bytes: it restarts, comes back, holds them' -- \
	provisor device options --set 0=0x5500aaff --port dfu:VMA
expect 0 'program at 0x08000000 started' 'go: the device is gone, exit 0' -- \
	provisor device go 0x08000000 --port dfu:VMA
expect 7 'serial number or port .VMA' 'and no longer in DFU mode' -- \
	provisor device info --port dfu:VMA
say 'USB: restart and go done'

# --- serial: ftdi_sio with libserialport ------------------------------------

# /dev/ttyUSBn of the adapter with this serial number.
tty_of() {
	for _t in /sys/bus/usb-serial/devices/ttyUSB*; do
		_d=$(readlink -f "$_t" 2>/dev/null) || continue
		[ "$(cat "$_d/../../serial" 2>/dev/null)" = "$1" ] || continue
		echo "/dev/${_t##*/}"
		return 0
	done
	return 1
}
timer_of() { echo "/sys/class/tty/${1##*/}/device/latency_timer"; }
write_tty() { # TTY [OPTION...]
	_t=$1
	shift
	provisor device write /vm/tty.bin@0x08000000 --port "usart:$_t" "$@"
}

wait_until tty_of line1
wait_until tty_of line2
TTY=$(tty_of line1)
OTHER=$(tty_of line2)
expect 0 "$TTY" 'device list shows the adapter' -- provisor device list
expect 0 'STM32G071' 'info over ftdi_sio' -- \
	provisor device info --port "usart:$TTY"
expect 0 'erased and blank' 'erase' -- \
	provisor device erase 0x08000000+16K --port "usart:$TTY"
# QEMU's adapter begins with 0; a real one has 16.
echo 16 >"$(timer_of "$TTY")"
write_tty "$TTY" --events 3 3>/tmp/events2 >/tmp/log 2>&1 &
job=$!
wait_until grep -q '"write"' /tmp/events2
cat "$(timer_of "$TTY")" >/tmp/during
wait $job
code=$?
cat /tmp/log >/tmp/out
ended 'write over ftdi_sio, read back' $code
ok 'the latency timer was 1 ms meanwhile' -- grep -qx 1 /tmp/during
ok 'and is 16 ms again' -- grep -qx 16 "$(timer_of "$TTY")"
expect 0 'the chip holds these' 'verify' -- \
	provisor device verify /vm/tty.bin@0x08000000 --port "usart:$TTY"
ok 'read' -- provisor device read 0x08000000+16K --port "usart:$TTY" \
	-o /tmp/t.bin
same 'what was written' /vm/tty.bin /tmp/t.bin
ok 'stm32flash reads it at 8E1' -- \
	stm32flash -r /tmp/s.bin -S 0x08000000:16384 "$TTY"
same 'and finds the same' /vm/tty.bin /tmp/s.bin
expect 0 'all of it read back' 'at 921600 baud, whole frames' -- \
	provisor device write /vm/tty.bin@0x08000000 \
	--port "usart:$TTY@921600" --coalesce
say 'serial: erase, write, verify, read done'

write_tty "$TTY" --events 3 3>/tmp/events3 >/tmp/log 2>&1 &
job=$!
wait_until grep -q '"write"' /tmp/events3
kill -INT "$(pidof provisor)"
wait $job
code=$?
cat /tmp/log >/tmp/out
ok 'interrupted: exit 130' -- test $code = 130
ok 'the latency timer is 16 ms again' -- grep -qx 16 "$(timer_of "$TTY")"
say 'serial: interrupt done'

echo HOST unplug
expect 7 'at 0x0800[0-9a-f]{4}: .*went away' 'adapter unplugged in mid-transfer' -- \
	write_tty "$TTY"
# QEMU needs a moment to let go of the old one.
n=0
until tty_of line1 >/dev/null || [ $n = 10 ]; do
	[ $((n % 2)) = 1 ] || echo HOST plug
	n=$((n + 1))
	sleep 1
done
TTY=$(tty_of line1)
expect 0 'all of it read back' 'plugged in again: the same command' -- \
	write_tty "$TTY"
say 'serial: unplug done'

# The second chip is reset after some thousand bytes, once.
expect 0 'retries on the line' 'chip reset in mid-transfer: taken up again' -- \
	write_tty "$OTHER"
expect 0 'the chip holds these' 'and the flash is right' -- \
	provisor device verify /vm/tty.bin@0x08000000 --port "usart:$OTHER"
say 'serial: chip reset done'

# Two stations on two ports.
write_tty "$TTY" >/tmp/one 2>&1 &
job=$!
expect 0 'all of it read back' 'two ports at once: one' -- write_tty "$OTHER"
wait $job
code=$?
cat /tmp/one >/tmp/out
ended 'two ports at once: the other' $code
say end
echo "1..$COUNT"
poweroff -f
