/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - opening, starting and stopping a node.
 *
 * node_open() checks all it can before it changes anything: options, port,
 * folder, lock, identity, log, in this order. What it made in a fresh folder it
 * removes again when a later step fails. The start is counted (identity) last.
 */
#include "raft/node/node.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "raft/node/clock.h"
#include "raft/node/inside.h"
#include "raft/node/options.h"
#include "raft/node/snap.h"

enum {
	START_BYTES = 4 << 20
}; /* on the disk: identity, accounts of the state */

#define GONE "the log of a member is gone: it must be replaced, not restarted"

/* --- The data folder ------------------------------------------------------ */

static int open_disk(const char *path, struct disk **disk,
		     struct buffer *problem)
{
	int rc = disk_system(path, disk);

	if (rc != 0) {
		buffer_printf(problem, "cannot open the folder %s: %s", path,
			      disk_status_text(rc));
	}
	return rc;
}

static int open_identity(struct node *n, const char *name,
			 struct buffer *problem)
{
	int rc = open_disk(n->folder, &n->disk, problem);
	size_t start = problem->size;

	if (rc != 0) {
		return rc;
	}
	rc = identity_load(n->disk, &n->identity, problem);
	if (rc == STATUS_NOT_FOUND) {
		identity_make(&n->identity, name);
		return 0;
	}
	if (rc == 0 && strcmp(n->identity.name, name) != 0) {
		buffer_printf(problem, "%s belongs to node %s, not %s",
			      n->folder, n->identity.name, name);
		return STATUS_FOREIGN;
	}
	if (rc != 0 && problem->size > start) {
		buffer_printf(problem, " in %s", n->folder);
	}
	return rc;
}

static void close_log(struct node *n)
{
	if (n->log != NULL) {
		log_close(n->log);
		n->log = NULL;
	}
	if (n->log_disk != NULL) {
		n->log_disk->ops->free(n->log_disk);
		n->log_disk = NULL;
	}
}

/* What is there is whole; but is it all? The promise is never ahead (H1). */
static int check_end(struct node *n, struct buffer *problem)
{
	const struct promise *p = &n->promise;
	struct log_state log;

	log_state(n->log, &log);
	if (n->mend.phase == MEND_NONE && p->known &&
	    (log.hard.term < p->hard.term ||
	     (log.hard.term == p->hard.term && p->hard.vote != 0 &&
	      log.hard.vote != p->hard.vote))) {
		buffer_printf(problem,
			      "the log lost its tail: it ends in term %llu, "
			      "but this node has been in term %llu",
			      (unsigned long long)log.hard.term,
			      (unsigned long long)p->hard.term);
		return STATUS_CORRUPT;
	}
	if (n->mend.phase == MEND_NONE && log.last == 0 &&
	    n->identity.log_begun && !n->identity.joined) {
		buffer_printf(problem, GONE);
		return STATUS_CORRUPT;
	}
	return 0;
}

static void say_where(struct node *n, int rc, struct buffer *problem)
{
	const uint64_t need = START_BYTES + n->segment_bytes;
	uint64_t free, total;

	buffer_printf(problem, " (in %s/log", n->folder);
	if (rc == STATUS_NO_SPACE &&
	    n->disk->ops->space(n->disk, &free, &total) == 0) {
		buffer_printf(
			problem,
			"; a start takes %llu MiB there, and %llu MiB are "
			"free)",
			(unsigned long long)need >> 20,
			(unsigned long long)free >> 20);
	} else {
		buffer_printf(problem, ")");
	}
}

static int try_log(struct node *n, struct buffer *problem)
{
	char *path = mem_printf("%s/log", n->folder);
	struct log_config config = {.segment_bytes = n->segment_bytes};
	bool made = false;
	int rc = options_folder(path, &made, problem);

	if (rc == 0) {
		rc = open_disk(path, &n->log_disk, problem);
	}
	if (rc == 0) {
		config.disk = n->log_disk;
		rc = log_open(&config, &n->log, problem);
		if (rc == 0 && problem->size > 0) {
			log_warn("%s", buffer_text(problem));
			buffer_reset(problem);
		}
	}
	if (rc == 0) {
		rc = check_end(n, problem);
	}
	if (rc != 0) {
		say_where(n, rc, problem);
	}
	mem_free(path);
	return rc;
}

