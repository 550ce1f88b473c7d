/* SPDX-License-Identifier: Apache-2.0 */
/* Counts for the report, over entries of odd times, stations and causes. */
#include "fake_campaign.h"

#include "base/clock.h"
#include "ledger/journal.h"
#include "ledger/tally.h"

#define HOUR INT64_C(3600000)

static void
put(struct fake *f, enum pv_entry_kind kind, const char *station, int64_t ms,
    int code)
{
	struct fake_record *r = &f->records[f->n_records];
	struct pv_entry en = { .kind = kind, .state = PV_STATE_OPERATIONAL };

	memcpy(en.campaign_id, f->c.id, 16);
	en.seq = f->n_records + 1;
	en.time_ms = ms;
	(void)snprintf(en.station, sizeof(en.station), "%s", station);
	en.body.number = 1;
	en.body.license_len = kind == PV_ENTRY_ISSUED ? 212 : 0;
	en.body.pass = code == 0;
	en.body.code = code;
	r->rec.entry_len = sizeof(r->entry);
	assert_int_equal(
	    pv_entry_encode(&en, r->entry, &r->rec.entry_len, NULL), 0);
	r->rec.entry = r->entry;
	r->rec.seq = en.seq;
	memcpy(r->rec.campaign_id, f->c.id, 16);
	f->n_records++;
}

static void
test_counts(void **state)
{
	struct fake *f = fake_new(9);
	struct pv_tally t = { 0 };
	struct pv_error e = { 0 };

	(void)state;
	put(f, PV_ENTRY_ISSUED, "a", 5 * HOUR, 0);
	put(f, PV_ENTRY_RESULT, "a", 5 * HOUR + 1, 0);
	put(f, PV_ENTRY_ISSUED, "b", 7 * HOUR, 0);
	put(f, PV_ENTRY_RESULT, "b", 7 * HOUR, PV_E_TIMEOUT);
	/* the clock runs backwards, before the epoch, and to the ends */
	put(f, PV_ENTRY_ISSUED, "a", 4 * HOUR, 0);
	put(f, PV_ENTRY_RESULT, "", -1, PV_E_TIMEOUT);
	put(f, PV_ENTRY_RESULT, "", INT64_MIN, PV_E_VERIFY);
	put(f, PV_ENTRY_RESULT, "", INT64_MAX, 0);
	put(f, PV_ENTRY_DENY, "a", 5 * HOUR, 0);
	put(f, PV_ENTRY_FAILED, "a", 5 * HOUR, PV_E_HSM);
	put(f, PV_ENTRY_ISSUED, "a", 6 * HOUR - 1, 0);
	assert_int_equal(pv_tally_campaign(&t, &f->store, &f->c, &e), 0);
	assert_int_equal(t.n.issued, 4);
	assert_int_equal(t.n.passed, 2);
	assert_int_equal(t.n.failed, 3);
	assert_int_equal(t.denied, 1);
	assert_int_equal(t.making_failed, 1);
	assert_int_equal(t.n_stations, 3);
	assert_string_equal(t.stations[0].name, "a");
	assert_int_equal(t.stations[0].n.issued, 3);
	assert_int_equal(t.stations[1].n.failed, 1);
	assert_string_equal(t.stations[2].name, "");
	/* by hour: the far past, -1, 4, 5, 7, the far future */
	assert_int_equal(t.n_hours, 6);
	for (size_t i = 1; i < t.n_hours; i++)
		assert_true(t.hours[i - 1].hour < t.hours[i].hour);
	assert_true(t.hours[1].hour == -1);
	assert_true(t.hours[3].hour == 5);
	assert_int_equal(t.hours[3].n.issued, 2);
	assert_int_equal(t.hours[3].n.passed, 1);
	assert_int_equal(t.n_causes, 2);
	assert_int_equal(t.causes[0].code, PV_E_TIMEOUT);
	assert_int_equal(t.causes[0].n, 2);
	pv_tally_release(&t);
	/* what is no entry */
	f->records[3].entry[0] = 'X';
	assert_int_equal(
	    pv_tally_campaign(&t, &f->store, &f->c, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "campaign 'spring': entry 4"));
	pv_tally_release(&t);
	fake_free(f);
}

/* More stations than the table holds end together. */
static void
test_many_stations(void **state)
{
	struct pv_tally t = { 0 };
	struct fake *f = fake_new(9);
	char name[32];
	uint64_t sum = 0;

	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		f->n_records = 0;
		for (unsigned int i = 0; i < 200; i++) {
			(void)snprintf(
			    name, sizeof(name), "s%u", round * 200 + i);
			put(f, PV_ENTRY_RESULT, name, HOUR,
			    -1000 - (int)(round * 200 + i));
		}
		assert_int_equal(
		    pv_tally_campaign(&t, &f->store, &f->c, NULL), 0);
	}
	assert_int_equal(t.n_stations, PV_TALLY_STATIONS);
	assert_string_equal(t.stations[PV_TALLY_STATIONS - 1].name, "(others)");
	for (size_t i = 0; i < t.n_stations; i++)
		sum += t.stations[i].n.failed;
	assert_int_equal(sum, 400);
	assert_int_equal(t.n_causes, PV_TALLY_CAUSES);
	pv_tally_release(&t);
	fake_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_many_stations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
