/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a secure install behind which the chip restarts. */
#include "push/install.h"

#include "base/buf.h"

#include <string.h>

#define T_FINISH	60000 /* reading everything back, option bytes */
#define T_PART		10000
#define T_RESTART	1000 /* to come back in the bootloader */
#define FINISH_ATTEMPTS 3U

/* The chip restarted: ask it again what it is and holds. */
static int
look_again(struct install *in, struct si_report *ret_rep, uint8_t *ret_state,
    struct pv_error *e)
{
	struct pv_install_chip now;
	int r;

	r = pv_usart_reconnect(in->u, T_RESTART, e);
	if (r == 0)
		r = pv_install_ask(in->u, &now, e);
	if (r == 0)
		r = pv_si_report(in->u, ret_rep, e);
	if (r != 0)
		return r;
	if (memcmp(now.fingerprint, in->rep->chip.fingerprint,
		sizeof(now.fingerprint)) != 0) {
		in->link_usable = false; /* what it holds is not ours */
		in->rep->state = PV_DEVICE_UNKNOWN;
		return pv_fail(
		    e, PV_E_DEVICE, "another chip came back after the restart");
	}
	*ret_state = now.state;
	return 0;
}

/* Its own word, once more, where it comes back in the bootloader. */
static int
confirm(struct install *in, struct pv_error *e)
{
	struct pv_error ignored = { 0 };
	struct si_report rep;
	uint8_t state;
	int r;

	r = look_again(in, &rep, &state, &ignored);
	if (r == PV_E_TIMEOUT || r == PV_E_LINK)
		return 0; /* it runs its program: the answer stands */
	if (r != 0) {
		in->rep->state = PV_DEVICE_UNKNOWN;
		if (e != NULL)
			*e = ignored;
		return pv_wrap(e, "asking the chip after its restart");
	}
	if (state == PV_SI_STATE_FAILED || state == PV_SI_STATE_BROKEN) {
		pv_install_settle(in, state);
		return pv_fail(e, PV_E_VERIFY,
		    "the chip failed the install after its restart");
	}
	if (state != PV_SI_STATE_DONE) {
		in->rep->state = PV_DEVICE_UNKNOWN;
		return pv_fail(e, PV_E_VERIFY,
		    "the chip does not say that it is done after its restart "
		    "(state %u)",
		    state);
	}
	in->rep->answered = true;
	in->rep->state = PV_DEVICE_DONE;
	return 0;
}

/* The device answered finish, and not with "done". */
static int
finish_refused(
    struct install *in, const struct pv_usart_special *sp, struct pv_error *e)
{
	struct si_status st = { .state = PV_SI_STATE_IDLE };

	if (sp->status_len != PV_SI_STATUS_LEN)
		return pv_fail(e, PV_E_DEVICE, "finish: status of %zu bytes",
		    sp->status_len);
	st.state = sp->status[0];
	st.result = pv_get_u16le(sp->status + 2);
	pv_install_settle(in, st.state);
	if (st.result == PV_SI_OK)
		return pv_fail(
		    e, PV_E_DEVICE, "finish ended in state %u", st.state);
	return pv_si_refusal(&st, e);
}

/* No answer to finish came: what happened? *ret_again: it was not done. */
static int
finish_lost(struct install *in, bool *ret_again, struct pv_error *e)
{
	struct si_report rep;
	uint8_t state;

	*ret_again = false;
	in->rep->state = PV_DEVICE_UNKNOWN;
	if (look_again(in, &rep, &state, e) != 0)
		return pv_wrap(e, "the answer to finish was lost");
	if (state == PV_SI_STATE_DONE) {
		in->rep->answered = true;
		in->rep->state = PV_DEVICE_DONE;
		return 0;
	}
	if (state == PV_SI_STATE_READY) {
		in->rep->state = PV_DEVICE_PARTIAL;
		*ret_again = true;
		return 0;
	}
	pv_install_settle(
	    in, state == PV_SI_STATE_IDLE ? PV_SI_STATE_DONE : state);
	(void)pv_fail(e, PV_E_DEVICE,
	    "the answer to finish was lost and the chip does not say that it "
	    "is done (state %u)",
	    state);
	return pv_hint(e, "push again");
}

