/* SPDX-License-Identifier: Apache-2.0 */
/* bulk.c - someone who writes much and asks for nothing: a few files, again
 * and again, so that logs are cut and states are worth a transfer. */
#include <stdio.h>

#include "fs/tree/tree.h"
#include "tests/sim/inside.h"

static struct {
	unsigned files;
	uint32_t bytes; /* of one write, at most */
	uint64_t gap_ns;
	int node; /* the next write's */
	struct sim_random random;
} bulk;

static void nobody_waits(void *context, int status, struct bytes result)
{
	(void)context;
	(void)status;
	(void)result;
}

static void write_one(void *context)
{
	struct kv *kv = sim_kv(bulk.node);
	struct fs_op op = {.kind = FS_OP_SET, .dir = FS_ROOT, .mode = 0644};
	struct buffer operation = {0};
	struct buffer data = {0};
	size_t size = (size_t)sim_below(&bulk.random, bulk.bytes);
	char name[16];

	(void)context;
	(void)snprintf(name, sizeof name, "bulk%u",
		       (unsigned)sim_below(&bulk.random, bulk.files));
	while (data.size < size) {
		uint64_t word = sim_draw(&bulk.random);

		buffer_append(&data, &word, sizeof word);
	}
	op.name = bytes_of_text(name);
	op.data = buffer_bytes(&data);
	fs_op_encode(&op, &operation);
	(void)kv_propose(kv, buffer_bytes(&operation),
			 kv_now_ms() + sim.plan.timeout_ms, nobody_waits, NULL);
	buffer_deinit(&operation);
	buffer_deinit(&data);
}

static void run(void *context)
{
	(void)context;
	while (sim.phase != SIM_CALM) {
		sim_sleep(1 + sim_below(&bulk.random, 2 * bulk.gap_ns));
		bulk.node = (int)sim_below(&bulk.random, sim_nodes());
		(void)sim_call(bulk.node, write_one, NULL);
	}
}

void bulk_begin(void)
{
	bulk.random = sim_stream(STREAM_BULK);
	bulk.files = 1 + (unsigned)sim_below(&bulk.random, 40);
	bulk.bytes = sim.plan.entry_bytes_max - 1024;
	bulk.gap_ns = sim.plan.fire_ms * SIM_MS /
		      (100 + sim_below(&bulk.random, 1400));
	if (sim_below(&bulk.random, 2) == 0) {
		sim_spawn(SIM_WORLD, "bulk", run, NULL);
	}
}
