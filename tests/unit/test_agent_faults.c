/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The install agent on a flash that fails or loses power at any operation:
 * flash is untouched, erased, or holds the whole package, and option bytes
 * are in force only with the last.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/agent_check.h"

/* --- flash that fails ------------------------------------------------------------------------ */

static void
assert_recovered(struct both *b)
{
	switch (b->g.agent.state) {
	case PV_SI_STATE_IDLE:
		assert_untouched(&b->g);
		break;
	case PV_SI_STATE_FAILED:
		assert_erased(&b->g);
		/* An erased chip that is closed takes nothing any more. */
		assert_false(b->g.options_set);
		break;
	case PV_SI_STATE_DONE:
		assert_true(installed(&b->g, &b->p));
		break;
	default:
		fail();
	}
	assert_false(pv_agent_installing(&b->g.agent));
}

/* One operation fails: the install fails, and nothing of it is left. */
static void
test_one_failure(void **state)
{
	struct both *b = *state;
	unsigned int n, finished = 0;

	for (n = 1;; n++) {
		struct rig_answer s;

		rig_fill(&b->g);
		rig_power(&b->g);
		b->g.fake.ops = 0;
		b->g.fake.fail_at = n;
		s = rig_install(&b->g, &b->p, 1024);
		assert_true(s.ok);
		if (s.result == PV_SI_OK)
			break;
		assert_forgotten(&b->g, &b->p);
		if (s.state == PV_SI_STATE_BROKEN) {
			/* Only "done" could not be written: once more. */
			assert_true(installed(&b->g, &b->p));
			assert_true(pv_agent_installing(&b->g.agent));
			b->g.fake.fail_at = 0;
			expect_result(command(b, PV_SI_ABORT), PV_SI_OK,
			    PV_SI_STATE_DONE);
			assert_false(pv_agent_installing(&b->g.agent));
			finished++;
			continue;
		}
		assert_int_equal(s.state, PV_SI_STATE_FAILED);
		assert_erased(&b->g);
		assert_false(b->g.options_set);
		/* And the same chip takes the package afterwards. */
		b->g.fake.fail_at = 0;
		expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_OK,
		    PV_SI_STATE_DONE);
	}
	assert_true(installed(&b->g, &b->p));
	assert_int_equal(finished, 1);
	/* 3000 and 1507 bytes in units of 16, 32 erases, three notes. */
	assert_int_equal(n, 188 + 95 + 32 + 3 + 1 + 1);
}

/* Everything fails from one operation on: broken, until it works again. */
static void
test_flash_dies(void **state)
{
	struct both *b = *state;
	unsigned int finished = 0;

	for (unsigned int n = 1;; n++) {
		struct rig_answer s;
		uint8_t done;

		rig_fill(&b->g);
		rig_power(&b->g);
		b->g.fake.ops = 0;
		b->g.fake.fail_at = n;
		b->g.fake.fail_for_ever = true;
		s = rig_install(&b->g, &b->p, 1024);
		assert_true(s.ok);
		if (s.result == PV_SI_OK)
			break;
		assert_int_equal(s.state, PV_SI_STATE_BROKEN);
		assert_forgotten(&b->g, &b->p);
		assert_true(pv_agent_installing(&b->g.agent));
		expect_result(command(b, PV_SI_LICENSE), PV_SI_E_SEQUENCE,
		    PV_SI_STATE_BROKEN);
		/* Working again, the next start cleans up. */
		b->g.fake.fail_at = 0;
		b->g.fake.fail_for_ever = false;
		rig_power(&b->g);
		done = b->g.agent.state;
		assert_recovered(b);
		if (n == 1) /* the very first note was never written */
			assert_int_equal(done, PV_SI_STATE_IDLE);
		else if (done == PV_SI_STATE_DONE)
			finished++;
		else
			assert_int_equal(done, PV_SI_STATE_FAILED);
	}
	/* Behind the note before the option bytes: they, and "done". */
	assert_int_equal(finished, 2);
	assert_true(installed(&b->g, &b->p));
}

/* --- power ------------------------------------------------------------------------------------- */