int
pv_install_finish(struct install *in, struct pv_error *e)
{
	struct pv_usart_special sp = { .code = PV_SI_FINISH,
		.timeout_ms = T_FINISH + in->wipe_ms,
		.ends_session = true };
	unsigned attempt;
	bool once_more;
	int r;

	in->rep->step = "finish";
	in->rep->area = 0;
	pv_progress_step(in->opt->progress, "finish");
	for (attempt = 1; attempt <= FINISH_ATTEMPTS; attempt++) {
		r = pv_usart_special(in->u, &sp, e);
		/* Only the ACK behind a whole status may be missing. */
		if (sp.status_len == PV_SI_STATUS_LEN &&
		    sp.status[0] == PV_SI_STATE_DONE &&
		    pv_get_u16le(sp.status + 2) == PV_SI_OK) {
			in->rep->state = PV_DEVICE_DONE;
			return r == PV_E_LINK ? 0 : confirm(in, e);
		}
		if (r == 0)
			return finish_refused(in, &sp, e);
		if (r == PV_E_LINK) {
			in->rep->state = PV_DEVICE_UNKNOWN;
			return pv_wrap(e, "finish");
		}
		pv_usart_count_retry(
		    in->u, "finish", 0, e != NULL ? e->msg : "no answer");
		r = finish_lost(in, &once_more, e);
		if (r != 0 || !once_more)
			return r;
	}
	return pv_fail(e, PV_E_DEVICE, "finish was lost %u times in a row",
	    FINISH_ATTEMPTS);
}

/* --- between two parts ----------------------------------------------------------- */

/* No answer to the end of a part came. *ret_again: it was not done. */
static int
end_lost(struct install *in, bool *ret_again, struct pv_error *e)
{
	struct si_report rep;
	uint8_t state;

	*ret_again = false;
	if (look_again(in, &rep, &state, e) != 0)
		return pv_wrap(e, "the answer to the end of a part was lost");
	*ret_again = state == PV_SI_STATE_AREA;
	if (*ret_again || state == PV_SI_STATE_PAUSED)
		return 0;
	pv_install_settle(in, state);
	return pv_fail(e, PV_E_DEVICE,
	    "the chip does not wait for the next part (state %u)", state);
}

int
pv_install_end_part(struct install *in, unsigned index, struct pv_error *e)
{
	uint8_t number[2];
	struct pv_usart_special sp = { .code = PV_SI_AREA_END,
		.data = number,
		.len = sizeof(number),
		.timeout_ms = T_PART + in->wipe_ms,
		.ends_session = true };
	struct si_report rep;
	struct si_status st;
	unsigned attempt;
	bool again;
	uint8_t state;
	int r;

	pv_put_u16le(number, (uint16_t)index);
	for (attempt = 1; attempt <= FINISH_ATTEMPTS; attempt++) {
		r = pv_usart_special(in->u, &sp, e);
		if (sp.status_len == PV_SI_STATUS_LEN &&
		    pv_get_u16le(sp.status + 2) != PV_SI_OK) {
			st = (struct si_status){ .state = sp.status[0],
				.result = pv_get_u16le(sp.status + 2) };
			in->result = st.result;
			pv_install_settle(in, st.state);
			return pv_si_refusal(&st, e);
		}
		if (r == PV_E_LINK)
			return r;
		if (r == 0) {
			r = look_again(in, &rep, &state, e);
			if (r == 0 && state != PV_SI_STATE_PAUSED)
				r = pv_fail(e, PV_E_DEVICE,
				    "the chip does not wait for the next part "
				    "after its restart (state %u)",
				    state);
			return r;
		}
		pv_usart_count_retry(
		    in->u, "install", 0, e != NULL ? e->msg : "no answer");
		r = end_lost(in, &again, e);
		if (r != 0 || !again)
			return r;
	}
	return pv_fail(e, PV_E_DEVICE,
	    "the end of a part was lost %u times in a row", FINISH_ATTEMPTS);
}
