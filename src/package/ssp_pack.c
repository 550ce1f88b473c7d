/* SPDX-License-Identifier: Apache-2.0 */
/* Sealing and opening .ssp files: formats/ssp.md, section 2. */
#include <provisor/ssp.h>

#include "base/file.h"
#include "crypto/digest.h"
#include "formats/ssp.h"
#include "package/nonces.h"
#include "package/package.h"

#include <string.h>

/* One message through the sealer, which may hold bytes back until its end. */
static int
run_message(const struct pv_sealer *s, const uint8_t *in, size_t len,
    uint8_t *out, uint8_t tag[PV_SSP_TAG], struct pv_error *e)
{
	size_t got = 0, rest = 0;
	int r = s->update(s->ctx, in, len, out, len, &got, e);

	if (r == 0 && got > len)
		r = pv_fail(e, PV_E_INTERNAL, "sealer output");
	if (r == 0)
		r = s->finish(s->ctx, tag, out + got, len - got, &rest, e);
	if (r == 0 && got + rest != len)
		r = pv_fail(e, PV_E_HSM, "the token returned %zu bytes for %zu",
		    got + rest, len);
	return r;
}

static int
seal(const struct pv_ssp_pack *p, struct pv_ssp *ssp, struct pv_error *e)
{
	const struct pv_sealer *s = p->sealer;
	uint8_t header[PV_SSP_HEADER_MAX];
	int r;

	ssp->chip = p->chip;
	ssp->size = (uint32_t)pv_secret_len(p->plain);
	memcpy(ssp->root, p->root, pv_ssp_root_len(p->chip));
	/* Before the key is used: what may not be encoded is not sealed. */
	r = pv_ssp_encode_header(ssp, header, e);
	if (r == 0)
		r = s->begin(s->ctx, false, p->nonce, p->iv_len, header,
		    pv_ssp_header_len(p->chip), e);
	if (r == 0)
		r = run_message(s, pv_secret_bytes(p->plain), ssp->size,
		    ssp->encrypted, ssp->tag, e);
	return r;
}

int
pv_ssp_pack(const struct pv_ssp_pack *p, const char *path,
    struct pv_ssp *ret_ssp, struct pv_error *e)
{
	struct pv_nonce_use use = { .iv_len = p->iv_len };
	struct pv_outfile *out = NULL, *nonce_out = NULL;
	struct pv_ssp ssp = { 0 };
	uint8_t data[PV_SSP_MAX];
	struct pv_part all = { data, 0 };
	int r = seal(p, &ssp, e);

	if (r == 0)
		r = pv_ssp_encode(&ssp, data, &all.len, e);
	if (r == 0)
		r = pv_sha256(&all, 1, use.fingerprint, e);
	if (r == 0)
		r = pv_outfile_open(path, 0644, &out, e);
	if (r == 0)
		r = pv_outfile_write(out, data, all.len, e);
	if (r == 0)
		r = pv_package_nonce_file(
		    p->nonce_path, p->nonce, sizeof(p->nonce), &nonce_out, e);
	if (r == 0) {
		memcpy(use.nonce, p->nonce, sizeof(p->nonce));
		r = pv_package_publish(
		    out, nonce_out, p->sealer, p->record_dir, &use, e);
	}
	if (r == 0)
		*ret_ssp = ssp;
	pv_outfile_free(nonce_out);
	pv_outfile_free(out);
	return r;
}

int
pv_ssp_open(const struct pv_ssp *ssp, const struct pv_sealer *sealer,
    const uint8_t nonce[PV_SSP_NONCE], unsigned int iv_len,
    struct pv_secret **ret_plain, struct pv_error *e)
{
	uint8_t header[PV_SSP_HEADER_MAX], tag[PV_SSP_TAG];
	struct pv_secret *plain = NULL;
	int r = pv_ssp_encode_header(ssp, header, e);

	if (r == 0)
		r = pv_secret_new(ssp->size, &plain, e);
	if (r == 0)
		r = sealer->begin(sealer->ctx, true, nonce, iv_len, header,
		    pv_ssp_header_len(ssp->chip), e);
	memcpy(tag, ssp->tag, sizeof(tag));
	if (r == 0)
		r = run_message(sealer, ssp->encrypted, ssp->size,
		    pv_secret_data(plain), tag, e);
	if (r != 0) {
		pv_secret_free(plain);
		return r;
	}
	*ret_plain = plain;
	return 0;
}
