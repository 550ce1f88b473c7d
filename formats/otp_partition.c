/* SPDX-License-Identifier: Apache-2.0 */
/* The OTP structure of partition 0xF2; the layouts are in otp_partition.md. */
#include "formats/otp_partition.h"

#include "base/buf.h"

#include <string.h>

/* Version 1: arrays of one bit a word, and the values. */
#define V1_DISTURB 0x20U
#define V1_ERROR   0x38U
#define V1_LOCK	   0x50U
#define V1_PROGRAM 0x68U
#define V1_WRITE   0x80U
#define V1_READ	   0x98U
#define V1_VALUES  0xb0U
#define V1_WORDS   96U

/* Versions 2 and 3: value and state of each word, behind 8 bytes. */
#define V2_STATE 4U
#define V2_PAIRS 8U
#define PAIR	 8U
#define V3_HASH	 32U

#define UPDATE	   (1U << 31)
#define S_LOCK	   (1U << 30)
#define S_READ	   (1U << 29)
#define S_WRITE	   (1U << 28)
#define S_PROGRAM  (1U << 27)
#define S_LOCK_BAD (1U << 26)
#define S_READ_BAD (1U << 0)

static int
count_words(uint32_t version, size_t len, size_t *ret_n, struct pv_error *e)
{
	switch (version) {
	case 1:
		*ret_n = V1_WORDS;
		if (len == PV_OTP_V1_LEN)
			return 0;
		break;
	case 2:
		*ret_n = (PV_OTP_V2_LEN - V2_PAIRS) / PAIR;
		if (len == PV_OTP_V2_LEN)
			return 0;
		break;
	case 3:
		*ret_n = (len - V2_PAIRS) / PAIR;
		if (len == PV_OTP_V3_LEN)
			return 0;
		*ret_n = (PV_OTP_V3_LEN_ST - V2_PAIRS - V3_HASH) / PAIR;
		if (len == PV_OTP_V3_LEN_ST)
			return 0;
		break;
	default:
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "OTP structure of version %u; 1 to 3 are known", version);
	}
	return pv_fail(e, PV_E_MALFORMED,
	    "OTP structure of version %u with %zu bytes", version, len);
}

int
pv_otp_decode(
    const uint8_t *data, size_t len, struct pv_otp *ret_otp, struct pv_error *e)
{
	size_t n = 0;
	uint32_t version;
	int r;

	if (len < V2_PAIRS)
		return pv_fail(
		    e, PV_E_MALFORMED, "OTP structure of %zu bytes", len);
	version = pv_get_u32le(data);
	r = count_words(version, len, &n, e);
	if (r != 0)
		return r;
	memset(ret_otp, 0, sizeof(*ret_otp));
	ret_otp->version = version;
	ret_otp->n_words = n;
	ret_otp->len = len;
	memcpy(ret_otp->raw, data, len);
	return 0;
}

/* --- one word -------------------------------------------------------------------- */

static size_t
value_at(const struct pv_otp *otp, size_t word)
{
	return otp->version == 1 ? V1_VALUES + 4 * word
				 : V2_PAIRS + PAIR * word;
}

uint32_t
pv_otp_value(const struct pv_otp *otp, size_t word)
{
	return pv_get_u32le(otp->raw + value_at(otp, word));
}

static uint32_t
state(const struct pv_otp *otp, size_t word)
{
	return pv_get_u32le(otp->raw + V2_PAIRS + PAIR * word + 4);
}

static bool
bit(const struct pv_otp *otp, size_t at, size_t word)
{
	return (pv_get_u32le(otp->raw + at + word / 32 * 4) >> word % 32 &
		   1U) != 0;
}

static unsigned int
flags_v1(const struct pv_otp *otp, size_t word)
{
	static const struct {
		size_t at;
		unsigned int flag;
	} maps[] = {
		{ V1_LOCK, PV_OTP_PERMANENT_LOCK },
		{ V1_PROGRAM, PV_OTP_PROGRAM_LOCK },
		{ V1_WRITE, PV_OTP_SHADOW_WRITE_LOCK },
		{ V1_READ, PV_OTP_SHADOW_READ_LOCK },
		{ V1_ERROR, PV_OTP_READ_ERROR },
		{ V1_DISTURB, PV_OTP_DISTURBED },
	};
	unsigned int f = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		if (bit(otp, maps[i].at, word))
			f |= maps[i].flag;
	return f;
}

