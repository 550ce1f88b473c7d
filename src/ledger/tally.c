/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/tally.h"

#include "formats/ledger.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_MS 3600000

/* Room for one more, up to `most`. 0, or PV_E_NOMEM. */
static int
grow(void **array, size_t *cap, size_t n, size_t size)
{
	size_t want = *cap == 0 ? 16 : *cap * 2;
	void *p;

	if (n < *cap)
		return 0;
	p = realloc(*array, want * size);
	if (p == NULL)
		return PV_E_NOMEM;
	memset((char *)p + *cap * size, 0, (want - *cap) * size);
	*array = p;
	*cap = want;
	return 0;
}

static struct pv_tally_counts *
station(struct pv_tally *t, const char *name)
{
	void *p = t->stations;
	size_t i;

	for (i = 0; i < t->n_stations; i++)
		if (strcmp(t->stations[i].name, name) == 0)
			return &t->stations[i].n;
	if (i == PV_TALLY_STATIONS)
		return &t->stations[i - 1].n;
	if (grow(&p, &t->cap_stations, i, sizeof(*t->stations)) != 0)
		return NULL;
	t->stations = p;
	(void)snprintf(t->stations[i].name, sizeof(t->stations[i].name), "%s",
	    i == PV_TALLY_STATIONS - 1 ? "(others)" : name);
	t->n_stations++;
	return &t->stations[i].n;
}

/* Mostly the last hour there is; a clock may also have run backwards. */
static struct pv_tally_counts *
hour(struct pv_tally *t, int64_t time_ms)
{
	int64_t h = time_ms / HOUR_MS - (time_ms % HOUR_MS < 0 ? 1 : 0);
	void *p = t->hours;
	size_t i = t->n_hours, lo = 0;

	if (i > 0 && t->hours[i - 1].hour > h) {
		while (lo < i) {
			size_t mid = lo + (i - lo) / 2;

			if (t->hours[mid].hour <= h)
				lo = mid + 1;
			else
				i = mid;
		}
	}
	if (i > 0 && t->hours[i - 1].hour == h)
		return &t->hours[i - 1].n;
	if (t->n_hours == PV_TALLY_HOURS)
		return &t->hours[i == 0 ? 0 : i - 1].n;
	if (grow(&p, &t->cap_hours, t->n_hours, sizeof(*t->hours)) != 0)
		return NULL;
	t->hours = p;
	memmove(&t->hours[i + 1], &t->hours[i],
	    (t->n_hours - i) * sizeof(*t->hours));
	t->hours[i] = (struct pv_tally_hour){ .hour = h };
	t->n_hours++;
	return &t->hours[i].n;
}

static void
cause(struct pv_tally *t, int code)
{
	size_t i = 0;

	while (i < t->n_causes && t->causes[i].code != code)
		i++;
	if (i == PV_TALLY_CAUSES)
		i--;
	if (i == t->n_causes)
		t->causes[t->n_causes++].code = code;
	t->causes[i].n++;
}

static void
count(struct pv_tally_counts *n, const struct pv_entry *en)
{
	if (en->kind == PV_ENTRY_ISSUED)
		n->issued++;
	else if (en->body.pass)
		n->passed++;
	else
		n->failed++;
}

static int
tally_entry(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct pv_tally *t = ctx;
	struct pv_tally_counts *s, *h;
	struct pv_entry en;
	int r;

	r = pv_entry_decode(rec->entry, rec->entry_len, &en, e);
	if (r != 0)
		return pv_wrap(e, "entry %" PRIu64, rec->seq);
	if (en.kind == PV_ENTRY_DENY)
		t->denied++;
	if (en.kind == PV_ENTRY_FAILED)
		t->making_failed++;
	if (en.kind != PV_ENTRY_ISSUED && en.kind != PV_ENTRY_RESULT)
		return 0;
	s = station(t, en.station);
	h = hour(t, en.time_ms);
	if (s == NULL || h == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	count(&t->n, &en);
	count(s, &en);
	count(h, &en);
	if (en.kind == PV_ENTRY_RESULT && !en.body.pass)
		cause(t, en.body.code);
	return 0;
}

int
pv_tally_campaign(struct pv_tally *t, struct pv_store *store,
    const struct pv_campaign *c, struct pv_error *e)
{
	int r = store->scan(store->ctx, c->id, 1, tally_entry, t, e);

	return r == 0 ? 0 : pv_wrap(e, "campaign '%s'", c->name);
}

void
pv_tally_release(struct pv_tally *t)
{
	free(t->stations);
	free(t->hours);
	*t = (struct pv_tally){ 0 };
}
