/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DFU session from inside: what dfu.c, dfu_run.c, dfu_memory.c and
 * dfu_restart.c share.
 */
#ifndef PV_BOOT_DFU_H
#define PV_BOOT_DFU_H

#include <provisor/dfu.h>

/* USB DFU 1.1 section 6.1.2 */
enum dfu_state {
	DFU_IDLE = 2,
	DFU_DNLOAD_SYNC = 3,
	DFU_DNBUSY = 4,
	DFU_DNLOAD_IDLE = 5,
	DFU_MANIFEST_SYNC = 6,
	DFU_MANIFEST = 7,
	DFU_MANIFEST_WAIT_RESET = 8,
	DFU_UPLOAD_IDLE = 9,
	DFU_ERROR = 10,
};
enum dfu_status_code {
	DFU_OK = 0x00,
	DFU_ERR_TARGET = 0x01,
	DFU_ERR_VENDOR = 0x0b,
};

/* USB DFU 1.1 section 3 */
enum dfu_request {
	DFU_DETACH = 0,
	DFU_DNLOAD = 1,
	DFU_UPLOAD = 2,
	DFU_GETSTATUS = 3,
	DFU_CLRSTATUS = 4,
	DFU_ABORT = 6,
};

#define DFU_TYPE_OUT 0x21U /* class request to an interface, USB 2.0 9.3.1 */
#define DFU_TYPE_IN  0xa1U

/* Times in milliseconds. */
#define T_REQUEST   6000 /* one transfer: some parts block GETSTATUS for 5 s */
#define T_POINTER   2000
#define T_WRITE	    2000 /* one block, where no data is known */
#define T_PAGE	    5000 /* one sector, where no data is known */
#define T_MASS	    35000
#define T_MARGIN    1000
#define T_REOPEN    10000
#define T_STALL_MIN 50 /* between looks at a device that stalls */

#define ATTEMPTS    4U /* of one operation, the first included */
#define FIRST_BLOCK 2U
#define LAST_BLOCK  65534U

struct dfu_status {
	uint8_t status;
	uint8_t state;
	uint32_t poll_ms;
};

/* What a command may take, and how its end looks. */
struct dfu_op {
	const char *step;
	int deadline_ms;
	int typical_ms; /* 0: not known */
	bool erase;	/* may stall GETSTATUS, may stay busy */
};

/* Where the device's block counter is. */
enum dfu_mode {
	MODE_OTHER, /* a new pointer is needed */
	MODE_WRITE,
	MODE_READ,
};

struct pv_dfu {
	struct pv_usb *usb; /* borrowed */
	const struct pv_progress *progress;
	const struct pv_chip *chip; /* may be NULL */
	bool force;
	struct pv_dfu_info info;
	bool maps_known[PV_USB_ALTS];
	size_t alt; /* selected memory; PV_USB_ALTS: none yet */

	enum dfu_mode mode;
	uint32_t next_addr;
	uint16_t next_block;

	unsigned int retries;
	unsigned int absurd; /* poll times beyond the deadline so far */
	uint64_t transfers;

	/* For messages. */
	const char *step;
	uint32_t address;
	bool has_address;
};

/* --- dfu.c ------------------------------------------------------------------ */

bool pv_df_quirk(const struct pv_dfu *d, const char *name);
/* Select the memory that has all of [addr, addr + len) with `access`. */
int pv_df_select(struct pv_dfu *d, uint32_t addr, size_t len,
    unsigned int access, struct pv_error *e);
/* Select the memory that is flash. */
int pv_df_select_flash(struct pv_dfu *d, struct pv_error *e);
/* Read the map of memory i, once. */
int pv_df_map(struct pv_dfu *d, size_t i, struct pv_error *e);
/* The functional descriptor and ids into info. */
int pv_df_describe(const struct pv_usb *usb, const struct pv_chip *chip,
    struct pv_dfu_info *info, struct pv_error *e);

/* A string descriptor, masked; "" for index 0. */
int pv_df_string(
    struct pv_dfu *d, uint8_t index, char dst[PV_USB_TEXT], struct pv_error *e);

/* --- dfu_run.c -------------------------------------------------------------- */

/* One transfer to or from the interface; *ret_len (may be NULL) moved. */
int pv_df_request(struct pv_dfu *d, uint8_t type, uint8_t rq, uint16_t value,
    uint8_t *data, uint16_t len, uint16_t *ret_len, int timeout_ms,
    struct pv_error *e);
/* "errWRITE", or "an unknown status" */
const char *pv_df_status_name(uint8_t status);

void pv_df_step(struct pv_dfu *d, const char *step);
void pv_df_step_at(struct pv_dfu *d, const char *step, uint32_t address);
/* Record an error as "STEP at ADDRESS: ...". */
int pv_df_fail(struct pv_dfu *d, int code, struct pv_error *e, const char *fmt,
    ...) PV_PRINTF(4, 5);
int pv_df_wrap(struct pv_dfu *d, struct pv_error *e);

int pv_df_upload(struct pv_dfu *d, uint16_t block, uint8_t *data, uint16_t len,
    uint16_t *ret_len, struct pv_error *e);
int pv_df_dnload(struct pv_dfu *d, uint16_t block, const uint8_t *data,
    uint16_t len, struct pv_error *e);
int pv_df_getstatus(struct pv_dfu *d, struct dfu_status *ret_s, int timeout_ms,
    struct pv_error *e);
int pv_df_abort(struct pv_dfu *d, struct pv_error *e);
/* Back to dfuIDLE from whatever state. */
int pv_df_idle(struct pv_dfu *d, struct pv_error *e);
/* The error a status stands for. */
int pv_df_refused(
    struct pv_dfu *d, const struct dfu_status *s, struct pv_error *e);
/* Download a command or block, run it, and wait for its end. */
int pv_df_run(struct pv_dfu *d, uint16_t block, const uint8_t *data,
    uint16_t len, const struct dfu_op *op, struct pv_error *e);
/* Sleep in slices; PV_E_INTERRUPTED when the user asked to stop. */
int pv_df_wait(struct pv_dfu *d, int ms, struct pv_error *e);
/*
 * After a failed attempt: 0 when the operation may be tried again (the device
 * is idle), else the error, which then says how often it was tried.
 */
int pv_df_again(
    struct pv_dfu *d, int code, unsigned int attempt, struct pv_error *e);

/* --- dfu_memory.c ------------------------------------------------------------ */

int pv_df_pointer(struct pv_dfu *d, uint32_t addr, struct pv_error *e);
int pv_df_mass_deadline(const struct pv_dfu *d);

#endif
