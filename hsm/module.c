/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the one module, and choosing the one token in it. */
#include "module.h"

#include "base/log.h"

#include <p11-kit/p11-kit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where Debian, Fedora, Arch and a local build put SoftHSM2. */
static const char *const softhsm[] = {
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
	"/usr/lib/arm-linux-gnueabihf/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/lib/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
};

#define MAX_SLOTS 1024U

/* URI, then the caller's choice, then SoftHSM2. */
static int
choose(P11KitUri *uri, const char *module, const char **ret_path,
    struct pv_error *e)
{
	const char *path = p11_kit_uri_get_module_path(uri);

	if (path == NULL)
		path = module;
	for (size_t i = 0;
	     path == NULL && i < sizeof(softhsm) / sizeof(softhsm[0]); i++)
		if (access(softhsm[i], R_OK) == 0)
			path = softhsm[i];
	if (path == NULL) {
		(void)pv_fail(e, PV_E_NO_TOKEN,
		    "no PKCS#11 module was named and SoftHSM2 is not in any "
		    "of its usual places");
		return pv_hint(e,
		    "install softhsm2, or name a module: --module PATH, "
		    "PROVISOR_MODULE, or module-path=PATH in the URI");
	}
	*ret_path = path;
	return 0;
}

int
pv_module_load(
    struct pv_hsm *hsm, P11KitUri *uri, const char *module, struct pv_error *e)
{
	const char *path = NULL;
	CK_RV rv;
	int r;

	if ((r = choose(uri, module, &path, e)) != 0)
		return r;
	/* Our messages reach the user through pv_error, p11-kit's would go
	 * to standard error on their own. */
	p11_kit_be_quiet();
	hsm->module = strdup(path);
	if (hsm->module == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	/* Managed by p11-kit, which counts who has initialized the module:
	 * a program may hold two tokens of one module open. */
	hsm->f = p11_kit_module_load(path, 0);
	if (hsm->f == NULL) {
		const char *why = p11_kit_message();

		(void)pv_fail(e, PV_E_NO_TOKEN,
		    "loading PKCS#11 module '%s': %s", path,
		    why != NULL ? why : "not a PKCS#11 module");
		return pv_hint(e, "is the path right, and the package that "
				  "brings the module installed?");
	}
	rv = p11_kit_module_initialize(hsm->f);
	if (rv != CKR_OK) {
		r = pv_ck_fail(e, rv, "starting PKCS#11 module '%s'", path);
		if (strstr(path, "softhsm") != NULL)
			r = pv_hint(e, "SoftHSM2 reads the file named by "
				       "SOFTHSM2_CONF; is it there, and does "
				       "its token folder exist?");
		return r;
	}
	hsm->initialized = true;
	rv = hsm->f->C_GetInfo(&hsm->library);
	if (rv != CKR_OK)
		return pv_ck_fail(e, rv, "PKCS#11 module '%s'", path);
	return 0;
}

void
pv_module_unload(struct pv_hsm *hsm)
{
	if (hsm->initialized)
		(void)p11_kit_module_finalize(hsm->f);
	if (hsm->f != NULL)
		p11_kit_module_release(hsm->f);
	hsm->f = NULL;
	hsm->initialized = false;
	free(hsm->module);
	hsm->module = NULL;
}

/* Slots that hold a token. *ret_slots is the caller's to free. */
static int
list_slots(const struct pv_hsm *hsm, CK_SLOT_ID **ret_slots, CK_ULONG *ret_n,
    struct pv_error *e)
{
	CK_SLOT_ID *slots = calloc(MAX_SLOTS, sizeof(*slots));
	CK_ULONG n = MAX_SLOTS;
	CK_RV rv;

