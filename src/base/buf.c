/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <string.h>

uint16_t
pv_get_u16le(const uint8_t *p)
{
	return (uint16_t)(p[0] | (unsigned int)p[1] << 8);
}

uint16_t
pv_get_u16be(const uint8_t *p)
{
	return (uint16_t)((unsigned int)p[0] << 8 | p[1]);
}

uint32_t
pv_get_u32le(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

uint32_t
pv_get_u32be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

uint64_t
pv_get_u64le(const uint8_t *p)
{
	return (uint64_t)pv_get_u32le(p) | (uint64_t)pv_get_u32le(p + 4) << 32;
}

void
pv_put_u16le(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

void
pv_put_u16be(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void
pv_put_u32le(uint8_t *p, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void
pv_put_u32be(uint8_t *p, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void
pv_put_u64le(uint8_t *p, uint64_t v)
{
	for (unsigned int i = 0; i < 8; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

void
pv_rd_init(struct pv_reader *r, const void *data, size_t len)
{
	r->p = data;
	r->left = len;
	r->bad = false;
}

const uint8_t *
pv_rd_view(struct pv_reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

uint8_t
pv_rd_u8(struct pv_reader *r)
{
	const uint8_t *p = pv_rd_view(r, 1);

	return p == NULL ? 0 : *p;
}

uint16_t
pv_rd_u16le(struct pv_reader *r)
{
	const uint8_t *p = pv_rd_view(r, 2);

	return p == NULL ? 0 : pv_get_u16le(p);
}

uint16_t
pv_rd_u16be(struct pv_reader *r)
{
	const uint8_t *p = pv_rd_view(r, 2);

	return p == NULL ? 0 : pv_get_u16be(p);
}

uint32_t
pv_rd_u32le(struct pv_reader *r)
{
	const uint8_t *p = pv_rd_view(r, 4);

	return p == NULL ? 0 : pv_get_u32le(p);
}

uint32_t
pv_rd_u32be(struct pv_reader *r)
{
	const uint8_t *p = pv_rd_view(r, 4);

	return p == NULL ? 0 : pv_get_u32be(p);
}

uint64_t
pv_rd_u64le(struct pv_reader *r)
{
	const uint8_t *p = pv_rd_view(r, 8);

	return p == NULL ? 0 : pv_get_u64le(p);
}

void
pv_rd_bytes(struct pv_reader *r, void *dst, size_t n)
{
	const uint8_t *p = pv_rd_view(r, n);

	if (n == 0)
		return;
	if (p == NULL)
		memset(dst, 0, n);
	else
		memcpy(dst, p, n);
}

void
pv_rd_skip(struct pv_reader *r, size_t n)
{
	(void)pv_rd_view(r, n);
}

bool
pv_rd_ok(const struct pv_reader *r)
{
	return !r->bad;
}

bool
pv_rd_finish(const struct pv_reader *r)
{
	return !r->bad && r->left == 0;
}

void
pv_wr_init(struct pv_writer *w, void *data, size_t cap)
{
	w->p = data;
	w->cap = cap;
	w->len = 0;
	w->overflow = false;
}

/* Room for n more bytes, or NULL. */
static uint8_t *
take(struct pv_writer *w, size_t n)
{
	uint8_t *p;

	if (w->overflow || n > w->cap - w->len) {
		w->overflow = true;
		return NULL;
	}
	p = w->p + w->len;
	w->len += n;
	return p;
}

void
pv_wr_u8(struct pv_writer *w, uint8_t v)
{
	uint8_t *p = take(w, 1);

	if (p != NULL)
		*p = v;
}

void
pv_wr_u16le(struct pv_writer *w, uint16_t v)
{
	uint8_t *p = take(w, 2);

	if (p != NULL)
		pv_put_u16le(p, v);
}

void
pv_wr_u16be(struct pv_writer *w, uint16_t v)
{
	uint8_t *p = take(w, 2);

	if (p != NULL)
		pv_put_u16be(p, v);
}

void
pv_wr_u32le(struct pv_writer *w, uint32_t v)
{
	uint8_t *p = take(w, 4);

	if (p != NULL)
		pv_put_u32le(p, v);
}

void
pv_wr_u32be(struct pv_writer *w, uint32_t v)
{
	uint8_t *p = take(w, 4);

	if (p != NULL)
		pv_put_u32be(p, v);
}

void
pv_wr_u64le(struct pv_writer *w, uint64_t v)
{
	uint8_t *p = take(w, 8);

	if (p != NULL)
		pv_put_u64le(p, v);
}

void
pv_wr_bytes(struct pv_writer *w, const void *src, size_t n)
{
	uint8_t *p = take(w, n);

	if (p != NULL && n != 0)
		memcpy(p, src, n);
}

void
pv_wr_zero(struct pv_writer *w, size_t n)
{
	uint8_t *p = take(w, n);

	if (p != NULL && n != 0)
		memset(p, 0, n);
}

size_t
pv_wr_begin_u32le(struct pv_writer *w)
{
	pv_wr_u32le(w, 0);
	return w->len;
}

void
pv_wr_end_u32le(struct pv_writer *w, size_t mark)
{
	if (!w->overflow && mark >= 4 && mark <= w->len)
		pv_put_u32le(w->p + mark - 4, (uint32_t)(w->len - mark));
}

bool
pv_wr_ok(const struct pv_writer *w)
{
	return !w->overflow;
}
