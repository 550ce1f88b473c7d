/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of AN3155 beyond read, write and erase: protection, option bytes,
 * Get Checksum; and frames sent together, reset lines, the rate that works.
 */
#include <provisor/usart.h>

#include "fakeboot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct pv_usart *
open_with(struct fakeboot *b, const struct pv_usart_options *opt)
{
	struct pv_link link = fb_link(b);
	struct pv_usart *u = NULL;
	struct pv_error e = { 0 };

	assert_int_equal(pv_usart_open_with(&link, NULL, opt, &u, &e), 0);
	return u;
}

static bool
sent(const struct fakeboot *b, const void *bytes, size_t n)
{
	size_t i;

	for (i = 0; i + n <= b->n_log; i++)
		if (memcmp(b->log + i, bytes, n) == 0)
			return true;
	return false;
}

/* A damaged byte in the list of commands, which has no checksum. */
static void
test_damaged_list(void **state)
{
	struct fakeboot *b = fb_new();
	struct pv_error e = { 0 };
	struct pv_usart *u;
	uint8_t word[4];

	(void)state;
	b->flip_out = 7; /* sync, ACK, count, version, then 00 01 02 11 */
	u = open_with(b, NULL);
	assert_false(pv_usart_has(u, PV_OP_READ));
	assert_int_equal(pv_usart_read(u, FB_FLASH, word, 4, &e), 0);
	assert_true(pv_usart_has(u, PV_OP_READ));
	/* One that is not there stays so, without asking for ever. */
	assert_int_equal(
	    pv_usart_checksum(u, FB_FLASH, 4, NULL, &e), PV_E_DEVICE);
	pv_usart_free(u);
	free(b);
}

/* --- protection (U15, U16, U17) ----------------------------------------------------- */

static void
test_write_protect(void **state)
{
	static const uint8_t codes[] = { 1, 2, 7 };
	static const uint8_t frame[] = { 0x63, 0x9c, 2, 1, 2, 7,
		0x02 ^ 0x01 ^ 0x02 ^ 0x07 };
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct pv_usart *u;
	int silent;

	(void)state;
	for (silent = 0; silent < 2; silent++) {
		b->state = FB_BAUD;
		b->silent_restart = silent != 0;
		b->n_restarts = 0;
		u = open_with(b, NULL);
		pv_usart_set_chip(u, &chip);
		assert_int_equal(pv_usart_write_protect(u, codes, 3, &e), 0);
		assert_true(sent(b, frame, sizeof(frame)));
		assert_int_equal(b->n_codes, 3);
		assert_memory_equal(b->codes, codes, 3);
		assert_true(b->n_restarts >= 1);
		/* The session is there again. */
		assert_int_equal(pv_usart_write_unprotect(u, &e), 0);
		assert_int_equal(b->n_codes, 0);
		pv_usart_free(u);
	}
	free(b);
}

static void
test_write_protect_refused(void **state)
{
	static const uint8_t beyond[] = { 0, 32 }, twice[] = { 3, 3 };
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct pv_usart *u = open_with(b, NULL);
	uint64_t before = b->total_in;

	(void)state;
	pv_usart_set_chip(u, &chip);
	assert_int_equal(pv_usart_write_protect(u, beyond, 2, &e), PV_E_RANGE);
	assert_non_null(strstr(e.msg, "beyond the last, 31"));
	assert_int_equal(pv_usart_write_protect(u, twice, 2, &e), PV_E_RANGE);
	assert_int_equal(pv_usart_write_protect(u, twice, 0, &e), PV_E_RANGE);
	assert_int_equal(b->total_in, before); /* not a byte */
	pv_usart_free(u);
	free(b);
}

