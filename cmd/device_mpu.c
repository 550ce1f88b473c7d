/* SPDX-License-Identifier: Apache-2.0 */
/* provisor device info of an STM32MP: stage, phase, alternate settings. */
#include "cmd/mpu.h"

#include <inttypes.h>
#include <string.h>

static const char *
phase_meaning(const struct pv_mpu_phase *p)
{
	switch (p->id) {
	case PV_MPU_LAYOUT:
		return p->stage == PV_MPU_STAGE_TFA_SSP
			   ? "waits for license and package"
			   : "waits for a FlashLayout";
	case PV_MPU_FSBL:
		return "waits for the FSBL";
	case PV_MPU_DDR:
		return "waits for the DDR firmware";
	case PV_MPU_SSBL:
		return "waits for the FIP";
	case PV_MPU_SSP:
		return "waits for license and package";
	case PV_MPU_END:
		return "has all partitions";
	case PV_MPU_RESET:
		return "resets now";
	default:
		return "waits for this partition";
	}
}

static void
show_line(struct pv_app *app, const struct pv_mpu_info *i, struct pv_json *root)
{
	char version[2 * sizeof(i->version) + 1] = "";

	for (size_t k = 0; k < i->n_version; k++)
		(void)snprintf(version + 2 * k, sizeof(version) - 2 * k, "%02x",
		    i->version[k]);
	pv_out(app, "protocol    %u.%u, version bytes %s\n",
	    (unsigned)i->protocol >> 4, i->protocol & 15U, version);
	pv_out(app, "commands   ");
	for (size_t k = 0; k < i->n_opcodes; k++)
		pv_out(app, " %02x", i->opcodes[k]);
	pv_out(app, "\n");
	pv_json_set_hex(root, "commands", i->opcodes, i->n_opcodes);
	pv_json_set_hex(root, "version", i->version, i->n_version);
}

static void
show_usb(struct pv_app *app, const struct pv_mpu_info *i, struct pv_json *root)
{
	struct pv_json *list = pv_json_set_array(root, "alternates"), *o;

	pv_out(app, "usb         %s, serial %s, %u bytes a transfer\n", i->port,
	    i->serial[0] != '\0' ? i->serial : "-", (unsigned)i->transfer_size);
	pv_out(app, "product     %s\n", i->product);
	for (size_t k = 0; k < i->n_alternates; k++) {
		const struct pv_mpu_alternate *a = &i->alternates[k];

		if (a->known)
			pv_out(app, "alternate %-2u 0x%02x  %s\n", a->number,
			    a->id, a->text);
		else
			pv_out(app, "alternate %-2u -     %s\n", a->number,
			    a->text);
		o = pv_json_add_object(list);
		pv_json_set_int(o, "alternate", a->number);
		if (a->known)
			pv_json_set_int(o, "id", a->id);
		else
			pv_json_set_null(o, "id");
		pv_json_set_str(o, "text", a->text);
	}
	pv_json_set_str(root, "port", i->port);
	pv_json_set_str(root, "serial", i->serial);
	pv_json_set_str(root, "product", i->product);
	pv_json_set_int(root, "transfer_size", i->transfer_size);
}

static int
show(struct pv_app *app, const struct pv_mpu_target *t, struct pv_error *e)
{
	const struct pv_mpu_info *i = t->m.info(t->m.ctx);
	struct pv_mpu_phase p = { 0 };
	char name[PV_TARGET_NAME];
	struct pv_json *root;
	int r;

	r = t->m.phase(t->m.ctx, &p, e);
	if (r != 0)
		return r;
	pv_mpu_target_name(t, name);
	pv_out(app, "chip        %s\n", name);
	pv_out(app, "stage       %s\n", pv_mpu_stage_text(p.stage));
	pv_out(app, "phase       0x%02x, %s", p.id, phase_meaning(&p));
	if (p.address != UINT32_MAX)
		pv_out(app, " at 0x%08" PRIx32, p.address);
	pv_out(app, "%s%s\n", p.text[0] != '\0' ? ": " : "", p.text);
	root = pv_json_new_object();
	pv_json_set_str(
	    root, "chip", t->chip != NULL ? t->chip->name : "unknown");
	pv_json_set_addr(root, "device_id", i->chip);
	pv_json_set_str(root, "stage", pv_mpu_stage_text(p.stage));
	pv_json_set_int(root, "phase", p.id);
	pv_json_set_addr(root, "address", p.address);
	pv_json_set_bool(root, "wants_detach", p.detach);
	pv_json_set_str(root, "text", p.text);
	if (i->usb)
		show_usb(app, i, root);
	else
		show_line(app, i, root);
	pv_mpu_target_json(t, root);
	return pv_out_json(app, root, e);
}

int
pv_device_info_mpu(
    struct pv_app *app, const struct pv_target_args *args, struct pv_error *e)
{
	struct pv_mpu_target t = { 0 };
	int r;

	r = pv_mpu_target_open(app, args, &t, e);
	if (r == 0)
		r = show(app, &t, e);
	pv_mpu_target_close(&t);
	return r;
}
