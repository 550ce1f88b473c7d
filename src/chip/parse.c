/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A chip description from JSON, as share/chips/README.md has it. Unknown
 * members are errors: a misspelt one must not silently mean "not known".
 */
#include "chip/chip_json.h"

#include "base/json.h"

#include <string.h>

/* Largest write unit of any part we know is 32 bytes; 1 KiB leaves room. */
#define WRITE_UNIT_MAX 1024U
#define TIME_MAX_MS    (3600U * 1000U)

static const char *const top_members[] = { "name", "title", "family", "sources",
	"notes", "mpu", "device_id", "default_for_id", "flash", "ram",
	"boot_ram_reserved", "external", "option_bytes", "otp", "usart", "dfu",
	"sfi", "rom", NULL };
static const char *const flash_members[] = { "write_unit", "ecc", "erased",
	"banks", "aliases", "times", NULL };
static const char *const bank_members[] = { "base", "size", "sectors", NULL };
static const char *const sector_members[] = { "count", "size", "erase_typ_ms",
	NULL };
static const char *const range_members[] = { "base", "size", NULL };
static const char *const alias_members[] = { "base", "size", "target", NULL };
static const char *const times_members[] = { "sector_erase_typ_ms",
	"sector_erase_max_ms", "mass_erase_typ_ms", "mass_erase_max_ms",
	"write_unit_typ_us", "write_unit_max_us", NULL };
static const char *const option_members[] = { "base", "size", "words",
	"rdp_offset", NULL };
static const char *const otp_members[] = { "base", "size", "write_unit", NULL };

int
pv_chip_only(const struct pv_json *obj, const char *what,
    const char *const *members, struct pv_error *e)
{
	if (!pv_json_is_object(obj))
		return pv_fail(e, PV_E_MALFORMED, "%s is not an object", what);
	for (size_t i = 0; i < pv_json_count(obj); i++) {
		const char *name = pv_json_name_at(obj, i);
		size_t m = 0;

		while (members[m] != NULL && strcmp(members[m], name) != 0)
			m++;
		if (members[m] == NULL)
			return pv_fail(e, PV_E_MALFORMED,
			    "%s has an unknown member '%s'", what, name);
	}
	return 0;
}

int
pv_chip_get_u32(const struct pv_json *obj, const char *what, const char *name,
    uint32_t max, uint32_t *ret_v, struct pv_error *e)
{
	uint64_t v;

	if (pv_json_u64(obj, name, max, &v, e) != 0)
		return pv_wrap(e, "%s", what);
	*ret_v = (uint32_t)v;
	return 0;
}

int
pv_chip_opt_u32(const struct pv_json *obj, const char *what, const char *name,
    uint32_t max, uint32_t *ret_v, struct pv_error *e)
{
	if (pv_json_get(obj, name) == NULL)
		return 0;
	return pv_chip_get_u32(obj, what, name, max, ret_v, e);
}

static int
get_text(const struct pv_json *obj, const char *name, char *dst, size_t cap,
    struct pv_error *e)
{
	const char *s;
	int rc;

	if ((rc = pv_json_str(obj, name, &s, e)) != 0)
		return rc;
	if (s[0] == '\0' || strlen(s) >= cap)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %zu characters; 1 to %zu are allowed", name,
		    strlen(s), cap - 1);
	for (size_t i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] < ' ' || (unsigned char)s[i] > '~')
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' has a character that is not plain ASCII",
			    name);
	memcpy(dst, s, strlen(s) + 1);
	return 0;
}

/* A range that is not empty and ends inside 32 bits. */
static int
get_range(const struct pv_json *obj, const char *what, uint32_t *ret_base,
    uint32_t *ret_size, struct pv_error *e)
{
	int rc;

	if ((rc = pv_chip_get_u32(
		 obj, what, "base", UINT32_MAX, ret_base, e)) != 0)
		return rc;
	if ((rc = pv_chip_get_u32(
		 obj, what, "size", UINT32_MAX, ret_size, e)) != 0)
		return rc;
	if (*ret_size == 0)
		return pv_fail(e, PV_E_MALFORMED, "%s: size is 0", what);
	if ((uint64_t)*ret_base + *ret_size > (uint64_t)1 << 32)
		return pv_fail(e, PV_E_RANGE,
		    "%s: 0x%x bytes at 0x%08x run past the end of the 32-bit "
		    "address space",
		    what, *ret_size, *ret_base);
	return 0;
}

