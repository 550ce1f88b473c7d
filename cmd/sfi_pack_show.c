/* SPDX-License-Identifier: Apache-2.0 */
/* What sfi pack says of a package. */
#include "cmd/sfi_pack.h"

#include <provisor/secure_install.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/*
 * "prod.csv: PRODUCT_STATE 0x17 (provisioning)": the setting with the gravest
 * effect, or the life-cycle state, which is in the first word.
 */
static void
option_text(const struct pv_sfi_job *j, char *dst, size_t cap)
{
	const struct pv_sfi_options *o = &j->options;
	const struct pv_opt_setting *s = NULL;

	for (size_t i = 0; i < o->n; i++) {
		if (strcmp(o->settings[i].field, "PRODUCT_STATE") == 0 ||
		    strcmp(o->settings[i].field, "RDP") == 0)
			s = &o->settings[i];
	}
	if (o->worst == PV_OPT_IRREVERSIBLE)
		s = &o->settings[o->worst_at];
	if (s != NULL)
		(void)snprintf(dst, cap, "%s: %s 0x%02X (%s)", j->a.options,
		    s->field, (unsigned int)s->value, s->text);
	else
		(void)snprintf(dst, cap, "%s", j->a.options);
}

/* The files of the segments that an area reaches. */
static void
image_text(const struct pv_image *image, const struct pv_sfi_area *a, char *dst,
    size_t cap)
{
	uint64_t end = (uint64_t)a->address + a->size;
	size_t lo = 0, hi = pv_image_count(image), first;
	struct pv_segment s;

	/* the first segment that ends behind the address */
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		pv_image_segment(image, mid, &s);
		if (s.addr + s.size <= a->address)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (first = lo; lo < pv_image_count(image); lo++) {
		pv_image_segment(image, lo, &s);
		if (s.addr >= end)
			break;
	}
	if (lo == first) {
		(void)snprintf(dst, cap, "fill");
		return;
	}
	pv_image_segment(image, first, &s);
	if (lo - first == 1)
		(void)snprintf(dst, cap, "%s", s.source);
	else
		(void)snprintf(
		    dst, cap, "%s and %zu more", s.source, lo - first - 1);
}

/* The external input an E area came from; they do not overlap. */
static void
external_text(const struct pv_sfi_job *j, const struct pv_sfi_area *a,
    char *dst, size_t cap)
{
	char source[400];

	(void)snprintf(dst, cap, "external flash");
	for (size_t i = 0; i < j->in.n_externals; i++) {
		const struct pv_sfi_external *x = &j->in.externals[i];
		struct pv_segment lo, hi;
		size_t n = pv_image_count(x->image);

		pv_image_segment(x->image, 0, &lo);
		pv_image_segment(x->image, n - 1, &hi);
		if (a->address < lo.addr || a->address >= hi.addr + hi.size)
			continue;
		image_text(x->image, a, source, sizeof(source));
		if (strcmp(source, "fill") == 0)
			continue;
		(void)snprintf(dst, cap, "%s, region %u mode %u", source,
		    (unsigned int)x->region, (unsigned int)x->mode);
		return;
	}
}

static void
module_text(const struct pv_sfi_job *j, const struct pv_sfi_area *a, char *dst,
    size_t cap)
{
	(void)snprintf(dst, cap, "module");
	for (size_t i = 0; i < j->in.n_modules; i++) {
		if (j->in.modules[i].address == a->address)
			(void)snprintf(dst, cap, "%s", j->in.modules[i].path);
	}
}

static void
area_text(const struct pv_sfi_job *j, const struct pv_sfi_area *a, char *dst,
    size_t cap)
{
	switch (a->type) {
	case 'C':
		option_text(j, dst, cap);
		break;
	case 'E':
		external_text(j, a, dst, cap);
		break;
	case 'M':
		module_text(j, a, dst, cap);
		break;
	case 'K':
		(void)snprintf(dst, cap, "%s: %zu key area%s", j->a.key_area,
		    j->in.n_pairs, j->in.n_pairs == 1 ? "" : "s");
		break;
	case 'P':
		(void)snprintf(dst, cap, "end of a part");
		break;
	case 'R':
		(void)snprintf(dst, cap, "begin of a part");
		break;
	default:
		image_text(j->image, a, dst, cap);
		break;
	}
}

/* The line above the areas. */
static void
show_title(const struct pv_sfi_job *j)
{
	char number[PV_GROUPED];
	unsigned int n = j->plan.header.n_areas;

	pv_out(j->app,
	    "%s: %s%u area%s, %s bytes, image version %u, profile %s\n",
	    j->a.out, j->a.dry_run ? "would hold " : "", n, n == 1 ? "" : "s",
	    pv_sfi_grouped(number, j->plan.file_size),
	    (unsigned int)j->pack.image_version,
	    j->pack.profile == PV_SFI_V2 ? "v2" : "v1");
}

