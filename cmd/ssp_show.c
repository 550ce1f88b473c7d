/* SPDX-License-Identifier: Apache-2.0 */
/* OTP words for people and for programs; never their secret values. */
#include "cmd/ssp.h"

#include "base/buf.h"

#include <string.h>

#define FIRST PV_SSP_OTP_SECRETS

const char *
pv_ssp_root_name(enum pv_ssp_chip chip)
{
	return chip == PV_SSP_MP13 ? "PKHTH" : "PKH";
}

const char *
pv_ssp_root_short(char dst[PV_SSP_ROOT_TEXT], const uint32_t words[8])
{
	(void)snprintf(dst, PV_SSP_ROOT_TEXT, "%08x...%08x",
	    (unsigned int)words[0], (unsigned int)words[7]);
	return dst;
}

void
pv_ssp_root_json(
    struct pv_json *o, const uint32_t *words, enum pv_ssp_chip chip)
{
	struct pv_json *root, *list;
	uint8_t hash[32];
	char text[12];

	if (words == NULL) {
		pv_json_set_null(o, "root");
		return;
	}
	for (size_t i = 0; i < 8; i++)
		pv_put_u32be(hash + 4 * i, words[i]);
	root = pv_json_set_object(o, "root");
	pv_json_set_str(root, "kind", pv_ssp_root_name(chip));
	pv_json_set_hex(root, "hash", hash, sizeof(hash));
	pv_json_set_int(root, "word", PV_SSP_OTP_ROOT);
	list = pv_json_set_array(root, "words");
	for (size_t i = 0; i < 8; i++) {
		(void)snprintf(
		    text, sizeof(text), "0x%08x", (unsigned int)words[i]);
		pv_json_add_str(list, text);
	}
}

/* --- the map ------------------------------------------------------------------------ */

/* Does word k go on one line with the one before it? */
static bool
alike(const struct pv_secrets_map *m, size_t k)
{
	return m->words[k].field == m->words[k - 1].field &&
	       m->words[k].zero == m->words[k - 1].zero &&
	       m->words[k].known == m->words[k - 1].known;
}

static void
range_text(char dst[12], size_t from, size_t to)
{
	if (from == to)
		(void)snprintf(dst, 12, "%zu", from);
	else
		(void)snprintf(dst, 12, "%zu..%zu", from, to);
}

static void
run_text(const struct pv_app *app, const struct pv_secrets_map *m, size_t from,
    size_t to)
{
	const struct pv_secrets_field *f = m->words[from].field;
	const char *what = "burnt and locked";
	char range[12], source[PV_SECRETS_REF + 32] = "";

	range_text(range, FIRST + from, FIRST + to);
	if (m->words[from].zero)
		what = f == NULL ? "not used: not burnt, stays writable"
				 : "zero: not burnt, stays writable";
	else if (!m->words[from].known)
		what = "burnt and locked unless zero";
	if (f != NULL && f->size != 0)
		(void)snprintf(source, sizeof(source), ", %zu bytes, %s%s%s%s",
		    f->size, pv_secrets_source_name(f->source),
		    f->ref[0] != '\0' ? " " : "", f->ref,
		    f->big ? ", first byte on top" : "");
	pv_out(app, "  %-8s %-16s %s%s\n", range, f == NULL ? "-" : f->name,
	    what, source);
}

void
pv_ssp_map_text(const struct pv_app *app, const struct pv_secrets_map *m)
{
	size_t from = 0;

	for (size_t k = 1; k <= m->n; k++) {
		if (k < m->n && alike(m, k))
			continue;
		run_text(app, m, from, k - 1);
		from = k;
	}
}

void
pv_ssp_map_json(struct pv_json *o, const struct pv_secrets_map *m)
{
	struct pv_json *list = pv_json_set_array(o, "words"), *w;

	for (size_t k = 0; k < m->n; k++) {
		const struct pv_secrets_field *f = m->words[k].field;

		w = pv_json_add_object(list);
		pv_json_set_int(w, "word", (int64_t)(FIRST + k));
		if (f == NULL)
			pv_json_set_null(w, "field");
		else
			pv_json_set_str(w, "field", f->name);
		if (f != NULL && f->size != 0)
			pv_json_set_str(
			    w, "source", pv_secrets_source_name(f->source));
		if (m->words[k].known)
			pv_json_set_bool(w, "burnt", !m->words[k].zero);
		else
			pv_json_set_null(w, "burnt");
	}
	pv_json_set_int(o, "zero_words", (int64_t)pv_ssp_map_zeros(m));
}

size_t
pv_ssp_map_zeros(const struct pv_secrets_map *m)
{
	size_t n = 0;

	for (size_t k = 0; k < m->n; k++)
		n += m->words[k].field != NULL && m->words[k].zero ? 1 : 0;
	return n;
}

static void
say_zeros(struct pv_app *app, const char *what, const struct pv_secrets_map *m)
{
	size_t from = 0;
	char range[12];

	for (size_t k = 1; k <= m->n; k++) {
		if (k < m->n && alike(m, k))
			continue;
		range_text(range, FIRST + from, FIRST + k - 1);
		if (m->words[from].zero && m->words[from].field != NULL)
			pv_say(app,
			    "%swarning: OTP word%s %s (%s) %s zero: %s will "
			    "not burn and stay%s writable\n",
			    what, from + 1 == k ? "" : "s", range,
			    m->words[from].field->name,
			    from + 1 == k ? "is" : "are",
			    from + 1 == k ? "it" : "they",
			    from + 1 == k ? "s" : "");
		from = k;
	}
}

void
pv_ssp_map_say(struct pv_app *app, const char *what, const struct pv_secrets *s,
    const struct pv_secrets_map *m)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct pv_secrets_field *f = &s->fields[i];
		size_t more = 4 * pv_secrets_words(f) - f->size;

		if (more != 0)
			pv_say(app,
			    "%snote: '%s' has %zu bytes: %zu zero byte%s "
			    "added to fill its last word\n",
			    what, f->name, f->size, more, more == 1 ? "" : "s");
	}
	say_zeros(app, what, m);
}
