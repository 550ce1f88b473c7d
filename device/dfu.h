/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USB bootloader of an STM32 (DFU 1.1 with ST's DfuSe commands, AN3156)
 * as a machine that is given control transfers one by one. A command runs at
 * the first GETSTATUS after its DNLOAD and is busy for as long as the part
 * needs; the result is in a later GETSTATUS.
 *
 * Parts differ, and not all follow the document: `struct pv_dd_config` holds
 * every way in which this machine can behave.
 */
#ifndef PV_DEVICE_DFU_H
#define PV_DEVICE_DFU_H

#include "device/an3155.h"
#include "device/port.h"
#include "device/usb.h"

#define PV_DD_BLOCK_MAX 4096U
#define PV_DD_ALTS	8U
#define PV_DD_COMMANDS	8U

/* What bwPollTimeout says of the time a command takes. */
enum pv_dd_poll {
	PV_DD_POLL_RIGHT,
	PV_DD_POLL_LONG,   /* 100 ms, whatever it is */
	PV_DD_POLL_SHORT,  /* 1 ms, whatever it is */
	PV_DD_POLL_ZERO,   /* 0 */
	PV_DD_POLL_ABSURD, /* all 24 bits */
};

struct pv_dd_config {
	uint16_t vendor, product, device; /* device: bcdDevice */
	uint16_t transfer_size;
	size_t n_alts;
	const char *alts[PV_DD_ALTS]; /* memory strings */
	const char *serial;
	uint32_t option_base; /* 0: no option bytes */
	uint32_t option_size;
	uint32_t flash_base;
	size_t n_commands;
	uint8_t commands[PV_DD_COMMANDS]; /* the answer to Get */

	/* times of the part in microseconds, 0: at once */
	uint32_t write_unit_us;
	uint32_t page_erase_us;
	uint32_t mass_erase_us;

	enum pv_dd_poll poll;
	/* Block address by the descriptor's size, not by the length asked. */
	bool by_descriptor;
	/* UPLOAD past the end: short answer, or the part hangs. */
	bool overread_hangs;
	/* Gone before the GETSTATUS that ends a leave. */
	bool leave_early;
	/* Quirks by their names in chip descriptions. */
	bool mass_erase_long;	  /* says 100 ms and takes its time */
	bool erase_stalls_status; /* STALL instead of dfuDNBUSY */
	bool erase_busy_stuck;	  /* stays busy after a mass erase */
	bool clrstatus_stalls;	  /* CLRSTATUS outside dfuERROR */
	bool no_functional;	  /* silent to GET_DESCRIPTOR of it */
	bool gd32;		  /* serial number in bytes */
};

/* Why the part leaves the bus. */
enum pv_dd_gone {
	PV_DD_STAYS,
	PV_DD_RESTARTS, /* comes back as a bootloader */
	PV_DD_RUNS,	/* runs a program */
	PV_DD_HANGS,	/* answers nothing any more, stays on the bus */
};

struct pv_dd_control {
	void *ctx;
	/* A clock that never goes back. */
	uint64_t (*now_us)(void *ctx);
	enum pv_an_lock (*lock)(void *ctx);
	int (*mass_erase)(void *ctx);
	/* Erase flash, clear RAM, lift read protection. */
	int (*read_unprotect)(void *ctx);
	int (*write_options)(void *ctx, const uint8_t *data, size_t len);
	void (*go)(void *ctx, uint32_t addr);
};

struct pv_dd_counts {
	uint64_t transfers; /* of all kinds */
	uint64_t dnload, upload, getstatus, other;
	uint64_t stalls;
	uint64_t pointers, page_erases, mass_erases, blocks;
};

struct pv_dd {
	const struct pv_dd_config *config;
	const struct pv_dev_memory *memory;
	const struct pv_dd_control *control;

	uint8_t state, status; /* USB DFU 1.1 section 6.1.2 */
	uint8_t alt;
	uint8_t configuration;
	uint32_t pointer;
	bool has_pointer;

	/* the command under way */
	uint16_t block;
	size_t len;
	uint8_t data[PV_DD_BLOCK_MAX];
	bool erasing, mass, started;
	uint64_t end_us;
	uint8_t result; /* bStatus when it is done */
	enum pv_dd_gone after;

	enum pv_dd_gone gone;
	struct pv_dd_counts counts;
};

/* All pointers are borrowed for the life of the machine. */
void pv_dd_init(struct pv_dd *m, const struct pv_dd_config *config,
    const struct pv_dev_memory *memory, const struct pv_dd_control *control);

/*
 * One control transfer on endpoint 0. `data` holds setup->length bytes: sent
 * by the host, or room for the answer. *ret_len is how many bytes moved.
 * Look at m->gone afterwards.
 */
enum pv_dd_end pv_dd_transfer(struct pv_dd *m, const struct pv_dd_setup *setup,
    uint8_t *data, size_t *ret_len);

/* Write the device and configuration descriptor; 0 when `cap` is too small. */
size_t pv_dd_device_descriptor(
    const struct pv_dd_config *c, uint8_t *dst, size_t cap);
size_t pv_dd_config_descriptor(
    const struct pv_dd_config *c, uint8_t *dst, size_t cap);

#endif
