/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the token alone does what one license asks of it: ephemeral key
 * pair, ECDH, derivation, wrap, two signatures (license, ledger entry) and
 * the note. No ledger, no files: the yardstick for the rate of `license issue`.
 *
 * The note is measured twice: written in place as provisor does it, and replaced
 * by a new object as any PKCS#11 token can do it.
 *
 *   bench_token [N]     token 'oem' of SOFTHSM2_CONF, PIN in PROVISOR_PIN_FILE
 *
 * Prints the rate with the note in place, the rate with it replaced, and the
 * microseconds of each part.
 */
#include "hsm/hsm_int.h"

#include "base/clock.h"
#include "crypto/ec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
pin_from_file(void *ctx, const char *token, struct pv_secret **ret_pin,
    struct pv_error *e)
{
	const char *path = getenv("PROVISOR_PIN_FILE");

	(void)ctx;
	(void)token;
	if (path == NULL)
		return pv_fail(e, PV_E_PIN, "PROVISOR_PIN_FILE is not set");
	return pv_secret_read_line(path, ret_pin, e);
}

struct part {
	const char *name;
	int64_t us;
};
enum { EPHEMERAL, WRAP, SIGN, NOTE_READ, NOTE_WRITE, NOTE_REPLACE, N_PARTS };

struct bench {
	struct pv_wrapper wrapper;
	struct pv_signer signer;
	struct pv_anchor anchor;
	struct pv_hsm *hsm;
	CK_OBJECT_HANDLE note; /* the one to replace */
	uint8_t chip[64];
	struct part parts[N_PARTS];
};

static void
lap(struct bench *b, int part, int64_t *since)
{
	int64_t now = pv_now_us();

	b->parts[part].us += now - *since;
	*since = now;
}

/* A new data object, then the former one goes. */
static int
replace(struct bench *b, const uint8_t *value, size_t len, struct pv_error *e)
{
	CK_OBJECT_HANDLE fresh = CK_INVALID_HANDLE;
	struct pv_tpl t;
	CK_RV rv;

	pv_tpl_init(&t);
	pv_tpl_ulong(&t, CKA_CLASS, CKO_DATA);
	pv_tpl_bool(&t, CKA_TOKEN, true);
	pv_tpl_bool(&t, CKA_PRIVATE, true);
	pv_tpl_bytes(&t, CKA_APPLICATION, "bench", 5);
	pv_tpl_bytes(&t, CKA_LABEL, "replaced", 8);
	pv_tpl_bytes(&t, CKA_VALUE, value, len);
	rv = b->hsm->f->C_CreateObject(b->hsm->session, t.a, t.n, &fresh);
	if (rv == CKR_OK && b->note != CK_INVALID_HANDLE)
		rv = b->hsm->f->C_DestroyObject(b->hsm->session, b->note);
	b->note = fresh;
	return rv == CKR_OK ? 0 : pv_ck_fail(e, rv, "replacing a note");
}

static int
one(struct bench *b, uint32_t i, struct pv_error *e)
{
	uint8_t eph[64], wrapped[40], digest[32] = { 0 }, sig[64];
	uint8_t note[PV_ANCHOR_MAX] = { 0 };
	int64_t t = pv_now_us();
	size_t len = sizeof(note);
	int r;

	r = b->anchor.read(b->anchor.ctx, note, &len, e);
	if (r != 0 && r != PV_E_NOT_FOUND)
		return r;
	lap(b, NOTE_READ, &t);
	if ((r = b->wrapper.ephemeral(b->wrapper.ctx, eph, e)) != 0)
		return r;
	lap(b, EPHEMERAL, &t);
	len = sizeof(wrapped);
	r = b->wrapper.wrap(b->wrapper.ctx, b->chip, eph, wrapped, &len, e);
	if (r != 0)
		return r;
	lap(b, WRAP, &t);
	for (int k = 0; k < 2; k++)
		if ((r = b->signer.sign(b->signer.ctx, digest, sig, e)) != 0)
			return r;
	lap(b, SIGN, &t);
	/* Counting on from whatever an earlier run left. */
	for (size_t k = 8; k-- > 0;)
		if (++note[k] != 0)
			break;
	note[8] = (uint8_t)i;
	r = b->anchor.write(b->anchor.ctx, note, 64, e);
	lap(b, NOTE_WRITE, &t);
	if (r == 0)
		r = replace(b, note, 64, e);
	lap(b, NOTE_REPLACE, &t);
	return r;
}

static int
ensure_keys(struct pv_hsm *h, struct pv_error *e)
{
	int r = pv_hsm_generate(h, PV_KEY_AES128, "bench aes", NULL, e);

	if (r == 0 || r == PV_E_EXISTS)
		r = pv_hsm_generate(h, PV_KEY_EC_P256, "bench ec", NULL, e);
	return r == PV_E_EXISTS ? 0 : r;
}

static double
rate(uint32_t n, int64_t us)
{
	return (double)n * 1e6 / (double)(us > 0 ? us : 1);
}

static int
run(struct bench *b, uint32_t n, struct pv_error *e)
{
	struct pv_ec_key *chip = NULL;
	struct pv_hsm *h = NULL;
	int64_t start, us;
	int r;

	if ((r = pv_hsm_open("pkcs11:token=oem", getenv("PROVISOR_MODULE"),
		 pin_from_file, NULL, &h, e)) != 0 ||
	    (r = ensure_keys(h, e)) != 0 ||
	    (r = pv_hsm_wrapper(
		 h, "pkcs11:object=bench%20aes", &b->wrapper, e)) != 0 ||
	    (r = pv_hsm_signer(h, "pkcs11:object=bench%20ec", &b->signer, e)) !=
		0 ||
	    (r = pv_hsm_anchor(h, "bench", &b->anchor, e)) != 0 ||
	    (r = pv_ec_generate(&chip, e)) != 0 ||
	    (r = pv_ec_public(chip, b->chip, e)) != 0 ||
	    (b->hsm = h, r = one(b, 0, e)) != 0)
		goto out;
	for (int k = 0; k < N_PARTS; k++)
		b->parts[k].us = 0;
	start = pv_now_us();
	for (uint32_t i = 1; i <= n && r == 0; i++)
		r = one(b, i, e);
	us = pv_now_us() - start;
	if (r != 0)
		goto out;
	printf("%.1f licenses/s by the token alone, %.1f with the note "
	       "replaced; us each:",
	    rate(n, us - b->parts[NOTE_REPLACE].us),
	    rate(n, us - b->parts[NOTE_WRITE].us));
	for (int k = 0; k < N_PARTS; k++)
		printf(" %s %.0f", b->parts[k].name,
		    (double)b->parts[k].us / (double)n);
	printf("\n");
out:
	pv_ec_free(chip);
	pv_anchor_release(&b->anchor);
	pv_signer_release(&b->signer);
	pv_wrapper_release(&b->wrapper);
	pv_hsm_close(h);
	return r;
}

int
main(int argc, char **argv)
{
	struct bench b = {
		.parts = { { "ephemeral", 0 }, { "wrap", 0 }, { "sign", 0 },
		    { "note-read", 0 }, { "note-write", 0 },
		    { "note-replace", 0 } },
	};
	struct pv_error e = { 0 };
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;

	if (n == 0 || n > 1000000) {
		(void)fprintf(stderr, "usage: bench_token [N]\n");
		return 2;
	}
	if (run(&b, (uint32_t)n, &e) != 0) {
		(void)fprintf(stderr, "bench_token: %s\n%s\n", e.msg, e.hint);
		return 1;
	}
	return 0;
}
