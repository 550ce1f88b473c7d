/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MCUboot images and ST's variants: reading, signing, verifying, encrypting.
 * The bytes are formats/mcuboot.h; keys come through keystore.h and
 * signature.h.
 */
#ifndef PV_IMAGE_MCUBOOT_H
#define PV_IMAGE_MCUBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "formats/mcuboot.h"
#include <provisor/keystore.h>
#include <provisor/signature.h>

struct pv_image;
struct pv_enckey;
struct pv_pubkey;
struct pv_secret;

/* --- flavors: mcuboot_flavor.c ----------------------------------------------- */

struct pv_mcuboot_flavor {
	const char *name;
	uint32_t magic;
	bool st;	   /* rules of ST's fork */
	bool primary_only; /* unless the option says so as well */
	uint32_t align;	   /* without --align */
	const char *summary;
};
/* Ended by a row without name; the first is upstream MCUboot. */
extern const struct pv_mcuboot_flavor pv_mcuboot_flavors[];
/* PV_E_USAGE lists them. NULL gives upstream. */
PV_MUST_USE int pv_mcuboot_flavor_find(const char *name,
    const struct pv_mcuboot_flavor **ret_f, struct pv_error *e);
/* The flavor to read an image by, when none was named: by its magic. */
const struct pv_mcuboot_flavor *pv_mcuboot_flavor_guess(
    const struct pv_mcuboot_header *h);

/* --- reading: mcuboot_read.c --------------------------------------------------- */

struct pv_mcuboot_file {
	const char *path;
	struct pv_image *img;
	uint64_t base; /* address of the first byte of a HEX file, else 0 */
	bool hex;
	uint64_t size; /* from the first byte to the last */
	struct pv_mcuboot_header h;
	uint64_t areas_at; /* where the payload ends */
	uint8_t *areas;
	struct pv_mcuboot_tlvs t; /* borrows areas */
	bool has_trailer;	  /* a magic is at the end of the file */
};

/*
 * Open a signed image, raw or as Intel HEX, and decode all but the payload.
 * What lies in no record of a HEX file reads as 0xff.
 */
PV_MUST_USE int pv_mcuboot_open(
    const char *path, struct pv_mcuboot_file *ret_f, struct pv_error *e);
void pv_mcuboot_close(struct pv_mcuboot_file *f);
PV_MUST_USE int pv_mcuboot_read(const struct pv_mcuboot_file *f, uint64_t off,
    void *data, size_t len, struct pv_error *e);

/* A file of firmware as one run of bytes: raw, or records joined with `fill`. */
PV_MUST_USE int pv_mcuboot_load(const char *path, uint8_t fill,
    struct pv_image **ret_img, uint64_t *ret_base, uint64_t *ret_size,
    bool *ret_records, struct pv_error *e);

/* --- image keys: mcuboot_key.c --------------------------------------------------- */

/* Where random bytes come from; a test may give its own. `what` is "aes",
 * "ephemeral" or "oaep". */
struct pv_mcuboot_random {
	void *ctx;
	int (*fill)(void *ctx, const char *what, uint8_t *data, size_t len,
	    struct pv_error *e);
};
extern const struct pv_mcuboot_random pv_mcuboot_system_random;

/* To whom the image key is encrypted: a public key or a key-encryption key. */
struct pv_mcuboot_recipient {
	const struct pv_enckey *key;  /* ECIES or OAEP, or */
	const struct pv_secret *wrap; /* AES-KW, as long as the image key */
	bool hmac_sha512;	      /* ECIES-X25519 with SHA-512 */
};

#define PV_MCUBOOT_ENC_MAX 256U
/* Type and length of the entry for an image key of key_len bytes. */
uint16_t pv_mcuboot_enc_type(const struct pv_mcuboot_recipient *to);
size_t pv_mcuboot_enc_len(
    const struct pv_mcuboot_recipient *to, size_t key_len);
/* The body of the entry. */
PV_MUST_USE int pv_mcuboot_enc_seal(const struct pv_mcuboot_recipient *to,
    const struct pv_mcuboot_random *rng, const uint8_t *key, size_t key_len,
    uint8_t ret_body[PV_MCUBOOT_ENC_MAX], struct pv_error *e);

/* Who can open it. */
struct pv_mcuboot_opening {
	const struct pv_opener *opener; /* or */
	const struct pv_secret *wrap;
};
/* The image key of an entry: 16 or 32 bytes. PV_E_VERIFY when the MAC or the
 * padding is wrong, PV_E_USAGE when the key is of another kind. */
PV_MUST_USE int pv_mcuboot_enc_open(const struct pv_mcuboot_opening *by,
    const struct pv_mcuboot_tlv *v, uint8_t ret_key[32], size_t *ret_len,
    struct pv_error *e);

