/* SPDX-License-Identifier: Apache-2.0 */
/* kv.h - the replicated ordered map: propose, barrier, view, watch.
 *
 * A proposal is an operation of the state machine (machine.h). It goes through
 * Raft, is applied on every node in the same order exactly once, and its
 * result comes back here. Nothing in this header blocks, but for open and
 * close; every callback must return soon and may call any function here.
 *
 * All functions: any thread, unless said otherwise. Time: milliseconds of
 * CLOCK_BOOTTIME (kv_now_ms). */
#ifndef KV_KV_H
#define KV_KV_H

#include "base/limits.h"
#include "kv/machine.h"
#include "kv/store.h"

struct kv;

/* Read modes (thesis 6.4). */
enum kv_reads {
	KV_READS_FRESH,	 /* linearizable while a leader can be reached */
	KV_READS_STRICT, /* linearizable or an error, no lease */
	KV_READS_LOCAL,	 /* this node's applied state, no messages */
};

struct kv_peer {
	const char *name;
	const char *address; /* HOST:PORT, or [IPv6]:PORT */
};

struct kv_config {
	const char *name;   /* this node's, --id */
	const char *data;   /* folder; made 0700 if missing */
	const char *listen; /* HOST:PORT; NULL: as the cluster or peers has it,
			       a node alone has none */
	bool only_loopback; /* never beyond, whatever the cluster calls it */
	const struct kv_peer *peers; /* founding nodes, this one included */
	size_t peer_count;	     /* 0 or 1: founds alone, at once */
	const char *join; /* HOST:PORT of a member that knows this node; it
			     founds nothing then. NULL: not */
	uint32_t timeout_ms;
	uint32_t session_ms;
	uint64_t snapshot_rate;		  /* bytes a second sent; 0: limits.h */
	const struct kv_machine *machine; /* lent until kv_close() */
	/* Called once, from any thread, when the node can not go on or was
	 * refused by its cluster: one line for a person. The owner must
	 * unmount, kv_close() and exit non-zero. */
	void (*failed)(void *context, const char *line);
	/* By kv_open(), once the data folder is locked and before any thread
	 * is started that may fail; NULL: not wanted. */
	void (*locked)(void *context);
	void *context;
};

/* Open the data folder (locked against a second daemon), recover the state up
 * to the saved commit index, then start the node's threads. On return the
 * state may be read. problem receives one line for a person.
 * STATUS_BUSY: folder locked, or port taken; STATUS_FOREIGN: folder of
 * another node; STATUS_CORRUPT, STATUS_DENIED, STATUS_IO, STATUS_NO_SPACE,
 * STATUS_INVALID: a peer list that makes no sense. Nothing is changed then. */
MUST_USE int kv_open(const struct kv_config *config, struct kv **kv,
		     struct buffer *problem);
/* End the session (waiting for that at most a second), stop the threads,
 * answer everything outstanding with STATUS_ENDED (STATUS_UNKNOWN: handed over
 * and the end of the session not seen), flush, unlock. Blocks. No other call
 * is under way or follows. */
void kv_close(struct kv *kv);

uint64_t kv_now_ms(void);

/* --- Changing ------------------------------------------------------------- */

/* Exactly one call for each kv_propose, before or after it returns.
 * status 0: applied; result is the machine's, borrowed.
 * STATUS_TIMED_OUT, STATUS_ENDED, STATUS_FULL, STATUS_TOO_BIG,
 * STATUS_NO_SPACE, STATUS_INTERRUPTED: certainly not applied and never will be;
 * STATUS_UNKNOWN: handed over, may still take effect, at most once;
 * on the thread that applied it, or a timer's. */
typedef void (*kv_done)(void *context, int status, struct bytes result);

/* operation is copied. deadline_ms: kv_now_ms() plus the time allowed
 * (shortened by kv itself: none waits longer than config.timeout_ms after the
 * leader was lost, or was first waited for in vain). It waits for this node's
 * session, and for the birth of the state. Return a number for kv_interrupt(),
 * never 0. */
uint64_t kv_propose(struct kv *kv, struct bytes operation, uint64_t deadline_ms,
		    kv_done done, void *context);
/* A signal came: answer STATUS_INTERRUPTED at once if the proposal still
 * waits here, else its outcome, or STATUS_INTERRUPTED a second from now (then
 * the outcome is unknown). Unknown or answered numbers are ignored. */
void kv_interrupt(struct kv *kv, uint64_t number);

/* --- Reading ---------------------------------------------------------------
 */

