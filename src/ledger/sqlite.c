/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The embedded store: one SQLite file. Write-ahead log with full
 * synchronisation, so an append that returned is on the disk. The writers of
 * one campaign take turns by a lock file beside the ledger, which the kernel
 * releases when a process dies.
 *
 * The file is hostile input: no triggers, views or functions of its schema
 * run, and every row is checked for shape before it is handed on.
 */
#include <provisor/store.h>

#include "base/file.h"
#include "base/hex.h"
#include "formats/ledger.h"

#include <sqlite3.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* "PVLD" in the file header (https://sqlite.org/fileformat2.html, 1.3.15) */
#define APPLICATION_ID 0x50564c44
#define SCHEMA_VERSION 1
/* How long one statement waits for another campaign's writer. */
#define BUSY_MS	       60000
#define PATH_CAP       4096

enum statement {
	ST_APPEND,
	ST_LAST,
	ST_LAST_CHIP,
	N_STATEMENTS,
};

#define COLUMNS "campaign, seq, kind, chip, entry, signature"

static const char *const sql[N_STATEMENTS] = {
	[ST_APPEND] =
	    "INSERT INTO entry (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[ST_LAST] = "SELECT " COLUMNS " FROM entry WHERE campaign = ?1"
		    " ORDER BY seq DESC LIMIT 1",
	[ST_LAST_CHIP] = "SELECT " COLUMNS " FROM entry WHERE campaign = ?1"
			 " AND chip = ?2 AND kind = ?3"
			 " ORDER BY seq DESC LIMIT 1",
};
static const char sql_scan[] = "SELECT " COLUMNS " FROM entry"
			       " WHERE campaign = ?1 AND seq >= ?2"
			       " ORDER BY seq";
static const char sql_firsts[] =
    "SELECT " COLUMNS " FROM entry WHERE seq = 1 ORDER BY rowid";
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS entry ("
    " campaign BLOB NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL,"
    " chip BLOB, entry BLOB NOT NULL, signature BLOB NOT NULL,"
    " UNIQUE (campaign, seq));"
    "CREATE INDEX IF NOT EXISTS entry_chip"
    " ON entry (campaign, chip, kind, seq) WHERE chip IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS entry_first"
    " ON entry (seq) WHERE seq = 1;";

struct sqlite_store {
	sqlite3 *db;
	sqlite3_stmt *st[N_STATEMENTS];
	char path[PATH_CAP];
	int lock_fd;	  /* -1: not held */
	bool read_only;	  /* this account may not write the file or beside it */
	bool immutable;	  /* read without locks: see open_immutable */
	struct stat seen; /* immutable: the file as it was opened */
};

static int
fail_db(struct sqlite_store *s, const char *doing, struct pv_error *e)
{
	int rc = sqlite3_extended_errcode(s->db), r;
	int code = PV_E_IO;
	const char *why = sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		code = PV_E_MALFORMED;
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		why = "another process holds it";
		break;
	case SQLITE_NOMEM:
		code = PV_E_NOMEM;
		break;
	case SQLITE_ERROR:
		/* A missing table or column. */
		code = PV_E_MALFORMED;
		why = sqlite3_errmsg(s->db);
		break;
	default:
		break;
	}
	r = pv_fail(e, code, "%s ledger '%s': %s", doing, s->path, why);
	if (e != NULL)
		e->vendor_code = rc;
	return r;
}

/* --- rows ------------------------------------------------------------------ */

static bool
blob(sqlite3_stmt *st, int col, size_t min, size_t max, const uint8_t **ret_p,
    size_t *ret_len)
{
	int n;

	if (sqlite3_column_type(st, col) != SQLITE_BLOB)
		return false;
	*ret_p = sqlite3_column_blob(st, col);
	n = sqlite3_column_bytes(st, col);
	if (*ret_p == NULL || n < 0 || (size_t)n < min || (size_t)n > max)
		return false;
	*ret_len = (size_t)n;
	return true;
}

