/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system bootloader of STM32 microcontrollers over a serial line, as a
 * host sees it (ST AN3155). One session over one link; every operation is
 * bounded in time whatever the device does, retries what can be retried
 * safely, and reports each retry through the observer.
 *
 * The opcode list that the device reports decides which commands are used;
 * never its version or product id.
 *
 * Errors: PV_E_TIMEOUT (silent), PV_E_NACK (refused), PV_E_DEVICE (answers
 * that make no sense, or a command it does not list), PV_E_PROTECTED (read
 * protection), PV_E_LINK (port gone), PV_E_RANGE (refused here, nothing was
 * sent), PV_E_INTERRUPTED. `e` must be given.
 */
#ifndef PROVISOR_USART_H
#define PROVISOR_USART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>
#include <provisor/err.h>
#include <provisor/link.h>
#include <provisor/progress.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pv_usart; /* opaque */

/* Most data bytes of one read or write frame, AN3155 3.4 and 3.6. */
#define PV_USART_BLOCK	      256U
/* Limits of the special commands, AN3155 3.14 and 3.15. */
#define PV_USART_SPECIAL_MAX  128U
#define PV_USART_EXTENDED_MAX 1024U
#define PV_USART_STATUS_MAX   32U

enum pv_usart_op {
	PV_OP_GET = 0x00,
	PV_OP_GET_VERSION = 0x01,
	PV_OP_GET_ID = 0x02,
	PV_OP_READ = 0x11,
	PV_OP_GO = 0x21,
	PV_OP_WRITE = 0x31,
	PV_OP_ERASE = 0x43,
	PV_OP_EXTENDED_ERASE = 0x44,
	PV_OP_SPECIAL = 0x50,
	PV_OP_EXTENDED_SPECIAL = 0x51,
	PV_OP_WRITE_PROTECT = 0x63,
	PV_OP_WRITE_UNPROTECT = 0x73,
	PV_OP_READOUT_PROTECT = 0x82,
	PV_OP_READOUT_UNPROTECT = 0x92,
	PV_OP_GET_CHECKSUM = 0xa1,
};

/*
 * How boards wire reset and boot pins to DTR and RTS, as text: steps divided
 * by commas, "dtr" and "rts" assert a line (the pin of a TTL adapter goes
 * low), "-dtr" and "-rts" release it, a number waits that many milliseconds.
 * Or the name of a preset, see pv_reset_preset. "" is no sequence.
 */
#define PV_RESET_STEPS 24U
struct pv_reset {
	size_t n;
	struct pv_reset_step {
		enum { PV_RESET_DTR, PV_RESET_RTS, PV_RESET_WAIT } kind;
		int value; /* 0, 1; milliseconds */
	} steps[PV_RESET_STEPS];
};
/* PV_E_USAGE. */
PV_MUST_USE int pv_reset_parse(
    const char *text, struct pv_reset *ret_reset, struct pv_error *e);
/* Preset number i: name, steps and wiring; false past the last. */
bool pv_reset_preset(size_t i, const char **ret_name, const char **ret_steps,
    const char **ret_wiring);
/* Play it on a link. PV_E_UNSUPPORTED where the port has no such line. */
PV_MUST_USE int pv_reset_run(const struct pv_reset *reset,
    const struct pv_link *link, struct pv_error *e);

/* How a session is opened; all zero is the default. */
struct pv_usart_options {
	/* Played first, and where recovery needs a reset; may be NULL. */
	const struct pv_reset *reset;
	/* One frame, one answer, always; else command and address go out in
	 * one write once a frame of that kind has worked. */
	bool lockstep;
	/* Whole write frames in one write, where that is safe. */
	bool coalesce;
};

/* How frames went out, for the account of a session. */
struct pv_usart_counters {
	uint64_t blocks_lockstep, blocks_merged, blocks_coalesced;
	uint64_t blocks_screened; /* held a command pair: not coalesced */
	uint64_t reads_lockstep, reads_merged;
	uint64_t checksums; /* answers of Get Checksum that were used */
	unsigned fallbacks; /* back to lockstep after a miss */
	unsigned resets;    /* by the reset line, the first included */
};

struct pv_usart_info {
	uint8_t version;	  /* of the protocol: 0x31, 0x40, ... */
	uint8_t version_bytes[2]; /* the two bytes of Get Version */
	uint16_t device_id;	  /* product id, 12 bits */
	size_t n_opcodes;
	uint8_t opcodes[64];
	bool already_synced; /* it had its baud rate before we came */
};

