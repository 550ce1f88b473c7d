/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ec.h"

#include "base/file.h"
#include "crypto/ec_sig.h"
#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <provisor/secret.h>

#define CURVE "prime256v1"
#define POINT (1U + PV_EC_PUBLIC) /* 0x04, X, Y: SEC 1 section 2.3.3 */

struct pv_ec_key {
	EVP_PKEY *pkey;
};

/* --- public keys ----------------------------------------------------------- */

static EVP_PKEY *
public_pkey(const uint8_t pub[PV_EC_PUBLIC])
{
	uint8_t point[POINT] = { 0x04 };
	char curve[] = CURVE;
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM params[3];

	memcpy(point + 1, pub, PV_EC_PUBLIC);
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, curve, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point));
	params[2] = OSSL_PARAM_construct_end();
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	/* Decoding checks that the point lies on the curve. */
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

int
pv_ec_check_public(const uint8_t pub[PV_EC_PUBLIC], struct pv_error *e)
{
	/*
	 * Decoding refuses coordinates at or above the field prime and points
	 * off the curve; the uncompressed form cannot say infinity. With the
	 * cofactor 1 of P-256 that is all there is to check (SP 800-56A
	 * rev 3, section 5.6.2.3.4: partial validation suffices then).
	 */
	EVP_PKEY *pkey = public_pkey(pub);
	bool good = pkey != NULL;

	EVP_PKEY_free(pkey);
	ERR_clear_error();
	if (!good)
		return pv_fail(
		    e, PV_E_VERIFY, "the public key is not a point on P-256");
	return 0;
}

struct pv_ec_public {
	EVP_PKEY *pkey;
	EVP_PKEY_CTX *verify;
};

int
pv_ec_public_new(const uint8_t pub[PV_EC_PUBLIC], struct pv_ec_public **ret_k,
    struct pv_error *e)
{
	struct pv_ec_public *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	k->pkey = public_pkey(pub);
	if (k->pkey != NULL)
		k->verify = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	ERR_clear_error();
	if (k->verify == NULL || EVP_PKEY_verify_init(k->verify) != 1) {
		pv_ec_public_free(k);
		return pv_fail(e, PV_E_VERIFY, "signature does not verify");
	}
	*ret_k = k;
	return 0;
}

void
pv_ec_public_free(struct pv_ec_public *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_CTX_free(k->verify);
	EVP_PKEY_free(k->pkey);
	free(k);
}

int
pv_ec_public_verify(struct pv_ec_public *k, const uint8_t digest[32],
    const uint8_t sig[PV_EC_SIG], struct pv_error *e)
{
	uint8_t der[PV_EC_DER_SIG];
	size_t der_len = sizeof(der);
	bool good;

	/* OpenSSL itself refuses r and s of 0 and at or above the order. */
	good = pv_ec_sig_to_der(sig, der, &der_len) &&
	       EVP_PKEY_verify(k->verify, der, der_len, digest, 32) == 1;
	ERR_clear_error();
	if (!good)
		return pv_fail(e, PV_E_VERIFY, "signature does not verify");
	return 0;
}

int
pv_ecdsa_verify(const uint8_t pub[PV_EC_PUBLIC], const uint8_t digest[32],
    const uint8_t sig[PV_EC_SIG], struct pv_error *e)
{
	struct pv_ec_public *k = NULL;
	int r = pv_ec_public_new(pub, &k, e);

	if (r == 0)
		r = pv_ec_public_verify(k, digest, sig, e);
	pv_ec_public_free(k);
	return r;
}

static int
pkey_public(
    const EVP_PKEY *pkey, uint8_t ret_pub[PV_EC_PUBLIC], struct pv_error *e)
{
	char group[32] = "";
	BIGNUM *x = NULL, *y = NULL;
	int r = 0;

	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
		group, sizeof(group), NULL) != 1 ||
	    strcmp(group, CURVE) != 0) {
		ERR_clear_error();
		return pv_fail(e, PV_E_UNSUPPORTED, "not a P-256 key");
	}
	if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
	    EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1 ||
	    BN_bn2binpad(x, ret_pub, 32) != 32 ||
	    BN_bn2binpad(y, ret_pub + 32, 32) != 32)
		r = pv_ossl_fail(e, "public key");
	BN_free(x);
	BN_free(y);
	return r;
}

int
pv_ec_read_public_pem(
    const char *path, uint8_t ret_pub[PV_EC_PUBLIC], struct pv_error *e)
{
	uint8_t pub[PV_EC_PUBLIC];
	EVP_PKEY *pkey = NULL;
	int r;

	if ((r = pv_ossl_read_public(path, &pkey, e)) != 0)
		return r;
	if ((r = pkey_public(pkey, pub, e)) != 0)
		(void)pv_wrap(e, "'%s'", path);
	else
		memcpy(ret_pub, pub, sizeof(pub));
	EVP_PKEY_free(pkey);
	return r;
}

int
pv_ec_write_public_pem(
    const char *path, const uint8_t pub[PV_EC_PUBLIC], struct pv_error *e)
{
	EVP_PKEY *pkey = public_pkey(pub);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long len;
	int r;

	if (pkey == NULL || bio == NULL || PEM_write_bio_PUBKEY(bio, pkey) != 1)
		r = pv_ossl_fail(e, "public key");
	else {
		len = BIO_get_mem_data(bio, &text);
		r = pv_file_write(path, 0644, text, (size_t)len, e);
	}
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return r;
}

/* --- key pairs ------------------------------------------------------------- */

