/* SPDX-License-Identifier: Apache-2.0 */
/* kv.c - open, recover, close.
 *
 * The order at open: the node locks and reads the data folder; the state
 * database is opened and compared with the marker and the log; the log is
 * replayed up to the saved commit index, so that the state is never older than
 * what this node acknowledged; only then do threads start. For want of room on
 * the disk the replay is ended later, by the apply thread. */
#include "kv/kv.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "kv/command.h"
#include "kv/internal.h"
#include "kv/swap.h"

static int open_rocksdb(void *context, const char *path, struct store **store,
			struct buffer *problem)
{
	(void)context;
	return store_open_rocksdb(path, store, problem);
}

static int peek_rocksdb(void *context, const char *path, struct store **store,
			struct buffer *problem)
{
	(void)context;
	return store_peek_rocksdb(path, store, problem);
}

const struct kv_below kv_below_rocksdb = {
	.store_open = open_rocksdb,
	.store_peek = peek_rocksdb,
};

int kv_open(const struct kv_config *config, struct kv **kv,
	    struct buffer *problem)
{
	return kv_open_on(config, &kv_below_rocksdb, kv, problem);
}

/* --- Memory --------------------------------------------------------------- */

static void init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

static struct kv *kv_new(const struct kv_config *config)
{
	struct kv *kv = mem_zalloc(sizeof *kv);

	kv->machine = *config->machine;
	kv->name = mem_strdup(config->name);
	kv->data = mem_strdup(config->data);
	kv->folder = -1;
	kv->timeout_ms = config->timeout_ms;
	kv->session_ms = config->session_ms;
	kv->failed = config->failed;
	kv->context = config->context;
	pthread_mutex_init(&kv->lock, NULL);
	pthread_mutex_init(&kv->marker_lock, NULL);
	init_condition(&kv->apply_wake);
	init_condition(&kv->keeper_wake);
	init_condition(&kv->ended);
	init_condition(&kv->installed);
	proposals_init(&kv->proposals);
	barriers_init(&kv->barriers);
	feed_init(&kv->feed);
	kv->opening = 1;
	kv->route_lost_ms = kv_now_ms();
	return kv;
}

static void kv_free(struct kv *kv)
{
	kv_changes_deinit(kv);
	kv_queue_deinit(&kv->queue);
	for (size_t i = 0; i < kv->own_count; i++) {
		entry_unref(kv->own[i]);
	}
	applier_deinit(&kv->applier);
	feed_deinit(&kv->feed);
	holds_deinit(&kv->holds);
	roster_reset(&kv->roster);
	if (kv->store != NULL) {
		kv->store->ops->close(kv->store);
	}
	if (kv->node != NULL) {
		node_close(kv->node);
	}
	pthread_cond_destroy(&kv->installed);
	pthread_cond_destroy(&kv->ended);
	pthread_cond_destroy(&kv->keeper_wake);
	pthread_cond_destroy(&kv->apply_wake);
	pthread_mutex_destroy(&kv->marker_lock);
	pthread_mutex_destroy(&kv->lock);
	if (kv->folder >= 0) {
		close(kv->folder);
	}
	mem_free(kv->data);
	mem_free(kv->name);
	mem_free(kv);
}

/* --- Recovery ------------------------------------------------------------- */

