/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DFU devices through libusb: finding the one that was asked for, control
 * transfers with our own deadlines, and coming back after a restart.
 */
#include <provisor/usb.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/utf16.h"

#include <libusb.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* DFU mode: USB DFU 1.1 section 4.2.3 */
#define CLASS_APPLICATION 0xfeU
#define SUBCLASS_DFU	  0x01U
#define PROTOCOL_DFU_MODE 0x02U
#define TYPE_FUNCTIONAL	  0x21U

#define DEVICES_MAX 64U
#define PORTS_DEEP  8 /* USB 3 allows 7 */
#define T_STRING    1000
#define T_AGAIN	    50 /* between looks for a device that restarts */
#define LANG_US	    0x0409U

struct usb_device {
	libusb_context *usb;
	libusb_device_handle *handle; /* NULL while it restarts */
	char path[PV_USB_PORT];	      /* bus-port, without "dfu:" */
	uint8_t interface;
};

static int
usb_fail(struct pv_error *e, int usb_code, const char *what)
{
	int code = PV_E_DEVICE;

	switch (usb_code) {
	case LIBUSB_ERROR_TIMEOUT:
		code = PV_E_TIMEOUT;
		break;
	case LIBUSB_ERROR_PIPE:
		code = PV_E_NACK;
		break;
	case LIBUSB_ERROR_NO_DEVICE:
	case LIBUSB_ERROR_NOT_FOUND:
	case LIBUSB_ERROR_ACCESS:
	case LIBUSB_ERROR_BUSY:
		code = PV_E_LINK;
		break;
	case LIBUSB_ERROR_NO_MEM:
		code = PV_E_NOMEM;
		break;
	default:
		break;
	}
	pv_error_set(e, code, "%s: %s", what, libusb_error_name(usb_code));
	if (e != NULL)
		e->vendor_code = usb_code;
	if (usb_code == LIBUSB_ERROR_ACCESS)
		(void)pv_hint(e,
		    "the udev rules of provisor (60-provisor.rules) give users "
		    "of group 'plugdev' and of the seat access to it");
	else if (usb_code == LIBUSB_ERROR_BUSY)
		(void)pv_hint(e, "another program uses it");
	return code;
}

/* --- descriptors ----------------------------------------------------------- */

/* "1-4.2" as in /sys/bus/usb/devices. */
static bool
bus_port(libusb_device *dev, char *dst, size_t cap)
{
	uint8_t ports[PORTS_DEEP];
	int n = libusb_get_port_numbers(dev, ports, PORTS_DEEP), k;
	size_t len;

	if (n <= 0)
		return false; /* a root hub */
	k = snprintf(dst, cap, "%u-%u",
	    (unsigned int)libusb_get_bus_number(dev), (unsigned int)ports[0]);
	if (k < 0 || (size_t)k >= cap)
		return false;
	len = (size_t)k;
	for (int i = 1; i < n; i++) {
		k = snprintf(
		    dst + len, cap - len, ".%u", (unsigned int)ports[i]);
		if (k < 0 || (size_t)k >= cap - len)
			return false;
		len += (size_t)k;
	}
	return true;
}

/* The functional descriptor among the class-specific bytes `p`. */
static void
find_functional(const uint8_t *p, int len, struct pv_usb *u)
{
	while (len >= 2 && p[0] >= 2 && p[0] <= len) {
		if (p[1] == TYPE_FUNCTIONAL && u->functional_len == 0) {
			u->functional_len =
			    p[0] < PV_USB_FUNCTIONAL ? p[0] : PV_USB_FUNCTIONAL;
			memcpy(u->functional, p, u->functional_len);
			return;
		}
		len -= p[0];
		p += p[0];
	}
}

static bool
dfu_interface(const struct libusb_interface *in, struct pv_usb *u)
{
	bool found = false;

	for (int i = 0; i < in->num_altsetting; i++) {
		const struct libusb_interface_descriptor *d =
		    &in->altsetting[i];

		if (d->bInterfaceClass != CLASS_APPLICATION ||
		    d->bInterfaceSubClass != SUBCLASS_DFU ||
		    d->bInterfaceProtocol != PROTOCOL_DFU_MODE)
			continue;
		found = true;
		u->interface = d->bInterfaceNumber;
		if (u->n_alts < PV_USB_ALTS) {
			u->alts[u->n_alts].number = d->bAlternateSetting;
			u->alts[u->n_alts++].name = d->iInterface;
		}
		find_functional(d->extra, d->extra_length, u);
	}
	return found;
}

