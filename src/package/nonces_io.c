/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reuse record as one file, to keep it safe or to carry it to another
 * home folder:
 *
 *	provisor nonce export v1
 *	key KEYID		keys in ascending order
 *	...			the lines of its record
 *	end SHA-256 of every byte before this line
 */
#include "package/nonces.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "package/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TITLE	   "provisor nonce export v1\n"
#define TITLE_LEN  (sizeof(TITLE) - 1)
#define HEX	   PV_RECORD_HEX
#define LINE	   PV_RECORD_LINE
#define KEY_LINE   (4U + HEX + 1U)
#define KEYS_MAX   4096U
#define IMPORT_MAX (512U << 20) /* about four million IVs */

/* --- the keys of a record ------------------------------------------------------ */

struct keys {
	char (*hex)[HEX + 1];
	size_t n;
};

static bool
is_key_name(const char *name)
{
	if (strlen(name) != HEX + 4 || strcmp(name + HEX, ".txt") != 0)
		return false;
	return strspn(name, "0123456789abcdef") == HEX;
}

static int
by_name(const void *a, const void *b)
{
	return memcmp(a, b, HEX);
}

static int
add_key(struct keys *k, const char *name, struct pv_error *e)
{
	void *more;

	if (k->n == KEYS_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "the nonce record has more than %u keys", KEYS_MAX);
	more = realloc(k->hex, (k->n + 1) * sizeof(*k->hex));
	if (more == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	k->hex = more;
	memcpy(k->hex[k->n], name, HEX);
	k->hex[k->n++][HEX] = '\0';
	return 0;
}

static int
find_keys(const char *dir, struct keys *k, struct pv_error *e)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	int r = 0;

	if (d == NULL && errno == ENOENT)
		return 0;
	if (d == NULL)
		return pv_fail_errno(e, PV_E_IO, errno, "opening '%s'", dir);
	while (r == 0 && (de = readdir(d)) != NULL) {
		if (is_key_name(de->d_name))
			r = add_key(k, de->d_name, e);
	}
	(void)closedir(d);
	if (r == 0 && k->n > 1)
		qsort(k->hex, k->n, sizeof(*k->hex), by_name);
	return r;
}

/* --- list, export --------------------------------------------------------------- */

struct export
{
	struct pv_outfile *out; /* NULL: only counted */
	struct pv_sha256 *hash;
	size_t n; /* lines of the key at hand */
};

static int
put(struct export *x, const char *text, size_t len, struct pv_error *e)
{
	int r = pv_sha256_update(x->hash, text, len, e);

	return r == 0 ? pv_outfile_write(x->out, text, len, e) : r;
}

static int
export_line(void *ctx, const struct pv_record_line *line, struct pv_error *e)
{
	struct export *x = ctx;
	char text[LINE];

	x->n++;
	if (x->out == NULL)
		return 0;
	pv_record_line_encode(line, text);
	return put(x, text, sizeof(text), e);
}

static int
export_key(struct export *x, const char *dir, const char *hex,
    pv_nonces_each_fn each, void *ctx, struct pv_error *e)
{
	struct pv_record rec = { .fd = -1, .lock = -1 };
	char text[KEY_LINE + 1];
	int r = 0;

	x->n = 0;
	(void)snprintf(text, sizeof(text), "key %s\n", hex);
	if (x->out != NULL)
		r = put(x, text, KEY_LINE, e);
	if (r == 0)
		r = pv_record_open(&rec, dir, hex, e);
	if (r == 0)
		r = pv_record_each(&rec, export_line, x, e);
	pv_record_close(&rec, NULL);
	if (r == 0 && each != NULL)
		r = each(ctx, hex, x->n, e);
	return r;
}

static int
export_keys(struct export *x, const char *dir, pv_nonces_each_fn each,
    void *ctx, struct pv_error *e)
{
	struct keys keys = { 0 };
	int r = find_keys(dir, &keys, e);

	for (size_t i = 0; r == 0 && i < keys.n; i++)
		r = export_key(x, dir, keys.hex[i], each, ctx, e);
	free(keys.hex);
	return r;
}

int
pv_nonces_list(
    const char *dir, pv_nonces_each_fn each, void *ctx, struct pv_error *e)
{
	struct export x = { 0 };

	return export_keys(&x, dir, each, ctx, e);
}

/* Written as what it is: a checksum, not a signature. */
static int
put_end(struct export *x, struct pv_error *e)
{
	uint8_t digest[PV_SHA256_LEN];
	char text[KEY_LINE + 1], hex[HEX + 1];
	int r = pv_sha256_final(x->hash, digest, e);

	if (r != 0)
		return r;
	pv_hex_encode(hex, digest, sizeof(digest));
	(void)snprintf(text, sizeof(text), "end %s\n", hex);
	return pv_outfile_write(x->out, text, KEY_LINE, e);
}

