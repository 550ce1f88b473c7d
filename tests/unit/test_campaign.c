/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of campaigns: what is refused, and that refusing spends nothing. */
#include "fake_campaign.h"

#include "formats/license.h"
#include "ledger/journal.h"

static struct fake *
opened(uint64_t max_licenses)
{
	struct fake *f = fake_new(max_licenses);
	struct pv_error e = { 0 };

	if (pv_campaign_create(&f->c, &f->io, &e) != 0)
		fail_msg("%s", e.msg);
	return f;
}

static void
test_create_and_load(void **state)
{
	struct fake *f = opened(3);
	struct pv_campaign c;
	uint8_t other[16] = { 1 };
	struct pv_error e;

	(void)state;
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, &e), 0);
	assert_int_equal(c.issued, 0);
	assert_false(c.closed);
	assert_int_equal(c.max_licenses, 3);
	assert_string_equal(c.product_id, "48400001");
	assert_string_equal(c.oem_key_uri, f->c.oem_key_uri);
	assert_memory_equal(c.trust[0], f->c.trust[0], 64);
	assert_memory_equal(c.nonce, "NONCE_TEST01", 12);
	assert_int_equal(pv_campaign_load_id(&f->store, f->c.id, &c, &e), 0);
	assert_int_equal(
	    pv_campaign_load(&f->store, "autumn", &c, &e), PV_E_NOT_FOUND);
	assert_int_equal(
	    pv_campaign_load_id(&f->store, other, &c, &e), PV_E_NOT_FOUND);
	/* The same name with another id. */
	f->c.id[0] ^= 1;
	assert_int_equal(pv_campaign_create(&f->c, &f->io, &e), PV_E_EXISTS);
	fake_free(f);
}

static void
refused(struct fake *f, int code, const char *message)
{
	struct pv_error e = { 0 };

	assert_int_equal(pv_campaign_create(&f->c, &f->io, &e), code);
	if (strstr(e.msg, message) == NULL)
		fail_msg("%s", e.msg);
	assert_int_equal(f->fault.writes, 0);
	fake_free(f);
}

static void
test_create_refused(void **state)
{
	struct fake *f;

	(void)state;
	f = fake_new(3);
	(void)snprintf(f->c.name, sizeof(f->c.name), "../x");
	refused(f, PV_E_USAGE, "campaign name");
	f = fake_new(3);
	f->c.name[0] = '\0';
	refused(f, PV_E_USAGE, "campaign name");
	f = fake_new(3);
	f->c.flow = PV_FLOW_SSP;
	refused(f, PV_E_USAGE, "does not serve the flow 'ssp'");
	f = fake_new(3);
	f->c.flow = (enum pv_flow)3;
	refused(f, PV_E_UNSUPPORTED, "flows");
	f = fake_new(3);
	(void)snprintf(
	    f->c.license_profile, sizeof(f->c.license_profile), "ssp");
	refused(f, PV_E_USAGE, "does not serve the flow 'sfi'");
	f = fake_new(3);
	(void)snprintf(f->c.license_profile, sizeof(f->c.license_profile),
	    "ecies:gcm_iv_len=16");
	refused(f, PV_E_UNSUPPORTED, "profile 'ecies:gcm_iv_len=16'");
	f = fake_new(3);
	(void)snprintf(
	    f->c.license_profile, sizeof(f->c.license_profile), "smart");
	refused(f, PV_E_UNSUPPORTED, "profile 'smart'");
	f = fake_new(0);
	refused(f, PV_E_USAGE, "at least 1 license");
	f = fake_new(3);
	f->c.n_trust = 0;
	refused(f, PV_E_USAGE, "trusted CA");
	/* nor on anybody's word: SFI chips have a CA */
	f = fake_new(3);
	f->c.n_trust = 0;
	f->c.accept_unverified = true;
	refused(f, PV_E_USAGE, "trusted CA");
	f = fake_new(3);
	f->c.trust[0][5] ^= 1;
	refused(f, PV_E_VERIFY, "trusted key 1");
	f = fake_new(3);
	f->c.public_key[5] ^= 1;
	refused(f, PV_E_VERIFY, "campaign key");
	/* a signer that is not the campaign's */
	f = fake_new(3);
	memcpy(f->c.public_key, f->c.trust[0], 64);
	refused(f, PV_E_VERIFY, "not the key of campaign");
	/* a package key SFI cannot use */
	f = fake_new(3);
	f->oem_key_len = 32;
	refused(f, PV_E_UNSUPPORTED, "16-byte key");
	f = fake_new(3);
	f->io.anchor = NULL;
	refused(f, PV_E_INTERNAL, "token");
}

