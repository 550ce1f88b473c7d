/* SPDX-License-Identifier: Apache-2.0 */
/* The report as one page: no scripts, nothing loaded from anywhere. */
#ifndef PV_LEDGER_HTML_H
#define PV_LEDGER_HTML_H

#include "base/clock.h"
#include "ledger/tally.h"
#include <provisor/campaign.h>
#include <provisor/err.h>

struct pv_html; /* opaque */

PV_MUST_USE int pv_html_open(
    const char *path, struct pv_html **ret_h, struct pv_error *e);
/* A failure is kept and comes out of pv_html_finish. */
void pv_html_campaign(
    struct pv_html *h, const struct pv_campaign *c, const struct pv_tally *t);
/* The file appears now. */
PV_MUST_USE int pv_html_finish(struct pv_html *h, struct pv_error *e);
void pv_html_free(struct pv_html *h);

/* a - b, and 0 where a ledger that nobody verified would make it less. */
uint64_t pv_minus(uint64_t a, uint64_t b);

/* "97.5 %" of the results, or "-". */
#define PV_YIELD_TEXT 16
void pv_yield_text(char dst[PV_YIELD_TEXT], const struct pv_tally_counts *n);

/* "2026-01-31 12:00" of an hour since 1970 UTC. */
void pv_hour_text(char dst[PV_TIME_TEXT], int64_t hour);

#endif
