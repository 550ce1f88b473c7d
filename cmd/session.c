/* SPDX-License-Identifier: Apache-2.0 */
/* A campaign with its ledger and its token, wired for the rules. */
#include "cmd/cmd.h"
#include "cmd/session.h"

#include "base/file.h"
#include "base/hex.h"
#include <provisor/ecies.h>

#include <string.h>

int
pv_open_anchor(struct pv_hsm *hsm, const uint8_t id[16],
    struct pv_anchor *ret_anchor, struct pv_error *e)
{
	char hex[33], label[64];

	pv_hex_encode(hex, id, 16);
	(void)snprintf(label, sizeof(label), PV_ANCHOR_LABEL "%s", hex);
	return pv_hsm_anchor(hsm, label, ret_anchor, e);
}

bool
pv_profile_resident(const char *profile)
{
	return strcmp(profile, "resident") == 0;
}

const char *
pv_license_label(const char *profile)
{
	if (strncmp(profile, "ssp", 3) != 0)
		return PV_LICENSE_LABEL;
	return "layout as ST's SSP; its key derivation is not public: not "
	       "verified on silicon";
}

/* The fields that matter to a token: the campaign's, or the defaults. */
static const char *
ecies_fault(struct pv_hsm *hsm, const char *profile)
{
	struct pv_ecies_profile p;

	if (profile == NULL || !pv_ecies_is(profile))
		profile = "ecies";
	if (pv_ecies_parse(profile, &p, NULL) != 0)
		return "the campaign's profile is not understood";
	return pv_hsm_ecies_fault(hsm, &p);
}

bool
pv_profile_in_token(struct pv_hsm *hsm, const char *profile)
{
	return (pv_profile_resident(profile)
		       ? pv_hsm_resident_fault(hsm)
		       : ecies_fault(hsm, profile)) == NULL;
}

void
pv_show_profiles(
    const struct pv_app *app, struct pv_hsm *hsm, const char *profile)
{
	const char *resident = pv_hsm_resident_fault(hsm);
	const char *ecies = ecies_fault(hsm, profile);

	pv_out(app, "in token %s: resident licenses %s%s\n",
	    pv_hsm_token_label(hsm),
	    resident == NULL ? "keep the key inside" : "are not possible: ",
	    resident == NULL ? "" : resident);
	if (ecies == NULL)
		pv_out(app,
		    "ssp and ecies licenses keep the key inside as well\n");
	else
		pv_out(app,
		    "ssp and ecies licenses are made on the host, key in "
		    "memory: %s\n",
		    ecies);
}

void
pv_json_profiles(struct pv_json *o, struct pv_hsm *hsm, const char *profile)
{
	static const char *const names[] = { "resident", "ecies", "ssp" };
	struct pv_json *list = pv_json_set_array(o, "profiles");
	const char *ecies = ecies_fault(hsm, profile);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct pv_json *p = pv_json_add_object(list);
		const char *why = i == 0 ? pv_hsm_resident_fault(hsm) : ecies;

		pv_json_set_str(p, "profile", names[i]);
		pv_json_set_bool(p, "in_token", why == NULL);
		if (why != NULL)
			pv_json_set_str(p, "why_not", why);
		else
			pv_json_set_null(p, "why_not");
	}
}

/* Bytes of the package key, out of a file or the token. */
static int
open_source(struct pv_campaign_session *s, struct pv_key_source *ret,
    struct pv_error *e)
{
	const char *key = s->campaign.oem_key_uri;

	return pv_hsm_is_uri(key) ? pv_hsm_key_source(s->hsm, key, ret, e)
				  : pv_key_source_file(key, ret, e);
}

static int
host_key(struct pv_app *app, const struct pv_campaign *c, const char *why,
    bool refuse, struct pv_error *e)
{
	if (refuse) {
		(void)pv_fail(e, PV_E_POLICY,
		    "license profile '%s' needs the package key in this "
		    "machine's memory: %s",
		    c->license_profile, why);
		return pv_hint(e,
		    "--require-resident refuses that; nothing was spent. "
		    "Profile 'resident' keeps the key in the token");
	}
	pv_say(app,
	    "the package key comes into this machine's memory, locked and "
	    "wiped, while a license is made: %s\n",
	    why);
	return 0;
}

/* Profiles ssp and ecies: in the token where that works, else here. */
static int
open_ecies(
    struct pv_app *app, struct pv_campaign_session *s, struct pv_error *e)
{
	const struct pv_campaign *c = &s->campaign;
	struct pv_key_source key = { 0 };
	struct pv_error fault = { 0 };
	struct pv_ecies_profile p;
	int r = pv_ecies_parse(c->license_profile, &p, e);