/*
 * Synchronize with 0x7F and ask Get, Get Version, Get ID. The link is
 * borrowed and must outlive the session; `progress` may be NULL and must too.
 * A device that stays silent: PV_E_TIMEOUT within about 5 s.
 */
PV_MUST_USE int pv_usart_open(const struct pv_link *link,
    const struct pv_progress *progress, struct pv_usart **ret_u,
    struct pv_error *e);
/* The same with options, which are copied. */
PV_MUST_USE int pv_usart_open_with(const struct pv_link *link,
    const struct pv_progress *progress, const struct pv_usart_options *opt,
    struct pv_usart **ret_u, struct pv_error *e);
void pv_usart_free(struct pv_usart *u);

const struct pv_usart_info *pv_usart_info(const struct pv_usart *u);
bool pv_usart_has(const struct pv_usart *u, enum pv_usart_op op);
/* Things tried again so far, over the whole session. */
unsigned pv_usart_retries(const struct pv_usart *u);
const struct pv_usart_counters *pv_usart_counters(const struct pv_usart *u);
/* "2 retries on the line": the caller counts one of its own (a packet). */
void pv_usart_count_retry(
    struct pv_usart *u, const char *step, uint64_t address, const char *text);

/*
 * The highest rate of 921600, 460800, 230400 that proves itself, else 115200:
 * a block read at 115200 must read the same at that rate again and again,
 * without a miss. `open` opens the port at a rate; the link is released here.
 * `address` is of readable memory. PV_E_USAGE without a reset sequence.
 */
struct pv_rate_port {
	void *ctx;
	int (*open)(void *ctx, uint32_t baud, struct pv_link *ret_link,
	    struct pv_error *e);
	uint32_t address;
};
PV_MUST_USE int pv_usart_find_rate(const struct pv_rate_port *port,
    const struct pv_usart_options *opt, const struct pv_progress *progress,
    uint32_t *ret_baud, struct pv_error *e);

/*
 * The part behind the bootloader, once known: its memory map is enforced
 * before a byte is sent, its times bound the waiting. Borrowed; NULL: the map
 * is not checked and general times apply.
 */
void pv_usart_set_chip(struct pv_usart *u, const struct pv_chip *chip);

/*
 * Is read protection active? Reads 4 bytes at `addr`: a refusal of the
 * command itself, while Get works, means yes.
 */
PV_MUST_USE int pv_usart_probe_protection(
    struct pv_usart *u, uint32_t addr, bool *ret_protected, struct pv_error *e);

/* Read any number of bytes. Read data has no checksum on the line. */
PV_MUST_USE int pv_usart_read(struct pv_usart *u, uint32_t addr, void *data,
    size_t len, struct pv_error *e);

/*
 * Write one frame: 4..256 bytes, address and length multiples of 4 and of
 * the part's write unit. The device's "done" is no proof; read back.
 *
 * When a frame was lost half-way the block is read back: as it should be, or
 * still erased (then written again), is success. Anything else needs its
 * sector erased and written anew, which only the caller can do:
 * *ret_damaged is set and 0 returned. With ret_damaged NULL that is
 * PV_E_DEVICE. RAM is simply written again.
 */
PV_MUST_USE int pv_usart_write(struct pv_usart *u, uint32_t addr,
    const void *data, size_t len, bool *ret_damaged, struct pv_error *e);

/*
 * Erase sectors by number, as pv_chip_sector counts them, in frames of at
 * most 512. No error for protected sectors: check that they are blank.
 */
PV_MUST_USE int pv_usart_erase(
    struct pv_usart *u, const uint32_t *sectors, size_t n, struct pv_error *e);
/* Erase all flash. Parts without mass erase refuse: PV_E_NACK. */
PV_MUST_USE int pv_usart_erase_all(struct pv_usart *u, struct pv_error *e);
/*
 * Milliseconds that the part may need to erase all its flash sector by
 * sector, by its description; a general bound where that says nothing.
 */
int pv_usart_wipe_ms(const struct pv_usart *u);

/*
 * Get Checksum (AN3155 3.13): CRC over whole 32-bit words of the device's
 * memory, polynomial 0x04C11DB7, initial value 0xFFFFFFFF, no reflection, no
 * final XOR, words little-endian. Documents and parts differ about it, so it
 * is used only after the answer for one block that was also read agreed with
 * the formula: *ret_usable. False when the device has no such command.
 */