/* The cipher over the payload: AES-CTR, or OTFDEC's reading of it. */
struct pv_mcuboot_cipher; /* opaque */
PV_MUST_USE int pv_mcuboot_cipher_new(const uint8_t *key, size_t len,
    bool otfdec, struct pv_mcuboot_cipher **ret_c, struct pv_error *e);
/* In place; for OTFDEC every call but the last is of a multiple of 16. */
PV_MUST_USE int pv_mcuboot_cipher_run(
    struct pv_mcuboot_cipher *c, uint8_t *data, size_t len, struct pv_error *e);
void pv_mcuboot_cipher_free(struct pv_mcuboot_cipher *c);

/* --- signatures: mcuboot_sig.c --------------------------------------------------- */

/* How an ECDSA signature stands in its entry. */
enum pv_mcuboot_sig_form {
	PV_SIG_DER,	   /* minimal DER, of any length */
	PV_SIG_DER_PADDED, /* upstream's old form: zeros behind it */
	PV_SIG_DER_ST,	   /* 72 bytes, numbers of 33 bytes each */
};

/* Type of the entry; bits of the hash that goes with the key on its own. */
uint16_t pv_mcuboot_sig_type(enum pv_sig_alg alg);
unsigned int pv_mcuboot_sig_bits(enum pv_sig_alg alg);
uint16_t pv_mcuboot_hash_type(unsigned int bits);
unsigned int pv_mcuboot_hash_bits(uint16_t type);

/* Longest body of the entry for a key. */
size_t pv_mcuboot_sig_max(enum pv_sig_alg alg, enum pv_mcuboot_sig_form form);
/* From r then s, or the bytes themselves, to the body of the entry. */
PV_MUST_USE int pv_mcuboot_sig_encode(enum pv_sig_alg alg,
    enum pv_mcuboot_sig_form form, const uint8_t *sig, size_t len,
    uint8_t ret_body[PV_SIG_MAX], size_t *ret_len, struct pv_error *e);
/* The other way, of any of the forms. */
PV_MUST_USE int pv_mcuboot_sig_decode(enum pv_sig_alg alg, const uint8_t *body,
    size_t len, uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len,
    struct pv_error *e);
/* A signature made elsewhere: the same forms, or r then s. No loader takes the
 * latter from an entry. */
PV_MUST_USE int pv_mcuboot_sig_take(enum pv_sig_alg alg, const uint8_t *sig,
    size_t len, uint8_t ret_sig[PV_SIG_MAX], size_t *ret_len,
    struct pv_error *e);
/* Does the body have the form of ST's 72 bytes? */
bool pv_mcuboot_sig_is_st(const uint8_t *body, size_t len);

/* The public key as the loader hashes it: PKCS#1 for RSA, else SPKI. */
PV_MUST_USE int pv_mcuboot_key_encode(const struct pv_pubkey *k,
    uint8_t ret_der[PV_SPKI_MAX], size_t *ret_len, struct pv_error *e);
PV_MUST_USE int pv_mcuboot_key_hash(const struct pv_pubkey *k,
    unsigned int bits, uint8_t ret_hash[64], struct pv_error *e);

/* --- signing: mcuboot_plan.c, mcuboot_sign.c ---------------------------------------- */

struct pv_mcuboot_dep {
	uint8_t image;
	struct pv_mcuboot_version version;
};

struct pv_mcuboot_custom {
	uint16_t type;
	const uint8_t *data;
	size_t len;
};

/* One signature of the image: by a key at hand, or made elsewhere. */
struct pv_mcuboot_signature {
	const struct pv_pubkey *pub;
	const struct pv_message_signer *signer; /* or NULL, and then */
	const uint8_t *sig;			/* in any form */
	size_t sig_len;
};
#define PV_MCUBOOT_SIGS_MAX 4U

struct pv_mcuboot_params {
	const struct pv_mcuboot_flavor *flavor;
	uint32_t magic; /* the flavor's, unless the option says another */
	uint32_t hdr_size;
	bool pad_header;
	uint8_t erased; /* 0xff or 0 */
	struct pv_mcuboot_version version;
	bool has_counter;
	uint32_t counter;
	const char *boot_record; /* software type, or NULL */
	const struct pv_mcuboot_dep *deps;
	size_t n_deps;
	const struct pv_mcuboot_custom *custom; /* in the order of the file */
	size_t n_custom;
	const uint8_t *vid, *cid; /* 16 bytes each, or NULL */
	bool non_bootable;
	uint32_t load_flag, load_addr; /* RAM_LOAD, ROM_FIXED, or 0 */
	bool test_mark;

	/* slot and trailer */
	uint64_t slot_size; /* 0: unknown */
	uint32_t align, max_align, max_sectors;
	bool overwrite_only, primary_only, pad, confirm, save_enctlv;

	/* signatures */
	struct pv_mcuboot_signature sigs[PV_MCUBOOT_SIGS_MAX];
	size_t n_sigs;
	unsigned int sha; /* 0: by the key */
	bool pure, full_key, pad_sig, no_pad_tlv;

