/* SPDX-License-Identifier: Apache-2.0 */
/* inside.h - the node as its own files see it.
 *
 *   any thread --inbox--> loop --saver--> disk
 *   sockets    --frame--> loop --client-> kv
 *
 *   N1  one thread, the loop's, steps the core, and never within a step: what
 *       happens to links meanwhile is told to the core at the end of the turn
 *   N2  commit and lease are published before the acts of a step are done
 *   N3  acts wait in order for the save they name; entries that a waiting
 *       SEND carries are fetched when it is queued
 *   N4  every index goes to the client once, in order, and never more than
 *       LIMIT_UNAPPLIED_BYTES ahead of what it has applied
 *
 * A turn is what happens between two waits of the loop: events step the core
 * at once; proposals, deliveries and writes are gathered until its end.
 *
 * drive.c   steps and acts               propose.c  the way of proposals
 * deliver.c committed entries            peer.c     a link: dialling
 * listen.c  where this node listens
 * accept.c  links: being called          peers.c    all of them
 * begin.c   founding, start of the core  options.c  what was asked for
 * inbox.c   what other threads ask       publish.c  status
 * mark.c    how far was ever applied  cut.c    how much of the log stays
 * members.c configurations             snap.h    snapshots, both ways
 * change.c  members change             lead.c     what a leader does for it
 * mend.h    repair after damage */
#ifndef RAFT_NODE_INSIDE_H
#define RAFT_NODE_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <uv.h>

#include "raft/node/configs.h"
#include "raft/node/conn.h"
#include "raft/node/cut.h"
#include "raft/node/found.h"
#include "raft/node/home.h"
#include "raft/node/identity.h"
#include "raft/node/log.h"
#include "raft/node/mark.h"
#include "raft/node/mend.h"
#include "raft/node/node.h"
#include "raft/node/reserve.h"
#include "raft/node/saver.h"
#include "raft/node/snap_work.h"
#include "raft/node/tail.h"
#include "raft/node/wire.h"

enum {
	TAIL_BYTES = LIMIT_UNAPPLIED_BYTES,
	TAIL_ENTRIES = 1 << 16,
	PEERS_MAX = LIMIT_PEERS + 16,	     /* with guests, and a seed */
	CHANGES_MAX = 64,		     /* configurations in one append */
	ACCEPTED_MAX = 2 * LIMIT_PEERS + 16, /* connections that called */
	ADDRESSES_MAX = 4,		     /* of one host name */
	LINK_LIMIT_MS = 2000, /* to connect; to answer the HELLO */
	BACKOFF_MIN_MS = 50,
	BACKOFF_MAX_MS = 1000,
	LINK_PROVEN_MS = 1000, /* up for so long: it was not just greeted */
	SWEEP_MS = 500,	       /* pings out; silence counted */
	SWEEPS_GREETING = 4,   /* a caller has that long for its HELLO */
	SWEEPS_SILENT = 7,     /* and may be silent that long later */
	HEARD_MS = 3 * SWEEP_MS,
	SAY_AGAIN_MS = 10000,
	FORWARD_BYTES_MAX = 8 << 20, /* queued on the way to the leader */
	REQUESTS_MAX = 16,
	CHANGES_ASKED_MAX = 32,
	CHANGE_MS = 10000,    /* one that is not answered by then is given up */
	ASKED_MS = 9000,      /* by the leader, who says why */
	CHANGE_REST_MS = 100, /* after who was asked did not lead */
	HAND_OVER_MS = 1000,  /* at the end: the leadership goes first */
	HAND_OVER_ENTRIES = 64, /* else: to one that has all but so many */
	REOPEN_FULL_MS = 20,
	REOPEN_REFUSED_MS = 500,
};

/* --- Links ---------------------------------------------------------------- */

/* Each node dials each other one and sends only on what it dialled; it
 * receives on what it accepted. The simplest that needs no tie-breaking.
 *
 *   WAITING -timer-> RESOLVING -> CONNECTING -> GREETING -HELLO-> UP
 *      ^                 |            |            |              |
 *      '-----------------'------------'------------'--------------'  */
enum peer_state {
	PEER_WAITING, /* for its back-off to pass */
	PEER_RESOLVING,
	PEER_CONNECTING,
	PEER_GREETING,
	PEER_UP,
};

