/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: on three real nodes over loopback, with RocksDB below, operations
 * proposed anywhere are applied exactly once while leaders stop and return,
 * every node ends with the same state, and a fresh read sees what was
 * acknowledged on another node. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kv/kv.h"
#include "tests/lib/nodekit.h"
#include "tests/lib/toy.h"

enum { NODES = 3, ROUNDS = 4, OPERATIONS_MAX = 20000, PIPELINE = 8 };

struct operation {
	char text[16];
	int status;
	struct member *member;
};

struct member {
	struct cluster *cluster;
	int number;
	char *name;
	char *folder;
	char address[32];
	struct kv *kv; /* NULL: stopped */
	pthread_t writer;
	/* All: cluster lock. */
	bool writing;
	size_t budget; /* operations still to be written */
	size_t waiting;
};

struct cluster {
	char folder[64];
	struct kv_peer peers[NODES];
	struct member members[NODES];
	struct kv_machine machine;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Both: lock. */
	struct operation operations[OPERATIONS_MAX];
	size_t operation_count;
	size_t acknowledged;
};

/* --- Life ----------------------------------------------------------------- */

static void on_failed(void *context, const char *line)
{
	(void)context;
	fprintf(stderr, "node failed: %s\n", line);
	abort();
}

static void start(struct member *m)
{
	struct kv_config config = {
		.name = m->name,
		.data = m->folder,
		.listen = m->address,
		.peers = m->cluster->peers,
		.peer_count = NODES,
		.timeout_ms = LIMIT_TIMEOUT_MS,
		.session_ms = LIMIT_SESSION_MS,
		.machine = &m->cluster->machine,
		.failed = on_failed,
	};
	struct buffer problem = {0};
	int rc = kv_open(&config, &m->kv, &problem);

	if (rc != 0) {
		fail_msg("%s", buffer_text(&problem));
	}
	buffer_deinit(&problem);
}

static void stop(struct member *m)
{
	kv_close(m->kv);
	m->kv = NULL;
}

static int setup(void **state)
{
	struct cluster *c = calloc(1, sizeof *c);

	strcpy(c->folder, "/tmp/test_kv_cluster.XXXXXX");
	assert_non_null(mkdtemp(c->folder));
	c->machine = toy_machine(NULL);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	for (int i = 0; i < NODES; i++) {
		struct member *m = &c->members[i];

		m->cluster = c;
		m->number = i;
		m->name = mem_printf("n%d", i + 1);
		m->folder = mem_printf("%s/%s", c->folder, m->name);
		kit_address((size_t)i, m->address);
		c->peers[i] = (struct kv_peer){m->name, m->address};
	}
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct cluster *c = *state;
	char command[128];

	for (int i = 0; i < NODES; i++) {
		if (c->members[i].kv != NULL) {
			stop(&c->members[i]);
		}
		mem_free(c->members[i].name);
		mem_free(c->members[i].folder);
	}
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	snprintf(command, sizeof command, "rm -rf '%s'", c->folder);
	assert_int_equal(system(command), 0);
	free(c);
	return 0;
}

/* --- Writing -------------------------------------------------------------- */

