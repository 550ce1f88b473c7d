/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: its codec, and the rules of formats/ledger.md under a crash at
 * every step and under copies put back.
 */
#include "fake_campaign.h"

#include "base/file.h"
#include "ledger/journal.h"

/* --- codec ------------------------------------------------------------------ */

static void
sample(const struct fake *f, enum pv_entry_kind kind, struct pv_entry *en)
{
	memset(en, 0, sizeof(*en));
	memcpy(en->campaign_id, f->c.id, 16);
	en->seq = 0x0102030405060708;
	memset(en->previous, 0x11, sizeof(en->previous));
	en->spent = 412;
	en->time_ms = -5;
	en->kind = kind;
	en->state = PV_STATE_OPERATIONAL;
	(void)snprintf(en->station, sizeof(en->station), "line 3");
	en->clock = PV_ENTRY_CLOCK_UNSYNCED;
	if (kind == PV_ENTRY_CREATE || kind == PV_ENTRY_REVISE)
		en->create = f->c;
	if (kind == PV_ENTRY_REVISE)
		memset(en->create.after, 0x44, sizeof(en->create.after));
	if (kind == PV_ENTRY_CREATE || kind == PV_ENTRY_REVISE ||
	    kind == PV_ENTRY_CLOSE || kind == PV_ENTRY_OPEN)
		return;
	if (kind != PV_ENTRY_DENY)
		en->body.number = 412;
	if (kind == PV_ENTRY_REPAIR)
		return;
	memset(en->body.chip, 0x22, sizeof(en->body.chip));
	if (kind == PV_ENTRY_ISSUED) {
		en->body.license_len = 212;
		memset(en->body.license, 0x33, 212);
	}
	if (kind == PV_ENTRY_RESULT)
		en->body.pass = true;
	if (kind == PV_ENTRY_RESULT || kind == PV_ENTRY_FAILED) {
		en->body.code = PV_E_TIMEOUT;
		(void)snprintf(
		    en->body.message, sizeof(en->body.message), "no answer");
	}
}

static void
test_round_trip(void **state)
{
	struct fake *f = fake_new(3);
	uint8_t data[PV_ENTRY_MAX], again[PV_ENTRY_MAX];
	struct pv_entry in, out;
	struct pv_error e = { 0 };

	(void)state;
	for (int k = PV_ENTRY_CREATE; k <= PV_ENTRY_REPAIR + 1; k++) {
		size_t len = sizeof(data), len2 = sizeof(again);

		/* Once more at the end: a license that names its package. */
		sample(f,
		    k > PV_ENTRY_REPAIR ? PV_ENTRY_ISSUED
					: (enum pv_entry_kind)k,
		    &in);
		in.body.has_package = k > PV_ENTRY_REPAIR;
		memset(in.body.package, in.body.has_package ? 0x55 : 0,
		    sizeof(in.body.package));
		assert_int_equal(pv_entry_encode(&in, data, &len, &e), 0);
		assert_int_equal(pv_entry_decode(data, len, &out, &e), 0);
		assert_int_equal(pv_entry_encode(&out, again, &len2, &e), 0);
		assert_int_equal(len, len2);
		assert_memory_equal(data, again, len);
		assert_int_equal(out.seq, in.seq);
		assert_int_equal(out.time_ms, -5);
		assert_string_equal(out.station, "line 3");
		assert_memory_equal(&out.body, &in.body, sizeof(in.body));
		/* No prefix, and nothing behind it. */
		for (size_t n = 0; n < len; n++)
			assert_true(pv_entry_decode(data, n, &out, &e) < 0);
		assert_int_equal(out.clock, PV_ENTRY_CLOCK_UNSYNCED);
		assert_memory_equal(&out.create, &in.create, sizeof(in.create));
		data[len] = 0;
		assert_int_equal(
		    pv_entry_decode(data, len + 1, &out, &e), PV_E_MALFORMED);
		/* Not enough room. */
		len2 = len - 1;
		assert_true(pv_entry_encode(&in, again, &len2, &e) < 0);
	}
	fake_free(f);
}

struct entry_change {
	size_t off;
	uint8_t value;
	int code;
	const char *message;
};

