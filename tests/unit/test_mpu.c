/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stages of an STM32MP over UART, byte for byte: the golden transcripts of
 * TF-A 2.8's SSP firmware and of an MP135's ROM, U-Boot's answers, and what
 * each does with what is wrong. Secrets are opened and burnt in the order of
 * the firmware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/mpu_rig.h"

#include "base/hex.h"
#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/kdf.h"

/* --- bytes ------------------------------------------------------------------- */

static void
feed_hex(struct rig *g, const char *hex)
{
	uint8_t b[512];
	size_t n = 0;

	for (const char *p = hex; *p != '\0'; p++) {
		unsigned int v;

		if (*p == ' ')
			continue;
		assert_int_equal(sscanf(p, "%2x", &v), 1);
		b[n++] = (uint8_t)v;
		p++;
	}
	pv_mp_feed(&g->m, b, n);
}

/* Send, and compare all that comes back. */
static void
talk(struct rig *g, const char *sent, const char *want)
{
	char got[2 * sizeof g->out + 1], clean[1024];
	size_t n = 0;

	for (const char *p = want; *p != '\0'; p++)
		if (*p != ' ')
			clean[n++] = *p;
	clean[n] = '\0';
	g->out_len = 0;
	feed_hex(g, sent);
	pv_hex_encode(got, g->out, g->out_len);
	assert_string_equal(got, clean);
}

static uint8_t
xor_of(const uint8_t *p, size_t n)
{
	uint8_t x = 0;

	for (size_t i = 0; i < n; i++)
		x ^= p[i];
	return x;
}

static void
expect_ack(struct rig *g)
{
	assert_true(g->out_len >= 1);
	assert_int_equal(g->out[g->out_len - 1], PV_MP_ACK);
	g->out_len = 0;
}

static void
download(struct rig *g, const uint8_t *p, size_t len)
{
	static const uint8_t pair[] = { 0x31, 0xce };

	for (size_t at = 0, i = 0; at < len; at += 256, i++) {
		size_t n = len - at < 256 ? len - at : 256;
		uint8_t head[5], body[258];

		pv_mp_feed(&g->m, pair, 2);
		expect_ack(g);
		pv_put_u32be(head, (uint32_t)i);
		head[4] = xor_of(head, 4);
		pv_mp_feed(&g->m, head, 5);
		expect_ack(g);
		body[0] = (uint8_t)(n - 1);
		memcpy(body + 1, p + at, n);
		body[n + 1] = xor_of(body, n + 1);
		pv_mp_feed(&g->m, body, n + 2);
		expect_ack(g);
	}
}

static void
boot(struct rig *g, const char *stage)
{
	uint8_t image[1024];
	size_t n = rig_image(g, stage, image);

	talk(g, "7f", "79");
	download(g, image, n);
	feed_hex(g, "21de");
	expect_ack(g);
	feed_hex(g, "ffffffff 00");
}

/* --- the ROM ------------------------------------------------------------------ */

static void
test_rom(void **unused)
{
	struct rig *g = rig_new(true, PV_MP_UART);

	(void)unused;
	assert_non_null(g);
	/* The trace of an MP135. */
	talk(g, "00ff", "");
	talk(g, "7f", "79");
	talk(g, "00ff", "79 06 40 00 01 02 03 21 31 79");
	talk(g, "01fe", "79 10 00 00 79");
	talk(g, "02fd", "79 01 05 01 79");
	talk(g, "03fc", "79 06 01 00fefd2f 01 00 79");
	/* No SSP, no reading. */
	talk(g, "12ed", "1f");
	talk(g, "11ee", "1f");
	talk(g, "0000", "1f");
	/* Download: wrong checksum, operation, number; the same again. */
	talk(g, "31ce", "79");
	talk(g, "00000000 01", "1f");
	talk(g, "31ce", "79");
	talk(g, "f2000000 f2", "1f");
	talk(g, "31ce", "79");
	talk(g, "00000001 01", "1f");
	talk(g, "31ce 00000000 00", "79 79");
	talk(g, "01 aabb 11", "1f");
	talk(g, "31ce 00000000 00", "79 79");
	talk(g, "01 aabb 10", "79");
	talk(g, "31ce 00000001 01 00 cc cc", "79 79 79");
	/* Start at an address that is not its own. */
	talk(g, "21de 08000000 08", "79 1f");
	/* What is there is no image: ACK and then silence for ever. */
	talk(g, "00 55", "1f");
	talk(g, "21de ffffffff 00", "79 79");
	assert_int_equal(g->m.stage, PV_MP_DEAD);
	talk(g, "7f", "");
	rig_free(g);
}

