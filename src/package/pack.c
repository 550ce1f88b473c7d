/* SPDX-License-Identifier: Apache-2.0 */
/* Building a package: plan the areas, then encrypt them in one pass. */
#include <provisor/sfi.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "formats/options_csv.h"
#include "formats/sfi.h"
#include "package/nonces.h"
#include "package/package.h"
#include <provisor/secret.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Profile v2 pads F payloads to this, with this byte (sfi.md, "Profiles"). */
#define V2_PAD_TO   16U
#define V2_PAD_BYTE 0xFF

/*
 * The areas to be written, headers without tags. F area i holds segments
 * first[i] .. first[i + 1] - 1 of the image.
 */
struct plan {
	struct pv_sfi_header header;
	struct pv_sfi_area *areas;
	size_t *first;
	uint64_t file_size;
};

/* An F area as the flash sees it, padding included. */
struct place {
	uint64_t physical;
	const struct pv_sfi_area *area;
};

static uint64_t
padded(enum pv_sfi_profile profile, uint64_t size)
{
	if (profile == PV_SFI_V2)
		return (size + V2_PAD_TO - 1) / V2_PAD_TO * V2_PAD_TO;
	return size;
}

static int
by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->physical != y->physical)
		return x->physical < y->physical ? -1 : 1;
	return 0;
}

/* Two addresses of one flash, or the padding, made areas meet. */
static int
overlap(const struct place *low, const struct place *high, struct pv_error *e)
{
	return pv_fail(e, PV_E_OVERLAP,
	    "areas at 0x%08x (%u bytes) and 0x%08x (%u bytes) overlap in "
	    "flash at 0x%08llx",
	    (unsigned int)low->area->address, (unsigned int)low->area->size,
	    (unsigned int)high->area->address, (unsigned int)high->area->size,
	    (unsigned long long)high->physical);
}

/* Every F area in flash, none over another there. */
static int
check_places(
    const struct pv_sfi_pack *p, const struct plan *plan, struct pv_error *e)
{
	size_t n = plan->header.n_areas;
	struct place *places = calloc(n + 1, sizeof(*places));
	int r = 0;

	if (places == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct pv_sfi_area *a = &plan->areas[i];
		uint32_t physical = 0;

		places[i].area = a;
		if (!pv_chip_in_flash(p->chip, a->address, a->size, &physical))
			r = pv_fail(e, PV_E_RANGE,
			    "area at 0x%08x with %u bytes, padding included, "
			    "does not fit the flash of %s",
			    (unsigned int)a->address, (unsigned int)a->size,
			    p->chip->name);
		places[i].physical = physical;
	}
	if (r == 0)
		qsort(places, n, sizeof(*places), by_place);
	for (size_t i = 1; r == 0 && i < n; i++) {
		const struct place *low = &places[i - 1];

		if (places[i].physical - low->physical < low->area->size)
			r = overlap(low, &places[i], e);
	}
	free(places);
	return r;
}

static int
check_options(const struct pv_sfi_pack *p, struct pv_error *e)
{
	size_t words = p->n_options;

	if (p->options == NULL)
		return 0;
	if (words == 0 || words > PV_SFI_MAX_OPTIONS / 4)
		return pv_fail(e, PV_E_RANGE,
		    "%zu option words, at least 1 and at most %u", words,
		    PV_SFI_MAX_OPTIONS / 4);
	if (p->chip->option_words != 0 && words != p->chip->option_words)
		return pv_fail(e, PV_E_MALFORMED, "%zu option words, %s has %u",
		    words, p->chip->name, (unsigned int)p->chip->option_words);
	return 0;
}

static int
add_area(struct plan *plan, const struct pv_sfi_pack *p, uint8_t type,
    uint64_t address, uint64_t size, struct pv_error *e)
{
	struct pv_sfi_area *a;

	if (plan->header.n_areas == PV_SFI_MAX_AREAS) {
		(void)pv_fail(e, PV_E_RANGE, "a package holds at most %u areas",
		    PV_SFI_MAX_AREAS);
		return pv_hint(e, "fill small gaps first (objcopy --gap-fill)");
	}
	if (address > UINT32_MAX || size > UINT32_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "an area of %llu bytes at 0x%llx does not fit 32 bits",
		    (unsigned long long)size, (unsigned long long)address);
	a = &plan->areas[plan->header.n_areas++];
	a->type = type;
	a->version = p->image_version;
	a->index = plan->header.n_areas;
	a->size = (uint32_t)size;
	a->address = (uint32_t)address;
	plan->file_size += PV_SFI_AREA + size;
	return 0;
}

