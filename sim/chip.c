/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/internal.h"

#include "base/file.h"
#include "base/log.h"
#include "crypto/ec.h"
#include "sim/mpu.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The state file is written whole at every change that must last. */
int
pv_sim_save(struct pv_sim *sim)
{
	uint64_t commands = sim->an.commands, nacks = sim->an.nacks;
	int r;

	if (sim->dark)
		return -1;
	sim->state.received = sim->received;
	if (sim->mpu != NULL)
		pv_sim_mpu_counts(sim, &commands, &nacks);
	sim->state.commands = sim->base_commands + commands;
	sim->state.nacks = sim->base_nacks + nacks;
	r = pv_sim_state_write(sim->dir, &sim->state, &sim->fault);
	return r;
}

/* --- control: what the bootloader asks of the part ------------------------- */

void
pv_sim_emit(struct pv_sim *sim, const uint8_t *data, size_t len)
{
	if (sim->dark)
		return;
	sim->state.sent += len;
	if (sim->emit != NULL) {
		sim->emit(sim->line, data, len);
		return;
	}
	if (len > sizeof sim->out - sim->out_len) {
		/* Nobody reads: a UART would have sent these to no one. */
		pv_log(
		    PV_LOG_WARN, "virtual chip: %zu bytes of answer lost", len);
		return;
	}
	memcpy(sim->out + sim->out_len, data, len);
	sim->out_len += len;
}

static void
do_emit(void *ctx, const uint8_t *data, size_t len)
{
	pv_sim_emit(ctx, data, len);
}

static enum pv_an_lock
do_lock(void *ctx)
{
	const struct pv_sim *sim = ctx;

	if (sim->state.rdp >= 2)
		return PV_AN_LOCKED;
	if (sim->state.agent && pv_agent_installing(&sim->agent))
		return PV_AN_INSTALLING;
	return sim->state.rdp == 1 ? PV_AN_READ_PROTECTED : PV_AN_OPEN;
}

static int
do_mass_erase(void *ctx, enum pv_an_erase what)
{
	pv_sim_mass_erase(ctx, what);
	return 0;
}

static int
do_protect(void *ctx, enum pv_an_protect what, const uint8_t *codes, size_t n)
{
	struct pv_sim *sim = ctx;
	struct pv_sim_state *s = &sim->state;

	switch (what) {
	case PV_AN_SET_WRITE_PROTECTION:
		memset(s->write_protected, 0, sizeof s->write_protected);
		for (size_t i = 0; i < n; i++)
			s->write_protected[codes[i] / 8] |=
			    (uint8_t)(1U << (codes[i] % 8));
		break;
	case PV_AN_CLEAR_WRITE_PROTECTION:
		memset(s->write_protected, 0, sizeof s->write_protected);
		break;
	case PV_AN_SET_READ_PROTECTION:
		if (s->rdp == 0)
			s->rdp = 1;
		break;
	case PV_AN_CLEAR_READ_PROTECTION:
		if (pv_sim_has(sim, PV_SIM_Q_UNPROTECT_FAILS))
			return -1;
		/* The wipe comes first: cut short, the protection stays. */
		memset(s->write_protected, 0, sizeof s->write_protected);
		(void)do_mass_erase(sim, PV_AN_ERASE_ALL);
		if (sim->dark)
			return -1;
		memset(sim->ram, 0, sim->ram_size);
		s->rdp = 0;
		break;
	}
	return pv_sim_save(sim);
}

/*
 * Writing the option area erases all of it first. What the bits mean differs
 * from part to part and is not modeled for this way.
 */
static int
do_write_options(void *ctx, const uint8_t *data, size_t len)
{
	struct pv_sim *sim = ctx;

	if (len > sim->options_size || sim->dark)
		return -1;
	memset(sim->options, 0xff, sim->options_size);
	memcpy(sim->options, data, len);
	return 0;
}

static void
do_go(void *ctx, uint32_t addr)
{
	struct pv_sim *sim = ctx;

	sim->state.running = true;
	sim->state.running_at = addr;
	if (sim->setup.go_text != NULL)
		do_emit(sim, (const uint8_t *)sim->setup.go_text,
		    strlen(sim->setup.go_text));
	(void)pv_sim_save(sim);
}

