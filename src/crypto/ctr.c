/* SPDX-License-Identifier: Apache-2.0 */
/* AES-CTR. */
#include "crypto/kdf.h"

#include "crypto/ossl.h"

#include <stdlib.h>

/* OpenSSL counts in int; a call is cut into pieces below that. */
#define PIECE ((size_t)1 << 30)

struct pv_ctr {
	EVP_CIPHER_CTX *ctx;
};

int
pv_ctr_new(const uint8_t *key, size_t key_len, const uint8_t block[16],
    struct pv_ctr **ret_c, struct pv_error *e)
{
	static const uint8_t zeros[16] = { 0 };
	struct pv_ctr *c;

	if (key_len != 16 && key_len != 32)
		return pv_fail(
		    e, PV_E_INTERNAL, "AES key of %zu bytes", key_len);
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	c->ctx = EVP_CIPHER_CTX_new();
	if (c->ctx == NULL ||
	    EVP_EncryptInit_ex(c->ctx,
		key_len == 16 ? EVP_aes_128_ctr() : EVP_aes_256_ctr(), NULL,
		key, block == NULL ? zeros : block) != 1) {
		pv_ctr_free(c);
		return pv_ossl_fail(e, "AES-CTR");
	}
	*ret_c = c;
	return 0;
}

int
pv_ctr_update(struct pv_ctr *c, const uint8_t *in, uint8_t *out, size_t len,
    struct pv_error *e)
{
	while (len > 0) {
		size_t n = len < PIECE ? len : PIECE;
		int got = 0;

		if (EVP_EncryptUpdate(c->ctx, out, &got, in, (int)n) != 1 ||
		    (size_t)got != n)
			return pv_ossl_fail(e, "AES-CTR");
		in += n;
		out += n;
		len -= n;
	}
	return 0;
}

void
pv_ctr_free(struct pv_ctr *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->ctx);
	free(c);
}