static void on_done(void *context, int status, struct bytes result)
{
	struct operation *o = context;
	struct cluster *c = o->member->cluster;

	(void)result;
	pthread_mutex_lock(&c->lock);
	o->status = status;
	o->member->waiting--;
	c->acknowledged += status == 0 ? 1 : 0;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static struct operation *propose(struct member *m)
{
	struct cluster *c = m->cluster;
	struct operation *o;

	pthread_mutex_lock(&c->lock);
	o = c->operation_count < OPERATIONS_MAX
		    ? &c->operations[c->operation_count++]
		    : NULL;
	if (o != NULL) {
		snprintf(o->text, sizeof o->text, "%d.%zu", m->number,
			 c->operation_count);
		o->status = 1;
		o->member = m;
		m->waiting++;
	}
	pthread_mutex_unlock(&c->lock);
	if (o != NULL) {
		(void)kv_propose(m->kv, bytes_of_text(o->text),
				 kv_now_ms() + LIMIT_TIMEOUT_MS, on_done, o);
	}
	return o;
}

static void await_answers(struct member *m, size_t at_most)
{
	struct cluster *c = m->cluster;

	pthread_mutex_lock(&c->lock);
	while (m->waiting > at_most) {
		pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

/* Wait for leave to write one more; false: stop. */
static bool may_write(struct member *m)
{
	struct cluster *c = m->cluster;
	bool may;

	pthread_mutex_lock(&c->lock);
	while (m->writing && (m->budget == 0 || m->waiting >= PIPELINE)) {
		pthread_cond_wait(&c->changed, &c->lock);
	}
	may = m->writing;
	m->budget -= may ? 1 : 0;
	pthread_mutex_unlock(&c->lock);
	return may;
}

static void *write_on(void *context)
{
	struct member *m = context;

	while (may_write(m)) {
		(void)propose(m);
	}
	await_answers(m, 0);
	return NULL;
}

static void start_writing(struct member *m)
{
	pthread_mutex_lock(&m->cluster->lock);
	m->writing = true;
	pthread_mutex_unlock(&m->cluster->lock);
	assert_int_equal(pthread_create(&m->writer, NULL, write_on, m), 0);
}

static void stop_writing(struct member *m)
{
	pthread_mutex_lock(&m->cluster->lock);
	m->writing = false;
	m->budget = 0;
	pthread_cond_broadcast(&m->cluster->changed);
	pthread_mutex_unlock(&m->cluster->lock);
	assert_int_equal(pthread_join(m->writer, NULL), 0);
}

/* Let every writer write so many more. */
static void grant(struct cluster *c, size_t count)
{
	pthread_mutex_lock(&c->lock);
	for (int i = 0; i < NODES; i++) {
		c->members[i].budget += c->members[i].writing ? count : 0;
	}
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
}

static void await_acknowledged(struct cluster *c, size_t more)
{
	size_t target;

	pthread_mutex_lock(&c->lock);
	target = c->acknowledged + more;
	while (c->acknowledged < target) {
		pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
}

static bool is_led(void *context)
{
	const struct member *m = context;
	struct kv_status *status = malloc(sizeof *status);
	bool is;

	kv_status(m->kv, status);
	is = status->leader[0] != 0;
	free(status);
	return is;
}

static void GIVEN_CLUSTER(struct cluster *c)
{
	for (int i = 0; i < NODES; i++) {
		start(&c->members[i]);
	}
	for (int i = 0; i < NODES; i++) {
		struct operation *o;

		do {
			/* Else it may be refused at once. */
			assert_true(kit_await_until(is_led, &c->members[i]));
			o = propose(&c->members[i]);
			assert_non_null(o);
			await_answers(&c->members[i], 0);
		} while (o->status != 0);
	}
}

/* --- Reading -------------------------------------------------------------- */

struct read {
	struct cluster *cluster;
	bool done;
	int status;
	bool fell_back;
};

static void on_ready(void *context, int status, bool fell_back)
{
	struct read *r = context;

	pthread_mutex_lock(&r->cluster->lock);
	r->status = status;
	r->fell_back = fell_back;
	r->done = true;
	pthread_cond_broadcast(&r->cluster->changed);
	pthread_mutex_unlock(&r->cluster->lock);
}

static void pass_barrier(struct member *m, enum kv_reads reads)
{
	struct read r = {.cluster = m->cluster};

	(void)kv_barrier(m->kv, reads, on_ready, &r);
	pthread_mutex_lock(&m->cluster->lock);
	while (!r.done) {
		pthread_cond_wait(&m->cluster->changed, &m->cluster->lock);
	}
	pthread_mutex_unlock(&m->cluster->lock);
	assert_int_equal(r.status, 0);
	assert_false(r.fell_back);
}

static size_t count_in(const char *log, const char *text)
{
	char needle[24];
	size_t count = 0;

	snprintf(needle, sizeof needle, ";%s;", text);
	for (const char *at = strstr(log, needle); at != NULL;
	     at = strstr(at + 1, needle)) {
		count++;
	}
	return count;
}

static void assert_sees(struct member *m, enum kv_reads reads, const char *text)
{
	struct buffer log = {0};

	pass_barrier(m, reads);
	assert_int_equal(count_in(toy_log(kv_newest(m->kv), &log), text), 1);
	buffer_deinit(&log);
}

static struct member *leader(struct cluster *c)
{
	struct kv_status *status = malloc(sizeof *status);
	int number;

	pass_barrier(&c->members[0], KV_READS_STRICT);
	kv_status(c->members[0].kv, status);
	assert_int_equal(sscanf(status->leader, "n%d", &number), 1);
	assert_in_range(number, 1, NODES);
	free(status);
	return &c->members[number - 1];
}

/* --- Judging -------------------------------------------------------------- */

static size_t judge(struct cluster *c, const char *log)
{
	size_t acknowledged = 0;

	for (size_t i = 0; i < c->operation_count; i++) {
		const struct operation *o = &c->operations[i];
		size_t count = count_in(log, o->text);

		if (o->status == 0) {
			assert_int_equal(count, 1);
			acknowledged++;
		} else if (o->status == STATUS_UNKNOWN) {
			assert_in_range(count, 0, 1);
		} else {
			assert_int_equal(count, 0);
		}
	}
	return acknowledged;
}

static void assert_exactly_once(struct cluster *c, size_t acknowledged_min)
{
	struct buffer log = {0};
	struct buffer other = {0};

	pass_barrier(&c->members[0], KV_READS_STRICT);
	(void)toy_log(kv_newest(c->members[0].kv), &log);
	for (int i = 1; i < NODES; i++) {
		pass_barrier(&c->members[i], KV_READS_STRICT);
		(void)toy_log(kv_newest(c->members[i].kv), &other);
		assert_true(
			bytes_equal(buffer_bytes(&log), buffer_bytes(&other)));
	}
	assert_true(judge(c, buffer_text(&log)) >= acknowledged_min);
	buffer_deinit(&log);
	buffer_deinit(&other);
}

/* --- Promises ------------------------------------------------------------- */

static void a_fresh_read_sees_what_another_node_acknowledged(void **state)
{
	struct cluster *c = *state;

	GIVEN_CLUSTER(c);
	for (int i = 0; i < 100; i++) {
		struct operation *o = propose(&c->members[i % NODES]);

		await_answers(o->member, 0);
		assert_int_equal(o->status, 0);
		assert_sees(&c->members[(i + 1) % NODES], KV_READS_FRESH,
			    o->text);
		assert_sees(&c->members[(i + 2) % NODES], KV_READS_STRICT,
			    o->text);
	}
}

static void leaders_come_and_go_and_everything_happens_once(void **state)
{
	struct cluster *c = *state;

	GIVEN_CLUSTER(c);
	for (int i = 0; i < NODES; i++) {
		start_writing(&c->members[i]);
	}
	for (int round = 0; round < ROUNDS; round++) {
		struct member *m = leader(c);

		grant(c, 150);
		await_acknowledged(c, 150);
		stop_writing(m);
		stop(m);
		grant(c, 50);
		await_acknowledged(c, 80);
		start(m);
		start_writing(m);
		grant(c, 20);
		await_acknowledged(c, 20);
	}
	for (int i = 0; i < NODES; i++) {
		stop_writing(&c->members[i]);
	}

	assert_exactly_once(c, ROUNDS * 250);
}

static void a_whole_cluster_restarts_with_what_it_had(void **state)
{
	struct cluster *c = *state;

	GIVEN_CLUSTER(c);
	for (int i = 0; i < 200; i++) {
		(void)propose(&c->members[i % NODES]);
	}
	for (int i = 0; i < NODES; i++) {
		await_answers(&c->members[i], 0);
	}
	for (int i = 0; i < NODES; i++) {
		stop(&c->members[i]);
	}

	GIVEN_CLUSTER(c);

	assert_exactly_once(c, 200);
}

/* --- Damage --------------------------------------------------------------- */

/* By a shell command that uses $D, its folder. */
static void shell(struct member *m, const char *command)
{
	char *line = mem_printf("D=%s; %s", m->folder, command);

	assert_int_equal(system(line), 0);
	mem_free(line);
}

static void write_some(struct cluster *c, struct member *but)
{
	for (int i = 0; i < 100; i++) {
		struct member *m = &c->members[i % NODES];

		if (m != but) {
			(void)propose(m);
		}
	}
	for (int i = 0; i < NODES; i++) {
		await_answers(&c->members[i], 0);
	}
}

/* Everything, m too, and its files are kept. */
static void assert_mended(struct cluster *c, struct member *m)
{
	struct operation *o;

	do {
		o = propose(m);
		await_answers(m, 0);
	} while (o->status != 0);
	assert_exactly_once(c, 150);
	shell(m, "test -e $D/damaged/log && test -e $D/damaged/state && "
		 "ls -d $D/damaged/state-*");
}

static void a_rotten_state_is_repaired(void **state)
{
	struct cluster *c = *state;
	struct member *m = &c->members[1];

	GIVEN_CLUSTER(c);
	write_some(c, NULL);
	stop(m);
	write_some(c, m);
	shell(m, "for f in $D/state-*/*.sst; do printf '\\377\\377\\377' |"
		 " dd of=$f bs=1 seek=20 conv=notrunc 2>/dev/null; done");
	start(m);
	assert_mended(c, m);
	stop(m);
	start(m); /* a node like any */
	assert_mended(c, m);
}

static void a_state_of_yesterday_is_repaired(void **state)
{
	struct cluster *c = *state;
	struct member *m = &c->members[2];

	GIVEN_CLUSTER(c);
	write_some(c, NULL);
	stop(m);
	shell(m, "cp -r $D/state-1 $D/old");
	start(m);
	write_some(c, NULL);
	stop(m);
	shell(m, "rm -r $D/state-1 && mv $D/old $D/state-1");
	start(m);
	assert_mended(c, m);
}

#define CLUSTER_TEST(name)                                                     \
	cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLUSTER_TEST(a_fresh_read_sees_what_another_node_acknowledged),
		CLUSTER_TEST(leaders_come_and_go_and_everything_happens_once),
		CLUSTER_TEST(a_whole_cluster_restarts_with_what_it_had),
		CLUSTER_TEST(a_rotten_state_is_repaired),
		CLUSTER_TEST(a_state_of_yesterday_is_repaired),
	};

	return cmocka_run_group_tests_name("kv/cluster", tests, NULL, NULL);
}
