/* SPDX-License-Identifier: Apache-2.0 */
/* state.c - the store below a node's kv.
 *
 * It stands before one in memory (or RocksDB's) and hands on every call as the
 * world, so that a node may end between any two, and what it was kept in does
 * not end with it. A crash keeps what was flushed and some of the commits after
 * it, drawn; RocksDB keeps what it has on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kv/record.h"
#include "tests/sim/state.h"

/* Of the disk, in the place of what a database in memory would take. */
enum { NEED_BYTES = 32 << 10, FLUSH_BYTES = 4 << 10 };

struct front_view {
	struct kv_view view;
	struct kv_view *inner;
	LIST_ENTRY(front_view) link;
};

struct front_batch {
	struct kv_batch batch;
	struct kv_batch *inner;
};

struct front {
	struct store store;
	struct store *inner;
	int node;
	struct front_batch *batch; /* open; NULL: none */
	LIST_HEAD(, front_view) views;
	LIST_ENTRY(front) link;
};

/* Open ones, of all nodes. */
static LIST_HEAD(, front) fronts;

static struct front *front_of(struct store *s)
{
	return CONTAINER_OF(s, struct front, store);
}

/* --- Reading ----------------------------------------------------------------
 */

static int get(struct kv_reader *inner, struct bytes key, struct buffer *value)
{
	int was = sim_enter(SIM_WORLD);
	int rc = inner->ops->get(inner, key, value);

	sim_leave(was);
	return rc;
}

/* Visits are the node's own business: it may lock, wait, and end. Nothing of
 * a scan in memory minds; RocksDB's is over before the first. */
struct scanning {
	kv_visit visit;
	void *context;
	int was;
	struct buffer items; /* sizes of key and value, key, value */
};

static bool visit_now(void *context, struct bytes key, struct bytes value)
{
	struct scanning *s = context;
	bool goes_on;

	sim_leave(s->was);
	goes_on = s->visit(s->context, key, value);
	s->was = sim_enter(SIM_WORLD);
	return goes_on;
}

static bool keep(void *context, struct bytes key, struct bytes value)
{
	struct scanning *s = context;
	size_t sizes[2] = {key.size, value.size};

	buffer_append(&s->items, sizes, sizeof sizes);
	buffer_append_bytes(&s->items, key);
	buffer_append_bytes(&s->items, value);
	return true;
}

static void visit_kept(struct scanning *s)
{
	const uint8_t *at = s->items.data;
	const uint8_t *end = at + s->items.size;
	bool goes_on = true;
	size_t sizes[2];

	while (goes_on && at < end) {
		memcpy(sizes, at, sizeof sizes);
		at += sizeof sizes;
		goes_on = visit_now(s, bytes_of(at, sizes[0]),
				    bytes_of(at + sizes[0], sizes[1]));
		at += sizes[0] + sizes[1];
	}
	buffer_deinit(&s->items);
}

static int scan(struct kv_reader *inner, struct bytes from, struct bytes prefix,
		kv_visit visit, void *context)
{
	struct scanning s = {.visit = visit, .context = context};
	int rc;

	s.was = sim_enter(SIM_WORLD);
	if (sim.plan.rocksdb) {
		rc = inner->ops->scan(inner, from, prefix, keep, &s);
		visit_kept(&s);
	} else {
		rc = inner->ops->scan(inner, from, prefix, visit_now, &s);
	}
	sim_leave(s.was);
	return rc;
}

static struct kv_reader *newest(struct kv_reader *r)
{
	return &CONTAINER_OF(r, struct front, store.reader)->inner->reader;
}

static int newest_get(struct kv_reader *r, struct bytes key,
		      struct buffer *value)
{
	return get(newest(r), key, value);
}

static int newest_scan(struct kv_reader *r, struct bytes from,
		       struct bytes prefix, kv_visit visit, void *context)
{
	return scan(newest(r), from, prefix, visit, context);
}

