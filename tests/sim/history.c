/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/mem.h"

static struct {
	struct object object[HISTORY_OBJECTS_MAX];
	unsigned object_count;
	struct deed **deeds; /* by number - 1 */
	size_t count;
	size_t capacity;
	uint64_t moments;
	raft_index told; /* the highest index any client was told of */
	raft_index shown[SIM_NODES_MAX];
} history;

void history_begin(void)
{
	memset(&history, 0, sizeof history);
}

/* --- Objects ----------------------------------------------------------------
 */

unsigned history_object(enum object_kind kind)
{
	static const char letters[] = "rjm";
	struct object *o = &history.object[history.object_count];

	CHECK(history.object_count < HISTORY_OBJECTS_MAX);
	o->kind = kind;
	o->cells = kind == OBJECT_MOVES ? 3 : 1;
	for (unsigned c = 0; c < o->cells; c++) {
		if (o->cells > 1) {
			snprintf(o->name[c], sizeof o->name[c], "%c%u%c",
				 letters[kind], history.object_count, 'a' + c);
		} else {
			snprintf(o->name[c], sizeof o->name[c], "%c%u",
				 letters[kind], history.object_count);
		}
	}
	return history.object_count++;
}

unsigned history_objects(void)
{
	return history.object_count;
}

const struct object *history_object_of(unsigned object)
{
	CHECK(object < history.object_count);
	return &history.object[object];
}

/* --- Calls and ends ---------------------------------------------------------
 */

static struct bytes keep(struct bytes text)
{
	return text.size == 0
		       ? bytes_of("", 0)
		       : bytes_of(mem_copy(text.data, text.size), text.size);
}

struct deed *history_call(const struct deed *what)
{
	struct deed *d = mem_copy(what, sizeof *what);

	if (history.count == history.capacity) {
		history.capacity = 2 * history.capacity + 256;
		history.deeds =
			mem_realloc(history.deeds,
				    history.capacity * sizeof(struct deed *));
	}
	history.deeds[history.count++] = d;
	d->number = history.count;
	d->text = keep(what->text);
	d->call_ns = sim_now();
	d->call = ++history.moments;
	d->end = LINEAR_NEVER;
	d->how = DEED_OPEN;
	d->floor = history.told;
	d->shown = history.shown[d->node];
	return d;
}

static void end(struct deed *d, enum deed_end how)
{
	CHECK(d->how == DEED_OPEN);
	d->how = how;
	d->end_ns = sim_now();
	d->end = ++history.moments;
}

static void tell(struct deed *d, raft_index index)
{
	if (index > history.told) {
		history.told = index;
	}
	if (index > history.shown[d->node]) {
		history.shown[d->node] = index;
	}
}

void history_changed(struct deed *d, enum deed_end how, struct bytes result)
{
	end(d, how);
	if (how == DEED_UNKNOWN) {
		return;
	}
	if (how == DEED_REFUSED) {
		if (d->index != 0) {
			sim_fail("H4 %s: operation %lu was refused, but "
				 "applied at %lu",
				 sim_name(d->node), (unsigned long)d->number,
				 (unsigned long)d->index);
		}
		return;
	}
	if (d->index == 0) {
		sim_fail("H4 %s: operation %lu was answered, but is applied "
			 "nowhere",
			 sim_name(d->node), (unsigned long)d->number);
	} else if (XXH3_64bits(result.data, result.size) != d->result) {
		sim_fail("H4 %s: operation %lu, applied at %lu, was answered "
			 "otherwise than it was applied",
			 sim_name(d->node), (unsigned long)d->number,
			 (unsigned long)d->index);
	}
	tell(d, d->index);
}

void history_read(struct deed *d, enum deed_end how, bool fell_back,
		  raft_index index, struct bytes text)
{
	bool is_sure = d->reads != KV_READS_LOCAL && !fell_back;

	end(d, how);
	if (how == DEED_REFUSED) {
		return;
	}
	d->fell_back = fell_back;
	d->index = index;
	d->text = keep(text);
	if (index < d->shown) {
		sim_fail("H3 %s: read %lu looks at %lu, after the node had "
			 "shown %lu",
			 sim_name(d->node), (unsigned long)d->number,
			 (unsigned long)index, (unsigned long)d->shown);
	}
	if (is_sure && index < d->floor) {
		sim_fail("H2 %s: read %lu looks at %lu, called when clients "
			 "knew of %lu",
			 sim_name(d->node), (unsigned long)d->number,
			 (unsigned long)index, (unsigned long)d->floor);
	}
	if (is_sure) {
		tell(d, index);
	} else if (index > history.shown[d->node]) {
		history.shown[d->node] = index;
	}
}

