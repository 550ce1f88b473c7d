/* SPDX-License-Identifier: Apache-2.0 */
/* Receipts: what formats/receipt.md promises to who has only the key. */
#include <provisor/campaign.h>

#include "crypto/digest.h"
#include "formats/receipt.h"
#include "ledger/journal.h"
#include "license/rules.h"

#include <inttypes.h>
#include <string.h>

/* A record copied out of the store. */
struct copy {
	uint64_t seq;	 /* 0: any */
	uint64_t number; /* issued entry of this number; 0: any */
	const uint8_t *pub;
	bool found;
	uint8_t entry[PV_ENTRY_MAX];
	size_t len;
	uint8_t signature[64];
};

static int
take_copy(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct copy *c = ctx;
	struct pv_entry en;
	uint8_t hash[32];
	int r;

	if (c->seq != 0 && rec->seq != c->seq)
		return 1; /* it is not there */
	if (c->number != 0) {
		if (rec->kind != PV_ENTRY_ISSUED)
			return 0;
		r = pv_entry_decode(rec->entry, rec->entry_len, &en, e);
		if (r != 0)
			return r;
		if (en.body.number != c->number)
			return 0;
	}
	r = pv_journal_open(rec, c->pub, NULL, &en, hash, e);
	if (r != 0)
		return r;
	memcpy(c->entry, rec->entry, rec->entry_len);
	c->len = rec->entry_len;
	memcpy(c->signature, rec->signature, sizeof(c->signature));
	c->found = true;
	return 1;
}

static struct pv_receipt_part
part(const struct copy *c)
{
	return (struct pv_receipt_part){ c->entry, c->len, c->signature };
}

int
pv_receipt_make(const struct pv_campaign *c, struct pv_store *store,
    const uint8_t *certificate, uint64_t number, uint8_t *data, size_t *len,
    struct pv_error *e)
{
	struct copy def = { .seq = c->defined_by, .pub = c->public_key };
	struct copy issued = { .number = number, .pub = c->public_key };
	struct pv_receipt_parts parts;
	struct pv_receipt rc;
	uint8_t chip[32];
	int r;

	r = store->scan(store->ctx, c->id, c->defined_by, take_copy, &def, e);
	if (r < 0)
		return pv_wrap(e, "campaign '%s'", c->name);
	if (!def.found)
		return pv_fail(e, PV_E_VERIFY,
		    "campaign '%s': entry %" PRIu64 " is missing", c->name,
		    c->defined_by);
	if (certificate != NULL) {
		r = pv_campaign_chip(c, certificate, chip, e);
		if (r == 0)
			r = store->last(store->ctx, c->id, chip,
			    PV_ENTRY_ISSUED, take_copy, &issued, e);
	} else {
		r = store->scan(store->ctx, c->id, 1, take_copy, &issued, e);
	}
	if (r < 0 && r != PV_E_NOT_FOUND)
		return pv_wrap(e, "campaign '%s'", c->name);
	if (!issued.found)
		return pv_fail(e, PV_E_NOT_FOUND,
		    "campaign '%s' issued no such license", c->name);
	parts.definition = part(&def);
	parts.issued = part(&issued);
	r = pv_receipt_encode(&parts, data, len, e);
	/* Nothing leaves that its reader would refuse. */
	return r == 0 ? pv_receipt_check(
			    data, *len, c->public_key, certificate, &rc, e)
		      : r;
}

static int
open_part(const struct pv_receipt_part *p, const uint8_t *pub, const char *what,
    struct pv_entry *ret_en, uint8_t ret_hash[32], struct pv_error *e)
{
	int r;

	r = pv_entry_decode(p->entry, p->len, ret_en, e);
	if (r == 0)
		r = pv_journal_hash(p->entry, p->len, ret_hash, e);
	if (r == 0 && pub != NULL)
		r = pv_journal_signed(pub, ret_hash, p->signature, e);
	return r == 0 ? 0 : pv_wrap(e, "%s of the receipt", what);
}

int
pv_receipt_check(const uint8_t *data, size_t len, const uint8_t *public_key,
    const uint8_t *certificate, struct pv_receipt *ret_rc, struct pv_error *e)
{
	struct pv_receipt_parts parts;
	struct pv_entry def, en;
	struct pv_receipt rc = { 0 };
	uint8_t chip[32];
	int r;

	r = pv_receipt_decode(data, len, &parts, e);
	if (r == 0)
		r = open_part(&parts.definition, public_key, "definition", &def,
		    rc.entry_hash, e);
	if (r == 0)
		r = open_part(&parts.issued, public_key, "license entry", &en,
		    rc.entry_hash, e);
	if (r != 0)
		return r;
	if (def.kind != PV_ENTRY_CREATE && def.kind != PV_ENTRY_REVISE)
		return pv_fail(e, PV_E_VERIFY,
		    "the receipt's first entry defines no campaign");
	if (en.kind != PV_ENTRY_ISSUED)
		return pv_fail(e, PV_E_VERIFY,
		    "the receipt's second entry issues no license");
	if (memcmp(def.campaign_id, en.campaign_id, 16) != 0)
		return pv_fail(e, PV_E_VERIFY,
		    "the receipt's entries are of two campaigns");
	if (public_key != NULL &&
	    !pv_ct_equal(def.create.public_key, public_key, 64))
		return pv_fail(
		    e, PV_E_VERIFY, "the receipt's campaign names another key");
	if (en.body.number > def.create.max_licenses)
		return pv_fail(e, PV_E_VERIFY,
		    "license no. %" PRIu64 " is past the limit of %" PRIu64,
		    en.body.number, def.create.max_licenses);
	if (public_key != NULL)
		r = pv_rules_issued(&def.create, NULL, &en, e);
	if (r == 0 && certificate != NULL) {
		r = pv_campaign_chip(&def.create, certificate, chip, e);
		if (r == 0 && memcmp(chip, en.body.chip, sizeof(chip)) != 0)
			r = pv_fail(
			    e, PV_E_VERIFY, "the receipt is for another chip");
	}
	if (r != 0)
		return r;
	rc.campaign = def.create;
	rc.campaign.issued = 0;
	rc.seq = en.seq;
	rc.number = en.body.number;
	rc.time_ms = en.time_ms;
	memcpy(rc.chip, en.body.chip, sizeof(rc.chip));
	memcpy(rc.station, en.station, sizeof(rc.station));
	memcpy(rc.operator_id, en.operator_id, sizeof(rc.operator_id));
	memcpy(rc.license, en.body.license, en.body.license_len);
	rc.license_len = en.body.license_len;
	*ret_rc = rc;
	return 0;
}
