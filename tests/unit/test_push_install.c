/* SPDX-License-Identifier: Apache-2.0 */
/* Secure installs against a bootloader model with a scripted agent. */
#include <provisor/push.h>
#include <provisor/secure_install.h>

#include "crypto/digest.h"
#include "formats/sfi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "fakeagent.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct want_area two_areas[] = {
	{ 'F', FB_FLASH, 2500 },
	{ 'F', FB_FLASH + 0x4000, 16 },
	{ 'C', 0, 48 },
};

struct licensing {
	unsigned calls, refused;
	int fail;
};

static int
on_license(void *ctx, const struct pv_install_chip *chip, bool refused,
    struct pv_install_license *ret_l, struct pv_error *e)
{
	struct licensing *l = ctx;

	assert_memory_equal(chip->product_id, product_id, 8);
	l->calls++;
	l->refused += refused;
	if (l->fail != 0)
		return pv_fail(e, l->fail, "no license");
	memset(ret_l, 0, sizeof(*ret_l));
	ret_l->len = 212;
	return 0;
}

struct bench {
	struct fakeboot *b;
	struct agent a;
	struct pv_link link;
	struct pv_usart *u;
	struct licensing lic;
	struct pv_install_report rep;
	struct pv_install_file *f;
	struct pv_error e;
};

static void
bench_open(struct bench *t)
{
	memset(t, 0, sizeof(*t));
	t->b = fb_new();
	fill(t->a.cert, sizeof(t->a.cert), 77);
	t->a.packet = 1024;
	t->a.option_bytes = 48;
	t->b->special = agent_run;
	t->b->special_ctx = &t->a;
	t->link = fb_link(t->b);
	make_package(two_areas, N(two_areas));
	assert_int_equal(pv_install_open(package_path, &t->f, &t->e), 0);
	assert_int_equal(pv_usart_open(&t->link, NULL, &t->u, &t->e), 0);
}

static int
bench_run(struct bench *t)
{
	struct pv_install_options opt = { .license = on_license,
		.ctx = &t->lic };

	return pv_install_run(t->f, t->u, &opt, &t->rep, &t->e);
}

static void
bench_close(struct bench *t)
{
	pv_install_close(t->f);
	pv_usart_free(t->u);
	free(t->b);
}

static void
test_install(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	assert_int_equal(pv_install_areas(t.f), 3);
	assert_int_equal(pv_install_size(t.f), 2564);
	assert_int_equal(bench_run(&t), 0);
	assert_int_equal(t.rep.state, PV_DEVICE_DONE);
	assert_true(t.rep.answered);
	assert_true(t.rep.license_accepted);
	assert_int_equal(t.rep.areas_done, 3);
	assert_int_equal(t.rep.sent, 2564);
	assert_memory_equal(t.rep.chip.certificate, t.a.cert, 136);
	assert_int_equal(t.a.n_payload, payload_len);
	assert_memory_equal(t.a.payload, payload, payload_len);
	assert_int_equal(t.lic.calls, 1);
	assert_int_equal(t.a.n_data, 5);
	bench_close(&t);
}

/* A part that starts its program at once: the answer to finish stands. */
static void
gone_after_finish(struct fakeboot *b, uint16_t code, bool extended)
{
	agent_run(b, code, extended);
	if (code == PV_SI_FINISH)
		b->state = FB_GONE;
}

static void
test_install_starts(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.b->special = gone_after_finish;
	assert_int_equal(bench_run(&t), 0);
	assert_int_equal(t.rep.state, PV_DEVICE_DONE);
	assert_false(t.rep.answered);
	bench_close(&t);
}

/* What came back behind the restart does not say that it is done. */
static void
idle_after_finish(struct fakeboot *b, uint16_t code, bool extended)
{
	struct agent *a = b->special_ctx;

	agent_run(b, code, extended);
	if (code == PV_SI_FINISH)
		a->state = PV_SI_STATE_IDLE;
}

