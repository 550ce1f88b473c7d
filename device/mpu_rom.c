/* SPDX-License-Identifier: Apache-2.0 */
/* Serial boot of the ROM: one image is asked for, checked and started. */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

/* OTP words of the hash of the OEM's key or keys. */
#define KEY_HASH_WORD 24U

void
pv_mp_rom_enter(struct pv_mp *m)
{
	pv_mp_ask(m, PV_MP_FSBL, m->config->chip.load_address,
	    (uint32_t)m->port->ram_size);
	m->uart.synced = false;
}

/* Words are burnt as big-endian reads of the hash. */
static bool
burnt_hash_is(const struct pv_mp *m, const uint8_t hash[32])
{
	const struct pv_mp_fuses *f = &m->port->fuses;

	for (unsigned int i = 0; i < 8; i++) {
		uint32_t v = 0;

		if (f->read(f->ctx, KEY_HASH_WORD + i, &v) != 0 ||
		    v != pv_get_u32be(hash + 4 * (size_t)i))
			return false;
	}
	return true;
}

/* What the mailbox must know of the image that fetches the blob. */
static void
remember(struct pv_mp *m, const struct pv_mp_image *im, bool verified,
    const uint8_t hash[32])
{
	m->mailbox.image_version = im->version;
	m->mailbox.image_signed = verified;
	memcpy(m->mailbox.image_key_hash, hash, 32);
}

bool
pv_mp_rom_start(struct pv_mp *m)
{
	const uint8_t *p = m->port->ram;
	size_t len = m->received;
	enum pv_mp_stage next;
	struct pv_mp_image im;
	uint8_t hash[32] = { 0 };
	bool verified;
	const char *why;

	why = pv_mp_image_parse(p, len, m->config->chip.header_major, &im);
	if (why != NULL) {
		pv_mp_note(m, why, 0);
		return false;
	}
	verified = im.key != NULL && pv_mp_image_key_hash(m, &im, hash) == 0 &&
		   pv_mp_image_verified(m, p, &im);
	if (pv_mp_closed(m) && !(verified && burnt_hash_is(m, hash))) {
		pv_mp_note(m, "image: not signed by the key of this chip", 0);
		return false;
	}
	remember(m, &im, verified, hash);
	m->generation = m->config->generation;
	m->otp_version = m->config->chip.key_table ? 2 : 1;
	next = pv_mp_image_stage(m, p + im.header_len, im.length);
	if (m->config->force_generation)
		m->generation = m->config->generation;
	/* The ROM starts an FSBL; what is in it, it does not know. */
	pv_mp_enter(m, next);
	return true;
}
