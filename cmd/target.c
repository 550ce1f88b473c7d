/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/target.h"

#include "base/hex.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PV_TARGET_PORT 320U

static int
find_chip(struct pv_app *app, const char *name, bool need_chip,
    struct pv_target *t, struct pv_error *e)
{
	uint16_t id = pv_usart_info(t->u)->device_id;
	int r;

	if (name != NULL) {
		r = pv_chip_load(app->chip_dirs, name, &t->chip, e);
		if (r != 0)
			return r;
		if (t->chip->device_id != id)
			pv_log(PV_LOG_WARN,
			    "the chip says it is 0x%03x, %s is 0x%03" PRIx32
			    "; going on with %s as asked",
			    id, t->chip->title, t->chip->device_id,
			    t->chip->title);
		return 0;
	}
	r = pv_chip_load_id(app->chip_dirs, id, &t->chip, e);
	if (r != PV_E_UNKNOWN_CHIP)
		return r;
	if (!need_chip) {
		pv_error_clear(e);
		return 0;
	}
	(void)pv_fail(e, PV_E_DEVICE,
	    "the chip says it is 0x%03x, which no chip description has", id);
	return pv_hint(e,
	    "add a description to share/chips or %s/chips (a copy of a near "
	    "relative, with its device_id), or name one with --chip",
	    app->home);
}

/* --- the port ---------------------------------------------------------------- */

/* "usart:PATH@RATE", whatever rate the port text had. */
static int
port_at(
    const char *port, uint32_t baud, char *dst, size_t cap, struct pv_error *e)
{
	const char *at = strrchr(port, '@');
	size_t n = strlen(port);

	if (strncmp(port, "usart:", 6) != 0)
		return pv_fail(e, PV_E_USAGE,
		    "--baud is for serial ports, usart:PATH; the rate of '%s' "
		    "is set where its line is",
		    port);
	if (at != NULL && at[1] != '\0' &&
	    strspn(at + 1, "0123456789") == strlen(at + 1))
		n = (size_t)(at - port);
	if (snprintf(dst, cap, "%.*s@%" PRIu32, (int)n, port, baud) >= (int)cap)
		return pv_fail(e, PV_E_USAGE, "port name too long");
	return 0;
}

static int
open_at(void *ctx, uint32_t baud, struct pv_link *ret_link, struct pv_error *e)
{
	const struct pv_target_args *args = ctx;
	char port[PV_TARGET_PORT];
	int r;

	r = port_at(args->port, baud, port, sizeof(port), e);
	return r != 0 ? r : pv_link_open(port, ret_link, e);
}

static int
open_link(struct pv_app *app, struct pv_target_args *args,
    const struct pv_usart_options *opt, struct pv_target *t, struct pv_error *e)
{
	struct pv_rate_port port = {
		.ctx = args, .open = open_at, .address = 0x08000000U
	};
	struct pv_chip *chip = NULL;
	uint64_t baud;
	int r = 0;

	if (args->baud == NULL)
		return pv_link_open(args->port, &t->link, e);
	if (strcmp(args->baud, "auto") != 0) {
		r = pv_parse_u64(args->baud, UINT32_MAX, "baud rate", &baud, e);
		return r != 0 ? r : open_at(args, (uint32_t)baud, &t->link, e);
	}
	if (args->chip != NULL) {
		r = pv_chip_load(app->chip_dirs, args->chip, &chip, e);
		if (r == 0 && chip->n_banks > 0)
			port.address = pv_chip_flash_base(chip);
		pv_chip_free(chip);
	}
	if (r == 0)
		r = pv_usart_find_rate(&port, opt, &app->progress, &t->baud, e);
	if (r != 0)
		return r;
	pv_say(app, "%" PRIu32 " baud proves itself\n", t->baud);
	return open_at(args, t->baud, &t->link, e);
}

int
pv_target_open(struct pv_app *app, const struct pv_target_args *args,
    unsigned int flags, struct pv_target *ret_t, struct pv_error *e)
{
	struct pv_target_args a = *args;
	struct pv_reset reset = { 0 };
	struct pv_usart_options opt = { .reset = &reset,
		.lockstep = args->lockstep != 0,
		.coalesce = args->coalesce != 0 };
	struct pv_target t = { 0 };
	int r;

	memset(ret_t, 0, sizeof(*ret_t));
	r = pv_need(e, args->port, "--port");
	if (r == 0 && args->lockstep && args->coalesce)
		r = pv_fail(e, PV_E_USAGE,
		    "--lockstep and --coalesce exclude each other");
	if (r == 0 && args->reset != NULL)
		r = pv_reset_parse(args->reset, &reset, e);
	if (r != 0)
		return r;
	if (pv_target_is_usb(args->port) && (flags & PV_TARGET_USB) != 0) {
		r = pv_target_open_usb(app, args, flags, &t, e);
		if (r != 0)
			pv_target_close(&t);
		else
			*ret_t = t;
		return r;
	}
	r = open_link(app, &a, &opt, &t, e);
	if (r == 0)
		r = pv_usart_open_with(&t.link, &app->progress, &opt, &t.u, e);
	if (r == 0)
		r = find_chip(
		    app, args->chip, (flags & PV_TARGET_NEED_CHIP) != 0, &t, e);
	if (r != 0) {
		pv_target_close(&t);
		return r;
	}
	pv_usart_set_chip(t.u, t.chip);
	pv_boot_usart(t.u, &t.boot);
	*ret_t = t;
	return 0;
}

