/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The STM32MP session on a serial line, byte by byte: the transcripts of
 * formats/mpu-boot.md and the ways a stage may refuse. M1 to M8.
 */
#include "tests/unit/scriptlink.h"

#include <provisor/mpu.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

#define OPEN_SSP                                                        \
	{ "7f", "79" }, { "00ff", "79 07 40 00 01 02 03 12 21 31 79" }, \
	    { "01fe", "79 00 79" },                                     \
	{                                                               \
		"02fd", "79 02 05 00 79"                                \
	}
#define OPEN_ROM_13                                                  \
	{ "7f", "79" }, { "00ff", "79 06 40 00 01 02 03 21 31 79" }, \
	    { "01fe", "79 10 00 00 79" },                            \
	{                                                            \
		"02fd", "79 01 05 01 79"                             \
	}
#define OPEN_ROM_15                                                  \
	{ "7f", "79" }, { "00ff", "79 06 40 00 01 02 03 21 31 79" }, \
	    { "01fe", "79 10 00 00 79" },                            \
	{                                                            \
		"02fd", "79 01 05 00 79"                             \
	}
#define OPEN_UBOOT                                                         \
	{ "7f", "79" }, { "00ff", "79 08 40 00 01 02 03 11 12 21 31 79" }, \
	    { "01fe", "79 03 79" },                                        \
	{                                                                  \
		"02fd", "79 01 05 00 79"                                   \
	}

struct rig {
	struct script s;
	struct pv_link link;
	struct pv_mpu m;
	struct pv_error e;
};

static int
open_rig(struct rig *r, const struct script_step *steps, size_t n)
{
	memset(r, 0, sizeof(*r));
	r->link = script_link(&r->s, steps, n);
	return pv_mpu_uart_open(&r->link, NULL, NULL, &r->m, &r->e);
}

static void
close_rig(struct rig *r)
{
	assert_true(script_played(&r->s));
	pv_mpu_release(&r->m);
}

static int
send_bytes(struct rig *r, uint8_t id, size_t n)
{
	static uint8_t data[1024];
	struct pv_mpu_source src;

	assert_true(n <= sizeof(data));
	for (size_t i = 0; i < n; i++)
		data[i] = (uint8_t)i;
	pv_mpu_memory(data, n, &src);
	return r->m.download(r->m.ctx, id, &src, "test", &r->e);
}

/* --- what stages say ------------------------------------------------------------ */

static void
test_open_ssp(void **state)
{
	static const struct script_step steps[] = { OPEN_SSP };
	const struct pv_mpu_info *i;
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	i = r.m.info(r.m.ctx);
	assert_int_equal(i->chip, PV_MPU_MP15);
	assert_int_equal(i->protocol, 0x40);
	assert_int_equal(i->n_opcodes, 7);
	assert_int_equal(i->n_version, 1);
	assert_int_equal(i->version[0], 0);
	assert_false(i->usb);
	close_rig(&r);
}

static void
test_open_rom(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_13,
		{ "03fc", "79 06 01 00 fe fd 2f 01 00 79" } };
	struct pv_mpu_phase p = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.info(r.m.ctx)->chip, PV_MPU_MP13);
	assert_int_equal(r.m.info(r.m.ctx)->n_version, 3);
	assert_int_equal(r.m.info(r.m.ctx)->version[0], 0x10);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), 0);
	assert_int_equal(p.id, PV_MPU_FSBL);
	assert_int_equal(p.address, 0x2ffdfe00);
	assert_int_equal(p.stage, PV_MPU_STAGE_ROM);
	close_rig(&r);
}

static void
test_open_uboot(void **state)
{
	static const struct script_step steps[] = { OPEN_UBOOT,
		{ "03fc", "79 05 00 00 00 00 c0 00 79" } };
	struct pv_mpu_phase p = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), 0);
	assert_int_equal(p.stage, PV_MPU_STAGE_UBOOT);
	assert_int_equal(p.id, PV_MPU_LAYOUT);
	close_rig(&r);
}

/* A microcontroller lists no Get Phase. */
static void
test_open_mcu(void **state)
{
	static const struct script_step steps[] = { { "7f", "79" },
		{ "00ff", "79 0b 31 00 01 02 11 21 31 44 63 73 82 92 79" } };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), PV_E_UNSUPPORTED);
	assert_non_null(strstr(r.e.msg, "it is no STM32MP"));
	assert_true(script_played(&r.s));
}

/* A ROM that was synchronized before takes two 0x7f for a bad command. */
static void
test_open_synced(void **state)
{
	static const struct script_step steps[] = { { "7f", "" },
		{ "7f", "1f" }, { "00ff", "79 06 40 00 01 02 03 21 31 79" },
		{ "01fe", "79 10 00 00 79" }, { "02fd", "79 01 05 00 79" } };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	close_rig(&r);
}

