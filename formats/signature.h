/* SPDX-License-Identifier: Apache-2.0 */
/* The detached signature file, byte by byte as in signature.md. */
#ifndef PV_SIGNATURE_H
#define PV_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/signature.h>

#define PV_SIGFILE_MAGIC   "PVSIGNAT"
#define PV_SIGFILE_HEADER  84U /* bytes that are signed */
#define PV_SIGFILE_MAX	   (PV_SIGFILE_HEADER + 2U + 96U) /* r and s of P-384 */
/* Stands before the header in the signed message, with its zero byte. */
#define PV_SIGFILE_DOMAIN  "provisor/sfi-signature/v1"
#define PV_SIGFILE_MESSAGE (sizeof(PV_SIGFILE_DOMAIN) + PV_SIGFILE_HEADER)

/* Can a signature file hold this algorithm? */
bool pv_sigfile_takes(enum pv_sig_alg alg);
PV_MUST_USE int pv_sigfile_decode(const uint8_t *data, size_t len,
    struct pv_signature *ret_s, struct pv_error *e);
void pv_sigfile_encode(const struct pv_signature *s,
    uint8_t ret_data[PV_SIGFILE_MAX], size_t *ret_len);
/* What the signature is made over. */
void pv_sigfile_message(
    const struct pv_signature *s, uint8_t ret_msg[PV_SIGFILE_MESSAGE]);

#endif