static void
test_rom_overflow(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);
	uint8_t zeros[256] = { 0 };

	(void)unused;
	assert_non_null(g);
	talk(g, "7f", "79");
	for (unsigned int i = 0; i < RIG_RAM / 256; i++) {
		char head[32];

		(void)snprintf(head, sizeof head, "31ce 00%06x %02x", i,
		    (i ^ i >> 8) & 0xff);
		talk(g, head, "79 79");
		g->out_len = 0;
		feed_hex(g, "ff");
		pv_mp_feed(&g->m, zeros, 256);
		feed_hex(g, "ff");
		expect_ack(g);
	}
	talk(g, "31ce 00000080 80", "79 79");
	talk(g, "00 00 00", "5f"); /* ABORT */
	talk(g, "03fc", "");
	rig_free(g);
}

/* Each is wrong in one thing; all are refused, with silence or ABORT. */
static void
test_images(void **unused)
{
	static const struct {
		size_t at;
		uint8_t flip;
		const char *why;
	} bad[] = {
		{ 0, 1, "no STM32 image header" },
		{ 0x4a, 3, "header version" },
		{ 0x54, 1, "reserved" },
		{ 0x5c, 1, "reserved" },
		{ 0x4d, 1, "shorter" },
		{ 0x44, 1, "checksum" },
		{ 0x110, 1, "checksum" },
	};
	struct pv_mp_image im;
	uint8_t image[1024];

	(void)unused;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct rig *g = rig_new(false, PV_MP_UART);
		size_t n = rig_image(g, "tf-a", image);
		const char *why;

		assert_null(pv_mp_image_parse(image, n, 1, &im));
		assert_non_null(pv_mp_image_parse(image, n - 1, 1, &im));
		image[bad[i].at] ^= bad[i].flip;
		why = pv_mp_image_parse(image, n, 1, &im);
		assert_non_null(why);
		assert_non_null(strstr(why, bad[i].why));
		g->config.rom_abort = true;
		talk(g, "7f", "79");
		download(g, image, n);
		talk(g, "21de ffffffff 00", "79 5f");
		rig_free(g);
	}
	/* One of the other chip. */
	{
		struct rig *g = rig_new(true, PV_MP_UART);
		size_t n = rig_image(g, "tf-a", image);

		assert_null(pv_mp_image_parse(image, n, 2, &im));
		assert_non_null(pv_mp_image_parse(image, n, 1, &im));
		image[0x84] ^= 1; /* an extension past the end */
		assert_non_null(pv_mp_image_parse(image, n, 2, &im));
		rig_free(g);
	}
}

static void
test_stages(void **unused)
{
	static const struct {
		const char *text;
		enum pv_mp_stage stage;
		enum pv_mp_generation generation;
	} cases[] = {
		{ "provisor-stage=tf-a-ssp\n", PV_MP_TFA_SSP, PV_MP_TFA_2_8 },
		{ "provisor-stage=tf-a-ssp-2.2", PV_MP_TFA_SSP, PV_MP_TFA_2_2 },
		{ "xx provisor-stage=tf-a-ssp-2.4", PV_MP_TFA_SSP,
		    PV_MP_TFA_2_4 },
		{ "provisor-stage=tf-a", PV_MP_TFA, PV_MP_TFA_2_8 },
		{ "provisor-stage=u-boot", PV_MP_UBOOT, PV_MP_TFA_2_8 },
		{ "provisor-stage=linux", PV_MP_DEAD, PV_MP_TFA_2_8 },
		{ "v2.4-stm32mp1-r1.0 Provisioning\n", PV_MP_TFA_SSP,
		    PV_MP_TFA_2_4 },
		{ "BL2: %s\n", PV_MP_TFA, PV_MP_TFA_2_8 },
		{ "U-Boot 2023.10", PV_MP_UBOOT, PV_MP_TFA_2_8 },
		{ "anything", PV_MP_DEAD, PV_MP_TFA_2_8 },
		{ "", PV_MP_DEAD, PV_MP_TFA_2_8 },
	};
	struct rig *g = rig_new(false, PV_MP_UART);

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		g->m.generation = PV_MP_TFA_2_8;
		assert_int_equal(
		    pv_mp_image_stage(&g->m, (const uint8_t *)cases[i].text,
			strlen(cases[i].text)),
		    cases[i].stage);
		assert_int_equal(g->m.generation, cases[i].generation);
	}
	rig_free(g);
}

