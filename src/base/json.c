/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/file.h"
#include "base/hex.h"
#include <provisor/secret.h>

#include <cjson/cJSON.h>

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2^53: the largest range in which every whole double is exact. */
#define EXACT_MAX 9007199254740992.0

/*
 * A struct pv_json is a cJSON item seen through an opaque name. A build that
 * ran out of memory gets this as its unused text, which print looks for.
 */
static const char poison[] = "\x01out-of-memory";

static cJSON *
in(struct pv_json *v)
{
	return (cJSON *)(void *)v;
}

static const cJSON *
cin(const struct pv_json *v)
{
	return (const cJSON *)(const void *)v;
}

static struct pv_json *
out(cJSON *v)
{
	return (struct pv_json *)(void *)v;
}

static const struct pv_json *
cout(const cJSON *v)
{
	return (const struct pv_json *)(const void *)v;
}

static int
compare_names(const void *a, const void *b)
{
	const char *const *x = a;
	const char *const *y = b;

	return strcmp(*x, *y);
}

/* The name that an object has twice, or NULL; *ret_r on lack of memory. */
static const char *
repeated_in(const cJSON *v, int *ret_r, struct pv_error *e)
{
	int n = cJSON_GetArraySize(v), i = 0;
	const char **names, *found = NULL;
	const cJSON *c;

	if (n < 2)
		return NULL;
	names = calloc((size_t)n, sizeof(*names));
	if (names == NULL) {
		*ret_r = pv_fail(e, PV_E_NOMEM, "out of memory");
		return NULL;
	}
	cJSON_ArrayForEach(c, v) names[i++] = c->string;
	qsort(names, (size_t)n, sizeof(*names), compare_names);
	for (i = 1; i < n && found == NULL; i++) {
		if (strcmp(names[i - 1], names[i]) == 0)
			found = names[i];
	}
	free(names);
	return found;
}

/* No object has two members of one name. cJSON limits the depth itself. */
static int
check_names(const cJSON *v, struct pv_error *e)
{
	const cJSON *c;
	int r = 0;

	if (cJSON_IsObject(v)) {
		const char *name = repeated_in(v, &r, e);

		if (name != NULL)
			return pv_fail(e, PV_E_MALFORMED,
			    "member '%s' appears twice", name);
	}
	cJSON_ArrayForEach(c, v)
	{
		if (r != 0 || (r = check_names(c, e)) != 0)
			break;
	}
	return r;
}

/* "\u0000" would end the text before its end, for everyone who reads it. */
static bool
has_zero(const char *text, size_t len)
{
	static const char zero[] = "u0000";

	for (size_t i = 0; i + 1 < len; i++) {
		if (text[i] != '\\')
			continue;
		i++;
		if (len - i >= sizeof(zero) - 1 &&
		    memcmp(text + i, zero, sizeof(zero) - 1) == 0)
			return true;
	}
	return false;
}

int
pv_json_parse(
    const char *text, size_t len, struct pv_json **ret_root, struct pv_error *e)
{
	const char *end = NULL;
	cJSON *root;
	int r;

	if (len > PV_JSON_MAX)
		return pv_fail(e, PV_E_MALFORMED, "more than %u bytes of JSON",
		    PV_JSON_MAX);
	if (memchr(text, '\0', len) != NULL)
		return pv_fail(e, PV_E_MALFORMED, "a zero byte in JSON text");
	if (has_zero(text, len))
		return pv_fail(
		    e, PV_E_MALFORMED, "the character \\u0000 in JSON text");
	root = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	if (root == NULL)
		return pv_fail(e, PV_E_MALFORMED, "not JSON at byte %zu",
		    end == NULL ? 0 : (size_t)(end - text));
	while (end < text + len &&
	       (*end == ' ' || *end == '\t' || *end == '\n' || *end == '\r'))
		end++;
	if (end != text + len) {
		r = pv_fail(e, PV_E_MALFORMED,
		    "text after the JSON value at byte %zu",
		    (size_t)(end - text));
	} else {
		r = check_names(root, e);
	}
	/* What is refused may hold secrets all the same. */
	if (r != 0)
		pv_json_wipe(out(root));
	else
		*ret_root = out(root);
	return r;
}

