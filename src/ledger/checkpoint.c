/* SPDX-License-Identifier: Apache-2.0 */
/* Signed checkpoints of a campaign; formats/checkpoint.md. */
#include <provisor/campaign.h>

#include "base/clock.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/checkpoint.h"
#include "ledger/journal.h"

#include <stdio.h>
#include <string.h>

static int
digest(
    const uint8_t *data, size_t len, uint8_t ret_digest[32], struct pv_error *e)
{
	const struct pv_part parts[] = {
		{ PV_CHECKPOINT_DOMAIN, sizeof(PV_CHECKPOINT_DOMAIN) },
		{ data, len - 64 },
	};

	return pv_sha256(parts, 2, ret_digest, e);
}

static void
text(char *dst, size_t cap, const char *src)
{
	if (src != NULL)
		(void)snprintf(dst, cap, "%s", src);
}

/* The last entry, agreed between ledger and token. */
static int
agreed_head(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_head *ret_head, struct pv_error *e)
{
	struct pv_store *store = io->store;
	int r;

	r = store->lock(store->ctx, c->id, PV_JOURNAL_WAIT_MS, e);
	if (r != 0)
		return r;
	r = pv_journal_head(store, NULL, c, ret_head, e);
	if (r == 0)
		r = pv_journal_agree(c, store, io->anchor, ret_head, e);
	store->unlock(store->ctx);
	return r;
}

int
pv_checkpoint_make(const struct pv_campaign *c, const struct pv_campaign_io *io,
    struct pv_checkpoint *ret_cp, uint8_t *data, size_t *len,
    struct pv_error *e)
{
	struct pv_checkpoint cp = { .max_licenses = c->max_licenses };
	struct pv_head head;
	uint8_t sum[32];
	size_t room = *len;
	int synced = pv_wall_synced(), r;

	if (io->signer == NULL || io->anchor == NULL)
		return pv_fail(e, PV_E_INTERNAL,
		    "the token of campaign '%s' is not open", c->name);
	r = agreed_head(c, io, &head, e);
	if (r != 0)
		return pv_wrap(e, "checkpoint");
	memcpy(cp.campaign_id, c->id, sizeof(cp.campaign_id));
	memcpy(cp.public_key, c->public_key, sizeof(cp.public_key));
	memcpy(cp.hash, head.hash, sizeof(cp.hash));
	cp.seq = head.seq;
	cp.spent = head.spent;
	cp.state = (uint8_t)head.state;
	cp.time_ms = pv_wall_ms();
	cp.clock = (uint8_t)(synced < 0	  ? PV_ENTRY_CLOCK_SYSTEM
			     : synced > 0 ? PV_ENTRY_CLOCK_SYNCED
					  : PV_ENTRY_CLOCK_UNSYNCED);
	text(cp.name, sizeof(cp.name), c->name);
	text(cp.station, sizeof(cp.station), io->station);
	text(cp.operator_id, sizeof(cp.operator_id), io->operator_id);
	r = pv_checkpoint_encode(&cp, data, len, e);
	if (r == 0)
		r = digest(data, *len, sum, e);
	if (r == 0)
		r = io->signer->sign(io->signer->ctx, sum, cp.signature, e);
	if (r == 0) {
		*len = room;
		r = pv_checkpoint_encode(&cp, data, len, e);
	}
	if (r == 0)
		r = pv_checkpoint_check(data, *len, &cp, e);
	if (r != 0)
		return pv_wrap(e, "checkpoint");
	*ret_cp = cp;
	return 0;
}

int
pv_checkpoint_check(const uint8_t *data, size_t len,
    struct pv_checkpoint *ret_cp, struct pv_error *e)
{
	struct pv_checkpoint cp;
	uint8_t sum[32];
	int r;

	r = pv_checkpoint_decode(data, len, &cp, e);
	if (r != 0)
		return r;
	r = pv_ec_check_public(cp.public_key, e);
	if (r == 0)
		r = digest(data, len, sum, e);
	if (r == 0)
		r = pv_ecdsa_verify(cp.public_key, sum, cp.signature, e);
	if (r != 0)
		return pv_wrap(e, "signature of the checkpoint");
	*ret_cp = cp;
	return 0;
}
