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
	int force; /* USB: go on with an odd memory map */
};

/* Rows for every verb that talks to a chip. */
#define PV_OPT_PORT(v)                                                      \
	{                                                                   \
		"port", 0, POPT_ARG_STRING, &(v), 0,                        \
		    "usart:PATH[@BAUD], tcp:HOST:PORT, dfu, dfu:SERIAL or " \
		    "dfu:BUS-PORT",                                         \
		    "PORT"                                                  \
	}
#define PV_OPT_CHIP(v)                                                    \
	{                                                                 \
		"chip", 0, POPT_ARG_STRING, &(v), 0,                      \
		    "take this chip description, whatever the chip says", \
		    "CHIP"                                                \
	}
#define PV_OPT_TARGET(a)                                                     \
	PV_OPT_PORT((a).port), PV_OPT_CHIP((a).chip),                        \
	    { "reset-sequence", 0, POPT_ARG_STRING, &(a).reset, 0,           \
		    "reset and boot pins on DTR and RTS: a preset or "       \
		    "steps",                                                 \
		    "SEQ" },                                                 \
	    { "baud", 0, POPT_ARG_STRING, &(a).baud, 0,                      \
		    "baud rate, or 'auto' for the highest that works",       \
		    "RATE" },                                                \
	    { "lockstep", 0, POPT_ARG_NONE, &(a).lockstep, 0,                \
		    "send one frame at a time and wait for its answer",      \
		    NULL },                                                  \
	    { "coalesce", 0, POPT_ARG_NONE, &(a).coalesce, 0,                \
		    "send whole write frames at once where that is safe",    \
		    NULL },                                                  \
	{                                                                    \
		"force", 0, POPT_ARG_NONE, &(a).force, 0,                    \
		    "USB: with --chip, go on where the device's own memory " \
		    "map does not parse",                                    \
		    NULL                                                     \
	}
/* The same in a synopsis. */
#define PV_LINE_SYNOPSIS "[LINE-OPTIONS]"

struct pv_target {
	struct pv_link link;
	struct pv_usart *u; /* NULL on USB */
	struct pv_usb *usb; /* NULL on a line, as the next two */
	struct pv_dfu *dfu;
	struct pv_chip *given; /* of the option */
	struct pv_boot boot;   /* the session, of either kind */
	struct pv_chip *chip;  /* NULL: not known, and not needed */
	uint32_t baud;	       /* found by --baud auto, else 0 */
};

enum {
	PV_TARGET_NEED_CHIP = 1,
	PV_TARGET_USB = 2, /* the verb works on USB too */
};

/*
 * Open the port, synchronize, and find the chip description: by name when one
 * is given (another product id is only warned of), else by the product id. A
 * chip nobody described is PV_E_DEVICE with PV_TARGET_NEED_CHIP, with a hint
 * how to add one. On USB, which a verb must ask for, the layout is the
 * device's own. *ret_t is empty on failure.
 */
PV_MUST_USE int pv_target_open(struct pv_app *app,
    const struct pv_target_args *args, unsigned int flags,
    struct pv_target *ret_t, struct pv_error *e);
void pv_target_close(struct pv_target *t);

/* "STM32H563 (0x484)" */
#define PV_TARGET_NAME 96U
void pv_target_name(const struct pv_target *t, char dst[PV_TARGET_NAME]);

/* "line": how frames went out, retries and rate; "usb": transfers. */
void pv_target_json(const struct pv_target *t, struct pv_json *root);

/*
 * After programming without Go: some parts look only at power-on whether
 * their flash is empty, and stay in the bootloader until then (AN2606).
 */
void pv_target_empty_check(struct pv_app *app, const struct pv_target *t);

/* Things tried again on the line or on USB. */
unsigned int pv_target_retries(const struct pv_target *t);
/* Start the program at `addr`; the session ends. */
PV_MUST_USE int pv_target_go(
    const struct pv_target *t, uint32_t addr, struct pv_error *e);

/* "ADDR+SIZE". PV_E_USAGE. */
PV_MUST_USE int pv_parse_range(const char *text, uint32_t *ret_addr,
    uint32_t *ret_size, struct pv_error *e);

/* "12.3 KiB" or "512 bytes" */
#define PV_SIZE_TEXT 24U
void pv_size_text(char dst[PV_SIZE_TEXT], uint64_t bytes);

/* --- target_dfu.c ----------------------------------------------------------- */

/* "dfu", "dfu:SERIAL", "dfu:BUS-PORT" */
bool pv_target_is_usb(const char *port);
/* For pv_target_open; the caller closes *t, also on failure. */
PV_MUST_USE int pv_target_open_usb(struct pv_app *app,
    const struct pv_target_args *args, unsigned int flags, struct pv_target *t,
    struct pv_error *e);

/* Descriptions whose flash has the layout of a memory map. */
#define PV_USB_CHIPS 8U
struct pv_usb_chips {
	size_t n; /* may be more than there is room for */
	char names[PV_USB_CHIPS][PV_CHIP_NAME];
	char titles[PV_USB_CHIPS][PV_CHIP_NAME];
};
PV_MUST_USE int pv_usb_chips_find(struct pv_app *app, const char *memory,
    uint16_t transfer_size, struct pv_usb_chips *ret_found, struct pv_error *e);
void pv_usb_chips_text(
    const struct pv_usb_chips *found, char dst[PV_TARGET_NAME]);
/* "chip", and all names. */
void pv_usb_chips_json(const struct pv_usb_chips *found, struct pv_json *root);

#endif
