/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programming a chip through its bootloader session: a plain memory image
 * (erase, write, read back), or a secure install of a .sfi package
 * (formats/secure-install.md). Success is returned only on proof; a failure
 * leaves a report of how far it got and what the chip holds now.
 */
#ifndef PROVISOR_PUSH_H
#define PROVISOR_PUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/boot.h>
#include <provisor/chip.h>
#include <provisor/err.h>
#include <provisor/image.h>
#include <provisor/progress.h>
#include <provisor/usart.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the chip holds when the work ended, well or not. */
enum pv_device_state {
	PV_DEVICE_UNCHANGED,
	PV_DEVICE_ERASED,  /* what was begun is erased again */
	PV_DEVICE_PARTIAL, /* begun and not complete; does not start */
	PV_DEVICE_BROKEN,  /* could not be erased after a failure */
	PV_DEVICE_UNKNOWN, /* the last answer was lost */
	PV_DEVICE_DONE,	   /* programmed and proven */
};
/* "erased, safe to retry" and the like, for people and JSON. */
const char *pv_device_state_text(enum pv_device_state state);

/* --- plain images ----------------------------------------------------------- */

struct pv_plan; /* opaque: sectors to erase, frames to write */

struct pv_plan_info {
	size_t n_sectors;
	size_t n_runs;	 /* stretches without a gap, whole write units */
	uint64_t bytes;	 /* of the image */
	uint64_t padded; /* bytes written with padding */
};

/*
 * Check an image against a chip and plan it in blocks of at most `block`
 * bytes (of struct pv_boot). With allow_ram, segments in RAM are taken too.
 * The image is borrowed. PV_E_RANGE names what does not fit.
 */
PV_MUST_USE int pv_plan_new(const struct pv_image *img,
    const struct pv_chip *chip, uint32_t block, bool allow_ram,
    struct pv_plan **ret_plan, struct pv_error *e);
void pv_plan_free(struct pv_plan *plan);
void pv_plan_info(const struct pv_plan *plan, struct pv_plan_info *ret_info);
/* i < n_sectors, in address order */
void pv_plan_sector(
    const struct pv_plan *plan, size_t i, struct pv_sector *ret_sector);
/* i < n_runs, in address order */
void pv_plan_run(
    const struct pv_plan *plan, size_t i, struct pv_range *ret_run);

struct pv_plan_report {
	enum pv_device_state state;
	const char *step; /* "erase", "write", "verify" */
	uint64_t address; /* where it ended, when it failed */
	size_t erased;	  /* sectors */
	uint64_t written; /* bytes sent */
	uint64_t skipped; /* bytes not sent because they are as erased */
	uint64_t verified;
	unsigned rewritten; /* sectors erased and written a second time */
	size_t kept;	    /* sectors left alone because they were equal */
	uint64_t kept_bytes;
	bool by_checksum; /* proven by Get Checksum, else by reading back */
	int64_t compare_ms, erase_ms, write_ms, verify_ms;
};

struct pv_plan_options {
	/*
	 * Compare first and leave equal sectors alone. When a sector of a
	 * stretch changes, that of its first frame is written anew as well,
	 * so that the program cannot start before all of it is there.
	 */
	bool only_changed;
	bool coalesce;	/* the session may send whole frames at once */
	bool read_back; /* do not use Get Checksum */
};

/*
 * Erase the sectors of the plan, write, read everything back. The first frame
 * of each run, where a vector table would be, goes last, so that a program
 * that is not complete never starts. *ret_report is filled in any case.
 */
PV_MUST_USE int pv_plan_program(const struct pv_plan *plan,
    const struct pv_boot *boot, const struct pv_progress *progress,
    struct pv_plan_report *ret_report, struct pv_error *e);

/* The same with options; NULL is the default. */
PV_MUST_USE int pv_plan_program_with(const struct pv_plan *plan,
    const struct pv_boot *boot, const struct pv_plan_options *opt,
    const struct pv_progress *progress, struct pv_plan_report *ret_report,
    struct pv_error *e);

/*
 * Compare the image with the chip, nothing but its own bytes. PV_E_VERIFY
 * names the first byte that differs; *ret_differing counts them.
 */
PV_MUST_USE int pv_plan_verify(const struct pv_plan *plan,
    const struct pv_boot *boot, const struct pv_progress *progress,
    uint64_t *ret_differing, struct pv_error *e);

