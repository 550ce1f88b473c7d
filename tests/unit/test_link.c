/* SPDX-License-Identifier: Apache-2.0 */
/* Links over a pty, a socket pair and TCP: bytes, deadlines, busy, unplug. */
#include <provisor/link.h>

#include "base/clock.h"
#include "link/fdlink.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#define PTS_PATH 128

static int
open_pty(char path[PTS_PATH])
{
	struct termios t;
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	int n = 0, unlock = 0;

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, TIOCSPTLCK, &unlock), 0);
	assert_int_equal(ioctl(fd, TIOCGPTN, &n), 0);
	(void)snprintf(path, PTS_PATH, "/dev/pts/%d", n);
	assert_int_equal(tcgetattr(fd, &t), 0);
	cfmakeraw(&t);
	assert_int_equal(tcsetattr(fd, TCSANOW, &t), 0);
	return fd;
}

static void
read_all(const struct pv_link *l, uint8_t *p, size_t len)
{
	struct pv_error e = { 0 };
	size_t n;

	while (len > 0) {
		n = 0;
		assert_int_equal(
		    l->read(l->ctx, p, len, &n, pv_now_ms() + 2000, &e), 0);
		assert_true(n >= 1 && n <= len);
		p += n;
		len -= n;
	}
}

/* Every byte value passes both ways, whatever the terminal layer thinks. */
static void
test_pty_binary(void **state)
{
	char path[PTS_PATH], port[PTS_PATH + 16];
	uint8_t out[256], in[256];
	struct pv_link l;
	struct pv_error e = { 0 };
	int fd = open_pty(path);
	size_t i, got;
	ssize_t n;

	(void)state;
	(void)snprintf(port, sizeof(port), "usart:%s@921600", path);
	assert_int_equal(pv_link_open(port, &l, &e), 0);
	assert_int_equal(l.baud, 921600);
	for (i = 0; i < 256; i++)
		out[i] = (uint8_t)i;
	assert_int_equal(l.write(l.ctx, out, 256, pv_now_ms() + 1000, &e), 0);
	for (got = 0; got < 256; got += (size_t)n) {
		n = read(fd, in + got, 256 - got);
		assert_true(n > 0);
	}
	assert_memory_equal(in, out, 256);
	assert_int_equal(write(fd, out, 256), 256);
	memset(in, 0, sizeof(in));
	read_all(&l, in, 256);
	assert_memory_equal(in, out, 256);
	/* drain drops what has come */
	assert_int_equal(write(fd, out, 256), 256);
	(void)tcdrain(fd);
	pv_sleep_ms(5);
	assert_int_equal(l.drain(l.ctx, &e), 0);
	assert_int_equal(
	    l.read(l.ctx, in, 1, &got, pv_now_ms() + 20, &e), PV_E_TIMEOUT);
	pv_link_release(&l);
	assert_null(l.ctx);
	(void)close(fd);
}

/* A symbolic link to a pty, as the simulator makes one. */
static void
test_symlink(void **state)
{
	char path[PTS_PATH], dir[] = "/tmp/pvlink.XXXXXX";
	char name[64], port[80];
	struct pv_link l;
	struct pv_error e = { 0 };
	int fd = open_pty(path);

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(name, sizeof(name), "%s/a@b", dir);
	assert_int_equal(symlink(path, name), 0);
	(void)snprintf(port, sizeof(port), "usart:%s", name);
	assert_int_equal(pv_link_open(port, &l, &e), 0);
	assert_int_equal(l.baud, 115200);
	pv_link_release(&l);
	(void)unlink(name);
	(void)rmdir(dir);
	(void)close(fd);
}

static void
test_busy(void **state)
{
	char path[PTS_PATH], port[PTS_PATH + 16];
	struct pv_link l, second;
	struct pv_error e = { 0 };
	int fd = open_pty(path);

	(void)state;
	(void)snprintf(port, sizeof(port), "usart:%s", path);
	assert_int_equal(pv_link_open(port, &l, &e), 0);
	assert_int_equal(pv_link_open(port, &second, &e), PV_E_LINK);
	assert_non_null(strstr(e.msg, "busy"));
	assert_non_null(strstr(e.msg, path));
	pv_link_release(&l);
	/* free again */
	memset(&e, 0, sizeof(e));
	assert_int_equal(pv_link_open(port, &l, &e), 0);
	pv_link_release(&l);
	(void)close(fd);
}

