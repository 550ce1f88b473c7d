/* SPDX-License-Identifier: Apache-2.0 */
/* provisor campaign show, list: where a budget stands. */
#include "cmd/campaign.h"
#include "cmd/session.h"

#include "base/hex.h"
#include "crypto/ec.h"
#include <provisor/ecies.h>

#include <inttypes.h>
#include <string.h>

/* --- showing ---------------------------------------------------------------- */

const char *
pv_campaign_state(const struct pv_campaign *c)
{
	if (c->draft)
		return "draft";
	return c->closed ? "closed" : "operational";
}

static bool
follows(const struct pv_campaign *c)
{
	static const uint8_t none[sizeof(c->after)];

	return memcmp(c->after, none, sizeof(none)) != 0;
}

static const char *
flow_name(const struct pv_campaign *c)
{
	return c->flow == PV_FLOW_SSP ? "ssp" : "sfi";
}

void
pv_campaign_json(struct pv_json *o, const struct pv_campaign *c)
{
	struct pv_json *trust;
	char hex[129];

	pv_json_set_str(o, "name", c->name);
	pv_json_set_hex(o, "id", c->id, sizeof(c->id));
	pv_json_set_str(o, "state", pv_campaign_state(c));
	pv_json_set_str(o, "flow", flow_name(c));
	pv_json_set_str(o, "product_id", c->product_id);
	pv_json_set_str(o, "firmware_id", c->firmware_id);
	pv_json_set_str(o, "license_profile", c->license_profile);
	pv_json_set_u64(o, "max_licenses", c->max_licenses);
	pv_json_set_u64(o, "spent", c->issued);
	pv_json_set_u64(o, "left", c->max_licenses - c->issued);
	pv_json_set_str(o, "token", c->token_uri);
	pv_json_set_str(o, "key", c->oem_key_uri);
	pv_json_set_str(o, "campaign_key", c->signer_uri);
	pv_json_set_hex(o, "public_key", c->public_key, sizeof(c->public_key));
	pv_json_set_bool(o, "nonce_per_package", pv_campaign_nonce_each(c));
	if (pv_campaign_nonce_each(c))
		pv_json_set_null(o, "nonce");
	else
		pv_json_set_hex(
		    o, "nonce", c->nonce, pv_campaign_nonce_len(c->flow));
	pv_json_set_bool(o, "certificates_verified", c->n_trust != 0);
	trust = pv_json_set_array(o, "trust");
	for (size_t i = 0; i < c->n_trust; i++) {
		pv_hex_encode(hex, c->trust[i], sizeof(c->trust[i]));
		pv_json_add_str(trust, hex);
	}
	if (follows(c))
		pv_json_set_hex(o, "after", c->after, sizeof(c->after));
	else
		pv_json_set_null(o, "after");
	/* Nobody knows for ST's own layout. */
	if (c->flow == PV_FLOW_SSP)
		pv_json_set_null(o, "accepted_by_st_silicon");
	else
		pv_json_set_bool(o, "accepted_by_st_silicon", false);
	pv_json_set_bool(
	    o, "key_resident", pv_profile_resident(c->license_profile));
}

static void
show_profile(const struct pv_app *app, const struct pv_campaign *c)
{
	char full[2 * PV_ECIES_TEXT];
	struct pv_ecies_profile p;

	if (pv_ecies_parse(c->license_profile, &p, NULL) != 0) {
		pv_out(app,
		    "profile       %s (the package key stays in the token)\n",
		    c->license_profile);
		return;
	}
	pv_ecies_full_text(&p, full, sizeof(full));
	pv_out(app,
	    "profile       %s (not verified on silicon; the package key comes "
	    "into the issuer's memory where its token cannot keep it: "
	    "--with-token tells)\n",
	    full);
}

void
pv_campaign_text(const struct pv_app *app, const struct pv_campaign *c,
    struct pv_store *store)
{
	char hex[129], short_hex[12];
	struct pv_campaign old;

