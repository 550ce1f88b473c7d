/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints notice what ledger and token together cannot; receipts verify
 * with nothing but the campaign's public key.
 */
#include "fake_campaign.h"

#include "base/file.h"
#include "formats/checkpoint.h"
#include "formats/receipt.h"
#include "ledger/journal.h"

static void
want(int r, int code, const struct pv_error *e, const char *message)
{
	if (r != code || (message != NULL && strstr(e->msg, message) == NULL))
		fail_msg("%d %s, wanted %d '%s'", r, e->msg, code,
		    message == NULL ? "" : message);
}

static void
issue(struct fake *f, unsigned int from, unsigned int n)
{
	uint8_t cert[PV_CERT_LEN];
	struct pv_issued l;

	if (f->n_records == 0)
		assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	for (unsigned int i = 0; i < n; i++) {
		fake_chip(f, (uint8_t)(from + i), "48400001", cert);
		assert_int_equal(
		    pv_license_issue(&f->c, &f->io, cert, &l, NULL), 0);
	}
	assert_int_equal(pv_campaign_load(&f->store, "spring", &f->c, NULL), 0);
}

static struct pv_checkpoint
checkpoint(struct fake *f)
{
	uint8_t data[PV_CHECKPOINT_LEN_MAX];
	size_t len = sizeof(data);
	struct pv_checkpoint cp, again;
	struct pv_error e = { 0 };

	want(pv_checkpoint_make(&f->c, &f->io, &cp, data, &len, &e), 0, &e,
	    NULL);
	want(pv_checkpoint_check(data, len, &again, &e), 0, &e, NULL);
	assert_memory_equal(&cp, &again, sizeof(cp));
	assert_string_equal(cp.station, "line 3");
	assert_int_equal(cp.seq, f->n_records);
	return cp;
}

static int
since(struct fake *f, const struct pv_checkpoint *cp, struct pv_error *e)
{
	struct pv_verify_report rep;

	return pv_ledger_verify_since(&f->c, &f->io, cp, &rep, e);
}

static void
test_since(void **state)
{
	struct fake *f = fake_new(20), *g = fake_new(20);
	struct pv_checkpoint cp, other;
	uint8_t note[PV_ANCHOR_MAX];
	struct pv_error e = { 0 };
	size_t n;

	(void)state;
	issue(f, 1, 2);
	memcpy(note, f->note, sizeof(note));
	n = f->n_records;
	issue(f, 3, 2);
	cp = checkpoint(f);
	assert_int_equal(cp.spent, 4);
	want(since(f, &cp, &e), 0, &e, NULL);
	issue(f, 5, 1);
	want(since(f, &cp, &e), 0, &e, NULL);

	/* Both put back to one moment: only the checkpoint notices. */
	f->n_records = n;
	memcpy(f->note, note, sizeof(note));
	want(since(f, NULL, &e), 0, &e, NULL);
	want(since(f, &cp, &e), PV_E_ROLLBACK, &e,
	    "older than the checkpoint: it ends at entry 5 (2 licenses), the "
	    "checkpoint is of entry 9 (4 licenses)");
	/* And used on, past the checkpoint. */
	issue(f, 60, 5);
	want(since(f, NULL, &e), 0, &e, NULL);
	want(since(f, &cp, &e), PV_E_ROLLBACK, &e,
	    "entry 9 is not the one of the checkpoint");
	assert_non_null(strstr(e.hint, "campaign's key"));

	/* Another campaign, and one that only calls itself the same. */
	issue(g, 1, 4);
	other = cp;
	other.campaign_id[0] ^= 1;
	want(since(g, &other, &e), PV_E_ROLLBACK, &e, "another campaign");
	other = cp;
	other.public_key[0] ^= 1;
	want(since(g, &other, &e), PV_E_ROLLBACK, &e, "another key");
	want(since(g, &cp, &e), PV_E_ROLLBACK, &e, "not the one");
	fake_free(f);
	fake_free(g);
}

