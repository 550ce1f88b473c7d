/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many processes on one campaign, each with its own token session and its own
 * connection to the store: exactly as many licenses as the limit, each number
 * once, a refusal for everybody else, and a valid chain. Over SQLite and, where
 * there is a server, over PostgreSQL, once with a server that falls over.
 *
 * PV_LOAD="PROCESSES EACH LIMIT" sets the size: "16 200 2000" is the whole
 * proof ('make heavy'), the default a small one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../postgres.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/certificate.h"
#include <provisor/campaign.h>
#include <provisor/hsm.h>

#include <sys/wait.h>
#include <unistd.h>

#define TOKEN "pkcs11:token=oem"
#define FALLS 2U /* of the server, in that test */

/* What a worker says of each chip: a number, or one of these. */
#define REFUSED UINT64_MAX
#define ERRORED (UINT64_MAX - 1)

struct load {
	struct softhsm soft;
	struct pg_cluster cluster;
	bool have_cluster;
	const char *where;
	char lock[600]; /* one login at a time */
	unsigned int processes, each, limit;
	struct pv_ec_key *ca;
	struct pv_campaign c;
};

/* One process's way to the campaign. */
struct worker {
	struct pv_store store;
	struct pv_hsm *hsm;
	struct pv_signer signer;
	struct pv_wrapper wrapper;
	struct pv_anchor anchor;
	struct pv_campaign_io io;
};

