/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The install agent on packages in parts, with modules, key areas and
 * external flash: the chip goes on after a restart or a loss of power between
 * parts, and is erased after one inside a part. A sweep cuts the power at
 * every operation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/agent_check.h"

#define TOKEN  (FAKE_FLASH + 0xf000U)
#define MODULE (FAKE_FLASH + 0x4000U)
#define KEYS   (FAKE_FLASH + 0x5000U)
#define X1     (RIG_EXTERNAL + 0x100U)	/* and goes on in the third part */
#define X2     (RIG_EXTERNAL + 0x1008U) /* not at a block */

/* Numbers of areas, from 0. */
enum { BOOT, DATA, MOD, KEY, P1, R1, E1, P2, R2, E2, E3, LATE, OPT };

static void
pkg_external(struct pkg *p, uint32_t addr, uint32_t len, uint32_t region,
    uint32_t mode, uint32_t key)
{
	struct pkg_area *a = &p->area[p->n];

	pkg_area(p, 'E', addr, 12 + len);
	put32(a->plain, region);
	put32(a->plain + 4, mode);
	put32(a->plain + 8, key);
}

static void
pkg_module(struct pkg *p, uint32_t addr, uint32_t len)
{
	struct pkg_area *a = &p->area[p->n];

	pkg_area(p, 'M', addr, 48 + len);
	memcpy(a->plain, "SMIMAGIC", 8);
	put32(a->plain + 8, addr);
	put32(a->plain + 12, len);
}

static void
pkg_keys(struct pkg *p, uint32_t addr1, uint32_t addr2)
{
	struct pkg_area *a = &p->area[p->n];

	pkg_area(p, 'K', 0, 16);
	put32(a->plain, 16);
	put32(a->plain + 4, addr1);
	put32(a->plain + 8, 32);
	put32(a->plain + 12, addr2);
}

static int
setup_parts(void **state)
{
	struct both *b;
	struct pkg *p;

	assert_int_equal(setup(state), 0);
	b = *state;
	p = &b->p;
	rig_extend(&b->g);
	p->n = 0;
	pkg_area(p, 'F', FAKE_FLASH, 3000);
	pkg_area(p, 'F', FAKE_FLASH + 0x2006, 1501);
	pkg_module(p, MODULE, 200);
	pkg_keys(p, KEYS, KEYS + 0x40);
	pkg_area(p, 'P', TOKEN, 0);
	pkg_area(p, 'R', TOKEN, 0);
	pkg_external(p, X1, 0x200, 1, 2, KEYS);
	pkg_area(p, 'P', TOKEN, 32);
	pkg_area(p, 'R', TOKEN, 32);
	pkg_external(p, X1 + 0x200, 100, 1, 2, KEYS);
	pkg_external(p, X2, 50, 0, 1, FAKE_FLASH + 8); /* partly held back */
	pkg_area(p, 'F', FAKE_FLASH + 0x8000, 64);
	pkg_area(p, 'C', 0, RIG_OPTIONS);
	assert_int_equal(pkg_seal(p), 0);
	rig_power(&b->g);
	return 0;
}

/* --- what must be there --------------------------------------------------------- */

/* External flash is read through its decryption. */
static bool
external_is(const struct rig *g, const struct pkg_area *a)
{
	uint32_t region = a->plain[0], mode = a->plain[4];
	uint32_t key = a->plain[8] | (uint32_t)a->plain[9] << 8 |
		       (uint32_t)a->plain[10] << 16 |
		       (uint32_t)a->plain[11] << 24;

	for (uint32_t i = 0; i < a->len - 12; i++) {
		uint32_t addr = a->addr + i, base = addr & ~15U;
		uint8_t block[16];

		memcpy(block, g->external + (base - RIG_EXTERNAL), 16);
		rig_mix(region, mode, at(g, key), base, block, 16);
		if (block[addr % 16] != a->plain[12 + i])
			return false;
	}
	return true;
}

