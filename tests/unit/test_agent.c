/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The install agent behind the bootloader's special commands, with real
 * cryptography: what it takes and what it refuses. Whatever happens, flash is
 * untouched, erased, or holds the whole package.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hex.h"
#include "device/license.h"
#include "device/sfi_parse.h"
#include "tests/unit/agent_check.h"

/* --- the good way ------------------------------------------------------------------ */

static void
test_install(void **state)
{
	struct both *b = *state;
	static const size_t chunks[] = { 1024, 1000, 128, 7, 1 };

	for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
		rig_fill(&b->g);
		rig_power(&b->g);
		expect_result(rig_install(&b->g, &b->p, chunks[i]), PV_SI_OK,
		    PV_SI_STATE_DONE);
		assert_true(installed(&b->g, &b->p));
		assert_only_package(&b->g);
		assert_int_equal(b->g.fake.restarts, 1);
		assert_forgotten(&b->g, &b->p);
	}
	/* After the restart it still says so, and takes the next license. */
	expect_result(rig_special(&b->g, PV_SI_INFO, NULL, 0, NULL, 0),
	    PV_SI_OK, PV_SI_STATE_DONE);
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(installed(&b->g, &b->p));
}

static void
test_held_back(void **state)
{
	struct both *b = *state;
	struct rig_answer s;

	s = rig_special(&b->g, PV_SI_LICENSE, b->p.campaign, 64, b->p.license,
	    b->p.license_len);
	expect_result(s, PV_SI_OK, PV_SI_STATE_LICENSED);
	s = rig_special(&b->g, PV_SI_HEADER, b->p.header, 28, NULL, 0);
	expect_result(s, PV_SI_OK, PV_SI_STATE_READY);
	assert_untouched(&b->g);
	for (size_t i = 0; i < b->p.n; i++)
		expect_result(rig_area(&b->g, &b->p, i, 1024), PV_SI_OK,
		    PV_SI_STATE_READY);
	assert_true(all_are(at(&b->g, FAKE_FLASH), 16, 0xff));
	assert_true(all_are(at(&b->g, FAKE_FLASH + 0x2000), 16, 0xff));
	assert_memory_equal(
	    at(&b->g, FAKE_FLASH + 16), b->p.area[0].plain + 16, 2984);
	assert_false(b->g.options_set);
	/* Nobody reads it meanwhile. */
	b->g.fake.out_len = 0;
	pv_an_feed(&b->g.an, (const uint8_t[]){ 0x11, 0xee }, 2);
	assert_int_equal(b->g.fake.out_len, 1);
	assert_int_equal(b->g.fake.out[0], 0x1f);
	expect_result(rig_special(&b->g, PV_SI_FINISH, NULL, 0, NULL, 0),
	    PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(installed(&b->g, &b->p));
}

static void
test_info(void **state)
{
	struct both *b = *state;
	struct rig_answer s;
	uint8_t ask[4] = { 0, 0, 128, 0 };
	static const uint8_t want[48] = { 2, 0, 0x84, 0x04, '4', '5', '0', '0',
		'2', '0', '0', '1', 0, 1, 0, 4, 0, 0, 0, 8, 0, 0, 1, 0, 16, 0,
		0, 0, RIG_OPTIONS, 0, 0, 0, [44] = 64, 0, 0, 2 };
	static const uint8_t more[12] = { 0, 0, 0, 0x90, 0, 0x20, 0, 0, 3 };

	s = rig_special(&b->g, PV_SI_INFO, NULL, 0, NULL, 0);
	expect_result(s, PV_SI_OK, PV_SI_STATE_IDLE);
	assert_int_equal(s.len, 48);
	assert_memory_equal(s.data, want, 48);
	rig_extend(&b->g);
	s = rig_special(&b->g, PV_SI_INFO, NULL, 0, NULL, 0);
	assert_memory_equal(s.data + 32, more, sizeof more);
	s = rig_special(&b->g, PV_SI_CERTIFICATE, ask, 4, NULL, 0);
	assert_int_equal(s.len, 128);
	assert_memory_equal(s.data, b->g.cert, 128);
	ask[0] = 128;
	ask[2] = 8;
	s = rig_special(&b->g, PV_SI_CERTIFICATE, ask, 4, NULL, 0);
	assert_int_equal(s.len, 8);
	assert_memory_equal(s.data, b->g.cert + 128, 8);
	ask[2] = 9; /* past the end */
	s = rig_special(&b->g, PV_SI_CERTIFICATE, ask, 4, NULL, 0);
	expect_result(s, PV_SI_E_LENGTH, PV_SI_STATE_IDLE);
	ask[2] = 0;
	s = rig_special(&b->g, PV_SI_CERTIFICATE, ask, 4, NULL, 0);
	expect_result(s, PV_SI_E_LENGTH, PV_SI_STATE_IDLE);
	s = rig_special(&b->g, PV_SI_CERTIFICATE, ask, 3, NULL, 0);
	expect_result(s, PV_SI_E_LENGTH, PV_SI_STATE_IDLE);
}

static void
test_report(void **state)
{
	struct both *b = *state;
	struct rig_answer s;

	(void)rig_special(&b->g, PV_SI_LICENSE, b->p.campaign, 64, b->p.license,
	    b->p.license_len);
	(void)rig_special(&b->g, PV_SI_HEADER, b->p.header, 28, NULL, 0);
	(void)rig_area(&b->g, &b->p, 0, 1024);
	(void)rig_special(
	    &b->g, PV_SI_AREA_BEGIN, b->p.area[1].header, 30, NULL, 0);
	(void)rig_data(&b->g, 2, 0, b->p.area[1].data, 300);
	s = rig_special(&b->g, PV_SI_STATUS, NULL, 0, NULL, 0);
	expect_result(s, PV_SI_OK, PV_SI_STATE_AREA);
	assert_int_equal(s.len, 16);
	assert_int_equal(s.data[0], PV_SI_STATE_AREA);
	assert_int_equal(s.data[4], 2);	 /* area */
	assert_int_equal(s.data[8], 1);	 /* completed */
	assert_int_equal(s.data[10], 3); /* announced */
	assert_int_equal(s.data[12] | s.data[13] << 8, 300);
}

/* Lost answers: the same again is harmless, anything else is not. */
static void
test_repeats(void **state)
{
	struct both *b = *state;
	uint8_t one[2] = { 1, 0 };
	const struct pkg_area *a = &b->p.area[0];

	(void)rig_special(&b->g, PV_SI_LICENSE, b->p.campaign, 64, b->p.license,
	    b->p.license_len);
	(void)rig_special(&b->g, PV_SI_HEADER, b->p.header, 28, NULL, 0);
	(void)rig_special(&b->g, PV_SI_AREA_BEGIN, a->header, 30, NULL, 0);
	for (uint32_t off = 0; off < 3000; off += 1000)
		for (int i = 0; i < 3; i++)
			expect_result(
			    rig_data(&b->g, 1, off, a->data + off, 1000),
			    PV_SI_OK, PV_SI_STATE_AREA);
	for (int i = 0; i < 3; i++)
		expect_result(
		    rig_special(&b->g, PV_SI_AREA_END, one, 2, NULL, 0),
		    PV_SI_OK, PV_SI_STATE_READY);
	expect_result(
	    rig_area(&b->g, &b->p, 1, 500), PV_SI_OK, PV_SI_STATE_READY);
	expect_result(
	    rig_area(&b->g, &b->p, 2, 500), PV_SI_OK, PV_SI_STATE_READY);
	expect_result(rig_special(&b->g, PV_SI_FINISH, NULL, 0, NULL, 0),
	    PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(installed(&b->g, &b->p));
}

/* --- licenses ------------------------------------------------------------------------ */

static void
expect_license(struct both *b, uint16_t result)
{
	expect_result(
	    rig_install(&b->g, &b->p, 1024), result, PV_SI_STATE_IDLE);
	assert_untouched(&b->g);
	assert_forgotten(&b->g, &b->p);
}

static void
test_license_refused(void **state)
{
	struct both *b = *state;
	struct pv_ec_key *other = NULL;
	uint8_t cert[136];

	/* Made for another chip of this product. */
	memcpy(cert, b->g.cert, sizeof cert);
	assert_int_equal(pv_ec_generate(&other, NULL), 0);
	assert_int_equal(pv_ec_public(other, cert + 8, NULL), 0);
	assert_int_equal(pkg_license(&b->p, cert, b->g.campaign), 0);
	expect_license(b, PV_SI_E_LICENSE_UNWRAP);
	/* For another product. */
	memcpy(cert, b->g.cert, sizeof cert);
	cert[7] = '2';
	assert_int_equal(pkg_license(&b->p, cert, b->g.campaign), 0);
	expect_license(b, PV_SI_E_LICENSE_PRODUCT);
	/* Signed by another campaign's key, which is not the pinned one. */
	assert_int_equal(pkg_license(&b->p, b->g.cert, other), 0);
	expect_license(b, PV_SI_E_LICENSE_SIGNATURE);
	assert_int_equal(pv_ec_public(other, b->p.campaign, NULL), 0);
	expect_license(b, PV_SI_E_LICENSE_KEY);
	/* No key sent to a chip that has one pinned. */
	memset(b->p.campaign, 0, 64);
	expect_license(b, PV_SI_E_LICENSE_KEY);
	/* Nothing pinned: the signature decides when there is a key. */
	b->g.agent_config.campaign_hash = NULL;
	memcpy(b->p.campaign, b->g.campaign_pub, 64);
	expect_license(b, PV_SI_E_LICENSE_SIGNATURE);
	/* And without one only the unwrapping proves anything. */
	memset(b->p.campaign, 0, 64);
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(installed(&b->g, &b->p));
	pv_ec_free(other);
}

static void
test_license_bits(void **state)
{
	struct both *b = *state;

	for (size_t i = 0; i < b->p.license_len; i++) {
		struct rig_answer s;

		b->p.license[i] ^= (uint8_t)(1U << (i % 8));
		s = rig_special(&b->g, PV_SI_LICENSE, b->p.campaign, 64,
		    b->p.license, b->p.license_len);
		assert_true(s.ok && s.result != PV_SI_OK);
		assert_int_equal(s.state, PV_SI_STATE_IDLE);
		b->p.license[i] ^= (uint8_t)(1U << (i % 8));
	}
	/* Every shorter and one longer length. */
	for (size_t n = 0; n <= 213; n++) {
		struct rig_answer s = rig_special(
		    &b->g, PV_SI_LICENSE, b->p.campaign, 64, b->p.license, n);

		if (n != 212)
			expect_result(
			    s, PV_SI_E_LICENSE_FORMAT, PV_SI_STATE_IDLE);
		else
			(void)rig_special(&b->g, PV_SI_ABORT, NULL, 0, NULL, 0);
	}
	assert_untouched(&b->g);
	/* Without a signature the derivation still covers the header. */
	b->g.agent_config.campaign_hash = NULL;
	memset(b->p.campaign, 0, 64);
	for (size_t i = 0; i < 148; i++) {
		struct rig_answer s;

		b->p.license[i] ^= (uint8_t)(1U << (i % 8));
		s = rig_special(&b->g, PV_SI_LICENSE, b->p.campaign, 64,
		    b->p.license, b->p.license_len);
		assert_true(s.ok && s.result != PV_SI_OK);
		b->p.license[i] ^= (uint8_t)(1U << (i % 8));
	}
	assert_untouched(&b->g);
}

/* The worked example of formats/license.md, computed outside this program. */
static void
test_license_vector(void **state)
{
	struct both *b = *state;
	uint8_t l[212] = { 'P', 'V', 'L', 'R', 1 }, none[64] = { 0 };
	uint8_t key[16], nonce[12];
	struct pv_agent_config c = b->g.agent_config;

	for (size_t i = 0; i < 16; i++)
		l[8 + i] = (uint8_t)(0xa0 + i);
	l[0x18] = 1;
	memcpy(l + 0x20, "45002001", 8);
	assert_int_equal(
	    pv_hex_decode("1f140146bfb1b251f84f4ddbe0d4cdcfd77afd984a9520e35794"
			  "021f8312bb9eec995a08b1fa7704df3dcc0b50a9665263fb77"
			  "11f95f9f8a449c5096e47c892b",
		l + 0x28, 64, NULL),
	    0);
	memcpy(l + 0x68, "NONCE_TEST01", 12);
	l[0x78] = 24;
	assert_int_equal(
	    pv_hex_decode("a31032f50c959039b8db1216bd80f7fbdee9ea92f5e1c5a0",
		l + 0x7c, 24, NULL),
	    0);
	c.campaign_hash = NULL;
	assert_int_equal(pv_dev_license_open(
			     &c, &b->g.crypto, none, l, sizeof l, key, nonce),
	    PV_SI_OK);
	assert_memory_equal(key, "AES_KEY_TEST_001", 16);
	assert_memory_equal(nonce, "NONCE_TEST01", 12);
}

/* --- packages -------------------------------------------------------------------------- */

static void
test_header_bits(void **state)
{
	struct both *b = *state;

	for (size_t i = 0; i < 28; i++) {
		struct rig_answer s;

		b->p.header[i] ^= (uint8_t)(1U << (i % 8));
		s = rig_install(&b->g, &b->p, 1024);
		assert_true(s.ok);
		assert_true(s.result == PV_SI_E_HEADER_TAG ||
			    s.result == PV_SI_E_HEADER_FORMAT);
		assert_int_equal(s.state, PV_SI_STATE_IDLE);
		assert_untouched(&b->g);
		assert_forgotten(&b->g, &b->p);
		b->p.header[i] ^= (uint8_t)(1U << (i % 8));
	}
}

static void
test_area_bits(void **state)
{
	struct both *b = *state;

	for (size_t k = 0; k < b->p.n; k++) {
		struct pkg_area *a = &b->p.area[k];

		for (size_t i = 0; i < 30; i++) {
			struct rig_answer s;

			rig_fill(&b->g);
			rig_power(&b->g);
			a->header[i] ^= (uint8_t)(1U << (i % 8));
			s = rig_install(&b->g, &b->p, 1024);
			a->header[i] ^= (uint8_t)(1U << (i % 8));
			assert_true(s.ok && s.result != PV_SI_OK);
			assert_clean(&b->g);
			assert_false(b->g.options_set);
			assert_forgotten(&b->g, &b->p);
			assert_int_equal(s.state,
			    k == 0 && all_are(b->g.fake.flash, 0x10000, 0x55)
				? PV_SI_STATE_IDLE
				: PV_SI_STATE_FAILED);
		}
	}
}

/*
 * Over an installed image: any bit of any area header, an address that leads
 * to other sectors among them, leaves all of it or nothing.
 */
static void
test_area_bits_over_image(void **state)
{
	struct both *b = *state;
	struct rig *g = &b->g;
	uint8_t *flash = test_malloc(sizeof g->fake.flash);
	uint8_t note[PV_AGENT_NOTE_LEN];

	expect_result(rig_install(g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	memcpy(flash, g->fake.flash, sizeof g->fake.flash);
	memcpy(note, g->note, sizeof note);
	for (size_t i = 0; i < b->p.n * 240; i++) {
		uint8_t *h = b->p.area[i / 240].header + i % 240 / 8;
		uint8_t bit = (uint8_t)(1U << (i % 8));
		struct rig_answer s;

		memcpy(g->fake.flash, flash, sizeof g->fake.flash);
		memcpy(g->note, note, sizeof note);
		g->options_set = false;
		rig_power(g);
		*h ^= bit;
		s = rig_install(g, &b->p, 1024);
		*h ^= bit;
		assert_true(s.ok && s.result != PV_SI_OK);
		assert_false(g->options_set);
		if (s.state == PV_SI_STATE_FAILED)
			assert_erased(g);
		else
			assert_memory_equal(
			    g->fake.flash, flash, sizeof g->fake.flash);
	}
	test_free(flash);
}

static void
test_payload_bits(void **state)
{
	struct both *b = *state;

	for (size_t k = 0; k < b->p.n; k++) {
		struct pkg_area *a = &b->p.area[k];
		size_t step = a->len / 12;

		for (size_t i = 0; i < a->len; i += step) {
			struct rig_answer s;

			rig_fill(&b->g);
			rig_power(&b->g);
			a->data[i] ^= (uint8_t)(1U << (i % 8));
			s = rig_install(&b->g, &b->p, 1024);
			a->data[i] ^= (uint8_t)(1U << (i % 8));
			expect_result(s, PV_SI_E_AREA_TAG, PV_SI_STATE_FAILED);
			assert_int_equal(s.index, k + 1);
			assert_erased(&b->g);
			assert_false(b->g.options_set);
			assert_forgotten(&b->g, &b->p);
		}
	}
}

/* One area `type` at `addr` after the boot area, and how it is answered. */
static void
try_area(
    struct both *b, uint8_t type, uint32_t addr, uint32_t len, uint16_t result)
{
	struct rig_answer s;

	rig_fill(&b->g);
	rig_power(&b->g);
	b->p.n = 0;
	pkg_area(&b->p, 'F', FAKE_FLASH, 100);
	pkg_area(&b->p, type, addr, len);
	pkg_area(&b->p, 'F', FAKE_FLASH + 0x8000, 100);
	assert_int_equal(pkg_seal(&b->p), 0);
	s = rig_install(&b->g, &b->p, 1024);
	assert_true(s.ok);
	if (s.result != result)
		print_message("area %c at 0x%08x, %u bytes\n", type, addr, len);
	assert_int_equal(s.result, result);
	if (result == PV_SI_OK) {
		assert_true(memcmp(at(&b->g, FAKE_FLASH), b->p.area[0].plain,
				100) == 0);
		return;
	}
	assert_int_equal(s.state, PV_SI_STATE_FAILED);
	assert_int_equal(s.index, 2);
	assert_erased(&b->g);
}

static void
test_area_rules(void **state)
{
	struct both *b = *state;
	uint32_t end = FAKE_FLASH + FAKE_FLASH_SIZE;

	try_area(b, 'F', FAKE_FLASH + 0x1000, 100, PV_SI_OK);
	try_area(b, 'F', end - 100, 100, PV_SI_OK);
	try_area(b, 'F', FAKE_FLASH + 112, 100, PV_SI_OK); /* same sector */
	/* 100 bytes fill seven units: 96..111 is the last of the first. */
	try_area(b, 'F', FAKE_FLASH + 111, 100, PV_SI_E_AREA_OVERLAP);
	try_area(b, 'F', FAKE_FLASH + 50, 10, PV_SI_E_AREA_OVERLAP);
	try_area(b, 'F', FAKE_ALIAS, 100, PV_SI_E_AREA_OVERLAP);
	try_area(b, 'F', FAKE_ALIAS + 0x3000, 100, PV_SI_OK);
	assert_memory_equal(
	    at(&b->g, FAKE_FLASH + 0x3000), b->p.area[1].plain, 100);
	try_area(b, 'F', end - 99, 100, PV_SI_E_AREA_RANGE);
	try_area(b, 'F', FAKE_FLASH - 16, 100, PV_SI_E_AREA_RANGE);
	try_area(b, 'F', FAKE_RAM + 0x400, 100, PV_SI_E_AREA_RANGE);
	try_area(b, 'F', 0xfffffff0U, 100, PV_SI_E_AREA_RANGE);
	try_area(b, 'F', FAKE_FLASH + 0x1000, 0, PV_SI_E_AREA_SIZE);
	try_area(b, 'E', 0x90000000U, 100, PV_SI_E_AREA_TYPE);
	try_area(b, 'P', 0, 10, PV_SI_E_AREA_RANGE);
	try_area(b, 'P', FAKE_FLASH, 33, PV_SI_E_AREA_SIZE);
	try_area(b, 'R', FAKE_FLASH, 0, PV_SI_E_AREA_ORDER);
	try_area(b, 'X', FAKE_FLASH + 0x1000, 100, PV_SI_E_AREA_TYPE);
	try_area(b, 'K', 0, 8, PV_SI_E_AREA_TYPE);
	try_area(b, 'M', FAKE_FLASH + 0x1000, 100, PV_SI_E_AREA_MODULE);
	try_area(b, 'C', 0, RIG_OPTIONS, PV_SI_E_AREA_ORDER); /* not last */
}

/* As the first area a letter that is not taken leaves flash as it was. */
static void
test_first_letter(void **state)
{
	static const struct {
		uint8_t type;
		uint16_t result;
	} letters[] = { { 'M', PV_SI_E_AREA_MODULE },
		{ 'E', PV_SI_E_AREA_TYPE }, { 'K', PV_SI_E_AREA_TYPE },
		{ 'P', PV_SI_E_AREA_SIZE }, { 'R', PV_SI_E_AREA_SIZE },
		{ 'X', PV_SI_E_AREA_TYPE } };
	struct both *b = *state;

	for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++) {
		rig_fill(&b->g);
		rig_power(&b->g);
		b->p.n = 0;
		pkg_area(&b->p, letters[i].type, FAKE_FLASH, 100);
		pkg_area(&b->p, 'F', FAKE_FLASH + 0x8000, 100);
		assert_int_equal(pkg_seal(&b->p), 0);
		expect_result(rig_install(&b->g, &b->p, 1024),
		    letters[i].result, PV_SI_STATE_IDLE);
		for (size_t k = 0; k < sizeof b->g.fake.flash; k++)
			assert_int_equal(b->g.fake.flash[k], 0x55);
		assert_forgotten(&b->g, &b->p);
	}
}

static void
test_huge_size(void **state)
{
	struct both *b = *state;

	/* Sizes that would wrap: nothing is begun. */
	for (uint32_t v = 0xffffff00U; v != 0; v += 16) {
		put32(b->p.area[0].header + 4, v);
		expect_result(rig_install(&b->g, &b->p, 1024),
		    PV_SI_E_AREA_RANGE, PV_SI_STATE_IDLE);
	}
	assert_untouched(&b->g);
}

static void
options_only(struct both *b, uint32_t addr, uint32_t len)
{
	rig_fill(&b->g);
	rig_power(&b->g);
	b->p.n = 0;
	pkg_area(&b->p, 'F', FAKE_FLASH, 100);
	pkg_area(&b->p, 'C', addr, len);
	assert_int_equal(pkg_seal(&b->p), 0);
}

static void
test_option_rules(void **state)
{
	struct both *b = *state;

	options_only(b, 0, RIG_OPTIONS - 4);
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_AREA_SIZE,
	    PV_SI_STATE_FAILED);
	options_only(b, 4, RIG_OPTIONS);
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_AREA_RANGE,
	    PV_SI_STATE_FAILED);
	options_only(b, 0, RIG_OPTIONS);
	b->g.refuse_options = true;
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_OPTIONS,
	    PV_SI_STATE_FAILED);
	b->g.refuse_options = false;
	assert_erased(&b->g);
	assert_false(b->g.options_set);
	/* A part that takes none. */
	options_only(b, 0, RIG_OPTIONS);
	b->g.agent_config.option_bytes = 0;
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_AREA_TYPE,
	    PV_SI_STATE_FAILED);
	b->g.agent_config.option_bytes = RIG_OPTIONS;
	options_only(b, 0, RIG_OPTIONS);
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(installed(&b->g, &b->p));
}

