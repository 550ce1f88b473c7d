/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MCUboot images: codec, trailer arithmetic, and the worked examples of
 * formats/mcuboot.md, whose random parts are given.
 */
#include "image/mcuboot.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/enckey.h"
#include "crypto/kdf.h"
#include "crypto/sigkey.h"
#include <provisor/secret.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define GOLDEN "fixtures/golden/mcuboot/"

static struct pv_error e;

static const char *
top(const char *path)
{
	static char full[4][512];
	static int n;
	const char *dir = getenv("TOP");

	n = (n + 1) % 4;
	(void)snprintf(
	    full[n], sizeof(full[n]), "%s/%s", dir == NULL ? "." : dir, path);
	return full[n];
}

static void
assert_hex(const void *data, size_t len, const char *hex)
{
	char text[1024];

	assert_true(2 * len < sizeof(text));
	pv_hex_encode(text, data, len);
	assert_string_equal(text, hex);
}

/* --- codec ------------------------------------------------------------------ */

static void
test_header(void **state)
{
	static const char example[] = "3db8f39600000000200"
				      "00c00200000000400000001020300040000000"
				      "0000000";
	struct pv_mcuboot_header h;
	uint8_t data[32], back[32];

	(void)state;
	assert_int_equal(pv_hex_decode(example, data, 32, &e), 0);
	assert_int_equal(pv_mcuboot_header_decode(data, 32, &h, &e), 0);
	assert_int_equal(h.magic, PV_MCUBOOT_MAGIC);
	assert_int_equal(h.hdr_size, 32);
	assert_int_equal(h.protect_size, 12);
	assert_int_equal(h.img_size, 32);
	assert_int_equal(h.flags, PV_MCUBOOT_F_AES128);
	assert_int_equal(h.version.major, 1);
	assert_int_equal(h.version.revision, 3);
	assert_int_equal(h.version.build, 4);
	pv_mcuboot_header_encode(&h, back);
	assert_memory_equal(back, data, 32);
	for (size_t n = 0; n < 32; n++)
		assert_int_equal(
		    pv_mcuboot_header_decode(data, n, &h, &e), PV_E_MALFORMED);
}

static void
test_version(void **state)
{
	static const char *const bad[] = { "", "1.2.3+", "1.2.", "a", "1.2.3.4",
		"256.0.0", "1.256.0", "1.2.65536", "1.2.3+4294967296", "-1.0.0",
		"1.2.3 ", "1+2+3", "0x1.0.0" };
	struct pv_mcuboot_version v;
	char text[32];

	(void)state;
	assert_int_equal(
	    pv_mcuboot_version_parse("255.254.65535+4294967295", &v, &e), 0);
	pv_mcuboot_version_text(text, &v);
	assert_string_equal(text, "255.254.65535+4294967295");
	assert_int_equal(pv_mcuboot_version_parse("7", &v, &e), 0);
	assert_int_equal(v.major, 7);
	assert_int_equal(v.minor | v.revision | (int)v.build, 0);
	assert_int_equal(pv_mcuboot_version_parse("1.2+9", &v, &e), 0);
	assert_int_equal(v.build, 9);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (pv_mcuboot_version_parse(bad[i], &v, &e) != PV_E_USAGE)
			fail_msg("'%s' was taken", bad[i]);
}

/* encode(decode(x)) == x for the areas of a golden file, and no prefix of the
 * file decodes. */
