/* SPDX-License-Identifier: Apache-2.0 */
/* Control transfers from the bytes of a fuzzer. */
#ifndef PV_FUZZ_USB_H
#define PV_FUZZ_USB_H

#include "device/usb.h"

#include <stdbool.h>
#include <string.h>

#define FUZZ_USB_BUFFER 65536U

/*
 * Eight bytes of a setup packet, then the data that goes out, into `buf` of
 * FUZZ_USB_BUFFER bytes. False: nothing is left.
 */
static inline bool
fuzz_usb_next(
    const uint8_t **data, size_t *size, struct pv_dd_setup *s, uint8_t *buf)
{
	const uint8_t *p = *data;
	size_t out;

	if (*size < 8)
		return false;
	*s = (struct pv_dd_setup){ p[0], p[1], (uint16_t)(p[2] | p[3] << 8),
		(uint16_t)(p[4] | p[5] << 8), (uint16_t)(p[6] | p[7] << 8) };
	*data += 8;
	*size -= 8;
	memset(buf, 0, FUZZ_USB_BUFFER);
	out = (s->type & 0x80) != 0 ? 0 : s->length;
	if (out > *size)
		out = *size;
	memcpy(buf, *data, out);
	*data += out;
	*size -= out;
	return true;
}

#endif
