/* SPDX-License-Identifier: Apache-2.0 */
/* Connections, settings, statements and schema of the PostgreSQL store. */
#include "ledger/postgres.h"

#ifdef PV_WITH_LIBPQ

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA_VERSION 1

/* SQLSTATE, PostgreSQL documentation, appendix A */
#define STATE_SERIALIZATION "40001"
#define STATE_DEADLOCK	    "40P01"
#define STATE_NO_TABLE	    "42P01"
#define STATE_NO_SCHEMA	    "3F000"

/* Types of parameters: pg_type.dat */
#define OID_BYTEA 17
#define OID_INT8  20
#define OID_INT4  23

#define COLUMNS "campaign, seq, kind, chip, entry, signature"

struct statement_text {
	const char *name;
	const char *sql;
	int n;
	Oid types[6];
};

static const struct statement_text texts[N_STATEMENTS] = {
	[ST_APPEND] = { "pv_append",
	    "INSERT INTO provisor.entry (" COLUMNS
	    ") VALUES ($1, $2, $3, $4, $5, $6)",
	    6,
	    { OID_BYTEA, OID_INT8, OID_INT4, OID_BYTEA, OID_BYTEA,
		OID_BYTEA } },
	[ST_SCAN] = { "pv_scan",
	    "SELECT " COLUMNS ", added FROM provisor.entry"
	    " WHERE campaign = $1 AND seq >= $2 ORDER BY seq LIMIT $3",
	    3, { OID_BYTEA, OID_INT8, OID_INT8 } },
	[ST_FIRSTS] = { "pv_firsts",
	    "SELECT " COLUMNS ", added FROM provisor.entry"
	    " WHERE seq = 1 AND added >= $1 ORDER BY added LIMIT $2",
	    2, { OID_INT8, OID_INT8 } },
	[ST_LAST] = { "pv_last",
	    "SELECT " COLUMNS ", added FROM provisor.entry"
	    " WHERE campaign = $1 ORDER BY seq DESC LIMIT 1",
	    1, { OID_BYTEA } },
	[ST_LAST_CHIP] = { "pv_last_chip",
	    "SELECT " COLUMNS ", added FROM provisor.entry"
	    " WHERE campaign = $1 AND chip = $2 AND kind = $3"
	    " ORDER BY seq DESC LIMIT 1",
	    3, { OID_BYTEA, OID_BYTEA, OID_INT4 } },
	[ST_LOCK] = { "pv_lock", "SELECT pg_advisory_lock(" LOCK_CLASS ", $1)",
	    1, { OID_INT4 } },
	[ST_UNLOCK] = { "pv_unlock",
	    "SELECT pg_advisory_unlock(" LOCK_CLASS ", $1)", 1, { OID_INT4 } },
};

static const char schema[] =
    "CREATE SCHEMA IF NOT EXISTS provisor;"
    "CREATE TABLE IF NOT EXISTS provisor.ledger (version integer NOT NULL);"
    "CREATE TABLE IF NOT EXISTS provisor.entry ("
    " added bigint GENERATED ALWAYS AS IDENTITY,"
    " campaign bytea NOT NULL CHECK (length(campaign) = 16),"
    " seq bigint NOT NULL CHECK (seq > 0),"
    " kind integer NOT NULL,"
    " chip bytea CHECK (length(chip) = 32),"
    " entry bytea NOT NULL CHECK (length(entry) BETWEEN 1 AND 4096),"
    " signature bytea NOT NULL CHECK (length(signature) = 64),"
    " PRIMARY KEY (campaign, seq));"
    "CREATE INDEX IF NOT EXISTS entry_chip"
    " ON provisor.entry (campaign, chip, kind, seq) WHERE chip IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS entry_first"
    " ON provisor.entry (added) WHERE seq = 1;"
    "INSERT INTO provisor.ledger (version)"
    " SELECT 1 WHERE NOT EXISTS (SELECT FROM provisor.ledger);";

/* --- errors -------------------------------------------------------------------- */

bool
pv_pg_state_is(const PGresult *res, const char *state)
{
	const char *s = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return s != NULL && strcmp(s, state) == 0;
}