static void
test_areas(void **state)
{
	struct pv_mcuboot_header h;
	struct pv_mcuboot_tlvs t, cut;
	uint8_t *data = NULL, out[1024];
	struct pv_writer w;
	size_t len = 0, at, mark;

	(void)state;
	assert_int_equal(pv_file_read(top(GOLDEN "worked-example.bin"), 65536,
			     &data, &len, &e),
	    0);
	assert_int_equal(pv_mcuboot_header_decode(data, len, &h, &e), 0);
	at = h.hdr_size + h.img_size;
	assert_int_equal(
	    pv_mcuboot_tlvs_decode(data + at, len - at, h.protect_size, &t, &e),
	    0);
	assert_int_equal(pv_mcuboot_validate(&h, &t, false, &e), 0);
	assert_int_equal(t.size, len - at);
	assert_int_equal(t.n, 5);
	assert_int_equal(t.n_protected, 1);
	pv_wr_init(&w, out, sizeof(out));
	mark = pv_mcuboot_area_begin(&w, PV_MCUBOOT_INFO_PROTECTED);
	for (size_t i = 0; i < t.n; i++) {
		if (i == t.n_protected) {
			assert_true(pv_mcuboot_area_end(&w, mark));
			mark = pv_mcuboot_area_begin(
			    &w, PV_MCUBOOT_INFO_UNPROTECTED);
		}
		pv_mcuboot_tlv_put(&w, t.t[i].type, t.t[i].data, t.t[i].len);
	}
	assert_true(pv_mcuboot_area_end(&w, mark));
	assert_int_equal(w.len, len - at);
	assert_memory_equal(out, data + at, len - at);
	for (size_t n = 0; n < len - at; n++)
		assert_int_equal(pv_mcuboot_tlvs_decode(
				     data + at, n, h.protect_size, &cut, &e),
		    PV_E_MALFORMED);
	free(data);
}

/* images.py _trailer_size by hand, and the numbers of ST's fork. */
static void
test_trailer(void **state)
{
	static const struct {
		struct pv_mcuboot_layout l;
		uint64_t size;
		uint32_t ok;
		const char *magic;
	} rows[] = {
		{ { .align = 8, .max_sectors = 128 }, 3120, 24,
		    "77c295f360d2ef7f3552500f2cb67980" },
		{ { .align = 1, .max_sectors = 128, .encrypted = true }, 464,
		    24, "77c295f360d2ef7f3552500f2cb67980" },
		{ { .align = 16, .max_sectors = 128 }, 6224, 32,
		    "10002de15d29410b8d77679c110f1f8a" },
		{ { .align = 32, .max_sectors = 128 }, 12448, 64,
		    "20002de15d29410b8d77679c110f1f8a" },
		{ { .align = 8, .overwrite_only = true }, 32, 0,
		    "77c295f360d2ef7f3552500f2cb67980" },
		{ { .align = 8,
		      .max_sectors = 1,
		      .encrypted = true,
		      .save_enctlv = 113 },
		    312, 24, "77c295f360d2ef7f3552500f2cb67980" },
		{ { .st = true,
		      .stirot = true,
		      .align = 16,
		      .overwrite_only = true },
		    32, 0, "77c295f360d2ef7f3552500f2cb67980" },
		{ { .st = true, .primary_only = true, .align = 16 }, 16, 0,
		    "77c295f360d2ef7f3552500f2cb67980" },
		{ { .st = true, .overwrite_only = true, .align = 16 }, 48, 0,
		    "77c295f360d2ef7f3552500f2cb67980" },
		{ { .st = true, .encrypted = true, .align = 16 }, 112, 32,
		    "77c295f360d2ef7f3552500f2cb67980" },
	};
	uint8_t magic[16];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    pv_mcuboot_trailer_size(&rows[i].l), rows[i].size);
		assert_int_equal(pv_mcuboot_image_ok(&rows[i].l), rows[i].ok);
		pv_mcuboot_trailer_magic(&rows[i].l, magic);
		assert_hex(magic, 16, rows[i].magic);
		assert_true(pv_mcuboot_is_trailer_magic(magic));
	}
}

/* --- cryptography ------------------------------------------------------------ */