/* Offsets are those of the table in formats/ledger.md. */
static void
test_reject(void **state)
{
	static const struct entry_change changes[] = {
		{ 0, 'X', PV_E_MALFORMED, "does not start with 'PVLE'" },
		{ 4, 2, PV_E_UNSUPPORTED, "version 2" },
		{ 6, 99, PV_E_UNSUPPORTED, "unknown kind 99" },
		{ 80, 9, PV_E_UNSUPPORTED, "unknown campaign state 9" },
		{ 81, 3, PV_E_UNSUPPORTED, "unknown clock source 3" },
		{ 82, 1, PV_E_MALFORMED, "do not match its lengths" },
		{ 84, 64, PV_E_MALFORMED, "do not match its lengths" },
		{ 85, 0x1b, PV_E_MALFORMED, "station" },
		{ 85, 0, PV_E_MALFORMED, "do not match its lengths" },
	};
	struct fake *f = fake_new(3);
	uint8_t data[PV_ENTRY_MAX];
	struct pv_entry en;
	struct pv_error e;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		len = sizeof(data);
		sample(f, PV_ENTRY_RESULT, &en);
		assert_int_equal(pv_entry_encode(&en, data, &len, NULL), 0);
		data[changes[i].off] = changes[i].value;
		assert_int_equal(
		    pv_entry_decode(data, len, &en, &e), changes[i].code);
		assert_non_null(strstr(e.msg, changes[i].message));
	}
	fake_free(f);
}

static void
test_reject_meaning(void **state)
{
	struct fake *f = fake_new(3);
	uint8_t data[PV_ENTRY_MAX];
	struct pv_entry en;
	struct pv_error e;
	size_t len = sizeof(data);

	(void)state;
	sample(f, PV_ENTRY_RESERVE, &en);
	en.seq = 0;
	assert_int_equal(pv_entry_encode(&en, data, &len, &e), PV_E_MALFORMED);
	sample(f, PV_ENTRY_RESERVE, &en);
	en.body.number = 0;
	assert_int_equal(pv_entry_encode(&en, data, &len, &e), PV_E_MALFORMED);
	sample(f, PV_ENTRY_ISSUED, &en);
	en.body.license_len = 229;
	assert_int_equal(pv_entry_encode(&en, data, &len, &e), PV_E_MALFORMED);
	sample(f, PV_ENTRY_CREATE, &en);
	en.create.max_licenses = 0;
	assert_int_equal(pv_entry_encode(&en, data, &len, &e), PV_E_MALFORMED);
	sample(f, PV_ENTRY_CREATE, &en);
	en.create.name[0] = '\n';
	assert_int_equal(pv_entry_encode(&en, data, &len, &e), PV_E_MALFORMED);
	sample(f, PV_ENTRY_CREATE, &en);
	en.create.n_trust = 9;
	assert_int_equal(pv_entry_encode(&en, data, &len, &e), PV_E_MALFORMED);
	en.create.n_trust = 0;
	assert_int_equal(pv_entry_encode(&en, data, &len, &e), PV_E_MALFORMED);
	sample(f, PV_ENTRY_CREATE, &en);
	en.create.flow = (enum pv_flow)7;
	assert_int_equal(
	    pv_entry_encode(&en, data, &len, &e), PV_E_UNSUPPORTED);
	fake_free(f);
}

struct corrupt {
	const char *name;
	int code;
	const char *message;
};

