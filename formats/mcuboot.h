/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signed image of MCUboot and of ST's variants, byte by byte as in
 * mcuboot.md: header, areas of type-length-value entries, trailer.
 */
#ifndef PV_MCUBOOT_FORMAT_H
#define PV_MCUBOOT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#define PV_MCUBOOT_HEADER 32U /* bytes; hdr_size may be more */

/* Magics: the loader's own, and those of ST's immutable loaders. */
#define PV_MCUBOOT_MAGIC	0x96f3b83dU
#define PV_MCUBOOT_MAGIC_STIROT 0x73ab1024U /* H5 code */
#define PV_MCUBOOT_MAGIC_STDATA 0x55f7394eU /* H5 data, configuration */
#define PV_MCUBOOT_MAGIC_H7RS	0xc1592ee9U /* H7RS code */

/* Flags. Bit 3 is one of two things: the flavor decides, never a guess. */
#define PV_MCUBOOT_F_PIC	   0x00000001U
#define PV_MCUBOOT_F_PRIMARY_ONLY  0x00000002U /* ST */
#define PV_MCUBOOT_F_AES128	   0x00000004U
#define PV_MCUBOOT_F_AES256	   0x00000008U /* upstream */
#define PV_MCUBOOT_F_OTFDEC	   0x00000008U /* ST */
#define PV_MCUBOOT_F_NON_BOOTABLE  0x00000010U
#define PV_MCUBOOT_F_RAM_LOAD	   0x00000020U
#define PV_MCUBOOT_F_ROM_FIXED	   0x00000100U
#define PV_MCUBOOT_F_LZMA1	   0x00000200U
#define PV_MCUBOOT_F_LZMA2	   0x00000400U
#define PV_MCUBOOT_F_ARM_THUMB	   0x00000800U
#define PV_MCUBOOT_F_CHIP_SPECIFIC 0x40000000U /* ST */
#define PV_MCUBOOT_F_LICENSE	   0x80000000U /* ST */

#define PV_MCUBOOT_INFO_PROTECTED   0x6908U
#define PV_MCUBOOT_INFO_UNPROTECTED 0x6907U

enum pv_mcuboot_type {
	PV_TLV_KEYHASH = 0x01,
	PV_TLV_PUBKEY = 0x02,
	PV_TLV_SHA256 = 0x10,
	PV_TLV_SHA384 = 0x11,
	PV_TLV_SHA512 = 0x12,
	PV_TLV_RSA2048_PSS = 0x20,
	PV_TLV_ECDSA_SIG = 0x22,
	PV_TLV_RSA3072_PSS = 0x23,
	PV_TLV_ED25519 = 0x24,
	PV_TLV_SIG_PURE = 0x25,
	PV_TLV_ENC_RSA2048 = 0x30,
	PV_TLV_ENC_KW = 0x31,
	PV_TLV_ENC_EC256 = 0x32,
	PV_TLV_ENC_X25519 = 0x33,
	PV_TLV_ENC_X25519_SHA512 = 0x34,
	PV_TLV_DEPENDENCY = 0x40,
	PV_TLV_SEC_CNT = 0x50,
	PV_TLV_BOOT_RECORD = 0x60,
	PV_TLV_UUID_VID = 0x74,
	PV_TLV_UUID_CID = 0x75,
	PV_TLV_ST_AUTH_TAG = 0x03a0,
	/* Ours, protected: made with --deterministic-test. */
	PV_TLV_TEST_MARK = 0x54a0,
};
#define PV_MCUBOOT_TEST_MARK "provisor-test"

struct pv_mcuboot_version {
	uint8_t major, minor;
	uint16_t revision;
	uint32_t build;
};

struct pv_mcuboot_header {
	uint32_t magic;
	uint32_t load_addr;
	uint16_t hdr_size;
	uint16_t protect_size; /* whole protected area, 0 without one */
	uint32_t img_size;     /* payload */
	uint32_t flags;
	struct pv_mcuboot_version version;
	uint32_t pad;
};

/* A name for one of the four magics, NULL for any other value. */
const char *pv_mcuboot_magic_name(uint32_t magic);

PV_MUST_USE int pv_mcuboot_header_decode(const uint8_t *data, size_t len,
    struct pv_mcuboot_header *ret_h, struct pv_error *e);
