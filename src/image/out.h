/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image files under way: raw bytes or Intel HEX, chosen by the name as boot
 * image tools do. They appear whole or not at all.
 */
#ifndef PV_IMAGE_OUT_H
#define PV_IMAGE_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <provisor/err.h>

struct pv_imgout; /* opaque */

/* Does the name end in .hex? */
bool pv_imgout_is_hex(const char *path);

/* `base` is the address of the first byte, for HEX only; `mode` is 0600 for
 * firmware in clear that was encrypted, else 0644. */
PV_MUST_USE int pv_imgout_open(const char *path, uint64_t base, mode_t mode,
    struct pv_imgout **ret_o, struct pv_error *e);
PV_MUST_USE int pv_imgout_write(
    struct pv_imgout *o, const void *data, size_t len, struct pv_error *e);
/* n bytes of `fill`: in HEX no record at all. */
PV_MUST_USE int pv_imgout_gap(
    struct pv_imgout *o, uint64_t n, uint8_t fill, struct pv_error *e);
PV_MUST_USE int pv_imgout_commit(struct pv_imgout *o, struct pv_error *e);
void pv_imgout_free(struct pv_imgout *o);

#endif
