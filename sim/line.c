/* SPDX-License-Identifier: Apache-2.0 */
/* The line: a pseudo-terminal whose other end a host program opens. */
#include "sim/sim.h"

#include "base/log.h"
#include "sim/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* A client that reads nothing for this long loses what waits for it. */
#define UNREAD_NS   INT64_C(500000000)
#define CHUNK	    4096U
/* Bytes are taken from the client no faster than this ahead of the line. */
#define AHEAD_NS    INT64_C(50000000)
/* The counters go to disk when the line was silent for this long. */
#define IDLE_NS	    INT64_C(300000000)
/*
 * We are woken late, and so is the client. Up to this much its answer counts
 * as sent that much earlier, so that the line stays as fast as the real one.
 */
#define LATE_MAX_NS INT64_C(20000000)
/* The same for our own waking by its bytes, as timers show it. */
#define WAKE_MAX_NS INT64_C(200000)

struct line {
	int master, slave, signals, timer;
	char pty[64];
	const char *link;
	bool linked;
	const struct pv_sim_line *opt;
	struct pv_sim *sim;
	struct pv_wire wire;
	int64_t late; /* of the last answer handed over */
	int64_t wake; /* from an event to our reading the clock, on average */
	bool unsaved;
};

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

/* --- the part behind the line -------------------------------------------------- */

static void
part_take(void *ctx, uint8_t byte)
{
	pv_sim_feed(ctx, &byte, 1);
}

static int64_t
part_busy(void *ctx)
{
	return pv_sim_busy_ns(ctx);
}

static bool
part_synced(void *ctx)
{
	return pv_sim_synced(ctx);
}

static bool
part_mid_frame(void *ctx)
{
	return pv_sim_mid_frame(ctx);
}

static void
part_reset(void *ctx)
{
	pv_sim_reset(ctx);
}

static void
part_expired(void *ctx)
{
	pv_sim_expired(ctx);
}

static int64_t
part_patience(void *ctx)
{
	return pv_sim_patience_ns(ctx);
}

static void
part_overrun(void *ctx)
{
	pv_sim_overrun(ctx);
}

static void
part_last(void *ctx)
{
	(void)ctx; /* unplugged: the part goes on */
}

static void
part_power_cut(void *ctx)
{
	pv_sim_power_cut(ctx);
}

static void
line_emit(void *ctx, const uint8_t *data, size_t len)
{
	struct line *l = ctx;

	pv_wire_emit(&l->wire, data, len);
}

static void
line_restarted(void *ctx)
{
	struct line *l = ctx;

	pv_wire_restarted(&l->wire);
}

static void
line_flush(void *ctx)
{
	struct line *l = ctx;

	pv_wire_flush(&l->wire);
}

static int64_t
line_now(void *ctx)
{
	const struct line *l = ctx;

	return l->wire.now;
}

/* What is to happen at a byte; of the faults that end the line the earlier. */
static enum pv_sim_end
choose_cut(const struct pv_sim_line *opt, struct pv_wire_config *c)
{
	bool power = opt->has_powercut &&
		     (!opt->has_unplug || opt->powercut <= opt->unplug);

	c->has_reset = opt->has_reset;
	c->reset_at = opt->reset_at;
	c->has_cut = opt->has_powercut || opt->has_unplug;
	c->cut = power ? opt->powercut : opt->unplug;
	return !c->has_cut ? PV_SIM_STOPPED
	       : power	   ? PV_SIM_POWERCUT
			   : PV_SIM_UNPLUGGED;
}

/* --- moving bytes ------------------------------------------------------------------ */

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

enum woken { WOKEN_TIME, WOKEN_LINE, WOKEN_STOP, WOKEN_RESET };

static enum woken
read_signal(struct line *l)
{
	struct signalfd_siginfo info;

	if (read(l->signals, &info, sizeof info) == (ssize_t)sizeof info &&
	    info.ssi_signo == SIGUSR1)
		return WOKEN_RESET;
	return WOKEN_STOP;
}

/* Wait for an event of the terminal or for a time, PV_WIRE_NEVER for none. */
static int
wait_for(struct line *l, short events, int64_t until, enum woken *ret_w,
    struct pv_error *e)
{
	struct pollfd p[3] = {
		{ .fd = l->signals, .events = POLLIN },
		{ .fd = events == 0 ? -1 : l->master, .events = events },
		{ .fd = l->timer, .events = POLLIN },
	};
	struct itimerspec at = { 0 };
	uint64_t ticks;
	int n;

