/* SPDX-License-Identifier: Apache-2.0 */
/* Inside sim/ only: the signals that stop a server, as a descriptor. */
#ifndef PV_SIM_SIGNALS_H
#define PV_SIM_SIGNALS_H

#include <signal.h>

#include <provisor/err.h>

struct pv_sim_signals {
	int fd; /* readable once SIGTERM, SIGINT or SIGHUP came */
	sigset_t old;
};

/* `more`: one more signal that makes it readable, or 0. */
PV_MUST_USE int pv_sim_signals_open(
    struct pv_sim_signals *s, int more, struct pv_error *e);
/* Put the signals back as they were. */
void pv_sim_signals_close(struct pv_sim_signals *s);

#endif
