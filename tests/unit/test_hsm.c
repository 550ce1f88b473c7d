/* SPDX-License-Identifier: Apache-2.0 */
/* hsm/ against a SoftHSM2 of its own, checked by the host's own crypto. */
#include <provisor/hsm.h>

#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "tests/softhsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define URI   "pkcs11:token=oem"
#define P(x)  (x), sizeof(x) - 1
#define KEY16 "AES_KEY_TEST_001"

static struct softhsm soft;

struct counted_pin {
	const char *pin;
	int calls;
};

static int
counting_pin(void *ctx, const char *token, struct pv_secret **ret_pin,
    struct pv_error *e)
{
	struct counted_pin *c = ctx;

	c->calls++;
	assert_string_equal(token, "oem");
	return softhsm_pin((void *)(uintptr_t)c->pin, token, ret_pin, e);
}

static struct pv_hsm *
open_token(const char *uri)
{
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;

	if (pv_hsm_open(uri, NULL, softhsm_pin, NULL, &h, &e) != 0)
		fail_msg("%s", e.msg);
	return h;
}

static int
setup(void **state)
{
	(void)state;
	if (!softhsm_start(&soft))
		return getenv("CI") != NULL ? -1 : 0;
	return softhsm_token("oem") ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	softhsm_stop(&soft);
	return 0;
}

static void
need_softhsm(void)
{
	if (getenv("SOFTHSM2_CONF") == NULL)
		skip();
}

static struct pv_secret *
secret(const char *bytes, size_t len)
{
	struct pv_secret *s = NULL;

	assert_int_equal(pv_secret_new(len, &s, NULL), 0);
	memcpy(pv_secret_data(s), bytes, len);
	return s;
}

static void
import(struct pv_hsm *h, const char *bytes, size_t len, const char *label)
{
	struct pv_error e = { 0 };
	struct pv_secret *s = secret(bytes, len);

	if (pv_hsm_import_aes(h, s, label, NULL, &e) != 0)
		fail_msg("%s", e.msg);
	pv_secret_free(s);
}

static void
test_uri_refused(void **state)
{
	static const struct {
		const char *uri;
		const char *msg;
	} bad[] = {
		{ "pkcs11:token=oem?pin-value=271828", "pin-value" },
		{ "pkcs11:token=oem?PIN-VALUE=271828", "pin-value" },
		{ "pkcs11:token=oem;pin-value=271828", "pin-value" },
		{ "pkcs11:token=oem?module-name=softhsm2", "module-name" },
		{ "pkcs11:token=oem;colour=red", "not known" },
		{ "pkcs11:token=%zz", "URI" },
		{ "pkcs11:token=oem?pin-source=%7Ccat", "program" },
		{ "pkcs11:token=oem?pin-source=file://far/pin",
		    "another host" },
		{ "oem.key", "not a pkcs11: URI" },
	};
	struct counted_pin c = { SOFTHSM_PIN, 0 };

	(void)state;
	need_softhsm();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pv_error e = { 0 };
		struct pv_hsm *h = NULL;

		assert_int_equal(
		    pv_hsm_open(bad[i].uri, NULL, counting_pin, &c, &h, &e),
		    PV_E_USAGE);
		if (strstr(e.msg, bad[i].msg) == NULL)
			fail_msg("'%s' lacks '%s'", e.msg, bad[i].msg);
		assert_null(strstr(e.msg, SOFTHSM_PIN));
		assert_null(strstr(e.hint, SOFTHSM_PIN));
		assert_null(h);
	}
	assert_int_equal(c.calls, 0);
	assert_true(pv_hsm_is_uri("PKCS11:token=x"));
	assert_false(pv_hsm_is_uri("pkcs11.key"));
}

static void
test_module_missing(void **state)
{
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;

	(void)state;
	assert_int_equal(pv_hsm_open(URI, "/nonexistent/module.so", softhsm_pin,
			     NULL, &h, &e),
	    PV_E_NO_TOKEN);
	assert_non_null(strstr(e.msg, "/nonexistent/module.so"));
	/* A library that is there but no PKCS#11 module. */
	assert_int_equal(pv_hsm_open("pkcs11:token=oem?module-path=/lib/"
				     "x86_64-linux-gnu/libc.so.6",
			     NULL, softhsm_pin, NULL, &h, &e),
	    PV_E_NO_TOKEN);
	assert_non_null(strstr(e.msg, "libc.so.6"));
}

