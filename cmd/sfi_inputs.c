/* SPDX-License-Identifier: Apache-2.0 */
/* What sfi pack takes beside firmware: external flash, modules, key areas. */
#include "cmd/sfi_inputs.h"

#include "base/file.h"
#include "base/hex.h"
#include "formats/list_csv.h"

#include <stdlib.h>
#include <string.h>

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n > k && strcmp(text + n - k, end) == 0;
}

/* Text that lives as long as the inputs. */
static int
keep(struct pv_sfi_inputs *in, char *text, struct pv_error *e)
{
	char **more;

	if (text == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	more = realloc(in->texts, (in->n_texts + 1) * sizeof(*more));
	if (more == NULL) {
		free(text);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	in->texts = more;
	in->texts[in->n_texts++] = text;
	return 0;
}

static int
parse_u32(
    const char *text, const char *what, uint32_t *ret_v, struct pv_error *e)
{
	uint64_t v = 0;
	int r = pv_parse_u64(text, UINT32_MAX, what, &v, e);

	if (r == 0)
		*ret_v = (uint32_t)v;
	return r;
}

/* --- external flash --------------------------------------------------------------- */

static int
add_external(struct pv_sfi_inputs *in, const char *file,
    const struct pv_sfi_external *x, struct pv_error *e)
{
	struct pv_image *image = NULL;
	int r;

	if (in->n_externals == PV_SFI_MAX_EXTERNALS)
		return pv_fail(e, PV_E_RANGE, "more than %u external files",
		    PV_SFI_MAX_EXTERNALS);
	r = pv_image_new(&image, e);
	if (r == 0)
		r = pv_image_add_file(image, file, e);
	if (r != 0) {
		pv_image_free(image);
		return r;
	}
	in->images[in->n_externals] = image;
	in->external_files[in->n_externals] = file;
	in->externals[in->n_externals] = *x;
	in->externals[in->n_externals++].image = image;
	return 0;
}

/* The last ",NAME=VALUE" of the text, cut off; false when there is none. */
static bool
take_last(char *text, const char *name, const char **ret_value)
{
	char *comma = strrchr(text, ',');
	size_t n = strlen(name);

	if (comma == NULL || strncmp(comma + 1, name, n) != 0 ||
	    comma[1 + n] != '=')
		return false;
	*comma = '\0';
	*ret_value = comma + n + 2;
	return true;
}

/* FILE[@ADDR],region=N,mode=N,key-address=A, the three in any order. */
static int
parse_external(struct pv_sfi_inputs *in, const char *text, struct pv_error *e)
{
	static const char *const names[] = { "region", "mode", "key-address" };
	const char *values[3] = { NULL, NULL, NULL }, *v = NULL;
	struct pv_sfi_external x = { 0 };
	uint32_t *const numbers[3] = { &x.region, &x.mode, &x.key_address };
	char *copy = strdup(text);
	bool found = true;
	int r = keep(in, copy, e);

	if (r != 0)
		return r;
	while (found) {
		found = false;
		for (size_t i = 0; !found && i < 3; i++) {
			found = take_last(copy, names[i], &v);
			if (found && values[i] != NULL)
				return pv_fail(e, PV_E_USAGE,
				    "--external '%s': %s twice", text,
				    names[i]);
			if (found)
				values[i] = v;
		}
	}
	for (size_t i = 0; r == 0 && i < 3; i++) {
		if (values[i] == NULL)
			return pv_fail(e, PV_E_USAGE,
			    "--external '%s': ',%s=' is missing", text,
			    names[i]);
		r = parse_u32(values[i], names[i], numbers[i], e);
	}
	return r == 0 ? add_external(in, copy, &x, e) : r;
}

/* --- modules ----------------------------------------------------------------------- */

static int
add_module(struct pv_sfi_inputs *in, const char *path, uint32_t address,
    struct pv_error *e)
{
	if (in->n_modules == PV_SFI_MAX_MODULES)
		return pv_fail(
		    e, PV_E_RANGE, "more than %u modules", PV_SFI_MAX_MODULES);
	in->modules[in->n_modules].path = path;
	in->modules[in->n_modules++].address = address;
	return 0;
}

static int
parse_module(struct pv_sfi_inputs *in, const char *text, struct pv_error *e)
{
	char *copy = strdup(text), *at;
	uint32_t address = 0;
	int r = keep(in, copy, e);

	if (r != 0)
		return r;
	at = strrchr(copy, '@');
	if (at == NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--module '%s' needs an address: FILE@ADDR", text);
	*at = '\0';
	r = parse_u32(at + 1, "module address", &address, e);
	return r == 0 ? add_module(in, copy, address, e) : r;
}

/* --- lists ------------------------------------------------------------------------- */

struct list {
	struct pv_sfi_inputs *in;
	const char *path;
};

/* A path in a list counts from the folder of the list. */
static int
list_path(
    struct list *l, const char *name, const char **ret_path, struct pv_error *e)
{
	const char *slash = strrchr(l->path, '/');
	size_t dir =
	    slash == NULL || name[0] == '/' ? 0 : (size_t)(slash - l->path) + 1;
	size_t cap = dir + strlen(name) + 1;
	char *s = malloc(cap);
	int r;

	if (s != NULL)
		(void)snprintf(s, cap, "%.*s%s", (int)dir, l->path, name);
	r = keep(l->in, s, e);
	if (r == 0)
		*ret_path = s;
	return r;
}

/* A number of a list is input, not usage. */
static int
list_u32(const struct pv_list_row *row, size_t column, const char *what,
    uint32_t *ret_v, struct pv_error *e)
{
	if (parse_u32(row->text[column], what, ret_v, e) == 0)
		return 0;
	return pv_fail(e, PV_E_MALFORMED, "line %u: '%s' is no %s of 32 bits",
	    row->line, row->text[column], what);
}

/* path, license or firmware id, address; the license is for the device. */
static int
module_row(void *ctx, const struct pv_list_row *row, struct pv_error *e)
{
	struct list *l = ctx;
	const char *path = NULL;
	uint32_t address = 0;
	int r = list_u32(row, 2, "address", &address, e);

	if (r == 0)
		r = list_path(l, row->text[0], &path, e);
	return r == 0 ? add_module(l->in, path, address, e) : r;
}

/* path, address or "-", region, mode, key address */
static int
external_row(void *ctx, const struct pv_list_row *row, struct pv_error *e)
{
	struct list *l = ctx;
	struct pv_sfi_external x = { 0 };
	const char *path = NULL;
	uint32_t address = 0;
	char *with;
	size_t cap;
	int r = list_u32(row, 2, "region", &x.region, e);

	if (r == 0)
		r = list_u32(row, 3, "mode", &x.mode, e);
	if (r == 0)
		r = list_u32(row, 4, "key address", &x.key_address, e);
	if (r == 0)
		r = list_path(l, row->text[0], &path, e);
	if (r != 0)
		return r;
	if (strcmp(row->text[1], "-") == 0)
		return add_external(l->in, path, &x, e);
	r = list_u32(row, 1, "address", &address, e);
	if (r != 0)
		return r;
	cap = strlen(path) + 16;
	with = malloc(cap);
	if (with != NULL)
		(void)snprintf(
		    with, cap, "%s@0x%08x", path, (unsigned int)address);
	r = keep(l->in, with, e);
	return r == 0 ? add_external(l->in, with, &x, e) : r;
}

/* size, address */
static int
key_row(void *ctx, const struct pv_list_row *row, struct pv_error *e)
{
	struct list *l = ctx;
	struct pv_sfi_key_pair pair = { 0 };
	int r = list_u32(row, 0, "size", &pair.size, e);

	if (r == 0)
		r = list_u32(row, 1, "address", &pair.address, e);
	if (r == 0 && pair.size == 0)
		r = pv_fail(
		    e, PV_E_MALFORMED, "line %u: the size is 0", row->line);
	if (r == 0)
		l->in->pairs[l->in->n_pairs++] = pair;
	return r;
}

static int
read_list(struct pv_sfi_inputs *in, const char *path, size_t columns,
    pv_list_fn each, struct pv_error *e)
{
	struct list l = { in, path };
	uint8_t *text = NULL;
	size_t len = 0;
	int r = pv_file_read(path, PV_LIST_MAX, &text, &len, e);

	if (r != 0)
		return r;
	r = pv_list_decode((const char *)text, len, columns, each, &l, e);
	free(text);
	return r == 0 ? 0 : pv_wrap(e, "'%s'", path);
}

/* --- all of them --------------------------------------------------------------------- */

int
pv_sfi_inputs_load(struct pv_sfi_inputs *in, const char *const *externals,
    const char *const *modules, const char *key_area, struct pv_error *e)
{
	int r = 0;

	for (; r == 0 && externals != NULL && *externals != NULL; externals++)
		r = ends_with(*externals, ".ecsv")
			? read_list(in, *externals, 5, external_row, e)
			: parse_external(in, *externals, e);
	for (; r == 0 && modules != NULL && *modules != NULL; modules++)
		r = ends_with(*modules, ".mcsv")
			? read_list(in, *modules, 3, module_row, e)
			: parse_module(in, *modules, e);
	if (r == 0 && key_area != NULL)
		r = read_list(in, key_area, 2, key_row, e);
	return r;
}

void
pv_sfi_inputs_release(struct pv_sfi_inputs *in)
{
	for (size_t i = 0; i < in->n_externals; i++)
		pv_image_free(in->images[i]);
	for (size_t i = 0; i < in->n_texts; i++)
		free(in->texts[i]);
	free(in->texts);
}
