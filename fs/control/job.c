/* SPDX-License-Identifier: Apache-2.0 */
/* What each command does, over the map and the tree's read side.
 *
 *   J1  a job is waiting exactly while kv owes it one callback
 *   J2  the errno of an answer is the one a mount gives for the same case, but
 *       for EAGAIN: before the cluster is founded a mount shows an empty root,
 *       and here it is said that nothing is known yet
 *   J3  what is streamed is one frozen view: never half old, half new
 *
 * Links are not followed: a path that meets one gets ELOOP. */
#include "fs/control/job.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/mem.h"
#include "fs/control/member.h"
#include "fs/control/status.h"
#include "fs/tree/tree.h"

enum { SET_MODE = 0644 };

enum phase {
	PHASE_BEGIN,
	PHASE_BARRIER,
	PHASE_CHANGE,
	PHASE_STREAM,
	PHASE_MEMBERS,
	PHASE_BACKUP,
};

struct job {
	const struct job_env *env;
	const struct command *command; /* NULL: unknown */
	enum phase phase;
	uint64_t number; /* of the barrier or proposal, for interrupts */
	uint64_t deadline_ms;

	char path[LIMIT_PATH_BYTES];
	struct buffer data; /* content given, then chunks answered */
	bool json;
	struct message_request *words; /* of a command that takes some */
	uint32_t uid;
	uint32_t gid;

	/* Set by kv's callback; read by job_step() after wake(). */
	int status;
	bool fell_back; /* the barrier: more may be acknowledged elsewhere */
	struct fs_result result;

	/* STREAM: a file's content or a directory's names. */
	struct kv_view *view;
	struct fs_attr attr;
	uint64_t at;  /* offset, or the cookie of the last name */
	uint64_t end; /* highest cookie of the listing */
};

struct job *job_new(const struct job_env *env,
		    const struct message_request *request, uint32_t uid,
		    uint32_t gid)
{
	struct job *job = mem_zalloc(sizeof *job);

	job->env = env;
	job->command = command_find(request->command);
	memcpy(job->path, request->path, sizeof job->path);
	buffer_append_bytes(&job->data, request->data);
	job->json = request->json;
	if (request->word_count > 0) {
		job->words = mem_copy(request, sizeof *request);
		job->words->data = bytes_of("", 0);
	}
	job->uid = uid;
	job->gid = gid;
	return job;
}

void job_free(struct job *job)
{
	if (job->view) {
		kv_view_close(job->env->kv, job->view);
	}
	buffer_deinit(&job->data);
	mem_free(job->words);
	mem_free(job);
}

void job_interrupt(struct job *job)
{
	if (job->phase == PHASE_BARRIER) {
		kv_barrier_interrupt(job->env->kv, job->number);
	} else if (job->phase == PHASE_CHANGE) {
		kv_interrupt(job->env->kv, job->number);
	} else if (job->phase == PHASE_MEMBERS) {
		kv_change_interrupt(job->env->kv, job->number);
	} else if (job->phase == PHASE_BACKUP) {
		kv_backup_interrupt(job->env->kv);
	}
}

/* --- Answers ------------------------------------------------------------- */

static enum job_turn answer(struct message_response *response, int error)
{
	*response = (struct message_response){.error = error};
	return JOB_ANSWERS;
}

static void explain(struct message_response *response, const char *text)
{
	size_t size = strnlen(text, sizeof response->reason - 1);

	memcpy(response->reason, text, size);
	response->reason[size] = '\0';
}

/* J2. The errno for a refusal of kv. */
static int errno_of(int status)
{
	switch (status) {
	case STATUS_TIMED_OUT:
	case STATUS_ENDED:
		return EROFS;
	case STATUS_FULL:
		return EAGAIN;
	case STATUS_UNKNOWN:
	case STATUS_NO_QUORUM:
		return ETIMEDOUT;
	case STATUS_INTERRUPTED:
		return EINTR;
	case STATUS_TOO_BIG:
		return EFBIG;
	case STATUS_NO_SPACE:
		return ENOSPC;
	default:
		return EIO;
	}
}

