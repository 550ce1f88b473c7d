/* SPDX-License-Identifier: Apache-2.0 */
/* Memory maps of DfuSe devices; the grammar is in dfu_map.h. */
#include <provisor/dfu_map.h>

#include "base/log.h"

#include <string.h>

/*
 * The end of what 32-bit addresses reach. An STM32MP gives the number of a
 * partition where others give an address (0x00..0xff), and the size of a
 * partition on an SD card, so those end further up.
 */
#define ADDRESS_END   ((uint64_t)1 << 32)
#define PARTITION_END ((uint64_t)1 << 48)
#define PARTITION_MAX 0xffU

struct cursor {
	const char *text; /* whole, for positions in messages */
	const char *p;
};

static void
blanks(struct cursor *c)
{
	while (*c->p == ' ')
		c->p++;
}

static int
odd(const struct cursor *c, struct pv_error *e, const char *wanted)
{
	char shown[PV_DFU_MAP_TEXT];

	pv_mask(shown, sizeof(shown), c->text);
	return pv_fail(e, PV_E_MALFORMED,
	    "memory map '%s': %s expected at character %zu", shown, wanted,
	    (size_t)(c->p - c->text) + 1);
}

static bool
take(struct cursor *c, char ch)
{
	blanks(c);
	if (*c->p != ch)
		return false;
	c->p++;
	return true;
}

static int
digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	return 99;
}

/* A number below 2^32 with at least one digit. */
static bool
number(struct cursor *c, int base, uint64_t *ret_v)
{
	uint64_t v = 0;
	bool any = false;

	blanks(c);
	for (; digit(*c->p) < base; c->p++, any = true) {
		v = v * (uint64_t)base + (uint64_t)digit(*c->p);
		if (v > UINT32_MAX)
			return false;
	}
	*ret_v = v;
	return any;
}

/* "/0x08000000/" */
static int
start_address(struct cursor *c, uint64_t *ret_addr, struct pv_error *e)
{
	if (!take(c, '/'))
		return odd(c, e, "'/'");
	blanks(c);
	if (c->p[0] != '0' || (c->p[1] != 'x' && c->p[1] != 'X'))
		return odd(c, e, "an address 0x...");
	c->p += 2;
	if (*c->p == ' ' || !number(c, 16, ret_addr))
		return odd(c, e, "an address of at most 32 bits");
	if (!take(c, '/'))
		return odd(c, e, "'/'");
	return 0;
}

static unsigned int
unit_shift(struct cursor *c)
{
	blanks(c);
	switch (*c->p) {
	case 'B':
		c->p++;
		return 0;
	case 'K':
		c->p++;
		return 10;
	case 'M':
		c->p++;
		return 20;
	case 'G':
		c->p++;
		return 30;
	default:
		return 0;
	}
}

/* "04*016Kg" from *at on; *at moves past it. */
static int
segment(struct cursor *c, uint64_t start, uint64_t *at, struct pv_dfu_map *map,
    struct pv_error *e)
{
	uint64_t end = start > PARTITION_MAX ? ADDRESS_END : PARTITION_END;
	uint64_t count, size;
	struct pv_dfu_segment *s;

	if (!number(c, 10, &count) || count == 0)
		return odd(c, e, "a count of sectors");
	if (!take(c, '*'))
		return odd(c, e, "'*'");
	if (!number(c, 10, &size) || size == 0)
		return odd(c, e, "a size");
	size <<= unit_shift(c);
	if (size > end || count > end / size || *at > end - count * size)
		return odd(c, e, "a size that fits the address space");
	if (map->n == PV_DFU_MAP_SEGMENTS)
		return odd(c, e, "the end of the list");
	s = &map->segments[map->n++];
	s->base = *at;
	s->size = size;
	s->count = (uint32_t)count;
	blanks(c);
	/* 'a' is 0x61: its low three bits are the meaning. */
	if (*c->p >= 'a' && *c->p <= 'g')
		s->access = (unsigned int)*c->p++ & 7U;
	blanks(c);
	*at += count * size;
	return 0;
}

