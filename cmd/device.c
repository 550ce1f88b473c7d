/* SPDX-License-Identifier: Apache-2.0 */
/* provisor device: look at, read and program a chip in its bootloader. */
#include "cmd/device.h"
#include "cmd/mpu.h"
#include "cmd/nouns.h"

#include "base/file.h"
#include "base/hex.h"
#include <provisor/push.h>
#include <provisor/secure_install.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- list -------------------------------------------------------------------- */

struct listing {
	struct pv_app *app;
	struct pv_json *ports;
	unsigned n;
};

static int
list_one(void *ctx, const struct pv_port_info *p)
{
	struct listing *l = ctx;
	struct pv_json *o = pv_json_add_object(l->ports);
	char usb[16] = "-";

	l->n++;
	if (p->vendor_id >= 0)
		(void)snprintf(usb, sizeof(usb), "%04x:%04x",
		    (unsigned)p->vendor_id, (unsigned)p->product_id);
	pv_out(l->app, "%-28s %-9s %-16s %s\n", p->port, usb,
	    p->serial[0] != '\0' ? p->serial : "-", p->description);
	pv_json_set_str(o, "port", p->port);
	pv_json_set_str(o, "description", p->description);
	pv_json_set_str(o, "manufacturer", p->manufacturer);
	pv_json_set_str(o, "serial", p->serial);
	if (p->vendor_id >= 0)
		pv_json_set_str(o, "usb", usb);
	else
		pv_json_set_null(o, "usb");
	return 0;
}

static int
run_list(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	struct listing l = { .app = app };
	struct pv_json *root;
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	root = pv_json_new_object();
	l.ports = pv_json_set_array(root, "ports");
	r = pv_link_list(list_one, &l, e);
	/* A machine without any has no list of them; there is still USB. */
	if (r == PV_E_LINK) {
		pv_say(app, "%s\n", e->msg);
		pv_error_clear(e);
	} else if (r != 0) {
		pv_json_free(root);
		return r;
	}
	l.n += pv_device_list_usb(app, l.ports);
	if (l.n == 0)
		pv_say(app, "no serial ports and no USB devices in DFU mode "
			    "on this machine\n");
	return pv_out_json(app, root, e);
}

/* --- info -------------------------------------------------------------------- */

static const char *
protection_text(bool known, bool on)
{
	return !known ? "not known" : on ? "active" : "off";
}

static void
print_commands(struct pv_app *app, const struct pv_usart_info *info)
{
	size_t i;

	pv_out(app, "commands   ");
	for (i = 0; i < info->n_opcodes; i++)
		pv_out(app, " %02x", info->opcodes[i]);
	pv_out(app, "\n");
}

static void
print_install(struct pv_app *app, struct pv_json *root, struct pv_usart *u)
{
	struct pv_install_chip c;
	struct pv_error ignored = { 0 };
	struct pv_json *o;
	char hex[7];

	if (!pv_usart_has(u, PV_OP_SPECIAL) ||
	    !pv_usart_has(u, PV_OP_EXTENDED_SPECIAL) ||
	    pv_install_ask(u, &c, &ignored) != 0) {
		pv_json_set_null(root, "install");
		return;
	}
	pv_hex_encode(hex, c.fingerprint, 3);
	pv_out(app, "install     product id %s, serial %s, %s\n", c.product_id,
	    hex,
	    c.key_pinned ? "campaign key pinned" : "no campaign key pinned");
	if (c.state == PV_SI_STATE_PAUSED)
		pv_out(app,
		    "            it waits for the rest of a package: push that "
		    "again, or another one, which erases it first\n");
	o = pv_json_set_object(root, "install");
	pv_json_set_str(o, "product_id", c.product_id);
	pv_json_set_str(o, "serial", hex);
	pv_json_set_int(o, "state", c.state);
	pv_json_set_bool(o, "campaign_key_pinned", c.key_pinned);
	pv_json_set_addr(o, "flash_base", c.flash_base);
	pv_json_set_int(o, "flash_size", c.flash_size);
	pv_json_set_int(o, "option_bytes", c.option_bytes);
	if (c.external_size > 0) {
		pv_json_set_addr(o, "external_base", c.external_base);
		pv_json_set_int(o, "external_size", c.external_size);
	}
	pv_json_set_hex(o, "certificate", c.certificate, sizeof(c.certificate));
}

