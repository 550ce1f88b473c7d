/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/rand.h"

#include "crypto/ossl.h"

#include <openssl/rand.h>

#include <limits.h>

int
pv_random(void *data, size_t len, struct pv_error *e)
{
	if (len > INT_MAX || RAND_priv_bytes(data, (int)len) != 1)
		return pv_ossl_fail(e, "random bytes");
	return 0;
}