/* Another chip of the same product lies in the socket. */
static void
swapped_after_finish(struct fakeboot *b, uint16_t code, bool extended)
{
	struct agent *a = b->special_ctx;

	agent_run(b, code, extended);
	if (code == PV_SI_FINISH)
		a->cert[135] ^= 1;
}

static void
test_install_not_done(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.b->special = idle_after_finish;
	assert_int_equal(bench_run(&t), PV_E_VERIFY);
	assert_non_null(strstr(t.e.msg, "does not say that it is done"));
	assert_int_equal(t.rep.state, PV_DEVICE_UNKNOWN);
	assert_false(t.rep.answered);
	bench_close(&t);
	for (int lost = 0; lost < 2; lost++) {
		bench_open(&t);
		t.a.mute_finish = lost != 0;
		t.b->special = swapped_after_finish;
		assert_int_equal(bench_run(&t), PV_E_DEVICE);
		assert_non_null(strstr(t.e.msg, "another chip came back"));
		assert_int_equal(t.rep.state, PV_DEVICE_UNKNOWN);
		assert_false(t.rep.answered);
		bench_close(&t);
	}
}

static void
test_install_finish_lost(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.a.mute_finish = true;
	assert_int_equal(bench_run(&t), 0);
	assert_int_equal(t.rep.state, PV_DEVICE_DONE);
	assert_true(t.rep.answered);
	assert_int_equal(t.a.n_finish, 1);
	bench_close(&t);
}

static void
test_install_refusals(void **state)
{
	static const struct {
		uint16_t code, with;
		uint8_t si_state;
		int error;
		enum pv_device_state device;
		const char *text;
	} cases[] = {
		{ PV_SI_LICENSE, PV_SI_E_LICENSE_SIGNATURE, PV_SI_STATE_FAILED,
		    PV_E_VERIFY, PV_DEVICE_UNCHANGED, "license signature" },
		{ PV_SI_LICENSE, PV_SI_E_LICENSE_KEY, PV_SI_STATE_FAILED,
		    PV_E_VERIFY, PV_DEVICE_UNCHANGED, "pinned" },
		{ PV_SI_LICENSE, PV_SI_E_LICENSE_PRODUCT, PV_SI_STATE_FAILED,
		    PV_E_VERIFY, PV_DEVICE_UNCHANGED, "another product" },
		{ PV_SI_HEADER, PV_SI_E_HEADER_TAG, PV_SI_STATE_FAILED,
		    PV_E_VERIFY, PV_DEVICE_UNCHANGED, "header" },
		{ PV_SI_AREA_BEGIN, PV_SI_E_AREA_RANGE, PV_SI_STATE_FAILED,
		    PV_E_DEVICE, PV_DEVICE_ERASED, "area 1 offset 0x0" },
		{ PV_SI_AREA_BEGIN, PV_SI_E_FLASH_LOCKED, PV_SI_STATE_IDLE,
		    PV_E_DEVICE, PV_DEVICE_UNCHANGED, "write-protected" },
		{ PV_SI_HEADER, PV_SI_E_AREA_COUNT, PV_SI_STATE_IDLE,
		    PV_E_RANGE, PV_DEVICE_UNCHANGED, "more areas" },
		{ PV_SI_AREA_DATA, PV_SI_E_FLASH_PROGRAM, PV_SI_STATE_FAILED,
		    PV_E_DEVICE, PV_DEVICE_ERASED, "programming flash failed" },
		{ PV_SI_AREA_END, PV_SI_E_AREA_TAG, PV_SI_STATE_FAILED,
		    PV_E_VERIFY, PV_DEVICE_ERASED, "area 1 offset 0x9c4" },
		{ PV_SI_AREA_END, PV_SI_E_FLASH_ERASE, PV_SI_STATE_BROKEN,
		    PV_E_DEVICE, PV_DEVICE_BROKEN, "erasing" },
		{ PV_SI_FINISH, PV_SI_E_OPTIONS, PV_SI_STATE_FAILED,
		    PV_E_DEVICE, PV_DEVICE_ERASED, "option bytes" },
		{ PV_SI_HEADER, 0x7777, PV_SI_STATE_FAILED, PV_E_DEVICE,
		    PV_DEVICE_UNCHANGED, "0x7777" },
	};
	struct bench t;
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		bench_open(&t);
		t.a.refuse_code = cases[i].code;
		t.a.refuse_with = cases[i].with;
		t.a.refuse_state = cases[i].si_state;
		assert_int_equal(bench_run(&t), cases[i].error);
		if (strstr(t.e.msg, cases[i].text) == NULL)
			fail_msg("case %zu: %s", i, t.e.msg);
		assert_int_equal(t.rep.state, cases[i].device);
		assert_false(t.a.programmed);
		assert_int_equal(t.lic.calls, 1);
		bench_close(&t);
	}
}

