/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte link to a bootloader: a serial port, a pty, a TCP raw serial
 * server, or a fake in a test. Moves bytes under deadlines; knows no
 * protocol. Deadlines are absolute times of pv_now_ms.
 */
#ifndef PROVISOR_LINK_H
#define PROVISOR_LINK_H

#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pv_line {
	PV_LINE_DTR,
	PV_LINE_RTS,
};

struct pv_link {
	void *ctx;
	/* Bits a second on the line, for deadlines; 0 when not known. */
	uint32_t baud;
	/* Write all `len` bytes. PV_E_TIMEOUT, PV_E_LINK (gone). */
	int (*write)(void *ctx, const uint8_t *data, size_t len,
	    int64_t deadline_ms, struct pv_error *e);
	/* At least 1, at most `cap` bytes; waits for the first. */
	int (*read)(void *ctx, uint8_t *data, size_t cap, size_t *ret_len,
	    int64_t deadline_ms, struct pv_error *e);
	/* Drop what has arrived and was not read. */
	int (*drain)(void *ctx, struct pv_error *e);
	/* Set a modem line; PV_E_UNSUPPORTED where there is none. */
	int (*line)(void *ctx, enum pv_line line, int on, struct pv_error *e);
	void (*free)(void *ctx);
};

/*
 * Open "usart:PATH[@BAUD]" or "tcp:HOST:PORT" ("tcp:[::1]:PORT" too). 8 data
 * bits, even parity, one stop bit, default 115200 baud. Missing, busy:
 * PV_E_LINK; text that names no port: PV_E_USAGE.
 */
PV_MUST_USE int pv_link_open(
    const char *port, struct pv_link *ret_link, struct pv_error *e);
/* Over an open descriptor (a pty, a socket), which the link then owns. */
PV_MUST_USE int pv_link_fd(
    int fd, struct pv_link *ret_link, struct pv_error *e);
/* Ends the link and empties the struct; an empty one is allowed. */
void pv_link_release(struct pv_link *link);

/* A serial port of this machine; texts are masked, "" when not known. */
struct pv_port_info {
	char port[264]; /* as pv_link_open takes it: "usart:/dev/ttyUSB0" */
	char description[128];
	char manufacturer[64];
	char serial[64];
	int vendor_id, product_id; /* USB ids, -1 when not USB */
};
/* Call `each` for every port, in name order; stops at nonzero. */
PV_MUST_USE int pv_link_list(
    int (*each)(void *ctx, const struct pv_port_info *port), void *ctx,
    struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
