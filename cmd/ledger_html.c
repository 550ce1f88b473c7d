/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The report as a page that is well-formed XML too, so that it can be checked
 * by more than a browser. Every text that came from a ledger goes through
 * text(): stations, operators and names are other people's words.
 */
#include "cmd/ledger_html.h"

#include "cmd/campaign.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Columns of the chart by hour: a week. */
#define HOURS_SHOWN  168
#define CHART_WIDTH  760
#define CHART_HEIGHT 160
#define ROW_HEIGHT   22
#define LABEL_WIDTH  180

struct pv_html {
	struct pv_outfile *f;
	struct pv_error e; /* the first failure */
	int r;
};

static const char head[] =
    "<!DOCTYPE html>\n"
    "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
    "<meta charset=\"utf-8\"/>\n"
    "<meta http-equiv=\"Content-Security-Policy\" "
    "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n"
    "<title>provisor ledger report</title>\n"
    "<style>\n"
    "body { font-family: sans-serif; margin: 2em; max-width: 62em; "
    "color: #222; background: #fff }\n"
    "h2 { border-bottom: 1px solid #999; margin-top: 2em }\n"
    "table { border-collapse: collapse; margin: 1em 0 }\n"
    "th, td { border: 1px solid #ccc; padding: 0.2em 0.7em }\n"
    "td.n { text-align: right }\n"
    "svg { display: block; margin: 0.5em 0 }\n"
    "svg text { font-size: 12px; fill: #222 }\n"
    ".issued { fill: #2b6cb0 } .burnt { fill: #dd6b20 }\n"
    ".left { fill: #e2e8f0 } .passed { fill: #2f855a }\n"
    ".failed { fill: #c53030 }\n"
    "</style>\n</head>\n<body>\n<h1>Ledger report</h1>\n";

/* --- writing ------------------------------------------------------------------ */

static void
put(struct pv_html *h, const char *text, size_t len)
{
	if (h->r == 0)
		h->r = pv_outfile_write(h->f, text, len, &h->e);
}

/* Markup and numbers of our own; nothing from outside goes through here. */
static void PV_PRINTF(2, 3) markup(struct pv_html *h, const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		if (h->r == 0)
			h->r = pv_fail(&h->e, PV_E_INTERNAL, "page line");
		return;
	}
	put(h, line, (size_t)n);
}

/* Bytes of the UTF-8 character at s, 0 when it is none XML allows. */
static size_t
utf8(const uint8_t *s)
{
	size_t n = s[0] < 0x80		   ? 1
		   : (s[0] & 0xe0) == 0xc0 ? 2
		   : (s[0] & 0xf0) == 0xe0 ? 3
		   : (s[0] & 0xf8) == 0xf0 ? 4
					   : 0;
	uint32_t c = n == 1   ? s[0]
		     : n == 2 ? s[0] & 0x1fU
		     : n == 3 ? s[0] & 0x0fU
			      : s[0] & 0x07U;
	static const uint32_t least[] = { 0, 0x20, 0x80, 0x800, 0x10000 };

	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fU);
	}
	if (n == 0 || c < least[n] || c == 0x7f || c > 0x10ffff ||
	    (c >= 0xd800 && c <= 0xdfff) || (c & 0xfffe) == 0xfffe)
		return 0;
	return n;
}

static void
text(struct pv_html *h, const char *s)
{
	while (*s != '\0') {
		size_t n = utf8((const uint8_t *)s);

		switch (*s) {
		case '&':
			put(h, "&amp;", 5);
			break;
		case '<':
			put(h, "&lt;", 4);
			break;
		case '>':
			put(h, "&gt;", 4);
			break;
		case '"':
			put(h, "&#34;", 5);
			break;
		case '\'':
			put(h, "&#39;", 5);
			break;
		default:
			if (n == 0)
				put(h, "?", 1);
			else
				put(h, s, n);
			break;
		}
		s += n == 0 ? 1 : n;
	}
}

/* --- charts --------------------------------------------------------------------- */

struct part {
	const char *css;
	const char *name;
	uint64_t n;
};

