/* SPDX-License-Identifier: Apache-2.0 */
/* raft.h - the whole face of the consensus core.
 *
 * A deterministic state machine: one event in, an ordered list of acts out.
 * It reads no clock, does no I/O, allocates nothing and knows no payloads,
 * only the (index, term) runs of the log and the size of recent entries.
 * Its state is flat memory: it may be copied and hashed.
 *
 * The driver's duties:
 *   D1  give events in one order, their `now` never falling;
 *   D2  carry out acts in the order given, each only once the save numbered
 *       `after` is durable (0: at once); saves strictly in order of their
 *       numbers, each as one atomic record;
 *   D3  fill a SEND of entries before the next step: afterwards they may be
 *       truncated;
 *   D4  call raft_step with RAFT_EV_CLOCK at raft_deadline() or soon after;
 *   D5  a save that fails ends the process: there is no event for it;
 *   D6  publish commit and lease (raft_status) before carrying out the acts.
 *
 * Sources: the Raft paper (Figure 2, section 7), the thesis (3.10, 4, 6.2, 6.4,
 * 9.6).
 * Enumerators are only ever appended. */
#ifndef RAFT_RAFT_H
#define RAFT_RAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/status.h"

typedef uint64_t raft_id;    /* an incarnation of a node; 0 is none */
typedef uint64_t raft_term;  /* 0: before the first election */
typedef uint64_t raft_index; /* 1-based; 0: before the first entry */
typedef uint64_t raft_seq;   /* number of a save, 1 ...; 0: none */
typedef uint64_t raft_ms;    /* milliseconds of CLOCK_BOOTTIME */

struct raft_pos {
	raft_term term;
	raft_index index;
};

/* What must survive a crash, as one record (Raft 5.1). */
struct raft_hard {
	raft_term term;
	raft_id vote; /* in this term; 0: none */
};

/* A stretch of the log whose entries have the same term: it ends at `last`
 * and begins after the last of the run before it. */
struct raft_run {
	raft_term term;
	raft_index last;
};

/* A configuration (thesis 4.3). outgoing_count > 0: it is joint, voters is
 * C_new, outgoing is C_old, and every decision needs a majority of each.
 * Each list rises without duplicates; learners vote in neither; at most
 * LIMIT_PEERS members in all. It is in force from the moment its entry is
 * appended. */
struct raft_members {
	uint32_t voter_count;
	uint32_t outgoing_count;
	uint32_t learner_count;
	raft_id voters[LIMIT_VOTERS];
	raft_id outgoing[LIMIT_VOTERS];
	raft_id learners[LIMIT_PEERS];
};

/* A configuration and the entry that holds it. index 0: none. */
struct raft_change {
	raft_index index;
	struct raft_members members;
};

enum raft_role {
	RAFT_FOLLOWER,
	RAFT_PRECANDIDATE,
	RAFT_CANDIDATE,
	RAFT_LEADER,
};

/* Why a role or term changed, in the words of the paper; for one log line. */
enum raft_reason {
	RAFT_BECAUSE_STARTED,
	RAFT_BECAUSE_ELECTION_TIMEOUT,
	RAFT_BECAUSE_PREVOTE_WON,
	RAFT_BECAUSE_PREVOTE_LOST,
	RAFT_BECAUSE_VOTE_WON,
	RAFT_BECAUSE_HIGHER_TERM,
	RAFT_BECAUSE_LEADER_HEARD, /* append of a leader of this term */
	RAFT_BECAUSE_NO_QUORUM,	   /* check-quorum: no majority heard */
	RAFT_BECAUSE_DISK_STALLED,
	RAFT_BECAUSE_TRANSFER, /* told to campaign by the leader (3.10) */
	RAFT_BECAUSE_REMOVED,  /* a leader that is no voter any more */
	/* it told another to campaign, which did not: its lease comes back
	 * only in a new term */
	RAFT_BECAUSE_TRANSFER_FAILED,
};

/* --- Messages between cores --------------------------------------------- */

enum raft_msg_kind {
	RAFT_MSG_NONE,
	RAFT_PREVOTE, /* pos: last entry; term: the one it would have */
	/* term: the one asked for (row 8); a rejection's pos.term: a higher
	 * term known here */
	RAFT_PREVOTE_REPLY,
	RAFT_VOTE,
	RAFT_VOTE_REPLY,
	RAFT_APPEND, /* pos: entry before the first; entries (pos.index, last]
		      */
	RAFT_APPEND_REPLY, /* pos: see below */
	RAFT_READ,	   /* a follower asks for a read index */
	RAFT_READ_REPLY,   /* pos.index: the read index, or reject */
	RAFT_TIMEOUT_NOW,  /* the leader hands over: campaign at once (3.10) */
};

