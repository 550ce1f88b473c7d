/* SPDX-License-Identifier: Apache-2.0 */
/* The USART bootloader session: frames as AN3155 has them, faults, limits. */
#include <provisor/usart.h>

#include "fakeboot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* --- a scripted link: each frame of the host has its answer ---------------- */

struct line {
	const char *host, *device; /* hex, blanks allowed */
};

struct script {
	const struct line *lines;
	size_t n, at;
	size_t host_at; /* bytes of the present line's host part seen */
	uint8_t out[2048];
	size_t out_at, n_out;
	bool wrong;
};

static size_t
unhex(const char *s, uint8_t *dst, size_t cap)
{
	unsigned v;
	size_t n = 0;

	for (; *s != '\0'; s++) {
		if (*s == ' ')
			continue;
		assert_true(n < cap);
		assert_int_equal(sscanf(s, "%2x", &v), 1);
		dst[n++] = (uint8_t)v;
		s++;
	}
	return n;
}

static int
script_write(void *ctx, const uint8_t *data, size_t len, int64_t deadline,
    struct pv_error *e)
{
	struct script *s = ctx;
	uint8_t want[1200], answer[600];
	size_t n, i, m;

	(void)deadline;
	(void)e;
	for (i = 0; i < len; i++) {
		if (s->at >= s->n) {
			s->wrong = true;
			return 0;
		}
		n = unhex(s->lines[s->at].host, want, sizeof(want));
		if (s->host_at >= n || want[s->host_at] != data[i])
			s->wrong = true;
		if (++s->host_at < n)
			continue;
		m = unhex(s->lines[s->at].device, answer, sizeof(answer));
		assert_true(s->n_out + m <= sizeof(s->out));
		memcpy(s->out + s->n_out, answer, m);
		s->n_out += m;
		s->at++;
		s->host_at = 0;
	}
	return 0;
}

static int
script_read(void *ctx, uint8_t *data, size_t cap, size_t *ret_len,
    int64_t deadline, struct pv_error *e)
{
	struct script *s = ctx;
	size_t n = s->n_out - s->out_at;

	(void)deadline;
	if (n == 0)
		return pv_fail(e, PV_E_TIMEOUT, "no answer");
	if (n > cap)
		n = cap;
	memcpy(data, s->out + s->out_at, n);
	s->out_at += n;
	*ret_len = n;
	return 0;
}

static int
script_drain(void *ctx, struct pv_error *e)
{
	(void)ctx;
	(void)e;
	return 0;
}

static struct pv_link
script_link(struct script *s, const struct line *lines, size_t n)
{
	memset(s, 0, sizeof(*s));
	s->lines = lines;
	s->n = n;
	return (struct pv_link){
		.ctx = s,
		.baud = 115200,
		.write = script_write,
		.read = script_read,
		.drain = script_drain,
	};
}

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define OPEN                                                            \
	{ "7f", "79" },                                                 \
	    { "00ff", "79 0b 31 00 01 02 11 21 31 44 63 73 82 92 79" }, \
	    { "01fe", "79 31 00 00 79" },                               \
	{                                                               \
		"02fd", "79 01 04 60 79"                                \
	}

static struct pv_usart *
open_script(struct script *s, const struct line *lines, size_t n)
{
	struct pv_error e = { 0 };
	struct pv_usart *u = NULL;
	struct pv_link link = script_link(s, lines, n);

	assert_int_equal(pv_usart_open(&link, NULL, &u, &e), 0);
	return u;
}

static void
end_script(struct script *s, struct pv_usart *u)
{
	assert_false(s->wrong);
	assert_int_equal(s->at, s->n);
	pv_usart_free(u);
}

static void
test_open(void **state)
{
	static const struct line lines[] = { OPEN };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_info(u)->version, 0x31);
	assert_int_equal(pv_usart_info(u)->device_id, 0x460);
	assert_int_equal(pv_usart_info(u)->n_opcodes, 11);
	assert_false(pv_usart_info(u)->already_synced);
	assert_true(pv_usart_has(u, PV_OP_EXTENDED_ERASE));
	assert_false(pv_usart_has(u, PV_OP_ERASE));
	assert_false(pv_usart_has(u, PV_OP_SPECIAL));
	end_script(&s, u);
}