/* RFC 5869 appendix A.3: SHA-256 without salt and info. */
static void
test_hkdf(void **state)
{
	uint8_t ikm[22], okm[42];

	(void)state;
	memset(ikm, 0x0b, sizeof(ikm));
	assert_int_equal(pv_hkdf(256, ikm, 22, "", 0, okm, 42, &e), 0);
	assert_hex(okm, 42,
	    "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
	    "9d201395faa4b61a96c8");
}

/* One block of OTFDEC: key 10..1f, plaintext 00..0f. */
static void
test_otfdec(void **state)
{
	struct pv_mcuboot_cipher *c = NULL;
	uint8_t key[16], block[16];

	(void)state;
	for (uint8_t i = 0; i < 16; i++) {
		key[i] = (uint8_t)(0x10 + i);
		block[i] = i;
	}
	assert_int_equal(pv_mcuboot_cipher_new(key, 16, true, &c, &e), 0);
	assert_int_equal(pv_mcuboot_cipher_run(c, block, 16, &e), 0);
	assert_hex(block, 16, "58f2cd98b45a380764d8e605f53dade2");
	pv_mcuboot_cipher_free(c);
}

static void
test_signature_forms(void **state)
{
	static const char raw_hex[] =
	    "53d3aaabf66811f025ea2b41919649d09d6a77c03671561d41dc693e79e7fb51"
	    "7ce7dcc359d91970a8a5d2e6e6ee478abc6e3d2a83de99fb749ffb2db89cfef9";
	static const enum pv_mcuboot_sig_form forms[] = { PV_SIG_DER,
		PV_SIG_DER_PADDED, PV_SIG_DER_ST };
	static const size_t lens[] = { 70, 72, 72 };
	uint8_t raw[64], body[PV_SIG_MAX], back[PV_SIG_MAX];
	uint8_t wide[96], long_body[PV_SIG_MAX];
	size_t n = 0, m = 0;

	(void)state;
	assert_int_equal(pv_hex_decode(raw_hex, raw, 64, &e), 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(pv_mcuboot_sig_encode(PV_SIG_ECDSA_P256,
				     forms[i], raw, 64, body, &n, &e),
		    0);
		assert_int_equal(n, lens[i]);
		assert_int_equal(pv_mcuboot_sig_decode(
				     PV_SIG_ECDSA_P256, body, n, back, &m, &e),
		    0);
		assert_int_equal(m, 64);
		assert_memory_equal(back, raw, 64);
	}
	assert_hex(body, 72,
	    "304602210053d3aaabf66811f025ea2b41919649d09d6a77c03671561d41dc69"
	    "3e79e7fb510221007ce7dcc359d91970a8a5d2e6e6ee478abc6e3d2a83de99fb"
	    "749ffb2db89cfef9");
	/* imgtool pads those of P-384 to 103, of which the longest has 104. */
	memset(wide, 0x11, sizeof(wide));
	for (size_t i = 0; i < 3; i++) {
		if (i > 0)
			wide[48 * (i - 1)] = 0x81;
		assert_int_equal(
		    pv_mcuboot_sig_encode(PV_SIG_ECDSA_P384, PV_SIG_DER_PADDED,
			wide, 96, long_body, &n, &e),
		    0);
		assert_int_equal(n, i < 2 ? 103 : 104);
		assert_int_equal(pv_mcuboot_sig_decode(PV_SIG_ECDSA_P384,
				     long_body, n, back, &m, &e),
		    0);
		assert_memory_equal(back, wide, 96);
	}
	body[70] ^= 1;
	assert_int_equal(
	    pv_mcuboot_sig_decode(PV_SIG_ECDSA_P256, body, 71, back, &m, &e),
	    PV_E_MALFORMED);
}

/* --- worked examples --------------------------------------------------------- */

/* AES key 10..1f, and the ephemeral key of the description. */
static int
given(void *ctx, const char *what, uint8_t *data, size_t len,
    struct pv_error *err)
{
	static const char label[] = "provisor test: ephemeral";
	struct pv_part part = { label, sizeof(label) - 1 };

