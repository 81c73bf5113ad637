/* SPDX-License-Identifier: Apache-2.0 */
/* anew.c - a cluster begun anew: from a backup, or from what one node has.
 *
 * Both make a new cluster of one node around a state that is there:
 *
 *   restore   the file is verified into a folder -> it becomes state-1 ----.
 *   recover   the log is applied to its end and flushed -------------------+
 *                                                                          v
 *   the state gets the new configuration, and no sessions; durable
 *   -> the log is empty behind it -> the identity is saved
 *
 * The file `unfinished` stands in the data folder from before the first change
 * until after the last: a daemon does not start on it. A recovery that was cut
 * short is simply done again. A restoration that fails leaves the folder empty,
 * or missing, as it was; one that was cut short has harmed nothing but that. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/archive.h"
#include "kv/internal.h"
#include "kv/session.h"

/* --- The file `unfinished` ------------------------------------------------ */

static char *unfinished(const char *data)
{
	return mem_printf("%s/unfinished", data);
}

static int begin(const char *data, struct buffer *problem)
{
	char *path = unfinished(data);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	int rc = 0;

	if (fd < 0 || folder_sync_name(path) != 0) {
		rc = status_failed(problem, "write", path);
	}
	if (fd >= 0) {
		close(fd);
	}
	mem_free(path);
	return rc;
}

static int finish(const char *data, struct buffer *problem)
{
	char *path = unfinished(data);
	int rc = 0;

	if (unlink(path) != 0 || folder_sync_name(path) != 0) {
		rc = status_failed(problem, "remove", path);
	}
	mem_free(path);
	return rc;
}

/* --- A state without its cluster ------------------------------------------ */

static bool add_key(void *context, struct bytes key, struct bytes value)
{
	struct buffer *keys = context;
	uint8_t size[4];

	(void)value;
	put_le32(size, (uint32_t)key.size);
	buffer_append(keys, size, sizeof size);
	buffer_append_bytes(keys, key);
	return true;
}

/* Sessions are of nodes that are not there any more. */
static int remove_sessions(struct kv_batch *b)
{
	const struct bytes prefix = bytes_of_text("s");
	struct buffer keys = {0};
	int rc = kv_scan(&b->reader, prefix, prefix, add_key, &keys);

	for (size_t at = 0; at < keys.size && rc == 0;) {
		uint32_t size = get_le32(keys.data + at);

		kv_remove(b, bytes_of(keys.data + at + 4, size));
		at += 4 + (size_t)size;
	}
	buffer_deinit(&keys);
	return rc;
}

static int change_state(struct kv *kv, struct bytes record)
{
	struct store *s = kv->store;
	struct kv_batch *b = s->ops->begin(s, NULL, NULL);
	int rc = remove_sessions(b);

	if (rc != 0) {
		s->ops->abort(s, b);
		return rc;
	}
	membership_stage(b, kv->applier.applied.index, record);
	rc = s->ops->commit(s, b);
	return rc == 0 ? s->ops->flush(s) : rc;
}

/* kv is prepared. The marker is that of the state as it is. */
static int begin_alone(struct kv *kv, const char *address,
		       struct buffer *problem)
{
	struct raft_pos pos = {
		.index = kv->applier.applied.index,
		.term = kv->applier.applied.term,
	};
	struct buffer record = {0};
	struct marker next = kv->marker;
	int rc;

	node_alone(kv->node, address, &record);
	rc = change_state(kv, buffer_bytes(&record));
	if (rc != 0) {
		buffer_printf(problem, "the state can not be changed: %s",
			      status_text(rc));
	}
	if (rc == 0) {
		next.index = pos.index;
		next.term = pos.term;
		rc = marker_save(kv->folder, kv->data, &next, problem);
	}
	if (rc == 0) {
		rc = node_begin_alone(kv->node, pos, problem);
	}
	buffer_deinit(&record);
	return rc;
}

/* Where others will find it: told, or NULL. */
static const char *address_of(const struct kv_config *config)
{
	for (size_t i = 0; i < config->peer_count; i++) {
		if (strcmp(config->peers[i].name, config->name) == 0) {
			return config->peers[i].address;
		}
	}
	return config->listen;
}

