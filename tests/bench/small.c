/* SPDX-License-Identifier: Apache-2.0 */
/* small.c - small files on a mount, by one or many threads.
 *
 *   small load FOLDER THREADS SECONDS   create, overwrite, read and stat, each
 *                                       for SECONDS
 *   small seen FOLDER OTHER SECONDS     the time from the return of a write in
 *                                       FOLDER until the same folder on another
 *                                       node, OTHER, shows it; and of the whole
 *   small overwrite FOLDER THREADS STOP until there is a file STOP
 *
 * A file holds 100 bytes. Each thread has a folder and files of its own. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/bench/measure.h"

enum {
	CONTENT_BYTES = 100,
	THREADS_MAX = 64,
	HOT_FILES = 32, /* of a thread: overwritten, read */
	SAMPLES_MAX = 1 << 18,
	SEEN_LIMIT_NS = 2000000000,
};

struct thread {
	pthread_t id;
	char folder[4096];
	uint64_t number; /* of the operation */
	void (*operate)(struct thread *t);
	struct samples samples;
	int64_t seconds_ns;
};

static char content[CONTENT_BYTES];
static pthread_barrier_t all_ready;
static const char *stop_file; /* NULL: seconds count */
static atomic_bool stopped;

static void path_of(const struct thread *t, char *path, size_t size,
		    const char *kind, uint64_t number)
{
	snprintf(path, size, "%s/%s%llu", t->folder, kind,
		 (unsigned long long)number);
}

static void store(const char *path, int flags, const char *data)
{
	int fd = open(path, O_WRONLY | flags, 0644);

	if (fd < 0 || write(fd, data, CONTENT_BYTES) != CONTENT_BYTES ||
	    close(fd) != 0)
		die(path);
}

static void create_one(struct thread *t)
{
	char path[4200];

	path_of(t, path, sizeof path, "new", t->number);
	store(path, O_CREAT | O_EXCL, content);
}

static void overwrite_one(struct thread *t)
{
	char path[4200];

	path_of(t, path, sizeof path, "hot", t->number % HOT_FILES);
	store(path, O_TRUNC, content);
}

static void read_one(struct thread *t)
{
	char path[4200], data[CONTENT_BYTES + 1];
	int fd;

	path_of(t, path, sizeof path, "hot", t->number % HOT_FILES);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, data, sizeof data) != CONTENT_BYTES)
		die(path);
	close(fd);
}

static void stat_one(struct thread *t)
{
	char path[4200];
	struct stat st;

	path_of(t, path, sizeof path, "hot", t->number % HOT_FILES);
	if (stat(path, &st) != 0 || st.st_size != CONTENT_BYTES)
		die(path);
}

static void *work(void *argument)
{
	struct thread *t = argument;
	int64_t start, now, before;

	pthread_barrier_wait(&all_ready);
	start = now = clock_ns();
	while (stop_file != NULL ? !atomic_load(&stopped)
				 : now - start < t->seconds_ns) {
		before = now;
		t->operate(t);
		t->number++;
		now = clock_ns();
		samples_add(&t->samples, now - before);
	}
	return NULL;
}

static void measure(const char *name, void (*operate)(struct thread *t),
		    struct thread *threads, size_t count, double seconds)
{
	struct samples all[THREADS_MAX];
	int64_t start;

	pthread_barrier_init(&all_ready, NULL, (unsigned)count + 1);
	for (size_t i = 0; i < count; i++) {
		threads[i].operate = operate;
		threads[i].number = 0;
		threads[i].seconds_ns = (int64_t)(seconds * 1e9);
		samples_init(&threads[i].samples, SAMPLES_MAX);
		if (pthread_create(&threads[i].id, NULL, work, &threads[i]) !=
		    0)
			die("thread");
	}
	start = clock_ns();
	pthread_barrier_wait(&all_ready);
	while (stop_file != NULL && access(stop_file, F_OK) != 0)
		usleep(10000);
	atomic_store(&stopped, true);
	for (size_t i = 0; i < count; i++) {
		pthread_join(threads[i].id, NULL);
		all[i] = threads[i].samples;
	}
	samples_print(name, all, count, clock_ns() - start);
	for (size_t i = 0; i < count; i++)
		samples_deinit(&all[i]);
	pthread_barrier_destroy(&all_ready);
}

