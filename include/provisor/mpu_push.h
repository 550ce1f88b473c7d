/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a host does with an STM32MP in serial boot: bring it up to U-Boot,
 * program a FlashLayout, install a .ssp package in three boots. Success is
 * returned only on proof; a failure leaves a report of how far it got and in
 * what state the chip is.
 */
#ifndef PROVISOR_MPU_PUSH_H
#define PROVISOR_MPU_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>
#include <provisor/mpu.h>
#include <provisor/progress.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- files that are sent ------------------------------------------------------ */

struct pv_mpu_file; /* opaque: an open file, read as it is sent */
/* A regular file that is not empty. */
PV_MUST_USE int pv_mpu_file_open(
    const char *path, struct pv_mpu_file **ret_f, struct pv_error *e);
void pv_mpu_file_close(struct pv_mpu_file *f);
const struct pv_mpu_source *pv_mpu_file_source(const struct pv_mpu_file *f);

/* What the header of an image says that a ROM is to start. */
struct pv_mpu_image {
	uint32_t image_version;
	bool is_signed;
	bool verified; /* its signature was checked here */
	/* MP15: the key that signed it; MP13: the hash of the key table. */
	uint8_t root[64];
};
/*
 * Header version as the chip wants it, lengths, checksum, and the signature of
 * a signed image under the key it carries: a ROM only falls silent. PV_E_VERIFY
 * for another chip's image or a wrong signature; `chip` 0: any.
 */
PV_MUST_USE int pv_mpu_file_image(const struct pv_mpu_file *f, uint16_t chip,
    struct pv_mpu_image *ret_image, struct pv_error *e);
/* Does it begin like a FIP? PV_E_MALFORMED. */
PV_MUST_USE int pv_mpu_file_fip(
    const struct pv_mpu_file *f, struct pv_error *e);

/* --- up to U-Boot ------------------------------------------------------------- */

/* Images of the boot chain; NULL: not given. */
struct pv_mpu_chain {
	const struct pv_mpu_source *fsbl, *ddr, *fip;
};

/*
 * Send what ROM and TF-A ask for until U-Boot answers. PV_E_USAGE names an
 * image that is asked for and not given.
 */
PV_MUST_USE int pv_mpu_to_uboot(const struct pv_mpu *m,
    const struct pv_mpu_chain *chain, const struct pv_progress *progress,
    struct pv_mpu_phase *ret_phase, struct pv_error *e);
/* U-Boot to the end of its session: the device restarts. */
PV_MUST_USE int pv_mpu_reset(const struct pv_mpu *m, struct pv_error *e);

/* --- FlashLayout -------------------------------------------------------------- */

/* Bytes of one partition; the caller keeps files and layout. */
struct pv_mpu_part {
	uint8_t id;
	const char *name;
	struct pv_mpu_source src;
	bool select; /* U-Boot is to write it; else a boot image */
	bool sent;
};

struct pv_mpu_layout {
	struct pv_mpu_source text; /* the .tsv, header included */
	struct pv_mpu_part *parts;
	size_t n_parts;
	/* Upload each partition afterwards and compare. */
	bool read_back;
	const struct pv_progress *progress;
	/* A partition begins (it may be asked for again); may be NULL. */
	void (*begin)(void *ctx, const struct pv_mpu_part *part);
	void *ctx;
};

struct pv_mpu_layout_report {
	uint8_t phase;	    /* asked for last */
	size_t done;	    /* partitions U-Boot has taken */
	uint64_t bytes;	    /* of them */
	uint64_t read_back; /* bytes compared */
	bool begun;	    /* U-Boot has the layout: storage changes */
};

/*
 * ROM, TF-A, U-Boot, all partitions, the end. Selected parts that the device
 * never asked for are PV_E_DEVICE. *ret_report is filled in any case.
 */
PV_MUST_USE int pv_mpu_program(const struct pv_mpu *m,
    const struct pv_mpu_layout *layout, struct pv_mpu_layout_report *ret_report,
    struct pv_error *e);

/* --- secret provisioning ------------------------------------------------------ */

/* Where the chip is when it ends, well or not. */
enum pv_ssp_state {
	PV_SSP_UNTOUCHED,  /* nothing was burnt */
	PV_SSP_REQUESTED,  /* SSP_REQ is burnt, no secret; open */
	PV_SSP_LOADED,	   /* license and package are in its RAM */
	PV_SSP_REFUSED,	   /* its ROM did not accept them; open */
	PV_SSP_STILL_OPEN, /* boot 3 ended and it is open */
	PV_SSP_UNSURE,	   /* boot 3 did not answer: may be burning */
	PV_SSP_ENDED,	   /* boot 3 has ended; not seen whether closed */
	PV_SSP_CLOSED,	   /* PKH burnt, closed, secrets burnt */
};
/* For people: what it is, whether it may be tried again. */
const char *pv_ssp_state_text(enum pv_ssp_state state);
/* For scripts: "untouched", "requested", ... */
const char *pv_ssp_state_name(enum pv_ssp_state state);

/*
 * Would a ROM take it behind this loader, as far as it can be read without its
 * keys? PV_E_VERIFY.
 */
PV_MUST_USE int pv_ssp_check_license(
    const uint8_t license[136], uint32_t loader_version, struct pv_error *e);

struct pv_ssp_install_options {
	const struct pv_progress *progress;
	uint16_t chip;		/* that the package is for */
	const uint8_t *payload; /* the .ssp file */
	size_t payload_len;
	const struct pv_mpu_source *loader; /* tf-a-ssp.stm32 */
	uint32_t loader_version;	    /* image version in its header */
	uint32_t root_words[8];		    /* OTP 24..31, for the read-back */
	size_t secret_words;
	/*
	 * Normal images that lead to U-Boot: the OTP words are then read
	 * before and after. Both NULL: not read, unless U-Boot runs already.
	 */
	struct pv_mpu_chain otp_chain;
	/*
	 * A license of 136 bytes for this chip, whose certificate has been
	 * read. It must have verified it before it spends anything.
	 */
	int (*license)(void *ctx, const uint8_t certificate[136],
	    uint8_t ret_license[136], struct pv_error *e);
	void *ctx;
};

struct pv_ssp_install_report {
	enum pv_ssp_state state;
	const char *step;     /* "connect", "boot 1", ..., "check" */
	unsigned int loads;   /* of the loader */
	unsigned int rounds;  /* blobs sent */
	int resumed_at;	      /* boot it was in when we came; 0: fresh */
	bool finished_before; /* an earlier push's package was burnt */
	bool have_certificate;
	uint8_t certificate[136];
	bool otp_checked; /* target words were blank before */
	bool otp_proven;  /* read back after */
	size_t otp_burnt; /* secret words that are burnt and locked */
	int64_t blob_ms;
};

/*
 * The three boots. PV_E_VERIFY: another chip's package, or the ROM refused;
 * PV_E_POLICY: OTP words not blank, chip closed. *ret_report is filled in any
 * case.
 */
PV_MUST_USE int pv_ssp_install_run(const struct pv_mpu *m,
    const struct pv_ssp_install_options *opt,
    struct pv_ssp_install_report *ret_report, struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
