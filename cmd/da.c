/* SPDX-License-Identifier: Apache-2.0 */
/* provisor da certificate: the chains that open a device for debugging. */
#include "cmd/da.h"
#include "cmd/signing.h"

#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "image/p256.h"

#include <stdlib.h>
#include <string.h>

struct create {
	const char *role, *key, *issuer, *chain, *permissions, *soc_class;
	const char *soc_id, *lifecycle, *oem, *out, *vector, *signature;
	struct pv_da_chain c;
	struct pv_adac_cert next;
};

static int
parse_role(const char *text, uint8_t *ret_role, struct pv_error *e)
{
	for (unsigned int i = PV_ADAC_ROOT; i <= PV_ADAC_LEAF; i++) {
		if (strcmp(text, pv_adac_role_name(i)) == 0) {
			*ret_role = (uint8_t)i;
			return 0;
		}
	}
	return pv_fail(e, PV_E_USAGE,
	    "role '%s' is none of root, intermediate, leaf", text);
}

static int
parse_number(const char *text, uint64_t max, const char *what, uint64_t *v,
    struct pv_error *e)
{
	return text == NULL ? 0 : pv_parse_u64(text, max, what, v, e);
}

static int
parse_fields(struct create *k, struct pv_error *e)
{
	struct pv_adac_cert *n = &k->next;
	uint64_t soc_class = 0, lifecycle = 0, oem = 0;
	int r = parse_role(k->role, &n->role, e);

	if (r == 0)
		r = pv_adac_mask_parse(k->permissions, n->permissions, e);
	if (r == 0)
		r = parse_number(
		    k->soc_class, UINT32_MAX, "--soc-class", &soc_class, e);
	if (r == 0)
		r = parse_number(
		    k->lifecycle, UINT16_MAX, "--lifecycle", &lifecycle, e);
	if (r == 0)
		r = parse_number(
		    k->oem, UINT16_MAX, "--oem-constraint", &oem, e);
	if (r == 0 && k->soc_id != NULL &&
	    pv_hex_decode(k->soc_id, n->soc_id, sizeof(n->soc_id), NULL) != 0)
		r = pv_fail(
		    e, PV_E_USAGE, "--soc-id: 32 hex digits are wanted");
	if (r != 0)
		return r;
	n->major = 1;
	n->signature_type = 1;
	n->key_type = 1;
	n->usage = 1;
	n->soc_class = (uint32_t)soc_class;
	n->lifecycle = (uint16_t)lifecycle;
	n->oem_constraint = (uint16_t)oem;
	return 0;
}

/* Whose key signs: the last certificate's, or the root's own. */
static const uint8_t *
issuer_point(const struct create *k)
{
	return k->c.n == 0 ? k->next.public_key
			   : k->c.cert[k->c.n - 1].public_key;
}

static int
check_signature(const struct create *k, const uint8_t digest[32],
    const char *what, struct pv_error *e)
{
	int r =
	    pv_ecdsa_verify(issuer_point(k), digest, k->next.signature, NULL);

	if (r == 0)
		return 0;
	return pv_fail(e, PV_E_VERIFY, "%s is not of the key of %s", what,
	    k->c.n == 0 ? "this root" : "the last certificate of the chain");
}

static int
sign(struct pv_app *app, struct create *k, struct pv_error *e)
{
	const char *key = k->issuer != NULL ? k->issuer : k->key;
	struct pv_message_signer signer = { 0 };
	struct pv_hsm *hsm = NULL;
	uint8_t digest[32], point[64];
	int r = pv_da_digest(&k->next, digest, e);

	if (r != 0)
		return r;
	if (k->signature != NULL) {
		r = pv_p256_read_signature(k->signature, k->next.signature, e);
		return r != 0 ? r
			      : check_signature(k, digest, "the signature", e);
	}
	r = pv_open_signer(app, key, &signer, &hsm, e);
	if (r == 0)
		r = pv_p256_point(&signer, point, e);
	/* Before a token signs anything for nothing. */
	if (r == 0 && memcmp(point, issuer_point(k), sizeof(point)) != 0)
		r = pv_fail(e, PV_E_USAGE, "'%s' is not the key of %s", key,
		    k->c.n == 0 ? "this root"
				: "the last certificate of the chain");
	if (r == 0)
		r = pv_p256_sign(&signer, digest, k->next.signature, e);
	pv_message_signer_release(&signer);
	pv_hsm_close(hsm);
	return r != 0 ? r : check_signature(k, digest, "what was signed", e);
}

static int
write_vector(struct pv_app *app, const struct create *k, struct pv_error *e)
{
	uint8_t bytes[PV_ADAC_CERT], digest[32];
	struct pv_part part = { bytes + PV_ADAC_TBS_AT, PV_ADAC_TBS };
	int r = pv_da_digest(&k->next, digest, e);

	pv_adac_encode(&k->next, bytes);
	return r != 0 ? r
		      : pv_vector_write(
			    app, k->out, k->vector, &part, 1, digest, e);
}

