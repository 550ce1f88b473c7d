/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all USB devices here share: control transfers, the descriptors of a
 * device with one DFU interface, and the standard requests (USB 2.0 chapter 9).
 */
#ifndef PV_DEVICE_USB_H
#define PV_DEVICE_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PV_DD_TEXT 128U /* characters of a USB string */

struct pv_dd_setup {
	uint8_t type, request;
	uint16_t value, index, length;
};

/* What a transfer ends in. */
enum pv_dd_end {
	PV_DD_DONE,
	PV_DD_STALL,
	PV_DD_SILENT, /* never answered */
};

/* String indexes */
#define PV_USB_STR_VENDOR  1U
#define PV_USB_STR_PRODUCT 2U
#define PV_USB_STR_SERIAL  3U
#define PV_USB_STR_ALTS	   4U /* and from here on */

struct pv_usb_face {
	uint16_t vendor, product, device; /* device: bcdDevice */
	uint16_t transfer_size, detach_ms, dfu_version;
	uint8_t attributes; /* of the functional descriptor */
	size_t n_alts;	    /* at most 250 */
	const void *ctx;
	/* NULL: there is none. The answer may be put into `room`. */
	const char *(*text)(
	    const void *ctx, unsigned int index, char room[PV_DD_TEXT]);
	bool serial_bytes;  /* the serial number in single bytes */
	bool no_functional; /* silent to GET_DESCRIPTOR of it */
};

/* Write the device and configuration descriptor; 0 when `cap` is too small. */
size_t pv_usb_device_descriptor(
    const struct pv_usb_face *f, uint8_t *dst, size_t cap);
size_t pv_usb_config_descriptor(
    const struct pv_usb_face *f, uint8_t *dst, size_t cap);

/* Standard requests; *alt and *configuration are the device's. */
enum pv_dd_end pv_usb_standard(const struct pv_usb_face *f, uint8_t *alt,
    uint8_t *configuration, const struct pv_dd_setup *setup, uint8_t *data,
    size_t *ret_len);

#endif
