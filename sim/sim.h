/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual chip: a folder that holds everything a part keeps without
 * power, and the bootloader (device/) run on it behind a pseudo-terminal.
 *
 *   flash.bin        internal flash from its first address
 *   ram.bin          the RAMs one after the other
 *   options.bin      the option area as the USART bootloader sees it
 *   otp.bin          the one-time programmable bytes; empty without any
 *   external.bin     the flash outside of the part, when it has one
 *   certificate.bin  136 bytes
 *   chip.key         the chip's private key, PEM, mode 0600
 *   state.json       the rest; replaced as a whole at every change
 *
 * An STM32MP has no flash, RAM and option files; sim/mpu.h has what it has.
 *
 * Every change is on disk before the next byte is looked at, so that killing
 * the process is what a power cut is to a part.
 */
#ifndef PV_SIM_H
#define PV_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "device/agent.h"
#include "device/an3155.h"
#include "device/mpu.h"
#include "sim/wire.h"
#include <provisor/chip.h>
#include <provisor/err.h>

#define PV_SIM_PATH	       1024U
#define PV_SIM_CERT	       136U
#define PV_SIM_OPTION_WORDS    32U
#define PV_SIM_FLASH_MAX       (64U << 20) /* bytes of flash, our limit */
#define PV_SIM_RAM_MAX	       (64U << 20)
#define PV_SIM_OPTIONS_MAX     4096U
#define PV_SIM_OTP_MAX	       65536U
#define PV_SIM_EXTERNAL_MAX    (64U << 20)
#define PV_SIM_EXTERNAL_SECTOR 4096U
#define PV_SIM_EXTERNAL_UNIT   16U
#define PV_SIM_MODULES	       8U /* whose headers are kept */
#define PV_SIM_MODULE	       48U
#define PV_SIM_SECTORS	       4096U /* that erases are counted for */
#define PV_SIM_PROFILE	       128U
#define PV_SIM_SECTOR_CODES    256U /* sector codes of 0x63 are bytes */

/* What state.json says. */
struct pv_sim_state {
	char chip[PV_SIM_PATH]; /* name or path, for pv_chip_load */
	char product_id[9];
	char ssp_profile[PV_SIM_PROFILE]; /* of an STM32MP; else "" */
	bool agent;		 /* the install agent is in the bootloader */
	bool allow_irreversible; /* option bytes may lock the chip for good */
	unsigned int rdp;	 /* 0, 1, 2 */
	uint8_t write_protected[PV_SIM_SECTOR_CODES / 8];
	size_t n_option_words; /* 0 until an install set them */
	uint32_t option_words[PV_SIM_OPTION_WORDS];
	bool pinned; /* campaign_key holds SHA-256 of the key's 64 bytes */
	uint8_t campaign_key[32];
	enum pv_agent_iv_add iv_add;
	uint8_t note[PV_AGENT_NOTE_LEN]; /* install mark, device/agent.h */
	uint32_t external_base, external_size; /* size 0: no such flash */
	size_t n_modules; /* headers of the modules in flash */
	uint8_t modules[PV_SIM_MODULES][PV_SIM_MODULE];
	bool running; /* Go was used; until the next start */
	uint32_t running_at;
	uint64_t starts;
	uint64_t installs; /* finished */
	uint64_t failures; /* installs failed, power cuts included */
	/* The account of the line, since the chip was made. */
	uint64_t received, sent; /* bytes */
	uint64_t commands;
	uint64_t nacks;
	uint64_t syncs;
	uint64_t retries;  /* two equal commands in a row */
	uint64_t overruns; /* bytes lost in the receiver */
	uint64_t programs; /* write units programmed */
	uint64_t rewrites; /* write units that were not erased before */
	uint32_t erases[PV_SIM_SECTORS]; /* by sector number */
};

/* install.c: how the last secure install ended, from the note */
enum pv_agent_note pv_sim_install_state(const struct pv_sim_state *state);
/* "never", "under way: erased at the next start", ...; never NULL. */
const char *pv_sim_install_name(enum pv_agent_note install);

/* memory.c: bytes from the first to the last flash address */
uint64_t pv_sim_flash_span(const struct pv_chip *chip);

/* state.c */
/* The text of state.json. */
PV_MUST_USE int pv_sim_state_parse(const char *text, size_t len,
    struct pv_sim_state *ret_state, struct pv_error *e);
PV_MUST_USE int pv_sim_state_read(
    const char *dir, struct pv_sim_state *ret_state, struct pv_error *e);
PV_MUST_USE int pv_sim_state_write(
    const char *dir, const struct pv_sim_state *state, struct pv_error *e);
/* The counters as members of a JSON object. */
struct pv_json;
void pv_sim_state_counters(
    const struct pv_sim_state *state, struct pv_json *obj);

