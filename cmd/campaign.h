/* SPDX-License-Identifier: Apache-2.0 */
/* What creating a campaign and revising a draft share. */
#ifndef PV_CMD_CAMPAIGN_H
#define PV_CMD_CAMPAIGN_H

#include "cmd/cmd.h"

/* A definition as typed; NULL where an option was not given. */
struct pv_campaign_args {
	char *token, *flow, *product, *firmware, *limit, *key, *nonce;
	char *profile, *after;
	char **trust;
	int draft, require_resident, nonce_each;
};

/* The options of a definition, of struct pv_campaign_args a. */
#define PV_OPT_DEFINITION(a)                                                 \
	{ "product-id", 0, POPT_ARG_STRING, &(a)->product, 0,                \
		"product id the chip certificates must carry", "ID" },       \
	    { "firmware-id", 0, POPT_ARG_STRING, &(a)->firmware, 0,          \
		    "name of the firmware, for the record", "ID" },          \
	    { "max-licenses", 0, POPT_ARG_STRING, &(a)->limit, 0,            \
		    "how many chips; cannot be raised once operational",     \
		    "N" },                                                   \
	    { "key", 0, POPT_ARG_STRING, &(a)->key, 0,                       \
		    "the package key, in the token", "KEY" },                \
	    { "nonce", 0, POPT_ARG_STRING, &(a)->nonce, 0,                   \
		    "the package's nonce: 12 bytes, flow ssp 16", "FILE" },  \
	{                                                                    \
		"trust", 0, POPT_ARG_ARGV, &(a)->trust, 0,                   \
		    "CA of the chip certificates, instead of those before; " \
		    "may be given again",                                    \
		    "CA.pem"                                                 \
	}

/*
 * Put what was given into *c. Fields that were not given stay as they are.
 */
PV_MUST_USE int pv_campaign_define(struct pv_campaign *c,
    const struct pv_campaign_args *a, struct pv_error *e);

/* One campaign as text and as JSON. */
void pv_campaign_text(const struct pv_app *app, const struct pv_campaign *c,
    struct pv_store *store);
void pv_campaign_json(struct pv_json *o, const struct pv_campaign *c);
/* "draft", "operational", "closed" */
const char *pv_campaign_state(const struct pv_campaign *c);

int pv_run_campaign_show(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_campaign_list(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_campaign_revise(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_campaign_open(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_campaign_deny(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
