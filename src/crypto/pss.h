/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EMSA-PSS (RFC 8017 section 9.1.1) with SHA-256, MGF1 with SHA-256 and a
 * salt of 32 bytes, done on the host so that keys and tokens that only know
 * raw RSA can sign.
 */
#ifndef PV_PSS_H
#define PV_PSS_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_PSS_SALT 32U

/*
 * The salt of a digest: SHA-256("provisor/pss-salt/v1" || digest), so that the
 * same input gives the same signature in a file and in a token. PSS with a
 * salt that an onlooker knows is no weaker than full-domain hashing (RFC 8017
 * section 8.1 asks for randomness only for the tighter proof).
 */
PV_MUST_USE int pv_pss_salt(const uint8_t digest[32],
    uint8_t ret_salt[PV_PSS_SALT], struct pv_error *e);

/* The encoded message of `len` bytes, the size of a modulus whose bit length
 * is a multiple of 8. */
PV_MUST_USE int pv_pss_encode(const uint8_t digest[32],
    const uint8_t salt[PV_PSS_SALT], uint8_t *ret_em, size_t len,
    struct pv_error *e);

/* MGF1 with SHA-256 (RFC 8017 appendix B.2.1), laid over `data` by XOR. */
PV_MUST_USE int pv_mgf1_sha256(const uint8_t *seed, size_t seed_len,
    uint8_t *data, size_t len, struct pv_error *e);

#endif