static struct kv_reader *viewed(struct kv_reader *r)
{
	return &CONTAINER_OF(r, struct front_view, view.reader)->inner->reader;
}

static int view_get(struct kv_reader *r, struct bytes key, struct buffer *value)
{
	return get(viewed(r), key, value);
}

static int view_scan(struct kv_reader *r, struct bytes from,
		     struct bytes prefix, kv_visit visit, void *context)
{
	return scan(viewed(r), from, prefix, visit, context);
}

static struct kv_batch *batched(struct kv_batch *b)
{
	return CONTAINER_OF(b, struct front_batch, batch)->inner;
}

static struct kv_reader *batch_reader(struct kv_reader *r)
{
	struct kv_batch *b = CONTAINER_OF(r, struct kv_batch, reader);

	return &batched(b)->reader;
}

static int batch_get(struct kv_reader *r, struct bytes key,
		     struct buffer *value)
{
	return get(batch_reader(r), key, value);
}

static int batch_scan(struct kv_reader *r, struct bytes from,
		      struct bytes prefix, kv_visit visit, void *context)
{
	return scan(batch_reader(r), from, prefix, visit, context);
}

static const struct kv_reader_ops newest_ops = {newest_get, newest_scan};
static const struct kv_reader_ops view_ops = {view_get, view_scan};
static const struct kv_reader_ops batch_reader_ops = {batch_get, batch_scan};

/* --- Batches ----------------------------------------------------------------
 */

static void batch_put(struct kv_batch *b, struct bytes key, struct bytes value)
{
	int was = sim_enter(SIM_WORLD);

	batched(b)->ops->put(batched(b), key, value);
	sim_leave(was);
}

static void batch_remove(struct kv_batch *b, struct bytes key)
{
	int was = sim_enter(SIM_WORLD);

	batched(b)->ops->remove(batched(b), key);
	sim_leave(was);
}

/* Straight on to who asked for notes: they are the node's. */
static void batch_note(struct kv_batch *b, struct bytes note)
{
	batched(b)->ops->note(batched(b), note);
}

static const struct kv_batch_ops batch_ops = {batch_put, batch_remove,
					      batch_note};

static struct kv_batch *
front_begin(struct store *s, void (*note)(void *context, struct bytes note),
	    void *context)
{
	struct front *f = front_of(s);
	struct front_batch *b;
	int was;

	task_point();
	was = sim_enter(SIM_WORLD);
	b = mem_zalloc(sizeof *b);
	b->batch.ops = &batch_ops;
	b->batch.reader.ops = &batch_reader_ops;
	b->inner = f->inner->ops->begin(f->inner, note, context);
	f->batch = b;
	sim_leave(was);
	return &b->batch;
}

static int front_end(struct store *s, struct kv_batch *batch,
		     int (*end)(struct store *s, struct kv_batch *b))
{
	struct front *f = front_of(s);
	int was, rc;

	task_point();
	was = sim_enter(SIM_WORLD);
	rc = end(f->inner, batched(batch));
	mem_free(f->batch);
	f->batch = NULL;
	sim_leave(was);
	task_point();
	return rc;
}

static int abort_inner(struct store *s, struct kv_batch *batch)
{
	s->ops->abort(s, batch);
	return 0;
}

/* What is in memory lives on the simulated disk as if it were there. */
static bool is_full(const struct front *f)
{
	return !sim.plan.rocksdb && disk_free(f->node) < FLUSH_BYTES;
}

static int drop(struct front *f, struct kv_batch *batch)
{
	const struct sim_oracle *oracle = sim.options.oracle;
	struct applied applied = {0};
	int was;

	(void)front_end(&f->store, batch, abort_inner);
	was = sim_enter(SIM_WORLD);
	CHECK(applied_load(&f->inner->reader, &applied) == 0);
	if (oracle != NULL && oracle->dropped != NULL) {
		oracle->dropped(f->node, applied.index);
	}
	sim_leave(was);
	return STATUS_NO_SPACE;
}

