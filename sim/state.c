/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT	  "provisor-sim/1"
#define STATE_MAX 262144U

static const char *const iv_names[] = { "be96", "le32-hi", "le32-lo" };
#define N_IV (sizeof iv_names / sizeof iv_names[0])

/* --- writing --------------------------------------------------------------- */

static void
put_words(struct pv_json *root, const struct pv_sim_state *s)
{
	struct pv_json *words = pv_json_set_array(root, "option_words");
	char text[16];

	for (size_t i = 0; i < s->n_option_words; i++) {
		(void)snprintf(text, sizeof text, "0x%08x",
		    (unsigned int)s->option_words[i]);
		pv_json_add_str(words, text);
	}
}

/* The zero bytes at the end of the note, most of it, are left out. */
static size_t
note_len(const struct pv_sim_state *s)
{
	size_t n = sizeof s->note;

	while (n > 0 && s->note[n - 1] == 0)
		n--;
	return n;
}

/* The counters by name; the first six are in every state file. */
#define N_COUNTERS	 12
#define N_FIRST_COUNTERS 6
struct counter {
	const char *name;
	size_t off;
};
#define COUNTER(member)                                        \
	{                                                      \
#member, offsetof(struct pv_sim_state, member) \
	}
static const struct counter counters[N_COUNTERS] = {
	COUNTER(starts),
	COUNTER(installs),
	COUNTER(failures),
	COUNTER(received),
	COUNTER(commands),
	COUNTER(nacks),
	COUNTER(sent),
	COUNTER(syncs),
	COUNTER(retries),
	COUNTER(overruns),
	COUNTER(programs),
	COUNTER(rewrites),
};

static uint64_t
counter_get(const struct pv_sim_state *s, const struct counter *c)
{
	uint64_t v;

	memcpy(&v, (const uint8_t *)s + c->off, sizeof v);
	return v;
}

void
pv_sim_state_counters(const struct pv_sim_state *s, struct pv_json *obj)
{
	struct pv_json *erases;
	char name[16];

	for (size_t i = 0; i < N_COUNTERS; i++)
		pv_json_set_u64(
		    obj, counters[i].name, counter_get(s, &counters[i]));
	erases = pv_json_set_object(obj, "erases");
	for (unsigned int i = 0; i < PV_SIM_SECTORS; i++) {
		if (s->erases[i] == 0)
			continue;
		(void)snprintf(name, sizeof name, "%u", i);
		pv_json_set_u64(erases, name, s->erases[i]);
	}
}

int
pv_sim_state_write(
    const char *dir, const struct pv_sim_state *s, struct pv_error *e)
{
	struct pv_json *root = pv_json_new_object();
	char path[PV_SIM_PATH], *text = NULL, *line = NULL;
	size_t len;
	int r;

	pv_json_set_str(root, "format", FORMAT);
	pv_json_set_str(root, "chip", s->chip);
	pv_json_set_str(root, "product_id", s->product_id);
	if (s->ssp_profile[0] != '\0')
		pv_json_set_str(root, "ssp_profile", s->ssp_profile);
	pv_json_set_bool(root, "agent", s->agent);
	pv_json_set_bool(root, "allow_irreversible", s->allow_irreversible);
	pv_json_set_int(root, "rdp", (int64_t)s->rdp);
	pv_json_set_hex(root, "write_protected", s->write_protected,
	    sizeof s->write_protected);
	put_words(root, s);
	if (s->pinned)
		pv_json_set_hex(root, "campaign_key_sha256", s->campaign_key,
		    sizeof s->campaign_key);
	pv_json_set_str(root, "iv_add", iv_names[s->iv_add]);
	pv_json_set_hex(root, "install_note", s->note, note_len(s));
	if (s->external_size > 0) {
		pv_json_set_addr(root, "external_base", s->external_base);
		pv_json_set_u64(root, "external_size", s->external_size);
	}
	if (s->n_modules > 0)
		pv_json_set_hex(
		    root, "modules", s->modules, s->n_modules * PV_SIM_MODULE);
	if (s->running)
		pv_json_set_addr(root, "running_at", s->running_at);
	pv_sim_state_counters(s, pv_json_set_object(root, "counters"));

	r = pv_path_fit(path, sizeof path, dir, "state.json", e);
	if (r == 0)
		r = pv_json_print(root, &text, e);
	if (r == 0) {
		len = strlen(text);
		line = malloc(len + 2);
		if (line == NULL) {
			r = pv_fail(e, PV_E_NOMEM, "out of memory");
		} else {
			memcpy(line, text, len);
			memcpy(line + len, "\n", 2);
			r = pv_file_write(path, 0644, line, len + 1, e);
		}
	}
	pv_json_free(root);
	free(text);
	free(line);
	return r;
}

/* --- reading --------------------------------------------------------------- */

static int
get_text(const struct pv_json *root, const char *name, char *dst, size_t cap,
    struct pv_error *e)
{
	const char *s = NULL;
	int r;