/* fixtures/corrupt/make-ledger.sh writes them from the tables. */
static void
test_corrupt_files(void **state)
{
	static const struct corrupt files[] = {
		{ "empty", PV_E_MALFORMED, "does not start with" },
		{ "magic", PV_E_MALFORMED, "does not start with" },
		{ "version", PV_E_UNSUPPORTED, "version 2" },
		{ "kind", PV_E_UNSUPPORTED, "unknown kind 99" },
		{ "seq-zero", PV_E_MALFORMED, "number 0" },
		{ "state", PV_E_UNSUPPORTED, "state 9" },
		{ "clock", PV_E_UNSUPPORTED, "clock source 3" },
		{ "open-body", PV_E_MALFORMED, "kind 'open'" },
		{ "after-zeros", PV_E_MALFORMED, "kind 'create'" },
		{ "after-short", PV_E_MALFORMED, "kind 'create'" },
		{ "deny-long", PV_E_MALFORMED, "kind 'deny'" },
		{ "deny-control", PV_E_MALFORMED, "message" },
		{ "body-length", PV_E_MALFORMED, "do not match its lengths" },
		{ "station-long", PV_E_MALFORMED, "do not match its lengths" },
		{ "station-control", PV_E_MALFORMED, "station" },
		{ "number-zero", PV_E_MALFORMED, "license number 0" },
		{ "body-trailing", PV_E_MALFORMED, "kind 'reserve'" },
		{ "close-body", PV_E_MALFORMED, "kind 'close'" },
		{ "license-empty", PV_E_MALFORMED, "license of 0 bytes" },
		{ "license-long", PV_E_MALFORMED, "license of 229 bytes" },
		{ "package-short", PV_E_MALFORMED, "kind 'issued'" },
		{ "package-long", PV_E_MALFORMED, "kind 'issued'" },
		{ "pass-flag", PV_E_MALFORMED, "kind 'result'" },
		{ "message-long", PV_E_MALFORMED, "kind 'result'" },
		{ "message-control", PV_E_MALFORMED, "message" },
		{ "flow", PV_E_UNSUPPORTED, "flow 9" },
		{ "trust-count", PV_E_MALFORMED, "9 trusted keys" },
		{ "no-ca", PV_E_MALFORMED, "no trusted key" },
		{ "limit-zero", PV_E_MALFORMED, "limit of 0" },
		{ "name-empty", PV_E_MALFORMED, "campaign name" },
		{ "name-long", PV_E_MALFORMED, "campaign name" },
		{ "too-long", PV_E_MALFORMED, "4097 bytes" },
	};
	struct pv_entry en;
	struct pv_error e;
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		uint8_t *data = NULL;
		size_t len;

		(void)snprintf(path, sizeof(path),
		    "fixtures/corrupt/ledger/%s.bin", files[i].name);
		assert_int_equal(
		    pv_file_read(path, 8192, &data, &len, NULL), 0);
		if (pv_entry_decode(data, len, &en, &e) != files[i].code ||
		    strstr(e.msg, files[i].message) == NULL)
			fail_msg("%s: %s", files[i].name, e.msg);
		free(data);
	}
}

/* Entries written from the tables by another hand than our encoder's. */
static void
test_good_files(void **state)
{
	static const char *const names[] = { "create", "reserve", "issued",
		"failed", "result", "close", "revise", "open", "deny" };
	uint8_t again[PV_ENTRY_MAX];
	struct pv_entry en;
	struct pv_error e;
	char path[256];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		uint8_t *data = NULL;
		size_t len, len2 = sizeof(again);

		(void)snprintf(path, sizeof(path),
		    "tests/fuzz/corpus/ledger/%s.bin", names[i]);
		assert_int_equal(
		    pv_file_read(path, 8192, &data, &len, NULL), 0);
		if (pv_entry_decode(data, len, &en, &e) != 0)
			fail_msg("%s: %s", names[i], e.msg);
		assert_string_equal(pv_entry_kind_name(en.kind), names[i]);
		assert_int_equal(en.seq, 5);
		assert_int_equal(en.spent, 2);
		assert_string_equal(en.operator_id, "op 7");
		assert_int_equal(pv_entry_encode(&en, again, &len2, &e), 0);
		assert_int_equal(len2, len);
		assert_memory_equal(again, data, len);
		free(data);
	}
}

static void
test_note(void **state)
{
	struct pv_note note = { .seq = 0x0102030405060708, .spent = 9 }, back;
	uint8_t data[PV_NOTE_LEN + 1] = { 0 };
	struct pv_error e;

	(void)state;
	memset(note.campaign_id, 0xa5, 16);
	memset(note.hash, 0x77, 32);
	pv_note_encode(&note, data);
	/* Big-endian first: a token compares these eight bytes blindly. */
	assert_memory_equal(data, "\1\2\3\4\5\6\7\10", 8);
	assert_int_equal(pv_note_decode(data, PV_NOTE_LEN, &back, &e), 0);
	assert_memory_equal(&back, &note, sizeof(note));
	for (size_t n = 0; n < PV_NOTE_LEN; n++)
		assert_true(pv_note_decode(data, n, &back, &e) < 0);
	assert_int_equal(
	    pv_note_decode(data, PV_NOTE_LEN + 1, &back, &e), PV_E_MALFORMED);
	data[12] = 2;
	assert_int_equal(
	    pv_note_decode(data, PV_NOTE_LEN, &back, &e), PV_E_UNSUPPORTED);
	data[12] = 1;
	data[8] = 'x';
	assert_int_equal(
	    pv_note_decode(data, PV_NOTE_LEN, &back, &e), PV_E_MALFORMED);
}

