/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/signature.h"

#include "base/buf.h"

#include <string.h>

#define VERSION	 1U
#define KIND_SFI 1U

/* Bytes of a signature; 0 for a number that is no algorithm. */
static size_t
sig_size(uint8_t alg)
{
	switch (alg) {
	case PV_SIG_ECDSA_P256:
	case PV_SIG_ED25519:
		return 64;
	case PV_SIG_ECDSA_P384:
		return 96;
	default:
		return 0;
	}
}

bool
pv_sigfile_takes(enum pv_sig_alg alg)
{
	return sig_size((uint8_t)alg) != 0;
}

int
pv_sigfile_decode(const uint8_t *data, size_t len, struct pv_signature *ret_s,
    struct pv_error *e)
{
	struct pv_signature s;
	struct pv_reader r;
	uint8_t magic[8], alg, kind;
	uint16_t version;

	memset(&s, 0, sizeof(s));
	pv_rd_init(&r, data, len);
	pv_rd_bytes(&r, magic, sizeof(magic));
	if (!pv_rd_ok(&r) ||
	    memcmp(magic, PV_SIGFILE_MAGIC, sizeof(magic)) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "not a package signature: it does not start with %s",
		    PV_SIGFILE_MAGIC);
	version = pv_rd_u16le(&r);
	alg = pv_rd_u8(&r);
	kind = pv_rd_u8(&r);
	s.file_size = pv_rd_u64le(&r);
	pv_rd_bytes(&r, s.digest, sizeof(s.digest));
	pv_rd_bytes(&r, s.key_id, sizeof(s.key_id));
	s.sig_len = pv_rd_u16le(&r);
	if (pv_rd_ok(&r) && version != VERSION)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "signature of version %u, this program knows %u",
		    (unsigned int)version, VERSION);
	if (pv_rd_ok(&r) && sig_size(alg) == 0)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "unknown signature algorithm %u", (unsigned int)alg);
	if (pv_rd_ok(&r) && kind != KIND_SFI)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "a signature of kind %u, not of a package",
		    (unsigned int)kind);
	if (pv_rd_ok(&r) && s.sig_len != sig_size(alg))
		return pv_fail(e, PV_E_MALFORMED,
		    "%zu bytes of signature, the algorithm has %zu", s.sig_len,
		    sig_size(alg));
	pv_rd_bytes(&r, s.sig, s.sig_len);
	if (!pv_rd_ok(&r))
		return pv_fail(
		    e, PV_E_MALFORMED, "cut short at %zu bytes", len);
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_MALFORMED, "bytes after the signature");
	s.alg = (enum pv_sig_alg)alg;
	*ret_s = s;
	return 0;
}

static void
put_header(struct pv_writer *w, const struct pv_signature *s)
{
	pv_wr_bytes(w, PV_SIGFILE_MAGIC, 8);
	pv_wr_u16le(w, VERSION);
	pv_wr_u8(w, (uint8_t)s->alg);
	pv_wr_u8(w, KIND_SFI);
	pv_wr_u64le(w, s->file_size);
	pv_wr_bytes(w, s->digest, sizeof(s->digest));
	pv_wr_bytes(w, s->key_id, sizeof(s->key_id));
}

void
pv_sigfile_encode(const struct pv_signature *s,
    uint8_t ret_data[PV_SIGFILE_MAX], size_t *ret_len)
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_SIGFILE_MAX);
	put_header(&w, s);
	pv_wr_u16le(&w, (uint16_t)s->sig_len);
	pv_wr_bytes(&w, s->sig, s->sig_len);
	*ret_len = w.len;
}

void
pv_sigfile_message(
    const struct pv_signature *s, uint8_t ret_msg[PV_SIGFILE_MESSAGE])
{
	struct pv_writer w;

	pv_wr_init(&w, ret_msg, PV_SIGFILE_MESSAGE);
	pv_wr_bytes(&w, PV_SIGFILE_DOMAIN, sizeof(PV_SIGFILE_DOMAIN));
	put_header(&w, s);
}
