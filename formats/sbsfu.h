/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firmware header of X-CUBE-SBSFU (v2.6 line) for its five crypto schemes,
 * as in sbsfu.md. No I/O, no cryptography.
 */
#ifndef PV_SBSFU_H
#define PV_SBSFU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

enum pv_sbsfu_scheme {
	PV_SBSFU_CBC = 1, /* ECDSA, AES-128-CBC */
	PV_SBSFU_CTR,	  /* ECDSA, AES-128-CTR for the OTFDEC of the chip */
	PV_SBSFU_CLEAR,	  /* ECDSA, not encrypted */
	PV_SBSFU_X509,	  /* ECDSA by the key of a certificate, not encrypted */
	PV_SBSFU_GCM,	  /* AES-128-GCM, symmetric */
};
#define PV_SBSFU_SCHEMES 5U

#define PV_SBSFU_HEADER_MAX 2048U
#define PV_SBSFU_CERTS	    1728U /* bytes for certificates */
#define PV_SBSFU_STATE	    96U
#define PV_SBSFU_HEAD	    129U /* enough for detect */

/* Where things stand in the header of a scheme. */
struct pv_sbsfu_layout {
	const char *name; /* "ecdsa-aes-cbc" */
	uint32_t tag, iv; /* bytes of a tag, of IV or nonce */
	uint32_t reserved;
	uint32_t certs;
	uint32_t auth_at, auth; /* signature or tag of the header */
	uint32_t end;		/* of the header */
	uint32_t offset;	/* of the firmware, as ST's scripts pass it */
};

struct pv_sbsfu_header {
	enum pv_sbsfu_scheme scheme;
	unsigned int slot;		       /* 1 to 3 */
	uint16_t protocol;		       /* 1 */
	uint16_t version;		       /* of the firmware */
	uint32_t size;			       /* of the whole firmware */
	uint32_t partial_offset, partial_size; /* what the file brings of it */
	uint8_t tag[32], partial_tag[32];
	uint8_t iv[16];
	const uint8_t *certs; /* borrowed, PV_SBSFU_CERTS bytes, or NULL: 0 */
	uint8_t auth[64];
	uint8_t state[PV_SBSFU_STATE];
	uint8_t fingerprint[32];
};

const struct pv_sbsfu_layout *pv_sbsfu_layout(enum pv_sbsfu_scheme scheme);
/* PV_E_USAGE lists them. */
PV_MUST_USE int pv_sbsfu_scheme_parse(
    const char *name, enum pv_sbsfu_scheme *ret_scheme, struct pv_error *e);

/* Does it begin like such a header? At least PV_SBSFU_HEAD bytes. */
bool pv_sbsfu_detect(const void *data, size_t len);
/*
 * Nothing in the header names its scheme: the one whose zero bytes are zero.
 * 0 when there is none.
 */
enum pv_sbsfu_scheme pv_sbsfu_guess(const uint8_t *data, size_t len);

/* The header, layout->end bytes, from the start of a file. */
PV_MUST_USE int pv_sbsfu_decode(const uint8_t *data, size_t len,
    enum pv_sbsfu_scheme scheme, struct pv_sbsfu_header *ret_h,
    struct pv_error *e);
/* Meaning, with `payload` bytes of firmware in the file. */
PV_MUST_USE int pv_sbsfu_validate(
    const struct pv_sbsfu_header *h, uint64_t payload, struct pv_error *e);
/* layout->end bytes; *len is the room, then the length. */
PV_MUST_USE int pv_sbsfu_encode(const struct pv_sbsfu_header *h, uint8_t *dst,
    size_t *len, struct pv_error *e);

bool pv_sbsfu_is_partial(const struct pv_sbsfu_header *h);
bool pv_sbsfu_encrypted(enum pv_sbsfu_scheme scheme);

/* --- FwImageState ------------------------------------------------------------------ */

enum pv_sbsfu_state {
	PV_SBSFU_INVALID,
	PV_SBSFU_VALID,	    /* installed */
	PV_SBSFU_VALID_ALL, /* installed, and to stay */
	PV_SBSFU_SELFTEST,
	PV_SBSFU_NEW, /* an update */
	PV_SBSFU_STATES,
};
void pv_sbsfu_set_state(struct pv_sbsfu_header *h, enum pv_sbsfu_state s);
/* "new"; NULL when the bytes are no state. */
const char *pv_sbsfu_state_name(const struct pv_sbsfu_header *h);

#endif
