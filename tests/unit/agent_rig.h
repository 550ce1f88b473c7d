/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_agent.c: a part with the install agent behind its bootloader, and
 * packages and licenses made by hand from their texts (formats/sfi.md,
 * formats/license.md), with nothing of the host's codecs.
 */
#ifndef PV_TEST_AGENT_RIG_H
#define PV_TEST_AGENT_RIG_H

#include "crypto/aead.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "crypto/kdf.h"
#include "device/agent.h"
#include "sim/sim.h"
#include "tests/unit/device_fake.h"

#define RIG_AREAS   70U
#define RIG_OPTIONS 12U

/* A flash outside of the part, sectors of 256 bytes in units of 16. */
#define RIG_EXTERNAL	    0x90000000U
#define RIG_EXTERNAL_SIZE   0x2000U
#define RIG_EXTERNAL_SECTOR 0x100U
#define RIG_EXTERNAL_UNIT   16U
#define RIG_MODULES	    4U

struct rig {
	struct fake fake;
	struct pv_an_config config;
	struct pv_agent_config agent_config;
	struct pv_agent_store store;
	struct pv_agent_crypto crypto;
	struct pv_sim_crypto *sim_crypto;
	struct pv_an_specials specials;
	struct pv_agent agent;
	struct pv_an an;

	struct pv_ec_key *chip, *campaign;
	uint8_t cert[136], campaign_pub[64], campaign_hash[32];

	/* what stays without power */
	uint8_t note[PV_AGENT_NOTE_LEN];
	uint8_t options[RIG_OPTIONS];
	bool options_set, refuse_options;
	bool options_late; /* a cut comes before they are in force */
	uint8_t external[RIG_EXTERNAL_SIZE];
	struct pv_dev_external external_ops;
	size_t n_modules;
	uint8_t modules[RIG_MODULES][48];
};

struct pkg_area {
	uint8_t header[30];
	uint32_t len;
	uint8_t data[5000];  /* ciphertext */
	uint8_t plain[5000]; /* what must be in flash */
	uint32_t addr;
};

struct pkg {
	uint8_t campaign[64];
	uint8_t license[228];
	size_t license_len;
	uint8_t header[28];
	size_t n;
	struct pkg_area area[RIG_AREAS];
};

/* --- the part -------------------------------------------------------------- */

static inline enum pv_an_lock
rig_lock(void *ctx)
{
	struct rig *g = ctx;

	g->fake.installing = pv_agent_installing(&g->agent);
	return fake_lock(&g->fake);
}

static inline void
rig_emit(void *ctx, const uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	fake_emit(&g->fake, data, len);
}

static inline int
rig_note_read(void *ctx, uint8_t note[PV_AGENT_NOTE_LEN])
{
	struct rig *g = ctx;

	memcpy(note, g->note, PV_AGENT_NOTE_LEN);
	return 0;
}

static inline int
rig_note_write(void *ctx, const uint8_t note[PV_AGENT_NOTE_LEN])
{
	struct rig *g = ctx;

	if (fake_op(&g->fake))
		return -1;
	fake_cut(&g->fake); /* the old note stays */
	memcpy(g->note, note, PV_AGENT_NOTE_LEN);
	return 0;
}

static inline int
rig_options_check(void *ctx, const uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	(void)data;
	return g->refuse_options || len != RIG_OPTIONS ? -1 : 0;
}

static inline int
rig_options_apply(void *ctx, const uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	if (fake_op(&g->fake) || len != RIG_OPTIONS)
		return -1;
	if (g->options_late)
		fake_cut(&g->fake);
	memcpy(g->options, data, len);
	g->options_set = true;
	fake_cut(&g->fake);
	return 0;
}

/* --- external flash ---------------------------------------------------------- */

static inline enum pv_region
rig_x_region(void *ctx, uint32_t addr, uint32_t len)
{
	(void)ctx;
	return addr >= RIG_EXTERNAL &&
		       addr - RIG_EXTERNAL < RIG_EXTERNAL_SIZE &&
		       len <= RIG_EXTERNAL_SIZE - (addr - RIG_EXTERNAL)
		   ? PV_REGION_FLASH
		   : PV_REGION_NONE;
}

static inline int
rig_x_read(void *ctx, uint32_t addr, uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	if (rig_x_region(g, addr, (uint32_t)len) != PV_REGION_FLASH)
		return -1;
	memcpy(data, g->external + (addr - RIG_EXTERNAL), len);
	return 0;
}