static void
test_readout(void **state)
{
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct pv_usart *u = open_with(b, NULL);

	(void)state;
	pv_usart_set_chip(u, &chip);
	memset(b->flash, 0x55, sizeof(b->flash));
	assert_int_equal(pv_usart_readout_protect(u, &e), 0);
	assert_true(b->rdp);
	/* Level 1 answers Get, so another session can lift it. */
	assert_int_equal(pv_usart_readout_unprotect(u, &e), 0);
	assert_false(b->rdp);
	assert_int_equal(b->flash[0], 0xff);
	assert_int_equal(b->n_unprotects, 1);
	/* Acknowledged, and not so. */
	b->stubborn = true;
	assert_int_equal(pv_usart_readout_protect(u, &e), PV_E_VERIFY);
	assert_non_null(strstr(e.msg, "not read protected"));
	pv_usart_free(u);
	free(b);
}

/* Each byte of each protection command lost once: done, or an error. */
static void
test_protect_lossy(void **state)
{
	static const uint8_t codes[] = { 4, 9 };
	struct pv_chip chip = fb_chip();
	struct fakeboot *b;
	struct pv_error e;
	struct pv_usart *u;
	unsigned k, kind;
	int r;

	(void)state;
	for (kind = 0; kind < 3; kind++) {
		for (k = 0; k < 24; k++) {
			b = fb_new();
			u = open_with(b, NULL);
			pv_usart_set_chip(u, &chip);
			pv_error_clear(&e);
			if (k % 2 == 0)
				b->lose_in = b->total_in + k / 2;
			else
				b->lose_out = b->total_out + k / 2;
			r = kind == 0 ? pv_usart_write_protect(u, codes, 2, &e)
			    : kind == 1 ? pv_usart_readout_protect(u, &e)
					: pv_usart_write_unprotect(u, &e);
			if (r == 0 && kind == 0)
				assert_memory_equal(b->codes, codes, 2);
			if (r == 0 && kind == 1)
				assert_true(b->rdp);
			if (r != 0)
				assert_int_equal(pv_exit_code(r), 7);
			assert_int_equal(b->n_mass, 0);
			assert_int_equal(b->n_unprotects, 0);
			pv_usart_free(u);
			free(b);
		}
	}
}

/* --- option bytes (U14) --------------------------------------------------------------- */

static void
test_options(void **state)
{
	uint8_t want[FB_OPTIONS_SIZE], got[FB_OPTIONS_SIZE];
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct fakeboot *b;
	struct pv_usart *u;
	bool protected = true;
	unsigned k;
	int r;

	(void)state;
	for (k = 0; k < sizeof(want); k++)
		want[k] = (uint8_t)(k * 3);
	for (k = 0; k < 90; k++) {
		b = fb_new();
		b->silent_restart = k % 2 != 0;
		u = open_with(b, NULL);
		pv_usart_set_chip(u, &chip);
		/* from the second on, one byte after the other is lost */
		if (k > 1)
			b->lose_in = b->total_in + k - 2;
		pv_error_clear(&e);
		r = pv_usart_write_options(
		    u, want, sizeof(want), &protected, &e);
		if (r == 0) {
			assert_false(protected);
			assert_memory_equal(b->options, want, sizeof(want));
			assert_int_equal(
			    pv_usart_read_options(u, got, sizeof(got), &e), 0);
			assert_memory_equal(got, want, sizeof(want));
		} else {
			assert_true(k > 1);
			assert_int_equal(pv_exit_code(r), 7);
		}
		pv_usart_free(u);
		free(b);
	}
}

static void
test_options_refused(void **state)
{
	uint8_t want[FB_OPTIONS_SIZE] = { 0 };
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct fakeboot *b = fb_new();
	struct pv_usart *u = open_with(b, NULL);
	uint64_t before = b->total_in;
	bool protected;

	(void)state;
	pv_usart_set_chip(u, &chip);
	/* part of the area */
	assert_int_equal(pv_usart_write_options(u, want, 8, &protected, &e),
	    PV_E_UNSUPPORTED);
	/* the area by an ordinary write (U10) */
	assert_int_equal(
	    pv_usart_write(u, FB_OPTIONS, want, 8, NULL, &e), PV_E_RANGE);
	chip.has_option_area = false;
	assert_int_equal(
	    pv_usart_write_options(u, want, sizeof(want), &protected, &e),
	    PV_E_UNSUPPORTED);
	assert_int_equal(b->total_in, before); /* not a byte */
	chip.has_option_area = true;
	b->stubborn = true;
	assert_int_equal(
	    pv_usart_write_options(u, want, sizeof(want), &protected, &e),
	    PV_E_VERIFY);
	assert_non_null(strstr(e.msg, "0x1fff7800"));
	pv_usart_free(u);
	free(b);
}