void history_applied(uint64_t number, raft_index index, bool ok,
		     struct bytes result)
{
	struct deed *d;

	if (number == 0 || number > history.count) {
		return;
	}
	d = history.deeds[number - 1];
	if (d->how == DEED_REFUSED) {
		sim_fail("H4 operation %lu of %s was refused, and now is "
			 "applied at %lu",
			 (unsigned long)number, sim_name(d->node),
			 (unsigned long)index);
	}
	if (d->index != 0 && d->index != index) {
		sim_fail("H4 operation %lu of %s is applied at %lu and at %lu",
			 (unsigned long)number, sim_name(d->node),
			 (unsigned long)d->index, (unsigned long)index);
	}
	d->index = index;
	d->result_ok = ok;
	d->result = XXH3_64bits(result.data, result.size);
}

void history_node_lost(int node, raft_index kept)
{
	if (history.shown[node] > kept) {
		history.shown[node] = kept;
	}
}

void history_abandoned(struct deed *d)
{
	end(d, d->kind == LINEAR_READ ? DEED_REFUSED : DEED_UNKNOWN);
}

/* --- Judging ----------------------------------------------------------------
 */

/* What of a deed the model has to explain; false: nothing. */
static bool evidence(const struct deed *d, struct linear_op *op)
{
	static const enum linear_outcome outcomes[] = {
		[DEED_OPEN] = LINEAR_UNKNOWN,	 [DEED_DONE] = LINEAR_DONE,
		[DEED_MISSING] = LINEAR_MISSING, [DEED_EXISTS] = LINEAR_EXISTS,
		[DEED_UNKNOWN] = LINEAR_UNKNOWN,
	};
	bool is_read = d->kind == LINEAR_READ;

	if (d->how == DEED_VOID || d->how == DEED_REFUSED ||
	    (is_read && (d->how == DEED_OPEN || d->how == DEED_UNKNOWN ||
			 d->fell_back || d->reads == KV_READS_LOCAL))) {
		return false;
	}
	*op = (struct linear_op){.kind = d->kind,
				 .outcome = outcomes[d->how],
				 .cell = d->cell,
				 .to = d->to,
				 .call = d->call,
				 .end = d->end,
				 .text = d->text,
				 .place = d->index};
	if (op->outcome == LINEAR_UNKNOWN) {
		op->end = LINEAR_NEVER;
		op->place = d->result_ok ? d->index : 0;
	}
	return true;
}

static void judge_object(unsigned object, unsigned *undecided)
{
	struct linear_op *ops = mem_zalloc((history.count + 1) * sizeof *ops);
	const struct deed **of = mem_zalloc((history.count + 1) * sizeof *of);
	struct linear_report report;
	struct buffer text = {0};
	size_t count = 0;

	for (size_t i = 0; i < history.count; i++) {
		of[count] = history.deeds[i];
		count += history.deeds[i]->object == object &&
			 evidence(history.deeds[i], &ops[count]);
	}
	switch (linear_check(ops, count, &linear_limits, &report)) {
	case LINEAR_YES:
		break;
	case LINEAR_UNDECIDED:
		/* The order in which they were applied is one that is known. */
		*undecided += !linear_holds(ops, count);
		break;
	case LINEAR_NO:
		history_text(of[report.stuck], &text);
		sim_fail("H1 %s is not linearizable: no order explains %lu: %s",
			 history.object[object].name[0],
			 (unsigned long)of[report.stuck]->number,
			 buffer_text(&text));
		break;
	}
	mem_free(ops);
	mem_free(of);
}

void history_judge(unsigned *judged, unsigned *undecided)
{
	for (unsigned i = 0; i < history.object_count; i++) {
		judge_object(i, undecided);
		++*judged;
	}
}

/* --- What applied changes make ----------------------------------------------
 */

static int by_index(const void *a, const void *b)
{
	const struct deed *x = *(const struct deed *const *)a;
	const struct deed *y = *(const struct deed *const *)b;

	return (x->index > y->index) - (x->index < y->index);
}

