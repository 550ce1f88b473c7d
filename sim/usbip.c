/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A USB/IP server for one device on bus 1, port 1. The protocol is the
 * kernel's (Documentation/usb/usbip_protocol.rst), version 1.1.1; all numbers
 * are big-endian. One client has the device at a time.
 */
#include "sim/usb.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "sim/internal.h"
#include "sim/signals.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VERSION	       0x0111U
#define OP_REQ_IMPORT  0x8003U
#define OP_REP_IMPORT  0x0003U
#define OP_REQ_DEVLIST 0x8005U
#define OP_REP_DEVLIST 0x0005U
#define CMD_SUBMIT     1U
#define CMD_UNLINK     2U
#define RET_SUBMIT     3U
#define RET_UNLINK     4U

#define BUS_ID	    "1-1"
#define BUS_ID_LEN  32U
#define PATH_LEN    256U
#define RECORD_LEN  312U
#define HEADER_LEN  48U
#define SPEED_FULL  2U
#define BUFFER_MAX  65536U
#define PENDING_MAX 16U
#define ANSWER_MS   2000 /* a client that stops in the middle of a packet */
#define RESTART_MS  100	 /* off the bus after a restart */
#define BLOCKS_MAX  10000

/* Results of an URB: negative errno values of Linux. */
#define URB_STALL    (-32)
#define URB_UNLINKED (-104)

struct server {
	struct pv_sim_usb_part *part;
	const struct pv_sim_usb *opt;
	int listener, client, signals;
	/* URBs that are never answered, until they are unlinked. */
	size_t n_pending;
	uint32_t pending[PENDING_MAX];
	int64_t away_until; /* not on the bus before this time */
	bool program;	    /* it runs a program: not on the bus */
	uint8_t data[BUFFER_MAX];
	uint8_t packet[HEADER_LEN + BUFFER_MAX];
};

struct urb {
	uint32_t command, seq, direction, endpoint;
	uint32_t length; /* of the buffer; for UNLINK: seq to unlink */
	struct pv_dd_setup setup;
};

/* --- bytes ------------------------------------------------------------------------ */

/* False when the client is gone or stops in the middle. */
static bool
receive(int fd, uint8_t *data, size_t len)
{
	int64_t deadline = pv_now_ms() + ANSWER_MS;

	while (len > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&p, 1, pv_ms_left(deadline)) == 0)
			return false;
		n = recv(fd, data, len, 0);
		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static bool
