/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/solo.h"

#include <string.h>

#include "base/mem.h"

void solo_init(struct solo *s, uint32_t voters, raft_term term,
	       raft_index commit, const raft_term *log)
{
	struct raft_run runs[SOLO_RUNS];
	uint32_t sizes[64];
	struct raft_boot boot = {
		.now = 1000,
		.hard.term = term,
		.members.voter_count = voters,
		.runs = runs,
		.sizes = sizes,
		.commit = commit,
		.applied = commit,
		.fresh = true,
	};
	uint32_t i;

	for (i = 0; i < voters; i++)
		boot.members.voters[i] = i + 1;
	for (; *log != 0; log++) {
		if (boot.run_count == 0 ||
		    runs[boot.run_count - 1].term != *log)
			runs[boot.run_count++].term = *log;
		sizes[boot.size_count++] = 10;
		runs[boot.run_count - 1].last = boot.size_count;
	}
	memset(s, 0, sizeof(*s));
	s->config = (struct raft_config){
		.self = 1,
		.seed = 1,
		.heartbeat_ms = 100,
		.election_ms = 600,
		.lease_ms = 500,
		.disk_stall_ms = 3000,
		.message_entries = 8,
		.message_bytes = 1000,
		.inflight_messages = 4,
		.inflight_bytes = 2000,
		.uncommitted_bytes = 10000,
	};
	s->now = 1000;
	s->core = raft_init(mem_alloc(raft_size()), &s->config, &boot);
	s->out.capacity = raft_acts_max();
	s->out.acts = mem_alloc(s->out.capacity * sizeof(s->out.acts[0]));
}

void solo_deinit(struct solo *s)
{
	mem_free(s->core);
	mem_free(s->out.acts);
}

int solo_step(struct solo *s, struct raft_event ev)
{
	int rc;

	ev.now = s->now;
	rc = raft_step(s->core, &ev, &s->out);
	raft_check(s->core);
	return rc;
}

int solo_clock(struct solo *s, raft_ms ms)
{
	s->now += ms;
	return solo_step(s, (struct raft_event){.kind = RAFT_EV_CLOCK});
}

int solo_saved(struct solo *s, raft_seq seq)
{
	struct raft_event ev = {.kind = RAFT_EV_SAVED};

	ev.saved.seq = seq;
	return solo_step(s, ev);
}

int solo_recv(struct solo *s, struct raft_msg msg)
{
	struct raft_event ev = {.kind = RAFT_EV_RECV};

	msg.to = 1;
	ev.recv.msg = msg;
	return solo_step(s, ev);
}

int solo_append(struct solo *s, raft_term term, struct raft_pos pos,
		raft_index commit, const raft_term *entries)
{
	struct raft_event ev = {.kind = RAFT_EV_RECV};
	struct raft_run runs[SOLO_RUNS];
	uint32_t sizes[64];
	size_t count = 0, run_count = 0;

	for (; entries[count] != 0; count++) {
		if (run_count == 0 ||
		    runs[run_count - 1].term != entries[count])
			runs[run_count++].term = entries[count];
		runs[run_count - 1].last = pos.index + count + 1;
		sizes[count] = 10;
	}
	ev.recv.msg = (struct raft_msg){
		.kind = RAFT_APPEND,
		.from = 2,
		.to = 1,
		.term = term,
		.pos = pos,
		.last = pos.index + count,
		.commit = commit,
		.round = 1,
	};
	ev.recv.runs = runs;
	ev.recv.run_count = run_count;
	ev.recv.sizes = sizes;
	return solo_step(s, ev);
}

void solo_lead(struct solo *s)
{
	const struct raft_act *save;
	struct raft_msg reply = {.from = 2};

	s->now = raft_deadline(s->core);
	solo_clock(s, 0);
	reply.kind = RAFT_PREVOTE_REPLY;
	reply.term = solo_status(s).term + 1;
	solo_recv(s, reply);
	save = solo_act(s, RAFT_DO_SAVE, 0);
	CHECK(save != NULL);
	solo_saved(s, save->save.seq);
	reply.kind = RAFT_VOTE_REPLY;
	reply.term = solo_status(s).term;
	solo_recv(s, reply);
	CHECK(solo_status(s).role == RAFT_LEADER);
	solo_saved(s, solo_act(s, RAFT_DO_SAVE, 0)->save.seq);
}

const struct raft_act *solo_act(const struct solo *s, enum raft_act_kind kind,
				size_t nth)
{
	size_t i;

	for (i = 0; i < s->out.count; i++) {
		if (s->out.acts[i].kind == kind && nth-- == 0)
			return &s->out.acts[i];
	}
	return NULL;
}

const struct raft_act *solo_sent(const struct solo *s, enum raft_msg_kind kind,
				 raft_id to, size_t nth)
{
	size_t i;

	for (i = 0; i < s->out.count; i++) {
		const struct raft_act *act = &s->out.acts[i];

		if (act->kind == RAFT_DO_SEND && act->send.kind == kind &&
		    act->send.to == to && nth-- == 0)
			return act;
	}
	return NULL;
}

struct raft_status solo_status(const struct solo *s)
{
	struct raft_status status;

	raft_status(s->core, &status);
	return status;
}
