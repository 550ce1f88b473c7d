/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The line in virtual time: when answers come, what a receiver without FIFO
 * loses, what an adapter holds back, and noise that a seed decides. Behind it
 * is the bootloader on the part of device_fake.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/device_fake.h"

#include "sim/wire.h"

#define CH   95486 /* ns a byte at 115200 baud */
#define MS   1000000
#define NEAR 1000 /* rounding of byte times in a frame */

struct rig {
	struct fake fake;
	struct pv_an_config config;
	struct pv_an an;
	struct pv_wire wire;
	struct pv_wire_part part;
	int64_t busy;
	unsigned int overruns, resets, lasts;
	int64_t program_ns;
};

static void
rig_take(void *ctx, uint8_t byte)
{
	struct rig *g = ctx;

	pv_an_feed(&g->an, &byte, 1);
}

static int64_t
rig_busy(void *ctx)
{
	const struct rig *g = ctx;

	return g->busy;
}

static bool
rig_synced(void *ctx)
{
	const struct rig *g = ctx;

	return g->an.step != NULL;
}

static bool
rig_mid_frame(void *ctx)
{
	const struct rig *g = ctx;

	return pv_an_mid_frame(&g->an);
}

static void
rig_reset(void *ctx)
{
	struct rig *g = ctx;

	g->resets++;
	pv_an_reset(&g->an);
	pv_wire_restarted(&g->wire);
}

static void
rig_overrun(void *ctx)
{
	struct rig *g = ctx;

	g->overruns++;
}

static void
rig_last(void *ctx)
{
	struct rig *g = ctx;

	g->lasts++;
}

static void
rig_emit(void *ctx, const uint8_t *data, size_t n)
{
	struct fake *f = ctx;
	struct rig *g = (struct rig *)(void *)f;

	pv_wire_emit(&g->wire, data, n);
}

static int
rig_program(void *ctx, uint32_t addr, const uint8_t *data, size_t len)
{
	struct rig *g = ctx;

	g->busy += g->program_ns;
	return fake_program(&g->fake, addr, data, len);
}

static void
rig_restart(void *ctx)
{
	struct rig *g = ctx;

	pv_wire_restarted(&g->wire);
}

static void
rig_start(struct rig *g, const struct pv_wire_config *config)
{
	static const uint8_t list[] = { 0x00, 0x01, 0x02, 0x11, 0x21, 0x31,
		0x44, 0x63, 0x73, 0x82, 0x92 };

	pv_wire_release(&g->wire);
	memset(g, 0, sizeof *g);
	fake_init(&g->fake);
	g->fake.control.emit = rig_emit;
	g->fake.control.restart = rig_restart;
	g->fake.memory.program = rig_program;
	g->config.version = 0x31;
	g->config.device_id = 0x413;
	memcpy(g->config.opcodes, list, sizeof list);
	g->config.n_opcodes = sizeof list;
	g->part = (struct pv_wire_part){
		.ctx = g,
		.take = rig_take,
		.busy_ns = rig_busy,
		.synced = rig_synced,
		.mid_frame = rig_mid_frame,
		.reset = rig_reset,
		.overrun = rig_overrun,
		.last = rig_last,
	};
	pv_an_init(&g->an, &g->config, &g->fake.memory, &g->fake.control, NULL);
	pv_wire_init(&g->wire, config, &g->part);
}

static int
setup(void **state)
{
	*state = test_calloc(1, sizeof(struct rig));
	return 0;
}

static int
teardown(void **state)
{
	struct rig *g = *state;

	pv_wire_release(&g->wire);
	test_free(g);
	return 0;
}

/* Fetch until n bytes came; the time when the last was handed over. */
static int64_t
collect(struct rig *g, uint8_t *dst, size_t n)
{
	size_t have = 0;
	int64_t t = 0;

	while (have < n) {
		t = pv_wire_next(&g->wire);
		assert_int_not_equal(t, PV_WIRE_NEVER);
		pv_wire_run(&g->wire, t);
		have += pv_wire_fetch(&g->wire, t, dst + have, n - have);
	}
	return t;
}

static void
near(int64_t got, int64_t want)
{
	if (got < want - NEAR || got > want + NEAR)
		print_message(
		    "got %lld, wanted %lld\n", (long long)got, (long long)want);
	assert_true(got >= want - NEAR && got <= want + NEAR);
}

