/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, SHA-384 and SHA-512. */
#ifndef PV_DIGEST_H
#define PV_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_SHA256_LEN 32U

/* One piece of a message that is hashed in parts. */
struct pv_part {
	const void *data;
	size_t len;
};

/* SHA-256 of the concatenation of n parts. */
PV_MUST_USE int pv_sha256(const struct pv_part *parts, size_t n,
    uint8_t ret_digest[PV_SHA256_LEN], struct pv_error *e);

/* SHA-384 of the same. */
PV_MUST_USE int pv_sha384(const struct pv_part *parts, size_t n,
    uint8_t ret_digest[48], struct pv_error *e);

/* A stream under SHA-256, SHA-384 or SHA-512: `bits` is 256, 384 or 512. */
#define PV_HASH_MAX 64U
struct pv_hash; /* opaque */
PV_MUST_USE int pv_hash_new(
    unsigned int bits, struct pv_hash **ret_h, struct pv_error *e);
PV_MUST_USE int pv_hash_update(
    struct pv_hash *h, const void *data, size_t len, struct pv_error *e);
/* bits / 8 bytes. */
PV_MUST_USE int pv_hash_final(
    struct pv_hash *h, uint8_t ret_digest[PV_HASH_MAX], struct pv_error *e);
void pv_hash_free(struct pv_hash *h);
/* Of the concatenation of n parts. */
PV_MUST_USE int pv_hash(unsigned int bits, const struct pv_part *parts,
    size_t n, uint8_t ret_digest[PV_HASH_MAX], struct pv_error *e);

/* SHA-256 of a stream. */
struct pv_sha256; /* opaque */
PV_MUST_USE int pv_sha256_new(struct pv_sha256 **ret_h, struct pv_error *e);
PV_MUST_USE int pv_sha256_update(
    struct pv_sha256 *h, const void *data, size_t len, struct pv_error *e);
PV_MUST_USE int pv_sha256_final(
    struct pv_sha256 *h, uint8_t ret_digest[PV_SHA256_LEN], struct pv_error *e);
void pv_sha256_free(struct pv_sha256 *h);

/* Comparison in constant time, for tags, MACs and hashes of secrets. */
int pv_ct_equal(const void *a, const void *b, size_t len);

#endif
