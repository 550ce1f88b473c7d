/* SPDX-License-Identifier: Apache-2.0 */
/* Options of the `ssp` verbs, read and checked. */
#include "cmd/ssp.h"

#include "base/file.h"
#include "base/hex.h"

#include <string.h>

#define PKHTH_LEN 32U

void
pv_ssp_inputs_release(struct pv_ssp_inputs *in)
{
	if (in->has_secrets)
		pv_secrets_release(&in->secrets);
	in->has_secrets = false;
}

/* --- root keys ------------------------------------------------------------------ */

static size_t
count(const char **list)
{
	size_t n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static int
load_table(
    const struct pv_ssp_args *a, struct pv_ssp_inputs *in, struct pv_error *e)
{
	size_t n = count(a->public_keys);

	if (a->pkhth != NULL) {
		memset(in->root, 0, sizeof(in->root));
		in->root_text = a->pkhth;
		return pv_file_read_exact(a->pkhth, in->root, PKHTH_LEN, e);
	}
	if (n != PV_SSP_TABLE_KEYS) {
		(void)pv_fail(e, PV_E_USAGE,
		    "a stm32mp13 has a table of %u keys, --public-key was "
		    "given %zu time%s",
		    PV_SSP_TABLE_KEYS, n, n == 1 ? "" : "s");
		return pv_hint(e,
		    "give all eight in the order in which the signed images "
		    "count them, or their hash with --pkhth");
	}
	in->root_text = "table of 8 keys";
	return pv_ssp_root_table(
	    (const char *const *)a->public_keys, in->root, e);
}

static int
load_key(
    const struct pv_ssp_args *a, struct pv_ssp_inputs *in, struct pv_error *e)
{
	size_t n = count(a->public_keys);

	if (a->pkhth != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--pkhth is for stm32mp13; a stm32mp15 takes its root key "
		    "itself");
	if (n != 1)
		return pv_fail(e, PV_E_USAGE,
		    "a stm32mp15 has one root key, --public-key was given %zu "
		    "times",
		    n);
	in->root_text = a->public_keys[0];
	return pv_ssp_root_key(a->public_keys[0], in->root, e);
}

int
pv_ssp_inputs_root(const struct pv_ssp_args *a, enum pv_ssp_chip chip,
    struct pv_ssp_inputs *in, struct pv_error *e)
{
	int r;

	if (a->public_keys == NULL && a->pkhth == NULL)
		return 0;
	if (a->public_keys != NULL && a->pkhth != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--public-key and --pkhth: the hash is made of the keys, "
		    "give one of them");
	r = chip == PV_SSP_MP13 ? load_table(a, in, e) : load_key(a, in, e);
	in->has_root = r == 0;
	return r;
}

/* --- the rest -------------------------------------------------------------------- */

static int
set_rma(const char *text, const char *option, struct pv_secrets_rma *rma,
    struct pv_error *e)
{
	uint64_t v = 0;
	int r;

	if (text == NULL)
		return 0;
	if (rma->given)
		return pv_fail(e, PV_E_USAGE,
		    "%s: the description of secrets gives this password, too",
		    option);
	r = pv_parse_u64(text, UINT32_MAX, option, &v, e);
	rma->given = true;
	rma->value = (uint32_t)v;
	return r;
}

static int
load_secrets(
    const struct pv_ssp_args *a, struct pv_ssp_inputs *in, struct pv_error *e)
{
	int r;

	if (a->secrets == NULL)
		return 0;
	in->has_secrets = true;
	r = pv_secrets_load(a->secrets, &in->secrets, e);
	if (r == 0)
		r = set_rma(a->unlock, "--rma-unlock", &in->secrets.unlock, e);
	if (r == 0)
		r = set_rma(a->relock, "--rma-relock", &in->secrets.relock, e);
	return r;
}

static int
load_chip(
    const struct pv_ssp_args *a, struct pv_ssp_inputs *in, struct pv_error *e)
{
	const struct pv_secrets *s = &in->secrets;
	int r = 0;

	if (a->chip != NULL) {
		r = pv_ssp_chip_parse(a->chip, &in->chip, e);
		in->has_chip = r == 0;
	}
	if (r != 0 || !in->has_secrets || !s->has_chip)
		return r;
	if (in->has_chip && in->chip != s->chip)
		return pv_fail(e, PV_E_USAGE,
		    "--chip %s, but '%s' describes secrets of a %s", a->chip,
		    a->secrets, pv_ssp_chip_name(s->chip));
	in->chip = s->chip;
	in->has_chip = true;
	return 0;
}

static int
load_profile(
    const struct pv_ssp_args *a, struct pv_ssp_inputs *in, struct pv_error *e)
{
	const char *text = a->profile == NULL ? "ssp" : a->profile;
	int r = pv_ecies_parse(text, &in->profile, e);

	if (r == 0 && !in->profile.ssp)
		r = pv_fail(e, PV_E_USAGE, "'%s' is not profile 'ssp'", text);
	if (r != 0)
		return pv_wrap(e, "--profile");
	pv_ecies_text(&in->profile, in->profile_text);
	return 0;
}

int
pv_ssp_inputs_load(
    const struct pv_ssp_args *a, struct pv_ssp_inputs *in, struct pv_error *e)
{
	int r = load_profile(a, in, e);

	if (r == 0)
		r = load_secrets(a, in, e);
	if (r == 0)
		r = load_chip(a, in, e);
	if (r == 0 && in->has_chip)
		r = pv_ssp_inputs_root(a, in->chip, in, e);
	return r;
}

/* --- random ----------------------------------------------------------------------- */

int
pv_ssp_random(
    void *ctx, const char *uri, uint8_t *data, size_t len, struct pv_error *e)
{
	struct pv_ssp_tokens *t = ctx;
	size_t i = 0;
	int r;

	while (i < t->n && strcmp(t->uris[i], uri) != 0)
		i++;
	if (i == PV_SSP_TOKENS)
		return pv_fail(e, PV_E_USAGE, "random from more than %u tokens",
		    PV_SSP_TOKENS);
	if (i == t->n) {
		/* A description may be somebody else's. */
		r = pv_hsm_check_stored_uri(uri, e);
		if (r == 0)
			r = pv_open_token(t->app, uri, &t->hsms[i], e);
		if (r != 0)
			return r;
		t->uris[t->n++] = uri;
	}
	return pv_hsm_random(t->hsms[i], data, len, e);
}

void
pv_ssp_tokens_close(struct pv_ssp_tokens *t)
{
	for (size_t i = 0; i < t->n; i++)
		pv_hsm_close(t->hsms[i]);
	t->n = 0;
}
