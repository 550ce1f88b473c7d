/* SPDX-License-Identifier: Apache-2.0 */
/* Ports as users name them. */
#include "link/fdlink.h"

#include "base/hex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "PATH[@BAUD]": a BAUD is digits only, so a path may hold an '@'. */
static int
split_baud(const char *text, char *path, size_t cap, uint32_t *ret_baud,
    struct pv_error *e)
{
	const char *at = strrchr(text, '@');
	size_t n = strlen(text);
	uint64_t v;
	int r;

	if (at != NULL && at[1] != '\0' &&
	    strspn(at + 1, "0123456789") == strlen(at + 1)) {
		r = pv_parse_u64(at + 1, PV_LINK_BAUD_MAX, "baud rate", &v, e);
		if (r != 0)
			return r;
		if (v < PV_LINK_BAUD_MIN)
			return pv_fail(e, PV_E_USAGE,
			    "baud rate %u is below %u, the lowest a "
			    "bootloader takes",
			    (unsigned)v, PV_LINK_BAUD_MIN);
		*ret_baud = (uint32_t)v;
		n = (size_t)(at - text);
	}
	if (n == 0 || n >= cap)
		return pv_fail(
		    e, PV_E_USAGE, "port 'usart:%s' names no device", text);
	memcpy(path, text, n);
	path[n] = '\0';
	return 0;
}

static int
open_usart(const char *text, struct pv_link *ret_link, struct pv_error *e)
{
	char path[PV_LINK_NAME];
	uint32_t baud = PV_LINK_BAUD;
	bool known = false;
	int r;

	r = split_baud(text, path, sizeof(path), &baud, e);
	if (r != 0)
		return r;
	if (access(path, F_OK) != 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			(void)pv_fail(
			    e, PV_E_LINK, "port '%s': no such port", path);
		else
			(void)pv_fail_errno(
			    e, PV_E_LINK, errno, "port '%s'", path);
		return pv_hint(e, "'provisor device list' shows the ports "
				  "that are present");
	}
	r = pv_link_open_serial(path, baud, &known, ret_link, e);
	if (r != 0 || known)
		return r;
	return pv_link_open_tty(path, baud, ret_link, e);
}

int
pv_link_open(const char *port, struct pv_link *ret_link, struct pv_error *e)
{
	if (strncmp(port, "usart:", 6) == 0)
		return open_usart(port + 6, ret_link, e);
	if (strncmp(port, "tcp:", 4) == 0)
		return pv_link_open_tcp(port + 4, ret_link, e);
	if (strcmp(port, "dfu") == 0 || strncmp(port, "dfu:", 4) == 0)
		return pv_fail(e, PV_E_USAGE,
		    "port '%s' is USB; this needs a serial line, usart: or "
		    "tcp:",
		    port);
	(void)pv_fail(e, PV_E_USAGE, "port '%s' has no known kind", port);
	return pv_hint(e,
	    "usart:PATH[@BAUD], such as usart:/dev/ttyUSB0, or tcp:HOST:PORT");
}

void
pv_link_release(struct pv_link *link)
{
	if (link == NULL)
		return;
	if (link->free != NULL)
		link->free(link->ctx);
	memset(link, 0, sizeof(*link));
}
