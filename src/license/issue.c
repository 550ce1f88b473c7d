/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One license for one chip. The order of everything here is what keeps the
 * promise; formats/ledger.md has it in words.
 */
#include <provisor/campaign.h>

#include "crypto/digest.h"
#include "formats/certificate.h"
#include "formats/ledger.h"
#include "formats/license.h"
#include "formats/license_ssp.h"
#include "ledger/journal.h"
#include "license/rules.h"
#include <provisor/ecies.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A request while it is served. */
struct request {
	const struct pv_campaign *c;
	const struct pv_campaign_io *io;
	const uint8_t *certificate;
	uint8_t chip[32];
	uint8_t ephemeral[64]; /* made before the lock */
	struct pv_head head;
	uint64_t number;
	bool has_package; /* each has its own nonce, and it is given */
	uint8_t package[32];
};

static uint64_t
left(const struct pv_campaign *c, uint64_t spent)
{
	return spent < c->max_licenses ? c->max_licenses - spent : 0;
}

static int
other_package(const struct request *q, uint64_t number, struct pv_error *e)
{
	(void)pv_fail(e, PV_E_POLICY,
	    "this chip has license no. %" PRIu64 " of campaign '%s' already, "
	    "for a package with another nonce",
	    number, q->c->name);
	return pv_hint(e, "nothing was spent; a chip gets one license of a "
			  "campaign: use the package it was issued for");
}

/* The license the chip has already, checked again. PV_E_NOT_FOUND. */
static int
repeat(const struct request *q, struct pv_issued *ret_l, struct pv_error *e)
{
	struct pv_issued l = { .repeated = true };
	struct pv_head head;
	struct pv_entry en;
	int r;

	r = pv_rules_not_denied(q->c, q->io->store, q->io->memo, q->chip, e);
	if (r != 0)
		return r;
	r = pv_journal_issued(q->io->store, q->io->memo, q->c, q->chip, &en, e);
	if (r != 0)
		return r;
	r = pv_journal_head(q->io->store, q->io->memo, q->c, &head, e);
	if (r != 0)
		return r;
	if (en.body.license_len > sizeof(l.data))
		return pv_fail(e, PV_E_MALFORMED, "license in the ledger");
	memcpy(l.data, en.body.license, en.body.license_len);
	l.len = en.body.license_len;
	l.number = en.body.number;
	l.has_package = en.body.has_package;
	memcpy(l.package, en.body.package, sizeof(l.package));
	if (q->has_package && l.has_package &&
	    memcmp(l.package, q->package, sizeof(l.package)) != 0)
		return other_package(q, l.number, e);
	l.left = left(q->c, head.spent);
	r = pv_campaign_check_license(
	    q->c, l.data, l.len, l.number, q->certificate, e);
	if (r != 0)
		return pv_wrap(
		    e, "license no. %" PRIu64 " in the ledger", l.number);
	*ret_l = l;
	return 0;
}

/*
 * Make the license in the token: ephemeral key, wrapped package key,
 * signature. License format: formats/license.md.
 */
static int
make_resident(
    const struct request *q, struct pv_issued *ret_l, struct pv_error *e)
{
	const struct pv_wrapper *w = q->io->wrapper;
	struct pv_issued out = { .number = q->number, .len = sizeof(out.data) };
	uint8_t header[PV_LICENSE_HEADER], context[32], digest[32];
	struct pv_license l = { .version = 1, .wrapped_len = 24 };
	size_t len = sizeof(l.wrapped);
	int r;

	memcpy(l.campaign_id, q->c->id, sizeof(l.campaign_id));
	l.number = q->number;
	memcpy(l.product_id, q->certificate, PV_CERT_PRODUCT_ID);
	memcpy(l.nonce, q->c->nonce, sizeof(l.nonce));
	memcpy(l.ephemeral, q->ephemeral, sizeof(l.ephemeral));
	r = pv_license_encode_header(&l, header, e);
	if (r != 0)
		return r;
	const struct pv_part parts[] = {
		/* Without the zero: 19 bytes. */
		{ PV_LICENSE_DOMAIN, sizeof(PV_LICENSE_DOMAIN) - 1 },
		{ header, sizeof(header) },
		{ q->certificate, PV_CERT_LEN },
	};
	r = pv_sha256(parts, 3, context, e);
	if (r == 0)
		r = w->wrap(w->ctx, q->certificate + PV_CERT_PRODUCT_ID,
		    context, l.wrapped, &len, e);
	if (r != 0)
		return r;
	if (len != l.wrapped_len)
		return pv_fail(e, PV_E_HSM,
		    "the token wrapped the package key into %zu bytes, an "
		    "SFI license needs 24",
		    len);
	r = pv_license_encode(&l, out.data, &out.len, e);
	if (r == 0)
		r = pv_rules_license_digest(out.data, out.len, digest, e);
	if (r == 0)
		r = q->io->signer->sign(
		    q->io->signer->ctx, digest, l.signature, e);
	if (r != 0)
		return r;
	memcpy(out.data + out.len - 64, l.signature, 64);
	r = pv_rules_resident(out.data, out.len, q->c->public_key, q->io->memo,
	    q->certificate, e);
	if (r != 0)
		return r;
	*ret_l = out;
	return 0;
}

