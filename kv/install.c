/* SPDX-License-Identifier: Apache-2.0 */
/* install.c - the state as a snapshot: made, and taken over from another node.
 *
 * Taking over, on the node's snapshot thread, then the apply thread:
 *
 *   the staged folder is looked at: a state, and one that ends at pos
 *   -> renamed to state-N+1 and opened          a crash: a stray, removed
 *   -> the marker names it, `installed`         here it happens (I1)
 *   -> apply thread: readers get it (swap.h), entries that wait are dropped
 *   -> what happened meanwhile is told: watchers, proposers, barriers
 *
 *   I1  the marker is durable before anyone reads the new state, so that no
 *       restart goes back behind what was shown
 *   I2  until the log is reset to pos it is that of the old state; `installed`
 *       says so, and the next start does it (kv.c). It is cleared by the
 *       first flush of something applied on top, which came from the new log
 *   I3  proposals whose entries this node will never see are settled from the
 *       session records that the state holds, each exactly once */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/internal.h"
#include "kv/swap.h"

/* --- Making one ----------------------------------------------------------- */

/* verify: read all of it. */
static int read_info(struct kv *kv, const char *folder, bool verify,
		     struct node_snapshot_info *info)
{
	struct buffer problem = {0};
	struct applied applied = {0};
	struct store *store;
	int rc = kv->below.store_peek(kv->below.context, folder, &store,
				      &problem);

	if (rc == 0) {
		rc = applied_load(&store->reader, &applied);
		if (rc == 0) {
			rc = membership_load(&store->reader,
					     &info->members_index,
					     &info->members);
		}
		if (rc == 0 && verify) {
			rc = kv_verify(kv, store);
		}
		store->ops->close(store);
	}
	info->pos.index = applied.index;
	info->pos.term = applied.term;
	if (rc != 0) {
		log_error("the snapshot in %s does not read: %s", folder,
			  problem.size > 0 ? buffer_text(&problem)
					   : status_text(rc));
	}
	buffer_deinit(&problem);
	return rc;
}

int kv_on_snapshot(void *context, const char *folder,
		   struct node_snapshot_info *info)
{
	struct kv *kv = context;
	uint64_t began = kv_now_ms();
	int rc;

	if (atomic_load(&kv->applied) == 0) {
		return STATUS_NOT_READY;
	}
	rc = kv->store->ops->checkpoint(kv->store, folder);
	if (rc != 0) {
		log_error("cannot make a snapshot in %s: %s", folder,
			  status_text(rc));
	} else {
		/* Its files go to others as they are: rot is not to spread. */
		rc = read_info(kv, folder, true, info);
		if (rc != 0) {
			(void)folder_remove(folder);
		}
	}
	if (rc != 0) {
		kv_damaged(kv, rc,
			   "the state database is damaged: a snapshot "
			   "of it does not read");
		return rc;
	}
	log_info("snapshot made index=%" PRIu64 " term=%" PRIu64 " ms=%" PRIu64,
		 info->pos.index, info->pos.term, kv_now_ms() - began);
	return 0;
}

/* --- Taking one over: the disk -------------------------------------------- */

static int check_folder(struct kv *kv, const char *folder, struct raft_pos pos)
{
	struct node_snapshot_info info = {.pos = {0}};
	int rc = read_info(kv, folder, false, &info);

	if (rc == 0 &&
	    (info.pos.index != pos.index || info.pos.term != pos.term)) {
		log_error("the snapshot in %s ends at index %" PRIu64
			  " of term %" PRIu64 ", not at %" PRIu64
			  " of %" PRIu64,
			  folder, info.pos.index, info.pos.term, pos.index,
			  pos.term);
		rc = STATUS_CORRUPT;
	}
	buffer_deinit(&info.members);
	return rc;
}

/* What came is there: on a full disk it waits until it can be used. 0: there
 * may be room now. */
static int await_room(struct kv *kv, bool *waited, struct buffer *problem)
{
	if (!*waited) {
		log_warn("the snapshot waits for room on the disk");
	}
	*waited = true;
	buffer_reset(problem);
	node_space_look(kv->node);
	(void)node_space_has(kv->node, kv->store->ops->need(kv->store));
	return kv_pause_full(kv, &kv->installed) ? 0 : STATUS_ENDED;
}

/* Open what was moved, if it is not yet, and let the marker name it. */
static int use_taken(struct kv *kv, const char *path, const struct marker *next,
		     struct store **store, struct buffer *problem)
{
	int rc = 0;

	if (*store == NULL) {
		rc = kv->below.store_open(kv->below.context, path, store,
					  problem);
	}
	if (rc != 0) {
		*store = NULL;
		return rc;
	}
	return marker_save(kv->folder, kv->data, next, problem);
}