struct peer {
	struct node *node;
	struct wire_member member;	     /* id 0: not known yet */
	char other[LIMIT_ADDRESS_BYTES + 1]; /* second address; may be "" */
	enum peer_state state;
	struct conn *out; /* dialled; from CONNECTING on */
	struct conn *in;  /* accepted and greeted, or NULL */
	bool guest;	  /* of this cluster, but no member as far as is known
			     here: it may know better */
	bool seed;	  /* --join: whoever answers there */
	bool stale;	  /* it has not called since it is a guest */
	unsigned idle;	  /* sweeps as a guest that has not called */
	bool empty;	  /* UP, but not handed the founding record yet */
	uint64_t links;	  /* connections that were either half, ever */
	uint64_t told;	  /* the link the core takes to be up; 0: none */
	bool foreign;	  /* it said last that its cluster is another */
	uint64_t boot;	  /* newest start of member.id seen */
	raft_ms heard;
	uint32_t backoff_ms;
	uint32_t attempts;
	uv_timer_t timer;
	uv_getaddrinfo_t resolve;
	bool resolving;
	struct sockaddr_storage addresses[ADDRESSES_MAX];
	size_t address_count;
	char problem[160]; /* why it is not up; "" */
	raft_ms up;	   /* since when it is */
	bool proven;	   /* that is long enough; or it is not up */
	bool up_said;	   /* in the log, of this connection */
	raft_ms said;	   /* a problem, since it was proven; 0: not yet */
	bool batched;	   /* the batch of this turn has entries of it */
	bool repairing;	   /* by its last word */
	bool owed;	   /* the refusal below, until there is a way */
	struct wire_refused refused;
	/* Freed once its handles are closed. */
	bool closing;
	bool closed;
};

/* --- The way of proposals ------------------------------------------------- */

struct route {
	bool open;
	raft_term term; /* of the way: this and the next two */
	raft_id leader; /* 0: there is none */
	uint64_t link;	/* to it; 0: none */
	raft_ms reopen; /* closed by a refusal until then; 0: not */
};

struct batch {
	size_t count;
	size_t bytes;
	size_t own; /* how many are this node's */
	struct entry *entries[LIMIT_MESSAGE_ENTRIES];
	uint32_t sizes[LIMIT_MESSAGE_ENTRIES];
};

/* --- Acts that wait, entries that are delivered --------------------------- */

struct held {
	struct raft_act act;
	struct entry **entries; /* of a SEND */
	size_t count;
};

struct held_queue {
	struct held *at;
	size_t head, count, capacity;
};

enum { PIECES_MAX = 128, PIECE_BYTES = LIMIT_UNAPPLIED_BYTES / 64 };

/* How much of what was delivered is not applied, in pieces. */
struct delivery {
	raft_index committed; /* may be delivered up to here */
	raft_index delivered;
	raft_index applied;
	uint64_t bytes; /* delivered, not applied */
	struct {
		raft_index last;
		uint64_t bytes;
	} pieces[PIECES_MAX];
	size_t head, count;
};

/* --- Changes of members -----------------------------------------------------
 */

/* What this node was asked to have changed (change.c). */
struct request {
	struct wire_change change;
	raft_ms until;
	bool accepted; /* a leader has it under way, or had */
	raft_index at; /* then: no earlier configuration shows it */
	bool sent;     /* on the way below, and not answered */
	bool open;     /* so was an earlier one, and will not be any more */
	raft_ms rest;  /* not asked again before */
	raft_term term;
	uint64_t link;
	raft_id leader; /* of the first one asked */
};

/* What a leader was asked for and has not begun. */
struct asked {
	raft_id from;
	struct wire_change change;
	raft_ms began, until;
};

/* The transfer that this leader has begun because it was asked to. */
struct handing {
	raft_id from;
	struct wire_change change;
	raft_id target; /* 0: none */
	raft_term term;
};

/* A learner's round: all up to target is there when it ends. */
struct catching {
	raft_id id;
	raft_term term;
	raft_index target; /* 0: none is under way */
	raft_ms began;
};

/* --- What other threads ask ----------------------------------------------- */

struct inbox_read {
	uint64_t ticket;
	bool lease;
};

