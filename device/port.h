/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the device code needs from the part it runs on. Functions that return
 * int give 0, or nonzero when the part refused or failed.
 */
#ifndef PV_DEVICE_PORT_H
#define PV_DEVICE_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pv_region {
	PV_REGION_NONE,
	PV_REGION_FLASH,
	PV_REGION_RAM,	    /* usable by the host */
	PV_REGION_RESERVED, /* RAM of the bootloader itself */
	PV_REGION_OPTIONS,
	PV_REGION_OTP, /* one-time programmable: bits only clear, for good */
};

/* Places where flash repeats itself: one erasable sector. */
struct pv_dev_sector {
	uint32_t base;
	uint32_t size;	 /* bytes */
	uint32_t number; /* as the erase commands count */
};

struct pv_dev_memory {
	/* Region of [addr, addr + len); NONE unless all of it is in one. */
	enum pv_region (*region)(void *ctx, uint32_t addr, uint32_t len);
	int (*read)(void *ctx, uint32_t addr, uint8_t *data, size_t len);
	/* Put bytes into RAM; into OTP whole write units, by its rules. */
	int (*store)(void *ctx, uint32_t addr, const uint8_t *data, size_t len);
	/* Program whole write units; addr and len are multiples of one. */
	int (*program)(
	    void *ctx, uint32_t addr, const uint8_t *data, size_t len);
	/* Sector of a flash address; nonzero when it is not flash. */
	int (*sector)(void *ctx, uint32_t addr, struct pv_dev_sector *ret_s);
	/* Erase one sector by number; numbers past the end do nothing. */
	int (*erase)(void *ctx, uint32_t number);
	/* Is it write-protected? NULL where the part cannot tell. */
	bool (*locked)(void *ctx, uint32_t number);
	void *ctx;
	uint32_t write_unit; /* bytes, 1..32, a power of two */
};

/*
 * A flash outside of the part, which the part reads through its on-the-fly
 * decryption. `memory` is the flash itself: what is read and programmed there
 * is ciphertext; of its functions region, read, program, sector, erase are
 * used.
 */
struct pv_dev_external {
	struct pv_dev_memory memory;
	uint32_t base, size; /* where the part sees it */
	uint8_t erased;	     /* byte value of its erased flash */
	/*
	 * In place: what must be in that flash for a region to show this
	 * plaintext. addr and len are multiples of 16; len 0 asks whether the
	 * part has the region and the mode. Nonzero: it has not.
	 */
	int (*seal)(void *ctx, uint32_t region, uint32_t mode,
	    const uint8_t key[16], uint32_t addr, uint8_t *data, size_t len);
	void *ctx;
};

#endif
