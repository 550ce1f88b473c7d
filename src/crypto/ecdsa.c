/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA on P-256 and P-384 with the deterministic nonce of RFC 6979. OpenSSL 3.0 signs
 * only with random nonces, so the equation is worked out here on its curve
 * arithmetic: EC_POINT_mul and the group's Montgomery inverse run in constant
 * time for values marked BN_FLG_CONSTTIME.
 */
#include "crypto/ec.h"

#include "crypto/ec_sig.h"
#include "crypto/ossl.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>

#include <string.h>

#include <provisor/secret.h>

int
pv_ec_sig_to_der(const uint8_t sig[64], uint8_t *der, size_t *len)
{
	return pv_ec_raw_sig_to_der(32, sig, der, len);
}

int
pv_ec_raw_sig_to_der(size_t size, const uint8_t *sig, uint8_t *der, size_t *len)
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, (int)size, NULL);
	BIGNUM *v = BN_bin2bn(sig + size, (int)size, NULL);
	unsigned char *p = der;
	int n, done = 0;

	if (s == NULL || r == NULL || v == NULL ||
	    ECDSA_SIG_set0(s, r, v) != 1) {
		BN_free(r);
		BN_free(v);
		goto out;
	}
	n = i2d_ECDSA_SIG(s, NULL);
	if (n > 0 && (size_t)n <= *len && i2d_ECDSA_SIG(s, &p) == n) {
		*len = (size_t)n;
		done = 1;
	}
out:
	ECDSA_SIG_free(s);
	return done;
}

int
pv_ec_raw_sig_from_der(size_t size, const uint8_t *der, size_t len,
    uint8_t *ret_sig, size_t *ret_used)
{
	const unsigned char *p = der;
	ECDSA_SIG *s = d2i_ECDSA_SIG(NULL, &p, (long)len);
	int n = (int)size, done;

	ERR_clear_error();
	if (s == NULL)
		return 0;
	done = BN_bn2binpad(ECDSA_SIG_get0_r(s), ret_sig, n) == n &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(s), ret_sig + size, n) == n;
	ECDSA_SIG_free(s);
	*ret_used = (size_t)(p - der);
	return done;
}

/* A curve with the digest of its own width, as RFC 6979 pairs them. */
struct curve {
	int nid;
	size_t size; /* bytes of a number and of the digest */
	const EVP_MD *(*md)(void);
};

static const struct curve p256 = { NID_X9_62_prime256v1, 32, EVP_sha256 };
static const struct curve p384 = { NID_secp384r1, 48, EVP_sha384 };

#define SIZE_MAX_EC 48U

/* The generator of RFC 6979 section 3.2: K and V, stepped by HMAC. */
struct nonce_gen {
	const struct curve *c;
	uint8_t k[SIZE_MAX_EC], v[SIZE_MAX_EC];
};

static int
hmac(struct nonce_gen *g, const uint8_t *data, size_t len, uint8_t *out)
{
	unsigned int n = (unsigned int)g->c->size;

	return HMAC(g->c->md(), g->k, (int)g->c->size, data, len, out, &n) !=
	       NULL;
}

/* K = HMAC_K(V || sep || seed), V = HMAC_K(V) */
static int
gen_step(struct nonce_gen *g, uint8_t sep, const uint8_t *seed, size_t len)
{
	uint8_t msg[SIZE_MAX_EC + 1 + 2 * SIZE_MAX_EC];
	size_t n = g->c->size;
	int good;

	memcpy(msg, g->v, n);
	msg[n] = sep;
	if (len != 0)
		memcpy(msg + n + 1, seed, len);
	good = hmac(g, msg, n + 1 + len, g->k) && hmac(g, g->v, n, g->v);
	pv_wipe(msg, sizeof(msg));
	return good;
}

struct numbers {
	BN_CTX *ctx;
	EC_GROUP *group;
	EC_POINT *point;
	BIGNUM *d, *k, *x, *r, *s, *z, *t;
};

static void
numbers_free(struct numbers *n)
{
	BN_clear_free(n->d);
	BN_clear_free(n->k);
	BN_clear_free(n->x);
	BN_clear_free(n->t);
	BN_free(n->r);
	BN_free(n->s);
	BN_free(n->z);
	EC_POINT_free(n->point);
	EC_GROUP_free(n->group);
	BN_CTX_free(n->ctx);
}

