/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/explore/packet.h"

#include <stdlib.h>
#include <string.h>

uint32_t *ordered_at(struct model *m, enum ordered what, uint32_t number,
		     uint32_t order)
{
	uint64_t key = (uint64_t)number << 8 | order << 4 | (what + 1);

	return memo_at(&m->ordered, key);
}

/* --- Messages ---------------------------------------------------------------
 */

static uint32_t add(struct model *m, const struct packet *p)
{
	uint32_t number = intern_add(&m->packets, p, sizeof(*p));

	CHECK(number <= CHOICE_PACKET);
	return number;
}

uint32_t packet_add(struct model *m, const struct raft_msg *msg, uint64_t log)
{
	struct packet p;

	/* Field by field into zeros: padding must not tell them apart. */
	memset(&p, 0, sizeof(p));
	p.msg.kind = msg->kind;
	p.msg.from = msg->from;
	p.msg.to = msg->to;
	p.msg.term = msg->term;
	p.msg.pos = msg->pos;
	p.msg.last = msg->last;
	p.msg.commit = msg->commit;
	p.msg.round = msg->round != 0; /* for reads: one is as good as many */
	p.msg.reject = msg->reject;
	p.msg.lease = msg->lease;
	p.msg.transfer = msg->transfer;
	/* settled is for cutting the log; a reply's applied index is shown to
	 * people. Both are left out, or they would only make more states. */
	if (msg->kind == RAFT_APPEND_REPLY)
		p.msg.commit = 0;
	if (msg->kind == RAFT_APPEND)
		p.terms = (log & log_mask(msg->last)) >> 4 * msg->pos.index;
	return add(m, &p);
}

const struct packet *packet_at(const struct model *m, uint32_t packet)
{
	size_t size;

	return intern_at(&m->packets, packet, &size);
}

uint32_t packet_reorder(struct model *m, uint32_t packet, uint32_t order)
{
	uint32_t *value = ordered_at(m, ORDERED_PACKET, packet, order);
	const struct order *o = &m->order[order];

	if (*value == 0) {
		struct packet p = *packet_at(m, packet);

		p.msg.from = o->to[p.msg.from];
		p.msg.to = o->to[p.msg.to];
		*value = add(m, &p);
	}
	return *value;
}

void packet_event(const struct packet *p, struct raft_event *ev,
		  struct raft_run *runs, const uint32_t *sizes)
{
	raft_index i, count = p->msg.last - p->msg.pos.index;

	ev->kind = RAFT_EV_RECV;
	ev->recv.msg = p->msg;
	ev->recv.runs = runs;
	ev->recv.run_count = 0;
	ev->recv.sizes = sizes;
	if (p->msg.kind != RAFT_APPEND)
		return;
	for (i = 1; i <= count; i++) {
		raft_term term = log_term(p->terms, i);

		if (ev->recv.run_count == 0 ||
		    runs[ev->recv.run_count - 1].term != term)
			runs[ev->recv.run_count++].term = term;
		runs[ev->recv.run_count - 1].last = p->msg.pos.index + i;
	}
}

/* --- Sets -------------------------------------------------------------------
 */

