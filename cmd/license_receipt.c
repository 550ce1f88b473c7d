/* SPDX-License-Identifier: Apache-2.0 */
/* provisor license receipt, and receipts under inspect and verify. */
#include "cmd/license.h"
#include "cmd/session.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "crypto/ec.h"
#include "formats/certificate.h"
#include "formats/receipt.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool
pv_is_receipt(const char *path)
{
	char magic[4] = "";
	FILE *f = fopen(path, "rb");
	bool is;

	if (f == NULL)
		return false;
	is = fread(magic, 1, sizeof(magic), f) == sizeof(magic) &&
	     memcmp(magic, PV_RECEIPT_MAGIC, sizeof(magic)) == 0;
	(void)fclose(f);
	return is;
}

static void
receipt_json(struct pv_json *o, const struct pv_receipt *rc)
{
	const struct pv_campaign *c = &rc->campaign;
	char when[PV_TIME_TEXT];

	pv_time_text(when, rc->time_ms);
	pv_json_set_str(o, "campaign", c->name);
	pv_json_set_hex(o, "campaign_id", c->id, sizeof(c->id));
	pv_json_set_hex(o, "campaign_key", c->public_key, 64);
	pv_json_set_str(o, "product_id", c->product_id);
	pv_json_set_str(o, "firmware_id", c->firmware_id);
	pv_json_set_u64(o, "number", rc->number);
	pv_json_set_u64(o, "max_licenses", c->max_licenses);
	pv_json_set_hex(o, "chip", rc->chip, sizeof(rc->chip));
	pv_json_set_bool(o, "certificate_verified", c->n_trust != 0);
	pv_json_set_str(o, "time", when);
	pv_json_set_str(o, "station", rc->station);
	pv_json_set_str(o, "operator", rc->operator_id);
	pv_json_set_u64(o, "seq", rc->seq);
	pv_json_set_hex(o, "entry_hash", rc->entry_hash, 32);
	pv_json_set_hex(o, "license", rc->license, rc->license_len);
}

static void
receipt_text(const struct pv_app *app, const struct pv_receipt *rc)
{
	const struct pv_campaign *c = &rc->campaign;
	char hex[65], when[PV_TIME_TEXT], key[12];

	pv_short_hex(key, c->public_key);
	pv_out(app, "campaign      %s, key %s\n", c->name, key);
	pv_out(app, "license       no. %" PRIu64 " of %" PRIu64 "\n",
	    rc->number, c->max_licenses);
	pv_out(app, "product       %s, firmware %s\n", c->product_id,
	    c->firmware_id);
	pv_hex_encode(hex, rc->chip, 32);
	pv_out(app, "chip          %s%s\n", hex,
	    c->n_trust == 0 ? ", its certificate was NOT verified" : "");
	pv_time_text(when, rc->time_ms);
	pv_out(app, "time          %s, as the machine believed\n", when);
	pv_out(app, "station       %s\noperator      %s\n",
	    rc->station[0] == '\0' ? "-" : rc->station,
	    rc->operator_id[0] == '\0' ? "-" : rc->operator_id);
	pv_hex_encode(hex, rc->entry_hash, 32);
	pv_out(app, "ledger entry  %" PRIu64 ", %s\n", rc->seq, hex);
}

/* --- receipt ------------------------------------------------------------------ */

static int
write_receipt(struct pv_app *app, const char *campaign,
    const struct pv_certificate *cert, uint64_t number, const char *path,
    struct pv_error *e)
{
	const uint8_t *bytes = cert == NULL ? NULL : cert->bytes;
	struct pv_store store = { 0 };
	uint8_t data[PV_RECEIPT_MAX];
	size_t len = sizeof(data);
	struct pv_receipt rc;
	struct pv_campaign c;
	struct pv_json *o;
	int r;

	r = pv_open_ledger(app, false, &store, e);
	if (r == 0)
		r = pv_campaign_load(&store, campaign, &c, e);
	if (r == 0)
		r = pv_receipt_make(&c, &store, bytes, number, data, &len, e);
	if (r == 0)
		r = pv_receipt_check(data, len, c.public_key, bytes, &rc, e);
	pv_store_release(&store);
	if (r == 0)
		r = pv_file_write(path, 0644, data, len, e);
	if (r != 0)
		return r;
	pv_out(app,
	    "%s: receipt of license no. %" PRIu64 " of campaign %s, %zu "
	    "bytes\n",
	    path, rc.number, c.name, len);
	o = pv_json_new_object();
	receipt_json(o, &rc);
	pv_json_set_str(o, "saved", path);
	return pv_out_json(app, o, e);
}

