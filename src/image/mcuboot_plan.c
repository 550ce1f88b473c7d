/* SPDX-License-Identifier: Apache-2.0 */
/* What an image will look like: input, protected area, header, trailer. */
#include "image/mcuboot_plan.h"

#include "base/buf.h"
#include "crypto/sigkey.h"
#include "image/cbor.h"
#include "image/out.h"
#include <provisor/image.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROTECT_MAX 65535U
#define ENTRY	    4U /* type and length */

void
pv_mcuboot_plan_release(struct pv_mcuboot_plan *pl)
{
	pv_image_free(pl->img);
	free(pl->protect);
	memset(pl, 0, sizeof(*pl));
}

/* --- input ----------------------------------------------------------------- */

/* The input must not be an image already, and must leave room for a header
 * unless one is put before it. */
static int
check_beginning(struct pv_mcuboot_plan *pl, const char *in, uint64_t size,
    struct pv_error *e)
{
	size_t n = pl->p->hdr_size;
	uint8_t *head;
	int r;

	if (pl->p->pad_header)
		n = 4;
	if (size < n || (!pl->p->pad_header && size == n))
		return pl->p->pad_header ? 0
					 : pv_fail(e, PV_E_MALFORMED,
					       "'%s' has %llu bytes, not even "
					       "a header of %zu",
					       in, (unsigned long long)size, n);
	head = malloc(n);
	if (head == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	r = pv_image_read(pl->img, 0, 0, head, n, e);
	if (r == 0 && pv_mcuboot_magic_name(pv_get_u32le(head)) != NULL) {
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' has an MCUboot header already", in);
		(void)pv_hint(e, "sign the plain firmware, not a signed image");
	}
	for (size_t i = 0; r == 0 && !pl->p->pad_header && i < n; i++) {
		if (head[i] == 0)
			continue;
		r = pv_fail(e, PV_E_MALFORMED,
		    "'%s' does not begin with %zu zero bytes to put the "
		    "header into",
		    in, n);
		(void)pv_hint(e, "--pad-header puts the header before the "
				 "firmware; or is --header-size wrong?");
	}
	free(head);
	return r;
}

static int
open_input(struct pv_mcuboot_plan *pl, const char *in, struct pv_error *e)
{
	const struct pv_mcuboot_params *p = pl->p;
	uint64_t size = 0;
	bool records = false;
	int r = pv_mcuboot_load(
	    in, p->erased, &pl->img, &pl->base, &size, &records, e);

	if (r == 0)
		r = check_beginning(pl, in, size, e);
	if (r != 0)
		return r;
	pl->skip = p->pad_header ? 0 : p->hdr_size;
	pl->fill = p->pad_header ? p->erased : 0;
	pl->given = size - pl->skip;
	pl->payload = pl->given;
	if (p->to != NULL)
		pl->payload = (pl->given + 15) / 16 * 16;
	if (pl->payload > UINT32_MAX - UINT16_MAX)
		return pv_fail(e, PV_E_RANGE,
		    "'%s' has %llu bytes, more than an image can", in,
		    (unsigned long long)size);
	if (p->has_hex_addr)
		pl->base = p->hex_addr;
	else if (records && p->pad_header && pl->base >= p->hdr_size)
		pl->base -= p->hdr_size;
	else if (records && p->pad_header)
		return pv_fail(e, PV_E_RANGE,
		    "no room for a header of %u bytes before address 0x%llx",
		    p->hdr_size, (unsigned long long)pl->base);
	return 0;
}

/* --- protected area -------------------------------------------------------- */

static int
put_boot_record(
    const struct pv_mcuboot_plan *pl, struct pv_writer *w, struct pv_error *e)
{
	const struct pv_mcuboot_params *p = pl->p;
	uint8_t data[PV_BOOT_RECORD_MAX], signer[64] = { 0 };
	char version[24], description[8];
	struct pv_boot_record b = {
		.type = p->boot_record,
		.version = version,
		.signer = signer,
		.description = description,
		.hash_len = pl->bits / 8,
	};
	size_t len = 0;
	int r = 0;

	if (strlen(p->boot_record) > PV_BOOT_RECORD_TYPE_MAX)
		return pv_fail(e, PV_E_USAGE,
		    "--boot-record '%s' is longer than %u characters",
		    p->boot_record, PV_BOOT_RECORD_TYPE_MAX);
	(void)snprintf(version, sizeof(version), "%u.%u.%u",
	    (unsigned int)p->version.major, (unsigned int)p->version.minor,
	    (unsigned int)p->version.revision);
	(void)snprintf(description, sizeof(description), "SHA%u", pl->bits);
	if (p->n_sigs > 0)
		r = pv_mcuboot_key_hash(p->sigs[0].pub, pl->bits, signer, e);
	if (r == 0)
		r = pv_boot_record_encode(&b, data, &len, e);
	if (r == 0)
		pv_mcuboot_tlv_put(w, PV_TLV_BOOT_RECORD, data, len);
	return r;
}

static void
put_dependency(struct pv_writer *w, const struct pv_mcuboot_dep *d)
{
	uint8_t data[12] = { d->image };

	data[4] = d->version.major;
	data[5] = d->version.minor;
	pv_put_u16le(data + 6, d->version.revision);
	pv_put_u32le(data + 8, d->version.build);
	pv_mcuboot_tlv_put(w, PV_TLV_DEPENDENCY, data, sizeof(data));
}

/* Entries in the order of imgtool; `fake` is ST's filler, 0 without one. */
static int
put_entries(const struct pv_mcuboot_plan *pl, struct pv_writer *w, size_t fake,
    struct pv_error *e)
{
	static const uint8_t zeros[64] = { 0 };
	const struct pv_mcuboot_params *p = pl->p;
	uint8_t counter[4];
	int r = 0;

