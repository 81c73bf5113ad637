/* SPDX-License-Identifier: Apache-2.0 */
/* The status as one JSON object: the keys of the text, numbers as numbers,
 * "quorum" a boolean with its reason in "why". */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fs/control/status.h"

/* Names and reasons come from options and peers: what is no UTF-8 becomes
 * null rather than a broken document. */
static json_t *text_of(const char *text)
{
	json_t *value = json_string(text);

	return value ? value : json_null();
}

static json_t *number_of(uint64_t number)
{
	return json_integer((json_int_t)number);
}

static json_t *member_of(const struct kv_member *member)
{
	json_t *object = json_object();
	bool never = member->heard_ms_ago == UINT64_MAX;
	int rc = 0;

	rc |= json_object_set_new(object, "name", text_of(member->name));
	rc |= json_object_set_new(object, "address", text_of(member->address));
	rc |= json_object_set_new(object, "standing",
				  text_of(member->standing));
	rc |= json_object_set_new(object, "becomes",
				  member->becomes[0] != 0
					  ? text_of(member->becomes)
					  : json_null());
	rc |= json_object_set_new(object, "replaces",
				  member->replaces[0] != 0
					  ? text_of(member->replaces)
					  : json_null());
	rc |= json_object_set_new(object, "voter", json_boolean(member->voter));
	rc |= json_object_set_new(object, "leader",
				  json_boolean(member->leader));
	rc |= json_object_set_new(object, "self", json_boolean(member->self));
	rc |= json_object_set_new(object, "connected",
				  json_boolean(member->connected));
	rc |= json_object_set_new(object, "heard_ms",
				  never ? json_null()
					: number_of(member->heard_ms_ago));
	rc |= json_object_set_new(object, "match", number_of(member->match));
	rc |= json_object_set_new(object, "repairing",
				  json_boolean(member->repairing));
	CHECK(rc == 0);
	return object;
}

static json_t *members_of(const struct kv_status *status)
{
	json_t *array = json_array();

	for (size_t i = 0; i < status->member_count; i++) {
		CHECK(json_array_append_new(
			      array, member_of(&status->members[i])) == 0);
	}
	return array;
}

static void set_words(json_t *object, const struct kv_status *status,
		      enum kv_reads reads)
{
	int rc = 0;

	rc |= json_object_set_new(object, "version", text_of(RAFTFS_VERSION));
	rc |= json_object_set_new(object, "name", text_of(status->name));
	rc |= json_object_set_new(object, "cluster", text_of(status->cluster));
	rc |= json_object_set_new(object, "role", text_of(status->role));
	rc |= json_object_set_new(object, "leader", text_of(status->leader));
	rc |= json_object_set_new(object, "quorum",
				  json_boolean(status->quorum));
	rc |= json_object_set_new(object, "why",
				  text_of(status->quorum ? "" : status->why));
	rc |= json_object_set_new(object, "reads",
				  text_of(status_reads_word(reads)));
	rc |= json_object_set_new(object, "cut_off",
				  json_boolean(status->cut_off));
	rc |= json_object_set_new(object, "disk_low",
				  json_boolean(status->disk_low));
	rc |= json_object_set_new(object, "full", json_boolean(status->full));
	rc |= json_object_set_new(object, "listen", text_of(status->listens));
	rc |= json_object_set_new(object, "called_at",
				  text_of(status->elsewhere));
	rc |= json_object_set_new(object, "repair", text_of(status->repair));
	rc |= json_object_set_new(object, "members", members_of(status));
	rc |= json_object_set_new(object, "joint", json_boolean(status->joint));
	rc |= json_object_set_new(object, "transfer",
				  text_of(status->transfer));
	CHECK(rc == 0);
}

void status_json(const struct kv_status *status, enum kv_reads reads,
		 struct buffer *out)
{
	const struct {
		const char *key;
		uint64_t value;
	} numbers[] = {
		{"term", status->term},
		{"commit", status->commit},
		{"applied", status->applied},
		{"lag", status_lag(status)},
		{"last", status->last},
		{"repair_until", status->repair_until},
		{"log_bytes", status->log_bytes},
		{"state_bytes", status->state_bytes},
		{"session", status->session},
		{"proposals", status->proposals},
		{"bad_frames", status->bad_frames},
		{"snapshots_sent", status->snapshots_sent},
		{"snapshots_failed", status->snapshots_failed},
		{"snapshots_installed", status->snapshots_installed},
		{"snapshot_bytes_sent", status->snapshot_bytes_sent},
		{"snapshot_bytes_taken", status->snapshot_bytes_taken},
		{"snapshot_bytes_kept", status->snapshot_bytes_kept},
	};
	json_t *object = json_object();
	char *text;

	set_words(object, status, reads);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		CHECK(json_object_set_new(object, numbers[i].key,
					  number_of(numbers[i].value)) == 0);
	}
	text = json_dumps(object, JSON_INDENT(2));
	CHECK(text);
	buffer_append(out, text, strlen(text));
	buffer_append(out, "\n", 1);
	free(text);
	json_decref(object);
}
