/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share of OpenSSL. */
#ifndef PV_OSSL_H
#define PV_OSSL_H

#include <openssl/evp.h>

#include <provisor/err.h>

struct pv_passphrase;

/* Empties OpenSSL's error queue into the message; code PV_E_INTERNAL. */
int pv_ossl_fail(struct pv_error *e, const char *what);

/*
 * The key of a PEM file: a private key (PKCS#8, also encrypted, SEC1, PKCS#1),
 * or a public key or the key of a certificate. PV_E_MALFORMED when the file
 * holds none or the passphrase is wrong; PV_E_USAGE when it is encrypted and
 * `pass` is NULL. Never asks on a terminal by itself. The caller frees
 * *ret_pkey with EVP_PKEY_free.
 */
PV_MUST_USE int pv_ossl_read_private(const char *path,
    const struct pv_passphrase *pass, EVP_PKEY **ret_pkey, struct pv_error *e);
PV_MUST_USE int pv_ossl_read_public(
    const char *path, EVP_PKEY **ret_pkey, struct pv_error *e);
/* Either half: the public key of a file that holds a public key, a
 * certificate or, without passphrase, a private key. */
PV_MUST_USE int pv_ossl_read_any(const char *path,
    const struct pv_passphrase *pass, EVP_PKEY **ret_pkey, struct pv_error *e);

#endif
