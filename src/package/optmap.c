/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map stays the JSON that it was read from. Loading it explains a set of
 * words once, for nobody, which meets every member: after that a fault in the
 * file is impossible.
 */
#include "package/optmap.h"

#include "base/file.h"
#include "base/json.h"
#include "formats/options_csv.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAP_MAX 65536U /* bytes of a file */

struct pv_optmap {
	struct pv_json *root;
	const struct pv_json *rows;
};

/* The word at hand, and where its settings go. */
struct word {
	const struct pv_json *row;
	uint32_t value;
	struct pv_opt_setting s;
	pv_opt_setting_fn each;
	void *ctx;
};

static int
only(const struct pv_json *o, const char *const *members, struct pv_error *e)
{
	if (!pv_json_is_object(o))
		return pv_fail(e, PV_E_MALFORMED, "not an object");
	for (size_t i = 0; i < pv_json_count(o); i++) {
		const char *name = pv_json_name_at(o, i);
		size_t m = 0;

		while (members[m] != NULL && strcmp(members[m], name) != 0)
			m++;
		if (members[m] == NULL)
			return pv_fail(
			    e, PV_E_MALFORMED, "unknown member '%s'", name);
	}
	return 0;
}

static int
get_u32(const struct pv_json *o, const char *name, uint32_t max,
    uint32_t *ret_v, struct pv_error *e)
{
	uint64_t v = 0;
	int r = pv_json_u64(o, name, max, &v, e);

	if (r == 0)
		*ret_v = (uint32_t)v;
	return r;
}

/* An array member, or NULL when it is absent. */
static int
get_array(const struct pv_json *o, const char *name,
    const struct pv_json **ret_a, struct pv_error *e)
{
	*ret_a = pv_json_get(o, name);
	if (*ret_a != NULL && !pv_json_is_array(*ret_a))
		return pv_fail(e, PV_E_MALFORMED, "'%s' is not a list", name);
	return 0;
}

/* `width` bits of the word at `bit`; the width is 1..32. */
static int
get_bits(const struct word *w, const struct pv_json *o, const char *bit_name,
    uint32_t *ret_v, struct pv_error *e)
{
	uint32_t bit = 0, width = 0;
	int r = get_u32(o, bit_name, 31, &bit, e);

	if (r == 0)
		r = get_u32(o, "width", 32, &width, e);
	if (r == 0 && (width == 0 || bit + width > 32))
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' and 'width' leave the 32 bits", bit_name);
	if (r == 0)
		*ret_v = (w->value >> bit) &
			 (width == 32 ? UINT32_MAX : (1U << width) - 1U);
	return r;
}

/* --- fields -------------------------------------------------------------------- */

/* "text", and "warn" or "irreversible" of a value. */
static int
take_meaning(struct word *w, const struct pv_json *o, struct pv_error *e)
{
	static const char *const members[] = { "value", "text", "warn",
		"irreversible", NULL };
	const char *text = NULL, *warn = NULL, *never = NULL;
	int r = only(o, members, e);

	if (r == 0)
		r = pv_json_str(o, "text", &text, e);
	if (r == 0)
		r = pv_json_opt_str(o, "warn", &warn, e);
	if (r == 0)
		r = pv_json_opt_str(o, "irreversible", &never, e);
	if (r != 0)
		return r;
	(void)snprintf(w->s.text, sizeof(w->s.text), "%s", text);
	w->s.effect = never != NULL  ? PV_OPT_IRREVERSIBLE
		      : warn != NULL ? PV_OPT_WARN
				     : PV_OPT_PLAIN;
	w->s.advice = never != NULL ? never : warn;
	return 0;
}

/* The meaning of w->s.value; meets every value, so that each is checked. */
static int
find_meaning(struct word *w, const struct pv_json *field, struct pv_error *e)
{
	const struct pv_json *values = NULL, *hit = pv_json_get(field, "else");
	int r = get_array(field, "values", &values, e);

	if (r == 0 && hit != NULL)
		r = take_meaning(w, hit, e);
	for (size_t i = 0; r == 0 && i < pv_json_count(values); i++) {
		const struct pv_json *v = pv_json_at(values, i);
		uint32_t number = 0;

		r = take_meaning(w, v, e);
		if (r == 0)
			r = get_u32(v, "value", UINT32_MAX, &number, e);
		if (r == 0 && number == w->s.value)
			hit = v;
	}
	w->s.text[0] = '\0';
	w->s.effect = PV_OPT_PLAIN;
	w->s.advice = NULL;
	return r == 0 && hit != NULL ? take_meaning(w, hit, e) : r;
}