PV_MUST_USE int pv_usart_checksum_probe(
    struct pv_usart *u, uint32_t addr, bool *ret_usable, struct pv_error *e);
/* Address and length multiples of 4; after a probe said that it is usable. */
PV_MUST_USE int pv_usart_checksum(struct pv_usart *u, uint32_t addr, size_t len,
    uint32_t *ret_crc, struct pv_error *e);
/*
 * Has this memory the checksum `want`? If so, the device has agreed with the
 * formula on a block that the caller knows, and nothing else is asked. If not,
 * and it never did, pv_usart_checksum_probe decides whether that means
 * anything: *ret_usable. Address and length as there.
 */
PV_MUST_USE int pv_usart_checksum_same(struct pv_usart *u, uint32_t addr,
    size_t len, uint32_t want, bool *ret_usable, bool *ret_same,
    struct pv_error *e);
/* The formula; begin with PV_USART_CRC_INIT. `len` is a multiple of 4. */
#define PV_USART_CRC_INIT 0xffffffffU
uint32_t pv_usart_crc(uint32_t crc, const uint8_t *data, size_t len);

/*
 * Write-protect the sectors with these codes and no others: the device takes
 * the list as the whole set and does not check the codes. It restarts then on
 * some families; the session is there again when 0 is returned. The device's
 * ACK is no proof. PV_E_RANGE: codes beyond the part's sectors, or twice.
 */
PV_MUST_USE int pv_usart_write_protect(
    struct pv_usart *u, const uint8_t *codes, size_t n, struct pv_error *e);
PV_MUST_USE int pv_usart_write_unprotect(
    struct pv_usart *u, struct pv_error *e);
/* Readout protection level 1; proven by a read that is refused. */
PV_MUST_USE int pv_usart_readout_protect(
    struct pv_usart *u, struct pv_error *e);
/* Lifts level 1 and ERASES ALL FLASH; proven by a read that works. */
PV_MUST_USE int pv_usart_readout_unprotect(
    struct pv_usart *u, struct pv_error *e);

/*
 * The option bytes: the whole area of the chip description. Writing takes all
 * of it in one frame, after which the device restarts; then it is read back.
 * PV_E_VERIFY names the first byte that differs. With read protection among
 * the new options they cannot be read: *ret_protected, and 0.
 */
PV_MUST_USE int pv_usart_read_options(
    struct pv_usart *u, uint8_t *data, size_t len, struct pv_error *e);
PV_MUST_USE int pv_usart_write_options(struct pv_usart *u, const uint8_t *data,
    size_t len, bool *ret_protected, struct pv_error *e);

/* Start the program at `addr` (its vector table). The session ends. */
PV_MUST_USE int pv_usart_go(
    struct pv_usart *u, uint32_t addr, struct pv_error *e);

/*
 * The special commands: one exchange, not repeated here, because only the
 * caller knows what may be sent twice. After PV_E_TIMEOUT, PV_E_NACK and
 * PV_E_DEVICE the session has been brought back to waiting for a command
 * when `ret_usable` says so. Answer sizes are bounded by the room given.
 */
struct pv_usart_special {
	uint16_t code; /* subcommand */
	const uint8_t *data;
	size_t len; /* at most PV_USART_SPECIAL_MAX */
	/* Extended Special (0x51) only: */
	bool extended;
	const uint8_t *data2;
	size_t len2;	/* at most PV_USART_EXTENDED_MAX */
	int timeout_ms; /* for the work between last packet and answer */
	/*
	 * The device restarts after it: a lost answer is not followed by
	 * filler, which a restarted device would take for its baud byte.
	 */
	bool ends_session;

	/* filled in: */
	uint8_t answer[PV_USART_SPECIAL_MAX];
	size_t answer_len;
	uint8_t status[PV_USART_STATUS_MAX];
	size_t status_len;
	bool usable;
	bool unknown; /* the command or subcommand itself was refused */
};
PV_MUST_USE int pv_usart_special(
    struct pv_usart *u, struct pv_usart_special *s, struct pv_error *e);

/*
 * After the device restarted by itself: synchronize anew and check that the
 * same product id answers. PV_E_TIMEOUT when nobody does within timeout_ms.
 */
PV_MUST_USE int pv_usart_reconnect(
    struct pv_usart *u, int timeout_ms, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
