/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/enckey.h"

#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/ossl.h"
#include "crypto/pss.h"
#include "crypto/sigkey_int.h"
#include <provisor/secret.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#define RSA_LEN 256U

struct pv_enckey {
	EVP_PKEY *pkey;
	enum pv_enc_kind kind;
};

static int
find_kind(const EVP_PKEY *pkey, enum pv_enc_kind *ret_kind)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(pkey, "X25519")) {
		*ret_kind = PV_ENC_X25519;
		return 1;
	}
	if (EVP_PKEY_is_a(pkey, "RSA")) {
		*ret_kind = PV_ENC_RSA2048;
		return EVP_PKEY_get_bits(pkey) == 8 * (int)RSA_LEN;
	}
	if (EVP_PKEY_is_a(pkey, "EC") &&
	    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
		group, sizeof(group), NULL) == 1 &&
	    strcmp(group, "prime256v1") == 0) {
		*ret_kind = PV_ENC_EC_P256;
		return 1;
	}
	ERR_clear_error();
	return 0;
}

static int
adopt(EVP_PKEY *pkey, const char *what, struct pv_enckey **ret_k,
    struct pv_error *e)
{
	struct pv_enckey *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	k->pkey = pkey;
	if (!find_kind(pkey, &k->kind)) {
		pv_enckey_free(k);
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is no key that images are encrypted to: P-256, "
		    "X25519 or RSA-2048",
		    what);
	}
	*ret_k = k;
	return 0;
}

int
pv_enckey_read(const char *path, const struct pv_passphrase *pass,
    struct pv_enckey **ret_k, struct pv_error *e)
{
	EVP_PKEY *pkey = NULL;
	int r = pv_ossl_read_any(path, pass, &pkey, e);

	return r != 0 ? r : adopt(pkey, path, ret_k, e);
}

int
pv_enckey_from_spki(const uint8_t *der, size_t len, struct pv_enckey **ret_k,
    struct pv_error *e)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)len);

	if (pkey == NULL)
		return pv_ossl_fail(e, "public key");
	return adopt(pkey, "key", ret_k, e);
}

void
pv_enckey_free(struct pv_enckey *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

enum pv_enc_kind
pv_enckey_kind(const struct pv_enckey *k)
{
	return k->kind;
}

int
pv_enckey_id(const struct pv_enckey *k, uint8_t ret_id[32], struct pv_error *e)
{
	struct pv_part part = { NULL, 0 };
	unsigned char *der = NULL;
	int n = i2d_PUBKEY(k->pkey, &der), r;

	if (n <= 0)
		return pv_ossl_fail(e, "public key");
	part.data = der;
	part.len = (size_t)n;
	r = pv_sha256(&part, 1, ret_id, e);
	OPENSSL_free(der);
	return r;
}

/* --- ECDH ------------------------------------------------------------------ */

static int
derive(EVP_PKEY *own, EVP_PKEY *peer, uint8_t z[32], struct pv_error *e)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
	size_t len = 32;
	int r = 0;

	/* OpenSSL refuses an X25519 result of zeros. */
	if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_derive_set_peer(ctx, peer) != 1 ||
	    EVP_PKEY_derive(ctx, z, &len) != 1 || len != 32) {
		ERR_clear_error();
		r = pv_fail(e, PV_E_VERIFY, "ECDH with this public key fails");
	}
	EVP_PKEY_CTX_free(ctx);
	return r;
}

static int
agree_x25519(const struct pv_enckey *k, const uint8_t scalar[32],
    uint8_t ret_pub[65], size_t *ret_len, uint8_t ret_z[32], struct pv_error *e)
{
	EVP_PKEY *own =
	    EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, 32);
	size_t len = 32;
	int r;

	if (own == NULL || EVP_PKEY_get_raw_public_key(own, ret_pub, &len) != 1)
		r = pv_ossl_fail(e, "X25519");
	else
		r = derive(own, k->pkey, ret_z, e);
	EVP_PKEY_free(own);
	*ret_len = len;
	return r;
}

