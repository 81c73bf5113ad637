/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - a whole cluster in one thread, one seed and virtual time.
 *
 * The code of the daemon's rooms runs unmodified: its threads are tasks (small
 * coroutines), its clocks, random numbers, files, sockets and memory are the
 * simulator's (replaced at link time: sim.mk). One run at a time in a process;
 * everything here is about that run and is called from its only thread.
 *
 *   S1  everything that is not code under test is drawn from the seed: equal
 *       seeds give equal traces (sim_hash), whatever the process
 *   S2  a node's memory, files' descriptors, tasks and connections belong to
 *       one of its lives and end with it, at any point where a task may be
 *       switched; its disk stays
 *   S3  oracles see, and never change what happens: hooks draw nothing from
 *       the streams of the runtime, do not wait, and run as the world
 *
 * Who runs: code runs as a node (within one of its tasks) or as the world.
 * What is allocated (mem_*, malloc, a buffer that grows) belongs to who runs,
 * and a node's is gone when it dies. Callbacks of kv (kv_done, kv_ready, ...)
 * come as the node: what shall outlive it is made between sim_enter(SIM_WORLD)
 * and sim_leave(). All of the world's is dropped after the run, so oracles
 * need not free.
 *
 * A run: settings are drawn -> nodes are founded -> SIM_FIRE: faults of all
 * kinds for a drawn time -> SIM_CALM: only a connected quorum is healed, the
 * others stay as they are -> the oracle is satisfied, or the run has failed. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "kv/kv.h"
#include "raft/raft.h"

enum { SIM_NODES_MAX = 9, SIM_WORLD = -1 };
#define SIM_MS 1000000ULL /* of sim_now() */
#define SIM_S 1000000000ULL

/* --- A run ---------------------------------------------------------------- */

struct sim_oracle;

struct sim_options {
	uint64_t seed;
	bool tell; /* events have texts: for a narrative, slower */
	const struct sim_oracle *oracle; /* may be NULL */
	/* 0: as drawn. */
	unsigned nodes;
	unsigned fire_ms;
};

/* What is counted in a run; names by sim_count_name(). */
enum sim_count {
	SIM_STEPS,     /* of tasks */
	SIM_ELECTIONS, /* won */
	SIM_COMMITS,   /* entries applied by the first node that did */
	SIM_MESSAGES,  /* frames delivered */
	SIM_LOST,
	SIM_DUPLICATED,
	SIM_REORDERED,
	SIM_BROKEN,	/* connections */
	SIM_PARTITIONS, /* of any kind */
	SIM_KILLS,	/* of a process: the disk keeps what was written */
	SIM_POWER_CUTS,
	SIM_RESTARTS,
	SIM_STOPS, /* clean */
	SIM_OUTAGES,
	SIM_PAUSES,
	SIM_WIPES,
	SIM_STALLS,	 /* of a disk */
	SIM_SYNC_FAILS,	 /* a failed sync ended a node */
	SIM_FULLS,	 /* a disk was full for a while */
	SIM_ROTS,	 /* bytes of a log or a state rotted */
	SIM_REPAIRS,	 /* nodes that were whole again after that */
	SIM_TORN,	 /* power cuts that left a write in part */
	SIM_CLOCK_JUMPS, /* of the wall clock */
	SIM_SNAPSHOTS,
	SIM_INSTALLS,
	SIM_CHANGES, /* of the membership */
	SIM_TRANSFERS,
	SIM_OPERATIONS, /* of clients: begun */
	SIM_DONE,	/* and of these answered */
	SIM_UNKNOWN,	/* or outcome unknown */
	SIM_READS,
	SIM_FALLBACKS, /* reads that fell back */
	SIM_COUNTS,
};
const char *sim_count_name(enum sim_count count);

struct sim_result {
	bool failed;
	char failure[512];
	uint64_t hash; /* of the whole trace */
	uint64_t virtual_ns;
	uint64_t counts[SIM_COUNTS];
};

/* Play the seed. Nothing of it is left afterwards. */
void sim_run(const struct sim_options *options, struct sim_result *result);

/* --- During a run --------------------------------------------------------- */

enum sim_phase { SIM_FOUNDING, SIM_FIRE, SIM_CALM };

