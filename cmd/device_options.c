/* SPDX-License-Identifier: Apache-2.0 */
/* provisor device options: the option bytes as words; written as a whole. */
#include "cmd/device.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define AREA_MAX PV_USART_BLOCK

/* Level of the RDP byte: 0xAA and, on the F1, 0xA5 open; 0xCC closes for
 * ever; RM0090 3.9.3, PM0075 2.4. */
#define RDP_OPEN    0xaaU
#define RDP_OPEN_F1 0xa5U
#define RDP_LEVEL_2 0xccU

struct options {
	uint32_t base;
	size_t len;
	uint8_t old[AREA_MAX], now[AREA_MAX];
};

static unsigned
rdp_level(uint8_t b)
{
	return b == RDP_OPEN || b == RDP_OPEN_F1 ? 0 : b == RDP_LEVEL_2 ? 2 : 1;
}

static int
need_area(const struct pv_target *t, struct options *o, struct pv_error *e)
{
	uint32_t base = 0;
	size_t len = 0;

	/* A device on USB says itself where they are. */
	if (t->dfu != NULL) {
		int r = pv_device_option_area(t, &base, &len, e);

		if (r != 0)
			return r;
	} else if (!t->chip->has_option_area) {
		(void)pv_fail(e, PV_E_UNSUPPORTED,
		    "the chip description of the %s has no option area",
		    t->chip->title);
		return pv_hint(
		    e, "add 'option_bytes' with base and size to it");
	}
	o->base = t->dfu != NULL ? base : t->chip->option_area.base;
	o->len = t->dfu != NULL ? len : t->chip->option_area.size;
	if (o->len > AREA_MAX)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "%zu option bytes do not fit into one frame", o->len);
	return 0;
}

static int
read_area(const struct pv_target *t, struct options *o, struct pv_error *e)
{
	if (t->dfu != NULL)
		return pv_dfu_read(t->dfu, o->base, o->old, o->len, e);
	return pv_usart_read_options(t->u, o->old, o->len, e);
}

static int
write_area(const struct pv_target *t, const struct options *o,
    bool *ret_protected, struct pv_error *e)
{
	int r;

	if (t->dfu == NULL)
		return pv_usart_write_options(
		    t->u, o->now, o->len, ret_protected, e);
	r = pv_dfu_write_options(t->dfu, o->base, o->now, o->len, e);
	/* Its restart was seen; it only refuses to be read now. */
	if (r == PV_E_PROTECTED) {
		*ret_protected = true;
		pv_error_clear(e);
		r = 0;
	}
	return r;
}

/* --- what is to be set ----------------------------------------------------------- */

static int
set_word(struct options *o, const char *text, struct pv_error *e)
{
	const char *eq = strchr(text, '=');
	char where[32];
	uint64_t at, v;
	int r;

	if ((size_t)(eq - text) >= sizeof(where))
		return pv_fail(e, PV_E_USAGE, "'%s' is not WORD=VALUE", text);
	memcpy(where, text, (size_t)(eq - text));
	where[eq - text] = '\0';
	r = pv_parse_u64(where, UINT32_MAX, "option word", &at, e);
	if (r == 0)
		r = pv_parse_u64(eq + 1, UINT32_MAX, "value", &v, e);
	if (r != 0)
		return r;
	if (at >= o->base)
		at -= o->base;
	if (at % 4 != 0 || at + 4 > o->len) {
		(void)pv_fail(
		    e, PV_E_RANGE, "'%s' is no word of the option area", where);
		return pv_hint(e,
		    "offsets 0..0x%zx or addresses 0x%08" PRIx32
		    "..0x%08" PRIx32 ", multiples of 4",
		    o->len - 4, o->base, o->base + (uint32_t)o->len - 4);
	}
	pv_put_u32le(o->now + at, (uint32_t)v);
	return 0;
}

