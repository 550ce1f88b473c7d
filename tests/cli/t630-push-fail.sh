#!/bin/sh
# Bad ports, packages, licenses and certificates: the right exit code, a
# message, and nothing lost or left runnable.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/push.sh"

cd "$T" || exit 1
station 5
vchip 0

push() {
	provisor push "$@" --campaign spring
}

# --- ports
expect 7 'no such port' 'port missing' -- push app.sfi --port usart:none
expect 7 'device list' 'and what to try' -- push app.sfi --port usart:none
expect 7 'not a serial port' 'port is a file' -- \
	push app.sfi --port usart:app.sfi
expect 2 'no known kind' 'port without a kind' -- push app.sfi --port tty0
cat >hold.c <<'END'
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>
/* hold PATH: take a port. hold -s LINK: a pty nobody answers on. */
int
main(int argc, char **argv)
{
	char path[64];
	int fd, n = 0, unlock = 0;

	if (argc == 3) {
		fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
		if (fd < 0 || ioctl(fd, TIOCSPTLCK, &unlock) != 0 ||
		    ioctl(fd, TIOCGPTN, &n) != 0)
			return 1;
		snprintf(path, sizeof(path), "/dev/pts/%d", n);
		if (symlink(path, argv[2]) != 0)
			return 1;
	} else {
		fd = open(argv[1], O_RDWR | O_NOCTTY);
		if (fd < 0 || flock(fd, LOCK_EX) != 0 ||
		    creat("held", 0600) < 0)
			return 1;
	}
	sleep(60);
	return 0;
}
END
cc -D_DEFAULT_SOURCE -o hold hold.c || fail 'cc'
background ./hold tty0
holder=$!
wait_for held
expect 7 'busy' 'port busy' -- push app.sfi --port usart:tty0
kill $holder
wait $holder 2>/dev/null
background ./hold -s silent
wait_for silent
expect 7 'no bootloader answers' 'port silent' -- push app.sfi --port usart:silent
said 'no license was spent; the chip is unchanged' 'nothing spent'
flash_blank 0
ok 'five left' -- test "$(left)" = 5

# --- packages
for n in 0 10 27 60 500; do
	head -c $n app.sfi >short.sfi
	expect 4 'no license was spent; the chip is unchanged' \
		"package cut at $n" -- push short.sfi --port usart:tty0
done
mkfifo pipe.sfi
expect 4 'not a regular file' 'a package that is a pipe' -- \
	timeout -k 1 10 provisor push pipe.sfi --port usart:tty0 --campaign spring
# one bit in each part: magic, header tag, area header, payload, last byte
flip() {
	cp app.sfi flipped.sfi
	_b=$(od -An -tu1 -j "$1" -N1 app.sfi)
	# shellcheck disable=SC2059
	printf "$(printf '\\%03o' $((_b ^ 1)))" |
		dd of=flipped.sfi bs=1 seek="$1" conv=notrunc 2>/dev/null
}
last=$(($(wc -c <app.sfi) - 1))
flip 0
expect 4 '' 'bit flipped in the magic' -- push flipped.sfi --port usart:tty0
flip 20
expect 4 'package header does not verify' 'bit flipped in the header tag' -- \
	push flipped.sfi --port usart:tty0
flash_blank 0
flip 50
expect 4 'area 1 .*does not verify' 'bit flipped in an area tag' -- \
	push flipped.sfi --port usart:tty0
said 'the chip is erased, safe' 'the chip says it is erased'
flash_blank 0
flip 200
expect 4 'area 1 .*does not verify' 'bit flipped in a payload' -- \
	push flipped.sfi --port usart:tty0
flash_blank 0
flip "$last"
expect 4 'area 3 .*does not verify' 'last bit flipped' -- \
	push flipped.sfi --port usart:tty0
flash_blank 0
ok 'one license spent in all of that' -- test "$(left)" = 4
expect 0 '^PASS' 'the whole package then passes' -- \
	push app.sfi --port usart:tty0
flash_is 0 "$FW/blink.bin"

# --- another nonce than the campaign's
provisor sfi pack --chip stm32h563 --firmware "$FW/blink.elf" --key "$KEY" \
	--image-version 8 -o other.sfi >/dev/null
expect 4 'not of this key and nonce' 'package of another nonce' -- \
	push other.sfi --port usart:tty0
ok 'nothing further spent' -- test "$(left)" = 4

# --- a chip of another CA
provisor sim create chip7 --chip stm32h563 --ca "$T/ca7" >/dev/null
vchip 7
expect 4 'verifying chip certificate' 'chip of another CA' -- \
	push app.sfi --port usart:tty7
said "NOT signed by the campaign's CA" 'shown on the chip line'
said 'no license was spent; the chip is unchanged' 'says so'
ok 'counter unchanged' -- test "$(left)" = 4
flash_blank 7
# --- another product
provisor sim create chip8 --chip stm32h563 --product-id 99900001 >/dev/null
vchip 8
expect 4 "for product '99900001'" 'chip of another product' -- \
	push app.sfi --port usart:tty8
ok 'counter unchanged again' -- test "$(left)" = 4
# --- a chip without the agent
provisor sim create chip9 --chip stm32h563 --no-agent >/dev/null
vchip 9
expect 7 'does not know secure install|has no command' 'no install agent' -- \
	push app.sfi --port usart:tty9
ok 'counter unchanged still' -- test "$(left)" = 4

# --- unplugged half-way, at many places; then a repeat costs nothing
provisor sim create chip5 --chip stm32h563 >/dev/null
for at in 30 400 1200 5000 9000; do
	rm -f tty5
	background provisor sim run chip5 --usart tty5 --faults "unplug@$at"
	sim=$!
	wait_for tty5
	expect 7 'went away' "unplugged after $at bytes" -- \
		push app.sfi --port usart:tty5
	said 'the chip is (unchanged|erased|partly)' 'says what is left'
	kill $sim 2>/dev/null
	wait $sim 2>/dev/null
done
said 'area 3 offset 0x' 'says how far it got'
rm -f tty5
background provisor sim run chip5 --usart tty5 --faults unplug@8000
sim=$!
wait_for tty5
expect 7 '"area":3,"areas_done":2,"offset":' 'and in JSON' -- \
	provisor --json push app.sfi --port usart:tty5 --campaign spring
kill $sim 2>/dev/null
wait $sim 2>/dev/null
rm -f tty5
vchip 5
# The chip erases at its next start what was not finished.
flash_blank 5
expect 0 'nothing spent' 'the repeat costs nothing' -- \
	push app.sfi --port usart:tty5
flash_is 5 "$FW/blink.bin"
ok 'one license for chip 5' -- test "$(left)" = 3
expect 0 'chain intact' 'the ledger agrees' -- provisor ledger verify
done_testing
