/* SPDX-License-Identifier: Apache-2.0 */
#include "link/latency.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FAST_MS 1
#define MAX_MS	255 /* the timer is one byte, ftdi_sio */

/* ftdi_sio and a few others turn the flag into a timer of 1 ms. */
static bool
set_flag(int fd, bool on, bool *ret_was)
{
	struct serial_struct s;

	memset(&s, 0, sizeof(s));
	if (ioctl(fd, TIOCGSERIAL, &s) != 0)
		return false;
	*ret_was = ((unsigned)s.flags & ASYNC_LOW_LATENCY) != 0;
	if (*ret_was == on)
		return true;
	s.flags = (int)((unsigned)s.flags ^ ASYNC_LOW_LATENCY);
	return ioctl(fd, TIOCSSERIAL, &s) == 0;
}

static int
read_timer(const char *path)
{
	char text[16];
	char *end;
	ssize_t n;
	long v;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (n <= 0)
		return -1;
	text[n] = '\0';
	v = strtol(text, &end, 10);
	return end != text && v >= 0 && v <= MAX_MS ? (int)v : -1;
}

static bool
write_timer(const char *path, int ms)
{
	char text[16];
	bool done;
	int fd, n;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = snprintf(text, sizeof(text), "%d\n", ms);
	done = write(fd, text, (size_t)n) == n;
	(void)close(fd);
	return done;
}

void
pv_latency_set(
    struct pv_latency *l, int fd, const char *sys_dir, const char *name)
{
	bool was = false;
	int n, now;

	memset(l, 0, sizeof(*l));
	l->fd = fd;
	l->timer_ms = -1;
	if (set_flag(fd, true, &was))
		l->low_latency = !was;
	n = snprintf(l->path, sizeof(l->path), "%s/%s/device/latency_timer",
	    sys_dir, name);
	if (n < 0 || (size_t)n >= sizeof(l->path))
		return;
	/* Where the flag worked the file shows 1 already. */
	now = read_timer(l->path);
	if (now <= FAST_MS)
		return;
	if (write_timer(l->path, FAST_MS))
		l->timer_ms = now;
	else
		pv_log(PV_LOG_INFO,
		    "the latency timer of '%s' stays at %d ms: every answer "
		    "waits that long",
		    name, now);
}

void
pv_latency_restore(struct pv_latency *l)
{
	bool was;

	if (l->timer_ms > 0 && !write_timer(l->path, l->timer_ms))
		pv_log(PV_LOG_DEBUG, "'%s' keeps 1 ms", l->path);
	l->timer_ms = -1;
	if (l->low_latency)
		(void)set_flag(l->fd, false, &was);
	l->low_latency = false;
}
