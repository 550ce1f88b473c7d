/* SPDX-License-Identifier: Apache-2.0 */
/* Wiring: from what the user typed to keys, PINs and files of the home. */
#include "cmd/cmd.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PIN_MAX	      255U
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

/* --- PIN ------------------------------------------------------------------- */

/* A PIN that other accounts can read is worth a word. */
static void
warn_readable(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		pv_log(PV_LOG_WARN,
		    "PIN file '%s' is open to other accounts (mode %04o); "
		    "chmod 600 it",
		    path, (unsigned int)(st.st_mode & 07777));
}

static int
write_text(int fd, const char *text)
{
	size_t len = strlen(text);

	return write(fd, text, len) == (ssize_t)len ? 0 : -1;
}

/* One line from the terminal, byte by byte, ended by Ctrl-C as well. */
static int
read_tty(
    struct pv_app *app, int fd, struct pv_secret **ret_pin, struct pv_error *e)
{
	struct pv_secret *buf = NULL, *pin = NULL;
	size_t len = 0;
	int r = pv_secret_new(PIN_MAX + 1, &buf, e);

	if (r != 0)
		return r;
	for (;;) {
		uint8_t *at = pv_secret_data(buf) + len;
		ssize_t n = read(fd, at, 1);

		if (n < 0 && errno == EINTR &&
		    !pv_progress_cancelled(&app->progress))
			continue;
		if (n < 0 && errno == EINTR) {
			r = pv_fail(e, PV_E_INTERRUPTED, "interrupted");
			goto out;
		}
		if (n < 0) {
			r = pv_fail_errno(e, PV_E_IO, errno, "reading the PIN");
			goto out;
		}
		if (n == 0 || *at == '\n')
			break;
		if (++len > PIN_MAX) {
			r = pv_fail(e, PV_E_PIN, "the PIN is too long");
			goto out;
		}
	}
	if (len == 0) {
		r = pv_fail(e, PV_E_PIN, "no PIN was given");
		goto out;
	}
	if ((r = pv_secret_new(len, &pin, e)) != 0)
		goto out;
	memcpy(pv_secret_data(pin), pv_secret_bytes(buf), len);
	*ret_pin = pin;
out:
	pv_secret_free(buf);
	return r;
}

static int
prompt(struct pv_app *app, const char *token, struct pv_secret **ret_pin,
    struct pv_error *e)
{
	struct termios saved, quiet;
	int fd, r;

	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return pv_fail_errno(
		    e, PV_E_PIN, errno, "asking for the PIN on the terminal");
	if (tcgetattr(fd, &saved) != 0) {
		r = pv_fail_errno(
		    e, PV_E_PIN, errno, "asking for the PIN on the terminal");
		goto out;
	}
	quiet = saved;
	quiet.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
	quiet.c_lflag |= ICANON | ISIG;
	/* TCSAFLUSH: what was typed ahead was echoed, so it is no PIN. A PIN
	 * is not read where its echo cannot be switched off. */
	if (tcsetattr(fd, TCSAFLUSH, &quiet) != 0) {
		r = pv_fail_errno(e, PV_E_PIN, errno, "switching the echo off");
		goto out;
	}
	if (write_text(fd, "PIN of token '") != 0 ||
	    write_text(fd, token) != 0 || write_text(fd, "': ") != 0)
		r = pv_fail_errno(
		    e, PV_E_PIN, errno, "asking for the PIN on the terminal");
	else
		r = read_tty(app, fd, ret_pin, e);
	(void)tcsetattr(fd, TCSAFLUSH, &saved);
	(void)write_text(fd, "\n");
out:
	(void)close(fd);
	return r;
}

int
pv_app_pin(void *ctx, const char *token, struct pv_secret **ret_pin,
    struct pv_error *e)
{
	struct pv_app *app = ctx;
	int r;

	if (app->pin_fd >= 0) {
		r = pv_secret_read_line_fd(app->pin_fd, ret_pin, e);
	} else if (app->pin_file != NULL && app->pin_file[0] != '\0') {
		warn_readable(app->pin_file);
		r = pv_secret_read_line(app->pin_file, ret_pin, e);
	} else if (isatty(STDIN_FILENO)) {
		return prompt(app, token, ret_pin, e);
	} else {
		(void)pv_fail(e, PV_E_PIN,
		    "token '%s' needs a PIN and there is no terminal to ask on",
		    token);
		return pv_hint(e, "give it with --pin-file FILE, --pin-fd N "
				  "or PROVISOR_PIN_FILE");
	}
	if (r == 0 || r == PV_E_NOMEM)
		return r;
	/* Whatever is wrong with the file, there is no PIN: exit code 6. */
	(void)pv_wrap(e, "PIN of token '%s'", token);
	if (e != NULL)
		e->code = PV_E_PIN;
	return PV_E_PIN;
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