/* A license of profile ssp or ecies: formats/license-ssp.md. */
static int
make_ssp(const struct request *q, struct pv_issued *ret_l, struct pv_error *e)
{
	const struct pv_ecies *s = q->io->ecies;
	struct pv_issued out = { .number = q->number, .len = PV_SSP_LICENSE };
	struct pv_ssp_license l = { .version = 1 };
	uint8_t header[PV_SSP_HEADER];
	struct pv_ecies_profile p;
	int r;

	r = pv_ecies_parse(q->c->license_profile, &p, e);
	if (r != 0)
		return r;
	l.type = p.ssp ? PV_SSP_TYPE_STATIC : PV_ECIES_TYPE;
	l.min_version = p.fsbl_min_version;
	memcpy(l.ephemeral, q->ephemeral, sizeof(l.ephemeral));
	r = pv_ssp_license_encode_header(&l, header, e);
	if (r == 0)
		r = s->seal(s->ctx, &p, q->certificate + PV_CERT_PRODUCT_ID,
		    header, q->has_package ? q->io->nonce : q->c->nonce,
		    l.encrypted, l.tag, e);
	if (r == 0)
		r = pv_ssp_license_encode(&l, out.data, e);
	if (r == 0)
		*ret_l = out;
	return r;
}

static int
make_license(
    const struct request *q, struct pv_issued *ret_l, struct pv_error *e)
{
	return strcmp(q->c->license_profile, "resident") == 0
		   ? make_resident(q, ret_l, e)
		   : make_ssp(q, ret_l, e);
}

static void
settle(struct pv_entry *entry, enum pv_entry_kind kind, const struct request *q)
{
	memset(entry, 0, sizeof(*entry));
	entry->kind = kind;
	entry->body.number = q->number;
	memcpy(entry->body.chip, q->chip, sizeof(entry->body.chip));
}

int
pv_license_find(const struct pv_campaign *c, struct pv_store *store,
    const uint8_t certificate[136], struct pv_issued *ret_l, struct pv_error *e)
{
	const struct pv_campaign_io io = { .store = store };
	struct request q = { .c = c, .io = &io, .certificate = certificate };
	int r;

	r = pv_campaign_chip(c, certificate, q.chip, e);
	return r != 0 ? r : repeat(&q, ret_l, e);
}

/* It failed when the number may have been taken. */
static int
perhaps_burnt(const struct request *q, const char *doing, struct pv_error *e)
{
	(void)pv_wrap(e, "%s license no. %" PRIu64, doing, q->number);
	return pv_hint(e,
	    "no. %" PRIu64 " may be burnt ('provisor ledger report' tells). It "
	    "is safe to ask again: a license that was recorded is given again, "
	    "else the next number is spent",
	    q->number);
}

/* Under the lock, with budget left: reserve, make, record. */
static int
spend(struct request *q, struct pv_issued *ret_l, struct pv_error *e)
{
	struct pv_issued l;
	struct pv_entry entry;
	int r;

	q->number = q->head.spent + 1;
	ret_l->number = q->number;
	settle(&entry, PV_ENTRY_RESERVE, q);
	r = pv_journal_append(q->c, q->io, &entry, &q->head, e);
	if (r != 0)
		return perhaps_burnt(q, "reserving", e);
	r = make_license(q, &l, e);
	if (r != 0) {
		/* The number is burnt; say so if the token still can. */
		settle(&entry, PV_ENTRY_FAILED, q);
		entry.body.code = r;
		if (e != NULL)
			pv_rules_text(entry.body.message,
			    sizeof(entry.body.message), e->msg, sizeof(e->msg));
		(void)!pv_journal_append(q->c, q->io, &entry, &q->head, NULL);
		return perhaps_burnt(q, "making", e);
	}
	settle(&entry, PV_ENTRY_ISSUED, q);
	entry.body.has_package = q->has_package;
	memcpy(entry.body.package, q->package, sizeof(entry.body.package));
	memcpy(entry.body.license, l.data, l.len);
	entry.body.license_len = l.len;
	r = pv_journal_append(q->c, q->io, &entry, &q->head, e);
	if (r != 0)
		return perhaps_burnt(q, "recording", e);
	l.left = left(q->c, q->head.spent);
	*ret_l = l;
	return 0;
}

