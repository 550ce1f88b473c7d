/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes by address, in any order and of any amount, for the formats whose
 * bytes cannot be read in place. A few MiB stay in memory; more goes to an
 * unlinked temporary file (in TMPDIR, or /tmp) where a byte stands at the
 * offset of its address. Which bytes were given is kept as a list of ranges,
 * so records in any order cost a sort, not a search each.
 */
#ifndef PV_FIRMWARE_STORE_H
#define PV_FIRMWARE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

/* Addresses have 32 bits: one past the last of them. */
#define PV_ADDR_END ((uint64_t)1 << 32)

struct pv_fw_store; /* opaque */

PV_MUST_USE int pv_fw_store_new(
    struct pv_fw_store **ret_store, struct pv_error *e);
void pv_fw_store_free(struct pv_fw_store *s);

/*
 * Add bytes; addr + len at most PV_ADDR_END. PV_E_OVERLAP, at once or later:
 * an address was given twice, see pv_fw_store_twice. PV_E_MALFORMED: more
 * ranges at one time than are kept.
 */
PV_MUST_USE int pv_fw_store_put(struct pv_fw_store *s, uint64_t addr,
    const void *data, size_t len, struct pv_error *e);
/* No more bytes come: find what is left to find. PV_E_OVERLAP. */
PV_MUST_USE int pv_fw_store_finish(struct pv_fw_store *s, struct pv_error *e);
/* After PV_E_OVERLAP: the lowest address that was found to be given twice. */
uint64_t pv_fw_store_twice(const struct pv_fw_store *s);

/* After finish: the ranges, by address; they neither overlap nor touch. */
size_t pv_fw_store_count(const struct pv_fw_store *s);
void pv_fw_store_range(const struct pv_fw_store *s, size_t i,
    uint64_t *ret_addr, uint64_t *ret_size);

/* After finish: bytes inside one range. */
PV_MUST_USE int pv_fw_store_read(const struct pv_fw_store *s, uint64_t addr,
    void *data, size_t len, struct pv_error *e);

/* Bytes are in the temporary file, not in memory. */
bool pv_fw_store_spilled(const struct pv_fw_store *s);

#endif
