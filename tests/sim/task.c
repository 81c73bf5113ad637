/* SPDX-License-Identifier: Apache-2.0 */
/* task.c - tasks, who of them runs next, and the time.
 *
 * The scheduler takes one of the tasks that are ready, drawn; when there is
 * none, time goes on to the next thing that is due. A step of a task takes a
 * little time too, so that nothing spins for ever at one moment. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/sim/inside.h"

struct due {
	uint64_t time;
	uint64_t sequence;
	sim_due call;
	void *context;
	uint64_t number;
};

static struct {
	struct fiber fiber; /* the scheduler's own */
	struct sim_task *current;
	struct sim_task *all;
	struct sim_task *finished;
	struct sim_task **ready;
	size_t ready_count, ready_capacity;
	struct due *heap;
	size_t due_count, due_capacity;
	uint64_t sequence;
	uint64_t numbers;
} tasks;

/* --- What is due ------------------------------------------------------------
 */

static bool is_sooner(const struct due *a, const struct due *b)
{
	return a->time != b->time ? a->time < b->time
				  : a->sequence < b->sequence;
}

static void *grow(void *array, size_t *capacity, size_t bytes)
{
	size_t more = *capacity > 0 ? 2 * *capacity : 64;
	void *fresh = arena_alloc(SIM_WORLD, more * bytes);

	if (array != NULL) {
		memcpy(fresh, array, *capacity * bytes);
		arena_free(array);
	}
	*capacity = more;
	return fresh;
}

void task_at(uint64_t time_ns, sim_due call, void *context, uint64_t number)
{
	struct due due = {time_ns, tasks.sequence++, call, context, number};
	size_t at = tasks.due_count;

	if (at == tasks.due_capacity) {
		tasks.heap = grow(tasks.heap, &tasks.due_capacity, sizeof due);
	}
	tasks.due_count++;
	while (at > 0 && is_sooner(&due, &tasks.heap[(at - 1) / 2])) {
		tasks.heap[at] = tasks.heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	tasks.heap[at] = due;
}

void task_after(uint64_t ns, sim_due call, void *context, uint64_t number)
{
	task_at(sim.now + ns, call, context, number);
}

static struct due take_due(void)
{
	struct due first = tasks.heap[0];
	struct due last = tasks.heap[--tasks.due_count];
	size_t at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= tasks.due_count) {
			break;
		}
		if (child + 1 < tasks.due_count &&
		    is_sooner(&tasks.heap[child + 1], &tasks.heap[child])) {
			child++;
		}
		if (!is_sooner(&tasks.heap[child], &last)) {
			break;
		}
		tasks.heap[at] = tasks.heap[child];
		at = child;
	}
	tasks.heap[at] = last;
	return first;
}

/* --- Who is ready -----------------------------------------------------------
 */

static bool is_held(const struct sim_task *t)
{
	return t->node != SIM_WORLD && sim.hosts[t->node].is_held;
}

static void enlist(struct sim_task *t)
{
	if (tasks.ready_count == tasks.ready_capacity) {
		tasks.ready = grow(tasks.ready, &tasks.ready_capacity,
				   sizeof(struct sim_task *));
	}
	t->place = tasks.ready_count;
	tasks.ready[tasks.ready_count++] = t;
}

static void delist(struct sim_task *t)
{
	struct sim_task *last = tasks.ready[--tasks.ready_count];

	tasks.ready[t->place] = last;
	last->place = t->place;
	t->place = SIZE_MAX;
}

static void make_ready(struct sim_task *t)
{
	t->state = TASK_READY;
	if (!is_held(t)) {
		enlist(t);
	}
}

void task_hold(int node, bool hold)
{
	sim.hosts[node].is_held = hold;
	for (struct sim_task *t = tasks.all; t != NULL; t = t->next_of_all) {
		if (t->node != node || t->state != TASK_READY) {
			continue;
		}
		if (hold && t->place != SIZE_MAX) {
			delist(t);
		} else if (!hold && t->place == SIZE_MAX) {
			enlist(t);
		}
	}
}

/* --- Waiting ----------------------------------------------------------------
 */

