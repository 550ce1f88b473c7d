/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/fuzz_fw.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_reader(data, size, pv_fw_read_srec);
}
