/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "fs/tree/tree.h"
#include "kv/record.h"

enum {
	GRACE_MS = 2500,   /* beyond a deadline (C1) */
	BARRIER_MS = 1000, /* a barrier's longest */
};

static struct {
	unsigned inside[SIM_NODES_MAX];
	uint64_t lines;
	uint64_t counts[CLIENT_COUNTS];
} clients;

void client_begin(void)
{
	memset(&clients, 0, sizeof clients);
}

static void count(enum client_count c)
{
	clients.counts[c]++;
}

uint64_t client_counted(enum client_count c)
{
	return clients.counts[c];
}

/* --- Calling ----------------------------------------------------------------
 */

bool client_enter(struct client *c)
{
	if (sim_state(c->node) != SIM_UP) {
		return false;
	}
	clients.inside[c->node]++;
	return true;
}

void client_leave(struct client *c)
{
	clients.inside[c->node]--;
}

bool client_busy(int node)
{
	return clients.inside[node] > 0;
}

/* Wait for the answer; C1. */
static void wait_answer(struct client *c, uint64_t due_ms)
{
	uint64_t last_ms = kv_now_ms();

	while (!c->answered) {
		uint64_t now_ms;

		sim_wait(&c->wait, 100 * SIM_MS);
		now_ms = kv_now_ms();
		if (now_ms > due_ms &&
		    (now_ms - last_ms > 500 ||
		     sim_stalled_until(c->node) > sim_now())) {
			due_ms = now_ms; /* it was paused meanwhile, or waits */
		}
		last_ms = now_ms;
		if (!c->answered && now_ms > due_ms + GRACE_MS) {
			sim_fail("C1 client %u of %s is not answered",
				 c->slot + 1, sim_name(c->node));
		}
	}
}

static void note(const struct deed *d)
{
	struct buffer text = {0};

	history_text(d, &text);
	sim_note(d->node, "%lu %s: %s%s, %lu.%lu ms", (unsigned long)d->number,
		 buffer_text(&text), history_end_text(d->how),
		 d->fell_back ? ", fell back" : "",
		 (unsigned long)((d->end_ns - d->call_ns) / SIM_MS),
		 (unsigned long)((d->end_ns - d->call_ns) % SIM_MS / 100000));
	buffer_deinit(&text);
}

static struct deed *call(struct client *c, struct deed what)
{
	int was = sim_enter(SIM_WORLD);
	struct deed *d;

	what.node = c->node;
	what.client = c->slot;
	d = history_call(&what);
	sim_count(SIM_OPERATIONS);
	sim_leave(was);
	return d;
}

/* --- Reading ----------------------------------------------------------------
 */

static void on_ready(void *context, int status, bool fell_back)
{
	struct client *c = context;

	c->answered = true;
	c->status = status;
	c->fell_back = fell_back;
	sim_wake(&c->wait);
}

/* Entered; leaves. */
static void barrier(struct client *c, enum kv_reads reads)
{
	struct kv *kv = sim_kv(c->node);
	uint64_t id;

	c->answered = false;
	id = kv_barrier(kv, reads, on_ready, c);
	client_leave(c);
	if (id != 0 && sim_chance(&c->random, c->habits->signal)) {
		sim_wait(&c->wait, sim_below(&c->random, 500 * SIM_MS));
		if (!c->answered && client_enter(c)) {
			count(CLIENT_INTERRUPTS);
			kv_barrier_interrupt(kv, id);
			client_leave(c);
		}
	}
	wait_answer(c, kv_now_ms() + BARRIER_MS + sim_plan()->timeout_ms);
}

int client_look(struct kv_reader *r, const char *name, struct buffer *text)
{
	char path[HISTORY_NAME_BYTES + 2];
	struct fs_attr attr;
	int rc;

	snprintf(path, sizeof path, "/%s", name);
	rc = fs_resolve(r, path, &attr);
	if (rc == 0) {
		rc = fs_read(r, attr.ino, 0, attr.size, text, NULL);
	}
	return rc == -ESTALE ? -ENOENT : rc;
}

static void finish_read(struct client *c, struct deed *d, int rc,
			raft_index index, struct bytes text)
{
	int was = sim_enter(SIM_WORLD);
	enum deed_end how = DEED_DONE;

	if (rc == -ENOENT) {
		how = DEED_MISSING;
	} else if (rc != 0) {
		how = DEED_REFUSED;
	}
	if (rc != 0 && rc != -ENOENT && rc != -EINTR && rc != -EAGAIN) {
		sim_fail("C1 client %u of %s gets error %d reading",
			 c->slot + 1, sim_name(c->node), -rc);
	}
	history_read(d, how, c->fell_back, index, text);
	sim_count(SIM_READS);
	if (how == DEED_REFUSED) {
		count(CLIENT_READS_REFUSED);
	} else if (c->fell_back) {
		count(CLIENT_FELL_BACK);
		sim_count(SIM_FALLBACKS);
	} else {
		count(d->reads == KV_READS_STRICT  ? CLIENT_STRICT
		      : d->reads == KV_READS_FRESH ? CLIENT_FRESH
						   : CLIENT_LOCAL);
	}
	note(d);
	sim_leave(was);
}