/* X then Y of a P-256 key. */
static int
point_of(const EVP_PKEY *pkey, uint8_t xy[64], struct pv_error *e)
{
	BIGNUM *x = NULL, *y = NULL;
	int r = 0;

	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1 ||
	    BN_bn2binpad(x, xy, 32) != 32 || BN_bn2binpad(y, xy + 32, 32) != 32)
		r = pv_ossl_fail(e, "public key");
	BN_free(x);
	BN_free(y);
	return r;
}

int
pv_enckey_agree(const struct pv_enckey *k, const uint8_t scalar[32],
    uint8_t ret_pub[65], size_t *ret_len, uint8_t ret_z[32], struct pv_error *e)
{
	struct pv_ec_key *own = NULL;
	uint8_t peer[64];
	int r;

	if (k->kind == PV_ENC_X25519)
		return agree_x25519(k, scalar, ret_pub, ret_len, ret_z, e);
	if (k->kind != PV_ENC_EC_P256)
		return pv_fail(e, PV_E_UNSUPPORTED, "no key for ECDH");
	r = pv_ec_from_scalar(scalar, &own, e);
	if (r == PV_E_MALFORMED)
		return pv_fail(e, PV_E_RANGE, "not a P-256 private key");
	if (r == 0)
		r = point_of(k->pkey, peer, e);
	ret_pub[0] = 0x04; /* SEC 1 section 2.3.3 */
	if (r == 0)
		r = pv_ec_public(own, ret_pub + 1, e);
	if (r == 0)
		r = pv_ecdh(own, peer, ret_z, e);
	pv_ec_free(own);
	*ret_len = 65;
	return r;
}

/* --- RSA-OAEP -------------------------------------------------------------- */

/*
 * EME-OAEP (RFC 8017 section 7.1.1) with the caller's seed, which OpenSSL has no
 * way to take: 0 || seed ^ MGF(DB) || DB ^ MGF(seed), DB = lHash, zeros, 1, M.
 */
static int
oaep_encode(const uint8_t seed[32], const uint8_t *msg, size_t len,
    uint8_t em[RSA_LEN], struct pv_error *e)
{
	size_t db_len = RSA_LEN - 1 - PV_SHA256_LEN;
	uint8_t *masked = em + 1, *db = em + 1 + PV_SHA256_LEN;
	int r;

	memset(em, 0, RSA_LEN);
	if ((r = pv_sha256(NULL, 0, db, e)) != 0)
		return r;
	db[db_len - len - 1] = 0x01;
	memcpy(db + db_len - len, msg, len);
	memcpy(masked, seed, PV_SHA256_LEN);
	if ((r = pv_mgf1_sha256(seed, PV_SHA256_LEN, db, db_len, e)) != 0)
		return r;
	return pv_mgf1_sha256(db, db_len, masked, PV_SHA256_LEN, e);
}

int
pv_oaep_decode(
    const uint8_t em[256], uint8_t *ret_msg, size_t *len, struct pv_error *e)
{
	size_t db_len = RSA_LEN - 1 - PV_SHA256_LEN, at = 0;
	uint8_t seed[PV_SHA256_LEN], db[RSA_LEN], hash[PV_SHA256_LEN];
	unsigned int bad = em[0], found = 0;
	int r;

	memcpy(seed, em + 1, sizeof(seed));
	memcpy(db, em + 1 + sizeof(seed), db_len);
	r = pv_mgf1_sha256(db, db_len, seed, sizeof(seed), e);
	if (r == 0)
		r = pv_mgf1_sha256(seed, sizeof(seed), db, db_len, e);
	if (r == 0)
		r = pv_sha256(NULL, 0, hash, e);
	for (size_t i = 0; r == 0 && i < sizeof(hash); i++)
		bad |= (unsigned int)(db[i] ^ hash[i]);
	/* Zeros, then a one, then the message. */
	for (size_t i = sizeof(hash); i < db_len; i++) {
		unsigned int one = db[i] == 0x01, zero = db[i] == 0;

		at = found == 0 && one ? i + 1 : at;
		bad |= found == 0 && !one && !zero;
		found |= one;
	}
	if (r == 0 && (bad != 0 || found == 0 || db_len - at > *len))
		r = pv_fail(e, PV_E_VERIFY,
		    "the image key was not encrypted to this RSA key");
	if (r == 0) {
		*len = db_len - at;
		memcpy(ret_msg, db + at, *len);
	}
	pv_wipe(db, sizeof(db));
	pv_wipe(seed, sizeof(seed));
	return r;
}

