/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A FlashLayout as U-Boot reads it (stm32prog.c, parse_flash_layout and
 * treat_partition_list), with its error texts.
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

#define COLUMNS	 6U
#define WORD_MAX 64U
#define DEVICES	 5U

/* Sizes of the media of our board. */
#define MMC_SIZE      (UINT64_C(4) << 30)
#define MMC_BOOT_SIZE (UINT64_C(4) << 20)
#define NOR_SIZE      (UINT64_C(64) << 20)
#define NAND_SIZE     (UINT64_C(512) << 20)
#define RAM_END	      UINT64_C(0xe0000000)

/* "Layout line 3: WHAT'WORD'"; nonzero always. */
static int
line_error(struct pv_mp *m, uint32_t line, const char *what, const char *word)
{
	char text[PV_MP_TEXT] = "Layout line ";

	pv_mp_text_number(text, line, 10);
	pv_mp_text(text, ": ");
	pv_mp_text(text, what);
	pv_mp_text(text, word);
	pv_mp_error(m, text);
	return -1;
}

/* A number in the notation of C: 0x, 0 for octal, or decimal. */
static bool
number(const char *s, uint64_t max, uint64_t *ret_v)
{
	uint64_t v = 0, base = 10;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	} else if (s[0] == '0' && s[1] != '\0') {
		base = 8;
		s++;
	}
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		uint64_t d;

		if (*s >= '0' && *s <= '9')
			d = (uint64_t)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			d = (uint64_t)(*s - 'a') + 10;
		else if (*s >= 'A' && *s <= 'F')
			d = (uint64_t)(*s - 'A') + 10;
		else
			return false;
		if (d >= base || v > (max - d) / base)
			return false;
		v = v * base + d;
	}
	*ret_v = v;
	return true;
}

/* --- columns ------------------------------------------------------------------ */

static int
parse_option(
    struct pv_mp *m, uint32_t line, const char *w, struct pv_mp_part *p)
{
	if (strcmp(w, "-") == 0)
		return 0;
	for (const char *c = w; *c != '\0'; c++) {
		if (*c == 'P')
			p->selected = true;
		else if (*c == 'E')
			p->empty = true;
		else if (*c == 'D')
			p->erase = true;
		else
			return line_error(m, line, "invalid option in ", w);
	}
	if (!p->selected)
		return line_error(m, line, "missing 'P' in option ", w);
	return 0;
}

static int
parse_id(struct pv_mp *m, uint32_t line, const char *w, struct pv_mp_part *p)
{
	uint64_t v;

	if (!number(w, PV_MP_LAST_USER, &v))
		return line_error(m, line, "invalid phase value = ", w);
	p->id = (uint8_t)v;
	return 0;
}

static int
parse_name(struct pv_mp *m, uint32_t line, const char *w, struct pv_mp_part *p)
{
	if (strlen(w) >= sizeof p->name)
		return line_error(m, line, "partition name too long: ", w);
	memcpy(p->name, w, strlen(w) + 1);
	return 0;
}

static int
parse_type(struct pv_mp *m, uint32_t line, const char *w, struct pv_mp_part *p)
{
	static const char *const types[] = { "Binary", "FIP", "FWU_MDATA",
		"ENV", "System", "FileSystem", "ESP", "RawImage" };
	size_t n = strlen(w);

	(void)p;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (strcmp(w, types[i]) == 0)
			return 0;
	if (n >= 9 && strncmp(w, "Binary(", 7) == 0 && w[n - 1] == ')')
		return 0;
	return line_error(m, line, "type parsing error : ", w);
}

static int
parse_ip(struct pv_mp *m, uint32_t line, const char *w, struct pv_mp_part *p)
{
	static const struct {
		const char *name;
		enum pv_mp_target target;
		bool digit;
	} ips[] = {
		{ "none", PV_MP_TO_NONE, false },
		{ "mmc", PV_MP_TO_MMC, true },
		{ "nor", PV_MP_TO_NOR, true },
		{ "nand", PV_MP_TO_NAND, true },
		{ "spi-nand", PV_MP_TO_SPI_NAND, true },
		{ "ram", PV_MP_TO_RAM, false },
	};

	for (size_t i = 0; i < sizeof ips / sizeof ips[0]; i++) {
		size_t n = strlen(ips[i].name);

		if (strncmp(w, ips[i].name, n) != 0)
			continue;
		if (ips[i].digit && (w[n] < '0' || w[n] > '9' || w[n + 1] != 0))
			continue;
		if (!ips[i].digit && w[n] != '\0')
			continue;
		p->target = ips[i].target;
		p->device = ips[i].digit ? (uint8_t)(w[n] - '0') : 0;
		return 0;
	}
	return line_error(m, line, "ip parsing error: ", w);
}

static int
parse_offset(
    struct pv_mp *m, uint32_t line, const char *w, struct pv_mp_part *p)
{
	if (strcmp(w, "boot1") == 0 || strcmp(w, "boot2") == 0) {
		p->boot_area = (int8_t)(w[4] - '0');
		return 0;
	}
	if (strncmp(w, "boot", 4) == 0)
		return line_error(m, line, "invalid part ", w);
	if (!number(w, UINT64_MAX, &p->offset))
		return line_error(m, line, "invalid offset ", w);
	return 0;
}

static int (*const columns[COLUMNS])(
    struct pv_mp *m, uint32_t line, const char *w, struct pv_mp_part *p) = {
	parse_option,
	parse_id,
	parse_name,
	parse_type,
	parse_ip,
	parse_offset,
};

/* --- lines ---------------------------------------------------------------------- */

struct text {
	const uint8_t *p;
	size_t left;
};

