/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the `sfi` noun. */
#ifndef PV_CMD_SFI_H
#define PV_CMD_SFI_H

#include "cmd/cmd.h"
#include "formats/options_csv.h"
#include "package/optlint.h"
#include "package/optmap.h"
#include <provisor/sfi.h>

/* cmd/sfi_pack.c */
int pv_cmd_sfi_pack(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
/* cmd/sfi_inspect.c */
int pv_cmd_sfi_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
PV_MUST_USE int pv_sfi_inspect_file(
    struct pv_app *app, const char *path, struct pv_error *e);
/* cmd/sfi_nonces.c */
int pv_cmd_sfi_nonces(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
/* cmd/sfi_sign.c */
int pv_cmd_sfi_sign(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_cmd_sfi_verify_signature(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
/* cmd/sfi_options.c */
int pv_cmd_sfi_options(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

/* An option-byte CSV, checked and put into words. */
struct pv_sfi_options {
	struct pv_optcsv rows;
	struct pv_optmap *map; /* NULL: the family is not described */
	struct pv_optlint lint;
	struct pv_opt_setting *settings;
	size_t n;
	enum pv_opt_effect worst;
	size_t worst_at; /* of settings, when worst is not PV_OPT_PLAIN */
};
/* pv_sfi_options_release ends it, after a failure too. */
PV_MUST_USE int pv_sfi_options_load(struct pv_app *app,
    const struct pv_chip *chip, const char *path, struct pv_sfi_options *o,
    struct pv_error *e);
void pv_sfi_options_release(struct pv_sfi_options *o);
void pv_sfi_options_json(
    const struct pv_sfi_options *o, const char *path, struct pv_json *root);
/* What deserves a word on stderr. */
void pv_sfi_options_say(struct pv_app *app, const struct pv_sfi_options *o);

/* PATH and END in fresh memory; NULL, with the error set, when there is none.
 * Caller frees. */
char *pv_sfi_beside(const char *path, const char *end, struct pv_error *e);

/* "184 320" for people; dst holds 32 bytes. Returns dst. */
#define PV_GROUPED 32
const char *pv_sfi_grouped(char dst[PV_GROUPED], uint64_t v);

/* The members every listing of an area has; the tag only when `tagged`. */
void pv_sfi_area_json(
    struct pv_json *o, const struct pv_sfi_area *a, bool tagged);

#endif