static inline int
rig_x_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	struct rig *g = ctx;
	uint8_t *p = g->external + (addr - RIG_EXTERNAL);
	int r = 0;

	if (rig_x_region(g, addr, (uint32_t)len) != PV_REGION_FLASH ||
	    addr % RIG_EXTERNAL_UNIT != 0 || len % RIG_EXTERNAL_UNIT != 0 ||
	    fake_op(&g->fake))
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (i == len / 2)
			fake_cut(&g->fake);
		if (p[i] != 0xff)
			r = -1;
		p[i] &= data[i];
	}
	return r;
}

static inline int
rig_x_sector(void *ctx, uint32_t addr, struct pv_dev_sector *ret_s)
{
	uint32_t n = (addr - RIG_EXTERNAL) / RIG_EXTERNAL_SECTOR;

	if (rig_x_region(ctx, addr, 1) != PV_REGION_FLASH)
		return -1;
	*ret_s = (struct pv_dev_sector){ RIG_EXTERNAL + n * RIG_EXTERNAL_SECTOR,
		RIG_EXTERNAL_SECTOR, n };
	return 0;
}

static inline int
rig_x_erase(void *ctx, uint32_t number)
{
	struct rig *g = ctx;
	uint8_t *p = g->external + (size_t)number * RIG_EXTERNAL_SECTOR;

	if (number >= RIG_EXTERNAL_SIZE / RIG_EXTERNAL_SECTOR ||
	    fake_op(&g->fake))
		return -1;
	memset(p, 0xff, RIG_EXTERNAL_SECTOR / 2);
	fake_cut(&g->fake);
	memset(p, 0xff, RIG_EXTERNAL_SECTOR);
	return 0;
}

/* No cipher, but key, region, mode and address all matter. */
static inline void
rig_mix(uint32_t region, uint32_t mode, const uint8_t key[16], uint32_t addr,
    uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] ^= (uint8_t)(key[i % 16] + region * 16 + mode +
				     (addr + i) / 16);
}

static inline int
rig_x_seal(void *ctx, uint32_t region, uint32_t mode, const uint8_t key[16],
    uint32_t addr, uint8_t *data, size_t len)
{
	(void)ctx;
	if (region > 3 || mode > 2 || addr % 16 != 0 || len % 16 != 0)
		return -1;
	rig_mix(region, mode, key, addr, data, len);
	return 0;
}

/*
 * Not random, so that tests know what comes. The cryptography has a context
 * of its own, hence the variable.
 */
static uint8_t rig_next_random;

static inline int
rig_random(void *ctx, uint8_t *data, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++)
		data[i] = rig_next_random++;
	return 0;
}

static inline int
rig_module_keep(void *ctx, const uint8_t header[48])
{
	struct rig *g = ctx;

	if (fake_op(&g->fake))
		return -1;
	fake_cut(&g->fake);
	for (size_t i = 0; i < g->n_modules; i++)
		if (memcmp(g->modules[i], header, 48) == 0)
			return 0;
	if (g->n_modules == RIG_MODULES)
		return -1;
	memcpy(g->modules[g->n_modules++], header, 48);
	return 0;
}

static inline int
rig_modules_forget(void *ctx)
{
	struct rig *g = ctx;

	if (g->n_modules == 0)
		return 0;
	if (fake_op(&g->fake))
		return -1;
	fake_cut(&g->fake);
	g->n_modules = 0;
	return 0;
}

/* The part takes keys, modules and external flash as well. */
static inline void
rig_extend(struct rig *g)
{
	g->crypto.random = rig_random;
	g->store.module_keep = rig_module_keep;
	g->store.modules_forget = rig_modules_forget;
	g->external_ops = (struct pv_dev_external){
		.memory = { .ctx = g,
		    .region = rig_x_region,
		    .read = rig_x_read,
		    .program = rig_x_program,
		    .sector = rig_x_sector,
		    .erase = rig_x_erase,
		    .write_unit = RIG_EXTERNAL_UNIT },
		.base = RIG_EXTERNAL,
		.size = RIG_EXTERNAL_SIZE,
		.erased = 0xff,
		.seal = rig_x_seal,
		.ctx = g,
	};
	g->agent_config.external = &g->external_ops;
}

/* Power-on: recovery, then the bootloader. */
static inline void
rig_power(struct rig *g)
{
	static const uint8_t sync = 0x7f;

	pv_agent_init(&g->agent, &g->agent_config, &g->fake.memory, &g->crypto,
	    &g->store);
	pv_an_init(&g->an, &g->config, &g->fake.memory, &g->fake.control,
	    &g->specials);
	g->fake.out_len = 0;
	pv_an_feed(&g->an, &sync, 1);
}

