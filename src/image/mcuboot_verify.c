/* SPDX-License-Identifier: Apache-2.0 */
/* Is this image what a boot loader with these keys will start? */
#include "image/mcuboot.h"

#include "base/buf.h"
#include "base/hex.h"
#include "crypto/digest.h"
#include "crypto/sigkey.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One verification under way. */
struct check {
	const struct pv_mcuboot_file *f;
	const struct pv_mcuboot_verify *v;
	struct pv_mcuboot_verdict out;
	const struct pv_mcuboot_tlv *hash;
	uint8_t *msg; /* all that is signed, for pure Ed25519 */
	bool st;
};

static void PV_PRINTF(2, 3) warn(const struct check *c, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (c->v->warn != NULL)
		c->v->warn(c->v->ctx, text);
}

/* --- hash ------------------------------------------------------------------ */

static int
digest(struct check *c, struct pv_mcuboot_cipher *cipher, bool *ret_same,
    struct pv_error *e)
{
	struct pv_mcuboot_digest_args a = {
		.st = c->st,
		.bits = c->out.bits,
		.cipher = cipher,
		.msg = c->msg,
	};
	int r = pv_mcuboot_digest(c->f, &a, c->out.digest, e);

	if (r == 0)
		*ret_same =
		    memcmp(c->out.digest, c->hash->data, c->hash->len) == 0;
	return r;
}

/*
 * The hash is over the plain payload. It may lie encrypted, or clear although
 * there is an image key: which of both, only the hash tells.
 */
static int
check_hash(struct check *c, struct pv_error *e)
{
	bool otfdec = c->st && (c->f->h.flags & PV_MCUBOOT_F_OTFDEC) != 0;
	struct pv_mcuboot_cipher *cipher = NULL;
	bool same = false;
	int r = 0;

	if (c->out.encrypted && c->v->by != NULL)
		r = pv_mcuboot_open_cipher(c->f, c->st, c->v->by, &cipher, e);
	if (r == 0)
		r = digest(c, NULL, &same, e);
	c->out.clear = c->out.encrypted && !otfdec && same;
	if (r == 0 && !same && cipher != NULL && !otfdec)
		r = digest(c, cipher, &same, e);
	pv_mcuboot_cipher_free(cipher);
	if (r != 0 || same)
		return r;
	if (c->out.encrypted && c->v->by == NULL && !otfdec) {
		(void)pv_fail(e, PV_E_USAGE,
		    "the payload is encrypted, so its hash cannot be checked");
		return pv_hint(e, "give the device's private key with "
				  "--decrypt-key");
	}
	return pv_fail(e, PV_E_VERIFY,
	    "the image is not what was signed: SHA-%u differs", c->out.bits);
}

/* --- signatures ------------------------------------------------------------ */

static int
verify_one(const struct check *c, const struct pv_pubkey *k,
    const struct pv_mcuboot_tlv *v, struct pv_error *e)
{
	enum pv_sig_alg alg = pv_pubkey_alg(k);
	size_t n = c->out.bits / 8, len = 0;
	uint8_t sig[PV_SIG_MAX];
	int r;

	if (pv_mcuboot_sig_type(alg) != v->type)
		return pv_fail(e, PV_E_VERIFY, "%s, but the key is %s",
		    pv_mcuboot_type_name(v->type), pv_sig_alg_name(alg));
	r = pv_mcuboot_sig_decode(alg, v->data, v->len, sig, &len, e);
	if (r != 0)
		return r;
	if (alg != PV_SIG_ED25519)
		return pv_pubkey_verify_digest(
		    k, c->out.digest, n, sig, len, e);
	if (c->msg != NULL)
		return pv_pubkey_verify(
		    k, c->msg, (size_t)pv_mcuboot_covered(c->f), sig, len, e);
	return pv_pubkey_verify(k, c->out.digest, n, sig, len, e);
}

