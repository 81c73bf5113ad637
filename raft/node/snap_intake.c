/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/snap_intake.h"

#include <string.h>

#include "base/folder.h"
#include "base/mem.h"
#include "raft/node/snap_stage.h"

enum { SPACE_RESERVE = 64 << 20 }; /* for the log, while it is received */

struct snap_intake {
	struct snap_work *work;
	const char *folder;
	struct snap_file *files;
	size_t count;
	const struct snap_intake_answers *answers;
	void *context;

	/* The loop's. */
	size_t jobs;   /* under way */
	size_t chunks; /* of them */
	size_t bytes;  /* of these */

	/* The thread's, while a job is under way. */
	struct disk *disk;
	struct snap_stage *stage;
	bool failed; /* I2 */

	struct snap_job job; /* scan, finish */
	int rc;
	struct snap_piece *pieces;
	size_t piece_count;
	uint64_t missing;
};

/* A chunk on its way to the disk. */
struct write {
	struct snap_job job;
	struct snap_intake *intake;
	struct snap_chunk chunk;
	int rc;
	uint8_t data[];
};

struct snap_intake *snap_intake_new(struct snap_work *work, const char *folder,
				    const struct snap_file *files, size_t count,
				    const struct snap_intake_answers *answers,
				    void *context)
{
	struct snap_intake *i = mem_zalloc(sizeof *i);

	CHECK(count > 0 && count <= SNAP_FILES_MAX);
	i->work = work;
	i->folder = folder;
	i->files = mem_copy(files, count * sizeof *files);
	i->pieces = mem_zalloc(count * sizeof *i->pieces);
	i->count = count;
	i->answers = answers;
	i->context = context;
	return i;
}

void snap_intake_free(struct snap_intake *i)
{
	if (i == NULL) {
		return;
	}
	CHECK(i->jobs == 0);
	snap_stage_free(i->stage);
	if (i->disk != NULL) {
		i->disk->ops->free(i->disk);
	}
	mem_free(i->files);
	mem_free(i->pieces);
	mem_free(i);
}

bool snap_intake_idle(const struct snap_intake *i)
{
	return i->jobs == 0;
}

static void add(struct snap_intake *i, struct snap_job *job)
{
	i->jobs++;
	snap_work_add(i->work, job);
}

/* --- What lies there ------------------------------------------------------ */

static bool is_stopping(void *context)
{
	return snap_work_stopping(context);
}

static int scan(struct snap_intake *i)
{
	uint64_t unused = 0, total;
	int rc = folder_make(i->folder);

	if (rc == 0 || rc == STATUS_EXISTS) {
		rc = disk_system(i->folder, &i->disk);
	}
	if (rc != 0) {
		return rc;
	}
	i->stage = snap_stage_new(i->disk, i->files, i->count, is_stopping,
				  i->work);
	rc = snap_stage_scan(i->stage, i->pieces, &i->piece_count);
	if (rc != 0) {
		return rc;
	}
	i->missing = snap_stage_missing(i->stage);
	if (folder_space(i->folder, &unused, &total) == 0 &&
	    unused < i->missing + SPACE_RESERVE) {
		return STATUS_NO_SPACE;
	}
	return 0;
}

static void run_scan(struct snap_job *job)
{
	struct snap_intake *i = CONTAINER_OF(job, struct snap_intake, job);

	i->rc = scan(i);
	i->failed = i->rc != 0;
}

static void scan_done(struct snap_job *job, bool ran)
{
	struct snap_intake *i = CONTAINER_OF(job, struct snap_intake, job);

	i->jobs--;
	if (ran) {
		i->answers->scanned(i->context, i->rc);
	}
}

void snap_intake_scan(struct snap_intake *i)
{
	i->job = (struct snap_job){.run = run_scan, .done = scan_done};
	add(i, &i->job);
}

const struct snap_piece *snap_intake_pieces(const struct snap_intake *i,
					    size_t *count)
{
	*count = i->piece_count;
	return i->pieces;
}

uint64_t snap_intake_missing(const struct snap_intake *i)
{
	return i->missing;
}

/* --- Chunks ----------------------------------------------------------------
 */

static void run_write(struct snap_job *job)
{
	struct write *w = CONTAINER_OF(job, struct write, job);
	struct snap_intake *i = w->intake;

	w->rc = i->failed ? STATUS_ENDED
			  : snap_stage_write(i->stage, &w->chunk);
	i->failed = w->rc != 0;
}

static void write_done(struct snap_job *job, bool ran)
{
	struct write *w = CONTAINER_OF(job, struct write, job);
	struct snap_intake *i = w->intake;
	size_t size = w->chunk.data.size;
	int rc = w->rc;

	i->jobs--;
	i->chunks--;
	i->bytes -= size;
	mem_free(w);
	if (ran) {
		i->answers->written(i->context, rc, size);
	}
}

/* A file may end with a chunk of any size; all others are whole. */
static bool takes(const struct snap_intake *i, size_t size)
{
	return i->bytes + size <= SNAP_WINDOW_BYTES &&
	       i->chunks < i->count + SNAP_WINDOW_BYTES / SNAP_CHUNK_BYTES;
}

bool snap_intake_write(struct snap_intake *i, const struct snap_chunk *chunk)
{
	size_t size = chunk->data.size;
	struct write *w;

	if (!takes(i, size)) {
		return false;
	}
	w = mem_alloc(sizeof *w + size);
	*w = (struct write){
		.job = {.run = run_write, .done = write_done},
		.intake = i,
		.chunk = *chunk,
	};
	if (size > 0) {
		memcpy(w->data, chunk->data.data, size);
	}
	w->chunk.data = bytes_of(w->data, size);
	i->chunks++;
	i->bytes += size;
	add(i, &w->job);
	return true;
}

/* --- The end ---------------------------------------------------------------
 */

static void run_finish(struct snap_job *job)
{
	struct snap_intake *i = CONTAINER_OF(job, struct snap_intake, job);

	i->rc = i->failed ? STATUS_ENDED : snap_stage_finish(i->stage);
}

static void finish_done(struct snap_job *job, bool ran)
{
	struct snap_intake *i = CONTAINER_OF(job, struct snap_intake, job);

	i->jobs--;
	if (ran) {
		i->answers->finished(i->context, i->rc);
	}
}

void snap_intake_finish(struct snap_intake *i)
{
	i->job = (struct snap_job){.run = run_finish, .done = finish_done};
	add(i, &i->job);
}