static int64_t
sync_at(struct rig *g, int64_t t)
{
	uint8_t ack;

	pv_wire_send(&g->wire, t, (const uint8_t[]){ 0x7f }, 1);
	t = collect(g, &ack, 1);
	assert_int_equal(ack, 0x79);
	return t;
}

/* A Write of 256 bytes at block n, split in writes as `steps` says. */
static size_t
write_frame(uint8_t f[265], uint32_t n)
{
	uint32_t addr = FAKE_FLASH + n * 256;

	f[0] = 0x31;
	f[1] = 0xce;
	f[2] = (uint8_t)(addr >> 24);
	f[3] = (uint8_t)(addr >> 16);
	f[4] = (uint8_t)(addr >> 8);
	f[5] = (uint8_t)addr;
	f[6] = (uint8_t)(f[2] ^ f[3] ^ f[4] ^ f[5]);
	f[7] = f[264] = 0xff;
	for (unsigned int i = 0; i < 256; i++) {
		f[8 + i] = (uint8_t)(i * 7 + n);
		f[264] = (uint8_t)(f[264] ^ f[8 + i]);
	}
	return 265;
}

static void
test_times(void **state)
{
	struct rig *g = *state;
	const struct pv_wire_config c = { .baud = 115200 };
	uint8_t got[300], f[265];
	int64_t t;

	rig_start(g, &c);
	assert_int_equal(pv_wire_next(&g->wire), PV_WIRE_NEVER);
	t = sync_at(g, 5 * MS);
	near(t, 5 * MS + 2 * CH);
	/* Get ID: two bytes out, five in. */
	pv_wire_send(&g->wire, t, (const uint8_t[]){ 0x02, 0xfd }, 2);
	near(collect(g, got, 5), t + 7 * CH);
	assert_memory_equal(got, "\x79\x01\x04\x13\x79", 5);
	/* A block in three steps: 268 byte times and the flash. */
	g->program_ns = 3 * MS;
	t = 100 * MS;
	write_frame(f, 0);
	pv_wire_send(&g->wire, t, f, 2);
	t = collect(g, got, 1);
	pv_wire_send(&g->wire, t, f + 2, 5);
	t = collect(g, got, 1);
	pv_wire_send(&g->wire, t, f + 7, 258);
	t = collect(g, got, 1);
	near(t, 100 * MS + 268 * CH + 3 * MS);
	assert_int_equal(g->overruns, 0);
	assert_memory_equal(g->fake.flash, f + 8, 256);
}

static void
test_latency(void **state)
{
	struct rig *g = *state;
	const struct pv_wire_config c = { .baud = 115200,
		.latency_ns = 16 * MS };
	struct pv_wire_config event = c;
	uint8_t got[300];
	int64_t t;

	rig_start(g, &c);
	t = sync_at(g, 0);
	near(t, 2 * CH + 16 * MS);
	/* A Read of 256: packets of 62 go at once, the rest waits. */
	pv_wire_send(&g->wire, t,
	    (const uint8_t[]){ 0x11, 0xee, 8, 0, 0, 0, 8, 0xff, 0 }, 9);
	pv_wire_run(&g->wire, t + 12 * CH);
	/* ACK, ACK, ACK and data: the first 62 bytes. */
	near(pv_wire_next(&g->wire), g->wire.out[61].at);
	near(collect(g, got, 259), g->wire.out[248].at + 16 * MS);
	/* The event character hands over each ACK. */
	event.event_char = true;
	rig_start(g, &event);
	near(sync_at(g, 0), 2 * CH);
}

/*
 * A client that sends the whole block at once. Two bytes may wait while the
 * part sends its ACK; when it also takes 50 us to turn, that is too few at
 * 921600 baud and enough at 115200.
 */
static void
coalesce(struct rig *g, uint32_t baud, int64_t turn_ns)
{
	const struct pv_wire_config c = { .baud = baud, .turn_ns = turn_ns };
	uint8_t f[265], got[4];

	rig_start(g, &c);
	(void)sync_at(g, 0);
	pv_wire_send(&g->wire, 10 * MS, f, write_frame(f, 0));
	pv_wire_run(&g->wire, 100 * MS);
	(void)pv_wire_fetch(&g->wire, 100 * MS, got, sizeof got);
}

