/* SPDX-License-Identifier: Apache-2.0 */
/* The texts of `.raftfs/`, and of `raftfsctl status`.
 *
 * Each is made from one kv_status() call, so its lines agree with each other.
 * Keys are words of the Raft paper; a key that is here stays, new ones may
 * come. */
#include "fs/control/status.h"

#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "base/mem.h"
#include "fs/control/control.h"

/* A text callback is given only the map, which knows of no sockets; a process
 * serves one at most. */
static char socket_path[PATH_MAX];
static pthread_mutex_t socket_lock = PTHREAD_MUTEX_INITIALIZER;

void status_set_socket(const char *path)
{
	CHECK(strlen(path) < sizeof socket_path);
	pthread_mutex_lock(&socket_lock);
	strcpy(socket_path, path);
	pthread_mutex_unlock(&socket_lock);
}

const char *status_reads_word(enum kv_reads reads)
{
	switch (reads) {
	case KV_READS_FRESH:
		return "fresh";
	case KV_READS_STRICT:
		return "strict";
	case KV_READS_LOCAL:
		return "local";
	}
	return "unknown";
}

static const char *cut_off_text(const struct kv_status *status,
				enum kv_reads reads)
{
	switch (reads) {
	case KV_READS_FRESH:
		if (status->repair[0] != 0) {
			return " (cut off: they fail)";
		}
		return " (cut off: answered from the applied state)";
	case KV_READS_STRICT:
		return " (cut off: they fail)";
	case KV_READS_LOCAL:
		return "";
	}
	return "";
}

uint64_t status_lag(const struct kv_status *status)
{
	return status->commit > status->applied
		       ? status->commit - status->applied
		       : 0;
}

void status_member(const struct kv_member *member, struct buffer *out)
{
	buffer_printf(out, "%s %s %s%s%s", member->name,
		      member->address[0] != 0 ? member->address : "-",
		      member->standing, member->leader ? " leader" : "",
		      member->repairing ? " repairing" : "");
	if (member->becomes[0] != 0) {
		buffer_printf(out, " becomes=%s", member->becomes);
	}
	if (member->replaces[0] != 0) {
		buffer_printf(out, " replaces=%s", member->replaces);
	}
	if (member->self) {
		buffer_printf(out, " self\n");
		return;
	}
	buffer_printf(out, " %s",
		      member->connected ? "connected" : "disconnected");
	if (member->heard_ms_ago == UINT64_MAX) {
		buffer_printf(out, " heard=never");
	} else {
		buffer_printf(out, " heard=%" PRIu64 "ms",
			      member->heard_ms_ago);
	}
	if (member->match > 0) {
		buffer_printf(out, " match=%" PRIu64, member->match);
	}
	buffer_printf(out, "\n");
}

/* The reason is a sentence for itself; here "no" is said already. */
static void quorum_line(const struct kv_status *status, struct buffer *out)
{
	static const char no_quorum[] = "no quorum: ";
	const char *why = status->why;

	if (strncmp(why, no_quorum, strlen(no_quorum)) == 0) {
		why += strlen(no_quorum);
	}
	if (status->quorum) {
		buffer_printf(out, "quorum: yes\n");
	} else {
		buffer_printf(out, "quorum: no (%s)\n",
			      why[0] ? why : "none is known yet");
	}
}

static const char *disk_word(const struct kv_status *status)
{
	if (status->disk_low) {
		return "nearly full (writes are refused)";
	}
	return status->full ? "ok (others' are nearly full: writes are refused)"
			    : "ok";
}

static void listen_line(const struct kv_status *status, struct buffer *out)
{
	buffer_printf(out, "listen: %s",
		      status->listens[0] != 0 ? status->listens : "none");
	if (status->elsewhere[0] != 0) {
		buffer_printf(out, " (but the cluster has this node at %s)",
			      status->elsewhere);
	}
	buffer_printf(out, "\n");
}

static void repair_line(const struct kv_status *status, struct buffer *out)
{
	if (status->repair[0] == 0) {
		buffer_printf(out, "repair: none\n");
	} else if (status->repair_until == 0) {
		buffer_printf(out,
			      "repair: does not vote, waits for a leader "
			      "(%s)\n",
			      status->repair);
	} else {
		buffer_printf(
			out,
			"repair: does not vote until it has index %" PRIu64
			" (%s)\n",
			status->repair_until, status->repair);
	}
}

