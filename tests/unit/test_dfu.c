/* SPDX-License-Identifier: Apache-2.0 */
/* src/boot/dfu against device/dfu, with quirks and broken transfers. */
#include <provisor/dfu.h>

#include "tests/unit/fakeusb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct pv_error err;
static struct fake f;
static struct pv_chip chip;
static uint8_t image[FAKE_SIZE], got[FAKE_SIZE];

static int
setup(void **state)
{
	uint32_t x = 1;

	(void)state;
	fake_init(&f);
	memset(&chip, 0, sizeof(chip));
	chip.write_unit = 4;
	chip.erased = 0xff;
	chip.n_banks = 1;
	chip.banks[0].base = FAKE_FLASH;
	chip.banks[0].size = FAKE_SIZE;
	chip.banks[0].n_groups = 1;
	chip.banks[0].groups[0].count = FAKE_SECTORS;
	chip.banks[0].groups[0].size = FAKE_SECTOR;
	/* so that what never ends is given up after a little over a second */
	chip.times.sector_erase_typ = 5;
	chip.times.sector_erase_max = 50;
	chip.times.mass_erase_typ = 10;
	chip.times.mass_erase_max = 100;
	chip.times.write_unit_typ_us = 1;
	chip.times.write_unit_max_us = 10;
	for (size_t i = 0; i < sizeof(image); i++) {
		x = x * 1664525U + 1013904223U;
		image[i] = (uint8_t)(x >> 24);
	}
	pv_error_clear(&err);
	return 0;
}

static void
quirk(const char *name)
{
	(void)snprintf(chip.dfu_quirks[chip.n_dfu_quirks++],
	    sizeof(chip.dfu_quirks[0]), "%s", name);
}

static struct pv_dfu *
open_with(const struct pv_chip *c, bool force)
{
	const struct pv_dfu_options opt = { .chip = c, .force = force };
	struct pv_dfu *d = NULL;

	if (pv_dfu_open(&f.usb, &opt, &d, &err) != 0)
		fail_msg("open: %s", err.msg);
	return d;
}

static struct pv_dfu *
open_dfu(void)
{
	return open_with(&chip, false);
}

/* Blocks of full size, and one for the rest. */
static int
write_all(struct pv_dfu *d, uint32_t addr, const uint8_t *data, size_t len)
{
	while (len > 0) {
		size_t n = len < pv_dfu_block(d) ? len : pv_dfu_block(d);
		int rc = pv_dfu_write(d, addr, data, n, NULL, &err);

		if (rc != 0)
			return rc;
		addr += (uint32_t)n;
		data += n;
		len -= n;
	}
	return 0;
}

static void
must(int rc)
{
	if (rc != 0)
		fail_msg("%d: %s", rc, err.msg);
}

static void
refused(int rc, int code, const char *words)
{
	if (rc != code || strstr(err.msg, words) == NULL)
		fail_msg("%d '%s', wanted %d '%s'", rc, err.msg, code, words);
	pv_error_clear(&err);
}

/* --- beginning ----------------------------------------------------------------- */

static void
test_info(void **state)
{
	const struct pv_dfu_info *i = NULL;
	struct pv_dfu *d = open_dfu();
	struct pv_chip c;

	(void)state;
	must(pv_dfu_info(d, &i, &err));
	assert_int_equal(i->vendor, 0x0483);
	assert_int_equal(i->version, 0x22);
	assert_int_equal(i->transfer_size, 2048);
	assert_int_equal(i->block, 2048);
	assert_string_equal(i->serial, "FAKE0001");
	assert_int_equal(i->n_memories, 2);
	assert_string_equal(i->memories[1].map.name, "Option Bytes");
	assert_int_equal(i->n_commands, 4);
	assert_int_equal(i->commands[3], PV_DFU_READ_UNPROTECT);
	assert_int_equal(f.dd.state, 2);
	must(pv_dfu_chip(d, &c, &err));
	assert_int_equal(c.write_unit, 4);
	assert_int_equal(pv_chip_sectors(&c), FAKE_SECTORS);
	pv_dfu_free(d);
	/* nothing known of the part: its layout is still there */
	d = open_with(NULL, false);
	must(pv_dfu_chip(d, &c, &err));
	assert_int_equal(c.write_unit, 32);
	assert_int_equal(c.banks[0].size, FAKE_SIZE);
	pv_dfu_free(d);
}

