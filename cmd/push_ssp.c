/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor push of a .ssp package: inputs are checked, the three boots are
 * gone through, the outcome is recorded and told. What it burns is burnt for
 * good, and the chip is closed.
 */
#include "cmd/mpu.h"
#include "cmd/push.h"
#include "cmd/sfi.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "formats/certificate.h"
#include <provisor/ecies.h>
#include <provisor/ssp.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct job {
	struct pv_push *p;
	struct pv_ssp ssp;
	uint8_t file[PV_SSP_MAX];
	struct pv_mpu_file *loader;
	struct pv_mpu_image image;
	struct pv_mpu_images otp; /* --fsbl, --fip */
	struct pv_mpu_target t;
	struct pv_ssp_install_options opt;
	struct pv_ssp_install_report rep;
	uint8_t nonce[PV_SSP_NONCE];
	struct pv_begun begun;
	bool have_license;
	uint8_t license[PV_SSP_LICENSE_LEN];
};

/* --- inputs ------------------------------------------------------------------------ */

static uint16_t
chip_of(const struct job *j)
{
	return j->ssp.chip == PV_SSP_MP15 ? PV_MPU_MP15 : PV_MPU_MP13;
}

/*
 * Whether a ROM asks for a loader signed by the package's key is not public.
 * One that is signed by another key is a mistake in any case.
 */
static int
check_loader(struct job *j, struct pv_error *e)
{
	const struct pv_push *p = j->p;
	int r;

	r = pv_mpu_file_open(p->loader, &j->loader, e);
	if (r == 0)
		r = pv_mpu_file_image(j->loader, chip_of(j), &j->image, e);
	if (r != 0)
		return r;
	if (!j->image.is_signed) {
		pv_say(p->app,
		    "the loader is not signed; whether a ROM asks for one "
		    "signed with the package's key is not public\n");
		return 0;
	}
	if (memcmp(j->image.root, j->ssp.root, pv_ssp_root_len(j->ssp.chip)) ==
	    0)
		return 0;
	(void)pv_fail(e, PV_E_VERIFY,
	    "'%s' is signed with another key than the package closes the chip "
	    "with",
	    p->loader);
	return pv_hint(e, "sign the loader with the root key of the package");
}

static int
open_inputs(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	int r;

	p->step = "input";
	r = pv_ssp_read(p->file, &j->ssp, j->file, e);
	if (r == 0)
		r = pv_ssp_otp_root(&j->ssp, j->opt.root_words, e);
	if (r == 0)
		r = check_loader(j, e);
	if (r == 0)
		r = pv_mpu_images_open(p->fsbl, p->fip, chip_of(j), &j->otp, e);
	return r;
}

/*
 * The nonce beside the package tells, before anything is spent or burnt,
 * whether a license of this campaign opens it.
 */
static int
take_nonce(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	const struct pv_campaign *c = &p->session.campaign;
	bool each = pv_campaign_nonce_each(c);
	char *beside = pv_sfi_beside(p->file, ".nonce", e);
	const char *path = p->nonce_file != NULL ? p->nonce_file : beside;
	int r = 0;

	if (beside == NULL)
		return PV_E_NOMEM;
	if (each || p->nonce_file != NULL || access(path, F_OK) == 0) {
		r = pv_file_read_exact(path, j->nonce, sizeof(j->nonce), e);
		if (r != 0)
			(void)pv_wrap(e, "nonce of the package");
		if (r == PV_E_NOT_FOUND)
			(void)pv_hint(e,
			    "campaign '%s' is for packages that have a nonce "
			    "each: --nonce FILE names that of '%s'",
			    c->name, p->file);
		p->session.io.nonce = j->nonce;
	}
	if (r == 0 && !each && p->session.io.nonce != NULL &&
	    memcmp(j->nonce, c->nonce, sizeof(j->nonce)) != 0) {
		r = pv_fail(e, PV_E_VERIFY,
		    "'%s' is not the nonce of campaign '%s': its licenses do "
		    "not open this package",
		    path, c->name);
		(void)pv_hint(e,
		    "no license was spent; the chip was not changed. Take the "
		    "campaign that was made for this package");
	}
	free(beside);
	return r;
}

static int
nothing_burnt(int r, struct pv_error *e)
{
	(void)pv_hint(e, "no license was spent; the chip was not changed");
	return r;
}

/* A license from a file, before the loader burns SSP_REQ for it. */
static int
check_license_file(struct job *j, struct pv_error *e)
{
	uint8_t data[PV_SSP_LICENSE_LEN];
	int r;

	j->p->step = "license";
	r = pv_file_read_exact(j->p->license_file, data, sizeof(data), e);
	if (r == 0)
		r = pv_ssp_check_license(data, j->image.image_version, e);
	if (r == 0)
		return 0;
	(void)pv_wrap(e, "'%s'", j->p->license_file);
	return nothing_burnt(r, e);
}

