/* SPDX-License-Identifier: Apache-2.0 */
/* Opening the token: session, and one login attempt. */
#include <provisor/hsm.h>

#include "base/log.h"
#include "module.h"

#include <stdlib.h>
#include <string.h>

int
pv_hsm_session(const struct pv_hsm *hsm, CK_SESSION_HANDLE *ret_session,
    struct pv_error *e)
{
	CK_RV rv = hsm->f->C_OpenSession(hsm->slot,
	    CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, ret_session);

	/* Enough for using keys; making some fails later with a clear code. */
	if (rv == CKR_TOKEN_WRITE_PROTECTED)
		rv = hsm->f->C_OpenSession(
		    hsm->slot, CKF_SERIAL_SESSION, NULL, NULL, ret_session);
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "opening a session on token '%s'", hsm->shown);
	return 0;
}

/* What the token tells about the attempts left; "" when nothing. */
static const char *
tries_text(CK_FLAGS flags)
{
	if (flags & CKF_USER_PIN_LOCKED)
		return "the PIN is now locked";
	if (flags & CKF_USER_PIN_FINAL_TRY)
		return "one attempt is left before the token locks the PIN";
	if (flags & CKF_USER_PIN_COUNT_LOW)
		return "the token has counted wrong attempts and may lock";
	return "";
}

/* Before the attempt: refuse a lost one, warn of the last one. */
static int
check_tries(const struct pv_hsm *hsm, struct pv_error *e)
{
	CK_FLAGS flags = hsm->token.flags;

	if (!(flags & CKF_USER_PIN_INITIALIZED)) {
		(void)pv_fail(
		    e, PV_E_PIN, "token '%s' has no user PIN yet", hsm->shown);
		return pv_hint(e, "set one with the tool of the token "
				  "(softhsm2-util or pkcs11-tool --init-pin)");
	}
	if (flags & CKF_USER_PIN_LOCKED) {
		(void)pv_fail(
		    e, PV_E_PIN, "the PIN of token '%s' is locked", hsm->shown);
		return pv_hint(e, "no attempt was made; the security officer "
				  "of the token can set a new PIN");
	}
	if (flags & CKF_USER_PIN_FINAL_TRY)
		pv_log(PV_LOG_WARN,
		    "token '%s': a wrong PIN now locks the token", hsm->shown);
	else if (flags & CKF_USER_PIN_COUNT_LOW)
		pv_log(PV_LOG_WARN,
		    "token '%s': a wrong PIN was given before this",
		    hsm->shown);
	return 0;
}

static int
fail_login(const struct pv_hsm *hsm, CK_RV rv, struct pv_error *e)
{
	CK_TOKEN_INFO now;
	const char *tries = "";
	int r;

	r = pv_ck_fail(e, rv, "logging in to token '%s'", hsm->shown);
	if (r != PV_E_PIN)
		return r;
	if (hsm->f->C_GetTokenInfo(hsm->slot, &now) == CKR_OK)
		tries = tries_text(now.flags);
	if (rv == CKR_PIN_LOCKED)
		tries = "the PIN is locked";
	return pv_hint(e,
	    "one attempt was made%s%s; check the PIN before the "
	    "next one",
	    tries[0] != '\0' ? ": " : "", tries);
}

static bool
logged_in(const struct pv_hsm *hsm)
{
	CK_SESSION_INFO si;

	return hsm->f->C_GetSessionInfo(hsm->session, &si) == CKR_OK &&
	       (si.state == CKS_RW_USER_FUNCTIONS ||
		   si.state == CKS_RO_USER_FUNCTIONS);
}

static int
get_pin(const struct pv_hsm *hsm, P11KitUri *uri, pv_pin_fn pin, void *pin_ctx,
    struct pv_secret **ret_pin, struct pv_error *e)
{
	const char *path = NULL;
	int r;

	if ((r = pv_uri_pin_file(uri, &path, e)) != 0)
		return r;
	if (path != NULL) {
		if (pv_secret_read_line(path, ret_pin, e) == 0)
			return 0;
		/* Whatever the file's trouble is, there is no PIN. */
		(void)pv_wrap(e, "pin-source");
		if (e != NULL)
			e->code = PV_E_PIN;
		return PV_E_PIN;
	}
	if (pin == NULL)
		return pv_fail(
		    e, PV_E_PIN, "token '%s' needs a PIN", hsm->shown);
	return pin(pin_ctx, hsm->shown, ret_pin, e);
}

