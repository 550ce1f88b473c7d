/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drafts, their revisions and opening, the deny list, and what the audit says
 * of entries that break these rules or of a clock that runs backwards.
 */
#include "fake_campaign.h"

#include "ledger/journal.h"

static void
want(int r, int code, const struct pv_error *e, const char *message)
{
	if (r != code || (message != NULL && strstr(e->msg, message) == NULL))
		fail_msg("%d %s, wanted %d '%s'", r, e->msg, code,
		    message == NULL ? "" : message);
}

static int
issue(struct fake *f, uint8_t fill, struct pv_issued *l, struct pv_error *e)
{
	uint8_t cert[PV_CERT_LEN];
	struct pv_campaign c;

	fake_chip(f, fill, "48400001", cert);
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, NULL), 0);
	return pv_license_issue(&c, &f->io, cert, l, e);
}

static struct fake *
new_draft(uint64_t limit)
{
	struct fake *f = fake_new(limit);

	f->c.draft = true;
	assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	return f;
}

static void
test_life(void **state)
{
	struct fake *f = new_draft(3);
	struct pv_verify_report rep;
	struct pv_campaign c, old;
	struct pv_error e = { 0 };
	struct pv_issued l;

	(void)state;
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, &e), 0);
	assert_true(c.draft);
	assert_false(c.closed);
	want(issue(f, 1, &l, &e), PV_E_CLOSED, &e, "is a draft");

	old = c;
	c.max_licenses = 1;
	(void)snprintf(c.firmware_id, sizeof(c.firmware_id), "app-8");
	want(pv_campaign_revise(&c, &f->io, &e), 0, &e, NULL);
	/* Who looked before must look again. */
	old.max_licenses = 9;
	want(pv_campaign_revise(&old, &f->io, &e), PV_E_POLICY, &e,
	    "revised by somebody else");
	want(pv_campaign_open(&old, &f->io, &e), PV_E_POLICY, &e,
	    "revised by somebody else");
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, &e), 0);
	assert_int_equal(c.max_licenses, 1);
	assert_string_equal(c.firmware_id, "app-8");
	assert_int_equal(c.defined_by, 2);
	/* What a draft must keep. */
	old = c;
	(void)snprintf(old.signer_uri, sizeof(old.signer_uri), "pkcs11:x=y");
	want(
	    pv_campaign_revise(&old, &f->io, &e), PV_E_VERIFY, &e, "must keep");
	old = c;
	old.max_licenses = 0;
	want(pv_campaign_revise(&old, &f->io, &e), PV_E_USAGE, &e,
	    "at least 1 license");

	want(pv_campaign_open(&c, &f->io, &e), 0, &e, NULL);
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, &e), 0);
	assert_false(c.draft);
	assert_int_equal(c.max_licenses, 1);
	want(pv_campaign_open(&c, &f->io, &e), PV_E_POLICY, &e, "no draft");
	c.max_licenses = 5;
	want(pv_campaign_revise(&c, &f->io, &e), PV_E_POLICY, &e, "no draft");
	want(issue(f, 1, &l, &e), 0, &e, NULL);
	want(issue(f, 2, &l, &e), PV_E_LIMIT, &e, "all 1 licenses");
	want(pv_campaign_close(&f->c, &f->io, &e), 0, &e, NULL);
	want(pv_campaign_revise(&c, &f->io, &e), PV_E_POLICY, &e, "closed");
	want(pv_ledger_verify(&f->c, &f->io, &rep, &e), 0, &e, NULL);
	assert_int_equal(rep.entries, 6);
	fake_free(f);
}

/* The process that loads a draft may find it opened: it must not issue by
 * the terms it loaded. */
static void
test_stale_draft(void **state)
{
	struct fake *f = new_draft(3);
	struct pv_campaign draft, c;
	uint8_t cert[PV_CERT_LEN];
	struct pv_error e = { 0 };
	struct pv_issued l;

	(void)state;
	fake_chip(f, 1, "48400001", cert);
	assert_int_equal(pv_campaign_load(&f->store, "spring", &draft, &e), 0);
	c = draft;
	c.max_licenses = 1;
	want(pv_campaign_revise(&c, &f->io, &e), 0, &e, NULL);
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, &e), 0);
	want(pv_campaign_open(&c, &f->io, &e), 0, &e, NULL);
	want(pv_license_issue(&draft, &f->io, cert, &l, &e), PV_E_CLOSED, &e,
	    "draft");
	fake_free(f);
}

