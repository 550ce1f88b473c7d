/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USART bootloader, frame by frame: what a host sends and what a part
 * answers under each protection, wrong frames included.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/an3155_bench.h"

#define BASE 0x08000000U

static void
test_sync(void **state)
{
	struct bench *b = *state;

	/* Already synced: two of them are a pair that is refused. */
	talk(b, "7F", "");
	talk(b, "7F", "1F");
	talk(b, "00 FF", "79 0B 31 00 01 02 11 21 31 44 63 73 82 92 79");
	/* Before the sync byte nothing is heard. */
	pv_an_reset(&b->m);
	talk(b, "00 FF 55 AA 00", "");
	talk(b, "7F", "79");
	/* Byte by byte is the same as all at once. */
	talk(b, "00", "");
	talk(b, "FF", "79 0B 31 00 01 02 11 21 31 44 63 73 82 92 79");
}

static void
test_get(void **state)
{
	struct bench *b = *state;
	static const uint8_t h5[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44,
		0x50, 0x63, 0x73 };

	talk(b, "00 FF", "79 0B 31 00 01 02 11 21 31 44 63 73 82 92 79");
	b->config.version = 0x40;
	b->config.n_opcodes = sizeof h5;
	memcpy(b->config.opcodes, h5, sizeof h5);
	talk(b, "00 FF", "79 0A 40 00 01 02 11 21 31 44 50 63 73 79");
	talk(b, "01 FE", "79 40 00 00 79");
	talk(b, "02 FD", "79 01 04 13 79");
	b->fake.rdp = 1;
	talk(b, "00 FF", "79 0A 40 00 01 02 11 21 31 44 50 63 73 79");
	talk(b, "01 FE", "79 40 00 00 79");
	talk(b, "02 FD", "79 01 04 13 79");
	b->fake.rdp = 2;
	talk(b, "00 FF 01 FE 02 FD", "1F 1F 1F");
}

static void
test_pairs(void **state)
{
	struct bench *b = *state;

	talk(b, "00 FE", "1F"); /* not the complement */
	talk(b, "03 FC", "1F"); /* not listed */
	talk(b, "43 BC", "1F"); /* 0x44 part */
	talk(b, "A1 5E", "1F");
	talk(b, "50 AF", "1F");
	assert_int_equal(b->m.nacks, 5);
	list_opcode(b, 0x32); /* listed, but I2C only */
	talk(b, "32 CD", "1F");
	talk(b, "02 FD", "79 01 04 13 79");
}

static void
test_read(void **state)
{
	struct bench *b = *state;

	b->fake.flash[0] = 0x12;
	b->fake.flash[1] = 0x34;
	talk(b, "11 EE", "79");
	talk(b, "08 00 00 00 08", "79");
	b->fake.out_len = 0;
	pv_an_feed(&b->m, (const uint8_t[]){ 0xff, 0x00 }, 2);
	assert_int_equal(b->fake.out_len, 257);
	assert_int_equal(b->fake.out[0], 0x79);
	assert_memory_equal(b->fake.out + 1, b->fake.flash, 256);
	talk(b, "11 EE 08 00 00 00 08 01 FE", "79 79 79 12 34");
	talk(b, "11 EE 08 00 00 00 09", "79 1F"); /* checksum */
	talk(b, "11 EE 08 00 00 00 08 01 FF", "79 79 1F");
	talk(b, "11 EE 30 00 00 00 30", "79 1F"); /* no memory */
	talk(b, "11 EE 20 00 00 00 20", "79 1F"); /* bootloader's RAM */
	talk(b, "11 EE 20 00 04 00 24 00 FF", "79 79 79 00");
	talk(b, "11 EE 1F FF F8 00 18 01 FE", "79 79 79 FF FF");
	/* The last byte, and a range that leaves flash. */
	talk(b, "11 EE 08 00 FF FF 08 00 FF", "79 79 79 FF");
	talk(b, "11 EE 08 00 FF FF 08 01 FE", "79 79 1F");
	b->fake.rdp = 1;
	talk(b, "11 EE", "1F");
	b->config.double_nack = true;
	talk(b, "11 EE", "1F 1F");
	talk(b, "44 BB", "1F");
	talk(b, "02 FD", "79 01 04 13 79");
}