/* What was drawn that others may want to know. */
struct sim_plan {
	uint64_t seed;
	unsigned nodes;	     /* founders; named n1, n2, ... */
	unsigned spares;     /* that may join; named after them */
	uint32_t timeout_ms; /* kv's */
	uint32_t session_ms;
	uint32_t heartbeat_ms;
	uint32_t election_ms;
	uint32_t disk_stall_ms;
	uint32_t entry_bytes_max; /* an operation must not be larger */
	uint32_t segment_bytes, message_bytes, cut_tail_entries, log_bytes;
	uint32_t flush_entries, flush_ms;
	unsigned fire_ms;
	bool rocksdb;  /* the state is in RocksDB, not in memory */
	bool lossless; /* no frame but a core's is lost */
};
const struct sim_plan *sim_plan(void);
enum sim_phase sim_phase(void);
uint64_t sim_now(void); /* virtual, ns since the run began */
uint64_t sim_hash(void);
/* Add to the trace hash. */
void sim_trace(uint64_t value);
void sim_count(enum sim_count count);
uint64_t sim_counted(enum sim_count count);
/* The run has failed: the first call counts, and the run ends after it. It
 * does not return when called as a node or by a task. */
void sim_fail(const char *format, ...) PRINTF_LIKE(1, 2);
bool sim_failed(void);

/* Random numbers of the caller's own: a stream is named by a number that no
 * other stream has (the runtime's are below 1000). */
struct sim_random {
	uint64_t state;
};
struct sim_random sim_stream(uint64_t name);
uint64_t sim_draw(struct sim_random *r);		  /* 64 bits */
uint64_t sim_below(struct sim_random *r, uint64_t bound); /* [0, bound) */
bool sim_chance(struct sim_random *r, unsigned of_a_million);

/* --- Tasks ---------------------------------------------------------------- */

/* Run main(context) beside all others; node: it is a thread of that node's
 * process, which must be up, and dies with it; SIM_WORLD: of the world.
 * name is lent for ever. */
void sim_spawn(int node, const char *name, void (*main)(void *context),
	       void *context);

/* Where tasks wait; zero is an empty one. It must outlive those who wait. */
struct sim_wait {
	struct sim_task *first, *last;
};
/* Sleep until woken (true) or for ns (false); UINT64_MAX: for ever. */
bool sim_wait(struct sim_wait *w, uint64_t ns);
void sim_wake(struct sim_wait *w); /* all of them; by anyone */
void sim_sleep(uint64_t ns);
/* Let others run. */
void sim_yield(void);

/* A task of the world has main(context) run as a thread of the node's process
 * and waits until that has returned: true; false: the node was not up, or has
 * died meanwhile. So whatever main asks of kv is asked as the node. */
bool sim_call(int node, void (*main)(void *context), void *context);

/* Run as someone else, SIM_WORLD, until sim_leave(was). As the world no task
 * is switched, so nothing happens meanwhile. */
int sim_enter(int who);
void sim_leave(int was);
int sim_who(void);

/* --- Nodes ---------------------------------------------------------------- */

enum sim_state {
	SIM_DOWN,
	SIM_STARTING, /* kv_open() is under way */
	SIM_UP,
	SIM_PAUSED, /* was up */
	SIM_STOPPING,
	SIM_REFUSED, /* it did not start, or ended by itself, rightly */
};

/* Why a life ended. */
enum sim_death {
	SIM_KILLED,    /* kill -9 */
	SIM_POWER_CUT, /* and what was not synced may be gone */
	SIM_STOPPED,   /* kv_close() */
	SIM_FATAL, /* it ended itself (log_fatal) after a fault that allows it
		    */
	SIM_NOT_STARTED, /* kv_open() refused, after a fault that allows it */
	SIM_TURNED_AWAY, /* kv called failed() */
};

enum sim_state sim_state(int node);
/* Starts so far; a life's number, 1 ... */
unsigned sim_life(int node);
unsigned sim_nodes(void); /* numbers are 0 ... sim_nodes() - 1 */
const char *sim_name(int node);
/* The node's map while it is SIM_UP or SIM_PAUSED, and in a clean stop while
 * somebody is within a call; else NULL. Only its tasks may call it (sim_call);
 * kv_newest() may be read by the world too. */
