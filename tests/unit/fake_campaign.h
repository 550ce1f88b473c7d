/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A campaign without a token or a file: a store and an anchor in memory, a
 * signer and a wrapper over real keys in software, chips with certificates of
 * a real CA. Every call of these four counts; from call number `fail_at` on
 * they all fail, as after a crash, until the fault is taken away.
 */
#ifndef PV_FAKE_CAMPAIGN_H
#define PV_FAKE_CAMPAIGN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "formats/certificate.h"
#include "formats/ledger.h"
#include <provisor/campaign.h>

#define FAKE_RECORDS 256U

struct fake_record {
	struct pv_record rec;
	uint8_t entry[PV_ENTRY_MAX];
};

struct fake_fault {
	unsigned int calls;
	unsigned int fail_at; /* 0: never */
	int after;	      /* the call that fails has its effect first */
	int once;	      /* only that call fails, later ones work */
	unsigned int writes;  /* appends and notes that had their effect */
};

struct fake {
	struct fake_fault fault;
	/* store */
	struct fake_record records[FAKE_RECORDS];
	size_t n_records;
	int locked;
	/* anchor */
	uint8_t note[PV_ANCHOR_MAX];
	size_t note_len;
	int note_present;
	/* token */
	struct pv_ec_key *signing;
	struct pv_ec_key *ephemeral;
	uint8_t oem_key[32];
	size_t oem_key_len;
	/* chip maker */
	struct pv_ec_key *ca;

	struct pv_store store;
	struct pv_anchor anchor;
	struct pv_signer signer;
	struct pv_wrapper wrapper;
	struct pv_campaign_io io;
	struct pv_campaign c;
};

/* 0: go on. 1: take effect, then fail. -1: fail. */
static inline int
fake_call(struct fake *f, struct pv_error *e)
{
	struct fake_fault *p = &f->fault;

	p->calls++;
	if (p->fail_at == 0 || p->calls < p->fail_at ||
	    (p->once && p->calls > p->fail_at))
		return 0;
	(void)pv_fail(e, PV_E_IO, "injected fault at call %u", p->calls);
	return p->calls == p->fail_at && p->after ? 1 : -1;
}

/* --- store ------------------------------------------------------------------ */

static inline int
fake_lock(void *ctx, const uint8_t id[16], int timeout_ms, struct pv_error *e)
{
	struct fake *f = ctx;

	(void)id;
	(void)timeout_ms;
	assert_int_equal(f->locked, 0);
	if (fake_call(f, e) != 0)
		return PV_E_IO;
	f->locked = 1;
	return 0;
}

static inline void
fake_unlock(void *ctx)
{
	struct fake *f = ctx;

	assert_int_equal(f->locked, 1);
	f->locked = 0;
}

static inline int
fake_append(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct fake *f = ctx;
	struct fake_record *r = &f->records[f->n_records];
	int fault = fake_call(f, e);

	if (fault < 0)
		return PV_E_IO;
	/* The one rule of locking: nobody writes without it. */
	assert_int_equal(f->locked, 1);
	assert_true(f->n_records < FAKE_RECORDS);
	for (size_t i = 0; i < f->n_records; i++) {
		if (f->records[i].rec.seq == rec->seq &&
		    memcmp(f->records[i].rec.campaign_id, rec->campaign_id,
			16) == 0)
			return pv_fail(e, PV_E_EXISTS, "seq taken");
	}
	r->rec = *rec;
	memcpy(r->entry, rec->entry, rec->entry_len);
	r->rec.entry = r->entry;
	f->n_records++;
	f->fault.writes++;
	return fault > 0 ? PV_E_IO : 0;
}

