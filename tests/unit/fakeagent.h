/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_push_install.c: the device's side of the install exchange, its
 * rules without cryptography, and packages to go with it. <cmocka.h> comes
 * with the includer.
 */
#ifndef PV_TEST_FAKEAGENT_H
#define PV_TEST_FAKEAGENT_H

#include <stdio.h>

#include "fakeboot.h"

#include "formats/sfi.h"
#include <provisor/secure_install.h>

static inline void
fill(uint8_t *p, size_t n, unsigned seed)
{
	while (n-- > 0) {
		seed = seed * 1103515245U + 12345U;
		*p++ = (uint8_t)(seed >> 16);
	}
}

static const uint8_t product_id[8] = { '4', '6', '0', '0', '0', '0', '0', '1' };

/* --- a fake install agent: the exchange's rules, no cryptography -------------- */

#define EXTERNAL 0x90000000U

struct agent {
	uint8_t state;
	uint8_t type;	     /* of the area under way */
	uint8_t package[28]; /* its header */
	uint8_t chain[32];
	uint32_t external, takes;
	uint16_t result;
	uint16_t area, areas, done;
	uint32_t received, size;
	uint32_t last_off, last_len;
	uint16_t ended;
	uint8_t cert[136];
	uint16_t refuse_code; /* this subcommand is refused ... */
	uint16_t refuse_with; /* ... with this */
	uint8_t refuse_state;
	uint16_t packet;
	uint32_t option_bytes;
	uint8_t payload[16384]; /* all areas, as received */
	size_t n_payload;
	unsigned n_license, n_abort, n_finish, n_data;
	bool programmed;
	bool mute_finish;     /* works, and its answer is lost */
	unsigned mute_pauses; /* so many answers to the end of a part */
	unsigned n_check;
};

static inline void
put_status(struct fakeboot *b, const struct agent *a)
{
	uint8_t s[8] = { 0 };

	s[0] = a->state;
	pv_put_u16le(s + 2, a->result);
	pv_put_u16le(s + 4, a->area);
	fb_put(b, 0);
	fb_put(b, 8);
	fb_put_all(b, s, 8);
}

static inline void
put_out(struct fakeboot *b, const void *data, size_t n)
{
	fb_put(b, (uint8_t)(n >> 8));
	fb_put(b, (uint8_t)n);
	fb_put_all(b, data, n);
}

static inline void
agent_info(struct fakeboot *b, struct agent *a)
{
	uint8_t o[48] = { 0 };

	pv_put_u16le(o, 2);
	pv_put_u16le(o + 2, b->id);
	memcpy(o + 4, product_id, sizeof(product_id));
	o[12] = a->state;
	pv_put_u16le(o + 14, a->packet);
	pv_put_u32le(o + 16, FB_FLASH);
	pv_put_u32le(o + 20, FB_SIZE);
	pv_put_u32le(o + 24, 8);
	pv_put_u32le(o + 28, a->option_bytes);
	pv_put_u32le(o + 32, EXTERNAL);
	pv_put_u32le(o + 36, a->external);
	pv_put_u32le(o + 40, a->takes);
	pv_put_u16le(o + 44, 64);
	pv_put_u16le(o + 46, PV_SI_AREAS_MAX);
	put_out(b, o, sizeof(o));
}

static inline void
agent_report(struct fakeboot *b, struct agent *a)
{
	uint8_t o[16] = { 0 };

	o[0] = a->state;
	pv_put_u16le(o + 2, a->result);
	pv_put_u16le(o + 4, a->area);
	pv_put_u16le(o + 8, a->done);
	pv_put_u16le(o + 10, a->areas);
	pv_put_u32le(o + 12, a->received);
	put_out(b, o, sizeof(o));
}

static inline void
agent_pause(struct fakeboot *b, struct agent *a)
{
	uint8_t o[36] = { 0 };

	pv_put_u16le(o, a->done);
	pv_put_u16le(o + 2, a->areas);
	memcpy(o + 4, a->chain, sizeof(a->chain));
	put_out(b, o, sizeof(o));
}

