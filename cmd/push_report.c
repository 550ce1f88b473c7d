/* SPDX-License-Identifier: Apache-2.0 */
/* What a push prints: its plan, its lines, PASS or FAIL, and JSON. */
#include "cmd/device.h"
#include "cmd/mpu.h"
#include "cmd/push.h"
#include "cmd/ui.h"

#include "base/clock.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void
pv_push_say_chip(const struct pv_push *p)
{
	char name[PV_TARGET_NAME];
	unsigned int version;

	if (p->mpu != NULL) {
		pv_mpu_target_name(p->mpu, name);
		pv_out(p->app, "chip      %s", name);
		if (p->verified != NULL)
			pv_out(p->app, ", certificate %.8s\u2026 %s",
			    p->install.chip.product_id, p->verified);
		pv_out(p->app, "\n");
		return;
	}
	version = p->t.dfu != NULL ? (unsigned int)p->t.usb->device >> 8
				   : pv_usart_info(p->t.u)->version;
	pv_target_name(&p->t, name);
	pv_out(p->app, "chip      %s, bootloader %u.%u", name,
	    version >> 4 & 15U, version & 15U);
	if (p->verified != NULL)
		pv_out(p->app, ", certificate %.8s\u2026 %s",
		    p->install.chip.product_id, p->verified);
	pv_out(p->app, "\n");
}

/* --- dry run -------------------------------------------------------------------- */

/* What each letter would do, for people; NULL for one with an address. */
static const char *
plan_words(char type)
{
	switch (type) {
	case 'C':
		return "option bytes would be applied last";
	case 'K':
		return "bytes that say where the chip would make keys";
	default:
		return NULL;
	}
}

static const char *
area_name(char type)
{
	switch (type) {
	case 'F':
		return "firmware";
	case 'M':
		return "module";
	case 'K':
		return "key-areas";
	case 'E':
		return "external-firmware";
	case 'C':
		return "option-bytes";
	case 'P':
		return "pause";
	case 'R':
		return "resume";
	default:
		return "unknown";
	}
}

static void
plan_area(
    const struct pv_push *p, size_t number, const struct pv_install_area *a)
{
	struct pv_sector first, last;

	if (a->type == 'P')
		pv_out(p->app, "  %zu P  end of a part: the chip restarts\n",
		    number);
	if (a->type == 'P' || a->type == 'R')
		return;
	if (plan_words(a->type) != NULL) {
		pv_out(p->app, "  %zu %c  %" PRIu32 " %s\n", number, a->type,
		    a->size, plan_words(a->type));
		return;
	}
	pv_out(p->app, "  %zu %c  0x%08" PRIx32 "  0x%08" PRIx32, number,
	    a->type, a->address, a->size);
	if (a->type == 'E')
		pv_out(p->app, "  external flash");
	else if (p->t.chip != NULL &&
		 pv_chip_sector(p->t.chip, a->address, &first) &&
		 pv_chip_sector(
		     p->t.chip, (uint64_t)a->address + a->size - 1, &last))
		pv_out(p->app, "  sectors %" PRIu32 "..%" PRIu32, first.number,
		    last.number);
	pv_out(p->app, "\n");
}

static void
plan_areas(const struct pv_push *p, struct pv_json *root)
{
	struct pv_json *arr = pv_json_set_array(root, "areas"), *o;
	struct pv_install_area a;
	size_t i, n = pv_install_areas(p->package);
	char text[PV_SIZE_TEXT];
	bool external = false;

	pv_size_text(text, pv_install_size(p->package));
	pv_out(p->app, "package   %s: %zu area%s, %s\n", p->file, n,
	    n == 1 ? "" : "s", text);
	pv_out(p->app,
	    "erase     all of flash would be erased, whatever it holds\n");
	pv_json_set_str(root, "erase", "all");
	for (i = 0; i < n; i++) {
		pv_install_area(p->package, i, &a);
		o = pv_json_add_object(arr);
		pv_json_set_str(o, "type", area_name(a.type));
		pv_json_set_addr(o, "address", a.address);
		pv_json_set_int(o, "size", a.size);
		plan_area(p, i + 1, &a);
		external = external || a.type == 'E';
	}
	if (external)
		pv_out(p->app, "erase     and the sectors of external flash "
			       "that E areas fill\n");
}

