/* SPDX-License-Identifier: Apache-2.0 */
/* Partitions over USB DFU: download, manifestation, upload. */
#include "boot/mpu_dfu.h"

#include "base/clock.h"

#include <inttypes.h>
#include <string.h>

static int
refused(struct md *m, const struct dfu_status *s, struct pv_error *e)
{
	return pv_df_fail(&m->d, PV_E_NACK, e,
	    "the device refused: %s in state %u", pv_df_status_name(s->status),
	    (unsigned int)s->state);
}

static size_t
block_size(const struct md *m)
{
	return m->info.transfer_size < PV_DFU_BLOCK ? m->info.transfer_size
						    : PV_DFU_BLOCK;
}

static int
wait_poll(struct md *m, const struct dfu_status *s, int64_t deadline,
    struct pv_error *e)
{
	uint32_t left = (uint32_t)pv_ms_left(deadline);

	if (left == 0)
		return pv_df_fail(&m->d, PV_E_TIMEOUT, e,
		    "the device is busy for more than %d s", T_MD_WORK / 1000);
	return pv_df_wait(
	    &m->d, (int)(s->poll_ms < left ? s->poll_ms : left) + 1, e);
}

/*
 * A block, and its status: never two DNLOADs in a row. TF-A's first status
 * still says dfuDNLOAD-SYNC, which is enough (M11).
 */
static int
block(struct md *m, uint16_t number, const uint8_t *data, size_t len,
    struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + T_MD_WORK;
	struct dfu_status s = { 0 };
	int r;

	if (pv_progress_cancelled(m->d.progress))
		return pv_df_fail(&m->d, PV_E_INTERRUPTED, e, "interrupted");
	r = pv_df_dnload(&m->d, number, data, (uint16_t)len, e);
	if (r == PV_E_NACK &&
	    pv_df_getstatus(&m->d, &s, T_REQUEST, NULL) == 0 &&
	    s.status != DFU_OK)
		return refused(m, &s, e);
	while (r == 0) {
		r = pv_df_getstatus(&m->d, &s, T_REQUEST, e);
		if (r != 0)
			break;
		if (s.status != DFU_OK || s.state == DFU_ERROR)
			return refused(m, &s, e);
		if (s.state == DFU_DNLOAD_IDLE || s.state == DFU_DNLOAD_SYNC)
			return 0;
		if (s.state != DFU_DNBUSY)
			return pv_df_fail(&m->d, PV_E_DEVICE, e,
			    "the device is in state %u after a block",
			    (unsigned int)s.state);
		r = wait_poll(m, &s, deadline, e);
		if (r != 0)
			return r;
	}
	return pv_df_wrap(&m->d, e);
}

/*
 * DNLOAD of nothing, then poll until dfuIDLE. A ROM that starts what it got
 * stops answering: for `leaves` that is the end, too.
 */
static int
manifest(struct md *m, uint16_t number, bool leaves, struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + T_MD_WORK;
	struct dfu_status s = { 0 };
	int r;

	r = pv_df_dnload(&m->d, number, NULL, 0, e);
	while (r == 0) {
		r = pv_df_getstatus(
		    &m->d, &s, leaves ? T_MD_LOOK : T_REQUEST, e);
		if (r != 0 && leaves && (r == PV_E_LINK || r == PV_E_TIMEOUT)) {
			m->gone = r == PV_E_LINK;
			pv_error_clear(e);
			return 0;
		}
		if (r != 0)
			break;
		if (s.status != DFU_OK || s.state == DFU_ERROR)
			return refused(m, &s, e);
		if (s.state == DFU_IDLE || s.state == DFU_MANIFEST_WAIT_RESET)
			return 0;
		if (s.state != DFU_MANIFEST && s.state != DFU_MANIFEST_SYNC)
			return pv_df_fail(&m->d, PV_E_DEVICE, e,
			    "the device is in state %u after the last block",
			    (unsigned int)s.state);
		r = wait_poll(m, &s, deadline, e);
		if (r != 0)
			return r;
	}
	return pv_df_wrap(&m->d, e);
}

int
pv_md_download(void *ctx, uint8_t id, const struct pv_mpu_source *src,
    const char *step, struct pv_error *e)
{
	struct md *m = ctx;
	uint8_t data[PV_DFU_BLOCK];
	uint16_t number = 0;
	uint64_t left;
	size_t n;
	int r;

	pv_df_step(&m->d, step);
	r = pv_md_select(m, id, e);
	for (uint64_t at = 0; r == 0 && at < src->size; at += n) {
		left = src->size - at;
		n = left < block_size(m) ? (size_t)left : block_size(m);
		pv_df_step_at(&m->d, step, (uint32_t)at);
		r = src->read(src->ctx, at, data, n, e);
		if (r == 0)
			r = block(m, number++, data, n, e);
		if (r != 0)
			return r;
		m->counters.sent += n;
		pv_progress_at(m->d.progress, step, at + n, src->size);
	}
	pv_df_step(&m->d, step);
	return r != 0 ? r
		      : manifest(m, number, m->stage == PV_MPU_STAGE_ROM, e);
}

/*
 * One UPLOAD for what is short (M10): TF-A 2.2 knows no second block. What
 * fills a transfer goes on with the next.
 */
int
pv_md_read(void *ctx, uint8_t id, uint8_t *data, size_t cap, size_t *ret_len,
    struct pv_error *e)
{
	struct md *m = ctx;
	uint8_t buf[PV_DFU_BLOCK];
	uint16_t got = 0, number = 0;
	size_t size = block_size(m), at = 0, n;
	int r;

	pv_df_step(&m->d, "read");
	r = pv_md_select(m, id, e);
	while (r == 0 && at < cap) {
		pv_df_step_at(&m->d, "read", (uint32_t)at);
		r = pv_df_upload(&m->d, number++, buf, (uint16_t)size, &got, e);
		if (r != 0) {
			(void)pv_df_idle(&m->d, NULL);
			return pv_df_wrap(&m->d, e);
		}
		n = cap - at < got ? cap - at : got;
		memcpy(data + at, buf, n);
		at += n;
		if (got < size)
			break;
	}
	if (r != 0)
		return r;
	*ret_len = at;
	return pv_df_idle(&m->d, e);
}