static bool
all_there(const struct rig *g, const struct pkg *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct pkg_area *a = &p->area[i];
		bool ok = true;

		switch (a->header[0]) {
		case 'F':
			ok = memcmp(at(g, a->addr), a->plain, a->len) == 0;
			break;
		case 'M':
			ok = memcmp(at(g, a->addr), a->plain + 48,
				 a->len - 48) == 0 &&
			     g->n_modules == 1 &&
			     memcmp(g->modules[0], a->plain, 48) == 0;
			break;
		case 'K': /* 16 bytes, and 32 that go on counting */
			for (uint8_t k = 0; k < 32; k++)
				ok = ok &&
				     at(g, KEYS + 0x40)[k] ==
					 (uint8_t)(at(g, KEYS)[15] + 1 + k);
			break;
		case 'E':
			ok = external_is(g, a);
			break;
		case 'C':
			ok = g->options_set &&
			     memcmp(g->options, a->plain, a->len) == 0;
			break;
		default:
			break;
		}
		if (!ok)
			return false;
	}
	return true;
}

/* Sectors of external flash: those an install touches, and the others. */
static bool
external_clean(const struct rig *g)
{
	for (size_t i = 0; i < RIG_EXTERNAL_SIZE; i++) {
		bool touched =
		    (i >= 0x100 && i < 0x400) || (i >= 0x1000 && i < 0x1100);

		if (g->external[i] != 0x66 &&
		    !(touched && g->external[i] == 0xff))
			return false;
	}
	return true;
}

/* Nothing of the package could start: no stack pointer, no reset vector. */
static void
assert_not_runnable(const struct rig *g, const struct pkg *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct pkg_area *a = &p->area[i];
		const uint8_t *f;

		if (a->header[0] != 'F')
			continue;
		f = at(g, a->addr & ~15U);
		assert_true(all_are(f, 16, 0xff) || all_are(f, 16, 0x55));
	}
}

/* --- the good way ------------------------------------------------------------------ */

static void
test_install_parts(void **state)
{
	struct both *b = *state;
	static const size_t chunks[] = { 1024, 1000, 7, 1 };

	for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
		rig_fill(&b->g);
		rig_power(&b->g);
		expect_result(rig_install(&b->g, &b->p, chunks[i]), PV_SI_OK,
		    PV_SI_STATE_DONE);
		assert_true(all_there(&b->g, &b->p));
		/* Two pauses, and the end. */
		assert_int_equal(b->g.fake.restarts, 3);
		assert_forgotten(&b->g, &b->p);
		/* Plaintext is not what external flash holds. */
		assert_true(memcmp(b->g.external + 0x100,
				b->p.area[E1].plain + 12, 16) != 0);
		/* The rest of its sectors, and the other ones. */
		assert_true(all_are(b->g.external + 0x370, 0x90, 0xff));
		assert_true(all_are(b->g.external + 0x400, 0xc00, 0x66));
	}
	/* The next install takes modules away. */
	assert_int_equal(pkg_usual(&b->g, &b->p), 0);
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	assert_int_equal(b->g.n_modules, 0);
	assert_true(installed(&b->g, &b->p));
}

/* Up to the end of area `last`. */
static void
install_until(struct both *b, size_t last)
{
	struct rig_answer s = rig_part(&b->g, &b->p);

	for (size_t i = 0; i <= last; i++) {
		expect_result(s, PV_SI_OK, PV_SI_STATE_READY);
		s = rig_area(&b->g, &b->p, i, 1024);
		if (b->p.area[i].header[0] == 'P' && i < last)
			s = rig_part(&b->g, &b->p);
	}
	assert_true(s.ok && s.result == PV_SI_OK);
}

