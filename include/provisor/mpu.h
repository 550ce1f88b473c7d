/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The chain ROM, TF-A, U-Boot of STM32MP devices as a host sees it, over a
 * serial line or USB DFU (ST AN5275; formats/mpu-boot.md). Each stage takes
 * over the link from the one before; the host asks which phase it is in
 * (GetPhase) and sends what it wants next. One session goes on over all
 * stages and restarts.
 *
 * Errors: PV_E_TIMEOUT (silent), PV_E_NACK (refused), PV_E_DEVICE (answers
 * that make no sense, an abort, another device), PV_E_LINK (gone),
 * PV_E_UNSUPPORTED (not what this stage can do), PV_E_INTERRUPTED. An abort has
 * vendor_code 0x5f. `e` must be given.
 */
#ifndef PROVISOR_MPU_H
#define PROVISOR_MPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/link.h>
#include <provisor/progress.h>
#include <provisor/usart.h>
#include <provisor/usb.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Partition and phase ids. */
enum pv_mpu_id {
	PV_MPU_LAYOUT = 0x00,
	PV_MPU_FSBL = 0x01, /* the ROM's */
	PV_MPU_DDR = 0x02,  /* MP2: DDR firmware, TF-A's */
	PV_MPU_SSBL = 0x03, /* SSBL or FIP, TF-A's */
	PV_MPU_USER_LAST = 0xf0,
	PV_MPU_COMMAND = 0xf1, /* USB: GetPhase and SetPhase */
	PV_MPU_OTP = 0xf2,
	PV_MPU_SSP = 0xf3,
	PV_MPU_PMIC = 0xf4,
	PV_MPU_END = 0xfe,
	PV_MPU_RESET = 0xff, /* about to reset; the text says why */
};

/* Chip ids, as Get ID and USB strings have them. */
#define PV_MPU_MP15 0x500U
#define PV_MPU_MP13 0x501U

enum pv_mpu_stage {
	PV_MPU_STAGE_UNKNOWN,
	PV_MPU_STAGE_ROM,
	PV_MPU_STAGE_TFA,
	PV_MPU_STAGE_TFA_SSP,
	PV_MPU_STAGE_UBOOT, /* or ST's PRGFW-UTIL */
};
/* "ROM", "TF-A", "TF-A SSP", "U-Boot", "unknown stage" */
const char *pv_mpu_stage_text(enum pv_mpu_stage stage);

#define PV_MPU_TEXT 256U

/* The answer to GetPhase. */
struct pv_mpu_phase {
	uint8_t id;
	uint32_t address; /* 0xffffffff: to non-volatile memory */
	uint32_t offset;  /* USB only */
	bool detach;	  /* USB: it waits for a detach */
	enum pv_mpu_stage stage;
	char text[PV_MPU_TEXT]; /* of phase 0xff, masked */
};

struct pv_mpu_alternate {
	uint8_t number;
	bool known; /* the name has a /0xID/ */
	uint8_t id;
	char text[PV_USB_TEXT]; /* masked */
};

/* What the present stage says of itself. */
struct pv_mpu_info {
	bool usb;
	uint16_t chip; /* 0: it did not say */
	/* serial line */
	uint8_t protocol; /* 0x40: 4.0 */
	size_t n_opcodes;
	uint8_t opcodes[64];
	size_t n_version;
	uint8_t version[8]; /* of the component, as it came */
	/* USB */
	char port[PV_USB_PORT];
	char serial[PV_USB_TEXT];  /* masked */
	char product[PV_USB_TEXT]; /* masked */
	uint16_t transfer_size;
	size_t n_alternates;
	struct pv_mpu_alternate alternates[PV_USB_ALTS];
};

/* Bytes of a partition, read as they are sent. */
struct pv_mpu_source {
	void *ctx;
	uint64_t size;
	int (*read)(void *ctx, uint64_t off, uint8_t *data, size_t len,
	    struct pv_error *e);
};
/* Over memory: ctx of *ret_s is `data`, which is borrowed. */
void pv_mpu_memory(const void *data, size_t len, struct pv_mpu_source *ret_s);

struct pv_mpu_counters {
	unsigned int retries;
	uint64_t sent;	       /* bytes of partitions */
	uint64_t wire;	       /* serial line: all bytes, both ways */
	uint64_t transfers;    /* USB */
	unsigned int restarts; /* it came back after a reset or detach */
};

/* A session of either kind. */
struct pv_mpu {
	void *ctx;
	/* Borrowed, of the stage that answered last. */
	const struct pv_mpu_info *(*info)(void *ctx);
	const struct pv_mpu_counters *(*counters)(void *ctx);
	/* A device that answers phase 0xff resets afterwards. */
	int (*phase)(
	    void *ctx, struct pv_mpu_phase *ret_phase, struct pv_error *e);
	/*
	 * Send all of a partition and end it: Start on a line, manifestation
	 * on USB. PV_MPU_OTP and PV_MPU_PMIC burn what was sent. That the
	 * device acknowledged is no success: ask for the phase.
	 */
	int (*download)(void *ctx, uint8_t id, const struct pv_mpu_source *src,
	    const char *step, struct pv_error *e);
	/*
	 * At most `cap` bytes of a partition from its begin. Short answers end
	 * it on USB; a serial line fills with zeros. PV_MPU_SSP gives the
	 * certificate, on USB with the 9 bytes before it.
	 */
	int (*read)(void *ctx, uint8_t id, uint8_t *data, size_t cap,
	    size_t *ret_len, struct pv_error *e);
	/* Go on: USB detach; on a line the Start of an ended session. */
	int (*leave)(void *ctx, struct pv_error *e);
	/*
	 * Wait until a stage answers: the next one, or the ROM after a
	 * restart: *ret_restarted.
	 */
	int (*next)(
	    void *ctx, int timeout_ms, bool *ret_restarted, struct pv_error *e);
	void (*free)(void *ctx);
};
/* Ends the session and empties the struct; an empty one is allowed. */
void pv_mpu_release(struct pv_mpu *m);

/*
 * Over a serial line: synchronize, Get, Get version, Get ID. The link is
 * borrowed. A device that has no GetPhase is no STM32MP: PV_E_UNSUPPORTED.
 */
PV_MUST_USE int pv_mpu_uart_open(const struct pv_link *link,
    const struct pv_progress *progress, const struct pv_reset *reset,
    struct pv_mpu *ret_m, struct pv_error *e);

/* Do the descriptors look like an STM32MP? Asks for strings. */
bool pv_mpu_usb_is(struct pv_usb *usb);
/* Over USB; `usb` is borrowed. */
PV_MUST_USE int pv_mpu_dfu_open(struct pv_usb *usb,
    const struct pv_progress *progress, struct pv_mpu *ret_m,
    struct pv_error *e);

/* The alternate setting with this id, or NULL. */
const struct pv_mpu_alternate *pv_mpu_find(
    const struct pv_mpu_info *info, uint8_t id);

/*
 * Read the OTP structure (formats/otp_partition.md) of a U-Boot stage: as long
 * as its version says. `data` has PV_MPU_OTP_MAX bytes.
 */
#define PV_MPU_OTP_MAX 4096U
PV_MUST_USE int pv_mpu_read_otp(
    const struct pv_mpu *m, uint8_t *data, size_t *ret_len, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
