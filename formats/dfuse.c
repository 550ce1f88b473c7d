/* SPDX-License-Identifier: Apache-2.0 */
/* DfuSe files; the layout is the table of dfuse.md. */
#include "formats/dfuse.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

#define DFUSE_VERSION 1U
#define BCD_DFU	      0x011aU /* DfuSe's number, USB DFU 1.1 has 0x0110 */
#define CRC_LEN	      4U

bool
pv_dfuse_detect(const void *data, size_t len)
{
	return len >= 5 && memcmp(data, "DfuSe", 5) == 0;
}

/*
 * Reflected CRC-32 (polynomial 0xEDB88320) without the final inversion,
 * USB DFU 1.1 appendix B; four bits at a time.
 */
uint32_t
pv_dfuse_crc(uint32_t crc, const uint8_t *data, size_t len)
{
	static const uint32_t table[16] = { 0x00000000U, 0x1db71064U,
		0x3b6e20c8U, 0x26d930acU, 0x76dc4190U, 0x6b6b51f4U, 0x4db26158U,
		0x5005713cU, 0xedb88320U, 0xf00f9344U, 0xd6d6a3e8U, 0xcb61b38cU,
		0x9b64c2b0U, 0x86d3d2d4U, 0xa00ae278U, 0xbdbdf21cU };

	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		crc = crc >> 4 ^ table[crc & 0xf];
		crc = crc >> 4 ^ table[crc & 0xf];
	}
	return crc;
}

/* --- decode ---------------------------------------------------------------- */

/* Bytes of a file from pos to end. */
struct cursor {
	const struct pv_dfuse_source *src;
	uint64_t pos, end;
};

/*
 * The next n bytes into a reader over `buf`; *ret_r has a fault when there are
 * fewer. Fails only when reading does.
 */
static int
next(struct cursor *c, uint8_t *buf, size_t n, struct pv_reader *ret_r,
    struct pv_error *e)
{
	int rc;

	if (n > c->end - c->pos) {
		pv_rd_init(ret_r, buf, 0);
		ret_r->bad = true;
		return 0;
	}
	if ((rc = c->src->read(c->src->ctx, c->pos, buf, n, e)) != 0)
		return rc;
	c->pos += n;
	pv_rd_init(ret_r, buf, n);
	return 0;
}

static int
check_crc(
    const struct pv_dfuse_source *src, uint32_t wanted, struct pv_error *e)
{
	uint8_t buf[4096];
	uint64_t end = src->size - CRC_LEN;
	uint32_t crc = 0xffffffffU;

	for (uint64_t at = 0; at < end; at += sizeof(buf)) {
		size_t n =
		    end - at < sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
		int rc = src->read(src->ctx, at, buf, n, e);

		if (rc != 0)
			return rc;
		crc = pv_dfuse_crc(crc, buf, n);
	}
	if (crc != wanted)
		return pv_fail(e, PV_E_MALFORMED,
		    "the file's checksum is 0x%08x, its suffix says 0x%08x; it "
		    "is damaged",
		    crc, wanted);
	return 0;
}

static int
decode_suffix(
    const struct pv_dfuse_source *src, struct pv_dfuse *d, struct pv_error *e)
{
	struct cursor c = { src, src->size - PV_DFUSE_SUFFIX, src->size };
	uint8_t buf[PV_DFUSE_SUFFIX], mark[3], n;
	struct pv_reader r;
	uint32_t wanted;
	uint16_t bcd;
	int rc;

	if ((rc = next(&c, buf, sizeof(buf), &r, e)) != 0)
		return rc;
	d->device = pv_rd_u16le(&r);
	d->product = pv_rd_u16le(&r);
	d->vendor = pv_rd_u16le(&r);
	bcd = pv_rd_u16le(&r);
	pv_rd_bytes(&r, mark, sizeof(mark));
	n = pv_rd_u8(&r);
	wanted = pv_rd_u32le(&r);
	if (memcmp(mark, "UFD", sizeof(mark)) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "the file does not end with a DFU suffix; it is cut short "
		    "or has bytes after its end");
	if (n != PV_DFUSE_SUFFIX)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "DFU suffix of %u bytes, known are %u", (unsigned int)n,
		    PV_DFUSE_SUFFIX);
	if (bcd != BCD_DFU)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "DFU suffix of specification 0x%04x, a DfuSe file has "
		    "0x%04x",
		    (unsigned int)bcd, BCD_DFU);
	return check_crc(src, wanted, e);
}

