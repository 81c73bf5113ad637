/* SPDX-License-Identifier: Apache-2.0 */
/* Random clusters, networks, crashes, changes of members, hand-overs and
 * snapshots, and lost disks of a minority, keep every promise of
 * tests/lib/world.h, and get on once they heal. RANDOM_SEED=n runs one seed,
 * RANDOM_COUNT=n that many from it; without them, a fixed few seconds' worth.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raft/random.h"
#include "tests/lib/world.h"

enum { SEEDS = 1000, ACTIONS = 8000 };

struct run {
	struct world *w;
	uint64_t random;
	/* Rates, in a thousand, drawn anew for each run. */
	uint64_t speed, loss, copy, disorder, crash, stall, cut, compact;
	uint64_t hurry; /* of snapshots */
	uint64_t change, leave, transfer;
	uint64_t lose; /* of disks, never so many that no quorum is whole */
	uint64_t back; /* of those that are down */
	bool paused[WORLD_NODES + 1];
};

static struct {
	uint64_t losses, repairs;
} totals;

static uint64_t below(struct run *run, uint64_t range)
{
	return random_from(&run->random, 0, range);
}

static bool happens(struct run *run, uint64_t of_thousand)
{
	return below(run, 1000) < of_thousand;
}

static raft_id some_node(struct run *run)
{
	return 1 + below(run, run->w->node_count);
}

/* The oldest message arrives. */
static void deliver_oldest(struct run *run)
{
	struct world_message *m = run->w->messages;

	if (m == NULL)
		return;
	world_take(run->w, &run->w->messages);
	if (run->paused[m->msg.to])
		world_message_free(m);
	else
		world_deliver(run->w, m);
}

/* Some message arrives, is lost, or arrives and stays under way. */
static void deliver_some(struct run *run)
{
	struct world *w = run->w;
	struct world_message **at = &w->messages;
	struct world_message *m;
	uint64_t skip = 0;

	if (w->message_count == 0)
		return;
	if (happens(run, run->disorder))
		skip = below(run, w->message_count);
	while (skip-- > 0)
		at = &(*at)->next;
	m = *at;
	if (run->paused[m->msg.to])
		return;
	if (happens(run, run->copy))
		world_copy(w, m);
	world_take(w, at);
	if (happens(run, run->loss))
		world_message_free(m);
	else
		world_deliver(w, m);
}

static void pass(struct run *run, raft_ms ms)
{
	struct raft_event clock = {.kind = RAFT_EV_CLOCK};
	raft_id id;

	for (id = 1; id <= run->w->node_count; id++) {
		struct world_node *n = &run->w->node[id];

		n->now += ms;
		if (!n->up || run->paused[id] ||
		    n->now < raft_deadline(n->core))
			continue;
		world_step(run->w, id, clock);
		CHECK(raft_deadline(n->core) > n->now);
	}
}

static bool leads(struct run *run, raft_id id)
{
	struct raft_status s;

	if (!run->w->node[id].up)
		return false;
	raft_status(run->w->node[id].core, &s);
	return s.role == RAFT_LEADER;
}

/* All links work again, or some do not, one way or both; or those that lead,
 * or believe it, are alone, or whole sides are. */
static void cut_some(struct run *run)
{
	raft_id a, b, nodes = run->w->node_count;
	uint64_t how = below(run, 8), side = below(run, 1000000);

	for (a = 1; a <= nodes; a++) {
		for (b = 1; b <= nodes; b++) {
			bool *cut = &run->w->cut[a][b];

			*cut = false;
			if (how < 3)
				*cut = happens(run, 350) && (how > 0 || a < b);
			if (how == 3)
				*cut = leads(run, a) || leads(run, b);
			if (how == 4)
				*cut = ((side >> a ^ side >> b) & 1) != 0;
		}
	}
}

static void crash_or_start(struct run *run, raft_id id)
{
	if (!run->w->node[id].up) {
		world_start(run->w, id, false);
		return;
	}
	while (happens(run, 500) && world_save(run->w, id))
		continue;
	world_crash(run->w, id);
	if (happens(run, 600)) /* back at once */
		world_start(run->w, id, false);
}

