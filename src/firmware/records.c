/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Intel HEX and S-records share: lines of hex digits with a count and a
 * checksum, collected into runs of bytes that are sorted and merged at the
 * end. The file is read through one small buffer; only its data is kept.
 */
#include "firmware/readers.h"

#include "base/file.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest record is an S-record: 'S', type, count, 255 bytes. */
#define LINE_MAX_CHARS (2U + 2U * 256U + 16U)
#define TEXT_CHUNK     65536U

/* Bytes that follow each other in address and in the file. */
struct run {
	uint64_t addr;
	size_t off; /* in the collected bytes */
	size_t len;
	unsigned long line; /* of its first record */
};

struct pv_records {
	uint8_t *bytes;
	size_t len, cap;
	struct run *runs;
	size_t n, runs_cap;

	/* second pass: which records hold this address */
	bool finding;
	uint64_t find;
	unsigned long found[2];
	size_t n_found;
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

/* Room for `more` bytes after len; doubles. */
static int
grow(void **p, size_t *cap, size_t len, size_t more, size_t each,
    struct pv_error *e)
{
	size_t want = *cap == 0 ? 4096 / each + 1 : *cap;
	void *q;

	if (more <= *cap - len)
		return 0;
	while (want - len < more) {
		if (want > SIZE_MAX / 2 / each)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		want *= 2;
	}
	q = realloc(*p, want * each);
	if (q == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*p = q;
	*cap = want;
	return 0;
}

int
pv_records_data(struct pv_record_parser *p, const struct pv_record *r,
    uint64_t addr, const uint8_t *data, size_t len, struct pv_error *e)
{
	struct pv_records *c = p->to;
	struct run *last;
	int rc;

	if (len == 0)
		return 0;
	if (addr >= PV_ADDR_END || len > PV_ADDR_END - addr)
		return pv_fail(e, PV_E_RANGE,
		    "'%s' line %lu: %zu bytes at 0x%08llx run past the end of "
		    "the 32-bit address space",
		    p->name, r->line, len, (unsigned long long)addr);
	if (c->finding) {
		if (c->n_found < 2 && c->find >= addr && c->find - addr < len)
			c->found[c->n_found++] = r->line;
		return 0;
	}
	if ((rc = grow((void **)&c->bytes, &c->cap, c->len, len, 1, e)) != 0)
		return rc;
	memcpy(c->bytes + c->len, data, len);
	c->len += len;

	last = c->n > 0 ? &c->runs[c->n - 1] : NULL;
	if (last != NULL && last->addr + last->len == addr) {
		last->len += len;
		return 0;
	}
	rc =
	    grow((void **)&c->runs, &c->runs_cap, c->n, 1, sizeof(*c->runs), e);
	if (rc != 0)
		return rc;
	assert(c->runs != NULL); /* grow made room */
	c->runs[c->n++] = (struct run){
		.addr = addr, .off = c->len - len, .len = len, .line = r->line
	};
	return 0;
}

/* --- lines ---------------------------------------------------------------- */

static int
digit(char ch)
{
	if (ch >= '0' && ch <= '9')
		return ch - '0';
	if (ch >= 'A' && ch <= 'F')
		return ch - 'A' + 10;
	if (ch >= 'a' && ch <= 'f')
		return ch - 'a' + 10;
	return -1;
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

static int
check_record(const struct pv_record_parser *p, const struct pv_record *r,
    struct pv_error *e)
{
	uint8_t sum = 0, is;

	if (r->len < p->overhead)
		return pv_record_fail(
		    p, r->line, e, "the line is too short for a record");
	if (r->len != r->bytes[0] + p->overhead)
		return pv_record_fail(p, r->line, e,
		    "the record says %u bytes, the line has %zu",
		    (unsigned int)r->bytes[0], r->len - p->overhead);
	for (size_t i = 0; i < r->len; i++)
		sum = (uint8_t)(sum + r->bytes[i]);
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
do_line(struct pv_record_parser *p, struct pv_record *r, const char *s,
    size_t len, bool *ret_end, struct pv_error *e)
{
	size_t at = p->mark == 'S' ? 2 : 1;
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
	r->len = 0;
	while (at + 1 < len && r->len < PV_RECORD_BYTES) {
		int hi = digit(s[at]), lo = digit(s[at + 1]);

		if (hi < 0 || lo < 0) {
			if (hi >= 0)
				at++;
			return bad_char(p, r, at, s[at], e);
		}
		r->bytes[r->len++] = (uint8_t)(hi << 4 | lo);
		at += 2;
	}
	if (at < len && digit(s[at]) < 0)
		return bad_char(p, r, at, s[at], e);
	if (at + 1 == len)
		return pv_record_fail(
		    p, r->line, e, "the line ends in half a byte");
	if (at < len)
		return pv_record_fail(
		    p, r->line, e, "the line is too long for a record");
	/* Rules may look at bytes past a short record: make them zero */
	memset(r->bytes + r->len, 0, PV_RECORD_BYTES - r->len);
	if ((rc = check_record(p, r, e)) != 0)
		return rc;
	return p->record(p, r, ret_end, e);
}

struct text {
	const struct pv_fw_file *f;
	char *buf; /* TEXT_CHUNK bytes */
	size_t pos, len;
	uint64_t off; /* of the byte after buf[len - 1] */
};

/*
 * The next line into `line` without its LF or CRLF; *ret_len SIZE_MAX at the
 * end of the file. A line too long for a record comes back cut to the size of
 * the buffer, which do_line then refuses.
 */
static int
next_line(struct text *t, char *line, size_t *ret_len, struct pv_error *e)
{
	size_t len = 0;
	bool any = false;
	int rc;

	for (;;) {
		size_t n;
		const char *nl, *from;

		if (t->pos == t->len) {
			uint64_t left = t->f->size - t->off;

			if (left == 0)
				break;
			t->len = left < TEXT_CHUNK ? (size_t)left : TEXT_CHUNK;
			t->pos = 0;
			rc = pv_pread_exact(
			    t->f->fd, t->f->name, t->buf, t->len, t->off, e);
			if (rc != 0)
				return rc;
			t->off += t->len;
		}
		any = true;
		from = t->buf + t->pos;
		n = t->len - t->pos;
		nl = memchr(from, '\n', n);
		if (nl != NULL)
			n = (size_t)(nl - from);
		t->pos += n + (nl != NULL ? 1 : 0);
		if (n > LINE_MAX_CHARS - len)
			n = LINE_MAX_CHARS - len;
		memcpy(line + len, from, n);
		len += n;
		if (nl != NULL)
			break;
	}
	if (len > 0 && line[len - 1] == '\r')
		len--;
	*ret_len = any ? len : SIZE_MAX;
	return 0;
}

static int
scan(const struct pv_fw_file *f, struct pv_record_parser *p, struct pv_error *e)
{
	struct text t = { .f = f };
	struct pv_record r = { 0 };
	char line[LINE_MAX_CHARS];
	bool end = false;
	size_t len;
	int rc;

	t.buf = malloc(TEXT_CHUNK);
	if (t.buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (;;) {
		if ((rc = next_line(&t, line, &len, e)) != 0)
			break;
		if (len == SIZE_MAX)
			break;
		r.line++;
		if (len == 0)
			continue;
		if (end) {
			rc = pv_record_fail(p, r.line, e,
			    "there is text after the %s", p->end_name);
			break;
		}
		if ((rc = do_line(p, &r, line, len, &end, e)) != 0)
			break;
	}
	if (rc == 0 && !end) {
		(void)pv_record_fail(
		    p, r.line, e, "the file ends without its %s", p->end_name);
		rc = pv_hint(e, "the file is cut short: copy it again");
	}
	free(t.buf);
	return rc;
}

/* --- runs to segments ----------------------------------------------------- */

static int
by_addr(const void *va, const void *vb)
{
	const struct run *a = va, *b = vb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	return a->line < b->line ? -1 : a->line > b->line;
}

/* Read the file once more to name the two lines that claim one address. */
static int
overlap(const struct pv_fw_file *f, const struct pv_record_parser *rules,
    uint64_t addr, struct pv_error *e)
{
	struct pv_records c = { .finding = true, .find = addr };
	struct pv_record_parser p = *rules;
	int rc;

	p.name = f->name;
	p.to = &c;
	if ((rc = scan(f, &p, e)) != 0)
		return rc;
	return pv_fail(e, PV_E_OVERLAP,
	    "'%s' line %lu: address 0x%08llx was given before, in line %lu",
	    f->name, c.found[1], (unsigned long long)addr, c.found[0]);
}

/* runs[first..last) touch: one segment. */
static int
join(const struct pv_fw_file *f, const struct pv_records *c, size_t first,
    size_t last, struct pv_fw_batch *b, struct pv_error *e)
{
	struct pv_fw_segment seg = { 0 };
	size_t at = 0;

	for (size_t i = first; i < last; i++)
		at += c->runs[i].len;
	seg.addr = c->runs[first].addr;
	seg.size = at;
	seg.data = malloc(at);
	if (seg.data == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	at = 0;
	for (size_t i = first; i < last; i++) {
		memcpy(
		    seg.data + at, c->bytes + c->runs[i].off, c->runs[i].len);
		at += c->runs[i].len;
	}
	return pv_fw_batch_add(b, &seg, e, "%s", f->name);
}

static int
to_segments(const struct pv_fw_file *f, const struct pv_record_parser *rules,
    struct pv_records *c, struct pv_fw_batch *b, struct pv_error *e)
{
	size_t first = 0;
	int rc;

	qsort(c->runs, c->n, sizeof(*c->runs), by_addr);
	for (size_t i = 1; i <= c->n; i++) {
		const struct run *prev = &c->runs[i - 1];
		uint64_t end = prev->addr + prev->len;

		if (i < c->n && c->runs[i].addr < end)
			return overlap(f, rules, c->runs[i].addr, e);
		if (i < c->n && c->runs[i].addr == end)
			continue;
		if ((rc = join(f, c, first, i, b, e)) != 0)
			return rc;
		first = i;
	}
	return 0;
}

int
pv_records_read(const struct pv_fw_file *f,
    const struct pv_record_parser *rules, struct pv_fw_batch *b,
    struct pv_error *e)
{
	struct pv_record_parser p = *rules;
	struct pv_records c = { 0 };
	int rc;

	if (f->size > PV_RECORD_TEXT_MAX) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %llu bytes of text, more than %llu", f->name,
		    (unsigned long long)f->size,
		    (unsigned long long)PV_RECORD_TEXT_MAX);
		return pv_hint(e, "give the ELF file, or a raw image with its "
				  "address (FILE@ADDR)");
	}
	p.name = f->name;
	p.to = &c;
	if ((rc = scan(f, &p, e)) != 0)
		goto out;
	if (c.n == 0) {
		rc = pv_fail(
		    e, PV_E_MALFORMED, "'%s' has no data records", f->name);
		goto out;
	}
	rc = to_segments(f, rules, &c, b, e);
	b->has_entry = p.has_entry;
	b->entry = p.entry;
out:
	free(c.bytes);
	free(c.runs);
	return rc;
}
