/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ledger_export.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "ledger/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pv_export {
	bool csv;
	struct pv_outfile *f; /* NULL: standard output */
	const struct pv_campaign *c;
	uint64_t n;
};

static const char csv_head[] =
    "campaign,seq,time,kind,number,chip,pass,code,message,station,operator,"
    "spent,state,clock,hash\n";

static int
put(struct pv_export *x, const char *text, struct pv_error *e)
{
	size_t len = strlen(text);

	if (x->f != NULL)
		return pv_outfile_write(x->f, text, len, e);
	if (fwrite(text, 1, len, stdout) != len)
		return pv_fail_errno(e, PV_E_IO, errno, "writing the export");
	return 0;
}

int
pv_export_open(const char *format, const char *path, struct pv_export **ret_x,
    struct pv_error *e)
{
	struct pv_export *x;
	bool csv = format != NULL && strcmp(format, "csv") == 0;
	int r = 0;

	if (format != NULL && !csv && strcmp(format, "jsonl") != 0)
		return pv_fail(
		    e, PV_E_USAGE, "--format '%s': jsonl or csv", format);
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	x->csv = csv;
	if (path != NULL)
		r = pv_outfile_open(path, 0644, &x->f, e);
	if (r == 0 && csv)
		r = put(x, csv_head, e);
	if (r != 0) {
		pv_export_free(x);
		return r;
	}
	*ret_x = x;
	return 0;
}

/* --- JSON -------------------------------------------------------------------- */

static void
json_create(struct pv_json *o, const struct pv_campaign *c)
{
	struct pv_json *trust;
	char hex[129];

	pv_json_set_u64(o, "max_licenses", c->max_licenses);
	pv_json_set_str(o, "product_id", c->product_id);
	pv_json_set_str(o, "firmware_id", c->firmware_id);
	pv_json_set_str(o, "license_profile", c->license_profile);
	pv_json_set_str(o, "token", c->token_uri);
	pv_json_set_str(o, "key", c->oem_key_uri);
	pv_json_set_str(o, "campaign_key", c->signer_uri);
	pv_json_set_hex(o, "public_key", c->public_key, sizeof(c->public_key));
	if (pv_campaign_nonce_each(c))
		pv_json_set_null(o, "nonce");
	else
		pv_json_set_hex(
		    o, "nonce", c->nonce, pv_campaign_nonce_len(c->flow));
	pv_json_set_hex(o, "after", c->after, sizeof(c->after));
	pv_json_set_bool(o, "certificates_verified", c->n_trust != 0);
	trust = pv_json_set_array(o, "trust");
	for (size_t i = 0; i < c->n_trust; i++) {
		pv_hex_encode(hex, c->trust[i], sizeof(c->trust[i]));
		pv_json_add_str(trust, hex);
	}
}

static void
json_body(
    struct pv_json *o, const struct pv_campaign *c, const struct pv_entry *en)
{
	const struct pv_entry_body *b = &en->body;

	if (en->kind == PV_ENTRY_CREATE || en->kind == PV_ENTRY_REVISE) {
		json_create(o, &en->create);
		return;
	}
	if (en->kind == PV_ENTRY_CLOSE || en->kind == PV_ENTRY_OPEN)
		return;
	if (en->kind == PV_ENTRY_REPAIR) {
		pv_json_set_u64(o, "noted", b->number);
		return;
	}
	if (en->kind != PV_ENTRY_DENY)
		pv_json_set_u64(o, "number", b->number);
	pv_json_set_hex(o, "chip", b->chip, sizeof(b->chip));
	if (en->kind == PV_ENTRY_ISSUED)
		pv_json_set_bool(o, "certificate_verified", c->n_trust != 0);
	if (en->kind == PV_ENTRY_ISSUED && b->has_package)
		pv_json_set_hex(o, "package", b->package, sizeof(b->package));
	if (en->kind == PV_ENTRY_ISSUED)
		pv_json_set_hex(o, "license", b->license, b->license_len);
	if (en->kind == PV_ENTRY_RESULT)
		pv_json_set_bool(o, "pass", b->pass);
	if (en->kind == PV_ENTRY_FAILED || en->kind == PV_ENTRY_RESULT) {
		pv_json_set_str(o, "code", pv_code_name(b->code));
		pv_json_set_str(o, "message", b->message);
	}
	if (en->kind == PV_ENTRY_DENY)
		pv_json_set_str(o, "message", b->message);
}

