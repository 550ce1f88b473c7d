/* SPDX-License-Identifier: Apache-2.0 */
#include "image/out.h"

#include "base/file.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PER_RECORD 16U /* as Python's intelhex, which imgtool writes with */
#define TEXT	   65536U
#define LINE	   (11U + 2U * PER_RECORD + 1U)

struct pv_imgout {
	struct pv_outfile *f;
	bool hex;
	uint64_t addr; /* of the next byte */
	uint32_t high; /* upper half that the last type 04 record set */
	bool high_set;
	uint8_t record[PER_RECORD];
	size_t n; /* bytes waiting in it */
	char *text;
	size_t used;
};

bool
pv_imgout_is_hex(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot != NULL && strcasecmp(dot, ".hex") == 0;
}

int
pv_imgout_open(const char *path, uint64_t base, mode_t mode,
    struct pv_imgout **ret_o, struct pv_error *e)
{
	struct pv_imgout *o = calloc(1, sizeof(*o));
	int r;

	if (o == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	o->hex = pv_imgout_is_hex(path);
	o->addr = base;
	if (o->hex && (o->text = malloc(TEXT)) == NULL) {
		free(o);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	if ((r = pv_outfile_open(path, mode, &o->f, e)) != 0) {
		pv_imgout_free(o);
		return r;
	}
	*ret_o = o;
	return 0;
}

/* --- records --------------------------------------------------------------- */

static int
flush_text(struct pv_imgout *o, struct pv_error *e)
{
	size_t n = o->used;

	o->used = 0;
	return n == 0 ? 0 : pv_outfile_write(o->f, o->text, n, e);
}

static int
put_record(struct pv_imgout *o, uint8_t type, uint16_t addr,
    const uint8_t *data, size_t n, struct pv_error *e)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t b[4 + PER_RECORD + 1];
	uint8_t sum = 0;
	char *p;
	int r;

	if (TEXT - o->used < LINE && (r = flush_text(o, e)) != 0)
		return r;
	b[0] = (uint8_t)n;
	b[1] = (uint8_t)(addr >> 8);
	b[2] = (uint8_t)addr;
	b[3] = type;
	if (n > 0)
		memcpy(b + 4, data, n);
	for (size_t i = 0; i < 4 + n; i++)
		sum = (uint8_t)(sum + b[i]);
	b[4 + n] = (uint8_t)(0U - sum);
	p = o->text + o->used;
	*p++ = ':';
	for (size_t i = 0; i < 5 + n; i++) {
		*p++ = digits[b[i] >> 4];
		*p++ = digits[b[i] & 0x0f];
	}
	*p++ = '\n';
	o->used = (size_t)(p - o->text);
	return 0;
}

/* The bytes that wait; they lie in one stretch of 64 KiB. */
static int
flush_record(struct pv_imgout *o, struct pv_error *e)
{
	uint64_t start = o->addr - o->n;
	uint32_t high = (uint32_t)(start >> 16);
	uint8_t ext[2] = { (uint8_t)(high >> 8), (uint8_t)high };
	size_t n = o->n;
	int r = 0;

	if (n == 0)
		return 0;
	o->n = 0;
	if (!o->high_set || high != o->high)
		r = put_record(o, 0x04, 0, ext, sizeof(ext), e);
	o->high = high;
	o->high_set = true;
	return r != 0 ? r
		      : put_record(o, 0x00, (uint16_t)start, o->record, n, e);
}

static int
write_hex(
    struct pv_imgout *o, const uint8_t *data, size_t len, struct pv_error *e)
{
	int r = 0;

	if (len > 0 && o->addr + len - 1 > UINT32_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "the image goes past address 0xffffffff, the last of "
		    "Intel HEX");
	while (r == 0 && len > 0) {
		size_t room = PER_RECORD - o->n;
		uint64_t left = 0x10000 - (o->addr & 0xffff);

		if (room > len)
			room = len;
		if (room > left)
			room = (size_t)left;
		memcpy(o->record + o->n, data, room);
		o->n += room;
		o->addr += room;
		data += room;
		len -= room;
		if (o->n == PER_RECORD || (o->addr & 0xffff) == 0)
			r = flush_record(o, e);
	}
	return r;
}

int
pv_imgout_write(
    struct pv_imgout *o, const void *data, size_t len, struct pv_error *e)
{
	if (o->hex)
		return write_hex(o, data, len, e);
	o->addr += len;
	return pv_outfile_write(o->f, data, len, e);
}

int
pv_imgout_gap(struct pv_imgout *o, uint64_t n, uint8_t fill, struct pv_error *e)
{
	uint8_t block[4096];
	int r = 0;

	if (o->hex) {
		r = flush_record(o, e);
		o->addr += n;
		return r;
	}
	memset(block, fill, sizeof(block));
	while (r == 0 && n > 0) {
		size_t now = n < sizeof(block) ? (size_t)n : sizeof(block);

		r = pv_imgout_write(o, block, now, e);
		n -= now;
	}
	return r;
}

int
pv_imgout_commit(struct pv_imgout *o, struct pv_error *e)
{
	int r = 0;

	if (o->hex) {
		r = flush_record(o, e);
		if (r == 0)
			r = put_record(o, 0x01, 0, NULL, 0, e);
		if (r == 0)
			r = flush_text(o, e);
	}
	return r != 0 ? r : pv_outfile_commit(o->f, e);
}

void
pv_imgout_free(struct pv_imgout *o)
{
	if (o == NULL)
		return;
	pv_outfile_free(o->f);
	free(o->text);
	free(o);
}