/* "Made for another chip" asks the program once more, then gives up. */
static void
test_install_other_license(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.a.refuse_code = PV_SI_LICENSE;
	t.a.refuse_with = PV_SI_E_LICENSE_UNWRAP;
	t.a.refuse_state = PV_SI_STATE_FAILED;
	assert_int_equal(bench_run(&t), 0);
	assert_int_equal(t.lic.calls, 2);
	assert_int_equal(t.lic.refused, 1);
	bench_close(&t);
}

/* Nothing is asked of the license budget for a package that cannot fit. */
static void
test_install_misfit(void **state)
{
	static const struct want_area high[] = { { 'F', FB_FLASH + FB_SIZE - 8,
	    16 } },
				      low[] = { { 'F', 0x07fffff0, 16 } },
				      huge[] = { { 'F', 0xfffffff8U, 16 } };
	static const struct want_area *const bad[] = { high, low, huge };
	/* The device wants room for the 32 bytes of a token. */
	static const uint32_t end = FB_FLASH + FB_SIZE - 16;
	static const struct want_area mark[] = { { 'F', FB_FLASH, 16 },
		{ 'P', end, 0 }, { 'R', end, 0 }, { 'F', FB_FLASH + 64, 16 } };
	struct want_area many[PV_SI_AREAS_MAX + 1];
	struct bench t;
	size_t i;

	(void)state;
	for (i = 0; i < N(bad); i++) {
		bench_open(&t);
		pv_install_close(t.f);
		t.f = NULL;
		make_package(bad[i], 1);
		assert_int_equal(pv_install_open(package_path, &t.f, &t.e), 0);
		assert_int_equal(bench_run(&t), PV_E_VERIFY);
		assert_non_null(strstr(t.e.msg, "package area 1"));
		assert_int_equal(t.lic.calls, 0);
		assert_int_equal(t.rep.state, PV_DEVICE_UNCHANGED);
		bench_close(&t);
	}
	bench_open(&t);
	pv_install_close(t.f);
	t.f = NULL;
	make_package(mark, N(mark));
	assert_int_equal(pv_install_open(package_path, &t.f, &t.e), 0);
	assert_int_equal(bench_run(&t), PV_E_VERIFY);
	assert_non_null(strstr(t.e.msg, "package area 2"));
	assert_int_equal(t.lic.calls, 0);
	bench_close(&t);
	for (i = 0; i < N(many); i++)
		many[i] =
		    (struct want_area){ 'F', FB_FLASH + (uint32_t)i * 8, 8 };
	bench_open(&t);
	pv_install_close(t.f);
	t.f = NULL;
	make_package(many, 65);
	assert_int_equal(pv_install_open(package_path, &t.f, &t.e), 0);
	assert_int_equal(bench_run(&t), PV_E_RANGE);
	assert_non_null(strstr(t.e.msg, "fills 65 stretches of memory"));
	assert_int_equal(t.lic.calls, 0);
	bench_close(&t);
	bench_open(&t);
	pv_install_close(t.f);
	t.f = NULL;
	make_package(many, N(many));
	assert_int_equal(pv_install_open(package_path, &t.f, &t.e), 0);
	assert_int_equal(bench_run(&t), PV_E_RANGE);
	assert_non_null(strstr(t.e.msg, "513 areas"));
	assert_int_equal(t.lic.calls, 0);
	assert_int_equal(t.rep.state, PV_DEVICE_UNCHANGED);
	bench_close(&t);
	bench_open(&t);
	t.a.option_bytes = 0;
	assert_int_equal(bench_run(&t), PV_E_VERIFY);
	assert_non_null(strstr(t.e.msg, "48 option bytes"));
	assert_int_equal(t.lic.calls, 0);
	bench_close(&t);
}

