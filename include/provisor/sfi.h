/* SPDX-License-Identifier: Apache-2.0 */
/*
 * .sfi packages: build one from firmware and option bytes, list one, check
 * one, open one. The byte layout and what is known of it is in
 * formats/sfi.md; the profile v2 and the iv-add rules are named there.
 * Every function here wants an error record; none may be NULL.
 */
#ifndef PROVISOR_SFI_H
#define PROVISOR_SFI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/chip.h>
#include <provisor/err.h>
#include <provisor/image.h>
#include <provisor/keystore.h>
#include <provisor/progress.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_SFI_MAGIC	   "SFIMAGIC"
#define PV_SFI_HEADER	   28U /* bytes, tag included */
#define PV_SFI_HEADER_AAD  12U
#define PV_SFI_AREA	   30U /* bytes of an area header, tag included */
#define PV_SFI_AREA_AAD	   14U
#define PV_SFI_TAG	   16U
#define PV_SFI_NONCE	   12U
#define PV_SFI_KEY	   16U
#define PV_SFI_MAX_AREAS   65535U
#define PV_SFI_MAX_OPTIONS 128U /* bytes of a C area, our limit */

struct pv_sfi_header {
	uint16_t version; /* protocol: 1 or 2 */
	uint16_t n_areas;
	uint8_t tag[PV_SFI_TAG];
};

struct pv_sfi_area {
	uint8_t type;	  /* 'F', 'M', 'K', 'E', 'C', 'P', 'R', ... */
	uint8_t version;  /* image version */
	uint16_t index;	  /* 1-based */
	uint32_t size;	  /* payload bytes */
	uint32_t address; /* 0 for 'C' */
	uint16_t total;	  /* = n_areas of the header */
	uint8_t tag[PV_SFI_TAG];
};

/* How index i is added to the nonce; sfi.md names each. */
enum pv_sfi_iv_add {
	PV_SFI_IV_BE96, /* default */
	PV_SFI_IV_LE32_HI,
	PV_SFI_IV_LE32_LO,
};
#define PV_SFI_IV_RULES 3U

/* "be96", "le32-hi", "le32-lo"; anything else is PV_E_USAGE. */
PV_MUST_USE int pv_sfi_iv_add_parse(
    const char *text, enum pv_sfi_iv_add *ret_rule, struct pv_error *e);
const char *pv_sfi_iv_add_name(enum pv_sfi_iv_add rule);

/* The value is the protocol version in the file header. */
enum pv_sfi_profile {
	PV_SFI_V1 = 1, /* default */
	PV_SFI_V2 = 2, /* a hypothesis, see sfi.md */
};
PV_MUST_USE int pv_sfi_profile_parse(
    const char *text, enum pv_sfi_profile *ret_profile, struct pv_error *e);

/* --- packing ------------------------------------------------------------- */

/* Firmware for external flash: E areas, one for each segment. */
struct pv_sfi_external {
	const struct pv_image *image;
	uint32_t region;      /* of the on-the-fly decryption, 0..7 */
	uint32_t mode;	      /* 0..3, as in sfi.md */
	uint32_t key_address; /* in internal flash */
};
#define PV_SFI_MAX_EXTERNALS 64U
#define PV_SFI_KEY_BYTES     16U /* that a key address needs */

/* An SMI module, embedded whole as an M area. */
struct pv_sfi_module {
	const char *path;
	uint32_t address; /* must be the module's own */
};
#define PV_SFI_MAX_MODULES 64U

/* Flash that the device fills with random bytes: a pair of the K area. */
struct pv_sfi_key_pair {
	uint32_t size;
	uint32_t address;
};
#define PV_SFI_MAX_KEY_PAIRS 64U

/* Everything is borrowed for the call. */
struct pv_sfi_pack {
	const struct pv_chip *chip;
	const struct pv_image *image; /* F areas, see pv_sfi_plan */
	const struct pv_sfi_external *externals;
	size_t n_externals;
	const struct pv_sfi_module *modules;
	size_t n_modules;
	const struct pv_sfi_key_pair *key_pairs;
	size_t n_key_pairs;
	/*
	 * Split into parts of at most ram_size bytes by the rule of sfi.md;
	 * 0: do not split. The token address is where the device notes how
	 * far it is.
	 */
	uint32_t ram_size;
	bool has_token;
	uint32_t token_address;
	const uint32_t *options; /* words of the C area, or NULL */
	size_t n_options;
	const struct pv_sealer *sealer;
	uint8_t nonce[PV_SFI_NONCE];
	enum pv_sfi_iv_add iv_add;
	enum pv_sfi_profile profile;
	uint8_t image_version;
	/*
	 * Folder of the reuse record, made when missing. NULL keeps no
	 * record: only for callers that see to fresh nonces themselves.
	 */
	const char *record_dir;
	/* Also write the nonce here, before the package appears, or NULL. */
	const char *nonce_path;
	const struct pv_progress *progress; /* or NULL */
};

