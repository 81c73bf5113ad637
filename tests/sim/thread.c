/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c - POSIX threads as tasks of the node that makes them.
 *
 * Mutexes and conditions live in the memory of the pthread types; all zero is
 * unlocked and nobody waits. Whoever is woken may find the mutex taken: the
 * order is drawn. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/sim/inside.h"

struct mutex {
	struct sim_task *owner;
	struct sim_wait waiters;
};
struct condition {
	struct sim_wait waiters;
};
static_assert(sizeof(struct mutex) <= sizeof(pthread_mutex_t), "it fits");
static_assert(sizeof(struct condition) <= sizeof(pthread_cond_t), "it fits");

#define WRAP(type, name, ...)                                                  \
	type __wrap_##name(__VA_ARGS__);                                       \
	type __wrap_##name(__VA_ARGS__)

/* --- Mutexes ----------------------------------------------------------------
 */

WRAP(int, pthread_mutex_init, pthread_mutex_t *m, const pthread_mutexattr_t *a)
{
	(void)a;
	memset(m, 0, sizeof *m);
	return 0;
}

WRAP(int, pthread_mutex_destroy, pthread_mutex_t *m)
{
	struct mutex *mutex = (void *)m;

	CHECK(mutex->owner == NULL && mutex->waiters.first == NULL);
	return 0;
}

static void lock(struct mutex *m)
{
	struct sim_task *t = task_current();

	while (m->owner != NULL) {
		/* The world never waits for a node. */
		CHECK(t != NULL && sim.who != SIM_WORLD && m->owner != t);
		(void)task_wait(&m->waiters, UINT64_MAX);
	}
	m->owner = t;
}

static void unlock(struct mutex *m)
{
	CHECK(m->owner == task_current());
	m->owner = NULL;
	sim_wake(&m->waiters);
}

WRAP(int, pthread_mutex_lock, pthread_mutex_t *m)
{
	task_point();
	lock((void *)m);
	return 0;
}

WRAP(int, pthread_mutex_unlock, pthread_mutex_t *m)
{
	unlock((void *)m);
	task_point();
	return 0;
}

/* --- Conditions -------------------------------------------------------------
 */

WRAP(int, pthread_condattr_init, pthread_condattr_t *a)
{
	memset(a, 0, sizeof *a);
	return 0;
}

WRAP(int, pthread_condattr_setclock, pthread_condattr_t *a, clockid_t clock)
{
	(void)a;
	CHECK(clock == CLOCK_MONOTONIC); /* the one that timedwait reads */
	return 0;
}

WRAP(int, pthread_condattr_destroy, pthread_condattr_t *a)
{
	(void)a;
	return 0;
}

WRAP(int, pthread_cond_init, pthread_cond_t *c, const pthread_condattr_t *a)
{
	(void)a;
	memset(c, 0, sizeof *c);
	return 0;
}

WRAP(int, pthread_cond_destroy, pthread_cond_t *c)
{
	struct condition *condition = (void *)c;

	CHECK(condition->waiters.first == NULL);
	return 0;
}

/* Return whether it was woken; now and then it is although nobody did. */
static bool wait_until(pthread_cond_t *c, struct mutex *m, uint64_t ns)
{
	struct condition *condition = (void *)c;
	bool woken = true;

	unlock(m);
	if (sim_chance(&sim.schedule, sim.rates.spurious)) {
		sim_yield();
	} else {
		woken = task_wait(&condition->waiters, ns);
	}
	lock(m);
	return woken;
}

WRAP(int, pthread_cond_wait, pthread_cond_t *c, pthread_mutex_t *m)
{
	(void)wait_until(c, (void *)m, UINT64_MAX);
	task_point();
	return 0;
}

WRAP(int, pthread_cond_timedwait, pthread_cond_t *c, pthread_mutex_t *m,
     const struct timespec *until)
{
	int node = task_current()->node;
	uint64_t now = clock_boot_ns(node);
	uint64_t then =
		(uint64_t)until->tv_sec * SIM_S + (uint64_t)until->tv_nsec;
	uint64_t ns = then > now ? clock_world_ns(node, then - now) : 0;
	bool woken = wait_until(c, (void *)m, ns);

	task_point();
	return woken ? 0 : ETIMEDOUT;
}

WRAP(int, pthread_cond_signal, pthread_cond_t *c)
{
	task_wake_one(&((struct condition *)(void *)c)->waiters);
	task_point();
	return 0;
}

WRAP(int, pthread_cond_broadcast, pthread_cond_t *c)
{
	sim_wake(&((struct condition *)(void *)c)->waiters);
	task_point();
	return 0;
}

/* --- Threads ----------------------------------------------------------------
 */

static void run_thread(void *context)
{
	struct sim_task *t = context;

	t->result = t->start(t->context);
}

static void begin_thread(void *unused)
{
	(void)unused;
	run_thread(task_current());
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *a,
     void *(*start)(void *), void *context)
{
	struct sim_task *t =
		task_new(task_current()->node, "thread", begin_thread, context);

	(void)a;
	t->start = start;
	t->is_joined = true;
	memcpy(thread, &t, sizeof t);
	task_point();
	return 0;
}

WRAP(int, pthread_join, pthread_t thread, void **result)
{
	struct sim_task *t;

	memcpy(&t, &thread, sizeof t);
	CHECK(t->is_joined && t->node == task_current()->node);
	while (t->state != TASK_DONE) {
		(void)task_wait(&t->over, UINT64_MAX);
	}
	if (result != NULL) {
		*result = t->result;
	}
	task_point();
	return 0;
}

WRAP(int, pthread_sigmask, int how, const sigset_t *set, sigset_t *old)
{
	(void)how;
	(void)set;
	if (old != NULL) {
		sigemptyset(old);
	}
	return 0;
}

WRAP(int, setpriority, int which, id_t who, int priority)
{
	(void)which;
	(void)who;
	(void)priority;
	return 0;
}
