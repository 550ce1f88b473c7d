/* SPDX-License-Identifier: Apache-2.0 */
/*
 * USB of an STM32MP: alternate settings, descriptors and transfers of the
 * stage that runs. Look at m->usb_left after a transfer: then the device is
 * off the bus, and comes back as what the stage has by then.
 */
#ifndef PV_DEVICE_MPU_USB_H
#define PV_DEVICE_MPU_USB_H

#include "device/mpu_stage.h"
#include "device/usb.h"

#define PV_MP_USB_BLOCK 1024U

/* Alternate setting `i` of the stage that runs; false: there is none. */
struct pv_mp_alt {
	uint8_t id;
	char text[64];
};
bool pv_mp_usb_alt(const struct pv_mp *m, size_t i, struct pv_mp_alt *ret_alt);

/* For descriptors and strings. */
void pv_mp_usb_face(struct pv_mp *m, struct pv_usb_face *ret_face);

/*
 * One control transfer on endpoint 0. `data` holds setup->length bytes: sent
 * by the host, or room for the answer. *ret_len is how many bytes moved.
 */
enum pv_dd_end pv_mp_usb_transfer(struct pv_mp *m,
    const struct pv_dd_setup *setup, uint8_t *data, size_t *ret_len);

#endif