/* --- Get Checksum (U23) ----------------------------------------------------------------- */

static void
test_crc_formula(void **state)
{
	uint8_t bytes[256];
	unsigned i;

	(void)state;
	for (i = 0; i < 16; i++)
		bytes[i] = (uint8_t)i;
	assert_int_equal(
	    pv_usart_crc(PV_USART_CRC_INIT, bytes, 16), 0x081b46ca);
	memset(bytes, 0, 4);
	assert_int_equal(pv_usart_crc(PV_USART_CRC_INIT, bytes, 4), 0xc704dd7b);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(
	    pv_usart_crc(PV_USART_CRC_INIT, bytes, sizeof(bytes)), 0x7beaea80);
}

static void
test_checksum(void **state)
{
	static const uint8_t frame[] = { 0xa1, 0x5e, 8, 0, 0, 0, 8, 0, 0, 0,
		0x40, 0x40, 4, 0xc1, 0x1d, 0xb7, 0x6f, 0xff, 0xff, 0xff, 0xff,
		0 };
	struct pv_error e = { 0 };
	struct fakeboot *b;
	struct pv_usart *u;
	uint32_t crc = 0;
	bool usable;
	size_t shape, i;

	(void)state;
	for (shape = 5; shape <= 7; shape++) {
		b = fb_new();
		b->opcodes = fb_opcodes_crc;
		b->n_opcodes = sizeof(fb_opcodes_crc);
		b->crc_shape = shape;
		for (i = 0; i < sizeof(b->flash); i++)
			b->flash[i] = (uint8_t)(i * 7 + i / 256);
		u = open_with(b, NULL);
		usable = false;
		assert_int_equal(
		    pv_usart_checksum(u, FB_FLASH, 64, &crc, &e), PV_E_DEVICE);
		assert_int_equal(
		    pv_usart_checksum_probe(u, FB_FLASH, &usable, &e), 0);
		assert_true(usable);
		assert_true(sent(b, frame, sizeof(frame)));
		assert_int_equal(
		    pv_usart_checksum(u, FB_FLASH + 4, 60000, &crc, &e), 0);
		assert_int_equal(crc, fb_crc(b->flash + 4, 60000));
		assert_int_equal(
		    pv_usart_checksum(u, FB_FLASH + 2, 64, &crc, &e),
		    PV_E_RANGE);
		/* one lost byte of the answer, then a damaged one */
		b->lose_out = b->total_out + 7;
		assert_int_equal(
		    pv_usart_checksum(u, FB_FLASH, 256, &crc, &e), 0);
		assert_int_equal(crc, fb_crc(b->flash, 256));
		b->flip_out = b->total_out + 8;
		assert_int_equal(
		    pv_usart_checksum(u, FB_FLASH, 256, &crc, &e), 0);
		assert_int_equal(crc, fb_crc(b->flash, 256));
		assert_int_equal(pv_usart_retries(u), 2);
		pv_usart_free(u);
		free(b);
	}
}

/* A part that answers something else is not asked again. */
static void
test_checksum_distrusted(void **state)
{
	struct fakeboot *b = fb_new();
	struct pv_error e = { 0 };
	struct pv_usart *u;
	bool usable = true;

	(void)state;
	b->opcodes = fb_opcodes_crc;
	b->n_opcodes = sizeof(fb_opcodes_crc);
	b->crc_wrong = true;
	u = open_with(b, NULL);
	assert_int_equal(pv_usart_checksum_probe(u, FB_FLASH, &usable, &e), 0);
	assert_false(usable);
	assert_int_equal(pv_usart_checksum_probe(u, FB_FLASH, &usable, &e), 0);
	assert_false(usable);
	assert_int_equal(b->n_crcs, 1);
	pv_usart_free(u);
	/* and one that does not list it */
	b->opcodes = fb_opcodes;
	b->n_opcodes = sizeof(fb_opcodes);
	u = open_with(b, NULL);
	assert_int_equal(pv_usart_checksum_probe(u, FB_FLASH, &usable, &e), 0);
	assert_false(usable);
	assert_int_equal(b->n_crcs, 1);
	pv_usart_free(u);
	free(b);
}