/* What any license of this campaign would be refused for. */
static int
check_profile(struct job *j, struct pv_error *e)
{
	const struct pv_campaign *c = &j->p->session.campaign;
	struct pv_ecies_profile profile;
	int r;

	if (c->draft) {
		r = pv_fail(e, PV_E_POLICY,
		    "campaign '%s' is a draft: it has no licenses yet",
		    c->name);
		return nothing_burnt(r, e);
	}
	r = pv_ecies_parse(c->license_profile, &profile, e);
	if (r != 0)
		return r;
	if (profile.fsbl_min_version <= j->image.image_version)
		return 0;
	r = pv_fail(e, PV_E_VERIFY,
	    "licenses of campaign '%s' ask for a loader of image version "
	    "%" PRIu32 " or later, this one is %" PRIu32,
	    c->name, profile.fsbl_min_version, j->image.image_version);
	return nothing_burnt(r, e);
}

static int
open_campaign(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	const struct pv_campaign *c = &p->session.campaign;
	enum pv_ssp_chip chip = j->ssp.chip;
	int r;

	if (p->campaign == NULL)
		return check_license_file(j, e);
	p->step = "campaign";
	r = pv_campaign_session_open(p->app, p->campaign, &p->session, e);
	if (r != 0)
		return r;
	p->has_session = true;
	if (c->flow != PV_FLOW_SSP)
		return pv_fail(e, PV_E_USAGE,
		    "campaign '%s' is not for .ssp packages", p->campaign);
	if (pv_ssp_chip_of_product(c->product_id, &chip) && chip != j->ssp.chip)
		return pv_fail(e, PV_E_VERIFY,
		    "campaign '%s' is for product %s, the package is for %s",
		    p->campaign, c->product_id, pv_ssp_chip_name(j->ssp.chip));
	r = check_profile(j, e);
	return r != 0 ? r : take_nonce(j, e);
}

/* --- the license --------------------------------------------------------------------- */

static int
know_chip(struct job *j, const uint8_t certificate[136], struct pv_error *e)
{
	struct pv_push *p = j->p;
	struct pv_install_chip *chip = &p->install.chip;
	struct pv_part part = { certificate, PV_CERT_LEN };
	int r;

	memcpy(chip->certificate, certificate, PV_CERT_LEN);
	memcpy(chip->product_id, certificate, 8);
	for (size_t i = 0; i < 8; i++)
		if (chip->product_id[i] < 0x20 || chip->product_id[i] > 0x7e)
			chip->product_id[i] = '?';
	r = pv_sha256(&part, 1, chip->fingerprint, e);
	p->install.have_chip = r == 0;
	return r;
}

static int
on_license(void *ctx, const uint8_t certificate[136], uint8_t ret_license[136],
    struct pv_error *e)
{
	struct job *j = ctx;
	struct pv_push *p = j->p;
	struct pv_install_chip *chip = &p->install.chip;
	struct pv_install_license l = { 0 };
	int r = 0;

	if (!j->have_license) {
		r = know_chip(j, certificate, e);
		if (r == 0)
			r = pv_push_license(p, chip, false, &l, e);
		if (r == 0 && l.len != PV_SSP_LICENSE_LEN)
			r = pv_fail(e, PV_E_VERIFY,
			    "the license has %zu bytes, a ROM takes %u", l.len,
			    PV_SSP_LICENSE_LEN);
		if (r == 0)
			r = pv_begun_save(&j->begun, certificate, e);
		if (r != 0)
			return r;
		memcpy(j->license, l.data, sizeof(j->license));
		j->have_license = true;
		p->step = "boot 2";
	}
	memcpy(ret_license, j->license, sizeof(j->license));
	return 0;
}

/*
 * A push that found the package sent already has not asked the chip who it
 * is: the note of the push that sent it tells, for the ledger.
 */
static void
know_begun(struct job *j)
{
	struct pv_push *p = j->p;
	uint8_t certificate[136];
	struct pv_error ignored = { 0 };
	struct pv_issued has = { 0 };

	if (p->install.have_chip || !pv_begun_find(&j->begun, certificate) ||
	    know_chip(j, certificate, &ignored) != 0)
		return;
	pv_hex_encode(p->serial, p->install.chip.fingerprint, 3);
	if (!p->has_session)
		return;
	/* Another campaign's ledger has no place for it. */
	p->install.have_chip =
	    pv_license_find(&p->session.campaign, &p->session.store,
		certificate, &has, &ignored) == 0;
	if (p->install.have_chip) {
		p->license.known = true;
		p->license.number = has.number;
	}
}

