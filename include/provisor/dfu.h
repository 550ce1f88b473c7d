/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USB bootloader of STM32 microcontrollers, as a host sees it: DFU 1.1
 * with ST's DfuSe commands (ST AN3156). One session over one device; every
 * operation is bounded in time whatever the device says, and what can be
 * repeated safely is repeated, counted and reported through the observer.
 *
 * Memories are chosen by the memory maps the device names its alternate
 * settings with, never by their number.
 *
 * Errors: PV_E_TIMEOUT (silent or busy for too long), PV_E_NACK (refused),
 * PV_E_DEVICE (answers that make no sense), PV_E_PROTECTED (read protection),
 * PV_E_LINK (gone), PV_E_RANGE (outside the map, nothing was sent),
 * PV_E_UNSUPPORTED, PV_E_INTERRUPTED.
 */
#ifndef PROVISOR_DFU_H
#define PROVISOR_DFU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>
#include <provisor/dfu_map.h>
#include <provisor/err.h>
#include <provisor/progress.h>
#include <provisor/usb.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_dfu; /* opaque */

/* Most bytes of one transfer: the ROMs' limit, AN3156 sections 4.1, 5.1. */
#define PV_DFU_BLOCK 2048U

enum pv_dfu_command { /* AN3156 section 4.2 */
	PV_DFU_GET = 0x00,
	PV_DFU_SET_POINTER = 0x21,
	PV_DFU_ERASE_PAGE = 0x41,
	PV_DFU_READ_UNPROTECT = 0x92,
};

struct pv_dfu_options {
	const struct pv_progress *progress; /* NULL: nobody looks */
	/*
	 * The part, when it is known: times, quirks, write unit. The device's
	 * own memory map wins over the layout in it. Borrowed.
	 */
	const struct pv_chip *chip;
	/* Go on with the chip's layout where a memory map does not parse. */
	bool force;
};

struct pv_dfu_memory {
	uint8_t alternate;
	bool usable; /* the map could be read */
	struct pv_dfu_map map;
	char text[PV_USB_TEXT]; /* as the device sent it, masked */
};

struct pv_dfu_info {
	uint16_t vendor, product, device;
	uint8_t version;	/* of the bootloader: upper byte of bcdDevice */
	uint16_t transfer_size; /* as the device says */
	uint16_t block;		/* bytes of one transfer, as used here */
	char port[PV_USB_PORT];
	char serial[PV_USB_TEXT];
	size_t n_memories;
	struct pv_dfu_memory memories[PV_USB_ALTS];
	size_t n_commands; /* 0: it did not say */
	uint8_t commands[32];
};

/*
 * Begin a session: whatever state the last host left the device in, it is
 * idle afterwards. `usb` is borrowed.
 */
PV_MUST_USE int pv_dfu_open(struct pv_usb *usb,
    const struct pv_dfu_options *opt, struct pv_dfu **ret_d,
    struct pv_error *e);
void pv_dfu_free(struct pv_dfu *d);

/* Ask for all memory maps and the list of commands; borrowed answer. */
PV_MUST_USE int pv_dfu_info(
    struct pv_dfu *d, const struct pv_dfu_info **ret_info, struct pv_error *e);
/* Bytes of one block. */
uint32_t pv_dfu_block(const struct pv_dfu *d);
/* Things tried again, and control transfers made, over the whole session. */
unsigned int pv_dfu_retries(const struct pv_dfu *d);
uint64_t pv_dfu_transfers(const struct pv_dfu *d);
/* The caller counts one of its own. */
void pv_dfu_count_retry(
    struct pv_dfu *d, const char *step, uint64_t address, const char *text);

/*
 * A description of the part with the flash layout of the device's map. Where
 * no chip was given: write unit 32, the largest there is, and the rest as not
 * known.
 */
PV_MUST_USE int pv_dfu_chip(
    struct pv_dfu *d, struct pv_chip *ret_chip, struct pv_error *e);

/* Is read protection active? Reads one block at `addr`. */
PV_MUST_USE int pv_dfu_probe_protection(
    struct pv_dfu *d, uint32_t addr, bool *ret_protected, struct pv_error *e);

/* Read any number of bytes, only inside the map. */
PV_MUST_USE int pv_dfu_read(struct pv_dfu *d, uint32_t addr, void *data,
    size_t len, struct pv_error *e);

/*
 * Write 2 .. pv_dfu_block bytes; address and length are multiples of the
 * part's write unit. Blocks of full size that follow each other take three
 * transfers each. "Done" is no proof: a write-protected sector says it too.
 *
 * When it is not known whether a block was taken it is read back: as it
 * should be, or still erased (then written again), is success. Anything else
 * needs its sector erased first, which only the caller can do: *ret_damaged
 * is set and 0 returned; with ret_damaged NULL that is PV_E_DEVICE.
 */
PV_MUST_USE int pv_dfu_write(struct pv_dfu *d, uint32_t addr, const void *data,
    size_t len, bool *ret_damaged, struct pv_error *e);

/* Erase the sector that holds `addr`. */
PV_MUST_USE int pv_dfu_erase(
    struct pv_dfu *d, uint32_t addr, struct pv_error *e);
/* Erase all flash. */
PV_MUST_USE int pv_dfu_erase_all(struct pv_dfu *d, struct pv_error *e);

/*
 * Start the program at `addr`. A device that vanishes once it accepted the
 * command did what was asked. The session ends.
 */
PV_MUST_USE int pv_dfu_leave(
    struct pv_dfu *d, uint32_t addr, struct pv_error *e);

/*
 * Lift read protection: erases all flash and RAM. Sent only when the device
 * lists the command. The device restarts; the session goes on with it.
 */
PV_MUST_USE int pv_dfu_read_unprotect(struct pv_dfu *d, struct pv_error *e);

/*
 * Write one whole option block from its base: all options are erased and
 * these written, the device restarts, and the block is read back;
 * PV_E_VERIFY when it differs. Whether the values are wise, the caller knows.
 */
PV_MUST_USE int pv_dfu_write_options(struct pv_dfu *d, uint32_t addr,
    const void *data, size_t len, struct pv_error *e);

/*
 * The device restarted: wait for it at the same bus-port. A device of other
 * ids, version or memory map is PV_E_DEVICE.
 */
PV_MUST_USE int pv_dfu_reconnect(
    struct pv_dfu *d, int timeout_ms, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
