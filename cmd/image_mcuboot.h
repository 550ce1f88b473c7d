/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files cmd/image_mcuboot*.c and the program's `inspect`. */
#ifndef PV_CMD_IMAGE_MCUBOOT_H
#define PV_CMD_IMAGE_MCUBOOT_H

#include "cmd/cmd.h"

/* What the header and entries of an open image say, on stdout or into `o`. */
struct pv_mcuboot_file;
struct pv_mcuboot_flavor;
void pv_mcuboot_show(const struct pv_app *app, struct pv_json *o,
    const struct pv_mcuboot_file *f, const struct pv_mcuboot_flavor *flavor);

int pv_image_mcuboot_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
