/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store of many stations: a schema in a PostgreSQL database. An append is
 * one INSERT, committed and flushed by the server before it counts; the key
 * (campaign, seq) lets one history only. The writers of a campaign take turns
 * by an advisory lock of their session, which ends with the connection.
 *
 * What a lost connection means for each operation is in formats/ledger.md,
 * section 9: reads are asked again; an append whose answer was lost takes the
 * lock again and looks whether the entry is there before it writes it again.
 *
 * Every object is named with its schema, and every row is checked for shape:
 * what a server answers is input like any other.
 */
#include <provisor/store.h>

#include "ledger/postgres.h"

#ifdef PV_WITH_LIBPQ

#include "base/buf.h"
#include "base/clock.h"
#include "formats/ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

/* Rows asked for at once: few first, for who only wants the first. */
#define PAGE_FIRST 8
#define PAGE_NEXT  512
/* Bytes of the campaign id that are the key of its advisory lock. */
#define LOCK_KEY   4

static struct param
int8(uint8_t dst[8], uint64_t v)
{
	for (int i = 0; i < 8; i++)
		dst[i] = (uint8_t)(v >> (56 - 8 * i));
	return (struct param){ dst, 8 };
}

static struct param
int4(uint8_t dst[4], uint32_t v)
{
	dst[0] = (uint8_t)(v >> 24);
	dst[1] = (uint8_t)(v >> 16);
	dst[2] = (uint8_t)(v >> 8);
	dst[3] = (uint8_t)v;
	return (struct param){ dst, 4 };
}

/* --- rows ------------------------------------------------------------------------- */

static const uint8_t *
cell(const PGresult *res, int row, int col, size_t min, size_t max,
    size_t *ret_len)
{
	int n = PQgetlength(res, row, col);

	if (PQgetisnull(res, row, col) || PQfformat(res, col) != 1 || n < 0 ||
	    (size_t)n < min || (size_t)n > max)
		return NULL;
	*ret_len = (size_t)n;
	return (const uint8_t *)PQgetvalue(res, row, col);
}

/* Borrows memory of the result. */
static bool
row(const PGresult *res, int i, struct pv_record *rec)
{
	const uint8_t *p;
	uint64_t seq = 0;
	uint32_t kind;
	size_t n;

	memset(rec, 0, sizeof(*rec));
	if (PQnfields(res) < N_COLS ||
	    (p = cell(res, i, 0, 16, 16, &n)) == NULL)
		return false;
	memcpy(rec->campaign_id, p, 16);
	if ((p = cell(res, i, 1, 8, 8, &n)) == NULL)
		return false;
	seq = (uint64_t)pv_get_u32be(p) << 32 | pv_get_u32be(p + 4);
	if ((p = cell(res, i, 2, 4, 4, &n)) == NULL)
		return false;
	kind = pv_get_u32be(p);
	if (seq == 0 || seq > INT64_MAX || kind > UINT16_MAX)
		return false;
	rec->seq = seq;
	rec->kind = (uint16_t)kind;
	if (!PQgetisnull(res, i, 3)) {
		if ((p = cell(res, i, 3, 32, 32, &n)) == NULL)
			return false;
		memcpy(rec->chip, p, 32);
	}
	rec->entry = cell(res, i, 4, 1, PV_ENTRY_MAX, &rec->entry_len);
	if (rec->entry == NULL || (p = cell(res, i, 5, 64, 64, &n)) == NULL)
		return false;
	memcpy(rec->signature, p, 64);
	return true;
}

static int
bad_row(const struct pg_store *s, struct pv_error *e)
{
	return pv_fail(e, PV_E_MALFORMED,
	    "ledger '%s': a row is not a ledger entry", s->url);
}

/* --- the lock --------------------------------------------------------------------- */

/* The lock alone, or with what will be asked under it. */
static PGresult *
execute_lock(struct pg_store *s, bool look_ahead)
{
	struct ahead *a = &s->ahead;
	const struct param key = { s->campaign_id, LOCK_KEY };
	const struct param id = { s->campaign_id, 16 };
	struct pg_call calls[2 + N_KINDS] = {
		{ ST_LOCK, &key },
		{ ST_LAST, &id },
	};
	PGresult *res[2 + N_KINDS];
	struct param chip[N_KINDS][3];
	uint8_t kind[N_KINDS][4];
	size_t n = 2;

	if (!look_ahead)
		return pv_pg_execute(s, ST_LOCK, &key);
	pv_pg_forget(s);
	if (memcmp(a->campaign_id, s->campaign_id, 16) != 0)
		a->n_kinds = 0;
	for (size_t i = 0; i < a->n_kinds; i++) {
		chip[i][0] = id;
		chip[i][1] = (struct param){ a->chip, 32 };
		chip[i][2] = int4(kind[i], a->kinds[i]);
		calls[n++] = (struct pg_call){ ST_LAST_CHIP, chip[i] };
	}
	pv_pg_execute_all(s, calls, n, res);
	if (PQresultStatus(res[1]) == PGRES_TUPLES_OK)
		a->last = res[1];
	else
		PQclear(res[1]);
	for (size_t i = 0; i < a->n_kinds; i++) {
		if (PQresultStatus(res[2 + i]) == PGRES_TUPLES_OK)
			a->by_kind[i] = res[2 + i];
		else
			PQclear(res[2 + i]);
	}
	return res[0];
}

