/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON over cJSON: a size cap, no duplicate names, nothing after the
 * value, names compared by case. Numbers of cJSON are doubles, so 64-bit
 * counters, addresses and serial numbers travel as strings ("0x08000000",
 * "412"); pv_json_u64 reads both forms.
 *
 * A struct pv_json is a value inside a tree; only the root is freed.
 */
#ifndef PV_JSON_H
#define PV_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

struct pv_json; /* opaque */

#define PV_JSON_MAX (16U << 20) /* bytes of text, the hard cap */

/* Parse `len` bytes of UTF-8 text. PV_E_MALFORMED names the byte offset. */
PV_MUST_USE int pv_json_parse(const char *text, size_t len,
    struct pv_json **ret_root, struct pv_error *e);
/* Read and parse a file of at most `max` bytes. */
PV_MUST_USE int pv_json_read_file(const char *path, size_t max,
    struct pv_json **ret_root, struct pv_error *e);
/* Only for a root. NULL is allowed. */
void pv_json_free(struct pv_json *root);
/*
 * The same for a tree that holds secrets: its texts are wiped first. They are
 * not in locked memory while they live.
 */
void pv_json_wipe(struct pv_json *root);

/* --- reading ------------------------------------------------------------ */

/* Member of an object, or NULL when absent (or v is not an object). */
const struct pv_json *pv_json_get(const struct pv_json *v, const char *name);
bool pv_json_is_object(const struct pv_json *v);
bool pv_json_is_array(const struct pv_json *v);
/* Members of an array or object; 0 for anything else. */
size_t pv_json_count(const struct pv_json *v);
/* i-th member of an array or object, and its name in an object. */
const struct pv_json *pv_json_at(const struct pv_json *v, size_t i);
const char *pv_json_name_at(const struct pv_json *v, size_t i);
/* The string itself, borrowed; NULL when v is not a string. */
const char *pv_json_text(const struct pv_json *v);

/*
 * Members of an object by name, with messages that name them. A missing
 * member or one of another type is PV_E_MALFORMED. The `opt` forms leave
 * *ret_ untouched and return 0 when it is absent.
 */
PV_MUST_USE int pv_json_str(const struct pv_json *obj, const char *name,
    const char **ret_s, struct pv_error *e);
PV_MUST_USE int pv_json_opt_str(const struct pv_json *obj, const char *name,
    const char **ret_s, struct pv_error *e);
/* A whole number 0..max: a JSON number, or a string, decimal or 0x hex. */
PV_MUST_USE int pv_json_u64(const struct pv_json *obj, const char *name,
    uint64_t max, uint64_t *ret_v, struct pv_error *e);
PV_MUST_USE int pv_json_opt_u64(const struct pv_json *obj, const char *name,
    uint64_t max, uint64_t *ret_v, struct pv_error *e);
PV_MUST_USE int pv_json_opt_bool(const struct pv_json *obj, const char *name,
    bool *ret_v, struct pv_error *e);
/* The value itself as a number, by the rules of pv_json_u64. */
PV_MUST_USE int pv_json_value_u64(
    const struct pv_json *v, uint64_t max, uint64_t *ret_v, struct pv_error *e);

/* --- building ------------------------------------------------------------
 * Builders never fail loudly: after running out of memory the tree is marked
 * and pv_json_print says so, so callers check once.
 */
struct pv_json *pv_json_new_object(void);
struct pv_json *pv_json_new_array(void);
/* Add to an object; returns the added child for object and array. */
void pv_json_set_str(struct pv_json *obj, const char *name, const char *s);
void pv_json_set_int(struct pv_json *obj, const char *name, int64_t v);
void pv_json_set_bool(struct pv_json *obj, const char *name, bool v);
void pv_json_set_null(struct pv_json *obj, const char *name);
/* "412": for counters and serials. */
void pv_json_set_u64(struct pv_json *obj, const char *name, uint64_t v);
/* "0x08000000": for addresses, at least 8 digits. */
void pv_json_set_addr(struct pv_json *obj, const char *name, uint64_t v);
/* Lower-case hex of bytes. */
void pv_json_set_hex(
    struct pv_json *obj, const char *name, const void *data, size_t len);
struct pv_json *pv_json_set_object(struct pv_json *obj, const char *name);
struct pv_json *pv_json_set_array(struct pv_json *obj, const char *name);
struct pv_json *pv_json_add_object(struct pv_json *arr);
void pv_json_add_str(struct pv_json *arr, const char *s);

/*
 * One line of text without newline, in fresh memory the caller frees.
 * Non-ASCII and control bytes come out escaped or as valid UTF-8.
 */
PV_MUST_USE int pv_json_print(
    const struct pv_json *root, char **ret_text, struct pv_error *e);

#endif