/* Does the entry of hash or full key name this key? */
static bool
names_key(const struct check *c, const struct pv_mcuboot_tlv *v,
    const struct pv_pubkey *k)
{
	uint8_t public_part[PV_SPKI_MAX];
	size_t n = c->out.bits / 8;
	int r = v->type == PV_TLV_PUBKEY
		    ? pv_mcuboot_key_encode(k, public_part, &n, NULL)
		    : pv_mcuboot_key_hash(k, c->out.bits, public_part, NULL);

	return r == 0 && n == v->len && memcmp(public_part, v->data, n) == 0;
}

/* The loader of a key looks for one hash, and for the mark of a pure signature
 * only where it is built for Ed25519 alone. */
static int
check_loader(
    const struct check *c, const struct pv_pubkey *k, struct pv_error *e)
{
	enum pv_sig_alg alg = pv_pubkey_alg(k);
	bool ed25519 = alg == PV_SIG_ED25519, pure = c->msg != NULL;
	unsigned int want = pv_mcuboot_sig_bits(alg), bits = c->out.bits;

	if (pure && !ed25519)
		return pv_fail(e, PV_E_VERIFY,
		    "the image says pure, which %s never is",
		    pv_sig_alg_name(alg));
	if (bits != want && !(ed25519 && bits == 512))
		return pv_fail(e, PV_E_VERIFY,
		    "the hash is SHA-%u, and the loader of a key of %s looks "
		    "for SHA-%u",
		    bits, pv_sig_alg_name(alg), want);
	return 0;
}

/* Each key given must have signed: the entry that names it comes before its
 * signature. The loader looks at every one that follows its name, so one that
 * is wrong spoils the image. */
static int
check_key(struct check *c, size_t i, struct pv_error *e)
{
	const struct pv_mcuboot_tlvs *t = &c->f->t;
	const struct pv_pubkey *k = c->v->keys[i];
	bool named = false, found = false;
	int r = check_loader(c, k, e);

	for (size_t n = t->n_protected; r == 0 && n < t->n; n++) {
		const struct pv_mcuboot_tlv *v = &t->t[n];

		if (v->type == PV_TLV_KEYHASH || v->type == PV_TLV_PUBKEY)
			named = names_key(c, v, k);
		else if (pv_mcuboot_is_sig(v->type) && named) {
			r = verify_one(c, k, v, e);
			found = true;
			c->out.signatures += r == 0;
		}
	}
	if (r != 0 || found)
		return r;
	return pv_fail(e, PV_E_VERIFY,
	    "no signature by key %zu of those given (key hash differs)", i + 1);
}

static int
check_signatures(struct check *c, struct pv_error *e)
{
	size_t have = 0;
	int r = 0;

	for (size_t i = 0; i < c->f->t.n; i++)
		have += pv_mcuboot_is_sig(c->f->t.t[i].type);
	if (have == 0 && c->v->n_keys > 0)
		return pv_fail(e, PV_E_VERIFY, "the image is not signed");
	if (have > 0 && c->v->n_keys == 0) {
		(void)pv_fail(
		    e, PV_E_USAGE, "--key is needed: the image is signed");
		return pv_hint(e, "give the public key, certificate or pkcs11: "
				  "URI");
	}
	if (have == 0 && !c->v->unsigned_ok) {
		(void)pv_fail(e, PV_E_VERIFY, "the image is not signed");
		return pv_hint(e, "data images without a key: --unsigned");
	}
	for (size_t i = 0; r == 0 && i < c->v->n_keys; i++)
		r = check_key(c, i, e);
	if (r == 0 && have > c->out.signatures)
		warn(c, "%zu signatures are by keys that were not given",
		    have - c->out.signatures);
	return r;
}

/* --- trailer, slot --------------------------------------------------------- */

static void
make_layout(const struct check *c, struct pv_mcuboot_layout *l)
{
	const struct pv_mcuboot_verify *v = c->v;

	*l = (struct pv_mcuboot_layout){
		.st = c->st,
		.stirot = c->f->h.magic == PV_MCUBOOT_MAGIC_STIROT,
		.primary_only =
		    v->primary_only || c->out.flavor->primary_only ||
		    (c->st && (c->f->h.flags & PV_MCUBOOT_F_PRIMARY_ONLY)),
		.overwrite_only = v->overwrite_only,
		.encrypted = c->out.encrypted,
		.align = v->align != 0 ? v->align : c->out.flavor->align,
		.max_align = v->max_align,
		.max_sectors = v->max_sectors,
	};
	for (size_t i = 0; v->save_enctlv && i < c->f->t.n; i++)
		if (pv_mcuboot_is_enc(c->f->t.t[i].type))
			l->save_enctlv = c->f->t.t[i].len;
}