static void
test_token_missing(void **state)
{
	struct counted_pin c = { SOFTHSM_PIN, 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;

	(void)state;
	need_softhsm();
	assert_int_equal(
	    pv_hsm_open("pkcs11:token=absent", NULL, counting_pin, &c, &h, &e),
	    PV_E_NO_TOKEN);
	assert_non_null(strstr(e.msg, "absent"));
	assert_non_null(strstr(e.hint, "'oem'"));
	assert_int_equal(c.calls, 0);
	assert_int_equal(pv_exit_code(e.code), 6);
}

static void
test_wrong_pin_once(void **state)
{
	struct counted_pin c = { "000000", 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;

	(void)state;
	need_softhsm();
	assert_int_equal(
	    pv_hsm_open(URI, NULL, counting_pin, &c, &h, &e), PV_E_PIN);
	assert_int_equal(c.calls, 1);
	assert_non_null(strstr(e.msg, "CKR_PIN_INCORRECT"));
	assert_non_null(strstr(e.hint, "one attempt was made"));
	assert_int_equal(e.vendor_code, 0xa0); /* CKR_PIN_INCORRECT */
	/* The token still takes the right one. */
	c.pin = SOFTHSM_PIN;
	assert_int_equal(pv_hsm_open(URI, NULL, counting_pin, &c, &h, &e), 0);
	assert_int_equal(c.calls, 2);
	assert_string_equal(pv_hsm_token_label(h), "oem");
	pv_hsm_close(h);
}

static int
no_pin(void *ctx, const char *token, struct pv_secret **ret_pin,
    struct pv_error *e)
{
	(void)ctx;
	(void)token;
	(void)ret_pin;
	return pv_fail(e, PV_E_PIN, "nobody knows it");
}

static void
test_no_pin(void **state)
{
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;

	(void)state;
	need_softhsm();
	assert_int_equal(
	    pv_hsm_open(URI, NULL, no_pin, NULL, &h, &e), PV_E_PIN);
	assert_string_equal(e.msg, "nobody knows it");
	assert_int_equal(pv_hsm_open(URI, NULL, NULL, NULL, &h, &e), PV_E_PIN);
}

static void
test_pin_source(void **state)
{
	char path[SOFTHSM_DIR + 16], uri[SOFTHSM_DIR + 80];
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;
	FILE *f;

	(void)state;
	need_softhsm();
	(void)snprintf(path, sizeof(path), "%s/pin", soft.dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(SOFTHSM_PIN "\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	(void)snprintf(
	    uri, sizeof(uri), "pkcs11:token=oem?pin-source=file:%s", path);
	assert_int_equal(pv_hsm_open(uri, NULL, no_pin, NULL, &h, &e), 0);
	pv_hsm_close(h);
	(void)snprintf(
	    uri, sizeof(uri), "pkcs11:token=oem?pin-source=file://%s", path);
	assert_int_equal(pv_hsm_open(uri, NULL, no_pin, NULL, &h, &e), 0);
	pv_hsm_close(h);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(
	    pv_hsm_open(uri, NULL, softhsm_pin, NULL, &h, &e), PV_E_PIN);
}

static void
test_same_label_tokens(void **state)
{
	struct softhsm mine;
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;
	char conf[SOFTHSM_DIR + 32];
	char *uri = NULL;

	(void)state;
	need_softhsm();
	(void)snprintf(conf, sizeof(conf), "%s/softhsm2.conf", soft.dir);
	assert_true(softhsm_start(&mine));
	assert_true(softhsm_token("twin"));
	assert_true(softhsm_token("twin"));
	assert_int_equal(
	    pv_hsm_open("pkcs11:token=twin", NULL, softhsm_pin, NULL, &h, &e),
	    PV_E_NO_TOKEN);
	assert_non_null(strstr(e.msg, "2 tokens match"));
	assert_non_null(strstr(e.hint, "serial"));
	/* By serial, from the hint, it opens; its URIs then say the serial. */
	{
		const char *at = strstr(e.hint, "(serial ");
		char open_uri[64];

		assert_non_null(at);
		(void)snprintf(
		    open_uri, sizeof(open_uri), "pkcs11:serial=%.16s", at + 8);
		h = open_token(open_uri);
	}
	assert_int_equal(pv_hsm_generate(h, PV_KEY_AES128, "k", &uri, &e), 0);
	assert_non_null(strstr(uri, "serial="));
	free(uri);
	pv_hsm_close(h);
	softhsm_stop(&mine);
	assert_int_equal(setenv("SOFTHSM2_CONF", conf, 1), 0);
}

static void
test_two_keys_one_label(void **state)
{
	const char *const argv[] = { "pkcs11-tool", "--module",
		"/usr/lib/softhsm/libsofthsm2.so", "--token-label", "oem",
		"--login", "--pin", SOFTHSM_PIN, "--keygen", "--key-type",
		"aes:16", "--label", "double", NULL };
	struct pv_sealer s = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	h = open_token(URI);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_AES128, "double", NULL, &e), 0);
	/* We never make a second one... */
	assert_int_equal(pv_hsm_generate(h, PV_KEY_EC_P256, "double", NULL, &e),
	    PV_E_EXISTS);
	pv_hsm_close(h);
	/* ...but others do. */
	if (softhsm_run(argv) != 0)
		skip();
	h = open_token(URI);
	assert_int_equal(
	    pv_hsm_sealer(h, "pkcs11:object=double", &s, &e), PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "2 secret keys"));
	assert_int_equal(
	    pv_hsm_destroy(h, "pkcs11:object=double", &e), PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "2 keys"));
	assert_int_equal(
	    pv_hsm_sealer(h, "pkcs11:object=none", &s, &e), PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "no secret key"));
	assert_int_equal(
	    pv_hsm_sealer(h, "pkcs11:token=other;object=double", &s, &e),
	    PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "open token"));
	pv_hsm_close(h);
}