int
pv_chip_get_array(const struct pv_json *obj, const char *name, size_t max,
    const struct pv_json **ret_arr, size_t *ret_n, struct pv_error *e)
{
	const struct pv_json *arr = pv_json_get(obj, name);

	*ret_arr = arr;
	*ret_n = 0;
	if (arr == NULL)
		return 0;
	if (!pv_json_is_array(arr))
		return pv_fail(e, PV_E_MALFORMED, "'%s' is not an array", name);
	if (pv_json_count(arr) > max)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' has %zu elements, more than %zu", name,
		    pv_json_count(arr), max);
	*ret_n = pv_json_count(arr);
	return 0;
}

static bool
meet(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return a < b ? b - a < a_size : a - b < b_size;
}

/* --- flash ---------------------------------------------------------------- */

static int
parse_bank(const struct pv_json *v, uint32_t write_unit,
    struct pv_flash_bank *b, struct pv_error *e)
{
	const struct pv_json *arr;
	uint64_t sum = 0;
	size_t n;
	int rc;

	if ((rc = pv_chip_only(v, "a flash bank", bank_members, e)) != 0)
		return rc;
	if ((rc = get_range(v, "flash bank", &b->base, &b->size, e)) != 0)
		return rc;
	rc = pv_chip_get_array(v, "sectors", PV_CHIP_GROUPS, &arr, &n, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const struct pv_json *g = pv_json_at(arr, i);
		struct pv_sector_group *s = &b->groups[i];

		if ((rc = pv_chip_only(
			 g, "a sector group", sector_members, e)) != 0)
			return rc;
		rc = pv_chip_get_u32(
		    g, "sectors", "count", UINT32_MAX, &s->count, e);
		if (rc != 0)
			return rc;
		rc = pv_chip_get_u32(
		    g, "sectors", "size", UINT32_MAX, &s->size, e);
		if (rc != 0)
			return rc;
		rc = pv_chip_opt_u32(g, "sectors", "erase_typ_ms", TIME_MAX_MS,
		    &s->erase_typ, e);
		if (rc != 0)
			return rc;
		if (s->count == 0 || s->size == 0 || s->size % write_unit != 0)
			return pv_fail(e, PV_E_MALFORMED,
			    "bank at 0x%08x: %u sectors of %u bytes: neither "
			    "may be 0, and a sector holds whole write units "
			    "(%u bytes)",
			    b->base, s->count, s->size, write_unit);
		sum += (uint64_t)s->count * s->size;
		if (sum > b->size)
			break;
	}
	b->n_groups = n;
	if (sum != b->size)
		return pv_fail(e, PV_E_MALFORMED,
		    "bank at 0x%08x: its sectors add up to %s 0x%llx bytes, "
		    "its size is 0x%x",
		    b->base, sum > b->size ? "at least" : "only",
		    (unsigned long long)sum, b->size);
	return 0;
}

static int
parse_banks(const struct pv_json *flash, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *arr;
	size_t n;
	int rc;

	if ((rc = pv_chip_get_array(
		 flash, "banks", PV_CHIP_BANKS, &arr, &n, e)) != 0)
		return rc;
	if (n == 0)
		return pv_fail(e, PV_E_MALFORMED, "'flash' has no banks");
	for (size_t i = 0; i < n; i++) {
		struct pv_flash_bank *b = &c->banks[i];

		rc = parse_bank(pv_json_at(arr, i), c->write_unit, b, e);
		if (rc != 0)
			return rc;
		if (i > 0 && b->base < b[-1].base)
			return pv_fail(e, PV_E_MALFORMED,
			    "bank at 0x%08x comes after the one at 0x%08x: "
			    "order them by address",
			    b->base, b[-1].base);
		if (i > 0 && meet(b[-1].base, b[-1].size, b->base, b->size))
			return pv_fail(e, PV_E_MALFORMED,
			    "the banks at 0x%08x and 0x%08x overlap",
			    b[-1].base, b->base);
	}
	c->n_banks = n;
	return 0;
}