static void
do_restart(void *ctx)
{
	struct pv_sim *sim = ctx;

	if (sim->dark)
		return;
	pv_sim_account_text(sim, "restart");
	if (pv_sim_has(sim, PV_SIM_Q_OTHER_ID))
		sim->config.device_id ^= 1;
	if (sim->restarted != NULL)
		sim->restarted(sim->line);
	pv_sim_start(sim);
}

static void
do_ended(void *ctx, const struct pv_an_event *event)
{
	pv_sim_account(ctx, event);
}

/* --- configuration --------------------------------------------------------- */

static void
add_opcode(struct pv_an_config *c, uint8_t opcode)
{
	size_t i;

	for (i = 0; i < c->n_opcodes; i++)
		if (c->opcodes[i] == opcode)
			return;
	if (c->n_opcodes == PV_AN_OPCODES)
		return;
	/* Get lists opcodes in rising order. */
	for (i = c->n_opcodes; i > 0 && c->opcodes[i - 1] > opcode; i--)
		c->opcodes[i] = c->opcodes[i - 1];
	c->opcodes[i] = opcode;
	c->n_opcodes++;
}

static void
apply_quirks(struct pv_sim *sim)
{
	struct pv_an_config *c = &sim->config;

	c->stray_zero = pv_sim_has(sim, PV_SIM_Q_STRAY_ZERO);
	c->double_nack = pv_sim_has(sim, PV_SIM_Q_DOUBLE_NACK);
	c->silent_address = pv_sim_has(sim, PV_SIM_Q_SILENT_BAD_ADDRESS);
	c->reserved_kills = pv_sim_has(sim, PV_SIM_Q_RESERVED_KILLS);
	c->drop_long_list = pv_sim_has(sim, PV_SIM_Q_DROP_LONG_LIST);
	c->no_mass_erase = pv_sim_has(sim, PV_SIM_Q_NO_MASS_ERASE);
	c->restart_on_protect = pv_sim_has(sim, PV_SIM_Q_RESTART_AFTER_PROTECT);
	c->restart_before_ack = pv_sim_has(sim, PV_SIM_Q_RESTART_BEFORE_ACK);
	c->erase_before_ack = pv_sim_has(sim, PV_SIM_Q_UNPROTECT_ERASES_FIRST);
	c->short_checksum = pv_sim_has(sim, PV_SIM_Q_CHECKSUM_ONE_ACK);
	c->fixed_crc = pv_sim_has(sim, PV_SIM_Q_CHECKSUM_FIXED);
	c->refuses_all = pv_sim_has(sim, PV_SIM_Q_REFUSES_ALL);
	c->huge_sizes = pv_sim_has(sim, PV_SIM_Q_HUGE_SIZES);
	c->special_one_ack = pv_sim_has(sim, PV_SIM_Q_SPECIAL_ONE_ACK);
	if (pv_sim_has(sim, PV_SIM_Q_CHECKSUM))
		add_opcode(c, PV_AN_CHECKSUM);
}

static void
configure(struct pv_sim *sim)
{
	/* Where no list is known: that of a V3.1 part, AN3155 table 2. */
	static const uint8_t usual[] = { PV_AN_GET, PV_AN_GET_VERSION,
		PV_AN_GET_ID, PV_AN_READ, PV_AN_GO, PV_AN_WRITE,
		PV_AN_EXT_ERASE, PV_AN_WRITE_PROTECT, PV_AN_WRITE_UNPROTECT,
		PV_AN_READ_PROTECT, PV_AN_READ_UNPROTECT };
	const struct pv_chip *chip = sim->chip;
	struct pv_an_config *c = &sim->config;

	c->version = chip->boot_version != 0 ? chip->boot_version : 0x31;
	c->device_id = (uint16_t)chip->device_id;
	c->option_base = chip->has_option_area ? chip->option_area.base : 0;
	c->two_banks = chip->n_banks >= 2;
	if (chip->n_opcodes > 0) {
		c->n_opcodes = chip->n_opcodes < PV_AN_OPCODES ? chip->n_opcodes
							       : PV_AN_OPCODES;
		memcpy(c->opcodes, chip->opcodes, c->n_opcodes);
	} else {
		c->n_opcodes = sizeof usual;
		memcpy(c->opcodes, usual, sizeof usual);
	}
	if (sim->state.agent) {
		add_opcode(c, PV_AN_SPECIAL);
		add_opcode(c, PV_AN_EXT_SPECIAL);
	}
	apply_quirks(sim);
	sim->control = (struct pv_an_control){
		.ctx = sim,
		.emit = do_emit,
		.lock = do_lock,
		.mass_erase = do_mass_erase,
		.protect = do_protect,
		.write_options = do_write_options,
		.go = do_go,
		.restart = do_restart,
		.ended = do_ended,
	};
	pv_sim_memory(sim);
}

