/* SPDX-License-Identifier: Apache-2.0 */
/* life.c - a node from its start to its end.
 *
 *   DOWN -start-> STARTING -kv_open()-> UP -stop-> STOPPING -> DOWN
 *     ^               |                 |  \-pause-> PAUSED -> UP
 *     '---------------'-----------------'   (ends anywhere)
 *
 * Whoever asks for the end of a life that is not its own gets it at once; one
 * of its own tasks stops running, and the scheduler buries it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "fs/tree/tree.h"
#include "raft/node/wire.h"
#include "tests/sim/atlas.h"

static struct {
	bool is_dying;
	enum sim_death death;
	char line[256];
	struct sim_wait stop; /* its main task waits here */
	bool stops;
	bool turned_away;
	struct kv_machine tree;
	struct raft *core;
	raft_index settled; /* of the configuration known to be committed */
} lives[SIM_NODES_MAX];

static const struct sim_oracle *oracle(void)
{
	static const struct sim_oracle none;

	return sim.options.oracle != NULL ? sim.options.oracle : &none;
}

bool life_is(int node, unsigned life)
{
	return sim.hosts[node].life == life &&
	       sim.hosts[node].state != SIM_DOWN &&
	       sim.hosts[node].state != SIM_REFUSED;
}

void life_reset(void)
{
	memset(lives, 0, sizeof lives);
}

/* --- The machine, seen by the oracle ----------------------------------------
 */

static int on_apply(void *context, struct kv_batch *b, const struct kv_at *at,
		    struct bytes operation, struct buffer *result)
{
	int node = (int)((struct host *)context - sim.hosts);
	struct kv_machine *tree = &lives[node].tree;
	int rc = tree->apply(tree->context, b, at, operation, result);
	int was = sim_enter(SIM_WORLD);

	sim_trace(at->index ^ (uint64_t)node << 48);
	if (at->index > sim.commits) {
		sim.commits = at->index;
		sim_count(SIM_COMMITS);
	}
	if (rc == 0 && oracle()->applied != NULL) {
		oracle()->applied(node, at, operation, buffer_bytes(result));
	}
	sim_leave(was);
	task_point();
	return rc;
}

static bool on_adds(void *context, struct bytes operation)
{
	int node = (int)((struct host *)context - sim.hosts);
	struct kv_machine *tree = &lives[node].tree;

	return tree->adds != NULL && tree->adds(tree->context, operation);
}

static void on_birth(void *context, struct buffer *operation)
{
	int node = (int)((struct host *)context - sim.hosts);

	lives[node].tree.birth(lives[node].tree.context, operation);
}

static void on_tidy(void *context, const struct kv_tidy *t)
{
	int node = (int)((struct host *)context - sim.hosts);

	lives[node].tree.tidy(lives[node].tree.context, t);
}

/* --- The core, seen by the oracle -------------------------------------------
 */

struct raft *__real_raft_init(void *memory, const struct raft_config *config,
			      const struct raft_boot *boot);
struct raft *__wrap_raft_init(void *memory, const struct raft_config *config,
			      const struct raft_boot *boot);
int __real_raft_step(struct raft *r, const struct raft_event *ev,
		     struct raft_out *out);
int __wrap_raft_step(struct raft *r, const struct raft_event *ev,
		     struct raft_out *out);

/* One that starts as if nothing was is not damaged any more: what had rotted
 * was not in use, or the log has come past it. */
static void look_at_damage(struct host *h, const struct raft_boot *boot)
{
	h->repairs = boot->repair != 0;
	h->owes = boot->applied < boot->commit ? boot->commit : 0;
	h->is_mending = h->repairs;
	if (h->is_mending) {
		h->is_damaged = true;
	} else if (h->life > h->rot_life) {
		h->is_damaged = false;
	}
}

static void look_at_repair(int node, const struct raft *r)
{
	struct host *h = &sim.hosts[node];
	struct raft_status status;

	if (!h->is_mending || !disk_is_repaired(node)) {
		return;
	}
	raft_status(r, &status);
	if (!status.repairing) {
		h->is_mending = h->is_damaged = false;
		sim_count(SIM_REPAIRS);
		say(SIM_EV_LIFE, node, "is repaired");
	}
}

