/* SPDX-License-Identifier: Apache-2.0 */
/* Beginning a session, what the device says of itself, and its memories. */
#include "boot/dfu.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf16.h"

#include <stdlib.h>
#include <string.h>

#define BCD_DFUSE      0x011aU
#define TYPE_STANDARD  0x80U
#define GET_DESCRIPTOR 6U
#define DESC_STRING    3U
#define LANG_US	       0x0409U
#define FUNCTIONAL_LEN 9U
#define COMMAND_LEN    5U /* the longest command: a byte and an address */
/* Largest write unit of any part, where it is not known. */
#define UNIT_UNKNOWN   32U

bool
pv_df_quirk(const struct pv_dfu *d, const char *name)
{
	for (size_t i = 0; d->chip != NULL && i < d->chip->n_dfu_quirks; i++)
		if (strcmp(d->chip->dfu_quirks[i], name) == 0)
			return true;
	return false;
}

/*
 * The functional descriptor, from the configuration descriptor: some parts
 * never answer for it alone. Never more than it says is sent in one transfer,
 * never more than a ROM takes, and never more than the chip data allow.
 */
int
pv_df_describe(const struct pv_usb *usb, const struct pv_chip *chip,
    struct pv_dfu_info *info, struct pv_error *e)
{
	struct pv_reader r;
	uint8_t attributes;
	uint16_t bcd, block;

	if (usb->functional_len < FUNCTIONAL_LEN)
		return pv_fail(e, PV_E_DEVICE,
		    "%s has no DFU functional descriptor", usb->port);
	pv_rd_init(&r, usb->functional, FUNCTIONAL_LEN);
	pv_rd_skip(&r, 2); /* length, type */
	attributes = pv_rd_u8(&r);
	pv_rd_skip(&r, 2); /* detach time-out */
	info->transfer_size = pv_rd_u16le(&r);
	bcd = pv_rd_u16le(&r);
	if (bcd != BCD_DFUSE)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%s speaks DFU 0x%04x; an STM32 bootloader speaks DfuSe "
		    "(0x%04x)",
		    usb->port, (unsigned int)bcd, BCD_DFUSE);
	if (info->transfer_size < COMMAND_LEN)
		return pv_fail(e, PV_E_DEVICE,
		    "%s claims a transfer size of %u bytes", usb->port,
		    (unsigned int)info->transfer_size);
	if ((attributes & 3U) != 3U)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%s cannot both download and upload (attributes 0x%02x)",
		    usb->port, (unsigned int)attributes);
	block = info->transfer_size;
	if (block > PV_DFU_BLOCK)
		block = PV_DFU_BLOCK;
	if (chip != NULL && chip->dfu_transfer_size >= 2 &&
	    chip->dfu_transfer_size < block)
		block = (uint16_t)chip->dfu_transfer_size;
	/* Whole write units of every part, where there is room for one. */
	if (block >= UNIT_UNKNOWN)
		block = (uint16_t)(block - block % UNIT_UNKNOWN);
	info->block = block;
	info->vendor = usb->vendor;
	info->product = usb->product;
	info->device = usb->device;
	info->version = (uint8_t)(usb->device >> 8);
	memcpy(info->port, usb->port, sizeof(info->port));
	pv_mask(info->serial, sizeof(info->serial), usb->serial);
	info->n_memories = usb->n_alts;
	for (size_t i = 0; i < usb->n_alts; i++)
		info->memories[i].alternate = usb->alts[i].number;
	return 0;
}

int
pv_dfu_open(struct pv_usb *usb, const struct pv_dfu_options *opt,
    struct pv_dfu **ret_d, struct pv_error *e)
{
	struct pv_dfu *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	d->usb = usb;
	d->progress = opt->progress;
	d->chip = opt->chip;
	d->force = opt->force;
	d->alt = PV_USB_ALTS;
	pv_df_step(d, "connect");
	pv_progress_step(d->progress, "connect");
	rc = pv_df_describe(usb, d->chip, &d->info, e);
	if (rc == 0)
		rc = pv_df_idle(d, e);
	if (rc != 0) {
		free(d);
		return rc;
	}
	*ret_d = d;
	return 0;
}

void
pv_dfu_free(struct pv_dfu *d)
{
	free(d);
}

uint32_t
pv_dfu_block(const struct pv_dfu *d)
{
	return d->info.block;
}

unsigned int
pv_dfu_retries(const struct pv_dfu *d)
{
	return d->retries;
}

uint64_t
pv_dfu_transfers(const struct pv_dfu *d)
{
	return d->transfers;
}

void
pv_dfu_count_retry(
    struct pv_dfu *d, const char *step, uint64_t address, const char *text)
{
	d->retries++;
	pv_progress_retry(d->progress, step, address, text);
}

/* --- memory maps --------------------------------------------------------------- */

