/* SPDX-License-Identifier: Apache-2.0 */
/* One image of the boot chain, for the files of src/push that talk to an MPU. */
#ifndef PV_PUSH_MPU_CHAIN_H
#define PV_PUSH_MPU_CHAIN_H

#include <provisor/mpu_push.h>

#define T_STAGE 60000 /* ms; TF-A sets up DDR, U-Boot starts */

/* "FSBL", "FIP", "DDR firmware" */
const char *pv_chain_name(uint8_t id);

/*
 * Send an image of ROM or TF-A and end it as its device wants; who answers
 * then, pv_mpu.next tells.
 */
PV_MUST_USE int pv_chain_send(const struct pv_mpu *m, uint8_t id,
    const struct pv_mpu_source *src, const char *step, struct pv_error *e);
/* The error of phase 0xff. */
int pv_chain_told(const struct pv_mpu_phase *p, struct pv_error *e);

#endif
