/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/list_csv.h"

#include <stdbool.h>
#include <string.h>

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cut blanks off both ends, in place. */
static char *
trim(char *s)
{
	size_t n;

	while (is_blank(*s))
		s++;
	n = strlen(s);
	while (n > 0 && is_blank(s[n - 1]))
		s[--n] = '\0';
	return s;
}

/* A copy of the line that can be cut up; only plain text passes. */
static int
copy_line(const char *p, size_t n, unsigned int line,
    char dst[PV_LIST_LINE + 1], struct pv_error *e)
{
	if (n > PV_LIST_LINE)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: longer than %u bytes", line, PV_LIST_LINE);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)p[i];

		/* A CR ends a line only. */
		if (c == '\r' && i + 1 == n)
			continue;
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: byte 0x%02x is not plain text", line,
			    (unsigned int)c);
	}
	memcpy(dst, p, n);
	dst[n] = '\0';
	return 0;
}

static int
split(char *s, size_t columns, struct pv_list_row *row, struct pv_error *e)
{
	char *comma;

	row->n = 0;
	for (;;) {
		comma = strchr(s, ',');
		if (comma != NULL)
			*comma = '\0';
		if (row->n == columns)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: more than %zu columns", row->line,
			    columns);
		row->text[row->n] = trim(s);
		if (row->text[row->n][0] == '\0')
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: column %zu is empty", row->line,
			    row->n + 1);
		row->n++;
		if (comma == NULL)
			break;
		s = comma + 1;
	}
	if (row->n != columns)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: %zu columns, a row has %zu", row->line, row->n,
		    columns);
	return 0;
}

int
pv_list_decode(const char *text, size_t len, size_t columns, pv_list_fn each,
    void *ctx, struct pv_error *e)
{
	char copy[PV_LIST_LINE + 1], *s;
	struct pv_list_row row = { 0 };
	size_t rows = 0;
	int r = 0;

	if (len > PV_LIST_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes, a list has at most %u", len, PV_LIST_MAX);
	while (len > 0) {
		const char *nl = memchr(text, '\n', len);
		size_t n = nl == NULL ? len : (size_t)(nl - text);

		row.line++;
		r = copy_line(text, n, row.line, copy, e);
		if (r != 0)
			return r;
		text += nl == NULL ? n : n + 1;
		len -= nl == NULL ? n : n + 1;
		s = trim(copy);
		if (s[0] == '\0' || s[0] == '#')
			continue;
		if (rows++ == PV_LIST_ROWS)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: more than %u rows", row.line,
			    PV_LIST_ROWS);
		r = split(s, columns, &row, e);
		if (r == 0)
			r = each(ctx, &row, e);
		if (r != 0)
			return r;
	}
	if (rows == 0)
		return pv_fail(e, PV_E_MALFORMED, "no rows");
	return 0;
}