/* Encrypt with both, compare; decrypt with the token in odd pieces. */
static void
test_sealer(void **state)
{
	static const uint8_t iv[12] = "NONCE_TEST01";
	uint8_t plain[3000], ours[3000], theirs[3000], back[3100];
	uint8_t tag1[16], tag2[16], id1[32], id2[32];
	struct pv_sealer tok = { 0 }, file = { 0 };
	struct pv_secret *key = secret(P(KEY16));
	struct pv_error e = { 0 };
	struct pv_hsm *h;
	size_t n, done = 0, got = 0;

	(void)state;
	need_softhsm();
	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * 7);
	h = open_token(URI);
	import(h, P(KEY16), "seal");
	assert_int_equal(pv_hsm_sealer(h, "pkcs11:object=seal", &tok, &e), 0);
	assert_int_equal(pv_sealer_from_secret(key, &file, &e), 0);
	pv_secret_free(key);

	assert_int_equal(tok.key_id(tok.ctx, id1, &e), 0);
	assert_int_equal(file.key_id(file.ctx, id2, &e), 0);
	assert_memory_equal(id1, id2, 32);

	/* An unfinished message must not disturb the next. */
	assert_int_equal(tok.begin(tok.ctx, true, iv, "x", 1, &e), 0);
	assert_int_equal(
	    tok.update(tok.ctx, plain, 100, back, sizeof(back), &n, &e), 0);

	assert_int_equal(tok.begin(tok.ctx, false, iv, "head", 4, &e), 0);
	assert_int_equal(file.begin(file.ctx, false, iv, "head", 4, &e), 0);
	while (done < sizeof(plain)) {
		size_t step =
		    done + 701 < sizeof(plain) ? 701 : sizeof(plain) - done;

		assert_int_equal(tok.update(tok.ctx, plain + done, step,
				     ours + got, sizeof(ours) - got, &n, &e),
		    0);
		got += n;
		assert_int_equal(file.update(file.ctx, plain + done, step,
				     theirs + done, step, &n, &e),
		    0);
		done += step;
	}
	assert_int_equal(
	    tok.finish(tok.ctx, tag1, ours + got, sizeof(ours) - got, &n, &e),
	    0);
	assert_int_equal(got + n, sizeof(ours));
	assert_int_equal(file.finish(file.ctx, tag2, NULL, 0, &n, &e), 0);
	assert_memory_equal(ours, theirs, sizeof(ours));
	assert_memory_equal(tag1, tag2, 16);

	for (int round = 0; round < 2; round++) {
		int want = round == 0 ? 0 : PV_E_VERIFY;

		memset(back, 0, sizeof(back));
		got = 0;
		assert_int_equal(
		    tok.begin(tok.ctx, true, iv, "head", 4, &e), 0);
		for (size_t at = 0; at < sizeof(ours); at += 500) {
			assert_int_equal(
			    tok.update(tok.ctx, ours + at, 500, back + got,
				sizeof(plain) - got, &n, &e),
			    0);
			got += n;
		}
		if (round == 1)
			tag1[15] ^= 1;
		/* Room for exactly the message is enough. */
		assert_int_equal(tok.finish(tok.ctx, tag1, back + got,
				     sizeof(plain) - got, &n, &e),
		    want);
		if (round == 0) {
			assert_int_equal(got + n, sizeof(plain));
			assert_memory_equal(back, plain, sizeof(plain));
		} else {
			assert_memory_not_equal(back, plain, sizeof(plain));
			assert_non_null(strstr(e.msg, "tag"));
		}
	}
	/* No data at all: a tag over the header alone. */
	assert_int_equal(tok.begin(tok.ctx, false, iv, "head", 4, &e), 0);
	assert_int_equal(tok.finish(tok.ctx, tag1, NULL, 0, &n, &e), 0);
	assert_int_equal(file.begin(file.ctx, false, iv, "head", 4, &e), 0);
	assert_int_equal(file.finish(file.ctx, tag2, NULL, 0, &n, &e), 0);
	assert_memory_equal(tag1, tag2, 16);
	assert_int_equal(tok.begin(tok.ctx, true, iv, "head", 4, &e), 0);
	assert_int_equal(tok.finish(tok.ctx, tag1, NULL, 0, &n, &e), 0);
	assert_int_equal(n, 0);

	pv_sealer_release(&tok);
	pv_sealer_release(&file);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_AES256, "seal256", NULL, &e), 0);
	assert_int_equal(
	    pv_hsm_sealer(h, "pkcs11:object=seal256", &tok, &e), PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "AES-128"));
	pv_hsm_close(h);
}