static void
test_boot_1(void **state)
{
	static const struct script_step steps[] = { OPEN_SSP,
		{ "03fc",
		    "79 12 ff 00000000 0d 50726f766973696f6e696e670a 79" } };
	struct pv_mpu_phase p = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), 0);
	assert_int_equal(p.id, PV_MPU_RESET);
	assert_int_equal(p.stage, PV_MPU_STAGE_TFA_SSP);
	assert_string_equal(p.text, "Provisioning");
	close_rig(&r);
}

/* A device that resets may leave out the ACK; control bytes are masked. */
static void
test_reset_text(void **state)
{
	static const struct script_step steps[] = { OPEN_SSP,
		{ "03fc", "79 09 ff 00000000 04 41 1b 42 0a" } };
	struct pv_mpu_phase p = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), 0);
	assert_string_equal(p.text, "A?B");
	close_rig(&r);
}

/* Lengths that do not agree: asked four times, then an error. */
static void
test_phase_nonsense(void **state)
{
	static const struct script_step steps[] = { OPEN_SSP,
		{ "03fc", "79 05 f3 00000000 03 79" },
		{ "03fc", "79 05 f3 00000000 03 79" },
		{ "03fc", "79 03 f3 000000 79" },
		{ "03fc", "79 05 f3 00000000 03 79" } };
	struct pv_mpu_phase p = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), PV_E_DEVICE);
	assert_non_null(strstr(r.e.msg, "answer to Get Phase"));
	close_rig(&r);
}

/* --- reading --------------------------------------------------------------------- */

static void
certificate(const char *trailer, const char *want_next)
{
	char data[2 * 136 + 16] = "79 35303030323030 41";
	struct script_step steps[] = { OPEN_SSP, { "12ed", "79" },
		{ "f3 00000000 f3", "79" }, { "88 77", data },
		{ "03fc", want_next } };
	struct pv_mpu_phase p = { 0 };
	uint8_t b[256];
	size_t n = 0;
	struct rig r;

	for (size_t i = 0; i < 128; i++)
		(void)snprintf(data + strlen(data), sizeof(data) - strlen(data),
		    "%02x", (unsigned)i);
	(void)snprintf(
	    data + strlen(data), sizeof(data) - strlen(data), "%s", trailer);
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(
	    r.m.read(r.m.ctx, PV_MPU_SSP, b, sizeof(b), &n, &r.e), 0);
	assert_int_equal(n, 136);
	assert_memory_equal(b, "5000200A", 8);
	assert_int_equal(b[135], 127);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), 0);
	close_rig(&r);
}

/* N = 0x88; 136 bytes; TF-A 2.4 and later send one more ACK (M8). */
static void
test_certificate(void **state)
{
	(void)state;
	certificate("79", "79 05 f3 00f0ff2f 00 79");
	certificate("", "79 05 f3 00f0ff2f 00 79");
}

static void
test_read_unsupported(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_15 };
	uint8_t b[8];
	size_t n = 0;
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(
	    r.m.read(r.m.ctx, PV_MPU_OTP, b, 8, &n, &r.e), PV_E_UNSUPPORTED);
	assert_non_null(strstr(r.e.msg, "no command to read a partition"));
	close_rig(&r);
}

/* One read of an OTP structure of 776 bytes whose first packet is this. */
#define OTP_READ(first)                                                       \
	{ "12ed", "79" }, { "f2 00000000 f2", "79" },                         \
	    { "07 f8", "79 02000000 00000000" }, { "12ed", "79" },            \
	    { "f2 00000000 f2", "79" }, { "ff 00", first }, { "12ed", "79" }, \
	    { "f2 00000100 f3", "79" }, { "ff 00", zeros }, { "12ed", "79" }, \
	    { "f2 00000200 f0", "79" }, { "ff 00", zeros }, { "12ed", "79" }, \
	    { "f2 00000300 f1", "79" },                                       \
	{                                                                     \
		"07 f8", "79 0000000000000000"                                \
	}

#define PACKET (2 * 257 + 1)

static void
fill_packet(char dst[PACKET])
{
	memcpy(dst, "79", 2);
	memset(dst + 2, '0', PACKET - 3);
	dst[PACKET - 1] = '\0';
}

/* The first words tell the length; nothing past the end is asked for. */
static void
test_read_otp(void **state)
{
	char zeros[PACKET];
	struct script_step steps[] = { OPEN_UBOOT, OTP_READ(zeros),
		OTP_READ(zeros) };
	uint8_t b[PV_MPU_OTP_MAX];
	size_t n = 0;
	struct rig r;

	(void)state;
	fill_packet(zeros);
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(pv_mpu_read_otp(&r.m, b, &n, &r.e), 0);
	assert_int_equal(n, 776);
	close_rig(&r);
}

