/* SPDX-License-Identifier: Apache-2.0 */
/* Strict XML: libxml2 reports, the small tree here is built from that. */
#include "base/xml.h"

#include "base/file.h"
#include "base/lazy.h"
#include <provisor/secret.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#ifdef PV_WITH_LIBXML2
#include <libxml/SAX2.h>
#include <libxml/parser.h>
#endif

struct pv_xml_node {
	char *name;
	char *text; /* as it stands in the file, or NULL */
	size_t text_len, text_room;
	char *trimmed; /* inside text */
	bool padded;
	unsigned int line;
	struct pv_xml_node *parent, *first, *last, *next;
};

struct pv_xml {
	struct pv_xml_node *root;
};

static void
free_node(struct pv_xml_node *n)
{
	if (n->text != NULL)
		pv_wipe(n->text, n->text_len);
	free(n->text);
	free(n->name);
	free(n);
}

void
pv_xml_free(struct pv_xml *x)
{
	struct pv_xml_node *n = x == NULL ? NULL : x->root, *up;

	while (n != NULL) {
		if (n->first != NULL) {
			/* Its children first; it has none after that. */
			up = n;
			n = n->first;
			up->first = NULL;
			continue;
		}
		up = n->next != NULL ? n->next : n->parent;
		free_node(n);
		n = up;
	}
	free(x);
}

#ifdef PV_WITH_LIBXML2

#define XML_FUNCTIONS(X)           \
	X(xmlCreatePushParserCtxt) \
	X(xmlCtxtUseOptions)       \
	X(xmlFreeDoc)              \
	X(xmlFreeParserCtxt)       \
	X(xmlParseChunk)           \
	X(xmlSAX2GetLineNumber)    \
	X(xmlStopParser)

/* The functions of libxml2, filled once by load() and then only read. */
#define MEMBER(name) __typeof__(name) *name;
static struct {
	XML_FUNCTIONS(MEMBER)
} lib;

static int
load(struct pv_error *e)
{
#define SYMBOL(name) { #name, &lib.name },
	static const struct pv_lazy_symbol symbols[] = { XML_FUNCTIONS(
	    SYMBOL) };

	return pv_lazy_load(PV_LIBXML2_SONAME, symbols,
	    sizeof(symbols) / sizeof(symbols[0]), e);
}

/* What the callbacks of libxml2 share. */
struct builder {
	xmlParserCtxtPtr ctxt;
	struct pv_xml_node *root, *open;
	unsigned int depth, count;
	struct pv_error error; /* the first fault, code 0 without one */
};

static int
line_of(const struct builder *b)
{
	return lib.xmlSAX2GetLineNumber(b->ctxt);
}

static void
stop(struct builder *b, int code, const char *what)
{
	if (b->error.code == 0)
		(void)pv_fail(&b->error, code, "line %d: %s", line_of(b), what);
	lib.xmlStopParser(b->ctxt);
}

