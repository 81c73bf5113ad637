/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/toy.h"

#include <stdatomic.h>

#include "base/limits.h"

static int toy_apply(void *context, struct kv_batch *b, const struct kv_at *at,
		     struct bytes operation, struct buffer *result)
{
	struct bytes key = bytes_of_text("log");
	struct buffer log = {0};
	int rc;

	(void)context;
	(void)at;
	if (bytes_equal(operation, bytes_of_text("skip"))) {
		buffer_printf(result, "skipped");
		return 0;
	}
	rc = kv_get(&b->reader, key, &log);
	if (rc == 0 || rc == STATUS_NOT_FOUND) {
		buffer_append_bytes(&log, operation);
		buffer_append(&log, ";", 1);
		kv_put(b, key, buffer_bytes(&log));
		kv_note(b, operation);
		buffer_append(result, log.data,
			      log.size < LIMIT_RESULT_BYTES
				      ? log.size
				      : LIMIT_RESULT_BYTES);
		rc = 0;
	}
	buffer_deinit(&log);
	return rc;
}

static void toy_birth(void *context, struct buffer *operation)
{
	(void)context;
	buffer_printf(operation, "born");
}

static void toy_tidy(void *context, const struct kv_tidy *t)
{
	struct buffer operation = {0};

	if (context == NULL) {
		return;
	}
	atomic_fetch_add((atomic_int *)context, 1);
	buffer_printf(&operation, "tidy%u%s", (unsigned)t->applied_everywhere,
		      t->held(t, 5) ? "held" : "");
	t->propose(t, buffer_bytes(&operation));
	buffer_deinit(&operation);
}

static bool toy_adds(void *context, struct bytes operation)
{
	(void)context;
	return !bytes_starts_with(operation, bytes_of_text("free"));
}

struct kv_machine toy_machine(void *context)
{
	return (struct kv_machine){
		.context = context,
		.apply = toy_apply,
		.birth = toy_birth,
		.tidy = toy_tidy,
		.adds = toy_adds,
	};
}

const char *toy_log(struct kv_reader *r, struct buffer *text)
{
	int rc = kv_get(r, bytes_of_text("log"), text);

	if (rc != 0) {
		buffer_reset(text);
	}
	return buffer_text(text);
}
