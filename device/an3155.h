/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USART bootloader of an STM32 (AN3155) as a machine that is fed the
 * bytes that arrive and emits the bytes to send. It waits for ever for the
 * rest of a frame and takes wrong frames as they come, as the parts do.
 */
#ifndef PV_DEVICE_AN3155_H
#define PV_DEVICE_AN3155_H

#include "device/port.h"

/* AN3155 section 3: the answers. */
#define PV_AN_ACK  0x79U
#define PV_AN_NACK 0x1fU
#define PV_AN_SYNC 0x7fU

/* AN3155 table 2: opcodes. */
enum pv_an_opcode {
	PV_AN_GET = 0x00,
	PV_AN_GET_VERSION = 0x01,
	PV_AN_GET_ID = 0x02,
	PV_AN_READ = 0x11,
	PV_AN_GO = 0x21,
	PV_AN_WRITE = 0x31,
	PV_AN_ERASE = 0x43,
	PV_AN_EXT_ERASE = 0x44,
	PV_AN_SPECIAL = 0x50,
	PV_AN_EXT_SPECIAL = 0x51,
	PV_AN_WRITE_PROTECT = 0x63,
	PV_AN_WRITE_UNPROTECT = 0x73,
	PV_AN_READ_PROTECT = 0x82,
	PV_AN_READ_UNPROTECT = 0x92,
	PV_AN_CHECKSUM = 0xa1,
};

/* What the part lets a host do now. */
enum pv_an_lock {
	PV_AN_OPEN,
	PV_AN_READ_PROTECTED, /* RDP level 1: 00 01 02 92, and what of 50
				 the part answers then */
	PV_AN_INSTALLING, /* 00 01 02, 50 51, and what only destroys: 73 92 */
	PV_AN_LOCKED,	  /* everything is refused */
};

enum pv_an_erase {
	PV_AN_ERASE_ALL,
	PV_AN_ERASE_BANK1,
	PV_AN_ERASE_BANK2,
};

enum pv_an_protect {
	PV_AN_SET_WRITE_PROTECTION, /* sector codes, replacing the old set */
	PV_AN_CLEAR_WRITE_PROTECTION,
	PV_AN_SET_READ_PROTECTION,
	PV_AN_CLEAR_READ_PROTECTION, /* erases flash, clears RAM */
};

/* A special command and its answer; AN3155 sections 3.14 and 3.15. */
#define PV_AN_SPECIAL_MAX     128U
#define PV_AN_EXT_SPECIAL_MAX 1024U
#define PV_AN_STATUS_MAX      16U
struct pv_an_special {
	uint8_t opcode; /* PV_AN_SPECIAL or PV_AN_EXT_SPECIAL */
	uint16_t sub;
	const uint8_t *data; /* 0..128 bytes */
	size_t len;
	const uint8_t *more; /* second packet of 0x51, 0..1024 bytes */
	size_t more_len;
	uint8_t out[PV_AN_SPECIAL_MAX]; /* not sent by 0x51 */
	size_t out_len;
	uint8_t status[PV_AN_STATUS_MAX];
	size_t status_len;
	bool restart; /* the part restarts after the answer */
};

/* How a command ended, for an account of the session. */
enum pv_an_end {
	PV_AN_END_OK,
	PV_AN_END_NACK,
	PV_AN_END_SILENT,   /* dropped without an answer */
	PV_AN_END_BAD_PAIR, /* two bytes that are no command: NACK */
};
struct pv_an_event {
	enum pv_an_end end;
	uint8_t opcode, second; /* the pair as it came */
	uint16_t sub;		/* of 0x50 and 0x51 */
	uint32_t addr;		/* 0 where the command has none */
	/* Bytes of Read, Write and the specials, words of Get Checksum, pages
	   of the erases, sector codes of Write Protect. */
	uint32_t count;
	uint32_t code; /* of a mass erase, 0xffff and so on; else 0 */
};

struct pv_an_control {
	void *ctx;
	void (*emit)(void *ctx, const uint8_t *data, size_t len);
	enum pv_an_lock (*lock)(void *ctx);
	int (*mass_erase)(void *ctx, enum pv_an_erase what);
	int (*protect)(
	    void *ctx, enum pv_an_protect what, const uint8_t *codes, size_t n);
	/* Erase all option bytes, then write these from the area's base. */
	int (*write_options)(void *ctx, const uint8_t *data, size_t len);
	void (*go)(void *ctx, uint32_t addr);
	/* The part restarts: called after the answer was emitted. */
	void (*restart)(void *ctx);
	/* NULL, or told of every sync (opcode and second 0x7f) and command. */
	void (*ended)(void *ctx, const struct pv_an_event *event);
};

