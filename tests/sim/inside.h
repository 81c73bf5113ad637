/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - the parts of the simulator, as they know each other.
 *
 *   random.c  streams of random numbers, the trace hash
 *   arena.c   memory, by who owns it         fiber.c   switching stacks
 *   task.c    tasks, the scheduler, time     thread.c  pthreads as tasks
 *   clock.c   each node's clocks             disk.c    each node's files
 *   call.c    system calls on those          net.c     frames on their way
 *   stream.c  libuv's streams over the net   loop.c    libuv's loop
 *   state.c   the store below kv             life.c    a node from start to end
 *   say.c     log lines, events, failures    plan.c    what is drawn at first
 *   bulk.c    much is written
 *   churn.c   members come and go        atlas.c   what can be survived
 *   calm.c    a quorum is healed
 *   fault.c   what goes wrong, and when      run.c     one run
 *   main.c    the program: many runs */
#ifndef TESTS_SIM_INSIDE_H
#define TESTS_SIM_INSIDE_H

#include <stdarg.h>

#include "kv/internal.h"
#include "tests/sim/sim.h"

enum sim_stream_name {
	STREAM_SCHEDULE = 1,
	STREAM_NET,
	STREAM_DISK,
	STREAM_NODE, /* what the nodes draw themselves */
	STREAM_PLAN,
	STREAM_FAULT,
	STREAM_STATE,
	STREAM_BULK,
	STREAM_CHURN,
};

enum {
	SIM_STEPS_MAX = 40000000, /* of tasks in a run: it does not end */
	SIM_STACK_BYTES = 256 << 10,
};

/* --- Rates, each drawn (plan.c) ------------------------------------------- */

/* Chances are of a million. */
struct sim_rates {
	/* Scheduling. */
	unsigned yield;	   /* at a point where tasks may be switched */
	unsigned nap;	   /* and of not going on for a while */
	uint64_t nap_ns;   /* at most */
	unsigned spurious; /* wake-ups of conditions */
	uint64_t step_ns;  /* a task's step takes as long */
	/* Network, each frame or connection. */
	uint64_t delay_ns, jitter_ns; /* of a good link */
	bool is_slow;		      /* more than elections bear */
	unsigned lose, duplicate, reorder, corrupt, tear;
	unsigned lose_other; /* frames that are not a core's */
	unsigned refuse;
	unsigned short_read, short_write;
	uint64_t late_ns; /* duplicates and reordered ones, at most */
	uint32_t window_bytes;
	/* Disk, each call. */
	uint64_t write_ns, sync_ns; /* about */
	unsigned slow_sync;	    /* takes up to slow_ns */
	uint64_t slow_ns;
	/* Faults (fault.c): mean time between two of a kind, ms; 0: none. */
	uint32_t kill_ms, power_ms, stop_ms, pause_ms, cut_ms, break_ms;
	uint32_t stall_ms, full_ms, sync_fail_ms, rot_ms, jump_ms, all_ms;
	uint32_t wipe_ms;
	unsigned aim;	   /* at a leader or candidate */
	uint32_t churn_ms; /* mean time between changes of members; 0: none */
	uint32_t down_ms, outage_ms; /* how long a node stays down */
	unsigned outage;	     /* that it is a long one */
};

/* --- Memory (arena.c) ------------------------------------------------------
 */

void arena_reset(int owner);
uint64_t arena_used(int owner); /* bytes, at most so far */
void *arena_alloc(int owner, size_t size);
void arena_free(void *block);

/* --- Stacks (fiber.c) ------------------------------------------------------
 */

struct fiber {
	void *pointer;
	void *bottom; /* NULL: the thread's own stack */
	size_t bytes;
	void *fake; /* a sanitizer's */
};
/* Make f so that the first switch to it calls entry(), which never returns. */
void fiber_make(struct fiber *f, void (*entry)(void));
void fiber_drop(struct fiber *f); /* its stack may be used again */
void fiber_switch(struct fiber *from, struct fiber *to);
void fiber_begun(struct fiber *f); /* first of all within entry() */

/* --- Tasks and time (task.c) -----------------------------------------------
 */

enum task_state { TASK_READY, TASK_WAITING, TASK_DONE };

struct sim_task {
	struct fiber fiber;
	uint64_t number;
	int node;
	const char *name;
	void (*main)(void *context);
	void *context;
	enum task_state state;
	size_t place; /* among the ready ones; SIZE_MAX: not there */
	struct sim_wait *waits;
	struct sim_task *next, *previous; /* in it */
	uint64_t waiting; /* counts waits, so that old timers are known */
	bool woken;
	int saved_errno;
	int who;
	struct sim_task *next_of_all;
	struct sim_wait over; /* waited on by who joins */
	bool is_joined;
	void *(*start)(void *context); /* of a pthread */
	void *result;
};

typedef void (*sim_due)(void *context, uint64_t number);
void task_at(uint64_t time_ns, sim_due due, void *context, uint64_t number);
void task_after(uint64_t ns, sim_due due, void *context, uint64_t number);

struct sim_task *task_new(int node, const char *name, void (*main)(void *),
			  void *context);
/* A point where another task may go on, or the node may end. */
void task_point(void);
/* Wait; who runs is kept. */
bool task_wait(struct sim_wait *w, uint64_t ns);
void task_wake_one(struct sim_wait *w);
void task_kill_all(int node);
void task_hold(int node, bool hold); /* a pause */
NORETURN void task_exit(void);
/* Switch to the scheduler without being ready again: as a dying node. */
NORETURN void task_abandon(void);
struct sim_task *task_current(void); /* NULL: the scheduler */
/* Until sim.over. */
void task_run(void);
void task_reset(void);