/* Alone, and without a listener. */
static struct kv_config alone(const struct kv_config *config)
{
	struct kv_config c = *config;

	c.listen = NULL;
	c.peers = NULL;
	c.peer_count = 0;
	c.join = NULL;
	return c;
}

/* --- Restoring ------------------------------------------------------------ */

static void hex(const uint8_t *bytes, size_t size, char *text)
{
	for (size_t i = 0; i < size; i++) {
		(void)snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	}
}

static void describe(const struct archive *a, struct kv_backup_info *info)
{
	*info = (struct kv_backup_info){
		.index = a->index,
		.term = a->term,
		.made_ns = a->made_ns,
		.bytes = a->bytes,
	};
	memcpy(info->name, a->name, sizeof info->name);
	hex(a->cluster, sizeof a->cluster, info->cluster);
}

int kv_backup_check(const char *path, struct kv_backup_info *info,
		    struct buffer *problem)
{
	struct archive a;
	int rc = archive_load(path, NULL, &a, problem);

	if (rc == 0) {
		describe(&a, info);
	}
	return rc;
}

/* It is one of its own. */
static bool is_of_disk(const char *name)
{
	return strcmp(name, "lost+found") == 0;
}

static int count_name(void *context, const char *name)
{
	*(size_t *)context += is_of_disk(name) ? 0 : 1;
	return 0;
}

static int remove_name(void *context, const char *name)
{
	char *path;
	int rc;

	if (is_of_disk(name) || strcmp(name, "unfinished") == 0) {
		return 0;
	}
	path = mem_printf("%s/%s", *(const char *const *)context, name);
	rc = unlink(path) == 0 ? 0 : folder_remove(path);
	mem_free(path);
	return rc;
}

/* The folder was empty, and `unfinished` keeps daemons out, for good if not all
 * can be removed. */
static void undo(const char *data, bool made)
{
	struct buffer unsaid = {0};

	if (folder_list(data, remove_name, &data) == 0) {
		(void)finish(data, &unsaid);
		if (made) {
			(void)rmdir(data);
		}
	}
	buffer_deinit(&unsaid);
}

static int make_folder(const char *data, bool *made, struct buffer *problem)
{
	size_t count = 0;
	int rc = folder_make(data);

	*made = rc == 0;
	if (rc == STATUS_EXISTS) {
		rc = folder_list(data, count_name, &count);
	}
	if (rc != 0) {
		return status_failed(problem, "make the folder", data);
	}
	if (count > 0) {
		buffer_printf(problem,
			      "%s is not empty: a backup is restored into a "
			      "new data folder",
			      data);
		return STATUS_EXISTS;
	}
	return 0;
}

/* The file's content becomes state-1, named by the marker as a state whose log
 * is to be begun (kv.c). */
static int place_state(const char *data, const char *file, struct archive *a,
		       struct buffer *problem)
{
	struct marker marker = {.folder = 1, .installed = true};
	char *path = marker_folder(data, &marker);
	int rc = archive_load(file, path, a, problem);
	int folder = -1;

	if (rc == 0) {
		folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (rc == 0 && folder < 0) {
		buffer_printf(problem, "cannot open the folder %s", data);
		rc = STATUS_IO;
	}
	if (rc == 0) {
		marker.index = a->index;
		marker.term = a->term;
		rc = marker_save(folder, data, &marker, problem);
	}
	if (folder >= 0) {
		close(folder);
	}
	mem_free(path);
	return rc;
}

/* It must be what its file says it is. */
static int check_applied(const struct kv *kv, const struct archive *a,
			 struct buffer *problem)
{
	const struct applied *applied = &kv->applier.applied;

