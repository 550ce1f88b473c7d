/* SPDX-License-Identifier: Apache-2.0 */
/* Read Memory, Write Memory, Go: AN3155 sections 3.4 to 3.6. */
#include "boot/usart.h"

#include "base/buf.h"

#include <inttypes.h>
#include <string.h>

/* --- refused here, before a byte is sent (U10) ---------------------------- */

static bool
in_range(const struct pv_range *r, uint64_t addr, uint64_t len)
{
	return r->size != 0 && addr >= r->base && len <= r->size &&
	       addr - r->base <= r->size - len;
}

static int
check_map(struct pv_usart *u, uint32_t addr, size_t len, bool reading,
    struct pv_error *e)
{
	const struct pv_chip *c = u->chip;
	uint32_t lowest;

	if (len == 0 || len - 1U > UINT32_MAX - addr)
		return pv_us_fail(u, PV_E_RANGE, e,
		    "%zu bytes do not fit into the address space", len);
	if (c == NULL || pv_chip_in_flash(c, addr, len, NULL))
		return 0;
	if (pv_chip_in_ram(c, addr, len)) {
		if (c->n_rams == 0 || addr < c->rams[0].base)
			return 0;
		lowest = c->rams[0].base + c->boot_ram_reserved;
		if (addr >= lowest)
			return 0;
		(void)pv_us_fail(u, PV_E_RANGE, e,
		    "the first %" PRIu32 " bytes of RAM belong to the "
		    "bootloader",
		    c->boot_ram_reserved);
		return pv_hint(
		    e, "the first free address is 0x%08" PRIx32, lowest);
	}
	if (reading && c->has_option_area &&
	    in_range(&c->option_area, addr, len))
		return 0;
	(void)pv_us_fail(u, PV_E_RANGE, e,
	    "%zu bytes are not inside flash or RAM of the %s", len, c->title);
	return pv_hint(e,
	    "flash begins at 0x%08" PRIx32
	    "; --chip names another chip description",
	    pv_chip_flash_base(c));
}

#define ADAPTER_PACKET 62U /* FTDI: 64 less two status bytes */

/* --- read ------------------------------------------------------------------ */

/* *ret_opcode: it was the opcode that failed. */
static int
read_lockstep(struct pv_usart *u, uint32_t addr, size_t len, bool *ret_opcode,
    struct pv_error *e)
{
	uint8_t n[2] = { (uint8_t)(len - 1U), (uint8_t) ~(len - 1U) };
	int r;

	r = pv_us_command(u, PV_OP_READ, e);
	if (r != 0)
		return r;
	*ret_opcode = false;
	r = pv_us_address(u, addr, e);
	if (r == 0)
		r = pv_us_send(u, n, sizeof(n), e);
	if (r != 0)
		return r;
	return pv_us_ack(u, "the byte count", T_ANSWER, e);
}

/*
 * All three frames in one write (S3). The device must be at its receiver again
 * within two byte times of each ACK; where it is not, the first miss shows.
 */
static int
read_merged(struct pv_usart *u, const uint8_t *f, size_t size, bool *ret_opcode,
    struct pv_error *e)
{
	int r;

	u->n_sent = 0;
	u->merged = true;
	r = pv_us_send(u, f, size, e);
	if (r == 0)
		r = pv_us_ack_ahead(u, "command 0x11", size - 2, T_ANSWER, e);
	if (r != 0)
		return r;
	*ret_opcode = false;
	r = pv_us_ack_ahead(u, "the address", 2, T_ANSWER, e);
	if (r != 0)
		return r;
	return pv_us_ack(u, "the byte count", T_ANSWER, e);
}

static int
read_once(struct pv_usart *u, uint32_t addr, uint8_t *data, size_t len,
    bool *ret_opcode, struct pv_error *e)
{
	uint8_t f[HEAD + 2];
	bool merge;
	int r;

	*ret_opcode = true;
	pv_us_head(f, PV_OP_READ, addr);
	f[HEAD] = (uint8_t)(len - 1U);
	f[HEAD + 1] = (uint8_t) ~(len - 1U);
	merge = !u->opt.lockstep && u->read_worked &&
		!pv_us_has_pair(f + 1, sizeof(f) - 1);
	r = merge ? read_merged(u, f, sizeof(f), ret_opcode, e)
		  : read_lockstep(u, addr, len, ret_opcode, e);
	if (r == 0)
		r = pv_us_recv(u, "the data", data, len, T_ANSWER, e);
	if (r != 0)
		return r;
	if (merge)
		u->counters.reads_merged++;
	else
		u->counters.reads_lockstep++;
	u->read_worked = true;
	return 0;
}

