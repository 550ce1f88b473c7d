/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of secrets: formats/secrets.md, sections 1 and 2. */
#include "package/ssp_secrets.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FORMAT	   "provisor_secrets"
#define HEX_DIGITS "0123456789abcdefABCDEF"
#define FIRST	   PV_SSP_OTP_SECRETS
#define LAST	   PV_SSP_OTP_LAST

static const char *const sources[] = {
	[PV_SECRETS_HEX] = "hex",
	[PV_SECRETS_FILE] = "file",
	[PV_SECRETS_RANDOM] = "random",
	[PV_SECRETS_COLUMN] = "column",
};
#define N_SOURCES (sizeof(sources) / sizeof(sources[0]))

const char *
pv_secrets_source_name(enum pv_secrets_source source)
{
	return (size_t)source < N_SOURCES ? sources[source] : "?";
}

size_t
pv_secrets_words(const struct pv_secrets_field *f)
{
	return (f->size + 3) / 4;
}

bool
pv_secrets_per_device(const struct pv_secrets *s)
{
	if (s->unlock.column[0] != '\0' || s->relock.column[0] != '\0')
		return true;
	for (size_t i = 0; i < s->n_fields; i++)
		if (s->fields[i].source == PV_SECRETS_COLUMN)
			return true;
	return false;
}

void
pv_secrets_release(struct pv_secrets *s)
{
	for (size_t i = 0; i < s->n_fields; i++)
		pv_secret_free(s->fields[i].value);
	pv_wipe(s, sizeof(*s));
}

/* --- text to fields --------------------------------------------------------------- */

static int
only_members(const struct pv_json *o, const char *const *names, size_t n,
    struct pv_error *e)
{
	for (size_t i = 0; i < pv_json_count(o); i++) {
		const char *name = pv_json_name_at(o, i);
		size_t k = 0;

		while (k < n && strcmp(name, names[k]) != 0)
			k++;
		if (k == n)
			return pv_fail(e, PV_E_MALFORMED,
			    "member '%.40s' is not known", name);
	}
	return 0;
}

/* A short text without control bytes. */
static int
copy_text(char *dst, size_t cap, const char *text, const char *what,
    struct pv_error *e)
{
	size_t n = strlen(text);

	if (n == 0 || n >= cap)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %zu characters, 1 to %zu are possible", what, n,
		    cap - 1);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' holds a control character", what);
	memcpy(dst, text, n + 1);
	return 0;
}

static int
choose(const struct pv_json *o, const char *name, const char *dflt,
    const char *other, bool *ret, struct pv_error *e)
{
	const char *text = dflt;
	int r = pv_json_opt_str(o, name, &text, e);

	if (r != 0)
		return r;
	if (strcmp(text, dflt) != 0 && strcmp(text, other) != 0)
		return pv_fail(e, PV_E_MALFORMED, "'%s' is '%s' or '%s'", name,
		    dflt, other);
	*ret = strcmp(text, other) == 0;
	return 0;
}

static int
set_hex(struct pv_secrets_field *f, const char *hex, struct pv_error *e)
{
	size_t n = strlen(hex);
	int r;

	if (n == 0 || n % 2 != 0 || strspn(hex, HEX_DIGITS) != n)
		return pv_fail(e, PV_E_MALFORMED,
		    "'hex' is not a whole number of bytes in hex digits");
	if (n / 2 > PV_SSP_SECRETS_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "'hex' has %zu bytes, OTP words %u to %u hold %u", n / 2,
		    FIRST, LAST, PV_SSP_SECRETS_MAX);
	r = pv_secret_new(n / 2, &f->value, e);
	return r == 0 ? pv_hex_decode(hex, pv_secret_data(f->value), n / 2, e)
		      : r;
}

/* Exactly one of hex, file, random, column. */
static int
set_source(
    struct pv_secrets_field *f, const struct pv_json *o, struct pv_error *e)
{
	const char *text = NULL;
	size_t found = 0;
	int r;

