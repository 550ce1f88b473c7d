/* SPDX-License-Identifier: Apache-2.0 */
/* STM32 boot images, and firmware that becomes one; what verifies. */
#include "image/stm32.h"

#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ec.h"
#include "image/mcuboot.h"
#include <provisor/image.h>
#include <provisor/secret.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX (PV_STM32_PAYLOAD_MAX + PV_STM32_HEADER_MAX)

void
pv_stm32_release(struct pv_stm32_image *m)
{
	if (m->payload != NULL)
		pv_wipe(m->payload, m->len);
	free(m->payload);
	free(m->padding);
	memset(m, 0, sizeof(*m));
}

/* The filler outlives the file's bytes. */
static int
keep_padding(struct pv_stm32_image *m, struct pv_error *e)
{
	if (m->h.padding_len == 0)
		return 0;
	m->padding = malloc(m->h.padding_len);
	if (m->padding == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memcpy(m->padding, m->h.padding, m->h.padding_len);
	m->h.padding = m->padding;
	return 0;
}

static int
from_bytes(const uint8_t *data, size_t len, struct pv_stm32_image *m,
    struct pv_error *e)
{
	uint32_t head, sum;
	int r = pv_stm32_decode(data, len, &m->h, e);

	if (r == 0)
		r = pv_stm32_validate(&m->h, len, e);
	if (r != 0)
		return r;
	head = pv_stm32_header_len(&m->h);
	m->len = len - head;
	m->payload = malloc(m->len);
	if (m->payload == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	memcpy(m->payload, data + head, m->len);
	m->headed = true;
	r = keep_padding(m, e);
	sum = pv_stm32_checksum(0, m->payload, m->len);
	if (r == 0 && sum != m->h.checksum)
		r = pv_fail(e, PV_E_VERIFY,
		    "the checksum is 0x%08x, the header says 0x%08x", sum,
		    m->h.checksum);
	return r;
}

int
pv_stm32_read(
    const char *path, struct pv_stm32_image *ret_m, struct pv_error *e)
{
	struct pv_stm32_image m = { .payload = NULL };
	uint8_t *data = NULL;
	size_t len = 0;
	int r = pv_file_read(path, FILE_MAX, &data, &len, e);

	if (r != 0)
		return r;
	r = from_bytes(data, len, &m, e);
	pv_wipe(data, len);
	free(data);
	if (r != 0) {
		pv_stm32_release(&m);
		return pv_wrap(e, "'%s'", path);
	}
	*ret_m = m;
	return 0;
}

/* Records joined with zeros, as a loader of a raw file would see them. */
static int
from_firmware(const char *path, struct pv_stm32_image *m,
    struct pv_stm32_source *s, struct pv_error *e)
{
	struct pv_image *img = NULL;
	uint64_t base = 0, size = 0, entry = 0;
	bool records = false;
	int r = pv_mcuboot_load(path, 0, &img, &base, &size, &records, e);

	if (r != 0)
		return r;
	if (size > PV_STM32_PAYLOAD_MAX) {
		r = pv_fail(e, PV_E_RANGE,
		    "'%s' has %llu bytes from the first to the last, more "
		    "than %u",
		    path, (unsigned long long)size, PV_STM32_PAYLOAD_MAX);
		goto out;
	}
	m->len = (size_t)size;
	m->payload = malloc(m->len);
	if (m->payload == NULL) {
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
		goto out;
	}
	r = pv_image_read(img, 0, 0, m->payload, m->len, e);
	s->has_load = records;
	s->load = (uint32_t)base;
	s->has_entry = pv_image_entry(img, &entry);
	s->entry = (uint32_t)entry;
out:
	pv_image_free(img);
	return r;
}

/* Is there a header already? */
static int
begins(const char *path, bool *ret_headed, struct pv_error *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char head[4] = { 0 };

	if (fd < 0)
		return pv_fail_errno(e,
		    errno == ENOENT ? PV_E_NOT_FOUND : PV_E_IO, errno,
		    "opening '%s'", path);
	*ret_headed = pread(fd, head, sizeof(head), 0) == 4 &&
		      memcmp(head, "STM2", 4) == 0;
	(void)close(fd);
	return 0;
}

int
pv_stm32_load(const char *path, struct pv_stm32_image *ret_m,
    struct pv_stm32_source *ret_s, struct pv_error *e)
{
	struct pv_stm32_image m = { .payload = NULL };
	struct pv_stm32_source s = { .has_entry = false };
	bool headed = false;
	int r = begins(path, &headed, e);

	if (r != 0)
		return r;
	if (headed)
		return pv_stm32_read(path, ret_m, e);
	r = from_firmware(path, &m, &s, e);
	if (r != 0) {
		pv_stm32_release(&m);
		return r;
	}
	*ret_m = m;
	*ret_s = s;
	return 0;
}

/* --- verifying ---------------------------------------------------------------------- */

static int
check_table(const struct pv_stm32_header *h, struct pv_error *e)
{
	uint8_t hash[32];
	int r;

	if (h->version == PV_STM32_V1_0)
		return 0;
	r = pv_stm32_key_hash(h->version, h->algorithm, h->public_key, hash, e);
	if (r == 0 &&
	    memcmp(hash, h->key_hashes[h->key_index], sizeof(hash)) != 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "the key is not number %u of the header's table",
		    h->key_index);
	return r;
}

int
pv_stm32_verify(const struct pv_stm32_image *m, struct pv_error *e)
{
	uint8_t head[PV_STM32_HEADER_MAX], digest[32];
	struct pv_part parts[3];
	int r;

	if (!pv_stm32_is_signed(&m->h))
		return pv_fail(e, PV_E_VERIFY,
		    "the image is not signed; a closed device refuses it");
	if (m->h.algorithm != PV_STM32_P256)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "signatures of algorithm %u are not checked here, only "
		    "those of P-256",
		    m->h.algorithm);
	r = pv_ec_check_public(m->h.public_key, e);
	if (r != 0)
		return pv_wrap(e, "the key in the header");
	r = check_table(&m->h, e);
	if (r == 0)
		r = pv_stm32_signed(m, head, parts, digest, e);
	if (r == 0)
		r = pv_ecdsa_verify(m->h.public_key, digest, m->h.signature, e);
	return r;
}
