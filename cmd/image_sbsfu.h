/* SPDX-License-Identifier: Apache-2.0 */
/* provisor image --format sbsfu: image_sbsfu.c packs, image_sbsfu_check.c
 * verifies, decrypts and shows. */
#ifndef PV_CMD_IMAGE_SBSFU_H
#define PV_CMD_IMAGE_SBSFU_H

#include "cmd/cmd.h"
#include "image/sbsfu.h"

/* Options that say how a device reads an image, as typed. */
struct pv_sbsfu_how {
	const char *scheme, *offset, *address, *ctr_tag;
};
#define PV_OPT_SBSFU(how)                                                  \
	{ "scheme", 0, POPT_ARG_STRING, &(how)->scheme, 0,                 \
		"ecdsa-aes-cbc, ecdsa-aes-ctr, ecdsa, ecdsa-x509 or "      \
		"aes-gcm",                                                 \
		"SCHEME" },                                                \
	    { "offset", 0, POPT_ARG_STRING, &(how)->offset, 0,             \
		    "where the firmware begins in the file (default 512, " \
		    "ecdsa-x509: 2048)",                                   \
		    "N" },                                                 \
	    { "otfdec-address", 0, POPT_ARG_STRING, &(how)->address, 0,    \
		    "ecdsa-aes-ctr: address of the firmware in the "       \
		    "external flash",                                      \
		    "A" },                                                 \
	{                                                                  \
		"ctr-tag", 0, POPT_ARG_STRING, &(how)->ctr_tag, 0,         \
		    "ecdsa-aes-ctr: hash of the 'clear' (default) or "     \
		    "'encrypted' firmware",                                \
		    "WHAT"                                                 \
	}
/* *ret_scheme is 0 when none was given. */
PV_MUST_USE int pv_sbsfu_how_parse(const struct pv_sbsfu_how *how,
    enum pv_sbsfu_scheme *ret_scheme, struct pv_sbsfu_profile *ret_p,
    struct pv_error *e);
/* CTR needs its address; PV_E_USAGE. */
PV_MUST_USE int pv_sbsfu_need_address(const struct pv_sbsfu_how *how,
    enum pv_sbsfu_scheme scheme, struct pv_error *e);

PV_MUST_USE int pv_cmd_sbsfu_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
PV_MUST_USE int pv_cmd_sbsfu_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
PV_MUST_USE int pv_cmd_sbsfu_decrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

/* The header's fields, as lines and as members of `root`. */
void pv_sbsfu_show(struct pv_app *app, const char *path,
    const struct pv_sbsfu_image *m, struct pv_json *root);

#endif
