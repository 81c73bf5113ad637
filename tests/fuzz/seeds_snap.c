/* SPDX-License-Identifier: Apache-2.0 */
/* seeds_snap.c - a few good inputs for fuzz_snap.
 *
 * usage: seeds_snap FOLDER   (writes FOLDER/snap-*) */
#include "base/mem.h"
#include "base/status.h"
#include "raft/node/snap_wire.h"

#include <stdio.h>
#include <xxhash.h>

static void write_seed(const char *folder, enum snap_kind kind,
		       struct buffer *body)
{
	char *path = mem_printf("%s/snap-%d", folder, (int)kind);
	FILE *file = fopen(path, "wb");
	uint8_t first = (uint8_t)(kind - SNAP_OFFER);

	CHECK(file != NULL);
	CHECK(fwrite(&first, 1, 1, file) == 1);
	CHECK(fwrite(body->data, 1, body->size, file) == body->size);
	CHECK(fclose(file) == 0);
	mem_free(path);
	buffer_reset(body);
}

int main(int argc, char **argv)
{
	static const struct snap_file files[] = {{"000012.sst", 1000},
						 {"CURRENT", 16}};
	static const struct snap_piece pieces[] = {{0, 10, 7}, {9, 1, 8}};
	struct snap_offer offer = {
		.term = 5,
		.pos = {.term = 4, .index = 900},
		.members_index = 1,
		.members = bytes_of_text("members"),
		.count = 2,
	};
	struct snap_chunk chunk = {
		.file = 1,
		.at = 300000,
		.hash = 5,
		.data = bytes_of_text("data"),
	};
	struct snap_verdict verdict = {STATUS_NO_SPACE, 900};
	struct buffer body = {0};

	if (argc != 2) {
		(void)fprintf(stderr, "usage: seeds_snap FOLDER\n");
		return 2;
	}
	snap_encode_offer(&body, &offer, files);
	write_seed(argv[1], SNAP_OFFER, &body);
	snap_encode_have(&body, pieces, 2);
	write_seed(argv[1], SNAP_HAVE, &body);
	snap_encode_chunk(&body, &chunk,
			  XXH3_64bits(chunk.data.data, chunk.data.size));
	write_seed(argv[1], SNAP_CHUNK, &body);
	snap_encode_ack(&body, 77);
	write_seed(argv[1], SNAP_ACK, &body);
	snap_encode_done(&body);
	write_seed(argv[1], SNAP_DONE, &body);
	snap_encode_verdict(&body, &verdict);
	write_seed(argv[1], SNAP_VERDICT, &body);
	buffer_deinit(&body);
	return 0;
}
