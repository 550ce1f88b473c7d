/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an STM32MP shows of itself on USB. Alternate settings of the ROM and
 * TF-A: stm32mp1_usb_dfu.c; of U-Boot: stm32prog.c, dfu_init_entities.
 */
#include "device/mpu_usb.h"

#include <string.h>

#define VENDOR_ID   0x0483U
#define PRODUCT_ID  0xdf11U
#define ATTRIBUTES  0x0fU /* download, upload, manifestation tolerant, detach */
#define DFU_VERSION 0x0110U
#define DETACH_MS   255U
#define CMD_SIZE    512U
#define PMIC_SIZE   8U

struct fixed {
	uint8_t id;
	const char *text;
};

/* TF-A on MP15 keeps the enumeration of the ROM. */
static const struct fixed mp15[] = {
	{ 0x00, "@Partition0 /0x00/1*256Ke" },
	{ 0x01, "@FSBL /0x01/1*1Me" },
	{ 0x02, "@Partition2 /0x02/1*1Me" },
	{ 0x03, "@Partition3 /0x03/1*16Me" },
	{ 0x04, "@Partition4 /0x04/1*16Me" },
	{ PV_MP_CMD, "@virtual /0xF1/1*512Ba" },
};
/* Only that the FSBL is number 0 is known of this one. */
static const struct fixed mp13_rom[] = {
	{ 0x01, "@FSBL /0x01/1*1Me" },
	{ PV_MP_CMD, "@virtual /0xF1/1*512Ba" },
};
static const struct fixed mp13_ssp[] = {
	{ PV_MP_SSP, "@SSP /0xF3/1*512Ba" },
	{ PV_MP_CMD, "@virtual /0xF1/1*512Ba" },
};
static const struct fixed mp13_tfa[] = {
	{ PV_MP_SSBL, "@SSBL /0x03/1*16Me" },
	{ PV_MP_CMD, "@virtual /0xF1/1*512Ba" },
};

static const struct fixed *
fixed_list(const struct pv_mp *m, size_t *ret_n)
{
	if (!m->config->chip.key_table) {
		*ret_n = sizeof mp15 / sizeof mp15[0];
		return mp15;
	}
	*ret_n = 2;
	if (m->stage == PV_MP_TFA_SSP)
		return mp13_ssp;
	return m->stage == PV_MP_TFA ? mp13_tfa : mp13_rom;
}

/* --- U-Boot ------------------------------------------------------------------- */

/* "@NAME/0xID/1*SIZEUF" */
static void
part_text(
    struct pv_mp_alt *a, const char *name, uint64_t size, char flag, bool space)
{
	static const char hex[] = "0123456789abcdef";
	char text[PV_MP_TEXT] = "@", unit = 'B';
	char id[5] = { '0', 'x', hex[a->id >> 4], hex[a->id & 15], '\0' };
	char tail[4] = { 0 };

	if (size > 1U << 20) {
		size >>= 20;
		unit = 'M';
	} else if (size > 1U << 10) {
		size >>= 10;
		unit = 'K';
	}
	tail[0] = unit;
	tail[1] = flag;
	tail[2] = space ? ' ' : '\0';
	pv_mp_text(text, name);
	pv_mp_text(text, "/");
	pv_mp_text(text, id);
	pv_mp_text(text, "/1*");
	pv_mp_text_number(text, (uint32_t)size, 10);
	pv_mp_text(text, tail);
	memcpy(a->text, text, sizeof a->text - 1);
	a->text[sizeof a->text - 1] = '\0';
}

static bool
uboot_virtual(const struct pv_mp *m, size_t i, struct pv_mp_alt *a)
{
	switch (i) {
	case 0:
		a->id = PV_MP_CMD;
		part_text(a, "virtual", CMD_SIZE, 'e', false);
		return true;
	case 1:
		a->id = PV_MP_OTP;
		part_text(a, "OTP", pv_mp_otp_size(m), 'e', false);
		return true;
	case 2:
		a->id = PV_MP_PMIC;
		part_text(a, "PMIC", PMIC_SIZE, 'e', false);
		return true;
	default:
		return false;
	}
}

