/* SPDX-License-Identifier: Apache-2.0 */
/* Using keys and notes in a SoftHSM2, with the host's own crypto beside it. */
#include "tests/unit/hsmtest.h"

#include "crypto/ec.h"
#include "crypto/kdf.h"

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
	assert_int_equal(tok.begin(tok.ctx, true, iv, 12, "x", 1, &e), 0);
	assert_int_equal(
	    tok.update(tok.ctx, plain, 100, back, sizeof(back), &n, &e), 0);

	assert_int_equal(tok.begin(tok.ctx, false, iv, 12, "head", 4, &e), 0);
	assert_int_equal(file.begin(file.ctx, false, iv, 12, "head", 4, &e), 0);
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
		    tok.begin(tok.ctx, true, iv, 12, "head", 4, &e), 0);
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
	assert_int_equal(tok.begin(tok.ctx, false, iv, 12, "head", 4, &e), 0);
	assert_int_equal(tok.finish(tok.ctx, tag1, NULL, 0, &n, &e), 0);
	assert_int_equal(file.begin(file.ctx, false, iv, 12, "head", 4, &e), 0);
	assert_int_equal(file.finish(file.ctx, tag2, NULL, 0, &n, &e), 0);
	assert_memory_equal(tag1, tag2, 16);
	assert_int_equal(tok.begin(tok.ctx, true, iv, 12, "head", 4, &e), 0);
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

static void
write_file(const char *name, const void *data, size_t len, char path[])
{
	FILE *f;

	(void)snprintf(path, SOFTHSM_DIR + 32, "%s/%s", soft.dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* An INTEGER of a signature: no zeros before, one where the sign would be. */
static size_t
der_integer(const uint8_t v[32], uint8_t *out)
{
	size_t skip = 0, pad;

	while (skip < 31 && v[skip] == 0)
		skip++;
	pad = v[skip] >= 0x80;
	out[0] = 0x02;
	out[1] = (uint8_t)(32 - skip + pad);
	out[2] = 0;
	memcpy(out + 2 + pad, v + skip, 32 - skip);
	return 2 + pad + 32 - skip;
}

/* The openssl program accepts what the token signed, and only that. */
static void
test_signature_openssl(void **state)
{
	char key[SOFTHSM_DIR + 32], in[SOFTHSM_DIR + 32],
	    sig_path[SOFTHSM_DIR + 32];
	const char *const argv[] = { "openssl", "pkeyutl", "-verify", "-pubin",
		"-keyform", "DER", "-inkey", key, "-in", in, "-sigfile",
		sig_path, NULL };
	const char *const probe[] = { "openssl", "version", NULL };
	uint8_t digest[32] = { 0 }, sig[64], der[128], spki[128];
	size_t n, len = sizeof(spki);
	struct pv_signer s = { 0 };
	struct pv_error e = { 0 };
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	if (softhsm_run(probe) != 0)
		skip();
	h = open_token(URI);
	assert_int_equal(
	    pv_hsm_generate(h, PV_KEY_EC_P256, "ossl", NULL, &e), 0);
	assert_int_equal(pv_hsm_signer(h, "pkcs11:object=ossl", &s, &e), 0);
	assert_int_equal(
	    pv_hsm_export_public(h, "pkcs11:object=ossl", spki, &len, &e), 0);
	write_file("ossl.der", spki, len, key);
	for (uint8_t i = 0; i < 8; i++) {
		digest[0] = i;
		assert_int_equal(s.sign(s.ctx, digest, sig, &e), 0);
		n = 2 + der_integer(sig, der + 2);
		n += der_integer(sig + 32, der + n);
		der[0] = 0x30;
		der[1] = (uint8_t)(n - 2);
		write_file("ossl.sig", der, n, sig_path);
		write_file("ossl.in", digest, 32, in);
		assert_int_equal(softhsm_run(argv), 0);
	}
	digest[31] ^= 1;
	write_file("ossl.in", digest, 32, in);
	assert_int_not_equal(softhsm_run(argv), 0);
	pv_signer_release(&s);
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

/*
 * A key that pkcs11-tool made, never seen by us: what the wrapper hands to a
 * chip is the key that the sealer uses.
 */
static void
test_foreign_key(void **state)
{
	const char *const argv[] = { "pkcs11-tool", "--module",
		"/usr/lib/softhsm/libsofthsm2.so", "--token-label", "oem",
		"--login", "--pin", SOFTHSM_PIN, "--keygen", "--key-type",
		"aes:16", "--label", "foreign", "--sensitive", "--extractable",
		NULL };
	uint8_t chip_pub[64], eph[64], z[32], kek[32], wrapped[40];
	uint8_t context[32] = { 7 }, id1[32], id2[32];
	struct pv_sealer tok = { 0 }, file = { 0 };
	struct pv_wrapper w = { 0 };
	struct pv_secret *key = NULL;
	struct pv_ec_key *chip = NULL;
	struct pv_error e = { 0 };
	size_t len = sizeof(wrapped);
	struct pv_hsm *h;

	(void)state;
	need_softhsm();
	if (softhsm_run(argv) != 0)
		skip();
	h = open_token(URI);
	assert_int_equal(pv_ec_generate(&chip, &e), 0);
	assert_int_equal(pv_ec_public(chip, chip_pub, &e), 0);
	assert_int_equal(pv_hsm_wrapper(h, "pkcs11:object=foreign", &w, &e), 0);
	assert_int_equal(w.ephemeral(w.ctx, eph, &e), 0);
	assert_int_equal(
	    w.wrap(w.ctx, chip_pub, context, wrapped, &len, &e), 0);
	assert_int_equal(pv_ecdh(chip, eph, z, &e), 0);
	assert_int_equal(pv_aes_ecb(z, 32, context, 32, kek, &e), 0);
	assert_int_equal(pv_secret_new(16, &key, &e), 0);
	assert_int_equal(
	    pv_aes_unwrap(kek, 32, wrapped, len, pv_secret_data(key), &e), 0);
	assert_int_equal(pv_sealer_from_secret(key, &file, &e), 0);
	assert_int_equal(
	    pv_hsm_sealer(h, "pkcs11:object=foreign", &tok, &e), 0);
	assert_int_equal(tok.key_id(tok.ctx, id1, &e), 0);
	assert_int_equal(file.key_id(file.ctx, id2, &e), 0);
	assert_memory_equal(id1, id2, 32);
	pv_sealer_release(&tok);
	pv_sealer_release(&file);
	pv_secret_free(key);
	pv_wrapper_release(&w);
	pv_ec_free(chip);
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
		" -O --type data 2>/dev/null | grep -c \"application:  "
		"*'provisor'\" "
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
	/* The one that counts and the one that takes the next. */
	assert_int_equal(count_notes(), 2);
}

/* Notes of an interrupted or a foreign writer: the highest counts. */
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
	assert_int_equal(count_notes(), 4); /* 4, 5 of the test before */
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sealer),
		cmocka_unit_test(test_signer),
		cmocka_unit_test(test_signature_openssl),
		cmocka_unit_test(test_wrapper),
		cmocka_unit_test(test_foreign_key),
		cmocka_unit_test(test_resident_faults),
		cmocka_unit_test(test_anchor),
		cmocka_unit_test(test_anchor_leftover),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
