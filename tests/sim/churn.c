/* SPDX-License-Identifier: Apache-2.0 */
/* churn.c - people at work: members are added, promoted, removed, replaced
 * after a loss of their data, and leaders asked to hand over.
 *
 * They ask any node, and go by its answer as a person would; an answer may be
 * lost, and what was asked may be done all the same. */
#include <stdio.h>
#include <string.h>

#include "tests/sim/atlas.h"

enum { ANSWER_MS = 15000 };

struct ask {
	struct kv_member_change change;
	int node;      /* who is asked */
	bool answered; /* once */
	int status;
	struct sim_wait wait;
};

static struct sim_random churn_random;

static int draw(int count)
{
	return (int)sim_below(&churn_random, (uint64_t)count);
}

/* --- Asking -----------------------------------------------------------------
 */

static void on_changed(void *context, int status, const char *text)
{
	struct ask *ask = context;
	int was = sim_enter(SIM_WORLD);

	if (ask->answered) {
		sim_fail("%s answers a change twice", sim_name(ask->node));
	}
	say(SIM_EV_LIFE, ask->node, "answers: %s%s%s", status_text(status),
	    text[0] != 0 ? ", " : "", text);
	ask->answered = true;
	ask->status = status;
	sim_wake(&ask->wait);
	sim_leave(was);
}

static void ask_now(void *context)
{
	struct ask *ask = context;

	(void)kv_change(sim_kv(ask->node), &ask->change, on_changed, ask);
}

static const char *kind_text(enum kv_change_kind kind)
{
	static const char *const words[] = {
		[KV_ADD] = "add",	  [KV_PROMOTE] = "promote",
		[KV_REMOVE] = "remove",	  [KV_REPLACE] = "replace",
		[KV_ADDRESS] = "address", [KV_TRANSFER] = "transfer",
	};

	return words[kind];
}

/* kv.h: exactly one answer, in about ten seconds, of a node that runs and whose
 * disk does not hold it up. */
static void await_answer(struct ask *a, unsigned life)
{
	uint64_t due = sim.now + ANSWER_MS * SIM_MS;

	while (!a->answered && life_is(a->node, life)) {
		(void)sim_wait(&a->wait, 100 * SIM_MS);
		if (sim_state(a->node) == SIM_PAUSED ||
		    sim_stalled_until(a->node) > sim.now) {
			due = sim.now + ANSWER_MS * SIM_MS;
		}
		if (!a->answered && sim.now > due) {
			sim_fail("%s does not answer who asks it to %s",
				 sim_name(a->node), kind_text(a->change.kind));
		}
	}
}

/* The status; STATUS_UNKNOWN when the node ended without an answer. */
static int ask(const struct kv_member_change *change)
{
	struct ask *a = arena_alloc(SIM_WORLD, sizeof *a);
	unsigned life;

	*a = (struct ask){.change = *change, .status = STATUS_UNKNOWN};
	a->node = draw((int)sim_nodes());
	if (sim_state(a->node) != SIM_UP) {
		return STATUS_NOT_READY;
	}
	say(SIM_EV_LIFE, a->node, "is asked to %s %s", kind_text(change->kind),
	    change->name != NULL ? change->name : "");
	life = sim_life(a->node);
	(void)sim_call(a->node, ask_now, a);
	await_answer(a, life);
	return a->status;
}

static bool may_be_done(int status)
{
	return status == 0 || status == STATUS_UNKNOWN;
}

/* --- Members ----------------------------------------------------------------
 */

static void wipe(int node)
{
	struct host *h = &sim.hosts[node];

	life_end(node, SIM_KILLED, "");
	disk_wipe(node);
	state_wipe(node);
	h->id = 0;
	h->is_damaged = h->is_refused = false;
	/* Who was told of no peers founds a cluster of its own again. */
	h->back_at = sim.plan.nodes > 1 || h->joins ? h->back_at : 0;
	say(SIM_EV_LIFE, node, "wiped: its data are gone");
}

static void start_joining(int node)
{
	struct host *h = &sim.hosts[node];

	h->in_use = true;
	h->joins = true;
	if (h->state == SIM_DOWN) {
		h->back_at = sim.now + 1;
	}
}

