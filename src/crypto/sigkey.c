/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sigkey.h"

#include "crypto/digest.h"
#include "crypto/ec_sig.h"
#include "crypto/ossl.h"
#include <provisor/secret.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdlib.h>
#include <string.h>

#define ED_SIG 64U

struct pv_pubkey {
	EVP_PKEY *pkey;
	enum pv_sig_alg alg;
};

struct pv_sigkey {
	struct pv_pubkey pub; /* of the same EVP_PKEY, which has both halves */
};

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
	}
	return "?";
}

/* Bytes of r and of s, 0 for Ed25519. */
static size_t
number_size(enum pv_sig_alg alg)
{
	if (alg == PV_SIG_ED25519)
		return 0;
	return alg == PV_SIG_ECDSA_P384 ? 48 : 32;
}

static int
find_alg(const EVP_PKEY *pkey, enum pv_sig_alg *ret_alg)
{
	char group[32] = "";

	if (EVP_PKEY_is_a(pkey, "ED25519")) {
		*ret_alg = PV_SIG_ED25519;
		return 1;
	}
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

/* Take over the key of a file, if it is of a kind we sign with. */
static int
adopt(struct pv_pubkey *k, EVP_PKEY *pkey, const char *path, struct pv_error *e)
{
	if (!find_alg(pkey, &k->alg)) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is no key of P-256, P-384 or Ed25519", path);
	}
	k->pkey = pkey;
	return 0;
}

/* --- public keys ----------------------------------------------------------- */

int
pv_pubkey_read_pem(
    const char *path, struct pv_pubkey **ret_k, struct pv_error *e)
{
	struct pv_pubkey *k;
	EVP_PKEY *pkey = NULL;
	int r = pv_ossl_read_public(path, &pkey, e);

	if (r != 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	if ((r = adopt(k, pkey, path, e)) != 0) {
		free(k);
		return r;
	}
	*ret_k = k;
	return 0;
}

/* Decoding checks that the point lies on the curve. */
static EVP_PKEY *
ec_from_point(size_t size, const uint8_t *xy)
{
	uint8_t point[1 + 96] = { 0x04 }; /* SEC 1 section 2.3.3 */
	char p256[] = "prime256v1", p384[] = "secp384r1";
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	EVP_PKEY *pkey = NULL;
	OSSL_PARAM params[3];

	memcpy(point + 1, xy, 2 * size);
	params[0] = OSSL_PARAM_construct_utf8_string(
	    OSSL_PKEY_PARAM_GROUP_NAME, size == 48 ? p384 : p256, 0);
	params[1] = OSSL_PARAM_construct_octet_string(
	    OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size);
	params[2] = OSSL_PARAM_construct_end();
	if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
		pkey = NULL;
	EVP_PKEY_CTX_free(ctx);
	return pkey;
}

int
pv_pubkey_from_point(enum pv_sig_alg alg, const uint8_t *point, size_t len,
    struct pv_pubkey **ret_k, struct pv_error *e)
{
	struct pv_pubkey *k = calloc(1, sizeof(*k));
	size_t size = number_size(alg);

	if (k == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	k->alg = alg;
	if (size == 0 && len == 32)
		k->pkey = EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_ED25519, NULL, point, len);
	else if (size != 0 && len == 2 * size)
		k->pkey = ec_from_point(size, point);
	ERR_clear_error();
	if (k->pkey == NULL) {
		free(k);
		return pv_fail(e, PV_E_VERIFY,
		    "the public key is not one of %s", pv_sig_alg_name(alg));
	}
	*ret_k = k;
	return 0;
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

int
pv_pubkey_id(const struct pv_pubkey *k, uint8_t ret_id[32], struct pv_error *e)
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

/* Does OpenSSL take this signature? Both forms hash the message themselves. */
static int
verify(EVP_PKEY *pkey, const EVP_MD *md, const void *msg, size_t len,
    const uint8_t *sig, size_t sig_len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int good = ctx != NULL &&
		   EVP_DigestVerifyInit(ctx, NULL, md, NULL, pkey) == 1 &&
		   EVP_DigestVerify(ctx, sig, sig_len, msg, len) == 1;

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return good;
}

int
pv_pubkey_verify(const struct pv_pubkey *k, const void *msg, size_t len,
    const uint8_t *sig, size_t sig_len, struct pv_error *e)
{
	uint8_t der[PV_EC_DER_SIG_MAX];
	size_t size = number_size(k->alg), der_len = sizeof(der);
	int good;

	if (size == 0)
		good = sig_len == ED_SIG &&
		       verify(k->pkey, NULL, msg, len, sig, sig_len);
	else
		good = sig_len == 2 * size &&
		       pv_ec_raw_sig_to_der(size, sig, der, &der_len) &&
		       verify(k->pkey, size == 48 ? EVP_sha384() : EVP_sha256(),
			   msg, len, der, der_len);
	if (!good)
		return pv_fail(e, PV_E_VERIFY, "signature does not verify");
	return 0;
}

/* --- key pairs ------------------------------------------------------------- */

int
pv_sigkey_read_pem(
    const char *path, struct pv_sigkey **ret_k, struct pv_error *e)
{
	struct pv_sigkey *k;
	EVP_PKEY *pkey = NULL;
	int r = pv_ossl_read_private(path, &pkey, e);

	if (r != 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	if ((r = adopt(&k->pub, pkey, path, e)) != 0) {
		free(k);
		return r;
	}
	*ret_k = k;
	return 0;
}

void
pv_sigkey_free(struct pv_sigkey *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pub.pkey);
	free(k);
}

const struct pv_pubkey *
pv_sigkey_public(const struct pv_sigkey *k)
{
	return &k->pub;
}

static int
sign_ed25519(const struct pv_sigkey *k, const void *msg, size_t len,
    uint8_t *sig, struct pv_error *e)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t n = ED_SIG;
	int r = 0;

	if (ctx == NULL ||
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pub.pkey) != 1 ||
	    EVP_DigestSign(ctx, sig, &n, msg, len) != 1 || n != ED_SIG)
		r = pv_ossl_fail(e, "Ed25519");
	EVP_MD_CTX_free(ctx);
	return r;
}

static int
sign_ecdsa(const struct pv_sigkey *k, size_t size, const void *msg, size_t len,
    uint8_t *sig, struct pv_error *e)
{
	uint8_t digest[48], d[48];
	unsigned int n = sizeof(digest);
	BIGNUM *bn = NULL;
	int r;

	if (EVP_Digest(msg, len, digest, &n,
		size == 48 ? EVP_sha384() : EVP_sha256(), NULL) != 1 ||
	    EVP_PKEY_get_bn_param(k->pub.pkey, OSSL_PKEY_PARAM_PRIV_KEY, &bn) !=
		1 ||
	    BN_bn2binpad(bn, d, (int)size) != (int)size)
		r = pv_ossl_fail(e, "private key");
	else
		r = pv_ecdsa_sign_raw(size, d, digest, sig, e);
	BN_clear_free(bn);
	pv_wipe(d, sizeof(d));
	return r;
}

int
pv_sigkey_sign(const struct pv_sigkey *k, const void *msg, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	size_t size = number_size(k->pub.alg);
	int r;

	r = size == 0 ? sign_ed25519(k, msg, len, ret_sig, e)
		      : sign_ecdsa(k, size, msg, len, ret_sig, e);
	if (r == 0)
		*ret_len = size == 0 ? ED_SIG : 2 * size;
	return r;
}
