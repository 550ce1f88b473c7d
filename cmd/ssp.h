/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of the `ssp` noun. */
#ifndef PV_CMD_SSP_H
#define PV_CMD_SSP_H

#include "cmd/cmd.h"
#include "package/ssp_secrets.h"
#include <provisor/ecies.h>
#include <provisor/ssp.h>

/* cmd/ssp_pack.c, cmd/ssp_explain.c, cmd/ssp.c */
int pv_cmd_ssp_pack(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_cmd_ssp_explain(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
PV_MUST_USE int pv_ssp_inspect_file(
    struct pv_app *app, const char *path, struct pv_error *e);

/* --- what several verbs take (ssp_inputs.c) ---------------------------------- */

/* As typed; each may be NULL. */
struct pv_ssp_args {
	const char *chip;
	const char *secrets;
	const char *unlock, *relock;
	const char **public_keys;
	const char *pkhth;
	const char *profile;
	const char *key, *nonce;
};
#define PV_OPT_SSP_ROOT(a)                                                  \
	{ "public-key", 0, POPT_ARG_ARGV, &(a)->public_keys, 0,             \
		"the OEM's root key; stm32mp13: eight times, in the order " \
		"of the table",                                             \
		"PEM" },                                                    \
	{                                                                   \
		"pkhth", 0, POPT_ARG_STRING, &(a)->pkhth, 0,                \
		    "stm32mp13: file of 32 bytes, the hash of the table",   \
		    "FILE"                                                  \
	}
#define PV_OPT_SSP_RMA(a)                                                 \
	{ "rma-unlock", 0, POPT_ARG_STRING, &(a)->unlock, 0,              \
		"password that opens the chip for analysis, 0 to 0x7fff", \
		"N" },                                                    \
	{                                                                 \
		"rma-relock", 0, POPT_ARG_STRING, &(a)->relock, 0,        \
		    "password that closes it again, 0 to 0x7fff", "N"     \
	}
#define PV_OPT_SSP_PROFILE(a)                                         \
	{                                                             \
		"profile", 0, POPT_ARG_STRING, &(a)->profile, 0,      \
		    "ssp[:FIELD=VALUE,...], see provisor-ssp(5)", "P" \
	}

/* What the options said, read and checked. */
struct pv_ssp_inputs {
	struct pv_ecies_profile profile;
	char profile_text[PV_ECIES_TEXT];
	enum pv_ssp_chip chip;
	bool has_chip;
	struct pv_secrets secrets;
	bool has_secrets;
	uint8_t root[64];
	bool has_root;
	const char *root_text; /* "root.pem", "8 keys" */
};
/*
 * --chip (or the chip of a description), --secrets, RMA passwords, root and
 * profile, as far as they are given. pv_ssp_inputs_release ends it, after a
 * failure too.
 */
PV_MUST_USE int pv_ssp_inputs_load(
    const struct pv_ssp_args *a, struct pv_ssp_inputs *in, struct pv_error *e);
/* The root alone, for a chip that is known otherwise. */
PV_MUST_USE int pv_ssp_inputs_root(const struct pv_ssp_args *a,
    enum pv_ssp_chip chip, struct pv_ssp_inputs *in, struct pv_error *e);
void pv_ssp_inputs_release(struct pv_ssp_inputs *in);

/* Tokens that make random fields, opened when the first one is drawn. */
#define PV_SSP_TOKENS 4U
struct pv_ssp_tokens {
	struct pv_app *app;
	const char *uris[PV_SSP_TOKENS];
	struct pv_hsm *hsms[PV_SSP_TOKENS];
	size_t n;
};
/* For struct pv_secrets_io; ctx is a struct pv_ssp_tokens. */
int pv_ssp_random(
    void *ctx, const char *uri, uint8_t *data, size_t len, struct pv_error *e);
void pv_ssp_tokens_close(struct pv_ssp_tokens *t);

/* --- output (ssp_show.c) ------------------------------------------------------- */

/* "PKH", "PKHTH". */
const char *pv_ssp_root_name(enum pv_ssp_chip chip);
/* OTP words 24..31, or null when there is no root. */
void pv_ssp_root_json(
    struct pv_json *o, const uint32_t *words, enum pv_ssp_chip chip);
/* "d875db7d 7def2322 ..." shortened for people. */
#define PV_SSP_ROOT_TEXT 24U
const char *pv_ssp_root_short(
    char dst[PV_SSP_ROOT_TEXT], const uint32_t words[8]);

/* One line for each stretch of words that are alike. */
void pv_ssp_map_text(const struct pv_app *app, const struct pv_secrets_map *m);
/* "words": one object for each; no values. */
void pv_ssp_map_json(struct pv_json *o, const struct pv_secrets_map *m);
/* Words of fields that are zero. */
size_t pv_ssp_map_zeros(const struct pv_secrets_map *m);
/* Words that will not burn and bytes added, on stderr; `what` comes first. */
void pv_ssp_map_say(struct pv_app *app, const char *what,
    const struct pv_secrets *s, const struct pv_secrets_map *m);

/* What must be said wherever a package is made or shown. */
#define PV_SSP_LABEL                                        \
	"layout as ST's SSP; what is inferred of it is in " \
	"provisor-ssp(5): not verified on silicon"

#endif