/* Is it in DFU mode? Then *u says what its descriptors say. */
static bool
describe(libusb_device *dev, struct pv_usb *u)
{
	struct libusb_config_descriptor *c = NULL;
	struct libusb_device_descriptor d;
	char path[PV_USB_PORT - 4];
	bool found = false;

	memset(u, 0, sizeof(*u));
	if (libusb_get_device_descriptor(dev, &d) != 0 ||
	    !bus_port(dev, path, sizeof(path)))
		return false;
	if (libusb_get_active_config_descriptor(dev, &c) != 0 &&
	    libusb_get_config_descriptor(dev, 0, &c) != 0)
		return false;
	for (int i = 0; i < c->bNumInterfaces && !found; i++)
		found = dfu_interface(&c->interface[i], u);
	/*
	 * After a functional descriptor that stands behind all interfaces of
	 * the configuration libusb hands it out here.
	 */
	find_functional(c->extra, c->extra_length, u);
	libusb_free_config_descriptor(c);
	u->vendor = d.idVendor;
	u->product = d.idProduct;
	u->device = d.bcdDevice;
	(void)snprintf(u->port, sizeof(u->port), "dfu:%s", path);
	return found;
}

static void
read_string(libusb_device_handle *h, uint8_t index, char *dst, size_t cap)
{
	uint8_t raw[255] = { 0 };
	int n;

	dst[0] = '\0';
	if (index == 0)
		return;
	n = libusb_control_transfer(h, LIBUSB_ENDPOINT_IN,
	    LIBUSB_REQUEST_GET_DESCRIPTOR,
	    (uint16_t)(LIBUSB_DT_STRING << 8 | index), LANG_US, raw,
	    sizeof(raw), T_STRING);
	if (n < 2 || raw[0] < 2 || raw[1] != LIBUSB_DT_STRING)
		return;
	if (raw[0] < n)
		n = raw[0];
	pv_utf16le_text(dst, cap, raw + 2, (size_t)n - 2);
}

/* --- candidates ------------------------------------------------------------- */

struct candidates {
	libusb_device **all;
	size_t n;
	libusb_device *dev[DEVICES_MAX];
	struct pv_usb desc[DEVICES_MAX];
};

static void
candidates_free(struct candidates *c)
{
	if (c == NULL)
		return;
	if (c->all != NULL)
		libusb_free_device_list(c->all, 1);
	free(c);
}

/* All devices in DFU mode, in the order of their ports. */
static int
candidates_new(
    libusb_context *usb, struct candidates **ret_c, struct pv_error *e)
{
	struct candidates *c = calloc(1, sizeof(*c));
	ssize_t n;

	if (c == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	n = libusb_get_device_list(usb, &c->all);
	if (n < 0) {
		free(c);
		return usb_fail(e, (int)n, "listing the USB devices");
	}
	for (ssize_t i = 0; i < n && c->n < DEVICES_MAX; i++) {
		struct pv_usb u;
		size_t k = c->n;

		if (!describe(c->all[i], &u))
			continue;
		for (; k > 0 && strcmp(c->desc[k - 1].port, u.port) > 0; k--) {
			c->desc[k] = c->desc[k - 1];
			c->dev[k] = c->dev[k - 1];
		}
		c->desc[k] = u;
		c->dev[k] = c->all[i];
		c->n++;
	}
	*ret_c = c;
	return 0;
}

static void
candidate_serial(struct candidates *c, size_t i)
{
	struct libusb_device_descriptor d;
	libusb_device_handle *h = NULL;

	if (libusb_get_device_descriptor(c->dev[i], &d) != 0 ||
	    d.iSerialNumber == 0 || libusb_open(c->dev[i], &h) != 0)
		return;
	read_string(
	    h, d.iSerialNumber, c->desc[i].serial, sizeof(c->desc[i].serial));
	libusb_close(h);
}

/* The one device that `want` names (NULL: any). */
static int
choose(
    struct candidates *c, const char *want, size_t *ret_i, struct pv_error *e)
{
	char list[160] = "";
	size_t len = 0, matches = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (want != NULL && strcmp(c->desc[i].port + 4, want) != 0) {
			candidate_serial(c, i);
			if (strcmp(c->desc[i].serial, want) != 0)
				continue;
		}
		matches++;
		*ret_i = i;
		if (len + strlen(c->desc[i].port) + 3 < sizeof(list))
			len += (size_t)snprintf(list + len, sizeof(list) - len,
			    "%s%s", len > 0 ? ", " : "", c->desc[i].port);
	}
	if (matches == 1)
		return 0;
	if (matches > 1) {
		(void)pv_fail(e, PV_E_LINK,
		    "%zu USB devices in DFU mode match: %s", matches, list);
		return pv_hint(e, "name one of them with --port dfu:BUS-PORT");
	}
	if (want != NULL && c->n > 0)
		(void)pv_fail(e, PV_E_LINK,
		    "no USB device in DFU mode has serial number or port '%s'",
		    want);
	else
		(void)pv_fail(e, PV_E_LINK, "no USB device is in DFU mode");
	return pv_hint(e,
	    "set the boot pin (BOOT0 high) and reset the chip; 'provisor "
	    "device list' shows the devices present");
}