/* Whatever state a crashed host left behind. */
static void
test_recovers_states(void **state)
{
	static const uint8_t states[] = { 2, 3, 5, 6, 9, 10 };

	(void)state;
	for (size_t i = 0; i < sizeof(states); i++) {
		setup(NULL);
		f.config.clrstatus_stalls = true;
		/* a pointer command whose status nobody asked for */
		f.dd.data[0] = 0x21;
		f.dd.data[4] = 0x08;
		f.dd.len = 5;
		f.dd.state = states[i];
		if (states[i] == 10)
			f.dd.status = 0x0f;
		if (states[i] == 6) {
			/* a leave that was not finished ends in leaving */
			const struct pv_dfu_options opt = { .chip = &chip };
			struct pv_dfu *d = NULL;

			refused(pv_dfu_open(&f.usb, &opt, &d, &err), PV_E_LINK,
			    "connect: gone");
			continue;
		}
		pv_dfu_free(open_dfu());
		assert_int_equal(f.dd.state, 2);
		assert_int_equal(f.dd.status, 0);
	}
}

static void
test_descriptors(void **state)
{
	static const struct {
		uint16_t size, bcd;
		size_t len;
		uint8_t attributes;
		int code;
		const char *words;
	} cases[] = {
		{ 0, 0x011a, 9, 0x0b, PV_E_DEVICE, "transfer size of 0 bytes" },
		{ 4, 0x011a, 9, 0x0b, PV_E_DEVICE, "transfer size of 4 bytes" },
		{ 2048, 0x0110, 9, 0x0b, PV_E_UNSUPPORTED,
		    "speaks DFU 0x0110" },
		{ 2048, 0x011a, 7, 0x0b, PV_E_DEVICE, "no DFU functional" },
		{ 2048, 0x011a, 0, 0x0b, PV_E_DEVICE, "no DFU functional" },
		{ 2048, 0x011a, 9, 0x09, PV_E_UNSUPPORTED, "cannot both" },
	};
	const struct pv_dfu_options opt = { .chip = &chip };
	struct pv_dfu *d = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		f.usb.functional[2] = cases[i].attributes;
		f.usb.functional[5] = (uint8_t)cases[i].size;
		f.usb.functional[6] = (uint8_t)(cases[i].size >> 8);
		f.usb.functional[7] = (uint8_t)cases[i].bcd;
		f.usb.functional[8] = (uint8_t)(cases[i].bcd >> 8);
		f.usb.functional_len = cases[i].len;
		refused(pv_dfu_open(&f.usb, &opt, &d, &err), cases[i].code,
		    cases[i].words);
		assert_int_equal(f.n, 0);
	}
	/* a huge size is not used */
	fake_init(&f);
	f.usb.functional[5] = f.usb.functional[6] = 0xff;
	d = open_dfu();
	assert_int_equal(pv_dfu_block(d), 2048);
	pv_dfu_free(d);
	/* the part takes less than it says */
	chip.dfu_transfer_size = 1024;
	d = open_dfu();
	assert_int_equal(pv_dfu_block(d), 1024);
	pv_dfu_free(d);
}

static void
test_memory_strings(void **state)
{
	struct pv_dfu *d;

	(void)state;
	f.config.alts[0] = "@Internal Flash /0x08000000/16*016Kx";
	d = open_dfu();
	refused(pv_dfu_read(d, FAKE_FLASH, got, 16, &err), PV_E_DEVICE,
	    "memory 0 of the device: memory map '@Internal Flash "
	    "/0x08000000/16*016Kx'");
	pv_dfu_free(d);
	d = open_with(&chip, true);
	must(pv_dfu_read(d, FAKE_FLASH, got, 16, &err));
	pv_dfu_free(d);
	/* force without a description has no layout to go on with */
	d = open_with(NULL, true);
	refused(pv_dfu_read(d, FAKE_FLASH, got, 16, &err), PV_E_RANGE,
	    "cannot be read by the device's memory map");
	pv_dfu_free(d);
	/* the layout string of a clone is not believed */
	f.config.alts[0] = "@Internal Flash /0x08000000/01*001Kg";
	quirk("gd32");
	d = open_dfu();
	must(pv_dfu_read(d, FAKE_FLASH + FAKE_SIZE - 16, got, 16, &err));
	pv_dfu_free(d);
}

