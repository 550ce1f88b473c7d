/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of secrets, batches, and the words they make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "package/ssp_secrets.h"

#define HEAD "{\"provisor_secrets\":1,\"fields\":["
#define ONE  "{\"name\":\"a\",\"hex\":\"01020304\"}"

static int
parse(const char *text, struct pv_secrets *s, struct pv_error *e)
{
	int r;

	memset(s, 0, sizeof(*s));
	memset(e, 0, sizeof(*e));
	r = pv_secrets_parse(text, strlen(text), s, e);
	return r == 0 ? pv_secrets_place("fixtures/secrets", s, e) : r;
}

static void
append(char *dst, size_t cap, const char *more)
{
	size_t n = strlen(dst);

	(void)snprintf(dst + n, cap - n, "%s", more);
}

/* --- what is refused ----------------------------------------------------------- */

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *says;
		int code;
	} bad[] = {
		{ "", "not JSON", PV_E_MALFORMED },
		{ "[]", "provisor_secrets", PV_E_MALFORMED },
		{ "{\"fields\":[]}", "provisor_secrets", PV_E_MALFORMED },
		{ "{\"provisor_secrets\":2,\"fields\":[" ONE "]}",
		    "'provisor_secrets' is 2, this program knows 1",
		    PV_E_UNSUPPORTED },
		{ "{\"provisor_secrets\":1}", "'fields' is no list",
		    PV_E_MALFORMED },
		{ HEAD "]}", "'fields' is no list, or empty", PV_E_MALFORMED },
		{ "{\"provisor_secrets\":1,\"x\":0,\"fields\":[" ONE "]}",
		    "member 'x' is not known", PV_E_MALFORMED },
		{ "{\"provisor_secrets\":1,\"chip\":\"h5\",\"fields\":[" ONE
		  "]}",
		    "'chip' is 'stm32mp15' or", PV_E_MALFORMED },
		{ HEAD "{\"hex\":\"00\"}]}", "name", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"\",\"hex\":\"00\"}]}",
		    "'name' has 0 characters", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\\n\",\"hex\":\"00\"}]}",
		    "control character", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\\u0000b\",\"hex\":\"00\"}]}", "\\u0000",
		    PV_E_MALFORMED },
		{ HEAD ONE "," ONE "]}", "two fields 'a'", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"01\",\"value\":1}]}",
		    "member 'value' is not known", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\"}]}", "none of 'hex'", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"01\",\"file\":\"f\"}]}",
		    "more than one of 'hex'", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"012\"}]}",
		    "whole number of bytes", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"0g\"}]}",
		    "whole number of bytes", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"\"}]}",
		    "whole number of bytes", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":7}]}", "hex", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"0102\",\"size\":3}]}",
		    "'size' is 3, but 'hex' has 2 bytes", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"word\":58,\"hex\":\"01\"}]}",
		    "'word' is 59 to 95", PV_E_RANGE },
		{ HEAD "{\"name\":\"a\",\"word\":0,\"hex\":\"01\"}]}",
		    "'word' is 59 to 95", PV_E_RANGE },
		{ HEAD "{\"name\":\"a\",\"word\":96,\"hex\":\"01\"}]}",
		    "'word' is 59 to 95", PV_E_RANGE },
		{ HEAD "{\"name\":\"a\",\"word\":95,\"hex\":\"0102030405\"}]}",
		    "5 bytes from OTP word 95 end behind word 95", PV_E_RANGE },
		{ HEAD "{\"name\":\"a\",\"random\":\"pkcs11:token=x\"}]}",
		    "'size' is missing", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"size\":4,\"random\":\"urandom\"}]}",
		    "a pkcs11: URI", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"size\":149,\"column\":\"c\"}]}",
		    "'size' is 1 to 148", PV_E_RANGE },
		{ HEAD "{\"name\":\"a\",\"size\":0,\"column\":\"c\"}]}",
		    "'size' is 1 to 148", PV_E_RANGE },
		{ HEAD "{\"name\":\"a\",\"hex\":\"01\",\"encoding\":\"text\"}"
		       "]}",
		    "'encoding' is for a 'column'", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"01020304\",\"order\":"
		       "\"BIG\"}]}",
		    "'order' is 'little' or 'big'", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"hex\":\"010203\",\"order\":\"big\"}"
		       "]}",
		    "order 'big' needs a multiple of 4", PV_E_MALFORMED },
		{ HEAD "{\"name\":\"a\",\"word\":61,\"hex\":\"01\"},{\"name\":"
		       "\"b\",\"word\":60,\"hex\":\"0102030405\"}]}",
		    "'a' and 'b' both claim OTP word 61", PV_E_OVERLAP },
		{ HEAD "{\"name\":\"a\",\"file\":\"none\"}]}", "opening",
		    PV_E_NOT_FOUND },
		{ HEAD "{\"name\":\"a\",\"file\":\"149.bin\"}]}",
		    "holds 149 bytes, OTP words 59 to 95 hold 148",
		    PV_E_RANGE },
		{ HEAD "{\"name\":\"a\",\"file\":\"16.bin\",\"size\":12}]}",
		    "'size' is 12, but", PV_E_MALFORMED },
		{ "{\"provisor_secrets\":1,\"rma_unlock\":{\"x\":1},"
		  "\"fields\":[" ONE "]}",
		    "'rma_unlock': member 'x'", PV_E_MALFORMED },
		{ "{\"provisor_secrets\":1,\"rma_relock\":\"many\","
		  "\"fields\":[" ONE "]}",
		    "'rma_relock'", PV_E_MALFORMED },
	};
	struct pv_secrets s;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = parse(bad[i].text, &s, &e);

		if (r != bad[i].code || strstr(e.msg, bad[i].says) == NULL)
			fail_msg("%s: %d '%s'", bad[i].text, r, e.msg);
		pv_secrets_release(&s);
	}
}