static int
lock_again(struct pg_store *s, bool look_ahead, struct pv_error *e)
{
	char sql[64];
	PGresult *res;
	int r = 0;

	if (s->lock_ms_set != s->lock_ms) {
		(void)snprintf(sql, sizeof(sql), "SET lock_timeout = %d",
		    s->lock_ms > 0 ? s->lock_ms : 1);
		r = pv_pg_command(s, sql, e);
		if (r != 0)
			return r;
		s->lock_ms_set = s->lock_ms;
	}
	res = execute_lock(s, look_ahead);
	if (PQresultStatus(res) == PGRES_TUPLES_OK && !s->broken)
		s->locked = true;
	else if (pv_pg_state_is(res, STATE_LOCK_TIMEOUT))
		r = pv_fail(e, PV_E_IO,
		    "waiting for another command: ledger '%s' is held for "
		    "more than %d ms",
		    s->url, s->lock_ms);
	else
		r = pv_pg_fail(s, res, "locking", e);
	PQclear(res);
	if (!s->locked)
		pv_pg_forget(s);
	return r;
}

static int
store_lock(void *ctx, const uint8_t campaign_id[16], int timeout_ms,
    struct pv_error *e)
{
	int64_t deadline = pv_now_ms() + AWAY_MS;
	struct pg_store *s = ctx;
	int r;

	if (s->want_lock)
		return pv_fail(e, PV_E_INTERNAL, "ledger lock taken twice");
	memcpy(s->campaign_id, campaign_id, sizeof(s->campaign_id));
	s->lock_ms = timeout_ms;
	for (;;) {
		r = lock_again(s, true, e);
		if (r == 0)
			break;
		if (!s->gone || pv_ms_left(deadline) == 0)
			return r;
		r = pv_pg_reconnect(s, deadline, e);
		if (r != 0)
			return r;
	}
	s->want_lock = true;
	return 0;
}

static void
store_unlock(void *ctx)
{
	struct pg_store *s = ctx;
	const struct param key = { s->campaign_id, LOCK_KEY };
	PGresult *res;

	pv_pg_forget(s);
	if (s->locked) {
		res = pv_pg_execute(s, ST_UNLOCK, &key);
		/* A lock must not outlive us: without an answer, hang up. */
		if (PQresultStatus(res) != PGRES_TUPLES_OK) {
			PQfinish(s->conn);
			s->conn = NULL; /* the next one asks anew */
		}
		PQclear(res);
	}
	s->locked = false;
	s->want_lock = false;
}

/* --- appending -------------------------------------------------------------------- */

/*
 * After a lost answer, under the lock again: 1 when the entry is the last one
 * there, 0 when its place is free and next, else an error.
 */
static int
look_back(struct pg_store *s, const struct pv_record *rec, struct pv_error *e)
{
	const struct param id = { rec->campaign_id, 16 };
	struct pv_record last = { 0 };
	PGresult *res;
	int r;

	r = pv_pg_query(s, ST_LAST, &id, &res, e);
	if (r != 0)
		return r;
	if (PQntuples(res) > 0 && !row(res, 0, &last))
		r = bad_row(s, e);
	else if (last.seq == rec->seq && last.entry != NULL &&
		 last.entry_len == rec->entry_len &&
		 memcmp(last.entry, rec->entry, rec->entry_len) == 0 &&
		 memcmp(last.signature, rec->signature, 64) == 0)
		r = 1;
	else if (last.seq >= rec->seq)
		r = pv_fail(e, PV_E_EXISTS,
		    "ledger '%s': another command wrote while the connection "
		    "was lost; entry %" PRIu64 " is taken",
		    s->url, rec->seq);
	else if (last.seq + 1 != rec->seq)
		r = pv_fail(e, PV_E_IO,
		    "ledger '%s' ends at entry %" PRIu64 " after the "
		    "connection was lost: the server lost entries",
		    s->url, last.seq);
	PQclear(res);
	return r;
}

