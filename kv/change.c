/* SPDX-License-Identifier: Apache-2.0 */
/* change.c - who asked for a change of members, until it is answered.
 *
 * Each is answered exactly once, with the lock free: by the node, by its
 * caller's interrupt, or at once when it is refused. */
#include "base/mem.h"
#include "kv/internal.h"

/* Lock held. Take it out of the list; NULL: it is answered already. */
static struct kv_changing *take(struct kv *kv, uint64_t ticket)
{
	struct kv_changing **at = &kv->changing;
	struct kv_changing *found;

	while (*at != NULL && (*at)->ticket != ticket) {
		at = &(*at)->next;
	}
	found = *at;
	if (found != NULL) {
		*at = found->next;
	}
	return found;
}

static void answer(struct kv *kv, uint64_t ticket, int status, const char *text)
{
	struct kv_changing *c;

	pthread_mutex_lock(&kv->lock);
	c = take(kv, ticket);
	pthread_mutex_unlock(&kv->lock);
	if (c != NULL) {
		c->changed(c->context, status, text);
		mem_free(c);
	}
}

static_assert((int)KV_ADD == (int)NODE_ADD &&
		      (int)KV_TRANSFER == (int)NODE_TRANSFER,
	      "the kinds are those of the node");

uint64_t kv_change(struct kv *kv, const struct kv_member_change *change,
		   kv_changed changed, void *context)
{
	struct kv_changing *c = mem_zalloc(sizeof *c);
	struct node_change ask = {
		.kind = (enum node_change_kind)change->kind,
		.name = change->name,
		.old = change->old,
		.address = change->address,
		.stay = change->stay,
	};
	uint64_t ticket;

	pthread_mutex_lock(&kv->lock);
	ticket = ++kv->last_change;
	*c = (struct kv_changing){.next = kv->changing,
				  .ticket = ticket,
				  .changed = changed,
				  .context = context};
	kv->changing = c;
	pthread_mutex_unlock(&kv->lock);
	if (node_change(kv->node, ticket, &ask) != 0) {
		answer(kv, ticket, STATUS_INVALID,
		       "that is no name or address of a node");
	}
	return ticket;
}

void kv_change_interrupt(struct kv *kv, uint64_t number)
{
	answer(kv, number, STATUS_INTERRUPTED, "it may still be done");
}

void kv_on_changed(void *context, uint64_t ticket, int status, const char *text)
{
	answer(context, ticket, status, text);
}

void kv_changes_deinit(struct kv *kv)
{
	while (kv->changing != NULL) {
		answer(kv, kv->changing->ticket, STATUS_ENDED,
		       "this node is ending");
	}
}