static void
test_paused(void **state)
{
	struct both *b = *state;
	struct pv_part part[2] = { { b->p.header, 28 } };
	uint8_t chain[32];
	struct rig_answer s;

	install_until(b, P1);
	assert_int_equal(b->g.fake.restarts, 1);
	assert_not_runnable(&b->g, &b->p);
	assert_forgotten(&b->g, &b->p);
	/* What it holds is named: header and areas, tags included. */
	assert_int_equal(pv_sha256(part, 1, chain, NULL), 0);
	for (size_t i = 0; i <= P1; i++) {
		part[0] = (struct pv_part){ chain, 32 };
		part[1] = (struct pv_part){ b->p.area[i].header, 30 };
		assert_int_equal(pv_sha256(part, 2, chain, NULL), 0);
	}
	for (int i = 0; i < 3; i++) {
		s = rig_special(&b->g, PV_SI_PAUSE, NULL, 0, NULL, 0);
		expect_result(s, PV_SI_OK, PV_SI_STATE_PAUSED);
		assert_int_equal(s.len, 36);
		assert_int_equal(s.data[0], P1 + 1);
		assert_int_equal(s.data[2], b->p.n);
		assert_memory_equal(s.data + 4, chain, 32);
		/* Neither a reset nor a loss of power changes anything. */
		rig_power(&b->g);
	}
	/* Nobody reads it meanwhile, and nothing but a license is taken. */
	b->g.fake.out_len = 0;
	pv_an_feed(&b->g.an, (const uint8_t[]){ 0x11, 0xee }, 2);
	assert_int_equal(b->g.fake.out[0], 0x1f);
	rig_power(&b->g);
	expect_result(
	    command(b, PV_SI_HEADER), PV_SI_E_SEQUENCE, PV_SI_STATE_PAUSED);
	expect_result(
	    command(b, PV_SI_FINISH), PV_SI_E_SEQUENCE, PV_SI_STATE_PAUSED);
	expect_result(
	    rig_rest(&b->g, &b->p, R1, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(all_there(&b->g, &b->p));
	s = rig_special(&b->g, PV_SI_PAUSE, NULL, 0, NULL, 0);
	assert_true(all_are(s.data, 36, 0));
}

/* Another package, another chip's license: it waits on. */
static void
test_paused_other(void **state)
{
	struct both *b = *state;
	struct pkg *other = test_malloc(sizeof *other);
	uint8_t bit;

	install_until(b, P1);
	memcpy(other, &b->p, sizeof *other);
	other->n = 3;
	assert_int_equal(pkg_seal(other), 0);
	expect_result(
	    rig_part(&b->g, other), PV_SI_E_PACKAGE, PV_SI_STATE_PAUSED);
	other->license[200] ^= 1;
	expect_result(rig_part(&b->g, other), PV_SI_E_LICENSE_SIGNATURE,
	    PV_SI_STATE_PAUSED);
	/* The same header, but not R, or an R elsewhere. */
	expect_result(rig_rest(&b->g, &b->p, E1, 1024), PV_SI_E_AREA_ORDER,
	    PV_SI_STATE_PAUSED);
	bit = b->p.area[R1].header[9];
	b->p.area[R1].header[9] ^= 0x10;
	expect_result(rig_rest(&b->g, &b->p, R1, 1024), PV_SI_E_AREA_RANGE,
	    PV_SI_STATE_PAUSED);
	b->p.area[R1].header[9] = bit;
	assert_not_runnable(&b->g, &b->p);
	/* An R whose tag is wrong was begun: it fails. */
	b->p.area[R1].header[20] ^= 1;
	expect_result(rig_rest(&b->g, &b->p, R1, 1024), PV_SI_E_AREA_TAG,
	    PV_SI_STATE_FAILED);
	assert_erased(&b->g);
	assert_true(external_clean(&b->g));
	assert_int_equal(b->g.n_modules, 0);
	test_free(other);
}

static void
test_paused_abort(void **state)
{
	struct both *b = *state;

	for (size_t last = P1; last <= P2; last += P2 - P1) {
		rig_fill(&b->g);
		rig_power(&b->g);
		install_until(b, last);
		rig_power(&b->g);
		expect_result(
		    command(b, PV_SI_ABORT), PV_SI_OK, PV_SI_STATE_FAILED);
		assert_erased(&b->g);
		assert_true(external_clean(&b->g));
		assert_int_equal(b->g.n_modules, 0);
		assert_false(pv_agent_installing(&b->g.agent));
		expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_OK,
		    PV_SI_STATE_DONE);
		assert_true(all_there(&b->g, &b->p));
	}
}

/* What was programmed before a pause is read back at the very end. */
static void
test_changed_in_pause(void **state)
{
	struct both *b = *state;

	install_until(b, P2);
	b->g.external[0x180] ^= 0x10;
	expect_result(rig_rest(&b->g, &b->p, R2, 1024), PV_SI_E_FLASH_PROGRAM,
	    PV_SI_STATE_FAILED);
	assert_erased(&b->g);
	assert_true(external_clean(&b->g));
}

/* A start looks first: Readout Unprotect, say, erased what was there. */
static void
test_erased_in_pause(void **state)
{
	struct both *b = *state;

	for (int outside = 0; outside < 2; outside++) {
		rig_fill(&b->g);
		rig_power(&b->g);
		install_until(b, P2);
		if (outside)
			b->g.external[0x180] ^= 0x10;
		else
			memset(b->g.fake.flash, 0xff, sizeof b->g.fake.flash);
		rig_power(&b->g);
		assert_int_equal(b->g.agent.state, PV_SI_STATE_FAILED);
		assert_erased(&b->g);
		assert_true(external_clean(&b->g));
		assert_int_equal(b->g.n_modules, 0);
		assert_false(pv_agent_installing(&b->g.agent));
	}
	/* The external flash itself is gone: what is inside goes too. */
	rig_fill(&b->g);
	rig_power(&b->g);
	install_until(b, P2);
	b->g.agent_config.external = NULL;
	rig_power(&b->g);
	assert_int_equal(b->g.agent.state, PV_SI_STATE_FAILED);
	assert_erased(&b->g);
}

/* --- rules -------------------------------------------------------------------------- */

/* The package up to `n` areas, sealed again: how is it answered? */
static void
refused(struct both *b, size_t n, uint16_t result)
{
	struct rig_answer s;

	b->p.n = n;
	assert_int_equal(pkg_seal(&b->p), 0);
	rig_fill(&b->g);
	rig_power(&b->g);
	s = rig_install(&b->g, &b->p, 1024);
	if (s.result != result)
		print_message("result 0x%04x, not 0x%04x\n", s.result, result);
	expect_result(s, result, PV_SI_STATE_FAILED);
	assert_erased(&b->g);
	assert_true(external_clean(&b->g));
	assert_false(b->g.options_set);
	assert_forgotten(&b->g, &b->p);
	b->p.n = OPT + 1;
}

static void
with_word(
    struct both *b, size_t area, size_t off, uint32_t value, uint16_t result)
{
	uint8_t *w = b->p.area[area].plain + off, old[4];

	memcpy(old, w, 4);
	put32(w, value);
	refused(b, OPT + 1, result);
	memcpy(w, old, 4);
}

static void
with_header(
    struct both *b, size_t area, size_t off, uint32_t value, uint16_t result)
{
	uint8_t *w = b->p.area[area].header + off, old[4];
	uint32_t len = b->p.area[area].len;

	memcpy(old, w, 4);
	put32(w, value);
	if (off == 4)
		b->p.area[area].len = value;
	refused(b, OPT + 1, result);
	memcpy(w, old, 4);
	b->p.area[area].len = len;
}

static void
test_external_rules(void **state)
{
	struct both *b = *state;

	with_word(b, E1, 0, 4, PV_SI_E_AREA_MODE);
	with_word(b, E1, 4, 3, PV_SI_E_AREA_MODE);
	with_word(b, E1, 8, KEYS + 1, PV_SI_E_AREA_KEY);
	with_word(b, E1, 8, FAKE_FLASH + 0x7000, PV_SI_E_AREA_KEY);
	with_word(b, E1, 8, MODULE, PV_SI_E_AREA_KEY); /* known to others */
	with_word(b, E1, 8, FAKE_RAM, PV_SI_E_AREA_KEY);
	with_header(b, E1, 4, 12, PV_SI_E_AREA_SIZE);
	with_header(b, E1, 8, RIG_EXTERNAL + RIG_EXTERNAL_SIZE - 0x1ff,
	    PV_SI_E_AREA_RANGE);
	with_header(b, E1, 8, RIG_EXTERNAL - 16, PV_SI_E_AREA_RANGE);
	with_header(b, E1, 8, FAKE_FLASH + 0x9000, PV_SI_E_AREA_RANGE);
	with_header(b, E2, 8, X1 + 0x1f0, PV_SI_E_AREA_OVERLAP);
	with_header(b, E3, 8, X1 + 0x20f, PV_SI_E_AREA_OVERLAP);
	b->g.agent_config.external = NULL;
	refused(b, OPT + 1, PV_SI_E_AREA_TYPE);
}

static void
test_module_rules(void **state)
{
	struct both *b = *state;

	with_word(b, MOD, 0, 0, PV_SI_E_MODULE_FORMAT);
	with_word(b, MOD, 8, MODULE + 16, PV_SI_E_MODULE_FORMAT);
	with_word(b, MOD, 12, 199, PV_SI_E_MODULE_FORMAT);
	with_header(b, MOD, 4, 48, PV_SI_E_AREA_SIZE);
	with_header(b, MOD, 8, FAKE_FLASH + 0x2000, PV_SI_E_AREA_OVERLAP);
	with_header(b, MOD, 8, RIG_EXTERNAL, PV_SI_E_AREA_RANGE);
	b->g.store.module_keep = NULL;
	refused(b, OPT + 1, PV_SI_E_AREA_MODULE);
}

static void
test_key_rules(void **state)
{
	struct both *b = *state;

	with_word(b, KEY, 4, FAKE_FLASH + 16, PV_SI_E_AREA_OVERLAP);
	with_word(b, KEY, 12, KEYS + 8, PV_SI_E_AREA_OVERLAP);
	with_word(b, KEY, 4, RIG_EXTERNAL, PV_SI_E_AREA_RANGE);
	with_word(b, KEY, 4, FAKE_FLASH + 0xfff8, PV_SI_E_AREA_RANGE);
	with_word(b, KEY, 0, 0, PV_SI_E_AREA_SIZE);
	with_header(b, KEY, 4, 15, PV_SI_E_AREA_SIZE);
	with_header(b, KEY, 4, 0, PV_SI_E_AREA_SIZE);
	b->g.crypto.random = NULL;
	refused(b, OPT + 1, PV_SI_E_AREA_TYPE);
}

static void
test_mark_rules(void **state)
{
	struct both *b = *state;

	refused(b, P1 + 1, PV_SI_E_AREA_ORDER); /* nothing behind it */
	b->p.area[DATA].header[0] = 'R';	/* no pause before it */
	with_header(b, DATA, 4, 0, PV_SI_E_AREA_ORDER);
	b->p.area[DATA].header[0] = 'F';
	with_header(b, P1, 4, 33, PV_SI_E_AREA_SIZE);
	with_header(b, P1, 8, FAKE_RAM, PV_SI_E_AREA_RANGE);
}

/* A look at every area before the first erases anything. */
static void
test_check(void **state)
{
	struct both *b = *state;
	uint8_t head[30];

	for (int letter = 0; letter < 256; letter++) {
		struct rig_answer s;

		rig_fill(&b->g);
		rig_power(&b->g);
		expect_result(
		    rig_part(&b->g, &b->p), PV_SI_OK, PV_SI_STATE_READY);
		for (size_t i = 0; i < b->p.n; i++)
			expect_result(rig_special(&b->g, PV_SI_CHECK,
					  b->p.area[i].header, 30, NULL, 0),
			    PV_SI_OK, PV_SI_STATE_READY);
		memcpy(head, b->p.area[LATE].header, 30);
		head[0] = (uint8_t)letter;
		s = rig_special(&b->g, PV_SI_CHECK, head, 30, NULL, 0);
		assert_true(s.ok);
		if (strchr("FMK", letter) == NULL || letter == 0) {
			assert_int_not_equal(s.result, PV_SI_OK);
			assert_int_equal(s.state, PV_SI_STATE_IDLE);
		}
		if (strchr("FMKECPR", letter) == NULL)
			assert_int_equal(s.result, PV_SI_E_AREA_TYPE);
		assert_untouched(&b->g);
		assert_int_equal(b->g.fake.ops, 0);
	}
	/* Later it makes no sense. */
	install_until(b, BOOT);
	expect_result(
	    rig_special(&b->g, PV_SI_CHECK, b->p.area[1].header, 30, NULL, 0),
	    PV_SI_E_SEQUENCE, PV_SI_STATE_FAILED);
}

/* --- faults -------------------------------------------------------------------------- */

static void
test_one_failure(void **state)
{
	struct both *b = *state;
	unsigned int n, erased = 0;

	for (n = 1;; n++) {
		struct rig_answer s;

		rig_fill(&b->g);
		rig_power(&b->g);
		b->g.fake.ops = 0;
		b->g.fake.fail_at = n;
		s = rig_install(&b->g, &b->p, 1024);
		b->g.fake.fail_at = 0;
		assert_true(s.ok);
		if (s.result == PV_SI_OK)
			break;
		assert_forgotten(&b->g, &b->p);
		if (s.state == PV_SI_STATE_BROKEN) {
			expect_result(command(b, PV_SI_ABORT), PV_SI_OK,
			    PV_SI_STATE_DONE);
			assert_true(all_there(&b->g, &b->p));
			continue;
		}
		assert_int_equal(s.state, PV_SI_STATE_FAILED);
		assert_erased(&b->g);
		assert_true(external_clean(&b->g));
		assert_int_equal(b->g.n_modules, 0);
		erased++;
	}
	assert_true(all_there(&b->g, &b->p));
	assert_int_equal(erased, n - 2);
}

/* Install until the power goes at operation n; false when it never did. */
static bool
cut_at(struct both *b, unsigned int n, size_t from)
{
	jmp_buf cut;

	b->g.fake.ops = 0;
	b->g.fake.cut_at = n;
	b->g.fake.cut = &cut;
	if (setjmp(cut) != 0) {
		b->g.fake.cut_at = 0;
		return true;
	}
	expect_result(
	    rig_rest(&b->g, &b->p, from, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	b->g.fake.cut_at = 0;
	return false;
}

/* Power on until it stays on; the k-th operation of the first is cut, too. */
static void
power_on(struct both *b, unsigned int k)
{
	jmp_buf cut;

	b->g.fake.ops = 0;
	b->g.fake.cut_at = k;
	b->g.fake.cut = &cut;
	if (setjmp(cut) == 0)
		rig_power(&b->g);
	b->g.fake.cut_at = 0;
	rig_power(&b->g);
}

struct tally {
	unsigned int idle, failed, done, paused;
};

/* Whatever was cut: erased, or whole, or waiting and not runnable. */
static void
look_and_finish(struct both *b, struct tally *t)
{
	struct rig *g = &b->g;
	struct rig_answer s;

	switch (g->agent.state) {
	case PV_SI_STATE_IDLE:
		assert_untouched(g);
		t->idle++;
		break;
	case PV_SI_STATE_FAILED:
		assert_erased(g);
		assert_true(external_clean(g));
		assert_int_equal(g->n_modules, 0);
		assert_false(g->options_set);
		t->failed++;
		break;
	case PV_SI_STATE_DONE:
		assert_true(all_there(g, &b->p));
		t->done++;
		return;
	case PV_SI_STATE_PAUSED:
		assert_not_runnable(g, &b->p);
		assert_false(g->options_set);
		assert_true(pv_agent_installing(&g->agent));
		t->paused++;
		/* It goes on where it was, and ends verified. */
		s = rig_special(g, PV_SI_PAUSE, NULL, 0, NULL, 0);
		assert_false(cut_at(b, 0, s.data[0]));
		assert_true(all_there(g, &b->p));
		return;
	default:
		fail();
	}
	assert_false(pv_agent_installing(&g->agent));
	assert_false(cut_at(b, 0, 0));
	assert_true(all_there(g, &b->p));
}

static void
sweep(struct both *b, unsigned int second)
{
	struct tally t = { 0 };
	unsigned int n;

	for (n = 1;; n++) {
		rig_fill(&b->g);
		rig_power(&b->g);
		if (!cut_at(b, n, 0))
			break;
		if (second == 0)
			rig_power(&b->g);
		else
			power_on(b, second);
		look_and_finish(b, &t);
	}
	print_message("%u cuts: %u untouched, %u erased, %u paused, %u done\n",
	    n - 1, t.idle, t.failed, t.paused, t.done);
	/* The first note; then a part under way; after each pause and before
	 * the next part's first note; the option bytes and the last note. */
	assert_true(n > 380);
	assert_int_equal(t.idle, 1);
	assert_int_equal(t.paused, 2);
	assert_int_equal(t.done, 2);
	assert_int_equal(t.failed, n - 1 - 5);
}

static void
test_power_cuts(void **state)
{
	sweep(*state, 0);
}

/* And the supply fails again while the start cleans up. */
static void
test_power_cuts_twice(void **state)
{
	for (unsigned int k = 1; k <= 4; k++)
		sweep(*state, k);
}

/* In the resumed part it is a part under way again. */
static void
test_power_cuts_resumed(void **state)
{
	struct both *b = *state;
	struct tally t = { 0 };
	unsigned int n;

	for (n = 1;; n++) {
		rig_fill(&b->g);
		rig_power(&b->g);
		install_until(b, P1);
		rig_power(&b->g);
		if (!cut_at(b, n, R1))
			break;
		rig_power(&b->g);
		look_and_finish(b, &t);
	}
	assert_int_equal(t.idle, 0);
	assert_int_equal(t.paused, 2); /* at both notes, as they were */
	assert_int_equal(t.done, 2);
	assert_int_equal(t.failed, n - 1 - 4);
}

/* A damaged note: what is outside cannot be known, what is inside goes. */
static void
test_damaged_note(void **state)
{
	struct both *b = *state;

	install_until(b, P2);
	b->g.note[300] ^= 1;
	rig_power(&b->g);
	assert_int_equal(b->g.agent.state, PV_SI_STATE_FAILED);
	assert_erased(&b->g);
	/* What stays outside is ciphertext, and its key is erased. */
	assert_true(
	    memcmp(b->g.external + 0x100, b->p.area[E1].plain + 12, 16) != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup_parts, teardown)
		T(test_install_parts),
		T(test_paused),
		T(test_paused_other),
		T(test_paused_abort),
		T(test_changed_in_pause),
		T(test_erased_in_pause),
		T(test_external_rules),
		T(test_module_rules),
		T(test_key_rules),
		T(test_mark_rules),
		T(test_check),
		T(test_one_failure),
		T(test_power_cuts),
		T(test_power_cuts_twice),
		T(test_power_cuts_resumed),
		T(test_damaged_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
