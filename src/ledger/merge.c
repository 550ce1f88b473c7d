/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/merge.h"

#include "crypto/digest.h"
#include "formats/ledger.h"
#include "ledger/journal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 4 million entries: some 2 GiB, more than any campaign has. */
#define RECORDS_MAX (1U << 22)

struct rec {
	uint8_t id[16];
	uint64_t seq;
	uint64_t number;
	uint8_t hash[32];
	uint8_t chip[32];
	uint8_t signature[64];
	uint8_t *entry;
	size_t len;
	size_t order; /* in which it was given */
	uint16_t kind;
	unsigned int site;
	bool pass;
	bool fork; /* another entry has this place */
};

struct pv_merge {
	struct rec *rec;
	size_t n, cap;
	uint64_t given;
	bool joined;
	pv_finding_fn each;
	void *ctx;
	struct pv_merge_totals totals;
};

const char *
pv_finding_name(enum pv_finding_kind kind)
{
	static const char *const names[PV_FINDING_KINDS] = {
		[PV_FINDING_BROKEN] = "broken",
		[PV_FINDING_GAP] = "gap",
		[PV_FINDING_FORK] = "fork",
		[PV_FINDING_RULES] = "rules",
		[PV_FINDING_DUPLICATE_CHIP] = "duplicate_chip",
		[PV_FINDING_OVER] = "over_production",
	};

	return kind < PV_FINDING_KINDS ? names[kind] : "?";
}

/* --- collecting --------------------------------------------------------------- */

int
pv_merge_new(struct pv_merge **ret_m, struct pv_error *e)
{
	*ret_m = calloc(1, sizeof(**ret_m));
	return *ret_m == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory") : 0;
}

void
pv_merge_free(struct pv_merge *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->rec[i].entry);
	free(m->rec);
	free(m);
}

