/* SPDX-License-Identifier: Apache-2.0 */
/* FlashLayout files; the grammar is in flashlayout.md. */
#include "formats/flashlayout.h"

#include "base/log.h"
#include "formats/stm32_image.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS_MIN 6U
#define COLUMNS_MAX 7U
#define HEADER_V1   256U

static const char *const types[] = { "Binary", "FIP", "FWU_MDATA", "ENV",
	"System", "FileSystem", "ESP", "RawImage" };
#define N_TYPES (sizeof(types) / sizeof(types[0]))

static const char *const targets[] = { "none", "mmc", "nor", "nand", "spi-nand",
	"ram" };
#define N_TARGETS (sizeof(targets) / sizeof(targets[0]))

const char *
pv_layout_type_name(enum pv_layout_type type)
{
	return types[type];
}

/* --- lines ---------------------------------------------------------------------- */

/* One line taken apart: columns are terminated inside `text`. */
struct columns {
	unsigned int line;
	size_t n;
	char *col[COLUMNS_MAX];
	char text[PV_LAYOUT_FILE + 256];
};

static int
bad(const struct columns *c, struct pv_error *e, const char *what,
    const char *value)
{
	char shown[64];

	pv_mask(shown, sizeof(shown), value);
	return pv_fail(
	    e, PV_E_MALFORMED, "line %u: %s: '%s'", c->line, what, shown);
}

/* Printable, as far as bytes tell; tabs divide, CR ends a line. */
static int
check_bytes(const uint8_t *p, size_t n, unsigned int line, struct pv_error *e)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\r') ||
		    p[i] == 0x7f)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: control byte 0x%02x at character %zu",
			    line, p[i], i + 1);
	return 0;
}

/* Columns of a line that is no comment; n is 0 for a blank one. */
static int
split(const uint8_t *p, size_t n, struct columns *c, struct pv_error *e)
{
	size_t k = 0;
	bool inside = false;

	c->n = 0;
	c->text[0] = '\0';
	for (size_t i = 0; i < COLUMNS_MAX; i++)
		c->col[i] = c->text;
	if (n >= sizeof(c->text))
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: %zu characters, at most %zu are possible",
		    c->line, n, sizeof(c->text) - 1);
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\r')
			continue;
		if (p[i] == '\t') {
			c->text[k++] = '\0';
			inside = false;
			continue;
		}
		if (!inside && c->n == COLUMNS_MAX)
			return pv_fail(e, PV_E_MALFORMED,
			    "line %u: more than %u columns", c->line,
			    COLUMNS_MAX);
		if (!inside)
			c->col[c->n++] = c->text + k;
		inside = true;
		c->text[k++] = (char)p[i];
	}
	c->text[k] = '\0';
	if (c->n > 0 && c->n < COLUMNS_MIN) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "line %u: %zu columns, %u or %u are needed", c->line, c->n,
		    COLUMNS_MIN, COLUMNS_MAX);
		return pv_hint(e,
		    "columns are divided by tabs, not by blanks: Opt, Id, "
		    "Name, Type, IP, Offset, Binary");
	}
	return 0;
}

/* A number in C notation: decimal, 0x, or octal with a leading 0. */
static bool
number(const char *text, uint64_t max, uint64_t *ret_v)
{
	char *end = NULL;
	unsigned long long v;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 0);
	if (errno != 0 || end == text || *end != '\0' || v > max)
		return false;
	*ret_v = v;
	return true;
}

/* --- columns -------------------------------------------------------------------- */

static int
parse_option(
    const struct columns *c, struct pv_layout_line *l, struct pv_error *e)
{
	const char *p = c->col[0];
	bool *flag;

	if (strcmp(p, "-") == 0)
		return 0;
	for (; *p != '\0'; p++) {
		flag = *p == 'P'   ? &l->select
		       : *p == 'E' ? &l->empty
		       : *p == 'D' ? &l->erase
				   : NULL;
		if (flag == NULL || *flag)
			return bad(c, e,
			    "Opt is '-', or P with E and D, each once",
			    c->col[0]);
		*flag = true;
	}
	if (!l->select)
		return bad(c, e, "Opt has letters but no P", c->col[0]);
	return 0;
}