	(void)ctx;
	if (strcmp(what, "ephemeral") == 0)
		return pv_sha256(&part, 1, data, err);
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(0x10 + i);
	return 0;
}

struct worked {
	struct pv_mcuboot_params p;
	struct pv_mcuboot_recipient to;
	struct pv_mcuboot_random rng;
	struct pv_message_signer signer;
	struct pv_pubkey *pub;
	struct pv_enckey *enc;
};

static void
worked_open(struct worked *w, const char *flavor)
{
	memset(w, 0, sizeof(*w));
	w->rng.fill = given;
	w->p.rng = &w->rng;
	assert_int_equal(pv_mcuboot_flavor_find(flavor, &w->p.flavor, &e), 0);
	w->p.magic = w->p.flavor->magic;
	w->p.hdr_size = 32;
	w->p.pad_header = true;
	w->p.erased = 0xff;
	w->p.align = w->p.flavor->align;
	w->p.max_sectors = 128;
	w->p.enc_key_len = 16;
	assert_int_equal(
	    pv_mcuboot_version_parse("1.2.3+4", &w->p.version, &e), 0);
	w->p.has_counter = true;
	w->p.counter = 0x01020003;
	assert_int_equal(pv_sigkey_signer(top(GOLDEN "test-only-sign.pem"),
			     NULL, &w->signer, &e),
	    0);
	assert_int_equal(pv_pubkey_from_spki(
			     w->signer.spki, w->signer.spki_len, &w->pub, &e),
	    0);
	w->p.sigs[0].pub = w->pub;
	w->p.sigs[0].signer = &w->signer;
	w->p.n_sigs = 1;
	assert_int_equal(
	    pv_enckey_read(top(GOLDEN "test-only-enc.pem"), NULL, &w->enc, &e),
	    0);
	w->to.key = w->enc;
}

static void
worked_close(struct worked *w)
{
	pv_message_signer_release(&w->signer);
	pv_pubkey_free(w->pub);
	pv_enckey_free(w->enc);
}

static void
test_worked_example(void **state)
{
	char dir[] = "/tmp/pvmcuboot.XXXXXX", in[64], out[64];
	struct pv_mcuboot_made made;
	struct pv_part part = { 0 };
	uint8_t digest[32], *want = NULL, *got = NULL;
	size_t len = 0, want_len = 0;
	struct worked w;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(in, sizeof(in), "%s/in", dir);
	(void)snprintf(out, sizeof(out), "%s/out.bin", dir);
	assert_int_equal(
	    pv_file_write(in, 0644, "provisor mcuboot ex.", 20, &e), 0);
	worked_open(&w, NULL);
	assert_int_equal(pv_mcuboot_sign(&w.p, in, out, &made, &e), 0);
	assert_hex(made.digest, 32,
	    "dab3b3fb4810cee752b0e31cf9b32101d55a102c39695048cbc697eb11b97c0"
	    "0");
	assert_int_equal(made.h.img_size, 20);
	w.p.to = &w.to;
	assert_int_equal(pv_mcuboot_sign(&w.p, in, out, &made, &e), 0);
	assert_hex(made.digest, 32,
	    "828b7a5b84c2e1641ca65ad37acca998e7f594b406048462477d20cd31b9b83"
	    "6");
	assert_int_equal(made.sig_len, 70);
	assert_int_equal(pv_file_read(out, 65536, &got, &len, &e), 0);
	assert_int_equal(len, 343);
	part.data = got;
	part.len = len;
	assert_int_equal(pv_sha256(&part, 1, digest, &e), 0);
	assert_hex(digest, 32,
	    "8ebab70135b5f8e64e219aef57122648758301a8775b7420f2d0ee6baeaaabf"
	    "e");
	assert_int_equal(pv_file_read(top(GOLDEN "worked-example.bin"), 65536,
			     &want, &want_len, &e),
	    0);
	assert_int_equal(want_len, len);
	assert_memory_equal(want, got, len);
	free(want);
	free(got);
	worked_close(&w);
	(void)unlink(in);
	(void)unlink(out);
	(void)rmdir(dir);
}

