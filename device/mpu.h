/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device side of an STM32MP15 or MP13 in serial boot, as a host sees it:
 * the ROM, TF-A (normal, and the variant for secret provisioning), U-Boot's
 * stm32prog. Which one runs after a download is decided by the image
 * (mpu_image.c). formats/mpu-boot.md says what is modeled, and on what
 * grounds.
 *
 * One machine, `struct pv_mp`, is fed bytes of a UART (mpu_uart.c) or control
 * transfers of USB (mpu_usb.c), and asks the part for the rest by callbacks.
 */
#ifndef PV_DEVICE_MPU_H
#define PV_DEVICE_MPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PV_MP_ACK   0x79U
#define PV_MP_NACK  0x1fU /* try again */
#define PV_MP_ABORT 0x5fU /* cannot recover */
#define PV_MP_SYNC  0x7fU

#define PV_MP_CHIP_15 0x500U
#define PV_MP_CHIP_13 0x501U

#define PV_MP_OTP_WORDS 96U
#define PV_MP_CERT	136U
#define PV_MP_LICENSE	136U
#define PV_MP_SECRETS	152U	      /* room in a payload */
#define PV_MP_BLOB_MAX	(136U + 244U) /* license and payload of MP15 */
#define PV_MP_TEXT	248U	      /* error texts; TF-A cuts them at 63 */
#define PV_MP_PARTS	240U	      /* lines of a layout, as in U-Boot */
#define PV_MP_NONE	0xffffffffU   /* an address: not in memory */

/* What the host is asked for. */
enum pv_mp_phase {
	PV_MP_LAYOUT = 0x00,
	PV_MP_FSBL = 0x01,
	PV_MP_SSBL = 0x03,
	PV_MP_LAST_USER = 0xf0,
	PV_MP_CMD = 0xf1,
	PV_MP_OTP = 0xf2,
	PV_MP_SSP = 0xf3,
	PV_MP_PMIC = 0xf4,
	PV_MP_END = 0xfe,
	PV_MP_RESET = 0xff,
};

enum pv_mp_stage {
	PV_MP_ROM,
	PV_MP_TFA_SSP,
	PV_MP_TFA,
	PV_MP_UBOOT,
	PV_MP_DEAD, /* silent until a reset */
};

enum pv_mp_generation { PV_MP_TFA_2_2, PV_MP_TFA_2_4, PV_MP_TFA_2_8 };

enum pv_mp_link { PV_MP_UART, PV_MP_USB };

/* How the ROM opens a license: what ST has not published, as fields. */
struct pv_mp_profile {
	bool info_ephemeral; /* SharedInfo: the ephemeral key; else empty */
	bool key_high;	     /* key in KDF[16..31], IV in KDF[0..15] */
	uint8_t license_iv;  /* bytes: 12 or 16 */
	uint8_t payload_iv;
};

/* Facts of the part; from its chip description. */
struct pv_mp_chip {
	uint16_t id;
	uint32_t load_address; /* where the ROM puts the FSBL, header first */
	uint8_t header_major;  /* of the STM32 image header: 1 or 2 */
	uint8_t ssp_word;
	uint32_t ssp_request, ssp_success; /* bits of it */
	uint32_t closed;		   /* of OTP 0: closed when all set */
	uint32_t rma_mask;
	bool key_table; /* payload: hash of a table, else the public key */
};

struct pv_mp_config {
	struct pv_mp_chip chip;
	struct pv_mp_profile profile;
	/* The generation an image does not name. */
	enum pv_mp_generation generation;
	bool force_generation; /* whatever the image says */
	const char *serial;    /* of USB; 24 hex digits */
	/* ways to differ, see pv_mp_reset and mpu_rom.c */
	bool mailbox_lost;  /* the supplies fall at a reset */
	bool rom_abort;	    /* ABORT for an image refused; else silence */
	bool signed_loader; /* SSP wants the loader signed by the key */
};

