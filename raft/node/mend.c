/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/mend.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/mem.h"
#include "proto/raft.pb.h"
#include "raft/node/snap.h"

#define FILE_NAME "repair"
#define FILE_NEW "repair.new"
enum { FILE_KIND = 1, FILE_BYTES_MAX = FRAME_HEADER_BYTES + raft_Repair_size };

/* --- The file --------------------------------------------------------------
 */

static int parse(struct bytes data, struct mend *m)
{
	raft_Repair message = raft_Repair_init_zero;
	pb_istream_t stream;
	struct frame frame;
	size_t used;

	if (frame_parse(data, 0, &frame, &used) != 0 || used != data.size ||
	    frame.kind != FILE_KIND) {
		return STATUS_CORRUPT;
	}
	stream = pb_istream_from_buffer(frame.body.data, frame.body.size);
	if (!pb_decode(&stream, raft_Repair_fields, &message) ||
	    message.what[0] == '\0') {
		return STATUS_CORRUPT;
	}
	m->phase = message.begun ? MEND_BEGUN : MEND_WANTED;
	(void)snprintf(m->what, sizeof m->what, "%s", message.what);
	return 0;
}

int mend_load(struct disk *disk, struct mend *m)
{
	uint8_t data[FILE_BYTES_MAX];
	struct disk_file *file;
	uint64_t size = 0;
	int rc = disk->ops->open(disk, FILE_NAME, false, &file);

	*m = (struct mend){.phase = MEND_NONE};
	if (rc != 0) {
		return rc == STATUS_NOT_FOUND ? 0 : rc;
	}
	rc = disk->ops->size(file, &size);
	if (rc == 0 && size <= sizeof data) {
		rc = disk->ops->read(file, 0, data, (size_t)size);
	}
	disk->ops->close(file);
	if (rc == 0 && (size > sizeof data ||
			parse(bytes_of(data, (size_t)size), m) != 0)) {
		m->phase = MEND_WANTED;
		(void)snprintf(m->what, sizeof m->what,
			       "the file %s is damaged", FILE_NAME);
	}
	return rc;
}

int mend_save(struct disk *disk, const struct mend *m)
{
	raft_Repair message = {.begun = m->phase == MEND_BEGUN};
	struct buffer data = {0};
	pb_ostream_t stream;
	size_t start;
	int rc;

	if (m->phase == MEND_NONE) {
		rc = disk->ops->remove(disk, FILE_NAME);
		if (rc != 0 && rc != STATUS_NOT_FOUND) {
			return rc;
		}
		return disk->ops->sync_folder(disk);
	}
	(void)snprintf(message.what, sizeof message.what, "%s", m->what);
	start = frame_begin(&data);
	stream = pb_ostream_from_buffer(buffer_reserve(&data, raft_Repair_size),
					raft_Repair_size);
	CHECK(pb_encode(&stream, raft_Repair_fields, &message));
	buffer_grow(&data, stream.bytes_written);
	frame_seal(&data, start, FILE_KIND, 0);
	rc = disk_replace(disk, FILE_NAME, FILE_NEW, buffer_bytes(&data));
	buffer_deinit(&data);
	return rc;
}

/* --- Wanted ----------------------------------------------------------------
 */

static char *aside(const struct node *n)
{
	return mem_printf("%s/damaged", n->folder);
}

static int refuse(struct node *n, struct buffer *problem)
{
	if (!n->mends || !n->identity.founded) {
		return STATUS_CORRUPT;
	}
	if (!n->promise.known && n->identity.founding.count > 1) {
		buffer_printf(problem,
			      "; nor is it known any more what this node has "
			      "promised: it can not be repaired and must be "
			      "replaced, see raftfsctl member replace");
	} else if (!atomic_load(&n->others)) {
		buffer_printf(problem,
			      "; it has no other voters to be repaired from: "
			      "begin anew from a backup, in another data "
			      "folder (raftfs --restore FILE)");
	}
	return STATUS_CORRUPT;
}

static int want(struct node *n, const char *what, struct buffer *problem)
{
	struct mend next = {.phase = MEND_WANTED};
	char *folder = aside(n);
	int rc = 0;

	(void)snprintf(next.what, sizeof next.what, "%s", what);
	if (n->mend.phase == MEND_NONE) {
		rc = folder_remove(folder);
	}
	if (rc == 0) {
		rc = mend_save(n->disk, &next);
	}
	if (rc != 0) {
		buffer_printf(problem, "; and its repair can not begin: %s",
			      disk_status_text(rc));
	} else {
		n->mend = next;
	}
	mem_free(folder);
	return rc;
}

