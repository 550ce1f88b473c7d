/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile STM32MP on USB: the input is the answer to each transfer. */
#include "formats/license_ssp.h"
#include <provisor/mpu_push.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct device {
	const uint8_t *data;
	size_t left;
};

/*
 * A byte says how a transfer ends: 0xff refused, 0xfe silent, else so many
 * bytes of what follows. At the end of the input the device is gone.
 */
static int
control(void *ctx, const struct pv_usb_setup *s, uint8_t *data,
    uint16_t *ret_len, int64_t deadline, struct pv_error *e)
{
	struct device *d = ctx;
	size_t n;

	(void)deadline;
	*ret_len = 0;
	if (d->left == 0)
		return pv_fail(e, PV_E_LINK, "gone");
	n = d->data[0];
	d->data++;
	d->left--;
	if (n == 0xff)
		return pv_fail(e, PV_E_NACK, "stall");
	if (n == 0xfe)
		return pv_fail(e, PV_E_TIMEOUT, "silent");
	if ((s->type & 0x80U) == 0) {
		*ret_len = s->length;
		return 0;
	}
	n = n < d->left ? n : d->left;
	n = n < s->length ? n : s->length;
	if (n > 0)
		memcpy(data, d->data, n);
	/* Poll times are not what is looked for here. */
	if (s->request == 3 && n == 6)
		data[1] = data[2] = data[3] = 0;
	d->data += n;
	d->left -= n;
	*ret_len = (uint16_t)n;
	return 0;
}

static int
alternate(void *ctx, unsigned int number, struct pv_error *e)
{
	(void)ctx;
	(void)number;
	(void)e;
	return 0;
}

/* It comes back as long as it has something to say. */
static int
reopen(struct pv_usb *usb, int64_t deadline, struct pv_error *e)
{
	struct device *d = usb->ctx;

	(void)deadline;
	return d->left == 0 ? pv_fail(e, PV_E_DEVICE, "never came back") : 0;
}

static int
license(void *ctx, const uint8_t cert[136], uint8_t ret_license[136],
    struct pv_error *e)
{
	struct pv_ssp_license l = { .type = PV_SSP_TYPE_STATIC, .version = 1 };

	(void)ctx;
	(void)cert;
	return pv_ssp_license_encode(&l, ret_license, e);
}

static void
check(int r, const struct pv_error *e)
{
	if (r != 0 && (e->msg[0] == '\0' || pv_exit_code(r) == 1))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct device d = { data, size < 1024 ? size : 1024 };
	struct pv_usb usb = { .ctx = &d,
		.n_alts = 6,
		.functional_len = 9,
		.functional = { 9, 0x21, 0x0f, 0, 0, 0, 4, 0x10, 1 },
		.control = control,
		.alternate = alternate,
		.reopen = reopen };
	static const uint8_t payload[244] = { 0 };
	struct pv_mpu_source loader;
	struct pv_ssp_install_options opt = { .chip = PV_MPU_MP15,
		.payload = payload,
		.payload_len = sizeof(payload),
		.loader = &loader,
		.secret_words = 37,
		.license = license };
	struct pv_ssp_install_report rep;
	struct pv_mpu m = { 0 };
	struct pv_error e = { 0 };
	int r;

	for (uint8_t i = 0; i < 6; i++)
		usb.alts[i] = (struct pv_usb_alt){ i, (uint8_t)(4 + i) };
	memcpy(usb.port, "dfu:1-1", 8);
	r = pv_mpu_dfu_open(&usb, NULL, &m, &e);
	check(r, &e);
	if (r != 0)
		return 0;
	pv_mpu_memory("a loader", 8, &loader);
	check(pv_ssp_install_run(&m, &opt, &rep, &e), &e);
	if (strlen(pv_ssp_state_text(rep.state)) == 0)
		abort();
	pv_mpu_release(&m);
	return 0;
}
