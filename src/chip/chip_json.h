/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of src/chip. */
#ifndef PV_CHIP_JSON_H
#define PV_CHIP_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include <provisor/chip.h>
#include <provisor/err.h>

/* A description is a few KiB. */
#define PV_CHIP_JSON_MAX (256U << 10)

/*
 * Parse one description and check that it agrees with itself. `name` is the
 * file, for messages. *ret_default is the file's "default_for_id".
 */
PV_MUST_USE int pv_chip_parse(const char *text, size_t len, const char *name,
    struct pv_chip *ret_chip, bool *ret_default, struct pv_error *e);

#endif