	pv_put_u32le(counter, p->counter);
	if (p->has_counter)
		pv_mcuboot_tlv_put(w, PV_TLV_SEC_CNT, counter, 4);
	if (fake != 0)
		pv_mcuboot_tlv_put(w, PV_TLV_BOOT_RECORD, zeros, fake - ENTRY);
	if (p->boot_record != NULL)
		r = put_boot_record(pl, w, e);
	for (size_t i = 0; i < p->n_deps; i++)
		put_dependency(w, &p->deps[i]);
	if (p->vid != NULL)
		pv_mcuboot_tlv_put(w, PV_TLV_UUID_VID, p->vid, 16);
	if (p->cid != NULL)
		pv_mcuboot_tlv_put(w, PV_TLV_UUID_CID, p->cid, 16);
	for (size_t i = 0; i < p->n_custom; i++)
		pv_mcuboot_tlv_put(
		    w, p->custom[i].type, p->custom[i].data, p->custom[i].len);
	if (p->test_mark)
		pv_mcuboot_tlv_put(w, PV_TLV_TEST_MARK, PV_MCUBOOT_TEST_MARK,
		    sizeof(PV_MCUBOOT_TEST_MARK) - 1);
	return r;
}

static int
build_protected(struct pv_mcuboot_plan *pl, size_t fake, struct pv_error *e)
{
	struct pv_writer w;
	size_t mark;
	int r;

	if (pl->protect == NULL && (pl->protect = malloc(PROTECT_MAX)) == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	pv_wr_init(&w, pl->protect, PROTECT_MAX);
	mark = pv_mcuboot_area_begin(&w, PV_MCUBOOT_INFO_PROTECTED);
	r = put_entries(pl, &w, fake, e);
	if (r != 0)
		return r;
	if (!pv_mcuboot_area_end(&w, mark))
		return pv_fail(e, PV_E_RANGE,
		    "the protected entries have more than 65535 bytes");
	/* An area without entries is none. */
	pl->protect_len = w.len == 4 ? 0 : w.len;
	return 0;
}

/* --- ST's filler ------------------------------------------------------------ */

/* Bytes of the unprotected area of an STiRoT image: one signature of 72. */
static uint64_t
unprotected_len(const struct pv_mcuboot_plan *pl)
{
	const struct pv_mcuboot_params *p = pl->p;
	uint64_t n = 4 + ENTRY + pl->bits / 8;
	uint8_t der[PV_SPKI_MAX];
	size_t key = pl->bits / 8;

	if (p->n_sigs > 0) {
		if (p->full_key &&
		    pv_mcuboot_key_encode(p->sigs[0].pub, der, &key, NULL) != 0)
			key = PV_SPKI_MAX;
		n +=
		    ENTRY + key + ENTRY +
		    pv_mcuboot_sig_max(pv_pubkey_alg(p->sigs[0].pub), pl->form);
	}
	if (p->to != NULL)
		n += ENTRY + pv_mcuboot_enc_len(p->to, p->enc_key_len);
	return n;
}

/*
 * An encrypted STiRoT image fills its slot to the byte (ST imgtool 1.7.2,
 * image.py): zeros behind the payload up to a multiple of 16, and an entry of
 * zeros in the protected area for the rest.
 */
static int
fill_slot(struct pv_mcuboot_plan *pl, struct pv_error *e)
{
	const struct pv_mcuboot_params *p = pl->p;
	uint64_t used = p->hdr_size + pl->payload + pl->protect_len +
			unprotected_len(pl) + pl->trailer;
	uint64_t free_bytes, rest;

	if (used > p->slot_size)
		return pv_mcuboot_plan_fits(pl, used - pl->trailer, e);
	free_bytes = p->slot_size - used;
	rest = free_bytes % 16;
	if (p->no_pad_tlv) {
		pl->payload += free_bytes - rest;
		return 0;
	}
	if (rest < ENTRY + 1)
		rest += 16;
	if (rest > free_bytes)
		return pv_fail(e, PV_E_RANGE,
		    "%llu bytes are left in the slot, which no filler can "
		    "take; --no-pad-tlv leaves them",
		    (unsigned long long)free_bytes);
	pl->payload += free_bytes - rest;
	return build_protected(pl, (size_t)rest, e);
}

int
pv_mcuboot_plan_fits(
    const struct pv_mcuboot_plan *pl, uint64_t used, struct pv_error *e)
{
	uint64_t slot = pl->p->slot_size;

	if (slot == 0 || used + pl->trailer <= slot)
		return 0;
	(void)pv_fail(e, PV_E_RANGE,
	    "image of %llu bytes and trailer of %llu are %llu bytes more than "
	    "the slot of %llu has",
	    (unsigned long long)used, (unsigned long long)pl->trailer,
	    (unsigned long long)(used + pl->trailer - slot),
	    (unsigned long long)slot);
	return pv_hint(e, "is --slot-size right? --max-sectors and "
			  "--overwrite-only change the trailer");
}

/* --- header, layout -------------------------------------------------------- */

static void
make_header(struct pv_mcuboot_plan *pl)
{
	const struct pv_mcuboot_params *p = pl->p;
	struct pv_mcuboot_header *h = &pl->hashed;
	uint32_t enc =
	    p->enc_key_len == 32 ? PV_MCUBOOT_F_AES256 : PV_MCUBOOT_F_AES128;

	h->magic = p->magic;
	h->load_addr = p->load_flag != 0 ? p->load_addr : 0;
	h->hdr_size = (uint16_t)p->hdr_size;
	h->protect_size = (uint16_t)pl->protect_len;
	h->img_size = (uint32_t)pl->payload;
	h->version = p->version;
	h->flags = p->load_flag;
	if (p->non_bootable)
		h->flags |= PV_MCUBOOT_F_NON_BOOTABLE;
	if (p->primary_only)
		h->flags |= PV_MCUBOOT_F_PRIMARY_ONLY;
	if (p->to != NULL && p->otfdec)
		h->flags |= PV_MCUBOOT_F_OTFDEC;
	else if (p->to != NULL && !p->primary_only)
		h->flags |= enc;
	pl->written = *h;
	if (p->to != NULL && p->primary_only && !p->otfdec)
		pl->written.flags |= enc;
}

static void
make_layout(struct pv_mcuboot_plan *pl)
{
	const struct pv_mcuboot_params *p = pl->p;

	pl->layout = (struct pv_mcuboot_layout){
		.st = p->flavor->st,
		.stirot = p->magic == PV_MCUBOOT_MAGIC_STIROT,
		.primary_only = p->primary_only,
		.overwrite_only = p->overwrite_only,
		.encrypted = p->to != NULL,
		.save_enctlv = p->save_enctlv
				   ? pv_mcuboot_enc_len(p->to, p->enc_key_len)
				   : 0,
		.align = p->align,
		.max_align = p->max_align,
		.max_sectors = p->max_sectors,
	};
	pl->trailer = pv_mcuboot_trailer_size(&pl->layout);
}

int
pv_mcuboot_plan(const struct pv_mcuboot_params *p, const char *in,
    struct pv_mcuboot_plan *ret_plan, struct pv_error *e)
{
	struct pv_mcuboot_plan pl = { .p = p, .form = PV_SIG_DER };
	bool stirot = p->magic == PV_MCUBOOT_MAGIC_STIROT;
	int r = pv_mcuboot_check_params(p, &pl.bits, e);

	if (stirot || (p->flavor->st && p->pad_sig))
		pl.form = PV_SIG_DER_ST;
	else if (p->pad_sig)
		pl.form = PV_SIG_DER_PADDED;
	if (r == 0)
		r = open_input(&pl, in, e);
	if (r == 0)
		r = build_protected(&pl, 0, e);
	if (r == 0)
		make_layout(&pl);
	if (r == 0 && stirot && p->to != NULL)
		r = fill_slot(&pl, e);
	if (r == 0)
		r = pv_mcuboot_plan_fits(
		    &pl, p->hdr_size + pl.payload + pl.protect_len, e);
	if (r != 0) {
		pv_mcuboot_plan_release(&pl);
		return r;
	}
	make_header(&pl);
	*ret_plan = pl;
	return 0;
}