/* Connection, lock and place after a lost answer. As look_back(). */
static int
come_back(struct pg_store *s, const struct pv_record *rec, int64_t deadline,
    struct pv_error *e)
{
	int r;

	for (;;) {
		r = pv_pg_reconnect(s, deadline, e);
		if (r == 0 && s->want_lock)
			r = lock_again(s, false, e);
		if (r == 0)
			r = look_back(s, rec, e);
		if (r >= 0 && s->want_lock && !s->locked)
			continue; /* it broke again within the look */
		if (r >= 0 || !s->gone || pv_ms_left(deadline) == 0)
			return r;
	}
}

static int
store_append(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	static const uint8_t no_chip[32];
	struct pg_store *s = ctx;
	uint8_t seq[8], kind[4];
	const bool chip = memcmp(rec->chip, no_chip, 32) != 0;
	const struct param p[] = {
		{ rec->campaign_id, 16 },
		int8(seq, rec->seq),
		int4(kind, rec->kind),
		{ chip ? rec->chip : NULL, chip ? 32 : 0 },
		{ rec->entry, (int)rec->entry_len },
		{ rec->signature, 64 },
	};
	int64_t deadline = 0;
	int tries = 0, r;

	if (rec->seq > INT64_MAX || rec->entry_len > PV_ENTRY_MAX)
		return pv_fail(e, PV_E_INTERNAL, "ledger entry too large");
	pv_pg_forget(s);
	/* The connection broke since the lock was taken. */
	if (s->want_lock && !s->locked)
		r = come_back(s, rec, pv_now_ms() + AWAY_MS, e);
	else
		r = 0;
	while (r == 0) {
		PGresult *res = pv_pg_execute(s, ST_APPEND, p);

		if (PQresultStatus(res) == PGRES_COMMAND_OK) {
			PQclear(res);
			return 0;
		}
		if (pv_pg_lost(s, res)) {
			if (deadline == 0)
				deadline = pv_now_ms() + AWAY_MS;
			r = pv_pg_fail(s, res, "writing", e);
			if (pv_ms_left(deadline) > 0)
				r = come_back(s, rec, deadline, e);
		} else if (pv_pg_try_again(res) && ++tries <= RETRIES) {
			pv_sleep_ms(tries);
		} else if (pv_pg_state_is(res, STATE_UNIQUE)) {
			r = pv_fail(e, PV_E_EXISTS,
			    "ledger '%s' already has entry %" PRIu64, s->url,
			    rec->seq);
		} else {
			r = pv_pg_fail(s, res, "writing", e);
		}
		PQclear(res);
	}
	if (r > 0)
		pv_error_clear(e);
	return r > 0 ? 0 : r;
}

/* --- reading ----------------------------------------------------------------------- */