/* Say why, for a person: the cluster's reason if it has one. */
static enum job_turn answer_refusal(struct job *job,
				    struct message_response *response)
{
	struct kv_status *status = mem_zalloc(sizeof *status);

	answer(response, errno_of(job->status));
	kv_status(job->env->kv, status);
	if (job->status == STATUS_UNKNOWN) {
		explain(response, "it may still take effect");
	} else if (!status->quorum && status->why[0]) {
		explain(response, status->why);
	} else {
		explain(response, status_text(job->status));
	}
	mem_free(status);
	return JOB_ANSWERS;
}

static bool is_born(struct job *job)
{
	struct fs_attr root;

	return fs_getattr(kv_newest(job->env->kv), FS_ROOT, &root) == 0;
}

/* rc: what the tree said of a path. Without a root it knows of nothing. */
static enum job_turn answer_path(struct job *job,
				 struct message_response *response, int rc)
{
	struct kv_status *status;

	if (rc != -ENOENT || is_born(job)) {
		return answer(response, -rc);
	}
	status = mem_zalloc(sizeof *status);
	kv_status(job->env->kv, status);
	answer(response, EAGAIN);
	explain(response, !status->quorum && status->why[0]
				  ? status->why
				  : "nothing of the cluster's state is here "
				    "yet");
	mem_free(status);
	return JOB_ANSWERS;
}

/* --- Paths --------------------------------------------------------------- */

/* -ENOENT also while there is no root yet, or when what the path names is
 * removed meanwhile. */
static int resolve(struct kv_reader *r, const char *path, struct fs_attr *attr)
{
	int rc = fs_resolve(r, path, attr);

	return rc == -ESTALE ? -ENOENT : rc;
}

static bool is_root(const char *path)
{
	return path[strspn(path, "/")] == '\0';
}

/* Cut job->path in two: the directory, and the last name, which stays in
 * job->path. The root need not be there yet. -EISDIR: it names the root, or
 * ends in a slash. */
static int split(struct job *job, struct kv_reader *r, uint64_t *dir,
		 struct bytes *name)
{
	const char *slash = strrchr(job->path, '/');
	char parent[LIMIT_PATH_BYTES] = "/";
	struct fs_attr attr = {.ino = FS_ROOT};
	int rc = 0;

	CHECK(slash); /* begin() has seen to it */
	if (slash[1] == '\0') {
		return -EISDIR;
	}
	if (slash > job->path) {
		memcpy(parent, job->path, (size_t)(slash - job->path));
	}
	*name = bytes_of_text(slash + 1);
	if (name->size > LIMIT_NAME_BYTES) {
		return -ENAMETOOLONG;
	}
	if (!is_root(parent)) {
		rc = resolve(r, parent, &attr);
	}
	*dir = attr.ino;
	return rc;
}

static void cut_trailing_slashes(char *path)
{
	size_t size = strlen(path);

	while (size > 1 && path[size - 1] == '/') {
		path[--size] = '\0';
	}
}

/* --- Changes ------------------------------------------------------------- */

/* May run before kv_propose() has returned, on this thread or another. */
static void on_done(void *context, int status, struct bytes result)
{
	struct job *job = context;

	job->status = status;
	if (status == 0 && fs_result_decode(result, &job->result) != 0) {
		job->status = STATUS_CORRUPT;
	}
	job->env->wake(job->env->context, job);
}

static enum job_turn propose(struct job *job, const struct fs_op *op)
{
	struct buffer encoded = {0};

	fs_op_encode(op, &encoded);
	job->phase = PHASE_CHANGE;
	job->number = kv_propose(job->env->kv, buffer_bytes(&encoded),
				 job->deadline_ms, on_done, job);
	buffer_deinit(&encoded);
	return JOB_WAITS;
}

