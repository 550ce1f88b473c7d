/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Using keys without seeing them. These are the interfaces that the library
 * calls and that hsm/ (a PKCS#11 token) or a key file implements; only the
 * program chooses which. All are structs of functions with a context; `free`
 * ends the context and may be NULL.
 */
#ifndef PROVISOR_KEYSTORE_H
#define PROVISOR_KEYSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One AES-128 key that encrypts and decrypts packages with AES-GCM. */
struct pv_sealer {
	void *ctx;
	/* Begin a message: IV of 12 bytes, or of 16 through GHASH (.ssp),
	 * additional data, direction. */
	int (*begin)(void *ctx, bool decrypt, const uint8_t *iv, size_t iv_len,
	    const void *aad, size_t aad_len, struct pv_error *e);
	/* in to out, len bytes; out may equal in. When decrypting a token
	 * may hold output back: *ret_len says how much came. */
	int (*update)(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
	    size_t out_cap, size_t *ret_len, struct pv_error *e);
	/* Encrypt: writes the tag. Decrypt: checks it (PV_E_VERIFY) and
	 * delivers what was held back. */
	int (*finish)(void *ctx, uint8_t tag[16], uint8_t *out, size_t out_cap,
	    size_t *ret_len, struct pv_error *e);
	/*
	 * A name of the key value for the reuse record, the same for a key in
	 * a file and in a token: SHA-256("provisor/key-id/v1" || c) with
	 * c = AES-ECB(key, "provisor/key-id1").
	 */
	int (*key_id)(void *ctx, uint8_t ret_id[32], struct pv_error *e);
	void (*free)(void *ctx);
};

/* One P-256 key that signs 32-byte digests; sig is r then s. */
struct pv_signer {
	void *ctx;
	int (*sign)(void *ctx, const uint8_t digest[32], uint8_t ret_sig[64],
	    struct pv_error *e);
	int (*public_key)(void *ctx, uint8_t ret_pub[64], struct pv_error *e);
	void (*free)(void *ctx);
};

/*
 * The in-token steps of a `resident` license: an ephemeral key pair, then
 * the OEM key wrapped for one chip. ephemeral() begins, wrap() ends; another
 * ephemeral() drops an unfinished one.
 */
struct pv_wrapper {
	void *ctx;
	int (*ephemeral)(void *ctx, uint8_t ret_pub[64], struct pv_error *e);
	/*
	 * Z = ECDH(ephemeral, chip_pub); KEK = AES-256-ECB(Z, context);
	 * wrapped = RFC 3394(KEK, OEM key): 24 bytes for a 16-byte key, 40
	 * for 32. *len is the room in `wrapped` and becomes the length.
	 */
	int (*wrap)(void *ctx, const uint8_t chip_pub[64],
	    const uint8_t context[32], uint8_t *wrapped, size_t *len,
	    struct pv_error *e);
	void (*free)(void *ctx);
};

/*
 * The value of one key, for work the token cannot do. Each call gives a fresh
 * secret; the caller frees it as soon as the work is done.
 */
struct pv_secret;
struct pv_key_source {
	void *ctx;
	int (*bytes)(void *ctx, struct pv_secret **ret_key, struct pv_error *e);
	void (*free)(void *ctx);
};

/*
 * The secret steps of a license of profile `ssp` or `ecies`: an ephemeral
 * key pair, then IV and OEM key encrypted for one chip. ephemeral() begins,
 * seal() ends; another ephemeral() drops an unfinished one.
 */
struct pv_ecies_profile;
struct pv_ecies {
	void *ctx;
	/* The OEM key never leaves the token. */
	bool resident;
	int (*ephemeral)(void *ctx, uint8_t ret_pub[64], struct pv_error *e);
	/*
	 * The header is bytes 0x00..0x57 of the license, with the ephemeral
	 * key; iv is the first half of what is encrypted. The OEM key must
	 * have 16 bytes.
	 */
	int (*seal)(void *ctx, const struct pv_ecies_profile *p,
	    const uint8_t chip_pub[64], const uint8_t header[88],
	    const uint8_t iv[16], uint8_t ret_encrypted[32],
	    uint8_t ret_tag[16], struct pv_error *e);
	void (*free)(void *ctx);
};

/*
 * The token's own note of a campaign: small bytes, replaced atomically.
 *
 * The first 8 bytes of a note are a big-endian sequence number by contract.
 * A token cannot replace an object in one step: write() makes the new object
 * and then destroys the older ones, so that a crash in between leaves old, new
 * or both, and read() returns the one with the highest number. write() refuses
 * to go back: a lower number than the token has, or the same number with other
 * bytes, is PV_E_ROLLBACK.
 */
#define PV_ANCHOR_MIN 8U
#define PV_ANCHOR_MAX 256U
struct pv_anchor {
	void *ctx;
	/* PV_E_NOT_FOUND when the token has none. *len: room, then length. */
	int (*read)(void *ctx, uint8_t *data, size_t *len, struct pv_error *e);
	/* len: PV_ANCHOR_MIN .. PV_ANCHOR_MAX. As durable as the token's own
	 * store when it returns 0; SoftHSM2 does not sync its files, so a
	 * power cut may take the last notes with it. */
	int (*write)(
	    void *ctx, const uint8_t *data, size_t len, struct pv_error *e);
	void (*free)(void *ctx);
};

/*
 * One private key that opens what was encrypted to its public half: an image
 * key, by ECDH or by RSA-OAEP.
 */
enum pv_enc_kind {
	PV_ENC_EC_P256,
	PV_ENC_X25519,
	PV_ENC_RSA2048,
};
struct pv_opener {
	void *ctx;
	enum pv_enc_kind kind;
	/* Z of ECDH, 32 bytes. The peer's point is 64 bytes, X then Y, or 32
	 * for X25519; one that is none of the curve is PV_E_VERIFY. */
	int (*agree)(void *ctx, const uint8_t *peer, size_t len,
	    uint8_t ret_z[32], struct pv_error *e);
	/* RSA-OAEP with SHA-256 and an empty label; *len is the room, then
	 * the length. PV_E_VERIFY when the padding is wrong. */
	int (*oaep)(void *ctx, const uint8_t in[256], uint8_t *out, size_t *len,
	    struct pv_error *e);
	void (*free)(void *ctx);
};

/* A sealer over a raw 16-byte key held in a secret (copied). */
PV_MUST_USE int pv_sealer_from_secret(const struct pv_secret *key,
    struct pv_sealer *ret_sealer, struct pv_error *e);

/* Calls free when there is one and empties the struct. */
void pv_sealer_release(struct pv_sealer *s);
void pv_signer_release(struct pv_signer *s);
void pv_wrapper_release(struct pv_wrapper *w);
void pv_anchor_release(struct pv_anchor *a);
void pv_opener_release(struct pv_opener *o);
void pv_key_source_release(struct pv_key_source *k);
void pv_ecies_release(struct pv_ecies *s);

#ifdef __cplusplus
}
#endif
#endif
