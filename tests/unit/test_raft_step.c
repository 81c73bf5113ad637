/* SPDX-License-Identifier: Apache-2.0 */
/* The core is deterministic, bounded, and no message can break it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/mem.h"
#include "raft/random.h"
#include "tests/lib/solo.h"

#define EMPTY ((const raft_term[]){0})

static struct solo s;
static uint64_t random_state;
static raft_seq durable;
static struct raft_act loading; /* the last LOAD_SNAP */

static uint64_t below(uint64_t range)
{
	return random_from(&random_state, 0, range);
}

/* Mostly small and near the truth, now and then absurd. */
static uint64_t some_number(uint64_t near)
{
	switch (below(8)) {
	case 0:
		return 0;
	case 1:
		return random_next(&random_state) >> below(64);
	default:
		return near + below(4) - (near > 1 ? below(2) : 0);
	}
}

/* Nodes 1 ... 5 in any places; now and then unsound. */
static struct raft_members some_members(void)
{
	struct raft_members m = {0};
	raft_id id;

	for (id = 1; id <= 5; id++) {
		uint64_t place = below(6);

		if (place < 3)
			m.voters[m.voter_count++] = id;
		if (place == 2 || place == 3)
			m.outgoing[m.outgoing_count++] = id;
		if (place == 4)
			m.learners[m.learner_count++] = id;
	}
	if (below(2) == 0)
		m.outgoing_count = 0;
	if (below(20) == 0)
		m.learners[m.learner_count++] = below(7);
	return m;
}

static void some_changes(struct raft_event *ev, raft_index last)
{
	static struct raft_change changes[4];
	raft_index at = ev->recv.msg.pos.index;

	ev->recv.changes = changes;
	while (ev->recv.change_count < 4 && below(4) == 0) {
		at += below(4) + (below(20) != 0);
		if (at > last && below(20) != 0)
			break;
		changes[ev->recv.change_count].index = at;
		changes[ev->recv.change_count++].members = some_members();
	}
}

/* What it would be asked for, or something near it. */
static struct raft_event some_change(void)
{
	static struct raft_members next;
	const struct raft_members *now = raft_members(s.core);
	struct raft_event ev = {.kind = RAFT_EV_CHANGE};

	next = some_members();
	if (now->outgoing_count > 0) {
		next = *now;
		next.outgoing_count = 0;
	} else if (below(3)) {
		next.outgoing_count = now->voter_count;
		memcpy(next.outgoing, now->voters, sizeof(next.outgoing));
		next.learner_count = 0;
	}
	ev.change.members = &next;
	ev.change.size = (uint32_t)below(100);
	return ev;
}

static struct raft_event some_snapshot(void)
{
	static struct raft_change change;
	struct raft_status st = solo_status(&s);
	struct raft_event ev = {.kind = RAFT_EV_SNAP_RECEIVED};

	if (st.loading && loading.after <= durable) {
		ev.kind = RAFT_EV_SNAP_LOADED;
		ev.snap_loaded.pos = loading.load_snap.pos;
		return ev;
	}
	if (st.role == RAFT_LEADER) {
		ev.kind = RAFT_EV_SNAP_SENT;
		ev.snap_sent.peer = below(6);
		ev.snap_sent.index = below(st.applied + 1);
		ev.snap_sent.ok = below(2) == 0;
		return ev;
	}
	ev.snap_received.from =
		st.leader != 0 && below(3) ? st.leader : 2 + below(4);
	ev.snap_received.term = some_number(st.term);
	ev.snap_received.pos.index = some_number(st.last);
	ev.snap_received.pos.term =
		below(3) ? ev.snap_received.term : some_number(st.term);
	change.index = below(2) ? 0 : some_number(st.last);
	change.members = some_members();
	ev.snap_received.change = &change;
	return ev;
}

static struct raft_event some_message(void)
{
	static struct raft_run runs[4];
	static uint32_t sizes[LIMIT_MESSAGE_ENTRIES + 8];
	struct raft_status st = solo_status(&s);
	struct raft_event ev = {.kind = RAFT_EV_RECV};
	struct raft_msg *m = &ev.recv.msg;
	raft_index last;
	raft_term term;
	size_t i;