static int
used_up(const struct pv_campaign *c, struct pv_error *e)
{
	int r = pv_fail(e, PV_E_LIMIT,
	    "campaign '%s' has used all %" PRIu64 " licenses", c->name,
	    c->max_licenses);

	(void)pv_hint(e,
	    "open a further campaign with 'provisor campaign create', or see "
	    "who used them: 'provisor ledger report --campaign %s'",
	    c->name);
	return r;
}

static int
locked_issue(struct request *q, struct pv_issued *ret_l, struct pv_error *e)
{
	int r;

	/* Another process may have served this chip since we looked. */
	r = repeat(q, ret_l, e);
	if (r != PV_E_NOT_FOUND)
		return r;
	pv_error_clear(e);
	if (q->c->draft || q->head.state == PV_STATE_DRAFT) {
		r = pv_fail(e, PV_E_CLOSED,
		    "campaign '%s' is a draft: it has no licenses yet",
		    q->c->name);
		(void)pv_hint(e,
		    "'provisor campaign open %s' makes it operational",
		    q->c->name);
		return r;
	}
	if (q->head.state != PV_STATE_OPERATIONAL)
		return pv_fail(e, PV_E_CLOSED,
		    "campaign '%s' is closed: no further licenses", q->c->name);
	if (q->head.spent >= q->c->max_licenses)
		return used_up(q->c, e);
	return spend(q, ret_l, e);
}

/*
 * The key pair of one license, made while others may still have the lock: it
 * does not depend on the number and holds nothing of the package key.
 */
static int
make_ephemeral(struct request *q, struct pv_error *e)
{
	const struct pv_wrapper *w = q->io->wrapper;
	const struct pv_ecies *s = q->io->ecies;
	bool resident = strcmp(q->c->license_profile, "resident") == 0;

	if (resident ? w == NULL : s == NULL)
		return pv_fail(e, PV_E_INTERNAL,
		    "the token of campaign '%s' is not open", q->c->name);
	return resident ? w->ephemeral(w->ctx, q->ephemeral, e)
			: s->ephemeral(s->ctx, q->ephemeral, e);
}

int
pv_package_name(
    const uint8_t nonce[16], uint8_t ret_name[32], struct pv_error *e)
{
	static const char domain[] = "provisor/package/v1";
	const struct pv_part parts[] = {
		{ domain, sizeof(domain) - 1 },
		{ nonce, 16 },
	};

	return pv_sha256(parts, 2, ret_name, e);
}

/* Is the nonce there, and the right one? Before anything is spent. */
static int
check_nonce(struct request *q, struct pv_error *e)
{
	const uint8_t *nonce = q->io->nonce;
	const struct pv_campaign *c = q->c;

	if (pv_campaign_nonce_each(c)) {
		if (nonce == NULL) {
			(void)pv_fail(e, PV_E_USAGE,
			    "each package of campaign '%s' has a nonce of its "
			    "own, and none is given",
			    c->name);
			return pv_hint(e,
			    "no license was spent; --nonce FILE names the "
			    "nonce that lies beside the package");
		}
		q->has_package = true;
		return pv_package_name(nonce, q->package, e);
	}
	if (nonce == NULL ||
	    pv_ct_equal(nonce, c->nonce, pv_campaign_nonce_len(c->flow)))
		return 0;
	(void)pv_fail(e, PV_E_VERIFY,
	    "this is not the nonce of campaign '%s': its licenses do not open "
	    "the package",
	    c->name);
	return pv_hint(e, "no license was spent");
}

int
pv_license_issue(const struct pv_campaign *c, const struct pv_campaign_io *io,
    const uint8_t certificate[136], struct pv_issued *ret_l, struct pv_error *e)
{
	struct request q = { .c = c, .io = io, .certificate = certificate };
	int r;

	ret_l->number = 0;
	r = pv_rules_certificate(c, io->memo, certificate, NULL, e);
	if (r == 0)
		r = check_nonce(&q, e);
	if (r == 0)
		r = pv_campaign_chip(c, certificate, q.chip, e);
	if (r != 0)
		return r;
	r = repeat(&q, ret_l, e);
	if (r != PV_E_NOT_FOUND)
		return r;
	pv_error_clear(e);
	r = make_ephemeral(&q, e);
	if (r == 0)
		r = pv_rules_begin(c, io, &q.head, e);
	if (r != 0)
		return r;
	r = locked_issue(&q, ret_l, e);
	io->store->unlock(io->store->ctx);
	return r;
}