/* Install until the power goes at operation n. False when it never did. */
static bool
cut_install(struct both *b, unsigned int n)
{
	jmp_buf cut;

	rig_fill(&b->g);
	rig_power(&b->g);
	b->g.fake.ops = 0;
	b->g.fake.cut_at = n;
	b->g.fake.cut = &cut;
	if (setjmp(cut) != 0) {
		b->g.fake.cut_at = 0;
		return true;
	}
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	b->g.fake.cut_at = 0;
	return false;
}

static bool
cut_start(struct both *b, unsigned int n)
{
	jmp_buf cut;

	b->g.fake.ops = 0;
	b->g.fake.cut_at = n;
	b->g.fake.cut = &cut;
	if (setjmp(cut) != 0) {
		b->g.fake.cut_at = 0;
		return true;
	}
	rig_power(&b->g);
	b->g.fake.cut_at = 0;
	return false;
}

static void
cut_everywhere(struct both *b, bool options_late)
{
	unsigned int n, failed = 0, done = 0;

	b->g.options_late = options_late;
	for (n = 1; cut_install(b, n); n++) {
		rig_power(&b->g);
		assert_recovered(b);
		failed += b->g.agent.state == PV_SI_STATE_FAILED;
		done += b->g.agent.state == PV_SI_STATE_DONE;
		/* And the chip can be used. */
		expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_OK,
		    PV_SI_STATE_DONE);
	}
	assert_true(n > 280);
	/* Cut in the first note: nothing. In or behind the options: done. */
	assert_int_equal(done, 2);
	assert_int_equal(failed, n - 1 - 1 - done);
}

static void
test_power_cuts(void **state)
{
	cut_everywhere(*state, false);
	cut_everywhere(*state, true);
}

static void
test_power_cut_in_recovery(void **state)
{
	struct both *b = *state;

	for (unsigned int m = 1; m < 50; m++) {
		assert_true(cut_install(b, 250));
		if (!cut_start(b, m)) {
			/* Three or so erases and a note. */
			assert_true(m > 2);
			return;
		}
		rig_power(&b->g);
		assert_int_equal(b->g.agent.state, PV_SI_STATE_FAILED);
		assert_recovered(b);
	}
	fail();
}

/* Operations of a whole install: the last two are the options and "done". */
static unsigned int
whole(struct both *b)
{
	assert_false(cut_install(b, 0));
	return b->g.fake.ops;
}

/* Power that goes again and again while the option bytes are applied. */
static void
test_power_cut_in_finish(void **state)
{
	struct both *b = *state;
	unsigned int n = whole(b);

	for (unsigned int i = 0; i < 4; i++) {
		b->g.options_late = i % 2 != 0;
		assert_true(cut_install(b, n - 1));
		assert_int_equal(
		    pv_agent_note_state(b->g.note), PV_AGENT_NOTE_APPLYING);
		for (unsigned int again = 0; again < 3; again++) {
			assert_true(cut_start(b, 1 + i / 2));
			assert_int_equal(
			    b->g.options_set, !b->g.options_late || i / 2 == 1);
		}
		rig_power(&b->g);
		assert_int_equal(b->g.agent.state, PV_SI_STATE_DONE);
		assert_recovered(b);
		assert_int_equal(
		    pv_agent_note_state(b->g.note), PV_AGENT_NOTE_DONE);
		/* The note keeps them no longer than needed. */
		assert_true(all_are(b->g.note + 12, sizeof b->g.note - 12, 0));
	}
}

/* Option bytes that a start cannot apply: nothing is read, nothing erased. */
static void
test_options_fail_at_start(void **state)
{
	struct both *b = *state;
	unsigned int n = whole(b);
	struct rig_answer s;

	assert_true(cut_install(b, n - 1));
	b->g.fake.ops = 0;
	b->g.fake.fail_at = 1;
	b->g.fake.fail_for_ever = true;
	rig_power(&b->g);
	assert_int_equal(b->g.agent.state, PV_SI_STATE_BROKEN);
	assert_true(pv_agent_installing(&b->g.agent));
	assert_true(installed(&b->g, &b->p));
	assert_int_equal(
	    pv_agent_note_state(b->g.note), PV_AGENT_NOTE_APPLYING);
	s = command(b, PV_SI_ABORT);
	expect_result(s, PV_SI_E_OPTIONS, PV_SI_STATE_BROKEN);
	expect_result(
	    command(b, PV_SI_LICENSE), PV_SI_E_SEQUENCE, PV_SI_STATE_BROKEN);
	assert_true(installed(&b->g, &b->p));
	assert_forgotten(&b->g, &b->p);
	b->g.fake.fail_at = 0;
	expect_result(command(b, PV_SI_ABORT), PV_SI_OK, PV_SI_STATE_DONE);
	assert_recovered(b);
}