/* status 0: the newest applied state now holds everything acknowledged
 * anywhere before the barrier began; fell_back: it could not be made sure
 * (fresh mode only), read what is there. STATUS_NO_QUORUM (strict),
 * STATUS_INTERRUPTED, STATUS_ENDED. Called on the caller's thread, before
 * kv_barrier returns, whenever no message is needed; else on a kv thread. */
typedef void (*kv_ready)(void *context, int status, bool fell_back);

/* Return a number for kv_barrier_interrupt(), 0 when already answered. */
uint64_t kv_barrier(struct kv *kv, enum kv_reads reads, kv_ready ready,
		    void *context);
void kv_barrier_interrupt(struct kv *kv, uint64_t number);

/* The newest applied state; lent until kv_close(). Any thread. */
struct kv_reader *kv_newest(struct kv *kv);
/* Frozen; returned, kv_view_close() it soon. */
struct kv_view *kv_view_open(struct kv *kv);
void kv_view_close(struct kv *kv, struct kv_view *view);

/* --- Watching and holding ---------------------------------------------------
 */

/* note is what the machine noted (kv_note) when it applied `index`; one call a
 * note, in order, on the apply thread, after the state shows it and before the
 * proposal is answered. note empty: notes were lost or the state was replaced,
 * anything may have changed. Must not block nor wait for anything. At most 4
 * watchers. */
typedef void (*kv_noted)(void *context, uint64_t index, struct bytes note);
void kv_watch(struct kv *kv, kv_noted noted, void *context);
/* No call of it is under way or follows. Not from within one. */
void kv_unwatch(struct kv *kv, kv_noted noted, void *context);

/* This node uses the thing `id` (an open, unlinked inode): the leader's tidy
 * spares it. Counted; told to the leader with the keep-alives. */
void kv_hold(struct kv *kv, uint64_t id);
void kv_release(struct kv *kv, uint64_t id);

/* --- Members ------------------------------------------------------------- */

enum kv_change_kind {
	KV_ADD,	     /* invite name, to be called at address */
	KV_PROMOTE,  /* a learner, to be a voter */
	KV_REMOVE,   /* of one invited in its own place: the invitation */
	KV_REPLACE,  /* invite name in the place of old; both may be equal */
	KV_ADDRESS,  /* a member is called elsewhere now */
	KV_TRANSFER, /* name leads; NULL: the best other voter */
};

struct kv_member_change {
	enum kv_change_kind kind;
	const char *name;
	const char *old;     /* REPLACE; else NULL */
	const char *address; /* ADD, REPLACE, ADDRESS; else NULL */
	bool stay;	     /* ADD: as a learner for good */
};

/* Exactly one call for each kv_change(), a line for a person with it (borrowed,
 * may be empty); on a kv thread, or the caller's.
 * status 0: done, and committed; STATUS_UNKNOWN, STATUS_INTERRUPTED: it may be
 * done yet; else nothing was changed: STATUS_NOT_FOUND, STATUS_EXISTS,
 * STATUS_INVALID, STATUS_FULL, STATUS_PENDING, STATUS_BUSY (to be replaced
 * under its own name, and runs), STATUS_TIMED_OUT (no leader), STATUS_ENDED. */
typedef void (*kv_changed)(void *context, int status, const char *text);

/* Change the members or the leader, asked of any node; it takes up to about
 * ten seconds. change is copied. Return a number for kv_change_interrupt(). */
uint64_t kv_change(struct kv *kv, const struct kv_member_change *change,
		   kv_changed changed, void *context);
void kv_change_interrupt(struct kv *kv, uint64_t number);

/* --- Backups, and beginning anew --------------------------------------------
 */

struct kv_backup_info {
	uint64_t index; /* the last entry that is in it */
	uint64_t term;
	uint64_t made_ns; /* since 1970, by the clock of the node it is of */
	char name[LIMIT_NODE_NAME_BYTES + 1]; /* that node */
	char cluster[33];		      /* hex */
	uint64_t bytes;
};

/* Exactly one call for each kv_backup(), a line for a person with it
 * (borrowed); on a thread of its own. status 0: the file is there, durably;
 * STATUS_PENDING: another is under way; STATUS_NOT_READY: there is no state
 * yet; STATUS_EXISTS: what is there is no regular file; STATUS_INVALID: path is
 * in the data folder; STATUS_INTERRUPTED, STATUS_ENDED, STATUS_NO_SPACE,
 * STATUS_IO, ... */
typedef void (*kv_saved)(void *context, int status, const char *text);

/* Save what this node has applied, at one moment, to the file `path`
 * (absolute, mode 0600; a regular file that is there is replaced in one step,
 * and nothing else is), while all else goes on.
 * The state's tables are linked meanwhile, so it needs room for little more
 * than the file. */
