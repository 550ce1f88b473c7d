/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the packer and the readers of packages; not public. */
#ifndef PV_PACKAGE_H
#define PV_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/sfi.h>

/*
 * Payload goes through one locked buffer of PV_PACKAGE_BUF bytes, at most
 * PV_PACKAGE_CHUNK at a time. The difference is room for bytes that a token
 * held back from an earlier call and delivers late.
 */
#define PV_PACKAGE_BUF	  65536U
#define PV_PACKAGE_CHUNK  61440U
/*
 * Output of many chunks is written at once: the page cache takes 1 MiB for
 * two thirds of the processor time that sixteen small writes cost.
 */
#define PV_PACKAGE_GATHER (1U << 20)

/*
 * Bytes that a token may hold back until a decryption ends (PKCS#11 allows
 * it to keep all of them until the tag is verified).
 */
#define PV_PACKAGE_HELD_MAX (64U << 20)

/*
 * The tag of an empty message: the file header (index 0), or any area without
 * payload. `decrypt` checks `tag`, else it is written.
 */
PV_MUST_USE int pv_package_empty(const struct pv_sealer *s, bool decrypt,
    const uint8_t iv[PV_SFI_NONCE], const uint8_t *aad, size_t aad_len,
    uint8_t tag[PV_SFI_TAG], struct pv_error *e);

/*
 * Enter the IVs in the record, then let the nonce and the package appear, all
 * under the lock of the record. The nonce comes first: a package whose nonce
 * is lost is lost itself. nonce_out and record_dir may be NULL; `use` is
 * complete but for the key id.
 */
struct pv_nonce_use;
struct pv_outfile;
PV_MUST_USE int pv_package_publish(struct pv_outfile *out,
    struct pv_outfile *nonce_out, const struct pv_sealer *s,
    const char *record_dir, struct pv_nonce_use *use, struct pv_error *e);
/* The file of a fresh nonce, written but not yet there; NULL for no path. */
PV_MUST_USE int pv_package_nonce_file(const char *path, const uint8_t *nonce,
    size_t len, struct pv_outfile **ret_f, struct pv_error *e);

/* SHA-256 and size of a regular file. */
PV_MUST_USE int pv_package_hash(const char *path, uint8_t ret_digest[32],
    uint64_t *ret_size, struct pv_error *e);
PV_MUST_USE int pv_package_hash_fd(int fd, const char *path,
    uint8_t ret_digest[32], uint64_t *ret_size, struct pv_error *e);

#endif
