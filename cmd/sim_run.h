/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sim run, in a file of its own for its many options. */
#ifndef PV_CMD_SIM_RUN_H
#define PV_CMD_SIM_RUN_H

#include "cmd/cmd.h"

#define PV_SIM_RUN_ARGS                                                  \
	"DIR --usart LINK | --usbip [HOST:]PORT [--baud RATE] "          \
	"[--max-baud N] [--latency-ms N] [--event-char] [--turn-us N] "  \
	"[--time-scale F] [--faults SPEC] [--seed N] [--quirk NAME]... " \
	"[--no-quirk NAME]... [--firmware GENERATION] [--boot0 LEVEL] "  \
	"[--go-text TEXT] "                                              \
	"[--transcript FILE] [--flash-times] [--usb SPEC] [--usb-layout TEXT]"

int pv_sim_run_verb(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_sim_quirks_verb(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