static void
test_issue(void **state)
{
	struct fake *f = opened(3);
	uint8_t cert[5][PV_CERT_LEN];
	struct pv_issued l[3], again;
	struct pv_license dec;
	struct pv_campaign c;
	struct pv_error e = { 0 };
	unsigned int writes;

	(void)state;
	for (uint8_t i = 0; i < 4; i++)
		fake_chip(f, (uint8_t)(i + 1), "48400001", cert[i]);
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(
		    pv_license_issue(&f->c, &f->io, cert[i], &l[i], &e), 0);
		assert_int_equal(l[i].number, i + 1);
		assert_int_equal(l[i].left, 2 - i);
		assert_false(l[i].repeated);
		assert_int_equal(
		    pv_license_decode(l[i].data, l[i].len, &dec, &e), 0);
		assert_memory_equal(dec.campaign_id, f->c.id, 16);
		assert_memory_equal(dec.nonce, f->c.nonce, 12);
		assert_int_equal(pv_license_check(l[i].data, l[i].len,
				     f->c.public_key, cert[i], &e),
		    0);
	}
	writes = f->fault.writes;
	/* Used up: the fourth chip is refused, the first gets its own. */
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert[3], &again, &e), PV_E_LIMIT);
	assert_non_null(strstr(e.msg, "has used all 3 licenses"));
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert[0], &again, &e), 0);
	assert_true(again.repeated);
	assert_int_equal(again.number, 1);
	assert_int_equal(again.left, 0);
	assert_memory_equal(again.data, l[0].data, l[0].len);
	/* No token is needed for that. */
	f->io.signer = NULL;
	f->io.wrapper = NULL;
	f->io.anchor = NULL;
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert[1], &again, &e), 0);
	assert_memory_equal(again.data, l[1].data, l[1].len);
	assert_int_equal(f->fault.writes, writes);
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, &e), 0);
	assert_int_equal(c.issued, 3);
	fake_free(f);
}

/* The chip can open what it got: the device's side of formats/license.md. */
static void
test_chip_opens_license(void **state)
{
	struct fake *f = opened(3);
	struct pv_ec_key *chip = fake_key(1);
	uint8_t cert[PV_CERT_LEN], z[32], context[32], kek[32], key[16];
	struct pv_issued out;
	struct pv_license l;

	(void)state;
	fake_chip(f, 1, "48400001", cert);
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &out, NULL), 0);
	assert_int_equal(pv_license_decode(out.data, out.len, &l, NULL), 0);
	assert_int_equal(pv_ecdh(chip, l.ephemeral, z, NULL), 0);
	const struct pv_part parts[] = {
		{ "provisor/license/v1", 19 },
		{ out.data, PV_LICENSE_HEADER },
		{ cert, PV_CERT_LEN },
	};
	assert_int_equal(pv_sha256(parts, 3, context, NULL), 0);
	assert_int_equal(pv_aes_ecb(z, 32, context, 32, kek, NULL), 0);
	assert_int_equal(
	    pv_aes_unwrap(kek, 32, l.wrapped, l.wrapped_len, key, NULL), 0);
	assert_memory_equal(key, f->oem_key, 16);
	pv_ec_free(chip);
	fake_free(f);
}

/* P-256 group order, SEC 2 section 2.4.2. */
static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff,
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7,
	0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };

static void
bad_certificate(
    struct fake *f, const uint8_t *cert, int code, const char *message)
{
	struct pv_issued l;
	struct pv_error e = { 0 };
	unsigned int writes = f->fault.writes;

	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &l, &e), code);
	if (strstr(e.msg, message) == NULL)
		fail_msg("%s", e.msg);
	assert_int_equal(f->fault.writes, writes);
}