static int
set_file(struct options *o, const char *path, struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int r;

	r = pv_file_read(path, AREA_MAX, &data, &len, e);
	if (r != 0)
		return r;
	if (len != o->len) {
		free(data);
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %zu bytes, the option area has %zu", path, len,
		    o->len);
	}
	memcpy(o->now, data, len);
	free(data);
	return 0;
}

/* "NUMBER=..." is a word; everything else names a file. */
static bool
is_word(const char *text)
{
	size_t n = strspn(text, "0123456789abcdefABCDEFxX");

	return n > 0 && text[0] >= '0' && text[0] <= '9' && text[n] == '=';
}

static int
set_all(struct options *o, const char *const *set, struct pv_error *e)
{
	size_t i;
	int r = 0;

	memcpy(o->now, o->old, o->len);
	for (i = 0; set[i] != NULL && r == 0; i++)
		r = is_word(set[i]) ? set_word(o, set[i], e)
				    : set_file(o, set[i], e);
	return r;
}

/*
 * Read protection through option bytes, or, where nobody said where its byte
 * is, a byte that would be level 2 if it were that one.
 */
static int
check_locks(const struct options *o, const struct pv_chip *chip, bool yes,
    struct pv_error *e)
{
	size_t i, from = 0, to = o->len;
	unsigned level;

	if (chip->has_rdp_offset) {
		from = chip->rdp_offset;
		to = from + 1;
	}
	for (i = from; i < to && !yes; i++) {
		level = rdp_level(o->now[i]);
		if (o->now[i] == o->old[i] ||
		    (chip->has_rdp_offset ? level <= rdp_level(o->old[i])
					  : level != 2))
			continue;
		if (!chip->has_rdp_offset)
			(void)pv_fail(e, PV_E_IRREVERSIBLE,
			    "0x%08" PRIx32 " becomes 0xcc, which closes the "
			    "chip for ever if it is the read protection byte",
			    o->base + (uint32_t)i);
		else if (level == 2)
			(void)pv_fail(e, PV_E_IRREVERSIBLE,
			    "0x%08" PRIx32 " becomes 0xcc: read protection "
			    "level 2 closes the chip for ever",
			    o->base + (uint32_t)i);
		else
			(void)pv_fail(e, PV_E_IRREVERSIBLE,
			    "0x%08" PRIx32 " becomes 0x%02x: read protection "
			    "level 1 opens again only by erasing everything",
			    o->base + (uint32_t)i, o->now[i]);
		return pv_hint(e,
		    "nothing was written; add --yes-irreversible if that is "
		    "meant%s",
		    level == 1 ? ", or use 'provisor device protect "
				 "--read-protect'"
			       : "");
	}
	return 0;
}

/* --- output ---------------------------------------------------------------------- */

static void
show(struct pv_app *app, const struct options *o, const struct pv_target *t,
    struct pv_json *root)
{
	struct pv_json *words = pv_json_set_array(root, "words"), *w;
	unsigned level;
	size_t i;

	pv_json_set_addr(root, "base", o->base);
	pv_json_set_int(root, "size", (int64_t)o->len);
	pv_json_set_hex(root, "bytes", o->now, o->len);
	for (i = 0; i + 4 <= o->len; i += 4) {
		bool new = memcmp(o->old + i, o->now + i, 4) != 0;

		w = pv_json_add_object(words);
		pv_json_set_addr(w, "address", o->base + (uint32_t)i);
		pv_json_set_addr(w, "value", pv_get_u32le(o->now + i));
		pv_json_set_bool(w, "changed", new);
		pv_out(app, "0x%08" PRIx32 "  0x%08" PRIx32 "%s\n",
		    o->base + (uint32_t)i, pv_get_u32le(o->now + i),
		    new ? "  written" : "");
	}
	if (!t->chip->has_rdp_offset) {
		pv_json_set_null(root, "read_protection");
		return;
	}
	level = rdp_level(o->now[t->chip->rdp_offset]);
	pv_json_set_int(root, "read_protection", level);
	pv_out(app, "read protection level %u (byte 0x%02x)\n", level,
	    o->now[t->chip->rdp_offset]);
}

