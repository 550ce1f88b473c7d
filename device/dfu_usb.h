/* SPDX-License-Identifier: Apache-2.0 */
/* Inside device/ only: the standard requests of the USB bootloader. */
#ifndef PV_DEVICE_DFU_USB_H
#define PV_DEVICE_DFU_USB_H

#include "device/dfu.h"

/* Requests of USB 2.0 chapter 9. */
enum pv_dd_end pv_dd_standard(struct pv_dd *m, const struct pv_dd_setup *setup,
    uint8_t *data, size_t *ret_len);

#endif