/* Kinds of areas that a chip does not take, or a board does not have. */
static void
test_install_kinds(void **state)
{
	static const struct want_area module[] = { { 'M', FB_FLASH, 64 } },
				      keys[] = { { 'K', 0, 16 } },
				      external[] = { { 'E', EXTERNAL, 28 } },
				      outside[] = { { 'E', EXTERNAL + 0xff8U,
					  28 } };
	static const struct {
		const struct want_area *areas;
		uint32_t takes, external;
		const char *text;
	} cases[] = {
		{ module, PV_SI_TAKES_KEYS, 4096, "takes no SMI modules" },
		{ keys, PV_SI_TAKES_MODULES, 4096, "takes no key areas" },
		{ external, 3, 0, "and the chip has none" },
		{ outside, 3, 4096, "is not in the chip's external flash" },
	};
	struct bench t;
	size_t i;

	(void)state;
	for (i = 0; i < N(cases); i++) {
		bench_open(&t);
		pv_install_close(t.f);
		t.f = NULL;
		make_package(cases[i].areas, 1);
		t.a.takes = cases[i].takes;
		t.a.external = cases[i].external;
		assert_int_equal(pv_install_open(package_path, &t.f, &t.e), 0);
		assert_int_equal(bench_run(&t), PV_E_VERIFY);
		if (strstr(t.e.msg, cases[i].text) == NULL)
			fail_msg("case %zu: %s", i, t.e.msg);
		assert_int_equal(t.lic.calls, 0);
		assert_int_equal(t.rep.state, PV_DEVICE_UNCHANGED);
		bench_close(&t);
	}
}

/* --- parts ----------------------------------------------------------------------- */

static const struct want_area parts[] = {
	{ 'F', FB_FLASH, 1500 },
	{ 'P', FB_FLASH + 0x7000, 0 },
	{ 'R', FB_FLASH + 0x7000, 0 },
	{ 'F', FB_FLASH + 0x800, 700 },
	{ 'P', FB_FLASH + 0x7000, 32 },
	{ 'R', FB_FLASH + 0x7000, 32 },
	{ 'C', 0, 48 },
};

static void
bench_parts(struct bench *t)
{
	bench_open(t);
	pv_install_close(t->f);
	t->f = NULL;
	make_package(parts, N(parts));
	assert_int_equal(pv_install_open(package_path, &t->f, &t->e), 0);
}

static void
test_install_parts(void **state)
{
	struct bench t;
	unsigned lost;

	(void)state;
	/* Also when the answer at the end of a part is lost, even of both. */
	for (lost = 0; lost <= 2; lost++) {
		bench_parts(&t);
		t.a.mute_pauses = lost;
		assert_int_equal(bench_run(&t), 0);
		assert_int_equal(t.rep.state, PV_DEVICE_DONE);
		assert_int_equal(t.rep.areas_done, 7);
		assert_int_equal(t.rep.parts, 2);
		assert_int_equal(t.rep.resumed_at, 0);
		assert_int_equal(t.a.n_payload, payload_len);
		assert_memory_equal(t.a.payload, payload, payload_len);
		/* One license from the campaign, sent for every part. */
		assert_int_equal(t.lic.calls, 1);
		assert_int_equal(t.a.n_license, 3);
		assert_int_equal(t.a.n_check, 7);
		bench_close(&t);
	}
}

