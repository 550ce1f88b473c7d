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

/* pieces[first..first + n) as one segment. */
struct group {
	size_t first, n;
	char *source; /* owned; NULL: of the first piece */
};

struct pv_image {
	struct pv_fw_segment *v; /* pieces, sorted by address, no overlap */
	size_t n;
	struct group *groups; /* after a merge, or NULL: every piece alone */
	size_t n_groups;
	uint8_t fill;
	int *fds; /* of the files whose segments stay on disk */
	size_t n_fds;
	struct pv_fw_store **stores;
	size_t n_stores;
	bool has_entry;
	uint64_t entry;
	bool has_family;
	uint32_t family;
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
	pv_fw_store_free(b->store);
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

int
pv_fw_batch_add_store(struct pv_fw_batch *b, const struct pv_fw_file *f,
    struct pv_fw_store *store, struct pv_error *e)
{
	size_t n = pv_fw_store_count(store);
	int rc = 0;

	pv_fw_store_free(b->store);
	b->store = store;
	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct pv_fw_segment seg = { 0 };

		pv_fw_store_range(store, i, &seg.addr, &seg.size);
		seg.store = store;
		rc = pv_fw_batch_add(b, &seg, e, "%s", f->name);
	}
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

static void
drop_groups(struct pv_image *img)
{
	for (size_t i = 0; i < img->n_groups; i++)
		free(img->groups[i].source);
	free(img->groups);
	img->groups = NULL;
	img->n_groups = 0;
}

void
pv_image_free(struct pv_image *img)
{
	if (img == NULL)
		return;
	drop_groups(img);
	for (size_t i = 0; i < img->n; i++)
		segment_release(&img->v[i]);
	for (size_t i = 0; i < img->n_stores; i++)
		pv_fw_store_free(img->stores[i]);
	free(img->stores);
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
	size_t n = img->n + b->n, i = 0, j = 0;
	struct pv_fw_segment *v;
	struct pv_fw_store **stores;

	if (b->has_family && img->has_family && b->family != img->family)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%s is for UF2 family 0x%08x, an earlier file for 0x%08x",
		    b->v[0].source, b->family, img->family);
	stores = realloc(
	    img->stores, (img->n_stores + 1) * sizeof(struct pv_fw_store *));
	if (stores == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	img->stores = stores;
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
	drop_groups(img);
	if (b->store != NULL) {
		img->stores[img->n_stores++] = b->store;
		b->store = NULL;
	}
	if (b->has_family) {
		img->has_family = true;
		img->family = b->family;
	}
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
	case PV_FIRMWARE_UF2:
		return pv_fw_read_uf2(f, b, e);
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

/* --- segments ------------------------------------------------------------- */

/* How many pieces from `first` are one segment. */
static size_t
reach(const struct pv_image *img, size_t first, uint64_t gap)
{
	size_t i = first + 1;

	while (i < img->n &&
	       img->v[i].addr - img->v[i - 1].addr - img->v[i - 1].size <= gap)
		i++;
	return i - first;
}

/* "app.elf segment 0 and 2 more", or the name when all have the same. */
static char *
group_name(const struct pv_image *img, const struct group *g)
{
	const char *name = img->v[g->first].source;
	bool same = true;
	size_t cap;
	char *text;

	for (size_t i = 1; same && i < g->n; i++)
		same = strcmp(img->v[g->first + i].source, name) == 0;
	if (same)
		return strdup(name);
	cap = strlen(name) + 40;
	if ((text = malloc(cap)) != NULL)
		(void)snprintf(text, cap, "%s and %zu more", name, g->n - 1);
	return text;
}

int
pv_image_merge(
    struct pv_image *img, uint64_t gap, uint8_t fill, struct pv_error *e)
{
	drop_groups(img);
	img->fill = fill;
	img->groups = calloc(img->n + 1, sizeof(*img->groups));
	if (img->groups == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < img->n; i += img->groups[img->n_groups - 1].n) {
		struct group *g = &img->groups[img->n_groups++];

		g->first = i;
		g->n = reach(img, i, gap);
		if (g->n > 1 && (g->source = group_name(img, g)) == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	return 0;
}

/* Segment i as pieces. */
static struct group
group_at(const struct pv_image *img, size_t i)
{
	struct group one = { .first = i, .n = 1 };

	return img->groups == NULL ? one : img->groups[i];
}

size_t
pv_image_count(const struct pv_image *img)
{
	return img->groups == NULL ? img->n : img->n_groups;
}

void
pv_image_segment(
    const struct pv_image *img, size_t i, struct pv_segment *ret_seg)
{
	struct group g = group_at(img, i);
	const struct pv_fw_segment *a = &img->v[g.first];
	const struct pv_fw_segment *z = &img->v[g.first + g.n - 1];

	ret_seg->addr = a->addr;
	ret_seg->size = z->addr + z->size - a->addr;
	ret_seg->source = g.source != NULL ? g.source : a->source;
}

bool
pv_fw_has_header(const struct pv_image *img, size_t i)
{
	return img->v[group_at(img, i).first].has_header;
}

uint64_t
pv_image_size(const struct pv_image *img)
{
	struct pv_segment s;
	uint64_t sum = 0;

	for (size_t i = 0; i < pv_image_count(img); i++) {
		pv_image_segment(img, i, &s);
		sum += s.size;
	}
	return sum;
}

static int
read_piece(const struct pv_fw_segment *s, uint64_t off, void *data, size_t len,
    struct pv_error *e)
{
	if (s->data != NULL) {
		memcpy(data, s->data + off, len);
		return 0;
	}
	if (s->store != NULL)
		return pv_fw_store_read(s->store, s->addr + off, data, len, e);
	return pv_pread_exact(s->fd, s->source, data, len, s->off + off, e);
}

/* The piece of a group that has `addr`, or the one before the gap there. */
static size_t
find_piece(const struct pv_image *img, const struct group *g, uint64_t addr)
{
	size_t lo = g->first, hi = g->first + g->n;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (img->v[mid].addr <= addr)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

int
pv_image_read(const struct pv_image *img, size_t i, uint64_t off, void *data,
    size_t len, struct pv_error *e)
{
	struct pv_segment seg = { 0 };
	struct group g;
	uint8_t *p = data;
	uint64_t addr;

	if (i < pv_image_count(img))
		pv_image_segment(img, i, &seg);
	if (off > seg.size || len > seg.size - off || seg.size == 0)
		return pv_fail(e, PV_E_INTERNAL,
		    "read of %zu bytes at offset %llu of image segment %zu",
		    len, (unsigned long long)off, i);
	g = group_at(img, i);
	addr = seg.addr + off;
	for (size_t k = find_piece(img, &g, addr); len > 0; k++) {
		const struct pv_fw_segment *s = &img->v[k];
		uint64_t in = addr - s->addr, gap = 0;
		size_t n = 0;
		int rc;

		if (in < s->size) {
			n = len < s->size - in ? len : (size_t)(s->size - in);
			if ((rc = read_piece(s, in, p, n, e)) != 0)
				return rc;
		}
		p += n;
		addr += n;
		len -= n;
		if (len > 0)
			gap = img->v[k + 1].addr - addr;
		n = len < gap ? len : (size_t)gap;
		memset(p, img->fill, n);
		p += n;
		addr += n;
		len -= n;
	}
	return 0;
}

bool
pv_image_entry(const struct pv_image *img, uint64_t *ret_addr)
{
	if (img->has_entry)
		*ret_addr = img->entry;
	return img->has_entry;
}

bool
pv_image_family(const struct pv_image *img, uint32_t *ret_family)
{
	if (img->has_family)
		*ret_family = img->family;
	return img->has_family;
}
