/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA on P-256 with the deterministic nonce of RFC 6979. OpenSSL 3.0 signs
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
#include <openssl/hmac.h>

#include <string.h>

#include <provisor/secret.h>

int
pv_ec_sig_to_der(const uint8_t sig[64], uint8_t *der, size_t *len)
{
	ECDSA_SIG *s = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(sig, 32, NULL);
	BIGNUM *v = BN_bin2bn(sig + 32, 32, NULL);
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

/* The generator of RFC 6979 section 3.2: K and V, stepped by HMAC. */
struct nonce_gen {
	uint8_t k[32], v[32];
};

static int
hmac(const uint8_t key[32], const uint8_t *data, size_t len, uint8_t out[32])
{
	unsigned int n = 32;

	return HMAC(EVP_sha256(), key, 32, data, len, out, &n) != NULL;
}

/* K = HMAC_K(V || sep || seed), V = HMAC_K(V) */
static int
gen_step(struct nonce_gen *g, uint8_t sep, const uint8_t *seed, size_t len)
{
	uint8_t msg[32 + 1 + 64];
	int good;

	memcpy(msg, g->v, 32);
	msg[32] = sep;
	if (len != 0)
		memcpy(msg + 33, seed, len);
	good = hmac(g->k, msg, 33 + len, g->k) && hmac(g->k, g->v, 32, g->v);
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
numbers_new(struct numbers *n)
{
	memset(n, 0, sizeof(*n));
	n->ctx = BN_CTX_secure_new();
	n->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
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

int
pv_ecdsa_sign(const struct pv_ec_key *k, const uint8_t digest[32],
    uint8_t ret_sig[PV_EC_SIG], struct pv_error *e)
{
	uint8_t seed[64] = { 0 };
	struct nonce_gen g;
	struct numbers n;
	int r, got = 0;

	memset(g.k, 0, sizeof(g.k));
	memset(g.v, 1, sizeof(g.v));
	if (!numbers_new(&n)) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	if ((r = pv_ec_scalar(k, seed, e)) != 0)
		goto out;
	r = pv_fail(e, PV_E_INTERNAL, "ECDSA");
	if (BN_bin2bn(seed, 32, n.d) == NULL ||
	    BN_bin2bn(digest, 32, n.z) == NULL ||
	    BN_nnmod(n.z, n.z, EC_GROUP_get0_order(n.group), n.ctx) != 1 ||
	    BN_bn2binpad(n.z, seed + 32, 32) != 32 ||
	    !gen_step(&g, 0x00, seed, sizeof(seed)) ||
	    !gen_step(&g, 0x01, seed, sizeof(seed)))
		goto out;
	for (int i = 0; i < 64 && got == 0; i++) {
		if (!hmac(g.k, g.v, 32, g.v) || BN_bin2bn(g.v, 32, n.k) == NULL)
			goto out;
		got = try_nonce(&n);
		if (got == 0 && !gen_step(&g, 0x00, NULL, 0))
			goto out;
	}
	if (got == 1 && BN_bn2binpad(n.r, ret_sig, 32) == 32 &&
	    BN_bn2binpad(n.s, ret_sig + 32, 32) == 32) {
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