struct kv *sim_kv(int node);
/* The core, for looking; NULL: none yet. */
const struct raft *sim_core(int node);
/* This life of it began with a repair, or it has not applied again what it may
 * have shown before: its reads do not fall back at once. */
bool sim_is_unproven(int node);
/* Is it one of these? */
static inline bool sim_has(const raft_id *ids, uint32_t count, raft_id id)
{
	uint32_t i = 0;

	while (i < count && ids[i] != id) {
		i++;
	}
	return i < count;
}
raft_id sim_id(int node);	 /* incarnation; 0: not known yet */
uint64_t sim_clock_ms(int node); /* CLOCK_BOOTTIME as it reads it */
/* Its disk answers nothing before then (sim_now()). */
uint64_t sim_stalled_until(int node);
/* During applied(): the batch that is open, to be looked at. NULL: none, or
 * the state is not in memory (plan.rocksdb). */
struct kv_reader *sim_batch(int node);
/* May frames go from one to the other now (cuts and states)? */
bool sim_reaches(int from, int to);
/* SIM_CALM: is it one of the connected quorum that was healed? */
bool sim_healed(int node);

/* --- What is seen --------------------------------------------------------- */

enum sim_event_kind {
	SIM_EV_LOG,	/* a log line; text without time and name */
	SIM_EV_SENT,	/* a frame: node -> other; number: of the frame */
	SIM_EV_ARRIVED, /* same number; other -> node */
	SIM_EV_LOST,
	SIM_EV_DUPLICATED,
	SIM_EV_LINK,  /* connection node -> other opened or broke */
	SIM_EV_CUT,   /* the network: text tells what is cut */
	SIM_EV_DISK,  /* stall, full, failed sync, rot, torn */
	SIM_EV_LIFE,  /* start, up, end, pause, ...; death by text */
	SIM_EV_CLOCK, /* wall clock set */
	SIM_EV_PHASE,
	SIM_EV_CLIENT, /* sim_note() */
	SIM_EV_FAILED,
};

/* text is "" for the frequent kinds unless options.tell; all borrowed. */
struct sim_event {
	enum sim_event_kind kind;
	uint64_t time_ns;
	int node;  /* SIM_WORLD: none */
	int other; /* the other side; else SIM_WORLD */
	uint64_t number;
	const char *text;
};
/* An event of the oracle's own (SIM_EV_CLIENT): seen by event(), hashed. */
void sim_note(int node, const char *format, ...) PRINTF_LIKE(2, 3);

/* All hooks run as the world and may be NULL. */
struct sim_oracle {
	/* Settings are drawn, no node runs: spawn clients. */
	void (*begin)(void);
	void (*event)(const struct sim_event *event);
	/* A core was made (raft_init) of what was found on the disk. */
	void (*booted)(int node, const struct raft *core,
		       const struct raft_boot *boot);
	/* A core has stepped; its acts are not carried out yet. */
	void (*stepped)(int node, const struct raft *core,
			const struct raft_event *event, int rc,
			const struct raft_out *out);
	/* A core's message leaves: from now on others may have seen it, and
	 * what it stands for must be on the sender's disk (row 2). */
	void (*sent)(int node, const struct raft_msg *msg);
	/* The machine has applied an operation within the batch that is open:
	 * after a crash it may be applied again by the next life. */
	void (*applied)(int node, const struct kv_at *at,
			struct bytes operation, struct bytes result);
	/* For want of room the batch was not committed: the state is at this
	 * index still, and what follows it will be applied again. */
	void (*dropped)(int node, raft_index applied);
	/* kv_open() returned; watch and look from here on. */
	void (*up)(int node);
	/* A clean stop, the state is SIM_STOPPING: is someone of the node's
	 * within a call of kv's still? kv_close() comes once nobody is. */
	bool (*busy)(int node);
	/* A life is over; none of its tasks runs any more, and what clients
	 * asked of it will not be answered. line: what it said last. */
	void (*died)(int node, enum sim_death why, const char *line);
	/* The calm begins; from now on no fault is made. */
	void (*calm)(void);
	/* Asked now and then in the calm: has all been seen that must be?
	 * Else say into problem what is missing: the failure, once too much
	 * time has passed. */
	bool (*satisfied)(struct buffer *problem);
	/* The run is over and has not failed; all nodes are as they were. */
	void (*end)(void);
};

#endif
