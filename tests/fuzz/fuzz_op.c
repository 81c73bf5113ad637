/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_op.c - whatever an entry holds, applying it neither crashes nor leaves
 * an unsound tree.
 *
 * The input is a list of entries: size 2 (little-endian), bytes. */
#include "fs/tree/tree.h"
#include "tests/lib/memstore.h"

enum { ENTRIES_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ignore(void *context, struct bytes note)
{
	struct fs_note decoded;

	(void)context;
	CHECK(fs_note_decode(note, &decoded) == 0);
}

static void apply(const struct kv_machine *machine, struct kv_batch *b,
		  uint64_t index, struct bytes operation)
{
	struct kv_at at = {.index = index, .time_ns = index * 1000};
	struct buffer result = {0};
	struct fs_result decoded;

	CHECK(machine->apply(machine->context, b, &at, operation, &result) ==
	      0);
	CHECK(fs_result_decode(buffer_bytes(&result), &decoded) == 0);
	buffer_deinit(&result);
}

static void check(struct kv_reader *r)
{
	struct buffer problem = {0};

	CHECK(fs_check(r, &problem) == 0);
	buffer_deinit(&problem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct store *store = memstore_open(NULL);
	struct kv_batch *b = store->ops->begin(store, ignore, NULL);
	struct bytes left = bytes_of(data, size);
	struct buffer birth = {0};
	struct kv_machine machine;
	uint64_t index = 1;

	fs_machine(0, 0, &machine);
	machine.birth(machine.context, &birth);
	apply(&machine, b, index++, buffer_bytes(&birth));
	while (left.size >= 2 && index < ENTRIES_MAX) {
		size_t entry = get_le16(left.data);

		left = bytes_of(left.data + 2, left.size - 2);
		entry = entry < left.size ? entry : left.size;
		apply(&machine, b, index++, bytes_of(left.data, entry));
		left = bytes_of(left.data + entry, left.size - entry);
	}
	check(&b->reader);
	buffer_deinit(&birth);
	CHECK(store->ops->commit(store, b) == 0);
	store->ops->close(store);
	return 0;
}
