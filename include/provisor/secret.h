/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only home of keys, PINs and other secret bytes: whole pages, locked in
 * memory and left out of core dumps as far as the system allows, wiped when
 * freed. A secret never grows; make a new one instead.
 */
#ifndef PROVISOR_SECRET_H
#define PROVISOR_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_secret; /* opaque */

/* A new secret of `len` zero bytes, 1 .. PV_SECRET_MAX. Caller frees. */
#define PV_SECRET_MAX (16U << 20)
PV_MUST_USE int pv_secret_new(
    size_t len, struct pv_secret **ret_s, struct pv_error *e);

/* Wipes and frees; NULL is allowed. */
void pv_secret_free(struct pv_secret *s);

uint8_t *pv_secret_data(struct pv_secret *s);
const uint8_t *pv_secret_bytes(const struct pv_secret *s);
size_t pv_secret_len(const struct pv_secret *s);

/*
 * Read a file that must hold exactly `len` bytes (a raw AES key). A file of
 * another size is PV_E_MALFORMED and the message names both sizes.
 */
PV_MUST_USE int pv_secret_read_file(
    const char *path, size_t len, struct pv_secret **ret_s, struct pv_error *e);

/*
 * Read a whole file, or standard input when the path is "-": 1 to `max` bytes.
 * An empty one is PV_E_MALFORMED, a larger one PV_E_RANGE.
 */
PV_MUST_USE int pv_secret_read_all(
    const char *path, size_t max, struct pv_secret **ret_s, struct pv_error *e);

/*
 * Read one line (a PIN or passphrase) from a file or an open descriptor; the
 * newline is not part of it. Empty or longer than 255 bytes: PV_E_MALFORMED.
 */
PV_MUST_USE int pv_secret_read_line(
    const char *path, struct pv_secret **ret_s, struct pv_error *e);
PV_MUST_USE int pv_secret_read_line_fd(
    int fd, struct pv_secret **ret_s, struct pv_error *e);

/* Overwrite `len` bytes in a way the compiler keeps. */
void pv_wipe(void *p, size_t len);

#ifdef __cplusplus
}
#endif
#endif
