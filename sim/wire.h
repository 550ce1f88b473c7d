/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line between a host and a part, in nanoseconds of a clock of the
 * caller's: bytes that take their time each way, the noise on them, a receiver
 * without FIFO, and a USB-serial adapter that holds back what it received.
 *
 * Nothing here waits. The caller says when the host sent something, asks when
 * the next thing is due, and fetches what the adapter hands over by then. A
 * byte's fate is settled as soon as it is sent, because nothing that comes
 * later can change it; only answers wait for their time.
 */
#ifndef PV_SIM_WIRE_H
#define PV_SIM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_WIRE_NEVER	INT64_MAX
#define PV_WIRE_OUT_MAX (1U << 20) /* answer bytes that may wait */
/* A packet of the FT232R is 64 bytes, two of them status. */
#define PV_WIRE_PACKET	62U
/* One register and the shift register behind it. */
#define PV_WIRE_SLOTS	2U

enum pv_wire_way { PV_WIRE_IN, PV_WIRE_OUT }; /* host to part, part to host */

/* Chances per byte, 0 to 1. */
struct pv_wire_noise {
	double drop[2], flip[2], insert[2]; /* by enum pv_wire_way */
	double nack;			    /* a NACK before an ACK */
	double lostack;			    /* an ACK that does not come */
};

struct pv_wire_config {
	uint32_t baud;	   /* of the host; 0: bytes take no time */
	uint32_t max_baud; /* the part finds no faster rate; 0: any */
	int64_t latency_ns;
	bool event_char; /* the adapter hands over at each 0x79 */
	int64_t turn_ns; /* from the last byte in to the answer's first bit */
	int64_t restart_ns;
	int64_t byte_timeout_ns; /* 0: waits for ever for a frame's rest */
	struct pv_wire_noise noise;
	uint64_t seed;
	bool has_cut; /* the line ends with this byte of the host */
	uint64_t cut;
	bool has_reset; /* the part is reset after this byte of the host */
	uint64_t reset_at;
};

/* What the line needs of the part. */
struct pv_wire_part {
	void *ctx;
	/* One byte read from the receiver; answers by pv_wire_emit. */
	void (*take)(void *ctx, uint8_t byte);
	/* Time spent in flash since power-on; grows during `take`. */
	int64_t (*busy_ns)(void *ctx);
	bool (*synced)(void *ctx);
	bool (*mid_frame)(void *ctx);
	void (*reset)(void *ctx); /* its pin was pulled */
	/* The byte time-out ran out; NULL: that resets it. */
	void (*expired)(void *ctx);
	/*
	 * NULL, or the time-out that holds now on a line that takes its time;
	 * 0: that of the configuration.
	 */
	int64_t (*patience_ns)(void *ctx);
	void (*overrun)(void *ctx); /* a byte was lost in the receiver */
	/* The next byte is the last before the cut. */
	void (*last)(void *ctx);
};

struct pv_wire_byte {
	int64_t at; /* its stop bit has passed */
	uint8_t value;
};

struct pv_wire {
	struct pv_wire_config config;
	const struct pv_wire_part *part;
	uint64_t random[2];

	uint64_t sent; /* bytes of the host */
	bool cut;
	uint32_t part_baud; /* fixed by the sync byte; 0: not yet */

	int64_t line_free; /* host to part */
	int64_t now;	   /* the part is at its receiver from here on */
	int64_t busy_seen;
	int64_t deaf_until; /* it restarts */
	int64_t emptied;    /* bytes that came before this are gone */
	bool turned;
	size_t n_slots;
	struct pv_wire_byte slots[PV_WIRE_SLOTS];

	int64_t flushed; /* when the adapter last handed over */
	size_t out_head, out_len, out_cap;
	struct pv_wire_byte *out;
	uint64_t lost; /* answers nobody fetched */
};

void pv_wire_init(struct pv_wire *w, const struct pv_wire_config *config,
    const struct pv_wire_part *part);
void pv_wire_release(struct pv_wire *w);

/* The host's port runs at another rate now. */
void pv_wire_host_rate(struct pv_wire *w, uint32_t baud);
/* The host sent these bytes at time t. */
void pv_wire_send(struct pv_wire *w, int64_t t, const uint8_t *data, size_t n);
/* Let the part act on what it had no time for before t. */
void pv_wire_run(struct pv_wire *w, int64_t t);
/* When something is due next, PV_WIRE_NEVER for not by itself. */
int64_t pv_wire_next(const struct pv_wire *w);
/* What the adapter hands over by time t, at most cap bytes. */
size_t pv_wire_fetch(struct pv_wire *w, int64_t t, uint8_t *dst, size_t cap);

/* From the part, inside `take` or `reset`. */
void pv_wire_emit(struct pv_wire *w, const uint8_t *data, size_t n);
/* The part throws away what its receiver holds. */
void pv_wire_flush(struct pv_wire *w);
void pv_wire_restarted(struct pv_wire *w);

/* Next number of a seeded sequence; *state is the seed at first. */
uint64_t pv_wire_random(uint64_t *state);

#endif