/* The server goes away, or went: class 08 and 57P01..57P03. */
bool
pv_pg_lost(const struct pg_store *s, const PGresult *res)
{
	const char *state =
	    res == NULL ? NULL : PQresultErrorField(res, PG_DIAG_SQLSTATE);

	/* An error without a state is libpq's own. After a write that failed
	 * it calls the connection good for one more command (version 15). */
	if (s->broken || PQstatus(s->conn) != CONNECTION_OK || state == NULL)
		return true;
	return strncmp(state, "08", 2) == 0 || strncmp(state, "57P", 3) == 0;
}

int
pv_pg_fail(struct pg_store *s, const PGresult *res, const char *doing,
    struct pv_error *e)
{
	const char *why =
	    res == NULL ? NULL
			: PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
	int r;

	if (why == NULL)
		why = PQerrorMessage(s->conn);
	s->gone = pv_pg_lost(s, res);
	/* libpq says one thing a line; the first is the cause. */
	r = pv_fail(e, PV_E_IO, "%s ledger '%s': %.*s", doing, s->url,
	    (int)strcspn(why, "\n"), why);
	if (res != NULL && (pv_pg_state_is(res, STATE_NO_TABLE) ||
			       pv_pg_state_is(res, STATE_NO_SCHEMA))) {
		if (e != NULL)
			e->code = PV_E_NOT_FOUND;
		r = PV_E_NOT_FOUND;
		(void)pv_hint(e, "'provisor ledger init' makes the ledger in "
				 "a database");
	}
	return r;
}

/* --- connecting ------------------------------------------------------------------ */