static inline void
rig_restart(void *ctx)
{
	struct rig *g = ctx;
	size_t len = g->fake.out_len;

	g->fake.restarts++;
	rig_power(g);
	g->fake.out_len = len; /* the answer before the restart counts */
}

/* Old firmware everywhere, so that "unchanged" can be told from "erased". */
static inline void
rig_fill(struct rig *g)
{
	memset(g->fake.flash, 0x55, sizeof g->fake.flash);
	memset(g->external, 0x66, sizeof g->external);
	memset(g->note, 0, sizeof g->note);
	g->n_modules = 0;
	g->options_set = false;
	g->fake.ops = 0;
	g->fake.fail_at = 0;
	g->fake.cut_at = 0;
	g->fake.fail_for_ever = false;
	g->fake.restarts = 0;
}

static inline int
rig_init(struct rig *g)
{
	struct pv_part part = { g->campaign_pub, 64 };
	struct pv_ec_key *key = NULL;
	static const uint8_t list[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
		0x44, 0x50, 0x51, 0x63, 0x73 };
	uint8_t d[32];
	int r;

	memset(g, 0, sizeof *g);
	fake_init(&g->fake);
	g->fake.control.ctx = g;
	g->fake.control.emit = rig_emit;
	g->fake.control.lock = rig_lock;
	g->fake.control.restart = rig_restart;
	memcpy(g->config.opcodes, list, sizeof list);
	g->config.n_opcodes = sizeof list;
	g->config.version = 0x40;
	g->config.device_id = 0x484;
	/* The chip of the worked example: private key 01..20. */
	for (size_t i = 0; i < sizeof d; i++)
		d[i] = (uint8_t)(i + 1);
	r = pv_ec_from_scalar(d, &g->chip, NULL);
	if (r == 0)
		r = pv_ec_from_scalar(d, &key, NULL);
	if (r == 0)
		r = pv_sim_crypto_new(key, &g->sim_crypto, &g->crypto, NULL);
	g->crypto.random = NULL; /* see rig_extend */
	memcpy(g->cert, "45002001", 8);
	if (r == 0)
		r = pv_ec_public(g->chip, g->cert + 8, NULL);
	for (size_t i = 0; i < 64; i++)
		g->cert[72 + i] = (uint8_t)i;
	if (r == 0)
		r = pv_ec_generate(&g->campaign, NULL);
	if (r == 0)
		r = pv_ec_public(g->campaign, g->campaign_pub, NULL);
	if (r == 0)
		r = pv_sha256(&part, 1, g->campaign_hash, NULL);
	g->agent_config = (struct pv_agent_config){
		.device_id = 0x484,
		.flash_base = FAKE_FLASH,
		.flash_size = FAKE_FLASH_SIZE,
		.erased = 0xff,
		.option_bytes = RIG_OPTIONS,
		.certificate = g->cert,
		.campaign_hash = g->campaign_hash,
	};
	g->store = (struct pv_agent_store){
		.ctx = g,
		.note_read = rig_note_read,
		.note_write = rig_note_write,
		.options_check = rig_options_check,
		.options_apply = rig_options_apply,
	};
	g->specials = (struct pv_an_specials){
		.ctx = &g->agent,
		.known = pv_agent_known,
		.run = pv_agent_run,
	};
	rig_fill(g);
	rig_power(g);
	return r;
}

static inline void
rig_free(struct rig *g)
{
	pv_sim_crypto_free(g->sim_crypto);
	pv_ec_free(g->chip);
	pv_ec_free(g->campaign);
}

/* --- packages and licenses, by hand ------------------------------------------ */

static const uint8_t rig_key[16] = "AES_KEY_TEST_001";
static const uint8_t rig_nonce[12] = "NONCE_TEST01";

static inline void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)(v >> 16);
	p[3] = (uint8_t)(v >> 24);
}

