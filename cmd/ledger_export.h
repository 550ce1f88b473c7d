/* SPDX-License-Identifier: Apache-2.0 */
/* Ledger entries as text, one line each. */
#ifndef PV_LEDGER_EXPORT_H
#define PV_LEDGER_EXPORT_H

#include <stdint.h>

#include "formats/ledger.h"
#include <provisor/campaign.h>
#include <provisor/err.h>

struct pv_export; /* opaque */

/* format: "jsonl", "csv", or NULL for jsonl. path NULL: standard output. */
PV_MUST_USE int pv_export_open(const char *format, const char *path,
    struct pv_export **ret_x, struct pv_error *e);
PV_MUST_USE int pv_export_campaign(struct pv_export *x, struct pv_store *store,
    const struct pv_campaign *c, struct pv_error *e);
/* The file appears now. */
PV_MUST_USE int pv_export_finish(struct pv_export *x, struct pv_error *e);
uint64_t pv_export_count(const struct pv_export *x);
void pv_export_free(struct pv_export *x);

#endif
