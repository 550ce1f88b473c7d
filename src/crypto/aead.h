/* SPDX-License-Identifier: Apache-2.0 */
/* AES-GCM with a 16-byte tag, as a stream; key length chooses AES-128/256. */
#ifndef PV_AEAD_H
#define PV_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_GCM_TAG 16U

struct pv_gcm; /* opaque: one key, many messages */

/* key_len is 16 or 32 bytes. */
PV_MUST_USE int pv_gcm_new(const uint8_t *key, size_t key_len,
    struct pv_gcm **ret_g, struct pv_error *e);
void pv_gcm_free(struct pv_gcm *g); /* wipes */

/*
 * Begin a message. iv_len is 1..16 bytes (12 is used as is, any other
 * length goes through GHASH, NIST SP 800-38D). `decrypt` is the direction.
 */
PV_MUST_USE int pv_gcm_begin(struct pv_gcm *g, bool decrypt, const uint8_t *iv,
    size_t iv_len, const void *aad, size_t aad_len, struct pv_error *e);
/* out may equal in; out receives len bytes. */
PV_MUST_USE int pv_gcm_update(struct pv_gcm *g, const uint8_t *in, uint8_t *out,
    size_t len, struct pv_error *e);
/* Encryption: the tag. */
PV_MUST_USE int pv_gcm_tag(
    struct pv_gcm *g, uint8_t ret_tag[PV_GCM_TAG], struct pv_error *e);
/* Decryption: PV_E_VERIFY when the tag differs. */
PV_MUST_USE int pv_gcm_check(
    struct pv_gcm *g, const uint8_t tag[PV_GCM_TAG], struct pv_error *e);

#endif
