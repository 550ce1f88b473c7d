/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a chip description says of boot programs and of secure install:
 * "usart", "dfu", "sfi", "rom".
 */
#include "chip/chip_json.h"

#include "base/json.h"

#include <ctype.h>
#include <string.h>

static const char *const usart_members[] = { "version", "opcodes", "quirks",
	NULL };
static const char *const dfu_members[] = { "transfer_size", "quirks", NULL };
static const char *const sfi_members[] = { "product_ids", "ram_size", NULL };
static const char *const rom_members[] = { "load_address", "load_size",
	"image_header", "ssp_word", "ssp_request", "ssp_success", "open_value",
	"closed", "rma_mask", "key_table", "product_ids", NULL };

/* Names only: what they mean is the business of those who act on them. */
static int
parse_quirks(
    const struct pv_json *v, char (*dst)[32], size_t *ret_n, struct pv_error *e)
{
	const struct pv_json *arr;
	size_t n;
	int rc;

	if ((rc = pv_chip_get_array(
		 v, "quirks", PV_CHIP_QUIRKS, &arr, &n, e)) != 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *s = pv_json_text(pv_json_at(arr, i));

		if (s == NULL || s[0] == '\0' || strlen(s) >= sizeof(*dst) ||
		    s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-")] !=
			'\0')
			return pv_fail(e, PV_E_MALFORMED,
			    "quirk %zu is not a name of small letters, digits "
			    "and '-', at most %zu",
			    i + 1, sizeof(*dst) - 1);
		memcpy(dst[i], s, strlen(s) + 1);
	}
	*ret_n = n;
	return 0;
}

static int
parse_usart(const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(root, "usart"), *arr;
	uint32_t version = 0;
	size_t n;
	int rc;

	if (v == NULL)
		return 0;
	if ((rc = pv_chip_only(v, "'usart'", usart_members, e)) != 0)
		return rc;
	if ((rc = pv_chip_opt_u32(v, "usart", "version", 0xff, &version, e)) !=
	    0)
		return rc;
	c->boot_version = (uint8_t)version;
	rc = pv_chip_get_array(v, "opcodes", sizeof(c->opcodes), &arr, &n, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		uint64_t op;

		rc = pv_json_value_u64(pv_json_at(arr, i), 0xff, &op, e);
		if (rc != 0)
			return pv_wrap(e, "opcode %zu", i + 1);
		for (size_t k = 0; k < i; k++)
			if (c->opcodes[k] == op)
				return pv_fail(e, PV_E_MALFORMED,
				    "opcode 0x%02x is given twice",
				    (unsigned int)op);
		c->opcodes[i] = (uint8_t)op;
	}
	c->n_opcodes = n;
	return parse_quirks(v, c->usart_quirks, &c->n_usart_quirks, e);
}

static int
parse_dfu(const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(root, "dfu");
	int rc;

	if (v == NULL)
		return 0;
	if ((rc = pv_chip_only(v, "'dfu'", dfu_members, e)) != 0)
		return rc;
	rc = pv_chip_opt_u32(
	    v, "dfu", "transfer_size", 0xffff, &c->dfu_transfer_size, e);
	if (rc != 0)
		return rc;
	return parse_quirks(v, c->dfu_quirks, &c->n_dfu_quirks, e);
}

static int
parse_product_ids(
    const struct pv_json *obj, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *arr;
	size_t n;
	int rc;

	rc = pv_chip_get_array(obj, "product_ids", PV_CHIP_IDS, &arr, &n, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const char *s = pv_json_text(pv_json_at(arr, i));
		size_t k = 0;

		while (s != NULL && isalnum((unsigned char)s[k]))
			k++;
		if (k != 8 || s[k] != '\0')
			return pv_fail(e, PV_E_MALFORMED,
			    "product id %zu is not 8 letters or digits", i + 1);
		memcpy(c->product_ids[i], s, 9);
	}
	c->n_product_ids = n;
	return 0;
}

/* Secret provisioning, of an STM32MP. */
static int
parse_rom(const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(root, "rom");
	struct pv_chip_rom *m = &c->rom;
	uint32_t header = 0, word = 0;
	struct {
		const char *name;
		uint32_t max, *value;
	} numbers[] = {
		{ "load_address", UINT32_MAX, &m->load_address },
		{ "load_size", 1U << 24, &m->load_size },
		{ "image_header", 2, &header },
		{ "ssp_word", 31, &word },
		{ "ssp_request", UINT32_MAX, &m->ssp_request },
		{ "ssp_success", UINT32_MAX, &m->ssp_success },
		{ "open_value", UINT32_MAX, &m->open_value },
		{ "closed", UINT32_MAX, &m->closed },
		{ "rma_mask", UINT32_MAX, &m->rma_mask },
	};
	int rc;

	if (v == NULL)
		return 0;
	if ((rc = pv_chip_only(v, "'rom'", rom_members, e)) != 0)
		return rc;
	if (!c->mpu)
		return pv_fail(e, PV_E_MALFORMED, "'rom' is for an 'mpu' only");
	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		if ((rc = pv_chip_get_u32(v, "rom", numbers[i].name,
			 numbers[i].max, numbers[i].value, e)) != 0)
			return rc;
	if (header == 0 || m->closed == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "rom: 'image_header' and 'closed' are not zero");
	m->image_header = (uint8_t)header;
	m->ssp_word = (uint8_t)word;
	if ((rc = pv_json_opt_bool(v, "key_table", &m->key_table, e)) != 0)
		return rc;
	c->has_rom = true;
	return parse_product_ids(v, c, e);
}

static int
parse_sfi(const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(root, "sfi");
	int rc;

	if (v == NULL)
		return 0;
	if ((rc = pv_chip_only(v, "'sfi'", sfi_members, e)) != 0)
		return rc;
	c->sfi = true;
	rc = pv_chip_opt_u32(
	    v, "sfi", "ram_size", UINT32_MAX, &c->sfi_ram_size, e);
	if (rc != 0)
		return rc;
	return parse_product_ids(v, c, e);
}

int
pv_chip_parse_boot(
    const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	int rc;

	if ((rc = parse_usart(root, c, e)) != 0)
		return rc;
	if ((rc = parse_dfu(root, c, e)) != 0)
		return rc;
	if ((rc = parse_sfi(root, c, e)) != 0)
		return rc;
	return parse_rom(root, c, e);
}
