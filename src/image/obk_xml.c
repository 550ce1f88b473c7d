/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OB keys from ST's XML, as TrustedPackageCreator's -obk takes it; the
 * elements are those of the templates in STM32CubeH5 and STM32CubeH7RS.
 */
#include "image/obk.h"

#include "base/hex.h"
#include "base/xml.h"

#include <stdlib.h>
#include <string.h>

#define ALIGN_MAX 4096U
#define WIDTH_MAX 4096U

static int
copy(char **dst, const char *src, struct pv_error *e)
{
	*dst = strdup(src);
	return *dst == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory") : 0;
}

/* A number in a child; absent leaves *ret_v. */
static int
number(const struct pv_xml_node *n, const char *name, uint64_t max,
    uint32_t *ret_v, bool *ret_there, struct pv_error *e)
{
	const char *text = NULL;
	uint64_t v;
	int r = pv_xml_opt(n, name, &text, e);

	if (ret_there != NULL)
		*ret_there = text != NULL;
	if (r != 0 || text == NULL)
		return r;
	r = pv_parse_u64(text, max, name, &v, NULL);
	if (r != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: '%s' of '%s' is not a number up to %llu",
		    pv_xml_line(n), name, pv_xml_name(n),
		    (unsigned long long)max);
	*ret_v = (uint32_t)v;
	return 0;
}

static int
read_info(
    const struct pv_xml_node *n, struct pv_obk_spec *s, struct pv_error *e)
{
	const char *text = NULL;
	bool address = false, encrypt = false;
	uint32_t flag = 0;
	int r = pv_xml_opt(n, "Title", &text, e);

	if (r == 0 && text != NULL)
		r = copy(&s->title, text, e);
	if (r == 0)
		r = pv_xml_opt(n, "MCU", &text, e);
	if (r == 0 && text != NULL)
		r = copy(&s->mcu, text, e);
	if (r == 0)
		r = number(
		    n, "ObDestAddress", UINT32_MAX, &s->address, &address, e);
	if (r == 0)
		r = number(n, "DoEncryption", 1, &flag, &encrypt, e);
	if (r == 0)
		r = number(n, "GlobalAlign", ALIGN_MAX, &s->align, NULL, e);
	if (r == 0)
		r = number(n, "FlashSize", UINT32_MAX, &s->flash_size, NULL, e);
	if (r == 0)
		r = number(
		    n, "FlashSectorSize", UINT32_MAX, &s->sector, NULL, e);
	if (r != 0)
		return r;
	if (address != encrypt)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: ObDestAddress and DoEncryption go together",
		    pv_xml_line(n));
	s->has_header = address;
	s->encrypt = flag == 1;
	return 0;
}

/* --- fields ----------------------------------------------------------------------- */

/* "start#2" or "size#2": the number, or 0. */
static unsigned int
slot_number(const char *text, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(text, word, len) != 0 || text[len] < '1' ||
	    text[len] > '9' || text[len + 1] != '\0')
		return 0;
	return (unsigned int)(text[len] - '0');
}

static void
read_slots(const struct pv_xml_node *n, struct pv_obk_field *f)
{
	const struct pv_xml_node *c = pv_xml_child(n, "Slot");

	for (; c != NULL; c = pv_xml_again(c)) {
		unsigned int start = slot_number(pv_xml_text(c), "start#");
		unsigned int size = slot_number(pv_xml_text(c), "size#");

		*(f->start == 0 ? &f->start : &f->start2) += start;
		*(f->size == 0 ? &f->size : &f->size2) += size;
	}
}

/* Is the value among "0x01,words" of Val, or True and False? */
static bool
is_choice(uint64_t v, const struct pv_xml_node *n, const char *name)
{
	char word[32];
	uint64_t allowed;

	for (n = pv_xml_child(n, name); n != NULL; n = pv_xml_again(n)) {
		const char *text = pv_xml_text(n);
		size_t len = strcspn(text, ",");

		if (len >= sizeof(word))
			continue;
		memcpy(word, text, len);
		word[len] = '\0';
		if (pv_parse_u64(word, UINT64_MAX, "", &allowed, NULL) == 0 &&
		    allowed == v)
			return true;
	}
	return false;
}

