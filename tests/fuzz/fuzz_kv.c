/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_kv.c - whatever an entry or a message between kv rooms holds, nothing
 * crashes, and how the entries are cut into batches does not matter.
 *
 * The input is a list of payloads: size 2 (little-endian), bytes. */
#include "kv/apply.h"
#include "kv/command.h"
#include "tests/lib/memstore.h"
#include "tests/lib/toy.h"

enum { ENTRIES_MAX = 256 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_message(struct bytes message)
{
	enum peer_kind kind;
	struct alive a;
	struct heard h;

	if (peer_decode(message, &kind, &a, &h) == 0 && kind == PEER_ALIVE &&
	    a.held.size > 0) {
		CHECK(a.held.data >= message.data &&
		      a.held.data + a.held.size <= message.data + message.size);
	}
}

static size_t read_entries(struct bytes left, struct entry **entries)
{
	size_t count = 0;

	while (left.size >= 2 && count < ENTRIES_MAX) {
		size_t size = get_le16(left.data);
		struct entry *e;

		left = bytes_of(left.data + 2, left.size - 2);
		size = size < left.size ? size : left.size;
		e = entry_new(ENTRY_COMMAND, left.data, size);
		e->index = count + 1;
		e->term = 1;
		e->time_ns = count * 1000;
		entries[count++] = e;
		left = bytes_of(left.data + size, left.size - size);
	}
	return count;
}

static bool append_item(void *context, struct bytes key, struct bytes value)
{
	struct buffer *out = context;

	buffer_append_bytes(out, key);
	buffer_append_bytes(out, value);
	return true;
}

/* The state after these entries, `part` at a time. */
static void run(struct entry **entries, size_t count, size_t part,
		struct buffer *out)
{
	struct store *store = memstore_open(NULL);
	struct kv_machine machine = toy_machine(NULL);
	struct feed feed;
	struct applier applier = {0};

	feed_init(&feed);
	CHECK(applier_init(&applier, store, &machine, &feed) == 0);
	for (size_t i = 0; i < count; i += part) {
		size_t left = count - i;

		CHECK(applier_apply(&applier, entries + i,
				    left < part ? left : part) == 0);
	}
	CHECK(kv_scan(&store->reader, bytes_of("", 0), bytes_of("", 0),
		      append_item, out) == 0);
	applier_deinit(&applier);
	feed_deinit(&feed);
	store->ops->close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct entry *entries[ENTRIES_MAX];
	size_t count = read_entries(bytes_of(data, size), entries);
	struct buffer one = {0};
	struct buffer other = {0};

	read_message(bytes_of(data, size));
	run(entries, count, 1, &one);
	run(entries, count, 7, &other);
	CHECK(bytes_equal(buffer_bytes(&one), buffer_bytes(&other)));
	for (size_t i = 0; i < count; i++) {
		entry_unref(entries[i]);
	}
	buffer_deinit(&one);
	buffer_deinit(&other);
	return 0;
}
