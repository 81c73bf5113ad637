/* SPDX-License-Identifier: Apache-2.0 */
/* backup.c - the state, saved to a file while all goes on.
 *
 * A thread of its own for each: a checkpoint in the data folder (`saving`),
 * that into the file (archive.h), and it is removed again. One at a time, so
 * that a disk holds at most one checkpoint for this. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "base/mem.h"
#include "kv/archive.h"
#include "kv/internal.h"

static void describe(struct kv *kv, const struct node_snapshot_info *info,
		     struct archive *a)
{
	struct node_status *status = mem_alloc(sizeof *status);

	node_status(kv->node, status);
	*a = (struct archive){
		.index = info->pos.index,
		.term = info->pos.term,
		.made_ns = kv_realtime_ns(),
	};
	(void)snprintf(a->name, sizeof a->name, "%s", kv->name);
	memcpy(a->cluster, status->cluster, sizeof a->cluster);
	mem_free(status);
}

/* Is it in the data folder, where it might replace what the node lives on? A
 * folder that is not there is none of its. */
static bool is_own(const struct kv *kv, const char *path)
{
	char *copy = mem_strdup(path);
	char *slash = strrchr(copy, '/');
	char *data = realpath(kv->data, NULL);
	size_t size = data != NULL ? strlen(data) : 0;
	char *parent;
	bool own;

	CHECK(slash); /* it is absolute */
	slash[slash == copy] = '\0';
	parent = realpath(copy, NULL);
	own = data != NULL && parent != NULL &&
	      strncmp(parent, data, size) == 0 &&
	      (parent[size] == '\0' || parent[size] == '/');
	free(parent);
	free(data);
	mem_free(copy);
	return own;
}

static int save(struct kv *kv, const char *folder, struct buffer *text)
{
	struct node_snapshot_info info = {.pos = {0}};
	struct archive a;
	int rc;

	if (is_own(kv, kv->backup.path)) {
		buffer_printf(text, "%s is in the data folder",
			      kv->backup.path);
		return STATUS_INVALID;
	}
	folder_remove(folder); /* of one that was cut short */
	rc = kv_on_snapshot(kv, folder, &info);
	buffer_deinit(&info.members);
	if (rc != 0) {
		buffer_printf(text, "cannot make a snapshot: %s",
			      rc == STATUS_NOT_READY ? "there is no state yet"
						     : status_text(rc));
		return rc;
	}
	describe(kv, &info, &a);
	rc = archive_save(kv->backup.path, folder, &a, &kv->backup.cancelled,
			  text);
	if (rc == 0) {
		buffer_printf(text,
			      "saved up to index %" PRIu64 ": %" PRIu64
			      " bytes in %" PRIu64 " files",
			      a.index, a.bytes, a.files);
	}
	folder_remove(folder);
	return rc;
}

static void *run(void *context)
{
	struct kv *kv = context;
	char *folder = mem_printf("%s/saving", kv->data);
	kv_saved saved = kv->backup.saved;
	void *asked_by = kv->backup.context;
	struct buffer text = {0};
	int rc = save(kv, folder, &text);

	mem_free(folder);
	mem_free(kv->backup.path);
	pthread_mutex_lock(&kv->lock);
	kv->backup.runs = false;
	pthread_mutex_unlock(&kv->lock);
	saved(asked_by, rc, buffer_text(&text));
	buffer_deinit(&text);
	return NULL;
}

/* Lock held. Take the place, if it is free. */
static int claim(struct kv *kv)
{
	if (kv->closing) {
		return STATUS_ENDED;
	}
	if (kv->backup.runs) {
		return STATUS_PENDING;
	}
	kv->backup.runs = true;
	return 0;
}

void kv_backup(struct kv *kv, const char *path, kv_saved saved, void *context)
{
	int rc;

	pthread_mutex_lock(&kv->lock);
	rc = claim(kv);
	pthread_mutex_unlock(&kv->lock);
	if (rc != 0) {
		saved(context, rc,
		      rc == STATUS_PENDING ? "another backup is under way"
					   : status_text(rc));
		return;
	}
	kv_backup_join(kv); /* the one before has ended */
	atomic_store(&kv->backup.cancelled, false);
	kv->backup.path = mem_strdup(path);
	kv->backup.saved = saved;
	kv->backup.context = context;
	kv->backup.started = true;
	if (pthread_create(&kv->backup.thread, NULL, run, kv) != 0) {
		kv->backup.started = false;
		mem_free(kv->backup.path);
		pthread_mutex_lock(&kv->lock);
		kv->backup.runs = false;
		pthread_mutex_unlock(&kv->lock);
		saved(context, STATUS_IO, "no thread to be had");
	}
}

void kv_backup_interrupt(struct kv *kv)
{
	atomic_store(&kv->backup.cancelled, true);
}

void kv_backup_join(struct kv *kv)
{
	if (kv->backup.started) {
		pthread_join(kv->backup.thread, NULL);
		kv->backup.started = false;
	}
}
