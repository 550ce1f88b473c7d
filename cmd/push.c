/* SPDX-License-Identifier: Apache-2.0 */
/* provisor push: the station's one command. */
#include "cmd/device.h"
#include "cmd/mpu.h"
#include "cmd/push.h"
#include "cmd/nouns.h"
#include "cmd/sfi.h"

#include "base/clock.h"
#include "formats/flashlayout.h"
#include <provisor/signature.h>
#include <provisor/ssp.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- what is to be pushed ---------------------------------------------------- */

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	return n >= k && strcmp(text + n - k, end) == 0;
}

/* The first bytes of a file; none when it cannot be read. */
static size_t
first_bytes(const char *path, uint8_t *data, size_t cap)
{
	/* Not to hang on a FIFO: who reads the file refuses it. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = fd < 0 ? 0 : pread(fd, data, cap, 0);

	if (fd >= 0)
		(void)close(fd);
	return n < 0 ? 0 : (size_t)n;
}

/*
 * By content. A package whose first bytes are damaged is still a package to
 * who named it so, or gave it a license.
 */
static void
find_kind(struct pv_push *p)
{
	uint8_t head[4096];
	size_t n = first_bytes(p->file, head, sizeof(head));

	if (pv_ssp_is(head, n) || ends_with(p->file, ".ssp"))
		p->kind = PV_PUSH_SSP;
	else if (pv_install_is_package(p->file) || ends_with(p->file, ".sfi"))
		p->kind = PV_PUSH_INSTALL;
	else if (ends_with(p->file, ".tsv") || pv_layout_detect(head, n))
		p->kind = PV_PUSH_LAYOUT;
	else if (p->loader != NULL)
		p->kind = PV_PUSH_SSP;
	else
		p->kind = p->campaign != NULL || p->license_file != NULL
			      ? PV_PUSH_INSTALL
			      : PV_PUSH_PLAIN;
}

/* What goes with a .ssp or a layout, and what does not. */
static int
check_mpu_options(const struct pv_push *p, struct pv_error *e)
{
	bool mpu = p->kind == PV_PUSH_SSP || p->kind == PV_PUSH_LAYOUT;

	if (!mpu && (p->loader != NULL || p->fsbl != NULL || p->fip != NULL))
		return pv_fail(e, PV_E_USAGE,
		    "--loader, --fsbl and --fip are for STM32MP chips: '%s' is "
		    "neither a .ssp package nor a FlashLayout",
		    p->file);
	if (!mpu)
		return 0;
	if (p->kind == PV_PUSH_LAYOUT &&
	    (p->campaign != NULL || p->license_file != NULL ||
		p->loader != NULL || p->fsbl != NULL || p->fip != NULL))
		return pv_fail(e, PV_E_USAGE,
		    "a FlashLayout takes no --campaign, --license, --loader, "
		    "--fsbl or --fip: its lines name the images");
	if (p->go || p->only_changed || p->signer_key != NULL ||
	    p->campaign_key != NULL || (p->read_back && p->kind == PV_PUSH_SSP))
		return pv_fail(e, PV_E_USAGE,
		    "--go, --only-changed, --campaign-key and "
		    "--require-signature are not for STM32MP chips, "
		    "--read-back is for a FlashLayout only");
	if (p->kind == PV_PUSH_SSP && p->campaign == NULL &&
	    p->license_file == NULL) {
		(void)pv_fail(e, PV_E_USAGE,
		    "'%s' is a .ssp package and needs a license", p->file);
		return pv_hint(e,
		    "--campaign NAME issues one, --license FILE takes one that "
		    "was issued");
	}
	if (p->kind == PV_PUSH_SSP && p->loader == NULL) {
		(void)pv_need(e, p->loader, "--loader");
		return pv_hint(e,
		    "--loader is TF-A built for secret provisioning, such as "
		    "tf-a-stm32mp157c-dk2-ssp.stm32");
	}
	return p->dry_run ? 0 : pv_need(e, p->to.port, "--port");
}

static int
check_options(const struct pv_push *p, struct pv_error *e)
{
	int r;

	if (p->campaign != NULL && p->license_file != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--campaign and --license exclude each other");
	if (p->nonce_file != NULL &&
	    (p->kind != PV_PUSH_SSP || p->campaign == NULL))
		return pv_fail(e, PV_E_USAGE,
		    "--nonce goes with a .ssp package and --campaign");
	r = check_mpu_options(p, e);
	if (r != 0 || p->kind == PV_PUSH_SSP || p->kind == PV_PUSH_LAYOUT)
		return r;
	if (p->campaign_key != NULL && p->license_file == NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--campaign-key goes with --license; a campaign knows its "
		    "key");
	if (p->kind == PV_PUSH_INSTALL && p->campaign == NULL &&
	    p->license_file == NULL) {
		(void)pv_fail(e, PV_E_USAGE,
		    "'%s' is a .sfi package and needs a license", p->file);
		return pv_hint(e,
		    "--campaign NAME issues one, --license FILE takes one that "
		    "was issued");
	}
	if (p->signature_file != NULL && p->signer_key == NULL)
		return pv_fail(
		    e, PV_E_USAGE, "--signature goes with --require-signature");
	if (p->signer_key != NULL && p->kind != PV_PUSH_INSTALL)
		return pv_fail(e, PV_E_POLICY,
		    "'%s' is not a .sfi package, and only signed packages are "
		    "allowed here (--require-signature)",
		    p->file);
	if (p->kind == PV_PUSH_INSTALL && p->go)
		return pv_fail(e, PV_E_USAGE,
		    "--go is for plain images: after a secure install the "
		    "chip restarts by itself");
	if (p->to.port == NULL &&
	    !(p->dry_run && (p->kind == PV_PUSH_INSTALL || p->to.chip != NULL)))
		return pv_need(e, p->to.port, "--port");
	return 0;
}

/* --require-signature: did the OEM release this very file? */
static int
check_signature(struct pv_push *p, struct pv_error *e)
{
	struct pv_signature s;
	uint8_t digest[32];
	uint64_t size = 0;
	char *beside = NULL;
	const char *sig = p->signature_file;
	int r;

	if (p->signer_key == NULL)
		return 0;
	p->step = "signature";
	if (sig == NULL) {
		beside = pv_sfi_beside(p->file, ".sig", e);
		if (beside == NULL)
			return PV_E_NOMEM;
		sig = beside;
	}
	/* By the open file: it is what will be sent. */
	r = pv_install_digest(p->package, digest, &size, e);
	if (r == 0)
		r = pv_signature_check_digest(
		    digest, size, sig, p->signer_key, &s, e);
	if (r == PV_E_NOT_FOUND && access(sig, F_OK) != 0) {
		r = pv_fail(e, PV_E_VERIFY,
		    "'%s' is not signed: there is no '%s'", p->file, sig);
		(void)pv_hint(e, "ask for a released package with its "
				 "signature");
	}
	free(beside);
	return r;
}

/* The file is read and checked before the port is touched. */
static int
open_input(struct pv_push *p, struct pv_error *e)
{
	int r;

	p->step = "input";
	if (p->kind == PV_PUSH_INSTALL) {
		r = pv_install_open(p->file, &p->package, e);
		return r == 0 ? check_signature(p, e) : r;
	}
	r = pv_image_new(&p->img, e);
	return r != 0 ? r : pv_image_add_file(p->img, p->file, e);
}

/* --- the two ways ------------------------------------------------------------- */

static int
push_plain(struct pv_push *p, struct pv_error *e)
{
	struct pv_plan_options opt = { .only_changed = p->only_changed != 0,
		.coalesce = p->to.coalesce != 0,
		.read_back = p->read_back != 0 };
	int r;

	pv_push_say_chip(p);
	p->step = "plan";
	r = pv_plan_new(p->img, p->t.chip, p->t.boot.block, false, &p->plan, e);
	if (r != 0)
		return r;
	r = pv_plan_program_with(
	    p->plan, &p->t.boot, &opt, &p->app->progress, &p->plain, e);
	p->state = p->plain.state;
	p->step = p->plain.step;
	if (r != 0 || !p->go)
		return r;
	p->step = "go";
	return pv_target_go(&p->t, pv_chip_flash_base(p->t.chip), e);
}

/* A license callback that also starts the clock of the transfer. */
static int
on_license(void *ctx, const struct pv_install_chip *chip, bool refused,
    struct pv_install_license *ret_license, struct pv_error *e)
{
	struct pv_push *p = ctx;
	int r;

	p->install.chip = *chip;
	p->install.have_chip = true;
	r = pv_push_license(ctx, chip, refused, ret_license, e);
	p->install_ms = pv_now_ms();
	return r;
}

static int
push_install(struct pv_push *p, struct pv_error *e)
{
	struct pv_install_options opt = { .progress = &p->app->progress,
		.layout = p->t.chip,
		.license = on_license,
		.ctx = p };
	struct pv_install_report rep;
	int r;

	if (p->campaign != NULL) {
		p->step = "campaign";
		r = pv_campaign_session_open(
		    p->app, p->campaign, &p->session, e);
		if (r != 0)
			return r;
		p->has_session = true;
		if (p->session.campaign.flow != PV_FLOW_SFI)
			return pv_fail(e, PV_E_USAGE,
			    "campaign '%s' is not for .sfi packages",
			    p->campaign);
	}
	r = pv_install_run(p->package, p->t.u, &opt, &rep, e);
	p->install = rep;
	p->state = rep.state;
	p->step = rep.step;
	return r;
}

/* The install exchange rides on commands that USB does not have. */
static unsigned int
open_flags(const struct pv_push *p)
{
	return p->kind == PV_PUSH_PLAIN ? PV_TARGET_NEED_CHIP | PV_TARGET_USB
					: PV_TARGET_NEED_CHIP;
}

static int
push(struct pv_push *p, struct pv_error *e)
{
	struct pv_error recording = { 0 };
	int r, r2;

	r = open_input(p, e);
	if (r != 0)
		return r;
	p->step = "connect";
	r = pv_target_open(p->app, &p->to, open_flags(p), &p->t, e);
	if (r != 0)
		return r;
	r = p->kind == PV_PUSH_INSTALL ? push_install(p, e) : push_plain(p, e);
	r2 = pv_push_record(p, r, e, &recording);
	if (r2 != 0 && r == 0) {
		*e = recording;
		p->step = "record";
		return r2;
	}
	if (r2 != 0)
		pv_say(p->app, "%s\n", recording.msg);
	return r;
}

/* Only reads: files, the ledger, and, where nothing names the part, its id. */
static int
dry_run(struct pv_push *p, struct pv_error *e)
{
	int r;

	r = open_input(p, e);
	if (r == 0 && p->to.chip != NULL)
		r = pv_chip_load(p->app->chip_dirs, p->to.chip, &p->t.chip, e);
	else if (r == 0 && p->kind == PV_PUSH_PLAIN)
		r = pv_target_open(p->app, &p->to, open_flags(p), &p->t, e);
	if (r == 0 && p->kind == PV_PUSH_PLAIN)
		r = pv_plan_new(
		    p->img, p->t.chip, PV_USART_BLOCK, false, &p->plan, e);
	return r != 0 ? r : pv_push_dry_run(p, e);
}

static void
release(struct pv_push *p)
{
	pv_plan_free(p->plan);
	pv_image_free(p->img);
	pv_install_close(p->package);
	if (p->has_session)
		pv_campaign_session_close(&p->session);
	pv_target_close(&p->t);
}

static int
run_push(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_push p = { .app = app,
		.state = PV_DEVICE_UNCHANGED,
		.began_ms = pv_now_ms() };
	struct poptOption table[] = { PV_OPT_TARGET(p.to),
		PV_OPT_PROGRAM(p.only_changed, p.read_back),
		{ "campaign", 0, POPT_ARG_STRING, &p.campaign, 0,
		    "get the license of the chip from this campaign", "NAME" },
		{ "license", 0, POPT_ARG_STRING, &p.license_file, 0,
		    "send this license", "FILE" },
		{ "campaign-key", 0, POPT_ARG_STRING, &p.campaign_key, 0,
		    "public key the license was signed with (default: from "
		    "the ledger)",
		    "PEM" },
		{ "require-signature", 0, POPT_ARG_STRING, &p.signer_key, 0,
		    "refuse a package that this key did not sign", "PEM" },
		{ "signature", 0, POPT_ARG_STRING, &p.signature_file, 0,
		    "the signature of the package (default: FILE.sig)",
		    "FILE" },
		PV_OPT_UNVERIFIED(app),
		{ "loader", 0, POPT_ARG_STRING, &p.loader, 0,
		    ".ssp: TF-A built for secret provisioning", "FILE" },
		PV_OPT_CHAIN(p.fsbl, p.fip),
		{ "nonce", 0, POPT_ARG_STRING, &p.nonce_file, 0,
		    ".ssp: its nonce (default: FILE.nonce, when it is there)",
		    "FILE" },
		{ "dry-run", 0, POPT_ARG_NONE, &p.dry_run, 0,
		    "say what would be done, change and spend nothing", NULL },
		{ "go", 0, POPT_ARG_NONE, &p.go, 0,
		    "start the program afterwards (plain images)", NULL },
		PV_OPT_PIN(app), POPT_TABLEEND };
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	p.file = args[0];
	find_kind(&p);
	r = check_options(&p, e);
	if (r != 0)
		return r;
	if (p.kind == PV_PUSH_SSP)
		return pv_push_ssp(&p, e);
	if (p.kind == PV_PUSH_LAYOUT)
		return pv_push_layout(&p, e);
	r = p.dry_run ? dry_run(&p, e) : push(&p, e);
	if (r == 0 && !p.dry_run)
		r = pv_push_passed(&p, e);
	else if (r != 0 && !p.dry_run)
		pv_push_failed(&p, e);
	release(&p);
	return r;
}

const struct pv_verb pv_verbs_push[] = {
	{ "push", NULL,
	    "FILE --port PORT [--campaign NAME | --license FILE] "
	    "[--campaign-key PEM] [--require-signature PEM] "
	    "[--signature FILE] [--loader FILE] [--fsbl FILE --fip FILE] "
	    "[--nonce FILE] "
	    "[--chip CHIP] [LINE-OPTIONS] "
	    "[--only-changed] [--read-back] "
	    "[--accept-unverified-certificate] [--dry-run] [--go]",
	    "program a chip: a .sfi or .ssp package with a license, a "
	    "FlashLayout, or a plain image",
	    "provisor push app.sfi --port usart:/dev/ttyUSB0 --campaign "
	    "spring\n"
	    "provisor push app.elf --port usart:/dev/ttyUSB0 --go\n"
	    "provisor push keys.ssp --loader tf-a-ssp.stm32 --port dfu "
	    "--campaign mp15\n"
	    "provisor push FlashLayout_sdcard.tsv --port dfu",
	    run_push },
	{ 0 },
};
