/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/mpu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
open_usb(struct pv_app *app, const struct pv_target_args *args,
    struct pv_mpu_target *t, struct pv_error *e)
{
	int r;

	if (args->reset != NULL || args->baud != NULL || args->lockstep ||
	    args->coalesce)
		return pv_fail(e, PV_E_USAGE,
		    "--reset-sequence, --baud, --lockstep and --coalesce are "
		    "for serial lines");
	t->usb = calloc(1, sizeof(*t->usb));
	if (t->usb == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_usb_open(args->port, t->usb, e);
	return r != 0 ? r : pv_mpu_dfu_open(t->usb, &app->progress, &t->m, e);
}

/* The ROM finds 115200 baud or what 0x7F has; TF-A and U-Boot use 115200. */
static int
open_line(struct pv_app *app, const struct pv_target_args *args,
    struct pv_mpu_target *t, struct pv_error *e)
{
	struct pv_reset reset = { 0 };
	int r = 0;

	if (args->baud != NULL || args->lockstep || args->coalesce)
		return pv_fail(e, PV_E_USAGE,
		    "--baud, --lockstep and --coalesce are not for an "
		    "STM32MP: its stages run at 115200 baud in lockstep");
	if (args->reset != NULL)
		r = pv_reset_parse(args->reset, &reset, e);
	if (r == 0)
		r = pv_link_open(args->port, &t->link, e);
	return r != 0 ? r
		      : pv_mpu_uart_open(
			    &t->link, &app->progress, &reset, &t->m, e);
}

int
pv_mpu_target_open(struct pv_app *app, const struct pv_target_args *args,
    struct pv_mpu_target *ret_t, struct pv_error *e)
{
	struct pv_mpu_target t = { 0 };
	struct pv_error ignored = { 0 };
	uint16_t id;
	int r;

	memset(ret_t, 0, sizeof(*ret_t));
	r = pv_need(e, args->port, "--port");
	if (r == 0 && pv_target_is_usb(args->port))
		r = open_usb(app, args, &t, e);
	else if (r == 0)
		r = open_line(app, args, &t, e);
	if (r != 0) {
		pv_mpu_target_close(&t);
		return r;
	}
	id = t.m.info(t.m.ctx)->chip;
	if (pv_chip_load_id(app->chip_dirs, id, &t.chip, &ignored) != 0)
		t.chip = NULL;
	*ret_t = t;
	return 0;
}

void
pv_mpu_target_close(struct pv_mpu_target *t)
{
	pv_mpu_release(&t->m);
	pv_usb_release(t->usb);
	free(t->usb);
	pv_link_release(&t->link);
	pv_chip_free(t->chip);
	memset(t, 0, sizeof(*t));
}

bool
pv_mpu_target_is(const struct pv_target_args *args)
{
	struct pv_error ignored = { 0 };
	struct pv_usb usb = { 0 };
	bool is;

	if (args->port == NULL || !pv_target_is_usb(args->port) ||
	    pv_usb_open(args->port, &usb, &ignored) != 0)
		return false;
	is = pv_mpu_usb_is(&usb);
	pv_usb_release(&usb);
	return is;
}

void
pv_mpu_target_name(const struct pv_mpu_target *t, char dst[PV_TARGET_NAME])
{
	(void)snprintf(dst, PV_TARGET_NAME, "%s (0x%03x)",
	    t->chip != NULL ? t->chip->title : "unknown STM32MP",
	    t->m.info(t->m.ctx)->chip);
}

unsigned int
pv_mpu_target_retries(const struct pv_mpu_target *t)
{
	return t->m.ctx != NULL ? t->m.counters(t->m.ctx)->retries : 0;
}

void
pv_mpu_target_json(const struct pv_mpu_target *t, struct pv_json *root)
{
	const struct pv_mpu_counters *c;
	struct pv_json *o;

	if (t->m.ctx == NULL) {
		pv_json_set_int(root, "retries", 0);
		return;
	}
	c = t->m.counters(t->m.ctx);
	o = pv_json_set_object(root, t->usb != NULL ? "usb" : "line");
	pv_json_set_int(o, "bytes_sent", (int64_t)c->sent);
	if (t->usb != NULL) {
		pv_json_set_int(o, "transfers", (int64_t)c->transfers);
	} else {
		pv_json_set_int(o, "baud", t->link.baud);
		pv_json_set_int(o, "bytes_on_line", (int64_t)c->wire);
	}
	pv_json_set_int(o, "restarts", c->restarts);
	pv_json_set_int(root, "retries", c->retries);
}

/* --- images ---------------------------------------------------------------------- */

int
pv_mpu_images_open(const char *fsbl, const char *fip, uint16_t chip,
    struct pv_mpu_images *ret_i, struct pv_error *e)
{
	struct pv_mpu_images i = { 0 };
	struct pv_mpu_image im;
	int r;

	memset(ret_i, 0, sizeof(*ret_i));
	if (fsbl == NULL && fip == NULL)
		return 0;
	if (fsbl == NULL || fip == NULL)
		return pv_fail(e, PV_E_USAGE, "--fsbl and --fip go together");
	r = pv_mpu_file_open(fsbl, &i.fsbl, e);
	if (r == 0)
		r = pv_mpu_file_image(i.fsbl, chip, &im, e);
	if (r == 0)
		r = pv_mpu_file_open(fip, &i.fip, e);
	if (r == 0)
		r = pv_mpu_file_fip(i.fip, e);
	if (r != 0) {
		pv_mpu_images_close(&i);
		return r;
	}
	i.chain = (struct pv_mpu_chain){
		.fsbl = pv_mpu_file_source(i.fsbl),
		.fip = pv_mpu_file_source(i.fip),
	};
	*ret_i = i;
	return 0;
}

void
pv_mpu_images_close(struct pv_mpu_images *i)
{
	pv_mpu_file_close(i->fsbl);
	pv_mpu_file_close(i->fip);
	memset(i, 0, sizeof(*i));
}