static int
check_choice(const struct pv_xml_node *n, const char *text, struct pv_error *e)
{
	bool list = strcmp(pv_xml_name(n), "List") == 0;
	uint64_t v;

	if (pv_xml_child(n, list ? "Val" : "True") == NULL)
		return 0;
	if (pv_parse_u64(text, UINT64_MAX, "", &v, NULL) == 0 &&
	    (list ? is_choice(v, n, "Val")
		  : is_choice(v, n, "True") || is_choice(v, n, "False")))
		return 0;
	return pv_fail(e, PV_E_MALFORMED,
	    "line %u: '%s' is none of the values to choose from",
	    pv_xml_line(n), text);
}

static int
read_number(const struct pv_xml_node *n, struct pv_obk_field *f,
    const char *text, struct pv_error *e)
{
	bool there = false;
	int r = number(n, "Width", WIDTH_MAX, &f->width, &there, e);

	if (r == 0 && (!there || f->width == 0))
		r = pv_fail(e, PV_E_MALFORMED, "line %u: '%s' lacks its width",
		    pv_xml_line(n), f->name);
	if (r == 0 && strcmp(pv_xml_name(n), "Data") != 0)
		r = check_choice(n, text, e);
	f->kind = PV_OBK_NUMBER;
	read_slots(n, f);
	return r != 0 ? r : copy(&f->text, text, e);
}

static int
read_password(const struct pv_xml_node *n, struct pv_obk_field *f,
    const char *text, struct pv_error *e)
{
	int r;

	f->kind = PV_OBK_PASSWORD;
	f->min = 1;
	f->width = WIDTH_MAX;
	r = number(n, "MinWidth", WIDTH_MAX, &f->min, NULL, e);
	if (r == 0)
		r = number(n, "Width", WIDTH_MAX, &f->width, NULL, e);
	if (r == 0 && pv_xml_padded(pv_xml_child(n, "Value")))
		r = pv_fail(e, PV_E_MALFORMED,
		    "line %u: the password begins or ends with white space",
		    pv_xml_line(n));
	return r != 0 ? r : copy(&f->text, text, e);
}

static int
read_file(const struct pv_xml_node *n, const char *description,
    struct pv_obk_field *f, const char *text, struct pv_error *e)
{
	const char *type = NULL, *key_type = NULL;
	int r = pv_xml_opt(n, "Type", &type, e);

	f->align = 1;
	if (r == 0)
		r = pv_xml_opt(n, "KeyType", &key_type, e);
	if (r == 0)
		r = number(n, "Align", ALIGN_MAX, &f->align, NULL, e);
	if (r != 0)
		return r;
	if (key_type != NULL && key_type[0] != '\0' &&
	    strcmp(key_type, "ecdsa-p256") != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "line %u: keys of type '%.40s'; OB keys are ecdsa-p256",
		    pv_xml_line(n), key_type);
	if (type != NULL && strcmp(type, "Public") == 0)
		f->kind = PV_OBK_PUBLIC_KEY;
	else if (type == NULL || type[0] == '\0')
		f->kind = PV_OBK_FILE;
	else
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "line %u: '%.40s' is neither 'Public' nor empty",
		    pv_xml_line(n), type);
	f->path = pv_obk_path(description, text);
	return f->path == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory") : 0;
}