/* -EAGAIN: no quorum, or it is stopping; -EINTR. */
static int errno_of_barrier(const struct client *c, enum kv_reads reads,
			    bool unproven)
{
	switch (c->status) {
	case 0:
		return 0;
	case STATUS_INTERRUPTED:
		return -EINTR;
	case STATUS_ENDED:
		return -EAGAIN;
	case STATUS_NO_QUORUM:
		return reads == KV_READS_STRICT || unproven ? -EAGAIN : -EIO;
	default:
		return -EIO;
	}
}

bool client_read(struct client *c, struct deed what)
{
	const struct object *o = history_object_of(what.object);
	struct buffer text = {0};
	struct applied applied = {0};
	struct kv_view *view;
	struct deed *d;
	bool unproven;
	int rc;

	if (!client_enter(c)) {
		return false;
	}
	d = call(c, what);
	unproven = sim_is_unproven(c->node);
	barrier(c, what.reads);
	rc = errno_of_barrier(c, what.reads, unproven);
	if (rc == 0 && !client_enter(c)) {
		rc = -EAGAIN;
	}
	if (rc == 0) {
		view = kv_view_open(sim_kv(c->node));
		rc = applied_load(&view->reader, &applied) != 0
			     ? -EIO
			     : client_look(&view->reader, o->name[what.cell],
					   &text);
		kv_view_close(sim_kv(c->node), view);
		client_leave(c);
	}
	finish_read(c, d, rc, applied.index, buffer_bytes(&text));
	buffer_deinit(&text);
	return (rc == 0 || rc == -ENOENT) && !c->fell_back;
}

/* --- Changing ---------------------------------------------------------------
 */

/* What frees is never refused, nor anything before a disk was full. */
static void check_no_space(const struct client *c, enum linear_kind kind)
{
	bool adds = kind == LINEAR_SET || kind == LINEAR_APPEND ||
		    kind == LINEAR_CREATE;

	if (!adds || sim_counted(SIM_FULLS) == 0) {
		sim_fail("C1 client %u of %s: there is no space for what %s",
			 c->slot + 1, sim_name(c->node),
			 adds ? "finds disks that never were full" : "frees");
	}
}

static enum deed_end end_of(struct client *c, const struct fs_result *result,
			    enum linear_kind kind)
{
	switch (c->status) {
	case 0:
		break;
	case STATUS_NO_SPACE:
		check_no_space(c, kind);
		return DEED_REFUSED;
	case STATUS_TIMED_OUT:
	case STATUS_ENDED:
	case STATUS_FULL:
		return DEED_REFUSED;
	case STATUS_INTERRUPTED:
		return c->in_interrupt ? DEED_REFUSED : DEED_UNKNOWN;
	case STATUS_UNKNOWN:
		return DEED_UNKNOWN;
	default:
		sim_fail("C1 client %u of %s: a change ends with '%s'",
			 c->slot + 1, sim_name(c->node),
			 status_text(c->status));
		return DEED_UNKNOWN;
	}
	switch (result->error) {
	case 0:
		return kind == LINEAR_APPEND && result->attr.nlink == 0
			       ? DEED_VOID
			       : DEED_DONE;
	case ENOENT:
		return DEED_MISSING;
	case EEXIST:
		return DEED_EXISTS;
	case ESTALE:
		return DEED_VOID;
	default:
		sim_fail("C1 client %u of %s: a change ends with error %d",
			 c->slot + 1, sim_name(c->node), result->error);
		return DEED_VOID;
	}
}

static void on_done(void *context, int status, struct bytes result)
{
	struct client *c = context;
	int was = sim_enter(SIM_WORLD);
	struct deed *d = c->deed;
	struct fs_result decoded = {0};
	enum deed_end how;

	c->answered = true;
	c->status = status;
	c->deed = NULL;
	if (status == 0 && fs_result_decode(result, &decoded) != 0) {
		sim_fail("C1 %s: a result is malformed", sim_name(c->node));
	}
	how = end_of(c, &decoded, d->kind);
	history_changed(d, how, result);
	if (how == DEED_UNKNOWN) {
		count(CLIENT_CHANGES_UNKNOWN);
		sim_count(SIM_UNKNOWN);
	} else if (how == DEED_REFUSED) {
		count(CLIENT_CHANGES_REFUSED);
	} else {
		count(CLIENT_CHANGES);
		sim_count(SIM_DONE);
	}
	note(d);
	sim_leave(was);
	sim_wake(&c->wait);
}

