/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of images that the ROM of an STM32MP or STM32N6 boots, as in
 * stm32_image.md: v1.0, v2.0, v2.2 and v2.3. No I/O, no cryptography.
 */
#ifndef PV_STM32_IMAGE_H
#define PV_STM32_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_STM32_V1_0 0x00010000U /* STM32MP15 */
#define PV_STM32_V2_0 0x00020000U /* STM32MP13 */
#define PV_STM32_V2_2 0x00020200U /* STM32MP2 */
#define PV_STM32_V2_3 0x00020300U /* STM32N6 */

#define PV_STM32_HEADER_MIN 128U  /* enough for detect */
#define PV_STM32_HEADER_MAX 4096U /* with all extensions, our limit */
#define PV_STM32_KEYS	    8U	  /* entries of the table of key hashes */
#define PV_STM32_POINT	    96U	  /* longest public key, X then Y */
#define PV_STM32_SIG	    96U	  /* longest signature, r then s */

/* v1.0, option flags. */
#define PV_STM32_NO_SIGNATURE 0x00000001U
/* v2, extension flags. */
#define PV_STM32_AUTH	      0x00000001U
#define PV_STM32_ENCRYPT      0x00000002U
#define PV_STM32_PADDING      0x80000000U

#define PV_STM32_P256	   1U /* ECDSA algorithms */
#define PV_STM32_BRAINPOOL 2U /* brainpoolP256t1 */

struct pv_stm32_header {
	uint32_t version;
	uint8_t signature[PV_STM32_SIG]; /* 64 bytes before v2.3 */
	uint32_t checksum;		 /* sum of the payload's bytes */
	uint32_t length;		 /* of the payload */
	uint32_t entry, load;
	uint32_t reserved[2]; /* at 0x54 and 0x5C of v1; zero */
	uint32_t image_version;
	uint32_t flags; /* v1: option flags, v2: extension flags */
	uint32_t type;	/* binary type; one byte in v1 */

	/* v1, or the authentication extension of v2 */
	uint32_t algorithm;
	uint8_t public_key[PV_STM32_POINT]; /* 64 bytes before v2.3 */
	uint32_t key_index, key_count;
	uint8_t key_hashes[PV_STM32_KEYS][32];

	/* the encryption extension */
	uint32_t key_bits, derivation;
	uint8_t plain_hash[16]; /* of SHA-256 of the plain payload */

	/* the padding extension: filler, borrowed; NULL encodes zeros */
	const uint8_t *padding;
	uint32_t padding_len;

	/* v2.2 and later: the non-secure payload */
	uint32_t ns_length, ns_hash;
};

/* Does it begin like an image of one of the versions? At least
 * PV_STM32_HEADER_MIN bytes. */
bool pv_stm32_detect(const void *data, size_t len);

/*
 * The header from the start of a file; bytes after it are not looked at.
 * What is not there is zero in *ret_h.
 */
PV_MUST_USE int pv_stm32_decode(const uint8_t *data, size_t len,
    struct pv_stm32_header *ret_h, struct pv_error *e);
/*
 * Meaning: reserved fields are zero, algorithm, key count and index are
 * known, a payload is there, and header and payload are `file_size` bytes.
 */
PV_MUST_USE int pv_stm32_validate(
    const struct pv_stm32_header *h, uint64_t file_size, struct pv_error *e);
/* *len is the room, then pv_stm32_header_len. */
PV_MUST_USE int pv_stm32_encode(const struct pv_stm32_header *h, uint8_t *dst,
    size_t *len, struct pv_error *e);

/* Bytes before the payload. */
uint32_t pv_stm32_header_len(const struct pv_stm32_header *h);
/* Bytes of a signature and of a public key in this version: 64 or 96. */
size_t pv_stm32_sig_room(uint32_t version);

/*
 * What is signed of the encoded header, besides the whole payload: a first
 * range, and in v2.3 a second one (else of length zero).
 */
struct pv_stm32_range {
	uint32_t start, len;
};
void pv_stm32_signed_ranges(
    const struct pv_stm32_header *h, struct pv_stm32_range ret_range[2]);

/* Continue the checksum `sum` (0 at first) over more of the payload. */
uint32_t pv_stm32_checksum(uint32_t sum, const void *data, size_t len);

/* Is there a signature that the ROM would look at? */
bool pv_stm32_is_signed(const struct pv_stm32_header *h);

/* "v2.0 (STM32MP13)"; NULL when the version is not known. */
const char *pv_stm32_version_name(uint32_t version);
/* "TF-A" and so on; NULL when the binary type has no name. */
const char *pv_stm32_type_name(uint32_t type);
/* "ECDSA P-256"; NULL when the algorithm is not known. */
const char *pv_stm32_algorithm_name(uint32_t algorithm);

#endif
