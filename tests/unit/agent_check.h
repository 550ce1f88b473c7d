/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_agent.c and test_agent_faults.c: what may be left in flash and in
 * the agent, and how to get it into a state. The includer has <cmocka.h>.
 */
#ifndef PV_TEST_AGENT_CHECK_H
#define PV_TEST_AGENT_CHECK_H

#include "tests/unit/agent_rig.h"

struct both {
	struct rig g;
	struct pkg p;
};

static inline int
setup(void **state)
{
	struct both *b = test_calloc(1, sizeof *b);

	assert_int_equal(rig_init(&b->g), 0);
	assert_int_equal(pkg_usual(&b->g, &b->p), 0);
	*state = b;
	return 0;
}

static inline int
teardown(void **state)
{
	struct both *b = *state;

	rig_free(&b->g);
	test_free(b);
	return 0;
}

/* --- what flash may look like ---------------------------------------------------- */

static inline bool
all_are(const uint8_t *p, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++)
		if (p[i] != value)
			return false;
	return true;
}

static inline const uint8_t *
at(const struct rig *g, uint32_t addr)
{
	return g->fake.flash + (addr - FAKE_FLASH);
}

static inline void
assert_untouched(const struct rig *g)
{
	assert_true(all_are(g->fake.flash, sizeof g->fake.flash, 0x55));
}

static inline void
assert_erased(const struct rig *g)
{
	assert_true(all_are(g->fake.flash, sizeof g->fake.flash, 0xff));
}

/* Whatever it was: flash is as before, or nothing is in it. */
static inline void
assert_clean(const struct rig *g)
{
	if (!all_are(g->fake.flash, sizeof g->fake.flash, 0x55))
		assert_erased(g);
}

/* Only the package is there: 3000 bytes, and 1501 from 0x2006 on. */
static inline void
assert_only_package(const struct rig *g)
{
	assert_true(all_are(at(g, FAKE_FLASH + 3000), 0x2006 - 3000, 0xff));
	assert_true(all_are(at(g, FAKE_FLASH + 0x2006 + 1501),
	    FAKE_FLASH_SIZE - 0x2006 - 1501, 0xff));
}

static inline bool
installed(const struct rig *g, const struct pkg *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct pkg_area *a = &p->area[i];
		const uint8_t *want = a->plain;

		if (a->header[0] == 'C') {
			if (!g->options_set ||
			    memcmp(g->options, want, a->len) != 0)
				return false;
		} else if (memcmp(at(g, a->addr), want, a->len) != 0) {
			return false;
		}
	}
	return true;
}

/* No key bytes are left in the agent. */
static inline void
assert_forgotten(const struct rig *g, const struct pkg *p)
{
	const uint8_t *m = (const uint8_t *)&g->agent;

	for (size_t i = 0; i + 16 <= sizeof g->agent; i++) {
		assert_true(memcmp(m + i, rig_key, 16) != 0);
		assert_true(memcmp(m + i, p->area[0].plain + 32, 16) != 0);
	}
}

static inline void
expect_result(struct rig_answer s, uint16_t result, uint8_t state)
{
	assert_true(s.ok);
	assert_int_equal(s.result, result);
	assert_int_equal(s.state, state);
}

/* --- states ---------------------------------------------------------------- */

static inline void
to_state(struct both *b, uint8_t want)
{
	rig_fill(&b->g);
	rig_power(&b->g);
	if (want >= PV_SI_STATE_LICENSED)
		(void)rig_special(&b->g, PV_SI_LICENSE, b->p.campaign, 64,
		    b->p.license, b->p.license_len);
	if (want >= PV_SI_STATE_READY)
		(void)rig_special(
		    &b->g, PV_SI_HEADER, b->p.header, 28, NULL, 0);
	if (want >= PV_SI_STATE_AREA) {
		(void)rig_special(
		    &b->g, PV_SI_AREA_BEGIN, b->p.area[0].header, 30, NULL, 0);
		(void)rig_data(&b->g, 1, 0, b->p.area[0].data, 100);
	}
	assert_int_equal(b->g.agent.state, want);
}

static inline struct rig_answer
command(struct both *b, uint16_t sub)
{
	uint8_t one[2] = { 1, 0 };

	switch (sub) {
	case PV_SI_LICENSE:
		return rig_special(&b->g, sub, b->p.campaign, 64, b->p.license,
		    b->p.license_len);
	case PV_SI_HEADER:
		return rig_special(&b->g, sub, b->p.header, 28, NULL, 0);
	case PV_SI_AREA_BEGIN:
		return rig_special(
		    &b->g, sub, b->p.area[0].header, 30, NULL, 0);
	case PV_SI_AREA_DATA:
		return rig_data(&b->g, 1, 0, b->p.area[0].data, 50);
	case PV_SI_AREA_END:
		return rig_special(&b->g, sub, one, 2, NULL, 0);
	default:
		return rig_special(&b->g, sub, NULL, 0, NULL, 0);
	}
}

#endif
