/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the device verbs share. */
#ifndef PV_CMD_DEVICE_H
#define PV_CMD_DEVICE_H

#include "cmd/cmd.h"
#include "cmd/target.h"

/* Rows for every verb that talks to a chip. */
#define PV_OPT_PORT(v)                                           \
	{                                                        \
		"port", 0, POPT_ARG_STRING, &(v), 0,             \
		    "usart:PATH[@BAUD] or tcp:HOST:PORT", "PORT" \
	}
#define PV_OPT_CHIP(v)                                                    \
	{                                                                 \
		"chip", 0, POPT_ARG_STRING, &(v), 0,                      \
		    "take this chip description, whatever the chip says", \
		    "CHIP"                                                \
	}

#define PV_READ_CHUNK 4096U /* bytes between two steps of the bar */

int pv_device_erase(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