static void
on_start(void *ctx, const xmlChar *name, const xmlChar *prefix,
    const xmlChar *uri, int n_ns, const xmlChar **ns, int n_attr,
    int n_defaulted, const xmlChar **attr)
{
	struct builder *b = ctx;
	struct pv_xml_node *n;

	(void)uri;
	(void)n_ns;
	(void)ns;
	(void)n_defaulted;
	if (b->error.code != 0)
		return;
	if (prefix != NULL) {
		stop(b, PV_E_MALFORMED, "an element with a name space");
		return;
	}
	for (int i = 0; i < n_attr; i++)
		if (attr[(size_t)i * 5 + 1] == NULL) {
			stop(b, PV_E_MALFORMED,
			    "attributes are not part of this format");
			return;
		}
	if (++b->count > PV_XML_ELEMENTS || ++b->depth > PV_XML_DEPTH) {
		stop(b, PV_E_MALFORMED, "too many elements");
		return;
	}
	n = calloc(1, sizeof(*n));
	if (n == NULL || (n->name = strdup((const char *)name)) == NULL) {
		free(n);
		stop(b, PV_E_NOMEM, "out of memory");
		return;
	}
	n->line = (unsigned int)line_of(b);
	n->parent = b->open;
	if (b->open == NULL)
		b->root = n;
	else if (b->open->last == NULL)
		b->open->first = n;
	else
		b->open->last->next = n;
	if (b->open != NULL)
		b->open->last = n;
	b->open = n;
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void
trim(struct pv_xml_node *n)
{
	size_t from = 0, to = n->text_len;

	while (from < to && is_space(n->text[from]))
		from++;
	while (to > from && is_space(n->text[to - 1]))
		to--;
	n->padded = from > 0 || to < n->text_len;
	n->trimmed = n->text + from;
	n->text[to] = '\0';
}

static void
on_end(
    void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct builder *b = ctx;

	(void)name;
	(void)prefix;
	(void)uri;
	if (b->error.code != 0 || b->open == NULL)
		return;
	if (b->open->text != NULL)
		trim(b->open);
	b->open = b->open->parent;
	b->depth--;
}

/* Never realloc: there may be a password in it. */
static int
grow(struct pv_xml_node *n, size_t need)
{
	size_t room = n->text_room == 0 ? 64 : n->text_room;
	char *text;

	while (room < need)
		room *= 2;
	text = malloc(room);
	if (text == NULL)
		return -1;
	if (n->text != NULL) {
		memcpy(text, n->text, n->text_len);
		pv_wipe(n->text, n->text_len);
		free(n->text);
	}
	n->text = text;
	n->text_room = room;
	return 0;
}

static void
on_text(void *ctx, const xmlChar *s, int len)
{
	struct builder *b = ctx;
	struct pv_xml_node *n = b->open;
	size_t add = (size_t)len;

	if (b->error.code != 0 || n == NULL || len <= 0)
		return;
	if (n->text_room < n->text_len + add + 1 &&
	    grow(n, n->text_len + add + 1) != 0) {
		stop(b, PV_E_NOMEM, "out of memory");
		return;
	}
	memcpy(n->text + n->text_len, s, add);
	n->text_len += add;
	n->text[n->text_len] = '\0';
}

static void
on_doctype(void *ctx, const xmlChar *name, const xmlChar *public_id,
    const xmlChar *system_id)
{
	(void)name;
	(void)public_id;
	(void)system_id;
	stop(ctx, PV_E_MALFORMED,
	    "a document type, and with it entities, is not accepted");
}

static void
on_reference(void *ctx, const xmlChar *name)
{
	(void)name;
	stop(ctx, PV_E_MALFORMED, "an entity is not accepted");
}

/* Errors of libxml2; warnings are no reason to stop. */
static void
on_error(void *ctx, xmlErrorPtr err)
{
	struct builder *b = ctx;
	char text[160];
	size_t n;

	if (err->level < XML_ERR_ERROR || b->error.code != 0)
		return;
	(void)snprintf(text, sizeof(text), "%s",
	    err->message == NULL ? "not well-formed" : err->message);
	n = strlen(text);
	while (n > 0 && is_space(text[n - 1]))
		text[--n] = '\0';
	(void)pv_fail(
	    &b->error, PV_E_MALFORMED, "line %d: %s", err->line, text);
}

static void
set_handlers(xmlSAXHandler *sax)
{
	memset(sax, 0, sizeof(*sax));
	sax->initialized = XML_SAX2_MAGIC;
	sax->startElementNs = on_start;
	sax->endElementNs = on_end;
	sax->characters = on_text;
	sax->ignorableWhitespace = on_text;
	sax->cdataBlock = on_text;
	sax->internalSubset = on_doctype;
	sax->externalSubset = on_doctype;
	sax->reference = on_reference;
	sax->serror = on_error;
}

static bool
is_utf8_name(const xmlChar *name)
{
	const char *s = (const char *)name;

	return s == NULL || strcasecmp(s, "UTF-8") == 0 ||
	       strcasecmp(s, "US-ASCII") == 0 || strcasecmp(s, "ASCII") == 0;
}

static void
feed(struct builder *b, const char *text, size_t len)
{
	const xmlChar *encoding;

	(void)lib.xmlCtxtUseOptions(b->ctxt, XML_PARSE_NONET);
	(void)lib.xmlParseChunk(b->ctxt, text, (int)len, 1);
	encoding = b->ctxt->encoding;
	if (b->error.code == 0 && !is_utf8_name(encoding))
		(void)pv_fail(&b->error, PV_E_MALFORMED,
		    "it is not in UTF-8 but in '%.32s'",
		    (const char *)encoding);
	if (b->error.code == 0 &&
	    (b->ctxt->wellFormed == 0 || b->root == NULL || b->open != NULL))
		(void)pv_fail(&b->error, PV_E_MALFORMED, "not well-formed XML");
}

int
pv_xml_parse(
    const char *text, size_t len, struct pv_xml **ret_x, struct pv_error *e)
{
	struct builder b = { 0 };
	struct pv_xml *x;
	xmlSAXHandler sax;
	int r;

	if (len > PV_XML_MAX)
		return pv_fail(
		    e, PV_E_MALFORMED, "more than %u bytes of XML", PV_XML_MAX);
	if (memchr(text, '\0', len) != NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "a byte of zero: not XML in UTF-8");
	if ((r = load(e)) != 0)
		return r;
	x = calloc(1, sizeof(*x));
	set_handlers(&sax);
	b.ctxt = x == NULL
		     ? NULL
		     : lib.xmlCreatePushParserCtxt(&sax, &b, NULL, 0, NULL);
	if (b.ctxt == NULL) {
		free(x);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	feed(&b, text, len);
	x->root = b.root;
	if (b.ctxt->myDoc != NULL)
		lib.xmlFreeDoc(b.ctxt->myDoc);
	lib.xmlFreeParserCtxt(b.ctxt);
	if (b.error.code != 0) {
		pv_xml_free(x);
		if (e != NULL)
			*e = b.error;
		return b.error.code;
	}
	*ret_x = x;
	return 0;
}

bool
pv_xml_built_in(void)
{
	return true;
}

#else

int
pv_xml_parse(
    const char *text, size_t len, struct pv_xml **ret_x, struct pv_error *e)
{
	(void)text;
	(void)len;
	(void)ret_x;
	return pv_fail(e, PV_E_UNSUPPORTED,
	    "this program was built without libxml2 and reads no XML");
}

bool
pv_xml_built_in(void)
{
	return false;
}

#endif

int
pv_xml_read_file(const char *path, struct pv_xml **ret_x, struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_file_read(path, PV_XML_MAX, &data, &len, e);

	if (r != 0)
		return r;
	r = pv_xml_parse((const char *)data, len, ret_x, e);
	pv_wipe(data, len);
	free(data);
	return r != 0 ? pv_wrap(e, "'%s'", path) : 0;
}

/* --- looking around ----------------------------------------------------------- */

const struct pv_xml_node *
pv_xml_root(const struct pv_xml *x)
{
	return x->root;
}

const char *
pv_xml_name(const struct pv_xml_node *n)
{
	return n->name;
}

const char *
pv_xml_text(const struct pv_xml_node *n)
{
	return n->trimmed == NULL ? "" : n->trimmed;
}

bool
pv_xml_padded(const struct pv_xml_node *n)
{
	return n->padded;
}

unsigned int
pv_xml_line(const struct pv_xml_node *n)
{
	return n->line;
}

const struct pv_xml_node *
pv_xml_first(const struct pv_xml_node *n)
{
	return n == NULL ? NULL : n->first;
}

const struct pv_xml_node *
pv_xml_next(const struct pv_xml_node *n)
{
	return n == NULL ? NULL : n->next;
}

static const struct pv_xml_node *
named(const struct pv_xml_node *n, const char *name)
{
	while (n != NULL && strcmp(n->name, name) != 0)
		n = n->next;
	return n;
}

const struct pv_xml_node *
pv_xml_child(const struct pv_xml_node *n, const char *name)
{
	return named(pv_xml_first(n), name);
}

const struct pv_xml_node *
pv_xml_again(const struct pv_xml_node *n)
{
	return n == NULL ? NULL : named(n->next, n->name);
}

int
pv_xml_opt(const struct pv_xml_node *n, const char *name, const char **ret_text,
    struct pv_error *e)
{
	const struct pv_xml_node *c = pv_xml_child(n, name);

	if (pv_xml_again(c) != NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "line %u: two elements '%s' in one '%s'",
		    pv_xml_again(c)->line, name, n->name);
	*ret_text = c == NULL ? NULL : pv_xml_text(c);
	return 0;
}

int
pv_xml_need(const struct pv_xml_node *n, const char *name,
    const char **ret_text, struct pv_error *e)
{
	int r = pv_xml_opt(n, name, ret_text, e);

	if (r == 0 && *ret_text == NULL)
		r = pv_fail(e, PV_E_MALFORMED,
		    "line %u: '%s' lacks the element '%s'", n->line, n->name,
		    name);
	return r;
}
