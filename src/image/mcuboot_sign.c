/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing in one pass: each piece of payload is read, hashed, encrypted and
 * written, so that an image of any size costs no memory. Only Ed25519 over the
 * message itself (--pure) needs all of it at once.
 */
#include "image/mcuboot_plan.h"

#include "base/buf.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/sigkey.h"
#include "image/out.h"
#include <provisor/image.h>
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

#define CHUNK	   65536U
#define UNPROT_MAX 8192U

/* One image under way. */
struct job {
	const struct pv_mcuboot_params *p;
	struct pv_mcuboot_plan pl;
	struct pv_hash *hash;
	uint8_t *msg; /* all that is hashed, for --pure; else NULL */
	size_t msg_len;
	struct pv_outfile *vec; /* or that, to a file */
	struct pv_imgout *out;	/* NULL: nothing is written */
	struct pv_mcuboot_cipher *cipher;
	uint8_t aes[32];
	uint8_t enc[PV_MCUBOOT_ENC_MAX];
	uint8_t digest[PV_HASH_MAX];
	uint8_t sig[PV_SIG_MAX]; /* the first, as it stands in its entry */
	size_t sig_len;
	uint8_t *buf;
	uint64_t used;
};

static void
job_release(struct job *j)
{
	pv_mcuboot_plan_release(&j->pl);
	pv_hash_free(j->hash);
	pv_outfile_free(j->vec);
	pv_imgout_free(j->out);
	pv_mcuboot_cipher_free(j->cipher);
	pv_wipe(j->aes, sizeof(j->aes));
	free(j->msg);
	free(j->buf);
}

/* What the signature covers. */
static int
cover(struct job *j, const void *data, size_t len, struct pv_error *e)
{
	int r = pv_hash_update(j->hash, data, len, e);

	if (r == 0 && j->vec != NULL)
		r = pv_outfile_write(j->vec, data, len, e);
	if (j->msg != NULL) {
		memcpy(j->msg + j->msg_len, data, len);
		j->msg_len += len;
	}
	return r;
}

static int
emit(struct job *j, const void *data, size_t len, struct pv_error *e)
{
	j->used += len;
	return j->out == NULL ? 0 : pv_imgout_write(j->out, data, len, e);
}

static int
header(struct job *j, struct pv_error *e)
{
	size_t n = j->p->hdr_size;
	int r;

	memset(j->buf, j->pl.fill, n);
	pv_mcuboot_header_encode(&j->pl.hashed, j->buf);
	if ((r = cover(j, j->buf, n, e)) != 0)
		return r;
	pv_mcuboot_header_encode(&j->pl.written, j->buf);
	return emit(j, j->buf, n, e);
}

/* Bytes of the payload; what the input does not have is zero. */
static int
read_payload(const struct job *j, uint64_t off, size_t n, struct pv_error *e)
{
	uint64_t given = j->pl.given;
	size_t have = 0;
	int r = 0;

	if (off < given)
		have = given - off < n ? (size_t)(given - off) : n;
	if (have > 0)
		r = pv_image_read(
		    j->pl.img, 0, j->pl.skip + off, j->buf, have, e);
	memset(j->buf + have, 0, n - have);
	return r;
}

static int
payload(struct job *j, struct pv_error *e)
{
	bool otfdec = j->p->otfdec;
	int r = 0;

	for (uint64_t off = 0; r == 0 && off < j->pl.payload; off += CHUNK) {
		uint64_t left = j->pl.payload - off;
		size_t n = left < CHUNK ? (size_t)left : CHUNK;

		r = read_payload(j, off, n, e);
		if (r == 0 && !otfdec)
			r = cover(j, j->buf, n, e);
		if (r == 0 && j->cipher != NULL)
			r = pv_mcuboot_cipher_run(j->cipher, j->buf, n, e);
		/* OTFDEC images are verified as they lie in the flash. */
		if (r == 0 && otfdec)
			r = cover(j, j->buf, n, e);
		if (r == 0)
			r = emit(j, j->buf, n, e);
	}
	return r;
}

static int
protected_area(struct job *j, struct pv_error *e)
{
	int r = cover(j, j->pl.protect, j->pl.protect_len, e);

	if (r == 0)
		r = emit(j, j->pl.protect, j->pl.protect_len, e);
	return r != 0 ? r : pv_hash_final(j->hash, j->digest, e);
}

/* --- signature ------------------------------------------------------------- */

/* The bytes that a key signs: Ed25519 takes a message, which is the digest
 * unless the signature is pure. */
static int
sign_one(const struct job *j, const struct pv_mcuboot_signature *s,
    uint8_t *sig, size_t *len, struct pv_error *e)
{
	const struct pv_message_signer *k = s->signer;
	size_t n = j->pl.bits / 8;

	if (k == NULL)
		return pv_mcuboot_sig_take(
		    pv_pubkey_alg(s->pub), s->sig, s->sig_len, sig, len, e);
	if (k->alg != PV_SIG_ED25519)
		return k->sign_digest(k->ctx, j->digest, n, sig, len, e);
	return j->p->pure ? k->sign(k->ctx, j->msg, j->msg_len, sig, len, e)
			  : k->sign(k->ctx, j->digest, n, sig, len, e);
}