/* What was burnt is what an earlier push sent: was that this package? */
static int
check_begun(struct job *j, struct pv_error *e)
{
	bool was_closed = j->rep.loads == 0;
	int r;

	if (!was_closed || j->begun.by_serial)
		know_begun(j);
	if (j->p->serial[0] != '\0')
		return 0;
	r = was_closed
		? pv_fail(e, PV_E_POLICY,
		      "the chip is closed already, with the key hash of this "
		      "package; which secrets it holds cannot be told")
		: pv_fail(e, PV_E_VERIFY,
		      "the chip has burnt what an earlier push sent, and this "
		      "station has no note that it was this package");
	(void)pv_hint(e,
	    "was it pushed at another port or station, or with another "
	    "package? Its ledger tells; else set the chip aside");
	return r;
}

/* --- report -------------------------------------------------------------------------- */

static struct pv_json *
result_json(const struct job *j, int code)
{
	const struct pv_push *p = j->p;
	struct pv_json *o = pv_json_new_object(), *b;

	pv_json_set_str(o, "result", code == 0 ? "pass" : "fail");
	pv_json_set_int(o, "code", pv_exit_code(code));
	pv_json_set_str(o, "file", p->file);
	pv_json_set_str(o, "step", p->step);
	pv_json_set_str(o, "part", pv_ssp_chip_name(j->ssp.chip));
	if (p->serial[0] != '\0')
		pv_json_set_str(o, "chip", p->serial);
	else
		pv_json_set_null(o, "chip");
	if (p->install.have_chip)
		pv_json_set_hex(
		    o, "certificate_sha256", p->install.chip.fingerprint, 32);
	pv_push_license_json(p, o);
	b = pv_json_set_object(o, "boots");
	pv_json_set_int(b, "loader_sent", j->rep.loads);
	pv_json_set_int(b, "packages_sent", j->rep.rounds);
	pv_json_set_int(b, "resumed_at", j->rep.resumed_at);
	pv_json_set_bool(b, "finished_before", j->rep.finished_before);
	b = pv_json_set_object(o, "otp");
	pv_json_set_bool(b, "blank_before", j->rep.otp_checked);
	pv_json_set_bool(b, "read_back", j->rep.otp_proven);
	if (j->rep.otp_proven)
		pv_json_set_int(b, "secrets_locked", (int64_t)j->rep.otp_burnt);
	pv_mpu_target_json(&j->t, o);
	pv_json_set_int(o, "milliseconds", pv_now_ms() - p->began_ms);
	pv_json_set_str(o, "state", pv_ssp_state_name(j->rep.state));
	pv_json_set_str(o, "device_state", pv_ssp_state_text(j->rep.state));
	return o;
}

static void
say_proof(const struct job *j)
{
	const struct pv_app *app = j->p->app;
	char again[PV_RETRIES_TEXT];

	pv_retries_text(again, pv_mpu_target_retries(&j->t));
	if (j->rep.otp_proven)
		pv_out(app,
		    "verified  OTP read back: closed, key hash as in the "
		    "package, %zu of %zu secret words burnt and locked%s\n",
		    j->rep.otp_burnt, j->opt.secret_words, again);
	else
		pv_out(app,
		    "verified  the chip has closed itself: it ran the loader "
		    "and starts it no more%s\n",
		    again);
	if (!j->rep.otp_proven)
		pv_say(app,
		    "the words themselves were not read back (--fsbl and "
		    "--fip, signed, would do that)\n");
	if (j->rep.finished_before)
		pv_out(app,
		    "resumed   an earlier push had sent license and "
		    "package%s\n",
		    j->rep.loads == 0 ? ", and the chip has burnt them"
				      : "; this one let the chip burn them");
	pv_say(app, "reset the board: it waits %s\n",
	    j->rep.otp_proven ? "in U-Boot" : "where nothing answers");
}

static int
passed(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	int r;

	pv_bar_end(p->app);
	pv_out(p->app,
	    "boots     loader sent %u times, license and package "
	    "%u time%s\n",
	    j->rep.loads, j->rep.rounds, j->rep.rounds == 1 ? "" : "s");
	say_proof(j);
	r = pv_out_json(p->app, result_json(j, 0), e);
	if (r == 0)
		pv_push_say_pass(p);
	return r;
}

static void
failed(struct job *j, struct pv_error *e)
{
	char license[PV_PUSH_LEFT], left[2 * PV_PUSH_LEFT];

	pv_push_license_text(j->p, license);
	(void)snprintf(left, sizeof(left), "%sthe chip is %s", license,
	    pv_ssp_state_text(j->rep.state));
	pv_push_say_failed(j->p, result_json(j, e->code), left, e);
}

