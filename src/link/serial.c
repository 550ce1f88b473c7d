/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real serial ports through libserialport: setting the line (any rate, even
 * parity) and listing what is there. Bytes then go over the descriptor.
 */
#include "link/fdlink.h"
#include "link/latency.h"

#include "base/log.h"

#include <libserialport.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define SYS_TTY "/sys/class/tty"

struct owner {
	struct sp_port *port;
	struct pv_latency latency;
};

static void
owner_close(void *ctx)
{
	struct owner *o = ctx;

	pv_latency_restore(&o->latency);
	(void)sp_close(o->port);
	sp_free_port(o->port);
	free(o);
}

static int
fail_sp(
    enum sp_return sr, const char *path, const char *what, struct pv_error *e)
{
	int err = sr == SP_ERR_FAIL ? sp_last_error_code() : 0;
	int r;

	if (err == EBUSY) {
		r = pv_fail(e, PV_E_LINK,
		    "port '%s' is busy: another program uses it", path);
		(void)pv_hint(e, "end the other program, or use another port");
		return r;
	}
	if (err != 0)
		return pv_fail_errno(
		    e, PV_E_LINK, err, "%s port '%s'", what, path);
	return pv_fail(e, PV_E_LINK, "%s port '%s': %s", what, path,
	    sr == SP_ERR_SUPP ? "not supported by the port" : "refused");
}

/* 8E1 at `baud`; on a real line lost parity would fail every frame (T2). */
static int
configure(
    struct sp_port *port, const char *path, uint32_t baud, struct pv_error *e)
{
	enum sp_return sr;
	struct termios t;
	int fd = -1;

	sr = sp_set_baudrate(port, (int)baud);
	if (sr != SP_OK)
		return fail_sp(sr, path, "setting the baud rate of", e);
	if ((sr = sp_set_bits(port, 8)) != SP_OK ||
	    (sr = sp_set_stopbits(port, 1)) != SP_OK ||
	    (sr = sp_set_flowcontrol(port, SP_FLOWCONTROL_NONE)) != SP_OK)
		return fail_sp(sr, path, "setting up", e);
	sr = sp_set_parity(port, SP_PARITY_EVEN);
	if (sr != SP_OK)
		return fail_sp(sr, path, "setting even parity on", e);
	if (sp_get_port_handle(port, &fd) != SP_OK || tcgetattr(fd, &t) != 0 ||
	    (t.c_cflag & PARENB) == 0)
		return pv_fail(e, PV_E_LINK,
		    "port '%s' cannot do 8 bits, even parity", path);
	/* A byte with a parity error reads as 0: it must not look good. */
	t.c_iflag |= INPCK;
	t.c_iflag &= ~(tcflag_t)(IGNPAR | PARMRK);
	if (tcsetattr(fd, TCSANOW, &t) != 0)
		return pv_fail_errno(
		    e, PV_E_LINK, errno, "setting up port '%s'", path);
	return 0;
}

int
pv_link_open_serial(const char *path, uint32_t baud, bool *ret_known,
    struct pv_link *ret_link, struct pv_error *e)
{
	struct sp_port *port = NULL;
	struct pv_fd_owner owner;
	struct owner *o = NULL;
	enum sp_return sr;
	char *real, *name;
	int fd = -1, lock_fd = -1, r;
	bool opened = false;

	/* libserialport looks for the name in /sys/class/tty. */
	real = realpath(path, NULL);
	sr = real != NULL ? sp_get_port_by_name(real, &port) : SP_ERR_ARG;
	if (sr != SP_OK) {
		free(real);
		*ret_known = false;
		return 0;
	}
	*ret_known = true;
	/* The claim comes before anything that could disturb another user. */
	lock_fd = open(real, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (lock_fd < 0) {
		r = errno == EBUSY
			? pv_fail(e, PV_E_LINK,
			      "port '%s' is busy: another program uses it",
			      path)
			: pv_fail_errno(e, PV_E_LINK, errno,
			      "cannot open port '%s'", path);
		if (r == PV_E_LINK && e != NULL && e->vendor_code == EACCES)
			(void)pv_hint(e, "on Debian, join the group 'dialout'");
		goto out;
	}
	r = pv_fd_claim(lock_fd, path, e);
	if (r != 0)
		goto out;
	/* Our own TIOCEXCL would keep libserialport out for all but root. */
	(void)ioctl(lock_fd, TIOCNXCL);
	sr = sp_open(port, SP_MODE_READ_WRITE);
	if (sr != SP_OK) {
		r = fail_sp(sr, path, "opening", e);
		goto out;
	}
	opened = true;
	r = configure(port, path, baud, e);
	if (r != 0)
		goto out;
	if (sp_get_port_handle(port, &fd) != SP_OK) {
		r = pv_fail(e, PV_E_LINK, "port '%s' has no descriptor", path);
		goto out;
	}
	(void)ioctl(fd, TIOCEXCL);
	o = calloc(1, sizeof(*o));
	if (o == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	o->port = port;
	name = strrchr(real, '/');
	pv_latency_set(
	    &o->latency, fd, SYS_TTY, name != NULL ? name + 1 : real);
	owner = (struct pv_fd_owner){ .ctx = o, .close = owner_close };
	r = pv_fd_link(fd, lock_fd, &owner, path, baud, ret_link, e);
	if (r == 0) {
		port = NULL;
		o = NULL;
		lock_fd = -1;
	}
out:
	if (o != NULL)
		pv_latency_restore(&o->latency);
	free(o);
	if (port != NULL) {
		if (opened)
			(void)sp_close(port);
		sp_free_port(port);
	}
	if (lock_fd >= 0)
		(void)close(lock_fd);
	free(real);
	return r;
}

static void
masked(char *dst, size_t cap, const char *text)
{
	pv_mask(dst, cap, text != NULL ? text : "");
}

static int
by_name(const void *a, const void *b)
{
	const struct sp_port *const *pa = a, *const *pb = b;

	return strcmp(sp_get_port_name(*pa), sp_get_port_name(*pb));
}

int
pv_link_list(int (*each)(void *ctx, const struct pv_port_info *port), void *ctx,
    struct pv_error *e)
{
	struct sp_port **ports = NULL;
	struct pv_port_info info;
	const char *name;
	size_t n = 0, i;
	int r = 0;

	if (sp_list_ports(&ports) != SP_OK)
		return pv_fail(e, PV_E_LINK, "cannot list the serial ports");
	while (ports[n] != NULL)
		n++;
	if (n > 1)
		qsort(ports, n, sizeof(struct sp_port *), by_name);
	for (i = 0; i < n && r == 0; i++) {
		name = sp_get_port_name(ports[i]);
		if (name == NULL || strlen(name) > PV_LINK_NAME)
			continue;
		memset(&info, 0, sizeof(info));
		(void)snprintf(
		    info.port, sizeof(info.port), "usart:%.256s", name);
		masked(info.description, sizeof(info.description),
		    sp_get_port_description(ports[i]));
		masked(info.manufacturer, sizeof(info.manufacturer),
		    sp_get_port_usb_manufacturer(ports[i]));
		masked(info.serial, sizeof(info.serial),
		    sp_get_port_usb_serial(ports[i]));
		if (sp_get_port_usb_vid_pid(
			ports[i], &info.vendor_id, &info.product_id) != SP_OK)
			info.vendor_id = info.product_id = -1;
		r = each(ctx, &info);
	}
	sp_free_port_list(ports);
	return r;
}