/* Not without a look at what came out of key, token or file. */
static int
check_one(const struct job *j, const struct pv_mcuboot_signature *s,
    const uint8_t *sig, size_t len, struct pv_error *e)
{
	size_t n = j->pl.bits / 8;
	int r;

	if (pv_pubkey_alg(s->pub) != PV_SIG_ED25519)
		r = pv_pubkey_verify_digest(s->pub, j->digest, n, sig, len, e);
	else if (j->p->pure)
		r = pv_pubkey_verify(s->pub, j->msg, j->msg_len, sig, len, e);
	else
		r = pv_pubkey_verify(s->pub, j->digest, n, sig, len, e);
	if (r == PV_E_VERIFY && s->signer == NULL)
		return pv_fail(e, PV_E_VERIFY,
		    "the signature given is not of this image by this key");
	return r == 0 ? 0 : pv_wrap(e, "checking the signature just made");
}

static int
put_signature(struct job *j, const struct pv_mcuboot_signature *s,
    struct pv_writer *w, struct pv_error *e)
{
	enum pv_sig_alg alg = pv_pubkey_alg(s->pub);
	uint8_t sig[PV_SIG_MAX], body[PV_SIG_MAX], key[PV_SPKI_MAX];
	size_t len = 0, n = 0;
	int r = sign_one(j, s, sig, &len, e);

	if (r == 0)
		r = check_one(j, s, sig, len, e);
	if (r == 0)
		r = j->p->full_key
			? pv_mcuboot_key_encode(s->pub, key, &n, e)
			: pv_mcuboot_key_hash(s->pub, j->pl.bits, key, e);
	if (r != 0)
		return r;
	if (j->p->full_key)
		pv_mcuboot_tlv_put(w, PV_TLV_PUBKEY, key, n);
	else
		pv_mcuboot_tlv_put(w, PV_TLV_KEYHASH, key, j->pl.bits / 8);
	r = pv_mcuboot_sig_encode(alg, j->pl.form, sig, len, body, &n, e);
	if (r != 0)
		return r;
	pv_mcuboot_tlv_put(w, pv_mcuboot_sig_type(alg), body, n);
	if (j->sig_len == 0) {
		memcpy(j->sig, body, n);
		j->sig_len = n;
	}
	return 0;
}

static void
put_enc(const struct job *j, struct pv_writer *w)
{
	const struct pv_mcuboot_params *p = j->p;

	if (p->to != NULL)
		pv_mcuboot_tlv_put(w, pv_mcuboot_enc_type(p->to), j->enc,
		    pv_mcuboot_enc_len(p->to, p->enc_key_len));
}

static int
unprotected_area(struct job *j, struct pv_error *e)
{
	static const uint8_t yes = 1;
	const struct pv_mcuboot_params *p = j->p;
	uint8_t area[UNPROT_MAX];
	struct pv_writer w;
	size_t mark;
	int r = 0;

	pv_wr_init(&w, area, sizeof(area));
	mark = pv_mcuboot_area_begin(&w, PV_MCUBOOT_INFO_UNPROTECTED);
	if (p->otfdec)
		put_enc(j, &w);
	pv_mcuboot_tlv_put(
	    &w, pv_mcuboot_hash_type(j->pl.bits), j->digest, j->pl.bits / 8);
	if (p->pure)
		pv_mcuboot_tlv_put(&w, PV_TLV_SIG_PURE, &yes, 1);
	for (size_t i = 0; r == 0 && i < p->n_sigs; i++)
		r = put_signature(j, &p->sigs[i], &w, e);
	if (!p->otfdec)
		put_enc(j, &w);
	if (r == 0 && !pv_mcuboot_area_end(&w, mark))
		r = pv_fail(e, PV_E_RANGE,
		    "the unprotected entries have more than %u bytes",
		    UNPROT_MAX);
	return r != 0 ? r : emit(j, area, w.len, e);
}

/* --- trailer --------------------------------------------------------------- */

/* n erased bytes of the trailer: ST writes them into HEX as well, imgtool
 * leaves them out. */
static int
blank(struct job *j, uint64_t n, struct pv_error *e)
{
	uint8_t block[1024];
	int r = 0;

	if (!j->p->flavor->st)
		return pv_imgout_gap(j->out, n, j->p->erased, e);
	memset(block, j->p->erased, sizeof(block));
	while (r == 0 && n > 0) {
		size_t now = n < sizeof(block) ? (size_t)n : sizeof(block);

		r = pv_imgout_write(j->out, block, now, e);
		n -= now;
	}
	return r;
}