/* The list of an STM32H5, AN3155 3.1; a stray 0x00 before the ACK. */
static void
test_open_h5(void **state)
{
	static const struct line lines[] = {
		{ "7f", "00 79" },
		{ "00ff", "79 0a 40 00 01 02 11 21 31 44 50 63 73 79" },
		{ "01fe", "79 40 00 00 79" },
		{ "02fd", "79 01 04 84 79" },
	};
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_info(u)->device_id, 0x484);
	assert_true(pv_usart_has(u, PV_OP_SPECIAL));
	assert_false(pv_usart_has(u, PV_OP_EXTENDED_SPECIAL));
	end_script(&s, u);
}

/* The first 0x7F is half a pair to a device that is synced already. */
static void
test_open_synced(void **state)
{
	static const struct line lines[] = {
		{ "7f", "" },
		{ "7f", "1f" },
		{ "00ff", "79 0b 31 00 01 02 11 21 31 44 63 73 82 92 79" },
		{ "01fe", "79 31 00 00 79" },
		{ "02fd", "79 01 04 60 79" },
	};
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_true(pv_usart_info(u)->already_synced);
	end_script(&s, u);
}

/* A late ACK for the first 0x7F: the second became half a pair. */
static void
test_open_late(void **state)
{
	static const struct line lines[] = {
		{ "7f", "" },
		{ "7f", "79" },
		{ "7f", "1f" },
		{ "00ff", "79 0b 31 00 01 02 11 21 31 44 63 73 82 92 79" },
		{ "01fe", "79 31 00 00 79" },
		{ "02fd", "79 01 04 60 79" },
	};
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	end_script(&s, u);
}

static void
test_silent(void **state)
{
	static const struct line lines[] = { { "7f", "" }, { "7f", "" } };
	struct pv_error e = { 0 };
	struct script s;
	struct pv_link link = script_link(&s, lines, N(lines));
	struct pv_usart *u = NULL;

	(void)state;
	assert_int_equal(pv_usart_open(&link, NULL, &u, &e), PV_E_TIMEOUT);
	assert_null(u);
	assert_non_null(strstr(e.msg, "no bootloader answers"));
	assert_non_null(strstr(e.hint, "BOOT0"));
	end_script(&s, NULL);
}

static void
test_read_frame(void **state)
{
	static const struct line lines[] = {
		OPEN,
		{ "11ee", "79" },
		{ "0800000008", "79" },
		{ "03fc", "79 01 02 03 04" },
	};
	uint8_t data[4];
	struct pv_error e = { 0 };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_read(u, 0x08000000, data, 4, &e), 0);
	assert_memory_equal(data, "\x01\x02\x03\x04", 4);
	end_script(&s, u);
}

/* The busy byte of the I2C family before an ACK is skipped (U18). */
static void
test_busy_byte(void **state)
{
	static const struct line lines[] = {
		OPEN,
		{ "11ee", "76 76 79" },
		{ "0800000008", "76 79" },
		{ "03fc", "76 79 76 1f 79 04" },
	};
	uint8_t data[4];
	struct pv_error e = { 0 };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_read(u, 0x08000000, data, 4, &e), 0);
	assert_memory_equal(data, "\x76\x1f\x79\x04", 4);
	assert_int_equal(pv_usart_retries(u), 0);
	end_script(&s, u);
}

/*
 * Before V3.1 a bad address is dropped without a NACK, and the next two bytes
 * are a pair (U9): so nothing but filler follows the silence, until a NACK.
 */
#define SILENT                                                \
	{ "11ee", "79" }, { "3000000030", "" }, { "02", "" }, \
	{                                                     \
		"02", "1f"                                    \
	}
