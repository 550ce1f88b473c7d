/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealing and opening, against files made by another implementation
 * (fixtures/golden/make-ssp.py), and root keys.
 */
#include "tests/unit/pkgtest.h"

#include "base/buf.h"
#include <provisor/ecies.h>
#include <provisor/ssp.h>

#define GOLDEN "fixtures/golden/ssp/"

static const char *const table[PV_SSP_TABLE_KEYS] = { GOLDEN "key0.pem",
	GOLDEN "key1.pem", GOLDEN "key2.pem", GOLDEN "key3.pem",
	GOLDEN "key4.pem", GOLDEN "key5.pem", GOLDEN "key6.pem",
	GOLDEN "key7.pem" };

static const struct {
	const char *file;
	enum pv_ssp_chip chip;
	unsigned int iv_len;
	size_t from, len; /* of secrets 00..93 */
	uint32_t rma;
} golden[] = {
	{ "mp15", PV_SSP_MP15, 16, 0, 148, 0x07650312 },
	{ "mp15-iv12", PV_SSP_MP15, 12, 0, 148, 0x07650312 },
	{ "mp15-short", PV_SSP_MP15, 16, 1, 8, 0x07650312 },
	{ "mp15-rma-high", PV_SSP_MP15, 16, 0, 148, 0x01890eca },
	{ "mp13", PV_SSP_MP13, 16, 0, 148, 0x07650312 },
	{ "mp13-iv12", PV_SSP_MP13, 12, 0, 148, 0x07650312 },
};
#define N_GOLDEN (sizeof(golden) / sizeof(golden[0]))

/* A sealer over key 00..0f, and what a golden file is packed from. */
static void
setup(struct pv_ssp_pack *p, size_t i, struct pv_sealer *sealer,
    struct pv_secret **plain)
{
	struct pv_secret *key = NULL;
	uint8_t *d;

	memset(p, 0, sizeof(*p));
	assert_int_equal(
	    pv_secret_read_file(GOLDEN "aes.key", 16, &key, NULL), 0);
	assert_int_equal(pv_sealer_from_secret(key, sealer, NULL), 0);
	pv_secret_free(key);
	assert_int_equal(pv_secret_new(4 + golden[i].len, plain, NULL), 0);
	d = pv_secret_data(*plain);
	pv_put_u32le(d, golden[i].rma);
	for (size_t k = 0; k < golden[i].len; k++)
		d[4 + k] = (uint8_t)(golden[i].from + k);
	p->chip = golden[i].chip;
	if (p->chip == PV_SSP_MP15)
		assert_int_equal(
		    pv_ssp_root_key(GOLDEN "key0.pem", p->root, NULL), 0);
	else
		assert_int_equal(pv_ssp_root_table(table, p->root, NULL), 0);
	p->plain = *plain;
	p->sealer = sealer;
	p->iv_len = golden[i].iv_len;
	for (uint8_t k = 0; k < PV_SSP_NONCE; k++)
		p->nonce[k] = (uint8_t)(0x10 + k);
}

static void
test_golden(void **state)
{
	struct fix *f = *state;
	uint8_t want[PV_SSP_MAX], got[PV_SSP_MAX];
	struct pv_secret *plain = NULL, *back = NULL;
	struct pv_sealer sealer = { 0 };
	struct pv_ssp_pack p;
	struct pv_ssp ssp;
	char path[128];

	for (size_t i = 0; i < N_GOLDEN; i++) {
		setup(&p, i, &sealer, &plain);
		(void)snprintf(
		    path, sizeof(path), GOLDEN "%s.ssp", golden[i].file);
		assert_int_equal(pv_ssp_read(path, &ssp, want, &f->e), 0);
		assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), 0);
		assert_int_equal(pv_ssp_read(f->out, &ssp, got, &f->e), 0);
		assert_memory_equal(got, want, pv_ssp_len(p.chip));
		assert_int_equal(
		    pv_ssp_open(&ssp, &sealer, p.nonce, p.iv_len, &back, &f->e),
		    0);
		assert_int_equal(pv_secret_len(back), pv_secret_len(plain));
		assert_memory_equal(pv_secret_bytes(back),
		    pv_secret_bytes(plain), pv_secret_len(plain));
		pv_secret_free(back);
		back = NULL;
		/* The other length of IV is another IV. */
		assert_int_equal(pv_ssp_open(&ssp, &sealer, p.nonce,
				     28 - p.iv_len, &back, &f->e),
		    PV_E_VERIFY);
		/* Every byte is authenticated, or refused before. */
		for (size_t k = 0; k < pv_ssp_len(p.chip); k++) {
			int r;

			got[k] ^= 1;
			r = pv_ssp_decode(got, pv_ssp_len(p.chip), &ssp, &f->e);
			if (r == 0)
				r = pv_ssp_open(&ssp, &sealer, p.nonce,
				    p.iv_len, &back, &f->e);
			assert_int_not_equal(r, 0);
			got[k] ^= 1;
		}
		assert_null(back);
		pv_secret_free(plain);
		plain = NULL;
		pv_sealer_release(&sealer);
	}
}