/*
 * Segments that share a write unit become one area: flash with ECC takes a
 * unit only once, and each area is programmed by itself. With v2 so do those
 * that the padding would reach. Anything further apart stays apart.
 */
static bool
joined(const struct pv_sfi_pack *p, uint64_t start, uint64_t end, uint64_t next)
{
	uint64_t unit = p->chip->write_unit == 0 ? 1 : p->chip->write_unit;

	return next < (end + unit - 1) / unit * unit ||
	       next < start + padded(p->profile, end - start);
}

static int
add_firmware(const struct pv_sfi_pack *p, struct plan *plan, struct pv_error *e)
{
	size_t n = pv_image_count(p->image), i = 0;
	int r = 0;

	while (r == 0 && i < n) {
		struct pv_segment s, next;
		uint64_t start, end;

		pv_image_segment(p->image, i, &s);
		start = s.addr;
		end = s.addr + s.size;
		plan->first[plan->header.n_areas] = i++;
		for (; i < n; i++) {
			pv_image_segment(p->image, i, &next);
			if (!joined(p, start, end, next.addr))
				break;
			end = next.addr + next.size;
		}
		r = add_area(
		    plan, p, 'F', start, padded(p->profile, end - start), e);
		if (r == 0)
			plan->first[plan->header.n_areas] = i;
	}
	return r;
}

static void
plan_release(struct plan *plan)
{
	free(plan->areas);
	free(plan->first);
}

