/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes over a descriptor under absolute deadlines: poll on the monotonic
 * clock, never VTIME, which cannot express one deadline over several reads.
 */
#include "link/fdlink.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

/* Unix98 pty slaves: Documentation/admin-guide/devices.txt of Linux. */
#define PTY_MAJOR_FIRST 136U
#define PTY_MAJOR_LAST	143U

struct fd_link {
	int fd;
	int lock_fd;
	struct pv_fd_owner owner;
	char name[PV_LINK_NAME];
};

static int
gone(const struct fd_link *l, int err, struct pv_error *e)
{
	if (err != 0)
		(void)pv_fail_errno(
		    e, PV_E_LINK, err, "port '%s' went away", l->name);
	else
		(void)pv_fail(e, PV_E_LINK,
		    "port '%s' went away: the other end closed it", l->name);
	return pv_hint(e, "check the cable and the supply");
}

/* 0 when ready for `events`. */
static int
wait_fd(const struct fd_link *l, short events, int64_t deadline_ms,
    struct pv_error *e)
{
	struct pollfd p = { .fd = l->fd, .events = events };
	int n;

	for (;;) {
		n = poll(&p, 1, pv_ms_left(deadline_ms));
		if (n > 0)
			return 0; /* an error condition shows in read/write */
		if (n == 0) {
			if (pv_ms_left(deadline_ms) > 0)
				continue;
			return pv_fail(
			    e, PV_E_TIMEOUT, "no answer on '%s'", l->name);
		}
		if (errno != EINTR)
			return gone(l, errno, e);
	}
}

static int
fd_write(void *ctx, const uint8_t *data, size_t len, int64_t deadline_ms,
    struct pv_error *e)
{
	struct fd_link *l = ctx;
	ssize_t n;
	int r;