/* A chip that waits for the third area of this package, or of another. */
static void
test_install_resumed(void **state)
{
	struct pv_part part[2];
	struct bench t;
	uint8_t *p;
	int other;

	(void)state;
	for (other = 0; other < 2; other++) {
		bench_parts(&t);
		t.a.state = PV_SI_STATE_PAUSED;
		t.a.done = 2;
		t.a.areas = 7;
		memcpy(t.a.package, package_bytes, sizeof(t.a.package));
		part[0] = (struct pv_part){ package_bytes, PV_SFI_HEADER };
		assert_int_equal(pv_sha256(part, 1, t.a.chain, NULL), 0);
		p = package_bytes + PV_SFI_HEADER;
		for (size_t i = 0; i < 2; i++) {
			part[0] = (struct pv_part){ t.a.chain, 32 };
			part[1] = (struct pv_part){ p, PV_SFI_AREA };
			assert_int_equal(
			    pv_sha256(part, 2, t.a.chain, NULL), 0);
			p += PV_SFI_AREA + parts[i].size;
		}
		t.a.chain[0] ^= (uint8_t)other;
		assert_int_equal(bench_run(&t), 0);
		assert_int_equal(t.rep.state, PV_DEVICE_DONE);
		assert_int_equal(t.rep.areas_done, 7);
		assert_int_equal(t.rep.resumed_at, other ? 0 : 3);
		assert_int_equal(t.a.n_abort, other);
		assert_int_equal(t.a.n_check, other ? 7 : 0);
		assert_int_equal(
		    t.a.n_payload, payload_len - (other ? 0 : 1500));
		assert_int_equal(t.lic.calls, 1);
		bench_close(&t);
	}
}

/* Another chip lies in the socket behind a part: it is left alone. */
static void
swapped_after_part(struct fakeboot *b, uint16_t code, bool extended)
{
	struct agent *a = b->special_ctx;

	agent_run(b, code, extended);
	if (code == PV_SI_AREA_END && a->state == PV_SI_STATE_PAUSED)
		a->cert[135] ^= 1;
}

static void
test_install_part_swapped(void **state)
{
	struct bench t;

	(void)state;
	for (unsigned lost = 0; lost < 2; lost++) {
		bench_parts(&t);
		t.a.mute_pauses = lost;
		t.b->special = swapped_after_part;
		assert_int_equal(bench_run(&t), PV_E_DEVICE);
		assert_non_null(strstr(t.e.msg, "another chip came back"));
		assert_int_equal(t.rep.state, PV_DEVICE_UNKNOWN);
		assert_int_equal(t.a.n_abort, 0);
		assert_int_equal(t.a.n_license, 1);
		bench_close(&t);
	}
}

/* It holds something else after the restart: no further part is sent. */
static void
test_install_part_refused(void **state)
{
	struct bench t;

	(void)state;
	bench_parts(&t);
	t.a.refuse_code = PV_SI_LICENSE;
	t.a.refuse_with = PV_SI_E_LICENSE_SIGNATURE;
	t.a.refuse_state = PV_SI_STATE_IDLE;
	assert_int_equal(bench_run(&t), PV_E_VERIFY);
	assert_int_equal(t.a.n_payload, 0);
	bench_close(&t);
	bench_parts(&t);
	t.a.refuse_code = PV_SI_AREA_END;
	t.a.refuse_with = PV_SI_E_AREA_TAG;
	t.a.refuse_state = PV_SI_STATE_FAILED;
	assert_int_equal(bench_run(&t), PV_E_VERIFY);
	assert_int_equal(t.rep.state, PV_DEVICE_ERASED);
	bench_close(&t);
}

static void
test_install_no_license(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.lic.fail = PV_E_LIMIT;
	assert_int_equal(bench_run(&t), PV_E_LIMIT);
	assert_int_equal(t.a.n_license, 0);
	assert_int_equal(t.rep.state, PV_DEVICE_UNCHANGED);
	assert_string_equal(t.rep.step, "license");
	bench_close(&t);
}

/* Ctrl-C at any moment: the chip drops what was begun. */
static int
stop_soon(void *ctx)
{
	unsigned *left = ctx;

	if (*left == 0)
		return 1;
	(*left)--;
	return 0;
}

