/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and secure installs against a bootloader model. */
#include <provisor/push.h>
#include <provisor/secure_install.h>

#include "fakeboot.h"

#include "formats/sfi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

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

static const uint8_t product_id[8] = { '4', '6', '0', '0', '0', '0', '0', '1' };

/* --- a fake install agent: the exchange's rules, no cryptography -------------- */

struct agent {
	uint8_t state;
	uint16_t result;
	uint16_t area, areas, done;
	uint32_t received, size;
	uint32_t last_off, last_len;
	uint16_t ended;
	uint8_t cert[136];
	uint16_t refuse_code; /* this subcommand is refused ... */
	uint16_t refuse_with; /* ... with this */
	uint8_t refuse_state;
	uint16_t packet;
	uint32_t option_bytes;
	uint8_t payload[16384]; /* all areas, as received */
	size_t n_payload;
	unsigned n_license, n_abort, n_finish, n_data;
	bool programmed;
	bool mute_finish; /* works, and its answer is lost */
};

static void
put_status(struct fakeboot *b, const struct agent *a)
{
	uint8_t s[8] = { 0 };

	s[0] = a->state;
	pv_put_u16le(s + 2, a->result);
	pv_put_u16le(s + 4, a->area);
	fb_put(b, 0);
	fb_put(b, 8);
	fb_put_all(b, s, 8);
}

static void
put_out(struct fakeboot *b, const void *data, size_t n)
{
	fb_put(b, (uint8_t)(n >> 8));
	fb_put(b, (uint8_t)n);
	fb_put_all(b, data, n);
}

static void
agent_info(struct fakeboot *b, struct agent *a)
{
	uint8_t o[32] = { 0 };

	pv_put_u16le(o, 1);
	pv_put_u16le(o + 2, b->id);
	memcpy(o + 4, product_id, sizeof(product_id));
	o[12] = a->state;
	pv_put_u16le(o + 14, a->packet);
	pv_put_u32le(o + 16, FB_FLASH);
	pv_put_u32le(o + 20, FB_SIZE);
	pv_put_u32le(o + 24, 8);
	pv_put_u32le(o + 28, a->option_bytes);
	put_out(b, o, sizeof(o));
}

static void
agent_report(struct fakeboot *b, struct agent *a)
{
	uint8_t o[16] = { 0 };

	o[0] = a->state;
	pv_put_u16le(o + 2, a->result);
	pv_put_u16le(o + 4, a->area);
	pv_put_u16le(o + 8, a->done);
	pv_put_u16le(o + 10, a->areas);
	pv_put_u32le(o + 12, a->received);
	put_out(b, o, sizeof(o));
}

static void
agent_fail(struct agent *a, uint16_t why)
{
	a->result = why;
	a->state = PV_SI_STATE_FAILED;
}

static void
agent_data(struct fakeboot *b, struct agent *a)
{
	uint32_t off = pv_get_u32le(b->p1 + 2);
	size_t n = b->n_p2;

	a->n_data++;
	if (a->state == PV_SI_STATE_AREA && off == a->last_off &&
	    n == a->last_len && a->received == off + n)
		return; /* sent again */
	if (a->state != PV_SI_STATE_AREA || b->n_p1 != 6 ||
	    pv_get_u16le(b->p1) != a->area || off != a->received || n == 0 ||
	    n > a->size - a->received) {
		agent_fail(a, PV_SI_E_SEQUENCE);
		return;
	}
	assert_true(a->n_payload + n <= sizeof(a->payload));
	memcpy(a->payload + a->n_payload, b->p2, n);
	a->n_payload += n;
	a->last_off = off;
	a->last_len = (uint32_t)n;
	a->received += (uint32_t)n;
}

static void
agent_end(struct fakeboot *b, struct agent *a)
{
	uint16_t index = pv_get_u16le(b->p1);

	if (a->state == PV_SI_STATE_READY && index == a->ended)
		return; /* sent again */
	if (a->state != PV_SI_STATE_AREA || index != a->area)
		agent_fail(a, PV_SI_E_SEQUENCE);
	else if (a->received != a->size)
		agent_fail(a, PV_SI_E_AREA_SIZE);
	else {
		a->state = PV_SI_STATE_READY;
		a->ended = index;
		a->done++;
		a->area = 0;
	}
}

static void
agent_begin(struct fakeboot *b, struct agent *a)
{
	struct pv_sfi_area h;

	pv_sfi_area_decode(b->p1, &h);
	if (a->state != PV_SI_STATE_READY || h.index != a->done + 1) {
		agent_fail(a, PV_SI_E_SEQUENCE);
		return;
	}
	a->state = PV_SI_STATE_AREA;
	a->area = h.index;
	a->size = h.size;
	a->received = a->last_len = 0;
}

static void
agent_change(struct fakeboot *b, struct agent *a, uint16_t code)
{
	a->result = PV_SI_OK;
	switch (code) {
	case PV_SI_LICENSE:
		a->n_license++;
		if (a->state != PV_SI_STATE_IDLE &&
		    a->state != PV_SI_STATE_FAILED &&
		    a->state != PV_SI_STATE_DONE)
			agent_fail(a, PV_SI_E_SEQUENCE);
		else
			a->state = PV_SI_STATE_LICENSED;
		break;
	case PV_SI_HEADER:
		if (a->state != PV_SI_STATE_LICENSED) {
			agent_fail(a, PV_SI_E_SEQUENCE);
			break;
		}
		a->state = PV_SI_STATE_READY;
		a->areas = pv_get_u16le(b->p1 + 10);
		a->done = a->ended = 0;
		a->n_payload = 0;
		break;
	case PV_SI_AREA_BEGIN:
		agent_begin(b, a);
		break;
	case PV_SI_AREA_DATA:
		agent_data(b, a);
		break;
	case PV_SI_AREA_END:
		agent_end(b, a);
		break;
	case PV_SI_FINISH:
		a->n_finish++;
		if (a->state != PV_SI_STATE_READY) {
			agent_fail(a, PV_SI_E_SEQUENCE);
			break;
		}
		a->state = PV_SI_STATE_DONE;
		a->programmed = true;
		break;
	case PV_SI_ABORT:
		a->n_abort++;
		a->state = PV_SI_STATE_IDLE;
		break;
	default:
		break;
	}
	if (a->refuse_code == code && a->refuse_with != 0) {
		a->result = a->refuse_with;
		a->state = a->refuse_state;
		a->refuse_with = 0;
		if (code == PV_SI_FINISH)
			a->programmed = false;
	}
}

