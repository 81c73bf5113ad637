/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/step.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/explore/image.h"
#include "tests/explore/node.h"
#include "tests/explore/packet.h"
#include "tests/explore/say.h"

/* --- What is broken ---------------------------------------------------------
 * The checks of the core, and ours, end here and not in base/check.c: within
 * a step of the search they are a result. */

static jmp_buf *rescue;
static char *rescue_text;
static size_t rescue_size;

void check_failed(const char *condition, const char *file, int line)
{
	if (rescue != NULL) {
		snprintf(rescue_text, rescue_size, "%s:%d: %s", file, line,
			 condition);
		longjmp(*rescue, 1);
	}
	fprintf(stderr, "explore: bug: %s:%d: broken: %s\n", file, line,
		condition);
	abort();
}

/* --- The driver -------------------------------------------------------------
 */

/* A vote, once durable, stands for its term; terms only rise. */
static bool keeps_its_word(const struct raft_hard *old,
			   const struct raft_hard *new)
{
	if (new->term == old->term)
		return old->vote == 0 || new->vote == old->vote;
	return new->term > old->term;
}

static void release(struct model *m, const struct held *held)
{
	const struct packet *p;

	if (held->packet == 0) {
		m->applied = held->index;
		return;
	}
	p = packet_at(m, held->packet);
	/* Where pre-votes are given nobody asks for them. */
	if (!m->bounds.prevotes &&
	    (p->msg.kind == RAFT_PREVOTE || p->msg.kind == RAFT_PREVOTE_REPLY))
		return;
	CHECK(m->sent_count < SENT_MAX);
	m->sent[m->sent_count++] = held->packet;
}

static void on_save(struct model *m, const struct raft_act *act)
{
	struct rest *rest = &m->rest;
	struct pending *p = &rest->pending[rest->pending_count++];

	CHECK(rest->pending_count <= LAG_MAX + 1);
	*p = (struct pending){
		.seq = act->save.seq,
		.hard = act->save.hard,
		.keep = act->save.keep,
		.last = act->save.last,
		.commit = act->save.commit,
		.log = image_log(m->core),
	};
	m->has_saved = true;
	say_save(m, p);
}

static void on_act(struct model *m, const struct raft_act *act)
{
	struct rest *rest = &m->rest;
	struct held held;
	uint32_t i;

	say_act(m, act);
	memset(&held, 0, sizeof(held));
	held.after = act->after;
	if (act->kind == RAFT_DO_SEND)
		held.packet = packet_add(m, &act->send, image_log(m->core));
	else if (act->kind == RAFT_DO_APPLY)
		held.index = act->apply.last;
	else
		return;
	if (act->after <= m->core->saves.durable) {
		release(m, &held);
		return;
	}
	/* The network is a set: what leaves twice might as well leave once. */
	for (i = 0; i < rest->held_count; i++) {
		if (held.packet != 0 && rest->held[i].packet == held.packet &&
		    rest->held[i].after <= held.after)
			return;
	}
	CHECK(rest->held_count < HELD_MAX);
	rest->held[rest->held_count++] = held;
}

static void event(struct model *m, struct raft_event ev)
{
	struct raft_out out = {.acts = m->acts, .capacity = raft_acts_max()};
	raft_index commit = m->core->commit;
	size_t i;

	ev.now = m->now;
	raft_step(m->core, &ev, &out);
	raft_check(m->core);
	CHECK(m->core->commit >= commit); /* row 19 */
	for (i = 0; i < out.count; i++) {
		if (out.acts[i].kind == RAFT_DO_SAVE)
			on_save(m, &out.acts[i]);
	}
	for (i = 0; i < out.count; i++)
		on_act(m, &out.acts[i]);
}

