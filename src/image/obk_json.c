/* SPDX-License-Identifier: Apache-2.0 */
/* OB keys from JSON; the members are those of obk.md, "From JSON". */
#include "image/obk.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define JSON_FILE_MAX 262144U

static int
copy(char **dst, const char *src, struct pv_error *e)
{
	if (src == NULL)
		return 0;
	*dst = strdup(src);
	return *dst == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory") : 0;
}

static int
opt_text(
    const struct pv_json *o, const char *name, char **dst, struct pv_error *e)
{
	const char *text = NULL;
	int r = pv_json_opt_str(o, name, &text, e);

	return r != 0 ? r : copy(dst, text, e);
}

static int
opt_number(const struct pv_json *o, const char *name, uint64_t max,
    uint32_t *dst, struct pv_error *e)
{
	uint64_t v = *dst;
	int r = pv_json_opt_u64(o, name, max, &v, e);

	if (r == 0)
		*dst = (uint32_t)v;
	return r;
}

/* Nothing in it is passed over in silence. */
static int
known(const struct pv_json *o, const char *const *names, struct pv_error *e)
{
	for (size_t i = 0; i < pv_json_count(o); i++) {
		const char *name = pv_json_name_at(o, i);
		size_t k = 0;

		while (names[k] != NULL && strcmp(names[k], name) != 0)
			k++;
		if (names[k] == NULL)
			return pv_fail(
			    e, PV_E_MALFORMED, "unknown member '%.40s'", name);
	}
	return 0;
}

static int
need_path(const struct pv_json *o, const char *description,
    struct pv_obk_field *f, struct pv_error *e)
{
	const char *text = NULL;
	int r = pv_json_str(o, "file", &text, e);

	if (r != 0)
		return r;
	f->path = pv_obk_path(description, text);
	return f->path == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory") : 0;
}

static int
need_text(const struct pv_json *o, struct pv_obk_field *f, struct pv_error *e)
{
	const char *text = NULL;
	int r = pv_json_str(o, "value", &text, e);

	return r != 0 ? r : copy(&f->text, text, e);
}

static int
field_kind(
    const char *type, enum pv_obk_field_kind *ret_kind, struct pv_error *e)
{
	static const char *const names[] = { "number", "password", "public-key",
		"private-key", "file", "permissions" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(type, names[i]) == 0) {
			*ret_kind = (enum pv_obk_field_kind)i;
			return 0;
		}
	}
	return pv_fail(e, PV_E_MALFORMED,
	    "type '%.40s' is none of number, password, public-key, "
	    "private-key, file, permissions",
	    type);
}

static int
read_field(const struct pv_json *o, const char *description,
    struct pv_obk_field *f, struct pv_error *e)
{
	static const char *const members[] = { "type", "name", "value", "file",
		"width", "min", "max", "align", NULL };
	const char *type = NULL;
	int r = known(o, members, e);

	f->align = 1;
	f->width = 4;
	if (r == 0)
		r = pv_json_str(o, "type", &type, e);
	if (r == 0)
		r = field_kind(type, &f->kind, e);
	if (r == 0)
		r = opt_text(o, "name", &f->name, e);
	if (r == 0 && f->name == NULL)
		r = copy(&f->name, type, e);
	if (r == 0)
		r = opt_number(o, "align", 4096, &f->align, e);
	if (r != 0)
		return r;
	switch (f->kind) {
	case PV_OBK_NUMBER:
		r = opt_number(o, "width", 4096, &f->width, e);
		return r != 0 ? r : need_text(o, f, e);
	case PV_OBK_PERMISSION:
		return need_text(o, f, e);
	case PV_OBK_PASSWORD:
		f->min = 4;
		f->width = 16;
		r = opt_number(o, "min", 255, &f->min, e);
		if (r == 0)
			r = opt_number(o, "max", 255, &f->width, e);
		break;
	default:
		break;
	}
	return r != 0 ? r : need_path(o, description, f, e);
}

static int
read_fields(
    const struct pv_json *list, struct pv_obk_spec *s, struct pv_error *e)
{
	size_t n = pv_json_count(list);

	if (!pv_json_is_array(list) || n == 0 || n > PV_OBK_FIELDS)
		return pv_fail(e, PV_E_MALFORMED,
		    "'fields' is a list of 1 to %u fields", PV_OBK_FIELDS);
	for (size_t i = 0; i < n; i++) {
		const struct pv_json *o = pv_json_at(list, i);
		int r;

		if (!pv_json_is_object(o))
			return pv_fail(e, PV_E_MALFORMED,
			    "field %zu is not an object", i + 1);
		r = read_field(o, s->path, &s->field[s->n++], e);
		if (r != 0)
			return pv_wrap(e, "field %zu", i + 1);
	}
	return 0;
}

static int
read_root(const struct pv_json *o, struct pv_obk_spec *s, struct pv_error *e)
{
	static const char *const members[] = { "title", "mcu", "destination",
		"encrypt", "align", "hash", "da", "fields", "output", NULL };
	const char *output = NULL;
	int r = known(o, members, e);

	s->align = 16;
	s->hash = true;
	s->has_header = pv_json_get(o, "destination") != NULL;
	if (r == 0)
		r = opt_text(o, "title", &s->title, e);
	if (r == 0)
		r = opt_text(o, "mcu", &s->mcu, e);
	if (r == 0)
		r = opt_number(o, "destination", UINT32_MAX, &s->address, e);
	if (r == 0)
		r = pv_json_opt_bool(o, "encrypt", &s->encrypt, e);
	if (r == 0)
		r = opt_number(o, "align", 4096, &s->align, e);
	if (r == 0)
		r = pv_json_opt_bool(o, "hash", &s->hash, e);
	if (r == 0)
		r = pv_json_opt_bool(o, "da", &s->da, e);
	if (r == 0)
		r = read_fields(pv_json_get(o, "fields"), s, e);
	if (r == 0)
		r = pv_json_opt_str(o, "output", &output, e);
	if (r == 0 && s->has_header && pv_json_get(o, "encrypt") == NULL)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'destination' needs 'encrypt' beside it");
	if (r != 0 || output == NULL)
		return r;
	s->output = pv_obk_path(s->path, output);
	return s->output == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory") : 0;
}

int
pv_obk_spec_from_json(
    const char *path, struct pv_obk_spec *ret_s, struct pv_error *e)
{
	struct pv_obk_spec s = { .path = path };
	struct pv_json *root = NULL;
	int r = pv_json_read_file(path, JSON_FILE_MAX, &root, e);

	if (r != 0)
		return r;
	if (!pv_json_is_object(root))
		r = pv_fail(e, PV_E_MALFORMED, "it is not a JSON object");
	else
		r = read_root(root, &s, e);
	pv_json_free(root);
	if (r != 0) {
		pv_obk_spec_release(&s);
		return pv_wrap(e, "'%s'", path);
	}
	*ret_s = s;
	return 0;
}
