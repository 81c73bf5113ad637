/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/hold.h"

#include <stdlib.h>

#include "base/mem.h"

void holds_deinit(struct holds *h)
{
	struct hold *at;
	struct hold *next;

	HASH_ITER (hh, h->set, at, next) {
		HASH_DEL(h->set, at);
		mem_free(at);
	}
	buffer_deinit(&h->told);
	*h = (struct holds){0};
}

static struct hold *hold_find(const struct holds *h, uint64_t id)
{
	struct hold *found;

	HASH_FIND(hh, h->set, &id, sizeof id, found);
	return found;
}

bool holds_add(struct holds *h, uint64_t id)
{
	struct hold *found = hold_find(h, id);

	if (found != NULL) {
		found->count++;
		return false;
	}
	found = mem_zalloc(sizeof *found);
	found->id = id;
	found->count = 1;
	HASH_ADD(hh, h->set, id, sizeof found->id, found);
	return true;
}

bool holds_remove(struct holds *h, uint64_t id)
{
	struct hold *found = hold_find(h, id);

	CHECK(found != NULL);
	if (--found->count > 0) {
		return false;
	}
	HASH_DEL(h->set, found);
	mem_free(found);
	return true;
}

bool holds_has(const struct holds *h, uint64_t id)
{
	return hold_find(h, id) != NULL;
}

static int compare_ids(const void *a, const void *b)
{
	return bytes_compare(bytes_of(a, sizeof(uint64_t)),
			     bytes_of(b, sizeof(uint64_t)));
}

struct bytes holds_told(struct holds *h, bool *many)
{
	const struct hold *at;

	*many = HASH_COUNT(h->set) > COMMAND_HELD;
	buffer_reset(&h->told);
	for (at = h->set; at != NULL && !*many; at = at->hh.next) {
		put_be64(buffer_reserve(&h->told, sizeof(uint64_t)), at->id);
		buffer_grow(&h->told, sizeof(uint64_t));
	}
	if (h->told.size > 0) {
		qsort(h->told.data, h->told.size / sizeof(uint64_t),
		      sizeof(uint64_t), compare_ids);
	}
	return buffer_bytes(&h->told);
}

/* --- The leader's roster -------------------------------------------------- */

static void remove_entry(struct roster *r, struct roster_entry *e)
{
	HASH_DEL(r->sessions, e);
	buffer_deinit(&e->held);
	mem_free(e);
}

void roster_reset(struct roster *r)
{
	roster_keep(r, NULL, 0);
}

void roster_keep(struct roster *r, const uint64_t *live, size_t count)
{
	struct roster_entry *at;
	struct roster_entry *next;

	HASH_ITER (hh, r->sessions, at, next) {
		bool lives = false;

		for (size_t i = 0; i < count && !lives; i++) {
			lives = live[i] == at->session;
		}
		if (!lives) {
			remove_entry(r, at);
		}
	}
}

struct roster_entry *roster_find(struct roster *r, uint64_t session,
				 uint64_t now_ms)
{
	struct roster_entry *found;

	HASH_FIND(hh, r->sessions, &session, sizeof session, found);
	if (found == NULL && HASH_COUNT(r->sessions) < ROSTER_SESSIONS) {
		found = mem_zalloc(sizeof *found);
		found->session = session;
		found->since_ms = now_ms;
		HASH_ADD(hh, r->sessions, session, sizeof found->session,
			 found);
	}
	return found;
}

size_t roster_lows(const struct roster *r)
{
	const struct roster_entry *at;
	size_t count = 0;

	for (at = r->sessions; at != NULL; at = at->hh.next) {
		count += at->low && at->voter ? 1 : 0;
	}
	return count;
}

uint64_t roster_roomy(const struct roster *r, uint64_t since_ms)
{
	const struct roster_entry *best = NULL;
	const struct roster_entry *at;

	for (at = r->sessions; at != NULL; at = at->hh.next) {
		if (at->voter && !at->low && at->heard_ms >= since_ms &&
		    (best == NULL || at->applied > best->applied)) {
			best = at;
		}
	}
	return best != NULL ? best->node : 0;
}

/* It was started anew: what it said in its life before counts no more. */
static void forget_disk(struct roster *r, uint64_t node)
{
	struct roster_entry *at;

	for (at = r->sessions; at != NULL; at = at->hh.next) {
		if (at->node == node) {
			at->low = at->voter = false;
		}
	}
}

bool roster_hear(struct roster *r, const struct alive *a, uint64_t node,
		 bool voter, uint64_t now_ms)
{
	struct roster_entry *e = roster_find(r, a->session, now_ms);

	if (e == NULL) {
		return false;
	}
	forget_disk(r, node);
	e->heard_ms = now_ms;
	e->applied = a->applied;
	e->many = a->many;
	e->low = a->low;
	e->voter = voter;
	e->node = node;
	e->sent_ms = a->sent_ms;
	buffer_reset(&e->held);
	buffer_append_bytes(&e->held, a->held);
	return true;
}

bool roster_holds(const struct roster *r, uint64_t id)
{
	const struct roster_entry *at;
	uint8_t key[sizeof(uint64_t)];

	put_be64(key, id);
	for (at = r->sessions; at != NULL; at = at->hh.next) {
		if (at->many ||
		    (at->held.size > 0 &&
		     bsearch(key, at->held.data, at->held.size / sizeof key,
			     sizeof key, compare_ids) != NULL)) {
			return true;
		}
	}
	return false;
}