struct raft *__wrap_raft_init(void *memory, const struct raft_config *config,
			      const struct raft_boot *boot)
{
	int node = task_current()->node;
	struct raft *r = __real_raft_init(memory, config, boot);
	int was = sim_enter(SIM_WORLD);

	lives[node].core = r;
	lives[node].settled = 0;
	sim.hosts[node].id = config->self;
	sim.hosts[node].is_founded = true;
	look_at_damage(&sim.hosts[node], boot);
	atlas_saw(r);
	if (oracle()->booted != NULL) {
		oracle()->booted(node, r, boot);
	}
	sim_leave(was);
	return r;
}

/* A core that is gone can not be asked whether what it led to was committed. */
static void look_at_members(int node)
{
	struct raft_status status;

	raft_status(lives[node].core, &status);
	if (status.members_committed &&
	    status.members_index != lives[node].settled) {
		lives[node].settled = status.members_index;
		atlas_saw(lives[node].core);
	}
}

static void look_at_acts(int node, const struct raft_out *out)
{
	for (size_t i = 0; i < out->count; i++) {
		const struct raft_act *act = &out->acts[i];

		sim_trace((uint64_t)act->kind << 56 ^ act->after);
		if (act->kind == RAFT_DO_MEMBERS) {
			atlas_saw(lives[node].core);
		}
		if (act->kind == RAFT_DO_ROLE) {
			sim_trace(act->role.term << 8 ^ act->role.role);
			if (act->role.role == RAFT_LEADER) {
				sim_count(SIM_ELECTIONS);
			}
		}
	}
	sim_trace((uint64_t)node);
}

int __wrap_raft_step(struct raft *r, const struct raft_event *ev,
		     struct raft_out *out)
{
	int node = task_current()->node;
	int rc, was;

	task_point();
	rc = __real_raft_step(r, ev, out);
	was = sim_enter(SIM_WORLD);
	if (ev->kind == RAFT_EV_SNAP_LOADED) {
		sim_count(SIM_INSTALLS);
	}
	look_at_acts(node, out);
	look_at_repair(node, r);
	look_at_members(node);
	if (oracle()->stepped != NULL) {
		oracle()->stepped(node, r, ev, rc, out);
	}
	sim_leave(was);
	return rc;
}

void __real_wire_encode_core(struct buffer *out, const struct raft_msg *msg,
			     struct entry *const *entries, size_t count);
void __wrap_wire_encode_core(struct buffer *out, const struct raft_msg *msg,
			     struct entry *const *entries, size_t count);

void __wrap_wire_encode_core(struct buffer *out, const struct raft_msg *msg,
			     struct entry *const *entries, size_t count)
{
	int was;

	__real_wire_encode_core(out, msg, entries, count);
	was = sim_enter(SIM_WORLD);
	if (oracle()->sent != NULL) {
		oracle()->sent(task_current()->node, msg);
	}
	sim_leave(was);
}

/* --- Start ------------------------------------------------------------------
 */

static void on_failed(void *context, const char *line)
{
	struct host *h = context;
	int node = (int)(h - sim.hosts);
	int was = sim_enter(SIM_WORLD);

	if (!h->may_end && !h->may_leave) {
		sim_fail("%s gave up: %s", h->name, line);
	}
	(void)snprintf(lives[node].line, sizeof lives[node].line, "%s", line);
	lives[node].turned_away = true;
	sim_wake(&lives[node].stop);
	sim_leave(was);
}

/* Whom a newcomer calls. */
static int someone(int node)
{
	int first = (int)sim_below(&sim.fault, sim_nodes());

	for (int i = 0; i < (int)sim_nodes(); i++) {
		int at = (first + i) % (int)sim_nodes();

		if (at != node && sim.hosts[at].in_use) {
			return at;
		}
	}
	return node;
}

