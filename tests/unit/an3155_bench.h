/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The USART bootloader on the part of device_fake.h, talked to in hex:
 * `talk(b, "bytes of the host", "the whole answer")`.
 */
#ifndef PV_TEST_AN3155_BENCH_H
#define PV_TEST_AN3155_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/device_fake.h"

struct bench {
	struct fake fake;
	struct pv_an_config config;
	struct pv_an_specials specials;
	struct pv_an m;
};

static inline int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c - (c >= 'a' ? 'a' : 'A') + 10;
}

static inline size_t
from_hex(const char *text, uint8_t *dst, size_t cap)
{
	size_t n = 0;

	while (*text != '\0') {
		if (*text == ' ') {
			text++;
			continue;
		}
		assert_true(n < cap);
		dst[n++] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
		text += 2;
	}
	return n;
}

/* Feed `host`; the device's answer must be exactly `device`. */
static inline void
talk_at(struct bench *b, const char *host, const char *device, int line)
{
	uint8_t in[1200], want[1200];
	char got[256] = "";
	size_t n = from_hex(host, in, sizeof in);
	size_t w = from_hex(device, want, sizeof want);

	b->fake.out_len = 0;
	pv_an_feed(&b->m, in, n);
	if (b->fake.out_len == w && memcmp(b->fake.out, want, w) == 0)
		return;
	for (size_t i = 0; i < b->fake.out_len && i < 80; i++)
		(void)snprintf(
		    got + 3 * i, sizeof got - 3 * i, "%02X ", b->fake.out[i]);
	print_message(
	    "line %d: host %s: wanted %s, got %s\n", line, host, device, got);
	fail();
}
#define talk(b, host, device) talk_at(b, host, device, __LINE__)

/* A special command that answers with what it got. */
static inline bool
echo_known(void *ctx, uint8_t opcode, uint16_t sub, enum pv_an_lock lock)
{
	(void)ctx;
	(void)opcode;
	return sub == 0x1234 && lock == PV_AN_OPEN;
}

static inline void
echo_run(void *ctx, struct pv_an_special *s)
{
	(void)ctx;
	memcpy(s->out, s->data, s->len);
	s->out_len = s->len;
	s->status[0] = 0xaa;
	s->status[1] = (uint8_t)s->more_len;
	s->status_len = 2;
	s->restart = s->len == 3;
}

static inline void
boot(struct bench *b)
{
	pv_an_init(
	    &b->m, &b->config, &b->fake.memory, &b->fake.control, &b->specials);
	talk(b, "7F", "79");
}

static inline int
setup(void **state)
{
	static const uint8_t list[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
		0x44, 0x63, 0x73, 0x82, 0x92 };
	struct bench *b = test_calloc(1, sizeof *b);

	fake_init(&b->fake);
	b->config.version = 0x31;
	b->config.device_id = 0x413;
	b->config.option_base = FAKE_OPTIONS;
	b->config.two_banks = true;
	memcpy(b->config.opcodes, list, sizeof list);
	b->config.n_opcodes = sizeof list;
	b->specials.ctx = b;
	b->specials.known = echo_known;
	b->specials.run = echo_run;
	boot(b);
	*state = b;
	return 0;
}

static inline int
teardown(void **state)
{
	test_free(*state);
	return 0;
}

static inline void
list_opcode(struct bench *b, uint8_t opcode)
{
	b->config.opcodes[b->config.n_opcodes++] = opcode;
}

#endif