/* --- the interface ------------------------------------------------------------ */

static int
dev_control(void *ctx, const struct pv_usb_setup *s, uint8_t *data,
    uint16_t *ret_len, int64_t deadline_ms, struct pv_error *e)
{
	struct usb_device *d = ctx;
	int left = pv_ms_left(deadline_ms), n;

	if (d->handle == NULL)
		return pv_fail(
		    e, PV_E_LINK, "USB device '%s' went away", d->path);
	/* 0 would mean "for ever" to libusb. */
	n = libusb_control_transfer(d->handle, s->type, s->request, s->value,
	    s->index, data, s->length, left > 0 ? (unsigned int)left : 1U);
	if (n < 0)
		return usb_fail(e, n,
		    n == LIBUSB_ERROR_NO_DEVICE ? "the USB device went away"
						: "USB transfer");
	*ret_len = (uint16_t)n;
	return 0;
}

static int
dev_alternate(void *ctx, unsigned int number, struct pv_error *e)
{
	struct usb_device *d = ctx;
	int rc;

	if (d->handle == NULL)
		return pv_fail(
		    e, PV_E_LINK, "USB device '%s' went away", d->path);
	rc = libusb_set_interface_alt_setting(
	    d->handle, d->interface, (int)number);
	return rc == 0 ? 0 : usb_fail(e, rc, "selecting the memory");
}

static void
dev_close(struct usb_device *d)
{
	if (d->handle == NULL)
		return;
	(void)libusb_release_interface(d->handle, d->interface);
	libusb_close(d->handle);
	d->handle = NULL;
}

static void
dev_free(void *ctx)
{
	struct usb_device *d = ctx;

	dev_close(d);
	if (d->usb != NULL)
		libusb_exit(d->usb);
	free(d);
}

/* Open and claim candidate i; the descriptor fields of *u are set. */
static int
dev_open(struct usb_device *d, const struct candidates *c, size_t i,
    struct pv_usb *u, struct pv_error *e)
{
	struct libusb_device_descriptor desc;
	struct pv_usb found = c->desc[i];
	int rc;

	rc = libusb_open(c->dev[i], &d->handle);
	if (rc != 0) {
		d->handle = NULL;
		(void)usb_fail(e, rc, "opening it");
		return pv_wrap(e, "USB device '%s'", found.port);
	}
	d->interface = found.interface;
	rc = libusb_claim_interface(d->handle, d->interface);
	if (rc != 0) {
		libusb_close(d->handle);
		d->handle = NULL;
		(void)usb_fail(e, rc, "claiming its interface");
		return pv_wrap(e, "USB device '%s'", found.port);
	}
	if (found.serial[0] == '\0' &&
	    libusb_get_device_descriptor(c->dev[i], &desc) == 0)
		read_string(d->handle, desc.iSerialNumber, found.serial,
		    sizeof(found.serial));
	memcpy(u->port, found.port, sizeof(u->port));
	memcpy(u->serial, found.serial, sizeof(u->serial));
	u->vendor = found.vendor;
	u->product = found.product;
	u->device = found.device;
	u->interface = found.interface;
	u->n_alts = found.n_alts;
	memcpy(u->alts, found.alts, sizeof(u->alts));
	u->functional_len = found.functional_len;
	memcpy(u->functional, found.functional, sizeof(u->functional));
	return 0;
}

/* One look for the device at its port. */
static int
try_reopen(struct pv_usb *u, struct usb_device *d, struct pv_error *e)
{
	uint8_t status[2];
	struct candidates *c = NULL;
	size_t i;
	int rc;

	/*
	 * A context learns of new devices from udev, which containers do not
	 * run; a new one looks into /sys.
	 */
	if (d->usb != NULL)
		libusb_exit(d->usb);
	d->usb = NULL;
	rc = libusb_init(&d->usb);
	if (rc != 0) {
		d->usb = NULL;
		return usb_fail(e, rc, "starting libusb");
	}
	if ((rc = candidates_new(d->usb, &c, e)) != 0)
		return rc;
	for (i = 0; i < c->n; i++)
		if (strcmp(c->desc[i].port + 4, d->path) == 0)
			break;
	if (i == c->n)
		rc = pv_fail(e, PV_E_LINK,
		    "no device in DFU mode came back on '%s'", d->path);
	else
		rc = dev_open(d, c, i, u, e);
	/*
	 * The node of a device that has just left stays for a moment, so it
	 * must answer GET_STATUS (USB 2.0 section 9.4.5) before it counts.
	 */
	if (rc == 0) {
		rc = libusb_control_transfer(d->handle, LIBUSB_ENDPOINT_IN,
		    LIBUSB_REQUEST_GET_STATUS, 0, 0, status, sizeof(status),
		    T_STRING);
		if (rc < 0) {
			dev_close(d);
			rc = usb_fail(e, rc, "after its restart");
		} else {
			rc = 0;
		}
	}
	candidates_free(c);
	return rc;
}

