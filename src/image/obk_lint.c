/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong, or worth knowing, about an OB-key object: obk.md, "Lint". */
#include "image/obk.h"

#include "base/buf.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include <provisor/secret.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
pv_obk_found(struct pv_obk_lint *l, int code, const char *fmt, ...)
{
	struct pv_obk_finding *f;
	va_list ap;

	if (l->n == PV_OBK_FINDINGS)
		return;
	f = &l->v[l->n++];
	f->code = code;
	va_start(ap, fmt);
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
}

int
pv_obk_lint_result(const struct pv_obk_lint *l, struct pv_error *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].code != 0)
			return pv_fail(e, l->v[i].code, "%s", l->v[i].text);
	return 0;
}

const char *
pv_obk_state_name(uint32_t state)
{
	switch (state) {
	case 0xED:
		return "open";
	case 0x17:
		return "provisioning";
	case 0x2E:
		return "provisioned";
	case 0xC6:
		return "TZ-closed";
	case 0x72:
		return "closed";
	case 0x5C:
		return "locked";
	default:
		return NULL;
	}
}

/* --- debug authentication ------------------------------------------------------ */

/* SHA-256 of passwords that ST's examples and this project have published. */
static const char *const known_passwords[] = { "0123456789012345", "0000",
	"ST-demo-only-pw1", "1234", "12345678", "password" };

static int
lint_password(const uint8_t *hash, struct pv_obk_lint *l, struct pv_error *e)
{
	uint8_t digest[PV_SHA256_LEN];
	size_t n = sizeof(known_passwords) / sizeof(known_passwords[0]);

	for (size_t i = 0; i < n; i++) {
		struct pv_part part = { known_passwords[i],
			strlen(known_passwords[i]) };
		int r = pv_sha256(&part, 1, digest, e);

		if (r != 0)
			return r;
		if (pv_ct_equal(digest, hash, sizeof(digest)))
			pv_obk_found(l, 0,
			    "the password is one that everybody knows, for "
			    "trials only");
	}
	pv_obk_found(l, 0,
	    "a password opens the device by full regression only, and only "
	    "with TrustZone off; with TrustZone on it locks debug for good");
	return 0;
}

static void
lint_mask(const uint8_t *mask, struct pv_obk_lint *l)
{
	char words[PV_ADAC_WORDS], hex[35];

	pv_adac_mask_words(mask, words);
	pv_adac_mask_hex(mask, hex);
	pv_obk_found(l, 0, "permissions %s: %s", hex, words);
	if (!pv_adac_mask_regression(mask) && !l->allow_irreversible)
		pv_obk_found(l, PV_E_IRREVERSIBLE,
		    "permissions %s allow no regression: a closed device "
		    "would stay closed for good",
		    hex);
	pv_obk_found(l, 0, "a certificate works with TrustZone on only");
}

static int
lint_da(const struct pv_obk *o, enum pv_obk_kind kind, struct pv_obk_lint *l,
    struct pv_error *e)
{
	const uint8_t *mask = o->data + 32;
	bool empty = pv_adac_mask_empty(mask);

	if (!pv_adac_mask_empty(o->data + 48))
		pv_obk_found(
		    l, PV_E_MALFORMED, "the last 16 bytes are not zero");
	/* On STM32H5 nothing else tells a certificate from a password; older
	 * templates of ST have 0x5077 beside the password, too. */
	if (kind == PV_OBK_DA_PASSWORD || (kind == PV_OBK_DA && empty))
		return lint_password(o->data, l, e);
	if (empty) {
		pv_obk_found(l, PV_E_POLICY,
		    "the permissions are empty: nobody could ever debug or "
		    "regress the device");
		return 0;
	}
	lint_mask(mask, l);
	return 0;
}

/* --- keys ---------------------------------------------------------------------- */

struct keys {
	uint8_t point[3][64]; /* authentication */
	size_t n;
	uint8_t encryption[64];
	bool has_encryption;
};

static int
lint_public(
    const uint8_t *der, const char *what, struct keys *k, struct pv_obk_lint *l)
{
	uint8_t again[PV_OBK_SPKI];

	pv_obk_spki(der + 27, again);
	if (memcmp(again, der, sizeof(again)) != 0) {
		pv_obk_found(l, PV_E_MALFORMED,
		    "%s is no public key of P-256 in DER", what);
		return 0;
	}
	if (pv_ec_check_public(der + 27, NULL) != 0) {
		pv_obk_found(
		    l, PV_E_MALFORMED, "%s is no point of P-256", what);
		return 0;
	}
	memcpy(k->point[k->n++], der + 27, 64);
	return 0;
}

static int
lint_private(const uint8_t *der, const char *what, struct keys *k,
    struct pv_obk_lint *l, struct pv_error *e)
{
	uint8_t again[PV_OBK_PKCS8];
	struct pv_ec_key *key = NULL;
	bool same;
	int r;

