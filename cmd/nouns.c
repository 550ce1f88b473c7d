/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of nouns. To add one: declare its table and put it in its place.
 */
#include "cmd/nouns.h"

extern const struct pv_verb pv_verbs_key[];
extern const struct pv_verb pv_verbs_sfi[];
extern const struct pv_verb pv_verbs_image[];
extern const struct pv_verb pv_verbs_ssp[];
extern const struct pv_verb pv_verbs_campaign[];
extern const struct pv_verb pv_verbs_license[];
extern const struct pv_verb pv_verbs_ledger[];
extern const struct pv_verb pv_verbs_device[];
extern const struct pv_verb pv_verbs_push[];
extern const struct pv_verb pv_verbs_sim[];
extern const struct pv_verb pv_verbs_obk[];
extern const struct pv_verb pv_verbs_da[];
extern const struct pv_verb pv_verbs_inspect[];

const struct pv_verb *const pv_nouns[] = {
	pv_verbs_key,
	pv_verbs_sfi,
	pv_verbs_image,
	pv_verbs_ssp,
	pv_verbs_campaign,
	pv_verbs_license,
	pv_verbs_ledger,
	pv_verbs_device,
	pv_verbs_push,
	pv_verbs_sim,
	pv_verbs_obk,
	pv_verbs_da,
	pv_verbs_inspect,
	NULL,
};