static int
parse_type(
    const struct columns *c, struct pv_layout_line *l, struct pv_error *e)
{
	const char *text = c->col[3];
	char digits[8];
	uint64_t n = 0;
	size_t len;

	l->count = 1;
	for (size_t i = 0; i < N_TYPES; i++)
		if (strcmp(text, types[i]) == 0) {
			l->type = (enum pv_layout_type)i;
			return 0;
		}
	len = strlen(text);
	if (len > 8 && len - 8 < sizeof(digits) &&
	    strncmp(text, "Binary(", 7) == 0 && text[len - 1] == ')') {
		memcpy(digits, text + 7, len - 8);
		digits[len - 8] = '\0';
		if (digits[0] != '0' &&
		    strspn(digits, "0123456789") == strlen(digits) &&
		    number(digits, PV_LAYOUT_COUNT, &n)) {
			l->type = PV_LAYOUT_BINARY;
			l->count = (unsigned int)n;
			return 0;
		}
	}
	return bad(c, e,
	    "Type is Binary, Binary(n), FIP, FWU_MDATA, ENV, System, "
	    "FileSystem, ESP or RawImage",
	    text);
}

static int
parse_target(
    const struct columns *c, struct pv_layout_line *l, struct pv_error *e)
{
	const char *text = c->col[4];
	size_t n;

	for (size_t i = 0; i < N_TARGETS; i++) {
		n = strlen(targets[i]);
		if (strncmp(text, targets[i], n) != 0)
			continue;
		l->target = (enum pv_layout_target)i;
		if (i == PV_LAYOUT_NONE || i == PV_LAYOUT_RAM) {
			if (text[n] == '\0')
				return 0;
			continue;
		}
		if (text[n] >= '0' && text[n] <= '9' && text[n + 1] == '\0') {
			l->device = (unsigned int)(text[n] - '0');
			return 0;
		}
	}
	return bad(c, e,
	    "IP is none, ram, or mmc, nor, nand, spi-nand with one digit",
	    text);
}

static int
parse_offset(
    const struct columns *c, struct pv_layout_line *l, struct pv_error *e)
{
	const char *text = c->col[5];

	if (strcmp(text, "boot1") == 0 || strcmp(text, "boot2") == 0) {
		l->boot_area = (unsigned int)(text[4] - '0');
		return 0;
	}
	if (!number(text, UINT64_MAX, &l->offset))
		return bad(c, e, "Offset is a number, boot1 or boot2", text);
	return 0;
}

static int
parse_line(
    const struct columns *c, struct pv_layout_line *l, struct pv_error *e)
{
	uint64_t id = 0;
	size_t n = strlen(c->col[2]);
	int r;

	memset(l, 0, sizeof(*l));
	l->line = c->line;
	r = parse_option(c, l, e);
	if (r != 0)
		return r;
	if (!number(c->col[1], PV_LAYOUT_ID_MAX, &id))
		return bad(c, e, "Id is a number of at most 0xF0", c->col[1]);
	l->id = (uint8_t)id;
	if (n >= sizeof(l->name))
		return bad(c, e, "Name has more than 16 characters", c->col[2]);
	memcpy(l->name, c->col[2], n);
	r = parse_type(c, l, e);
	if (r == 0)
		r = parse_target(c, l, e);
	if (r == 0)
		r = parse_offset(c, l, e);
	if (r != 0 || c->n < COLUMNS_MAX)
		return r;
	l->has_file = true;
	n = strlen(c->col[6]);
	if (n >= sizeof(l->file))
		return bad(c, e, "Binary is too long", c->col[6]);
	if (strcmp(c->col[6], "none") != 0)
		memcpy(l->file, c->col[6], n);
	return 0;
}

/* --- the whole text --------------------------------------------------------------- */