static void
test_too_many_areas(void **state)
{
	struct both *b = *state;

	/* Its header says it: before anything is erased. */
	b->p.header[10] = (PV_AGENT_AREAS + 1) & 0xff;
	b->p.header[11] = (PV_AGENT_AREAS + 1) >> 8;
	assert_int_equal(
	    rig_seal(0, b->p.header, 12, NULL, NULL, 0, b->p.header + 12), 0);
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_AREA_COUNT,
	    PV_SI_STATE_IDLE);
	assert_untouched(&b->g);
	/* More stretches of memory than the note holds. */
	b->p.n = 0;
	for (uint32_t i = 0; i < PV_AGENT_PLACES + 1; i++)
		pkg_area(&b->p, 'F', FAKE_FLASH + i * 64, 33);
	assert_int_equal(pkg_seal(&b->p), 0);
	expect_result(rig_install(&b->g, &b->p, 1024), PV_SI_E_AREA_COUNT,
	    PV_SI_STATE_FAILED);
	assert_erased(&b->g);
	rig_fill(&b->g);
	rig_power(&b->g);
	b->p.n = PV_AGENT_PLACES;
	assert_int_equal(pkg_seal(&b->p), 0);
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(installed(&b->g, &b->p));
}

/* --- order ------------------------------------------------------------------------------- */

