/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys that verify signatures. */
#include "crypto/sigkey_int.h"

#include "crypto/digest.h"
#include "crypto/ec_sig.h"
#include "crypto/ossl.h"
#include "crypto/pss.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ED_SIG 64U

const char *
pv_sig_alg_name(enum pv_sig_alg alg)
{
	switch (alg) {
	case PV_SIG_ECDSA_P256:
		return "ecdsa-p256-sha256";
	case PV_SIG_ECDSA_P384:
		return "ecdsa-p384-sha384";
	case PV_SIG_ED25519:
		return "ed25519";
	case PV_SIG_RSA2048_PSS:
		return "rsa-2048-pss-sha256";
	case PV_SIG_RSA3072_PSS:
		return "rsa-3072-pss-sha256";
	}
	return "?";
}

size_t
pv_sig_alg_digest(enum pv_sig_alg alg)
{
	if (alg == PV_SIG_ED25519)
		return 0;
	return alg == PV_SIG_ECDSA_P384 ? 48 : 32;
}

int
pv_sig_is_rsa(enum pv_sig_alg alg)
{
	return alg == PV_SIG_RSA2048_PSS || alg == PV_SIG_RSA3072_PSS;
}

size_t
pv_sig_number_size(enum pv_sig_alg alg)
{
	return pv_sig_is_rsa(alg) ? 0 : pv_sig_alg_digest(alg);
}

static int
find_rsa(const EVP_PKEY *pkey, enum pv_sig_alg *ret_alg)
{
	switch (EVP_PKEY_get_bits(pkey)) {
	case 2048:
		*ret_alg = PV_SIG_RSA2048_PSS;
		return 1;
	case 3072:
		*ret_alg = PV_SIG_RSA3072_PSS;
		return 1;
	default:
		return 0;
	}
}

static int
find_alg(const EVP_PKEY *pkey, enum pv_sig_alg *ret_alg)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*ret_alg = PV_SIG_ED25519;
		return 1;
	}
	if (EVP_PKEY_is_a(pkey, "RSA"))
		return find_rsa(pkey, ret_alg);
	if (!EVP_PKEY_is_a(pkey, "EC") ||
	    EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME,
		group, sizeof(group), NULL) != 1) {
		ERR_clear_error();
		return 0;
	}
	if (strcmp(group, "prime256v1") == 0)
		*ret_alg = PV_SIG_ECDSA_P256;
	else if (strcmp(group, "secp384r1") == 0)
		*ret_alg = PV_SIG_ECDSA_P384;
	else
		return 0;
	return 1;
}

int
pv_pubkey_adopt(
    struct pv_pubkey *k, EVP_PKEY *pkey, const char *what, struct pv_error *e)
{
	if (!find_alg(pkey, &k->alg)) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is no key of P-256, P-384, Ed25519, RSA-2048 or "
		    "RSA-3072",
		    what);
	}
	k->pkey = pkey;
	return 0;
}

static int
wrap(EVP_PKEY *pkey, const char *what, struct pv_pubkey **ret_k,
    struct pv_error *e)
{
	struct pv_pubkey *k = calloc(1, sizeof(*k));
	int r;

	if (k == NULL) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	if ((r = pv_pubkey_adopt(k, pkey, what, e)) != 0) {
		free(k);
		return r;
	}
	*ret_k = k;
	return 0;
}

int
pv_pubkey_read_pem(
    const char *path, struct pv_pubkey **ret_k, struct pv_error *e)
{
	EVP_PKEY *pkey = NULL;
	int r = pv_ossl_read_public(path, &pkey, e);

	return r != 0 ? r : wrap(pkey, path, ret_k, e);
}

int
pv_pubkey_read_any(const char *path, const struct pv_passphrase *pass,
    struct pv_pubkey **ret_k, struct pv_error *e)
{
	EVP_PKEY *pkey = NULL;
	int r = pv_ossl_read_any(path, pass, &pkey, e);

	return r != 0 ? r : wrap(pkey, path, ret_k, e);
}

static EVP_PKEY *
public_from(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *pkey = NULL;

	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

/* Decoding checks that the point lies on the curve. */
static EVP_PKEY *
ec_from_point(size_t size, const uint8_t *xy)
{
	uint8_t point[1 + 96] = { 0x04 }; /* SEC 1 section 2.3.3 */
	char p256[] = "prime256v1", p384[] = "secp384r1";
	OSSL_PARAM params[3];

	memcpy(point + 1, xy, 2 * size);
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, size == 48 ? p384 : p256, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size);
	params[2] = OSSL_PARAM_construct_end();
	return public_from("EC", params);
}

