/* SPDX-License-Identifier: Apache-2.0 */
/* Building a package: the areas of a plan, encrypted in one pass. */
#include <provisor/sfi.h>

#include "base/buf.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "formats/options_csv.h"
#include "formats/sfi.h"
#include "package/nonces.h"
#include "package/package.h"
#include "package/plan.h"
#include <provisor/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static int
plan_show(const struct pv_plan_areas *plan, struct pv_sfi_info *ret_info,
    pv_sfi_each_fn each, void *ctx, struct pv_error *e)
{
	uint64_t at = PV_SFI_HEADER;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->n; i++) {
		at += PV_SFI_AREA;
		if (each != NULL)
			r = each(ctx, &plan->v[i].a, at, e);
		at += plan->v[i].a.size;
	}
	if (r == 0) {
		ret_info->header = plan->header;
		ret_info->file_size = plan->file_size;
	}
	return r;
}

int
pv_sfi_plan(const struct pv_sfi_pack *p, struct pv_sfi_info *ret_info,
    pv_sfi_each_fn each, void *ctx, struct pv_error *e)
{
	struct pv_plan_areas plan;
	int r = pv_plan_make(p, &plan, e);

	if (r == 0)
		r = plan_show(&plan, ret_info, each, ctx, e);
	pv_plan_release(&plan);
	return r;
}

/* --- writing -------------------------------------------------------------- */

struct packer {
	const struct pv_sfi_pack *p;
	struct pv_plan_areas *plan;
	struct pv_outfile *out;
	struct pv_secret *buf;
	struct pv_sha256 *hash; /* over every header, for the reuse record */
	uint64_t total;
	int module_fd;
};

int
pv_package_empty(const struct pv_sealer *s, bool decrypt,
    const uint8_t iv[PV_SFI_NONCE], const uint8_t *aad, size_t aad_len,
    uint8_t tag[PV_SFI_TAG], struct pv_error *e)
{
	uint8_t none[PV_SFI_TAG];
	size_t got = 0;
	int r = s->begin(s->ctx, decrypt, iv, PV_SFI_NONCE, aad, aad_len, e);

	if (r == 0)
		r = s->finish(s->ctx, tag, none, sizeof(none), &got, e);
	if (r == 0 && got != 0)
		r = pv_fail(e, PV_E_HSM,
		    "the token returned %zu bytes for an empty message", got);
	return r;
}

static int
write_header(struct packer *k, struct pv_sfi_header *h, struct pv_error *e)
{
	uint8_t raw[PV_SFI_HEADER], iv[PV_SFI_NONCE];
	int r;

	pv_sfi_header_encode(h, raw);
	pv_sfi_iv(k->p->iv_add, k->p->nonce, 0, iv);
	r = pv_package_empty(
	    k->p->sealer, false, iv, raw, PV_SFI_HEADER_AAD, h->tag, e);
	if (r != 0)
		return r;
	pv_sfi_header_encode(h, raw);
	r = pv_sha256_update(k->hash, raw, sizeof(raw), e);
	if (r == 0)
		r = pv_outfile_write(k->out, raw, sizeof(raw), e);
	return r;
}

/*
 * `n` bytes of an F or E area from `off`: its segments, between them the
 * value of erased flash, behind them the padding of v2.
 */
static int
read_image(const struct packer *k, const struct pv_planned *a, uint64_t off,
    uint8_t *dst, size_t n, struct pv_error *e)
{
	uint8_t erased = a->external != NULL ? 0xff : k->p->chip->erased;
	uint64_t from = a->a.address + off, to = from + n, filled = from;
	struct pv_segment s;
	int r = 0;

	for (size_t i = a->first; r == 0 && i < a->last; i++) {
		uint64_t lo, hi;

		pv_image_segment(a->image, i, &s);
		lo = s.addr > from ? s.addr : from;
		hi = s.addr + s.size < to ? s.addr + s.size : to;
		if (lo >= hi)
			continue;
		memset(dst + (filled - from), erased, (size_t)(lo - filled));
		r = pv_image_read(a->image, i, lo - s.addr, dst + (lo - from),
		    (size_t)(hi - lo), e);
		filled = hi;
	}
	/* A gap, or padding once the last segment is behind. */
	pv_image_segment(a->image, a->last - 1, &s);
	if (r == 0 && filled < to)
		memset(dst + (filled - from),
		    filled >= s.addr + s.size ? PV_V2_PAD_BYTE : erased,
		    (size_t)(to - filled));
	return r;
}

