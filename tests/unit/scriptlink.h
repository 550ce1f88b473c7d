/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A serial link that plays a transcript: each write of the host must be the
 * next one of the script, whole and alone, and is answered at once. A read
 * with nothing to deliver is a time-out at once, so no test waits.
 */
#ifndef PV_TEST_SCRIPTLINK_H
#define PV_TEST_SCRIPTLINK_H

#include "base/hex.h"
#include <provisor/link.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct script_step {
	const char *host;   /* hex; "" plays the answer unasked */
	const char *device; /* hex */
};

struct script {
	const struct script_step *steps;
	size_t n, at;
	uint8_t out[4096];
	size_t out_at, n_out;
	bool wrong;	  /* the host said something else */
	char heard[1200]; /* what it said then, hex */
};

static inline size_t
script_bytes(const char *hex, uint8_t *dst, size_t cap)
{
	char digits[2 * 512 + 1];
	struct pv_error e = { 0 };
	size_t n = 0;

	for (; *hex != '\0' && n < sizeof(digits) - 1; hex++)
		if (*hex != ' ')
			digits[n++] = *hex;
	digits[n] = '\0';
	if (n / 2 > cap || pv_hex_decode(digits, dst, n / 2, &e) != 0)
		return 0;
	return n / 2;
}

static inline void
script_say(struct script *s, const char *hex)
{
	if (s->out_at == s->n_out)
		s->out_at = s->n_out = 0;
	s->n_out +=
	    script_bytes(hex, s->out + s->n_out, sizeof(s->out) - s->n_out);
}

static inline void
script_unasked(struct script *s)
{
	while (s->at < s->n && s->steps[s->at].host[0] == '\0')
		script_say(s, s->steps[s->at++].device);
}

static inline int
script_write(void *ctx, const uint8_t *data, size_t len, int64_t deadline,
    struct pv_error *e)
{
	struct script *s = ctx;
	uint8_t want[600];
	size_t n;

	(void)deadline;
	(void)e;
	if (s->wrong)
		return 0;
	n = s->at < s->n
		? script_bytes(s->steps[s->at].host, want, sizeof(want))
		: 0;
	if (n != len || memcmp(want, data, len) != 0) {
		s->wrong = true;
		pv_hex_encode(s->heard, data, len < 512 ? len : 512);
		return 0;
	}
	script_say(s, s->steps[s->at++].device);
	return 0;
}

static inline int
script_read(void *ctx, uint8_t *data, size_t cap, size_t *ret_len,
    int64_t deadline, struct pv_error *e)
{
	struct script *s = ctx;
	size_t n = s->n_out - s->out_at;

	(void)deadline;
	if (n == 0) {
		script_unasked(s);
		n = s->n_out - s->out_at;
	}
	if (n == 0)
		return pv_fail(e, PV_E_TIMEOUT, "no answer");
	n = cap < n ? cap : n;
	memcpy(data, s->out + s->out_at, n);
	s->out_at += n;
	*ret_len = n;
	return 0;
}

static inline int
script_drain(void *ctx, struct pv_error *e)
{
	struct script *s = ctx;

	(void)e;
	s->out_at = s->n_out;
	return 0;
}

static inline struct pv_link
script_link(struct script *s, const struct script_step *steps, size_t n)
{
	memset(s, 0, sizeof(*s));
	s->steps = steps;
	s->n = n;
	return (struct pv_link){ .ctx = s,
		.baud = 115200,
		.write = script_write,
		.read = script_read,
		.drain = script_drain };
}

/* The host said all of the script and nothing else. */
static inline bool
script_played(const struct script *s)
{
	if (s->wrong)
		(void)fprintf(stderr, "step %zu: host said %s, not %s\n", s->at,
		    s->heard, s->at < s->n ? s->steps[s->at].host : "nothing");
	else if (s->at < s->n)
		(void)fprintf(stderr, "step %zu was not said: %s\n", s->at,
		    s->steps[s->at].host);
	return !s->wrong && s->at == s->n;
}

#endif
