/* SPDX-License-Identifier: Apache-2.0 */
/* Plans of plain images against a bootloader model. */
#include <provisor/push.h>

#include "fakeboot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static void
fill(uint8_t *p, size_t n, unsigned seed)
{
	while (n-- > 0) {
		seed = seed * 1103515245U + 12345U;
		*p++ = (uint8_t)(seed >> 16);
	}
}

/* --- plain ------------------------------------------------------------------- */

struct rig {
	struct fakeboot *b;
	struct pv_link link;
	struct pv_chip chip;
	struct pv_usart *u;
	struct pv_boot boot;
	struct pv_image *img;
	struct pv_error e;
};

static void
rig_open(struct rig *g)
{
	memset(g, 0, sizeof(*g));
	g->b = fb_new();
	g->chip = fb_chip();
	g->link = fb_link(g->b);
	assert_int_equal(pv_usart_open(&g->link, NULL, &g->u, &g->e), 0);
	pv_usart_set_chip(g->u, &g->chip);
	pv_boot_usart(g->u, &g->boot);
	assert_int_equal(pv_image_new(&g->img, &g->e), 0);
}

static void
rig_close(struct rig *g)
{
	pv_image_free(g->img);
	pv_usart_free(g->u);
	free(g->b);
}

static void
add(struct rig *g, uint32_t addr, const uint8_t *data, size_t len)
{
	assert_int_equal(
	    pv_image_add(g->img, addr, data, len, "test", &g->e), 0);
}

static struct pv_plan *
plan(struct rig *g)
{
	struct pv_plan *p = NULL;

	assert_int_equal(
	    pv_plan_new(g->img, &g->chip, PV_USART_BLOCK, false, &p, &g->e), 0);
	return p;
}

/* Two pieces in one write unit meet; padding is the erased value. */
static void
test_plan(void **state)
{
	struct pv_plan_info info;
	struct pv_sector s;
	struct pv_range run;
	struct pv_plan *p;
	struct rig g;

	(void)state;
	rig_open(&g);
	add(&g, FB_FLASH + 0x7fe, (const uint8_t *)"abcd", 4);
	add(&g, FB_FLASH + 0x805, (const uint8_t *)"e", 1);
	add(&g, FB_FLASH + 0x2000, (const uint8_t *)"f", 1);
	p = plan(&g);
	pv_plan_info(p, &info);
	assert_int_equal(info.n_sectors, 3);
	assert_int_equal(info.n_runs, 2);
	assert_int_equal(info.bytes, 6);
	assert_int_equal(info.padded, 24);
	pv_plan_run(p, 0, &run);
	assert_int_equal(run.base, FB_FLASH + 0x7f8);
	assert_int_equal(run.size, 16);
	pv_plan_sector(p, 2, &s);
	assert_int_equal(s.number, 4);
	pv_plan_free(p);
	rig_close(&g);
}

static void
test_plan_range(void **state)
{
	struct pv_plan *p = NULL;
	struct rig g;

	(void)state;
	rig_open(&g);
	add(&g, FB_FLASH + FB_SIZE - 1, (const uint8_t *)"ab", 2);
	assert_int_equal(
	    pv_plan_new(g.img, &g.chip, PV_USART_BLOCK, false, &p, &g.e),
	    PV_E_RANGE);
	assert_null(p);
	pv_image_free(g.img);
	assert_int_equal(pv_image_new(&g.img, &g.e), 0);
	add(&g, 0x20002000, (const uint8_t *)"ab", 2);
	assert_int_equal(
	    pv_plan_new(g.img, &g.chip, PV_USART_BLOCK, false, &p, &g.e),
	    PV_E_RANGE);
	assert_int_equal(
	    pv_plan_new(g.img, &g.chip, PV_USART_BLOCK, true, &p, &g.e), 0);
	pv_plan_free(p);
	rig_close(&g);
}

