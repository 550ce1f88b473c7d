/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DFU driver against a device whose every answer the fuzzer chooses: it
 * must come to an end, and give a reason when that is a failure.
 */
#include <provisor/dfu.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct device {
	const uint8_t *p;
	size_t left;
};

static uint8_t
next(struct device *d)
{
	if (d->left == 0)
		return 0;
	d->left--;
	return *d->p++;
}

/* Once the input is used up the device is gone. */
static int
control(void *ctx, const struct pv_usb_setup *s, uint8_t *data,
    uint16_t *ret_len, int64_t deadline_ms, struct pv_error *e)
{
	static const int codes[] = { PV_E_NACK, PV_E_TIMEOUT, PV_E_DEVICE,
		PV_E_LINK };
	struct device *d = ctx;
	uint8_t kind = next(d);
	uint16_t n = s->length;

	(void)deadline_ms;
	if (d->left == 0 || kind >= 0xf8)
		return pv_fail(
		    e, d->left == 0 ? PV_E_LINK : codes[kind & 3], "fuzz");
	if (kind >= 0xf0 && n > 0)
		n = (uint16_t)(n - 1);
	if ((s->type & 0x80) != 0) {
		memset(data, kind, n);
		for (uint16_t i = 0; i < n && i < 64; i++)
			data[i] = next(d);
		/* Poll times are not what is looked for here. */
		if (s->request == 3 && n == 6)
			data[1] = data[2] = data[3] = 0;
	}
	*ret_len = n;
	return 0;
}

static int
alternate(void *ctx, unsigned int number, struct pv_error *e)
{
	(void)number;
	return next(ctx) == 0xff ? pv_fail(e, PV_E_NACK, "fuzz") : 0;
}

static int
reopen(struct pv_usb *usb, int64_t deadline_ms, struct pv_error *e)
{
	(void)deadline_ms;
	return next(usb->ctx) == 0xff ? pv_fail(e, PV_E_LINK, "fuzz") : 0;
}

static int
use(struct pv_dfu *d, uint8_t what, struct pv_error *e)
{
	const struct pv_dfu_info *info = NULL;
	uint8_t data[3000] = { 0 };
	struct pv_chip chip;

	switch (what & 7) {
	case 0:
		return pv_dfu_info(d, &info, e);
	case 1:
		return pv_dfu_read(d, 0x08000000, data, sizeof(data), e);
	case 2:
		return pv_dfu_write(d, 0x08000000, data, 64, NULL, e);
	case 3:
		return pv_dfu_erase(d, 0x08000000, e);
	case 4:
		return pv_dfu_erase_all(d, e);
	case 5:
		return pv_dfu_leave(d, 0x08000000, e);
	case 6:
		return pv_dfu_chip(d, &chip, e);
	default:
		return pv_dfu_read_unprotect(d, e);
	}
}

/* 10 bytes of descriptor, a string index, then answers. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device dev = { data, size };
	struct pv_chip chip = { .write_unit = 4, .erased = 0xff };
	struct pv_dfu_options opt = { .chip = &chip };
	struct pv_usb usb = { .ctx = &dev,
		.n_alts = 2,
		.alts = { { 0, 4 }, { 1, 5 } },
		.control = control,
		.alternate = alternate,
		.reopen = reopen };
	struct pv_error e = { 0 };
	struct pv_dfu *d = NULL;
	int rc;

	/* Bounds that keep the waiting of one input in milliseconds. */
	chip.times.sector_erase_max = 1;
	chip.times.mass_erase_max = 1;
	chip.times.write_unit_max_us = 1;
	opt.force = (next(&dev) & 1) != 0;
	usb.functional_len = PV_USB_FUNCTIONAL;
	for (size_t i = 0; i < PV_USB_FUNCTIONAL; i++)
		usb.functional[i] = next(&dev);
	rc = pv_dfu_open(&usb, &opt, &d, &e);
	for (int i = 0; rc == 0 && i < 4 && dev.left > 0; i++)
		rc = use(d, next(&dev), &e);
	if (rc != 0 && (e.code != rc || e.msg[0] == '\0'))
		abort();
	pv_dfu_free(d);
	return 0;
}
