/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/target.h"

#include "base/hex.h"
#include "base/log.h"

#include <inttypes.h>
#include <string.h>

static int
find_chip(struct pv_app *app, const char *name, bool need_chip,
    struct pv_target *t, struct pv_error *e)
{
	uint16_t id = pv_usart_info(t->u)->device_id;
	int r;

	if (name != NULL) {
		r = pv_chip_load(app->chip_dirs, name, &t->chip, e);
		if (r != 0)
			return r;
		if (t->chip->device_id != id)
			pv_log(PV_LOG_WARN,
			    "the chip says it is 0x%03x, %s is 0x%03" PRIx32
			    "; going on with %s as asked",
			    id, t->chip->title, t->chip->device_id,
			    t->chip->title);
		return 0;
	}
	r = pv_chip_load_id(app->chip_dirs, id, &t->chip, e);
	if (r != PV_E_UNKNOWN_CHIP)
		return r;
	if (!need_chip) {
		pv_error_clear(e);
		return 0;
	}
	(void)pv_fail(e, PV_E_DEVICE,
	    "the chip says it is 0x%03x, which no chip description has", id);
	return pv_hint(e,
	    "add a description to share/chips or %s/chips (a copy of a near "
	    "relative, with its device_id), or name one with --chip",
	    app->home);
}

int
pv_target_open(struct pv_app *app, const char *port, const char *chip_name,
    bool need_chip, struct pv_target *ret_t, struct pv_error *e)
{
	struct pv_target t = { 0 };
	int r;

	memset(ret_t, 0, sizeof(*ret_t));
	r = pv_need(e, port, "--port");
	if (r != 0)
		return r;
	r = pv_link_open(port, &t.link, e);
	if (r == 0)
		r = pv_usart_open(&t.link, &app->progress, &t.u, e);
	if (r == 0)
		r = find_chip(app, chip_name, need_chip, &t, e);
	if (r != 0) {
		pv_target_close(&t);
		return r;
	}
	pv_usart_set_chip(t.u, t.chip);
	pv_boot_usart(t.u, &t.boot);
	*ret_t = t;
	return 0;
}

void
pv_target_close(struct pv_target *t)
{
	pv_usart_free(t->u);
	pv_link_release(&t->link);
	pv_chip_free(t->chip);
	memset(t, 0, sizeof(*t));
}

void
pv_target_name(const struct pv_target *t, char dst[PV_TARGET_NAME])
{
	(void)snprintf(dst, PV_TARGET_NAME, "%s (0x%03x)",
	    t->chip != NULL ? t->chip->title : "unknown chip",
	    pv_usart_info(t->u)->device_id);
}

int
pv_parse_range(const char *text, uint32_t *ret_addr, uint32_t *ret_size,
    struct pv_error *e)
{
	const char *plus = strchr(text, '+');
	char addr[32];
	uint64_t a, n;
	int r;

	if (plus == NULL || (size_t)(plus - text) >= sizeof(addr)) {
		(void)pv_fail(e, PV_E_USAGE, "'%s' is not ADDR+SIZE", text);
		return pv_hint(e, "such as 0x08000000+16K");
	}
	memcpy(addr, text, (size_t)(plus - text));
	addr[plus - text] = '\0';
	r = pv_parse_u64(addr, UINT32_MAX, "address", &a, e);
	if (r == 0)
		r = pv_parse_size(plus + 1, UINT32_MAX, "size", &n, e);
	if (r != 0)
		return r;
	if (n == 0 || n - 1 > UINT32_MAX - a)
		return pv_fail(e, PV_E_USAGE,
		    "'%s' does not fit into the address space", text);
	*ret_addr = (uint32_t)a;
	*ret_size = (uint32_t)n;
	return 0;
}

void
pv_size_text(char dst[PV_SIZE_TEXT], uint64_t bytes)
{
	if (bytes < 1024)
		(void)snprintf(dst, PV_SIZE_TEXT, "%u bytes", (unsigned)bytes);
	else
		(void)snprintf(
		    dst, PV_SIZE_TEXT, "%.1f KiB", (double)bytes / 1024.0);
}
