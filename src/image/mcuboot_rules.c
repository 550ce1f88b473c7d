/* SPDX-License-Identifier: Apache-2.0 */
/* Which options and keys go together. */
#include "image/mcuboot_plan.h"

#include "crypto/enckey.h"
#include "crypto/sigkey.h"
#include <provisor/secret.h>

#include <string.h>

bool
pv_mcuboot_encrypts(const struct pv_mcuboot_params *p)
{
	return p->to != NULL && !p->clear;
}

static bool
is_rsa(enum pv_sig_alg alg)
{
	return alg == PV_SIG_RSA2048_PSS || alg == PV_SIG_RSA3072_PSS;
}

static bool
is_ecdsa(enum pv_sig_alg alg)
{
	return alg == PV_SIG_ECDSA_P256 || alg == PV_SIG_ECDSA_P384;
}

/* Ed25519 signs a digest as its message: of SHA-256 or SHA-512 as imgtool and
 * the loader have it, and next to the pure form SHA-512 stands alone. */
static int
check_ed25519_hash(
    const struct pv_mcuboot_params *p, unsigned int bits, struct pv_error *e)
{
	if (bits == 0 || bits == 512 || (bits == 256 && !p->pure))
		return 0;
	return pv_fail(e, PV_E_USAGE,
	    p->sha != 0 ? "--sha %u does not go with %s"
			: "keys that need two hashes: SHA-%u and that of %s",
	    bits, p->pure ? "--pure" : "a key of ed25519");
}

/* One hash for the whole image. */
static int
choose_hash(const struct pv_mcuboot_params *p, unsigned int *ret_bits,
    struct pv_error *e)
{
	unsigned int bits = p->sha, want;
	bool ed25519 = false;

	if (bits == 0 && p->pure)
		bits = 512;
	for (size_t i = 0; i < p->n_sigs; i++) {
		enum pv_sig_alg alg = pv_pubkey_alg(p->sigs[i].pub);

		if (alg == PV_SIG_ED25519) {
			ed25519 = true;
			continue;
		}
		want = pv_mcuboot_sig_bits(alg);
		if (p->pure)
			return pv_fail(e, PV_E_USAGE,
			    "--pure is for Ed25519, the key is %s",
			    pv_sig_alg_name(alg));
		if (bits != 0 && bits != want)
			return pv_fail(e, PV_E_USAGE,
			    p->sha != 0
				? "--sha %u does not go with a key of %s"
				: "keys that need two hashes: SHA-%u and that "
				  "of %s",
			    bits, pv_sig_alg_name(alg));
		bits = want;
	}
	*ret_bits = bits == 0 ? 256 : bits;
	return ed25519 ? check_ed25519_hash(p, bits, e) : 0;
}

/* imgtool pairs the kinds: EC with EC, RSA with RSA, X25519 with Ed25519. */
static int
check_pair(enum pv_enc_kind enc, enum pv_sig_alg alg, struct pv_error *e)
{
	static const char *const names[] = {
		[PV_ENC_EC_P256] = "P-256",
		[PV_ENC_X25519] = "X25519",
		[PV_ENC_RSA2048] = "RSA-2048",
	};
	bool good = false;

	switch (enc) {
	case PV_ENC_EC_P256:
		good = is_ecdsa(alg);
		break;
	case PV_ENC_X25519:
		good = alg == PV_SIG_ED25519;
		break;
	case PV_ENC_RSA2048:
		good = is_rsa(alg);
		break;
	}
	if (good)
		return 0;
	(void)pv_fail(e, PV_E_USAGE,
	    "mixed curves: the signing key is %s, the encryption key %s",
	    pv_sig_alg_name(alg), names[enc]);
	return pv_hint(e, "P-256 goes with ECDSA, X25519 with Ed25519, "
			  "RSA-2048 with RSA");
}

static int
check_encryption(const struct pv_mcuboot_params *p, struct pv_error *e)
{
	bool st = p->flavor->st;
	uint8_t sign_id[32], enc_id[32];
	int r;

	if (p->to == NULL) {
		if (p->clear || p->otfdec || p->save_enctlv)
			return pv_fail(e, PV_E_USAGE,
			    "--%s is for encrypted images: --encrypt KEY is "
			    "missing",
			    p->clear	? "clear"
			    : p->otfdec ? "otfdec"
					: "save-enctlv");
		return 0;
	}
	if (st &&
	    (p->enc_key_len != 16 || p->to->wrap != NULL || p->to->hmac_sha512))
		return pv_fail(e, PV_E_USAGE,
		    "flavor '%s' encrypts with AES-128 to a P-256 or RSA-2048 "
		    "key only",
		    p->flavor->name);
	if (p->to->wrap != NULL)
		return pv_secret_len(p->to->wrap) == p->enc_key_len
			   ? 0
			   : pv_fail(e, PV_E_USAGE,
				 "the wrapping key has %zu bytes, the image "
				 "key "
				 "%zu: they must be the same",
				 pv_secret_len(p->to->wrap), p->enc_key_len);
	if (p->to->hmac_sha512 && pv_enckey_kind(p->to->key) != PV_ENC_X25519)
		return pv_fail(e, PV_E_USAGE,
		    "--hmac-sha 512 is for an X25519 encryption key");
	if (st && pv_enckey_kind(p->to->key) == PV_ENC_X25519)
		return pv_fail(e, PV_E_USAGE,
		    "flavor '%s' does not know X25519", p->flavor->name);
	r = pv_enckey_id(p->to->key, enc_id, e);
	for (size_t i = 0; r == 0 && i < p->n_sigs; i++) {
		r = check_pair(pv_enckey_kind(p->to->key),
		    pv_pubkey_alg(p->sigs[i].pub), e);
		if (r == 0)
			r = pv_pubkey_id(p->sigs[i].pub, sign_id, e);
		if (r == 0 && memcmp(sign_id, enc_id, sizeof(enc_id)) == 0)
			r = pv_fail(e, PV_E_POLICY,
			    "signing and encryption key are the same key");
	}
	return r;
}