void pv_mcuboot_header_encode(
    const struct pv_mcuboot_header *h, uint8_t ret_data[PV_MCUBOOT_HEADER]);

/* "1.2.3+4"; the build is optional. PV_E_USAGE names the part that does not
 * fit its field. */
PV_MUST_USE int pv_mcuboot_version_parse(
    const char *text, struct pv_mcuboot_version *ret_v, struct pv_error *e);
/* The other way: dst holds 32. */
void pv_mcuboot_version_text(char dst[32], const struct pv_mcuboot_version *v);

/* --- entries ---------------------------------------------------------------- */

struct pv_mcuboot_tlv {
	uint16_t type, len;
	const uint8_t *data; /* borrowed from what was decoded */
};

#define PV_MCUBOOT_TLVS_MAX  64U
/* Two areas of a 16-bit length each. */
#define PV_MCUBOOT_AREAS_MAX 131070U

struct pv_mcuboot_tlvs {
	struct pv_mcuboot_tlv t[PV_MCUBOOT_TLVS_MAX];
	size_t n;	    /* of both areas, protected ones first */
	size_t n_protected; /* of these */
	size_t size;	    /* bytes of both areas */
};

/*
 * The areas that begin at `data`; what follows them is not looked at.
 * protect_size is the header's.
 */
PV_MUST_USE int pv_mcuboot_tlvs_decode(const uint8_t *data, size_t len,
    uint16_t protect_size, struct pv_mcuboot_tlvs *ret_t, struct pv_error *e);

/* First entry of a type in both areas, NULL without one. */
const struct pv_mcuboot_tlv *pv_mcuboot_find(
    const struct pv_mcuboot_tlvs *t, uint16_t type);

/* "security counter"; "custom" for the vendor range, NULL for the unknown. */
const char *pv_mcuboot_type_name(uint16_t type);
/* Is the type a wrapped image key? A signature? A hash (its length, else 0)? */
bool pv_mcuboot_is_enc(uint16_t type);
bool pv_mcuboot_is_sig(uint16_t type);
size_t pv_mcuboot_hash_len(uint16_t type);

/*
 * The rules that bootutil or a verifier has for header and entries together:
 * lengths of each entry, areas, flags against key entry. `st` says which
 * reading of flag bit 3 holds. Values of hash and signature are not checked.
 */
PV_MUST_USE int pv_mcuboot_validate(const struct pv_mcuboot_header *h,
    const struct pv_mcuboot_tlvs *t, bool st, struct pv_error *e);

/* Areas under construction. */
struct pv_writer;
/* Begin an area, return its mark for the end. */
size_t pv_mcuboot_area_begin(struct pv_writer *w, uint16_t magic);
void pv_mcuboot_tlv_put(
    struct pv_writer *w, uint16_t type, const void *data, size_t len);
/* Closes the area; false when it is longer than its length field can say. */
bool pv_mcuboot_area_end(struct pv_writer *w, size_t mark);

/* --- trailer ---------------------------------------------------------------- */

#define PV_MCUBOOT_TRAILER_MAGIC 16U

struct pv_mcuboot_layout {
	bool st;	   /* ST's fork decides: sections below */
	bool stirot;	   /* ST, magic 0x73ab1024 */
	bool primary_only; /* ST */
	bool overwrite_only;
	bool encrypted;
	size_t save_enctlv;   /* bytes of the key entry, 0 without the option */
	uint32_t align;	      /* write size of the flash */
	uint32_t max_align;   /* 0: the larger of 8 and align */
	uint32_t max_sectors; /* M of the option */
};
/* Bytes of the trailer at the end of the slot. */
uint64_t pv_mcuboot_trailer_size(const struct pv_mcuboot_layout *l);
void pv_mcuboot_trailer_magic(const struct pv_mcuboot_layout *l,
    uint8_t ret_magic[PV_MCUBOOT_TRAILER_MAGIC]);
/* Distance of the image_ok byte from the slot end; 0 where none is written. */
uint32_t pv_mcuboot_image_ok(const struct pv_mcuboot_layout *l);
/* Is it one of the magics, of any alignment? */
bool pv_mcuboot_is_trailer_magic(const uint8_t magic[PV_MCUBOOT_TRAILER_MAGIC]);

#endif
