/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, writing, erasing.
 *
 * The address of a block is pointer + (block - 2) * size, where "size" is
 * what the host asked for in that transfer (AN3156 sections 4.1, 5.1), not
 * what the descriptor says. So the pointer is set once for a run of full
 * blocks, and a shorter block gets a pointer of its own and is block 2.
 */
#include "boot/dfu.h"

#include "base/buf.h"

#include <string.h>

#define MIN_BLOCK 2U /* AN3156 sections 4.1, 5.1: 2..2048 bytes */

/* --- times ----------------------------------------------------------------- */

int
pv_df_mass_deadline(const struct pv_dfu *d)
{
	if (d->chip != NULL && d->chip->times.mass_erase_max > 0)
		return (int)d->chip->times.mass_erase_max + T_MARGIN;
	return T_MASS + T_MARGIN;
}

static struct dfu_op
erase_op(const struct pv_dfu *d)
{
	struct dfu_op op = { .step = "erase", .erase = true };

	op.deadline_ms = T_PAGE + T_MARGIN;
	if (d->chip != NULL && d->chip->times.sector_erase_max > 0)
		op.deadline_ms =
		    (int)d->chip->times.sector_erase_max + T_MARGIN;
	if (d->chip != NULL)
		op.typical_ms = (int)d->chip->times.sector_erase_typ;
	return op;
}

static struct dfu_op
write_op(const struct pv_dfu *d, size_t len)
{
	struct dfu_op op = { .step = "write",
		.deadline_ms = T_WRITE + T_MARGIN };
	const struct pv_chip *c = d->chip;
	uint64_t units;

	if (c == NULL || c->write_unit == 0)
		return op;
	units = (len + c->write_unit - 1) / c->write_unit;
	if (c->times.write_unit_max_us > 0)
		op.deadline_ms =
		    (int)(units * c->times.write_unit_max_us / 1000) + T_MARGIN;
	op.typical_ms = (int)(units * c->times.write_unit_typ_us / 1000);
	return op;
}

/* --- the pointer -------------------------------------------------------------- */

int
pv_df_pointer(struct pv_dfu *d, uint32_t addr, struct pv_error *e)
{
	struct dfu_op op = { .step = "set pointer", .deadline_ms = T_POINTER };
	uint8_t cmd[5] = { PV_DFU_SET_POINTER };
	int rc;

	/* DNLOAD is refused in dfuUPLOAD-IDLE, UPLOAD in dfuDNLOAD-IDLE. */
	if (d->mode == MODE_READ && (rc = pv_df_abort(d, e)) != 0)
		return pv_df_wrap(d, e);
	d->mode = MODE_OTHER;
	pv_put_u32le(cmd + 1, addr);
	return pv_df_run(d, 0, cmd, sizeof(cmd), &op, e);
}

static bool
continues(const struct pv_dfu *d, enum dfu_mode mode, uint32_t addr, size_t len)
{
	return d->mode == mode && d->next_addr == addr &&
	       len == d->info.block && d->next_block <= LAST_BLOCK;
}

/* The pointer for a block at addr, unless the block continues a run. */
static int
seek(struct pv_dfu *d, enum dfu_mode mode, uint32_t addr, size_t len,
    struct pv_error *e)
{
	int rc;

	if (continues(d, mode, addr, len))
		return 0;
	if ((rc = pv_df_pointer(d, addr, e)) != 0)
		return rc;
	if (mode == MODE_READ && (rc = pv_df_abort(d, e)) != 0)
		return pv_df_wrap(d, e);
	d->mode = mode;
	d->next_addr = addr;
	d->next_block = FIRST_BLOCK;
	return 0;
}

/* The block went through. */
static void
advance(struct pv_dfu *d, size_t len)
{
	d->next_block++;
	d->next_addr += (uint32_t)len;
	/* After a short block the device's counter fits no address of ours. */
	if (len != d->info.block)
		d->next_block = LAST_BLOCK + 1;
}

/* --- read ------------------------------------------------------------------------ */

static int
read_once(struct pv_dfu *d, uint32_t addr, uint8_t *data, uint16_t len,
    struct pv_error *e)
{
	struct dfu_status s;
	uint16_t n = 0;
	int rc;

