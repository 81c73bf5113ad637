/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/snap_stage.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"
#include "base/status.h"

enum { READ_BYTES = 256 << 10 };

/* Of a file, by its number in the offer. */
struct staged {
	uint64_t size; /* what is there of it */
	bool good;     /* G1 */
};

struct snap_stage {
	struct disk *disk;
	struct snap_file *files;
	struct staged *staged;
	size_t count;
	bool (*stop)(void *context);
	void *context;
	uint8_t *scratch; /* READ_BYTES */

	/* The file that is being written. */
	struct disk_file *open; /* NULL: none */
	uint32_t number;
	bool begun;	    /* a file has been; the newest is number */
	XXH3_state_t *hash; /* of what is there of it */
	uint64_t unsynced;
};

struct snap_stage *snap_stage_new(struct disk *disk,
				  const struct snap_file *files, size_t count,
				  bool (*stop)(void *context), void *context)
{
	struct snap_stage *s = mem_zalloc(sizeof *s);

	CHECK(count > 0 && count <= SNAP_FILES_MAX);
	s->disk = disk;
	s->files = mem_copy(files, count * sizeof *files);
	s->staged = mem_zalloc(count * sizeof *s->staged);
	s->count = count;
	s->stop = stop;
	s->context = context;
	s->scratch = mem_alloc(READ_BYTES);
	s->hash = XXH3_createState();
	CHECK(s->hash != NULL);
	return s;
}

static void close_file(struct snap_stage *s)
{
	s->disk->ops->close(s->open); /* NULL is fine */
	s->open = NULL;
}

void snap_stage_free(struct snap_stage *s)
{
	if (s == NULL) {
		return;
	}
	close_file(s);
	(void)XXH3_freeState(s->hash);
	mem_free(s->files);
	mem_free(s->staged);
	mem_free(s->scratch);
	mem_free(s);
}

static bool is_stopped(const struct snap_stage *s)
{
	return s->stop != NULL && s->stop(s->context);
}

/* The hash of a file's first size bytes, left in s->hash. */
static int hash_file(struct snap_stage *s, struct disk_file *file,
		     uint64_t size)
{
	uint64_t at = 0;
	int rc = 0;

	CHECK(XXH3_64bits_reset(s->hash) == XXH_OK);
	while (at < size && rc == 0) {
		size_t part = size - at < READ_BYTES ? (size_t)(size - at)
						     : (size_t)READ_BYTES;

		rc = is_stopped(s)
			     ? STATUS_ENDED
			     : s->disk->ops->read(file, at, s->scratch, part);
		if (rc == 0) {
			CHECK(XXH3_64bits_update(s->hash, s->scratch, part) ==
			      XXH_OK);
			at += part;
		}
	}
	return rc;
}

/* --- What lies there ------------------------------------------------------ */

static void note_name(void *context, const char *name)
{
	buffer_append(context, name, strlen(name) + 1);
}

static int by_name(const void *name, const void *file)
{
	return strcmp(name, ((const struct snap_file *)file)->name);
}

static int remove_strays(struct snap_stage *s)
{
	struct buffer names = {0};
	int rc = s->disk->ops->list(s->disk, note_name, &names);
	size_t at = 0;

	while (rc == 0 && at < names.size) {
		const char *name = (const char *)names.data + at;

		if (bsearch(name, s->files, s->count, sizeof *s->files,
			    by_name) == NULL) {
			rc = s->disk->ops->remove(s->disk, name);
		}
		at += strlen(name) + 1;
	}
	buffer_deinit(&names);
	return rc;
}

static int remove_file(struct snap_stage *s, size_t number)
{
	int rc = s->disk->ops->remove(s->disk, s->files[number].name);

	s->staged[number] = (struct staged){0};
	return rc == STATUS_NOT_FOUND ? 0 : rc;
}

/* What cannot be read is not there; the disk itself is judged by writes. */
static int scan_file(struct snap_stage *s, size_t number,
		     struct snap_piece *piece)
{
	struct disk_file *file;
	uint64_t size = 0;
	int rc = s->disk->ops->open(s->disk, s->files[number].name, false,
				    &file);

	if (rc == STATUS_NOT_FOUND) {
		return 0;
	}
	if (rc != 0) {
		return remove_file(s, number);
	}
	rc = s->disk->ops->size(file, &size);
	if (rc == 0 && size > 0 && size <= s->files[number].size) {
		rc = hash_file(s, file, size);
	} else {
		size = 0;
	}
	s->disk->ops->close(file);
	if (rc == STATUS_ENDED) {
		return rc;
	}
	if (rc != 0 || size == 0) {
		return remove_file(s, number);
	}
	s->staged[number].size = size;
	s->staged[number].good = size == s->files[number].size;
	*piece = (struct snap_piece){
		.file = (uint32_t)number,
		.size = size,
		.hash = XXH3_64bits_digest(s->hash),
	};
	return 0;
}