static void
test_sequence(void **state)
{
	struct both *b = *state;
	static const struct {
		uint8_t in;
		uint16_t sub;
	} bad[] = {
		{ PV_SI_STATE_IDLE, PV_SI_HEADER },
		{ PV_SI_STATE_IDLE, PV_SI_AREA_BEGIN },
		{ PV_SI_STATE_IDLE, PV_SI_AREA_DATA },
		{ PV_SI_STATE_IDLE, PV_SI_AREA_END },
		{ PV_SI_STATE_IDLE, PV_SI_FINISH },
		{ PV_SI_STATE_LICENSED, PV_SI_LICENSE },
		{ PV_SI_STATE_LICENSED, PV_SI_AREA_BEGIN },
		{ PV_SI_STATE_LICENSED, PV_SI_AREA_DATA },
		{ PV_SI_STATE_LICENSED, PV_SI_AREA_END },
		{ PV_SI_STATE_LICENSED, PV_SI_FINISH },
		{ PV_SI_STATE_READY, PV_SI_LICENSE },
		{ PV_SI_STATE_READY, PV_SI_HEADER },
		{ PV_SI_STATE_READY, PV_SI_AREA_DATA },
		{ PV_SI_STATE_READY, PV_SI_AREA_END },
		{ PV_SI_STATE_AREA, PV_SI_LICENSE },
		{ PV_SI_STATE_AREA, PV_SI_HEADER },
		{ PV_SI_STATE_AREA, PV_SI_AREA_BEGIN },
		{ PV_SI_STATE_AREA, PV_SI_FINISH },
	};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		to_state(b, bad[i].in);
		expect_result(command(b, bad[i].sub), PV_SI_E_SEQUENCE,
		    bad[i].in == PV_SI_STATE_AREA ? PV_SI_STATE_FAILED
						  : PV_SI_STATE_IDLE);
		assert_clean(&b->g);
		assert_forgotten(&b->g, &b->p);
	}
	/* Info, certificate and status disturb nothing. */
	to_state(b, PV_SI_STATE_AREA);
	expect_result(command(b, PV_SI_INFO), PV_SI_OK, PV_SI_STATE_AREA);
	expect_result(command(b, PV_SI_STATUS), PV_SI_OK, PV_SI_STATE_AREA);
	/* Finish before the last area. */
	to_state(b, PV_SI_STATE_READY);
	expect_result(
	    rig_area(&b->g, &b->p, 0, 1024), PV_SI_OK, PV_SI_STATE_READY);
	expect_result(
	    command(b, PV_SI_FINISH), PV_SI_E_INCOMPLETE, PV_SI_STATE_FAILED);
	assert_clean(&b->g);
	/* Subcommands that do not exist are refused in the framing. */
	assert_false(rig_special(&b->g, 0x5099, NULL, 0, NULL, 0).ok);
	assert_false(rig_special(&b->g, 0x5100, NULL, 0, NULL, 0).ok);
}

