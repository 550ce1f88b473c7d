/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OTP structure that U-Boot shows as partition 0xF2 of an STM32MP, as in
 * otp_partition.md: version 1 (TF-A's service), 2 (OP-TEE on MP1), 3 (MP2).
 * Written back whole, it burns what was changed in it: so one that was read
 * is changed word by word, and nothing else of it. No I/O.
 */
#ifndef PV_OTP_PARTITION_H
#define PV_OTP_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_OTP_V1_LEN	 1024U
#define PV_OTP_V2_LEN	 776U  /* 96 words */
#define PV_OTP_V3_LEN	 2952U /* 368 words, U-Boot */
#define PV_OTP_V3_LEN_ST 3112U /* 384 words and a hash, PRGFW-UTIL */
#define PV_OTP_LEN_MAX	 4096U
#define PV_OTP_WORDS_MAX 384U
#define PV_OTP_LOWER	 32U /* words whose bits can be burnt one by one */

/* State of a word, whatever the version. */
enum pv_otp_flag {
	PV_OTP_PERMANENT_LOCK = 0x01,
	PV_OTP_PROGRAM_LOCK = 0x02, /* until the next reset */
	PV_OTP_SHADOW_WRITE_LOCK = 0x04,
	PV_OTP_SHADOW_READ_LOCK = 0x08,
	PV_OTP_LOCK_ERROR = 0x10,
	PV_OTP_READ_ERROR = 0x20,
	PV_OTP_DISTURBED = 0x40,
};

enum pv_otp_chip_state {
	PV_OTP_OPEN,
	PV_OTP_CLOSED,
	PV_OTP_INVALID,
	PV_OTP_NOT_SAID, /* version 1 has no such field */
};

struct pv_otp {
	uint32_t version;
	size_t n_words;
	size_t len;
	uint8_t raw[PV_OTP_LEN_MAX]; /* as read, with the changes */
	bool changed[PV_OTP_WORDS_MAX];
};

/* PV_E_UNSUPPORTED for another version, PV_E_MALFORMED for a wrong length. */
PV_MUST_USE int pv_otp_decode(const uint8_t *data, size_t len,
    struct pv_otp *ret_otp, struct pv_error *e);
/* The bytes to write back: raw, and what was changed. */
PV_MUST_USE int pv_otp_encode(const struct pv_otp *otp, uint8_t *dst,
    size_t cap, size_t *ret_len, struct pv_error *e);

/* word < n_words */
uint32_t pv_otp_value(const struct pv_otp *otp, size_t word);
unsigned int pv_otp_flags(const struct pv_otp *otp, size_t word);
enum pv_otp_chip_state pv_otp_chip(const struct pv_otp *otp);

/*
 * Mark a word for burning, and for its permanent lock. PV_E_POLICY, and
 * nothing is changed: locked, in error, bits that would have to go back to 0,
 * or an upper word that is not blank. Value and lock as they are: no change.
 */
PV_MUST_USE int pv_otp_set(struct pv_otp *otp, size_t word, uint32_t value,
    bool lock, struct pv_error *e);
/* Words marked so far. */
size_t pv_otp_changes(const struct pv_otp *otp);

#endif
