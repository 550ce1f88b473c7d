/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands of formats/secure-install.md, one function each, with the
 * repeats that are harmless. Shared by exchange.c and install.c.
 */
#ifndef PV_PUSH_EXCHANGE_H
#define PV_PUSH_EXCHANGE_H

#include <provisor/push.h>
#include <provisor/secure_install.h>

struct si_status {
	uint8_t state;
	uint16_t result;
	uint16_t area;
	uint16_t detail;
};

struct si_report {
	struct si_status last;
	uint16_t areas_done, areas_total;
	uint32_t received;
};

PV_MUST_USE int pv_si_info(
    struct pv_usart *u, struct pv_install_chip *ret_chip, struct pv_error *e);
/* The 136 bytes, in two reads. */
PV_MUST_USE int pv_si_certificate(
    struct pv_usart *u, uint8_t ret_cert[136], struct pv_error *e);
PV_MUST_USE int pv_si_report(
    struct pv_usart *u, struct si_report *ret_report, struct pv_error *e);

/* Where the chip waits between two parts, and the chain of what it holds. */
struct si_pause {
	uint16_t areas_done, areas_total;
	uint8_t chain[32];
};
PV_MUST_USE int pv_si_pause(
    struct pv_usart *u, struct si_pause *ret_pause, struct pv_error *e);

/*
 * A subcommand that changes something. When its answer is lost the report
 * says whether it was carried out: `done` decides. With `idempotent` the
 * packet is simply sent again. *ret_status is valid when the device answered,
 * also when it refused (then the code is as pv_si_refusal says).
 */
struct si_change {
	struct pv_usart_special *sp;
	const char *step;
	uint64_t where; /* for the retry report */
	bool idempotent;
	bool (*done)(const struct si_report *rep, unsigned area);
	unsigned area;
};
PV_MUST_USE int pv_si_change(struct pv_usart *u, const struct si_change *c,
    struct si_status *ret_status, struct pv_error *e);

/* Record what a result code of the device means. */
int pv_si_refusal(const struct si_status *st, struct pv_error *e);

#endif
