/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The highest baud rate that proves itself (S7). The device measures the rate
 * on its first byte after a reset and cannot change it afterwards, so each
 * try begins with the reset sequence. AN3155 tests nothing above 115200: what
 * a part and a cable take beyond that only a try shows.
 */
#include "boot/usart.h"

#include "base/log.h"

#include <string.h>

#define SAFE  115200U /* AN3155 2.1: the highest tested rate */
#define READS 8U      /* of the known block, all of them equal */
#define BLOCK PV_USART_BLOCK

static const uint32_t rates[] = { 921600, 460800, 230400 };

struct proof {
	struct pv_usart_info info;
	bool readable;
	uint8_t block[BLOCK];
};

/* What the device says at one rate; *ret_retries counts misses. */
static int
look(const struct pv_rate_port *port, uint32_t baud,
    const struct pv_usart_options *opt, const struct pv_progress *progress,
    const struct proof *known, struct proof *ret_proof, unsigned *ret_retries,
    struct pv_error *e)
{
	struct pv_link link = { 0 };
	struct pv_usart *u = NULL;
	bool protected = false;
	unsigned i;
	int r;

	r = port->open(port->ctx, baud, &link, e);
	if (r != 0)
		return r;
	r = pv_usart_open_with(&link, progress, opt, &u, e);
	if (r == 0 && (known == NULL || known->readable))
		r = pv_usart_probe_protection(u, port->address, &protected, e);
	if (r == 0)
		ret_proof->info = *pv_usart_info(u);
	ret_proof->readable = !protected;
	for (i = 0; r == 0 && !protected && i < (known == NULL ? 1 : READS);
	     i++) {
		r = pv_usart_read(u, port->address, ret_proof->block, BLOCK, e);
		if (r == 0 && known != NULL &&
		    memcmp(ret_proof->block, known->block, BLOCK) != 0)
			r = pv_us_fail(u, PV_E_DEVICE, e,
			    "the same block reads differently");
	}
	if (u != NULL)
		*ret_retries = pv_usart_retries(u);
	pv_usart_free(u);
	if (link.free != NULL)
		link.free(link.ctx);
	return r;
}

static bool
same_device(const struct pv_usart_info *a, const struct pv_usart_info *b)
{
	return a->version == b->version && a->device_id == b->device_id &&
	       a->n_opcodes == b->n_opcodes &&
	       memcmp(a->opcodes, b->opcodes, a->n_opcodes) == 0;
}

int
pv_usart_find_rate(const struct pv_rate_port *port,
    const struct pv_usart_options *opt, const struct pv_progress *progress,
    uint32_t *ret_baud, struct pv_error *e)
{
	struct proof known = { .readable = true }, now = { .readable = true };
	struct pv_error why = { 0 };
	unsigned retries = 0;
	size_t i;
	int r;

	if (opt == NULL || opt->reset == NULL || opt->reset->n == 0) {
		(void)pv_fail(e, PV_E_USAGE,
		    "finding the baud rate needs a reset sequence: a device "
		    "takes a new rate only after a reset");
		return pv_hint(e, "name the rate, or add --reset-sequence");
	}
	r = look(port, SAFE, opt, progress, NULL, &known, &retries, e);
	if (r != 0)
		return r;
	for (i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		if (pv_progress_cancelled(progress))
			return pv_fail(
			    e, PV_E_INTERRUPTED, "finding the rate: stopped");
		retries = 0;
		pv_error_clear(&why);
		r = look(port, rates[i], opt, progress, &known, &now, &retries,
		    &why);
		if (r == 0 && retries == 0 &&
		    same_device(&known.info, &now.info)) {
			*ret_baud = rates[i];
			return 0;
		}
		pv_log(PV_LOG_INFO, "%u baud does not prove itself: %s",
		    (unsigned)rates[i],
		    r != 0	  ? why.msg
		    : retries > 0 ? "bytes were lost"
				  : "the device answers differently");
	}
	*ret_baud = SAFE;
	return 0;
}