/* --- TF-A SSP --------------------------------------------------------------------- */

static void
test_golden_boot1(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);

	(void)unused;
	boot(g, "tf-a-ssp");
	/* The ACK of the ROM, then the NACK of the take-over. */
	assert_int_equal(g->out_len, 2);
	assert_int_equal(g->out[0], PV_MP_ACK);
	assert_int_equal(g->out[1], PV_MP_NACK);
	assert_int_equal(g->waited_us, 30000);
	assert_int_equal(g->otp[8], 0x100);
	talk(g, "7f", "79");
	talk(g, "00ff", "79 07 40 00 01 02 03 12 21 31 79");
	talk(g, "01fe", "79 00 79");
	talk(g, "02fd", "79 02 05 00 79");
	talk(g, "03fc", "79 12 ff 00000000 0d 50726f766973696f6e696e670a 79");
	assert_int_equal(g->restarts, 1);
	assert_int_equal(g->m.stage, PV_MP_ROM);
	talk(g, "03fc", ""); /* the ROM waits for 0x7F */
	rig_free(g);
}

static void
to_boot2(struct rig *g, const char *stage)
{
	boot(g, stage);
	feed_hex(g, "03fc");
	boot(g, stage);
	g->out_len = 0;
}

static void
test_golden_boot2(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);
	uint8_t pub[64];

	(void)unused;
	to_boot2(g, "tf-a-ssp");
	talk(g, "03fc", "79 05 f3 00f0ff2f 00 79");
	talk(g, "12ed", "79");
	talk(g, "f300000000 f3", "79");
	g->out_len = 0;
	feed_hex(g, "8877");
	assert_int_equal(g->out_len, 138);
	assert_int_equal(g->out[0], PV_MP_ACK);
	assert_memory_equal(g->out + 1, "5000200A", 8);
	assert_int_equal(pv_ec_public(g->key, pub, NULL), 0);
	assert_memory_equal(g->out + 9, pub, 64);
	/* OTP words come out most significant byte first. */
	assert_memory_equal(g->out + 73, "\x40\x41\x42\x43\x41\x42", 6);
	assert_int_equal(g->out[137], PV_MP_ACK);
	/* N = 0x87, the documented value, N = 0xff: zeros up to N. */
	g->out_len = 0;
	feed_hex(g, "12ed f300000000f3 8778");
	assert_int_equal(g->out_len, 3 + 136 + 1);
	g->out_len = 0;
	feed_hex(g, "12ed f300000000f3 ff00");
	assert_int_equal(g->out_len, 3 + 255 + 1);
	assert_int_equal(g->out[3 + 136], 0);
	/* Another offset, another partition, wrong sums. */
	talk(g, "12ed f300000001f2", "79 1f");
	talk(g, "12ed 04", "79 1f");
	talk(g, "12ed f300000000f2", "79 1f");
	talk(g, "12ed f300000000f3 8888", "79 79 1f");
	rig_free(g);
}

static void
test_tfa_traps(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);
	uint32_t waited;

	(void)unused;
	to_boot2(g, "tf-a-ssp");
	/* A command that is none: 3 ms, then NACK, before its complement. */
	waited = g->waited_us;
	talk(g, "43", "1f");
	assert_int_equal(g->waited_us - waited, 3000);
	talk(g, "0000", "1f");
	/* A wrong number is refused before its checksum, which is left. */
	talk(g, "31ce 00000005", "79 1f");
	talk(g, "05", "1f");
	/* It never goes back to packet 0. */
	talk(g, "31ce 00000000 00 00 aa aa", "79 79 79");
	talk(g, "31ce 00000000", "79 1f");
	talk(g, "00 ff", "79 07 40 00 01 02 03 12 21 31 79");
	/* Any operation; wrong checksums. */
	talk(g, "31ce f4000001 f5 00 aa ab", "79 79 1f");
	talk(g, "31ce f4000001 f4", "79 1f");
	/* A start address: ACK, and the error in phase 0xFF. */
	talk(g, "21de 2ffc2500 f6", "79 79");
	g->out_len = 0;
	feed_hex(g, "03fc");
	assert_memory_equal(g->out + 1, "\x2e\xff\x00\xf0\xff\x2f\x29", 7);
	assert_memory_equal(
	    g->out + 8, "Invalid start at 2ffc2500, for phase 243\n", 41);
	rig_free(g);
}

