/* SPDX-License-Identifier: Apache-2.0 */
/* The sparse memory image: see image.h. */
#include <provisor/image.h>

#include "base/file.h"
#include "base/hex.h"
#include "firmware/readers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pv_image {
	struct pv_fw_segment *v; /* sorted by address, no overlap */
	size_t n;
	int *fds; /* of the files whose segments stay on disk */
	size_t n_fds;
	bool has_entry;
	uint64_t entry;
};

/* --- batches -------------------------------------------------------------- */

static void
segment_release(struct pv_fw_segment *s)
{
	free(s->source);
	free(s->data);
}

void
pv_fw_batch_release(struct pv_fw_batch *b)
{
	for (size_t i = 0; i < b->n; i++)
		segment_release(&b->v[i]);
	free(b->v);
	memset(b, 0, sizeof(*b));
}

static char *format(const char *fmt, va_list ap) PV_PRINTF(1, 0);

static char *
format(const char *fmt, va_list ap)
{
	va_list ap2;
	char *s = NULL;
	int n;

	va_copy(ap2, ap);
	n = vsnprintf(NULL, 0, fmt, ap2);
	va_end(ap2);
	if (n < 0 || (s = malloc((size_t)n + 1)) == NULL)
		return NULL;
	(void)vsnprintf(s, (size_t)n + 1, fmt, ap);
	return s;
}

int
pv_fw_batch_add(struct pv_fw_batch *b, const struct pv_fw_segment *seg,
    struct pv_error *e, const char *fmt, ...)
{
	struct pv_fw_segment s = *seg, *v;
	va_list ap;
	int rc;