static void
test_checkpoint_refused(void **state)
{
	struct fake *f = fake_new(20);
	uint8_t data[PV_CHECKPOINT_LEN_MAX];
	size_t len = sizeof(data), n;
	struct pv_checkpoint cp;
	struct pv_error e = { 0 };

	(void)state;
	issue(f, 1, 2);
	want(pv_checkpoint_make(&f->c, &f->io, &cp, data, &len, &e), 0, &e,
	    NULL);
	/* Every byte counts. */
	for (size_t i = 0; i < len; i++) {
		data[i] ^= 1;
		assert_true(pv_checkpoint_check(data, len, &cp, &e) < 0);
		data[i] ^= 1;
		assert_true(pv_checkpoint_check(data, i, &cp, &e) < 0);
	}
	/* None of a ledger that the token does not know. */
	n = f->n_records--;
	want(pv_checkpoint_make(&f->c, &f->io, &cp, data, &len, &e),
	    PV_E_ROLLBACK, &e, "older copy");
	f->n_records = n;
	/* A crash anywhere leaves nothing behind but an error. */
	for (unsigned int at = 1;; at++) {
		int r;

		len = sizeof(data);
		f->fault.calls = 0;
		f->fault.fail_at = at;
		r = pv_checkpoint_make(&f->c, &f->io, &cp, data, &len, &e);
		f->fault.fail_at = 0;
		if (r == 0) {
			assert_true(at > 4);
			break;
		}
		assert_int_equal(r, PV_E_IO);
	}
	fake_free(f);
}

static void
test_receipt(void **state)
{
	struct fake *f = fake_new(20), *g = fake_new(20);
	uint8_t one[PV_CERT_LEN], two[PV_CERT_LEN];
	uint8_t data[PV_RECEIPT_MAX], again[PV_RECEIPT_MAX];
	size_t len = sizeof(data), len2 = sizeof(again);
	struct pv_receipt rc;
	struct pv_error e = { 0 };

	(void)state;
	fake_chip(f, 1, "48400001", one);
	fake_chip(f, 2, "48400001", two);
	issue(f, 1, 1);
	want(pv_receipt_make(&f->c, &f->store, one, 0, data, &len, &e), 0, &e,
	    NULL);
	want(pv_receipt_make(&f->c, &f->store, two, 0, again, &len2, &e),
	    PV_E_NOT_FOUND, &e, "no such license");
	want(pv_receipt_make(&f->c, &f->store, NULL, 2, again, &len2, &e),
	    PV_E_NOT_FOUND, &e, "no such license");
	issue(f, 2, 3);
	want(pv_receipt_make(&f->c, &f->store, NULL, 1, again, &len2, &e), 0,
	    &e, NULL);
	assert_int_equal(len, len2);
	assert_memory_equal(data, again, len);

	want(pv_receipt_check(data, len, f->c.public_key, one, &rc, &e), 0, &e,
	    NULL);
	assert_int_equal(rc.number, 1);
	assert_string_equal(rc.campaign.name, "spring");
	assert_string_equal(rc.operator_id, "op 7");
	assert_int_equal(rc.license_len, 212);
	want(pv_license_check(
		 rc.license, rc.license_len, f->c.public_key, one, &e),
	    0, &e, NULL);
	want(pv_receipt_check(data, len, f->c.public_key, two, &rc, &e),
	    PV_E_VERIFY, &e, "another chip");
	want(pv_receipt_check(data, len, f->c.trust[0], one, &rc, &e),
	    PV_E_VERIFY, &e, "definition of the receipt");
	for (size_t i = 0; i < len; i += 3) {
		data[i] ^= 1;
		assert_true(pv_receipt_check(
				data, len, f->c.public_key, one, &rc, &e) < 0);
		data[i] ^= 1;
		assert_true(pv_receipt_check(
				data, i, f->c.public_key, one, &rc, &e) < 0);
	}
	fake_free(f);
	fake_free(g);
}

/* Signed parts of one key, put together wrongly. */
static void
test_receipt_mixed(void **state)
{
	struct fake *f = fake_new(20), *g;
	struct pv_receipt_parts parts;
	uint8_t data[PV_RECEIPT_MAX];
	struct pv_receipt rc;
	struct pv_error e = { 0 };
	size_t len;

	(void)state;
	issue(f, 1, 1);
	g = fake_new(20);
	memset(g->c.id, 0x17, sizeof(g->c.id));
	issue(g, 1, 1);
#define PART(f, i)                                       \
	(struct pv_receipt_part){ (f)->records[i].entry, \
		(f)->records[i].rec.entry_len, (f)->records[i].rec.signature }
	parts = (struct pv_receipt_parts){ PART(f, 0), PART(g, 2) };
	len = sizeof(data);
	assert_int_equal(pv_receipt_encode(&parts, data, &len, &e), 0);
	want(pv_receipt_check(data, len, f->c.public_key, NULL, &rc, &e),
	    PV_E_VERIFY, &e, "two campaigns");
	parts = (struct pv_receipt_parts){ PART(f, 1), PART(f, 2) };
	len = sizeof(data);
	assert_int_equal(pv_receipt_encode(&parts, data, &len, &e), 0);
	want(pv_receipt_check(data, len, f->c.public_key, NULL, &rc, &e),
	    PV_E_VERIFY, &e, "defines no campaign");
	parts = (struct pv_receipt_parts){ PART(f, 0), PART(f, 1) };
	len = sizeof(data);
	assert_int_equal(pv_receipt_encode(&parts, data, &len, &e), 0);
	want(pv_receipt_check(data, len, f->c.public_key, NULL, &rc, &e),
	    PV_E_VERIFY, &e, "issues no license");
	fake_free(f);
	fake_free(g);
}