static void
test_tfa_overflow(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);
	uint8_t blob[380] = { 0 };

	(void)unused;
	to_boot2(g, "tf-a-ssp");
	download(g, blob, sizeof blob);
	/* ACK right after the length; the byte that follows is a command. */
	talk(g, "31ce 00000002 02 00", "79 79 79");
	talk(g, "aa", "1f");
	g->out_len = 0;
	feed_hex(g, "03fc");
	assert_int_equal(g->out[2], 0xff);
	assert_memory_equal(
	    g->out + 8, "Download overflow at 0x2ffff17d\n", 32);
	rig_free(g);
}

static void
test_tfa_2_2(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);

	(void)unused;
	to_boot2(g, "tf-a-ssp-2.2");
	talk(g, "12ed f300000000f3 8778", "79 79 1f");
	g->out_len = 0;
	feed_hex(g, "12ed f300000000f3 8877");
	assert_int_equal(g->out_len, 3 + 136); /* no ACK at the end */
	talk(g, "31ce f4000000 f4", "79 1f");
	talk(g, "31ce f3000000 f3 00 aa aa", "79 79 79");
	rig_free(g);
}

/* A reset in boot 2 leads to boot 2 again; a loss of power to boot 1. */
static void
test_mailbox(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);

	(void)unused;
	to_boot2(g, "tf-a-ssp");
	pv_mp_reset(&g->m);
	boot(g, "tf-a-ssp");
	talk(g, "03fc", "79 05 f3 00f0ff2f 00 79");
	pv_mp_power_cycle(&g->m);
	boot(g, "tf-a-ssp");
	g->out_len = 0;
	feed_hex(g, "03fc");
	assert_int_equal(g->out[2], 0xff);
	assert_int_equal(g->n_order, 1); /* SSP_REQ once */
	g->config.mailbox_lost = true;
	boot(g, "tf-a-ssp");
	feed_hex(g, "03fc");
	boot(g, "tf-a-ssp");
	g->out_len = 0;
	feed_hex(g, "03fc");
	assert_int_equal(g->out[2], 0xff);
	rig_free(g);
}

/* --- secrets ------------------------------------------------------------------------ */

static const uint8_t oem_key[] = "AES_KEY_TEST_001";

static void
seal(const uint8_t *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
    const uint8_t *in, size_t len, uint8_t *out, uint8_t tag[16])
{
	struct pv_gcm *gcm = NULL;

	assert_int_equal(pv_gcm_new(key, 16, &gcm, NULL), 0);
	assert_int_equal(
	    pv_gcm_begin(gcm, false, iv, 16, aad, aad_len, NULL), 0);
	assert_int_equal(pv_gcm_update(gcm, in, out, len, NULL), 0);
	assert_int_equal(pv_gcm_tag(gcm, tag, NULL), 0);
	pv_gcm_free(gcm);
}

/* License and payload for the chip of the rig; default profile. */
static size_t
make_blob(struct rig *g, const uint8_t *plain, uint32_t size, uint8_t *b)
{
	size_t key_len = g->config.chip.key_table ? 32 : 64, at = 8 + key_len;
	uint8_t pub[64], z[32], kdf[64], aad[120], text[32], d[32];
	uint8_t *payload = b + 136;
	struct pv_ec_key *eph = NULL;

	for (unsigned int i = 0; i < 32; i++) {
		d[i] = (uint8_t)(0x21 + i);
		text[i] = i < 16 ? (uint8_t)(0x10 + i) : oem_key[i - 16];
	}
	memset(b, 0, PV_MP_BLOB_MAX);
	memcpy(b, "SSP.", 4);
	b[8] = 1;
	assert_int_equal(pv_ec_from_scalar(d, &eph, NULL), 0);
	assert_int_equal(pv_ec_public(eph, b + 0x18, NULL), 0);
	assert_int_equal(pv_ec_public(g->key, pub, NULL), 0);
	assert_int_equal(pv_ecdh(eph, pub, z, NULL), 0);
	pv_ec_free(eph);
	assert_int_equal(pv_x963_sha256(z, 32, NULL, 0, kdf, 64, NULL), 0);
	memcpy(aad, b, 0x58);
	memcpy(aad + 0x58, kdf + 32, 32);
	seal(kdf, kdf + 16, aad, 120, text, 32, b + 0x58, b + 0x78);
	memcpy(payload, "SSPP", 4);
	payload[4] = 1;
	memset(payload + 8, 0x5a, key_len);
	pv_put_u32le(payload + at, size);
	seal(oem_key, text, payload, at + 4, plain, size, payload + at + 20,
	    payload + at + 4);
	return 136 + at + 20 + 152;
}

