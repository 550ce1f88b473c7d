/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of an image that exists, and its image key. */
#include "image/mcuboot.h"

#include "crypto/digest.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

#define CHUNK 262144U

uint64_t
pv_mcuboot_covered(const struct pv_mcuboot_file *f)
{
	return f->areas_at + f->h.protect_size;
}

int
pv_mcuboot_hash_entry(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_tlv **ret_v, unsigned int *ret_bits,
    struct pv_error *e)
{
	for (size_t i = 0; i < f->t.n; i++) {
		if (pv_mcuboot_hash_len(f->t.t[i].type) == 0)
			continue;
		*ret_v = &f->t.t[i];
		*ret_bits = pv_mcuboot_hash_bits(f->t.t[i].type);
		return 0;
	}
	return pv_fail(e, PV_E_MALFORMED, "the image has no hash");
}

int
pv_mcuboot_open_cipher(const struct pv_mcuboot_file *f, bool st,
    const struct pv_mcuboot_opening *by, struct pv_mcuboot_cipher **ret_c,
    struct pv_error *e)
{
	static const uint8_t zeros[32] = { 0 };
	const struct pv_mcuboot_tlv *v = NULL;
	uint32_t aes256 = st ? 0 : PV_MCUBOOT_F_AES256;
	size_t len = 0, want = (f->h.flags & aes256) != 0 ? 32 : 16;
	bool otfdec = st && (f->h.flags & PV_MCUBOOT_F_OTFDEC) != 0;
	uint8_t key[32] = { 0 };
	int r;

	for (size_t i = 0; i < f->t.n; i++)
		if (pv_mcuboot_is_enc(f->t.t[i].type))
			v = &f->t.t[i];
	if (v == NULL)
		return pv_fail(e, PV_E_MALFORMED, "the image has no image key");
	r = pv_mcuboot_enc_open(by, v, key, &len, e);
	if (r == 0 && len != want)
		r = pv_fail(e, PV_E_MALFORMED,
		    "an image key of %zu bytes, the header says %zu", len,
		    want);
	if (r == 0 && pv_ct_equal(key, zeros, len))
		r = pv_fail(e, PV_E_VERIFY, "the image key is all zeros");
	if (r == 0)
		r = pv_mcuboot_cipher_new(key, len, otfdec, ret_c, e);
	pv_wipe(key, sizeof(key));
	return r;
}

/* One run of the digest. */
struct run {
	const struct pv_mcuboot_file *f;
	const struct pv_mcuboot_digest_args *a;
	struct pv_hash *hash;
	size_t msg_len;
	uint8_t *buf;
};

static int
cover(struct run *d, size_t n, struct pv_error *e)
{
	if (d->a->msg != NULL)
		memcpy(d->a->msg + d->msg_len, d->buf, n);
	d->msg_len += n;
	return pv_hash_update(d->hash, d->buf, n, e);
}

static int
run_header(struct run *d, struct pv_error *e)
{
	struct pv_mcuboot_header h = d->f->h;
	size_t n = h.hdr_size;
	int r = pv_mcuboot_read(d->f, 0, d->buf, n, e);

	if (r != 0)
		return r;
	/* ST sets the flag of encryption after the hash (primary only). */
	if (d->a->st && (h.flags & PV_MCUBOOT_F_PRIMARY_ONLY) != 0) {
		h.flags &= ~PV_MCUBOOT_F_AES128;
		pv_mcuboot_header_encode(&h, d->buf);
	}
	return cover(d, n, e);
}

static int
run_payload(struct run *d, struct pv_error *e)
{
	uint64_t size = d->f->h.img_size;
	bool otfdec = d->a->st && (d->f->h.flags & PV_MCUBOOT_F_OTFDEC) != 0;
	int r = 0;

	for (uint64_t off = 0; r == 0 && off < size; off += CHUNK) {
		size_t n = size - off < CHUNK ? (size_t)(size - off) : CHUNK;

		r = pv_mcuboot_read(d->f, d->f->h.hdr_size + off, d->buf, n, e);
		if (r == 0 && otfdec)
			r = cover(d, n, e);
		if (r == 0 && d->a->cipher != NULL)
			r = pv_mcuboot_cipher_run(d->a->cipher, d->buf, n, e);
		if (r == 0 && !otfdec)
			r = cover(d, n, e);
		if (r == 0 && d->a->each != NULL)
			r = d->a->each(d->a->ctx, d->buf, n, e);
	}
	return r;
}

int
pv_mcuboot_digest(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_digest_args *a, uint8_t ret_digest[64],
    struct pv_error *e)
{
	struct run d = { .f = f, .a = a, .buf = malloc(CHUNK) };
	int r;

	if (d.buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_hash_new(a->bits, &d.hash, e);
	if (r == 0)
		r = run_header(&d, e);
	if (r == 0)
		r = run_payload(&d, e);
	if (r == 0) {
		memcpy(d.buf, f->areas, f->h.protect_size);
		r = cover(&d, f->h.protect_size, e);
	}
	if (r == 0)
		r = pv_hash_final(d.hash, ret_digest, e);
	pv_hash_free(d.hash);
	pv_wipe(d.buf, CHUNK);
	free(d.buf);
	return r;
}