static unsigned int
scale(uint64_t n, uint64_t most, unsigned int width)
{
	if (most == 0)
		return 0;
	return (unsigned int)((double)n / (double)most * width + 0.5);
}

/* One bar of parts beside each other, each with its tooltip. */
static void
bar(struct pv_html *h, unsigned int y, uint64_t most, const struct part *parts,
    size_t n)
{
	const unsigned int width = CHART_WIDTH - LABEL_WIDTH - 60;
	unsigned int x = LABEL_WIDTH;

	for (size_t i = 0; i < n; i++) {
		unsigned int w = scale(parts[i].n, most, width);

		if (parts[i].n == 0)
			continue;
		if (w == 0)
			w = 1; /* a few of many still show */
		markup(h,
		    "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"%u\" "
		    "height=\"16\"><title>%s: %" PRIu64 "</title></rect>\n",
		    parts[i].css, x, y, w, parts[i].name, parts[i].n);
		x += w;
	}
}

static void
svg_open(struct pv_html *h, const char *name, unsigned int height)
{
	markup(h,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" "
	    "aria-label=\"%s\" width=\"%u\" height=\"%u\" "
	    "viewBox=\"0 0 %u %u\">\n",
	    name, CHART_WIDTH, height, CHART_WIDTH, height);
}

/* A name in the left column; what does not fit is cut off. */
static void
label(struct pv_html *h, unsigned int y, const char *name)
{
	markup(h,
	    "<svg x=\"0\" y=\"%u\" width=\"%d\" height=\"20\">"
	    "<text x=\"0\" y=\"13\">",
	    y, LABEL_WIDTH - 8);
	text(h, name);
	markup(h, "</text></svg>\n");
}

static void
budget(struct pv_html *h, const struct pv_campaign *c, const struct pv_tally *t)
{
	const struct part parts[] = {
		{ "issued", "issued", t->n.issued },
		{ "burnt", "burnt", pv_minus(c->issued, t->n.issued) },
		{ "left", "left", pv_minus(c->max_licenses, c->issued) },
	};

	svg_open(h, "licenses used and left", ROW_HEIGHT);
	label(h, 0, "licenses");
	bar(h, 0, c->max_licenses, parts, 3);
	markup(h, "</svg>\n");
}

