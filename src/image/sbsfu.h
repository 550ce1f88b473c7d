/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X-CUBE-SBSFU images: packing firmware, verifying, decrypting. The header is
 * formats/sbsfu.h, its rules are in formats/sbsfu.md.
 */
#ifndef PV_IMAGE_SBSFU_H
#define PV_IMAGE_SBSFU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/sbsfu.h"

#define PV_SBSFU_PAYLOAD_MAX (64U << 20) /* bytes, our limit */

/* What a device and its scripts fix, apart from the scheme. */
struct pv_sbsfu_profile {
	uint32_t offset; /* of the firmware in the file; 0: the usual one */
	uint64_t start;	 /* CTR: address of the firmware, shifted right by 4 */
	bool tag_encrypted; /* CTR: the tag is over the encrypted firmware */
};

struct pv_sbsfu_image {
	struct pv_sbsfu_header h;
	uint8_t certs[PV_SBSFU_CERTS];
	uint8_t *payload;
	size_t len;
};
void pv_sbsfu_release(struct pv_sbsfu_image *m);

/*
 * The part of `now` that differs from `old`, in whole blocks of 16 bytes, to
 * the end of `now` where the lengths differ. PV_E_USAGE when they are the same.
 */
PV_MUST_USE int pv_sbsfu_diff(const uint8_t *old, size_t old_len,
    const uint8_t *now, size_t now_len, uint32_t *ret_offset,
    uint32_t *ret_size, struct pv_error *e);

/*
 * Fill sizes and tags of h for this firmware and its part (offset and size in
 * h), and make the payload: the part, encrypted unless `clear`. `key` has 16
 * bytes, or is NULL for schemes without encryption; for GCM it also makes the
 * header's tag.
 */
PV_MUST_USE int pv_sbsfu_make(struct pv_sbsfu_image *m, const uint8_t *fw,
    size_t len, const uint8_t *key, const struct pv_sbsfu_profile *p,
    bool clear, struct pv_error *e);

/* What authenticates the header: its first bytes, and SHA-256 of them. */
PV_MUST_USE int pv_sbsfu_signed(const struct pv_sbsfu_image *m,
    uint8_t head[PV_SBSFU_HEADER_MAX], size_t *ret_len, uint8_t ret_digest[32],
    struct pv_error *e);
/* Header, 0xFF up to the firmware, firmware; into fresh memory. */
PV_MUST_USE int pv_sbsfu_bytes(const struct pv_sbsfu_image *m,
    const struct pv_sbsfu_profile *p, uint8_t **ret_data, size_t *ret_len,
    struct pv_error *e);

/* A file of a scheme (0: guess); decoded and validated. */
PV_MUST_USE int pv_sbsfu_read(const char *path, enum pv_sbsfu_scheme scheme,
    const struct pv_sbsfu_profile *p, struct pv_sbsfu_image *ret_m,
    struct pv_error *e);
/*
 * The header by its key: X and Y for ECDSA, or `key` of 16 bytes for GCM.
 * PV_E_VERIFY.
 */
PV_MUST_USE int pv_sbsfu_verify_header(const struct pv_sbsfu_image *m,
    const uint8_t *point, const uint8_t *key, struct pv_error *e);
/* Decrypt the payload where it is (unless `clear`) and compare its tag. */
PV_MUST_USE int pv_sbsfu_open(struct pv_sbsfu_image *m, const uint8_t *key,
    const struct pv_sbsfu_profile *p, bool clear, struct pv_error *e);

/* The leaf and the intermediate certificate of the area. */
PV_MUST_USE int pv_sbsfu_certs(const struct pv_sbsfu_image *m,
    size_t *ret_leaf_len, size_t *ret_between_len, struct pv_error *e);

#endif
