/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/ssp.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	enum pv_ssp_chip chip;
	const char *name;
	const char *product; /* the first characters of its product ids */
	size_t len, root;
} chips[] = {
	{ PV_SSP_MP15, "stm32mp15", "500", PV_SSP_MP15_LEN, 64 },
	{ PV_SSP_MP13, "stm32mp13", "501", PV_SSP_MP13_LEN, 32 },
};
#define N_CHIPS (sizeof(chips) / sizeof(chips[0]))

static size_t
row(enum pv_ssp_chip chip)
{
	return chip == PV_SSP_MP13 ? 1 : 0;
}

size_t
pv_ssp_len(enum pv_ssp_chip chip)
{
	return chips[row(chip)].len;
}

size_t
pv_ssp_root_len(enum pv_ssp_chip chip)
{
	return chips[row(chip)].root;
}

size_t
pv_ssp_header_len(enum pv_ssp_chip chip)
{
	/* Magic, version and size around the root. */
	return 8 + chips[row(chip)].root + 4;
}

size_t
pv_ssp_blob_len(enum pv_ssp_chip chip)
{
	return PV_SSP_LICENSE_LEN + chips[row(chip)].len;
}

const char *
pv_ssp_chip_name(enum pv_ssp_chip chip)
{
	return chips[row(chip)].name;
}

int
pv_ssp_chip_parse(
    const char *text, enum pv_ssp_chip *ret_chip, struct pv_error *e)
{
	for (size_t i = 0; i < N_CHIPS; i++) {
		if (strncmp(text, chips[i].name, strlen(chips[i].name)) == 0) {
			*ret_chip = chips[i].chip;
			return 0;
		}
	}
	return pv_fail(e, PV_E_USAGE,
	    "chip '%s': secrets are sealed for stm32mp15 or stm32mp13", text);
}

bool
pv_ssp_chip_of_product(const char *product_id, enum pv_ssp_chip *ret_chip)
{
	for (size_t i = 0; i < N_CHIPS; i++) {
		if (strncmp(product_id, chips[i].product, 3) == 0) {
			*ret_chip = chips[i].chip;
			return true;
		}
	}
	return false;
}

/* --- the file --------------------------------------------------------------- */

bool
pv_ssp_is(const uint8_t *data, size_t len)
{
	return len >= 4 && memcmp(data, PV_SSP_MAGIC, 4) == 0;
}

int
pv_ssp_validate(const struct pv_ssp *ssp, struct pv_error *e)
{
	if (ssp->chip != PV_SSP_MP15 && ssp->chip != PV_SSP_MP13)
		return pv_fail(e, PV_E_INTERNAL, "SSP package: no chip");
	/* ssp.md, section 4: what each limit guards against. */
	if (ssp->size % 4 != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "SSP package: %u bytes of secrets, not a multiple of 4",
		    (unsigned int)ssp->size);
	if (ssp->size < PV_SSP_PLAIN_MIN || ssp->size > PV_SSP_PLAIN_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "SSP package: %u bytes of secrets with the RMA word, "
		    "%u to %u are possible",
		    (unsigned int)ssp->size, PV_SSP_PLAIN_MIN,
		    PV_SSP_PLAIN_MAX);
	for (size_t i = ssp->size; i < PV_SSP_PLAIN_MAX; i++)
		if (ssp->encrypted[i] != 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "SSP package: byte %zu behind the secrets is "
			    "0x%02x, not 0",
			    i - ssp->size, (unsigned int)ssp->encrypted[i]);
	return 0;
}

static int
chip_of_length(size_t len, enum pv_ssp_chip *ret_chip, struct pv_error *e)
{
	for (size_t i = 0; i < N_CHIPS; i++) {
		if (len == chips[i].len) {
			*ret_chip = chips[i].chip;
			return 0;
		}
	}
	return pv_fail(e, PV_E_MALFORMED,
	    "SSP package: %zu bytes, a file has %u (stm32mp15) or %u "
	    "(stm32mp13)",
	    len, PV_SSP_MP15_LEN, PV_SSP_MP13_LEN);
}

