/* SPDX-License-Identifier: Apache-2.0 */
/* packet.h - messages, and sets of them: bundles sent at once to one node,
 * and inboxes, all that was ever sent to one. */
#ifndef TESTS_EXPLORE_PACKET_H
#define TESTS_EXPLORE_PACKET_H

#include "tests/explore/model.h"

/* msg as sent; log: the sender's, from which an append's entries come. */
uint32_t packet_add(struct model *m, const struct raft_msg *msg, uint64_t log);
const struct packet *packet_at(const struct model *m, uint32_t packet);
uint32_t packet_reorder(struct model *m, uint32_t packet, uint32_t order);
/* Make the event of its arrival; runs and sizes (LOG_MAX each) are lent. */
void packet_event(const struct packet *p, struct raft_event *ev,
		  struct raft_run *runs, const uint32_t *sizes);

/* The bundle of those of m->sent that go to node `to`; 0: none. */
uint32_t bundle_of_sent(struct model *m, raft_id to);
uint32_t bundle_join(struct model *m, uint32_t a, uint32_t b);
const uint16_t *bundle_at(const struct model *m, uint32_t bundle,
			  size_t *count);

/* numbers: rising. */
uint32_t inbox_of(struct model *m, const uint16_t *numbers, size_t count);
uint32_t inbox_add(struct model *m, uint32_t inbox, uint32_t bundle);
const uint16_t *inbox_at(const struct model *m, uint32_t inbox, size_t *count);
uint32_t inbox_reorder(struct model *m, uint32_t inbox, uint32_t order);
bool inbox_has_all(const struct model *m, uint32_t inbox, uint32_t other);
const struct mail *inbox_mail(const struct model *m, uint32_t inbox);

/* Numbers below of something in an order, remembered in m->ordered. */
enum ordered { ORDERED_PACKET, ORDERED_INBOX, ORDERED_NODE };
uint32_t *ordered_at(struct model *m, enum ordered what, uint32_t number,
		     uint32_t order);

#endif
