/* SPDX-License-Identifier: Apache-2.0 */
/* Strict XML: what comes through, and what must not. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "base/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
parse(const char *text, struct pv_xml **ret_x, struct pv_error *e)
{
	return pv_xml_parse(text, strlen(text), ret_x, e);
}

static void
test_tree(void **state)
{
	static const char text[] =
	    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<!-- a comment -->\n"
	    "<Root xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"\n"
	    "  xsi:noNamespaceSchemaLocation=\"SCHVerif.xsd\">\n"
	    "<Obdata><Info><Title> a &amp; b&#x21; </Title></Info>\n"
	    "<Val>1</Val><Empty></Empty><Val><![CDATA[2<3]]></Val></Obdata>\n"
	    "</Root>\n";
	const struct pv_xml_node *n, *ob;
	struct pv_xml *x = NULL;
	struct pv_error e;
	const char *t = NULL;

	(void)state;
	assert_int_equal(parse(text, &x, &e), 0);
	n = pv_xml_root(x);
	assert_string_equal(pv_xml_name(n), "Root");
	assert_null(pv_xml_next(n));
	ob = pv_xml_first(n);
	assert_string_equal(pv_xml_name(ob), "Obdata");
	assert_int_equal(pv_xml_line(ob), 5);
	n = pv_xml_child(pv_xml_child(ob, "Info"), "Title");
	assert_string_equal(pv_xml_text(n), "a & b!");
	assert_true(pv_xml_padded(n));
	n = pv_xml_child(ob, "Val");
	assert_string_equal(pv_xml_text(n), "1");
	assert_false(pv_xml_padded(n));
	n = pv_xml_again(n);
	assert_string_equal(pv_xml_text(n), "2<3");
	assert_null(pv_xml_again(n));
	assert_string_equal(pv_xml_text(pv_xml_child(ob, "Empty")), "");
	assert_null(pv_xml_child(ob, "Missing"));
	assert_null(pv_xml_first(NULL));
	assert_int_equal(pv_xml_opt(ob, "Missing", &t, &e), 0);
	assert_null(t);
	assert_int_equal(pv_xml_need(ob, "Missing", &t, &e), PV_E_MALFORMED);
	assert_string_equal(
	    e.msg, "line 5: 'Obdata' lacks the element 'Missing'");
	assert_int_equal(pv_xml_need(ob, "Val", &t, &e), PV_E_MALFORMED);
	assert_string_equal(
	    e.msg, "line 6: two elements 'Val' in one 'Obdata'");
	pv_xml_free(x);
	pv_xml_free(NULL);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *text, *msg;
	} bad[] = {
		{ "", "line 1: " },
		{ " ", "line 1: " },
		{ "{}", "line 1: " },
		{ "<a>", "line 1: " },
		{ "<a></b>", "line 1: " },
		{ "<a/><b/>", "line 1: " },
		{ "<a>&undefined;</a>", "not defined" },
		{ "<a b='1'/>", "attributes are not" },
		{ "<x:a xmlns:x='urn:y'/>", "with a name space" },
		{ "<!DOCTYPE a><a/>", "document type" },
		{ "<!DOCTYPE a SYSTEM '/etc/passwd'><a/>", "document type" },
		{ "<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>\n"
		  "<a>&b;</a>",
		    "document type" },
		{ "<!DOCTYPE a [<!ENTITY b 'bb'><!ENTITY c '&b;&b;'>]>"
		  "<a>&c;</a>",
		    "document type" },
		{ "<?xml version='1.0' encoding='UTF-16'?><a/>", "" },
		{ "<?xml version='1.0' encoding='ISO-8859-1'?><a/>",
		    "ISO-8859-1" },
		{ "<a>\xff\xfe</a>", "line 1: " },
		{ "<a>\x01</a>", "line 1: " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct pv_error e = { 0 };
		struct pv_xml *x = NULL;
		int r = parse(bad[i].text, &x, &e);

		if (r != PV_E_MALFORMED || x != NULL ||
		    strstr(e.msg, bad[i].msg) == NULL)
			fail_msg("%zu: %d, %s", i, r, e.msg);
	}
}

static void
repeat(char **p, const char *s, unsigned int n)
{
	size_t len = strlen(s);

	for (; n > 0; n--, *p += len)
		memcpy(*p, s, len + 1);
}

static void
test_limits(void **state)
{
	size_t len = PV_XML_MAX + 1;
	char *text = malloc(len), *p;
	struct pv_xml *x = NULL;
	struct pv_error e;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', len);
	assert_int_equal(pv_xml_parse(text, len, &x, &e), PV_E_MALFORMED);
	assert_string_equal(e.msg, "more than 1048576 bytes of XML");
	assert_int_equal(pv_xml_parse("<a>\0</a>", 8, &x, &e), PV_E_MALFORMED);
	assert_string_equal(e.msg, "a byte of zero: not XML in UTF-8");
	/* One level more than what is allowed. */
	p = text;
	repeat(&p, "<a>", PV_XML_DEPTH + 1);
	assert_int_equal(parse(text, &x, &e), PV_E_MALFORMED);
	assert_string_equal(e.msg, "line 1: too many elements");
	p = text;
	repeat(&p, "<a>", 1);
	repeat(&p, "<b/>", PV_XML_ELEMENTS);
	repeat(&p, "</a>", 1);
	assert_int_equal(parse(text, &x, &e), PV_E_MALFORMED);
	assert_string_equal(e.msg, "line 1: too many elements");
	/* One less is taken; so is long text in many pieces. */
	p = text;
	repeat(&p, "<a>", 1);
	repeat(&p, "<b/>", PV_XML_ELEMENTS - 1);
	repeat(&p, "&lt;", 100000);
	repeat(&p, "</a>", 1);
	assert_int_equal(parse(text, &x, &e), 0);
	assert_int_equal(strlen(pv_xml_text(pv_xml_root(x))), 100000);
	pv_xml_free(x);
	free(text);
}

static void
test_file(void **state)
{
	struct pv_xml *x = NULL;
	struct pv_error e;

	(void)state;
	assert_int_equal(
	    pv_xml_read_file("fixtures/none.xml", &x, &e), PV_E_NOT_FOUND);
	assert_int_equal(
	    pv_xml_read_file("formats/obk.md", &x, &e), PV_E_MALFORMED);
	assert_non_null(strstr(e.msg, "'formats/obk.md': line 1: "));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_file),
	};

	if (!pv_xml_built_in()) {
		(void)printf("1..0 # SKIP built without libxml2\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
