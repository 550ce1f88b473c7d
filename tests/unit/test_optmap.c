/* SPDX-License-Identifier: Apache-2.0 */
/* What option words mean: the maps of share/chips/options. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/file.h"
#include "formats/options_csv.h"
#include "package/optmap.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pv_optmap *
load(const char *path, int want, struct pv_error *e)
{
	struct pv_optmap *m = NULL;
	uint8_t *text = NULL;
	size_t len = 0;

	assert_int_equal(pv_file_read(path, 65536, &text, &len, e), 0);
	assert_int_equal(pv_optmap_parse((char *)text, len, &m, e), want);
	free(text);
	return m;
}

/* The setting of one field, found by name. */
struct want {
	const char *field;
	struct pv_opt_setting got;
	unsigned int n;
};

static int
find(void *ctx, const struct pv_opt_setting *s, struct pv_error *e)
{
	struct want *w = ctx;

	(void)e;
	if (strcmp(s->field, w->field) == 0) {
		w->got = *s;
		w->n++;
	}
	return 0;
}

static struct pv_opt_setting
setting(
    const struct pv_optmap *m, size_t row, uint32_t value, const char *field)
{
	uint32_t words[12] = { 0x2D3017F8, 0xB400007C, 0x080000C3, 0x0C0000C3 };
	struct want w = { .field = field };
	struct pv_error e;

	words[row] = value;
	assert_int_equal(
	    pv_optmap_explain(m, words, pv_optmap_rows(m), find, &w, &e), 0);
	assert_int_equal(w.n, 1);
	return w.got;
}

static void
test_h5(void **state)
{
	struct pv_opt_setting s;
	struct pv_error e;
	struct pv_optmap *m = load("share/chips/options/stm32h5.json", 0, &e);

	(void)state;
	assert_int_equal(pv_optmap_rows(m), 12);
	assert_true(pv_optmap_is_for(m, 0x484));
	assert_false(pv_optmap_is_for(m, 0x450));
	s = setting(m, 0, 0x2D305CF8, "PRODUCT_STATE");
	assert_int_equal(s.effect, PV_OPT_IRREVERSIBLE);
	assert_string_equal(s.text, "locked");
	s = setting(m, 0, 0x2D3072F8, "PRODUCT_STATE");
	assert_int_equal(s.effect, PV_OPT_WARN);
	s = setting(m, 0, 0x2D3017F8, "BOOT_UBE");
	assert_int_equal(s.value, 0xB4);
	s = setting(m, 1, 0x5500007C, "TZEN");
	assert_int_equal(s.effect, PV_OPT_WARN);
	s = setting(m, 3, 0x0C0000B4, "SECBOOT_LOCK");
	assert_int_equal(s.effect, PV_OPT_IRREVERSIBLE);
	s = setting(m, 3, 0x0C0000B4, "SECBOOTADD");
	assert_string_equal(s.text, "address 0x0c000000");
	s = setting(m, 4, 0x001F0003, "SECWM1");
	assert_string_equal(s.text, "secure sectors of bank 1: 3..31");
	s = setting(m, 4, 0x00000001, "SECWM1");
	assert_string_equal(s.text, "secure sectors of bank 1: none");
	s = setting(m, 4, 0x00000080, "reserved bits");
	assert_string_equal(s.text, "0x00000080 where 0x00000000 belongs");
	assert_int_equal(s.effect, PV_OPT_WARN);
	s = setting(m, 6, 0xFFFFFFFC, "WRPSG1");
	assert_non_null(strstr(s.text, "bank 1: 2 of 32"));
	pv_optmap_free(m);
}

static void
test_h7(void **state)
{
	uint32_t words[9] = { 0x1BF6CCF0, 0xFF, 0xFF, 0x82030000, 0xFFF, 0xFF,
		0xFE, 0x08000800, 0 };
	struct want w = { .field = "RDP" };
	struct pv_error e;
	struct pv_optmap *m = load("share/chips/options/stm32h7.json", 0, &e);

	(void)state;
	assert_int_equal(pv_optmap_explain(m, words, 9, find, &w, &e), 0);
	assert_int_equal(w.got.effect, PV_OPT_IRREVERSIBLE);
	words[0] = 0x1BF6BBF0;
	assert_int_equal(pv_optmap_explain(m, words, 9, find, &w, &e), 0);
	assert_string_equal(w.got.text, "level 1");
	assert_int_equal(w.got.effect, PV_OPT_PLAIN);
	assert_int_equal(
	    pv_optmap_explain(m, words, 8, find, &w, &e), PV_E_MALFORMED);
	pv_optmap_free(m);
}

static int
check(const char *text, struct pv_error *e)
{
	struct pv_optmap *m = load("share/chips/options/stm32h7.json", 0, e);
	struct pv_optcsv csv;
	int r;

	assert_int_equal(pv_optcsv_decode(text, strlen(text), &csv, e), 0);
	r = pv_optmap_check(m, &csv, e);
	pv_optmap_free(m);
	return r;
}

static void
test_names(void **state)
{
	struct pv_error e = { 0 };

	(void)state;
	/* the last row has two names; unknown labels are labels */
	assert_int_equal(check("FOPTSR_PRG,0\nFPRAR_PRG_A,0\nFPRAR_PRG_B,0\n"
			       "x,0\ny,0\nz,0\nw,0\nFBOOT7_PRG,0\nRFU,0\n",
			     &e),
	    0);
	assert_int_equal(check("FOPTSR_PRG,0\nFPRAR_PRG_A,0\nFPRAR_PRG_A,0\n"
			       "x,0\ny,0\nz,0\nw,0\nFBOOT7_PRG,0\nRFU,0\n",
			     &e),
	    PV_E_MALFORMED);
	assert_non_null(strstr(
	    e.msg, "line 3: 'FPRAR_PRG_A' again, it is on line 2 already"));
	assert_int_equal(check("FOPTSR_PRG,0\nFPRAR_PRG_B,0\nFPRAR_PRG_A,0\n"
			       "x,0\ny,0\nz,0\nw,0\nFBOOT7_PRG,0\nRFU,0\n",
			     &e),
	    PV_E_MALFORMED);
	assert_non_null(strstr(
	    e.msg, "line 2: 'FPRAR_PRG_B' stands where 'FPRAR_PRG_A' belongs"));
	assert_int_equal(check("FOPTSR_PRG,0\n", &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "'FPRAR_PRG_A' is missing"));
}

/* One file for each rule of a map. */
static void
test_corrupt(void **state)
{
	static const char dir[] = "fixtures/corrupt/optmap";
	DIR *d = opendir(dir);
	struct dirent *de;
	unsigned int n = 0;

	(void)state;
	assert_non_null(d);
	while ((de = readdir(d)) != NULL) {
		struct pv_error e = { 0 };
		char path[512];
		bool good = strcmp(de->d_name, "good.json") == 0;

		if (de->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		pv_optmap_free(load(path, good ? 0 : PV_E_MALFORMED, &e));
		assert_true(good || e.msg[0] != '\0');
		n++;
	}
	(void)closedir(d);
	assert_int_equal(n, 19);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_h5),
		cmocka_unit_test(test_h7),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