int
pv_json_read_file(
    const char *path, size_t max, struct pv_json **ret_root, struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len = 0;
	int r;

	if ((r = pv_file_read(path, max, &data, &len, e)) != 0)
		return r;
	if ((r = pv_json_parse((const char *)data, len, ret_root, e)) != 0)
		(void)pv_wrap(e, "'%s'", path);
	free(data);
	return r;
}

void
pv_json_free(struct pv_json *root)
{
	cJSON_Delete(in(root));
}

static void
wipe_texts(cJSON *v)
{
	for (; v != NULL; v = v->next) {
		if (v->valuestring != NULL)
			pv_wipe(v->valuestring, strlen(v->valuestring));
		/* Numbers in decimal may be secret, too. */
		pv_wipe(&v->valuedouble, sizeof(v->valuedouble));
		pv_wipe(&v->valueint, sizeof(v->valueint));
		wipe_texts(v->child);
	}
}

void
pv_json_wipe(struct pv_json *root)
{
	wipe_texts(in(root));
	cJSON_Delete(in(root));
}

/* --- reading --------------------------------------------------------------- */

const struct pv_json *
pv_json_get(const struct pv_json *v, const char *name)
{
	if (!pv_json_is_object(v))
		return NULL;
	return cout(cJSON_GetObjectItemCaseSensitive(cin(v), name));
}

bool
pv_json_is_object(const struct pv_json *v)
{
	return v != NULL && cJSON_IsObject(cin(v));
}

bool
pv_json_is_array(const struct pv_json *v)
{
	return v != NULL && cJSON_IsArray(cin(v));
}

size_t
pv_json_count(const struct pv_json *v)
{
	if (!pv_json_is_object(v) && !pv_json_is_array(v))
		return 0;
	return (size_t)cJSON_GetArraySize(cin(v));
}

const struct pv_json *
pv_json_at(const struct pv_json *v, size_t i)
{
	if (i >= pv_json_count(v) || i > INT_MAX)
		return NULL;
	return cout(cJSON_GetArrayItem(cin(v), (int)i));
}

const char *
pv_json_name_at(const struct pv_json *v, size_t i)
{
	const struct pv_json *c = pv_json_at(v, i);

	return c == NULL ? NULL : cin(c)->string;
}

const char *
pv_json_text(const struct pv_json *v)
{
	return v == NULL ? NULL : cJSON_GetStringValue(cin(v));
}

static int
missing(struct pv_error *e, const char *name)
{
	return pv_fail(e, PV_E_MALFORMED, "member '%s' is missing", name);
}

int
pv_json_opt_str(const struct pv_json *obj, const char *name, const char **ret_s,
    struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(obj, name);

	if (v == NULL)
		return 0;
	if (pv_json_text(v) == NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "member '%s' is not text", name);
	*ret_s = pv_json_text(v);
	return 0;
}

int
pv_json_str(const struct pv_json *obj, const char *name, const char **ret_s,
    struct pv_error *e)
{
	if (pv_json_get(obj, name) == NULL)
		return missing(e, name);
	return pv_json_opt_str(obj, name, ret_s, e);
}

int
pv_json_value_u64(
    const struct pv_json *v, uint64_t max, uint64_t *ret_v, struct pv_error *e)
{
	const char *text = pv_json_text(v);
	uint64_t n;

	if (text != NULL) {
		if (pv_parse_u64(text, max, "value", ret_v, e) != 0)
			return e == NULL ? PV_E_MALFORMED
					 : (e->code = PV_E_MALFORMED);
		return 0;
	}
	if (v != NULL && cJSON_IsNumber(cin(v))) {
		double d = cin(v)->valuedouble;

		if (!(d >= 0 && d <= EXACT_MAX) || d != floor(d))
			return pv_fail(e, PV_E_MALFORMED,
			    "not a whole number that is exact");
		n = (uint64_t)d;
		if (n > max)
			return pv_fail(e, PV_E_MALFORMED,
			    "%" PRIu64 " is too large (at most %" PRIu64 ")", n,
			    max);
		*ret_v = n;
		return 0;
	}
	return pv_fail(e, PV_E_MALFORMED, "not a number");
}

int
pv_json_opt_u64(const struct pv_json *obj, const char *name, uint64_t max,
    uint64_t *ret_v, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(obj, name);
	int r;

	if (v == NULL)
		return 0;
	if ((r = pv_json_value_u64(v, max, ret_v, e)) != 0)
		(void)pv_wrap(e, "member '%s'", name);
	return r;
}

