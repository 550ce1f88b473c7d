/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Erase (0x43) and Extended Erase (0x44), whichever the device lists: AN3155
 * sections 3.7 and 3.8. The device acknowledges protected sectors too, so
 * that "erased" is known only after a blank check, which is the caller's.
 */
#include "boot/usart.h"

#include "base/buf.h"

#include <inttypes.h>
#include <string.h>

/*
 * Most pages in one frame: longer lists lose their first entries silently on
 * some devices (U12). For 0x43 the count byte 0xFF would mean "everything".
 */
#define PAGES_EXTENDED 512U
#define PAGES_SHORT    128U

static int
erase_op(struct pv_usart *u, enum pv_usart_op *ret_op, struct pv_error *e)
{
	if (pv_usart_has(u, PV_OP_EXTENDED_ERASE))
		*ret_op = PV_OP_EXTENDED_ERASE;
	else if (pv_usart_has(u, PV_OP_ERASE))
		*ret_op = PV_OP_ERASE;
	else
		return pv_us_fail(
		    u, PV_E_DEVICE, e, "the bootloader lists no erase command");
	return 0;
}

static int
pages_timeout(const struct pv_usart *u, size_t n)
{
	const struct pv_chip *c = u->chip;
	uint64_t ms = T_PAGE;

	if (c != NULL && c->times.sector_erase_max != 0)
		ms = c->times.sector_erase_max;
	ms = ms * n + T_MARGIN;
	return ms < T_ERASE_MAX ? (int)ms : T_ERASE_MAX;
}

int
pv_us_mass_ms(const struct pv_usart *u)
{
	const struct pv_chip *c = u->chip;
	uint64_t ms = T_MASS;

	if (c != NULL && c->times.mass_erase_max != 0)
		ms = (uint64_t)c->times.mass_erase_max + T_MARGIN;
	return ms < T_ERASE_MAX ? (int)ms : T_ERASE_MAX;
}

int
pv_usart_wipe_ms(const struct pv_usart *u)
{
	const struct pv_chip *c = u->chip;
	uint64_t n = 0, ms;
	size_t b, g;

	if (c == NULL || c->times.sector_erase_max == 0)
		return pv_us_mass_ms(u);
	for (b = 0; b < c->n_banks; b++)
		for (g = 0; g < c->banks[b].n_groups; g++)
			n += c->banks[b].groups[g].count;
	ms = n * c->times.sector_erase_max + T_MARGIN;
	return ms < T_ERASE_MAX ? (int)ms : T_ERASE_MAX;
}

/* Opcode, list frame, and the ACK that comes when the work is done. */
static int
erase_once(struct pv_usart *u, enum pv_usart_op op, const uint8_t *frame,
    size_t len, int timeout_ms, bool *ret_opcode, struct pv_error *e)
{
	int r;

	*ret_opcode = true;
	r = pv_us_command(u, op, e);
	if (r != 0)
		return r;
	*ret_opcode = false;
	r = pv_us_send(u, frame, len, e);
	if (r != 0)
		return r;
	return pv_us_ack(u, "the erase list", timeout_ms, e);
}

static int
erase_frame(struct pv_usart *u, enum pv_usart_op op, const uint8_t *frame,
    size_t len, int timeout_ms, struct pv_error *e)
{
	unsigned attempt;
	bool opcode;
	int r;

	for (attempt = 1;; attempt++) {
		r = erase_once(u, op, frame, len, timeout_ms, &opcode, e);
		if (r == 0)
			return 0;
		u->accepted = false;
		r = pv_us_recover(u, r, attempt, e);
		if (r == PV_E_NACK && opcode)
			return pv_us_protected(u, e);
		if (r != 0)
			return r;
		/*
		 * Erasing twice is harmless. But if the device acknowledged a
		 * list that was completed by filler, that list was damaged and
		 * other sectors may be gone.
		 */
		if (u->accepted) {
			(void)pv_us_fail(u, PV_E_DEVICE, e,
			    "the device accepted a damaged erase list: other "
			    "sectors may be erased");
			return pv_hint(e,
			    "check the cable, then program the whole chip "
			    "again");
		}
	}
}

static int
erase_pages(struct pv_usart *u, enum pv_usart_op op, const uint32_t *sectors,
    size_t n, struct pv_error *e)
{
	uint8_t f[2 + 2 * PAGES_EXTENDED + 1];
	struct pv_writer w;
	size_t i;

	pv_wr_init(&w, f, sizeof(f));
	if (op == PV_OP_EXTENDED_ERASE) {
		pv_wr_u16be(&w, (uint16_t)(n - 1));
		for (i = 0; i < n; i++)
			pv_wr_u16be(&w, (uint16_t)sectors[i]);
	} else {
		pv_wr_u8(&w, (uint8_t)(n - 1));
		for (i = 0; i < n; i++)
			pv_wr_u8(&w, (uint8_t)sectors[i]);
	}
	pv_wr_u8(&w, pv_us_xor(f, w.len));
	if (!pv_wr_ok(&w))
		return pv_us_fail(u, PV_E_INTERNAL, e, "erase list too long");
	return erase_frame(u, op, f, w.len, pages_timeout(u, n), e);
}

int
pv_usart_erase(
    struct pv_usart *u, const uint32_t *sectors, size_t n, struct pv_error *e)
{
	enum pv_usart_op op = PV_OP_ERASE;
	uint32_t last, total;
	size_t i, at, k, most;
	int r;

	pv_us_step(u, "erase");
	r = erase_op(u, &op, e);
	if (r != 0)
		return r;
	/* 0xFFF0 and up are reserved codes, AN3155 3.8. */
	last = op == PV_OP_ERASE ? 0xffU : 0xffefU;
	total = u->chip != NULL ? pv_chip_sectors(u->chip) : 0;
	if (total != 0 && total - 1U < last)
		last = total - 1U;
	for (i = 0; i < n; i++)
		if (sectors[i] > last)
			return pv_us_fail(u, PV_E_RANGE, e,
			    "sector %" PRIu32 " is beyond the last, %" PRIu32,
			    sectors[i], last);
	most = op == PV_OP_ERASE ? PAGES_SHORT : PAGES_EXTENDED;
	if (total != 0 && total < most)
		most = total;
	for (at = 0; at < n; at += k) {
		if (pv_progress_cancelled(u->progress))
			return pv_us_fail(u, PV_E_INTERRUPTED, e, "stopped");
		k = n - at < most ? n - at : most;
		r = erase_pages(u, op, sectors + at, k, e);
		if (r != 0)
			return r;
	}
	return 0;
}

int
pv_usart_erase_all(struct pv_usart *u, struct pv_error *e)
{
	/* AN3155 3.7 and 3.8; anything else after FF erases nothing (U13). */
	static const uint8_t all_short[] = { 0xff, 0x00 };
	static const uint8_t all_extended[] = { 0xff, 0xff, 0x00 };
	enum pv_usart_op op = PV_OP_ERASE;
	int r;

	pv_us_step(u, "erase");
	r = erase_op(u, &op, e);
	if (r != 0)
		return r;
	if (op == PV_OP_ERASE)
		return erase_frame(
		    u, op, all_short, sizeof(all_short), pv_us_mass_ms(u), e);
	return erase_frame(
	    u, op, all_extended, sizeof(all_extended), pv_us_mass_ms(u), e);
}
