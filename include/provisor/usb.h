/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A USB device in DFU mode, as the DFU driver sees it: control transfers
 * under deadlines, and what its descriptors say. libusb implements it, and so
 * do fakes in tests. Deadlines are absolute times of pv_now_ms.
 */
#ifndef PROVISOR_USB_H
#define PROVISOR_USB_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_USB_ALTS	  32U
#define PV_USB_TEXT	  256U /* a string, masked and terminated */
#define PV_USB_PORT	  64U
#define PV_USB_FUNCTIONAL 9U /* USB DFU 1.1 section 4.1.3 */

/* The five fields of a setup packet, USB 2.0 section 9.3. */
struct pv_usb_setup {
	uint8_t type; /* 0x80: device to host */
	uint8_t request;
	uint16_t value;
	uint16_t index;
	uint16_t length;
};

struct pv_usb_alt {
	uint8_t number;
	uint8_t name; /* index of its string, 0: none */
};

struct pv_usb {
	void *ctx;

	/* From the descriptors; renewed by reopen. */
	char port[PV_USB_PORT];	  /* "dfu:1-4.2" */
	char serial[PV_USB_TEXT]; /* "" when there is none */
	uint16_t vendor, product;
	uint16_t device; /* bcdDevice */
	uint8_t interface;
	size_t n_alts;
	struct pv_usb_alt alts[PV_USB_ALTS];
	/* The functional descriptor inside the configuration descriptor. */
	size_t functional_len; /* 0: there is none */
	uint8_t functional[PV_USB_FUNCTIONAL];

	/*
	 * One transfer. Data goes out or comes in by bit 7 of setup->type;
	 * `data` has setup->length bytes; *ret_len is how many moved. A refusal
	 * (STALL) is PV_E_NACK, silence PV_E_TIMEOUT, a device that is gone
	 * PV_E_LINK, all else PV_E_DEVICE.
	 */
	int (*control)(void *ctx, const struct pv_usb_setup *setup,
	    uint8_t *data, uint16_t *ret_len, int64_t deadline_ms,
	    struct pv_error *e);
	int (*alternate)(void *ctx, unsigned int number, struct pv_error *e);
	/*
	 * The device restarts: wait until one in DFU mode is on the same
	 * bus-port and answers. PV_E_LINK when none came.
	 */
	int (*reopen)(
	    struct pv_usb *usb, int64_t deadline_ms, struct pv_error *e);
	void (*free)(void *ctx);
};

/*
 * Open "dfu" (the only device in DFU mode), "dfu:SERIAL" or "dfu:BUS-PORT"
 * (as in /sys/bus/usb/devices). None, or more than one that matches:
 * PV_E_LINK, and the message lists them.
 */
PV_MUST_USE int pv_usb_open(
    const char *port, struct pv_usb *ret_usb, struct pv_error *e);
/* Ends the session and empties the struct; an empty one is allowed. */
void pv_usb_release(struct pv_usb *usb);

struct pv_usb_info {
	char port[PV_USB_PORT];
	char serial[PV_USB_TEXT]; /* "" also when it may not be opened */
	char title[PV_USB_TEXT];  /* product string */
	char memory[PV_USB_TEXT]; /* name of the first alternate setting */
	uint16_t vendor, product;
	uint16_t device;	/* bcdDevice: its upper byte is the version */
	uint16_t transfer_size; /* 0: not known */
	int denied;		/* this user may not open it */
};
/* Call `each` for every device in DFU mode, in the order of bus-ports. */
PV_MUST_USE int pv_usb_list(
    int (*each)(void *ctx, const struct pv_usb_info *info), void *ctx,
    struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
