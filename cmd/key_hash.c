/* SPDX-License-Identifier: Apache-2.0 */
/* provisor key hash: what the OTP words of an STM32MP say of its keys. */
#include "cmd/cmd.h"
#include "cmd/image_stm32.h"
#include "cmd/key.h"
#include "cmd/signing.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hex.h"

#include <string.h>

/* U-Boot, cmd/cmd_stm32key.c: where the hash stands. */
static unsigned int
first_word(uint32_t version)
{
	switch (version) {
	case PV_STM32_V1_0:
	case PV_STM32_V2_0:
		return 24;
	case PV_STM32_V2_2:
		return 144;
	default:
		return 0; /* not known */
	}
}

/* A word is the big-endian number of four bytes of the hash. */
static void
show_words(struct pv_app *app, uint32_t version, const uint8_t hash[32],
    struct pv_json *o)
{
	struct pv_json *list = pv_json_set_array(o, "otp_words");
	unsigned int first = first_word(version);

	for (unsigned int i = 0; i < 8 && first != 0; i++) {
		uint32_t v = pv_get_u32be(hash + (size_t)i * 4);
		struct pv_json *w = pv_json_add_object(list);

		pv_json_set_int(w, "word", (int64_t)first + i);
		pv_json_set_addr(w, "value", v);
		pv_out(app, "  OTP word %u  0x%08x\n", first + i, v);
	}
}

static int
hash_keys(struct pv_app *app, uint32_t version, const char **keys,
    uint8_t hashes[PV_STM32_KEYS][32], uint32_t *ret_n, struct pv_json *o,
    struct pv_error *e)
{
	struct pv_json *list = pv_json_set_array(o, "keys");
	uint32_t n = 0;
	int r = 0;

	for (; r == 0 && keys[n] != NULL; n++) {
		struct pv_json *k = pv_json_add_object(list);
		uint8_t point[64];
		char hex[65];

		r = pv_open_point(app, keys[n], point, e);
		if (r == 0)
			r = pv_stm32_key_hash(
			    version, PV_STM32_P256, point, hashes[n], e);
		if (r != 0)
			return r;
		pv_hex_encode(hex, hashes[n], 32);
		pv_json_set_str(k, "key", keys[n]);
		pv_json_set_str(k, "hash", hex);
		pv_out(app, "%s  %s\n", hex, keys[n]);
	}
	*ret_n = n;
	return r;
}

static int
check_count(uint32_t version, const char **keys, struct pv_error *e)
{
	size_t n = 0, want = version == PV_STM32_V1_0 ? 1 : PV_STM32_KEYS;

	while (keys[n] != NULL)
		n++;
	if (version == PV_STM32_V2_3 || n == want)
		return 0;
	return pv_fail(e, PV_E_USAGE, "%zu keys; this device has %s", n,
	    want == 1 ? "one" : "a table of eight, in their order");
}

static int
make(struct pv_app *app, uint32_t version, const char **keys, const char *out,
    struct pv_error *e)
{
	struct pv_json *o = pv_json_new_object();
	uint8_t hashes[PV_STM32_KEYS][32], hash[32];
	char hex[65];
	uint32_t n = 0;
	int r = hash_keys(app, version, keys, hashes, &n, o, e);

	if (r == 0 && version == PV_STM32_V1_0)
		memcpy(hash, hashes[0], sizeof(hash));
	else if (r == 0)
		r = pv_stm32_table_hash(
		    (const uint8_t(*)[32])hashes, n, hash, e);
	if (r == 0 && out != NULL)
		r = pv_file_write(out, 0644, hash, sizeof(hash), e);
	if (r != 0) {
		pv_json_free(o);
		return r;
	}
	pv_hex_encode(hex, hash, sizeof(hash));
	pv_json_set_str(o, "result", "ok");
	pv_json_set_str(o, "hash", hex);
	if (version != PV_STM32_V1_0)
		pv_out(
		    app, "%s  table of %u key%s\n", hex, n, n == 1 ? "" : "s");
	show_words(app, version, hash, o);
	return pv_out_json(app, o, e);
}

int
pv_cmd_key_hash(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e)
{
	const char *device = NULL, *out = NULL, **args = NULL;
	struct poptOption table[] = {
		{ "device", 0, POPT_ARG_STRING, &device, 0,
		    "stm32mp15, stm32mp13, stm32mp2 or stm32n6", "DEVICE" },
		{ "output", 'o', POPT_ARG_STRING, &out, 0,
		    "write the 32 bytes for the OTP words", "FILE" },
		PV_OPT_PASSPHRASE(app),
		PV_OPT_PIN(app),
		POPT_TABLEEND,
	};
	uint32_t version = 0;
	int r =
	    pv_options(app, table, argc, argv, 1, (int)PV_STM32_KEYS, &args, e);

	if (r == 0)
		r = pv_need(e, device, "--device");
	if (r == 0)
		r = pv_stm32_parse_version(device, &version, e);
	if (r == 0)
		r = check_count(version, args, e);
	if (r == 0 && out != NULL)
		r = pv_check_output_list(out, args, e);
	return r != 0 ? r : make(app, version, args, out, e);
}
