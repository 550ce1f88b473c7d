/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Intel HEX and S-records share: lines of hex digits with a count and a
 * checksum. The text is read through one buffer and its bytes go to a store,
 * so neither the size of the file nor the order of its lines costs memory.
 */
#include "firmware/readers.h"

#include "base/file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest record is an S-record: 'S', type, count, 255 bytes. */
#define LINE_MAX_CHARS (2U + 2U * 256U + 16U)
#define TEXT_CHUNK     (256U << 10)

/* Values of hex digits as the first and the second of a byte. */
#define NO_DIGIT 0x100U

struct digits {
	uint16_t hi[256], lo[256];
};

int
pv_record_fail(const struct pv_record_parser *p, unsigned long line,
    struct pv_error *e, const char *fmt, ...)
{
	char text[192];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return pv_fail(
	    e, PV_E_MALFORMED, "'%s' line %lu: %s", p->name, line, text);
}

int
pv_records_data(struct pv_record_parser *p, const struct pv_record *r,
    uint64_t addr, const uint8_t *data, size_t len, struct pv_error *e)
{
	int rc;

	if (len == 0)
		return 0;
	if (addr >= PV_ADDR_END || len > PV_ADDR_END - addr)
		return pv_fail(e, PV_E_RANGE,
		    "'%s' line %lu: %zu bytes at 0x%08llx run past the end of "
		    "the 32-bit address space",
		    p->name, r->line, len, (unsigned long long)addr);
	if (p->to != NULL) {
		rc = pv_fw_store_put(p->to, addr, data, len, e);
		/* An overlap is put into words at the end. */
		return rc == 0 || rc == PV_E_OVERLAP
			   ? rc
			   : pv_wrap(e, "'%s' line %lu", p->name, r->line);
	}
	if (p->n_found < 2 && p->find >= addr && p->find - addr < len)
		p->found[p->n_found++] = r->line;
	return 0;
}

/* --- lines ---------------------------------------------------------------- */

static unsigned int
digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return (unsigned int)(ch - '0');
	if (ch >= 'A' && ch <= 'F')
		return (unsigned int)(ch - 'A' + 10);
	if (ch >= 'a' && ch <= 'f')
		return (unsigned int)(ch - 'a' + 10);
	return NO_DIGIT;
}

static void
digits_init(struct digits *d)
{
	for (unsigned int i = 0; i < 256; i++) {
		unsigned int v = digit((char)(unsigned char)i);

		d->lo[i] = (uint16_t)v;
		d->hi[i] = (uint16_t)(v == NO_DIGIT ? v : v << 4);
	}
}

static int
bad_char(const struct pv_record_parser *p, const struct pv_record *r,
    size_t column, char ch, struct pv_error *e)
{
	if (ch > ' ' && ch <= '~')
		return pv_record_fail(p, r->line, e,
		    "'%c' in column %zu is not a hex digit", ch, column + 1);
	return pv_record_fail(p, r->line, e,
	    "byte 0x%02x in column %zu is not a hex digit",
	    (unsigned int)(unsigned char)ch, column + 1);
}

/* What is wrong with digits that start at s[at] and did not decode. */
static int
bad_digits(const struct pv_record_parser *p, const struct pv_record *r,
    const char *s, size_t at, size_t len, struct pv_error *e)
{
	size_t end = at + (size_t)2 * PV_RECORD_BYTES;

	for (size_t i = at; i < len && i <= end; i++)
		if (digit(s[i]) == NO_DIGIT)
			return bad_char(p, r, i, s[i], e);
	if (len > end)
		return pv_record_fail(
		    p, r->line, e, "the line is too long for a record");
	return pv_record_fail(p, r->line, e, "the line ends in half a byte");
}

static int
check_record(const struct pv_record_parser *p, const struct pv_record *r,
    uint8_t sum, struct pv_error *e)
{
	uint8_t is;

	if (r->len < p->overhead)
		return pv_record_fail(
		    p, r->line, e, "the line is too short for a record");
	if (r->len != r->bytes[0] + p->overhead)
		return pv_record_fail(p, r->line, e,
		    "the record says %u bytes, the line has %zu",
		    (unsigned int)r->bytes[0], r->len - p->overhead);
	if (sum == p->sum)
		return 0;
	is = r->bytes[r->len - 1];
	return pv_record_fail(p, r->line, e,
	    "checksum is %02x, should be %02x (record for 0x%08llx)",
	    (unsigned int)is, (unsigned int)(uint8_t)(is + p->sum - sum),
	    (unsigned long long)p->address(p, r));
}

/* Decode one line without its end of line. */
static int
do_line(struct pv_record_parser *p, const struct digits *d, struct pv_record *r,
    const char *s, size_t len, bool *ret_end, struct pv_error *e)
{
	size_t at = p->mark == 'S' ? 2 : 1, n;
	const unsigned char *u;
	unsigned int sum = 0, bad = 0;
	int rc;

	if (s[0] != p->mark)
		return pv_record_fail(
		    p, r->line, e, "a record must start with '%c'", p->mark);
	if (len < at)
		return pv_record_fail(
		    p, r->line, e, "the line is too short for a record");
	r->type = s[at - 1];
	if (p->mark == 'S' && (r->type < '0' || r->type > '9'))
		return bad_char(p, r, 1, s[1], e);
	n = (len - at) / 2;
	if (n > PV_RECORD_BYTES || (len - at) % 2 != 0)
		return bad_digits(p, r, s, at, len, e);
	u = (const unsigned char *)s + at;
	for (size_t i = 0; i < n; i++) {
		unsigned int v = d->hi[u[2 * i]] | d->lo[u[2 * i + 1]];

		r->bytes[i] = (uint8_t)v;
		bad |= v;
		sum += v;
	}
	if ((bad & NO_DIGIT) != 0)
		return bad_digits(p, r, s, at, len, e);
	r->len = n;
	memset(r->bytes + n, 0, PV_RECORD_SLACK);
	if ((rc = check_record(p, r, (uint8_t)sum, e)) != 0)
		return rc;
	return p->record(p, r, ret_end, e);
}

