/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a store that has met a full disk goes on once there is room; and
 * opened anew, also where it would hold on to what it has met. */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/store.h"

enum { MIB = 1 << 20, KEYS = 10000, KEY_BYTES = 4096, STEP = 400 };

struct disk {
	char folder[64];
	char path[80];
	char filler[80];
	struct store *store;
};

/* A file system of its own, in a namespace of this process. */
static int setup(void **state)
{
	struct disk *d = calloc(1, sizeof *d);
	struct buffer problem = {0};

	*state = d;
	strcpy(d->folder, "/tmp/test_kv_store_full.XXXXXX");
	assert_non_null(mkdtemp(d->folder));
	snprintf(d->path, sizeof d->path, "%s/db", d->folder);
	snprintf(d->filler, sizeof d->filler, "%s/filler", d->folder);
	if (unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("test", d->folder, "tmpfs", 0, "size=128m") != 0) {
		return 0;
	}
	assert_int_equal(store_open_rocksdb(d->path, &d->store, &problem), 0);
	buffer_deinit(&problem);
	return 0;
}

static int teardown(void **state)
{
	struct disk *d = *state;

	if (d->store != NULL) {
		d->store->ops->close(d->store);
		assert_int_equal(umount(d->folder), 0);
	}
	assert_int_equal(rmdir(d->folder), 0);
	free(d);
	return 0;
}

/* Noise in keys; or their removal. A flush after so many. */
static void change(struct store *s, unsigned first, unsigned end, bool remove)
{
	uint8_t noise[KEY_BYTES];

	while (first < end) {
		struct kv_batch *b = s->ops->begin(s, NULL, NULL);

		for (unsigned n = 0; n < STEP && first < end; n++, first++) {
			char key[16];

			snprintf(key, sizeof key, "k%08u", first);
			for (size_t i = 0; i < sizeof noise; i++) {
				noise[i] = (uint8_t)rand();
			}
			if (remove && first % 3 != 0) {
				kv_remove(b, bytes_of_text(key));
			} else if (!remove) {
				kv_put(b, bytes_of_text(key),
				       bytes_of(noise, sizeof noise));
			}
		}
		assert_int_equal(s->ops->commit(s, b), 0);
		if (!remove) {
			assert_int_equal(s->ops->flush(s), 0);
		}
	}
	assert_int_equal(s->ops->flush(s), 0);
}

static void fill(struct disk *d, uint64_t left)
{
	struct statvfs st;
	int fd = open(d->filler, O_CREAT | O_WRONLY, 0600);

	assert_true(fd >= 0);
	assert_int_equal(statvfs(d->folder, &st), 0);
	assert_int_equal(
		posix_fallocate(fd, 0,
				(off_t)(st.f_bavail * st.f_frsize - left)),
		0);
	close(fd);
}

static bool count_one(void *context, struct bytes key, struct bytes value)
{
	(void)key;
	(void)value;
	++*(unsigned *)context;
	return true;
}

/* RocksDB compacts no more after that until there is room for all that the
 * compaction would have read, and sometimes never; opened anew it tries. */
static void opened_anew_it_gives_back_what_was_removed(void **state)
{
	struct disk *d = *state;
	struct store *s = d->store;
	uint64_t before;
	unsigned count = 0;
	int tries = 200;
	int looks = 30;

	if (s == NULL) {
		skip(); /* needs root */
	}
	for (int n = 0; n < 3; n++) {
		change(s, 0, KEYS / 2, false);
		(void)poll(NULL, 0, 500);
	}
	change(s, KEYS / 2, KEYS, false);
	(void)poll(NULL, 0, 500);
	before = s->ops->bytes(s);
	fill(d, MIB / 2);
	change(s, 0, KEYS, true);
	while (s->ops->failures(s) == 0 && --tries > 0) {
		(void)poll(NULL, 0, 100);
	}
	assert_true(tries > 0);
	assert_int_equal(unlink(d->filler), 0);
	fill(d, 24 * MIB); /* enough for what is left, not for what was */

	assert_int_equal(s->ops->reopen(s), 0);
	while (s->ops->bytes(s) > before / 2 && --looks > 0) {
		(void)poll(NULL, 0, 1000);
	}
	assert_true(looks > 0);
	assert_int_equal(kv_scan(&s->reader, bytes_of_text("k"),
				 bytes_of_text("k"), count_one, &count),
			 0);
	assert_int_equal(count, (KEYS + 2) / 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			opened_anew_it_gives_back_what_was_removed, setup,
			teardown),
	};

	return cmocka_run_group_tests_name("kv/store_full", tests, NULL, NULL);
}
