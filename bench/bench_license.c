/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Licenses a second: a fresh campaign on the caller's token and ledger, one
 * certified chip after the other, everything durable as in production.
 *
 *   bench_license PIN-FILE TOKEN-URI LEDGER N [PROCESSES [CAMPAIGNS]]
 *
 * The ledger is a SQLite file or a PostgreSQL URL. With PROCESSES each of them
 * has its own token session and connection, and they share the N licenses, of
 * one campaign or of several; the time runs from when all are ready. The token is made by the
 * caller (SOFTHSM2_CONF); the keys and notes this makes stay in it, so use a
 * token made for this.
 *
 * Prints one line: licenses/s and, for one process, the raw rate of the same
 * token work without ledger, their ratio, and the rates of the first and the
 * last tenth.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench_chip.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "crypto/rand.h"
#include <provisor/campaign.h>
#include <provisor/hsm.h>

#define MAX_CAMPAIGNS 64U

struct bench {
	const char *pin_file;
	struct pv_campaign c; /* the one in use */
	struct pv_campaign all[MAX_CAMPAIGNS];
	struct pv_campaign_io io;
	struct pv_store store;
	struct pv_hsm *hsm;
	struct pv_signer signer;
	struct pv_wrapper wrapper;
	struct pv_anchor anchor, spare;
	struct pv_ec_key *ca;
	char lock[4096]; /* one login at a time */
	uint8_t (*certs)[PV_CERT_LEN];
	size_t n;
};

static int
pin(void *ctx, const char *token, struct pv_secret **ret_pin,
    struct pv_error *e)
{
	const struct bench *b = ctx;

	(void)token;
	return pv_secret_read_line(b->pin_file, ret_pin, e);
}

static int
make_chips(struct bench *b, struct pv_error *e)
{
	b->certs = calloc(b->n, sizeof(*b->certs));
	if (b->certs == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < b->n; i++) {
		int r = bench_chip(b->ca, b->certs[i], e);

		if (r != 0)
			return r;
	}
	return 0;
}

static int
open_anchor(struct bench *b, const char *what, struct pv_anchor *ret_anchor,
    struct pv_error *e)
{
	char hex[33], label[80];

	pv_hex_encode(hex, b->c.id, 16);
	(void)snprintf(label, sizeof(label), "provisor-%s-%s", what, hex);
	return pv_hsm_anchor(b->hsm, label, ret_anchor, e);
}