	for (size_t i = 0; i < N_SOURCES; i++) {
		if (pv_json_get(o, sources[i]) == NULL)
			continue;
		f->source = (enum pv_secrets_source)i;
		found++;
	}
	if (found != 1)
		return pv_fail(e, PV_E_MALFORMED,
		    "%s of 'hex', 'file', 'random' and 'column'",
		    found == 0 ? "none" : "more than one");
	r = pv_json_str(o, sources[f->source], &text, e);
	if (r != 0)
		return r;
	if (f->source == PV_SECRETS_HEX)
		return set_hex(f, text, e);
	r = copy_text(f->ref, sizeof(f->ref), text, sources[f->source], e);
	if (r == 0 && f->source == PV_SECRETS_RANDOM &&
	    strncmp(f->ref, "pkcs11:", 7) != 0)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'random' names the token that makes it, a pkcs11: URI");
	return r;
}

static int
set_size(
    struct pv_secrets_field *f, const struct pv_json *o, struct pv_error *e)
{
	bool fixed =
	    f->source == PV_SECRETS_RANDOM || f->source == PV_SECRETS_COLUMN;
	uint64_t word = 0, size = 0;
	int r = pv_json_opt_u64(o, "word", UINT32_MAX, &word, e);

	if (r == 0 && pv_json_get(o, "word") != NULL &&
	    (word < FIRST || word > LAST))
		r = pv_fail(e, PV_E_RANGE,
		    "'word' is %u to %u, the OTP words of secrets", FIRST,
		    LAST);
	if (r == 0)
		r = pv_json_opt_u64(o, "size", UINT32_MAX, &size, e);
	if (r != 0)
		return r;
	if (fixed && pv_json_get(o, "size") == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "'size' is missing: bytes of a '%s'", sources[f->source]);
	if (pv_json_get(o, "size") != NULL &&
	    (size == 0 || size > PV_SSP_SECRETS_MAX))
		return pv_fail(e, PV_E_RANGE,
		    "'size' is 1 to %u bytes, what OTP words %u to %u hold",
		    PV_SSP_SECRETS_MAX, FIRST, LAST);
	f->word = (unsigned int)word;
	f->size = (size_t)size;
	if (f->source == PV_SECRETS_HEX && size != 0 &&
	    size != pv_secret_len(f->value))
		return pv_fail(e, PV_E_MALFORMED,
		    "'size' is %zu, but 'hex' has %zu bytes", f->size,
		    pv_secret_len(f->value));
	if (f->source == PV_SECRETS_HEX)
		f->size = pv_secret_len(f->value);
	return 0;
}

static int
parse_field(struct pv_secrets *s, const struct pv_json *o, struct pv_error *e)
{
	static const char *const members[] = { "name", "word", "size", "order",
		"encoding", "hex", "file", "random", "column" };
	struct pv_secrets_field *f = &s->fields[s->n_fields];
	const char *name = NULL;
	int r = pv_json_str(o, "name", &name, e);

	if (r == 0)
		r = copy_text(f->name, sizeof(f->name), name, "name", e);
	if (r != 0)
		return r;
	/* From here on pv_secrets_release sees it. */
	s->n_fields++;
	for (size_t i = 0; i + 1 < s->n_fields; i++)
		if (strcmp(s->fields[i].name, f->name) == 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "there are two fields '%s'", f->name);
	r = only_members(o, members, sizeof(members) / sizeof(members[0]), e);
	if (r == 0)
		r = set_source(f, o, e);
	if (r == 0)
		r = set_size(f, o, e);
	if (r == 0)
		r = choose(o, "order", "little", "big", &f->big, e);
	if (r == 0)
		r = choose(o, "encoding", "hex", "text", &f->text, e);
	if (r == 0 && pv_json_get(o, "encoding") != NULL &&
	    f->source != PV_SECRETS_COLUMN)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'encoding' is for a 'column', which is text");
	return r == 0 ? 0 : pv_wrap(e, "field '%s'", f->name);
}

