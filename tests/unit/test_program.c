/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programming with what saves time (checksums, equal sectors, erased units,
 * whole frames), and over a line that loses and damages bytes at random.
 */
#include <provisor/push.h>

#include "fakeboot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define RUNS 100U /* seeds; all of them end well or say that they did not */

struct rig {
	struct fakeboot *b;
	struct pv_link link;
	struct pv_chip chip;
	struct pv_usart *u;
	struct pv_boot boot;
	struct pv_image *img;
	struct pv_plan *plan;
	struct pv_plan_report rep;
	struct pv_error e;
};

static void
fill(uint8_t *p, size_t n, uint32_t seed)
{
	while (n-- > 0) {
		seed = seed * 1664525U + 1013904223U;
		*p++ = (uint8_t)(seed >> 24);
	}
}

static void
rig_new(struct rig *g, const uint8_t *data, size_t n, uint32_t addr)
{
	memset(g, 0, sizeof(*g));
	g->b = fb_new();
	g->chip = fb_chip();
	g->link = fb_link(g->b);
	assert_int_equal(pv_image_new(&g->img, &g->e), 0);
	assert_int_equal(pv_image_add(g->img, addr, data, n, "test", &g->e), 0);
	assert_int_equal(pv_plan_new(g->img, &g->chip, PV_USART_BLOCK, false,
			     &g->plan, &g->e),
	    0);
}

static int
rig_open(struct rig *g, const struct pv_usart_options *opt)
{
	int r;

	pv_usart_free(g->u);
	g->u = NULL;
	r = pv_usart_open_with(&g->link, NULL, opt, &g->u, &g->e);
	if (r != 0)
		return r;
	pv_usart_set_chip(g->u, &g->chip);
	pv_boot_usart(g->u, &g->boot);
	return 0;
}

static void
rig_free(struct rig *g)
{
	pv_plan_free(g->plan);
	pv_image_free(g->img);
	pv_usart_free(g->u);
	free(g->b);
}

static void
with_checksums(struct rig *g)
{
	g->b->opcodes = fb_opcodes_crc;
	g->b->n_opcodes = sizeof(fb_opcodes_crc);
}

static int
program(struct rig *g, bool only_changed, bool coalesce)
{
	struct pv_plan_options opt = { .only_changed = only_changed,
		.coalesce = coalesce };

	g->b->n_erases = g->b->n_writes = g->b->n_crcs = 0;
	return pv_plan_program_with(
	    g->plan, &g->boot, &opt, NULL, &g->rep, &g->e);
}

/* --- what saves time ------------------------------------------------------------ */

static void
test_by_checksum(void **state)
{
	static uint8_t data[20000];
	struct rig g;
	uint64_t before;

	(void)state;
	fill(data, sizeof(data), 1);
	rig_new(&g, data, sizeof(data), FB_FLASH);
	with_checksums(&g);
	assert_int_equal(rig_open(&g, NULL), 0);
	before = g.b->total_out;
	assert_int_equal(program(&g, false, false), 0);
	assert_memory_equal(g.b->flash, data, sizeof(data));
	assert_true(g.rep.by_checksum);
	assert_int_equal(g.rep.verified, 20000);
	assert_int_equal(g.b->n_crcs, 2); /* the probe, all but the head */
	assert_true(g.b->total_out - before < 1000); /* nothing read back */
	rig_free(&g);
}

/* A sector that does not take the data is found by halving, and named. */
static void
test_checksum_finds(void **state)
{
	static uint8_t data[20000];
	struct rig g;

	(void)state;
	fill(data, sizeof(data), 2);
	rig_new(&g, data, sizeof(data), FB_FLASH);
	with_checksums(&g);
	g.b->protected_page = 5;
	assert_int_equal(rig_open(&g, NULL), 0);
	assert_int_equal(program(&g, false, false), PV_E_VERIFY);
	assert_non_null(strstr(g.e.msg, "0x08002800"));
	assert_int_equal(g.rep.state, PV_DEVICE_PARTIAL);
	/* The head was never written: it cannot start. */
	assert_int_equal(g.b->flash[0], 0xff);
	rig_free(&g);
}

