/* SPDX-License-Identifier: Apache-2.0 */
/* Libraries loaded at first use. */
#include "base/lazy.h"

#include <dlfcn.h>
#include <string.h>

int
pv_lazy_load(const char *soname, const struct pv_lazy_symbol *symbols, size_t n,
    struct pv_error *e)
{
	void *lib = dlopen(soname, RTLD_NOW | RTLD_LOCAL);

	if (lib == NULL) {
		(void)pv_fail(e, PV_E_UNSUPPORTED, "%s", dlerror());
		return pv_hint(e,
		    "install the package that has %s; this command needs it",
		    soname);
	}
	for (size_t i = 0; i < n; i++) {
		if (dlsym(lib, symbols[i].name) != NULL)
			continue;
		(void)dlclose(lib);
		return pv_fail(e, PV_E_UNSUPPORTED, "%s has no function '%s'",
		    soname, symbols[i].name);
	}
	/* Never closed: these libraries keep state of their own. */
	for (size_t i = 0; i < n; i++) {
		void *f = dlsym(lib, symbols[i].name);

		memcpy(symbols[i].slot, &f, sizeof(f));
	}
	return 0;
}
