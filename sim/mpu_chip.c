/* SPDX-License-Identifier: Apache-2.0 */
/* A virtual STM32MP under power: device/mpu.h over the files of its folder. */
#include "sim/mpu.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "sim/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DDR_SIZE (16U << 20) /* for FIP and FlashLayout */

struct pv_sim_mpu {
	struct pv_mp_config config;
	struct pv_mp_port port;
	struct pv_mp machine;
	struct pv_ec_key *key;
	struct pv_sim_storage *storage;
	uint8_t *ram, *ddr;
	uint64_t acks; /* asked for, see do_fault */
	char serial[32];
};

/* --- what the machine asks of the part -------------------------------------- */

static void
do_emit(void *ctx, const uint8_t *data, size_t len)
{
	pv_sim_emit(ctx, data, len);
}

static void
do_flush(void *ctx)
{
	struct pv_sim *sim = ctx;

	if (sim->receiver.flush != NULL)
		sim->receiver.flush(sim->line);
}

static void
do_wait(void *ctx, uint32_t us)
{
	struct pv_sim *sim = ctx;

	sim->busy_ns += (int64_t)us * 1000;
}

static uint64_t
do_now(void *ctx)
{
	const struct pv_sim *sim = ctx;

	if (sim->receiver.now_ns == NULL)
		return 0;
	return (uint64_t)sim->receiver.now_ns(sim->line) / 1000;
}

static enum pv_mp_fault
do_fault(void *ctx)
{
	struct pv_sim *sim = ctx;
	uint64_t n = ++sim->mpu->acks;

	if (n == sim->setup.nack_at)
		return PV_MP_SAY_NACK;
	return n == sim->setup.abort_at ? PV_MP_SAY_ABORT : PV_MP_FINE;
}

static void
do_restarted(void *ctx)
{
	struct pv_sim *sim = ctx;

	if (sim->dark)
		return;
	sim->state.starts++;
	if (sim->restarted != NULL)
		sim->restarted(sim->line);
	(void)pv_sim_save(sim);
}

static void
do_note(void *ctx, const char *text, uint32_t value)
{
	const struct pv_sim *sim = ctx;

	if (sim->setup.transcript == NULL || sim->dark)
		return;
	if (value != 0)
		(void)fprintf(
		    sim->setup.transcript, "%s: %" PRIu32 "\n", text, value);
	else
		(void)fprintf(sim->setup.transcript, "%s\n", text);
}

/* --- life ------------------------------------------------------------------------ */

static int
configure(struct pv_sim *sim, struct pv_error *e)
{
	struct pv_mp_config *c = &sim->mpu->config;
	const struct pv_chip_rom *rom = &sim->chip->rom;
	char path[PV_SIM_PATH];
	uint8_t cert[PV_SIM_CERT];
	int r;

	r = pv_path_fit(path, sizeof path, sim->dir, "certificate.bin", e);
	if (r == 0)
		r = pv_file_read_exact(path, cert, sizeof cert, e);
	if (r != 0)
		return r;
	c->chip = (struct pv_mp_chip){
		.id = (uint16_t)sim->chip->device_id,
		.load_address = rom->load_address,
		.header_major = rom->image_header,
		.ssp_word = rom->ssp_word,
		.ssp_request = rom->ssp_request,
		.ssp_success = rom->ssp_success,
		.closed = rom->closed,
		.rma_mask = rom->rma_mask,
		.key_table = rom->key_table,
	};
	/* 24 characters that stay with the chip, as the ROM has them. */
	pv_hex_encode(sim->mpu->serial, cert + 8, 12);
	c->serial = sim->mpu->serial;
	c->generation = sim->setup.generation;
	c->force_generation = sim->setup.has_generation;
	c->mailbox_lost = pv_sim_has(sim, PV_SIM_Q_MAILBOX_LOST);
	c->rom_abort = pv_sim_has(sim, PV_SIM_Q_ROM_ABORT);
	c->signed_loader = pv_sim_has(sim, PV_SIM_Q_SIGNED_LOADER);
	return pv_sim_mpu_profile(sim->state.ssp_profile, &c->profile, e);
}