/* The OTP array. Functions that return int give 0, or nonzero: refused. */
struct pv_mp_fuses {
	void *ctx;
	int (*read)(void *ctx, unsigned int word, uint32_t *ret_v);
	/* Set these bits; a word that is locked, or upper and used: refused. */
	int (*program)(void *ctx, unsigned int word, uint32_t v);
	int (*lock)(void *ctx, unsigned int word); /* for good */
	/* State bits of mpu_otp.h. */
	uint32_t (*state)(void *ctx, unsigned int word);
	int (*set_state)(void *ctx, unsigned int word, uint32_t bits);
};

struct pv_mp_crypto {
	void *ctx;
	int (*sha256)(
	    void *ctx, const uint8_t *data, size_t len, uint8_t digest[32]);
	int (*verify)(void *ctx, const uint8_t pub[64],
	    const uint8_t digest[32], const uint8_t sig[64]);
	/* The chip's own key pair, on P-256. */
	int (*public_key)(void *ctx, uint8_t pub[64]);
	int (*ecdh)(void *ctx, const uint8_t peer[64], uint8_t z[32]);
	/* AES-128-GCM; nonzero, and nothing in `out`, for a wrong tag. */
	int (*open)(void *ctx, const uint8_t key[16], const uint8_t *iv,
	    size_t iv_len, const uint8_t *aad, size_t aad_len,
	    const uint8_t *in, size_t len, const uint8_t tag[16], uint8_t *out);
};

/* Mass storage behind U-Boot, by partition id. */
struct pv_mp_storage {
	void *ctx;
	int (*write)(void *ctx, uint8_t id, uint64_t offset,
	    const uint8_t *data, size_t len);
	/* Always `len` bytes: what was never written reads as erased. */
	int (*read)(
	    void *ctx, uint8_t id, uint64_t offset, uint8_t *data, size_t len);
	int (*erase)(void *ctx, uint8_t id);
	uint8_t *pmic; /* 8 bytes of NVM */
	int (*pmic_burn)(void *ctx);
};

/* What an answer that would be an ACK becomes, by a fault. */
enum pv_mp_fault { PV_MP_FINE, PV_MP_SAY_NACK, PV_MP_SAY_ABORT };

struct pv_mp_port {
	void *ctx;
	void (*emit)(void *ctx, const uint8_t *data, size_t len);
	void (*flush)(void *ctx); /* the receiver is emptied */
	void (*wait_us)(void *ctx, uint32_t us);
	/* The clock of the line; NULL: bytes take no time. */
	uint64_t (*now_us)(void *ctx);
	enum pv_mp_fault (*fault)(void *ctx); /* NULL: none ever */
	/* A reset: the line is deaf for a while, the USB device leaves. */
	void (*restarted)(void *ctx);
	/* NULL, or told of what happened, for an account. */
	void (*note)(void *ctx, const char *text, uint32_t value);

	uint8_t *ram; /* images, from config.chip.load_address */
	size_t ram_size;
	uint8_t *ddr; /* FIP and FlashLayout */
	size_t ddr_size;

	struct pv_mp_fuses fuses;
	struct pv_mp_crypto crypto;
	struct pv_mp_storage storage;
};

/* RAM that the ROM and the SSP firmware share, kept over resets. */
struct pv_mp_mailbox {
	uint32_t command, status; /* boot_api.h: ssp_cmd, ssp_status */
	bool has_key;
	uint8_t chip_key[64];
	uint8_t blob[PV_MP_BLOB_MAX];
	/* Of the image that fetched the blob: its version, its signer. */
	uint32_t image_version;
	bool image_signed;
	uint8_t image_key_hash[32];
};

/* One line of a FlashLayout, as U-Boot has read it. */
enum pv_mp_target {
	PV_MP_TO_NONE,
	PV_MP_TO_MMC,
	PV_MP_TO_NOR,
	PV_MP_TO_NAND,
	PV_MP_TO_SPI_NAND,
	PV_MP_TO_RAM,
};
struct pv_mp_part {
	uint8_t id;
	bool selected, empty, erase;
	char name[17];
	enum pv_mp_target target;
	uint8_t device;
	int8_t boot_area; /* 1, 2: of an eMMC */
	uint64_t offset, size;
};

