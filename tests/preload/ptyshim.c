/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into serial programs: a pseudo-terminal that behaves like a real
 * port at 8E1 with modem lines. Linux drops parity on a pty, after which
 * glibc's tcsetattr reports EINVAL; DTR and RTS do not exist there; and
 * libserialport wants an entry in /sys/class/tty.
 *
 * PTYSHIM_LOG=FILE records line settings and DTR/RTS, one line a change.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define FDS   1024
#define FRAME (PARENB | PARODD | CSTOPB)
#define SYS   "/sys/class/tty/pts/"

/* From <asm/termbits.h>, which cannot stand beside <termios.h>. */
#define TERMIOS2_GET  0x802c542aUL
#define TERMIOS2_SET  0x402c542bUL
#define TERMIOS2_SETW 0x402c542cUL
#define TERMIOS2_SETF 0x402c542dUL
#define CFLAG_WORD    2 /* index of c_cflag in the kernel's struct */

static tcflag_t frame[FDS]; /* what was asked for, per descriptor */
static int modem[FDS];

int ioctl(int fd, unsigned long request, ...);
ssize_t __readlink_chk(const char *path, char *dst, size_t n, size_t cap);

static bool
is_pty(int fd)
{
	char name[64];

	return fd >= 0 && fd < FDS && ttyname_r(fd, name, sizeof name) == 0 &&
	       strncmp(name, "/dev/pts/", 9) == 0;
}

static void
note(const char *what, unsigned int value)
{
	const char *path = getenv("PTYSHIM_LOG");
	char line[64];
	int fd, n;

	if (path == NULL)
		return;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	n = snprintf(line, sizeof line, "%s 0x%x\n", what, value);
	if (n > 0 && write(fd, line, (size_t)n) != n)
		(void)fputs("ptyshim: cannot write the log\n", stderr);
	close(fd);
}

/* The next function of that name, after this library's. */
static void *
next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* The modem lines of a pty. True when the request was one of these. */
static bool
modem_request(int fd, unsigned long request, void *arg)
{
	int *bits = arg;

	switch (request) {
	case TIOCMGET:
		*bits = modem[fd] | TIOCM_CTS | TIOCM_DSR | TIOCM_CAR;
		return true;
	case TIOCMSET:
		modem[fd] = *bits;
		break;
	case TIOCMBIS:
		modem[fd] |= *bits;
		break;
	case TIOCMBIC:
		modem[fd] &= ~*bits;
		break;
	case TIOCSBRK:
	case TIOCCBRK:
		return true;
	default:
		return false;
	}
	note("lines", (unsigned int)modem[fd]);
	return true;
}

int
ioctl(int fd, unsigned long request, ...)
{
	int (*real)(int, unsigned long, ...);
	tcflag_t *words;
	va_list ap;
	void *arg;
	int r;

	*(void **)&real = next("ioctl");
	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (!is_pty(fd))
		return real(fd, request, arg);
	if (modem_request(fd, request, arg))
		return 0;
	words = arg;
	switch (request) {
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TERMIOS2_SET:
	case TERMIOS2_SETW:
	case TERMIOS2_SETF:
		frame[fd] = words[CFLAG_WORD] & FRAME;
		note("cflag", words[CFLAG_WORD]);
		return real(fd, request, arg);
	case TCGETS:
	case TERMIOS2_GET:
		r = real(fd, request, arg);
		if (r == 0)
			words[CFLAG_WORD] =
			    (words[CFLAG_WORD] & ~(tcflag_t)FRAME) | frame[fd];
		return r;
	default:
		return real(fd, request, arg);
	}
}

/* glibc's own calls do not pass through the ioctl above. */
int
tcgetattr(int fd, struct termios *t)
{
	int (*real)(int, struct termios *);
	int r;

	*(void **)&real = next("tcgetattr");
	r = real(fd, t);
	if (r == 0 && is_pty(fd))
		t->c_cflag = (t->c_cflag & ~(tcflag_t)FRAME) | frame[fd];
	return r;
}

int
tcsetattr(int fd, int how, const struct termios *t)
{
	int (*real)(int, int, const struct termios *);
	struct termios plain = *t;

	*(void **)&real = next("tcsetattr");
	if (is_pty(fd)) {
		frame[fd] = t->c_cflag & FRAME;
		note("cflag", t->c_cflag);
		plain.c_cflag &= ~(tcflag_t)FRAME;
	}
	return real(fd, how, &plain);
}

int
lstat(const char *path, struct stat *st)
{
	int (*real)(const char *, struct stat *);

	*(void **)&real = next("lstat");
	if (strncmp(path, SYS, sizeof SYS - 1) == 0)
		path = "/sys/class/tty";
	return real(path, st);
}

ssize_t
readlink(const char *path, char *dst, size_t n)
{
	static const char target[] = "../../devices/virtual/tty/sim";
	ssize_t (*real)(const char *, char *, size_t);

	if (strncmp(path, SYS, sizeof SYS - 1) == 0) {
		if (n > sizeof target - 1)
			n = sizeof target - 1;
		memcpy(dst, target, n);
		return (ssize_t)n;
	}
	*(void **)&real = next("readlink");
	return real(path, dst, n);
}

ssize_t
__readlink_chk(const char *path, char *dst, size_t n, size_t cap)
{
	return readlink(path, dst, n < cap ? n : cap);
}