/* --- dry run ------------------------------------------------------------------------- */

static int
dry_run(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	struct pv_json *root, *o;
	const char *name = pv_ssp_chip_name(j->ssp.chip);
	size_t words = j->opt.secret_words;
	int r;

	pv_out(p->app, "package   %s: for %s, %zu secret words\n", p->file,
	    name, words);
	pv_out(p->app, "loader    %s: image version %" PRIu32 ", %s\n",
	    p->loader, j->image.image_version,
	    !j->image.is_signed ? "not signed"
	    : j->image.verified ? "signed with the package's key"
				: "signed, not checked");
	pv_out(p->app,
	    "burn      OTP %u (SSP bits), %u..%u (key hash, locked), 0 "
	    "(closed), %u (RMA word), %u..%zu (secrets that are not 0, "
	    "locked)\n",
	    j->ssp.chip == PV_SSP_MP15 ? 8U : 9U, PV_SSP_OTP_ROOT,
	    PV_SSP_OTP_ROOT + 7, PV_SSP_OTP_RMA, PV_SSP_OTP_SECRETS,
	    PV_SSP_OTP_SECRETS + words - 1);
	pv_out(p->app,
	    "close     the chip would start images signed by the package's "
	    "key only, for ever\n");
	root = pv_json_new_object();
	pv_json_set_bool(root, "dry_run", true);
	pv_json_set_str(root, "file", p->file);
	pv_json_set_str(root, "part", name);
	pv_json_set_int(root, "secret_words", (int64_t)words);
	o = pv_json_set_object(root, "loader");
	pv_json_set_str(o, "file", p->loader);
	pv_json_set_int(o, "image_version", j->image.image_version);
	pv_json_set_bool(o, "signed", j->image.is_signed);
	r = pv_push_license_plan(p, root, e);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	pv_out(p->app, "nothing was changed or spent (--dry-run)\n");
	return pv_out_json(p->app, root, e);
}

/* --- the push ------------------------------------------------------------------------ */

static int
install(struct job *j, struct pv_error *e)
{
	struct pv_push *p = j->p;
	struct pv_error recording = { 0 };
	int r, r2;

	p->step = "connect";
	r = pv_mpu_target_open(p->app, &p->to, &j->t, e);
	if (r != 0)
		return r;
	p->mpu = &j->t;
	j->opt.progress = &p->app->progress;
	j->opt.chip = chip_of(j);
	j->opt.payload = j->file;
	j->opt.payload_len = pv_ssp_len(j->ssp.chip);
	j->opt.loader = pv_mpu_file_source(j->loader);
	j->opt.loader_version = j->image.image_version;
	j->opt.otp_chain = j->otp.chain;
	j->opt.license = on_license;
	j->opt.ctx = j;
	r = pv_begun_init(p, j->t.m.info(j->t.m.ctx)->serial, j->file,
	    j->opt.payload_len, &j->begun, e);
	if (r != 0)
		return r;
	r = pv_ssp_install_run(&j->t.m, &j->opt, &j->rep, e);
	if (r == 0 && j->rep.finished_before)
		r = check_begun(j, e);
	else if (r != 0 && j->rep.resumed_at == 3)
		know_begun(j);
	if (strcmp(p->step, "license") != 0 || r == 0)
		p->step = j->rep.step;
	r2 = pv_push_record(p, r, e, &recording);
	if (r2 != 0 && r == 0) {
		*e = recording;
		p->step = "record";
		return r2;
	}
	if (r2 != 0)
		pv_say(p->app, "%s\n", recording.msg);
	if (r == 0)
		pv_begun_forget(&j->begun);
	return r;
}

int
pv_push_ssp(struct pv_push *p, struct pv_error *e)
{
	struct job j = { .p = p };
	int r;

	r = open_inputs(&j, e);
	j.opt.secret_words = j.ssp.size / 4 - (j.ssp.size >= 4);
	if (r == 0 && p->dry_run)
		r = dry_run(&j, e);
	else if (r == 0) {
		r = open_campaign(&j, e);
		if (r == 0)
			r = install(&j, e);
	}
	if (r == 0 && !p->dry_run)
		r = passed(&j, e);
	else if (r != 0 && !p->dry_run)
		failed(&j, e);
	p->mpu = NULL;
	if (p->has_session)
		pv_campaign_session_close(&p->session);
	pv_mpu_target_close(&j.t);
	pv_mpu_images_close(&j.otp);
	pv_mpu_file_close(j.loader);
	return r;
}