int
pv_pubkey_from_point(enum pv_sig_alg alg, const uint8_t *point, size_t len,
    struct pv_pubkey **ret_k, struct pv_error *e)
{
	size_t size = pv_sig_number_size(alg);
	EVP_PKEY *pkey = NULL;

	if (alg == PV_SIG_ED25519 && len == 32)
		pkey = EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_ED25519, NULL, point, len);
	else if (size != 0 && len == 2 * size)
		pkey = ec_from_point(size, point);
	ERR_clear_error();
	if (pkey == NULL)
		return pv_fail(e, PV_E_VERIFY,
		    "the public key is not one of %s", pv_sig_alg_name(alg));
	return wrap(pkey, "key", ret_k, e);
}

int
pv_pubkey_from_rsa(const uint8_t *n, size_t n_len, const uint8_t *x,
    size_t x_len, struct pv_pubkey **ret_k, struct pv_error *e)
{
	BIGNUM *mod = BN_bin2bn(n, (int)n_len, NULL);
	BIGNUM *exp = BN_bin2bn(x, (int)x_len, NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *pkey = NULL;

	if (mod != NULL && exp != NULL && bld != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, mod) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, exp) == 1 &&
	    (params = OSSL_PARAM_BLD_to_param(bld)) != NULL)
		pkey = public_from("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(mod);
	BN_free(exp);
	if (pkey == NULL)
		return pv_ossl_fail(e, "RSA public key");
	return wrap(pkey, "RSA key", ret_k, e);
}

int
pv_pubkey_from_spki(const uint8_t *der, size_t len, struct pv_pubkey **ret_k,
    struct pv_error *e)
{
	const unsigned char *p = der;
	EVP_PKEY *pkey = d2i_PUBKEY(NULL, &p, (long)len);

	ERR_clear_error();
	if (pkey == NULL || p != der + len) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes are no SubjectPublicKeyInfo", len);
	}
	return wrap(pkey, "public key", ret_k, e);
}

void
pv_pubkey_free(struct pv_pubkey *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

enum pv_sig_alg
pv_pubkey_alg(const struct pv_pubkey *k)
{
	return k->alg;
}

/* --- encodings ------------------------------------------------------------- */

static int
encode(int (*i2d)(const EVP_PKEY *, unsigned char **),
    const struct pv_pubkey *k, uint8_t *ret_der, size_t *ret_len,
    struct pv_error *e)
{
	unsigned char *der = NULL;
	int n = i2d(k->pkey, &der);

	if (n <= 0 || (size_t)n > PV_SPKI_MAX) {
		OPENSSL_free(der);
		return pv_ossl_fail(e, "public key");
	}
	memcpy(ret_der, der, (size_t)n);
	*ret_len = (size_t)n;
	OPENSSL_free(der);
	return 0;
}

/*
 * Of a curve's keys all but the point is the same (RFC 5480), which stands
 * uncompressed whatever form the file has: boot loaders hash these bytes.
 * Finding OpenSSL's encoder would take longer than a signature, too.
 */
static int
ec_spki(const struct pv_pubkey *k, uint8_t *ret_der, size_t *ret_len,
    struct pv_error *e)
{
	static const uint8_t p256[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07,
		0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
		0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
		0x04 };
	static const uint8_t p384[] = { 0x30, 0x76, 0x30, 0x10, 0x06, 0x07,
		0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b,
		0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00, 0x04 };
	bool small = k->alg == PV_SIG_ECDSA_P256;
	size_t head = small ? sizeof(p256) : sizeof(p384), len = 0;
	uint8_t point[96];
	int r = pv_pubkey_point(k, point, &len, e);

	if (r != 0)
		return r;
	memcpy(ret_der, small ? p256 : p384, head);
	memcpy(ret_der + head, point, len);
	*ret_len = head + len;
	return 0;
}

int
pv_pubkey_spki(const struct pv_pubkey *k, uint8_t ret_der[PV_SPKI_MAX],
    size_t *ret_len, struct pv_error *e)
{
	if (pv_sig_number_size(k->alg) != 0)
		return ec_spki(k, ret_der, ret_len, e);
	return encode(i2d_PUBKEY, k, ret_der, ret_len, e);
}

int
pv_pubkey_pkcs1(const struct pv_pubkey *k, uint8_t ret_der[PV_SPKI_MAX],
    size_t *ret_len, struct pv_error *e)
{
	if (!pv_sig_is_rsa(k->alg))
		return pv_fail(e, PV_E_UNSUPPORTED, "not an RSA key");
	return encode(i2d_PublicKey, k, ret_der, ret_len, e);
}

int
pv_pubkey_point(const struct pv_pubkey *k, uint8_t ret_point[96],
    size_t *ret_len, struct pv_error *e)
{
	int size = (int)pv_sig_number_size(k->alg), r = 0;
	BIGNUM *x = NULL, *y = NULL;
	size_t len = 32;

	if (pv_sig_is_rsa(k->alg))
		return pv_fail(e, PV_E_UNSUPPORTED, "an RSA key has no point");
	if (size == 0) {
		if (EVP_PKEY_get_raw_public_key(k->pkey, ret_point, &len) != 1)
			return pv_ossl_fail(e, "public key");
		*ret_len = len;
		return 0;
	}
	if (EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) != 1 ||
	    EVP_PKEY_get_bn_param(k->pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) != 1 ||
	    BN_bn2binpad(x, ret_point, size) != size ||
	    BN_bn2binpad(y, ret_point + size, size) != size)
		r = pv_ossl_fail(e, "public key");
	BN_free(x);
	BN_free(y);
	*ret_len = 2 * (size_t)size;
	return r;
}