/* --- reading and writing --------------------------------------------------------- */

static void
test_write_read(void **state)
{
	struct pv_dfu *d = open_dfu();
	uint64_t n;

	(void)state;
	must(pv_dfu_erase(d, FAKE_FLASH, &err));
	must(write_all(d, FAKE_FLASH, image, FAKE_SECTOR));
	assert_memory_equal(f.flash, image, FAKE_SECTOR);
	must(pv_dfu_read(d, FAKE_FLASH, got, FAKE_SECTOR, &err));
	assert_memory_equal(got, image, FAKE_SECTOR);
	/* three transfers a block, and three for the pointer of the run */
	n = pv_dfu_transfers(d);
	must(write_all(d, FAKE_FLASH + FAKE_SECTOR, image, FAKE_SECTOR));
	assert_int_equal(
	    pv_dfu_transfers(d) - n, 1 + 3 + 3 * (FAKE_SECTOR / 2048));
	assert_int_equal(f.dd.counts.pointers, 3);
	/* reading goes on where it was: one transfer a block */
	must(pv_dfu_read(d, FAKE_FLASH, got, 2048, &err));
	n = pv_dfu_transfers(d);
	must(pv_dfu_read(d, FAKE_FLASH + 2048, got, 8192, &err));
	assert_int_equal(pv_dfu_transfers(d) - n, 4);
	assert_memory_equal(got, image + 2048, 8192);
	/* between the pointer and UPLOAD the device must be made idle */
	assert_int_equal(f.dd.state, 9);
	pv_dfu_free(d);
}

/* The last block is short; parts differ in how they place it. */
static void
test_short_blocks(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 2047, 2048, 2049, 4095, 4100,
		6150 };

	(void)state;
	for (int by = 0; by < 2; by++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			size_t n = sizes[i], padded = (n + 3) / 4 * 4;
			struct pv_dfu *d;

			setup(NULL);
			f.config.by_descriptor = by != 0;
			d = open_dfu();
			must(write_all(d, FAKE_FLASH, image, padded));
			assert_memory_equal(f.flash, image, padded);
			assert_int_equal(f.flash[padded], 0xff);
			memset(got, 0, sizeof(got));
			must(pv_dfu_read(d, FAKE_FLASH, got, n, &err));
			assert_memory_equal(got, image, n);
			assert_int_equal(got[n], 0);
			must(pv_dfu_read(
			    d, FAKE_FLASH + FAKE_SIZE - 1, got, 1, &err));
			assert_int_equal(got[0], 0xff);
			pv_dfu_free(d);
		}
	}
}

/* Block numbers have 16 bits: a new pointer before they run out. */
static void
test_many_blocks(void **state)
{
	struct pv_dfu *d;

	(void)state;
	chip.dfu_transfer_size = 2;
	memcpy(f.flash, image, FAKE_SIZE);
	d = open_dfu();
	assert_int_equal(pv_dfu_block(d), 2);
	must(pv_dfu_read(d, FAKE_FLASH, got, 140000, &err));
	assert_memory_equal(got, image, 140000);
	assert_int_equal(f.dd.counts.pointers, 2);
	pv_dfu_free(d);
}

/* Outside the map nothing is sent. */
static void
test_range(void **state)
{
	struct pv_dfu *d = open_dfu();
	uint64_t n;
	bool p = false;

	(void)state;
	/* the maps are asked for once */
	refused(pv_dfu_read(d, 0x20000000, got, 4, &err), PV_E_RANGE,
	    "read at 0x20000000: 0x20000000..0x20000003 cannot be read");
	n = f.n;
	refused(pv_dfu_read(d, FAKE_FLASH + FAKE_SIZE - 4, got, 5, &err),
	    PV_E_RANGE, "cannot be read");
	refused(pv_dfu_read(d, FAKE_FLASH - 1, got, 2, &err), PV_E_RANGE,
	    "cannot be read");
	refused(pv_dfu_erase(d, FAKE_FLASH + FAKE_SIZE, &err), PV_E_RANGE,
	    "cannot be erased");
	refused(pv_dfu_erase(d, FAKE_OPTIONS, &err), PV_E_RANGE,
	    "cannot be erased");
	refused(
	    pv_dfu_write(d, FAKE_FLASH + FAKE_SIZE - 8, image, 16, NULL, &err),
	    PV_E_RANGE, "cannot be written");
	refused(pv_dfu_write(d, FAKE_FLASH + 2, image, 4, NULL, &err),
	    PV_E_RANGE, "multiple of 4");
	refused(pv_dfu_write(d, FAKE_FLASH, image, 6, NULL, &err), PV_E_RANGE,
	    "multiple of 4");
	refused(pv_dfu_write(d, FAKE_FLASH, image, 4096, NULL, &err),
	    PV_E_RANGE, "a block has 2 to 2048");
	refused(
	    pv_dfu_leave(d, 0x20000000, &err), PV_E_RANGE, "go at 0x20000000");
	refused(pv_dfu_probe_protection(d, 0, &p, &err), PV_E_RANGE, "read");
	assert_int_equal(f.n, n);
	pv_dfu_free(d);
}

