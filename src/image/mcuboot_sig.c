/* SPDX-License-Identifier: Apache-2.0 */
/* Signatures and public keys in the forms that the entries have. */
#include "image/mcuboot.h"

#include "crypto/digest.h"
#include "crypto/ec_sig.h"
#include "crypto/sigkey.h"

#include <string.h>

#define ST_LEN	72U
#define ST_HALF 33U /* bytes of a number in ST's form */

uint16_t
pv_mcuboot_sig_type(enum pv_sig_alg alg)
{
	switch (alg) {
	case PV_SIG_RSA2048_PSS:
		return PV_TLV_RSA2048_PSS;
	case PV_SIG_RSA3072_PSS:
		return PV_TLV_RSA3072_PSS;
	case PV_SIG_ED25519:
		return PV_TLV_ED25519;
	case PV_SIG_ECDSA_P256:
	case PV_SIG_ECDSA_P384:
		break;
	}
	return PV_TLV_ECDSA_SIG;
}

unsigned int
pv_mcuboot_sig_bits(enum pv_sig_alg alg)
{
	return alg == PV_SIG_ECDSA_P384 ? 384 : 256;
}

uint16_t
pv_mcuboot_hash_type(unsigned int bits)
{
	if (bits == 512)
		return PV_TLV_SHA512;
	return bits == 384 ? PV_TLV_SHA384 : PV_TLV_SHA256;
}

unsigned int
pv_mcuboot_hash_bits(uint16_t type)
{
	return (unsigned int)pv_mcuboot_hash_len(type) * 8;
}

/* Bytes of r and of s; 0 for what is no ECDSA. */
static size_t
number(enum pv_sig_alg alg)
{
	if (alg == PV_SIG_ECDSA_P384)
		return 48;
	return alg == PV_SIG_ECDSA_P256 ? 32 : 0;
}

size_t
pv_mcuboot_sig_max(enum pv_sig_alg alg, enum pv_mcuboot_sig_form form)
{
	(void)form; /* none of ECDSA is longer than the longest DER */
	switch (alg) {
	case PV_SIG_ECDSA_P256:
		return PV_EC_DER_SIG;
	case PV_SIG_ECDSA_P384:
		return PV_EC_DER_SIG_MAX;
	case PV_SIG_RSA2048_PSS:
		return 256;
	case PV_SIG_RSA3072_PSS:
		return 384;
	case PV_SIG_ED25519:
		break;
	}
	return 64;
}

/* 30 46, then twice 02 21 and a number of 33 bytes that begins with zero. */
static void
st_form(const uint8_t *sig, uint8_t *body)
{
	static const uint8_t heads[2][4] = { { 0x30, 0x46, 0x02, 0x21 },
		{ 0x02, 0x21 } };

	memcpy(body, heads[0], 4);
	body[4] = 0;
	memcpy(body + 5, sig, 32);
	memcpy(body + 37, heads[1], 2);
	body[39] = 0;
	memcpy(body + 40, sig + 32, 32);
}

bool
pv_mcuboot_sig_is_st(const uint8_t *body, size_t len)
{
	return len == ST_LEN && body[0] == 0x30 && body[1] == 0x46 &&
	       body[2] == 0x02 && body[3] == ST_HALF && body[4] == 0 &&
	       body[37] == 0x02 && body[38] == ST_HALF && body[39] == 0;
}

int
pv_mcuboot_sig_encode(enum pv_sig_alg alg, enum pv_mcuboot_sig_form form,
    const uint8_t *sig, size_t len, uint8_t ret_body[PV_SIG_MAX],
    size_t *ret_len, struct pv_error *e)
{
	size_t size = number(alg), n = PV_EC_DER_SIG_MAX, max;

	if (len != (size == 0 ? pv_mcuboot_sig_max(alg, form) : 2 * size))
		return pv_fail(e, PV_E_INTERNAL, "signature of %zu bytes", len);
	if (size == 0) {
		memcpy(ret_body, sig, len);
		*ret_len = len;
		return 0;
	}
	if (form == PV_SIG_DER_ST && size == 32) {
		st_form(sig, ret_body);
		*ret_len = ST_LEN;
		return 0;
	}
	if (!pv_ec_raw_sig_to_der(size, sig, ret_body, &n))
		return pv_fail(e, PV_E_INTERNAL, "DER of a signature");
	/* imgtool's lengths; a signature of P-384 may be longer than its own. */
	max = size == 48 ? 103 : PV_EC_DER_SIG;
	if (form == PV_SIG_DER_PADDED && n < max) {
		memset(ret_body + n, 0, max - n);
		n = max;
	}
	*ret_len = n;
	return 0;
}

/* Minimal DER, with zeros behind it or not. */
static int
from_der(size_t size, const uint8_t *body, size_t len, uint8_t *ret_sig)
{
	size_t used = 0;

	if (!pv_ec_raw_sig_from_der(size, body, len, ret_sig, &used))
		return 0;
	for (size_t i = used; i < len; i++)
		if (body[i] != 0)
			return 0;
	return 1;
}

int
pv_mcuboot_sig_decode(enum pv_sig_alg alg, const uint8_t *body, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	size_t size = number(alg);

	if (size == 0) {
		if (len != pv_mcuboot_sig_max(alg, PV_SIG_DER))
			return pv_fail(e, PV_E_MALFORMED,
			    "a signature of %zu bytes is none of %s", len,
			    pv_sig_alg_name(alg));
		memcpy(ret_sig, body, len);
		*ret_len = len;
		return 0;
	}
	*ret_len = 2 * size;
	if (size == 32 && pv_mcuboot_sig_is_st(body, len)) {
		memcpy(ret_sig, body + 5, 32);
		memcpy(ret_sig + 32, body + 40, 32);
		return 0;
	}
	if (from_der(size, body, len, ret_sig))
		return 0;
	return pv_fail(e, PV_E_MALFORMED,
	    "a signature of %zu bytes that is no DER of %s", len,
	    pv_sig_alg_name(alg));
}

int
pv_mcuboot_sig_take(enum pv_sig_alg alg, const uint8_t *sig, size_t len,
    uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len, struct pv_error *e)
{
	size_t size = number(alg);
	int r = pv_mcuboot_sig_decode(alg, sig, len, ret_sig, ret_len, e);

	if (r == 0 || size == 0 || len != 2 * size)
		return r;
	pv_error_clear(e);
	memcpy(ret_sig, sig, len);
	return 0;
}

int
pv_mcuboot_key_encode(const struct pv_pubkey *k, uint8_t ret_der[PV_SPKI_MAX],
    size_t *ret_len, struct pv_error *e)
{
	enum pv_sig_alg alg = pv_pubkey_alg(k);

	if (alg == PV_SIG_RSA2048_PSS || alg == PV_SIG_RSA3072_PSS)
		return pv_pubkey_pkcs1(k, ret_der, ret_len, e);
	return pv_pubkey_spki(k, ret_der, ret_len, e);
}

int
pv_mcuboot_key_hash(const struct pv_pubkey *k, unsigned int bits,
    uint8_t ret_hash[64], struct pv_error *e)
{
	uint8_t der[PV_SPKI_MAX];
	struct pv_part part = { der, 0 };
	int r = pv_mcuboot_key_encode(k, der, &part.len, e);

	return r != 0 ? r : pv_hash(bits, &part, 1, ret_hash, e);
}
