/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions over the STM32MP serial protocol: Download, Start, Read. */
#include "boot/mpu_uart.h"

#include "base/buf.h"
#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PACKETS_MAX  0x1000000U /* 24 bits of packet number */
#define NOT_VOLATILE 0xffffffffU

/* Where in a packet it ended. */
enum place {
	AT_COMMAND,
	AT_NUMBER,
	AT_DATA,
};

struct packet {
	uint8_t operation; /* 0, PV_MPU_OTP, PV_MPU_PMIC */
	uint32_t number;
	size_t len;
	uint8_t frame[1 + MU_PACKET + 1];
	bool looked; /* wait for a refusal behind the ACK (M5) */
};

/* --- download ----------------------------------------------------------------- */

static int
send_packet(
    struct mu *m, struct packet *p, enum place *ret_place, struct pv_error *e)
{
	int r;

	*ret_place = AT_COMMAND;
	r = pv_mu_command(m, MU_DOWNLOAD, e);
	if (r != 0)
		return r;
	*ret_place = AT_NUMBER;
	r = pv_mu_word(m, "the packet number",
	    (uint32_t)p->operation << 24 | p->number, T_ANSWER, e);
	if (r == 0)
		r = pv_mu_early(m, p->looked ? T_MU_EARLY : 0, e);
	if (r != 0)
		return r;
	*ret_place = AT_DATA;
	/* One write: U-Boot waits 30 ms for all of it (M2). */
	r = pv_mu_send(m, p->frame, p->len + 2, e);
	return r != 0 ? r : pv_mu_ack(m, "the data", T_MU_WORK, e);
}

/* The device counts packets, and not from where this download begins. */
static int
elsewhere(struct mu *m, const struct packet *p, struct pv_error *e)
{
	(void)pv_us_fail(&m->u, PV_E_NACK, e,
	    "the device does not take packet %" PRIu32, p->number);
	return pv_hint(e,
	    "an earlier download may have been cut off: reset the chip into "
	    "serial boot");
}

/*
 * One packet, with the same number until it is acknowledged (M2). When the
 * answer to its data was lost and the number is refused afterwards, the device
 * has it already.
 */
static int
packet(struct mu *m, struct packet *p, struct pv_error *e)
{
	enum place place;
	bool lost = false;
	unsigned int refused = 0;
	int r, code;

	for (unsigned int attempt = 1;; attempt++) {
		p->looked = attempt > 1 || p->number == 0;
		r = send_packet(m, p, &place, e);
		if (r == 0)
			return 0;
		code = r;
		if (place == AT_COMMAND || !pv_mu_again(m, r, attempt, e)) {
			if (place == AT_NUMBER && code == PV_E_NACK)
				return elsewhere(m, p, e);
			return code;
		}
		if (place == AT_NUMBER && code == PV_E_NACK && lost &&
		    ++refused > 1)
			return 0;
		if (place == AT_DATA && code != PV_E_NACK)
			lost = true;
		if (code != PV_E_TIMEOUT)
			continue;
		/* Only a ROM waits for the rest of a frame for ever. */
		if ((r = pv_mu_fill(m, e)) != 0)
			return r;
	}
}

static int
fill_packet(struct packet *p, const struct pv_mpu_source *src, uint64_t at,
    struct pv_error *e)
{
	uint64_t left = src->size - at;
	int r;

	p->len = left < MU_PACKET ? (size_t)left : MU_PACKET;
	r = src->read(src->ctx, at, p->frame + 1, p->len, e);
	if (r != 0)
		return r;
	p->frame[0] = (uint8_t)(p->len - 1);
	p->frame[1 + p->len] = pv_us_xor(p->frame, p->len + 1);
	return 0;
}

int
pv_mu_start(struct mu *m, uint32_t address, int timeout_ms, struct pv_error *e)
{
	int r;

	r = pv_mu_command(m, MU_START, e);
	return r != 0 ? r : pv_mu_word(m, "start", address, timeout_ms, e);
}

/*
 * The end of a download. A lost answer is no failure here: the stage may have
 * been left, and the caller asks for the phase (M6). What burns is different.
 */
static int
end_download(struct mu *m, uint8_t id, struct pv_error *e)
{
	bool burns = id == PV_MPU_OTP || id == PV_MPU_PMIC;
	int r;

	m->u.has_address = false;
	r = pv_mu_start(m, burns ? id : NOT_VOLATILE,
	    m->stage == PV_MPU_STAGE_UBOOT ? T_MU_BURN : T_WRITE, e);
	if (r == PV_E_TIMEOUT && !burns) {
		m->counters.retries++;
		pv_progress_retry(m->u.progress, m->u.step, 0, e->msg);
		pv_error_clear(e);
		return 0;
	}
	return r;
}

