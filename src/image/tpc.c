/* SPDX-License-Identifier: Apache-2.0 */
#include "image/tpc.h"

#include "base/hex.h"
#include "base/xml.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 1024U

/* One description under way. */
struct reading {
	const char *path; /* of the XML, as the caller gave it; "" for text */
	struct pv_xml *linked;
	char linked_rel[TEXT_MAX]; /* its path from the XML's folder */
	struct pv_tpc *t;
};

void
pv_tpc_release(struct pv_tpc *t)
{
	for (size_t i = 0; i < t->n; i++) {
		free(t->w[i].option);
		free(t->w[i].value);
	}
	free(t->title);
	free(t->input);
	free(t->output);
	free(t->linked);
	memset(t, 0, sizeof(*t));
}

static int
copy(const char *text, char **ret_s, struct pv_error *e)
{
	*ret_s = strdup(text);
	return *ret_s != NULL ? 0 : pv_fail(e, PV_E_NOMEM, "out of memory");
}

/* --- paths ------------------------------------------------------------------ */

/* Is the path, seen from the folder of the XML, below the folder above it? */
static bool
inside(const char *rel)
{
	int depth = 1;

	if (rel[0] == '/')
		return false;
	for (const char *p = rel; *p != '\0';) {
		size_t n = strcspn(p, "/");

		if (n == 2 && strncmp(p, "..", 2) == 0)
			depth--;
		else if (n > 0 && !(n == 1 && p[0] == '.'))
			depth++;
		if (depth < 0)
			return false;
		p += n;
		p += strspn(p, "/");
	}
	return true;
}

/* The folder of `path` with its slash, then `rel` unless that is absolute. */
static int
beside(
    const char *path, const char *rel, char dst[TEXT_MAX], struct pv_error *e)
{
	const char *slash = strrchr(path, '/');
	int n, dir = slash == NULL ? 0 : (int)(slash - path) + 1;

	if (rel[0] == '/')
		dir = 0;
	n = snprintf(dst, TEXT_MAX, "%.*s%s", dir, path, rel);
	if (n < 0 || (size_t)n >= TEXT_MAX)
		return pv_fail(
		    e, PV_E_MALFORMED, "the path '%s' is too long", rel);
	/* Windows' separators, as the templates have them. */
	for (char *p = dst + dir; *p != '\0'; p++)
		if (*p == '\\')
			*p = '/';
	return 0;
}

/* A path of the description, or of the linked one, for the caller. */
static int
resolve(struct reading *rd, const char *value, bool from_linked, char **ret_s,
    struct pv_error *e)
{
	char rel[TEXT_MAX], full[TEXT_MAX];
	int r;

	/* A URI may name code to load (module-path). */
	if (strncmp(value, "pkcs11:", 7) == 0) {
		(void)pv_fail(e, PV_E_MALFORMED, "'%s' is no file", value);
		return pv_hint(e, "a key in a token is chosen with --key");
	}
	/* It would be taken for an option where no folder comes before it. */
	if (value[0] == '-')
		return pv_fail(e, PV_E_MALFORMED, "'%s' is no file", value);
	r = beside(from_linked ? rd->linked_rel : "", value, rel, e);

	if (r == 0)
		r = beside(rd->path, rel, full, e);
	if (r == 0)
		r = copy(full, ret_s, e);
	if (r == 0 && !inside(rel))
		rd->t->outside[rd->t->n_outside++] = *ret_s;
	return r;
}

/* --- values ----------------------------------------------------------------- */

/* Value, and where there is none, Default; NULL without either. */
static int
own_value(
    const struct pv_xml_node *n, const char **ret_text, struct pv_error *e)
{
	const char *value = NULL, *dflt = NULL;
	int r = pv_xml_opt(n, "Value", &value, e);

	if (r == 0)
		r = pv_xml_opt(n, "Default", &dflt, e);
	*ret_text = value != NULL && value[0] != '\0' ? value : dflt;
	return r;
}