	va_start(ap, fmt);
	s.source = format(fmt, ap);
	va_end(ap);
	if (s.source == NULL) {
		rc = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	if (s.addr >= PV_ADDR_END || s.size > PV_ADDR_END - s.addr) {
		rc = pv_fail(e, PV_E_RANGE,
		    "%s: 0x%llx bytes at 0x%08llx run past the end of the "
		    "32-bit address space",
		    s.source, (unsigned long long)s.size,
		    (unsigned long long)s.addr);
		goto out;
	}
	if (b->n == PV_IMAGE_SEGMENTS) {
		rc = pv_fail(e, PV_E_MALFORMED,
		    "%s: more than %u separate pieces of memory", s.source,
		    PV_IMAGE_SEGMENTS);
		goto out;
	}
	if (b->n == b->cap) {
		size_t cap = b->cap == 0 ? 8 : b->cap * 2;

		v = realloc(b->v, cap * sizeof(*v));
		if (v == NULL) {
			rc = pv_fail(e, PV_E_NOMEM, "out of memory");
			goto out;
		}
		b->v = v;
		b->cap = cap;
	}
	b->v[b->n++] = s;
	return 0;
out:
	segment_release(&s);
	return rc;
}

/* --- the image ------------------------------------------------------------ */

int
pv_image_new(struct pv_image **ret_img, struct pv_error *e)
{
	struct pv_image *img = calloc(1, sizeof(*img));

	if (img == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*ret_img = img;
	return 0;
}

void
pv_image_free(struct pv_image *img)
{
	if (img == NULL)
		return;
	for (size_t i = 0; i < img->n; i++)
		segment_release(&img->v[i]);
	for (size_t i = 0; i < img->n_fds; i++)
		(void)close(img->fds[i]);
	free(img->v);
	free(img->fds);
	free(img);
}

static int
by_addr(const void *va, const void *vb)
{
	const struct pv_fw_segment *a = va, *b = vb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return 0;
}

/*
 * Put all segments of a batch into the image, or none. Both are sorted by
 * then, so this is one merge; the batch is empty afterwards.
 */
static int
take(struct pv_image *img, struct pv_fw_batch *b, struct pv_error *e)
{
	struct pv_fw_segment *v;
	size_t n = img->n + b->n, i = 0, j = 0;

	if (n > PV_IMAGE_SEGMENTS)
		return pv_fail(e, PV_E_MALFORMED,
		    "%s: more than %u separate pieces of memory",
		    b->v[0].source, PV_IMAGE_SEGMENTS);
	qsort(b->v, b->n, sizeof(*b->v), by_addr);
	v = malloc(n * sizeof(*v));
	if (v == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t k = 0; k < n; k++) {
		if (j == b->n || (i < img->n && img->v[i].addr <= b->v[j].addr))
			v[k] = img->v[i++];
		else
			v[k] = b->v[j++];
	}
	for (size_t k = 1; k < n; k++) {
		if (v[k].addr - v[k - 1].addr >= v[k - 1].size)
			continue;
		(void)pv_fail(e, PV_E_OVERLAP,
		    "%s and %s both have bytes for 0x%08llx", v[k - 1].source,
		    v[k].source, (unsigned long long)v[k].addr);
		free(v);
		return PV_E_OVERLAP;
	}
	free(img->v);
	img->v = v;
	img->n = n;
	b->n = 0;
	if (b->has_entry && !img->has_entry) {
		img->has_entry = true;
		img->entry = b->entry;
	}
	return 0;
}

/*
 * Split FILE@ADDR at the last '@' when a number follows it. A path may hold
 * an '@' of its own. Returns the path in fresh memory.
 */
static char *
split_address(const char *text, bool *ret_has_addr, uint64_t *ret_addr)
{
	const char *at = strrchr(text, '@');
	char *path;

	*ret_has_addr =
	    at != NULL && at != text &&
	    pv_parse_u64(at + 1, UINT64_MAX, "address", ret_addr, NULL) == 0;
	path =
	    *ret_has_addr ? strndup(text, (size_t)(at - text)) : strdup(text);
	return path;
}

static int
read_kind(const struct pv_fw_file *f, bool has_addr, uint64_t addr,
    struct pv_fw_batch *b, bool *ret_on_disk, struct pv_error *e)
{
	enum pv_firmware_kind kind;
	int rc;

	if ((rc = pv_fw_detect(f, &kind, e)) != 0)
		return rc;
	if (kind == PV_FIRMWARE_RAW && !has_addr) {
		(void)pv_fail(e, PV_E_USAGE,
		    "'%s' is a raw file and needs an address", f->name);
		return pv_hint(e, "write it as %s@0x08000000", f->name);
	}
	if (kind != PV_FIRMWARE_RAW && has_addr) {
		(void)pv_fail(e, PV_E_USAGE,
		    "'%s' is %s and says its own addresses", f->name,
		    pv_firmware_kind_name(kind));
		return pv_hint(
		    e, "leave out '@0x%llx'", (unsigned long long)addr);
	}
	*ret_on_disk = kind == PV_FIRMWARE_RAW || kind == PV_FIRMWARE_ELF ||
		       kind == PV_FIRMWARE_DFUSE;
	switch (kind) {
	case PV_FIRMWARE_ELF:
		return pv_fw_read_elf(f, b, e);
	case PV_FIRMWARE_IHEX:
		return pv_fw_read_ihex(f, b, e);
	case PV_FIRMWARE_SREC:
		return pv_fw_read_srec(f, b, e);
	case PV_FIRMWARE_DFUSE:
		return pv_fw_read_dfuse(f, b, e);
	case PV_FIRMWARE_RAW:
		break;
	}
	return pv_fw_read_raw(f, addr, b, e);
}

int
pv_image_add_file(struct pv_image *img, const char *text, struct pv_error *e)
{
	struct pv_fw_file f = { .fd = -1 };
	struct pv_fw_batch b = { 0 };
	bool has_addr = false, on_disk = false;
	uint64_t addr = 0;
	char *path;
	int *fds;
	int rc;

	path = split_address(text, &has_addr, &addr);
	if (path == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if ((rc = pv_fw_open(path, &f, e)) != 0) {
		const char *at = strrchr(path, '@');

		if (rc == PV_E_NOT_FOUND && !has_addr && at != NULL)
			(void)pv_hint(e,
			    "'%s' after the '@' is not a number, so it was "
			    "taken as part of the file name",
			    at + 1);
		goto out;
	}
	fds = realloc(img->fds, (img->n_fds + 1) * sizeof(*fds));
	if (fds == NULL) {
		rc = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	img->fds = fds;
	if ((rc = read_kind(&f, has_addr, addr, &b, &on_disk, e)) != 0)
		goto out;
	if ((rc = take(img, &b, e)) != 0)
		goto out;
	if (on_disk) {
		img->fds[img->n_fds++] = f.fd;
		f.fd = -1;
	}
out:
	pv_fw_batch_release(&b);
	if (f.fd >= 0)
		(void)close(f.fd);
	free(path);
	return rc;
}

int
pv_image_add(struct pv_image *img, uint64_t addr, const void *data, size_t len,
    const char *source, struct pv_error *e)
{
	struct pv_fw_batch b = { 0 };
	struct pv_fw_segment seg = { 0 };
	int rc;

	if (len == 0)
		return pv_fail(e, PV_E_MALFORMED, "%s is empty", source);
	seg.addr = addr;
	seg.size = len;
	seg.data = malloc(len);
	if (seg.data == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memcpy(seg.data, data, len);
	if ((rc = pv_fw_batch_add(&b, &seg, e, "%s", source)) == 0)
		rc = take(img, &b, e);
	pv_fw_batch_release(&b);
	return rc;
}

size_t
pv_image_count(const struct pv_image *img)
{
	return img->n;
}

void
pv_image_segment(
    const struct pv_image *img, size_t i, struct pv_segment *ret_seg)
{
	ret_seg->addr = img->v[i].addr;
	ret_seg->size = img->v[i].size;
	ret_seg->source = img->v[i].source;
}

uint64_t
pv_image_size(const struct pv_image *img)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < img->n; i++)
		sum += img->v[i].size;
	return sum;
}

int
pv_image_read(const struct pv_image *img, size_t i, uint64_t off, void *data,
    size_t len, struct pv_error *e)
{
	const struct pv_fw_segment *s;

	if (i >= img->n || off > img->v[i].size || len > img->v[i].size - off)
		return pv_fail(e, PV_E_INTERNAL,
		    "read of %zu bytes at offset %llu of image segment %zu",
		    len, (unsigned long long)off, i);
	s = &img->v[i];
	if (s->data != NULL) {
		memcpy(data, s->data + off, len);
		return 0;
	}
	return pv_pread_exact(s->fd, s->source, data, len, s->off + off, e);
}

bool
pv_image_entry(const struct pv_image *img, uint64_t *ret_addr)
{
	if (img->has_entry)
		*ret_addr = img->entry;
	return img->has_entry;
}

/* --- against a chip ------------------------------------------------------- */

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
outside(const struct pv_fw_segment *s, const struct pv_chip *chip,
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
	if (s->has_header)
		return pv_hint(e,
		    "the linker put the ELF header into this segment: link "
		    "with -Wl,--nmagic");
	return rc;
}

struct placed {
	uint32_t addr; /* in a bank */
	uint64_t size;
	const struct pv_fw_segment *seg;
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
	struct placed *p;
	size_t n = 0;
	int rc = 0;

	p = calloc(img->n + 1, sizeof(*p));
	if (p == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < img->n; i++) {
		const struct pv_fw_segment *s = &img->v[i];

		if (pv_chip_in_flash(chip, s->addr, s->size, &p[n].addr)) {
			p[n].size = s->size;
			p[n++].seg = s;
			continue;
		}
		if (allow_ram && pv_chip_in_ram(chip, s->addr, s->size))
			continue;
		rc = outside(s, chip, allow_ram, e);
		goto out;
	}
	qsort(p, n, sizeof(*p), by_place);
	for (size_t i = 1; i < n; i++) {
		if (p[i].addr - p[i - 1].addr >= p[i - 1].size)
			continue;
		rc = pv_fail(e, PV_E_OVERLAP,
		    "%s at 0x%08llx and %s at 0x%08llx are the same flash of "
		    "%s",
		    p[i - 1].seg->source,
		    (unsigned long long)p[i - 1].seg->addr, p[i].seg->source,
		    (unsigned long long)p[i].seg->addr, chip->name);
		goto out;
	}
out:
	free(p);
	return rc;
}
