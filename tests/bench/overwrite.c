/* SPDX-License-Identifier: Apache-2.0 */
/* overwrite.c - so many overwrites of a few files.
 *
 *   overwrite FOLDER FILES THREADS COUNT BYTES
 *
 * The files stay open, and each overwrite is one pwrite(2) at offset 0 of bytes
 * that differ from those before: one entry of the log. A thread keeps to its
 * own files. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "tests/bench/measure.h"

enum { FILES_MAX = 1000, THREADS_MAX = 64, BYTES_MAX = 1 << 20 };

static int files[FILES_MAX];
static unsigned long file_count, thread_count, total, size;
static atomic_ulong done;

static void fill(uint8_t *data, unsigned long number)
{
	uint64_t z = number;

	for (unsigned long i = 0; i < size; i++) {
		if (i % 8 == 0) {
			z += 0x9e3779b97f4a7c15u;
			z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		}
		data[i] = (uint8_t)(z >> i % 8 * 8);
	}
}

static void *work(void *argument)
{
	unsigned long file = (unsigned long)(uintptr_t)argument;
	unsigned long first = file;
	uint8_t *data = malloc(BYTES_MAX);
	unsigned long number;

	while ((number = atomic_fetch_add(&done, 1)) < total) {
		fill(data, number);
		if (pwrite(files[file], data, size, 0) != (ssize_t)size) {
			die("write");
		}
		file += thread_count;
		file = file < file_count ? file : first;
	}
	free(data);
	return NULL;
}

static unsigned long number_of(const char *text, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end != 0 || value == 0 || value > most) {
		fprintf(stderr, "overwrite: %s makes no sense\n", text);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	int64_t start = clock_ns();
	double seconds;

	if (argc != 6) {
		fprintf(stderr, "usage: overwrite FOLDER FILES THREADS COUNT "
				"BYTES\n");
		return 2;
	}
	file_count = number_of(argv[2], FILES_MAX);
	thread_count = number_of(argv[3], THREADS_MAX);
	total = number_of(argv[4], 1000000000);
	size = number_of(argv[5], BYTES_MAX);
	thread_count = thread_count < file_count ? thread_count : file_count;
	for (unsigned long i = 0; i < file_count; i++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/f%lu", argv[1], i);
		files[i] = open(path, O_WRONLY | O_CREAT, 0644);
		if (files[i] < 0) {
			die(path);
		}
	}
	for (unsigned long i = 0; i < thread_count; i++) {
		if (pthread_create(&threads[i], NULL, work,
				   (void *)(uintptr_t)i) != 0) {
			die("thread");
		}
	}
	for (unsigned long i = 0; i < thread_count; i++) {
		pthread_join(threads[i], NULL);
	}
	for (unsigned long i = 0; i < file_count; i++) {
		if (close(files[i]) != 0) {
			die("close");
		}
	}
	seconds = (double)(clock_ns() - start) / 1e9;
	printf("overwrites %lu in %.1f s, %.0f a second\n", total, seconds,
	       (double)total / seconds);
	return 0;
}