static int
numbers_new(struct numbers *n, const struct curve *c)
{
	memset(n, 0, sizeof(*n));
	n->ctx = BN_CTX_secure_new();
	n->group = EC_GROUP_new_by_curve_name(c->nid);
	if (n->group != NULL)
		n->point = EC_POINT_new(n->group);
	n->d = BN_secure_new();
	n->k = BN_secure_new();
	n->x = BN_secure_new();
	n->t = BN_secure_new();
	n->r = BN_new();
	n->s = BN_new();
	n->z = BN_new();
	return n->ctx != NULL && n->point != NULL && n->d != NULL &&
	       n->k != NULL && n->x != NULL && n->t != NULL && n->r != NULL &&
	       n->s != NULL && n->z != NULL;
}

/* One try with nonce n->k: 1 = r and s are good, 0 = next nonce, -1 = fault */
static int
try_nonce(struct numbers *n)
{
	const BIGNUM *q = EC_GROUP_get0_order(n->group);

	if (BN_is_zero(n->k) || BN_cmp(n->k, q) >= 0)
		return 0;
	BN_set_flags(n->k, BN_FLG_CONSTTIME);
	BN_set_flags(n->d, BN_FLG_CONSTTIME);
	if (EC_POINT_mul(n->group, n->point, n->k, NULL, NULL, n->ctx) != 1 ||
	    EC_POINT_get_affine_coordinates(
		n->group, n->point, n->x, NULL, n->ctx) != 1 ||
	    BN_nnmod(n->r, n->x, q, n->ctx) != 1)
		return -1;
	/* s = k^-1 (z + r d) mod q */
	if (BN_mod_inverse(n->t, n->k, q, n->ctx) == NULL ||
	    BN_mod_mul(n->x, n->r, n->d, q, n->ctx) != 1 ||
	    BN_mod_add(n->x, n->x, n->z, q, n->ctx) != 1 ||
	    BN_mod_mul(n->s, n->t, n->x, q, n->ctx) != 1)
		return -1;
	return !BN_is_zero(n->r) && !BN_is_zero(n->s);
}

static int
sign(const struct curve *c, const uint8_t *d, const uint8_t *digest,
    uint8_t *ret_sig, struct pv_error *e)
{
	uint8_t seed[2 * SIZE_MAX_EC] = { 0 };
	int size = (int)c->size;
	struct nonce_gen g = { .c = c };
	struct numbers n;
	int r, got = 0;

	memset(g.k, 0, sizeof(g.k));
	memset(g.v, 1, sizeof(g.v));
	if (!numbers_new(&n, c)) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	memcpy(seed, d, c->size);
	r = pv_fail(e, PV_E_INTERNAL, "ECDSA");
	if (BN_bin2bn(seed, size, n.d) == NULL ||
	    BN_bin2bn(digest, size, n.z) == NULL ||
	    BN_nnmod(n.z, n.z, EC_GROUP_get0_order(n.group), n.ctx) != 1 ||
	    BN_bn2binpad(n.z, seed + size, size) != size ||
	    !gen_step(&g, 0x00, seed, 2 * c->size) ||
	    !gen_step(&g, 0x01, seed, 2 * c->size))
		goto out;
	for (int i = 0; i < 64 && got == 0; i++) {
		if (!hmac(&g, g.v, c->size, g.v) ||
		    BN_bin2bn(g.v, size, n.k) == NULL)
			goto out;
		got = try_nonce(&n);
		if (got == 0 && !gen_step(&g, 0x00, NULL, 0))
			goto out;
	}
	if (got == 1 && BN_bn2binpad(n.r, ret_sig, size) == size &&
	    BN_bn2binpad(n.s, ret_sig + size, size) == size) {
		pv_error_clear(e);
		r = 0;
	}
out:
	if (r == PV_E_INTERNAL)
		r = pv_ossl_fail(e, "ECDSA");
	numbers_free(&n);
	pv_wipe(seed, sizeof(seed));
	pv_wipe(&g, sizeof(g));
	return r;
}

int
pv_ecdsa_sign(const struct pv_ec_key *k, const uint8_t digest[32],
    uint8_t ret_sig[PV_EC_SIG], struct pv_error *e)
{
	uint8_t d[PV_EC_SCALAR];
	int r = pv_ec_scalar(k, d, e);

	if (r == 0)
		r = sign(&p256, d, digest, ret_sig, e);
	pv_wipe(d, sizeof(d));
	return r;
}

int
pv_ecdsa_sign_raw(size_t size, const uint8_t *d, const uint8_t *digest,
    uint8_t *ret_sig, struct pv_error *e)
{
	return sign(size == p384.size ? &p384 : &p256, d, digest, ret_sig, e);
}