static inline int
fake_scan(void *ctx, const uint8_t *id, uint64_t from, pv_record_fn each,
    void *each_ctx, struct pv_error *e)
{
	struct fake *f = ctx;

	if (fake_call(f, e) != 0)
		return PV_E_IO;
	for (size_t i = 0; i < f->n_records; i++) {
		const struct pv_record *rec = &f->records[i].rec;
		int r;

		if (id == NULL ? rec->seq != 1
			       : (memcmp(rec->campaign_id, id, 16) != 0 ||
				     rec->seq < from))
			continue;
		r = each(each_ctx, rec, e);
		if (r != 0)
			return r;
	}
	return 0;
}

static inline int
fake_last(void *ctx, const uint8_t id[16], const uint8_t *chip, uint16_t kind,
    pv_record_fn each, void *each_ctx, struct pv_error *e)
{
	struct fake *f = ctx;

	if (fake_call(f, e) != 0)
		return PV_E_IO;
	for (size_t i = f->n_records; i > 0; i--) {
		const struct pv_record *rec = &f->records[i - 1].rec;

		if (memcmp(rec->campaign_id, id, 16) != 0)
			continue;
		if (chip != NULL &&
		    (rec->kind != kind || memcmp(rec->chip, chip, 32) != 0))
			continue;
		return each(each_ctx, rec, e);
	}
	return pv_fail(e, PV_E_NOT_FOUND, "no such entry");
}

/* --- anchor ----------------------------------------------------------------- */

static inline int
fake_note_read(void *ctx, uint8_t *data, size_t *len, struct pv_error *e)
{
	struct fake *f = ctx;

	if (fake_call(f, e) != 0)
		return PV_E_IO;
	if (!f->note_present)
		return pv_fail(e, PV_E_NOT_FOUND, "no note");
	assert_true(*len >= f->note_len);
	memcpy(data, f->note, f->note_len);
	*len = f->note_len;
	return 0;
}

static inline int
fake_note_write(void *ctx, const uint8_t *data, size_t len, struct pv_error *e)
{
	struct fake *f = ctx;
	int fault = fake_call(f, e);

	if (fault < 0)
		return PV_E_IO;
	assert_int_equal(f->locked, 1);
	assert_true(len <= sizeof(f->note));
	memcpy(f->note, data, len);
	f->note_len = len;
	f->note_present = 1;
	f->fault.writes++;
	return fault > 0 ? PV_E_IO : 0;
}

/* --- token ------------------------------------------------------------------ */

static inline int
fake_sign(void *ctx, const uint8_t digest[32], uint8_t ret_sig[64],
    struct pv_error *e)
{
	struct fake *f = ctx;

	if (fake_call(f, e) != 0)
		return PV_E_IO;
	return pv_ecdsa_sign(f->signing, digest, ret_sig, e);
}

static inline int
fake_public_key(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct fake *f = ctx;

	if (fake_call(f, e) != 0)
		return PV_E_IO;
	return pv_ec_public(f->signing, ret_pub, e);
}

static inline int
fake_ephemeral(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct fake *f = ctx;

	if (fake_call(f, e) != 0)
		return PV_E_IO;
	pv_ec_free(f->ephemeral);
	f->ephemeral = NULL;
	if (pv_ec_generate(&f->ephemeral, e) != 0)
		return PV_E_INTERNAL;
	return pv_ec_public(f->ephemeral, ret_pub, e);
}

static inline int
fake_wrap(void *ctx, const uint8_t chip_pub[64], const uint8_t context[32],
    uint8_t *wrapped, size_t *len, struct pv_error *e)
{
	struct fake *f = ctx;
	uint8_t z[32], kek[32];
	int r;

	if (fake_call(f, e) != 0)
		return PV_E_IO;
	assert_non_null(f->ephemeral);
	assert_true(*len >= f->oem_key_len + 8);
	r = pv_ecdh(f->ephemeral, chip_pub, z, e);
	if (r == 0)
		r = pv_aes_ecb(z, 32, context, 32, kek, e);
	if (r == 0)
		r = pv_aes_wrap(
		    kek, 32, f->oem_key, f->oem_key_len, wrapped, e);
	pv_ec_free(f->ephemeral);
	f->ephemeral = NULL;
	if (r == 0)
		*len = f->oem_key_len + 8;
	return r;
}

