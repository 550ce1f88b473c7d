/* SPDX-License-Identifier: Apache-2.0 */
/* PEM text (RFC 7468) around DER that is already at hand. */
#ifndef PV_PEM_H
#define PV_PEM_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

/*
 * "-----BEGIN LABEL-----" ... with lines of 64 characters, into fresh memory
 * that the caller frees. At most 64 KiB of DER.
 */
PV_MUST_USE int pv_pem_encode(const char *label, const uint8_t *der, size_t len,
    char **ret_text, struct pv_error *e);

#endif
