/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Boot images of STM32MP and STM32N6: making, signing, verifying. The header
 * is formats/stm32_image.h; its rules are in formats/stm32_image.md.
 */
#ifndef PV_IMAGE_STM32_H
#define PV_IMAGE_STM32_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/stm32_image.h"

#define PV_STM32_PAYLOAD_MAX (64U << 20) /* bytes, our limit */
#define PV_STM32_NO_LOAD     0xFFFFFFFFU /* v2.3: not loaded to an address */

struct pv_stm32_image {
	struct pv_stm32_header h;
	uint8_t *payload; /* as stored: encrypted when the header says so */
	size_t len;
	uint8_t *padding; /* filler that was read; h.padding borrows it */
	bool headed;	  /* it had a header when it was read */
};
void pv_stm32_release(struct pv_stm32_image *m);

/* A whole image; checks what pv_stm32_validate does, and the checksum
 * (PV_E_VERIFY). */
PV_MUST_USE int pv_stm32_read(
    const char *path, struct pv_stm32_image *ret_m, struct pv_error *e);
/* An image, or firmware that is to become one: ELF, HEX, or raw bytes. Entry
 * and load address are set where the file knows them (has_*). */
struct pv_stm32_source {
	bool has_entry, has_load;
	uint32_t entry, load;
};
PV_MUST_USE int pv_stm32_load(const char *path, struct pv_stm32_image *ret_m,
    struct pv_stm32_source *ret_s, struct pv_error *e);

/* --- making one ------------------------------------------------------------------ */

/* Zeros before the payload and after it: code starts at a multiple of `align`
 * in the file, and the payload's length is a multiple of `tail`. */
PV_MUST_USE int pv_stm32_align(struct pv_stm32_image *m, uint32_t align,
    uint32_t tail, struct pv_error *e);
/* The usual padding extension, so that the header has its usual length. */
void pv_stm32_pad_header(struct pv_stm32_header *h);
/*
 * The key of the signature. v1 has one; v2 a table of `n`, of which number
 * `index` signs.
 */
PV_MUST_USE int pv_stm32_set_keys(struct pv_stm32_header *h,
    const uint8_t (*points)[64], uint32_t n, uint32_t index,
    struct pv_error *e);
/* Encrypt the payload with a key derived from `edmk` (16 or 32 bytes). */
PV_MUST_USE int pv_stm32_encrypt(struct pv_stm32_image *m, const uint8_t *edmk,
    size_t edmk_len, uint32_t constant, struct pv_error *e);
/* The plain payload in its place; PV_E_VERIFY when its hash differs. */
PV_MUST_USE int pv_stm32_decrypt(struct pv_stm32_image *m, const uint8_t *edmk,
    size_t edmk_len, struct pv_error *e);
/* Length and checksum; PV_E_RANGE past `slot` bytes (0: any) in all. */
PV_MUST_USE int pv_stm32_finish(
    struct pv_stm32_image *m, uint32_t slot, struct pv_error *e);

/* What is signed, in three parts, and SHA-256 of it. `ret_parts` borrows
 * `head` and m. */
struct pv_part;
PV_MUST_USE int pv_stm32_signed(const struct pv_stm32_image *m,
    uint8_t head[PV_STM32_HEADER_MAX], struct pv_part *ret_parts,
    uint8_t ret_digest[32], struct pv_error *e);
PV_MUST_USE int pv_stm32_write(
    const struct pv_stm32_image *m, const char *path, struct pv_error *e);

/* --- checking one ------------------------------------------------------------------ */

/*
 * Signature by the key in the header, and that key in the header's table.
 * PV_E_VERIFY; PV_E_UNSUPPORTED for other curves than P-256.
 */
PV_MUST_USE int pv_stm32_verify(
    const struct pv_stm32_image *m, struct pv_error *e);

/* --- key hashes -------------------------------------------------------------------- */

/* Of one key: SHA-256(X, Y) in v1, SHA-256(algorithm, X, Y) later. */
PV_MUST_USE int pv_stm32_key_hash(uint32_t version, uint32_t algorithm,
    const uint8_t point[64], uint8_t ret_hash[32], struct pv_error *e);
/* Of a table: SHA-256 of its hashes. */
PV_MUST_USE int pv_stm32_table_hash(const uint8_t (*hashes)[32], uint32_t n,
    uint8_t ret_hash[32], struct pv_error *e);
/* What the OTP words of a device hold: the first or the second. */
PV_MUST_USE int pv_stm32_trust_hash(
    const struct pv_stm32_header *h, uint8_t ret_hash[32], struct pv_error *e);

/* AES-128 key of the FSBL from the master key in the OTP words. */
PV_MUST_USE int pv_stm32_fsbl_key(const uint8_t *edmk, size_t edmk_len,
    uint32_t constant, uint8_t ret_key[16], struct pv_error *e);

#endif