static int
plan_make(const struct pv_sfi_pack *p, struct plan *plan, struct pv_error *e)
{
	size_t n = pv_image_count(p->image);
	int r;

	memset(plan, 0, sizeof(*plan));
	plan->header.version = (uint16_t)p->profile;
	plan->file_size = PV_SFI_HEADER;
	if (n == 0)
		return pv_fail(e, PV_E_MALFORMED, "no firmware to pack");
	plan->areas = calloc(n + 1, sizeof(*plan->areas));
	plan->first = calloc(n + 1, sizeof(*plan->first));
	if (plan->areas == NULL || plan->first == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = check_options(p, e);
	if (r == 0)
		r = pv_image_check(p->image, p->chip, false, e);
	if (r == 0)
		r = add_firmware(p, plan, e);
	if (r == 0)
		r = check_places(p, plan, e);
	if (r == 0 && p->options != NULL)
		r = add_area(plan, p, 'C', 0, (uint64_t)p->n_options * 4, e);
	for (size_t i = 0; i < plan->header.n_areas; i++)
		plan->areas[i].total = plan->header.n_areas;
	return r;
}

static int
plan_show(const struct plan *plan, struct pv_sfi_info *ret_info,
    pv_sfi_each_fn each, void *ctx, struct pv_error *e)
{
	uint64_t at = PV_SFI_HEADER;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->header.n_areas; i++) {
		at += PV_SFI_AREA;
		if (each != NULL)
			r = each(ctx, &plan->areas[i], at, e);
		at += plan->areas[i].size;
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
	struct plan plan;
	int r = plan_make(p, &plan, e);

	if (r == 0)
		r = plan_show(&plan, ret_info, each, ctx, e);
	plan_release(&plan);
	return r;
}

/* --- writing -------------------------------------------------------------- */

struct packer {
	const struct pv_sfi_pack *p;
	struct plan *plan;
	struct pv_outfile *out;
	struct pv_secret *buf;
	struct pv_sha256 *hash; /* over every header, for the reuse record */
	uint64_t total;
};

int
pv_package_empty(const struct pv_sealer *s, bool decrypt,
    const uint8_t iv[PV_SFI_NONCE], const uint8_t *aad, size_t aad_len,
    uint8_t tag[PV_SFI_TAG], struct pv_error *e)
{
	uint8_t none[PV_SFI_TAG];
	size_t got = 0;
	int r = s->begin(s->ctx, decrypt, iv, aad, aad_len, e);

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

/* What stands at an address that no segment covers to the end of a chunk: a
 * gap, or the padding once the last segment is behind. */
static uint8_t
fill_after(const struct packer *k, const struct pv_sfi_area *a, uint64_t at)
{
	struct pv_segment last;

	pv_image_segment(k->p->image, k->plan->first[a->index] - 1, &last);
	return at >= last.addr + last.size ? V2_PAD_BYTE : k->p->chip->erased;
}

/*
 * `n` bytes of an F area from `off`: its segments, between them the value of
 * erased flash, behind them the padding of v2.
 */
static int
read_firmware(const struct packer *k, const struct pv_sfi_area *a, uint64_t off,
    uint8_t *dst, size_t n, struct pv_error *e)
{
	const size_t *first = &k->plan->first[a->index - 1];
	uint64_t from = a->address + off, to = from + n, filled = from;
	int r = 0;

	for (size_t i = first[0]; r == 0 && i < first[1]; i++) {
		struct pv_segment s;
		uint64_t lo, hi;

		pv_image_segment(k->p->image, i, &s);
		lo = s.addr > from ? s.addr : from;
		hi = s.addr + s.size < to ? s.addr + s.size : to;
		if (lo >= hi)
			continue;
		memset(dst + (filled - from), k->p->chip->erased,
		    (size_t)(lo - filled));
		r = pv_image_read(k->p->image, i, lo - s.addr,
		    dst + (lo - from), (size_t)(hi - lo), e);
		filled = hi;
	}
	if (r == 0 && filled < to)
		memset(dst + (filled - from), fill_after(k, a, filled),
		    (size_t)(to - filled));
	return r;
}

/* `n` bytes of the payload of an area from `off`. */
static int
read_payload(const struct packer *k, const struct pv_sfi_area *a, uint64_t off,
    uint8_t *dst, size_t n, struct pv_error *e)
{
	uint8_t words[PV_SFI_MAX_OPTIONS];
	size_t len = 0;

	if (a->type != 'C')
		return read_firmware(k, a, off, dst, n, e);
	/* Small enough for one chunk. */
	pv_optcsv_payload(k->p->options, k->p->n_options, words, &len);
	if (off != 0 || n != len)
		return pv_fail(e, PV_E_INTERNAL, "option area size");
	memcpy(dst, words, n);
	return 0;
}

static int
write_payload(struct packer *k, const struct pv_sfi_area *a,
    uint8_t ret_tag[PV_SFI_TAG], struct pv_error *e)
{
	const struct pv_sealer *s = k->p->sealer;
	uint8_t *buf = pv_secret_data(k->buf);
	uint64_t off = 0, written = 0;
	size_t n, got = 0;
	int r;

	while (off < a->size) {
		if (pv_progress_cancelled(k->p->progress))
			return pv_fail(e, PV_E_INTERRUPTED, "interrupted");
		n = a->size - off > PV_PACKAGE_CHUNK ? PV_PACKAGE_CHUNK
						     : (size_t)(a->size - off);
		r = read_payload(k, a, off, buf, n, e);
		if (r == 0)
			r = s->update(
			    s->ctx, buf, n, buf, PV_PACKAGE_BUF, &got, e);
		if (r == 0)
			r = pv_outfile_write(k->out, buf, got, e);
		if (r != 0)
			return r;
		off += n;
		written += got;
		pv_progress_at(k->p->progress, "encrypt",
		    pv_outfile_size(k->out), k->total);
	}
	r = s->finish(s->ctx, ret_tag, buf, PV_PACKAGE_BUF, &got, e);
	if (r == 0 && got > 0)
		r = pv_outfile_write(k->out, buf, got, e);
	if (r == 0 && written + got != a->size)
		r = pv_fail(e, PV_E_HSM, "the token returned %llu bytes for %u",
		    (unsigned long long)(written + got), (unsigned int)a->size);
	return r;
}

/* The tag stands before the payload but is known after it: written twice. */
static int
write_area(struct packer *k, struct pv_sfi_area *a, struct pv_error *e)
{
	const struct pv_sealer *s = k->p->sealer;
	uint64_t at = pv_outfile_size(k->out);
	uint8_t raw[PV_SFI_AREA], iv[PV_SFI_NONCE];
	int r;

	pv_sfi_area_encode(a, raw);
	r = pv_outfile_write(k->out, raw, sizeof(raw), e);
	if (r != 0)
		return r;
	pv_sfi_iv(k->p->iv_add, k->p->nonce, a->index, iv);
	r = s->begin(s->ctx, false, iv, raw, PV_SFI_AREA_AAD, e);
	if (r == 0)
		r = write_payload(k, a, a->tag, e);
	if (r != 0)
		return r;
	pv_sfi_area_encode(a, raw);
	r = pv_sha256_update(k->hash, raw, sizeof(raw), e);
	if (r == 0)
		r = pv_outfile_rewrite(
		    k->out, at + PV_SFI_AREA_AAD, a->tag, sizeof(a->tag), e);
	return r;
}

/*
 * Enter the IVs in the record, then let the nonce and the package appear, all
 * under the lock of the record. The nonce comes first: a package whose nonce
 * is lost is lost itself.
 */
static int
publish(struct packer *k, struct pv_outfile *nonce_out, struct pv_error *e)
{
	struct pv_nonce_use use = { .iv_add = k->p->iv_add,
		.n_areas = k->plan->header.n_areas };
	int lock = -1, r;

	memcpy(use.nonce, k->p->nonce, sizeof(use.nonce));
	r = pv_outfile_sync(k->out, e);
	if (r == 0 && nonce_out != NULL)
		r = pv_outfile_sync(nonce_out, e);
	if (r == 0)
		r = pv_sha256_final(k->hash, use.fingerprint, e);
	if (r == 0 && k->p->record_dir != NULL) {
		r = k->p->sealer->key_id(k->p->sealer->ctx, use.key_id, e);
		if (r == 0)
			r = pv_nonces_claim(k->p->record_dir, &use, &lock, e);
	}
	if (r == 0 && nonce_out != NULL)
		r = pv_outfile_commit(nonce_out, e);
	if (r == 0)
		r = pv_outfile_commit(k->out, e);
	if (lock >= 0)
		(void)close(lock);
	return r;
}

static int
open_nonce(
    const struct pv_sfi_pack *p, struct pv_outfile **ret_f, struct pv_error *e)
{
	int r;

	if (p->nonce_path == NULL)
		return 0;
	r = pv_outfile_open(p->nonce_path, 0644, ret_f, e);
	if (r == 0)
		r = pv_outfile_write(*ret_f, p->nonce, PV_SFI_NONCE, e);
	return r;
}

int
pv_sfi_pack(const struct pv_sfi_pack *p, const char *path,
    struct pv_sfi_info *ret_info, pv_sfi_each_fn each, void *ctx,
    struct pv_error *e)
{
	struct plan plan;
	struct packer k = { .p = p, .plan = &plan };
	struct pv_outfile *nonce_out = NULL;
	int r = plan_make(p, &plan, e);

	if (r != 0)
		goto out;
	k.total = plan.file_size;
	pv_progress_step(p->progress, "encrypt");
	r = pv_secret_new(PV_PACKAGE_BUF, &k.buf, e);
	if (r == 0)
		r = pv_sha256_new(&k.hash, e);
	if (r == 0)
		r = pv_outfile_open(path, 0644, &k.out, e);
	if (r == 0)
		r = open_nonce(p, &nonce_out, e);
	if (r == 0)
		r = write_header(&k, &plan.header, e);
	for (size_t i = 0; r == 0 && i < plan.header.n_areas; i++)
		r = write_area(&k, &plan.areas[i], e);
	if (r == 0 && pv_outfile_size(k.out) != plan.file_size)
		r = pv_fail(e, PV_E_INTERNAL, "package size differs from plan");
	if (r == 0)
		r = publish(&k, nonce_out, e);
	if (r == 0)
		r = plan_show(&plan, ret_info, each, ctx, e);
out:
	pv_outfile_free(nonce_out);
	pv_outfile_free(k.out);
	pv_sha256_free(k.hash);
	pv_secret_free(k.buf);
	plan_release(&plan);
	return r;
}