/* --- Nodes (life.c) --------------------------------------------------------
 */

struct files;
struct listener;

struct host {
	char name[16];
	char address[32];
	char folder[32];
	enum sim_state state;
	unsigned life;
	bool on;      /* the machine has power: it answers what it knows not */
	bool is_held; /* paused */
	unsigned calls; /* of sim_call() under way */
	struct kv *kv;
	struct node *node; /* from node_open() on */
	raft_id id;
	uint64_t points; /* where tasks could be switched, so far */
	uint64_t doom;	 /* the life ends at this one; 0: not */
	enum sim_death doom_death;
	bool may_end;	   /* by itself: a fault allows it */
	bool is_damaged;   /* and not known to be repaired */
	bool repairs;	   /* this life began in one */
	raft_index owes;   /* this life began on a full disk, with less applied
			      than it may have shown: up to here; 0: not so */
	bool is_mending;   /* and is not known to have ended it */
	bool is_refused;   /* it can not be repaired: it must be replaced */
	unsigned rot_life; /* when it was damaged */
	char last_words[256];
	/* Clocks: see clock.c. */
	int64_t rate_ppm;
	uint64_t boot_ns;
	int64_t wall_ns;
	/* Disk: see disk.c. */
	struct files *files;
	uint64_t foreign;   /* bytes on it that are not this node's */
	uint64_t room_most; /* someone takes what more is freed; 0: nobody */
	uint64_t stalled_until; /* ns */
	unsigned sync_fails;	/* of the next syncs */
	bool lost_pages;	/* a sync failed in this life */
	struct listener *listener;
	void *store; /* state.c */
	/* Faults. */
	bool is_founded;  /* it has had a core */
	bool in_use;	  /* else nobody has started it, or it was removed */
	bool joins;	  /* it is started to be let in */
	bool is_lost;	  /* its data are, and nobody has replaced it yet */
	bool may_leave;	  /* it may be told that it is no member */
	uint64_t back_at; /* when it is to start again; 0: not by itself */
};

void life_reset(void);
void life_start(int node);
/* End the life of a node now, from outside of it or by one of its tasks (then
 * it does not return). */
void life_end(int node, enum sim_death death, const char *line);
void life_stop(int node); /* begin a clean stop */
bool life_is(int node, unsigned life);
/* At a point of the scheduler: deaths that tasks asked for. */
void life_bury(void);
/* As one of the node's tasks, when its code ends the process. */
NORETURN void life_fatal(const char *line);

/* --- Clocks (clock.c) ------------------------------------------------------
 */

void clock_begin(int node);
uint64_t clock_boot_ns(int node);
/* World time until the node's clock has gone on by ns. */
uint64_t clock_world_ns(int node, uint64_t ns);

/* --- Disk (disk.c) ---------------------------------------------------------
 */

void disk_reset(void);
void disk_begin(int node);
void disk_power_cut(int node); /* forget what was not synced, in part */
void disk_wipe(int node);
uint64_t disk_free(int node); /* bytes */
/* Flip bits within a synced record of the log; false: there is none fit. */
bool disk_rot(int node);
/* No repair is under way there, whatever a power cut leaves. */
bool disk_is_repaired(int node);
void disk_life_over(int node); /* descriptors */

/* --- Network (net.c, stream.c, loop.c) -------------------------------------
 */

struct net_links {
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX]; /* from, to */
	uint64_t delay_ns[SIM_NODES_MAX][SIM_NODES_MAX];
};
void net_reset(void);
void net_cut(int from, int to, bool cut);
void net_break(int from, int to); /* a connection, as a router would */
/* Its ends: with resets (a process ended), or silently (no power). */
void net_life_over(int node, bool silent);

/* --- State (state.c) -------------------------------------------------------
 */

void state_begin(int node);
int state_open(void *context, const char *path, struct store **store,
	       struct buffer *problem);
int state_peek(void *context, const char *path, struct store **store,
	       struct buffer *problem);
void state_life_over(int node);
void state_wipe(int node);
void state_end(int node);

/* --- Words (say.c) ---------------------------------------------------------
 */

NORETURN void __real_abort(void);
NORETURN void __real_exit(int code);
/* What a frame says, for a narrative. */
void say_frame(struct bytes frame, char *text, size_t size);
void say_event(enum sim_event_kind kind, int node, int other, uint64_t number,
	       const char *text);
void say(enum sim_event_kind kind, int node, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* --- The run ---------------------------------------------------------------
 */

struct sim_run {
	struct sim_options options;
	struct sim_result *result;
	struct sim_plan plan;
	struct sim_rates rates;
	struct sim_random schedule, net, disk, nodes, plan_random, fault,
		stores;
	enum sim_phase phase;
	uint64_t now;
	uint64_t hash;
	bool over;
	int who;
	struct host hosts[SIM_NODES_MAX];
	bool healed[SIM_NODES_MAX];
	struct net_links links;
	uint64_t counts[SIM_COUNTS];
	uint64_t commits; /* the highest index applied anywhere */
};
extern struct sim_run sim;

void plan_draw(void);
void bulk_begin(void);
void churn_begin(void);
void calm_down(void);
void calm_await(void);		/* until all is well */
void fault_main(void *context); /* the task that directs the run */
void fault_died(int node, enum sim_death death);
void fault_start_due(void);

#endif