	m->kind = (enum raft_msg_kind)below(RAFT_TIMEOUT_NOW + 2);
	m->from = below(5);
	m->to = below(20) ? 1 : 2;
	m->term = some_number(st.term);
	m->pos.index = below(2) ? below(st.last + 2) : some_number(st.last);
	m->pos.term = below(4) ? raft_term_at(s.core, m->pos.index)
			       : some_number(st.term);
	m->last = m->pos.index;
	m->commit = some_number(st.commit);
	m->settled = some_number(st.commit);
	m->round = some_number(st.term);
	m->reject = below(3) == 0;
	m->lease = below(2) == 0;
	m->transfer = below(3) == 0;
	if (m->kind == RAFT_APPEND) {
		last = m->pos.index;
		term = m->pos.term;
		ev.recv.run_count = below(4);
		for (i = 0; i < ev.recv.run_count; i++) {
			last += 1 + below(3);
			term += below(2) + (term == 0);
			if (below(30) == 0)
				term = some_number(term);
			runs[i] = (struct raft_run){term, last};
		}
		m->last = last;
		some_changes(&ev, last);
	}
	if (below(10) == 0 && m->kind != RAFT_APPEND)
		m->last = some_number(st.last);
	ev.recv.runs = runs;
	ev.recv.sizes = sizes;
	return ev;
}

static struct raft_event some_event(raft_seq *newest)
{
	static const uint32_t sizes[4] = {1, 50, 1000, 5};
	struct raft_status st = solo_status(&s);
	struct raft_event ev = {.kind = RAFT_EV_CLOCK};

	switch (below(13)) {
	case 0:
		s.now = below(2) ? s.now + below(100) : s.now;
		if (below(3) == 0 && raft_deadline(s.core) != UINT64_MAX &&
		    raft_deadline(s.core) > s.now)
			s.now = raft_deadline(s.core);
		break;
	case 1:
		ev.kind = RAFT_EV_PROPOSE;
		ev.propose.sizes = sizes;
		ev.propose.count = 1 + below(4);
		break;
	case 2:
		ev.kind = RAFT_EV_READ;
		ev.read.lease = below(2) == 0;
		break;
	case 3:
		ev.kind = RAFT_EV_SAVED;
		ev.saved.seq = below(3) ? *newest : below(*newest + 1);
		break;
	case 4:
		ev.kind = RAFT_EV_LINK;
		ev.link.peer = below(6);
		ev.link.up = below(2) == 0;
		break;
	case 5:
		if (st.saved < st.commit) {
			ev.kind = RAFT_EV_SAVED;
			ev.saved.seq = *newest;
		} else {
			ev.kind = RAFT_EV_APPLIED;
			ev.applied.index = st.commit;
		}
		break;
	case 6:
		if (st.applied > st.saved || st.applied < st.first ||
		    st.loading)
			break;
		ev.kind = RAFT_EV_COMPACTED;
		ev.compacted.index =
			st.first + below(st.applied - st.first + 1);
		ev.compacted.term = raft_term_at(s.core, ev.compacted.index);
		break;
	case 7:
		return some_change();
	case 8:
		ev.kind = RAFT_EV_TRANSFER;
		ev.transfer.target = below(6);
		break;
	case 9:
		return some_snapshot();
	default:
		return some_message();
	}
	return ev;
}

static void begin(uint64_t seed, uint32_t voters)
{
	random_state = seed;
	durable = 0;
	loading = (struct raft_act){.after = UINT64_MAX};
	solo_init(&s, voters, 1, 0, EMPTY);
}

/* And what is to be remembered of it. */
static int step(raft_seq *newest, struct raft_event ev)
{
	const struct raft_act *act;
	int rc;

	if (ev.kind == RAFT_EV_SAVED && ev.saved.seq > durable)
		durable = ev.saved.seq;
	rc = solo_step(&s, ev);
	act = solo_act(&s, RAFT_DO_LOAD_SNAP, 0);
	if (act != NULL)
		loading = *act;
	act = solo_act(&s, RAFT_DO_SAVE, 0);
	if (act != NULL) {
		assert_int_equal(act->save.seq, *newest + 1);
		++*newest;
	}
	assert_null(solo_act(&s, RAFT_DO_SAVE, 1));
	return rc;
}

/* Lies, nonsense and bad luck of every kind: CHECKs would end the test. */
static void no_message_breaks_an_invariant(void **state)
{
	uint64_t seed;
	(void)state;

	for (seed = 1; seed <= 300; seed++) {
		raft_seq newest = 0;
		int i;

		begin(seed, 1 + (uint32_t)(seed % 4));
		for (i = 0; i < 1500; i++)
			step(&newest, some_event(&newest));
		solo_deinit(&s);
	}
}

