/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c - what goes wrong and when, and then no more.
 *
 * One task of the world directs the run: founding, fire, calm. In the fire
 * each kind of fault comes at drawn times, independent of the others. The calm
 * mends a drawn quorum and the links among it; the rest stays as it is.
 *
 * The atlas: what no protocol survives is not done. Bytes rot at a minority
 * only, each of which counts as lost until it has repaired itself. */
#include <string.h>

#include "tests/sim/atlas.h"

enum {
	FOUND_LIMIT_MS = 120000,
	DOOM_POINTS = 3000,
};

static struct sim_random *r(void)
{
	return &sim.fault;
}

static bool leads_or_wants_to(int node)
{
	struct raft_status status;

	if (sim_core(node) == NULL) {
		return false;
	}
	raft_status(sim_core(node), &status);
	return status.role == RAFT_LEADER || status.role == RAFT_CANDIDATE;
}

/* One in use; in some runs, where it hurts. */
static int any_node(void)
{
	int first = (int)sim_below(r(), sim_nodes());
	bool aims = sim_chance(r(), sim.rates.aim);
	int any = 0;

	for (int i = (int)sim_nodes() - 1; i >= 0; i--) {
		int node = (first + i) % (int)sim_nodes();

		if (sim.hosts[node].in_use) {
			any = node;
		}
	}
	for (int i = 0; aims && i < (int)sim_nodes(); i++) {
		int node = (first + i) % (int)sim_nodes();

		if (leads_or_wants_to(node)) {
			return node;
		}
	}
	return any;
}

static uint64_t up_to_ms(uint64_t ms)
{
	return sim_below(r(), ms * SIM_MS + 1);
}

static bool is_up(int node)
{
	return sim_state(node) == SIM_UP;
}

/* --- Ends and new starts
 * ------------------------------------------------------ */

/* At once, or at a later point of its own tasks, between any two acts. */
static void end_node(int node, enum sim_death death)
{
	struct host *h = &sim.hosts[node];

	if (h->state == SIM_DOWN || h->doom != 0) {
		return;
	}
	if (sim_below(r(), 4) == 0) {
		life_end(node, death, "");
	} else {
		h->doom = h->points + 1 + sim_below(r(), DOOM_POINTS);
		h->doom_death = death;
	}
}

static void count_death(enum sim_death death)
{
	switch (death) {
	case SIM_KILLED:
		sim_count(SIM_KILLS);
		break;
	case SIM_POWER_CUT:
		sim_count(SIM_POWER_CUTS);
		break;
	case SIM_STOPPED:
		sim_count(SIM_STOPS);
		break;
	default:
		break;
	}
}

void fault_died(int node, enum sim_death death)
{
	struct host *h = &sim.hosts[node];
	uint64_t ns = SIM_MS + up_to_ms(sim.rates.down_ms);

	count_death(death);
	if (sim.phase == SIM_FIRE && sim_chance(r(), sim.rates.outage)) {
		ns = up_to_ms(sim.rates.outage_ms);
		sim_count(SIM_OUTAGES);
	}
	if (death == SIM_NOT_STARTED) {
		ns += SIM_S / 2; /* as a supervisor that does not spin */
	}
	h->back_at = sim.now + ns;
	if (h->sync_fails == 0) {
		h->may_end = false;
	}
	if (death == SIM_TURNED_AWAY) { /* until someone does something */
		h->back_at = 0;
		h->in_use = h->is_lost;
		sim.healed[node] = false;
	}
	if (sim.phase == SIM_CALM && !sim.healed[node]) {
		h->back_at = 0;
	}
}

void fault_start_due(void)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		struct host *h = &sim.hosts[i];

		if (h->state == SIM_DOWN && h->back_at != 0 &&
		    h->back_at <= sim.now) {
			life_start(i);
		}
	}
}

/* --- Kinds of faults
 * ---------------------------------------------------------- */

static void do_kill(void)
{
	end_node(any_node(), SIM_KILLED);
}

static void do_power(void)
{
	end_node(any_node(), SIM_POWER_CUT);
}

static void do_all(void)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		life_end(i, SIM_POWER_CUT, "");
	}
}

static void do_stop(void)
{
	int node = any_node();

	if (is_up(node)) {
		say(SIM_EV_LIFE, node, "is told to stop");
		life_stop(node);
	}
}