static void save_oldest(struct model *m)
{
	struct raft_event ev = {.kind = RAFT_EV_SAVED};
	struct rest *rest = &m->rest;
	struct disk *d = &rest->disk;
	struct pending p = rest->pending[0];
	uint32_t i, kept = 0;

	rest->pending_count--;
	memmove(&rest->pending[0], &rest->pending[1],
		rest->pending_count * sizeof(rest->pending[0]));
	CHECK(keeps_its_word(&d->hard, &p.hard));
	CHECK(p.keep <= d->last && p.commit <= p.last);
	CHECK(p.commit >= d->commit);
	d->hard = p.hard;
	d->log = (d->log & log_mask(p.keep)) |
		 (p.log & log_mask(p.last) & ~log_mask(p.keep));
	d->last = p.last;
	d->commit = p.commit;

	say_durable(m);
	for (i = 0; i < rest->held_count; i++) {
		if (rest->held[i].after <= p.seq)
			release(m, &rest->held[i]);
		else
			rest->held[kept++] = rest->held[i];
	}
	rest->held_count = kept;
	ev.saved.seq = p.seq;
	event(m, ev);
}

/* What goes on by itself: the state machine, and a disk that may not lag. */
static void settle(struct model *m)
{
	struct raft_event ev = {.kind = RAFT_EV_APPLIED};

	while (m->applied != 0 || m->rest.pending_count > m->bounds.lag) {
		if (m->applied == 0) {
			save_oldest(m);
			continue;
		}
		CHECK(m->applied <= m->rest.disk.last); /* durable here */
		ev.applied.index = m->applied;
		m->applied = 0;
		event(m, ev);
	}
}

/* --- The choices ------------------------------------------------------------
 */

/* When its promises to a leader are over. */
static raft_ms promised_until(const struct raft *r)
{
	raft_ms until =
		r->heard_from == 0 ? 0 : r->heard + r->config.election_ms;

	return until > r->quiet_until ? until : r->quiet_until;
}

static bool deliver(struct model *m, uint32_t choice)
{
	const struct packet *p = packet_at(m, choice & CHOICE_PACKET);
	struct raft_event ev;
	struct raft_run runs[LOG_MAX];
	static const uint32_t sizes[LOG_MAX];
	bool is_late = (choice & CHOICE_LATE) != 0;
	bool asks = p->msg.kind == RAFT_VOTE || p->msg.kind == RAFT_PREVOTE;
	raft_ms until = promised_until(m->core);

	if (is_late && (!asks || !m->bounds.promises || until <= m->now ||
			m->core->role == RAFT_LEADER))
		return false;
	if (asks && !m->bounds.promises)
		is_late = until > m->now && m->core->role != RAFT_LEADER;
	if (is_late && until >= m->core->election_due)
		return false;
	if (is_late)
		m->now = until;
	memset(&ev, 0, sizeof(ev));
	packet_event(p, &ev, runs, sizes);
	event(m, ev);
	return true;
}

/* Where pre-votes are given, whoever wants one has it. */
static void consent(struct model *m)
{
	struct raft *r = m->core;
	raft_id id;

	for (id = 1; id <= m->bounds.nodes; id++) {
		struct raft_event ev = {.kind = RAFT_EV_RECV,
					.recv.msg = {.kind = RAFT_PREVOTE_REPLY,
						     .from = id,
						     .to = r->config.self,
						     .term = r->hard.term + 1}};

		if (r->role == RAFT_PRECANDIDATE && id != r->config.self)
			event(m, ev);
	}
}

static bool stand(struct model *m)
{
	struct raft *r = m->core;
	struct raft_event ev = {.kind = RAFT_EV_CLOCK};

	if (r->role == RAFT_LEADER || r->hard.term >= m->bounds.terms)
		return false;
	if (m->now < r->election_due)
		m->now = r->election_due;
	event(m, ev);
	if (!m->bounds.prevotes)
		consent(m);
	return true;
}

/* When a leader that hears nothing gives up. */
static raft_ms lost_at(const struct raft *r)
{
	return election_quorum_heard(r) + r->config.election_ms;
}

static bool beat(struct model *m)
{
	struct raft *r = m->core;
	struct raft_event ev = {.kind = RAFT_EV_CLOCK};

	if (r->role != RAFT_LEADER || !m->bounds.heartbeats ||
	    r->heartbeat_due >= lost_at(r))
		return false;
	m->now = r->heartbeat_due;
	event(m, ev);
	return true;
}

