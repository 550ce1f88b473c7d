/* SPDX-License-Identifier: Apache-2.0 */
/* One push, from its options to its report: push.c, push_license.c, push_report.c. */
#ifndef PV_CMD_PUSH_H
#define PV_CMD_PUSH_H

#include "cmd/cmd.h"
#include "cmd/target.h"
#include <provisor/push.h>

#define PV_PUSH_PATH 4096U

enum pv_push_kind {
	PV_PUSH_PLAIN,
	PV_PUSH_INSTALL,
	PV_PUSH_SSP,	/* push_ssp.c */
	PV_PUSH_LAYOUT, /* push_layout.c */
};

struct pv_mpu_target;

/* What became of the license; numbers are spent by campaigns only. */
struct pv_push_license {
	bool known;	  /* there is one */
	bool spent;	  /* a number was spent for it now */
	bool saved;	  /* it is in its file */
	bool maybe_burnt; /* issuing failed, perhaps after a number was taken */
	bool saved_before; /* it was taken from the file of an earlier push */
	uint64_t number, total, left;
	bool counted;		 /* total and left are known */
	char path[PV_PUSH_PATH]; /* file it is in */
	char name[128];		 /* that file, as shown */
};

struct pv_push {
	struct pv_app *app;
	/* options */
	const char *file;
	struct pv_target_args to;
	const char *campaign, *license_file, *campaign_key;
	const char *signer_key, *signature_file; /* --require-signature */
	int dry_run, go, only_changed, read_back;
	const char *loader, *fsbl, *fip; /* STM32MP */
	const char *nonce_file;		 /* .ssp; NULL: FILE.nonce */

	enum pv_push_kind kind;
	const char *step;
	int64_t began_ms;
	struct pv_target t;
	enum pv_device_state state;

	/* plain */
	struct pv_image *img;
	struct pv_plan *plan;
	struct pv_plan_report plain;

	/* install */
	struct pv_install_file *package;
	struct pv_install_report install;
	int64_t install_ms; /* when the first area went out */
	bool has_session;
	struct pv_campaign_session session;
	struct pv_push_license license;
	char serial[7];	      /* empty: the chip did not say who it is */
	const char *verified; /* what is known of its certificate */
	char verified_text[64];

	struct pv_mpu_target *mpu; /* NULL: no STM32MP, or no session yet */
};

/* --- push_license.c --------------------------------------------------------- */

/* For struct pv_install_options; ctx is the struct pv_push. */
PV_MUST_USE int pv_push_license(void *ctx, const struct pv_install_chip *chip,
    bool refused, struct pv_install_license *ret_license, struct pv_error *e);
/* What a push with these options would take from the campaign (--dry-run). */
PV_MUST_USE int pv_push_license_plan(
    struct pv_push *p, struct pv_json *root, struct pv_error *e);
/* Append the outcome to the ledger, when there is a campaign. */
PV_MUST_USE int pv_push_record(struct pv_push *p, int code,
    const struct pv_error *why, struct pv_error *e);

/* Was a license spent? "no license was spent; ", or "" where none is taken. */
#define PV_PUSH_LEFT 320U
void pv_push_license_text(const struct pv_push *p, char dst[PV_PUSH_LEFT]);
/* "license", or null. */
void pv_push_license_json(const struct pv_push *p, struct pv_json *root);

/* --- push_ssp.c, push_layout.c ------------------------------------------------ */

/* Options, the work and the report of a push to an STM32MP. */
PV_MUST_USE int pv_push_ssp(struct pv_push *p, struct pv_error *e);
PV_MUST_USE int pv_push_layout(struct pv_push *p, struct pv_error *e);

/* --- push_ssp_begun.c ------------------------------------------------------- */

/* Which chip was sent which package in boot 2: a note in HOME/licenses. */
struct pv_begun {
	bool by_serial; /* of the USB device, else by the port */
	uint8_t package[32];
	char path[PV_PUSH_PATH];
};
PV_MUST_USE int pv_begun_init(struct pv_push *p, const char *usb_serial,
    const uint8_t *file, size_t len, struct pv_begun *ret_b,
    struct pv_error *e);
PV_MUST_USE int pv_begun_save(const struct pv_begun *b,
    const uint8_t certificate[136], struct pv_error *e);
/* Is there a note, and of this package? */
bool pv_begun_find(const struct pv_begun *b, uint8_t ret_certificate[136]);
/* The chip of this port is done; a serial stays that chip's. */
void pv_begun_forget(const struct pv_begun *b);

/* --- push_report.c ---------------------------------------------------------- */

/* The "chip" line. */
void pv_push_say_chip(const struct pv_push *p);
PV_MUST_USE int pv_push_dry_run(struct pv_push *p, struct pv_error *e);
PV_MUST_USE int pv_push_passed(struct pv_push *p, struct pv_error *e);
/* Error, what it means for chip and license, FAIL. */
void pv_push_failed(struct pv_push *p, struct pv_error *e);
/* The same with this text and object of the caller's (freed here). */
void pv_push_say_failed(struct pv_push *p, struct pv_json *root,
    const char *left, struct pv_error *e);
/* "PASS", with the serial when it is known, and the time. */
void pv_push_say_pass(const struct pv_push *p);
/* ", 2 retries on the line", or "". */
#define PV_RETRIES_TEXT 48U
void pv_retries_text(char dst[PV_RETRIES_TEXT], unsigned int n);
/* "35 ms" or "21.4 s" */
#define PV_TIME_SHORT 32U
void pv_time_short(char dst[PV_TIME_SHORT], int64_t ms);

#endif