static inline void
agent_fail(struct agent *a, uint16_t why)
{
	a->result = why;
	a->state = PV_SI_STATE_FAILED;
}

static inline void
agent_data(struct fakeboot *b, struct agent *a)
{
	uint32_t off = pv_get_u32le(b->p1 + 2);
	size_t n = b->n_p2;

	a->n_data++;
	if (a->state == PV_SI_STATE_AREA && off == a->last_off &&
	    n == a->last_len && a->received == off + n)
		return; /* sent again */
	if (a->state != PV_SI_STATE_AREA || b->n_p1 != 6 ||
	    pv_get_u16le(b->p1) != a->area || off != a->received || n == 0 ||
	    n > a->size - a->received) {
		agent_fail(a, PV_SI_E_SEQUENCE);
		return;
	}
	assert_true(a->n_payload + n <= sizeof(a->payload));
	memcpy(a->payload + a->n_payload, b->p2, n);
	a->n_payload += n;
	a->last_off = off;
	a->last_len = (uint32_t)n;
	a->received += (uint32_t)n;
}

static inline void
agent_end(struct fakeboot *b, struct agent *a)
{
	uint16_t index = pv_get_u16le(b->p1);

	if (a->state == PV_SI_STATE_READY && index == a->ended)
		return; /* sent again */
	if (a->state != PV_SI_STATE_AREA || index != a->area)
		agent_fail(a, PV_SI_E_SEQUENCE);
	else if (a->received != a->size)
		agent_fail(a, PV_SI_E_AREA_SIZE);
	else {
		a->state =
		    a->type == 'P' ? PV_SI_STATE_PAUSED : PV_SI_STATE_READY;
		a->ended = index;
		a->done++;
		a->area = 0;
	}
}

static inline void
agent_begin(struct fakeboot *b, struct agent *a)
{
	struct pv_sfi_area h;

	pv_sfi_area_decode(b->p1, &h);
	if (a->state != PV_SI_STATE_READY || h.index != a->done + 1) {
		agent_fail(a, PV_SI_E_SEQUENCE);
		return;
	}
	a->state = PV_SI_STATE_AREA;
	a->type = h.type;
	a->area = h.index;
	a->size = h.size;
	a->received = a->last_len = 0;
}

static inline void
agent_change(struct fakeboot *b, struct agent *a, uint16_t code)
{
	a->result = PV_SI_OK;
	switch (code) {
	case PV_SI_LICENSE:
		a->n_license++;
		if (a->state != PV_SI_STATE_IDLE &&
		    a->state != PV_SI_STATE_FAILED &&
		    a->state != PV_SI_STATE_DONE &&
		    a->state != PV_SI_STATE_PAUSED)
			agent_fail(a, PV_SI_E_SEQUENCE);
		else
			a->state = PV_SI_STATE_LICENSED;
		break;
	case PV_SI_HEADER:
		if (a->state != PV_SI_STATE_LICENSED) {
			agent_fail(a, PV_SI_E_SEQUENCE);
			break;
		}
		a->state = PV_SI_STATE_READY;
		if (memcmp(a->package, b->p1, sizeof(a->package)) == 0 &&
		    a->done > 0 && a->done < a->areas)
			break; /* goes on */
		memcpy(a->package, b->p1, sizeof(a->package));
		a->areas = pv_get_u16le(b->p1 + 10);
		a->done = a->ended = 0;
		a->n_payload = 0;
		break;
	case PV_SI_CHECK:
		a->n_check++;
		if (a->state != PV_SI_STATE_READY || a->done != 0)
			agent_fail(a, PV_SI_E_SEQUENCE);
		break;
	case PV_SI_AREA_BEGIN:
		agent_begin(b, a);
		break;
	case PV_SI_AREA_DATA:
		agent_data(b, a);
		break;
	case PV_SI_AREA_END:
		agent_end(b, a);
		break;
	case PV_SI_FINISH:
		a->n_finish++;
		if (a->state != PV_SI_STATE_READY) {
			agent_fail(a, PV_SI_E_SEQUENCE);
			break;
		}
		a->state = PV_SI_STATE_DONE;
		a->programmed = true;
		break;
	case PV_SI_ABORT:
		a->n_abort++;
		/* Behind the first area all of flash is erased. */
		a->state = a->state == PV_SI_STATE_PAUSED ||
				   a->state == PV_SI_STATE_AREA || a->done > 0
			       ? PV_SI_STATE_FAILED
			       : PV_SI_STATE_IDLE;
		a->areas = a->done = 0;
		break;
	default:
		break;
	}
	if (a->refuse_code == code && a->refuse_with != 0) {
		a->result = a->refuse_with;
		a->state = a->refuse_state;
		a->refuse_with = 0;
		if (code == PV_SI_FINISH)
			a->programmed = false;
	}
}