static void compact_some(struct run *run, raft_id id)
{
	struct world_node *n = &run->w->node[id];
	struct raft_status s;

	raft_status(n->core, &s);
	if (s.applied >= s.first && s.applied <= s.saved && !s.loading)
		world_compact(run->w, id,
			      s.first + below(run, s.applied - s.first + 1));
}

/* Snapshots arrive, get lost, are loaded: sooner, later, in any order. */
static void snapshots_move(struct run *run)
{
	struct world *w = run->w;
	struct world_snapshot **at = &w->snapshots;
	raft_id id = some_node(run);

	while (*at != NULL && happens(run, 300))
		at = &(*at)->next;
	if (*at != NULL && happens(run, run->hurry)) {
		if (happens(run, run->copy))
			world_snap_copy(w, *at);
		if (happens(run, run->loss) || run->paused[(*at)->to])
			world_snap_drop(w, at);
		else
			world_snap_deliver(w, at);
	}
	if (w->node[id].load_due && happens(run, run->hurry))
		world_load(w, id, happens(run, run->crash * 10));
}

static bool has(const raft_id *list, uint32_t count, raft_id id)
{
	uint32_t i;

	for (i = 0; i < count; i++) {
		if (list[i] == id)
			return true;
	}
	return false;
}

/* Another set of voters: mostly one more, one less, or one for another. */
static void draw_voters(struct run *run, const struct raft_members *now,
			struct raft_members *next)
{
	uint64_t flips =
		happens(run, 300) ? 2 * run->w->node_count : 1 + below(run, 2);
	bool votes[WORLD_NODES + 1] = {0};
	raft_id id;

	for (id = 1; id <= run->w->node_count; id++)
		votes[id] = has(now->voters, now->voter_count, id);
	while (flips-- > 0) {
		id = some_node(run);
		votes[id] = !votes[id];
	}
	for (id = 1; id <= run->w->node_count; id++) {
		if (votes[id])
			next->voters[next->voter_count++] = id;
	}
	if (next->voter_count == 0)
		next->voters[next->voter_count++] = some_node(run);
}

static void draw_learners(struct run *run, struct raft_members *next)
{
	uint64_t rate = below(run, 700);
	raft_id id;

	for (id = 1; id <= run->w->node_count; id++) {
		if (!has(next->voters, next->voter_count, id) &&
		    !has(next->outgoing, next->outgoing_count, id) &&
		    happens(run, rate))
			next->learners[next->learner_count++] = id;
	}
}

/* What a driver does that is told to, or has caught up, or whatever. */
static void change_some(struct run *run, raft_id id)
{
	const struct raft_members *now = raft_members(run->w->node[id].core);
	struct raft_members next = {0};
	bool plain = now->outgoing_count > 0 || happens(run, 300);

	if (plain) {
		next.voter_count = now->voter_count;
		memcpy(next.voters, now->voters, sizeof(next.voters));
	} else {
		next.outgoing_count = now->voter_count;
		memcpy(next.outgoing, now->voters, sizeof(next.outgoing));
		draw_voters(run, now, &next);
	}
	draw_learners(run, &next);
	if (world_change(run->w, id, &next) == 0)
		run->w->changed++;
}

static void leave_some(struct run *run, raft_id id)
{
	struct raft_status s;

	raft_status(run->w->node[id].core, &s);
	if (s.leave_due)
		change_some(run, id);
}

static void local_some(struct run *run, raft_id id)
{
	struct world *w = run->w;
	struct raft_event link = {.kind = RAFT_EV_LINK};
	uint64_t ticket;

	if (happens(run, run->change))
		change_some(run, id);
	if (happens(run, run->leave))
		leave_some(run, id);
	if (happens(run, run->transfer))
		world_transfer(w, id, below(run, 2) * some_node(run));
	switch (below(run, 5)) {
	case 0:
		world_propose(w, id, 1 + below(run, 5),
			      (uint32_t)below(run, 100));
		break;
	case 1:
	case 2:
		world_read(w, id, happens(run, 500), &ticket);
		break;
	case 3:
		link.link.peer = some_node(run);
		link.link.up = happens(run, 500);
		world_step(w, id, link);
		break;
	case 4:
		world_apply_report(w, id);
		if (happens(run, run->compact))
			compact_some(run, id);
		break;
	}
}

