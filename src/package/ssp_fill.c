/* SPDX-License-Identifier: Apache-2.0 */
/* The words of one device: formats/secrets.md, section 4. */
#include "package/ssp_secrets.h"

#include "base/buf.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "formats/ssp.h"

#include <stdlib.h>
#include <string.h>

#define FIRST	PV_SSP_OTP_SECRETS
#define REDRAWS 8

/* The value of a column for this device. */
static int
cell(const struct pv_secrets_io *io, const char *column, const char **ret_text,
    struct pv_error *e)
{
	size_t at = 0;

	if (io->table == NULL) {
		(void)pv_fail(e, PV_E_USAGE,
		    "its value is column '%s' of a batch", column);
		return pv_hint(e, "give --batch FILE, with a row for each "
				  "device");
	}
	if (!pv_table_column(io->table, column, &at))
		return pv_fail(
		    e, PV_E_MALFORMED, "the batch has no column '%s'", column);
	*ret_text = pv_table_cell(io->table, io->row, at);
	return 0;
}

static int
fill_column(const struct pv_secrets_field *f, const struct pv_secrets_io *io,
    uint8_t *dst, struct pv_error *e)
{
	const char *text = NULL;
	size_t n;
	int r = cell(io, f->ref, &text, e);

	if (r != 0)
		return r;
	n = strlen(text);
	if (f->text) {
		/* Zeros behind a shorter text. */
		if (n == 0 || n > f->size)
			return pv_fail(e, PV_E_MALFORMED,
			    "column '%s' has %zu characters, 1 to %zu fit",
			    f->ref, n, f->size);
		memcpy(dst, text, n);
		return 0;
	}
	if (n != 2 * f->size)
		return pv_fail(e, PV_E_MALFORMED,
		    "column '%s' has %zu characters, %zu hex digits are "
		    "needed",
		    f->ref, n, 2 * f->size);
	if (pv_hex_decode(text, dst, f->size, NULL) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "column '%s' holds something else than hex digits", f->ref);
	return 0;
}

/* A word that is zero by chance would not burn: draw it again. */
static int
fill_random(const struct pv_secrets_field *f, const struct pv_secrets_io *io,
    uint8_t *dst, struct pv_error *e)
{
	int r = io->random(io->ctx, f->ref, dst, f->size, e);

	for (size_t off = 0; r == 0 && off + 4 <= f->size; off += 4) {
		int tries = 0;

		while (r == 0 && pv_get_u32le(dst + off) == 0) {
			if (tries++ == REDRAWS)
				return pv_fail(e, PV_E_HSM,
				    "the random bytes of '%s' are zeros",
				    f->ref);
			r = io->random(io->ctx, f->ref, dst + off, 4, e);
		}
	}
	return r;
}

static void
reverse_words(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i += 4)
		pv_put_u32le(p + i, pv_get_u32be(p + i));
}

/* The bytes of a field at its words; `draw` allows random. */
static int
fill_field(const struct pv_secrets_field *f, const struct pv_secrets_io *io,
    bool draw, uint8_t *dst, struct pv_error *e)
{
	int r = 0;

	switch (f->source) {
	case PV_SECRETS_HEX:
	case PV_SECRETS_FILE:
		memcpy(dst, pv_secret_bytes(f->value), f->size);
		break;
	case PV_SECRETS_COLUMN:
		if (draw || io->table != NULL)
			r = fill_column(f, io, dst, e);
		break;
	case PV_SECRETS_RANDOM:
		if (draw)
			r = fill_random(f, io, dst, e);
		break;
	}
	if (r == 0 && f->big)
		reverse_words(dst, f->size);
	return r == 0 ? 0 : pv_wrap(e, "field '%s'", f->name);
}

/* Is it settled, before the seal, what the words of a field hold? */
static bool
known(
    const struct pv_secrets_field *f, const struct pv_secrets_io *io, bool draw)
{
	if (draw)
		return true;
	if (f->source == PV_SECRETS_COLUMN)
		return io->table != NULL;
	return f->source != PV_SECRETS_RANDOM;
}

/* All fields into the 148 bytes at `p`, and the map of them. */
static int
fill_words(const struct pv_secrets *s, const struct pv_secrets_io *io,
    bool draw, uint8_t *p, struct pv_secrets_map *m, struct pv_error *e)
{
	int r = 0;

	memset(m, 0, sizeof(*m));
	for (size_t i = 0; r == 0 && i < s->n_fields; i++) {
		const struct pv_secrets_field *f = &s->fields[i];
		size_t at = f->word - FIRST, n = pv_secrets_words(f);

		r = fill_field(f, io, draw, p + 4 * at, e);
		for (size_t k = at; r == 0 && k < at + n; k++) {
			m->words[k].field = f;
			m->words[k].known = known(f, io, draw);
			m->words[k].zero =
			    m->words[k].known && pv_get_u32le(p + 4 * k) == 0;
		}
		if (m->n < at + n)
			m->n = at + n;
	}
	if (r != 0)
		return r;
	/* Words without a field are zeros. */
	for (size_t k = 0; k < PV_SECRETS_WORDS; k++)
		if (m->words[k].field == NULL)
			m->words[k].zero = m->words[k].known = true;
	if (io->size == 0)
		return 0;
	if (io->size < 4 + 4 * m->n)
		return pv_fail(e, PV_E_RANGE,
		    "%zu bytes are to be sealed, but RMA word and secrets "
		    "have %zu",
		    io->size, 4 + 4 * m->n);
	m->n = io->size / 4 - 1;
	return 0;
}