static int
report_info(struct pv_app *app, const struct pv_target *t, bool known, bool on,
    struct pv_error *e)
{
	const struct pv_usart_info *info = pv_usart_info(t->u);
	struct pv_json *root = pv_json_new_object();
	char name[PV_TARGET_NAME], version[8], text[PV_SIZE_TEXT];
	uint64_t flash = 0;
	size_t i;

	pv_target_name(t, name);
	(void)snprintf(version, sizeof(version), "%u.%u",
	    (unsigned int)info->version >> 4, info->version & 15U);
	pv_out(app, "chip        %s\n", name);
	pv_out(app, "bootloader  %s%s\n", version,
	    info->already_synced ? ", already synchronized" : "");
	print_commands(app, info);
	pv_out(app, "protection  %s\n", protection_text(known, on));
	pv_json_set_str(
	    root, "chip", t->chip != NULL ? t->chip->name : "unknown");
	pv_json_set_addr(root, "device_id", info->device_id);
	pv_json_set_str(root, "bootloader", version);
	pv_json_set_hex(root, "commands", info->opcodes, info->n_opcodes);
	if (known)
		pv_json_set_bool(root, "read_protected", on);
	else
		pv_json_set_null(root, "read_protected");
	if (t->chip != NULL) {
		for (i = 0; i < t->chip->n_banks; i++)
			flash += t->chip->banks[i].size;
		pv_size_text(text, flash);
		pv_out(app,
		    "flash       %s at 0x%08" PRIx32 ", %" PRIu32 " sectors\n",
		    text, pv_chip_flash_base(t->chip),
		    pv_chip_sectors(t->chip));
		pv_json_set_addr(
		    root, "flash_base", pv_chip_flash_base(t->chip));
		pv_json_set_int(root, "flash_size", (int64_t)flash);
	} else {
		pv_say(app,
		    "no chip description has this id: 'device read' works, "
		    "erase and write need one (--chip, or a file in "
		    "share/chips)\n");
	}
	print_install(app, root, t->u);
	pv_json_set_int(root, "retries", pv_usart_retries(t->u));
	return pv_out_json(app, root, e);
}

static int
run_info(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_target_args to = { 0 };
	struct poptOption table[] = { PV_OPT_TARGET(to), POPT_TABLEEND };
	struct pv_target t;
	const char **args;
	bool on = false, known;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r == 0 && pv_mpu_target_is(&to))
		return pv_device_info_mpu(app, &to, e);
	to.force = 1; /* a map that does not parse is worth showing */
	if (r == 0)
		r = pv_target_open(app, &to, PV_TARGET_USB, &t, e);
	/* A serial line tells by its list of commands. */
	if (r == PV_E_UNSUPPORTED && !pv_target_is_usb(to.port)) {
		pv_error_clear(e);
		return pv_device_info_mpu(app, &to, e);
	}
	if (r != 0)
		return r;
	if (t.dfu != NULL) {
		r = pv_device_info_usb(app, &t, e);
		pv_target_close(&t);
		return r;
	}
	/* Every STM32 microcontroller shows flash there when it is unknown. */
	known = pv_usart_has(t.u, PV_OP_READ);
	if (known)
		r = pv_usart_probe_protection(t.u,
		    t.chip != NULL && t.chip->n_banks > 0
			? pv_chip_flash_base(t.chip)
			: 0x08000000U,
		    &on, e);
	if (r == PV_E_NACK) { /* no memory at that address */
		known = false;
		r = 0;
	}
	if (r == 0)
		r = report_info(app, &t, known, on, e);
	pv_target_close(&t);
	return r;
}