static int open_log(struct node *n, struct buffer *problem)
{
	int rc = 0;

	if (n->mend.phase != MEND_WANTED) {
		rc = try_log(n, problem);
	}
	if (rc == STATUS_CORRUPT) {
		close_log(n);
		rc = mend_want(n, buffer_text(problem), problem);
		if (rc == 0) {
			buffer_reset(problem);
		}
	}
	if (rc == 0 && n->mend.phase == MEND_WANTED) {
		rc = mend_set_aside(n, problem);
		if (rc == 0) {
			rc = try_log(n, problem);
		}
	}
	return rc != 0 || n->mend.phase == MEND_NONE ? rc
						     : mend_promise(n, problem);
}

/* A single node founds its cluster at once. */
static void found_alone(struct node *n)
{
	uint8_t cluster[WIRE_CLUSTER_BYTES];
	struct wire_config founding;
	struct buffer record = {0};

	if (n->identity.founded || n->configured_count != 1 ||
	    !found_ready(&n->found)) {
		return;
	}
	random_bytes(cluster, sizeof cluster);
	found_make(&n->found, cluster, &founding);
	wire_encode_config(&record, &founding);
	identity_found(&n->identity, buffer_bytes(&record), &founding);
	buffer_deinit(&record);
}

/* A folder that has a log but says not whose is no place to begin in, nor one
 * whose log has gone: this node may have voted and acknowledged. */
static int check_new(struct node *n, struct buffer *problem)
{
	char *path = mem_printf("%s/log", n->folder);
	int rc = 0;

	if (n->identity.boot == 0 && access(path, F_OK) == 0) {
		buffer_printf(problem,
			      "%s has a log, but its file identity is "
			      "missing",
			      n->folder);
		rc = STATUS_CORRUPT;
	}
	if (n->identity.log_begun && access(path, F_OK) != 0 &&
	    n->mend.phase != MEND_WANTED) {
		buffer_printf(problem, GONE);
		rc = mend_want(n, GONE, problem);
		if (rc == 0) {
			buffer_reset(problem);
		}
	}
	mem_free(path);
	return rc;
}

/* What would be needed for a repair, and the one that may be under way. */
static int open_repair(struct node *n, struct buffer *problem)
{
	int rc = promise_open(&n->promise, n->disk);

	if (rc == 0) {
		atomic_store(&n->others, n->promise.others);
		rc = mend_load(n->disk, &n->mend);
	}
	if (rc != 0) {
		buffer_printf(problem, "cannot open the files of %s: %s",
			      n->folder, disk_status_text(rc));
	} else if (n->mend.phase == MEND_WANTED && !n->mends) {
		buffer_printf(problem,
			      "%s: this node waits to be repaired from its "
			      "peers",
			      n->mend.what);
		rc = STATUS_CORRUPT;
	} else if (n->mend.phase == MEND_BEGUN) {
		log_info("goes on being repaired: %s", n->mend.what);
	}
	return rc;
}

