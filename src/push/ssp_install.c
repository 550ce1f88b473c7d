/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secret provisioning as the host sees it: the loader (TF-A with SSP) three
 * times, certificate, license and package in between, and a fourth time to
 * prove that the chip has closed itself (formats/mpu-boot.md, section "SSP").
 *
 * A loader on an open chip always says "Provisioning" when it has nothing else
 * to do; on a closed one it does not run. That, after it had run in boots 1
 * and 2 of the same session, is the proof that boot 3 got past closing the
 * chip. Reading the OTP words back through U-Boot proves the words themselves.
 */
#include "push/ssp_install.h"

#include "base/clock.h"
#include "base/log.h"
#include "formats/license_ssp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define T_LOADER   10000 /* ms; the loader starts and talks, or resets */
#define T_CHECK	   1500	 /* ms; silence of a loader that has talked before */
#define T_RESTART  20000 /* ms; reset into serial boot */
#define BOOTS_MAX  16U
#define ROUNDS_MAX 2U	/* blobs; the second when the first seems lost */
#define ABORTED	   0x5f /* vendor_code of an abort */
#define ASKED_MAX  4U	/* boots 1 in one push */

const char *
pv_ssp_state_text(enum pv_ssp_state state)
{
	switch (state) {
	case PV_SSP_UNTOUCHED:
		return "as it was: this push burnt nothing, safe to try again";
	case PV_SSP_REQUESTED:
		return "open, with its OTP bit SSP_REQ burnt and no secret: "
		       "safe to push again";
	case PV_SSP_LOADED:
		return "open, and has license and package in its RAM: keep it "
		       "powered and push again, which goes on with boot 3; "
		       "after a power cut a push begins anew at no cost";
	case PV_SSP_REFUSED:
		return "open: its ROM did not accept license or package, no "
		       "secret was burnt";
	case PV_SSP_STILL_OPEN:
		return "still open: boot 3 ended before it closed the chip";
	case PV_SSP_UNSURE:
		return "perhaps burning its OTP words: do not cut its power "
		       "for a minute, then reset it and push again";
	case PV_SSP_ENDED:
		return "past boot 3, and whether that closed it was not seen: "
		       "push again with --fsbl and --fip, signed, which looks "
		       "at its OTP words";
	case PV_SSP_CLOSED:
		return "closed, its secrets are burnt";
	}
	return "";
}

const char *
pv_ssp_state_name(enum pv_ssp_state state)
{
	static const char *const names[] = { "untouched", "requested", "loaded",
		"refused", "still-open", "unsure", "ended", "closed" };

	return names[state];
}

/* --- loading ---------------------------------------------------------------------- */

/* What a loader that was sent turned out to do. */
enum outcome {
	TALKS,	/* it answers: boot 1 or 2 */
	AGAIN,	/* the ROM answers: it ran and reset, or did not run */
	SILENT, /* nobody answers */
};

/*
 * Send the loader and see. An error is one of sending it: silence counts only
 * behind a loader that the ROM took to its last byte.
 */
static int
load(struct ssp *s, int timeout_ms, enum outcome *ret_o, struct pv_error *e)
{
	uint64_t sent = s->m->counters(s->m->ctx)->sent;
	bool restarted = false;
	int64_t began;
	int r;

	s->rep->loads++;
	s->started = false;
	r = pv_chain_send(s->m, PV_MPU_FSBL, s->opt->loader, s->rep->step, e);
	s->sent_all =
	    s->m->counters(s->m->ctx)->sent - sent >= s->opt->loader->size;
	if (r != 0)
		return pv_wrap(e, "loading the loader");
	s->started = true;
	began = pv_now_ms();
	r = s->m->next(s->m->ctx, timeout_ms, &restarted, e);
	if (r == PV_E_TIMEOUT || r == PV_E_LINK) {
		*ret_o = SILENT;
		return 0;
	}
	if (r == 0 && !restarted && pv_now_ms() - began > s->start_ms)
		s->start_ms = pv_now_ms() - began;
	*ret_o = restarted ? AGAIN : TALKS;
	return r;
}

static void
step(struct ssp *s, const char *name)
{
	s->rep->step = name;
	pv_progress_step(s->opt->progress, name);
}

/* --- boot 1 ----------------------------------------------------------------------- */

/* The device resets by itself on a line, by a detach on USB. */
static int
reset_to_rom(struct ssp *s, struct pv_error *e)
{
	bool restarted = false;
	int r = 0;

	if (s->m->info(s->m->ctx)->usb)
		r = s->m->leave(s->m->ctx, e);
	if (r == 0)
		r = s->m->next(s->m->ctx, T_RESTART, &restarted, e);
	if (r != 0) {
		(void)pv_hint(e,
		    "supplies and boot pins must stay as they are while the "
		    "chip restarts");
		return pv_wrap(e, "waiting for the restart");
	}
	return 0;
}