/* --- read -------------------------------------------------------------------- */

#define READ_AGAIN 4U
#define READ_PIECE 512U /* bytes read again after a difference */

/* May the device's checksum judge what is read from there? */
static int
can_check(struct pv_target *t, uint32_t addr, uint32_t size, bool *ret_can,
    struct pv_error *e)
{
	*ret_can = false;
	if (t->chip == NULL || addr % 4 != 0 || size % 4 != 0 ||
	    !pv_chip_in_flash(t->chip, addr, size, NULL))
		return 0;
	return t->boot.checksum_probe(
	    t->boot.ctx, pv_chip_flash_base(t->chip), ret_can, e);
}

static int
agrees(struct pv_target *t, uint32_t addr, const uint8_t *data, uint32_t n,
    bool *ret_agrees, struct pv_error *e)
{
	uint32_t crc = 0;
	int r;

	r = t->boot.checksum(t->boot.ctx, addr, n, &crc, e);
	*ret_agrees = crc == pv_usart_crc(PV_USART_CRC_INIT, data, n);
	return r;
}

/*
 * What travels back on a serial line has no checksum of its own: find the
 * pieces that the chip's checksum does not confirm, and read those again.
 */
static int
read_checked(struct pv_target *t, uint32_t addr, uint8_t *data, uint32_t size,
    bool check, struct pv_error *e)
{
	bool good = !check;
	uint32_t at, n;
	unsigned i;
	int r;

	r = t->boot.read(t->boot.ctx, addr, data, size, e);
	if (r == 0 && check)
		r = agrees(t, addr, data, size, &good, e);
	if (r != 0 || good)
		return r;
	for (at = 0; at < size; at += n) {
		n = size - at < READ_PIECE ? size - at : READ_PIECE;
		r = agrees(t, addr + at, data + at, n, &good, e);
		for (i = 0; r == 0 && !good && i < READ_AGAIN; i++) {
			t->boot.count_retry(t->boot.ctx, "read", addr + at,
			    "what was read does not have the chip's checksum");
			r = t->boot.read(
			    t->boot.ctx, addr + at, data + at, n, e);
			if (r == 0)
				r = agrees(
				    t, addr + at, data + at, n, &good, e);
		}
		if (r != 0)
			return r;
		if (!good)
			return pv_fail(e, PV_E_DEVICE,
			    "read at 0x%08" PRIx32 ": what comes back does not "
			    "have the chip's checksum, %u times in a row",
			    addr + at, READ_AGAIN + 1U);
	}
	return 0;
}

/* Into memory for a DfuSe file, whose checksum comes at its end; else to f. */
static int
read_to(struct pv_app *app, struct pv_target *t, uint32_t addr, uint32_t size,
    struct pv_outfile *f, uint8_t *all, struct pv_error *e)
{
	uint8_t chunk[PV_READ_CHUNK], *data = chunk;
	uint32_t at, n;
	bool check;
	int r;

	r = can_check(t, addr, size, &check, e);
	if (r != 0)
		return r;
	for (at = 0; at < size; at += n) {
		n = size - at < PV_READ_CHUNK ? size - at : PV_READ_CHUNK;
		if (all != NULL)
			data = all + at;
		r = read_checked(t, addr + at, data, n, check, e);
		if (r == 0 && f != NULL)
			r = pv_outfile_write(f, data, n, e);
		if (r != 0)
			return r;
		pv_progress_at(&app->progress, "read", at + n, size);
	}
	return 0;
}

