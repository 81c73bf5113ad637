/* SPDX-License-Identifier: Apache-2.0 */
/* calm.c - a drawn quorum is healed, and must go on. The rest stays as it is,
 * but where nothing could go on with it, or it is no member. */
#include <string.h>

#include "tests/sim/atlas.h"

enum { CALM_LIMIT_MS = 60000, LOOK_MS = 20 };

static struct sim_random *r(void)
{
	return &sim.fault;
}

/* All that are fit, less some, as long as they are a quorum of whatever
 * configuration may be in force; and who is damaged, to be repaired by them. */
static void choose_healed(void)
{
	bool is_all = sim_below(r(), 3) == 0;

	atlas_fit(sim.healed);
	for (int i = 0; i < (int)sim_nodes(); i++) {
		sim.healed[i] = sim.healed[i] && atlas_is_member(i);
	}
	if (!atlas_is_quorum(sim.healed)) {
		sim_fail("the simulator has broken more than can be healed");
	}
	for (unsigned i = 0; !is_all && i < 2 * sim_nodes(); i++) {
		int node = (int)sim_below(r(), sim_nodes());
		bool was = sim.healed[node];

		sim.healed[node] = false;
		if (was && !atlas_is_quorum(sim.healed)) {
			sim.healed[node] = true;
		}
		if (sim_below(r(), 3) == 0) {
			break;
		}
	}
	for (int i = 0; i < (int)sim_nodes(); i++) {
		const struct host *h = &sim.hosts[i];

		sim.healed[i] = sim.healed[i] ||
				(h->is_damaged && !h->is_refused && h->in_use &&
				 h->id != 0 && atlas_is_member(i));
	}
}

/* One that is not healed must not be able to lead: whom it reaches both ways
 * is no quorum, or the healed ones it does not reach would wait for ever. */
static void limit_reach(int node)
{
	bool reached[SIM_NODES_MAX] = {false};

	for (int i = 0; i < (int)sim_nodes(); i++) {
		reached[i] = i == node || (!sim.links.cut[i][node] &&
					   !sim.links.cut[node][i]);
	}
	while (atlas_is_any_quorum(reached)) {
		int at = (int)sim_below(r(), sim_nodes());
		bool out = sim_below(r(), 2) == 0;

		if (at == node || !reached[at]) {
			continue;
		}
		net_cut(out ? node : at, out ? at : node, true);
		reached[at] = false;
	}
}

/* A learner that caught up would be made a voter, and then be needed. */
static void leave_alone(int node)
{
	struct host *h = &sim.hosts[node];

	h->back_at = 0;
	h->doom = 0;
	if (!atlas_is_voter(node)) {
		life_end(node, SIM_KILLED, "");
		h->back_at = 0;
	} else {
		limit_reach(node);
	}
}

static void mend(int node)
{
	struct host *h = &sim.hosts[node];

	h->foreign = 0;
	h->room_most = 0;
	h->stalled_until = 0;
	h->sync_fails = 0;
	h->doom = 0;
	if (h->is_held) {
		task_hold(node, false);
	}
	if (h->state == SIM_DOWN) {
		h->back_at = sim.now + 1;
	}
}

static void calm_rates(void)
{
	struct sim_rates *s = &sim.rates;

	s->lose = s->lose_other = s->duplicate = s->reorder = s->corrupt = 0;
	s->refuse = s->slow_sync = 0;
	if (s->is_slow) {
		s->jitter_ns = SIM_MS;
		for (int i = 0; i < SIM_NODES_MAX; i++) {
			for (int j = 0; j < SIM_NODES_MAX; j++) {
				sim.links.delay_ns[i][j] = SIM_MS;
			}
		}
	}
}

void calm_down(void)
{
	sim.phase = SIM_CALM;
	calm_rates();
	choose_healed();
	for (int i = 0; i < (int)sim_nodes(); i++) {
		for (int j = 0; sim.healed[i] && j < (int)sim_nodes(); j++) {
			if (sim.healed[j]) {
				net_cut(i, j, false);
			}
		}
	}
	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (sim.healed[i]) {
			mend(i);
		} else {
			leave_alone(i);
		}
	}
	say(SIM_EV_PHASE, SIM_WORLD, "calm");
	if (sim.options.oracle != NULL && sim.options.oracle->calm != NULL) {
		sim.options.oracle->calm();
	}
}

/* Without an oracle: the healed have one leader, and have applied the same. */
static bool is_settled(struct buffer *problem)
{
	struct raft_status first = {0}, status;
	bool has_first = false;

	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (!sim.healed[i]) {
			continue;
		}
		if (sim_core(i) == NULL) {
			buffer_printf(problem, "%s does not run", sim_name(i));
			return false;
		}
		raft_status(sim_core(i), &status);
		if (!has_first) {
			first = status;
			has_first = true;
		}
		if (status.leader == 0 || status.leader != first.leader ||
		    status.applied != first.applied ||
		    status.applied != status.last) {
			buffer_printf(problem, "%s has not settled",
				      sim_name(i));
			return false;
		}
	}
	return true;
}

void calm_await(void)
{
	const struct sim_oracle *oracle = sim.options.oracle;
	uint64_t limit = sim.now + CALM_LIMIT_MS * SIM_MS;
	struct buffer problem = {0};
	bool is_done = false;

	while (!is_done) {
		if (sim.now > limit) {
			sim_fail("no progress: %s", buffer_text(&problem));
		}
		fault_start_due();
		sim_sleep(LOOK_MS * SIM_MS);
		buffer_reset(&problem);
		is_done = oracle != NULL && oracle->satisfied != NULL
				  ? oracle->satisfied(&problem)
				  : is_settled(&problem);
	}
}
