/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/snap_copy.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"

/* --- Making one ----------------------------------------------------------- */

struct listing {
	struct snap_copy *copy;
	size_t capacity;
	int rc;
};

static void note_file(void *context, const char *name)
{
	struct listing *l = context;
	struct snap_copy *copy = l->copy;
	struct snap_file *file;

	if (!snap_name_valid(name)) {
		l->rc = STATUS_INVALID;
	} else if (copy->count == SNAP_FILES_MAX) {
		l->rc = STATUS_TOO_BIG;
	}
	if (l->rc != 0) {
		return;
	}
	if (copy->count == l->capacity) {
		l->capacity = 2 * l->capacity + 64;
		copy->files =
			mem_realloc(copy->files, l->capacity * sizeof *file);
	}
	file = &copy->files[copy->count++];
	*file = (struct snap_file){.size = 0};
	memcpy(file->name, name, strlen(name));
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct snap_file *)a)->name,
		      ((const struct snap_file *)b)->name);
}

static int measure(struct snap_copy *copy)
{
	int rc = 0;

	for (size_t i = 0; i < copy->count && rc == 0; i++) {
		struct disk_file *file;

		rc = copy->disk->ops->open(copy->disk, copy->files[i].name,
					   false, &file);
		if (rc == 0) {
			rc = copy->disk->ops->size(file, &copy->files[i].size);
			copy->disk->ops->close(file);
		}
		if (rc == 0 &&
		    copy->files[i].size > SNAP_BYTES_MAX - copy->bytes) {
			rc = STATUS_TOO_BIG;
		}
		copy->bytes += rc == 0 ? copy->files[i].size : 0;
	}
	return rc;
}

static int look(struct snap_copy *copy)
{
	struct listing listing = {.copy = copy};
	int rc = disk_system(copy->path, &copy->disk);

	if (rc == 0) {
		rc = copy->disk->ops->list(copy->disk, note_file, &listing);
	}
	rc = rc == 0 ? listing.rc : rc;
	if (rc == 0 &&
	    (copy->count == 0 || copy->info.pos.index == 0 ||
	     copy->info.members_index == 0 || copy->info.members.size == 0 ||
	     copy->info.members.size > SNAP_MEMBERS_BYTES_MAX)) {
		rc = STATUS_INVALID;
	}
	if (rc == 0) {
		qsort(copy->files, copy->count, sizeof *copy->files, by_name);
		rc = measure(copy);
	}
	return rc;
}

int snap_copy_make(const struct node_client *client, void *context,
		   const char *path, struct snap_copy **out)
{
	struct snap_copy *copy;
	int rc = folder_remove(path);

	if (rc != 0) {
		return rc;
	}
	copy = mem_zalloc(sizeof *copy);
	copy->path = mem_strdup(path);
	rc = client->snapshot(context, path, &copy->info);
	if (rc == 0) {
		rc = look(copy);
	}
	if (rc != 0) {
		snap_copy_free(copy);
		return rc;
	}
	*out = copy;
	return 0;
}

void snap_copy_free(struct snap_copy *copy)
{
	int rc;

	if (copy == NULL) {
		return;
	}
	if (copy->disk != NULL) {
		copy->disk->ops->free(copy->disk);
	}
	rc = folder_remove(copy->path);
	if (rc != 0) {
		log_warn("cannot remove %s: %s", copy->path, status_text(rc));
	}
	buffer_deinit(&copy->info.members);
	mem_free(copy->files);
	mem_free(copy->path);
	mem_free(copy);
}

/* --- Reading it out ------------------------------------------------------- */

struct snap_reader {
	const struct snap_copy *copy;
	struct snap_piece *pieces;
	size_t piece_count, piece;
	uint32_t file;		/* the one being read, or the next */
	struct disk_file *open; /* NULL: it is the next */
	uint64_t at;
	uint64_t kept;
	XXH3_state_t *hash; /* of its bytes before `at` */
	uint8_t *data;	    /* SNAP_CHUNK_BYTES */
};

