/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/kvkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/command.h"
#include "tests/lib/toy.h"

/* What lies in the folder path, as a checkpoint. */
static int load_disk(struct home *h, const char *path, struct memdisk **disk)
{
	int rc = memdisk_load(path, disk);

	if (rc == 0) {
		assert_true(h->more_count < HOME_DISKS);
		strcpy(h->more[h->more_count].path, path);
		h->more[h->more_count++].disk = *disk;
	}
	return rc;
}

static int open_memory(void *context, const char *path, struct store **store,
		       struct buffer *problem)
{
	struct home *h = context;
	struct memdisk *disk = NULL;

	if (atomic_load(&h->full) > 0) {
		atomic_fetch_sub(&h->full, 1);
		return STATUS_NO_SPACE;
	}
	if (h->rocks) {
		return store_open_rocksdb(path, store, problem);
	}
	for (size_t i = 0; i < h->more_count; i++) {
		if (strcmp(h->more[i].path, path) == 0) {
			disk = h->more[i].disk;
		}
	}
	if (strcmp(strrchr(path, '/'), "/state-1") == 0) {
		disk = h->disk;
	}
	if (disk == NULL) {
		int rc = load_disk(h, path, &disk);

		if (rc != 0) {
			buffer_printf(problem, "no state in %s", path);
			return rc;
		}
	}
	h->newest = *store = memstore_open(disk);
	memstore_fill(*store, h->filled);
	return 0;
}

static int peek_memory(void *context, const char *path, struct store **store,
		       struct buffer *problem)
{
	struct home *h = context;
	struct memdisk *disk;
	int rc;

	if (h->rocks) {
		return store_peek_rocksdb(path, store, problem);
	}
	rc = load_disk(h, path, &disk);
	if (rc != 0) {
		return STATUS_CORRUPT;
	}
	h->more[h->more_count - 1].path[0] = 0; /* not to be found again */
	*store = memstore_open(disk);
	return 0;
}

static void on_failed(void *context, const char *line)
{
	(void)context;
	fail_msg("%s", line);
}

int home_open(struct home *h, struct buffer *problem)
{
	struct kv_config config = {
		.name = "n1",
		.data = h->folder,
		.timeout_ms = HOME_TIMEOUT,
		.session_ms = HOME_SESSION,
		.machine = &h->machine,
		.failed = on_failed,
	};
	struct kv_below below = {
		.store_open = open_memory,
		.store_peek = peek_memory,
		.context = h,
	};

	fakenode_use(&h->log);
	return kv_open_on(&config, &below, &h->kv, problem);
}

void GIVEN_OPEN(struct home *h)
{
	struct buffer problem = {0};

	assert_int_equal(home_open(h, &problem), 0);
	h->node = h->kv->node;
	buffer_deinit(&problem);
}

void GIVEN_FOLLOWER(struct home *h)
{
	GIVEN_OPEN(h);
	fakenode_role(h->node, FAKENODE_OTHER);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);
	fakenode_commit_entry(h->node, command_birth(bytes_of_text("skip")));
}

void GIVEN_LEADER(struct home *h)
{
	GIVEN_OPEN(h);
	fakenode_role(h->node, FAKENODE_SELF);
	fakenode_route(h->node, true);
	fakenode_settle(h->node);
	fakenode_lease(h->node, true);
}

void home_close(struct home *h)
{
	if (h->kv != NULL) {
		fakenode_route(h->node, false);
		kv_close(h->kv);
		h->kv = NULL;
	}
}

int home_setup(void **state)
{
	struct home *h = calloc(1, sizeof *h);

	strcpy(h->folder, "/tmp/test_kv.XXXXXX");
	assert_non_null(mkdtemp(h->folder));
	h->disk = memdisk_new();
	h->machine = toy_machine(&h->tidied);
	pthread_mutex_init(&h->lock, NULL);
	fakenode_clock(1000000);
	*state = h;
	return 0;
}

int home_setup_rocks(void **state)
{
	int rc = home_setup(state);
	struct home *h = *state;

	h->rocks = true;
	return rc;
}

int home_teardown(void **state)
{
	struct home *h = *state;
	char command[128];

	home_close(h);
	fakelog_deinit(&h->log);
	memdisk_free(h->disk);
	for (size_t i = 0; i < h->more_count; i++) {
		memdisk_free(h->more[i].disk);
	}
	buffer_deinit(&h->told);
	pthread_mutex_destroy(&h->lock);
	snprintf(command, sizeof command, "rm -rf '%s'", h->folder);
	assert_int_equal(system(command), 0);
	free(h);
	return 0;
}

/* --- Asking and being told ------------------------------------------------ */

static void on_done(void *context, int status, struct bytes result)
{
	struct waiter *w = context;

	pthread_mutex_lock(&w->h->lock);
	buffer_printf(&w->h->told, "%s=%s%.*s ", w->name,
		      status == 0 ? "ok:" : status_text(status),
		      (int)result.size, (const char *)result.data);
	pthread_mutex_unlock(&w->h->lock);
}

static void on_ready(void *context, int status, bool fell_back)
{
	struct waiter *w = context;

	pthread_mutex_lock(&w->h->lock);
	buffer_printf(&w->h->told, "%s=%s ", w->name,
		      status != 0 ? status_text(status)
		      : fell_back ? "fell back"
				  : "fresh");
	pthread_mutex_unlock(&w->h->lock);
}

void home_noted(void *context, uint64_t index, struct bytes note)
{
	struct home *h = context;

	(void)index;
	pthread_mutex_lock(&h->lock);
	buffer_printf(&h->told, "(%.*s) ", (int)note.size,
		      (const char *)note.data);
	pthread_mutex_unlock(&h->lock);
}

void home_propose(struct home *h, struct waiter *w, const char *name)
{
	*w = (struct waiter){.h = h, .name = name};
	w->id = kv_propose(h->kv, bytes_of_text(name),
			   kv_now_ms() + HOME_TIMEOUT, on_done, w);
}

void home_barrier(struct home *h, struct waiter *w, const char *name,
		  enum kv_reads reads)
{
	*w = (struct waiter){.h = h, .name = name};
	w->id = kv_barrier(h->kv, reads, on_ready, w);
}

void assert_told(struct home *h, const char *expected)
{
	pthread_mutex_lock(&h->lock);
	assert_string_equal(buffer_text(&h->told), expected);
	buffer_reset(&h->told);
	pthread_mutex_unlock(&h->lock);
}

void home_done(struct home *h, const char *name, const char *expected)
{
	struct waiter w;

	home_propose(h, &w, name);
	fakenode_settle(h->node);
	assert_told(h, expected);
}

void assert_log(struct home *h, const char *expected)
{
	struct buffer text = {0};

	assert_string_equal(toy_log(kv_newest(h->kv), &text), expected);
	buffer_deinit(&text);
}

bool home_session_usable(struct home *h)
{
	struct kv_status *status = malloc(sizeof *status);
	bool usable;

	kv_status(h->kv, status);
	usable = status->session != 0;
	free(status);
	return usable;
}
