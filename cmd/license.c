/* SPDX-License-Identifier: Apache-2.0 */
/* provisor license: one license for one chip. */
#include "cmd/license.h"
#include "cmd/session.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "formats/certificate.h"
#include "formats/license.h"
#include "formats/license_ssp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- issue ------------------------------------------------------------------ */

static void
issued_json(struct pv_json *o, const struct pv_campaign_session *s,
    const struct pv_issued *l, const char *path)
{
	const struct pv_campaign *c = &s->campaign;

	pv_json_set_str(o, "campaign", c->name);
	pv_json_set_hex(o, "campaign_id", c->id, sizeof(c->id));
	pv_json_set_u64(o, "number", l->number);
	pv_json_set_u64(o, "max_licenses", c->max_licenses);
	pv_json_set_u64(o, "left", l->left);
	pv_json_set_bool(o, "repeated", l->repeated);
	pv_json_set_bool(o, "certificate_verified", c->n_trust != 0);
	pv_json_set_hex(o, "license", l->data, l->len);
	pv_json_set_str(o, "saved", path);
	pv_json_set_str(o, "license_profile", c->license_profile);
	pv_json_set_bool(o, "key_resident",
	    pv_profile_resident(c->license_profile) || s->ecies.resident);
	if (c->flow == PV_FLOW_SSP)
		pv_json_set_null(o, "accepted_by_st_silicon");
	else
		pv_json_set_bool(o, "accepted_by_st_silicon", false);
}

static int
issue(struct pv_app *app, const struct pv_campaign_session *s,
    const uint8_t certificate[PV_CERT_LEN], const char *path,
    struct pv_error *e)
{
	const struct pv_campaign *c = &s->campaign;
	struct pv_issued l;
	struct pv_json *o;
	int r;

	r = pv_license_issue(c, &s->io, certificate, &l, e);
	if (r != 0)
		return r;
	r = pv_file_write(path, 0644, l.data, l.len, e);
	if (r != 0) {
		(void)pv_wrap(e,
		    "license no. %" PRIu64 " is in the ledger, but not saved",
		    l.number);
		return pv_hint(e, "run the command again: the same chip gets "
				  "the same license and nothing is spent");
	}
	pv_out(app,
	    "license no. %" PRIu64 " of %" PRIu64 " (%" PRIu64 " left)%s\n",
	    l.number, c->max_licenses, l.left,
	    l.repeated ? ", the one this chip already has: nothing was spent"
		       : "");
	if (c->n_trust == 0)
		pv_say(app, "the chip's certificate was NOT verified; the "
			    "ledger says so\n");
	pv_say(app, "saved as %s\n%s\n", path,
	    pv_license_label(c->license_profile));
	o = pv_json_new_object();
	issued_json(o, s, &l, path);
	return pv_out_json(app, o, e);
}

