/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image key on its way to the chip: ECIES-P256, ECIES-X25519 (with SHA-256
 * or SHA-512), RSA-OAEP, AES-KW; and the cipher it is for. MCUboot
 * docs/encrypted_images.md.
 */
#include "image/mcuboot.h"

#include "crypto/digest.h"
#include "crypto/enckey.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

static const char ecies_info[] = "MCUBoot_ECIES_v1"; /* without its zero */
#define INFO_LEN   (sizeof(ecies_info) - 1)
#define SCALAR_TRY 8 /* a random scalar is no P-256 key once in 2^32 */

static int
system_fill(
    void *ctx, const char *what, uint8_t *data, size_t len, struct pv_error *e)
{
	(void)ctx;
	(void)what;
	return pv_random(data, len, e);
}

const struct pv_mcuboot_random pv_mcuboot_system_random = { NULL, system_fill };

uint16_t
pv_mcuboot_enc_type(const struct pv_mcuboot_recipient *to)
{
	if (to->wrap != NULL)
		return PV_TLV_ENC_KW;
	switch (pv_enckey_kind(to->key)) {
	case PV_ENC_EC_P256:
		return PV_TLV_ENC_EC256;
	case PV_ENC_X25519:
		return to->hmac_sha512 ? PV_TLV_ENC_X25519_SHA512
				       : PV_TLV_ENC_X25519;
	case PV_ENC_RSA2048:
		break;
	}
	return PV_TLV_ENC_RSA2048;
}

/* Bytes before the encrypted key: ephemeral public key, MAC. */
static size_t
ecies_public(uint16_t type)
{
	return type == PV_TLV_ENC_EC256 ? 65 : 32;
}

static unsigned int
ecies_bits(uint16_t type)
{
	return type == PV_TLV_ENC_X25519_SHA512 ? 512 : 256;
}

size_t
pv_mcuboot_enc_len(const struct pv_mcuboot_recipient *to, size_t key_len)
{
	uint16_t type = pv_mcuboot_enc_type(to);

	if (type == PV_TLV_ENC_RSA2048)
		return 256;
	if (type == PV_TLV_ENC_KW)
		return key_len + 8;
	return ecies_public(type) + ecies_bits(type) / 8 + key_len;
}

/*
 * From Z: key-encryption key and MAC key by HKDF, then the key under AES-CTR
 * with a counter of 0. `in` and `out` may be the same; the MAC is over the
 * encrypted form, which is `in` when opening.
 */
static int
ecies_apply(unsigned int bits, const uint8_t z[32], const uint8_t *in,
    uint8_t *out, size_t key_len, bool opening, uint8_t *ret_mac,
    struct pv_error *e)
{
	uint8_t okm[32 + PV_HASH_MAX], sealed[32];
	size_t mac_len = bits / 8;
	struct pv_ctr *ctr = NULL;
	int r = pv_hkdf(
	    bits, z, 32, ecies_info, INFO_LEN, okm, key_len + mac_len, e);

	if (r == 0)
		r = pv_ctr_new(okm, key_len, NULL, &ctr, e);
	memcpy(sealed, in, key_len);
	if (r == 0)
		r = pv_ctr_update(ctr, in, out, key_len, e);
	if (!opening)
		memcpy(sealed, out, key_len);
	if (r == 0)
		r = pv_hmac(
		    bits, okm + key_len, mac_len, sealed, key_len, ret_mac, e);
	pv_ctr_free(ctr);
	pv_wipe(okm, sizeof(okm));
	return r;
}