static void wait_add(struct sim_wait *w, struct sim_task *t)
{
	t->waits = w;
	t->next = NULL;
	t->previous = w->last;
	if (w->last != NULL) {
		w->last->next = t;
	} else {
		w->first = t;
	}
	w->last = t;
}

static void wait_remove(struct sim_task *t)
{
	struct sim_wait *w = t->waits;

	if (w == NULL) {
		return;
	}
	if (t->previous != NULL) {
		t->previous->next = t->next;
	} else {
		w->first = t->next;
	}
	if (t->next != NULL) {
		t->next->previous = t->previous;
	} else {
		w->last = t->previous;
	}
	t->waits = NULL;
}

static void wake(struct sim_task *t, bool woken)
{
	wait_remove(t);
	t->waiting++;
	t->woken = woken;
	make_ready(t);
}

static void on_timeout(void *context, uint64_t number)
{
	/* Tasks are not freed within a run, so context is one, if over. */
	struct sim_task *t = context;

	if (t->state == TASK_WAITING && t->waiting == number) {
		wake(t, false);
	}
}

static void to_scheduler(struct sim_task *t)
{
	t->who = sim.who;
	t->saved_errno = errno;
	sim.who = SIM_WORLD;
	fiber_switch(&t->fiber, &tasks.fiber);
	sim.who = t->who;
	errno = t->saved_errno;
}

bool task_wait(struct sim_wait *w, uint64_t ns)
{
	struct sim_task *t = tasks.current;

	CHECK(t != NULL); /* hooks and the scheduler do not wait */
	t->state = TASK_WAITING;
	t->woken = false;
	t->waits = NULL;
	if (w != NULL) {
		wait_add(w, t);
	}
	if (ns != UINT64_MAX) {
		task_after(ns, on_timeout, t, t->waiting);
	}
	to_scheduler(t);
	return t->woken;
}

void task_wake_one(struct sim_wait *w)
{
	if (w->first != NULL) {
		wake(w->first, true);
	}
}

void sim_wake(struct sim_wait *w)
{
	while (w->first != NULL) {
		wake(w->first, true);
	}
}

bool sim_wait(struct sim_wait *w, uint64_t ns)
{
	return task_wait(w, ns);
}

void sim_sleep(uint64_t ns)
{
	(void)task_wait(NULL, ns);
}

void sim_yield(void)
{
	struct sim_task *t = tasks.current;

	CHECK(t != NULL);
	make_ready(t);
	to_scheduler(t);
}

void task_point(void)
{
	struct sim_task *t = tasks.current;
	struct host *h;
	uint64_t draw;

	if (t == NULL || sim.who == SIM_WORLD) {
		return;
	}
	h = &sim.hosts[t->node];
	if (++h->points == h->doom) {
		life_end(t->node, h->doom_death, "");
	}
	if (h->is_held) {
		sim_yield();
	}
	draw = sim_below(&sim.schedule, 1000000);
	if (draw < sim.rates.nap) {
		sim_sleep(sim_below(&sim.schedule, sim.rates.nap_ns + 1));
	} else if (draw < sim.rates.nap + sim.rates.yield) {
		sim_yield();
	}
}

/* --- Life of a task ---------------------------------------------------------
 */

static void entry(void)
{
	struct sim_task *t = tasks.current;

	fiber_begun(&t->fiber);
	sim.who = t->who;
	t->main(t->context);
	task_exit();
}

NORETURN void task_exit(void)
{
	sim.who = SIM_WORLD;
	sim_wake(&tasks.current->over);
	task_abandon();
}

NORETURN void task_abandon(void)
{
	struct sim_task *t = tasks.current;

	t->state = TASK_DONE;
	tasks.finished = t;
	fiber_switch(&t->fiber, &tasks.fiber);
	abort();
}

struct sim_task *task_new(int node, const char *name, void (*main)(void *),
			  void *context)
{
	struct sim_task *t = arena_alloc(SIM_WORLD, sizeof *t);

	*t = (struct sim_task){
		.number = ++tasks.numbers,
		.node = node,
		.name = name,
		.main = main,
		.context = context,
		.place = SIZE_MAX,
		.who = node,
		.next_of_all = tasks.all,
	};
	tasks.all = t;
	fiber_make(&t->fiber, entry);
	make_ready(t);
	return t;
}

