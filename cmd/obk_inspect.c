/* SPDX-License-Identifier: Apache-2.0 */
/* provisor obk inspect: the fields of each kind of object, as in obk.md. */
#include "cmd/obk.h"

#include "base/buf.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "image/obk.h"
#include <provisor/secret.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEX_MAX 256U

struct view {
	struct pv_app *app;
	struct pv_json *list;
	const struct pv_obk *o;
};

/* How the bytes of a field are shown. */
enum shape { NUMBER, STATE, HEX, MASK, SPKI, PRIVATE, ZERO };

struct row {
	uint16_t at, len; /* in the data, after the hash */
	enum shape shape;
	const char *name;
};

static const struct row da_rows[] = {
	{ 0, 32, HEX, "hash of root key or password" },
	{ 32, 16, MASK, "permissions" },
	{ 48, 16, ZERO, "reserved" },
};
static const struct row stirot_h5_rows[] = {
	{ 0, 1, NUMBER, "images" },
	{ 1, 1, NUMBER, "clock" },
	{ 2, 1, NUMBER, "full secure" },
	{ 3, 1, NUMBER, "bootloader without image" },
	{ 4, 4, NUMBER, "execution area offset" },
	{ 8, 4, NUMBER, "download area offset" },
	{ 12, 4, NUMBER, "firmware area size" },
	{ 16, 4, NUMBER, "data offset in OB keys" },
	{ 20, 4, NUMBER, "data slot in OB keys" },
	{ 24, 4, NUMBER, "data download offset" },
	{ 28, 4, NUMBER, "data download size" },
	{ 32, 4, NUMBER, "secure size" },
	{ 36, 4, NUMBER, "SRAM2 erase off" },
	{ 40, 4, NUMBER, "SRAM2 ECC off" },
	{ 44, 4, STATE, "minimal product state" },
	{ 48, 72, PRIVATE, "encryption key" },
	{ 120, 92, SPKI, "authentication key" },
	{ 212, 1, NUMBER, "internal tampers off" },
	{ 213, 11, ZERO, "padding" },
};
static const struct row stirot_h7rs_rows[] = {
	{ 1, 1, NUMBER, "clock" },
	{ 3, 1, NUMBER, "SRAM ECC" },
	{ 4, 4, NUMBER, "firmware address in RAM" },
	{ 8, 4, NUMBER, "firmware area size" },
	{ 28, 4, STATE, "minimal product state" },
	{ 32, 4, NUMBER, "installation address" },
	{ 36, 4, NUMBER, "download address" },
	{ 44, 4, NUMBER, "external memory size" },
	{ 48, 4, NUMBER, "iLoader offset" },
	{ 52, 4, NUMBER, "iLoader size" },
	{ 56, 4, NUMBER, "MCE" },
	{ 63, 70, PRIVATE, "encryption key" },
	{ 133, 91, SPKI, "authentication key" },
};
static const struct row oemirot_h5_rows[] = {
	{ 0, 92, SPKI, "secure authentication key" },
	{ 92, 92, SPKI, "non-secure authentication key" },
	{ 184, 72, PRIVATE, "encryption key" },
};
static const struct row keys_h7rs_rows[] = {
	{ 0, 91, SPKI, "authentication key" },
	{ 91, 70, PRIVATE, "encryption key" },
};
static const struct row pair_rows[] = {
	{ 0, 32, HEX, "hash" },
	{ 32, 64, HEX, "data" },
	{ 96, 32, HEX, "second hash" },
	{ 128, 64, HEX, "second data" },
};

static void
show(const struct view *v, const struct row *r, const char *text)
{
	struct pv_json *o = pv_json_add_object(v->list);

	pv_json_set_int(o, "offset", r->at);
	pv_json_set_int(o, "length", r->len);
	pv_json_set_str(o, "name", r->name);
	pv_json_set_str(o, "value", text);
	pv_out(v->app, "%4u %3u  %-30s %s\n", r->at, r->len, r->name, text);
}

static void
show_number(const struct view *v, const struct row *r, const uint8_t *p)
{
	uint32_t value = 0;
	const char *name;
	char text[64];

	for (size_t i = 0; i < r->len; i++)
		value |= (uint32_t)p[i] << (8 * i);
	name = r->shape == STATE
		   ? pv_obk_state_name(value > 0xFF ? value >> 8 : value)
		   : NULL;
	(void)snprintf(text, sizeof(text), "0x%" PRIx32 "%s%s", value,
	    name == NULL ? "" : " ", name == NULL ? "" : name);
	show(v, r, text);
}

static void
show_hex(const struct view *v, const struct row *r, const uint8_t *p)
{
	char text[2 * HEX_MAX + 1];

	pv_hex_encode(text, p, r->len < HEX_MAX ? r->len : HEX_MAX);
	show(v, r, text);
}

