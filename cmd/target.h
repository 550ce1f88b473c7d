/* SPDX-License-Identifier: Apache-2.0 */
/* A chip at a port, for the verbs that talk to one. */
#ifndef PV_CMD_TARGET_H
#define PV_CMD_TARGET_H

#include "cmd/cmd.h"
#include <provisor/boot.h>
#include <provisor/link.h>
#include <provisor/usart.h>

/* What the options of a verb said about port and chip. */
struct pv_target_args {
	const char *port, *chip;
	const char *reset; /* --reset-sequence, NULL: no modem lines */
	const char *baud;  /* --baud, NULL: of the port */
	int lockstep, coalesce;
};

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
#define PV_OPT_TARGET(a)                                                       \
	PV_OPT_PORT((a).port), PV_OPT_CHIP((a).chip),                          \
	    { "reset-sequence", 0, POPT_ARG_STRING, &(a).reset, 0,             \
		    "reset and boot pins on DTR and RTS: a preset or "         \
		    "steps",                                                   \
		    "SEQ" },                                                   \
	    { "baud", 0, POPT_ARG_STRING, &(a).baud, 0,                        \
		    "baud rate, or 'auto' for the highest that works",         \
		    "RATE" },                                                  \
	    { "lockstep", 0, POPT_ARG_NONE, &(a).lockstep, 0,                  \
		    "send one frame at a time and wait for its answer",        \
		    NULL },                                                    \
	{                                                                      \
		"coalesce", 0, POPT_ARG_NONE, &(a).coalesce, 0,                \
		    "send whole write frames at once where that is safe", NULL \
	}
/* The same in a synopsis. */
#define PV_LINE_SYNOPSIS "[LINE-OPTIONS]"

struct pv_target {
	struct pv_link link;
	struct pv_usart *u;
	struct pv_boot boot;  /* the session, for plans */
	struct pv_chip *chip; /* NULL: not known, and not needed */
	uint32_t baud;	      /* found by --baud auto, else 0 */
};

/*
 * Open the port, synchronize, and find the chip description: by name when one
 * is given (another product id is only warned of), else by the product id. A
 * chip nobody described is PV_E_DEVICE when need_chip, with a hint how to add
 * one. *ret_t is empty on failure.
 */
PV_MUST_USE int pv_target_open(struct pv_app *app,
    const struct pv_target_args *args, bool need_chip, struct pv_target *ret_t,
    struct pv_error *e);
void pv_target_close(struct pv_target *t);

/* "STM32H563 (0x484)" */
#define PV_TARGET_NAME 96U
void pv_target_name(const struct pv_target *t, char dst[PV_TARGET_NAME]);

/* "line": how frames went out, retries and rate. */
void pv_target_json(const struct pv_target *t, struct pv_json *root);

/*
 * After programming without Go: some parts look only at power-on whether
 * their flash is empty, and stay in the bootloader until then (AN2606).
 */
void pv_target_empty_check(struct pv_app *app, const struct pv_target *t);

/* "ADDR+SIZE". PV_E_USAGE. */
PV_MUST_USE int pv_parse_range(const char *text, uint32_t *ret_addr,
    uint32_t *ret_size, struct pv_error *e);

/* "12.3 KiB" or "512 bytes" */
#define PV_SIZE_TEXT 24U
void pv_size_text(char dst[PV_SIZE_TEXT], uint64_t bytes);

#endif
