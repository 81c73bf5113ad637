/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/otherkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "kv/command.h"
#include "tests/lib/toy.h"

void other_apply(struct other *o, struct entry *e)
{
	e->index = o->applier.applied.index + 1;
	e->term = o->pos.term > 0 ? o->pos.term : 1;
	assert_int_equal(applier_apply(&o->applier, &e, 1), 0);
	entry_unref(e);
}

void GIVEN_OTHER(struct other *o, struct home *h)
{
	struct buffer problem = {0};

	*o = (struct other){.h = h, .machine = toy_machine(NULL)};
	if (h->rocks) {
		char path[96];

		snprintf(path, sizeof path, "%s/other", h->folder);
		assert_int_equal(store_open_rocksdb(path, &o->store, &problem),
				 0);
	} else {
		o->store = memstore_open(NULL);
	}
	feed_init(&o->feed);
	assert_int_equal(
		applier_init(&o->applier, o->store, &o->machine, &o->feed), 0);
	for (size_t i = 0; i < h->log.count; i++) {
		const struct entry *e = h->log.entries[i];
		struct entry *copy = entry_new(e->kind, e->data, e->size);

		copy->time_ns = e->time_ns;
		other_apply(o, copy);
	}
	buffer_deinit(&problem);
}

void other_skip(struct other *o, unsigned count)
{
	while (count-- > 0) {
		other_apply(o, entry_new(ENTRY_NOOP, "", 0));
	}
}

void other_operation(struct other *o, const char *text)
{
	struct session_owner owner = {.incarnation = 7, .boot = 1};
	struct entry *e;
	static uint64_t opening;
	uint64_t session;

	owner.opening = ++opening;
	other_apply(o, command_open(&owner));
	session = o->applier.applied.index;
	e = command_operation(bytes_of_text(text));
	command_stamp(e, session, 1, 1);
	other_apply(o, e);
}

void other_snapshot(struct other *o)
{
	snprintf(o->folder, sizeof o->folder, "%s/incoming-%u", o->h->folder,
		 ++o->made);
	assert_int_equal(o->store->ops->checkpoint(o->store, o->folder), 0);
	o->pos.index = o->applier.applied.index;
	o->pos.term = o->applier.applied.term;
}

void other_deinit(struct other *o)
{
	applier_deinit(&o->applier);
	feed_deinit(&o->feed);
	o->store->ops->close(o->store);
}

void other_load(struct other *o)
{
	other_snapshot(o);
	assert_int_equal(fakenode_load(o->h->node, o->folder, o->pos), 0);
}

bool home_has(struct home *h, const char *name)
{
	char path[160];

	snprintf(path, sizeof path, "%s/%s", h->folder, name);
	return access(path, F_OK) == 0;
}