static int
read_block(struct pv_usart *u, uint32_t addr, uint8_t *data, size_t len,
    struct pv_error *e)
{
	unsigned attempt;
	bool opcode;
	int r;

	for (attempt = 1;; attempt++) {
		r = read_once(u, addr, data, len, &opcode, e);
		if (r == 0)
			return 0;
		r = pv_us_recover(u, r, attempt, e);
		if (r == PV_E_NACK && opcode)
			return pv_us_protected(u, e);
		if (r != 0)
			return r;
	}
}

/*
 * USB adapters hand on 62 bytes at a time, and what is left over only when
 * their latency timer runs out. Where that shows, ask for so much that with
 * its three ACKs the answer is four whole packets. Where it does not it costs
 * one part in 500, so a few long waits are enough; the shortest one says
 * nothing, as the timer may have been about to run out.
 */
static size_t
read_step(const struct pv_usart *u)
{
	if (u->opt.lockstep || 4U * u->slow_turns < u->turns || u->turns == 0)
		return PV_USART_BLOCK;
	return 4U * ADAPTER_PACKET - 3U;
}

int
pv_usart_read(struct pv_usart *u, uint32_t addr, void *data, size_t len,
    struct pv_error *e)
{
	uint8_t *p = data;
	size_t n;
	int r;

	pv_us_step_at(u, "read", addr);
	r = check_map(u, addr, len, true, e);
	if (r == 0)
		r = pv_us_need(u, PV_OP_READ, e);
	while (r == 0 && len > 0) {
		if (pv_progress_cancelled(u->progress))
			return pv_us_fail(u, PV_E_INTERRUPTED, e, "stopped");
		n = read_step(u);
		if (n > len)
			n = len;
		pv_us_step_at(u, "read", addr);
		r = read_block(u, addr, p, n, e);
		p += n;
		len -= n;
		addr += (uint32_t)n;
	}
	return r;
}

int
pv_usart_probe_protection(
    struct pv_usart *u, uint32_t addr, bool *ret_protected, struct pv_error *e)
{
	uint8_t word[4];
	int r;

	pv_us_step_at(u, "read", addr);
	r = pv_us_need(u, PV_OP_READ, e);
	if (r != 0)
		return r;
	r = read_block(u, addr, word, sizeof(word), e);
	if (r != 0 && r != PV_E_PROTECTED)
		return r;
	pv_error_clear(e);
	*ret_protected = r == PV_E_PROTECTED;
	return 0;
}

#define WRITE_MAX_US UINT64_C(60000000) /* no part takes a minute */

/* --- write ----------------------------------------------------------------- */

static int
write_timeout(const struct pv_usart *u, size_t len)
{
	const struct pv_chip *c = u->chip;
	uint64_t us;

	if (c == NULL || c->times.write_unit_max_us == 0 || c->write_unit == 0)
		return T_WRITE;
	us = (uint64_t)c->times.write_unit_max_us * (len / c->write_unit + 1U);
	if (us > WRITE_MAX_US)
		us = WRITE_MAX_US;
	return (int)(us / 1000U) + T_MARGIN;
}

/* How much of a write goes out in one piece. */
enum write_mode {
	WRITE_LOCKSTEP, /* three frames, each after the ACK before it */
	WRITE_MERGED,	/* opcode and address together (S3) */
	WRITE_WHOLE,	/* everything (S4) */
};

/*
 * The whole of a frame at once only between two addresses of one bank that
 * were written in lockstep, so that the device will not refuse the address
 * and take the data for commands, and never data with a command pair in it.
 */