transmit(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* --- operations before the attachment ----------------------------------------------- */

static void
put_record(struct pv_writer *w, const struct pv_dd_config *c)
{
	char path[PATH_LEN] = "/sys/devices/platform/provisor-sim/usb1/1-1";
	char bus_id[BUS_ID_LEN] = BUS_ID;

	pv_wr_bytes(w, path, sizeof path);
	pv_wr_bytes(w, bus_id, sizeof bus_id);
	pv_wr_u32be(w, 1); /* bus */
	pv_wr_u32be(w, 2); /* device */
	pv_wr_u32be(w, SPEED_FULL);
	pv_wr_u16be(w, c->vendor);
	pv_wr_u16be(w, c->product);
	pv_wr_u16be(w, c->device);
	pv_wr_zero(w, 3); /* class of each interface */
	pv_wr_u8(w, 1);	  /* configuration */
	pv_wr_u8(w, 1);	  /* configurations */
	pv_wr_u8(w, 1);	  /* interfaces */
}

static bool
on_bus(const struct server *s)
{
	return !s->program && pv_ms_left(s->away_until) == 0;
}

static void
reply_list(struct server *s, int fd)
{
	uint8_t b[12 + RECORD_LEN + 4];
	bool here = on_bus(s);
	struct pv_writer w;

	pv_wr_init(&w, b, sizeof b);
	pv_wr_u16be(&w, VERSION);
	pv_wr_u16be(&w, OP_REP_DEVLIST);
	pv_wr_u32be(&w, 0);
	pv_wr_u32be(&w, here ? 1 : 0);
	if (here) {
		put_record(&w, &s->part->config);
		pv_wr_u8(&w, 0xfe); /* DFU mode, USB DFU 1.1 section 4.2.3 */
		pv_wr_u8(&w, 0x01);
		pv_wr_u8(&w, 0x02);
		pv_wr_u8(&w, 0);
	}
	(void)transmit(fd, b, w.len);
}

/* True when the client has the device now. */
static bool
reply_import(struct server *s, int fd)
{
	uint8_t b[8 + RECORD_LEN], bus_id[BUS_ID_LEN];
	struct pv_writer w;
	bool ok;

	if (!receive(fd, bus_id, sizeof bus_id))
		return false;
	ok = s->client < 0 && on_bus(s) &&
	     memcmp(bus_id, BUS_ID, sizeof BUS_ID) == 0;
	pv_wr_init(&w, b, sizeof b);
	pv_wr_u16be(&w, VERSION);
	pv_wr_u16be(&w, OP_REP_IMPORT);
	pv_wr_u32be(&w, ok ? 0 : 1);
	if (ok)
		put_record(&w, &s->part->config);
	return transmit(fd, b, w.len) && ok;
}

static void
greet(struct server *s)
{
	int fd = accept(s->listener, NULL, NULL), one = 1;
	uint8_t b[8];
	bool keep = false;

	if (fd < 0)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (receive(fd, b, sizeof b)) {
		switch (pv_get_u16be(b + 2)) {
		case OP_REQ_DEVLIST:
			reply_list(s, fd);
			break;
		case OP_REQ_IMPORT:
			keep = reply_import(s, fd);
			break;
		default:
			pv_log(PV_LOG_INFO, "USB/IP: unknown operation 0x%04x",
			    (unsigned int)pv_get_u16be(b + 2));
			break;
		}
	}
	if (!keep) {
		close(fd);
		return;
	}
	s->client = fd;
	s->n_pending = 0;
}

/* --- transfers -------------------------------------------------------------------------- */

static bool
reply_submit(struct server *s, const struct urb *u, int status, size_t len)
{
	bool in = u->direction != 0;
	struct pv_writer w;

	pv_wr_init(&w, s->packet, sizeof s->packet);
	pv_wr_u32be(&w, RET_SUBMIT);
	pv_wr_u32be(&w, u->seq);
	pv_wr_zero(&w, 12);
	pv_wr_u32be(&w, (uint32_t)status);
	pv_wr_u32be(&w, (uint32_t)len);
	pv_wr_zero(&w, 20);
	if (in)
		pv_wr_bytes(&w, s->data, len);
	return transmit(s->client, s->packet, w.len);
}

static bool
reply_unlink(struct server *s, const struct urb *u)
{
	struct pv_writer w;
	int status = 0;

	for (size_t i = 0; i < s->n_pending; i++) {
		if (s->pending[i] != u->length)
			continue;
		s->pending[i] = s->pending[--s->n_pending];
		status = URB_UNLINKED;
		break;
	}
	pv_wr_init(&w, s->packet, sizeof s->packet);
	pv_wr_u32be(&w, RET_UNLINK);
	pv_wr_u32be(&w, u->seq);
	pv_wr_zero(&w, 12);
	pv_wr_u32be(&w, (uint32_t)status);
	pv_wr_zero(&w, 24);
	return transmit(s->client, s->packet, w.len);
}

/* The device does not answer this one. */
static bool
stay_silent(struct server *s, const struct urb *u)
{
	if (s->n_pending == PENDING_MAX)
		return false;
	s->pending[s->n_pending++] = u->seq;
	return true;
}

/* Quirk status-blocks: GETSTATUS is held until the work is done. */
static void
hold_status(const struct server *s, const struct urb *u)
{
	const struct pv_dd *m = &s->part->dd;
	int64_t us = (int64_t)m->end_us - pv_now_us();

	if (!s->part->status_blocks || u->setup.request != 3 || m->state != 4 ||
	    us <= 0)
		return;
	us = us / 1000 + 1;
	pv_sleep_ms(us > BLOCKS_MAX ? BLOCKS_MAX : (int)us);
}

/* Off the bus, and on it again as a bootloader a moment later. */
static void
restart(struct server *s)
{
	pv_sim_usb_restart(s->part);
	s->away_until = pv_now_ms() + RESTART_MS;
}

/* The part left the bus: back as a bootloader, or it runs a program. */
static bool
part_left(struct server *s)
{
	switch (pv_sim_usb_left(s->part)) {
	case PV_SIM_USB_BACK:
		s->away_until = pv_now_ms() + RESTART_MS;
		return true;
	case PV_SIM_USB_GONE:
		s->program = true;
		return true;
	case PV_SIM_USB_HERE:
		break;
	}
	return false;
}

/* False: the connection ends. */
static bool
submit(struct server *s, struct urb *u)
{
	struct pv_sim_usb_part *p = s->part;
	bool answered;
	enum pv_dd_end end;
	size_t n = 0;

	if (u->endpoint != 0)
		return reply_submit(s, u, URB_STALL, 0);
	if (u->setup.length > u->length)
		u->setup.length = (uint16_t)u->length;
	p->n++;
	if (s->opt->has_reset && p->n == s->opt->reset_at + 1) {
		restart(s);
		return false;
	}
	if (pv_sim_usb_chance(p, s->opt->timeout))
		return stay_silent(s, u);
	if (pv_sim_usb_chance(p, s->opt->stall))
		return reply_submit(s, u, URB_STALL, 0);
	hold_status(s, u);
	end = pv_sim_usb_transfer(p, &u->setup, s->data, &n);
	if (end == PV_DD_DONE && n > 0 && u->direction != 0 &&
	    pv_sim_usb_chance(p, s->opt->shorten))
		n--;
	if (end == PV_DD_DONE)
		answered = reply_submit(s, u, 0, n);
	else if (end == PV_DD_STALL)
		answered = reply_submit(s, u, URB_STALL, 0);
	else
		answered = stay_silent(s, u);
	return !part_left(s) && answered;
}

static bool
read_urb(struct server *s, struct urb *u)
{
	uint8_t h[HEADER_LEN];
	struct pv_reader r;

	if (!receive(s->client, h, sizeof h))
		return false;
	pv_rd_init(&r, h, sizeof h);
	u->command = pv_rd_u32be(&r);
	u->seq = pv_rd_u32be(&r);
	pv_rd_skip(&r, 4); /* device id */
	u->direction = pv_rd_u32be(&r);
	u->endpoint = pv_rd_u32be(&r);
	if (u->command == CMD_UNLINK) {
		u->length = pv_rd_u32be(&r);
		return true;
	}
	pv_rd_skip(&r, 4); /* flags */
	u->length = pv_rd_u32be(&r);
	pv_rd_skip(&r, 12);
	u->setup.type = pv_rd_u8(&r);
	u->setup.request = pv_rd_u8(&r);
	u->setup.value = pv_rd_u16le(&r); /* as on the bus */
	u->setup.index = pv_rd_u16le(&r);
	u->setup.length = pv_rd_u16le(&r);
	if (u->command != CMD_SUBMIT || u->length > sizeof s->data ||
	    u->direction > 1)
		return false;
	return u->direction == 1 || receive(s->client, s->data, u->length);
}

/* One packet of the client. False: the connection ends. */
static bool
serve_packet(struct server *s, enum pv_sim_end *ret_end)
{
	struct urb u = { 0 };

	if (!read_urb(s, &u))
		return false;
	if (u.command == CMD_UNLINK)
		return reply_unlink(s, &u);
	if (s->opt->has_powercut && s->part->n >= s->opt->powercut)
		*ret_end = PV_SIM_POWERCUT;
	else if (s->opt->has_unplug && s->part->n >= s->opt->unplug)
		*ret_end = PV_SIM_UNPLUGGED;
	return *ret_end == PV_SIM_STOPPED && submit(s, &u);
}

/* --- the server --------------------------------------------------------------------------- */

static int
listen_on(struct server *s, uint64_t *ret_port, struct pv_error *e)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	struct sockaddr_storage at;
	socklen_t at_len = sizeof at;
	char port[8], text[8] = "0";
	int one = 1, r;

	(void)snprintf(port, sizeof port, "%u", (unsigned int)s->opt->port);
	r = getaddrinfo(s->opt->host, port, &hints, &list);
	if (r != 0)
		return pv_fail(e, PV_E_USAGE, "--usbip: host '%s': %s",
		    s->opt->host, gai_strerror(r));
	s->listener = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s->listener < 0 ||
	    setsockopt(
		s->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
	    bind(s->listener, list->ai_addr, list->ai_addrlen) != 0 ||
	    listen(s->listener, 8) != 0 ||
	    getsockname(s->listener, (struct sockaddr *)&at, &at_len) != 0)
		r = pv_fail_errno(e, PV_E_LINK, errno,
		    "--usbip: listening on %s:%s", s->opt->host, port);
	freeaddrinfo(list);
	if (r != 0)
		return r;
	if (getnameinfo((struct sockaddr *)&at, at_len, NULL, 0, text,
		sizeof text, NI_NUMERICSERV) != 0)
		return pv_fail(e, PV_E_INTERNAL, "the port has no number");
	return pv_parse_u64(text, UINT16_MAX, "port", ret_port, e);
}

