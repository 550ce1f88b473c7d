/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of src/chip. */
#ifndef PV_CHIP_JSON_H
#define PV_CHIP_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>
#include <provisor/err.h>

struct pv_json;

/* A description is a few KiB. */
#define PV_CHIP_JSON_MAX (256U << 10)

/*
 * Parse one description and check that it agrees with itself. `name` is the
 * file, for messages. *ret_default is the file's "default_for_id".
 */
PV_MUST_USE int pv_chip_parse(const char *text, size_t len, const char *name,
    struct pv_chip *ret_chip, bool *ret_default, struct pv_error *e);

/* The members of boot programs and of secure install, into the chip. */
PV_MUST_USE int pv_chip_parse_boot(
    const struct pv_json *root, struct pv_chip *c, struct pv_error *e);

/* --- members ---------------------------------------------------------------
 * `what` is the object, for messages. PV_E_MALFORMED unless it is as asked. */

/* obj is an object that has none but these members (ended by NULL). */
PV_MUST_USE int pv_chip_only(const struct pv_json *obj, const char *what,
    const char *const *members, struct pv_error *e);
/* A number of at most max. */
PV_MUST_USE int pv_chip_get_u32(const struct pv_json *obj, const char *what,
    const char *name, uint32_t max, uint32_t *ret_v, struct pv_error *e);
/* The same; absent leaves *ret_v as it is. */
PV_MUST_USE int pv_chip_opt_u32(const struct pv_json *obj, const char *what,
    const char *name, uint32_t max, uint32_t *ret_v, struct pv_error *e);
/* An array of at most max elements, borrowed; absent is empty. */
PV_MUST_USE int pv_chip_get_array(const struct pv_json *obj, const char *name,
    size_t max, const struct pv_json **ret_arr, size_t *ret_n,
    struct pv_error *e);

#endif