static int
check_st(const struct pv_mcuboot_params *p, struct pv_error *e)
{
	bool stirot = p->magic == PV_MCUBOOT_MAGIC_STIROT;

	if (!p->flavor->st) {
		if (p->primary_only || p->otfdec || p->no_pad_tlv)
			return pv_fail(e, PV_E_USAGE,
			    "--%s needs a flavor of ST",
			    p->primary_only ? "primary-only"
			    : p->otfdec	    ? "otfdec"
					    : "no-pad-tlv");
		return 0;
	}
	if (stirot && (p->primary_only || p->otfdec))
		return pv_fail(e, PV_E_USAGE,
		    "STiRoT code images are neither --primary-only nor "
		    "--otfdec");
	if (p->primary_only && p->clear)
		return pv_fail(e, PV_E_USAGE,
		    "--clear and --primary-only exclude each other");
	for (size_t i = 0; i < p->n_sigs; i++) {
		enum pv_sig_alg alg = pv_pubkey_alg(p->sigs[i].pub);

		if (alg != PV_SIG_ECDSA_P256 &&
		    (!is_rsa(alg) || p->magic != PV_MCUBOOT_MAGIC))
			return pv_fail(e, PV_E_USAGE,
			    "flavor '%s' does not take a key of %s",
			    p->flavor->name, pv_sig_alg_name(alg));
	}
	if (stirot && p->n_sigs > 1)
		return pv_fail(e, PV_E_USAGE,
		    "STiRoT code images have one signature, not %zu",
		    p->n_sigs);
	if (stirot && p->to != NULL && p->slot_size == 0)
		return pv_fail(e, PV_E_USAGE,
		    "an encrypted STiRoT image fills its slot: --slot-size is "
		    "needed");
	return 0;
}

static int
check_slot(const struct pv_mcuboot_params *p, struct pv_error *e)
{
	if ((p->pad || p->confirm) && p->slot_size == 0)
		return pv_fail(e, PV_E_USAGE, "--%s needs --slot-size",
		    p->confirm ? "confirm" : "pad");
	if (p->save_enctlv && p->overwrite_only)
		return pv_fail(e, PV_E_USAGE,
		    "--save-enctlv is for swap, not for --overwrite-only");
	if (p->hdr_size < PV_MCUBOOT_HEADER || p->hdr_size > UINT16_MAX)
		return pv_fail(e, PV_E_USAGE,
		    "--header-size %u is out of its range of %u..65535",
		    p->hdr_size, PV_MCUBOOT_HEADER);
	return 0;
}

/* So many that there is room for all the others, too. */
#define FREE_ENTRIES (PV_MCUBOOT_TLVS_MAX - 20U)

static int
check_entries(const struct pv_mcuboot_params *p, struct pv_error *e)
{
	if (p->n_custom + p->n_deps > FREE_ENTRIES)
		return pv_fail(e, PV_E_USAGE,
		    "more than %u dependencies and custom entries",
		    FREE_ENTRIES);
	for (size_t i = 0; i < p->n_custom; i++)
		if (p->custom[i].type == PV_TLV_TEST_MARK)
			return pv_fail(e, PV_E_USAGE,
			    "--custom-tlv 0x%04x is the mark of test images",
			    (unsigned int)PV_TLV_TEST_MARK);
	return 0;
}

int
pv_mcuboot_check_params(const struct pv_mcuboot_params *p,
    unsigned int *ret_bits, struct pv_error *e)
{
	int r = check_slot(p, e);

	if (r == 0)
		r = check_entries(p, e);
	if (r == 0)
		r = check_st(p, e);
	if (r == 0)
		r = choose_hash(p, ret_bits, e);
	if (r == 0)
		r = check_encryption(p, e);
	if (r == 0 && p->pure &&
	    (p->n_sigs != 1 || pv_pubkey_alg(p->sigs[0].pub) != PV_SIG_ED25519))
		r = pv_fail(e, PV_E_USAGE, "--pure is for one key of Ed25519");
	return r;
}
