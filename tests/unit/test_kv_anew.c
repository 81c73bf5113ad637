/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a backup, and what one node has, become a new cluster with that
 * state and no memory of the old one; one that is cut short is not started. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/folder.h"
#include "base/mem.h"
#include "kv/internal.h"
#include "raft/node/log.h"
#include "tests/lib/toy.h"

struct world {
	char home[64];
	struct kv_machine machine;
	struct kv *kv;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned answered; /* lock */
	int status;	   /* lock, of the last */
	char text[256];	   /* lock */
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	strcpy(w->home, "/tmp/test_kv_anew.XXXXXX");
	assert_non_null(mkdtemp(w->home));
	w->machine = toy_machine(NULL);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->kv != NULL) {
		kv_close(w->kv);
	}
	folder_remove(w->home);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
	return 0;
}

static const char *at(struct world *w, const char *name)
{
	static char paths[64][128];
	static unsigned turn;

	turn = (turn + 1) % 64;
	(void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", w->home, name);
	return paths[turn];
}

static struct kv_config config_of(struct world *w, const char *name,
				  const char *data)
{
	return (struct kv_config){
		.name = name,
		.data = at(w, data),
		.timeout_ms = LIMIT_TIMEOUT_MS,
		.session_ms = LIMIT_SESSION_MS,
		.machine = &w->machine,
	};
}

static int try_open(struct world *w, const char *name, const char *data,
		    struct buffer *problem)
{
	struct kv_config config = config_of(w, name, data);

	return kv_open(&config, &w->kv, problem);
}

static void open_node(struct world *w, const char *name, const char *data)
{
	struct buffer problem = {0};

	if (try_open(w, name, data, &problem) != 0) {
		fail_msg("%s", buffer_text(&problem));
	}
	buffer_deinit(&problem);
}

static void close_node(struct world *w)
{
	kv_close(w->kv);
	w->kv = NULL;
}

static void answer(struct world *w, int status, struct bytes text)
{
	pthread_mutex_lock(&w->lock);
	w->answered++;
	w->status = status;
	snprintf(w->text, sizeof w->text, "%.*s", (int)text.size,
		 (const char *)text.data);
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

static void on_done(void *context, int status, struct bytes result)
{
	answer(context, status, result);
}

static void on_saved(void *context, int status, const char *text)
{
	answer(context, status, bytes_of_text(text));
}

static void await(struct world *w, unsigned answered)
{
	pthread_mutex_lock(&w->lock);
	while (w->answered < answered) {
		pthread_cond_wait(&w->changed, &w->lock);
	}
	pthread_mutex_unlock(&w->lock);
}

static void propose(struct world *w, const char *operation)
{
	unsigned before = w->answered;

	(void)kv_propose(w->kv, bytes_of_text(operation),
			 kv_now_ms() + 10 * LIMIT_TIMEOUT_MS, on_done, w);
	await(w, before + 1);
	assert_int_equal(w->status, 0);
}

static int save(struct world *w, const char *name)
{
	unsigned before = w->answered;

	kv_backup(w->kv, at(w, name), on_saved, w);
	await(w, before + 1);
	return w->status;
}

static void assert_state(struct world *w, const char *expected)
{
	struct buffer text = {0};

	assert_string_equal(toy_log(kv_newest(w->kv), &text), expected);
	buffer_deinit(&text);
}

static void get_cluster(struct world *w, char text[33])
{
	struct kv_status *status = malloc(sizeof *status);

	kv_status(w->kv, status);
	strcpy(text, status->cluster);
	assert_int_equal(status->member_count, 1);
	assert_string_equal(status->members[0].name, status->name);
	free(status);
}

static bool add_one(void *context, const struct session *s)
{
	(void)s;
	++*(unsigned *)context;
	return true;
}

static unsigned sessions(struct world *w)
{
	unsigned count = 0;

	assert_int_equal(session_each(kv_newest(w->kv), add_one, &count), 0);
	return count;
}

static bool there(struct world *w, const char *name)
{
	return access(at(w, name), F_OK) == 0;
}

/* --- Backups -------------------------------------------------------------- */

static void GIVEN_BACKUP(struct world *w, char cluster[33])
{
	open_node(w, "n1", "d1");
	propose(w, "a");
	propose(w, "b");
	assert_int_equal(save(w, "backup"), 0);
	assert_non_null(strstr(w->text, "saved up to index"));
	get_cluster(w, cluster);
	assert_false(there(w, "d1/saving"));
	propose(w, "c");
}

/* By whatever way it is named. */
static void a_backup_does_not_replace_what_the_node_lives_on(void **state)
{
	static const char *const names[] = {"d1/identity", "d1/log/new",
					    "here/identity", "d1/../d1/new"};
	struct world *w = *state;

	open_node(w, "n1", "d1");
	propose(w, "a");
	assert_int_equal(symlink("d1", at(w, "here")), 0);
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		assert_int_equal(save(w, names[i]), STATUS_INVALID);
		assert_non_null(strstr(w->text, "is in the data folder"));
	}
	assert_true(there(w, "d1/identity"));
	assert_false(there(w, "d1/new"));
	assert_int_equal(mkdir(at(w, "d1x"), 0700), 0);
	assert_int_equal(save(w, "d1x/backup"), 0);
	close_node(w);
	open_node(w, "n1", "d1");
	assert_state(w, "born;a;");
}

static void a_backup_becomes_a_new_cluster(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n9", "d2");
	struct kv_backup_info info;
	struct buffer problem = {0};
	char old[33];
	char new[33];

	GIVEN_BACKUP(w, old);
	close_node(w);
	assert_int_equal(kv_backup_check(at(w, "backup"), &info, &problem), 0);
	assert_string_equal(info.cluster, old);
	assert_string_equal(info.name, "n1");
	assert_int_equal(kv_restore(&config, at(w, "backup"), &info, &problem),
			 0);
	assert_string_equal(info.cluster, old);

	open_node(w, "n9", "d2");
	assert_state(w, "born;a;b;");
	get_cluster(w, new);
	assert_string_not_equal(old, new);
	propose(w, "d");
	assert_state(w, "born;a;b;d;");
	assert_int_equal(sessions(w), 1); /* its own */
	close_node(w);
	open_node(w, "n9", "d2"); /* and again */
	assert_state(w, "born;a;b;d;");
	buffer_deinit(&problem);
}

static void a_backup_goes_into_no_folder_that_is_in_use(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n1", "d1");
	struct kv_backup_info info;
	struct buffer problem = {0};
	char old[33];

	GIVEN_BACKUP(w, old);
	close_node(w);
	assert_int_equal(kv_restore(&config, at(w, "backup"), &info, &problem),
			 STATUS_EXISTS);
	assert_non_null(strstr(buffer_text(&problem), "is not empty"));
	assert_false(there(w, "d1/unfinished"));
	open_node(w, "n1", "d1");
	assert_state(w, "born;a;b;c;");
	buffer_deinit(&problem);
}

static void a_damaged_backup_makes_nothing(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n9", "d2");
	struct kv_backup_info info;
	struct buffer problem = {0};
	char old[33];

	GIVEN_BACKUP(w, old);
	assert_int_equal(truncate(at(w, "backup"), 1000), 0);
	assert_int_equal(kv_restore(&config, at(w, "backup"), &info, &problem),
			 STATUS_CORRUPT);
	assert_false(there(w, "d2/state-1"));
	assert_int_equal(save(w, "backup"), 0);
	assert_int_equal(kv_restore(&config, at(w, "backup"), &info, &problem),
			 0);
	buffer_deinit(&problem);
}

static bool marker_fails; /* it can not be put in place */

int renameat(int from, const char *old, int to, const char *new)
{
	if (marker_fails && strcmp(new, "state") == 0) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

static int open_nothing(void *context, const char *path, struct store **store,
			struct buffer *problem)
{
	(void)context;
	(void)path;
	(void)store;
	buffer_printf(problem, "it does not open");
	return STATUS_NO_SPACE;
}

/* Wherever it fails, nothing is left, and it can be done again. */
static void a_restoration_that_fails_leaves_what_was_there(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n9", "d2");
	struct kv_below below = kv_below_rocksdb;
	struct kv_backup_info info;
	struct buffer problem = {0};
	char old[33];

	GIVEN_BACKUP(w, old);
	close_node(w);
	assert_int_equal(mkdir(at(w, "d2"), 0700), 0);
	assert_int_equal(mkdir(at(w, "d2/lost+found"), 0700), 0);

	marker_fails = true;
	assert_int_equal(kv_restore(&config, at(w, "backup"), &info, &problem),
			 STATUS_NO_SPACE);
	marker_fails = false;
	assert_non_null(strstr(buffer_text(&problem), "d2/state: No space"));
	assert_false(there(w, "d2/state-1"));
	assert_int_equal(rmdir(at(w, "d2/lost+found")), 0);
	assert_int_equal(rmdir(at(w, "d2")), 0);

	below.store_open = open_nothing;
	assert_int_equal(kv_restore_on(&config, &below, at(w, "backup"), &info,
				       &problem),
			 STATUS_NO_SPACE);
	assert_false(there(w, "d2")); /* nor was it before */
	assert_int_equal(kv_restore(&config, at(w, "backup"), &info, &problem),
			 0);
	buffer_deinit(&problem);
}

static void backups_are_made_one_at_a_time(void **state)
{
	struct world *w = *state;

	open_node(w, "n1", "d1");
	propose(w, "a");
	pthread_mutex_lock(&w->kv->lock);
	w->kv->backup.runs = true;
	pthread_mutex_unlock(&w->kv->lock);
	assert_int_equal(save(w, "backup"), STATUS_PENDING);
	pthread_mutex_lock(&w->kv->lock);
	w->kv->backup.runs = false;
	pthread_mutex_unlock(&w->kv->lock);
	assert_int_equal(save(w, "no/backup"), STATUS_NOT_FOUND);
	assert_int_equal(save(w, "backup"), 0);
	assert_int_equal(save(w, "backup"), 0);
}

/* --- What is left of a cluster -------------------------------------------- */

/* Of three nodes this one alone: it was made by hand, from a cluster of one
 * whose log has more than is known to be committed. */
static void a_survivor_becomes_a_new_cluster(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n1", "d1");
	struct kv_survivor s;
	struct buffer problem = {0};
	char old[33];
	char new[33];

	GIVEN_BACKUP(w, old);
	close_node(w);
	config.name = NULL; /* the folder knows */
	assert_int_equal(kv_recover(&config, &s, false, &problem), 0);
	assert_string_equal(s.name, "n1");
	assert_string_equal(s.cluster, old);
	assert_true(s.alone && !s.unfinished);
	assert_true(s.last > 3);
	open_node(w, "n1", "d1"); /* it was only looked at */
	get_cluster(w, new);
	assert_string_equal(old, new);
	close_node(w);

	assert_int_equal(kv_recover(&config, &s, true, &problem), 0);
	open_node(w, "n1", "d1");
	get_cluster(w, new);
	assert_string_not_equal(old, new);
	assert_state(w, "born;a;b;c;");
	assert_int_equal(w->kv->marker.folder, 1);
	propose(w, "d");
	assert_int_equal(sessions(w), 1);
	close_node(w);
	open_node(w, "n1", "d1");
	assert_state(w, "born;a;b;c;d;");
	assert_false(there(w, "d1/unfinished"));
	buffer_deinit(&problem);
}

static void what_was_cut_short_is_not_started_but_done_again(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n1", "d1");
	struct kv_survivor s;
	struct buffer problem = {0};
	char old[33];
	FILE *f;

	GIVEN_BACKUP(w, old);
	close_node(w);
	f = fopen(at(w, "d1/unfinished"), "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(try_open(w, "n1", "d1", &problem), STATUS_CORRUPT);
	assert_non_null(strstr(buffer_text(&problem), "cut short"));
	assert_int_equal(kv_recover(&config, &s, false, &problem), 0);
	assert_true(s.unfinished);
	assert_int_equal(kv_recover(&config, &s, true, &problem), 0);
	open_node(w, "n1", "d1");
	assert_state(w, "born;a;b;c;");
	buffer_deinit(&problem);
}

/* One more entry in the log, which nobody knows to be committed. */
static void GIVEN_UNCOMMITTED_TAIL(struct world *w)
{
	struct log_config config = {.segment_bytes = LIMIT_SEGMENT_BYTES};
	struct entry *e = entry_new(ENTRY_NOOP, "", 0);
	struct log_record record = {.entries = &e, .count = 1};
	struct buffer problem = {0};
	struct log_state state;
	struct log *log;

	assert_int_equal(disk_system(at(w, "d1/log"), &config.disk), 0);
	assert_int_equal(log_open(&config, &log, &problem), 0);
	log_state(log, &state);
	record.hard = state.hard;
	record.commit = state.commit;
	record.keep = state.last;
	e->index = state.last + 1;
	e->term = state.hard.term;
	assert_int_equal(log_save(log, &record), 0);
	log_close(log);
	config.disk->ops->free(config.disk);
	entry_unref(e);
	buffer_deinit(&problem);
}

/* What is applied counts as committed ever after: so not before the node is
 * kept from going on in its old cluster. */
static void no_tail_is_applied_before_it_has_begun(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n1", "d1");
	struct kv_survivor s;
	struct buffer problem = {0};
	char old[33];

	GIVEN_BACKUP(w, old);
	close_node(w);
	GIVEN_UNCOMMITTED_TAIL(w);
	assert_int_equal(mkdir(at(w, "d1/unfinished"), 0700), 0);

	assert_int_equal(kv_recover(&config, &s, true, &problem), STATUS_IO);

	assert_non_null(strstr(buffer_text(&problem), "unfinished"));
	assert_int_equal(rmdir(at(w, "d1/unfinished")), 0);
	assert_int_equal(kv_recover(&config, &s, false, &problem), 0);
	assert_int_equal(s.applied, s.last - 1);
	assert_int_equal(kv_recover(&config, &s, true, &problem), 0);
	open_node(w, "n1", "d1");
	assert_state(w, "born;a;b;c;");
	buffer_deinit(&problem);
}

static void there_must_be_something_to_recover(void **state)
{
	struct world *w = *state;
	struct kv_config config = config_of(w, "n1", "none");
	struct kv_survivor s;
	struct buffer problem = {0};

	assert_int_equal(kv_recover(&config, &s, true, &problem),
			 STATUS_NOT_FOUND);
	assert_false(there(w, "none"));
	config = config_of(w, NULL, "empty");
	assert_int_equal(mkdir(at(w, "empty"), 0700), 0);
	buffer_reset(&problem);
	assert_int_equal(kv_recover(&config, &s, true, &problem),
			 STATUS_NOT_FOUND);
	assert_non_null(strstr(buffer_text(&problem),
			       "empty is no data folder of a node"));
	assert_int_equal(rmdir(at(w, "empty")), 0);
	buffer_deinit(&problem);
}

#define ANEW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ANEW_TEST(a_backup_becomes_a_new_cluster),
		ANEW_TEST(a_backup_does_not_replace_what_the_node_lives_on),
		ANEW_TEST(a_backup_goes_into_no_folder_that_is_in_use),
		ANEW_TEST(a_damaged_backup_makes_nothing),
		ANEW_TEST(a_restoration_that_fails_leaves_what_was_there),
		ANEW_TEST(backups_are_made_one_at_a_time),
		ANEW_TEST(a_survivor_becomes_a_new_cluster),
		ANEW_TEST(what_was_cut_short_is_not_started_but_done_again),
		ANEW_TEST(no_tail_is_applied_before_it_has_begun),
		ANEW_TEST(there_must_be_something_to_recover),
	};

	return cmocka_run_group_tests_name("kv/anew", tests, NULL, NULL);
}
