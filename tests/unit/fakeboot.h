/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bootloader for unit tests, behind struct pv_link: takes bytes one by one
 * as AN3155 describes and answers at once. A read with nothing to deliver is
 * a time-out at once, so no test waits. Bytes can be lost or damaged by
 * number, and the link can go away.
 */
#ifndef PV_FAKEBOOT_H
#define PV_FAKEBOOT_H

#include <provisor/chip.h>
#include <provisor/link.h>
#include <provisor/secure_install.h>

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FB_FLASH 0x08000000U
#define FB_PAGE	 2048U
#define FB_PAGES 32U
#define FB_SIZE	 65536U /* all pages */
#define FB_NONE	 UINT64_MAX

#define FB_OPTIONS	0x1fff7800U
#define FB_OPTIONS_SIZE 64U

enum fb_state {
	FB_BAUD,
	FB_COMMAND,
	FB_ADDRESS,
	FB_COUNT,
	FB_DATA,
	FB_LIST,
	FB_CODE,
	FB_PACKET1,
	FB_PACKET2,
	FB_CRC,
	FB_GONE, /* jumped to a program */
};

struct fakeboot {
	/* settings */
	const uint8_t *opcodes;
	size_t n_opcodes;
	uint8_t version;
	uint16_t id;
	bool rdp;
	bool double_nack;
	bool no_mass_erase;
	uint32_t protected_page; /* acknowledged, not erased or written */
	/* number of the byte from the host (or to it) that is lost/damaged */
	uint64_t lose_in, lose_out, flip_in, flip_out;
	uint64_t lose_in_count;
	uint64_t gone_at; /* link fails when this many bytes came in */
	/* one in `noise` bytes is lost or damaged, both ways; 0: none */
	uint32_t noise, seed;
	size_t crc_shape;    /* of the answer to Get Checksum: 5, 6, 7 */
	bool crc_wrong;	     /* it ignores what it is told */
	bool silent_restart; /* restarts before the last ACK */
	bool stubborn;	     /* acknowledges protection, keeps the old */
	bool deaf_merged;    /* loses what comes behind a frame at once */
	/* when set, takes the subcommands */
	void (*special)(struct fakeboot *b, uint16_t code, bool extended);
	void *special_ctx;

	/* state */
	enum fb_state state;
	uint8_t op;
	uint32_t addr;
	uint16_t code;
	uint8_t in[4096];
	size_t n_in;
	uint8_t p1[1100], p2[1100];
	size_t n_p1, n_p2;
	uint8_t out[8192];
	size_t out_at, n_out;
	uint8_t flash[FB_SIZE];
	uint8_t options[FB_OPTIONS_SIZE];
	uint32_t crc[4];
	size_t n_crc;
	uint8_t codes[256];
	size_t n_codes;
	bool dtr;

	/* accounts */
	unsigned n_restarts, n_link_writes, n_crcs, n_unprotects;
	size_t longest_write;
	uint64_t total_in, total_out;
	unsigned n_erases, n_mass, n_writes, n_nacks, n_go, n_programmed;
	uint32_t go_addr;
	uint8_t log[65536]; /* host bytes as they came */
	size_t n_log;
};

static const uint8_t fb_opcodes[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31, 0x44,
	0x50, 0x51, 0x63, 0x73, 0x82, 0x92 };
static const uint8_t fb_opcodes_crc[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
	0x44, 0x63, 0x73, 0x82, 0x92, 0xa1 };

/* 0 no fault, 1 lost, 2 damaged; xorshift */
static inline unsigned
fb_fault(struct fakeboot *b)
{
	uint32_t x = b->seed;

	if (b->noise == 0)
		return 0;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	b->seed = x;
	return x % b->noise == 0 ? 1U + ((x >> 16) & 1U) : 0U;
}

static inline void
fb_put(struct fakeboot *b, uint8_t v)
{
	uint64_t k = b->total_out++;

	if (k == b->lose_out)
		return;
	switch (fb_fault(b)) {
	case 1:
		return;
	case 2:
		v ^= (uint8_t)(1U << (b->seed >> 20 & 7U));
		break;
	default:
		break;
	}
	if (k == b->flip_out)
		v ^= 0x10;
	if (b->out_at == b->n_out)
		b->out_at = b->n_out = 0;
	if (b->n_out < sizeof(b->out))
		b->out[b->n_out++] = v;
}