int snap_stage_scan(struct snap_stage *s, struct snap_piece *pieces,
		    size_t *piece_count)
{
	int rc = remove_strays(s);

	*piece_count = 0;
	s->begun = false;
	for (size_t i = 0; i < s->count && rc == 0; i++) {
		rc = scan_file(s, i, &pieces[*piece_count]);
		*piece_count += rc == 0 && s->staged[i].size > 0;
	}
	return rc;
}

uint64_t snap_stage_missing(const struct snap_stage *s)
{
	uint64_t missing = 0;

	for (size_t i = 0; i < s->count; i++) {
		missing += s->files[i].size - s->staged[i].size;
	}
	return missing;
}

/* --- What comes ----------------------------------------------------------- */

static int begin_file(struct snap_stage *s, const struct snap_chunk *chunk)
{
	const char *name = s->files[chunk->file].name;
	int rc;

	close_file(s);
	s->number = chunk->file;
	s->begun = true;
	s->unsynced = 0;
	if (chunk->at > 0) {
		rc = s->disk->ops->open(s->disk, name, false, &s->open);
		return rc != 0 ? rc : hash_file(s, s->open, chunk->at);
	}
	rc = remove_file(s, chunk->file);
	if (rc == 0) {
		rc = s->disk->ops->open(s->disk, name, true, &s->open);
	}
	CHECK(XXH3_64bits_reset(s->hash) == XXH_OK);
	return rc;
}

/* The last chunk of a file is written: is it what it should be? */
static int end_file(struct snap_stage *s, uint64_t hash)
{
	int rc;

	if (XXH3_64bits_digest(s->hash) != hash) {
		close_file(s);
		rc = remove_file(s, s->number);
		return rc != 0 ? rc : STATUS_CORRUPT;
	}
	rc = s->disk->ops->sync(s->open);
	close_file(s);
	s->staged[s->number].good = rc == 0;
	return rc;
}

static bool fits(const struct snap_stage *s, const struct snap_chunk *chunk)
{
	const struct staged *to;

	if (chunk->file >= s->count) {
		return false;
	}
	to = &s->staged[chunk->file];
	if (chunk->data.size > s->files[chunk->file].size ||
	    chunk->at > s->files[chunk->file].size - chunk->data.size) {
		return false;
	}
	/* An empty chunk is all of an empty file. */
	if (chunk->data.size == 0 && s->files[chunk->file].size > 0) {
		return false;
	}
	if (s->open != NULL && chunk->file == s->number) {
		return chunk->at == to->size;
	}
	if (s->begun && chunk->file <= s->number) { /* G4 */
		return false;
	}
	return chunk->at == 0 || (chunk->at == to->size && !to->good);
}

int snap_stage_write(struct snap_stage *s, const struct snap_chunk *chunk)
{
	struct staged *to;
	int rc = 0;

	if (!fits(s, chunk)) {
		return STATUS_INVALID;
	}
	to = &s->staged[chunk->file];
	if (s->open == NULL || chunk->file != s->number) {
		rc = begin_file(s, chunk);
	}
	if (rc == 0) {
		rc = s->disk->ops->write(s->open, chunk->at, chunk->data.data,
					 chunk->data.size);
	}
	if (rc != 0) {
		close_file(s);
		return rc;
	}
	to->size = chunk->at + chunk->data.size;
	s->unsynced += chunk->data.size;
	CHECK(XXH3_64bits_update(s->hash, chunk->data.data, chunk->data.size) ==
	      XXH_OK);
	if (to->size == s->files[chunk->file].size) {
		return end_file(s, chunk->hash);
	}
	if (s->unsynced >= STAGE_SYNC_BYTES) { /* G3 */
		rc = s->disk->ops->sync(s->open);
		s->unsynced = 0;
	}
	return rc;
}

/* --- The end -------------------------------------------------------------- */

/* A good one may come from an attempt that was not synced. */
static int sync_file(struct snap_stage *s, size_t number)
{
	struct disk_file *file;
	uint64_t size;
	int rc;

	if (!s->staged[number].good) {
		return STATUS_SHORT;
	}
	rc = s->disk->ops->open(s->disk, s->files[number].name, false, &file);
	if (rc != 0) {
		return rc;
	}
	rc = s->disk->ops->size(file, &size);
	if (rc == 0 && size != s->files[number].size) {
		rc = STATUS_SHORT;
	}
	if (rc == 0) {
		rc = s->disk->ops->sync(file);
	}
	s->disk->ops->close(file);
	return rc;
}

int snap_stage_finish(struct snap_stage *s)
{
	int rc = 0;

	close_file(s);
	for (size_t i = 0; i < s->count && rc == 0; i++) {
		rc = is_stopped(s) ? STATUS_ENDED : sync_file(s, i);
	}
	return rc == 0 ? s->disk->ops->sync_folder(s->disk) : rc;
}