/* Borrows memory of the statement's current row. */
static bool
row(sqlite3_stmt *st, struct pv_record *rec)
{
	const uint8_t *p;
	sqlite3_int64 seq, kind;
	size_t n;

	memset(rec, 0, sizeof(*rec));
	if (!blob(st, 0, 16, 16, &p, &n))
		return false;
	memcpy(rec->campaign_id, p, 16);
	seq = sqlite3_column_int64(st, 1);
	kind = sqlite3_column_int64(st, 2);
	if (sqlite3_column_type(st, 1) != SQLITE_INTEGER || seq < 1 ||
	    sqlite3_column_type(st, 2) != SQLITE_INTEGER || kind < 0 ||
	    kind > UINT16_MAX)
		return false;
	rec->seq = (uint64_t)seq;
	rec->kind = (uint16_t)kind;
	if (sqlite3_column_type(st, 3) != SQLITE_NULL) {
		if (!blob(st, 3, 32, 32, &p, &n))
			return false;
		memcpy(rec->chip, p, 32);
	}
	if (!blob(st, 4, 1, PV_ENTRY_MAX, &rec->entry, &rec->entry_len))
		return false;
	if (!blob(st, 5, 64, 64, &p, &n))
		return false;
	memcpy(rec->signature, p, 64);
	return true;
}

/* Hand every row to `each`. *ret_n counts them. */
static int
rows(struct sqlite_store *s, sqlite3_stmt *st, pv_record_fn each,
    void *each_ctx, uint64_t *ret_n, struct pv_error *e)
{
	struct pv_record rec;
	int rc, r = 0;

	*ret_n = 0;
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (!row(st, &rec))
			return pv_fail(e, PV_E_MALFORMED,
			    "ledger '%s': a row is not a ledger entry",
			    s->path);
		++*ret_n;
		r = each(each_ctx, &rec, e);
		if (r != 0)
			return r;
	}
	if (rc != SQLITE_DONE)
		return fail_db(s, "reading", e);
	return 0;
}

/* --- the interface ---------------------------------------------------------- */

static int
fail_read_only(const struct sqlite_store *s, struct pv_error *e)
{
	(void)pv_fail(e, PV_E_IO,
	    "ledger '%s' can only be read by this account", s->path);
	return pv_hint(e, "whoever issues or records needs write permission on "
			  "the ledger and "
			  "on its folder; nothing was changed");
}

/* A file read without locks must not have changed meanwhile. */
static int
check_still(const struct sqlite_store *s, struct pv_error *e)
{
	char wal[PATH_CAP + 8];
	struct stat now, st;

	if (!s->immutable)
		return 0;
	(void)snprintf(wal, sizeof(wal), "%s-wal", s->path);
	if (stat(s->path, &now) == 0 && now.st_ino == s->seen.st_ino &&
	    now.st_dev == s->seen.st_dev && now.st_size == s->seen.st_size &&
	    now.st_mtim.tv_sec == s->seen.st_mtim.tv_sec &&
	    now.st_mtim.tv_nsec == s->seen.st_mtim.tv_nsec &&
	    stat(wal, &st) != 0)
		return 0;
	(void)pv_fail(
	    e, PV_E_IO, "ledger '%s' changed while it was read", s->path);
	return pv_hint(e, "run the command again");
}

static int
store_lock(void *ctx, const uint8_t campaign_id[16], int timeout_ms,
    struct pv_error *e)
{
	struct sqlite_store *s = ctx;
	char path[PATH_CAP + 48], hex[33];
	int r;

	if (s->lock_fd >= 0)
		return pv_fail(e, PV_E_INTERNAL, "ledger lock taken twice");
	pv_hex_encode(hex, campaign_id, 16);
	(void)snprintf(path, sizeof(path), "%s-lock-%s", s->path, hex);
	/* An audit's moment of rest: where others' lock cannot be had either,
	 * append refuses in any case. */
	if (s->read_only && access(path, R_OK | W_OK) != 0)
		return 0;
	r = pv_file_lock(path, timeout_ms, &s->lock_fd, e);
	if (r != 0)
		return pv_wrap(e, "waiting for another command");
	return 0;
}

