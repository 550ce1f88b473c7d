/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/options_csv.h"

#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* A piece of the text. */
struct span {
	const char *p;
	size_t len;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct span
trim(struct span s)
{
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* The next line without its LF or CRLF; false at the end of the text. */
static bool
next_line(struct span *text, struct span *ret_line)
{
	const char *nl;
	size_t used;

	if (text->len == 0)
		return false;
	nl = memchr(text->p, '\n', text->len);
	ret_line->p = text->p;
	ret_line->len = nl == NULL ? text->len : (size_t)(nl - text->p);
	used = nl == NULL ? text->len : ret_line->len + 1;
	text->p += used;
	text->len -= used;
	if (nl != NULL && ret_line->len > 0 &&
	    ret_line->p[ret_line->len - 1] == '\r')
		ret_line->len--;
	return true;
}

static bool
is_name_char(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
	       (!first && c >= '0' && c <= '9');
}

static int
parse_name(struct span s, unsigned int line, char dst[PV_OPTCSV_NAME],
    struct pv_error *e)
{
	if (s.len == 0)
		return pv_fail(
		    e, PV_E_MALFORMED, "line %u: no register name", line);
	if (s.len >= PV_OPTCSV_NAME)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: register name of %zu characters, at most %u",
		    line, s.len, PV_OPTCSV_NAME - 1);
	for (size_t i = 0; i < s.len; i++) {
		if (!is_name_char(s.p[i], i == 0))
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: a register name has letters, digits and "
			    "'_' only",
			    line);
	}
	memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return 0;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* 0x hex, or decimal without leading zeros, which some tools read as octal. */
static int
parse_value(
    struct span s, unsigned int line, uint32_t *ret_v, struct pv_error *e)
{
	uint64_t v = 0;
	int base = 10;

	if (s.len > 1 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X')) {
		base = 16;
		s.p += 2;
		s.len -= 2;
	} else if (s.len > 1 && s.p[0] == '0') {
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: a decimal value with a leading zero is "
		    "ambiguous, write it with 0x",
		    line);
	}
	if (s.len == 0)
		return pv_fail(e, PV_E_MALFORMED, "line %u: no value", line);
	for (size_t i = 0; i < s.len; i++) {
		int d = digit(s.p[i]);

		if (d < 0 || d >= base) {
			(void)pv_fail(e, PV_E_MALFORMED,
			    "line %u: the value is not a number", line);
			if (line == 1)
				(void)pv_hint(e,
				    "the file has no header line; the "
				    "first line is the first register");
			return PV_E_MALFORMED;
		}
		v = v * (uint64_t)base + (uint64_t)d;
		if (v > UINT32_MAX)
			return pv_fail(e, PV_E_RANGE,
			    "line %u: the value does not fit 32 bits", line);
	}
	*ret_v = (uint32_t)v;
	return 0;
}

static int
check_bytes(struct span s, unsigned int line, struct pv_error *e)
{
	if (s.len > PV_OPTCSV_LINE)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: longer than %u bytes", line, PV_OPTCSV_LINE);
	for (size_t i = 0; i < s.len; i++) {
		if ((s.p[i] < 0x20 && s.p[i] != '\t') || s.p[i] > 0x7e)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: byte 0x%02x is not plain text", line,
			    (unsigned int)(unsigned char)s.p[i]);
	}
	if (s.len > 0 && s.p[0] == '#')
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: comments are not part of the format", line);
	return 0;
}

static int
parse_row(
    struct span s, unsigned int line, struct pv_optcsv *o, struct pv_error *e)
{
	const char *comma = memchr(s.p, ',', s.len);
	struct span name, value;
	int r;

	if (comma == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: no comma, a row is register,value", line);
	if (o->n == PV_OPTCSV_ROWS)
		return pv_fail(e, PV_E_MALFORMED, "line %u: more than %u rows",
		    line, PV_OPTCSV_ROWS);
	name.p = s.p;
	name.len = (size_t)(comma - s.p);
	value.p = comma + 1;
	value.len = s.len - name.len - 1;
	if (memchr(value.p, ',', value.len) != NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "line %u: more than two columns", line);
	r = parse_name(trim(name), line, o->names[o->n], e);
	if (r == 0)
		r = parse_value(trim(value), line, &o->values[o->n], e);
	if (r == 0)
		o->n++;
	return r;
}

int
pv_optcsv_decode(
    const char *text, size_t len, struct pv_optcsv *ret_o, struct pv_error *e)
{
	struct pv_optcsv o;
	struct span all = { text, len }, s;
	unsigned int line = 0, blank = 0;
	int r;

	if (len > PV_OPTCSV_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, an option-byte file has at most %u", len,
		    PV_OPTCSV_MAX);
	memset(&o, 0, sizeof(o));
	while (next_line(&all, &s)) {
		line++;
		r = check_bytes(s, line, e);
		if (r != 0)
			return r;
		s = trim(s);
		if (s.len == 0) {
			blank = blank == 0 ? line : blank;
			continue;
		}
		/* Every line is a word of the C area; a hole in the list is
		 * more likely a lost row than decoration. */
		if (blank != 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: empty line between rows", blank);
		r = parse_row(s, line, &o, e);
		if (r != 0)
			return r;
	}
	if (o.n == 0)
		return pv_fail(e, PV_E_MALFORMED, "no rows");
	*ret_o = o;
	return 0;
}

int
pv_optcsv_validate(
    const struct pv_optcsv *o, uint32_t words, struct pv_error *e)
{
	if (words == 0 || o->n == words)
		return 0;
	(void)pv_fail(e, PV_E_MALFORMED,
	    "%zu rows, the chip has %u option words", o->n,
	    (unsigned int)words);
	return pv_hint(e, "rows must be complete and in the order of the chip");
}

int
pv_optcsv_encode(const struct pv_optcsv *o, char *dst, size_t cap,
    size_t *ret_len, struct pv_error *e)
{
	size_t at = 0;

	for (size_t i = 0; i < o->n; i++) {
		int n = snprintf(dst + at, cap - at, "%s,0x%08X\n", o->names[i],
		    (unsigned int)o->values[i]);

		if (n < 0 || (size_t)n >= cap - at)
			return pv_fail(
			    e, PV_E_USAGE, "option rows do not fit the buffer");
		at += (size_t)n;
	}
	*ret_len = at;
	return 0;
}

void
pv_optcsv_payload(const uint32_t *values, size_t n,
    uint8_t ret_data[PV_SFI_MAX_OPTIONS], size_t *ret_len)
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_SFI_MAX_OPTIONS);
	for (size_t i = 0; i < n; i++)
		pv_wr_u32le(&w, values[i]);
	*ret_len = w.len;
}

int
pv_optcsv_from_payload(const uint8_t *data, size_t len, struct pv_optcsv *ret_o,
    struct pv_error *e)
{
	if (len == 0 || len % 4 != 0 || len > PV_SFI_MAX_OPTIONS)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes of option words, not 4 to %u in steps of 4", len,
		    PV_SFI_MAX_OPTIONS);
	memset(ret_o, 0, sizeof(*ret_o));
	ret_o->n = len / 4;
	for (size_t i = 0; i < ret_o->n; i++) {
		(void)snprintf(ret_o->names[i], PV_OPTCSV_NAME, "WORD_%zu", i);
		ret_o->values[i] = pv_get_u32le(data + i * 4);
	}
	return 0;
}
