/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include "crypto/ossl.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <stdlib.h>

struct pv_sha256 {
	EVP_MD_CTX *md;
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

int
pv_sha256_new(struct pv_sha256 **ret_h, struct pv_error *e)
{
	struct pv_sha256 *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	h->md = EVP_MD_CTX_new();
	if (h->md == NULL ||
	    EVP_DigestInit_ex(h->md, EVP_sha256(), NULL) != 1) {
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
	if (EVP_DigestUpdate(h->md, data, len) != 1)
		return pv_ossl_fail(e, "SHA-256");
	return 0;
}

int
pv_sha256_final(
    struct pv_sha256 *h, uint8_t ret_digest[PV_SHA256_LEN], struct pv_error *e)
{
	if (EVP_DigestFinal_ex(h->md, ret_digest, NULL) != 1)
		return pv_ossl_fail(e, "SHA-256");
	return 0;
}

void
pv_sha256_free(struct pv_sha256 *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->md);
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
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int good = md != NULL && EVP_DigestInit_ex(md, EVP_sha384(), NULL) == 1;

	for (size_t i = 0; good && i < n; i++)
		good = EVP_DigestUpdate(md, parts[i].data, parts[i].len) == 1;
	good = good && EVP_DigestFinal_ex(md, ret_digest, NULL) == 1;
	EVP_MD_CTX_free(md);
	return good ? 0 : pv_ossl_fail(e, "SHA-384");
}

int
pv_ct_equal(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