	while (len > 0) {
		n = write(l->fd, data, len);
		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
			return gone(l, errno, e);
		r = wait_fd(l, POLLOUT, deadline_ms, e);
		if (r == PV_E_TIMEOUT)
			return pv_fail(e, PV_E_TIMEOUT,
			    "port '%s' takes no more bytes", l->name);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
fd_read(void *ctx, uint8_t *data, size_t cap, size_t *ret_len,
    int64_t deadline_ms, struct pv_error *e)
{
	struct fd_link *l = ctx;
	ssize_t n;
	int r;

	for (;;) {
		n = read(l->fd, data, cap);
		if (n > 0) {
			*ret_len = (size_t)n;
			return 0;
		}
		if (n == 0)
			return gone(l, 0, e);
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return gone(l, errno, e);
		r = wait_fd(l, POLLIN, deadline_ms, e);
		if (r != 0)
			return r;
	}
}

static int
fd_drain(void *ctx, struct pv_error *e)
{
	struct fd_link *l = ctx;
	uint8_t junk[1024];
	size_t total = 0;
	ssize_t n;

	/* Bounded: a device that never stops talking must not hold us. */
	while (total < PV_LINK_DRAIN_LIMIT) {
		n = read(l->fd, junk, sizeof(junk));
		if (n > 0) {
			total += (size_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return 0;
		return gone(l, n < 0 ? errno : 0, e);
	}
	return 0;
}

static int
fd_line(void *ctx, enum pv_line line, int on, struct pv_error *e)
{
	struct fd_link *l = ctx;
	int bit = line == PV_LINE_DTR ? TIOCM_DTR : TIOCM_RTS;

	if (ioctl(l->fd, on ? TIOCMBIS : TIOCMBIC, &bit) == 0)
		return 0;
	if (errno == EIO)
		return gone(l, errno, e);
	return pv_fail_errno(e, PV_E_UNSUPPORTED, errno,
	    "port '%s' has no %s line", l->name,
	    line == PV_LINE_DTR ? "DTR" : "RTS");
}

static void
fd_free(void *ctx)
{
	struct fd_link *l = ctx;

	if (l == NULL)
		return;
	if (l->owner.close != NULL)
		l->owner.close(l->owner.ctx);
	else if (l->fd >= 0)
		(void)close(l->fd);
	if (l->lock_fd >= 0)
		(void)close(l->lock_fd);
	free(l);
}

/*
 * An empty terminal must say EAGAIN: libserialport leaves VMIN at 0, with which
 * read returns 0, as it does for a line that was hung up.
 */
static int
set_blocking_minimum(int fd)
{
	struct termios t;

	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &t) != 0)
		return -1;
	if (t.c_cc[VMIN] == 1 && t.c_cc[VTIME] == 0)
		return 0;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	return tcsetattr(fd, TCSANOW, &t);
}

int
pv_fd_link(int fd, int lock_fd, const struct pv_fd_owner *owner,
    const char *name, uint32_t baud, struct pv_link *ret_link,
    struct pv_error *e)
{
	struct fd_link *l;
	int flags;

	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    set_blocking_minimum(fd) != 0)
		return pv_fail_errno(
		    e, PV_E_LINK, errno, "setting up port '%s'", name);
	l = calloc(1, sizeof(*l));
	if (l == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	l->fd = fd;
	l->lock_fd = lock_fd;
	if (owner != NULL)
		l->owner = *owner;
	pv_mask(l->name, sizeof(l->name), name);
	*ret_link = (struct pv_link){
		.ctx = l,
		.baud = baud,
		.write = fd_write,
		.read = fd_read,
		.drain = fd_drain,
		.line = fd_line,
		.free = fd_free,
	};
	return 0;
}

int
pv_fd_claim(int fd, const char *name, struct pv_error *e)
{
	int r;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		if (isatty(fd))
			(void)ioctl(fd, TIOCEXCL);
		return 0;
	}
	if (errno == EWOULDBLOCK) {
		r = pv_fail(e, PV_E_LINK,
		    "port '%s' is busy: another program uses it", name);
		(void)pv_hint(e, "end the other program, or use another port");
		return r;
	}
	return pv_fail_errno(e, PV_E_LINK, errno, "claiming port '%s'", name);
}

static bool
is_pty(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	       major(st.st_rdev) >= PTY_MAJOR_FIRST &&
	       major(st.st_rdev) <= PTY_MAJOR_LAST;
}

static const struct {
	uint32_t baud;
	speed_t speed;
} speeds[] = {
	{ 1200, B1200 },
	{ 2400, B2400 },
	{ 4800, B4800 },
	{ 9600, B9600 },
	{ 19200, B19200 },
	{ 38400, B38400 },
	{ 57600, B57600 },
	{ 115200, B115200 },
	{ 230400, B230400 },
	{ 460800, B460800 },
	{ 500000, B500000 },
	{ 576000, B576000 },
	{ 921600, B921600 },
	{ 1000000, B1000000 },
	{ 1152000, B1152000 },
	{ 1500000, B1500000 },
	{ 2000000, B2000000 },
	{ 3000000, B3000000 },
	{ 4000000, B4000000 },
};

/* Raw 8E1. A pty has no parity and no rate: both are only noted there. */
static int
set_raw(int fd, const char *name, uint32_t baud, struct pv_error *e)
{
	struct termios t, now;
	bool pty = is_pty(fd);
	size_t i;

	if (tcgetattr(fd, &t) != 0)
		return pv_fail_errno(
		    e, PV_E_LINK, errno, "'%s' is not a serial port", name);
	cfmakeraw(&t);
	t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS | PARODD);
	t.c_cflag |= CLOCAL | CREAD | PARENB;
	/* A byte with a parity error reads as 0: it must not look good. */
	t.c_iflag |= INPCK;
	t.c_iflag &= ~(tcflag_t)(IGNPAR | PARMRK);
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	for (i = 0; i < sizeof(speeds) / sizeof(speeds[0]); i++)
		if (speeds[i].baud == baud)
			break;
	if (i < sizeof(speeds) / sizeof(speeds[0]))
		(void)cfsetspeed(&t, speeds[i].speed);
	else if (!pty)
		return pv_fail(e, PV_E_LINK, "port '%s' cannot do %u baud",
		    name, (unsigned)baud);
	if (tcsetattr(fd, TCSANOW, &t) == 0 && tcgetattr(fd, &now) == 0 &&
	    (now.c_cflag & PARENB) != 0)
		return 0;
	if (!pty)
		return pv_fail_errno(e, PV_E_LINK, errno,
		    "port '%s' cannot do 8 bits, even parity", name);
	/* The kernel clears PARENB on a pty; glibc then reports EINVAL. */
	pv_log(PV_LOG_INFO, "port '%s' is a pty: no parity on it", name);
	t.c_cflag &= ~(tcflag_t)PARENB;
	t.c_iflag &= ~(tcflag_t)INPCK;
	if (tcsetattr(fd, TCSANOW, &t) != 0)
		return pv_fail_errno(
		    e, PV_E_LINK, errno, "setting up port '%s'", name);
	return 0;
}

int
pv_link_open_tty(const char *path, uint32_t baud, struct pv_link *ret_link,
    struct pv_error *e)
{
	int fd, r;

	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && errno == EBUSY)
		r = pv_fail(e, PV_E_LINK,
		    "port '%s' is busy: another program uses it", path);
	else if (fd < 0)
		r = pv_fail_errno(
		    e, PV_E_LINK, errno, "cannot open port '%s'", path);
	else
		r = 0;
	if (r == 0 && !isatty(fd))
		r = pv_fail(e, PV_E_LINK, "'%s' is not a serial port", path);
	if (r == 0)
		r = pv_fd_claim(fd, path, e);
	if (r == 0)
		r = set_raw(fd, path, baud, e);
	if (r == 0)
		r = pv_fd_link(fd, -1, NULL, path, baud, ret_link, e);
	if (r != 0 && fd >= 0)
		(void)close(fd);
	return r;
}

int
pv_link_fd(int fd, struct pv_link *ret_link, struct pv_error *e)
{
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "descriptor %d", fd);
	if (isatty(fd)) {
		r = set_raw(fd, name, PV_LINK_BAUD, e);
		if (r != 0)
			return r;
	}
	return pv_fd_link(fd, -1, NULL, name, 0, ret_link, e);
}