static void
test_crash_in_draft(void **state)
{
	(void)state;
	for (unsigned int n = 1;; n++) {
		struct fake *f = new_draft(3);
		struct pv_verify_report rep;
		struct pv_campaign c;
		unsigned int calls;
		int r;

		assert_int_equal(
		    pv_campaign_load(&f->store, "spring", &c, NULL), 0);
		c.max_licenses = 2;
		f->fault.calls = 0;
		f->fault.fail_at = n;
		f->fault.after = (int)(n & 1);
		r = pv_campaign_revise(&c, &f->io, NULL);
		if (r == 0)
			r = pv_campaign_load(&f->store, "spring", &c, NULL);
		if (r == 0)
			r = pv_campaign_open(&c, &f->io, NULL);
		calls = f->fault.calls;
		f->fault.fail_at = 0;
		f->locked = 0;
		/* A new process finishes what is left of it. */
		assert_int_equal(
		    pv_campaign_load(&f->store, "spring", &c, NULL), 0);
		if (c.draft && c.max_licenses == 3) {
			c.max_licenses = 2;
			assert_int_equal(
			    pv_campaign_revise(&c, &f->io, NULL), 0);
			assert_int_equal(
			    pv_campaign_load(&f->store, "spring", &c, NULL), 0);
		}
		if (c.draft)
			assert_int_equal(pv_campaign_open(&c, &f->io, NULL), 0);
		assert_int_equal(pv_ledger_verify(&c, &f->io, &rep, NULL), 0);
		assert_int_equal(
		    pv_campaign_load(&f->store, "spring", &c, NULL), 0);
		assert_int_equal(c.max_licenses, 2);
		fake_free(f);
		if (calls < n) {
			assert_true(n > 10);
			break;
		}
	}
}

static void
test_after(void **state)
{
	struct fake *f = fake_new(3);
	struct pv_campaign c;
	struct pv_error e = { 0 };

	(void)state;
	memset(f->c.after, 7, sizeof(f->c.after));
	want(pv_campaign_create(&f->c, &f->io, &e), PV_E_NOT_FOUND, &e,
	    "it could follow");
	memset(f->c.after, 0, sizeof(f->c.after));
	want(pv_campaign_create(&f->c, &f->io, &e), 0, &e, NULL);
	c = f->c;
	memcpy(c.after, f->c.id, sizeof(c.after));
	memset(c.id, 9, sizeof(c.id));
	(void)snprintf(c.name, sizeof(c.name), "summer");
	f->note_present = 0;
	want(pv_campaign_create(&c, &f->io, &e), 0, &e, NULL);
	assert_int_equal(pv_campaign_load(&f->store, "summer", &c, &e), 0);
	assert_memory_equal(c.after, f->c.id, sizeof(c.after));
	fake_free(f);
}

static void
test_deny(void **state)
{
	struct fake *f = fake_new(3);
	uint8_t one[PV_CERT_LEN], two[PV_CERT_LEN];
	struct pv_verify_report rep;
	struct pv_error e = { 0 };
	struct pv_issued l;
	struct pv_entry en;
	bool already = true;
	size_t n;

	(void)state;
	want(pv_campaign_create(&f->c, &f->io, &e), 0, &e, NULL);
	fake_chip(f, 1, "48400001", one);
	fake_chip(f, 2, "48400001", two);
	want(pv_campaign_deny(&f->c, &f->io, one, "stolen\nreel", &already, &e),
	    0, &e, NULL);
	assert_false(already);
	assert_int_equal(
	    pv_entry_decode(f->records[f->n_records - 1].entry,
		f->records[f->n_records - 1].rec.entry_len, &en, &e),
	    0);
	assert_string_equal(en.body.message, "stolen?reel");
	n = f->n_records;
	want(pv_license_issue(&f->c, &f->io, one, &l, &e), PV_E_POLICY, &e,
	    "deny list of campaign 'spring'");
	assert_non_null(strstr(e.hint, "no license was spent"));
	want(pv_campaign_deny(&f->c, &f->io, one, NULL, &already, &e), 0, &e,
	    NULL);
	assert_true(already);
	assert_int_equal(f->n_records, n);
	/* One that has its license loses the way to it. */
	want(pv_license_issue(&f->c, &f->io, two, &l, &e), 0, &e, NULL);
	want(pv_campaign_deny(&f->c, &f->io, two, NULL, NULL, &e), 0, &e, NULL);
	want(pv_license_issue(&f->c, &f->io, two, &l, &e), PV_E_POLICY, &e,
	    "deny list");
	want(pv_license_find(&f->c, &f->store, two, &l, &e), PV_E_POLICY, &e,
	    "deny list");
	want(pv_campaign_close(&f->c, &f->io, &e), 0, &e, NULL);
	want(pv_ledger_verify(&f->c, &f->io, &rep, &e), 0, &e, NULL);
	assert_int_equal(rep.denied, 2);
	assert_int_equal(rep.spent, 1);
	fake_free(f);
}

