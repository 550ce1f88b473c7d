/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packages through sealers that behave as tokens may (bytes held back, faults
 * at the Nth call), and the search for the rules of a foreign package.
 */
#include "tests/unit/pkgtest.h"

#include "base/buf.h"
#include "formats/sfi.h"

/* A sealer around the fixture's that keeps output back until the end, or a
 * few bytes of it, and can fail at its Nth call. */
struct slow {
	const struct pv_sealer *inner;
	bool keep_all; /* when decrypting */
	size_t keep;   /* when encrypting: bytes held back, less than 16 */
	uint8_t *held;
	size_t n_held;
	bool decrypt;
	unsigned int calls, fail_at;
	size_t extra; /* bytes too many at the end of a decryption */
};

static int
slow_call(struct slow *s, struct pv_error *e)
{
	if (++s->calls == s->fail_at)
		return pv_fail(e, PV_E_HSM, "call %u fails", s->calls);
	return 0;
}

static int
slow_begin(void *ctx, bool decrypt, const uint8_t *iv, size_t iv_len,
    const void *aad, size_t aad_len, struct pv_error *e)
{
	struct slow *s = ctx;
	int r = slow_call(s, e);

	s->decrypt = decrypt;
	s->n_held = 0;
	if (r != 0)
		return r;
	return s->inner->begin(
	    s->inner->ctx, decrypt, iv, iv_len, aad, aad_len, e);
}

static int
slow_update(void *ctx, const uint8_t *in, size_t len, uint8_t *out,
    size_t out_cap, size_t *ret_len, struct pv_error *e)
{
	struct slow *s = ctx;
	size_t got = 0, give;
	int r = slow_call(s, e);

	if (r != 0)
		return r;
	s->held = realloc(s->held, s->n_held + len);
	assert_non_null(s->held);
	r = s->inner->update(
	    s->inner->ctx, in, len, s->held + s->n_held, len, &got, e);
	if (r != 0)
		return r;
	s->n_held += got;
	if (s->decrypt && s->keep_all)
		give = 0;
	else
		give = s->n_held < s->keep ? 0 : s->n_held - s->keep;
	assert_true(give <= out_cap);
	memcpy(out, s->held, give);
	s->n_held -= give;
	memmove(s->held, s->held + give, s->n_held);
	*ret_len = give;
	return 0;
}

static int
slow_finish(void *ctx, uint8_t tag[16], uint8_t *out, size_t out_cap,
    size_t *ret_len, struct pv_error *e)
{
	struct slow *s = ctx;
	size_t none = 0;
	int r = slow_call(s, e);

	if (r == 0)
		r = s->inner->finish(
		    s->inner->ctx, tag, out, out_cap, &none, e);
	if (r != 0)
		return r;
	assert_true(s->n_held <= out_cap);
	if (s->n_held > 0)
		memcpy(out, s->held, s->n_held);
	*ret_len = s->n_held + (s->decrypt ? s->extra : 0);
	return 0;
}

static int
slow_key_id(void *ctx, uint8_t ret_id[32], struct pv_error *e)
{
	struct slow *s = ctx;
	int r = slow_call(s, e);

	return r != 0 ? r : s->inner->key_id(s->inner->ctx, ret_id, e);
}

static struct pv_sealer
slow_sealer(struct slow *s)
{
	struct pv_sealer sealer = { s, slow_begin, slow_update, slow_finish,
		slow_key_id, NULL };

	return sealer;
}

/* A segment larger than the buffer, so that all of it is held at once. */
static void
add_large(struct fix *f)
{
	static uint8_t data[200000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 40503U >> 7);
	fix_add(f, 0x08040000, data, sizeof(data));
}