int
pv_merge_add(struct pv_merge *m, unsigned int site, const uint8_t *entry,
    size_t len, const uint8_t signature[64], struct pv_error *e)
{
	struct pv_entry en;
	struct rec *r;
	int ret;

	ret = pv_entry_decode(entry, len, &en, e);
	if (ret != 0)
		return ret;
	if (m->n == RECORDS_MAX)
		return pv_fail(
		    e, PV_E_RANGE, "more than %u entries", RECORDS_MAX);
	if (m->n == m->cap) {
		size_t want = m->cap == 0 ? 1024 : m->cap * 2;

		r = realloc(m->rec, want * sizeof(*r));
		if (r == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		m->rec = r;
		m->cap = want;
	}
	r = &m->rec[m->n];
	memset(r, 0, sizeof(*r));
	ret = pv_journal_hash(entry, len, r->hash, e);
	if (ret != 0)
		return ret;
	r->entry = malloc(len);
	if (r->entry == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memcpy(r->entry, entry, len);
	r->len = len;
	memcpy(r->signature, signature, sizeof(r->signature));
	memcpy(r->id, en.campaign_id, sizeof(r->id));
	memcpy(r->chip, en.body.chip, sizeof(r->chip));
	r->seq = en.seq;
	r->number = en.body.number;
	r->kind = (uint16_t)en.kind;
	r->pass = en.body.pass;
	r->site = site;
	r->order = m->n++;
	m->given++;
	return 0;
}

/* --- as a store ---------------------------------------------------------------- */

static struct pv_record
record(const struct rec *r)
{
	struct pv_record out = { .seq = r->seq,
		.entry = r->entry,
		.entry_len = r->len,
		.kind = r->kind };

	memcpy(out.campaign_id, r->id, sizeof(out.campaign_id));
	memcpy(out.signature, r->signature, sizeof(out.signature));
	memcpy(out.chip, r->chip, sizeof(out.chip));
	return out;
}

/* The first place with this campaign and at least this seq. */
static size_t
place(const struct pv_merge *m, const uint8_t id[16], uint64_t seq)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(m->rec[mid].id, id, 16);

		if (c < 0 || (c == 0 && m->rec[mid].seq < seq))
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int
read_only(struct pv_error *e)
{
	return pv_fail(e, PV_E_INTERNAL, "joined ledgers can only be read");
}

static int
merged_lock(void *ctx, const uint8_t id[16], int timeout_ms, struct pv_error *e)
{
	(void)ctx;
	(void)id;
	(void)timeout_ms;
	return read_only(e);
}

static void
merged_unlock(void *ctx)
{
	(void)ctx;
}

static int
merged_append(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	(void)ctx;
	(void)rec;
	return read_only(e);
}

static int
merged_scan(void *ctx, const uint8_t *id, uint64_t from, pv_record_fn each,
    void *each_ctx, struct pv_error *e)
{
	const struct pv_merge *m = ctx;
	size_t i = id == NULL ? 0 : place(m, id, from);

	for (; i < m->n; i++) {
		struct pv_record rec = record(&m->rec[i]);
		int r;

		if (id != NULL && memcmp(m->rec[i].id, id, 16) != 0)
			break;
		if (m->rec[i].fork || (id == NULL && m->rec[i].seq != 1))
			continue;
		r = each(each_ctx, &rec, e);
		if (r != 0)
			return r;
	}
	return 0;
}

static int
merged_last(void *ctx, const uint8_t id[16], const uint8_t *chip, uint16_t kind,
    pv_record_fn each, void *each_ctx, struct pv_error *e)
{
	const struct pv_merge *m = ctx;
	size_t i = place(m, id, UINT64_MAX);

	while (i > 0 && memcmp(m->rec[i - 1].id, id, 16) == 0) {
		const struct rec *r = &m->rec[--i];
		struct pv_record rec = record(r);

		if (r->fork ||
		    (chip != NULL &&
			(r->kind != kind || memcmp(r->chip, chip, 32) != 0)))
			continue;
		return each(each_ctx, &rec, e);
	}
	return pv_fail(e, PV_E_NOT_FOUND, "no such entry");
}

void
pv_merge_store(struct pv_merge *m, struct pv_store *ret_store)
{
	*ret_store = (struct pv_store){
		.ctx = m,
		.lock = merged_lock,
		.unlock = merged_unlock,
		.append = merged_append,
		.scan = merged_scan,
		.last = merged_last,
	};
}

/* --- joining -------------------------------------------------------------------- */

static void PV_PRINTF(5, 6)
    finding(struct pv_merge *m, enum pv_finding_kind kind, const char *campaign,
	const uint8_t *chip, const char *fmt, ...)
{
	struct pv_finding f = { .kind = kind };
	va_list ap;

	(void)snprintf(f.campaign, sizeof(f.campaign), "%s", campaign);
	if (chip != NULL)
		memcpy(f.chip, chip, sizeof(f.chip));
	va_start(ap, fmt);
	(void)vsnprintf(f.message, sizeof(f.message), fmt, ap);
	va_end(ap);
	m->totals.findings++;
	m->each(m->ctx, &f);
}

static int
by_place(const void *va, const void *vb)
{
	const struct rec *a = va, *b = vb;
	int c = memcmp(a->id, b->id, sizeof(a->id));

	if (c != 0)
		return c;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	/* What was given first comes first. */
	return a->order < b->order ? -1 : 1;
}

/* The same entry from two sites is one entry. */
static void
drop_equal(struct pv_merge *m)
{
	size_t out = 0, first = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct rec *r = &m->rec[i];
		bool known = false;

		if (out == 0 || memcmp(r->id, m->rec[out - 1].id, 16) != 0 ||
		    r->seq != m->rec[out - 1].seq)
			first = out;
		for (size_t k = first; k < out && !known; k++)
			known = memcmp(r->hash, m->rec[k].hash, 32) == 0;
		if (known) {
			free(r->entry);
			continue;
		}
		r->fork = out > first;
		m->rec[out++] = *r;
	}
	m->n = out;
}

/* One campaign: m->rec[from..to). */
struct group {
	size_t from, to;
	char name[PV_CAMPAIGN_NAME];
	struct pv_campaign def; /* as far as it is known */
	bool defined;
	bool whole; /* without gap, fork and broken entry */
};

static void
define(struct pv_merge *m, struct group *g, const uint8_t (*keys)[64],
    size_t n_keys)
{
	const struct rec *first = &m->rec[g->from];
	struct pv_error e = { 0 };
	struct pv_record rec = record(first);
	struct pv_entry en;
	uint8_t hash[32];
	bool ours = n_keys == 0;

	(void)snprintf(g->name, sizeof(g->name), "%02x%02x%02x%02x...",
	    first->id[0], first->id[1], first->id[2], first->id[3]);
	g->whole = true;
	if (first->seq != 1) {
		finding(m, PV_FINDING_GAP, g->name, NULL,
		    "no site has the entries 1 to %" PRIu64
		    ": its limit and key are not known, nothing of it is "
		    "verified",
		    first->seq - 1);
		g->whole = false;
		return;
	}
	if (pv_journal_open(&rec, NULL, NULL, &en, hash, &e) != 0) {
		finding(m, PV_FINDING_BROKEN, g->name, NULL, "%s", e.msg);
		g->whole = false;
		return;
	}
	g->def = en.create;
	g->defined = true;
	(void)snprintf(g->name, sizeof(g->name), "%s", en.create.name);
	for (size_t k = 0; k < n_keys && !ours; k++)
		ours = pv_ct_equal(keys[k], en.create.public_key, 64) != 0;
	if (!ours)
		finding(m, PV_FINDING_BROKEN, g->name, NULL,
		    "its key is none of those given: anybody can sign a "
		    "campaign with a key of their own");
}

/* Signatures, gaps, forks, and the limit as revised. */
static void
walk(struct pv_merge *m, struct group *g)
{
	uint64_t next = m->rec[g->from].seq;

	for (size_t i = g->from; i < g->to; i++) {
		const struct rec *r = &m->rec[i];
		struct pv_record rec = record(r);
		struct pv_error e = { 0 };
		struct pv_entry en;
		uint8_t hash[32];

		if (g->defined && pv_journal_open(&rec, g->def.public_key, NULL,
				      &en, hash, &e) != 0) {
			finding(
			    m, PV_FINDING_BROKEN, g->name, NULL, "%s", e.msg);
			g->whole = false;
		} else if (g->defined && r->kind == PV_ENTRY_REVISE &&
			   !r->fork) {
			g->def.max_licenses = en.create.max_licenses;
		}
		if (r->fork) {
			finding(m, PV_FINDING_FORK, g->name, NULL,
			    "entry %" PRIu64 " of site %u is another one than "
			    "that of site %u: two copies of the ledger or of "
			    "the token were used",
			    r->seq, r->site, m->rec[i - 1].site);
			g->whole = false;
			continue;
		}
		if (r->seq != next) {
			finding(m, PV_FINDING_GAP, g->name, NULL,
			    "no site has the entries %" PRIu64 " to %" PRIu64,
			    next, r->seq - 1);
			g->whole = false;
		}
		next = r->seq + 1;
	}
}

struct license {
	const struct rec *r;
	const char *campaign; /* name */
};

static int
by_number(const void *va, const void *vb)
{
	const struct license *a = va, *b = vb;

	if (a->r->number != b->r->number)
		return a->r->number < b->r->number ? -1 : 1;
	return memcmp(a->r->hash, b->r->hash, 32);
}

static int
by_chip(const void *va, const void *vb)
{
	const struct license *a = va, *b = vb;
	int c = memcmp(a->r->chip, b->r->chip, 32);

	if (c != 0)
		return c;
	c = memcmp(a->r->id, b->r->id, 16);
	return c != 0 ? c : by_number(va, vb);
}

/* Numbers of one campaign: none past the limit, none twice. */
static void
numbers(struct pv_merge *m, const struct group *g, struct license *l, size_t n)
{
	qsort(l, n, sizeof(*l), by_number);
	for (size_t i = 0; i < n; i++) {
		uint64_t number = l[i].r->number;

		if (g->defined && number > g->def.max_licenses)
			finding(m, PV_FINDING_OVER, g->name, l[i].r->chip,
			    "license no. %" PRIu64 " is past the limit of "
			    "%" PRIu64,
			    number, g->def.max_licenses);
		if (i > 0 && number == l[i - 1].r->number)
			finding(m, PV_FINDING_OVER, g->name, l[i].r->chip,
			    "license no. %" PRIu64 " was issued twice, by "
			    "site %u and site %u",
			    number, l[i - 1].r->site, l[i].r->site);
	}
	if (g->defined && n > g->def.max_licenses)
		finding(m, PV_FINDING_OVER, g->name, NULL,
		    "%zu licenses were issued, the limit is %" PRIu64, n,
		    g->def.max_licenses);
}

static void
rules(struct pv_merge *m, const struct group *g)
{
	struct pv_verify_report rep;
	struct pv_campaign_io io;
	struct pv_error e = { 0 };
	struct pv_campaign c;
	struct pv_store store;
	int r;

	pv_merge_store(m, &store);
	io = (struct pv_campaign_io){ .store = &store };
	r = pv_campaign_load_id(&store, g->def.id, &c, &e);
	if (r == 0)
		r = pv_ledger_verify(&c, &io, &rep, &e);
	if (r != 0)
		finding(m, PV_FINDING_RULES, g->name, NULL, "%s", e.msg);
}

static void
chips(struct pv_merge *m, struct license *l, size_t n)
{
	qsort(l, n, sizeof(*l), by_chip);
	for (size_t i = 0; i < n;) {
		size_t k = i + 1;

		while (k < n && memcmp(l[k].r->chip, l[i].r->chip, 32) == 0)
			k++;
		m->totals.chips++;
		if (k - i > 1)
			finding(m, PV_FINDING_DUPLICATE_CHIP, "", l[i].r->chip,
			    "one chip has %zu licenses: no. %" PRIu64
			    " of '%s' and no. %" PRIu64 " of '%s'",
			    k - i, l[i].r->number, l[i].campaign,
			    l[k - 1].r->number, l[k - 1].campaign);
		i = k;
	}
}

static void
count(struct pv_merge *m, const struct group *g, struct license *l, size_t *n)
{
	for (size_t i = g->from; i < g->to; i++) {
		const struct rec *r = &m->rec[i];

		if (r->kind == PV_ENTRY_RESULT) {
			m->totals.passed += r->pass ? 1 : 0;
			m->totals.failed += r->pass ? 0 : 1;
		}
		if (r->kind == PV_ENTRY_ISSUED)
			l[(*n)++] = (struct license){ r, g->name };
	}
}

static size_t
group_end(const struct pv_merge *m, size_t from)
{
	size_t i = from;

	while (i < m->n && memcmp(m->rec[i].id, m->rec[from].id, 16) == 0)
		i++;
	return i;
}

int
pv_merge_join(struct pv_merge *m, const uint8_t (*keys)[64], size_t n_keys,
    uint64_t max_licenses, pv_finding_fn each, void *ctx,
    struct pv_merge_totals *ret_totals, struct pv_error *e)
{
	struct group *groups = NULL;
	struct license *l = NULL;
	size_t n_groups = 0, n = 0, g = 0;
	int r = 0;

	if (m->joined)
		return pv_fail(e, PV_E_INTERNAL, "joined already");
	m->joined = true;
	m->each = each;
	m->ctx = ctx;
	if (m->n > 1)
		qsort(m->rec, m->n, sizeof(*m->rec), by_place);
	drop_equal(m);
	for (size_t i = 0; i < m->n; i = group_end(m, i))
		n_groups++;
	/* Names in `groups` are pointed at: neither array moves. */
	groups = calloc(n_groups + 1, sizeof(*groups));
	l = calloc(m->n + 1, sizeof(*l));
	if (groups == NULL || l == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	for (size_t i = 0; i < m->n; g++) {
		size_t before = n;

		groups[g].from = i;
		groups[g].to = i = group_end(m, i);
		define(m, &groups[g], keys, n_keys);
		walk(m, &groups[g]);
		count(m, &groups[g], l, &n);
		numbers(m, &groups[g], l + before, n - before);
		if (groups[g].whole)
			rules(m, &groups[g]);
	}
	chips(m, l, n);
	if (max_licenses > 0 && n > max_licenses)
		finding(m, PV_FINDING_OVER, "", NULL,
		    "%zu licenses were issued by all sites, %" PRIu64
		    " are allowed",
		    n, max_licenses);
	m->totals.records = m->given;
	m->totals.entries = m->n;
	m->totals.licenses = n;
	m->totals.campaigns = n_groups;
	*ret_totals = m->totals;
out:
	free(groups);
	free(l);
	return r;
}