/* --- RMA -------------------------------------------------------------------------- */

static int
password(const struct pv_secrets_rma *rma, const struct pv_secrets_io *io,
    const char *name, uint32_t *ret_v, struct pv_error *e)
{
	const char *text = NULL;
	uint64_t v = rma->value;
	int r = 0;

	if (!rma->given) {
		(void)pv_fail(
		    e, PV_E_USAGE, "the RMA %s password is missing", name);
		return pv_hint(e,
		    "give --rma-unlock and --rma-relock, or rma_unlock and "
		    "rma_relock in the description of secrets");
	}
	if (rma->column[0] == '\0') {
		*ret_v = rma->value;
		return 0;
	}
	r = cell(io, rma->column, &text, e);
	if (r == 0 && pv_parse_u64(text, UINT32_MAX, name, &v, NULL) != 0)
		r = pv_fail(
		    e, PV_E_MALFORMED, "column '%s' is no number", rma->column);
	if (r != 0)
		return pv_wrap(e, "RMA %s password", name);
	*ret_v = (uint32_t)v;
	return 0;
}

static int
rma_word(const struct pv_secrets *s, const struct pv_secrets_io *io,
    uint32_t *ret_word, struct pv_error *e)
{
	uint32_t unlock = 0, relock = 0;
	int r = password(&s->unlock, io, "unlock", &unlock, e);

	if (r == 0)
		r = password(&s->relock, io, "relock", &relock, e);
	if (r == 0)
		r = pv_ssp_rma_encode(
		    unlock, relock, io->rma_high, ret_word, e);
	return r;
}

int
pv_secrets_check(const struct pv_secrets *s, const struct pv_secrets_io *io,
    struct pv_error *e)
{
	uint32_t word = 0;
	int r = rma_word(s, io, &word, e);

	pv_wipe(&word, sizeof(word));
	return r;
}

/* --- both ------------------------------------------------------------------------- */

int
pv_secrets_map(const struct pv_secrets *s, const struct pv_secrets_io *io,
    struct pv_secrets_map *ret_map, struct pv_error *e)
{
	struct pv_secret *room = NULL;
	int r = pv_secret_new(PV_SSP_SECRETS_MAX, &room, e);

	if (r == 0)
		r = fill_words(s, io, false, pv_secret_data(room), ret_map, e);
	/* A batch is checked whole before its first package is made. */
	if (r == 0 && io->table != NULL)
		r = pv_secrets_check(s, io, e);
	pv_secret_free(room);
	return r;
}

int
pv_secrets_fill(const struct pv_secrets *s, const struct pv_secrets_io *io,
    struct pv_secret **ret_plain, struct pv_secrets_map *ret_map,
    struct pv_error *e)
{
	struct pv_secret *room = NULL, *plain = NULL;
	uint32_t word = 0;
	int r = rma_word(s, io, &word, e);

	if (r == 0)
		r = pv_secret_new(PV_SSP_PLAIN_MAX, &room, e);
	if (r == 0)
		r = fill_words(
		    s, io, true, pv_secret_data(room) + 4, ret_map, e);
	if (r == 0)
		r = pv_secret_new(4 + 4 * ret_map->n, &plain, e);
	if (r == 0) {
		pv_put_u32le(pv_secret_data(room), word);
		memcpy(pv_secret_data(plain), pv_secret_bytes(room),
		    pv_secret_len(plain));
		*ret_plain = plain;
	}
	pv_wipe(&word, sizeof(word));
	pv_secret_free(room);
	return r;
}

int
pv_secrets_compare(const struct pv_secrets *s, const struct pv_secrets_io *io,
    const struct pv_secret *plain, size_t *ret_compared, struct pv_error *e)
{
	size_t have = pv_secret_len(plain) / 4 - 1, compared = 0;
	const uint8_t *p = pv_secret_bytes(plain);
	struct pv_secret *room = NULL;
	struct pv_secrets_map m;
	uint32_t rma = 0;
	uint8_t *want;
	int r = pv_secret_new(PV_SSP_SECRETS_MAX, &room, e);

	if (r != 0)
		return r;
	want = pv_secret_data(room);
	r = fill_words(s, io, false, want, &m, e);
	if (r == 0 && s->unlock.given && s->relock.given) {
		r = rma_word(s, io, &rma, e);
		if (r == 0 && rma != pv_get_u32le(p))
			r = pv_fail(e, PV_E_VERIFY,
			    "the package has other RMA passwords");
		compared++;
	}
	for (size_t k = 0; r == 0 && k < PV_SECRETS_WORDS; k++) {
		static const uint8_t zero[4];
		const uint8_t *has = k < have ? p + 4 + 4 * k : zero;

		if (!m.words[k].known)
			continue;
		if (!pv_ct_equal(has, want + 4 * k, 4))
			r = pv_fail(e, PV_E_VERIFY,
			    "the package has something else in OTP word %zu "
			    "(%s)",
			    FIRST + k,
			    m.words[k].field == NULL ? "no field"
						     : m.words[k].field->name);
		compared++;
	}
	if (r == 0)
		*ret_compared = compared;
	pv_wipe(&rma, sizeof(rma));
	pv_secret_free(room);
	return r;
}
