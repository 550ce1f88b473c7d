/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include "crypto/ossl.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <provisor/secret.h>

#define IV_MAX 16U
/* OpenSSL counts in int; a call is cut into pieces below that. */
#define PIECE  ((size_t)1 << 30)

struct pv_gcm {
	EVP_CIPHER_CTX *ctx;
	const EVP_CIPHER *cipher;
	bool decrypt;
	size_t key_len;
	uint8_t key[32];
};

int
pv_gcm_new(const uint8_t *key, size_t key_len, struct pv_gcm **ret_g,
    struct pv_error *e)
{
	struct pv_gcm *g;

	if (key_len != 16 && key_len != 32)
		return pv_fail(
		    e, PV_E_INTERNAL, "AES key of %zu bytes", key_len);
	g = calloc(1, sizeof(*g));
	if (g == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	g->cipher = key_len == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	g->key_len = key_len;
	memcpy(g->key, key, key_len);
	g->ctx = EVP_CIPHER_CTX_new();
	if (g->ctx == NULL) {
		pv_gcm_free(g);
		return pv_ossl_fail(e, "AES-GCM");
	}
	*ret_g = g;
	return 0;
}

void
pv_gcm_free(struct pv_gcm *g)
{
	if (g == NULL)
		return;
	EVP_CIPHER_CTX_free(g->ctx);
	pv_wipe(g, sizeof(*g));
	free(g);
}

int
pv_gcm_begin(struct pv_gcm *g, bool decrypt, const uint8_t *iv, size_t iv_len,
    const void *aad, size_t aad_len, struct pv_error *e)
{
	int enc = decrypt ? 0 : 1, n = 0;

	if (iv_len == 0 || iv_len > IV_MAX || aad_len > INT_MAX)
		return pv_fail(e, PV_E_INTERNAL, "AES-GCM: lengths");
	g->decrypt = decrypt;
	if (EVP_CipherInit_ex(g->ctx, g->cipher, NULL, NULL, NULL, enc) != 1 ||
	    EVP_CIPHER_CTX_ctrl(
		g->ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv_len, NULL) != 1 ||
	    EVP_CipherInit_ex(g->ctx, NULL, NULL, g->key, iv, enc) != 1)
		return pv_ossl_fail(e, "AES-GCM");
	if (aad_len > 0 &&
	    EVP_CipherUpdate(g->ctx, NULL, &n, aad, (int)aad_len) != 1)
		return pv_ossl_fail(e, "AES-GCM");
	return 0;
}

int
pv_gcm_update(struct pv_gcm *g, const uint8_t *in, uint8_t *out, size_t len,
    struct pv_error *e)
{
	while (len > 0) {
		size_t piece = len < PIECE ? len : PIECE;
		int n = 0;

		if (EVP_CipherUpdate(g->ctx, out, &n, in, (int)piece) != 1 ||
		    (size_t)n != piece)
			return pv_ossl_fail(e, "AES-GCM");
		in += piece;
		out += piece;
		len -= piece;
	}
	return 0;
}

int
pv_gcm_tag(struct pv_gcm *g, uint8_t ret_tag[PV_GCM_TAG], struct pv_error *e)
{
	uint8_t none[16];
	int n = 0;

	if (g->decrypt)
		return pv_fail(e, PV_E_INTERNAL, "AES-GCM: direction");
	if (EVP_CipherFinal_ex(g->ctx, none, &n) != 1 ||
	    EVP_CIPHER_CTX_ctrl(
		g->ctx, EVP_CTRL_AEAD_GET_TAG, PV_GCM_TAG, ret_tag) != 1)
		return pv_ossl_fail(e, "AES-GCM");
	return 0;
}

int
pv_gcm_check(
    struct pv_gcm *g, const uint8_t tag[PV_GCM_TAG], struct pv_error *e)
{
	uint8_t none[16], want[PV_GCM_TAG];
	int n = 0;

	if (!g->decrypt)
		return pv_fail(e, PV_E_INTERNAL, "AES-GCM: direction");
	memcpy(want, tag, sizeof(want));
	if (EVP_CIPHER_CTX_ctrl(
		g->ctx, EVP_CTRL_AEAD_SET_TAG, PV_GCM_TAG, want) != 1)
		return pv_ossl_fail(e, "AES-GCM");
	if (EVP_CipherFinal_ex(g->ctx, none, &n) != 1) {
		ERR_clear_error();
		return pv_fail(e, PV_E_VERIFY, "the tag differs");
	}
	return 0;
}
