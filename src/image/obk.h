/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OB-key objects from their descriptions: ST's XML (TrustedPackageCreator
 * -obk) or the JSON of formats/obk.md. A description is read into a spec, a
 * spec is built into bytes, and bytes are linted.
 */
#ifndef PV_IMAGE_OBK_H
#define PV_IMAGE_OBK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/adac.h"
#include "formats/obk.h"

struct pv_secret;
struct pv_json;
struct pv_xml_node;

/* --- a description ------------------------------------------------------------- */

#define PV_OBK_FIELDS 64U
#define PV_OBK_SLOTS  16U

enum pv_obk_field_kind {
	PV_OBK_NUMBER,	    /* `text` in hex, `width` bytes little-endian */
	PV_OBK_PASSWORD,    /* `text`, or the first line of `path` */
	PV_OBK_PUBLIC_KEY,  /* SubjectPublicKeyInfo of the key in `path` */
	PV_OBK_PRIVATE_KEY, /* ST's short PKCS#8 of it */
	PV_OBK_FILE,	    /* a PEM private key, or the bytes of `path` */
	PV_OBK_PERMISSION,  /* `text`, 16 bytes */
};

struct pv_obk_field {
	enum pv_obk_field_kind kind;
	char *name;
	char *text;
	char *path; /* beside the description, or absolute; or a pkcs11: URI */
	uint32_t width; /* of a number; most of a password, in bytes */
	uint32_t min;	/* least of a password */
	uint32_t align; /* keys and files */
	char *depends;	/* "Image,0x02": matters only then; or "Image" */
	unsigned int start, size; /* this is start or size of slot 1.. */
	unsigned int start2, size2;
};

struct pv_obk_spec {
	const char *path; /* of the description, borrowed */
	char *title, *mcu;
	bool has_header; /* else a plain blob */
	uint32_t address;
	bool encrypt;
	uint32_t align; /* of the body */
	bool hash;
	bool da;		     /* rules of debug authentication */
	uint32_t flash_size, sector; /* 0: not said */
	struct pv_obk_field field[PV_OBK_FIELDS];
	size_t n;
	char *output; /* where the description wants the result, or NULL */
};

PV_MUST_USE int pv_obk_spec_from_xml(
    const char *path, struct pv_obk_spec *ret_s, struct pv_error *e);
PV_MUST_USE int pv_obk_spec_from_json(
    const char *path, struct pv_obk_spec *ret_s, struct pv_error *e);
/* Wipes. */
void pv_obk_spec_release(struct pv_obk_spec *s);

/* Areas of the flash: on sectors, inside, not over each other. */
PV_MUST_USE int pv_obk_spec_slots(
    const struct pv_obk_spec *s, struct pv_error *e);

/*
 * Does a path reach above the folder that holds the description's folder, or
 * is it absolute? ST's descriptions stand in Config/ beside Keys/ and Binary/.
 */
bool pv_obk_outside(const struct pv_obk_spec *s, const char *path);

/* The path in a description, from its folder; '\\' counts as '/'. Caller
 * frees; NULL when out of memory. */
char *pv_obk_path(const char *description, const char *value);

/* --- building ------------------------------------------------------------------- */

/* Where keys come from; only the program knows of tokens. */
struct pv_obk_keys {
	void *ctx;
	int (*point)(void *ctx, const char *key, uint8_t ret_point[64],
	    struct pv_error *e);
	int (*scalar)(
	    void *ctx, const char *key, uint8_t ret_d[32], struct pv_error *e);
};

/*
 * The whole file, in a secret, for it may hold a private key. A password
 * outside its limits and a mask of permissions that is empty are
 * PV_E_POLICY. With `password` not NULL that of the spec is given there (or
 * NULL when it has none).
 */
PV_MUST_USE int pv_obk_build(const struct pv_obk_spec *s,
    const struct pv_obk_keys *keys, struct pv_secret **ret_file,
    struct pv_secret **ret_password, struct pv_error *e);

#define PV_OBK_SPKI  91U
#define PV_OBK_PKCS8 70U
/* The key encodings of OB keys; see obk.md. */
void pv_obk_spki(const uint8_t point[64], uint8_t ret_der[PV_OBK_SPKI]);
void pv_obk_pkcs8(const uint8_t d[32], uint8_t ret_der[PV_OBK_PKCS8]);

/* --- linting -------------------------------------------------------------------- */

#define PV_OBK_FINDINGS 32U

struct pv_obk_finding {
	int code; /* 0: worth saying; else why it must not be used */
	char text[200];
};

struct pv_obk_lint {
	bool no_crypto;	 /* a device without crypto engine, such as STM32H563 */
	bool has_crypto; /* one with it; neither: not known */
	bool allow_irreversible;
	bool allow_unlisted; /* destinations that are not known */
	struct pv_obk_finding v[PV_OBK_FINDINGS];
	size_t n;
};

/* Adds what there is to say about one object. */
PV_MUST_USE int pv_obk_lint(
    const struct pv_obk *o, struct pv_obk_lint *l, struct pv_error *e);
/* ... and about objects of one job: those of two boot paths. */
void pv_obk_lint_set(
    const uint32_t *addresses, size_t n, struct pv_obk_lint *l);
/* The first error among the findings, recorded in e, or 0. */
PV_MUST_USE int pv_obk_lint_result(
    const struct pv_obk_lint *l, struct pv_error *e);
void pv_obk_found(struct pv_obk_lint *l, int code, const char *fmt, ...)
    PV_PRINTF(3, 4);
/* The words for a minimal product state; NULL when it is none. */
const char *pv_obk_state_name(uint32_t state);

#endif