int
pv_nonces_export(const char *dir, const char *path, pv_nonces_each_fn each,
    void *ctx, struct pv_error *e)
{
	struct export x = { 0 };
	int r = pv_sha256_new(&x.hash, e);

	if (r == 0)
		r = pv_outfile_open(path, 0600, &x.out, e);
	if (r == 0)
		r = put(&x, TITLE, TITLE_LEN, e);
	if (r == 0)
		r = export_keys(&x, dir, each, ctx, e);
	if (r == 0)
		r = put_end(&x, e);
	if (r == 0)
		r = pv_outfile_commit(x.out, e);
	pv_outfile_free(x.out);
	pv_sha256_free(x.hash);
	return r;
}

/* --- import --------------------------------------------------------------------- */

/* The next key of an export and its lines, as they stand in the file. */
struct section {
	char hex[HEX + 1];
	const char *lines;
	size_t n;
};

struct cursor {
	const char *p;
	size_t left; /* without the last line */
	size_t off;
};

static int
damaged(const struct cursor *c, const char *why, struct pv_error *e)
{
	return pv_fail(e, PV_E_MALFORMED, "byte %zu: %s", c->off, why);
}

static void
advance(struct cursor *c, size_t n)
{
	c->p += n;
	c->left -= n;
	c->off += n;
}

static int
next_section(struct cursor *c, struct section *s, struct pv_error *e)
{
	struct pv_record_line line;
	char last[HEX + 1];

	memcpy(last, s->hex, sizeof(last));
	if (c->left < KEY_LINE || strncmp(c->p, "key ", 4) != 0 ||
	    c->p[KEY_LINE - 1] != '\n')
		return damaged(c, "neither a key nor a line of a record", e);
	memcpy(s->hex, c->p + 4, HEX);
	s->hex[HEX] = '\0';
	if (strspn(s->hex, "0123456789abcdef") != HEX)
		return damaged(c, "not the name of a key", e);
	if (last[0] != '\0' && memcmp(last, s->hex, HEX) >= 0)
		return damaged(c, "keys are not in ascending order", e);
	advance(c, KEY_LINE);
	s->lines = c->p;
	for (s->n = 0; c->left >= LINE; s->n++) {
		if (pv_record_line_decode(c->p, &line) != 0)
			break;
		advance(c, LINE);
	}
	return 0;
}

/* Title and checksum; leaves the cursor on the sections. */
static int
check_frame(
    const char *text, size_t len, struct cursor *ret_c, struct pv_error *e)
{
	struct pv_part part = { text, 0 };
	uint8_t digest[PV_SHA256_LEN], want[PV_SHA256_LEN];
	char hex[HEX + 1];
	int r;

	if (len < TITLE_LEN || memcmp(text, TITLE, TITLE_LEN) != 0) {
		if (len > 16 && memcmp(text, TITLE, 16) == 0)
			return pv_fail(e, PV_E_UNSUPPORTED,
			    "not a nonce export of version 1");
		return pv_fail(e, PV_E_MALFORMED,
		    "not a nonce export: it does not begin with its title");
	}
	part.len = len - KEY_LINE;
	if (len < TITLE_LEN + KEY_LINE ||
	    memcmp(text + part.len, "end ", 4) != 0 || text[len - 1] != '\n')
		return pv_fail(e, PV_E_MALFORMED,
		    "the last line, 'end' and a checksum, is missing: the file "
		    "was cut short");
	memcpy(hex, text + part.len + 4, HEX);
	hex[HEX] = '\0';
	if (pv_hex_decode(hex, want, sizeof(want), e) != 0)
		return pv_wrap(e, "the checksum");
	r = pv_sha256(&part, 1, digest, e);
	if (r != 0)
		return r;
	if (memcmp(digest, want, sizeof(want)) != 0)
		return pv_fail(e, PV_E_VERIFY,
		    "the checksum differs: the file was changed or damaged");
	ret_c->p = text + TITLE_LEN;
	ret_c->left = part.len - TITLE_LEN;
	ret_c->off = TITLE_LEN;
	return 0;
}

/* A line of the file, and whether the record here has it. */
struct news {
	struct pv_record_line line;
	bool known;
	bool conflict;
};

struct merge {
	struct news *news;
	size_t n;
	struct pv_nonces_merge *report;
};

static int
by_line(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct pv_record_line));
}