/* Seal with nonce + index (small, so only the last byte moves). */
static inline int
rig_seal(uint8_t index, const uint8_t *aad, size_t aad_len,
    const uint8_t *plain, uint8_t *out, size_t len, uint8_t tag[16])
{
	struct pv_gcm *gcm = NULL;
	uint8_t iv[12];
	int r;

	memcpy(iv, rig_nonce, 12);
	iv[11] = (uint8_t)(iv[11] + index);
	r = pv_gcm_new(rig_key, 16, &gcm, NULL);
	if (r == 0)
		r = pv_gcm_begin(gcm, false, iv, 12, aad, aad_len, NULL);
	if (r == 0 && len > 0)
		r = pv_gcm_update(gcm, plain, out, len, NULL);
	if (r == 0)
		r = pv_gcm_tag(gcm, tag, NULL);
	pv_gcm_free(gcm);
	return r;
}

static inline void
pkg_area(struct pkg *p, uint8_t type, uint32_t addr, uint32_t len)
{
	struct pkg_area *a = &p->area[p->n++];

	memset(a, 0, sizeof *a);
	a->header[0] = type;
	a->header[1] = 7;
	a->header[2] = (uint8_t)p->n;
	put32(a->header + 4, len);
	put32(a->header + 8, addr);
	a->addr = addr;
	a->len = len;
	for (uint32_t i = 0; i < len; i++)
		a->plain[i] = (uint8_t)(i * 7 + p->n + (i >> 8));
}

/* Header and every area, once all areas are known. */
static inline int
pkg_seal(struct pkg *p)
{
	int r;

	memcpy(p->header, "SFIMAGIC\x01\x00", 10);
	p->header[10] = (uint8_t)p->n;
	p->header[11] = 0;
	r = rig_seal(0, p->header, 12, NULL, NULL, 0, p->header + 12);
	for (size_t i = 0; r == 0 && i < p->n; i++) {
		struct pkg_area *a = &p->area[i];

		a->header[12] = (uint8_t)p->n;
		r = rig_seal((uint8_t)(i + 1), a->header, 14, a->plain, a->data,
		    a->len, a->header + 14);
	}
	return r;
}

/* Wrap the key for `cert` and sign with `signer` (NULL: zero signature). */
static inline int
pkg_license(
    struct pkg *p, const uint8_t cert[136], const struct pv_ec_key *signer)
{
	struct pv_ec_key *eph = NULL;
	uint8_t *l = p->license, z[32], context[32], kek[32], digest[32];
	struct pv_part ctx_parts[3] = { { "provisor/license/v1", 19 },
		{ l, 124 }, { cert, 136 } };
	struct pv_part sig_parts[2] = { { "provisor/license/v1", 20 },
		{ l, 148 } };
	int r;

	memset(l, 0, sizeof p->license);
	memcpy(l, "PVLR\x01\x00", 6);
	for (size_t i = 0; i < 16; i++)
		l[8 + i] = (uint8_t)(0xa0 + i);
	l[0x18] = 1;
	memcpy(l + 0x20, cert, 8);
	memcpy(l + 0x68, rig_nonce, 12);
	l[0x78] = 24;
	r = pv_ec_generate(&eph, NULL);
	if (r == 0)
		r = pv_ec_public(eph, l + 0x28, NULL);
	if (r == 0)
		r = pv_ecdh(eph, cert + 8, z, NULL);
	if (r == 0)
		r = pv_sha256(ctx_parts, 3, context, NULL);
	if (r == 0)
		r = pv_aes_ecb(z, 32, context, 32, kek, NULL);
	if (r == 0)
		r = pv_aes_wrap(kek, 32, rig_key, 16, l + 0x7c, NULL);
	if (r == 0 && signer != NULL) {
		r = pv_sha256(sig_parts, 2, digest, NULL);
		if (r == 0)
			r = pv_ecdsa_sign(signer, digest, l + 148, NULL);
	}
	p->license_len = 212;
	pv_ec_free(eph);
	return r;
}

/*
 * The package most tests use: a boot area that starts at the first unit, an
 * area that starts and ends inside units and crosses sectors, option bytes.
 */
static inline int
pkg_usual(struct rig *g, struct pkg *p)
{
	int r;

	memset(p, 0, sizeof *p);
	memcpy(p->campaign, g->campaign_pub, 64);
	pkg_area(p, 'F', FAKE_FLASH, 3000);
	pkg_area(p, 'F', FAKE_FLASH + 0x2006, 1501);
	pkg_area(p, 'C', 0, RIG_OPTIONS);
	r = pkg_seal(p);
	if (r == 0)
		r = pkg_license(p, g->cert, g->campaign);
	return r;
}

/* --- the host ------------------------------------------------------------------- */