static int
read_field(
    const struct pv_xml_node *n, struct pv_obk_spec *s, struct pv_error *e)
{
	const char *kind = pv_xml_name(n), *text = NULL, *name = NULL;
	const char *depends = NULL;
	struct pv_obk_field *f;
	int r;

	if (s->n == PV_OBK_FIELDS)
		return pv_fail(
		    e, PV_E_MALFORMED, "more than %u fields", PV_OBK_FIELDS);
	f = &s->field[s->n++];
	r = pv_xml_need(n, "Value", &text, e);
	if (r == 0)
		r = pv_xml_opt(n, "Name", &name, e);
	if (r == 0)
		r = pv_xml_opt(n, "Dependency", &depends, e);
	if (r == 0)
		r = copy(&f->name, name == NULL ? kind : name, e);
	if (r == 0 && depends != NULL)
		r = copy(&f->depends, depends, e);
	if (r != 0)
		return r;
	if (strcmp(kind, "Text") == 0)
		return read_password(n, f, text, e);
	if (strcmp(kind, "File") == 0)
		return read_file(n, s->path, f, text, e);
	if (strcmp(kind, "Permission") == 0) {
		f->kind = PV_OBK_PERMISSION;
		return copy(&f->text, text, e);
	}
	return read_number(n, f, text, e);
}

static int
read_output(
    const struct pv_xml_node *n, struct pv_obk_spec *s, struct pv_error *e)
{
	const char *text = NULL;
	int r = pv_xml_opt(n, "Value", &text, e);

	if (r != 0 || text == NULL || text[0] == '\0')
		return r;
	s->output = pv_obk_path(s->path, text);
	return s->output == NULL ? pv_fail(e, PV_E_NOMEM, "out of memory") : 0;
}

static int
once(bool *flag, const struct pv_xml_node *n, struct pv_error *e)
{
	if (*flag)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: a second '%s'; one is known here", pv_xml_line(n),
		    pv_xml_name(n));
	*flag = true;
	return 0;
}

static int
read_element(const struct pv_xml_node *n, struct pv_obk_spec *s, bool seen[2],
    struct pv_error *e)
{
	static const char *const fields[] = { "List", "Bool", "Data", "Text",
		"File", "Permission" };
	const char *name = pv_xml_name(n);

	if (strcmp(name, "Info") == 0)
		return once(&seen[0], n, e) != 0 ? PV_E_MALFORMED
						 : read_info(n, s, e);
	if (strcmp(name, "Output") == 0)
		return once(&seen[1], n, e) != 0 ? PV_E_MALFORMED
						 : read_output(n, s, e);
	if (strcmp(name, "Hash") == 0)
		return once(&s->hash, n, e);
	if (strcmp(name, "DA") == 0)
		return once(&s->da, n, e);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(name, fields[i]) == 0)
			return read_field(n, s, e);
	return pv_fail(e, PV_E_UNSUPPORTED,
	    "line %u: element '%s' is not known here, so its bytes would be "
	    "missing",
	    pv_xml_line(n), name);
}

static int
read_root(const struct pv_xml *x, struct pv_obk_spec *s, struct pv_error *e)
{
	const struct pv_xml_node *n = pv_xml_root(x);
	bool seen[2] = { false, false };
	int r = 0;

	if (strcmp(pv_xml_name(n), "Root") != 0 ||
	    pv_xml_child(n, "Obdata") == NULL) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "no Obdata in it: it describes no OB keys");
		return pv_xml_child(n, "McubootFormat") == NULL
			   ? PV_E_MALFORMED
			   : pv_hint(e, "it describes an image: 'provisor "
					"image from-xml' reads that");
	}
	n = pv_xml_first(pv_xml_child(n, "Obdata"));
	for (; r == 0 && n != NULL; n = pv_xml_next(n))
		r = read_element(n, s, seen, e);
	if (r == 0 && s->n == 0)
		r = pv_fail(e, PV_E_MALFORMED, "it has no field");
	return r;
}

int
pv_obk_spec_from_xml(
    const char *path, struct pv_obk_spec *ret_s, struct pv_error *e)
{
	struct pv_obk_spec s = { .path = path, .align = 1 };
	struct pv_xml *x = NULL;
	int r = pv_xml_read_file(path, &x, e);

	if (r != 0)
		return r;
	r = read_root(x, &s, e);
	pv_xml_free(x);
	if (r != 0) {
		pv_obk_spec_release(&s);
		return pv_wrap(e, "'%s'", path);
	}
	*ret_s = s;
	return 0;
}
