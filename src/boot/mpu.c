/* SPDX-License-Identifier: Apache-2.0 */
/* What the two kinds of STM32MP session share (formats/mpu-boot.md). */
#include "boot/mpu.h"

#include "base/buf.h"
#include "base/hex.h"
#include "base/log.h"

#include <string.h>

#define OP_READ_MEMORY	  0x11
#define OP_READ_PARTITION 0x12

/* Sizes of the OTP structure by version, formats/otp_partition.md. */
#define OTP_V1 1024U
#define OTP_V2 776U
#define OTP_V3 2952U

#define OTP_TRIES 4U

const char *
pv_mpu_stage_text(enum pv_mpu_stage stage)
{
	switch (stage) {
	case PV_MPU_STAGE_ROM:
		return "ROM";
	case PV_MPU_STAGE_TFA:
		return "TF-A";
	case PV_MPU_STAGE_TFA_SSP:
		return "TF-A SSP";
	case PV_MPU_STAGE_UBOOT:
		return "U-Boot";
	default:
		return "unknown stage";
	}
}

void
pv_mpu_release(struct pv_mpu *m)
{
	if (m->free != NULL)
		m->free(m->ctx);
	memset(m, 0, sizeof(*m));
}

static int
memory_read(
    void *ctx, uint64_t off, uint8_t *data, size_t len, struct pv_error *e)
{
	(void)e;
	memcpy(data, (const uint8_t *)ctx + off, len);
	return 0;
}

void
pv_mpu_memory(const void *data, size_t len, struct pv_mpu_source *ret_s)
{
	union {
		const void *in;
		void *out;
	} p = { .in = data }; /* only read from */

	*ret_s = (struct pv_mpu_source){
		.ctx = p.out, .size = len, .read = memory_read
	};
}

void
pv_mpu_text(char dst[PV_MPU_TEXT], const uint8_t *data, size_t len)
{
	char text[PV_MPU_TEXT];
	size_t n = len < sizeof(text) - 1 ? len : sizeof(text) - 1;

	memcpy(text, data, n);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r' ||
			    text[n - 1] == '\0'))
		n--;
	text[n] = '\0';
	pv_mask(dst, PV_MPU_TEXT, text);
}

bool
pv_mpu_alt_id(const char *text, uint8_t *ret_id)
{
	const char *from = strchr(text, '/'), *to;
	char number[8];
	uint64_t id = 0;
	struct pv_error e = { 0 };

	if (from == NULL || (to = strchr(from + 1, '/')) == NULL)
		return false;
	from++;
	if (to - from < 3 || (size_t)(to - from) >= sizeof(number) ||
	    from[0] != '0' || (from[1] != 'x' && from[1] != 'X'))
		return false;
	memcpy(number, from, (size_t)(to - from));
	number[to - from] = '\0';
	number[1] = 'x';
	if (pv_parse_u64(number, 0xff, "id", &id, &e) != 0)
		return false;
	*ret_id = (uint8_t)id;
	return true;
}

const struct pv_mpu_alternate *
pv_mpu_find(const struct pv_mpu_info *info, uint8_t id)
{
	for (size_t i = 0; i < info->n_alternates; i++)
		if (info->alternates[i].known && info->alternates[i].id == id)
			return &info->alternates[i];
	return NULL;
}

static bool
has_op(const struct pv_mpu_info *info, int op)
{
	return memchr(info->opcodes, op, info->n_opcodes) != NULL;
}

/*
 * The lists of commands tell the stages on a line apart. On USB a TF-A keeps
 * the ROM's enumeration on MP15, so that only the phase tells: an SSP stage
 * there says phase 0 in 9 bytes where U-Boot uses 10.
 */
enum pv_mpu_stage
pv_mpu_stage_of(const struct pv_mpu_info *info, uint8_t phase, size_t len)
{
	bool uboot = info->usb
			 ? pv_mpu_find(info, PV_MPU_OTP) != NULL ||
			       strncmp(info->product, "USB download", 12) == 0
			 : has_op(info, OP_READ_MEMORY);

	if (uboot)
		return PV_MPU_STAGE_UBOOT;
	if (phase == PV_MPU_FSBL)
		return PV_MPU_STAGE_ROM;
	if (phase == PV_MPU_DDR || phase == PV_MPU_SSBL)
		return PV_MPU_STAGE_TFA;
	if (phase == PV_MPU_SSP ||
	    (!info->usb && has_op(info, OP_READ_PARTITION)) ||
	    (info->usb && (pv_mpu_find(info, PV_MPU_SSP) != NULL ||
			      (phase == PV_MPU_LAYOUT && len == 9))))
		return PV_MPU_STAGE_TFA_SSP;
	return PV_MPU_STAGE_UNKNOWN;
}

/*
 * On a line a read past the end is an abort, so the first words say how much
 * there is.
 */
static int
read_otp(
    const struct pv_mpu *m, uint8_t *data, size_t *ret_len, struct pv_error *e)
{
	size_t n = 0, want;
	int r;

	r = m->read(m->ctx, PV_MPU_OTP, data, 8, &n, e);
	if (r != 0)
		return r;
	switch (pv_get_u32le(data)) {
	case 1:
		want = OTP_V1;
		break;
	case 2:
		want = OTP_V2;
		break;
	case 3:
		want = OTP_V3;
		break;
	default:
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "the device has an OTP structure of version %u; 1 to 3 "
		    "are known",
		    (unsigned int)pv_get_u32le(data));
	}
	return m->read(m->ctx, PV_MPU_OTP, data, want, ret_len, e);
}

/* What travels back over a line has no checksum: it must read twice alike. */
int
pv_mpu_read_otp(
    const struct pv_mpu *m, uint8_t *data, size_t *ret_len, struct pv_error *e)
{
	uint8_t again[PV_MPU_OTP_MAX];
	size_t n = 0;
	int r;

	if (m->info(m->ctx)->usb)
		return m->read(
		    m->ctx, PV_MPU_OTP, data, PV_MPU_OTP_MAX, ret_len, e);
	for (unsigned int i = 0; i < OTP_TRIES; i++) {
		r = read_otp(m, data, ret_len, e);
		if (r == 0)
			r = read_otp(m, again, &n, e);
		if (r != 0)
			return r;
		if (n == *ret_len && memcmp(data, again, n) == 0)
			return 0;
	}
	return pv_fail(
	    e, PV_E_DEVICE, "the OTP words read differently each time");
}
