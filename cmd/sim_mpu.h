/* SPDX-License-Identifier: Apache-2.0 */
/* provisor sim show, of an STM32MP. */
#ifndef PV_CMD_SIM_MPU_H
#define PV_CMD_SIM_MPU_H

#include "cmd/cmd.h"
#include "sim/sim.h"

PV_MUST_USE int pv_sim_show_mpu(struct pv_app *app, const char *dir,
    const struct pv_chip *chip, const struct pv_sim_state *s,
    struct pv_error *e);

#endif