	if (applied->index == a->index && applied->term == a->term) {
		return 0;
	}
	buffer_printf(problem,
		      "the backup says that it ends at index %" PRIu64
		      ", but its state is at %" PRIu64,
		      a->index, applied->index);
	return STATUS_CORRUPT;
}

/* Around the state that was placed. */
static int restore(const struct kv_config *config, const struct kv_below *below,
		   const struct archive *a, struct buffer *problem)
{
	struct kv_config lonely = alone(config);
	const char *address = address_of(config);
	struct kv *kv;
	int rc = kv_prepare(&lonely, below, false, &kv, problem);

	if (rc != 0) {
		return rc;
	}
	rc = check_applied(kv, a, problem);
	if (rc == 0) {
		rc = begin_alone(kv, address != NULL ? address : "", problem);
	}
	kv_drop(kv);
	return rc == 0 ? finish(config->data, problem) : rc;
}

int kv_restore_on(const struct kv_config *config, const struct kv_below *below,
		  const char *file, struct kv_backup_info *info,
		  struct buffer *problem)
{
	struct archive a = {.index = 0};
	struct buffer unsaid = {0};
	bool made;
	int rc = make_folder(config->data, &made, problem);

	if (rc != 0) {
		return rc;
	}
	rc = begin(config->data, problem);
	if (rc == 0) {
		rc = place_state(config->data, file, &a, problem);
	}
	if (rc == 0) {
		rc = restore(config, below, &a, problem);
	}
	if (rc == STATUS_EXISTS) { /* another node has come to be there */
		(void)finish(config->data, &unsaid);
	} else if (rc != 0 && rc != STATUS_BUSY) {
		undo(config->data, made);
	}
	buffer_deinit(&unsaid);
	describe(&a, info);
	return rc;
}

int kv_restore(const struct kv_config *config, const char *file,
	       struct kv_backup_info *info, struct buffer *problem)
{
	return kv_restore_on(config, &kv_below_rocksdb, file, info, problem);
}

/* --- Recovering ----------------------------------------------------------- */

static int look(struct kv *kv, struct kv_survivor *s, struct buffer *problem)
{
	struct node_state state = {.applied = kv->applier.applied.index};
	char *path = unfinished(kv->data);
	struct buffer members = {0};
	raft_index base;
	int rc = membership_load(&kv->store->reader, &state.members_index,
				 &members);

	*s = (struct kv_survivor){
		.applied = kv->applier.applied.index,
		.repairing = node_repairs(kv->node),
	};
	(void)snprintf(s->name, sizeof s->name, "%s", kv->name);
	node_log(kv->node, &base, &s->commit, &s->last);
	hex(kv->identity.cluster, sizeof kv->identity.cluster, s->cluster);
	s->unfinished = access(path, F_OK) == 0;
	if (rc == 0) {
		state.members = buffer_bytes(&members);
		s->alone = node_is_alone(kv->node, &state);
	} else {
		buffer_printf(problem, "the state can not be read: %s",
			      status_text(rc));
	}
	buffer_deinit(&members);
	mem_free(path);
	return rc;
}

static int recover(struct kv *kv, const char *address, struct buffer *problem)
{
	raft_index base;
	raft_index commit;
	raft_index last;
	int rc;

	node_log(kv->node, &base, &commit, &last);
	if (last == 0) {
		buffer_printf(problem, "%s holds no state to go on from",
			      kv->data);
		return STATUS_NOT_READY;
	}
	rc = begin(kv->data, problem);
	if (rc == 0) {
		/* The first change: what is applied counts as committed. */
		rc = kv_replay(kv, last, problem);
	}
	if (rc == 0) {
		rc = begin_alone(kv, address, problem);
	}
	return rc == 0 ? finish(kv->data, problem) : rc;
}

int kv_recover_on(const struct kv_config *config, const struct kv_below *below,
		  struct kv_survivor *survivor, bool go, struct buffer *problem)
{
	struct kv_config named = *config;
	char name[LIMIT_NODE_NAME_BYTES + 1];
	struct kv_config lonely;
	struct kv *kv;
	int rc = node_name_in(config->data, name, problem);

	if (rc == 0) {
		named.name = config->name != NULL ? config->name : name;
		lonely = alone(&named);
		rc = kv_prepare(&lonely, below, false, &kv, problem);
	}
	if (rc != 0) {
		return rc;
	}
	rc = look(kv, survivor, problem);
	if (rc == 0 && go) {
		rc = recover(kv, address_of(&named), problem);
	}
	kv_drop(kv);
	return rc;
}

int kv_recover(const struct kv_config *config, struct kv_survivor *survivor,
	       bool go, struct buffer *problem)
{
	return kv_recover_on(config, &kv_below_rocksdb, survivor, go, problem);
}