static void on_resume(void *context, uint64_t life)
{
	int node = (int)((struct host *)context - sim.hosts);

	if (sim.hosts[node].life == life && sim.hosts[node].is_held) {
		say(SIM_EV_LIFE, node, "goes on");
		task_hold(node, false);
	}
}

static void do_pause(void)
{
	int node = any_node();
	struct host *h = &sim.hosts[node];

	if (h->state == SIM_DOWN || h->is_held) {
		return;
	}
	say(SIM_EV_LIFE, node, "is paused");
	sim_count(SIM_PAUSES);
	task_hold(node, true);
	task_after(up_to_ms(sim_below(r(), 2) == 0 ? 500 : 6000), on_resume, h,
		   h->life);
}

static void do_break(void)
{
	int from = any_node();
	int to = any_node();

	if (from != to) {
		net_break(from, to);
	}
}

static void do_stall(void)
{
	int node = any_node();

	sim.hosts[node].stalled_until = sim.now + up_to_ms(6000);
	sim_count(SIM_STALLS);
	say(SIM_EV_DISK, node, "the disk stalls");
}

static void on_room(void *context, uint64_t number)
{
	struct host *h = context;

	(void)number;
	h->foreign = 0;
	h->room_most = 0;
	say(SIM_EV_DISK, (int)(h - sim.hosts), "the disk has room");
}

/* Someone else fills it, once or more; the first of them clears it. Every other
 * one takes what the node frees, too: then its reserve is of no use. */
static void do_full(void)
{
	int node = any_node();
	struct host *h = &sim.hosts[node];
	uint64_t room = disk_free(node);
	uint64_t left = sim_below(r(), 3) == 0 ? sim_below(r(), room + 1)
					       : sim_below(r(), 65536);

	if (left < room) {
		h->foreign += room - left;
		h->room_most = left % 2 * left;
	}
	sim_count(SIM_FULLS);
	say(SIM_EV_DISK, node, "the disk is full but for %llu bytes",
	    (unsigned long long)(left < room ? left : room));
	task_after(up_to_ms(6000), on_room, h, 0);
}

static void do_sync_fail(void)
{
	struct host *h = &sim.hosts[any_node()];

	if (h->sync_fails == 0) {
		h->sync_fails = 1;
	}
}

static void do_rot(void)
{
	int node = any_node();

	if (!sim.hosts[node].is_damaged && atlas_can_lose(node) &&
	    disk_rot(node)) {
		sim.hosts[node].is_damaged = true;
		sim.hosts[node].rot_life = sim.hosts[node].life;
		sim_count(SIM_ROTS);
	}
}

static void do_jump(void)
{
	int node = any_node();
	int64_t ms = (int64_t)sim_below(r(), 60000) - 30000;

	sim.hosts[node].wall_ns += ms * (int64_t)SIM_MS;
	sim_count(SIM_CLOCK_JUMPS);
	say(SIM_EV_CLOCK, node, "the wall clock is set %+ld ms", (long)ms);
}

/* --- Partitions
 * --------------------------------------------------------------- */

static struct {
	const char *name;
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX];
	uint64_t number;
} partition;

static void cut_both(int a, int b)
{
	partition.cut[a][b] = partition.cut[b][a] = true;
}

static void apply_partition(void)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		for (int j = 0; j < (int)sim_nodes(); j++) {
			net_cut(i, j, partition.cut[i][j]);
		}
	}
}

static void isolate(bool to, bool from)
{
	int node = any_node();

	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (i != node) {
			partition.cut[i][node] = to;
			partition.cut[node][i] = from;
		}
	}
}

static void split(void)
{
	uint64_t side = sim_draw(r());

	for (int i = 0; i < (int)sim_nodes(); i++) {
		for (int j = 0; j < i; j++) {
			if ((side >> i & 1) != (side >> j & 1)) {
				cut_both(i, j);
			}
		}
	}
}

/* Two sides, and one node that reaches all. */
static void bridge(void)
{
	int node = any_node();

	split();
	for (int i = 0; i < (int)sim_nodes(); i++) {
		partition.cut[i][node] = partition.cut[node][i] = false;
	}
}

static void scatter(void)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		for (int j = 0; j < (int)sim_nodes(); j++) {
			partition.cut[i][j] = i != j && sim_below(r(), 3) == 0;
		}
	}
}