static void
test_old_versions(void **state)
{
	struct bench *b = *state;

	/* Before V3.1 no NACK for a bad address: the next pair is taken. */
	b->config.version = 0x30;
	talk(b, "11 EE 30 00 00 00 30", "79");
	talk(b, "02 FD", "79 01 04 13 79");
	talk(b, "31 CE 30 00 00 00 30", "79");
	talk(b, "21 DE 30 00 00 00 30", "79 1F");
	talk(b, "11 EE 20 00 00 00 20", "79");
	/* Before V2.2 using the bootloader's RAM ends the session. */
	b->config.version = 0x21;
	talk(b, "11 EE 20 00 00 00 20", "79");
	talk(b, "02 FD 7F 7F", "");
	pv_an_reset(&b->m);
	talk(b, "7F", "79");
}

static void
test_write(void **state)
{
	struct bench *b = *state;
	static const uint8_t want[16] = { 0xde, 0xad, 0xbe, 0xef, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	talk(b, "31 CE", "79");
	talk(b, "08 00 00 00 08", "79");
	talk(b, "03 DE AD BE EF 21", "79");
	assert_memory_equal(b->fake.flash, want, 16); /* padded unit */
	/* ECC: the unit keeps what it has, and no error is told. */
	talk(b, "31 CE 08 00 00 00 08 03 00 00 00 00 03", "79 79 79");
	assert_memory_equal(b->fake.flash, want, 16);
	/* Checksum wrong: nothing is written. */
	talk(b, "31 CE 08 00 00 10 18 03 DE AD BE EF 20", "79 79 1F");
	assert_int_equal(b->fake.flash[16], 0xff);
	/* A start inside a unit, and a protected sector: silence. */
	talk(b, "31 CE 08 00 00 24 2C 03 00 00 00 00 03", "79 79 79");
	assert_int_equal(b->fake.flash[0x24], 0xff);
	b->fake.write_protected = 2;
	talk(b, "31 CE 08 00 08 00 00 03 00 00 00 00 03", "79 79 79");
	assert_int_equal(b->fake.flash[0x800], 0xff);
	/* RAM takes any length. */
	talk(b, "31 CE 20 00 04 00 24 00 5A 5A", "79 79 79");
	assert_int_equal(b->fake.ram[0x400], 0x5a);
	talk(b, "31 CE 20 00 00 00 20", "79 1F");
	assert_int_equal(b->fake.restarts, 0);
	b->fake.rdp = 1;
	talk(b, "31 CE", "1F");
}

static void
test_write_early_end(void **state)
{
	struct bench *b = *state;

	/*
	 * A frame short of two bytes: the next pair is data, and what comes
	 * after the NACK is taken as commands.
	 */
	talk(b, "31 CE 08 00 00 00 08 03 DE AD BE", "79 79");
	talk(b, "00 FF", "1F");
	talk(b, "00 FF", "79 0B 31 00 01 02 11 21 31 44 63 73 82 92 79");
	assert_int_equal(b->fake.flash[0], 0xff);
	/* The rest of a refused block runs as commands. */
	talk(b, "31 CE 30 00 00 00 30 02 FD", "79 1F 79 01 04 13 79");
}

static void
test_options(void **state)
{
	struct bench *b = *state;

	/* Not from the area's base: ignored. */
	talk(b, "31 CE 1F FF F8 04 1C 03 11 22 33 44 47", "79 79 79");
	assert_int_equal(b->fake.options[4], 0xff);
	assert_int_equal(b->fake.restarts, 0);
	/* From the base: all erased, written, and the session is lost. */
	b->fake.options[8] = 0;
	talk(b, "31 CE 1F FF F8 00 18 03 11 22 33 44 47", "79 79 79");
	assert_int_equal(b->fake.options[0], 0x11);
	assert_int_equal(b->fake.options[8], 0xff);
	assert_int_equal(b->fake.restarts, 1);
	talk(b, "00 FF", "");
	talk(b, "7F", "79");
}

static void
test_go(void **state)
{
	struct bench *b = *state;

	talk(b, "21 DE 30 00 00 00 30", "79 1F");
	talk(b, "21 DE 1F FF F8 00 18", "79 1F"); /* option bytes */
	talk(b, "21 DE 08 00 00 00 09", "79 1F");
	talk(b, "21 DE", "79");
	talk(b, "08 00 00 00 08", "79");
	assert_int_equal(b->fake.went, BASE);
	/* The line is the program's now. */
	talk(b, "7F 7F 00 FF", "");
	boot(b);
	b->fake.rdp = 1;
	talk(b, "21 DE", "1F");
}

static void
dirty(struct bench *b)
{
	memset(b->fake.flash, 0, sizeof b->fake.flash);
}

static bool
sector_is(const struct bench *b, size_t n, uint8_t value)
{
	for (size_t i = 0; i < FAKE_SECTOR; i++)
		if (b->fake.flash[n * FAKE_SECTOR + i] != value)
			return false;
	return true;
}

static void
test_erase(void **state)
{
	struct bench *b = *state;

	b->config.opcodes[6] = 0x43;
	dirty(b);
	talk(b, "43 BC", "79");
	talk(b, "01 00 01 00", "79");
	assert_true(sector_is(b, 0, 0xff) && sector_is(b, 1, 0xff));
	assert_true(sector_is(b, 2, 0));
	talk(b, "43 BC 01 02 03 01", "79 1F"); /* checksum */
	assert_true(sector_is(b, 2, 0));
	/* FF with another byte than 00: ACK, and nothing is erased. */
	talk(b, "43 BC FF FF", "79 79");
	assert_true(sector_is(b, 2, 0));
	/* A protected sector: ACK, and nothing is erased. */
	b->fake.write_protected = 4;
	talk(b, "43 BC 00 02 02", "79 79");
	assert_true(sector_is(b, 2, 0));
	b->fake.write_protected = 0;
	talk(b, "43 BC 00 EE EE", "79 79"); /* no such page */
	talk(b, "43 BC FF 00", "79 79");
	assert_true(sector_is(b, 2, 0xff) && sector_is(b, 31, 0xff));
	b->fake.rdp = 1;
	talk(b, "43 BC", "1F");
}

static void
test_ext_erase(void **state)
{
	struct bench *b = *state;

	dirty(b);
	talk(b, "44 BB", "79");
	talk(b, "00 01 00 00 00 01 00", "79");
	assert_true(sector_is(b, 0, 0xff) && sector_is(b, 1, 0xff));
	assert_true(sector_is(b, 2, 0));
	talk(b, "44 BB 00 00 00 02 03", "79 1F"); /* checksum */
	assert_true(sector_is(b, 2, 0));
	dirty(b);
	talk(b, "44 BB FF FE 01", "79 79");
	assert_true(sector_is(b, 15, 0xff) && sector_is(b, 16, 0));
	talk(b, "44 BB FF FD 02", "79 79");
	assert_true(sector_is(b, 31, 0xff));
	dirty(b);
	talk(b, "44 BB FF FF 01", "79 1F"); /* checksum */
	talk(b, "44 BB FF FC 03", "79 1F"); /* reserved */
	talk(b, "44 BB FF F0 0F", "79 1F");
	assert_true(sector_is(b, 0, 0));
	talk(b, "44 BB FF FF 00", "79 79");
	assert_true(sector_is(b, 0, 0xff) && sector_is(b, 31, 0xff));
	b->config.two_banks = false;
	talk(b, "44 BB FF FE 01", "79 1F");
	b->fake.rdp = 1;
	talk(b, "44 BB", "1F");
}

/* 600 pages: page 5 first, then page 3 599 times. */
static void
send_long_list(struct bench *b)
{
	uint8_t frame[2 + 2 * 600 + 1], sum = 0;

	frame[0] = (uint8_t)(599 >> 8);
	frame[1] = (uint8_t)599;
	for (size_t i = 0; i < 600; i++) {
		frame[2 + 2 * i] = 0;
		frame[3 + 2 * i] = i == 0 ? 5 : 3;
	}
	for (size_t i = 0; i < sizeof frame - 1; i++)
		sum = (uint8_t)(sum ^ frame[i]);
	frame[sizeof frame - 1] = sum;
	b->fake.out_len = 0;
	pv_an_feed(&b->m, frame, sizeof frame);
}

static void
test_long_erase_list(void **state)
{
	struct bench *b = *state;

	dirty(b);
	talk(b, "44 BB", "79");
	send_long_list(b);
	assert_int_equal(b->fake.out_len, 1);
	assert_int_equal(b->fake.out[0], 0x1f);
	assert_true(sector_is(b, 3, 0));
	/* OpenBL: the first entries are gone, without a word. */
	b->config.drop_long_list = true;
	talk(b, "44 BB", "79");
	send_long_list(b);
	assert_int_equal(b->fake.out_len, 1);
	assert_int_equal(b->fake.out[0], 0x79);
	assert_true(sector_is(b, 3, 0xff));
	assert_true(sector_is(b, 5, 0));
}

static void
test_write_protection(void **state)
{
	struct bench *b = *state;

	talk(b, "63 9C", "79");
	talk(b, "01 02 05 06", "79");
	assert_int_equal(b->fake.write_protected, 1U << 2 | 1U << 5);
	talk(b, "63 9C 01 02 05 07", "79 1F");
	/* A second set replaces the first; numbers are not checked. */
	talk(b, "63 9C 01 03 EE EC", "79 79");
	assert_int_equal(b->fake.write_protected, 1U << 3);
	assert_int_equal(b->fake.restarts, 0);
	talk(b, "73 8C", "79 79");
	assert_int_equal(b->fake.write_protected, 0);
	/* Parts whose bootloader restarts after a change. */
	b->config.restart_on_protect = true;
	talk(b, "63 9C 00 03 03", "79 79");
	assert_int_equal(b->fake.restarts, 1);
	talk(b, "7F", "79");
	talk(b, "73 8C", "79 79");
	assert_int_equal(b->fake.restarts, 2);
	talk(b, "7F", "79");
	b->fake.rdp = 1;
	talk(b, "63 9C 73 8C", "1F 1F");
}

static void
test_read_protection(void **state)
{
	struct bench *b = *state;

	dirty(b);
	b->fake.ram[0x500] = 0x77;
	talk(b, "82 7D", "79 79");
	assert_int_equal(b->fake.rdp, 1);
	assert_int_equal(b->fake.restarts, 1);
	talk(b, "00 FF", "");
	talk(b, "7F", "79");
	talk(b, "82 7D", "1F");
	talk(b, "11 EE 21 DE 31 CE 44 BB 63 9C 73 8C", "1F 1F 1F 1F 1F 1F");
	talk(b, "92 6D", "79 79");
	assert_int_equal(b->fake.rdp, 0);
	assert_int_equal(b->fake.restarts, 2);
	assert_true(sector_is(b, 0, 0xff) && sector_is(b, 31, 0xff));
	assert_int_equal(b->fake.ram[0x500], 0);
	talk(b, "7F", "79");
	talk(b, "11 EE 08 00 00 00 08 00 FF", "79 79 79 FF");
	b->fake.rdp = 2;
	talk(b, "92 6D 82 7D 00 FF", "1F 1F 1F");
}

static void
test_checksum(void **state)
{
	struct bench *b = *state;
	uint8_t counting[16], zero[4] = { 0 };

	for (size_t i = 0; i < sizeof counting; i++)
		counting[i] = (uint8_t)i;
	assert_int_equal(
	    pv_an_crc(0xffffffff, 0x04c11db7, counting, 16), 0x081b46ca);
	assert_int_equal(
	    pv_an_crc(0xffffffff, 0x04c11db7, zero, 4), 0xc704dd7b);
	list_opcode(b, 0xa1);
	talk(b, "A1 5E", "79");
	talk(b, "08 00 00 00 08", "79");
	talk(b, "00 00 00 40 40", "79");
	talk(b, "04 C1 1D B7 6F", "79");
	talk(b, "FF FF FF FF 00", "79 79 7B EA EA 80 FB");
	b->config.short_checksum = true;
	talk(b,
	    "A1 5E 08 00 00 00 08 00 00 00 40 40 04 C1 1D B7 6F "
	    "FF FF FF FF 00",
	    "79 79 79 79 79 7B EA EA 80 FB");
	/* A fixed unit ignores polynomial and initial value. */
	b->config.fixed_crc = true;
	talk(b,
	    "A1 5E 08 00 00 00 08 00 00 00 40 40 00 00 00 01 01 "
	    "00 00 00 00 00",
	    "79 79 79 79 79 7B EA EA 80 FB");
	/* Refused: no words, too many, off a word, wrong checksums. */
	talk(b, "A1 5E 08 00 00 00 08 00 00 00 00 00", "79 79 1F");
	talk(b, "A1 5E 08 00 00 00 08 00 00 40 01 41", "79 79 1F");
	talk(b, "A1 5E 08 00 00 00 08 FF FF FF FF 00", "79 79 1F");
	talk(b, "A1 5E 08 00 00 02 0A", "79 1F");
	talk(b, "A1 5E 08 00 00 00 09", "79 1F");
	talk(b, "A1 5E 08 00 00 00 08 00 00 00 40 41", "79 79 1F");
	talk(b, "A1 5E 08 00 00 00 08 00 00 00 40 40 04 C1 1D B7 6E",
	    "79 79 79 1F");
	talk(b,
	    "A1 5E 08 00 00 00 08 00 00 00 40 40 04 C1 1D B7 6F "
	    "FF FF FF FF 01",
	    "79 79 79 79 1F");
	b->fake.rdp = 1;
	talk(b, "A1 5E", "1F");
}

static void
test_special(void **state)
{
	struct bench *b = *state;

	list_opcode(b, 0x50);
	talk(b, "50 AF", "79");
	talk(b, "12 34 26", "79");
	talk(b, "00 02 AB CD 64", "79 00 02 AB CD 00 02 AA 00 79");
	talk(b, "50 AF 12 34 26 00 00 00", "79 79 79 00 00 00 02 AA 00 79");
	talk(b, "50 AF 12 35 27", "79 1F"); /* unknown */
	talk(b, "50 AF 12 34 27", "79 1F"); /* checksum */
	talk(b, "50 AF 12 34 26 00 01 AB AB", "79 79 1F");
	talk(b, "50 AF 12 34 26 00 81", "79 79 1F"); /* 129 bytes */
	/* Restart after the answer. */
	talk(b, "50 AF 12 34 26 00 03 01 02 03 03",
	    "79 79 79 00 03 01 02 03 00 02 AA 00 79");
	assert_int_equal(b->fake.restarts, 1);
	talk(b, "00 FF", "");
	talk(b, "7F", "79");
	/* Read protected: the subcommands decide. */
	b->fake.rdp = 1;
	talk(b, "50 AF 12 34 26", "79 1F");
	b->fake.rdp = 0;
	pv_an_init(&b->m, &b->config, &b->fake.memory, &b->fake.control, NULL);
	talk(b, "7F", "79");
	talk(b, "50 AF", "1F");
}

static void
test_ext_special(void **state)
{
	struct bench *b = *state;
	uint8_t frame[2 + 1024 + 1] = { 0x04, 0x00 };

	list_opcode(b, 0x51);
	talk(b, "51 AE", "79");
	talk(b, "12 34 26", "79");
	talk(b, "00 01 AB AA", "79");
	talk(b, "00 02 01 02 01", "79 00 02 AA 02 79");
	talk(b, "51 AE 12 34 26 00 01 AB AB", "79 79 1F");
	talk(b, "51 AE 12 34 26 00 01 AB AA 00 01 01 01", "79 79 79 1F");
	talk(b, "51 AE 12 34 26 00 81", "79 79 1F");
	talk(b, "51 AE 12 34 26 00 00 00 04 01", "79 79 79 1F"); /* 1025 */
	talk(b, "51 AE 12 34 26 00 00 00", "79 79 79");
	frame[sizeof frame - 1] = 0x04;
	b->fake.out_len = 0;
	pv_an_feed(&b->m, frame, sizeof frame);
	assert_int_equal(b->fake.out_len, 6); /* ACK, 2, AA, 1024 & 255, ACK */
	assert_int_equal(b->fake.out[4], 0x00);
	assert_int_equal(b->fake.out[5], 0x79);
	b->fake.rdp = 1;
	talk(b, "51 AE", "1F");
}

/* While flash holds half a package nothing may look at it. */
static void
test_installing(void **state)
{
	struct bench *b = *state;

	list_opcode(b, 0x50);
	list_opcode(b, 0xa1);
	b->fake.installing = true;
	talk(b, "11 EE 21 DE 31 CE 44 BB 63 9C 82 7D A1 5E",
	    "1F 1F 1F 1F 1F 1F 1F");
	talk(b, "02 FD", "79 01 04 13 79");
	talk(b, "73 8C", "79 79");
	talk(b, "50 AF", "79");
}

/* Any bytes at all: the machine stays inside its buffers and answers. */
static void
test_noise(void **state)
{
	struct bench *b = *state;
	uint32_t x = 12345;

	list_opcode(b, 0x50);
	list_opcode(b, 0x51);
	list_opcode(b, 0xa1);
	for (int i = 0; i < 200000; i++) {
		uint8_t c;

		x = x * 1664525U + 1013904223U;
		c = (uint8_t)(x >> 24);
		/* Mostly valid pairs, so that every command is entered. */
		if ((i & 3) != 0 && b->m.need == 2 && b->m.have == 0) {
			uint8_t pair[2];

			pair[0] = b->config.opcodes[c % b->config.n_opcodes];
			pair[1] = (uint8_t)~pair[0];
			pv_an_feed(&b->m, pair, 2);
		}
		pv_an_feed(&b->m, &c, 1);
		b->fake.out_len = 0;
		b->fake.rdp = 0;
		/* Not in a list of 65000 pages for the rest of the test. */
		if (b->m.left > 600 || b->m.running || b->m.step == NULL) {
			b->m.left = 0;
			pv_an_reset(&b->m);
			c = 0x7f;
			pv_an_feed(&b->m, &c, 1);
		}
		assert_true(b->m.have < b->m.need);
		assert_true(b->m.need <= sizeof b->m.buf);
	}
	assert_true(b->m.commands > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_sync),
		T(test_get),
		T(test_pairs),
		T(test_read),
		T(test_old_versions),
		T(test_write),
		T(test_write_early_end),
		T(test_options),
		T(test_go),
		T(test_erase),
		T(test_ext_erase),
		T(test_long_erase_list),
		T(test_write_protection),
		T(test_read_protection),
		T(test_checksum),
		T(test_special),
		T(test_ext_special),
		T(test_installing),
		T(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