static void
test_deadline(void **state)
{
	struct pv_link l;
	struct pv_error e = { 0 };
	int64_t t0;
	uint8_t b;
	size_t n;
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pv_link_fd(sv[0], &l, &e), 0);
	t0 = pv_now_ms();
	assert_int_equal(l.read(l.ctx, &b, 1, &n, t0 + 50, &e), PV_E_TIMEOUT);
	assert_true(pv_now_ms() - t0 >= 49);
	assert_true(pv_now_ms() - t0 < 2000);
	/* a deadline that has passed does not hang */
	assert_int_equal(l.read(l.ctx, &b, 1, &n, t0 - 1, &e), PV_E_TIMEOUT);
	pv_link_release(&l);
	(void)close(sv[1]);
}

static void
expect_gone(struct pv_link *l)
{
	struct pv_error e = { 0 };
	uint8_t b;
	size_t n;

	assert_int_equal(
	    l->read(l->ctx, &b, 1, &n, pv_now_ms() + 2000, &e), PV_E_LINK);
	assert_non_null(strstr(e.msg, "went away"));
	assert_int_equal(pv_exit_code(e.code), 7);
}

/* As libserialport leaves a port: without VMIN an empty one reads 0 bytes. */
static void
test_empty_terminal(void **state)
{
	char path[PTS_PATH];
	struct pv_link l;
	struct pv_error e = { 0 };
	struct termios t;
	int fd, tty;
	uint8_t b = 0;
	size_t n;

	(void)state;
	fd = open_pty(path);
	tty = open(path, O_RDWR | O_NOCTTY);
	assert_true(tty >= 0);
	assert_int_equal(tcgetattr(tty, &t), 0);
	cfmakeraw(&t);
	t.c_cc[VMIN] = 0;
	t.c_cc[VTIME] = 0;
	assert_int_equal(tcsetattr(tty, TCSANOW, &t), 0);
	assert_int_equal(pv_fd_link(tty, -1, NULL, "tty", 0, &l, &e), 0);
	assert_int_equal(
	    l.read(l.ctx, &b, 1, &n, pv_now_ms() + 30, &e), PV_E_TIMEOUT);
	assert_int_equal(l.drain(l.ctx, &e), 0);
	assert_int_equal(write(fd, "y", 1), 1);
	assert_int_equal(l.read(l.ctx, &b, 1, &n, pv_now_ms() + 2000, &e), 0);
	assert_int_equal(b, 'y');
	(void)close(fd);
	expect_gone(&l);
	pv_link_release(&l);
}

/* Nobody reads at the other end: the write ends at its deadline. */
static void
test_write_blocked(void **state)
{
	static uint8_t big[1 << 22];
	struct pv_link l;
	struct pv_error e = { 0 };
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pv_link_fd(sv[0], &l, &e), 0);
	assert_int_equal(l.write(l.ctx, big, sizeof(big), pv_now_ms() + 50, &e),
	    PV_E_TIMEOUT);
	assert_non_null(strstr(e.msg, "takes no more"));
	pv_link_release(&l);
	(void)close(sv[1]);
}

static void
test_unplug(void **state)
{
	char path[PTS_PATH], port[PTS_PATH + 16];
	struct pv_link l;
	struct pv_error e = { 0 };
	int fd, sv[2];

	(void)state;
	fd = open_pty(path);
	(void)snprintf(port, sizeof(port), "usart:%s", path);
	assert_int_equal(pv_link_open(port, &l, &e), 0);
	(void)close(fd);
	expect_gone(&l);
	assert_int_equal(
	    l.write(l.ctx, (const uint8_t *)"x", 1, pv_now_ms() + 100, &e),
	    PV_E_LINK);
	assert_int_equal(l.drain(l.ctx, &e), PV_E_LINK);
	pv_link_release(&l);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pv_link_fd(sv[0], &l, &e), 0);
	(void)close(sv[1]);
	expect_gone(&l);
	pv_link_release(&l);
}

/* No modem lines on a pty or socket: unsupported, not a lost port. */
static void
test_lines(void **state)
{
	struct pv_link l;
	struct pv_error e = { 0 };
	int sv[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
	assert_int_equal(pv_link_fd(sv[0], &l, &e), 0);
	assert_int_equal(l.line(l.ctx, PV_LINE_DTR, 1, &e), PV_E_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "DTR"));
	pv_link_release(&l);
	(void)close(sv[1]);
}

