/* SPDX-License-Identifier: Apache-2.0 */
/* XML: either a tree within its limits, or a reason. */
#include "base/xml.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int
walk(const struct pv_xml_node *n, unsigned int depth)
{
	unsigned int count = 0;

	if (depth > PV_XML_DEPTH)
		abort();
	for (; n != NULL; n = pv_xml_next(n)) {
		if (strlen(pv_xml_name(n)) == 0 || pv_xml_text(n) == NULL)
			abort();
		count += 1 + walk(pv_xml_first(n), depth + 1);
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_xml *x = NULL;
	struct pv_error e = { 0 };
	int r = pv_xml_parse((const char *)data, size, &x, &e);

	if (r == 0) {
		if (walk(pv_xml_root(x), 1) > PV_XML_ELEMENTS)
			abort();
	} else if (e.code != r || e.msg[0] == '\0') {
		abort();
	}
	pv_xml_free(x);
	return 0;
}