static int
parse_aliases(
    const struct pv_json *flash, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *arr;
	size_t n;
	int rc;

	rc = pv_chip_get_array(flash, "aliases", PV_CHIP_ALIASES, &arr, &n, e);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const struct pv_json *v = pv_json_at(arr, i);
		struct pv_alias *a = &c->aliases[i];

		if ((rc = pv_chip_only(v, "an alias", alias_members, e)) != 0)
			return rc;
		if ((rc = get_range(v, "alias", &a->base, &a->size, e)) != 0)
			return rc;
		rc = pv_chip_get_u32(
		    v, "alias", "target", UINT32_MAX, &a->target, e);
		if (rc != 0)
			return rc;
		/* n_aliases is still 0 here: only banks count */
		if (!pv_chip_in_flash(c, a->target, a->size, NULL))
			return pv_fail(e, PV_E_MALFORMED,
			    "the alias at 0x%08x shows 0x%x bytes at 0x%08x, "
			    "which is not all flash",
			    a->base, a->size, a->target);
		for (size_t k = 0; k < c->n_banks; k++)
			if (meet(a->base, a->size, c->banks[k].base,
				c->banks[k].size))
				return pv_fail(e, PV_E_MALFORMED,
				    "the alias at 0x%08x overlaps the bank at "
				    "0x%08x",
				    a->base, c->banks[k].base);
		for (size_t k = 0; k < i; k++)
			if (meet(a->base, a->size, c->aliases[k].base,
				c->aliases[k].size))
				return pv_fail(e, PV_E_MALFORMED,
				    "the aliases at 0x%08x and 0x%08x overlap",
				    c->aliases[k].base, a->base);
	}
	c->n_aliases = n;
	return 0;
}

static int
parse_times(
    const struct pv_json *flash, struct pv_flash_times *t, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(flash, "times");
	uint32_t *const field[] = { &t->sector_erase_typ, &t->sector_erase_max,
		&t->mass_erase_typ, &t->mass_erase_max, &t->write_unit_typ_us,
		&t->write_unit_max_us };
	int rc;

	if (v == NULL)
		return 0;
	if ((rc = pv_chip_only(v, "'times'", times_members, e)) != 0)
		return rc;
	for (size_t i = 0; i < 6; i++) {
		rc = pv_chip_opt_u32(
		    v, "times", times_members[i], TIME_MAX_MS, field[i], e);
		if (rc != 0)
			return rc;
	}
	for (size_t i = 0; i < 6; i += 2)
		if (*field[i + 1] != 0 && *field[i] > *field[i + 1])
			return pv_fail(e, PV_E_MALFORMED,
			    "'%s' is larger than '%s'", times_members[i],
			    times_members[i + 1]);
	return 0;
}

static int
parse_flash(const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(root, "flash");
	uint32_t erased = 0xff;
	int rc;

	if (c->mpu) {
		if (v == NULL)
			return 0;
		return pv_fail(e, PV_E_MALFORMED,
		    "an MPU has no flash of its own: leave out 'flash'");
	}
	if (v == NULL)
		return pv_fail(e, PV_E_MALFORMED, "'flash' is missing");
	if ((rc = pv_chip_only(v, "'flash'", flash_members, e)) != 0)
		return rc;
	rc = pv_chip_get_u32(
	    v, "flash", "write_unit", WRITE_UNIT_MAX, &c->write_unit, e);
	if (rc != 0)
		return rc;
	if (c->write_unit == 0 || (c->write_unit & (c->write_unit - 1)) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "'write_unit' is %u, not a power of two", c->write_unit);
	if ((rc = pv_json_opt_bool(v, "ecc", &c->ecc, e)) != 0)
		return rc;
	if ((rc = pv_chip_opt_u32(v, "flash", "erased", 0xff, &erased, e)) != 0)
		return rc;
	c->erased = (uint8_t)erased;
	if ((rc = parse_banks(v, c, e)) != 0)
		return rc;
	if ((rc = parse_aliases(v, c, e)) != 0)
		return rc;
	return parse_times(v, &c->times, e);
}

