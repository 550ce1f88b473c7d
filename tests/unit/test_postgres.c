/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PostgreSQL store when things go wrong: servers that are no ledger or not
 * durable, that restart, answers that get lost, locks that are lost with them.
 * A relay between store and server cuts the connection at message number N,
 * before or after the server has got it.
 */
#include "fake_campaign.h"

#include "../postgres.h"
#include "base/clock.h"
#include "ledger/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct pg_cluster cluster;

static void
sql(const char *text)
{
	const char *const argv[] = { "psql", "-q", "-v", "ON_ERROR_STOP=1",
		"-d", cluster.url, "-c", text, NULL };

	if (softhsm_run(argv) != 0)
		fail_msg("psql: %s", text);
}

static int
setup(void **state)
{
	struct pv_store s = { 0 };

	(void)state;
	sql("DROP SCHEMA IF EXISTS provisor CASCADE");
	assert_int_equal(
	    pv_store_postgres(cluster.url, PV_STORE_INIT, &s, NULL), 0);
	pv_store_release(&s);
	return 0;
}

static void
want_at(
    int line, int r, int code, const struct pv_error *e, const char *message)
{
	if (r != code || (message != NULL && strstr(e->msg, message) == NULL))
		fail_msg("line %d: %d %s, wanted %d '%s'", line, r, e->msg,
		    code, message == NULL ? "" : message);
}
#define want(...) want_at(__LINE__, __VA_ARGS__)

static int
open_url(const char *url, enum pv_store_mode mode, struct pv_error *e)
{
	struct pv_store s = { 0 };
	int r;

	*e = (struct pv_error){ 0 };
	r = pv_store_postgres(url, mode, &s, e);
	pv_store_release(&s);
	return r;
}

static void
test_refused(void **state)
{
	struct pv_error e;

	(void)state;
	want(open_url("postgresql://a:secret@/x", PV_STORE_READ, &e),
	    PV_E_USAGE, &e, "password");
	assert_null(strstr(e.msg, "secret"));
	want(open_url("postgresql:///x?password=secret", PV_STORE_READ, &e),
	    PV_E_USAGE, &e, "password");
	assert_null(strstr(e.msg, "secret"));
	want(open_url("postgresql://[x", PV_STORE_READ, &e), PV_E_USAGE, &e,
	    "--ledger");
	want(open_url("postgresql:///x?host=/nowhere", PV_STORE_READ, &e),
	    PV_E_IO, &e, "connecting to ledger");
	/* no ledger in it */
	sql("DROP SCHEMA provisor CASCADE");
	want(open_url(cluster.url, PV_STORE_CREATE, &e), PV_E_NOT_FOUND, &e,
	    "provisor.ledger");
	assert_non_null(strstr(e.hint, "ledger init"));
	want(open_url(cluster.url, PV_STORE_INIT, &e), 0, &e, NULL);
	want(open_url(cluster.url, PV_STORE_INIT, &e), 0, &e, NULL);
	/* a newer one, and one that is not ours */
	sql("UPDATE provisor.ledger SET version = 2");
	want(open_url(cluster.url, PV_STORE_INIT, &e), PV_E_UNSUPPORTED, &e,
	    "version 2");
	sql("INSERT INTO provisor.ledger VALUES (1)");
	want(open_url(cluster.url, PV_STORE_READ, &e), PV_E_MALFORMED, &e,
	    "no ledger");
}

static void
test_not_durable(void **state)
{
	struct pv_error e;

	(void)state;
	sql("ALTER SYSTEM SET fsync = off");
	sql("SELECT pg_reload_conf(), pg_sleep(0.3)");
	want(open_url(cluster.url, PV_STORE_READ, &e), PV_E_POLICY, &e,
	    "fsync = off");
	sql("ALTER SYSTEM RESET fsync");
	sql("SELECT pg_reload_conf(), pg_sleep(0.3)");
	want(open_url(cluster.url, PV_STORE_READ, &e), 0, &e, NULL);
}

static void
make(struct pv_record *rec, uint64_t seq, uint8_t chip)
{
	static const uint8_t entry[] = "some bytes";

	memset(rec, 0, sizeof(*rec));
	memset(rec->campaign_id, 1, 16);
	memset(rec->chip, chip, 32);
	memset(rec->signature, 0x5c, 64);
	rec->seq = seq;
	rec->kind = 1;
	rec->entry = entry;
	rec->entry_len = sizeof(entry);
}

static int
any(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	(void)e;
	*(uint64_t *)ctx = rec->seq;
	return 0;
}

