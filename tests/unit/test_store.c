/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stores against store.h, the same tests for SQLite and PostgreSQL: what
 * they keep, in which order, under a lock, by many processes at once. Then
 * each by itself: files that are no ledgers, copies put back, servers that go
 * away and answers that get lost.
 */
#include "fake_campaign.h"

#include "base/file.h"
#include "ledger/journal.h"

#include "../postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct files {
	char dir[256];
	char db[300];
	const char *where; /* the file, or the URL of the cluster */
};

static struct pg_cluster cluster;
static bool have_cluster;

static int
setup(void **state)
{
	const char *tmp = getenv("TMPDIR");
	struct files *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	(void)snprintf(t->dir, sizeof(t->dir), "%s/pvstore.XXXXXX",
	    tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(t->dir));
	(void)snprintf(t->db, sizeof(t->db), "%s/ledger.db", t->dir);
	t->where = t->db;
	*state = t;
	return 0;
}

static void
sql(const char *text)
{
	char url[600];
	const char *const argv[] = { "psql", "-q", "-d", url, "-c", text,
		NULL };

	(void)snprintf(url, sizeof(url), "%s", cluster.url);
	assert_int_equal(softhsm_run(argv), 0);
}

/* An empty database in the cluster of this program. */
static int
setup_pg(void **state)
{
	struct files *t;

	if (!have_cluster) {
		/* The same over SQLite again: where there is no server there
		 * is nothing to test, and in CI there is one. */
		assert_null(getenv("CI"));
		return setup(state);
	}
	sql("DROP SCHEMA IF EXISTS provisor CASCADE");
	(void)setup(state);
	t = *state;
	t->where = cluster.url;
	return 0;
}

