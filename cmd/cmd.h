/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame every command stands in: the table of verbs, the options they
 * share, and the ways they print. One file per noun holds its verbs.
 *
 * To add a command: write cmd/NOUN.c with a `const struct pv_verb
 * pv_verbs_NOUN[]` ended by an empty row, name it in nouns.h and nouns.c, and
 * write man/provisor-NOUN.1 with the same synopsis.
 */
#ifndef PV_CMD_H
#define PV_CMD_H

#include <popt.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/json.h"
#include <provisor/campaign.h>
#include <provisor/chip.h>
#include <provisor/err.h>
#include <provisor/hsm.h>
#include <provisor/keystore.h>
#include <provisor/progress.h>
#include <provisor/signature.h>

struct pv_app;
struct pv_pubkey;

/* One verb. `run` parses its own options with pv_options. */
struct pv_verb {
	const char *noun;
	const char *verb;    /* NULL: the noun is the command (push) */
	const char *args;    /* synopsis after the verb, as in the manual */
	const char *summary; /* one line, no full stop */
	const char *example; /* whole command lines, '\n' between */
	int (*run)(struct pv_app *app, int argc, const char **argv,
	    struct pv_error *e);
};

/* What the global options said, and what the frame provides. */
struct pv_app {
	const char *home;	 /* --home, PROVISOR_HOME, or the XDG default */
	const char *ledger;	 /* --ledger or PROVISOR_LEDGER; NULL: home */
	const char *station;	 /* --station: who does it; may be NULL */
	const char *operator_id; /* --operator; may be NULL */
	bool json;	  /* --json: one object on stdout, nothing else */
	bool json_done;	  /* that object was printed */
	bool error_shown; /* the verb printed its error line itself */
	bool quiet;
	int verbose;
	int events_fd;		     /* --events, or -1 */
	const char *pin_file;	     /* --pin-file or PROVISOR_PIN_FILE */
	int pin_fd;		     /* --pin-fd, or -1 */
	const char *passphrase_file; /* --passphrase-file */
	int passphrase_fd;	     /* --passphrase-fd, or -1 */
	const char *module;	     /* --module or PROVISOR_MODULE */
	int accept_unverified;	     /* --accept-unverified-certificate */
	const char *chip_dirs[5];    /* for pv_chip_load */
	struct pv_progress progress; /* give this to library calls */
	const struct pv_verb *verb;  /* the one running */
	struct pv_opt_state *opt;    /* private to options.c */
	struct pv_json *config;	     /* private to config.c */
	void *bar;		     /* private to ui.c */
};

/* --- options -------------------------------------------------------------
 * Parse the verb's own options. `table` is a local popt table (so that its
 * pointers may name locals) ended by POPT_TABLEEND. Strings and ARGV lists
 * live until the program ends; the caller frees nothing. *ret_args is the
 * NULL-terminated list of plain arguments; fewer than min_args or more than
 * max_args is PV_E_USAGE.
 *
 * On -h/--help it prints the help of the verb and returns PV_HELP_SHOWN, which
 * the verb returns at once: `if (r != 0) return r;`.
 */
#define PV_HELP_SHOWN 1
PV_MUST_USE int pv_options(struct pv_app *app, struct poptOption *table,
    int argc, const char **argv, int min_args, int max_args,
    const char ***ret_args, struct pv_error *e);

/* Rows for verbs that use a token: --pin-file, --pin-fd, --module. */
#define PV_OPT_PIN(app)                                                 \
	{ "pin-file", 0, POPT_ARG_STRING, &(app)->pin_file, 0,          \
		"read the PIN from the first line of FILE", "FILE" },   \
	    { "pin-fd", 0, POPT_ARG_INT, &(app)->pin_fd, 0,             \
		    "read the PIN from descriptor N", "N" },            \
	{                                                               \
		"module", 0, POPT_ARG_STRING, &(app)->module, 0,        \
		    "PKCS#11 module to load (default SoftHSM2)", "PATH" \
	}

/* Rows for verbs that use private keys in files. */
#define PV_OPT_PASSPHRASE(app)                                               \
	{ "passphrase-file", 0, POPT_ARG_STRING, &(app)->passphrase_file, 0, \
		"read the passphrase of a key file from the first line "     \
		"of FILE",                                                   \
		"FILE" },                                                    \
	{                                                                    \
		"passphrase-fd", 0, POPT_ARG_INT, &(app)->passphrase_fd, 0,  \
		    "read the passphrase from descriptor N", "N"             \
	}

/* For verbs that give licenses to chips. */
#define PV_OPT_UNVERIFIED(app)                                             \
	{                                                                  \
		"accept-unverified-certificate", 0, POPT_ARG_NONE,         \
		    &(app)->accept_unverified, 0,                          \
		    "where no CA of the chips is known: take the word of " \
		    "the chip (flow ssp)",                                 \
		    NULL                                                   \
	}

