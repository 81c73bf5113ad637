/* SPDX-License-Identifier: Apache-2.0 */
/* node.h - the driver's face: one Raft node with its log, links and loop.
 *
 * The node owns the data folder's raft side: `lock`, `identity` (name,
 * incarnation, boot count, cluster id, founding members), `reserve` and `log/`.
 * It runs a loop thread (libuv) that alone steps the core, and the saver's
 * thread. It knows nothing of what payloads mean.
 *
 * Its client (kv) is called back on the loop thread and must return at once;
 * node_* functions marked (any) may be called from any thread. */
#ifndef RAFT_NODE_NODE_H
#define RAFT_NODE_NODE_H

#include "raft/node/entry.h"
#include "raft/raft.h"

struct node;

struct node_peer {
	const char *name;
	const char *address; /* HOST:PORT or [IPv6]:PORT */
};

/* A snapshot of the client's state, as its folder holds it. */
struct node_snapshot_info {
	struct raft_pos pos;	  /* the last entry applied in it */
	struct buffer members;	  /* payload of the newest ENTRY_MEMBERS in it;
				     empty: none was applied yet */
	raft_index members_index; /* that entry's; 0: none */
};

/* On the loop thread, but for snapshot() and load(). */
struct node_client {
	/* Proposals wanted: a leader, or a way to one, has room. Hand over at
	 * most count_max entries of at most bytes_max payload in all (one at
	 * least may exceed it); index, term and time are filled in later.
	 * References given. Return how many; 0: none wait. */
	size_t (*take)(void *context, struct entry **entries, size_t count_max,
		       size_t bytes_max);
	/* Committed, durable here, in log order, each exactly once.
	 * References given; the array is borrowed. */
	void (*commit)(void *context, struct entry **entries, size_t count);
	/* The way of proposals changed. open: a leader can be reached.
	 * Whatever was taken before this call and is not yet committed may be
	 * lost or not: take() should offer it again. */
	void (*route)(void *context, bool open);
	/* Answer to node_read_index(): see raft_act.read. */
	void (*read_done)(void *context, uint64_t ticket, raft_index index,
			  int status);
	/* From a member, what it gave node_send(). Borrowed. */
	void (*message)(void *context, raft_id from, struct bytes message);
	/* Role, term or leader changed. */
	void (*role)(void *context, const struct raft_status *status);
	/* Answer to node_change(), a line for a person. */
	void (*changed)(void *context, uint64_t ticket, int status,
			const char *text);
	/* Call once `due` (absolute ms) has come, at the latest 1 s after
	 * the last; return when it is wanted next. */
	raft_ms (*tick)(void *context, raft_ms now);
	/* The node can not go on (refused by its cluster, this name was a
	 * member, ...): a line for a person. Called once, from the loop. */
	void (*failed)(void *context, const char *line);

	/* On a thread of the node's, one call at a time; they may block on
	 * the disk. While load() runs and until its SNAP_LOADED is stepped,
	 * no commit() is called.
	 *
	 * Make a copy of the applied state in `folder`, which is on the data
	 * folder's disk and must not exist; durable on return. info->members
	 * is given empty and filled (the caller deinits it). STATUS_NOT_READY:
	 * nothing is applied yet; STATUS_ENDED: closing; STATUS_NO_SPACE,
	 * STATUS_IO: nothing is left in folder. */
	int (*snapshot)(void *context, const char *folder,
			struct node_snapshot_info *info);
	/* Take `folder` (what a snapshot() of another node made, received,
	 * verified and synced; on the data folder's disk) over as the state,
	 * in place of all that was there: it is moved away. pos: where it
	 * must end, beyond what was ever applied here. Entries handed over
	 * by commit() up to pos are dropped. Durable on return: the log must
	 * be reset to pos next, and is at the next start if that was missed.
	 * STATUS_CORRUPT: folder does not hold such a state; it is left where
	 * it is, and the old state stands. Other errors: the node can not go
	 * on. */
	int (*load)(void *context, const char *folder, struct raft_pos pos);
};

struct node_config {
	const char *name;
	const char *data;   /* folder, made 0700 if missing */
	const char *listen; /* NULL: listen.c decides */
	bool only_loopback; /* anywhere else it does not listen, whoever says so
			     */
	const struct node_peer *peers; /* founding nodes, self included */
	size_t peer_count;
	/* HOST:PORT of a member that knows of this node, instead of peers; of
	 * no meaning once it has joined. NULL: it founds, or is founded. */
	const char *join;
	uint32_t heartbeat_ms, election_ms, disk_stall_ms; /* 0: limits.h */
	/* For simulations, which are small: a segment file, the payload of a
	 * message, entries that a cut leaves. 0: limits.h */
	uint32_t segment_bytes, message_bytes, cut_tail_entries;
	uint32_t log_bytes;	/* kept for members that are away */
	uint64_t snapshot_rate; /* bytes a second that are sent of them;
				   0: limits.h */
	/* A damaged log or state is set aside, and the node is repaired from
	 * its peers, if it has any (mend.h); else it does not open. */
	bool repair;
	const struct node_client *client;
	void *context;
};