/* Now and then one is met by what the disk did to a flush before. */
static int front_commit(struct store *s, struct kv_batch *batch)
{
	struct front *f = front_of(s);

	return is_full(f) && sim_below(&sim.stores, 4) == 0
		       ? drop(f, batch)
		       : front_end(s, batch, f->inner->ops->commit);
}

static void front_abort(struct store *s, struct kv_batch *batch)
{
	(void)front_end(s, batch, abort_inner);
}

struct kv_reader *sim_batch(int node)
{
	struct front *f;

	LIST_FOREACH (f, &fronts, link) {
		if (f->node == node && f->batch != NULL && !sim.plan.rocksdb) {
			return &f->batch->inner->reader;
		}
	}
	return NULL;
}

/* --- The rest ---------------------------------------------------------------
 */

static struct kv_view *front_view(struct store *s)
{
	struct front *f = front_of(s);
	int was = sim_enter(SIM_WORLD);
	struct front_view *v = mem_zalloc(sizeof *v);

	v->view.reader.ops = &view_ops;
	v->inner = f->inner->ops->view(f->inner);
	LIST_INSERT_HEAD(&f->views, v, link);
	sim_leave(was);
	return &v->view;
}

static void close_view(struct front *f, struct front_view *v)
{
	f->inner->ops->view_close(f->inner, v->inner);
	LIST_REMOVE(v, link);
	mem_free(v);
}

static void front_view_close(struct store *s, struct kv_view *view)
{
	int was = sim_enter(SIM_WORLD);

	close_view(front_of(s), CONTAINER_OF(view, struct front_view, view));
	sim_leave(was);
}

/* It takes its time, and what comes meanwhile may be in it. */
static int front_flush(struct store *s)
{
	struct front *f = front_of(s);
	int was, rc;

	sim_sleep(sim_below(&sim.stores, 4 * sim.rates.sync_ns + 1));
	task_point();
	was = sim_enter(SIM_WORLD);
	rc = is_full(f) ? STATUS_NO_SPACE : f->inner->ops->flush(f->inner);
	sim_leave(was);
	sim_sleep(sim_below(&sim.stores, sim.rates.sync_ns + 1));
	task_point();
	return rc;
}

/* Half made it may be left, as by any program that ends. */
static int front_checkpoint(struct store *s, const char *folder)
{
	struct front *f = front_of(s);
	int was = sim_enter(SIM_WORLD);
	int rc = state_disk_copy(f->inner, folder);

	if (rc == 0) {
		sim_count(SIM_SNAPSHOTS);
	}
	sim_leave(was);
	return rc;
}

/* Blocks for as long as the disk takes. */
static void front_shrink(struct store *s)
{
	struct front *f = front_of(s);
	int was;

	sim_sleep(sim_below(&sim.stores, 4 * sim.rates.sync_ns + 1));
	task_point();
	was = sim_enter(SIM_WORLD);
	f->inner->ops->shrink(f->inner);
	sim_leave(was);
}

/* That is RocksDB's business, and a matter of its threads. */
static uint64_t front_failures(struct store *s)
{
	(void)s;
	return 0;
}

static uint64_t front_need(struct store *s)
{
	return sim.plan.rocksdb
		       ? front_of(s)->inner->ops->need(front_of(s)->inner)
		       : NEED_BYTES;
}

static uint64_t front_slack(struct store *s)
{
	return sim.plan.rocksdb
		       ? front_of(s)->inner->ops->slack(front_of(s)->inner)
		       : 0;
}

static uint64_t front_bytes(struct store *s)
{
	/* RocksDB's depends on what its own threads have done. */
	return sim.plan.rocksdb
		       ? 0
		       : front_of(s)->inner->ops->bytes(front_of(s)->inner);
}

static void front_close(struct store *s)
{
	struct front *f = front_of(s);
	int was = sim_enter(SIM_WORLD);

	CHECK(f->batch == NULL && LIST_EMPTY(&f->views));
	f->inner->ops->close(f->inner);
	LIST_REMOVE(f, link);
	mem_free(f);
	sim_leave(was);
}