void sim_spawn(int node, const char *name, void (*main)(void *context),
	       void *context)
{
	(void)task_new(node, name, main, context);
}

/* --- Calls from the world ----------------------------------------------------
 */

struct call {
	void (*main)(void *context);
	void *context;
	bool returned;
};

static void run_call(void *context)
{
	struct call *call = context;
	struct host *h = &sim.hosts[tasks.current->node];

	/* It may have been told to stop since. */
	if (h->state == SIM_UP) {
		h->calls++;
		call->main(call->context);
		h->calls--;
		call->returned = true;
	}
}

bool sim_call(int node, void (*main)(void *context), void *context)
{
	struct call call = {main, context, false};
	struct sim_task *t;

	if (sim.hosts[node].state != SIM_UP) {
		return false;
	}
	t = task_new(node, "call", run_call, &call);
	while (t->state != TASK_DONE) {
		(void)task_wait(&t->over, UINT64_MAX);
	}
	return call.returned;
}

int sim_enter(int who)
{
	int was = sim.who;

	CHECK(who == SIM_WORLD);
	sim.who = who;
	return was;
}

void sim_leave(int was)
{
	sim.who = was;
}

int sim_who(void)
{
	return sim.who;
}

struct sim_task *task_current(void)
{
	return tasks.current;
}

static void drop(struct sim_task *t)
{
	if (t->place != SIZE_MAX) {
		delist(t);
	}
	wait_remove(t);
	t->state = TASK_DONE;
	sim_wake(&t->over); /* the world may wait for it */
	if (t->fiber.bottom != NULL) {
		fiber_drop(&t->fiber);
	}
}

/* The list of all forgets those that are over; their memory stays, because
 * timers may point to it. */
static void unlink_over(void)
{
	struct sim_task **at = &tasks.all;

	while (*at != NULL) {
		if ((*at)->state == TASK_DONE && (*at)->fiber.bottom == NULL) {
			*at = (*at)->next_of_all;
		} else {
			at = &(*at)->next_of_all;
		}
	}
}

void task_kill_all(int node)
{
	for (struct sim_task *t = tasks.all; t != NULL; t = t->next_of_all) {
		if (t->node == node && t->state != TASK_DONE) {
			CHECK(t != tasks.current);
			drop(t);
		}
	}
	unlink_over();
}

/* --- The scheduler ----------------------------------------------------------
 */

static void run_one(void)
{
	size_t at = (size_t)sim_below(&sim.schedule, tasks.ready_count);
	struct sim_task *t = tasks.ready[at];

	delist(t);
	sim_trace(t->number);
	tasks.current = t;
	tasks.finished = NULL;
	fiber_switch(&tasks.fiber, &t->fiber);
	tasks.current = NULL;
	sim.who = SIM_WORLD;
	if (tasks.finished != NULL) {
		fiber_drop(&tasks.finished->fiber);
		unlink_over();
	}
	sim.now += sim.rates.step_ns;
	life_bury();
}

void task_run(void)
{
	while (!sim.over) {
		while (tasks.due_count > 0 && !sim.over &&
		       tasks.heap[0].time <= sim.now) {
			struct due due = take_due();

			sim_trace(due.sequence);
			due.call(due.context, due.number);
		}
		if (sim.over) {
			break;
		}
		if (tasks.ready_count > 0) {
			if (++sim.counts[SIM_STEPS] > SIM_STEPS_MAX) {
				sim_fail("the run does not end");
			}
			run_one();
		} else {
			CHECK(tasks.due_count > 0);
			sim.now = tasks.heap[0].time;
		}
	}
}

void task_reset(void)
{
	for (struct sim_task *t = tasks.all; t != NULL; t = t->next_of_all) {
		if (t->fiber.bottom != NULL) {
			fiber_drop(&t->fiber);
		}
	}
	memset(&tasks, 0, sizeof tasks);
}
