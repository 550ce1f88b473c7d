/* SPDX-License-Identifier: Apache-2.0 */
#include "package/table.h"

#include "base/json.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NAME "name"

/*
 * Values are cut out of the text where they stand: terminated in place, by a
 * zero over the comma or quote behind them. Cells hold offsets into it.
 */
struct pv_table {
	struct pv_secret *text;
	size_t columns;
	size_t names[PV_TABLE_COLUMNS]; /* offsets */
	size_t name;			/* the column `name` */
	uint32_t *cells;		/* rows * columns offsets */
	uint32_t *lines;
	size_t rows, cap;
};

static char *
text_at(const struct pv_table *t, size_t off)
{
	return (char *)pv_secret_data(t->text) + off;
}

size_t
pv_table_rows(const struct pv_table *t)
{
	return t->rows;
}

bool
pv_table_column(const struct pv_table *t, const char *name, size_t *ret_column)
{
	for (size_t i = 0; i < t->columns; i++) {
		if (strcmp(text_at(t, t->names[i]), name) == 0) {
			*ret_column = i;
			return true;
		}
	}
	return false;
}

const char *
pv_table_cell(const struct pv_table *t, size_t row, size_t column)
{
	return text_at(t, t->cells[row * t->columns + column]);
}

const char *
pv_table_name(const struct pv_table *t, size_t row)
{
	return pv_table_cell(t, row, t->name);
}

size_t
pv_table_line(const struct pv_table *t, size_t row)
{
	return t->lines[row];
}

void
pv_table_free(struct pv_table *t)
{
	if (t == NULL)
		return;
	pv_secret_free(t->text);
	free(t->cells);
	free(t->lines);
	free(t);
}

/* --- rows ---------------------------------------------------------------------- */

static int
add_row(
    struct pv_table *t, const size_t *offsets, size_t line, struct pv_error *e)
{
	if (t->rows == PV_TABLE_ROWS)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %zu: more than %u devices", line, PV_TABLE_ROWS);
	if (t->rows == t->cap) {
		size_t cap = t->cap == 0 ? 64 : 2 * t->cap;
		uint32_t *cells, *lines;

		cells = realloc(t->cells, cap * t->columns * sizeof(*t->cells));
		if (cells != NULL)
			t->cells = cells;
		lines = realloc(t->lines, cap * sizeof(*t->lines));
		if (lines != NULL)
			t->lines = lines;
		if (cells == NULL || lines == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		t->cap = cap;
	}
	for (size_t i = 0; i < t->columns; i++)
		t->cells[t->rows * t->columns + i] = (uint32_t)offsets[i];
	t->lines[t->rows++] = (uint32_t)line;
	return 0;
}

/* A file name that is the same everywhere, and no option or hidden file. */
static bool
name_ok(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n > PV_TABLE_NAME || s[0] == '.' || s[0] == '-')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789._-") == n;
}

struct named {
	const char *name;
	size_t row;
};

static int
by_name(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int
check_names(const struct pv_table *t, struct pv_error *e)
{
	struct named *v;
	int r = 0;

	if (t->rows == 0)
		return pv_fail(e, PV_E_MALFORMED, "no devices");
	v = calloc(t->rows, sizeof(*v));
	if (v == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < t->rows; i++) {
		v[i].name = pv_table_name(t, i);
		v[i].row = i;
		if (!name_ok(v[i].name))
			r = pv_fail(e, PV_E_MALFORMED,
			    "line %zu: the name of a device is 1 to %u "
			    "letters, digits, '.', '_' or '-', and begins "
			    "with a letter, digit or '_'",
			    pv_table_line(t, i), PV_TABLE_NAME);
	}
	/* Whole only when every name was good. */
	if (r == 0)
		qsort(v, t->rows, sizeof(*v), by_name);
	for (size_t i = 1; r == 0 && i < t->rows; i++) {
		if (strcmp(v[i - 1].name, v[i].name) == 0)
			r = pv_fail(e, PV_E_MALFORMED,
			    "lines %zu and %zu have the same name",
			    pv_table_line(t, v[i - 1].row),
			    pv_table_line(t, v[i].row));
	}
	free(v);
	return r;
}

static int
check_columns(struct pv_table *t, size_t line, struct pv_error *e)
{
	for (size_t i = 0; i < t->columns; i++) {
		const char *name = text_at(t, t->names[i]);
		size_t first = 0;

		if (name[0] == '\0')
			return pv_fail(e, PV_E_MALFORMED,
			    "line %zu: column %zu has no name", line, i + 1);
		if (pv_table_column(t, name, &first) && first != i)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %zu: columns %zu and %zu have the same name",
			    line, first + 1, i + 1);
	}
	if (!pv_table_column(t, NAME, &t->name))
		return pv_fail(e, PV_E_MALFORMED,
		    "line %zu: no column '%s', which names the packages", line,
		    NAME);
	return 0;
}

