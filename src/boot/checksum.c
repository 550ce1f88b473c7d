/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Get Checksum (0xA1), AN3155 3.13. Parts differ in how many ACKs come before
 * the value, and some may ignore polynomial and initial value: one block that
 * is also read decides whether the command is used at all.
 */
#include "boot/usart.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#include <string.h>

#define POLYNOMIAL  0x04c11db7U /* `table` below is made from it */
#define PROBE	    256U
#define ANSWER_MIN  5U /* crc4 xor */
#define ANSWER_MAX  7U /* ACK ACK crc4 xor */
#define GAP_MS	    30
/* The slowest unit: a software CRC of about 100 KiB a second. */
#define CRC_MS(len) (1000 + (int)((len) / 100U))

/* What the four top bits become, four shifts later. */
static uint32_t
quad(uint32_t crc)
{
	static const uint32_t table[16] = { 0x00000000, 0x04c11db7, 0x09823b6e,
		0x0d4326d9, 0x130476dc, 0x17c56b6b, 0x1a864db2, 0x1e475005,
		0x2608edb8, 0x22c9f00f, 0x2f8ad6d6, 0x2b4bcb61, 0x350c9b64,
		0x31cd86d3, 0x3c8ea00a, 0x384fbdbd };

	return crc << 4 ^ table[crc >> 28];
}

uint32_t
pv_usart_crc(uint32_t crc, const uint8_t *data, size_t len)
{
	unsigned k;

	for (; len >= 4; len -= 4, data += 4) {
		crc ^= pv_get_u32le(data);
		for (k = 0; k < 8; k++)
			crc = quad(crc);
	}
	return crc;
}

static int
field(struct pv_usart *u, const char *what, uint32_t value, bool last,
    struct pv_error *e)
{
	uint8_t f[5];
	int r;

	pv_put_u32be(f, value);
	f[4] = pv_us_xor(f, 4);
	r = pv_us_send(u, f, sizeof(f), e);
	if (r != 0 || last)
		return r;
	return pv_us_ack(u, what, T_ANSWER, e);
}

/*
 * The answer in any of its shapes: "79 79 crc4 xor" (AN3155), "79 crc4 xor",
 * "crc4 xor", by length: a byte 79 may be part of the value. Once the shape is
 * known there is no need to wait for the end.
 */
static int
answer(struct pv_usart *u, size_t len, uint32_t *ret_crc, struct pv_error *e)
{
	int wait = CRC_MS(len) + pv_us_wire_ms(u, 12);
	int64_t deadline = pv_now_ms() + wait;
	size_t most = u->crc_shape != 0 ? u->crc_shape : ANSWER_MAX;
	size_t n = 0, i;
	uint8_t f[ANSWER_MAX];
	int r = 0;

	while (n < most) {
		if (n == 1 && f[0] == NACK)
			deadline = pv_now_ms() + GAP_MS + pv_us_wire_ms(u, 8);
		else if (n >= ANSWER_MIN)
			deadline = pv_now_ms() + GAP_MS + pv_us_wire_ms(u, 2);
		r = pv_us_byte(u, &f[n], deadline, e);
		if (r != 0)
			break;
		n++;
	}
	if (r != 0 && r != PV_E_TIMEOUT)
		return pv_us_wrap(u, e);
	if (n == 1 && f[0] == NACK) {
		u->n_sent = 0;
		return pv_us_fail(
		    u, PV_E_NACK, e, "device refused the checksum (NACK)");
	}
	if (n < ANSWER_MIN || (u->crc_shape != 0 && n != u->crc_shape))
		return pv_us_fail(u, PV_E_TIMEOUT, e,
		    "%zu bytes of a checksum came in %d.%d s", n, wait / 1000,
		    wait % 1000 / 100);
	for (i = 0; i < n - ANSWER_MIN; i++)
		if (f[i] != ACK)
			break;
	if (i != n - ANSWER_MIN || pv_us_xor(f + i, ANSWER_MIN) != 0)
		return pv_us_fail(u, PV_E_DEVICE, e,
		    "answer to Get Checksum is damaged (%zu bytes)", n);
	u->n_sent = 0;
	u->crc_shape = n;
	*ret_crc = pv_get_u32be(f + i);
	return 0;
}

/*
 * All five frames in one write (S3), once the command has worked in lockstep:
 * a device that refuses one finds no command in the rest.
 */
static int
checksum_merged(
    struct pv_usart *u, const uint8_t *f, size_t size, struct pv_error *e)
{
	static const char *const what[] = { "command 0xa1", "the address",
		"the size", "the polynomial" };
	size_t ahead = size - 2, i;
	int r;

	u->n_sent = 0;
	u->merged = true;
	r = pv_us_send(u, f, size, e);
	for (i = 0; r == 0 && i < sizeof(what) / sizeof(what[0]); i++) {
		r = pv_us_ack_ahead(u, what[i], ahead, T_ANSWER, e);
		ahead -= 5;
	}
	return r;
}

static int
checksum_once(struct pv_usart *u, uint32_t addr, size_t len, uint32_t *ret_crc,
    struct pv_error *e)
{
	const uint32_t values[] = { addr, (uint32_t)(len / 4), POLYNOMIAL,
		PV_USART_CRC_INIT };
	static const char *const what[] = { "the address", "the size",
		"the polynomial", "the initial value" };
	uint8_t f[2 + 4 * 5] = { PV_OP_GET_CHECKSUM,
		0xffU - PV_OP_GET_CHECKSUM };
	size_t i;
	int r;

