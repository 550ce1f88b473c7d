/* SPDX-License-Identifier: Apache-2.0 */
/* provisor da certificate inspect, verify */
#include "cmd/da.h"

#include "base/file.h"
#include "base/hex.h"
#include "cmd/obk.h"
#include "crypto/digest.h"
#include "crypto/sigkey.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>

static bool
any_chip(const struct pv_adac_cert *c)
{
	static const uint8_t zero[16];

	return memcmp(c->soc_id, zero, sizeof(zero)) == 0;
}

static void
show_one(struct pv_app *app, size_t number, const struct pv_adac_cert *c,
    struct pv_json *list)
{
	char words[PV_ADAC_WORDS], hex[35], id[33], key[129];
	struct pv_json *o = pv_json_add_object(list);

	pv_adac_mask_words(c->permissions, words);
	pv_adac_mask_hex(c->permissions, hex);
	pv_hex_encode(id, c->soc_id, sizeof(c->soc_id));
	pv_hex_encode(key, c->public_key, sizeof(c->public_key));
	pv_json_set_str(o, "role", pv_adac_role_name(c->role));
	pv_json_set_str(o, "permissions", hex);
	pv_json_set_str(o, "permission_words", words);
	pv_json_set_addr(o, "soc_class", c->soc_class);
	pv_json_set_str(o, "soc_id", id);
	pv_json_set_int(o, "lifecycle", c->lifecycle);
	pv_json_set_int(o, "oem_constraint", c->oem_constraint);
	pv_json_set_str(o, "public_key", key);
	pv_out(app, "  %zu %-12s key %.12s...  %s\n", number,
	    pv_adac_role_name(c->role), key, hex);
	pv_out(app, "    permissions  %s\n", words);
	if (c->soc_class != 0)
		pv_out(app, "    SoC class    0x%x\n", c->soc_class);
	if (!any_chip(c))
		pv_out(app, "    SoC id       %s\n", id);
	if (c->lifecycle != 0 || c->oem_constraint != 0)
		pv_out(app, "    life cycle   0x%x, OEM constraint 0x%x\n",
		    c->lifecycle, c->oem_constraint);
}

int
pv_da_show(struct pv_app *app, const char *path, const struct pv_da_chain *c,
    struct pv_json *root, struct pv_error *e)
{
	uint8_t hash[32], mask[PV_ADAC_MASK];
	char words[PV_ADAC_WORDS], hex[65];
	struct pv_json *list;
	int r = pv_da_root_hash(c, hash, e);

	if (r != 0)
		return r;
	pv_out(
	    app, "%s: %zu certificate%s\n", path, c->n, c->n == 1 ? "" : "s");
	list = pv_json_set_array(root, "certificates");
	for (size_t i = 0; i < c->n; i++)
		show_one(app, i + 1, &c->cert[i], list);
	pv_hex_encode(hex, hash, sizeof(hash));
	pv_json_set_str(root, "root_hash", hex);
	pv_out(app, "  root hash      %s\n", hex);
	pv_da_permissions(c, mask);
	pv_adac_mask_words(mask, words);
	pv_adac_mask_hex(mask, hex);
	pv_json_set_str(root, "permissions", hex);
	pv_out(app, "  grants         %s %s\n", hex, words);
	return 0;
}

/* What is not wrong, and yet not what somebody would want. */
static void
remarks(struct pv_app *app, const struct pv_da_chain *c, struct pv_json *root)
{
	struct pv_json *list = pv_json_set_array(root, "notes");
	const struct pv_adac_cert *last = &c->cert[c->n - 1];
	const char *const narrow =
	    "a certificate has permissions its issuer lacks; they count for "
	    "nothing";
	const char *const every =
	    "it opens every chip of its class; --soc-id binds it to one";
	const char *const bound =
	    "it is bound to one chip: STM32H56x with SFSP 2.5.0 or older "
	    "cannot tell their id when closed";
	const char *notes[2];
	size_t n = 0;

	for (size_t i = 1; n == 0 && i < c->n; i++)
		if (!pv_adac_mask_within(
			c->cert[i].permissions, c->cert[i - 1].permissions))
			notes[n++] = narrow;
	notes[n++] = any_chip(last) ? every : bound;
	for (size_t i = 0; i < n; i++) {
		pv_json_add_str(list, notes[i]);
		pv_out(app, "  note           %s\n", notes[i]);
	}
}

/* The token of the host is taken after a root or a leaf only. */
static int
check_end(const struct pv_da_chain *c, struct pv_error *e)
{
	if (c->cert[c->n - 1].role == PV_ADAC_INTERMEDIATE)
		return pv_fail(e, PV_E_VERIFY,
		    "the chain ends with an intermediate certificate; a "
		    "device takes a root or a leaf");
	return 0;
}

