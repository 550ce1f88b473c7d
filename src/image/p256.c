/* SPDX-License-Identifier: Apache-2.0 */
#include "image/p256.h"

#include "base/base64.h"
#include "base/buf.h"
#include "base/file.h"
#include "crypto/sigkey.h"

#include <stdlib.h>
#include <string.h>

#define SIG_FILE_MAX 1024U

static int
not_p256(enum pv_sig_alg alg, struct pv_error *e)
{
	return pv_fail(e, PV_E_UNSUPPORTED,
	    "the key is of %s; this format takes P-256", pv_sig_alg_name(alg));
}

int
pv_p256_of_key(
    const struct pv_pubkey *k, uint8_t ret_point[64], struct pv_error *e)
{
	uint8_t point[96];
	size_t len = 0;
	int r;

	if (pv_pubkey_alg(k) != PV_SIG_ECDSA_P256)
		return not_p256(pv_pubkey_alg(k), e);
	r = pv_pubkey_point(k, point, &len, e);
	if (r == 0)
		memcpy(ret_point, point, 64);
	return r;
}

int
pv_p256_point(const struct pv_message_signer *s, uint8_t ret_point[64],
    struct pv_error *e)
{
	struct pv_pubkey *k = NULL;
	int r = pv_pubkey_from_spki(s->spki, s->spki_len, &k, e);

	if (r == 0)
		r = pv_p256_of_key(k, ret_point, e);
	pv_pubkey_free(k);
	return r;
}

int
pv_p256_sign(const struct pv_message_signer *s, const uint8_t digest[32],
    uint8_t ret_sig[64], struct pv_error *e)
{
	uint8_t sig[PV_SIG_MAX];
	size_t len = 0;
	int r;

	if (s->alg != PV_SIG_ECDSA_P256)
		return not_p256(s->alg, e);
	r = s->sign_digest(s->ctx, digest, 32, sig, &len, e);
	if (r == 0 && len != 64)
		r = pv_fail(e, PV_E_INTERNAL, "signature of %zu bytes", len);
	if (r == 0)
		memcpy(ret_sig, sig, 64);
	return r;
}

/* --- a signature from a file ------------------------------------------------------ */

/* A positive INTEGER of at most 32 bytes, in minimal DER. */
static bool
der_number(struct pv_reader *r, uint8_t ret[32])
{
	uint8_t tag = pv_rd_u8(r);
	size_t len = pv_rd_u8(r);
	const uint8_t *p = pv_rd_view(r, len);

	if (p == NULL || tag != 0x02 || len == 0 || len > 33 || p[0] >= 0x80)
		return false;
	if (p[0] == 0 && len > 1) {
		if (p[1] < 0x80)
			return false;
		p++;
		len--;
	}
	if (len > 32)
		return false;
	memset(ret, 0, 32);
	memcpy(ret + 32 - len, p, len);
	return true;
}

static bool
from_der(const uint8_t *der, size_t len, uint8_t ret_sig[64])
{
	struct pv_reader r;

	if (len < 8 || len > 72 || der[0] != 0x30 || der[1] != len - 2)
		return false;
	pv_rd_init(&r, der + 2, len - 2);
	return der_number(&r, ret_sig) && der_number(&r, ret_sig + 32) &&
	       pv_rd_finish(&r);
}

static bool
from_binary(const uint8_t *data, size_t len, uint8_t ret_sig[64])
{
	uint8_t sig[64];

	if (len == 64)
		memcpy(sig, data, 64);
	else if (!from_der(data, len, sig))
		return false;
	memcpy(ret_sig, sig, 64);
	return true;
}

int
pv_p256_read_signature(
    const char *path, uint8_t ret_sig[64], struct pv_error *e)
{
	uint8_t *data = NULL, binary[96];
	size_t len = 0, n = 0;
	bool good;
	int r = pv_file_read(path, SIG_FILE_MAX, &data, &len, e);

	if (r != 0)
		return r;
	good = from_binary(data, len, ret_sig) ||
	       (pv_base64_decode((const char *)data, len, binary,
		    sizeof(binary), &n, NULL) == 0 &&
		   from_binary(binary, n, ret_sig));
	free(data);
	if (!good)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' is no ECDSA signature of P-256: 64 bytes, DER, or "
		    "one of them in base64",
		    path);
	return 0;
}