static int
end_client(struct server *s, struct pv_error *e)
{
	close(s->client);
	s->client = -1;
	s->n_pending = 0;
	return pv_sim_usb_client_end(s->part, e);
}

static int
serve(struct server *s, enum pv_sim_end *ret_end, struct pv_error *e)
{
	int r;

	*ret_end = PV_SIM_STOPPED;
	for (;;) {
		struct pollfd p[3] = {
			{ .fd = s->signals, .events = POLLIN },
			{ .fd = s->listener, .events = POLLIN },
			{ .fd = s->client, .events = POLLIN },
		};

		if (poll(p, 3, -1) < 0) {
			if (errno == EINTR)
				continue;
			return pv_fail_errno(e, PV_E_IO, errno, "poll");
		}
		if (p[0].revents != 0)
			break;
		if (s->client >= 0 && p[2].revents != 0 &&
		    !serve_packet(s, ret_end)) {
			if (*ret_end == PV_SIM_POWERCUT)
				return 0;
			if ((r = end_client(s, e)) != 0)
				return r;
			if (*ret_end != PV_SIM_STOPPED)
				return 0;
		}
		if (p[1].revents != 0)
			greet(s);
		if ((r = pv_sim_fault(s->part->sim, e)) != 0)
			return r;
	}
	return s->client >= 0 ? end_client(s, e) : 0;
}

int
pv_sim_serve_usb(struct pv_sim *sim, const struct pv_sim_usb *u,
    enum pv_sim_end *ret_end, struct pv_error *e)
{
	struct pv_sim_usb_part *part = calloc(1, sizeof *part);
	struct server *s = calloc(1, sizeof *s);
	enum pv_sim_end end = PV_SIM_STOPPED;
	struct pv_sim_signals signals;
	uint64_t port = 0;
	int r;

	if (part == NULL || s == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	s->part = part;
	s->opt = u;
	s->listener = s->client = -1;
	r = pv_sim_usb_part(sim, u, part, e);
	if (r == 0)
		r = pv_sim_signals_open(&signals, 0, e);
	if (r != 0)
		goto out;
	s->signals = signals.fd;
	r = listen_on(s, &port, e);
	if (r == 0) {
		if (u->ready != NULL)
			u->ready(u->ctx, u->host, (unsigned int)port);
		r = serve(s, &end, e);
	}
	if (s->client >= 0)
		close(s->client);
	if (s->listener >= 0)
		close(s->listener);
	pv_sim_signals_close(&signals);
	if (r == 0)
		*ret_end = end;
out:
	free(part);
	free(s);
	return r;
}