/* What the node is, as found or made in the data folder. */
struct node_identity {
	raft_id self;	     /* incarnation: random, never 0 */
	uint64_t boot;	     /* starts counted, saved before use; 1 ... */
	uint8_t cluster[16]; /* zero before founding */
};

/* Whose data folder it is. Nothing is changed. STATUS_NOT_FOUND: nobody's;
 * STATUS_NOT_READY: of one that has never been a member of a cluster;
 * STATUS_CORRUPT, STATUS_VERSION, STATUS_DENIED, STATUS_IO; a line in problem.
 */
MUST_USE int node_name_in(const char *data,
			  char name[LIMIT_NODE_NAME_BYTES + 1],
			  struct buffer *problem);
/* Check the options, lock and read (or make) the data folder, recover the
 * log; bind the listener. No thread runs yet. problem: one line for a person.
 * STATUS_BUSY, STATUS_FOREIGN, STATUS_CORRUPT, STATUS_INVALID, STATUS_DENIED,
 * STATUS_IO, STATUS_NO_SPACE; nothing is changed then. */
MUST_USE int node_open(const struct node_config *config, struct node **node,
		       struct buffer *problem);
void node_identity(const struct node *node, struct node_identity *identity);

/* Between open and start: a repair begins, and the log is empty already. The
 * client must move all that it keeps of its state into this folder (returned,
 * mem_free() it; what has its name there already is to be removed instead),
 * and say so durably with node_cleared(); it begins empty. NULL: nothing is to
 * be done. Until then each open begins with this again. */
char *node_aside(const struct node *node);
MUST_USE int node_cleared(struct node *node, struct buffer *problem);
/* A repair is under way: what this node has may lack what it has shown. As of
 * open. */
bool node_repairs(const struct node *node);
/* (any) The client's state is damaged, as `what` says for a person: the next
 * open begins a repair. 0: that is durable, and the node is of no more use.
 * STATUS_CORRUPT: this node can not be repaired, nothing is changed; problem
 * gets why, if it is not for being alone. Else an error of the disk. */
MUST_USE int node_want_repair(struct node *node, const char *what,
			      struct buffer *problem);

/* Between open and start, for recovery: the log held is (base, last], of
 * which everything up to commit is committed. */
void node_log(const struct node *node, raft_index *base, raft_index *commit,
	      raft_index *last);
/* One reference, returned. Errors as log_read(). */
MUST_USE int node_read(struct node *node, raft_index index,
		       struct entry **entry);

/* Between open and start: the term of the entry at index, the base included;
 * 0: the log does not hold it. */
raft_term node_term(const struct node *node, raft_index index);
/* Between open and start: the state was replaced by a snapshot up to pos, the
 * log is still the one of before: make it empty after pos, durably.
 * STATUS_CORRUPT: pos can not follow on this log. Else as log_save(). */
MUST_USE int node_reset(struct node *node, struct raft_pos pos,
			struct buffer *problem);

/* Between open and start, to begin a new cluster of this node alone with a
 * state that is there: a backup, or what is left of a cluster. Draws a new
 * cluster and a new incarnation; record receives its configuration, which is
 * to be put into the state as that of the entry it ends at. address: where
 * others will find it, may be ""; NULL: as it was. Nothing is saved. */
void node_alone(struct node *node, const char *address, struct buffer *record);
/* And then: make the log empty after pos, and save who this is now, in this
 * order; the node is to be closed and opened again. STATUS_CORRUPT: pos can
 * not follow on this log. */
MUST_USE int node_begin_alone(struct node *node, struct raft_pos pos,
			      struct buffer *problem);

/* What the client's state says of itself. */
struct node_state {
	raft_index applied;	  /* 0: it is empty */
	struct bytes members;	  /* payload of the newest ENTRY_MEMBERS */
	raft_index members_index; /* that entry's; 0: none was applied yet */
};

/* Between open and start: does no other node vote in its newest configuration,
 * that of the log or else that of its state? */
bool node_is_alone(const struct node *node, const struct node_state *state);

/* Start the loop and the saver. The state's applied index is at most last
 * (above the commit index found it counts as committed: that is saved later
 * than the state may be); commit() callbacks begin after it. state is
 * borrowed. STATUS_CORRUPT: it does not fit the log. */
MUST_USE int node_start(struct node *node, const struct node_state *state);
/* Stop the threads, a leader handing over first if it can within a second:
 * when it returns no callback runs or will. Blocks. */
void node_stop(struct node *node);
/* After stop, or instead of start. Of a node that its cluster denied before it
 * was a member nothing stays in a data folder that was fresh (home.h). */
void node_close(struct node *node);
/* Instead of start: nothing stays there either. */
void node_forget(struct node *node);

/* (any) Proposals wait: take() will be called soon, if there is a way. */
void node_wake(struct node *node);
/* (any) The state has applied index. Cheap; often. */
void node_applied(struct node *node, raft_index index);
/* (any) The state is durable up to index: the log may be cut up to there as
 * far as every member has it too. */