	/* Absolute: the time to get here does not add to it. */
	if (until != PV_WIRE_NEVER) {
		at.it_value.tv_sec = (time_t)(until / 1000000000);
		at.it_value.tv_nsec = (long)(until % 1000000000);
		if (until <= 0)
			at.it_value.tv_nsec = 1;
	}
	if (timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &at, NULL) != 0)
		return pv_fail_errno(e, PV_E_IO, errno, "setting a timer");
	do {
		n = poll(p, 3, -1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return pv_fail_errno(e, PV_E_IO, errno, "poll");
	*ret_w = WOKEN_TIME;
	if (p[2].revents != 0 &&
	    read(l->timer, &ticks, sizeof ticks) != (ssize_t)sizeof ticks)
		ticks = 0; /* set anew meanwhile: nothing lost */
	if (p[2].revents != 0 && p[1].revents == 0) {
		int64_t late = now_ns() - until;

		if (late >= 0 && late < WAKE_MAX_NS)
			l->wake += (late - l->wake) / 8;
	}
	if (p[0].revents != 0)
		*ret_w = read_signal(l);
	else if (p[1].revents != 0)
		*ret_w = WOKEN_LINE;
	return 0;
}

static int
send_all(struct line *l, const uint8_t *data, size_t len, enum woken *ret_w,
    struct pv_error *e)
{
	int r;

	*ret_w = WOKEN_LINE;
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
		r = wait_for(l, POLLOUT, now_ns() + UNREAD_NS, ret_w, e);
		if (r != 0 || *ret_w == WOKEN_STOP)
			return r;
		if (*ret_w == WOKEN_RESET)
			pv_sim_reset(l->sim);
		if (*ret_w == WOKEN_TIME) {
			pv_log(PV_LOG_INFO,
			    "nobody reads '%s': %zu bytes of answer lost",
			    l->pty, len);
			return 0;
		}
	}
	return 0;
}

/* What the adapter has by now goes to the client. */
static int
hand_over(struct line *l, enum woken *ret_w, struct pv_error *e)
{
	uint8_t out[CHUNK];
	size_t n;
	int r = 0;

	do {
		n = pv_wire_fetch(&l->wire, now_ns(), out, sizeof out);
		if (n == 0)
			break;
		r = send_all(l, out, n, ret_w, e);
		l->late = now_ns() - l->wire.flushed;
		if (l->late < 0 || l->late > LATE_MAX_NS)
			l->late = 0;
	} while (r == 0 && *ret_w != WOKEN_STOP);
	return r;
}

/* The rates that a terminal can name, for --baud port. */
static uint32_t
port_rate(const struct line *l)
{
	static const struct {
		speed_t speed;
		uint32_t baud;
	} rates[] = { { B1200, 1200 }, { B2400, 2400 }, { B4800, 4800 },
		{ B9600, 9600 }, { B19200, 19200 }, { B38400, 38400 },
		{ B57600, 57600 }, { B115200, 115200 }, { B230400, 230400 },
		{ B460800, 460800 }, { B500000, 500000 }, { B576000, 576000 },
		{ B921600, 921600 }, { B1000000, 1000000 },
		{ B1152000, 1152000 }, { B1500000, 1500000 },
		{ B2000000, 2000000 }, { B2500000, 2500000 },
		{ B3000000, 3000000 }, { B3500000, 3500000 },
		{ B4000000, 4000000 } };
	struct termios t;

	if (tcgetattr(l->slave, &t) == 0)
		for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
			if (cfgetospeed(&t) == rates[i].speed)
				return rates[i].baud;
	return 9600; /* what an untouched port has */
}

/* What the client sent; `woken` when we slept until it came. */
static int
take_in(struct line *l, bool woken, struct pv_error *e)
{
	uint8_t in[CHUNK];
	ssize_t n = read(l->master, in, sizeof in);
	int64_t at;

	if (n > 0) {
		if (l->opt->baud_of_port)
			pv_wire_host_rate(&l->wire, port_rate(l));
		/* Had we not been late, it would have come that much earlier. */
		at = now_ns() - l->late - (woken ? l->wake : 0);
		if (at < l->wire.flushed)
			at = l->wire.flushed;
		pv_wire_send(&l->wire, at, in, (size_t)n);
		l->unsaved = true;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "reading from '%s'", l->pty);
	return pv_sim_fault(l->sim, e);
}

