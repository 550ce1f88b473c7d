/* SPDX-License-Identifier: Apache-2.0 */
/* Secret provisioning from inside: ssp_install.c and ssp_otp.c. */
#ifndef PV_PUSH_SSP_INSTALL_H
#define PV_PUSH_SSP_INSTALL_H

#include "push/mpu_chain.h"
#include <provisor/ssp.h>

struct ssp {
	const struct pv_mpu *m;
	const struct pv_ssp_install_options *opt;
	struct pv_ssp_install_report *rep;
	bool talked;  /* the loader has run on this chip and said so */
	bool burning; /* boot 3 has ended: what follows is the proof */
	bool done;
	bool sent_all;	    /* the ROM took all of the loader */
	bool started;	    /* and its end */
	unsigned int asked; /* times the loader began with boot 1 */
	int64_t start_ms;   /* longest time until it talked */
};

/* --- ssp_otp.c -------------------------------------------------------------- */

/* With images for it: through U-Boot, look at the OTP words, back to the ROM. */
PV_MUST_USE int pv_ssp_look_first(struct ssp *s, struct pv_error *e);
/* U-Boot answers: are the words of the package blank, the chip open? */
PV_MUST_USE int pv_ssp_check_otp(struct ssp *s, struct pv_error *e);
/* After boot 3: through U-Boot, and what was to be burnt is burnt. */
PV_MUST_USE int pv_ssp_prove_otp(struct ssp *s, struct pv_error *e);

#endif
