/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles `ssp` and `ecies` as text: formats/license-ssp.md, section 3. */
#include <provisor/ecies.h>

#include "base/hex.h"

#include <stdio.h>
#include <string.h>

static const char ssp[] = "ssp";
static const char ecies[] = "ecies";

static bool
is_kind(const char *text, size_t len, const char *kind)
{
	return len == strlen(kind) && memcmp(text, kind, len) == 0;
}

bool
pv_ecies_is(const char *text)
{
	size_t len = strcspn(text, ":");

	return is_kind(text, len, ssp) || is_kind(text, len, ecies);
}

/* One of two words: *ret is whether it is the second. */
static int
choice(const char *name, const char *value, const char *dflt, const char *other,
    bool *ret, struct pv_error *e)
{
	if (strcmp(value, dflt) == 0)
		*ret = false;
	else if (strcmp(value, other) == 0)
		*ret = true;
	else
		return pv_fail(e, PV_E_USAGE,
		    "license profile: %s is '%s' or '%s', not '%s'", name, dflt,
		    other, value);
	return 0;
}

static int
iv_length(
    const char *name, const char *value, unsigned int *ret, struct pv_error *e)
{
	bool twelve = false;
	int r = choice(name, value, "16", "12", &twelve, e);

	if (r == 0)
		*ret = twelve ? 12 : 16;
	return r;
}

static int
min_version(const char *value, struct pv_ecies_profile *p, struct pv_error *e)
{
	uint64_t v = 0;
	int r;

	if (!p->ssp)
		return pv_fail(e, PV_E_USAGE,
		    "license profile: fsbl_min_version is a field of 'ssp'");
	r = pv_parse_u64(value, UINT32_MAX, "fsbl_min_version", &v, e);
	p->fsbl_min_version = (uint32_t)v;
	return r;
}

static int
set_field(struct pv_ecies_profile *p, const char *name, const char *value,
    struct pv_error *e)
{
	bool unused;

	if (strcmp(name, "kdf") == 0)
		return choice(
		    name, value, "x963-sha256", "x963-sha256", &unused, e);
	if (strcmp(name, "shared_info") == 0)
		return choice(
		    name, value, "empty", "ephemeral", &p->info_ephemeral, e);
	if (strcmp(name, "key_half") == 0)
		return choice(name, value, "low", "high", &p->key_high, e);
	if (strcmp(name, "iv_half") == 0)
		return choice(name, value, "high", "low", &p->iv_low, e);
	if (strcmp(name, "gcm_iv_len") == 0)
		return iv_length(name, value, &p->gcm_iv_len, e);
	if (strcmp(name, "payload_iv_len") == 0)
		return iv_length(name, value, &p->payload_iv_len, e);
	if (strcmp(name, "fsbl_min_version") == 0)
		return min_version(value, p, e);
	if (p->ssp && strcmp(name, "payload_aad") == 0)
		return choice(name, value, "header", "header", &unused, e);
	if (p->ssp && strcmp(name, "rma_layout") == 0)
		return choice(name, value, "low", "high", &p->rma_high, e);
	(void)pv_fail(e, PV_E_USAGE, "license profile: no field '%s'", name);
	return pv_hint(e, "fields: kdf, shared_info, key_half, iv_half, "
			  "gcm_iv_len, payload_iv_len, fsbl_min_version, "
			  "payload_aad, rma_layout");
}

static int
parse_fields(struct pv_ecies_profile *p, char *fields, struct pv_error *e)
{
	char *save = NULL, *word = strtok_r(fields, ",", &save);

	if (word == NULL)
		return pv_fail(
		    e, PV_E_USAGE, "license profile: no field after the colon");
	for (; word != NULL; word = strtok_r(NULL, ",", &save)) {
		char *eq = strchr(word, '=');
		int r;

		if (eq == NULL)
			return pv_fail(e, PV_E_USAGE,
			    "license profile: '%s' is not NAME=VALUE", word);
		*eq = '\0';
		r = set_field(p, word, eq + 1, e);
		if (r != 0)
			return r;
	}
	return 0;
}

int
pv_ecies_parse(
    const char *text, struct pv_ecies_profile *ret_p, struct pv_error *e)
{
	struct pv_ecies_profile p = {
		.gcm_iv_len = 16,
		.payload_iv_len = 16,
	};
	char copy[PV_ECIES_TEXT];
	size_t kind = strcspn(text, ":");
	int r;

	if (!pv_ecies_is(text))
		return pv_fail(e, PV_E_USAGE,
		    "license profile '%s' is not resident, ssp or ecies", text);
	if (strlen(text) >= sizeof(copy))
		return pv_fail(e, PV_E_USAGE,
		    "license profile: at most %zu characters",
		    sizeof(copy) - 1);
	(void)snprintf(copy, sizeof(copy), "%s", text);
	p.ssp = is_kind(text, kind, ssp);
	if (text[kind] == ':') {
		r = parse_fields(&p, copy + kind + 1, e);
		if (r != 0)
			return r;
	}
	/* The two halves are two halves. */
	if (p.key_high != p.iv_low)
		return pv_fail(e, PV_E_USAGE,
		    "license profile: key_half and iv_half are the same half");
	*ret_p = p;
	return 0;
}

static void
add(char *dst, size_t cap, const char *name, const char *value)
{
	size_t n = strnlen(dst, cap);

	if (n < cap)
		(void)snprintf(dst + n, cap - n, "%s%s=%s",
		    strchr(dst, ':') == NULL ? ":" : ",", name, value);
}

static void
make_text(const struct pv_ecies_profile *p, bool all, char *dst, size_t cap)
{
	char number[16];

	(void)snprintf(dst, cap, "%s", p->ssp ? ssp : ecies);
	if (all)
		add(dst, cap, "kdf", "x963-sha256");
	if (all || p->info_ephemeral)
		add(dst, cap, "shared_info",
		    p->info_ephemeral ? "ephemeral" : "empty");
	if (all || p->key_high)
		add(dst, cap, "key_half", p->key_high ? "high" : "low");
	if (all || p->iv_low)
		add(dst, cap, "iv_half", p->iv_low ? "low" : "high");
	if (all || p->gcm_iv_len != 16)
		add(dst, cap, "gcm_iv_len", p->gcm_iv_len == 12 ? "12" : "16");
	if (p->ssp && (all || p->payload_iv_len != 16))
		add(dst, cap, "payload_iv_len",
		    p->payload_iv_len == 12 ? "12" : "16");
	if (p->ssp && (all || p->fsbl_min_version != 0)) {
		(void)snprintf(
		    number, sizeof(number), "%u", p->fsbl_min_version);
		add(dst, cap, "fsbl_min_version", number);
	}
	if (p->ssp && all)
		add(dst, cap, "payload_aad", "header");
	if (p->ssp && (all || p->rma_high))
		add(dst, cap, "rma_layout", p->rma_high ? "high" : "low");
}

void
pv_ecies_text(const struct pv_ecies_profile *p, char dst[PV_ECIES_TEXT])
{
	make_text(p, false, dst, PV_ECIES_TEXT);
}

void
pv_ecies_full_text(const struct pv_ecies_profile *p, char *dst, size_t cap)
{
	make_text(p, true, dst, cap);
}
