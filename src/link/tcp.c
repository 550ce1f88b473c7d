/* SPDX-License-Identifier: Apache-2.0 */
/* A raw serial server: the bytes of a port over one TCP connection. */
#include "link/fdlink.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* "HOST:PORT" or "[HOST]:PORT" into two strings. */
static int
split(const char *address, char *host, size_t host_cap, const char **ret_port,
    struct pv_error *e)
{
	const char *h = address, *end, *colon;
	size_t n;

	if (address[0] == '[') {
		h = address + 1;
		end = strchr(h, ']');
		colon = end != NULL && end[1] == ':' ? end + 1 : NULL;
	} else {
		end = colon = strrchr(address, ':');
		/* An unbracketed IPv6 address is ambiguous. */
		if (colon != NULL && strchr(address, ':') != colon)
			colon = NULL;
	}
	n = colon != NULL ? (size_t)(end - h) : 0;
	if (colon == NULL || colon[1] == '\0' || n == 0 || n >= host_cap) {
		(void)pv_fail(e, PV_E_USAGE,
		    "port 'tcp:%s' is not tcp:HOST:PORT", address);
		return pv_hint(e, "an IPv6 address goes in brackets: "
				  "tcp:[::1]:4000");
	}
	memcpy(host, h, n);
	host[n] = '\0';
	*ret_port = colon + 1;
	return 0;
}

/* Connected within the deadline, or errno. */
static int
connect_by(
    int fd, const struct sockaddr *sa, socklen_t len, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t elen = sizeof(int);
	int err = 0, n;

	if (connect(fd, sa, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	do {
		n = poll(&p, 1, pv_ms_left(deadline_ms));
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	if (n < 0)
		return errno;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &elen) != 0)
		return errno;
	return err;
}

int
pv_link_open_tcp(
    const char *address, struct pv_link *ret_link, struct pv_error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL, *ai;
	int64_t deadline = pv_now_ms() + PV_TCP_CONNECT_MS;
	char host[256], name[PV_LINK_NAME];
	const char *port = NULL;
	int fd = -1, err = EADDRNOTAVAIL, one = 1, r;

	r = split(address, host, sizeof(host), &port, e);
	if (r != 0)
		return r;
	r = getaddrinfo(host, port, &hints, &list);
	if (r != 0)
		return pv_fail(e, PV_E_LINK, "port 'tcp:%s': %s", address,
		    gai_strerror(r));
	for (ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
		fd = socket(ai->ai_family,
		    ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
		    ai->ai_protocol);
		if (fd < 0) {
			err = errno;
			continue;
		}
		err = connect_by(fd, ai->ai_addr, ai->ai_addrlen, deadline);
		if (err != 0) {
			(void)close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(list);
	if (fd < 0) {
		(void)pv_fail_errno(
		    e, PV_E_LINK, err, "connecting to port 'tcp:%s'", address);
		return pv_hint(e, "is the serial server running there, and "
				  "free?");
	}
	/* Frames are short and wait for an answer each. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	(void)snprintf(name, sizeof(name), "tcp:%.200s", address);
	r = pv_fd_link(fd, -1, NULL, name, 0, ret_link, e);
	if (r != 0)
		(void)close(fd);
	return r;
}