/* More fields than words. */
static void
test_many_fields(void **state)
{
	char text[4096] = HEAD, one[64];
	struct pv_secrets s;
	struct pv_error e;

	(void)state;
	for (int i = 0; i < 38; i++) {
		(void)snprintf(one, sizeof(one),
		    "%s{\"name\":\"f%d\","
		    "\"hex\":\"01\"}",
		    i == 0 ? "" : ",", i);
		append(text, sizeof(text), one);
	}
	append(text, sizeof(text), "]}");
	assert_int_equal(parse(text, &s, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "38 members, there are 37 words"));
	pv_secrets_release(&s);
}

/* --- raw files ------------------------------------------------------------------ */

static void
test_raw(void **state)
{
	struct pv_secrets_io io = { 0 };
	struct pv_secrets_map m;
	struct pv_error e = { 0 };
	struct pv_secrets s;

	(void)state;
	assert_int_equal(pv_secrets_load("fixtures/secrets/16.bin", &s, &e), 0);
	assert_false(s.described);
	assert_int_equal(pv_secrets_map(&s, &io, &m, &e), 0);
	assert_int_equal(m.n, 4);
	/* A size of one's own, larger only. */
	io.size = 152;
	assert_int_equal(pv_secrets_map(&s, &io, &m, &e), 0);
	assert_int_equal(m.n, 37);
	assert_true(m.words[36].zero);
	assert_null(m.words[36].field);
	io.size = 16;
	assert_int_equal(pv_secrets_map(&s, &io, &m, &e), PV_E_RANGE);
	assert_non_null(strstr(e.msg, "16 bytes are to be sealed"));
	pv_secrets_release(&s);
	assert_int_equal(
	    pv_secrets_load("fixtures/secrets/149.bin", &s, &e), PV_E_RANGE);
	assert_non_null(strstr(e.msg, "holds 149 bytes"));
	pv_secrets_release(&s);
	assert_int_equal(pv_secrets_load("fixtures/secrets/unnamed", &s, &e),
	    PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "not named .json"));
	pv_secrets_release(&s);
	assert_int_equal(pv_secrets_load("/dev/null", &s, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "is empty"));
	pv_secrets_release(&s);
}

/* --- tables ----------------------------------------------------------------------- */

static int
table(const char *text, struct pv_table **ret_t, struct pv_error *e)
{
	struct pv_secret *s = NULL;

	memset(e, 0, sizeof(*e));
	*ret_t = NULL;
	assert_int_equal(pv_secret_new(strlen(text), &s, NULL), 0);
	memcpy(pv_secret_data(s), text, strlen(text));
	return pv_table_parse(s, ret_t, e);
}