	if (slots == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	rv = hsm->f->C_GetSlotList(CK_TRUE, slots, &n);
	if (rv != CKR_OK || n > MAX_SLOTS) {
		free(slots);
		return pv_ck_fail(
		    e, rv, "listing the tokens of '%s'", hsm->module);
	}
	*ret_slots = slots;
	*ret_n = n;
	return 0;
}

/* A text field of fixed width, padded with blanks. */
static void
field(char *dst, size_t cap, const void *src, size_t len)
{
	const char *p = src;

	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\0'))
		len--;
	if (len >= cap)
		len = cap - 1;
	memcpy(dst, p, len);
	dst[len] = '\0';
}

/* What is known about the tokens that were looked at. */
struct survey {
	unsigned present;
	unsigned matches;
	char list[200];
};

static void
survey_add(struct survey *s, const CK_TOKEN_INFO *t)
{
	char label[40], serial[24], shown[80]; /* pv_mask keeps 4 spare */
	size_t used = strlen(s->list);

	field(label, sizeof(label), t->label, sizeof(t->label));
	field(serial, sizeof(serial), t->serialNumber, sizeof(t->serialNumber));
	pv_mask(label, sizeof(label), label);
	pv_mask(serial, sizeof(serial), serial);
	(void)snprintf(shown, sizeof(shown), "%s'%s' (serial %s)",
	    used > 0 ? ", " : "", label, serial);
	s->present++;
	if (used + strlen(shown) < sizeof(s->list))
		memcpy(s->list + used, shown, strlen(shown) + 1);
}

static int
fail_choice(const struct pv_hsm *hsm, const char *text, const struct survey *s,
    struct pv_error *e)
{
	if (s->matches > 1) {
		(void)pv_fail(e, PV_E_NO_TOKEN,
		    "%u tokens match '%s'; it must be exactly one", s->matches,
		    text);
		return pv_hint(
		    e, "present: %s; add serial= to the URI", s->list);
	}
	(void)pv_fail(e, PV_E_NO_TOKEN, "no token matches '%s'", text);
	if (s->present > 0)
		return pv_hint(e, "present: %s", s->list);
	return pv_hint(
	    e, "module '%s' has no initialized token at all", hsm->module);
}

/* Does another present token have the label of the chosen one? */
static bool
label_shared(const struct pv_hsm *hsm, const CK_SLOT_ID *slots, CK_ULONG n)
{
	CK_TOKEN_INFO t;

	for (CK_ULONG i = 0; i < n; i++) {
		if (slots[i] == hsm->slot ||
		    hsm->f->C_GetTokenInfo(slots[i], &t) != CKR_OK ||
		    !(t.flags & CKF_TOKEN_INITIALIZED))
			continue;
		if (memcmp(t.label, hsm->token.label, sizeof(t.label)) == 0)
			return true;
	}
	return false;
}

int
pv_module_choose_token(
    struct pv_hsm *hsm, P11KitUri *uri, const char *text, struct pv_error *e)
{
	struct survey s = { 0 };
	CK_SLOT_ID *slots = NULL;
	CK_ULONG n = 0;
	int r;

	if ((r = list_slots(hsm, &slots, &n, e)) != 0)
		return r;
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO t;
		CK_SLOT_INFO si;
		CK_SLOT_ID want = p11_kit_uri_get_slot_id(uri);

		/* A token can vanish between the two calls: then it is not
		 * present. SoftHSM2 shows one empty token, not initialized. */
		if (hsm->f->C_GetSlotInfo(slots[i], &si) != CKR_OK ||
		    hsm->f->C_GetTokenInfo(slots[i], &t) != CKR_OK ||
		    !(t.flags & CKF_TOKEN_INITIALIZED))
			continue;
		survey_add(&s, &t);
		if ((want != (CK_SLOT_ID)-1 && want != slots[i]) ||
		    !p11_kit_uri_match_module_info(uri, &hsm->library) ||
		    !p11_kit_uri_match_slot_info(uri, &si) ||
		    !p11_kit_uri_match_token_info(uri, &t))
			continue;
		s.matches++;
		hsm->slot = slots[i];
		hsm->slot_info = si;
		hsm->token = t;
	}
	if (s.matches != 1) {
		r = fail_choice(hsm, text, &s, e);
	} else {
		field(hsm->label, sizeof(hsm->label), hsm->token.label,
		    sizeof(hsm->token.label));
		pv_mask(hsm->shown, sizeof(hsm->shown), hsm->label);
		hsm->label_shared = label_shared(hsm, slots, n);
	}
	free(slots);
	return r;
}