int
pv_df_string(
    struct pv_dfu *d, uint8_t index, char dst[PV_USB_TEXT], struct pv_error *e)
{
	struct pv_usb_setup s = { .type = TYPE_STANDARD,
		.request = GET_DESCRIPTOR,
		.value = (uint16_t)(DESC_STRING << 8 | index),
		.index = LANG_US,
		.length = 255 };
	uint8_t raw[255] = { 0 };
	uint16_t n = 0;
	int rc = 0;

	dst[0] = '\0';
	if (index == 0)
		return 0;
	for (unsigned int attempt = 0; attempt < ATTEMPTS; attempt++) {
		d->transfers++;
		rc = d->usb->control(
		    d->usb->ctx, &s, raw, &n, pv_now_ms() + T_REQUEST, e);
		if (rc == 0 && (n < 2 || raw[0] != n || raw[1] != DESC_STRING))
			rc = pv_fail(e, PV_E_DEVICE, "a string of %u bytes",
			    (unsigned int)n);
		if (rc == 0 || rc == PV_E_LINK)
			break;
		d->retries++;
	}
	if (rc == 0)
		pv_utf16le_text(dst, PV_USB_TEXT, raw + 2, (size_t)n - 2);
	return rc;
}

static int
read_text(struct pv_dfu *d, size_t i, struct pv_error *e)
{
	struct pv_dfu_memory *m = &d->info.memories[i];
	int rc = pv_df_string(d, d->usb->alts[i].name, m->text, e);

	if (rc != 0)
		return pv_wrap(e, "asking for the name of memory %u",
		    (unsigned int)m->alternate);
	return 0;
}

/* The flash of the chip description as a map. */
static bool
map_of_chip(const struct pv_chip *c, struct pv_dfu_map *map)
{
	memset(map, 0, sizeof(*map));
	memcpy(map->name, "Internal Flash", sizeof("Internal Flash"));
	for (size_t b = 0; b < c->n_banks; b++) {
		uint64_t at = c->banks[b].base;

		for (size_t g = 0; g < c->banks[b].n_groups; g++) {
			const struct pv_sector_group *s =
			    &c->banks[b].groups[g];

			if (map->n == PV_DFU_MAP_SEGMENTS)
				return false;
			map->segments[map->n++] = (struct pv_dfu_segment){
				.base = at,
				.size = s->size,
				.count = s->count,
				.access =
				    PV_DFU_READ | PV_DFU_ERASE | PV_DFU_WRITE,
			};
			at += (uint64_t)s->count * s->size;
		}
	}
	return map->n > 0;
}

int
pv_df_map(struct pv_dfu *d, size_t i, struct pv_error *e)
{
	struct pv_dfu_memory *m = &d->info.memories[i];
	struct pv_error bad = { 0 };
	int rc;

	if (d->maps_known[i])
		return 0;
	if ((rc = read_text(d, i, e)) != 0)
		return rc;
	rc = pv_dfu_map_parse(m->text, &m->map, &bad);
	m->usable = rc == 0;
	/* A clone whose map is wrong, or one that the user vouches for. */
	if (i == 0 && d->chip != NULL && d->chip->n_banks > 0 &&
	    (pv_df_quirk(d, "gd32") || (rc != 0 && d->force)))
		m->usable = map_of_chip(d->chip, &m->map);
	if (!m->usable && !d->force) {
		/* Bad input of the device's, not of the user's. */
		rc = pv_fail(e, PV_E_DEVICE, "memory %u of the device: %s",
		    (unsigned int)m->alternate, bad.msg);
		(void)pv_hint(e,
		    "--force with --chip goes on with the layout of the chip "
		    "description");
		return rc;
	}
	d->maps_known[i] = true;
	return 0;
}

static int
use(struct pv_dfu *d, size_t i, struct pv_error *e)
{
	int rc;

	if (d->alt == i)
		return 0;
	/* The state machine is one for all memories: leave it idle. */
	if (d->mode != MODE_OTHER && (rc = pv_df_idle(d, e)) != 0)
		return rc;
	rc = d->usb->alternate(d->usb->ctx, d->info.memories[i].alternate, e);
	if (rc != 0)
		return pv_df_wrap(d, e);
	d->alt = i;
	d->mode = MODE_OTHER;
	return 0;
}

int
pv_df_select(struct pv_dfu *d, uint32_t addr, size_t len, unsigned int access,
    struct pv_error *e)
{
	const char *what = access == PV_DFU_READ    ? "be read"
			   : access == PV_DFU_ERASE ? "be erased"
						    : "be written";
	int rc;

