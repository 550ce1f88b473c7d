/* SPDX-License-Identifier: Apache-2.0 */
/* provisor campaign: budgets of licenses. */
#include "cmd/campaign.h"
#include "cmd/session.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "crypto/rand.h"
#include <provisor/ecies.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LICENSES UINT32_MAX

/* --- create ----------------------------------------------------------------- */

static int
set_text(char *dst, size_t cap, const char *text, const char *what,
    struct pv_error *e)
{
	if (strlen(text) >= cap)
		return pv_fail(
		    e, PV_E_USAGE, "%s: at most %zu characters", what, cap - 1);
	(void)snprintf(dst, cap, "%s", text);
	return 0;
}

static int
need_all(const struct pv_campaign_args *a, struct pv_error *e)
{
	const struct {
		const void *value;
		const char *option;
	} all[] = {
		{ a->token, "--token" },
		{ a->flow, "--flow" },
		{ a->product, "--product-id" },
		{ a->firmware, "--firmware-id" },
		{ a->limit, "--max-licenses" },
		{ a->key, "--key" },
		{ a->nonce_each ? "" : a->nonce, "--nonce" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		int r = pv_need(e, all[i].value, all[i].option);

		if (r != 0)
			return r;
	}
	return 0;
}

static int
set_flow(
    struct pv_campaign *c, const struct pv_campaign_args *a, struct pv_error *e)
{
	const char *profile = a->profile;
	struct pv_ecies_profile p;
	int r;

	if (strcmp(a->flow, "ssp") == 0)
		c->flow = PV_FLOW_SSP;
	else if (strcmp(a->flow, "sfi") == 0)
		c->flow = PV_FLOW_SFI;
	else
		return pv_fail(
		    e, PV_E_USAGE, "--flow '%s': sfi or ssp", a->flow);
	if (profile == NULL)
		profile = c->flow == PV_FLOW_SSP ? "ssp" : "resident";
	if (pv_profile_resident(profile))
		return set_text(c->license_profile, sizeof(c->license_profile),
		    profile, "--license-profile", e);
	r = pv_ecies_parse(profile, &p, e);
	if (r == 0)
		pv_ecies_text(&p, c->license_profile);
	return r == 0 ? 0 : pv_wrap(e, "--license-profile");
}

static int
set_trust(
    struct pv_campaign *c, const struct pv_campaign_args *a, struct pv_error *e)
{
	int r;

	if (a->trust == NULL)
		return 0;
	c->n_trust = 0;
	memset(c->trust, 0, sizeof(c->trust));
	for (size_t i = 0; a->trust[i] != NULL; i++) {
		if (c->n_trust == PV_CAMPAIGN_TRUST)
			return pv_fail(e, PV_E_USAGE,
			    "--trust: at most %u times", PV_CAMPAIGN_TRUST);
		r = pv_ec_read_public_pem(a->trust[i], c->trust[c->n_trust], e);
		if (r != 0)
			return pv_wrap(e, "--trust");
		c->n_trust++;
	}
	return 0;
}

/* Without --trust the simulator's CA of this home. */
static int
default_trust(struct pv_app *app, struct pv_campaign *c, struct pv_error *e)
{
	char path[4096];
	int r;

	r = pv_path_fit(path, sizeof(path), app->home, "sim-ca/ca.pem", e);
	if (r != 0)
		return r;
	if (access(path, F_OK) != 0) {
		(void)pv_fail(e, PV_E_USAGE,
		    "--trust is missing: without a CA no chip certificate "
		    "can be verified");
		return pv_hint(e,
		    "give the PEM file of the CA that signs your chips; the "
		    "simulator's is made by 'provisor sim create'");
	}
	r = pv_ec_read_public_pem(path, c->trust[0], e);
	if (r != 0)
		return r;
	c->n_trust = 1;
	pv_say(app,
	    "no --trust given: trusting the simulator's CA of this home "
	    "(%s); real chips will be refused\n",
	    path);
	return 0;
}

/* Chips whose CA nobody knows: said once here and again for each license. */
static int
no_trust(struct pv_app *app, struct pv_campaign *c, struct pv_error *e)
{
	if (c->n_trust != 0)
		return pv_fail(e, PV_E_USAGE,
		    "--trust and --accept-unverified-certificate: a campaign "
		    "that knows a CA verifies every certificate");
	if (c->flow != PV_FLOW_SSP)
		return pv_fail(e, PV_E_USAGE,
		    "--accept-unverified-certificate is for flow ssp");
	c->accept_unverified = true;
	pv_say(app,
	    "chip certificates of this campaign are NOT verified: whoever "
	    "shows one gets a license. The ledger says so\n");
	return 0;
}

/* A key file, for profiles that allow it: found again from any folder. */
static int
set_key_file(struct pv_campaign *c, const char *key, struct pv_error *e)
{
	char *path;
	int r;

	if (pv_profile_resident(c->license_profile)) {
		(void)pv_fail(e, PV_E_USAGE,
		    "--key '%s' is a file: with license profile 'resident' "
		    "the key must be in the campaign's token",
		    key);
		return pv_hint(e, "'provisor key import' puts a key file into "
				  "a token");
	}
	path = realpath(key, NULL);
	if (path == NULL)
		return pv_fail_errno(
		    e, PV_E_NOT_FOUND, errno, "--key '%s'", key);
	r = set_text(c->oem_key_uri, sizeof(c->oem_key_uri), path, "--key", e);
	free(path);
	return r;
}

static int
set_key(struct pv_campaign *c, const char *key, struct pv_error *e)
{
	if (!pv_hsm_is_uri(key))
		return set_key_file(c, key, e);
	if (pv_hsm_check_stored_uri(key, e) != 0)
		return PV_E_POLICY;
	return set_text(
	    c->oem_key_uri, sizeof(c->oem_key_uri), key, "--key", e);
}

static int
set_product(struct pv_campaign *c, const char *product, struct pv_error *e)
{
	if (strlen(product) != 8)
		return pv_fail(e, PV_E_USAGE,
		    "--product-id '%s': 8 characters, such as 48400001",
		    product);
	return set_text(
	    c->product_id, sizeof(c->product_id), product, "--product-id", e);
}

int
pv_campaign_define(
    struct pv_campaign *c, const struct pv_campaign_args *a, struct pv_error *e)
{
	int r = 0;

	if (a->product != NULL)
		r = set_product(c, a->product, e);
	if (r == 0 && a->firmware != NULL)
		r = set_text(c->firmware_id, sizeof(c->firmware_id),
		    a->firmware, "--firmware-id", e);
	if (r == 0 && a->limit != NULL)
		r = pv_parse_u64(a->limit, MAX_LICENSES, "--max-licenses",
		    &c->max_licenses, e);
	if (r == 0 && a->key != NULL)
		r = set_key(c, a->key, e);
	if (r == 0 && a->token != NULL)
		r = set_text(
		    c->token_uri, sizeof(c->token_uri), a->token, "--token", e);
	if (r == 0)
		r = pv_hsm_check_stored_uri(c->token_uri, e);
	if (r == 0 && a->nonce != NULL) {
		r = pv_file_read_exact(
		    a->nonce, c->nonce, pv_campaign_nonce_len(c->flow), e);
		if (r == 0 && pv_campaign_nonce_each(c))
			r = pv_fail(e, PV_E_MALFORMED,
			    "'%s' holds zeros, which is no nonce", a->nonce);
		if (r != 0)
			(void)pv_wrap(e, "--nonce");
	}
	return r == 0 ? set_trust(c, a, e) : r;
}

static int
define(struct pv_app *app, const char *name, const struct pv_campaign_args *a,
    struct pv_campaign *c, struct pv_error *e)
{
	int r;

	r = set_text(c->name, sizeof(c->name), name, "campaign name", e);
	if (r == 0)
		r = set_flow(c, a, e);
	if (r == 0 && a->nonce_each && c->flow != PV_FLOW_SSP)
		r = pv_fail(
		    e, PV_E_USAGE, "--nonce-per-package is for flow ssp");
	if (r == 0 && a->nonce_each && a->nonce != NULL)
		r = pv_fail(e, PV_E_USAGE,
		    "--nonce and --nonce-per-package exclude each other");
	if (r == 0)
		r = pv_campaign_define(c, a, e);
	if (r == 0 && app->accept_unverified)
		r = no_trust(app, c, e);
	else if (r == 0 && c->n_trust == 0)
		r = default_trust(app, c, e);
	if (r == 0)
		r = pv_random(c->id, sizeof(c->id), e);
	c->draft = a->draft != 0;
	return r;
}

/* The campaign this one continues. */
static int
set_after(struct pv_store *store, struct pv_campaign *c, const char *after,
    struct pv_error *e)
{
	struct pv_campaign old;
	int r;

	if (after == NULL)
		return 0;
	r = pv_campaign_load(store, after, &old, e);
	if (r != 0)
		return pv_wrap(e, "--after");
	memcpy(c->after, old.id, sizeof(c->after));
	return 0;
}

/* Before a key is made: is the name free in this ledger? */
static int
check_free(struct pv_store *store, const char *name, struct pv_error *e)
{
	struct pv_campaign other;
	int r = pv_campaign_load(store, name, &other, e);

	if (r == 0)
		return pv_fail(e, PV_E_EXISTS,
		    "the ledger already has a campaign '%s'", name);
	if (r != PV_E_NOT_FOUND)
		return r;
	pv_error_clear(e);
	return 0;
}

static int
make_key(struct pv_campaign_session *s, struct pv_error *e)
{
	struct pv_campaign *c = &s->campaign;
	char label[PV_CAMPAIGN_NAME + 16];
	char *uri = NULL;
	int r;

	(void)snprintf(label, sizeof(label), "campaign-%s", c->name);
	r = pv_hsm_generate(s->hsm, PV_KEY_EC_P256, label, &uri, e);
	if (r == PV_E_EXISTS) {
		(void)pv_fail(e, PV_E_EXISTS,
		    "the token already has a key '%s', but the ledger has no "
		    "campaign '%s'",
		    label, c->name);
		return pv_hint(e,
		    "it is from another ledger, or from a create that was cut "
		    "short; take another name, or 'provisor key destroy' it");
	}
	if (r == 0)
		r = set_text(c->signer_uri, sizeof(c->signer_uri), uri,
		    "URI of the campaign key", e);
	free(uri);
	return r;
}

/* Everything that touches the token and the ledger. */
static int
create(struct pv_app *app, struct pv_campaign_session *s, struct pv_error *e)
{
	struct pv_campaign *c = &s->campaign;
	struct pv_error ignored = { 0 };
	struct pv_campaign made;
	int r;

	r = make_key(s, e);
	if (r != 0)
		return r;
	r = pv_hsm_signer(s->hsm, c->signer_uri, &s->signer, e);
	if (r == 0)
		r = s->signer.public_key(s->signer.ctx, c->public_key, e);
	if (r == 0)
		r = pv_open_package_key(app, s, e);
	if (r == 0)
		r = pv_open_anchor(s->hsm, c->id, &s->anchor, e);
	if (r == 0) {
		s->io.store = &s->store;
		s->io.signer = &s->signer;
		s->io.anchor = &s->anchor;
		pv_io_who(app, &s->io);
		r = pv_campaign_create(c, &s->io, e);
	}
	/* Take the key out again, unless the campaign may exist. */
	if (r != 0 && pv_campaign_load(&s->store, c->name, &made, &ignored) ==
			  PV_E_NOT_FOUND)
		(void)!pv_hsm_destroy(s->hsm, c->signer_uri, &ignored);
	return r;
}

static int
run_create(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_campaign_args a = { 0 };
	struct poptOption table[] = {
		{ "token", 0, POPT_ARG_STRING, &a.token, 0,
		    "token that holds the keys", "URI" },
		{ "flow", 0, POPT_ARG_STRING, &a.flow, 0,
		    "what is installed: firmware, or secrets of STM32MP1",
		    "sfi|ssp" },
		PV_OPT_DEFINITION(&a),
		{ "license-profile", 0, POPT_ARG_STRING, &a.profile, 0,
		    "resident (default), ecies or ssp[:FIELD=VALUE,...]", "P" },
		{ "require-resident", 0, POPT_ARG_NONE, &a.require_resident, 0,
		    "refuse profiles that need the key outside the token",
		    NULL },
		{ "nonce-per-package", 0, POPT_ARG_NONE, &a.nonce_each, 0,
		    "each package has a nonce of its own (flow ssp)", NULL },
		PV_OPT_UNVERIFIED(app),
		{ "after", 0, POPT_ARG_STRING, &a.after, 0,
		    "the campaign this further budget continues", "OLD" },
		{ "draft", 0, POPT_ARG_NONE, &a.draft, 0,
		    "no licenses yet; may be revised until 'campaign open'",
		    NULL },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_campaign_session s = { 0 };
	const char **args;
	struct pv_json *o;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	s.require_resident = a.require_resident != 0;
	r = need_all(&a, e);
	if (r == 0)
		r = define(app, args[0], &a, &s.campaign, e);
	if (r == 0)
		r = pv_open_token(app, s.campaign.token_uri, &s.hsm, e);
	if (r == 0)
		r = pv_open_ledger(app, true, &s.store, e);
	if (r == 0)
		r = check_free(&s.store, s.campaign.name, e);
	if (r == 0)
		r = set_after(&s.store, &s.campaign, a.after, e);
	if (r == 0)
		r = create(app, &s, e);
	if (r != 0)
		goto out;
	pv_out(app, "campaign %s: %" PRIu64 " licenses, profile %s%s, %s\n",
	    s.campaign.name, s.campaign.max_licenses,
	    s.campaign.license_profile,
	    s.io.wrapper != NULL || s.ecies.resident
		? " (key stays in the token)"
		: "",
	    pv_campaign_state(&s.campaign));
	if (s.campaign.draft)
		pv_say(app,
		    "it issues nothing until 'provisor campaign open %s', "
		    "which locks it\n%s\n",
		    s.campaign.name,
		    pv_license_label(s.campaign.license_profile));
	else
		pv_say(app,
		    "this cannot be raised later; a further budget is a new "
		    "campaign\n%s\n",
		    pv_license_label(s.campaign.license_profile));
	o = pv_json_new_object();
	pv_campaign_json(o, &s.campaign);
	r = pv_out_json(app, o, e);
out:
	pv_campaign_session_close(&s);
	return r;
}

/* --- close ---------------------------------------------------------------- */

static int
run_close(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { PV_OPT_PIN(app), POPT_TABLEEND };
	struct pv_campaign_session s;
	const char **args;
	struct pv_json *o;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	r = pv_campaign_session_open(app, args[0], &s, e);
	if (r != 0)
		return r;
	r = pv_campaign_close(&s.campaign, &s.io, e);
	if (r == 0)
		r = pv_campaign_load(&s.store, s.campaign.name, &s.campaign, e);
	if (r == 0) {
		pv_out(app,
		    "campaign %s: closed with %" PRIu64 " of %" PRIu64
		    " licenses spent; this is final\n",
		    s.campaign.name, s.campaign.issued,
		    s.campaign.max_licenses);
		o = pv_json_new_object();
		pv_campaign_json(o, &s.campaign);
		r = pv_out_json(app, o, e);
	}
	pv_campaign_session_close(&s);
	return r;
}

const struct pv_verb pv_verbs_campaign[] = {
	{ "campaign", "create",
	    "NAME --token URI --flow sfi|ssp --product-id ID --firmware-id ID "
	    "--max-licenses N --key KEY {--nonce FILE | --nonce-per-package} "
	    "[--license-profile P] "
	    "[--require-resident] [--trust CA.pem]... "
	    "[--accept-unverified-certificate] [--after OLD] [--draft]",
	    "open a budget of licenses for one package key",
	    "provisor campaign create spring --token pkcs11:token=oem "
	    "--flow sfi \\\n    --product-id 48400001 --firmware-id app-7 "
	    "--max-licenses 1000 \\\n    --key 'pkcs11:token=oem;"
	    "object=fw-2026' --nonce app.sfi.nonce --trust chip-ca.pem",
	    run_create },
	{ "campaign", "revise",
	    "NAME [--product-id ID] [--firmware-id ID] [--max-licenses N] "
	    "[--key KEY] [--nonce FILE] [--trust CA.pem]...",
	    "change a draft",
	    "provisor campaign revise spring --max-licenses 1200",
	    pv_run_campaign_revise },
	{ "campaign", "open", "NAME",
	    "make a draft operational: nothing of it can change any more",
	    "provisor campaign open spring", pv_run_campaign_open },
	{ "campaign", "show", "NAME [--export-key F.pem] [--with-token]",
	    "show one campaign and where it stands",
	    "provisor campaign show spring --export-key spring.pem",
	    pv_run_campaign_show },
	{ "campaign", "list", "", "list the campaigns of the ledger",
	    "provisor campaign list", pv_run_campaign_list },
	{ "campaign", "deny", "NAME --certificate CERT [--reason TEXT]",
	    "put a revoked chip on the deny list: no license, ever",
	    "provisor campaign deny spring --certificate lost.cert --reason "
	    "'stolen reel'",
	    pv_run_campaign_deny },
	{ "campaign", "close", "NAME",
	    "end a campaign for good: no further licenses",
	    "provisor campaign close spring", run_close },
	{ 0 },
};
