/* SPDX-License-Identifier: Apache-2.0 */
/* From the words of imgtool to parameters. */
#include "cmd/image_mcuboot.h"

#include "base/file.h"
#include "base/hex.h"
#include "crypto/enckey.h"
#include "crypto/sigkey.h"

#include <stdlib.h>
#include <string.h>

#define CUSTOM_MAX  65000U
#define SECTORS_DEF 128U /* imgtool DEFAULT_MAX_SECTORS */

/* --- words ----------------------------------------------------------------- */

/* Made words are kept for as long as argv is. */
static const char *
join(const char *a, const char *b, const char *c, const char *d)
{
	size_t cap = strlen(a) + strlen(b) + strlen(c) + strlen(d) + 3;
	char *s = malloc(cap);
	static char *kept[64];
	static size_t n;

	if (s != NULL && n < sizeof(kept) / sizeof(kept[0]))
		kept[n++] = s;
	if (s != NULL)
		(void)snprintf(s, cap, "%s=%s%s%s", a, b, c, d);
	return s;
}

/* The words of imgtool that popt does not have: "-ma N", and the two words of
 * "--custom-tlv TAG VALUE"; "--custom-tlv TAG:VALUE" is one already. */
int
pv_mcuboot_words(int *argc, const char **argv, struct pv_error *e)
{
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		const char *w = argv[i];
		int left = *argc - i - 1;

		if (strcmp(w, "-ma") == 0 && left >= 1) {
			w = join("--magic", argv[++i], "", "");
		} else if ((strcmp(w, "--custom-tlv") == 0 ||
			       strcmp(w, "--custom-tlv-file") == 0) &&
			   left >= 2 && strchr(argv[i + 1], ':') == NULL) {
			w = join(w, argv[i + 1], ":", argv[i + 2]);
			i += 2;
		}
		if (w == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		argv[n++] = w;
	}
	argv[n] = NULL;
	*argc = n;
	return 0;
}

/* --- small parsers --------------------------------------------------------- */

static int
number(const char *text, const char *what, uint64_t max, uint64_t dflt,
    uint64_t *ret_v, struct pv_error *e)
{
	if (text == NULL) {
		*ret_v = dflt;
		return 0;
	}
	return pv_parse_size(text, max, what, ret_v, e);
}

static int
choice(const char *text, const char *what, const uint64_t *list, size_t n,
    uint64_t *v, struct pv_error *e)
{
	int r;

	if (text == NULL)
		return 0;
	if ((r = pv_parse_u64(text, UINT32_MAX, what, v, e)) != 0)
		return r;
	for (size_t i = 0; i < n; i++)
		if (list[i] == *v)
			return 0;
	return pv_fail(
	    e, PV_E_USAGE, "%s '%s' is none that there is", what, text);
}

static int
parse_align(const struct pv_mcuboot_opts *o, struct pv_mcuboot_params *p,
    struct pv_error *e)
{
	static const uint64_t aligns[] = { 1, 2, 4, 8, 16, 32 };
	uint64_t a = p->flavor->align, m = 0;
	int r = choice(o->align, "--align", aligns, 6, &a, e);

	/* The larger of both is at least 8. */
	if (r == 0)
		r = choice(o->max_align, "--max-align", aligns + 3, 3, &m, e);
	if (r == 0 && m != 0 && m < a)
		r = pv_fail(e, PV_E_USAGE,
		    "--max-align %s is less than --align", o->max_align);
	p->align = (uint32_t)a;
	p->max_align = (uint32_t)m;
	return r;
}

