/* SPDX-License-Identifier: Apache-2.0 */
/* X.509 certificates of P-256 keys: reading, and short chains. */
#ifndef PV_X509_H
#define PV_X509_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

/* DER of the first certificate of a PEM file (or of a file that is DER), in
 * fresh memory that the caller frees. */
PV_MUST_USE int pv_x509_read(
    const char *path, uint8_t **ret_der, size_t *ret_len, struct pv_error *e);

/* Length of the DER certificate at the start of the bytes, others may follow;
 * PV_E_MALFORMED when there is none. */
PV_MUST_USE int pv_x509_length(
    const uint8_t *der, size_t len, size_t *ret_len, struct pv_error *e);

/* X and Y of its key; PV_E_UNSUPPORTED when that is not P-256. */
PV_MUST_USE int pv_x509_point(
    const uint8_t *der, size_t len, uint8_t ret_point[64], struct pv_error *e);

/*
 * Leaf, intermediate and root, all DER: PV_E_VERIFY unless each is signed by
 * the next and the last two are authorities. Dates are not looked at: the
 * devices have no clock.
 */
PV_MUST_USE int pv_x509_verify(const uint8_t *leaf, size_t leaf_len,
    const uint8_t *between, size_t between_len, const uint8_t *root,
    size_t root_len, struct pv_error *e);

#endif
