/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Campaigns: a budget of licenses for one package key, and the rules that
 * keep it: counter before license, one number per chip, two anchors.
 */
#ifndef PROVISOR_CAMPAIGN_H
#define PROVISOR_CAMPAIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/keystore.h>
#include <provisor/memo.h>
#include <provisor/store.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_CAMPAIGN_NAME    64U
#define PV_CAMPAIGN_TEXT    64U
#define PV_CAMPAIGN_URI	    512U
#define PV_CAMPAIGN_TRUST   8U
#define PV_CAMPAIGN_PROFILE 128U
#define PV_CAMPAIGN_NONCE   16U

enum pv_flow {
	PV_FLOW_SFI = 1,
	PV_FLOW_SSP = 2,
};

/* What a campaign is; fixed when it becomes operational. */
struct pv_campaign {
	uint8_t id[16]; /* random */
	char name[PV_CAMPAIGN_NAME];
	enum pv_flow flow;
	char product_id[9];
	char firmware_id[PV_CAMPAIGN_TEXT];
	uint64_t max_licenses;
	/* "resident", or the canonical text of a pv_ecies_profile */
	char license_profile[PV_CAMPAIGN_PROFILE];
	char token_uri[PV_CAMPAIGN_URI]; /* where its keys live */
	char oem_key_uri[PV_CAMPAIGN_URI];
	char signer_uri[PV_CAMPAIGN_URI]; /* campaign key, made at creation */
	uint8_t public_key[64];		  /* of the campaign key */
	/* of the package: 12 bytes of flow sfi, 16 of ssp, then zeros. Zeros in
	 * flow ssp: each license carries the nonce of its own package. */
	uint8_t nonce[PV_CAMPAIGN_NONCE];
	/*
	 * CA public keys. None, in flow ssp only: no CA of these chips is known
	 * and certificates are taken without proof, when the caller accepts.
	 */
	size_t n_trust;
	uint8_t trust[PV_CAMPAIGN_TRUST][64];
	uint8_t after[16]; /* campaign this one continues; zeros: none */

	/* said anew by each caller, not in the ledger */
	bool accept_unverified;

	/* where it stands, from the ledger */
	uint64_t issued; /* numbers spent */
	bool draft;	 /* pv_campaign_create: begin as one */
	bool closed;
	uint64_t defined_by; /* entry with the definition in force */
};

/* Bytes of nonce that a flow has. */
size_t pv_campaign_nonce_len(enum pv_flow flow);
/* Has each package of this campaign a nonce of its own (flow ssp)? */
bool pv_campaign_nonce_each(const struct pv_campaign *c);

/* What the rules need from outside, wired by the program. */
struct pv_campaign_io {
	struct pv_store *store;
	struct pv_signer *signer;   /* NULL: reading only */
	struct pv_wrapper *wrapper; /* profile resident; NULL: reading only */
	struct pv_anchor *anchor;   /* NULL: the token is not at hand */
	const char *station;	    /* may be NULL */
	const char *operator_id;    /* may be NULL */
	struct pv_ecies *ecies;	    /* profiles ssp, ecies; else NULL */
	/*
	 * The package's nonce, pv_campaign_nonce_len bytes, for a license.
	 * Needed with pv_campaign_nonce_each; else it may be NULL, or must be
	 * the campaign's.
	 */
	const uint8_t *nonce;
	struct pv_memo *memo; /* <provisor/memo.h>; may be NULL */
};

/*
 * Open a campaign: c is complete but for issued and closed; the first entry
 * is written, then the token anchor. A name in use is PV_E_EXISTS.
 */
PV_MUST_USE int pv_campaign_create(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_error *e);

/*
 * Do the ledger and the token agree on where the campaign stands? What every
 * spending does first; a station asks before it touches a chip. Needs signer
 * and anchor. PV_E_ROLLBACK, and the message says which is older.
 */
PV_MUST_USE int pv_campaign_agree(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_error *e);

/* Find by name and check the head of its chain. PV_E_NOT_FOUND. */
PV_MUST_USE int pv_campaign_load(struct pv_store *store, const char *name,
    struct pv_campaign *ret_c, struct pv_error *e);
/* The campaign a license names. PV_E_NOT_FOUND. */
PV_MUST_USE int pv_campaign_load_id(struct pv_store *store,
    const uint8_t id[16], struct pv_campaign *ret_c, struct pv_error *e);
PV_MUST_USE int pv_campaign_list(struct pv_store *store,
    int (*each)(void *ctx, const struct pv_campaign *c), void *ctx,
    struct pv_error *e);

struct pv_issued {
	uint8_t data[228]; /* the license */
	size_t len;
	uint64_t number;
	uint64_t left; /* licenses left after this */
	bool repeated; /* the chip had it already; nothing was spent */
	/* With pv_campaign_nonce_each: which package it is for. */
	bool has_package;
	uint8_t package[32];
};

