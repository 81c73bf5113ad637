/* SPDX-License-Identifier: Apache-2.0 */
/* damage.c - a state that does not read any more.
 *
 *   found at open ----.                     .--> set aside, with the log: both
 *                     +--> wanted, durably -+    begin empty, and the node is
 *   found as it runs -'    (the process     |    repaired (raft/node/mend.h)
 *                           ends here)      '--> alone: an error, as any
 *
 * One way for all: what is found is noted durably, and the next open begins
 * the repair. So a rotten block that only some read meets is met once. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"
#include "kv/internal.h"

/* --- Set aside ------------------------------------------------------------ */

struct move {
	const char *data, *aside;
};

/* What has its name there already was damaged before: this one is not kept. */
static int move_one(const char *from, const char *to)
{
	if (access(to, F_OK) != 0) {
		return folder_move(from, to);
	}
	if (unlink(from) == 0) { /* the marker */
		return folder_sync_name(from);
	}
	return folder_remove(from);
}

static int move_state(void *context, const char *name)
{
	const struct move *m = context;
	char *from;
	char *to;
	int rc;

	if (strcmp(name, "state") != 0 && strncmp(name, "state-", 6) != 0) {
		return 0;
	}
	from = mem_printf("%s/%s", m->data, name);
	to = mem_printf("%s/%s", m->aside, name);
	rc = move_one(from, to);
	mem_free(from);
	mem_free(to);
	return rc;
}

int kv_set_aside(struct kv *kv, struct buffer *problem)
{
	char *aside = node_aside(kv->node);
	struct move m = {kv->data, aside};
	int rc;

	if (aside == NULL) {
		return 0;
	}
	rc = folder_list(kv->data, move_state, &m);
	if (rc != 0) {
		buffer_printf(problem,
			      "cannot set the damaged state aside in %s: %s",
			      aside, status_text(rc));
	} else {
		rc = node_cleared(kv->node, problem);
	}
	mem_free(aside);
	return rc;
}

/* --- Found as it runs ----------------------------------------------------- */

void kv_damaged(struct kv *kv, int rc, const char *what)
{
	struct buffer unsaid = {0};

	if (rc == STATUS_CORRUPT && atomic_load(&kv->running) &&
	    node_want_repair(kv->node, what, &unsaid) == 0) {
		log_fatal("%s: this node ends, and its next start has it "
			  "repaired from its peers",
			  what);
	}
	buffer_deinit(&unsaid);
}

void kv_on_damage(void *context, const char *path)
{
	struct kv *kv = context;
	char *what = mem_printf("the state database in %s is damaged: it does "
				"not read",
				path);

	kv_damaged(kv, STATUS_CORRUPT, what);
	mem_free(what);
}

/* --- Looked for ----------------------------------------------------------- */

static bool go_on(void *context, struct bytes key, struct bytes value)
{
	struct kv *kv = context;

	(void)key;
	(void)value;
	return !atomic_load(&kv->ending);
}

int kv_verify(struct kv *kv, struct store *copy)
{
	int rc = kv_scan(&copy->reader, bytes_of("", 0), bytes_of("", 0), go_on,
			 kv);

	return rc == 0 && atomic_load(&kv->ending) ? STATUS_ENDED : rc;
}