/* ssp.md, section 1 */
int
pv_ssp_decode(
    const uint8_t *data, size_t len, struct pv_ssp *ret_ssp, struct pv_error *e)
{
	struct pv_ssp s = { 0 };
	struct pv_reader r;
	uint32_t version;
	int ret;

	if (!pv_ssp_is(data, len))
		return pv_fail(e, PV_E_MALFORMED,
		    "not an SSP package: it does not start with %s",
		    PV_SSP_MAGIC);
	ret = chip_of_length(len, &s.chip, e);
	if (ret != 0)
		return ret;
	pv_rd_init(&r, data, len);
	pv_rd_skip(&r, 4);
	version = pv_rd_u32le(&r);
	pv_rd_bytes(&r, s.root, pv_ssp_root_len(s.chip));
	s.size = pv_rd_u32le(&r);
	pv_rd_bytes(&r, s.tag, sizeof(s.tag));
	pv_rd_bytes(&r, s.encrypted, sizeof(s.encrypted));
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_INTERNAL, "SSP package layout");
	if (version != PV_SSP_VERSION)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "SSP package: protocol version %u, this program knows %u",
		    (unsigned int)version, PV_SSP_VERSION);
	ret = pv_ssp_validate(&s, e);
	if (ret == 0)
		*ret_ssp = s;
	return ret;
}

static void
write_header(struct pv_writer *w, const struct pv_ssp *ssp)
{
	pv_wr_bytes(w, PV_SSP_MAGIC, 4);
	pv_wr_u32le(w, PV_SSP_VERSION);
	pv_wr_bytes(w, ssp->root, pv_ssp_root_len(ssp->chip));
	pv_wr_u32le(w, ssp->size);
}

int
pv_ssp_encode_header(const struct pv_ssp *ssp,
    uint8_t ret_data[PV_SSP_HEADER_MAX], struct pv_error *e)
{
	struct pv_writer w;
	int ret = pv_ssp_validate(ssp, e);

	if (ret != 0)
		return ret;
	pv_wr_init(&w, ret_data, PV_SSP_HEADER_MAX);
	write_header(&w, ssp);
	return 0;
}

int
pv_ssp_encode(const struct pv_ssp *ssp, uint8_t ret_data[PV_SSP_MAX],
    size_t *ret_len, struct pv_error *e)
{
	struct pv_writer w;
	int ret = pv_ssp_validate(ssp, e);

	if (ret != 0)
		return ret;
	pv_wr_init(&w, ret_data, PV_SSP_MAX);
	write_header(&w, ssp);
	pv_wr_bytes(&w, ssp->tag, sizeof(ssp->tag));
	pv_wr_bytes(&w, ssp->encrypted, sizeof(ssp->encrypted));
	*ret_len = w.len;
	return 0;
}

int
pv_ssp_read(const char *path, struct pv_ssp *ret_ssp,
    uint8_t ret_data[PV_SSP_MAX], struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t len = 0;
	/* A longer file gets this format's own words. */
	int ret = pv_file_read(path, 65536, &data, &len, e);

	if (ret == 0) {
		ret = pv_ssp_decode(data, len, ret_ssp, e);
		if (ret != 0)
			(void)pv_wrap(e, "'%s'", path);
	}
	if (ret == 0 && ret_data != NULL)
		memcpy(ret_data, data, len);
	free(data);
	return ret;
}

/* --- the RMA word -------------------------------------------------------------- */

int
pv_ssp_rma_encode(uint32_t unlock, uint32_t relock, bool unlock_high,
    uint32_t *ret_word, struct pv_error *e)
{
	uint32_t low = unlock_high ? relock : unlock;
	uint32_t high = unlock_high ? unlock : relock;

	if (unlock > PV_SSP_RMA_MAX || relock > PV_SSP_RMA_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "the RMA %s password has more than 15 bits (0 to 0x7fff)",
		    unlock > PV_SSP_RMA_MAX ? "unlock" : "relock");
	if (unlock == relock)
		return pv_fail(e, PV_E_RANGE,
		    "the RMA passwords for unlock and relock are the same");
	*ret_word = high << 15 | low;
	return 0;
}

int
pv_ssp_rma_decode(uint32_t word, bool unlock_high, uint32_t *ret_unlock,
    uint32_t *ret_relock, struct pv_error *e)
{
	uint32_t low = word & PV_SSP_RMA_MAX, high = word >> 15;

	if (high > PV_SSP_RMA_MAX)
		return pv_fail(e, PV_E_MALFORMED,
		    "the RMA word has more than two passwords of 15 bits");
	*ret_unlock = unlock_high ? high : low;
	*ret_relock = unlock_high ? low : high;
	return 0;
}