static void
open_it(const char *url, struct pv_store *s)
{
	struct pv_error e = { 0 };

	want(pv_store_postgres(url, PV_STORE_READ, s, &e), 0, &e, NULL);
}

/* A server whose tables were changed may answer anything. */
static void
test_odd_rows(void **state)
{
	static const char *const changes[] = {
		"UPDATE provisor.entry SET kind = 70000",
		"UPDATE provisor.entry SET chip = '\\x00'",
		"UPDATE provisor.entry SET signature = '\\x00'",
		"UPDATE provisor.entry SET entry = ''",
		"UPDATE provisor.entry SET seq = -1",
	};
	struct pv_store s = { 0 };
	struct pv_record rec;
	struct pv_error e;
	uint64_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		(void)setup(state);
		open_it(cluster.url, &s);
		make(&rec, 1, 9);
		assert_int_equal(s.append(s.ctx, &rec, NULL), 0);
		sql("ALTER TABLE provisor.entry"
		    " DROP CONSTRAINT entry_chip_check,"
		    " DROP CONSTRAINT entry_signature_check,"
		    " DROP CONSTRAINT entry_entry_check,"
		    " DROP CONSTRAINT entry_seq_check");
		sql(changes[i]);
		want(s.last(s.ctx, rec.campaign_id, NULL, 0, any, &n, &e),
		    PV_E_MALFORMED, &e, "not a ledger entry");
		assert_int_equal(n, 0);
		pv_store_release(&s);
	}
	/* or nothing at all */
	(void)setup(state);
	open_it(cluster.url, &s);
	sql("DROP TABLE provisor.entry");
	want(s.append(s.ctx, &rec, &e), PV_E_NOT_FOUND, &e, "provisor.entry");
	want(s.last(s.ctx, rec.campaign_id, NULL, 0, any, &n, &e),
	    PV_E_NOT_FOUND, &e, "provisor.entry");
	pv_store_release(&s);
}

/* --- servers that go away ------------------------------------------------------- */