static void snapshot_lines(const struct kv_status *status, struct buffer *out)
{
	const struct {
		const char *key;
		uint64_t value;
	} lines[] = {
		{"snapshots-sent", status->snapshots_sent},
		{"snapshots-failed", status->snapshots_failed},
		{"snapshots-installed", status->snapshots_installed},
		{"snapshot-bytes-sent", status->snapshot_bytes_sent},
		{"snapshot-bytes-taken", status->snapshot_bytes_taken},
		{"snapshot-bytes-kept", status->snapshot_bytes_kept},
	};

	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		buffer_printf(out, "%s: %" PRIu64 "\n", lines[i].key,
			      lines[i].value);
	}
}

void status_text_lines(const struct kv_status *status, enum kv_reads reads,
		       struct buffer *out)
{
	buffer_printf(out, "version: " RAFTFS_VERSION "\n");
	buffer_printf(out, "name: %s\n", status->name);
	buffer_printf(out, "cluster: %s\n", status->cluster);
	buffer_printf(out, "role: %s\n", status->role);
	buffer_printf(out, "term: %" PRIu64 "\n", status->term);
	buffer_printf(out, "leader: %s\n", status->leader);
	quorum_line(status, out);
	buffer_printf(out, "reads: %s%s\n", status_reads_word(reads),
		      status->cut_off ? cut_off_text(status, reads) : "");
	buffer_printf(out, "disk: %s\n", disk_word(status));
	listen_line(status, out);
	repair_line(status, out);
	buffer_printf(out, "members: %zu\n", status->member_count);
	for (size_t i = 0; i < status->member_count; i++) {
		buffer_printf(out, "member: ");
		status_member(&status->members[i], out);
	}
	buffer_printf(out, "joint: %s\n", status->joint ? "yes" : "no");
	buffer_printf(out, "transfer: %s\n",
		      status->transfer[0] != 0 ? status->transfer : "none");
	buffer_printf(out, "commit: %" PRIu64 "\n", status->commit);
	buffer_printf(out, "applied: %" PRIu64 "\n", status->applied);
	buffer_printf(out, "lag: %" PRIu64 "\n", status_lag(status));
	buffer_printf(out, "last: %" PRIu64 "\n", status->last);
	buffer_printf(out, "log-bytes: %" PRIu64 "\n", status->log_bytes);
	buffer_printf(out, "state-bytes: %" PRIu64 "\n", status->state_bytes);
	buffer_printf(out, "session: %" PRIu64 "\n", status->session);
	buffer_printf(out, "proposals: %" PRIu64 "\n", status->proposals);
	buffer_printf(out, "bad-frames: %" PRIu64 "\n", status->bad_frames);
	snapshot_lines(status, out);
}

static void file_status(struct kv *kv, enum kv_reads reads, struct buffer *out)
{
	struct kv_status *status = mem_zalloc(sizeof *status);

	kv_status(kv, status);
	status_text_lines(status, reads, out);
	mem_free(status);
}

static void file_status_json(struct kv *kv, enum kv_reads reads,
			     struct buffer *out)
{
	struct kv_status *status = mem_zalloc(sizeof *status);

	kv_status(kv, status);
	status_json(status, reads, out);
	mem_free(status);
}

static void file_leader(struct kv *kv, enum kv_reads reads, struct buffer *out)
{
	struct kv_status *status = mem_zalloc(sizeof *status);
	(void)reads;

	kv_status(kv, status);
	if (status->leader[0]) {
		buffer_printf(out, "%s\n", status->leader);
	}
	mem_free(status);
}

static void file_socket(struct kv *kv, enum kv_reads reads, struct buffer *out)
{
	(void)kv;
	(void)reads;

	pthread_mutex_lock(&socket_lock);
	if (socket_path[0]) {
		buffer_printf(out, "%s\n", socket_path);
	}
	pthread_mutex_unlock(&socket_lock);
}

const struct control_file *control_files(size_t *count)
{
	static const struct control_file files[] = {
		{"status", file_status},
		{"status.json", file_status_json},
		{"leader", file_leader},
		{"socket", file_socket},
	};

	*count = COUNT_OF(files);
	return files;
}