/* The loader had nothing to do but to ask for SSP: where does that put us? */
static int
provisioning(struct ssp *s, struct pv_error *e)
{
	if (s->burning) {
		s->rep->state = PV_SSP_STILL_OPEN;
		(void)pv_fail(
		    e, PV_E_VERIFY, "boot 3 ended, but the chip is still open");
		return pv_hint(e,
		    "an OTP word of the package was not blank, or burning "
		    "failed: read them with 'provisor device otp read'; a chip "
		    "whose PKH is burnt must be set aside");
	}
	if (s->rep->rounds >= ROUNDS_MAX) {
		s->rep->state = PV_SSP_REFUSED;
		(void)pv_fail(e, PV_E_VERIFY,
		    "the ROM refused the license or the package, %u times",
		    s->rep->rounds);
		return pv_hint(e,
		    "was the package sealed with the key and nonce of this "
		    "campaign, and is the license this chip's? The license "
		    "profile is not verified on silicon: try its fields");
	}
	if (s->rep->rounds > 0) {
		pv_progress_note(s->opt->progress,
		    "the chip lost its RAM, or refused the license: once "
		    "more");
		pv_log(PV_LOG_INFO, "boot 3 fell back to boot 1: once more");
	}
	s->rep->state = PV_SSP_REQUESTED;
	if (++s->asked > ASKED_MAX) {
		(void)pv_fail(e, PV_E_DEVICE,
		    "the chip begins with boot 1 again and again: its RAM is "
		    "lost at each restart");
		return pv_hint(e,
		    "VDD and VDDCORE must stay on while it restarts; nothing "
		    "but SSP_REQ is burnt");
	}
	return reset_to_rom(s, e);
}

/* --- boot 2 ----------------------------------------------------------------------- */

static int
fetch(struct ssp *s, uint8_t cert[136], struct pv_error *e)
{
	const struct pv_mpu_info *info = s->m->info(s->m->ctx);
	uint8_t b[256] = { 0 };
	size_t n = 0, skip = info->usb ? 9 : 0;
	uint8_t id = PV_MPU_SSP;
	int r;

	/* On USB the MP15 shows the SSP partition as the layout's. */
	if (info->usb && pv_mpu_find(info, PV_MPU_SSP) == NULL)
		id = PV_MPU_LAYOUT;
	r = s->m->read(s->m->ctx, id, b, sizeof(b), &n, e);
	if (r == 0 && n != skip + 136)
		r = pv_fail(e, PV_E_DEVICE,
		    "the certificate has %zu bytes, not 136", n - skip);
	if (r == 0)
		memcpy(cert, b + skip, 136);
	return r;
}

/* Nothing on a line protects what is read: it must read twice the same. */
static int
certificate(struct ssp *s, uint8_t cert[136], struct pv_error *e)
{
	uint8_t again[136] = { 0 };
	int r;

	for (unsigned int i = 0; i < 4; i++) {
		r = fetch(s, cert, e);
		if (r == 0 && !s->m->info(s->m->ctx)->usb)
			r = fetch(s, again, e);
		else if (r == 0)
			return 0;
		if (r != 0)
			return pv_wrap(e, "reading the certificate");
		if (memcmp(cert, again, 136) == 0)
			return 0;
	}
	return pv_fail(
	    e, PV_E_DEVICE, "the certificate reads differently each time");
}

static int
check_certificate(struct ssp *s, const uint8_t cert[136], struct pv_error *e)
{
	char want[4];

	(void)snprintf(want, sizeof(want), "%03X", s->opt->chip & 0xfffU);
	if (memcmp(cert, want, 3) != 0)
		return pv_fail(e, PV_E_VERIFY,
		    "the certificate is of product '%.3s', the package is for "
		    "'%s'",
		    isprint(cert[0]) && isprint(cert[1]) && isprint(cert[2])
			? (const char *)cert
			: "???",
		    want);
	if (s->rep->have_certificate &&
	    memcmp(cert, s->rep->certificate, 136) != 0)
		return pv_fail(e, PV_E_DEVICE,
		    "another chip answers: its certificate has changed");
	memcpy(s->rep->certificate, cert, 136);
	s->rep->have_certificate = true;
	return 0;
}