/* The first line of the file with this IV, or NULL. */
static struct news *
first_with_iv(struct merge *m, const struct pv_record_line *line)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (memcmp(m->news[mid].line.iv_hash, line->iv_hash, 32) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == m->n ||
	    memcmp(m->news[lo].line.iv_hash, line->iv_hash, 32) != 0)
		return NULL;
	return &m->news[lo];
}

static int
compare_line(void *ctx, const struct pv_record_line *line, struct pv_error *e)
{
	struct merge *m = ctx;
	struct news *hit = first_with_iv(m, line);

	(void)e;
	for (; hit != NULL && hit < m->news + m->n &&
	       memcmp(hit->line.iv_hash, line->iv_hash, 32) == 0;
	     hit++) {
		if (memcmp(hit->line.fingerprint, line->fingerprint, 32) == 0)
			hit->known = true;
		else
			hit->conflict = true;
	}
	return 0;
}

static int
load_news(struct merge *m, const struct section *s, struct pv_error *e)
{
	m->news = calloc(s->n + 1, sizeof(*m->news));
	if (m->news == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	m->n = s->n;
	for (size_t i = 0; i < s->n; i++) {
		if (pv_record_line_decode(
			s->lines + i * LINE, &m->news[i].line) != 0)
			return pv_fail(e, PV_E_INTERNAL, "nonce export line");
	}
	qsort(m->news, m->n, sizeof(*m->news), by_line);
	/* Two contents may meet inside the file already. */
	for (size_t i = 1; i < m->n; i++) {
		struct news *a = &m->news[i - 1], *b = &m->news[i];

		if (memcmp(a->line.iv_hash, b->line.iv_hash, 32) != 0)
			continue;
		if (by_line(a, b) == 0)
			b->known = true;
		else
			a->conflict = b->conflict = true;
	}
	return 0;
}

static void
count_conflicts(struct merge *m, const char *key_hex)
{
	for (size_t i = 0; i < m->n; i++) {
		if (!m->news[i].conflict)
			continue;
		if (i > 0 && m->news[i - 1].conflict &&
		    memcmp(m->news[i].line.iv_hash, m->news[i - 1].line.iv_hash,
			32) == 0)
			continue;
		if (m->report->n_conflicts++ == 0)
			memcpy(m->report->conflict_key, key_hex, HEX + 1);
	}
}

static int
import_key(const char *dir, const struct section *s,
    struct pv_nonces_merge *report, struct pv_error *e)
{
	struct pv_record rec = { .fd = -1, .lock = -1 };
	struct merge m = { .report = report };
	int r = load_news(&m, s, e);

	if (r == 0)
		r = pv_record_open(&rec, dir, s->hex, e);
	if (r == 0)
		r = pv_record_each(&rec, compare_line, &m, e);
	for (size_t i = 0; r == 0 && i < m.n; i++) {
		if (m.news[i].known)
			continue;
		report->n_added++;
		r = pv_record_add(&rec, &m.news[i].line, e);
	}
	if (r == 0)
		r = pv_record_sync(&rec, e);
	if (r == 0) {
		report->n_keys++;
		report->n_ivs += s->n;
		count_conflicts(&m, s->hex);
	}
	pv_record_close(&rec, NULL);
	free(m.news);
	return r;
}

/* Every section, without a folder: only checked. */
static int
import_all(const char *dir, struct cursor c, struct pv_nonces_merge *report,
    struct pv_error *e)
{
	struct section s = { .hex = "" };
	int r = 0;

	while (r == 0 && c.left > 0) {
		r = next_section(&c, &s, e);
		if (r == 0 && dir != NULL)
			r = import_key(dir, &s, report, e);
	}
	return r;
}

int
pv_nonces_import(const char *dir, const char *path,
    struct pv_nonces_merge *ret_merge, struct pv_error *e)
{
	struct cursor c = { 0 };
	uint8_t *text = NULL;
	size_t len = 0;
	int r = pv_file_read(path, IMPORT_MAX, &text, &len, e);

	memset(ret_merge, 0, sizeof(*ret_merge));
	if (r != 0)
		return r;
	r = check_frame((const char *)text, len, &c, e);
	if (r == 0)
		r = import_all(NULL, c, ret_merge, e);
	if (r != 0)
		(void)pv_wrap(e, "'%s'", path);
	if (r == 0)
		r = import_all(dir, c, ret_merge, e);
	free(text);
	if (r != 0 || ret_merge->n_conflicts == 0)
		return r;
	(void)pv_fail(e, PV_E_REUSE,
	    "%zu IV%s of key %.16s... encrypted two different contents",
	    ret_merge->n_conflicts, ret_merge->n_conflicts == 1 ? "" : "s",
	    ret_merge->conflict_key);
	return pv_hint(e,
	    "everything was entered; replace this key, and count both packages "
	    "as readable by whoever holds them");
}