static void add(void)
{
	int node = draw((int)sim_nodes());
	struct host *h = &sim.hosts[node];
	struct kv_member_change change = {
		.kind = KV_ADD,
		.name = h->name,
		.address = h->address,
		.stay = draw(5) == 0,
	};
	int status;

	if (h->in_use || h->state != SIM_DOWN) {
		return;
	}
	if (h->life > 0) {
		wipe(node);
	}
	h->may_leave = true;
	status = ask(&change);
	if (status == 0) {
		sim_count(SIM_CHANGES);
	}
	/* Some try before they are let in. */
	if (may_be_done(status) || draw(4) == 0) {
		start_joining(node);
	}
}

static void take_away(void)
{
	int node = draw((int)sim_nodes());
	struct host *h = &sim.hosts[node];
	struct kv_member_change change = {.kind = KV_REMOVE, .name = h->name};
	int status;

	if (!atlas_is_member(node) || !atlas_can_remove(node)) {
		return;
	}
	h->may_leave = true;
	atlas_leaves(node);
	status = ask(&change);
	if (status == 0) {
		sim_count(SIM_CHANGES);
	}
	if (status != STATUS_UNKNOWN) {
		atlas_answered(node, status != 0);
	}
}

static void promote(void)
{
	struct host *h = &sim.hosts[draw((int)sim_nodes())];
	struct kv_member_change change = {.kind = KV_PROMOTE, .name = h->name};

	if (h->in_use && ask(&change) == 0) {
		sim_count(SIM_CHANGES);
	}
}

static void hand_over(void)
{
	struct host *h = &sim.hosts[draw((int)sim_nodes())];
	struct kv_member_change change = {
		.kind = KV_TRANSFER,
		.name = draw(2) == 0 ? h->name : NULL,
	};

	if (ask(&change) == 0) {
		sim_count(SIM_TRANSFERS);
	}
}

/* --- Losses -----------------------------------------------------------------
 */

static void lose(void)
{
	int node = draw((int)sim_nodes());
	struct host *h = &sim.hosts[node];

	if (!h->in_use || h->id == 0 || !atlas_is_voter(node) ||
	    !atlas_can_lose(node)) {
		return;
	}
	h->may_leave = true;
	h->is_lost = true;
	wipe(node);
	sim_count(SIM_WIPES);
	if (h->back_at != 0) {
		h->back_at = sim.now + 1 + sim_below(&churn_random, SIM_S);
	}
}

/* One that has lost its data, or can not be repaired, gets a new life. */
static void replace(int node)
{
	struct host *h = &sim.hosts[node];
	struct kv_member_change change = {
		.kind = KV_REPLACE,
		.name = h->name,
		.old = h->name,
		.address = h->address,
	};

	h->may_leave = true;
	atlas_answered(node, false); /* nor that it stays */
	if (h->is_refused) {
		wipe(node);
		h->is_lost = true;
	}
	if (may_be_done(ask(&change))) {
		sim_count(SIM_CHANGES);
		h->is_lost = false;
		start_joining(node);
	}
}

static bool replace_someone(void)
{
	int first = draw((int)sim_nodes());

	for (int i = 0; i < (int)sim_nodes(); i++) {
		int node = (first + i) % (int)sim_nodes();
		const struct host *h = &sim.hosts[node];

		if (h->is_lost || (h->is_refused && h->state == SIM_DOWN)) {
			replace(node);
			return true;
		}
	}
	return false;
}

/* --- The task ---------------------------------------------------------------
 */

static void change_something(void)
{
	int what = draw(100);

	if (what < 30 && replace_someone()) {
		return;
	}
	if (what < 50) {
		add();
	} else if (what < 70) {
		take_away();
	} else if (what < 78) {
		promote();
	} else if (what < 86) {
		lose();
	} else {
		hand_over();
	}
}

static void run(void *context)
{
	uint64_t mean_ns = sim.rates.churn_ms * SIM_MS;

	(void)context;
	while (sim.phase != SIM_CALM) {
		sim_sleep(1 + sim_below(&churn_random, 2 * mean_ns));
		if (sim.phase == SIM_FIRE && sim.plan.spares > 0) {
			change_something();
		} else if (sim.phase == SIM_FIRE) {
			hand_over();
		}
	}
}

void churn_begin(void)
{
	churn_random = sim_stream(STREAM_CHURN);
	if (sim.rates.churn_ms != 0) {
		sim_spawn(SIM_WORLD, "churn", run, NULL);
	}
}