int
pv_pubkey_id(const struct pv_pubkey *k, uint8_t ret_id[32], struct pv_error *e)
{
	uint8_t der[PV_SPKI_MAX];
	struct pv_part part = { der, 0 };
	int r = pv_pubkey_spki(k, der, &part.len, e);

	return r != 0 ? r : pv_sha256(&part, 1, ret_id, e);
}

/* --- verifying ------------------------------------------------------------- */

/* RSASSA-PSS with the salt length fixed: MCUboot accepts no other. */
static int
verify_pss(
    EVP_PKEY *pkey, const uint8_t *digest, const uint8_t *sig, size_t sig_len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	int good =
	    ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) == 1 &&
	    EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)PV_PSS_SALT) == 1 &&
	    EVP_PKEY_verify(ctx, sig, sig_len, digest, 32) == 1;

	EVP_PKEY_CTX_free(ctx);
	return good;
}

static int
verify_ecdsa(const struct pv_pubkey *k, const uint8_t *digest,
    const uint8_t *sig, size_t sig_len)
{
	uint8_t der[PV_EC_DER_SIG_MAX];
	size_t size = pv_sig_number_size(k->alg), der_len = sizeof(der);
	EVP_PKEY_CTX *ctx;
	int good;

	if (sig_len != 2 * size ||
	    !pv_ec_raw_sig_to_der(size, sig, der, &der_len))
		return 0;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
	good = ctx != NULL && EVP_PKEY_verify_init(ctx) == 1 &&
	       EVP_PKEY_verify(ctx, der, der_len, digest, size) == 1;
	EVP_PKEY_CTX_free(ctx);
	return good;
}

static int
verify_ed25519(EVP_PKEY *pkey, const void *msg, size_t len, const uint8_t *sig,
    size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int good = ctx != NULL && sig_len == ED_SIG &&
		   EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
		   EVP_DigestVerify(ctx, sig, sig_len, msg, len) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

int
pv_pubkey_verify_digest(const struct pv_pubkey *k, const uint8_t *digest,
    size_t len, const uint8_t *sig, size_t sig_len, struct pv_error *e)
{
	int good;

	if (len == 0 || len != pv_sig_alg_digest(k->alg))
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%s over a digest of %zu bytes", pv_sig_alg_name(k->alg),
		    len);
	good = pv_sig_is_rsa(k->alg) ? verify_pss(k->pkey, digest, sig, sig_len)
				     : verify_ecdsa(k, digest, sig, sig_len);
	ERR_clear_error();
	if (!good)
		return pv_fail(e, PV_E_VERIFY, "signature does not verify");
	return 0;
}

int
pv_pubkey_verify(const struct pv_pubkey *k, const void *msg, size_t len,
    const uint8_t *sig, size_t sig_len, struct pv_error *e)
{
	struct pv_part part = { msg, len };
	uint8_t digest[48];
	size_t n = pv_sig_alg_digest(k->alg);
	int good, r;

	if (n != 0) {
		r = n == 48 ? pv_sha384(&part, 1, digest, e)
			    : pv_sha256(&part, 1, digest, e);
		return r != 0 ? r
			      : pv_pubkey_verify_digest(
				    k, digest, n, sig, sig_len, e);
	}
	good = verify_ed25519(k->pkey, msg, len, sig, sig_len);
	ERR_clear_error();
	if (!good)
		return pv_fail(e, PV_E_VERIFY, "signature does not verify");
	return 0;
}