static void
test_bad_certificates(void **state)
{
	struct fake *f = opened(3);
	uint8_t good[PV_CERT_LEN], cert[PV_CERT_LEN];
	struct pv_campaign c;
	struct pv_ec_key *ca = f->ca;
	size_t index = 9;

	(void)state;
	fake_chip(f, 1, "48400001", good);
	assert_int_equal(
	    pv_campaign_check_certificate(&f->c, good, &index, NULL), 0);
	assert_int_equal(index, 0);

	fake_chip(f, 1, "49200001", cert);
	bad_certificate(f, cert, PV_E_VERIFY, "is for product '49200001'");
	memcpy(cert, good, sizeof(cert));
	cert[0] = 0;
	bad_certificate(f, cert, PV_E_MALFORMED, "product id");
	memcpy(cert, good, sizeof(cert));
	cert[20] ^= 1; /* off the curve */
	bad_certificate(f, cert, PV_E_VERIFY, "public key of the chip");
	memset(cert + 8, 0, 64); /* nor infinity in disguise */
	bad_certificate(f, cert, PV_E_VERIFY, "public key of the chip");
	memcpy(cert, good, sizeof(cert));
	memset(cert + 8, 0xff, 32); /* coordinate past the field */
	bad_certificate(f, cert, PV_E_VERIFY, "public key of the chip");
	for (size_t half = 0; half < 2; half++) {
		memcpy(cert, good, sizeof(cert));
		memset(cert + 72 + 32 * half, 0, 32);
		bad_certificate(f, cert, PV_E_VERIFY, "not signed by a CA");
		memcpy(cert + 72 + 32 * half, order, 32);
		bad_certificate(f, cert, PV_E_VERIFY, "not signed by a CA");
		memset(cert + 72 + 32 * half, 0xff, 32);
		bad_certificate(f, cert, PV_E_VERIFY, "not signed by a CA");
	}
	memcpy(cert, good, sizeof(cert));
	cert[100] ^= 1;
	bad_certificate(f, cert, PV_E_VERIFY, "not signed by a CA");
	f->ca = fake_key(0x61); /* another CA */
	fake_chip(f, 1, "48400001", cert);
	bad_certificate(f, cert, PV_E_VERIFY, "not signed by a CA");
	pv_ec_free(f->ca);
	f->ca = ca;
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, NULL), 0);
	assert_int_equal(c.issued, 0);
	fake_free(f);
}

static void
test_two_cas(void **state)
{
	struct fake *f = fake_new(3);
	struct pv_ec_key *first = f->ca;
	uint8_t cert[PV_CERT_LEN];
	size_t index = 9;

	(void)state;
	f->ca = fake_key(0x61);
	f->c.n_trust = 2;
	assert_int_equal(pv_ec_public(f->ca, f->c.trust[1], NULL), 0);
	fake_chip(f, 1, "48400001", cert);
	assert_int_equal(
	    pv_campaign_check_certificate(&f->c, cert, &index, NULL), 0);
	assert_int_equal(index, 1);
	pv_ec_free(first);
	fake_free(f);
}

/* No CA: refused, or taken when the caller says so; never with one. */
static void
test_no_ca(void **state)
{
	struct fake *f = fake_new(3);
	struct pv_error e = { 0 };
	uint8_t cert[PV_CERT_LEN];
	size_t index = 9;

	(void)state;
	fake_chip(f, 1, "48400001", cert);
	cert[PV_CERT_LEN - 1] ^= 1;
	f->c.accept_unverified = true;
	assert_int_equal(pv_campaign_check_certificate(&f->c, cert, &index, &e),
	    PV_E_VERIFY);
	assert_int_equal(index, 9);
	f->c.n_trust = 0;
	/* Firmware never goes to a chip that nobody proved. */
	assert_int_equal(pv_campaign_check_certificate(&f->c, cert, &index, &e),
	    PV_E_VERIFY);
	f->c.flow = PV_FLOW_SSP;
	assert_int_equal(
	    pv_campaign_check_certificate(&f->c, cert, &index, &e), 0);
	assert_int_equal(index, PV_CAMPAIGN_TRUST);
	f->c.accept_unverified = false;
	memset(&e, 0, sizeof(e));
	assert_int_equal(
	    pv_campaign_check_certificate(&f->c, cert, NULL, &e), PV_E_VERIFY);
	assert_non_null(strstr(e.msg, "knows no CA"));
	assert_non_null(strstr(e.hint, "no license was spent"));
	/* The key is checked all the same. */
	f->c.accept_unverified = true;
	cert[8] ^= 1;
	assert_int_equal(
	    pv_campaign_check_certificate(&f->c, cert, NULL, &e), PV_E_VERIFY);
	fake_free(f);
}

