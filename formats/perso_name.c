/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/perso_name.h"

#include "base/buf.h"
#include "base/hex.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_LEN 200U
#define FIELDS	     16U

/* Cut at every '_'; the number of fields, 0 when there are too many. */
static size_t
split(char *text, char *fields[FIELDS])
{
	size_t n = 0;

	for (;;) {
		if (n == FIELDS)
			return 0;
		fields[n++] = text;
		text = strchr(text, '_');
		if (text == NULL)
			return n;
		*text++ = '\0';
	}
}

static bool
cut_end(char *text, const char *end)
{
	size_t n = strlen(text), k = strlen(end);

	if (n <= k || strcmp(text + n - k, end) != 0)
		return false;
	text[n - k] = '\0';
	return true;
}

/* Product id and flow, the same in both forms. */
static bool
take_common(struct pv_perso_name *n, const char *id, const char *flow)
{
	size_t k = strlen(flow);

	if (strlen(id) != 8 || strspn(id, "0123456789ABCDEFabcdef") != 8 ||
	    k < 3 || k > 4)
		return false;
	for (size_t i = 0; i < k; i++) {
		if (!isupper((unsigned char)flow[i]) && flow[i] != '.')
			return false;
	}
	memcpy(n->product_id, id, 9);
	memcpy(n->flow, flow, k + 1);
	return true;
}

/* Fields first .. last - 1, joined again. */
static bool
take_family(
    struct pv_perso_name *n, char *fields[FIELDS], size_t first, size_t last)
{
	size_t at = 0;

	for (size_t i = first; i < last; i++) {
		int k = snprintf(n->family + at, sizeof(n->family) - at, "%s%s",
		    i == first ? "" : "_", fields[i]);

		if (k < 0 || (size_t)k >= sizeof(n->family) - at)
			return false;
		at += (size_t)k;
	}
	return true;
}

static bool
take_u32(const char *hex, uint32_t *ret_v)
{
	uint8_t raw[4];

	if (strlen(hex) != 8 || pv_hex_decode(hex, raw, 4, NULL) != 0)
		return false;
	*ret_v = pv_get_u32le(raw);
	return true;
}

static bool
card_form(char *text, struct pv_perso_name *n)
{
	char *f[FIELDS];
	size_t k;

	if (!cut_end(text, ".enc.bin"))
		return false;
	k = split(text, f);
	n->has_versions = true;
	return k >= 4 && take_common(n, f[k - 4], f[k - 3]) &&
	       take_u32(f[k - 2], &n->license_version) &&
	       take_u32(f[k - 1], &n->security_version) &&
	       take_family(n, f, 0, k - 4);
}

static bool
rsse_form(char *text, struct pv_perso_name *n)
{
	char *f[FIELDS];
	size_t k, len;

	if (strncmp(text, "Perso_Data_", 11) != 0 || !cut_end(text, ".bin"))
		return false;
	k = split(text, f);
	if (k < 5 || f[k - 1][0] != 'v')
		return false;
	len = strlen(f[k - 1] + 1);
	if (len == 0 || len >= sizeof(n->version) ||
	    strspn(f[k - 1] + 1, "0123456789.") != len)
		return false;
	memcpy(n->version, f[k - 1] + 1, len + 1);
	return take_common(n, f[k - 3], f[k - 2]) &&
	       take_family(n, f, 2, k - 3);
}

int
pv_perso_name_decode(
    const char *name, struct pv_perso_name *ret_n, struct pv_error *e)
{
	struct pv_perso_name n;
	char text[NAME_MAX_LEN + 1];
	size_t len = strlen(name);

	if (len <= NAME_MAX_LEN) {
		memset(&n, 0, sizeof(n));
		memcpy(text, name, len + 1);
		if (card_form(text, &n))
			goto good;
		memset(&n, 0, sizeof(n));
		memcpy(text, name, len + 1);
		if (rsse_form(text, &n))
			goto good;
	}
	return pv_fail(
	    e, PV_E_MALFORMED, "not the name of a personalization package");
good:
	*ret_n = n;
	return 0;
}
