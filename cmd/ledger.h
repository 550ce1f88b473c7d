/* SPDX-License-Identifier: Apache-2.0 */
/* What the ledger commands share. */
#ifndef PV_CMD_LEDGER_H
#define PV_CMD_LEDGER_H

#include "cmd/cmd.h"

/* The campaigns to look at: one by name, or with NULL all of them. */
struct pv_campaigns {
	struct pv_campaign *c;
	size_t n;
};
PV_MUST_USE int pv_campaigns_choose(struct pv_store *store, const char *name,
    struct pv_campaigns *ret_all, struct pv_error *e);
void pv_campaigns_release(struct pv_campaigns *all);

/* Read a checkpoint file and check its signature under its own key. */
PV_MUST_USE int pv_checkpoint_read(
    const char *path, struct pv_checkpoint *ret_cp, struct pv_error *e);
void pv_checkpoint_json(struct pv_json *o, const struct pv_checkpoint *cp);

int pv_run_ledger_anchor(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_ledger_report(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_ledger_merge(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_ledger_repair(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_run_ledger_init(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