static int open_data(struct node *n, const char *name, struct buffer *problem)
{
	bool is_new;
	int rc = identity_lock(n->folder, &n->lock_fd, problem);

	if (rc == 0) {
		rc = open_identity(n, name, problem);
	}
	if (rc == 0) {
		rc = open_repair(n, problem);
	}
	if (rc == 0) {
		rc = check_new(n, problem);
	}
	if (rc != 0) {
		return rc;
	}
	is_new = n->identity.boot == 0;
	if (n->configured_count > 0) {
		found_init(&n->found, name, n->identity.self, n->configured,
			   n->configured_count);
	}
	found_alone(n);
	reserve_open(&n->reserve, n->disk, false);
	reserve_begin(&n->reserve, START_BYTES);
	n->identity.boot++;
	if (is_new) { /* before the log: a log without it is damage */
		rc = identity_save(n->disk, &n->identity, problem);
	}
	if (rc == 0) {
		rc = open_log(n, problem);
	}
	if (rc == 0 && !is_new) {
		rc = identity_save(n->disk, &n->identity, problem);
	}
	if (rc == 0) {
		rc = mark_open(&n->mark, n->disk);
		if (rc != 0) {
			buffer_printf(problem, "cannot open %s/committed: %s",
				      n->folder, disk_status_text(rc));
		}
	}
	if (rc == 0) {
		rc = begin_log(n, problem);
	}
	if (rc == 0 && n->identity.founded) { /* else it may be in vain */
		reserve_want(&n->reserve);
		reserve_look(&n->reserve);
	}
	return rc;
}

/* --- Open and close ------------------------------------------------------- */

static void free_node(struct node *n)
{
	close_log(n);
	mark_close(&n->mark);
	promise_close(&n->promise);
	reserve_close(&n->reserve);
	if (n->disk != NULL) {
		n->disk->ops->free(n->disk);
	}
	if (n->listen_fd >= 0) {
		close(n->listen_fd);
	}
	if (n->lock_fd >= 0) {
		if (n->forgets) {
			home_clear(n->folder, &n->home);
		}
		close(n->lock_fd); /* until then nobody else begins there */
	}
	inbox_deinit(&n->inbox);
	CHECK(pthread_mutex_destroy(&n->mend_mutex) == 0);
	CHECK(pthread_mutex_destroy(&n->status_mutex) == 0);
	mem_free(n->folder);
	mem_free(n);
}

/* Does the log say where that is? Else the state does, which is read later. */
static bool knows_address(const struct node *n)
{
	struct log_state state;

	log_state(n->log, &state);
	return n->configs.index > 0 || state.base.index == 0;
}

/* One that has an identity may be called elsewhere than --peers says. */
static bool is_known(const struct node *n)
{
	char *path = mem_printf("%s/identity", n->folder);
	bool is_there = access(path, F_OK) == 0;

	mem_free(path);
	return is_there;
}

int node_open(const struct node_config *config, struct node **node,
	      struct buffer *problem)
{
	struct node *n = mem_zalloc(sizeof *n);
	int rc;

	n->lock_fd = n->listen_fd = -1;
	n->traced = getenv("RAFTFS_TRACE") != NULL;
	inbox_init(&n->inbox);
	CHECK(pthread_mutex_init(&n->status_mutex, NULL) == 0);
	CHECK(pthread_mutex_init(&n->mend_mutex, NULL) == 0);
	n->mends = config->repair;
	n->folder = mem_strdup(config->data);

	rc = options_take(n, config, problem);
	if (rc == 0 && n->listen[0] != 0 && (n->listen_given || !is_known(n))) {
		rc = listen_bind(n, n->listen, problem);
	}
	if (rc == 0) {
		rc = home_open(n->folder, &n->home, problem);
	}
	if (rc == 0) {
		rc = open_data(n, config->name, problem);
	}
	if (rc == 0 && knows_address(n)) {
		rc = listen_as_known(n, problem);
	}
	if (rc != 0) {
		n->forgets = n->home.fresh;
		if (n->home.made && n->lock_fd < 0) {
			(void)rmdir(n->folder);
		}
		free_node(n);
		return rc;
	}
	publish_status(n);
	*node = n;
	return 0;
}

void node_close(struct node *n)
{
	n->forgets = n->forgets || (n->denied && n->home.fresh && /* E3 */
				    !n->identity.founded);
	free_node(n);
}

void node_forget(struct node *n)
{
	n->forgets = n->home.fresh;
}

void node_identity(const struct node *n, struct node_identity *identity)
{
	identity->self = n->identity.self;
	identity->boot = n->identity.boot;
	memcpy(identity->cluster, n->identity.founding.cluster,
	       sizeof identity->cluster);
}

