/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a push gets the license for the chip in front of it: from the file an
 * earlier push of the same chip saved, from the campaign, or from a file the
 * user names. The certificate is verified before anything is spent, and the
 * license is on disk before it goes to the chip.
 */
#include "cmd/push.h"
#include "cmd/session.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/log.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/certificate.h"
#include "formats/license.h"
#include "formats/license_ssp.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- the chip ----------------------------------------------------------------- */

/* Is the certificate what it says, and of this campaign? */
static int
check_chip(struct pv_push *p, const struct pv_campaign *c,
    const struct pv_install_chip *chip, struct pv_error *e)
{
	uint8_t digest[PV_SHA256_LEN];
	struct pv_part part;
	char hex[9];
	size_t ca = 0;
	int r;

	r = pv_campaign_check_certificate(c, chip->certificate, &ca, e);
	if (r != 0) {
		p->verified =
		    c->n_trust == 0
			? "NOT verified: no CA of these chips is known"
		    : c->n_trust == 1 ? "NOT signed by the campaign's CA"
				      : "NOT signed by a CA of the campaign";
		pv_push_say_chip(p);
		(void)pv_hint(e,
		    "no license was spent. If this lot comes from another CA, "
		    "add it with a new campaign (--trust)");
		return pv_wrap(e, "verifying chip certificate");
	}
	if (ca == PV_CAMPAIGN_TRUST) {
		p->verified = "NOT verified: no CA of these chips is known";
		return 0;
	}
	part = (struct pv_part){ c->trust[ca], sizeof(c->trust[ca]) };
	r = pv_sha256(&part, 1, digest, e);
	if (r != 0)
		return r;
	pv_hex_encode(hex, digest, 4);
	(void)snprintf(p->verified_text, sizeof(p->verified_text),
	    "verified by CA key %s", hex);
	p->verified = p->verified_text;
	return 0;
}

/* HOME/licenses/PRODUCT-SERIAL.lic; a product id may hold any character. */
static int
license_path(
    struct pv_push *p, const struct pv_install_chip *chip, struct pv_error *e)
{
	char dir[PV_PUSH_PATH], product[9];
	size_t i;
	int r;

	for (i = 0; i < 8; i++)
		product[i] = isalnum((unsigned char)chip->certificate[i])
				 ? (char)chip->certificate[i]
				 : '_';
	product[8] = '\0';
	(void)snprintf(p->license.name, sizeof(p->license.name),
	    "licenses/%s-%s.lic", product, p->serial);
	r = pv_home_path(p->app, "licenses", dir, sizeof(dir), e);
	if (r == 0)
		r = pv_dir_make(dir, 0700, e);
	if (r == 0)
		r = pv_home_path(p->app, p->license.name, p->license.path,
		    sizeof(p->license.path), e);
	return r;
}

/* --- from a campaign ------------------------------------------------------------ */

/* A license an earlier push saved, if it still is one of this campaign. */
static bool
take_saved(struct pv_push *p, const struct pv_install_chip *chip,
    struct pv_install_license *l)
{
	const struct pv_campaign *c = &p->session.campaign;
	struct pv_error why = { 0 };
	struct pv_license lic;
	uint8_t *data = NULL;
	size_t len = 0;
	bool good;

	if (pv_file_read(p->license.path, PV_LICENSE_MAX, &data, &len, &why) !=
	    0)
		return false;
	good = pv_license_decode(data, len, &lic, &why) == 0 &&
	       memcmp(lic.campaign_id, c->id, sizeof(c->id)) == 0 &&
	       pv_license_check(
		   data, len, c->public_key, chip->certificate, &why) == 0 &&
	       len <= sizeof(l->data);
	if (good) {
		memcpy(l->data, data, len);
		l->len = len;
		p->license.number = lic.number;
		p->license.saved_before = true;
		p->license.saved = true;
	} else {
		pv_log(PV_LOG_INFO, "%s is not used: %s", p->license.name,
		    why.msg[0] != '\0' ? why.msg : "of another campaign");
	}
	free(data);
	return good;
}

/*
 * The same for a license without a signature: the ledger must know these very
 * bytes as this chip's.
 */
static bool
take_saved_ssp(struct pv_push *p, const struct pv_install_chip *chip,
    struct pv_install_license *l)
{
	const uint8_t *nonce = p->session.io.nonce;
	uint8_t data[PV_SSP_LICENSE], package[32];
	struct pv_error why = { 0 };
	struct pv_issued has;