static void make(const struct deed *d, struct buffer *text, bool *exists)
{
	struct buffer moved = text[d->cell];
	bool was = exists[d->cell];

	switch (d->kind) {
	case LINEAR_READ:
		return;
	case LINEAR_SET:
	case LINEAR_CREATE:
		buffer_reset(&text[d->cell]);
		buffer_append_bytes(&text[d->cell], d->text);
		exists[d->cell] = true;
		return;
	case LINEAR_APPEND:
		buffer_append_bytes(&text[d->cell], d->text);
		return;
	case LINEAR_REMOVE:
		exists[d->cell] = false;
		return;
	case LINEAR_RENAME:
	case LINEAR_RENAME_NEW:
		exists[d->to] = false;
		/* fall through */
	case LINEAR_EXCHANGE:
		text[d->cell] = text[d->to];
		exists[d->cell] = exists[d->to];
		text[d->to] = moved;
		exists[d->to] = was;
		return;
	}
}

bool history_expected(unsigned object, unsigned cell, struct buffer *text)
{
	struct deed **by = mem_zalloc((history.count + 1) * sizeof *by);
	struct buffer texts[LINEAR_CELLS] = {0};
	bool exists[LINEAR_CELLS] = {0};
	size_t count = 0;

	for (size_t i = 0; i < history.count; i++) {
		struct deed *d = history.deeds[i];

		if (d->object == object && d->kind != LINEAR_READ &&
		    d->index != 0 && d->result_ok && d->how != DEED_VOID) {
			by[count++] = d;
		}
	}
	qsort(by, count, sizeof(struct deed *), by_index);
	for (size_t i = 0; i < count; i++) {
		make(by[i], texts, exists);
	}
	buffer_append_bytes(text, buffer_bytes(&texts[cell]));
	for (unsigned c = 0; c < LINEAR_CELLS; c++) {
		buffer_deinit(&texts[c]);
	}
	mem_free(by);
	return exists[cell];
}

/* --- Words ------------------------------------------------------------------
 */

const char *history_end_text(enum deed_end how)
{
	static const char *const texts[] = {
		[DEED_OPEN] = "waits",	      [DEED_DONE] = "done",
		[DEED_MISSING] = "no such",   [DEED_EXISTS] = "is there",
		[DEED_VOID] = "to no effect", [DEED_REFUSED] = "refused",
		[DEED_UNKNOWN] = "unknown"};

	return texts[how];
}

/* The last line of a text, without padding and newline. */
static void short_text(struct bytes text, struct buffer *out)
{
	size_t end = text.size;
	size_t at;

	while (end > 0 && text.data[end - 1] == '\n') {
		end--;
	}
	at = end;
	while (at > 0 && text.data[at - 1] != '\n') {
		at--;
	}
	if (at > 0) {
		buffer_append(out, "... ", 4);
	}
	for (size_t i = at; i < end && text.data[i] != ' '; i++) {
		buffer_append(out, &text.data[i], 1);
	}
}

void history_text(const struct deed *d, struct buffer *out)
{
	static const char *const kinds[] = {
		[LINEAR_READ] = "read",	       [LINEAR_SET] = "set",
		[LINEAR_APPEND] = "append to", [LINEAR_CREATE] = "create",
		[LINEAR_REMOVE] = "remove",    [LINEAR_RENAME] = "move",
		[LINEAR_RENAME_NEW] = "move",  [LINEAR_EXCHANGE] = "exchange",
	};
	static const char *const modes[] = {[KV_READS_FRESH] = "fresh ",
					    [KV_READS_STRICT] = "strict ",
					    [KV_READS_LOCAL] = "local "};
	const struct object *o = &history.object[d->object];
	bool is_read = d->kind == LINEAR_READ;

	buffer_printf(out, "%s%s %s", is_read ? modes[d->reads] : "",
		      kinds[d->kind], o->name[d->cell]);
	if (d->kind == LINEAR_RENAME || d->kind == LINEAR_RENAME_NEW ||
	    d->kind == LINEAR_EXCHANGE) {
		buffer_printf(out, " %s %s",
			      d->kind == LINEAR_EXCHANGE ? "and" : "to",
			      o->name[d->to]);
	}
	if (d->text.size > 0) {
		buffer_printf(out, " '");
		short_text(d->text, out);
		buffer_printf(out, "'");
	}
}
