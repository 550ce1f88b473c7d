/* SPDX-License-Identifier: Apache-2.0 */
/* The frame's own part of output: events, the bar, the error line. */
#ifndef PV_UI_H
#define PV_UI_H

#include "cmd/cmd.h"

/* Fill app->progress: a bar on a terminal, NDJSON on --events. */
PV_MUST_USE int pv_ui_open(struct pv_app *app, struct pv_error *e);
void pv_ui_close(struct pv_app *app);

/* "provisor noun verb: message", and the hint on a line of its own. */
void pv_ui_error(const struct pv_app *app, const struct pv_error *e);

/* The last event: {"event":"result", ...}. */
void pv_ui_result(const struct pv_app *app, int code);

/* SIGINT and SIGTERM ask the work to stop; the second one ends it. */
void pv_ui_catch_signals(void);

#endif
