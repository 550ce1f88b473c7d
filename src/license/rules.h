/* SPDX-License-Identifier: Apache-2.0 */
/* What creating, issuing, recording and closing share. */
#ifndef PV_RULES_H
#define PV_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "ledger/journal.h"
#include <provisor/campaign.h>
#include <provisor/err.h>

/* Signer and anchor are there, and the signer holds the campaign's key. */
PV_MUST_USE int pv_rules_signer(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_error *e);

/*
 * Take the campaign's lock and see that ledger and token agree. On success
 * the caller holds the lock and releases it with io->store->unlock.
 */
PV_MUST_USE int pv_rules_begin(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_head *ret_head,
    struct pv_error *e);

struct pv_entry;

/*
 * The license in an `issued` entry: signed, and of the campaign as defined,
 * its product, nonce and number. PV_E_VERIFY.
 */
PV_MUST_USE int pv_rules_issued(const struct pv_campaign *def,
    struct pv_memo *memo, const struct pv_entry *en, struct pv_error *e);

/* pv_campaign_check_certificate and pv_license_check with a memo. */
PV_MUST_USE int pv_rules_certificate(const struct pv_campaign *c,
    struct pv_memo *memo, const uint8_t certificate[136], size_t *ret_ca,
    struct pv_error *e);
PV_MUST_USE int pv_rules_resident(const uint8_t *data, size_t len,
    const uint8_t campaign_public[64], struct pv_memo *memo,
    const uint8_t *certificate, struct pv_error *e);

/* Everything a definition must be, whatever the ledger says. */
PV_MUST_USE int pv_rules_definition(
    const struct pv_campaign *c, struct pv_error *e);

/* Do both have what a revision of a draft must keep? PV_E_VERIFY. */
PV_MUST_USE int pv_rules_same_campaign(const struct pv_campaign *a,
    const struct pv_campaign *b, struct pv_error *e);

/*
 * Wrap or seal the package key once for a key pair of our own, so that a key
 * that cannot serve is found before the first chip.
 */
PV_MUST_USE int pv_rules_try_key(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_error *e);

/* PV_E_POLICY when the chip is on the deny list. */
PV_MUST_USE int pv_rules_not_denied(const struct pv_campaign *c,
    struct pv_store *store, struct pv_memo *memo, const uint8_t chip[32],
    struct pv_error *e);

/* Copy a text for the ledger: cut to fit, control bytes become '?'. */
void pv_rules_text(char *dst, size_t cap, const char *src, size_t src_cap);

/* SHA-256("provisor/license/v1\0" || all but the signature). */
PV_MUST_USE int pv_rules_license_digest(const uint8_t *data, size_t len,
    uint8_t ret_digest[32], struct pv_error *e);

#endif
