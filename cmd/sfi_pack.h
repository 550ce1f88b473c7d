/* SPDX-License-Identifier: Apache-2.0 */
/* One `sfi pack`: sfi_pack.c, sfi_pack_show.c, sfi_manifest.c. */
#ifndef PV_CMD_SFI_PACK_H
#define PV_CMD_SFI_PACK_H

#include "cmd/sfi.h"
#include "cmd/sfi_inputs.h"
#include <provisor/push.h>

/* What was typed. */
struct pv_sfi_args {
	const char *chip;
	const char **firmware;
	const char *merge_gap;
	const char *fill;
	const char **externals;
	const char **modules;
	const char *key_area;
	const char *ram_size;
	const char *token;
	const char *options;
	const char *key;
	const char *nonce;
	const char *version;
	const char *profile;
	const char *iv_add;
	const char *out;
	int yes;
	int dry_run;
	int manifest;
};

struct pv_sfi_job {
	struct pv_app *app;
	struct pv_sfi_args a;
	struct pv_chip *chip;
	struct pv_image *image;
	struct pv_sfi_options options;
	struct pv_sfi_inputs in;
	struct pv_sfi_pack pack;
	struct pv_sfi_info plan;
	char *nonce_path; /* where a fresh nonce goes */
	bool nonce_replaced;
	struct pv_json *areas;		 /* with --json: the array to fill */
	struct pv_install_places places; /* that the package fills */
};

/* Are these two names of one file? A name may be NULL. */
bool pv_sfi_same_file(const char *a, const char *b);

/* --- sfi_pack_show.c -------------------------------------------------------- */

/* For pv_sfi_plan and pv_sfi_pack; ctx is the job. */
int pv_sfi_show_area(
    void *ctx, const struct pv_sfi_area *a, uint64_t at, struct pv_error *e);
void pv_sfi_show_notes(struct pv_sfi_job *j);
void pv_sfi_show_nonce(struct pv_sfi_job *j);
struct pv_json *pv_sfi_pack_json(struct pv_sfi_job *j);
void pv_sfi_finish_json(const struct pv_sfi_job *j, struct pv_json *root);

/* --- sfi_manifest.c --------------------------------------------------------- */

/* Write F.sfi.json, when it was asked for. */
PV_MUST_USE int pv_sfi_manifest(const struct pv_sfi_job *j, struct pv_error *e);

#endif
