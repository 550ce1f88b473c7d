/* SPDX-License-Identifier: Apache-2.0 */
/* provisor da: da.c makes certificates, da_show.c shows and verifies chains. */
#ifndef PV_CMD_DA_H
#define PV_CMD_DA_H

#include "cmd/cmd.h"
#include "image/da.h"

PV_MUST_USE int pv_cmd_da_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
PV_MUST_USE int pv_cmd_da_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

/* The certificates, as lines and as members of `root`. */
PV_MUST_USE int pv_da_show(struct pv_app *app, const char *path,
    const struct pv_da_chain *c, struct pv_json *root, struct pv_error *e);

#endif