int
pv_enckey_oaep(const struct pv_enckey *k, const uint8_t seed[32],
    const uint8_t *msg, size_t len, uint8_t ret_out[256], struct pv_error *e)
{
	uint8_t em[RSA_LEN];
	size_t n = RSA_LEN;
	EVP_PKEY_CTX *ctx;
	int r;

	if (k->kind != PV_ENC_RSA2048 || len > RSA_LEN - 2 - 2 * PV_SHA256_LEN)
		return pv_fail(e, PV_E_INTERNAL, "OAEP of %zu bytes", len);
	r = oaep_encode(seed, msg, len, em, e);
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	if (r == 0 &&
	    (ctx == NULL || EVP_PKEY_encrypt_init(ctx) != 1 ||
		EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) != 1 ||
		EVP_PKEY_encrypt(ctx, ret_out, &n, em, sizeof(em)) != 1 ||
		n != RSA_LEN))
		r = pv_ossl_fail(e, "RSA-OAEP");
	EVP_PKEY_CTX_free(ctx);
	pv_wipe(em, sizeof(em));
	return r;
}

/* --- private keys ---------------------------------------------------------- */

static EVP_PKEY *
peer_key(enum pv_enc_kind kind, const uint8_t *peer, size_t len)
{
	struct pv_pubkey *p = NULL;
	EVP_PKEY *pkey;

	if (kind == PV_ENC_X25519 && len == 32)
		return EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_X25519, NULL, peer, len);
	/* Decoding checks that the point lies on the curve. */
	if (kind != PV_ENC_EC_P256 ||
	    pv_pubkey_from_point(PV_SIG_ECDSA_P256, peer, len, &p, NULL) != 0)
		return NULL;
	pkey = p->pkey;
	p->pkey = NULL;
	pv_pubkey_free(p);
	return pkey;
}

static int
file_agree(void *ctx, const uint8_t *peer, size_t len, uint8_t ret_z[32],
    struct pv_error *e)
{
	const struct pv_enckey *k = ctx;
	EVP_PKEY *other = peer_key(k->kind, peer, len);
	int r;

	if (other == NULL) {
		ERR_clear_error();
		return pv_fail(e, PV_E_VERIFY,
		    "the ephemeral key is none of this key's curve");
	}
	r = derive(k->pkey, other, ret_z, e);
	EVP_PKEY_free(other);
	return r;
}

static int
file_oaep(void *ctx, const uint8_t in[256], uint8_t *out, size_t *len,
    struct pv_error *e)
{
	const struct pv_enckey *k = ctx;
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	uint8_t em[RSA_LEN];
	size_t n = sizeof(em);
	int r;

	if (c == NULL || EVP_PKEY_decrypt_init(c) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(c, RSA_NO_PADDING) != 1 ||
	    EVP_PKEY_decrypt(c, em, &n, in, RSA_LEN) != 1 || n != RSA_LEN) {
		ERR_clear_error();
		r = pv_fail(e, PV_E_VERIFY,
		    "the image key was not encrypted to this RSA key");
	} else {
		r = pv_oaep_decode(em, out, len, e);
	}
	EVP_PKEY_CTX_free(c);
	pv_wipe(em, sizeof(em));
	return r;
}

static void
file_free(void *ctx)
{
	pv_enckey_free(ctx);
}

int
pv_opener_read(const char *path, const struct pv_passphrase *pass,
    struct pv_opener *ret_o, struct pv_error *e)
{
	struct pv_enckey *k = NULL;
	EVP_PKEY *pkey = NULL;
	int r = pv_ossl_read_private(path, pass, &pkey, e);

	if (r == 0)
		r = adopt(pkey, path, &k, e);
	if (r != 0)
		return r;
	*ret_o = (struct pv_opener){
		.ctx = k,
		.kind = k->kind,
		.agree = file_agree,
		.oaep = file_oaep,
		.free = file_free,
	};
	return 0;
}
