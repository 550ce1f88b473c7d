/* SPDX-License-Identifier: Apache-2.0 */
#include "image/cbor.h"

#include <string.h>

#ifdef PV_WITH_LIBCBOR
#include <cbor.h>

bool
pv_cbor_built_in(void)
{
	return true;
}

/* Takes over `value`, which may be NULL when memory ran out. */
static bool
add(cbor_item_t *map, uint8_t key, cbor_item_t *value)
{
	cbor_item_t *k = cbor_build_uint8(key);
	bool good = false;

	if (k != NULL && value != NULL)
		good = cbor_map_add(
		    map, (struct cbor_pair){ .key = k, .value = value });
	if (k != NULL)
		cbor_decref(&k);
	if (value != NULL)
		cbor_decref(&value);
	return good;
}

int
pv_boot_record_encode(const struct pv_boot_record *b,
    uint8_t ret_data[PV_BOOT_RECORD_MAX], size_t *ret_len, struct pv_error *e)
{
	static const uint8_t zeros[64] = { 0 };
	cbor_item_t *map = cbor_new_definite_map(5);
	size_t n = 0;

	if (map == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	if (add(map, 1, cbor_build_string(b->type)) &&
	    add(map, 4, cbor_build_string(b->version)) &&
	    add(map, 5, cbor_build_bytestring(b->signer, b->hash_len)) &&
	    add(map, 6, cbor_build_string(b->description)) &&
	    add(map, 2, cbor_build_bytestring(zeros, b->hash_len)))
		n = cbor_serialize(map, ret_data, PV_BOOT_RECORD_MAX);
	cbor_decref(&map);
	if (n == 0)
		return pv_fail(e, PV_E_NOMEM, "boot record: out of memory");
	*ret_len = n;
	return 0;
}

#else

bool
pv_cbor_built_in(void)
{
	return false;
}

int
pv_boot_record_encode(const struct pv_boot_record *b,
    uint8_t ret_data[PV_BOOT_RECORD_MAX], size_t *ret_len, struct pv_error *e)
{
	(void)b;
	(void)ret_data;
	(void)ret_len;
	(void)pv_fail(e, PV_E_UNSUPPORTED,
	    "boot records need libcbor, which this program was built without");
	return pv_hint(e, "install libcbor-dev and build again");
}

#endif