	if (r != 0)
		return r;
	r = pv_fail(&fault, PV_E_UNSUPPORTED, "it is in a file");
	if (pv_hsm_is_uri(c->oem_key_uri)) {
		r = pv_hsm_ecies(s->hsm, c->oem_key_uri, &p, &s->ecies, &fault);
		if (r != 0 && r != PV_E_UNSUPPORTED) {
			*e = fault;
			return r;
		}
	}
	if (r == PV_E_UNSUPPORTED) {
		r = host_key(app, c, fault.msg, s->require_resident, e);
		if (r == 0)
			r = open_source(s, &key, e);
		if (r == 0)
			r = pv_ecies_on_host(&key, &s->ecies, e);
		pv_key_source_release(&key);
	}
	if (r == 0)
		s->io.ecies = &s->ecies;
	return r;
}

int
pv_open_package_key(
    struct pv_app *app, struct pv_campaign_session *s, struct pv_error *e)
{
	const struct pv_campaign *c = &s->campaign;
	int r;

	if (!pv_profile_resident(c->license_profile))
		return open_ecies(app, s, e);
	r = pv_hsm_wrapper(s->hsm, c->oem_key_uri, &s->wrapper, e);
	if (r == 0)
		s->io.wrapper = &s->wrapper;
	return r;
}

int
pv_open_campaign_token(struct pv_app *app, const struct pv_campaign *c,
    struct pv_hsm **ret_hsm, struct pv_error *e)
{
	const char *const stored[] = { c->token_uri, c->signer_uri,
		c->oem_key_uri };
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(stored) / sizeof(stored[0]);
	     i++)
		if (pv_hsm_is_uri(stored[i]))
			r = pv_hsm_check_stored_uri(stored[i], e);
	if (r != 0)
		return pv_wrap(e, "campaign '%s'", c->name);
	return pv_open_token(app, c->token_uri, ret_hsm, e);
}

int
pv_campaign_session_open(struct pv_app *app, const char *name,
    struct pv_campaign_session *ret_s, struct pv_error *e)
{
	return pv_campaign_session_open_for(app, name, false, ret_s, e);
}

int
pv_campaign_session_open_for(struct pv_app *app, const char *name,
    bool require_resident, struct pv_campaign_session *ret_s,
    struct pv_error *e)
{
	struct pv_campaign_session *s = ret_s;
	int r;

	/* In place: io points into the session. */
	memset(s, 0, sizeof(*s));
	s->require_resident = require_resident;
	r = pv_open_ledger(app, false, &s->store, e);
	if (r == 0)
		r = pv_campaign_load(&s->store, name, &s->campaign, e);
	if (r == 0)
		r = pv_campaign_session_wire(app, s, e);
	if (r != 0)
		pv_campaign_session_close(s);
	return r;
}

int
pv_campaign_session_wire(
    struct pv_app *app, struct pv_campaign_session *s, struct pv_error *e)
{
	const struct pv_campaign *c = &s->campaign;
	int r;

	s->campaign.accept_unverified = app->accept_unverified != 0;
	r = pv_open_campaign_token(app, c, &s->hsm, e);
	if (r == 0)
		r = pv_hsm_signer(s->hsm, c->signer_uri, &s->signer, e);
	if (r == 0)
		r = pv_open_package_key(app, s, e);
	if (r == 0)
		r = pv_open_anchor(s->hsm, c->id, &s->anchor, e);
	if (r != 0)
		return r;
	s->io.store = &s->store;
	s->io.signer = &s->signer;
	s->io.anchor = &s->anchor;
	r = pv_memo_new(&s->io.memo, e);
	if (r != 0)
		return r;
	pv_io_who(app, &s->io);
	/* Before anything is done with it, a chip reprogrammed included. */
	return pv_campaign_agree(c, &s->io, e);
}

void
pv_io_who(const struct pv_app *app, struct pv_campaign_io *io)
{
	io->station = app->station;
	io->operator_id = app->operator_id;
}

void
pv_campaign_session_close(struct pv_campaign_session *s)
{
	pv_memo_free(s->io.memo);
	pv_anchor_release(&s->anchor);
	pv_wrapper_release(&s->wrapper);
	pv_ecies_release(&s->ecies);
	pv_signer_release(&s->signer);
	pv_hsm_close(s->hsm);
	pv_store_release(&s->store);
	memset(s, 0, sizeof(*s));
}

int
pv_ledger_path(struct pv_app *app, char *dst, size_t cap, struct pv_error *e)
{
	if (app->ledger != NULL) {
		(void)snprintf(dst, cap, "%s", app->ledger);
		return 0;
	}
	return pv_path_fit(dst, cap, app->home, "ledger.db", e);
}

void
pv_short_hex(char dst[12], const void *data)
{
	char hex[9];

	pv_hex_encode(hex, data, 4);
	(void)snprintf(dst, 12, "%s...", hex);
}