static void
test_overruns(void **state)
{
	struct rig *g = *state;
	uint8_t f[265];

	write_frame(f, 0);
	coalesce(g, 921600, 5000);
	assert_int_equal(g->overruns, 0);
	assert_memory_equal(g->fake.flash, f + 8, 256);
	coalesce(g, 115200, 150000);
	assert_int_equal(g->overruns, 0);
	assert_memory_equal(g->fake.flash, f + 8, 256);
	coalesce(g, 921600, 50000);
	assert_true(g->overruns > 0);
	assert_memory_not_equal(g->fake.flash, f + 8, 256);
	/* Deaf while it programs: what comes then is lost but for two. */
	coalesce(g, 115200, 0);
	g->program_ns = 50 * MS;
	g->overruns = 0;
	pv_wire_send(&g->wire, 200 * MS, f, write_frame(f, 1));
	pv_wire_send(
	    &g->wire, 230 * MS, (const uint8_t[]){ 2, 0xfd, 2, 0xfd, 2 }, 5);
	assert_int_equal(g->overruns, 3);
}

static void
test_rates(void **state)
{
	struct rig *g = *state;
	struct pv_wire_config c = { .baud = 230400, .max_baud = 115200 };
	uint8_t got[8];

	/* Too fast: not recognized. */
	rig_start(g, &c);
	pv_wire_send(&g->wire, 0, (const uint8_t[]){ 0x7f }, 1);
	assert_int_equal(pv_wire_next(&g->wire), PV_WIRE_NEVER);
	/* The rate of the first 0x7F stays; another one is noise. */
	pv_wire_host_rate(&g->wire, 57600);
	(void)sync_at(g, MS);
	pv_wire_host_rate(&g->wire, 115200);
	pv_wire_send(&g->wire, 10 * MS, (const uint8_t[]){ 2, 0xfd }, 2);
	pv_wire_run(&g->wire, 20 * MS);
	(void)pv_wire_fetch(&g->wire, 20 * MS, got, sizeof got);
	assert_int_equal(g->an.commands, 0);
	/* 2 % apart is near enough. */
	pv_an_reset(&g->an);
	pv_wire_restarted(&g->wire);
	pv_wire_host_rate(&g->wire, 57600);
	(void)sync_at(g, 30 * MS);
	pv_wire_host_rate(&g->wire, 58700);
	pv_wire_send(&g->wire, 40 * MS, (const uint8_t[]){ 2, 0xfd }, 2);
	(void)collect(g, got, 5);
	assert_memory_equal(got, "\x79\x01\x04\x13\x79", 5);
}

static void
test_restart_and_timeout(void **state)
{
	struct rig *g = *state;
	const struct pv_wire_config c = { .baud = 115200,
		.restart_ns = 10 * MS,
		.byte_timeout_ns = 1000 * MS };
	uint8_t got[8];
	int64_t t;

	rig_start(g, &c);
	t = sync_at(g, 0);
	/* While it restarts nothing is heard, and nothing overruns. */
	pv_wire_send(&g->wire, t, (const uint8_t[]){ 0x82, 0x7d }, 2);
	t = collect(g, got, 2);
	pv_wire_send(&g->wire, t, (const uint8_t[]){ 0x7f, 0x7f, 0x7f }, 3);
	assert_int_equal(pv_wire_next(&g->wire), PV_WIRE_NEVER);
	assert_int_equal(g->overruns, 0);
	t = sync_at(g, t + 20 * MS);
	/* Half a frame: back at the start after a second. */
	pv_wire_send(&g->wire, t, (const uint8_t[]){ 0x92 }, 1);
	near(pv_wire_next(&g->wire), t + CH + 1000 * MS);
	pv_wire_run(&g->wire, t + 999 * MS);
	assert_int_equal(g->resets, 0);
	pv_wire_run(&g->wire, t + 1001 * MS);
	assert_int_equal(g->resets, 1);
	assert_int_equal(pv_wire_next(&g->wire), PV_WIRE_NEVER);
	(void)sync_at(g, t + 1100 * MS);
}

static void
test_cut(void **state)
{
	struct rig *g = *state;
	struct pv_wire_config c = { .has_cut = true, .cut = 3 };

	rig_start(g, &c);
	pv_wire_send(
	    &g->wire, 0, (const uint8_t[]){ 0x7f, 0x02, 0xfd, 0x02 }, 4);
	assert_true(g->wire.cut);
	assert_int_equal(g->wire.sent, 3);
	assert_int_equal(g->lasts, 1);
	assert_int_equal(g->an.commands, 1);
	c.cut = 0;
	rig_start(g, &c);
	pv_wire_send(&g->wire, 0, (const uint8_t[]){ 0x7f }, 1);
	assert_true(g->wire.cut);
	assert_int_equal(g->wire.sent, 0);
}