/* --- a crash at every step --------------------------------------------------- */

#define CHIPS 5

/* What the outside world holds after a run: licenses by number. */
struct world {
	uint8_t cert[CHIPS][PV_CERT_LEN];
	struct pv_issued license[16]; /* by number */
	int chip_of[16];	      /* by number; -1 nobody */
	unsigned int crashes;
};

/* After a crash: a new process, the same ledger and token. */
static void
revive(struct fake *f, struct world *w)
{
	f->fault.fail_at = 0;
	f->locked = 0;
	w->crashes++;
}

static void
take(struct world *w, int chip, const struct pv_issued *l)
{
	assert_in_range(l->number, 1, 3);
	if (w->chip_of[l->number] >= 0) {
		/* One number: one chip, one content. */
		assert_int_equal(w->chip_of[l->number], chip);
		assert_true(l->repeated);
		assert_memory_equal(
		    w->license[l->number].data, l->data, l->len);
		return;
	}
	w->chip_of[l->number] = chip;
	w->license[l->number] = *l;
}

static void
want_license(struct fake *f, struct world *w, int chip)
{
	struct pv_issued l;
	struct pv_error e = { 0 };
	int r = pv_license_issue(&f->c, &f->io, w->cert[chip], &l, &e);

	if (r == PV_E_IO) {
		revive(f, w);
		r = pv_license_issue(&f->c, &f->io, w->cert[chip], &l, &e);
	}
	if (r == 0)
		take(w, chip, &l);
	else
		assert_int_equal(r, PV_E_LIMIT);
}

static void
work(struct fake *f, struct world *w)
{
	struct pv_outcome o = { .number = 1, .pass = true };
	const struct pv_part part = { w->cert[0], PV_CERT_LEN };
	int r = pv_campaign_create(&f->c, &f->io, NULL);

	if (r != 0) {
		revive(f, w);
		r = pv_campaign_create(&f->c, &f->io, NULL);
		if (r != 0) { /* it was durable already */
			struct pv_campaign c;

			assert_int_equal(
			    pv_campaign_load(&f->store, "spring", &c, NULL), 0);
		}
	}
	want_license(f, w, 0);
	want_license(f, w, 1);
	want_license(f, w, 0);
	want_license(f, w, 2);
	want_license(f, w, 3);
	want_license(f, w, 4);
	for (o.number = 1; w->chip_of[o.number] != 0; o.number++)
		assert_in_range(o.number, 1, 3);
	assert_int_equal(pv_sha256(&part, 1, o.chip, NULL), 0);
	if (pv_campaign_record(&f->c, &f->io, &o, NULL) != 0) {
		revive(f, w);
		assert_int_equal(
		    pv_campaign_record(&f->c, &f->io, &o, NULL), 0);
	}
	if (pv_campaign_close(&f->c, &f->io, NULL) != 0) {
		revive(f, w);
		(void)!pv_campaign_close(&f->c, &f->io, NULL);
	}
}

/* Invariants of DESIGN: numbers, limit, at most one burnt for the crash. */
static void
check_world(struct fake *f, const struct world *w)
{
	struct pv_verify_report rep;
	struct pv_campaign c;
	struct pv_error e = { 0 };
	struct pv_issued l;
	uint64_t held = 0;

	if (pv_ledger_verify(&f->c, &f->io, &rep, &e) != 0)
		fail_msg("%s", e.msg);
	for (int n = 1; n <= 3; n++)
		held += w->chip_of[n] >= 0;
	assert_true(rep.anchor_checked);
	assert_int_equal(rep.spent, 3);
	assert_true(rep.spent - rep.issued <= w->crashes);
	/* Every license the ledger knows reached its chip. */
	assert_int_equal(rep.issued, held);
	assert_int_equal(rep.failed, 0);
	assert_in_range(rep.passed, 1, 1 + w->crashes);
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, &e), 0);
	assert_int_equal(c.issued, 3);
	assert_true(c.closed);
	/* Closed: those who have one get it, nobody else. */
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, w->cert[0], &l, &e), 0);
	assert_true(l.repeated);
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, w->cert[4], &l, &e), PV_E_CLOSED);
}