static void equal_state_and_event_give_equal_acts(void **state)
{
	struct raft *copy = mem_alloc(raft_size());
	struct raft_out out = {.capacity = raft_acts_max()};
	raft_seq newest = 0;
	int i;
	(void)state;

	out.acts = mem_alloc(out.capacity * sizeof(out.acts[0]));
	begin(42, 3);
	for (i = 0; i < 500; i++) {
		struct raft_event ev = some_event(&newest);
		int rc;

		memcpy(copy, s.core, raft_size());
		ev.now = s.now;
		rc = raft_step(copy, &ev, &out);
		assert_int_equal(step(&newest, ev), rc);
		assert_int_equal(out.count, s.out.count);
		assert_memory_equal(out.acts, s.out.acts,
				    out.count * sizeof(out.acts[0]));
		assert_memory_equal(copy, s.core, raft_size());
	}
	solo_deinit(&s);
	mem_free(copy);
	mem_free(out.acts);
}

/* 9 voters and 55 learners, all windows open, all reads waiting. */
static void the_largest_cluster_fits_the_acts(void **state)
{
	static const uint32_t sizes[64] = {0};
	struct raft_boot boot = {.now = 1000, .fresh = true};
	struct raft_event ev = {.kind = RAFT_EV_PROPOSE};
	raft_id id;
	size_t round;
	(void)state;

	solo_init(&s, 3, 0, 0, EMPTY);
	s.config.message_entries = 1;
	s.config.inflight_messages = LIMIT_INFLIGHT_MESSAGES;
	boot.members.voter_count = LIMIT_VOTERS;
	boot.members.learner_count = LIMIT_PEERS - LIMIT_VOTERS;
	for (id = 1; id <= LIMIT_VOTERS; id++)
		boot.members.voters[id - 1] = id;
	for (; id <= LIMIT_PEERS; id++)
		boot.members.learners[id - LIMIT_VOTERS - 1] = id;
	s.core = raft_init(s.core, &s.config, &boot);

	s.now = raft_deadline(s.core);
	solo_clock(&s, 0);
	for (id = 2; id <= 5; id++)
		solo_recv(&s, (struct raft_msg){.kind = RAFT_PREVOTE_REPLY,
						.from = id,
						.term = 1});
	solo_saved(&s, 1);
	for (id = 2; id <= 5; id++)
		solo_recv(&s, (struct raft_msg){.kind = RAFT_VOTE_REPLY,
						.from = id,
						.term = 1});
	assert_int_equal(solo_status(&s).role, RAFT_LEADER);
	solo_saved(&s, 2);
	for (id = 2; id <= LIMIT_PEERS; id++)
		solo_recv(&s, (struct raft_msg){.kind = RAFT_APPEND_REPLY,
						.from = id,
						.term = 1,
						.pos.index = 1,
						.last = 1});
	for (round = 0; round < LIMIT_READS; round++)
		solo_step(&s, (struct raft_event){.kind = RAFT_EV_READ});
	for (id = 2; id <= LIMIT_PEERS; id++)
		solo_recv(&s, (struct raft_msg){.kind = RAFT_READ,
						.from = id,
						.term = 1,
						.round = 5});
	ev.propose.sizes = sizes;
	ev.propose.count = 64;
	assert_int_equal(solo_step(&s, ev), 0);
	assert_true(s.out.count > 4 * (LIMIT_PEERS - 1));
	solo_clock(&s, 700); /* resigns, answering all */
	assert_true(s.out.count >= LIMIT_READS + LIMIT_PEERS - 1);
	solo_deinit(&s);
}

static void a_peers_place_is_told_by_leaders_only(void **state)
{
	struct raft_peer_status peer;
	(void)state;

	solo_init(&s, 3, 1, 0, EMPTY);
	assert_int_equal(raft_peer(s.core, 2, &peer), STATUS_NOT_FOUND);
	solo_lead(&s);
	assert_int_equal(raft_peer(s.core, 2, &peer), 0);
	assert_string_equal(peer.state, "probe");
	assert_int_equal(raft_peer(s.core, 9, &peer), STATUS_NOT_FOUND);
	solo_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_message_breaks_an_invariant),
		cmocka_unit_test(equal_state_and_event_give_equal_acts),
		cmocka_unit_test(the_largest_cluster_fits_the_acts),
		cmocka_unit_test(a_peers_place_is_told_by_leaders_only),
	};

	return cmocka_run_group_tests_name("raft/step", tests, NULL, NULL);
}