static void
fill(uint8_t *p, size_t n, uint32_t seed)
{
	while (n-- > 0) {
		seed = seed * 1664525U + 1013904223U;
		*p++ = (uint8_t)(seed >> 24);
	}
}

/*
 * What is known already needs no probe: the first answer that is as it should
 * be is proof of the formula and of the memory at once.
 */
static void
test_checksum_same(void **state)
{
	struct fakeboot *b = fb_new();
	struct pv_error e = { 0 };
	struct pv_usart *u;
	bool usable = false, same = false;
	uint32_t crc = 0;
	uint64_t in;

	(void)state;
	b->opcodes = fb_opcodes_crc;
	b->n_opcodes = sizeof(fb_opcodes_crc);
	fill(b->flash, sizeof(b->flash), 7);
	crc = fb_crc(b->flash, 4096);
	u = open_with(b, NULL);
	in = b->total_in;
	assert_int_equal(
	    pv_usart_checksum_same(u, FB_FLASH, 4096, crc, &usable, &same, &e),
	    0);
	assert_true(usable && same);
	assert_int_equal(b->total_in - in, 22); /* that frame alone */
	assert_int_equal(b->n_crcs, 1);
	b->flash[100] ^= 1;
	assert_int_equal(
	    pv_usart_checksum_same(u, FB_FLASH, 4096, crc, &usable, &same, &e),
	    0);
	assert_true(usable && !same);
	assert_int_equal(b->n_crcs, 2);
	assert_int_equal(pv_usart_checksum_same(
			     u, FB_FLASH + 2, 64, crc, &usable, &same, &e),
	    PV_E_RANGE);
	assert_false(usable || same);
	pv_usart_free(u);

	/* The first answer differs: the formula, or the memory? */
	u = open_with(b, NULL);
	b->n_crcs = 0;
	assert_int_equal(
	    pv_usart_checksum_same(u, FB_FLASH, 4096, crc, &usable, &same, &e),
	    0);
	assert_true(usable && !same);
	assert_int_equal(b->n_crcs, 2);
	pv_usart_free(u);
	b->crc_wrong = true;
	crc = fb_crc(b->flash, 4096);
	u = open_with(b, NULL);
	assert_int_equal(
	    pv_usart_checksum_same(u, FB_FLASH, 4096, crc, &usable, &same, &e),
	    0);
	assert_false(usable || same);
	b->n_crcs = 0;
	assert_int_equal(
	    pv_usart_checksum_same(u, FB_FLASH, 4096, crc, &usable, &same, &e),
	    0);
	assert_false(usable || same);
	assert_int_equal(b->n_crcs, 0); /* not asked again */
	pv_usart_free(u);
	/* the link goes away meanwhile */
	b->crc_wrong = false;
	u = open_with(b, NULL);
	b->gone_at = b->total_in + 3;
	assert_int_equal(
	    pv_usart_checksum_same(u, FB_FLASH, 4096, crc, &usable, &same, &e),
	    PV_E_LINK);
	assert_false(usable || same);
	pv_usart_free(u);
	free(b);
}

/* --- frames sent together (S3, S4) --------------------------------------------------------- */