/* One wait. */
static int
serve_wait(struct line *l, enum woken *ret_w, struct pv_error *e)
{
	int64_t next = pv_wire_next(&l->wire), now = now_ns();
	bool full = l->wire.line_free > now + AHEAD_NS;
	bool idle = l->unsaved && next == PV_WIRE_NEVER;
	int r;

	if (full && next > l->wire.line_free - AHEAD_NS / 2)
		next = l->wire.line_free - AHEAD_NS / 2;
	if (idle)
		next = now + IDLE_NS;
	r = wait_for(l, full ? 0 : POLLIN, next, ret_w, e);
	if (r == 0 && idle && *ret_w == WOKEN_TIME) {
		l->unsaved = false;
		r = pv_sim_sync(l->sim, e);
	}
	return r;
}

static int
serve(struct line *l, struct pv_error *e)
{
	enum woken woken = WOKEN_TIME;
	int r;

	for (;;) {
		if (l->wire.line_free <= now_ns() + AHEAD_NS) {
			r = take_in(l, woken == WOKEN_LINE, e);
			if (r != 0 || l->wire.cut)
				return r;
		}
		pv_wire_run(&l->wire, now_ns());
		r = hand_over(l, &woken, e);
		if (r == 0 && woken != WOKEN_STOP)
			r = serve_wait(l, &woken, e);
		if (r != 0 || woken == WOKEN_STOP)
			return r;
		if (woken == WOKEN_RESET)
			pv_sim_reset(l->sim);
	}
}

/* Answers under way when the cable is pulled still arrive; power does not. */
static int
start(struct line *l, enum pv_sim_end *ret_end, struct pv_error *e)
{
	struct pv_wire_part part = {
		.ctx = l->sim,
		.take = part_take,
		.busy_ns = part_busy,
		.synced = part_synced,
		.mid_frame = part_mid_frame,
		.reset = part_reset,
		.expired = part_expired,
		.patience_ns = part_patience,
		.overrun = part_overrun,
		.last = part_last,
	};
	struct pv_wire_config c = l->opt->wire;
	enum pv_sim_end cut = choose_cut(l->opt, &c);
	int r;

	if (cut == PV_SIM_POWERCUT)
		part.last = part_power_cut;
	c.noise = l->opt->noise;
	if (l->opt->baud_of_port)
		c.baud = port_rate(l);
	pv_wire_init(&l->wire, &c, &part);
	pv_sim_connect(l->sim, l, line_emit, line_restarted);
	pv_sim_connect_receiver(
	    l->sim, &(struct pv_sim_receiver){
			.flush = line_flush, .now_ns = line_now });
	/* Sleep no longer than asked: 50 us more are half a byte time. */
	(void)prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
	r = serve(l, e);
	*ret_end = l->wire.cut ? cut : PV_SIM_STOPPED;
	pv_sim_connect(l->sim, NULL, NULL, NULL);
	pv_sim_connect_receiver(l->sim, &(struct pv_sim_receiver){ 0 });
	pv_wire_release(&l->wire);
	return r;
}

int
pv_sim_serve(struct pv_sim *sim, const struct pv_sim_line *opt,
    enum pv_sim_end *ret_end, struct pv_error *e)
{
	struct line l = { .master = -1,
		.slave = -1,
		.signals = -1,
		.timer = -1,
		.link = opt->link,
		.opt = opt,
		.sim = sim };
	enum pv_sim_end end = PV_SIM_STOPPED;
	struct pv_sim_signals signals;
	int r;

	r = pv_sim_signals_open(&signals, SIGUSR1, e);
	if (r != 0)
		return r;
	l.signals = signals.fd;
	l.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l.timer < 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "making a timer");
	if (r == 0)
		r = open_pty(&l, e);
	if (r == 0)
		r = make_link(&l, e);
	if (r == 0) {
		if (opt->ready != NULL)
			opt->ready(opt->ctx, l.pty);
		r = start(&l, &end, e);
	}
	/* A cut leaves everything as it is, the link included. */
	if (end != PV_SIM_POWERCUT || r != 0)
		close_line(&l);
	if (l.timer >= 0)
		close(l.timer);
	pv_sim_signals_close(&signals);
	if (r == 0)
		*ret_end = end;
	return r;
}
