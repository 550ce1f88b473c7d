/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of a .ssp file before they are sealed: a raw file, or a
 * description of named fields (formats/secrets.md). Loaded once, filled for
 * each device.
 */
#ifndef PV_SSP_SECRETS_H
#define PV_SSP_SECRETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "package/table.h"
#include <provisor/err.h>
#include <provisor/secret.h>
#include <provisor/ssp.h>

#define PV_SECRETS_WORDS 37U /* OTP words 59..95 */
#define PV_SECRETS_NAME	 64U
#define PV_SECRETS_REF	 512U
#define PV_SECRETS_MAX	 65536U /* bytes of a description */

enum pv_secrets_source {
	PV_SECRETS_HEX,
	PV_SECRETS_FILE,
	PV_SECRETS_RANDOM, /* made by a token, known to nobody */
	PV_SECRETS_COLUMN, /* of the batch */
};

struct pv_secrets_field {
	char name[PV_SECRETS_NAME];
	unsigned int word; /* the first OTP word; 0: behind the one before */
	size_t size;	   /* bytes; 0 until the file is read */
	bool big;	   /* the first byte of each word goes on top */
	bool text;	   /* a column holds the bytes, not their hex */
	enum pv_secrets_source source;
	char ref[PV_SECRETS_REF]; /* file, URI or column */
	struct pv_secret *value;  /* hex and file */
};

/* An RMA password: none, a number, or a column with one. */
struct pv_secrets_rma {
	bool given;
	uint32_t value;
	char column[PV_SECRETS_NAME]; /* "": value */
};

struct pv_secrets {
	bool described; /* else a raw file, as one field */
	bool has_chip;
	enum pv_ssp_chip chip;
	struct pv_secrets_rma unlock, relock;
	struct pv_secrets_field fields[PV_SECRETS_WORDS];
	size_t n_fields;
};

/*
 * Read a description (a name that ends in .json) or a raw file, and place its
 * fields. PV_E_MALFORMED, PV_E_RANGE, PV_E_OVERLAP. pv_secrets_release ends
 * it, after a failure too.
 */
PV_MUST_USE int pv_secrets_load(
    const char *path, struct pv_secrets *s, struct pv_error *e);
/* The two halves of that for a description: text to fields, no file read; then
 * files, relative to the folder `dir` (NULL: where we are), and the words. */
PV_MUST_USE int pv_secrets_parse(
    const char *text, size_t len, struct pv_secrets *s, struct pv_error *e);
PV_MUST_USE int pv_secrets_place(
    const char *dir, struct pv_secrets *s, struct pv_error *e);
void pv_secrets_release(struct pv_secrets *s);

/* Words of a field, padding included; "hex", "file", ... */
size_t pv_secrets_words(const struct pv_secrets_field *f);
const char *pv_secrets_source_name(enum pv_secrets_source source);
/* Does it need a batch? */
bool pv_secrets_per_device(const struct pv_secrets *s);

/* --- ssp_fill.c ----------------------------------------------------------------- */

/* What filling needs from outside. */
struct pv_secrets_io {
	const struct pv_table *table; /* NULL: no batch */
	size_t row;
	bool rma_high; /* rma_layout of the profile */
	size_t size;   /* bytes to seal; 0: as many as there are words */
	/* Random bytes of the token that the URI names. */
	int (*random)(void *ctx, const char *uri, uint8_t *data, size_t len,
	    struct pv_error *e);
	void *ctx;
};

/* What each OTP word gets; no values. */
struct pv_secrets_map {
	size_t n; /* words that are sealed, from OTP word 59 */
	struct {
		const struct pv_secrets_field *field; /* NULL: none */
		bool zero;			      /* it will not burn */
		bool known; /* `zero` is; not so before a random is drawn */
	} words[PV_SECRETS_WORDS];
};

/* The map alone: no random is drawn, columns are read when there is a table. */
PV_MUST_USE int pv_secrets_map(const struct pv_secrets *s,
    const struct pv_secrets_io *io, struct pv_secrets_map *ret_map,
    struct pv_error *e);
/* The RMA passwords alone: there, in range and not the same. */
PV_MUST_USE int pv_secrets_check(const struct pv_secrets *s,
    const struct pv_secrets_io *io, struct pv_error *e);
/* RMA word and secrets for pv_ssp_pack; the caller frees them. */
PV_MUST_USE int pv_secrets_fill(const struct pv_secrets *s,
    const struct pv_secrets_io *io, struct pv_secret **ret_plain,
    struct pv_secrets_map *ret_map, struct pv_error *e);
/*
 * Is this what a package of the same secrets holds? PV_E_VERIFY names the
 * first word that differs; words of random fields are not compared, nor the
 * RMA word when no password is given. *ret_compared counts those that were.
 */
PV_MUST_USE int pv_secrets_compare(const struct pv_secrets *s,
    const struct pv_secrets_io *io, const struct pv_secret *plain,
    size_t *ret_compared, struct pv_error *e);

#endif
