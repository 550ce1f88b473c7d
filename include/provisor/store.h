/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a ledger lives: appends records, finds them again. A store keeps
 * bytes and does not judge them; the rules are in the ledger. SQLite is the
 * embedded store, PostgreSQL the one of many stations.
 */
#ifndef PROVISOR_STORE_H
#define PROVISOR_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One signed record of one campaign's chain. */
struct pv_record {
	uint8_t campaign_id[16];
	uint64_t seq;	      /* 1, 2, 3, ... in this campaign */
	const uint8_t *entry; /* encoded entry, formats/ledger.md */
	size_t entry_len;
	uint8_t signature[64]; /* r, s */
	uint8_t chip[32];      /* index: how the ledger names it, or 0 */
	uint16_t kind;	       /* index: entry kind */
};

typedef int (*pv_record_fn)(
    void *ctx, const struct pv_record *rec, struct pv_error *e);

struct pv_store {
	void *ctx;
	/*
	 * One writer per campaign: waits at most timeout_ms (PV_E_IO then).
	 * The lock ends with unlock or with the process, and with a store on
	 * a server when the connection is lost: then append takes it again
	 * and fails unless nobody else wrote in between.
	 */
	int (*lock)(void *ctx, const uint8_t campaign_id[16], int timeout_ms,
	    struct pv_error *e);
	void (*unlock)(void *ctx);
	/* Durable when it returns 0. A seq already there is PV_E_EXISTS. */
	int (*append)(
	    void *ctx, const struct pv_record *rec, struct pv_error *e);
	/* Records with seq >= from in order; nonzero from `each` stops and
	 * is returned. campaign_id NULL: the first record of every campaign.
	 * `each` may call `last` and another scan. */
	int (*scan)(void *ctx, const uint8_t *campaign_id, uint64_t from,
	    pv_record_fn each, void *each_ctx, struct pv_error *e);
	/* The last record of a campaign, or, with `chip`, the last record
	 * of that kind for that chip: at a cost that does not grow with the
	 * ledger. PV_E_NOT_FOUND when there is none. */
	int (*last)(void *ctx, const uint8_t campaign_id[16],
	    const uint8_t *chip, uint16_t kind, pv_record_fn each,
	    void *each_ctx, struct pv_error *e);
	void (*free)(void *ctx);
};

enum pv_store_mode {
	PV_STORE_READ,	 /* it must be there; it can be written to as well */
	PV_STORE_CREATE, /* a file is made when missing, a schema is not */
	PV_STORE_INIT,	 /* make file or schema when missing */
};

/*
 * The ledger at a location: "postgresql://..." or "postgres://..." (as libpq
 * takes it; a password in it is refused), anything else is the path of a
 * SQLite file.
 */
PV_MUST_USE int pv_store_open(const char *location, enum pv_store_mode mode,
    struct pv_store *ret_store, struct pv_error *e);
/* Is the location a database server's? */
bool pv_store_is_url(const char *location);

/*
 * A ledger in PostgreSQL. PV_E_UNSUPPORTED when the library was built
 * without libpq.
 */
PV_MUST_USE int pv_store_postgres(const char *url, enum pv_store_mode mode,
    struct pv_store *ret_store, struct pv_error *e);
/* Was it built with libpq? */
bool pv_store_has_postgres(void);

/* Open (and create, when `create`) a SQLite ledger file. */
PV_MUST_USE int pv_store_sqlite(const char *path, int create,
    struct pv_store *ret_store, struct pv_error *e);
void pv_store_release(struct pv_store *s);

#ifdef __cplusplus
}
#endif
#endif
