/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fakenode.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "kv/internal.h"

enum { UNDER_WAY = 8192, TAKE_BYTES = 4 << 20 };

struct node {
	const struct node_client *client;
	void *context;
	struct fakelog *log;
	struct entry *under_way[UNDER_WAY];
	size_t under_way_count;
	uint64_t tick_due;
	struct buffer sent_copy;
	atomic_bool low;
	atomic_bool roomless;
	void (*stops)(void *context);
	void *stops_context;
	_Atomic raft_id hand_over;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* All below: lock. */
	struct node_status status;
	raft_index applied;
	raft_index flushed;
	raft_index commit;
	bool woken;
	bool lease;
	uint64_t ticket;
	bool ticket_lease;
	struct buffer sent;
	raft_id sent_to;
	uint64_t change_ticket;
	struct node_change change; /* its texts are the caller's */
};

static struct fakelog *log_in_use;
static atomic_uint_fast64_t clock_ms = 1000000;

uint64_t kv_now_ms(void)
{
	return atomic_load(&clock_ms);
}

uint64_t kv_realtime_ns(void)
{
	return atomic_load(&clock_ms) * 1000000;
}

/* --- The log -------------------------------------------------------------- */

void fakelog_append(struct fakelog *log, struct entry *e)
{
	e->index = log->base + log->count + 1;
	e->term = log->base_term > 1 ? log->base_term : 1;
	log->entries = mem_realloc(log->entries,
				   (log->count + 1) * sizeof log->entries[0]);
	log->entries[log->count++] = e;
	log->commit = e->index;
}

void fakelog_deinit(struct fakelog *log)
{
	for (size_t i = 0; i < log->count; i++) {
		entry_unref(log->entries[i]);
	}
	mem_free(log->entries);
	*log = (struct fakelog){0};
}

static void fakelog_reset(struct fakelog *log, struct raft_pos pos)
{
	uint64_t boot = log->boot;

	fakelog_deinit(log);
	log->base = log->commit = pos.index;
	log->base_term = pos.term;
	log->boot = boot;
}

void fakenode_use(struct fakelog *log)
{
	log_in_use = log;
}

/* --- What kv calls -------------------------------------------------------- */

int node_open(const struct node_config *config, struct node **node,
	      struct buffer *problem)
{
	struct node *n = mem_zalloc(sizeof *n);

	(void)problem;
	CHECK(log_in_use != NULL);
	n->client = config->client;
	n->context = config->context;
	n->log = log_in_use;
	n->log->boot++;
	n->status.founded = true;
	n->status.raft.self = FAKENODE_SELF;
	pthread_mutex_init(&n->lock, NULL);
	pthread_cond_init(&n->changed, NULL);
	*node = n;
	return 0;
}

void node_identity(const struct node *n, struct node_identity *identity)
{
	*identity = (struct node_identity){
		.self = FAKENODE_SELF,
		.boot = n->log->boot,
	};
}

void node_log(const struct node *n, raft_index *base, raft_index *commit,
	      raft_index *last)
{
	*base = n->log->base;
	*commit = n->log->commit;
	*last = n->log->base + n->log->count;
}

int node_read(struct node *n, raft_index index, struct entry **entry)
{
	if (index <= n->log->base || index > n->log->base + n->log->count) {
		return STATUS_NOT_FOUND;
	}
	*entry = entry_ref(n->log->entries[index - n->log->base - 1]);
	return 0;
}

char *node_aside(const struct node *n)
{
	(void)n;
	return NULL;
}

int node_cleared(struct node *n, struct buffer *problem)
{
	(void)n;
	(void)problem;
	return 0;
}

bool node_repairs(const struct node *n)
{
	return n->log->repairs;
}

/* It is alone. */
int node_want_repair(struct node *n, const char *what, struct buffer *problem)
{
	(void)n;
	(void)what;
	(void)problem;
	return STATUS_CORRUPT;
}