static void
test_corrupt(void **state)
{
	static const char *const files[] = { "tag", "header", "secret",
		"point" };
	struct fix *f = *state;
	struct pv_secret *plain = NULL, *back = NULL;
	struct pv_sealer sealer = { 0 };
	struct pv_ssp_pack p;
	struct pv_ssp ssp;
	uint32_t words[8];
	char path[128];

	setup(&p, 0, &sealer, &plain);
	for (size_t i = 0; i < 4; i++) {
		(void)snprintf(path, sizeof(path),
		    "fixtures/corrupt/ssp/%s.ssp", files[i]);
		assert_int_equal(pv_ssp_read(path, &ssp, NULL, &f->e), 0);
		assert_int_equal(
		    pv_ssp_open(&ssp, &sealer, p.nonce, 16, &back, &f->e),
		    PV_E_VERIFY);
		assert_int_equal(pv_ssp_otp_root(&ssp, words, &f->e),
		    i == 3 ? PV_E_VERIFY : 0);
	}
	assert_non_null(
	    strstr(f->e.msg, "OEM root key: the public key is not"));
	pv_secret_free(plain);
	pv_sealer_release(&sealer);
}

static void
test_reuse(void **state)
{
	struct fix *f = *state;
	struct pv_secret *plain = NULL;
	struct pv_sealer sealer = { 0 };
	char nonce_path[4200];
	struct pv_ssp_pack p;
	struct pv_ssp ssp;

	setup(&p, 0, &sealer, &plain);
	p.record_dir = f->record;
	(void)snprintf(nonce_path, sizeof(nonce_path), "%s.nonce", f->out);
	p.nonce_path = nonce_path;
	assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), 0);
	assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), 0);
	assert_int_equal(unlink(f->out), 0);
	assert_int_equal(unlink(nonce_path), 0);
	/* Other secrets, and the same ones for another chip. */
	pv_secret_data(plain)[10] ^= 1;
	assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), PV_E_REUSE);
	assert_non_null(strstr(f->e.msg, "other content"));
	pv_secret_data(plain)[10] ^= 1;
	p.chip = PV_SSP_MP13;
	assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), PV_E_REUSE);
	assert_int_equal(access(f->out, F_OK), -1);
	assert_int_equal(access(nonce_path, F_OK), -1);
	/* With 12 bytes it is another IV, with other bytes too. */
	p.iv_len = 12;
	assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), 0);
	p.iv_len = 16;
	p.nonce[15] ^= 1;
	assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), 0);
	/* That IV of 12 bytes is the one of a .sfi header, too. */
	p.iv_len = 12;
	p.chip = PV_SSP_MP15;
	assert_int_equal(pv_ssp_pack(&p, f->out, &ssp, &f->e), PV_E_REUSE);
	pv_secret_free(plain);
	pv_sealer_release(&sealer);
}

/* What may not be sealed does not reach the key. */
static void
test_refused(void **state)
{
	static const size_t lengths[] = { 4, 6, 150, 156 };
	struct fix *f = *state;
	struct pv_secret *plain = NULL, *bad = NULL;
	struct pv_sealer sealer = { 0 };
	struct pv_ssp_pack p;
	struct pv_ssp ssp;

	setup(&p, 0, &sealer, &plain);
	p.record_dir = f->record;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pv_secret_new(lengths[i], &bad, NULL), 0);
		p.plain = bad;
		assert_int_equal(
		    pv_ssp_pack(&p, f->out, &ssp, &f->e), PV_E_MALFORMED);
		pv_secret_free(bad);
	}
	assert_int_equal(access(f->out, F_OK), -1);
	assert_int_equal(access(f->record, F_OK), -1);
	pv_secret_free(plain);
	pv_sealer_release(&sealer);
}

static void
test_roots(void **state)
{
	const char *seven[PV_SSP_TABLE_KEYS];
	struct fix *f = *state;
	uint8_t root[64], want[32], zero[32] = { 0 };
	struct pv_ssp ssp = { .chip = PV_SSP_MP15 };
	uint32_t words[8];

	/* PKH and PKHTH of the vectors. */
	assert_int_equal(
	    pv_ssp_root_key(GOLDEN "key0.pem", ssp.root, &f->e), 0);
	assert_int_equal(pv_ssp_otp_root(&ssp, words, &f->e), 0);
	assert_int_equal(words[0], 0xd875db7d);
	assert_int_equal(words[7], 0xcbb50d9f);
	assert_int_equal(pv_ssp_root_table(table, root, &f->e), 0);
	assert_int_equal(
	    pv_file_read_exact(GOLDEN "pkhth.bin", want, 32, NULL), 0);
	assert_memory_equal(root, want, 32);
	assert_memory_equal(root + 32, zero, 32);
	ssp.chip = PV_SSP_MP13;
	memcpy(ssp.root, root, sizeof(root));
	assert_int_equal(pv_ssp_otp_root(&ssp, words, &f->e), 0);
	assert_int_equal(words[0], pv_get_u32be(want));
	/* The order counts. */
	memcpy(seven, table, sizeof(seven));
	seven[0] = table[1];
	seven[1] = table[0];
	assert_int_equal(pv_ssp_root_table(seven, root, &f->e), 0);
	assert_memory_not_equal(root, want, 32);

	assert_int_equal(
	    pv_ssp_root_key(GOLDEN "key3.pem", root, &f->e), PV_E_UNSUPPORTED);
	assert_non_null(strstr(f->e.msg, "brainpoolP256t1, the root key of a"));
	assert_int_equal(
	    pv_ssp_root_key(GOLDEN "aes.key", root, &f->e), PV_E_MALFORMED);
	seven[5] = GOLDEN "nonce.bin";
	assert_int_equal(pv_ssp_root_table(seven, root, &f->e), PV_E_MALFORMED);
	assert_non_null(strstr(f->e.msg, "key 5 of the table"));
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(test_golden),
		T(test_corrupt),
		T(test_reuse),
		T(test_refused),
		T(test_roots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