/* "(1, 1.2.3+0)(2, 0.1.0)", or "1,1.2.3" as ST's templates have it. */
static int
parse_deps(const char *text, struct pv_mcuboot_setup *s, struct pv_error *e)
{
	const char *p = text;
	char version[40], id[8];

	while (*(p += strspn(p, "( )")) != '\0') {
		struct pv_mcuboot_dep *more =
		    realloc(s->deps, (s->p.n_deps + 1) * sizeof(*more));
		size_t n = strspn(p, "0123456789"), v;
		const char *at = p + n;
		uint64_t image;
		int r;

		if (more == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		s->p.deps = s->deps = more;
		at += strspn(at, " ");
		if (n == 0 || n >= sizeof(id) || *at != ',')
			return pv_fail(e, PV_E_USAGE,
			    "--dependencies '%s': not of the form "
			    "(IMAGE, VERSION)",
			    text);
		(void)snprintf(id, sizeof(id), "%.*s", (int)n, p);
		at++;
		at += strspn(at, " ");
		v = strcspn(at, " )");
		(void)snprintf(version, sizeof(version), "%.*s", (int)v, at);
		r = pv_parse_u64(id, UINT8_MAX, "image number", &image, e);
		if (r == 0)
			r = pv_mcuboot_version_parse(
			    version, &more[s->p.n_deps].version, e);
		if (r != 0)
			return pv_wrap(e, "--dependencies");
		more[s->p.n_deps++].image = (uint8_t)image;
		p = at + v;
	}
	return 0;
}

static int
parse_uuid(
    const char *text, const char *what, uint8_t uuid[16], struct pv_error *e)
{
	char hex[33];
	size_t n = 0;

	for (const char *p = text; *p != '\0' && n < sizeof(hex); p++)
		if (*p != '-')
			hex[n++] = *p;
	if (n != 32)
		return pv_fail(e, PV_E_USAGE, "%s '%s' is no UUID", what, text);
	hex[n] = '\0';
	if (pv_hex_decode(hex, uuid, 16, NULL) != 0)
		return pv_fail(e, PV_E_USAGE, "%s '%s' is no UUID", what, text);
	return 0;
}

/* --- custom entries: TAG:VALUE --------------------------------------------- */

static int
custom_value(const char *text, bool file, struct pv_mcuboot_custom *c,
    struct pv_error *e)
{
	uint8_t *data = NULL;
	size_t n = strlen(text);
	int r = 0;

	if (file) {
		r = pv_file_read(text, CUSTOM_MAX, &data, &c->len, e);
	} else if (strncmp(text, "0x", 2) == 0) {
		c->len = (n - 2) / 2;
		data = malloc(c->len + 1);
		if (data == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		if (n % 2 != 0 ||
		    pv_hex_decode(text + 2, data, c->len, NULL) != 0)
			r = pv_fail(e, PV_E_USAGE,
			    "--custom-tlv: '%s' is no run of hex digits", text);
	} else {
		c->len = n;
		data = malloc(n + 1);
		if (data == NULL)
			return pv_fail(e, PV_E_NOMEM, "out of memory");
		memcpy(data, text, n);
	}
	if (r == 0)
		c->data = data;
	else
		free(data);
	return r;
}

static int
add_custom(
    const char *text, bool file, struct pv_mcuboot_setup *s, struct pv_error *e)
{
	const char *colon = strchr(text, ':');
	struct pv_mcuboot_custom c = { 0 }, *more;
	char tag[16];
	uint64_t type;
	int r;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(tag))
		return pv_fail(
		    e, PV_E_USAGE, "--custom-tlv '%s' is not TAG:VALUE", text);
	(void)snprintf(tag, sizeof(tag), "%.*s", (int)(colon - text), text);
	r = pv_parse_u64(tag, 0xfffe, "--custom-tlv TAG", &type, e);
	if (r == 0 && type < 0xa0)
		r = pv_fail(e, PV_E_USAGE,
		    "--custom-tlv 0x%02llx: 0x00a0 to 0xfffe are free",
		    (unsigned long long)type);
	for (size_t i = 0; r == 0 && i < s->p.n_custom; i++)
		if (s->custom[i].type == type)
			r = pv_fail(e, PV_E_USAGE,
			    "--custom-tlv 0x%llx stands twice",
			    (unsigned long long)type);
	if (r == 0)
		r = custom_value(colon + 1, file, &c, e);
	if (r != 0)
		return r;
	more = realloc(s->custom, (s->p.n_custom + 1) * sizeof(*more));
	if (more == NULL) {
		free((uint8_t *)(uintptr_t)c.data);
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	}
	c.type = (uint16_t)type;
	s->p.custom = s->custom = more;
	more[s->p.n_custom++] = c;
	return 0;
}

/* --- groups of options ----------------------------------------------------- */

static int
parse_version(const struct pv_mcuboot_opts *o, struct pv_mcuboot_setup *s,
    struct pv_error *e)
{
	struct pv_mcuboot_params *p = &s->p;
	const struct pv_mcuboot_version *v = &p->version;
	/* Without one, ST's tool writes an area size that its own loader
	 * refuses: never do that. */
	const char *counter =
	    o->counter == NULL && p->flavor->st ? "auto" : o->counter;
	uint64_t n = 0;
	int r = pv_mcuboot_version_parse(o->version, &p->version, e);

	if (r != 0 || counter == NULL)
		return r;
	p->has_counter = true;
	if (strcmp(counter, "auto") == 0) {
		p->counter = (uint32_t)v->major << 24 |
			     (uint32_t)v->minor << 16 | v->revision;
		return 0;
	}
	r = pv_parse_u64(counter, UINT32_MAX, "--security-counter", &n, e);
	p->counter = (uint32_t)n;
	return r;
}

static int
parse_slot(const struct pv_mcuboot_opts *o, struct pv_mcuboot_params *p,
    struct pv_error *e)
{
	uint64_t hdr = 0, sectors = 0, erased = 0, magic = 0;
	int r = number(o->header_size, "--header-size", UINT32_MAX,
	    PV_MCUBOOT_HEADER, &hdr, e);

	if (r == 0)
		r = number(o->slot_size, "--slot-size", UINT32_MAX, 0,
		    &p->slot_size, e);
	if (r == 0)
		r = number(o->max_sectors, "--max-sectors", 65535, SECTORS_DEF,
		    &sectors, e);
	if (r == 0)
		r = number(o->erased, "--erased-val", 0xff, 0xff, &erased, e);
	if (r == 0 && erased != 0 && erased != 0xff)
		r = pv_fail(e, PV_E_USAGE, "--erased-val is 0 or 0xff");
	if (r == 0)
		r = number(o->magic, "--magic", UINT32_MAX, p->flavor->magic,
		    &magic, e);
	if (r == 0 && pv_mcuboot_magic_name((uint32_t)magic) == NULL)
		r = pv_fail(e, PV_E_USAGE,
		    "--magic %s is none that a loader "
		    "knows",
		    o->magic);
	if (r == 0 && magic != PV_MCUBOOT_MAGIC && !p->flavor->st)
		r = pv_fail(
		    e, PV_E_USAGE, "--magic %s needs a flavor of ST", o->magic);
	p->hdr_size = (uint32_t)hdr;
	p->max_sectors = (uint32_t)sectors;
	p->erased = (uint8_t)erased;
	p->magic = (uint32_t)magic;
	return r;
}

static int
parse_load(const struct pv_mcuboot_opts *o, struct pv_mcuboot_params *p,
    struct pv_error *e)
{
	const char *text = o->load_addr != NULL ? o->load_addr : o->rom_fixed;
	uint64_t addr = 0;
	int r;

	if (text == NULL)
		return 0;
	if (o->load_addr != NULL && o->rom_fixed != NULL)
		return pv_fail(e, PV_E_USAGE,
		    "--load-addr and --rom-fixed exclude each other");
	p->load_flag = o->load_addr != NULL ? PV_MCUBOOT_F_RAM_LOAD
					    : PV_MCUBOOT_F_ROM_FIXED;
	r = pv_parse_u64(text, UINT32_MAX,
	    o->load_addr != NULL ? "--load-addr" : "--rom-fixed", &addr, e);
	p->load_addr = (uint32_t)addr;
	return r;
}

static int
parse_entries(const struct pv_mcuboot_opts *o, struct pv_mcuboot_setup *s,
    struct pv_error *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && o->deps != NULL && o->deps[i]; i++)
		r = parse_deps(o->deps[i], s, e);
	for (size_t i = 0; r == 0 && o->custom != NULL && o->custom[i]; i++)
		r = add_custom(o->custom[i], false, s, e);
	for (size_t i = 0;
	     r == 0 && o->custom_file != NULL && o->custom_file[i]; i++)
		r = add_custom(o->custom_file[i], true, s, e);
	if (r == 0 && o->vid != NULL) {
		r = parse_uuid(o->vid, "--vid", s->vid, e);
		s->p.vid = s->vid;
	}
	if (r == 0 && o->cid != NULL) {
		r = parse_uuid(o->cid, "--cid", s->cid, e);
		s->p.cid = s->cid;
	}
	return r;
}