static int
make_port(struct pv_sim *sim, struct pv_error *e)
{
	struct pv_sim_mpu *p = sim->mpu;
	char path[PV_SIM_PATH];
	int r;

	p->ram = calloc(1, sim->chip->rom.load_size);
	p->ddr = calloc(1, DDR_SIZE);
	if (p->ram == NULL || p->ddr == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_path_fit(path, sizeof path, sim->dir, "chip.key", e);
	if (r == 0)
		r = pv_ec_read_pem(path, &p->key, e);
	if (r != 0)
		return r;
	p->port = (struct pv_mp_port){
		.ctx = sim,
		.emit = do_emit,
		.flush = do_flush,
		.wait_us = do_wait,
		.now_us = do_now,
		.fault = do_fault,
		.restarted = do_restarted,
		.note = do_note,
		.ram = p->ram,
		.ram_size = sim->chip->rom.load_size,
		.ddr = p->ddr,
		.ddr_size = DDR_SIZE,
	};
	pv_sim_mpu_fuses(sim, &p->port.fuses);
	pv_sim_mpu_crypto(p->key, &p->port.crypto);
	return pv_sim_storage_new(sim, &p->storage, &p->port.storage, e);
}

int
pv_sim_mpu_open(struct pv_sim *sim, struct pv_error *e)
{
	int r;

	if (!sim->chip->has_rom)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "the description of '%s' says nothing of its ROM",
		    sim->chip->name);
	sim->mpu = calloc(1, sizeof *sim->mpu);
	if (sim->mpu == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = configure(sim, e);
	if (r == 0)
		r = make_port(sim, e);
	if (r != 0)
		return r;
	sim->state.starts++;
	pv_mp_init(&sim->mpu->machine, &sim->mpu->config, &sim->mpu->port,
	    sim->setup.usb ? PV_MP_USB : PV_MP_UART);
	return pv_sim_save(sim);
}

void
pv_sim_mpu_close(struct pv_sim_mpu *p)
{
	if (p == NULL)
		return;
	pv_sim_storage_free(p->storage);
	pv_ec_free(p->key);
	free(p->ram);
	free(p->ddr);
	free(p);
}

void
pv_sim_mpu_feed(struct pv_sim *sim, const uint8_t *data, size_t len)
{
	pv_mp_feed(&sim->mpu->machine, data, len);
}

void
pv_sim_mpu_reset(struct pv_sim *sim)
{
	if (!sim->dark)
		pv_mp_reset(&sim->mpu->machine);
}

bool
pv_sim_mpu_synced(const struct pv_sim *sim)
{
	return pv_mp_synced(&sim->mpu->machine);
}

void
pv_sim_mpu_expired(struct pv_sim *sim)
{
	pv_mp_expired(&sim->mpu->machine);
}

int64_t
pv_sim_mpu_patience_ns(const struct pv_sim *sim)
{
	return (int64_t)pv_mp_patience_us(&sim->mpu->machine) * 1000;
}

void
pv_sim_mpu_counts(
    const struct pv_sim *sim, uint64_t *ret_commands, uint64_t *ret_nacks)
{
	const struct pv_mp_uart *u = &sim->mpu->machine.uart;

	*ret_commands = u->commands;
	*ret_nacks = (uint64_t)u->nacks + u->aborts;
}

struct pv_mp *
pv_sim_mpu_machine(struct pv_sim *sim)
{
	return &sim->mpu->machine;
}

void
pv_sim_mpu_serial(struct pv_sim *sim, const char *serial)
{
	(void)snprintf(sim->mpu->serial, sizeof sim->mpu->serial, "%s", serial);
}