	pv_out(app, "campaign %s, %s\n", c->name, pv_campaign_state(c));
	pv_out(app,
	    "licenses      %" PRIu64 " of %" PRIu64 " spent, %" PRIu64
	    " left\n",
	    c->issued, c->max_licenses, c->max_licenses - c->issued);
	pv_out(app, "product       %s, flow %s\n", c->product_id, flow_name(c));
	pv_out(app, "firmware      %s\n", c->firmware_id);
	show_profile(app, c);
	pv_hex_encode(hex, c->nonce, pv_campaign_nonce_len(c->flow));
	pv_out(app, "nonce         %s\n",
	    pv_campaign_nonce_each(c) ? "each package has its own" : hex);
	pv_out(app, "token         %s\n", c->token_uri);
	pv_out(app, "package key   %s\n", c->oem_key_uri);
	pv_short_hex(short_hex, c->public_key);
	pv_out(app, "campaign key  %s (%s)\n", c->signer_uri, short_hex);
	if (c->n_trust == 0)
		pv_out(app, "trusted CA    none: chip certificates are NOT "
			    "verified\n");
	for (size_t i = 0; i < c->n_trust; i++) {
		pv_short_hex(short_hex, c->trust[i]);
		pv_out(app, "trusted CA    %s\n", short_hex);
	}
	if (follows(c)) {
		pv_short_hex(short_hex, c->after);
		pv_out(app, "after         %s\n",
		    pv_campaign_load_id(store, c->after, &old, NULL) == 0
			? old.name
			: short_hex);
	}
	pv_hex_encode(hex, c->id, sizeof(c->id));
	pv_out(app, "id            %s\n", hex);
}

/* --- show, list ------------------------------------------------------- */

int
pv_run_campaign_show(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *export_key = NULL;
	int with_token = 0;
	struct poptOption table[] = {
		{ "export-key", 0, POPT_ARG_STRING, &export_key, 0,
		    "write the public campaign key, which verifies licenses",
		    "F.pem" },
		{ "with-token", 0, POPT_ARG_NONE, &with_token, 0,
		    "open its token and tell which profiles it can serve",
		    NULL },
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_store store = { 0 };
	struct pv_hsm *hsm = NULL;
	struct pv_campaign c;
	const char **args;
	struct pv_json *o;
	int r;

	r = pv_options(app, table, argc, argv, 1, 1, &args, e);
	if (r != 0)
		return r;
	r = pv_open_ledger(app, false, &store, e);
	if (r == 0)
		r = pv_campaign_load(&store, args[0], &c, e);
	if (r == 0 && export_key != NULL)
		r = pv_ec_write_public_pem(export_key, c.public_key, e);
	if (r == 0 && with_token)
		r = pv_open_campaign_token(app, &c, &hsm, e);
	if (r == 0) {
		pv_campaign_text(app, &c, &store);
		if (hsm != NULL)
			pv_show_profiles(app, hsm, c.license_profile);
		if (export_key != NULL)
			pv_say(app, "public campaign key written to %s\n",
			    export_key);
		o = pv_json_new_object();
		pv_campaign_json(o, &c);
		if (hsm != NULL)
			pv_json_profiles(o, hsm, c.license_profile);
		r = pv_out_json(app, o, e);
	}
	pv_hsm_close(hsm);
	pv_store_release(&store);
	return r;
}

struct list {
	struct pv_app *app;
	struct pv_json *array;
	size_t n;
};

static int
list_one(void *ctx, const struct pv_campaign *c)
{
	struct list *l = ctx;

	if (l->n++ == 0)
		pv_out(l->app, "%-24s %-12s %10s %10s %-8s %s\n", "CAMPAIGN",
		    "STATE", "SPENT", "LIMIT", "PRODUCT", "FIRMWARE");
	pv_out(l->app, "%-24s %-12s %10" PRIu64 " %10" PRIu64 " %-8s %s\n",
	    c->name, pv_campaign_state(c), c->issued, c->max_licenses,
	    c->product_id, c->firmware_id);
	pv_campaign_json(pv_json_add_object(l->array), c);
	return 0;
}

int
pv_run_campaign_list(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	struct pv_store store = { 0 };
	struct pv_json *o = NULL;
	struct list l = { .app = app };
	const char **args;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	o = pv_json_new_object();
	l.array = pv_json_set_array(o, "campaigns");
	r = pv_open_ledger(app, false, &store, e);
	if (r == PV_E_NOT_FOUND)
		r = 0; /* no ledger yet: an empty list */
	else if (r == 0)
		r = pv_campaign_list(&store, list_one, &l, e);
	if (r == 0 && l.n == 0)
		pv_say(app, "no campaigns\n");
	if (r == 0)
		r = pv_out_json(app, o, e);
	else
		pv_json_free(o);
	pv_store_release(&store);
	return r;
}