static void
test_area_order(void **state)
{
	struct both *b = *state;
	uint8_t two[2] = { 2, 0 };

	to_state(b, PV_SI_STATE_READY);
	expect_result(rig_area(&b->g, &b->p, 1, 1024), PV_SI_E_AREA_ORDER,
	    PV_SI_STATE_IDLE);
	assert_untouched(&b->g);
	to_state(b, PV_SI_STATE_AREA); /* 100 bytes are there */
	expect_result(rig_data(&b->g, 1, 101, b->p.area[0].data + 101, 50),
	    PV_SI_E_AREA_ORDER, PV_SI_STATE_FAILED);
	assert_clean(&b->g);
	to_state(b, PV_SI_STATE_AREA);
	expect_result(rig_data(&b->g, 2, 100, b->p.area[0].data + 100, 50),
	    PV_SI_E_AREA_ORDER, PV_SI_STATE_FAILED);
	to_state(b, PV_SI_STATE_AREA);
	expect_result(rig_special(&b->g, PV_SI_AREA_END, two, 2, NULL, 0),
	    PV_SI_E_AREA_ORDER, PV_SI_STATE_FAILED);
	/* The area ends early, or goes on too long. */
	to_state(b, PV_SI_STATE_AREA);
	expect_result(
	    command(b, PV_SI_AREA_END), PV_SI_E_AREA_SIZE, PV_SI_STATE_FAILED);
	to_state(b, PV_SI_STATE_AREA);
	for (uint32_t off = 100; off < 2900; off += 700)
		expect_result(
		    rig_data(&b->g, 1, off, b->p.area[0].data + off, 700),
		    PV_SI_OK, PV_SI_STATE_AREA);
	expect_result(rig_data(&b->g, 1, 2900, b->p.area[0].data, 101),
	    PV_SI_E_AREA_SIZE, PV_SI_STATE_FAILED);
	assert_clean(&b->g);
	to_state(b, PV_SI_STATE_AREA);
	expect_result(rig_data(&b->g, 1, 100, NULL, 0), PV_SI_E_LENGTH,
	    PV_SI_STATE_FAILED);
}

