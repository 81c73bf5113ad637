/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.c - committed entries to the client, never too far ahead of it. */
#include "raft/node/snap.h"

enum { DISK_ENTRIES_MAX = 2048 }; /* read in one turn, so that it ends */

void deliver_init(struct delivery *d, raft_index applied)
{
	*d = (struct delivery){
		.committed = applied,
		.delivered = applied,
		.applied = applied,
	};
}

static void add_piece(struct delivery *d, raft_index last, uint64_t bytes)
{
	size_t newest = (d->head + d->count - 1) % PIECES_MAX;

	d->bytes += bytes;
	if (d->count == 0 ||
	    (d->pieces[newest].bytes > PIECE_BYTES && d->count < PIECES_MAX)) {
		newest = (d->head + d->count) % PIECES_MAX;
		d->pieces[newest].bytes = 0;
		d->count++;
	}
	d->pieces[newest].last = last;
	d->pieces[newest].bytes += bytes;
}

static void drop_pieces(struct delivery *d)
{
	while (d->count > 0 && d->pieces[d->head].last <= d->applied) {
		d->bytes -= d->pieces[d->head].bytes;
		d->head = (d->head + 1) % PIECES_MAX;
		d->count--;
	}
}

/* What the client says it has applied: for itself, and for the core. */
static void note_applied(struct node *n)
{
	struct delivery *d = &n->delivery;
	raft_index applied = atomic_load(&n->inbox.applied);
	struct raft_event ev = {
		.kind = RAFT_EV_APPLIED,
		.applied.index = applied,
	};

	if (applied <= d->applied) {
		return;
	}
	CHECK(applied <= d->delivered);
	d->applied = applied;
	drop_pieces(d);
	(void)drive_step(n, &ev);
}

/* Whether more may be delivered; if not, node_applied() wakes the loop. */
static bool has_room(struct node *n)
{
	struct delivery *d = &n->delivery;

	if (d->bytes < LIMIT_UNAPPLIED_BYTES) {
		return true;
	}
	atomic_store(&n->inbox.stalled, true);
	note_applied(n); /* it may have moved just before */
	return d->bytes < LIMIT_UNAPPLIED_BYTES;
}

/* The next entries, at most one atomic apply of them. */
static size_t chunk(struct node *n, struct entry **entries, uint64_t *bytes)
{
	struct delivery *d = &n->delivery;
	size_t count = 0;

	*bytes = 0;
	while (count < LIMIT_APPLY_ENTRIES &&
	       d->delivered + count < d->committed) {
		struct entry *e = drive_entry(n, d->delivered + 1 + count);

		CHECK(e != NULL); /* what is not applied is never cut */
		if (count > 0 && *bytes + e->size > LIMIT_APPLY_BYTES) {
			entry_unref(e);
			break;
		}
		entries[count++] = e;
		*bytes += e->size + sizeof *e;
	}
	return count;
}

void deliver_turn(struct node *n)
{
	static_assert((int)LIMIT_APPLY_ENTRIES <= (int)LIMIT_MESSAGE_ENTRIES,
		      "a chunk fits in the scratch array");
	struct delivery *d = &n->delivery;
	size_t total = 0, count;
	uint64_t bytes;

	if (snap_is_loading(n)) {
		return;
	}
	note_applied(n);
	while (d->delivered < d->committed && has_room(n)) {
		if (total >= DISK_ENTRIES_MAX) {
			inbox_poke(n); /* go on after looking at the links */
			return;
		}
		count = chunk(n, n->gathered, &bytes);
		d->delivered += count;
		total += count;
		add_piece(d, d->delivered, bytes);
		mark_set(&n->mark, d->delivered);
		n->client->commit(n->context, n->gathered, count);
	}
}
