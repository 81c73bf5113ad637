/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/reserve.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/status.h"

static const char FILE_NAME[] = "reserve";
static const char START_NAME[] = "reserve-start";
enum { SHARE_OF_START = 8 };
enum { SHARE_OF_DISK = 16, SHARE_OF_SMALL = 4, MIB = 1 << 20 };
enum { PACE_SHARE = 64, PACE_BYTES_MAX = 16 << 20 };

/* All below: the mutex is held. */

static uint64_t size_of(uint64_t total)
{
	uint64_t size = total / SHARE_OF_DISK;

	if (size < RESERVE_BYTES_MIN) {
		size = RESERVE_BYTES_MIN;
	}
	if (size > RESERVE_BYTES_MAX) {
		size = RESERVE_BYTES_MAX;
	}
	return size < total / SHARE_OF_SMALL ? size : total / SHARE_OF_SMALL;
}

/* False: the disk does not tell; nothing is changed then. */
static bool measure(struct reserve *r)
{
	uint64_t total, pace;

	if (r->disk->ops->space(r->disk, &r->free, &total) != 0) {
		return false;
	}
	/* What is written is written several times: log, flush, compaction. */
	pace = r->free / PACE_SHARE;
	atomic_store(&r->pace, pace < PACE_BYTES_MAX ? pace : PACE_BYTES_MAX);
	if (r->bytes == 0) {
		r->bytes = size_of(total);
	}
	return true;
}

static void give_back(struct reserve *r, const char *name, bool *held)
{
	int rc = *held ? r->disk->ops->remove(r->disk, name) : 0;

	if (rc != 0) {
		log_warn("the reserve on the data disk can not be given back: "
			 "%s",
			 disk_status_text(rc));
		return;
	}
	*held = false;
}

/* Quietly: when others take the room meanwhile, a later look tries again. */
static void make(struct reserve *r, const char *name, uint64_t bytes,
		 bool *held)
{
	int rc = r->disk->ops->allocate(r->disk, name, bytes);

	*held = rc == 0 || rc == STATUS_EXISTS;
	if (*held) {
		(void)measure(r);
	}
}

/* Is the file there, and whole? Half made, or of another disk, it goes. */
static bool find(struct reserve *r, const char *name, uint64_t bytes)
{
	struct disk_file *file;
	uint64_t size = 0;
	bool held = r->disk->ops->open(r->disk, name, false, &file) == 0;

	if (held) {
		(void)r->disk->ops->size(file, &size);
		r->disk->ops->close(file);
		if (size != bytes) {
			give_back(r, name, &held);
		}
	}
	return held;
}

static void judge(struct reserve *r)
{
	bool was_low = atomic_load(&r->low);
	bool low = (r->tried && !r->held) ||
		   r->free < (was_low ? r->bytes : r->bytes / 2);

	atomic_store(&r->low, low);
	if (low && !was_low) {
		log_warn("the data disk is nearly full: free-mib=%" PRIu64
			 " reserve-mib=%" PRIu64 "%s",
			 r->free / MIB, r->bytes / MIB,
			 r->held ? "" : " (in use)");
	} else if (!low && was_low) {
		log_info("the data disk has room again: free-mib=%" PRIu64,
			 r->free / MIB);
	}
}

static void look(struct reserve *r)
{
	if (!measure(r)) {
		return;
	}
	r->tried = atomic_load(&r->wanted);
	if (r->tried && !r->held && r->free / 2 >= r->bytes) {
		make(r, FILE_NAME, r->bytes, &r->held);
	}
	if (r->tried && !r->start_held && r->free >= r->bytes) {
		make(r, START_NAME, r->bytes / SHARE_OF_START, &r->start_held);
	}
	judge(r);
}

/* --- The face ------------------------------------------------------------- */

void reserve_want(struct reserve *r)
{
	atomic_store(&r->wanted, true);
}

void reserve_open(struct reserve *r, struct disk *disk, bool wanted)
{
	r->disk = disk;
	atomic_init(&r->low, false);
	atomic_init(&r->wanted, wanted);
	CHECK(pthread_mutex_init(&r->mutex, NULL) == 0);
	pthread_mutex_lock(&r->mutex);
	if (measure(r)) {
		r->held = find(r, FILE_NAME, r->bytes);
		r->start_held = find(r, START_NAME, r->bytes / SHARE_OF_START);
	}
	look(r);
	pthread_mutex_unlock(&r->mutex);
}

void reserve_close(struct reserve *r)
{
	if (r->disk != NULL) {
		CHECK(pthread_mutex_destroy(&r->mutex) == 0);
		r->disk = NULL;
	}
}

void reserve_look(struct reserve *r)
{
	pthread_mutex_lock(&r->mutex);
	look(r);
	pthread_mutex_unlock(&r->mutex);
}

bool reserve_has(struct reserve *r, uint64_t bytes)
{
	bool has = true;

	pthread_mutex_lock(&r->mutex);
	if (measure(r) && r->free < bytes) {
		give_back(r, FILE_NAME, &r->held);
		has = !measure(r) || r->free >= bytes;
		judge(r);
	}
	pthread_mutex_unlock(&r->mutex);
	return has;
}

void reserve_begin(struct reserve *r, uint64_t bytes)
{
	if (!reserve_has(r, bytes)) {
		pthread_mutex_lock(&r->mutex);
		give_back(r, START_NAME, &r->start_held);
		pthread_mutex_unlock(&r->mutex);
	}
}

bool reserve_is_low(const struct reserve *r)
{
	return atomic_load(&r->low);
}

uint64_t reserve_pace(const struct reserve *r)
{
	return atomic_load(&r->pace);
}
