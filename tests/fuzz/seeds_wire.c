/* SPDX-License-Identifier: Apache-2.0 */
/* seeds_wire.c - a few good inputs for fuzz_frame and fuzz_wire.
 *
 * usage: seeds_wire FOLDER   (writes FOLDER/frame-* and FOLDER/wire-*) */
#include "base/frame.h"
#include "base/mem.h"
#include "raft/node/wire.h"

#include <stdio.h>
#include <string.h>

static void write_seed(const char *folder, const char *name, struct bytes seed)
{
	char *path = mem_printf("%s/%s", folder, name);
	FILE *file = fopen(path, "wb");

	CHECK(file != NULL);
	CHECK(fwrite(seed.data, 1, seed.size, file) == seed.size);
	CHECK(fclose(file) == 0);
	mem_free(path);
}

/* One seed of each target for a body of this kind. */
static void seed(const char *folder, const char *name, enum wire_kind kind,
		 struct buffer *body)
{
	struct buffer wire = {0}, frame = {0};
	uint8_t first = (uint8_t)kind;
	char *wire_name = mem_printf("wire-%s", name);
	char *frame_name = mem_printf("frame-%s", name);
	size_t start;

	buffer_append(&wire, &first, 1);
	buffer_append_bytes(&wire, buffer_bytes(body));
	write_seed(folder, wire_name, buffer_bytes(&wire));

	first = 0;
	buffer_append(&frame, &first, 1);
	start = frame_begin(&frame);
	buffer_append_bytes(&frame, buffer_bytes(body));
	frame_seal(&frame, start, (uint8_t)kind, 0);
	write_seed(folder, frame_name, buffer_bytes(&frame));

	buffer_reset(body);
	buffer_deinit(&wire);
	buffer_deinit(&frame);
	mem_free(wire_name);
	mem_free(frame_name);
}

static void seed_members(const char *folder, struct buffer *body)
{
	struct wire_hello hello = {
		.level = WIRE_LEVEL,
		.name = "n1",
		.id = 17,
		.boot = 1,
		.target = "n2",
		.count = 2,
		.members = {{.name = "n1",
			     .id = 17,
			     .address = "127.0.0.1:7001"},
			    {.name = "n2", .id = 18, .address = "[::1]:7002"}},
	};
	struct wire_config founding = {.level = WIRE_LEVEL, .count = 2};

	wire_encode_hello(body, &hello);
	seed(folder, "hello-empty", WIRE_HELLO, body);
	hello.founded = true;
	memset(hello.cluster, 0xab, sizeof hello.cluster);
	wire_encode_hello(body, &hello);
	seed(folder, "hello", WIRE_HELLO, body);
	memcpy(founding.cluster, hello.cluster, sizeof founding.cluster);
	memcpy(founding.members, hello.members, sizeof hello.members);
	wire_encode_config(body, &founding);
	seed(folder, "found", WIRE_FOUND, body);
	founding.members[1].standing = WIRE_LEARNER;
	founding.members[1].replaces = 17;
	wire_encode_config(body, &founding);
	seed(folder, "join", WIRE_JOIN, body);
}

static void seed_changes(const char *folder, struct buffer *body)
{
	struct wire_denied denied = {
		.reason = WIRE_DENIED_LATER,
		.cluster = {1},
		.name = "n4",
		.address = "127.0.0.1:7001",
	};
	struct wire_change change = {
		.ticket = 7,
		.kind = WIRE_CHANGE_REPLACE,
		.name = "n4",
		.old = "n3",
		.address = "[::1]:7004",
	};
	struct wire_changed changed = {
		.ticket = 7,
		.status = STATUS_EXISTS,
		.asked = 1,
		.text = "is there already",
	};
	struct wire_changed under_way = {.ticket = 8, .index = 71};

	wire_encode_denied(body, &denied);
	seed(folder, "denied", WIRE_DENIED, body);
	wire_encode_change(body, &change);
	seed(folder, "change", WIRE_CHANGE, body);
	wire_encode_changed(body, &changed);
	seed(folder, "changed", WIRE_CHANGED, body);
	wire_encode_changed(body, &under_way);
	seed(folder, "changed-ok", WIRE_CHANGED, body);
}

static void seed_core(const char *folder, struct buffer *body)
{
	struct entry *entries[] = {entry_new(ENTRY_COMMAND, "set a", 5),
				   entry_new(ENTRY_NOOP, NULL, 0)};
	struct raft_msg msg = {
		.kind = RAFT_APPEND,
		.from = 17,
		.to = 18,
		.term = 3,
		.pos = {2, 4},
		.last = 6,
		.commit = 4,
		.round = 9,
	};

	entries[0]->term = 2;
	entries[1]->term = 3;
	wire_encode_core(body, &msg, entries, 2);
	seed(folder, "append", WIRE_CORE, body);
	msg.kind = RAFT_APPEND_REPLY;
	msg.reject = true;
	wire_encode_core(body, &msg, NULL, 0);
	seed(folder, "reply", WIRE_CORE, body);
	wire_encode_propose(body, 3, entries, 1);
	seed(folder, "propose", WIRE_PROPOSE, body);
	entry_unref(entries[0]);
	entry_unref(entries[1]);
}

int main(int argc, char **argv)
{
	struct wire_refused refused = {STATUS_FULL, 3, 17};
	struct buffer body = {0};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: seeds_wire FOLDER\n");
		return 2;
	}
	seed_members(argv[1], &body);
	seed_core(argv[1], &body);
	seed_changes(argv[1], &body);
	wire_encode_refused(&body, &refused);
	seed(argv[1], "refused", WIRE_REFUSED, &body);
	buffer_append(&body, "x", 1);
	seed(argv[1], "ping", WIRE_PING, &body);
	buffer_append(&body, "alive", 5);
	seed(argv[1], "opaque", WIRE_OPAQUE, &body);
	buffer_deinit(&body);
	return 0;
}