int
pv_json_u64(const struct pv_json *obj, const char *name, uint64_t max,
    uint64_t *ret_v, struct pv_error *e)
{
	if (pv_json_get(obj, name) == NULL)
		return missing(e, name);
	return pv_json_opt_u64(obj, name, max, ret_v, e);
}

int
pv_json_opt_bool(const struct pv_json *obj, const char *name, bool *ret_v,
    struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(obj, name);

	if (v == NULL)
		return 0;
	if (!cJSON_IsBool(cin(v)))
		return pv_fail(e, PV_E_MALFORMED,
		    "member '%s' is not true or false", name);
	*ret_v = cJSON_IsTrue(cin(v));
	return 0;
}

/* --- building -------------------------------------------------------------- */

struct pv_json *
pv_json_new_object(void)
{
	return out(cJSON_CreateObject());
}

struct pv_json *
pv_json_new_array(void)
{
	return out(cJSON_CreateArray());
}

/* Attach, or mark the parent as broken. */
static struct pv_json *
attach(struct pv_json *parent, const char *name, cJSON *child)
{
	bool done;

	if (parent == NULL) {
		cJSON_Delete(child);
		return NULL;
	}
	done = child != NULL &&
	       (name != NULL ? cJSON_AddItemToObject(in(parent), name, child)
			     : cJSON_AddItemToArray(in(parent), child));
	if (!done) {
		cJSON_Delete(child);
		if (in(parent)->valuestring == NULL)
			in(parent)->valuestring = strdup(poison);
		return NULL;
	}
	return out(child);
}

void
pv_json_set_str(struct pv_json *obj, const char *name, const char *s)
{
	(void)attach(
	    obj, name, s == NULL ? cJSON_CreateNull() : cJSON_CreateString(s));
}

void
pv_json_set_int(struct pv_json *obj, const char *name, int64_t v)
{
	(void)attach(obj, name, cJSON_CreateNumber((double)v));
}

void
pv_json_set_bool(struct pv_json *obj, const char *name, bool v)
{
	(void)attach(obj, name, cJSON_CreateBool(v));
}

void
pv_json_set_null(struct pv_json *obj, const char *name)
{
	(void)attach(obj, name, cJSON_CreateNull());
}

void
pv_json_set_u64(struct pv_json *obj, const char *name, uint64_t v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, v);
	pv_json_set_str(obj, name, text);
}

void
pv_json_set_addr(struct pv_json *obj, const char *name, uint64_t v)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "0x%08" PRIx64, v);
	pv_json_set_str(obj, name, text);
}

void
pv_json_set_hex(
    struct pv_json *obj, const char *name, const void *data, size_t len)
{
	char *text = malloc(2 * len + 1);

	if (text != NULL)
		pv_hex_encode(text, data, len);
	(void)attach(obj, name, text == NULL ? NULL : cJSON_CreateString(text));
	free(text);
}

struct pv_json *
pv_json_set_object(struct pv_json *obj, const char *name)
{
	return attach(obj, name, cJSON_CreateObject());
}

struct pv_json *
pv_json_set_array(struct pv_json *obj, const char *name)
{
	return attach(obj, name, cJSON_CreateArray());
}

struct pv_json *
pv_json_add_object(struct pv_json *arr)
{
	return attach(arr, NULL, cJSON_CreateObject());
}

void
pv_json_add_str(struct pv_json *arr, const char *s)
{
	(void)attach(arr, NULL, cJSON_CreateString(s));
}

/* Was anything lost while building? */
static bool
poisoned(const cJSON *v)
{
	const cJSON *c;

	if ((cJSON_IsObject(v) || cJSON_IsArray(v)) && v->valuestring != NULL)
		return true;
	cJSON_ArrayForEach(c, v)
	{
		if (poisoned(c))
			return true;
	}
	return false;
}

int
pv_json_print(const struct pv_json *root, char **ret_text, struct pv_error *e)
{
	char *text;

	if (root == NULL || poisoned(cin(root)))
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	text = cJSON_PrintUnformatted(cin(root));
	if (text == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	*ret_text = text;
	return 0;
}