/* --- power ----------------------------------------------------------------- */

/* Power-on or restart: the agent's recovery, then the bootloader. */
void
pv_sim_start(struct pv_sim *sim)
{
	sim->state.starts++;
	sim->state.running = false;
	sim->base_commands += sim->an.commands;
	sim->base_nacks += sim->an.nacks;
	pv_an_init(&sim->an, &sim->config, &sim->memory, &sim->control,
	    sim->state.agent ? &sim->specials : NULL);
	if (sim->state.agent)
		pv_sim_agent_start(sim);
	if (sim->setup.boot0_low &&
	    !(pv_sim_has(sim, PV_SIM_Q_EMPTY_CHECK) && sim->empty)) {
		sim->an.running = true;
		do_go(sim, sim->flash_base);
	}
	/* Locked for good, a part no longer enters its bootloader. */
	if (sim->state.rdp >= 2)
		sim->an.running = true;
	(void)pv_sim_save(sim);
}

static int
lock_folder(struct pv_sim *sim, struct pv_error *e)
{
	char path[PV_SIM_PATH];
	int r;

	r = pv_path_fit(path, sizeof path, sim->dir, "lock", e);
	if (r != 0)
		return r;
	r = pv_file_lock(path, 0, &sim->lock_fd, e);
	if (r != 0 && access(path, W_OK) == 0) {
		pv_error_clear(e);
		(void)pv_fail(e, PV_E_LINK,
		    "virtual chip '%s' is already running in another process",
		    sim->dir);
		return pv_hint(e,
		    "a chip is on one line at a time; stop that 'provisor sim "
		    "run' first");
	}
	return r;
}

static int
open_identity(struct pv_sim *sim, struct pv_error *e)
{
	struct pv_ec_key *key = NULL;
	char path[PV_SIM_PATH];
	int r;

	r = pv_path_fit(path, sizeof path, sim->dir, "certificate.bin", e);
	if (r == 0)
		r = pv_file_read_exact(path, sim->cert, sizeof sim->cert, e);
	if (r == 0)
		r = pv_path_fit(path, sizeof path, sim->dir, "chip.key", e);
	if (r == 0)
		r = pv_ec_read_pem(path, &key, e);
	if (r == 0)
		r = pv_sim_crypto_new(key, &sim->crypto, &sim->crypto_ops, e);
	if (r != 0)
		pv_ec_free(key);
	return r;
}

static int
start_mcu(struct pv_sim *sim, struct pv_error *e)
{
	int r = open_identity(sim, e);

	if (r != 0)
		return r;
	configure(sim);
	sim->empty = pv_sim_flash_empty(sim);
	pv_sim_start(sim);
	return 0;
}

int
pv_sim_open(const char *dir, const struct pv_chip *chip,
    struct pv_sim **ret_sim, struct pv_error *e)
{
	struct pv_sim_setup setup = { .quirks = pv_sim_quirks_of(chip) };

	return pv_sim_open_as(dir, chip, &setup, ret_sim, e);
}

int
pv_sim_open_as(const char *dir, const struct pv_chip *chip,
    const struct pv_sim_setup *setup, struct pv_sim **ret_sim,
    struct pv_error *e)
{
	struct pv_sim *sim = calloc(1, sizeof *sim);
	int r;