static void
no_notices(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

/* One command without a result. */
int
pv_pg_command(struct pg_store *s, const char *sql, struct pv_error *e)
{
	PGresult *res = PQexec(s->conn, sql);
	ExecStatusType st = PQresultStatus(res);
	int r = 0;

	if (st != PGRES_COMMAND_OK && st != PGRES_TUPLES_OK)
		r = pv_pg_fail(s, res, "preparing", e);
	PQclear(res);
	return r;
}

/* One value as text; PV_E_MALFORMED when it is not one row. */
static int
value(struct pg_store *s, const char *sql, char *dst, size_t cap,
    struct pv_error *e)
{
	PGresult *res = PQexec(s->conn, sql);
	int r = 0;

	if (PQresultStatus(res) != PGRES_TUPLES_OK)
		r = pv_pg_fail(s, res, "opening", e);
	else if (PQntuples(res) != 1 || PQnfields(res) != 1)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' has a schema 'provisor', but it is no ledger",
		    s->url);
	else
		(void)snprintf(dst, cap, "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	return r;
}

/*
 * What durable means is the server's to say: committed and flushed, and on
 * whatever standby it was told to wait for, but never less than its own disk.
 */
static int
settings(struct pg_store *s, struct pv_error *e)
{
	char text[64];
	int r;

	r = value(s, "SHOW fsync", text, sizeof(text), e);
	if (r == 0 && strcmp(text, "on") != 0) {
		r = pv_fail(e, PV_E_POLICY,
		    "the server of ledger '%s' runs with fsync = %s: a power "
		    "cut would take licenses back",
		    s->url, text);
		(void)pv_hint(e, "set fsync = on; licenses are only counted on "
				 "a durable store");
	}
	if (r == 0)
		r = value(s, "SHOW synchronous_commit", text, sizeof(text), e);
	if (r == 0 && (strcmp(text, "off") == 0 || strcmp(text, "local") == 0))
		r = pv_pg_command(s, "SET synchronous_commit = on", e);
	/* The lock's holder that is gone must be noticed: 25 s, not 2 h. */
	return r != 0 ? r
		      : pv_pg_command(s,
			    "SET default_transaction_isolation = "
			    "'read committed'; SET default_transaction_"
			    "read_only = off; SET statement_timeout = 180000;"
			    "SET tcp_keepalives_idle = 10;"
			    "SET tcp_keepalives_interval = 5;"
			    "SET tcp_keepalives_count = 3",
			    e);
}

int
pv_pg_prepare(struct pg_store *s, struct pv_error *e)
{
	for (size_t i = 0; i < N_STATEMENTS; i++) {
		const struct statement_text *t = &texts[i];
		PGresult *res =
		    PQprepare(s->conn, t->name, t->sql, t->n, t->types);
		int r = 0;

		if (PQresultStatus(res) != PGRES_COMMAND_OK)
			r = pv_pg_fail(s, res, "opening", e);
		PQclear(res);
		if (r != 0)
			return r;
	}
	return 0;
}

int
pv_pg_connect(struct pg_store *s, struct pv_error *e)
{
	/* What stands before dbname is overruled by what the URL says. */
	static const char *const names[] = { "fallback_application_name",
		"connect_timeout", "keepalives_idle", "keepalives_interval",
		"keepalives_count", "tcp_user_timeout", "dbname", NULL };
	const char *const values[] = { "provisor", "10", "10", "5", "3",
		"30000", s->url, NULL };

	pv_pg_forget(s);
	PQfinish(s->conn);
	s->locked = false;
	s->gone = false;
	s->broken = false;
	s->lock_ms_set = -1;
	s->conn = PQconnectdbParams(names, values, 1);
	if (s->conn == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (PQstatus(s->conn) != CONNECTION_OK)
		return pv_pg_fail(s, NULL, "connecting to", e);
	(void)PQsetNoticeReceiver(s->conn, no_notices, NULL);
	return settings(s, e);
}

int
pv_pg_check_version(struct pg_store *s, struct pv_error *e)
{
	char text[32];
	int r;

	r = value(
	    s, "SELECT version FROM provisor.ledger", text, sizeof(text), e);
	if (r == 0 && strcmp(text, "1") != 0)
		r = pv_fail(e, PV_E_UNSUPPORTED,
		    "ledger '%s' has version %s, this program knows %d", s->url,
		    text, SCHEMA_VERSION);
	return r;
}

/* Back after a lost connection, until `deadline`. */
int
pv_pg_reconnect(struct pg_store *s, int64_t deadline, struct pv_error *e)
{
	int pause = 20, r;

	for (;;) {
		pv_error_clear(e);
		r = pv_pg_connect(s, e);
		if (r == 0)
			r = pv_pg_prepare(s, e);
		if (r == 0)
			return 0;
		if (r != PV_E_IO || pv_ms_left(deadline) == 0)
			return r;
		pv_sleep_ms(pause);
		pause = pause < 500 ? pause * 2 : 500;
	}
}

/* --- asking ---------------------------------------------------------------------- */

struct bound {
	const char *values[6];
	int lengths[6], formats[6];
};

static void
bind(struct bound *b, const struct statement_text *t, const struct param *p)
{
	for (int i = 0; i < t->n; i++) {
		b->values[i] = p[i].data;
		b->lengths[i] = p[i].len;
		b->formats[i] = 1; /* binary */
	}
}

PGresult *
pv_pg_execute(struct pg_store *s, enum statement which, const struct param *p)
{
	const struct statement_text *t = &texts[which];
	struct bound b;

	bind(&b, t, p);
	return PQexecPrepared(
	    s->conn, t->name, t->n, b.values, b.lengths, b.formats, 1);
}

void
pv_pg_execute_all(struct pg_store *s, const struct pg_call *calls, size_t n,
    PGresult **ret_res)
{
	bool sent = PQenterPipelineMode(s->conn) == 1;
	PGresult *res;

	for (size_t i = 0; i < n; i++) {
		const struct statement_text *t = &texts[calls[i].which];
		struct bound b;

		ret_res[i] = NULL;
		bind(&b, t, calls[i].p);
		sent = sent && PQsendQueryPrepared(s->conn, t->name, t->n,
				   b.values, b.lengths, b.formats, 1) == 1;
	}
	sent = sent && PQpipelineSync(s->conn) == 1;
	/* Each statement: its result, then NULL. Then the sync's. */
	for (size_t i = 0; sent && i < n; i++) {
		ret_res[i] = PQgetResult(s->conn);
		if (ret_res[i] == NULL)
			break;
		PQclear(PQgetResult(s->conn));
	}
	res = sent ? PQgetResult(s->conn) : NULL;
	/* Anything but the sync here is a connection in an unknown state. */
	if (PQresultStatus(res) != PGRES_PIPELINE_SYNC ||
	    PQexitPipelineMode(s->conn) != 1)
		s->broken = true;
	PQclear(res);
}

void
pv_pg_forget(struct pg_store *s)
{
	struct ahead *a = &s->ahead;

	if (a->last != NULL)
		PQclear(a->last);
	a->last = NULL;
	for (size_t i = 0; i < N_KINDS; i++) {
		if (a->by_kind[i] != NULL)
			PQclear(a->by_kind[i]);
		a->by_kind[i] = NULL;
	}
}

bool
pv_pg_try_again(const PGresult *res)
{
	return pv_pg_state_is(res, STATE_SERIALIZATION) ||
	       pv_pg_state_is(res, STATE_DEADLOCK);
}

/* A query, which can be asked again whenever its answer was lost. */
int
pv_pg_query(struct pg_store *s, enum statement which, const struct param *p,
    PGresult **ret_res, struct pv_error *e)
{
	int64_t deadline = 0;
	int tries = 0, r;

	for (;;) {
		PGresult *res = pv_pg_execute(s, which, p);

		if (PQresultStatus(res) == PGRES_TUPLES_OK) {
			*ret_res = res;
			return 0;
		}
		if (pv_pg_lost(s, res)) {
			if (deadline == 0)
				deadline = pv_now_ms() + AWAY_MS;
			r = pv_pg_fail(s, res, "reading", e);
			PQclear(res);
			/* A server that falls over this very question. */
			if (pv_ms_left(deadline) == 0)
				return r;
			r = pv_pg_reconnect(s, deadline, e);
			if (r != 0)
				return r;
			continue;
		}
		r = pv_pg_fail(s, res, "reading", e);
		if (!pv_pg_try_again(res) || ++tries > RETRIES) {
			PQclear(res);
			return r;
		}
		PQclear(res);
		pv_error_clear(e);
		pv_sleep_ms(tries);
	}
}

/* --- opening ---------------------------------------------------------------- */

/* A password in a URL is in argv, or in an environment: for all to see. */
int
pv_pg_check_url(const char *url, struct pv_error *e)
{
	PQconninfoOption *options;
	char *why = NULL;
	int r = 0;

	options = PQconninfoParse(url, &why);
	if (options == NULL) {
		r = pv_fail(e, PV_E_USAGE, "--ledger: %.*s",
		    (int)strcspn(why == NULL ? "" : why, "\n"),
		    why == NULL ? "" : why);
		PQfreemem(why);
		return r;
	}
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
		if (o->val == NULL || o->val[0] == '\0' ||
		    (strcmp(o->keyword, "password") != 0 &&
			strcmp(o->keyword, "sslpassword") != 0))
			continue;
		r = pv_fail(e, PV_E_USAGE,
		    "--ledger: a password in it is for everybody to see");
		(void)pv_hint(e, "put it into a password file (PGPASSFILE, "
				 "~/.pgpass) or a service file (service=NAME)");
	}
	PQconninfoFree(options);
	return r;
}

int
pv_pg_initialize(struct pg_store *s, struct pv_error *e)
{
	int r;

	/* One initialization at a time; the lock goes with the commit. */
	r = pv_pg_command(s, "BEGIN", e);
	if (r == 0)
		r = pv_pg_command(
		    s, "SELECT pg_advisory_xact_lock(" LOCK_CLASS ", -1)", e);
	if (r == 0)
		r = pv_pg_command(s, schema, e);
	if (r == 0)
		return pv_pg_command(s, "COMMIT", e);
	(void)!pv_pg_command(s, "ROLLBACK", NULL);
	return r;
}

#else
/* An empty translation unit is not C. */
typedef int pv_no_libpq;
#endif