#define PV_MP_OTP_MAX 1024U
struct pv_mp_uboot {
	size_t n_parts;
	struct pv_mp_part parts[PV_MP_PARTS];
	bool layout_done; /* waits for DETACH, or goes on over UART */
	bool ready;	  /* the partitions are there */
	uint8_t otp[PV_MP_OTP_MAX];
	size_t otp_len; /* 0: no structure loaded or received */
	uint8_t pmic[8];
	uint32_t cursor; /* bytes of the transfer under way */
};

struct pv_mp;
struct pv_mp_uart {
	void (*step)(struct pv_mp *m);
	bool synced; /* ROM: 0x7F has come */
	size_t have, need;
	uint8_t opcode;
	uint8_t buf[260];
	uint8_t operation; /* Download */
	uint32_t number;
	uint8_t part; /* Read partition */
	uint32_t offset;
	uint64_t since; /* U-Boot: when the length of a packet came */
	bool timed;	/* the bytes under way have a limit */
	uint32_t commands, nacks, aborts;
};

enum pv_mp_pending {
	PV_MP_PENDING_NONE,
	PV_MP_PENDING_START, /* of the image that was downloaded */
	PV_MP_PENDING_RESET,
	PV_MP_PENDING_JUMP, /* to code that is none */
};
struct pv_mp_usb {
	uint8_t state, status, alt, configuration;
	bool complete;		    /* what the stage wanted has come */
	enum pv_mp_pending pending; /* before the next transfer */
	uint32_t upload_at;
};

struct pv_mp {
	const struct pv_mp_config *config;
	const struct pv_mp_port *port;
	enum pv_mp_link link;
	enum pv_mp_stage stage;
	enum pv_mp_generation generation; /* of the TF-A that runs */
	uint8_t otp_version;		  /* of the structures U-Boot has */

	struct pv_mp_mailbox mailbox;

	/* what is asked for and what has come */
	uint8_t phase;
	uint32_t base; /* address that GetPhase tells */
	char text[PV_MP_TEXT];
	uint32_t packet;   /* number of the next */
	uint32_t received; /* bytes */
	uint32_t room;	   /* bytes that may come */
	uint8_t cert[PV_MP_CERT];
	bool has_cert;
	bool usb_left; /* off the bus; cleared by whoever puts it back */

	struct pv_mp_uboot uboot;
	struct pv_mp_uart uart;
	struct pv_mp_usb usb;
};

/* All pointers are borrowed. The power is on, the ROM runs. */
void pv_mp_init(struct pv_mp *m, const struct pv_mp_config *config,
    const struct pv_mp_port *port, enum pv_mp_link link);
/* The reset pin, or the system reset of a firmware: RAM keeps its content. */
void pv_mp_reset(struct pv_mp *m);
/* The power goes and comes back. */
void pv_mp_power_cycle(struct pv_mp *m);
bool pv_mp_closed(const struct pv_mp *m);
/* "ROM", "TF-A SSP", "TF-A", "U-Boot", "silent"; never NULL. */
const char *pv_mp_stage_name(enum pv_mp_stage stage);

/* --- UART ------------------------------------------------------------------ */

/* Bytes from the line, any number. */
void pv_mp_feed(struct pv_mp *m, const uint8_t *data, size_t len);
/* The sync byte has come, or a firmware has the line. */
bool pv_mp_synced(const struct pv_mp *m);
/*
 * How long the rest of a frame is waited for, in microseconds from its last
 * byte; 0: for ever, or no frame is under way.
 */
uint32_t pv_mp_patience_us(const struct pv_mp *m);
/* That time is over. */
void pv_mp_expired(struct pv_mp *m);

#endif