static void
store_unlock(void *ctx)
{
	struct sqlite_store *s = ctx;

	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	s->lock_fd = -1;
}

static int
store_append(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	static const uint8_t no_chip[32];
	struct sqlite_store *s = ctx;
	sqlite3_stmt *st = s->st[ST_APPEND];
	int rc, r = 0;

	if (s->read_only)
		return fail_read_only(s, e);
	if (rec->seq > INT64_MAX || rec->entry_len > PV_ENTRY_MAX)
		return pv_fail(e, PV_E_INTERNAL, "ledger entry too large");
	rc = sqlite3_bind_blob(st, 1, rec->campaign_id, 16, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(st, 2, (sqlite3_int64)rec->seq);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int(st, 3, rec->kind);
	if (rc == SQLITE_OK) {
		if (memcmp(rec->chip, no_chip, 32) == 0)
			rc = sqlite3_bind_null(st, 4);
		else
			rc = sqlite3_bind_blob(
			    st, 4, rec->chip, 32, SQLITE_STATIC);
	}
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_blob(
		    st, 5, rec->entry, (int)rec->entry_len, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc =
		    sqlite3_bind_blob(st, 6, rec->signature, 64, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(st);
	if ((rc & 0xff) == SQLITE_CONSTRAINT)
		r = pv_fail(e, PV_E_EXISTS,
		    "ledger '%s' already has entry %" PRIu64, s->path,
		    rec->seq);
	else if (rc != SQLITE_DONE)
		r = fail_db(s, "writing", e);
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	return r;
}

static int
store_scan(void *ctx, const uint8_t *campaign_id, uint64_t from,
    pv_record_fn each, void *each_ctx, struct pv_error *e)
{
	struct sqlite_store *s = ctx;
	sqlite3_stmt *st = NULL;
	uint64_t n;
	int rc, r;

	rc = sqlite3_prepare_v2(
	    s->db, campaign_id == NULL ? sql_firsts : sql_scan, -1, &st, NULL);
	if (rc == SQLITE_OK && campaign_id != NULL) {
		if (from > INT64_MAX)
			from = INT64_MAX;
		rc = sqlite3_bind_blob(st, 1, campaign_id, 16, SQLITE_STATIC);
		if (rc == SQLITE_OK)
			rc = sqlite3_bind_int64(st, 2, (sqlite3_int64)from);
	}
	if (rc != SQLITE_OK)
		r = fail_db(s, "reading", e);
	else
		r = rows(s, st, each, each_ctx, &n, e);
	(void)sqlite3_finalize(st);
	return r == 0 ? check_still(s, e) : r;
}

static int
store_last(void *ctx, const uint8_t campaign_id[16], const uint8_t *chip,
    uint16_t kind, pv_record_fn each, void *each_ctx, struct pv_error *e)
{
	struct sqlite_store *s = ctx;
	sqlite3_stmt *st = s->st[chip == NULL ? ST_LAST : ST_LAST_CHIP];
	uint64_t n = 0;
	int rc, r;

	rc = sqlite3_bind_blob(st, 1, campaign_id, 16, SQLITE_STATIC);
	if (rc == SQLITE_OK && chip != NULL)
		rc = sqlite3_bind_blob(st, 2, chip, 32, SQLITE_STATIC);
	if (rc == SQLITE_OK && chip != NULL)
		rc = sqlite3_bind_int(st, 3, kind);
	if (rc != SQLITE_OK)
		r = fail_db(s, "reading", e);
	else
		r = rows(s, st, each, each_ctx, &n, e);
	(void)sqlite3_reset(st);
	(void)sqlite3_clear_bindings(st);
	if (r == 0 && n == 0)
		r = pv_fail(e, PV_E_NOT_FOUND, "ledger '%s' has no such entry",
		    s->path);
	else if (r == 0)
		r = check_still(s, e);
	return r;
}

static void
store_free(void *ctx)
{
	struct sqlite_store *s = ctx;

	if (s == NULL)
		return;
	store_unlock(s);
	for (size_t i = 0; i < N_STATEMENTS; i++)
		(void)sqlite3_finalize(s->st[i]);
	(void)sqlite3_close(s->db);
	free(s);
}

/* --- opening ---------------------------------------------------------------- */

static int
exec(struct sqlite_store *s, const char *text, struct pv_error *e)
{
	if (sqlite3_exec(s->db, text, NULL, NULL, NULL) != SQLITE_OK)
		return fail_db(s, "preparing", e);
	return 0;
}

static int
pragma(struct sqlite_store *s, const char *text, sqlite3_int64 *ret_v,
    struct pv_error *e)
{
	sqlite3_stmt *st = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, text, -1, &st, NULL) != SQLITE_OK ||
	    sqlite3_step(st) != SQLITE_ROW)
		r = fail_db(s, "opening", e);
	else
		*ret_v = sqlite3_column_int64(st, 0);
	(void)sqlite3_finalize(st);
	return r;
}

/* A new file gets its schema; two processes may find it new at once. */
static int
initialize(struct sqlite_store *s, struct pv_error *e)
{
	char text[128], path[PATH_CAP + 16];
	int fd, r;

	(void)snprintf(path, sizeof(path), "%s-lock", s->path);
	r = pv_file_lock(path, BUSY_MS, &fd, e);
	if (r != 0)
		return r;
	(void)snprintf(text, sizeof(text),
	    "PRAGMA application_id = %d; PRAGMA user_version = %d;",
	    APPLICATION_ID, SCHEMA_VERSION);
	r = exec(s, "PRAGMA journal_mode = WAL", e);
	if (r == 0)
		r = exec(s, "BEGIN IMMEDIATE", e);
	if (r == 0)
		r = exec(s, schema, e);
	if (r == 0)
		r = exec(s, text, e);
	if (r == 0)
		r = exec(s, "COMMIT", e);
	(void)close(fd);
	return r;
}

static int
check_version(struct sqlite_store *s, int create, struct pv_error *e)
{
	sqlite3_int64 app = 0, version = 0, objects = 0;
	int r;

	r = pragma(s, "PRAGMA application_id", &app, e);
	if (r == 0)
		r = pragma(s, "PRAGMA user_version", &version, e);
	if (r == 0)
		r = pragma(
		    s, "SELECT count(*) FROM sqlite_schema", &objects, e);
	if (r != 0)
		return r;
	if (app == 0 && version == 0 && objects == 0) {
		if (create)
			return initialize(s, e);
		r = pv_fail(e, PV_E_NOT_FOUND, "ledger '%s' is empty", s->path);
		(void)pv_hint(e, "'provisor campaign create' begins a ledger");
		return r;
	}
	if (app != APPLICATION_ID)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' is a database, but not a ledger", s->path);
	if (version != SCHEMA_VERSION)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "ledger '%s' has version %lld, this program knows %d",
		    s->path, (long long)version, SCHEMA_VERSION);
	return 0;
}