static void
test_merged(void **state)
{
	uint8_t data[1024], back[1024];
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct pv_usart *u = open_with(b, NULL);
	unsigned i;

	(void)state;
	pv_usart_set_chip(u, &chip);
	fill(data, sizeof(data), 7);
	b->longest_write = 0;
	for (i = 0; i < 4; i++)
		assert_int_equal(pv_usart_write(u, FB_FLASH + i * 256,
				     data + i * 256, 256, NULL, &e),
		    0);
	assert_int_equal(pv_usart_counters(u)->blocks_lockstep, 1);
	assert_int_equal(pv_usart_counters(u)->blocks_merged, 3);
	assert_int_equal(pv_usart_counters(u)->blocks_coalesced, 0);
	assert_int_equal(b->longest_write, 258); /* never the data with it */
	assert_int_equal(pv_usart_read(u, FB_FLASH, back, 1024, &e), 0);
	assert_memory_equal(back, data, sizeof(data));
	assert_int_equal(pv_usart_counters(u)->reads_lockstep, 1);
	assert_int_equal(pv_usart_counters(u)->reads_merged, 3);
	assert_int_equal(pv_usart_retries(u), 0);
	pv_usart_free(u);
	free(b);
}

/* The first miss ends it for the session, and nothing is lost. */
static void
test_merged_miss(void **state)
{
	uint8_t data[2048], back[2048];
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct pv_usart *u = open_with(b, NULL);
	bool damaged = false;
	unsigned i;

	(void)state;
	pv_usart_set_chip(u, &chip);
	fill(data, sizeof(data), 9);
	b->deaf_merged = true;
	for (i = 0; i < 8; i++)
		assert_int_equal(pv_usart_write(u, FB_FLASH + i * 256,
				     data + i * 256, 256, &damaged, &e),
		    0);
	assert_false(damaged);
	assert_memory_equal(b->flash, data, sizeof(data));
	assert_int_equal(pv_usart_counters(u)->fallbacks, 1);
	assert_int_equal(pv_usart_counters(u)->blocks_merged, 0);
	assert_int_equal(pv_usart_counters(u)->blocks_lockstep, 8);
	assert_true(pv_usart_retries(u) >= 1);
	assert_int_equal(pv_usart_read(u, FB_FLASH, back, 2048, &e), 0);
	assert_memory_equal(back, data, sizeof(data));
	pv_usart_free(u);
	free(b);
}

static void
test_lockstep(void **state)
{
	struct pv_usart_options opt = { .lockstep = true };
	struct fakeboot *b = fb_new();
	struct pv_error e = { 0 };
	struct pv_usart *u = open_with(b, &opt);
	uint8_t back[600];

	(void)state;
	b->longest_write = 0;
	assert_int_equal(pv_usart_read(u, FB_FLASH, back, 600, &e), 0);
	assert_int_equal(b->longest_write, 5);
	assert_int_equal(pv_usart_counters(u)->reads_merged, 0);
	pv_usart_free(u);
	free(b);
}

/* Whole frames only between two written addresses, and never with a pair of
 * bytes that would be a command (R7). */
static void
test_coalesce(void **state)
{
	static const uint8_t pairs[][2] = { { 0x82, 0x7d }, { 0x92, 0x6d },
		{ 0x73, 0x8c }, { 0x43, 0xbc }, { 0x44, 0xbb }, { 0x63, 0x9c },
		{ 0x21, 0xde }, { 0x31, 0xce }, { 0x50, 0xaf },
		{ 0x51, 0xae } };
	struct pv_usart_options opt = { .coalesce = true };
	struct fakeboot *b = fb_new();
	struct pv_chip chip = fb_chip();
	struct pv_error e = { 0 };
	struct pv_usart *u = open_with(b, &opt);
	uint8_t data[256];
	unsigned i;

	(void)state;
	pv_usart_set_chip(u, &chip);
	for (i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i & 0x3f);
	b->longest_write = 0;
	/* the top, then the bottom, then above both, then between them */
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH + 0x4000, data, 256, NULL, &e), 0);
	assert_int_equal(pv_usart_write(u, FB_FLASH, data, 256, NULL, &e), 0);
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH + 0x5000, data, 256, NULL, &e), 0);
	assert_int_equal(pv_usart_counters(u)->blocks_coalesced, 0);
	assert_int_equal(b->longest_write, 258);
	assert_int_equal(
	    pv_usart_write(u, FB_FLASH + 0x800, data, 256, NULL, &e), 0);
	assert_int_equal(pv_usart_counters(u)->blocks_coalesced, 1);
	assert_int_equal(b->longest_write, 265);
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		/* at an odd place as well: it may be read off by one */
		memcpy(data + 101 + i % 2, pairs[i], 2);
		assert_int_equal(pv_usart_write(u, FB_FLASH + 0x1000 + i * 256,
				     data, 256, NULL, &e),
		    0);
		assert_int_equal(pv_usart_counters(u)->blocks_coalesced, 1);
		assert_int_equal(pv_usart_counters(u)->blocks_screened, i + 1);
		memset(data + 100, 0x20, 4);
	}
	assert_int_equal(pv_usart_retries(u), 0);
	pv_usart_free(u);
	free(b);
}

