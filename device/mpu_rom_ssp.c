/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ROM's part of secret provisioning: the chip's key pair, and opening
 * license and payload. boot_api.h of TF-A v2.4-stm32mp; what it leaves open
 * is in `struct pv_mp_profile`.
 */
#include "device/mpu_stage.h"

#include "base/buf.h"

#include <string.h>

/* ssp_status */
#define STATUS_KEY	 1U
#define STATUS_DONE	 2U
#define STATUS_FORBIDDEN 3U

/* license */
#define TYPE_STATIC   0x2e505353U /* "SSP." */
#define TYPE_LIVE     0x4c505353U /* "SSPL" */
#define LICENSE_PUBK  0x18U
#define LICENSE_DATA  0x58U
#define LICENSE_TAG   0x78U
#define LICENSE_PLAIN 32U
#define LICENSE_AAD   (LICENSE_DATA + 32U)

/* payload */
#define PAYLOAD_MAGIC 0x50505353U /* "SSPP" */

struct opened {
	uint8_t iv[16], key[16];
};

/* ANSI X9.63 with SHA-256, two blocks. */
static int
derive(const struct pv_mp *m, const uint8_t z[32], const uint8_t *peer,
    uint8_t kdf[64])
{
	const struct pv_mp_crypto *c = &m->port->crypto;
	size_t info = m->config->profile.info_ephemeral ? 64 : 0;
	uint8_t b[32 + 4 + 64];
	int r = 0;

	memcpy(b, z, 32);
	memcpy(b + 36, peer, info);
	for (uint32_t i = 0; r == 0 && i < 2; i++) {
		pv_put_u32be(b + 32, i + 1);
		r = c->sha256(c->ctx, b, 36 + info, kdf + 32 * (size_t)i);
	}
	memset(b, 0, sizeof b);
	return r;
}

static int
open_license(const struct pv_mp *m, const uint8_t *l, struct opened *ret)
{
	const struct pv_mp_profile *p = &m->config->profile;
	const struct pv_mp_crypto *c = &m->port->crypto;
	uint8_t z[32], kdf[64], aad[LICENSE_AAD], plain[LICENSE_PLAIN];
	uint32_t type = pv_get_u32le(l);
	int r;

	if ((type != TYPE_STATIC && type != TYPE_LIVE) ||
	    pv_get_u32le(l + 8) != 1 ||
	    m->mailbox.image_version < pv_get_u32le(l + 12))
		return -1;
	r = c->ecdh(c->ctx, l + LICENSE_PUBK, z);
	if (r == 0)
		r = derive(m, z, l + LICENSE_PUBK, kdf);
	if (r == 0) {
		memcpy(aad, l, LICENSE_DATA);
		memcpy(aad + LICENSE_DATA, kdf + 32, 32);
		r = c->open(c->ctx, kdf + (p->key_high ? 16 : 0),
		    kdf + (p->key_high ? 0 : 16), p->license_iv, aad,
		    sizeof aad, l + LICENSE_DATA, LICENSE_PLAIN,
		    l + LICENSE_TAG, plain);
	}
	if (r == 0) {
		memcpy(ret->iv, plain, 16);
		memcpy(ret->key, plain + 16, 16);
	}
	memset(z, 0, sizeof z);
	memset(kdf, 0, sizeof kdf);
	memset(plain, 0, sizeof plain);
	return r;
}

/* Is the loader signed by the key that the payload brings? */
static bool
loader_belongs(const struct pv_mp *m, const uint8_t *payload)
{
	const struct pv_mp_crypto *c = &m->port->crypto;
	uint8_t hash[32];

	if (!m->config->signed_loader)
		return true;
	if (m->config->chip.key_table)
		memcpy(hash, payload + 8, 32);
	else if (c->sha256(c->ctx, payload + 8, 64, hash) != 0)
		return false;
	return m->mailbox.image_signed &&
	       memcmp(hash, m->mailbox.image_key_hash, 32) == 0;
}

/* In place: the secrets stand where their ciphertext was. */
static int
open_payload(struct pv_mp *m, uint8_t *payload, const struct opened *o)
{
	const struct pv_mp_crypto *c = &m->port->crypto;
	size_t key = m->config->chip.key_table ? 32 : 64;
	size_t size_at = 8 + key, tag_at = size_at + 4;
	uint8_t *data = payload + tag_at + 16;
	uint8_t plain[PV_MP_SECRETS];
	uint32_t size = pv_get_u32le(payload + size_at);
	int r;

	if (pv_get_u32le(payload) != PAYLOAD_MAGIC ||
	    pv_get_u32le(payload + 4) != 1 || size > PV_MP_SECRETS ||
	    !loader_belongs(m, payload))
		return -1;
	r = c->open(c->ctx, o->key, o->iv, m->config->profile.payload_iv,
	    payload, tag_at, data, size, payload + tag_at, plain);
	if (r == 0)
		memcpy(data, plain, size);
	memset(plain, 0, sizeof plain);
	return r;
}

static bool
provision(struct pv_mp *m)
{
	struct pv_mp_mailbox *b = &m->mailbox;
	struct opened o;
	int r;

	r = open_license(m, b->blob, &o);
	if (r != 0)
		pv_mp_note(m, "ROM: the license does not open", 0);
	if (r == 0) {
		r = open_payload(m, b->blob + PV_MP_LICENSE, &o);
		if (r != 0)
			pv_mp_note(m, "ROM: the payload does not open", 0);
	}
	memset(&o, 0, sizeof o);
	return r == 0;
}

void
pv_mp_rom_mailbox(struct pv_mp *m)
{
	const struct pv_mp_crypto *c = &m->port->crypto;
	struct pv_mp_mailbox *b = &m->mailbox;

	switch (b->command) {
	case PV_MP_PUBK:
		if (c->public_key(c->ctx, b->chip_key) == 0) {
			b->has_key = true;
			b->status = STATUS_KEY;
			b->command = PV_MP_PUBA;
		} else {
			b->command = 0;
		}
		break;
	case PV_MP_PROV:
		if (provision(m)) {
			b->status = STATUS_DONE;
			b->command = PV_MP_PROA;
		} else {
			memset(b->blob, 0, sizeof b->blob);
			b->has_key = false;
			b->status = STATUS_FORBIDDEN;
			b->command = 0;
		}
		break;
	default:
		break;
	}
}