static unsigned int
crash_run(unsigned int fail_at, int after, int once)
{
	struct fake *f = fake_new(3);
	struct world w = { .crashes = 0 };
	unsigned int calls;

	memset(w.chip_of, 0xff, sizeof(w.chip_of));
	for (int i = 0; i < CHIPS; i++)
		fake_chip(f, (uint8_t)(i + 1), "48400001", w.cert[i]);
	f->fault.fail_at = fail_at;
	f->fault.after = after;
	f->fault.once = once;
	work(f, &w);
	calls = f->fault.calls;
	if (fail_at != 0 && fail_at <= calls)
		assert_true(w.crashes <= 1);
	f->fault.fail_at = 0;
	check_world(f, &w);
	fake_free(f);
	return calls;
}

static void
test_crash_everywhere(void **state)
{
	unsigned int total = crash_run(0, 0, 0);

	(void)state;
	assert_true(total > 50);
	for (unsigned int n = 1; n <= total; n++) {
		(void)crash_run(n, 0, 0);
		(void)crash_run(n, 1, 0);
		/* and one call that fails in a process that lives on */
		(void)crash_run(n, 0, 1);
		(void)crash_run(n, 1, 1);
	}
}

/* --- copies put back ---------------------------------------------------------- */

static void
open_and_issue(struct fake *f, unsigned int n)
{
	uint8_t cert[PV_CERT_LEN];
	struct pv_issued l;

	if (f->n_records == 0)
		assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	for (unsigned int i = 0; i < n; i++) {
		fake_chip(f, (uint8_t)(10 + f->n_records), "48400001", cert);
		assert_int_equal(
		    pv_license_issue(&f->c, &f->io, cert, &l, NULL), 0);
	}
}

static void
expect_rollback(struct fake *f, const char *message)
{
	struct pv_verify_report rep;
	struct pv_outcome o = { .pass = true };
	struct pv_error e = { 0 };
	uint8_t cert[PV_CERT_LEN];
	struct pv_issued l;
	unsigned int writes = f->fault.writes;

	fake_chip(f, 99, "48400001", cert);
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert, &l, &e), PV_E_ROLLBACK);
	assert_non_null(strstr(e.msg, message));
	assert_int_equal(
	    pv_campaign_record(&f->c, &f->io, &o, &e), PV_E_ROLLBACK);
	assert_int_equal(pv_campaign_close(&f->c, &f->io, &e), PV_E_ROLLBACK);
	assert_int_equal(
	    pv_ledger_verify(&f->c, &f->io, &rep, &e), PV_E_ROLLBACK);
	assert_non_null(strstr(e.msg, message));
	assert_int_equal(f->fault.writes, writes);
}

static void
test_old_ledger(void **state)
{
	struct fake *f = fake_new(50);

	(void)state;
	open_and_issue(f, 3);
	for (size_t n = f->n_records - 1; n >= 1; n--) {
		f->n_records = n;
		expect_rollback(f, "ledger of campaign 'spring' is an older");
	}
	fake_free(f);
}

static void
test_old_token(void **state)
{
	struct fake *f = fake_new(50);
	uint8_t note[PV_ANCHOR_MAX];
	size_t len;

	(void)state;
	open_and_issue(f, 1);
	memcpy(note, f->note, f->note_len);
	len = f->note_len;
	open_and_issue(f, 1);
	memcpy(f->note, note, len);
	/* Two entries behind. */
	expect_rollback(f, "token is an older copy");
	fake_free(f);
}

static void
test_no_note(void **state)
{
	struct fake *f = fake_new(50);

	(void)state;
	open_and_issue(f, 0);
	f->note_present = 0;
	expect_rollback(f, "token has no note");
	fake_free(f);
}

/* Both at once, to the same moment: not noticed, as ledger.md says. */
static void
test_both_old(void **state)
{
	struct fake *f = fake_new(50);
	uint8_t note[PV_ANCHOR_MAX];
	struct pv_verify_report rep;
	size_t n, len;

	(void)state;
	open_and_issue(f, 2);
	memcpy(note, f->note, f->note_len);
	len = f->note_len;
	n = f->n_records;
	open_and_issue(f, 2);
	memcpy(f->note, note, len);
	f->n_records = n;
	assert_int_equal(pv_ledger_verify(&f->c, &f->io, &rep, NULL), 0);
	assert_int_equal(rep.issued, 2);
	/* To different moments: noticed. */
	open_and_issue(f, 1);
	memcpy(f->note, note, len);
	expect_rollback(f, "token is an older copy");
	fake_free(f);
}