/* The entry of the image key, step by step in the description. */
static void
test_enc_entry(void **state)
{
	struct pv_opener o = { 0 };
	struct pv_mcuboot_opening by = { .opener = &o };
	struct pv_mcuboot_tlv v = { .type = PV_TLV_ENC_EC256, .len = 113 };
	uint8_t body[PV_MCUBOOT_ENC_MAX], aes[16], key[32];
	struct worked w;
	size_t len = 0;

	(void)state;
	worked_open(&w, NULL);
	assert_int_equal(given(NULL, "aes", aes, 16, &e), 0);
	assert_int_equal(
	    pv_mcuboot_enc_seal(&w.to, &w.rng, aes, sizeof(aes), body, &e), 0);
	assert_hex(body, 113,
	    "0432eb1dfa3983a190c0eed21ab613f4e6529947cbf29c67f66576e269a4c534"
	    "fd40f302adb55f20d10d3219385b9df1934667cb4f775a180c2ea27be2798656"
	    "9e32ef5e78b5788a6aed6a17b645a66484cfd93117b7d26a8627f0eacfe08e4b"
	    "3ceae9ad3a01f089528d147d289b988670");
	v.data = body;
	assert_int_equal(
	    pv_opener_read(top(GOLDEN "test-only-enc.pem"), NULL, &o, &e), 0);
	assert_int_equal(pv_mcuboot_enc_open(&by, &v, key, &len, &e), 0);
	assert_int_equal(len, 16);
	assert_memory_equal(key, aes, 16);
	/* A bit of the point, the MAC, the key: each is noticed. */
	for (size_t i = 1; i < 113; i += 8) {
		body[i] ^= 0x04;
		assert_int_equal(
		    pv_mcuboot_enc_open(&by, &v, key, &len, &e), PV_E_VERIFY);
		body[i] ^= 0x04;
	}
	pv_opener_release(&o);
	worked_close(&w);
}

/* Slot 0x20000, header 0x400: 3 bytes of filler, img_size 0x1fac0. */
static void
test_st_fill(void **state)
{
	char dir[] = "/tmp/pvmcuboot.XXXXXX", in[64], out[64];
	struct pv_mcuboot_made made;
	struct pv_mcuboot_file f;
	struct worked w;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(in, sizeof(in), "%s/in", dir);
	(void)snprintf(out, sizeof(out), "%s/out.bin", dir);
	assert_int_equal(
	    pv_file_write(in, 0644, "provisor mcuboot ex.", 20, &e), 0);
	worked_open(&w, "st-h5-stirot");
	w.p.to = &w.to;
	w.p.hdr_size = 0x400;
	w.p.slot_size = 0x20000;
	w.p.pad = true;
	assert_int_equal(pv_mcuboot_sign(&w.p, in, out, &made, &e), 0);
	assert_int_equal(made.h.img_size, 0x1fac0);
	assert_int_equal(made.h.protect_size, 19);
	assert_int_equal(made.used, 0x1ffe0);
	assert_int_equal(pv_mcuboot_open(out, &f, &e), 0);
	assert_int_equal(f.t.t[1].type, PV_TLV_BOOT_RECORD);
	assert_int_equal(f.t.t[1].len, 3);
	assert_true(f.has_trailer);
	pv_mcuboot_close(&f);
	worked_close(&w);
	(void)unlink(in);
	(void)unlink(out);
	(void)rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_areas),
		cmocka_unit_test(test_trailer),
		cmocka_unit_test(test_hkdf),
		cmocka_unit_test(test_otfdec),
		cmocka_unit_test(test_signature_forms),
		cmocka_unit_test(test_worked_example),
		cmocka_unit_test(test_enc_entry),
		cmocka_unit_test(test_st_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