static int
parse_crypto(const struct pv_mcuboot_opts *o, struct pv_mcuboot_setup *s,
    struct pv_error *e)
{
	static const uint64_t shas[] = { 256, 384, 512 };
	static const uint64_t lens[] = { 128, 256 };
	static const uint64_t hmacs[] = { 256, 512 };
	uint64_t sha = 0, len = 128, hmac = 256;
	const char *sha_text = o->sha, *hmac_text = o->hmac_sha;
	int r;

	if (sha_text != NULL && strcmp(sha_text, "auto") == 0)
		sha_text = NULL;
	if (hmac_text != NULL && strcmp(hmac_text, "auto") == 0)
		hmac_text = NULL;
	r = choice(sha_text, "--sha", shas, 3, &sha, e);
	if (r == 0)
		r = choice(o->keylen, "--encrypt-keylen", lens, 2, &len, e);
	if (r == 0)
		r = choice(hmac_text, "--hmac-sha", hmacs, 2, &hmac, e);
	if (r == 0 && o->key_format != NULL &&
	    strcmp(o->key_format, "hash") != 0 &&
	    strcmp(o->key_format, "full") != 0)
		r = pv_fail(
		    e, PV_E_USAGE, "--public-key-format is 'hash' or 'full'");
	if (r == 0 && o->encrypt != NULL && o->encrypt_kw != NULL)
		r = pv_fail(e, PV_E_USAGE,
		    "--encrypt and --encrypt-kw exclude each other");
	s->p.sha = (unsigned int)sha;
	s->p.enc_key_len = (size_t)len / 8;
	s->to.hmac_sha512 = hmac == 512;
	s->p.full_key =
	    o->key_format != NULL && strcmp(o->key_format, "full") == 0;
	return r;
}