static void
test_install_stopped(void **state)
{
	struct pv_install_options opt = { .license = on_license };
	struct pv_progress p = { .cancelled = stop_soon };
	unsigned at, left;
	struct bench t;
	int r;

	(void)state;
	p.ctx = &left;
	opt.progress = &p;
	for (at = 0; at < 100; at++) {
		bench_open(&t);
		opt.ctx = &t.lic;
		left = at;
		r = pv_install_run(t.f, t.u, &opt, &t.rep, &t.e);
		if (r == 0) {
			bench_close(&t);
			break;
		}
		assert_int_equal(r, PV_E_INTERRUPTED);
		assert_int_equal(pv_exit_code(r), 130);
		assert_int_not_equal(t.a.state, PV_SI_STATE_AREA);
		assert_true(t.rep.state == PV_DEVICE_UNCHANGED ||
			    t.rep.state == PV_DEVICE_ERASED);
		if (t.rep.area > 0)
			assert_int_equal(t.a.n_abort, 1);
		bench_close(&t);
	}
	assert_true(at > 5 && at < 100);
}

/* What a host that died left behind is dropped before anything new. */
static void
test_install_after_crash(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.a.state = PV_SI_STATE_AREA;
	t.a.area = 1;
	assert_int_equal(bench_run(&t), 0);
	assert_int_equal(t.a.n_abort, 1);
	assert_int_equal(t.rep.state, PV_DEVICE_DONE);
	bench_close(&t);
}

/* That is no unchanged chip, also when no license comes for the new one. */
static void
test_install_dropped(void **state)
{
	static const struct {
		uint8_t si_state;
		enum pv_device_state device;
	} cases[] = {
		{ PV_SI_STATE_LICENSED, PV_DEVICE_UNCHANGED },
		{ PV_SI_STATE_AREA, PV_DEVICE_ERASED },
		{ PV_SI_STATE_PAUSED, PV_DEVICE_ERASED },
	};
	struct bench t;

	(void)state;
	for (size_t i = 0; i < N(cases); i++) {
		for (int refused = 0; refused < 2; refused++) {
			bench_open(&t);
			t.a.state = cases[i].si_state;
			t.lic.fail = refused ? 0 : PV_E_LIMIT;
			t.a.refuse_code = PV_SI_LICENSE;
			t.a.refuse_with = PV_SI_E_LICENSE_KEY;
			t.a.refuse_state =
			    cases[i].si_state == PV_SI_STATE_LICENSED
				? PV_SI_STATE_IDLE
				: PV_SI_STATE_FAILED;
			assert_int_equal(
			    bench_run(&t), refused ? PV_E_VERIFY : PV_E_LIMIT);
			assert_int_equal(t.a.n_abort, 1);
			assert_int_equal(t.rep.state, cases[i].device);
			bench_close(&t);
		}
	}
}

/* A chip that an earlier package closed: said before a license is spent. */
static void
test_install_protected(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.b->rdp = true;
	t.a.state = PV_SI_STATE_DONE;
	assert_int_equal(bench_run(&t), PV_E_PROTECTED);
	assert_int_equal(pv_exit_code(PV_E_PROTECTED), 7);
	assert_non_null(strstr(t.e.msg, "the chip is read-protected"));
	assert_non_null(strstr(t.e.msg, "no license was spent"));
	assert_int_equal(t.lic.calls, 0);
	assert_int_equal(t.rep.state, PV_DEVICE_UNCHANGED);
	bench_close(&t);
}

/* What it could not do at its start it may do when it is asked again. */
static void
test_install_broken(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.a.state = PV_SI_STATE_BROKEN;
	assert_int_equal(bench_run(&t), 0);
	assert_int_equal(t.a.n_abort, 1);
	assert_int_equal(t.rep.state, PV_DEVICE_DONE);
	bench_close(&t);
	bench_open(&t);
	t.a.state = PV_SI_STATE_BROKEN;
	t.a.refuse_code = PV_SI_ABORT;
	t.a.refuse_with = PV_SI_E_FLASH_ERASE;
	t.a.refuse_state = PV_SI_STATE_BROKEN;
	assert_int_equal(bench_run(&t), PV_E_DEVICE);
	assert_non_null(strstr(t.e.msg, "neither erase nor finish"));
	assert_int_equal(t.lic.calls, 0);
	assert_int_equal(t.rep.state, PV_DEVICE_BROKEN);
	bench_close(&t);
}

