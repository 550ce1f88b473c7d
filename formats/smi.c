/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/smi.h"

#include "base/buf.h"

#include <string.h>

int
pv_smi_decode(const uint8_t data[PV_SMI_HEADER], uint64_t file_size,
    struct pv_smi *ret_m, struct pv_error *e)
{
	struct pv_smi m;
	struct pv_reader r;
	uint8_t magic[8];

	pv_rd_init(&r, data, PV_SMI_HEADER);
	pv_rd_bytes(&r, magic, sizeof(magic));
	m.address = pv_rd_u32le(&r);
	m.size = pv_rd_u32le(&r);
	pv_rd_bytes(&r, m.tag, sizeof(m.tag));
	pv_rd_bytes(&r, m.security_version, sizeof(m.security_version));
	if (!pv_rd_finish(&r))
		return pv_fail(e, PV_E_INTERNAL, "module header size");
	if (memcmp(magic, PV_SMI_MAGIC, sizeof(magic)) != 0)
		return pv_fail(e, PV_E_MALFORMED,
		    "not an SMI module: it does not start with %s",
		    PV_SMI_MAGIC);
	if (file_size < PV_SMI_HEADER || m.size != file_size - PV_SMI_HEADER)
		return pv_fail(e, PV_E_MALFORMED,
		    "the header says %u bytes follow it, the file has %llu",
		    (unsigned int)m.size,
		    (unsigned long long)(file_size < PV_SMI_HEADER
					     ? 0
					     : file_size - PV_SMI_HEADER));
	if (m.size == 0)
		return pv_fail(e, PV_E_MALFORMED, "the module is empty");
	if (m.size > UINT32_MAX - m.address)
		return pv_fail(e, PV_E_RANGE,
		    "%u bytes at 0x%08x do not fit 32-bit addresses",
		    (unsigned int)m.size, (unsigned int)m.address);
	*ret_m = m;
	return 0;
}

void
pv_smi_encode(const struct pv_smi *m, uint8_t ret_data[PV_SMI_HEADER])
{
	struct pv_writer w;

	pv_wr_init(&w, ret_data, PV_SMI_HEADER);
	pv_wr_bytes(&w, PV_SMI_MAGIC, 8);
	pv_wr_u32le(&w, m->address);
	pv_wr_u32le(&w, m->size);
	pv_wr_bytes(&w, m->tag, sizeof(m->tag));
	pv_wr_bytes(&w, m->security_version, sizeof(m->security_version));
}
