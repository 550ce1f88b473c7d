#!/bin/sh
# Devices that refuse everything, talk nonsense, never stop, vanish or become
# another: exit 7 in bounded time, and a message with step, address and count.
. "$(dirname "$0")/lib.sh"
need cc

FW="$TOP/fixtures/firmware"
cd "$T" || exit 1

# hostile KIND FILE: serves one client after another; its port goes into FILE.
cat >hostile.c <<'END'
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *kind;
static int fd, frame, restarts;
static unsigned op;
static unsigned long taken;

static int
is(const char *k)
{
	return strcmp(kind, k) == 0;
}

static void
say(const char *bytes, size_t n)
{
	(void)!write(fd, bytes, n);
}

/* A bootloader that is honest up to the point where its kind is not. */
static int
pair(unsigned a)
{
	switch (a) {
	case 0x00:
		if (is("huge"))
			say("\x79\xff\x31", 3);
		else
			say("\x79\x0b\x31\x00\x01\x02\x11\x21\x31\x44\x63\x73"
			    "\x82\x92\x79",
			    15);
		return 0;
	case 0x01:
		say("\x79\x31\x00\x00\x79", 5);
		return 0;
	case 0x02:
		say(restarts > 1 ? "\x79\x01\x04\x60\x79"
				 : "\x79\x01\x04\x69\x79",
		    5);
		return 0;
	case 0x73:
		say("\x79\x79", 2);
		restarts++;
		return 1; /* back to waiting for its baud byte */
	case 0x44:
		if (is("refuse"))
			say("\x1f", 1);
		else
			say("\x79", 1);
		frame = is("refuse") ? 0 : -1;
		return 0;
	case 0x11:
		if (is("vanish"))
			exit(0);
		say("\x79", 1);
		frame = 5;
		return 0;
	default:
		say("\x1f", 1);
		return 0;
	}
}

static void
honest(unsigned char c)
{
	static unsigned char in[2];
	static int n, synced;

	if (frame > 0) { /* an address, then a count, then too few bytes */
		if (--frame > 0)
			return;
		say("\x79", 1);
		if (op == 0x11) {
			op = 0;
			frame = 2;
		} else {
			say("short", 5);
		}
		return;
	}
	if (frame < 0)
		return; /* never comes back */
	if (!synced) {
		synced = c == 0x7f;
		restarts += restarts == 0;
		say("\x79", 1);
		n = 0;
		return;
	}
	in[n++] = c;
	if (n < 2)
		return;
	n = 0;
	if ((in[0] ^ in[1]) != 0xff) {
		say("\x1f", 1);
		return;
	}
	op = in[0];
	if (pair(op))
		synced = 0;
}

static void
feed(unsigned char c)
{
	char b;

	taken++;
	if (is("nack"))
		say("\x1f", 1);
	else if (is("ack"))
		say("\x79", 1);
	else if (is("busy"))
		say("\x76", 1);
	else if (is("garbage")) {
		b = (char)(rand() >> 7);
		say(&b, 1);
	} else if (!is("silent") && !is("endless"))
		honest(c);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);
	struct pollfd p;
	char buf[512];
	FILE *f;
	int s;

	kind = argv[argc - 2];
	(void)signal(SIGPIPE, SIG_IGN);
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(s, (void *)&sa, len) != 0 || listen(s, 4) != 0 ||
	    getsockname(s, (void *)&sa, &len) != 0)
		return 1;
	f = fopen("port.tmp", "w");
	fprintf(f, "%d\n", ntohs(sa.sin_port));
	fclose(f);
	(void)rename("port.tmp", argv[argc - 1]);
	while ((fd = accept(s, NULL, NULL)) >= 0) {
		p.fd = fd;
		p.events = POLLIN;
		for (;;) {
			ssize_t n;

			if (poll(&p, 1, is("endless") ? 1 : -1) == 0) {
				memset(buf, 0x55, sizeof(buf));
				if (write(fd, buf, sizeof(buf)) < 0)
					break;
				continue;
			}
			n = read(fd, buf, sizeof(buf));
			if (n <= 0)
				break;
			for (ssize_t i = 0; i < n; i++)
				feed((unsigned char)buf[i]);
		}
		close(fd);
	}
	return 0;
}
END
ok 'compile the device' -- cc -o hostile hostile.c

# within SECONDS CODE PATTERN DESC -- COMMAND...
within() {
	_limit=$1
	shift
	_began=$(date +%s)
	expect "$@"
	_took=$(($(date +%s) - _began))
	_desc=$3
	if [ "$_took" -le "$_limit" ]; then
		pass "$_desc: in $_took s, at most $_limit"
	else
		fail "$_desc: took $_took s, at most $_limit"
	fi
}

# start KIND: PORT is where it listens
start() {
	background ./hostile "$1" "$T/port.$1"
	wait_for "$T/port.$1"
	PORT="tcp:127.0.0.1:$(cat "$T/port.$1")"
}

start silent
within 5 7 'no bootloader answers \(0x7F sent twice\)' 'silence' -- \
	provisor device info --port "$PORT"
start nack
within 20 7 'connect: device refused command 0x00 \(NACK\), [0-9] times' \
	'refuses everything' -- provisor device info --port "$PORT"
start ack
within 20 7 'connect: ' 'agrees to everything' -- \
	provisor device info --port "$PORT"
start busy
within 20 7 'connect: ' 'always busy' -- provisor device info --port "$PORT"
start garbage
within 30 7 'connect: ' 'garbage' -- provisor device info --port "$PORT"
start endless
within 20 7 'connect: ' 'never stops talking' -- \
	provisor device info --port "$PORT"
start huge
within 60 7 'connect: .*of Get came, [0-9] times in a row' \
	'claims a list of 255 commands' -- provisor device info --port "$PORT"

start short
within 60 7 'read at 0x08000000: only 5 of 16 bytes .* [0-9] times in a row' \
	'short data: step, address and count' -- \
	provisor device read 0x08000000+16 --port "$PORT" -o "$T/x"
not_ok 'no file is left' -- test -e "$T/x"
start vanish
within 10 7 "read at 0x08000000: port 'tcp:127.0.0.1:[0-9]+' went away" 'vanishes' -- \
	provisor device read 0x08000000+16 --port "$PORT" -o "$T/x"
start refuse
within 20 7 'erase: refused \(NACK to the command\): the chip is read protected' \
	'refuses to erase' -- \
	provisor device write "$FW/blink.elf" --port "$PORT"
start hang
within 30 7 'erase: no answer to the erase list for .* s' \
	'never ends the erase' -- \
	provisor device write "$FW/blink.elf" --port "$PORT"
start twin
within 20 7 'reconnect: another chip answers: 0x460 was 0x469' \
	'becomes another chip' -- \
	provisor device unprotect --sectors all --port "$PORT"
done_testing