/* A missing option that the verb cannot do without: PV_E_USAGE. */
int pv_need(struct pv_error *e, const void *value, const char *option);

/* --- output --------------------------------------------------------------- */

/* A result line on stdout; nothing with --json. */
void pv_out(const struct pv_app *app, const char *fmt, ...) PV_PRINTF(2, 3);
/* Talk on stderr; nothing with --quiet or --json. */
void pv_say(const struct pv_app *app, const char *fmt, ...) PV_PRINTF(2, 3);
/*
 * With --json: print the object (and free it); a failure after that prints no
 * second one. Without: only free it.
 */
PV_MUST_USE int pv_out_json(
    struct pv_app *app, struct pv_json *root, struct pv_error *e);
/* Print the object whatever --json says, one line (JSONL exports). */
PV_MUST_USE int pv_out_json_line(struct pv_json *root, struct pv_error *e);
/* End the progress bar's line, if one is on the terminal. */
void pv_bar_end(struct pv_app *app);

/* --- wiring: the only place that chooses implementations ------------------- */

/* PV_E_USAGE / NOT_FOUND aware path inside home; folder made when missing. */
PV_MUST_USE int pv_home_path(struct pv_app *app, const char *name, char *dst,
    size_t cap, struct pv_error *e);

/* The pv_pin_fn of the program: --pin-file, --pin-fd, environment, prompt.
 * ctx is the struct pv_app. */
PV_MUST_USE int pv_app_pin(void *ctx, const char *token,
    struct pv_secret **ret_pin, struct pv_error *e);

/*
 * The token of a URI, logged in. Commands of one home open tokens one after
 * the other: SoftHSM rewrites its token file at every login, and another
 * process that starts at that moment finds no token, or one without a PIN.
 */
PV_MUST_USE int pv_open_token(struct pv_app *app, const char *uri,
    struct pv_hsm **ret_hsm, struct pv_error *e);

/*
 * KEY as typed: a file of 16 raw bytes or a pkcs11: URI. *ret_hsm is NULL
 * for a file; the caller releases the sealer, then closes the token.
 */
PV_MUST_USE int pv_open_sealer(struct pv_app *app, const char *key,
    struct pv_sealer *ret_sealer, struct pv_hsm **ret_hsm, struct pv_error *e);

/*
 * The passphrase of an encrypted key file: --passphrase-file, --passphrase-fd
 * or a prompt on the terminal. ctx is the struct pv_app.
 */
PV_MUST_USE int pv_app_passphrase(void *ctx, const char *path,
    struct pv_secret **ret_pass, struct pv_error *e);

/*
 * KEY as typed, for signing: a PEM private key or a pkcs11: URI. *ret_hsm is
 * NULL for a file; the caller releases the signer, then closes the token.
 */
PV_MUST_USE int pv_open_signer(struct pv_app *app, const char *key,
    struct pv_message_signer *ret_signer, struct pv_hsm **ret_hsm,
    struct pv_error *e);

/*
 * KEY as typed, for verifying: a PEM public key, certificate or private key
 * (of which only the public half is used), or a pkcs11: URI.
 */
PV_MUST_USE int pv_open_public(struct pv_app *app, const char *key,
    struct pv_pubkey **ret_key, struct pv_error *e);

/*
 * KEY as typed, a raw AES key of `len` bytes: a file or the pkcs11: URI of a
 * key the token gives out. The caller frees.
 */
PV_MUST_USE int pv_open_aes(struct pv_app *app, const char *key, size_t len,
    struct pv_secret **ret_key, struct pv_error *e);

/* What HOME/config.json says where no option or environment did. */
PV_MUST_USE int pv_config_load(struct pv_app *app, struct pv_error *e);
void pv_config_release(struct pv_app *app);

/* --ledger, or HOME/ledger.db. */
PV_MUST_USE int pv_open_ledger(struct pv_app *app, bool create,
    struct pv_store *ret_store, struct pv_error *e);
PV_MUST_USE int pv_open_ledger_mode(struct pv_app *app, enum pv_store_mode mode,
    struct pv_store *ret_store, struct pv_error *e);

/*
 * A campaign with its token session: store, signer, wrapper, anchor, all of
 * them wired into `io`. cmd/campaign.c has it.
 */
struct pv_campaign_session {
	struct pv_campaign campaign;
	struct pv_campaign_io io;
	struct pv_store store;
	struct pv_hsm *hsm;
	struct pv_signer signer;
	struct pv_wrapper wrapper; /* profile resident, or */
	struct pv_ecies ecies;	   /* profiles ssp and ecies */
	struct pv_anchor anchor;
	bool require_resident; /* refuse a package key outside the token */
};
PV_MUST_USE int pv_campaign_session_open(struct pv_app *app, const char *name,
    struct pv_campaign_session *ret_s, struct pv_error *e);
void pv_campaign_session_close(struct pv_campaign_session *s);

#endif