	if ((rc = seek(d, MODE_READ, addr, len, e)) != 0)
		return rc;
	rc = pv_df_upload(d, d->next_block, data, len, &n, e);
	if (rc == PV_E_NACK && pv_df_getstatus(d, &s, T_REQUEST, NULL) == 0 &&
	    s.status != DFU_OK)
		return pv_df_refused(d, &s, e);
	if (rc != 0)
		return pv_df_wrap(d, e);
	if (n != len)
		return pv_df_fail(d, PV_E_DEVICE, e,
		    "the device sent %u of %u bytes", (unsigned int)n,
		    (unsigned int)len);
	advance(d, len);
	return 0;
}

static int
read_block(struct pv_dfu *d, uint32_t addr, uint8_t *data, uint16_t len,
    struct pv_error *e)
{
	int rc;

	for (unsigned int attempt = 1;; attempt++) {
		if (pv_progress_cancelled(d->progress))
			return pv_df_fail(
			    d, PV_E_INTERRUPTED, e, "interrupted");
		pv_df_step_at(d, "read", addr);
		if ((rc = read_once(d, addr, data, len, e)) == 0)
			return 0;
		if ((rc = pv_df_again(d, rc, attempt, e)) != 0)
			return rc;
	}
}

/* One byte: a block has at least two, so its neighbor comes along. */
static int
read_byte(struct pv_dfu *d, uint32_t addr, uint8_t *data, struct pv_error *e)
{
	const struct pv_dfu_map *map = &d->info.memories[d->alt].map;
	uint8_t two[MIN_BLOCK];
	uint32_t back = 0;
	int rc;

	if (!pv_dfu_map_has(map, addr, MIN_BLOCK, PV_DFU_READ))
		back = 1;
	rc = read_block(d, addr - back, two, MIN_BLOCK, e);
	if (rc == 0)
		*data = two[back];
	return rc;
}

int
pv_dfu_read(
    struct pv_dfu *d, uint32_t addr, void *data, size_t len, struct pv_error *e)
{
	uint8_t *p = data;
	int rc;

	if (len == 0)
		return 0;
	pv_df_step_at(d, "read", addr);
	if ((rc = pv_df_select(d, addr, len, PV_DFU_READ, e)) != 0)
		return rc;
	while (len > 0) {
		size_t n = len < d->info.block ? len : d->info.block;

		if (n < MIN_BLOCK)
			rc = read_byte(d, addr, p, e);
		else
			rc = read_block(d, addr, p, (uint16_t)n, e);
		if (rc != 0)
			return rc;
		p += n;
		addr += (uint32_t)n;
		len -= n;
	}
	return 0;
}

int
pv_dfu_probe_protection(
    struct pv_dfu *d, uint32_t addr, bool *ret_protected, struct pv_error *e)
{
	struct pv_error first = { 0 };
	uint8_t b[4];
	int rc;

	rc = pv_dfu_read(d, addr, b, sizeof(b), &first);
	if (rc != 0 && rc != PV_E_PROTECTED) {
		if (e != NULL)
			*e = first;
		return rc;
	}
	*ret_protected = rc == PV_E_PROTECTED;
	return 0;
}

/* --- write ------------------------------------------------------------------------ */

static int
write_once(struct pv_dfu *d, uint32_t addr, const uint8_t *data, uint16_t len,
    bool *ret_sent, struct pv_error *e)
{
	struct dfu_op op = write_op(d, len);
	int rc;

	if ((rc = seek(d, MODE_WRITE, addr, len, e)) != 0)
		return rc;
	*ret_sent = true;
	if ((rc = pv_df_run(d, d->next_block, data, len, &op, e)) != 0)
		return rc;
	advance(d, len);
	return 0;
}

static bool
is_erased(const struct pv_dfu *d, const uint8_t *data, size_t len)
{
	uint8_t erased = d->chip != NULL ? d->chip->erased : 0xff;

	for (size_t i = 0; i < len; i++)
		if (data[i] != erased)
			return false;
	return true;
}