static int
add_element(
    struct pv_dfuse *d, struct cursor *c, size_t number, struct pv_error *e)
{
	struct pv_dfuse_element el = { 0 }, *v;
	uint8_t buf[PV_DFUSE_ELEMENT];
	struct pv_reader r;
	int rc;

	if ((rc = next(c, buf, sizeof(buf), &r, e)) != 0)
		return rc;
	el.addr = pv_rd_u32le(&r);
	el.size = pv_rd_u32le(&r);
	if (!pv_rd_ok(&r) || el.size > c->end - c->pos)
		return pv_fail(e, PV_E_MALFORMED,
		    "element %zu has a size of %u bytes, its target has %llu "
		    "left",
		    number, el.size, (unsigned long long)(c->end - c->pos));
	if (d->n_elements == PV_DFUSE_ELEMENTS)
		return pv_fail(e, PV_E_MALFORMED,
		    "more than %u elements in the file", PV_DFUSE_ELEMENTS);
	el.offset = c->pos;
	c->pos += el.size;
	/* Room grows by doubling: at 0, 1, 2, 4, ... elements. */
	if ((d->n_elements & (d->n_elements - 1)) == 0) {
		size_t cap = d->n_elements == 0 ? 1 : d->n_elements * 2;

		v = realloc(d->elements, cap * sizeof(*v));
		if (v == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		d->elements = v;
	}
	d->elements[d->n_elements++] = el;
	return 0;
}

static int
decode_target(struct pv_dfuse *d, struct cursor *c, struct pv_error *e)
{
	struct pv_dfuse_target *t = &d->targets[d->n_targets];
	uint8_t buf[PV_DFUSE_TARGET], mark[6];
	struct cursor body;
	struct pv_reader r;
	uint32_t size, n;
	int rc;

	if ((rc = next(c, buf, sizeof(buf), &r, e)) != 0)
		return rc;
	pv_rd_bytes(&r, mark, sizeof(mark));
	t->alternate = pv_rd_u8(&r);
	t->named = pv_rd_u32le(&r);
	pv_rd_bytes(&r, t->name, sizeof(t->name));
	size = pv_rd_u32le(&r);
	n = pv_rd_u32le(&r);
	if (!pv_rd_ok(&r))
		return pv_fail(
		    e, PV_E_MALFORMED, "the file ends inside its header");
	if (memcmp(mark, "Target", sizeof(mark)) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "its header does not begin with \"Target\"");
	if (size > c->end - c->pos)
		return pv_fail(e, PV_E_MALFORMED,
		    "its size is %u bytes, the file has %llu left", size,
		    (unsigned long long)(c->end - c->pos));
	body = (struct cursor){ c->src, c->pos, c->pos + size };
	c->pos += size;
	t->first = d->n_elements;
	for (uint32_t i = 0; i < n; i++)
		if ((rc = add_element(d, &body, (size_t)i + 1, e)) != 0)
			return rc;
	if (body.pos != body.end)
		return pv_fail(e, PV_E_MALFORMED,
		    "%llu bytes are left after its %u elements",
		    (unsigned long long)(body.end - body.pos), n);
	t->count = d->n_elements - t->first;
	d->n_targets++;
	return 0;
}

static int
decode_targets(
    const struct pv_dfuse_source *src, struct pv_dfuse *d, struct pv_error *e)
{
	struct cursor c = { src, 0, src->size - PV_DFUSE_SUFFIX };
	uint8_t buf[PV_DFUSE_PREFIX], version, n;
	struct pv_reader r;
	int rc;

	if ((rc = next(&c, buf, sizeof(buf), &r, e)) != 0)
		return rc;
	pv_rd_skip(&r, 5); /* "DfuSe" */
	version = pv_rd_u8(&r);
	d->size_field = pv_rd_u32le(&r);
	n = pv_rd_u8(&r);
	if (version != DFUSE_VERSION)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "DfuSe version %u, known is %u", (unsigned int)version,
		    DFUSE_VERSION);
	d->size_wrong = d->size_field != c.end;
	if (n == 0)
		return pv_fail(e, PV_E_MALFORMED, "the file has no target");
	d->targets = calloc(n, sizeof(*d->targets));
	if (d->targets == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (unsigned int i = 0; i < n; i++)
		if ((rc = decode_target(d, &c, e)) != 0)
			return pv_wrap(
			    e, "target %u of %u", i + 1, (unsigned int)n);
	if (c.pos != c.end)
		return pv_fail(e, PV_E_MALFORMED,
		    "%llu bytes are left after the last target",
		    (unsigned long long)(c.end - c.pos));
	return 0;
}

int
pv_dfuse_decode_source(const struct pv_dfuse_source *src,
    struct pv_dfuse *ret_d, struct pv_error *e)
{
	struct pv_dfuse d = { 0 };
	uint8_t head[5];
	int rc;

