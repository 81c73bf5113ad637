/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/proof.h"

#include <errno.h>
#include <string.h>

#include "kv/record.h"
#include "tests/sim/agree.h"
#include "tests/sim/law.h"
#include "tests/sim/load.h"

enum { PROOFS = 2 }; /* of each kind, of each node */

/* What a node has shown in the calm, in this life. */
struct proof {
	unsigned changes, strict, fresh;
	raft_index audited;
};

static struct {
	struct proof of[SIM_NODES_MAX];
	uint64_t audits;
} proofs;

void proof_begin(void)
{
	memset(&proofs, 0, sizeof proofs);
}

void proof_died(int node)
{
	proofs.of[node] = (struct proof){0};
}

uint64_t proof_audits(void)
{
	return proofs.audits;
}

/* --- P1 ---------------------------------------------------------------------
 */

static bool is_served(int node)
{
	const struct proof *p = &proofs.of[node];

	return p->changes >= PROOFS && p->strict >= PROOFS &&
	       p->fresh >= PROOFS;
}

bool proof_is_given(void)
{
	for (int n = 0; n < (int)sim_nodes(); n++) {
		if (sim_healed(n) && !is_served(n)) {
			return false;
		}
	}
	return true;
}

static void be_served(struct client *c)
{
	struct proof *p = &proofs.of[c->node];
	struct deed what = {.object = load_home(), .kind = LINEAR_READ};

	if (p->changes < PROOFS) {
		what.kind = LINEAR_SET;
		p->changes += client_change(c, what);
	} else if (p->strict < PROOFS) {
		what.reads = KV_READS_STRICT;
		p->strict += client_read(c, what);
	} else {
		what.reads = KV_READS_FRESH;
		p->fresh += client_read(c, what);
	}
}

/* --- P2, P3 -----------------------------------------------------------------
 */

/* H5, of one name. */
static void audit_name(int node, unsigned object, unsigned cell,
		       struct kv_reader *r)
{
	const char *name = history_object_of(object)->name[cell];
	struct buffer expected = {0};
	struct buffer found = {0};
	bool exists = history_expected(object, cell, &expected);
	int rc = client_look(r, name, &found);

	if ((exists && rc != 0) || (!exists && rc != -ENOENT) ||
	    (exists &&
	     !bytes_equal(buffer_bytes(&expected), buffer_bytes(&found)))) {
		sim_fail("H5 %s: %s is not what the acknowledged changes "
			 "made of it",
			 sim_name(node), name);
	}
	buffer_deinit(&expected);
	buffer_deinit(&found);
}

static void audit_view(int node, struct kv_reader *r)
{
	bool compared;

	for (unsigned o = 0; o < history_objects(); o++) {
		for (unsigned i = 0; i < history_object_of(o)->cells; i++) {
			audit_name(node, o, i, r);
		}
	}
	proofs.of[node].audited = agree_whole(node, r, &compared);
	proofs.audits++;
}

/* Only where all is applied that is applied anywhere can be known what should
 * be there; and not again what was seen already. */
static void audit(struct client *c)
{
	struct applied applied;
	struct kv_view *view;
	int was;

	if (!client_enter(c)) {
		return;
	}
	view = kv_view_open(sim_kv(c->node));
	was = sim_enter(SIM_WORLD);
	if (applied_load(&view->reader, &applied) == 0 &&
	    applied.index > proofs.of[c->node].audited &&
	    applied.index >= agree_last()) {
		audit_view(c->node, &view->reader);
	}
	sim_leave(was);
	kv_view_close(sim_kv(c->node), view);
	client_leave(c);
}

void proof_step(struct client *c)
{
	if (!is_served(c->node)) {
		be_served(c);
	} else if (proof_is_given() && load_rests()) {
		audit(c);
	}
}

/* --- All of it --------------------------------------------------------------
 */

static bool is_settled(int node, struct buffer *problem)
{
	const struct raft_status *s = law_status(node);
	const struct proof *p = &proofs.of[node];

	if (sim_state(node) != SIM_UP || s == NULL) {
		buffer_printf(problem, "%s is not up", sim_name(node));
	} else if (!is_served(node)) {
		buffer_printf(problem,
			      "%s is not served: %u changes, %u strict reads, "
			      "%u fresh ones (term %lu, commit %lu of %lu)",
			      sim_name(node), p->changes, p->strict, p->fresh,
			      (unsigned long)s->term, (unsigned long)s->commit,
			      (unsigned long)s->last);
	} else if (s->commit != law_committed() || s->last != s->commit) {
		buffer_printf(problem, "%s has committed %lu of %lu, %lu is",
			      sim_name(node), (unsigned long)s->commit,
			      (unsigned long)s->last,
			      (unsigned long)law_committed());
	} else if (p->audited != s->commit) {
		buffer_printf(problem, "%s was audited at %lu of %lu",
			      sim_name(node), (unsigned long)p->audited,
			      (unsigned long)s->commit);
	} else {
		return true;
	}
	return false;
}

bool proof_is_whole(struct buffer *problem)
{
	for (int n = 0; n < (int)sim_nodes(); n++) {
		if (sim_healed(n) && !is_settled(n, problem)) {
			return false;
		}
	}
	if (!load_rests()) {
		buffer_printf(problem, "a change is not answered");
		return false;
	}
	return true;
}