static void
test_tables(void **state)
{
	static const char *const same[] = {
		"name,key,note\nsn1,0102,a\nsn2,0304,\"b,\"\"c\"\"\"\n",
		"\xef\xbb\xbf\"name\",key,note\r\n\r\nsn1,0102,a\r\nsn2,0304,"
		"\"b,\"\"c\"\"\"",
		"{\"name\":\"sn1\",\"key\":\"0102\",\"note\":\"a\"}\n"
		"{\"note\":\"b,\\\"c\\\"\",\"key\":\"0304\",\"name\":\"sn2\"}",
	};
	struct pv_error e;
	struct pv_table *t;
	size_t key = 9, note = 9;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		if (table(same[i], &t, &e) != 0)
			fail_msg("%zu: %s", i, e.msg);
		assert_int_equal(pv_table_rows(t), 2);
		assert_string_equal(pv_table_name(t, 0), "sn1");
		assert_string_equal(pv_table_name(t, 1), "sn2");
		assert_true(pv_table_column(t, "key", &key));
		assert_true(pv_table_column(t, "note", &note));
		assert_false(pv_table_column(t, "Key", &note));
		assert_string_equal(pv_table_cell(t, 0, key), "0102");
		assert_string_equal(pv_table_cell(t, 1, key), "0304");
		assert_string_equal(pv_table_cell(t, 1, note), "b,\"c\"");
		assert_int_equal(pv_table_line(t, 1), i == 0   ? 3
						      : i == 1 ? 4
							       : 2);
		pv_table_free(t);
	}
	/* Empty values and one column. */
	assert_int_equal(table("a,name,b\n,x,\n", &t, &e), 0);
	assert_string_equal(pv_table_cell(t, 0, 0), "");
	assert_string_equal(pv_table_cell(t, 0, 2), "");
	pv_table_free(t);
	assert_int_equal(table("name\nx", &t, &e), 0);
	assert_string_equal(pv_table_name(t, 0), "x");
	pv_table_free(t);
}

static void
test_bad_tables(void **state)
{
	static const struct {
		const char *text, *says;
	} bad[] = {
		{ "\n\n", "no devices" },
		{ "name\n", "no devices" },
		{ "serial\nx\n", "line 1: no column 'name'" },
		{ "name,a,a\nx,1,2\n", "columns 2 and 3 have the same name" },
		{ "name,\nx,1\n", "column 2 has no name" },
		{ "name,a\nx\n", "line 2: 1 values for 2 columns" },
		{ "name,a\nx,1,2\n", "line 2: 3 values for 2 columns" },
		{ "name,a\nx,\"1\n", "line 2: a quote is not closed" },
		{ "name,a\nx,\"1\"2\n", "line 2: text after a closing quote" },
		{ "name,a\nx,1\"2\n", "line 2: a quote inside a value" },
		{ "name\nx\ny\nx\n", "lines 2 and 4 have the same name" },
		{ "name\n../x\n", "line 2: the name of a device" },
		{ "name\n.x\n", "line 2: the name of a device" },
		{ "name\n.x\ny\nz\n", "line 2: the name of a device" },
		{ "name\n-x\n", "line 2: the name of a device" },
		{ "name,a\n,1\n", "line 2: the name of a device" },
		{ "name\n0123456789012345678901234567890123456789012345678901"
		  "2345678901234\n",
		    "line 2: the name of a device" },
		{ "{\"name\":\"x\"}\nname\n", "line 2: not JSON" },
		{ "{\"name\":\"x\"", "line 1: not JSON" },
		{ "{\"name\":\"x\",\"name\":\"y\"}\n", "appears twice" },
		{ "{\"name\":\"x\"}\n[]\n", "line 2: not a JSON object" },
		{ "{\"name\":\"x\",\"a\":1}\n", "line 1: 'a' is missing or" },
		{ "{\"name\":\"x\",\"a\":\"1\"}\n{\"name\":\"y\"}\n",
		    "line 2: 1 members, the first line has 2" },
		{ "{\"name\":\"x\",\"a\":\"1\"}\n{\"name\":\"y\",\"b\":\"\"}\n",
		    "line 2: 'a' is missing or no text" },
		{ "{\"name\":\"x\\u0000\"}\n", "\\u0000" },
	};
	char wide[400] = "name";
	struct pv_secret *s = NULL;
	struct pv_table *t;
	struct pv_error e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r = table(bad[i].text, &t, &e);

		if (r != PV_E_MALFORMED || strstr(e.msg, bad[i].says) == NULL)
			fail_msg("'%s': %d '%s'", bad[i].text, r, e.msg);
		assert_null(t);
	}
	for (int i = 0; i < 64; i++)
		append(wide, sizeof(wide), ",a");
	assert_int_equal(table(wide, &t, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "more than 64 columns"));
	assert_int_equal(pv_secret_new(6, &s, NULL), 0);
	memcpy(pv_secret_data(s), "name\n", 5);
	assert_int_equal(pv_table_parse(s, &t, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "a zero byte"));
}