static void
install(struct rig *g, const char *stage, const uint8_t *plain, uint32_t size,
    size_t flip)
{
	uint8_t blob[PV_MP_BLOB_MAX];
	size_t n = make_blob(g, plain, size, blob);

	assert_int_equal(n, g->config.chip.key_table ? 348 : 380);
	if (flip != SIZE_MAX)
		blob[flip] ^= 1;
	to_boot2(g, stage);
	download(g, blob, n);
	talk(g, "21de ffffffff 00", "79 79");
	talk(g, "03fc",
	    g->config.chip.key_table ? "79 05 ff 00f0ff2f 00 79"
				     : "79 05 ff 00f0ff2f 00 79");
	g->n_order = 0;
	boot(g, stage);
	g->out_len = 0;
}

static void
test_order(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);
	uint8_t plain[152], hash[32], key[64];
	const struct pv_part part = { key, sizeof key };

	(void)unused;
	for (unsigned int i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)(i + 1);
	memset(plain + 4 + 8, 0, 4); /* the third secret word */
	install(g, "tf-a-ssp", plain, sizeof plain, SIZE_MAX);
	assert_int_equal(g->m.stage, PV_MP_ROM);
	/* Key hash, closed, RMA, 36 of 37 secrets, success. */
	assert_int_equal(g->n_order, 8 + 1 + 1 + 36 + 1);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(g->order[i], 24 + i);
	assert_int_equal(g->order[8], 0);
	assert_int_equal(g->order[9], 56);
	assert_int_equal(g->order[10], 59);
	assert_int_equal(g->order[12], 62);
	assert_int_equal(g->order[45], 95);
	assert_int_equal(g->order[46], 8);
	memset(key, 0x5a, sizeof key);
	assert_int_equal(pv_sha256(&part, 1, hash, NULL), 0);
	for (unsigned int i = 0; i < 8; i++) {
		assert_int_equal(
		    g->otp[24 + i], pv_get_u32be(hash + 4 * (size_t)i));
		assert_int_equal(g->state[24 + i], PV_SIM_OTP_LOCKED);
	}
	assert_int_equal(g->otp[56], 0x04030201);
	assert_int_equal(g->otp[59], 0x08070605);
	assert_int_equal(g->otp[61], 0);
	assert_int_equal(g->state[61], 0);
	assert_int_equal(g->otp[8], 0x300);
	assert_true(pv_mp_closed(&g->m));
	/* RAM is wiped. */
	for (size_t i = 0; i < sizeof g->m.mailbox.blob; i++)
		assert_int_equal(g->m.mailbox.blob[i], 0);
	/* Closed: the next loader is not started. */
	boot(g, "tf-a-ssp");
	assert_int_equal(g->m.stage, PV_MP_DEAD);
	rig_free(g);
}

static void
test_order_mp13(void **unused)
{
	struct rig *g = rig_new(true, PV_MP_UART);
	uint8_t plain[152];

	(void)unused;
	memset(plain, 0xff, sizeof plain);
	install(g, "tf-a-ssp", plain, 12, SIZE_MAX);
	assert_int_equal(g->otp[0], 0x3f);
	assert_int_equal(g->otp[24], 0x5a5a5a5a); /* the hash as it came */
	assert_int_equal(g->otp[56], 0xffffffff);
	assert_int_equal(g->otp[60], 0xffffffff);
	assert_int_equal(g->otp[61], 0);
	assert_int_equal(g->otp[9], 0x60);
	rig_free(g);
}

