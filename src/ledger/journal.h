/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hash-chained journal of one campaign over a store, and its anchor in
 * the token. The rules are in formats/ledger.md; every function here that
 * changes anything needs the campaign's lock held.
 */
#ifndef PV_JOURNAL_H
#define PV_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "formats/ledger.h"
#include <provisor/campaign.h>
#include <provisor/err.h>
#include <provisor/store.h>

/* How long one command waits for another to finish with a campaign. */
#define PV_JOURNAL_WAIT_MS 120000

/* The end of a chain. */
struct pv_head {
	uint64_t seq; /* 0: nothing written yet */
	uint8_t hash[32];
	uint64_t spent;
	enum pv_entry_state state;
};

/* SHA-256("provisor/ledger/v1\0" || entry): chained, signed and anchored. */
PV_MUST_USE int pv_journal_hash(
    const uint8_t *entry, size_t len, uint8_t ret_hash[32], struct pv_error *e);

/*
 * Decode a record and check it alone: the columns of the store against the
 * entry, and the signature under `pub`, or for a first entry with pub NULL
 * under the key it names. memo may be NULL, here and below. PV_E_VERIFY when it is
 * not genuine.
 */
PV_MUST_USE int pv_journal_open(const struct pv_record *rec, const uint8_t *pub,
    struct pv_memo *memo, struct pv_entry *ret_entry, uint8_t ret_hash[32],
    struct pv_error *e);

/* A signature over a hash of pv_journal_hash. PV_E_VERIFY. */
PV_MUST_USE int pv_journal_signed(const uint8_t pub[64], const uint8_t hash[32],
    const uint8_t signature[64], struct pv_error *e);

/* The checked last entry of a campaign. PV_E_NOT_FOUND when it has none. */
PV_MUST_USE int pv_journal_head(struct pv_store *store, struct pv_memo *memo,
    const struct pv_campaign *c, struct pv_head *ret_head, struct pv_error *e);

/*
 * Compare a head with the token's note. The one entry that a crash may have
 * left unanchored is anchored now. Anything else that differs is
 * PV_E_ROLLBACK, and the message says which side is the older copy.
 */
PV_MUST_USE int pv_journal_agree(const struct pv_campaign *c,
    struct pv_store *store, struct pv_anchor *anchor,
    const struct pv_head *head, struct pv_error *e);
/* The same without writing anything: for audits. */
PV_MUST_USE int pv_journal_compare(const struct pv_campaign *c,
    struct pv_store *store, struct pv_anchor *anchor,
    const struct pv_head *head, struct pv_error *e);

/*
 * The entry that the token has noted, which must be one of this chain, before
 * its head or the head itself; PV_E_ROLLBACK. How far behind is no matter.
 */
PV_MUST_USE int pv_journal_noted(const struct pv_campaign *c,
    struct pv_store *store, struct pv_anchor *anchor,
    const struct pv_head *head, uint64_t *ret_seq, struct pv_error *e);

/*
 * Append an entry after `head`, durably, then anchor it, then move the head.
 * Kind, body and (for a first entry) create are the caller's; the rest is
 * filled in. On failure nothing may be appended any more under this lock:
 * the entry may or may not have become durable.
 */
PV_MUST_USE int pv_journal_append(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_entry *entry,
    struct pv_head *head, struct pv_error *e);

/* Write the note for a head (seq 0: before the first entry). */
PV_MUST_USE int pv_journal_anchor(const struct pv_campaign *c,
    struct pv_anchor *anchor, const struct pv_head *head, struct pv_error *e);

/*
 * The license a chip already has: the checked `issued` entry. PV_E_NOT_FOUND
 * when it has none.
 */
PV_MUST_USE int pv_journal_issued(struct pv_store *store, struct pv_memo *memo,
    const struct pv_campaign *c, const uint8_t chip[32],
    struct pv_entry *ret_entry, struct pv_error *e);

/* Is the chip on the deny list? */
PV_MUST_USE int pv_journal_denied(struct pv_store *store, struct pv_memo *memo,
    const struct pv_campaign *c, const uint8_t chip[32], bool *ret_denied,
    struct pv_error *e);

#endif