/* One line without its end, CR and comments; false at the end of the text. */
static bool
next_line(struct text *t, const uint8_t **ret_p, size_t *ret_n)
{
	size_t n = 0;

	if (t->left == 0 || *t->p == '\0')
		return false;
	while (n < t->left && t->p[n] != '\n' && t->p[n] != '\0')
		n++;
	*ret_p = t->p;
	*ret_n = n;
	if (n < t->left && t->p[n] == '\n')
		n++;
	t->p += n;
	t->left -= n;
	return true;
}

/* The next column; repeated tabs are one. False: no more. */
static bool
next_word(const uint8_t **p, size_t *n, char word[WORD_MAX])
{
	size_t k = 0;

	while (*n > 0 && (**p == '\t' || **p == '\r')) {
		++*p;
		--*n;
	}
	if (*n == 0)
		return false;
	while (*n > 0 && **p != '\t') {
		if (**p != '\r' && k < WORD_MAX - 1)
			word[k++] = (char)**p;
		++*p;
		--*n;
	}
	word[k] = '\0';
	return true;
}

static int
parse_line(struct pv_mp *m, uint32_t line, const uint8_t *p, size_t n)
{
	struct pv_mp_uboot *u = &m->uboot;
	struct pv_mp_part part;
	char word[WORD_MAX];
	size_t column = 0;
	int r;

	memset(&part, 0, sizeof part);
	if (n > 0 && *p == '#')
		return 0;
	while (next_word(&p, &n, word)) {
		if (column < COLUMNS) {
			r = columns[column](m, line, word, &part);
			if (r != 0)
				return r;
		}
		column++;
	}
	if (column == 0)
		return 0;
	if (column < COLUMNS)
		return line_error(m, line, "no enought column", "");
	if (u->n_parts == PV_MP_PARTS) {
		pv_mp_error(m, "Layout: too many partition");
		return -1;
	}
	u->parts[u->n_parts++] = part;
	return 0;
}

int
pv_mp_layout_parse(struct pv_mp *m, const uint8_t *p, size_t len)
{
	struct text t = { p, len };
	struct pv_mp_image im;
	const uint8_t *at;
	uint32_t line = 0;
	size_t n;
	int r = 0;

	m->uboot.n_parts = 0;
	/* May be wrapped in a header of version 1, with its checksum. */
	if (len >= 4 && memcmp(p, "STM2", 4) == 0) {
		if (pv_mp_image_parse(p, len, 1, &im) != NULL) {
			pv_mp_error(m, "Layout: invalid checksum");
			return -1;
		}
		t = (struct text){ p + im.header_len, im.length };
	}
	while (r == 0 && next_line(&t, &at, &n))
		r = parse_line(m, ++line, at, n);
	if (r == 0 && m->uboot.n_parts == 0) {
		pv_mp_error(m, "Layout: no partition found");
		r = -1;
	}
	if (r != 0)
		m->uboot.n_parts = 0;
	return r;
}

/* --- devices ---------------------------------------------------------------------- */

static bool
same_device(const struct pv_mp_part *a, const struct pv_mp_part *b)
{
	return a->target == b->target && a->device == b->device;
}

static uint64_t
medium_end(const struct pv_mp_part *p)
{
	switch (p->target) {
	case PV_MP_TO_MMC:
		return p->boot_area != 0 ? MMC_BOOT_SIZE : MMC_SIZE;
	case PV_MP_TO_NOR:
		return NOR_SIZE;
	case PV_MP_TO_NAND:
	case PV_MP_TO_SPI_NAND:
		return NAND_SIZE;
	case PV_MP_TO_RAM:
		return RAM_END;
	case PV_MP_TO_NONE:
		break;
	}
	return 0;
}

static int
part_error(struct pv_mp *m, const char *what, const struct pv_mp_part *p)
{
	char text[PV_MP_TEXT] = "Layout: ";

	pv_mp_text(text, what);
	pv_mp_text(text, " 0x");
	pv_mp_text_number(text, p->id, 16);
	pv_mp_error(m, text);
	return -1;
}

/* To the next partition of the medium, or to its end. */
static int
set_size(struct pv_mp *m, struct pv_mp_part *p)
{
	struct pv_mp_uboot *u = &m->uboot;
	uint64_t end = medium_end(p);

	if (p->offset >= end)
		return part_error(
		    m, "offset is outside of the medium, phase", p);
	for (size_t i = 0; i < u->n_parts; i++) {
		const struct pv_mp_part *q = &u->parts[i];

		if (q == p || !same_device(p, q) ||
		    q->boot_area != p->boot_area)
			continue;
		if (q->offset == p->offset)
			return part_error(m, "overlap of phase", p);
		if (q->offset > p->offset && q->offset < end)
			end = q->offset;
	}
	p->size = end - p->offset;
	return 0;
}

int
pv_mp_layout_check(struct pv_mp *m)
{
	struct pv_mp_uboot *u = &m->uboot;
	size_t devices = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < u->n_parts; i++) {
		struct pv_mp_part *p = &u->parts[i];
		bool first = p->target != PV_MP_TO_NONE;

		if (!first && p->selected)
			return part_error(m, "selected none phase =", p);
		if (!first)
			continue;
		if (p->id == PV_MP_LAYOUT)
			return part_error(m, "invalid phase =", p);
		for (size_t j = 0; j < i; j++)
			if (same_device(p, &u->parts[j]))
				first = false;
		for (size_t j = i + 1; j < u->n_parts; j++)
			if (p->id == u->parts[j].id)
				return part_error(m, "duplicated phase", p);
		if (first && ++devices > DEVICES) {
			pv_mp_error(m, "Layout: too many device");
			return -1;
		}
		r = set_size(m, p);
	}
	return r;
}