/* One flat struct for all kinds; fields a kind does not use are 0.
 *
 * APPEND_REPLY: accepted: pos.index = last entry known to match and durable;
 * last = the last one that matches, durable or not (at least pos.index).
 * Rejected: pos = conflict hint (5.3): probe at or below pos.index, whose
 * term here is pos.term; `last` echoes the rejected pos.index, so that a late
 * rejection is told from the probe outstanding (row 25).
 * Every APPEND carries the leader's newest read round, and replies echo it;
 * a reply acknowledges leadership for all rounds up to that. */
struct raft_msg {
	enum raft_msg_kind kind;
	raft_id from;
	raft_id to;
	raft_term term;
	struct raft_pos pos;
	raft_index last;
	raft_index commit;  /* APPEND: the leader's; APPEND_REPLY: the sender's
			       applied index */
	raft_index settled; /* APPEND: every member has saved up to here */
	uint64_t round;
	/* Replies but READ_REPLY: the sender has lost what it had before, and
	 * this is the number of its repair; 0: it has not. APPEND: the same,
	 * echoed, and what it must have to be whole again (repair.c). */
	uint64_t repair;
	raft_index proof;
	bool reject;
	bool lease;    /* READ: may be answered from the leader's lease */
	bool transfer; /* VOTE: of a TIMEOUT_NOW: no stickiness (row 59) */
};

/* --- Events -------------------------------------------------------------- */

enum raft_event_kind {
	RAFT_EV_CLOCK, /* only `now` */
	RAFT_EV_RECV,
	RAFT_EV_PROPOSE,
	RAFT_EV_READ,
	RAFT_EV_SAVED,
	RAFT_EV_APPLIED,
	RAFT_EV_LINK,
	RAFT_EV_COMPACTED,
	RAFT_EV_CHANGE,
	RAFT_EV_TRANSFER,
	RAFT_EV_SNAP_SENT,
	RAFT_EV_SNAP_RECEIVED,
	RAFT_EV_SNAP_LOADED,
};

struct raft_event {
	enum raft_event_kind kind;
	raft_ms now;
	union {
		struct {
			struct raft_msg msg;
			/* An APPEND's entries: their terms as runs ending
			 * at msg.last, and the payload size of each. */
			const struct raft_run *runs;
			size_t run_count;
			const uint32_t *sizes;
			/* The configurations among its entries, rising. */
			const struct raft_change *changes;
			size_t change_count;
		} recv;
		struct {
			/* All or nothing: `count` entries of these payload
			 * sizes get the indexes after the last one. */
			const uint32_t *sizes;
			size_t count;
		} propose;
		struct {
			uint64_t ticket; /* the caller's, echoed in the act */
			bool lease;	 /* may be answered from the lease */
		} read;
		struct {
			raft_seq seq; /* this and all before it are durable */
		} saved;
		struct {
			raft_index index; /* the state machine has it */
		} applied;
		struct {
			raft_id peer;
			bool up; /* connection opened or lost */
		} link;
		struct {
			raft_index index; /* the log now begins after it */
			raft_term term;	  /* of the entry at index */
		} compacted;
		struct {
			/* Append this configuration (not lent: a pointer
			 * for this step), in an entry of `size` bytes. */
			const struct raft_members *members;
			uint32_t size;
		} change;
		struct {
			raft_id target; /* a voter; 0: the best one */
		} transfer;
		struct {
			/* Leader: the transfer asked for by DO_SEND_SNAP has
			 * ended; ok: peer has installed up to index. */
			raft_id peer;
			raft_index index;
			bool ok;
		} snap_sent;
		struct {
			/* A whole snapshot from leader `from` of `term` is
			 * staged, verified and synced here. It ends at pos;
			 * change: the configuration in force there (not lent).
			 * DO_LOAD_SNAP may follow, perhaps after saves:
			 * status.loading tells at once. */
			raft_id from;
			raft_term term;
			struct raft_pos pos;
			const struct raft_change *change;
		} snap_received;
		struct {
			/* DO_LOAD_SNAP is carried out: state and log are
			 * those of the snapshot, durably. */
			struct raft_pos pos;
		} snap_loaded;
	};
};

/* --- Acts ---------------------------------------------------------------- */

/* Where the payloads of a save come from. */
enum raft_source {
	RAFT_FROM_NOTHING,  /* no entries: hard state, truncation or commit only
			     */
	RAFT_FROM_PROPOSAL, /* the event's proposals, all of them */
	RAFT_FROM_MESSAGE,  /* the event's message: entries with index > keep */
	RAFT_FROM_NOOP,	    /* one empty entry of the new leader */
	RAFT_FROM_CHANGE,   /* the event's configuration, one entry */
};