raft_term node_term(const struct node *n, raft_index index)
{
	const struct fakelog *log = n->log;

	if (index == log->base) {
		return log->base_term;
	}
	return index > log->base && index <= log->base + log->count
		       ? log->entries[index - log->base - 1]->term
		       : 0;
}

int node_reset(struct node *n, struct raft_pos pos, struct buffer *problem)
{
	if (pos.index < n->log->commit) {
		buffer_printf(problem, "committed entries");
		return STATUS_CORRUPT;
	}
	fakelog_reset(n->log, pos);
	return 0;
}

int node_start(struct node *n, const struct node_state *state)
{
	n->applied = state->applied;
	n->commit = n->log->commit;
	return 0;
}

void node_stop(struct node *n)
{
	if (n->stops != NULL) {
		n->stops(n->stops_context);
	}
}

void fakenode_on_stop(struct node *n, void (*stops)(void *context),
		      void *context)
{
	n->stops = stops;
	n->stops_context = context;
}

void node_forget(struct node *n)
{
	(void)n; /* it has no folder */
}

void node_close(struct node *n)
{
	fakenode_lose(n);
	buffer_deinit(&n->sent);
	buffer_deinit(&n->sent_copy);
	pthread_cond_destroy(&n->changed);
	pthread_mutex_destroy(&n->lock);
	mem_free(n);
}

