/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reuse record: every IV that a key has encrypted a package with, so that
 * no IV meets other content again (sfi.md, "Reuse record").
 */
#ifndef PV_NONCES_H
#define PV_NONCES_H

#include <stdint.h>

#include <provisor/sfi.h>

struct pv_nonce_use {
	uint8_t key_id[32];
	uint8_t nonce[PV_SFI_NONCE];
	enum pv_sfi_iv_add iv_add;
	uint16_t n_areas;	 /* IVs of index 0 .. n_areas */
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

#endif