/* --- filling -------------------------------------------------------------------- */

/* Random that counts, and gives a zero word first where it is told to. */
struct counter {
	unsigned int calls, zeros;
	const char *uri;
};

static int
counted(
    void *ctx, const char *uri, uint8_t *data, size_t len, struct pv_error *e)
{
	struct counter *c = ctx;

	(void)e;
	c->calls++;
	c->uri = uri;
	memset(data, (int)c->calls, len);
	if (c->zeros > 0) {
		c->zeros--;
		memset(data, 0, 4);
	}
	return 0;
}

static const char described[] =
    "{\"provisor_secrets\":1,\"chip\":\"stm32mp13\","
    "\"rma_unlock\":\"0x312\",\"rma_relock\":{\"column\":\"relock\"},"
    "\"fields\":["
    "{\"name\":\"plain\",\"hex\":\"000102030405\"},"
    "{\"name\":\"file\",\"file\":\"16.bin\",\"order\":\"big\"},"
    "{\"name\":\"far\",\"word\":70,\"size\":8,\"column\":\"key\"},"
    "{\"name\":\"serial\",\"word\":72,\"size\":7,\"column\":\"serial\","
    "\"encoding\":\"text\"},"
    "{\"name\":\"own\",\"size\":10,\"random\":\"pkcs11:token=t\"}]}";

static void
test_fill(void **state)
{
	struct counter c = { .zeros = 2 };
	struct pv_secrets_io io = { .random = counted, .ctx = &c, .row = 1 };
	struct pv_secret *plain = NULL, *again = NULL;
	struct pv_secrets_map m;
	struct pv_secrets s;
	struct pv_table *t;
	struct pv_error e;
	size_t n = 0;
	const uint8_t *p;

	(void)state;
	assert_int_equal(parse(described, &s, &e), 0);
	assert_true(s.has_chip && s.chip == PV_SSP_MP13);
	assert_true(pv_secrets_per_device(&s));
	assert_int_equal(table("name,key,serial,relock\n"
			       "a,1122334455667788,A1,0xeca\n"
			       "b,0000000055667788,B200000,3786\n",
			     &t, &e),
	    0);
	/* Without the batch the map is there, the secrets are not. */
	assert_int_equal(pv_secrets_map(&s, &io, &m, &e), 0);
	assert_false(m.words[11].known);
	assert_int_equal(pv_secrets_fill(&s, &io, &plain, &m, &e), PV_E_USAGE);
	assert_non_null(strstr(e.hint, "--batch"));
	io.table = t;
	assert_int_equal(pv_secrets_map(&s, &io, &m, &e), 0);
	assert_int_equal(c.calls, 0);
	assert_true(m.words[11].known && m.words[11].zero);
	assert_false(m.words[15].known);
	assert_int_equal(pv_secrets_fill(&s, &io, &plain, &m, &e), 0);
	assert_string_equal(c.uri, "pkcs11:token=t");
	/* A zero word of random was drawn again, twice. */
	assert_int_equal(c.calls, 3);
	assert_int_equal(m.n, 18);
	assert_int_equal(pv_secret_len(plain), 76);
	p = pv_secret_bytes(plain);
	assert_int_equal(pv_get_u32le(p), 0x07650312);
	assert_int_equal(pv_get_u32be(p + 4), 0x00010203);
	assert_int_equal(pv_get_u32be(p + 8), 0x04050000);
	/* 16.bin is 10..1f; the first byte of each word goes on top. */
	assert_int_equal(pv_get_u32le(p + 12), 0x10111213);
	assert_int_equal(pv_get_u32le(p + 24), 0x1c1d1e1f);
	assert_int_equal(pv_get_u32le(p + 28), 0);
	assert_null(m.words[6].field);
	assert_int_equal(pv_get_u32be(p + 4 + 44), 0);
	assert_int_equal(pv_get_u32be(p + 4 + 48), 0x55667788);
	assert_memory_equal(p + 4 + 52, "B200000", 8);
	assert_int_equal(pv_get_u32be(p + 4 + 60), 0x03030303);
	assert_int_equal(pv_get_u32be(p + 4 + 64), 0x01010101);
	assert_int_equal(pv_get_u32be(p + 4 + 68), 0x01010000);
	/* Comparison leaves the random words out: 34 and the RMA word. */
	assert_int_equal(pv_secrets_compare(&s, &io, plain, &n, &e), 0);
	assert_int_equal(n, 35);
	io.row = 0;
	assert_int_equal(
	    pv_secrets_compare(&s, &io, plain, &n, &e), PV_E_VERIFY);
	assert_non_null(strstr(e.msg, "OTP word 70 (far)"));
	assert_int_equal(pv_secrets_fill(&s, &io, &again, &m, &e), 0);
	assert_memory_equal(pv_secret_bytes(again) + 4 + 52, "A1\0\0\0\0\0", 8);
	pv_secret_free(again);
	pv_secret_free(plain);
	pv_table_free(t);
	pv_secrets_release(&s);
}