static void
plan_plain(const struct pv_push *p, struct pv_json *root)
{
	struct pv_json *sectors = pv_json_set_array(root, "erase");
	struct pv_json *runs = pv_json_set_array(root, "write"), *o;
	struct pv_plan_info info;
	struct pv_sector s;
	struct pv_range run;
	char text[PV_SIZE_TEXT];
	size_t i;

	pv_plan_info(p->plan, &info);
	pv_size_text(text, info.bytes);
	pv_out(p->app, "image     %s: %s for %s\n", p->file, text,
	    p->t.chip->title);
	for (i = 0; i < info.n_sectors; i++) {
		pv_plan_sector(p->plan, i, &s);
		pv_out(p->app,
		    "erase     sector %" PRIu32 ", 0x%08" PRIx32 "+0x%" PRIx32
		    "\n",
		    s.number, s.base, s.size);
		o = pv_json_add_object(sectors);
		pv_json_set_int(o, "sector", s.number);
		pv_json_set_addr(o, "address", s.base);
		pv_json_set_int(o, "size", s.size);
	}
	for (i = 0; i < info.n_runs; i++) {
		pv_plan_run(p->plan, i, &run);
		pv_out(p->app, "write     0x%08" PRIx32 "  %" PRIu32 " bytes\n",
		    run.base, run.size);
		o = pv_json_add_object(runs);
		pv_json_set_addr(o, "address", run.base);
		pv_json_set_int(o, "size", run.size);
	}
	pv_out(p->app, "verify    all of it, by reading back\n");
	if (p->go)
		pv_out(p->app, "go        the program would be started\n");
}

int
pv_push_dry_run(struct pv_push *p, struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();
	int r = 0;

	pv_json_set_bool(root, "dry_run", true);
	pv_json_set_str(root, "file", p->file);
	if (p->t.chip != NULL)
		pv_json_set_str(root, "part", p->t.chip->name);
	if (p->kind == PV_PUSH_INSTALL) {
		plan_areas(p, root);
		r = pv_push_license_plan(p, root, e);
	} else {
		plan_plain(p, root);
		pv_json_set_bool(root, "go", p->go != 0);
	}
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	pv_out(p->app, "nothing was changed or spent (--dry-run)\n");
	return pv_out_json(p->app, root, e);
}

/* --- result ---------------------------------------------------------------------- */

void
pv_retries_text(char dst[PV_RETRIES_TEXT], unsigned int n)
{
	dst[0] = '\0';
	if (n > 0)
		(void)snprintf(dst, PV_RETRIES_TEXT, ", %u retr%s on the line",
		    n, n == 1 ? "y" : "ies");
}

static struct pv_json *
result_json(const struct pv_push *p, int code)
{
	struct pv_json *o = pv_json_new_object();

	pv_json_set_str(o, "result", code == 0 ? "pass" : "fail");
	pv_json_set_int(o, "code", pv_exit_code(code));
	pv_json_set_str(o, "file", p->file);
	pv_json_set_str(o, "step", p->step);
	if (p->kind == PV_PUSH_INSTALL) {
		pv_json_set_int(o, "area", p->install.area);
		pv_json_set_int(o, "areas_done", p->install.areas_done);
		if (p->install.resumed_at != 0)
			pv_json_set_int(o, "resumed_at", p->install.resumed_at);
		pv_json_set_int(o, "offset", p->install.offset);
		pv_json_set_int(o, "bytes", (int64_t)p->install.sent);
	} else {
		pv_json_set_addr(o, "address", p->plain.address);
		pv_program_json(o, &p->plain);
	}
	if (p->serial[0] != '\0')
		pv_json_set_str(o, "chip", p->serial);
	else
		pv_json_set_null(o, "chip");
	if (p->install.have_chip)
		pv_json_set_hex(
		    o, "certificate_sha256", p->install.chip.fingerprint, 32);
	if (p->t.chip != NULL)
		pv_json_set_str(o, "part", p->t.chip->name);
	pv_push_license_json(p, o);
	if (p->t.u != NULL)
		pv_target_json(&p->t, o);
	else
		pv_json_set_int(o, "retries", 0);
	pv_json_set_int(o, "milliseconds", pv_now_ms() - p->began_ms);
	pv_json_set_str(o, "device_state", pv_device_state_text(p->state));
	return o;
}

void
pv_time_short(char dst[PV_TIME_SHORT], int64_t ms)
{
	if (ms < 1000)
		(void)snprintf(dst, PV_TIME_SHORT, "%d ms", (int)ms);
	else
		(void)snprintf(
		    dst, PV_TIME_SHORT, "%.1f s", (double)ms / 1000.0);
}