/* A second history with the same numbers of entries, rightly signed. */
static void
test_replaced_ledger(void **state)
{
	struct fake *f = fake_new(50);
	struct fake *g = fake_new(50);

	(void)state;
	open_and_issue(f, 2);
	open_and_issue(g, 2);
	memcpy(f->note, g->note, g->note_len);
	expect_rollback(f, "was replaced");
	/* And one that is ahead by one entry of another history. */
	f->n_records--;
	open_and_issue(g, 0);
	memcpy(g->note, f->note, f->note_len);
	fake_free(f);
	fake_free(g);

	f = fake_new(50);
	g = fake_new(50);
	open_and_issue(f, 2);
	open_and_issue(g, 2);
	g->n_records -= 1;
	memcpy(f->records, g->records, sizeof(f->records));
	for (size_t i = 0; i < FAKE_RECORDS; i++)
		f->records[i].rec.entry = f->records[i].entry;
	f->n_records = g->n_records;
	/* f's token knows f's entry 4; make it one behind g's 5 */
	struct pv_note note;
	assert_int_equal(pv_note_decode(f->note, f->note_len, &note, NULL), 0);
	note.seq = f->n_records - 1;
	pv_note_encode(&note, f->note);
	expect_rollback(f, "was replaced");
	fake_free(f);
	fake_free(g);
}

/* --- changed ledgers ---------------------------------------------------------- */

static void
expect_broken(struct fake *f, const char *message)
{
	struct pv_campaign_io io = { .store = &f->store };
	struct pv_verify_report rep;
	struct pv_error e = { 0 };
	int r = pv_ledger_verify(&f->c, &io, &rep, &e);

	if (pv_exit_code(r) != 4 || strstr(e.msg, message) == NULL)
		fail_msg("%d %s, wanted '%s'", r, e.msg, message);
}

static void
test_changed(void **state)
{
	struct fake *f = fake_new(50);
	struct fake_record keep;

	(void)state;
	open_and_issue(f, 3);
	/* any byte of any entry */
	for (size_t i = 0; i < f->n_records; i++) {
		struct pv_record *rec = &f->records[i].rec;
		struct pv_campaign_io io = { .store = &f->store };
		struct pv_verify_report rep;

		for (size_t b = 0; b < rec->entry_len; b += 7) {
			f->records[i].entry[b] ^= 1;
			assert_true(
			    pv_ledger_verify(&f->c, &io, &rep, NULL) != 0);
			f->records[i].entry[b] ^= 1;
		}
		rec->signature[i] ^= 1;
		expect_broken(f, "signature of entry");
		rec->signature[i] ^= 1;
		rec->kind ^= 1;
		expect_broken(f, "index of the ledger");
		rec->kind ^= 1;
		rec->chip[0] ^= 1;
		expect_broken(f, "index of the ledger");
		rec->chip[0] ^= 1;
	}
	/* one taken out, two exchanged */
	keep = f->records[3];
	memmove(
	    &f->records[3], &f->records[4], (f->n_records - 4) * sizeof(keep));
	f->n_records--;
	for (size_t i = 0; i < f->n_records; i++)
		f->records[i].rec.entry = f->records[i].entry;
	expect_broken(f, "entry 4 is missing");
	fake_free(f);
}

/*
 * A token holder who writes what our rules never write: signed and chained,
 * but against the rules. The audit still finds it.
 */
struct forger {
	struct fake *f;
	struct pv_head head;
};

static void
forge(struct forger *g, enum pv_entry_kind kind, uint64_t number, uint8_t chip)
{
	struct pv_entry en = { .kind = kind };

	en.body.number = number;
	if (kind != PV_ENTRY_CLOSE)
		memset(en.body.chip, chip, sizeof(en.body.chip));
	g->f->locked = 1;
	assert_int_equal(
	    pv_journal_append(&g->f->c, &g->f->io, &en, &g->head, NULL), 0);
	g->f->locked = 0;
}

static void
forger_begin(struct forger *g, struct fake *f)
{
	g->f = f;
	open_and_issue(f, 1);
	assert_int_equal(
	    pv_journal_head(&f->store, NULL, &f->c, &g->head, NULL), 0);
}

