/* SPDX-License-Identifier: Apache-2.0 */
/* Help for the whole program and for one noun. */
#ifndef PV_OPTIONS_H
#define PV_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "cmd/cmd.h"

/* "provisor sfi pack --chip C ..." */
void pv_usage_line(FILE *f, const struct pv_verb *v);

/* What pv_options is asked to do with the table besides parsing it. */
enum pv_opt_mode {
	PV_OPT_PARSE,
	PV_OPT_LIST, /* print every option name: for shell completion */
};

void pv_options_release(struct pv_app *app);

#endif
