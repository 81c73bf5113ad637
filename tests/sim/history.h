/* SPDX-License-Identifier: Apache-2.0 */
/* history.h - what clients did, what they were told, and whether it is true.
 *
 * A deed is one operation of one client, from its call to its end; changes
 * carry their number within the operation, so that it is known again where it
 * is applied. Deeds are about objects: a few names in the root that files move
 * between, mostly one.
 *
 *   H1  the deeds on an object are linearizable (linear.h): the changes, and
 *       the reads that were strict, or fresh and did not fall back
 *   H2  such a read shows at least all that was told to any client before it
 *       was called: it looks at no older index
 *   H3  no read of a node looks at an older index than one before it on the
 *       same node, nor than a change that this node has answered; only a
 *       power cut or the loss of a disk may take that back
 *   H4  a change is applied at one index at most; told done: at one; told
 *       refused: at none
 *   H5  at the end every node that was healed holds exactly what the applied
 *       changes make: nothing acknowledged is lost
 *
 * All memory is the world's. Broken promises end the run (sim_fail). */
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H

#include "tests/sim/linear.h"
#include "tests/sim/sim.h"

enum {
	HISTORY_OBJECTS_MAX = 16,
	HISTORY_NAME_BYTES = 16,
};

/* r: may be removed; j: only grows; m: three names between which files move. */
enum object_kind { OBJECT_REGISTER, OBJECT_JOURNAL, OBJECT_MOVES };

struct object {
	enum object_kind kind;
	unsigned cells;
	char name[LINEAR_CELLS][HISTORY_NAME_BYTES];
};

enum deed_end {
	DEED_OPEN,    /* not answered yet */
	DEED_DONE,    /* read: saw the text; change: took effect */
	DEED_MISSING, /* ENOENT */
	DEED_EXISTS,  /* EEXIST */
	DEED_VOID,    /* says nothing: an append to what has no name any more */
	DEED_REFUSED, /* certainly never applied; a read: not answered */
	DEED_UNKNOWN, /* a change that may have been or be applied, or not */
};

struct deed {
	uint64_t number; /* 1 ... */
	enum linear_kind kind;
	unsigned object, cell, to;
	struct bytes text; /* lines written or read */
	enum kv_reads reads;

	int node;
	unsigned client;
	uint64_t call_ns, end_ns;
	uint64_t call, end; /* places in the order of all calls and ends */
	enum deed_end how;
	bool fell_back;

	raft_index floor; /* told to clients before the call */
	raft_index shown; /* by the node before the call */
	raft_index index; /* read: looked at; change: applied at, 0: not */
	bool result_ok;	  /* change: applied without an error */
	uint64_t result;  /* and this told (hash) */
};

void history_begin(void);
unsigned history_object(enum object_kind kind); /* make one; its number */
unsigned history_objects(void);
const struct object *history_object_of(unsigned object);

/* A client calls: `what` is copied, its text too. The number is given. */
struct deed *history_call(const struct deed *what);
/* A change was answered; result: of the machine, when applied. */
void history_changed(struct deed *d, enum deed_end how, struct bytes result);
/* A read looked at the state of index, or was refused. text is copied. */
void history_read(struct deed *d, enum deed_end how, bool fell_back,
		  raft_index index, struct bytes text);

/* An operation with this number (0: none) was applied; ok: no error. */
void history_applied(uint64_t number, raft_index index, bool ok,
		     struct bytes result);
/* What a node had shown may be gone, but for what it had applied up to kept. */
void history_node_lost(int node, raft_index kept);
/* A deed of a node that ended: nobody will answer. */
void history_abandoned(struct deed *d);

/* What applied changes make of a name; false: absent. For H5. */
bool history_expected(unsigned object, unsigned cell, struct buffer *text);
/* H1, of all objects; *undecided: how many could not be judged. */
void history_judge(unsigned *judged, unsigned *undecided);

/* "append r1 'n2.7'", for people. */
void history_text(const struct deed *d, struct buffer *out);
const char *history_end_text(enum deed_end how);

#endif