static int
dev_reopen(struct pv_usb *u, int64_t deadline_ms, struct pv_error *e)
{
	struct usb_device *d = u->ctx;
	int rc;

	dev_close(d);
	for (;;) {
		struct pv_error last = { 0 };

		rc = try_reopen(u, d, &last);
		if (rc == 0)
			return 0;
		if (pv_ms_left(deadline_ms) == 0 || rc == PV_E_NOMEM) {
			if (e != NULL)
				*e = last;
			return rc;
		}
		pv_sleep_ms(T_AGAIN);
	}
}

int
pv_usb_open(const char *port, struct pv_usb *ret_usb, struct pv_error *e)
{
	const char *want = NULL;
	struct candidates *c = NULL;
	struct usb_device *d;
	struct pv_usb u = { 0 };
	size_t i = 0;
	int rc;

	if (strncmp(port, "dfu:", 4) == 0 && port[4] != '\0')
		want = port + 4;
	else if (strcmp(port, "dfu") != 0)
		return pv_fail(e, PV_E_USAGE,
		    "port '%s' is not dfu, dfu:SERIAL or dfu:BUS-PORT", port);
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	rc = libusb_init(&d->usb);
	if (rc != 0) {
		free(d);
		return usb_fail(e, rc, "starting libusb");
	}
	rc = candidates_new(d->usb, &c, e);
	if (rc == 0)
		rc = choose(c, want, &i, e);
	if (rc == 0)
		rc = dev_open(d, c, i, &u, e);
	if (rc != 0) {
		candidates_free(c);
		dev_free(d);
		return rc;
	}
	candidates_free(c);
	(void)snprintf(d->path, sizeof(d->path), "%.*s",
	    (int)sizeof(d->path) - 5, u.port + 4);
	u.ctx = d;
	u.control = dev_control;
	u.alternate = dev_alternate;
	u.reopen = dev_reopen;
	u.free = dev_free;
	*ret_usb = u;
	return 0;
}

void
pv_usb_release(struct pv_usb *usb)
{
	if (usb == NULL)
		return;
	if (usb->free != NULL)
		usb->free(usb->ctx);
	memset(usb, 0, sizeof(*usb));
}

/* --- the list ------------------------------------------------------------------ */

static void
fill_info(libusb_device *dev, const struct pv_usb *u, struct pv_usb_info *info)
{
	struct libusb_device_descriptor d;
	libusb_device_handle *h = NULL;
	int rc;

	memset(info, 0, sizeof(*info));
	memcpy(info->port, u->port, sizeof(info->port));
	info->vendor = u->vendor;
	info->product = u->product;
	info->device = u->device;
	if (u->functional_len >= 7)
		info->transfer_size =
		    (uint16_t)(u->functional[5] | u->functional[6] << 8);
	rc = libusb_open(dev, &h);
	info->denied = rc == LIBUSB_ERROR_ACCESS;
	if (rc != 0 || libusb_get_device_descriptor(dev, &d) != 0) {
		if (rc == 0)
			libusb_close(h);
		return;
	}
	read_string(h, d.iSerialNumber, info->serial, sizeof(info->serial));
	read_string(h, d.iProduct, info->title, sizeof(info->title));
	if (u->n_alts > 0)
		read_string(
		    h, u->alts[0].name, info->memory, sizeof(info->memory));
	libusb_close(h);
}

int
pv_usb_list(int (*each)(void *ctx, const struct pv_usb_info *info), void *ctx,
    struct pv_error *e)
{
	libusb_context *usb = NULL;
	struct candidates *c = NULL;
	struct pv_usb_info info;
	int rc;

	rc = libusb_init(&usb);
	if (rc != 0)
		return usb_fail(e, rc, "starting libusb");
	rc = candidates_new(usb, &c, e);
	for (size_t i = 0; rc == 0 && i < c->n; i++) {
		fill_info(c->dev[i], &c->desc[i], &info);
		rc = each(ctx, &info);
	}
	candidates_free(c);
	libusb_exit(usb);
	return rc;
}
