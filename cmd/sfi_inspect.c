/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sfi inspect: the areas of a package, and the memory they fill. */
#include "cmd/sfi.h"

#include "cmd/inspect.h"

#include <stdlib.h>
#include <string.h>

#define E_PREFIX 12U /* sfi.md: inside the payload, before the firmware */

struct listing {
	struct pv_app *app;
	struct pv_json *areas; /* NULL: text */
	const struct pv_sfi_info *info;
};

static int
list_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct listing *l = ctx;
	char size[PV_GROUPED], tag[2 * 4 + 1];

	(void)e;
	if (l->areas != NULL) {
		struct pv_json *o = pv_json_add_object(l->areas);

		pv_sfi_area_json(o, a, true);
		pv_json_set_int(o, "payload_offset", (int64_t)at);
		return 0;
	}
	(void)snprintf(tag, sizeof(tag), "%02x%02x%02x%02x", a->tag[0],
	    a->tag[1], a->tag[2], a->tag[3]);
	pv_out(l->app, "%5u  %c     %12s  0x%08x  %7u  %s...\n",
	    (unsigned int)a->index, a->type, pv_sfi_grouped(size, a->size),
	    (unsigned int)a->address, (unsigned int)a->version, tag);
	return 0;
}

/* The version of an image stands in its areas only. */
static int
first_version(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	int *version = ctx;

	(void)at;
	(void)e;
	if (*version < 0)
		*version = a->version;
	return 0;
}

/* --- memory map ---------------------------------------------------------------- */

/* A stretch of one kind of area; `end` is behind it. */
struct stretch {
	uint64_t start, end;
	uint16_t first, last; /* areas */
	char type;
};

struct map {
	struct stretch *v;
	size_t n;
};

/* F, M and E have a place; the sizes of a K area are encrypted. */
static int
map_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct map *m = ctx;
	struct stretch *more;
	uint32_t size = a->size;

	(void)at;
	if (a->type == 'E')
		size = size > E_PREFIX ? size - E_PREFIX : 0;
	if ((a->type != 'F' && a->type != 'M' && a->type != 'E') || size == 0)
		return 0;
	if (m->n % 64 == 0) {
		more = realloc(m->v, (m->n + 64) * sizeof(*more));
		if (more == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		m->v = more;
	}
	m->v[m->n++] =
	    (struct stretch){ a->address, (uint64_t)a->address + size, a->index,
		    a->index, (char)a->type };
	return 0;
}

static int
by_start(const void *a, const void *b)
{
	const struct stretch *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->first < y->first ? -1 : 1;
}

/* Pieces that follow each other are one stretch. */
static void
merge(struct map *m)
{
	size_t n = 0;

	if (m->n == 0)
		return;
	qsort(m->v, m->n, sizeof(*m->v), by_start);
	for (size_t i = 1; i < m->n; i++) {
		struct stretch *last = &m->v[n];

		if (last->type == m->v[i].type && last->end == m->v[i].start &&
		    m->v[i].first > last->last) {
			last->end = m->v[i].end;
			last->last = m->v[i].last;
		} else {
			m->v[++n] = m->v[i];
		}
	}
	m->n = n + 1;
}

static void
show_map(struct pv_app *app, const struct map *m, struct pv_json *root)
{
	struct pv_json *list = pv_json_set_array(root, "memory_map"), *o;
	char size[PV_GROUPED], areas[32];

	if (m->n > 0)
		pv_out(app, "\nmemory map\n");
	for (size_t i = 0; i < m->n; i++) {
		const struct stretch *s = &m->v[i];

		if (s->first == s->last)
			(void)snprintf(areas, sizeof(areas), "area %u",
			    (unsigned int)s->first);
		else
			(void)snprintf(areas, sizeof(areas), "areas %u to %u",
			    (unsigned int)s->first, (unsigned int)s->last);
		pv_out(app, "0x%08llx..0x%08llx  %12s bytes  %c  %s%s\n",
		    (unsigned long long)s->start,
		    (unsigned long long)(s->end - 1),
		    pv_sfi_grouped(size, s->end - s->start), s->type, areas,
		    i > 0 && m->v[i - 1].end > s->start ? "  OVERLAPS" : "");
		o = pv_json_add_object(list);
		pv_json_set_addr(o, "start", s->start);
		pv_json_set_addr(o, "end", s->end - 1);
		pv_json_set_int(o, "size", (int64_t)(s->end - s->start));
		pv_json_set_str(o, "type", (char[2]){ s->type, '\0' });
		pv_json_set_int(o, "first_area", s->first);
		pv_json_set_int(o, "last_area", s->last);
		pv_json_set_bool(
		    o, "overlaps", i > 0 && m->v[i - 1].end > s->start);
	}
}

/* --- the verb -------------------------------------------------------------------- */

static void
show_header(struct pv_app *app, const char *path,
    const struct pv_sfi_info *info, int version, struct pv_json *root)
{
	char size[PV_GROUPED];

	pv_json_set_str(root, "file", path);
	pv_json_set_str(root, "format", "sfi");
	pv_json_set_str(root, "magic", PV_SFI_MAGIC);
	pv_json_set_int(root, "protocol_version", info->header.version);
	pv_json_set_int(root, "n_areas", info->header.n_areas);
	if (version >= 0)
		pv_json_set_int(root, "image_version", version);
	else
		pv_json_set_null(root, "image_version");
	pv_json_set_int(root, "file_size", (int64_t)info->file_size);
	pv_json_set_hex(root, "header_tag", info->header.tag, PV_SFI_TAG);
	pv_out(app, "SFI package            %s\n", path);
	pv_out(app, "SFI protocol version   %u\n",
	    (unsigned int)info->header.version);
	pv_out(app, "total number of areas  %u\n",
	    (unsigned int)info->header.n_areas);
	if (version >= 0)
		pv_out(app, "image version          %d\n", version);
	pv_out(app, "file size              %s bytes\n\n",
	    pv_sfi_grouped(size, info->file_size));
}

int
pv_sfi_inspect_file(struct pv_app *app, const char *path, struct pv_error *e)
{
	struct listing l = { .app = app };
	struct pv_json *root = NULL;
	struct pv_sfi_info info;
	struct map map = { 0 };
	int version = -1;
	int r;

	/* Once for the layout, so that a damaged file prints no half list. */
	r = pv_sfi_inspect(path, &info, first_version, &version, e);
	if (r == 0)
		r = pv_sfi_inspect(path, &info, map_area, &map, e);
	if (r != 0)
		goto out;
	merge(&map);
	root = pv_json_new_object();
	show_header(app, path, &info, version, root);
	if (app->json)
		l.areas = pv_json_set_array(root, "areas");
	pv_out(app, " area  type   size, bytes  address     version  tag\n");
	r = pv_sfi_inspect(path, &info, list_area, &l, e);
	if (r != 0)
		goto out;
	show_map(app, &map, root);
	r = pv_out_json(app, root, e);
	root = NULL;
out:
	pv_json_free(root);
	free(map.v);
	return r;
}

int
pv_cmd_sfi_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r != 0)
		return r;
	/* A module is not a package, but people ask here first. */
	return pv_inspect_is_module(args[0])
		   ? pv_inspect_file(app, args[0], e)
		   : pv_sfi_inspect_file(app, args[0], e);
}