static int
ecies_seal(const struct pv_mcuboot_recipient *to,
    const struct pv_mcuboot_random *rng, const uint8_t *key, size_t key_len,
    uint8_t *body, struct pv_error *e)
{
	uint16_t type = pv_mcuboot_enc_type(to);
	unsigned int bits = ecies_bits(type);
	uint8_t scalar[32], z[32], *mac;
	size_t pub_len = 0;
	int r = PV_E_RANGE;

	for (int i = 0; i < SCALAR_TRY && r == PV_E_RANGE; i++) {
		r = rng->fill(rng->ctx, "ephemeral", scalar, sizeof(scalar), e);
		if (r == 0)
			r = pv_enckey_agree(
			    to->key, scalar, body, &pub_len, z, e);
	}
	if (r == 0) {
		mac = body + pub_len;
		r = ecies_apply(
		    bits, z, key, mac + bits / 8, key_len, false, mac, e);
	}
	pv_wipe(scalar, sizeof(scalar));
	pv_wipe(z, sizeof(z));
	return r;
}

int
pv_mcuboot_enc_seal(const struct pv_mcuboot_recipient *to,
    const struct pv_mcuboot_random *rng, const uint8_t *key, size_t key_len,
    uint8_t ret_body[PV_MCUBOOT_ENC_MAX], struct pv_error *e)
{
	uint8_t seed[32];
	int r;

	switch (pv_mcuboot_enc_type(to)) {
	case PV_TLV_ENC_KW:
		return pv_aes_wrap(pv_secret_bytes(to->wrap),
		    pv_secret_len(to->wrap), key, key_len, ret_body, e);
	case PV_TLV_ENC_RSA2048:
		r = rng->fill(rng->ctx, "oaep", seed, sizeof(seed), e);
		if (r == 0)
			r = pv_enckey_oaep(
			    to->key, seed, key, key_len, ret_body, e);
		pv_wipe(seed, sizeof(seed));
		return r;
	default:
		return ecies_seal(to, rng, key, key_len, ret_body, e);
	}
}

/* --- opening --------------------------------------------------------------- */

static int
ecies_open(const struct pv_opener *o, const struct pv_mcuboot_tlv *v,
    uint8_t *ret_key, size_t *ret_len, struct pv_error *e)
{
	unsigned int bits = ecies_bits(v->type);
	size_t pub = ecies_public(v->type), mac_len = bits / 8, len;
	size_t skip = pub == 65 ? 1 : 0; /* 0x04 before X and Y */
	uint8_t z[32], mac[PV_HASH_MAX], key[32];
	int r;

	if (v->len != pub + mac_len + 16 && v->len != pub + mac_len + 32)
		return pv_fail(e, PV_E_MALFORMED, "image key of %u bytes",
		    (unsigned int)v->len);
	if (skip == 1 && v->data[0] != 0x04)
		return pv_fail(e, PV_E_MALFORMED,
		    "the ephemeral key begins with 0x%02x, not 0x04",
		    v->data[0]);
	len = v->len - pub - mac_len;
	r = o->agree(o->ctx, v->data + skip, pub - skip, z, e);
	if (r == 0)
		r = ecies_apply(
		    bits, z, v->data + pub + mac_len, key, len, true, mac, e);
	/* The key is not used before its MAC is known to be good. */
	if (r == 0 && !pv_ct_equal(mac, v->data + pub, mac_len))
		r = pv_fail(e, PV_E_VERIFY,
		    "the image key was not encrypted to this key (its MAC "
		    "differs)");
	if (r == 0) {
		memcpy(ret_key, key, len);
		*ret_len = len;
	}
	pv_wipe(z, sizeof(z));
	pv_wipe(key, sizeof(key));
	return r;
}

static int
wrong_kind(const struct pv_mcuboot_tlv *v, struct pv_error *e)
{
	return pv_fail(e, PV_E_USAGE,
	    "the image holds an %s, which is for another kind of decryption "
	    "key",
	    pv_mcuboot_type_name(v->type));
}