static int
listen_on(int family, char port[64])
{
	struct sockaddr_storage ss = { .ss_family = (sa_family_t)family };
	socklen_t len = sizeof(ss);
	unsigned n;
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd < 0)
		return -1;
	if (family == AF_INET6) {
		struct sockaddr_in6 *in6 = (void *)&ss;

		in6->sin6_addr = in6addr_loopback;
		len = sizeof(*in6);
	} else {
		struct sockaddr_in *in4 = (void *)&ss;

		in4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		len = sizeof(*in4);
	}
	if (bind(fd, (struct sockaddr *)&ss, len) != 0 || listen(fd, 1) != 0 ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) != 0) {
		(void)close(fd);
		return -1;
	}
	n = family == AF_INET6
		? ntohs(((struct sockaddr_in6 *)(void *)&ss)->sin6_port)
		: ntohs(((struct sockaddr_in *)(void *)&ss)->sin_port);
	(void)snprintf(port, 64, "tcp:%s:%u",
	    family == AF_INET6 ? "[::1]" : "127.0.0.1", n);
	return fd;
}

static void
test_tcp(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct pv_link l;
	struct pv_error e = { 0 };
	char port[64];
	uint8_t b[4];
	int fd, peer;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fd = listen_on(families[i], port);
		if (fd < 0 && families[i] == AF_INET6)
			continue; /* no IPv6 on this machine */
		assert_true(fd >= 0);
		assert_int_equal(pv_link_open(port, &l, &e), 0);
		peer = accept(fd, NULL, NULL);
		assert_true(peer >= 0);
		assert_int_equal(write(peer, "\x00\xff\r\n", 4), 4);
		read_all(&l, b, 4);
		assert_memory_equal(b, "\x00\xff\r\n", 4);
		(void)close(peer);
		expect_gone(&l);
		pv_link_release(&l);
		(void)close(fd);
		/* nobody listens any more */
		assert_int_equal(pv_link_open(port, &l, &e), PV_E_LINK);
		assert_non_null(strstr(e.msg, port));
	}
}

static void
test_names(void **state)
{
	static const struct {
		const char *port;
		int code;
		const char *msg;
	} bad[] = {
		{ "usart:/dev/no-such-port", PV_E_LINK, "no such port" },
		{ "usart:/dev/no-such-port@9600", PV_E_LINK, "'/dev/no-such" },
		{ "usart:/dev/null", PV_E_LINK, "not a serial port" },
		{ "usart:/", PV_E_LINK, "'/'" },
		{ "usart:", PV_E_USAGE, "names no device" },
		{ "usart:@9600", PV_E_USAGE, "names no device" },
		{ "usart:/dev/null@300", PV_E_USAGE, "below 1200" },
		{ "usart:/dev/null@99999999", PV_E_USAGE, "baud" },
		{ "tcp:host", PV_E_USAGE, "tcp:HOST:PORT" },
		{ "tcp::1:400", PV_E_USAGE, "tcp:HOST:PORT" },
		{ "tcp:localhost:", PV_E_USAGE, "tcp:HOST:PORT" },
		{ "dfu", PV_E_USAGE, "USB" },
		{ "dfu:1-2", PV_E_USAGE, "USB" },
		{ "/dev/ttyUSB0", PV_E_USAGE, "no known kind" },
		{ "", PV_E_USAGE, "no known kind" },
	};
	struct pv_error e;
	struct pv_link l;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&e, 0, sizeof(e));
		assert_int_equal(
		    pv_link_open(bad[i].port, &l, &e), bad[i].code);
		if (strstr(e.msg, bad[i].msg) == NULL)
			fail_msg("'%s': %s", bad[i].port, e.msg);
	}
	memset(&e, 0, sizeof(e));
	assert_int_equal(
	    pv_link_open("usart:/dev/no-such-port", &l, &e), PV_E_LINK);
	assert_non_null(strstr(e.hint, "device list"));
}

struct listed {
	unsigned n;
	int stop;
};

static int
count_port(void *ctx, const struct pv_port_info *p)
{
	struct listed *l = ctx;

	assert_int_equal(strncmp(p->port, "usart:/", 7), 0);
	l->n++;
	return l->stop;
}

static void
test_list(void **state)
{
	struct listed l = { 0, 0 };
	struct pv_error e = { 0 };
	unsigned all;

	(void)state;
	assert_int_equal(pv_link_list(count_port, &l, &e), 0);
	all = l.n;
	l = (struct listed){ 0, 7 };
	assert_int_equal(pv_link_list(count_port, &l, &e), all > 0 ? 7 : 0);
	assert_int_equal(l.n, all > 0 ? 1 : 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pty_binary),
		cmocka_unit_test(test_symlink),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_empty_terminal),
		cmocka_unit_test(test_write_blocked),
		cmocka_unit_test(test_unplug),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