static void
test_against_rules(void **state)
{
	struct forger g;
	struct fake *f;

	(void)state;
	f = fake_new(2);
	forger_begin(&g, f);
	forge(&g, PV_ENTRY_RESERVE, 1, 7);
	expect_broken(f, "out of turn");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	forge(&g, PV_ENTRY_RESERVE, 2, 7);
	forge(&g, PV_ENTRY_RESERVE, 3, 8);
	expect_broken(f, "past the limit");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	forge(&g, PV_ENTRY_CLOSE, 0, 0);
	forge(&g, PV_ENTRY_RESERVE, 2, 8);
	expect_broken(f, "closed campaign");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	forge(&g, PV_ENTRY_CLOSE, 0, 0);
	forge(&g, PV_ENTRY_CLOSE, 0, 0);
	expect_broken(f, "closes a closed campaign");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	forge(&g, PV_ENTRY_FAILED, 1, 7);
	expect_broken(f, "not reserved for this chip");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	forge(&g, PV_ENTRY_RESULT, 2, 7);
	expect_broken(f, "nobody reserved");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	g.head.spent = 0;
	forge(&g, PV_ENTRY_RESERVE, 1, 7);
	expect_broken(f, "out of turn");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	g.head.spent = 0;
	forge(&g, PV_ENTRY_RESULT, 1, 7);
	expect_broken(f, "counts the numbers");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	g.head.state = PV_STATE_CLOSED;
	forge(&g, PV_ENTRY_RESULT, 1, 7);
	expect_broken(f, "another state");
	fake_free(f);

	f = fake_new(2);
	forger_begin(&g, f);
	g.head.hash[0] ^= 1;
	forge(&g, PV_ENTRY_RESULT, 1, 7);
	expect_broken(f, "not chained");
	fake_free(f);
}

/* A license for a package of its own, in a campaign of one package. */
static void
test_package_named(void **state)
{
	struct fake *f = fake_new(2);
	struct pv_entry en;
	struct pv_head head;
	uint8_t cert[PV_CERT_LEN];
	struct pv_issued l;

	(void)state;
	open_and_issue(f, 0);
	fake_chip(f, 1, "48400001", cert);
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &l, NULL), 0);
	assert_false(l.has_package);
	/* Its last entry again, with a package. */
	assert_int_equal(
	    pv_entry_decode(f->records[f->n_records - 1].entry,
		f->records[f->n_records - 1].rec.entry_len, &en, NULL),
	    0);
	f->n_records--;
	assert_int_equal(
	    pv_journal_head(&f->store, NULL, &f->c, &head, NULL), 0);
	en.body.has_package = true;
	f->locked = 1;
	assert_int_equal(pv_journal_append(&f->c, &f->io, &en, &head, NULL), 0);
	f->locked = 0;
	expect_broken(f, "names a package in a campaign of one");
	fake_free(f);
}

/* The same license written again for the same chip under a new number. */
static void
test_two_licenses_one_chip(void **state)
{
	struct fake *f = fake_new(5);
	struct pv_issued l;
	struct pv_record *rec;
	uint8_t cert[PV_CERT_LEN];

	(void)state;
	open_and_issue(f, 0);
	fake_chip(f, 1, "48400001", cert);
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &l, NULL), 0);
	/* Hide the first from the lookup, as a damaged index would. */
	rec = &f->records[2].rec;
	assert_int_equal(rec->kind, PV_ENTRY_ISSUED);
	open_and_issue(f, 1);
	rec->kind = 0;
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &l, NULL), 0);
	assert_int_equal(l.number, 3);
	rec->kind = PV_ENTRY_ISSUED;
	expect_broken(f, "two licenses went to one chip");
	fake_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_reject),
		cmocka_unit_test(test_reject_meaning),
		cmocka_unit_test(test_corrupt_files),
		cmocka_unit_test(test_good_files),
		cmocka_unit_test(test_note),
		cmocka_unit_test(test_crash_everywhere),
		cmocka_unit_test(test_old_ledger),
		cmocka_unit_test(test_old_token),
		cmocka_unit_test(test_no_note),
		cmocka_unit_test(test_both_old),
		cmocka_unit_test(test_replaced_ledger),
		cmocka_unit_test(test_changed),
		cmocka_unit_test(test_against_rules),
		cmocka_unit_test(test_package_named),
		cmocka_unit_test(test_two_licenses_one_chip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