static int
explain_field(struct word *w, const struct pv_json *field, struct pv_error *e)
{
	static const char *const members[] = { "name", "bit", "width",
		"address_shift", "values", "else", NULL };
	uint64_t shift = 0;
	int r = only(field, members, e);

	if (r == 0)
		r = pv_json_str(field, "name", &w->s.field, e);
	if (r == 0)
		r = get_bits(w, field, "bit", &w->s.value, e);
	if (r == 0)
		r = find_meaning(w, field, e);
	if (r == 0)
		r = pv_json_opt_u64(field, "address_shift", 31, &shift, e);
	if (r != 0)
		return r;
	if (shift != 0)
		(void)snprintf(w->s.text, sizeof(w->s.text),
		    "address 0x%08" PRIx32, w->s.value << shift);
	return w->each(w->ctx, &w->s, e);
}

/* From a first to a last unit; nothing when the last is below the first. */
static int
explain_range(struct word *w, const struct pv_json *range, struct pv_error *e)
{
	static const char *const members[] = { "name", "start_bit", "end_bit",
		"width", "text", "equal", NULL };
	const char *text = NULL, *equal = NULL;
	uint32_t first = 0, last = 0;
	int r = only(range, members, e);

	if (r == 0)
		r = pv_json_str(range, "name", &w->s.field, e);
	if (r == 0)
		r = pv_json_str(range, "text", &text, e);
	if (r == 0)
		r = pv_json_opt_str(range, "equal", &equal, e);
	if (r == 0)
		r = get_bits(w, range, "start_bit", &first, e);
	if (r == 0)
		r = get_bits(w, range, "end_bit", &last, e);
	if (r != 0)
		return r;
	if (first > last)
		(void)snprintf(w->s.text, sizeof(w->s.text), "%s: none", text);
	else if (first == last && equal != NULL)
		(void)snprintf(
		    w->s.text, sizeof(w->s.text), "%s: %s", text, equal);
	else
		(void)snprintf(w->s.text, sizeof(w->s.text),
		    "%s: %" PRIu32 "..%" PRIu32, text, first, last);
	w->s.value = w->value;
	return w->each(w->ctx, &w->s, e);
}

/* One bit for each unit, 0 = it is protected. */
static int
explain_mask(struct word *w, const struct pv_json *mask, struct pv_error *e)
{
	static const char *const members[] = { "name", "bit", "width", "text",
		NULL };
	const char *text = NULL;
	uint32_t width = 0, ones = 0;
	int r = only(mask, members, e);

	if (r == 0)
		r = pv_json_str(mask, "name", &w->s.field, e);
	if (r == 0)
		r = pv_json_str(mask, "text", &text, e);
	if (r == 0)
		r = get_bits(w, mask, "bit", &w->s.value, e);
	if (r == 0)
		r = get_u32(mask, "width", 32, &width, e);
	if (r != 0)
		return r;
	for (uint32_t i = 0; i < width; i++)
		ones += (w->s.value >> i) & 1U;
	if (ones == width)
		(void)snprintf(w->s.text, sizeof(w->s.text), "%s: none", text);
	else
		(void)snprintf(w->s.text, sizeof(w->s.text),
		    "%s: %" PRIu32 " of %" PRIu32, text, width - ones, width);
	return w->each(w->ctx, &w->s, e);
}

static int
check_reserved(struct word *w, struct pv_error *e)
{
	uint64_t mask = 0, value = 0;
	int r = pv_json_opt_u64(w->row, "reserved_mask", UINT32_MAX, &mask, e);

	if (r == 0)
		r = pv_json_opt_u64(
		    w->row, "reserved_value", UINT32_MAX, &value, e);
	if (r == 0 && (value & ~mask) != 0)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'reserved_value' has bits outside 'reserved_mask'");
	if (r != 0 || (w->value & mask) == value)
		return r;
	w->s.field = "reserved bits";
	w->s.value = (uint32_t)(w->value & mask);
	(void)snprintf(w->s.text, sizeof(w->s.text),
	    "0x%08" PRIx32 " where 0x%08" PRIx32 " belongs", w->s.value,
	    (uint32_t)value);
	w->s.effect = PV_OPT_WARN;
	w->s.advice = "reserved bits keep the value they were delivered with";
	return w->each(w->ctx, &w->s, e);
}

typedef int (*explain_fn)(
    struct word *w, const struct pv_json *o, struct pv_error *e);

static int
explain_list(
    struct word *w, const char *name, explain_fn explain, struct pv_error *e)
{
	const struct pv_json *list = NULL;
	int r = get_array(w->row, name, &list, e);