struct corrupt {
	const char *name;
	int code;
	const char *message;
};

static void
check_files(const char *dir, const struct corrupt *files, size_t n, int receipt)
{
	struct pv_checkpoint cp;
	struct pv_receipt rc;
	struct pv_error e;
	char path[256];

	for (size_t i = 0; i < n; i++) {
		uint8_t *data = NULL;
		size_t len;
		int r;

		(void)snprintf(path, sizeof(path), "fixtures/corrupt/%s/%s.bin",
		    dir, files[i].name);
		assert_int_equal(
		    pv_file_read(path, 9000, &data, &len, NULL), 0);
		e = (struct pv_error){ 0 };
		r = receipt ? pv_receipt_check(data, len, NULL, NULL, &rc, &e)
			    : pv_checkpoint_decode(data, len, &cp, &e);
		if (r != files[i].code ||
		    strstr(e.msg, files[i].message) == NULL)
			fail_msg("%s: %d %s", files[i].name, r, e.msg);
		free(data);
	}
}

static void
test_corrupt_files(void **state)
{
	static const struct corrupt checkpoints[] = {
		{ "empty", PV_E_MALFORMED, "does not start with" },
		{ "magic", PV_E_MALFORMED, "does not start with" },
		{ "version", PV_E_UNSUPPORTED, "version 2" },
		{ "state", PV_E_UNSUPPORTED, "state 4" },
		{ "clock", PV_E_UNSUPPORTED, "clock source 3" },
		{ "seq-zero", PV_E_MALFORMED, "entry number 0" },
		{ "limit-zero", PV_E_MALFORMED, "3 of 0 licenses" },
		{ "spent-over", PV_E_MALFORMED, "21 of 20 licenses" },
		{ "name-empty", PV_E_MALFORMED, "campaign name" },
		{ "name-long", PV_E_MALFORMED, "do not match its lengths" },
		{ "station-control", PV_E_MALFORMED, "station" },
		{ "trailing", PV_E_MALFORMED, "do not match its lengths" },
		{ "cut", PV_E_MALFORMED, "do not match its lengths" },
	};
	static const struct corrupt receipts[] = {
		{ "empty", PV_E_MALFORMED, "does not start with" },
		{ "magic", PV_E_MALFORMED, "does not start with" },
		{ "version", PV_E_UNSUPPORTED, "version 2" },
		{ "flags", PV_E_UNSUPPORTED, "flags 1" },
		{ "definition-empty", PV_E_MALFORMED, "lengths" },
		{ "definition-long", PV_E_MALFORMED, "lengths" },
		{ "trailing", PV_E_MALFORMED, "lengths" },
		{ "cut", PV_E_MALFORMED, "lengths" },
		{ "first-kind", PV_E_VERIFY, "defines no campaign" },
		{ "second-kind", PV_E_VERIFY, "issues no license" },
	};

	(void)state;
	check_files("checkpoint", checkpoints,
	    sizeof(checkpoints) / sizeof(checkpoints[0]), 0);
	check_files(
	    "receipt", receipts, sizeof(receipts) / sizeof(receipts[0]), 1);
}

/* A checkpoint written from the table by another hand. */
static void
test_good_file(void **state)
{
	struct pv_checkpoint cp;
	uint8_t *data = NULL;
	struct pv_error e = { 0 };
	size_t len;

	(void)state;
	assert_int_equal(pv_file_read("tests/fuzz/corpus/checkpoint/good.bin",
			     PV_CHECKPOINT_LEN_MAX, &data, &len, &e),
	    0);
	want(pv_checkpoint_decode(data, len, &cp, &e), 0, &e, NULL);
	assert_int_equal(cp.seq, 7);
	assert_int_equal(cp.spent, 3);
	assert_int_equal(cp.max_licenses, 20);
	assert_int_equal(cp.time_ms, 1000);
	assert_string_equal(cp.name, "spring");
	assert_string_equal(cp.operator_id, "op 7");
	assert_int_equal(cp.hash[31], 0x11);
	assert_int_equal(cp.public_key[63], 0x22);
	assert_int_equal(cp.signature[0], 0x33);
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_checkpoint_refused),
		cmocka_unit_test(test_receipt),
		cmocka_unit_test(test_receipt_mixed),
		cmocka_unit_test(test_corrupt_files),
		cmocka_unit_test(test_good_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
