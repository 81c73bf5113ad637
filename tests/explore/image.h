/* SPDX-License-Identifier: Apache-2.0 */
/* image.h - a core as a short string of bytes, and back.
 *
 * All of struct raft is kept but the unused tails of its arrays, so a field
 * that is new is kept too. What no core and no peer can see, or only sees by
 * a clock, is made equal first (image_settle). */
#ifndef TESTS_EXPLORE_IMAGE_H
#define TESTS_EXPLORE_IMAGE_H

#include "tests/explore/model.h"

enum {
	IMAGE_BYTES_MAX = 8192,
	/* The time at which every settled core is; far from 0. */
	IMAGE_NOW = 1 << 20,
	IMAGE_HEARTBEAT_MS = 100,
	IMAGE_ELECTION_MS = 1000,
};

struct image;

/* model: a core as it starts; images are the difference to it. */
struct image *image_new(const struct raft *model);
void image_free(struct image *image);

/* The size of what was written to bytes (IMAGE_BYTES_MAX). */
size_t image_store(const struct image *image, const struct raft *r,
		   unsigned char *bytes);
/* r has been a core before: unused tails are left as they are. */
void image_load(const struct image *image, const unsigned char *bytes,
		struct raft *r);

/* Give r the form that stands for all cores that behave as it does. Saves
 * are counted from 0 again: return by how much their numbers fell. */
raft_seq image_settle(struct raft *r, const struct bounds *bounds);

/* The nodes change names. */
void image_reorder(struct raft *r, const struct order *order);

/* The log's terms. */
uint64_t image_log(const struct raft *r);

#endif
