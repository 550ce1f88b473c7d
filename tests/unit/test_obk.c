/* SPDX-License-Identifier: Apache-2.0 */
/* OB-key files, and names of personalization packages. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "formats/obk.h"
#include "formats/perso_name.h"

#include <stdlib.h>
#include <string.h>

/* The first 44 bytes of STiRoT_Data.obk in ST's STM32CubeH5. */
static const uint8_t example[44] = { 0x00, 0x04, 0xfd, 0x0f, 0x60, 0, 0, 0,
	0x01, 0, 0, 0, 0xf5, 0xa5, 0xfd, 0x42, 0xd1, 0x6a, 0x20, 0x30, 0x27,
	0x98, 0xef, 0x6e, 0xd3, 0x09, 0x97, 0x9b, 0x43, 0x00, 0x3d, 0x23, 0x20,
	0xd9, 0xf0, 0xe8, 0xea, 0x98, 0x31, 0xa9, 0x27, 0x59, 0xfb, 0x4b };

static void
test_obk(void **state)
{
	uint8_t *data = NULL, again[128], digest[32];
	struct pv_part part;
	struct pv_error e;
	struct pv_obk o;
	size_t len = 0, room = sizeof(again);

	(void)state;
	assert_int_equal(pv_file_read("fixtures/golden/obk/stirot-data.obk",
			     PV_OBK_MAX, &data, &len, &e),
	    0);
	assert_int_equal(len, 108);
	assert_memory_equal(data, example, sizeof(example));
	assert_true(pv_obk_detect(data, len, len));
	assert_int_equal(pv_obk_decode(data, len, &o, &e), 0);
	assert_int_equal(o.address, 0x0FFD0400);
	assert_true(o.encrypt);
	assert_int_equal(o.data_len, 64);
	part.data = o.data;
	part.len = o.data_len;
	assert_int_equal(pv_sha256(&part, 1, digest, &e), 0);
	assert_memory_equal(digest, o.hash, 32);
	assert_true(o.has_hash);
	assert_int_equal(pv_obk_validate(&o, &e), 0);
	assert_string_equal(
	    pv_obk_place(o.address, o.length)->name, "STiRoT data");
	assert_null(pv_obk_place(0x0FFD0104, 0x60));
	/* One destination, two objects. */
	assert_string_equal(
	    pv_obk_place(0x108, 0xE0)->name, "OEMiRoT configuration");
	assert_string_equal(
	    pv_obk_place(0x108, 0x100)->name, "STiRoT configuration");
	assert_int_equal(pv_obk_encode(&o, again, &room, &e), 0);
	assert_int_equal(room, len);
	assert_memory_equal(again, data, len);
	room = 107;
	assert_int_equal(pv_obk_encode(&o, again, &room, &e), PV_E_USAGE);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(
		    pv_obk_decode(data, i, &o, &e), PV_E_MALFORMED);
	free(data);
}

static void
test_names(void **state)
{
	struct pv_perso_name n;
	struct pv_error e;

	(void)state;
	assert_int_equal(pv_perso_name_decode(
			     "47201003_SFI._01000000_00000000.enc.bin", &n, &e),
	    0);
	assert_string_equal(n.family, "");
	assert_string_equal(n.product_id, "47201003");
	assert_string_equal(n.flow, "SFI.");
	assert_int_equal(n.license_version, 1);
	assert_int_equal(n.security_version, 0);
	assert_int_equal(
	    pv_perso_name_decode(
		"STM32WL_49701005_SFI._01000000_00000000.enc.bin", &n, &e),
	    0);
	assert_string_equal(n.family, "STM32WL");
	assert_int_equal(
	    pv_perso_name_decode(
		"STM32MP1_5000200A_SSP_01000000_00000000.enc.bin", &n, &e),
	    0);
	assert_string_equal(n.flow, "SSP");
	assert_string_equal(n.product_id, "5000200A");
	assert_int_equal(
	    pv_perso_name_decode(
		"Perso_Data_STM32U375_U385_45403017_SFI._v2.0.1.bin", &n, &e),
	    0);
	assert_string_equal(n.family, "STM32U375_U385");
	assert_string_equal(n.version, "2.0.1");
	assert_false(n.has_versions);
}

static void
test_bad_names(void **state)
{
	static const char *const names[] = { "", ".enc.bin", "a.enc.bin",
		"47201003_SFI._01000000.enc.bin",
		"4720100_SFI._01000000_00000000.enc.bin",
		"4720100x_SFI._01000000_00000000.enc.bin",
		"47201003_SF_01000000_00000000.enc.bin",
		"47201003_SFI.._01000000_00000000.enc.bin",
		"47201003_sfi._01000000_00000000.enc.bin",
		"47201003_SFI._0100000_00000000.enc.bin",
		"47201003_SFI._01000000_0000000x.enc.bin",
		"47201003_SFI._01000000_00000000.bin",
		"Perso_Data_X_45403017_SFI._2.0.1.bin",
		"Perso_Data_X_45403017_SFI._v.bin",
		"Perso_Data_X_45403017_SFI._vx.bin",
		"_______________________________.enc.bin" };
	struct pv_perso_name n;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(
		    pv_perso_name_decode(names[i], &n, &e), PV_E_MALFORMED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_obk),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