static enum job_turn on_changed(struct job *job,
				struct message_response *response)
{
	if (job->status != 0) {
		return answer_refusal(job, response);
	}
	/* The directory went while this was on its way: a path, to the user. */
	return answer(response,
		      job->result.error == ESTALE ? ENOENT : job->result.error);
}

static enum job_turn start_set(struct job *job,
			       struct message_response *response)
{
	struct fs_op op = {.kind = FS_OP_SET,
			   .mode = SET_MODE,
			   .uid = job->uid,
			   .gid = job->gid,
			   .data = buffer_bytes(&job->data)};
	int rc = split(job, kv_newest(job->env->kv), &op.dir, &op.name);

	return rc != 0 ? answer_path(job, response, rc) : propose(job, &op);
}

static enum job_turn start_rm(struct job *job,
			      struct message_response *response)
{
	struct kv_reader *r = kv_newest(job->env->kv);
	struct fs_op op = {.kind = FS_OP_UNLINK};
	struct fs_attr attr;
	int rc;

	if (is_root(job->path)) {
		return answer(response, EBUSY);
	}
	rc = resolve(r, job->path, &attr);
	if (rc != 0) {
		return answer_path(job, response, rc);
	}
	if (S_ISDIR(attr.mode)) {
		op.kind = FS_OP_RMDIR;
		cut_trailing_slashes(job->path);
	}
	rc = split(job, r, &op.dir, &op.name);
	if (rc != 0) {
		return answer(response, rc == -EISDIR ? ENOTDIR : -rc);
	}
	return propose(job, &op);
}

/* --- Reads --------------------------------------------------------------- */

static bool add_name(void *context, const struct fs_dirent *entry)
{
	struct job *job = context;

	buffer_append_bytes(&job->data, entry->name);
	buffer_append(&job->data, "", 1);
	job->at = entry->cookie;
	return job->data.size < MESSAGE_CHUNK_BYTES;
}

/* Fill job->data; *more: another call will find something. */
static int fill_chunk(struct job *job, bool *more)
{
	struct kv_reader *r = &job->view->reader;
	int rc;

	buffer_reset(&job->data);
	if (S_ISDIR(job->attr.mode)) {
		rc = fs_readdir(r, job->attr.ino, job->at, job->end, add_name,
				job);
		*more = job->at < job->end &&
			job->data.size >= MESSAGE_CHUNK_BYTES;
		return rc;
	}
	rc = fs_read(r, job->attr.ino, job->at, MESSAGE_CHUNK_BYTES, &job->data,
		     NULL);
	job->at += job->data.size;
	*more = job->data.size > 0 && job->at < job->attr.size;
	return rc;
}

static enum job_turn next_chunk(struct job *job,
				struct message_response *response)
{
	bool more = false;
	int rc = fill_chunk(job, &more);

	if (rc != 0) {
		return answer(response, -rc);
	}
	answer(response, 0);
	response->data = buffer_bytes(&job->data);
	response->more = more;
	return JOB_ANSWERS;
}

/* J3: the view is taken once, after the barrier. */
static int open_view(struct job *job)
{
	job->view = kv_view_open(job->env->kv);
	job->phase = PHASE_STREAM;
	return resolve(&job->view->reader, job->path, &job->attr);
}

static enum job_turn start_get(struct job *job,
			       struct message_response *response)
{
	int rc = open_view(job);

	if (rc == 0 && S_ISDIR(job->attr.mode)) {
		rc = -EISDIR;
	} else if (rc == 0 && S_ISLNK(job->attr.mode)) {
		rc = -ELOOP;
	} else if (rc == 0 && !S_ISREG(job->attr.mode)) {
		rc = -EINVAL;
	}
	return rc != 0 ? answer_path(job, response, rc)
		       : next_chunk(job, response);
}

static enum job_turn start_ls(struct job *job,
			      struct message_response *response)
{
	int rc = open_view(job);