/* --- set-up ----------------------------------------------------------------- */

static inline struct pv_ec_key *
fake_key(uint8_t fill)
{
	struct pv_ec_key *k = NULL;
	uint8_t d[32];

	memset(d, fill, sizeof(d));
	assert_int_equal(pv_ec_from_scalar(d, &k, NULL), 0);
	return k;
}

/* The certificate of chip number `fill` (1..), product id as given. */
static inline void
fake_chip(const struct fake *f, uint8_t fill, const char *product_id,
    uint8_t ret_cert[PV_CERT_LEN])
{
	struct pv_certificate cert = { 0 };
	struct pv_ec_key *k = fake_key(fill);
	uint8_t digest[32];

	memcpy(cert.product_id, product_id, 8);
	assert_int_equal(pv_ec_public(k, cert.public_key, NULL), 0);
	pv_certificate_encode(&cert, ret_cert);
	const struct pv_part part = { ret_cert, PV_CERT_SIGNED };
	assert_int_equal(pv_sha256(&part, 1, digest, NULL), 0);
	assert_int_equal(
	    pv_ecdsa_sign(f->ca, digest, ret_cert + PV_CERT_SIGNED, NULL), 0);
	pv_ec_free(k);
}

static inline struct fake *
fake_new(uint64_t max_licenses)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->signing = fake_key(0x51);
	f->ca = fake_key(0x52);
	memset(f->oem_key, 0x53, sizeof(f->oem_key));
	f->oem_key_len = 16;
	f->store = (struct pv_store){ f, fake_lock, fake_unlock, fake_append,
		fake_scan, fake_last, NULL };
	f->anchor =
	    (struct pv_anchor){ f, fake_note_read, fake_note_write, NULL };
	f->signer = (struct pv_signer){ f, fake_sign, fake_public_key, NULL };
	f->wrapper = (struct pv_wrapper){ f, fake_ephemeral, fake_wrap, NULL };
	f->io = (struct pv_campaign_io){ &f->store, &f->signer, &f->wrapper,
		&f->anchor, "line 3", "op 7", NULL, NULL, NULL };
	assert_int_equal(pv_memo_new(&f->io.memo, NULL), 0);
	f->c.flow = PV_FLOW_SFI;
	memset(f->c.id, 0xa5, sizeof(f->c.id));
	(void)snprintf(f->c.name, sizeof(f->c.name), "spring");
	(void)snprintf(f->c.product_id, sizeof(f->c.product_id), "48400001");
	(void)snprintf(f->c.firmware_id, sizeof(f->c.firmware_id), "app-7");
	(void)snprintf(
	    f->c.license_profile, sizeof(f->c.license_profile), "resident");
	(void)snprintf(
	    f->c.token_uri, sizeof(f->c.token_uri), "pkcs11:token=oem");
	(void)snprintf(f->c.oem_key_uri, sizeof(f->c.oem_key_uri),
	    "pkcs11:token=oem;object=fw");
	(void)snprintf(f->c.signer_uri, sizeof(f->c.signer_uri),
	    "pkcs11:token=oem;object=campaign-spring");
	memcpy(f->c.nonce, "NONCE_TEST01", 12);
	f->c.max_licenses = max_licenses;
	f->c.n_trust = 1;
	assert_int_equal(pv_ec_public(f->ca, f->c.trust[0], NULL), 0);
	assert_int_equal(pv_ec_public(f->signing, f->c.public_key, NULL), 0);
	return f;
}

static inline void
fake_free(struct fake *f)
{
	assert_int_equal(f->locked, 0);
	pv_memo_free(f->io.memo);
	pv_ec_free(f->signing);
	pv_ec_free(f->ephemeral);
	pv_ec_free(f->ca);
	free(f);
}

#endif
