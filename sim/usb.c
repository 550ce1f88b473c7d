/* SPDX-License-Identifier: Apache-2.0 */
/* The USB face of a chip from its description, and how it may misbehave. */
#include "sim/usb.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "device/mpu_usb.h"
#include "sim/internal.h"
#include "sim/mpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- options ------------------------------------------------------------------ */

int
pv_sim_usb_address(const char *text, struct pv_sim_usb *u, struct pv_error *e)
{
	const char *colon = strrchr(text, ':');
	const char *port = colon == NULL ? text : colon + 1;
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);
	uint64_t v;
	int r;

	if (n >= 2 && text[0] == '[' && text[n - 1] == ']') {
		text++;
		n -= 2;
	}
	if (n >= sizeof u->host || (colon != NULL && n == 0))
		return pv_fail(
		    e, PV_E_USAGE, "--usbip: '%s' names no host", text);
	r = pv_parse_u64(port, UINT16_MAX, "--usbip: port", &v, e);
	if (r != 0)
		return r;
	if (n == 0) {
		memcpy(u->host, "127.0.0.1", sizeof "127.0.0.1");
	} else {
		memcpy(u->host, text, n);
		u->host[n] = '\0';
	}
	u->port = (uint16_t)v;
	return 0;
}

/* The next "NAME=VALUE" or "NAME@VALUE" of a list; false at its end. */
struct word {
	char name[24];
	char value[32];
};

static int
next_word(
    const char **text, const char *option, struct word *w, struct pv_error *e)
{
	size_t n = strcspn(*text, ","), name = strcspn(*text, "=@");

	if (name == 0 || name >= n || name >= sizeof w->name ||
	    n - name - 1 >= sizeof w->value || n == name + 1)
		return pv_fail(e, PV_E_USAGE, "%s: '%.*s' is not NAME=VALUE",
		    option, (int)(n > 60 ? 60 : n), *text);
	memcpy(w->name, *text, name);
	w->name[name] = '\0';
	memcpy(w->value, *text + name + 1, n - name - 1);
	w->value[n - name - 1] = '\0';
	*text += n;
	if (**text == ',' && *++*text == '\0')
		return pv_fail(e, PV_E_USAGE, "%s: nothing after ','", option);
	return 0;
}

static int
set_poll(const char *value, struct pv_sim_usb *u, struct pv_error *e)
{
	static const char *const names[] = { "right", "long", "short", "zero",
		"absurd" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (strcmp(value, names[i]) == 0) {
			u->has_poll = true;
			u->poll = (enum pv_dd_poll)i;
			return 0;
		}
	}
	(void)pv_fail(e, PV_E_USAGE, "--usb: no poll times '%s'", value);
	return pv_hint(e, "known: right, long, short, zero, absurd");
}

static int
set_behavior(const struct word *w, struct pv_sim_usb *u, struct pv_error *e)
{
	uint64_t v;
	int r;

	if (strcmp(w->name, "poll") == 0)
		return set_poll(w->value, u, e);
	if (strcmp(w->name, "serial") == 0) {
		memcpy(u->serial, w->value, sizeof u->serial);
		return 0;
	}
	if (strcmp(w->name, "reserial") == 0) {
		memcpy(u->reserial, w->value, sizeof u->reserial);
		return 0;
	}
	if (strcmp(w->name, "transfer-size") == 0) {
		r = pv_parse_u64(
		    w->value, UINT16_MAX, "--usb: transfer size", &v, e);
		if (r == 0)
			u->transfer_size = (uint16_t)v;
		return r;
	}
	if (strcmp(w->name, "address") == 0 &&
	    (strcmp(w->value, "descriptor") == 0 ||
		strcmp(w->value, "request") == 0))
		u->by_descriptor = w->value[0] == 'd';
	else if (strcmp(w->name, "overread") == 0 &&
		 (strcmp(w->value, "hang") == 0 ||
		     strcmp(w->value, "short") == 0))
		u->overread_hangs = w->value[0] == 'h';
	else if (strcmp(w->name, "leave") == 0 &&
		 (strcmp(w->value, "early") == 0 ||
		     strcmp(w->value, "late") == 0))
		u->leave_early = w->value[0] == 'e';
	else {
		(void)pv_fail(e, PV_E_USAGE, "--usb: no behavior '%s=%s'",
		    w->name, w->value);
		return pv_hint(e,
		    "known: poll=..., address=request|descriptor, "
		    "overread=short|hang, leave=late|early, serial=TEXT, "
		    "reserial=TEXT, "
		    "transfer-size=N");
	}
	return 0;
}

int
pv_sim_usb_behavior(const char *text, struct pv_sim_usb *u, struct pv_error *e)
{
	struct word w;
	int r;

	while (*text != '\0') {
		if ((r = next_word(&text, "--usb", &w, e)) != 0)
			return r;
		if ((r = set_behavior(&w, u, e)) != 0)
			return r;
	}
	return 0;
}

