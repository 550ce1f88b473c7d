/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

#include "base/file.h"
#include "crypto/digest.h"
#include "crypto/ec.h"

#include <string.h>
#include <unistd.h>

/* Bytes of the certificate that the authority signs: id and public key. */
#define SIGNED 72U

/* The key first: from it the public half can be written again. */
static int
make(const char *key_path, struct pv_ec_key **ret_key, struct pv_error *e)
{
	struct pv_ec_key *key = NULL;
	int r;

	r = pv_ec_generate(&key, e);
	if (r == 0)
		r = pv_ec_write_pem(key, key_path, e);
	if (r != 0) {
		pv_ec_free(key);
		return r;
	}
	*ret_key = key;
	return 0;
}

/* The two files must belong together, else chips nobody trusts come out. */
static int
match(const struct pv_ec_key *key, const char *key_path, const char *pem_path,
    struct pv_error *e)
{
	uint8_t a[PV_EC_PUBLIC], b[PV_EC_PUBLIC];
	int r;

	r = pv_ec_public(key, a, e);
	if (r != 0)
		return r;
	if (access(pem_path, F_OK) != 0)
		return pv_ec_write_public_pem(pem_path, a, e);
	r = pv_ec_read_public_pem(pem_path, b, e);
	if (r == 0 && memcmp(a, b, sizeof a) != 0)
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' does not hold the public key of '%s'", pem_path,
		    key_path);
	return r;
}

int
pv_sim_ca_open(const char *dir, struct pv_ec_key **ret_key, struct pv_error *e)
{
	char key_path[PV_SIM_PATH], pem_path[PV_SIM_PATH];
	char lock_path[PV_SIM_PATH];
	struct pv_ec_key *key = NULL;
	int r, lock = -1;

	r = pv_path_fit(key_path, sizeof key_path, dir, "ca.key", e);
	if (r == 0)
		r = pv_path_fit(pem_path, sizeof pem_path, dir, "ca.pem", e);
	if (r == 0)
		r = pv_path_fit(lock_path, sizeof lock_path, dir, "lock", e);
	if (r == 0)
		r = pv_dir_make(dir, 0700, e);
	/* Two first uses at once must not make two authorities. */
	if (r == 0)
		r = pv_file_lock(lock_path, 5000, &lock, e);
	if (r != 0)
		return pv_wrap(e, "certificate authority '%s'", dir);
	if (access(key_path, F_OK) == 0)
		r = pv_ec_read_pem(key_path, &key, e);
	else if (access(pem_path, F_OK) == 0)
		r = pv_fail(e, PV_E_NOT_FOUND,
		    "'%s' is there, but not its private key '%s'", pem_path,
		    key_path);
	else
		r = make(key_path, &key, e);
	if (r == 0)
		r = match(key, key_path, pem_path, e);
	close(lock);
	if (r != 0) {
		pv_ec_free(key);
		return pv_wrap(e, "certificate authority '%s'", dir);
	}
	*ret_key = key;
	return 0;
}

int
pv_sim_certificate(const struct pv_ec_key *ca, const char *product_id,
    const uint8_t public_key[64], uint8_t ret_cert[PV_SIM_CERT],
    struct pv_error *e)
{
	uint8_t cert[PV_SIM_CERT], digest[PV_SHA256_LEN];
	struct pv_part part = { cert, SIGNED };
	int r;

	if (strlen(product_id) != 8)
		return pv_fail(e, PV_E_USAGE,
		    "product id '%s' is not 8 characters", product_id);
	memcpy(cert, product_id, 8);
	memcpy(cert + 8, public_key, 64);
	r = pv_sha256(&part, 1, digest, e);
	if (r == 0)
		r = pv_ecdsa_sign(ca, digest, cert + SIGNED, e);
	if (r != 0)
		return pv_wrap(e, "signing the chip certificate");
	memcpy(ret_cert, cert, sizeof cert);
	return 0;
}
