/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part for the tests of device/: 64 KiB of flash in 2 KiB sectors with
 * write units of 16 bytes, RAM, an option area, and an operation counter
 * that can make one operation fail or cut the power in the midst of it.
 */
#ifndef PV_TEST_DEVICE_FAKE_H
#define PV_TEST_DEVICE_FAKE_H

#include <setjmp.h>
#include <string.h>

#include "device/an3155.h"

#define FAKE_FLASH	  0x08000000U
#define FAKE_ALIAS	  0x0c000000U /* shows the same flash */
#define FAKE_FLASH_SIZE	  0x10000U
#define FAKE_SECTOR	  0x800U
#define FAKE_UNIT	  16U
#define FAKE_RAM	  0x20000000U
#define FAKE_RAM_SIZE	  0x2000U
#define FAKE_RESERVED	  0x400U
#define FAKE_OPTIONS	  0x1ffff800U
#define FAKE_OPTIONS_SIZE 16U

struct fake {
	uint8_t flash[FAKE_FLASH_SIZE];
	uint8_t ram[FAKE_RAM_SIZE];
	uint8_t options[FAKE_OPTIONS_SIZE];
	uint64_t write_protected; /* bit per sector */
	int rdp;
	bool installing;
	uint32_t went;	      /* Go address */
	int restarts, erases; /* counted */

	/* faults: operations count from 1; 0 means never */
	unsigned int ops, fail_at, cut_at;
	bool unprotect_fails;
	bool fail_for_ever; /* every operation from fail_at on */
	jmp_buf *cut;

	size_t out_len;
	uint8_t out[8192];
	struct pv_dev_memory memory;
	struct pv_an_control control;
};

/*
 * Count an operation. Returns true when it must fail. A cut is taken after
 * half of the work, which the caller did when `half` is true.
 */
static inline bool
fake_op(struct fake *f)
{
	f->ops++;
	if (f->fail_at != 0 && f->ops == f->fail_at)
		return true;
	return f->fail_for_ever && f->fail_at != 0 && f->ops > f->fail_at;
}

static inline void
fake_cut(struct fake *f)
{
	if (f->cut_at != 0 && f->ops == f->cut_at && f->cut != NULL)
		longjmp(*f->cut, 1);
}

static inline enum pv_region
fake_region(void *ctx, uint32_t addr, uint32_t len)
{
	uint32_t base =
	    addr >= FAKE_ALIAS && addr < FAKE_ALIAS + FAKE_FLASH_SIZE
		? FAKE_ALIAS
		: FAKE_FLASH;

	(void)ctx;
	if (addr >= base && addr - base < FAKE_FLASH_SIZE &&
	    len <= FAKE_FLASH_SIZE - (addr - base))
		return PV_REGION_FLASH;
	if (addr >= FAKE_RAM && addr - FAKE_RAM < FAKE_RAM_SIZE &&
	    len <= FAKE_RAM_SIZE - (addr - FAKE_RAM))
		return addr - FAKE_RAM < FAKE_RESERVED ? PV_REGION_RESERVED
						       : PV_REGION_RAM;
	if (addr >= FAKE_OPTIONS && addr - FAKE_OPTIONS < FAKE_OPTIONS_SIZE &&
	    len <= FAKE_OPTIONS_SIZE - (addr - FAKE_OPTIONS))
		return PV_REGION_OPTIONS;
	return PV_REGION_NONE;
}

static inline uint8_t *
fake_at(struct fake *f, uint32_t addr, size_t len)
{
	switch (fake_region(f, addr, (uint32_t)len)) {
	case PV_REGION_FLASH:
		return f->flash + (addr & (FAKE_FLASH_SIZE - 1));
	case PV_REGION_RAM:
	case PV_REGION_RESERVED:
		return f->ram + (addr - FAKE_RAM);
	case PV_REGION_OPTIONS:
		return f->options + (addr - FAKE_OPTIONS);
	case PV_REGION_OTP:
	case PV_REGION_NONE:
		break;
	}
	return NULL;
}

static inline int
fake_read(void *ctx, uint32_t addr, uint8_t *data, size_t len)
{
	const uint8_t *p = fake_at(ctx, addr, len);

	if (p == NULL)
		return -1;
	memcpy(data, p, len);
	return 0;
}

static inline int
fake_store(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	uint8_t *p = fake_at(ctx, addr, len);

	if (p == NULL)
		return -1;
	memcpy(p, data, len);
	return 0;
}

/* ECC: a unit that is not erased keeps what it has. */
static inline int
fake_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	struct fake *f = ctx;
	uint8_t *p = fake_at(f, addr, len);
	int r = 0;

	if (p == NULL || fake_op(f))
		return -1;
	for (size_t i = 0; i < len; i += FAKE_UNIT) {
		size_t sector =
		    ((addr & (FAKE_FLASH_SIZE - 1)) + i) / FAKE_SECTOR;
		bool erased = true;

		for (size_t k = 0; k < FAKE_UNIT; k++)
			erased = erased && p[i + k] == 0xff;
		if (!erased || ((f->write_protected >> sector) & 1) != 0) {
			r = -1;
			continue;
		}
		memcpy(p + i, data + i, FAKE_UNIT / 2);
		fake_cut(f);
		memcpy(p + i, data + i, FAKE_UNIT);
	}
	return r;
}

