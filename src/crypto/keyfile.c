/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in PEM files. */
#include "crypto/ossl.h"

#include "base/file.h"
#include "crypto/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PEM_MAX 65536U

/* One passphrase under way, and what became of it. */
struct asking {
	const struct pv_passphrase *pass;
	const char *path;
	struct pv_error *e;
	bool asked; /* the file is encrypted */
	int r;	    /* why there is no passphrase */
};

/* OpenSSL's callback: never asks on a terminal by itself. */
static int
give_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	struct asking *a = ctx;
	struct pv_secret *s = NULL;
	int n = -1;

	(void)rwflag;
	a->asked = true;
	if (a->pass == NULL)
		a->r = pv_fail(a->e, PV_E_USAGE,
		    "'%s' is encrypted and no passphrase was given", a->path);
	else
		a->r = a->pass->ask(a->pass->ctx, a->path, &s, a->e);
	if (a->r == 0 && pv_secret_len(s) <= (size_t)size) {
		n = (int)pv_secret_len(s);
		memcpy(buf, pv_secret_bytes(s), (size_t)n);
	}
	pv_secret_free(s);
	return n;
}

static EVP_PKEY *
parse_private(BIO *bio, struct asking *a)
{
	return PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, a);
}

/* A key in a public-key or certificate PEM. */
static EVP_PKEY *
parse_public(BIO *bio, struct asking *a)
{
	EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	X509 *cert;

	(void)a;
	if (pkey != NULL || BIO_reset(bio) != 1)
		return pkey;
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (cert != NULL)
		pkey = X509_get_pubkey(cert);
	X509_free(cert);
	return pkey;
}

static EVP_PKEY *
parse_any(BIO *bio, struct asking *a)
{
	EVP_PKEY *pkey = parse_public(bio, a);

	if (pkey == NULL && BIO_reset(bio) == 1)
		pkey = parse_private(bio, a);
	return pkey;
}

static int
read_key(struct asking *a, EVP_PKEY *(*parse)(BIO *, struct asking *),
    const char *what, EVP_PKEY **ret_pkey)
{
	uint8_t *text = NULL;
	EVP_PKEY *pkey = NULL;
	size_t len = 0;
	BIO *bio;
	int r = pv_file_read(a->path, PEM_MAX, &text, &len, a->e);

	if (r != 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio != NULL)
		pkey = parse(bio, a);
	BIO_free(bio);
	pv_wipe(text, len);
	free(text);
	ERR_clear_error();
	if (a->r != 0) {
		EVP_PKEY_free(pkey);
		return a->r;
	}
	if (pkey == NULL && a->asked)
		return pv_fail(a->e, PV_E_MALFORMED,
		    "'%s': wrong passphrase, or a damaged file", a->path);
	if (pkey == NULL)
		return pv_fail(
		    a->e, PV_E_MALFORMED, "'%s' holds no %s", a->path, what);
	*ret_pkey = pkey;
	return 0;
}

int
pv_ossl_read_private(const char *path, const struct pv_passphrase *pass,
    EVP_PKEY **ret_pkey, struct pv_error *e)
{
	struct asking a = { .pass = pass, .path = path, .e = e };

	return read_key(&a, parse_private, "PEM private key", ret_pkey);
}

int
pv_ossl_read_public(const char *path, EVP_PKEY **ret_pkey, struct pv_error *e)
{
	struct asking a = { .path = path, .e = e };

	return read_key(
	    &a, parse_public, "PEM public key or certificate", ret_pkey);
}

int
pv_ossl_read_any(const char *path, const struct pv_passphrase *pass,
    EVP_PKEY **ret_pkey, struct pv_error *e)
{
	struct asking a = { .pass = pass, .path = path, .e = e };

	return read_key(&a, parse_any,
	    "PEM public key, certificate or private key", ret_pkey);
}