	if (src->size >= sizeof(head)) {
		rc = src->read(src->ctx, 0, head, sizeof(head), e);
		if (rc != 0)
			return rc;
	}
	if (src->size < sizeof(head) || !pv_dfuse_detect(head, sizeof(head)))
		return pv_fail(e, PV_E_MALFORMED,
		    "not a DfuSe file: it does not begin with \"DfuSe\"");
	if (src->size < PV_DFUSE_PREFIX + PV_DFUSE_SUFFIX)
		return pv_fail(e, PV_E_MALFORMED,
		    "%llu bytes are too few for a DfuSe file",
		    (unsigned long long)src->size);
	if (src->size > UINT32_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "%llu bytes, more than the %u a DfuSe file may have",
		    (unsigned long long)src->size, UINT32_MAX);
	rc = decode_suffix(src, &d, e);
	if (rc == 0)
		rc = decode_targets(src, &d, e);
	if (rc != 0) {
		pv_dfuse_release(&d);
		return rc;
	}
	*ret_d = d;
	return 0;
}

static int
read_memory(void *ctx, uint64_t off, void *dst, size_t n, struct pv_error *e)
{
	const uint8_t *const *data = ctx;

	(void)e;
	memcpy(dst, *data + off, n);
	return 0;
}

int
pv_dfuse_decode(
    const uint8_t *data, size_t len, struct pv_dfuse *ret_d, struct pv_error *e)
{
	struct pv_dfuse_source src = { read_memory, &data, len };
	int rc;

	if (len > PV_DFUSE_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, more than the %u a DfuSe file may have", len,
		    PV_DFUSE_MAX);
	if ((rc = pv_dfuse_decode_source(&src, ret_d, e)) != 0)
		return rc;
	for (size_t i = 0; i < ret_d->n_elements; i++)
		ret_d->elements[i].data = data + ret_d->elements[i].offset;
	return 0;
}

/* --- validate -------------------------------------------------------------- */

static bool
overlap(const struct pv_dfuse_element *a, const struct pv_dfuse_element *b)
{
	return a->addr < b->addr ? b->addr - a->addr < a->size
				 : a->addr - b->addr < b->size;
}

static int
validate_element(const struct pv_dfuse *d, const struct pv_dfuse_target *t,
    size_t i, struct pv_error *e)
{
	const struct pv_dfuse_element *el = &d->elements[t->first + i];

	if (el->size > 0 && el->addr > UINT32_MAX - (el->size - 1))
		return pv_fail(e, PV_E_RANGE,
		    "element %zu: 0x%x bytes at 0x%08x run past the end of the "
		    "32-bit address space",
		    i + 1, el->size, el->addr);
	for (size_t k = 0; k < i; k++)
		if (el->size > 0 && d->elements[t->first + k].size > 0 &&
		    overlap(el, &d->elements[t->first + k]))
			return pv_fail(e, PV_E_OVERLAP,
			    "elements %zu and %zu both have bytes near 0x%08x",
			    k + 1, i + 1, el->addr);
	return 0;
}

int
pv_dfuse_validate(const struct pv_dfuse *d, struct pv_error *e)
{
	uint64_t total = 0;
	int rc;

	for (size_t i = 0; i < d->n_targets; i++) {
		const struct pv_dfuse_target *t = &d->targets[i];

		for (size_t k = 0; k < t->count; k++) {
			rc = validate_element(d, t, k, e);
			if (rc != 0)
				return pv_wrap(e, "target %zu", i + 1);
			total += d->elements[t->first + k].size;
		}
	}
	if (total == 0)
		return pv_fail(e, PV_E_MALFORMED, "the file has no data");
	return 0;
}

/* --- encode ---------------------------------------------------------------- */

static uint64_t
encoded_size(const struct pv_dfuse *d)
{
	uint64_t n = PV_DFUSE_PREFIX + PV_DFUSE_SUFFIX;

	n += (uint64_t)d->n_targets * PV_DFUSE_TARGET;
	for (size_t i = 0; i < d->n_elements; i++)
		n += (uint64_t)PV_DFUSE_ELEMENT + d->elements[i].size;
	return n;
}

static void
encode_target(struct pv_writer *w, const struct pv_dfuse *d,
    const struct pv_dfuse_target *t)
{
	uint32_t size = 0;

	for (size_t i = 0; i < t->count; i++)
		size += PV_DFUSE_ELEMENT + d->elements[t->first + i].size;
	pv_wr_bytes(w, "Target", 6);
	pv_wr_u8(w, t->alternate);
	pv_wr_u32le(w, t->named);
	pv_wr_bytes(w, t->name, sizeof(t->name));
	pv_wr_u32le(w, size);
	pv_wr_u32le(w, (uint32_t)t->count);
	for (size_t i = 0; i < t->count; i++) {
		const struct pv_dfuse_element *el = &d->elements[t->first + i];

		pv_wr_u32le(w, el->addr);
		pv_wr_u32le(w, el->size);
		pv_wr_bytes(w, el->data, el->size);
	}
}

int
pv_dfuse_encode(const struct pv_dfuse *d, uint8_t **ret_data, size_t *ret_len,
    struct pv_error *e)
{
	uint64_t size = encoded_size(d);
	struct pv_writer w;
	size_t total = 0;
	uint8_t *data;