/* A bar has said this already on a terminal. */
static void
say_transfer(const struct pv_push *p, uint64_t bytes, int64_t ms)
{
	char text[PV_SIZE_TEXT], took[PV_TIME_SHORT];

	if (isatty(STDERR_FILENO) == 1 && !p->app->quiet)
		return;
	pv_size_text(text, bytes);
	pv_time_short(took, ms);
	pv_out(p->app, "install   %s in %s\n", text, took);
}

static void
say_verified(const struct pv_push *p)
{
	char text[PV_SIZE_TEXT], again[PV_RETRIES_TEXT];

	pv_retries_text(again, pv_target_retries(&p->t));
	if (p->kind == PV_PUSH_INSTALL && p->install.resumed_at != 0)
		pv_out(p->app,
		    "resumed   at area %u: the parts before it were there\n",
		    p->install.resumed_at);
	if (p->kind == PV_PUSH_INSTALL) {
		pv_out(p->app,
		    "verified  %u area%s confirmed by the chip%s%s\n",
		    p->install.areas_done,
		    p->install.areas_done == 1 ? "" : "s",
		    p->install.answered ? ", again after its restart" : "",
		    again);
		return;
	}
	pv_size_text(text, p->plain.verified);
	pv_out(p->app, "verified  %s %s %zu sector%s%s\n", text,
	    p->plain.by_checksum ? "by the chip's checksum of"
				 : "read back from",
	    p->plain.erased + p->plain.kept,
	    p->plain.erased + p->plain.kept == 1 ? "" : "s", again);
	if (p->plain.kept > 0)
		pv_out(p->app, "unchanged %zu sector%s held it already\n",
		    p->plain.kept, p->plain.kept == 1 ? "" : "s");
	if (p->go)
		pv_out(p->app, "go        program started\n");
	else
		pv_target_empty_check(p->app, &p->t);
}

void
pv_push_say_pass(const struct pv_push *p)
{
	char took[PV_TIME_SHORT];

	pv_time_short(took, pv_now_ms() - p->began_ms);
	if (p->serial[0] != '\0')
		pv_out(p->app, "PASS      serial %s in %s\n", p->serial, took);
	else
		pv_out(p->app, "PASS      in %s\n", took);
}

int
pv_push_passed(struct pv_push *p, struct pv_error *e)
{
	int r;

	pv_bar_end(p->app);
	if (p->kind == PV_PUSH_INSTALL)
		say_transfer(p, p->install.sent, pv_now_ms() - p->install_ms);
	say_verified(p);
	r = pv_out_json(p->app, result_json(p, 0), e);
	if (r == 0)
		pv_push_say_pass(p);
	return r;
}

/* Was a license spent, is the chip changed, may it be tried again. */
static void
say_left_behind(const struct pv_push *p, char *dst, size_t cap)
{
	char license[PV_PUSH_LEFT];

	pv_push_license_text(p, license);
	(void)snprintf(dst, cap, "%.160sthe chip is %s", license,
	    pv_device_state_text(p->state));
}

void
pv_push_say_failed(struct pv_push *p, struct pv_json *root, const char *left,
    struct pv_error *e)
{
	char msg[sizeof(e->msg)], hint[sizeof(e->hint)];
	struct pv_error ignored = { 0 };

	pv_bar_end(p->app);
	pv_ui_error(p->app, e);
	p->app->error_shown = true;
	pv_say(p->app, "%s\n", left);
	pv_mask(msg, sizeof(msg), e->msg);
	pv_mask(hint, sizeof(hint), e->hint);
	pv_json_set_str(root, "error", pv_code_name(e->code));
	pv_json_set_str(root, "message", msg);
	pv_json_set_str(root, "left_behind", left);
	if (hint[0] != '\0')
		pv_json_set_str(root, "hint", hint);
	if (pv_out_json(p->app, root, &ignored) != 0)
		pv_ui_error(p->app, &ignored);
	pv_out(p->app, "FAIL\n");
}

void
pv_push_failed(struct pv_push *p, struct pv_error *e)
{
	char left[PV_PUSH_LEFT];

	pv_bar_end(p->app);
	say_left_behind(p, left, sizeof(left));
	pv_push_say_failed(p, result_json(p, e->code), left, e);
}
