/* SPDX-License-Identifier: Apache-2.0 */
/* snap.c - what sending and receiving share: life, the copy that is sent, the
 * state that is loaded. */
#include "raft/node/snap.h"

#include <inttypes.h>
#include <string.h>

#include "base/folder.h"
#include "base/log.h"
#include "base/mem.h"

static const char COPY_PREFIX[] = "snapshot-";
static const char INCOMING[] = "incoming";

/* --- What an earlier life left -------------------------------------------- */

static int remove_left(void *context, const char *name)
{
	char *path;
	int rc;

	if (strncmp(name, COPY_PREFIX, sizeof COPY_PREFIX - 1) != 0) {
		return 0;
	}
	path = mem_printf("%s/%s", (const char *)context, name);
	rc = folder_remove(path);
	mem_free(path);
	return rc;
}

/* Of a first start, only the copies: what was received is gone on with. */
static void run_clean(struct snap_job *job)
{
	struct snap *snap = CONTAINER_OF(job, struct snap, clean);
	int rc = snap->clean_all ? folder_list(snap->node->folder, remove_left,
					       snap->node->folder)
				 : folder_remove(snap->incoming);

	if (rc != 0) {
		log_warn("cannot remove an old snapshot: %s",
			 disk_status_text(rc));
	}
}

static void clean_done(struct snap_job *job, bool ran)
{
	struct snap *snap = CONTAINER_OF(job, struct snap, clean);

	(void)ran;
	snap->cleaning = false;
	snap->clean_all = false;
}

static void clean(struct snap *snap, bool all)
{
	if (snap->cleaning) {
		return;
	}
	snap->cleaning = true;
	snap->clean_all = all;
	snap->clean = (struct snap_job){.run = run_clean, .done = clean_done};
	snap_work_add(snap->work, &snap->clean);
}

void snap_clean(struct snap *snap)
{
	clean(snap, false);
}

/* --- Life ----------------------------------------------------------------- */

static void ready(void *context)
{
	inbox_poke(context);
}

void snap_begin(struct node *n)
{
	struct snap *snap = mem_zalloc(sizeof *snap);

	snap->node = n;
	LIST_INIT(&snap->sends);
	LIST_INIT(&snap->receives);
	snap->pace.rate = n->snapshot_rate;
	snap->incoming = mem_printf("%s/%s", n->folder, INCOMING);
	snap->staging_used = n->now;
	CHECK(uv_timer_init(&n->loop, &snap->pacer) == 0);
	snap->pacer.data = snap;
	snap->work = snap_work_start(ready, n);
	n->snap = snap;
	clean(snap, true);
}

void snap_stop(struct node *n)
{
	struct snap *snap = n->snap;

	if (snap == NULL) {
		return;
	}
	snap_send_stop(snap);
	snap_receive_stop(snap);
	uv_close((uv_handle_t *)&snap->pacer, NULL);
	snap_work_stop(snap->work);
	snap->work = NULL;
}

void snap_deinit(struct node *n)
{
	struct snap *snap = n->snap;

	if (snap == NULL) {
		return;
	}
	snap_send_deinit(snap);
	snap_receive_deinit(snap);
	CHECK(snap->copy_users == 0);
	snap_copy_free(snap->copy);
	snap_copy_free(snap->made);
	snap_copy_free(snap->dropped);
	mem_free(snap->make_path);
	buffer_deinit(&snap->staged.members);
	mem_free(snap->incoming);
	mem_free(snap);
	n->snap = NULL;
}

/* --- The copy that is sent ------------------------------------------------ */

static void run_make(struct snap_job *job)
{
	struct snap *snap = CONTAINER_OF(job, struct snap, make);
	struct node *n = snap->node;

	snap_copy_free(snap->dropped);
	snap->dropped = NULL;
	if (snap->make_path != NULL) {
		snap->make_rc = snap_copy_make(n->client, n->context,
					       snap->make_path, &snap->made);
	}
}

static void make_done(struct snap_job *job, bool ran)
{
	struct snap *snap = CONTAINER_OF(job, struct snap, make);

	snap->making = false;
	if (!ran || snap->made == NULL) {
		return;
	}
	snap->copy = snap->made;
	snap->made = NULL;
	snap->copy_used = snap->node->now;
	snap->counts.made++;
}

/* Remove the copy there is, and make another if path (given) is not NULL. */
static void make(struct snap *snap, char *path)
{
	CHECK(!snap->making && snap->copy_users == 0);
	snap->making = true;
	snap->dropped = snap->copy;
	snap->copy = NULL;
	mem_free(snap->make_path);
	snap->make_path = path;
	snap->make = (struct snap_job){.run = run_make, .done = make_done};
	snap_work_add(snap->work, &snap->make);
}

struct snap_copy *snap_copy_get(struct snap *snap, int *rc)
{
	struct node *n = snap->node;
	struct snap_copy *copy = snap->copy;