void node_wake(struct node *n)
{
	pthread_mutex_lock(&n->lock);
	n->woken = true;
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

void node_applied(struct node *n, raft_index index)
{
	pthread_mutex_lock(&n->lock);
	CHECK(index > n->applied);
	n->applied = index;
	pthread_cond_broadcast(&n->changed);
	pthread_mutex_unlock(&n->lock);
}

void node_flushed(struct node *n, raft_index index)
{
	pthread_mutex_lock(&n->lock);
	n->flushed = index;
	pthread_mutex_unlock(&n->lock);
}

void node_read_index(struct node *n, uint64_t ticket, bool lease)
{
	pthread_mutex_lock(&n->lock);
	n->ticket = ticket;
	n->ticket_lease = lease;
	pthread_mutex_unlock(&n->lock);
}

bool node_lease(const struct node *node, raft_index *index)
{
	/* The test's node is no constant. */
	struct node *n = CONTAINER_OF(&node->lock, struct node, lock);
	bool lease;

	pthread_mutex_lock(&n->lock);
	lease = n->lease;
	/* Without a lease the index means nothing: whoever uses it is found. */
	*index = lease ? n->commit : 1;
	pthread_mutex_unlock(&n->lock);
	return lease;
}

void node_send(struct node *n, raft_id to, struct bytes message)
{
	pthread_mutex_lock(&n->lock);
	buffer_reset(&n->sent);
	buffer_append_bytes(&n->sent, message);
	n->sent_to = to;
	pthread_mutex_unlock(&n->lock);
}

int node_change(struct node *n, uint64_t ticket,
		const struct node_change *change)
{
	pthread_mutex_lock(&n->lock);
	n->change_ticket = ticket;
	n->change = *change;
	pthread_mutex_unlock(&n->lock);
	return change->name != NULL && change->name[0] == '-' ? STATUS_INVALID
							      : 0;
}

void node_status(struct node *n, struct node_status *status)
{
	pthread_mutex_lock(&n->lock);
	*status = n->status;
	pthread_mutex_unlock(&n->lock);
}

/* --- What the test does --------------------------------------------------- */

void fakenode_clock(uint64_t now_ms)
{
	atomic_store(&clock_ms, now_ms);
}

void fakenode_tick(struct node *n)
{
	n->tick_due = n->client->tick(n->context, kv_now_ms());
}

void fakenode_sleep(struct node *n, uint64_t ms)
{
	uint64_t end = kv_now_ms() + ms;

	while (n->tick_due > kv_now_ms() && n->tick_due < end) {
		fakenode_clock(n->tick_due);
		fakenode_tick(n);
	}
	fakenode_stop_for(n, end - kv_now_ms());
}

void fakenode_stop_for(struct node *n, uint64_t ms)
{
	fakenode_clock(kv_now_ms() + ms);
	fakenode_tick(n);
}

void fakenode_route(struct node *n, bool open)
{
	n->client->route(n->context, open);
}

void fakenode_role(struct node *n, raft_id leader)
{
	struct raft_status raft;

	pthread_mutex_lock(&n->lock);
	n->status.raft.leader = leader;
	n->status.raft.role =
		leader == FAKENODE_SELF ? RAFT_LEADER : RAFT_FOLLOWER;
	n->status.raft.voters = 3;
	n->status.raft.voters_heard = leader == FAKENODE_SELF ? 3 : 0;
	n->status.raft.leader_heard = kv_now_ms();
	raft = n->status.raft;
	pthread_mutex_unlock(&n->lock);
	n->client->role(n->context, &raft);
}

uint64_t fakenode_change(const struct node *n, struct node_change *change)
{
	*change = n->change;
	return n->change_ticket;
}

void fakenode_changed(struct node *n, uint64_t ticket, int status,
		      const char *text)
{
	n->client->changed(n->context, ticket, status, text);
}

void fakenode_founding(struct node *n)
{
	pthread_mutex_lock(&n->lock);
	n->status = (struct node_status){.member_count = 2};
	strcpy(n->status.members[0].name, "n1");
	strcpy(n->status.members[1].name, "n2");
	pthread_mutex_unlock(&n->lock);
}

void node_space_look(struct node *node)
{
	(void)node;
}

bool node_space_has(struct node *node, uint64_t bytes)
{
	(void)bytes;
	return !atomic_load(&node->roomless);
}

uint64_t node_space_pace(const struct node *node)
{
	(void)node;
	return UINT64_MAX;
}

bool node_space_low(const struct node *node)
{
	return atomic_load(&node->low);
}

void fakenode_roomless(struct node *n, bool roomless)
{
	atomic_store(&n->roomless, roomless);
}

void fakenode_low(struct node *n, bool low)
{
	atomic_store(&n->low, low);
}

void fakenode_voters(struct node *n)
{
	pthread_mutex_lock(&n->lock);
	n->status.member_count = 3;
	for (size_t i = 0; i < 3; i++) {
		n->status.members[i].id = FAKENODE_SELF + i;
		n->status.members[i].voter = true;
	}
	pthread_mutex_unlock(&n->lock);
}

void node_hand_over(struct node *n, raft_id to)
{
	atomic_store(&n->hand_over, to);
}

raft_id fakenode_handed_over(struct node *n)
{
	return atomic_exchange(&n->hand_over, 0);
}

void fakenode_lease(struct node *n, bool valid)
{
	pthread_mutex_lock(&n->lock);
	n->lease = valid;
	pthread_mutex_unlock(&n->lock);
}

void fakenode_heard(struct node *n, uint32_t voters)
{
	pthread_mutex_lock(&n->lock);
	n->status.raft.voters_heard = voters;
	pthread_mutex_unlock(&n->lock);
}

size_t fakenode_take(struct node *n)
{
	size_t room = UNDER_WAY - n->under_way_count;

	pthread_mutex_lock(&n->lock);
	n->woken = false;
	pthread_mutex_unlock(&n->lock);
	n->under_way_count +=
		n->client->take(n->context, n->under_way + n->under_way_count,
				room, TAKE_BYTES);
	return n->under_way_count;
}

void fakenode_commit_soon(struct node *n, struct entry *e)
{
	fakelog_append(n->log, entry_ref(e));
	pthread_mutex_lock(&n->lock);
	n->commit = n->log->commit;
	pthread_mutex_unlock(&n->lock);
	n->client->commit(n->context, &e, 1);
}

void fakenode_commit_entry(struct node *n, struct entry *e)
{
	fakenode_commit_soon(n, e);
	pthread_mutex_lock(&n->lock);
	while (n->applied < n->commit) {
		pthread_cond_wait(&n->changed, &n->lock);
	}
	pthread_mutex_unlock(&n->lock);
}

void fakenode_deliver(struct node *n)
{
	while (n->applied < n->commit) {
		raft_index next = n->applied + 1;
		struct entry *e;

		CHECK(node_read(n, next, &e) == 0);
		n->client->commit(n->context, &e, 1);
		pthread_mutex_lock(&n->lock);
		while (n->applied < next) {
			pthread_cond_wait(&n->changed, &n->lock);
		}
		pthread_mutex_unlock(&n->lock);
	}
}

/* As Raft does: what goes into the log is a copy of its own. */
void fakenode_commit(struct node *n, size_t nth)
{
	fakenode_commit_entry(n, fakenode_under_way(n, nth));
}

struct entry *fakenode_under_way(struct node *n, size_t nth)
{
	const struct entry *from = n->under_way[nth];

	CHECK(nth < n->under_way_count);
	return entry_new(from->kind, from->data, from->size);
}

int fakenode_snapshot(struct node *n, const char *folder,
		      struct node_snapshot_info *info)
{
	return n->client->snapshot(n->context, folder, info);
}

int fakenode_load_and_crash(struct node *n, const char *folder,
			    struct raft_pos pos)
{
	int rc = n->client->load(n->context, folder, pos);

	if (rc == 0) {
		pthread_mutex_lock(&n->lock);
		n->applied = pos.index;
		n->commit = pos.index;
		pthread_mutex_unlock(&n->lock);
	}
	return rc;
}

int fakenode_load(struct node *n, const char *folder, struct raft_pos pos)
{
	int rc = fakenode_load_and_crash(n, folder, pos);

	if (rc == 0) {
		fakelog_reset(n->log, pos);
	}
	return rc;
}

void fakenode_lose(struct node *n)
{
	for (size_t i = 0; i < n->under_way_count; i++) {
		entry_unref(n->under_way[i]);
	}
	n->under_way_count = 0;
}

void fakenode_settle(struct node *n)
{
	fakenode_lose(n);
	while (fakenode_take(n) > 0) {
		for (size_t i = 0; i < n->under_way_count; i++) {
			fakenode_commit(n, i);
		}
		fakenode_lose(n);
	}
}

uint64_t fakenode_ticket(struct node *n, bool *lease)
{
	uint64_t ticket;

	pthread_mutex_lock(&n->lock);
	ticket = n->ticket;
	*lease = n->ticket_lease;
	n->ticket = 0;
	pthread_mutex_unlock(&n->lock);
	return ticket;
}

void fakenode_answer(struct node *n, uint64_t ticket, raft_index index,
		     int status)
{
	n->client->read_done(n->context, ticket, index, status);
}

struct bytes fakenode_sent(struct node *n, raft_id *to)
{
	pthread_mutex_lock(&n->lock);
	buffer_reset(&n->sent_copy);
	buffer_append_bytes(&n->sent_copy, buffer_bytes(&n->sent));
	buffer_reset(&n->sent);
	*to = n->sent_to;
	pthread_mutex_unlock(&n->lock);
	return buffer_bytes(&n->sent_copy);
}

void fakenode_message(struct node *n, raft_id from, struct bytes message)
{
	n->client->message(n->context, from, message);
}

void fakenode_await_wake(struct node *n)
{
	pthread_mutex_lock(&n->lock);
	while (!n->woken) {
		pthread_cond_wait(&n->changed, &n->lock);
	}
	pthread_mutex_unlock(&n->lock);
}

raft_index fakenode_flushed(struct node *n)
{
	raft_index flushed;

	pthread_mutex_lock(&n->lock);
	flushed = n->flushed;
	pthread_mutex_unlock(&n->lock);
	return flushed;
}