static void
test_silent_address(void **state)
{
	static const struct line lines[] = {
		OPEN,
		SILENT,
		SILENT,
		SILENT,
		SILENT,
		SILENT,
		{ "11ee", "79" },
		{ "0800000008", "79" },
		{ "03fc", "79 01 02 03 04" },
	};
	uint8_t data[4];
	struct pv_error e = { 0 };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(
	    pv_usart_read(u, 0x30000000, data, 4, &e), PV_E_TIMEOUT);
	assert_non_null(strstr(e.msg, "read at 0x30000000: no answer to the "
				      "address"));
	assert_non_null(strstr(e.msg, "5 times in a row"));
	/* and the session goes on */
	assert_int_equal(pv_usart_read(u, 0x08000000, data, 4, &e), 0);
	assert_memory_equal(data, "\x01\x02\x03\x04", 4);
	end_script(&s, u);
}

static void
test_write_frame(void **state)
{
	static const struct line lines[] = {
		OPEN,
		{ "31ce", "79" },
		{ "0800000008", "79" },
		{ "03deadbeef21", "79" },
	};
	static const uint8_t data[] = { 0xde, 0xad, 0xbe, 0xef };
	struct pv_error e = { 0 };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_write(u, 0x08000000, data, 4, NULL, &e), 0);
	end_script(&s, u);
}

static void
test_go_frame(void **state)
{
	static const struct line lines[] = {
		OPEN,
		{ "21de", "79" },
		{ "0800000008", "79" },
	};
	struct pv_error e = { 0 };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_go(u, 0x08000000, &e), 0);
	end_script(&s, u);
}

static void
test_erase_frames(void **state)
{
	static const struct line lines[] = {
		OPEN,
		{ "44bb", "79" },
		{ "00010000000100", "79" },
		{ "44bb", "79" },
		{ "ffff00", "79" },
	};
	static const uint32_t pages[] = { 0, 1 };
	struct pv_error e = { 0 };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_erase(u, pages, 2, &e), 0);
	assert_int_equal(pv_usart_erase_all(u, &e), 0);
	end_script(&s, u);
}

/* The old command: chosen because Get lists it, not by version. */
static void
test_erase_short(void **state)
{
	static const struct line lines[] = {
		{ "7f", "79" },
		{ "00ff", "79 0b 22 00 01 02 11 21 31 43 63 73 82 92 79" },
		{ "01fe", "79 22 00 00 79" },
		{ "02fd", "79 01 04 10 79" },
		{ "43bc", "79" },
		{ "01000100", "79" },
		{ "43bc", "79" },
		{ "ff00", "79" },
	};
	static const uint32_t pages[] = { 0, 1 }, high[] = { 256 };
	struct pv_error e = { 0 };
	struct script s;
	struct pv_usart *u = open_script(&s, lines, N(lines));

	(void)state;
	assert_int_equal(pv_usart_erase(u, pages, 2, &e), 0);
	assert_int_equal(pv_usart_erase_all(u, &e), 0);
	assert_int_equal(pv_usart_erase(u, high, 1, &e), PV_E_RANGE);
	end_script(&s, u);
}

static void
test_special_frames(void **state)
{
	static const struct line lines[] = {
		{ "7f", "79" },
		{ "00ff", "79 08 40 00 01 02 11 31 44 50 51 79" },
		{ "01fe", "79 40 00 00 79" },
		{ "02fd", "79 01 04 84 79" },
		{ "50af", "79" },
		{ "500252", "79" },
		{ "00040000020006", "79 0002 aabb 0001 77 79" },
		{ "51ae", "79" },
		{ "510253", "79" },
		{ "0001aaab", "79" },
		{ "000201020001", "" },
	};
	static const uint8_t four[] = { 0, 0, 2, 0 }, one[] = { 0xaa },
			     two[] = { 1, 2 };
	struct pv_usart_special sp = {
		.code = 0x5002, .data = four, .len = 4, .timeout_ms = 100
	};
	struct pv_error e = { 0 };
	struct line copy[N(lines)];
	struct script s;
	struct pv_usart *u;

	(void)state;
	memcpy(copy, lines, sizeof(copy));
	copy[N(lines) - 1].host = "0002010201";
	copy[N(lines) - 1].device = "79 0001 05 79";
	u = open_script(&s, copy, N(copy));
	assert_int_equal(pv_usart_special(u, &sp, &e), 0);
	assert_int_equal(sp.answer_len, 2);
	assert_memory_equal(sp.answer, "\xaa\xbb", 2);
	assert_int_equal(sp.status_len, 1);
	assert_int_equal(sp.status[0], 0x77);
	sp = (struct pv_usart_special){ .code = 0x5102,
		.extended = true,
		.data = one,
		.len = 1,
		.data2 = two,
		.len2 = 2,
		.timeout_ms = 100 };
	assert_int_equal(pv_usart_special(u, &sp, &e), 0);
	assert_int_equal(sp.answer_len, 0);
	assert_int_equal(sp.status_len, 1);
	assert_int_equal(sp.status[0], 5);
	end_script(&s, u);
}