static int
read_file(struct pv_app *app, struct pv_target *t, uint32_t addr, uint32_t size,
    const char *out, struct pv_error *e)
{
	struct pv_outfile *f = NULL;
	uint8_t *all = NULL;
	int r;

	if (pv_device_wants_dfuse(out)) {
		all = malloc(size);
		if (all == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		r = read_to(app, t, addr, size, NULL, all, e);
		if (r == 0)
			r = pv_device_save_dfuse(t, out, addr, all, size, e);
		free(all);
		return r;
	}
	r = pv_outfile_open(out, 0666, &f, e);
	if (r == 0)
		r = read_to(app, t, addr, size, f, NULL, e);
	if (r == 0)
		r = pv_outfile_commit(f, e);
	pv_outfile_free(f);
	return r;
}

static int
run_read(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_target_args to = { 0 };
	const char *out = NULL;
	struct poptOption table[] = { PV_OPT_TARGET(to),
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "file to write the bytes to; a name in .dfu makes a DfuSe "
		    "file",
		    "FILE" },
		POPT_TABLEEND };
	struct pv_target t = { 0 };
	struct pv_json *root;
	char text[PV_SIZE_TEXT];
	const char **args;
	uint32_t addr, size;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	r = pv_need(e, out, "--output");
	if (r == 0)
		r = pv_parse_range(args[0], &addr, &size, e);
	if (r == 0)
		r = pv_target_open(app, &to, PV_TARGET_USB, &t, e);
	if (r == 0)
		r = read_file(app, &t, addr, size, out, e);
	pv_bar_end(app);
	if (r == 0) {
		pv_size_text(text, size);
		pv_out(app, "%s: %s from 0x%08" PRIx32 "\n", out, text, addr);
		root = pv_json_new_object();
		pv_json_set_str(root, "file", out);
		pv_json_set_addr(root, "address", addr);
		pv_json_set_int(root, "size", size);
		pv_json_set_int(root, "retries", pv_target_retries(&t));
		r = pv_out_json(app, root, e);
	}
	pv_target_close(&t);
	return r;
}

/* --- write, verify ------------------------------------------------------------ */

struct image_job {
	struct pv_target_args to;
	const char **args;
	struct pv_image *img;
	struct pv_plan *plan;
	struct pv_target t;
	struct pv_plan_info info;
};

static int
image_begin(struct pv_app *app, struct image_job *j, struct pv_error *e)
{
	int r;

	r = pv_image_new(&j->img, e);
	if (r == 0)
		r = pv_image_add_file(j->img, j->args[0], e);
	if (r == 0)
		r = pv_target_open(
		    app, &j->to, PV_TARGET_NEED_CHIP | PV_TARGET_USB, &j->t, e);
	if (r == 0)
		r = pv_plan_new(j->img, j->t.chip, j->t.boot.block,
		    j->t.dfu == NULL, &j->plan, e);
	if (r == 0)
		pv_plan_info(j->plan, &j->info);
	return r;
}

static void
image_end(struct image_job *j)
{
	pv_plan_free(j->plan);
	pv_image_free(j->img);
	pv_target_close(&j->t);
}

void
pv_program_json(struct pv_json *root, const struct pv_plan_report *rep)
{
	pv_json_set_int(root, "sectors_erased", (int64_t)rep->erased);
	pv_json_set_int(root, "sectors_kept", (int64_t)rep->kept);
	pv_json_set_int(root, "sectors_rewritten", rep->rewritten);
	pv_json_set_int(root, "bytes_written", (int64_t)rep->written);
	pv_json_set_int(root, "bytes_skipped", (int64_t)rep->skipped);
	pv_json_set_int(root, "bytes_kept", (int64_t)rep->kept_bytes);
	pv_json_set_int(root, "bytes_verified", (int64_t)rep->verified);
	pv_json_set_str(
	    root, "verified_by", rep->by_checksum ? "checksum" : "read-back");
	pv_json_set_int(root, "compare_ms", rep->compare_ms);
	pv_json_set_int(root, "erase_ms", rep->erase_ms);
	pv_json_set_int(root, "write_ms", rep->write_ms);
	pv_json_set_int(root, "verify_ms", rep->verify_ms);
}

