/* SPDX-License-Identifier: Apache-2.0 */
/* What the license commands share. */
#ifndef PV_CMD_LICENSE_H
#define PV_CMD_LICENSE_H

#include "cmd/cmd.h"

/* Does the file begin as a receipt does? No when it cannot be read. */
bool pv_is_receipt(const char *path);

int pv_run_license_receipt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
/* 'license inspect' and 'license verify' of a receipt. */
PV_MUST_USE int pv_receipt_inspect(
    struct pv_app *app, const char *path, struct pv_error *e);
PV_MUST_USE int pv_receipt_verify(struct pv_app *app, const char *path,
    const char *campaign, const char *key, const char *certificate,
    struct pv_error *e);

#endif