static int
check_overlap(
    const struct cursor *c, const struct pv_dfu_map *map, struct pv_error *e)
{
	for (size_t i = 0; i < map->n; i++)
		for (size_t k = 0; k < i; k++) {
			const struct pv_dfu_segment *a = &map->segments[i];
			const struct pv_dfu_segment *b = &map->segments[k];

			if (a->base < b->base + b->count * b->size &&
			    b->base < a->base + a->count * a->size)
				return odd(c, e,
				    "a list without sectors over each other");
		}
	return 0;
}

static int
parse_name(struct cursor *c, struct pv_dfu_map *map, struct pv_error *e)
{
	char name[PV_DFU_MAP_NAME];
	size_t n;

	if (*c->p != '@')
		return odd(c, e, "'@'");
	c->p++;
	blanks(c);
	n = strcspn(c->p, "/");
	while (n > 0 && c->p[n - 1] == ' ')
		n--;
	if (n >= sizeof(name))
		return odd(c, e, "a shorter name");
	memcpy(name, c->p, n);
	name[n] = '\0';
	pv_mask(map->name, sizeof(map->name), name);
	c->p += n;
	return 0;
}

int
pv_dfu_map_parse(
    const char *text, struct pv_dfu_map *ret_map, struct pv_error *e)
{
	struct cursor c = { .text = text, .p = text };
	struct pv_dfu_map map = { 0 };
	uint64_t start, at;
	int rc;

	if (strlen(text) >= PV_DFU_MAP_TEXT)
		return pv_fail(e, PV_E_MALFORMED,
		    "memory map of %zu characters, more than %u", strlen(text),
		    PV_DFU_MAP_TEXT - 1);
	if ((rc = parse_name(&c, &map, e)) != 0)
		return rc;
	do {
		if ((rc = start_address(&c, &start, e)) != 0)
			return rc;
		at = start;
		do {
			if ((rc = segment(&c, start, &at, &map, e)) != 0)
				return rc;
		} while (take(&c, ','));
		blanks(&c);
	} while (*c.p == '/');
	if (*c.p != '\0')
		return odd(&c, e, "',', '/' or the end");
	if ((rc = check_overlap(&c, &map, e)) != 0)
		return rc;
	*ret_map = map;
	return 0;
}

static const struct pv_dfu_segment *
find(const struct pv_dfu_map *map, uint64_t addr)
{
	for (size_t i = 0; i < map->n; i++) {
		const struct pv_dfu_segment *s = &map->segments[i];

		if (addr >= s->base && addr - s->base < s->count * s->size)
			return s;
	}
	return NULL;
}

bool
pv_dfu_map_has(const struct pv_dfu_map *map, uint64_t addr, uint64_t len,
    unsigned int access)
{
	while (len > 0) {
		const struct pv_dfu_segment *s = find(map, addr);
		uint64_t here;

		if (s == NULL || (s->access & access) != access)
			return false;
		here = s->base + s->count * s->size - addr;
		if (len <= here)
			return true;
		addr += here;
		len -= here;
	}
	return true;
}

bool
pv_dfu_map_piece(const struct pv_dfu_map *map, uint64_t addr,
    uint64_t *ret_base, uint64_t *ret_size)
{
	const struct pv_dfu_segment *s = find(map, addr);

	if (s == NULL)
		return false;
	*ret_base = addr - (addr - s->base) % s->size;
	*ret_size = s->size;
	return true;
}

bool
pv_dfu_map_span(
    const struct pv_dfu_map *map, uint64_t *ret_base, uint64_t *ret_size)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < map->n; i++) {
		const struct pv_dfu_segment *s = &map->segments[i];
		uint64_t end = s->base + s->count * s->size;

		if (s->base < low)
			low = s->base;
		if (end > high)
			high = end;
	}
	if (map->n == 0)
		return false;
	*ret_base = low;
	*ret_size = high - low;
	return true;
}