static int
run_issue(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *campaign = NULL, *certificate = NULL, *output = NULL;
	char *nonce = NULL;
	uint8_t nonce_bytes[PV_CAMPAIGN_NONCE];
	int require_resident = 0;
	struct poptOption table[] = {
		{ "campaign", 0, POPT_ARG_STRING, &campaign, 0,
		    "whose budget the license comes from", "NAME" },
		{ "certificate", 0, POPT_ARG_STRING, &certificate, 0,
		    "the chip's certificate, 136 bytes", "CERT" },
		{ "nonce", 0, POPT_ARG_STRING, &nonce, 0,
		    "the package's nonce, where each has its own", "FILE" },
		{ "output", 'o', POPT_ARG_STRING, &output, 0,
		    "where the license goes", "F" },
		{ "require-resident", 0, POPT_ARG_NONE, &require_resident, 0,
		    "refuse if the key would leave the token", NULL },
		PV_OPT_UNVERIFIED(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_campaign_session s;
	struct pv_certificate cert;
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	if ((r = pv_need(e, campaign, "--campaign")) != 0 ||
	    (r = pv_need(e, certificate, "--certificate")) != 0 ||
	    (r = pv_need(e, output, "-o")) != 0)
		return r;
	r = pv_certificate_read(certificate, &cert, e);
	if (r == 0)
		r = pv_campaign_session_open_for(
		    app, campaign, require_resident != 0, &s, e);
	if (r != 0)
		return r;
	if (nonce != NULL) {
		r = pv_file_read_exact(nonce, nonce_bytes,
		    pv_campaign_nonce_len(s.campaign.flow), e);
		s.io.nonce = nonce_bytes;
	}
	if (r == 0)
		r = issue(app, &s, cert.bytes, output, e);
	pv_campaign_session_close(&s);
	return r;
}

/* --- inspect ---------------------------------------------------------------- */

/* The bytes; whether they are a license is for the decoder of their kind. */
static int
read_license(const char *path, uint8_t data[PV_LICENSE_MAX], size_t *ret_len,
    struct pv_error *e)
{
	uint8_t *p = NULL;
	int r;

	r = pv_file_read(path, PV_LICENSE_MAX, &p, ret_len, e);
	if (r == 0)
		memcpy(data, p, *ret_len);
	else
		(void)pv_wrap(e, "reading license '%s'", path);
	free(p);
	return r;
}

static int
decode(const char *path, const uint8_t *data, size_t len,
    struct pv_license *ret_l, struct pv_error *e)
{
	int r = pv_license_decode(data, len, ret_l, e);

	return r == 0 ? 0 : pv_wrap(e, "reading license '%s'", path);
}

void
pv_license_field(const struct pv_app *app, unsigned int off, const char *name,
    const char *value, const char *meaning)
{
	pv_out(app, "0x%02x  %-13s  %-34s  %s\n", off, name, value, meaning);
}

void
pv_license_hex(const struct pv_app *app, unsigned int off, const char *name,
    const void *data, size_t len, const char *meaning)
{
	char hex[2 * 16 + 1], cut[40];

	pv_hex_encode(hex, data, len < 16 ? len : 16);
	/* 16 bytes in full, more than that by its first 15. */
	(void)snprintf(cut, sizeof(cut), "%.*s%s", len > 16 ? 30 : 32, hex,
	    len > 16 ? "..." : "");
	pv_license_field(app, off, name, cut, meaning);
}

static void
inspect_text(
    const struct pv_app *app, const struct pv_license *l, const char *campaign)
{
	char text[64], meaning[PV_CAMPAIGN_NAME + 32];
	unsigned int end = PV_LICENSE_HEADER + l->wrapped_len;

	pv_license_field(
	    app, 0x00, "magic", PV_LICENSE_MAGIC, "profile 'resident'");
	(void)snprintf(text, sizeof(text), "%u", (unsigned int)l->version);
	pv_license_field(app, 0x04, "version", text, "of the format");
	pv_license_field(app, 0x06, "flags", "0", "none are defined");
	(void)snprintf(meaning, sizeof(meaning), "%s%s%s",
	    campaign == NULL ? "not in this home's ledger" : "campaign '",
	    campaign == NULL ? "" : campaign, campaign == NULL ? "" : "'");
	pv_license_hex(app, 0x08, "campaign", l->campaign_id, 16, meaning);
	(void)snprintf(text, sizeof(text), "%" PRIu64, l->number);
	pv_license_field(
	    app, 0x18, "number", text, "in its campaign, never used again");
	pv_license_field(app, 0x20, "product", l->product_id,
	    "as in the chip's certificate");
	pv_license_hex(app, 0x28, "ephemeral key", l->ephemeral, 64,
	    "P-256 point, made for this license alone");
	pv_license_hex(app, 0x68, "nonce", l->nonce, 12, "of the package");
	(void)snprintf(text, sizeof(text), "%u", l->wrapped_len);
	pv_license_field(app, 0x78, "key length", text,
	    l->wrapped_len == 24 ? "a wrapped 16-byte key"
				 : "a wrapped 32-byte key");
	pv_license_hex(app, PV_LICENSE_HEADER, "wrapped key", l->wrapped,
	    l->wrapped_len, "only the chip can unwrap it (RFC 3394)");
	pv_license_hex(app, end, "signature", l->signature, 64,
	    "ECDSA P-256 by the campaign key, not checked here");
}

static void
inspect_json(
    struct pv_json *o, const struct pv_license *l, const char *campaign)
{
	pv_json_set_str(o, "profile", "resident");
	pv_json_set_int(o, "version", l->version);
	pv_json_set_int(o, "flags", l->flags);
	pv_json_set_hex(o, "campaign_id", l->campaign_id, 16);
	if (campaign == NULL)
		pv_json_set_null(o, "campaign");
	else
		pv_json_set_str(o, "campaign", campaign);
	pv_json_set_u64(o, "number", l->number);
	pv_json_set_str(o, "product_id", l->product_id);
	pv_json_set_hex(o, "ephemeral", l->ephemeral, sizeof(l->ephemeral));
	pv_json_set_hex(o, "nonce", l->nonce, sizeof(l->nonce));
	pv_json_set_int(o, "wrapped_length", l->wrapped_len);
	pv_json_set_hex(o, "wrapped", l->wrapped, l->wrapped_len);
	pv_json_set_hex(o, "signature", l->signature, sizeof(l->signature));
	pv_json_set_bool(o, "accepted_by_st_silicon", false);
}

/* The campaign's name, if a ledger is here and knows it. */
static const char *
name_campaign(struct pv_app *app, const uint8_t id[16], struct pv_campaign *c)
{
	struct pv_store store = { 0 };
	const char *name = NULL;

	if (pv_open_ledger(app, false, &store, NULL) == 0 &&
	    pv_campaign_load_id(&store, id, c, NULL) == 0)
		name = c->name;
	pv_store_release(&store);
	return name;
}

static int
run_inspect(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	uint8_t data[PV_LICENSE_MAX];
	struct pv_campaign c;
	struct pv_license l;
	const char **args, *campaign;
	struct pv_json *o;
	size_t len;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r == 0 && pv_is_receipt(args[0]))
		return pv_receipt_inspect(app, args[0], e);
	if (r == 0)
		r = read_license(args[0], data, &len, e);
	if (r == 0 && pv_ssp_license_is(data, len))
		return pv_license_ssp_inspect(app, args[0], data, len, e);
	if (r == 0)
		r = decode(args[0], data, len, &l, e);
	if (r != 0)
		return r;
	campaign = name_campaign(app, l.campaign_id, &c);
	pv_out(app, "%s: %zu bytes, license no. %" PRIu64 "\n", args[0], len,
	    l.number);
	inspect_text(app, &l, campaign);
	pv_say(app, PV_LICENSE_LABEL "\n");
	o = pv_json_new_object();
	inspect_json(o, &l, campaign);
	return pv_out_json(app, o, e);
}

/* --- verify ----------------------------------------------------------------- */

struct verify {
	const char *campaign, *key, *certificate;
	uint8_t data[PV_LICENSE_MAX];
	size_t len;
	struct pv_license l;
	struct pv_certificate cert;
	bool in_ledger; /* the ledger has these bytes for this chip */
};

/* What the ledger of this home says about the license. */
static int
verify_campaign(struct pv_app *app, struct verify *v, uint8_t ret_pub[64],
    struct pv_error *e)
{
	struct pv_store store = { 0 };
	struct pv_campaign c;
	struct pv_issued has;
	int r;

	r = pv_open_ledger(app, false, &store, e);
	if (r == 0)
		r = pv_campaign_load(&store, v->campaign, &c, e);
	if (r == 0 && memcmp(c.id, v->l.campaign_id, sizeof(c.id)) != 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "the license belongs to another campaign than '%s'",
		    c.name);
	if (r == 0)
		memcpy(ret_pub, c.public_key, 64);
	if (r == 0 && v->certificate != NULL) {
		r = pv_license_find(&c, &store, v->cert.bytes, &has, e);
		if (r == PV_E_NOT_FOUND ||
		    (r == 0 && (has.len != v->len ||
				   memcmp(has.data, v->data, v->len) != 0)))
			r = pv_fail(e, PV_E_VERIFY,
			    "the ledger did not issue this license to this "
			    "chip");
		v->in_ledger = r == 0;
	}
	pv_store_release(&store);
	return r;
}

static int
verify(struct pv_app *app, struct verify *v, struct pv_error *e)
{
	uint8_t pub[64];
	int r = 0;

	if (v->certificate != NULL)
		r = pv_certificate_read(v->certificate, &v->cert, e);
	if (r == 0 && v->key != NULL)
		r = pv_ec_read_public_pem(v->key, pub, e);
	else if (r == 0)
		r = verify_campaign(app, v, pub, e);
	if (r == 0)
		r = pv_license_check(v->data, v->len, pub,
		    v->certificate == NULL ? NULL : v->cert.bytes, e);
	return r;
}

static int
run_verify(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *campaign = NULL, *key = NULL, *certificate = NULL;
	char *chip_key = NULL, *profile = NULL;
	struct poptOption table[] = {
		{ "campaign", 0, POPT_ARG_STRING, &campaign, 0,
		    "a campaign of this home's ledger", "NAME" },
		{ "campaign-key", 0, POPT_ARG_STRING, &key, 0,
		    "the public campaign key, without a ledger", "PEM" },
		{ "certificate", 0, POPT_ARG_STRING, &certificate, 0,
		    "the chip the license should be for", "CERT" },
		{ "chip-key", 0, POPT_ARG_STRING, &chip_key, 0,
		    "profiles ssp and ecies: the chip's private key, to check "
		    "the tag",
		    "PEM" },
		{ "license-profile", 0, POPT_ARG_STRING, &profile, 0,
		    "its fields, where no campaign tells them", "P" },
		POPT_TABLEEND,
	};
	struct verify v = { 0 };
	const char **args;
	struct pv_json *o;
	bool receipt;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	receipt = pv_is_receipt(args[0]);
	if (!receipt)
		r = read_license(args[0], v.data, &v.len, e);
	if (r != 0)
		return r;
	if (!receipt && pv_ssp_license_is(v.data, v.len)) {
		const struct pv_ssp_verify sv = { campaign, certificate,
			chip_key, profile };

		return pv_license_ssp_verify(
		    app, args[0], v.data, v.len, &sv, e);
	}
	if ((campaign == NULL) == (key == NULL))
		return pv_fail(
		    e, PV_E_USAGE, "give one of --campaign and --campaign-key");
	if (receipt)
		return pv_receipt_verify(
		    app, args[0], campaign, key, certificate, e);
	v.campaign = campaign;
	v.key = key;
	v.certificate = certificate;
	r = decode(args[0], v.data, v.len, &v.l, e);
	if (r == 0)
		r = verify(app, &v, e);
	if (r != 0)
		return r;
	pv_out(app, "%s: license no. %" PRIu64 ", signature valid%s\n", args[0],
	    v.l.number,
	    v.in_ledger		  ? ", issued to this chip by the ledger"
	    : certificate != NULL ? ", product id of the certificate"
				  : "");
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "pass");
	pv_json_set_u64(o, "number", v.l.number);
	pv_json_set_hex(o, "campaign_id", v.l.campaign_id, 16);
	pv_json_set_bool(o, "signature", true);
	pv_json_set_bool(o, "product_checked", certificate != NULL);
	pv_json_set_bool(o, "issued_to_this_chip", v.in_ledger);
	return pv_out_json(app, o, e);
}

const struct pv_verb pv_verbs_license[] = {
	{ "license", "issue",
	    "--campaign NAME --certificate CERT [--nonce FILE] "
	    "[--require-resident] "
	    "[--accept-unverified-certificate] -o F",
	    "make one license for one chip, counted",
	    "provisor license issue --campaign spring --certificate chip.cert "
	    "-o chip.lic",
	    run_issue },
	{ "license", "receipt",
	    "--campaign NAME --certificate CERT|--number N -o F",
	    "write the signed proof that a license was issued",
	    "provisor license receipt --campaign spring --number 412 -o "
	    "412.receipt",
	    pv_run_license_receipt },
	{ "license", "inspect", "F",
	    "explain every field of a license or receipt",
	    "provisor license inspect chip.lic", run_inspect },
	{ "license", "verify",
	    "F [--campaign NAME] [--campaign-key PEM] [--certificate CERT] "
	    "[--chip-key PEM] [--license-profile P]",
	    "check a license or receipt: signature or tag, and whose it is",
	    "provisor license verify chip.lic --campaign spring "
	    "--certificate chip.cert",
	    run_verify },
	{ 0 },
};
