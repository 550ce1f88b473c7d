/* SPDX-License-Identifier: Apache-2.0 */
/* The .obk file of OB keys (STM32H5, STM32H7RS), as in obk.md. */
#ifndef PV_OBK_H
#define PV_OBK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_OBK_HEADER 12U    /* bytes before the body */
#define PV_OBK_HASH   32U    /* the body's first bytes, in most objects */
#define PV_OBK_MAX    65536U /* bytes of a file, our limit */

/* What an object is; decides what its fields mean. */
enum pv_obk_kind {
	PV_OBK_UNKNOWN = 0,
	PV_OBK_DA,	    /* debug authentication, certificate or password */
	PV_OBK_DA_CERT,	    /* the same where the destination says which */
	PV_OBK_DA_PASSWORD, /* ... */
	PV_OBK_DA_LOCK,	    /* no debug authentication ever again */
	PV_OBK_STIROT_H5,   /* configurations */
	PV_OBK_STIROT_H7RS,
	PV_OBK_OEMIROT_H5,
	PV_OBK_KEYS_H7RS, /* OEMiRoT and OEMuRoT */
	PV_OBK_UROT_H5,	  /* an MCUboot image of keys */
	PV_OBK_DATA,
	PV_OBK_DATA_PAIR, /* two times hash and data */
	PV_OBK_AHK,
};

struct pv_obk_place {
	uint32_t address;
	enum pv_obk_kind kind;
	const char *family; /* "STM32H5" */
	const char *name;   /* "STiRoT configuration" */
	uint32_t length;    /* of the body */
	bool has_hash;	    /* SHA-256 of the rest at the body's start */
	bool secret;	    /* holds a private key or a symmetric one */
	bool irreversible;
};

struct pv_obk {
	uint32_t address;
	uint32_t length; /* of the body: hash, if any, and data */
	bool encrypt;
	bool has_hash;
	uint8_t hash[PV_OBK_HASH];
	const uint8_t *data; /* borrowed */
	size_t data_len;
};

/* Do these bytes look like the start of an .obk of `file_size` bytes? */
bool pv_obk_detect(const uint8_t *data, size_t len, uint64_t file_size);
/*
 * Whether there is a hash follows from the destination; where that is not
 * known there is one. It is not compared here: this code does no cryptography.
 */
PV_MUST_USE int pv_obk_decode(
    const uint8_t *data, size_t len, struct pv_obk *ret_o, struct pv_error *e);
/*
 * Meaning: the destination is known and takes a body of this length.
 * PV_E_RANGE for another destination, PV_E_MALFORMED for another length.
 */
PV_MUST_USE int pv_obk_validate(const struct pv_obk *o, struct pv_error *e);
/* 12 + length bytes; *len is the room, then the length. */
PV_MUST_USE int pv_obk_encode(
    const struct pv_obk *o, uint8_t *dst, size_t *len, struct pv_error *e);
/* What the destination is known for, with this length of the body if it is
 * known for several; NULL when it is not known. */
const struct pv_obk_place *pv_obk_place(uint32_t address, uint32_t length);

#endif
