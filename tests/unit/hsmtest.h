/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of hsm/ share: a SoftHSM2 with the token "oem". */
#ifndef PV_HSMTEST_H
#define PV_HSMTEST_H

#include <provisor/hsm.h>

#include "tests/softhsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define URI   "pkcs11:token=oem"
#define P(x)  (x), sizeof(x) - 1
#define KEY16 "AES_KEY_TEST_001"

static struct softhsm soft;

static inline struct pv_hsm *
open_token(const char *uri)
{
	struct pv_error e = { 0 };
	struct pv_hsm *h = NULL;

	if (pv_hsm_open(uri, NULL, softhsm_pin, NULL, &h, &e) != 0)
		fail_msg("%s", e.msg);
	return h;
}

static inline int
setup(void **state)
{
	(void)state;
	if (!softhsm_start(&soft))
		return getenv("CI") != NULL ? -1 : 0;
	return softhsm_token("oem") ? 0 : -1;
}

static inline int
teardown(void **state)
{
	(void)state;
	softhsm_stop(&soft);
	return 0;
}

static inline void
need_softhsm(void)
{
	if (getenv("SOFTHSM2_CONF") == NULL)
		skip();
}

static inline struct pv_secret *
secret(const char *bytes, size_t len)
{
	struct pv_secret *s = NULL;

	assert_int_equal(pv_secret_new(len, &s, NULL), 0);
	memcpy(pv_secret_data(s), bytes, len);
	return s;
}

static inline void
import(struct pv_hsm *h, const char *bytes, size_t len, const char *label)
{
	struct pv_error e = { 0 };
	struct pv_secret *s = secret(bytes, len);

	if (pv_hsm_import_aes(h, s, label, NULL, &e) != 0)
		fail_msg("%s", e.msg);
	pv_secret_free(s);
}

#endif