/* An E payload: region, mode and key address, then the firmware. */
static int
read_external(const struct packer *k, const struct pv_planned *a, uint64_t off,
    uint8_t *dst, size_t n, struct pv_error *e)
{
	uint8_t prefix[PV_E_PREFIX];
	size_t head = 0;

	pv_put_u32le(prefix, a->external->region);
	pv_put_u32le(prefix + 4, a->external->mode);
	pv_put_u32le(prefix + 8, a->external->key_address);
	if (off < PV_E_PREFIX) {
		head = PV_E_PREFIX - (size_t)off;
		head = head < n ? head : n;
		memcpy(dst, prefix + off, head);
	}
	if (head == n)
		return 0;
	return read_image(
	    k, a, off + head - PV_E_PREFIX, dst + head, n - head, e);
}

static int
read_module(struct packer *k, const struct pv_planned *a, uint64_t off,
    uint8_t *dst, size_t n, struct pv_error *e)
{
	if (off == 0) {
		if (k->module_fd >= 0)
			(void)close(k->module_fd);
		k->module_fd = open(a->module->path, O_RDONLY | O_CLOEXEC);
	}
	if (k->module_fd < 0)
		return pv_fail_errno(
		    e, PV_E_IO, errno, "opening '%s'", a->module->path);
	return pv_pread_exact(k->module_fd, a->module->path, dst, n, off, e);
}

/* Payloads that one chunk holds. */
static int
read_small(const struct packer *k, const struct pv_planned *a, uint64_t off,
    uint8_t *dst, size_t n, struct pv_error *e)
{
	const struct pv_sfi_pack *p = k->p;
	size_t len = 0;

	if (off != 0 || n != a->a.size)
		return pv_fail(e, PV_E_INTERNAL, "area size");
	switch (a->a.type) {
	case 'C':
		pv_optcsv_payload(p->options, p->n_options, dst, &len);
		return 0;
	case 'K':
		for (size_t i = 0; i < p->n_key_pairs; i++) {
			pv_put_u32le(dst + i * 8, p->key_pairs[i].size);
			pv_put_u32le(dst + i * 8 + 4, p->key_pairs[i].address);
		}
		return 0;
	default: /* P, R */
		memset(dst, 0, n);
		return 0;
	}
}

/* `n` bytes of the payload of an area from `off`. */
static int
read_payload(struct packer *k, const struct pv_planned *a, uint64_t off,
    uint8_t *dst, size_t n, struct pv_error *e)
{
	switch (a->a.type) {
	case 'F':
		return read_image(k, a, off, dst, n, e);
	case 'E':
		return read_external(k, a, off, dst, n, e);
	case 'M':
		return read_module(k, a, off, dst, n, e);
	default:
		return read_small(k, a, off, dst, n, e);
	}
}

/*
 * Chunks from *off on, sealed one behind the other into the buffer until it
 * has no room for another; *ret_len bytes came out.
 */
static int
seal_chunks(struct packer *k, const struct pv_planned *a, uint64_t *off,
    size_t *ret_len, struct pv_error *e)
{
	const struct pv_sealer *s = k->p->sealer;
	uint8_t *buf = pv_secret_data(k->buf);
	size_t cap = pv_secret_len(k->buf), len = 0, n, got = 0;
	int r;

	while (*off < a->a.size && cap - len >= PV_PACKAGE_BUF) {
		if (pv_progress_cancelled(k->p->progress))
			return pv_fail(e, PV_E_INTERRUPTED, "interrupted");
		n = a->a.size - *off > PV_PACKAGE_CHUNK
			? PV_PACKAGE_CHUNK
			: (size_t)(a->a.size - *off);
		r = read_payload(k, a, *off, buf + len, n, e);
		if (r == 0)
			r = s->update(s->ctx, buf + len, n, buf + len,
			    cap - len, &got, e);
		if (r != 0)
			return r;
		*off += n;
		len += got;
	}
	*ret_len = len;
	return 0;
}

static int
write_payload(struct packer *k, const struct pv_planned *a,
    uint8_t ret_tag[PV_SFI_TAG], struct pv_error *e)
{
	const struct pv_sealer *s = k->p->sealer;
	uint8_t *buf = pv_secret_data(k->buf);
	uint64_t off = 0, written = 0;
	size_t got = 0;
	int r;

	while (off < a->a.size) {
		r = seal_chunks(k, a, &off, &got, e);
		if (r == 0)
			r = pv_outfile_write(k->out, buf, got, e);
		if (r != 0)
			return r;
		written += got;
		pv_progress_at(k->p->progress, "encrypt",
		    pv_outfile_size(k->out), k->total);
	}
	r = s->finish(s->ctx, ret_tag, buf, pv_secret_len(k->buf), &got, e);
	if (r == 0 && got > 0)
		r = pv_outfile_write(k->out, buf, got, e);
	if (r == 0 && written + got != a->a.size)
		r = pv_fail(e, PV_E_HSM, "the token returned %llu bytes for %u",
		    (unsigned long long)(written + got),
		    (unsigned int)a->a.size);
	return r;
}

