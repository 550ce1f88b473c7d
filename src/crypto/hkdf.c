/* SPDX-License-Identifier: Apache-2.0 */
/* HMAC, and HKDF on it. */
#include "crypto/kdf.h"

#include "crypto/digest.h"
#include "crypto/ossl.h"

#include <openssl/hmac.h>

#include <string.h>

#include <provisor/secret.h>

static const EVP_MD *
md_of(unsigned int bits)
{
	return bits == 512 ? EVP_sha512() : EVP_sha256();
}

int
pv_hmac(unsigned int bits, const uint8_t *key, size_t key_len, const void *data,
    size_t len, uint8_t *ret_mac, struct pv_error *e)
{
	unsigned int n = bits / 8;

	if (HMAC(md_of(bits), key, (int)key_len, data, len, ret_mac, &n) ==
	    NULL)
		return pv_ossl_fail(e, "HMAC");
	return 0;
}

int
pv_hkdf(unsigned int bits, const uint8_t *ikm, size_t ikm_len, const void *info,
    size_t info_len, uint8_t *out, size_t out_len, struct pv_error *e)
{
	static const uint8_t salt[PV_HASH_MAX] = { 0 };
	uint8_t prk[PV_HASH_MAX], t[PV_HASH_MAX] = { 0 },
				  msg[PV_HASH_MAX + 64 + 1];
	size_t hash = bits / 8, n = 0;
	int r;

	if (info_len > 64 || out_len > 255 * hash)
		return pv_fail(e, PV_E_INTERNAL, "HKDF: lengths");
	r = pv_hmac(bits, salt, hash, ikm, ikm_len, prk, e);
	/* T(i) = HMAC(PRK, T(i - 1) || info || i) */
	for (uint8_t i = 1; r == 0 && n < out_len; i++) {
		size_t prev = i == 1 ? 0 : hash, take = out_len - n;

		memcpy(msg, t, prev);
		memcpy(msg + prev, info, info_len);
		msg[prev + info_len] = i;
		r = pv_hmac(bits, prk, hash, msg, prev + info_len + 1, t, e);
		if (take > hash)
			take = hash;
		if (r == 0)
			memcpy(out + n, t, take);
		n += take;
	}
	pv_wipe(prk, sizeof(prk));
	pv_wipe(t, sizeof(t));
	pv_wipe(msg, sizeof(msg));
	return r;
}