static const struct store_ops front_ops = {
	.view = front_view,
	.view_close = front_view_close,
	.begin = front_begin,
	.commit = front_commit,
	.abort = front_abort,
	.flush = front_flush,
	.checkpoint = front_checkpoint,
	.shrink = front_shrink,
	.failures = front_failures,
	.reopen = front_flush,
	.bytes = front_bytes,
	.need = front_need,
	.slack = front_slack,
	.close = front_close,
};

/* --- Life -------------------------------------------------------------------
 */

static struct store *front_new(int node, struct store *inner)
{
	struct front *f = mem_zalloc(sizeof *f);

	f->store.reader.ops = &newest_ops;
	f->store.ops = &front_ops;
	f->node = node;
	f->inner = inner;
	LIST_INSERT_HEAD(&fronts, f, link);
	return &f->store;
}

int state_open(void *context, const char *path, struct store **store,
	       struct buffer *problem)
{
	struct host *h = context;
	struct store *inner;
	int was, rc;

	task_point();
	was = sim_enter(SIM_WORLD);
	rc = state_disk_open(h->store, path, &inner, problem);
	if (rc == 0) {
		*store = front_new((int)(h - sim.hosts), inner);
	}
	sim_leave(was);
	task_point();
	return rc;
}

int state_peek(void *context, const char *path, struct store **store,
	       struct buffer *problem)
{
	struct host *h = context;
	struct store *inner;
	int was, rc;

	(void)problem;
	task_point();
	was = sim_enter(SIM_WORLD);
	rc = state_disk_peek(path, &inner);
	if (rc == 0) {
		*store = front_new((int)(h - sim.hosts), inner);
	}
	sim_leave(was);
	task_point();
	return rc;
}

/* Whoever wrote is no more: what was open is dropped. */
void state_life_over(int node)
{
	struct state *state = sim.hosts[node].store;
	struct state_disk *d;
	struct front *f, *next;

	for (f = LIST_FIRST(&fronts); f != NULL; f = next) {
		next = LIST_NEXT(f, link);
		if (f->node != node) {
			continue;
		}
		if (f->batch != NULL) {
			f->inner->ops->abort(f->inner, f->batch->inner);
			f->batch = NULL;
		}
		while (!LIST_EMPTY(&f->views)) {
			close_view(f, LIST_FIRST(&f->views));
		}
		f->inner->ops->close(f->inner);
		LIST_REMOVE(f, link);
	}
	LIST_FOREACH (d, &state->disks, link) {
		size_t most =
			d->memory != NULL ? memdisk_unflushed(d->memory) : 0;

		if (most == 0) {
			continue;
		}

		/* All of it, none of it, or anything between. */
		switch (sim_below(&sim.stores, 3)) {
		case 0:
			memdisk_crash(d->memory, 0);
			break;
		case 1:
			memdisk_crash(d->memory, most);
			break;
		default:
			memdisk_crash(d->memory,
				      (size_t)sim_below(&sim.stores, most + 1));
			break;
		}
	}
}

void state_begin(int node)
{
	struct state *state = mem_zalloc(sizeof *state);

	LIST_INIT(&state->disks);
	if (sim.plan.rocksdb) {
		(void)snprintf(state->folder, sizeof state->folder,
			       "%s/raftfs-sim.XXXXXX",
			       access("/dev/shm", W_OK) == 0 ? "/dev/shm"
							     : "/tmp");
		CHECK(mkdtemp(state->folder) != NULL);
	}
	sim.hosts[node].store = state;
}

void state_end(int node)
{
	struct state *state = sim.hosts[node].store;

	state_life_over(node);
	if (state->folder[0] != 0) {
		state_remove_real(state->folder);
	}
}

void state_wipe(int node)
{
	state_end(node);
	state_begin(node);
}
