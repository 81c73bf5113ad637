/* SPDX-License-Identifier: Apache-2.0 */
#include "raft/node/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/frame.h"
#include "base/mem.h"
#include "proto/codec.h"
#include "proto/raft.pb.h"
#include "raft/node/address.h"

#define FILE_NAME "identity"
#define FILE_NEW "identity.new"
enum {
	FILE_KIND = 1,
	FILE_BYTES_MAX = FRAME_HEADER_BYTES + WIRE_CONFIG_BYTES_MAX + 512
};

void random_bytes(void *data, size_t size)
{
	CHECK(size <= 256); /* never short, never interrupted up to that */
	CHECK(getrandom(data, size, 0) == (ssize_t)size);
}

uint64_t random_id(void)
{
	uint64_t id = 0;

	while (id == 0) {
		random_bytes(&id, sizeof id);
	}
	return id;
}

int identity_lock(const char *folder, int *fd, struct buffer *problem)
{
	char *path = mem_printf("%s/lock", folder);
	int rc = 0;

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (*fd < 0) {
		rc = status_failed(problem, "open", path);
	} else if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
		rc = status_of_errno(errno);
		if (rc == STATUS_BUSY) {
			buffer_printf(problem, "%s is in use by a running node",
				      folder);
		} else {
			rc = status_failed(problem, "lock", path);
		}
		close(*fd);
		*fd = -1;
	}
	mem_free(path);
	return rc;
}

void identity_make(struct identity *id, const char *name)
{
	CHECK(name_valid(name));
	*id = (struct identity){.self = random_id()};
	name_copy(id->name, sizeof id->name, name);
}

void identity_found(struct identity *id, struct bytes record,
		    const struct wire_config *founding)
{
	CHECK(!id->founded && record.size <= sizeof id->record);
	id->founded = true;
	id->founding = *founding;
	memcpy(id->record, record.data, record.size);
	id->record_size = record.size;
}

void identity_join(struct identity *id, struct bytes record,
		   const struct wire_config *config)
{
	identity_found(id, record, config);
	id->joined = true;
	id->log_begun = true;
}

const struct wire_member *identity_member(const struct wire_config *founding,
					  const char *name)
{
	for (size_t i = 0; i < founding->count; i++) {
		if (strcmp(founding->members[i].name, name) == 0) {
			return &founding->members[i];
		}
	}
	return NULL;
}

/* --- The file ------------------------------------------------------------- */

static int decode(struct bytes body, struct identity *id)
{
	raft_Identity message = raft_Identity_init_zero;
	pb_istream_t stream = pb_istream_from_buffer(body.data, body.size);
	struct wire_config founding;
	struct bytes record;
	const struct wire_member *self;

	if (!pb_decode(&stream, raft_Identity_fields, &message) ||
	    !name_valid(message.name) || message.id == 0 || message.boot == 0) {
		return STATUS_CORRUPT;
	}
	*id = (struct identity){.self = message.id, .boot = message.boot};
	name_copy(id->name, sizeof id->name, message.name);
	record = bytes_of(message.founding.bytes, message.founding.size);
	if (record.size == 0) {
		return message.log_begun ? STATUS_CORRUPT : 0;
	}
	if (wire_decode_config(record, &founding) != 0) {
		return STATUS_CORRUPT;
	}
	self = identity_member(&founding, id->name);
	if (!message.joined && (self == NULL || self->id != id->self)) {
		return STATUS_CORRUPT;
	}
	identity_found(id, record, &founding);
	id->log_begun = message.log_begun;
	id->joined = message.joined;
	return 0;
}

static int read_file(struct disk *disk, uint8_t *data, size_t *size)
{
	struct disk_file *file;
	uint64_t whole;
	int rc = disk->ops->open(disk, FILE_NAME, false, &file);

	if (rc != 0) {
		return rc;
	}
	rc = disk->ops->size(file, &whole);
	if (rc == 0 && whole > FILE_BYTES_MAX) {
		rc = STATUS_CORRUPT;
	}
	if (rc == 0) {
		*size = (size_t)whole;
		rc = disk->ops->read(file, 0, data, *size);
	}
	disk->ops->close(file);
	return rc;
}

int identity_load(struct disk *disk, struct identity *id,
		  struct buffer *problem)
{
	uint8_t data[FILE_BYTES_MAX];
	struct frame frame;
	size_t size = 0, used;
	int rc = read_file(disk, data, &size);

	if (rc == STATUS_NOT_FOUND) {
		return rc;
	}
	if (rc == 0) {
		rc = frame_parse(bytes_of(data, size), 0, &frame, &used);
		if (rc == STATUS_SHORT || rc == STATUS_MALFORMED ||
		    (rc == 0 && (used != size || frame.kind != FILE_KIND))) {
			rc = STATUS_CORRUPT;
		}
	}
	if (rc == 0) {
		rc = decode(frame.body, id);
	}
	if (rc == STATUS_CORRUPT) {
		buffer_printf(problem, "the file %s is damaged", FILE_NAME);
	} else if (rc != 0) {
		buffer_printf(problem, "cannot read the file %s: %s", FILE_NAME,
			      disk_status_text(rc));
	}
	return rc;
}

static void encode(struct buffer *out, const struct identity *id)
{
	raft_Identity message = raft_Identity_init_zero;
	size_t start = frame_begin(out);

	name_copy(message.name, sizeof message.name, id->name);
	message.id = id->self;
	message.boot = id->boot;
	message.log_begun = id->log_begun;
	message.joined = id->joined;
	message.founding.size = (pb_size_t)id->record_size;
	memcpy(message.founding.bytes, id->record, id->record_size);

	codec_encode(out, raft_Identity_fields, &message, raft_Identity_size);
	frame_seal(out, start, FILE_KIND, 0);
	CHECK(out->size <= FILE_BYTES_MAX);
}

int identity_save(struct disk *disk, const struct identity *id,
		  struct buffer *problem)
{
	struct buffer data = {0};
	int rc;

	CHECK(id->self != 0 && id->boot != 0);
	encode(&data, id);
	rc = disk_replace(disk, FILE_NAME, FILE_NEW, buffer_bytes(&data));
	if (rc != 0) {
		buffer_printf(problem, "cannot write the file %s: %s",
			      FILE_NAME, disk_status_text(rc));
	}
	buffer_deinit(&data);
	return rc;
}