struct inbox_send {
	struct inbox_send *next;
	raft_id to;
	size_t size;
	uint8_t data[];
};

struct inbox_change {
	struct inbox_change *next;
	struct wire_change change;
};

struct inbox {
	pthread_mutex_t mutex; /* over alive, reads, sends, changes, base */
	bool alive;	       /* the async may be used */
	atomic_bool poked;     /* and has been, since the loop looked */
	atomic_bool stop;
	atomic_bool proposals;
	atomic_bool stalled; /* delivery waits for node_applied() */
	_Atomic raft_index applied;
	_Atomic raft_index flushed;
	_Atomic raft_seq saved;
	_Atomic raft_id hand_over; /* 0: not asked for */
	struct raft_pos base;
	struct inbox_read *reads;
	size_t read_count, read_capacity;
	struct inbox_send *sends, **sends_end;
	struct inbox_change *changes; /* newest first */
	size_t send_bytes;
};

/* --- The node ------------------------------------------------------------- */

struct snap; /* snap.h */

struct node {
	/* Since node_open(). */
	struct identity identity;
	struct wire_member configured[LIMIT_VOTERS]; /* --peers, by name */
	size_t configured_count;
	char listen[LIMIT_ADDRESS_BYTES + 1];  /* asked for; or "" */
	bool listen_given;		       /* by itself, not in --peers */
	char listens[LIMIT_ADDRESS_BYTES + 1]; /* where it does; or "" */
	/* The cluster's address of it that this was said not to be; or "". */
	char elsewhere[LIMIT_ADDRESS_BYTES + 1];
	struct raft_config config;
	uint32_t segment_bytes;
	raft_index cut_tail; /* entries */
	uint64_t log_bytes;
	const struct node_client *client;
	void *context;
	char *folder;
	int lock_fd, listen_fd;
	struct home home;
	bool denied;  /* a cluster does not take it; the loop's */
	bool forgets; /* node_close() clears the folder */
	char join[LIMIT_ADDRESS_BYTES + 1]; /* --join; or "" */
	struct disk *disk, *log_disk;
	struct mark mark;
	struct promise promise;
	struct reserve reserve;
	struct log *log;

	/* Repair (mend.h). */
	bool mends;	    /* was asked to */
	atomic_bool others; /* there are other voters, as is known here */
	pthread_mutex_t mend_mutex; /* over mend, once it runs */
	struct mend mend;
	bool mending; /* the core is not known to be whole; the loop's */
	struct {
		struct snap_job job;
		int rc;
	} mend_job;

	/* The loop's own. */
	uv_loop_t loop;
	uv_async_t wake;
	uv_timer_t timer, sweep;
	uv_check_t check;
	uv_prepare_t prepare;
	uv_tcp_t listener;
	pthread_t thread;
	bool dirty; /* something happened since the last turn's end */
	bool stepping;
	bool traced;
	bool stopped;	 /* everything is closing */
	raft_ms leaving; /* handing over until then, and stopping; 0: not */
	bool failed;
	bool listening;
	bool seeded; /* whoever answers at --join is known */
	raft_ms denied_said;
	char failure[512];
	raft_ms now;
	raft_ms due; /* for which the timer is armed */
	raft_ms tick_due;
	struct found found;
	struct peer *peers[PEERS_MAX];
	size_t peer_count;
	struct conn *accepted[ACCEPTED_MAX];
	size_t accepted_count;
	uint64_t bad_frames, bad_frames_logged;
	raft_ms bad_frames_said;

	struct saver *saver;
	struct raft *core; /* NULL: not founded */
	struct raft_out out;
	struct raft_status raft; /* after the last step */
	raft_seq saved;
	struct tail tail;
	struct held_queue held;
	size_t held_applies;
	struct delivery delivery;
	struct route route;
	struct batch batch;
	raft_index base;
	struct cut cut;
	struct raft_status role_said; /* by the last log line */
	raft_index start_applied;
	struct request requests[REQUESTS_MAX];
	size_t request_count;
	raft_ms unled; /* since when no leader with a majority is known; 0: one
			  is */
	struct asked asked[CHANGES_ASKED_MAX];
	size_t asked_count;
	struct handing handing;
	struct catching catching[LIMIT_PEERS];
	struct configs configs;
	bool follow;	   /* links must follow another one */
	struct snap *snap; /* NULL: no core yet */
	uint64_t snapshot_rate;
	bool only_loopback;

