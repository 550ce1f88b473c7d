#!/bin/sh
# A chip behind a raw serial server: the same commands over tcp:HOST:PORT.
. "$(dirname "$0")/lib.sh"
need cc

FW="$TOP/fixtures/firmware"
cd "$T" || exit 1

# bridge TTY FILE: one TCP client after another to a serial port; the number
# of the TCP port goes into FILE. "gone" as third argument: hang up after 3000
# bytes.
cat >bridge.c <<'END'
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static int
serve(int c, const char *tty, long limit)
{
	struct pollfd p[2] = { { .fd = c, .events = POLLIN } };
	struct termios t;
	char buf[4096];
	ssize_t n;

	p[1].fd = open(tty, O_RDWR | O_NOCTTY);
	p[1].events = POLLIN;
	if (p[1].fd < 0 || tcgetattr(p[1].fd, &t) != 0)
		return 1;
	cfmakeraw(&t);
	(void)tcsetattr(p[1].fd, TCSANOW, &t);
	while (poll(p, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			if (p[i].revents == 0)
				continue;
			n = read(p[i].fd, buf, sizeof(buf));
			if (n <= 0 || write(p[1 - i].fd, buf, (size_t)n) != n ||
			    (limit > 0 && (limit -= n) <= 0))
				return close(p[1].fd);
		}
	}
	return close(p[1].fd);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM, 0), c;
	FILE *f;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, (struct sockaddr *)&a, len) != 0 || listen(s, 4) != 0 ||
	    getsockname(s, (struct sockaddr *)&a, &len) != 0)
		return 1;
	f = fopen("port.new", "w");
	if (f == NULL || fprintf(f, "%d\n", ntohs(a.sin_port)) < 0 ||
	    fclose(f) != 0 || rename("port.new", argv[2]) != 0)
		return 1;
	while ((c = accept(s, NULL, NULL)) >= 0) {
		(void)serve(c, argv[1], argc > 3 ? 3000 : 0);
		(void)close(c);
	}
	return 0;
}
END
cc -D_DEFAULT_SOURCE -o bridge bridge.c || fail 'cc'

provisor sim create chip --chip stm32g474 >/dev/null
background provisor sim run chip --usart tty
wait_for tty
background ./bridge tty port
wait_for port
PORT="tcp:127.0.0.1:$(cat port)"

expect 0 'STM32G474' 'info' -- provisor device info --port "$PORT"
expect 0 '^PASS' 'push' -- provisor push "$FW/blink.elf" --port "$PORT"
head -c "$(wc -c <"$FW/blink.bin")" chip/flash.bin >flash.head
same 'flash' "$FW/blink.bin" flash.head
head -c 20000 /dev/urandom >big.bin
expect 0 'read back' 'a larger image, every byte value' -- \
	provisor device write big.bin@0x08008000 --port "$PORT"
expect 0 'holds these' 'verify' -- \
	provisor device verify big.bin@0x08008000 --port "$PORT"

background ./bridge tty port2 gone
wait_for port2
expect 7 'went away' 'the server hangs up half-way' -- \
	provisor push big.bin@0x08008000 --port "tcp:127.0.0.1:$(cat port2)"
expect 7 "connecting to port 'tcp:127.0.0.1:1'" 'nobody listens' -- \
	provisor device info --port tcp:127.0.0.1:1
done_testing