/* create.c */
struct pv_sim_create {
	const char *dir;
	const struct pv_chip *chip;
	const char *chip_name;	  /* as given, kept for the next start */
	const char *ca_dir;	  /* ca.pem and ca.key, made when missing */
	const char *product_id;	  /* NULL: from the chip description */
	const char *campaign_key; /* PEM file to pin, or NULL */
	bool agent;
	bool allow_irreversible;
	enum pv_agent_iv_add iv_add;
	unsigned int rdp;		       /* 0, 1, 2 */
	uint32_t external_base, external_size; /* size 0: no such flash */
	/* of an STM32MP */
	bool closed;
	const char *ssp_profile; /* or NULL */
	const char **otp;	 /* NULL-terminated "WORD=VALUE", or NULL */
};
/* Make a new chip; a folder that holds one already is PV_E_EXISTS. */
PV_MUST_USE int pv_sim_create(const struct pv_sim_create *c,
    struct pv_sim_state *ret_state, struct pv_error *e);

/* quirks.c: how USART bootloaders differ; man/provisor-sim.1 lists them */
enum pv_sim_quirk {
	PV_SIM_Q_STRAY_ZERO,
	PV_SIM_Q_DOUBLE_NACK,
	PV_SIM_Q_SILENT_BAD_ADDRESS,
	PV_SIM_Q_RESERVED_KILLS,
	PV_SIM_Q_DROP_LONG_LIST,
	PV_SIM_Q_NO_MASS_ERASE,
	PV_SIM_Q_RESTART_AFTER_PROTECT,
	PV_SIM_Q_RESTART_BEFORE_ACK,
	PV_SIM_Q_UNPROTECT_ERASES_FIRST,
	PV_SIM_Q_UNPROTECT_FAILS,
	PV_SIM_Q_CHECKSUM,
	PV_SIM_Q_CHECKSUM_ONE_ACK,
	PV_SIM_Q_CHECKSUM_FIXED,
	PV_SIM_Q_SPECIAL_ONE_ACK,
	PV_SIM_Q_ECC_DAMAGE,
	PV_SIM_Q_EMPTY_CHECK,
	PV_SIM_Q_BYTE_TIMEOUT,
	PV_SIM_Q_REFUSES_ALL,
	PV_SIM_Q_HUGE_SIZES,
	PV_SIM_Q_OTHER_ID,
	PV_SIM_Q_MAILBOX_LOST,
	PV_SIM_Q_ROM_ABORT,
	PV_SIM_Q_SIGNED_LOADER,
	PV_SIM_QUIRKS,
};
/* The i-th name and what it does; NULL after the last. */
const char *pv_sim_quirk_name(unsigned int i, const char **ret_what);
PV_MUST_USE int pv_sim_quirk_parse(
    const char *name, enum pv_sim_quirk *ret_quirk, struct pv_error *e);
/* Those of a description, as bits 1 << enum pv_sim_quirk. */
uint32_t pv_sim_quirks_of(const struct pv_chip *chip);

/* chip.c: a chip under power */
struct pv_sim;

/* How a chip behaves in one run; all zero: as its description says. */
struct pv_sim_setup {
	uint32_t quirks;     /* all of them: start from pv_sim_quirks_of */
	double time_scale;   /* of the times of flash; 0: they take none */
	bool boot0_low;	     /* the boot pins choose the main flash */
	const char *go_text; /* what a started program says, or NULL */
	FILE *transcript;    /* a line per command, or NULL; borrowed */
	uint64_t seed;	     /* of torn writes */
	/* of an STM32MP */
	bool usb;	     /* it boots from USB */
	bool has_generation; /* of TF-A, whatever the image says */
	enum pv_mp_generation generation;
	uint64_t nack_at, abort_at; /* the N-th ACK becomes this; 0: none */
};

/* What an STM32MP does with the receiver of its UART; either may be NULL. */
struct pv_sim_receiver {
	void (*flush)(void *line); /* what has come is thrown away */
	int64_t (*now_ns)(void *line);
};

/*
 * Lock the folder (PV_E_LINK when another process runs this chip), map its
 * memories, and start: an install cut off by the loss of power is erased
 * before anything else. `chip` is borrowed.
 */
PV_MUST_USE int pv_sim_open(const char *dir, const struct pv_chip *chip,
    struct pv_sim **ret_sim, struct pv_error *e);
/* The same with other behavior; `setup` is copied. */
PV_MUST_USE int pv_sim_open_as(const char *dir, const struct pv_chip *chip,
    const struct pv_sim_setup *setup, struct pv_sim **ret_sim,
    struct pv_error *e);