static void lose_some(struct run *run, raft_id id)
{
	uint32_t voters = run->w->founding.voter_count, lost = 0;
	raft_id other;

	for (other = 1; other <= voters; other++)
		lost += other != id && run->w->node[other].lost != 0;
	if (id <= voters && 2 * (lost + 1) < voters)
		world_lose(run->w, id);
}

static void act_once(struct run *run)
{
	raft_id id = some_node(run);
	struct world_node *n = &run->w->node[id];
	uint64_t i;

	if (happens(run, n->up ? run->crash : run->back))
		crash_or_start(run, id);
	if (happens(run, run->lose))
		lose_some(run, id);
	if (happens(run, run->cut))
		cut_some(run);
	if (happens(run, run->paused[id] ? 30 : 1))
		run->paused[id] = !run->paused[id];
	if (n->up && !run->paused[id] && happens(run, 150))
		local_some(run, id);
	if (!happens(run, run->stall) || n->save_count > WORLD_SAVES / 2)
		world_save(run->w, id);
	snapshots_move(run);
	if (happens(run, 300))
		pass(run, 1 + below(run, happens(run, 8) ? 700 : 15));
	for (i = below(run, run->speed); i > 0; i--)
		deliver_some(run);
}

static void heal(struct run *run)
{
	struct raft_event link = {.kind = RAFT_EV_LINK};
	raft_id a, b;

	for (a = 1; a <= run->w->node_count; a++) {
		run->paused[a] = false;
		if (!run->w->node[a].up)
			world_start(run->w, a, false);
		for (b = 1; b <= run->w->node_count; b++)
			run->w->cut[a][b] = false;
	}
	for (a = 1; a <= run->w->node_count; a++) {
		for (b = 1; b <= run->w->node_count; b++) {
			link.link.peer = b;
			link.link.up = true;
			world_step(run->w, a, link);
		}
	}
}

/* Everything works: messages arrive, disks take saves, for this long. */
static void calm(struct run *run, raft_ms ms)
{
	raft_ms end = run->w->node[1].now + ms;
	raft_id id;

	while (run->w->node[1].now < end) {
		bool busy = true;

		pass(run, 5);
		for (id = 1; id <= run->w->node_count; id++)
			leave_some(run, id);
		while (busy) {
			busy = run->w->message_count > 0;
			deliver_oldest(run);
			while (run->w->snapshots != NULL)
				world_snap_deliver(run->w, &run->w->snapshots);
			for (id = 1; id <= run->w->node_count; id++) {
				busy |= world_save(run->w, id);
				if (run->w->node[id].load_due)
					world_load(run->w, id, false);
			}
		}
	}
}

/* The newest. */
static raft_id leader_of(struct run *run, struct raft_status *s)
{
	raft_term term = 0;
	raft_id id, leader = 0;

	for (id = 1; id <= run->w->node_count; id++) {
		raft_status(run->w->node[id].core, s);
		if (s->role == RAFT_LEADER && s->term > term) {
			leader = id;
			term = s->term;
		}
	}
	CHECK(leader != 0);
	raft_status(run->w->node[leader].core, s);
	return leader;
}

static void gets_on(struct run *run)
{
	struct world *w = run->w;
	struct raft_peer_status peer;
	struct raft_status s;
	uint64_t ticket, done, i;
	raft_index before;
	raft_id id, leader;

	calm(run, 8000);
	leader = leader_of(run, &s);
	CHECK(s.members_committed && !s.joint && s.transfer_target == 0);
	before = w->committed;
	CHECK(world_propose(w, leader, 3, 10) == 0);
	calm(run, 500);
	CHECK(w->committed >= before + 3);
	done = w->reads_done;
	for (id = 1; id <= w->node_count; id++) {
		if (raft_peer(w->node[leader].core, id, &peer) != 0)
			continue;
		CHECK(world_read(w, id, id % 2 == 0, &ticket) == 0);
		CHECK(w->node[id].applied == w->committed);
		done++;
	}
	calm(run, 500);
	CHECK(w->reads_done == done);
	for (i = 1; i <= w->tickets; i++)
		CHECK(w->ticket[i].node == 0); /* W7 */
	world_check_logs(w);
}