	*rc = 0;
	if (copy != NULL && copy->info.pos.index >= n->base) {
		snap->copy_users++;
		return copy;
	}
	if (snap->making || snap->copy_users > 0) {
		return NULL; /* the old one is in use until it is sent */
	}
	if (snap->make_rc != 0) {
		*rc = snap->make_rc;
		snap->make_rc = 0;
		return NULL;
	}
	make(snap, mem_printf("%s/%s%" PRIu64, n->folder, COPY_PREFIX,
			      n->delivery.applied));
	return NULL;
}

void snap_copy_put(struct snap *snap)
{
	CHECK(snap->copy_users > 0);
	snap->copy_users--;
	snap->copy_used = snap->node->now;
}

/* Its files are links that keep alive what the state has long compacted. */
static void let_go(struct snap *snap)
{
	raft_ms now = snap->node->now;

	if (snap->copy != NULL && snap->copy_users == 0 && !snap->making &&
	    now - snap->copy_used >= SNAP_KEEP_MS) {
		make(snap, NULL);
	}
	if (snap->staging_used != 0 && LIST_EMPTY(&snap->receives) &&
	    snap->staged.from == 0 &&
	    now - snap->staging_used >= SNAP_STAGING_KEEP_MS) {
		snap->staging_used = 0;
		snap_clean(snap);
	}
}

/* --- Loading -------------------------------------------------------------- */

bool snap_is_loading(const struct node *n)
{
	return n->snap != NULL && n->snap->loading;
}

static void run_load(struct snap_job *job)
{
	struct snap *snap = CONTAINER_OF(job, struct snap, load);
	struct node *n = snap->node;

	snap->load_rc =
		n->client->load(n->context, snap->incoming, snap->staged.pos);
	/* Else the next start would find it, and come to the same. */
	if (snap->load_rc == STATUS_CORRUPT) {
		(void)folder_remove(snap->incoming);
	}
}

/* On the saver's thread. */
static void on_reset(void *context, struct raft_pos base)
{
	struct node *n = context;

	atomic_store(&n->snap->reset, base.index);
	inbox_poke(n);
}

static void load_done(struct snap_job *job, bool ran)
{
	struct snap *snap = CONTAINER_OF(job, struct snap, load);
	struct node *n = snap->node;

	/* Stopped between: the next start goes on from here (S4). */
	if (!ran || n->stopped || snap->load_rc == STATUS_ENDED) {
		return;
	}
	if (snap->load_rc != 0) {
		log_fatal("cannot load the snapshot of %s that ends at "
			  "index=%" PRIu64 ": %s",
			  node_name_of(n, snap->staged.from),
			  snap->staged.pos.index, status_text(snap->load_rc));
	}
	saver_reset(n->saver, snap->staged.pos, on_reset);
}

void snap_load(struct node *n, struct raft_pos pos)
{
	struct snap *snap = n->snap;

	CHECK(snap->staged.from != 0 && !snap->loading &&
	      snap->staged.pos.index == pos.index &&
	      snap->staged.pos.term == pos.term);
	snap->loading = true;
	snap->load = (struct snap_job){.run = run_load, .done = load_done};
	snap_work_add(snap->work, &snap->load);
}

/* State and log are those of the snapshot. */
static void loaded(struct snap *snap)
{
	struct node *n = snap->node;
	struct raft_pos pos = snap->staged.pos;
	struct raft_event ev = {
		.kind = RAFT_EV_SNAP_LOADED,
		.snap_loaded.pos = pos,
	};

	tail_deinit(&n->tail);
	tail_init(&n->tail, pos.index, TAIL_BYTES, TAIL_ENTRIES);
	deliver_init(&n->delivery, pos.index);
	atomic_store(&n->inbox.applied, pos.index);
	mark_set(&n->mark, pos.index);
	n->base = pos.index;
	members_loaded(n, snap->staged.change.index,
		       buffer_bytes(&snap->staged.members));
	snap->loading = false;
	snap->staging_used = 0;
	snap->counts.installed++;
	snap->counts.installed_index = pos.index;
	log_info("loaded the snapshot of %s index=%" PRIu64 " term=%" PRIu64,
		 node_name_of(n, snap->staged.from), pos.index, pos.term);
	(void)drive_step(n, &ev);
	snap->staged.from = 0;
	snap_receive_loaded(snap);
}

/* --- Turns ---------------------------------------------------------------- */

void snap_collect(struct node *n)
{
	struct snap *snap = n->snap;

	if (snap == NULL || n->stopped) {
		return;
	}
	snap_work_collect(snap->work);
	if (snap->loading &&
	    atomic_load(&snap->reset) == snap->staged.pos.index) {
		loaded(snap);
	}
}

void snap_turn(struct node *n)
{
	if (n->snap == NULL) {
		return;
	}
	snap_send_turn(n->snap);
	snap_receive_turn(n->snap);
	let_go(n->snap);
}

void snap_sweep(struct node *n)
{
	if (n->snap != NULL) {
		snap_send_sweep(n->snap);
		snap_receive_sweep(n->snap);
	}
}

void snap_status(const struct node *n, struct node_snapshots *out)
{
	*out = (struct node_snapshots){0};
	if (n->snap != NULL) {
		*out = n->snap->counts;
	}
}
