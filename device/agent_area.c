/* SPDX-License-Identifier: Apache-2.0 */
/* What the areas of a package hold, by their letters; secure-install.md. */
#include "device/agent_flash.h"

#include "base/buf.h"
#include "device/license.h"
#include "device/sfi_parse.h"

#include <string.h>

#define MODULE_HEADER 48U /* formats/sfi.md, "Module file" */
#define EXTERNAL_HEAD 12U /* region, mode, key address */
#define KEY_PAIR      8U
#define MARK_MAX      32U /* bytes of a P or R area */

/* Bytes at the start of an area that are not for memory. */
static uint32_t
head_of(const struct pv_agent *a)
{
	switch (a->area_type) {
	case 'F':
		return 0;
	case 'M':
		return MODULE_HEADER;
	case 'E':
		return EXTERNAL_HEAD;
	default:
		return a->area_size;
	}
}

/* --- may it come? ------------------------------------------------------------- */

static uint16_t
check_options(const struct pv_agent *a, const struct pv_dev_sfi_area *area)
{
	if (a->config->option_bytes == 0)
		return PV_SI_E_AREA_TYPE;
	if (area->index != area->total)
		return PV_SI_E_AREA_ORDER;
	if (area->address != 0)
		return PV_SI_E_AREA_RANGE;
	if (area->size != a->config->option_bytes ||
	    area->size > sizeof a->options)
		return PV_SI_E_AREA_SIZE;
	return PV_SI_OK;
}

static uint16_t
check_module(const struct pv_agent *a, const struct pv_dev_sfi_area *area)
{
	if (a->store->module_keep == NULL || a->store->modules_forget == NULL)
		return PV_SI_E_AREA_MODULE;
	if (area->size <= MODULE_HEADER)
		return PV_SI_E_AREA_SIZE;
	return pv_agent_place_check(
	    a, 'M', area->address, area->size - MODULE_HEADER);
}

static uint16_t
check_external(const struct pv_agent *a, const struct pv_dev_sfi_area *area)
{
	if (a->config->external == NULL)
		return PV_SI_E_AREA_TYPE;
	if (area->size <= EXTERNAL_HEAD)
		return PV_SI_E_AREA_SIZE;
	return pv_agent_place_check(
	    a, 'E', area->address, area->size - EXTERNAL_HEAD);
}

static uint16_t
check_keys(const struct pv_agent *a, const struct pv_dev_sfi_area *area)
{
	if (a->crypto->random == NULL)
		return PV_SI_E_AREA_TYPE;
	if (area->size == 0 || area->size % KEY_PAIR != 0 ||
	    area->size > sizeof a->collect)
		return PV_SI_E_AREA_SIZE;
	return PV_SI_OK;
}

/* P and R: the token is in flash, though this agent does not use it. */
static uint16_t
check_mark(const struct pv_agent *a, const struct pv_dev_sfi_area *area)
{
	if (area->size > MARK_MAX)
		return PV_SI_E_AREA_SIZE;
	/* Something must follow a pause, and come before a resumption. */
	if (area->type == 'P' ? area->index == area->total : area->index < 2)
		return PV_SI_E_AREA_ORDER;
	return pv_agent_place_check(a, area->type, area->address, MARK_MAX);
}

uint16_t
pv_agent_area_check(
    const struct pv_agent *a, const struct pv_dev_sfi_area *area)
{
	switch (area->type) {
	case 'F':
		return pv_agent_place_check(a, 'F', area->address, area->size);
	case 'C':
		return check_options(a, area);
	case 'M':
		return check_module(a, area);
	case 'E':
		return check_external(a, area);
	case 'K':
		return check_keys(a, area);
	case 'P':
	case 'R':
		return check_mark(a, area);
	default:
		return PV_SI_E_AREA_TYPE;
	}
}

/* --- begin ---------------------------------------------------------------------- */

uint16_t
pv_agent_area_begin(struct pv_agent *a, const struct pv_dev_sfi_area *area)
{
	/* R and nothing else follows a pause, and only there. */
	if (a->paused != (area->type == 'R'))
		return PV_SI_E_AREA_ORDER;
	if (area->type == 'R' && area->address != a->token)
		return PV_SI_E_AREA_RANGE;
	if (area->type == 'P')
		a->token = area->address;
	a->area_type = area->type;
	a->area_size = area->size;
	a->received = 0;
	a->collected = 0;
	a->last_len = 0;
	if (area->type != 'F' && area->type != 'M' && area->type != 'E')
		return PV_SI_OK;
	return pv_agent_place_open(
	    a, area->type, area->address, area->size - head_of(a));
}