static void one_run(uint64_t seed)
{
	struct raft_config config = {
		.heartbeat_ms = 50,
		.election_ms = 300,
		.lease_ms = 250,
		.disk_stall_ms = 1000,
		.message_entries = 8,
		.message_bytes = 300,
		.inflight_messages = 4,
		.inflight_bytes = 1000,
		.uncommitted_bytes = 5000,
	};
	struct run run = {.random = seed};
	struct raft_members members = {0};
	raft_id id, founders;
	uint32_t i, hurry;

	random_next(&run.random);
	run.speed = 2 + below(&run, 8);
	run.loss = below(&run, 3) * below(&run, 100);
	run.copy = below(&run, 3) * below(&run, 100);
	run.disorder = below(&run, 3) * below(&run, 300);
	run.crash = below(&run, 3) * below(&run, 8);
	run.stall = below(&run, 3) * below(&run, 450);
	run.cut = below(&run, 3) * below(&run, 8);
	run.compact = below(&run, 3) * below(&run, 500);
	run.hurry = 10 + below(&run, 300);
	run.change = below(&run, 2) * below(&run, 150);
	run.leave = 10 + below(&run, 2) * below(&run, 400);
	run.transfer = below(&run, 2) * below(&run, 60);
	run.back = 1 + below(&run, 40);
	if (run.change == 0)
		run.lose = below(&run, 3) * below(&run, 10);
	/* Some clusters can hardly elect anyone before the next timeout. */
	hurry = 1 + (uint32_t)below(&run, 8);
	config.heartbeat_ms /= hurry;
	config.election_ms /= hurry;
	config.lease_ms /= hurry;
	config.message_entries = 1 + (uint32_t)below(&run, 8);
	founders = 1 + below(&run, 5);
	run.w = world_new((uint32_t)(founders + below(&run, 4)), &config, seed);
	for (id = 1; id <= founders; id++)
		members.voters[members.voter_count++] = id;
	world_found(run.w, &members);
	for (i = 0; i < ACTIONS; i++) {
		act_once(&run);
		if (i % 64 == 0)
			world_check_logs(run.w);
		if (run.w->message_count > 400)
			pass(&run, 1);
		while (run.w->message_count > 400)
			deliver_oldest(&run);
	}
	heal(&run);
	gets_on(&run);
	if (getenv("RANDOM_VERBOSE") != NULL)
		printf("seed %llu: %u nodes, committed %llu, loads %llu, "
		       "changes %llu, losses %llu, repairs %llu, reads %llu "
		       "ok %llu failed\n",
		       (unsigned long long)seed, run.w->node_count,
		       (unsigned long long)run.w->committed,
		       (unsigned long long)run.w->loads,
		       (unsigned long long)run.w->changed,
		       (unsigned long long)run.w->losses,
		       (unsigned long long)run.w->repairs,
		       (unsigned long long)run.w->reads_done,
		       (unsigned long long)run.w->reads_failed);
	totals.losses += run.w->losses;
	totals.repairs += run.w->repairs;
	world_free(run.w);
}

static void random_worlds_keep_every_promise(void **state)
{
	const char *seed = getenv("RANDOM_SEED");
	const char *count = getenv("RANDOM_COUNT");
	uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
	uint64_t runs = count ? strtoull(count, NULL, 10) : seed ? 1 : SEEDS;
	uint64_t i;
	(void)state;

	for (i = first; i < first + runs; i++) {
		if (count != NULL)
			fprintf(stderr, "\rseed %llu", (unsigned long long)i);
		one_run(i);
	}
	/* A repair that nothing needs would prove nothing. */
	printf("%llu disks lost, %llu repaired\n",
	       (unsigned long long)totals.losses,
	       (unsigned long long)totals.repairs);
	assert_true(runs < SEEDS || totals.repairs > SEEDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_worlds_keep_every_promise),
	};

	return cmocka_run_group_tests_name("raft/random", tests, NULL, NULL);
}