static int
parse_rma(const struct pv_json *root, const char *name,
    struct pv_secrets_rma *rma, struct pv_error *e)
{
	static const char *const members[] = { "column" };
	const struct pv_json *v = pv_json_get(root, name);
	const char *column = NULL;
	uint64_t value = 0;
	int r;

	if (v == NULL)
		return 0;
	rma->given = true;
	if (!pv_json_is_object(v)) {
		/* The range has words of its own, said where it is used. */
		r = pv_json_value_u64(v, UINT32_MAX, &value, e);
		rma->value = (uint32_t)value;
		return r == 0 ? 0 : pv_wrap(e, "'%s'", name);
	}
	r = only_members(v, members, 1, e);
	if (r == 0)
		r = pv_json_str(v, "column", &column, e);
	if (r == 0)
		r = copy_text(
		    rma->column, sizeof(rma->column), column, "column", e);
	return r == 0 ? 0 : pv_wrap(e, "'%s'", name);
}

static int
parse_root(const struct pv_json *root, struct pv_secrets *s, struct pv_error *e)
{
	static const char *const members[] = { FORMAT, "chip", "rma_unlock",
		"rma_relock", "fields" };
	const struct pv_json *fields = pv_json_get(root, "fields");
	const char *chip = NULL;
	uint64_t version = 0;
	int r = pv_json_u64(root, FORMAT, UINT32_MAX, &version, e);

	if (r == 0 && version != 1)
		r = pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is %u, this program knows 1", FORMAT,
		    (unsigned int)version);
	if (r == 0)
		r = only_members(
		    root, members, sizeof(members) / sizeof(members[0]), e);
	if (r == 0)
		r = pv_json_opt_str(root, "chip", &chip, e);
	if (r == 0 && chip != NULL) {
		s->has_chip = true;
		r = pv_ssp_chip_parse(chip, &s->chip, NULL);
		if (r != 0)
			r = pv_fail(e, PV_E_MALFORMED,
			    "'chip' is 'stm32mp15' or 'stm32mp13'");
	}
	if (r == 0)
		r = parse_rma(root, "rma_unlock", &s->unlock, e);
	if (r == 0)
		r = parse_rma(root, "rma_relock", &s->relock, e);
	if (r == 0 && (!pv_json_is_array(fields) || pv_json_count(fields) == 0))
		r = pv_fail(e, PV_E_MALFORMED, "'fields' is no list, or empty");
	if (r == 0 && pv_json_count(fields) > PV_SECRETS_WORDS)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'fields' has %zu members, there are %u words",
		    pv_json_count(fields), PV_SECRETS_WORDS);
	for (size_t i = 0; r == 0 && i < pv_json_count(fields); i++) {
		r = parse_field(s, pv_json_at(fields, i), e);
		if (r != 0)
			(void)pv_wrap(e, "'fields'[%zu]", i);
	}
	return r;
}

int
pv_secrets_parse(
    const char *text, size_t len, struct pv_secrets *s, struct pv_error *e)
{
	struct pv_json *root = NULL;
	int r = pv_json_parse(text, len, &root, e);

	s->described = true;
	if (r == 0)
		r = parse_root(root, s, e);
	pv_json_wipe(root);
	return r;
}

/* --- files and words ------------------------------------------------------------------ */

static int
check_room(const char *path, size_t size, struct pv_error *e)
{
	if (size > PV_SSP_SECRETS_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "'%s' holds %zu bytes, OTP words %u to %u hold %u", path,
		    size, FIRST, LAST, PV_SSP_SECRETS_MAX);
	return 0;
}

static int
read_field(const char *dir, struct pv_secrets_field *f, struct pv_error *e)
{
	char path[4096];
	int r = 0;

	if (dir == NULL || f->ref[0] == '/')
		(void)snprintf(path, sizeof(path), "%s", f->ref);
	else
		r = pv_path_fit(path, sizeof(path), dir, f->ref, e);
	if (r == 0)
		r = pv_secret_read_all(path, PV_SECRETS_MAX, &f->value, e);
	if (r != 0)
		return r;
	/* From here on by the name that opens it. */
	if (strlen(path) < sizeof(f->ref))
		memcpy(f->ref, path, strlen(path) + 1);
	if (f->size != 0 && f->size != pv_secret_len(f->value))
		return pv_fail(e, PV_E_MALFORMED,
		    "'size' is %zu, but '%s' holds %zu bytes", f->size, path,
		    pv_secret_len(f->value));
	f->size = pv_secret_len(f->value);
	return check_room(path, f->size, e);
}

