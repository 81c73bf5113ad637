/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/nodekit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

/* For what is to come: so long that only what never comes fails. */
enum { PATIENCE_MS = 60000 };

/* --- The client ------------------------------------------------------------
 */

static size_t on_take(void *context, struct entry **entries, size_t count_max,
		      size_t bytes_max)
{
	struct kit_node *k = context;
	size_t count = 0, bytes = 0;

	pthread_mutex_lock(&k->mutex);
	while (count < count_max && k->taken < k->waiting_count &&
	       (count == 0 || bytes + k->payload_bytes <= bytes_max)) {
		struct entry *e =
			entry_new(ENTRY_COMMAND, NULL, k->payload_bytes);

		memset(e->data, 0, e->size);
		put_le32(e->data, k->waiting[k->taken++]);
		bytes += e->size;
		entries[count++] = e;
	}
	pthread_mutex_unlock(&k->mutex);
	return count;
}

/* Drop a number from the waiting ones, wherever it stands. */
static void answered(struct kit_node *k, uint32_t number)
{
	for (size_t i = 0; i < k->waiting_count; i++) {
		if (k->waiting[i] != number) {
			continue;
		}
		memmove(k->waiting + i, k->waiting + i + 1,
			(k->waiting_count - i - 1) * sizeof *k->waiting);
		k->waiting_count--;
		k->taken -= i < k->taken;
		return;
	}
}

static void apply(struct kit_node *k, const struct entry *e)
{
	uint32_t number;

	CHECK(e->index == k->applied + 1);
	k->applied = e->index;
	k->applied_term = e->term;
	if (e->kind == ENTRY_MEMBERS) {
		buffer_reset(&k->members);
		buffer_append_bytes(&k->members, entry_bytes(e));
		k->members_index = e->index;
	}
	if (e->kind != ENTRY_COMMAND) {
		return;
	}
	CHECK(e->time_ns > 0 && e->term > 0);
	number = get_le32(e->data);
	CHECK(number < KIT_NUMBERS_MAX);
	if (k->seen[number]) {
		return;
	}
	k->seen[number] = 1;
	k->numbers[k->applied_count++] = number;
	answered(k, number);
}

static void on_commit(void *context, struct entry **entries, size_t count)
{
	struct kit_node *k = context;
	raft_index applied;
	bool holding;

	pthread_mutex_lock(&k->mutex);
	CHECK(!k->in_load); /* S3 */
	for (size_t i = 0; i < count; i++) {
		apply(k, entries[i]);
		entry_unref(entries[i]);
	}
	applied = k->applied;
	holding = k->holding;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
	if (!holding) {
		node_applied(k->node, applied);
	}
}

static void on_route(void *context, bool open)
{
	struct kit_node *k = context;

	pthread_mutex_lock(&k->mutex);
	k->route = open;
	k->ways += open;
	k->taken = open ? k->taken : 0;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
}

static void on_read(void *context, uint64_t ticket, raft_index index,
		    int status)
{
	struct kit_node *k = context;

	pthread_mutex_lock(&k->mutex);
	CHECK(ticket == k->read_ticket);
	k->read_ticket = 0;
	k->read_index = index;
	k->read_status = status;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
}

static void on_message(void *context, raft_id from, struct bytes message)
{
	struct kit_node *k = context;

	pthread_mutex_lock(&k->mutex);
	k->message_from = from;
	k->message_size = message.size;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
}

static void on_role(void *context, const struct raft_status *status)
{
	(void)context;
	CHECK(status->term > 0);
}

static void on_changed(void *context, uint64_t ticket, int status,
		       const char *text)
{
	struct kit_node *k = context;

	pthread_mutex_lock(&k->mutex);
	CHECK(ticket == k->change_ticket);
	k->change_ticket = 0;
	k->change_status = status;
	(void)snprintf(k->change_text, sizeof k->change_text, "%s", text);
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
}

static raft_ms on_tick(void *context, raft_ms now)
{
	(void)context;
	return now + 250;
}

static void on_failed(void *context, const char *line)
{
	struct kit_node *k = context;

	pthread_mutex_lock(&k->mutex);
	(void)snprintf(k->failed, sizeof k->failed, "%s", line);
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
}

static const struct node_client client = {
	.take = on_take,
	.commit = on_commit,
	.route = on_route,
	.read_done = on_read,
	.message = on_message,
	.role = on_role,
	.changed = on_changed,
	.tick = on_tick,
	.failed = on_failed,
	.snapshot = kit_on_snapshot,
	.load = kit_on_load,
};

/* --- Life ------------------------------------------------------------------
 */