/* One for each partition that is stored somewhere, by id. */
static bool
uboot_alt(const struct pv_mp *m, size_t i, struct pv_mp_alt *a)
{
	size_t n = 0;

	if (!m->uboot.ready) {
		if (i > 0)
			return uboot_virtual(m, i - 1, a);
		a->id = PV_MP_LAYOUT;
		memcpy(a->text, "@FlashLayout/0x00/1*256Ke", 26);
		return true;
	}
	for (unsigned int id = 1; id <= PV_MP_LAST_USER; id++) {
		const struct pv_mp_part *p = pv_mp_uboot_part(m, (uint8_t)id);

		if (p == NULL || n++ != i)
			continue;
		a->id = p->id;
		part_text(a, p->name, p->size,
		    p->selected && !p->empty ? 'e' : 'a', true);
		return true;
	}
	return uboot_virtual(m, i - n, a);
}

bool
pv_mp_usb_alt(const struct pv_mp *m, size_t i, struct pv_mp_alt *a)
{
	const struct fixed *list;
	size_t n;

	memset(a, 0, sizeof *a);
	if (m->stage == PV_MP_UBOOT)
		return uboot_alt(m, i, a);
	list = fixed_list(m, &n);
	if (i >= n)
		return false;
	a->id = list[i].id;
	memcpy(a->text, list[i].text, strlen(list[i].text) + 1);
	return true;
}

/* --- descriptors ----------------------------------------------------------------- */

static const char *
product(const struct pv_mp *m)
{
	bool mp13 = m->config->chip.key_table;

	if (m->stage == PV_MP_UBOOT)
		return mp13 ? "USB download gadget@Device ID /0x501, "
			      "@Revision ID /0x1003, @Name /STM32MP135F Rev.Y,"
			    : "USB download gadget@Device ID /0x500, "
			      "@Revision ID /0x2001, @Name /STM32MP157C Rev.Z,";
	/* On MP15 TF-A keeps the ROM's. */
	if (!mp13)
		return "DFU in HS Mode @Device ID /0x500, @Revision ID "
		       "/0x0000, @Name /STM32MP15,";
	return m->stage == PV_MP_ROM
		   ? "DFU in HS Mode @Device ID /0x501, @Revision ID /0x1003,"
		   : "DFU @Device ID /0x501, @Revision ID /0x1003, @Name "
		     "/STM32MP135F Rev.Y,";
}

static const char *
text(const void *ctx, unsigned int index, char room[PV_DD_TEXT])
{
	const struct pv_mp *m = ctx;
	struct pv_mp_alt a;

	switch (index) {
	case PV_USB_STR_VENDOR:
		return "STMicroelectronics";
	case PV_USB_STR_PRODUCT:
		return product(m);
	case PV_USB_STR_SERIAL:
		return m->config->serial;
	default:
		if (index < PV_USB_STR_ALTS ||
		    !pv_mp_usb_alt(m, index - PV_USB_STR_ALTS, &a))
			return NULL;
		memcpy(room, a.text, sizeof a.text);
		return room;
	}
}

void
pv_mp_usb_face(struct pv_mp *m, struct pv_usb_face *f)
{
	struct pv_mp_alt a;

	*f = (struct pv_usb_face){
		.vendor = VENDOR_ID,
		.product = PRODUCT_ID,
		.device = 0x0200,
		.transfer_size = PV_MP_USB_BLOCK,
		.detach_ms = DETACH_MS,
		.dfu_version = DFU_VERSION,
		.attributes = ATTRIBUTES,
		.ctx = m,
		.text = text,
	};
	while (pv_mp_usb_alt(m, f->n_alts, &a))
		f->n_alts++;
}
