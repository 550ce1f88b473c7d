/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Diagnostics for -v. Library code never prints: it logs, and the program
 * decides by the level where that goes (standard error). Nothing secret is
 * ever logged.
 */
#ifndef PV_LOG_H
#define PV_LOG_H

#include <stddef.h>

#include <provisor/err.h>

enum pv_log_level {
	PV_LOG_WARN,  /* shown unless --quiet */
	PV_LOG_INFO,  /* shown with -v */
	PV_LOG_DEBUG, /* shown with -vv: frames on the line */
};

/* Set once by the program; PV_LOG_WARN until then. -1 silences. */
void pv_log_set_level(int level);
int pv_log_level(void);
void pv_log(enum pv_log_level level, const char *fmt, ...) PV_PRINTF(2, 3);

/*
 * Copy text for a terminal or log: control bytes and broken UTF-8 become
 * '?'. Device, file and token text goes through here before it is shown.
 */
void pv_mask(char *dst, size_t cap, const char *text);

#endif