static int
adopt(EVP_PKEY *pkey, struct pv_ec_key **ret_k, struct pv_error *e)
{
	struct pv_ec_key *k = calloc(1, sizeof(*k));

	if (k == NULL) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	k->pkey = pkey;
	*ret_k = k;
	return 0;
}

int
pv_ec_generate(struct pv_ec_key **ret_k, struct pv_error *e)
{
	EVP_PKEY *pkey = EVP_EC_gen(CURVE);

	if (pkey == NULL)
		return pv_ossl_fail(e, "generating a P-256 key");
	return adopt(pkey, ret_k, e);
}

/* d * G as 0x04, X, Y; fails for d of 0 or at and above the order. */
static int
multiply(const BIGNUM *d, uint8_t point[POINT])
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *q = group == NULL ? NULL : EC_POINT_new(group);
	int good = q != NULL && !BN_is_zero(d) &&
		   BN_cmp(d, EC_GROUP_get0_order(group)) < 0 &&
		   EC_POINT_mul(group, q, d, NULL, NULL, NULL) == 1 &&
		   EC_POINT_point2oct(group, q, POINT_CONVERSION_UNCOMPRESSED,
		       point, POINT, NULL) == POINT;

	EC_POINT_free(q);
	EC_GROUP_free(group);
	return good;
}

int
pv_ec_from_scalar(
    const uint8_t d[PV_EC_SCALAR], struct pv_ec_key **ret_k, struct pv_error *e)
{
	uint8_t point[POINT];
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	BIGNUM *n = BN_secure_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY_CTX *ctx = NULL;
	EVP_PKEY *pkey = NULL;
	int r = 0;

	if (bld == NULL || n == NULL || BN_bin2bn(d, PV_EC_SCALAR, n) == NULL) {
		r = pv_ossl_fail(e, "private key");
		goto out;
	}
	if (!multiply(n, point)) {
		ERR_clear_error();
		r = pv_fail(e, PV_E_MALFORMED, "not a P-256 private key");
		goto out;
	}
	if (OSSL_PARAM_BLD_push_utf8_string(
		bld, OSSL_PKEY_PARAM_GROUP_NAME, CURVE, 0) != 1 ||
	    OSSL_PARAM_BLD_push_octet_string(
		bld, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) != 1 ||
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, n) != 1 ||
	    (params = OSSL_PARAM_BLD_to_param(bld)) == NULL ||
	    (ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL)) == NULL ||
	    EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params) != 1) {
		r = pv_ossl_fail(e, "private key");
		goto out;
	}
	r = adopt(pkey, ret_k, e);
out:
	EVP_PKEY_CTX_free(ctx);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_clear_free(n);
	return r;
}

int
pv_ec_read_pem(const char *path, struct pv_ec_key **ret_k, struct pv_error *e)
{
	return pv_ec_read_pem_pass(path, NULL, ret_k, e);
}

int
pv_ec_read_pem_pass(const char *path, const struct pv_passphrase *pass,
    struct pv_ec_key **ret_k, struct pv_error *e)
{
	uint8_t pub[PV_EC_PUBLIC];
	EVP_PKEY *pkey = NULL;
	int r;

	if ((r = pv_ossl_read_private(path, pass, &pkey, e)) != 0)
		return r;
	if ((r = pkey_public(pkey, pub, e)) != 0) {
		EVP_PKEY_free(pkey);
		(void)pv_wrap(e, "'%s'", path);
		return r;
	}
	return adopt(pkey, ret_k, e);
}

int
pv_ec_write_pem(const struct pv_ec_key *k, const char *path, struct pv_error *e)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long len;
	int r;

	if (bio == NULL || PEM_write_bio_PKCS8PrivateKey(
			       bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1)
		r = pv_ossl_fail(e, "private key");
	else {
		len = BIO_get_mem_data(bio, &text);
		r = pv_file_write(path, 0600, text, (size_t)len, e);
		pv_wipe(text, (size_t)len);
	}
	BIO_free(bio);
	return r;
}

void
pv_ec_free(struct pv_ec_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

int
pv_ec_public(const struct pv_ec_key *k, uint8_t ret_pub[PV_EC_PUBLIC],
    struct pv_error *e)
{
	return pkey_public(k->pkey, ret_pub, e);
}

int
pv_ec_scalar(
    const struct pv_ec_key *k, uint8_t ret_d[PV_EC_SCALAR], struct pv_error *e)
{
	BIGNUM *d = NULL;
	int r = 0;

	if (EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_PRIV_KEY, &d) != 1 ||
	    BN_bn2binpad(d, ret_d, PV_EC_SCALAR) != PV_EC_SCALAR)
		r = pv_ossl_fail(e, "private key");
	BN_clear_free(d);
	return r;
}

int
pv_ecdh(const struct pv_ec_key *k, const uint8_t peer[PV_EC_PUBLIC],
    uint8_t ret_z[32], struct pv_error *e)
{
	EVP_PKEY *other = public_pkey(peer);
	EVP_PKEY_CTX *ctx = NULL;
	size_t len = 32;
	int r = 0;

	if (other == NULL) {
		ERR_clear_error();
		return pv_fail(e, PV_E_VERIFY,
		    "the peer's public key is not a point on P-256");
	}
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
	    EVP_PKEY_derive_set_peer(ctx, other) != 1 ||
	    EVP_PKEY_derive(ctx, ret_z, &len) != 1 || len != 32)
		r = pv_ossl_fail(e, "ECDH");
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(other);
	return r;
}