static void
test_signer(void **state)
{
	uint8_t digest[32] = "a digest made on the host......", sig[64];
	uint8_t pub[64], der[128];
	struct pv_signer s = { 0 };
	struct pv_error e = { 0 };
	size_t len = sizeof(der);
	struct pv_hsm *h;
	char *uri = NULL;

	(void)state;
	need_softhsm();
	h = open_token(URI);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_EC_P256, "sign it", &uri, &e), 0);
	assert_string_equal(uri, "pkcs11:token=oem;object=sign%20it");
	assert_int_equal(pv_hsm_signer(h, uri, &s, &e), 0);
	assert_int_equal(s.public_key(s.ctx, pub, &e), 0);
	assert_int_equal(pv_ec_check_public(pub, &e), 0);
	assert_int_equal(s.sign(s.ctx, digest, sig, &e), 0);
	assert_int_equal(pv_ecdsa_verify(pub, digest, sig, &e), 0);
	digest[0] ^= 1;
	assert_int_equal(pv_ecdsa_verify(pub, digest, sig, &e), PV_E_VERIFY);
	assert_int_equal(pv_hsm_export_public(h, uri, der, &len, &e), 0);
	assert_int_equal(len, 91);
	assert_memory_equal(der + 27, pub, 64);
	pv_signer_release(&s);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_EC_P384, "p384", NULL, &e), 0);
	assert_int_equal(
	    pv_hsm_signer(h, "pkcs11:object=p384", &s, &e), PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "P-256"));
	len = sizeof(der);
	assert_int_equal(
	    pv_hsm_export_public(h, "pkcs11:object=p384", der, &len, &e), 0);
	assert_int_equal(len, 120);
	assert_int_equal(pv_hsm_generate(h, PV_KEY_ED25519, "ed", NULL, &e), 0);
	len = sizeof(der);
	assert_int_equal(
	    pv_hsm_export_public(h, "pkcs11:object=ed", der, &len, &e), 0);
	assert_int_equal(len, 44);
	/* Both halves go. */
	assert_int_equal(pv_hsm_destroy(h, uri, &e), 0);
	assert_int_equal(pv_hsm_signer(h, uri, &s, &e), PV_E_NO_KEY);
	len = sizeof(der);
	assert_int_equal(
	    pv_hsm_export_public(h, uri, der, &len, &e), PV_E_NO_KEY);
	free(uri);
	pv_hsm_close(h);
}

