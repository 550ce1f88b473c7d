/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection half of the PostgreSQL store: what postgres.c asks of
 * postgres_conn.c. Empty where libpq is not there.
 */
#ifndef PV_POSTGRES_H
#define PV_POSTGRES_H
#ifdef PV_WITH_LIBPQ

#include <stdbool.h>
#include <stdint.h>

#include "ledger/postgres_pq.h"
#include <provisor/err.h>

#define URL_CAP	   1024
/* How long a server may be away in the middle of our work. */
#define AWAY_MS	   30000
/* Serialization failures in a row. */
#define RETRIES	   20
/* "PVLD": keeps our advisory locks apart from another program's. */
#define LOCK_CLASS "1347832900"
/* Columns of an entry in every answer; its place comes after them. */
#define N_COLS	   6

/* SQLSTATE, PostgreSQL documentation, appendix A */
#define STATE_UNIQUE	   "23505"
#define STATE_LOCK_TIMEOUT "55P03"

enum statement {
	ST_APPEND,
	ST_SCAN,
	ST_FIRSTS,
	ST_LAST,
	ST_LAST_CHIP,
	ST_LOCK,
	ST_UNLOCK,
	N_STATEMENTS,
};

#define N_KINDS 3U /* of entries that are asked for by chip */

/*
 * What was last asked by chip. With the lock the same comes again, and the
 * head, in one trip: whoever looked a chip up looks again under the lock.
 */
struct ahead {
	uint8_t campaign_id[16], chip[32];
	uint16_t kinds[N_KINDS];
	size_t n_kinds;
	/* Answers, as long as the lock is held and nothing was appended. */
	PGresult *last, *by_kind[N_KINDS];
};

struct pg_store {
	PGconn *conn;
	struct ahead ahead;
	char url[URL_CAP];
	bool want_lock;		  /* between lock and unlock */
	bool locked;		  /* this connection has it */
	bool gone;		  /* the connection, by the last failure */
	bool broken;		  /* it answered out of turn */
	uint8_t campaign_id[16];  /* whose lock; the key is its first bytes */
	int lock_ms, lock_ms_set; /* lock_timeout wanted, and of the session */
};

struct param {
	const void *data; /* NULL: null */
	int len;
};

/* Does a result have this SQLSTATE? */
bool pv_pg_state_is(const PGresult *res, const char *state);
/* The server goes away, or went: class 08 and 57P01..57P03. */
bool pv_pg_lost(const struct pg_store *s, const PGresult *res);
/* May the same be tried again, since nothing of it took effect? */
bool pv_pg_try_again(const PGresult *res);
/* Record what a result or, with NULL, the connection says, and whether it is
 * gone. */
int pv_pg_fail(struct pg_store *s, const PGresult *res, const char *doing,
    struct pv_error *e);

/* PV_E_USAGE when it is no URL of libpq's, or has a password. */
PV_MUST_USE int pv_pg_check_url(const char *url, struct pv_error *e);
/* Connect; the server's settings are checked and the session's made. */
PV_MUST_USE int pv_pg_connect(struct pg_store *s, struct pv_error *e);
PV_MUST_USE int pv_pg_prepare(struct pg_store *s, struct pv_error *e);
/* Both, again, after a lost connection, until `deadline`. */
PV_MUST_USE int pv_pg_reconnect(
    struct pg_store *s, int64_t deadline, struct pv_error *e);
/* Make the schema unless it is there. */
PV_MUST_USE int pv_pg_initialize(struct pg_store *s, struct pv_error *e);
PV_MUST_USE int pv_pg_check_version(struct pg_store *s, struct pv_error *e);

/*
 * Several prepared statements in one trip and one transaction: all are sent,
 * then the answers are read. ret_res[0..n-1] are the caller's to clear; NULL
 * where none came. The connection is ready for single statements again.
 */
struct pg_call {
	enum statement which;
	const struct param *p;
};
void pv_pg_execute_all(struct pg_store *s, const struct pg_call *calls,
    size_t n, PGresult **ret_res);

/* The answers read ahead are none any more. */
void pv_pg_forget(struct pg_store *s);

/* One command without parameters; its result is dropped. */
PV_MUST_USE int pv_pg_command(
    struct pg_store *s, const char *sql, struct pv_error *e);
/* A prepared statement, once. The caller clears the result. */
PGresult *pv_pg_execute(
    struct pg_store *s, enum statement which, const struct param *p);
/* A query, which is asked again whenever its answer was lost. */
PV_MUST_USE int pv_pg_query(struct pg_store *s, enum statement which,
    const struct param *p, PGresult **ret_res, struct pv_error *e);

#endif
#endif
