/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/progress.h"

#include <string.h>

static void window_clear(struct progress_window *w)
{
	w->head = 0;
	w->count = 0;
	w->bytes = 0;
}

static void window_free(struct progress_window *w, raft_index match)
{
	while (w->count > 0 && w->message[w->head].last <= match) {
		w->bytes -= w->message[w->head].bytes;
		w->head = (w->head + 1) % LIMIT_INFLIGHT_MESSAGES;
		w->count--;
	}
}

void progress_init(struct progress *p, raft_id id, raft_index last, raft_ms now)
{
	memset(p, 0, sizeof(*p));
	p->id = id;
	p->state = PROGRESS_PROBE;
	p->next = last + 1;
	p->heard = now;
	p->wanted = true;
}

void progress_reset(struct progress *p, raft_index last)
{
	p->state = PROGRESS_PROBE;
	p->next = p->match > 0 ? p->match + 1 : last + 1;
	p->probing = false;
	p->told = 0;
	window_clear(&p->window);
}

void progress_lost(struct progress *p, raft_index last)
{
	p->match = 0;
	p->applied = 0;
	progress_reset(p, last);
	p->wanted = true;
}

void progress_snapshot(struct progress *p)
{
	p->state = PROGRESS_SNAPSHOT;
	p->probing = false;
	window_clear(&p->window);
}

void progress_installed(struct progress *p, raft_index index)
{
	if (p->state != PROGRESS_SNAPSHOT)
		return; /* entries were faster */
	p->state = PROGRESS_PROBE;
	p->next = (index > p->match ? index : p->match) + 1;
	p->wanted = true; /* there may be nothing more to send */
}

void progress_accept(struct progress *p, raft_index match, raft_index held)
{
	CHECK(match <= held);

	if (match > p->match)
		p->match = match; /* P2 */
	if (match > p->had)
		p->had = match;
	window_free(&p->window, p->match);
	if (p->next <= held + 1) {
		p->next = held + 1;
		p->state = PROGRESS_REPLICATE;
		p->probing = false;
	}
	if (p->next <= p->match)
		p->next = p->match + 1;
}

bool progress_reject(struct progress *p, raft_index refused, raft_index agree)
{
	/* What is matched stays matched; a probe's refusal counts only if it
	 * is that of the probe outstanding. */
	if (refused <= p->match || refused >= p->next)
		return false;
	if (p->state != PROGRESS_REPLICATE && refused != p->next - 1)
		return false;

	if (agree >= refused)
		agree = refused - 1; /* strictly lower: it ends */
	if (agree < p->match)
		agree = p->match;
	p->next = agree + 1;
	p->state = PROGRESS_PROBE;
	p->probing = false;
	window_clear(&p->window);
	return true;
}

bool progress_ready(const struct progress *p, const struct raft_config *config,
		    uint64_t bytes)
{
	const struct progress_window *w = &p->window;

	switch (p->state) {
	case PROGRESS_PROBE:
		return !p->probing;
	case PROGRESS_REPLICATE:
		return w->count == 0 ||
		       (w->count < config->inflight_messages &&
			w->bytes + bytes <= config->inflight_bytes);
	case PROGRESS_SNAPSHOT:
		break;
	}
	return false;
}

void progress_sent(struct progress *p, raft_index last, uint64_t bytes)
{
	struct progress_window *w = &p->window;
	uint32_t slot;

	if (p->state == PROGRESS_PROBE) {
		p->probing = true;
		return;
	}
	CHECK(p->state == PROGRESS_REPLICATE);
	CHECK(w->count < LIMIT_INFLIGHT_MESSAGES && last >= p->next);
	slot = (w->head + w->count++) % LIMIT_INFLIGHT_MESSAGES;
	w->message[slot].last = last;
	w->message[slot].bytes = bytes;
	w->bytes += bytes;
	p->next = last + 1;
}

void progress_check(const struct progress *p, raft_index last)
{
	const struct progress_window *w = &p->window;
	raft_index end = p->match;
	uint64_t bytes = 0;
	uint32_t i;

	CHECK(p->match < p->next && p->next <= last + 1);	/* P1 */
	CHECK(w->count == 0 || p->state == PROGRESS_REPLICATE); /* P3 */
	CHECK(w->count <= LIMIT_INFLIGHT_MESSAGES);
	for (i = 0; i < w->count; i++) {
		uint32_t slot = (w->head + i) % LIMIT_INFLIGHT_MESSAGES;

		CHECK(w->message[slot].last > end);
		end = w->message[slot].last;
		bytes += w->message[slot].bytes;
	}
	CHECK(end < p->next && bytes == w->bytes); /* P3 */
}