struct snap_reader *snap_reader_new(const struct snap_copy *copy,
				    const struct snap_piece *pieces,
				    size_t count)
{
	struct snap_reader *r = mem_zalloc(sizeof *r);

	r->copy = copy;
	if (count > 0) {
		r->pieces = mem_copy(pieces, count * sizeof *pieces);
	}
	r->piece_count = count;
	r->hash = XXH3_createState();
	r->data = mem_alloc(SNAP_CHUNK_BYTES);
	CHECK(r->hash != NULL);
	return r;
}

static void close_file(struct snap_reader *r)
{
	r->copy->disk->ops->close(r->open); /* NULL is fine */
	r->open = NULL;
}

void snap_reader_free(struct snap_reader *r)
{
	if (r == NULL) {
		return;
	}
	close_file(r);
	(void)XXH3_freeState(r->hash);
	mem_free(r->pieces);
	mem_free(r->data);
	mem_free(r);
}

uint64_t snap_reader_kept(const struct snap_reader *r)
{
	return r->kept;
}

/* The next bytes, at most a chunk of them, into r->data. */
static int read_on(struct snap_reader *r, uint64_t end, size_t *size)
{
	uint64_t rest = end - r->at;
	int rc;

	*size = rest < SNAP_CHUNK_BYTES ? (size_t)rest
					: (size_t)SNAP_CHUNK_BYTES;
	rc = r->copy->disk->ops->read(r->open, r->at, r->data, *size);
	if (rc == 0) {
		r->at += *size;
		CHECK(XXH3_64bits_update(r->hash, r->data, *size) == XXH_OK);
	}
	return rc;
}

static void rewind_file(struct snap_reader *r)
{
	r->at = 0;
	CHECK(XXH3_64bits_reset(r->hash) == XXH_OK);
}

/* Does the receiver have the beginning of this file? Then go on behind it. */
static int look_at_piece(struct snap_reader *r, const struct snap_piece *piece)
{
	size_t size;
	int rc = 0;

	if (piece->size > r->copy->files[r->file].size) {
		return 0;
	}
	while (r->at < piece->size && rc == 0) {
		rc = read_on(r, piece->size, &size);
	}
	if (rc == 0 && XXH3_64bits_digest(r->hash) != piece->hash) {
		rewind_file(r);
	}
	r->kept += rc == 0 ? r->at : 0;
	return rc;
}

static void end_file(struct snap_reader *r)
{
	close_file(r);
	r->file++;
}

static int begin_file(struct snap_reader *r, enum snap_read *what)
{
	const struct snap_file *file = &r->copy->files[r->file];
	int rc = r->copy->disk->ops->open(r->copy->disk, file->name, false,
					  &r->open);

	if (rc != 0) {
		r->open = NULL;
		return rc;
	}
	rewind_file(r);
	if (r->piece < r->piece_count && r->pieces[r->piece].file == r->file) {
		*what = SNAP_READ_PIECE;
		rc = look_at_piece(r, &r->pieces[r->piece++]);
		if (rc == 0 && r->at > 0 && r->at == file->size) {
			end_file(r);
		}
	}
	return rc;
}

int snap_reader_next(struct snap_reader *r, enum snap_read *what,
		     struct snap_chunk *chunk, uint64_t *sum)
{
	const struct snap_file *file = &r->copy->files[r->file];
	size_t size;
	int rc = 0;

	*what = SNAP_READ_CHUNK;
	if (r->open == NULL && r->file == r->copy->count) {
		*what = SNAP_READ_END;
		return 0;
	}
	if (r->open == NULL) {
		rc = begin_file(r, what);
	}
	if (rc != 0 || *what != SNAP_READ_CHUNK) {
		return rc;
	}
	*chunk = (struct snap_chunk){.file = r->file, .at = r->at};
	rc = read_on(r, file->size, &size);
	if (rc != 0) {
		return rc;
	}
	chunk->data = bytes_of(r->data, size);
	*sum = XXH3_64bits(r->data, size);
	if (r->at == file->size) {
		chunk->hash = XXH3_64bits_digest(r->hash);
		end_file(r);
	}
	return 0;
}