/* The chip's side on the host: unwrap what the token wrapped. */
static void
check_wrap(struct pv_hsm *h, const char *uri, const char *key, size_t key_len)
{
	uint8_t chip_d[32], chip_pub[64], eph[64], z[32], kek[32];
	uint8_t context[32] = "the context, a hash in real life";
	uint8_t wrapped[40], clear[32];
	struct pv_wrapper w = { 0 };
	struct pv_ec_key *chip = NULL;
	struct pv_error e = { 0 };
	size_t len;

	for (size_t i = 0; i < sizeof(chip_d); i++)
		chip_d[i] = (uint8_t)(i + 1);
	assert_int_equal(pv_ec_from_scalar(chip_d, &chip, &e), 0);
	assert_int_equal(pv_ec_public(chip, chip_pub, &e), 0);
	if (pv_hsm_wrapper(h, uri, &w, &e) != 0)
		fail_msg("%s", e.msg);
	len = sizeof(wrapped);
	assert_int_equal(w.wrap(w.ctx, chip_pub, context, wrapped, &len, &e),
	    PV_E_INTERNAL); /* no ephemeral key yet */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(w.ephemeral(w.ctx, eph, &e), 0);
		if (i == 1) /* a dropped one leaves no trace */
			assert_int_equal(w.ephemeral(w.ctx, eph, &e), 0);
		len = sizeof(wrapped);
		assert_int_equal(
		    w.wrap(w.ctx, chip_pub, context, wrapped, &len, &e), 0);
		assert_int_equal(len, key_len + 8);
		assert_int_equal(pv_ecdh(chip, eph, z, &e), 0);
		assert_int_equal(pv_aes_ecb(z, 32, context, 32, kek, &e), 0);
		assert_int_equal(
		    pv_aes_unwrap(kek, 32, wrapped, len, clear, &e), 0);
		assert_memory_equal(clear, key, key_len);
	}
	/* A point off the curve is refused; the ephemeral key is spent. */
	assert_int_equal(w.ephemeral(w.ctx, eph, &e), 0);
	chip_pub[63] ^= 1;
	len = sizeof(wrapped);
	assert_int_equal(
	    w.wrap(w.ctx, chip_pub, context, wrapped, &len, &e), PV_E_HSM);
	assert_int_equal(
	    w.wrap(w.ctx, chip_pub, context, wrapped, &len, &e), PV_E_INTERNAL);
	pv_wrapper_release(&w);
	pv_ec_free(chip);
}

static void
test_wrapper(void **state)
{
	static const char key32[] = "AES_KEY_TEST_001AES_KEY_TEST_002";
	struct pv_wrapper w = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	h = open_token(URI);
	import(h, P(KEY16), "oem16");
	import(h, P(key32), "oem32");
	check_wrap(h, "pkcs11:object=oem16", P(KEY16));
	check_wrap(h, "pkcs11:object=oem32", P(key32));
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_EC_P256, "no-oem", NULL, &e), 0);
	assert_int_equal(
	    pv_hsm_wrapper(h, "pkcs11:object=no-oem", &w, &e), PV_E_NO_KEY);
	assert_int_equal(
	    pv_hsm_wrapper(h, "pkcs11:object=no-oem;type=private", &w, &e),
	    PV_E_NO_KEY);
	assert_non_null(strstr(e.msg, "private key where a secret key"));
	pv_hsm_close(h);
}

/* Keys of another program that break one rule each are named as such. */
static void
test_resident_faults(void **state)
{
	static const struct {
		const char *label;
		const char *flag;
		const char *why;
	} keys[] = {
		{ "bare", "--extractable", "not sensitive" },
		{ "stuck", "--sensitive", "not extractable" },
	};
	struct pv_error e = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	for (size_t i = 0; i < 2; i++) {
		const char *const argv[] = { "pkcs11-tool", "--module",
			"/usr/lib/softhsm/libsofthsm2.so", "--token-label",
			"oem", "--login", "--pin", SOFTHSM_PIN, "--keygen",
			"--key-type", "aes:16", "--label", keys[i].label,
			keys[i].flag, NULL };
		struct pv_wrapper w = { 0 };
		char uri[64];

		if (softhsm_run(argv) != 0)
			skip();
		h = open_token(URI);
		(void)snprintf(
		    uri, sizeof(uri), "pkcs11:object=%s", keys[i].label);
		assert_int_equal(pv_hsm_wrapper(h, uri, &w, &e), PV_E_HSM);
		if (strstr(e.msg, keys[i].why) == NULL)
			fail_msg("'%s' lacks '%s'", e.msg, keys[i].why);
		pv_hsm_close(h);
	}
}