/* The device compares its class and id with those of each certificate. */
static int
check_chips(const struct pv_da_chain *c, struct pv_error *e)
{
	static const uint8_t any[sizeof(c->cert[0].soc_id)];
	const uint8_t *id = any;
	uint32_t soc_class = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct pv_adac_cert *cert = &c->cert[i];

		if (cert->soc_class != 0 && soc_class != 0 &&
		    cert->soc_class != soc_class)
			return pv_fail(e, PV_E_VERIFY,
			    "it is for SoC class 0x%x and for 0x%x: no device "
			    "takes it",
			    soc_class, cert->soc_class);
		if (cert->soc_class != 0)
			soc_class = cert->soc_class;
		if (memcmp(cert->soc_id, any, sizeof(any)) == 0)
			continue;
		if (id != any && memcmp(cert->soc_id, id, sizeof(any)) != 0)
			return pv_fail(e, PV_E_VERIFY,
			    "it is for two chips: no device takes it");
		id = cert->soc_id;
	}
	return 0;
}

static int
check_empty(const struct pv_da_chain *c, struct pv_error *e)
{
	uint8_t mask[PV_ADAC_MASK];

	pv_da_permissions(c, mask);
	if (pv_adac_mask_empty(mask))
		return pv_fail(e, PV_E_VERIFY,
		    "no permission is left of all its certificates");
	return 0;
}

static int
check_root(struct pv_app *app, const struct pv_da_chain *c, const char *key,
    struct pv_error *e)
{
	struct pv_pubkey *k = NULL;
	uint8_t point[96];
	size_t len = 0;
	int r = pv_open_public(app, key, &k, e);

	if (r == 0)
		r = pv_pubkey_point(k, point, &len, e);
	pv_pubkey_free(k);
	if (r == 0 &&
	    (len != 64 || !pv_ct_equal(point, c->cert[0].public_key, len)))
		r = pv_fail(e, PV_E_VERIFY,
		    "the root certificate is not of the key '%s'", key);
	return r;
}

/* Against the object that the device was given. */
static int
check_obk(const struct pv_da_chain *c, const char *path, struct pv_error *e)
{
	const struct pv_obk_place *place;
	uint8_t *data = NULL, hash[32], mask[PV_ADAC_MASK];
	struct pv_obk o;
	size_t len = 0;
	bool da, left = false;
	int r = pv_obk_load(path, &data, &len, &o, e);

	if (r != 0)
		return r;
	place = pv_obk_place(o.address, o.length);
	da = place != NULL && o.data_len == 64 &&
	     (place->kind == PV_OBK_DA || place->kind == PV_OBK_DA_CERT);
	r = pv_da_root_hash(c, hash, e);
	if (r == 0 && !da)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' is no debug authentication by certificate", path);
	if (r == 0 && memcmp(hash, o.data, sizeof(hash)) != 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "'%s' has the hash of another root key: a device with it "
		    "would refuse this chain",
		    path);
	pv_da_permissions(c, mask);
	for (size_t i = 0; r == 0 && i < sizeof(mask); i++)
		left = left || (mask[i] & o.data[32 + i]) != 0;
	if (r == 0 && !left)
		r = pv_fail(e, PV_E_VERIFY,
		    "'%s' grants nothing of what the chain asks for", path);
	free(data);
	return r;
}

int
pv_cmd_da_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption table[] = { POPT_TABLEEND };
	const char **args = NULL;
	struct pv_da_chain c;
	struct pv_json *o;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_da_read(args[0], &c, e);
	if (r != 0)
		return r;
	o = pv_json_new_object();
	pv_json_set_str(o, "file", args[0]);
	r = pv_da_show(app, args[0], &c, o, e);
	if (r == 0)
		remarks(app, &c, o);
	if (r != 0) {
		pv_json_free(o);
		return r;
	}
	return pv_out_json(app, o, e);
}

int
pv_cmd_da_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *root = NULL, *obk = NULL, **args = NULL;
	struct poptOption table[] = {
		{ "root", 0, POPT_ARG_STRING, &root, 0,
		    "the root must be of this key: PEM or pkcs11: URI", "KEY" },
		{ "obk", 0, POPT_ARG_STRING, &obk, 0,
		    "the chain must fit this debug authentication object",
		    "FILE" },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	struct pv_da_chain c;
	struct pv_json *o;
	int r = pv_options(app, table, argc, argv, 1, 1, &args, e);

	if (r == 0)
		r = pv_da_read(args[0], &c, e);
	if (r != 0)
		return r;
	r = pv_da_verify(&c, e);
	if (r == 0)
		r = check_end(&c, e);
	if (r == 0)
		r = check_chips(&c, e);
	if (r == 0)
		r = check_empty(&c, e);
	if (r == 0 && root != NULL)
		r = check_root(app, &c, root, e);
	if (r == 0 && obk != NULL)
		r = check_obk(&c, obk, e);
	if (r != 0)
		return pv_wrap(e, "'%s'", args[0]);
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "file", args[0]);
	r = pv_da_show(app, args[0], &c, o, e);
	if (r != 0) {
		pv_json_free(o);
		return r;
	}
	remarks(app, &c, o);
	pv_out(app, "verified: %zu signature%s%s%s\n", c.n, c.n == 1 ? "" : "s",
	    root == NULL ? "" : ", root key", obk == NULL ? "" : ", OB keys");
	if (root == NULL && obk == NULL)
		pv_say(app, "note: any root signs itself; --root or --obk say "
			    "whether it is the right one\n");
	return pv_out_json(app, o, e);
}