/* The memory is chosen by its map, whatever its number. */
static void
test_alternate(void **state)
{
	struct pv_dfu *d;

	(void)state;
	f.config.alts[0] = "@Option Bytes  /0x1FFFC000/01*016 e";
	f.config.alts[1] = "@Internal Flash  /0x08000000/16*016Kg";
	d = open_dfu();
	must(pv_dfu_erase_all(d, &err));
	assert_int_equal(f.dd.alt, 1);
	must(pv_dfu_read(d, FAKE_OPTIONS, got, 16, &err));
	assert_int_equal(f.dd.alt, 0);
	must(pv_dfu_write(d, FAKE_FLASH, image, 64, NULL, &err));
	assert_int_equal(f.dd.alt, 1);
	assert_memory_equal(f.flash, image, 64);
	assert_int_equal(f.alternates, 3);
	pv_dfu_free(d);
}

static void
test_write_protected(void **state)
{
	struct pv_dfu *d = open_dfu();

	(void)state;
	f.write_protected = 1;
	memset(f.flash, 0x5a, FAKE_SECTOR);
	must(pv_dfu_erase(d, FAKE_FLASH, &err));
	must(pv_dfu_write(d, FAKE_FLASH, image, 64, NULL, &err));
	/* no error: only reading back tells */
	must(pv_dfu_read(d, FAKE_FLASH, got, 64, &err));
	assert_int_equal(got[0], 0x5a);
	pv_dfu_free(d);
}

/* --- read protection ----------------------------------------------------------------- */

static void
test_protection(void **state)
{
	struct pv_dfu *d = open_dfu();
	bool p = false;

	(void)state;
	memcpy(f.flash, image, FAKE_SIZE);
	must(pv_dfu_probe_protection(d, FAKE_FLASH, &p, &err));
	assert_false(p);
	f.rdp = 1;
	must(pv_dfu_probe_protection(d, FAKE_FLASH, &p, &err));
	assert_true(p);
	refused(pv_dfu_read(d, FAKE_FLASH, got, 64, &err), PV_E_PROTECTED,
	    "read at 0x08000000: the chip is read protected");
	refused(pv_dfu_write(d, FAKE_FLASH, image, 64, NULL, &err),
	    PV_E_PROTECTED, "read protected");
	refused(pv_dfu_erase(d, FAKE_FLASH, &err), PV_E_PROTECTED,
	    "read protected");
	refused(pv_dfu_erase_all(d, &err), PV_E_PROTECTED, "read protected");
	assert_memory_equal(f.flash, image, FAKE_SIZE);
	must(pv_dfu_read_unprotect(d, &err));
	assert_int_equal(f.restarts, 1);
	assert_int_equal(f.flash[0], 0xff);
	must(pv_dfu_read(d, FAKE_FLASH, got, 64, &err));
	pv_dfu_free(d);
}

static void
test_unprotect_unlisted(void **state)
{
	struct pv_dfu *d;

	(void)state;
	f.config.n_commands = 3; /* STM32H5 */
	f.rdp = 1;
	memcpy(f.flash, image, FAKE_SIZE);
	d = open_dfu();
	refused(pv_dfu_read_unprotect(d, &err), PV_E_UNSUPPORTED,
	    "does not list this command");
	assert_memory_equal(f.flash, image, FAKE_SIZE);
	assert_int_equal(f.rdp, 1);
	pv_dfu_free(d);
}

/* --- option bytes, restarts ------------------------------------------------------------ */