static int
open_token(const struct load *l, struct worker *w, struct pv_error *e)
{
	int fd = -1, r;

	/* SoftHSM rewrites its token at every login. */
	r = pv_file_lock(l->lock, 60000, &fd, e);
	if (r == 0)
		r = pv_hsm_open(TOKEN, NULL, softhsm_pin, NULL, &w->hsm, e);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

static int
wire(const struct load *l, struct worker *w, struct pv_error *e)
{
	const struct pv_campaign *c = &l->c;
	char hex[33], label[64];
	int r;

	pv_hex_encode(hex, c->id, 16);
	(void)snprintf(label, sizeof(label), "provisor-anchor-%s", hex);
	r = pv_hsm_signer(w->hsm, c->signer_uri, &w->signer, e);
	if (r == 0)
		r = pv_hsm_wrapper(w->hsm, c->oem_key_uri, &w->wrapper, e);
	if (r == 0)
		r = pv_hsm_anchor(w->hsm, label, &w->anchor, e);
	w->io.store = &w->store;
	w->io.signer = &w->signer;
	w->io.wrapper = &w->wrapper;
	w->io.anchor = &w->anchor;
	return r;
}

static void
worker_close(struct worker *w)
{
	pv_anchor_release(&w->anchor);
	pv_wrapper_release(&w->wrapper);
	pv_signer_release(&w->signer);
	pv_hsm_close(w->hsm);
	pv_store_release(&w->store);
	memset(w, 0, sizeof(*w));
}

static void
set(char *dst, size_t cap, const char *text)
{
	(void)snprintf(dst, cap, "%s", text);
}

/* A campaign with keys of its own. */
static void
create(struct load *l, struct worker *w, uint8_t id)
{
	struct pv_campaign *c = &l->c;
	char label[32], *uri = NULL, *key = NULL;
	struct pv_error e = { 0 };
	int r;

	memset(c, 0, sizeof(*c));
	memset(c->id, id, sizeof(c->id));
	c->flow = PV_FLOW_SFI;
	c->max_licenses = l->limit;
	c->n_trust = 1;
	set(c->name, sizeof(c->name), "spring");
	set(c->product_id, sizeof(c->product_id), "48400001");
	set(c->firmware_id, sizeof(c->firmware_id), "load");
	set(c->license_profile, sizeof(c->license_profile), "resident");
	set(c->token_uri, sizeof(c->token_uri), TOKEN);
	r = open_token(l, w, &e);
	(void)snprintf(label, sizeof(label), "sign%u", id);
	if (r == 0)
		r = pv_hsm_generate(w->hsm, PV_KEY_EC_P256, label, &uri, &e);
	(void)snprintf(label, sizeof(label), "fw%u", id);
	if (r == 0)
		r = pv_hsm_generate(w->hsm, PV_KEY_AES128, label, &key, &e);
	if (r != 0)
		fail_msg("%s", e.msg);
	set(c->signer_uri, sizeof(c->signer_uri), uri);
	set(c->oem_key_uri, sizeof(c->oem_key_uri), key);
	free(uri);
	free(key);
	assert_int_equal(pv_ec_public(l->ca, c->trust[0], NULL), 0);
	r = pv_store_open(l->where, PV_STORE_INIT, &w->store, &e);
	if (r == 0)
		r = wire(l, w, &e);
	if (r == 0)
		r = w->signer.public_key(w->signer.ctx, c->public_key, &e);
	if (r == 0)
		r = pv_campaign_create(c, &w->io, &e);
	if (r != 0)
		fail_msg("%s", e.msg);
}

static int
new_chip(const struct load *l, uint8_t cert[PV_CERT_LEN], struct pv_error *e)
{
	struct pv_certificate c = { .product_id = "48400001" };
	const struct pv_part part = { cert, PV_CERT_SIGNED };
	struct pv_ec_key *k = NULL;
	uint8_t digest[32];
	int r;

	r = pv_ec_generate(&k, e);
	if (r == 0)
		r = pv_ec_public(k, c.public_key, e);
	pv_ec_free(k);
	if (r != 0)
		return r;
	pv_certificate_encode(&c, cert);
	r = pv_sha256(&part, 1, digest, e);
	return r != 0 ? r
		      : pv_ecdsa_sign(l->ca, digest, cert + PV_CERT_SIGNED, e);
}

static int
work(const struct load *l, int out)
{
	struct worker w = { 0 };
	struct pv_error e = { 0 };
	int r;

	r = pv_store_open(l->where, PV_STORE_READ, &w.store, &e);
	if (r == 0)
		r = open_token(l, &w, &e);
	if (r == 0)
		r = wire(l, &w, &e);
	for (unsigned int i = 0; r == 0 && i < l->each; i++) {
		uint8_t cert[PV_CERT_LEN];
		struct pv_issued issued;
		uint64_t said;

		r = new_chip(l, cert, &e);
		if (r != 0)
			break;
		r = pv_license_issue(&l->c, &w.io, cert, &issued, &e);
		/* Given up in the middle of a server's fall: ask again. */
		for (int t = 0; t < 5 && r != 0 && r != PV_E_LIMIT; t++)
			r = pv_license_issue(&l->c, &w.io, cert, &issued, &e);
		said = r == 0		 ? issued.number
		       : r == PV_E_LIMIT ? REFUSED
					 : ERRORED;
		if (said == ERRORED)
			(void)fprintf(stderr, "worker: %d %s\n", r, e.msg);
		r = said == ERRORED ? r : 0;
		if (write(out, &said, sizeof(said)) != sizeof(said))
			r = PV_E_IO;
	}
	if (r != 0)
		(void)fprintf(stderr, "worker: %d %s\n", r, e.msg);
	worker_close(&w);
	return r == 0 ? 0 : 1;
}

struct result {
	uint64_t issued, refused, errors, twice, highest;
};

static void
collect(const struct load *l, int in, struct result *res)
{
	const uint64_t total = (uint64_t)l->processes * l->each;
	uint8_t *seen = calloc(l->limit + 1U, 1);
	uint64_t n = 0, said;

	assert_non_null(seen);
	memset(res, 0, sizeof(*res));
	for (; n < total && read(in, &said, sizeof(said)) == sizeof(said);
	     n++) {
		if (said == REFUSED) {
			res->refused++;
		} else if (said == ERRORED || said == 0 || said > l->limit) {
			res->errors++;
		} else {
			res->issued++;
			res->twice += seen[said];
			seen[said] = 1;
		}
	}
	free(seen);
	assert_int_equal(n, total);
}

static void
check(const struct load *l, const struct result *res, bool falls, int64_t ms)
{
	struct pv_verify_report rep;
	struct worker w = { 0 };
	struct pv_error e = { 0 };
	int r;

	r = pv_store_open(l->where, PV_STORE_READ, &w.store, &e);
	if (r == 0)
		r = open_token(l, &w, &e);
	if (r == 0)
		r = wire(l, &w, &e);
	if (r == 0)
		r = pv_ledger_verify(&l->c, &w.io, &rep, &e);
	if (r != 0)
		fail_msg("%s", e.msg);
	worker_close(&w);
	print_message("# %s: %u processes, %u each: %u licenses, %u refused, "
		      "%u burnt, %.0f/s\n",
	    falls			 ? "PostgreSQL that falls over"
	    : l->where == l->cluster.url ? "PostgreSQL"
					 : "SQLite",
	    l->processes, l->each, (unsigned int)res->issued,
	    (unsigned int)res->refused, (unsigned int)(rep.spent - rep.issued),
	    ms > 0 ? 1000.0 * (double)res->issued / (double)ms : 0);
	assert_int_equal(res->errors, 0);
	assert_int_equal(res->twice, 0);
	assert_int_equal(rep.spent, l->limit);
	assert_int_equal(rep.issued, res->issued);
	assert_int_equal(
	    res->issued + res->refused, (uint64_t)l->processes * l->each);
	/* Each fall of a server may burn the one number that was under way:
	 * one process at a time has the lock of the campaign. */
	assert_in_range(res->issued, l->limit - (falls ? FALLS : 0), l->limit);
}

static void
run(struct load *l, const char *where, uint8_t id, bool falls)
{
	struct worker w = { 0 };
	struct result res;
	int64_t began;
	int fd[2], status, bad = 0;

	l->where = where;
	create(l, &w, id);
	worker_close(&w);
	assert_int_equal(pipe(fd), 0);
	began = pv_now_ms();
	for (unsigned int i = 0; i < l->processes; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			(void)close(fd[0]);
			_exit(work(l, fd[1]));
		}
	}
	(void)close(fd[1]);
	for (unsigned int i = 0; falls && i < FALLS; i++) {
		pv_sleep_ms(400);
		assert_true(pg_cluster_do(&l->cluster, "restart"));
	}
	collect(l, fd[0], &res);
	began = pv_now_ms() - began;
	(void)close(fd[0]);
	for (unsigned int i = 0; i < l->processes; i++) {
		assert_true(wait(&status) > 0);
		bad += status != 0;
	}
	assert_int_equal(bad, 0);
	check(l, &res, falls, began);
}