/* --- secure install ---------------------------------------------------------- */

struct pv_install_file; /* opaque: a .sfi whose structure has been checked */

struct pv_install_area {
	char type; /* 'F', 'M', 'K', 'E', 'C', 'P', 'R' */
	uint32_t address;
	uint32_t size;
};

/* Does this file begin like a .sfi package? Missing file: false. */
bool pv_install_is_package(const char *path);

/*
 * Open a package and check its structure, and that the exchange can carry it
 * (known letters, C last, R after P). Damage is PV_E_VERIFY: a package that
 * is not what was packed; nothing needs to be sent to know that.
 */
PV_MUST_USE int pv_install_open(
    const char *path, struct pv_install_file **ret_f, struct pv_error *e);
void pv_install_close(struct pv_install_file *f);
size_t pv_install_areas(const struct pv_install_file *f);
void pv_install_area(const struct pv_install_file *f, size_t i,
    struct pv_install_area *ret_area);
uint64_t pv_install_size(const struct pv_install_file *f); /* payload bytes */
/* SHA-256 and size of the whole file, for pv_signature_check_digest. */
PV_MUST_USE int pv_install_digest(const struct pv_install_file *f,
    uint8_t ret_digest[32], uint64_t *ret_size, struct pv_error *e);

/*
 * Stretches of memory that a package fills, as the agent counts them
 * (secure-install.md, rule 3). All zero at first; then each area in order.
 */
struct pv_install_places {
	size_t n;
	bool external; /* the last one is an E area that ends at `end` */
	uint64_t end;
};
void pv_install_place(struct pv_install_places *places, char type,
    uint32_t address, uint32_t size);

/* What the device said of itself. */
struct pv_install_chip {
	uint16_t device_id;
	char product_id[9];
	uint8_t state; /* PV_SI_STATE_* */
	bool key_pinned;
	uint16_t packet; /* largest area data packet */
	uint32_t flash_base, flash_size, write_unit, option_bytes;
	uint32_t external_base, external_size; /* size 0: none */
	uint32_t takes;			       /* PV_SI_TAKES_* */
	uint16_t places, areas;		       /* most of one package */
	uint8_t certificate[136];
	uint8_t fingerprint[32]; /* SHA-256 of the certificate */
};

/*
 * Ask for info and certificate, which changes nothing. A bootloader without
 * an install agent is PV_E_DEVICE.
 */
PV_MUST_USE int pv_install_ask(
    struct pv_usart *u, struct pv_install_chip *ret_chip, struct pv_error *e);

struct pv_install_license {
	uint8_t data[228];
	size_t len;
	uint8_t campaign_key[64]; /* X, Y; all zero when not known */
};

struct pv_install_options {
	const struct pv_progress *progress;
	/* Its second addresses of flash count as flash; NULL: none do. */
	const struct pv_chip *layout;
	/*
	 * A license for this chip. Called once the package is known to fit;
	 * it must have verified the certificate before it spends anything.
	 * Called a second time, with `refused`, when the chip said that the
	 * license it got is for another chip.
	 */
	int (*license)(void *ctx, const struct pv_install_chip *chip,
	    bool refused, struct pv_install_license *ret_license,
	    struct pv_error *e);
	void *ctx;
};

struct pv_install_report {
	enum pv_device_state state;
	const char *step; /* "connect", "license", "install", "finish" */
	struct pv_install_chip chip;
	bool have_chip;
	bool license_accepted;
	unsigned area;	 /* under way, 1-based; 0 outside areas */
	uint32_t offset; /* bytes of it the device has confirmed */
	unsigned areas_done;
	unsigned resumed_at; /* area an earlier install went on with, or 0 */
	unsigned parts;	     /* restarts between parts in this run */
	uint64_t sent;	     /* payload bytes confirmed */
	bool answered; /* the chip came back after its restart and agreed */
};

/*
 * The whole install. Refusals of the device are PV_E_VERIFY when a signature,
 * a tag or the unwrapping failed, else PV_E_DEVICE. *ret_report is filled in
 * any case.
 */
PV_MUST_USE int pv_install_run(struct pv_install_file *f, struct pv_usart *u,
    const struct pv_install_options *opt, struct pv_install_report *ret_report,
    struct pv_error *e);

#ifdef __cplusplus
}
#endif
#endif
