/* SPDX-License-Identifier: Apache-2.0 */
/* Names of personalization packages. */
#include "formats/perso_name.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pv_perso_name n;
	struct pv_error e;
	char *name = malloc(size + 1);

	if (name == NULL)
		return 0;
	memcpy(name, data, size);
	name[size] = '\0';
	if (pv_perso_name_decode(name, &n, &e) == 0 &&
	    (strlen(n.product_id) != 8 || strlen(n.flow) < 3 ||
		memchr(n.family, '\0', sizeof(n.family)) == NULL))
		abort();
	free(name);
	return 0;
}