unsigned int
pv_otp_flags(const struct pv_otp *otp, size_t word)
{
	static const struct {
		uint32_t bit;
		unsigned int flag;
	} map[] = {
		{ S_LOCK, PV_OTP_PERMANENT_LOCK },
		{ S_PROGRAM, PV_OTP_PROGRAM_LOCK },
		{ S_WRITE, PV_OTP_SHADOW_WRITE_LOCK },
		{ S_READ, PV_OTP_SHADOW_READ_LOCK },
		{ S_LOCK_BAD, PV_OTP_LOCK_ERROR },
		{ S_READ_BAD, PV_OTP_READ_ERROR },
	};
	unsigned int f = 0;

	if (otp->version == 1)
		return flags_v1(otp, word);
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if ((state(otp, word) & map[i].bit) != 0)
			f |= map[i].flag;
	return f;
}

enum pv_otp_chip_state
pv_otp_chip(const struct pv_otp *otp)
{
	if (otp->version == 1)
		return PV_OTP_NOT_SAID;
	switch (pv_get_u32le(otp->raw + V2_STATE)) {
	case 0:
		return PV_OTP_OPEN;
	case 1:
		return PV_OTP_CLOSED;
	default:
		return PV_OTP_INVALID;
	}
}

/* --- changes --------------------------------------------------------------------- */

static int
may_change(const struct pv_otp *otp, size_t word, uint32_t value, bool lock,
    struct pv_error *e)
{
	unsigned int f = pv_otp_flags(otp, word);
	uint32_t now = pv_otp_value(otp, word);

	if ((f & PV_OTP_PERMANENT_LOCK) != 0)
		return pv_fail(e, PV_E_POLICY,
		    "OTP %zu is locked for good (0x%08x)", word, now);
	if ((f & PV_OTP_PROGRAM_LOCK) != 0)
		return pv_fail(e, PV_E_POLICY,
		    "OTP %zu is locked until the next reset", word);
	if ((f & (PV_OTP_READ_ERROR | PV_OTP_LOCK_ERROR)) != 0)
		return pv_fail(e, PV_E_POLICY,
		    "OTP %zu has an error: what it holds is not known", word);
	if ((now & ~value) != 0)
		return pv_fail(e, PV_E_POLICY,
		    "OTP %zu is 0x%08x: bits 0x%08x cannot go back to 0", word,
		    now, now & ~value);
	if (word >= PV_OTP_LOWER && now != 0 && now != value)
		return pv_fail(e, PV_E_POLICY,
		    "OTP %zu is 0x%08x: words from %u on can be burnt once",
		    word, now, PV_OTP_LOWER);
	/* 0 with an update request means "lock only". */
	if (lock && value == 0 && otp->version == 1)
		return pv_fail(
		    e, PV_E_POLICY, "OTP %zu would be locked as zero", word);
	return 0;
}

/* No update request but ours: a structure is read with them cleared. */
static void
clear_requests(struct pv_otp *otp)
{
	for (size_t i = 0; i < otp->n_words; i++)
		pv_put_u32le(otp->raw + V2_PAIRS + PAIR * i + 4,
		    state(otp, i) & ~UPDATE);
}

int
pv_otp_set(struct pv_otp *otp, size_t word, uint32_t value, bool lock,
    struct pv_error *e)
{
	uint8_t *p;
	int r;

	if (word >= otp->n_words)
		return pv_fail(e, PV_E_RANGE,
		    "OTP %zu: this device has words 0 to %zu", word,
		    otp->n_words - 1);
	if (otp->len == PV_OTP_V3_LEN_ST)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "an OTP structure with a hash behind it is not written");
	if (value == pv_otp_value(otp, word) &&
	    (!lock || (pv_otp_flags(otp, word) & PV_OTP_PERMANENT_LOCK) != 0))
		return 0;
	r = may_change(otp, word, value, lock, e);
	if (r != 0)
		return r;
	if (otp->version != 1 && pv_otp_changes(otp) == 0)
		clear_requests(otp);
	pv_put_u32le(otp->raw + value_at(otp, word), value);
	otp->changed[word] = true;
	if (otp->version == 1) {
		p = otp->raw + V1_LOCK + word / 32 * 4;
		if (lock)
			pv_put_u32le(p, pv_get_u32le(p) | 1U << word % 32);
		return 0;
	}
	p = otp->raw + V2_PAIRS + PAIR * word + 4;
	pv_put_u32le(p, state(otp, word) | UPDATE | (lock ? S_LOCK : 0));
	return 0;
}

size_t
pv_otp_changes(const struct pv_otp *otp)
{
	size_t n = 0;

	for (size_t i = 0; i < otp->n_words; i++)
		n += otp->changed[i];
	return n;
}

int
pv_otp_encode(const struct pv_otp *otp, uint8_t *dst, size_t cap,
    size_t *ret_len, struct pv_error *e)
{
	if (cap < otp->len)
		return pv_fail(
		    e, PV_E_INTERNAL, "room for %zu OTP bytes", otp->len);
	memcpy(dst, otp->raw, otp->len);
	*ret_len = otp->len;
	return 0;
}