static inline void
fb_put_all(struct fakeboot *b, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len-- > 0)
		fb_put(b, *p++);
}

static inline void
fb_ack(struct fakeboot *b)
{
	fb_put(b, 0x79);
}

static inline void
fb_nack(struct fakeboot *b)
{
	b->n_nacks++;
	fb_put(b, 0x1f);
	b->state = FB_COMMAND;
}

static inline uint8_t
fb_xor(const uint8_t *p, size_t n)
{
	uint8_t x = 0;

	while (n-- > 0)
		x ^= *p++;
	return x;
}

static inline void
fb_restart(struct fakeboot *b)
{
	b->n_restarts++;
	b->state = FB_BAUD;
	b->n_in = 0;
}

/* The end of a command that loads option bytes. */
static inline void
fb_ack_restart(struct fakeboot *b)
{
	if (!b->silent_restart)
		fb_ack(b);
	fb_restart(b);
}

static inline void
fb_protect(struct fakeboot *b)
{
	if (b->op == 0x92) {
		b->n_unprotects++;
		fb_ack(b); /* both before the erase, as OpenBL */
		memset(b->flash, 0xff, sizeof(b->flash));
		b->rdp = b->stubborn;
		fb_restart(b);
		return;
	}
	if (b->op == 0x82)
		b->rdp = !b->stubborn;
	if (b->op == 0x73) {
		b->n_codes = 0;
		b->protected_page = UINT32_MAX;
	}
	fb_ack_restart(b);
}

static inline uint32_t
fb_crc(const uint8_t *p, size_t len)
{
	uint32_t crc = 0xffffffffU;

	for (size_t i = 0; i < len; i++) {
		/* bytes 3 2 1 0 of each word, bit by bit */
		uint8_t v = p[(i & ~(size_t)3) + 3 - (i & 3)];

		for (int k = 7; k >= 0; k--) {
			uint32_t bit = (crc >> 31) ^ ((uint32_t)v >> k & 1U);

			crc = (crc << 1) ^ (bit != 0 ? 0x04c11db7U : 0U);
		}
	}
	return crc;
}

static inline void
fb_command(struct fakeboot *b)
{
	uint8_t op = b->in[0];

	if ((op ^ b->in[1]) != 0xff ||
	    memchr(b->opcodes, op, b->n_opcodes) == NULL) {
		fb_nack(b);
		return;
	}
	/* An install agent goes on answering questions. */
	if (b->rdp && op > 0x02 && op != 0x92 &&
	    !(op == 0x50 && b->special != NULL)) {
		fb_nack(b);
		if (b->double_nack)
			fb_put(b, 0x1f);
		return;
	}
	b->op = op;
	fb_ack(b);
	switch (op) {
	case 0x00:
		fb_put(b, (uint8_t)b->n_opcodes);
		fb_put(b, b->version);
		fb_put_all(b, b->opcodes, b->n_opcodes);
		fb_ack(b);
		break;
	case 0x01:
		fb_put(b, b->version);
		fb_put(b, 0);
		fb_put(b, 0);
		fb_ack(b);
		break;
	case 0x02:
		fb_put(b, 1);
		fb_put(b, (uint8_t)(b->id >> 8));
		fb_put(b, (uint8_t)b->id);
		fb_ack(b);
		break;
	case 0x11:
	case 0x21:
	case 0x31:
		b->state = FB_ADDRESS;
		break;
	case 0x43:
	case 0x44:
	case 0x63:
		b->state = FB_LIST;
		break;
	case 0x73:
	case 0x82:
	case 0x92:
		fb_protect(b);
		break;
	case 0xa1:
		b->state = FB_CRC;
		b->n_crc = 0;
		break;
	case 0x50:
	case 0x51:
		b->state = FB_CODE;
		break;
	default:
		break;
	}
}

static inline bool
fb_mapped(uint32_t addr, size_t len)
{
	return addr >= FB_FLASH && addr - FB_FLASH <= FB_SIZE &&
	       len <= FB_SIZE - (addr - FB_FLASH);
}