/* Every byte of a whole frame lost or damaged: right, or said to be damaged,
 * and nothing else touched. */
static void
test_coalesce_lossy(void **state)
{
	struct pv_usart_options opt = { .coalesce = true };
	struct pv_chip chip = fb_chip();
	uint8_t data[256], other[256];
	unsigned k;

	(void)state;
	fill(data, sizeof(data), 3);
	memset(other, 0x11, sizeof(other));
	for (k = 0; k < 2 * 268; k++) {
		struct fakeboot *b = fb_new();
		struct pv_usart *u = open_with(b, &opt);
		struct pv_error e = { 0 };
		bool damaged = false;

		pv_usart_set_chip(u, &chip);
		assert_int_equal(
		    pv_usart_write(u, FB_FLASH, other, 256, NULL, &e), 0);
		assert_int_equal(
		    pv_usart_write(u, FB_FLASH + 0x2000, other, 256, NULL, &e),
		    0);
		if (k % 2 == 0)
			b->lose_in = b->total_in + k / 2;
		else
			b->flip_in = b->total_in + k / 2;
		assert_int_equal(pv_usart_write(u, FB_FLASH + 0x1000, data, 256,
				     &damaged, &e),
		    0);
		if (!damaged)
			assert_memory_equal(b->flash + 0x1000, data, 256);
		assert_memory_equal(b->flash, other, 256);
		assert_memory_equal(b->flash + 0x2000, other, 256);
		assert_int_equal(b->n_erases + b->n_mass + b->n_restarts, 0);
		assert_false(b->rdp);
		pv_usart_free(u);
		free(b);
	}
}

/* --- reset line (R2, R9) -------------------------------------------------------------------- */

static void
test_reset_parse(void **state)
{
	static const char *const bad[] = { "dtr,", ",dtr", "dtr,,rts", "cts",
		"99999", "dtr,12x", "-50", "-", "dtrr" };
	const char *name, *steps, *wiring;
	struct pv_reset reset, same;
	struct pv_error e = { 0 };
	size_t i;

	(void)state;
	assert_int_equal(pv_reset_parse("-rts,dtr,50,-dtr,100", &reset, &e), 0);
	assert_int_equal(reset.n, 5);
	assert_int_equal(reset.steps[0].kind, PV_RESET_RTS);
	assert_int_equal(reset.steps[0].value, 0);
	assert_int_equal(reset.steps[1].value, 1);
	assert_int_equal(reset.steps[2].kind, PV_RESET_WAIT);
	assert_int_equal(reset.steps[2].value, 50);
	for (i = 0; pv_reset_preset(i, &name, &steps, &wiring); i++) {
		assert_int_equal(pv_reset_parse(name, &reset, &e), 0);
		assert_int_equal(pv_reset_parse(steps, &same, &e), 0);
		assert_int_equal(reset.n, same.n);
		assert_true(wiring[0] != '\0');
	}
	assert_int_equal(i, 6);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pv_error_clear(&e);
		assert_int_equal(
		    pv_reset_parse(bad[i], &reset, &e), PV_E_USAGE);
		assert_non_null(strstr(e.msg, "reset sequence"));
	}
}

