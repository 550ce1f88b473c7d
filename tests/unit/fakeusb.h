/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A USB device for the tests of the DFU driver: the device's own state
 * machine (device/dfu.c) on a small flash, and a way to break any transfer.
 */
#ifndef PV_TEST_FAKEUSB_H
#define PV_TEST_FAKEUSB_H

#include "base/clock.h"
#include "device/dfu.h"
#include <provisor/usb.h>

#include <stdio.h>
#include <string.h>

#define FAKE_FLASH	0x08000000U
#define FAKE_SECTOR	0x4000U
#define FAKE_SECTORS	16U
#define FAKE_SIZE	(FAKE_SECTOR * FAKE_SECTORS)
#define FAKE_OPTIONS	0x1fffc000U
#define FAKE_OPTION_LEN 16U

struct fake {
	struct pv_usb usb;
	struct pv_dd dd;
	struct pv_dd_config config;
	struct pv_dev_memory memory;
	struct pv_dd_control control;
	uint8_t flash[FAKE_SIZE];
	uint8_t options[FAKE_OPTION_LEN];
	uint32_t write_protected; /* bit per sector */
	bool ecc;
	int rdp;
	uint32_t went_to; /* by leave */
	unsigned int restarts;
	/* At its next restart it takes this identity. */
	const struct pv_dd_config *becomes;
	bool stays_away;

	/*
	 * Transfer number `break_at` (from 1; 0: none) ends in this code.
	 * With `lose_answer` the device sees it, and only the answer is lost.
	 */
	uint64_t n, break_at, break_until;
	int break_code;
	bool lose_answer;
	bool shorten; /* one byte less than the device sent */
	unsigned int alternates;
	bool wrapped; /* flash accepted a second write of a unit */
};

/* --- memory ------------------------------------------------------------------ */

static enum pv_region
fake_region(void *ctx, uint32_t addr, uint32_t len)
{
	(void)ctx;
	if (addr >= FAKE_FLASH && addr - FAKE_FLASH < FAKE_SIZE &&
	    len <= FAKE_SIZE - (addr - FAKE_FLASH))
		return PV_REGION_FLASH;
	if (addr >= FAKE_OPTIONS && addr - FAKE_OPTIONS < FAKE_OPTION_LEN &&
	    len <= FAKE_OPTION_LEN - (addr - FAKE_OPTIONS))
		return PV_REGION_OPTIONS;
	return PV_REGION_NONE;
}

static int
fake_read(void *ctx, uint32_t addr, uint8_t *data, size_t len)
{
	struct fake *f = ctx;

	if (fake_region(f, addr, (uint32_t)len) == PV_REGION_FLASH)
		memcpy(data, f->flash + (addr - FAKE_FLASH), len);
	else
		memcpy(data, f->options + (addr - FAKE_OPTIONS), len);
	return 0;
}

static int
fake_store(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	(void)ctx;
	(void)addr;
	(void)data;
	(void)len;
	return -1;
}

static int
fake_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	struct fake *f = ctx;
	uint32_t unit = f->memory.write_unit;

	for (size_t i = 0; i < len; i += unit) {
		uint32_t off = addr - FAKE_FLASH + (uint32_t)i;
		bool blank = true;

		if ((f->write_protected >> off / FAKE_SECTOR & 1U) != 0)
			continue;
		for (uint32_t k = 0; k < unit; k++)
			blank = blank && f->flash[off + k] == 0xff;
		if (!blank && f->ecc) {
			f->wrapped = true;
			continue;
		}
		for (uint32_t k = 0; k < unit; k++)
			f->flash[off + k] &= data[i + k];
	}
	return 0;
}

static int
fake_sector(void *ctx, uint32_t addr, struct pv_dev_sector *ret_s)
{
	(void)ctx;
	if (fake_region(NULL, addr, 1) != PV_REGION_FLASH)
		return -1;
	ret_s->number = (addr - FAKE_FLASH) / FAKE_SECTOR;
	ret_s->base = FAKE_FLASH + ret_s->number * FAKE_SECTOR;
	ret_s->size = FAKE_SECTOR;
	return 0;
}

static int
fake_erase(void *ctx, uint32_t number)
{
	struct fake *f = ctx;

	if (number < FAKE_SECTORS && (f->write_protected >> number & 1U) == 0)
		memset(f->flash + number * FAKE_SECTOR, 0xff, FAKE_SECTOR);
	return 0;
}

/* --- control ------------------------------------------------------------------ */

static uint64_t
fake_now(void *ctx)
{
	(void)ctx;
	return (uint64_t)pv_now_us();
}

static enum pv_an_lock
fake_lock(void *ctx)
{
	const struct fake *f = ctx;

	return f->rdp == 0 ? PV_AN_OPEN : PV_AN_READ_PROTECTED;
}

static int
fake_mass_erase(void *ctx)
{
	for (uint32_t i = 0; i < FAKE_SECTORS; i++)
		(void)fake_erase(ctx, i);
	return 0;
}

static int
fake_unprotect(void *ctx)
{
	struct fake *f = ctx;

	f->rdp = 0;
	f->write_protected = 0;
	return fake_mass_erase(f);
}

static int
fake_write_options(void *ctx, const uint8_t *data, size_t len)
{
	struct fake *f = ctx;

	memcpy(f->options, data, len);
	return 0;
}

static void
fake_go(void *ctx, uint32_t addr)
{
	((struct fake *)ctx)->went_to = addr;
}