static void
test_held_back(void **state)
{
	struct fix *f = *state;
	struct slow s = { .inner = &f->sealer, .keep_all = true, .keep = 13 };
	struct pv_sealer sealer = slow_sealer(&s);
	struct pv_sfi_key k = fix_key(f);
	struct pv_sfi_info info;
	uint8_t *a, *b;
	size_t n, m;

	add_large(f);
	f->pack.sealer = &sealer;
	assert_int_equal(fix_pack(f), 0);
	fix_read(f->out, &a, &n);
	f->pack.sealer = &f->sealer;
	assert_int_equal(fix_pack(f), 0);
	fix_read(f->out, &b, &m);
	assert_int_equal(n, m);
	assert_memory_equal(a, b, n);
	free(a);
	free(b);

	k.sealer = &sealer;
	assert_int_equal(pv_sfi_verify(f->out, &k, &info, &f->e), 0);
	assert_int_equal(
	    pv_sfi_unpack(f->out, &k, f->plain, &info, NULL, NULL, &f->e), 0);
	assert_int_equal(fix_count(f->plain), 5);

	/* a token that returns more than went in */
	s.extra = 1;
	assert_int_equal(pv_sfi_verify(f->out, &k, &info, &f->e), PV_E_HSM);
	free(s.held);
}

/* A token that fails at its Nth call: nothing is left of the package. */
static void
test_failing_token(void **state)
{
	struct fix *f = *state;
	struct slow s = { .inner = &f->sealer };
	struct pv_sealer sealer = slow_sealer(&s);
	int r = -1;

	f->pack.sealer = &sealer;
	for (s.fail_at = 1; s.fail_at < 100; s.fail_at++) {
		s.calls = 0;
		r = fix_pack(f);
		if (r == 0)
			break;
		assert_int_equal(r, PV_E_HSM);
		assert_int_equal(pv_exit_code(r), 6);
		assert_int_equal(fix_count(f->dir), 0);
	}
	/* begin and finish of the header; begin, update and finish of three
	 * areas; the key id */
	assert_int_equal(s.fail_at, 2 + 3 * 3 + 1 + 1);
	for (s.fail_at = 1; s.fail_at < 100; s.fail_at++) {
		struct pv_sfi_key k = fix_key(f);
		struct pv_sfi_info info;

		k.sealer = &sealer;
		s.calls = 0;
		r = pv_sfi_unpack(
		    f->out, &k, f->plain, &info, NULL, NULL, &f->e);
		if (r == 0)
			break;
		assert_int_equal(r, PV_E_HSM);
		assert_int_equal(fix_count(f->plain), 0);
	}
	assert_int_equal(r, 0);
	free(s.held);
}

static void
test_key_length(void **state)
{
	struct pv_secret *key = NULL;
	struct pv_sealer s;
	struct pv_error e;

	(void)state;
	assert_int_equal(pv_secret_new(32, &key, &e), 0);
	assert_int_equal(pv_sealer_from_secret(key, &s, &e), PV_E_USAGE);
	pv_secret_free(key);
}

/* --- calibrate ---------------------------------------------------------------------- */

static int
calibrate(struct fix *f, struct pv_sfi_trial *t)
{
	struct pv_sfi_key k = fix_key(f);
	struct pv_sfi_info info;

	return pv_sfi_calibrate(f->out, &k, &info, t, &f->e);
}

static void
test_calibrate(void **state)
{
	struct fix *f = *state;
	struct pv_sfi_trial t[PV_SFI_TRIALS];

	for (unsigned int rule = 0; rule < PV_SFI_IV_RULES; rule++) {
		f->pack.iv_add = (enum pv_sfi_iv_add)rule;
		f->pack.profile = rule == 1 ? PV_SFI_V2 : PV_SFI_V1;
		f->pack.nonce[5] = (uint8_t)rule;
		assert_int_equal(fix_pack(f), 0);
		assert_int_equal(calibrate(f, t), 0);
		for (size_t i = 0; i < PV_SFI_TRIALS; i++) {
			bool exact = !t[i].aad_padded;
			bool right = exact && t[i].iv_add == rule;

			assert_int_equal(t[i].header_ok, exact);
			assert_int_equal(t[i].areas_ok, right ? 3 : 0);
			assert_int_equal(t[i].all_ok, right);
		}
	}
	f->pack.nonce[0] ^= 1;
	assert_int_equal(calibrate(f, t), PV_E_VERIFY);
	assert_false(t[0].header_ok);
}