void node_flushed(struct node *node, raft_index index);
/* (any) Ask for a read index; read_done() answers each ticket exactly once,
 * refusals included. lease: the leader's lease may answer it. */
void node_read_index(struct node *node, uint64_t ticket, bool lease);
/* (any) Leader with a valid lease at this moment: true, and the index whose
 * application makes a read linearizable. No message, no lock. Else false, and
 * *index is left alone. */
bool node_lease(const struct node *node, raft_index *index);
/* (any) Send bytes (at most 64 KiB) to a member, best effort. to: its id. */
void node_send(struct node *node, raft_id to, struct bytes message);

/* (any) Room on the data disk (reserve.h). look: measure, and make the reserve
 * when there is plenty; blocks on the disk. low: as of the last look: nothing
 * should be added that the node could do without. */
void node_space_look(struct node *node);
bool node_space_low(const struct node *node);
/* (any) Is so much room there? Measures, and uses the reserve for it. */
bool node_space_has(struct node *node, uint64_t bytes);
/* (any) Bytes that may be written until the next look. */
uint64_t node_space_pace(const struct node *node);

/* (any) A leader asks that voter to lead in its place. Best effort: nothing
 * comes of it while that one was not heard, or is far behind. */
void node_hand_over(struct node *node, raft_id to);

enum node_change_kind {
	NODE_ADD,      /* invite name, to be called at address */
	NODE_PROMOTE,  /* a learner, to be a voter */
	NODE_REMOVE,   /* of one invited in its own place: the invitation */
	NODE_REPLACE,  /* invite name in the place of old; both may be equal */
	NODE_ADDRESS,  /* a member is called elsewhere now */
	NODE_TRANSFER, /* name leads, or the best other voter: "" */
};

struct node_change {
	enum node_change_kind kind;
	const char *name;
	const char *old;     /* REPLACE; else NULL */
	const char *address; /* ADD, REPLACE, ADDRESS; else NULL */
	bool stay;	     /* ADD: as a learner for good */
};

/* (any) Ask the leader, wherever it is, to change the members or to hand over.
 * ticket is not 0 and not in use. changed() answers it exactly once, within
 * about ten seconds; without a leader LIMIT_TIMEOUT_MS after it was lost, as
 * writes are. status 0: committed (PROMOTE of who has not come yet: that it
 * will be a voter); STATUS_UNKNOWN: under way, or a leader
 * that was asked has not answered: it may be done yet; else nothing was
 * changed: STATUS_NOT_FOUND, STATUS_EXISTS, STATUS_INVALID, STATUS_FULL,
 * STATUS_PENDING, STATUS_BUSY (to be replaced under its own name, and runs),
 * STATUS_TIMED_OUT (no leader), STATUS_ENDED. change is copied.
 * STATUS_INVALID at once: a name or an address that can not be; changed() is
 * not called then. */
MUST_USE int node_change(struct node *node, uint64_t ticket,
			 const struct node_change *change);

struct node_member {
	raft_id id;
	char name[LIMIT_NODE_NAME_BYTES + 1];
	char address[LIMIT_ADDRESS_BYTES + 1];
	const char *standing; /* "voter", "learner", "incoming", "outgoing",
				 "invited" (id 0: has not come yet) */
	const char *becomes;  /* invited, learner: "voter", or "learner" for
				 good; else "" */
	char replaces[LIMIT_NODE_NAME_BYTES + 1]; /* whose place it is to
						     take; "": nobody's */
	bool voter; /* in either half, once founded */
	bool connected;
	raft_ms heard;	  /* anything from it; 0: never */
	raft_index match; /* leader only */
	bool repairing;	  /* damaged, does not vote; by its last word */
};

/* Since the start. */
struct node_snapshots {
	uint64_t made, sent, failed; /* as leader */
	uint64_t installed, refused; /* refused: or cut off */
	uint64_t bytes_sent;
	uint64_t bytes_kept; /* that receivers had from earlier attempts */
	uint64_t bytes_taken;
	raft_index installed_index; /* of the last one; 0: none */
};

struct node_status {
	struct raft_status raft;
	uint8_t cluster[16];
	bool founded;
	bool joining; /* not founded, and waits to be let in */
	bool asking;  /* who answers at --join is not known yet, nor that
			 nobody does */
	char listens[LIMIT_ADDRESS_BYTES + 1];	 /* "": nowhere */
	char elsewhere[LIMIT_ADDRESS_BYTES + 1]; /* where the others call it,
						    if not there; "" */
	char waiting[256]; /* not founded or no quorum: why, in words */
	raft_ms led; /* when a leader with a majority was last heard, or was
			this node; 0: never since the start */
	char damage[512]; /* what this node is repaired from; "": it is not */
	uint64_t log_bytes;
	uint64_t bad_frames;
	char transfer[LIMIT_NODE_NAME_BYTES + 1]; /* handing over to; "" */
	struct node_snapshots snapshots;
	size_t member_count;
	struct node_member members[LIMIT_PEERS];
};
/* (any) As of the loop's last turn. */
void node_status(struct node *node, struct node_status *status);

#endif
