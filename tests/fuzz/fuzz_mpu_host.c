/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile STM32MP on a serial line: the input is everything it ever says. */
#include "formats/license_ssp.h"
#include <provisor/mpu_push.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct device {
	const uint8_t *data;
	size_t left;
	size_t sent;
};

static int
take(void *ctx, const uint8_t *data, size_t len, int64_t deadline,
    struct pv_error *e)
{
	struct device *d = ctx;

	(void)data;
	(void)deadline;
	(void)e;
	d->sent += len;
	return 0;
}

/* 0xEE is silence; at the end of the input the port is gone. */
static int
say(void *ctx, uint8_t *data, size_t cap, size_t *ret_len, int64_t deadline,
    struct pv_error *e)
{
	struct device *d = ctx;
	size_t n = cap < d->left ? cap : d->left;

	(void)deadline;
	if (n == 0)
		return pv_fail(e, PV_E_LINK, "gone");
	if (d->data[0] == 0xee) {
		d->data++;
		d->left--;
		return pv_fail(e, PV_E_TIMEOUT, "no answer");
	}
	memcpy(data, d->data, n);
	d->data += n;
	d->left -= n;
	*ret_len = n;
	return 0;
}

static int
drop(void *ctx, struct pv_error *e)
{
	(void)ctx;
	(void)e;
	return 0;
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
	struct device d = { data, size < 65536 ? size : 65536, 0 };
	struct pv_link link = { .ctx = &d,
		.baud = 115200,
		.write = take,
		.read = say,
		.drain = drop };
	static const uint8_t payload[244] = { 0 };
	struct pv_mpu_source loader;
	struct pv_ssp_install_options opt = { .chip = PV_MPU_MP15,
		.payload = payload,
		.payload_len = sizeof(payload),
		.loader = &loader,
		.secret_words = 37,
		.license = license };
	struct pv_ssp_install_report rep;
	uint8_t otp[PV_MPU_OTP_MAX];
	struct pv_mpu m = { 0 };
	struct pv_error e = { 0 };
	size_t n = 0;
	int r;

	r = pv_mpu_uart_open(&link, NULL, NULL, &m, &e);
	check(r, &e);
	if (r != 0)
		return 0;
	pv_mpu_memory("a loader", 8, &loader);
	check(pv_ssp_install_run(&m, &opt, &rep, &e), &e);
	check(pv_mpu_read_otp(&m, otp, &n, &e), &e);
	if (n > sizeof(otp) || strlen(pv_ssp_state_text(rep.state)) == 0)
		abort();
	pv_mpu_release(&m);
	return 0;
}