static void
test_install_no_agent(void **state)
{
	struct bench t;

	(void)state;
	bench_open(&t);
	t.b->special = NULL;
	assert_int_equal(bench_run(&t), PV_E_DEVICE);
	assert_non_null(strstr(t.e.msg, "does not know secure install"));
	assert_non_null(strstr(t.e.hint, "install agent"));
	bench_close(&t);
}

/* Unplugged anywhere: exit 7, how far it got, never a success. */
static void
test_install_unplugged(void **state)
{
	struct bench t;
	uint64_t at;
	int r;

	(void)state;
	for (at = 0; at < 100000; at += 37) {
		bench_open(&t);
		t.b->gone_at = t.b->total_in + at;
		r = bench_run(&t);
		if (r == 0) {
			assert_true(t.a.programmed);
			bench_close(&t);
			break;
		}
		assert_int_equal(r, PV_E_LINK);
		assert_int_not_equal(t.rep.state, PV_DEVICE_DONE);
		assert_true(t.rep.sent <= payload_len);
		if (t.a.n_data > 0)
			assert_int_not_equal(t.rep.state, PV_DEVICE_UNCHANGED);
		bench_close(&t);
	}
	assert_true(at > 2000 && at < 100000);
}

/* One byte lost or damaged at any place, either way: done, or an error. */
static void
lossy(void (*open)(struct bench *t), unsigned kind, uint64_t at)
{
	struct bench t;
	int r;

	open(&t);
	if (kind == 0)
		t.b->lose_in = t.b->total_in + at;
	else if (kind == 1)
		t.b->lose_out = t.b->total_out + at;
	else
		t.b->flip_in = t.b->total_in + at;
	r = bench_run(&t);
	if (r == 0) {
		assert_true(t.a.programmed);
		assert_int_equal(t.a.n_payload, payload_len);
		assert_memory_equal(t.a.payload, payload, payload_len);
		assert_int_equal(t.rep.state, PV_DEVICE_DONE);
		assert_int_equal(t.a.n_finish, 1);
	} else {
		fail_msg("kind %u byte %u: %s", kind, (unsigned)at, t.e.msg);
	}
	bench_close(&t);
}

static void
test_install_lossy(void **state)
{
	unsigned kind;
	uint64_t at;

	(void)state;
	for (kind = 0; kind < 3; kind++)
		for (at = 0; at < (kind == 1 ? 420U : 3300U);
		     at += at < 600 ? 1 : 13)
			lossy(bench_open, kind, at);
}

/* The restarts between parts are near the middle; few bytes come back. */
static void
test_install_parts_lossy(void **state)
{
	unsigned kind;
	uint64_t at;

	(void)state;
	for (kind = 0; kind < 3; kind++)
		for (at = 0; at < (kind == 1 ? 700U : 5200U);
		     at += kind == 1 ? 3 : 23)
			lossy(bench_parts, kind, at);
}

/* --- the file ------------------------------------------------------------------- */

static void
test_package_prefixes(void **state)
{
	struct pv_install_file *f;
	struct pv_error e;
	size_t n;
	int r;

	(void)state;
	make_package(two_areas, N(two_areas));
	for (n = 0; n < package_len; n += n < 100 ? 1 : 97) {
		write_package(package_bytes, n);
		f = NULL;
		memset(&e, 0, sizeof(e));
		r = pv_install_open(package_path, &f, &e);
		assert_int_equal(r, PV_E_VERIFY);
		assert_int_equal(pv_exit_code(e.code), 4);
		assert_non_null(strstr(e.hint, "copy it again"));
		assert_null(f);
	}
}