/* Erased bytes, all 0xff or all 0, from `at` to `end`; the one at `ok` may be
 * the mark of a confirmed image. */
static int
check_erased(const struct check *c, const char *where, uint64_t at,
    uint64_t end, uint64_t ok, struct pv_error *e)
{
	uint8_t buf[4096], erased = 0;
	uint64_t from = at;
	int r = 0;

	for (size_t n; r == 0 && at < end; at += n) {
		n = end - at < sizeof(buf) ? (size_t)(end - at) : sizeof(buf);
		r = pv_mcuboot_read(c->f, at, buf, n, e);
		if (at == from)
			erased = buf[0] == 0 ? 0 : 0xff;
		for (size_t i = 0; r == 0 && i < n; i++)
			if (buf[i] != erased && !(at + i == ok && buf[i] == 1))
				r = pv_fail(e, PV_E_VERIFY,
				    "byte 0x%02x at %llu, %s", buf[i],
				    (unsigned long long)(at + i), where);
	}
	return r;
}

/* A trailer as it leaves the factory: the loader takes anything else there for
 * a swap under way. */
static int
check_marks(const struct check *c, const struct pv_mcuboot_layout *l,
    uint64_t used, struct pv_error *e)
{
	uint64_t magic = c->f->size - PV_MCUBOOT_TRAILER_MAGIC;
	uint64_t begin = c->f->size - pv_mcuboot_trailer_size(l);
	uint32_t ok = pv_mcuboot_image_ok(l);
	int r = check_erased(c, "behind the image", used, begin, 0, e);

	return r != 0 ? r
		      : check_erased(c, "in the trailer", begin, magic,
			    ok == 0 ? 0 : c->f->size - ok, e);
}

static int
check_trailer(const struct check *c, uint64_t used, struct pv_error *e)
{
	const struct pv_mcuboot_file *f = c->f;
	uint8_t magic[PV_MCUBOOT_TRAILER_MAGIC], want[sizeof(magic)];
	uint64_t slot = c->v->slot_size;
	struct pv_mcuboot_layout l;
	uint64_t size;
	int r;

	make_layout(c, &l);
	size = pv_mcuboot_trailer_size(&l);
	if (!f->has_trailer && f->size > used)
		return pv_fail(e, PV_E_VERIFY,
		    "%llu bytes behind the image are no trailer",
		    (unsigned long long)(f->size - used));
	if (slot != 0 && f->has_trailer && f->size != slot)
		return pv_fail(e, PV_E_VERIFY,
		    "the trailer ends at %llu, the slot at %llu",
		    (unsigned long long)f->size, (unsigned long long)slot);
	if (slot == 0 && f->has_trailer)
		slot = f->size;
	if (slot != 0 && used + size > slot)
		return pv_fail(e, PV_E_VERIFY,
		    "image of %llu bytes and trailer of %llu do not fit the "
		    "slot of %llu",
		    (unsigned long long)used, (unsigned long long)size,
		    (unsigned long long)slot);
	/* Data reach to the trailer: the loader computes it from the end. */
	if (l.stirot && c->out.encrypted && f->has_trailer &&
	    slot - size - used > 15)
		return pv_fail(e, PV_E_VERIFY,
		    "an encrypted STiRoT image fills its slot; %llu bytes are "
		    "free",
		    (unsigned long long)(slot - size - used));
	if (!f->has_trailer)
		return 0;
	r = pv_mcuboot_read(
	    f, f->size - sizeof(magic), magic, sizeof(magic), e);
	pv_mcuboot_trailer_magic(&l, want);
	if (r == 0 && memcmp(magic, want, sizeof(magic)) != 0)
		r = pv_fail(e, PV_E_VERIFY,
		    "the magic of the trailer is for another --align or "
		    "--max-align");
	return r != 0 ? r : check_marks(c, &l, used, e);
}