	if (pv_file_read_exact(p->license.path, data, sizeof(data), &why) != 0)
		return false;
	if (pv_license_find(&p->session.campaign, &p->session.store,
		chip->certificate, &has, &why) != 0 ||
	    has.len != sizeof(data) ||
	    memcmp(has.data, data, sizeof(data)) != 0) {
		pv_log(PV_LOG_INFO, "%s is not used: the ledger has another",
		    p->license.name);
		return false;
	}
	/* Of another package: what is asked for it says so. */
	if (has.has_package &&
	    (nonce == NULL || pv_package_name(nonce, package, &why) != 0 ||
		memcmp(package, has.package, sizeof(package)) != 0))
		return false;
	memcpy(l->data, data, sizeof(data));
	l->len = sizeof(data);
	p->license.number = has.number;
	p->license.saved_before = true;
	p->license.saved = true;
	return true;
}

static int
issue(struct pv_push *p, const struct pv_install_chip *chip,
    struct pv_install_license *l, struct pv_error *e)
{
	const struct pv_campaign *c = &p->session.campaign;
	struct pv_issued got = { 0 };
	int r;

	r = pv_license_issue(c, &p->session.io, chip->certificate, &got, e);
	if (r != 0) {
		p->license.maybe_burnt = got.number != 0;
		return pv_wrap(e, "license");
	}
	p->license.known = true;
	p->license.saved_before = false;
	p->license.number = got.number;
	p->license.left = got.left;
	p->license.spent = !got.repeated;
	/* On disk before it is sent: a repeat then needs no token. */
	r = pv_file_write(p->license.path, 0600, got.data, got.len, e);
	if (r != 0)
		return pv_wrap(e, "saving license no. %" PRIu64, got.number);
	p->license.saved = true;
	memcpy(l->data, got.data, got.len);
	l->len = got.len;
	return 0;
}

static void
say_license(const struct pv_push *p)
{
	const struct pv_push_license *l = &p->license;

	pv_out(p->app, "license   no. %" PRIu64, l->number);
	if (l->counted)
		pv_out(p->app, " of %" PRIu64 " (%" PRIu64 " left)", l->total,
		    l->left);
	if (l->saved_before)
		pv_out(
		    p->app, ", saved earlier as %s; nothing spent\n", l->name);
	else if (p->has_session && !l->spent)
		pv_out(p->app,
		    ", this chip's own again, saved as %s; nothing spent\n",
		    l->name);
	else if (p->has_session)
		pv_out(p->app, ", saved as %s\n", l->name);
	else
		pv_out(p->app, ", from %s\n", l->name);
}

static int
from_campaign(struct pv_push *p, const struct pv_install_chip *chip,
    bool refused, struct pv_install_license *l, struct pv_error *e)
{
	const struct pv_campaign *c = &p->session.campaign;
	int r;

	if (p->kind != PV_PUSH_SSP &&
	    !pv_profile_resident(c->license_profile)) {
		(void)pv_fail(e, PV_E_UNSUPPORTED,
		    "campaign '%s' makes licenses of profile '%s'; the "
		    "install agent takes 'resident' ones only",
		    c->name, c->license_profile);
		return pv_hint(e, "no license was spent. Take a campaign with "
				  "--license-profile resident");
	}
	if (!refused) {
		r = check_chip(p, c, chip, e);
		if (r != 0)
			return r;
		pv_push_say_chip(p);
		/* A license saved before the chip was denied is no way in. */
		r = pv_campaign_check_denied(
		    c, &p->session.store, chip->certificate, e);
		if (r != 0)
			return r;
	}
	r = license_path(p, chip, e);
	if (r != 0)
		return r;
	p->license.total = c->max_licenses;
	p->license.left =
	    c->max_licenses > c->issued ? c->max_licenses - c->issued : 0;
	p->license.counted = true;
	/* Refused as another chip's: two chips may share six digits. */
	if (refused && !p->license.saved_before)
		return pv_fail(e, PV_E_VERIFY,
		    "the chip refused its license no. %" PRIu64
		    " as made for another chip",
		    p->license.number);
	if (refused || !(p->kind == PV_PUSH_SSP ? take_saved_ssp(p, chip, l)
						: take_saved(p, chip, l))) {
		r = issue(p, chip, l, e);
		if (r != 0)
			return r;
	}
	p->license.known = true;
	memcpy(l->campaign_key, c->public_key, sizeof(l->campaign_key));
	say_license(p);
	return 0;
}

/* --- from a file ---------------------------------------------------------------- */

/*
 * The campaign a license names, if the ledger of this home has it, and then
 * whether it denies the chip (PV_E_POLICY). *ret_found says if it has it.
 */
static int
find_campaign(struct pv_push *p, const struct pv_install_chip *chip,
    const uint8_t id[16], struct pv_campaign *ret_c, bool *ret_found,
    struct pv_error *e)
{
	struct pv_error ignored = { 0 };
	struct pv_store store = { 0 };
	int r = 0;