	for (size_t i = 0; r == 0 && i < pv_json_count(list); i++) {
		w->s.effect = PV_OPT_PLAIN;
		w->s.advice = NULL;
		r = explain(w, pv_json_at(list, i), e);
	}
	return r;
}

static int
explain_row(struct word *w, struct pv_error *e)
{
	static const char *const members[] = { "name", "also", "ignored",
		"reserved_mask", "reserved_value", "fields", "ranges", "masks",
		NULL };
	const struct pv_json *also = NULL;
	bool ignored = false;
	int r = only(w->row, members, e);

	if (r == 0)
		r = pv_json_str(w->row, "name", &w->s.row_name, e);
	if (r == 0)
		r = get_array(w->row, "also", &also, e);
	for (size_t i = 0; r == 0 && i < pv_json_count(also); i++) {
		if (pv_json_text(pv_json_at(also, i)) == NULL)
			r = pv_fail(e, PV_E_MALFORMED, "'also' is not text");
	}
	if (r == 0)
		r = pv_json_opt_bool(w->row, "ignored", &ignored, e);
	if (r == 0)
		r = explain_list(w, "fields", explain_field, e);
	if (r == 0)
		r = explain_list(w, "ranges", explain_range, e);
	if (r == 0)
		r = explain_list(w, "masks", explain_mask, e);
	if (r == 0)
		r = check_reserved(w, e);
	if (r != 0 || !ignored)
		return r;
	w->s.field = "value";
	w->s.value = w->value;
	w->s.effect = PV_OPT_PLAIN;
	w->s.advice = NULL;
	(void)snprintf(w->s.text, sizeof(w->s.text), "not used by the chip");
	return w->each(w->ctx, &w->s, e);
}

int
pv_optmap_explain(const struct pv_optmap *m, const uint32_t *words, size_t n,
    pv_opt_setting_fn each, void *ctx, struct pv_error *e)
{
	int r = 0;

	if (n != pv_optmap_rows(m))
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu option words, the family has %zu", n,
		    pv_optmap_rows(m));
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct word w = { .row = pv_json_at(m->rows, i),
			.value = words[i],
			.each = each,
			.ctx = ctx };

		w.s.row = i;
		r = explain_row(&w, e);
	}
	return r;
}

/* --- the map ------------------------------------------------------------------- */

static int
ignore(void *ctx, const struct pv_opt_setting *s, struct pv_error *e)
{
	(void)ctx;
	(void)s;
	(void)e;
	return 0;
}

static int
check_ids(const struct pv_json *root, struct pv_error *e)
{
	const struct pv_json *ids = NULL;
	int r = get_array(root, "device_ids", &ids, e);
	uint64_t id;

	if (r == 0 && pv_json_count(ids) == 0)
		return pv_fail(e, PV_E_MALFORMED, "no 'device_ids'");
	for (size_t i = 0; r == 0 && i < pv_json_count(ids); i++)
		r = pv_json_value_u64(pv_json_at(ids, i), 0xfff, &id, e);
	return r;
}