static void
test_options(void **state)
{
	struct pv_dfu *d = open_dfu();

	(void)state;
	refused(pv_dfu_write_options(d, FAKE_OPTIONS, image, 8, &err),
	    PV_E_RANGE, "one block: 0x10 bytes from 0x1fffc000");
	refused(pv_dfu_write_options(d, FAKE_OPTIONS + 8, image, 8, &err),
	    PV_E_RANGE, "one block: 0x10 bytes from 0x1fffc000");
	refused(pv_dfu_write_options(d, FAKE_FLASH, image, 16, &err),
	    PV_E_RANGE, "not the memory of the option bytes");
	assert_int_equal(f.options[0], 0);
	must(pv_dfu_write_options(d, FAKE_OPTIONS, image, 16, &err));
	assert_memory_equal(f.options, image, 16);
	assert_int_equal(f.restarts, 1);
	/* the session goes on */
	must(pv_dfu_write(d, FAKE_FLASH, image, 64, NULL, &err));
	pv_dfu_free(d);
}

static int
store_nothing(void *ctx, const uint8_t *data, size_t len)
{
	(void)ctx;
	(void)data;
	(void)len;
	return 0;
}

static void
test_options_not_taken(void **state)
{
	struct pv_dfu *d = open_dfu();

	(void)state;
	f.control.write_options = store_nothing;
	refused(pv_dfu_write_options(d, FAKE_OPTIONS, image, 16, &err),
	    PV_E_VERIFY, "option bytes at 0x1fffc000: wrote");
	pv_dfu_free(d);
}

static void
test_identity(void **state)
{
	struct pv_dd_config other;
	struct pv_dfu *d;

	(void)state;
	for (int what = 0; what < 4; what++) {
		setup(NULL);
		d = open_dfu();
		must(pv_dfu_read(d, FAKE_FLASH, got, 4, &err));
		other = f.config;
		if (what == 0)
			other.serial = "ANOTHER"; /* this alone is allowed */
		else if (what == 1)
			other.product = 0xdf12;
		else if (what == 2)
			other.device = 0x9000;
		else
			other.alts[0] = "@Internal Flash  /0x08000000/8*016Kg";
		f.becomes = &other;
		if (what == 0)
			must(pv_dfu_read_unprotect(d, &err));
		else
			refused(pv_dfu_read_unprotect(d, &err), PV_E_DEVICE,
			    "another device came back");
		pv_dfu_free(d);
	}
	setup(NULL);
	d = open_dfu();
	f.stays_away = true;
	refused(pv_dfu_read_unprotect(d, &err), PV_E_LINK,
	    "read unprotect: nothing came back");
	pv_dfu_free(d);
}

/* --- leave ------------------------------------------------------------------------------- */

static void
test_leave(void **state)
{
	static const int codes[] = { PV_E_LINK, PV_E_NACK, PV_E_TIMEOUT,
		PV_E_DEVICE };
	struct pv_dfu *d = open_dfu();
	uint64_t n;

	(void)state;
	must(pv_dfu_leave(d, FAKE_FLASH, &err));
	assert_int_equal(f.went_to, FAKE_FLASH);
	n = f.n;
	pv_dfu_free(d);
	/* whatever the last GETSTATUS ends in */
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		setup(NULL);
		f.break_at = f.break_until = n;
		f.break_code = codes[i];
		f.lose_answer = true;
		d = open_dfu();
		must(pv_dfu_leave(d, FAKE_FLASH, &err));
		assert_int_equal(f.went_to, FAKE_FLASH);
		pv_dfu_free(d);
	}
	setup(NULL);
	f.config.leave_early = true;
	d = open_dfu();
	must(pv_dfu_leave(d, FAKE_FLASH, &err));
	pv_dfu_free(d);
	/* but the zero DNLOAD itself must have been accepted */
	setup(NULL);
	f.break_at = f.break_until = n - 1;
	f.break_code = PV_E_NACK;
	d = open_dfu();
	refused(pv_dfu_leave(d, FAKE_FLASH, &err), PV_E_NACK,
	    "go at 0x08000000: broken transfer");
	assert_int_equal(f.went_to, 0);
	pv_dfu_free(d);
}

/* --- poll times ---------------------------------------------------------------------------- */

