/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/agree.h"

#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "fs/tree/tree.h"
#include "kv/record.h"
#include "tests/lib/memstore.h"
#include "tests/sim/history.h"
#include "tests/sim/law.h"

/* What was applied at an index, by whoever was first. */
struct applied_at {
	uint64_t operation; /* hash; 0: no operation of the machine */
	uint64_t result;
	uint64_t time_ns;
	uint64_t state; /* 0: not known */
	uint64_t whole; /* of the state as it is read; 0: not known */
	int node;
};

static struct {
	struct applied_at *at;
	size_t capacity;
	raft_index last[SIM_NODES_MAX]; /* in this life */
	raft_index highest;
	uint64_t compared;
} agree;

void agree_begin(void)
{
	memset(&agree, 0, sizeof agree);
}

uint64_t agree_compared(void)
{
	return agree.compared;
}

raft_index agree_last(void)
{
	return agree.highest;
}

void agree_dropped(int node, raft_index applied)
{
	if (agree.last[node] > applied) {
		agree.last[node] = applied;
	}
}

void agree_died(int node)
{
	agree.last[node] = 0;
}

static struct applied_at *place(raft_index index)
{
	size_t old = agree.capacity;

	if (index >= old) {
		CHECK(index < 1 << 24);
		while (index >= agree.capacity) {
			agree.capacity = 2 * agree.capacity + 256;
		}
		agree.at = mem_realloc(agree.at,
				       agree.capacity * sizeof *agree.at);
		memset(agree.at + old, 0,
		       (agree.capacity - old) * sizeof *agree.at);
	}
	return &agree.at[index];
}

static uint64_t hash_of(struct bytes b)
{
	return XXH3_64bits(b.data, b.size) | 1;
}

uint64_t agree_number(struct bytes operation)
{
	struct fs_op op;

	return fs_op_decode(operation, &op) == 0 && op.kind != FS_OP_SETATTR
		       ? (uint64_t)op.mtime_ns
		       : 0;
}

/* The operation had an effect on what a name shows. */
static bool took_effect(struct bytes result)
{
	struct fs_result r;

	return fs_result_decode(result, &r) == 0 && r.error == 0 &&
	       (r.written == 0 || r.attr.nlink > 0);
}

static void check_same(int node, raft_index index, const struct applied_at *was,
		       const struct applied_at *now)
{
	const char *differs = NULL;

	if (was->operation != now->operation) {
		differs = "operation";
	} else if (was->time_ns != now->time_ns) {
		differs = "time";
	} else if (was->result != now->result) {
		differs = "result";
	} else if (was->state != 0 && now->state != 0 &&
		   was->state != now->state) {
		differs = "state";
	}
	if (differs != NULL) {
		sim_fail("A1 %s and %s differ at %lu: another %s",
			 sim_name(node), sim_name(was->node),
			 (unsigned long)index, differs);
	}
	agree.compared += was->state != 0 && now->state != 0;
}

void agree_applied(int node, const struct kv_at *at, struct bytes operation,
		   struct bytes result)
{
	struct record_key applied = record_applied();
	struct kv_reader *batch = sim_batch(node);
	struct applied_at *was = place(at->index);
	struct applied_at now = {.operation = hash_of(operation),
				 .result = hash_of(result),
				 .time_ns = at->time_ns,
				 .node = node};

	if (batch != NULL) {
		now.state = memstore_hash(batch, record_bytes(&applied)) | 1;
	}
	if (law_term(at->index) == 0) {
		sim_fail("A2 %s applies entry %lu, which is not committed",
			 sim_name(node), (unsigned long)at->index);
	}
	if (at->index <= agree.last[node]) {
		sim_fail("A2 %s applies %lu after %lu", sim_name(node),
			 (unsigned long)at->index,
			 (unsigned long)agree.last[node]);
	}
	agree.last[node] = at->index;
	if (was->operation != 0) {
		check_same(node, at->index, was, &now);
		return;
	}
	if (at->index > agree.highest) {
		agree.highest = at->index;
	}
	now.whole = was->whole;
	*was = now;
	history_applied(agree_number(operation), at->index, took_effect(result),
			result);
}

/* --- The whole state --------------------------------------------------------
 */

struct sum {
	uint64_t hash;
	struct bytes without;
};

static bool add_item(void *context, struct bytes key, struct bytes value)
{
	struct sum *s = context;

	if (!bytes_equal(key, s->without)) {
		s->hash = XXH3_64bits_withSeed(key.data, key.size, s->hash);
		s->hash = XXH3_64bits_withSeed(value.data, value.size, s->hash);
	}
	return true;
}

static uint64_t whole_hash(int node, struct kv_reader *r)
{
	struct record_key applied = record_applied();
	struct sum s = {.without = record_bytes(&applied)};

	if (kv_scan(r, bytes_of("", 0), bytes_of("", 0), add_item, &s) != 0) {
		sim_fail("A1 %s: its state can not be read", sim_name(node));
	}
	return s.hash | 1;
}

raft_index agree_whole(int node, struct kv_reader *r, bool *compared)
{
	struct buffer problem = {0};
	struct applied applied;
	struct applied_at *was;
	uint64_t hash;

	*compared = false;
	if (applied_load(r, &applied) != 0 || applied.index == 0) {
		return 0;
	}
	was = place(applied.index);
	hash = whole_hash(node, r);
	if (was->whole != 0 && was->whole != hash) {
		sim_fail("A1 %s at %lu has not the state others had there",
			 sim_name(node), (unsigned long)applied.index);
	}
	*compared = was->whole != 0;
	was->whole = hash;
	if (fs_check(r, &problem) != 0) {
		sim_fail("A1 %s: the tree at %lu is broken: %s", sim_name(node),
			 (unsigned long)applied.index, buffer_text(&problem));
	}
	buffer_deinit(&problem);
	return applied.index;
}
