/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The install agent without the cryptography that would keep a fuzzer out:
 * every tag is right and ciphertext is plaintext, so that what areas hold is
 * fuzzed too. The input is a script of steps, resets and failing flash
 * operations. Nothing of an unfinished package may start.
 */
#include <stdlib.h>

#include "tests/unit/agent_rig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t
take(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static int
open_begin(void *ctx, const uint8_t key[16], const uint8_t iv[12],
    const uint8_t *aad, size_t aad_len)
{
	(void)ctx;
	(void)key;
	(void)iv;
	(void)aad;
	(void)aad_len;
	return 0;
}

static int
open_update(void *ctx, const uint8_t *in, uint8_t *out, size_t len)
{
	(void)ctx;
	memcpy(out, in, len);
	return 0;
}

static int
open_check(void *ctx, const uint8_t tag[16])
{
	(void)ctx;
	(void)tag;
	return 0;
}

static void
open_end(void *ctx)
{
	(void)ctx;
}

static int
open_verify(void *ctx, const uint8_t pub[64], const uint8_t digest[32],
    const uint8_t sig[64])
{
	(void)ctx;
	(void)pub;
	(void)digest;
	(void)sig;
	return 0;
}

static int
open_ecdh(void *ctx, const uint8_t peer[64], uint8_t z[32])
{
	(void)ctx;
	memcpy(z, peer, 32);
	return 0;
}

static int
open_unwrap(void *ctx, const uint8_t kek[32], const uint8_t *in, size_t len,
    uint8_t *out)
{
	(void)ctx;
	(void)kek;
	memcpy(out, in, len - 8);
	return 0;
}

/* An area header: letter, size, one of the interesting places. */
static void
area_header(const struct rig *g, struct input *in, uint8_t h[30])
{
	static const uint32_t bases[] = { FAKE_FLASH, FAKE_ALIAS, RIG_EXTERNAL,
		FAKE_FLASH + FAKE_FLASH_SIZE - 64, 0, FAKE_RAM,
		RIG_EXTERNAL + RIG_EXTERNAL_SIZE - 64, 0xffffff00U };

	memset(h, 0, 30);
	h[0] = take(in);
	h[2] = (uint8_t)(g->agent.areas + 1);
	h[4] = take(in);
	h[5] = take(in) & 7;
	put32(h + 8, bases[take(in) % 8] + take(in) * 16U + take(in));
	h[12] = (uint8_t)g->agent.areas_total;
}

static void
step(struct rig *g, const struct pkg *p, struct input *in)
{
	uint8_t h[30] = "SFIMAGIC\x01", index[2] = { 0 };
	uint8_t op = take(in), n;

	index[0] = (uint8_t)(g->agent.areas + 1);
	switch (op % 12) {
	case 0:
		(void)rig_special(g, PV_SI_LICENSE, p->campaign, 64, p->license,
		    p->license_len);
		break;
	case 1:
		h[10] = take(in);
		(void)rig_special(g, PV_SI_HEADER, h, 28, NULL, 0);
		break;
	case 2:
	case 3:
		area_header(g, in, h);
		(void)rig_special(g,
		    op % 12 == 2 ? PV_SI_AREA_BEGIN : PV_SI_CHECK, h, 30, NULL,
		    0);
		break;
	case 4:
		n = take(in);
		if (n > in->left)
			n = (uint8_t)in->left;
		(void)rig_data(g, index[0], g->agent.received, in->p, n);
		in->p += n;
		in->left -= n;
		break;
	case 5:
		(void)rig_special(g, PV_SI_AREA_END, index, 2, NULL, 0);
		break;
	case 6:
		(void)rig_special(g, PV_SI_FINISH, NULL, 0, NULL, 0);
		break;
	case 7:
		(void)rig_special(g, PV_SI_ABORT, NULL, 0, NULL, 0);
		break;
	case 8:
		rig_power(g);
		break;
	case 9: /* a later operation fails */
		g->fake.fail_at = g->fake.ops + take(in) + 1;
		break;
	case 10:
		(void)rig_special(g, PV_SI_PAUSE, NULL, 0, NULL, 0);
		break;
	default: /* fill the area under way */
		while (g->agent.state == PV_SI_STATE_AREA &&
		       g->agent.received < g->agent.area_size) {
			uint32_t m = g->agent.area_size - g->agent.received;
			uint8_t fill[256];

			memset(fill, take(in), sizeof fill);
			(void)rig_data(g, index[0], g->agent.received, fill,
			    m < sizeof fill ? m : sizeof fill);
		}
		break;
	}
}

static bool
all(const uint8_t *p, size_t n, uint8_t value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

static void
check(const struct rig *g, bool done)
{
	const struct pv_agent *a = &g->agent;

	for (size_t i = 0; i < a->n_places; i++) {
		const struct pv_agent_place *f = &a->places[i];
		const uint8_t *p;

		if (f->type != 'F' || a->committed)
			continue;
		p = g->fake.flash + (f->base - FAKE_FLASH);
		if (!all(p, FAKE_UNIT, 0xff) && !all(p, FAKE_UNIT, 0x55))
			abort();
	}
	/* Erased means all of it. */
	if (a->state == PV_SI_STATE_FAILED &&
	    !all(g->fake.flash, sizeof g->fake.flash, 0xff))
		abort();
	/* Nothing begun: as it was, or as an install left it. */
	if (a->state == PV_SI_STATE_IDLE && !done &&
	    !all(g->fake.flash, sizeof g->fake.flash, 0x55) &&
	    !all(g->fake.flash, sizeof g->fake.flash, 0xff))
		abort();
	/* Nothing outside the window of the external flash is written: ASan. */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig *g;
	static struct pkg *p;
	struct input in = { data, size };
	bool done = false;

	if (g == NULL) {
		g = calloc(1, sizeof(*g));
		p = calloc(1, sizeof(*p));
		if (g == NULL || p == NULL || rig_init(g) != 0 ||
		    pkg_usual(g, p) != 0)
			abort();
		rig_extend(g);
		g->crypto.verify = open_verify;
		g->crypto.ecdh = open_ecdh;
		g->crypto.unwrap = open_unwrap;
		g->crypto.gcm_begin = open_begin;
		g->crypto.gcm_update = open_update;
		g->crypto.gcm_check = open_check;
		g->crypto.gcm_end = open_end;
	}
	rig_fill(g);
	rig_power(g);
	while (in.left > 0) {
		uint8_t before = g->agent.state;

		step(g, p, &in);
		if (g->agent.state != PV_SI_STATE_BROKEN &&
		    (g->agent.state != before || in.left == 0))
			check(g, done);
		done = done || g->agent.state == PV_SI_STATE_DONE;
	}
	return 0;
}