/* A v1 STM32 header around the text: U-Boot checks its checksum, so do we. */
static int
unwrap(const uint8_t *data, size_t len, struct pv_layout *l, struct pv_error *e)
{
	struct pv_stm32_header h = { 0 };
	int r;

	l->text_at = 0;
	l->text_len = len;
	if (len < 4 || memcmp(data, "STM2", 4) != 0)
		return 0;
	r = pv_stm32_decode(data, len, &h, e);
	if (r == 0 && h.version != PV_STM32_V1_0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "the text is wrapped in an image header of another "
		    "version than 1.0, which U-Boot does not take");
	if (r == 0)
		r = pv_stm32_validate(&h, len, e);
	if (r == 0 && pv_stm32_checksum(0, data + HEADER_V1, len - HEADER_V1) !=
			  h.checksum)
		r = pv_fail(e, PV_E_MALFORMED,
		    "the checksum in the image header is not that of the text");
	if (r != 0)
		return pv_wrap(e, "image header around the text");
	l->text_at = HEADER_V1;
	l->text_len = len - HEADER_V1;
	return 0;
}

static int
add_line(struct pv_layout *l, struct columns *c, const uint8_t *p, size_t n,
    struct pv_error *e)
{
	int r;

	r = check_bytes(p, n, c->line, e);
	if (r != 0 || (n > 0 && p[0] == '#'))
		return r;
	r = split(p, n, c, e);
	if (r != 0 || c->n == 0)
		return r;
	if (l->n == PV_LAYOUT_LINES)
		return pv_fail(e, PV_E_RANGE,
		    "line %u: more than %u partitions", c->line,
		    PV_LAYOUT_LINES);
	r = parse_line(c, &l->lines[l->n], e);
	if (r == 0)
		l->n++;
	return r;
}

int
pv_layout_decode(const uint8_t *data, size_t len, struct pv_layout *ret_l,
    struct pv_error *e)
{
	struct columns c = { 0 };
	const uint8_t *p, *eol;
	size_t left, n;
	int r;

	ret_l->n = 0;
	if (len > PV_LAYOUT_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "%zu bytes; a device takes at most %u", len, PV_LAYOUT_MAX);
	r = unwrap(data, len, ret_l, e);
	if (r != 0)
		return r;
	p = data + ret_l->text_at;
	for (left = ret_l->text_len; left > 0; left -= n, p += n) {
		eol = memchr(p, '\n', left);
		n = eol == NULL ? left : (size_t)(eol - p) + 1;
		c.line++;
		r = add_line(ret_l, &c, p, eol == NULL ? n : n - 1, e);
		if (r != 0)
			return r;
	}
	return pv_layout_validate(ret_l, e);
}

bool
pv_layout_detect(const uint8_t *data, size_t len)
{
	const uint8_t *p = data;
	size_t i = 0;

	if (len > HEADER_V1 && memcmp(data, "STM2", 4) == 0) {
		p += HEADER_V1;
		len -= HEADER_V1;
	}
	/* Comments and blank lines, then '-' or letters, and a tab. */
	while (i < len && (p[i] == '#' || p[i] == '\n' || p[i] == '\r')) {
		while (i < len && p[i] != '\n')
			i++;
		i++;
	}
	if (i >= len ||
	    (p[i] != '-' && p[i] != 'P' && p[i] != 'E' && p[i] != 'D'))
		return false;
	while (i < len &&
	       (p[i] == '-' || p[i] == 'P' || p[i] == 'E' || p[i] == 'D'))
		i++;
	return i < len && p[i] == '\t';
}

/* --- meaning ------------------------------------------------------------------------ */

static int
validate_line(const struct pv_layout_line *l, struct pv_error *e)
{
	if (l->name[0] == '\0')
		return pv_fail(
		    e, PV_E_MALFORMED, "line %u: Name is empty", l->line);
	if (l->id == 0)
		return pv_fail(e, PV_E_RANGE,
		    "line %u: Id 0x00 is the layout's own", l->line);
	if (l->select && l->target == PV_LAYOUT_NONE)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: '%s' is to be written (P) but IP is none",
		    l->line, l->name);
	if (l->boot_area != 0 && l->target != PV_LAYOUT_MMC)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: boot%u is for mmc only", l->line, l->boot_area);
	if (l->select && !l->empty && l->file[0] == '\0') {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "line %u: '%s' is to be written (P) but names no file",
		    l->line, l->name);
		return pv_hint(e,
		    "give the file in the seventh column, or Opt PE for an "
		    "empty partition");
	}
	return 0;
}

