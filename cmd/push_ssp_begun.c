/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a push sends in boot 2 is burnt in boot 3, which may be in the push
 * after it; and there the chip no longer says who it is. So this station
 * notes which chip got which package: by the serial of its USB device, which
 * stays, or else by the port, at which it is still powered.
 */
#include "cmd/push.h"

#include "base/buf.h"
#include "base/file.h"
#include "crypto/digest.h"
#include "formats/certificate.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define NOTE_LEN (PV_CERT_LEN + PV_SHA256_LEN)

int
pv_begun_init(struct pv_push *p, const char *usb_serial, const uint8_t *file,
    size_t len, struct pv_begun *ret_b, struct pv_error *e)
{
	const char *who = usb_serial[0] != '\0' ? usb_serial : p->to.port;
	struct pv_part key[] = { { usb_serial[0] != '\0' ? "serial" : "port",
				     6 },
		{ who, strlen(who) } };
	struct pv_part package = { file, len };
	uint8_t digest[PV_SHA256_LEN];
	char name[64], dir[PV_PUSH_PATH];
	int r;

	key[0].len = strlen(key[0].data);
	ret_b->by_serial = usb_serial[0] != '\0';
	r = pv_sha256(&package, 1, ret_b->package, e);
	if (r == 0)
		r = pv_sha256(key, 2, digest, e);
	if (r == 0)
		r = pv_home_path(p->app, "licenses", dir, sizeof(dir), e);
	if (r == 0)
		r = pv_dir_make(dir, 0700, e);
	if (r != 0)
		return r;
	(void)snprintf(name, sizeof(name), "licenses/boot3-%016" PRIx64,
	    pv_get_u64le(digest));
	return pv_home_path(p->app, name, ret_b->path, sizeof(ret_b->path), e);
}

int
pv_begun_save(const struct pv_begun *b, const uint8_t certificate[136],
    struct pv_error *e)
{
	uint8_t note[NOTE_LEN];
	int r;

	memcpy(note, certificate, PV_CERT_LEN);
	memcpy(note + PV_CERT_LEN, b->package, PV_SHA256_LEN);
	r = pv_file_write(b->path, 0600, note, sizeof(note), e);
	return r != 0 ? pv_wrap(e, "noting the chip for boot 3") : 0;
}

bool
pv_begun_find(const struct pv_begun *b, uint8_t ret_certificate[136])
{
	struct pv_error ignored = { 0 };
	uint8_t note[NOTE_LEN];

	if (pv_file_read_exact(b->path, note, sizeof(note), &ignored) != 0 ||
	    memcmp(note + PV_CERT_LEN, b->package, PV_SHA256_LEN) != 0)
		return false;
	memcpy(ret_certificate, note, PV_CERT_LEN);
	return true;
}

void
pv_begun_forget(const struct pv_begun *b)
{
	if (!b->by_serial)
		(void)unlink(b->path);
}