static int
open_token(struct bench *b, const char *uri, struct pv_error *e)
{
	int fd = -1, r;

	/* SoftHSM rewrites its token at every login. */
	r = pv_file_lock(b->lock, 60000, &fd, e);
	if (r == 0)
		r = pv_hsm_open(uri, NULL, pin, b, &b->hsm, e);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

/* The open token's keys and notes of the campaign, and the store. */
static int
wire(struct bench *b, const char *ledger, struct pv_error *e)
{
	const struct pv_campaign *c = &b->c;
	int r;

	r = pv_hsm_signer(b->hsm, c->signer_uri, &b->signer, e);
	if (r == 0)
		r = pv_hsm_wrapper(b->hsm, c->oem_key_uri, &b->wrapper, e);
	if (r == 0)
		r = open_anchor(b, "anchor", &b->anchor, e);
	if (r == 0)
		r = open_anchor(b, "spare", &b->spare, e);
	if (r == 0)
		r = pv_store_open(ledger, PV_STORE_INIT, &b->store, e);
	b->io.store = &b->store;
	b->io.signer = &b->signer;
	b->io.wrapper = &b->wrapper;
	b->io.anchor = &b->anchor;
	return r == 0 ? pv_memo_new(&b->io.memo, e) : r;
}

static void
unwire(struct bench *b)
{
	pv_anchor_release(&b->anchor);
	pv_anchor_release(&b->spare);
	pv_wrapper_release(&b->wrapper);
	pv_signer_release(&b->signer);
	pv_hsm_close(b->hsm);
	b->hsm = NULL;
	pv_store_release(&b->store);
	pv_memo_free(b->io.memo);
	b->io.memo = NULL;
}

static int
make_keys(struct bench *b, struct pv_error *e)
{
	char label[64], hex[33], *uri = NULL, *key = NULL;
	struct pv_campaign *c = &b->c;
	int r;

	pv_hex_encode(hex, c->id, 16);
	(void)snprintf(label, sizeof(label), "bench-%s", hex);
	r = pv_hsm_generate(b->hsm, PV_KEY_EC_P256, label, &uri, e);
	(void)snprintf(label, sizeof(label), "bench-fw-%s", hex);
	if (r == 0)
		r = pv_hsm_generate(b->hsm, PV_KEY_AES128, label, &key, e);
	if (r == 0) {
		(void)snprintf(
		    c->oem_key_uri, sizeof(c->oem_key_uri), "%s", key);
		(void)snprintf(c->signer_uri, sizeof(c->signer_uri), "%s", uri);
		(void)snprintf(c->name, sizeof(c->name), "%s", label);
	}
	free(uri);
	free(key);
	return r;
}

static int
open_campaign(struct bench *b, char **argv, struct pv_error *e)
{
	struct pv_campaign *c = &b->c;
	int r;

	(void)snprintf(b->lock, sizeof(b->lock), "%s.lock", argv[1]);
	memset(c, 0, sizeof(*c));
	r = pv_random(c->id, sizeof(c->id), e);
	if (r == 0)
		r = open_token(b, argv[2], e);
	if (r == 0)
		r = make_keys(b, e);
	if (r != 0)
		return r;
	c->flow = PV_FLOW_SFI;
	c->max_licenses = b->n;
	c->n_trust = 1;
	(void)snprintf(c->product_id, sizeof(c->product_id), BENCH_PRODUCT);
	(void)snprintf(c->firmware_id, sizeof(c->firmware_id), "bench");
	(void)snprintf(
	    c->license_profile, sizeof(c->license_profile), "resident");
	(void)snprintf(c->token_uri, sizeof(c->token_uri), "%s", argv[2]);
	r = wire(b, argv[3], e);
	if (r == 0)
		r = b->signer.public_key(b->signer.ctx, c->public_key, e);
	if (r == 0 && b->ca == NULL)
		r = pv_ec_generate(&b->ca, e);
	if (r == 0)
		r = pv_ec_public(b->ca, c->trust[0], e);
	return r == 0 ? pv_campaign_create(c, &b->io, e) : r;
}

/*
 * The token work of one license alone: key pair, two derivations and the
 * wrap, one signature, one note replaced.
 */
static int
raw(const struct bench *b, size_t n, struct pv_error *e)
{
	uint8_t pub[64], context[32] = { 0 }, wrapped[40], sig[64];
	uint8_t note[72] = { 0 };

	for (size_t i = 0; i < n; i++) {
		size_t len = sizeof(wrapped);
		int r;

		r = b->wrapper.ephemeral(b->wrapper.ctx, pub, e);
		if (r == 0)
			r = b->wrapper.wrap(b->wrapper.ctx,
			    b->certs[i % b->n] + 8, context, wrapped, &len, e);
		if (r == 0)
			r = b->signer.sign(b->signer.ctx, context, sig, e);
		note[5] = (uint8_t)(i >> 16);
		note[6] = (uint8_t)(i >> 8);
		note[7] = (uint8_t)i;
		if (r == 0)
			r = b->spare.write(b->spare.ctx, note, sizeof(note), e);
		if (r != 0)
			return r;
	}
	return 0;
}

static double
rate(size_t n, int64_t us)
{
	return us <= 0 ? 0 : (double)n * 1e6 / (double)us;
}

/* --- many processes ---------------------------------------------------------- */

/* One of `of` processes: its share, when it is told to go. */
static int
share(struct bench *b, char **argv, size_t which, size_t of, int ready, int go,
    struct pv_error *e)
{
	struct pv_issued l;
	char c = 'r';
	int r;

	r = open_token(b, argv[2], e);
	if (r == 0)
		r = wire(b, argv[3], e);
	if (r == 0 && (write(ready, &c, 1) != 1 || read(go, &c, 1) != 1))
		r = pv_fail(e, PV_E_IO, "the other processes went away");
	for (size_t i = which; r == 0 && i < b->n; i += of)
		r = pv_license_issue(&b->c, &b->io, b->certs[i], &l, e);
	unwire(b);
	return r;
}

static int
start_all(struct bench *b, char **argv, size_t processes, size_t campaigns,
    int ready[2], int go[2], struct pv_error *e)
{
	for (size_t i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return pv_fail(e, PV_E_IO, "fork");
		if (pid == 0) {
			int r;

			b->c = b->all[i % campaigns];
			r = share(b, argv, i, processes, ready[1], go[0], e);

			if (r != 0)
				(void)fprintf(
				    stderr, "bench_license: %s\n", e->msg);
			_exit(r == 0 ? 0 : 1);
		}
	}
	return 0;
}

static int
run_many(struct bench *b, char **argv, size_t processes, size_t campaigns,
    struct pv_error *e)
{
	int ready[2], go[2], status, bad = 0, r = 0;
	int64_t began;
	char c = 0;

	for (size_t i = 0; r == 0 && i < campaigns; i++) {
		r = open_campaign(b, argv, e);
		unwire(b);
		b->all[i] = b->c;
	}
	if (r == 0)
		r = make_chips(b, e);
	if (r != 0)
		return r;
	if (pipe(ready) != 0 || pipe(go) != 0)
		return pv_fail(e, PV_E_IO, "pipe");
	r = start_all(b, argv, processes, campaigns, ready, go, e);
	(void)close(ready[1]);
	for (size_t i = 0; r == 0 && i < processes; i++)
		if (read(ready[0], &c, 1) != 1)
			r = pv_fail(e, PV_E_IO, "a process did not begin");
	began = pv_now_us();
	for (size_t i = 0; r == 0 && i < processes; i++)
		if (write(go[1], &c, 1) != 1)
			r = pv_fail(e, PV_E_IO, "a process went away");
	(void)close(go[1]);
	(void)close(go[0]);
	for (size_t i = 0; i < processes && wait(&status) > 0; i++)
		bad += status != 0;
	if (r == 0 && bad != 0)
		r = pv_fail(e, PV_E_INTERNAL, "%d processes failed", bad);
	if (r == 0)
		printf("license: %.1f licenses/s by %zu processes on %zu "
		       "campaigns (%zu licenses)\n",
		    rate(b->n, pv_now_us() - began), processes, campaigns,
		    b->n);
	return r;
}

/* --- one process -------------------------------------------------------------- */

static int
run_one(struct bench *b, char **argv, struct pv_error *e)
{
	struct pv_issued l;
	int64_t began, first = 0, last = 0;
	size_t tenth = b->n / 10 + 1;
	double issued, alone;
	int r;

	r = open_campaign(b, argv, e);
	if (r == 0)
		r = make_chips(b, e);
	if (r != 0)
		return r;
	began = pv_now_us();
	for (size_t i = 0; r == 0 && i < b->n; i++) {
		if (i == tenth)
			first = pv_now_us() - began;
		if (i == b->n - tenth)
			last = pv_now_us();
		r = pv_license_issue(&b->c, &b->io, b->certs[i], &l, e);
	}
	last = pv_now_us() - last;
	issued = rate(b->n, pv_now_us() - began);
	if (r != 0)
		return r;
	began = pv_now_us();
	r = raw(b, b->n, e);
	alone = rate(b->n, pv_now_us() - began);
	if (r != 0)
		return r;
	printf("license: %.1f licenses/s, token work alone %.1f/s, ratio "
	       "%.2f (%zu licenses; first tenth %.1f/s, last %.1f/s)\n",
	    issued, alone, alone > 0 ? issued / alone : 0, b->n,
	    rate(tenth, first), rate(tenth, last));
	return 0;
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct pv_error e = { 0 };
	uint64_t n = 0, processes = 1, campaigns = 1;
	int r;

	if (argc < 5 || argc > 7 ||
	    pv_parse_u64(argv[4], 1000000, "N", &n, &e) != 0 || n == 0 ||
	    (argc > 5 &&
		pv_parse_u64(argv[5], 64, "PROCESSES", &processes, &e) != 0) ||
	    (argc > 6 && pv_parse_u64(argv[6], MAX_CAMPAIGNS, "CAMPAIGNS",
			     &campaigns, &e) != 0) ||
	    processes == 0 || campaigns == 0) {
		(void)fprintf(stderr,
		    "usage: bench_license PIN-FILE TOKEN-URI LEDGER N "
		    "[PROCESSES [CAMPAIGNS]]\n");
		return 2;
	}
	b.pin_file = argv[1];
	b.n = (size_t)n;
	r = processes > 1
		? run_many(&b, argv, (size_t)processes, (size_t)campaigns, &e)
		: run_one(&b, argv, &e);
	if (r != 0)
		(void)fprintf(stderr, "bench_license: %s\n", e.msg);
	unwire(&b);
	pv_ec_free(b.ca);
	free(b.certs);
	return r == 0 ? 0 : 1;
}