/* Every byte of license and payload counts, but for padding behind `size`. */
static void
test_flips(void **unused)
{
	uint8_t plain[152] = { 1, 0, 0, 0, 2 };

	(void)unused;
	for (size_t i = 0; i < 380; i += 5) {
		struct rig *g = rig_new(false, PV_MP_UART);

		/* Of the reserved field and the session too: they are AAD. */
		install(g, "tf-a-ssp", plain, sizeof plain, i);
		assert_int_equal(g->n_order, 0);
		assert_int_equal(g->otp[24], 0);
		talk(g, "03fc",
		    "79 12 ff 00000000 0d 50726f766973696f6e696e670a 79");
		rig_free(g);
	}
}

/* The firmware's arithmetic of sizes, and the ROM's limit. */
static void
test_sizes(void **unused)
{
	static const struct {
		uint32_t size;
		uint32_t otp59, otp60;
	} cases[] = {
		{ 4, 0, 0 }, /* RMA alone; the next word is 0: not burnt */
		{ 8, 0xffffffff, 0 },
		{ 9, 0xffffffff, 0x0000000f },
		{ 10, 0xffffffff, 0x000000ff },
		{ 11, 0xffffffff, 0x00000fff },
		{ 12, 0xffffffff, 0xffffffff },
	};
	uint8_t plain[152];

	(void)unused;
	memset(plain, 0xff, sizeof plain);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig *g = rig_new(false, PV_MP_UART);
		uint32_t rest = cases[i].size % 4;

		install(g, "tf-a-ssp", plain, cases[i].size, SIZE_MAX);
		assert_int_equal(g->otp[59], cases[i].otp59);
		/* Bytes of the last word that were not sealed are 0. */
		assert_int_equal(g->otp[60],
		    cases[i].otp60 &
			(rest == 0 ? 0xffffffffU : (1U << 8 * rest) - 1));
		assert_int_equal(g->otp[8], 0x300);
		rig_free(g);
	}
	/* No size: the ROM opens it, TF-A refuses it. */
	{
		struct rig *g = rig_new(false, PV_MP_UART);

		install(g, "tf-a-ssp", plain, 0, SIZE_MAX);
		assert_int_equal(g->n_order, 0);
		assert_int_equal(g->otp[8], 0x100);
		rig_free(g);
	}
}

/* --- U-Boot --------------------------------------------------------------------------- */

static void
to_uboot(struct rig *g)
{
	uint8_t fip[64] = { 0x01, 0x00, 0x64, 0xaa, 1 };

	memcpy(fip + 16, "provisor-stage=u-boot", 21);
	boot(g, "tf-a");
	g->out_len = 0;
	talk(g, "00ff", "79 06 40 00 01 02 03 21 31 79");
	talk(g, "03fc", "79 05 03 000000c4 00 79");
	talk(g, "12ed", "1f 1f"); /* no Read partition; its complement */
	download(g, fip, sizeof fip);
	talk(g, "21de ffffffff 00", "79 79 1f");
	assert_int_equal(g->m.stage, PV_MP_UBOOT);
}

static void
test_tfa_bad_fip(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);
	uint8_t fip[64] = { 0x01, 0x00, 0x64, 0xab, 1 };

	(void)unused;
	boot(g, "tf-a");
	g->out_len = 0;
	download(g, fip, sizeof fip);
	talk(g, "21de ffffffff 00", "79 1f");
	g->out_len = 0;
	feed_hex(g, "03fc");
	assert_int_equal(g->out[2], 0xff);
	assert_memory_equal(g->out + 8, "FIP Header check failed", 23);
	assert_int_equal(g->m.stage, PV_MP_ROM);
	rig_free(g);
}