/* --- the model -------------------------------------------------------------- */

static struct pv_usart *
open_fake(struct fakeboot *b, struct pv_link *link)
{
	struct pv_error e = { 0 };
	struct pv_usart *u = NULL;

	*link = fb_link(b);
	assert_int_equal(pv_usart_open(link, NULL, &u, &e), 0);
	return u;
}

static void
fill(uint8_t *p, size_t n, unsigned seed)
{
	while (n-- > 0) {
		seed = seed * 1103515245U + 12345U;
		*p++ = (uint8_t)(seed >> 16);
	}
}

static void
test_protected(void **state)
{
	struct fakeboot *b = fb_new();
	struct pv_link link;
	struct pv_error e = { 0 };
	struct pv_usart *u;
	uint32_t page = 0;
	uint8_t data[8] = { 0 };
	bool prot = false;

	(void)state;
	b->rdp = true;
	b->double_nack = true;
	u = open_fake(b, &link);
	assert_int_equal(pv_usart_probe_protection(u, FB_FLASH, &prot, &e), 0);
	assert_true(prot);
	/* The second NACK must not answer the next command. */
	assert_int_equal(
	    pv_usart_read(u, FB_FLASH, data, 8, &e), PV_E_PROTECTED);
	assert_non_null(strstr(e.msg, "read at 0x08000000"));
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH, data, 8, NULL, &e), PV_E_PROTECTED);
	assert_int_equal(pv_usart_erase(u, &page, 1, &e), PV_E_PROTECTED);
	assert_int_equal(pv_usart_go(u, FB_FLASH, &e), PV_E_PROTECTED);
	b->rdp = false;
	assert_int_equal(pv_usart_probe_protection(u, FB_FLASH, &prot, &e), 0);
	assert_false(prot);
	pv_usart_free(u);
	free(b);
}

/* Nothing is sent for what would be refused anyway, or kill the session. */
static void
test_refused_here(void **state)
{
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_link link;
	struct pv_error e = { 0 };
	struct pv_usart *u = open_fake(b, &link);
	uint32_t page = FB_PAGES;
	uint8_t data[512] = { 0 };
	uint64_t before;

	(void)state;
	pv_usart_set_chip(u, &chip);
	before = b->total_in;
	assert_int_equal(pv_usart_read(u, 0x20000100, data, 4, &e), PV_E_RANGE);
	assert_non_null(strstr(e.msg, "belong to the bootloader"));
	assert_non_null(strstr(e.hint, "0x20001000"));
	assert_int_equal(
	    pv_usart_read(u, FB_FLASH + FB_SIZE - 4, data, 8, &e), PV_E_RANGE);
	assert_int_equal(
	    pv_usart_read(u, 0xfffffffcU, data, 8, &e), PV_E_RANGE);
	assert_int_equal(
	    pv_usart_write(u, 0x1fff7800, data, 8, NULL, &e), PV_E_RANGE);
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH, data, 4, NULL, &e), PV_E_RANGE);
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH + 4, data, 8, NULL, &e), PV_E_RANGE);
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH, data, 264, NULL, &e), PV_E_RANGE);
	assert_int_equal(pv_usart_erase(u, &page, 1, &e), PV_E_RANGE);
	assert_int_equal(pv_usart_go(u, 0x90000000, &e), PV_E_RANGE);
	assert_int_equal(b->total_in, before);
	pv_usart_free(u);
	free(b);
}