/* What stands for a package in the ledger, by its nonce of 16 bytes. */
PV_MUST_USE int pv_package_name(
    const uint8_t nonce[16], uint8_t ret_name[32], struct pv_error *e);

/*
 * One license for one chip. The certificate is checked first (product id,
 * point on the curve, signature under a trusted key): PV_E_VERIFY and nothing
 * is spent; a chip on the deny list is PV_E_POLICY. Then, under the campaign's
 * lock: anchors agree (PV_E_ROLLBACK), budget left (PV_E_LIMIT), number
 * reserved durably in ledger and token, license made, outcome recorded. A
 * chip that has a license for a package of another nonce is PV_E_POLICY.
 * On failure ret_l->number is the number that may have been burnt, or 0.
 */
PV_MUST_USE int pv_license_issue(const struct pv_campaign *c,
    const struct pv_campaign_io *io, const uint8_t certificate[136],
    struct pv_issued *ret_l, struct pv_error *e);

/*
 * The license a chip has already, checked again; needs no token and spends
 * nothing. PV_E_NOT_FOUND when it has none, PV_E_POLICY when it is denied.
 */
PV_MUST_USE int pv_license_find(const struct pv_campaign *c,
    struct pv_store *store, const uint8_t certificate[136],
    struct pv_issued *ret_l, struct pv_error *e);

/* What became of a license on the chip; appended to the ledger. */
struct pv_outcome {
	uint64_t number; /* license number; 0 when none was spent */
	bool pass;
	int code;	   /* enum pv_code, 0 when pass */
	uint8_t chip[32];  /* of pv_campaign_chip */
	char message[128]; /* masked text, may be empty */
};
PV_MUST_USE int pv_campaign_record(const struct pv_campaign *c,
    const struct pv_campaign_io *io, const struct pv_outcome *outcome,
    struct pv_error *e);

/*
 * Change a draft: c is the new definition, loaded and then altered. Id, name,
 * token, campaign key and public key must stay. PV_E_POLICY when it is no
 * draft, or was changed by somebody else since it was loaded.
 */
PV_MUST_USE int pv_campaign_revise(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_error *e);
/* Make a draft operational: from now on nothing of it can change. */
PV_MUST_USE int pv_campaign_open(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_error *e);

/*
 * Put a chip on the deny list of a campaign, for good: it gets no license,
 * and the one it may have is not given again. `reason` may be NULL.
 * *ret_already (may be NULL) says that it was there; nothing is written then.
 */
PV_MUST_USE int pv_campaign_deny(const struct pv_campaign *c,
    const struct pv_campaign_io *io, const uint8_t certificate[136],
    const char *reason, bool *ret_already, struct pv_error *e);

/*
 * Bring a token whose note fell behind by several entries back to the head of
 * the ledger, as after a power cut that took its last writes. The whole ledger
 * is audited first; the noted entry must be one of it (PV_E_ROLLBACK). The
 * repair is an entry of its own. Without `apply` nothing is written.
 */
struct pv_repair {
	uint64_t noted; /* the entry in the token */
	uint64_t head;	/* the last entry of the ledger before the repair */
	bool needed;	/* behind by more than the one entry of a crash */
};
PV_MUST_USE int pv_campaign_repair(const struct pv_campaign *c,
    const struct pv_campaign_io *io, bool apply, struct pv_repair *ret_r,
    struct pv_error *e);

/* PV_E_POLICY when the chip is on the deny list. Needs no token. */
PV_MUST_USE int pv_campaign_check_denied(const struct pv_campaign *c,
    struct pv_store *store, const uint8_t certificate[136], struct pv_error *e);

/* Final. Needs signer and anchor. */
PV_MUST_USE int pv_campaign_close(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_error *e);

/*
 * How the ledger names a chip: SHA-256 of the certificate, in campaigns of the
 * profiles ssp and ecies of product id and X alone (formats/certificate.md).
 */
PV_MUST_USE int pv_campaign_chip(const struct pv_campaign *c,
    const uint8_t certificate[136], uint8_t ret_chip[32], struct pv_error *e);

/*
 * Verify a certificate against product id and trusted keys: what
 * pv_license_issue does first. *ret_ca (may be NULL) is the index in trust, or
 * PV_CAMPAIGN_TRUST when the campaign knows no CA and c->accept_unverified.
 */
PV_MUST_USE int pv_campaign_check_certificate(const struct pv_campaign *c,
    const uint8_t certificate[136], size_t *ret_ca, struct pv_error *e);

/*
 * Format and signature of a resident license under a campaign's key, and its
 * ephemeral point; with a certificate also that it is for this chip's product.
 * The caller finds the key by the campaign id in the license. PV_E_VERIFY.
 */
