/* SPDX-License-Identifier: Apache-2.0 */
/* begin.c - from an empty folder to a core that runs.
 *
 * The order, each step durable before the next, so that a crash anywhere is
 * taken up again by the next start or handshake:
 *
 *   founding record in `identity` -> entry 1 in the log -> log_begun ->
 *   the core runs, the record is handed on
 *
 * A log that is missing after log_begun is a loss: nothing is begun again,
 * because this node may have voted and acknowledged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/address.h"
#include "raft/node/admit.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"
#include "raft/node/options.h"
#include "raft/node/snap.h"

void begin_fail(struct node *n, const char *line)
{
	if (n->failed) {
		return;
	}
	n->failed = true;
	n->dirty = true;
	(void)snprintf(n->failure, sizeof n->failure, "%s", line);
	n->client->failed(n->context, n->failure);
}

/* --- The log's first entry ------------------------------------------------ */

/* The same bytes at each founder, its stamp included. */
static int save_first(struct node *n)
{
	const struct identity *id = &n->identity;
	struct entry *e = entry_new(ENTRY_MEMBERS, id->record, id->record_size);
	struct log_record record = {
		.hard = {.term = 1},
		.commit = 1,
		.entries = &e,
		.count = 1,
	};
	int rc;

	e->index = 1;
	e->term = 1;
	rc = log_save(n->log, &record);
	entry_unref(e);
	return rc;
}

int begin_log(struct node *n, struct buffer *problem)
{
	struct log_state state;
	int rc = 0;

	log_state(n->log, &state);
	if (!n->identity.founded) {
		if (state.last == 0) {
			return 0;
		}
		buffer_printf(problem, "the log has entries, but the identity "
				       "belongs to no cluster");
		return STATUS_CORRUPT;
	}
	if (state.last == 0 && !n->identity.joined &&
	    n->mend.phase == MEND_NONE) {
		CHECK(!n->identity.log_begun); /* else it is damage: node.c */
		rc = save_first(n);
		if (rc != 0) {
			buffer_printf(problem, "cannot write the log: %s",
				      log_problem(n->log));
			return rc;
		}
	}
	rc = members_open(n, problem);
	if (rc != 0) {
		return rc;
	}
	if (!n->identity.log_begun) {
		mark_reset(&n->mark);
		n->identity.log_begun = true;
		rc = identity_save(n->disk, &n->identity, problem);
	}
	return rc;
}

/* --- The core ------------------------------------------------------------- */

static void fill_config(struct node *n)
{
	struct raft_config *config = &n->config;

	config->self = n->identity.self;
	config->seed = random_id();
	config->lease_ms = config->election_ms - config->election_ms / 5;
	config->message_entries = LIMIT_MESSAGE_ENTRIES;
	config->inflight_messages = LIMIT_INFLIGHT_MESSAGES;
	config->inflight_bytes = LIMIT_INFLIGHT_BYTES;
	config->uncommitted_bytes = LIMIT_UNCOMMITTED_BYTES;
}

raft_index begin_commit(const struct node *n, const struct log_state *log)
{
	/* A mark above the log is another log's. */
	return n->mark.index > log->commit && n->mark.index <= log->last
		       ? n->mark.index
		       : log->commit;
}

/* It may be new, or of before a crash. */
static void begin_promise(struct node *n, struct raft_hard hard)
{
	int rc;

	if (!n->promise.known) {
		atomic_store(&n->others, true); /* who let it in */
	}
	members_count(n);
	rc = promise_save(&n->promise, hard, atomic_load(&n->others));
	if (rc != 0) {
		log_fatal("cannot save the file promise: %s",
			  disk_status_text(rc));
	}
}

void begin_core(struct node *n)
{
	struct log_state state;
	struct raft_boot boot = {.now = clock_ms()};
	struct raft_run *runs;
	uint32_t *sizes;

	log_state(n->log, &state);
	log_runs(n->log, LIMIT_MESSAGE_ENTRIES, &runs, &boot.run_count, &sizes,
		 &boot.size_count);
	boot.hard = state.hard;
	boot.base = state.base;
	boot.commit = begin_commit(n, &state);
	/* What the state has applied was committed, saved so or not. */
	if (boot.commit < n->start_applied) {
		boot.commit = n->start_applied;
	}
	boot.applied = n->start_applied;
	boot.runs = runs;
	boot.sizes = sizes;
	n->mending = n->mend.phase != MEND_NONE;
	boot.repair = n->mending ? n->identity.boot : 0;
	boot.fresh = state.last == 1 && state.hard.term == 1 &&
		     state.hard.vote == 0 && !n->mending;
	members_boot(n, &boot);
	fill_config(n);

	n->now = boot.now;
	n->base = state.base.index;
	tail_init(&n->tail, state.last, TAIL_BYTES, TAIL_ENTRIES);
	deliver_init(&n->delivery, n->start_applied);
	begin_promise(n, state.hard);
	n->saver = saver_start(n->log, &n->promise, inbox_saved, inbox_cut,
			       inbox_full, n);
	n->out.capacity = raft_acts_max();
	n->out.acts = mem_alloc(n->out.capacity * sizeof *n->out.acts);
	n->core = raft_init(mem_zalloc(raft_size()), &n->config, &boot);
	raft_check(n->core);
	raft_status(n->core, &n->raft);
	snap_begin(n);
	n->dirty = true;
	mem_free(runs);
	mem_free(sizes);
	log_info("started term=%llu last=%llu commit=%llu applied=%llu",
		 (unsigned long long)state.hard.term,
		 (unsigned long long)state.last,
		 (unsigned long long)state.commit,
		 (unsigned long long)n->start_applied);
}