static int
report_write(struct pv_app *app, const struct image_job *j,
    const struct pv_plan_report *rep, struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();
	char text[PV_SIZE_TEXT];
	unsigned retries = pv_target_retries(&j->t);

	pv_size_text(text, j->info.bytes);
	pv_out(app, "%s: %s written, %zu sector%s erased, %s\n", j->args[0],
	    text, rep->erased, rep->erased == 1 ? "" : "s",
	    rep->by_checksum ? "all of it confirmed by the chip's checksum"
			     : "all of it read back");
	if (rep->kept > 0)
		pv_out(app, "%zu sector%s held it already\n", rep->kept,
		    rep->kept == 1 ? "" : "s");
	pv_target_empty_check(app, &j->t);
	if (retries > 0)
		pv_say(app, "%u retries on the line\n", retries);
	pv_json_set_str(root, "file", j->args[0]);
	pv_json_set_str(root, "chip", j->t.chip->name);
	pv_json_set_int(root, "bytes", (int64_t)j->info.bytes);
	pv_program_json(root, rep);
	pv_target_json(&j->t, root);
	return pv_out_json(app, root, e);
}

static int
run_write(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct image_job j = { 0 };
	int changed = 0, read_back = 0;
	struct poptOption table[] = { PV_OPT_TARGET(j.to),
		PV_OPT_PROGRAM(changed, read_back), POPT_TABLEEND };
	struct pv_plan_report rep = { .state = PV_DEVICE_UNCHANGED };
	struct pv_plan_options opt;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &j.args, e);
	if (r != 0)
		return r;
	opt = (struct pv_plan_options){ .only_changed = changed != 0,
		.coalesce = j.to.coalesce != 0,
		.read_back = read_back != 0 };
	r = image_begin(app, &j, e);
	if (r == 0)
		r = pv_plan_program_with(
		    j.plan, &j.t.boot, &opt, &app->progress, &rep, e);
	pv_bar_end(app);
	if (r == 0)
		r = report_write(app, &j, &rep, e);
	else if (j.plan != NULL)
		pv_say(
		    app, "the chip is %s\n", pv_device_state_text(rep.state));
	image_end(&j);
	return r;
}

static int
run_verify(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct image_job j = { 0 };
	struct poptOption table[] = { PV_OPT_TARGET(j.to), POPT_TABLEEND };
	struct pv_json *root;
	char text[PV_SIZE_TEXT];
	uint64_t differing = 0;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &j.args, e);
	if (r != 0)
		return r;
	r = image_begin(app, &j, e);
	if (r == 0)
		r = pv_plan_verify(
		    j.plan, &j.t.boot, &app->progress, &differing, e);
	pv_bar_end(app);
	if (r == 0) {
		pv_size_text(text, j.info.bytes);
		pv_out(app, "%s: the chip holds these %s\n", j.args[0], text);
		root = pv_json_new_object();
		pv_json_set_str(root, "file", j.args[0]);
		pv_json_set_str(root, "chip", j.t.chip->name);
		pv_json_set_int(root, "bytes", (int64_t)j.info.bytes);
		pv_json_set_int(root, "retries", pv_target_retries(&j.t));
		r = pv_out_json(app, root, e);
	}
	image_end(&j);
	return r;
}

/* --- go ------------------------------------------------------------------------ */

static int
run_go(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_target_args to = { 0 };
	struct poptOption table[] = { PV_OPT_TARGET(to), POPT_TABLEEND };
	struct pv_target t = { 0 };
	struct pv_json *root;
	const char **args;
	uint64_t addr;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r == 0)
		r = pv_parse_u64(args[0], UINT32_MAX, "address", &addr, e);
	if (r == 0)
		r = pv_target_open(app, &to, PV_TARGET_USB, &t, e);
	if (r != 0)
		return r;
	r = pv_target_go(&t, (uint32_t)addr, e);
	if (r == 0) {
		pv_out(app, "program at 0x%08" PRIx64 " started\n", addr);
		root = pv_json_new_object();
		pv_json_set_addr(root, "address", addr);
		pv_json_set_int(root, "retries", pv_target_retries(&t));
		r = pv_out_json(app, root, e);
	}
	pv_target_close(&t);
	return r;
}

