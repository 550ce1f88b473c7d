/* SPDX-License-Identifier: Apache-2.0 */
/* The install agent on a virtual chip. */
#include "sim/internal.h"

#include "base/buf.h"

#include <string.h>

enum pv_agent_note
pv_sim_install_state(const struct pv_sim_state *state)
{
	return pv_agent_note_state(state->note);
}

const char *
pv_sim_install_name(enum pv_agent_note install)
{
	switch (install) {
	case PV_AGENT_NOTE_NONE:
		return "never";
	case PV_AGENT_NOTE_UNDER_WAY:
		return "cut off, erased at the next start";
	case PV_AGENT_NOTE_DONE:
		return "finished";
	case PV_AGENT_NOTE_FAILED:
		return "failed, erased";
	case PV_AGENT_NOTE_APPLYING:
		return "cut off at its option bytes, finished at the next "
		       "start";
	case PV_AGENT_NOTE_PAUSED:
		return "between two parts, waits for the rest; does not start";
	case PV_AGENT_NOTE_INVALID:
		break;
	}
	return "note damaged, all flash erased at the next start";
}

/* --- option words ------------------------------------------------------------ */

/*
 * Word 0 of a C area holds the state of the part in bits 15:8:
 * STM32H7: RDP of FLASH_OPTSR, 0xAA level 0, 0xCC level 2 for good, any
 * other value level 1 (RM0433, FLASH_OPTSR_PRG).
 * STM32H5: PRODUCT_STATE of FLASH_OPTSR, 0xED open, 0x17 provisioning, 0x5C
 * locked for good, others closed (RM0481, FLASH_OPTSR_PRG).
 */
int
pv_sim_options_level(
    const struct pv_chip *chip, const uint32_t *words, size_t n)
{
	uint32_t state;

	if (n == 0)
		return -1;
	state = (words[0] >> 8) & 0xff;
	if (strcmp(chip->family, "STM32H7") == 0)
		return state == 0xaa ? 0 : state == 0xcc ? 2 : 1;
	if (strcmp(chip->family, "STM32H5") == 0)
		return state == 0xed || state == 0x17 ? 0
		       : state == 0x5c		      ? 2
						      : 1;
	return -1;
}

static size_t
words_of(const uint8_t *data, size_t len, uint32_t words[PV_SIM_OPTION_WORDS])
{
	size_t n = len / 4;

	if (len % 4 != 0 || n > PV_SIM_OPTION_WORDS)
		return 0;
	for (size_t i = 0; i < n; i++)
		words[i] = pv_get_u32le(data + 4 * i);
	return n;
}

static int
options_check(void *ctx, const uint8_t *data, size_t len)
{
	const struct pv_sim *sim = ctx;
	uint32_t words[PV_SIM_OPTION_WORDS];
	size_t n = words_of(data, len, words);

	if (n == 0)
		return -1;
	if (pv_sim_options_level(sim->chip, words, n) == 2 &&
	    !sim->state.allow_irreversible)
		return -1;
	return 0;
}

static int
options_apply(void *ctx, const uint8_t *data, size_t len)
{
	struct pv_sim *sim = ctx;
	uint32_t words[PV_SIM_OPTION_WORDS];
	size_t n = words_of(data, len, words);
	int level;

	if (options_check(ctx, data, len) != 0)
		return -1;
	level = pv_sim_options_level(sim->chip, words, n);
	sim->state.n_option_words = n;
	memcpy(sim->state.option_words, words, n * sizeof words[0]);
	if (level >= 0)
		sim->state.rdp = (unsigned int)level;
	return pv_sim_save(sim);
}

/* --- the note ------------------------------------------------------------------ */

static int
note_read(void *ctx, uint8_t note[PV_AGENT_NOTE_LEN])
{
	const struct pv_sim *sim = ctx;

	memcpy(note, sim->state.note, PV_AGENT_NOTE_LEN);
	return 0;
}

static int
note_write(void *ctx, const uint8_t note[PV_AGENT_NOTE_LEN])
{
	struct pv_sim *sim = ctx;

	if (pv_agent_note_state(note) == PV_AGENT_NOTE_DONE)
		sim->state.installs++;
	if (pv_agent_note_state(note) == PV_AGENT_NOTE_FAILED)
		sim->state.failures++;
	memcpy(sim->state.note, note, PV_AGENT_NOTE_LEN);
	return pv_sim_save(sim);
}

/* --- modules -------------------------------------------------------------------- */

static int
module_keep(void *ctx, const uint8_t header[PV_SIM_MODULE])
{
	struct pv_sim *sim = ctx;
	struct pv_sim_state *s = &sim->state;

	for (size_t i = 0; i < s->n_modules; i++)
		if (memcmp(s->modules[i], header, PV_SIM_MODULE) == 0)
			return 0;
	if (s->n_modules == PV_SIM_MODULES)
		return -1;
	memcpy(s->modules[s->n_modules++], header, PV_SIM_MODULE);
	return pv_sim_save(sim);
}

static int
modules_forget(void *ctx)
{
	struct pv_sim *sim = ctx;

	if (sim->state.n_modules == 0)
		return 0;
	sim->state.n_modules = 0;
	return pv_sim_save(sim);
}

void
pv_sim_agent_start(struct pv_sim *sim)
{
	const struct pv_chip *chip = sim->chip;

	sim->agent_config = (struct pv_agent_config){
		.device_id = (uint16_t)chip->device_id,
		.flash_base = sim->flash_base,
		.flash_size = (uint32_t)sim->flash_size,
		.erased = chip->erased,
		.option_bytes = chip->option_words * 4,
		.iv_add = sim->state.iv_add,
		.certificate = sim->cert,
		.campaign_hash =
		    sim->state.pinned ? sim->state.campaign_key : NULL,
		.external = pv_sim_external(sim),
	};
	if (sim->agent_config.option_bytes > PV_AGENT_OPTIONS)
		sim->agent_config.option_bytes = 0;
	sim->agent_store = (struct pv_agent_store){
		.ctx = sim,
		.note_read = note_read,
		.note_write = note_write,
		.options_check = options_check,
		.options_apply = options_apply,
		.module_keep = module_keep,
		.modules_forget = modules_forget,
	};
	sim->specials = (struct pv_an_specials){
		.ctx = &sim->agent,
		.known = pv_agent_known,
		.run = pv_agent_run,
	};
	pv_agent_init(&sim->agent, &sim->agent_config, &sim->memory,
	    &sim->crypto_ops, &sim->agent_store);
}
