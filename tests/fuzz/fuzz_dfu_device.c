/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's own DFU machine given any transfers: it stays inside its
 * memory, and its state is one of the states there are.
 */
#include "device/dfu.h"
#include "tests/fuzz/fuzz_usb.h"
#include "tests/unit/fakeusb.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Eight bytes of a setup packet, then the data that goes out. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fake f;
	struct pv_dd_setup s;
	uint8_t *buf = malloc(FUZZ_USB_BUFFER);

	if (buf == NULL)
		abort();
	fake_init(&f);
	if (size > 0)
		f.config.by_descriptor = (data[0] & 1) != 0;
	while (
	    f.dd.gone == PV_DD_STAYS && fuzz_usb_next(&data, &size, &s, buf)) {
		size_t n = 0;

		(void)pv_dd_transfer(&f.dd, &s, buf, &n);
		if (n > s.length || f.dd.state < 2 || f.dd.state > 10)
			abort();
	}
	free(buf);
	return 0;
}