static bool
same_place(const struct pv_layout_line *a, const struct pv_layout_line *b)
{
	return a->target != PV_LAYOUT_NONE && a->target == b->target &&
	       a->device == b->device && a->boot_area == b->boot_area &&
	       a->offset == b->offset;
}

int
pv_layout_validate(const struct pv_layout *l, struct pv_error *e)
{
	size_t devices = 0, k;
	int r;

	if (l->n == 0)
		return pv_fail(e, PV_E_MALFORMED, "it names no partition");
	for (size_t i = 0; i < l->n; i++) {
		const struct pv_layout_line *a = &l->lines[i];
		bool seen = a->target == PV_LAYOUT_NONE;

		r = validate_line(a, e);
		if (r != 0)
			return r;
		for (k = 0; k < i; k++) {
			const struct pv_layout_line *b = &l->lines[k];

			if (a->id == b->id)
				return pv_fail(e, PV_E_MALFORMED,
				    "line %u: Id 0x%02x is that of line %u, "
				    "too",
				    a->line, a->id, b->line);
			if (same_place(a, b))
				return pv_fail(e, PV_E_OVERLAP,
				    "line %u: '%s' begins where '%s' of line "
				    "%u does",
				    a->line, a->name, b->name, b->line);
			seen = seen || (a->target == b->target &&
					   a->device == b->device);
		}
		if (!seen && ++devices > PV_LAYOUT_DEVICES)
			return pv_fail(e, PV_E_RANGE,
			    "line %u: more than %u different devices", a->line,
			    PV_LAYOUT_DEVICES);
	}
	return 0;
}

/* --- encode ------------------------------------------------------------------------- */

static size_t
put(char *dst, size_t cap, size_t at, const char *text)
{
	size_t n = strlen(text);

	if (at < cap && n < cap - at)
		memcpy(dst + at, text, n + 1);
	return at + n;
}

static void
target_text(const struct pv_layout_line *l, char dst[16])
{
	if (l->target == PV_LAYOUT_NONE || l->target == PV_LAYOUT_RAM)
		(void)snprintf(dst, 16, "%s", targets[l->target]);
	else
		(void)snprintf(
		    dst, 16, "%s%u", targets[l->target], l->device % 10);
}

static void
offset_text(const struct pv_layout_line *l, char dst[24])
{
	if (l->boot_area != 0)
		(void)snprintf(dst, 24, "boot%u", l->boot_area % 10);
	else
		(void)snprintf(dst, 24, "0x%08" PRIx64, l->offset);
}

int
pv_layout_encode(
    const struct pv_layout *l, char *dst, size_t *len, struct pv_error *e)
{
	char line[128], target[16], offset[24], type[24];
	size_t at = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct pv_layout_line *p = &l->lines[i];

		target_text(p, target);
		offset_text(p, offset);
		if (p->count > 1)
			(void)snprintf(type, sizeof(type), "%s(%u)",
			    types[p->type], p->count);
		else
			(void)snprintf(
			    type, sizeof(type), "%s", types[p->type]);
		(void)snprintf(line, sizeof(line),
		    "%s%s%s\t0x%02x\t%s\t%s\t%s\t%s", p->select ? "P" : "-",
		    p->empty ? "E" : "", p->erase ? "D" : "", p->id, p->name,
		    type, target, offset);
		at = put(dst, *len, at, line);
		if (p->has_file) {
			at = put(dst, *len, at, "\t");
			at = put(dst, *len, at,
			    p->file[0] != '\0' ? p->file : "none");
		}
		at = put(dst, *len, at, "\n");
	}
	if (at >= *len)
		return pv_fail(e, PV_E_INTERNAL, "no room for the layout");
	*len = at;
	return 0;
}

const struct pv_layout_line *
pv_layout_find(const struct pv_layout *l, uint8_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->lines[i].id == id)
			return &l->lines[i];
	return NULL;
}

void
pv_layout_place(const struct pv_layout_line *l, char dst[PV_LAYOUT_PLACE])
{
	char target[16], offset[24];

	target_text(l, target);
	offset_text(l, offset);
	(void)snprintf(dst, PV_LAYOUT_PLACE, "%s%s%s", target,
	    l->target == PV_LAYOUT_NONE ? "" : " ",
	    l->target == PV_LAYOUT_NONE ? "" : offset);
}