const struct pv_verb pv_verbs_device[] = {
	{ "device", "list", "", "list serial ports and USB devices in DFU mode",
	    "provisor device list --json", run_list },
	{ "device", "info", PV_TARGET_SYNOPSIS,
	    "ask the bootloader what the chip is",
	    "provisor device info --port usart:/dev/ttyUSB0\n"
	    "provisor device info --port dfu",
	    run_info },
	{ "device", "read", "ADDR+SIZE " PV_TARGET_SYNOPSIS " -o FILE",
	    "read memory into a file",
	    "provisor device read 0x08000000+64K --port usart:/dev/ttyUSB0 "
	    "-o dump.bin\n"
	    "provisor device read 0x08000000+64K --port dfu:1-4 -o dump.dfu",
	    run_read },
	{ "device", "write",
	    "FILE[@ADDR] " PV_TARGET_SYNOPSIS " [--only-changed] [--read-back]",
	    "erase the sectors an image touches, write it, read it back",
	    "provisor device write app.hex --port usart:/dev/ttyUSB0\n"
	    "provisor device write app.bin@0x08000000 --port "
	    "tcp:10.0.0.7:4000",
	    run_write },
	{ "device", "verify", "FILE[@ADDR] " PV_TARGET_SYNOPSIS,
	    "compare an image with what the chip holds",
	    "provisor device verify app.elf --port usart:/dev/ttyUSB0",
	    run_verify },
	{ "device", "erase",
	    "[--all] [--no-check] [ADDR+SIZE...] " PV_TARGET_SYNOPSIS,
	    "erase whole sectors, or all of flash, and check that they are "
	    "blank",
	    "provisor device erase 0x08000000+16K --port usart:/dev/ttyUSB0\n"
	    "provisor device erase --all --port usart:/dev/ttyUSB0",
	    pv_device_erase },
	{ "device", "options",
	    PV_TARGET_SYNOPSIS " [--set FILE | --set WORD=VALUE...] "
			       "[--yes-irreversible]",
	    "show the option bytes, or write them all and read them back",
	    "provisor device options --port usart:/dev/ttyUSB0\n"
	    "provisor device options --port usart:/dev/ttyUSB0 --set "
	    "0x1fff7800=0xfbeff8aa",
	    pv_device_options },
	{ "device", "protect",
	    "(--sectors LIST | --read-protect | --level N) " PV_TARGET_SYNOPSIS
	    " [--yes-irreversible]",
	    "protect sectors from writing, or flash from reading",
	    "provisor device protect --sectors 0-3 --port usart:/dev/ttyUSB0",
	    pv_device_protect },
	{ "device", "unprotect",
	    "(--sectors all | --read-protect) " PV_TARGET_SYNOPSIS,
	    "end write protection, or read protection by erasing everything",
	    "provisor device unprotect --sectors all --port "
	    "usart:/dev/ttyUSB0",
	    pv_device_unprotect },
	{ "device", "otp",
	    "(read | write WORD=VALUE...) " PV_TARGET_SYNOPSIS
	    " [--fsbl FILE --fip FILE] [-o FILE] [--all] [--lock] [--dry-run] "
	    "[--yes-irreversible]",
	    "show the OTP words of an STM32MP, or burn some of them",
	    "provisor device otp read --port dfu --fsbl tf-a.stm32 --fip "
	    "fip.bin\n"
	    "provisor device otp write 60=0x12345678 --port dfu --dry-run",
	    pv_device_otp },
	{ "device", "go", "ADDR " PV_TARGET_SYNOPSIS,
	    "start the program at an address",
	    "provisor device go 0x08000000 --port usart:/dev/ttyUSB0", run_go },
	{ 0 },
};
