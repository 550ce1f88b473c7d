/* SPDX-License-Identifier: Apache-2.0 */
/* A chip on USB in DFU mode, for the verbs that talk to a chip. */
#include "cmd/target.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
pv_target_is_usb(const char *port)
{
	return strcmp(port, "dfu") == 0 || strncmp(port, "dfu:", 4) == 0;
}

int
pv_target_open_usb(struct pv_app *app, const struct pv_target_args *args,
    unsigned int flags, struct pv_target *t, struct pv_error *e)
{
	struct pv_dfu_options opt = {
		.progress = &app->progress,
		.force = args->force != 0,
	};
	int r = 0;

	if (args->reset != NULL || args->baud != NULL || args->lockstep ||
	    args->coalesce)
		return pv_fail(e, PV_E_USAGE,
		    "--reset-sequence, --baud, --lockstep and --coalesce are "
		    "for serial lines");
	if (args->chip != NULL)
		r = pv_chip_load(app->chip_dirs, args->chip, &t->given, e);
	if (r != 0)
		return r;
	t->usb = calloc(1, sizeof(*t->usb));
	if (t->usb == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	opt.chip = t->given;
	r = pv_usb_open(args->port, t->usb, e);
	if (r == 0)
		r = pv_dfu_open(t->usb, &opt, &t->dfu, e);
	if (r != 0)
		return r;
	pv_boot_dfu(t->dfu, &t->boot);
	if ((flags & PV_TARGET_NEED_CHIP) == 0)
		return 0;
	/* The layout is the device's; the rest is of the description. */
	t->chip = calloc(1, sizeof(*t->chip));
	if (t->chip == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	return pv_dfu_chip(t->dfu, t->chip, e);
}

/* --- which chip may this be? -------------------------------------------------- */

/* Does the description's flash have exactly these sectors? */
static bool
same_layout(const struct pv_chip *c, const struct pv_dfu_map *map)
{
	uint64_t total = 0, flash = 0;

	for (size_t i = 0; i < c->n_banks; i++)
		flash += c->banks[i].size;
	for (size_t i = 0; i < map->n; i++) {
		const struct pv_dfu_segment *s = &map->segments[i];
		uint64_t last = s->base + (s->count - 1) * s->size;
		struct pv_sector first, end;

		if (!pv_chip_in_flash(c, s->base, s->count * s->size, NULL) ||
		    !pv_chip_sector(c, s->base, &first) ||
		    !pv_chip_sector(c, last, &end) || first.base != s->base ||
		    first.size != s->size || end.base != last ||
		    end.size != s->size ||
		    end.number - first.number != s->count - 1)
			return false;
		total += s->count * s->size;
	}
	return total == flash && total > 0;
}

struct search {
	const struct pv_dfu_map *map;
	uint16_t transfer_size;
	struct pv_usb_chips *found;
};

static int
look_at(void *ctx, const struct pv_chip *c)
{
	struct search *s = ctx;

	if (c->mpu || !same_layout(c, s->map) ||
	    (c->dfu_transfer_size != 0 &&
		c->dfu_transfer_size != s->transfer_size))
		return 0;
	if (s->found->n < PV_USB_CHIPS) {
		memcpy(s->found->names[s->found->n], c->name, sizeof(c->name));
		memcpy(
		    s->found->titles[s->found->n], c->title, sizeof(c->title));
	}
	s->found->n++;
	return 0;
}

int
pv_usb_chips_find(struct pv_app *app, const char *memory,
    uint16_t transfer_size, struct pv_usb_chips *ret_found, struct pv_error *e)
{
	struct pv_dfu_map map;
	struct pv_error odd = { 0 };
	struct search s = {
		.map = &map, .transfer_size = transfer_size, .found = ret_found
	};

	memset(ret_found, 0, sizeof(*ret_found));
	if (pv_dfu_map_parse(memory, &map, &odd) != 0)
		return 0;
	return pv_chip_list(app->chip_dirs, look_at, &s, e);
}

void
pv_usb_chips_text(const struct pv_usb_chips *found, char dst[PV_TARGET_NAME])
{
	if (found->n == 0)
		(void)snprintf(dst, PV_TARGET_NAME, "unknown chip");
	else if (found->n == 1)
		(void)snprintf(dst, PV_TARGET_NAME, "%s (by its memory map)",
		    found->titles[0]);
	else
		(void)snprintf(dst, PV_TARGET_NAME,
		    "%.24s, %.24s%s (by its memory map)", found->titles[0],
		    found->titles[1], found->n > 2 ? ", ..." : "");
}

void
pv_usb_chips_json(const struct pv_usb_chips *found, struct pv_json *root)
{
	struct pv_json *list;

	if (found->n == 1)
		pv_json_set_str(root, "chip", found->names[0]);
	else
		pv_json_set_str(root, "chip", "unknown");
	list = pv_json_set_array(root, "chips_with_this_layout");
	for (size_t i = 0; i < found->n && i < PV_USB_CHIPS; i++)
		pv_json_add_str(list, found->names[i]);
}