static int compare(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static size_t sort(uint16_t *numbers, size_t count)
{
	size_t i, kept = 0;

	qsort(numbers, count, sizeof(numbers[0]), compare);
	for (i = 0; i < count; i++) {
		if (i == 0 || numbers[i] != numbers[i - 1])
			numbers[kept++] = numbers[i];
	}
	return kept;
}

uint32_t bundle_of_sent(struct model *m, raft_id to)
{
	uint16_t numbers[SENT_MAX];
	size_t count = 0;
	uint32_t i;

	for (i = 0; i < m->sent_count; i++) {
		if (packet_at(m, m->sent[i])->msg.to == to)
			numbers[count++] = (uint16_t)m->sent[i];
	}
	if (count == 0)
		return 0;
	count = sort(numbers, count);
	return intern_add(&m->bundles, numbers, count * sizeof(numbers[0]));
}

const uint16_t *bundle_at(const struct model *m, uint32_t bundle, size_t *count)
{
	const uint16_t *numbers = intern_at(&m->bundles, bundle, count);

	*count /= sizeof(numbers[0]);
	return numbers;
}

const uint16_t *inbox_at(const struct model *m, uint32_t inbox, size_t *count)
{
	const uint16_t *numbers = intern_at(&m->inboxes, inbox, count);

	*count /= sizeof(numbers[0]);
	return numbers;
}

static void note(struct mail *mail, const struct raft_msg *msg)
{
	uint64_t who = 1ull << (8 * msg->term + msg->from - 1);

	if (msg->term > TERMS_MAX)
		return;
	if (msg->kind == RAFT_VOTE)
		mail->stands |= who;
	if (msg->kind == RAFT_VOTE_REPLY && !msg->reject)
		mail->grants |= who;
	if (msg->kind == RAFT_APPEND)
		mail->leads |= who;
}

uint32_t inbox_of(struct model *m, const uint16_t *numbers, size_t count)
{
	uint32_t inbox =
		intern_add(&m->inboxes, numbers, count * sizeof(numbers[0]));
	struct mail *mail;
	size_t i;

	if (inbox * sizeof(*mail) < m->mails.used)
		return inbox;
	mail = pool_take(&m->mails, sizeof(*mail));
	for (i = 0; i < count; i++) {
		note(mail, &packet_at(m, numbers[i])->msg);
		mail->blur[numbers[i] >> 6 & 1] |= 1ull << (numbers[i] & 63);
	}
	return inbox;
}

/* The union of two sets, in order; its size. */
static size_t join(const uint16_t *a, size_t a_count, const uint16_t *b,
		   size_t b_count, uint16_t *to)
{
	size_t count = 0, i = 0, j = 0;

	CHECK(a_count + b_count <= INBOX_MAX);
	while (i < a_count || j < b_count) {
		if (j == b_count || (i < a_count && a[i] < b[j]))
			to[count++] = a[i++];
		else if (i < a_count && a[i] == b[j])
			j++;
		else
			to[count++] = b[j++];
	}
	return count;
}

uint32_t bundle_join(struct model *m, uint32_t a, uint32_t b)
{
	uint16_t numbers[INBOX_MAX];
	const uint16_t *x, *y;
	size_t x_count, y_count;

	if (a == 0 || b == 0 || a == b)
		return a != 0 ? a : b;
	x = bundle_at(m, a, &x_count);
	y = bundle_at(m, b, &y_count);
	return intern_add(&m->bundles, numbers,
			  join(x, x_count, y, y_count, numbers) *
				  sizeof(numbers[0]));
}

uint32_t inbox_add(struct model *m, uint32_t inbox, uint32_t bundle)
{
	uint16_t numbers[INBOX_MAX];
	size_t held_count, more_count;
	const uint16_t *held = inbox_at(m, inbox, &held_count);
	const uint16_t *more = bundle_at(m, bundle, &more_count);

	return inbox_of(m, numbers,
			join(held, held_count, more, more_count, numbers));
}

uint32_t inbox_reorder(struct model *m, uint32_t inbox, uint32_t order)
{
	uint32_t *value = ordered_at(m, ORDERED_INBOX, inbox, order);
	uint16_t numbers[INBOX_MAX];
	const uint16_t *held;
	size_t i, count;
	uint32_t moved;

	if (*value != 0)
		return *value;
	held = inbox_at(m, inbox, &count);
	for (i = 0; i < count; i++)
		numbers[i] = (uint16_t)packet_reorder(m, held[i], order);
	moved = inbox_of(m, numbers, sort(numbers, count));
	*ordered_at(m, ORDERED_INBOX, inbox, order) = moved;
	return moved;
}

const struct mail *inbox_mail(const struct model *m, uint32_t inbox)
{
	return (const struct mail *)(const void *)m->mails.base + inbox;
}

bool inbox_has_all(const struct model *m, uint32_t inbox, uint32_t other)
{
	const struct mail *more = inbox_mail(m, inbox);
	const struct mail *less = inbox_mail(m, other);
	const uint16_t *a, *b;
	size_t a_count, b_count, i, j = 0;

	if (inbox == other)
		return true;
	if ((less->blur[0] & ~more->blur[0]) != 0 ||
	    (less->blur[1] & ~more->blur[1]) != 0)
		return false;
	a = inbox_at(m, inbox, &a_count);
	b = inbox_at(m, other, &b_count);
	if (b_count > a_count)
		return false;
	for (i = 0; i < b_count; i++) {
		while (j < a_count && a[j] < b[i])
			j++;
		if (j == a_count || a[j] != b[i])
			return false;
	}
	return true;
}
