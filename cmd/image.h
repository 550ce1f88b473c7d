/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisor image: one noun, several formats. A format is one file
 * cmd/image_NAME.c with its own options, and one row in cmd/image.c.
 */
#ifndef PV_CMD_IMAGE_H
#define PV_CMD_IMAGE_H

#include "cmd/cmd.h"

struct pv_image_format {
	const char *name; /* of --format */
	/* sign, verify, inspect, encrypt, decrypt: those it has, as rows of
	 * noun "image", ended by an empty one */
	const struct pv_verb *verbs;
};

extern const struct pv_image_format pv_image_mcuboot;
extern const struct pv_image_format pv_image_stm32;
extern const struct pv_image_format pv_image_sbsfu;
extern const struct pv_image_format pv_image_oemisb;

/*
 * The row that each option table of a format begins with. The frame has taken
 * the option out of the arguments already; the row is for --help.
 */
#define PV_OPT_FORMAT                                                        \
	{                                                                    \
		"format", 0, POPT_ARG_NONE, NULL, 0,                         \
		    "format of the image, default mcuboot; each has its "    \
		    "options:\n"                                             \
		    "                             see 'image VERB --format " \
		    "FORMAT --help'",                                        \
		    "FORMAT"                                                 \
	}

#endif
