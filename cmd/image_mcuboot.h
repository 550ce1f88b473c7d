/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files cmd/image_mcuboot*.c and the program's `inspect`. */
#ifndef PV_CMD_IMAGE_MCUBOOT_H
#define PV_CMD_IMAGE_MCUBOOT_H

#include "cmd/cmd.h"
#include "image/mcuboot.h"

/* What the header and entries of an open image say, on stdout or into `o`. */
void pv_mcuboot_show(const struct pv_app *app, struct pv_json *o,
    const struct pv_mcuboot_file *f, const struct pv_mcuboot_flavor *flavor);

/* --- image_mcuboot_opts.c: the words of imgtool to parameters ------------------ */

/* What was typed; NULL for what was not. */
struct pv_mcuboot_opts {
	const char *flavor, *magic, *header_size, *slot_size, *align;
	const char *max_align, *max_sectors, *version, *counter, *erased;
	const char *endian, *boot_record, *vid, *cid, *load_addr, *rom_fixed;
	const char *sha, *key_format, *encrypt, *encrypt_kw, *keylen;
	const char *hmac_sha, *hex_addr, *output, *otfdec, *vector, *sig_out;
	const char *seed, *batch;
	const char **keys, **signatures, **publics, **deps, **custom;
	const char **custom_file;
	int pad_header, pad, confirm, overwrite_only, primary_only, clear;
	int pure, pad_sig, no_pad_tlv, save_enctlv, non_bootable;
};

/* Parameters, and what they borrow from. */
struct pv_mcuboot_setup {
	struct pv_mcuboot_params p;
	struct pv_mcuboot_recipient to;
	struct pv_mcuboot_random rng;
	struct pv_enckey *enc;
	struct pv_secret *wrap;
	struct pv_mcuboot_dep *deps;
	struct pv_mcuboot_custom *custom;
	uint8_t vid[16], cid[16];
	struct pv_message_signer signers[PV_MCUBOOT_SIGS_MAX];
	struct pv_pubkey *pubs[PV_MCUBOOT_SIGS_MAX];
	uint8_t *sigs[PV_MCUBOOT_SIGS_MAX];
	struct pv_hsm *hsm; /* one token serves all keys */
};

/*
 * imgtool's words that popt cannot say: "-ma N" becomes --magic, "--custom-tlv
 * TAG VALUE" one word "--custom-tlv=TAG:VALUE". In place; the new words live as
 * long as the program.
 */
PV_MUST_USE int pv_mcuboot_words(
    int *argc, const char **argv, struct pv_error *e);
/* Everything but the keys; release it either way. */
PV_MUST_USE int pv_mcuboot_setup(const struct pv_mcuboot_opts *o,
    struct pv_mcuboot_setup *s, struct pv_error *e);
void pv_mcuboot_setup_release(struct pv_mcuboot_setup *s);
/* image_mcuboot_keys.c: signing keys, signatures made elsewhere, encryption. */
PV_MUST_USE int pv_mcuboot_setup_keys(struct pv_app *app,
    const struct pv_mcuboot_opts *o, struct pv_mcuboot_setup *s,
    struct pv_error *e);
PV_MUST_USE int pv_mcuboot_open_wrap(struct pv_app *app, const char *key,
    struct pv_secret **ret_key, struct pv_error *e);

int pv_image_mcuboot_inspect(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_image_mcuboot_sign(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_image_mcuboot_verify(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_image_mcuboot_encrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);
int pv_image_mcuboot_decrypt(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

/* image_xml.c */
int pv_image_from_xml(
    struct pv_app *app, int argc, const char **argv, struct pv_error *e);

#endif