static void
show_mask(const struct view *v, const struct row *r, const uint8_t *p)
{
	char words[PV_ADAC_WORDS], hex[35], text[PV_ADAC_WORDS + 40];

	pv_adac_mask_words(p, words);
	pv_adac_mask_hex(p, hex);
	(void)snprintf(text, sizeof(text), "%s %s", hex, words);
	show(v, r, text);
}

static int
show_row(const struct view *v, const struct row *r, struct pv_error *e)
{
	const uint8_t *p = v->o->data + r->at;
	struct pv_part part = { p, PV_OBK_SPKI };
	uint8_t digest[32];
	char text[2 * 32 + 32];
	int rc;

	switch (r->shape) {
	case NUMBER:
	case STATE:
		show_number(v, r, p);
		return 0;
	case MASK:
		show_mask(v, r, p);
		return 0;
	case PRIVATE:
		show(v, r, "secret, not shown");
		return 0;
	case SPKI:
		rc = pv_sha256(&part, 1, digest, e);
		if (rc != 0)
			return rc;
		(void)snprintf(text, sizeof(text), "public key, SHA-256 ");
		pv_hex_encode(text + strlen(text), digest, 32);
		show(v, r, text);
		return 0;
	case ZERO:
	case HEX:
		break;
	}
	show_hex(v, r, p);
	return 0;
}

static int
show_rows(
    const struct view *v, const struct row *rows, size_t n, struct pv_error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++)
		if ((size_t)rows[i].at + rows[i].len <= v->o->data_len)
			r = show_row(v, &rows[i], e);
	return r;
}

#define N(rows) (sizeof(rows) / sizeof((rows)[0]))

static int
show_body(const struct view *v, enum pv_obk_kind kind, struct pv_error *e)
{
	struct row whole = { 0, 0, HEX, "data" };

	switch (kind) {
	case PV_OBK_DA:
	case PV_OBK_DA_CERT:
	case PV_OBK_DA_PASSWORD:
		return show_rows(v, da_rows, N(da_rows), e);
	case PV_OBK_STIROT_H5:
		return show_rows(v, stirot_h5_rows, N(stirot_h5_rows), e);
	case PV_OBK_STIROT_H7RS:
		return show_rows(v, stirot_h7rs_rows, N(stirot_h7rs_rows), e);
	case PV_OBK_OEMIROT_H5:
		return show_rows(v, oemirot_h5_rows, N(oemirot_h5_rows), e);
	case PV_OBK_KEYS_H7RS:
		return show_rows(v, keys_h7rs_rows, N(keys_h7rs_rows), e);
	case PV_OBK_DATA_PAIR:
		return show_rows(v, pair_rows, N(pair_rows), e);
	case PV_OBK_UROT_H5:
		whole.shape = PRIVATE;
		whole.name = "MCUboot image with keys";
		break;
	case PV_OBK_AHK:
		whole.shape = PRIVATE;
		whole.name = "key material";
		break;
	default:
		break;
	}
	whole.len = (uint16_t)v->o->data_len;
	return show_row(v, &whole, e);
}

int
pv_obk_inspect_file(struct pv_app *app, const char *path, struct pv_error *e)
{
	const struct pv_obk_place *place;
	struct pv_json *root = NULL;
	uint8_t *data = NULL;
	struct pv_obk o;
	struct view v = { app, NULL, &o };
	size_t len = 0;
	int r = pv_obk_load(path, &data, &len, &o, e);

	if (r != 0)
		return r;
	place = pv_obk_place(o.address, o.length);
	if (place != NULL && place->length != o.length)
		place = NULL;
	root = pv_json_new_object();
	pv_json_set_str(root, "file", path);
	pv_json_set_addr(root, "destination", o.address);
	pv_json_set_str(
	    root, "place", place == NULL ? "not documented" : place->name);
	pv_json_set_u64(root, "length", o.length);
	pv_json_set_bool(root, "encrypt", o.encrypt);
	pv_json_set_bool(root, "has_hash", o.has_hash);
	if (o.has_hash)
		pv_json_set_hex(root, "hash", o.hash, sizeof(o.hash));
	pv_out(app,
	    "%s: %s, 0x%08" PRIx32 ", body of %" PRIu32 " bytes, stored %s\n",
	    path, place == NULL ? "not a documented object" : place->name,
	    o.address, o.length, o.encrypt ? "encrypted" : "in clear");
	v.list = pv_json_set_array(root, "fields");
	r = show_body(&v, place == NULL ? PV_OBK_UNKNOWN : place->kind, e);
	pv_wipe(data, len);
	free(data);
	if (r != 0) {
		pv_json_free(root);
		return r;
	}
	return pv_out_json(app, root, e);
}
