/* SPDX-License-Identifier: Apache-2.0 */
/* The descriptors of the USB bootloader, from its configuration. */
#include "device/dfu_usb.h"

#define DFUSE_VERSION  0x011aU
#define ATTRIBUTES     0x0bU /* download, upload, will detach */
#define DETACH_TIMEOUT 255U

static const char *
text(const void *ctx, unsigned int index, char room[PV_DD_TEXT])
{
	const struct pv_dd_config *c = ctx;

	(void)room;
	switch (index) {
	case PV_USB_STR_VENDOR:
		return "STMicroelectronics";
	case PV_USB_STR_PRODUCT:
		return "STM32  BOOTLOADER";
	case PV_USB_STR_SERIAL:
		return c->serial;
	default:
		if (index >= PV_USB_STR_ALTS &&
		    index - PV_USB_STR_ALTS < c->n_alts)
			return c->alts[index - PV_USB_STR_ALTS];
		return NULL;
	}
}

static struct pv_usb_face
face(const struct pv_dd_config *c)
{
	return (struct pv_usb_face){
		.vendor = c->vendor,
		.product = c->product,
		.device = c->device,
		.transfer_size = c->transfer_size,
		.detach_ms = DETACH_TIMEOUT,
		.dfu_version = DFUSE_VERSION,
		.attributes = ATTRIBUTES,
		.n_alts = c->n_alts,
		.ctx = c,
		.text = text,
		/* The serial number of a GD32: a byte a character. */
		.serial_bytes = c->gd32,
		.no_functional = c->no_functional,
	};
}

size_t
pv_dd_device_descriptor(const struct pv_dd_config *c, uint8_t *dst, size_t cap)
{
	struct pv_usb_face f = face(c);

	return pv_usb_device_descriptor(&f, dst, cap);
}

size_t
pv_dd_config_descriptor(const struct pv_dd_config *c, uint8_t *dst, size_t cap)
{
	struct pv_usb_face f = face(c);

	return pv_usb_config_descriptor(&f, dst, cap);
}

enum pv_dd_end
pv_dd_standard(struct pv_dd *m, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	struct pv_usb_face f = face(m->config);

	return pv_usb_standard(
	    &f, &m->alt, &m->configuration, s, data, ret_len);
}