/* --- data ------------------------------------------------------------------------ */

/* Where the module says it goes is where the package puts it. */
static uint16_t
begin_module(const struct pv_agent *a)
{
	static const uint8_t magic[8] = { 'S', 'M', 'I', 'M', 'A', 'G', 'I',
		'C' };
	const uint8_t *h = a->collect;

	if (memcmp(h, magic, sizeof magic) != 0 ||
	    pv_get_u32le(h + 8) != pv_get_u32le(a->area_header + 8) ||
	    pv_get_u32le(h + 12) != a->area_size - MODULE_HEADER)
		return PV_SI_E_MODULE_FORMAT;
	return PV_SI_OK;
}

/* The region must exist, and this package have put its key there. */
static uint16_t
begin_external(struct pv_agent *a)
{
	const struct pv_dev_external *x = a->config->external;

	a->region = pv_get_u32le(a->collect);
	a->mode = pv_get_u32le(a->collect + 4);
	if (!pv_agent_key_read(a, pv_get_u32le(a->collect + 8), a->region_key))
		return PV_SI_E_AREA_KEY;
	if (x->seal(x->ctx, a->region, a->mode, a->region_key,
		a->data_addr & ~15U, a->block, 0) != 0)
		return PV_SI_E_AREA_MODE;
	return PV_SI_OK;
}

uint16_t
pv_agent_area_put(struct pv_agent *a, const uint8_t *data, size_t len)
{
	uint32_t head = head_of(a), n = head - a->collected;
	uint16_t r = PV_SI_OK;

	if (n > 0) {
		if (n > len)
			n = (uint32_t)len;
		if (n > sizeof a->collect - a->collected)
			return PV_SI_E_AREA_SIZE;
		memcpy(a->collect + a->collected, data, n);
		a->collected += n;
		data += n;
		len -= n;
		if (a->collected == head && a->area_type == 'M')
			r = begin_module(a);
		else if (a->collected == head && a->area_type == 'E')
			r = begin_external(a);
	}
	return r == PV_SI_OK && len > 0 ? pv_agent_place_put(a, data, len) : r;
}

/* --- end ------------------------------------------------------------------------- */

/* Refused now, while the old content can still be lost. */
static uint16_t
end_options(struct pv_agent *a)
{
	const struct pv_agent_store *s = a->store;

	if (s->options_check(s->ctx, a->collect, a->area_size) != 0)
		return PV_SI_E_OPTIONS;
	memcpy(a->options, a->collect, a->area_size);
	a->options_len = a->area_size;
	return PV_SI_OK;
}

/* Keys that nobody but the part will know. */
static uint16_t
fill_key(struct pv_agent *a, uint32_t addr, uint32_t size)
{
	const struct pv_agent_crypto *c = a->crypto;
	uint16_t r = pv_agent_place_check(a, 'K', addr, size);

	if (r == PV_SI_OK)
		r = pv_agent_place_open(a, 'K', addr, size);
	while (r == PV_SI_OK && size > 0) {
		uint32_t n = size < 64 ? size : 64;

		if (c->random(c->ctx, a->plain, n) != 0)
			r = PV_SI_E_INTERNAL;
		else
			r = pv_agent_place_put(a, a->plain, n);
		pv_dev_wipe(a->plain, n);
		size -= n;
	}
	return r;
}

static uint16_t
end_keys(struct pv_agent *a)
{
	uint16_t r = PV_SI_OK;

	for (uint32_t at = 0; r == PV_SI_OK && at < a->area_size;
	     at += KEY_PAIR)
		r = fill_key(a, pv_get_u32le(a->collect + at + 4),
		    pv_get_u32le(a->collect + at));
	return r;
}

uint16_t
pv_agent_area_end(struct pv_agent *a)
{
	uint16_t r = PV_SI_OK;

	if (a->area_type == 'C')
		r = end_options(a);
	else if (a->area_type == 'K')
		r = end_keys(a);
	else if (a->area_type == 'M' &&
		 a->store->module_keep(a->store->ctx, a->collect) != 0)
		r = PV_SI_E_INTERNAL;
	pv_dev_wipe(a->collect, sizeof a->collect);
	pv_dev_wipe(a->region_key, sizeof a->region_key);
	return r;
}