static int
login(struct pv_hsm *hsm, P11KitUri *uri, pv_pin_fn pin, void *pin_ctx,
    struct pv_error *e)
{
	struct pv_secret *s = NULL;
	CK_RV rv;
	int r;

	/* A login counts for all sessions of this program. */
	if (!(hsm->token.flags & CKF_LOGIN_REQUIRED) || logged_in(hsm))
		return 0;
	if ((r = check_tries(hsm, e)) != 0)
		return r;
	if (hsm->token.flags & CKF_PROTECTED_AUTHENTICATION_PATH) {
		/* The reader's own keypad asks for the PIN. */
		rv = hsm->f->C_Login(hsm->session, CKU_USER, NULL, 0);
	} else {
		if ((r = get_pin(hsm, uri, pin, pin_ctx, &s, e)) != 0)
			return r;
		rv = hsm->f->C_Login(hsm->session, CKU_USER, pv_secret_data(s),
		    pv_secret_len(s));
		pv_secret_free(s);
	}
	if (rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN)
		return 0;
	return fail_login(hsm, rv, e);
}

static int
read_mechanisms(struct pv_hsm *hsm, struct pv_error *e)
{
	CK_ULONG n = 0;
	CK_RV rv = hsm->f->C_GetMechanismList(hsm->slot, NULL, &n);

	if (rv == CKR_OK && n > 0 && n < 65536) {
		/* One more: p11-kit-client.so 0.24 reads past the end when it
		 * takes out those that it does not pass on. */
		hsm->mechs = calloc(n + 1, sizeof(*hsm->mechs));
		if (hsm->mechs == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		rv = hsm->f->C_GetMechanismList(hsm->slot, hsm->mechs, &n);
		hsm->n_mechs = rv == CKR_OK ? n : 0;
	}
	if (rv != CKR_OK)
		return pv_ck_fail(
		    e, rv, "listing the mechanisms of '%s'", hsm->shown);
	return 0;
}

bool
pv_hsm_has(const struct pv_hsm *hsm, CK_MECHANISM_TYPE mech)
{
	for (CK_ULONG i = 0; i < hsm->n_mechs; i++)
		if (hsm->mechs[i] == mech)
			return true;
	return false;
}

int
pv_hsm_open(const char *text, const char *module, pv_pin_fn pin, void *pin_ctx,
    struct pv_hsm **ret_hsm, struct pv_error *e)
{
	P11KitUri *uri = NULL;
	struct pv_hsm *hsm;
	int r;

	hsm = calloc(1, sizeof(*hsm));
	if (hsm == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if ((r = pv_uri_parse(text, &uri, e)) != 0 ||
	    (r = pv_module_load(hsm, uri, module, e)) != 0 ||
	    (r = pv_module_choose_token(hsm, uri, text, e)) != 0 ||
	    (r = read_mechanisms(hsm, e)) != 0 ||
	    (r = pv_hsm_session(hsm, &hsm->session, e)) != 0)
		goto out;
	hsm->has_session = true;
	if ((r = login(hsm, uri, pin, pin_ctx, e)) != 0)
		goto out;
	pv_log(
	    PV_LOG_INFO, "token '%s' open, module %s", hsm->shown, hsm->module);
	*ret_hsm = hsm;
	hsm = NULL;
out:
	if (uri != NULL)
		p11_kit_uri_free(uri);
	pv_hsm_close(hsm);
	return r;
}

void
pv_hsm_close(struct pv_hsm *hsm)
{
	if (hsm == NULL)
		return;
	/* No C_Logout: it would end other sessions of this program too. The
	 * token logs out with the last session. */
	if (hsm->has_session)
		(void)hsm->f->C_CloseSession(hsm->session);
	pv_module_unload(hsm);
	free(hsm->mechs);
	free(hsm);
}

const char *
pv_hsm_token_label(const struct pv_hsm *hsm)
{
	return hsm->shown;
}
