/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways in which bootloaders differ, one by one; and the account of a session:
 * every command of AN3155 without and with read protection.
 */
#include "tests/unit/an3155_bench.h"

/* --- quirks ---------------------------------------------------------------- */

static void
test_stray_zero(void **state)
{
	struct bench *b = *state;

	b->config.stray_zero = true;
	pv_an_reset(&b->m);
	talk(b, "7F", "00 79");
	talk(b, "02 FD", "79 01 04 13 79");
}

static void
test_silent_address(void **state)
{
	struct bench *b = *state;

	/* A V3.1 part with the fault of older ones. */
	b->config.silent_address = true;
	talk(b, "11 EE 30 00 00 00 30", "79");
	talk(b, "02 FD", "79 01 04 13 79");
	/* A wrong checksum is still refused. */
	talk(b, "11 EE 30 00 00 00 31", "79 1F");
	talk(b, "21 DE 30 00 00 00 30", "79 1F");
}

static void
test_reserved_kills(void **state)
{
	struct bench *b = *state;

	b->config.reserved_kills = true;
	talk(b, "31 CE 20 00 00 00 20", "79");
	talk(b, "02 FD 7F 7F", "");
	pv_an_reset(&b->m);
	talk(b, "7F", "79");
}

static void
test_no_mass_erase(void **state)
{
	struct bench *b = *state;

	b->config.no_mass_erase = true;
	b->fake.flash[0] = 0;
	talk(b, "44 BB FF FF 00", "79 1F");
	b->config.opcodes[6] = 0x43;
	talk(b, "43 BC FF 00", "79 1F");
	assert_int_equal(b->fake.flash[0], 0);
	talk(b, "43 BC 00 00 00", "79 79");
	assert_int_equal(b->fake.flash[0], 0xff);
}

static void
test_restart_before_ack(void **state)
{
	struct bench *b = *state;

	b->config.restart_before_ack = true;
	talk(b, "31 CE 1F FF F8 00 18 03 11 22 33 44 47", "79 79");
	assert_int_equal(b->fake.options[0], 0x11);
	assert_int_equal(b->fake.restarts, 1);
	talk(b, "00 FF", "");
	talk(b, "7F", "79");
	talk(b, "63 9C 00 03 03", "79");
	assert_int_equal(b->fake.write_protected, 1U << 3);
	talk(b, "7F", "79");
	talk(b, "73 8C", "79");
	assert_int_equal(b->fake.write_protected, 0);
	assert_int_equal(b->fake.restarts, 3);
	talk(b, "7F", "79");
}

static void
test_erase_before_ack(void **state)
{
	struct bench *b = *state;

	b->config.erase_before_ack = true;
	b->fake.rdp = 1;
	b->fake.unprotect_fails = true;
	talk(b, "92 6D", "79 1F");
	assert_int_equal(b->fake.rdp, 1);
	assert_int_equal(b->fake.restarts, 0);
	talk(b, "02 FD", "79 01 04 13 79");
	b->fake.unprotect_fails = false;
	talk(b, "92 6D", "79 79");
	assert_int_equal(b->fake.rdp, 0);
	assert_int_equal(b->fake.restarts, 1);
	/* Both ACKs first: a failure cannot be told. */
	b->config.erase_before_ack = false;
	b->fake.unprotect_fails = true;
	b->fake.rdp = 1;
	talk(b, "7F", "79");
	talk(b, "92 6D", "79 79");
	assert_int_equal(b->fake.rdp, 1);
}

static void
test_special_one_ack(void **state)
{
	struct bench *b = *state;

	list_opcode(b, 0x51);
	b->config.special_one_ack = true;
	talk(b, "51 AE 12 34 26 00 01 AB AA", "79 79");
	talk(b, "00 02 01 02 01", "79 00 02 AA 02 79");
	/* 0x50 has one packet: nothing changes. */
	list_opcode(b, 0x50);
	talk(b, "50 AF 12 34 26 00 01 AB AA",
	    "79 79 79 00 01 AB 00 02 AA 00 79");
}

