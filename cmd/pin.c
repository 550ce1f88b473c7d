/* SPDX-License-Identifier: Apache-2.0 */
/* PINs and passphrases: from a file, a descriptor or the terminal. */
#include "cmd/cmd.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#define PIN_MAX 255U

/* A secret that other accounts can read is worth a word. */
static void
warn_readable(const char *what, const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		pv_log(PV_LOG_WARN,
		    "%s file '%s' is open to other accounts (mode %04o); "
		    "chmod 600 it",
		    what, path, (unsigned int)(st.st_mode & 07777));
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
			r = pv_fail_errno(
			    e, PV_E_IO, errno, "reading what is typed");
			goto out;
		}
		if (n == 0 || *at == '\n')
			break;
		if (++len > PIN_MAX) {
			r = pv_fail(e, PV_E_PIN, "what was typed is too long");
			goto out;
		}
	}
	if (len == 0) {
		r = pv_fail(e, PV_E_PIN, "nothing was typed");
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

/* Ask on the terminal; `what` and `name` say for what. */
static int
prompt(struct pv_app *app, const char *what, const char *name,
    struct pv_secret **ret_pin, struct pv_error *e)
{
	struct termios saved, quiet;
	int fd, r;

	fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return pv_fail_errno(
		    e, PV_E_PIN, errno, "asking on the terminal");
	if (tcgetattr(fd, &saved) != 0) {
		r = pv_fail_errno(e, PV_E_PIN, errno, "asking on the terminal");
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
	if (write_text(fd, what) != 0 || write_text(fd, " '") != 0 ||
	    write_text(fd, name) != 0 || write_text(fd, "': ") != 0)
		r = pv_fail_errno(e, PV_E_PIN, errno, "asking on the terminal");
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
		warn_readable("PIN", app->pin_file);
		r = pv_secret_read_line(app->pin_file, ret_pin, e);
	} else if (isatty(STDIN_FILENO)) {
		return prompt(app, "PIN of token", token, ret_pin, e);
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

int
pv_app_passphrase(void *ctx, const char *path, struct pv_secret **ret_pass,
    struct pv_error *e)
{
	struct pv_app *app = ctx;
	int r;

	if (app->passphrase_fd >= 0) {
		r = pv_secret_read_line_fd(app->passphrase_fd, ret_pass, e);
	} else if (app->passphrase_file != NULL) {
		warn_readable("passphrase", app->passphrase_file);
		r = pv_secret_read_line(app->passphrase_file, ret_pass, e);
	} else if (isatty(STDIN_FILENO)) {
		r = prompt(app, "passphrase of", path, ret_pass, e);
		if (r == PV_E_PIN && e != NULL)
			r = e->code = PV_E_USAGE;
	} else {
		(void)pv_fail(e, PV_E_USAGE,
		    "'%s' is encrypted and there is no terminal to ask for "
		    "its passphrase on",
		    path);
		return pv_hint(e, "give it with --passphrase-file FILE or "
				  "--passphrase-fd N");
	}
	return r == 0 ? 0 : pv_wrap(e, "passphrase of '%s'", path);
}