/* Hand a page to `each`; *ret_last is the last row's seq or place. */
static int
page(const struct pg_store *s, const PGresult *res, bool firsts,
    pv_record_fn each, void *each_ctx, uint64_t *ret_last, struct pv_error *e)
{
	struct pv_record rec;
	const uint8_t *p;
	size_t n;
	int r;

	for (int i = 0; i < PQntuples(res); i++) {
		if (!row(res, i, &rec) ||
		    (p = cell(res, i, N_COLS, 8, 8, &n)) == NULL)
			return bad_row(s, e);
		*ret_last = firsts ? (uint64_t)pv_get_u32be(p) << 32 |
					 pv_get_u32be(p + 4)
				   : rec.seq;
		r = each(each_ctx, &rec, e);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
store_scan(void *ctx, const uint8_t *campaign_id, uint64_t from,
    pv_record_fn each, void *each_ctx, struct pv_error *e)
{
	struct pg_store *s = ctx;
	bool firsts = campaign_id == NULL;
	uint64_t limit = PAGE_FIRST, last = 0;
	uint8_t start[8], most[8];
	int n, r;

	/* For the first entries, by the order in which they came. */
	from = firsts ? 0 : from > INT64_MAX ? INT64_MAX : from;
	for (;;) {
		struct param p[3];
		PGresult *res;
		int k = 0;

		if (!firsts)
			p[k++] = (struct param){ campaign_id, 16 };
		p[k++] = int8(start, from);
		p[k] = int8(most, limit);
		r = pv_pg_query(s, firsts ? ST_FIRSTS : ST_SCAN, p, &res, e);
		if (r != 0)
			return r;
		n = PQntuples(res);
		r = page(s, res, firsts, each, each_ctx, &last, e);
		PQclear(res);
		if (r != 0 || n < (int)limit || last >= INT64_MAX)
			return r;
		from = last + 1;
		limit = PAGE_NEXT;
	}
}

/* Remember what is asked; its place among the kinds. */
static size_t
remember(struct pg_store *s, const uint8_t campaign_id[16],
    const uint8_t chip[32], uint16_t kind)
{
	struct ahead *a = &s->ahead;
	size_t i;

	if (memcmp(a->campaign_id, campaign_id, 16) != 0 ||
	    memcmp(a->chip, chip, 32) != 0) {
		pv_pg_forget(s);
		memcpy(a->campaign_id, campaign_id, 16);
		memcpy(a->chip, chip, 32);
		a->n_kinds = 0;
	}
	for (i = 0; i < a->n_kinds; i++)
		if (a->kinds[i] == kind)
			return i;
	if (i < N_KINDS)
		a->kinds[a->n_kinds++] = kind;
	return i;
}

/* The answer, when it came with the lock that is held; borrowed. */
static const PGresult *
answer(struct pg_store *s, const uint8_t campaign_id[16], const uint8_t *chip,
    uint16_t kind)
{
	size_t i = chip == NULL ? 0 : remember(s, campaign_id, chip, kind);

	if (!s->locked || memcmp(s->campaign_id, campaign_id, 16) != 0)
		return NULL;
	if (chip == NULL)
		return s->ahead.last;
	return i < N_KINDS ? s->ahead.by_kind[i] : NULL;
}

static int
last_row(struct pg_store *s, const PGresult *res, pv_record_fn each,
    void *each_ctx, struct pv_error *e)
{
	uint64_t last;

	if (PQntuples(res) == 0)
		return pv_fail(
		    e, PV_E_NOT_FOUND, "ledger '%s' has no such entry", s->url);
	return page(s, res, false, each, each_ctx, &last, e);
}

static int
store_last(void *ctx, const uint8_t campaign_id[16], const uint8_t *chip,
    uint16_t kind, pv_record_fn each, void *each_ctx, struct pv_error *e)
{
	struct pg_store *s = ctx;
	const PGresult *known = answer(s, campaign_id, chip, kind);
	uint8_t number[4];
	const struct param p[] = {
		{ campaign_id, 16 },
		{ chip, 32 },
		int4(number, kind),
	};
	PGresult *res;
	int r;

	if (known != NULL)
		return last_row(s, known, each, each_ctx, e);
	r = pv_pg_query(s, chip == NULL ? ST_LAST : ST_LAST_CHIP, p, &res, e);
	if (r != 0)
		return r;
	r = last_row(s, res, each, each_ctx, e);
	PQclear(res);
	return r;
}

static void
store_free(void *ctx)
{
	struct pg_store *s = ctx;

	if (s == NULL)
		return;
	/* The server drops the lock with the session. */
	pv_pg_forget(s);
	PQfinish(s->conn);
	free(s);
}

/* --- opening ---------------------------------------------------------------- */

bool
pv_store_has_postgres(void)
{
	return true;
}

int
pv_store_postgres(const char *url, enum pv_store_mode mode,
    struct pv_store *ret_store, struct pv_error *e)
{
	struct pg_store *s;
	int r;

	if (strlen(url) >= URL_CAP)
		return pv_fail(e, PV_E_USAGE, "--ledger is too long");
	r = pv_pq_load(e);
	if (r == 0)
		r = pv_pg_check_url(url, e);
	if (r != 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	(void)snprintf(s->url, sizeof(s->url), "%s", url);
	r = pv_pg_connect(s, e);
	if (r == 0 && mode == PV_STORE_INIT)
		r = pv_pg_initialize(s, e);
	if (r == 0)
		r = pv_pg_check_version(s, e);
	if (r == 0)
		r = pv_pg_prepare(s, e);
	if (r != 0) {
		store_free(s);
		return r;
	}
	*ret_store = (struct pv_store){
		.ctx = s,
		.lock = store_lock,
		.unlock = store_unlock,
		.append = store_append,
		.scan = store_scan,
		.last = store_last,
		.free = store_free,
	};
	return 0;
}

#else

bool
pv_store_has_postgres(void)
{
	return false;
}

int
pv_store_postgres(const char *url, enum pv_store_mode mode,
    struct pv_store *ret_store, struct pv_error *e)
{
	(void)url;
	(void)mode;
	(void)ret_store;
	(void)pv_fail(
	    e, PV_E_UNSUPPORTED, "this program was built without PostgreSQL");
	(void)pv_hint(e, "build it where pkg-config knows libpq; 'provisor "
			 "--version' lists what is in");
	return PV_E_UNSUPPORTED;
}
#endif