/* A byte that the line damaged: read until it reads twice alike. */
static void
test_read_otp_damaged(void **state)
{
	char zeros[PACKET], damaged[PACKET];
	struct script_step steps[] = { OPEN_UBOOT, OTP_READ(zeros),
		OTP_READ(damaged), OTP_READ(zeros), OTP_READ(zeros) };
	uint8_t b[PV_MPU_OTP_MAX];
	size_t n = 0;
	struct rig r;

	(void)state;
	fill_packet(zeros);
	fill_packet(damaged);
	damaged[100] = '1';
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(pv_mpu_read_otp(&r.m, b, &n, &r.e), 0);
	assert_int_equal(n, 776);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(b[i], 0);
	close_rig(&r);
}

/* --- sending --------------------------------------------------------------------- */

#define HEAD_0                       \
	{ "31ce", "79" },            \
	{                            \
		"00 000000 00", "79" \
	}
#define START                       \
	{ "21de", "79" },           \
	{                           \
		"ffffffff 00", "79" \
	}

static void
test_download(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_15, HEAD_0,
		{ "04 00 01 02 03 04 00", "79" }, START };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, PV_MPU_FSBL, 5), 0);
	assert_int_equal(r.m.counters(r.m.ctx)->sent, 5);
	assert_int_equal(r.m.counters(r.m.ctx)->retries, 0);
	close_rig(&r);
}

/* A packet that was refused goes again with the same number (M2). */
static void
test_download_nack(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_15, HEAD_0,
		{ "01 00 01 00", "1f" }, HEAD_0, { "01 00 01 00", "79" },
		START };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, PV_MPU_FSBL, 2), 0);
	assert_int_equal(r.m.counters(r.m.ctx)->retries, 1);
	close_rig(&r);
}

/* TF-A refuses a number before its checksum, which spoils one more (M3). */
static void
test_download_leftover(void **state)
{
	static const struct script_step steps[] = { OPEN_SSP, { "31ce", "79" },
		{ "00 000000 00", "1f" }, { "31ce", "1f" }, { "31ce", "79" },
		{ "00 000000 00", "79" }, { "01 00 01 00", "79" }, START };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, PV_MPU_SSP, 2), 0);
	assert_int_equal(r.m.counters(r.m.ctx)->retries, 2);
	close_rig(&r);
}

/* U-Boot acknowledges the header, then refuses: no data is sent (M5). */
static void
test_download_early(void **state)
{
	static const struct script_step steps[] = { OPEN_UBOOT,
		{ "03fc", "79 05 04 ffffffff 00 79" }, { "31ce", "79" },
		{ "00 000000 00", "79 1f" }, HEAD_0, { "01 00 01 00", "79" },
		START };
	struct pv_mpu_phase p = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), 0);
	assert_int_equal(send_bytes(&r, 0x04, 2), 0);
	close_rig(&r);
}

/* The answer to data was lost, and its number is refused: it is there. */
static void
test_download_lost_answer(void **state)
{
	static const struct script_step steps[] = { OPEN_SSP, HEAD_0,
		{ "01 00 01 00", "" }, { "7f", "79" }, { "31ce", "79" },
		{ "00 000000 00", "1f" }, { "31ce", "79" },
		{ "00 000000 00", "1f" }, START };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, PV_MPU_SSP, 2), 0);
	close_rig(&r);
}

static void
test_download_refused(void **state)
{
	static const struct script_step steps[] = { OPEN_SSP, { "31ce", "79" },
		{ "00 000000 00", "1f" }, { "31ce", "79" },
		{ "00 000000 00", "1f" }, { "31ce", "79" },
		{ "00 000000 00", "1f" }, { "31ce", "79" },
		{ "00 000000 00", "1f" } };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, PV_MPU_SSP, 2), PV_E_NACK);
	assert_non_null(strstr(r.e.msg, "does not take packet 0"));
	assert_non_null(strstr(r.e.hint, "reset the chip"));
	close_rig(&r);
}

/* After an abort nothing more is sent (M7). */
static void
test_abort(void **state)
{
	static const struct script_step steps[] = { OPEN_UBOOT, HEAD_0,
		{ "01 00 01 00", "5f" } };
	struct pv_mpu_phase p = { 0 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, 0x04, 2), PV_E_DEVICE);
	assert_non_null(strstr(r.e.msg, "aborted after the data (0x5F)"));
	assert_non_null(strstr(r.e.hint, "reset the chip"));
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), PV_E_DEVICE);
	close_rig(&r);
}

/* OTP: its own operation, and the Start that burns. */
static void
test_download_otp(void **state)
{
	static const struct script_step steps[] = { OPEN_UBOOT,
		{ "31ce", "79" }, { "f2 000000 f2", "79" },
		{ "01 00 01 00", "79" }, { "21de", "79" },
		{ "000000f2 f2", "79" } };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, PV_MPU_OTP, 2), 0);
	close_rig(&r);
}