/* Encrypt one message with the AAD padded to 16 bytes. */
static void
seal_padded(struct fix *f, uint16_t index, const uint8_t *raw, size_t aad_len,
    uint8_t *payload, size_t len, uint8_t ret_tag[16])
{
	uint8_t aad[16] = { 0 }, iv[12], none[16];
	size_t n = 0;

	memcpy(aad, raw, aad_len);
	pv_sfi_iv(PV_SFI_IV_LE32_HI, f->pack.nonce, index, iv);
	assert_int_equal(
	    f->sealer.begin(f->sealer.ctx, false, iv, 12, aad, 16, &f->e), 0);
	if (len > 0)
		assert_int_equal(f->sealer.update(f->sealer.ctx, payload, len,
				     payload, len, &n, &f->e),
		    0);
	assert_int_equal(
	    f->sealer.finish(f->sealer.ctx, ret_tag, none, 16, &n, &f->e), 0);
}

static void
test_calibrate_padded(void **state)
{
	struct fix *f = *state;
	struct pv_sfi_header h = { .version = 1, .n_areas = 1 };
	struct pv_sfi_area a = { .type = 'F',
		.index = 1,
		.total = 1,
		.size = 5,
		.address = 0x08000000 };
	struct pv_sfi_trial t[PV_SFI_TRIALS];
	uint8_t file[PV_SFI_HEADER + PV_SFI_AREA + 5];
	uint8_t *area = file + PV_SFI_HEADER, *payload = area + PV_SFI_AREA;

	memcpy(payload, "hello", 5);
	pv_sfi_header_encode(&h, file);
	seal_padded(f, 0, file, 12, NULL, 0, h.tag);
	pv_sfi_header_encode(&h, file);
	pv_sfi_area_encode(&a, area);
	seal_padded(f, 1, area, 14, payload, 5, a.tag);
	pv_sfi_area_encode(&a, area);
	fix_write(f->out, file, sizeof(file));
	assert_int_equal(calibrate(f, t), 0);
	for (size_t i = 0; i < PV_SFI_TRIALS; i++)
		assert_int_equal(t[i].all_ok,
		    t[i].aad_padded && t[i].iv_add == PV_SFI_IV_LE32_HI);
	/* this rule is for calibrate only: verify wants the exact AAD */
	f->pack.iv_add = PV_SFI_IV_LE32_HI;
	assert_int_equal(fix_verify(f), PV_E_VERIFY);
}

static void
test_calibrate_no_areas(void **state)
{
	struct fix *f = *state;
	struct pv_sfi_header h = { .version = 1 };
	struct pv_sfi_trial t[PV_SFI_TRIALS];
	uint8_t file[PV_SFI_HEADER], none[16];
	unsigned int winners = 0;
	size_t n;

	pv_sfi_header_encode(&h, file);
	assert_int_equal(f->sealer.begin(f->sealer.ctx, false, f->pack.nonce,
			     12, file, 12, &f->e),
	    0);
	assert_int_equal(
	    f->sealer.finish(f->sealer.ctx, h.tag, none, 16, &n, &f->e), 0);
	pv_sfi_header_encode(&h, file);
	fix_write(f->out, file, sizeof(file));
	assert_int_equal(calibrate(f, t), 0);
	for (size_t i = 0; i < PV_SFI_TRIALS; i++)
		winners += t[i].all_ok;
	assert_int_equal(winners, 3);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fix_setup, fix_teardown)
	const struct CMUnitTest tests[] = {
		T(test_held_back),
		T(test_failing_token),
		cmocka_unit_test(test_key_length),
		T(test_calibrate),
		T(test_calibrate_padded),
		T(test_calibrate_no_areas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
