/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledgers of several sites laid over each other: what they have between
 * them, and what should not be. Records are collected in memory, joined once,
 * and can then be read as a store.
 */
#ifndef PV_MERGE_H
#define PV_MERGE_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/campaign.h>
#include <provisor/err.h>
#include <provisor/store.h>

struct pv_merge; /* opaque */

enum pv_finding_kind {
	PV_FINDING_BROKEN,	   /* an entry that does not verify */
	PV_FINDING_GAP,		   /* entries that no site has */
	PV_FINDING_FORK,	   /* two histories of one campaign */
	PV_FINDING_RULES,	   /* whole, and against the rules */
	PV_FINDING_DUPLICATE_CHIP, /* one chip, several licenses */
	PV_FINDING_OVER,	   /* more licenses than allowed */
	PV_FINDING_KINDS,
};

struct pv_finding {
	enum pv_finding_kind kind;
	char campaign[PV_CAMPAIGN_NAME]; /* empty: over all of them */
	uint8_t chip[32];		 /* duplicate only */
	char message[256];
};
typedef void (*pv_finding_fn)(void *ctx, const struct pv_finding *f);

struct pv_merge_totals {
	uint64_t records;  /* given */
	uint64_t entries;  /* different ones */
	uint64_t licenses; /* different ones issued */
	uint64_t chips;	   /* that have one */
	uint64_t passed, failed;
	uint64_t campaigns;
	uint64_t findings;
};

/* "gap", "fork", ... */
const char *pv_finding_name(enum pv_finding_kind kind);

PV_MUST_USE int pv_merge_new(struct pv_merge **ret_m, struct pv_error *e);
void pv_merge_free(struct pv_merge *m);
/* Keep a record of site number `site`. It is decoded, so that nonsense is
 * refused at once (PV_E_MALFORMED); signatures are for pv_merge_join. */
PV_MUST_USE int pv_merge_add(struct pv_merge *m, unsigned int site,
    const uint8_t *entry, size_t len, const uint8_t signature[64],
    struct pv_error *e);
/*
 * Join everything and say what is wrong. Each campaign is verified under the
 * key of its own first entry; with `keys` only campaigns of one of these keys
 * are accepted. max_licenses 0: no limit over all campaigns. Once.
 */
PV_MUST_USE int pv_merge_join(struct pv_merge *m, const uint8_t (*keys)[64],
    size_t n_keys, uint64_t max_licenses, pv_finding_fn each, void *ctx,
    struct pv_merge_totals *ret_totals, struct pv_error *e);
/* The joined entries, for reading only; lives as long as the merge. Of a
 * fork it has the history that was given first. */
void pv_merge_store(struct pv_merge *m, struct pv_store *ret_store);

#endif