	for (size_t i = 0; i < d->n_targets; i++)
		total += d->targets[i].count;
	if (d->n_targets == 0 || d->n_targets > PV_DFUSE_TARGETS ||
	    total != d->n_elements || size > PV_DFUSE_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "%zu targets with %llu bytes do not fit into a DfuSe file",
		    d->n_targets, (unsigned long long)size);
	data = malloc((size_t)size);
	if (data == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	pv_wr_init(&w, data, (size_t)size);
	pv_wr_bytes(&w, "DfuSe", 5);
	pv_wr_u8(&w, DFUSE_VERSION);
	pv_wr_u32le(&w, (uint32_t)(size - PV_DFUSE_SUFFIX));
	pv_wr_u8(&w, (uint8_t)d->n_targets);
	for (size_t i = 0; i < d->n_targets; i++)
		encode_target(&w, d, &d->targets[i]);
	pv_wr_u16le(&w, d->device);
	pv_wr_u16le(&w, d->product);
	pv_wr_u16le(&w, d->vendor);
	pv_wr_u16le(&w, BCD_DFU);
	pv_wr_bytes(&w, "UFD", 3);
	pv_wr_u8(&w, PV_DFUSE_SUFFIX);
	pv_wr_u32le(&w, pv_dfuse_crc(0xffffffffU, data, w.len));
	if (!pv_wr_ok(&w) || w.len != size) {
		free(data);
		return pv_fail(e, PV_E_INTERNAL, "size of a DfuSe file");
	}
	*ret_data = data;
	*ret_len = w.len;
	return 0;
}

void
pv_dfuse_release(struct pv_dfuse *d)
{
	free(d->targets);
	free(d->elements);
	memset(d, 0, sizeof(*d));
}