/* --- CSV (RFC 4180, values on one line) ------------------------------------------- */

/*
 * One value from `at`; *ret_next is behind its comma, or NULL for the last one.
 * `end` is the end of the line, which can be overwritten.
 */
static int
cut_value(char *at, char *end, char **ret_next, size_t line, struct pv_error *e)
{
	char *dst = at, *p = at;

	if (at < end && *at == '"') {
		for (p = at + 1; p < end; p++) {
			if (*p == '"' && (p + 1 == end || p[1] != '"'))
				break;
			if (*p == '"')
				p++;
			*dst++ = *p;
		}
		if (p == end)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %zu: a quote is not closed", line);
		p++;
		if (p < end && *p != ',')
			return pv_fail(e, PV_E_MALFORMED,
			    "line %zu: text after a closing quote", line);
	} else {
		while (p < end && *p != ',' && *p != '"')
			p++;
		if (p < end && *p == '"')
			return pv_fail(e, PV_E_MALFORMED,
			    "line %zu: a quote inside a value", line);
		dst = p;
	}
	*ret_next = p < end ? p + 1 : NULL;
	*dst = '\0';
	return 0;
}

/* All values of a line, as offsets. */
static int
cut_line(struct pv_table *t, char *at, char *end, size_t line,
    size_t offsets[PV_TABLE_COLUMNS], size_t *ret_n, struct pv_error *e)
{
	char *base = text_at(t, 0), *next = at;
	size_t n = 0;
	int r;

	while (next != NULL) {
		if (n == PV_TABLE_COLUMNS)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %zu: more than %u columns", line,
			    PV_TABLE_COLUMNS);
		at = next;
		offsets[n++] = (size_t)(at - base);
		r = cut_value(at, end, &next, line, e);
		if (r != 0)
			return r;
	}
	*ret_n = n;
	return 0;
}

static int
csv_line(
    struct pv_table *t, char *at, char *end, size_t line, struct pv_error *e)
{
	size_t offsets[PV_TABLE_COLUMNS], n = 0;
	int r = cut_line(t, at, end, line, offsets, &n, e);

	if (r != 0)
		return r;
	if (t->columns == 0) {
		t->columns = n;
		memcpy(t->names, offsets, n * sizeof(offsets[0]));
		return check_columns(t, line, e);
	}
	if (n != t->columns)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %zu: %zu values for %zu columns", line, n,
		    t->columns);
	return add_row(t, offsets, line, e);
}

/* --- JSONL ------------------------------------------------------------------------ */

/* A text of the line, put where it stood: it is never longer than its JSON. */
static bool
put_text(struct pv_table *t, char **at, const char *end, const char *text,
    size_t *ret_offset)
{
	size_t n = strlen(text) + 1;

	if (n > (size_t)(end - *at))
		return false;
	memcpy(*at, text, n);
	*ret_offset = (size_t)(*at - text_at(t, 0));
	*at += n;
	return true;
}