static void
test_poll_times(void **state)
{
	static const enum pv_dd_poll polls[] = { PV_DD_POLL_RIGHT,
		PV_DD_POLL_SHORT, PV_DD_POLL_ZERO };
	struct pv_dfu *d;

	(void)state;
	for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		setup(NULL);
		f.config.poll = polls[i];
		f.config.page_erase_us = 30000;
		d = open_dfu();
		must(pv_dfu_erase(d, FAKE_FLASH, &err));
		must(pv_dfu_write(d, FAKE_FLASH, image, 2048, NULL, &err));
		assert_memory_equal(f.flash, image, 2048);
		pv_dfu_free(d);
	}
}

/* A part that asks for 100 ms is looked at when the work is done. */
static void
test_poll_long(void **state)
{
	struct pv_dfu *d;
	int64_t start;

	(void)state;
	f.config.poll = PV_DD_POLL_LONG;
	d = open_dfu();
	start = pv_now_ms();
	must(pv_dfu_write(d, FAKE_FLASH, image, 2048, NULL, &err));
	assert_true(pv_now_ms() - start >= 200); /* pointer and block */
	pv_dfu_free(d);
	quirk("poll-long");
	chip.times.write_unit_typ_us = 4;
	f.config.write_unit_us = 4;
	d = open_dfu();
	must(pv_dfu_write(d, FAKE_FLASH + 2048, image, 2048, NULL, &err));
	start = pv_now_ms();
	for (uint32_t i = 2; i < 8; i++)
		must(pv_dfu_write(d, FAKE_FLASH + i * 2048, image + i * 2048,
		    2048, NULL, &err));
	assert_true(pv_now_ms() - start < 300);
	pv_dfu_free(d);
}

/* Nothing the device says makes us wait much longer than the work takes. */
static void
test_poll_hostile(void **state)
{
	static const enum pv_dd_poll polls[] = { PV_DD_POLL_ZERO,
		PV_DD_POLL_ABSURD };
	struct pv_dfu *d;
	int64_t start;
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(polls) / sizeof(polls[0]); i++) {
		setup(NULL);
		f.config.poll = polls[i];
		f.config.page_erase_us = 3600U * 1000000U;
		d = open_dfu();
		start = pv_now_ms();
		rc = pv_dfu_erase(d, FAKE_FLASH, &err);
		assert_true(pv_now_ms() - start < 15000);
		assert_int_not_equal(rc, 0);
		assert_int_equal(pv_exit_code(rc), 7);
		assert_non_null(strstr(err.msg, "erase at 0x08000000: "));
		pv_dfu_free(d);
	}
	/* quick, but claiming hours every time: given up, and said so */
	setup(NULL);
	f.config.poll = PV_DD_POLL_ABSURD;
	d = open_dfu();
	start = pv_now_ms();
	rc = write_all(d, FAKE_FLASH, image, FAKE_SECTOR);
	assert_true(pv_now_ms() - start < 15000);
	refused(rc, PV_E_DEVICE, "asks for 16777215 ms between polls");
	pv_dfu_free(d);
}

/* --- quirks ---------------------------------------------------------------------------------- */

static void
test_erase_stalls(void **state)
{
	struct pv_dfu *d;

	(void)state;
	f.config.erase_stalls_status = true;
	f.config.poll = PV_DD_POLL_SHORT;
	f.config.page_erase_us = 80000;
	memset(f.flash, 0, FAKE_SECTOR);
	d = open_dfu();
	must(pv_dfu_erase(d, FAKE_FLASH, &err));
	assert_true(pv_dfu_retries(d) > 0);
	assert_int_equal(f.flash[0], 0xff);
	pv_dfu_free(d);
}

static void
test_busy_stuck(void **state)
{
	struct pv_dfu *d;

	(void)state;
	f.config.erase_busy_stuck = true;
	f.config.poll = PV_DD_POLL_SHORT;
	memset(f.flash, 0, sizeof(f.flash));
	/* not a part known for that: an error */
	d = open_dfu();
	refused(pv_dfu_erase_all(d, &err), PV_E_TIMEOUT, "still busy after");
	pv_dfu_free(d);
	setup(NULL);
	f.config.erase_busy_stuck = true;
	f.config.poll = PV_DD_POLL_SHORT;
	memset(f.flash, 0, sizeof(f.flash));
	quirk("erase-busy-stuck");
	d = open_dfu();
	must(pv_dfu_erase_all(d, &err));
	assert_int_equal(f.dd.state, 2);
	must(pv_dfu_write(d, FAKE_FLASH, image, 64, NULL, &err));
	assert_memory_equal(f.flash, image, 64);
	pv_dfu_free(d);
}