static int
kw_open(const struct pv_secret *wrap, const struct pv_mcuboot_tlv *v,
    uint8_t *ret_key, size_t *ret_len, struct pv_error *e)
{
	int r;

	if ((size_t)v->len != pv_secret_len(wrap) + 8)
		return pv_fail(e, PV_E_VERIFY,
		    "the image key of %u bytes is not for a wrapping key of "
		    "%zu",
		    (unsigned int)v->len, pv_secret_len(wrap));
	r = pv_aes_unwrap(pv_secret_bytes(wrap), pv_secret_len(wrap), v->data,
	    v->len, ret_key, e);
	if (r == 0)
		*ret_len = v->len - 8U;
	return r;
}

/* Can a key of this kind open an entry of that type? */
static bool
serves(enum pv_enc_kind kind, uint16_t type)
{
	switch (kind) {
	case PV_ENC_EC_P256:
		return type == PV_TLV_ENC_EC256;
	case PV_ENC_X25519:
		return type == PV_TLV_ENC_X25519 ||
		       type == PV_TLV_ENC_X25519_SHA512;
	case PV_ENC_RSA2048:
		return type == PV_TLV_ENC_RSA2048;
	}
	return false;
}

int
pv_mcuboot_enc_open(const struct pv_mcuboot_opening *by,
    const struct pv_mcuboot_tlv *v, uint8_t ret_key[32], size_t *ret_len,
    struct pv_error *e)
{
	const struct pv_opener *o = by->opener;
	size_t len = 32;
	int r;

	if (v->type == PV_TLV_ENC_KW)
		return by->wrap == NULL
			   ? wrong_kind(v, e)
			   : kw_open(by->wrap, v, ret_key, ret_len, e);
	if (o == NULL || !serves(o->kind, v->type))
		return wrong_kind(v, e);
	if (v->type != PV_TLV_ENC_RSA2048)
		return ecies_open(o, v, ret_key, ret_len, e);
	r = o->oaep(o->ctx, v->data, ret_key, &len, e);
	if (r == 0 && len != 16 && len != 32)
		r = pv_fail(
		    e, PV_E_MALFORMED, "an image key of %zu bytes", len);
	if (r == 0)
		*ret_len = len;
	return r;
}

/* --- the payload's cipher -------------------------------------------------- */

#define STREAM 4096U

struct pv_mcuboot_cipher {
	struct pv_ctr *ctr;
	bool otfdec;
};

int
pv_mcuboot_cipher_new(const uint8_t *key, size_t len, bool otfdec,
    struct pv_mcuboot_cipher **ret_c, struct pv_error *e)
{
	struct pv_mcuboot_cipher *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	c->otfdec = otfdec;
	if ((r = pv_ctr_new(key, len, NULL, &c->ctr, e)) != 0) {
		free(c);
		return r;
	}
	*ret_c = c;
	return 0;
}

/* OTFDEC turns each block around, encrypts, and turns it back: the key stream
 * is laid over the block from its end. */
static int
run_otfdec(
    struct pv_mcuboot_cipher *c, uint8_t *data, size_t len, struct pv_error *e)
{
	uint8_t ks[STREAM];
	int r = 0;

	for (size_t off = 0; r == 0 && off < len; off += STREAM) {
		size_t n = len - off < STREAM ? len - off : STREAM;

		memset(ks, 0, sizeof(ks));
		r = pv_ctr_update(c->ctr, ks, ks, (n + 15) / 16 * 16, e);
		for (size_t i = 0; i < n; i++)
			data[off + i] ^= ks[i / 16 * 16 + 15 - i % 16];
	}
	pv_wipe(ks, sizeof(ks));
	return r;
}

int
pv_mcuboot_cipher_run(
    struct pv_mcuboot_cipher *c, uint8_t *data, size_t len, struct pv_error *e)
{
	return c->otfdec ? run_otfdec(c, data, len, e)
			 : pv_ctr_update(c->ctr, data, data, len, e);
}

void
pv_mcuboot_cipher_free(struct pv_mcuboot_cipher *c)
{
	if (c == NULL)
		return;
	pv_ctr_free(c->ctr);
	free(c);
}
