/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of STM32MP session share. */
#ifndef PV_BOOT_MPU_H
#define PV_BOOT_MPU_H

#include <provisor/mpu.h>

/*
 * Text of a device into `dst`: masked, without line ends at its end, at most
 * PV_MPU_TEXT - 1 bytes.
 */
void pv_mpu_text(char dst[PV_MPU_TEXT], const uint8_t *data, size_t len);

/* "@FSBL /0x01/1*1Me": the number between slashes; false when there is none. */
bool pv_mpu_alt_id(const char *text, uint8_t *ret_id);

/* Which stage answers so? `len`: bytes of the USB answer, 0 on a line. */
enum pv_mpu_stage pv_mpu_stage_of(
    const struct pv_mpu_info *info, uint8_t phase, size_t len);

#endif