static int
options(struct pv_app *app, const char *const *set, bool yes,
    struct pv_target *t, struct pv_error *e)
{
	struct options o = { 0 };
	struct pv_json *root;
	bool protected = false;
	int r;

	r = need_area(t, &o, e);
	if (r == 0)
		r = read_area(t, &o, e);
	if (r != 0)
		return r;
	memcpy(o.now, o.old, o.len);
	if (set != NULL) {
		r = set_all(&o, set, e);
		if (r == 0)
			r = check_locks(&o, t->chip, yes, e);
		if (r == 0)
			r = write_area(t, &o, &protected, e);
		if (r != 0)
			return r;
	}
	root = pv_json_new_object();
	pv_json_set_str(root, "chip", t->chip->name);
	pv_json_set_bool(root, "written", set != NULL);
	show(app, &o, t, root);
	if (set != NULL)
		pv_out(app, "%s\n",
		    protected ? "written; the chip is read protected now, so "
				"they cannot be read back"
			      : "written and read back");
	pv_json_set_bool(root, "read_back", set != NULL && !protected);
	pv_target_json(t, root);
	return pv_out_json(app, root, e);
}

int
pv_device_options(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct pv_target_args to = { 0 };
	const char **set = NULL, **args;
	int yes = 0;
	struct poptOption table[] = { PV_OPT_TARGET(to),
		{ "set", 0, POPT_ARG_ARGV, &set, 0,
		    "write: a file of the whole area, or a word (address or "
		    "offset) and its value",
		    "FILE|WORD=VALUE" },
		{ "yes-irreversible", 0, POPT_ARG_NONE, &yes, 0,
		    "write options that lock the chip", NULL },
		POPT_TABLEEND };
	struct pv_target t = { 0 };
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r == 0)
		r = pv_target_open(
		    app, &to, PV_TARGET_NEED_CHIP | PV_TARGET_USB, &t, e);
	if (r != 0)
		return r;
	r = options(app, set, yes != 0, &t, e);
	pv_target_close(&t);
	return r;
}

/* --- level 2, for device protect --------------------------------------------------- */

int
pv_device_level_2(struct pv_target *t, struct pv_error *e)
{
	struct options o = { 0 };
	bool protected = false;
	uint32_t at, word;
	int r;

	r = need_area(t, &o, e);
	if (r != 0)
		return r;
	if (!t->chip->has_rdp_offset) {
		(void)pv_fail(e, PV_E_UNSUPPORTED,
		    "where the %s keeps its read protection byte is not known",
		    t->chip->title);
		return pv_hint(e,
		    "write the option bytes with 'provisor device options "
		    "--set', or add 'rdp_offset' to the chip description");
	}
	r = pv_usart_read_options(t->u, o.old, o.len, e);
	if (r != 0)
		return r;
	at = t->chip->rdp_offset;
	memcpy(o.now, o.old, o.len);
	o.now[at] = RDP_LEVEL_2;
	/* Parts that store each byte or word with its complement. */
	if (at + 1 < o.len && (o.old[at] ^ o.old[at + 1]) == 0xff)
		o.now[at + 1] = (uint8_t)~RDP_LEVEL_2;
	word = at - at % 4;
	if (word + 8 <= o.len &&
	    pv_get_u32le(o.old + word) == ~pv_get_u32le(o.old + word + 4))
		pv_put_u32le(o.now + word + 4, ~pv_get_u32le(o.now + word));
	r = pv_usart_write_options(t->u, o.now, o.len, &protected, e);
	/* A chip at level 2 does not come back: that is what was asked. */
	if (r == PV_E_TIMEOUT) {
		pv_error_clear(e);
		r = 0;
	}
	return r;
}