static void
put(uint8_t *note, uint8_t seq, char fill)
{
	memset(note, 0, 8);
	note[7] = seq;
	memset(note + 8, fill, 40);
}

static unsigned
count_notes(void)
{
	const char *const argv[] = { "sh", "-c",
		"pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so "
		"--token-label oem --login --pin " SOFTHSM_PIN
		" -O --type data 2>/dev/null | grep -c \"label:  *'camp'\" "
		">\"$SOFTHSM2_CONF.count\"",
		NULL };
	char path[SOFTHSM_DIR + 40];
	unsigned n = 99;
	FILE *f;

	(void)softhsm_run(argv);
	(void)snprintf(path, sizeof(path), "%s/softhsm2.conf.count", soft.dir);
	f = fopen(path, "r");
	if (f != NULL) {
		if (fscanf(f, "%u", &n) != 1)
			n = 99;
		(void)fclose(f);
	}
	return n;
}

static bool
foreign_note(const uint8_t *note, size_t len)
{
	char path[SOFTHSM_DIR + 16];
	const char *const argv[] = { "pkcs11-tool", "--module",
		"/usr/lib/softhsm/libsofthsm2.so", "--token-label", "oem",
		"--login", "--pin", SOFTHSM_PIN, "--write-object", path,
		"--type", "data", "--label", "camp", "--application-label",
		"provisor", "--private", NULL };
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/note", soft.dir);
	f = fopen(path, "w");
	if (f == NULL || fwrite(note, 1, len, f) != len || fclose(f) != 0)
		return false;
	return softhsm_run(argv) == 0;
}

static void
test_anchor(void **state)
{
	uint8_t note[48], got[PV_ANCHOR_MAX];
	struct pv_anchor a = { 0 }, b = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;
	size_t len = sizeof(got);

	(void)state;
	need_softhsm();
	h = open_token(URI);
	assert_int_equal(pv_hsm_anchor(h, "camp", &a, &e), 0);
	assert_int_equal(a.read(a.ctx, got, &len, &e), PV_E_NOT_FOUND);
	for (uint8_t i = 1; i <= 5; i++) {
		put(note, i, 'a');
		assert_int_equal(a.write(a.ctx, note, sizeof(note), &e), 0);
		len = sizeof(got);
		assert_int_equal(a.read(a.ctx, got, &len, &e), 0);
		assert_int_equal(len, sizeof(note));
		assert_memory_equal(got, note, len);
	}
	/* Once more the same: fine. Other bytes, or back: never. */
	assert_int_equal(a.write(a.ctx, note, sizeof(note), &e), 0);
	put(note, 5, 'x');
	assert_int_equal(a.write(a.ctx, note, sizeof(note), &e), PV_E_ROLLBACK);
	put(note, 4, 'a');
	assert_int_equal(a.write(a.ctx, note, sizeof(note), &e), PV_E_ROLLBACK);
	assert_int_equal(a.write(a.ctx, note, 7, &e), PV_E_INTERNAL);
	/* Another campaign's note is another note. */
	assert_int_equal(pv_hsm_anchor(h, "camp2", &b, &e), 0);
	len = sizeof(got);
	assert_int_equal(b.read(b.ctx, got, &len, &e), PV_E_NOT_FOUND);
	pv_anchor_release(&b);
	pv_anchor_release(&a);
	pv_hsm_close(h);
	assert_int_equal(count_notes(), 1);
}

