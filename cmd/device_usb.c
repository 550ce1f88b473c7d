/* SPDX-License-Identifier: Apache-2.0 */
/* provisor device on USB: the list of devices, and what one says of itself. */
#include "cmd/device.h"

#include "base/file.h"
#include "formats/dfuse.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- list ----------------------------------------------------------------------- */

struct listing {
	struct pv_app *app;
	struct pv_json *ports;
	unsigned int n;
};

/* "2.2": the upper byte of bcdDevice, AN3156 section 1. */
static void
version_text(char dst[8], uint16_t device)
{
	(void)snprintf(dst, 8, "%u.%u", device >> 12 & 15U, device >> 8 & 15U);
}

/* An STM32MP tells its chip id in the product string, not by a memory map. */
static void
mpu_text(struct pv_app *app, const char *title, char dst[PV_TARGET_NAME])
{
	const char *at = strstr(title, "Device ID /0x");
	struct pv_error ignored = { 0 };
	struct pv_chip *c = NULL;

	if (at == NULL || pv_chip_load_id(app->chip_dirs,
			      (uint32_t)strtoul(at + 13, NULL, 16) & 0xfffU, &c,
			      &ignored) != 0)
		return;
	if (c->mpu)
		(void)snprintf(dst, PV_TARGET_NAME, "%s", c->title);
	pv_chip_free(c);
}

static int
list_one(void *ctx, const struct pv_usb_info *i)
{
	struct listing *l = ctx;
	struct pv_json *o = pv_json_add_object(l->ports);
	char usb[16], version[8], chip[PV_TARGET_NAME];
	struct pv_usb_chips found;
	struct pv_error e = { 0 };
	int r;

	l->n++;
	r = pv_usb_chips_find(l->app, i->memory, i->transfer_size, &found, &e);
	if (r != 0)
		found.n = 0;
	pv_usb_chips_text(&found, chip);
	mpu_text(l->app, i->title, chip);
	version_text(version, i->device);
	(void)snprintf(usb, sizeof(usb), "%04x:%04x", (unsigned)i->vendor,
	    (unsigned)i->product);
	if (i->denied)
		pv_out(l->app, "%-28s %-9s %-16s %s\n", i->port, usb, "-",
		    "in DFU mode; this user may not open it (udev rules)");
	else
		pv_out(l->app, "%-28s %-9s %-16s %s, bootloader %s\n", i->port,
		    usb, i->serial[0] != '\0' ? i->serial : "-", chip, version);
	pv_json_set_str(o, "port", i->port);
	pv_json_set_str(o, "description", i->title);
	pv_json_set_str(o, "serial", i->serial);
	pv_json_set_str(o, "usb", usb);
	pv_json_set_bool(o, "denied", i->denied != 0);
	pv_json_set_str(o, "bootloader", version);
	pv_json_set_str(o, "memory", i->memory);
	pv_json_set_int(o, "transfer_size", i->transfer_size);
	pv_usb_chips_json(&found, o);
	return 0;
}

unsigned int
pv_device_list_usb(struct pv_app *app, struct pv_json *ports)
{
	struct listing l = { .app = app, .ports = ports };
	struct pv_error e = { 0 };

	/* Machines without USB have serial ports all the same. */
	if (pv_usb_list(list_one, &l, &e) != 0)
		pv_say(app, "USB devices are not listed: %s\n", e.msg);
	return l.n;
}

/* --- info ------------------------------------------------------------------------ */

static void
print_memory(
    struct pv_app *app, const struct pv_dfu_memory *m, struct pv_json *list)
{
	struct pv_json *o = pv_json_add_object(list);
	uint64_t base = 0, size = 0;
	uint32_t sectors = 0;
	char text[PV_SIZE_TEXT];

	pv_json_set_int(o, "alternate", m->alternate);
	pv_json_set_str(o, "text", m->text);
	if (!m->usable || !pv_dfu_map_span(&m->map, &base, &size)) {
		pv_out(app, "memory %-4u %s (not understood)\n",
		    (unsigned)m->alternate, m->text);
		pv_json_set_null(o, "name");
		return;
	}
	for (size_t i = 0; i < m->map.n; i++)
		sectors += m->map.segments[i].count;
	pv_size_text(text, size);
	pv_out(app,
	    "memory %-4u %s, %s at 0x%08" PRIx64 ", %" PRIu32 " sector%s\n",
	    (unsigned)m->alternate, m->map.name, text, base, sectors,
	    sectors == 1 ? "" : "s");
	pv_json_set_str(o, "name", m->map.name);
	pv_json_set_addr(o, "address", base);
	pv_json_set_int(o, "size", (int64_t)size);
	pv_json_set_int(o, "sectors", sectors);
}

/* The chip of the option, else what the memory map tells. */
static int
print_chip(struct pv_app *app, const struct pv_target *t,
    const struct pv_dfu_info *i, struct pv_json *root, struct pv_error *e)
{
	struct pv_usb_chips found;
	char name[PV_TARGET_NAME];
	int r;

	if (t->given != NULL) {
		pv_out(app, "chip        %s, as asked\n", t->given->title);
		pv_json_set_str(root, "chip", t->given->name);
		return 0;
	}
	r = pv_usb_chips_find(app, i->n_memories > 0 ? i->memories[0].text : "",
	    i->transfer_size, &found, e);
	if (r != 0)
		return r;
	pv_usb_chips_text(&found, name);
	pv_out(app, "chip        %s\n", name);
	pv_usb_chips_json(&found, root);
	return 0;
}