void kit_address(size_t i, char address[32])
{
	unsigned pid = (unsigned)getpid();

	(void)snprintf(address, 32, "127.%u.%u.%u:%u", 128 + (pid >> 16) % 127,
		       pid >> 8 & 255, pid & 255, 7421 + (unsigned)i);
}

void kit_init(struct kit *kit, size_t count)
{
	memset(kit, 0, sizeof *kit);
	log_setup("kit", getenv("KIT_LOG") != NULL ? LOG_LEVEL_DEBUG
						   : LOG_LEVEL_ERROR);
	strcpy(kit->root, "/tmp/raftfs-kit-XXXXXX");
	CHECK(mkdtemp(kit->root) != NULL);
	kit->count = kit->made = count;
	for (size_t i = 0; i < count; i++) {
		struct kit_node *k = &kit->nodes[i];

		k->kit = kit;
		(void)snprintf(k->name, sizeof k->name, "n%u", (unsigned)i + 1);
		kit_address(i, k->address);
		(void)snprintf(k->folder, sizeof k->folder, "%s/%s", kit->root,
			       k->name);
		k->payload_bytes = 4;
		k->waiting = mem_alloc(KIT_NUMBERS_MAX * sizeof *k->waiting);
		k->numbers = mem_alloc(KIT_NUMBERS_MAX * sizeof *k->numbers);
		k->seen = mem_zalloc(KIT_NUMBERS_MAX);
		pthread_mutex_init(&k->mutex, NULL);
		pthread_cond_init(&k->changed, NULL);
		kit->peers[i] = (struct node_peer){k->name, k->address};
	}
}

static void remove_tree(const char *path)
{
	char *command = mem_printf("rm -r -f '%s'", path);

	CHECK(system(command) == 0);
	mem_free(command);
}

void kit_deinit(struct kit *kit)
{
	for (size_t i = 0; i < kit->made; i++) {
		struct kit_node *k = &kit->nodes[i];

		kit_stop(k);
		pthread_mutex_destroy(&k->mutex);
		pthread_cond_destroy(&k->changed);
		buffer_deinit(&k->members);
		mem_free(k->waiting);
		mem_free(k->numbers);
		mem_free(k->seen);
	}
	remove_tree(kit->root);
}

int kit_open(struct kit_node *k, struct buffer *problem)
{
	struct node_config config = {
		.name = k->name,
		.data = k->folder,
		.listen = k->listen,
		.peers = k->kit->peers,
		.peer_count = k->kit->count,
		.heartbeat_ms = 50, /* half the usual: tests wait less */
		.election_ms = k->kit->election_ms != 0 ? k->kit->election_ms
							: KIT_ELECTION_MS,
		.snapshot_rate = k->kit->snapshot_rate,
		.only_loopback = k->kit->only_loopback,
		.repair = true,
		.client = &client,
		.context = k,
	};
	struct node_peer own = {k->name, k->address};
	struct node_identity identity;
	int rc;

	if (k->alone || k->join != NULL) {
		config.peers = &own;
		config.peer_count = k->alone ? 1 : 0;
		config.join = k->join;
	}
	rc = node_open(&config, &k->node, problem);

	if (rc == 0) {
		node_identity(k->node, &identity);
		k->id = identity.self;
	} else {
		k->node = NULL;
	}
	return rc;
}

static void forget_state(struct kit_node *k)
{
	k->applied = k->applied_term = 0;
	k->installed = (struct raft_pos){0};
	k->applied_count = 0;
	buffer_reset(&k->members);
	k->members_index = 0;
	memset(k->seen, 0, KIT_NUMBERS_MAX);
}

/* A repair begins: its state goes, too. */
static void clear_aside(struct kit_node *k)
{
	struct buffer problem = {0};
	char *aside = node_aside(k->node);

	if (aside != NULL) {
		forget_state(k);
		if (node_cleared(k->node, &problem) != 0) {
			fail_msg("%s: %s", k->name, buffer_text(&problem));
		}
	}
	mem_free(aside);
	buffer_deinit(&problem);
}

void kit_start(struct kit_node *k)
{
	struct node_state state = {0};
	struct buffer problem = {0};

	if (kit_open(k, &problem) != 0) {
		fail_msg("%s: %s", k->name, buffer_text(&problem));
	}
	buffer_deinit(&problem);
	k->taken = 0;
	k->route = false;
	k->failed[0] = 0;
	clear_aside(k);
	/* Row 53: it ended before the log was reset. */
	if (k->installed.index != 0 && k->installed.index == k->applied &&
	    node_term(k->node, k->applied) != k->installed.term) {
		CHECK(node_reset(k->node, k->installed, &problem) == 0);
	}
	state.applied = k->applied;
	state.members = buffer_bytes(&k->members);
	state.members_index = k->members_index;
	CHECK(node_start(k->node, &state) == 0);
}

