/* SPDX-License-Identifier: Apache-2.0 */
/* provisor key: key.c has the verbs of tokens. */
#ifndef PV_CMD_KEY_H
#define PV_CMD_KEY_H

#include "cmd/cmd.h"

PV_MUST_USE int pv_cmd_key_hash(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