int
pv_ssp_check_license(
    const uint8_t license[136], uint32_t loader_version, struct pv_error *e)
{
	struct pv_ssp_license l;
	int r;

	r = pv_ssp_license_decode(license, 136, &l, e);
	if (r != 0 || l.type == PV_ECIES_TYPE) {
		if (r == 0)
			(void)pv_fail(e, PV_E_VERIFY,
			    "it is of profile 'ecies', which no ROM knows");
		e->code = PV_E_VERIFY;
		return pv_wrap(e, "license");
	}
	if (loader_version < l.min_version)
		return pv_fail(e, PV_E_VERIFY,
		    "the license asks for a loader of image version %u or "
		    "later, this one is %u",
		    l.min_version, loader_version);
	return 0;
}

/* License and package are there when the phase says so (M6). */
static int
send_blob(struct ssp *s, const uint8_t *blob, size_t len, struct pv_error *e)
{
	const struct pv_mpu_info *info = s->m->info(s->m->ctx);
	struct pv_mpu_source src;
	struct pv_mpu_phase p = { 0 };
	uint8_t id = PV_MPU_SSP;
	int64_t began = pv_now_ms();
	int r;

	if (info->usb && pv_mpu_find(info, PV_MPU_SSP) == NULL)
		id = PV_MPU_LAYOUT;
	pv_mpu_memory(blob, len, &src);
	r = s->m->download(s->m->ctx, id, &src, s->rep->step, e);
	if (r == 0)
		r = s->m->phase(s->m->ctx, &p, e);
	s->rep->blob_ms = pv_now_ms() - began;
	if (r != 0)
		return pv_wrap(e, "sending license and package");
	if (p.id == PV_MPU_RESET && p.text[0] != '\0')
		return pv_chain_told(&p, e);
	if (p.id != PV_MPU_RESET && !p.detach)
		return pv_fail(e, PV_E_DEVICE,
		    "after license and package the device is in phase 0x%02x",
		    p.id);
	s->rep->rounds++;
	s->rep->state = PV_SSP_LOADED;
	return reset_to_rom(s, e);
}

static int
boot_2(struct ssp *s, struct pv_error *e)
{
	uint8_t cert[136] = { 0 }, blob[PV_SSP_BLOB_MAX];
	int r;

	step(s, "boot 2");
	if (s->rep->state == PV_SSP_UNTOUCHED)
		s->rep->state = PV_SSP_REQUESTED;
	r = certificate(s, cert, e);
	if (r == 0)
		r = check_certificate(s, cert, e);
	if (r == 0)
		r = s->opt->license(s->opt->ctx, cert, blob, e);
	if (r == 0)
		r = pv_ssp_check_license(blob, s->opt->loader_version, e);
	if (r != 0)
		return r;
	memcpy(blob + PV_SSP_LICENSE_LEN, s->opt->payload, s->opt->payload_len);
	return send_blob(s, blob, PV_SSP_LICENSE_LEN + s->opt->payload_len, e);
}

/* --- boot 3 and the proof ------------------------------------------------------------ */

static int
silent(struct ssp *s, struct pv_error *e)
{
	if (s->rep->rounds > 0) {
		s->rep->state = PV_SSP_UNSURE;
		return pv_fail(
		    e, PV_E_TIMEOUT, "the chip does not come back from boot 3");
	}
	if (s->talked) {
		(void)pv_fail(e, PV_E_TIMEOUT,
		    "the loader has run in boot 1, and does not start now");
		return pv_hint(e, "check supply and cable, then push again");
	}
	(void)pv_fail(e, PV_E_DEVICE,
	    "the chip does not start the loader: it is closed already, or the "
	    "loader is for another chip or board, or not signed as its ROM "
	    "wants");
	return pv_hint(e,
	    "a closed chip takes no package; whether it has this one already, "
	    "a "
	    "push with --fsbl and --fip tells. Else check the loader");
}

/*
 * The loader ran without a word and reset, or an earlier push had it burn:
 * ask for proof.
 */
static int
check_closed(struct ssp *s, struct pv_error *e)
{
	struct pv_error refusal = { 0 };
	enum outcome o = SILENT;
	int r;

	step(s, "check");
	s->burning = true;
	s->rep->state = PV_SSP_ENDED;
	if (s->opt->otp_chain.fsbl != NULL) {
		r = pv_ssp_prove_otp(s, e);
		if (r == 0)
			s->done = true;
		return r;
	}
	r = load(s, T_CHECK + (int)(3 * s->start_ms), &o, &refusal);
	/* A closed ROM may refuse at the end an image that it does not know. */
	if (s->sent_all && (r == PV_E_NACK || refusal.vendor_code == ABORTED))
		o = SILENT;
	else if (r != 0) {
		*e = refusal;
		return r;
	}
	if (o == TALKS)
		return 0; /* the phase tells */
	if (!s->talked) {
		s->rep->finished_before = true;
		if (o == AGAIN)
			return silent(s, e);
	}
	s->rep->state = PV_SSP_CLOSED;
	s->done = true;
	return 0;
}