void kit_start_all(struct kit *kit)
{
	for (size_t i = 0; i < kit->count; i++) {
		kit_start(&kit->nodes[i]);
	}
}

void kit_stop(struct kit_node *k)
{
	if (k->node != NULL) {
		kit_release_load(k);
		node_stop(k->node);
		node_close(k->node);
		k->node = NULL;
	}
}

void kit_forget(struct kit_node *k)
{
	CHECK(k->node == NULL);
	forget_state(k);
}

void kit_wipe(struct kit_node *k)
{
	kit_forget(k);
	remove_tree(k->folder);
}

/* --- Use -------------------------------------------------------------------
 */

void kit_propose(struct kit_node *k, uint32_t first, uint32_t count,
		 size_t bytes)
{
	pthread_mutex_lock(&k->mutex);
	k->payload_bytes = bytes;
	for (uint32_t i = 0; i < count; i++) {
		k->waiting[k->waiting_count++] = first + i;
	}
	pthread_mutex_unlock(&k->mutex);
	node_wake(k->node);
}

/* Wait for a change, with k->mutex held; false: patience is over. */
static bool await_change(struct kit_node *k, const struct timespec *until)
{
	return pthread_cond_timedwait(&k->changed, &k->mutex, until) == 0;
}

static struct timespec patience(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_sec += PATIENCE_MS / 1000;
	return t;
}

bool kit_await(struct kit_node *k, size_t applied)
{
	struct timespec until = patience();
	bool done;

	pthread_mutex_lock(&k->mutex);
	while (k->applied_count < applied && await_change(k, &until)) {
	}
	done = k->applied_count >= applied;
	pthread_mutex_unlock(&k->mutex);
	return done;
}

bool kit_await_ways(struct kit_node *k, size_t ways)
{
	struct timespec until = patience();
	bool done;

	pthread_mutex_lock(&k->mutex);
	while (k->ways < ways && await_change(k, &until)) {
	}
	done = k->ways >= ways;
	pthread_mutex_unlock(&k->mutex);
	return done;
}

size_t kit_applied(struct kit_node *k)
{
	size_t count;

	pthread_mutex_lock(&k->mutex);
	count = k->applied_count;
	pthread_mutex_unlock(&k->mutex);
	return count;
}

bool kit_await_load(struct kit_node *k)
{
	struct timespec until = patience();
	bool done;

	pthread_mutex_lock(&k->mutex);
	while (!k->in_load && await_change(k, &until)) {
	}
	done = k->in_load;
	pthread_mutex_unlock(&k->mutex);
	return done;
}

raft_index kit_index(struct kit_node *k)
{
	raft_index index;

	pthread_mutex_lock(&k->mutex);
	index = k->applied;
	pthread_mutex_unlock(&k->mutex);
	return index;
}

void kit_catch_up(struct kit_node *k)
{
	raft_index applied;

	pthread_mutex_lock(&k->mutex);
	k->holding = false;
	applied = k->applied;
	pthread_mutex_unlock(&k->mutex);
	node_applied(k->node, applied);
}

size_t kit_await_message(struct kit_node *k, raft_id from)
{
	struct timespec until = patience();
	size_t size;

	pthread_mutex_lock(&k->mutex);
	while (k->message_from != from && await_change(k, &until)) {
	}
	size = k->message_from == from ? k->message_size : 0;
	pthread_mutex_unlock(&k->mutex);
	return size;
}

bool kit_await_failed(struct kit_node *k, const char *text)
{
	struct timespec until = patience();
	bool done;

	pthread_mutex_lock(&k->mutex);
	while (strstr(k->failed, text) == NULL && await_change(k, &until)) {
	}
	done = strstr(k->failed, text) != NULL;
	pthread_mutex_unlock(&k->mutex);
	return done;
}

uint64_t kit_change_begin(struct kit_node *k, enum node_change_kind kind,
			  const char *name, const char *old,
			  const char *address, bool stay)
{
	static uint64_t ticket = 1;
	struct node_change change = {
		.kind = kind,
		.name = name,
		.old = old,
		.address = address,
		.stay = stay,
	};

	pthread_mutex_lock(&k->mutex);
	k->change_ticket = ++ticket;
	pthread_mutex_unlock(&k->mutex);
	CHECK(node_change(k->node, ticket, &change) == 0);
	return ticket;
}