/* Propose, leave and wait; true: acknowledged. op names what is changed. */
static bool propose(struct client *c, struct deed what, struct fs_op *op)
{
	uint64_t patience_ms = sim_plan()->timeout_ms;
	struct buffer encoded = {0};
	uint64_t due_ms;
	uint64_t id;
	struct deed *d;

	if (sim_chance(&c->random, c->habits->impatient)) {
		patience_ms = sim_below(&c->random, patience_ms);
	}
	d = call(c, what);
	op->mtime_ns = (int64_t)d->number;
	op->data = d->text;
	fs_op_encode(op, &encoded);
	c->answered = false;
	c->deed = d;
	due_ms = kv_now_ms() + patience_ms;
	id = kv_propose(sim_kv(c->node), buffer_bytes(&encoded), due_ms,
			on_done, c);
	buffer_deinit(&encoded);
	client_leave(c);
	if (!c->answered && sim_chance(&c->random, c->habits->signal)) {
		sim_wait(&c->wait, sim_below(&c->random, SIM_S));
		if (!c->answered && client_enter(c)) {
			count(CLIENT_INTERRUPTS);
			c->in_interrupt = true;
			kv_interrupt(sim_kv(c->node), id);
			c->in_interrupt = false;
			client_leave(c);
		}
	}
	wait_answer(c, due_ms);
	return d->how == DEED_DONE;
}

/* A line that nobody else writes, now and then a long one. */
static struct bytes draw_text(struct client *c, struct buffer *text)
{
	size_t size = 0;

	buffer_printf(text, "%s.%lu", sim_name(c->node),
		      (unsigned long)++clients.lines);
	if (sim_chance(&c->random, c->habits->large)) {
		size = sim_below(&c->random,
				 sim_plan()->entry_bytes_max - 1024);
		buffer_append(text, " ", 1);
		memset(buffer_reserve(text, size), 'x', size);
		buffer_grow(text, size);
	}
	buffer_append(text, "\n", 1);
	return buffer_bytes(text);
}

/* Look the file up as this node sees it, then append. */
static bool append(struct client *c, struct deed what)
{
	const struct object *o = history_object_of(what.object);
	struct fs_op op = {.kind = FS_OP_WRITE, .flags = FS_APPEND};
	char path[HISTORY_NAME_BYTES + 2];
	struct buffer text = {0};
	struct fs_attr attr;
	bool done;

	if (!client_enter(c)) {
		return false;
	}
	snprintf(path, sizeof path, "/%s", o->name[what.cell]);
	if (fs_resolve(kv_newest(sim_kv(c->node)), path, &attr) != 0) {
		client_leave(c);
		return false;
	}
	op.ino = attr.ino;
	what.text = draw_text(c, &text);
	done = propose(c, what, &op);
	buffer_deinit(&text);
	return done;
}

static bool change_name(struct client *c, struct deed what)
{
	static const struct {
		enum fs_op_kind kind;
		uint32_t flags;
	} kinds[] = {
		[LINEAR_SET] = {FS_OP_SET, 0},
		[LINEAR_CREATE] = {FS_OP_CREATE, FS_EXCL},
		[LINEAR_REMOVE] = {FS_OP_UNLINK, 0},
		[LINEAR_RENAME] = {FS_OP_RENAME, 0},
		[LINEAR_RENAME_NEW] = {FS_OP_RENAME, FS_NOREPLACE},
		[LINEAR_EXCHANGE] = {FS_OP_RENAME, FS_EXCHANGE},
	};
	const struct object *o = history_object_of(what.object);
	struct fs_op op = {.kind = kinds[what.kind].kind,
			   .flags = kinds[what.kind].flags,
			   .dir = FS_ROOT,
			   .name = bytes_of_text(o->name[what.cell])};
	struct buffer text = {0};
	bool done = false;

	if (op.kind == FS_OP_RENAME) {
		op.new_dir = FS_ROOT;
		op.new_name = bytes_of_text(o->name[what.to]);
	}
	if (what.kind == LINEAR_SET || what.kind == LINEAR_CREATE) {
		op.mode = 0644;
	}
	if (what.kind == LINEAR_SET) {
		what.text = draw_text(c, &text);
	}
	if (client_enter(c)) {
		done = propose(c, what, &op);
	}
	buffer_deinit(&text);
	return done;
}

bool client_change(struct client *c, struct deed what)
{
	return what.kind == LINEAR_APPEND ? append(c, what)
					  : change_name(c, what);
}

/* --- Ends -------------------------------------------------------------------
 */

void client_died(int node)
{
	clients.inside[node] = 0;
}

void client_gone(struct client *c)
{
	if (c->deed != NULL) {
		count(CLIENT_CHANGES_UNKNOWN);
		sim_count(SIM_UNKNOWN);
		history_abandoned(c->deed);
		c->deed = NULL;
	}
}