	/* Scratch of one event. */
	struct wire_message message;
	struct raft_run runs[LIMIT_MESSAGE_ENTRIES];
	uint32_t sizes[LIMIT_MESSAGE_ENTRIES];
	struct entry *gathered[LIMIT_MESSAGE_ENTRIES];
	struct raft_change changes[CHANGES_MAX];
	struct wire_config parsed;
	struct wire_config draft; /* of the next one */
	struct entry *change;	  /* of a CHANGE, while it is stepped */

	struct inbox inbox;

	/* For node_lease(): commit is stored before lease_until. */
	_Atomic raft_index lease_commit;
	_Atomic raft_ms lease_until;

	pthread_mutex_t status_mutex; /* over published */
	struct node_status published;
};

/* drive.c. Step the core with *ev, whose `now` is set here, and carry out the
 * acts. entries: those of a PROPOSE. Returns what raft_step() did. */
int drive_step(struct node *n, struct raft_event *ev);
void drive_saved(struct node *n, raft_seq seq);
void drive_receive(struct node *n, struct conn *c, struct peer *p);
void drive_turn(struct node *n);
void drive_deinit(struct node *n);
/* Fetch (after, last] into n->gathered, one reference each. */
MUST_USE bool drive_gather(struct node *n, raft_index after, raft_index last);
/* The entry from memory or disk, one reference; NULL: cut away. A log that
 * can not be read ends the process. */
struct entry *drive_entry(struct node *n, raft_index index);

/* members.c */

/* What the log says, before the start. STATUS_CORRUPT, STATUS_IO. */
MUST_USE int members_open(struct node *n, struct buffer *problem);
/* And what the state says where the log does not. STATUS_CORRUPT. */
MUST_USE int members_start(struct node *n, const struct node_state *state);
void members_boot(const struct node *n, struct raft_boot *boot);
/* Add to ev the configurations among the entries of n->message; false: one
 * is none. */
MUST_USE bool members_receive(struct node *n, struct raft_event *ev);
/* These entries are in the log after keep now, and nothing else; or are about
 * to be given to the saver. */
void members_saved(struct node *n, raft_index keep,
		   struct entry *const *entries, size_t count);
/* The log has none; that of the state is in force now. */
void members_loaded(struct node *n, raft_index index, struct bytes record);
/* Are there other voters? Set n->others. */
void members_count(struct node *n);
/* The core says: the one at index is in force. */
void members_enforced(struct node *n, raft_index index);

/* change.c */
void change_request(struct node *n, const struct wire_change *change);
void change_answered(struct node *n, const struct wire_changed *changed);
void change_turn(struct node *n);	  /* lead_turn() too */
raft_ms change_due(const struct node *n); /* a turn is wanted then */
/* A leader says so: who asked for that knows now. */
void change_removed(struct node *n);
void change_stop(struct node *n);

/* lead.c */
bool node_leads(const struct node *n);
/* Of this node or another, in a CHANGE: it is answered by a CHANGED. */
void lead_asked(struct node *n, raft_id from, const struct wire_change *change);
/* Who asked has ended, and its next start waits for other answers. */
void lead_forget(struct node *n, raft_id from);
void lead_turn(struct node *n);
raft_ms lead_due(const struct node *n);

/* deliver.c */
void deliver_init(struct delivery *d, raft_index applied);
void deliver_turn(struct node *n);

/* propose.c */
void propose_receive(struct node *n, struct peer *p);
void propose_refused(struct node *n, struct peer *p);
void propose_turn(struct node *n);
void propose_deinit(struct node *n);

/* peers.c */
void peers_init(struct node *n);
/* There is another configuration, or the first: links come and go. */
void peers_follow(struct node *n);
/* The configuration in force, else what the data folder tells of the cluster,
 * else --peers: NULL. */