	*ret_found = false;
	if (pv_open_ledger(p->app, false, &store, &ignored) != 0)
		return 0;
	*ret_found = pv_campaign_load_id(&store, id, ret_c, &ignored) == 0;
	if (*ret_found)
		r = pv_campaign_check_denied(
		    ret_c, &store, chip->certificate, e);
	pv_store_release(&store);
	return r;
}

static int
file_key(struct pv_push *p, const struct pv_install_chip *chip,
    const struct pv_license *lic, struct pv_install_license *l,
    struct pv_error *e)
{
	struct pv_campaign c;
	bool found;
	int r;

	r = find_campaign(p, chip, lic->campaign_id, &c, &found, e);
	if (r != 0)
		return r;
	if (p->campaign_key != NULL)
		return pv_ec_read_public_pem(
		    p->campaign_key, l->campaign_key, e);
	if (!found) {
		pv_say(p->app,
		    "the campaign key is not known here: the chip cannot "
		    "check the license's signature (--campaign-key PEM)\n");
		return 0;
	}
	r = check_chip(p, &c, chip, e);
	if (r == 0)
		memcpy(l->campaign_key, c.public_key, sizeof(c.public_key));
	return r;
}

static int
from_file(struct pv_push *p, const struct pv_install_chip *chip, bool refused,
    struct pv_install_license *l, struct pv_error *e)
{
	static const uint8_t unknown[64] = { 0 };
	struct pv_license lic;
	uint8_t *data = NULL;
	size_t len = 0;
	int r;

	if (refused) {
		(void)pv_fail(e, PV_E_VERIFY, "'%s' was made for another chip",
		    p->license_file);
		return pv_hint(e,
		    "issue one for this chip: 'provisor license issue', or "
		    "push with --campaign");
	}
	r = pv_file_read(p->license_file, PV_LICENSE_MAX, &data, &len, e);
	if (r == 0)
		r = pv_license_decode(data, len, &lic, e);
	if (r != 0) {
		free(data);
		return pv_wrap(e, "'%s'", p->license_file);
	}
	p->verified = "not checked: no campaign at hand";
	r = file_key(p, chip, &lic, l, e);
	if (r == 0)
		pv_push_say_chip(p);
	if (r == 0 && memcmp(l->campaign_key, unknown, sizeof(unknown)) != 0)
		r = pv_license_check(
		    data, len, l->campaign_key, chip->certificate, e);
	else if (r == 0 && memcmp(lic.product_id, chip->certificate,
			       PV_CERT_PRODUCT_ID) != 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "the license is for product '%s', the chip is '%.8s'",
		    lic.product_id, chip->product_id);
	if (r == 0) {
		memcpy(l->data, data, len);
		l->len = len;
		p->license.known = true;
		p->license.saved = true;
		p->license.number = lic.number;
		(void)snprintf(p->license.name, sizeof(p->license.name), "%s",
		    p->license_file);
		(void)snprintf(p->license.path, sizeof(p->license.path), "%s",
		    p->license_file);
		say_license(p);
	} else {
		(void)pv_wrap(e, "license");
	}
	free(data);
	return r;
}

/* A license of 136 bytes names neither campaign nor chip: the ROM tells. */
static int
from_ssp_file(
    struct pv_push *p, struct pv_install_license *l, struct pv_error *e)
{
	struct pv_ssp_license lic;
	int r;

	r = pv_file_read_exact(p->license_file, l->data, PV_SSP_LICENSE, e);
	if (r == 0)
		r = pv_ssp_license_decode(l->data, PV_SSP_LICENSE, &lic, e);
	if (r != 0)
		return pv_wrap(e, "license '%s'", p->license_file);
	l->len = PV_SSP_LICENSE;
	p->verified = "not checked: no campaign at hand";
	pv_push_say_chip(p);
	p->license.known = true;
	p->license.saved = true;
	(void)snprintf(
	    p->license.name, sizeof(p->license.name), "%s", p->license_file);
	(void)snprintf(
	    p->license.path, sizeof(p->license.path), "%s", p->license_file);
	pv_out(p->app,
	    "license   from %s; the chip alone can tell whose it "
	    "is\n",
	    p->license.name);
	return 0;
}

int
pv_push_license(void *ctx, const struct pv_install_chip *chip, bool refused,
    struct pv_install_license *ret_license, struct pv_error *e)
{
	struct pv_install_license l = { 0 };
	struct pv_certificate cert;
	struct pv_push *p = ctx;
	int r;