void node_log(const struct node *n, raft_index *base, raft_index *commit,
	      raft_index *last)
{
	struct log_state state;

	log_state(n->log, &state);
	*base = state.base.index;
	*commit = begin_commit(n, &state);
	*last = state.last;
}

void node_space_look(struct node *n)
{
	reserve_look(&n->reserve);
}

bool node_space_has(struct node *n, uint64_t bytes)
{
	return reserve_has(&n->reserve, bytes);
}

uint64_t node_space_pace(const struct node *n)
{
	return reserve_pace(&n->reserve);
}

bool node_space_low(const struct node *n)
{
	return reserve_is_low(&n->reserve);
}

int node_read(struct node *n, raft_index index, struct entry **entry)
{
	return log_read(n->log, index, entry);
}

raft_term node_term(const struct node *n, raft_index index)
{
	return log_term(n->log, index);
}

/* The log of a restored state is new, and knows of no term yet. */
static int raise_term(struct node *n, raft_term term)
{
	struct log_state state;
	struct log_record record;

	log_state(n->log, &state);
	if (state.hard.term >= term) {
		return 0;
	}
	record = (struct log_record){
		.hard = {.term = term},
		.commit = state.commit,
		.keep = state.last,
	};
	return log_save(n->log, &record);
}

int node_reset(struct node *n, struct raft_pos pos, struct buffer *problem)
{
	int rc = raise_term(n, pos.term);

	if (rc == 0) {
		rc = log_reset(n->log, pos);
	}
	if (rc != 0) {
		buffer_printf(problem, "cannot reset the log: %s",
			      log_problem(n->log));
		return rc == STATUS_INVALID ? STATUS_CORRUPT : rc;
	}
	return members_open(n, problem); /* those of before are gone */
}

/* --- The loop ------------------------------------------------------------- */

/* The commit index travels with the next save; there will be none. Without
 * it the next start would know less than this node has shown. */
static void save_commit(struct node *n)
{
	struct log_state state;
	struct log_record record;
	int rc = 0;

	log_state(n->log, &state);
	record = (struct log_record){
		.hard = state.hard,
		.commit = n->raft.commit < state.last ? n->raft.commit
						      : state.last,
		.keep = state.last,
	};
	if (record.commit > state.commit) {
		rc = log_save(n->log, &record);
	}
	if (rc == STATUS_NO_SPACE) { /* the mark knows it too */
		log_warn("the commit index is not saved: %s",
			 log_problem(n->log));
	} else if (rc != 0) {
		log_fatal("cannot write the log: %s", log_problem(n->log));
	}
}

static void stop(struct node *n)
{
	n->stopped = true;
	change_stop(n);
	if (n->saver != NULL) {
		saver_stop(n->saver);
		n->saver = NULL;
		save_commit(n);
	}
	pthread_mutex_lock(&n->inbox.mutex);
	n->inbox.alive = false;
	pthread_mutex_unlock(&n->inbox.mutex);
	snap_stop(n);
	peers_stop(n);
	accept_stop(n);
	uv_close((uv_handle_t *)&n->wake, NULL);
	uv_close((uv_handle_t *)&n->timer, NULL);
	uv_close((uv_handle_t *)&n->sweep, NULL);
	uv_close((uv_handle_t *)&n->check, NULL);
	uv_close((uv_handle_t *)&n->prepare, NULL);
}

/* A leader hands over before it goes; false: there is nothing to wait for. */
static bool leave(struct node *n)
{
	struct raft_event ev = {.kind = RAFT_EV_TRANSFER};

	if (n->core == NULL || n->raft.role != RAFT_LEADER || n->failed ||
	    drive_step(n, &ev) != 0) {
		return false;
	}
	log_info("handing over to %s",
		 node_name_of(n, n->raft.transfer_target));
	n->leaving = clock_ms() + HAND_OVER_MS;
	return true;
}

