/* SPDX-License-Identifier: Apache-2.0 */
/* provisor inspect: inspect.c finds the format, inspect_show.c says what it is. */
#ifndef PV_CMD_INSPECT_H
#define PV_CMD_INSPECT_H

#include "cmd/cmd.h"

/* Enough to tell every format by its beginning. */
#define PV_SUBJECT_HEAD	 512U
/* Formats that are read whole. */
#define PV_SUBJECT_WHOLE 262144U

struct pv_subject {
	struct pv_app *app;
	const char *path;
	const char *name; /* without folders */
	uint8_t head[PV_SUBJECT_HEAD];
	size_t head_len;
	uint64_t size;
	uint8_t *data; /* the whole file, when it is small; else NULL */
	struct pv_json *root;
};

/* Find the format of a file and print what it holds. */
PV_MUST_USE int pv_inspect_file(
    struct pv_app *app, const char *path, struct pv_error *e);
bool pv_inspect_is_module(const char *path);

/* --- inspect_show.c: each prints into s->root and on stdout ----------------- */

typedef int (*pv_subject_fn)(struct pv_subject *s, struct pv_error *e);

int pv_show_smi(struct pv_subject *s, struct pv_error *e);
int pv_show_obk(struct pv_subject *s, struct pv_error *e);
int pv_show_adac(struct pv_subject *s, struct pv_error *e);
int pv_show_stm32(struct pv_subject *s, struct pv_error *e);
int pv_show_sbsfu(struct pv_subject *s, struct pv_error *e);
int pv_show_certificate(struct pv_subject *s, struct pv_error *e);
int pv_show_license(struct pv_subject *s, struct pv_error *e);
int pv_show_signature(struct pv_subject *s, struct pv_error *e);
int pv_show_rsse(struct pv_subject *s, struct pv_error *e);
int pv_show_personalization(struct pv_subject *s, struct pv_error *e);
int pv_show_mcuboot(struct pv_subject *s, struct pv_error *e);
int pv_show_firmware(struct pv_subject *s, struct pv_error *e);
int pv_show_options(struct pv_subject *s, struct pv_error *e);

#endif