static void
test_program(void **state)
{
	uint8_t data[5000], want[FB_SIZE];
	struct pv_plan_report rep;
	struct pv_plan *p;
	uint64_t differing;
	struct rig g;

	(void)state;
	rig_open(&g);
	memset(g.b->flash, 0x5a, FB_SIZE);
	memcpy(want, g.b->flash, FB_SIZE);
	memset(want + FB_PAGE, 0xff, (size_t)4 * FB_PAGE);
	fill(data, sizeof(data), 3);
	memset(data + 1024, 0xff, 1024); /* nothing to send there */
	add(&g, FB_FLASH + FB_PAGE + 4, data, sizeof(data));
	add(&g, FB_FLASH + 0x2010, data, 3);
	memcpy(want + FB_PAGE + 4, data, sizeof(data));
	memcpy(want + (size_t)4 * FB_PAGE + 16, data, 3);
	p = plan(&g);
	assert_int_equal(
	    pv_plan_verify(p, &g.boot, NULL, &differing, &g.e), PV_E_VERIFY);
	assert_true(differing > 4000);
	assert_non_null(strstr(g.e.msg, "0x08000804 holds 0x5a"));
	assert_int_equal(pv_plan_program(p, &g.boot, NULL, &rep, &g.e), 0);
	assert_memory_equal(g.b->flash, want, FB_SIZE);
	assert_int_equal(rep.state, PV_DEVICE_DONE);
	assert_int_equal(rep.erased, 4);
	assert_int_equal(rep.written + rep.skipped, rep.verified);
	assert_true(rep.skipped >= 768);
	assert_int_equal(rep.rewritten, 0);
	assert_int_equal(pv_plan_verify(p, &g.boot, NULL, &differing, &g.e), 0);
	assert_int_equal(differing, 0);
	pv_plan_free(p);
	rig_close(&g);
}

/* The link goes at any byte: never a success, never a vector table alone. */
static void
test_program_unplugged(void **state)
{
	uint8_t data[1500];
	struct pv_plan_report rep;
	struct pv_plan *p;
	struct rig g;
	uint64_t at;
	size_t i;
	int r;

	(void)state;
	fill(data, sizeof(data), 9);
	for (at = 0;; at += 61) {
		rig_open(&g);
		memset(g.b->flash, 0x5a, FB_SIZE);
		add(&g, FB_FLASH, data, sizeof(data));
		p = plan(&g);
		g.b->gone_at = g.b->total_in + at;
		r = pv_plan_program(p, &g.boot, NULL, &rep, &g.e);
		pv_plan_free(p);
		if (r == 0) {
			rig_close(&g);
			break;
		}
		assert_int_equal(r, PV_E_LINK);
		assert_int_not_equal(rep.state, PV_DEVICE_DONE);
		/* The head is there only when all the rest is. */
		if (rep.state != PV_DEVICE_UNCHANGED &&
		    memcmp(g.b->flash, data, 4) == 0)
			for (i = 256; i < sizeof(data); i++)
				assert_int_equal(g.b->flash[i], data[i]);
		rig_close(&g);
	}
	assert_true(at > 1500);
}

static void
test_program_protected_sector(void **state)
{
	uint8_t data[64];
	struct pv_plan_report rep;
	struct pv_plan *p;
	struct rig g;

	(void)state;
	rig_open(&g);
	fill(data, sizeof(data), 1);
	g.b->protected_page = 0;
	add(&g, FB_FLASH, data, sizeof(data));
	p = plan(&g);
	assert_int_equal(
	    pv_plan_program(p, &g.boot, NULL, &rep, &g.e), PV_E_VERIFY);
	assert_non_null(strstr(g.e.msg, "verify at 0x08000000"));
	assert_non_null(strstr(g.e.hint, "write-protected"));
	assert_int_equal(rep.rewritten, 2);
	assert_int_equal(rep.state, PV_DEVICE_PARTIAL);
	pv_plan_free(p);
	rig_close(&g);
}

/* A byte lost anywhere: the image is right in the end, at a cost. */
static void
test_program_lossy(void **state)
{
	uint8_t data[600];
	struct pv_plan_report rep;
	struct pv_plan *p;
	struct rig g;
	uint64_t at;
	int r;

	(void)state;
	fill(data, sizeof(data), 5);
	for (at = 3; at < 900; at += 7) {
		rig_open(&g);
		add(&g, FB_FLASH, data, sizeof(data));
		p = plan(&g);
		g.b->lose_in = g.b->total_in + at;
		r = pv_plan_program(p, &g.boot, NULL, &rep, &g.e);
		if (r == 0) {
			assert_memory_equal(g.b->flash, data, sizeof(data));
			assert_int_equal(rep.state, PV_DEVICE_DONE);
		} else {
			assert_int_equal(r, PV_E_DEVICE);
		}
		pv_plan_free(p);
		rig_close(&g);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_range),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_program_unplugged),
		cmocka_unit_test(test_program_protected_sector),
		cmocka_unit_test(test_program_lossy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
