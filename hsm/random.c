/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of the token's own generator (PKCS#11 v2.40, C_GenerateRandom). */
#include "hsm_int.h"

int
pv_hsm_random(struct pv_hsm *hsm, uint8_t *data, size_t len, struct pv_error *e)
{
	CK_RV rv = CKR_RANDOM_NO_RNG;

	if (hsm->token.flags & CKF_RNG)
		rv = hsm->f->C_GenerateRandom(hsm->session, data, len);
	if (rv == CKR_OK)
		return 0;
	pv_wipe(data, len);
	return pv_ck_fail(e, rv, "random bytes of token '%s'", hsm->shown);
}