static int
no_line(void *ctx, enum pv_line line, int on, struct pv_error *e)
{
	(void)ctx;
	(void)line;
	(void)on;
	return pv_fail(e, PV_E_UNSUPPORTED, "port 'fake' has no DTR line");
}

static void
test_reset(void **state)
{
	struct pv_reset reset;
	struct pv_usart_options opt = { .reset = &reset };
	struct fakeboot *b = fb_new();
	struct pv_link link = fb_link(b);
	struct pv_usart *u = NULL;
	struct pv_error e = { 0 };
	uint8_t back[64];

	(void)state;
	assert_int_equal(pv_reset_parse("dtr,1,-dtr,1", &reset, &e), 0);
	u = open_with(b, &opt);
	assert_int_equal(b->n_restarts, 1);
	/* A lost byte is answered by a reset, not by filler. */
	b->lose_in = b->total_in + 4;
	assert_int_equal(pv_usart_read(u, FB_FLASH, back, 64, &e), 0);
	assert_int_equal(b->n_restarts, 2);
	assert_int_equal(pv_usart_counters(u)->resets, 2);
	assert_int_equal(pv_usart_retries(u), 1);
	pv_usart_free(u);
	/* Asked for and not there: an error (T3). */
	link.line = no_line;
	assert_int_equal(
	    pv_usart_open_with(&link, NULL, &opt, &u, &e), PV_E_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "reset sequence"));
	assert_non_null(strstr(e.hint, "--reset-sequence"));
	free(b);
}

/* --- the highest rate (S7) ------------------------------------------------------------------- */

struct rates {
	struct fakeboot *b;
	uint32_t best, opened[8];
	size_t n;
};

static int
open_rate(
    void *ctx, uint32_t baud, struct pv_link *ret_link, struct pv_error *e)
{
	struct rates *r = ctx;

	(void)e;
	r->opened[r->n++] = baud;
	*ret_link = fb_link(r->b);
	ret_link->baud = baud;
	/* Above what it can do, bytes are lost. */
	r->b->noise = baud > r->best ? 40 : 0;
	return 0;
}

static void
test_find_rate(void **state)
{
	struct pv_reset reset;
	struct pv_usart_options opt = { .reset = &reset };
	struct rates r = { .b = fb_new(), .best = 460800 };
	struct pv_rate_port port = {
		.ctx = &r, .open = open_rate, .address = FB_FLASH
	};
	struct pv_error e = { 0 };
	uint32_t baud = 0;

	(void)state;
	fill(r.b->flash, 256, 5);
	assert_int_equal(
	    pv_usart_find_rate(&port, NULL, NULL, &baud, &e), PV_E_USAGE);
	assert_int_equal(pv_reset_parse("dtr,1,-dtr,1", &reset, &e), 0);
	assert_int_equal(pv_usart_find_rate(&port, &opt, NULL, &baud, &e), 0);
	assert_int_equal(baud, 460800);
	assert_int_equal(r.opened[0], 115200);
	assert_int_equal(r.opened[1], 921600);
	r.n = 0;
	r.best = 115200;
	assert_int_equal(pv_usart_find_rate(&port, &opt, NULL, &baud, &e), 0);
	assert_int_equal(baud, 115200);
	r.n = 0;
	r.best = 1000000;
	assert_int_equal(pv_usart_find_rate(&port, &opt, NULL, &baud, &e), 0);
	assert_int_equal(baud, 921600);
	free(r.b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged_list),
		cmocka_unit_test(test_write_protect),
		cmocka_unit_test(test_write_protect_refused),
		cmocka_unit_test(test_readout),
		cmocka_unit_test(test_protect_lossy),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_options_refused),
		cmocka_unit_test(test_crc_formula),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_checksum_distrusted),
		cmocka_unit_test(test_checksum_same),
		cmocka_unit_test(test_merged),
		cmocka_unit_test(test_merged_miss),
		cmocka_unit_test(test_lockstep),
		cmocka_unit_test(test_coalesce),
		cmocka_unit_test(test_coalesce_lossy),
		cmocka_unit_test(test_reset_parse),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_find_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
