/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kdf.h"

#include "crypto/digest.h"
#include "crypto/ossl.h"

#include <openssl/err.h>
#include <openssl/evp.h>

#include <limits.h>
#include <string.h>

#include <provisor/secret.h>

static int
check(size_t key_len, size_t len, size_t unit, struct pv_error *e)
{
	if ((key_len != 16 && key_len != 32) || len == 0 || len % unit != 0 ||
	    len > INT_MAX - 8)
		return pv_fail(e, PV_E_INTERNAL, "AES: lengths");
	return 0;
}

/* One pass of a cipher without padding; out gets out_len bytes. */
static int
run(const EVP_CIPHER *cipher, int enc, const uint8_t *key, const uint8_t *in,
    size_t len, uint8_t *out, size_t out_len)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0, rest = 0, done = 0;

	if (ctx == NULL)
		return 0;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex(ctx, cipher, NULL, key, NULL, enc) == 1 &&
	    EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
	    EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1 &&
	    EVP_CipherFinal_ex(ctx, out + n, &rest) == 1)
		done = (size_t)n + (size_t)rest == out_len;
	EVP_CIPHER_CTX_free(ctx);
	return done;
}

int
pv_aes_ecb(const uint8_t *key, size_t key_len, const uint8_t *in, size_t len,
    uint8_t *out, struct pv_error *e)
{
	int r;

	if ((r = check(key_len, len, 16, e)) != 0)
		return r;
	if (!run(key_len == 16 ? EVP_aes_128_ecb() : EVP_aes_256_ecb(), 1, key,
		in, len, out, len))
		return pv_ossl_fail(e, "AES-ECB");
	return 0;
}

int
pv_aes_wrap(const uint8_t *kek, size_t kek_len, const uint8_t *in, size_t len,
    uint8_t *out, struct pv_error *e)
{
	int r;

	if ((r = check(kek_len, len, 8, e)) != 0)
		return r;
	if (!run(kek_len == 16 ? EVP_aes_128_wrap() : EVP_aes_256_wrap(), 1,
		kek, in, len, out, len + 8))
		return pv_ossl_fail(e, "AES key wrap");
	return 0;
}

int
pv_aes_unwrap(const uint8_t *kek, size_t kek_len, const uint8_t *in, size_t len,
    uint8_t *out, struct pv_error *e)
{
	int r;

	if ((r = check(kek_len, len, 8, e)) != 0)
		return r;
	if (len < 24 ||
	    !run(kek_len == 16 ? EVP_aes_128_wrap() : EVP_aes_256_wrap(), 0,
		kek, in, len, out, len - 8)) {
		ERR_clear_error();
		return pv_fail(e, PV_E_VERIFY,
		    "the wrapped key fails its integrity check");
	}
	return 0;
}

int
pv_x963_sha256(const uint8_t *z, size_t z_len, const void *info,
    size_t info_len, uint8_t *out, size_t out_len, struct pv_error *e)
{
	uint8_t counter[4] = { 0 }, block[PV_SHA256_LEN];
	const struct pv_part parts[] = {
		{ z, z_len },
		{ counter, sizeof(counter) },
		{ info, info_len },
	};
	int r = 0;

	if (out_len == 0 || out_len > 255 * sizeof(block))
		return pv_fail(e, PV_E_INTERNAL, "X9.63: lengths");
	while (out_len > 0) {
		size_t n = out_len < sizeof(block) ? out_len : sizeof(block);

		counter[3]++; /* at most 255 blocks */
		r = pv_sha256(parts, 3, block, e);
		if (r != 0)
			break;
		memcpy(out, block, n);
		out += n;
		out_len -= n;
	}
	pv_wipe(block, sizeof(block));
	return r;
}
