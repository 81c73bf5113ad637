/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - the inside of the core, shared by its files.
 *
 * One flat struct, changed only within raft_step(), which works in this order:
 * the event (step.c), the change of members (members.c), what time brings
 * (election.c), messages of a leader or read requests of a follower
 * (replicate.c, read.c), newly committed entries (commit.c), the step's one
 * save (save.c), the change of role. check.c has
 * the invariants R1 ...; runs.h T1 ..., progress.h P1 ... .
 *
 * Messages carry promises, so none leaves before the term and vote it was
 * sent in are durable (act_send). */
#ifndef RAFT_STATE_H
#define RAFT_STATE_H

#include "raft/progress.h"
#include "raft/quorum.h"
#include "raft/raft.h"
#include "raft/runs.h"
#include "raft/sizes.h"

#define RAFT_NEVER UINT64_MAX

enum {
	SAVES_MAX = 256,  /* unfinished saves told apart */
	ROUNDS_MAX = 256, /* read rounds whose send time is remembered */
	BURST_MAX = 4,	  /* messages with entries to one peer in one step */
};

/* --- Saves (save.c) ------------------------------------------------------- */

/* An unfinished save. last: how much of the log as it is now it makes
 * durable; a later truncation lowers it (row 22). */
struct save {
	raft_seq seq;
	raft_index last;
	raft_ms since;
};

struct saves {
	raft_seq newest;  /* number given out last */
	raft_seq durable; /* this one and all before it */
	raft_seq hard;	  /* the first with term and vote as they are now */
	raft_index index; /* the log is durable up to here */
	uint32_t head;
	uint32_t count;
	struct save ring[SAVES_MAX];
};

/* The save of the step under way; it takes the number newest + 1. */
struct save_stage {
	bool used;
	size_t act; /* its place in out */
	raft_index keep;
	enum raft_source source;
};

/* --- Reads (read.c) --------------------------------------------------------
 */

/* A local read that waits. Leader: round and index it needs. Follower: number
 * of the request it went with; 0: not yet sent. */
struct read_ticket {
	uint64_t ticket;
	uint64_t round;
	raft_index index;
	bool lease;
};

struct reads {
	uint32_t count;
	struct read_ticket ticket[LIMIT_READS]; /* in order of arrival */
	/* Follower: the request under way; numbers are never used again, not
	 * even by a later life of this node (row 56). */
	uint64_t number;
	bool asking;
	bool lease; /* it may be answered from the lease */
	raft_ms asked;
	/* Leader: rounds so far, and when the last ones were sent. */
	uint64_t round;
	raft_ms sent[ROUNDS_MAX];
};

/* --- Handing over (transfer.c) ---------------------------------------------
 */

struct transfer {
	raft_id target; /* 0: none is under way */
	raft_ms until;	/* given up then */
	bool told;	/* it has been sent TIMEOUT_NOW */
};

/* --- The core ---------------------------------------------------------------
 */

struct raft {
	struct raft_config config;
	struct raft_out *out; /* of the step under way, else NULL */
	raft_ms now;
	uint64_t random;

	struct raft_hard hard;
	enum raft_role role;
	raft_id leader;
	enum raft_reason reason; /* of the last change */

	/* The configuration in force, that of the entry at members_index, and
	 * the one it took the place of; index 0 and no voters: none. */
	struct raft_members members;
	raft_index members_index;
	struct raft_change before;
	bool members_changed; /* in this step */

	/* Every member, in any order. This node's own match, if it is one, is
	 * what is durable here. */
	uint32_t peer_count;
	struct progress peer[LIMIT_PEERS];

	/* The snapshot that is being loaded; pos.index 0: none. */
	struct raft_pos loading;
	struct raft_change loading_change;

	uint64_t repair;  /* number of the one under way; 0: none */
	raft_index proof; /* of its leader, as told last; 0: not yet */

	raft_ms election_due;
	raft_ms quiet_until;  /* a restarted voter grants nothing before */
	raft_id heard_from;   /* the leader we last heard, of any term ... */
	raft_ms heard;	      /* ... and when: a promise to it (6.4.1) */
	uint64_t round_heard; /* newest round of this leader acknowledged */

	struct runs runs;
	struct sizes sizes;
	raft_index commit;
	raft_index applying; /* handed out to be applied */
	raft_index applied;  /* reported back */
	raft_index settled;

	/* Leader. */
	raft_index noop; /* its first entry; commit >= noop: it may count */
	uint64_t uncommitted;
	raft_ms heartbeat_due;
	struct transfer transfer;
	bool lease_over; /* for this term: somebody was told to stand */

	struct saves saves;
	struct save_stage stage;
	struct reads reads;
	struct raft_counters counters;
};

/* Acts (step.c). */
struct raft_act *act_add(struct raft *r, enum raft_act_kind kind,
			 raft_seq after);
/* Fills in from and term (unless set); after: also wait for this save. */
void act_send(struct raft *r, struct raft_msg msg, raft_seq after);

/* Saves. All return the number of the save of this step. */
void save_init(struct raft *r);
raft_seq save_hard(struct raft *r);
raft_seq save_entries(struct raft *r, raft_index keep, enum raft_source source);
/* The log is cut down to keep: what was saved above it is void. */
void save_truncate(struct raft *r, raft_index keep);
void save_seal(struct raft *r); /* at the end of a step */
void save_done(struct raft *r, raft_seq seq);
/* The save that makes entries up to index durable; 0: they are. */
raft_seq save_covering(const struct raft *r, raft_index index);
raft_seq save_of_hard(const struct raft *r);   /* 0: durable */
raft_seq save_of_all(const struct raft *r);    /* 0: nothing is pending */
raft_ms save_overdue_at(const struct raft *r); /* RAFT_NEVER: none pending */
bool save_stalled(const struct raft *r);
/* A snapshot has taken the place of the log. */
void save_reset(struct raft *r);

