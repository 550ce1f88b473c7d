/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ELF through libelf: the loadable segments (PT_LOAD) of a linked 32-bit ARM
 * program at their physical addresses, which is where a loader puts them.
 * Only headers are read here; the segments stay on disk.
 */
#include "firmware/readers.h"

#include <gelf.h>
#include <libelf.h>
#include <string.h>

/* A linker script makes a handful; this bounds the work on a hostile file. */
#define ELF_SEGMENTS_MAX 4096U

static int
check_kind(
    const struct pv_fw_file *f, Elf *elf, GElf_Ehdr *h, struct pv_error *e)
{
	const char *ident;
	size_t n = 0;

	ident = elf_getident(elf, &n);
	if (elf_kind(elf) != ELF_K_ELF || ident == NULL || n < EI_NIDENT)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': the ELF header is damaged", f->name);
	if (ident[EI_CLASS] != ELFCLASS32)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is not a 32-bit ELF file", f->name);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is not a little-endian ELF file", f->name);
	if (gelf_getehdr(elf, h) == NULL)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s': the ELF header is damaged: %s", f->name,
		    elf_errmsg(-1));
	if (h->e_machine != EM_ARM)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is for ELF machine %u, not for ARM (%u)", f->name,
		    (unsigned int)h->e_machine, (unsigned int)EM_ARM);
	if (h->e_type == ET_REL) {
		(void)pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is an object file, not a linked program", f->name);
		return pv_hint(e, "give the file the linker wrote");
	}
	if (h->e_type == ET_DYN) {
		(void)pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' is position independent and has no fixed address",
		    f->name);
		return pv_hint(e, "link it with -no-pie");
	}
	if (h->e_type != ET_EXEC)
		return pv_fail(e, PV_E_UNSUPPORTED,
		    "'%s' has ELF type %u; only linked programs (%u) load",
		    f->name, (unsigned int)h->e_type, (unsigned int)ET_EXEC);
	return 0;
}

static int
add_segment(const struct pv_fw_file *f, const GElf_Phdr *ph, size_t i,
    struct pv_fw_batch *b, struct pv_error *e)
{
	struct pv_fw_segment seg = { 0 };

	if (ph->p_filesz > f->size || ph->p_offset > f->size - ph->p_filesz)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' segment %zu at 0x%08llx: its bytes 0x%llx..0x%llx "
		    "are not in the file, which has 0x%llx",
		    f->name, i, (unsigned long long)ph->p_paddr,
		    (unsigned long long)ph->p_offset,
		    (unsigned long long)(ph->p_offset + ph->p_filesz),
		    (unsigned long long)f->size);
	if (ph->p_filesz > ph->p_memsz)
		return pv_fail(e, PV_E_MALFORMED,
		    "'%s' segment %zu at 0x%08llx: more bytes in the file "
		    "(0x%llx) than in memory (0x%llx)",
		    f->name, i, (unsigned long long)ph->p_paddr,
		    (unsigned long long)ph->p_filesz,
		    (unsigned long long)ph->p_memsz);
	seg.addr = ph->p_paddr;
	seg.size = ph->p_filesz;
	seg.fd = f->fd;
	seg.off = ph->p_offset;
	seg.has_header = ph->p_offset == 0;
	return pv_fw_batch_add(b, &seg, e, "%s segment %zu", f->name, i);
}

int
pv_fw_read_elf(
    const struct pv_fw_file *f, struct pv_fw_batch *b, struct pv_error *e)
{
	Elf *elf = NULL;
	GElf_Ehdr h;
	size_t n = 0;
	int rc;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return pv_fail(e, PV_E_INTERNAL, "libelf is too old");
	elf = elf_begin(f->fd, ELF_C_READ, NULL);
	if (elf == NULL)
		return pv_fail(
		    e, PV_E_MALFORMED, "'%s': %s", f->name, elf_errmsg(-1));
	if ((rc = check_kind(f, elf, &h, e)) != 0)
		goto out;
	if (elf_getphdrnum(elf, &n) != 0) {
		rc = pv_fail(e, PV_E_MALFORMED,
		    "'%s': the segment table is damaged: %s", f->name,
		    elf_errmsg(-1));
		goto out;
	}
	if (n > ELF_SEGMENTS_MAX) {
		rc = pv_fail(e, PV_E_MALFORMED,
		    "'%s' says it has %zu segments, more than %u", f->name, n,
		    ELF_SEGMENTS_MAX);
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		GElf_Phdr ph;

		if (gelf_getphdr(elf, (int)i, &ph) == NULL) {
			rc = pv_fail(e, PV_E_MALFORMED,
			    "'%s': the header of segment %zu is damaged: %s",
			    f->name, i, elf_errmsg(-1));
			goto out;
		}
		/* .bss and the like have nothing to program */
		if (ph.p_type != PT_LOAD || ph.p_filesz == 0)
			continue;
		if ((rc = add_segment(f, &ph, i, b, e)) != 0)
			goto out;
	}
	if (b->n == 0) {
		rc = pv_fail(e, PV_E_MALFORMED,
		    "'%s' has no loadable bytes (no PT_LOAD segment)", f->name);
		goto out;
	}
	b->has_entry = h.e_entry != 0;
	b->entry = h.e_entry;
out:
	(void)elf_end(elf);
	return rc;
}
