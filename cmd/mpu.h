/* SPDX-License-Identifier: Apache-2.0 */
/* An STM32MP at a port, and the images for it, for the verbs that talk to one. */
#ifndef PV_CMD_MPU_H
#define PV_CMD_MPU_H

#include "cmd/cmd.h"
#include "cmd/target.h"
#include <provisor/mpu_push.h>

struct pv_mpu_target {
	struct pv_link link;
	struct pv_usb *usb; /* NULL on a line */
	struct pv_mpu m;
	struct pv_chip *chip; /* NULL: nobody described it */
};

/* Open the port and begin a session. *ret_t is empty on failure. */
PV_MUST_USE int pv_mpu_target_open(struct pv_app *app,
    const struct pv_target_args *args, struct pv_mpu_target *ret_t,
    struct pv_error *e);
void pv_mpu_target_close(struct pv_mpu_target *t);
/* Is the device on this USB port an STM32MP? Serial lines: false. */
bool pv_mpu_target_is(const struct pv_target_args *args);

/* "STM32MP15 (0x500)" */
void pv_mpu_target_name(
    const struct pv_mpu_target *t, char dst[PV_TARGET_NAME]);
/* "line" or "usb" counters, retries. */
void pv_mpu_target_json(const struct pv_mpu_target *t, struct pv_json *root);
/* Retries so far; 0 before there is a session. */
unsigned int pv_mpu_target_retries(const struct pv_mpu_target *t);

/* FSBL and FIP of the options that lead to U-Boot. */
struct pv_mpu_images {
	struct pv_mpu_file *fsbl, *fip;
	struct pv_mpu_chain chain;
};
#define PV_OPT_CHAIN(fsbl, fip)                                 \
	{ "fsbl", 0, POPT_ARG_STRING, &(fsbl), 0,               \
		"STM32MP: TF-A that leads to U-Boot", "FILE" }, \
	{                                                       \
		"fip", 0, POPT_ARG_STRING, &(fip), 0,           \
		    "STM32MP: FIP with U-Boot", "FILE"          \
	}
/* Both or none; checked as far as possible, for `chip` (0: any). */
PV_MUST_USE int pv_mpu_images_open(const char *fsbl, const char *fip,
    uint16_t chip, struct pv_mpu_images *ret_i, struct pv_error *e);
void pv_mpu_images_close(struct pv_mpu_images *i);

/* --- device_mpu.c, device_otp.c ---------------------------------------------- */

PV_MUST_USE int pv_device_info_mpu(
    struct pv_app *app, const struct pv_target_args *args, struct pv_error *e);
int pv_device_otp(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