int
pv_secrets_place(const char *dir, struct pv_secrets *s, struct pv_error *e)
{
	const struct pv_secrets_field *owner[PV_SECRETS_WORDS] = { NULL };
	unsigned int next = FIRST;
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->n_fields; i++) {
		struct pv_secrets_field *f = &s->fields[i];
		size_t n;

		if (f->source == PV_SECRETS_FILE)
			r = read_field(dir, f, e);
		if (r != 0)
			return pv_wrap(e, "field '%s'", f->name);
		n = pv_secrets_words(f);
		if (f->word == 0)
			f->word = next;
		if (f->word > LAST || n > LAST + 1 - f->word)
			return pv_fail(e, PV_E_RANGE,
			    "field '%s': %zu bytes from OTP word %u end "
			    "behind word %u, the last one",
			    f->name, f->size, f->word, LAST);
		for (size_t k = f->word - FIRST; k < f->word - FIRST + n; k++) {
			if (owner[k] != NULL)
				return pv_fail(e, PV_E_OVERLAP,
				    "fields '%s' and '%s' both claim OTP word "
				    "%zu",
				    owner[k]->name, f->name, FIRST + k);
			owner[k] = f;
		}
		if (f->big && f->size % 4 != 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "field '%s': order 'big' needs a multiple of 4 "
			    "bytes, it has %zu",
			    f->name, f->size);
		next = f->word + (unsigned int)n;
	}
	return r;
}

/* A description by another name would be burnt as its text. */
static bool
looks_described(const struct pv_secret *raw)
{
	const uint8_t *p = pv_secret_bytes(raw);
	size_t n = pv_secret_len(raw);

	if (p[0] != '{')
		return false;
	for (size_t i = 0; i < n; i++)
		if (p[i] >= 0x7f || (p[i] < 0x20 && p[i] != '\n' &&
					p[i] != '\r' && p[i] != '\t'))
			return false;
	return true;
}

static int
load_raw(const char *path, struct pv_secret *raw, struct pv_secrets *s,
    struct pv_error *e)
{
	struct pv_secrets_field *f = &s->fields[0];

	s->n_fields = 1;
	(void)snprintf(f->name, sizeof(f->name), "secrets");
	f->source = PV_SECRETS_FILE;
	f->word = FIRST;
	f->size = pv_secret_len(raw);
	f->value = raw;
	if (looks_described(raw)) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "'%s' reads like a description of secrets, but is not "
		    "named .json",
		    path);
		return pv_hint(e, "as raw bytes its text would be burnt");
	}
	return check_room(path, f->size, e);
}

int
pv_secrets_load(const char *path, struct pv_secrets *s, struct pv_error *e)
{
	const char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');
	struct pv_secret *text = NULL;
	char *dir = NULL;
	int r;

	memset(s, 0, sizeof(*s));
	r = pv_secret_read_all(path, PV_SECRETS_MAX, &text, e);
	if (r != 0)
		return r;
	if (dot == NULL || strcasecmp(dot, ".json") != 0)
		return load_raw(path, text, s, e);
	r = pv_secrets_parse(
	    (const char *)pv_secret_bytes(text), pv_secret_len(text), s, e);
	pv_secret_free(text);
	if (slash != NULL) {
		dir = strndup(path, slash == path ? 1 : (size_t)(slash - path));
		if (dir == NULL && r == 0)
			r = pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	if (r == 0)
		r = pv_secrets_place(dir, s, e);
	free(dir);
	return r == 0 ? 0 : pv_wrap(e, "'%s'", path);
}
