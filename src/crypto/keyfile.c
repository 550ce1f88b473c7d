/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in PEM files. */
#include "crypto/ossl.h"

#include "base/file.h"
#include <provisor/secret.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <stdlib.h>

#define PEM_MAX 65536U

/* Never ask on a terminal: an encrypted file is an error here. */
static int
no_passphrase(char *buf, int size, int rwflag, void *ctx)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)ctx;
	return -1;
}

static EVP_PKEY *
parse_private(BIO *bio)
{
	return PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
}

/* A key in a public-key or certificate PEM. */
static EVP_PKEY *
parse_public(BIO *bio)
{
	EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
	X509 *cert;

	if (pkey != NULL || BIO_reset(bio) != 1)
		return pkey;
	cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (cert != NULL)
		pkey = X509_get_pubkey(cert);
	X509_free(cert);
	return pkey;
}

static int
read_key(const char *path, EVP_PKEY *(*parse)(BIO *), const char *what,
    EVP_PKEY **ret_pkey, struct pv_error *e)
{
	uint8_t *text = NULL;
	EVP_PKEY *pkey = NULL;
	size_t len = 0;
	BIO *bio;
	int r = pv_file_read(path, PEM_MAX, &text, &len, e);

	if (r != 0)
		return r;
	bio = BIO_new_mem_buf(text, (int)len);
	if (bio != NULL)
		pkey = parse(bio);
	BIO_free(bio);
	pv_wipe(text, len);
	free(text);
	ERR_clear_error();
	if (pkey == NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "'%s' holds no %s", path, what);
	*ret_pkey = pkey;
	return 0;
}

int
pv_ossl_read_private(const char *path, EVP_PKEY **ret_pkey, struct pv_error *e)
{
	return read_key(
	    path, parse_private, "unencrypted PEM private key", ret_pkey, e);
}

int
pv_ossl_read_public(const char *path, EVP_PKEY **ret_pkey, struct pv_error *e)
{
	return read_key(
	    path, parse_public, "PEM public key or certificate", ret_pkey, e);
}