	pv_obk_pkcs8(der + 36, again);
	same = pv_ct_equal(again, der, sizeof(again));
	pv_wipe(again, sizeof(again));
	if (!same) {
		pv_obk_found(l, PV_E_MALFORMED,
		    "%s is not in ST's short PKCS#8 form of 70 bytes", what);
		return 0;
	}
	if (pv_ec_from_scalar(der + 36, &key, NULL) != 0) {
		pv_obk_found(
		    l, PV_E_MALFORMED, "%s is no private key of P-256", what);
		return 0;
	}
	r = pv_ec_public(key, k->encryption, e);
	k->has_encryption = r == 0;
	pv_ec_free(key);
	return r;
}

static void
lint_same(const struct keys *k, struct pv_obk_lint *l)
{
	for (size_t i = 0; k->has_encryption && i < k->n; i++)
		if (memcmp(k->point[i], k->encryption, 64) == 0)
			pv_obk_found(l, PV_E_POLICY,
			    "one key both authenticates and encrypts");
}

/* Where the keys of each kind of object stand in the data. */
static int
lint_keys(const struct pv_obk *o, enum pv_obk_kind kind, struct pv_obk_lint *l,
    struct pv_error *e)
{
	static const struct {
		enum pv_obk_kind kind;
		uint16_t public_at[2]; /* 0xffff: there is none */
		uint16_t private_at;
	} places[] = {
		{ PV_OBK_STIROT_H5, { 120, 0xffff }, 48 },
		{ PV_OBK_STIROT_H7RS, { 133, 0xffff }, 63 },
		{ PV_OBK_OEMIROT_H5, { 0, 92 }, 184 },
		{ PV_OBK_KEYS_H7RS, { 0, 0xffff }, 91 },
	};
	struct keys k = { .n = 0 };
	int r = 0;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (places[i].kind != kind)
			continue;
		for (size_t p = 0; r == 0 && p < 2; p++)
			if (places[i].public_at[p] != 0xffff)
				r = lint_public(
				    o->data + places[i].public_at[p],
				    p == 0 ? "the authentication key"
					   : "the second authentication key",
				    &k, l);
		if (r == 0)
			r = lint_private(o->data + places[i].private_at,
			    "the encryption key", &k, l, e);
	}
	lint_same(&k, l);
	return r;
}

/* --- configurations -------------------------------------------------------------- */

static void
lint_state(uint32_t state, struct pv_obk_lint *l)
{
	const char *name = pv_obk_state_name(state);

	if (name == NULL) {
		pv_obk_found(l, PV_E_MALFORMED,
		    "minimal product state 0x%x is none", (unsigned int)state);
		return;
	}
	if (state == 0xED || state == 0x17)
		pv_obk_found(l, 0,
		    "minimal product state '%s': the firmware also starts on "
		    "an open device",
		    name);
	if (state != 0x5C)
		return;
	pv_obk_found(l, l->allow_irreversible ? 0 : PV_E_IRREVERSIBLE,
	    "minimal product state 'locked': the firmware starts only on a "
	    "device that can never be opened again");
}

static bool
overlap(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
	return a_len != 0 && b_len != 0 && a < (uint64_t)b + b_len &&
	       b < (uint64_t)a + a_len;
}

/* STiRoT_Config of STM32H5; offsets as in obk.md. */
static void
lint_stirot_h5(const uint8_t *d, struct pv_obk_lint *l)
{
	uint32_t exec = pv_get_u32le(d + 4), down = pv_get_u32le(d + 8);
	uint32_t size = pv_get_u32le(d + 12), slot = pv_get_u32le(d + 20);
	uint32_t data = pv_get_u32le(d + 24), data_len = pv_get_u32le(d + 28);
	uint32_t secure = pv_get_u32le(d + 32);

	if (d[0] < 1 || d[0] > 2)
		pv_obk_found(l, PV_E_MALFORMED,
		    "%u images; one or two are possible", d[0]);
	if (size == 0)
		pv_obk_found(l, PV_E_MALFORMED, "the firmware area is empty");
	if (overlap(exec, size, down, size))
		pv_obk_found(l, PV_E_OVERLAP,
		    "execution and download area lie over each other");
	if (d[0] == 2 && (overlap(exec, size, data, data_len) ||
			     overlap(down, size, data, data_len)))
		pv_obk_found(
		    l, PV_E_OVERLAP, "the data area lies over a firmware area");
	if (d[0] == 2 && (slot == 0 || slot > 0x2F0))
		pv_obk_found(l, PV_E_RANGE,
		    "data slot of 0x%x bytes; 1 to 0x2f0 are possible",
		    (unsigned int)slot);
	if (d[2] == 1 && secure != size)
		pv_obk_found(l, 0,
		    "full secure, and a secure size of 0x%x other than the "
		    "firmware area of 0x%x",
		    (unsigned int)secure, (unsigned int)size);
	if (d[3] == 1)
		pv_obk_found(
		    l, 0, "without a valid image it starts ST's bootloader");
	if (pv_get_u32le(d + 36) != 0)
		pv_obk_found(l, 0, "SRAM2 is not erased at a reset");
	if (pv_get_u32le(d + 40) != 0)
		pv_obk_found(l, 0, "SRAM2 has no ECC");
	if (d[212] != 0)
		pv_obk_found(l, 0, "internal tampers are off");
	lint_state(pv_get_u32le(d + 44) >> 8, l);
}