static int open_kv(int node, struct buffer *problem)
{
	struct host *h = &sim.hosts[node];
	struct kv_peer peers[SIM_NODES_MAX];
	struct kv_machine machine = {h, on_apply, on_adds, on_birth, on_tidy};
	const struct sim_plan *p = &sim.plan;
	struct node_config tuning = {
		.heartbeat_ms = p->heartbeat_ms,
		.election_ms = p->election_ms,
		.disk_stall_ms = p->disk_stall_ms,
		.segment_bytes = p->segment_bytes,
		.message_bytes = p->message_bytes,
		.cut_tail_entries = p->cut_tail_entries,
		.log_bytes = p->log_bytes,
	};
	struct kv_below below = {
		.store_open = state_open,
		.store_peek = state_peek,
		.context = h,
		.node = &tuning,
		.flush_entries = p->flush_entries,
		.flush_ms = p->flush_ms,
	};
	struct kv_config config = {
		.name = h->name,
		.data = h->folder,
		.peers = peers,
		.peer_count = h->joins ? 0 : p->nodes,
		.join = h->joins ? sim.hosts[someone(node)].address : NULL,
		.timeout_ms = p->timeout_ms,
		.session_ms = p->session_ms,
		.machine = &machine,
		.failed = on_failed,
		.context = h,
	};
	struct kv *kv;
	int rc;

	for (unsigned i = 0; i < p->nodes; i++) {
		peers[i].name = sim.hosts[i].name;
		peers[i].address = sim.hosts[i].address;
	}
	fs_machine(0, 0, &lives[node].tree);
	rc = kv_open_on(&config, &below, &kv, problem);
	h->kv = rc == 0 ? kv : NULL;
	return rc;
}

static void not_started(int node, const char *line)
{
	struct host *h = &sim.hosts[node];

	/* It was no member yet; or a promise was cut short before the rot. */
	if (h->is_damaged &&
	    (h->id == 0 || strstr(line, "must be replaced") != NULL)) {
		h->is_refused = true;
	} else if (!h->may_end && h->foreign == 0) {
		sim_fail("%s does not start: %s", h->name, line);
	}
	life_end(node, SIM_NOT_STARTED, line);
}

/* Until nobody is within a call of kv's. */
static void await_idle(int node)
{
	bool busy = true;

	while (busy) {
		int was = sim_enter(SIM_WORLD);

		busy = sim.hosts[node].calls > 0 ||
		       (oracle()->busy != NULL && oracle()->busy(node));
		sim_leave(was);
		if (busy) {
			sim_sleep(SIM_MS);
		}
	}
}

static void main_task(void *context)
{
	struct host *h = context;
	int node = (int)(h - sim.hosts);
	struct buffer problem = {0};
	struct kv *kv;

	if (open_kv(node, &problem) != 0) {
		not_started(node, buffer_text(&problem));
	}
	h->state = SIM_UP;
	(void)sim_enter(SIM_WORLD);
	say(SIM_EV_LIFE, node, "is up, start %u", h->life);
	if (oracle()->up != NULL) {
		oracle()->up(node);
	}
	sim_leave(node);
	while (!lives[node].stops && !lives[node].turned_away) {
		(void)task_wait(&lives[node].stop, UINT64_MAX);
	}
	h->state = SIM_STOPPING;
	await_idle(node);
	kv = h->kv;
	h->kv = NULL;
	kv_close(kv);
	if (lives[node].turned_away) {
		life_end(node, SIM_TURNED_AWAY, lives[node].line);
	}
	life_end(node, SIM_STOPPED, "");
}

void life_start(int node)
{
	struct host *h = &sim.hosts[node];

	CHECK(h->state == SIM_DOWN && !lives[node].is_dying);
	h->life++;
	h->state = SIM_STARTING;
	h->back_at = 0;
	h->on = true;
	h->points = 0;
	h->calls = 0;
	h->last_words[0] = 0;
	lives[node].stop = (struct sim_wait){0};
	lives[node].stops = lives[node].turned_away = false;
	if (h->life > 1) {
		sim_count(SIM_RESTARTS);
	}
	say(SIM_EV_LIFE, node, "starts");
	(void)task_new(node, "main", main_task, h);
}