	r = pv_json_str(root, name, &s, e);
	if (r != 0)
		return r;
	if (strlen(s) >= cap)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' is longer than %zu characters", name, cap - 1);
	memcpy(dst, s, strlen(s) + 1);
	return 0;
}

static int
get_hex(const struct pv_json *root, const char *name, uint8_t *dst, size_t len,
    struct pv_error *e)
{
	const char *s = NULL;
	int r;

	r = pv_json_str(root, name, &s, e);
	if (r == 0)
		r = pv_hex_decode(s, dst, len, e);
	if (r != 0)
		return pv_wrap(e, "'%s'", name);
	return 0;
}

static int
get_words(
    const struct pv_json *root, struct pv_sim_state *s, struct pv_error *e)
{
	const struct pv_json *words = pv_json_get(root, "option_words");
	uint64_t v = 0;
	int r;

	if (!pv_json_is_array(words) ||
	    pv_json_count(words) > PV_SIM_OPTION_WORDS)
		return pv_fail(e, PV_E_MALFORMED,
		    "'option_words' is not a list of at most %u words",
		    PV_SIM_OPTION_WORDS);
	s->n_option_words = pv_json_count(words);
	for (size_t i = 0; i < s->n_option_words; i++) {
		r = pv_json_value_u64(pv_json_at(words, i), UINT32_MAX, &v, e);
		if (r != 0)
			return pv_wrap(e, "'option_words'");
		s->option_words[i] = (uint32_t)v;
	}
	return 0;
}

static int
get_note(const struct pv_json *root, struct pv_sim_state *s, struct pv_error *e)
{
	const char *text = NULL;
	int r;

	r = pv_json_str(root, "install_note", &text, e);
	if (r == 0 && strlen(text) / 2 > sizeof s->note)
		r = pv_fail(
		    e, PV_E_MALFORMED, "longer than %zu bytes", sizeof s->note);
	if (r == 0)
		r = pv_hex_decode(text, s->note, strlen(text) / 2, e);
	return r == 0 ? 0 : pv_wrap(e, "'install_note'");
}

static int
get_external(
    const struct pv_json *root, struct pv_sim_state *s, struct pv_error *e)
{
	uint64_t base = 0, size = 0;
	int r;

	r = pv_json_opt_u64(root, "external_base", UINT32_MAX, &base, e);
	if (r == 0)
		r = pv_json_opt_u64(
		    root, "external_size", PV_SIM_EXTERNAL_MAX, &size, e);
	if (r == 0 &&
	    (size % PV_SIM_EXTERNAL_SECTOR != 0 ||
		base % PV_SIM_EXTERNAL_SECTOR != 0 || base + size > UINT32_MAX))
		r = pv_fail(e, PV_E_MALFORMED,
		    "'external_base' and 'external_size' are not whole "
		    "sectors of %u bytes",
		    PV_SIM_EXTERNAL_SECTOR);
	s->external_base = (uint32_t)base;
	s->external_size = (uint32_t)size;
	return r;
}

/* The headers, one behind the other. */
static int
get_modules(
    const struct pv_json *root, struct pv_sim_state *s, struct pv_error *e)
{
	const char *text = NULL;
	size_t len;
	int r;

	if (pv_json_get(root, "modules") == NULL)
		return 0;
	r = pv_json_str(root, "modules", &text, e);
	if (r != 0)
		return r;
	len = strlen(text) / 2;
	if (len % PV_SIM_MODULE != 0 || len > sizeof s->modules)
		return pv_fail(e, PV_E_MALFORMED,
		    "'modules' is not at most %u headers of %u bytes",
		    PV_SIM_MODULES, PV_SIM_MODULE);
	s->n_modules = len / PV_SIM_MODULE;
	r = pv_hex_decode(text, s->modules, len, e);
	return r == 0 ? 0 : pv_wrap(e, "'modules'");
}

static int
get_iv_add(
    const struct pv_json *root, struct pv_sim_state *s, struct pv_error *e)
{
	const char *text = NULL;
	int r;

	r = pv_json_str(root, "iv_add", &text, e);
	if (r != 0)
		return r;
	for (size_t i = 0; i < N_IV; i++) {
		if (strcmp(text, iv_names[i]) == 0) {
			s->iv_add = (enum pv_agent_iv_add)i;
			return 0;
		}
	}
	return pv_fail(e, PV_E_MALFORMED, "'iv_add' has no rule '%s'", text);
}