static int
lint_pairs(const struct pv_obk *o, struct pv_obk_lint *l, struct pv_error *e)
{
	for (size_t i = 0; i < 2; i++) {
		const uint8_t *at = o->data + i * 96;
		struct pv_part part = { at + 32, 64 };
		uint8_t digest[32];
		int r = pv_sha256(&part, 1, digest, e);

		if (r != 0)
			return r;
		if (memcmp(digest, at, sizeof(digest)) != 0)
			pv_obk_found(l, PV_E_VERIFY,
			    "hash %zu of 2 is not that of its data", i + 1);
	}
	return 0;
}

static void
lint_lock(const struct pv_obk *o, struct pv_obk_lint *l)
{
	static const char magic[] = "STDALOCKMGC";
	size_t n = sizeof(magic) - 1;
	bool good = memcmp(o->data, magic, n) == 0;

	for (size_t i = n; i < o->data_len; i++)
		good = good && o->data[i] == 0xFF;
	if (!good)
		pv_obk_found(l, PV_E_MALFORMED,
		    "the lock has not the words ST gives it");
}

static int
lint_content(const struct pv_obk *o, const struct pv_obk_place *place,
    struct pv_obk_lint *l, struct pv_error *e)
{
	switch (place->kind) {
	case PV_OBK_DA:
	case PV_OBK_DA_CERT:
	case PV_OBK_DA_PASSWORD:
		return lint_da(o, place->kind, l, e);
	case PV_OBK_DA_LOCK:
		lint_lock(o, l);
		return 0;
	case PV_OBK_DATA_PAIR:
		return lint_pairs(o, l, e);
	case PV_OBK_STIROT_H5:
		lint_stirot_h5(o->data, l);
		return lint_keys(o, place->kind, l, e);
	case PV_OBK_STIROT_H7RS:
		lint_state(pv_get_u32le(o->data + 28), l);
		return lint_keys(o, place->kind, l, e);
	default:
		return lint_keys(o, place->kind, l, e);
	}
}

static int
lint_hash(const struct pv_obk *o, struct pv_obk_lint *l, struct pv_error *e)
{
	struct pv_part part = { o->data, o->data_len };
	uint8_t digest[32];
	int r;

	if (!o->has_hash)
		return 0;
	r = pv_sha256(&part, 1, digest, e);
	if (r == 0 && memcmp(digest, o->hash, sizeof(digest)) != 0)
		pv_obk_found(
		    l, PV_E_VERIFY, "the hash is not that of the data");
	return r;
}

int
pv_obk_lint(const struct pv_obk *o, struct pv_obk_lint *l, struct pv_error *e)
{
	const struct pv_obk_place *place = pv_obk_place(o->address, o->length);
	struct pv_error why;
	int r;

	r = pv_obk_validate(o, &why);
	if (r != 0 && !(place == NULL && l->allow_unlisted)) {
		pv_obk_found(l, place == NULL ? PV_E_POLICY : r, "%s", why.msg);
		return lint_hash(o, l, e);
	}
	r = lint_hash(o, l, e);
	if (r != 0 || place == NULL)
		return r;
	if (place->irreversible && !l->allow_irreversible)
		pv_obk_found(l, PV_E_IRREVERSIBLE,
		    "%s: no debug and no regression ever again", place->name);
	/* What the AHK itself would be encrypted with comes later. */
	if (!o->encrypt && place->secret && place->kind != PV_OBK_AHK)
		pv_obk_found(l, l->has_crypto ? PV_E_POLICY : 0,
		    "its keys are stored in clear: right for devices without "
		    "crypto engine only, such as STM32H563");
	if (o->encrypt && l->no_crypto)
		pv_obk_found(l, PV_E_POLICY,
		    "it asks for encryption, and the device has no crypto "
		    "engine");
	return lint_content(o, place, l, e);
}

void
pv_obk_lint_set(const uint32_t *addresses, size_t n, struct pv_obk_lint *l)
{
	bool st = false, oem = false;

	for (size_t i = 0; i < n; i++) {
		uint32_t a = addresses[i];

		st = st || a == 0x0FFD0200 || a == 0x0FFD0400;
		oem = oem || a == 0x0FFD0160 || a == 0x0FFD0280;
	}
	if (st && oem)
		pv_obk_found(l, PV_E_POLICY,
		    "objects of STiRoT and of OEMiRoT in one job: their "
		    "places overlap, a device takes one or the other");
}
