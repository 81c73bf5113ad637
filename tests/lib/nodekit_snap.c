/* SPDX-License-Identifier: Apache-2.0 */
/* The toy's state as a snapshot: one file with its numbers, and ballast, which
 * is the same at every node and never changes, as most files of a database. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/mem.h"
#include "tests/lib/nodekit.h"

enum { BALLAST_BYTES = 1 << 20, HEAD_BYTES = 40 };

static void write_file(const char *folder, const char *name, struct bytes data)
{
	char *path = mem_printf("%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	CHECK(fd >= 0);
	CHECK(write(fd, data.data, data.size) == (ssize_t)data.size);
	CHECK(close(fd) == 0);
	mem_free(path);
}

static void write_ballast(const char *folder, unsigned number)
{
	uint8_t *data = mem_alloc(BALLAST_BYTES);
	uint64_t state = number + 1;
	char name[16];

	for (size_t i = 0; i < BALLAST_BYTES; i += 8) {
		state = state * 6364136223846793005U + 1442695040888963407U;
		put_le64(data + i, state ^ state >> 29);
	}
	(void)snprintf(name, sizeof name, "%06u.sst", number);
	write_file(folder, name, bytes_of(data, BALLAST_BYTES));
	mem_free(data);
}

int kit_on_snapshot(void *context, const char *folder,
		    struct node_snapshot_info *info)
{
	struct kit_node *k = context;
	struct buffer state = {0};
	uint8_t head[HEAD_BYTES];

	pthread_mutex_lock(&k->mutex);
	if (k->applied == 0) {
		pthread_mutex_unlock(&k->mutex);
		return STATUS_NOT_READY;
	}
	put_le64(head, k->applied);
	put_le64(head + 8, k->applied_term);
	put_le64(head + 16, k->members_index);
	put_le64(head + 24, k->members.size);
	put_le64(head + 32, k->applied_count);
	buffer_append(&state, head, sizeof head);
	buffer_append_bytes(&state, buffer_bytes(&k->members));
	buffer_append(&state, k->numbers,
		      k->applied_count * sizeof *k->numbers);
	info->pos = (struct raft_pos){k->applied_term, k->applied};
	info->members_index = k->members_index;
	buffer_append_bytes(&info->members, buffer_bytes(&k->members));
	k->made++;
	pthread_mutex_unlock(&k->mutex);

	CHECK(mkdir(folder, 0700) == 0);
	write_file(folder, "state", buffer_bytes(&state));
	for (unsigned i = 0; i < k->ballast; i++) {
		write_ballast(folder, i);
	}
	buffer_deinit(&state);
	return 0;
}

/* --- Loading ---------------------------------------------------------------
 */

static bool read_file(const char *folder, const char *name, struct buffer *out)
{
	char *path = mem_printf("%s/%s", folder, name);
	int fd = open(path, O_RDONLY);
	ssize_t size = 1;

	mem_free(path);
	while (fd >= 0 && size > 0) {
		size = read(fd, buffer_reserve(out, 65536), 65536);
		CHECK(size >= 0);
		buffer_grow(out, (size_t)size);
	}
	return fd >= 0 && close(fd) == 0;
}

static void keep(const struct kit_node *k, const char *where)
{
	char *command;

	if (where == NULL) {
		return;
	}
	command = mem_printf("cp -r '%s' '%s/%s'", k->folder, k->kit->root,
			     where);
	CHECK(system(command) == 0);
	mem_free(command);
}

static void take_over(struct kit_node *k, const struct buffer *state)
{
	const uint8_t *head = state->data;
	size_t members = get_le64(head + 24), count = get_le64(head + 32);

	CHECK(state->size == HEAD_BYTES + members + count * sizeof *k->numbers);
	CHECK(get_le64(head) > k->applied);
	k->applied = get_le64(head);
	k->applied_term = get_le64(head + 8);
	k->members_index = get_le64(head + 16);
	buffer_reset(&k->members);
	buffer_append(&k->members, head + HEAD_BYTES, members);
	memcpy(k->numbers, head + HEAD_BYTES + members,
	       count * sizeof *k->numbers);
	k->applied_count = count;
	memset(k->seen, 0, KIT_NUMBERS_MAX);
	for (size_t i = 0; i < count; i++) {
		k->seen[k->numbers[i]] = 1;
	}
	k->installed = (struct raft_pos){k->applied_term, k->applied};
	k->loaded++;
}

/* Its own proposals that are in there are answered by it. */
static void settle(struct kit_node *k)
{
	size_t kept = 0, taken = 0;

	for (size_t i = 0; i < k->waiting_count; i++) {
		if (!k->seen[k->waiting[i]]) {
			taken += i < k->taken;
			k->waiting[kept++] = k->waiting[i];
		}
	}
	k->waiting_count = kept;
	k->taken = taken;
}

int kit_on_load(void *context, const char *folder, struct raft_pos pos)
{
	struct kit_node *k = context;
	struct buffer state = {0};
	int rc = 0;

	keep(k, k->keep_before);
	if (!read_file(folder, "state", &state) || state.size < HEAD_BYTES ||
	    get_le64(state.data) != pos.index ||
	    get_le64(state.data + 8) != pos.term) {
		buffer_deinit(&state);
		return STATUS_CORRUPT;
	}
	pthread_mutex_lock(&k->mutex);
	k->in_load = true;
	pthread_cond_broadcast(&k->changed);
	while (k->holding_load) {
		pthread_cond_wait(&k->changed, &k->mutex);
	}
	take_over(k, &state);
	settle(k);
	rc = folder_remove(folder);
	k->in_load = false;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
	buffer_deinit(&state);
	keep(k, k->keep_after);
	return rc;
}

void kit_hold_load(struct kit_node *k)
{
	pthread_mutex_lock(&k->mutex);
	k->holding_load = true;
	pthread_mutex_unlock(&k->mutex);
}

void kit_release_load(struct kit_node *k)
{
	pthread_mutex_lock(&k->mutex);
	k->holding_load = false;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
}