struct retries {
	unsigned n;
	char last[256];
};

static void
on_event(void *ctx, const struct pv_event *ev)
{
	struct retries *r = ctx;

	if (ev->kind != PV_EVENT_RETRY)
		return;
	r->n++;
	(void)snprintf(r->last, sizeof(r->last), "%s", ev->text);
}

/*
 * One byte lost or damaged at any place, in either direction, of a session
 * that erases, writes and reads: the result is right, or an honest report of
 * a damaged block or list; never a wrong success.
 */
static void
one_fault(unsigned kind, uint64_t at)
{
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_link link = fb_link(b);
	struct retries seen = { 0 };
	struct pv_progress p = { .ctx = &seen, .event = on_event };
	struct pv_error e = { 0 };
	struct pv_usart *u = NULL;
	static const uint32_t pages[] = { 1, 2 };
	uint8_t data[256], back[256];
	bool damaged = false;
	int r;

	fill(data, sizeof(data), (unsigned)at);
	memset(b->flash, 0x55, sizeof(b->flash));
	if (kind == 0)
		b->lose_in = at;
	else if (kind == 1)
		b->lose_out = at;
	else
		b->flip_in = at;
	assert_int_equal(pv_usart_open(&link, &p, &u, &e), 0);
	pv_usart_set_chip(u, &chip);
	r = pv_usart_erase(u, pages, 2, &e);
	if (r == 0)
		r = pv_usart_write(
		    u, FB_FLASH + FB_PAGE, data, 256, &damaged, &e);
	if (r == 0 && !damaged)
		r = pv_usart_read(u, FB_FLASH + FB_PAGE, back, 256, &e);
	if (r == 0 && !damaged) {
		assert_memory_equal(back, data, 256);
		assert_memory_equal(b->flash + FB_PAGE, data, 256);
		/* neighbors stay as they were */
		assert_int_equal(b->flash[FB_PAGE - 1], 0x55);
		assert_int_equal(b->flash[(size_t)3 * FB_PAGE], 0x55);
		assert_int_equal(b->flash[(size_t)3 * FB_PAGE - 1], 0xff);
	} else if (r != 0) {
		/* A count of 4098 sectors is longer than any filler. */
		if (kind == 2 && at == 9) {
			assert_int_equal(r, PV_E_TIMEOUT);
		} else {
			assert_int_equal(r, PV_E_DEVICE);
			assert_non_null(strstr(e.msg, "damaged erase list"));
		}
	}
	assert_int_equal(b->n_mass, 0);
	assert_int_equal(seen.n, pv_usart_retries(u));
	pv_usart_free(u);
	free(b);
}

static void
test_any_byte(void **state)
{
	unsigned kind;
	uint64_t at;

	(void)state;
	for (kind = 0; kind < 3; kind++)
		for (at = 1; at < 330; at++)
			one_fault(kind, at);
}

/* Several bytes in a row lost: the filler must end the frame in a NACK. */
static void
test_lost_run(void **state)
{
	uint8_t data[256], back[256];
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b;
	struct pv_usart *u;
	bool damaged;
	uint64_t n;

	(void)state;
	fill(data, sizeof(data), 7);
	for (n = 2; n < 258; n += 5) {
		b = fb_new();
		u = open_fake(b, &link);
		/* command and address are 7 bytes; then the data frame */
		b->lose_in = b->total_in + 8;
		b->lose_in_count = n;
		damaged = false;
		assert_int_equal(
		    pv_usart_write(u, FB_FLASH, data, 256, &damaged, &e), 0);
		assert_true(pv_usart_retries(u) >= 1);
		if (!damaged) {
			assert_int_equal(
			    pv_usart_read(u, FB_FLASH, back, 256, &e), 0);
			assert_memory_equal(back, data, 256);
		}
		pv_usart_free(u);
		free(b);
	}
}

