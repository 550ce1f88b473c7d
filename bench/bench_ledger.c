/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a ledger costs as it grows: licenses are issued into a fresh SQLite
 * ledger until it has as many entries as asked for, by keys of this process in
 * place of a token, whose cost does not grow.
 *
 *   bench_ledger LEDGER ENTRIES
 *
 * Prints the CPU time of one license in microseconds, over the thousand entries
 * after the first thousand and over the last thousand. The ledger stays: put
 * it on a memory file system, verify it, delete it.
 */
#include "bench/bench_chip.h"

#include "base/hex.h"
#include "crypto/kdf.h"
#include "crypto/rand.h"
#include <provisor/campaign.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The token. */
struct soft {
	struct pv_ec_key *signing, *ephemeral;
	uint8_t oem[16];
	uint8_t note[PV_ANCHOR_MAX];
	size_t note_len;
};

static int
soft_sign(void *ctx, const uint8_t digest[32], uint8_t ret_sig[64],
    struct pv_error *e)
{
	struct soft *s = ctx;

	return pv_ecdsa_sign(s->signing, digest, ret_sig, e);
}

static int
soft_public(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct soft *s = ctx;

	return pv_ec_public(s->signing, ret_pub, e);
}

static int
soft_ephemeral(void *ctx, uint8_t ret_pub[64], struct pv_error *e)
{
	struct soft *s = ctx;
	int r;

	pv_ec_free(s->ephemeral);
	s->ephemeral = NULL;
	r = pv_ec_generate(&s->ephemeral, e);
	return r != 0 ? r : pv_ec_public(s->ephemeral, ret_pub, e);
}

static int
soft_wrap(void *ctx, const uint8_t chip_pub[64], const uint8_t context[32],
    uint8_t *wrapped, size_t *len, struct pv_error *e)
{
	struct soft *s = ctx;
	uint8_t z[32], kek[32];
	int r;

	r = pv_ecdh(s->ephemeral, chip_pub, z, e);
	if (r == 0)
		r = pv_aes_ecb(z, 32, context, 32, kek, e);
	if (r == 0)
		r = pv_aes_wrap(kek, 32, s->oem, sizeof(s->oem), wrapped, e);
	*len = sizeof(s->oem) + 8;
	return r;
}

static int
soft_read(void *ctx, uint8_t *data, size_t *len, struct pv_error *e)
{
	struct soft *s = ctx;

	if (s->note_len == 0)
		return pv_fail(e, PV_E_NOT_FOUND, "no note");
	memcpy(data, s->note, s->note_len);
	*len = s->note_len;
	return 0;
}

static int
soft_write(void *ctx, const uint8_t *data, size_t len, struct pv_error *e)
{
	struct soft *s = ctx;

	(void)e;
	memcpy(s->note, data, len);
	s->note_len = len;
	return 0;
}

struct bench {
	struct soft soft;
	struct pv_campaign c;
	struct pv_store store;
	struct pv_signer signer;
	struct pv_wrapper wrapper;
	struct pv_anchor anchor;
	struct pv_campaign_io io;
	struct pv_ec_key *ca;
};

static int
begin(struct bench *b, const char *path, uint64_t licenses, struct pv_error *e)
{
	struct pv_campaign *c = &b->c;
	int r;

	b->signer =
	    (struct pv_signer){ &b->soft, soft_sign, soft_public, NULL };
	b->wrapper =
	    (struct pv_wrapper){ &b->soft, soft_ephemeral, soft_wrap, NULL };
	b->anchor = (struct pv_anchor){ &b->soft, soft_read, soft_write, NULL };
	b->io.store = &b->store;
	b->io.signer = &b->signer;
	b->io.wrapper = &b->wrapper;
	b->io.anchor = &b->anchor;
	r = pv_ec_generate(&b->soft.signing, e);
	if (r == 0)
		r = pv_ec_generate(&b->ca, e);
	if (r == 0)
		r = pv_random(b->soft.oem, sizeof(b->soft.oem), e);
	if (r == 0)
		r = pv_memo_new(&b->io.memo, e);
	if (r == 0)
		r = pv_store_open(path, PV_STORE_INIT, &b->store, e);
	if (r == 0)
		r = pv_random(c->id, sizeof(c->id), e);
	if (r == 0)
		r = pv_ec_public(b->ca, c->trust[0], e);
	if (r == 0)
		r = pv_ec_public(b->soft.signing, c->public_key, e);
	if (r != 0)
		return r;
	c->flow = PV_FLOW_SFI;
	c->max_licenses = licenses;
	c->n_trust = 1;
#define SET(field, text) (void)snprintf(c->field, sizeof(c->field), "%s", text)
	SET(name, "bench");
	SET(product_id, BENCH_PRODUCT);
	SET(firmware_id, "bench");
	SET(license_profile, "resident");
	SET(token_uri, "pkcs11:token=none");
	SET(oem_key_uri, "pkcs11:token=none;object=fw");
	SET(signer_uri, "pkcs11:token=none;object=sign");
#undef SET
	return pv_campaign_create(c, &b->io, e);
}

static double
cpu_us(void)
{
	struct timespec t;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
		return 0;
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Issue `n` licenses; *ret_us is what one cost. Chips are made beforehand. */
static int
issue(struct bench *b, size_t n, double *ret_us, struct pv_error *e)
{
	uint8_t(*certs)[PV_CERT_LEN] = calloc(n + 1, sizeof(*certs));
	struct pv_issued l;
	double began;
	int r = 0;

	if (certs == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = bench_chip(b->ca, certs[i], e);
	began = cpu_us();
	for (size_t i = 0; r == 0 && i < n; i++)
		r = pv_license_issue(&b->c, &b->io, certs[i], &l, e);
	*ret_us = (cpu_us() - began) / (double)n;
	free(certs);
	return r;
}

int
main(int argc, char **argv)
{
	struct pv_error e = { 0 };
	struct bench b = { 0 };
	double early = 0, late = 0, unused;
	uint64_t entries = 0, licenses;
	int r;

	if (argc != 3 ||
	    pv_parse_u64(argv[2], 10000000, "ENTRIES", &entries, &e) != 0 ||
	    entries < 4000) {
		(void)fprintf(stderr,
		    "usage: bench_ledger LEDGER ENTRIES (4000 or more)\n");
		return 2;
	}
	licenses = entries / 2;
	r = begin(&b, argv[1], licenses, &e);
	if (r == 0)
		r = issue(&b, 500, &unused, &e);
	if (r == 0)
		r = issue(&b, 500, &early, &e);
	if (r == 0)
		r = issue(&b, (size_t)licenses - 1500, &unused, &e);
	if (r == 0)
		r = issue(&b, 500, &late, &e);
	if (r != 0)
		(void)fprintf(stderr, "bench_ledger: %s\n", e.msg);
	else
		printf("%.0f us a license at 1000 entries, %.0f at %" PRIu64
		       "\n",
		    early, late, entries);
	pv_store_release(&b.store);
	pv_memo_free(b.io.memo);
	pv_ec_free(b.ca);
	pv_ec_free(b.soft.signing);
	pv_ec_free(b.soft.ephemeral);
	return r == 0 ? 0 : 1;
}
