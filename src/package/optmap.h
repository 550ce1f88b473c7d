/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the option words of a family mean, from share/chips/options: the names
 * of the rows, their fields, and which values cannot be taken back.
 */
#ifndef PV_OPTMAP_H
#define PV_OPTMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>
#include <provisor/err.h>

struct pv_optcsv;
struct pv_optmap; /* opaque */

enum pv_opt_effect {
	PV_OPT_PLAIN,
	PV_OPT_WARN,	     /* may lock the owner out, or is undocumented */
	PV_OPT_IRREVERSIBLE, /* needs --yes-irreversible */
};

/* One field of one word, in words. */
struct pv_opt_setting {
	size_t row;
	const char *row_name; /* borrowed from the map */
	const char *field;    /* the same; "reserved bits" for those */
	uint32_t value;
	char text[96]; /* "locked", "secure sectors of bank 1: 0..127" */
	enum pv_opt_effect effect;
	const char *advice; /* borrowed; NULL for PV_OPT_PLAIN */
};
typedef int (*pv_opt_setting_fn)(
    void *ctx, const struct pv_opt_setting *s, struct pv_error *e);

/*
 * The map of a chip: DIR/options/FAMILY.json of the first folder that has it,
 * when it names the chip's device id and has as many rows as the chip has
 * option words. *ret_m is NULL when there is none. Caller frees.
 */
PV_MUST_USE int pv_optmap_load(const char *const *dirs,
    const struct pv_chip *chip, struct pv_optmap **ret_m, struct pv_error *e);
/* From text, for any chip. */
PV_MUST_USE int pv_optmap_parse(
    const char *text, size_t len, struct pv_optmap **ret_m, struct pv_error *e);
void pv_optmap_free(struct pv_optmap *m);

size_t pv_optmap_rows(const struct pv_optmap *m);
const char *pv_optmap_row_name(const struct pv_optmap *m, size_t row);
/* Does the map know this device id? */
bool pv_optmap_is_for(const struct pv_optmap *m, uint32_t device_id);

/*
 * Are the rows of a CSV those of the map? A row that is missing, doubled or
 * out of its place is PV_E_MALFORMED and named, with its line. A name that the
 * map does not know is accepted in any place: names are labels.
 */
PV_MUST_USE int pv_optmap_check(
    const struct pv_optmap *m, const struct pv_optcsv *csv, struct pv_error *e);

/* Every field of every word; n must be pv_optmap_rows. */
PV_MUST_USE int pv_optmap_explain(const struct pv_optmap *m,
    const uint32_t *words, size_t n, pv_opt_setting_fn each, void *ctx,
    struct pv_error *e);

#endif
