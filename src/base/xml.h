/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict XML over libxml2: UTF-8, a cap on size, depth and elements. A
 * document type, and with it every entity of one's own, is refused, nothing
 * is ever fetched. Only elements and their text come through: comments and
 * processing instructions are dropped, and so are attributes of a name space
 * (xsi:...); any other attribute is refused, for nobody would look at it.
 *
 * A build without libxml2 has these functions, and parsing is
 * PV_E_UNSUPPORTED.
 */
#ifndef PV_XML_H
#define PV_XML_H

#include <stdbool.h>
#include <stddef.h>

#include <provisor/err.h>

#define PV_XML_MAX	1048576U /* bytes of text */
#define PV_XML_ELEMENTS 8192U
#define PV_XML_DEPTH	32U

struct pv_xml;	    /* a document; opaque */
struct pv_xml_node; /* an element inside it; opaque */

bool pv_xml_built_in(void);

/* PV_E_MALFORMED names the line. */
PV_MUST_USE int pv_xml_parse(
    const char *text, size_t len, struct pv_xml **ret_x, struct pv_error *e);
/* Read and parse a file; the messages name the path. */
PV_MUST_USE int pv_xml_read_file(
    const char *path, struct pv_xml **ret_x, struct pv_error *e);
/* Wipes, for there may be a password inside; NULL is allowed. */
void pv_xml_free(struct pv_xml *x);

const struct pv_xml_node *pv_xml_root(const struct pv_xml *x);
const char *pv_xml_name(const struct pv_xml_node *n);
/* Its own text, without that of its children and without white space at both
 * ends; never NULL. */
const char *pv_xml_text(const struct pv_xml_node *n);
/* Does its text begin or end with white space? */
bool pv_xml_padded(const struct pv_xml_node *n);
unsigned int pv_xml_line(const struct pv_xml_node *n);

/* First child and next sibling, elements only; NULL at the end. NULL as `n`
 * gives NULL. */
const struct pv_xml_node *pv_xml_first(const struct pv_xml_node *n);
const struct pv_xml_node *pv_xml_next(const struct pv_xml_node *n);
/* First child of that name, NULL when there is none. */
const struct pv_xml_node *pv_xml_child(
    const struct pv_xml_node *n, const char *name);
/* Next sibling of the same name. */
const struct pv_xml_node *pv_xml_again(const struct pv_xml_node *n);
/* Text of the one child of that name, or NULL; two are PV_E_MALFORMED. */
PV_MUST_USE int pv_xml_opt(const struct pv_xml_node *n, const char *name,
    const char **ret_text, struct pv_error *e);
/* The same, and none is PV_E_MALFORMED. */
PV_MUST_USE int pv_xml_need(const struct pv_xml_node *n, const char *name,
    const char **ret_text, struct pv_error *e);

#endif
