/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors: one closed list of codes, and a record that carries the message.
 *
 * A function that can fail returns 0 or one of these negative codes. The
 * hundreds digit is the class, and the class alone decides the exit code of
 * the program (pv_exit_code), so a new code never needs a new exit code.
 */
#ifndef PROVISOR_ERR_H
#define PROVISOR_ERR_H

#ifdef __cplusplus
extern "C" {
#endif

#define PV_MUST_USE	__attribute__((warn_unused_result))
#define PV_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum pv_code {
	PV_OK = 0,

	/* class 1, INTERNAL: exit 1 */
	PV_E_INTERNAL = -101, /* a bug, or a library that misbehaves */
	PV_E_NOMEM = -102,

	/* class 2, USAGE: exit 2 */
	PV_E_USAGE = -201,

	/* class 3, INPUT: exit 3; the bytes or text given are wrong */
	PV_E_MALFORMED = -301, /* does not parse, or breaks a format rule */
	PV_E_RANGE = -302,   /* well formed, but outside the permitted range */
	PV_E_OVERLAP = -303, /* two inputs claim one address */
	PV_E_UNKNOWN_CHIP = -304, /* no chip description */
	PV_E_UNSUPPORTED = -305,  /* newer version, unknown critical field */

	/* class 4, VERIFY: exit 4 */
	PV_E_VERIFY = -401, /* tag, signature, hash or read-back differs */

	/* class 5, POLICY: exit 5 */
	PV_E_POLICY = -501,
	PV_E_LIMIT = -502,	  /* campaign used up */
	PV_E_CLOSED = -503,	  /* campaign not operational */
	PV_E_REUSE = -504,	  /* key and nonce used for other content */
	PV_E_ROLLBACK = -505,	  /* ledger or token is an older copy */
	PV_E_IRREVERSIBLE = -506, /* needs --yes-irreversible */

	/* class 6, HSM: exit 6 */
	PV_E_HSM = -601,
	PV_E_PIN = -602, /* wrong, locked or missing PIN */
	PV_E_NO_TOKEN = -603,
	PV_E_NO_KEY = -604, /* no key, or more than one, matches the URI */

	/* class 7, DEVICE: exit 7 */
	PV_E_DEVICE = -701, /* the device refused or failed */
	PV_E_TIMEOUT = -702,
	PV_E_NACK = -703,
	PV_E_LINK = -704,      /* port missing, busy, or gone */
	PV_E_PROTECTED = -705, /* read protection is active */

	/* class 8, IO: exit 1 */
	PV_E_IO = -801,
	PV_E_NOT_FOUND = -802, /* file or record does not exist */
	PV_E_EXISTS = -803,

	/* class 9: exit 130 */
	PV_E_INTERRUPTED = -901,
};

/*
 * What went wrong. `msg` is one line, lower case, without full stop, the
 * innermost cause last. `hint` may say what to do next. `vendor_code` holds
 * errno, CK_RV, a libusb or an OpenSSL code of the innermost cause, or 0.
 */
struct pv_error {
	int code;
	long vendor_code;
	char msg[256];
	char hint[256];
};

/* Record a fault. `e` may be NULL. Call the macros below instead. */
void pv_error_set(struct pv_error *e, int code, const char *fmt, ...)
    PV_PRINTF(3, 4);
/* The same, with strerror(errno_value) appended and kept as vendor_code. */
void pv_error_set_errno(struct pv_error *e, int code, int errno_value,
    const char *fmt, ...) PV_PRINTF(4, 5);

/*
 * Record a fault and be its code: `return pv_fail(e, PV_E_X, "...")`. Macros, so
 * that compiler and analyzers see the value; `code` must have no side effects.
 */
#define pv_fail(e, code, ...) (pv_error_set((e), (code), __VA_ARGS__), (code))
#define pv_fail_errno(e, code, errno_value, ...) \
	(pv_error_set_errno((e), (code), (errno_value), __VA_ARGS__), (code))

/*
 * Put "CONTEXT: " before the message already recorded; return its code. With
 * e == NULL the code is not known here: PV_E_INTERNAL, so pass one.
 */
int pv_wrap(struct pv_error *e, const char *fmt, ...) PV_PRINTF(2, 3);

/* Set the hint, unless one closer to the cause was set; return e->code. */
int pv_hint(struct pv_error *e, const char *fmt, ...) PV_PRINTF(2, 3);

/* Forget everything recorded. */
void pv_error_clear(struct pv_error *e);

/* Exit code of the program for a code of enum pv_code (0, or 1..7, 130). */
int pv_exit_code(int code);

/* Name of a code for JSON and logs, such as "verify"; never NULL. */
const char *pv_code_name(int code);

#ifdef __cplusplus
}
#endif
#endif
