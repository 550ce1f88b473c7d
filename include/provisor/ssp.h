/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .ssp packages: OEM secrets for the OTP words of STM32MP15 and STM32MP13,
 * sealed with the key and nonce that a license carries. The byte layout and
 * what is known of it is in formats/ssp.md.
 */
#ifndef PROVISOR_SSP_H
#define PROVISOR_SSP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/keystore.h>
#include <provisor/secret.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_SSP_MAGIC	   "SSPP"
#define PV_SSP_MP15_LEN	   244U /* bytes of a file for STM32MP15 */
#define PV_SSP_MP13_LEN	   212U /* the same for STM32MP13 */
#define PV_SSP_MAX	   PV_SSP_MP15_LEN
#define PV_SSP_LICENSE_LEN 136U /* goes before the file, to the device */
#define PV_SSP_BLOB_MAX	   (PV_SSP_LICENSE_LEN + PV_SSP_MAX)
#define PV_SSP_TAG	   16U
#define PV_SSP_NONCE	   16U
#define PV_SSP_PLAIN_MIN   8U	/* the RMA word and one word */
#define PV_SSP_PLAIN_MAX   152U /* the RMA word and 37 words */
#define PV_SSP_SECRETS_MAX 148U

/* OTP words that an install writes. */
#define PV_SSP_OTP_ROOT	   24U /* 24..31: PKH or PKHTH */
#define PV_SSP_OTP_RMA	   56U
#define PV_SSP_OTP_SECRETS 59U /* 59..95 */
#define PV_SSP_OTP_LAST	   95U

enum pv_ssp_chip {
	PV_SSP_MP15 = 1,
	PV_SSP_MP13 = 2,
};

struct pv_ssp {
	enum pv_ssp_chip chip;
	/*
	 * STM32MP15: the OEM's root public key, X then Y. STM32MP13: the hash of
	 * the table of eight key hashes (32 bytes), then zeros.
	 */
	uint8_t root[64];
	uint32_t size; /* bytes encrypted: PV_SSP_PLAIN_MIN .. _MAX, by 4 */
	uint8_t tag[PV_SSP_TAG];
	uint8_t encrypted[PV_SSP_PLAIN_MAX]; /* zeros behind `size` */
};

/* Do these bytes begin like a .ssp file? A shorter one does not. */
bool pv_ssp_is(const uint8_t *data, size_t len);

/*
 * Length, magic, version, size and unused bytes are checked; the length tells
 * the chip. PV_E_MALFORMED, or PV_E_UNSUPPORTED for another version.
 */
PV_MUST_USE int pv_ssp_decode(const uint8_t *data, size_t len,
    struct pv_ssp *ret_ssp, struct pv_error *e);
/* pv_ssp_len(ssp->chip) bytes. Refuses what pv_ssp_decode would refuse. */
PV_MUST_USE int pv_ssp_encode(const struct pv_ssp *ssp,
    uint8_t ret_data[PV_SSP_MAX], size_t *ret_len, struct pv_error *e);

/* Bytes of a file, of the authenticated header, and of what the device is
 * sent (a license, then the file): 244, 76, 380 or 212, 44, 348. */
size_t pv_ssp_len(enum pv_ssp_chip chip);
size_t pv_ssp_header_len(enum pv_ssp_chip chip);
size_t pv_ssp_blob_len(enum pv_ssp_chip chip);
/* Bytes of `root` that count: 64 or 32. */
size_t pv_ssp_root_len(enum pv_ssp_chip chip);

/* "stm32mp15", "stm32mp13". */
const char *pv_ssp_chip_name(enum pv_ssp_chip chip);
/* A name that begins so, such as stm32mp157c; anything else is PV_E_USAGE. */
PV_MUST_USE int pv_ssp_chip_parse(
    const char *text, enum pv_ssp_chip *ret_chip, struct pv_error *e);
/* By the first three characters of a product id: "500", "501". False when it
 * is neither; then *ret_chip is untouched. */
bool pv_ssp_chip_of_product(const char *product_id, enum pv_ssp_chip *ret_chip);

/* Read a whole file and decode it; the message names the path. *ret_data (may
 * be NULL) gets the bytes as they are, pv_ssp_len of them. */
PV_MUST_USE int pv_ssp_read(const char *path, struct pv_ssp *ret_ssp,
    uint8_t ret_data[PV_SSP_MAX], struct pv_error *e);

/* --- root keys -------------------------------------------------------------- */

/* The root key of a STM32MP15: a PEM file with a P-256 public key. Another
 * curve is PV_E_UNSUPPORTED. */
PV_MUST_USE int pv_ssp_root_key(
    const char *pem, uint8_t ret_root[64], struct pv_error *e);
/* PKHTH of STM32MP13 from its eight keys in order, on P-256 or
 * brainpoolP256t1; 32 bytes, then zeros. */
#define PV_SSP_TABLE_KEYS 8U
PV_MUST_USE int pv_ssp_root_table(const char *const pems[PV_SSP_TABLE_KEYS],
    uint8_t ret_root[64], struct pv_error *e);
/* What OTP words 24..31 become. PV_E_VERIFY when the root key of a STM32MP15
 * is no point of P-256. */
PV_MUST_USE int pv_ssp_otp_root(
    const struct pv_ssp *ssp, uint32_t ret_words[8], struct pv_error *e);

/* --- sealing and opening ----------------------------------------------------- */

/* Everything is borrowed for the call. */
struct pv_ssp_pack {
	enum pv_ssp_chip chip;
	uint8_t root[64];
	/* RMA word and secrets: PV_SSP_PLAIN_MIN .. _MAX bytes, by 4. */
	const struct pv_secret *plain;
	const struct pv_sealer *sealer;
	uint8_t nonce[PV_SSP_NONCE];
	unsigned int iv_len; /* of the profile: 16, or 12 of the nonce */
	/* As in struct pv_sfi_pack; both may be NULL. */
	const char *record_dir;
	const char *nonce_path;
};
/*
 * Seal into a file. Key and IV that sealed other content before are
 * PV_E_REUSE, and nothing is written.
 */
PV_MUST_USE int pv_ssp_pack(const struct pv_ssp_pack *p, const char *path,
    struct pv_ssp *ret_ssp, struct pv_error *e);

/*
 * Check the tag (PV_E_VERIFY) and give RMA word and secrets, ssp->size bytes;
 * the caller frees them.
 */
PV_MUST_USE int pv_ssp_open(const struct pv_ssp *ssp,
    const struct pv_sealer *sealer, const uint8_t nonce[PV_SSP_NONCE],
    unsigned int iv_len, struct pv_secret **ret_plain, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