/*
 * Behind the last byte of a loader that finds license and package in the RAM,
 * of this push or of one before it, the chip burns whatever else goes wrong.
 */
static void
may_burn(struct ssp *s)
{
	if ((s->rep->state == PV_SSP_LOADED && s->sent_all) ||
	    (s->rep->state == PV_SSP_UNTOUCHED && s->started && !s->talked))
		s->rep->state = PV_SSP_UNSURE;
}

/* In the ROM: what the loader does next tells which boot this is. */
static int
from_rom(struct ssp *s, struct pv_error *e)
{
	enum outcome o = SILENT;
	int r;

	step(s, s->rep->rounds > 0		    ? "boot 3"
		: s->rep->state == PV_SSP_REQUESTED ? "boot 2"
						    : "boot 1");
	r = load(s, T_LOADER, &o, e);
	if (r != 0) {
		may_burn(s);
		return r;
	}
	if (o == TALKS) {
		s->talked = true;
		return 0;
	}
	if (o == SILENT)
		return silent(s, e);
	if (s->rep->rounds == 0 && !s->talked)
		s->rep->resumed_at = 3;
	return check_closed(s, e);
}

/* --- the whole ---------------------------------------------------------------------- */

static int
check_chip(struct ssp *s, struct pv_error *e)
{
	uint16_t chip = s->m->info(s->m->ctx)->chip;

	if (chip == s->opt->chip)
		return 0;
	(void)pv_fail(e, PV_E_VERIFY,
	    "the package is for chips 0x%03x, this one is 0x%03x", s->opt->chip,
	    chip);
	return pv_hint(
	    e, "seal the secrets for this chip: 'provisor ssp pack --chip'");
}

static int
one_step(struct ssp *s, struct pv_error *e)
{
	struct pv_mpu_phase p = { 0 };
	int r;

	r = s->m->phase(s->m->ctx, &p, e);
	if (r != 0)
		return r;
	if (p.id == PV_MPU_RESET && strcmp(p.text, "Provisioning") == 0) {
		s->talked = true;
		return provisioning(s, e);
	}
	if (p.id == PV_MPU_RESET && p.text[0] == '\0')
		return reset_to_rom(s, e);
	if (p.id == PV_MPU_RESET)
		return pv_chain_told(&p, e);
	/* MP15 on USB with license and package of an earlier push in it. */
	if (p.detach && p.stage != PV_MPU_STAGE_UBOOT) {
		s->rep->state = PV_SSP_LOADED;
		return reset_to_rom(s, e);
	}
	switch (p.stage) {
	case PV_MPU_STAGE_ROM:
		return from_rom(s, e);
	case PV_MPU_STAGE_TFA_SSP:
		if (s->rep->loads == 0)
			s->rep->resumed_at = 2;
		s->talked = true;
		return boot_2(s, e);
	case PV_MPU_STAGE_UBOOT:
		r = pv_ssp_check_otp(s, e);
		if (r != 0 || s->done)
			return r;
		return pv_mpu_reset(s->m, e);
	default:
		(void)pv_fail(e, PV_E_DEVICE,
		    "%s is in phase 0x%02x: it is not the loader",
		    pv_mpu_stage_text(p.stage), p.id);
		return pv_hint(e, "reset the chip into serial boot, and give "
				  "the SSP firmware as --loader");
	}
}

int
pv_ssp_install_run(const struct pv_mpu *m,
    const struct pv_ssp_install_options *opt,
    struct pv_ssp_install_report *ret_report, struct pv_error *e)
{
	struct ssp s = { .m = m, .opt = opt, .rep = ret_report };
	int r;

	memset(ret_report, 0, sizeof(*ret_report));
	ret_report->step = "connect";
	if (opt->payload_len > PV_SSP_BLOB_MAX - PV_SSP_LICENSE_LEN)
		return pv_fail(e, PV_E_INTERNAL, "package too long");
	r = check_chip(&s, e);
	if (r == 0)
		r = pv_ssp_look_first(&s, e); /* may be done with that */
	for (unsigned int i = 0; r == 0 && !s.done; i++) {
		if (i == BOOTS_MAX)
			return pv_fail(e, PV_E_DEVICE,
			    "the chip does not get through the three boots");
		if (pv_progress_cancelled(opt->progress))
			return pv_fail(e, PV_E_INTERRUPTED, "stopped");
		r = one_step(&s, e);
	}
	return r;
}
