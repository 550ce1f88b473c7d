/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cbc.h"

#include "crypto/ossl.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#define CHUNK ((size_t)1 << 30) /* OpenSSL counts in int */

int
pv_aes128_cbc(const uint8_t key[16], bool decrypt, const uint8_t iv[16],
    const uint8_t *in, size_t len, uint8_t *out, struct pv_error *e)
{
	EVP_CIPHER_CTX *ctx;
	int done = 0, n;

	if (len % 16 != 0)
		return pv_fail(e, PV_E_INTERNAL, "AES-CBC of %zu bytes", len);
	ctx = EVP_CIPHER_CTX_new();
	done = ctx != NULL &&
	       EVP_CipherInit_ex(ctx, EVP_aes_128_cbc(), NULL, key, iv,
		   decrypt ? 0 : 1) == 1 &&
	       EVP_CIPHER_CTX_set_padding(ctx, 0) == 1;
	while (done && len > 0) {
		size_t part = len < CHUNK ? len : CHUNK;

		done = EVP_CipherUpdate(ctx, out, &n, in, (int)part) == 1 &&
		       (size_t)n == part;
		in += part;
		out += part;
		len -= part;
	}
	EVP_CIPHER_CTX_free(ctx);
	return done ? 0 : pv_ossl_fail(e, "AES-CBC");
}

int
pv_aes_cmac(const uint8_t *key, size_t key_len, const uint8_t *msg, size_t len,
    uint8_t ret_mac[16], struct pv_error *e)
{
	char name128[] = "AES-128-CBC", name256[] = "AES-256-CBC";
	char *name = key_len == 16 ? name128 : name256;
	OSSL_PARAM params[2] = { OSSL_PARAM_construct_utf8_string(
				     OSSL_MAC_PARAM_CIPHER, name, 0),
		OSSL_PARAM_construct_end() };
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "CMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	size_t got = 0;
	int done;

	done = ctx != NULL && EVP_MAC_init(ctx, key, key_len, params) == 1 &&
	       EVP_MAC_update(ctx, msg, len) == 1 &&
	       EVP_MAC_final(ctx, ret_mac, &got, 16) == 1 && got == 16;
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
	return done ? 0 : pv_ossl_fail(e, "AES-CMAC");
}
