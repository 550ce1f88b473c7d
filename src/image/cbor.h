/* SPDX-License-Identifier: Apache-2.0 */
/* The boot record of an image: CBOR that the loader hands on to attestation. */
#ifndef PV_IMAGE_CBOR_H
#define PV_IMAGE_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_BOOT_RECORD_TYPE_MAX 12U  /* characters */
#define PV_BOOT_RECORD_MAX	256U /* bytes */

/* Was this program built with libcbor? */
bool pv_cbor_built_in(void);

struct pv_boot_record {
	const char *type;	 /* "SPE" */
	const char *version;	 /* "1.2.3" */
	const uint8_t *signer;	 /* hash of the public key */
	const char *description; /* "SHA256" */
	size_t hash_len;	 /* of signer and of the measurement */
};

/*
 * imgtool boot_record.py: a map of 1 type, 4 version, 5 signer, 6 description
 * and, last because the loader fills it in, 2 measurement of zeros.
 * PV_E_UNSUPPORTED without libcbor.
 */
PV_MUST_USE int pv_boot_record_encode(const struct pv_boot_record *b,
    uint8_t ret_data[PV_BOOT_RECORD_MAX], size_t *ret_len, struct pv_error *e);

#endif