const struct wire_config *peers_config(const struct node *n);
/* This node, as the cluster has it or had it when it joined; NULL: not. */
const struct wire_member *peers_own(const struct node *n);
/* Whoever said so, before founding by its name alone; NULL: unknown. */
struct peer *peer_for(struct node *n, const struct wire_hello *hello);
/* For one of this cluster that is unknown here; NULL: there are too many. */
struct peer *peer_guest(struct node *n, const struct wire_hello *hello);
void peers_settle(struct node *n); /* tell the core which links are up */
void peers_flush(struct node *n);
void peers_ping(struct node *n);
void peers_sweep(struct node *n); /* guests that left */
void peers_stop(struct node *n);
struct peer *peer_of(struct node *n, raft_id id);     /* NULL: unknown */
const char *node_name_of(struct node *n, raft_id id); /* "none", "n1" */

/* peer.c */
void peer_start(struct peer *p);
/* Both halves; it is freed later. No one may know it any more. */
void peer_stop(struct peer *p);
/* Frames for it go here; NULL: not now. */
struct conn *peer_way(const struct peer *p);
/* The link, while both halves are up; 0: not now. Another number is another
 * connection: what was on the one before may be lost, in either direction. */
uint64_t peer_link(const struct peer *p);
void peer_moved(struct peer *p); /* its address is another */
void peer_part(struct peer *p);	 /* end both halves */
void peer_soon(struct peer *p);	 /* it called, so it is there: dial now */
void peer_sweep(struct peer *p); /* is its link proven by now? */
void peer_hello(struct node *n, struct conn *c, const char *target,
		raft_id target_id);
void peer_note(struct peer *p, const char *problem);
/* It belongs to another cluster, as problem says. So many may that this node
 * can never have a quorum: then it was given the wrong data or peers, and
 * fails, unless it has ever heard a leader of its own. */
void peer_is_foreign(struct peer *p, const char *problem);
void peer_hand_on(struct peer *p); /* the founding record, if it needs it */

/* listen.c */

/* Bind address. STATUS_BUSY, STATUS_INVALID, ... */
MUST_USE int listen_bind(struct node *n, const char *address,
			 struct buffer *problem);
/* Bind, if nothing is bound yet: where the cluster has this node, or as
 * --peers has it. */
MUST_USE int listen_as_known(struct node *n, struct buffer *problem);
/* Say it once if the others call elsewhere; on the loop. */
void listen_compare(struct node *n);

/* accept.c */
void accept_init(struct node *n);
void accept_listen(struct node *n); /* on listen_fd, if there is one */
/* Does this node know for sure who is a member? */
bool accept_decides(const struct node *n);
/* Tell who said hello that it is not spoken to; the caller closes. */
void accept_deny(struct node *n, struct conn *c, const struct wire_hello *hello,
		 enum wire_denial reason);
void accept_sweep(struct node *n);
void accept_flush(struct node *n);
void accept_stop(struct node *n);
/* Count what a peer can only have sent by mistake or malice; one line. */
void accept_bad(struct node *n, const char *who, const char *why);

/* begin.c */
void begin_check(struct node *n);
/* A FOUND came over c from p. */
void begin_found(struct node *n, struct conn *c, struct peer *p,
		 struct bytes record);
/* A JOIN came over c from p. */
void begin_join(struct node *n, struct conn *c, struct peer *p,
		struct bytes record);
/* A DENIED came over c, dialled to p, or from a caller: NULL. */
void begin_denied(struct node *n, struct conn *c, struct peer *p);
/* Entry 1 into an empty log, once. */
MUST_USE int begin_log(struct node *n, struct buffer *problem);
void begin_core(struct node *n);
/* What is known to be committed: saved in the log, or marked as shown. */
raft_index begin_commit(const struct node *n, const struct log_state *log);
void begin_fail(struct node *n, const char *line);

/* inbox.c */
void inbox_init(struct inbox *inbox);
void inbox_deinit(struct inbox *inbox);
void inbox_poke(struct node *n);
void inbox_turn(struct node *n);
void inbox_saved(void *context, raft_seq seq);
void inbox_cut(void *context, struct raft_pos base);
void inbox_full(void *context);

/* node.c. It stops once another one leads. */
void node_leave_turn(struct node *n);

/* publish.c */
void publish_lease(struct node *n);
void publish_status(struct node *n);
/* Was that incarnation heard lately, as the status has it? Itself: always. */
bool publish_hears(struct node *n, const struct wire_member *member);

#endif