static inline bool
fb_in_options(uint32_t addr, size_t len)
{
	return addr >= FB_OPTIONS && addr - FB_OPTIONS <= FB_OPTIONS_SIZE &&
	       len <= FB_OPTIONS_SIZE - (addr - FB_OPTIONS);
}

static inline void
fb_crc_field(struct fakeboot *b)
{
	uint32_t crc;
	uint8_t f[5];

	if (fb_xor(b->in, 5) != 0) {
		fb_nack(b);
		return;
	}
	b->crc[b->n_crc++] = pv_get_u32be(b->in);
	if (b->n_crc < 4) {
		fb_ack(b);
		return;
	}
	b->state = FB_COMMAND;
	if (!fb_mapped(b->crc[0], b->crc[1] * 4U)) {
		fb_nack(b);
		return;
	}
	b->n_crcs++;
	crc = fb_crc(b->flash + (b->crc[0] - FB_FLASH), b->crc[1] * 4U);
	if (b->crc_wrong)
		crc ^= 0x01010101U;
	for (size_t i = 5; i < b->crc_shape; i++)
		fb_ack(b);
	pv_put_u32be(f, crc);
	f[4] = fb_xor(f, 4);
	fb_put_all(b, f, 5);
}

static inline void
fb_erase_page(struct fakeboot *b, uint32_t page)
{
	b->n_erases++;
	if (page < FB_PAGES && page != b->protected_page)
		memset(b->flash + page * FB_PAGE, 0xff, FB_PAGE);
}

static inline void
fb_list(struct fakeboot *b, size_t size)
{
	size_t wide = b->op == 0x44 ? 2 : 1, n, i;
	uint32_t page;

	b->state = FB_COMMAND;
	if (b->op == 0x63) {
		if (fb_xor(b->in, size) != 0) {
			fb_nack(b);
			return;
		}
		b->n_codes = size - 2;
		memcpy(b->codes, b->in + 1, b->n_codes);
		b->protected_page = b->codes[0];
		fb_ack_restart(b);
		return;
	}
	if (size == wide + 1 && b->in[0] == 0xff) { /* mass */
		if (b->no_mass_erase) {
			fb_nack(b);
			return;
		}
		b->n_mass++;
		for (page = 0; page < FB_PAGES; page++)
			fb_erase_page(b, page);
		fb_ack(b);
		return;
	}
	if (fb_xor(b->in, size) != 0) {
		fb_nack(b);
		return;
	}
	n = (size - wide - 1) / wide;
	for (i = 0; i < n; i++) {
		page =
		    wide == 2 ? pv_get_u16be(b->in + 2 + 2 * i) : b->in[1 + i];
		fb_erase_page(b, page);
	}
	fb_ack(b);
}

static inline void
fb_write(struct fakeboot *b, size_t n)
{
	size_t i, off;

	b->state = FB_COMMAND;
	if (fb_xor(b->in, n + 2) != 0) {
		fb_nack(b);
		return;
	}
	b->n_writes++;
	if (fb_in_options(b->addr, n)) {
		if (b->addr == FB_OPTIONS && !b->stubborn) {
			memset(b->options, 0xff, sizeof(b->options));
			memcpy(b->options, b->in + 1, n);
		}
		fb_ack_restart(b);
		return;
	}
	off = b->addr - FB_FLASH;
	for (i = 0; i < n && off + i < FB_SIZE; i++)
		if ((off + i) / FB_PAGE != b->protected_page) {
			b->flash[off + i] &= b->in[1 + i];
			b->n_programmed++;
		}
	fb_ack(b);
}