/* Members. */
bool members_are_valid(const struct raft_members *members);
void members_init(struct raft *r, const struct raft_boot *boot);
/* The entry at index, which has just been taken, is a configuration. */
void members_append(struct raft *r, raft_index index,
		    const struct raft_members *members);
void members_truncate(struct raft *r, raft_index keep);
void members_load(struct raft *r, const struct raft_change *change);
void members_tell(struct raft *r);  /* the driver, in the middle of a step */
void members_renew(struct raft *r); /* a new leader knows nothing of them */
struct progress *members_find(struct raft *r, raft_id id); /* or NULL */
struct progress *members_self(struct raft *r);		   /* or NULL */
bool members_is_self(const struct raft *r, const struct progress *p);
bool members_is_voter(const struct raft *r); /* this node, in either half */
/* Is or was it a voter, for all it knows (row 40)? */
bool members_may_stand(const struct raft *r);
bool members_is_lone_voter(const struct raft *r); /* and it is this node */

/* The greatest value that a majority has reached, while joint one of each
 * half. There are voters. */
typedef uint64_t (*members_value)(const struct raft *r,
				  const struct progress *p);
uint64_t members_agree(const struct raft *r, members_value value);
/* How the election stands, by the members' answers. */
enum quorum_verdict members_elect(const struct raft *r);

/* Elections. */
void election_init(struct raft *r, const struct raft_boot *boot);
void election_on_prevote(struct raft *r, const struct raft_msg *m);
void election_on_prevote_reply(struct raft *r, const struct raft_msg *m);
void election_on_vote(struct raft *r, const struct raft_msg *m);
void election_on_timeout_now(struct raft *r, const struct raft_msg *m);
void election_on_vote_reply(struct raft *r, const struct raft_msg *m);
void election_on_saved(struct raft *r);
void election_on_clock(struct raft *r);
void election_follow(struct raft *r, raft_term term, raft_id leader,
		     enum raft_reason reason);
/* A leader of this or a higher term has spoken to us. */
void election_hear(struct raft *r, raft_term term, raft_id leader);
void election_delay(struct raft *r); /* draw the next timeout */
/* A leader stands again, for a lease of a new term; all that it has stays. */
bool election_may_renew(const struct raft *r);
void election_renew(struct raft *r);
raft_ms election_deadline(const struct raft *r);
raft_ms election_quorum_heard(const struct raft *r); /* leader */
/* Promised not to help whoever sends this (pre-)vote request (6.4.1)? */
bool election_is_promised(const struct raft *r, const struct raft_msg *m);

/* Follower's side of replication. */
void append_on_append(struct raft *r, const struct raft_event *ev);

/* Leader's side. */
void replicate_on_reply(struct raft *r, const struct raft_msg *m);
void replicate_on_link(struct raft *r, raft_id peer, bool up);
void replicate_to_all(struct raft *r); /* with or without entries */
void replicate_flush(struct raft *r);
int replicate_propose(struct raft *r, const uint32_t *sizes, size_t count);
int replicate_change(struct raft *r, uint32_t size);
void replicate_noop(struct raft *r);

/* Changes of members. */
int change_propose(struct raft *r, const struct raft_members *members,
		   uint32_t size);
bool change_is_leave_due(const struct raft *r);

/* Handing over. */
int transfer_propose(struct raft *r, raft_id target);
bool transfer_is_on(const struct raft *r);
void transfer_on_lost(struct raft *r, raft_id peer); /* its link */
void transfer_on_clock(struct raft *r);
void transfer_flush(struct raft *r); /* after replicate_flush() */
raft_ms transfer_deadline(const struct raft *r);

/* Snapshots. */
bool snapshot_is_loading(const struct raft *r);
void snapshot_offer(struct raft *r, struct progress *p); /* leader */
void snapshot_on_sent(struct raft *r, const struct raft_event *ev);
int snapshot_on_received(struct raft *r, const struct raft_event *ev);
void snapshot_on_loaded(struct raft *r, struct raft_pos pos);

/* Repairs. */
bool repair_is_on(const struct raft *r);
/* The follower has accepted m, and agrees with it up to held. */
void repair_proven(struct raft *r, const struct raft_msg *m, raft_index held);
/* The leader has heard p: what was known of it may be void. */
void repair_heard(struct raft *r, struct progress *p, uint64_t repair);

/* Commit. */
void commit_count(struct raft *r); /* leader: a match has moved */
void commit_advance(struct raft *r, raft_index index);
void commit_settle(struct raft *r, raft_index index);
void commit_apply(struct raft *r); /* at the end of a step */

/* Reads. */
void read_init(struct raft *r);
int read_local(struct raft *r, uint64_t ticket, bool lease);
void read_on_read(struct raft *r, const struct raft_msg *m);
void read_on_reply(struct raft *r, const struct raft_msg *m);
void read_begin_round(struct raft *r);
void read_acknowledged(struct raft *r, struct progress *p, uint64_t round);
/* The leader or this node's leadership is gone: answer all that wait. */
void read_abandon(struct raft *r, int status);
void read_link_up(struct raft *r, raft_id peer);
void read_flush(struct raft *r);
raft_ms read_deadline(const struct raft *r);
raft_ms read_lease_until(const struct raft *r);

#endif