static int
json_names(struct pv_table *t, const struct pv_json *o, char **at,
    const char *end, size_t line, struct pv_error *e)
{
	size_t n = pv_json_count(o);

	if (n > PV_TABLE_COLUMNS)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %zu: more than %u members", line, PV_TABLE_COLUMNS);
	for (size_t i = 0; i < n; i++)
		if (!put_text(t, at, end, pv_json_name_at(o, i), &t->names[i]))
			return pv_fail(e, PV_E_INTERNAL, "batch text");
	t->columns = n;
	return check_columns(t, line, e);
}

static int
json_values(struct pv_table *t, const struct pv_json *o, char **at,
    const char *end, size_t line, struct pv_error *e)
{
	size_t offsets[PV_TABLE_COLUMNS];

	if (pv_json_count(o) != t->columns)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %zu: %zu members, the first line has %zu", line,
		    pv_json_count(o), t->columns);
	for (size_t i = 0; i < t->columns; i++) {
		const char *name = text_at(t, t->names[i]);
		const char *text = pv_json_text(pv_json_get(o, name));

		if (text == NULL)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %zu: '%s' is missing or no text", line, name);
		if (!put_text(t, at, end, text, &offsets[i]))
			return pv_fail(e, PV_E_INTERNAL, "batch text");
	}
	return add_row(t, offsets, line, e);
}

static int
json_line(
    struct pv_table *t, char *at, char *end, size_t line, struct pv_error *e)
{
	struct pv_json *o = NULL;
	int r = pv_json_parse(at, (size_t)(end - at), &o, e);

	if (r == 0 && !pv_json_is_object(o))
		r = pv_fail(e, PV_E_MALFORMED, "not a JSON object");
	if (r != 0) {
		pv_json_wipe(o);
		return pv_wrap(e, "line %zu", line);
	}
	if (t->columns == 0)
		r = json_names(t, o, &at, end, line, e);
	if (r == 0)
		r = json_values(t, o, &at, end, line, e);
	pv_json_wipe(o);
	return r;
}

/* --- reading --------------------------------------------------------------------- */

static int
read_lines(struct pv_table *t, struct pv_error *e)
{
	static const char bom[] = "\xef\xbb\xbf";
	/* The text has one byte more than the file: room for a last zero. */
	char *at = text_at(t, 0), *stop = at + pv_secret_len(t->text) - 1;
	size_t line = 0;
	bool json;
	int r = 0;

	if (memchr(at, '\0', (size_t)(stop - at)) != NULL)
		return pv_fail(e, PV_E_MALFORMED, "a zero byte in the text");
	if (stop - at >= 3 && memcmp(at, bom, 3) == 0)
		at += 3;
	json = at < stop && *at == '{';
	while (r == 0 && at < stop) {
		char *nl = memchr(at, '\n', (size_t)(stop - at));
		char *end = nl == NULL ? stop : nl, *next = end + 1;

		line++;
		if (end > at && end[-1] == '\r')
			end--;
		if (end > at)
			r = json ? json_line(t, at, end, line, e)
				 : csv_line(t, at, end, line, e);
		at = next;
	}
	return r;
}

int
pv_table_parse(
    struct pv_secret *text, struct pv_table **ret_t, struct pv_error *e)
{
	struct pv_table *t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL) {
		pv_secret_free(text);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	r = pv_secret_new(pv_secret_len(text) + 1, &t->text, e);
	if (r == 0)
		memcpy(pv_secret_data(t->text), pv_secret_bytes(text),
		    pv_secret_len(text));
	pv_secret_free(text);
	if (r == 0)
		r = read_lines(t, e);
	if (r == 0)
		r = check_names(t, e);
	if (r != 0) {
		pv_table_free(t);
		return r;
	}
	*ret_t = t;
	return 0;
}

int
pv_table_load(const char *path, struct pv_table **ret_t, struct pv_error *e)
{
	struct pv_secret *text = NULL;
	int r = pv_secret_read_all(path, PV_TABLE_MAX, &text, e);

	if (r == 0 && (r = pv_table_parse(text, ret_t, e)) != 0)
		(void)pv_wrap(e, "'%s'", path);
	return r;
}