	/* encryption */
	const struct pv_mcuboot_recipient *to; /* NULL: none */
	const struct pv_mcuboot_random *rng;
	size_t enc_key_len; /* 16 or 32 */
	bool clear, otfdec;

	/* HEX output */
	bool has_hex_addr;
	uint64_t hex_addr;
};

/* Is the image encrypted for a key, and its payload not left clear? */
bool pv_mcuboot_encrypts(const struct pv_mcuboot_params *p);

struct pv_mcuboot_made {
	uint64_t size; /* of the file as raw bytes */
	uint64_t used; /* of these, without fill and trailer */
	uint64_t trailer;
	unsigned int bits;
	uint8_t digest[64];
	uint8_t sig[PV_SIG_MAX]; /* the first, as it stands in its entry */
	size_t sig_len;
	struct pv_mcuboot_header h;
};

/* Sign `in` into `out`; the name's end .hex makes it Intel HEX. */
PV_MUST_USE int pv_mcuboot_sign(const struct pv_mcuboot_params *p,
    const char *in, const char *out, struct pv_mcuboot_made *ret_made,
    struct pv_error *e);
/*
 * Write what is to be signed elsewhere: the digest, or with `payload` the bytes
 * it is made over. The signatures of `p` name their public keys only.
 */
PV_MUST_USE int pv_mcuboot_vector(const struct pv_mcuboot_params *p,
    const char *in, const char *out, bool payload,
    struct pv_mcuboot_made *ret_made, struct pv_error *e);

/* --- verifying: mcuboot_verify.c, mcuboot_digest.c ------------------------------------ */

struct pv_mcuboot_verify {
	const struct pv_mcuboot_flavor *flavor; /* NULL: by the magic */
	const struct pv_pubkey *const *keys;
	size_t n_keys;
	bool unsigned_ok; /* no key, and no signature in the image */
	const struct pv_mcuboot_opening *by; /* NULL: no decryption key */
	uint64_t slot_size;		     /* 0: unknown */
	/* The loader's, for the trailer. */
	uint32_t align, max_align, max_sectors;
	bool overwrite_only, primary_only, save_enctlv;
	bool allow_test;
	bool has_min_counter; /* what the chips have already */
	uint32_t min_counter;
	void (*warn)(void *ctx, const char *text); /* may be NULL */
	void *ctx;
};

struct pv_mcuboot_verdict {
	const struct pv_mcuboot_flavor *flavor;
	unsigned int bits;
	uint8_t digest[64];
	size_t signatures; /* that verify */
	bool encrypted;	   /* the image has an image key */
	bool clear;	   /* and its payload is plain all the same */
	bool test, trailer;
};

/*
 * Everything a loader checks, and what it does not: structure, hash, signature
 * by each of the keys, key hash, lengths, trailer. PV_E_VERIFY says what
 * differs, PV_E_POLICY refuses a test image or a counter below the least.
 */
PV_MUST_USE int pv_mcuboot_verify(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_verify *v, struct pv_mcuboot_verdict *ret_v,
    struct pv_error *e);

/*
 * The digest of an image, its payload as it lies or, with a cipher, after it;
 * `each` (may be NULL) gets the payload in that form.
 */
struct pv_hash;
struct pv_mcuboot_digest_args {
	bool st;
	unsigned int bits;
	struct pv_mcuboot_cipher *cipher;
	int (*each)(
	    void *ctx, const uint8_t *data, size_t len, struct pv_error *e);
	void *ctx;
	uint8_t *msg; /* NULL, or room for all that is hashed */
};
PV_MUST_USE int pv_mcuboot_digest(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_digest_args *a, uint8_t ret_digest[64],
    struct pv_error *e);
/* Bytes that the digest covers. */
uint64_t pv_mcuboot_covered(const struct pv_mcuboot_file *f);
/* The hash entry, and the bits of its hash. */
PV_MUST_USE int pv_mcuboot_hash_entry(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_tlv **ret_v, unsigned int *ret_bits,
    struct pv_error *e);
/* The image key as a cipher. PV_E_VERIFY when it is all zeros. */
PV_MUST_USE int pv_mcuboot_open_cipher(const struct pv_mcuboot_file *f, bool st,
    const struct pv_mcuboot_opening *by, struct pv_mcuboot_cipher **ret_c,
    struct pv_error *e);

/* --- taking the cipher off and putting it on: mcuboot_recrypt.c ----------------------- */

/*
 * Write the image `f` to `out` with its payload decrypted or, with `encrypt`, a
 * clear one encrypted; `payload_only` leaves out all but the firmware. The
 * digest is checked before anything appears.
 */
PV_MUST_USE int pv_mcuboot_recrypt(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_flavor *flavor, const struct pv_mcuboot_opening *by,
    bool encrypt, bool payload_only, const char *out, struct pv_error *e);

#endif
