/* SPDX-License-Identifier: Apache-2.0 */
/* seeds_files.c - a few good inputs for fuzz_files, fuzz_archive and fuzz_log.
 *
 * usage: seeds_files FOLDER   (writes FOLDER/files-*, archive-*, log-*) */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "proto/codec.h"
#include "proto/kv.pb.h"
#include "proto/raft.pb.h"
#include "raft/node/wire.h"

enum { SEALED = 4, BYTES_MAX = 65536 };
enum { MARKER, IDENTITY, PROMISE, REPAIR };

static void write_seed(const char *folder, const char *name,
		       struct buffer *seed)
{
	char *path = mem_printf("%s/%s", folder, name);
	FILE *file = fopen(path, "wb");

	CHECK(file != NULL);
	CHECK(fwrite(seed->data, 1, seed->size, file) == seed->size);
	CHECK(fclose(file) == 0);
	mem_free(path);
	buffer_reset(seed);
}

static void seed_message(const char *folder, const char *name, uint8_t which,
			 const pb_msgdesc_t *fields, const void *message)
{
	struct buffer seed = {0};
	uint8_t first = which | SEALED;

	buffer_append(&seed, &first, 1);
	codec_encode(&seed, fields, message, BYTES_MAX);
	write_seed(folder, name, &seed);
	buffer_deinit(&seed);
}

static void seed_identity(const char *folder)
{
	static struct wire_config founding = {
		.level = WIRE_LEVEL,
		.cluster = {7},
		.count = 2,
		.members = {{.name = "n1",
			     .id = 17,
			     .address = "127.0.0.1:7001"},
			    {.name = "n2", .id = 18, .address = "[::1]:7002"}},
	};
	static raft_Identity message = {.name = "n1", .id = 17, .boot = 3};
	struct buffer record = {0};

	seed_message(folder, "files-identity-new", IDENTITY,
		     raft_Identity_fields, &message);
	wire_encode_config(&record, &founding);
	memcpy(message.founding.bytes, record.data, record.size);
	message.founding.size = (pb_size_t)record.size;
	message.log_begun = true;
	seed_message(folder, "files-identity", IDENTITY, raft_Identity_fields,
		     &message);
	message.joined = true;
	message.id = 19;
	seed_message(folder, "files-identity-joined", IDENTITY,
		     raft_Identity_fields, &message);
	buffer_deinit(&record);
}

static void seed_promise(const char *folder)
{
	struct buffer seed = {0};
	uint8_t promise[25] = {PROMISE | SEALED};

	put_le64(promise + 1, 5);
	put_le64(promise + 9, 17);
	put_le64(promise + 17, 1);
	buffer_append(&seed, promise, sizeof promise);
	write_seed(folder, "files-promise", &seed);
	buffer_deinit(&seed);
}

static void add_part(struct buffer *seed, uint8_t kind,
		     const pb_msgdesc_t *fields, const void *message)
{
	struct buffer body = {0};
	uint8_t head[3] = {kind};

	codec_encode(&body, fields, message, BYTES_MAX);
	put_le16(head + 1, (uint16_t)body.size);
	buffer_append(seed, head, sizeof head);
	buffer_append_bytes(seed, buffer_bytes(&body));
	buffer_deinit(&body);
}

static void seed_archive(const char *folder)
{
	static const uint8_t content[] = {3, 4, 0, 'd', 'a', 't', 'a'};
	kv_Backup begin = {.index = 9, .term = 2, .made_ns = 5, .name = "n1"};
	kv_BackupFile table = {.name = "000012.sst", .size = 4};
	kv_BackupFile empty = {.name = "CURRENT", .size = 0};
	kv_BackupEnd end = {.files = 2, .bytes = 4};
	struct buffer seed = {0};

	buffer_append(&seed, "\1", 1);
	add_part(&seed, 1, kv_Backup_fields, &begin);
	add_part(&seed, 2, kv_BackupFile_fields, &table);
	buffer_append(&seed, content, sizeof content);
	add_part(&seed, 2, kv_BackupFile_fields, &empty);
	add_part(&seed, 4, kv_BackupEnd_fields, &end);
	write_seed(folder, "archive-two", &seed);
	buffer_append(&seed, "\0raftfsbk", 9);
	write_seed(folder, "archive-as-it-is", &seed);
	buffer_deinit(&seed);
}

/* See fuzz_log.c: two records of one entry each, the second in a segment of its
 * own. */
static void seed_log(const char *folder)
{
	uint8_t segment[6] = {1, 1};
	uint8_t first[9] = {0, 36, 0, 1, 1, 0, 0, 0, 1};
	uint8_t second[9] = {1, 36, 0, 2, 0, 1, 1, 1, 1};
	uint8_t entry[36] = {0};
	struct buffer seed = {0};

	put_le64(entry + 8, 1);
	put_le32(entry + 24, 4);
	put_le32(entry + 28, 3);
	memcpy(entry + 32, "data", 4);
	buffer_append(&seed, segment, sizeof segment);
	buffer_append(&seed, first, sizeof first);
	buffer_append(&seed, entry, sizeof entry);
	put_le64(entry + 8, 2);
	buffer_append(&seed, second, sizeof second);
	buffer_append(&seed, entry, sizeof entry);
	write_seed(folder, "log-two", &seed);
	buffer_deinit(&seed);
}

int main(int argc, char **argv)
{
	kv_Marker marker = {1, 900, 4, true};
	raft_Repair repair = {.begun = true, .what = "log-1: damaged"};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: seeds_files FOLDER\n");
		return 2;
	}
	seed_message(argv[1], "files-marker", MARKER, kv_Marker_fields,
		     &marker);
	seed_message(argv[1], "files-repair", REPAIR, raft_Repair_fields,
		     &repair);
	seed_identity(argv[1]);
	seed_promise(argv[1]);
	seed_archive(argv[1]);
	seed_log(argv[1]);
	return 0;
}