int
pv_mcuboot_setup(const struct pv_mcuboot_opts *o, struct pv_mcuboot_setup *s,
    struct pv_error *e)
{
	struct pv_mcuboot_params *p = &s->p;
	int r = pv_mcuboot_flavor_find(o->flavor, &p->flavor, e);

	if (r == 0)
		r = pv_need(e, o->version, "--version");
	if (r == 0 && o->endian != NULL && strcmp(o->endian, "little") != 0)
		r = pv_fail(e, PV_E_USAGE,
		    "--endian %s: images are little-endian here", o->endian);
	if (r != 0)
		return r;
	p->pad_header = o->pad_header != 0;
	p->pad = o->pad != 0;
	p->confirm = o->confirm != 0;
	p->overwrite_only = o->overwrite_only != 0;
	p->primary_only = o->primary_only != 0 || p->flavor->primary_only;
	p->clear = o->clear != 0;
	p->pure = o->pure != 0;
	p->pad_sig = o->pad_sig != 0;
	p->no_pad_tlv = o->no_pad_tlv != 0;
	p->save_enctlv = o->save_enctlv != 0;
	p->non_bootable = o->non_bootable != 0;
	p->otfdec = o->otfdec != NULL;
	p->boot_record = o->boot_record;
	p->test_mark = o->seed != NULL;
	p->has_hex_addr = o->hex_addr != NULL;
	r = parse_version(o, s, e);
	if (r == 0)
		r = parse_slot(o, p, e);
	if (r == 0)
		r = parse_align(o, p, e);
	if (r == 0)
		r = parse_load(o, p, e);
	if (r == 0)
		r = number(
		    o->hex_addr, "--hex-addr", UINT32_MAX, 0, &p->hex_addr, e);
	if (r == 0)
		r = parse_entries(o, s, e);
	return r != 0 ? r : parse_crypto(o, s, e);
}

void
pv_mcuboot_setup_release(struct pv_mcuboot_setup *s)
{
	for (size_t i = 0; i < s->p.n_custom; i++)
		free((uint8_t *)(uintptr_t)s->custom[i].data);
	for (size_t i = 0; i < PV_MCUBOOT_SIGS_MAX; i++) {
		pv_message_signer_release(&s->signers[i]);
		pv_pubkey_free(s->pubs[i]);
		free(s->sigs[i]);
	}
	pv_hsm_close(s->hsm);
	pv_enckey_free(s->enc);
	pv_secret_free(s->wrap);
	free(s->deps);
	free(s->custom);
	memset(s, 0, sizeof(*s));
}
