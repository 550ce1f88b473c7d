/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands for ST's signed formats share: keys of P-256, signing
 * elsewhere, versions against rollback. */
#ifndef PV_CMD_SIGNING_H
#define PV_CMD_SIGNING_H

#include "cmd/cmd.h"

struct pv_part;

/* X and Y of KEY as typed, by pv_open_public; PV_E_UNSUPPORTED when it is not
 * P-256. */
PV_MUST_USE int pv_open_point(struct pv_app *app, const char *key,
    uint8_t ret_point[64], struct pv_error *e);

/* Is --vector-to-sign NULL, digest or payload? PV_E_USAGE. */
PV_MUST_USE int pv_vector_check(const char *what, struct pv_error *e);
/* Write what is to be signed elsewhere, and say so: the bytes of n parts, or
 * their SHA-256. */
PV_MUST_USE int pv_vector_write(struct pv_app *app, const char *out,
    const char *what, const struct pv_part *parts, size_t n,
    const uint8_t digest[32], struct pv_error *e);

/* --min-version: PV_E_ROLLBACK when `have` is below it; NULL is no limit. */
PV_MUST_USE int pv_check_min_version(
    const char *text, uint32_t max, uint32_t have, struct pv_error *e);

/* PV_E_USAGE when the output is one of the inputs (NULL: not given). */
PV_MUST_USE int pv_check_output(
    const char *out, const char *const *inputs, size_t n, struct pv_error *e);
/* The same for a list that ends with NULL, or is none. */
PV_MUST_USE int pv_check_output_list(
    const char *out, const char *const *inputs, struct pv_error *e);

/* The plain bytes of an image, mode 0600, and a line about them. */
PV_MUST_USE int pv_write_plain(struct pv_app *app, const char *out,
    const char *what, const uint8_t *data, size_t len, struct pv_error *e);

#endif