/*
 * One area of a plan or a file. For a file `payload_off` is the offset of
 * the payload from the start of the file; in a plan the tag is zero and the
 * offset is where the payload will be.
 */
typedef int (*pv_sfi_each_fn)(void *ctx, const struct pv_sfi_area *a,
    uint64_t payload_off, struct pv_error *e);

struct pv_sfi_info {
	struct pv_sfi_header header; /* tag zero in a plan */
	uint64_t file_size;	     /* bytes */
};

/*
 * What pv_sfi_pack would write, by the same checks, in the order F, M, K, E, C
 * with P and R between parts. Each segment of the image is an F area; segments that share a write unit of the flash (or that v2
 * padding would reach) are one area, the gap filled with the value of erased
 * flash. Every area lies in flash (PV_E_RANGE) and none over another there,
 * aliases and padding counted (PV_E_OVERLAP); the number of option words is
 * the chip's. `each` (or NULL) gets the areas in file order. Uses neither
 * key, nonce nor files.
 */
PV_MUST_USE int pv_sfi_plan(const struct pv_sfi_pack *p,
    struct pv_sfi_info *ret_info, pv_sfi_each_fn each, void *ctx,
    struct pv_error *e);

/*
 * Build the package at `path`, areas as pv_sfi_plan says. Memory does not
 * grow with the image. The file appears whole or not at all. PV_E_REUSE when
 * an IV of this package was used before, under this key, for other content.
 * `each` (or NULL) gets the areas once the file is in place.
 */
PV_MUST_USE int pv_sfi_pack(const struct pv_sfi_pack *p, const char *path,
    struct pv_sfi_info *ret_info, pv_sfi_each_fn each, void *ctx,
    struct pv_error *e);

/* --- reading ------------------------------------------------------------- */

/* List a package; needs no key. Layout faults are PV_E_MALFORMED. */
PV_MUST_USE int pv_sfi_inspect(const char *path, struct pv_sfi_info *ret_info,
    pv_sfi_each_fn each, void *ctx, struct pv_error *e);

struct pv_sfi_key {
	const struct pv_sealer *sealer;
	uint8_t nonce[PV_SFI_NONCE];
	enum pv_sfi_iv_add iv_add;
	const struct pv_progress *progress; /* or NULL */
};

/*
 * Check the header tag, then every area tag. PV_E_VERIFY names the first
 * that fails. A file that starts as a package but whose layout is damaged
 * (cut short, sizes that do not fit) is PV_E_VERIFY here too, because it is
 * not what was sealed; a file that is no package is PV_E_MALFORMED.
 */
PV_MUST_USE int pv_sfi_verify(const char *path, const struct pv_sfi_key *key,
    struct pv_sfi_info *ret_info, struct pv_error *e);

/*
 * Decrypt into a folder (made with mode 0700 when missing; files 0600):
 * area-001-F-0x08000000.bin and so on, the option bytes as options.bin and,
 * when they are whole words, options.csv. Everything is verified before the
 * first file appears, and a failure while writing takes the files of this call
 * away again. A folder that holds such files already is
 * PV_E_EXISTS. `each` (or NULL) gets the name of every file written.
 */
PV_MUST_USE int pv_sfi_unpack(const char *path, const struct pv_sfi_key *key,
    const char *dir, struct pv_sfi_info *ret_info,
    int (*each)(void *ctx, const char *name, uint32_t size), void *ctx,
    struct pv_error *e);

/* One combination that `calibrate` tried. */
struct pv_sfi_trial {
	enum pv_sfi_iv_add iv_add;
	bool aad_padded; /* AAD zero-padded to 16 bytes, or exact */
	bool header_ok;
	uint16_t areas_ok; /* of header.n_areas */
	bool all_ok;
};
#define PV_SFI_TRIALS 6U /* each of the rules, with both AAD lengths */

/*
 * Find which iv-add rule and AAD length a package was made with; key->iv_add
 * is not used. PV_E_VERIFY when no combination verifies every tag, with
 * the trials and the info (version not 0) filled in all the same. A file without areas cannot tell the
 * rules apart: it succeeds with several trials that are all_ok.
 */
PV_MUST_USE int pv_sfi_calibrate(const char *path, const struct pv_sfi_key *key,
    struct pv_sfi_info *ret_info, struct pv_sfi_trial ret_trials[PV_SFI_TRIALS],
    struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