static int
put_json(struct pv_export *x, const struct pv_record *rec,
    const struct pv_entry *en, const uint8_t hash[32], struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object();
	char when[PV_TIME_TEXT], *text = NULL;
	int r;

	pv_time_text(when, en->time_ms);
	pv_json_set_str(o, "campaign", x->c->name);
	pv_json_set_hex(o, "campaign_id", en->campaign_id, 16);
	pv_json_set_u64(o, "seq", en->seq);
	pv_json_set_str(o, "kind", pv_entry_kind_name(en->kind));
	pv_json_set_str(o, "time", when);
	pv_json_set_str(o, "station", en->station);
	pv_json_set_str(o, "operator", en->operator_id);
	pv_json_set_u64(o, "spent", en->spent);
	pv_json_set_str(o, "state", pv_entry_state_name(en->state));
	pv_json_set_str(o, "clock", pv_entry_clock_name(en->clock));
	json_body(o, x->c, en);
	pv_json_set_hex(o, "previous", en->previous, sizeof(en->previous));
	pv_json_set_hex(o, "hash", hash, 32);
	pv_json_set_hex(o, "signature", rec->signature, 64);
	/* The signed bytes themselves: enough to check everything again. */
	pv_json_set_hex(o, "entry", rec->entry, rec->entry_len);
	r = pv_json_print(o, &text, e);
	if (r == 0)
		r = put(x, text, e);
	if (r == 0)
		r = put(x, "\n", e);
	free(text);
	pv_json_free(o);
	return r;
}

/* --- CSV (RFC 4180) ------------------------------------------------------------ */

/*
 * A quoted field. A text that a spreadsheet would take for a formula gets an
 * apostrophe in front: stations and devices choose these texts.
 */
static int
put_quoted(struct pv_export *x, const char *text, struct pv_error *e)
{
	char out[2 * PV_ENTRY_MESSAGE + 8];
	size_t n = 0;

	out[n++] = '"';
	if (text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL)
		out[n++] = '\'';
	for (; *text != '\0' && n + 4 < sizeof(out); text++) {
		if (*text == '"')
			out[n++] = '"';
		out[n++] = *text;
	}
	out[n++] = '"';
	out[n] = '\0';
	return put(x, out, e);
}

static int
put_csv(struct pv_export *x, const struct pv_entry *en, const uint8_t hash[32],
    struct pv_error *e)
{
	static const uint8_t no_chip[32];
	const struct pv_entry_body *b = &en->body;
	char when[PV_TIME_TEXT], line[256], chip[65] = "", hex[65];
	char number[24] = "";
	bool result = en->kind == PV_ENTRY_RESULT;
	bool coded = result || en->kind == PV_ENTRY_FAILED;
	int r;

	pv_time_text(when, en->time_ms);
	pv_hex_encode(hex, hash, 32);
	if (memcmp(b->chip, no_chip, sizeof(no_chip)) != 0)
		pv_hex_encode(chip, b->chip, 32);
	if (b->number != 0)
		(void)snprintf(number, sizeof(number), "%" PRIu64, b->number);
	r = put_quoted(x, x->c->name, e);
	(void)snprintf(line, sizeof(line), ",%" PRIu64 ",%s,%s,%s,%s,%s,%s,",
	    en->seq, when, pv_entry_kind_name(en->kind), number, chip,
	    !result   ? ""
	    : b->pass ? "pass"
		      : "fail",
	    coded ? pv_code_name(b->code) : "");
	if (r == 0)
		r = put(x, line, e);
	if (r == 0)
		r = put_quoted(x, b->message, e);
	if (r == 0)
		r = put(x, ",", e);
	if (r == 0)
		r = put_quoted(x, en->station, e);
	if (r == 0)
		r = put(x, ",", e);
	if (r == 0)
		r = put_quoted(x, en->operator_id, e);
	(void)snprintf(line, sizeof(line), ",%" PRIu64 ",%s,%s,%s\n", en->spent,
	    pv_entry_state_name(en->state), pv_entry_clock_name(en->clock),
	    hex);
	return r == 0 ? put(x, line, e) : r;
}

/* --- entries ------------------------------------------------------------------- */

static int
export_entry(void *ctx, const struct pv_record *rec, struct pv_error *e)
{
	struct pv_export *x = ctx;
	struct pv_entry en;
	uint8_t hash[32];
	int r;

	r = pv_entry_decode(rec->entry, rec->entry_len, &en, e);
	if (r == 0)
		r = pv_journal_hash(rec->entry, rec->entry_len, hash, e);
	if (r != 0)
		return pv_wrap(
		    e, "campaign '%s', entry %" PRIu64, x->c->name, rec->seq);
	r = x->csv ? put_csv(x, &en, hash, e) : put_json(x, rec, &en, hash, e);
	x->n++;
	return r;
}

int
pv_export_campaign(struct pv_export *x, struct pv_store *store,
    const struct pv_campaign *c, struct pv_error *e)
{
	x->c = c;
	return store->scan(store->ctx, c->id, 1, export_entry, x, e);
}

int
pv_export_finish(struct pv_export *x, struct pv_error *e)
{
	if (x->f != NULL)
		return pv_outfile_commit(x->f, e);
	if (fflush(stdout) != 0)
		return pv_fail_errno(e, PV_E_IO, errno, "writing the export");
	return 0;
}

uint64_t
pv_export_count(const struct pv_export *x)
{
	return x->n;
}

void
pv_export_free(struct pv_export *x)
{
	if (x == NULL)
		return;
	pv_outfile_free(x->f);
	free(x);
}
