/* SPDX-License-Identifier: Apache-2.0 */
#include "kv/record.h"

#include <pb_decode.h>
#include <pb_encode.h>
#include <string.h>

#include "proto/kv.pb.h"

enum { RECORD_BYTES_MAX = 64 };

static_assert((int)kv_Applied_size <= (int)RECORD_BYTES_MAX, "Applied fits");
static_assert((int)kv_Session_size <= (int)RECORD_BYTES_MAX, "Session fits");

/* --- Keys ----------------------------------------------------------------- */

struct bytes record_bytes(const struct record_key *key)
{
	return bytes_of(key->data, key->size);
}

static struct record_key named(const char *name)
{
	struct record_key key = {.size = strlen(name)};

	CHECK(key.size <= sizeof key.data);
	memcpy(key.data, name, key.size);
	return key;
}

struct record_key record_applied(void)
{
	return named("mapplied");
}

struct record_key record_born(void)
{
	return named("mborn");
}

struct record_key record_members(void)
{
	return named("mmembers");
}

struct record_key record_sessions(void)
{
	return named("sh");
}

struct record_key record_session(uint64_t session)
{
	struct record_key key = named("sh");

	put_be64(key.data + 2, session);
	key.size = 10;
	return key;
}

struct record_key record_result(uint64_t session, uint64_t number)
{
	struct record_key key = named("sr");

	put_be64(key.data + 2, session);
	put_be64(key.data + 10, number);
	key.size = 18;
	return key;
}

/* --- Records -------------------------------------------------------------- */

static void stage(struct kv_batch *b, struct record_key key,
		  const pb_msgdesc_t *fields, const void *record)
{
	uint8_t data[RECORD_BYTES_MAX];
	pb_ostream_t out = pb_ostream_from_buffer(data, sizeof data);
	bool encoded = pb_encode(&out, fields, record);

	CHECK(encoded);
	kv_put(b, record_bytes(&key), bytes_of(data, out.bytes_written));
}

static bool decode(struct bytes value, const pb_msgdesc_t *fields, void *record)
{
	pb_istream_t in = pb_istream_from_buffer(value.data, value.size);

	return pb_decode(&in, fields, record);
}

int applied_load(struct kv_reader *r, struct applied *a)
{
	struct record_key key = record_applied();
	struct buffer value = {0};
	kv_Applied record = kv_Applied_init_zero;
	int rc = kv_get(r, record_bytes(&key), &value);

	*a = (struct applied){0};
	if (rc == 0 &&
	    (!decode(buffer_bytes(&value), kv_Applied_fields, &record) ||
	     record.index == 0)) {
		rc = STATUS_CORRUPT;
	}
	if (rc == 0) {
		*a = (struct applied){record.index, record.term,
				      record.time_ns};
	}
	buffer_deinit(&value);
	return rc == STATUS_NOT_FOUND ? 0 : rc;
}

void applied_stage(struct kv_batch *b, const struct applied *a)
{
	kv_Applied record = {a->index, a->term, a->time_ns};

	CHECK(a->index > 0);
	stage(b, record_applied(), kv_Applied_fields, &record);
}

static struct record_key members_at(void)
{
	return named("mmembersat");
}

void membership_stage(struct kv_batch *b, uint64_t index, struct bytes payload)
{
	struct record_key key = record_members();
	struct record_key at = members_at();
	uint8_t bytes[8];

	put_be64(bytes, index);
	kv_put(b, record_bytes(&key), payload);
	kv_put(b, record_bytes(&at), bytes_of(bytes, sizeof bytes));
}

int membership_load(struct kv_reader *r, uint64_t *index,
		    struct buffer *payload)
{
	struct record_key key = record_members();
	struct record_key at = members_at();
	struct buffer value = {0};
	int rc = kv_get(r, record_bytes(&at), &value);

	*index = 0;
	buffer_reset(payload);
	if (rc == 0 && value.size == 8) {
		*index = get_be64(value.data);
		rc = kv_get(r, record_bytes(&key), payload);
	} else if (rc == 0) {
		rc = STATUS_CORRUPT;
	}
	buffer_deinit(&value);
	if (rc == STATUS_NOT_FOUND && *index == 0) {
		return 0;
	}
	return rc == STATUS_NOT_FOUND ? STATUS_CORRUPT : rc;
}

static int session_decode(struct bytes value, uint64_t id, struct session *s)
{
	kv_Session record = kv_Session_init_zero;

	if (!decode(value, kv_Session_fields, &record) || record.low == 0) {
		return STATUS_CORRUPT;
	}
	*s = (struct session){
		.id = id,
		.owner = {record.incarnation, record.boot, record.opening},
		.low = record.low,
	};
	return 0;
}

int session_load(struct kv_reader *r, uint64_t id, struct session *s)
{
	struct record_key key = record_session(id);
	struct buffer value = {0};
	int rc = kv_get(r, record_bytes(&key), &value);

	if (rc == 0) {
		rc = session_decode(buffer_bytes(&value), id, s);
	}
	buffer_deinit(&value);
	return rc;
}

void session_stage(struct kv_batch *b, const struct session *s)
{
	kv_Session record = {
		.incarnation = s->owner.incarnation,
		.boot = s->owner.boot,
		.opening = s->owner.opening,
		.low = s->low,
	};

	stage(b, record_session(s->id), kv_Session_fields, &record);
}

struct each {
	session_visit visit;
	void *context;
	int rc;
};

static bool each_visit(void *context, struct bytes key, struct bytes value)
{
	struct each *e = context;
	struct session s;

	if (key.size != 10) {
		e->rc = STATUS_CORRUPT;
		return false;
	}
	e->rc = session_decode(value, get_be64(key.data + 2), &s);
	return e->rc == 0 && e->visit(e->context, &s);
}

int session_each(struct kv_reader *r, session_visit visit, void *context)
{
	struct record_key prefix = record_sessions();
	struct each e = {.visit = visit, .context = context};
	int rc = kv_scan(r, record_bytes(&prefix), record_bytes(&prefix),
			 each_visit, &e);

	return rc != 0 ? rc : e.rc;
}