int
pv_sfi_show_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e)
{
	struct pv_sfi_job *j = ctx;
	char number[PV_GROUPED], text[512];
	struct pv_json *o;

	(void)at;
	(void)e;
	if (a->index == 1)
		show_title(j);
	pv_install_place(&j->places, (char)a->type, a->address, a->size);
	area_text(j, a, text, sizeof(text));
	if (j->areas != NULL) {
		o = pv_json_add_object(j->areas);
		pv_sfi_area_json(o, a, !j->a.dry_run);
		pv_json_set_str(
		    o, "source", a->type == 'C' ? j->a.options : text);
	} else if (a->type == 'C' || a->type == 'K') {
		pv_out(j->app, "%3u %c  %-10s %11s  %s\n",
		    (unsigned int)a->index, a->type, "-",
		    pv_sfi_grouped(number, a->size), text);
	} else {
		pv_out(j->app, "%3u %c  0x%08x %11s  %s\n",
		    (unsigned int)a->index, a->type, (unsigned int)a->address,
		    pv_sfi_grouped(number, a->size), text);
	}
	return 0;
}

void
pv_sfi_show_notes(struct pv_sfi_job *j)
{
	unsigned int n = j->plan.header.n_areas;
	uint32_t family;

	if (pv_image_family(j->image, &family))
		pv_say(j->app,
		    "note: the firmware says it is for UF2 family 0x%08x, "
		    "which is not compared with the chip\n",
		    family);
	if (n > PV_SI_AREAS_MAX)
		pv_say(j->app,
		    "note: %u areas, but a chip with provisor's install agent "
		    "takes %u: 'push' will refuse this package\n",
		    n, PV_SI_AREAS_MAX);
	else if (j->places.n > PV_SI_PLACES_MAX)
		pv_say(j->app,
		    "note: %zu stretches of memory, but a chip with provisor's "
		    "install agent takes %u: 'push' will refuse this package\n",
		    j->places.n, PV_SI_PLACES_MAX);
	pv_sfi_options_say(j->app, &j->options);
	if (j->a.options == NULL)
		pv_say(j->app,
		    "note: without option bytes the chip is not read-protected "
		    "after the install (--option-bytes CSV)\n");
	if (j->pack.profile == PV_SFI_V2)
		pv_say(j->app,
		    "note: profile v2 is deduced from tool logs only, see "
		    "provisor-sfi(5)\n");
}

void
pv_sfi_show_nonce(struct pv_sfi_job *j)
{
	struct stat st;
	char *beside;
	size_t cap = strlen(j->a.out) + sizeof(".nonce");

	if (j->nonce_path != NULL) {
		pv_out(j->app,
		    "nonce: written to %s%s (keep it with the campaign, never "
		    "use it for other content)\n",
		    j->nonce_path,
		    j->nonce_replaced ? ", in place of an older one" : "");
		return;
	}
	/* A nonce beside the package that is not its own misleads. */
	beside = malloc(cap);
	if (beside == NULL)
		return;
	(void)snprintf(beside, cap, "%s.nonce", j->a.out);
	if (stat(beside, &st) == 0 && !pv_sfi_same_file(beside, j->a.nonce))
		pv_say(j->app,
		    "note: %s lies beside the package, which was made with "
		    "%s\n",
		    beside, j->a.nonce);
	free(beside);
}

struct pv_json *
pv_sfi_pack_json(struct pv_sfi_job *j)
{
	struct pv_json *root = pv_json_new_object(), *o;
	uint32_t family;

	pv_json_set_str(root, "file", j->a.out);
	if (pv_image_family(j->image, &family))
		pv_json_set_addr(root, "uf2_family", family);
	pv_json_set_bool(root, "dry_run", j->a.dry_run != 0);
	pv_json_set_str(root, "chip", j->chip->name);
	pv_json_set_str(
	    root, "profile", j->pack.profile == PV_SFI_V2 ? "v2" : "v1");
	pv_json_set_str(root, "iv_add", pv_sfi_iv_add_name(j->pack.iv_add));
	pv_json_set_int(root, "image_version", j->pack.image_version);
	j->areas = pv_json_set_array(root, "areas");
	if (j->a.options != NULL) {
		o = pv_json_set_object(root, "option_bytes");
		pv_sfi_options_json(&j->options, j->a.options, o);
	}
	return root;
}

void
pv_sfi_finish_json(const struct pv_sfi_job *j, struct pv_json *root)
{
	struct pv_json *o;

	pv_json_set_int(root, "protocol_version", j->plan.header.version);
	pv_json_set_int(root, "file_size", (int64_t)j->plan.file_size);
	if (j->a.dry_run)
		return;
	pv_json_set_hex(root, "header_tag", j->plan.header.tag, PV_SFI_TAG);
	o = pv_json_set_object(root, "nonce");
	pv_json_set_str(
	    o, "file", j->nonce_path != NULL ? j->nonce_path : j->a.nonce);
	pv_json_set_bool(o, "fresh", j->nonce_path != NULL);
	pv_json_set_bool(o, "replaced", j->nonce_replaced);
}