static int
chance(const char *text, uint32_t *ret_millionths, struct pv_error *e)
{
	char *end = NULL;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v >= 0.0 && v <= 1.0))
		return pv_fail(e, PV_E_USAGE,
		    "--faults: '%s' is not a chance between 0 and 1", text);
	*ret_millionths = (uint32_t)(v * 1e6 + 0.5);
	return 0;
}

int
pv_sim_usb_faults(const char *text, struct pv_sim_usb *u, struct pv_error *e)
{
	struct word w;
	int r;

	while (*text != '\0') {
		if ((r = next_word(&text, "--faults", &w, e)) != 0)
			return r;
		if (strcmp(w.name, "unplug") == 0) {
			u->has_unplug = true;
			r = pv_parse_u64(w.value, UINT64_MAX,
			    "--faults: transfer", &u->unplug, e);
		} else if (strcmp(w.name, "powercut") == 0) {
			u->has_powercut = true;
			r = pv_parse_u64(w.value, UINT64_MAX,
			    "--faults: transfer", &u->powercut, e);
		} else if (strcmp(w.name, "reset") == 0) {
			u->has_reset = true;
			r = pv_parse_u64(w.value, UINT64_MAX,
			    "--faults: transfer", &u->reset_at, e);
		} else if (strcmp(w.name, "stall") == 0) {
			r = chance(w.value, &u->stall, e);
		} else if (strcmp(w.name, "timeout") == 0) {
			r = chance(w.value, &u->timeout, e);
		} else if (strcmp(w.name, "short") == 0) {
			r = chance(w.value, &u->shorten, e);
		} else {
			(void)pv_fail(e, PV_E_USAGE,
			    "--faults: no fault '%s' on USB", w.name);
			r = pv_hint(e,
			    "known faults: unplug@TRANSFERS, "
			    "powercut@TRANSFERS, reset@TRANSFERS, stall=P, "
			    "timeout=P, short=P");
		}
		if (r != 0)
			return r;
	}
	return 0;
}

/* xorshift64*: the same seed gives the same run. */
bool
pv_sim_usb_chance(struct pv_sim_usb_part *p, uint32_t millionths)
{
	uint64_t x = p->random;

	if (millionths == 0)
		return false;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	p->random = x;
	return (x * 0x2545f4914f6cdd1dU >> 33) % 1000000U < millionths;
}

/* --- what the part asks of the chip ---------------------------------------------- */

static uint64_t
do_now(void *ctx)
{
	(void)ctx;
	return (uint64_t)pv_now_us();
}

static enum pv_an_lock
do_lock(void *ctx)
{
	struct pv_sim *sim = ctx;

	return sim->control.lock(sim);
}

static int
do_mass_erase(void *ctx)
{
	struct pv_sim *sim = ctx;

	return sim->control.mass_erase(sim, PV_AN_ERASE_ALL);
}

static int
do_unprotect(void *ctx)
{
	struct pv_sim *sim = ctx;

	return sim->control.protect(sim, PV_AN_CLEAR_READ_PROTECTION, NULL, 0);
}

static int
do_write_options(void *ctx, const uint8_t *data, size_t len)
{
	struct pv_sim *sim = ctx;

	return sim->control.write_options(sim, data, len);
}

static void
do_go(void *ctx, uint32_t addr)
{
	struct pv_sim *sim = ctx;

	sim->control.go(sim, addr);
}

/* --- the part ---------------------------------------------------------------------- */

/* "/0x08000000/04*016Kg,01*064Kg" of all banks; false when too long. */
static bool
flash_map(const struct pv_chip *c, char *dst, size_t cap)
{
	int n = snprintf(dst, cap, "@Internal Flash  ");
	uint64_t at = 0;

	for (size_t b = 0; b < c->n_banks; b++) {
		const struct pv_flash_bank *k = &c->banks[b];
		bool joined = b > 0 && k->base == at;

		if (!joined)
			n += snprintf(dst + n, cap - (size_t)n, "/0x%08X/",
			    (unsigned int)k->base);
		for (size_t g = 0; g < k->n_groups && (size_t)n < cap; g++) {
			const struct pv_sector_group *s = &k->groups[g];
			bool kilo = s->size % 1024 == 0;

			n += snprintf(dst + n, cap - (size_t)n,
			    "%s%02u*%03u%cg", g > 0 || joined ? "," : "",
			    (unsigned int)s->count,
			    (unsigned int)(kilo ? s->size / 1024 : s->size),
			    kilo ? 'K' : 'B');
		}
		if ((size_t)n >= cap)
			return false;
		at = (uint64_t)k->base + k->size;
	}
	return true;
}