/* A token that fails between reserving and signing burns one number. */
static void
test_token_fails(void **state)
{
	struct fake *f = opened(3);
	uint8_t cert[PV_CERT_LEN];
	struct pv_verify_report rep;
	struct pv_issued l;
	struct pv_error e = { 0 };
	size_t n = f->n_records;

	(void)state;
	fake_chip(f, 1, "48400001", cert);
	f->oem_key_len = 32; /* exchanged under our feet */
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert, &l, &e), PV_E_HSM);
	assert_non_null(strstr(e.msg, "making license no. 1"));
	assert_int_equal(f->n_records, n + 2);
	assert_int_equal(f->records[n].rec.kind, PV_ENTRY_RESERVE);
	assert_int_equal(f->records[n + 1].rec.kind, PV_ENTRY_FAILED);
	f->oem_key_len = 16;
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &l, &e), 0);
	assert_int_equal(l.number, 2);
	assert_int_equal(l.left, 1);
	assert_int_equal(pv_ledger_verify(&f->c, &f->io, &rep, &e), 0);
	assert_int_equal(rep.spent, 2);
	assert_int_equal(rep.issued, 1);
	fake_free(f);
}

/* A token that signs wrongly, from its second signature on. */
static int
sign_once(void *ctx, const uint8_t digest[32], uint8_t ret_sig[64],
    struct pv_error *e)
{
	struct fake *f = ctx;
	int r = fake_sign(ctx, digest, ret_sig, e);

	if (r == 0 && f->n_records > 1)
		ret_sig[63] ^= 1;
	return r;
}

/* Whether a number was taken is told by the number, whatever the code. */
static void
test_failure_names_number(void **state)
{
	struct fake *f = opened(1);
	uint8_t cert[2][PV_CERT_LEN];
	struct pv_issued l = { .number = 77 };
	struct pv_error e = { 0 };

	(void)state;
	fake_chip(f, 1, "49200001", cert[0]);
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert[0], &l, &e), PV_E_VERIFY);
	assert_int_equal(l.number, 0);
	fake_chip(f, 1, "48400001", cert[0]);
	f->signer.sign = sign_once;
	l.number = 77;
	assert_true(pv_license_issue(&f->c, &f->io, cert[0], &l, &e) < 0);
	assert_non_null(strstr(e.msg, "making license no. 1"));
	assert_non_null(strstr(e.hint, "no. 1 may be burnt"));
	assert_int_equal(l.number, 1);
	f->signer.sign = fake_sign;
	fake_chip(f, 2, "48400001", cert[1]);
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert[1], &l, &e), PV_E_LIMIT);
	assert_int_equal(l.number, 0);
	fake_free(f);
}