/* marker_lock held. Move the folder to its place, and use it. STATUS_ENDED: the
 * node stops, and the old state is in use. */
static int take_folder(struct kv *kv, const char *folder, const char *path,
		       const struct marker *next, struct store **store)
{
	struct buffer problem = {0};
	bool waited = false;
	int rc = folder_remove(path);

	*store = NULL;
	if (rc == 0) {
		rc = folder_move(folder, path);
	}
	while (rc == 0) {
		rc = use_taken(kv, path, next, store, &problem);
		if (rc != STATUS_NO_SPACE) {
			break;
		}
		rc = await_room(kv, &waited, &problem);
	}
	if (rc != 0 && *store != NULL) {
		(*store)->ops->close(*store);
	}
	if (rc != 0 && rc != STATUS_ENDED) {
		log_error("cannot take a snapshot over from %s: %s", folder,
			  problem.size > 0 ? buffer_text(&problem)
					   : status_text(rc));
	}
	buffer_deinit(&problem);
	return rc;
}

/* Have the apply thread do its part; false: it does not run any more. */
static bool hand_over(struct kv *kv, struct kv_install *install)
{
	bool handed;

	pthread_mutex_lock(&kv->lock);
	handed = !kv->stopping;
	if (handed) {
		CHECK(kv->install == NULL);
		kv->install = install;
		pthread_cond_signal(&kv->apply_wake);
		while (!install->done) {
			pthread_cond_wait(&kv->installed, &kv->lock);
		}
	}
	pthread_mutex_unlock(&kv->lock);
	return handed;
}

/* marker_lock held. */
static int load(struct kv *kv, const char *folder, struct raft_pos pos)
{
	struct marker next = {
		.folder = kv->marker.folder + 1,
		.index = pos.index,
		.term = pos.term,
		.installed = true,
	};
	struct kv_install install = {.pos = pos};
	char *path = marker_folder(kv->data, &next);
	int rc = take_folder(kv, folder, path, &next, &install.store);

	if (rc == 0) {
		kv->marker = next;
		install.path = path;
		if (!hand_over(kv, &install)) {
			install.store->ops->close(install.store);
			rc = STATUS_ENDED;
		}
	}
	mem_free(path);
	return rc;
}

int kv_on_load(void *context, const char *folder, struct raft_pos pos)
{
	struct kv *kv = context;
	uint64_t began = kv_now_ms();
	int rc = check_folder(kv, folder, pos);

	if (rc != 0) {
		return STATUS_CORRUPT;
	}
	pthread_mutex_lock(&kv->marker_lock);
	rc = load(kv, folder, pos);
	pthread_mutex_unlock(&kv->marker_lock);
	if (rc == 0) {
		log_info("snapshot installed index=%" PRIu64 " term=%" PRIu64
			 " ms=%" PRIu64,
			 pos.index, pos.term, kv_now_ms() - began);
	}
	return rc;
}

/* --- Taking one over: what happened meanwhile ----------------------------- */

/* What the new state says of this node's proposals. */
struct found {
	bool born;
	bool live; /* the session in use */
	struct {
		uint64_t number;
		size_t start;
		size_t size;
	} * results;
	size_t count;
	struct buffer bytes;
	struct session own; /* id 0: none */
	raft_id self;
};

static bool find_own(void *context, const struct session *s)
{
	struct found *f = context;

	if (s->owner.incarnation == f->self) {
		f->own = *s;
	}
	return f->own.id == 0;
}

/* Results of the numbers [low, next) of a session. */
static int find_results(struct kv_reader *r, uint64_t session, uint64_t low,
			uint64_t next, struct found *f)
{
	struct buffer value = {0};
	int rc = 0;

	f->results = mem_alloc((next - low + 1) * sizeof f->results[0]);
	for (uint64_t n = low; n < next && rc == 0; n++) {
		struct record_key key = record_result(session, n);

		rc = kv_get(r, record_bytes(&key), &value);
		if (rc == 0) {
			f->results[f->count].number = n;
			f->results[f->count].start = f->bytes.size;
			f->results[f->count].size = value.size;
			f->count++;
			buffer_append_bytes(&f->bytes, buffer_bytes(&value));
		}
		rc = rc == STATUS_NOT_FOUND ? 0 : rc;
	}
	buffer_deinit(&value);
	return rc;
}

/* Sessions change on this thread alone; what is handed over from now on comes
 * after the snapshot, which was made before. */