int
pv_run_license_receipt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	char *campaign = NULL, *certificate = NULL, *number = NULL;
	char *output = NULL;
	struct poptOption table[] = {
		{ "campaign", 0, POPT_ARG_STRING, &campaign, 0,
		    "whose license it is", "NAME" },
		{ "certificate", 0, POPT_ARG_STRING, &certificate, 0,
		    "the chip that has the license", "CERT" },
		{ "number", 0, POPT_ARG_STRING, &number, 0,
		    "the license's number, instead of a certificate", "N" },
		{ "output", 'o', POPT_ARG_STRING, &output, 0,
		    "where the receipt goes", "F" },
		POPT_TABLEEND,
	};
	struct pv_certificate cert;
	const char **args;
	uint64_t n = 0;
	int r;

	r = pv_options(app, table, argc, argv, 0, 0, &args, e);
	if (r != 0)
		return r;
	if ((r = pv_need(e, campaign, "--campaign")) != 0 ||
	    (r = pv_need(e, output, "-o")) != 0)
		return r;
	if ((certificate == NULL) == (number == NULL))
		return pv_fail(
		    e, PV_E_USAGE, "give one of --certificate and --number");
	if (number != NULL) {
		r = pv_parse_u64(number, UINT64_MAX, "--number", &n, e);
		if (r == 0 && n == 0)
			r = pv_fail(e, PV_E_USAGE, "--number: they start at 1");
	} else {
		r = pv_certificate_read(certificate, &cert, e);
	}
	return r == 0 ? write_receipt(app, campaign,
			    certificate == NULL ? NULL : &cert, n, output, e)
		      : r;
}

/* --- inspect, verify ------------------------------------------------------------ */

static int
read_receipt(const char *path, const uint8_t *pub, const uint8_t *certificate,
    struct pv_receipt *ret_rc, struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len;
	int r;

	r = pv_file_read(path, PV_RECEIPT_MAX, &data, &len, e);
	if (r == 0) {
		r = pv_receipt_check(data, len, pub, certificate, ret_rc, e);
		if (r != 0)
			(void)pv_wrap(e, "'%s'", path);
	}
	free(data);
	return r;
}

int
pv_receipt_inspect(struct pv_app *app, const char *path, struct pv_error *e)
{
	struct pv_receipt rc;
	struct pv_json *o;
	int r;

	r = read_receipt(path, NULL, NULL, &rc, e);
	if (r != 0)
		return r;
	pv_out(app, "%s: receipt, not verified here\n", path);
	receipt_text(app, &rc);
	o = pv_json_new_object();
	pv_json_set_str(o, "format", "receipt");
	receipt_json(o, &rc);
	return pv_out_json(app, o, e);
}

/* The key of a campaign of this home's ledger. */
static int
ledger_key(struct pv_app *app, const char *campaign, uint8_t ret_pub[64],
    struct pv_error *e)
{
	struct pv_store store = { 0 };
	struct pv_campaign c;
	int r;

	r = pv_open_ledger(app, false, &store, e);
	if (r == 0)
		r = pv_campaign_load(&store, campaign, &c, e);
	if (r == 0)
		memcpy(ret_pub, c.public_key, 64);
	pv_store_release(&store);
	return r;
}

int
pv_receipt_verify(struct pv_app *app, const char *path, const char *campaign,
    const char *key, const char *certificate, struct pv_error *e)
{
	struct pv_certificate cert;
	struct pv_receipt rc;
	struct pv_json *o;
	uint8_t pub[64];
	int r = 0;

	if (certificate != NULL)
		r = pv_certificate_read(certificate, &cert, e);
	if (r == 0)
		r = key != NULL ? pv_ec_read_public_pem(key, pub, e)
				: ledger_key(app, campaign, pub, e);
	if (r == 0)
		r = read_receipt(
		    path, pub, certificate == NULL ? NULL : cert.bytes, &rc, e);
	if (r != 0)
		return r;
	pv_out(app,
	    "%s: receipt of license no. %" PRIu64 " of campaign %s, signatures "
	    "valid%s\n",
	    path, rc.number, rc.campaign.name,
	    certificate != NULL ? ", issued to this chip" : "");
	receipt_text(app, &rc);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "pass");
	pv_json_set_str(o, "format", "receipt");
	pv_json_set_bool(o, "signature", true);
	pv_json_set_bool(o, "issued_to_this_chip", certificate != NULL);
	receipt_json(o, &rc);
	return pv_out_json(app, o, e);
}
