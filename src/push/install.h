/* SPDX-License-Identifier: Apache-2.0 */
/* A secure install under way: install.c and restart.c. */
#ifndef PV_PUSH_INSTALL_H
#define PV_PUSH_INSTALL_H

#include "push/exchange.h"
#include "push/package_file.h"

struct install {
	struct pv_install_file *f;
	struct pv_usart *u;
	const struct pv_install_options *opt;
	struct pv_install_report *rep;
	uint16_t result;		   /* of the last refusal, PV_SI_E_* */
	int wipe_ms;			   /* erasing all of flash */
	struct pv_install_license license; /* sent again for every part */
	uint64_t before;  /* payload bytes of parts that were there */
	bool begun;	  /* the first area was announced */
	bool dropped;	  /* what an earlier host began was erased */
	uint8_t si_state; /* behind the last change it accepted */
	bool link_usable; /* the device still listens */
};

/* A subcommand that changes something; keeps what the chip said of itself. */
PV_MUST_USE int pv_install_change(
    struct install *in, struct si_change *c, struct pv_error *e);
/* What the chip holds, from a state that it told. */
void pv_install_settle(struct install *in, uint8_t si_state);

/* restart.c */
/* The end of P area `index`: the chip restarts and waits for R. */
PV_MUST_USE int pv_install_end_part(
    struct install *in, unsigned index, struct pv_error *e);
PV_MUST_USE int pv_install_finish(struct install *in, struct pv_error *e);

#endif