static const char *
station_name(const struct pv_tally_station *s)
{
	return s->name[0] == '\0' ? "(no station)" : s->name;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void
stations(struct pv_html *h, const struct pv_tally *t)
{
	char yield[PV_YIELD_TEXT];
	uint64_t most = 1;

	if (t->n_stations == 0)
		return;
	for (size_t i = 0; i < t->n_stations; i++) {
		const struct pv_tally_counts *n = &t->stations[i].n;

		most = larger(most, larger(n->issued, n->passed + n->failed));
	}
	markup(h, "<h3>By station</h3>\n");
	svg_open(h, "licenses and results by station",
	    (unsigned int)t->n_stations * 2 * ROW_HEIGHT);
	for (size_t i = 0; i < t->n_stations; i++) {
		const struct pv_tally_station *s = &t->stations[i];
		const struct part issued = { "issued", "issued", s->n.issued };
		const struct part results[] = {
			{ "passed", "passed", s->n.passed },
			{ "failed", "failed", s->n.failed },
		};
		unsigned int y = (unsigned int)i * 2 * ROW_HEIGHT;

		label(h, y, station_name(s));
		bar(h, y, most, &issued, 1);
		bar(h, y + 18, most, results, 2);
	}
	markup(h, "</svg>\n<table><tr><th>station</th><th>issued</th>"
		  "<th>passed</th><th>failed</th><th>yield</th></tr>\n");
	for (size_t i = 0; i < t->n_stations; i++) {
		const struct pv_tally_station *s = &t->stations[i];

		pv_yield_text(yield, &s->n);
		markup(h, "<tr><td>");
		text(h, station_name(s));
		markup(h,
		    "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">"
		    "%" PRIu64 "</td><td class=\"n\">%" PRIu64
		    "</td><td class=\"n\">%s</td></tr>\n",
		    s->n.issued, s->n.passed, s->n.failed, yield);
	}
	markup(h, "</table>\n");
}

/* The first hour of the chart: a week before the last. */
static size_t
first_shown(const struct pv_tally *t)
{
	int64_t last = t->hours[t->n_hours - 1].hour;
	size_t i = t->n_hours - 1;

	while (i > 0 && last - t->hours[i - 1].hour < HOURS_SHOWN)
		i--;
	return i;
}

static void
column(struct pv_html *h, unsigned int x, unsigned int width, uint64_t most,
    const struct pv_tally_hour *hour)
{
	unsigned int tall = scale(hour->n.issued, most, CHART_HEIGHT - 30);
	char when[PV_TIME_TEXT];

	pv_hour_text(when, hour->hour);
	markup(h,
	    "<rect class=\"issued\" x=\"%u\" y=\"%u\" width=\"%u\" "
	    "height=\"%u\"><title>%s: %" PRIu64 " issued, %" PRIu64
	    " passed, %" PRIu64 " failed</title></rect>\n",
	    x, CHART_HEIGHT - 20 - tall, width, tall, when, hour->n.issued,
	    hour->n.passed, hour->n.failed);
	if (hour->n.failed > 0)
		markup(h,
		    "<rect class=\"failed\" x=\"%u\" y=\"%u\" width=\"%u\" "
		    "height=\"3\"/>\n",
		    x, CHART_HEIGHT - 18, width);
}

static void
hours(struct pv_html *h, const struct pv_tally *t)
{
	const unsigned int width = CHART_WIDTH / HOURS_SHOWN;
	char when[PV_TIME_TEXT];
	uint64_t most = 1;
	int64_t base;
	size_t first;

	if (t->n_hours == 0)
		return;
	first = first_shown(t);
	base = t->hours[first].hour;
	for (size_t i = first; i < t->n_hours; i++)
		most = larger(most, t->hours[i].n.issued);
	markup(h,
	    "<h3>By hour</h3>\n<p>The %d hours that end with the last work, "
	    "in UTC as the machines believed; at most %" PRIu64
	    " licenses in an hour.%s</p>\n",
	    HOURS_SHOWN, most,
	    first > 0 ? " Earlier hours are not drawn." : "");
	svg_open(h, "licenses by hour", CHART_HEIGHT);
	markup(h,
	    "<rect class=\"left\" x=\"0\" y=\"%d\" width=\"%d\" "
	    "height=\"1\"/>\n",
	    CHART_HEIGHT - 20, CHART_WIDTH);
	for (size_t i = first; i < t->n_hours; i++)
		column(h, (unsigned int)(t->hours[i].hour - base) * width,
		    width, most, &t->hours[i]);
	pv_hour_text(when, base);
	label(h, CHART_HEIGHT - 16, when);
	markup(h, "</svg>\n");
}

static void
causes(struct pv_html *h, const struct pv_tally *t)
{
	uint64_t most = 1;

	if (t->n_causes == 0)
		return;
	for (size_t i = 0; i < t->n_causes; i++)
		most = larger(most, t->causes[i].n);
	markup(h, "<h3>Why chips failed</h3>\n");
	svg_open(
	    h, "causes of failure", (unsigned int)t->n_causes * ROW_HEIGHT);
	for (size_t i = 0; i < t->n_causes; i++) {
		const struct part one = { "failed", "failed", t->causes[i].n };
		unsigned int y = (unsigned int)i * ROW_HEIGHT;

		label(h, y, pv_code_name(t->causes[i].code));
		bar(h, y, most, &one, 1);
	}
	markup(h, "</svg>\n<table><tr><th>cause</th><th>chips</th></tr>\n");
	for (size_t i = 0; i < t->n_causes; i++)
		markup(h,
		    "<tr><td>%s</td><td class=\"n\">%" PRIu64 "</td></tr>\n",
		    pv_code_name(t->causes[i].code), t->causes[i].n);
	markup(h, "</table>\n");
}

/* --- the page ------------------------------------------------------------------- */

void
pv_html_campaign(
    struct pv_html *h, const struct pv_campaign *c, const struct pv_tally *t)
{
	char yield[PV_YIELD_TEXT];

	pv_yield_text(yield, &t->n);
	markup(h, "<h2>");
	text(h, c->name);
	markup(h, "</h2>\n<p>%s, product ", pv_campaign_state(c));
	text(h, c->product_id);
	markup(h, ", firmware ");
	text(h, c->firmware_id);
	if (c->n_trust == 0)
		markup(h, "</p>\n<p><b>Chip certificates were not verified: no "
			  "CA of these chips is known.</b>");
	markup(h,
	    "</p>\n<table><tr><th>limit</th><th>issued</th><th>burnt</th>"
	    "<th>left</th><th>passed</th><th>failed</th><th>yield</th>"
	    "<th>denied chips</th></tr>\n<tr><td class=\"n\">%" PRIu64
	    "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
	    "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%" PRIu64
	    "</td><td class=\"n\">%" PRIu64 "</td><td class=\"n\">%s</td>"
	    "<td class=\"n\">%" PRIu64 "</td></tr></table>\n",
	    c->max_licenses, t->n.issued, pv_minus(c->issued, t->n.issued),
	    pv_minus(c->max_licenses, c->issued), t->n.passed, t->n.failed,
	    yield, t->denied);
	budget(h, c, t);
	stations(h, t);
	hours(h, t);
	causes(h, t);
}

int
pv_html_open(const char *path, struct pv_html **ret_h, struct pv_error *e)
{
	struct pv_html *h = calloc(1, sizeof(*h));
	char when[PV_TIME_TEXT];
	int r;

	if (h == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_outfile_open(path, 0644, &h->f, e);
	if (r != 0) {
		free(h);
		return r;
	}
	put(h, head, sizeof(head) - 1);
	pv_time_text(when, pv_wall_ms());
	markup(h,
	    "<p>Made %s. The entries are counted here, not verified: "
	    "<code>provisor ledger verify</code> proves them. Licenses are "
	    "provisor's own format and not accepted by ST silicon.</p>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"420\" "
	    "height=\"20\"><rect class=\"issued\" x=\"0\" y=\"4\" width=\"12\" "
	    "height=\"12\"/><text x=\"18\" y=\"15\">issued</text>"
	    "<rect class=\"burnt\" x=\"80\" y=\"4\" width=\"12\" "
	    "height=\"12\"/><text x=\"98\" y=\"15\">burnt</text>"
	    "<rect class=\"left\" x=\"160\" y=\"4\" width=\"12\" "
	    "height=\"12\"/><text x=\"178\" y=\"15\">left</text>",
	    when);
	markup(h,
	    "<rect class=\"passed\" x=\"240\" y=\"4\" width=\"12\" "
	    "height=\"12\"/><text x=\"258\" y=\"15\">passed</text>"
	    "<rect class=\"failed\" x=\"320\" y=\"4\" width=\"12\" "
	    "height=\"12\"/><text x=\"338\" y=\"15\">failed</text></svg>\n");
	*ret_h = h;
	return 0;
}

int
pv_html_finish(struct pv_html *h, struct pv_error *e)
{
	markup(h, "</body>\n</html>\n");
	if (h->r == 0)
		return pv_outfile_commit(h->f, e);
	if (e != NULL)
		*e = h->e;
	return h->r;
}

void
pv_html_free(struct pv_html *h)
{
	if (h == NULL)
		return;
	pv_outfile_free(h->f);
	free(h);
}

uint64_t
pv_minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void
pv_yield_text(char dst[PV_YIELD_TEXT], const struct pv_tally_counts *n)
{
	uint64_t results = n->passed + n->failed;

	if (results == 0)
		(void)snprintf(dst, PV_YIELD_TEXT, "-");
	else
		(void)snprintf(dst, PV_YIELD_TEXT, "%.1f %%",
		    100.0 * (double)n->passed / (double)results);
}

void
pv_hour_text(char dst[PV_TIME_TEXT], int64_t hour)
{
	/* Hours of times that fit in milliseconds. */
	pv_time_text(dst, hour < 0 ? -1 : hour * 3600000);
	if (strlen(dst) > 16) {
		dst[10] = ' ';
		dst[16] = '\0';
	}
}