/* The tag stands before the payload but is known after it: written twice. */
static int
write_area(struct packer *k, struct pv_planned *pl, struct pv_error *e)
{
	const struct pv_sealer *s = k->p->sealer;
	struct pv_sfi_area *a = &pl->a;
	uint64_t at = pv_outfile_size(k->out);
	uint8_t raw[PV_SFI_AREA], iv[PV_SFI_NONCE];
	int r;

	pv_sfi_area_encode(a, raw);
	r = pv_outfile_write(k->out, raw, sizeof(raw), e);
	if (r != 0)
		return r;
	pv_sfi_iv(k->p->iv_add, k->p->nonce, a->index, iv);
	r = s->begin(s->ctx, false, iv, PV_SFI_NONCE, raw, PV_SFI_AREA_AAD, e);
	if (r == 0)
		r = write_payload(k, pl, a->tag, e);
	if (r != 0)
		return r;
	pv_sfi_area_encode(a, raw);
	r = pv_sha256_update(k->hash, raw, sizeof(raw), e);
	if (r == 0)
		r = pv_outfile_rewrite(
		    k->out, at + PV_SFI_AREA_AAD, a->tag, sizeof(a->tag), e);
	return r;
}

int
pv_package_publish(struct pv_outfile *out, struct pv_outfile *nonce_out,
    const struct pv_sealer *s, const char *record_dir, struct pv_nonce_use *use,
    struct pv_error *e)
{
	int lock = -1, r;

	r = pv_outfile_sync(out, e);
	if (r == 0 && nonce_out != NULL)
		r = pv_outfile_sync(nonce_out, e);
	if (r == 0 && record_dir != NULL) {
		r = s->key_id(s->ctx, use->key_id, e);
		if (r == 0)
			r = pv_nonces_claim(record_dir, use, &lock, e);
	}
	if (r == 0 && nonce_out != NULL)
		r = pv_outfile_commit(nonce_out, e);
	if (r == 0)
		r = pv_outfile_commit(out, e);
	if (lock >= 0)
		(void)close(lock);
	return r;
}

int
pv_package_nonce_file(const char *path, const uint8_t *nonce, size_t len,
    struct pv_outfile **ret_f, struct pv_error *e)
{
	int r;

	if (path == NULL)
		return 0;
	r = pv_outfile_open(path, 0644, ret_f, e);
	return r == 0 ? pv_outfile_write(*ret_f, nonce, len, e) : r;
}

static int
publish(struct packer *k, struct pv_outfile *nonce_out, struct pv_error *e)
{
	struct pv_nonce_use use = { .iv_len = PV_SFI_NONCE,
		.iv_add = k->p->iv_add,
		.n_areas = k->plan->header.n_areas };
	int r = pv_sha256_final(k->hash, use.fingerprint, e);

	memcpy(use.nonce, k->p->nonce, PV_SFI_NONCE);
	return r != 0 ? r
		      : pv_package_publish(k->out, nonce_out, k->p->sealer,
			    k->p->record_dir, &use, e);
}

int
pv_sfi_pack(const struct pv_sfi_pack *p, const char *path,
    struct pv_sfi_info *ret_info, pv_sfi_each_fn each, void *ctx,
    struct pv_error *e)
{
	struct pv_plan_areas plan;
	struct packer k = { .p = p, .plan = &plan, .module_fd = -1 };
	struct pv_outfile *nonce_out = NULL;
	int r = pv_plan_make(p, &plan, e);

	if (r != 0)
		goto out;
	k.total = plan.file_size;
	pv_progress_step(p->progress, "encrypt");
	r = pv_secret_new(PV_PACKAGE_GATHER, &k.buf, e);
	if (r == 0)
		r = pv_sha256_new(&k.hash, e);
	if (r == 0)
		r = pv_outfile_open(path, 0644, &k.out, e);
	if (r == 0)
		r = pv_package_nonce_file(
		    p->nonce_path, p->nonce, PV_SFI_NONCE, &nonce_out, e);
	if (r == 0)
		r = write_header(&k, &plan.header, e);
	for (size_t i = 0; r == 0 && i < plan.n; i++)
		r = write_area(&k, &plan.v[i], e);
	if (r == 0 && pv_outfile_size(k.out) != plan.file_size)
		r = pv_fail(e, PV_E_INTERNAL, "package size differs from plan");
	if (r == 0)
		r = publish(&k, nonce_out, e);
	if (r == 0)
		r = plan_show(&plan, ret_info, each, ctx, e);
out:
	if (k.module_fd >= 0)
		(void)close(k.module_fd);
	pv_outfile_free(nonce_out);
	pv_outfile_free(k.out);
	pv_sha256_free(k.hash);
	pv_secret_free(k.buf);
	pv_plan_release(&plan);
	return r;
}