/* Bytes from the host. */
void pv_sim_feed(struct pv_sim *sim, const uint8_t *data, size_t len);
/* Answers waiting to be sent; borrowed until the next feed. */
const uint8_t *pv_sim_output(const struct pv_sim *sim, size_t *ret_len);
void pv_sim_output_clear(struct pv_sim *sim);
/* Answers go to `emit` as they are made, restarts are told. */
void pv_sim_connect(struct pv_sim *sim, void *ctx,
    void (*emit)(void *ctx, const uint8_t *data, size_t len),
    void (*restarted)(void *ctx));
void pv_sim_connect_receiver(
    struct pv_sim *sim, const struct pv_sim_receiver *receiver);
/* Time spent in flash since the start, nanoseconds of the part. */
int64_t pv_sim_busy_ns(const struct pv_sim *sim);
bool pv_sim_synced(const struct pv_sim *sim);
bool pv_sim_mid_frame(const struct pv_sim *sim);
void pv_sim_overrun(struct pv_sim *sim); /* count one */
/* The reset pin: restart. */
void pv_sim_reset(struct pv_sim *sim);
/* How long the rest of a frame is waited for; 0: as the line is set up. */
int64_t pv_sim_patience_ns(const struct pv_sim *sim);
/* That time is over: a microcontroller restarts. */
void pv_sim_expired(struct pv_sim *sim);
/*
 * The power goes in the midst of the next flash operation, or after this call
 * of pv_sim_feed: an erased sector is in part old, erased and garbage, one
 * write unit is torn, and nothing after that changes anything on disk.
 */
void pv_sim_power_cut(struct pv_sim *sim);
/* Write the counters to state.json. */
PV_MUST_USE int pv_sim_sync(struct pv_sim *sim, struct pv_error *e);
/* 0, or the fault that stopped the chip (its folder cannot be written). */
PV_MUST_USE int pv_sim_fault(const struct pv_sim *sim, struct pv_error *e);
const struct pv_sim_state *pv_sim_state(const struct pv_sim *sim);
/* Write the counters and let go of everything; NULL is allowed. */
void pv_sim_close(struct pv_sim *sim);

/*
 * install.c: the read protection level 0, 1, 2 that the option words of a C
 * area ask for; 2 cannot be undone. -1 where the words of the family are not
 * known to us.
 */
int pv_sim_options_level(
    const struct pv_chip *chip, const uint32_t *words, size_t n);

/* line.c */
struct pv_sim_line {
	const char *link;	    /* symbolic link to make */
	struct pv_wire_config wire; /* all zero: as fast as can be */
	bool baud_of_port; /* the rate is what the client sets its end to */
	struct pv_wire_noise noise;
	bool has_unplug;
	uint64_t unplug; /* hang up after this many bytes */
	bool has_powercut;
	uint64_t powercut; /* lose power after this many bytes */
	bool has_reset;
	uint64_t reset_at;	    /* reset the part after this many bytes */
	uint64_t nack_at, abort_at; /* for pv_sim_setup */
	/* Called once when the link is there. */
	void (*ready)(void *ctx, const char *pty);
	void *ctx;
};
enum pv_sim_end {
	PV_SIM_STOPPED,	  /* SIGTERM, SIGINT or SIGHUP; SIGUSR1 resets */
	PV_SIM_UNPLUGGED, /* as the fault said */
	PV_SIM_POWERCUT,  /* leave the process at once, without clean-up */
};
/* faults.c: "unplug@N,drop=P,..."; PV_E_USAGE for anything unknown. */
PV_MUST_USE int pv_sim_faults_parse(
    const char *text, struct pv_sim_line *line, struct pv_error *e);
PV_MUST_USE int pv_sim_serve(struct pv_sim *sim, const struct pv_sim_line *line,
    enum pv_sim_end *ret_end, struct pv_error *e);

/* ca.c: the authority that signs virtual chips' certificates */
struct pv_ec_key;
PV_MUST_USE int pv_sim_ca_open(
    const char *dir, struct pv_ec_key **ret_key, struct pv_error *e);
/* Product id, X, Y; then r, s of ECDSA over SHA-256 of those 72 bytes. */
PV_MUST_USE int pv_sim_certificate(const struct pv_ec_key *ca,
    const char *product_id, const uint8_t public_key[64],
    uint8_t ret_cert[PV_SIM_CERT], struct pv_error *e);

/* crypto.c: the agent's cryptography over src/crypto and the chip's key */
struct pv_sim_crypto;
PV_MUST_USE int pv_sim_crypto_new(struct pv_ec_key *chip_key,
    struct pv_sim_crypto **ret_c, struct pv_agent_crypto *ret_ops,
    struct pv_error *e);
void pv_sim_crypto_free(struct pv_sim_crypto *c); /* and the chip key */

#endif
