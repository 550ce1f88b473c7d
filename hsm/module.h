/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of pv_hsm_open before the login. */
#ifndef PV_MODULE_H
#define PV_MODULE_H

#include "hsm_int.h"

/* Load and start exactly one module; pv_module_unload undoes all of it. */
PV_MUST_USE int pv_module_load(
    struct pv_hsm *hsm, P11KitUri *uri, const char *module, struct pv_error *e);
void pv_module_unload(struct pv_hsm *hsm);

/* The one token that the URI matches; `text` is the URI for messages. */
PV_MUST_USE int pv_module_choose_token(
    struct pv_hsm *hsm, P11KitUri *uri, const char *text, struct pv_error *e);

#endif