static int
get_erases(const struct pv_json *c, struct pv_sim_state *s, struct pv_error *e)
{
	const struct pv_json *erases = pv_json_get(c, "erases");
	uint64_t n = 0, v = 0;
	int r;

	if (erases == NULL)
		return 0;
	if (!pv_json_is_object(erases))
		return pv_fail(e, PV_E_MALFORMED, "'erases' is not an object");
	for (size_t i = 0; i < pv_json_count(erases); i++) {
		r = pv_parse_u64(pv_json_name_at(erases, i), PV_SIM_SECTORS - 1,
		    "a sector", &n, NULL);
		if (r != 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "'erases' counts a sector '%.20s'",
			    pv_json_name_at(erases, i));
		r = pv_json_value_u64(pv_json_at(erases, i), UINT32_MAX, &v, e);
		if (r != 0)
			return pv_wrap(e, "'erases'");
		s->erases[n] = (uint32_t)v;
	}
	return 0;
}

static int
get_counters(
    const struct pv_json *root, struct pv_sim_state *s, struct pv_error *e)
{
	const struct pv_json *c = pv_json_get(root, "counters");

	if (!pv_json_is_object(c))
		return pv_fail(e, PV_E_MALFORMED, "'counters' is missing");
	for (size_t i = 0; i < N_COUNTERS; i++) {
		uint64_t v = 0;
		int r;

		if (i < N_FIRST_COUNTERS)
			r = pv_json_u64(c, counters[i].name, UINT64_MAX, &v, e);
		else
			r = pv_json_opt_u64(
			    c, counters[i].name, UINT64_MAX, &v, e);
		if (r != 0)
			return r;
		memcpy((uint8_t *)s + counters[i].off, &v, sizeof v);
	}
	return get_erases(c, s, e);
}

static int
decode(const struct pv_json *root, struct pv_sim_state *s, struct pv_error *e)
{
	char format[32];
	uint64_t v = 0;
	int r;

	r = get_text(root, "format", format, sizeof format, e);
	if (r != 0)
		return r;
	if (strcmp(format, FORMAT) != 0)
		return pv_fail(e, PV_E_UNSUPPORTED, "format '%s' is not '%s'",
		    format, FORMAT);
	r = get_text(root, "chip", s->chip, sizeof s->chip, e);
	if (r == 0)
		r = get_text(
		    root, "product_id", s->product_id, sizeof s->product_id, e);
	if (r == 0 && strlen(s->product_id) != 8)
		r = pv_fail(
		    e, PV_E_MALFORMED, "'product_id' is not 8 characters");
	if (r == 0 && pv_json_get(root, "ssp_profile") != NULL)
		r = get_text(root, "ssp_profile", s->ssp_profile,
		    sizeof s->ssp_profile, e);
	if (r == 0)
		r = pv_json_opt_bool(root, "agent", &s->agent, e);
	if (r == 0)
		r = pv_json_opt_bool(
		    root, "allow_irreversible", &s->allow_irreversible, e);
	if (r == 0)
		r = pv_json_u64(root, "rdp", 2, &v, e);
	s->rdp = (unsigned int)v;
	if (r == 0)
		r = get_hex(root, "write_protected", s->write_protected,
		    sizeof s->write_protected, e);
	if (r == 0)
		r = get_words(root, s, e);
	s->pinned = pv_json_get(root, "campaign_key_sha256") != NULL;
	if (r == 0 && s->pinned)
		r = get_hex(root, "campaign_key_sha256", s->campaign_key,
		    sizeof s->campaign_key, e);
	if (r == 0)
		r = get_iv_add(root, s, e);
	if (r == 0)
		r = get_note(root, s, e);
	if (r == 0)
		r = get_external(root, s, e);
	if (r == 0)
		r = get_modules(root, s, e);
	s->running = pv_json_get(root, "running_at") != NULL;
	v = 0;
	if (r == 0)
		r = pv_json_opt_u64(root, "running_at", UINT32_MAX, &v, e);
	s->running_at = (uint32_t)v;
	if (r == 0)
		r = get_counters(root, s, e);
	return r;
}

int
pv_sim_state_parse(const char *text, size_t len, struct pv_sim_state *ret_state,
    struct pv_error *e)
{
	struct pv_sim_state s;
	struct pv_json *root = NULL;
	int r;

	memset(&s, 0, sizeof s);
	r = pv_json_parse(text, len, &root, e);
	if (r == 0)
		r = decode(root, &s, e);
	pv_json_free(root);
	if (r == 0)
		*ret_state = s;
	return r;
}

int
pv_sim_state_read(
    const char *dir, struct pv_sim_state *ret_state, struct pv_error *e)
{
	char path[PV_SIM_PATH];
	uint8_t *text = NULL;
	size_t len = 0;
	int r;

	r = pv_path_fit(path, sizeof path, dir, "state.json", e);
	if (r != 0)
		return r;
	r = pv_file_read(path, STATE_MAX, &text, &len, e);
	if (r != 0) {
		if (r == PV_E_NOT_FOUND)
			pv_hint(e, "make a chip with 'provisor sim create'");
		return pv_wrap(e, "virtual chip '%s'", dir);
	}
	r = pv_sim_state_parse((const char *)text, len, ret_state, e);
	free(text);
	return r == 0 ? 0 : pv_wrap(e, "'%s'", path);
}