void
pv_target_json(const struct pv_target *t, struct pv_json *root)
{
	const struct pv_usart_counters *c;
	struct pv_json *o;

	if (t->dfu != NULL) {
		o = pv_json_set_object(root, "usb");
		pv_json_set_int(o, "block", pv_dfu_block(t->dfu));
		pv_json_set_int(
		    o, "transfers", (int64_t)pv_dfu_transfers(t->dfu));
		pv_json_set_int(root, "retries", pv_dfu_retries(t->dfu));
		return;
	}
	c = pv_usart_counters(t->u);
	o = pv_json_set_object(root, "line");
	pv_json_set_int(o, "baud", t->link.baud);
	pv_json_set_int(o, "blocks_lockstep", (int64_t)c->blocks_lockstep);
	pv_json_set_int(o, "blocks_merged", (int64_t)c->blocks_merged);
	pv_json_set_int(o, "blocks_coalesced", (int64_t)c->blocks_coalesced);
	pv_json_set_int(o, "blocks_screened", (int64_t)c->blocks_screened);
	pv_json_set_int(o, "reads_lockstep", (int64_t)c->reads_lockstep);
	pv_json_set_int(o, "reads_merged", (int64_t)c->reads_merged);
	pv_json_set_int(o, "checksums", (int64_t)c->checksums);
	pv_json_set_int(o, "fallbacks", c->fallbacks);
	pv_json_set_int(o, "resets", c->resets);
	pv_json_set_int(root, "retries", pv_usart_retries(t->u));
}

void
pv_target_empty_check(struct pv_app *app, const struct pv_target *t)
{
	size_t i;

	for (i = 0; t->chip != NULL && i < t->chip->n_usart_quirks; i++)
		if (strcmp(t->chip->usart_quirks[i], "empty-check") == 0)
			pv_say(app,
			    "after its first programming the %s stays in the "
			    "bootloader until a power cycle (or option "
			    "loading): a reset is not enough\n",
			    t->chip->title);
}

void
pv_target_close(struct pv_target *t)
{
	pv_usart_free(t->u);
	pv_dfu_free(t->dfu);
	pv_usb_release(t->usb);
	free(t->usb);
	pv_chip_free(t->given);
	pv_link_release(&t->link);
	pv_chip_free(t->chip);
	memset(t, 0, sizeof(*t));
}

void
pv_target_name(const struct pv_target *t, char dst[PV_TARGET_NAME])
{
	if (t->dfu != NULL) {
		(void)snprintf(dst, PV_TARGET_NAME, "%.56s on %.32s",
		    t->given != NULL ? t->given->title : "chip", t->usb->port);
		return;
	}
	(void)snprintf(dst, PV_TARGET_NAME, "%s (0x%03x)",
	    t->chip != NULL ? t->chip->title : "unknown chip",
	    pv_usart_info(t->u)->device_id);
}

unsigned int
pv_target_retries(const struct pv_target *t)
{
	if (t->dfu != NULL)
		return pv_dfu_retries(t->dfu);
	return t->u != NULL ? pv_usart_retries(t->u) : 0;
}

int
pv_target_go(const struct pv_target *t, uint32_t addr, struct pv_error *e)
{
	return t->dfu != NULL ? pv_dfu_leave(t->dfu, addr, e)
			      : pv_usart_go(t->u, addr, e);
}

int
pv_parse_range(const char *text, uint32_t *ret_addr, uint32_t *ret_size,
    struct pv_error *e)
{
	const char *plus = strchr(text, '+');
	char addr[32];
	uint64_t a, n;
	int r;

	if (plus == NULL || (size_t)(plus - text) >= sizeof(addr)) {
		(void)pv_fail(e, PV_E_USAGE, "'%s' is not ADDR+SIZE", text);
		return pv_hint(e, "such as 0x08000000+16K");
	}
	memcpy(addr, text, (size_t)(plus - text));
	addr[plus - text] = '\0';
	r = pv_parse_u64(addr, UINT32_MAX, "address", &a, e);
	if (r == 0)
		r = pv_parse_size(plus + 1, UINT32_MAX, "size", &n, e);
	if (r != 0)
		return r;
	if (n == 0 || n - 1 > UINT32_MAX - a)
		return pv_fail(e, PV_E_USAGE,
		    "'%s' does not fit into the address space", text);
	*ret_addr = (uint32_t)a;
	*ret_size = (uint32_t)n;
	return 0;
}

void
pv_size_text(char dst[PV_SIZE_TEXT], uint64_t bytes)
{
	if (bytes < 1024)
		(void)snprintf(dst, PV_SIZE_TEXT, "%u bytes", (unsigned)bytes);
	else
		(void)snprintf(
		    dst, PV_SIZE_TEXT, "%.1f KiB", (double)bytes / 1024.0);
}
