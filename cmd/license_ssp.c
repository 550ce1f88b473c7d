/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor license inspect and verify, for the licenses of 136 bytes: ST's
 * for secret provisioning, and profile `ecies` in the same shape. They carry
 * neither campaign, number nor signature: what is known of them beside their
 * tag is what the ledger says.
 */
#include "cmd/cmd.h"
#include "cmd/session.h"

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/certificate.h"
#include "formats/license_ssp.h"
#include <provisor/ecies.h>
#include <provisor/secret.h>

#include <inttypes.h>
#include <string.h>

/* --- inspect ---------------------------------------------------------------- */

static const char *
type_text(const struct pv_ssp_license *l)
{
	switch (l->type) {
	case PV_SSP_TYPE_STATIC:
		return "SSP.";
	case PV_SSP_TYPE_LIVE:
		return "SSPL";
	default:
		return "SFI.";
	}
}

static void
inspect_text(const struct pv_app *app, const struct pv_ssp_license *l)
{
	bool own = l->type == PV_ECIES_TYPE;
	char text[24];

	pv_license_field(app, 0x00, "type", type_text(l),
	    own				  ? "profile 'ecies', provisor's own"
	    : l->type == PV_SSP_TYPE_LIVE ? "profile 'ssp', live"
					  : "profile 'ssp', static");
	(void)snprintf(text, sizeof(text), "0x%08x", l->live_session);
	pv_license_field(
	    app, 0x04, "session", text, "of a live license, else 0");
	(void)snprintf(text, sizeof(text), "%u", l->version);
	pv_license_field(app, 0x08, "version", text, "of the format");
	(void)snprintf(text, sizeof(text), "%u", l->min_version);
	pv_license_field(app, 0x0c, "min version", text,
	    own ? "not used" : "of the FSBL; the ROM compares it");
	pv_license_hex(app, 0x10, "reserved", l->rfu, sizeof(l->rfu), "");
	pv_license_hex(app, 0x18, "ephemeral key", l->ephemeral, 64,
	    "P-256 point, made for this license alone");
	pv_license_hex(app, 0x58, "encrypted", l->encrypted, 32,
	    own ? "nonce, 4 zeros and key, for the chip alone"
		: "IV and key, for the chip alone");
	pv_license_hex(app, 0x78, "tag", l->tag, 16,
	    "AES-128-GCM over all of it, not checked here");
}

static void
inspect_json(struct pv_json *o, const struct pv_ssp_license *l)
{
	pv_json_set_str(o, "profile", pv_ssp_license_profile(l));
	pv_json_set_str(o, "type", type_text(l));
	pv_json_set_u64(o, "live_session", l->live_session);
	pv_json_set_u64(o, "version", l->version);
	pv_json_set_u64(o, "min_version", l->min_version);
	pv_json_set_hex(o, "reserved", l->rfu, sizeof(l->rfu));
	pv_json_set_hex(o, "ephemeral", l->ephemeral, sizeof(l->ephemeral));
	pv_json_set_hex(o, "encrypted", l->encrypted, sizeof(l->encrypted));
	pv_json_set_hex(o, "tag", l->tag, sizeof(l->tag));
	pv_json_set_bool(o, "verified_on_silicon", false);
	if (l->type == PV_ECIES_TYPE)
		pv_json_set_bool(o, "accepted_by_st_silicon", false);
	else
		pv_json_set_null(o, "accepted_by_st_silicon");
}

int
pv_license_ssp_inspect(struct pv_app *app, const char *path,
    const uint8_t *data, size_t len, struct pv_error *e)
{
	struct pv_ssp_license l;
	struct pv_json *o;
	int r;

	r = pv_ssp_license_decode(data, len, &l, e);
	if (r != 0)
		return pv_wrap(e, "reading license '%s'", path);
	pv_out(app, "%s: %zu bytes, profile %s\n", path, len,
	    pv_ssp_license_profile(&l));
	inspect_text(app, &l);
	pv_say(app, "%s\n", pv_license_label(pv_ssp_license_profile(&l)));
	o = pv_json_new_object();
	pv_json_set_str(o, "file", path);
	pv_json_set_str(o, "format", "license");
	inspect_json(o, &l);
	return pv_out_json(app, o, e);
}

/* --- verify ----------------------------------------------------------------- */

struct job {
	const struct pv_ssp_verify *v;
	const uint8_t *data;
	size_t len;
	struct pv_certificate cert;
	struct pv_campaign c;
	struct pv_ecies_profile p;
	uint64_t number; /* by the ledger; 0: not asked */
	struct pv_issued has;
	bool nonce_checked;
};

/* The ledger's word: its signed entry has these bytes for this chip. */
static int
ask_ledger(struct pv_app *app, struct job *j, struct pv_error *e)
{
	struct pv_store store = { 0 };
	struct pv_issued *has = &j->has;
	int r;

	r = pv_open_ledger(app, false, &store, e);
	if (r == 0)
		r = pv_campaign_load(&store, j->v->campaign, &j->c, e);
	if (r == 0 && j->v->certificate != NULL) {
		r = pv_license_find(&j->c, &store, j->cert.bytes, has, e);
		if (r == PV_E_NOT_FOUND ||
		    (r == 0 && (has->len != j->len ||
				   memcmp(has->data, j->data, j->len) != 0)))
			r = pv_fail(e, PV_E_VERIFY,
			    "the ledger did not issue this license to this "
			    "chip");
		if (r == 0)
			j->number = has->number;
	}
	if (r == 0)
		r = pv_campaign_check_license(
		    &j->c, j->data, j->len, j->number, NULL, e);
	pv_store_release(&store);
	return r;
}

