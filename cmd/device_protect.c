/* SPDX-License-Identifier: Apache-2.0 */
/* provisor device protect, unprotect: sectors from writing, flash from reading. */
#include "cmd/device.h"

#include "base/hex.h"

#include <inttypes.h>
#include <string.h>

#define CODES_MAX 256U

struct codes {
	uint8_t code[CODES_MAX];
	size_t n;
};

static int
parse_number(const char *p, size_t n, uint64_t *ret, struct pv_error *e)
{
	char text[16];

	if (n == 0 || n >= sizeof(text))
		return pv_fail(e, PV_E_USAGE, "'%.*s' is no sector number",
		    (int)(n < 40 ? n : 40), p);
	memcpy(text, p, n);
	text[n] = '\0';
	return pv_parse_u64(text, CODES_MAX - 1, "sector", ret, e);
}

/* "0-3,7" */
static int
parse_sectors(const char *text, struct codes *c, struct pv_error *e)
{
	uint64_t from = 0, to;
	size_t n, dash;
	int r;

	for (;; text += n + 1) {
		n = strcspn(text, ",");
		dash = strcspn(text, "-,");
		r = parse_number(text, dash, &from, e);
		to = from;
		if (r == 0 && dash < n)
			r = parse_number(text + dash + 1, n - dash - 1, &to, e);
		if (r != 0)
			return r;
		if (to < from || to - from >= CODES_MAX - c->n)
			return pv_fail(e, PV_E_USAGE,
			    "'%.*s' is no range of sectors",
			    (int)(n < 40 ? n : 40), text);
		for (; from <= to; from++)
			c->code[c->n++] = (uint8_t)from;
		if (text[n] == '\0')
			return 0;
	}
}

/*
 * What the option bytes are afterwards (U17), for who knows the bits of the
 * family; null where they cannot be read.
 */
static void
add_options(
    struct pv_usart *u, const struct pv_chip *chip, struct pv_json *root)
{
	struct pv_error ignored = { 0 };
	uint8_t bytes[PV_USART_BLOCK];
	size_t n = 0;

	if (u != NULL && chip != NULL && chip->has_option_area &&
	    chip->option_area.size <= sizeof(bytes))
		n = chip->option_area.size;
	if (n > 0 && pv_usart_read_options(u, bytes, n, &ignored) == 0)
		pv_json_set_hex(root, "option_bytes", bytes, n);
	else
		pv_json_set_null(root, "option_bytes");
}

static int
report(struct pv_app *app, struct pv_target *t, const char *what, bool proven,
    bool open, const char *text, struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();

	pv_out(app, "%s: %s\n", t->chip->title, text);
	pv_json_set_str(root, "chip", t->chip->name);
	pv_json_set_str(root, "done", what);
	pv_json_set_bool(root, "proven", proven);
	add_options(open ? t->u : NULL, t->chip, root);
	pv_target_json(t, root);
	return pv_out_json(app, root, e);
}

/* --- protect ---------------------------------------------------------------------- */

static int
check_level(
    const char *level, bool yes, unsigned *ret_level, struct pv_error *e)
{
	uint64_t v;
	int r;

	r = pv_parse_u64(level, 2, "level", &v, e);
	if (r != 0)
		return r;
	if (v == 0)
		return pv_fail(e, PV_E_USAGE,
		    "level 0 is no protection: 'provisor device unprotect "
		    "--read-protect'");
	*ret_level = (unsigned)v;
	if (v < 2 || yes)
		return 0;
	(void)pv_fail(e, PV_E_IRREVERSIBLE,
	    "read protection level 2 closes the chip for ever: no "
	    "bootloader, no debugger, no way back");
	return pv_hint(
	    e, "nothing was sent; add --yes-irreversible if that is meant");
}