static int find(struct kv *kv, struct found *f)
{
	struct kv_reader *r = &kv->store->reader;
	struct record_key born = record_born();
	struct buffer value = {0};
	struct session used;
	uint64_t session;
	uint64_t low;
	uint64_t next;
	int rc;

	pthread_mutex_lock(&kv->lock);
	session = kv->proposals.session;
	low = kv->proposals.low;
	next = kv->proposals.next;
	pthread_mutex_unlock(&kv->lock);

	f->self = kv->identity.self;
	rc = kv_get(r, record_bytes(&born), &value);
	f->born = rc == 0;
	if (rc == 0 || rc == STATUS_NOT_FOUND) {
		rc = session_each(r, find_own, f);
	}
	if (rc == 0 && session != 0) {
		rc = session_load(r, session, &used);
		f->live = rc == 0;
		rc = rc == STATUS_NOT_FOUND ? 0 : rc;
	}
	if (rc == 0 && f->live) {
		rc = find_results(r, session, low, next, f);
	}
	buffer_deinit(&value);
	return rc;
}

/* Lock held (I3). */
static void settle(struct kv *kv, const struct found *f,
		   struct proposal_list *answers)
{
	struct proposals *p = &kv->proposals;

	kv->born = f->born;
	for (size_t i = 0; i < f->count; i++) {
		struct bytes result =
			f->results[i].size == 0
				? bytes_of("", 0)
				: bytes_of(f->bytes.data + f->results[i].start,
					   f->results[i].size);

		proposals_applied(p, p->session, f->results[i].number, result,
				  answers);
	}
	if (p->session != 0 && !f->live) {
		kv_session_over(kv);
		proposals_lost(p, answers);
	}
	if (f->own.id != 0) {
		kv_session_opened(kv, f->own.id, &f->own.owner);
	}
}

/* Lock held. The new state is durable as it is. */
static void mark_clean(struct kv *kv)
{
	kv->dirty = kv->applier.applied;
	kv->dirty_bytes = 0;
	kv->dirty_entries = 0;
}

static void tell(struct kv *kv, const struct found *f,
		 struct kv_install *install)
{
	struct proposal_list answers = TAILQ_HEAD_INITIALIZER(answers);
	struct barrier_list barriers = TAILQ_HEAD_INITIALIZER(barriers);
	uint64_t index = kv->applier.applied.index;
	bool wake;

	feed_gap(&kv->feed, index);
	pthread_mutex_lock(&kv->lock);
	settle(kv, f, &answers);
	mark_clean(kv);
	atomic_store(&kv->applied, index);
	barriers_applied(&kv->barriers, index, &barriers);
	wake = kv_wanted(kv, kv_now_ms());
	pthread_mutex_unlock(&kv->lock);
	proposals_tell(&answers);
	barriers_tell(&barriers);
	if (wake) {
		node_wake(kv->node);
	}
	pthread_mutex_lock(&kv->lock);
	kv->install = NULL;
	install->done = true;
	pthread_cond_signal(&kv->installed);
	pthread_mutex_unlock(&kv->lock);
}

void kv_install(struct kv *kv, struct kv_install *install)
{
	struct found f = {.born = false};
	int rc;

	CHECK(install->pos.index > kv->applier.applied.index);
	swap_replace(kv->store, install->store, install->path);
	rc = applier_reload(&kv->applier);
	if (rc == 0) {
		CHECK(kv->applier.applied.index == install->pos.index);
		rc = find(kv, &f);
	}
	kv_damaged(kv, rc, "the installed state is damaged");
	if (rc != 0) {
		log_fatal("the installed state in %s does not read: %s",
			  install->path, status_text(rc));
	}
	tell(kv, &f, install);
	buffer_deinit(&f.bytes);
	mem_free(f.results);
}

/* --- What a crash left ---------------------------------------------------- */

static bool is_stray(const struct kv *kv, const char *name)
{
	uint64_t folder;
	int end = 0;
	bool is_state = sscanf(name, "state-%" SCNu64 "%n", &folder, &end) == 1;

	return (is_state && (folder != kv->marker.folder || name[end] != 0)) ||
	       strcmp(name, "saving") == 0 || strncmp(name, "saving.", 7) == 0;
}

static int remove_stray(void *context, const char *name)
{
	const struct kv *kv = context;
	char *path;
	int rc;

	if (!is_stray(kv, name)) {
		return 0;
	}
	path = mem_printf("%s/%s", kv->data, name);
	rc = folder_remove(path);
	log_info("removed what was left of a replaced state name=%s", name);
	mem_free(path);
	return rc;
}

void kv_remove_strays(struct kv *kv)
{
	int rc = folder_list(kv->data, remove_stray, kv);

	if (rc != 0) {
		log_warn("cannot clean up the data folder: %s",
			 status_text(rc));
	}
}