static void
test_restart(void **state)
{
	struct pv_store s = { 0 };
	struct pv_record rec;
	struct pv_error e = { 0 };
	uint64_t n = 0;

	(void)state;
	open_it(cluster.url, &s);
	make(&rec, 1, 9);
	assert_int_equal(s.append(s.ctx, &rec, &e), 0);
	/* between two commands, within a lock, and before unlocking */
	assert_true(pg_cluster_do(&cluster, "restart"));
	want(s.lock(s.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	assert_true(pg_cluster_do(&cluster, "restart"));
	want(s.last(s.ctx, rec.campaign_id, NULL, 0, any, &n, &e), 0, &e, NULL);
	assert_int_equal(n, 1);
	make(&rec, 2, 9);
	want(s.append(s.ctx, &rec, &e), 0, &e, NULL);
	assert_true(pg_cluster_do(&cluster, "restart"));
	make(&rec, 3, 9);
	want(s.append(s.ctx, &rec, &e), 0, &e, NULL);
	assert_true(pg_cluster_do(&cluster, "restart"));
	s.unlock(s.ctx);
	want(s.last(s.ctx, rec.campaign_id, NULL, 0, any, &n, &e), 0, &e, NULL);
	assert_int_equal(n, 3);
	pv_store_release(&s);
}

/* Whoever loses the lock with the connection does not write over another. */
static void
test_lock_lost(void **state)
{
	struct pv_store s = { 0 }, other = { 0 };
	struct pv_record rec, theirs;
	struct pv_error e = { 0 };
	uint64_t n = 0;

	(void)state;
	open_it(cluster.url, &s);
	make(&rec, 1, 9);
	want(s.lock(s.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	assert_int_equal(s.append(s.ctx, &rec, &e), 0);
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	    " WHERE application_name = 'provisor'");
	open_it(cluster.url, &other);
	make(&theirs, 2, 7);
	theirs.signature[0] = 7;
	want(other.lock(other.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	assert_int_equal(other.append(other.ctx, &theirs, &e), 0);
	other.unlock(other.ctx);
	make(&rec, 2, 9);
	want(s.append(s.ctx, &rec, &e), PV_E_EXISTS, &e,
	    "another command wrote while the connection was lost");
	s.unlock(s.ctx);
	/* While another holds it, not even a free place is taken. */
	want(s.lock(s.ctx, rec.campaign_id, 200, &e), 0, &e, NULL);
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	    " WHERE application_name = 'provisor'");
	want(other.lock(other.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	make(&rec, 3, 9);
	want(s.append(s.ctx, &rec, &e), PV_E_IO, &e, "is held for more than");
	other.unlock(other.ctx);
	want(s.last(s.ctx, rec.campaign_id, NULL, 0, any, &n, &e), 0, &e, NULL);
	assert_int_equal(n, 2);
	s.unlock(s.ctx);
	pv_store_release(&other);
	pv_store_release(&s);
}

static void
last_is(
    struct pv_store *s, const struct pv_record *rec, bool of_chip, uint64_t seq)
{
	struct pv_error e = { 0 };
	uint64_t n = 0;
	int r = s->last(s->ctx, rec->campaign_id, of_chip ? rec->chip : NULL,
	    rec->kind, any, &n, &e);

	if (seq == 0)
		want(r, PV_E_NOT_FOUND, &e, "no such entry");
	else
		want(r, 0, &e, NULL);
	assert_int_equal(n, seq);
}

/* Somebody who has the lock, and writes entry `seq` while we wait for it. */
static pid_t
hold_and_write(uint64_t seq)
{
	struct pv_store s = { 0 };
	struct pv_record rec;
	int ready[2];
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		make(&rec, seq, 9);
		if (pv_store_postgres(cluster.url, PV_STORE_READ, &s, NULL) !=
			0 ||
		    s.lock(s.ctx, rec.campaign_id, 5000, NULL) != 0 ||
		    write(ready[1], &c, 1) != 1)
			_exit(1);
		pv_sleep_ms(200);
		if (s.append(s.ctx, &rec, NULL) != 0)
			_exit(1);
		s.unlock(s.ctx);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

/*
 * What comes with the lock is what holds under it: nothing from before it was
 * granted, and nothing any more once we have written or the lock is gone.
 */
static void
test_read_ahead(void **state)
{
	struct pv_store s = { 0 }, other = { 0 };
	struct pv_record rec, next;
	struct pv_error e = { 0 };
	int status = 1;
	pid_t pid;

	(void)state;
	open_it(cluster.url, &s);
	open_it(cluster.url, &other);
	make(&rec, 1, 9);
	last_is(&s, &rec, true, 0); /* so that it is asked with the lock */
	want(s.lock(s.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	last_is(&s, &rec, false, 0);
	last_is(&s, &rec, true, 0);
	want(s.append(s.ctx, &rec, &e), 0, &e, NULL);
	last_is(&s, &rec, false, 1);
	last_is(&s, &rec, true, 1);
	s.unlock(s.ctx);

	make(&next, 2, 9);
	want(other.lock(other.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	want(other.append(other.ctx, &next, &e), 0, &e, NULL);
	other.unlock(other.ctx);
	last_is(&s, &rec, false, 2);
	last_is(&s, &rec, true, 2);

	pid = hold_and_write(3);
	want(s.lock(s.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	last_is(&s, &rec, false, 3);
	last_is(&s, &rec, true, 3);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	/* The lock is lost, which a read notices: others may write now. */
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	    " WHERE application_name = 'provisor'");
	make(&next, 4, 9);
	want(other.lock(other.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	want(other.append(other.ctx, &next, &e), 0, &e, NULL);
	other.unlock(other.ctx);
	make(&rec, 9, 8);
	last_is(&s, &rec, true, 0); /* another chip: asked, and reconnected */
	make(&rec, 9, 9);
	last_is(&s, &rec, false, 4);
	last_is(&s, &rec, true, 4);
	s.unlock(s.ctx);
	pv_store_release(&other);
	pv_store_release(&s);
}

/* A server put back to an older state while we were gone. */
static void
test_entries_lost(void **state)
{
	struct pv_store s = { 0 };
	struct pv_record rec;
	struct pv_error e = { 0 };

	(void)state;
	open_it(cluster.url, &s);
	make(&rec, 1, 9);
	want(s.lock(s.ctx, rec.campaign_id, 5000, &e), 0, &e, NULL);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		make(&rec, seq, 9);
		assert_int_equal(s.append(s.ctx, &rec, &e), 0);
	}
	sql("DELETE FROM provisor.entry WHERE seq > 1");
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
	    " WHERE application_name = 'provisor'");
	make(&rec, 4, 9);
	want(s.append(s.ctx, &rec, &e), PV_E_IO, &e, "the server lost entries");
	s.unlock(s.ctx);
	pv_store_release(&s);
}

/* Serialization failures are tried again, and not for ever. */
static void
test_serialization(void **state)
{
	struct pv_store s = { 0 };
	struct pv_record rec;
	struct pv_error e = { 0 };

	(void)state;
	sql("CREATE SEQUENCE provisor.n;"
	    "CREATE FUNCTION provisor.fail() RETURNS trigger AS $$ BEGIN"
	    " IF nextval('provisor.n') % 4 <> 0 THEN"
	    " RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END IF;"
	    " RETURN NEW; END $$ LANGUAGE plpgsql;"
	    "CREATE TRIGGER fail BEFORE INSERT ON provisor.entry"
	    " FOR EACH ROW EXECUTE FUNCTION provisor.fail()");
	open_it(cluster.url, &s);
	for (uint64_t seq = 1; seq <= 5; seq++) {
		make(&rec, seq, 9);
		want(s.append(s.ctx, &rec, &e), 0, &e, NULL);
	}
	sql("CREATE OR REPLACE FUNCTION provisor.fail() RETURNS trigger AS $$"
	    " BEGIN RAISE EXCEPTION 'always' USING ERRCODE = '40001'; END $$"
	    " LANGUAGE plpgsql");
	make(&rec, 6, 9);
	want(s.append(s.ctx, &rec, &e), PV_E_IO, &e, "always");
	pv_store_release(&s);
}

/* --- answers that get lost --------------------------------------------------------- */

struct relay {
	unsigned int messages; /* from the store so far */
	unsigned int cut_at;   /* 0: never */
	int after;	       /* the server gets that one, we no answer */
	unsigned int cuts;
};

static int
unix_socket(const char *dir, bool serve)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/.s.PGSQL.5432", dir);
	if (fd < 0)
		return -1;
	if (serve ? bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
			listen(fd, 8) != 0
		  : connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

/* Pass bytes on; false when this connection is over. */
static bool
pass(struct relay *r, int from, int to, bool store)
{
	uint8_t buf[65536];
	ssize_t n = read(from, buf, sizeof(buf));
	bool cut;

	if (n <= 0)
		return false;
	cut = store && ++r->messages == r->cut_at;
	if (cut && !r->after) {
		r->cuts++;
		return false;
	}
	if (write(to, buf, (size_t)n) != n)
		return false;
	if (!cut)
		return true;
	/* Until the answer is there, so that the server has done it. */
	r->cuts++;
	(void)!read(to, buf, sizeof(buf));
	return false;
}

static void
relay_run(struct relay *r, int listener)
{
	for (;;) {
		struct pollfd p[2] = { { .events = POLLIN },
			{ .events = POLLIN } };
		bool on = true;

		p[0].fd = accept(listener, NULL, NULL);
		if (p[0].fd < 0)
			_exit(0);
		p[1].fd = unix_socket(cluster.dir, false);
		while (on && p[1].fd >= 0 && poll(p, 2, -1) > 0) {
			if (p[0].revents != 0)
				on = pass(r, p[0].fd, p[1].fd, true);
			if (on && p[1].revents != 0)
				on = pass(r, p[1].fd, p[0].fd, false);
		}
		(void)close(p[0].fd);
		(void)close(p[1].fd);
	}
}

struct relayed {
	struct relay *r; /* shared with the relay */
	pid_t pid;
	char dir[64];
	char url[128];
};

static void
relay_start(struct relayed *y)
{
	int fd;

	y->r = mmap(NULL, sizeof(*y->r), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(y->r != MAP_FAILED);
	(void)snprintf(y->dir, sizeof(y->dir), "/tmp/pvrelay.XXXXXX");
	assert_non_null(mkdtemp(y->dir));
	(void)snprintf(y->url, sizeof(y->url),
	    "postgresql://provisor@/postgres?host=%s", y->dir);
	fd = unix_socket(y->dir, true);
	assert_true(fd >= 0);
	y->pid = fork();
	assert_true(y->pid >= 0);
	if (y->pid == 0) {
		/* Also when a test fails before it stops us. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		relay_run(y->r, fd);
	}
	(void)close(fd);
}

static void
relay_stop(struct relayed *y)
{
	char path[128];

	(void)kill(y->pid, SIGKILL);
	(void)waitpid(y->pid, NULL, 0);
	(void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", y->dir);
	(void)unlink(path);
	(void)rmdir(y->dir);
	(void)munmap(y->r, sizeof(*y->r));
}

static void
relay_arm(struct relay *r, unsigned int at, int after)
{
	r->messages = 0;
	r->after = after;
	r->cut_at = at;
}

/* One append whose connection breaks at each message of it. */
static void
test_answer_lost(void **state)
{
	struct relayed y;
	struct pv_store s = { 0 };
	struct pv_record rec;
	struct pv_error e = { 0 };
	uint64_t n = 0, seq = 1;

	(void)state;
	relay_start(&y);
	open_it(y.url, &s);
	for (unsigned int at = 1; at <= 2; at++) {
		for (int after = 0; after <= 1; after++) {
			make(&rec, seq, 9);
			want(s.lock(s.ctx, rec.campaign_id, 5000, &e), 0, &e,
			    NULL);
			relay_arm(y.r, at, after);
			want(s.append(s.ctx, &rec, &e), 0, &e, NULL);
			relay_arm(y.r, 0, 0);
			s.unlock(s.ctx);
			seq++;
		}
	}
	assert_true(y.r->cuts >= 2);
	want(s.last(s.ctx, rec.campaign_id, NULL, 0, any, &n, &e), 0, &e, NULL);
	assert_int_equal(n, seq - 1);
	pv_store_release(&s);
	relay_stop(&y);
}

/*
 * A campaign of three licenses for four chips, the connection cut at message
 * N: nobody gets two numbers, no number two chips, and the audit agrees.
 */
static unsigned int
campaign(struct relayed *y, unsigned int at, int after)
{
	struct fake *f = fake_new(3);
	struct pv_verify_report rep;
	struct pv_campaign c;
	struct pv_error e = { 0 };
	unsigned int held = 0, messages;
	uint64_t seen = 0;
	int r;

	sql("TRUNCATE provisor.entry");
	relay_arm(y->r, 0, 0);
	open_it(y->url, &f->store);
	f->locked = 1;
	relay_arm(y->r, at, after);
	r = pv_campaign_create(&f->c, &f->io, &e);
	if (r != 0 && pv_campaign_load(&f->store, "spring", &c, NULL) != 0)
		want(pv_campaign_create(&f->c, &f->io, &e), 0, &e, NULL);
	for (uint8_t chip = 1; chip <= 4; chip++) {
		uint8_t cert[PV_CERT_LEN];
		struct pv_issued l;

		fake_chip(f, chip, "48400001", cert);
		r = pv_license_issue(&f->c, &f->io, cert, &l, &e);
		if (r != 0 && r != PV_E_LIMIT)
			r = pv_license_issue(&f->c, &f->io, cert, &l, &e);
		if (r == 0) {
			assert_in_range(l.number, 1, 3);
			assert_int_equal(seen & (UINT64_C(1) << l.number), 0);
			seen |= UINT64_C(1) << l.number;
			held++;
		} else {
			want(r, PV_E_LIMIT, &e, "all 3 licenses");
		}
	}
	messages = y->r->messages;
	relay_arm(y->r, 0, 0);
	want(pv_ledger_verify(&f->c, &f->io, &rep, &e), 0, &e, NULL);
	assert_int_equal(rep.spent, 3);
	assert_int_equal(rep.issued, held);
	assert_true(held >= 2);
	f->locked = 0;
	pv_store_release(&f->store);
	fake_free(f);
	return messages;
}

static void
test_cut_everywhere(void **state)
{
	struct relayed y;
	unsigned int total;

	(void)state;
	relay_start(&y);
	total = campaign(&y, 0, 0);
	if (total < 20)
		fail_msg("%u messages", total);
	for (unsigned int n = 1; n <= total; n++) {
		(void)campaign(&y, n, 0);
		(void)campaign(&y, n, 1);
	}
	assert_int_equal(y.r->cuts, 2 * total);
	relay_stop(&y);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_refused, setup),
		cmocka_unit_test_setup(test_not_durable, setup),
		cmocka_unit_test_setup(test_odd_rows, setup),
		cmocka_unit_test_setup(test_restart, setup),
		cmocka_unit_test_setup(test_lock_lost, setup),
		cmocka_unit_test_setup(test_read_ahead, setup),
		cmocka_unit_test_setup(test_entries_lost, setup),
		cmocka_unit_test_setup(test_serialization, setup),
		cmocka_unit_test_setup(test_answer_lost, setup),
		cmocka_unit_test_setup(test_cut_everywhere, setup),
	};
	int failed;

	if (!pg_cluster_start(&cluster)) {
		if (getenv("CI") != NULL) {
			puts("not ok 1 - needs PostgreSQL\n1..1");
			return 1;
		}
		puts("1..0 # SKIP needs PostgreSQL and libpq");
		return 0;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)pg_cluster_do(&cluster, "remove");
	return failed;
}
