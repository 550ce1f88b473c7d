/* SPDX-License-Identifier: Apache-2.0 */
/* Inside sim/ only: one chip under power. */
#ifndef PV_SIM_INTERNAL_H
#define PV_SIM_INTERNAL_H

#include "sim/sim.h"

/*
 * Answers of one batch of input. The line hands in at most 4 KiB at a time;
 * the worst answer to that is a Read of 256 bytes for every 4 bytes of host
 * frames a client sent without waiting.
 */
#define PV_SIM_OUT (512U << 10)

struct pv_sim {
	char dir[PV_SIM_PATH];
	const struct pv_chip *chip;
	struct pv_sim_state state;
	int lock_fd;

	uint32_t flash_base;
	size_t flash_size, ram_size, options_size, otp_size;
	/* shared maps of the files */
	uint8_t *flash, *ram, *options, *otp, *external;

	uint8_t cert[PV_SIM_CERT];
	struct pv_sim_crypto *crypto;
	struct pv_agent_crypto crypto_ops;

	struct pv_dev_memory memory;
	struct pv_an_config config;
	struct pv_an_control control;
	struct pv_an_specials specials;
	struct pv_agent_config agent_config;
	struct pv_agent_store agent_store;
	struct pv_dev_external external_ops;
	struct pv_an an;
	struct pv_agent agent;

	struct pv_sim_mpu *mpu; /* NULL: a microcontroller */

	struct pv_sim_setup setup;
	struct pv_sim_receiver receiver;
	void *line;
	void (*emit)(void *ctx, const uint8_t *data, size_t len);
	void (*restarted)(void *ctx);
	int64_t busy_ns;
	bool empty;	    /* flash was empty at power-on */
	bool cutting, dark; /* the power is about to go, or gone */
	uint64_t random;
	struct pv_an_event previous;
	uint64_t erased_now; /* sectors, by the command under way */

	uint64_t received, base_commands, base_nacks;
	struct pv_error fault; /* code 0: none */
	size_t out_len;
	uint8_t out[PV_SIM_OUT];
};

void pv_sim_start(struct pv_sim *sim);
bool pv_sim_has(const struct pv_sim *sim, enum pv_sim_quirk quirk);
/* To the line, or to whoever fetches it. */
void pv_sim_emit(struct pv_sim *sim, const uint8_t *data, size_t len);
/* A failure is kept in sim->fault, which stops the chip. */
int pv_sim_save(struct pv_sim *sim);

/* memory.c: maps, and the rules of flash */
PV_MUST_USE int pv_sim_map(struct pv_sim *sim, struct pv_error *e);
void pv_sim_unmap(struct pv_sim *sim);
void pv_sim_memory(struct pv_sim *sim); /* fills sim->memory */
void pv_sim_mass_erase(struct pv_sim *sim, enum pv_an_erase what);
bool pv_sim_flash_empty(const struct pv_sim *sim);

/* external.c: NULL when the chip has none */
const struct pv_dev_external *pv_sim_external(struct pv_sim *sim);

/* account.c */
void pv_sim_account(struct pv_sim *sim, const struct pv_an_event *event);
void pv_sim_account_text(const struct pv_sim *sim, const char *text);

/* install.c: the agent on this chip */
void pv_sim_agent_start(struct pv_sim *sim);

#endif
