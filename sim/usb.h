/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual chip on USB: its bootloader's DFU face (device/dfu.c), served as
 * USB/IP, so that a Linux kernel with vhci-hcd can attach it.
 */
#ifndef PV_SIM_USB_H
#define PV_SIM_USB_H

#include "device/dfu.h"
#include "sim/sim.h"

#define PV_SIM_USB_PORT 3240U /* of USB/IP, as IANA has it */

/* How the part on USB behaves beyond its chip description, and what fails. */
struct pv_sim_usb {
	char host[256]; /* to listen on */
	uint16_t port;	/* 0: any free one */

	bool flash_times;   /* erasing and programming take their time */
	const char *layout; /* memory string of the flash; NULL: from chip */
	char serial[32];    /* "": from the chip's certificate */
	char reserial[32];  /* STM32MP: its serial after the first
			       re-enumeration; "": the same */
	uint16_t transfer_size; /* 0: from the chip */
	bool has_poll;
	enum pv_dd_poll poll;
	bool by_descriptor, overread_hangs, leave_early;

	/* Faults; counts are of control transfers, chances per million. */
	bool has_unplug, has_powercut, has_reset;
	uint64_t unplug, powercut, reset_at;
	uint32_t stall, timeout, shorten;
	uint64_t seed;

	/* Called once when the server listens. */
	void (*ready)(void *ctx, const char *host, unsigned int port);
	void *ctx;
};

/* "[HOST:]PORT"; the host is 127.0.0.1 when none is given. */
PV_MUST_USE int pv_sim_usb_address(
    const char *text, struct pv_sim_usb *u, struct pv_error *e);
/*
 * "poll=zero,address=descriptor,leave=early,overread=hang,serial=TEXT,
 * reserial=TEXT,transfer-size=N": ways in which parts differ.
 */
PV_MUST_USE int pv_sim_usb_behavior(
    const char *text, struct pv_sim_usb *u, struct pv_error *e);
/* "unplug@N,powercut@N,reset@N,stall=P,timeout=P,short=P": P such as 1e-3. */
PV_MUST_USE int pv_sim_usb_faults(
    const char *text, struct pv_sim_usb *u, struct pv_error *e);

/* Serve until a signal, or the fault that was asked for. */
PV_MUST_USE int pv_sim_serve_usb(struct pv_sim *sim, const struct pv_sim_usb *u,
    enum pv_sim_end *ret_end, struct pv_error *e);

/* usb.json of a chip's folder: control transfers of a client, and of all. */
#define PV_SIM_USB_COUNTS "usb.json"

/* --- usb.c, usbip.c --------------------------------------------------------- */

struct pv_sim_usb_part {
	struct pv_sim *sim;
	const struct pv_sim_usb *opt;
	struct pv_dd dd;
	struct pv_dd_config config;
	struct pv_dd_control control;
	struct pv_mp *mpu;  /* an STM32MP; else NULL, and `dd` is used */
	bool status_blocks; /* GETSTATUS is answered when the work is done */
	char serial[32];
	char flash_map[PV_DD_TEXT], option_map[PV_DD_TEXT];
	struct pv_dd_counts total; /* of clients that have gone */
	uint64_t clients;
	uint64_t n;	 /* transfers since the start */
	uint64_t random; /* state of the generator of faults */
};

PV_MUST_USE int pv_sim_usb_part(struct pv_sim *sim,
    const struct pv_sim_usb *opt, struct pv_sim_usb_part *p,
    struct pv_error *e);
/* One transfer; m->gone of the part, or usb_left of an STM32MP, tells more. */
enum pv_dd_end pv_sim_usb_transfer(struct pv_sim_usb_part *p,
    const struct pv_dd_setup *setup, uint8_t *data, size_t *ret_len);
/* The reset pin. */
void pv_sim_usb_restart(struct pv_sim_usb_part *p);
/* Has it left the bus? It comes back after a moment, or runs a program. */
enum pv_sim_usb_away { PV_SIM_USB_HERE, PV_SIM_USB_BACK, PV_SIM_USB_GONE };
enum pv_sim_usb_away pv_sim_usb_left(struct pv_sim_usb_part *p);
/* A client has gone: keep its counts, write them to the folder. */
PV_MUST_USE int pv_sim_usb_client_end(
    struct pv_sim_usb_part *p, struct pv_error *e);
/* True with a chance of `millionths` in a million. */
bool pv_sim_usb_chance(struct pv_sim_usb_part *p, uint32_t millionths);

#endif