/* May this account write the file, and the log beside it? */
static bool
may_write(const char *path)
{
	char folder[PATH_CAP];
	char *slash;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL)
		(void)snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder ? 1 : 0] = '\0';
	return access(path, W_OK) == 0 && access(folder, W_OK) == 0;
}

static int
open_flags(struct sqlite_store *s, const char *name, int flags)
{
	return sqlite3_open_v2(name, &s->db,
	    flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
}

/*
 * A ledger that no program has open, where this account cannot make the files
 * that SQLite reads a write-ahead log with: without locks, and so only when
 * there is no log, and check_still() after every reading.
 */
static int
open_immutable(struct sqlite_store *s, struct pv_error *e)
{
	char uri[3 * PATH_CAP + 32], wal[PATH_CAP + 8], *to;
	struct stat st;

	(void)snprintf(wal, sizeof(wal), "%s-wal", s->path);
	if (stat(wal, &st) == 0 && st.st_size > 0) {
		(void)pv_fail(e, PV_E_IO,
		    "ledger '%s' has its last entries in '%s', and this "
		    "account may not write beside it",
		    s->path, wal);
		return pv_hint(e,
		    "copy both files into a folder of yours and read them "
		    "there (--ledger)");
	}
	(void)snprintf(uri, sizeof(uri), "file:");
	to = uri + strlen(uri);
	/* What a URI cannot hold: https://sqlite.org/uri.html, section 3.1 */
	for (const char *p = s->path; *p != '\0'; p++) {
		if (strchr("%?#", *p) == NULL)
			*to++ = *p;
		else
			to += snprintf(to, 4, "%%%02x", (unsigned int)*p);
	}
	(void)snprintf(to, 16, "?immutable=1");
	(void)sqlite3_close(s->db);
	s->db = NULL;
	s->immutable = true;
	if (stat(s->path, &s->seen) != 0 ||
	    open_flags(s, uri, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI) !=
		SQLITE_OK)
		return fail_db(s, "opening", e);
	return 0;
}

/* Read-only, with the locks and the log of others where there are any. */
static int
open_read_only(struct sqlite_store *s, struct pv_error *e)
{
	sqlite3_int64 unused;

	s->read_only = true;
	if (open_flags(s, s->path, SQLITE_OPEN_READONLY) != SQLITE_OK)
		return fail_db(s, "opening", e);
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	if (pragma(s, "SELECT count(*) FROM sqlite_schema", &unused, e) == 0)
		return 0;
	if ((sqlite3_errcode(s->db) & 0xff) != SQLITE_CANTOPEN &&
	    (sqlite3_errcode(s->db) & 0xff) != SQLITE_READONLY)
		return PV_E_IO;
	pv_error_clear(e);
	return open_immutable(s, e);
}

static int
open_file(struct sqlite_store *s, int create, struct pv_error *e)
{
	int fd, r;

	/*
	 * SQLite would make it with the umask alone. A file that is there is
	 * not opened here: closing it would drop the locks another connection
	 * of this process has on it (fcntl(2)).
	 */
	if (access(s->path, F_OK) != 0) {
		if (!create) {
			r = pv_fail_errno(e, PV_E_NOT_FOUND, errno,
			    "opening ledger '%s'", s->path);
			(void)pv_hint(
			    e, "'provisor campaign create' begins a ledger");
			return r;
		}
		fd = open(s->path, O_RDWR | O_CLOEXEC | O_CREAT, 0600);
		if (fd < 0)
			return pv_fail_errno(
			    e, PV_E_IO, errno, "creating ledger '%s'", s->path);
		(void)close(fd);
	}
	if (!may_write(s->path))
		r = open_read_only(s, e);
	else if (open_flags(s, s->path, SQLITE_OPEN_READWRITE) != SQLITE_OK)
		r = fail_db(s, "opening", e);
	else
		r = 0;
	if (r != 0)
		return r;
	(void)sqlite3_busy_timeout(s->db, BUSY_MS);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	(void)sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	(void)sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, 1 << 20);
	r = exec(
	    s, "PRAGMA cell_size_check = ON; PRAGMA synchronous = FULL;", e);
	if (r == 0)
		r = check_version(s, create, e);
	for (size_t i = 0; r == 0 && i < N_STATEMENTS; i++) {
		if (sqlite3_prepare_v3(s->db, sql[i], -1,
			SQLITE_PREPARE_PERSISTENT, &s->st[i],
			NULL) != SQLITE_OK)
			r = fail_db(s, "opening", e);
	}
	return r;
}

int
pv_store_sqlite(const char *path, int create, struct pv_store *ret_store,
    struct pv_error *e)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	s->lock_fd = -1;
	if (strlen(path) >= sizeof(s->path)) {
		free(s);
		return pv_fail(e, PV_E_USAGE, "path of the ledger too long");
	}
	(void)snprintf(s->path, sizeof(s->path), "%s", path);
	r = open_file(s, create, e);
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