enum raft_act_kind {
	RAFT_DO_SAVE,
	RAFT_DO_SEND,
	RAFT_DO_APPLY,
	RAFT_DO_READ,
	RAFT_DO_ROLE,
	RAFT_DO_MEMBERS,
	RAFT_DO_SEND_SNAP,
	RAFT_DO_LOAD_SNAP,
};

struct raft_act {
	enum raft_act_kind kind;
	raft_seq after; /* this save must be durable first; 0: at once */
	union {
		/* At most one a step. Discard entries above keep, then append
		 * (keep, last]. commit: as known now, saved along. */
		struct {
			raft_seq seq;
			struct raft_hard hard;
			raft_index keep;
			raft_index last;
			raft_index commit;
			enum raft_source source;
		} save;
		struct raft_msg send;
		/* Committed and durable here once `after` is; in order, each
		 * index exactly once in the life of this core, unless a
		 * loaded snapshot has it. */
		struct {
			raft_index first;
			raft_index last;
		} apply;
		/* A read of this ticket is linearizable once the state has
		 * applied index. status 0, or: STATUS_NOT_LEADER (no leader
		 * known), STATUS_NO_QUORUM (lost or never confirmed). Each
		 * accepted ticket is answered exactly once. */
		struct {
			uint64_t ticket;
			raft_index index;
			int status;
		} read;
		/* Term, role or leader changed; how it stands now. */
		struct {
			enum raft_role role;
			raft_term term;
			raft_id leader;
			enum raft_reason reason;
		} role;
		/* The configuration in force is now that of the entry at
		 * index (appended, or uncovered by a truncation), or that of
		 * the base if it is not above the base. */
		struct {
			raft_index index;
		} members;
		/* Leader: `to` needs entries that are cut away. Send it a
		 * snapshot of at least the base, one transfer at a time to
		 * each; answer with SNAP_SENT, always. After a new election
		 * the same may be asked before the answer to the last: one
		 * answer is enough then. */
		struct {
			raft_id to;
		} send_snap;
		/* Replace the state by the staged snapshot that ends at pos,
		 * and the log by an empty one after pos, atomically over
		 * crashes; then SNAP_LOADED. Nothing is applied, saved or
		 * acknowledged meanwhile; all saves before it are durable. */
		struct {
			struct raft_pos pos;
		} load_snap;
	};
};

/* The caller's array; raft_acts_max() bounds how many one step can need. */
struct raft_out {
	struct raft_act *acts;
	size_t count;
	size_t capacity;
};

/* --- Life ---------------------------------------------------------------- */

struct raft_config {
	raft_id self;
	uint64_t seed; /* of the election timeouts' random numbers */
	uint32_t heartbeat_ms;
	uint32_t election_ms; /* timeouts are drawn from [this, twice this) */
	uint32_t lease_ms;    /* < election_ms less the clock drift allowed */
	uint32_t disk_stall_ms;
	uint32_t message_entries; /* most entries of an APPEND */
	uint32_t message_bytes; /* most payload of one, unless a single entry */
	uint32_t
		inflight_messages; /* to one peer, <= LIMIT_INFLIGHT_MESSAGES */
	uint32_t inflight_bytes;
	uint64_t uncommitted_bytes; /* proposals beyond: STATUS_FULL */
};

/* What was found on disk. */
struct raft_boot {
	raft_ms now;
	struct raft_hard hard;
	/* The two newest configurations, of the state or the log: the one in
	 * force, and the one before it. The latter is committed, or there is
	 * none (index 0, no voters). members_index <= the log's last. */
	struct raft_members members;
	raft_index members_index;
	struct raft_change before;
	struct raft_pos base; /* the entry before the log's first; {0,0} */
	const struct raft_run *runs; /* of the log, above base */
	size_t run_count;
	const uint32_t *sizes; /* of its last size_count entries */
	size_t size_count;
	raft_index commit;  /* saved commit index, at most the log's last */
	raft_index applied; /* of the state, at most commit */
	bool fresh;	    /* just founded: has never voted or acknowledged */
	/* Not 0: log or state were lost to damage, or are not whole since: it
	 * votes no more until it has all again (repair.c). hard is as it was,
	 * the rest what there is. A number that no life of this node had. */
	uint64_t repair;
};

struct raft;

/* Bytes and alignment of memory that raft_init() needs (malloc's suffices). */
size_t raft_size(void);
size_t raft_acts_max(void);

/* Make a core in memory (raft_size() bytes, given until it is dropped).
 * The boot's arrays are borrowed. A core whose id is not in members never
 * campaigns, but follows, acknowledges and votes when asked: it may be a member
 * that does not know it yet (row 13). Messages of nodes of other clusters, and
 * to an incarnation that was never added, are the driver's to refuse. A started
 * voter grants no (pre-)vote until one full election_ms has passed, because it
 * may have promised a lease before it stopped; unless it is fresh, or the only
 * voter since the founding or its last election.
 * A broken boot record (runs falling, commit > last, ...) is a bug: the
 * driver has verified the log. */