/* --- Founding ------------------------------------------------------------- */

/* On the loop. Nothing else goes on yet that could mind the wait. */
static void adopt(struct node *n, struct bytes record,
		  const struct wire_config *founding)
{
	struct buffer problem = {0};
	char cluster[33];
	int rc;

	identity_found(&n->identity, record, founding);
	rc = identity_save(n->disk, &n->identity, &problem);
	if (rc == 0) {
		rc = begin_log(n, &problem);
	}
	if (rc != 0) {
		log_fatal("%s", buffer_text(&problem));
	}
	reserve_want(&n->reserve);
	found_cluster_text(founding->cluster, cluster);
	log_info("founded cluster=%s members=%zu", cluster, founding->count);
	begin_core(n);
	peers_follow(n);
	for (size_t i = 0; i < n->peer_count; i++) {
		if (n->peers[i]->state == PEER_UP) {
			peer_hand_on(n->peers[i]);
		}
	}
}

/* Where it is to be called; before anything is saved. */
static bool listen_for(struct node *n, const char *address)
{
	struct buffer problem = {0};
	bool listens = n->listening;

	if (!listens && address[0] != 0 &&
	    listen_bind(n, address, &problem) == 0) {
		accept_listen(n);
		listens = true;
	}
	if (!listens) {
		buffer_printf(&problem, "; give --listen, or change it with "
					"raftfsctl member address");
		begin_fail(n, buffer_text(&problem));
	}
	buffer_deinit(&problem);
	return listens;
}

static void join(struct node *n, struct bytes record,
		 const struct wire_config *config)
{
	struct buffer problem = {0};
	char cluster[33];
	int rc;

	identity_join(&n->identity, record, config);
	rc = identity_save(n->disk, &n->identity, &problem);
	if (rc == 0) {
		mark_reset(&n->mark);
		rc = begin_log(n, &problem);
	}
	if (rc != 0) {
		log_fatal("%s", buffer_text(&problem));
	}
	reserve_want(&n->reserve);
	found_cluster_text(config->cluster, cluster);
	log_info("joined cluster=%s members=%zu", cluster, config->count);
	n->seeded = true;
	begin_core(n);
	peers_follow(n);
}

void begin_join(struct node *n, struct conn *c, struct peer *p,
		struct bytes record)
{
	const struct wire_config *config = &n->message.config;
	const struct wire_member *own = config_of(config, n->identity.self);
	struct wire_config kept;

	own = own != NULL ? own : config_invited(config, n->identity.name);
	if (n->identity.founded || n->failed) {
		return;
	}
	if (own == NULL || strcmp(own->name, n->identity.name) != 0) {
		peer_note(p, "its configuration is not for this node");
		conn_close(c, STATUS_INVALID, "not for this node");
		return;
	}
	kept = *config;
	if (listen_for(n, own->address)) {
		join(n, record, &kept);
		conn_close(c, STATUS_ENDED, "joined");
	}
}

void begin_denied(struct node *n, struct conn *c, struct peer *p)
{
	const struct wire_denied *denied = &n->message.denied;
	const struct peer *from = c->peer;
	struct buffer line = {0};

	if (strcmp(denied->name, n->identity.name) != 0 ||
	    (n->identity.founded &&
	     memcmp(denied->cluster, n->identity.founding.cluster,
		    sizeof denied->cluster) != 0)) {
		conn_close(c, STATUS_INVALID, "a denial for another node");
		return;
	}
	admit_line(denied, n->identity.founded || n->join[0] != 0,
		   from->seed ? from->member.address : from->member.name,
		   &line);
	if (denied->reason == WIRE_DENIED_REMOVED) {
		change_removed(n);
	}
	if (denied->reason != WIRE_DENIED_LATER) {
		n->denied = n->denied || !n->failed;
		begin_fail(n, buffer_text(&line));
	} else if (p != NULL && p->seed && denied->address[0] != 0 &&
		   strcmp(p->member.address, denied->address) != 0) {
		/* Ask there, and here again if that does not answer. */
		name_copy(p->other, sizeof p->other, n->join);
		name_copy(p->member.address, sizeof p->member.address,
			  denied->address);
		peer_moved(p);
	}
	conn_close(c, STATUS_ENDED, n->failed ? "denied" : buffer_text(&line));
	buffer_deinit(&line);
}

void begin_check(struct node *n)
{
	uint8_t cluster[WIRE_CLUSTER_BYTES];
	struct wire_config founding;
	struct buffer record = {0};

	if (n->identity.founded || n->failed || !found_ready(&n->found)) {
		return;
	}
	random_bytes(cluster, sizeof cluster);
	found_make(&n->found, cluster, &founding);
	wire_encode_config(&record, &founding);
	adopt(n, buffer_bytes(&record), &founding);
	buffer_deinit(&record);
}

void begin_found(struct node *n, struct conn *c, struct peer *p,
		 struct bytes record)
{
	const struct wire_config founding = n->message.config;

	if (n->identity.founded) {
		if (memcmp(founding.cluster, n->identity.founding.cluster,
			   sizeof founding.cluster) != 0) {
			conn_close(c, STATUS_INVALID,
				   "the record of another cluster");
		}
		return;
	}
	if (n->failed || found_accept(&n->found, &founding) != 0) {
		peer_note(p, "its founding record is not for this node");
		conn_close(c, STATUS_INVALID,
			   "a founding record for another node");
		return;
	}
	adopt(n, record, &founding);
}