	if (sim == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	sim->lock_fd = -1;
	sim->chip = chip;
	sim->setup = *setup;
	sim->random = setup->seed;
	r = strlen(dir) < sizeof sim->dir
		? 0
		: pv_fail(e, PV_E_USAGE, "'%s' is too long a name", dir);
	if (r != 0)
		goto out;
	memcpy(sim->dir, dir, strlen(dir) + 1);
	r = pv_sim_state_read(dir, &sim->state, e);
	if (r == 0)
		r = lock_folder(sim, e);
	/* Again under the lock: the last run may have ended just now. */
	if (r == 0)
		r = pv_sim_state_read(dir, &sim->state, e);
	if (r == 0)
		r = pv_sim_map(sim, e);
	sim->received = sim->state.received;
	sim->base_commands = sim->state.commands;
	sim->base_nacks = sim->state.nacks;
	pv_sim_account_text(sim, "power-on");
	if (r == 0)
		r = chip->mpu ? pv_sim_mpu_open(sim, e) : start_mcu(sim, e);
	if (r == 0)
		r = pv_sim_fault(sim, e);
out:
	if (r != 0) {
		sim->fault.code = r; /* nothing more is written */
		pv_sim_close(sim);
		return r;
	}
	*ret_sim = sim;
	return 0;
}

void
pv_sim_feed(struct pv_sim *sim, const uint8_t *data, size_t len)
{
	if (sim->dark)
		return;
	sim->received += len;
	if (sim->mpu != NULL)
		pv_sim_mpu_feed(sim, data, len);
	else
		pv_an_feed(&sim->an, data, len);
	if (sim->cutting)
		sim->dark = true;
}

void
pv_sim_connect(struct pv_sim *sim, void *ctx,
    void (*emit)(void *ctx, const uint8_t *data, size_t len),
    void (*restarted)(void *ctx))
{
	sim->line = ctx;
	sim->emit = emit;
	sim->restarted = restarted;
}

void
pv_sim_connect_receiver(
    struct pv_sim *sim, const struct pv_sim_receiver *receiver)
{
	sim->receiver = *receiver;
}

int64_t
pv_sim_busy_ns(const struct pv_sim *sim)
{
	return sim->busy_ns;
}

bool
pv_sim_synced(const struct pv_sim *sim)
{
	if (sim->mpu != NULL)
		return pv_sim_mpu_synced(sim);
	return sim->an.running || sim->an.step != NULL;
}

bool
pv_sim_mid_frame(const struct pv_sim *sim)
{
	if (sim->mpu != NULL)
		return pv_sim_mpu_patience_ns(sim) > 0;
	return pv_an_mid_frame(&sim->an);
}

void
pv_sim_overrun(struct pv_sim *sim)
{
	sim->state.overruns++;
}

void
pv_sim_reset(struct pv_sim *sim)
{
	if (sim->mpu != NULL)
		pv_sim_mpu_reset(sim);
	else
		do_restart(sim);
}

int64_t
pv_sim_patience_ns(const struct pv_sim *sim)
{
	return sim->mpu == NULL ? 0 : pv_sim_mpu_patience_ns(sim);
}

void
pv_sim_expired(struct pv_sim *sim)
{
	if (sim->mpu != NULL)
		pv_sim_mpu_expired(sim);
	else
		do_restart(sim);
}

void
pv_sim_power_cut(struct pv_sim *sim)
{
	sim->cutting = true;
}

int
pv_sim_sync(struct pv_sim *sim, struct pv_error *e)
{
	(void)pv_sim_save(sim);
	return pv_sim_fault(sim, e);
}

const uint8_t *
pv_sim_output(const struct pv_sim *sim, size_t *ret_len)
{
	*ret_len = sim->out_len;
	return sim->out;
}

void
pv_sim_output_clear(struct pv_sim *sim)
{
	sim->out_len = 0;
}

int
pv_sim_fault(const struct pv_sim *sim, struct pv_error *e)
{
	if (sim->fault.code != 0 && e != NULL)
		*e = sim->fault;
	return sim->fault.code;
}

const struct pv_sim_state *
pv_sim_state(const struct pv_sim *sim)
{
	return &sim->state;
}

void
pv_sim_close(struct pv_sim *sim)
{
	if (sim == NULL)
		return;
	if (sim->fault.code == 0)
		(void)pv_sim_save(sim);
	pv_sim_unmap(sim);
	pv_sim_crypto_free(sim->crypto);
	pv_sim_mpu_close(sim->mpu);
	if (sim->lock_fd >= 0)
		close(sim->lock_fd);
	free(sim);
}