struct text {
	const struct pv_fw_file *f;
	char *buf; /* TEXT_CHUNK bytes */
	size_t pos, len;
	uint64_t off; /* of the byte after buf[len - 1] */
};

/* More text behind what is left, which moves to the front. */
static int
refill(struct text *t, struct pv_error *e)
{
	uint64_t left = t->f->size - t->off;
	size_t keep = t->len - t->pos, n = TEXT_CHUNK - keep;
	int rc;

	memmove(t->buf, t->buf + t->pos, keep);
	t->pos = 0;
	t->len = keep;
	if (left < n)
		n = (size_t)left;
	rc = pv_pread_exact(t->f->fd, t->f->name, t->buf + keep, n, t->off, e);
	if (rc != 0)
		return rc;
	t->len += n;
	t->off += n;
	return 0;
}

/*
 * The next line, in the buffer, without its LF or CRLF; *ret_line NULL at the
 * end of the file. A line too long for a record comes back cut to a length
 * that do_line refuses.
 */
static int
next_line(
    struct text *t, const char **ret_line, size_t *ret_len, struct pv_error *e)
{
	for (;;) {
		const char *s = t->buf + t->pos;
		size_t n = t->len - t->pos;
		const char *nl = n == 0 ? NULL : memchr(s, '\n', n);
		int rc;

		*ret_line = s;
		if (nl == NULL && n < LINE_MAX_CHARS && t->off < t->f->size) {
			if ((rc = refill(t, e)) != 0)
				return rc;
			continue;
		}
		if (nl == NULL && n == 0) {
			*ret_line = NULL;
			return 0;
		}
		if (nl != NULL)
			n = (size_t)(nl - s);
		t->pos += n + (nl != NULL ? 1 : 0);
		if (n > LINE_MAX_CHARS)
			n = LINE_MAX_CHARS;
		if (n > 0 && s[n - 1] == '\r')
			n--;
		*ret_len = n;
		return 0;
	}
}

static int
scan_text(struct text *t, const struct digits *d, struct pv_record_parser *p,
    struct pv_error *e)
{
	struct pv_record r = { 0 };
	const char *line;
	bool end = false;
	size_t len = 0;
	int rc;

	for (;;) {
		if ((rc = next_line(t, &line, &len, e)) != 0)
			return rc;
		if (line == NULL)
			break;
		r.line++;
		if (len == 0)
			continue;
		if (end)
			return pv_record_fail(p, r.line, e,
			    "there is text after the %s", p->end_name);
		if ((rc = do_line(p, d, &r, line, len, &end, e)) != 0)
			return rc;
	}
	if (end)
		return 0;
	(void)pv_record_fail(
	    p, r.line, e, "the file ends without its %s", p->end_name);
	return pv_hint(e, "the file is cut short: copy it again");
}

static int
scan(const struct pv_fw_file *f, struct pv_record_parser *p, struct pv_error *e)
{
	struct text t = { .f = f };
	struct digits d;
	int rc;

	digits_init(&d);
	t.buf = malloc(TEXT_CHUNK);
	if (t.buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	rc = scan_text(&t, &d, p, e);
	free(t.buf);
	return rc;
}

/* Read the file once more to name the two lines that claim one address. */
static int
overlap(const struct pv_fw_file *f, const struct pv_record_parser *rules,
    uint64_t addr, struct pv_error *e)
{
	struct pv_record_parser p = *rules;
	int rc;

	p.name = f->name;
	p.find = addr;
	if ((rc = scan(f, &p, e)) != 0)
		return rc;
	return pv_fail(e, PV_E_OVERLAP,
	    "'%s' line %lu: address 0x%08llx was given before, in line %lu",
	    f->name, p.found[1], (unsigned long long)addr, p.found[0]);
}

int
pv_records_read(const struct pv_fw_file *f,
    const struct pv_record_parser *rules, struct pv_fw_batch *b,
    struct pv_error *e)
{
	struct pv_record_parser p = *rules;
	struct pv_fw_store *store = NULL;
	int rc;

	if ((rc = pv_fw_store_new(&store, e)) != 0)
		return rc;
	p.name = f->name;
	p.to = store;
	rc = scan(f, &p, e);
	if (rc == 0)
		rc = pv_fw_store_finish(store, e);
	if (rc == PV_E_OVERLAP)
		rc = overlap(f, rules, pv_fw_store_twice(store), e);
	if (rc == 0 && pv_fw_store_count(store) == 0)
		rc = pv_fail(
		    e, PV_E_MALFORMED, "'%s' has no data records", f->name);
	if (rc != 0) {
		pv_fw_store_free(store);
		return rc;
	}
	b->has_entry = p.has_entry;
	b->entry = p.entry;
	return pv_fw_batch_add_store(b, f, store, e);
}
