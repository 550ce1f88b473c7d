/* SPDX-License-Identifier: Apache-2.0 */
/* hsm/ against a SoftHSM2 of its own, checked by the host's own crypto. */
#include "tests/unit/hsmtest.h"

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
	if (strcmp(key->label, "lister ed") == 0)
		assert_non_null(strstr(key->why_not, "ec-p256"));
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
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_AES256, "lister aes", NULL, &e), 0);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_ED25519, "lister ed", NULL, &e), 0);
	assert_int_equal(pv_hsm_list(h, each_key, &l, &e), 0);
	assert_true(l.seen_sign);
	assert_false(l.pair_twice);
	assert_int_equal(l.with_id, 1);
	assert_true(l.n > l.resident && l.resident >= 2);
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

/* The token is taken away while it is open. */
static void
test_vanished(void **state)
{
	char conf[SOFTHSM_DIR + 32], tokens[SOFTHSM_DIR + 16];
	const char *const argv[] = { "rm", "-rf", tokens, NULL };
	uint8_t note[16] = { 0 }, got[PV_ANCHOR_MAX];
	struct softhsm mine;
	struct pv_anchor a = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;
	size_t len = sizeof(got);

	(void)state;
	need_softhsm();
	(void)snprintf(conf, sizeof(conf), "%s/softhsm2.conf", soft.dir);
	assert_true(softhsm_start(&mine));
	assert_true(softhsm_token("oem"));
	h = open_token(URI);
	assert_int_equal(pv_hsm_anchor(h, "gone", &a, &e), 0);
	note[7] = 1;
	assert_int_equal(a.write(a.ctx, note, sizeof(note), &e), 0);
	(void)snprintf(tokens, sizeof(tokens), "%s/tokens", mine.dir);
	assert_int_equal(softhsm_run(argv), 0);
	note[7] = 2;
	assert_int_equal(a.write(a.ctx, note, sizeof(note), &e), PV_E_HSM);
	assert_true(e.vendor_code != 0);
	assert_int_not_equal(a.read(a.ctx, got, &len, &e), 0);
	pv_anchor_release(&a);
	pv_hsm_close(h);
	softhsm_stop(&mine);
	assert_int_equal(setenv("SOFTHSM2_CONF", conf, 1), 0);
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
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_labels_refused),
		cmocka_unit_test(test_second_open),
		cmocka_unit_test(test_vanished),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