/* From the end of the image to the end of the slot. */
static int
trailer(struct job *j, struct pv_error *e)
{
	const struct pv_mcuboot_params *p = j->p;
	uint64_t ok = p->confirm ? pv_mcuboot_image_ok(&j->pl.layout) : 0;
	uint64_t left = j->pl.trailer; /* to the end of the slot */
	uint8_t magic[PV_MCUBOOT_TRAILER_MAGIC], set = 0x01;
	int r =
	    pv_imgout_gap(j->out, p->slot_size - left - j->used, p->erased, e);

	if (r == 0 && ok != 0) {
		r = blank(j, left - ok, e);
		if (r == 0)
			r = pv_imgout_write(j->out, &set, 1, e);
		left = ok - 1;
	}
	if (r == 0)
		r = blank(j, left - sizeof(magic), e);
	pv_mcuboot_trailer_magic(&j->pl.layout, magic);
	return r != 0 ? r : pv_imgout_write(j->out, magic, sizeof(magic), e);
}

/* --- all of it ------------------------------------------------------------- */

static int
begin(struct job *j, const char *in, struct pv_error *e)
{
	const struct pv_mcuboot_params *p = j->p;
	int r = pv_mcuboot_plan(p, in, &j->pl, e);

	if (r != 0)
		return r;
	j->buf = malloc(CHUNK);
	if (p->pure)
		j->msg =
		    malloc(p->hdr_size + j->pl.payload + j->pl.protect_len + 1);
	if (j->buf == NULL || (p->pure && j->msg == NULL))
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	return pv_hash_new(j->pl.bits, &j->hash, e);
}

static int
begin_encryption(struct job *j, struct pv_error *e)
{
	const struct pv_mcuboot_params *p = j->p;
	int r;

	if (p->to == NULL)
		return 0;
	r = p->rng->fill(p->rng->ctx, "aes", j->aes, p->enc_key_len, e);
	if (r == 0)
		r = pv_mcuboot_enc_seal(
		    p->to, p->rng, j->aes, p->enc_key_len, j->enc, e);
	if (r == 0 && !p->clear)
		r = pv_mcuboot_cipher_new(
		    j->aes, p->enc_key_len, p->otfdec, &j->cipher, e);
	return r;
}

static void
report(const struct job *j, uint64_t size, struct pv_mcuboot_made *made)
{
	*made = (struct pv_mcuboot_made){
		.size = size,
		.used = j->used,
		.trailer = j->p->pad || j->p->confirm ? j->pl.trailer : 0,
		.bits = j->pl.bits,
		.h = j->pl.written,
	};
	memcpy(made->digest, j->digest, sizeof(made->digest));
	memcpy(made->sig, j->sig, j->sig_len);
	made->sig_len = j->sig_len;
}

int
pv_mcuboot_sign(const struct pv_mcuboot_params *p, const char *in,
    const char *out, struct pv_mcuboot_made *ret_made, struct pv_error *e)
{
	struct job j = { .p = p };
	bool pad = p->pad || p->confirm;
	int r = begin(&j, in, e);

	if (r == 0 && pv_imgout_is_hex(out) && j.pl.base == 0 &&
	    !p->has_hex_addr) {
		r = pv_fail(e, PV_E_USAGE,
		    "'%s' is Intel HEX, and the input has no address", out);
		(void)pv_hint(e, "give it with --hex-addr");
	}
	if (r == 0)
		r = begin_encryption(&j, e);
	if (r == 0)
		r = pv_imgout_open(
		    out, j.pl.base, p->clear ? 0600 : 0644, &j.out, e);
	if (r == 0)
		r = header(&j, e);
	if (r == 0)
		r = payload(&j, e);
	if (r == 0)
		r = protected_area(&j, e);
	if (r == 0)
		r = unprotected_area(&j, e);
	if (r == 0)
		r = pv_mcuboot_plan_fits(&j.pl, j.used, e);
	if (r == 0 && pad)
		r = trailer(&j, e);
	if (r == 0)
		r = pv_imgout_commit(j.out, e);
	if (r == 0)
		report(&j, pad ? p->slot_size : j.used, ret_made);
	job_release(&j);
	return r;
}

int
pv_mcuboot_vector(const struct pv_mcuboot_params *p, const char *in,
    const char *out, bool whole, struct pv_mcuboot_made *ret_made,
    struct pv_error *e)
{
	struct job j = { .p = p };
	int r;

	/* It would be another ciphertext when the image is made. */
	if (p->otfdec)
		return pv_fail(e, PV_E_USAGE,
		    "an OTFDEC image is signed encrypted, so it cannot be "
		    "signed elsewhere");
	if (p->pure && !whole)
		return pv_fail(e, PV_E_USAGE,
		    "--pure signs the bytes and not their digest: "
		    "--vector-to-sign payload");
	r = begin(&j, in, e);
	if (r == 0 && whole)
		r = pv_outfile_open(out, 0644, &j.vec, e);
	if (r == 0)
		r = header(&j, e);
	if (r == 0)
		r = payload(&j, e);
	if (r == 0)
		r = protected_area(&j, e);
	if (r == 0)
		r = j.vec != NULL
			? pv_outfile_commit(j.vec, e)
			: pv_file_write(out, 0644, j.digest, j.pl.bits / 8, e);
	if (r == 0)
		report(&j, j.used, ret_made);
	job_release(&j);
	return r;
}
