/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are sent to an STM32MP, and what can be known of them before. */
#include <provisor/mpu_push.h>

#include "base/buf.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "formats/stm32_image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIP_NAME  0xaa640001U /* TF-A: TOC_HEADER_NAME */
#define IMAGE_MAX (64U << 20) /* bytes of an image that a ROM starts */

struct pv_mpu_file {
	int fd;
	struct pv_mpu_source src;
	char path[];
};

static int
file_read(
    void *ctx, uint64_t off, uint8_t *data, size_t len, struct pv_error *e)
{
	struct pv_mpu_file *f = ctx;

	return pv_pread_exact(f->fd, f->path, data, len, off, e);
}

int
pv_mpu_file_open(
    const char *path, struct pv_mpu_file **ret_f, struct pv_error *e)
{
	size_t n = strlen(path) + 1;
	struct pv_mpu_file *f = malloc(sizeof(*f) + n);
	struct stat st;
	int r = 0;

	if (f == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memcpy(f->path, path, n);
	/* A FIFO, which is refused below, would wait for its writer. */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd < 0)
		r = pv_fail_errno(e, errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO,
		    errno, "opening '%s'", path);
	else if (fstat(f->fd, &st) != 0)
		r = pv_fail_errno(e, PV_E_IO, errno, "'%s'", path);
	else if (!S_ISREG(st.st_mode))
		r = pv_fail(e, PV_E_MALFORMED, "'%s' is not a file", path);
	else if (st.st_size == 0)
		r = pv_fail(e, PV_E_MALFORMED, "'%s' is empty", path);
	if (r != 0) {
		pv_mpu_file_close(f);
		return r;
	}
	f->src = (struct pv_mpu_source){
		.ctx = f, .size = (uint64_t)st.st_size, .read = file_read
	};
	*ret_f = f;
	return 0;
}

void
pv_mpu_file_close(struct pv_mpu_file *f)
{
	if (f == NULL)
		return;
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f);
}

const struct pv_mpu_source *
pv_mpu_file_source(const struct pv_mpu_file *f)
{
	return &f->src;
}

int
pv_mpu_file_fip(const struct pv_mpu_file *f, struct pv_error *e)
{
	uint8_t b[8];
	int r;

	if (f->src.size < 16)
		return pv_fail(
		    e, PV_E_MALFORMED, "'%s' is too short for a FIP", f->path);
	r = f->src.read(f->src.ctx, 0, b, sizeof(b), e);
	if (r != 0)
		return r;
	if (pv_get_u32le(b) != FIP_NAME || pv_get_u32le(b + 4) == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' does not begin like a FIP (0xaa640001, serial)",
		    f->path);
	return 0;
}

/* --- STM32 images ---------------------------------------------------------------- */

static int
check_version(
    uint16_t chip, const struct pv_stm32_header *h, struct pv_error *e)
{
	uint32_t want = chip == PV_MPU_MP15   ? PV_STM32_V1_0
			: chip == PV_MPU_MP13 ? PV_STM32_V2_0
					      : h->version;

	if (h->version == want)
		return 0;
	return pv_fail(e, PV_E_VERIFY,
	    "its header is %s, the chip 0x%03x takes %s",
	    pv_stm32_version_name(h->version), chip,
	    pv_stm32_version_name(want));
}

/* The table of key hashes must have the key that signs. */
static int
check_table(const struct pv_stm32_header *h, struct pv_mpu_image *im,
    struct pv_error *e)
{
	uint8_t algorithm[4], hash[PV_SHA256_LEN];
	struct pv_part key[] = { { algorithm, 4 }, { h->public_key, 64 } };
	struct pv_part table = { h->key_hashes, (size_t)h->key_count * 32 };
	int r;

	pv_put_u32le(algorithm, h->algorithm);
	r = pv_sha256(key, 2, hash, e);
	if (r == 0 && !pv_ct_equal(hash, h->key_hashes[h->key_index], 32))
		r = pv_fail(e, PV_E_VERIFY,
		    "its key is not entry %u of its key table", h->key_index);
	return r != 0 ? r : pv_sha256(&table, 1, im->root, e);
}

static int
check_signature(const uint8_t *data, size_t len,
    const struct pv_stm32_header *h, struct pv_mpu_image *im,
    struct pv_error *e)
{
	uint32_t head = pv_stm32_header_len(h);
	struct pv_stm32_range range[2];
	struct pv_part parts[3];
	uint8_t digest[PV_SHA256_LEN];
	int r = 0;

	im->is_signed = pv_stm32_is_signed(h);
	if (!im->is_signed)
		return 0;
	if (h->version == PV_STM32_V1_0)
		memcpy(im->root, h->public_key, 64);
	else
		r = check_table(h, im, e);
	/* brainpoolP256t1 has no verifier here. */
	if (r != 0 || h->algorithm != PV_STM32_P256)
		return r;
	pv_stm32_signed_ranges(h, range);
	parts[0] = (struct pv_part){ data + range[0].start, range[0].len };
	parts[1] = (struct pv_part){ data + range[1].start, range[1].len };
	parts[2] = (struct pv_part){ data + head, len - head };
	r = pv_sha256(parts, 3, digest, e);
	if (r == 0)
		r = pv_ecdsa_verify(h->public_key, digest, h->signature, e);
	im->verified = r == 0;
	return r;
}

static int
check_image(const uint8_t *data, size_t len, uint16_t chip,
    struct pv_mpu_image *im, struct pv_error *e)
{
	struct pv_stm32_header h = { 0 };
	uint32_t head;
	int r;

	r = pv_stm32_decode(data, len, &h, e);
	if (r == 0)
		r = pv_stm32_validate(&h, len, e);
	if (r == 0)
		r = check_version(chip, &h, e);
	if (r != 0)
		return r;
	head = pv_stm32_header_len(&h);
	if (pv_stm32_checksum(0, data + head, len - head) != h.checksum)
		return pv_fail(e, PV_E_MALFORMED,
		    "its checksum is not that of the payload");
	im->image_version = h.image_version;
	return check_signature(data, len, &h, im, e);
}

int
pv_mpu_file_image(const struct pv_mpu_file *f, uint16_t chip,
    struct pv_mpu_image *ret_image, struct pv_error *e)
{
	struct pv_mpu_image im = { 0 };
	size_t len = (size_t)f->src.size;
	uint8_t *data;
	int r;

	if (f->src.size > IMAGE_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' is too large for an image: %" PRIu64 " bytes",
		    f->path, f->src.size);
	data = malloc(len);
	if (data == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = f->src.read(f->src.ctx, 0, data, len, e);
	if (r == 0)
		r = check_image(data, len, chip, &im, e);
	free(data);
	if (r != 0)
		return pv_wrap(e, "image '%s'", f->path);
	*ret_image = im;
	return 0;
}
