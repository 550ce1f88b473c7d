/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the device verbs share. */
#ifndef PV_CMD_DEVICE_H
#define PV_CMD_DEVICE_H

#include "cmd/cmd.h"
#include "cmd/target.h"
#include <provisor/push.h>

/* Rows of the verbs that program. */
#define PV_OPT_PROGRAM(changed, read_back)                                   \
	{ "only-changed", 0, POPT_ARG_NONE, &(changed), 0,                   \
		"compare first, leave equal sectors alone", NULL },          \
	{                                                                    \
		"read-back", 0, POPT_ARG_NONE, &(read_back), 0,              \
		    "verify by reading even if the chip has checksums", NULL \
	}

#define PV_READ_CHUNK 4096U /* bytes between two steps of the bar */

/* Synopsis of the options of struct pv_target_args. */
#define PV_TARGET_SYNOPSIS "--port PORT [--chip CHIP] [LINE-OPTIONS]"

/* What programming did, as members of a result. */
void pv_program_json(struct pv_json *root, const struct pv_plan_report *rep);

int pv_device_erase(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

int pv_device_options(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
/* Write read protection level 2 into the option bytes. No way back. */
PV_MUST_USE int pv_device_level_2(struct pv_target *t, struct pv_error *e);
int pv_device_protect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_device_unprotect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

/* --- device_usb.c ----------------------------------------------------------- */

/* Add the devices in DFU mode to the list; how many there are. */
unsigned int pv_device_list_usb(struct pv_app *app, struct pv_json *ports);
PV_MUST_USE int pv_device_info_usb(
    struct pv_app *app, struct pv_target *t, struct pv_error *e);
/* Where the option bytes are by the device's own map. */
PV_MUST_USE int pv_device_option_area(const struct pv_target *t,
    uint32_t *ret_base, size_t *ret_len, struct pv_error *e);
/* Does a path end in ".dfu"? */
bool pv_device_wants_dfuse(const char *path);
/* Write what was read as a DfuSe file of one target. */
PV_MUST_USE int pv_device_save_dfuse(const struct pv_target *t,
    const char *path, uint32_t addr, const uint8_t *data, size_t len,
    struct pv_error *e);

#endif