/* --- the rest -------------------------------------------------------------- */

static int
check_form(const struct check *c, struct pv_error *e)
{
	const struct pv_mcuboot_header *h = &c->f->h;
	const struct pv_mcuboot_tlv *sig =
	    pv_mcuboot_find(&c->f->t, PV_TLV_ECDSA_SIG);

	if (c->v->flavor != NULL && h->magic != c->v->flavor->magic)
		return pv_fail(e, PV_E_VERIFY,
		    "magic 0x%08x (%s) is not that of flavor '%s'", h->magic,
		    pv_mcuboot_magic_name(h->magic), c->v->flavor->name);
	if (h->magic == PV_MCUBOOT_MAGIC_STIROT && sig != NULL &&
	    !pv_mcuboot_sig_is_st(sig->data, sig->len))
		return pv_fail(e, PV_E_VERIFY,
		    "the signature of %u bytes has not the form of 72 that "
		    "STiRoT wants",
		    (unsigned int)sig->len);
	return pv_mcuboot_validate(h, &c->f->t, c->st, e);
}

static int
check_policy(struct check *c, struct pv_error *e)
{
	const struct pv_mcuboot_tlv *cnt =
	    pv_mcuboot_find(&c->f->t, PV_TLV_SEC_CNT);

	if (pv_mcuboot_find(&c->f->t, PV_TLV_TEST_MARK) != NULL) {
		c->out.test = true;
		if (!c->v->allow_test) {
			(void)pv_fail(e, PV_E_POLICY,
			    "a test image: its keys come from a seed");
			return pv_hint(e, "--allow-test is for tests");
		}
		warn(c, "a test image: its keys come from a seed");
	}
	if (cnt == NULL) {
		if (c->v->has_min_counter)
			return pv_fail(e, PV_E_POLICY,
			    "no security counter, %u is the least",
			    c->v->min_counter);
		warn(c, "no security counter: older images can be put back");
	} else if (c->v->has_min_counter &&
		   pv_get_u32le(cnt->data) < c->v->min_counter) {
		return pv_fail(e, PV_E_POLICY,
		    "security counter %u is below %u, which is released",
		    pv_get_u32le(cnt->data), c->v->min_counter);
	}
	if (c->out.clear)
		warn(c, "the payload is plain although there is an image key: "
			"for the first slot in the factory only");
	return 0;
}

static int
run(struct check *c, struct pv_error *e)
{
	const struct pv_mcuboot_file *f = c->f;
	uint64_t used = f->areas_at + f->t.size;
	int r = check_form(c, e);

	if (r == 0)
		r = pv_mcuboot_hash_entry(f, &c->hash, &c->out.bits, e);
	for (size_t i = 0; i < f->t.n; i++)
		c->out.encrypted |= pv_mcuboot_is_enc(f->t.t[i].type);
	if (r == 0 && pv_mcuboot_find(&f->t, PV_TLV_SIG_PURE) != NULL &&
	    (c->msg = malloc((size_t)pv_mcuboot_covered(f) + 1)) == NULL)
		r = pv_fail(e, PV_E_NOMEM, "out of memory");
	if (r == 0)
		r = check_hash(c, e);
	if (r == 0)
		r = check_signatures(c, e);
	if (r == 0)
		r = check_trailer(c, used, e);
	return r != 0 ? r : check_policy(c, e);
}

int
pv_mcuboot_verify(const struct pv_mcuboot_file *f,
    const struct pv_mcuboot_verify *v, struct pv_mcuboot_verdict *ret_v,
    struct pv_error *e)
{
	struct check c = { .f = f, .v = v };
	int r;

	c.out.flavor =
	    v->flavor != NULL ? v->flavor : pv_mcuboot_flavor_guess(&f->h);
	c.st = c.out.flavor->st;
	c.out.trailer = f->has_trailer;
	r = run(&c, e);
	free(c.msg);
	if (r != 0)
		return pv_wrap(e, "'%s'", f->path);
	*ret_v = c.out;
	return 0;
}