static void
test_sqlite(void **state)
{
	struct load *l = *state;
	char path[SOFTHSM_DIR + 32];

	(void)snprintf(path, sizeof(path), "%s/ledger.db", l->soft.dir);
	run(l, path, 1, false);
}

static void
test_postgres(void **state)
{
	struct load *l = *state;

	if (!l->have_cluster)
		skip();
	run(l, l->cluster.url, 2, false);
}

static void
test_postgres_falls(void **state)
{
	static const char *const argv[] = { "psql", "-q", "-d", NULL, "-c",
		"DROP SCHEMA provisor CASCADE", NULL };
	const char *args[sizeof(argv) / sizeof(argv[0])];
	struct load *l = *state;

	if (!l->have_cluster)
		skip();
	memcpy(args, argv, sizeof(argv));
	args[3] = l->cluster.url;
	assert_int_equal(softhsm_run(args), 0);
	run(l, l->cluster.url, 3, true);
}

static int
setup(void **state)
{
	struct load *l = calloc(1, sizeof(*l));
	const char *size = getenv("PV_LOAD");

	assert_non_null(l);
	if (size == NULL)
		size = "8 25 150";
	assert_int_equal(
	    sscanf(size, "%u %u %u", &l->processes, &l->each, &l->limit), 3);
	assert_true(softhsm_start(&l->soft) && softhsm_token("oem"));
	(void)snprintf(l->lock, sizeof(l->lock), "%s/login", l->soft.dir);
	l->have_cluster = pg_cluster_start(&l->cluster);
	assert_true(l->have_cluster || getenv("CI") == NULL);
	assert_int_equal(pv_ec_generate(&l->ca, NULL), 0);
	*state = l;
	return 0;
}

static int
teardown(void **state)
{
	struct load *l = *state;

	if (l->have_cluster)
		(void)pg_cluster_do(&l->cluster, "remove");
	pv_ec_free(l->ca);
	softhsm_stop(&l->soft);
	free(l);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sqlite),
		cmocka_unit_test(test_postgres),
		cmocka_unit_test(test_postgres_falls),
	};
	const char *const probe[] = { "softhsm2-util", "--version", NULL };

	if (softhsm_run(probe) != 0) {
		puts("1..0 # SKIP needs softhsm2-util");
		return getenv("CI") != NULL;
	}
	return cmocka_run_group_tests(tests, setup, teardown);
}
