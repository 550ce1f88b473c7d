/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys in files that sign. */
#include "crypto/sigkey_int.h"

#include "crypto/digest.h"
#include "crypto/ec_sig.h"
#include "crypto/ossl.h"
#include "crypto/pss.h"
#include <provisor/secret.h>

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <stdlib.h>
#include <string.h>

#define ED_SIG 64U

struct pv_sigkey {
	struct pv_pubkey pub; /* of the same EVP_PKEY, which has both halves */
};

int
pv_sigkey_read_pem(const char *path, const struct pv_passphrase *pass,
    struct pv_sigkey **ret_k, struct pv_error *e)
{
	struct pv_sigkey *k;
	EVP_PKEY *pkey = NULL;
	int r = pv_ossl_read_private(path, pass, &pkey, e);

	if (r != 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		EVP_PKEY_free(pkey);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	if ((r = pv_pubkey_adopt(&k->pub, pkey, path, e)) != 0) {
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
sign_ecdsa(const struct pv_sigkey *k, size_t size, const uint8_t *digest,
    uint8_t *sig, struct pv_error *e)
{
	uint8_t d[48];
	BIGNUM *bn = NULL;
	int r;

	if (EVP_PKEY_get_bn_param(k->pub.pkey, OSSL_PKEY_PARAM_PRIV_KEY, &bn) !=
		1 ||
	    BN_bn2binpad(bn, d, (int)size) != (int)size)
		r = pv_ossl_fail(e, "private key");
	else
		r = pv_ecdsa_sign_raw(size, d, digest, sig, e);
	BN_clear_free(bn);
	pv_wipe(d, sizeof(d));
	return r;
}

/* The padding is ours, so that the salt is (pss.h); OpenSSL does the rest. */
static int
sign_pss(const struct pv_sigkey *k, const uint8_t *digest, uint8_t *sig,
    size_t *ret_len, struct pv_error *e)
{
	uint8_t em[PV_SIG_MAX], salt[PV_PSS_SALT];
	size_t len = (size_t)EVP_PKEY_get_size(k->pub.pkey), n = PV_SIG_MAX;
	EVP_PKEY_CTX *ctx;
	int r = pv_pss_salt(digest, salt, e);

	if (r == 0)
		r = pv_pss_encode(digest, salt, em, len, e);
	if (r != 0)
		return r;
	ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->pub.pkey, NULL);
	if (ctx == NULL || EVP_PKEY_sign_init(ctx) != 1 ||
	    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) != 1 ||
	    EVP_PKEY_sign(ctx, sig, &n, em, len) != 1 || n != len)
		r = pv_ossl_fail(e, "RSA");
	else
		*ret_len = n;
	EVP_PKEY_CTX_free(ctx);
	return r;
}

int
pv_sigkey_sign_digest(const struct pv_sigkey *k, const uint8_t *digest,
    size_t len, uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len,
    struct pv_error *e)
{
	size_t size = pv_sig_number_size(k->pub.alg);
	int r;

	if (len == 0 || len != pv_sig_alg_digest(k->pub.alg))
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%s over a digest of %zu bytes",
		    pv_sig_alg_name(k->pub.alg), len);
	if (pv_sig_is_rsa(k->pub.alg))
		return sign_pss(k, digest, ret_sig, ret_len, e);
	r = sign_ecdsa(k, size, digest, ret_sig, e);
	if (r == 0)
		*ret_len = 2 * size;
	return r;
}

int
pv_sigkey_sign(const struct pv_sigkey *k, const void *msg, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	struct pv_part part = { msg, len };
	size_t n = pv_sig_alg_digest(k->pub.alg);
	uint8_t digest[48];
	int r;

	if (n == 0) {
		r = sign_ed25519(k, msg, len, ret_sig, e);
		if (r == 0)
			*ret_len = ED_SIG;
		return r;
	}
	r = n == 48 ? pv_sha384(&part, 1, digest, e)
		    : pv_sha256(&part, 1, digest, e);
	return r != 0
		   ? r
		   : pv_sigkey_sign_digest(k, digest, n, ret_sig, ret_len, e);
}

/* --- behind the interface -------------------------------------------------- */

static int
signer_sign(void *ctx, const void *msg, size_t len, uint8_t ret_sig[PV_SIG_MAX],
    size_t *ret_len, struct pv_error *e)
{
	return pv_sigkey_sign(ctx, msg, len, ret_sig, ret_len, e);
}

static int
signer_sign_digest(void *ctx, const uint8_t *digest, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	return pv_sigkey_sign_digest(ctx, digest, len, ret_sig, ret_len, e);
}

static void
signer_free(void *ctx)
{
	pv_sigkey_free(ctx);
}

int
pv_sigkey_signer(const char *path, const struct pv_passphrase *pass,
    struct pv_message_signer *ret_signer, struct pv_error *e)
{
	struct pv_message_signer s = {
		.sign = signer_sign,
		.sign_digest = signer_sign_digest,
		.free = signer_free,
	};
	struct pv_sigkey *k = NULL;
	int r = pv_sigkey_read_pem(path, pass, &k, e);

	if (r != 0)
		return r;
	r = pv_pubkey_spki(&k->pub, s.spki, &s.spki_len, e);
	if (r != 0) {
		pv_sigkey_free(k);
		return r;
	}
	s.ctx = k;
	s.alg = k->pub.alg;
	*ret_signer = s;
	return 0;
}
