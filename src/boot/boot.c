/* SPDX-License-Identifier: Apache-2.0 */
/* The two kinds of session behind one interface. */
#include <provisor/boot.h>

#include <stdlib.h>

/* --- USART -------------------------------------------------------------------- */

static int
usart_read(void *ctx, uint32_t addr, void *data, size_t len, struct pv_error *e)
{
	return pv_usart_read(ctx, addr, data, len, e);
}

static int
usart_write(void *ctx, uint32_t addr, const void *data, size_t len,
    bool *ret_damaged, struct pv_error *e)
{
	return pv_usart_write(ctx, addr, data, len, ret_damaged, e);
}

static int
usart_erase(void *ctx, const struct pv_sector *sectors, size_t n, bool all,
    struct pv_error *e)
{
	uint32_t *numbers;
	int r;

	if (n == 0)
		return 0;
	if (all) {
		r = pv_usart_erase_all(ctx, e);
		if (r != PV_E_NACK)
			return r;
		/* Some parts have no mass erase: sector by sector then. */
		pv_error_clear(e);
	}
	numbers = calloc(n, sizeof(*numbers));
	if (numbers == NULL)
		return pv_fail(e, PV_E_NOMEM, "out of memory");
	for (size_t i = 0; i < n; i++)
		numbers[i] = sectors[i].number;
	r = pv_usart_erase(ctx, numbers, n, e);
	free(numbers);
	return r;
}

static int
usart_probe(void *ctx, uint32_t addr, bool *ret_usable, struct pv_error *e)
{
	return pv_usart_checksum_probe(ctx, addr, ret_usable, e);
}

static int
usart_checksum(
    void *ctx, uint32_t addr, size_t len, uint32_t *ret_crc, struct pv_error *e)
{
	return pv_usart_checksum(ctx, addr, len, ret_crc, e);
}

static int
usart_checksum_same(void *ctx, uint32_t addr, size_t len, uint32_t want,
    bool *ret_usable, bool *ret_same, struct pv_error *e)
{
	return pv_usart_checksum_same(
	    ctx, addr, len, want, ret_usable, ret_same, e);
}

static void
usart_count(void *ctx, const char *step, uint64_t address, const char *text)
{
	pv_usart_count_retry(ctx, step, address, text);
}

void
pv_boot_usart(struct pv_usart *u, struct pv_boot *ret_boot)
{
	*ret_boot = (struct pv_boot){
		.ctx = u,
		.block = PV_USART_BLOCK,
		.read = usart_read,
		.write = usart_write,
		.erase = usart_erase,
		.checksum_probe = usart_probe,
		.checksum = usart_checksum,
		.checksum_same = usart_checksum_same,
		.count_retry = usart_count,
	};
}

/* --- USB DFU -------------------------------------------------------------------- */

static int
dfu_read(void *ctx, uint32_t addr, void *data, size_t len, struct pv_error *e)
{
	return pv_dfu_read(ctx, addr, data, len, e);
}

static int
dfu_write(void *ctx, uint32_t addr, const void *data, size_t len,
    bool *ret_damaged, struct pv_error *e)
{
	return pv_dfu_write(ctx, addr, data, len, ret_damaged, e);
}

static int
dfu_erase(void *ctx, const struct pv_sector *sectors, size_t n, bool all,
    struct pv_error *e)
{
	int r;

	if (all && n > 1) {
		r = pv_dfu_erase_all(ctx, e);
		if (r != PV_E_NACK)
			return r;
		pv_error_clear(e);
	}
	for (size_t i = 0; i < n; i++)
		if ((r = pv_dfu_erase(ctx, sectors[i].base, e)) != 0)
			return r;
	return 0;
}

/* There is no such command on USB. */
static int
dfu_probe(void *ctx, uint32_t addr, bool *ret_usable, struct pv_error *e)
{
	(void)ctx;
	(void)addr;
	(void)e;
	*ret_usable = false;
	return 0;
}

static int
dfu_checksum(
    void *ctx, uint32_t addr, size_t len, uint32_t *ret_crc, struct pv_error *e)
{
	(void)ctx;
	(void)addr;
	(void)len;
	(void)ret_crc;
	return pv_fail(e, PV_E_UNSUPPORTED, "no checksum over USB");
}

static void
dfu_count(void *ctx, const char *step, uint64_t address, const char *text)
{
	pv_dfu_count_retry(ctx, step, address, text);
}

void
pv_boot_dfu(struct pv_dfu *d, struct pv_boot *ret_boot)
{
	*ret_boot = (struct pv_boot){
		.ctx = d,
		.block = pv_dfu_block(d),
		.whole_blocks = true,
		.read = dfu_read,
		.write = dfu_write,
		.erase = dfu_erase,
		.checksum_probe = dfu_probe,
		.checksum = dfu_checksum,
		.count_retry = dfu_count,
	};
}