void kv_backup(struct kv *kv, const char *path, kv_saved saved, void *context);
void kv_backup_interrupt(struct kv *kv);
/* Is all of the file as it was saved? STATUS_CORRUPT, STATUS_NOT_FOUND, ... */
MUST_USE int kv_backup_check(const char *path, struct kv_backup_info *info,
			     struct buffer *problem);

/* These work on a data folder that no daemon has. config: name, data, listen,
 * peers (this node's own address is taken), machine.
 *
 * Make the data folder, which must be missing or empty, from a backup: a new
 * cluster of this node alone, to which others are added. The file is verified
 * whole before. STATUS_EXISTS: not empty; else as kv_open(). */
MUST_USE int kv_restore(const struct kv_config *config, const char *file,
			struct kv_backup_info *info, struct buffer *problem);

/* What a node has that outlived its cluster. */
struct kv_survivor {
	char name[LIMIT_NODE_NAME_BYTES + 1];
	bool alone;	 /* no other node votes: it needs no recovery */
	bool unfinished; /* but was cut short before: it needs one */
	char cluster[33];
	uint64_t applied;
	uint64_t commit; /* known here to be committed */
	uint64_t last;	 /* of the log */
	bool repairing;	 /* it was damaged, and is not known to be whole */
};

/* When the quorum is gone for good: make the data folder that of a new cluster
 * of this node alone, with all that its log holds, committed or not. What the
 * others acknowledged without this node is lost. go false: only tell. When it
 * is cut short it must be done again. config->name NULL: as the folder says.
 * STATUS_NOT_FOUND: the folder is no node's; else as kv_open(). */
MUST_USE int kv_recover(const struct kv_config *config,
			struct kv_survivor *survivor, bool go,
			struct buffer *problem);

/* --- How it stands -----------------------------------------------------------
 */

struct kv_member {
	char name[LIMIT_NODE_NAME_BYTES + 1];
	char address[LIMIT_ADDRESS_BYTES + 1];
	char standing[16]; /* "voter", "learner", "incoming", "outgoing",
			      "invited" */
	char becomes[16];  /* invited, learner: "voter", "learner"; else "" */
	char replaces[LIMIT_NODE_NAME_BYTES + 1]; /* "": nobody */
	bool voter;
	bool self;
	bool leader;
	bool connected;	       /* a link is up; self: true */
	bool repairing;	       /* damaged, and does not vote; by its word */
	uint64_t match;	       /* as the leader knows; 0 elsewhere */
	uint64_t heard_ms_ago; /* UINT64_MAX: never */
};

struct kv_status {
	char name[LIMIT_NODE_NAME_BYTES + 1];
	char cluster[33]; /* hex; empty before founding */
	char role[16];	  /* "leader", "follower", "candidate", "founding",
			       "joining" ... */
	uint64_t term;
	char leader[LIMIT_NODE_NAME_BYTES + 1]; /* empty: unknown */
	bool quorum;	     /* a leader with a majority answers */
	char why[256];	     /* when not: "no quorum: " and the reason */
	uint64_t led_ms_ago; /* a leader with a majority was heard;
				UINT64_MAX: never since the start */
	bool asking;	     /* who answers at `join` is not known yet */
	bool disk_low;	     /* this node's data disk is nearly full */
	bool full; /* so are too many: what adds to the tree is refused */
	char listens[LIMIT_ADDRESS_BYTES + 1];	 /* "": nowhere */
	char elsewhere[LIMIT_ADDRESS_BYTES + 1]; /* where the others call it,
						    if not there; "" */
	bool cut_off; /* fresh reads fall back, strict ones fail */
	uint64_t commit;
	uint64_t applied;
	uint64_t last; /* of the log */
	uint64_t log_bytes;
	uint64_t state_bytes;
	uint64_t session;    /* 0: none yet */
	uint64_t proposals;  /* waiting or under way */
	uint64_t bad_frames; /* connections closed for garbage */
	/* Of the whole state, between nodes; since the start. */
	uint64_t snapshots_sent, snapshots_failed;
	uint64_t snapshots_installed;
	uint64_t snapshot_bytes_sent, snapshot_bytes_taken;
	uint64_t snapshot_bytes_kept; /* receivers had them already */
	/* This node was damaged, thus, and does not vote until it has all up to
	 * repair_until again (0: no leader has told yet); "": it is whole. */
	char repair[512];
	uint64_t repair_until;
	bool joint; /* the configuration in force is of two halves */
	char transfer[LIMIT_NODE_NAME_BYTES + 1]; /* handing over to; "" */
	size_t member_count;
	struct kv_member members[LIMIT_PEERS];
};

void kv_status(struct kv *kv, struct kv_status *status);

#endif
