/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image --format stm32: image_stm32.c signs, image_stm32_check.c
 * verifies, decrypts and shows. */
#ifndef PV_CMD_IMAGE_STM32_H
#define PV_CMD_IMAGE_STM32_H

#include "cmd/cmd.h"
#include "image/stm32.h"

PV_MUST_USE int pv_cmd_stm32_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
PV_MUST_USE int pv_cmd_stm32_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
PV_MUST_USE int pv_cmd_stm32_decrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

/* The header's fields, as lines and as members of `root`. */
PV_MUST_USE int pv_stm32_show(struct pv_app *app, const char *path,
    const struct pv_stm32_image *m, struct pv_json *root, struct pv_error *e);

/* "2.2" or "mp2" and so on to a version; PV_E_USAGE lists them. */
PV_MUST_USE int pv_stm32_parse_version(
    const char *text, uint32_t *ret_version, struct pv_error *e);
/* A master key file of 16 or 32 bytes. */
PV_MUST_USE int pv_stm32_open_edmk(struct pv_app *app, const char *key,
    struct pv_secret **ret_key, struct pv_error *e);

#endif