static int
check_options(const struct create *k, struct pv_error *e)
{
	if (pv_need(e, k->role, "--role") != 0 ||
	    pv_need(e, k->key, "--key") != 0 ||
	    pv_need(e, k->permissions, "--permissions") != 0 ||
	    pv_need(e, k->out, "-o") != 0)
		return PV_E_USAGE;
	if (k->vector != NULL && k->signature != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--vector-to-sign and --signature are two steps");
	if (k->chain != NULL && k->issuer == NULL && k->vector == NULL &&
	    k->signature == NULL)
		return pv_need(e, NULL, "--issuer");
	if (k->chain == NULL && k->issuer != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--issuer: a root signs itself; for others give --chain");
	if (pv_vector_check(k->vector, e) != 0)
		return PV_E_USAGE;
	return pv_check_output(k->out,
	    (const char *const[]){ k->key, k->chain, k->issuer, k->signature },
	    4, e);
}

static int
create(struct pv_app *app, struct create *k, struct pv_error *e)
{
	struct pv_json *o;
	int r = check_options(k, e);

	if (r == 0)
		r = parse_fields(k, e);
	if (r == 0 && k->chain != NULL) {
		r = pv_da_read(k->chain, &k->c, e);
		if (r == 0 && (r = pv_da_verify(&k->c, e)) != 0)
			r = pv_wrap(e, "'%s'", k->chain);
	}
	if (r == 0)
		r = pv_da_fits(&k->c, &k->next, e);
	if (r == 0)
		r = pv_open_point(app, k->key, k->next.public_key, e);
	if (r != 0)
		return r;
	if (k->vector != NULL)
		return write_vector(app, k, e);
	r = sign(app, k, e);
	if (r != 0)
		return r;
	pv_da_append(&k->c, &k->next);
	r = pv_da_write(&k->c, k->out, e);
	if (r != 0)
		return r;
	if (k->c.n > 3)
		pv_say(app, "note: ST's own chains have at most three "
			    "certificates; try this one on a device\n");
	o = pv_json_new_object();
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "output", k->out);
	r = pv_da_show(app, k->out, &k->c, o, e);
	if (r != 0) {
		pv_json_free(o);
		return r;
	}
	return pv_out_json(app, o, e);
}

static int
run_create(struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct create k = { 0 };
	struct poptOption table[] = {
		{ "role", 0, POPT_ARG_STRING, &k.role, 0,
		    "root, intermediate or leaf", "ROLE" },
		{ "key", 0, POPT_ARG_STRING, &k.key, 0,
		    "whom it is for: PEM key or pkcs11: URI; a root signs "
		    "with it",
		    "KEY" },
		{ "chain", 0, POPT_ARG_STRING, &k.chain, 0,
		    "the chain of the issuer", "FILE" },
		{ "issuer", 0, POPT_ARG_STRING, &k.issuer, 0,
		    "private key of the last certificate there: PEM or "
		    "pkcs11: URI",
		    "KEY" },
		{ "permissions", 0, POPT_ARG_STRING, &k.permissions, 0,
		    "0x... or words: full-regression, partial-regression, "
		    "secure-debug-hdpl1, nonsecure-debug-hdpl1, bitN",
		    "MASK" },
		{ "soc-class", 0, POPT_ARG_STRING, &k.soc_class, 0,
		    "only for this class of devices, such as 0x484", "N" },
		{ "soc-id", 0, POPT_ARG_STRING, &k.soc_id, 0,
		    "only for this chip", "HEX" },
		{ "lifecycle", 0, POPT_ARG_STRING, &k.lifecycle, 0,
		    "life cycle field, default 0", "N" },
		{ "oem-constraint", 0, POPT_ARG_STRING, &k.oem, 0,
		    "OEM constraint field, default 0", "N" },
		{ "output", 'o', POPT_ARG_STRING, &k.out, 0,
		    "the chain to write, base64", "FILE" },
		{ "vector-to-sign", 0, POPT_ARG_STRING, &k.vector, 0,
		    "write only what must be signed elsewhere: digest or "
		    "payload",
		    "WHAT" },
		{ "signature", 0, POPT_ARG_STRING, &k.signature, 0,
		    "signature made elsewhere: DER, raw or base64", "FILE" },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	const char **args = NULL;
	int r = pv_options(app, table, argc, argv, 0, 0, &args, e);

	return r != 0 ? r : create(app, &k, e);
}

/* Three words make these commands; the frame knows two. */
static const struct pv_verb subverbs[] = {
	{ "da", "certificate create",
	    "--role ROLE --key KEY --permissions MASK [--chain FILE --issuer "
	    "KEY] -o FILE.b64",
	    "make a certificate and the chain that ends with it",
	    "provisor da certificate create --role root --key root.pem \\\n"
	    "    --permissions 0x5077 -o root.b64\n"
	    "provisor da certificate create --role leaf --key bob.pub.pem \\\n"
	    "    --chain root.b64 --issuer root.pem \\\n"
	    "    --permissions full-regression -o bob.b64",
	    run_create },
	{ "da", "certificate inspect", "FILE.b64",
	    "show the certificates of a chain; needs no key",
	    "provisor da certificate inspect bob.b64", pv_cmd_da_inspect },
	{ "da", "certificate verify", "FILE.b64 [--root KEY] [--obk FILE.obk]",
	    "check every signature of a chain, and that it fits a device",
	    "provisor da certificate verify bob.b64 --obk DA_Config.obk",
	    pv_cmd_da_verify },
	{ 0 },
};

static int
run_certificate(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	struct poptOption none[] = { POPT_TABLEEND };
	const char **args = NULL;

	if (argc > 1 && argv[1][0] == '-')
		return pv_options(app, none, argc, argv, 1, 1, &args, e);
	for (const struct pv_verb *v = subverbs; v->noun != NULL; v++) {
		if (argc < 2 ||
		    strcmp(v->verb + strlen("certificate "), argv[1]) != 0)
			continue;
		app->verb = v;
		return v->run(app, argc - 1, argv + 1, e);
	}
	return pv_fail(e, PV_E_USAGE,
	    "'da certificate' is followed by create, inspect or verify");
}

const struct pv_verb pv_verbs_da[] = {
	{ "da", "certificate", "create|inspect|verify [OPTIONS] ...",
	    "make, show and check chains of debug authentication",
	    "provisor da certificate create --help\n"
	    "provisor da certificate verify bob.b64",
	    run_certificate },
	{ 0 },
};