int
pv_mu_download(void *ctx, uint8_t id, const struct pv_mpu_source *src,
    const char *step, struct pv_error *e)
{
	struct mu *m = ctx;
	struct packet p = {
		.operation = id == PV_MPU_OTP || id == PV_MPU_PMIC ? id : 0
	};
	int r;

	pv_us_step(&m->u, step);
	if (src->size == 0 || src->size > (uint64_t)PACKETS_MAX * MU_PACKET)
		return pv_us_fail(&m->u, PV_E_RANGE, e,
		    "%" PRIu64 " bytes cannot be sent over a serial line",
		    src->size);
	for (uint64_t at = 0; at < src->size; at += p.len) {
		pv_us_step_at(&m->u, step, (uint32_t)at);
		r = fill_packet(&p, src, at, e);
		if (r == 0)
			r = packet(m, &p, e);
		if (r != 0)
			return r;
		p.number++;
		m->counters.sent += p.len;
		pv_progress_at(m->u.progress, step, at + p.len, src->size);
	}
	return end_download(m, id, e);
}

/* --- read --------------------------------------------------------------------- */

/* Command, partition and offset, length; what follows is data. */
static int
ask(struct mu *m, uint8_t id, uint32_t offset, uint8_t n, struct pv_error *e)
{
	uint8_t f[6] = { id }, len[2];
	int r;

	pv_put_u32be(f + 1, offset);
	f[5] = pv_us_xor(f, 5);
	len[0] = n;
	len[1] = (uint8_t)~n;
	r = pv_mu_command(m, MU_READ_PARTITION, e);
	if (r == 0)
		r = pv_mu_send(m, f, sizeof(f), e);
	if (r == 0)
		r = pv_mu_ack(m, "partition and offset", T_WRITE, e);
	if (r == 0)
		r = pv_mu_send(m, len, sizeof(len), e);
	return r != 0 ? r : pv_mu_ack(m, "the length", T_WRITE, e);
}

static int
read_piece(struct mu *m, uint8_t id, uint32_t offset, uint8_t *data, size_t len,
    struct pv_error *e)
{
	int r;

	for (unsigned int attempt = 1;; attempt++) {
		r = ask(m, id, offset, (uint8_t)(len - 1), e);
		if (r == 0)
			r = pv_mu_recv(
			    m, "the partition", data, len, T_WRITE, e);
		if (r == 0 || !pv_mu_again(m, r, attempt, e))
			return r;
	}
}

/*
 * N = 0x88 gives exactly 136 bytes on every firmware seen, where the 0x87 of
 * the documents does not; some send an ACK behind them (M8).
 */
static int
read_certificate(struct mu *m, uint8_t *data, struct pv_error *e)
{
	struct pv_error ignored = { 0 };
	int r;

	for (unsigned int attempt = 1;; attempt++) {
		r = ask(m, PV_MPU_SSP, 0, MU_CERT_N, e);
		if (r == 0)
			r = pv_mu_recv(
			    m, "the certificate", data, MU_CERT, T_WRITE, e);
		if (r == 0)
			return pv_us_quiet(&m->u, T_TURN, &ignored);
		if (!pv_mu_again(m, r, attempt, e))
			return r;
	}
}

int
pv_mu_read(void *ctx, uint8_t id, uint8_t *data, size_t cap, size_t *ret_len,
    struct pv_error *e)
{
	struct mu *m = ctx;
	size_t n;
	int r;

	if (memchr(m->info.opcodes, MU_READ_PARTITION, m->info.n_opcodes) ==
	    NULL)
		return pv_us_fail(&m->u, PV_E_UNSUPPORTED, e,
		    "%s has no command to read a partition",
		    pv_mpu_stage_text(m->stage));
	pv_us_step(&m->u, id == PV_MPU_SSP ? "certificate" : "read");
	if (id == PV_MPU_SSP) {
		if (cap < MU_CERT)
			return pv_us_fail(
			    &m->u, PV_E_INTERNAL, e, "room for a certificate");
		r = read_certificate(m, data, e);
		*ret_len = MU_CERT;
		return r;
	}
	for (size_t at = 0; at < cap; at += n) {
		pv_us_step_at(&m->u, "read", (uint32_t)at);
		n = cap - at < MU_PACKET ? cap - at : MU_PACKET;
		r = read_piece(m, id, (uint32_t)at, data + at, n, e);
		if (r != 0)
			return r;
	}
	*ret_len = cap;
	return 0;
}
