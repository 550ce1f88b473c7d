/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 URIs (RFC 7512), parsed and made by p11-kit. */
#include "hsm_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool
pv_hsm_is_uri(const char *text)
{
	/* RFC 3986, section 3.1: a scheme has no case. */
	return strncasecmp(text, "pkcs11:", 7) == 0;
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c == '\0' ? NULL : strchr(digits, c | 0x20);

	return at == NULL ? -1 : (int)(at - digits);
}

/* The character at *p, percent-decoded (RFC 3986, section 2.1); steps *p. */
static int
next_char(const char **p)
{
	const char *s = *p;

	if (s[0] == '%' && hex_digit(s[1]) >= 0 && hex_digit(s[2]) >= 0) {
		*p += 3;
		return hex_digit(s[1]) * 16 + hex_digit(s[2]);
	}
	*p += 1;
	return (unsigned char)s[0];
}

/* Does the text hold an attribute `name`, in its path or query? */
static bool
has_attribute(const char *text, const char *name)
{
	const char *p;

	for (p = strpbrk(text, ":;?&|"); p != NULL; p = strpbrk(p, ":;?&|")) {
		const char *at = ++p, *want = name;

		while (*want != '\0' && *at != '\0' &&
		       (next_char(&at) | 0x20) == (*want | 0x20))
			want++;
		if (*want == '\0' && *at == '=')
			return true;
	}
	return false;
}

int
pv_hsm_check_stored_uri(const char *uri, struct pv_error *e)
{
	static const char *const names[] = { "module-path", "module-name",
		"pin-source", "pin-value", "pinfile" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!has_attribute(uri, names[i]))
			continue;
		(void)pv_fail(e, PV_E_POLICY,
		    "a stored URI may not hold %s: it names the token and "
		    "the key, nothing else",
		    names[i]);
		return pv_hint(e,
		    "give the module with --module or PROVISOR_MODULE, the "
		    "PIN with --pin-file or PROVISOR_PIN_FILE");
	}
	return 0;
}

int
pv_uri_parse(const char *text, P11KitUri **ret_uri, struct pv_error *e)
{
	P11KitUri *uri;
	int rc;

	if (!pv_hsm_is_uri(text))
		return pv_fail(e, PV_E_USAGE,
		    "'%s' is not a pkcs11: URI (RFC 7512)", text);
	/* Looked for before anything is parsed, so that p11-kit makes no
	 * copies of a PIN; nor does any message repeat the URI. */
	if (has_attribute(text, "pin-value")) {
		(void)pv_fail(e, PV_E_USAGE,
		    "a URI with pin-value is refused: command lines and logs "
		    "show it to others");
		return pv_hint(e,
		    "change that PIN, then give it with --pin-file, --pin-fd "
		    "or PROVISOR_PIN_FILE");
	}
	uri = p11_kit_uri_new();
	if (uri == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	rc = p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, uri);
	if (rc != P11_KIT_URI_OK) {
		const char *why = p11_kit_uri_message(rc);

		p11_kit_uri_free(uri);
		return pv_fail(e, PV_E_USAGE, "pkcs11: URI: %s",
		    why != NULL ? why : "not valid");
	}
	if (p11_kit_uri_get_module_name(uri) != NULL) {
		p11_kit_uri_free(uri);
		(void)pv_fail(
		    e, PV_E_USAGE, "pkcs11: URI: module-name is not used");
		return pv_hint(e, "name the one module to load by its file: "
				  "module-path=/path, or --module /path");
	}
	if (p11_kit_uri_any_unrecognized(uri)) {
		p11_kit_uri_free(uri);
		(void)pv_fail(e, PV_E_USAGE,
		    "pkcs11: URI with an attribute that is not known");
		return pv_hint(e,
		    "known are token, serial, manufacturer, "
		    "model, object, id, type, slot-id, library-*, "
		    "module-path and pin-source");
	}
	*ret_uri = uri;
	return 0;
}

int
pv_uri_pin_file(P11KitUri *uri, const char **ret_path, struct pv_error *e)
{
	const char *src = p11_kit_uri_get_pin_source(uri);

	*ret_path = NULL;
	if (src == NULL)
		return 0;
	/* RFC 7512, section 2.3: a file: URI, a path, or "|program". */
	if (src[0] == '|')
		return pv_fail(e, PV_E_USAGE,
		    "pin-source names a program to run, which is refused");
	if (strncasecmp(src, "file:", 5) == 0) {
		src += 5;
		if (strncmp(src, "///", 3) == 0)
			src += 2;
		else if (strncmp(src, "//", 2) == 0)
			return pv_fail(e, PV_E_USAGE,
			    "pin-source names a file on another host");
	}
	if (src[0] == '\0')
		return pv_fail(e, PV_E_USAGE, "pin-source names no file");
	*ret_path = src;
	return 0;
}

int
pv_uri_make(const struct pv_hsm *hsm, const char *label, const uint8_t *id,
    size_t id_len, char **ret_uri, struct pv_error *e)
{
	P11KitUri *uri = p11_kit_uri_new();
	CK_TOKEN_INFO *token;
	CK_ATTRIBUTE a = { .type = CKA_LABEL };
	char *text = NULL;
	int rc = P11_KIT_URI_NO_MEMORY;

	if (uri == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	token = p11_kit_uri_get_token_info(uri);
	if (hsm->label[0] != '\0')
		memcpy(token->label, hsm->token.label, sizeof(token->label));
	if (hsm->label_shared || hsm->label[0] == '\0')
		memcpy(token->serialNumber, hsm->token.serialNumber,
		    sizeof(token->serialNumber));
	a.pValue = pv_ck_bytes(label);
	a.ulValueLen = strlen(label);
	if (a.ulValueLen > 0 &&
	    p11_kit_uri_set_attribute(uri, &a) != P11_KIT_URI_OK)
		goto out;
	if (id != NULL && id_len > 0) {
		a.type = CKA_ID;
		a.pValue = pv_ck_bytes(id);
		a.ulValueLen = id_len;
		if (p11_kit_uri_set_attribute(uri, &a) != P11_KIT_URI_OK)
			goto out;
	}
	rc = p11_kit_uri_format(uri, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, &text);
out:
	p11_kit_uri_free(uri);
	if (rc != P11_KIT_URI_OK)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*ret_uri = text;
	return 0;
}