static int
check_nonce(struct job *j, const struct pv_secret *s, struct pv_error *e)
{
	uint8_t name[32];
	int r;

	if (pv_campaign_nonce_each(&j->c)) {
		/* Whose it is only the entry of the chip can tell. */
		if (!j->has.has_package)
			return 0;
		r = pv_package_name(pv_secret_bytes(s), name, e);
		if (r == 0 && memcmp(name, j->has.package, 32) != 0)
			r = pv_fail(e, PV_E_VERIFY,
			    "the license carries the nonce of another package "
			    "than the ledger says");
		j->nonce_checked = r == 0;
		return r;
	}
	if (!pv_ct_equal(pv_secret_bytes(s), j->c.nonce, 16))
		return pv_fail(e, PV_E_VERIFY,
		    "the license carries another nonce than campaign '%s' has",
		    j->c.name);
	j->nonce_checked = true;
	return 0;
}

/* The tag, with the private key that only the chip has. */
static int
check_tag(struct job *j, struct pv_error *e)
{
	struct pv_secret *secret = NULL;
	struct pv_ec_key *chip = NULL;
	uint8_t pub[64];
	int r;

	r = pv_ec_read_pem(j->v->chip_key, &chip, e);
	if (r == 0)
		r = pv_ec_public(chip, pub, e);
	if (r == 0 && j->v->certificate != NULL &&
	    !pv_ct_equal(pub, j->cert.public_key, sizeof(pub)))
		r = pv_fail(e, PV_E_VERIFY,
		    "'%s' is not the key of the certificate", j->v->chip_key);
	if (r == 0)
		r = pv_ecies_open(&j->p, chip, j->data, j->len, &secret, e);
	if (r == 0 && j->v->campaign != NULL)
		r = check_nonce(j, secret, e);
	pv_secret_free(secret);
	pv_ec_free(chip);
	return r;
}

static int
choose_profile(
    struct job *j, const struct pv_ssp_license *l, struct pv_error *e)
{
	const char *text = pv_ssp_license_profile(l);
	int r;

	if (j->v->campaign != NULL)
		text = j->c.license_profile;
	else if (j->v->profile != NULL)
		text = j->v->profile;
	r = pv_ecies_parse(text, &j->p, e);
	if (r == 0 && j->p.ssp != (l->type != PV_ECIES_TYPE))
		r = pv_fail(e, PV_E_VERIFY,
		    "the license is of profile '%s', not '%s'",
		    pv_ssp_license_profile(l), text);
	return r;
}

static int
usage(const struct pv_ssp_verify *v, struct pv_error *e)
{
	if (v->campaign != NULL && v->profile != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--license-profile: the campaign tells the profile");
	if (v->chip_key != NULL ||
	    (v->campaign != NULL && v->certificate != NULL))
		return 0;
	(void)pv_fail(e, PV_E_USAGE,
	    "a license of this kind carries no signature: give --campaign "
	    "with --certificate, or --chip-key");
	return pv_hint(e,
	    "the ledger proves to whom it was issued; its tag can be checked "
	    "with the chip's private key, which a simulated chip shows");
}

int
pv_license_ssp_verify(struct pv_app *app, const char *path, const uint8_t *data,
    size_t len, const struct pv_ssp_verify *v, struct pv_error *e)
{
	struct job j = { .v = v, .data = data, .len = len };
	struct pv_ssp_license l;
	struct pv_json *o;
	int r;

	r = usage(v, e);
	if (r == 0 && (r = pv_ssp_license_decode(data, len, &l, e)) != 0)
		(void)pv_wrap(e, "reading license '%s'", path);
	if (r == 0)
		r = pv_ec_check_public(l.ephemeral, e);
	if (r == 0 && v->certificate != NULL)
		r = pv_certificate_read(v->certificate, &j.cert, e);
	if (r == 0 && v->campaign != NULL)
		r = ask_ledger(app, &j, e);
	if (r == 0)
		r = choose_profile(&j, &l, e);
	if (r == 0 && v->chip_key != NULL)
		r = check_tag(&j, e);
	if (r != 0)
		return r;
	pv_out(app, "%s: profile %s", path, pv_ssp_license_profile(&l));
	if (j.number != 0)
		pv_out(app,
		    ", no. %" PRIu64 ", issued to this chip by the ledger",
		    j.number);
	if (v->chip_key != NULL)
		pv_out(app, ", tag valid under the chip's key%s",
		    j.nonce_checked ? ", nonce of the campaign" : "");
	pv_out(app, "\n");
	pv_say(app, "%s\n", pv_license_label(pv_ssp_license_profile(&l)));
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "pass");
	pv_json_set_str(o, "profile", pv_ssp_license_profile(&l));
	if (j.number != 0)
		pv_json_set_u64(o, "number", j.number);
	else
		pv_json_set_null(o, "number");
	pv_json_set_bool(o, "tag", v->chip_key != NULL);
	pv_json_set_bool(o, "nonce_checked", j.nonce_checked);
	pv_json_set_bool(o, "issued_to_this_chip", j.number != 0);
	return pv_out_json(app, o, e);
}