struct raft *raft_init(void *memory, const struct raft_config *config,
		       const struct raft_boot *boot);

/* Advance r by one event. ev is borrowed; out is overwritten with the acts,
 * which are copies and stay valid. Equal state and event give equal acts.
 *
 * Return 0, or why a local request was refused and nothing happened to it
 * (time passes all the same: acts may be there):
 *   PROPOSE: STATUS_NOT_LEADER, STATUS_FULL (uncommitted or runs);
 *            STATUS_PENDING (handing over);
 *   READ:    STATUS_NOT_LEADER (no leader known), STATUS_FULL;
 *   CHANGE:  STATUS_NOT_LEADER, STATUS_NOT_READY (no entry of this term is
 *            committed yet), STATUS_PENDING (another change is not committed,
 *            or handing over), STATUS_FULL, STATUS_INVALID: not a legal
 *            successor. Legal is: the same voters (learners changed); joint,
 *            its outgoing ones the voters now; out of a committed joint one,
 *            its voters the joint one's and no outgoing ones;
 *   TRANSFER: STATUS_NOT_LEADER, STATUS_NOT_READY (no commit yet),
 *            STATUS_NOT_FOUND (no other voter that stays and is whole, or not
 *            this one),
 *            STATUS_PENDING (another is under way);
 *   SNAP_RECEIVED: STATUS_NOT_LEADER (`from` does not lead the newest term),
 *            STATUS_PENDING (another is being loaded), STATUS_INVALID (no
 *            leader can have sent it). 0: it will be loaded, or all of it is
 *            here already; the sender's answer is ok, in the first case once
 *            it is loaded.
 * What peers send is never an error: it is obeyed, or counted and ignored. */
int raft_step(struct raft *r, const struct raft_event *ev,
	      struct raft_out *out);

/* When RAFT_EV_CLOCK is due at the latest. */
raft_ms raft_deadline(const struct raft *r);

/* --- How it stands -------------------------------------------------------- */

struct raft_counters {
	uint64_t elections_started, elections_won, step_downs;
	uint64_t prevotes_refused, votes_refused;
	uint64_t appends_sent, appends_rejected, messages_ignored;
	uint64_t proposals_refused;
};

struct raft_status {
	raft_id self;
	enum raft_role role;
	raft_term term;
	raft_id vote;
	raft_id leader;	  /* 0: unknown */
	raft_index first; /* of the log held */
	raft_index last;
	raft_index saved; /* durable here */
	raft_index commit;
	raft_index applied;
	raft_index settled; /* every member has saved up to here */
	/* Leader with an own-term commit: until when (exclusive) reads may be
	 * answered at `commit` with no message; 0: no lease. */
	raft_ms lease_until;
	raft_ms leader_heard; /* follower: when the leader was last heard */
	uint32_t voters;
	uint32_t voters_heard; /* leader: within the last election_ms, self
				  included */
	uint64_t uncommitted_bytes;
	bool disk_stalled;
	raft_index members_index; /* entry of the configuration in force */
	bool members_committed;	  /* it is committed */
	bool joint;
	/* Leader of a committed joint configuration: the driver owes a CHANGE
	 * that leaves it (state-derived, row 36). */
	bool leave_due;
	raft_id transfer_target; /* handing over to it; 0: not */
	bool loading;		 /* between LOAD_SNAP and SNAP_LOADED */
	bool repairing;		 /* it does not vote: see raft_boot.repair */
	/* Then: what must be durable here until it does; 0: not known yet. */
	raft_index proof;
	struct raft_counters counters;
};

void raft_status(const struct raft *r, struct raft_status *status);

/* Of one member as a leader sees it. STATUS_NOT_FOUND: no such member or not
 * the leader. */
struct raft_peer_status {
	raft_id id;
	bool learner;
	raft_index match;
	raft_index applied;
	raft_ms heard;	   /* last reply; 0: never */
	const char *state; /* "probe", "replicate", "snapshot" */
	bool repairing;
};
MUST_USE int raft_peer(const struct raft *r, raft_id id,
		       struct raft_peer_status *status);

/* The term of the entry at index; 0 when it is not in the log (nor base). */
raft_term raft_term_at(const struct raft *r, raft_index index);
const struct raft_members *raft_members(const struct raft *r);

/* Every invariant of the state, named (R1 ...) in check.c. CHECKs; the driver
 * and every test call it after every step, in every build. */
void raft_check(const struct raft *r);

const char *raft_role_text(enum raft_role role);
const char *raft_reason_text(enum raft_reason reason);
const char *raft_msg_text(enum raft_msg_kind kind);

#endif
