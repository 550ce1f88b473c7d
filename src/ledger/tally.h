/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts over the entries of one campaign, for reports: by station, by hour,
 * by cause of failure. Entries are decoded and not verified.
 */
#ifndef PV_TALLY_H
#define PV_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/campaign.h>
#include <provisor/err.h>

/* Past these, stations and causes are counted together as the last one. */
#define PV_TALLY_STATIONS 256U
#define PV_TALLY_CAUSES	  64U
#define PV_TALLY_HOURS	  262144U /* 30 years without a pause */

struct pv_tally_counts {
	uint64_t issued, passed, failed;
};

struct pv_tally_station {
	char name[64]; /* empty: none was given */
	struct pv_tally_counts n;
};

struct pv_tally_hour {
	int64_t hour; /* since 1970 UTC, as the machines believed */
	struct pv_tally_counts n;
};

struct pv_tally_cause {
	int code; /* enum pv_code */
	uint64_t n;
};

struct pv_tally {
	struct pv_tally_counts n;
	uint64_t denied;
	uint64_t making_failed; /* numbers whose license could not be made */
	struct pv_tally_station *stations; /* in order of appearance */
	size_t n_stations, cap_stations;
	struct pv_tally_hour *hours; /* by hour */
	size_t n_hours, cap_hours;
	struct pv_tally_cause causes[PV_TALLY_CAUSES];
	size_t n_causes;
};

/* Count a campaign into an empty tally; release it either way. */
PV_MUST_USE int pv_tally_campaign(struct pv_tally *t, struct pv_store *store,
    const struct pv_campaign *c, struct pv_error *e);
void pv_tally_release(struct pv_tally *t);

#endif