static inline void
agent_run(struct fakeboot *b, uint16_t code, bool extended)
{
	struct agent *a = b->special_ctx, other;
	uint16_t off, n;

	if (code == PV_SI_INFO) {
		agent_info(b, a);
	} else if (code == PV_SI_STATUS) {
		agent_report(b, a);
	} else if (code == PV_SI_PAUSE) {
		agent_pause(b, a);
	} else if (code == PV_SI_CERTIFICATE) {
		off = pv_get_u16le(b->p1);
		n = pv_get_u16le(b->p1 + 2);
		assert_true(off + n <= 136 && n <= 128);
		put_out(b, a->cert + off, n);
	} else {
		agent_change(b, a, code);
		if (code == PV_SI_FINISH && a->mute_finish) {
			a->mute_finish = false;
			b->state = FB_BAUD;
			return;
		}
		if (code == PV_SI_AREA_END && a->mute_pauses > 0 &&
		    a->state == PV_SI_STATE_PAUSED) {
			a->mute_pauses--;
			b->state = FB_BAUD;
			return;
		}
		if (!extended)
			put_out(b, "", 0);
	}
	if (code == PV_SI_INFO || code == PV_SI_STATUS ||
	    code == PV_SI_CERTIFICATE || code == PV_SI_PAUSE) {
		other = *a;
		other.result = PV_SI_OK;
		put_status(b, &other);
	} else {
		put_status(b, a);
	}
	fb_ack(b);
	if ((code == PV_SI_FINISH && a->programmed) ||
	    (code == PV_SI_AREA_END && a->state == PV_SI_STATE_PAUSED))
		b->state = FB_BAUD; /* it restarts */
}

/* --- a package on disk ---------------------------------------------------------- */

static char package_path[64];
static uint8_t package_bytes[32768];
static size_t package_len;
static uint8_t payload[16384];
static size_t payload_len;

static inline void
write_package(const void *data, size_t len)
{
	FILE *f = fopen(package_path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

struct want_area {
	uint8_t type;
	uint32_t address, size;
};

static inline void
make_package(const struct want_area *areas, uint16_t n)
{
	struct pv_sfi_header h = { .version = 1, .n_areas = n };
	struct pv_sfi_area a;
	uint8_t *p = package_bytes;
	uint16_t i;

	pv_sfi_header_encode(&h, p);
	p += PV_SFI_HEADER;
	payload_len = 0;
	for (i = 0; i < n; i++) {
		a = (struct pv_sfi_area){ .type = areas[i].type,
			.version = 1,
			.index = (uint16_t)(i + 1),
			.size = areas[i].size,
			.address = areas[i].address,
			.total = n };
		pv_sfi_area_encode(&a, p);
		p += PV_SFI_AREA;
		fill(p, a.size, i + 1U);
		memcpy(payload + payload_len, p, a.size);
		payload_len += a.size;
		p += a.size;
	}
	package_len = (size_t)(p - package_bytes);
	write_package(package_bytes, package_len);
}

#endif