static void
test_checksum_lies(void **state)
{
	static uint8_t data[5000];
	struct rig g;

	(void)state;
	fill(data, sizeof(data), 2);
	rig_new(&g, data, sizeof(data), FB_FLASH);
	with_checksums(&g);
	g.b->crc_wrong = true;
	assert_int_equal(rig_open(&g, NULL), 0);
	assert_int_equal(program(&g, false, false), 0);
	assert_false(g.rep.by_checksum);
	assert_int_equal(g.rep.verified, 5000);
	assert_memory_equal(g.b->flash, data, sizeof(data));
	rig_free(&g);
}

static void
check_only_changed(bool checksums)
{
	static uint8_t data[16384], other[16384];
	struct rig g, h;
	struct fakeboot *b;

	fill(data, sizeof(data), 3);
	rig_new(&g, data, sizeof(data), FB_FLASH);
	if (checksums)
		with_checksums(&g);
	assert_int_equal(rig_open(&g, NULL), 0);
	assert_int_equal(program(&g, true, false), 0);
	assert_int_equal(g.rep.kept, 0);
	assert_int_equal(g.b->n_erases, 8);
	/* Again: nothing is erased or written. */
	assert_int_equal(program(&g, true, false), 0);
	assert_int_equal(g.rep.kept, 8);
	assert_int_equal(g.rep.kept_bytes, 16384);
	assert_int_equal(g.rep.verified, 16384);
	assert_int_equal(g.b->n_erases, 0);
	assert_int_equal(g.b->n_writes, 0);
	assert_int_equal(g.rep.state, PV_DEVICE_DONE);
	if (checksums)
		assert_int_equal(g.b->n_crcs, 1); /* trusted before */
	/* One byte in sector 5: that one, and the one with the first frame. */
	memcpy(other, data, sizeof(other));
	other[5 * 2048 + 77] ^= 1;
	rig_new(&h, other, sizeof(other), FB_FLASH);
	b = h.b;
	free(b);
	h.b = g.b;
	h.link = fb_link(h.b);
	assert_int_equal(rig_open(&h, NULL), 0);
	assert_int_equal(program(&h, true, false), 0);
	assert_int_equal(h.rep.kept, 6);
	assert_int_equal(h.b->n_erases, 2);
	assert_int_equal(h.b->n_writes, 16);
	assert_memory_equal(h.b->flash, other, sizeof(other));
	g.b = NULL;
	rig_free(&h);
	rig_free(&g);
}

static void
test_only_changed(void **state)
{
	(void)state;
	check_only_changed(false);
}

static void
test_only_changed_checksum(void **state)
{
	(void)state;
	check_only_changed(true);
}

/* Erased write units are not sent, wherever they are in a frame (S6). */
static void
test_gaps(void **state)
{
	static uint8_t data[4096];
	struct rig g;

	(void)state;
	memset(data, 0xff, sizeof(data));
	fill(data, 40, 4);	  /* the head, and a tail of nothing */
	fill(data + 1024, 16, 5); /* two pieces with a long gap */
	fill(data + 1024 + 200, 16, 6);
	fill(data + 2048, 16, 7); /* a gap too short to pay */
	fill(data + 2048 + 40, 16, 8);
	data[3000] = 0x12; /* one byte: one write unit of 8 */
	rig_new(&g, data, sizeof(data), FB_FLASH);
	assert_int_equal(rig_open(&g, NULL), 0);
	assert_int_equal(program(&g, false, false), 0);
	assert_memory_equal(g.b->flash, data, sizeof(data));
	assert_int_equal(g.b->n_writes, 5);
	assert_int_equal(g.rep.written, 40 + 16 + 16 + 56 + 8);
	assert_int_equal(g.rep.skipped, 4096 - (40 + 16 + 16 + 56 + 8));
	assert_int_equal(g.rep.verified, 4096);
	rig_free(&g);
}