static enum write_mode
write_mode(struct pv_usart *u, uint32_t addr, const uint8_t *f, size_t size)
{
	if (u->opt.lockstep || !u->write_worked ||
	    pv_us_has_pair(f + 1, HEAD - 1))
		return WRITE_LOCKSTEP;
	if (!u->opt.coalesce || addr < u->safe_lo ||
	    addr + (size - HEAD - 2U) > u->safe_hi)
		return WRITE_MERGED;
	if (pv_us_has_pair(f + 1, size - 1)) {
		u->counters.blocks_screened++;
		return WRITE_MERGED;
	}
	return WRITE_WHOLE;
}

/* A frame with its own address ACK has worked here. */
static void
note_range(struct pv_usart *u, uint32_t addr, size_t len)
{
	uint32_t lo = addr, hi = addr + (uint32_t)len;

	u->write_worked = true;
	if (u->chip == NULL || !pv_chip_in_flash(u->chip, addr, len, NULL))
		return;
	if (u->safe_hi != 0) {
		if (u->safe_lo < lo)
			lo = u->safe_lo;
		if (u->safe_hi > hi)
			hi = u->safe_hi;
		if (!pv_chip_in_flash(u->chip, lo, hi - lo, NULL)) {
			lo = addr; /* another bank */
			hi = addr + (uint32_t)len;
		}
	}
	u->safe_lo = lo;
	u->safe_hi = hi;
}

static int
write_head(struct pv_usart *u, enum write_mode mode, const uint8_t *f,
    size_t size, bool *ret_opcode, bool *ret_sent, struct pv_error *e)
{
	size_t first = mode == WRITE_WHOLE ? size : HEAD;
	int r;

	if (mode == WRITE_LOCKSTEP) {
		r = pv_us_command(u, PV_OP_WRITE, e);
		if (r != 0)
			return r;
		*ret_opcode = false;
		return pv_us_address(u, pv_get_u32be(f + 2), e);
	}
	u->n_sent = 0;
	u->merged = true;
	*ret_sent = mode == WRITE_WHOLE;
	r = pv_us_send(u, f, first, e);
	if (r == 0)
		r = pv_us_ack_ahead(u, "command 0x31", first - 2, T_ANSWER, e);
	if (r != 0)
		return r;
	*ret_opcode = false;
	return pv_us_ack_ahead(u, "the address", first - HEAD, T_ANSWER, e);
}

static int
write_once(struct pv_usart *u, uint32_t addr, const uint8_t *data, size_t len,
    bool *ret_opcode, bool *ret_sent, struct pv_error *e)
{
	uint8_t f[HEAD + 1 + PV_USART_BLOCK + 1];
	size_t size = HEAD + 1 + len + 1;
	enum write_mode mode;
	int r;

	*ret_opcode = true;
	*ret_sent = false;
	pv_us_head(f, PV_OP_WRITE, addr);
	f[HEAD] = (uint8_t)(len - 1U);
	memcpy(f + HEAD + 1, data, len);
	f[size - 1] = pv_us_xor(f + HEAD, 1 + len);
	mode = write_mode(u, addr, f, size);
	r = write_head(u, mode, f, size, ret_opcode, ret_sent, e);
	if (r == 0 && mode != WRITE_WHOLE) {
		*ret_sent = true;
		r = pv_us_send(u, f + HEAD, size - HEAD, e);
	}
	if (r == 0)
		r = pv_us_ack(u, "the data", write_timeout(u, len), e);
	if (r != 0)
		return r;
	if (mode == WRITE_WHOLE)
		u->counters.blocks_coalesced++;
	else if (mode == WRITE_MERGED)
		u->counters.blocks_merged++;
	else
		u->counters.blocks_lockstep++;
	if (mode != WRITE_WHOLE)
		note_range(u, addr, len);
	return 0;
}

/*
 * Read data has no checksum: what is not as wanted counts only when two reads
 * in a row say the same.
 */
static int
read_sure(struct pv_usart *u, uint32_t addr, uint8_t *data, const uint8_t *want,
    size_t len, struct pv_error *e)
{
	uint8_t before[PV_USART_BLOCK] = { 0 };
	unsigned i;
	int r;

	for (i = 0; i < ATTEMPTS; i++) {
		r = read_block(u, addr, data, len, e);
		if (r != 0 || memcmp(data, want, len) == 0)
			return r;
		if (i > 0 && memcmp(data, before, len) == 0)
			return 0;
		memcpy(before, data, len);
	}
	return 0;
}