	if (d->alt < d->info.n_memories &&
	    pv_dfu_map_has(&d->info.memories[d->alt].map, addr, len, access))
		return 0;
	for (size_t i = 0; i < d->info.n_memories; i++) {
		const struct pv_dfu_memory *m = &d->info.memories[i];

		if ((rc = pv_df_map(d, i, e)) != 0)
			return rc;
		if (m->usable && pv_dfu_map_has(&m->map, addr, len, access))
			return use(d, i, e);
	}
	return pv_df_fail(d, PV_E_RANGE, e,
	    "0x%08x..0x%08llx cannot %s by the device's memory map", addr,
	    (unsigned long long)addr + len - 1, what);
}

/* --- what it says ------------------------------------------------------------------- */

/* The list of commands: UPLOAD of block 0, AN3156 section 4.2. */
static void
ask_commands(struct pv_dfu *d)
{
	struct pv_dfu_info *info = &d->info;
	uint16_t n = 0, want = sizeof(info->commands);

	if (want > info->block)
		want = info->block;
	if (d->mode != MODE_OTHER && pv_df_idle(d, NULL) != 0)
		return;
	if (pv_df_upload(d, 0, info->commands, want, &n, NULL) != 0)
		n = 0;
	info->n_commands = n;
	/* A short answer may leave dfuUPLOAD-IDLE or dfuIDLE. */
	(void)pv_df_idle(d, NULL);
}

int
pv_dfu_info(
    struct pv_dfu *d, const struct pv_dfu_info **ret_info, struct pv_error *e)
{
	int rc;

	pv_df_step(d, "info");
	for (size_t i = 0; i < d->info.n_memories; i++)
		if ((rc = pv_df_map(d, i, e)) != 0)
			return rc;
	if (d->info.n_commands == 0)
		ask_commands(d);
	*ret_info = &d->info;
	return 0;
}

/* The memory that is flash: erasable, and best one with that name. */
static bool
flash_memory(const struct pv_dfu *d, size_t *ret_i)
{
	bool found = false;

	for (size_t i = 0; i < d->info.n_memories; i++) {
		const struct pv_dfu_memory *m = &d->info.memories[i];

		if (!m->usable || m->map.n == 0 ||
		    (m->map.segments[0].access & PV_DFU_ERASE) == 0)
			continue;
		if (strncmp(m->map.name, "Internal Flash", 14) == 0) {
			*ret_i = i;
			return true;
		}
		if (!found)
			*ret_i = i;
		found = true;
	}
	return found;
}

int
pv_df_select_flash(struct pv_dfu *d, struct pv_error *e)
{
	size_t i = 0;
	int rc;

	for (size_t k = 0; k < d->info.n_memories; k++) {
		if ((rc = pv_df_map(d, k, e)) != 0)
			return rc;
		if (flash_memory(d, &i))
			return use(d, i, e);
	}
	return pv_df_fail(
	    d, PV_E_UNSUPPORTED, e, "the device shows no flash to erase");
}

/* One run of sectors into the banks of the description. */
static bool
add_group(struct pv_chip *c, const struct pv_dfu_segment *s)
{
	struct pv_flash_bank *b =
	    c->n_banks > 0 ? &c->banks[c->n_banks - 1] : NULL;

	if (s->base > UINT32_MAX || s->size > UINT32_MAX ||
	    s->count * s->size > UINT32_MAX)
		return false;
	if (b == NULL || (uint64_t)b->base + b->size != s->base ||
	    b->n_groups == PV_CHIP_GROUPS) {
		if (c->n_banks == PV_CHIP_BANKS)
			return false;
		b = &c->banks[c->n_banks++];
		memset(b, 0, sizeof(*b));
		b->base = (uint32_t)s->base;
	}
	b->groups[b->n_groups++] = (struct pv_sector_group){ .count = s->count,
		.size = (uint32_t)s->size };
	b->size += (uint32_t)(s->count * s->size);
	return true;
}

int
pv_dfu_chip(struct pv_dfu *d, struct pv_chip *ret_chip, struct pv_error *e)
{
	struct pv_chip c = { .write_unit = UNIT_UNKNOWN, .erased = 0xff };
	size_t i = 0;
	int rc;

	pv_df_step(d, "info");
	if ((rc = pv_df_select_flash(d, e)) != 0)
		return rc;
	(void)flash_memory(d, &i);
	if (d->chip != NULL) {
		c = *d->chip;
	} else {
		memcpy(c.name, "unknown", sizeof("unknown"));
		memcpy(c.family, "unknown", sizeof("unknown"));
		memcpy(c.title, "chip", sizeof("chip"));
		c.ecc = true; /* until we know better: no unit twice */
	}
	c.n_banks = 0;
	for (size_t k = 0; k < d->info.memories[i].map.n; k++)
		if (!add_group(&c, &d->info.memories[i].map.segments[k]))
			return pv_df_fail(d, PV_E_UNSUPPORTED, e,
			    "a flash of more than %u banks or 32-bit "
			    "addresses: %s",
			    PV_CHIP_BANKS, d->info.memories[i].text);
	*ret_chip = c;
	return 0;
}