static void
test_uboot(void **unused)
{
	static const char layout[] =
	    "P\t4\tone\tBinary\tmmc0\t0x4400\tone.bin\n"
	    "-\t1\tboot\tBinary\tnone\t0x0\n";
	struct rig *g = rig_new(false, PV_MP_UART);
	uint32_t waited;

	(void)unused;
	to_uboot(g);
	talk(g, "00ff", "79 08 40 00 01 02 03 11 12 21 31 79");
	talk(g, "01fe", "79 03 79");
	talk(g, "02fd", "79 01 05 00 79");
	talk(g, "03fc", "79 05 00 000000c2 00 79");
	/* Refused after the ACK of the header, before any data. */
	talk(g, "31ce f3000000 f3", "79 79 1f");
	talk(g, "31ce 00000007 07", "79 79 1f");
	talk(g, "31ce 00000000 01", "79 1f");
	/* Bad data: after 30 ms, and the same number again. */
	waited = g->waited_us;
	talk(g, "31ce 00000000 00 00 aa ab", "79 79 1f");
	assert_int_equal(g->waited_us - waited, 30000);
	download(g, (const uint8_t *)layout, sizeof layout - 1);
	talk(g, "21de 00000004 04", "79 5f"); /* not this phase */
	rig_free(g);

	g = rig_new(false, PV_MP_UART);
	to_uboot(g);
	download(g, (const uint8_t *)layout, sizeof layout - 1);
	talk(g, "21de ffffffff 00", "79 79");
	talk(g, "03fc", "79 05 04 ffffffff 00 79");
	download(g, (const uint8_t *)"secret", 6);
	/* Not while it is being written. */
	talk(g, "12ed 04000000 00 04 05fa", "79 79 5f");
	talk(g, "21de 00000004 04", "79 79");
	talk(g, "03fc", "79 05 fe ffffffff 00 79");
	talk(g, "12ed 04000000 00 04 05fa", "79 79 79 736563726574");
	talk(g, "12ed 05000000 00 05 05fa", "79 79 5f");
	talk(g, "12ed 04000000 00 05", "79 1f");
	/* The text of an error, and the reset after it. */
	talk(g, "31ce 00000000 00 00 aa aa", "79 79 5f");
	talk(g, "21de ffffffff 00", "79 79");
	assert_int_equal(g->m.stage, PV_MP_ROM);
	rig_free(g);
}

static uint64_t clock_us;

static uint64_t
now(void *ctx)
{
	(void)ctx;
	return clock_us;
}

/* 256 bytes take 24.4 ms at 115200 baud; more than 30 ms are too long. */
static void
test_uboot_late(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);

	(void)unused;
	g->port.now_us = now;
	to_uboot(g);
	talk(g, "31ce 00000000 00", "79 79");
	assert_int_equal(pv_mp_patience_us(&g->m), 0);
	talk(g, "01 aa", "");
	assert_int_equal(pv_mp_patience_us(&g->m), 30000);
	clock_us += 30001;
	talk(g, "bb 10", "1f");
	talk(g, "31ce 00000000 00 01 aa", "79 79");
	clock_us += 29999;
	talk(g, "bb 10", "79");
	/* The rest does not come: the line tells, and it is asked again. */
	talk(g, "31ce 00000001 01 01 aa", "79 79");
	g->out_len = 0;
	pv_mp_expired(&g->m);
	assert_int_equal(g->out_len, 1);
	assert_int_equal(g->out[0], PV_MP_NACK);
	talk(g, "31ce 00000001 01 01 aabb 10", "79 79 79");
	rig_free(g);
}

/* The N-th ACK as NACK or ABORT. */
static unsigned int fault_at, fault_n;

static enum pv_mp_fault
one_fault(void *ctx)
{
	(void)ctx;
	return ++fault_n == fault_at ? PV_MP_SAY_NACK : PV_MP_FINE;
}

static void
test_faults(void **unused)
{
	struct rig *g = rig_new(false, PV_MP_UART);

	(void)unused;
	fault_at = 3;
	fault_n = 0;
	g->port.fault = one_fault;
	talk(g, "7f", "79");
	talk(g, "31ce", "79");
	talk(g, "00000000 00", "1f"); /* refused: it waits for a command */
	talk(g, "31ce 00000000 00", "79 79");
	rig_free(g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rom),
		cmocka_unit_test(test_rom_overflow),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_stages),
		cmocka_unit_test(test_golden_boot1),
		cmocka_unit_test(test_golden_boot2),
		cmocka_unit_test(test_tfa_traps),
		cmocka_unit_test(test_tfa_overflow),
		cmocka_unit_test(test_tfa_2_2),
		cmocka_unit_test(test_mailbox),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_order_mp13),
		cmocka_unit_test(test_flips),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_tfa_bad_fip),
		cmocka_unit_test(test_uboot),
		cmocka_unit_test(test_uboot_late),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