/* A burn without an answer is no success. */
static void
test_otp_lost(void **state)
{
	static const struct script_step steps[] = { OPEN_UBOOT,
		{ "31ce", "79" }, { "f2 000000 f2", "79" },
		{ "01 00 01 00", "79" }, { "21de", "79" },
		{ "000000f2 f2", "" } };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(send_bytes(&r, PV_MPU_OTP, 2), PV_E_TIMEOUT);
	close_rig(&r);
}

static void
test_download_size(void **state)
{
	static const struct script_step steps[] = { OPEN_UBOOT };
	struct pv_mpu_source src = { .size = (1ULL << 32) + 1 };
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(
	    r.m.download(r.m.ctx, 4, &src, "big", &r.e), PV_E_RANGE);
	src.size = 0;
	assert_int_equal(
	    r.m.download(r.m.ctx, 4, &src, "none", &r.e), PV_E_RANGE);
	close_rig(&r);
}

/* --- the next stage ------------------------------------------------------------------- */

/* TF-A says NACK when it takes the line over, and then answers. */
static void
test_take_over(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_15, { "7f", "1f" },
		{ "00ff", "79 07 40 00 01 02 03 12 21 31 79" },
		{ "01fe", "79 00 79" }, { "02fd", "79 02 05 00 79" } };
	bool restarted = true;
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.next(r.m.ctx, 1000, &restarted, &r.e), 0);
	assert_false(restarted);
	close_rig(&r);
}

static void
test_restarted(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_15, OPEN_ROM_15,
		{ "03fc", "79 06 01 00 24 fc 2f 01 00 79" } };
	bool restarted = false;
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.next(r.m.ctx, 1000, &restarted, &r.e), 0);
	assert_true(restarted);
	close_rig(&r);
}

/* TF-A's reason for a reset is told once: it is kept. */
static void
test_next_keeps_text(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_15, OPEN_ROM_15,
		{ "03fc", "79 07 ff ffffffff 02 4e4f 79" } };
	struct pv_mpu_phase p = { 0 };
	bool restarted = true;
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(r.m.next(r.m.ctx, 1000, &restarted, &r.e), 0);
	assert_false(restarted);
	assert_int_equal(r.m.phase(r.m.ctx, &p, &r.e), 0);
	assert_string_equal(p.text, "NO");
	close_rig(&r);
}

static void
test_another_chip(void **state)
{
	static const struct script_step steps[] = { OPEN_ROM_15, OPEN_ROM_13 };
	bool restarted = false;
	struct rig r;

	(void)state;
	assert_int_equal(open_rig(&r, steps, N(steps)), 0);
	assert_int_equal(
	    r.m.next(r.m.ctx, 1000, &restarted, &r.e), PV_E_DEVICE);
	assert_non_null(strstr(r.e.msg, "another chip answers"));
	close_rig(&r);
}

/* --- names of alternate settings, and stages --------------------------------------------- */

static void
test_silent(void **state)
{
	struct rig r;
	static const struct script_step none[] = { { "00", "" } };

	(void)state;
	memset(&r, 0, sizeof(r));
	r.link = script_link(&r.s, none, 0);
	r.s.wrong = true; /* takes everything, says nothing */
	assert_int_equal(
	    pv_mpu_uart_open(&r.link, NULL, NULL, &r.m, &r.e), PV_E_TIMEOUT);
	assert_non_null(strstr(r.e.msg, "nobody answers on the line"));
	assert_non_null(strstr(r.e.hint, "boot pins"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_ssp),
		cmocka_unit_test(test_open_rom),
		cmocka_unit_test(test_open_uboot),
		cmocka_unit_test(test_open_mcu),
		cmocka_unit_test(test_open_synced),
		cmocka_unit_test(test_boot_1),
		cmocka_unit_test(test_reset_text),
		cmocka_unit_test(test_phase_nonsense),
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_read_unsupported),
		cmocka_unit_test(test_read_otp),
		cmocka_unit_test(test_read_otp_damaged),
		cmocka_unit_test(test_download),
		cmocka_unit_test(test_download_nack),
		cmocka_unit_test(test_download_leftover),
		cmocka_unit_test(test_download_early),
		cmocka_unit_test(test_download_lost_answer),
		cmocka_unit_test(test_download_refused),
		cmocka_unit_test(test_abort),
		cmocka_unit_test(test_download_otp),
		cmocka_unit_test(test_otp_lost),
		cmocka_unit_test(test_download_size),
		cmocka_unit_test(test_take_over),
		cmocka_unit_test(test_restarted),
		cmocka_unit_test(test_next_keeps_text),
		cmocka_unit_test(test_another_chip),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