/* --- signed, chained, and against the rules ---------------------------------- */

static void
broken(struct fake *f, const char *message)
{
	struct pv_campaign_io io = { .store = &f->store };
	struct pv_verify_report rep;
	struct pv_error e = { 0 };

	want(pv_ledger_verify(&f->c, &io, &rep, &e), PV_E_VERIFY, &e, message);
	fake_free(f);
}

static void
forge(struct fake *f, struct pv_head *head, struct pv_entry *en)
{
	if (head->seq == 0)
		assert_int_equal(
		    pv_journal_head(&f->store, NULL, &f->c, head, NULL), 0);
	f->locked = 1;
	assert_int_equal(pv_journal_append(&f->c, &f->io, en, head, NULL), 0);
	f->locked = 0;
}

static void
test_against_rules(void **state)
{
	struct pv_entry en = { .kind = PV_ENTRY_RESERVE };
	struct pv_head head = { 0 };
	struct fake *f = new_draft(3);

	(void)state;
	en.body.number = 1;
	forge(f, &head, &en);
	broken(f, "number of a draft");

	f = fake_new(3);
	assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	head.seq = 0;
	en = (struct pv_entry){ .kind = PV_ENTRY_REVISE, .create = f->c };
	en.create.max_licenses = 9;
	forge(f, &head, &en);
	broken(f, "no draft");

	f = fake_new(3);
	assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	head.seq = 0;
	en = (struct pv_entry){ .kind = PV_ENTRY_OPEN };
	forge(f, &head, &en);
	broken(f, "opens a campaign that is no draft");

	f = new_draft(3);
	head.seq = 0;
	en = (struct pv_entry){ .kind = PV_ENTRY_REVISE, .create = f->c };
	(void)snprintf(en.create.name, sizeof(en.create.name), "autumn");
	forge(f, &head, &en);
	broken(f, "must keep");

	f = fake_new(3);
	assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	head.seq = 0;
	for (uint8_t i = 9; i >= 5; i--) {
		en = (struct pv_entry){ .kind = PV_ENTRY_DENY };
		memset(en.body.chip, i, sizeof(en.body.chip));
		forge(f, &head, &en);
	}
	en = (struct pv_entry){ .kind = PV_ENTRY_RESERVE };
	en.body.number = 1;
	memset(en.body.chip, 7, sizeof(en.body.chip));
	forge(f, &head, &en);
	broken(f, "for a chip on the deny list");
}

/* --- clock -------------------------------------------------------------------- */

/* Write an entry's time and sign it again. */
static void
set_time(struct fake *f, size_t i, int64_t ms, uint8_t *previous)
{
	struct fake_record *r = &f->records[i];
	struct pv_entry en;
	uint8_t hash[32];
	size_t len = sizeof(r->entry);

	assert_int_equal(
	    pv_entry_decode(r->entry, r->rec.entry_len, &en, NULL), 0);
	en.time_ms = ms;
	en.clock = PV_ENTRY_CLOCK_UNSYNCED;
	memcpy(en.previous, previous, 32);
	assert_int_equal(pv_entry_encode(&en, r->entry, &len, NULL), 0);
	assert_int_equal(pv_journal_hash(r->entry, len, hash, NULL), 0);
	assert_int_equal(
	    pv_ecdsa_sign(f->signing, hash, r->rec.signature, NULL), 0);
	memcpy(previous, hash, 32);
}

static void
test_clock(void **state)
{
	static const int64_t times[] = { 5000, 7000, 4000, INT64_MIN,
		INT64_MAX };
	struct fake *f = fake_new(3);
	struct pv_campaign_io io = { .store = &f->store };
	uint8_t previous[32] = { 0 };
	struct pv_verify_report rep;
	struct pv_error e = { 0 };
	struct pv_issued l;

	(void)state;
	assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	want(issue(f, 1, &l, &e), 0, &e, NULL);
	want(issue(f, 2, &l, &e), 0, &e, NULL);
	assert_int_equal(f->n_records, 5);
	for (size_t i = 0; i < 5; i++)
		set_time(f, i, times[i], previous);
	/* Noted, and nothing is refused for it. */
	want(pv_ledger_verify(&f->c, &io, &rep, &e), 0, &e, NULL);
	assert_int_equal(rep.clock_steps, 2);
	assert_int_equal(rep.clock_step_at, 3);
	assert_true(rep.clock_step_ms == INT64_MAX);
	assert_int_equal(rep.unsynced, 5);
	fake_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_stale_draft),
		cmocka_unit_test(test_crash_in_draft),
		cmocka_unit_test(test_after),
		cmocka_unit_test(test_deny),
		cmocka_unit_test(test_against_rules),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