int mend_want(struct node *n, const char *what, struct buffer *problem)
{
	int rc;

	if (!n->mends || !atomic_load(&n->others) || !n->promise.known) {
		return refuse(n, problem);
	}
	pthread_mutex_lock(&n->mend_mutex);
	rc = want(n, what, problem);
	pthread_mutex_unlock(&n->mend_mutex);
	return rc;
}

/* --- Begun -----------------------------------------------------------------
 */

/* What is damaged a second time came from the peers: it is not kept. */
static int move_log(struct node *n, const char *folder)
{
	char *from = mem_printf("%s/log", n->folder);
	char *to = mem_printf("%s/log", folder);
	int rc = 0;

	if (access(from, F_OK) == 0) {
		rc = access(to, F_OK) == 0 ? folder_remove(from)
					   : folder_move(from, to);
	}
	mem_free(from);
	mem_free(to);
	return rc;
}

int mend_set_aside(struct node *n, struct buffer *problem)
{
	char *folder = aside(n);
	int rc = folder_make(folder);

	CHECK(n->mend.phase == MEND_WANTED && n->log == NULL);
	if (rc == STATUS_EXISTS) {
		rc = 0;
	}
	if (rc == 0) {
		rc = move_log(n, folder);
	}
	if (rc == 0) {
		log_error("%s: this node does not vote until it is repaired "
			  "from its peers; what was damaged is kept in %s",
			  n->mend.what, folder);
	} else {
		buffer_printf(problem,
			      "cannot set the damaged log aside in %s: %s",
			      folder, disk_status_text(rc));
	}
	mem_free(folder);
	return rc;
}

char *node_aside(const struct node *n)
{
	return n->mend.phase == MEND_WANTED ? aside(n) : NULL;
}

int node_cleared(struct node *n, struct buffer *problem)
{
	struct mend next = n->mend;
	int rc;

	CHECK(next.phase == MEND_WANTED);
	next.phase = MEND_BEGUN;
	rc = mend_save(n->disk, &next);
	if (rc != 0) {
		buffer_printf(problem, "cannot write %s/%s: %s", n->folder,
			      FILE_NAME, disk_status_text(rc));
		return rc;
	}
	n->mend = next;
	return 0;
}

bool node_repairs(const struct node *n)
{
	return n->mend.phase != MEND_NONE;
}

int node_want_repair(struct node *n, const char *what, struct buffer *problem)
{
	return mend_want(n, what, problem);
}

int mend_promise(struct node *n, struct buffer *problem)
{
	const struct raft_hard *hard = &n->promise.hard;
	struct log_record record = {.hard = *hard};
	struct log_state log;
	int rc = 0;

	log_state(n->log, &log);
	record.keep = log.last;
	record.commit = log.commit;
	if (log.hard.term < hard->term ||
	    (log.hard.term == hard->term && log.hard.vote == 0 &&
	     hard->vote != 0)) {
		rc = log_save(n->log, &record);
	}
	if (rc != 0) {
		buffer_printf(problem, "cannot write the log: %s",
			      log_problem(n->log));
	}
	return rc;
}

/* --- Whole -----------------------------------------------------------------
 */

static void run_end(struct snap_job *job)
{
	struct node *n = CONTAINER_OF(job, struct node, mend_job.job);
	const struct mend none = {.phase = MEND_NONE};

	pthread_mutex_lock(&n->mend_mutex);
	n->mend_job.rc = 0;
	if (n->mend.phase == MEND_BEGUN) { /* not damaged again meanwhile */
		n->mend_job.rc = mend_save(n->disk, &none);
		if (n->mend_job.rc == 0) {
			n->mend = none;
		}
	}
	pthread_mutex_unlock(&n->mend_mutex);
}

/* If it failed, the next life proves once more that it is whole. */
static void end_done(struct snap_job *job, bool ran)
{
	struct node *n = CONTAINER_OF(job, struct node, mend_job.job);

	if (ran && n->mend_job.rc != 0) {
		log_warn("cannot remove %s/%s: %s", n->folder, FILE_NAME,
			 status_text(n->mend_job.rc));
	}
}

void mend_turn(struct node *n)
{
	if (!n->mending || n->raft.repairing) {
		return;
	}
	n->mending = false;
	log_info("repaired: this node has all entries that it may have "
		 "acknowledged, and votes again saved=%llu",
		 (unsigned long long)n->raft.saved);
	n->mend_job.job = (struct snap_job){.run = run_end, .done = end_done};
	snap_work_add(n->snap->work, &n->mend_job.job);
}
