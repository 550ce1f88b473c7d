/* SPDX-License-Identifier: Apache-2.0 */
/* External flash, modules and key areas as typed, or from lists. */
#ifndef PV_CMD_SFI_INPUTS_H
#define PV_CMD_SFI_INPUTS_H

#include "cmd/sfi.h"

struct pv_sfi_inputs {
	struct pv_sfi_external externals[PV_SFI_MAX_EXTERNALS];
	struct pv_image *images[PV_SFI_MAX_EXTERNALS];	  /* theirs */
	const char *external_files[PV_SFI_MAX_EXTERNALS]; /* FILE[@ADDR] */
	size_t n_externals;
	struct pv_sfi_module modules[PV_SFI_MAX_MODULES];
	size_t n_modules;
	struct pv_sfi_key_pair pairs[PV_SFI_MAX_KEY_PAIRS];
	size_t n_pairs;
	char **texts;
	size_t n_texts;
};

/*
 * --external and --module are NULL-terminated lists, --key-area a path; each
 * may be NULL. pv_sfi_inputs_release ends it, after a failure too.
 */
PV_MUST_USE int pv_sfi_inputs_load(struct pv_sfi_inputs *in,
    const char *const *externals, const char *const *modules,
    const char *key_area, struct pv_error *e);
void pv_sfi_inputs_release(struct pv_sfi_inputs *in);

#endif
