/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/checkpoint.h"

#include "base/buf.h"
#include "formats/ledger.h"
#include "formats/text.h"

#include <inttypes.h>
#include <string.h>

static int
validate(const struct pv_checkpoint *cp, struct pv_error *e)
{
	if (cp->state < PV_STATE_DRAFT || cp->state > PV_STATE_CLOSED)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "checkpoint: unknown campaign state %u",
		    (unsigned int)cp->state);
	if (cp->clock > PV_ENTRY_CLOCK_UNSYNCED)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "checkpoint: unknown clock source %u",
		    (unsigned int)cp->clock);
	if (cp->seq == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "checkpoint: entry number 0, they start at 1");
	if (cp->max_licenses == 0 || cp->spent > cp->max_licenses)
		return pv_fail(e, PV_E_MALFORMED,
		    "checkpoint: %" PRIu64 " of %" PRIu64 " licenses spent",
		    cp->spent, cp->max_licenses);
	if (!pv_text_ok(cp->name, sizeof(cp->name), false))
		return pv_fail(e, PV_E_MALFORMED,
		    "checkpoint: campaign name is empty, too long or holds "
		    "control bytes");
	if (!pv_text_ok(cp->station, sizeof(cp->station), true) ||
	    !pv_text_ok(cp->operator_id, sizeof(cp->operator_id), true))
		return pv_fail(e, PV_E_MALFORMED,
		    "checkpoint: station or operator is too long or holds "
		    "control bytes");
	return 0;
}

int
pv_checkpoint_decode(const uint8_t *data, size_t len,
    struct pv_checkpoint *ret_cp, struct pv_error *e)
{
	struct pv_checkpoint cp = { 0 };
	uint8_t magic[4];
	uint16_t version;
	struct pv_reader r;
	int ret;

	pv_rd_init(&r, data, len);
	pv_rd_bytes(&r, magic, sizeof(magic));
	if (!pv_rd_ok(&r) || memcmp(magic, PV_CHECKPOINT_MAGIC, 4) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "checkpoint: does not start with '%s'",
		    PV_CHECKPOINT_MAGIC);
	version = pv_rd_u16le(&r);
	if (!pv_rd_ok(&r) || version != PV_CHECKPOINT_VERSION)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "checkpoint: version %u, this program knows version %u",
		    (unsigned int)version, PV_CHECKPOINT_VERSION);
	cp.state = pv_rd_u8(&r);
	cp.clock = pv_rd_u8(&r);
	pv_rd_bytes(&r, cp.campaign_id, sizeof(cp.campaign_id));
	cp.seq = pv_rd_u64le(&r);
	cp.spent = pv_rd_u64le(&r);
	cp.max_licenses = pv_rd_u64le(&r);
	cp.time_ms = (int64_t)pv_rd_u64le(&r);
	pv_rd_bytes(&r, cp.hash, sizeof(cp.hash));
	pv_rd_bytes(&r, cp.public_key, sizeof(cp.public_key));
	pv_rd_text8(&r, cp.name, sizeof(cp.name));
	pv_rd_text8(&r, cp.station, sizeof(cp.station));
	pv_rd_text8(&r, cp.operator_id, sizeof(cp.operator_id));
	pv_rd_bytes(&r, cp.signature, sizeof(cp.signature));
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_MALFORMED,
		    "checkpoint: %zu bytes do not match its lengths", len);
	ret = validate(&cp, e);
	if (ret != 0)
		return ret;
	*ret_cp = cp;
	return 0;
}

int
pv_checkpoint_encode(const struct pv_checkpoint *cp, uint8_t *data, size_t *len,
    struct pv_error *e)
{
	struct pv_writer w;
	int ret;

	ret = validate(cp, e);
	if (ret != 0)
		return ret;
	pv_wr_init(&w, data, *len);
	pv_wr_bytes(&w, PV_CHECKPOINT_MAGIC, 4);
	pv_wr_u16le(&w, PV_CHECKPOINT_VERSION);
	pv_wr_u8(&w, cp->state);
	pv_wr_u8(&w, cp->clock);
	pv_wr_bytes(&w, cp->campaign_id, sizeof(cp->campaign_id));
	pv_wr_u64le(&w, cp->seq);
	pv_wr_u64le(&w, cp->spent);
	pv_wr_u64le(&w, cp->max_licenses);
	pv_wr_u64le(&w, (uint64_t)cp->time_ms);
	pv_wr_bytes(&w, cp->hash, sizeof(cp->hash));
	pv_wr_bytes(&w, cp->public_key, sizeof(cp->public_key));
	pv_wr_text8(&w, cp->name);
	pv_wr_text8(&w, cp->station);
	pv_wr_text8(&w, cp->operator_id);
	pv_wr_bytes(&w, cp->signature, sizeof(cp->signature));
	if (!pv_wr_ok(&w))
		return pv_fail(e, PV_E_INTERNAL,
		    "checkpoint does not fit %zu bytes", *len);
	*len = w.len;
	return 0;
}