/* Faults of a row. */
static void
test_bad_rows(void **state)
{
	static const struct {
		const char *text, *says;
		int code;
	} bad[] = {
		{ "name,serial,relock\na,A,1\n", "no column 'key'",
		    PV_E_MALFORMED },
		{ "name,key,serial,relock\na,11,A,1\n",
		    "'far': column 'key' has 2 characters, 16 hex",
		    PV_E_MALFORMED },
		{ "name,key,serial,relock\na,112233445566778g,A,1\n",
		    "something else than hex", PV_E_MALFORMED },
		{ "name,key,serial,relock\na,1122334455667788,,1\n",
		    "column 'serial' has 0 characters, 1 to 7 fit",
		    PV_E_MALFORMED },
		{ "name,key,serial,relock\na,1122334455667788,12345678,1\n",
		    "column 'serial' has 8 characters", PV_E_MALFORMED },
		{ "name,key,serial,relock\na,1122334455667788,A,x\n",
		    "column 'relock' is no number", PV_E_MALFORMED },
		{ "name,key,serial,relock\na,1122334455667788,A,0x8000\n",
		    "relock password has more than 15 bits", PV_E_RANGE },
		{ "name,key,serial,relock\na,1122334455667788,A,0x312\n",
		    "are the same", PV_E_RANGE },
	};
	struct counter c = { 0 };
	struct pv_secrets_io io = { .random = counted, .ctx = &c };
	struct pv_secret *plain = NULL;
	struct pv_secrets_map m;
	struct pv_secrets s;
	struct pv_error e;
	struct pv_table *t;

	(void)state;
	assert_int_equal(parse(described, &s, &e), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int r;

		assert_int_equal(table(bad[i].text, &t, &e), 0);
		io.table = t;
		r = pv_secrets_map(&s, &io, &m, &e);
		if (r != bad[i].code || strstr(e.msg, bad[i].says) == NULL)
			fail_msg("'%s': %d '%s'", bad[i].text, r, e.msg);
		/* No value of the batch is in a message. */
		assert_null(strstr(e.msg, "112233"));
		assert_int_equal(
		    pv_secrets_fill(&s, &io, &plain, &m, &e), bad[i].code);
		pv_table_free(t);
	}
	assert_int_equal(c.calls, 0);
	pv_secrets_release(&s);
}

/* A generator that is broken is noticed. */
static void
test_dead_random(void **state)
{
	struct counter c = { .zeros = 1000 };
	struct pv_secrets_io io = { .random = counted, .ctx = &c };
	struct pv_secret *plain = NULL;
	struct pv_secrets_map m;
	struct pv_secrets s;
	struct pv_error e;

	(void)state;
	assert_int_equal(parse("{\"provisor_secrets\":1,\"rma_unlock\":1,"
			       "\"rma_relock\":2,\"fields\":[{\"name\":\"a\","
			       "\"size\":4,\"random\":\"pkcs11:token=t\"}]}",
			     &s, &e),
	    0);
	assert_false(pv_secrets_per_device(&s));
	assert_int_equal(pv_secrets_fill(&s, &io, &plain, &m, &e), PV_E_HSM);
	assert_non_null(strstr(e.msg, "are zeros"));
	assert_null(plain);
	pv_secrets_release(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_many_fields),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_bad_tables),
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_bad_rows),
		cmocka_unit_test(test_dead_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