/* Right after the node has locked it. */
static int open_folder(struct kv *kv, struct buffer *problem)
{
	kv->folder = open(kv->data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (kv->folder >= 0) {
		return 0;
	}
	buffer_printf(problem, "cannot open the folder %s", kv->data);
	return STATUS_IO;
}

static int load_marker(struct kv *kv, raft_index last, struct buffer *problem)
{
	const struct marker first = {.folder = 1};
	int rc = marker_load(kv->folder, kv->data, &kv->marker, problem);

	if (rc != STATUS_NOT_FOUND) {
		return rc;
	}
	/* Entry 1 is the founding: a node of one has it before its state. */
	if (last > 1 || marker_folder_exists(kv->data, &first)) {
		buffer_printf(problem,
			      "%s/state is missing, although this node has "
			      "been running: it does not know its state "
			      "database",
			      kv->data);
		return STATUS_CORRUPT;
	}
	kv->marker = first;
	return marker_save(kv->folder, kv->data, &kv->marker, problem);
}

static int open_store(struct kv *kv, struct buffer *problem)
{
	char *path = marker_folder(kv->data, &kv->marker);
	struct store *store;
	int rc;

	(void)node_space_has(kv->node, KV_OPEN_BYTES);
	rc = kv->below.store_open(kv->below.context, path, &store, problem);
	if (rc == 0) {
		kv->store = swap_new(store, path, kv_on_damage, kv);
		rc = applier_init(&kv->applier, kv->store, &kv->machine,
				  &kv->feed);
		if (rc != 0) {
			buffer_printf(problem,
				      "the state database in %s does not say "
				      "how far it is: %s",
				      path, status_text(rc));
		}
	}
	mem_free(path);
	return rc;
}

/* Row 53: it was replaced by a snapshot, and the log not yet reset to it. */
static int reset_log(struct kv *kv, struct buffer *problem)
{
	const struct applied *applied = &kv->applier.applied;
	struct raft_pos pos = {.index = applied->index, .term = applied->term};

	if (!kv->marker.installed || applied->index != kv->marker.index ||
	    node_term(kv->node, pos.index) == pos.term) {
		return 0;
	}
	log_info("the state is an installed snapshot: beginning the log after "
		 "index=%" PRIu64,
		 pos.index);
	return node_reset(kv->node, pos, problem);
}

/* Does the database fit what is known of it and the log? */
static int check_state(struct kv *kv, struct buffer *problem)
{
	char *path = marker_folder(kv->data, &kv->marker);
	const struct applied *at = &kv->applier.applied;
	uint64_t applied = at->index;
	raft_index base;
	raft_index commit;
	raft_index last;
	int rc = STATUS_CORRUPT;

	node_log(kv->node, &base, &commit, &last);
	if (applied < kv->marker.index) {
		buffer_printf(problem,
			      "the state database in %s lost its tail: it ends "
			      "at index %" PRIu64 ", but %" PRIu64
			      " was durable",
			      path, applied, kv->marker.index);
	} else if (applied > last) {
		buffer_printf(problem,
			      "the log lost its tail: it ends at index %" PRIu64
			      ", but the state database in %s is at %" PRIu64,
			      last, path, applied);
	} else if (applied < base) {
		buffer_printf(problem,
			      "the state database in %s ends at index %" PRIu64
			      ", but the log begins after %" PRIu64,
			      path, applied, base);
	} else if (applied > 0 && node_term(kv->node, applied) != at->term) {
		buffer_printf(problem,
			      "the state database in %s and the log are of "
			      "different histories: the entry at index %" PRIu64
			      " is of term %" PRIu64 " in one and of %" PRIu64
			      " in the other",
			      path, applied, at->term,
			      node_term(kv->node, applied));
	} else {
		rc = 0;
	}
	mem_free(path);
	return rc;
}

/* Read entries after what is applied into a batch. */
static int read_batch(struct kv *kv, raft_index commit, struct entry **entries,
		      size_t *count)
{
	raft_index index = kv->applier.applied.index + 1;
	size_t bytes = 0;
	int rc = 0;

	*count = 0;
	while (index <= commit && *count < LIMIT_APPLY_ENTRIES &&
	       bytes < LIMIT_APPLY_BYTES - LIMIT_ENTRY_BYTES) {
		rc = node_read(kv->node, index, &entries[*count]);
		if (rc != 0) {
			break;
		}
		bytes += entries[*count]->size;
		(*count)++;
		index++;
	}
	return rc;
}

int kv_replay(struct kv *kv, raft_index commit, struct buffer *problem)
{
	struct entry **entries =
		mem_alloc(LIMIT_APPLY_ENTRIES * sizeof entries[0]);
	uint64_t from = kv->applier.applied.index;
	int rc = 0;

	while (rc == 0 && kv->applier.applied.index < commit) {
		size_t count;

		rc = read_batch(kv, commit, entries, &count);
		if (rc == 0) {
			rc = kv_try_apply(kv, entries, count);
		}
		for (size_t i = 0; i < count; i++) {
			entry_unref(entries[i]);
		}
	}
	mem_free(entries);
	if (rc != 0) {
		buffer_printf(problem,
			      "the log can not be replayed after index %" PRIu64
			      ": %s",
			      kv->applier.applied.index, status_text(rc));
		return rc;
	}
	log_info("state recovered from=%" PRIu64 " to=%" PRIu64, from,
		 kv->applier.applied.index);
	return 0;
}

/* On a full disk the node starts all the same, so that it can be looked at and
 * takes part: it applies the rest when there is room. */
static int replay(struct kv *kv, raft_index commit, struct buffer *problem)
{
	size_t start = problem->size;
	int rc = kv_replay(kv, commit, problem);

	if (rc != STATUS_NO_SPACE) {
		return rc;
	}
	log_warn("starting nevertheless: %s", buffer_text(problem) + start);
	problem->size = start;
	barriers_owe(&kv->barriers, commit);
	return 0;
}

static int load_born(struct kv *kv, struct buffer *problem)
{
	struct record_key key = record_born();
	struct buffer value = {0};
	int rc = kv_get(&kv->store->reader, record_bytes(&key), &value);

	buffer_deinit(&value);
	kv->born = rc == 0;
	if (rc != 0 && rc != STATUS_NOT_FOUND) {
		buffer_printf(problem, "the state database does not read: %s",
			      status_text(rc));
		return rc;
	}
	return 0;
}

static int recover(struct kv *kv, struct buffer *problem)
{
	raft_index base;
	raft_index commit;
	raft_index last;
	int rc;

	node_identity(kv->node, &kv->identity);
	atomic_store(&kv->barriers.unproven, node_repairs(kv->node));
	node_log(kv->node, &base, &commit, &last);
	rc = load_marker(kv, last, problem);
	if (rc == 0) {
		kv_remove_strays(kv);
		rc = open_store(kv, problem);
	}
	if (rc == 0) {
		rc = reset_log(kv, problem);
	}
	if (rc == 0) {
		rc = check_state(kv, problem);
	}
	if (rc == 0) {
		node_log(kv->node, &base, &commit, &last);
		rc = replay(kv, commit, problem);
	}
	if (rc == 0) {
		rc = load_born(kv, problem);
	}
	if (rc != 0) {
		return rc;
	}
	kv->dirty = kv->applier.applied;
	if (kv->dirty.index > kv->marker.index) {
		kv->dirty_entries = kv->dirty.index - kv->marker.index;
		kv->dirty_ms = kv_now_ms();
	}
	atomic_store(&kv->applied, kv->applier.applied.index);
	return 0;
}

/* --- Life ----------------------------------------------------------------- */

static void stop_threads(struct kv *kv)
{
	pthread_mutex_lock(&kv->lock);
	kv->stopping = true;
	pthread_cond_broadcast(&kv->apply_wake);
	pthread_cond_broadcast(&kv->keeper_wake);
	pthread_cond_broadcast(&kv->installed);
	pthread_mutex_unlock(&kv->lock);
	pthread_join(kv->apply_thread, NULL);
	pthread_join(kv->keeper_thread, NULL);
}

static int start_node(struct kv *kv)
{
	struct node_state state = {.applied = kv->applier.applied.index};
	struct buffer members = {0};
	int rc = membership_load(&kv->store->reader, &state.members_index,
				 &members);

	if (rc == 0) {
		state.members = buffer_bytes(&members);
		rc = node_start(kv->node, &state);
	}
	buffer_deinit(&members);
	return rc;
}

static int start(struct kv *kv, struct buffer *problem)
{
	int rc;

	atomic_store(&kv->running, true);
	if (pthread_create(&kv->apply_thread, NULL, kv_apply_main, kv) != 0) {
		buffer_printf(problem, "no thread to be had");
		return STATUS_IO;
	}
	if (pthread_create(&kv->keeper_thread, NULL, kv_keeper_main, kv) != 0) {
		log_fatal("no thread to be had");
	}
	rc = start_node(kv);
	if (rc != 0) {
		buffer_printf(problem, "the node does not start: %s",
			      status_text(rc));
		stop_threads(kv);
	}
	return rc;
}

/* anew.c: one that was cut short is not to be started on. */
static int check_finished(const char *data, struct buffer *problem)
{
	char *path = mem_printf("%s/unfinished", data);
	bool is_there = access(path, F_OK) == 0;

	if (is_there) {
		buffer_printf(problem,
			      "a restoration or recovery in %s was cut short: "
			      "remove the folder and restore again, or recover "
			      "again",
			      data);
	}
	mem_free(path);
	return is_there ? STATUS_CORRUPT : 0;
}

/* *damaged: what was found is damaged, and noted to be repaired. */
static int prepare(const struct kv_config *config, const struct kv_below *below,
		   bool repair, struct kv **prepared, bool *damaged,
		   struct buffer *problem)
{
	struct kv *kv = kv_new(config);
	struct node_peer peers[LIMIT_PEERS];
	struct node_config node =
		below->node != NULL ? *below->node : (struct node_config){0};
	int rc = config->peer_count <= LIMIT_PEERS ? 0 : STATUS_INVALID;

	node.name = config->name;
	node.data = config->data;
	node.listen = config->listen;
	node.peers = peers;
	node.peer_count = config->peer_count;
	node.snapshot_rate = config->snapshot_rate;
	node.only_loopback = config->only_loopback;
	node.repair = repair;
	node.join = config->join;
	node.client = &kv_client;
	node.context = kv;
	kv->flush_entries = below->flush_entries != 0 ? below->flush_entries
						      : KV_FLUSH_ENTRIES;
	kv->flush_ms = below->flush_ms != 0 ? below->flush_ms : KV_FLUSH_MS;
	for (size_t i = 0; i < config->peer_count && rc == 0; i++) {
		peers[i].name = config->peers[i].name;
		peers[i].address = config->peers[i].address;
	}
	if (rc != 0) {
		buffer_printf(problem, "more than %d peers", LIMIT_PEERS);
	} else {
		rc = node_open(&node, &kv->node, problem);
	}
	if (rc == 0) {
		kv->below = *below;
		rc = open_folder(kv, problem);
	}
	if (rc == 0) {
		rc = kv_set_aside(kv, problem);
	}
	if (rc == 0) {
		rc = recover(kv, problem);
		*damaged = rc == STATUS_CORRUPT &&
			   node_want_repair(kv->node, buffer_text(problem),
					    problem) == 0;
	}
	if (rc != 0) {
		if (kv->node != NULL) {
			node_forget(kv->node);
		}
		kv_free(kv);
		return rc;
	}
	*prepared = kv;
	return 0;
}

int kv_prepare(const struct kv_config *config, const struct kv_below *below,
	       bool repair, struct kv **prepared, struct buffer *problem)
{
	bool damaged = false;
	size_t start = problem->size;
	int rc = prepare(config, below, repair, prepared, &damaged, problem);

	if (damaged) { /* the node knows: now it begins empty */
		problem->size = start;
		rc = prepare(config, below, repair, prepared, &damaged,
			     problem);
	}
	return rc;
}

void kv_drop(struct kv *kv)
{
	kv_free(kv);
}

int kv_open_on(const struct kv_config *config, const struct kv_below *below,
	       struct kv **opened, struct buffer *problem)
{
	struct kv *kv;
	int rc = check_finished(config->data, problem);

	if (rc == 0) {
		rc = kv_prepare(config, below, true, &kv, problem);
	}
	if (rc != 0) {
		return rc;
	}
	if (config->locked != NULL) {
		config->locked(config->context);
	}
	rc = start(kv, problem);
	if (rc != 0) {
		node_forget(kv->node);
		kv_free(kv);
		return rc;
	}
	*opened = kv;
	return 0;
}

/* Lock held: a second at most, until the end of the session is applied. */
static void await_end(struct kv *kv)
{
	struct timespec until;
	int rc = clock_gettime(CLOCK_MONOTONIC, &until);

	CHECK(rc == 0);
	until.tv_sec += KV_CLOSE_MS / 1000;
	while (kv->proposals.session != 0 && rc == 0) {
		rc = pthread_cond_timedwait(&kv->ended, &kv->lock, &until);
	}
}

static void end_session(struct kv *kv)
{
	bool ask;

	pthread_mutex_lock(&kv->lock);
	kv->closing = true;
	ask = kv->proposals.session != 0 && kv->route_open;
	if (ask) {
		kv_own_push(kv, command_end(kv->proposals.session));
	}
	pthread_mutex_unlock(&kv->lock);
	if (ask) {
		node_wake(kv->node);
		pthread_mutex_lock(&kv->lock);
		await_end(kv);
		pthread_mutex_unlock(&kv->lock);
	}
}

static void end_waiting(struct kv *kv)
{
	struct proposal_list answers = TAILQ_HEAD_INITIALIZER(answers);
	struct barrier_list barriers = TAILQ_HEAD_INITIALIZER(barriers);

	pthread_mutex_lock(&kv->lock);
	proposals_end(&kv->proposals, &answers);
	barriers_end(&kv->barriers, &barriers);
	pthread_mutex_unlock(&kv->lock);
	proposals_tell(&answers);
	barriers_tell(&barriers);
}

/* What is not flushed, the next start applies from the log once more. */
static void flush_last(struct kv *kv)
{
	struct buffer problem = {0};
	int rc = kv_flush(kv, &problem);

	if (rc == STATUS_NO_SPACE) {
		log_warn("%s; nothing is lost", buffer_text(&problem));
	} else if (rc != 0) {
		log_error("%s", buffer_text(&problem));
	}
	buffer_deinit(&problem);
}

void kv_close(struct kv *kv)
{
	end_session(kv);
	atomic_store(&kv->ending, true);
	kv_backup_interrupt(kv);
	kv_backup_join(kv);
	/* The node last: until then both threads may call it. */
	stop_threads(kv);
	/* Nothing more is applied here, so nobody learns more by waiting for
	 * the node, which finishes its saves: as long as the disk takes. */
	end_waiting(kv);
	node_stop(kv->node);
	flush_last(kv);
	kv_free(kv);
}
