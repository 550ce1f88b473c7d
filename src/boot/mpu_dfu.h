/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The STM32MP session on USB from inside: what mpu_dfu.c and mpu_dfu_data.c
 * share. M9 to M12 are the requirements of formats/mpu-boot.md.
 */
#ifndef PV_BOOT_MPU_DFU_H
#define PV_BOOT_MPU_DFU_H

#include "boot/dfu.h"
#include "boot/mpu.h"

#define T_MD_LOOK  1000	 /* ms; one transfer of a device that may be leaving */
#define T_MD_WORK  60000 /* ms; U-Boot erases and writes during manifestation */
#define T_MD_LEAVE 3000	 /* ms; from DETACH until it is gone */

#define MD_PHASE 9U /* bytes of GetPhase that are always there */

struct md {
	struct pv_dfu d; /* requests, steps and messages */
	struct pv_mpu_info info;
	struct pv_mpu_counters counters;
	enum pv_mpu_stage stage;
	bool gone;		  /* it left the bus, or was told to */
	struct pv_mpu_phase last; /* the answer before */
	/* Phase 0xff is told once: it was heard while waiting. */
	bool heard;
};

/* --- mpu_dfu.c -------------------------------------------------------------- */

/* Select the alternate setting with this id (M9). */
int pv_md_select(struct md *m, uint8_t id, struct pv_error *e);

/* --- mpu_dfu_data.c --------------------------------------------------------- */

int pv_md_download(void *ctx, uint8_t id, const struct pv_mpu_source *src,
    const char *step, struct pv_error *e);
int pv_md_read(void *ctx, uint8_t id, uint8_t *data, size_t cap,
    size_t *ret_len, struct pv_error *e);

#endif