int
pv_device_protect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_target_args to = { 0 };
	const char *sectors = NULL, *level = NULL, **args;
	int read_protect = 0, yes = 0;
	struct poptOption table[] = { PV_OPT_TARGET(to),
		{ "sectors", 0, POPT_ARG_STRING, &sectors, 0,
		    "the whole set to protect from writing, such as 0-3,7",
		    "LIST" },
		{ "read-protect", 0, POPT_ARG_NONE, &read_protect, 0,
		    "read protection level 1", NULL },
		{ "level", 0, POPT_ARG_STRING, &level, 0,
		    "read protection level, 1 or 2", "N" },
		{ "yes-irreversible", 0, POPT_ARG_NONE, &yes, 0,
		    "for level 2, which cannot be taken back", NULL },
		POPT_TABLEEND };
	struct pv_target t = { 0 };
	struct codes c = { .n = 0 };
	unsigned lv = 1;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	if ((sectors != NULL) + (read_protect != 0) + (level != NULL) != 1)
		return pv_fail(e, PV_E_USAGE,
		    "one of --sectors, --read-protect and --level is needed");
	if (level != NULL)
		r = check_level(level, yes != 0, &lv, e);
	if (r == 0 && sectors != NULL)
		r = parse_sectors(sectors, &c, e);
	if (r == 0)
		r = pv_target_open(app, &to, true, &t, e);
	if (r != 0)
		return r;
	if (sectors != NULL) {
		r = pv_usart_write_protect(t.u, c.code, c.n, e);
		if (r == 0)
			r = report(app, &t, "write-protect", false, true,
			    "the chip acknowledged the set of write-protected "
			    "sectors; all others can be written",
			    e);
	} else if (lv == 1) {
		r = pv_usart_readout_protect(t.u, e);
		if (r == 0)
			r = report(app, &t, "read-protect", true, false,
			    "read protection is on, reading is refused; it "
			    "ends only by erasing everything",
			    e);
	} else {
		r = pv_device_level_2(&t, e);
		if (r == 0)
			r = report(app, &t, "level-2", false, false,
			    "read protection level 2 was written: the chip is "
			    "closed for ever",
			    e);
	}
	pv_target_close(&t);
	return r;
}

/* --- unprotect --------------------------------------------------------------------- */

int
pv_device_unprotect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_target_args to = { 0 };
	const char *sectors = NULL, **args;
	int read_protect = 0;
	struct poptOption table[] = { PV_OPT_TARGET(to),
		{ "sectors", 0, POPT_ARG_STRING, &sectors, 0,
		    "'all': end the write protection of every sector", "all" },
		{ "read-protect", 0, POPT_ARG_NONE, &read_protect, 0,
		    "end read protection level 1: ERASES ALL FLASH", NULL },
		POPT_TABLEEND };
	struct pv_target t = { 0 };
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	if ((sectors != NULL) == (read_protect != 0))
		return pv_fail(e, PV_E_USAGE,
		    "one of --sectors all and --read-protect is needed");
	if (sectors != NULL && strcmp(sectors, "all") != 0) {
		(void)pv_fail(e, PV_E_USAGE,
		    "the bootloader ends the protection of all sectors or "
		    "none: --sectors all");
		return pv_hint(e,
		    "to keep some, protect those again with 'device protect "
		    "--sectors'");
	}
	/* On USB write protection is a matter of the option bytes. */
	r = pv_target_open(app, &to,
	    PV_TARGET_NEED_CHIP | (sectors == NULL ? PV_TARGET_USB : 0U), &t,
	    e);
	if (r != 0)
		return r;
	if (t.dfu != NULL)
		r = pv_dfu_read_unprotect(t.dfu, e);
	else if (sectors != NULL)
		r = pv_usart_write_unprotect(t.u, e);
	else
		r = pv_usart_readout_unprotect(t.u, e);
	if (r == 0 && sectors != NULL)
		r = report(app, &t, "write-unprotect", false, true,
		    "the chip acknowledged that no sector is write-protected",
		    e);
	else if (r == 0)
		r = report(app, &t, "read-unprotect", true, true,
		    "read protection is off, and all of flash was erased", e);
	pv_target_close(&t);
	return r;
}