int kit_change_end(struct kit_node *k)
{
	struct timespec until = patience();
	int status;

	pthread_mutex_lock(&k->mutex);
	while (k->change_ticket != 0 && await_change(k, &until)) {
	}
	CHECK(k->change_ticket == 0);
	status = k->change_status;
	pthread_mutex_unlock(&k->mutex);
	return status;
}

int kit_change(struct kit_node *k, enum node_change_kind kind, const char *name,
	       const char *old, const char *address, bool stay)
{
	kit_change_begin(k, kind, name, old, address, stay);
	return kit_change_end(k);
}

static bool has_members(const struct node_status *status, uint64_t argument)
{
	const char *text = (const char *)(uintptr_t)argument;
	struct buffer out = {0};
	bool same;

	for (size_t i = 0; i < status->member_count; i++) {
		buffer_printf(&out, "%s%s:%s", i > 0 ? " " : "",
			      status->members[i].name,
			      status->members[i].standing);
	}
	same = strcmp(buffer_text(&out), text) == 0 && !status->raft.joint &&
	       status->raft.members_committed;
	buffer_deinit(&out);
	return same;
}

bool kit_await_members(struct kit_node *k, const char *members)
{
	return kit_await_status(k, has_members, (uintptr_t)members);
}

int kit_read(struct kit_node *k, bool lease, raft_index *index)
{
	struct timespec until = patience();
	int status;

	pthread_mutex_lock(&k->mutex);
	k->read_ticket = 77;
	pthread_mutex_unlock(&k->mutex);
	node_read_index(k->node, 77, lease);
	pthread_mutex_lock(&k->mutex);
	while (k->read_ticket != 0 && await_change(k, &until)) {
	}
	CHECK(k->read_ticket == 0);
	*index = k->read_index;
	status = k->read_status;
	pthread_mutex_unlock(&k->mutex);
	return status;
}

static void pause_ms(long ms)
{
	struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

bool kit_await_until(bool (*is_so)(void *context), void *context)
{
	for (int i = 0; i < PATIENCE_MS / 5; i++) {
		if (is_so(context)) {
			return true;
		}
		pause_ms(5);
	}
	return false;
}

struct awaited {
	struct kit_node *k;
	kit_condition condition;
	uint64_t argument;
};

static bool has_status(void *context)
{
	const struct awaited *a = context;
	struct node_status status;

	node_status(a->k->node, &status);
	return a->condition(&status, a->argument);
}

bool kit_await_status(struct kit_node *k, kit_condition condition,
		      uint64_t argument)
{
	struct awaited a = {k, condition, argument};

	return kit_await_until(has_status, &a);
}

static bool says(const struct node_status *status, uint64_t argument)
{
	const char *text = (const char *)(uintptr_t)argument;

	return strstr(status->waiting, text) != NULL;
}

bool kit_await_waiting(struct kit_node *k, const char *text)
{
	return kit_await_status(k, says, (uintptr_t)text);
}

/* Who leads in the eyes of all that run, or NULL. */
static struct kit_node *agreed_leader(struct kit *kit)
{
	struct kit_node *leader = NULL;
	struct node_status status;
	raft_index index;

	for (size_t i = 0; i < kit->count; i++) {
		struct kit_node *k = &kit->nodes[i];

		if (k->node != NULL && node_lease(k->node, &index)) {
			leader = k;
		}
	}
	for (size_t i = 0; leader != NULL && i < kit->count; i++) {
		struct kit_node *k = &kit->nodes[i];

		if (k->node == NULL) {
			continue;
		}
		node_status(k->node, &status);
		if (status.raft.leader != leader->id || !k->route) {
			return NULL;
		}
	}
	return leader;
}

struct kit_node *kit_leader(struct kit *kit)
{
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		struct kit_node *leader;

		for (size_t j = 0; j < kit->count; j++) {
			pthread_mutex_lock(&kit->nodes[j].mutex);
		}
		leader = agreed_leader(kit);
		for (size_t j = 0; j < kit->count; j++) {
			pthread_mutex_unlock(&kit->nodes[j].mutex);
		}
		if (leader != NULL) {
			return leader;
		}
		pause_ms(10);
	}
	fail_msg("no leader");
	return NULL;
}

bool kit_agree(struct kit_node *a, struct kit_node *b)
{
	size_t count;
	bool same;

	if (a == b) {
		return true;
	}
	pthread_mutex_lock(&a->mutex);
	pthread_mutex_lock(&b->mutex);
	count = a->applied_count < b->applied_count ? a->applied_count
						    : b->applied_count;
	same = memcmp(a->numbers, b->numbers, count * sizeof *a->numbers) == 0;
	pthread_mutex_unlock(&b->mutex);
	pthread_mutex_unlock(&a->mutex);
	return same;
}