static void
test_package_kinds(void **state)
{
	static const struct want_area
	    after_c[] = { { 'C', 0, 4 }, { 'F', FB_FLASH, 4 } },
	    empty[] = { { 'F', FB_FLASH, 0 } },
	    letter[] = { { 'X', FB_FLASH, 16 } },
	    module[] = { { 'M', FB_FLASH, 48 } },
	    external[] = { { 'E', EXTERNAL, 12 } }, keys[] = { { 'K', 0, 12 } },
	    last[] = { { 'F', FB_FLASH, 8 }, { 'P', FB_FLASH, 0 } },
	    lone[] = { { 'F', FB_FLASH, 8 }, { 'R', FB_FLASH, 0 } },
	    missing[] = { { 'P', FB_FLASH, 0 }, { 'F', FB_FLASH, 8 } },
	    apart[] = { { 'P', FB_FLASH, 0 }, { 'R', FB_FLASH + 8, 0 } };
	static const struct {
		const struct want_area *areas;
		uint16_t n;
		const char *text;
	} bad[] = {
		{ letter, 1, "type 'X', which no chip is known to take" },
		{ module, 1, "type 'M' has 48 bytes, at least 49" },
		{ external, 1, "type 'E' has 12 bytes, at least 13" },
		{ keys, 1, "no pairs of size and address" },
		{ last, 2, "nothing follows it" },
		{ lone, 2, "type 'R': R follows P" },
		{ missing, 2, "type 'F': R follows P" },
		{ apart, 2, "resumes at 0x08000008, area 1 paused at" },
	};
	struct pv_install_file *f = NULL;
	struct pv_error e = { 0 };
	size_t i;

	(void)state;
	make_package(after_c, 2);
	assert_int_equal(pv_install_open(package_path, &f, &e), PV_E_VERIFY);
	make_package(empty, 1);
	assert_int_equal(pv_install_open(package_path, &f, &e), PV_E_VERIFY);
	for (i = 0; i < N(bad); i++) {
		make_package(bad[i].areas, bad[i].n);
		assert_int_equal(
		    pv_install_open(package_path, &f, &e), PV_E_VERIFY);
		if (strstr(e.msg, bad[i].text) == NULL)
			fail_msg("case %zu: %s", i, e.msg);
		assert_null(f);
	}
	make_package(two_areas, 3);
	assert_true(pv_install_is_package(package_path));
	assert_false(pv_install_is_package("/no/such/file"));
	assert_int_equal(
	    pv_install_open("/no/such/file", &f, &e), PV_E_NOT_FOUND);
}

static int
setup(void **state)
{
	int fd;

	(void)state;
	(void)snprintf(
	    package_path, sizeof(package_path), "/tmp/pvpush.XXXXXX");
	fd = mkstemp(package_path);
	return fd < 0 ? -1 : close(fd);
}

static int
teardown(void **state)
{
	(void)state;
	return unlink(package_path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_install),
		cmocka_unit_test(test_install_starts),
		cmocka_unit_test(test_install_not_done),
		cmocka_unit_test(test_install_finish_lost),
		cmocka_unit_test(test_install_refusals),
		cmocka_unit_test(test_install_other_license),
		cmocka_unit_test(test_install_misfit),
		cmocka_unit_test(test_install_kinds),
		cmocka_unit_test(test_install_parts),
		cmocka_unit_test(test_install_resumed),
		cmocka_unit_test(test_install_part_swapped),
		cmocka_unit_test(test_install_part_refused),
		cmocka_unit_test(test_install_no_license),
		cmocka_unit_test(test_install_stopped),
		cmocka_unit_test(test_install_after_crash),
		cmocka_unit_test(test_install_dropped),
		cmocka_unit_test(test_install_protected),
		cmocka_unit_test(test_install_broken),
		cmocka_unit_test(test_install_no_agent),
		cmocka_unit_test(test_install_unplugged),
		cmocka_unit_test(test_install_lossy),
		cmocka_unit_test(test_install_parts_lossy),
		cmocka_unit_test(test_package_prefixes),
		cmocka_unit_test(test_package_kinds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
