/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

int
pv_sim_signals_open(struct pv_sim_signals *s, int more, struct pv_error *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (more != 0)
		sigaddset(&set, more);
	if (sigprocmask(SIG_BLOCK, &set, &s->old) != 0)
		return pv_fail_errno(e, PV_E_IO, errno, "blocking signals");
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->fd < 0) {
		int err = errno;

		sigprocmask(SIG_SETMASK, &s->old, NULL);
		return pv_fail_errno(e, PV_E_IO, err, "signalfd");
	}
	return 0;
}

void
pv_sim_signals_close(struct pv_sim_signals *s)
{
	close(s->fd);
	sigprocmask(SIG_SETMASK, &s->old, NULL);
}