static inline size_t
rig_packet(uint8_t *f, const void *data, size_t len)
{
	uint8_t x = 0;

	f[0] = (uint8_t)(len >> 8);
	f[1] = (uint8_t)len;
	if (len > 0)
		memcpy(f + 2, data, len);
	for (size_t i = 0; i < len + 2; i++)
		x = (uint8_t)(x ^ f[i]);
	f[len + 2] = x;
	return len + 3;
}

/* One special command; the status and (0x50) the data that came back. */
struct rig_answer {
	bool ok; /* framing complete */
	uint8_t state;
	uint16_t result;
	uint16_t index;
	size_t len;
	uint8_t data[128];
};

static inline struct rig_answer
rig_special(struct rig *g, uint16_t sub, const void *data, size_t len,
    const void *more, size_t more_len)
{
	bool ext = (sub & 0xff00) == 0x5100;
	size_t acks = ext ? 4 : 3, at = acks, n = 5;
	struct rig_answer a = { 0 };
	uint8_t f[1400];
	const uint8_t *out = g->fake.out;

	f[0] = ext ? 0x51 : 0x50;
	f[1] = (uint8_t)~f[0];
	f[2] = (uint8_t)(sub >> 8);
	f[3] = (uint8_t)sub;
	f[4] = (uint8_t)(f[2] ^ f[3]);
	n += rig_packet(f + n, data, len);
	if (ext)
		n += rig_packet(f + n, more, more_len);
	g->fake.out_len = 0;
	pv_an_feed(&g->an, f, n);
	if (!ext) {
		a.len = (size_t)out[at] << 8 | out[at + 1];
		if (a.len > sizeof a.data)
			return a;
		memcpy(a.data, out + at + 2, a.len);
		at += 2 + a.len;
	}
	if (out[at] != 0 || out[at + 1] != 8 || g->fake.out_len != at + 11 ||
	    out[at + 10] != 0x79)
		return a;
	a.state = out[at + 2];
	a.result = (uint16_t)(out[at + 4] | out[at + 5] << 8);
	a.index = (uint16_t)(out[at + 6] | out[at + 7] << 8);
	a.ok = true;
	return a;
}

static inline struct rig_answer
rig_data(struct rig *g, uint16_t index, uint32_t off, const uint8_t *data,
    size_t len)
{
	uint8_t head[6] = { (uint8_t)index, (uint8_t)(index >> 8) };

	put32(head + 2, off);
	return rig_special(g, PV_SI_AREA_DATA, head, 6, data, len);
}

static inline struct rig_answer
rig_area(struct rig *g, const struct pkg *p, size_t i, size_t chunk)
{
	const struct pkg_area *a = &p->area[i];
	uint8_t index[2] = { (uint8_t)(i + 1), 0 };
	struct rig_answer s =
	    rig_special(g, PV_SI_AREA_BEGIN, a->header, 30, NULL, 0);

	for (uint32_t off = 0; s.ok && s.result == 0 && off < a->len;) {
		uint32_t n = a->len - off;

		if (n > chunk)
			n = (uint32_t)chunk;
		s = rig_data(g, (uint16_t)(i + 1), off, a->data + off, n);
		off += n;
	}
	if (s.ok && s.result == 0)
		s = rig_special(g, PV_SI_AREA_END, index, 2, NULL, 0);
	return s;
}

/* License and header, at the start of every part. */
static inline struct rig_answer
rig_part(struct rig *g, const struct pkg *p)
{
	struct rig_answer s = rig_special(
	    g, PV_SI_LICENSE, p->campaign, 64, p->license, p->license_len);

	if (s.ok && s.result == 0)
		s = rig_special(g, PV_SI_HEADER, p->header, 28, NULL, 0);
	return s;
}

/* From area `from` on, the restarts between parts included. */
static inline struct rig_answer
rig_rest(struct rig *g, const struct pkg *p, size_t from, size_t chunk)
{
	struct rig_answer s = rig_part(g, p);

	for (size_t i = from; s.ok && s.result == 0 && i < p->n; i++) {
		s = rig_area(g, p, i, chunk);
		if (p->area[i].header[0] == 'P' && s.ok && s.result == 0)
			s = rig_part(g, p);
	}
	if (s.ok && s.result == 0)
		s = rig_special(g, PV_SI_FINISH, NULL, 0, NULL, 0);
	return s;
}

/* The whole install; ends at the first result that is not OK. */
static inline struct rig_answer
rig_install(struct rig *g, const struct pkg *p, size_t chunk)
{
	return rig_rest(g, p, 0, chunk);
}

#endif