static inline int
fake_sector(void *ctx, uint32_t addr, struct pv_dev_sector *ret_s)
{
	uint32_t n;

	if (fake_region(ctx, addr, 1) != PV_REGION_FLASH)
		return -1;
	n = (addr & (FAKE_FLASH_SIZE - 1)) / FAKE_SECTOR;
	*ret_s = (struct pv_dev_sector){ FAKE_FLASH + n * FAKE_SECTOR,
		FAKE_SECTOR, n };
	return 0;
}

static inline int
fake_erase(void *ctx, uint32_t number)
{
	struct fake *f = ctx;
	uint8_t *p;

	if (number >= FAKE_FLASH_SIZE / FAKE_SECTOR)
		return 0;
	if (fake_op(f) || ((f->write_protected >> number) & 1) != 0)
		return -1;
	p = f->flash + (size_t)number * FAKE_SECTOR;
	memset(p + FAKE_SECTOR / 2, 0xff, FAKE_SECTOR / 2);
	fake_cut(f);
	memset(p, 0xff, FAKE_SECTOR);
	f->erases++;
	return 0;
}

static inline bool
fake_locked(void *ctx, uint32_t number)
{
	const struct fake *f = ctx;

	return number < 64 && ((f->write_protected >> number) & 1) != 0;
}

static inline void
fake_emit(void *ctx, const uint8_t *data, size_t len)
{
	struct fake *f = ctx;

	if (len <= sizeof f->out - f->out_len) {
		memcpy(f->out + f->out_len, data, len);
		f->out_len += len;
	}
}

static inline enum pv_an_lock
fake_lock(void *ctx)
{
	const struct fake *f = ctx;

	if (f->rdp == 2)
		return PV_AN_LOCKED;
	if (f->installing)
		return PV_AN_INSTALLING;
	return f->rdp == 1 ? PV_AN_READ_PROTECTED : PV_AN_OPEN;
}

static inline int
fake_mass_erase(void *ctx, enum pv_an_erase what)
{
	uint32_t n = FAKE_FLASH_SIZE / FAKE_SECTOR;
	uint32_t from = what == PV_AN_ERASE_BANK2 ? n / 2 : 0;
	uint32_t to = what == PV_AN_ERASE_BANK1 ? n / 2 : n;

	for (uint32_t i = from; i < to; i++)
		(void)fake_erase(ctx, i);
	return 0;
}

static inline int
fake_protect(void *ctx, enum pv_an_protect what, const uint8_t *codes, size_t n)
{
	struct fake *f = ctx;

	switch (what) {
	case PV_AN_SET_WRITE_PROTECTION:
		f->write_protected = 0;
		for (size_t i = 0; i < n; i++)
			if (codes[i] < 64)
				f->write_protected |= 1ULL << codes[i];
		break;
	case PV_AN_CLEAR_WRITE_PROTECTION:
		f->write_protected = 0;
		break;
	case PV_AN_SET_READ_PROTECTION:
		f->rdp = 1;
		break;
	case PV_AN_CLEAR_READ_PROTECTION:
		if (f->unprotect_fails)
			return -1;
		f->write_protected = 0;
		(void)fake_mass_erase(f, PV_AN_ERASE_ALL);
		memset(f->ram, 0, sizeof f->ram);
		f->rdp = 0;
		break;
	}
	return 0;
}

static inline int
fake_write_options(void *ctx, const uint8_t *data, size_t len)
{
	struct fake *f = ctx;

	if (len > sizeof f->options)
		return -1;
	memset(f->options, 0xff, sizeof f->options);
	memcpy(f->options, data, len);
	return 0;
}

static inline void
fake_go(void *ctx, uint32_t addr)
{
	struct fake *f = ctx;

	f->went = addr;
}

static inline void
fake_restart(void *ctx)
{
	struct fake *f = ctx;

	f->restarts++;
}

static inline void
fake_init(struct fake *f)
{
	memset(f, 0, sizeof *f);
	memset(f->flash, 0xff, sizeof f->flash);
	memset(f->options, 0xff, sizeof f->options);
	f->memory = (struct pv_dev_memory){
		.ctx = f,
		.region = fake_region,
		.read = fake_read,
		.store = fake_store,
		.program = fake_program,
		.sector = fake_sector,
		.erase = fake_erase,
		.locked = fake_locked,
		.write_unit = FAKE_UNIT,
	};
	f->control = (struct pv_an_control){
		.ctx = f,
		.emit = fake_emit,
		.lock = fake_lock,
		.mass_erase = fake_mass_erase,
		.protect = fake_protect,
		.write_options = fake_write_options,
		.go = fake_go,
		.restart = fake_restart,
	};
}

#endif
