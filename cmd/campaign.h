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
	int draft, require_resident;
};

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
