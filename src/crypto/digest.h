/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256, and SHA-384 of small messages. */
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