/* --- the rest of memory --------------------------------------------------- */

static int
check_ram(const struct pv_chip *c, size_t i, struct pv_error *e)
{
	const struct pv_range *r = &c->rams[i];

	for (size_t k = 0; k < c->n_banks; k++)
		if (meet(r->base, r->size, c->banks[k].base, c->banks[k].size))
			return pv_fail(e, PV_E_MALFORMED,
			    "the RAM at 0x%08x overlaps the bank at 0x%08x",
			    r->base, c->banks[k].base);
	for (size_t k = 0; k < c->n_aliases; k++)
		if (meet(r->base, r->size, c->aliases[k].base,
			c->aliases[k].size))
			return pv_fail(e, PV_E_MALFORMED,
			    "the RAM at 0x%08x overlaps the alias at 0x%08x",
			    r->base, c->aliases[k].base);
	for (size_t k = 0; k < i; k++)
		if (meet(r->base, r->size, c->rams[k].base, c->rams[k].size))
			return pv_fail(e, PV_E_MALFORMED,
			    "the RAMs at 0x%08x and 0x%08x overlap",
			    c->rams[k].base, r->base);
	return 0;
}

static int
parse_memory(const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *arr, *v;
	size_t n;
	int rc;

	if ((rc = pv_chip_get_array(root, "ram", PV_CHIP_RAMS, &arr, &n, e)) !=
	    0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		struct pv_range *r = &c->rams[i];

		v = pv_json_at(arr, i);
		if ((rc = pv_chip_only(v, "a RAM", range_members, e)) != 0)
			return rc;
		if ((rc = get_range(v, "ram", &r->base, &r->size, e)) != 0)
			return rc;
		if ((rc = check_ram(c, i, e)) != 0)
			return rc;
	}
	c->n_rams = n;
	rc = pv_chip_opt_u32(root, "the chip", "boot_ram_reserved",
	    n > 0 ? c->rams[0].size : 0, &c->boot_ram_reserved, e);
	if (rc != 0)
		return rc;

	v = pv_json_get(root, "external");
	if (v != NULL) {
		if ((rc = pv_chip_only(v, "'external'", range_members, e)) != 0)
			return rc;
		rc = get_range(
		    v, "external", &c->external.base, &c->external.size, e);
		if (rc != 0)
			return rc;
	}

	v = pv_json_get(root, "option_bytes");
	if (v == NULL)
		return 0;
	if ((rc = pv_chip_only(v, "'option_bytes'", option_members, e)) != 0)
		return rc;
	if (pv_json_get(v, "base") != NULL || pv_json_get(v, "size") != NULL) {
		rc = get_range(v, "option_bytes", &c->option_area.base,
		    &c->option_area.size, e);
		if (rc != 0)
			return rc;
		c->has_option_area = true;
	}
	if (pv_json_get(v, "rdp_offset") != NULL) {
		rc = pv_chip_opt_u32(v, "option_bytes", "rdp_offset",
		    UINT16_MAX, &c->rdp_offset, e);
		if (rc == 0 && c->rdp_offset >= c->option_area.size)
			rc = pv_fail(e, PV_E_MALFORMED,
			    "'rdp_offset' is outside the option area");
		if (rc != 0)
			return rc;
		c->has_rdp_offset = true;
	}
	return pv_chip_opt_u32(
	    v, "option_bytes", "words", 256, &c->option_words, e);
}

/* --- bootloaders, secure install ------------------------------------------ */

