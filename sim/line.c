/* SPDX-License-Identifier: Apache-2.0 */
/* The line: a pseudo-terminal whose other end a host program opens. */
#include "sim/sim.h"

#include "base/clock.h"
#include "base/log.h"
#include "sim/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* A client that reads nothing for this long loses what waits for it. */
#define UNREAD_MS 500
#define CHUNK	  4096U

struct line {
	int master, slave, signals;
	char pty[64];
	const char *link;
	bool linked;
	uint64_t received;
};

/* --- faults ------------------------------------------------------------------ */

static int
parse_count(const char *text, size_t n, uint64_t *ret_v, struct pv_error *e)
{
	uint64_t v = 0;

	if (n == 0 || n > 15)
		return pv_fail(
		    e, PV_E_USAGE, "--faults: no byte count after @");
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return pv_fail(e, PV_E_USAGE,
			    "--faults: '%.*s' is not a byte count", (int)n,
			    text);
		v = v * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_v = v;
	return 0;
}

int
pv_sim_faults_parse(
    const char *text, struct pv_sim_line *line, struct pv_error *e)
{
	static const char unplug[] = "unplug@", powercut[] = "powercut@";

	while (*text != '\0') {
		size_t n = strcspn(text, ",");
		bool is_unplug = strncmp(text, unplug, sizeof unplug - 1) == 0;
		bool is_cut = strncmp(text, powercut, sizeof powercut - 1) == 0;
		size_t skip =
		    is_unplug ? sizeof unplug - 1 : sizeof powercut - 1;
		int r;

		if (!is_unplug && !is_cut) {
			(void)pv_fail(e, PV_E_USAGE,
			    "--faults: no fault '%.*s'", (int)n, text);
			return pv_hint(
			    e, "known faults: unplug@BYTES, powercut@BYTES");
		}
		r = parse_count(text + skip, n - skip,
		    is_unplug ? &line->unplug : &line->powercut, e);
		if (r != 0)
			return r;
		if (is_unplug)
			line->has_unplug = true;
		else
			line->has_powercut = true;
		text += n;
		if (*text == ',' && *++text == '\0')
			return pv_fail(
			    e, PV_E_USAGE, "--faults: nothing after ','");
	}
	return 0;
}

/* --- the pseudo-terminal -------------------------------------------------------- */