	if (rc == 0 && !S_ISDIR(job->attr.mode)) {
		answer(response, 0); /* a file lists as itself */
		response->data = bytes_of(job->path, strlen(job->path) + 1);
		return JOB_ANSWERS;
	}
	if (rc == 0) {
		rc = fs_dir_end(&job->view->reader, job->attr.ino, &job->end);
	}
	return rc != 0 ? answer_path(job, response, rc)
		       : next_chunk(job, response);
}

/* --- Members ------------------------------------------------------------- */

/* Of a change of the members, or a backup. */
static void on_said(void *context, int status, const char *text)
{
	struct job *job = context;

	job->status = status;
	buffer_reset(&job->data);
	buffer_printf(&job->data, "%s", text);
	job->env->wake(job->env->context, job);
}

/* The errno of a command's exit; people read the reason. */
static int errno_of_change(int status)
{
	switch (status) {
	case 0:
		return 0;
	case STATUS_NOT_FOUND:
		return ENOENT;
	case STATUS_EXISTS:
		return EEXIST;
	case STATUS_INVALID:
		return EINVAL;
	case STATUS_FULL:
		return ENOSPC;
	case STATUS_PENDING:
	case STATUS_BUSY:
		return EBUSY;
	case STATUS_TIMED_OUT:
	case STATUS_UNKNOWN:
		return ETIMEDOUT;
	default:
		return errno_of(status);
	}
}

static enum job_turn on_members(struct job *job,
				struct message_response *response)
{
	answer(response, errno_of_change(job->status));
	if (job->status != 0) {
		explain(response, job->data.size > 0
					  ? buffer_text(&job->data)
					  : status_text(job->status));
		return JOB_ANSWERS;
	}
	buffer_append(&job->data, "\n", 1);
	response->data = buffer_bytes(&job->data);
	return JOB_ANSWERS;
}

static enum job_turn list_members(struct job *job,
				  struct message_response *response)
{
	struct kv_status *status = mem_zalloc(sizeof *status);

	kv_status(job->env->kv, status);
	buffer_reset(&job->data);
	for (size_t i = 0; i < status->member_count; i++) {
		status_member(&status->members[i], &job->data);
	}
	mem_free(status);
	answer(response, 0);
	response->data = buffer_bytes(&job->data);
	return JOB_ANSWERS;
}

static enum job_turn begin_members(struct job *job,
				   struct message_response *response)
{
	static const struct message_request none;
	const struct message_request *words =
		job->words != NULL ? job->words : &none;
	struct kv_member_change change;
	struct buffer problem = {0};
	bool list;
	int rc = member_parse(command_id(job->command), words, &list, &change,
			      &problem);

	if (rc != 0) {
		answer(response, -rc);
		explain(response, buffer_text(&problem));
		buffer_deinit(&problem);
		return JOB_ANSWERS;
	}
	if (list) {
		return list_members(job, response);
	}
	job->phase = PHASE_MEMBERS;
	job->number = kv_change(job->env->kv, &change, on_said, job);
	return JOB_WAITS;
}

/* --- Backups -------------------------------------------------------------- */