	for (i = 0; i < 4; i++) {
		pv_put_u32be(f + 2 + 5 * i, values[i]);
		f[6 + 5 * i] = pv_us_xor(f + 2 + 5 * i, 4);
	}
	if (!u->opt.lockstep && u->crc == CRC_TRUSTED &&
	    !pv_us_has_pair(f + 1, sizeof(f) - 1)) {
		r = checksum_merged(u, f, sizeof(f), e);
		return r != 0 ? r : answer(u, len, ret_crc, e);
	}
	r = pv_us_command(u, PV_OP_GET_CHECKSUM, e);
	for (i = 0; r == 0 && i < 4; i++)
		r = field(u, what[i], values[i], i == 3, e);
	return r != 0 ? r : answer(u, len, ret_crc, e);
}

static int
checksum(struct pv_usart *u, uint32_t addr, size_t len, uint32_t *ret_crc,
    struct pv_error *e)
{
	unsigned attempt;
	int r;

	pv_us_step_at(u, "checksum", addr);
	for (attempt = 1;; attempt++) {
		r = checksum_once(u, addr, len, ret_crc, e);
		if (r == 0)
			return 0;
		r = pv_us_recover(u, r, attempt, e);
		if (r != 0)
			return r;
	}
}

static int
probe(struct pv_usart *u, uint32_t addr, size_t len, bool *ret_usable,
    struct pv_error *e)
{
	uint8_t block[PROBE] = { 0 };
	uint32_t crc = 0;
	int r;

	if (!pv_usart_has(u, PV_OP_GET_CHECKSUM))
		u->crc = CRC_REFUSED;
	if (u->crc != CRC_UNKNOWN) {
		*ret_usable = u->crc == CRC_TRUSTED;
		return 0;
	}
	r = pv_usart_read(u, addr, block, len, e);
	if (r != 0)
		return r;
	r = checksum(u, addr, len, &crc, e);
	/* Refused or not understood: then it is not there for us. */
	if (r == PV_E_LINK || r == PV_E_INTERRUPTED)
		return r;
	if (r == 0 && crc == pv_usart_crc(PV_USART_CRC_INIT, block, len)) {
		u->crc = CRC_TRUSTED;
	} else {
		u->crc = CRC_REFUSED;
		pv_log(PV_LOG_INFO,
		    "Get Checksum does not agree with what was read (%s); "
		    "reading back instead",
		    r != 0 && e != NULL ? e->msg : "other value");
		pv_error_clear(e);
	}
	*ret_usable = u->crc == CRC_TRUSTED;
	return 0;
}

int
pv_usart_checksum_probe(
    struct pv_usart *u, uint32_t addr, bool *ret_usable, struct pv_error *e)
{
	return probe(u, addr, PROBE, ret_usable, e);
}

static int
check_words(struct pv_usart *u, uint32_t addr, size_t len, struct pv_error *e)
{
	pv_us_step_at(u, "checksum", addr);
	if (len == 0 || len % 4 != 0 || addr % 4 != 0 ||
	    (u->chip != NULL && !pv_chip_in_flash(u->chip, addr, len, NULL)))
		return pv_us_fail(u, PV_E_RANGE, e,
		    "%zu bytes are not whole words of flash", len);
	if (pv_progress_cancelled(u->progress))
		return pv_us_fail(u, PV_E_INTERRUPTED, e, "stopped");
	return 0;
}

int
pv_usart_checksum(struct pv_usart *u, uint32_t addr, size_t len,
    uint32_t *ret_crc, struct pv_error *e)
{
	int r;

	pv_us_step_at(u, "checksum", addr);
	if (u->crc != CRC_TRUSTED)
		return pv_us_fail(u, PV_E_DEVICE, e,
		    "Get Checksum of this device is not known to be right");
	r = check_words(u, addr, len, e);
	if (r == 0)
		r = checksum(u, addr, len, ret_crc, e);
	if (r == 0)
		u->counters.checksums++;
	return r;
}

/*
 * The checksum of a device that never agreed: its answer counts only when it
 * is what it should be. Whatever else it says leads to the probe.
 */
static int
first_checksum(struct pv_usart *u, uint32_t addr, size_t len, uint32_t want,
    bool *ret_same, struct pv_error *e)
{
	struct pv_error ignored = { 0 };
	bool usable;
	uint32_t crc = 0;
	int r;

	r = checksum(u, addr, len, &crc, &ignored);
	if (r == PV_E_LINK || r == PV_E_INTERRUPTED) {
		if (e != NULL)
			*e = ignored;
		return r;
	}
	*ret_same = r == 0 && crc == want;
	if (!*ret_same)
		return probe(u, addr, len < PROBE ? len : PROBE, &usable, e);
	u->crc = CRC_TRUSTED;
	u->counters.checksums++;
	return 0;
}

int
pv_usart_checksum_same(struct pv_usart *u, uint32_t addr, size_t len,
    uint32_t want, bool *ret_usable, bool *ret_same, struct pv_error *e)
{
	uint32_t crc = 0;
	int r;

	*ret_usable = *ret_same = false;
	r = check_words(u, addr, len, e);
	if (r != 0)
		return r;
	if (!pv_usart_has(u, PV_OP_GET_CHECKSUM))
		u->crc = CRC_REFUSED;
	if (u->crc == CRC_UNKNOWN) {
		r = first_checksum(u, addr, len, want, ret_same, e);
	} else if (u->crc == CRC_TRUSTED) {
		r = pv_usart_checksum(u, addr, len, &crc, e);
		*ret_same = r == 0 && crc == want;
	}
	*ret_usable = r == 0 && u->crc == CRC_TRUSTED;
	return r;
}