static void
test_refuses_all(void **state)
{
	struct bench *b = *state;

	b->config.refuses_all = true;
	talk(b, "00 FF 02 FD 92 6D", "1F 1F 1F");
	assert_int_equal(b->m.commands, 0);
}

static void
test_huge_sizes(void **state)
{
	struct bench *b = *state;

	list_opcode(b, 0x50);
	b->config.huge_sizes = true;
	talk(b, "00 FF", "79 FF 31 00 01 02 11 21 31 44 63 73 82 92 50 79");
	talk(b, "02 FD", "79 FF 04 13 79");
	talk(b, "50 AF 12 34 26 00 01 AB AA",
	    "79 79 79 FF FF AB FF FF AA 00 79");
}

static void
test_mid_frame(void **state)
{
	struct bench *b = *state;

	assert_false(pv_an_mid_frame(&b->m));
	talk(b, "31", "");
	assert_true(pv_an_mid_frame(&b->m));
	talk(b, "CE", "79");
	assert_true(pv_an_mid_frame(&b->m));
	talk(b, "08 00 00 00 08 00 00", "79");
	assert_true(pv_an_mid_frame(&b->m));
	talk(b, "00", "79");
	assert_false(pv_an_mid_frame(&b->m));
	pv_an_reset(&b->m);
	assert_false(pv_an_mid_frame(&b->m));
}

/* --- the account ------------------------------------------------------------- */

static struct pv_an_event last;
static unsigned int events;

static void
keep(void *ctx, const struct pv_an_event *event)
{
	(void)ctx;
	last = *event;
	events++;
}

struct step {
	const char *host, *open, *locked; /* answers at RDP 0 and 1 */
	struct pv_an_event event;	  /* at RDP 0 */
	bool restarts;
};

/* AN3155 table 2, each command once. */
static const struct step steps[] = {
	{ "00 FF", "79 0E 31 00 01 02 11 21 31 44 63 73 82 92 43 A1 51 79",
	    "79 0E 31 00 01 02 11 21 31 44 63 73 82 92 43 A1 51 79",
	    { 0, 0x00, 0xff, 0, 0, 0, 0 }, false },
	{ "01 FE", "79 31 00 00 79", "79 31 00 00 79",
	    { 0, 0x01, 0xfe, 0, 0, 0, 0 }, false },
	{ "02 FD", "79 01 04 13 79", "79 01 04 13 79",
	    { 0, 0x02, 0xfd, 0, 0, 0, 0 }, false },
	{ "11 EE 08 00 00 00 08 00 FF", "79 79 79 FF", "1F",
	    { 0, 0x11, 0xee, 0, 0x08000000, 1, 0 }, false },
	{ "31 CE 08 00 00 00 08 01 12 34 27", "79 79 79", "1F",
	    { 0, 0x31, 0xce, 0, 0x08000000, 2, 0 }, false },
	{ "43 BC 01 02 03 00", "79 79", "1F", { 0, 0x43, 0xbc, 0, 0, 2, 0 },
	    false },
	{ "43 BC FF 00", "79 79", "1F", { 0, 0x43, 0xbc, 0, 0, 0, 0xff00 },
	    false },
	{ "44 BB 00 01 00 02 00 03 00", "79 79", "1F",
	    { 0, 0x44, 0xbb, 0, 0, 2, 0 }, false },
	{ "44 BB FF FE 01", "79 79", "1F", { 0, 0x44, 0xbb, 0, 0, 0, 0xfffe },
	    false },
	{ "63 9C 01 02 05 06", "79 79", "1F", { 0, 0x63, 0x9c, 0, 0, 2, 0 },
	    false },
	{ "73 8C", "79 79", "1F", { 0, 0x73, 0x8c, 0, 0, 0, 0 }, false },
	{ "A1 5E 08 00 00 00 08 00 00 00 40 40 04 C1 1D B7 6F FF FF FF FF 00",
	    "79 79 79 79 79 79 7B EA EA 80 FB", "1F",
	    { 0, 0xa1, 0x5e, 0, 0x08000000, 64, 0 }, false },
	{ "51 AE 12 34 26 00 01 AB AA 00 02 01 02 01",
	    "79 79 79 79 00 02 AA 02 79", "1F",
	    { 0, 0x51, 0xae, 0x1234, 0, 3, 0 }, false },
	{ "82 7D", "79 79", "1F", { 0, 0x82, 0x7d, 0, 0, 0, 0 }, true },
	{ "92 6D", "79 79", "79 79", { 0, 0x92, 0x6d, 0, 0, 0, 0 }, true },
	{ "21 DE 08 00 00 00 08", "79 79", "1F",
	    { 0, 0x21, 0xde, 0, 0x08000000, 0, 0 }, false },
};

