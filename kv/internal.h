/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - struct kv, its threads and its one lock. Inside kv/ only.
 *
 * Threads: callers' (any number), the node's loop (client.c), the apply thread
 * (worker.c: alone writes the store), the keeper (keeper.c: flushes, and does a
 * leader's duties).
 *
 * Lock order: marker_lock, then lock; the feed's, then lock (watchers call).
 * kv->marker_lock is held over the disk, by the keeper (flush) and the node's
 * snapshot thread (install.c), and by no other thread that runs. With kv->lock
 * nothing is called that could take another or wait: no callback of a caller,
 * no node_*(), no store, no machine. What is to be told or done is decided
 * under the lock and carried out after it. Fields marked (lock) are touched
 * with it only; (apply), (loop) by that thread only; unmarked ones never change
 * after open.
 */
#ifndef KV_INTERNAL_H
#define KV_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "kv/apply.h"
#include "kv/hold.h"
#include "kv/kv.h"
#include "kv/marker.h"
#include "kv/propose.h"
#include "kv/read.h"
#include "raft/node/node.h"

enum {
	KV_TICK_MS = 100,     /* deadlines are kept this exactly */
	KV_TICK_BUSY_MS = 20, /* while barriers ask for a read index */
	KV_STOPPED_MS = LIMIT_BARRIER_MS / 2, /* a tick so late: not run */
	KV_DUTY_MS = 1000,
	KV_OWN_ENTRIES = 64, /* of kv's own, waiting to be handed over */
	KV_CLOSE_MS = 1000,
	KV_FLUSH_BYTES = 64 << 20, /* of entries applied since the last */
	KV_FLUSH_ENTRIES = 100000,
	KV_FLUSH_MS = 60000,
	KV_FLUSH_LOW_MS = 2000,	     /* on a disk that runs full */
	KV_FLUSH_REMOVED = 1024,     /* keys: that is much; ... */
	KV_FLUSH_REMOVED_MS = 10000, /* ... its space is wanted back */
	KV_FULL_MS = 200,	     /* between two tries on a full disk */
	KV_ENTRY_BYTES = 1 << 10,    /* of the state, beside its content */
	KV_MEND_MS = 10000,	     /* a store fails, ... */
	KV_MEND_COUNT = 5,	     /* ... so often twice as long; ... */
	KV_MEND_GAP_MS = 5000,	     /* without a failure: it goes on */
	KV_MEND_QUIET_MS = 60000,    /* ... until it did not for so long */
	KV_MEND_BYTES = 16 << 20,    /* room for what it tries then */
	KV_OPEN_BYTES = 4 << 20,     /* that opening the state writes at most */
};

/* Entries committed and not yet applied. */
struct kv_queue {
	struct entry **entries;
	size_t start;
	size_t count;
	size_t capacity; /* a power of two */
};

/* A change of members that is not answered yet. */
struct kv_changing {
	struct kv_changing *next;
	uint64_t ticket;
	kv_changed changed;
	void *context;
};

/* What kv opens below itself; tests put a store of their own here. */
struct kv_below {
	int (*store_open)(void *context, const char *path, struct store **store,
			  struct buffer *problem);
	/* A checkpoint, to be read only. */
	int (*store_peek)(void *context, const char *path, struct store **store,
			  struct buffer *problem);
	void *context;
	/* Times and sizes in it are the node's; NULL: as they come. */
	const struct node_config *node;
	uint64_t flush_entries, flush_ms; /* 0: KV_FLUSH_... */
};

/* Of a store whose own threads fail. */
struct kv_mending {
	uint64_t failures; /* as seen last */
	uint64_t since_ms; /* they have been going on; 0: they have not */
	uint64_t last_ms;  /* the last, or its opening anew */
	unsigned count;	   /* openings, since it last failed for long */
};

/* A backup under way. */
struct backup {
	bool runs;    /* lock */
	bool started; /* a thread is to be joined; who has claimed it */
	pthread_t thread;
	atomic_bool cancelled;
	char *path; /* the thread's, as all below */
	kv_saved saved;
	void *context;
};

struct kv {
	struct kv_machine machine;
	char *name;
	char *data; /* the data folder's path, for messages */
	int folder; /* itself; -1: not open yet */
	uint32_t timeout_ms;
	uint32_t session_ms;
	void (*failed)(void *context, const char *line);
	void *context;

	struct node *node;
	struct node_identity identity;
	struct kv_below below;
	struct store *store; /* of swap.h */
	pthread_mutex_t marker_lock;
	struct marker marker;	      /* marker_lock */
	bool flush_failed;	      /* keeper: for want of room, try again */
	struct kv_mending mending;    /* keeper */
	struct applier applier;	      /* apply */
	uint64_t unlooked;	      /* apply: bytes since the last look */
	struct feed feed;	      /* apply; watchers come and go */
	atomic_bool running;	      /* started: damage ends the process */
	atomic_bool ending;	      /* long work is to be given up */
	atomic_bool refusing;	      /* low or full, for callers to look at */
	atomic_uint_fast64_t applied; /* told: notes first, answers after */
	pthread_t apply_thread;
	pthread_t keeper_thread;
	struct backup backup;

	pthread_mutex_t lock;
	pthread_cond_t apply_wake;
	pthread_cond_t keeper_wake;
	pthread_cond_t ended; /* the session, at close */
	pthread_cond_t installed;

	/* All below: lock. */
	struct kv_queue queue;
	struct kv_install *install; /* for the apply thread; NULL: none */
	struct proposals proposals;
	struct barriers barriers;
	struct holds holds;
	struct roster roster;
	struct entry *own[KV_OWN_ENTRIES]; /* kv's own: END, BIRTH */
	size_t own_count;
	uint64_t tick_due_ms; /* the next one; 0: none was yet */
	bool closing;	      /* nothing new is taken in */
	bool stopping;	      /* the threads end */

	struct kv_changing *changing;
	uint64_t last_change;

	bool route_open;
	uint64_t route_lost_ms;
	bool leading;
	raft_id leader;	       /* 0: unknown */
	uint32_t voters;       /* in all, at least 1 */
	bool low;	       /* this node's data disk is nearly full */
	uint64_t low_leads_ms; /* since then, and it leads; 0: not so */
	uint64_t hand_over_ms; /* last tried for that */
	bool full; /* as the leader says: nothing that adds is taken */

	uint64_t opening; /* number of the opening wanted or in use */
	bool open_offered;
	uint64_t open_offered_ms;
	uint64_t word_ms; /* sending time of the last answered keep-alive */
	uint32_t odd_session_ms; /* a leader's that differs, and was said; 0 */
	uint64_t alive_ms;	 /* the last was sent */
	bool alive_soon;

	bool flush_wanted; /* by the apply thread, which waits for room */
	bool duty;	   /* the keeper is to do the leader's duties */
	uint64_t duty_ms;  /* last done */
	bool born;	   /* operations wait for the birth */
	uint64_t birth_ms; /* last proposed */

	struct applied dirty; /* applied, to be made durable */
	uint64_t dirty_bytes;
	uint64_t dirty_entries;
	uint64_t dirty_removed; /* keys */
	uint64_t dirty_ms;	/* when the first of them came */

	/* A flush is due after so much. */
	uint64_t flush_entries;
	uint64_t flush_ms;
};

extern const struct kv_below kv_below_rocksdb;
/* Opened and recovered, but not started: nothing but kv_drop() may follow, or
 * the start. repair: a damaged node with peers begins its repair; else it is
 * STATUS_CORRUPT. */
MUST_USE int kv_prepare(const struct kv_config *config,
			const struct kv_below *below, bool repair,
			struct kv **kv, struct buffer *problem);
void kv_drop(struct kv *kv);
/* Apply the log up to there; no thread runs. STATUS_NO_SPACE: a part of it is
 * applied, and what the store holds is whole. */
MUST_USE int kv_replay(struct kv *kv, raft_index last, struct buffer *problem);
/* kv_restore(), kv_recover() on a store of the test's. */
MUST_USE int kv_restore_on(const struct kv_config *config,
			   const struct kv_below *below, const char *file,
			   struct kv_backup_info *info, struct buffer *problem);
MUST_USE int kv_recover_on(const struct kv_config *config,
			   const struct kv_below *below,
			   struct kv_survivor *survivor, bool go,
			   struct buffer *problem);
MUST_USE int kv_open_on(const struct kv_config *config,
			const struct kv_below *below, struct kv **kv,
			struct buffer *problem);

/* space.c */
/* Is this operation to be refused with STATUS_NO_SPACE? */
bool kv_is_full(const struct kv *kv, struct bytes operation);
/* Lock held: the leader says so. Return whether that is new. */
bool kv_space_set(struct kv *kv, bool full);
/* What a leader should do about it, without the lock. */
struct kv_space_due {
	bool tell;  /* all it has heard, at once: else they go on adding */
	raft_id to; /* hand over to; 0: do not */
};
/* Lock held. low: this node's disk is. */
MUST_USE struct kv_space_due kv_space_tick(struct kv *kv, bool low);
void kv_space_do(struct kv *kv, const struct kv_space_due *due);
/* Apply them as one batch, if the disk has room for what it may need; the
 * reserve is given back for it. The apply thread, or before it runs.
 * STATUS_NO_SPACE: nothing has happened. Else as applier_apply(). */
MUST_USE int kv_try_apply(struct kv *kv, struct entry **entries, size_t count);

/* install.c; on the node's snapshot thread, see node_client. */
int kv_on_snapshot(void *context, const char *folder,
		   struct node_snapshot_info *info);
int kv_on_load(void *context, const char *folder, struct raft_pos pos);
/* A state that is ready to be taken over; the apply thread does it. */
struct kv_install {
	struct store *store; /* given */
	const char *path;
	struct raft_pos pos;
	bool done;
};
void kv_install(struct kv *kv, struct kv_install *install);
/* Remove what a crash left of states that were replaced or not taken over. */
void kv_remove_strays(struct kv *kv);

/* damage.c */
/* If the node begins a repair: the state goes aside, too. */
MUST_USE int kv_set_aside(struct kv *kv, struct buffer *problem);
/* The state is damaged, as `what` says; rc: else nothing is done. It does not
 * return if the node can be repaired: the process ends, and its next start
 * does that. Any thread, no lock held. */
void kv_damaged(struct kv *kv, int rc, const char *what);
void kv_on_damage(void *kv, const char *path); /* swap_damaged */
/* Does all of it read? STATUS_CORRUPT, STATUS_ENDED: closing. */
MUST_USE int kv_verify(struct kv *kv, struct store *copy);

/* backup.c: wait for the thread of the last one. */
void kv_backup_join(struct kv *kv);

/* client.c */
extern const struct node_client kv_client;
/* Lock held: would the node be given an entry now? */
bool kv_wanted(const struct kv *kv, uint64_t now);
/* Lock held: while there is no leader, when whoever waits for one gives up:
 * timeout_ms after it was lost, or was first waited for in vain. Else
 * UINT64_MAX. So a path walk and its open share one timeout. */
uint64_t kv_patience(const struct kv *kv);
/* Ask for a read index if barriers want one. */
void kv_ask(struct kv *kv, bool hurry);
/* Leader, and a majority was heard lately. */
bool kv_leads_quorum(struct kv *kv);

/* change.c: node_client.changed; and the end of all that wait. */
void kv_on_changed(void *context, uint64_t ticket, int status,
		   const char *text);
void kv_changes_deinit(struct kv *kv);

/* worker.c */
/* Wait before the next try on a full disk, on a condition of kv's. False: there
 * is to be none, for the node stops, or a snapshot is to stand for what waits.
 */
MUST_USE bool kv_pause_full(struct kv *kv, pthread_cond_t *wake);
void *kv_apply_main(void *kv);
void kv_queue_push(struct kv_queue *q, struct entry *e); /* e is given */
void kv_queue_clear(struct kv_queue *q);
void kv_queue_deinit(struct kv_queue *q);
/* Lock held: the session that was used is over. */
void kv_session_over(struct kv *kv);
/* Lock held: one of these owner's is open; if that is this node's, use it. */
void kv_session_opened(struct kv *kv, uint64_t session,
		       const struct session_owner *owner);

/* keeper.c */
void *kv_keeper_main(void *kv);
/* What a leader does about once a second, if it leads now. */
void kv_duties(struct kv *kv);
/* Make durable what is applied; keeper, or nobody else runs. */
MUST_USE int kv_flush(struct kv *kv, struct buffer *problem);
/* Lock held: hand an entry of kv's own over soon; it is given. */
void kv_own_push(struct kv *kv, struct entry *e);

/* From then to now; 0 when another thread has read a later time meanwhile. */
static inline uint64_t kv_elapsed(uint64_t then_ms, uint64_t now_ms)
{
	return now_ms > then_ms ? now_ms - then_ms : 0;
}

/* clock.c */
uint64_t kv_realtime_ns(void);

#endif
