/* SPDX-License-Identifier: Apache-2.0 */
/* caller.h - somebody at a node's port: bytes sent and received by hand. */
#ifndef TESTS_LIB_CALLER_H
#define TESTS_LIB_CALLER_H

#include "base/frame.h"
#include "tests/lib/nodekit.h"

/* A connection to its port; the caller closes it. */
int caller_dial(const struct kit_node *k);
void caller_say(int fd, struct bytes bytes);
/* The frame *number, which rises; body is emptied. */
void caller_say_frame(int fd, uint64_t *number, uint8_t kind,
		      struct buffer *body);
/* Whether the other side ends the connection within five seconds; closes. */
bool caller_is_closed(int fd);
/* The same, and it calls as that member; the caller's next frame is number 1.
 */
int caller_links(const struct kit_node *from, const struct kit_node *to);
/* A HELLO of one member to another that runs, of a founded cluster, as frame
 * number 0 of a connection. Both have been started once, from an empty
 * folder. */
void caller_hello(const struct kit_node *from, const struct kit_node *to,
		  struct buffer *out);

/* The same of its start number boot, whose newest configuration is of this
 * entry. */
void caller_hello_of(const struct kit_node *from, const struct kit_node *to,
		     uint64_t boot, raft_index config, struct buffer *out);

/* Of one with the name of a member whose data is gone, and an id of its own. */
void caller_hello_empty(const struct kit_node *from, const struct kit_node *to,
			struct buffer *out);

/* The same as caller_hello(), of one that is about to send a snapshot. */
void caller_hello_snapshot(const struct kit_node *from,
			   const struct kit_node *to, struct buffer *out);

/* In the place of a member that does not run: wait until somebody dials its
 * address. The connection; the caller closes it. */
int caller_called(const struct kit_node *k);
/* What comes over a connection. Zero but for fd; in is the user's to deinit. */
struct caller_ear {
	int fd;
	uint64_t number; /* of the next frame */
	struct buffer in;
	size_t at; /* of what is not parsed yet */
};

/* Listen until a frame of this kind has come whole; its body is lent until the
 * next call. false: none came in five seconds. */
bool caller_hears(struct caller_ear *ear, uint8_t kind, struct bytes *body);
/* In the place of k: wait for a call of that node, and answer its HELLO. */
struct caller_ear caller_called_by(const struct kit_node *k,
				   const struct kit_node *by,
				   struct bytes answer);
void caller_ends(struct caller_ear *ear); /* the connection, too */

#endif