/*
 * The frame was sent and its end is unknown: what does the block hold (R6)?
 * *ret_done: what was sent. *ret_damaged: neither that nor erased.
 */
static int
check_block(struct pv_usart *u, uint32_t addr, const uint8_t *data, size_t len,
    bool *ret_done, bool *ret_damaged, struct pv_error *e)
{
	uint8_t erased = u->chip != NULL ? u->chip->erased : 0xff;
	uint8_t now[PV_USART_BLOCK] = { 0 };
	size_t i;
	int r;

	r = read_sure(u, addr, now, data, len, e);
	pv_us_step_at(u, "write", addr);
	if (r != 0)
		return r;
	*ret_done = memcmp(now, data, len) == 0;
	*ret_damaged = false;
	if (*ret_done)
		return 0;
	if (u->chip != NULL && pv_chip_in_ram(u->chip, addr, len))
		return 0;
	for (i = 0; i < len; i++)
		if (now[i] != erased)
			*ret_damaged = true;
	return 0;
}

static int
check_frame(struct pv_usart *u, uint32_t addr, size_t len, struct pv_error *e)
{
	uint32_t unit = u->chip != NULL ? u->chip->write_unit : 0;
	int r;

	r = check_map(u, addr, len, false, e);
	if (r == 0)
		r = pv_us_need(u, PV_OP_WRITE, e);
	if (r != 0)
		return r;
	if (u->chip != NULL && pv_chip_in_ram(u->chip, addr, len))
		unit = 0;
	if (unit < 4)
		unit = 4; /* AN3155 3.6 */
	if (len > PV_USART_BLOCK || len % unit != 0 || addr % unit != 0)
		return pv_us_fail(u, PV_E_RANGE, e,
		    "%zu bytes are not whole write units of %" PRIu32 " bytes",
		    len, unit);
	return 0;
}

int
pv_usart_write(struct pv_usart *u, uint32_t addr, const void *data, size_t len,
    bool *ret_damaged, struct pv_error *e)
{
	bool opcode, sent, done = false, damaged = false;
	unsigned attempt;
	int r;

	pv_us_step_at(u, "write", addr);
	r = check_frame(u, addr, len, e);
	if (r != 0)
		return r;
	if (pv_progress_cancelled(u->progress))
		return pv_us_fail(u, PV_E_INTERRUPTED, e, "stopped");
	if (ret_damaged != NULL)
		*ret_damaged = false;
	for (attempt = 1;; attempt++) {
		r = write_once(u, addr, data, len, &opcode, &sent, e);
		if (r == 0)
			return 0;
		r = pv_us_recover(u, r, attempt, e);
		if (r == PV_E_NACK && opcode)
			return pv_us_protected(u, e);
		if (r != 0)
			return r;
		if (!sent)
			continue;
		r = check_block(u, addr, data, len, &done, &damaged, e);
		if (r != 0 || done)
			return r;
		if (!damaged)
			continue;
		if (ret_damaged == NULL)
			return pv_us_fail(u, PV_E_DEVICE, e,
			    "the block was damaged on the way and is neither "
			    "erased nor right");
		*ret_damaged = true;
		return 0;
	}
}

/* --- go -------------------------------------------------------------------- */

int
pv_usart_go(struct pv_usart *u, uint32_t addr, struct pv_error *e)
{
	unsigned attempt;
	bool opcode;
	int r;

	pv_us_step_at(u, "go", addr);
	r = check_map(u, addr, 8, false, e); /* stack pointer and entry */
	if (r == 0)
		r = pv_us_need(u, PV_OP_GO, e);
	if (r != 0)
		return r;
	for (attempt = 1;; attempt++) {
		opcode = true;
		r = pv_us_command(u, PV_OP_GO, e);
		if (r == 0) {
			opcode = false;
			r = pv_us_address(u, addr, e);
		}
		if (r == 0)
			return 0;
		/*
		 * No answer to the address: it may have jumped, and filler
		 * would go to the program. Only a refusal is tried again.
		 */
		if (!opcode && r != PV_E_NACK)
			return r;
		r = pv_us_recover(u, r, attempt, e);
		if (r == PV_E_NACK && opcode)
			return pv_us_protected(u, e);
		if (r != 0)
			return r;
	}
}