static int
open_pty(struct line *l, struct pv_error *e)
{
	struct termios t;

	/*
	 * Raw before any client sees it. Our own open end keeps the line up
	 * and its settings alive between clients.
	 */
	memset(&t, 0, sizeof t);
	cfmakeraw(&t);
	t.c_cflag |= CREAD | CLOCAL;
	t.c_cc[VMIN] = 1;
	if (openpty(&l->master, &l->slave, NULL, &t, NULL) != 0 ||
	    ttyname_r(l->slave, l->pty, sizeof l->pty) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "opening a pseudo-terminal");
	if (fcntl(l->master, F_SETFL, O_RDWR | O_NONBLOCK) != 0 ||
	    fcntl(l->master, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(l->slave, F_SETFD, FD_CLOEXEC) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "setting up '%s'", l->pty);
	return 0;
}

/* A link left by a killed run is replaced; anything else is kept. */
static int
make_link(struct line *l, struct pv_error *e)
{
	char old[64], temp[PV_SIM_PATH];
	ssize_t n = readlink(l->link, old, sizeof old - 1);
	int len;

	if (n < 0 && errno != ENOENT)
		return pv_fail(e, PV_E_EXISTS,
		    "'%s' exists and is not a symbolic link", l->link);
	if (n >= 0) {
		old[n] = '\0';
		if (strncmp(old, "/dev/pts/", 9) != 0)
			return pv_fail(e, PV_E_EXISTS,
			    "'%s' is a symbolic link to '%s'", l->link, old);
	}
	len = snprintf(temp, sizeof temp, "%s.%ld", l->link, (long)getpid());
	if (len < 0 || (size_t)len >= sizeof temp)
		return pv_fail(e, PV_E_USAGE, "'%s' is too long", l->link);
	if (symlink(l->pty, temp) != 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "making the link '%s'", l->link);
	if (rename(temp, l->link) != 0) {
		int err = errno;

		unlink(temp);
		return pv_fail_errno(
		    e, PV_E_IO, err, "making the link '%s'", l->link);
	}
	l->linked = true;
	return 0;
}

/* Only our own: another run may have taken the name meanwhile. */
static void
remove_link(struct line *l)
{
	char to[64];
	ssize_t n;

	if (!l->linked)
		return;
	l->linked = false;
	n = readlink(l->link, to, sizeof to - 1);
	if (n < 0)
		return;
	to[n] = '\0';
	if (strcmp(to, l->pty) == 0)
		unlink(l->link);
}

static void
close_line(struct line *l)
{
	remove_link(l);
	if (l->slave >= 0)
		close(l->slave);
	if (l->master >= 0)
		close(l->master);
	l->slave = l->master = -1;
}

/* --- moving bytes ------------------------------------------------------------------ */

/* Wait for an event; *ret_stop when a signal came. */
static int
wait_for(struct line *l, short events, int ms, bool *ret_ready, bool *ret_stop,
    struct pv_error *e)
{
	struct pollfd p[2] = {
		{ .fd = l->signals, .events = POLLIN },
		{ .fd = l->master, .events = events },
	};
	int n;

	*ret_stop = false;
	*ret_ready = false;
	do {
		n = poll(p, 2, ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return pv_fail_errno(e, PV_E_IO, errno, "poll");
	*ret_stop = p[0].revents != 0;
	*ret_ready = p[1].revents != 0;
	return 0;
}

static int
send_all(struct line *l, const uint8_t *data, size_t len, bool *ret_stop,
    struct pv_error *e)
{
	bool ready;
	int r;

	*ret_stop = false;
	while (len > 0) {
		ssize_t n = write(l->master, data, len);

		if (n > 0) {
			data += n;
			len -= (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return pv_fail_errno(
			    e, PV_E_IO, errno, "writing to '%s'", l->pty);
		r = wait_for(l, POLLOUT, UNREAD_MS, &ready, ret_stop, e);
		if (r != 0 || *ret_stop)
			return r;
		if (!ready) {
			pv_log(PV_LOG_INFO,
			    "nobody reads '%s': %zu bytes of answer lost",
			    l->pty, len);
			return 0;
		}
	}
	return 0;
}

/* How many of n bytes arrive before the fault that comes first. */
static size_t
before_fault(const struct line *l, const struct pv_sim_line *opt, size_t n,
    enum pv_sim_end *ret_end)
{
	uint64_t left = n;

	if (opt->has_unplug && opt->unplug - l->received <= left) {
		left = opt->unplug - l->received;
		*ret_end = PV_SIM_UNPLUGGED;
	}
	if (opt->has_powercut && opt->powercut - l->received <= left) {
		left = opt->powercut - l->received;
		*ret_end = PV_SIM_POWERCUT;
	}
	return (size_t)left;
}

static int
serve(struct line *l, struct pv_sim *sim, const struct pv_sim_line *opt,
    enum pv_sim_end *ret_end, struct pv_error *e)
{
	uint8_t in[CHUNK];
	bool ready, stop = false;
	int r;

	for (;;) {
		const uint8_t *out;
		size_t out_len, take;
		ssize_t n = read(l->master, in, sizeof in);

		if (n <= 0) {
			if (n < 0 && errno != EAGAIN && errno != EINTR)
				return pv_fail_errno(e, PV_E_IO, errno,
				    "reading from '%s'", l->pty);
			r = wait_for(l, POLLIN, -1, &ready, &stop, e);
			*ret_end = PV_SIM_STOPPED;
			if (r != 0 || stop)
				return r;
			continue;
		}
		*ret_end = PV_SIM_STOPPED;
		take = before_fault(l, opt, (size_t)n, ret_end);
		pv_sim_feed(sim, in, take);
		l->received += take;
		if (*ret_end != PV_SIM_STOPPED)
			return 0;
		r = pv_sim_fault(sim, e);
		if (r != 0)
			return r;
		out = pv_sim_output(sim, &out_len);
		r = send_all(l, out, out_len, &stop, e);
		pv_sim_output_clear(sim);
		if (r != 0 || (out_len > 0 && stop))
			return r;
	}
}

int
pv_sim_serve(struct pv_sim *sim, const struct pv_sim_line *opt,
    enum pv_sim_end *ret_end, struct pv_error *e)
{
	struct line l = {
		.master = -1, .slave = -1, .signals = -1, .link = opt->link
	};
	enum pv_sim_end end = PV_SIM_STOPPED;
	struct pv_sim_signals signals;
	int r;

	r = pv_sim_signals_open(&signals, e);
	if (r != 0)
		return r;
	l.signals = signals.fd;
	r = open_pty(&l, e);
	if (r == 0)
		r = make_link(&l, e);
	if (r == 0) {
		if (opt->ready != NULL)
			opt->ready(opt->ctx, l.pty);
		r = serve(&l, sim, opt, &end, e);
	}
	/* A cut leaves everything as it is, the link included. */
	if (end != PV_SIM_POWERCUT || r != 0)
		close_line(&l);
	pv_sim_signals_close(&signals);
	if (r == 0)
		*ret_end = end;
	return r;
}