/* Refused at the very last: the mark goes back first, then flash. */
static void
test_options_refused_late(void **state)
{
	struct both *b = *state;
	unsigned int n = whole(b);

	for (unsigned int cut = n; cut < n + 40; cut++) {
		jmp_buf env;

		rig_fill(&b->g);
		rig_power(&b->g);
		b->g.fake.ops = 0;
		b->g.fake.fail_at = n - 1;
		b->g.fake.cut_at = cut;
		b->g.fake.cut = &env;
		if (setjmp(env) == 0) {
			expect_result(rig_install(&b->g, &b->p, 1024),
			    PV_SI_E_OPTIONS, PV_SI_STATE_FAILED);
			assert_recovered(b);
			assert_true(cut > n + 3);
			return;
		}
		b->g.fake.cut_at = 0;
		b->g.fake.fail_at = 0;
		rig_power(&b->g);
		assert_recovered(b);
		/* Cut in that note: the old one still finishes. */
		assert_int_equal(b->g.agent.state,
		    cut == n ? PV_SI_STATE_DONE : PV_SI_STATE_FAILED);
	}
	fail();
}

/* Write protection is seen before anything is changed. */
static void
test_write_protected(void **state)
{
	struct both *b = *state;

	for (unsigned int n = 0; n < 32; n++) {
		b->g.fake.write_protected = 1ULL << n;
		expect_result(rig_install(&b->g, &b->p, 1024),
		    PV_SI_E_FLASH_LOCKED, PV_SI_STATE_IDLE);
		assert_untouched(&b->g);
	}
	/* A blank sector may be, unless an area is to go there. */
	memset(b->g.fake.flash, 0xff, sizeof b->g.fake.flash);
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	b->g.fake.write_protected = 0;
	rig_fill(&b->g);
	memset(b->g.fake.flash + 4 * FAKE_SECTOR, 0xff, FAKE_SECTOR);
	rig_power(&b->g);
	b->g.fake.write_protected = 1U << 4;
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_FLASH_LOCKED,
	    PV_SI_STATE_FAILED);
	assert_erased(&b->g);
	/* A part that cannot tell finds out: broken, until it goes. */
	rig_fill(&b->g);
	rig_power(&b->g);
	b->g.fake.memory.locked = NULL;
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_FLASH_ERASE,
	    PV_SI_STATE_BROKEN);
	assert_true(pv_agent_installing(&b->g.agent));
	rig_power(&b->g);
	assert_int_equal(b->g.agent.state, PV_SI_STATE_BROKEN);
	b->g.fake.write_protected = 0;
	expect_result(command(b, PV_SI_ABORT), PV_SI_OK, PV_SI_STATE_FAILED);
	assert_erased(&b->g);
}

static void
test_damaged_note(void **state)
{
	struct both *b = *state;

	assert_true(cut_install(b, 100));
	b->g.note[20] ^= 1;
	assert_int_equal(pv_agent_note_state(b->g.note), PV_AGENT_NOTE_INVALID);
	rig_power(&b->g);
	/* What was touched is not known any more: all of it goes. */
	assert_int_equal(b->g.agent.state, PV_SI_STATE_FAILED);
	assert_erased(&b->g);
	memset(b->g.note, 0xff, sizeof b->g.note);
	assert_int_equal(pv_agent_note_state(b->g.note), PV_AGENT_NOTE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_one_failure),
		T(test_flash_dies),
		T(test_write_protected),
		T(test_power_cuts),
		T(test_power_cut_in_recovery),
		T(test_power_cut_in_finish),
		T(test_options_fail_at_start),
		T(test_options_refused_late),
		T(test_damaged_note),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
