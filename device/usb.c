/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and standard requests, USB 2.0 chapter 9. */
#include "device/usb.h"

#include "base/buf.h"

#include <string.h>

#define DESC_DEVICE	1U
#define DESC_CONFIG	2U
#define DESC_STRING	3U
#define DESC_INTERFACE	4U
#define DESC_FUNCTIONAL 0x21U

#define GET_STATUS	  0U
#define CLEAR_FEATURE	  1U
#define SET_FEATURE	  3U
#define SET_ADDRESS	  5U
#define GET_DESCRIPTOR	  6U
#define GET_CONFIGURATION 8U
#define SET_CONFIGURATION 9U
#define GET_INTERFACE	  10U
#define SET_INTERFACE	  11U

/* 250 alternates: three descriptors of 9 bytes besides. */
#define CONFIG_MAX (9U * 253U)

size_t
pv_usb_device_descriptor(const struct pv_usb_face *c, uint8_t *dst, size_t cap)
{
	struct pv_writer w;

	pv_wr_init(&w, dst, cap);
	pv_wr_u8(&w, 18);
	pv_wr_u8(&w, DESC_DEVICE);
	pv_wr_u16le(&w, 0x0100);
	pv_wr_zero(&w, 3); /* class of each interface */
	pv_wr_u8(&w, 64);
	pv_wr_u16le(&w, c->vendor);
	pv_wr_u16le(&w, c->product);
	pv_wr_u16le(&w, c->device);
	pv_wr_u8(&w, PV_USB_STR_VENDOR);
	pv_wr_u8(&w, PV_USB_STR_PRODUCT);
	pv_wr_u8(&w, PV_USB_STR_SERIAL);
	pv_wr_u8(&w, 1);
	return pv_wr_ok(&w) ? w.len : 0;
}

static void
functional(const struct pv_usb_face *c, struct pv_writer *w)
{
	pv_wr_u8(w, 9);
	pv_wr_u8(w, DESC_FUNCTIONAL);
	pv_wr_u8(w, c->attributes);
	pv_wr_u16le(w, c->detach_ms);
	pv_wr_u16le(w, c->transfer_size);
	pv_wr_u16le(w, c->dfu_version);
}

size_t
pv_usb_config_descriptor(const struct pv_usb_face *c, uint8_t *dst, size_t cap)
{
	struct pv_writer w;

	pv_wr_init(&w, dst, cap);
	pv_wr_u8(&w, 9);
	pv_wr_u8(&w, DESC_CONFIG);
	pv_wr_u16le(&w, (uint16_t)(9 + 9 * c->n_alts + 9));
	pv_wr_u8(&w, 1);    /* interfaces */
	pv_wr_u8(&w, 1);    /* its value */
	pv_wr_u8(&w, 0);    /* string */
	pv_wr_u8(&w, 0xc0); /* self powered */
	pv_wr_u8(&w, 50);   /* 100 mA */
	for (size_t i = 0; i < c->n_alts; i++) {
		pv_wr_u8(&w, 9);
		pv_wr_u8(&w, DESC_INTERFACE);
		pv_wr_u8(&w, 0);
		pv_wr_u8(&w, (uint8_t)i);
		pv_wr_u8(&w, 0); /* endpoints */
		pv_wr_u8(&w, 0xfe);
		pv_wr_u8(&w, 0x01);
		pv_wr_u8(&w, 0x02);
		pv_wr_u8(&w, (uint8_t)(PV_USB_STR_ALTS + i));
	}
	functional(c, &w);
	return pv_wr_ok(&w) ? w.len : 0;
}

static size_t
string_descriptor(
    const struct pv_usb_face *c, unsigned int index, uint8_t *dst, size_t cap)
{
	/* The serial number of a GD32: one byte for each character. */
	bool bytes = c->serial_bytes && index == PV_USB_STR_SERIAL;
	char room[PV_DD_TEXT];
	const char *s = index == 0 ? NULL : c->text(c->ctx, index, room);
	struct pv_writer w;

	pv_wr_init(&w, dst, cap);
	pv_wr_u8(&w, 0);
	pv_wr_u8(&w, DESC_STRING);
	if (index == 0)
		pv_wr_u16le(&w, 0x0409); /* English, United States */
	else if (s == NULL)
		return 0;
	else
		for (size_t i = 0; i < PV_DD_TEXT - 2 && s[i] != '\0'; i++) {
			pv_wr_u8(&w, (uint8_t)s[i]);
			if (!bytes)
				pv_wr_u8(&w, 0);
		}
	if (!pv_wr_ok(&w))
		return 0;
	dst[0] = (uint8_t)w.len;
	return w.len;
}

static enum pv_dd_end
get_descriptor(const struct pv_usb_face *c, const struct pv_dd_setup *s,
    uint8_t *data, size_t *ret_len)
{
	uint8_t b[CONFIG_MAX];
	struct pv_writer w;
	size_t n = 0;

	switch (s->value >> 8) {
	case DESC_DEVICE:
		n = pv_usb_device_descriptor(c, b, sizeof b);
		break;
	case DESC_CONFIG:
		n = pv_usb_config_descriptor(c, b, sizeof b);
		break;
	case DESC_STRING:
		n = string_descriptor(c, s->value & 0xffU, b, sizeof b);
		break;
	case DESC_FUNCTIONAL:
		if (c->no_functional)
			return PV_DD_SILENT;
		pv_wr_init(&w, b, sizeof b);
		functional(c, &w);
		n = w.len;
		break;
	default:
		break;
	}
	if (n == 0)
		return PV_DD_STALL;
	*ret_len = n < s->length ? n : s->length;
	memcpy(data, b, *ret_len);
	return PV_DD_DONE;
}

static enum pv_dd_end
answer(const struct pv_dd_setup *s, uint8_t *data, size_t *ret_len,
    const uint8_t *b, size_t n)
{
	*ret_len = n < s->length ? n : s->length;
	memcpy(data, b, *ret_len);
	return PV_DD_DONE;
}

enum pv_dd_end
pv_usb_standard(const struct pv_usb_face *f, uint8_t *alt,
    uint8_t *configuration, const struct pv_dd_setup *s, uint8_t *data,
    size_t *ret_len)
{
	static const uint8_t self_powered[2] = { 1, 0 };
	bool in = (s->type & 0x80U) != 0;

	if ((s->type & 0x60U) != 0)
		return PV_DD_STALL;
	switch (s->request) {
	case GET_STATUS:
		return in ? answer(s, data, ret_len, self_powered, 2)
			  : PV_DD_STALL;
	case GET_DESCRIPTOR:
		return in ? get_descriptor(f, s, data, ret_len) : PV_DD_STALL;
	case GET_CONFIGURATION:
		return in ? answer(s, data, ret_len, configuration, 1)
			  : PV_DD_STALL;
	case GET_INTERFACE:
		return in ? answer(s, data, ret_len, alt, 1) : PV_DD_STALL;
	case SET_CONFIGURATION:
		if (s->value > 1)
			return PV_DD_STALL;
		*configuration = (uint8_t)s->value;
		return PV_DD_DONE;
	case SET_INTERFACE:
		if (s->value >= f->n_alts)
			return PV_DD_STALL;
		*alt = (uint8_t)s->value;
		return PV_DD_DONE;
	case SET_ADDRESS:
	case SET_FEATURE:
	case CLEAR_FEATURE:
		return PV_DD_DONE;
	default:
		return PV_DD_STALL;
	}
}