void life_stop(int node)
{
	lives[node].stops = true;
	sim_wake(&lives[node].stop);
}

/* --- End --------------------------------------------------------------------
 */

static const char *death_text(enum sim_death death)
{
	switch (death) {
	case SIM_KILLED:
		return "is killed";
	case SIM_POWER_CUT:
		return "loses its power";
	case SIM_STOPPED:
		return "has stopped";
	case SIM_FATAL:
		return "ends itself";
	case SIM_NOT_STARTED:
		return "does not start";
	case SIM_TURNED_AWAY:
		return "gives up";
	}
	return "";
}

static void bury(int node, enum sim_death death, const char *line)
{
	struct host *h = &sim.hosts[node];
	bool silent = death == SIM_POWER_CUT || h->lost_pages;

	task_kill_all(node);
	h->state = SIM_DOWN;
	h->kv = NULL;
	h->is_held = false;
	h->doom = 0;
	lives[node].core = NULL;
	lives[node].is_dying = false;
	net_life_over(node, silent);
	disk_life_over(node);
	state_life_over(node);
	arena_reset(node);
	if (silent) {
		h->on = false;
		disk_power_cut(node);
		h->lost_pages = false;
		clock_begin(node);
	}
	say(SIM_EV_LIFE, node, "%s%s%s", death_text(death),
	    line[0] != 0 ? ": " : "", line);
	if (oracle()->died != NULL) {
		oracle()->died(node, death, line);
	}
	fault_died(node, death);
}

void life_end(int node, enum sim_death death, const char *line)
{
	struct sim_task *t = task_current();

	if (sim.hosts[node].state == SIM_DOWN) {
		return;
	}
	if (t == NULL || t->node != node) {
		bury(node, death, line);
		return;
	}
	lives[node].is_dying = true;
	lives[node].death = death;
	(void)snprintf(lives[node].line, sizeof lives[node].line, "%.250s",
		       line);
	sim.who = SIM_WORLD;
	task_abandon();
}

void life_bury(void)
{
	for (int i = 0; i < (int)sim_nodes(); i++) {
		if (lives[i].is_dying) {
			bury(i, lives[i].death, lives[i].line);
		}
	}
}

/* A full disk ends no member; who is none yet is told, and tries again. */
static bool may_lack_room(const struct host *h)
{
	return h->id == 0 && h->foreign > 0;
}

NORETURN void life_fatal(const char *line)
{
	int node = task_current()->node;
	struct host *h = &sim.hosts[node];

	if (!h->may_end && !h->is_damaged && !may_lack_room(h)) {
		sim_fail("%s ends itself: %s", h->name, line);
	}
	life_end(node, SIM_FATAL, line);
	task_abandon();
}

/* --- Looking ----------------------------------------------------------------
 */

enum sim_state sim_state(int node)
{
	return sim.hosts[node].state == SIM_UP && sim.hosts[node].is_held
		       ? SIM_PAUSED
		       : sim.hosts[node].state;
}

unsigned sim_life(int node)
{
	return sim.hosts[node].life;
}

unsigned sim_nodes(void)
{
	return sim.plan.nodes + sim.plan.spares;
}

const char *sim_name(int node)
{
	return sim.hosts[node].name;
}

struct kv *sim_kv(int node)
{
	const struct host *h = &sim.hosts[node];

	return h->state == SIM_UP || h->state == SIM_STOPPING ? h->kv : NULL;
}

const struct raft *sim_core(int node)
{
	/* A stop frees it at some time. */
	return sim.hosts[node].state != SIM_STOPPING ? lives[node].core : NULL;
}

bool sim_is_unproven(int node)
{
	const struct host *h = &sim.hosts[node];
	struct raft_status status;

	if (h->repairs || h->owes == 0 || lives[node].core == NULL) {
		return h->repairs;
	}
	raft_status(lives[node].core, &status);
	return status.applied < h->owes;
}

raft_id sim_id(int node)
{
	return sim.hosts[node].id;
}