static void
test_coalesced(void **state)
{
	struct pv_usart_options opt = { .coalesce = true };
	const struct pv_usart_counters *c;
	static uint8_t data[32768];
	struct rig g;

	(void)state;
	fill(data, sizeof(data), 6);
	rig_new(&g, data, sizeof(data), FB_FLASH);
	assert_int_equal(rig_open(&g, &opt), 0);
	assert_int_equal(rig_open(&g, &opt), 0);
	assert_int_equal(program(&g, false, true), 0);
	assert_memory_equal(g.b->flash, data, sizeof(data));
	c = pv_usart_counters(g.u);
	assert_int_equal(c->blocks_lockstep, 1); /* the last frame */
	assert_true(c->blocks_coalesced > 100);
	assert_true(c->blocks_screened > 0);
	assert_int_equal(c->blocks_coalesced + c->blocks_merged, 127);
	assert_int_equal(c->fallbacks, 0);
	rig_free(&g);
}

/* --- a bad line -------------------------------------------------------------------- */

/*
 * Each seed ends in a verified image or in an error of the device class, and
 * a session that says that all is well is right.
 */
static void
noisy(uint32_t noise, const struct pv_usart_options *opt, bool checksums,
    unsigned *ret_good)
{
	static uint8_t data[16384];
	unsigned seed, good = 0;
	struct rig g;
	int r;

	for (seed = 1; seed <= RUNS; seed++) {
		fill(data, sizeof(data), seed);
		rig_new(&g, data, sizeof(data), FB_FLASH);
		if (checksums)
			with_checksums(&g);
		g.b->seed = seed * 2654435761U | 1U;
		g.b->noise = noise;
		memset(g.b->flash + 32768, 0x5a, 2048); /* a neighbor */
		r = rig_open(&g, opt);
		if (r == 0)
			r = program(&g, false, opt != NULL && opt->coalesce);
		if (r == 0) {
			assert_memory_equal(g.b->flash, data, sizeof(data));
			assert_int_equal(g.rep.state, PV_DEVICE_DONE);
			good++;
		} else {
			assert_true(g.e.msg[0] != '\0');
			assert_int_equal(pv_exit_code(r), 7);
		}
		/* Nothing that was not asked for. */
		assert_int_equal(g.b->n_mass, 0);
		assert_int_equal(g.b->n_unprotects, 0);
		assert_int_equal(g.b->n_codes, 0);
		assert_int_equal(g.b->n_go, 0);
		assert_false(g.b->rdp);
		if (r == 0)
			assert_int_equal(g.b->flash[32768], 0x5a);
		rig_free(&g);
	}
	*ret_good = good;
}

static void
test_noise(void **state)
{
	struct pv_usart_options coalesce = { .coalesce = true };
	struct pv_usart_options lockstep = { .lockstep = true };
	unsigned good;

	(void)state;
	noisy(10000, NULL, false, &good);
	print_message("# 1e-4: %u of %u verified\n", good, RUNS);
	assert_int_equal(good, RUNS);
	noisy(10000, &lockstep, false, &good);
	print_message("# 1e-4 in lockstep: %u\n", good);
	assert_int_equal(good, RUNS);
	noisy(10000, &coalesce, false, &good);
	print_message("# 1e-4, whole frames: %u\n", good);
	assert_int_equal(good, RUNS);
	noisy(10000, NULL, true, &good);
	print_message("# 1e-4, checksums: %u\n", good);
	assert_int_equal(good, RUNS);
}

static void
test_heavy_noise(void **state)
{
	struct pv_usart_options coalesce = { .coalesce = true };
	unsigned good;

	(void)state;
	noisy(1000, NULL, false, &good);
	print_message("# 1e-3: %u of %u verified\n", good, RUNS);
	assert_true(good >= RUNS / 2);
	noisy(1000, &coalesce, true, &good);
	print_message("# 1e-3, whole frames, checksums: %u\n", good);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_checksum),
		cmocka_unit_test(test_checksum_finds),
		cmocka_unit_test(test_checksum_lies),
		cmocka_unit_test(test_only_changed),
		cmocka_unit_test(test_only_changed_checksum),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_coalesced),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_heavy_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
