/* SPDX-License-Identifier: Apache-2.0 */
/* Wiring: from what the user typed to keys, PINs and files of the home. */
#include "cmd/cmd.h"

#include "base/file.h"
#include "crypto/pem.h"
#include "crypto/sigkey.h"

#include <string.h>
#include <unistd.h>

#define PATH_CAP      4096U
/* How long one command waits for another to open its token. */
#define TOKEN_WAIT_MS 10000

int
pv_home_path(struct pv_app *app, const char *name, char *dst, size_t cap,
    struct pv_error *e)
{
	int r = pv_dir_make(app->home, 0700, e);

	return r != 0 ? r : pv_path_fit(dst, cap, app->home, name, e);
}

int
pv_open_ledger(struct pv_app *app, bool create, struct pv_store *ret_store,
    struct pv_error *e)
{
	return pv_open_ledger_mode(
	    app, create ? PV_STORE_CREATE : PV_STORE_READ, ret_store, e);
}

int
pv_open_ledger_mode(struct pv_app *app, enum pv_store_mode mode,
    struct pv_store *ret_store, struct pv_error *e)
{
	bool create = mode != PV_STORE_READ;
	char path[PATH_CAP];
	int r;

	if (app->ledger != NULL)
		return pv_store_open(app->ledger, mode, ret_store, e);
	/* Looking something up makes no folder. */
	r = create ? pv_home_path(app, "ledger.db", path, sizeof(path), e)
		   : pv_path_fit(path, sizeof(path), app->home, "ledger.db", e);
	return r != 0 ? r : pv_store_sqlite(path, create, ret_store, e);
}

/* --- keys ------------------------------------------------------------------ */

static int
sealer_from_file(
    const char *path, struct pv_sealer *ret_sealer, struct pv_error *e)
{
	struct pv_secret *key = NULL;
	int r = pv_secret_read_file(path, 16, &key, e);

	if (r == PV_E_NOT_FOUND)
		return pv_hint(
		    e, "KEY is a file of 16 raw bytes, or a pkcs11: URI");
	if (r == 0)
		r = pv_sealer_from_secret(key, ret_sealer, e);
	pv_secret_free(key);
	return r;
}

int
pv_open_token(struct pv_app *app, const char *uri, struct pv_hsm **ret_hsm,
    struct pv_error *e)
{
	char path[PATH_CAP];
	int fd = -1, r;

	/* Best effort: somebody at a PIN prompt must not stop the others. */
	if (pv_home_path(app, "token.lock", path, sizeof(path), NULL) != 0 ||
	    pv_file_lock(path, TOKEN_WAIT_MS, &fd, NULL) != 0)
		fd = -1;
	r = pv_hsm_open(uri, app->module, pv_app_pin, app, ret_hsm, e);
	if (fd >= 0)
		(void)close(fd);
	return r;
}

int
pv_open_sealer(struct pv_app *app, const char *key,
    struct pv_sealer *ret_sealer, struct pv_hsm **ret_hsm, struct pv_error *e)
{
	struct pv_hsm *hsm = NULL;
	int r;

	*ret_hsm = NULL;
	if (!pv_hsm_is_uri(key))
		return sealer_from_file(key, ret_sealer, e);
	r = pv_open_token(app, key, &hsm, e);
	if (r == 0)
		r = pv_hsm_sealer(hsm, key, ret_sealer, e);
	if (r != 0) {
		pv_hsm_close(hsm);
		return r;
	}
	*ret_hsm = hsm;
	return 0;
}

int
pv_open_signer(struct pv_app *app, const char *key,
    struct pv_message_signer *ret_signer, struct pv_hsm **ret_hsm,
    struct pv_error *e)
{
	struct pv_passphrase pass = { app, pv_app_passphrase };
	struct pv_hsm *hsm = NULL;
	int r;

	*ret_hsm = NULL;
	if (!pv_hsm_is_uri(key))
		return pv_sigkey_signer(key, &pass, ret_signer, e);
	r = pv_open_token(app, key, &hsm, e);
	if (r == 0)
		r = pv_hsm_message_signer(hsm, key, ret_signer, e);
	if (r != 0) {
		pv_hsm_close(hsm);
		return r;
	}
	*ret_hsm = hsm;
	return 0;
}

int
pv_open_public(struct pv_app *app, const char *key, struct pv_pubkey **ret_key,
    struct pv_error *e)
{
	struct pv_passphrase pass = { app, pv_app_passphrase };
	uint8_t der[PV_SPKI_MAX];
	struct pv_hsm *hsm = NULL;
	size_t len = sizeof(der);
	int r;

	if (!pv_hsm_is_uri(key))
		return pv_pubkey_read_any(key, &pass, ret_key, e);
	r = pv_open_token(app, key, &hsm, e);
	if (r == 0)
		r = pv_hsm_export_public(hsm, key, der, &len, e);
	if (r == 0)
		r = pv_pubkey_from_spki(der, len, ret_key, e);
	pv_hsm_close(hsm);
	return r;
}

static int
aes_from_token(struct pv_app *app, const char *key, size_t len,
    struct pv_secret **ret_key, struct pv_error *e)
{
	struct pv_key_source source = { 0 };
	struct pv_secret *s = NULL;
	struct pv_hsm *hsm = NULL;
	int r = pv_open_token(app, key, &hsm, e);

	if (r == 0)
		r = pv_hsm_key_source(hsm, key, &source, e);
	if (r == 0)
		r = source.bytes(source.ctx, &s, e);
	if (r == 0 && pv_secret_len(s) != len)
		r = pv_fail(e, PV_E_NO_KEY,
		    "'%s' is an AES key of %zu bytes, %zu are needed", key,
		    pv_secret_len(s), len);
	if (r == 0)
		*ret_key = s;
	else
		pv_secret_free(s);
	pv_key_source_release(&source);
	pv_hsm_close(hsm);
	return r;
}

int
pv_open_aes(struct pv_app *app, const char *key, size_t len,
    struct pv_secret **ret_key, struct pv_error *e)
{
	return pv_hsm_is_uri(key) ? aes_from_token(app, key, len, ret_key, e)
				  : pv_secret_read_file(key, len, ret_key, e);
}
