/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/x509.h"

#include "base/file.h"
#include "crypto/ossl.h"
#include "crypto/sigkey.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <stdlib.h>
#include <string.h>

#define FILE_MAX 65536U

static X509 *
from_der(const uint8_t *der, size_t len)
{
	const unsigned char *p = der;

	return d2i_X509(NULL, &p, (long)len);
}

static X509 *
from_file(const uint8_t *data, size_t len)
{
	BIO *bio = BIO_new_mem_buf(data, (int)len);
	X509 *x = NULL;

	if (bio == NULL)
		return NULL;
	x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	BIO_free(bio);
	return x != NULL ? x : from_der(data, len);
}

int
pv_x509_read(
    const char *path, uint8_t **ret_der, size_t *ret_len, struct pv_error *e)
{
	uint8_t *data = NULL;
	unsigned char *der = NULL;
	size_t len = 0;
	X509 *x;
	int n, r = pv_file_read(path, FILE_MAX, &data, &len, e);

	if (r != 0)
		return r;
	x = from_file(data, len);
	free(data);
	ERR_clear_error();
	if (x == NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "'%s' is no certificate", path);
	n = i2d_X509(x, &der);
	X509_free(x);
	if (n <= 0)
		return pv_ossl_fail(e, "encoding a certificate");
	*ret_der = malloc((size_t)n);
	if (*ret_der == NULL) {
		OPENSSL_free(der);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	memcpy(*ret_der, der, (size_t)n);
	*ret_len = (size_t)n;
	OPENSSL_free(der);
	return 0;
}

int
pv_x509_length(
    const uint8_t *der, size_t len, size_t *ret_len, struct pv_error *e)
{
	const unsigned char *p = der;
	X509 *x = d2i_X509(NULL, &p, (long)len);

	ERR_clear_error();
	if (x == NULL)
		return pv_fail(e, PV_E_MALFORMED, "no certificate in DER");
	X509_free(x);
	*ret_len = (size_t)(p - der);
	return 0;
}

int
pv_x509_point(
    const uint8_t *der, size_t len, uint8_t ret_point[64], struct pv_error *e)
{
	X509 *x = from_der(der, len);
	struct pv_pubkey *k = NULL;
	unsigned char *spki = NULL;
	uint8_t point[96];
	size_t got = 0;
	int n, r;

	n = x == NULL ? 0 : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	X509_free(x);
	ERR_clear_error();
	if (n <= 0)
		return pv_fail(e, PV_E_MALFORMED, "no certificate in DER");
	r = pv_pubkey_from_spki(spki, (size_t)n, &k, e);
	OPENSSL_free(spki);
	if (r == 0 && pv_pubkey_alg(k) != PV_SIG_ECDSA_P256)
		r = pv_fail(e, PV_E_UNSUPPORTED,
		    "the certificate has a key of %s, not of P-256",
		    pv_sig_alg_name(pv_pubkey_alg(k)));
	if (r == 0)
		r = pv_pubkey_point(k, point, &got, e);
	if (r == 0)
		memcpy(ret_point, point, 64);
	pv_pubkey_free(k);
	return r;
}

/* 1 good, 0 bad with *why, -1 when OpenSSL fails otherwise. */
static int
check(X509 *leaf, X509 *between, X509 *root, int *why)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	STACK_OF(X509) *chain = sk_X509_new_null();
	int done = -1;

	if (store != NULL && ctx != NULL && chain != NULL &&
	    X509_STORE_add_cert(store, root) == 1 &&
	    sk_X509_push(chain, between) > 0 &&
	    X509_STORE_CTX_init(ctx, store, leaf, chain) == 1) {
		X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
		done = X509_verify_cert(ctx) == 1 ? 1 : 0;
		*why = X509_STORE_CTX_get_error(ctx);
	}
	sk_X509_free(chain);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	ERR_clear_error();
	return done;
}

int
pv_x509_verify(const uint8_t *leaf, size_t leaf_len, const uint8_t *between,
    size_t between_len, const uint8_t *root, size_t root_len,
    struct pv_error *e)
{
	X509 *l = from_der(leaf, leaf_len), *b = from_der(between, between_len);
	X509 *r = from_der(root, root_len);
	int why = 0, done = -1;

	if (l != NULL && b != NULL && r != NULL)
		done = check(l, b, r, &why);
	X509_free(l);
	X509_free(b);
	X509_free(r);
	ERR_clear_error();
	if (done < 0)
		return pv_fail(e, PV_E_MALFORMED, "no certificate in DER");
	if (done == 0)
		return pv_fail(e, PV_E_VERIFY, "certificates: %s",
		    X509_verify_cert_error_string(why));
	return 0;
}