static void on_wake(uv_async_t *wake)
{
	struct node *n = wake->data;

	if (n->stopped) {
		return;
	}
	atomic_store(&n->inbox.poked, false); /* before anything is read */
	if (atomic_load(&n->inbox.stop) && n->leaving == 0 && !leave(n)) {
		stop(n);
		return;
	}
	inbox_turn(n);
}

/* The one that is told to stand may need this node's vote: it stays until that
 * one leads. */
void node_leave_turn(struct node *n)
{
	if (n->leaving == 0 || n->stopped) {
		return;
	}
	if ((n->raft.leader != 0 && n->raft.role != RAFT_LEADER) ||
	    (n->raft.role == RAFT_LEADER && n->raft.transfer_target == 0) ||
	    clock_ms() >= n->leaving) {
		stop(n);
	}
}

static void on_sweep(uv_timer_t *sweep)
{
	struct node *n = sweep->data;

	n->dirty = true;
	peers_sweep(n);
	peers_ping(n);
	accept_sweep(n);
	snap_sweep(n);
}

/* The turn ends after the events that came together, and again before the
 * loop waits, for what timers did. */
static void on_check(uv_check_t *check)
{
	drive_turn(check->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
	drive_turn(prepare->data);
}

static void *run(void *context)
{
	struct node *n = context;

	CHECK(uv_run(&n->loop, UV_RUN_DEFAULT) == 0);
	return NULL;
}

static void init_handles(struct node *n)
{
	CHECK(uv_loop_init(&n->loop) == 0);
	CHECK(uv_async_init(&n->loop, &n->wake, on_wake) == 0);
	CHECK(uv_timer_init(&n->loop, &n->timer) == 0);
	CHECK(uv_timer_init(&n->loop, &n->sweep) == 0);
	CHECK(uv_check_init(&n->loop, &n->check) == 0);
	CHECK(uv_prepare_init(&n->loop, &n->prepare) == 0);
	n->wake.data = n->timer.data = n->sweep.data = n;
	n->check.data = n->prepare.data = n;
	CHECK(uv_timer_start(&n->sweep, on_sweep, SWEEP_MS, SWEEP_MS) == 0);
	CHECK(uv_check_start(&n->check, on_check) == 0);
	CHECK(uv_prepare_start(&n->prepare, on_prepare) == 0);
}

int node_start(struct node *n, const struct node_state *state)
{
	raft_index applied = state->applied;
	struct buffer problem = {0};
	struct log_state log;
	sigset_t all, before;
	int rc;

	log_state(n->log, &log);
	if (applied < log.base.index || applied > log.last) {
		return STATUS_CORRUPT; /* of two different lives */
	}
	rc = members_start(n, state);
	if (rc == 0) {
		rc = listen_as_known(n, &problem);
	}
	if (problem.size > 0) {
		log_error("%s", buffer_text(&problem));
	}
	buffer_deinit(&problem);
	if (rc != 0) {
		return rc;
	}
	/* Signals are the program's business, and a write to a connection
	 * that has just ended must not end the process. */
	sigfillset(&all);
	CHECK(pthread_sigmask(SIG_BLOCK, &all, &before) == 0);
	n->start_applied = applied;
	atomic_store(&n->inbox.applied, applied);
	init_handles(n);
	n->inbox.alive = true; /* before any thread may poke */
	accept_init(n);
	peers_init(n);
	if (n->identity.founded) {
		begin_core(n);
	}
	n->dirty = true;
	if (pthread_create(&n->thread, NULL, run, n) != 0) {
		log_fatal("cannot start the node's thread");
	}
	CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return 0;
}

void node_stop(struct node *n)
{
	atomic_store(&n->inbox.stop, true);
	inbox_poke(n);
	CHECK(pthread_join(n->thread, NULL) == 0);
	CHECK(uv_loop_close(&n->loop) == 0);
	propose_deinit(n);
	snap_deinit(n);
	if (n->core != NULL) {
		drive_deinit(n);
	}
}
