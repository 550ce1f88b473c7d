/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signed image: header and areas that decode encode to the same bytes; the
 * rules, the opening of every image key and the decoding of every signature
 * take any bytes without harm.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "image/mcuboot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A Z that is none: what follows must hold with any. */
static int
agree(void *ctx, const uint8_t *peer, size_t len, uint8_t z[32],
    struct pv_error *e)
{
	(void)ctx;
	(void)e;
	memset(z, peer[0], 32);
	return len == 64 || len == 32 ? 0 : -1;
}

static int
oaep(void *ctx, const uint8_t in[256], uint8_t *out, size_t *len,
    struct pv_error *e)
{
	(void)ctx;
	(void)e;
	*len = in[0] < *len ? in[0] : *len;
	memset(out, in[1], *len);
	return 0;
}

static void
try_entry(const struct pv_mcuboot_tlv *v)
{
	static const enum pv_sig_alg algs[] = { PV_SIG_ECDSA_P256,
		PV_SIG_ECDSA_P384, PV_SIG_ED25519, PV_SIG_RSA2048_PSS };
	uint8_t sig[PV_SIG_MAX], key[32];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++)
		if (pv_mcuboot_sig_decode(
			algs[i], v->data, v->len, sig, &n, NULL) == 0 &&
		    n > sizeof(sig))
			abort();
	for (unsigned int kind = 0; kind < 3; kind++) {
		struct pv_opener o = { .kind = (enum pv_enc_kind)kind,
			.agree = agree,
			.oaep = oaep };
		struct pv_mcuboot_opening by = { .opener = &o };

		if (pv_mcuboot_enc_open(&by, v, key, &n, NULL) == 0 &&
		    n != 16 && n != 32)
			abort();
	}
}

static void
again(const struct pv_mcuboot_tlvs *t, const uint8_t *data, bool has)
{
	static uint8_t out[PV_MCUBOOT_AREAS_MAX];
	struct pv_writer w;
	size_t mark = 0;

	pv_wr_init(&w, out, sizeof(out));
	if (has)
		mark = pv_mcuboot_area_begin(&w, PV_MCUBOOT_INFO_PROTECTED);
	for (size_t i = 0; i <= t->n; i++) {
		if (i == t->n_protected) {
			if (has && !pv_mcuboot_area_end(&w, mark))
				abort();
			mark = pv_mcuboot_area_begin(
			    &w, PV_MCUBOOT_INFO_UNPROTECTED);
		}
		if (i < t->n)
			pv_mcuboot_tlv_put(
			    &w, t->t[i].type, t->t[i].data, t->t[i].len);
	}
	if (!pv_mcuboot_area_end(&w, mark) || w.len != t->size ||
	    memcmp(out, data, w.len) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t head[PV_MCUBOOT_HEADER];
	struct pv_mcuboot_header h;
	struct pv_mcuboot_tlvs t;
	uint64_t at;

	if (pv_mcuboot_header_decode(data, size, &h, NULL) != 0)
		return 0;
	pv_mcuboot_header_encode(&h, head);
	if (memcmp(head, data, sizeof(head)) != 0)
		abort();
	at = (uint64_t)h.hdr_size + h.img_size;
	if (at > size || pv_mcuboot_tlvs_decode(data + at, size - (size_t)at,
			     h.protect_size, &t, NULL) != 0)
		return 0;
	again(&t, data + at, h.protect_size != 0);
	for (size_t i = 0; i < t.n; i++)
		try_entry(&t.t[i]);
	/* What either reading takes has one hash. */
	if ((pv_mcuboot_validate(&h, &t, false, NULL) == 0 ||
		pv_mcuboot_validate(&h, &t, true, NULL) == 0) &&
	    pv_mcuboot_find(&t, PV_TLV_SHA256) == NULL &&
	    pv_mcuboot_find(&t, PV_TLV_SHA384) == NULL &&
	    pv_mcuboot_find(&t, PV_TLV_SHA512) == NULL)
		abort();
	return 0;
}
