/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chip descriptions: what the tool must know of a part, read from
 * share/chips/NAME.json, so that a new part needs no new release. A value
 * nobody could source is absent (0, or count 0), never invented.
 */
#ifndef PROVISOR_CHIP_H
#define PROVISOR_CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <provisor/err.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_CHIP_NAME	64U
#define PV_CHIP_GROUPS	16U /* runs of equal sectors in one bank */
#define PV_CHIP_BANKS	4U
#define PV_CHIP_RAMS	8U
#define PV_CHIP_ALIASES 4U
#define PV_CHIP_IDS	8U

#define PV_CHIP_QUIRKS 8U

/* `count` sectors of `size` bytes. */
struct pv_sector_group {
	uint32_t count;
	uint32_t size;
	uint32_t erase_typ; /* milliseconds; 0: as pv_flash_times says */
};

struct pv_flash_bank {
	uint32_t base; /* address of the first byte */
	uint32_t size; /* bytes, the sum of the groups */
	size_t n_groups;
	struct pv_sector_group groups[PV_CHIP_GROUPS];
};

struct pv_range {
	uint32_t base;
	uint32_t size; /* bytes */
};

/* A second address range that shows the same flash (TrustZone secure). */
struct pv_alias {
	uint32_t base;
	uint32_t size;
	uint32_t target; /* address in a bank that `base` shows */
};

/* Milliseconds; 0 = not known. */
struct pv_flash_times {
	uint32_t sector_erase_typ, sector_erase_max;
	uint32_t mass_erase_typ, mass_erase_max;
	uint32_t write_unit_typ_us, write_unit_max_us; /* microseconds */
};

/*
 * Of an STM32MP: what its ROM and secret provisioning (SSP) need. Word numbers
 * are OTP words of 32 bits.
 */
struct pv_chip_rom {
	uint32_t load_address; /* of the first image, header included */
	uint32_t load_size;    /* bytes that may come there */
	uint8_t image_header;  /* major version of its header: 1 or 2 */
	uint8_t ssp_word;      /* OTP word with the two bits below */
	uint32_t ssp_request, ssp_success; /* masks */
	uint32_t open_value; /* OTP word 0 of a part as delivered */
	uint32_t closed;     /* bits of OTP word 0; all set: closed */
	uint32_t rma_mask;   /* of OTP word 56 */
	bool key_table;	     /* eight key hashes and their hash, not one key */
};

struct pv_chip {
	char name[PV_CHIP_NAME];   /* "stm32h563", lower case */
	char family[PV_CHIP_NAME]; /* "STM32H5" */
	char title[PV_CHIP_NAME];  /* "STM32H563" for people */
	bool mpu;		   /* STM32MP: no flash of its own */
	bool sfi;		   /* has secure firmware install */
	bool has_option_area;
	bool has_rdp_offset;

	uint32_t device_id;   /* bootloader product id, 12 bits */
	uint32_t write_unit;  /* bytes that are programmed at once */
	bool ecc;	      /* a write unit may be programmed once */
	uint8_t erased;	      /* byte value of erased flash */
	uint8_t boot_version; /* of the USART bootloader, 0x31; 0 unknown */
	size_t n_banks;
	struct pv_flash_bank banks[PV_CHIP_BANKS];
	size_t n_aliases;
	struct pv_alias aliases[PV_CHIP_ALIASES];
	size_t n_rams;
	struct pv_range rams[PV_CHIP_RAMS];
	struct pv_range
	    external; /* memory-mapped external flash, size 0: none */
	uint32_t boot_ram_reserved; /* bytes at the start of the first RAM */

	struct pv_range option_area; /* as the USART bootloader sees it */
	uint32_t option_words;	     /* words of the SFI C area; 0 unknown */
	uint32_t rdp_offset;	     /* of the RDP byte in the option area */

	/* One-time programmable bytes; otp.size 0: none, or not known. */
	struct pv_range otp;
	uint32_t otp_write_unit; /* bytes */

	struct pv_flash_times times;

	/* USART bootloader: empty when not sourced */
	size_t n_opcodes;
	uint8_t opcodes[32];
	size_t n_usart_quirks;
	char usart_quirks[PV_CHIP_QUIRKS][32];

	/* USB DFU */
	uint32_t dfu_transfer_size; /* bytes; 0 unknown */
	size_t n_dfu_quirks;
	char dfu_quirks[PV_CHIP_QUIRKS][32];

	/* Secure firmware install; n_product_ids 0 when none is public */
	size_t n_product_ids;
	char product_ids[PV_CHIP_IDS][9];

	bool has_rom; /* of an mpu; `rom` is filled in */
	struct pv_chip_rom rom;

	uint32_t sfi_ram_size; /* bytes; 0 unknown */
};

/*
 * Load one description by name (any case, with or without "stm32" as in
 * "H563"), or by path when the name has a '/' or ends in ".json". `dirs` is a
 * NULL-terminated list of folders to look in, first hit wins. Not found is
 * PV_E_UNKNOWN_CHIP, with a hint how to add a chip. Caller frees.
 */
PV_MUST_USE int pv_chip_load(const char *const *dirs, const char *name,
    struct pv_chip **ret_chip, struct pv_error *e);

/*
 * The description of a bootloader product id (12 bits). When several share
 * the id the one whose file says "default_for_id" wins.
 */
PV_MUST_USE int pv_chip_load_id(const char *const *dirs, uint32_t device_id,
    struct pv_chip **ret_chip, struct pv_error *e);

void pv_chip_free(struct pv_chip *chip);

/* Call `each` for every description, in name order; stops at nonzero. */
PV_MUST_USE int pv_chip_list(const char *const *dirs,
    int (*each)(void *ctx, const struct pv_chip *chip), void *ctx,
    struct pv_error *e);

/*
 * Is [addr, addr + len) inside flash? Aliases count. On success
 * *ret_physical (may be NULL) is the address inside a bank.
 */
bool pv_chip_in_flash(const struct pv_chip *chip, uint64_t addr, uint64_t len,
    uint32_t *ret_physical);
bool pv_chip_in_ram(const struct pv_chip *chip, uint64_t addr, uint64_t len);

/*
 * Sector that holds a flash address (aliases allowed): its base address,
 * size, and number counted over all banks as the bootloader's erase command
 * counts them. False when the address is not flash.
 */
struct pv_sector {
	uint32_t base;
	uint32_t size;
	uint32_t number;
};
bool pv_chip_sector(
    const struct pv_chip *chip, uint64_t addr, struct pv_sector *ret_sector);
/* Total number of sectors. */
uint32_t pv_chip_sectors(const struct pv_chip *chip);
/* First flash address. */
uint32_t pv_chip_flash_base(const struct pv_chip *chip);

#ifdef __cplusplus
}
#endif
#endif