/* Bytes the present frame needs, as far as it is known now. */
static inline size_t
fb_need(const struct fakeboot *b)
{
	size_t n;

	switch (b->state) {
	case FB_BAUD:
		return 1;
	case FB_COMMAND:
	case FB_COUNT:
		return 2;
	case FB_ADDRESS:
	case FB_CRC:
		return 5;
	case FB_CODE:
		return 3;
	case FB_DATA:
		return b->n_in < 1 ? 1 : b->in[0] + 3U;
	case FB_LIST:
		if (b->op == 0x43 || b->op == 0x63)
			return b->n_in < 1 ? 1
			       : b->in[0] == 0xff && b->op == 0x43
				   ? 2
				   : b->in[0] + 3U;
		if (b->n_in < 2)
			return 2;
		n = pv_get_u16be(b->in);
		return n >= 0xfff0U ? 3 : 2 + 2 * (n + 1) + 1;
	case FB_PACKET1:
	case FB_PACKET2:
		if (b->n_in < 2)
			return 2;
		n = pv_get_u16be(b->in);
		if (n > (b->state == FB_PACKET1 ? 128U : 1024U))
			return 2; /* refused at once */
		return n + 3;
	case FB_GONE:
		break;
	}
	return SIZE_MAX;
}

static inline void
fb_packet(struct fakeboot *b, size_t size)
{
	bool first = b->state == FB_PACKET1;
	size_t n = size - 3;

	if (size < 3 || fb_xor(b->in, size) != 0) {
		fb_nack(b);
		return;
	}
	fb_ack(b);
	memcpy(first ? b->p1 : b->p2, b->in + 2, n);
	*(first ? &b->n_p1 : &b->n_p2) = n;
	if (first && b->op == 0x51) {
		b->state = FB_PACKET2;
		return;
	}
	b->state = FB_COMMAND;
	b->special(b, b->code, b->op == 0x51);
}

static inline void
fb_frame(struct fakeboot *b)
{
	size_t size = b->n_in, n;

	b->n_in = 0;
	switch (b->state) {
	case FB_BAUD:
		if (b->in[0] == 0x7f) {
			b->state = FB_COMMAND;
			fb_ack(b);
		}
		break;
	case FB_COMMAND:
		fb_command(b);
		break;
	case FB_ADDRESS:
		b->addr = pv_get_u32be(b->in);
		if (fb_xor(b->in, 5) != 0 ||
		    (!fb_mapped(b->addr, 1) && !fb_in_options(b->addr, 1))) {
			fb_nack(b);
			break;
		}
		fb_ack(b);
		b->state = b->op == 0x11   ? FB_COUNT
			   : b->op == 0x31 ? FB_DATA
					   : FB_GONE;
		if (b->op == 0x21) {
			b->n_go++;
			b->go_addr = b->addr;
		}
		break;
	case FB_COUNT:
		n = b->in[0] + 1U;
		if ((b->in[0] ^ b->in[1]) != 0xff ||
		    (!fb_mapped(b->addr, n) && !fb_in_options(b->addr, n))) {
			fb_nack(b);
			break;
		}
		fb_ack(b);
		b->state = FB_COMMAND;
		if (fb_in_options(b->addr, n)) {
			fb_put_all(b, b->options + (b->addr - FB_OPTIONS), n);
			break;
		}
		fb_put_all(b, b->flash + (b->addr - FB_FLASH), n);
		break;
	case FB_DATA:
		fb_write(b, size - 2);
		break;
	case FB_LIST:
		fb_list(b, size);
		break;
	case FB_CRC:
		fb_crc_field(b);
		break;
	case FB_CODE:
		b->code = pv_get_u16be(b->in);
		if (fb_xor(b->in, 3) != 0 || b->special == NULL) {
			fb_nack(b);
			break;
		}
		fb_ack(b);
		b->n_p1 = b->n_p2 = 0;
		b->state = FB_PACKET1;
		break;
	case FB_PACKET1:
	case FB_PACKET2:
		fb_packet(b, size);
		break;
	case FB_GONE:
		break;
	}
}

static inline void
fb_take(struct fakeboot *b, uint8_t v)
{
	uint64_t k = b->total_in++;

	if (b->n_log < sizeof(b->log))
		b->log[b->n_log++] = v;
	if (b->lose_in != FB_NONE && k >= b->lose_in &&
	    k < b->lose_in + b->lose_in_count)
		return;
	if (k == b->flip_in)
		v ^= 0x10;
	switch (fb_fault(b)) {
	case 1:
		return;
	case 2:
		v ^= (uint8_t)(1U << (b->seed >> 20 & 7U));
		break;
	default:
		break;
	}
	if (b->n_in < sizeof(b->in))
		b->in[b->n_in++] = v;
	if (b->n_in >= fb_need(b))
		fb_frame(b);
}