	p->step = "license";
	pv_hex_encode(p->serial, chip->fingerprint, 3);
	r = pv_certificate_decode(chip->certificate, &cert, e);
	if (r != 0) {
		if (e != NULL)
			e->code = PV_E_VERIFY;
		(void)pv_wrap(e, "chip certificate");
		return PV_E_VERIFY;
	}
	if (p->has_session)
		r = from_campaign(p, chip, refused, &l, e);
	else if (p->kind == PV_PUSH_SSP)
		r = from_ssp_file(p, &l, e);
	else
		r = from_file(p, chip, refused, &l, e);
	if (r == 0) {
		*ret_license = l;
		p->step = "install";
	}
	return r;
}

/* --- before and after -------------------------------------------------------------- */

int
pv_push_license_plan(
    struct pv_push *p, struct pv_json *root, struct pv_error *e)
{
	struct pv_json *o = pv_json_set_object(root, "license");
	struct pv_store store = { 0 };
	struct pv_campaign c;
	uint64_t left;
	int r;

	if (p->license_file != NULL) {
		pv_out(p->app, "license   %s would be sent\n", p->license_file);
		pv_json_set_str(o, "file", p->license_file);
		return 0;
	}
	r = pv_open_ledger(p->app, false, &store, e);
	if (r == 0)
		r = pv_campaign_load(&store, p->campaign, &c, e);
	pv_store_release(&store);
	if (r != 0)
		return r;
	left = c.max_licenses > c.issued ? c.max_licenses - c.issued : 0;
	pv_json_set_str(o, "campaign", c.name);
	pv_json_set_u64(o, "left", left);
	pv_json_set_bool(o, "closed", c.closed);
	if (c.draft)
		pv_out(p->app,
		    "license   campaign %s is a draft: no chip would get one\n",
		    c.name);
	else if (c.closed || left == 0)
		pv_out(p->app,
		    "license   campaign %s %s: only a chip that has its "
		    "license already could be programmed\n",
		    c.name, c.closed ? "is closed" : "is used up");
	else
		pv_out(p->app,
		    "license   one of campaign %s would be spent (%" PRIu64
		    " of %" PRIu64
		    " left), none if the chip has its own already\n",
		    c.name, left, c.max_licenses);
	return 0;
}

void
pv_push_license_text(const struct pv_push *p, char dst[PV_PUSH_LEFT])
{
	const struct pv_push_license *l = &p->license;

	if (p->kind != PV_PUSH_INSTALL && p->kind != PV_PUSH_SSP)
		dst[0] = '\0';
	else if (l->maybe_burnt)
		(void)snprintf(dst, PV_PUSH_LEFT,
		    "a license number may have been spent ('provisor ledger "
		    "report' tells); ");
	else if (!l->known || !p->has_session)
		(void)snprintf(dst, PV_PUSH_LEFT, "no license was spent; ");
	else if (!l->saved)
		(void)snprintf(dst, PV_PUSH_LEFT,
		    "license no. %" PRIu64 " is in the ledger but could not "
		    "be saved (a repeat costs none); ",
		    l->number);
	else if (l->spent)
		(void)snprintf(dst, PV_PUSH_LEFT,
		    "license no. %" PRIu64 " was spent and is saved (a repeat "
		    "costs none); ",
		    l->number);
	else
		(void)snprintf(dst, PV_PUSH_LEFT,
		    "no further license was spent (no. %" PRIu64 " is this "
		    "chip's); ",
		    l->number);
}

void
pv_push_license_json(const struct pv_push *p, struct pv_json *root)
{
	struct pv_json *l;

	if (!p->license.known) {
		pv_json_set_null(root, "license");
		return;
	}
	l = pv_json_set_object(root, "license");
	pv_json_set_u64(l, "number", p->license.number);
	pv_json_set_bool(l, "spent", p->license.spent);
	pv_json_set_str(l, "saved", p->license.saved ? p->license.path : NULL);
	if (p->license.counted)
		pv_json_set_u64(l, "left", p->license.left);
}

int
pv_push_record(
    struct pv_push *p, int code, const struct pv_error *why, struct pv_error *e)
{
	struct pv_outcome o = { 0 };
	int r;

	/* A chip that did not say who it is has no place in the ledger. */
	if (!p->has_session || !p->install.have_chip)
		return 0;
	o.number = p->license.known ? p->license.number : 0;
	o.pass = code == 0;
	o.code = code;
	r = pv_campaign_chip(
	    &p->session.campaign, p->install.chip.certificate, o.chip, e);
	if (r != 0)
		return r;
	if (code != 0)
		(void)snprintf(
		    o.message, sizeof(o.message), "%.127s", why->msg);
	return pv_campaign_record(&p->session.campaign, &p->session.io, &o, e);
}