PV_MUST_USE int pv_license_check(const uint8_t *data, size_t len,
    const uint8_t campaign_public[64], const uint8_t *certificate,
    struct pv_error *e);

/*
 * A license of any profile against its campaign and number, as far as no
 * secret is needed: resident as above; ssp and ecies, which carry neither
 * signature nor number, by format, type, profile and ephemeral point.
 */
PV_MUST_USE int pv_campaign_check_license(const struct pv_campaign *c,
    const uint8_t *data, size_t len, uint64_t number,
    const uint8_t *certificate, struct pv_error *e);

/* --- audit --------------------------------------------------------------- */

struct pv_verify_report {
	uint64_t entries;
	uint64_t issued;	 /* licenses handed out */
	uint64_t spent;		 /* numbers reserved: issued and burnt */
	uint64_t passed, failed; /* recorded outcomes */
	uint64_t denied;	 /* chips on the deny list */
	uint64_t repairs;	 /* of a note that fell behind */
	uint64_t packages_again; /* licenses for another chip's package */
	uint64_t clock_steps;	 /* times the clock ran backwards */
	uint64_t clock_step_at;	 /* the first entry of these, 0: none */
	int64_t clock_step_ms;	 /* the longest way back */
	uint64_t unsynced;	 /* entries with a clock known to be free */
	uint8_t head[32];
	bool anchor_checked; /* false when io->anchor was NULL */
};
/*
 * Re-check one campaign from its first entry: chain, every signature, every
 * rule (numbers, limit, one license per chip), and with io->anchor the
 * token's head and count. Writes nothing. Memory grows by 16 bytes a license.
 */
PV_MUST_USE int pv_ledger_verify(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_verify_report *ret_report,
    struct pv_error *e);

/* What an auditor keeps of a campaign (formats/checkpoint.md). */
struct pv_checkpoint {
	uint8_t campaign_id[16];
	char name[PV_CAMPAIGN_NAME];
	uint8_t public_key[64];
	uint64_t seq; /* the last entry, and its hash */
	uint8_t hash[32];
	uint64_t spent, max_licenses;
	uint8_t state;	 /* as in an entry: 1 draft, 2 operational, 3 closed */
	uint8_t clock;	 /* as in an entry */
	int64_t time_ms; /* when it was made, noted only */
	char station[64];
	char operator_id[64];
	uint8_t signature[64];
};
#define PV_CHECKPOINT_LEN_MAX 512U

/*
 * Make a checkpoint of the last entry, after ledger and token were found to
 * agree (PV_E_ROLLBACK). *len: room, then length.
 */
PV_MUST_USE int pv_checkpoint_make(const struct pv_campaign *c,
    const struct pv_campaign_io *io, struct pv_checkpoint *ret_cp,
    uint8_t *data, size_t *len, struct pv_error *e);
/* Its form, and its signature under the key it names. */
PV_MUST_USE int pv_checkpoint_check(const uint8_t *data, size_t len,
    struct pv_checkpoint *ret_cp, struct pv_error *e);
/*
 * pv_ledger_verify, and the campaign is the continuation of the checkpoint:
 * another key, another entry at its place or a shorter chain is
 * PV_E_ROLLBACK. `since` may be NULL.
 */
PV_MUST_USE int pv_ledger_verify_since(const struct pv_campaign *c,
    const struct pv_campaign_io *io, const struct pv_checkpoint *since,
    struct pv_verify_report *ret_report, struct pv_error *e);

/* --- receipts ------------------------------------------------------------- */

/* What a receipt says (formats/receipt.md). */
struct pv_receipt {
	struct pv_campaign campaign; /* its definition */
	uint64_t seq;		     /* of the ledger entry, and its hash */
	uint8_t entry_hash[32];
	uint64_t number;
	uint8_t chip[32]; /* of pv_campaign_chip */
	int64_t time_ms;
	char station[64];
	char operator_id[64];
	uint8_t license[228];
	size_t license_len;
};
#define PV_RECEIPT_MAX 8332U

/*
 * The receipt of a license: by the chip's certificate, or, with certificate
 * NULL, by number (which reads the ledger from its begin). *len: room, then
 * length. Needs no token. PV_E_NOT_FOUND.
 */
PV_MUST_USE int pv_receipt_make(const struct pv_campaign *c,
    struct pv_store *store, const uint8_t *certificate, uint64_t number,
    uint8_t *data, size_t *len, struct pv_error *e);
/*
 * Check a receipt under a campaign's public key, and against a certificate
 * when there is one. With public_key NULL nothing is verified and the receipt
 * is only read.
 */
PV_MUST_USE int pv_receipt_check(const uint8_t *data, size_t len,
    const uint8_t *public_key, const uint8_t *certificate,
    struct pv_receipt *ret_rc, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
