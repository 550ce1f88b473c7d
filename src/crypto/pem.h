/* SPDX-License-Identifier: Apache-2.0 */
/* PEM text (RFC 7468) around DER that is already at hand; passphrases. */
#ifndef PV_PEM_H
#define PV_PEM_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/secret.h>

/*
 * Where the passphrase of an encrypted private key comes from: called at most
 * once per file, and only for one that is encrypted. NULL in its place means
 * that there is none.
 */
struct pv_passphrase {
	void *ctx;
	int (*ask)(void *ctx, const char *path, struct pv_secret **ret_pass,
	    struct pv_error *e);
};

/*
 * "-----BEGIN LABEL-----" ... with lines of 64 characters, into fresh memory
 * that the caller frees. At most 64 KiB of DER.
 */
PV_MUST_USE int pv_pem_encode(const char *label, const uint8_t *der, size_t len,
    char **ret_text, struct pv_error *e);

#endif