static void
test_abort(void **state)
{
	struct both *b = *state;

	for (uint8_t s = PV_SI_STATE_IDLE; s <= PV_SI_STATE_AREA; s++) {
		to_state(b, s);
		expect_result(command(b, PV_SI_ABORT), PV_SI_OK,
		    s == PV_SI_STATE_AREA ? PV_SI_STATE_FAILED
					  : PV_SI_STATE_IDLE);
		assert_clean(&b->g);
		assert_forgotten(&b->g, &b->p);
	}
	expect_result(
	    rig_install(&b->g, &b->p, 1024), PV_SI_OK, PV_SI_STATE_DONE);
	assert_true(installed(&b->g, &b->p));
}

/* --- the IV --------------------------------------------------------------------------------------- */

static void
test_iv(void **state)
{
	static const struct {
		enum pv_agent_iv_add rule;
		const char *nonce;
		uint16_t index;
		const char *iv;
	} rows[] = {
		{ PV_AGENT_IV_BE96, "4e4f4e43455f544553543031", 1,
		    "4e4f4e43455f544553543032" },
		{ PV_AGENT_IV_LE32_HI, "4e4f4e43455f544553543031", 1,
		    "4e4f4e43455f544554543031" },
		{ PV_AGENT_IV_LE32_LO, "4e4f4e43455f544553543031", 1,
		    "4f4f4e43455f544553543031" },
		{ PV_AGENT_IV_BE96, "4e4f4e43455f544553543031", 256,
		    "4e4f4e43455f544553543131" },
		{ PV_AGENT_IV_LE32_HI, "4e4f4e43455f544553543031", 256,
		    "4e4f4e43455f544553553031" },
		{ PV_AGENT_IV_LE32_LO, "4e4f4e43455f544553543031", 256,
		    "4e504e43455f544553543031" },
		{ PV_AGENT_IV_BE96, "ffffffffffffffffffffffff", 1,
		    "000000000000000000000000" },
		{ PV_AGENT_IV_LE32_HI, "ffffffffffffffffffffffff", 1,
		    "ffffffffffffffff00000000" },
		{ PV_AGENT_IV_LE32_LO, "ffffffffffffffffffffffff", 1,
		    "00000000ffffffffffffffff" },
		{ PV_AGENT_IV_BE96, "4e4f4e43455f544553543031", 0,
		    "4e4f4e43455f544553543031" },
	};
	uint8_t nonce[12], iv[12], want[12];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(
		    pv_hex_decode(rows[i].nonce, nonce, 12, NULL), 0);
		assert_int_equal(pv_hex_decode(rows[i].iv, want, 12, NULL), 0);
		pv_dev_sfi_iv(rows[i].rule, nonce, rows[i].index, iv);
		assert_memory_equal(iv, want, 12);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_install),
		T(test_held_back),
		T(test_info),
		T(test_report),
		T(test_repeats),
		T(test_license_refused),
		T(test_license_bits),
		T(test_license_vector),
		T(test_header_bits),
		T(test_area_bits),
		T(test_area_bits_over_image),
		T(test_payload_bits),
		T(test_area_rules),
		T(test_first_letter),
		T(test_huge_size),
		T(test_option_rules),
		T(test_too_many_areas),
		T(test_sequence),
		T(test_area_order),
		T(test_abort),
		cmocka_unit_test(test_iv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