/* A part lists Read Unprotect here exactly when it has it on USART. */
static bool
has_unprotect(const struct pv_chip *c)
{
	for (size_t i = 0; i < c->n_opcodes; i++)
		if (c->opcodes[i] == PV_AN_READ_UNPROTECT)
			return true;
	return c->n_opcodes == 0;
}

static void
set_quirks(struct pv_sim_usb_part *p, const struct pv_chip *chip)
{
	struct pv_dd_config *c = &p->config;

	for (size_t i = 0; i < chip->n_dfu_quirks; i++) {
		const char *q = chip->dfu_quirks[i];

		if (strcmp(q, "poll-long") == 0)
			c->poll = PV_DD_POLL_LONG;
		else if (strcmp(q, "busy-zero-poll") == 0)
			c->poll = PV_DD_POLL_ZERO;
		else if (strcmp(q, "mass-erase-long") == 0)
			c->mass_erase_long = true;
		else if (strcmp(q, "erase-stalls-status") == 0)
			c->erase_stalls_status = true;
		else if (strcmp(q, "erase-busy-stuck") == 0)
			c->erase_busy_stuck =
			    chip->banks[0].size > 1U << 20 || chip->n_banks > 1;
		else if (strcmp(q, "clrstatus-stalls") == 0)
			c->clrstatus_stalls = true;
		else if (strcmp(q, "no-functional-descriptor") == 0)
			c->no_functional = true;
		else if (strcmp(q, "status-blocks") == 0)
			p->status_blocks = true;
		else if (strcmp(q, "gd32") == 0)
			c->gd32 = c->leave_early = true;
	}
}

static void
set_commands(struct pv_dd_config *c, bool unprotect)
{
	static const uint8_t commands[] = { 0x00, 0x21, 0x41, 0x92 };

	c->n_commands = sizeof commands - (unprotect ? 0 : 1);
	memcpy(c->commands, commands, sizeof commands);
}

int
pv_sim_usb_part(struct pv_sim *sim, const struct pv_sim_usb *opt,
    struct pv_sim_usb_part *p, struct pv_error *e)
{
	const struct pv_chip *chip = sim->chip;
	struct pv_dd_config *c = &p->config;

	memset(p, 0, sizeof *p);
	p->sim = sim;
	p->opt = opt;
	p->random = opt->seed * 0x9e3779b97f4a7c15U + 1;
	c->vendor = 0x0483;
	c->product = 0xdf11;
	c->device = 0x2200;
	if (sim->mpu != NULL) {
		c->device = 0x0200;
		p->mpu = pv_sim_mpu_machine(sim);
		if (opt->serial[0] != '\0')
			pv_sim_mpu_serial(sim, opt->serial);
		return 0;
	}
	p->control = (struct pv_dd_control){
		.ctx = sim,
		.now_us = do_now,
		.lock = do_lock,
		.mass_erase = do_mass_erase,
		.read_unprotect = do_unprotect,
		.write_options = do_write_options,
		.go = do_go,
	};
	if (opt->layout == NULL &&
	    !flash_map(chip, p->flash_map, sizeof p->flash_map))
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "chip '%s': its layout does not fit into a USB string",
		    chip->name);
	/* 12 characters that stay with the chip, as the ROMs have them. */
	pv_hex_encode(p->serial, sim->cert + 8, 6);
	c->serial = opt->serial[0] != '\0' ? opt->serial : p->serial;
	c->transfer_size =
	    (uint16_t)(chip->dfu_transfer_size > 0 ? chip->dfu_transfer_size
						   : 2048);
	if (opt->transfer_size > 0)
		c->transfer_size = opt->transfer_size;
	c->alts[c->n_alts++] = opt->layout != NULL ? opt->layout : p->flash_map;
	if (chip->has_option_area) {
		(void)snprintf(p->option_map, sizeof p->option_map,
		    "@Option Bytes  /0x%08X/01*%03u e",
		    (unsigned int)chip->option_area.base,
		    (unsigned int)chip->option_area.size);
		c->alts[c->n_alts++] = p->option_map;
		c->option_base = chip->option_area.base;
		c->option_size = chip->option_area.size;
	}
	c->flash_base = pv_chip_flash_base(chip);
	set_commands(c, has_unprotect(chip));
	if (opt->flash_times) {
		c->write_unit_us = chip->times.write_unit_typ_us;
		c->page_erase_us = chip->times.sector_erase_typ * 1000;
		c->mass_erase_us = chip->times.mass_erase_typ * 1000;
	}
	set_quirks(p, chip);
	if (opt->has_poll)
		c->poll = opt->poll;
	c->by_descriptor = opt->by_descriptor;
	c->overread_hangs = opt->overread_hangs;
	c->leave_early = c->leave_early || opt->leave_early;
	pv_dd_init(&p->dd, c, &sim->memory, &p->control);
	return 0;
}