/* After a crash between the two steps both notes are there. */
static void
test_anchor_leftover(void **state)
{
	uint8_t note[48], got[PV_ANCHOR_MAX];
	struct pv_anchor a = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;
	size_t len = sizeof(got);

	(void)state;
	need_softhsm();
	put(note, 3, 'o');
	if (!foreign_note(note, sizeof(note)))
		skip();
	put(note, 9, 'n');
	assert_true(foreign_note(note, sizeof(note)));
	assert_int_equal(count_notes(), 3); /* 5 is from the test before */
	h = open_token(URI);
	assert_int_equal(pv_hsm_anchor(h, "camp", &a, &e), 0);
	assert_int_equal(a.read(a.ctx, got, &len, &e), 0);
	assert_memory_equal(got, note, sizeof(note));
	put(note, 10, 'n');
	assert_int_equal(a.write(a.ctx, note, sizeof(note), &e), 0);
	assert_int_equal(count_notes(), 1);
	/* One number, two contents: nobody can say which. */
	put(note, 10, 'z');
	assert_true(foreign_note(note, sizeof(note)));
	len = sizeof(got);
	assert_int_equal(a.read(a.ctx, got, &len, &e), PV_E_HSM);
	assert_non_null(strstr(e.msg, "twice"));
	/* Too short to hold a number. */
	pv_anchor_release(&a);
	pv_hsm_close(h);
}

struct listing {
	unsigned n, resident, with_id;
	bool pair_twice, seen_sign;
};

static int
each_key(void *ctx, const struct pv_key_info *key)
{
	struct listing *l = ctx;

	l->n++;
	if (key->resident)
		l->resident++;
	else
		assert_non_null(key->why_not);
	if (strcmp(key->label, "lister") == 0) {
		l->pair_twice = l->seen_sign;
		l->seen_sign = true;
		assert_string_equal(key->type, "ec-p256");
		assert_true(key->resident);
		assert_true(key->local);
		assert_true(key->sensitive);
		assert_false(key->extractable);
		assert_string_equal(key->uri, "pkcs11:token=oem;object=lister");
	}
	if (strcmp(key->label, "stuck") == 0)
		assert_non_null(strstr(key->why_not, "not extractable"));
	/* The one of pkcs11-tool has no id that could tell it apart. */
	if (strcmp(key->label, "double") == 0 && strstr(key->uri, "id="))
		l->with_id++;
	return 0;
}

static void
test_list(void **state)
{
	struct listing l = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	h = open_token(URI);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_EC_P256, "lister", NULL, &e), 0);
	assert_int_equal(pv_hsm_list(h, each_key, &l, &e), 0);
	assert_true(l.seen_sign);
	assert_false(l.pair_twice);
	assert_int_equal(l.with_id, 1);
	assert_true(l.n > l.resident && l.resident > 2);
	pv_hsm_close(h);
}

static void
test_labels_refused(void **state)
{
	struct pv_error e = { 0 };
	struct pv_secret *s = secret(P("seventeen bytes.."));
	struct pv_hsm *h;
	char longest[80];

	(void)state;
	need_softhsm();
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	h = open_token(URI);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_AES128, "", NULL, &e), PV_E_USAGE);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_AES128, "a\nb", NULL, &e), PV_E_USAGE);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_AES128, longest, NULL, &e), PV_E_USAGE);
	assert_int_equal(
	    pv_hsm_import_aes(h, s, "odd", NULL, &e), PV_E_MALFORMED);
	pv_secret_free(s);
	pv_hsm_close(h);
}

/* A second session of one program needs no second PIN. */
static void
test_second_open(void **state)
{
	struct counted_pin c = { SOFTHSM_PIN, 0 };
	struct pv_hsm *h1 = NULL, *h2 = NULL;
	struct pv_error e = { 0 };

	(void)state;
	need_softhsm();
	assert_int_equal(pv_hsm_open(URI, NULL, counting_pin, &c, &h1, &e), 0);
	assert_int_equal(pv_hsm_open(URI, NULL, counting_pin, &c, &h2, &e), 0);
	assert_int_equal(c.calls, 1);
	pv_hsm_close(h1);
	assert_int_equal(
	    pv_hsm_generate(h2, PV_KEY_AES128, "second", NULL, &e), 0);
	pv_hsm_close(h2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uri_refused),
		cmocka_unit_test(test_module_missing),
		cmocka_unit_test(test_token_missing),
		cmocka_unit_test(test_wrong_pin_once),
		cmocka_unit_test(test_no_pin),
		cmocka_unit_test(test_pin_source),
		cmocka_unit_test(test_same_label_tokens),
		cmocka_unit_test(test_two_keys_one_label),
		cmocka_unit_test(test_sealer),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_wrapper),
		cmocka_unit_test(test_resident_faults),
		cmocka_unit_test(test_anchor),
		cmocka_unit_test(test_anchor_leftover),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_labels_refused),
		cmocka_unit_test(test_second_open),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