static void
test_mass_erase_long(void **state)
{
	struct pv_dfu *d;

	(void)state;
	chip.times.mass_erase_max = 2000;
	f.config.mass_erase_long = true;
	f.config.mass_erase_us = 450000;
	memset(f.flash, 0, sizeof(f.flash));
	d = open_dfu();
	must(pv_dfu_erase_all(d, &err));
	assert_int_equal(f.flash[FAKE_SIZE - 1], 0xff);
	pv_dfu_free(d);
}

/* --- broken transfers --------------------------------------------------------------------------- */

/* Erase, write three blocks and a rest, read back. */
static int
job(struct pv_dfu **ret_d)
{
	const struct pv_dfu_options opt = { .chip = &chip };
	struct pv_dfu *d = NULL;
	size_t n = 3 * 2048 + 100;
	int rc;

	*ret_d = NULL;
	if ((rc = pv_dfu_open(&f.usb, &opt, &d, &err)) != 0)
		return rc;
	*ret_d = d;
	if ((rc = pv_dfu_erase(d, FAKE_FLASH, &err)) != 0)
		return rc;
	if ((rc = write_all(d, FAKE_FLASH, image, n)) != 0)
		return rc;
	memset(got, 0, n);
	if ((rc = pv_dfu_read(d, FAKE_FLASH, got, n, &err)) != 0)
		return rc;
	if (memcmp(got, image, n) != 0)
		return PV_E_VERIFY;
	return 0;
}

/*
 * Every transfer in turn fails once, in every way: the job either ends in the
 * right flash or in an error of the device, and with one fault nothing but a
 * lost device is an error at all.
 */
static void
test_each_transfer(void **state)
{
	static const int codes[] = { PV_E_NACK, PV_E_TIMEOUT, PV_E_DEVICE,
		PV_E_LINK };
	struct pv_dfu *d;
	uint64_t total;

	(void)state;
	must(job(&d));
	total = f.n;
	pv_dfu_free(d);
	assert_true(total > 25);
	for (size_t c = 0; c < 4 * sizeof(codes) / sizeof(codes[0]); c++) {
		for (uint64_t at = 1; at <= total; at++) {
			int code = codes[c / 4], rc;

			setup(NULL);
			memset(f.flash, 0x11, FAKE_SECTOR);
			f.ecc = (c & 1) != 0;
			f.lose_answer = (c & 2) != 0;
			f.break_at = f.break_until = at;
			f.break_code = code;
			rc = job(&d);
			if (code == PV_E_LINK)
				assert_int_equal(rc, PV_E_LINK);
			else if (rc != 0 && at > 1)
				fail_msg("transfer %d ends in %d %d: %d %s",
				    (int)at, code, (int)(c & 3), rc, err.msg);
			if (rc != 0)
				assert_int_equal(pv_exit_code(rc), 7);
			else
				assert_memory_equal(
				    f.flash, image, 3 * 2048 + 100);
			/* no unit of an ECC part is written twice */
			assert_false(f.wrapped);
			pv_dfu_free(d);
		}
	}
}

/* An answer that is one byte short. */
static void
test_short_answers(void **state)
{
	struct pv_dfu *d;
	uint64_t total;

	(void)state;
	must(job(&d));
	total = f.n;
	pv_dfu_free(d);
	for (uint64_t at = 1; at <= total; at++) {
		int rc;

		setup(NULL);
		f.shorten = true;
		f.break_at = f.break_until = at;
		rc = job(&d);
		if (rc == 0)
			assert_memory_equal(f.flash, image, 3 * 2048 + 100);
		else
			assert_true(
			    pv_exit_code(rc) == 7 || rc == PV_E_MALFORMED);
		pv_dfu_free(d);
	}
}

