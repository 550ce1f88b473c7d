/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of debug authentication (ADAC) as ST's devices take them:
 * chains of P-256 certificates, as in adac.md. No I/O, no cryptography.
 */
#ifndef PV_ADAC_H
#define PV_ADAC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_ADAC_CERT   220U  /* bytes of a certificate, with type and length */
#define PV_ADAC_TBS    148U  /* bytes of it that are signed, */
#define PV_ADAC_TBS_AT 8U    /* from here */
#define PV_ADAC_SIG_AT 156U  /* where the signature is */
#define PV_ADAC_LEVELS 8U    /* certificates of a chain, our limit */
#define PV_ADAC_FILE   4096U /* bytes of a file with a chain, our limit */
#define PV_ADAC_MASK   16U   /* bytes of a permission mask, little-endian */

enum pv_adac_role {
	PV_ADAC_ROOT = 1,
	PV_ADAC_INTERMEDIATE = 2,
	PV_ADAC_LEAF = 3,
};

struct pv_adac_cert {
	uint8_t major, minor;	/* 1, 0 */
	uint8_t signature_type; /* 1: ECDSA P-256 with SHA-256 */
	uint8_t key_type;	/* 1: P-256 */
	uint8_t role;		/* enum pv_adac_role */
	uint8_t usage;		/* 1 */
	uint16_t lifecycle, oem_constraint;
	uint32_t extension_bytes; /* 0 */
	uint32_t soc_class;	  /* 0x484; 0: any */
	uint8_t soc_id[16];	  /* one chip; zeros: any */
	uint8_t permissions[PV_ADAC_MASK];
	uint8_t public_key[64]; /* X then Y */
	uint8_t extensions_hash[32];
	uint8_t signature[64]; /* r then s */
};

/* --- one certificate --------------------------------------------------------- */

/* From PV_ADAC_CERT bytes; PV_E_MALFORMED when type or length differ. */
PV_MUST_USE int pv_adac_decode(
    const uint8_t *data, struct pv_adac_cert *ret_c, struct pv_error *e);
/* Meaning: version, algorithms, role; extensions are PV_E_UNSUPPORTED. */
PV_MUST_USE int pv_adac_validate(
    const struct pv_adac_cert *c, struct pv_error *e);
/* PV_ADAC_CERT bytes. */
void pv_adac_encode(const struct pv_adac_cert *c, uint8_t *dst);

/* --- a chain ------------------------------------------------------------------ */

/*
 * A file: base64 text or the bytes themselves, certificate after certificate.
 * Gives the bytes; *ret_len is a multiple of PV_ADAC_CERT, at most
 * PV_ADAC_LEVELS of them.
 */
PV_MUST_USE int pv_adac_chain_bytes(const uint8_t *file, size_t len,
    uint8_t ret_bytes[PV_ADAC_LEVELS * PV_ADAC_CERT], size_t *ret_len,
    struct pv_error *e);
/* Do these bytes begin like a chain, in either form? */
bool pv_adac_detect(const uint8_t *data, size_t len);
/*
 * Decodes and validates each, then the chain: the root first and only there,
 * a leaf at most at the end.
 */
PV_MUST_USE int pv_adac_chain_decode(const uint8_t *bytes, size_t len,
    struct pv_adac_cert ret_c[PV_ADAC_LEVELS], size_t *ret_n,
    struct pv_error *e);

const char *pv_adac_role_name(unsigned int role); /* "root", or NULL */

/* --- permission masks ---------------------------------------------------------- */

#define PV_ADAC_WORDS 1280U /* room for a mask in words */

/*
 * The meaning of the bits is not documented by ST in one place; see adac.md
 * for how sure each is.
 */
#define PV_ADAC_BIT_PARTIAL 12U
#define PV_ADAC_BIT_FULL    14U

/* "full-regression, nonsecure-debug-hdpl3, bit127"; "none". */
void pv_adac_mask_words(
    const uint8_t mask[PV_ADAC_MASK], char ret_words[PV_ADAC_WORDS]);
/* "0x5077" as the wide number it is: dst holds 35. */
void pv_adac_mask_hex(const uint8_t mask[PV_ADAC_MASK], char ret_hex[35]);
/*
 * Hex (0x..., at most 32 digits) or words and bitN between commas.
 * PV_E_USAGE names the word that is none.
 */
PV_MUST_USE int pv_adac_mask_parse(
    const char *text, uint8_t ret_mask[PV_ADAC_MASK], struct pv_error *e);
bool pv_adac_mask_empty(const uint8_t mask[PV_ADAC_MASK]);
bool pv_adac_mask_bit(const uint8_t mask[PV_ADAC_MASK], unsigned int bit);
/* Is there a way back from a closed device: full or partial regression? */
bool pv_adac_mask_regression(const uint8_t mask[PV_ADAC_MASK]);
/* Every bit of `inner` is in `outer`. */
bool pv_adac_mask_within(
    const uint8_t inner[PV_ADAC_MASK], const uint8_t outer[PV_ADAC_MASK]);

#endif
