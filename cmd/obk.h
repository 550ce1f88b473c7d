/* SPDX-License-Identifier: Apache-2.0 */
/* provisor obk: obk.c builds and lints, obk_inspect.c shows the fields. */
#ifndef PV_CMD_OBK_H
#define PV_CMD_OBK_H

#include "cmd/cmd.h"
#include "formats/obk.h"

/* Read and decode; the caller wipes and frees *ret_data. */
PV_MUST_USE int pv_obk_load(const char *path, uint8_t **ret_data,
    size_t *ret_len, struct pv_obk *ret_o, struct pv_error *e);
PV_MUST_USE int pv_obk_inspect_file(
    struct pv_app *app, const char *path, struct pv_error *e);

#endif