/* From some transfer on nothing works any more. */
static void
test_dies(void **state)
{
	static const int codes[] = { PV_E_NACK, PV_E_TIMEOUT, PV_E_DEVICE,
		PV_E_LINK };
	struct pv_dfu *d;
	uint64_t total;

	(void)state;
	must(job(&d));
	total = f.n;
	pv_dfu_free(d);
	for (size_t c = 0; c < sizeof(codes) / sizeof(codes[0]); c++) {
		for (uint64_t at = 1; at <= total; at++) {
			int rc;

			setup(NULL);
			f.break_at = at;
			f.break_until = UINT64_MAX;
			f.break_code = codes[c];
			rc = job(&d);
			assert_int_not_equal(rc, 0);
			assert_int_equal(pv_exit_code(rc), 7);
			assert_true(err.msg[0] != '\0');
			pv_dfu_free(d);
		}
	}
	/* the message says where, and how often it was tried */
	setup(NULL);
	d = open_dfu();
	must(pv_dfu_read(d, FAKE_FLASH, got, 4, &err));
	f.rdp = 0;
	f.config.alts[0] = NULL;
	f.break_at = f.n + 1;
	f.break_until = UINT64_MAX;
	f.break_code = PV_E_NACK;
	refused(pv_dfu_erase(d, FAKE_FLASH + 0x4000, &err), PV_E_NACK,
	    "erase at 0x08004000: ");
	pv_dfu_free(d);
}

/* A block that was lost half-way and is neither old nor new. */
static void
test_damaged(void **state)
{
	struct pv_dfu *d = open_dfu();
	bool damaged = false;

	(void)state;
	must(pv_dfu_read(d, FAKE_FLASH, got, 4, &err));
	memset(f.flash, 0x11, 2048);	      /* not erased before */
	f.break_at = f.break_until = f.n + 6; /* first status of the block */
	f.break_code = PV_E_DEVICE;
	f.lose_answer = true;
	must(pv_dfu_write(d, FAKE_FLASH, image, 2048, &damaged, &err));
	assert_true(damaged);
	memset(f.flash, 0x11, 2048);
	f.break_at = f.break_until = f.n + 6;
	refused(pv_dfu_write(d, FAKE_FLASH, image, 2048, NULL, &err),
	    PV_E_DEVICE, "lost half-way; its sector must be erased");
	pv_dfu_free(d);
}

static int
cancel_now(void *ctx)
{
	return *(const int *)ctx;
}

static void
test_cancel(void **state)
{
	int stop = 0;
	struct pv_progress p = { .ctx = &stop, .cancelled = cancel_now };
	const struct pv_dfu_options opt = { .chip = &chip, .progress = &p };
	struct pv_dfu *d = NULL;

	(void)state;
	must(pv_dfu_open(&f.usb, &opt, &d, &err));
	stop = 1;
	refused(
	    pv_dfu_erase(d, FAKE_FLASH, &err), PV_E_INTERRUPTED, "interrupted");
	refused(pv_dfu_read(d, FAKE_FLASH, got, 64, &err), PV_E_INTERRUPTED,
	    "interrupted");
	pv_dfu_free(d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_info, setup),
		cmocka_unit_test_setup(test_recovers_states, setup),
		cmocka_unit_test_setup(test_descriptors, setup),
		cmocka_unit_test_setup(test_memory_strings, setup),
		cmocka_unit_test_setup(test_write_read, setup),
		cmocka_unit_test_setup(test_short_blocks, setup),
		cmocka_unit_test_setup(test_many_blocks, setup),
		cmocka_unit_test_setup(test_range, setup),
		cmocka_unit_test_setup(test_alternate, setup),
		cmocka_unit_test_setup(test_write_protected, setup),
		cmocka_unit_test_setup(test_protection, setup),
		cmocka_unit_test_setup(test_unprotect_unlisted, setup),
		cmocka_unit_test_setup(test_options, setup),
		cmocka_unit_test_setup(test_options_not_taken, setup),
		cmocka_unit_test_setup(test_identity, setup),
		cmocka_unit_test_setup(test_leave, setup),
		cmocka_unit_test_setup(test_poll_times, setup),
		cmocka_unit_test_setup(test_poll_long, setup),
		cmocka_unit_test_setup(test_poll_hostile, setup),
		cmocka_unit_test_setup(test_erase_stalls, setup),
		cmocka_unit_test_setup(test_busy_stuck, setup),
		cmocka_unit_test_setup(test_mass_erase_long, setup),
		cmocka_unit_test_setup(test_each_transfer, setup),
		cmocka_unit_test_setup(test_short_answers, setup),
		cmocka_unit_test_setup(test_dies, setup),
		cmocka_unit_test_setup(test_damaged, setup),
		cmocka_unit_test_setup(test_cancel, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
