/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programming a chip needs of a bootloader session, whichever link it
 * is on: the USART protocol (usart.h) and USB DFU (dfu.h) both provide it.
 * Errors are those of the session.
 */
#ifndef PROVISOR_BOOT_H
#define PROVISOR_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>
#include <provisor/dfu.h>
#include <provisor/err.h>
#include <provisor/usart.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The largest block of any session. */
#define PV_BOOT_BLOCK_MAX 2048U

struct pv_boot {
	void *ctx;
	uint32_t block; /* most bytes of one write */
	/*
	 * Blocks of full size that follow each other are cheaper than what
	 * leaving out erased bytes in them would save.
	 */
	bool whole_blocks;

	/* Any number of bytes. */
	int (*read)(void *ctx, uint32_t addr, void *data, size_t len,
	    struct pv_error *e);
	/* At most one block, as pv_usart_write and pv_dfu_write have it. */
	int (*write)(void *ctx, uint32_t addr, const void *data, size_t len,
	    bool *ret_damaged, struct pv_error *e);
	/*
	 * Erase sectors. `all` says that these are all there are, so that
	 * flash may be erased as a whole.
	 */
	int (*erase)(void *ctx, const struct pv_sector *sectors, size_t n,
	    bool all, struct pv_error *e);
	/*
	 * As pv_usart_checksum_probe, _checksum and _checksum_same; the last
	 * is NULL where there is no such command.
	 */
	int (*checksum_probe)(
	    void *ctx, uint32_t addr, bool *ret_usable, struct pv_error *e);
	int (*checksum)(void *ctx, uint32_t addr, size_t len, uint32_t *ret_crc,
	    struct pv_error *e);
	int (*checksum_same)(void *ctx, uint32_t addr, size_t len,
	    uint32_t want, bool *ret_usable, bool *ret_same,
	    struct pv_error *e);
	/* The caller tries something of its own again. */
	void (*count_retry)(
	    void *ctx, const char *step, uint64_t address, const char *text);
};

/* The session is borrowed. */
void pv_boot_usart(struct pv_usart *u, struct pv_boot *ret_boot);
void pv_boot_dfu(struct pv_dfu *d, struct pv_boot *ret_boot);

#ifdef __cplusplus
}
#endif
#endif
