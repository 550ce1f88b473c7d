/* SPDX-License-Identifier: Apache-2.0 */
/* What --faults says of a serial line. */
#include "sim/sim.h"

#include "base/hex.h"

#include <stdlib.h>
#include <string.h>

#define WORD_MAX 64U

struct noise_name {
	const char *name;
	double *value[2]; /* the second NULL: one direction only */
};

static int
parse_chance(
    const char *word, const char *text, double *ret_p, struct pv_error *e)
{
	char *end = NULL;
	double p = strtod(text, &end);

	if (end == text || *end != '\0' || !(p >= 0.0 && p <= 1.0))
		return pv_fail(e, PV_E_USAGE,
		    "--faults: '%s': '%s' is not a chance between 0 and 1",
		    word, text);
	*ret_p = p;
	return 0;
}

/* NAME=P, for both directions or with -in or -out for one of them. */
static int
parse_noise(const char *word, struct pv_wire_noise *n, struct pv_error *e)
{
	const struct noise_name names[] = {
		{ "drop", { &n->drop[PV_WIRE_IN], &n->drop[PV_WIRE_OUT] } },
		{ "drop-in", { &n->drop[PV_WIRE_IN], NULL } },
		{ "drop-out", { &n->drop[PV_WIRE_OUT], NULL } },
		{ "flip", { &n->flip[PV_WIRE_IN], &n->flip[PV_WIRE_OUT] } },
		{ "flip-in", { &n->flip[PV_WIRE_IN], NULL } },
		{ "flip-out", { &n->flip[PV_WIRE_OUT], NULL } },
		{ "insert",
		    { &n->insert[PV_WIRE_IN], &n->insert[PV_WIRE_OUT] } },
		{ "insert-in", { &n->insert[PV_WIRE_IN], NULL } },
		{ "insert-out", { &n->insert[PV_WIRE_OUT], NULL } },
		{ "nack", { &n->nack, NULL } },
		{ "lostack", { &n->lostack, NULL } },
	};
	size_t len = strcspn(word, "=");

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		double p = 0;
		int r;

		if (word[len] != '=' || strlen(names[i].name) != len ||
		    strncmp(word, names[i].name, len) != 0)
			continue;
		r = parse_chance(word, word + len + 1, &p, e);
		if (r != 0)
			return r;
		*names[i].value[0] = p;
		if (names[i].value[1] != NULL)
			*names[i].value[1] = p;
		return 0;
	}
	(void)pv_fail(e, PV_E_USAGE, "--faults: no fault '%s'", word);
	return pv_hint(e,
	    "known faults: unplug@BYTES, powercut@BYTES, reset@BYTES, nack@N, "
	    "abort@N; drop=P, flip=P, insert=P (also drop-in=P, drop-out=P "
	    "and so on), nack=P, "
	    "lostack=P with P between 0 and 1");
}

/* NAME@N; *ret_found false when the word is no such fault. */
static int
parse_count(const char *word, const char *name, bool *ret_found,
    uint64_t *ret_v, struct pv_error *e)
{
	size_t n = strlen(name);
	uint64_t v = 0;

	if (strncmp(word, name, n) != 0)
		return 0;
	if (pv_parse_u64(word + n, UINT64_MAX, name, &v, NULL) != 0)
		return pv_fail(e, PV_E_USAGE,
		    "--faults: '%s': '%s' is not a byte count", word, word + n);
	*ret_found = true;
	*ret_v = v;
	return 0;
}

static int
parse_word(const char *word, struct pv_sim_line *line, struct pv_error *e)
{
	bool unplug = false, powercut = false, reset = false, ordinal = false;
	int r;

	r = parse_count(word, "unplug@", &unplug, &line->unplug, e);
	if (r == 0)
		r = parse_count(
		    word, "powercut@", &powercut, &line->powercut, e);
	if (r == 0)
		r = parse_count(word, "reset@", &reset, &line->reset_at, e);
	if (r == 0)
		r = parse_count(word, "nack@", &ordinal, &line->nack_at, e);
	if (r == 0)
		r = parse_count(word, "abort@", &ordinal, &line->abort_at, e);
	if (r == 0 && !unplug && !powercut && !reset && !ordinal)
		r = parse_noise(word, &line->noise, e);
	if (ordinal && line->nack_at == 0 && line->abort_at == 0)
		return pv_fail(e, PV_E_USAGE,
		    "--faults: '%s': the first ACK is number 1", word);
	if (unplug)
		line->has_unplug = true;
	if (powercut)
		line->has_powercut = true;
	if (reset)
		line->has_reset = true;
	return r;
}

int
pv_sim_faults_parse(
    const char *text, struct pv_sim_line *line, struct pv_error *e)
{
	char word[WORD_MAX];

	while (*text != '\0') {
		size_t n = strcspn(text, ",");
		int r;

		if (n >= sizeof word)
			return pv_fail(
			    e, PV_E_USAGE, "--faults: no fault '%.60s'", text);
		memcpy(word, text, n);
		word[n] = '\0';
		r = parse_word(word, line, e);
		if (r != 0)
			return r;
		text += n;
		if (*text == ',' && *++text == '\0')
			return pv_fail(
			    e, PV_E_USAGE, "--faults: nothing after ','");
	}
	return 0;
}