/* When, by this machine's clock. */
static void say_time(struct buffer *out, uint64_t ms_ago)
{
	time_t when = time(NULL) - (time_t)(ms_ago / 1000);
	struct tm utc;
	char text[32];

	(void)gmtime_r(&when, &utc);
	(void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
	buffer_printf(out, "%s", text);
}

/* It is done, but of what this node has: for stderr. */
static void warn_of_age(struct job *job, struct message_response *response)
{
	struct kv_status *status = mem_zalloc(sizeof *status);
	struct buffer text = {0};

	kv_status(job->env->kv, status);
	buffer_printf(&text, "warning: this node ");
	if (status->quorum) {
		buffer_printf(&text, "lags behind its cluster");
	} else {
		buffer_printf(&text, "is cut off from its cluster (%s)",
			      status->why);
	}
	buffer_printf(&text, ": what is saved may be older than the cluster's "
			     "state; a leader was last heard ");
	if (status->led_ms_ago == UINT64_MAX) {
		buffer_printf(&text, "before this daemon was started");
	} else {
		buffer_printf(&text, "at ");
		say_time(&text, status->led_ms_ago);
	}
	explain(response, buffer_text(&text));
	buffer_deinit(&text);
	mem_free(status);
}

static enum job_turn on_backup(struct job *job,
			       struct message_response *response)
{
	(void)on_members(job, response);
	if (job->status == 0 && job->fell_back) {
		warn_of_age(job, response);
	}
	return JOB_ANSWERS;
}

/* After the barrier: what was acknowledged before is in it, if that could be
 * made sure. */
static enum job_turn start_backup(struct job *job,
				  struct message_response *response)
{
	(void)response;
	job->phase = PHASE_BACKUP;
	kv_backup(job->env->kv, job->path, on_said, job);
	return JOB_WAITS;
}

/* --- The way of a request ------------------------------------------------ */

static enum job_turn say_status(struct job *job,
				struct message_response *response)
{
	struct kv_status *status = mem_zalloc(sizeof *status);

	kv_status(job->env->kv, status);
	buffer_reset(&job->data);
	if (job->json) {
		status_json(status, job->env->reads, &job->data);
	} else {
		status_text_lines(status, job->env->reads, &job->data);
	}
	mem_free(status);
	answer(response, 0);
	response->data = buffer_bytes(&job->data);
	return JOB_ANSWERS;
}

/* What follows the barrier; NULL: needs none. */
static enum job_turn (*const starts[])(struct job *,
				       struct message_response *) = {
	[COMMAND_STATUS] = NULL,   [COMMAND_GET] = start_get,
	[COMMAND_SET] = start_set, [COMMAND_LS] = start_ls,
	[COMMAND_RM] = start_rm,   [COMMAND_MEMBER] = NULL,
	[COMMAND_TRANSFER] = NULL, [COMMAND_SNAPSHOT] = start_backup,
};
static_assert(COUNT_OF(starts) == COMMAND_COUNT, "each command has its work");

/* May run before kv_barrier() has returned. A fresh read that fell back is
 * answered from what is applied, as a mount does; `status` tells. */
static void on_ready(void *context, int status, bool fell_back)
{
	struct job *job = context;

	job->fell_back = fell_back;
	job->status = status;
	job->env->wake(job->env->context, job);
}

static enum job_turn begin(struct job *job, struct message_response *response)
{
	if (!job->command) {
		answer(response, EINVAL);
		explain(response, "unknown command");
		return JOB_ANSWERS;
	}
	if (job->command->words && !starts[command_id(job->command)]) {
		return begin_members(job, response);
	}
	if (!starts[command_id(job->command)]) {
		return say_status(job, response);
	}
	if (job->path[0] != '/') {
		answer(response, EINVAL);
		explain(response, "a path begins with /");
		return JOB_ANSWERS;
	}
	job->deadline_ms = kv_now_ms() + job->env->timeout_ms;
	job->phase = PHASE_BARRIER;
	/* A backup is as fresh as it can be, and is made in any case. */
	job->number = kv_barrier(job->env->kv,
				 command_id(job->command) == COMMAND_SNAPSHOT
					 ? KV_READS_FRESH
					 : job->env->reads,
				 on_ready, job);
	return JOB_WAITS;
}

static enum job_turn on_passed(struct job *job,
			       struct message_response *response)
{
	if (job->status != 0) {
		return answer_refusal(job, response);
	}
	return starts[command_id(job->command)](job, response);
}

enum job_turn job_step(struct job *job, struct message_response *response)
{
	switch (job->phase) {
	case PHASE_BEGIN:
		return begin(job, response);
	case PHASE_BARRIER:
		return on_passed(job, response);
	case PHASE_CHANGE:
		return on_changed(job, response);
	case PHASE_STREAM:
		return next_chunk(job, response);
	case PHASE_MEMBERS:
		return on_members(job, response);
	case PHASE_BACKUP:
		return on_backup(job, response);
	}
	CHECK(false);
	return JOB_WAITS;
}
