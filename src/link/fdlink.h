/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A link over a file descriptor: what the serial, pty and TCP transports
 * share. Inside src/link only.
 */
#ifndef PV_FDLINK_H
#define PV_FDLINK_H

#include <stdbool.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/link.h>

#define PV_LINK_NAME	    256U
#define PV_LINK_BAUD	    115200U
#define PV_LINK_BAUD_MIN    1200U /* lowest tested rate, AN3155 2.1 */
#define PV_LINK_BAUD_MAX    8000000U
#define PV_TCP_CONNECT_MS   5000
#define PV_LINK_DRAIN_LIMIT 65536U /* bytes dropped by one drain */

/* What else must end with the link (libserialport's port), before the fd. */
struct pv_fd_owner {
	void *ctx;
	void (*close)(void *ctx);
};

/*
 * Make a link over `fd`, which it then owns, unless `owner` is given: then
 * the owner closes it. `lock_fd` (or -1) is closed after it. `name` is for
 * messages. On failure nothing is closed.
 */
PV_MUST_USE int pv_fd_link(int fd, int lock_fd, const struct pv_fd_owner *owner,
    const char *name, uint32_t baud, struct pv_link *ret_link,
    struct pv_error *e);

/*
 * One user of a port at a time: flock, and for a terminal TIOCEXCL too (which
 * stops programs that do not use flock, but not root). PV_E_LINK when busy.
 */
PV_MUST_USE int pv_fd_claim(int fd, const char *name, struct pv_error *e);

/* A path that libserialport does not know: a pty, or a link to one. */
PV_MUST_USE int pv_link_open_tty(const char *path, uint32_t baud,
    struct pv_link *ret_link, struct pv_error *e);

/*
 * A real serial port. *ret_known is false, with 0 returned, when libserialport
 * does not know the path.
 */
PV_MUST_USE int pv_link_open_serial(const char *path, uint32_t baud,
    bool *ret_known, struct pv_link *ret_link, struct pv_error *e);

PV_MUST_USE int pv_link_open_tcp(
    const char *address, struct pv_link *ret_link, struct pv_error *e);

#endif