int
pv_optmap_parse(
    const char *text, size_t len, struct pv_optmap **ret_m, struct pv_error *e)
{
	static const char *const members[] = { "family", "device_ids",
		"sources", "notes", "rows", NULL };
	uint32_t words[PV_OPTCSV_ROWS] = { 0 };
	struct pv_optmap *m = calloc(1, sizeof(*m));
	const char *family = NULL;
	int r;

	if (m == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_json_parse(text, len, &m->root, e);
	if (r == 0)
		r = only(m->root, members, e);
	if (r == 0)
		r = pv_json_str(m->root, "family", &family, e);
	if (r == 0)
		r = check_ids(m->root, e);
	if (r == 0)
		r = get_array(m->root, "rows", &m->rows, e);
	if (r == 0 && (pv_json_count(m->rows) == 0 ||
			  pv_json_count(m->rows) > PV_OPTCSV_ROWS))
		r = pv_fail(e, PV_E_MALFORMED, "%zu rows, not 1 to %u",
		    pv_json_count(m->rows), PV_OPTCSV_ROWS);
	if (r == 0)
		r = pv_optmap_explain(
		    m, words, pv_json_count(m->rows), ignore, NULL, e);
	if (r != 0) {
		pv_optmap_free(m);
		return r;
	}
	*ret_m = m;
	return 0;
}

void
pv_optmap_free(struct pv_optmap *m)
{
	if (m == NULL)
		return;
	pv_json_free(m->root);
	free(m);
}

size_t
pv_optmap_rows(const struct pv_optmap *m)
{
	return pv_json_count(m->rows);
}

const char *
pv_optmap_row_name(const struct pv_optmap *m, size_t row)
{
	return pv_json_text(pv_json_get(pv_json_at(m->rows, row), "name"));
}

bool
pv_optmap_is_for(const struct pv_optmap *m, uint32_t device_id)
{
	const struct pv_json *ids = pv_json_get(m->root, "device_ids");
	uint64_t id;

	for (size_t i = 0; i < pv_json_count(ids); i++) {
		if (pv_json_value_u64(pv_json_at(ids, i), 0xfff, &id, NULL) ==
			0 &&
		    id == device_id)
			return true;
	}
	return false;
}

static int
load(const char *path, struct pv_optmap **ret_m, struct pv_error *e)
{
	uint8_t *text = NULL;
	size_t len = 0;
	int r = pv_file_read(path, MAP_MAX, &text, &len, e);

	if (r != 0)
		return r;
	r = pv_optmap_parse((const char *)text, len, ret_m, e);
	free(text);
	return r == 0 ? 0 : pv_wrap(e, "'%s'", path);
}

int
pv_optmap_load(const char *const *dirs, const struct pv_chip *chip,
    struct pv_optmap **ret_m, struct pv_error *e)
{
	char name[PV_CHIP_NAME + 16], path[4096];
	struct pv_optmap *m = NULL;
	struct pv_error tried;
	int r = PV_E_NOT_FOUND;

	*ret_m = NULL;
	(void)snprintf(name, sizeof(name), "options/%s.json", chip->family);
	for (char *p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	for (size_t i = 0; r == PV_E_NOT_FOUND && dirs[i] != NULL; i++) {
		if (pv_path_fit(path, sizeof(path), dirs[i], name, NULL) != 0)
			continue;
		r = load(path, &m, &tried);
	}
	if (r == PV_E_NOT_FOUND)
		return 0;
	if (r != 0 || m == NULL) {
		if (e != NULL)
			*e = tried;
		return r;
	}
	if (!pv_optmap_is_for(m, chip->device_id) ||
	    pv_optmap_rows(m) != chip->option_words)
		pv_optmap_free(m);
	else
		*ret_m = m;
	return 0;
}

/* --- names --------------------------------------------------------------------- */

/* The row that a name belongs to, or the number of rows. */
static size_t
row_of(const struct pv_optmap *m, const char *name)
{
	size_t n = pv_optmap_rows(m);

	for (size_t i = 0; i < n; i++) {
		const struct pv_json *row = pv_json_at(m->rows, i);
		const struct pv_json *also = pv_json_get(row, "also");

		if (strcmp(pv_optmap_row_name(m, i), name) == 0)
			return i;
		for (size_t k = 0; k < pv_json_count(also); k++)
			if (strcmp(pv_json_text(pv_json_at(also, k)), name) ==
			    0)
				return i;
	}
	return n;
}

/* The first row of the map that no line of the CSV has, or NULL. */
static const char *
missing(const struct pv_optmap *m, const struct pv_optcsv *csv)
{
	for (size_t i = 0; i < pv_optmap_rows(m); i++) {
		size_t k = 0;

		while (k < csv->n && row_of(m, csv->names[k]) != i)
			k++;
		if (k == csv->n)
			return pv_optmap_row_name(m, i);
	}
	return NULL;
}

static int
check_doubled(const struct pv_optcsv *csv, struct pv_error *e)
{
	for (size_t i = 1; i < csv->n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(csv->names[i], csv->names[k]) == 0)
				return pv_fail(e, PV_E_MALFORMED,
				    "line %zu: '%s' again, it is on line %zu "
				    "already",
				    i + 1, csv->names[i], k + 1);
		}
	}
	return 0;
}

int
pv_optmap_check(
    const struct pv_optmap *m, const struct pv_optcsv *csv, struct pv_error *e)
{
	size_t n = pv_optmap_rows(m);
	const char *lost = missing(m, csv);
	int r = check_doubled(csv, e);

	if (r != 0)
		return r;
	if (csv->n < n && lost != NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu rows, the chip has %zu option words: '%s' is missing",
		    csv->n, n, lost);
	for (size_t i = 0; i < csv->n; i++) {
		size_t row = row_of(m, csv->names[i]);

		if (row == i || row == n)
			continue;
		if (i >= n)
			break;
		return pv_fail(e, PV_E_MALFORMED,
		    "line %zu: '%s' stands where '%s' belongs, its place is "
		    "line %zu",
		    i + 1, csv->names[i], pv_optmap_row_name(m, i), row + 1);
	}
	return pv_optcsv_validate(csv, (uint32_t)n, e);
}