static int
parse_otp(const struct pv_json *root, struct pv_chip *c, struct pv_error *e)
{
	const struct pv_json *v = pv_json_get(root, "otp");
	uint32_t unit = c->write_unit;
	int rc;

	if (v == NULL)
		return 0;
	if ((rc = pv_chip_only(v, "'otp'", otp_members, e)) != 0)
		return rc;
	if ((rc = get_range(v, "otp", &c->otp.base, &c->otp.size, e)) != 0)
		return rc;
	if ((rc = pv_chip_opt_u32(
		 v, "otp", "write_unit", WRITE_UNIT_MAX, &unit, e)))
		return rc;
	if (unit == 0 || (unit & (unit - 1)) != 0 || c->otp.size % unit != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "'otp' has write units of %u bytes: a power of two that "
		    "divides its size is needed",
		    unit);
	c->otp_write_unit = unit;
	for (size_t k = 0; k < c->n_banks; k++)
		if (meet(c->otp.base, c->otp.size, c->banks[k].base,
			c->banks[k].size))
			return pv_fail(e, PV_E_MALFORMED,
			    "the OTP at 0x%08x overlaps the bank at 0x%08x",
			    c->otp.base, c->banks[k].base);
	return 0;
}

/* --- the whole ------------------------------------------------------------ */

static int
parse_identity(const struct pv_json *root, struct pv_chip *c, bool *ret_default,
    struct pv_error *e)
{
	const struct pv_json *arr;
	size_t n;
	int rc;

	if ((rc = get_text(root, "name", c->name, sizeof(c->name), e)) != 0)
		return rc;
	if (c->name[strspn(
		c->name, "abcdefghijklmnopqrstuvwxyz0123456789-_")] != '\0')
		return pv_fail(e, PV_E_MALFORMED,
		    "'name' has other than small letters, digits, '-', '_'");
	rc = get_text(root, "title", c->title, sizeof(c->title), e);
	if (rc != 0)
		return rc;
	rc = get_text(root, "family", c->family, sizeof(c->family), e);
	if (rc != 0)
		return rc;
	/* Whoever writes a file says where its values are from */
	if ((rc = pv_chip_get_array(root, "sources", 32, &arr, &n, e)) != 0)
		return rc;
	if (n == 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "'sources' is missing or empty: name the documents the "
		    "values are from");
	for (size_t i = 0; i < n; i++)
		if (pv_json_text(pv_json_at(arr, i)) == NULL)
			return pv_fail(e, PV_E_MALFORMED,
			    "element %zu of 'sources' is not text", i + 1);
	if ((rc = pv_chip_get_array(root, "notes", 32, &arr, &n, e)) != 0)
		return rc;
	if ((rc = pv_json_opt_bool(root, "mpu", &c->mpu, e)) != 0)
		return rc;
	rc = pv_chip_opt_u32(
	    root, "the chip", "device_id", 0xfff, &c->device_id, e);
	if (rc != 0)
		return rc;
	return pv_json_opt_bool(root, "default_for_id", ret_default, e);
}

static int
parse_root(const struct pv_json *root, struct pv_chip *c, bool *ret_default,
    struct pv_error *e)
{
	int rc;

	if ((rc = pv_chip_only(root, "the chip", top_members, e)) != 0)
		return rc;
	if ((rc = parse_identity(root, c, ret_default, e)) != 0)
		return rc;
	c->erased = 0xff;
	if ((rc = parse_flash(root, c, e)) != 0)
		return rc;
	if ((rc = parse_memory(root, c, e)) != 0)
		return rc;
	if ((rc = parse_otp(root, c, e)) != 0)
		return rc;
	return pv_chip_parse_boot(root, c, e);
}

int
pv_chip_parse(const char *text, size_t len, const char *name,
    struct pv_chip *ret_chip, bool *ret_default, struct pv_error *e)
{
	struct pv_json *root = NULL;
	bool is_default = false;
	int rc;

	memset(ret_chip, 0, sizeof(*ret_chip));
	if ((rc = pv_json_parse(text, len, &root, e)) == 0)
		rc = parse_root(root, ret_chip, &is_default, e);
	pv_json_free(root);
	if (rc != 0)
		return pv_wrap(e, "'%s'", name);
	*ret_default = is_default;
	return 0;
}