static int
teardown(void **state)
{
	struct files *t = *state;
	char path[600];

	/* The folder holds what SQLite and the locks made, and copies. */
	static const char *const suffix[] = { "", "-wal", "-shm", "-lock",
		"-lock-00000000000000000000000000000000",
		"-lock-a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5", ".old" };

	for (size_t i = 0; i < sizeof(suffix) / sizeof(suffix[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", t->db, suffix[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(t->dir), 0);
	free(t);
	return 0;
}

static struct pv_store
open_store(const struct files *t)
{
	struct pv_store s = { 0 };
	struct pv_error e = { 0 };

	if (pv_store_open(t->where, PV_STORE_INIT, &s, &e) != 0)
		fail_msg("%s", e.msg);
	return s;
}

static void
make(struct pv_record *rec, uint8_t id, uint64_t seq, uint16_t kind,
    uint8_t chip)
{
	static const uint8_t entry[] = "some bytes";

	memset(rec, 0, sizeof(*rec));
	memset(rec->campaign_id, id, 16);
	rec->seq = seq;
	rec->kind = kind;
	memset(rec->chip, chip, 32);
	memset(rec->signature, 0x5c, 64);
	rec->entry = entry;
	rec->entry_len = sizeof(entry);
}

struct seen {
	struct pv_record rec[8];
	size_t n;
	size_t stop_at; /* returns 7 then */
};

static int
see(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct seen *s = ctx;

	(void)e;
	assert_true(s->n < 8);
	assert_int_equal(rec->entry_len, 11);
	assert_memory_equal(rec->entry, "some bytes", 11);
	s->rec[s->n++] = *rec;
	return s->n == s->stop_at ? 7 : 0;
}

static void
test_append_scan_last(void **state)
{
	const struct files *t = *state;
	struct pv_store s = open_store(t);
	struct pv_record rec;
	struct seen seen = { .n = 0 };
	struct pv_error e = { 0 };
	uint8_t id[16], chip[32];

	for (uint64_t seq = 1; seq <= 4; seq++) {
		make(&rec, 1, seq, (uint16_t)(seq & 1), seq == 2 ? 0 : 9);
		assert_int_equal(s.append(s.ctx, &rec, &e), 0);
		make(&rec, 2, seq, 5, 9);
		assert_int_equal(s.append(s.ctx, &rec, &e), 0);
	}
	/* taken */
	assert_int_equal(s.append(s.ctx, &rec, &e), PV_E_EXISTS);

	memset(id, 1, sizeof(id));
	assert_int_equal(s.scan(s.ctx, id, 2, see, &seen, &e), 0);
	assert_int_equal(seen.n, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(seen.rec[i].seq, i + 2);
		assert_memory_equal(seen.rec[i].campaign_id, id, 16);
		assert_int_equal(seen.rec[i].signature[63], 0x5c);
	}
	assert_int_equal(seen.rec[0].chip[0], 0);
	assert_int_equal(seen.rec[1].chip[31], 9);
	/* stopped, and the value comes back */
	seen = (struct seen){ .stop_at = 2 };
	assert_int_equal(s.scan(s.ctx, id, 1, see, &seen, &e), 7);
	assert_int_equal(seen.n, 2);
	/* first entries of all campaigns */
	seen = (struct seen){ .n = 0 };
	assert_int_equal(s.scan(s.ctx, NULL, 1, see, &seen, &e), 0);
	assert_int_equal(seen.n, 2);

	seen = (struct seen){ .n = 0 };
	assert_int_equal(s.last(s.ctx, id, NULL, 0, see, &seen, &e), 0);
	assert_int_equal(seen.rec[0].seq, 4);
	memset(chip, 9, sizeof(chip));
	seen = (struct seen){ .n = 0 };
	assert_int_equal(s.last(s.ctx, id, chip, 1, see, &seen, &e), 0);
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.rec[0].seq, 3);
	assert_int_equal(
	    s.last(s.ctx, id, chip, 4, see, &seen, &e), PV_E_NOT_FOUND);
	memset(id, 3, sizeof(id));
	assert_int_equal(
	    s.last(s.ctx, id, NULL, 0, see, &seen, &e), PV_E_NOT_FOUND);
	pv_store_release(&s);

	/* Durable: another opening sees it. */
	s = open_store(t);
	memset(id, 2, sizeof(id));
	seen = (struct seen){ .n = 0 };
	assert_int_equal(s.last(s.ctx, id, NULL, 0, see, &seen, &e), 0);
	assert_int_equal(seen.rec[0].seq, 4);
	pv_store_release(&s);
}

static void
test_lock(void **state)
{
	const struct files *t = *state;
	struct pv_store s = open_store(t), other = open_store(t);
	uint8_t id[16] = { 0 }, other_id[16];
	struct pv_error e = { 0 };
	pid_t child;
	int status;

	memset(other_id, 0xa5, sizeof(other_id));
	assert_int_equal(s.lock(s.ctx, id, 100, &e), 0);
	assert_int_equal(other.lock(other.ctx, id, 20, &e), PV_E_IO);
	/* One campaign does not wait for another. */
	assert_int_equal(other.lock(other.ctx, other_id, 20, &e), 0);
	other.unlock(other.ctx);
	s.unlock(s.ctx);
	/* A holder that dies lets go. */
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		/* A connection is not shared with a child: its own. */
		struct pv_store own = { 0 };

		if (pv_store_open(t->where, PV_STORE_READ, &own, &e) != 0 ||
		    own.lock(own.ctx, id, 100, &e) != 0)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(s.lock(s.ctx, id, 100, &e), 0);
	s.unlock(s.ctx);
	pv_store_release(&other);
	pv_store_release(&s);
}

/* Pages of any length, and callbacks that ask the store again. */
static int
see_nested(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct pv_store *s = ctx;
	struct seen seen = { .n = 0 };

	if (rec->seq % 400 == 1) {
		assert_int_equal(
		    s->last(s->ctx, rec->campaign_id, NULL, 0, see, &seen, e),
		    0);
		assert_int_equal(seen.rec[0].seq, 1100);
		seen = (struct seen){ .stop_at = 3 };
		assert_int_equal(
		    s->scan(s->ctx, rec->campaign_id, 700, see, &seen, e), 7);
		assert_int_equal(seen.rec[2].seq, 702);
	}
	return 0;
}

static int
count_up(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	uint64_t *n = ctx;

	(void)e;
	assert_int_equal(rec->seq, ++*n);
	return 0;
}

static void
test_long_scan(void **state)
{
	const struct files *t = *state;
	struct pv_store s = open_store(t);
	struct pv_record rec;
	uint8_t id[16];
	uint64_t n = 0;

	memset(id, 1, sizeof(id));
	for (uint64_t seq = 1; seq <= 1100; seq++) {
		make(&rec, 1, seq, 1, 9);
		assert_int_equal(s.append(s.ctx, &rec, NULL), 0);
	}
	for (uint8_t c = 2; c < 30; c++) {
		make(&rec, c, 1, 1, 9);
		assert_int_equal(s.append(s.ctx, &rec, NULL), 0);
	}
	assert_int_equal(s.scan(s.ctx, id, 1, count_up, &n, NULL), 0);
	assert_int_equal(n, 1100);
	assert_int_equal(s.scan(s.ctx, id, 1, see_nested, &s, NULL), 0);
	n = 1099;
	assert_int_equal(s.scan(s.ctx, id, 1100, count_up, &n, NULL), 0);
	assert_int_equal(s.scan(s.ctx, id, UINT64_MAX, count_up, &n, NULL), 0);
	assert_int_equal(n, 1100);
	pv_store_release(&s);
}

/*
 * Processes that count up under the lock: read the last, append the next.
 * Without the lock, or with two holders, appends would collide.
 */
#define WRITERS 8
#define EACH	25

static int
take_seq(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	(void)e;
	*(uint64_t *)ctx = rec->seq;
	return 0;
}

static int
writer(const struct files *t)
{
	struct pv_store s = { 0 };
	struct pv_record rec;
	uint8_t id[16];

	memset(id, 0xa5, sizeof(id));
	if (pv_store_open(t->where, PV_STORE_CREATE, &s, NULL) != 0)
		return 1;
	for (unsigned int i = 0; i < EACH; i++) {
		uint64_t seq = 0;
		int r;

		if (s.lock(s.ctx, id, 60000, NULL) != 0)
			return 2;
		r = s.last(s.ctx, id, NULL, 0, take_seq, &seq, NULL);
		if (r != 0 && r != PV_E_NOT_FOUND)
			return 3;
		make(&rec, 0xa5, seq + 1, 1, 9);
		if (s.append(s.ctx, &rec, NULL) != 0)
			return 4;
		s.unlock(s.ctx);
	}
	pv_store_release(&s);
	return 0;
}

static void
test_many_writers(void **state)
{
	const struct files *t = *state;
	struct pv_store s = open_store(t);
	pid_t child[WRITERS];
	uint8_t id[16];
	uint64_t n = 0;
	int status;

	pv_store_release(&s);
	for (size_t i = 0; i < WRITERS; i++) {
		child[i] = fork();
		assert_true(child[i] >= 0);
		if (child[i] == 0)
			_exit(writer(t));
	}
	for (size_t i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(child[i], &status, 0), child[i]);
		assert_int_equal(status, 0);
	}
	s = open_store(t);
	memset(id, 0xa5, sizeof(id));
	assert_int_equal(s.scan(s.ctx, id, 1, count_up, &n, NULL), 0);
	assert_int_equal(n, WRITERS * EACH);
	pv_store_release(&s);
}

/* --- files that are not ledgers ----------------------------------------------- */

static void
put_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void
copy_file(const char *from, const char *to)
{
	uint8_t *data = NULL;
	size_t len;

	assert_int_equal(pv_file_read(from, 1 << 24, &data, &len, NULL), 0);
	put_file(to, data, len);
	free(data);
}

static void
test_not_a_ledger(void **state)
{
	const struct files *t = *state;
	struct pv_store s = { 0 };
	struct pv_error e = { 0 };
	uint8_t header[4] = { 0, 0, 0, 9 };
	FILE *f;

	assert_int_equal(pv_store_sqlite(t->db, 0, &s, &e), PV_E_NOT_FOUND);
	assert_true(access(t->db, F_OK) != 0);
	put_file(
	    t->db, "This is not a database, but a text of some length.\n", 51);
	assert_int_equal(pv_store_sqlite(t->db, 1, &s, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "ledger.db"));
	put_file(t->db, "", 0);
	assert_int_equal(pv_store_sqlite(t->db, 0, &s, &e), PV_E_NOT_FOUND);
	/* A newer ledger: user_version is at offset 60 of the file. */
	s = open_store(t);
	pv_store_release(&s);
	f = fopen(t->db, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, 60, SEEK_SET), 0);
	assert_int_equal(fwrite(header, 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(pv_store_sqlite(t->db, 1, &s, &e), PV_E_UNSUPPORTED);
	assert_non_null(strstr(e.msg, "version 9"));
	/* Another program's database: application_id at offset 68. */
	f = fopen(t->db, "r+b");
	assert_non_null(f);
	assert_int_equal(fseek(f, 68, SEEK_SET), 0);
	assert_int_equal(fwrite(header, 1, 4, f), 4);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(pv_store_sqlite(t->db, 1, &s, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "not a ledger"));
}

/* Whoever reads without locks is told when the file changed meanwhile. */
struct slow {
	int say, hear;
};

static int
see_slowly(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	const struct slow *s = ctx;
	char c = 'x';

	(void)rec;
	(void)e;
	return write(s->say, &c, 1) == 1 && read(s->hear, &c, 1) == 1 ? 0 : 9;
}

/* In another process, of another account when this one is root. */
static int
read_only_child(const struct files *t, const struct slow *s)
{
	struct pv_store store = { 0 };
	struct pv_error e = { 0 };
	struct pv_record rec;
	struct seen seen = { 0 };
	uint8_t id[16];

	if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		return 1;
	if (pv_store_sqlite(t->db, 0, &store, &e) != 0)
		return 2;
	memset(id, 0xa5, sizeof(id));
	if (store.scan(store.ctx, id, 1, see, &seen, &e) != 0 || seen.n != 1)
		return 3;
	make(&rec, 0xa5, 2, 2, 0);
	if (store.append(store.ctx, &rec, &e) != PV_E_IO ||
	    strstr(e.msg, "only be read") == NULL)
		return 4;
	/* An audit takes a lock that it need not have. */
	if (store.lock(store.ctx, id, 0, &e) != 0)
		return 6;
	store.unlock(store.ctx);
	if (store.last(store.ctx, id, NULL, 0, see_slowly, (void *)(uintptr_t)s,
		&e) != PV_E_IO ||
	    strstr(e.msg, "changed while it was read") == NULL)
		return 5;
	pv_store_release(&store);
	return 0;
}

static void
test_read_only(void **state)
{
	const struct files *t = *state;
	struct pv_store store = open_store(t);
	int up[2], down[2], status = -1;
	struct pv_record rec;
	char c = 0;
	pid_t pid;

	make(&rec, 0xa5, 1, 1, 0);
	assert_int_equal(store.append(store.ctx, &rec, NULL), 0);
	pv_store_release(&store);
	assert_int_equal(chmod(t->db, 0444), 0);
	assert_int_equal(chmod(t->dir, 0555), 0);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		const struct slow s = { up[1], down[0] };

		_exit(read_only_child(t, &s));
	}
	(void)close(up[1]);
	if (read(up[0], &c, 1) == 1) {
		/* Its time of change, as a writer would leave it. */
		assert_int_equal(utimensat(AT_FDCWD, t->db, NULL, 0), 0);
		assert_int_equal(write(down[1], &c, 1), 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(chmod(t->dir, 0700), 0);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	(void)close(up[0]);
	(void)close(down[0]);
	(void)close(down[1]);
}

/* A file cut anywhere, or with a page overwritten: an error, never a crash. */
static void
test_damaged_file(void **state)
{
	const struct files *t = *state;
	struct pv_store s = open_store(t);
	struct pv_record rec;
	uint8_t *data = NULL;
	size_t len;
	uint8_t id[16];

	for (uint64_t seq = 1; seq <= 60; seq++) {
		make(&rec, 1, seq, 1, 9);
		assert_int_equal(s.append(s.ctx, &rec, NULL), 0);
	}
	pv_store_release(&s);
	assert_int_equal(pv_file_read(t->db, 1 << 24, &data, &len, NULL), 0);
	memset(id, 1, sizeof(id));
	for (size_t cut = 100; cut < len; cut += 1777) {
		struct seen seen = { .stop_at = 7 };
		int r;

		put_file(t->db, data, cut);
		r = pv_store_sqlite(t->db, 0, &s, NULL);
		if (r == 0) {
			r = s.scan(s.ctx, id, 1, see, &seen, NULL);
			assert_true(r == 7 || r == PV_E_MALFORMED);
			pv_store_release(&s);
		} else {
			assert_true(r == PV_E_MALFORMED || r == PV_E_NOT_FOUND);
		}
	}
	free(data);
}

/* --- the rules over a file ------------------------------------------------------ */

static void
issue_to(struct fake *f, uint8_t fill, int want)
{
	uint8_t cert[PV_CERT_LEN];
	struct pv_issued l;
	struct pv_error e = { 0 };
	int r;

	fake_chip(f, fill, "48400001", cert);
	f->locked = 1; /* the note is written under the file's lock */
	r = pv_license_issue(&f->c, &f->io, cert, &l, &e);
	f->locked = 0;
	if (r != want)
		fail_msg("%d: %s", r, e.msg);
}

static void
test_rules_over_file(void **state)
{
	const struct files *t = *state;
	struct fake *f = fake_new(5);
	struct pv_verify_report rep;
	char old[400];

	f->store = open_store(t);
	f->locked = 1;
	assert_int_equal(pv_campaign_create(&f->c, &f->io, NULL), 0);
	f->locked = 0;
	issue_to(f, 1, 0);
	/* A copy of the closed file is a whole ledger. */
	pv_store_release(&f->store);
	(void)snprintf(old, sizeof(old), "%s.old", t->db);
	copy_file(t->db, old);
	f->store = open_store(t);
	issue_to(f, 2, 0);
	assert_int_equal(pv_ledger_verify(&f->c, &f->io, &rep, NULL), 0);
	assert_int_equal(rep.issued, 2);
	assert_int_equal(rep.entries, 5);
	pv_store_release(&f->store);
	copy_file(old, t->db);
	f->store = open_store(t);
	issue_to(f, 3, PV_E_ROLLBACK);
	issue_to(f, 1, 0); /* what it has, it has */
	assert_int_equal(
	    pv_ledger_verify(&f->c, &f->io, &rep, NULL), PV_E_ROLLBACK);
	pv_store_release(&f->store);
	fake_free(f);
}

/* The rules over whichever store, by two openings of it in turn. */
static void
test_rules(void **state)
{
	const struct files *t = *state;
	struct fake *f = fake_new(3);
	struct pv_verify_report rep;
	struct pv_campaign c;
	struct pv_error e = { 0 };

	f->store = open_store(t);
	f->locked = 1;
	if (pv_campaign_create(&f->c, &f->io, &e) != 0)
		fail_msg("%s", e.msg);
	f->locked = 0;
	issue_to(f, 1, 0);
	pv_store_release(&f->store);
	f->store = open_store(t);
	issue_to(f, 2, 0);
	issue_to(f, 1, 0);
	issue_to(f, 3, 0);
	issue_to(f, 4, PV_E_LIMIT);
	assert_int_equal(pv_ledger_verify(&f->c, &f->io, &rep, NULL), 0);
	assert_int_equal(rep.issued, 3);
	assert_int_equal(pv_campaign_load(&f->store, "spring", &c, NULL), 0);
	assert_int_equal(c.issued, 3);
	pv_store_release(&f->store);
	fake_free(f);
}

#define SHARED(test)                                              \
	cmocka_unit_test_setup_teardown(test, setup, teardown),   \
	{                                                         \
#test "_postgres", test, setup_pg, teardown, NULL \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SHARED(test_append_scan_last),
		SHARED(test_lock),
		SHARED(test_long_scan),
		SHARED(test_many_writers),
		SHARED(test_rules),
		cmocka_unit_test_setup_teardown(
		    test_not_a_ledger, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_read_only, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_damaged_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_rules_over_file, setup, teardown),
	};

	int failed;

	have_cluster = pg_cluster_start(&cluster);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (have_cluster)
		(void)pg_cluster_do(&cluster, "remove");
	return failed;
}
