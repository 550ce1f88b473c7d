/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's own DFU machine given any transfers: it stays inside its
 * memory, and its state is one of the states there are.
 */
#include "device/dfu.h"
#include "tests/unit/fakeusb.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Eight bytes of a setup packet, then the data that goes out. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake f;
	uint8_t *buf = malloc(65536);

	if (buf == NULL)
		abort();
	fake_init(&f);
	if (size > 0)
		f.config.by_descriptor = (data[0] & 1) != 0;
	while (size >= 8 && f.dd.gone == PV_DD_STAYS) {
		struct pv_dd_setup s = { data[0], data[1],
			(uint16_t)(data[2] | data[3] << 8),
			(uint16_t)(data[4] | data[5] << 8),
			(uint16_t)(data[6] | data[7] << 8) };
		size_t out, n = 0;

		data += 8;
		size -= 8;
		memset(buf, 0, 65536);
		out = (s.type & 0x80) != 0 ? 0 : s.length;
		if (out > size)
			out = size;
		memcpy(buf, data, out);
		data += out;
		size -= out;
		(void)pv_dd_transfer(&f.dd, &s, buf, &n);
		if (n > s.length || f.dd.state < 2 || f.dd.state > 10)
			abort();
	}
	free(buf);
	return 0;
}