static void
test_outcomes(void **state)
{
	struct fake *f = opened(3);
	uint8_t cert[2][PV_CERT_LEN];
	struct pv_outcome o = { .number = 1, .pass = true };
	struct pv_part part = { cert[0], PV_CERT_LEN };
	struct pv_verify_report rep;
	struct pv_issued l;
	struct pv_error e = { 0 };

	(void)state;
	fake_chip(f, 1, "48400001", cert[0]);
	fake_chip(f, 2, "48400001", cert[1]);
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert[0], &l, &e), 0);
	assert_int_equal(pv_sha256(&part, 1, o.chip, &e), 0);
	assert_int_equal(pv_campaign_record(&f->c, &f->io, &o, &e), 0);
	/* not this chip's number, not this number's chip */
	o.number = 2;
	assert_int_equal(
	    pv_campaign_record(&f->c, &f->io, &o, &e), PV_E_VERIFY);
	o.number = 1;
	o.chip[0] ^= 1;
	assert_int_equal(
	    pv_campaign_record(&f->c, &f->io, &o, &e), PV_E_VERIFY);
	/* none was spent; and hostile text */
	o.number = 0;
	o.pass = false;
	o.code = PV_E_TIMEOUT;
	(void)snprintf(o.message, sizeof(o.message), "no\033[2Janswer");
	assert_int_equal(pv_campaign_record(&f->c, &f->io, &o, &e), 0);
	/* A result may still come when the campaign is closed. */
	assert_int_equal(pv_campaign_close(&f->c, &f->io, &e), 0);
	assert_int_equal(pv_campaign_record(&f->c, &f->io, &o, &e), 0);
	assert_int_equal(pv_campaign_close(&f->c, &f->io, &e), PV_E_CLOSED);
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert[1], &l, &e), PV_E_CLOSED);
	assert_int_equal(pv_ledger_verify(&f->c, &f->io, &rep, &e), 0);
	assert_int_equal(rep.passed, 1);
	assert_int_equal(rep.failed, 2);
	assert_int_equal(rep.issued, 1);
	fake_free(f);
}

/* A damaged license in the ledger is not handed out again. */
static void
test_damaged_license(void **state)
{
	struct fake *f = opened(3);
	uint8_t cert[PV_CERT_LEN];
	struct pv_issued l;
	struct pv_error e = { 0 };

	(void)state;
	fake_chip(f, 1, "48400001", cert);
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &l, &e), 0);
	f->records[2].entry[f->records[2].rec.entry_len - 100] ^= 1;
	assert_int_equal(
	    pv_license_issue(&f->c, &f->io, cert, &l, &e), PV_E_VERIFY);
	fake_free(f);
}

static void
test_license_check(void **state)
{
	struct fake *f = opened(3);
	uint8_t cert[PV_CERT_LEN], other[PV_CERT_LEN];
	struct pv_issued l;
	struct pv_error e = { 0 };

	(void)state;
	fake_chip(f, 1, "48400001", cert);
	fake_chip(f, 1, "49200001", other);
	assert_int_equal(pv_license_issue(&f->c, &f->io, cert, &l, &e), 0);
	assert_int_equal(
	    pv_license_check(l.data, l.len, f->c.public_key, other, &e),
	    PV_E_VERIFY);
	assert_int_equal(
	    pv_license_check(l.data, l.len, f->c.trust[0], cert, &e),
	    PV_E_VERIFY);
	/* every byte but the format's own refuses as a bad signature */
	for (size_t i = 0; i < l.len; i++) {
		l.data[i] ^= 0x10;
		assert_true(pv_license_check(
				l.data, l.len, f->c.public_key, cert, &e) < 0);
		l.data[i] ^= 0x10;
	}
	fake_free(f);
}

static int
count(void *ctx, const struct pv_campaign *c)
{
	unsigned int *n = ctx;

	assert_non_null(c->name);
	++*n;
	return 0;
}

static void
test_list(void **state)
{
	struct fake *f = opened(3);
	unsigned int n = 0;

	(void)state;
	assert_int_equal(pv_campaign_list(&f->store, count, &n, NULL), 0);
	assert_int_equal(n, 1);
	(void)snprintf(f->c.name, sizeof(f->c.name), "autumn");
	f->c.id[0] ^= 1;
	f->note_present = 0; /* each campaign has its own note */
	assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	n = 0;
	assert_int_equal(pv_campaign_list(&f->store, count, &n, NULL), 0);
	assert_int_equal(n, 2);
	fake_free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_and_load),
		cmocka_unit_test(test_create_refused),
		cmocka_unit_test(test_issue),
		cmocka_unit_test(test_chip_opens_license),
		cmocka_unit_test(test_bad_certificates),
		cmocka_unit_test(test_two_cas),
		cmocka_unit_test(test_no_ca),
		cmocka_unit_test(test_token_fails),
		cmocka_unit_test(test_failure_names_number),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_damaged_license),
		cmocka_unit_test(test_license_check),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
