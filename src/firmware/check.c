/* SPDX-License-Identifier: Apache-2.0 */
/* An image against a chip: what lies in its flash, and what does not. */
#include "firmware/readers.h"

#include <stdio.h>
#include <stdlib.h>

/* "0x08000000..0x080fffff, 0x..." of the chip's flash, and RAM. */
static void
list_ranges(const struct pv_chip *chip, bool with_ram, char *dst, size_t cap)
{
	size_t len = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < chip->n_banks + chip->n_rams; i++) {
		bool ram = i >= chip->n_banks;
		uint32_t base, size;
		int n;

		if (ram && !with_ram)
			break;
		base = ram ? chip->rams[i - chip->n_banks].base
			   : chip->banks[i].base;
		size = ram ? chip->rams[i - chip->n_banks].size
			   : chip->banks[i].size;
		/* Banks that touch read as one range */
		while (!ram && i + 1 < chip->n_banks &&
		       chip->banks[i + 1].base == base + size)
			size += chip->banks[++i].size;
		n = snprintf(dst + len, cap - len, "%s0x%08x..0x%08x",
		    len > 0 ? ", " : "", base, base + (size - 1));
		if (n < 0 || (size_t)n >= cap - len)
			return;
		len += (size_t)n;
	}
}

static int
outside(const struct pv_segment *s, bool has_header, const struct pv_chip *chip,
    bool allow_ram, struct pv_error *e)
{
	char ranges[128];
	int rc;

	if (chip->n_banks == 0 && !allow_ram)
		return pv_fail(e, PV_E_RANGE,
		    "%s: 0x%08llx..0x%08llx: %s has no flash of its own",
		    s->source, (unsigned long long)s->addr,
		    (unsigned long long)(s->addr + s->size - 1), chip->name);
	list_ranges(chip, allow_ram, ranges, sizeof(ranges));
	rc = pv_fail(e, PV_E_RANGE,
	    "%s: 0x%08llx..0x%08llx is outside %s of %s (%s)", s->source,
	    (unsigned long long)s->addr,
	    (unsigned long long)(s->addr + s->size - 1),
	    allow_ram ? "flash and RAM" : "flash", chip->name, ranges);
	if (has_header)
		return pv_hint(e,
		    "the linker put the ELF header into this segment: link "
		    "with -Wl,--nmagic");
	return rc;
}

struct placed {
	uint32_t addr; /* in a bank */
	uint64_t size;
	struct pv_segment seg;
};

static int
by_place(const void *va, const void *vb)
{
	const struct placed *a = va, *b = vb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return 0;
}

/*
 * An alias shows the same flash twice, so segments that do not overlap by
 * address may still claim the same bytes.
 */
int
pv_image_check(const struct pv_image *img, const struct pv_chip *chip,
    bool allow_ram, struct pv_error *e)
{
	size_t count = pv_image_count(img), n = 0;
	struct placed *p;
	int rc = 0;

	p = calloc(count + 1, sizeof(*p));
	if (p == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct pv_segment s;

		pv_image_segment(img, i, &s);
		if (pv_chip_in_flash(chip, s.addr, s.size, &p[n].addr)) {
			p[n].size = s.size;
			p[n++].seg = s;
			continue;
		}
		if (allow_ram && pv_chip_in_ram(chip, s.addr, s.size))
			continue;
		rc = outside(&s, pv_fw_has_header(img, i), chip, allow_ram, e);
		goto out;
	}
	qsort(p, n, sizeof(*p), by_place);
	for (size_t i = 1; i < n; i++) {
		if (p[i].addr - p[i - 1].addr >= p[i - 1].size)
			continue;
		rc = pv_fail(e, PV_E_OVERLAP,
		    "%s at 0x%08llx and %s at 0x%08llx are the same flash of "
		    "%s",
		    p[i - 1].seg.source, (unsigned long long)p[i - 1].seg.addr,
		    p[i].seg.source, (unsigned long long)p[i].seg.addr,
		    chip->name);
		goto out;
	}
out:
	free(p);
	return rc;
}
