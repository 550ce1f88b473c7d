/* SPDX-License-Identifier: Apache-2.0 */
/* Every noun of the program; the list itself is in nouns.c. */
#ifndef PV_NOUNS_H
#define PV_NOUNS_H

#include "cmd/cmd.h"

/* Verb tables in the order of the manual, ended by NULL. */
extern const struct pv_verb *const pv_nouns[];

#endif