enum found {
	FOUND_SAME,
	FOUND_ERASED,
	FOUND_OTHER,
};

/* What became of a block whose fate is not known. */
static int
look(struct pv_dfu *d, uint32_t addr, const uint8_t *data, uint16_t len,
    enum found *ret_found, struct pv_error *e)
{
	uint8_t got[PV_DFU_BLOCK] = { 0 };
	int rc;

	if ((rc = read_block(d, addr, got, len, e)) != 0)
		return rc;
	if (memcmp(got, data, len) == 0)
		*ret_found = FOUND_SAME;
	else
		*ret_found =
		    is_erased(d, got, len) ? FOUND_ERASED : FOUND_OTHER;
	pv_df_step_at(d, "write", addr);
	return 0;
}

int
pv_dfu_write(struct pv_dfu *d, uint32_t addr, const void *data, size_t len,
    bool *ret_damaged, struct pv_error *e)
{
	uint32_t unit = d->chip != NULL ? d->chip->write_unit : MIN_BLOCK;
	enum found found = FOUND_OTHER;
	int rc;

	pv_df_step_at(d, "write", addr);
	if (len < MIN_BLOCK || len > d->info.block || unit == 0 ||
	    addr % unit != 0 || len % unit != 0)
		return pv_df_fail(d, PV_E_RANGE, e,
		    "%zu bytes; a block has 2 to %u and is a multiple of %u",
		    len, (unsigned int)d->info.block, unit);
	if ((rc = pv_df_select(d, addr, len, PV_DFU_WRITE, e)) != 0)
		return rc;
	for (unsigned int attempt = 1;; attempt++) {
		bool sent = false;

		rc = write_once(d, addr, data, (uint16_t)len, &sent, e);
		if (rc == 0)
			return 0;
		if ((rc = pv_df_again(d, rc, attempt, e)) != 0)
			return rc;
		if (!sent)
			continue;
		rc = look(d, addr, data, (uint16_t)len, &found, e);
		if (rc != 0 || found == FOUND_SAME)
			return rc;
		if (found == FOUND_ERASED)
			continue;
		if (ret_damaged != NULL) {
			*ret_damaged = true;
			return 0;
		}
		return pv_df_fail(d, PV_E_DEVICE, e,
		    "the block was lost half-way; its sector must be erased "
		    "first");
	}
}

/* --- erase ------------------------------------------------------------------------- */

static int
erase(struct pv_dfu *d, const uint8_t *cmd, uint16_t len,
    const struct dfu_op *op, struct pv_error *e)
{
	int rc;

	for (unsigned int attempt = 1;; attempt++) {
		if (d->mode == MODE_READ && (rc = pv_df_abort(d, e)) != 0)
			return pv_df_wrap(d, e);
		d->mode = MODE_OTHER;
		if ((rc = pv_df_run(d, 0, cmd, len, op, e)) == 0)
			return 0;
		if ((rc = pv_df_again(d, rc, attempt, e)) != 0)
			return rc;
	}
}

int
pv_dfu_erase(struct pv_dfu *d, uint32_t addr, struct pv_error *e)
{
	struct dfu_op op = erase_op(d);
	uint8_t cmd[5] = { PV_DFU_ERASE_PAGE };
	int rc;

	pv_df_step_at(d, "erase", addr);
	if ((rc = pv_df_select(d, addr, 1, PV_DFU_ERASE, e)) != 0)
		return rc;
	pv_put_u32le(cmd + 1, addr);
	return erase(d, cmd, sizeof(cmd), &op, e);
}

int
pv_dfu_erase_all(struct pv_dfu *d, struct pv_error *e)
{
	struct dfu_op op = { .step = "erase", .erase = true };
	uint8_t cmd = PV_DFU_ERASE_PAGE; /* without an address: all */
	int rc;

	pv_df_step(d, "mass erase");
	if ((rc = pv_df_select_flash(d, e)) != 0)
		return rc;
	op.deadline_ms = pv_df_mass_deadline(d);
	if (d->chip != NULL)
		op.typical_ms = (int)d->chip->times.mass_erase_typ;
	return erase(d, &cmd, 1, &op, e);
}