/* The filler is even, at least 2, and not in what was sent. */
static void
test_filler(void **state)
{
	static const uint8_t data[8] = { 2, 4, 6, 8, 10, 12, 16, 18 };
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u = open_fake(b, &link);
	size_t at;

	(void)state;
	b->lose_in = b->total_in + 12;
	at = b->n_log;
	assert_int_equal(pv_usart_write(u, FB_FLASH, data, 8, NULL, &e), 0);
	/* 2 + 5 + 10 bytes of the write, then 14: 2..12 occur in the data */
	assert_int_equal(b->log[at + 17], 14);
	assert_int_equal(pv_usart_retries(u), 1);
	assert_memory_equal(b->flash, data, 8);
	pv_usart_free(u);
	free(b);
}

static void
test_damaged_block(void **state)
{
	static const uint8_t data[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u = open_fake(b, &link);
	bool damaged = false;

	(void)state;
	/* Old content under it, and a frame whose end got lost. */
	memset(b->flash, 0x00, 8);
	b->lose_in = b->total_in + 12;
	assert_int_equal(pv_usart_write(u, FB_FLASH, data, 8, &damaged, &e), 0);
	assert_true(damaged);
	b->lose_in = b->total_in + 12;
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH, data, 8, NULL, &e), PV_E_DEVICE);
	assert_non_null(strstr(e.msg, "write at 0x08000000"));
	pv_usart_free(u);
	free(b);
}

static void
test_gone(void **state)
{
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u = open_fake(b, &link);
	uint8_t data[256];

	(void)state;
	b->gone_at = b->total_in + 100;
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH, b->flash, 256, NULL, &e), PV_E_LINK);
	assert_non_null(strstr(e.msg, "went away"));
	assert_int_equal(pv_usart_read(u, FB_FLASH, data, 256, &e), PV_E_LINK);
	assert_int_equal(pv_exit_code(e.code), 7);
	pv_usart_free(u);
	free(b);
}

/* --- hostile devices --------------------------------------------------------- */

struct noise {
	uint64_t n_read;
	unsigned state;
	int fixed; /* every byte this, or -1: random */
};

static int
noise_write(void *ctx, const uint8_t *data, size_t len, int64_t deadline,
    struct pv_error *e)
{
	(void)ctx;
	(void)data;
	(void)len;
	(void)deadline;
	(void)e;
	return 0;
}

static int
noise_read(void *ctx, uint8_t *data, size_t cap, size_t *ret_len,
    int64_t deadline, struct pv_error *e)
{
	struct noise *n = ctx;
	size_t i;

	(void)deadline;
	(void)e;
	n->n_read += cap;
	for (i = 0; i < cap; i++) {
		n->state = n->state * 1103515245U + 12345U;
		data[i] = n->fixed >= 0 ? (uint8_t)n->fixed
					: (uint8_t)(n->state >> 16);
	}
	*ret_len = cap;
	return 0;
}

/* A line that talks for ever, whatever it says: over after few bytes. */
static void
test_endless(void **state)
{
	static const int fixed[] = { -1, 0x00, 0x1f, 0x79, 0x76, 0x55, 0xff };
	struct pv_error e;
	struct pv_usart *u;
	struct pv_link link;
	struct noise n;
	size_t i;

	(void)state;
	for (i = 0; i < N(fixed); i++) {
		n = (struct noise){ .state = 1, .fixed = fixed[i] };
		link = (struct pv_link){ .ctx = &n,
			.baud = 115200,
			.write = noise_write,
			.read = noise_read,
			.drain = script_drain };
		memset(&e, 0, sizeof(e));
		u = NULL;
		assert_int_not_equal(pv_usart_open(&link, NULL, &u, &e), 0);
		assert_int_equal(pv_exit_code(e.code), 7);
		assert_true(e.msg[0] != '\0');
		assert_true(n.n_read < 1000000);
	}
}