static void
agent_run(struct fakeboot *b, uint16_t code, bool extended)
{
	struct agent *a = b->special_ctx, other;
	uint16_t off, n;

	if (code == PV_SI_INFO) {
		agent_info(b, a);
	} else if (code == PV_SI_STATUS) {
		agent_report(b, a);
	} else if (code == PV_SI_CERTIFICATE) {
		off = pv_get_u16le(b->p1);
		n = pv_get_u16le(b->p1 + 2);
		assert_true(off + n <= 136 && n <= 128);
		put_out(b, a->cert + off, n);
	} else {
		agent_change(b, a, code);
		if (code == PV_SI_FINISH && a->mute_finish) {
			a->mute_finish = false;
			b->state = FB_BAUD;
			return;
		}
		if (!extended)
			put_out(b, "", 0);
	}
	if (code == PV_SI_INFO || code == PV_SI_STATUS ||
	    code == PV_SI_CERTIFICATE) {
		other = *a;
		other.result = PV_SI_OK;
		put_status(b, &other);
	} else {
		put_status(b, a);
	}
	fb_ack(b);
	if (code == PV_SI_FINISH && a->programmed)
		b->state = FB_BAUD; /* it restarts */
}

/* --- a package on disk ---------------------------------------------------------- */

static char package_path[64];
static uint8_t package_bytes[16384];
static size_t package_len;
static uint8_t payload[16384];
static size_t payload_len;

static void
write_package(const void *data, size_t len)
{
	FILE *f = fopen(package_path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

struct want_area {
	uint8_t type;
	uint32_t address, size;
};

static void
make_package(const struct want_area *areas, uint16_t n)
{
	struct pv_sfi_header h = { .version = 1, .n_areas = n };
	struct pv_sfi_area a;
	uint8_t *p = package_bytes;
	uint16_t i;

	pv_sfi_header_encode(&h, p);
	p += PV_SFI_HEADER;
	payload_len = 0;
	for (i = 0; i < n; i++) {
		a = (struct pv_sfi_area){ .type = areas[i].type,
			.version = 1,
			.index = (uint16_t)(i + 1),
			.size = areas[i].size,
			.address = areas[i].address,
			.total = n };
		pv_sfi_area_encode(&a, p);
		p += PV_SFI_AREA;
		fill(p, a.size, i + 1U);
		memcpy(payload + payload_len, p, a.size);
		payload_len += a.size;
		p += a.size;
	}
	package_len = (size_t)(p - package_bytes);
	write_package(package_bytes, package_len);
}

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
	for (i = 0; i < N(many); i++)
		many[i] =
		    (struct want_area){ 'F', FB_FLASH + (uint32_t)i * 64, 8 };
	bench_open(&t);
	pv_install_close(t.f);
	t.f = NULL;
	make_package(many, N(many));
	assert_int_equal(pv_install_open(package_path, &t.f, &t.e), 0);
	assert_int_equal(bench_run(&t), PV_E_RANGE);
	assert_non_null(strstr(t.e.msg, "65 areas"));
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
lossy(unsigned kind, uint64_t at)
{
	struct bench t;
	int r;

	bench_open(&t);
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
			lossy(kind, at);
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
	static const struct want_area after_c[] = { { 'C', 0, 4 },
		{ 'F', FB_FLASH, 4 } },
				      empty[] = { { 'F', FB_FLASH, 0 } },
				      module[] = { { 'M', FB_FLASH, 16 } };
	struct pv_install_file *f = NULL;
	struct pv_error e = { 0 };

	(void)state;
	make_package(after_c, 2);
	assert_int_equal(pv_install_open(package_path, &f, &e), PV_E_VERIFY);
	make_package(empty, 1);
	assert_int_equal(pv_install_open(package_path, &f, &e), PV_E_VERIFY);
	make_package(module, 1);
	assert_int_equal(
	    pv_install_open(package_path, &f, &e), PV_E_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "type 'M'"));
	assert_null(f);
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
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_range),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_program_unplugged),
		cmocka_unit_test(test_program_protected_sector),
		cmocka_unit_test(test_program_lossy),
		cmocka_unit_test(test_install),
		cmocka_unit_test(test_install_starts),
		cmocka_unit_test(test_install_finish_lost),
		cmocka_unit_test(test_install_refusals),
		cmocka_unit_test(test_install_other_license),
		cmocka_unit_test(test_install_misfit),
		cmocka_unit_test(test_install_no_license),
		cmocka_unit_test(test_install_stopped),
		cmocka_unit_test(test_install_after_crash),
		cmocka_unit_test(test_install_protected),
		cmocka_unit_test(test_install_broken),
		cmocka_unit_test(test_install_no_agent),
		cmocka_unit_test(test_install_unplugged),
		cmocka_unit_test(test_install_lossy),
		cmocka_unit_test(test_package_prefixes),
		cmocka_unit_test(test_package_kinds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