/* --- the link ------------------------------------------------------------------- */

static int
fake_control(void *ctx, const struct pv_usb_setup *setup, uint8_t *data,
    uint16_t *ret_len, int64_t deadline_ms, struct pv_error *e)
{
	struct fake *f = ctx;
	struct pv_dd_setup s = { setup->type, setup->request, setup->value,
		setup->index, setup->length };
	uint8_t none[1], copy[PV_DD_BLOCK_MAX];
	bool breaks;
	size_t n = 0;
	enum pv_dd_end end;

	(void)deadline_ms;
	f->n++;
	breaks =
	    f->break_at != 0 && f->n >= f->break_at && f->n <= f->break_until;
	if (breaks && !f->lose_answer && !f->shorten)
		return pv_fail(e, f->break_code, "broken transfer");
	if ((s.type & 0x80) == 0 && s.length > 0)
		memcpy(copy, data, s.length);
	end = pv_dd_transfer(&f->dd, &s,
	    s.length == 0	   ? none
	    : (s.type & 0x80) != 0 ? data
				   : copy,
	    &n);
	if (breaks && f->lose_answer)
		return pv_fail(e, f->break_code, "lost answer");
	if (end == PV_DD_STALL)
		return pv_fail(e, PV_E_NACK, "stall");
	if (end == PV_DD_SILENT)
		return f->dd.gone == PV_DD_STAYS || f->dd.gone == PV_DD_HANGS
			   ? pv_fail(e, PV_E_TIMEOUT, "silent")
			   : pv_fail(e, PV_E_LINK, "gone");
	if (breaks && f->shorten && n > 0 && (s.type & 0x80) != 0)
		n--;
	*ret_len = (uint16_t)n;
	return 0;
}

static int
fake_alternate(void *ctx, unsigned int number, struct pv_error *e)
{
	struct fake *f = ctx;
	struct pv_dd_setup s = { 0x01, 11, (uint16_t)number, 0, 0 };
	uint8_t none[1];
	size_t n = 0;

	f->alternates++;
	if (pv_dd_transfer(&f->dd, &s, none, &n) != PV_DD_DONE)
		return pv_fail(e, PV_E_NACK, "stall");
	return 0;
}

static void
fake_describe(struct fake *f)
{
	uint8_t b[256];
	size_t n = pv_dd_config_descriptor(&f->config, b, sizeof(b));

	f->usb.vendor = f->config.vendor;
	f->usb.product = f->config.product;
	f->usb.device = f->config.device;
	f->usb.n_alts = f->config.n_alts;
	for (size_t i = 0; i < f->config.n_alts; i++) {
		f->usb.alts[i].number = (uint8_t)i;
		f->usb.alts[i].name = (uint8_t)(4 + i);
	}
	f->usb.functional_len = PV_USB_FUNCTIONAL;
	memcpy(f->usb.functional, b + n - PV_USB_FUNCTIONAL, PV_USB_FUNCTIONAL);
	(void)snprintf(
	    f->usb.serial, sizeof(f->usb.serial), "%s", f->config.serial);
	(void)snprintf(f->usb.port, sizeof(f->usb.port), "dfu:1-1");
}

static int
fake_reopen(struct pv_usb *usb, int64_t deadline_ms, struct pv_error *e)
{
	struct fake *f = usb->ctx;

	(void)deadline_ms;
	if (f->stays_away || f->dd.gone == PV_DD_RUNS ||
	    f->dd.gone == PV_DD_HANGS)
		return pv_fail(e, PV_E_LINK, "nothing came back");
	f->restarts++;
	if (f->becomes != NULL)
		f->config = *f->becomes;
	pv_dd_init(&f->dd, &f->config, &f->memory, &f->control);
	fake_describe(f);
	return 0;
}

static void
fake_init(struct fake *f)
{
	memset(f, 0, sizeof(*f));
	memset(f->flash, 0xff, sizeof(f->flash));
	f->config = (struct pv_dd_config){
		.vendor = 0x0483,
		.product = 0xdf11,
		.device = 0x2200,
		.transfer_size = 2048,
		.n_alts = 2,
		.alts = { "@Internal Flash  /0x08000000/16*016Kg",
		    "@Option Bytes  /0x1FFFC000/01*016 e" },
		.serial = "FAKE0001",
		.option_base = FAKE_OPTIONS,
		.option_size = FAKE_OPTION_LEN,
		.flash_base = FAKE_FLASH,
		.n_commands = 4,
		.commands = { 0x00, 0x21, 0x41, 0x92 },
	};
	f->memory = (struct pv_dev_memory){
		.ctx = f,
		.region = fake_region,
		.read = fake_read,
		.store = fake_store,
		.program = fake_program,
		.sector = fake_sector,
		.erase = fake_erase,
		.write_unit = 4,
	};
	f->control = (struct pv_dd_control){
		.ctx = f,
		.now_us = fake_now,
		.lock = fake_lock,
		.mass_erase = fake_mass_erase,
		.read_unprotect = fake_unprotect,
		.write_options = fake_write_options,
		.go = fake_go,
	};
	f->usb.ctx = f;
	f->usb.control = fake_control;
	f->usb.alternate = fake_alternate;
	f->usb.reopen = fake_reopen;
	pv_dd_init(&f->dd, &f->config, &f->memory, &f->control);
	fake_describe(f);
}

#endif
