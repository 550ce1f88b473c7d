/* SPDX-License-Identifier: Apache-2.0 */
/* A chip at a port, for the verbs that talk to one. */
#ifndef PV_CMD_TARGET_H
#define PV_CMD_TARGET_H

#include "cmd/cmd.h"
#include <provisor/boot.h>
#include <provisor/link.h>
#include <provisor/usart.h>

struct pv_target {
	struct pv_link link;
	struct pv_usart *u;
	struct pv_boot boot;  /* the session, for plans */
	struct pv_chip *chip; /* NULL: not known, and not needed */
};

/*
 * Open the port, synchronize, and find the chip description: by `chip_name`
 * when given (another product id is only warned of), else by the product id.
 * A chip nobody described is PV_E_DEVICE when need_chip, with a hint how to
 * add one. *ret_t is empty on failure.
 */
PV_MUST_USE int pv_target_open(struct pv_app *app, const char *port,
    const char *chip_name, bool need_chip, struct pv_target *ret_t,
    struct pv_error *e);
void pv_target_close(struct pv_target *t);

/* "STM32H563 (0x484)" */
#define PV_TARGET_NAME 96U
void pv_target_name(const struct pv_target *t, char dst[PV_TARGET_NAME]);

/* "ADDR+SIZE". PV_E_USAGE. */
PV_MUST_USE int pv_parse_range(const char *text, uint32_t *ret_addr,
    uint32_t *ret_size, struct pv_error *e);

/* "12.3 KiB" or "512 bytes" */
#define PV_SIZE_TEXT 24U
void pv_size_text(char dst[PV_SIZE_TEXT], uint64_t bytes);

#endif