static void
test_get_too_long(void **state)
{
	static const struct line lines[] = { { "7f", "79" } };
	struct fakeboot *b = fb_new();
	struct pv_link link = fb_link(b);
	struct pv_error e = { 0 };
	struct pv_usart *u = NULL;
	uint8_t many[100] = { 0 };

	(void)state;
	(void)lines;
	b->opcodes = many;
	b->n_opcodes = sizeof(many);
	assert_int_equal(pv_usart_open(&link, NULL, &u, &e), PV_E_DEVICE);
	assert_non_null(strstr(e.msg, "lists 100 commands"));
	free(b);
}

static void
huge_answer(struct fakeboot *b, uint16_t code, bool extended)
{
	(void)code;
	(void)extended;
	fb_put(b, 0xff);
	fb_put(b, 0xff);
}

static void
test_special_bounds(void **state)
{
	struct pv_usart_special sp = { .code = 0x5001, .timeout_ms = 10 };
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u;

	(void)state;
	u = open_fake(b, &link);
	/* nobody behind the subcommand */
	assert_int_equal(pv_usart_special(u, &sp, &e), PV_E_NACK);
	assert_true(sp.unknown);
	b->special = huge_answer;
	assert_int_equal(pv_usart_special(u, &sp, &e), PV_E_DEVICE);
	assert_non_null(strstr(e.msg, "65535 bytes"));
	assert_true(sp.usable);
	sp.len = PV_USART_SPECIAL_MAX + 1;
	assert_int_equal(pv_usart_special(u, &sp, &e), PV_E_RANGE);
	pv_usart_free(u);
	free(b);
}

/* A part without mass erase says so. */
static void
test_no_mass_erase(void **state)
{
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u = open_fake(b, &link);

	(void)state;
	b->no_mass_erase = true;
	assert_int_equal(pv_usart_erase_all(u, &e), PV_E_NACK);
	assert_non_null(strstr(e.msg, "erase list"));
	pv_usart_free(u);
	free(b);
}

/* More sectors than one list may hold go in several. */
static void
test_long_list(void **state)
{
	uint32_t pages[1100];
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u = open_fake(b, &link);
	uint32_t i;

	(void)state;
	for (i = 0; i < N(pages); i++)
		pages[i] = i;
	assert_int_equal(pv_usart_erase(u, pages, N(pages), &e), 0);
	assert_int_equal(b->n_erases, N(pages));
	pages[5] = 0xfffd; /* a reserved code: erase bank 2 */
	assert_int_equal(pv_usart_erase(u, pages, 6, &e), PV_E_RANGE);
	assert_int_equal(b->n_erases, N(pages));
	pv_usart_free(u);
	free(b);
}

static void
test_reconnect(void **state)
{
	struct pv_link link;
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u = open_fake(b, &link);

	(void)state;
	b->state = FB_BAUD; /* it restarted */
	assert_int_equal(pv_usart_reconnect(u, 100, &e), 0);
	b->state = FB_BAUD;
	b->id = 0x415;
	assert_int_equal(pv_usart_reconnect(u, 100, &e), PV_E_DEVICE);
	assert_non_null(strstr(e.msg, "another chip"));
	b->state = FB_GONE;
	assert_int_equal(pv_usart_reconnect(u, 50, &e), PV_E_TIMEOUT);
	pv_usart_free(u);
	free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_h5),
		cmocka_unit_test(test_open_synced),
		cmocka_unit_test(test_open_late),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_read_frame),
		cmocka_unit_test(test_busy_byte),
		cmocka_unit_test(test_silent_address),
		cmocka_unit_test(test_write_frame),
		cmocka_unit_test(test_go_frame),
		cmocka_unit_test(test_erase_frames),
		cmocka_unit_test(test_erase_short),
		cmocka_unit_test(test_special_frames),
		cmocka_unit_test(test_protected),
		cmocka_unit_test(test_refused_here),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_lost_run),
		cmocka_unit_test(test_filler),
		cmocka_unit_test(test_damaged_block),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_endless),
		cmocka_unit_test(test_get_too_long),
		cmocka_unit_test(test_special_bounds),
		cmocka_unit_test(test_no_mass_erase),
		cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_reconnect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