static void
all_opcodes(struct bench *b)
{
	list_opcode(b, 0x43);
	list_opcode(b, 0xa1);
	list_opcode(b, 0x51);
	b->fake.control.ended = keep;
}

static void
test_account_open(void **state)
{
	struct bench *b = *state;

	all_opcodes(b);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		const struct step *s = &steps[i];
		unsigned int before = events;

		b->fake.rdp = 0;
		memset(b->fake.flash, 0xff, sizeof b->fake.flash);
		talk(b, s->host, s->open);
		assert_int_equal(events, before + 1);
		assert_int_equal(last.end, PV_AN_END_OK);
		assert_int_equal(last.opcode, s->event.opcode);
		assert_int_equal(last.second, s->event.second);
		assert_int_equal(last.sub, s->event.sub);
		assert_int_equal(last.addr, s->event.addr);
		assert_int_equal(last.count, s->event.count);
		assert_int_equal(last.code, s->event.code);
		if (s->restarts) {
			talk(b, "00 FF", "");
			talk(b, "7F", "79");
			assert_int_equal(last.opcode, 0x7f);
		}
	}
}

/* The first answer is all: what follows a NACK would be taken as commands. */
static void
test_account_protected(void **state)
{
	struct bench *b = *state;

	all_opcodes(b);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		const struct step *s = &steps[i];
		char pair[6] = "";
		bool answers = s->locked[0] == '7';

		b->fake.rdp = 1;
		memcpy(pair, s->host, 5);
		talk(b, answers ? s->host : pair, s->locked);
		assert_int_equal(
		    last.end, answers ? PV_AN_END_OK : PV_AN_END_NACK);
		assert_int_equal(last.opcode, s->event.opcode);
		assert_int_equal(last.addr, 0);
		if (s->restarts && answers)
			talk(b, "7F", "79");
	}
}

static void
test_account_refusals(void **state)
{
	struct bench *b = *state;

	b->fake.control.ended = keep;
	talk(b, "7F 7F", "1F");
	assert_int_equal(last.end, PV_AN_END_BAD_PAIR);
	assert_int_equal(last.second, 0x7f);
	talk(b, "11 EE 30 00 00 00 30", "79 1F");
	assert_int_equal(last.end, PV_AN_END_NACK);
	assert_int_equal(last.addr, 0x30000000);
	b->config.version = 0x30;
	talk(b, "11 EE 30 00 00 00 30", "79");
	assert_int_equal(last.end, PV_AN_END_SILENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_stray_zero),
		T(test_silent_address),
		T(test_reserved_kills),
		T(test_no_mass_erase),
		T(test_restart_before_ack),
		T(test_erase_before_ack),
		T(test_special_one_ack),
		T(test_refuses_all),
		T(test_huge_sizes),
		T(test_mid_frame),
		T(test_account_open),
		T(test_account_protected),
		T(test_account_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