static bool resign(struct model *m)
{
	struct raft_event ev = {.kind = RAFT_EV_CLOCK};

	if (m->core->role != RAFT_LEADER)
		return false;
	m->now = lost_at(m->core);
	event(m, ev);
	return true;
}

static bool propose(struct model *m)
{
	static const uint32_t size;
	struct raft_event ev = {
		.kind = RAFT_EV_PROPOSE,
		.propose = {.sizes = &size, .count = 1},
	};

	if (m->core->role != RAFT_LEADER)
		return false;
	event(m, ev);
	return true;
}

static bool happen(struct model *m, uint32_t choice)
{
	switch (choice_kind(choice)) {
	case CHOICE_DELIVER:
		return deliver(m, choice);
	case CHOICE_STAND:
		return stand(m);
	case CHOICE_HEARTBEAT:
		return beat(m);
	case CHOICE_RESIGN:
		return resign(m);
	case CHOICE_PROPOSE:
		return propose(m);
	case CHOICE_SAVE:
		if (m->rest.pending_count > 0)
			save_oldest(m);
		else
			return false;
		return true;
	case CHOICE_CRASH:
		return true;
	case CHOICE_PASS:
		event(m, (struct raft_event){.kind = RAFT_EV_CLOCK});
		return true;
	case CHOICE_NONE:
		break;
	}
	return false;
}

bool step_run(struct model *m, uint32_t choice)
{
	m->sent_count = 0;
	m->has_saved = false;
	m->applied = 0;
	m->has_crashed = choice_kind(choice) == CHOICE_CRASH ||
			 (choice & CHOICE_CUT) != 0;
	if (!happen(m, choice))
		return false;
	if (!m->has_crashed)
		settle(m);
	return (choice & CHOICE_CUT) == 0 || m->has_saved;
}

/* --- Remembered -------------------------------------------------------------
 */

static uint32_t attempt(struct model *m, uint32_t node, uint32_t choice)
{
	struct outcome o;
	uint32_t i;

	memset(&o, 0, sizeof(o));
	node_load(m, node);
	if (!step_run(m, choice))
		return 0;
	if (m->has_crashed)
		o.node = node_started(m, m->core->config.self, &m->rest.disk,
				      false);
	else
		o.node = node_store(m);
	for (i = 0; i < m->bounds.nodes; i++)
		o.sent[i] = bundle_of_sent(m, i + 1);
	if (o.node == node && m->sent_count == 0)
		return 0;
	return intern_add(&m->outcomes, &o, sizeof(o));
}

static uint32_t broken(struct model *m)
{
	struct outcome o;

	memset(&o, 0, sizeof(o));
	o.node = BROKEN;
	o.sent[0] = intern_add(&m->bundles, m->broken, strlen(m->broken) + 1);
	return intern_add(&m->outcomes, &o, sizeof(o));
}

static uint32_t compute(struct model *m, uint32_t node, uint32_t choice)
{
	jmp_buf here;
	uint32_t number;

	rescue = &here;
	rescue_text = m->broken;
	rescue_size = sizeof(m->broken);
	number = setjmp(here) == 0 ? attempt(m, node, choice) : broken(m);
	rescue = NULL;
	return number;
}

uint32_t step_choice(struct model *m, uint32_t node, uint32_t choice)
{
	uint64_t key = (uint64_t)node << 32 | choice;
	uint32_t known = *memo_at(&m->steps, key);

	if (known == 0) {
		known = compute(m, node, choice) + 1;
		*memo_at(&m->steps, key) = known;
	}
	return known - 1;
}

void step_say(struct model *m, uint32_t node, uint32_t choice)
{
	node_load(m, node);
	say_choice(m, m->core->config.self, choice);
	if (choice_kind(choice) != CHOICE_CRASH)
		compute(m, node, choice);
}

const struct outcome *step_outcome(const struct model *m, uint32_t number)
{
	size_t size;

	return intern_at(&m->outcomes, number, &size);
}
