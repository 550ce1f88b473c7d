/* SPDX-License-Identifier: Apache-2.0 */
/* Reset and boot pins on the modem lines, as each board wires them (R9). */
#include <provisor/usart.h>

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MAX 10000 /* milliseconds, one step */

/*
 * The pin of a TTL adapter is low while its line is asserted. NRST resets
 * while low, BOOT0 starts the bootloader when it is high as NRST rises.
 */
static const struct {
	const char *name, *steps, *wiring;
} presets[] = {
	{ "dtr", "-rts,dtr,50,-dtr,100",
	    "NRST on DTR, BOOT0 on RTS, both direct" },
	{ "rts", "-dtr,rts,50,-rts,100",
	    "NRST on RTS, BOOT0 on DTR, both direct" },
	{ "dtr-inverted", "rts,dtr,50,-dtr,100",
	    "NRST on DTR direct, BOOT0 on RTS through an inverter" },
	{ "rts-inverted", "dtr,rts,50,-rts,100",
	    "NRST on RTS direct, BOOT0 on DTR through an inverter" },
	{ "dtr-only", "dtr,50,-dtr,100",
	    "NRST on DTR direct, BOOT0 strapped high" },
	{ "rts-only", "rts,50,-rts,100",
	    "NRST on RTS direct, BOOT0 strapped high" },
};
#define N_PRESETS (sizeof(presets) / sizeof(presets[0]))

bool
pv_reset_preset(size_t i, const char **ret_name, const char **ret_steps,
    const char **ret_wiring)
{
	if (i >= N_PRESETS)
		return false;
	*ret_name = presets[i].name;
	*ret_steps = presets[i].steps;
	*ret_wiring = presets[i].wiring;
	return true;
}

static int
bad_step(const char *step, size_t n, struct pv_error *e)
{
	(void)pv_fail(e, PV_E_USAGE,
	    "reset sequence: '%.*s' is no step and no preset", (int)n, step);
	return pv_hint(e,
	    "steps are dtr, -dtr, rts, -rts and milliseconds, divided by "
	    "commas, such as -rts,dtr,50,-dtr,100; presets: dtr, rts, "
	    "dtr-inverted, rts-inverted, dtr-only, rts-only");
}

static int
parse_step(const char *p, size_t n, struct pv_reset_step *s, struct pv_error *e)
{
	size_t off = n > 0 && p[0] == '-' ? 1 : 0;
	char *end;
	long v;

	s->value = off == 0;
	if (n - off == 3 && memcmp(p + off, "dtr", 3) == 0) {
		s->kind = PV_RESET_DTR;
		return 0;
	}
	if (n - off == 3 && memcmp(p + off, "rts", 3) == 0) {
		s->kind = PV_RESET_RTS;
		return 0;
	}
	if (n == 0 || n > 5 || p[0] < '0' || p[0] > '9')
		return bad_step(p, n, e);
	v = strtol(p, &end, 10);
	if (end != p + n)
		return bad_step(p, n, e);
	if (v > WAIT_MAX)
		return pv_fail(e, PV_E_USAGE,
		    "reset sequence: a wait of %ld ms is above %d", v,
		    WAIT_MAX);
	s->kind = PV_RESET_WAIT;
	s->value = (int)v;
	return 0;
}

int
pv_reset_parse(const char *text, struct pv_reset *ret_reset, struct pv_error *e)
{
	struct pv_reset reset = { 0 };
	bool single = strchr(text, ',') == NULL;
	size_t i, n;
	int r;

	/* "dtr" alone as a step would leave the chip in reset for ever. */
	for (i = 0; single && i < N_PRESETS; i++)
		if (strcmp(text, presets[i].name) == 0)
			text = presets[i].steps;
	while (*text != '\0') {
		n = strcspn(text, ",");
		if (reset.n == PV_RESET_STEPS)
			return pv_fail(e, PV_E_USAGE,
			    "reset sequence: more than %u steps",
			    PV_RESET_STEPS);
		r = parse_step(text, n, &reset.steps[reset.n], e);
		if (r != 0)
			return r;
		reset.n++;
		text += n;
		if (*text == ',' && *++text == '\0')
			return bad_step("", 0, e);
	}
	*ret_reset = reset;
	return 0;
}

int
pv_reset_run(const struct pv_reset *reset, const struct pv_link *link,
    struct pv_error *e)
{
	const struct pv_reset_step *s;
	size_t i;
	int r;

	for (i = 0; i < reset->n; i++) {
		s = &reset->steps[i];
		if (s->kind == PV_RESET_WAIT) {
			pv_sleep_ms(s->value);
			continue;
		}
		if (link->line == NULL)
			return pv_fail(e, PV_E_UNSUPPORTED,
			    "reset sequence: this port has no modem lines");
		r = link->line(link->ctx,
		    s->kind == PV_RESET_DTR ? PV_LINE_DTR : PV_LINE_RTS,
		    s->value, e);
		if (r == PV_E_UNSUPPORTED)
			(void)pv_hint(e,
			    "leave out --reset-sequence and reset the chip by "
			    "hand");
		if (r != 0)
			return pv_wrap(e, "reset sequence");
	}
	return 0;
}
