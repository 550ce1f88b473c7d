/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors and standard requests, USB 2.0 chapter 9. */
#include "device/dfu_usb.h"

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

/* String indexes */
#define STR_VENDOR  1U
#define STR_PRODUCT 2U
#define STR_SERIAL  3U
#define STR_ALTS    4U

#define BCD_DFUSE      0x011aU
#define ATTRIBUTES     0x0bU /* download, upload, will detach */
#define DETACH_TIMEOUT 255U

size_t
pv_dd_device_descriptor(const struct pv_dd_config *c, uint8_t *dst, size_t cap)
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
	pv_wr_u8(&w, STR_VENDOR);
	pv_wr_u8(&w, STR_PRODUCT);
	pv_wr_u8(&w, STR_SERIAL);
	pv_wr_u8(&w, 1);
	return pv_wr_ok(&w) ? w.len : 0;
}

static void
functional(const struct pv_dd_config *c, struct pv_writer *w)
{
	pv_wr_u8(w, 9);
	pv_wr_u8(w, DESC_FUNCTIONAL);
	pv_wr_u8(w, ATTRIBUTES);
	pv_wr_u16le(w, DETACH_TIMEOUT);
	pv_wr_u16le(w, c->transfer_size);
	pv_wr_u16le(w, BCD_DFUSE);
}

size_t
pv_dd_config_descriptor(const struct pv_dd_config *c, uint8_t *dst, size_t cap)
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
		pv_wr_u8(&w, (uint8_t)(STR_ALTS + i));
	}
	functional(c, &w);
	return pv_wr_ok(&w) ? w.len : 0;
}

static const char *
string_of(const struct pv_dd_config *c, unsigned int index)
{
	switch (index) {
	case STR_VENDOR:
		return "STMicroelectronics";
	case STR_PRODUCT:
		return "STM32  BOOTLOADER";
	case STR_SERIAL:
		return c->serial;
	default:
		if (index >= STR_ALTS && index - STR_ALTS < c->n_alts)
			return c->alts[index - STR_ALTS];
		return NULL;
	}
}

static size_t
string_descriptor(
    const struct pv_dd_config *c, unsigned int index, uint8_t *dst, size_t cap)
{
	/* The serial number of a GD32: one byte for each character. */
	bool bytes = c->gd32 && index == STR_SERIAL;
	const char *s = string_of(c, index);
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
get_descriptor(const struct pv_dd *m, const struct pv_dd_setup *s,
    uint8_t *data, size_t *ret_len)
{
	const struct pv_dd_config *c = m->config;
	uint8_t b[2 * PV_DD_TEXT];
	struct pv_writer w;
	size_t n = 0;

	switch (s->value >> 8) {
	case DESC_DEVICE:
		n = pv_dd_device_descriptor(c, b, sizeof b);
		break;
	case DESC_CONFIG:
		n = pv_dd_config_descriptor(c, b, sizeof b);
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
pv_dd_standard(struct pv_dd *m, const struct pv_dd_setup *s, uint8_t *data,
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
		return in ? get_descriptor(m, s, data, ret_len) : PV_DD_STALL;
	case GET_CONFIGURATION:
		return in ? answer(s, data, ret_len, &m->configuration, 1)
			  : PV_DD_STALL;
	case GET_INTERFACE:
		return in ? answer(s, data, ret_len, &m->alt, 1) : PV_DD_STALL;
	case SET_CONFIGURATION:
		if (s->value > 1)
			return PV_DD_STALL;
		m->configuration = (uint8_t)s->value;
		return PV_DD_DONE;
	case SET_INTERFACE:
		if (s->value >= m->config->n_alts)
			return PV_DD_STALL;
		m->alt = (uint8_t)s->value;
		return PV_DD_DONE;
	case SET_ADDRESS:
	case SET_FEATURE:
	case CLEAR_FEATURE:
		return PV_DD_DONE;
	default:
		return PV_DD_STALL;
	}
}