static int
protection(struct pv_target *t, const struct pv_dfu_info *i, bool *ret_known,
    bool *ret_on, struct pv_error *e)
{
	uint64_t base = 0, size = 0;
	int r;

	*ret_known = false;
	for (size_t k = 0; k < i->n_memories; k++) {
		if (!i->memories[k].usable ||
		    !pv_dfu_map_span(&i->memories[k].map, &base, &size) ||
		    !pv_dfu_map_has(&i->memories[k].map, base, 4, PV_DFU_READ))
			continue;
		r = pv_dfu_probe_protection(t->dfu, (uint32_t)base, ret_on, e);
		*ret_known = r == 0;
		return r;
	}
	return 0;
}

int
pv_device_info_usb(struct pv_app *app, struct pv_target *t, struct pv_error *e)
{
	const struct pv_dfu_info *i = NULL;
	struct pv_json *root = NULL, *list;
	bool known = false, on = false;
	char version[8], usb[16];
	int r;

	r = pv_dfu_info(t->dfu, &i, e);
	if (r == 0)
		r = protection(t, i, &known, &on, e);
	if (r != 0)
		return r;
	root = pv_json_new_object();
	r = print_chip(app, t, i, root, e);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	version_text(version, i->device);
	(void)snprintf(usb, sizeof(usb), "%04x:%04x", (unsigned)i->vendor,
	    (unsigned)i->product);
	pv_out(app, "bootloader  %s, %s on %s, serial %s\n", version, usb,
	    i->port, i->serial[0] != '\0' ? i->serial : "-");
	pv_out(app, "transfers   %u bytes\n", (unsigned)i->block);
	pv_out(app, "commands   ");
	for (size_t k = 0; k < i->n_commands; k++)
		pv_out(app, " %02x", i->commands[k]);
	pv_out(app, "\nprotection  %s\n",
	    !known ? "not known"
	    : on   ? "active"
		   : "off");
	pv_json_set_str(root, "port", i->port);
	pv_json_set_str(root, "usb", usb);
	pv_json_set_str(root, "serial", i->serial);
	pv_json_set_str(root, "bootloader", version);
	pv_json_set_int(root, "transfer_size", i->transfer_size);
	pv_json_set_hex(root, "commands", i->commands, i->n_commands);
	if (known)
		pv_json_set_bool(root, "read_protected", on);
	else
		pv_json_set_null(root, "read_protected");
	list = pv_json_set_array(root, "memories");
	for (size_t k = 0; k < i->n_memories; k++)
		print_memory(app, &i->memories[k], list);
	pv_json_set_int(root, "retries", pv_dfu_retries(t->dfu));
	return pv_out_json(app, root, e);
}

/* --- option bytes ------------------------------------------------------------------- */

int
pv_device_option_area(const struct pv_target *t, uint32_t *ret_base,
    size_t *ret_len, struct pv_error *e)
{
	const struct pv_dfu_info *i = NULL;
	uint64_t base = 0, size = 0;
	int r;

	r = pv_dfu_info(t->dfu, &i, e);
	if (r != 0)
		return r;
	for (size_t k = 0; k < i->n_memories; k++) {
		const struct pv_dfu_memory *m = &i->memories[k];

		if (!m->usable || strncmp(m->map.name, "Option", 6) != 0 ||
		    !pv_dfu_map_piece(
			&m->map, m->map.segments[0].base, &base, &size))
			continue;
		/* Where there are two areas, the first is meant. */
		*ret_base = (uint32_t)base;
		*ret_len = (size_t)size;
		return 0;
	}
	return pv_fail(e, PV_E_UNSUPPORTED, "%s shows no option bytes on USB",
	    t->usb->port);
}

/* --- DfuSe files -------------------------------------------------------------------- */

bool
pv_device_wants_dfuse(const char *path)
{
	size_t n = strlen(path);

	return n >= 4 && strcmp(path + n - 4, ".dfu") == 0;
}

int
pv_device_save_dfuse(const struct pv_target *t, const char *path, uint32_t addr,
    const uint8_t *data, size_t len, struct pv_error *e)
{
	struct pv_dfuse_element el = {
		.addr = addr, .size = (uint32_t)len, .data = data
	};
	struct pv_dfuse_target target = { .count = 1, .named = 1 };
	struct pv_dfuse d = { .device = 0xffff,
		.product = 0xdf11,
		.vendor = 0x0483,
		.n_targets = 1,
		.targets = &target,
		.n_elements = 1,
		.elements = &el };
	const char *name = "Memory";
	const struct pv_dfu_info *i = NULL;
	uint8_t *file = NULL;
	size_t file_len = 0;
	int r = 0;

	if (t->dfu != NULL)
		r = pv_dfu_info(t->dfu, &i, e);
	if (r != 0)
		return r;
	for (size_t k = 0; i != NULL && k < i->n_memories; k++) {
		if (!i->memories[k].usable ||
		    !pv_dfu_map_has(
			&i->memories[k].map, addr, len, PV_DFU_READ))
			continue;
		target.alternate = i->memories[k].alternate;
		name = i->memories[k].map.name;
		d.vendor = i->vendor;
		d.product = i->product;
		break;
	}
	memcpy(target.name, name, strlen(name));
	r = pv_dfuse_encode(&d, &file, &file_len, e);
	if (r == 0)
		r = pv_file_write(path, 0666, file, file_len, e);
	free(file);
	return r;
}
