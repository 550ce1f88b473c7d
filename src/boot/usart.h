/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USART session from inside: what session.c, frames.c, memory.c, erase.c,
 * special.c and resync.c share.
 */
#ifndef PV_BOOT_USART_H
#define PV_BOOT_USART_H

#include <stdarg.h>

#include <provisor/usart.h>

#define ACK  0x79U /* AN3155 3 */
#define NACK 0x1fU
#define BUSY 0x76U /* I2C family; harmless, skipped (U18) */
#define SYNC 0x7fU

/* Times in milliseconds. */
#define T_TURN	     20	  /* one turn-around: FTDI's 16 ms timer and some */
#define T_ANSWER     1000 /* an ACK that needs no work, or data of a read */
#define T_WRITE	     2000 /* programming one block, where no data is known */
#define T_PAGE	     5000 /* erasing one page, where no data is known */
#define T_MASS	     35000
#define T_ERASE_MAX  120000 /* bound of any list */
#define T_SEND	     2000
#define T_MARGIN     1000
/* Microseconds: an ACK takes longer than wire and device do. */
#define SLOW_TURN_US 500

#define ATTEMPTS 5U /* of one operation, the first included */

/* The longest frame: a data packet of 0x51 with size and checksum. */
#define FRAME_MAX (2U + PV_USART_EXTENDED_MAX + 1U)
/* All that can be sent since the last ACK. */
#define SENT_MAX  2112U

struct pv_usart {
	struct pv_link link; /* borrowed */
	const struct pv_progress *progress;
	const struct pv_chip *chip; /* may be NULL */
	struct pv_usart_info info;
	unsigned retries;

	struct pv_usart_options opt; /* opt.reset is NULL or &reset */
	struct pv_reset reset;
	bool installing; /* a reset would end what is under way */
	struct pv_usart_counters counters;

	/* For messages: what is being done, and where. */
	const char *step;
	uint32_t address;
	bool has_address;

	bool listed_again; /* Get was asked a second time */

	/* Sent and not yet acknowledged: the filler must not occur here. */
	uint8_t sent[SENT_MAX];
	size_t n_sent;
	size_t ahead; /* of these, bytes that follow the frame awaited now */
	/* A filler byte was answered ACK: a broken frame was accepted. */
	bool accepted;

	/* More than one frame went out at once in this attempt. */
	bool merged;
	/* A NACK left bytes behind that the device took for commands. */
	bool stray;
	/* Lockstep frames of this kind have worked, so they may be merged. */
	bool read_worked, write_worked;
	/* Writes in lockstep have worked at both ends of this range. */
	uint32_t safe_lo, safe_hi;
	/* Waits for the ACK of an opcode, and how many of them were long. */
	unsigned turns, slow_turns;

	enum { CRC_UNKNOWN, CRC_TRUSTED, CRC_REFUSED } crc;
	size_t crc_shape; /* bytes after the initial value; 0 not known */
};

/* --- frames.c ------------------------------------------------------------ */

/* Name the step for messages from here on. */
void pv_us_step(struct pv_usart *u, const char *step);
void pv_us_step_at(struct pv_usart *u, const char *step, uint32_t address);

/* Record an error as "STEP at ADDRESS: ...". */
int pv_us_fail(struct pv_usart *u, int code, struct pv_error *e,
    const char *fmt, ...) PV_PRINTF(4, 5);

/* The same for an error of the link: "STEP at ADDRESS: " before it. */
int pv_us_wrap(const struct pv_usart *u, struct pv_error *e);

/* Milliseconds the line needs for n bytes of 11 bits. */
int pv_us_wire_ms(const struct pv_usart *u, size_t n);

int pv_us_send(
    struct pv_usart *u, const uint8_t *data, size_t len, struct pv_error *e);
/* Wait for ACK. `what` says after which frame. NACK is drained (U8). */
int pv_us_ack(
    struct pv_usart *u, const char *what, int timeout_ms, struct pv_error *e);
/* Exactly len bytes under one deadline. */
int pv_us_recv(struct pv_usart *u, const char *what, uint8_t *data, size_t len,
    int timeout_ms, struct pv_error *e);
/* One byte by a deadline. */
int pv_us_byte(struct pv_usart *u, uint8_t *ret_b, int64_t deadline_ms,
    struct pv_error *e);
/* Drop everything that arrives until the line was quiet for `quiet_ms`. */
int pv_us_quiet(struct pv_usart *u, int quiet_ms, struct pv_error *e);

/* The opcode pair and its ACK. */
int pv_us_command(struct pv_usart *u, enum pv_usart_op op, struct pv_error *e);
/* Four address bytes with their checksum, and the ACK. */
int pv_us_address(struct pv_usart *u, uint32_t addr, struct pv_error *e);
uint8_t pv_us_xor(const uint8_t *data, size_t len);

/* Opcode pair, address and its checksum as one piece of 7 bytes. */
#define HEAD 7U
void pv_us_head(uint8_t f[HEAD], enum pv_usart_op op, uint32_t addr);
/* The ACK of a frame that was sent with `ahead` more bytes after it. */
int pv_us_ack_ahead(struct pv_usart *u, const char *what, size_t ahead,
    int timeout_ms, struct pv_error *e);
/*
 * Would a device that takes these bytes for commands find one that changes
 * something (R7)? Every pair of neighbors counts.
 */
bool pv_us_has_pair(const uint8_t *data, size_t len);
/* "has no command" unless the device lists it. */
int pv_us_need(struct pv_usart *u, enum pv_usart_op op, struct pv_error *e);
/* The error of a refused opcode. */
int pv_us_protected(struct pv_usart *u, struct pv_error *e);

/* --- resync.c ------------------------------------------------------------ */

/*
 * Bring a synced device back to waiting for a command, whatever it is in the
 * middle of (R1, R3). 0 when a NACK answered the last byte sent.
 */
int pv_us_resync(struct pv_usart *u, struct pv_error *e);

/*
 * After a failed attempt: decide whether to go on. Returns 0 when the
 * operation may be tried again (the session is usable), else the error, which
 * then says how often it was tried. `attempt` counts from 1. A NACK leaves the
 * device ready; everything else is resynced.
 */
int pv_us_recover(
    struct pv_usart *u, int code, unsigned attempt, struct pv_error *e);

/* --- session.c ------------------------------------------------------------ */

/* Get: version and list of commands. */
int pv_us_get(struct pv_usart *u, struct pv_error *e);
/* 0x7F and what may come back (U1). */
int pv_us_sync(struct pv_usart *u, int timeout_ms, struct pv_error *e);
/* The reset line, when there is one: play the sequence and sync. */
int pv_us_reset(struct pv_usart *u, struct pv_error *e);

/* --- erase.c -------------------------------------------------------------- */

/* Longest a mass erase may take, milliseconds. */
int pv_us_mass_ms(const struct pv_usart *u);

#endif
