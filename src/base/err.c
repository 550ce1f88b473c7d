/* SPDX-License-Identifier: Apache-2.0 */
#include <provisor/err.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int code;
	const char *name;
} names[] = {
	{ PV_OK, "ok" },
	{ PV_E_INTERNAL, "internal" },
	{ PV_E_NOMEM, "no-memory" },
	{ PV_E_USAGE, "usage" },
	{ PV_E_MALFORMED, "malformed" },
	{ PV_E_RANGE, "range" },
	{ PV_E_OVERLAP, "overlap" },
	{ PV_E_UNKNOWN_CHIP, "unknown-chip" },
	{ PV_E_UNSUPPORTED, "unsupported" },
	{ PV_E_VERIFY, "verify" },
	{ PV_E_POLICY, "policy" },
	{ PV_E_LIMIT, "limit" },
	{ PV_E_CLOSED, "closed" },
	{ PV_E_REUSE, "reuse" },
	{ PV_E_ROLLBACK, "rollback" },
	{ PV_E_IRREVERSIBLE, "irreversible" },
	{ PV_E_HSM, "hsm" },
	{ PV_E_PIN, "pin" },
	{ PV_E_NO_TOKEN, "no-token" },
	{ PV_E_NO_KEY, "no-key" },
	{ PV_E_DEVICE, "device" },
	{ PV_E_TIMEOUT, "timeout" },
	{ PV_E_NACK, "nack" },
	{ PV_E_LINK, "link" },
	{ PV_E_PROTECTED, "protected" },
	{ PV_E_IO, "io" },
	{ PV_E_NOT_FOUND, "not-found" },
	{ PV_E_EXISTS, "exists" },
	{ PV_E_INTERRUPTED, "interrupted" },
};

PV_PRINTF(4, 0)
static void
set(struct pv_error *e, int code, long vendor, const char *fmt, va_list ap)
{
	e->code = code;
	e->vendor_code = vendor;
	e->hint[0] = '\0';
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
}

void
pv_error_set(struct pv_error *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return;
	va_start(ap, fmt);
	set(e, code, 0, fmt, ap);
	va_end(ap);
}

void
pv_error_set_errno(
    struct pv_error *e, int code, int errno_value, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	if (e == NULL)
		return;
	va_start(ap, fmt);
	set(e, code, errno_value, fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	(void)snprintf(
	    e->msg + n, sizeof(e->msg) - n, ": %s", strerror(errno_value));
}

int
pv_wrap(struct pv_error *e, const char *fmt, ...)
{
	char old[sizeof(e->msg)];
	va_list ap;
	size_t n;

	if (e == NULL)
		return PV_E_INTERNAL;
	memcpy(old, e->msg, sizeof(old));
	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	(void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", old);
	return e->code;
}

int
pv_hint(struct pv_error *e, const char *fmt, ...)
{
	va_list ap;

	if (e == NULL)
		return PV_E_INTERNAL;
	if (e->hint[0] == '\0') {
		va_start(ap, fmt);
		(void)vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
		va_end(ap);
	}
	return e->code;
}

void
pv_error_clear(struct pv_error *e)
{
	if (e != NULL)
		memset(e, 0, sizeof(*e));
}

/* The frozen map from class to exit code. */
int
pv_exit_code(int code)
{
	switch (-code / 100) {
	case 0:
		return code == 0 ? 0 : 1;
	case 2:
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		return -code / 100;
	case 9:
		return 130;
	default:
		return 1;
	}
}

const char *
pv_code_name(int code)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].code == code)
			return names[i].name;
	}
	return "internal";
}
