/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include "crypto/ossl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <stdlib.h>
#include <string.h>

struct pv_hash {
	EVP_MD_CTX *md;
};

struct pv_sha256 {
	struct pv_hash h;
};

int
pv_ossl_fail(struct pv_error *e, const char *what)
{
	unsigned long code = ERR_get_error();
	char text[160] = "no detail";

	if (code != 0)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	(void)pv_fail(e, PV_E_INTERNAL, "%s: %s", what, text);
	if (e != NULL)
		e->vendor_code = (long)code;
	return PV_E_INTERNAL;
}

static const EVP_MD *
sha2(unsigned int bits)
{
	if (bits == 512)
		return EVP_sha512();
	return bits == 384 ? EVP_sha384() : EVP_sha256();
}

static int
begin(struct pv_hash *h, unsigned int bits)
{
	h->md = EVP_MD_CTX_new();
	return h->md != NULL && EVP_DigestInit_ex(h->md, sha2(bits), NULL) == 1;
}

int
pv_hash_new(unsigned int bits, struct pv_hash **ret_h, struct pv_error *e)
{
	struct pv_hash *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (!begin(h, bits)) {
		pv_hash_free(h);
		return pv_ossl_fail(e, "SHA-2");
	}
	*ret_h = h;
	return 0;
}

int
pv_hash_update(
    struct pv_hash *h, const void *data, size_t len, struct pv_error *e)
{
	if (EVP_DigestUpdate(h->md, data, len) != 1)
		return pv_ossl_fail(e, "SHA-2");
	return 0;
}

int
pv_hash_final(
    struct pv_hash *h, uint8_t ret_digest[PV_HASH_MAX], struct pv_error *e)
{
	if (EVP_DigestFinal_ex(h->md, ret_digest, NULL) != 1)
		return pv_ossl_fail(e, "SHA-2");
	return 0;
}

void
pv_hash_free(struct pv_hash *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->md);
	free(h);
}

int
pv_hash(unsigned int bits, const struct pv_part *parts, size_t n,
    uint8_t ret_digest[PV_HASH_MAX], struct pv_error *e)
{
	struct pv_hash h;
	int good = begin(&h, bits);

	for (size_t i = 0; good && i < n; i++)
		good = EVP_DigestUpdate(h.md, parts[i].data, parts[i].len) == 1;
	good = good && EVP_DigestFinal_ex(h.md, ret_digest, NULL) == 1;
	EVP_MD_CTX_free(h.md);
	return good ? 0 : pv_ossl_fail(e, "SHA-2");
}

int
pv_sha256_new(struct pv_sha256 **ret_h, struct pv_error *e)
{
	struct pv_sha256 *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (!begin(&h->h, 256)) {
		pv_sha256_free(h);
		return pv_ossl_fail(e, "SHA-256");
	}
	*ret_h = h;
	return 0;
}

int
pv_sha256_update(
    struct pv_sha256 *h, const void *data, size_t len, struct pv_error *e)
{
	return pv_hash_update(&h->h, data, len, e);
}

int
pv_sha256_final(
    struct pv_sha256 *h, uint8_t ret_digest[PV_SHA256_LEN], struct pv_error *e)
{
	if (EVP_DigestFinal_ex(h->h.md, ret_digest, NULL) != 1)
		return pv_ossl_fail(e, "SHA-256");
	return 0;
}

void
pv_sha256_free(struct pv_sha256 *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->h.md);
	free(h);
}

int
pv_sha256(const struct pv_part *parts, size_t n,
    uint8_t ret_digest[PV_SHA256_LEN], struct pv_error *e)
{
	struct pv_sha256 *h = NULL;
	uint8_t digest[PV_SHA256_LEN];
	int r;

	if ((r = pv_sha256_new(&h, e)) != 0)
		return r;
	for (size_t i = 0; i < n && r == 0; i++)
		r = pv_sha256_update(h, parts[i].data, parts[i].len, e);
	if (r == 0 && (r = pv_sha256_final(h, digest, e)) == 0) {
		for (size_t i = 0; i < sizeof(digest); i++)
			ret_digest[i] = digest[i];
	}
	pv_sha256_free(h);
	return r;
}

int
pv_sha384(const struct pv_part *parts, size_t n, uint8_t ret_digest[48],
    struct pv_error *e)
{
	uint8_t digest[PV_HASH_MAX];
	int r = pv_hash(384, parts, n, digest, e);

	if (r == 0)
		memcpy(ret_digest, digest, 48);
	return r;
}

int
pv_ct_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
