/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by pubkey.c, sigkey.c and enckey.c only. */
#ifndef PV_SIGKEY_INT_H
#define PV_SIGKEY_INT_H

#include <openssl/evp.h>

#include "crypto/sigkey.h"

struct pv_pubkey {
	EVP_PKEY *pkey;
	enum pv_sig_alg alg;
};

/* Bytes of r and of s, 0 for a key of no NIST curve. */
size_t pv_sig_number_size(enum pv_sig_alg alg);
/* Does the key sign by RSASSA-PSS? */
int pv_sig_is_rsa(enum pv_sig_alg alg);
/* Take over the key of a file, if it is of a kind we sign with; else it is
 * freed and the code is PV_E_UNSUPPORTED. */
PV_MUST_USE int pv_pubkey_adopt(
    struct pv_pubkey *k, EVP_PKEY *pkey, const char *what, struct pv_error *e);

#endif
