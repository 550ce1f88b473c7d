/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image description of ST's provisioning folders: XML of imgtool options
 * (Root/McubootFormat), with values from the XML of the OB keys it links to.
 */
#ifndef PV_IMAGE_TPC_H
#define PV_IMAGE_TPC_H

#include <stddef.h>

#include <provisor/err.h>

/* An option of imgtool with its value; NULL for one without. */
struct pv_tpc_word {
	char *option, *value;
};
#define PV_TPC_WORDS_MAX 64U

struct pv_tpc {
	char *title;
	struct pv_tpc_word w[PV_TPC_WORDS_MAX];
	size_t n;
	/* Paths, relative ones from the XML's folder; linked may be NULL. */
	char *input, *output, *linked;
	/* Paths that lead out of the folder above the XML's: of options and of
	 * these three. */
	const char *outside[PV_TPC_WORDS_MAX + 3];
	size_t n_outside;
};

/*
 * Read the description and what it links to. Release it either way. A command
 * other than "sign" is PV_E_UNSUPPORTED, a value that is nowhere
 * PV_E_MALFORMED.
 */
PV_MUST_USE int pv_tpc_read(
    const char *path, struct pv_tpc *ret_t, struct pv_error *e);
/* The same of text, which may link to nothing; paths stay as they are. */
PV_MUST_USE int pv_tpc_parse(
    const char *text, size_t len, struct pv_tpc *ret_t, struct pv_error *e);
void pv_tpc_release(struct pv_tpc *t);

#endif
