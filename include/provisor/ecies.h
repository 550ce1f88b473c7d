/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The encryption inside licenses of the profiles `ssp` and `ecies`
 * (formats/license-ssp.md). What ST has not published is a named field of the
 * profile; nothing of it is verified on silicon.
 */
#ifndef PROVISOR_ECIES_H
#define PROVISOR_ECIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/keystore.h>
#include <provisor/secret.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_ECIES_TEXT 128U /* of a profile, with its terminator */

struct pv_ecies_profile {
	bool ssp;	     /* "ssp", else "ecies" */
	bool info_ephemeral; /* shared_info: the ephemeral key, else empty */
	bool key_high;	     /* key_half: bytes 16..31, else 0..15 */
	bool iv_low;	     /* iv_half: bytes 0..15, else 16..31 */
	unsigned int gcm_iv_len;     /* 16, or 12 */
	unsigned int payload_iv_len; /* 16, or 12: for the .ssp file */
	uint32_t fsbl_min_version;   /* ssp only */
	bool rma_high;		     /* rma_layout of the .ssp file: high */
};

/* Is this text a profile of this kind: ssp or ecies, with or without fields? */
bool pv_ecies_is(const char *text);
/*
 * "ssp" or "ecies", or either with fields after a colon:
 * "ssp:gcm_iv_len=12,shared_info=ephemeral". PV_E_USAGE.
 */
PV_MUST_USE int pv_ecies_parse(
    const char *text, struct pv_ecies_profile *ret_p, struct pv_error *e);
/* The canonical text: only fields that are not the default, in fixed order. */
void pv_ecies_text(const struct pv_ecies_profile *p, char dst[PV_ECIES_TEXT]);
/* The same with every field. */
void pv_ecies_full_text(
    const struct pv_ecies_profile *p, char *dst, size_t cap);

/*
 * Decrypt a license with the chip's private key, which a simulated chip's
 * owner has: checks the tag (PV_E_VERIFY) and gives IV (16) and key (16).
 */
struct pv_ec_key;
PV_MUST_USE int pv_ecies_open(const struct pv_ecies_profile *p,
    const struct pv_ec_key *chip, const uint8_t *license, size_t len,
    struct pv_secret **ret_secret, struct pv_error *e);

/*
 * Seal once for a key pair of our own and open it again, so that a key or a
 * token that cannot serve is found before the first chip. PV_E_VERIFY when
 * something else comes out than went in.
 */
PV_MUST_USE int pv_ecies_try(const struct pv_ecies *s,
    const struct pv_ecies_profile *p, const uint8_t iv[16], struct pv_error *e);

/*
 * A pv_ecies whose work is done in this process, in locked memory that is
 * wiped after each call. Takes over the key source.
 */
PV_MUST_USE int pv_ecies_on_host(
    struct pv_key_source *key, struct pv_ecies *ret_ecies, struct pv_error *e);

/* The 16 bytes of a key file, read anew each time. */
PV_MUST_USE int pv_key_source_file(
    const char *path, struct pv_key_source *ret_key, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