/* The item of that name in the linked XML, whatever its kind. */
static int
linked_value(const struct reading *rd, const char *name, const char **ret_text,
    struct pv_error *e)
{
	const struct pv_xml_node *n =
	    rd->linked == NULL ? NULL : pv_xml_root(rd->linked);
	const char *text = NULL, *its = NULL;
	int r;

	if (n == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' is linked, but there is no LinkedXML", name);
	for (n = pv_xml_first(pv_xml_child(n, "Obdata")); n != NULL;
	     n = pv_xml_next(n)) {
		if ((r = pv_xml_opt(n, "Name", &its, e)) != 0)
			return r;
		if (its == NULL || strcmp(its, name) != 0)
			continue;
		if ((r = own_value(n, &text, e)) != 0)
			return r;
		if (text == NULL || text[0] == '\0')
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' has no value in '%s'", name, rd->linked_rel);
		*ret_text = text;
		return 0;
	}
	return pv_fail(
	    e, PV_E_MALFORMED, "'%s' is not in '%s'", name, rd->linked_rel);
}

/* "+0x8000000": an offset becomes an address. */
static int
add(const char *text, const char *link, char dst[TEXT_MAX], struct pv_error *e)
{
	uint64_t a = 0, b = 0;

	if (pv_parse_u64(text, UINT32_MAX, "offset", &a, e) != 0 ||
	    pv_parse_u64(link + 1, UINT32_MAX, "Link", &b, e) != 0) {
		if (e != NULL)
			e->code = PV_E_MALFORMED;
		return PV_E_MALFORMED;
	}
	a += b;
	(void)snprintf(dst, TEXT_MAX, "0x%" PRIx64, a);
	return 0;
}

/* --- options ---------------------------------------------------------------- */

/*
 * What a description may say: the options of imgtool and of ST's fork of it
 * that concern the image. Not those of `image sign` that load a module, write
 * another file or read a list: a description comes from elsewhere, and what
 * it does must be what it shows.
 */
static const struct option {
	const char *name;
	enum { FLAG, VALUE, KEY_FILE } kind;
} options[] = {
	{ "-k", KEY_FILE },
	{ "--key", KEY_FILE },
	{ "-E", KEY_FILE },
	{ "--encrypt", KEY_FILE },
	{ "-ma", VALUE },
	{ "--magic", VALUE },
	{ "-S", VALUE },
	{ "--slot-size", VALUE },
	{ "-H", VALUE },
	{ "--header-size", VALUE },
	{ "-v", VALUE },
	{ "--version", VALUE },
	{ "-s", VALUE },
	{ "--security-counter", VALUE },
	{ "-d", VALUE },
	{ "--dependencies", VALUE },
	{ "-L", VALUE },
	{ "--load-addr", VALUE },
	{ "-F", VALUE },
	{ "--rom-fixed", VALUE },
	{ "-x", VALUE },
	{ "--hex-addr", VALUE },
	{ "-R", VALUE },
	{ "--erased-val", VALUE },
	{ "-M", VALUE },
	{ "--max-sectors", VALUE },
	{ "-e", VALUE },
	{ "--endian", VALUE },
	{ "-o", VALUE },
	{ "--align", VALUE },
	{ "--max-align", VALUE },
	{ "--boot-record", VALUE },
	{ "--public-key-format", VALUE },
	{ "--encrypt-keylen", VALUE },
	{ "--sha", VALUE },
	{ "--hmac-sha", VALUE },
	{ "--vid", VALUE },
	{ "--cid", VALUE },
	{ "--pad", FLAG },
	{ "--confirm", FLAG },
	{ "--pad-header", FLAG },
	{ "--overwrite-only", FLAG },
	{ "-P", FLAG },
	{ "--primary-only", FLAG },
	{ "-c", FLAG },
	{ "--clear", FLAG },
	{ "--pad-sig", FLAG },
	{ "--no-pad-tlv", FLAG },
	{ "--save-enctlv", FLAG },
	{ "--non-bootable", FLAG },
	{ "--pure", FLAG },
};
#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static const struct option *
find_option(const char *name)
{
	for (size_t i = 0; i < N_OPTIONS; i++)
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	return NULL;
}

/* Is it a known option, with a value where one belongs and only there? */
static int
check_word(const char *name, const char *text, bool is_file, struct pv_error *e)
{
	const struct option *o = find_option(name);
	bool has = text != NULL && text[0] != '\0';

	if (o == NULL)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is no option of imgtool for images", name);
	if (has != (o->kind != FLAG))
		return pv_fail(e, PV_E_MALFORMED, "'%s' %s value", name,
		    has ? "takes no" : "has no");
	if (!has)
		return 0;
	if (text[0] == '-')
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': the value '%s' begins with '-'", name, text);
	if (o->kind == KEY_FILE && !is_file)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' takes a file, and its Type is another", name);
	return 0;
}

/* --- one Param -------------------------------------------------------------- */

struct param {
	const char *name, *type, *command, *enable, *link;
};

static int
read_param(const struct pv_xml_node *n, struct param *p, struct pv_error *e)
{
	int r = pv_xml_need(n, "Name", &p->name, e);

	if (r == 0)
		r = pv_xml_need(n, "Type", &p->type, e);
	if (r == 0)
		r = pv_xml_opt(n, "Command", &p->command, e);
	if (r == 0)
		r = pv_xml_opt(n, "Enable", &p->enable, e);
	if (r == 0)
		r = pv_xml_opt(n, "Link", &p->link, e);
	if (r == 0 && p->enable != NULL && strcmp(p->enable, "0") != 0 &&
	    strcmp(p->enable, "1") != 0)
		r = pv_fail(
		    e, PV_E_MALFORMED, "'%s': Enable is 0 or 1", p->name);
	return r;
}

static int
put_word(struct reading *rd, const struct param *p, const char *text,
    struct pv_error *e)
{
	bool is_file = strcmp(p->type, "File") == 0, linked = p->link != NULL;
	struct pv_tpc *t = rd->t;
	struct pv_tpc_word *w = &t->w[t->n];
	char sum[TEXT_MAX];
	int r;