/* The reset pin after a given byte: out of the frame, and deaf for a while. */
static void
test_reset_at(void **state)
{
	struct rig *g = *state;
	struct pv_wire_config c = { .baud = 115200,
		.restart_ns = 10 * MS,
		.has_reset = true,
		.reset_at = 3 };

	rig_start(g, &c);
	pv_wire_send(
	    &g->wire, 0, (const uint8_t[]){ 0x7f, 0x02, 0xfd, 0x7f }, 4);
	assert_int_equal(g->wire.sent, 4);
	assert_int_equal(g->resets, 1);
	assert_int_equal(g->an.commands, 1);
	assert_false(rig_synced(g)); /* the last byte came too soon */
	pv_wire_send(&g->wire, 20 * MS, (const uint8_t[]){ 0x7f }, 1);
	pv_wire_run(&g->wire, 30 * MS);
	assert_true(rig_synced(g));
	assert_int_equal(g->resets, 1);
}

/* What the host gets for a sync byte and 1999 times Get ID. */
static void
noisy(struct rig *g, const struct pv_wire_noise *noise, uint64_t seed,
    int64_t step, uint8_t *dst, size_t *ret_n)
{
	struct pv_wire_config c = {
		.baud = 115200, .noise = *noise, .seed = seed
	};
	int64_t t = 0;

	rig_start(g, &c);
	*ret_n = 0;
	for (int i = 0; i < 2000; i++) {
		t += step;
		pv_wire_send(&g->wire, t,
		    i == 0 ? (const uint8_t[]){ 0x7f }
			   : (const uint8_t[]){ 0x02, 0xfd },
		    i == 0 ? 1 : 2);
		pv_wire_run(&g->wire, t + MS);
		*ret_n += pv_wire_fetch(
		    &g->wire, t + MS, dst + *ret_n, 16384 - *ret_n);
	}
}

static void
test_noise(void **state)
{
	struct rig *g = *state;
	static uint8_t a[16384], b[16384];
	struct pv_wire_noise n = { 0 };
	size_t len, other;

	noisy(g, &n, 1, 2 * MS, a, &len);
	assert_int_equal(len, 1 + 1999 * 5);
	n.drop[PV_WIRE_IN] = n.flip[PV_WIRE_OUT] = 0.01;
	n.nack = n.lostack = 0.01;
	noisy(g, &n, 1, 2 * MS, a, &len);
	/* The same seed, the same run, whatever the times. */
	noisy(g, &n, 1, 3 * MS, b, &other);
	assert_int_equal(len, other);
	assert_memory_equal(a, b, len);
	noisy(g, &n, 2, 2 * MS, b, &other);
	assert_true(len != other || memcmp(a, b, len) != 0);
	/* One kind at a time: about one in a hundred. */
	n = (struct pv_wire_noise){ .drop = { 0, 0.01 } };
	noisy(g, &n, 3, 2 * MS, a, &len);
	assert_in_range(len, 9996 - 150, 9996 - 50);
	n = (struct pv_wire_noise){ .insert = { 0, 0.01 } };
	noisy(g, &n, 3, 2 * MS, a, &len);
	assert_in_range(len, 9996 + 50, 9996 + 150);
	/* 4000 of the answers' bytes are ACKs. */
	n = (struct pv_wire_noise){ .lostack = 0.01 };
	noisy(g, &n, 3, 2 * MS, a, &len);
	assert_in_range(len, 9996 - 65, 9996 - 15);
	n = (struct pv_wire_noise){ .nack = 0.01 };
	noisy(g, &n, 3, 2 * MS, a, &len);
	assert_in_range(len, 9996 + 15, 9996 + 65);
	other = 0;
	for (size_t i = 0; i < len; i++)
		other += a[i] == 0x1f;
	assert_int_equal(other, len - 9996);
	n = (struct pv_wire_noise){ .flip = { 0, 1 } };
	noisy(g, &n, 3, 2 * MS, a, &len);
	assert_int_equal(len, 9996);
	for (size_t i = 1; i + 5 <= len; i += 5)
		assert_int_not_equal(a[i], 0x79);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_times),
		T(test_latency),
		T(test_overruns),
		T(test_rates),
		T(test_restart_and_timeout),
		T(test_cut),
		T(test_reset_at),
		T(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