/* --- transfers --------------------------------------------------------------------- */

/* DFU requests of an STM32MP, counted as those of the others are. */
static void
count(struct pv_dd_counts *c, const struct pv_dd_setup *s, enum pv_dd_end end)
{
	bool class = (s->type & 0x60U) == 0x20U;

	c->transfers++;
	if (class && s->request == 1)
		c->dnload++;
	else if (class && s->request == 2)
		c->upload++;
	else if (class && s->request == 3)
		c->getstatus++;
	else
		c->other++;
	if (class && s->request == 1 && s->length > 0)
		c->blocks++;
	if (end == PV_DD_STALL)
		c->stalls++;
}

enum pv_dd_end
pv_sim_usb_transfer(struct pv_sim_usb_part *p, const struct pv_dd_setup *setup,
    uint8_t *data, size_t *ret_len)
{
	enum pv_dd_end end;

	if (p->mpu == NULL)
		return pv_dd_transfer(&p->dd, setup, data, ret_len);
	end = pv_mp_usb_transfer(p->mpu, setup, data, ret_len);
	count(&p->dd.counts, setup, end);
	return end;
}

void
pv_sim_usb_restart(struct pv_sim_usb_part *p)
{
	struct pv_dd_counts counts = p->dd.counts;

	if (p->mpu != NULL) {
		pv_mp_reset(p->mpu);
		p->mpu->usb_left = false;
		return;
	}
	pv_sim_start(p->sim);
	pv_dd_init(&p->dd, &p->config, &p->sim->memory, &p->control);
	p->dd.counts = counts;
}

static enum pv_sim_usb_away
mpu_left(struct pv_sim_usb_part *p)
{
	if (!p->mpu->usb_left)
		return PV_SIM_USB_HERE;
	p->mpu->usb_left = false;
	if (p->mpu->stage == PV_MP_DEAD)
		return PV_SIM_USB_GONE;
	if (p->opt->reserial[0] != '\0')
		pv_sim_mpu_serial(p->sim, p->opt->reserial);
	return PV_SIM_USB_BACK;
}

enum pv_sim_usb_away
pv_sim_usb_left(struct pv_sim_usb_part *p)
{
	if (p->mpu != NULL)
		return mpu_left(p);
	switch (p->dd.gone) {
	case PV_DD_RESTARTS:
		pv_sim_usb_restart(p);
		return PV_SIM_USB_BACK;
	case PV_DD_RUNS:
		return PV_SIM_USB_GONE;
	case PV_DD_STAYS:
	case PV_DD_HANGS:
		break;
	}
	return PV_SIM_USB_HERE;
}

/* --- the account --------------------------------------------------------------------- */

static void
put_counts(struct pv_json *obj, const struct pv_dd_counts *c)
{
	pv_json_set_u64(obj, "transfers", c->transfers);
	pv_json_set_u64(obj, "dnload", c->dnload);
	pv_json_set_u64(obj, "upload", c->upload);
	pv_json_set_u64(obj, "getstatus", c->getstatus);
	pv_json_set_u64(obj, "other", c->other);
	pv_json_set_u64(obj, "stalls", c->stalls);
	pv_json_set_u64(obj, "pointers", c->pointers);
	pv_json_set_u64(obj, "page_erases", c->page_erases);
	pv_json_set_u64(obj, "mass_erases", c->mass_erases);
	pv_json_set_u64(obj, "blocks", c->blocks);
}

static void
add_counts(struct pv_dd_counts *t, const struct pv_dd_counts *c)
{
	t->transfers += c->transfers;
	t->dnload += c->dnload;
	t->upload += c->upload;
	t->getstatus += c->getstatus;
	t->other += c->other;
	t->stalls += c->stalls;
	t->pointers += c->pointers;
	t->page_erases += c->page_erases;
	t->mass_erases += c->mass_erases;
	t->blocks += c->blocks;
}

int
pv_sim_usb_client_end(struct pv_sim_usb_part *p, struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();
	char path[PV_SIM_PATH], *text = NULL;
	int r;

	p->clients++;
	add_counts(&p->total, &p->dd.counts);
	pv_json_set_str(root, "format", "provisor-sim-usb/1");
	pv_json_set_u64(root, "clients", p->clients);
	put_counts(pv_json_set_object(root, "last"), &p->dd.counts);
	put_counts(pv_json_set_object(root, "total"), &p->total);
	memset(&p->dd.counts, 0, sizeof p->dd.counts);
	r = pv_path_fit(path, sizeof path, p->sim->dir, PV_SIM_USB_COUNTS, e);
	if (r == 0)
		r = pv_json_print(root, &text, e);
	if (r == 0)
		r = pv_file_write(path, 0644, text, strlen(text), e);
	pv_json_free(root);
	free(text);
	return r;
}