static const char *draw_partition(void)
{
	switch (sim_below(r(), 7)) {
	case 0:
		isolate(true, true);
		return "one is cut off";
	case 1:
		isolate(true, false);
		return "one hears nothing";
	case 2:
		isolate(false, true);
		return "one is not heard";
	case 3:
		split();
		return "two sides";
	case 4:
		bridge();
		return "two sides and a bridge";
	case 5:
		partition.cut[any_node()][any_node()] = true;
		return "one direction of a link";
	default:
		scatter();
		return "links here and there";
	}
}

static void on_heal(void *context, uint64_t number)
{
	(void)context;
	if (number == partition.number && sim.phase != SIM_CALM) {
		memset(partition.cut, 0, sizeof partition.cut);
		apply_partition();
		say(SIM_EV_CUT, SIM_WORLD, "all links are whole");
	}
}

static void do_cut(void)
{
	const char *name;

	memset(partition.cut, 0, sizeof partition.cut);
	name = draw_partition();
	apply_partition();
	partition.number++;
	sim_count(SIM_PARTITIONS);
	say(SIM_EV_CUT, SIM_WORLD, "%s", name);
	task_after(sim.plan.election_ms / 4 * SIM_MS +
			   up_to_ms(sim.plan.election_ms *
				    (sim_below(r(), 2) == 0 ? 3 : 16)),
		   on_heal, NULL, partition.number);
}

/* --- The fire
 * ----------------------------------------------------------------- */

struct kind {
	uint32_t mean_ms;
	void (*act)(void);
	uint64_t next; /* ns */
};

static void draw_next(struct kind *k)
{
	k->next = k->mean_ms == 0 ? UINT64_MAX
				  : sim.now + up_to_ms(2 * k->mean_ms);
}

static void burn(void)
{
	const struct sim_rates *s = &sim.rates;
	struct kind kinds[] = {
		{s->kill_ms, do_kill, 0},   {s->power_ms, do_power, 0},
		{s->all_ms, do_all, 0},	    {s->stop_ms, do_stop, 0},
		{s->pause_ms, do_pause, 0}, {s->cut_ms, do_cut, 0},
		{s->break_ms, do_break, 0}, {s->stall_ms, do_stall, 0},
		{s->full_ms, do_full, 0},   {s->sync_fail_ms, do_sync_fail, 0},
		{s->rot_ms, do_rot, 0},	    {s->jump_ms, do_jump, 0},
	};
	uint64_t end = sim.now + sim.plan.fire_ms * SIM_MS;

	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		draw_next(&kinds[i]);
	}
	while (sim.now < end) {
		for (size_t i = 0; i < COUNT_OF(kinds); i++) {
			if (kinds[i].next <= sim.now) {
				kinds[i].act();
				draw_next(&kinds[i]);
			}
		}
		fault_start_due();
		sim_sleep(SIM_MS + up_to_ms(10));
	}
}

/* --- Founding
 * ----------------------------------------------------------------- */

static bool all_founded(void)
{
	for (unsigned i = 0; i < sim.plan.nodes; i++) {
		if (!sim.hosts[i].is_founded) {
			return false;
		}
	}
	return true;
}

static void found(void)
{
	bool crashes = sim_below(r(), 3) == 0;
	uint64_t limit = sim.now + FOUND_LIMIT_MS * SIM_MS;

	for (unsigned i = 0; i < sim.plan.nodes; i++) {
		sim.hosts[i].in_use = true;
		sim.hosts[i].back_at = sim.now + 1 + up_to_ms(1000);
	}
	while (!all_founded() && sim.now < limit) {
		fault_start_due();
		if (crashes && sim_below(r(), 40) == 0) {
			end_node(any_node(), sim_below(r(), 2) == 0
						     ? SIM_KILLED
						     : SIM_POWER_CUT);
		}
		sim_sleep(up_to_ms(20));
	}
	if (!all_founded()) {
		sim_fail("the cluster was not founded in time");
	}
}

void fault_main(void *context)
{
	(void)context;
	found();
	sim.phase = SIM_FIRE;
	say(SIM_EV_PHASE, SIM_WORLD, "fire");
	burn();
	calm_down();
	calm_await();
	if (sim.options.oracle != NULL && sim.options.oracle->end != NULL) {
		sim.options.oracle->end();
	}
	sim.over = true;
}