	/* The firmware: the file that is no option's. */
	if (p->command == NULL || p->command[0] == '\0') {
		if (!is_file || text == NULL || t->input != NULL)
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' has no Command%s", p->name,
			    t->input != NULL ? ", and there is an input" : "");
		return resolve(rd, text, linked, &t->input, e);
	}
	if (t->n == PV_TPC_WORDS_MAX)
		return pv_fail(e, PV_E_MALFORMED, "more than %u options",
		    PV_TPC_WORDS_MAX);
	if ((r = check_word(p->command, text, is_file, e)) != 0 ||
	    (r = copy(p->command, &w->option, e)) != 0)
		return r;
	t->n++;
	if (text == NULL || text[0] == '\0')
		return 0;
	if (linked && p->link[0] == '+') {
		if ((r = add(text, p->link, sum, e)) != 0)
			return r;
		text = sum;
	}
	return is_file ? resolve(rd, text, linked, &w->value, e)
		       : copy(text, &w->value, e);
}

static int
take_param(struct reading *rd, const struct pv_xml_node *n, struct pv_error *e)
{
	struct param p = { 0 };
	const char *text = NULL;
	int r = read_param(n, &p, e);

	if (r != 0 || (p.enable != NULL && p.enable[0] == '0'))
		return r;
	if (p.link != NULL && p.link[0] != '\0' && p.link[0] != '+' &&
	    strcmp(p.link, "GetPublic") != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s': Link '%s' is none that is known", p.name, p.link);
	/* GetPublic: whoever encrypts uses the public half only. */
	r = p.link != NULL ? linked_value(rd, p.name, &text, e)
			   : own_value(n, &text, e);
	return r != 0 ? r : put_word(rd, &p, text, e);
}

/* --- all of it -------------------------------------------------------------- */

static int
take_global(struct reading *rd, const struct pv_xml_node *n, struct pv_error *e)
{
	const char *command = NULL, *title = NULL, *linked = NULL;
	char full[TEXT_MAX];
	int r;

	if (n == NULL)
		return pv_fail(e, PV_E_MALFORMED, "no GlobalParam");
	r = pv_xml_need(n, "Command", &command, e);
	if (r == 0)
		r = pv_xml_opt(n, "Title", &title, e);
	if (r == 0)
		r = pv_xml_opt(n, "LinkedXML", &linked, e);
	if (r == 0 && strcmp(command, "sign") != 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "command '%s': only 'sign' is done here", command);
	if (r == 0)
		r = copy(title == NULL ? "image" : title, &rd->t->title, e);
	if (r != 0 || linked == NULL || linked[0] == '\0')
		return r;
	if (rd->path[0] == '\0')
		return pv_fail(e, PV_E_UNSUPPORTED, "text links to nothing");
	r = beside("", linked, rd->linked_rel, e);
	if (r == 0)
		r = beside(rd->path, rd->linked_rel, full, e);
	if (r == 0)
		r = copy(full, &rd->t->linked, e);
	if (r == 0 && !inside(rd->linked_rel))
		rd->t->outside[rd->t->n_outside++] = rd->t->linked;
	return r != 0 ? r : pv_xml_read_file(full, &rd->linked, e);
}

static int
take_all(struct reading *rd, const struct pv_xml_node *root, struct pv_error *e)
{
	const struct pv_xml_node *top = pv_xml_child(root, "McubootFormat");
	const struct pv_xml_node *out = pv_xml_child(top, "Output");
	const char *path = NULL;
	int r;

	if (top == NULL) {
		(void)pv_fail(e, PV_E_MALFORMED,
		    "no Root/McubootFormat: not the description of an image");
		return pv_hint(e, "OB keys are for 'provisor obk build'");
	}
	r = take_global(rd, pv_xml_child(top, "GlobalParam"), e);
	for (const struct pv_xml_node *n = pv_xml_child(top, "Param");
	     r == 0 && n != NULL; n = pv_xml_again(n)) {
		r = take_param(rd, n, e);
		if (r != 0)
			(void)pv_wrap(e, "line %u", pv_xml_line(n));
	}
	if (r == 0 && rd->t->input == NULL)
		r = pv_fail(e, PV_E_MALFORMED, "no firmware is named");
	if (r == 0 && out != NULL)
		r = own_value(out, &path, e);
	if (r == 0 && (path == NULL || path[0] == '\0'))
		r = pv_fail(e, PV_E_MALFORMED, "no Output is named");
	return r != 0 ? r : resolve(rd, path, false, &rd->t->output, e);
}

int
pv_tpc_read(const char *path, struct pv_tpc *ret_t, struct pv_error *e)
{
	struct reading rd = { .path = path, .t = ret_t };
	struct pv_xml *x = NULL;
	int r;

	memset(ret_t, 0, sizeof(*ret_t));
	if ((r = pv_xml_read_file(path, &x, e)) != 0)
		return r;
	r = take_all(&rd, pv_xml_root(x), e);
	if (r != 0)
		(void)pv_wrap(e, "'%s'", path);
	pv_xml_free(rd.linked);
	pv_xml_free(x);
	return r;
}

int
pv_tpc_parse(
    const char *text, size_t len, struct pv_tpc *ret_t, struct pv_error *e)
{
	struct reading rd = { .path = "", .t = ret_t };
	struct pv_xml *x = NULL;
	int r;

	memset(ret_t, 0, sizeof(*ret_t));
	if ((r = pv_xml_parse(text, len, &x, e)) != 0)
		return r;
	r = take_all(&rd, pv_xml_root(x), e);
	pv_xml_free(x);
	return r;
}