static inline int
fb_gone(const struct fakeboot *b, struct pv_error *e)
{
	return b->total_in >= b->gone_at
		   ? pv_fail(e, PV_E_LINK, "port 'fake' went away")
		   : 0;
}

static inline int
fb_link_write(void *ctx, const uint8_t *data, size_t len, int64_t deadline,
    struct pv_error *e)
{
	struct fakeboot *b = ctx;

	unsigned answered = 0;
	uint64_t before;

	(void)deadline;
	b->n_link_writes++;
	if (len > b->longest_write)
		b->longest_write = len;
	while (len-- > 0) {
		if (fb_gone(b, e) != 0)
			return PV_E_LINK;
		before = b->total_out;
		/* A device that is slow to come back to its receiver. */
		if (b->deaf_merged && answered > 0 && answered++ < 3) {
			data++;
			continue;
		}
		fb_take(b, *data++);
		if (b->total_out != before && answered == 0)
			answered = 1;
	}
	return 0;
}

static inline int
fb_link_read(void *ctx, uint8_t *data, size_t cap, size_t *ret_len,
    int64_t deadline, struct pv_error *e)
{
	struct fakeboot *b = ctx;
	size_t n = b->n_out - b->out_at;

	(void)deadline;
	if (n == 0) {
		b->n_out = b->out_at = 0;
		if (fb_gone(b, e) != 0)
			return PV_E_LINK;
		return pv_fail(e, PV_E_TIMEOUT, "no answer on 'fake'");
	}
	if (n > cap)
		n = cap;
	memcpy(data, b->out + b->out_at, n);
	b->out_at += n;
	*ret_len = n;
	return 0;
}

static inline int
fb_link_drain(void *ctx, struct pv_error *e)
{
	struct fakeboot *b = ctx;

	(void)e;
	b->n_out = b->out_at = 0;
	return 0;
}

/* DTR holds the device in reset while it is asserted. */
static inline int
fb_link_line(void *ctx, enum pv_line line, int on, struct pv_error *e)
{
	struct fakeboot *b = ctx;

	(void)e;
	if (line != PV_LINE_DTR)
		return 0;
	if (b->dtr && on == 0)
		fb_restart(b);
	b->dtr = on != 0;
	return 0;
}

static inline struct fakeboot *
fb_new(void)
{
	struct fakeboot *b = calloc(1, sizeof(*b));

	if (b == NULL)
		abort();
	b->opcodes = fb_opcodes;
	b->n_opcodes = sizeof(fb_opcodes);
	b->version = 0x31;
	b->id = 0x460;
	b->protected_page = UINT32_MAX;
	b->lose_in = b->lose_out = b->flip_in = b->flip_out = FB_NONE;
	b->lose_in_count = 1;
	b->gone_at = FB_NONE;
	b->crc_shape = 7;
	b->seed = 1;
	memset(b->options, 0xaa, sizeof(b->options));
	memset(b->flash, 0xff, sizeof(b->flash));
	return b;
}

static inline struct pv_link
fb_link(struct fakeboot *b)
{
	return (struct pv_link){
		.ctx = b,
		.baud = 115200,
		.write = fb_link_write,
		.read = fb_link_read,
		.drain = fb_link_drain,
		.line = fb_link_line,
	};
}

static inline struct pv_chip
fb_chip(void)
{
	struct pv_chip c = {
		.name = "stm32fake",
		.title = "STM32FAKE",
		.device_id = 0x460,
		.write_unit = 8,
		.ecc = true,
		.erased = 0xff,
		.n_banks = 1,
		.n_rams = 1,
		.boot_ram_reserved = 0x1000,
	};

	c.banks[0].base = FB_FLASH;
	c.banks[0].size = FB_SIZE;
	c.banks[0].n_groups = 1;
	c.banks[0].groups[0].count = FB_PAGES;
	c.banks[0].groups[0].size = FB_PAGE;
	c.rams[0].base = 0x20000000U;
	c.rams[0].size = 0x8000;
	c.has_option_area = true;
	c.option_area.base = FB_OPTIONS;
	c.option_area.size = FB_OPTIONS_SIZE;
	return c;
}

#endif
