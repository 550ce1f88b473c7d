/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reuse record: every IV that a key has encrypted a package with, so that
 * no IV meets other content again (sfi.md, "Reuse record").
 */
#ifndef PV_NONCES_H
#define PV_NONCES_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/sfi.h>

#define PV_NONCE_IV_MAX 16U

struct pv_nonce_use {
	uint8_t key_id[32];
	uint8_t nonce[PV_NONCE_IV_MAX];
	size_t iv_len; /* 16 for .ssp files by their default; else 12 */
	enum pv_sfi_iv_add iv_add;
	uint16_t n_areas;	 /* IVs of index 0 .. n_areas; .ssp: 0 */
	uint8_t fingerprint[32]; /* of the content they encrypted */
};

/*
 * Enter the IVs into the record in `dir` (made when missing) and keep the
 * record locked: the caller puts the package in place, then closes *ret_lock.
 * PV_E_REUSE when one of them is there with another fingerprint; nothing is
 * written then. The record is on disk when this returns.
 */
PV_MUST_USE int pv_nonces_claim(const char *dir, const struct pv_nonce_use *use,
    int *ret_lock, struct pv_error *e);

/* Name of a key in the record, and how many IVs it was used with. */
typedef int (*pv_nonces_each_fn)(
    void *ctx, const char *key_hex, size_t n_ivs, struct pv_error *e);

/*
 * Every key of the record in `dir`, in the order of their names. A folder that
 * does not exist has none.
 */
PV_MUST_USE int pv_nonces_list(
    const char *dir, pv_nonces_each_fn each, void *ctx, struct pv_error *e);

/* The whole record as one file with a checksum (sfi.md, "Reuse record"). */
PV_MUST_USE int pv_nonces_export(const char *dir, const char *path,
    pv_nonces_each_fn each, void *ctx, struct pv_error *e);

struct pv_nonces_merge {
	size_t n_keys;
	size_t n_ivs;	       /* in the file */
	size_t n_added;	       /* that this record did not have */
	size_t n_conflicts;    /* IVs that encrypted two contents */
	char conflict_key[65]; /* the first key with one */
};

/*
 * Add an export to the record in `dir`. The file is checked as a whole before
 * anything is added, and adding it twice is adding it once. Conflicts are
 * entered like the rest, so that no package with these IVs is made any more;
 * then PV_E_REUSE is returned, with *ret_merge filled in.
 */
PV_MUST_USE int pv_nonces_import(const char *dir, const char *path,
    struct pv_nonces_merge *ret_merge, struct pv_error *e);

#endif