static void make_files(struct thread *threads, const char *folder, size_t count)
{
	char path[4200];

	for (size_t i = 0; i < count; i++) {
		snprintf(threads[i].folder, sizeof threads[i].folder, "%s/t%zu",
			 folder, i);
		if (mkdir(threads[i].folder, 0755) != 0)
			die(threads[i].folder);
		for (uint64_t k = 0; k < HOT_FILES; k++) {
			path_of(&threads[i], path, sizeof path, "hot", k);
			store(path, O_CREAT, content);
		}
	}
}

static void load(const char *folder, size_t count, double seconds)
{
	static struct thread threads[THREADS_MAX];

	make_files(threads, folder, count);
	measure("create", create_one, threads, count, seconds);
	measure("overwrite", overwrite_one, threads, count, seconds);
	measure("read", read_one, threads, count, seconds);
	measure("stat", stat_one, threads, count, seconds);
}

static void overwrite(const char *folder, size_t count, const char *stop)
{
	static struct thread threads[THREADS_MAX];

	make_files(threads, folder, count);
	stop_file = stop;
	measure("overwrite", overwrite_one, threads, count, 0);
}

static bool shows(const char *path, const char *want)
{
	char data[CONTENT_BYTES + 1];
	int fd = open(path, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, data, sizeof data);
	close(fd);
	return n == CONTENT_BYTES && memcmp(data, want, CONTENT_BYTES) == 0;
}

/* One file a turn (fresh) or the same file again and again. */
static void seen(const char *folder, const char *other, double seconds,
		 bool fresh)
{
	int64_t start = clock_ns(), now = start, before, written;
	char here[4200], there[4200], want[CONTENT_BYTES + 1];
	struct samples after, whole;
	unsigned number = 0, stale = 0;

	samples_init(&after, SAMPLES_MAX);
	samples_init(&whole, SAMPLES_MAX);
	while (now - start < (int64_t)(seconds * 1e9)) {
		const char *kind = fresh ? "seen" : "again";
		unsigned file = fresh ? ++number : (number++, 0U);

		snprintf(here, sizeof here, "%s/%s%u", folder, kind, file);
		snprintf(there, sizeof there, "%s/%s%u", other, kind, file);
		snprintf(want, sizeof want, "%0*u", CONTENT_BYTES, number);
		before = clock_ns();
		store(here, O_CREAT | O_TRUNC, want);
		written = clock_ns();
		if (!shows(there, want)) {
			stale++;
			while (!shows(there, want))
				if (clock_ns() - written > SEEN_LIMIT_NS)
					die("never seen elsewhere");
		}
		now = clock_ns();
		samples_add(&after, now - written);
		samples_add(&whole, now - before);
	}
	samples_print(fresh ? "seen-new-after" : "seen-again-after", &after, 1,
		      now - start);
	samples_print(fresh ? "seen-new-total" : "seen-again-total", &whole, 1,
		      now - start);
	printf("%s %.2f %%\n", fresh ? "seen-new-stale" : "seen-again-stale",
	       100.0 * stale / (double)whole.count);
	samples_deinit(&after);
	samples_deinit(&whole);
}

int main(int argc, char **argv)
{
	memset(content, 'x', sizeof content);
	if (argc == 5 && strcmp(argv[1], "load") == 0 &&
	    atoi(argv[3]) <= THREADS_MAX) {
		load(argv[2], (size_t)atoi(argv[3]), atof(argv[4]));
	} else if (argc == 5 && strcmp(argv[1], "overwrite") == 0 &&
		   atoi(argv[3]) <= THREADS_MAX) {
		overwrite(argv[2], (size_t)atoi(argv[3]), argv[4]);
	} else if (argc == 5 && strcmp(argv[1], "seen") == 0) {
		seen(argv[2], argv[3], atof(argv[4]) / 2, true);
		seen(argv[2], argv[3], atof(argv[4]) / 2, false);
	} else {
		fputs("usage: see the top of small.c\n", stderr);
		return 2;
	}
	return 0;
}