/* Special commands; special.known NULL: the part has none. */
struct pv_an_specials {
	void *ctx;
	/* Is this subcommand answered while `lock` is in force? */
	bool (*known)(
	    void *ctx, uint8_t opcode, uint16_t sub, enum pv_an_lock lock);
	void (*run)(void *ctx, struct pv_an_special *s);
};

#define PV_AN_OPCODES 32U
struct pv_an_config {
	uint8_t version;    /* 0x31 is V3.1 */
	uint16_t device_id; /* 12 bits */
	size_t n_opcodes;
	uint8_t opcodes[PV_AN_OPCODES]; /* in the order Get lists them */
	uint32_t option_base;		/* 0: no option area */
	/* How parts differ. */
	bool double_nack;	 /* NACK twice when read protected (AN2606) */
	bool drop_long_list;	 /* OpenBL: an erase list longer than the
				     buffer loses its first pages; else NACK */
	bool two_banks;		 /* bank erase codes are known */
	bool fixed_crc;		 /* polynomial and initial value ignored */
	bool short_checksum;	 /* CRC right after the ACK of its last field */
	bool restart_on_protect; /* restarts after 63 and 73 as well */
	bool restart_before_ack; /* options, 63, 73: no last ACK comes */
	bool stray_zero;	 /* 0x00 before the ACK of the sync byte */
	bool silent_address;	 /* as before V3.1, whatever the version */
	bool reserved_kills;	 /* as before V2.2, whatever the version */
	bool no_mass_erase;	 /* NACK to the mass-erase codes */
	bool erase_before_ack;	 /* 92: ACK, erase, then ACK or NACK */
	bool refuses_all;	 /* NACK to every command */
	bool huge_sizes;	 /* counts of answers are as large as can be */
	bool special_one_ack;	 /* 51: one ACK for both packets */
};

/* Pages of one erase list: OpenBL's 1164 bytes less count and checksum. */
#define PV_AN_PAGES 581U
#define PV_AN_BUF   (PV_AN_EXT_SPECIAL_MAX + 3U)

struct pv_an {
	const struct pv_an_config *config;
	const struct pv_dev_memory *memory;
	const struct pv_an_control *control;
	const struct pv_an_specials *specials;

	void (*step)(struct pv_an *m); /* NULL: wait for the sync byte */
	bool running;		       /* Go: the line is the program's */
	size_t have, need;
	uint8_t opcode;
	uint32_t addr;
	uint8_t second;	     /* of the pair */
	uint32_t count;	     /* for pv_an_event */
	uint32_t code;	     /* for pv_an_event */
	uint32_t words;	     /* Get Checksum */
	uint32_t polynomial; /* Get Checksum */
	uint32_t left;	     /* erase list: pages still to come */
	uint32_t n_pages;
	uint8_t sum;
	uint16_t pages[PV_AN_PAGES];
	uint16_t sub;
	uint8_t first[PV_AN_SPECIAL_MAX]; /* first packet of 0x51 */
	size_t first_len;
	struct pv_an_special special;
	uint8_t buf[PV_AN_BUF];

	/* account, for tests and for `sim show` */
	uint32_t commands, nacks;
};

/* All pointers are borrowed for the life of the machine. */
void pv_an_init(struct pv_an *m, const struct pv_an_config *config,
    const struct pv_dev_memory *memory, const struct pv_an_control *control,
    const struct pv_an_specials *specials);

/* Back to power-on: not synced, nothing pending. */
void pv_an_reset(struct pv_an *m);

/* Bytes from the line, any number. */
void pv_an_feed(struct pv_an *m, const uint8_t *data, size_t len);

/* Part of a frame has come, and the rest is waited for. */
bool pv_an_mid_frame(const struct pv_an *m);

/*
 * The checksum of Get Checksum over whole 32-bit words: no reflection, no
 * final XOR, each word taken little-endian. `len` is a multiple of 4.
 */
uint32_t pv_an_crc(
    uint32_t crc, uint32_t polynomial, const uint8_t *data, size_t len);

#endif
