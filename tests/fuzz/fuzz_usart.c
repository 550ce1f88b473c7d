/* SPDX-License-Identifier: Apache-2.0 */
/* A hostile device: the input is everything it ever says. */
#include <provisor/push.h>
#include <provisor/usart.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct device {
	const uint8_t *data;
	size_t left;
	size_t sent; /* host bytes: bounded whatever the device says */
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

static int
say(void *ctx, uint8_t *data, size_t cap, size_t *ret_len, int64_t deadline,
    struct pv_error *e)
{
	struct device *d = ctx;
	size_t n = cap < d->left ? cap : d->left;

	(void)deadline;
	if (n == 0)
		return pv_fail(e, PV_E_TIMEOUT, "no answer");
	/* 0xEE is silence, so that an input can hold time-outs. */
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

/* A failure has a message, a device class and nothing else. */
static int
check(int r, const struct pv_error *e)
{
	if (r != 0 && (pv_exit_code(r) != 7 || e->msg[0] == '\0'))
		abort();
	return r;
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
	static const uint32_t sectors[] = { 0, 1, 2 };
	struct pv_chip part = { .title = "FUZZ",
		.n_banks = 1,
		.banks = { { .base = 0x08000000U,
		    .size = 65536,
		    .n_groups = 1,
		    .groups = { { .count = 32, .size = 2048 } } } },
		.erased = 0xff,
		.write_unit = 8,
		.has_option_area = true,
		.option_area = { 0x1fff7800U, 64 } };
	struct pv_install_chip chip;
	struct pv_usart *u = NULL;
	struct pv_error e = { 0 };
	uint8_t bytes[300] = { 0 };
	bool on = false, damaged = false, usable = false;
	struct pv_usart_options opt = { 0 };
	uint32_t crc = 0;

	/* The first byte chooses how frames go out. */
	opt.coalesce = size > 0 && (data[0] & 1U) != 0;
	opt.lockstep = size > 0 && (data[0] & 3U) == 2;
	if (check(pv_usart_open_with(&link, NULL, &opt, &u, &e), &e) != 0)
		return 0;
	if (pv_usart_info(u)->n_opcodes > sizeof(pv_usart_info(u)->opcodes))
		abort();
	pv_usart_set_chip(u, &part);
	(void)check(pv_install_ask(u, &chip, &e), &e);
	(void)check(pv_usart_probe_protection(u, 0x08000000, &on, &e), &e);
	(void)check(pv_usart_read(u, 0x08000000, bytes, sizeof(bytes), &e), &e);
	(void)check(
	    pv_usart_write(u, 0x08000000, bytes, 256, &damaged, &e), &e);
	(void)check(pv_usart_checksum_probe(u, 0x08000000, &usable, &e), &e);
	if (usable)
		(void)check(
		    pv_usart_checksum(u, 0x08000000, 1024, &crc, &e), &e);
	(void)check(pv_usart_read_options(u, bytes, 64, &e), &e);
	(void)check(pv_usart_erase(u, sectors, 3, &e), &e);
	(void)check(pv_usart_erase_all(u, &e), &e);
	(void)check(pv_usart_go(u, 0x08000000, &e), &e);
	pv_usart_free(u);
	/* 5 attempts of 11 operations, each at most one resync. */
	if (d.sent > 600000)
		abort();
	return 0;
}
