/* SPDX-License-Identifier: Apache-2.0 */
/* Taking the cipher off an image, and putting it on a clear one. */
#include "image/mcuboot.h"

#include "crypto/digest.h"
#include "image/out.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK 65536U

/* Parts of the input as they are. */
static int
copy(const struct pv_mcuboot_file *f, uint64_t from, uint64_t to,
    struct pv_imgout *out, struct pv_error *e)
{
	uint8_t *buf = malloc(CHUNK);
	int r = 0;

	if (buf == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (uint64_t off = from; r == 0 && off < to; off += CHUNK) {
		size_t n = to - off < CHUNK ? (size_t)(to - off) : CHUNK;

		r = pv_mcuboot_read(f, off, buf, n, e);
		if (r == 0)
			r = pv_imgout_write(out, buf, n, e);
	}
	free(buf);
	return r;
}

/* Where the payload goes on its way through the digest. */
struct sink {
	struct pv_imgout *out;
	struct pv_mcuboot_cipher *cipher; /* only when encrypting */
	uint8_t *room;
};

static int
take(void *ctx, const uint8_t *data, size_t len, struct pv_error *e)
{
	struct sink *s = ctx;
	int r = 0;

	for (size_t off = 0; r == 0 && off < len; off += CHUNK) {
		size_t n = len - off < CHUNK ? len - off : CHUNK;

		memcpy(s->room, data + off, n);
		if (s->cipher != NULL)
			r = pv_mcuboot_cipher_run(s->cipher, s->room, n, e);
		if (r == 0)
			r = pv_imgout_write(s->out, s->room, n, e);
	}
	return r;
}

static int
payload(const struct pv_mcuboot_file *f, bool st,
    struct pv_mcuboot_cipher *cipher, bool encrypt, struct pv_imgout *out,
    struct pv_error *e)
{
	struct sink s = { out, encrypt ? cipher : NULL, malloc(CHUNK) };
	struct pv_mcuboot_digest_args a = {
		.st = st,
		.cipher = encrypt ? NULL : cipher,
		.each = take,
		.ctx = &s,
	};
	const struct pv_mcuboot_tlv *want = NULL;
	uint8_t digest[PV_HASH_MAX];
	int r;

	if (s.room == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_mcuboot_hash_entry(f, &want, &a.bits, e);
	if (r == 0)
		r = pv_mcuboot_digest(f, &a, digest, e);
	if (r == 0 && memcmp(digest, want->data, want->len) != 0)
		r = pv_fail(e, PV_E_VERIFY,
		    encrypt ? "the payload is not clear (the hash differs)"
			    : "the payload is not what was signed, or is "
			      "clear already (the hash differs)");
	free(s.room);
	return r;
}

int
pv_mcuboot_recrypt(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_flavor *flavor, const struct pv_mcuboot_opening *by,
    bool encrypt, bool payload_only, const char *path, struct pv_error *e)
{
	struct pv_mcuboot_cipher *cipher = NULL;
	struct pv_imgout *out = NULL;
	bool otfdec = flavor->st && (f->h.flags & PV_MCUBOOT_F_OTFDEC) != 0;
	uint64_t base = f->base;
	int r = pv_mcuboot_validate(&f->h, &f->t, flavor->st, e);

	if (r == 0 && otfdec && !payload_only)
		return pv_fail(e, PV_E_USAGE,
		    "an OTFDEC image is signed encrypted: only its payload can "
		    "be taken out (--payload-only)");
	if (payload_only)
		base += f->h.hdr_size;
	if (r == 0)
		r = pv_mcuboot_open_cipher(f, flavor->st, by, &cipher, e);
	if (r == 0)
		r = pv_imgout_open(path, base, encrypt ? 0644 : 0600, &out, e);
	if (r == 0 && !payload_only)
		r = copy(f, 0, f->h.hdr_size, out, e);
	if (r == 0)
		r = payload(f, flavor->st, cipher, encrypt, out, e);
	if (r == 0 && !payload_only)
		r = copy(f, f->areas_at, f->size, out, e);
	if (r == 0)
		r = pv_imgout_commit(out, e);
	pv_imgout_free(out);
	pv_mcuboot_cipher_free(cipher);
	return r == 0 ? 0 : pv_wrap(e, "'%s'", f->path);
}
