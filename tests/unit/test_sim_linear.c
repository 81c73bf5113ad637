/* SPDX-License-Identifier: Apache-2.0 */
/* The checker finds what no order explains, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/check.h"
#include "tests/sim/linear.h"

/* One line of a history: what, which name, its content, from when to when.
 * An end of 0: the outcome is unknown. */
struct line {
	enum linear_kind kind;
	unsigned cell;
	const char *text;
	uint64_t call, end;
	enum linear_outcome outcome;
	unsigned to;
};

#define LINE(what, name, content, from, until, ...)                            \
	{                                                                      \
		.kind = LINEAR_##what, .cell = (name), .text = (content),      \
		.call = (from), .end = (until), __VA_ARGS__                    \
	}
#define READ(...) LINE(READ, __VA_ARGS__, )
#define SET(...) LINE(SET, __VA_ARGS__, )
#define APPEND(...) LINE(APPEND, __VA_ARGS__, )
#define CREATE(...) LINE(CREATE, __VA_ARGS__, )
#define REMOVE(...) LINE(REMOVE, __VA_ARGS__, )
#define RENAME(...) LINE(RENAME, __VA_ARGS__, )
#define RENAME_NEW(...) LINE(RENAME_NEW, __VA_ARGS__, )
#define EXCHANGE(...) LINE(EXCHANGE, __VA_ARGS__, )
#define MISSING .outcome = LINEAR_MISSING
#define EXISTS .outcome = LINEAR_EXISTS

/* Each letter becomes a line. They live until the next few hundred. */
static struct bytes GIVEN_TEXT(const char *letters) {
	static char ring[512][64];
	static size_t next;
	char *text = ring[next++ % COUNT_OF(ring)];
	size_t size = 0;

	for (; letters != NULL && *letters != '\0'; letters++) {
		text[size++] = *letters;
		text[size++] = '\n';
	}
	return bytes_of(text, size);
}

static struct linear_op
GIVEN_OP(const struct line *l) {
	return (struct linear_op){.kind = l->kind,
				  .outcome = l->end == 0 ? LINEAR_UNKNOWN
							 : l->outcome,
				  .cell = l->cell,
				  .to = l->to,
				  .call = l->call,
				  .end = l->end == 0 ? LINEAR_NEVER : l->end,
				  .text = GIVEN_TEXT(l->text)};
}

static enum linear_verdict
verdict(const struct line *lines, size_t count, struct linear_report *report)
{
	struct linear_op ops[64];

	assert_true(count <= COUNT_OF(ops));
	for (size_t i = 0; i < count; i++)
		ops[i] = GIVEN_OP(&lines[i]);
	return linear_check(ops, count, &linear_limits, report);
}

#define HISTORY(...)                                                           \
	((const struct line[]){__VA_ARGS__}),                                  \
		COUNT_OF(((const struct line[]){__VA_ARGS__})), NULL
#define LEGAL(...) assert_int_equal(verdict(HISTORY(__VA_ARGS__)), LINEAR_YES)
#define ILLEGAL(...) assert_int_equal(verdict(HISTORY(__VA_ARGS__)), LINEAR_NO)

/* --- Legal ------------------------------------------------------------------
 */

static void one_after_the_other_is_legal(void **state)
{
	(void)state;
	LEGAL(READ(0, NULL, 1, 2, MISSING), SET(0, "a", 3, 4),
	      READ(0, "a", 5, 6), APPEND(0, "b", 7, 8), READ(0, "ab", 9, 10),
	      REMOVE(0, NULL, 11, 12), READ(0, NULL, 13, 14, MISSING),
	      CREATE(0, "", 15, 16), READ(0, "", 17, 18));
}

static void a_read_beside_a_write_sees_either(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 9), READ(0, "a", 4, 5),
	      READ(0, "b", 6, 7), READ(0, "b", 10, 11));
	LEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 9), READ(0, "b", 4, 5));
}

/* The first to return need not be the first to take effect. */
static void writes_side_by_side_take_any_order(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 9), SET(0, "b", 1, 3), SET(0, "c", 1, 5),
	      READ(0, "b", 6, 8), READ(0, "a", 7, 9));
}

static void an_unknown_write_shows_late_or_never(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 0), READ(0, "a", 4, 5),
	      READ(0, "a", 6, 7), READ(0, "b", 8, 9));
	LEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 0), SET(0, "c", 4, 5),
	      READ(0, "c", 6, 7), READ(0, "c", 8, 9));
	LEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 0), SET(0, "c", 4, 5),
	      READ(0, "c", 6, 7), READ(0, "b", 8, 9));
}

static void an_unknown_change_explains_a_refusal(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 0), CREATE(0, "", 2, 3, EXISTS),
	      READ(0, "a", 4, 5));
	LEGAL(SET(0, "a", 1, 2), REMOVE(0, NULL, 3, 0), CREATE(0, "", 4, 5),
	      READ(0, "", 6, 7));
	LEGAL(CREATE(0, "", 1, 0), REMOVE(0, NULL, 2, 3), CREATE(0, "", 4, 5));
}

/* Two unknown appends, of which the second shows first. */
static void unknown_appends_show_in_any_order(void **state)
{
	(void)state;
	LEGAL(CREATE(0, "", 1, 2), APPEND(0, "x", 3, 0), APPEND(0, "y", 4, 0),
	      APPEND(0, "z", 5, 6), READ(0, "z", 7, 8), READ(0, "zy", 9, 10),
	      READ(0, "zyx", 11, 12));
}

static void an_append_to_what_is_gone_has_no_effect(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 2), APPEND(0, "b", 3, 0), REMOVE(0, NULL, 4, 5),
	      READ(0, NULL, 6, 7, MISSING), APPEND(0, "c", 8, 9, MISSING));
}

static void a_file_moves_between_names(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 2), RENAME(0, NULL, 3, 4, .to = 1),
	      READ(0, NULL, 5, 6, MISSING), READ(1, "a", 5, 6),
	      SET(0, "b", 7, 8), EXCHANGE(0, NULL, 9, 10, .to = 1),
	      READ(0, "a", 11, 12), READ(1, "b", 11, 12),
	      RENAME_NEW(0, NULL, 13, 14, EXISTS, .to = 1),
	      RENAME(2, NULL, 13, 14, MISSING, .to = 1),
	      RENAME(0, NULL, 15, 16, .to = 1), READ(1, "a", 17, 18));
}

/* Both names missing at the same time: read before and after the move. */
static void a_move_hides_from_two_reads(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 2), RENAME(0, NULL, 3, 9, .to = 1),
	      READ(1, NULL, 4, 5, MISSING), READ(0, NULL, 6, 7, MISSING));
}

static void equal_times_are_concurrent(void **state)
{
	(void)state;
	LEGAL(SET(0, "a", 1, 2), SET(0, "b", 2, 3), READ(0, "a", 3, 4));
	LEGAL(READ(0, "a", 2, 2), SET(0, "a", 2, 2));
}

/* --- Planted violations
 * --------------------------------------------------------
 */

static void a_stale_read_is_found(void **state)
{
	(void)state;
	ILLEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 4), READ(0, "a", 5, 6));
	ILLEGAL(SET(0, "a", 1, 2), READ(0, NULL, 3, 4, MISSING));
	ILLEGAL(SET(0, "a", 1, 2), REMOVE(0, NULL, 3, 4), READ(0, "a", 5, 6));
}

static void readers_do_not_go_back(void **state)
{
	(void)state;
	ILLEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 9), READ(0, "b", 4, 5),
		READ(0, "a", 6, 7));
	ILLEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 0), READ(0, "b", 4, 5),
		READ(0, "a", 6, 7));
}

static void readers_agree_on_one_order(void **state)
{
	(void)state;
	ILLEGAL(CREATE(0, "", 1, 2), APPEND(0, "x", 3, 9), APPEND(0, "y", 3, 9),
		READ(0, "x", 4, 8), READ(0, "y", 4, 8), READ(0, "xy", 10, 11));
	ILLEGAL(SET(0, "a", 1, 9), SET(0, "b", 1, 9), READ(0, "a", 2, 3),
		READ(0, "b", 4, 5), READ(0, "a", 6, 7));
}

static void a_lost_write_is_found(void **state)
{
	(void)state;
	ILLEGAL(CREATE(0, "", 1, 2), APPEND(0, "x", 3, 4), APPEND(0, "y", 5, 6),
		READ(0, "y", 7, 8));
	ILLEGAL(SET(0, "a", 1, 2), SET(0, "b", 3, 4), APPEND(0, "c", 5, 6),
		READ(0, "ac", 7, 8));
}

static void a_double_apply_is_found(void **state)
{
	(void)state;
	ILLEGAL(CREATE(0, "", 1, 2), APPEND(0, "x", 3, 0), READ(0, "xx", 4, 5));
	ILLEGAL(SET(0, "a", 1, 0), READ(0, "a", 2, 3), SET(0, "b", 4, 5),
		READ(0, "b", 6, 7), READ(0, "a", 8, 9));
	ILLEGAL(CREATE(0, "", 1, 2), REMOVE(0, NULL, 3, 0),
		READ(0, NULL, 4, 5, MISSING), CREATE(0, "", 6, 7),
		READ(0, NULL, 8, 9, MISSING));
}

static void a_value_from_nowhere_is_found(void **state)
{
	(void)state;
	ILLEGAL(SET(0, "a", 1, 2), READ(0, "b", 3, 4));
	ILLEGAL(READ(0, "a", 1, 2), SET(0, "a", 3, 4));
	ILLEGAL(SET(0, "ab", 1, 2), READ(0, "a", 3, 4));
	ILLEGAL(SET(0, "a", 1, 2), READ(1, "a", 3, 4));
}

static void lines_stand_in_the_order_of_time(void **state)
{
	(void)state;
	ILLEGAL(CREATE(0, "", 1, 2), APPEND(0, "x", 3, 4), APPEND(0, "y", 5, 6),
		READ(0, "yx", 7, 8));
}

static void a_race_has_one_winner(void **state)
{
	(void)state;
	ILLEGAL(CREATE(0, "", 1, 5), CREATE(0, "", 1, 5));
	ILLEGAL(CREATE(0, "", 1, 2, EXISTS), CREATE(0, "", 3, 4));
	ILLEGAL(SET(0, "a", 1, 2), REMOVE(0, NULL, 3, 4),
		REMOVE(0, NULL, 5, 6));
}

static void a_file_is_in_one_place(void **state)
{
	(void)state;
	ILLEGAL(SET(0, "a", 1, 2), RENAME(0, NULL, 3, 4, .to = 1),
		READ(0, "a", 5, 6));
	ILLEGAL(SET(0, "a", 1, 2), RENAME(0, NULL, 3, 9, .to = 1),
		READ(0, NULL, 4, 5, MISSING), READ(1, NULL, 6, 7, MISSING));
	ILLEGAL(SET(0, "a", 1, 2), SET(1, "b", 1, 2),
		RENAME_NEW(0, NULL, 3, 4, .to = 1));
	ILLEGAL(SET(0, "a", 1, 2), EXCHANGE(0, NULL, 3, 4, .to = 1));
}

static void the_operation_that_fits_nowhere_is_named(void **state)
{
	const struct line lines[] = {SET(0, "a", 1, 2), SET(0, "b", 3, 4),
				     READ(0, "a", 5, 6), READ(0, "b", 7, 8)};
	struct linear_report report;
	(void)state;

	assert_int_equal(verdict(lines, COUNT_OF(lines), &report), LINEAR_NO);
	assert_int_equal(report.stuck, 2);
}

/* --- Bounds
 * -------------------------------------------------------------------
 */

/* Fourteen appends at once, and a read that saw an order with a gap: every
 * subset is tried before that is clear. */
static size_t GIVEN_A_HARD_ONE(struct linear_op *ops)
{
	size_t count = 0;
	char text[8];

	ops[count++] = GIVEN_OP(&(struct line)CREATE(0, "", 1, 2));
	for (int i = 0; i < 14; i++) {
		snprintf(text, sizeof text, "%c", 'a' + i);
		ops[count++] = GIVEN_OP(&(struct line)APPEND(0, text, 3, 99));
	}
	ops[count++] = GIVEN_OP(&(struct line)READ(0, "zz", 100, 101));
	return count;
}

static void beyond_its_steps_it_is_undecided(void **state)
{
	const struct linear_limits few = {.steps = 1000,
					  .memory_bytes = 1 << 20};
	struct linear_op ops[32];
	size_t count = GIVEN_A_HARD_ONE(ops);
	(void)state;

	assert_int_equal(linear_check(ops, count, &few, NULL),
			 LINEAR_UNDECIDED);
}

static void without_memory_it_is_as_right(void **state)
{
	const struct linear_limits none = {.steps = 1000000};
	const struct line bad = READ(0, "a", 7, 8);
	struct linear_op ops[] = {
		GIVEN_OP(&(struct line)SET(0, "a", 1, 9)),
		GIVEN_OP(&(struct line)SET(0, "b", 1, 9)),
		GIVEN_OP(&(struct line)READ(0, "a", 3, 4)),
		GIVEN_OP(&(struct line)READ(0, "b", 5, 6)),
	};
	struct linear_op more[5];
	(void)state;

	assert_int_equal(linear_check(ops, 4, &none, NULL), LINEAR_YES);
	memcpy(more, ops, sizeof ops);
	more[4] = GIVEN_OP(&bad);
	assert_int_equal(linear_check(more, 5, &none, NULL), LINEAR_NO);
}

/* --- Against every order ---------------------------------------------------
 *
 * Small random histories, judged a second time by trying each permutation of
 * each subset on names with plain strings. */

enum { SMALL = 6, SMALL_CELLS = 2 };

struct small {
	struct line lines[SMALL];
	char texts[SMALL][SMALL + 1];
	size_t count;
};

struct names {
	bool exists[SMALL_CELLS];
	char text[SMALL_CELLS][64];
};

static uint64_t draw(uint64_t *seed, uint64_t below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*seed >> 33) % below;
}

static bool plays(struct names *n, const struct line *l)
{
	unsigned c = l->cell;
	unsigned to = l->to;
	bool fits = true;

	if (l->end != 0 && l->outcome == LINEAR_MISSING)
		return !n->exists[c] ||
		       (l->kind == LINEAR_EXCHANGE && !n->exists[to]);
	if (l->end != 0 && l->outcome == LINEAR_EXISTS)
		return n->exists[l->kind == LINEAR_RENAME_NEW ? to : c];
	if (l->kind == LINEAR_CREATE)
		fits = !n->exists[c];
	else if (l->kind != LINEAR_SET)
		fits = n->exists[c];
	if (l->kind == LINEAR_RENAME_NEW)
		fits = fits && !n->exists[to];
	if (l->kind == LINEAR_EXCHANGE)
		fits = fits && n->exists[to];
	if (l->kind == LINEAR_READ)
		fits = fits && strcmp(n->text[c], l->text) == 0;
	if (!fits)
		return false;
	if (l->kind == LINEAR_SET || l->kind == LINEAR_CREATE)
		strcpy(n->text[c], l->text);
	if (l->kind == LINEAR_APPEND)
		strcat(n->text[c], l->text);
	if (l->kind == LINEAR_RENAME || l->kind == LINEAR_RENAME_NEW)
		strcpy(n->text[to], n->text[c]);
	if (l->kind == LINEAR_EXCHANGE) {
		char kept[64];

		strcpy(kept, n->text[to]);
		strcpy(n->text[to], n->text[c]);
		strcpy(n->text[c], kept);
	}
	if (l->kind == LINEAR_SET || l->kind == LINEAR_CREATE)
		n->exists[c] = true;
	if (l->kind == LINEAR_REMOVE || l->kind == LINEAR_RENAME ||
	    l->kind == LINEAR_RENAME_NEW)
		n->exists[c] = false;
	if (l->kind == LINEAR_RENAME || l->kind == LINEAR_RENAME_NEW)
		n->exists[to] = true;
	return true;
}

/* Does this order of these operations keep real time and play? */
static bool order_plays(const struct small *s, const size_t *order,
			unsigned subset)
{
	struct names n = {0};

	for (size_t i = 0; i < s->count; i++) {
		const struct line *l = &s->lines[order[i]];

		if (!(subset & 1U << order[i]))
			continue;
		for (size_t k = i + 1; k < s->count; k++) {
			const struct line *later = &s->lines[order[k]];

			if ((subset & 1U << order[k]) && later->end != 0 &&
			    later->end < l->call)
				return false;
		}
		if (!plays(&n, l))
			return false;
	}
	return true;
}

static bool next_order(size_t *order, size_t count)
{
	size_t i = count, k = count, kept;

	do
		if (i-- < 2)
			return false;
	while (order[i - 1] > order[i]);
	do
		k--;
	while (order[k] < order[i - 1]);
	kept = order[i - 1];
	order[i - 1] = order[k];
	order[k] = kept;
	for (k = count - 1; i < k; i++, k--) {
		kept = order[i];
		order[i] = order[k];
		order[k] = kept;
	}
	return true;
}

static bool any_order_plays(const struct small *s)
{
	for (unsigned subset = 0; subset < 1U << s->count; subset++) {
		size_t order[SMALL] = {0, 1, 2, 3, 4, 5};
		bool whole = true;

		for (size_t i = 0; i < s->count; i++)
			if (s->lines[i].end != 0 && !(subset & 1U << i))
				whole = false;
		if (!whole)
			continue;
		do
			if (order_plays(s, order, subset))
				return true;
		while (next_order(order, s->count));
	}
	return false;
}

/* Few names, letters and times, so that about half are legal. */
static void GIVEN_SMALL(struct small *s, uint64_t *seed)
{
	s->count = 3 + draw(seed, SMALL - 2);
	for (size_t i = 0; i < s->count; i++) {
		struct line *l = &s->lines[i];
		size_t size;

		*l = (struct line){.kind = (enum linear_kind)draw(seed, 8),
				   .cell = (unsigned)draw(seed, SMALL_CELLS),
				   .call = 1 + draw(seed, 12),
				   .text = s->texts[i]};
		if (draw(seed, 3) == 0)
			l->kind = LINEAR_READ;
		if (i == 0)
			l->kind = LINEAR_SET;
		l->to = 1 - l->cell;
		l->end = l->call + draw(seed, 6);
		if (l->kind != LINEAR_READ && draw(seed, 4) == 0)
			l->end = 0;
		if (l->kind != LINEAR_SET && l->kind != LINEAR_APPEND &&
		    draw(seed, 4) == 0)
			l->outcome = LINEAR_MISSING;
		if (l->kind == LINEAR_CREATE || l->kind == LINEAR_RENAME_NEW)
			l->outcome = draw(seed, 2) == 0 ? LINEAR_EXISTS
							: LINEAR_DONE;
		size = l->kind == LINEAR_READ ? draw(seed, 3) : 1;
		for (size_t k = 0; k < size; k++)
			s->texts[i][k] = (char)('a' + draw(seed, 2));
		s->texts[i][size] = '\0';
	}
}

static void it_agrees_with_trying_every_order(void **state)
{
	uint64_t seed = 42;
	size_t legal = 0;
	(void)state;

	for (int i = 0; i < 20000; i++) {
		struct small s;
		bool expected;

		GIVEN_SMALL(&s, &seed);
		expected = any_order_plays(&s);
		legal += expected;
		assert_int_equal(verdict(s.lines, s.count, NULL),
				 expected ? LINEAR_YES : LINEAR_NO);
	}
	assert_in_range(legal, 2000, 18000);
}

/* --- Long histories, with one line changed
 * ------------------------------------
 *
 * Clients take turns on one file that is what a file should be; each
 * operation takes effect at a moment of its own, one in ten is unknown. */

enum { LONG = 400, CLIENTS = 6 };

struct history {
	struct linear_op ops[LONG + CLIENTS];
	char texts[LONG + CLIENTS][1024]; /* of each operation */
	size_t count;
};

struct pending {
	struct linear_op op;
	char text[1024];
	bool busy, done;
};

struct file {
	char text[1024];
};

static void take_effect(struct pending *p, struct file *f)
{
	size_t size = strlen(f->text);

	if (p->op.kind == LINEAR_READ)
		strcpy(p->text, f->text);
	else
		snprintf(f->text + (p->op.kind == LINEAR_SET ? 0 : size), 32,
			 "%s", p->text);
	p->done = true;
}

static void GIVEN_CALL(struct pending *p, unsigned now, uint64_t *seed)
{
	const enum linear_kind kinds[] = {LINEAR_READ, LINEAR_READ,
					  LINEAR_APPEND, LINEAR_SET};

	*p = (struct pending){.busy = true};
	p->op.kind = kinds[draw(seed, COUNT_OF(kinds))];
	p->op.call = now;
	snprintf(p->text, sizeof p->text, "%u\n", now);
}

static void GIVEN_END(struct history *h, struct pending *p, unsigned now,
		      uint64_t *seed)
{
	bool unknown = !p->done || draw(seed, 10) == 0;
	char *text = h->texts[h->count];

	p->busy = false;
	if (p->op.kind == LINEAR_READ && !p->done)
		return; /* gave up, saw nothing */
	p->op.end = now;
	if (unknown && p->op.kind != LINEAR_READ) {
		p->op.end = LINEAR_NEVER;
		p->op.outcome = LINEAR_UNKNOWN;
	}
	strcpy(text, p->text);
	p->op.text = bytes_of_text(text);
	h->ops[h->count++] = p->op;
}

static void GIVEN_HISTORY(struct history *h, uint64_t *seed)
{
	struct pending clients[CLIENTS] = {0};
	struct file file = {0};

	h->count = 0;
	h->ops[h->count++] = GIVEN_OP(&(struct line)CREATE(0, "", 1, 2));
	for (unsigned now = 3; h->count < LONG; now++) {
		struct pending *p = &clients[draw(seed, CLIENTS)];

		if (!p->busy)
			GIVEN_CALL(p, now, seed);
		else if (!p->done && draw(seed, 8) != 0 &&
			 strlen(file.text) < 900)
			take_effect(p, &file);
		else
			GIVEN_END(h, p, now, seed);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i].done = false; /* never answered */
		if (clients[i].busy)
			GIVEN_END(h, &clients[i], 0, seed);
	}
}

/* A read, not the first few. */
static size_t some_read(const struct history *h, uint64_t *seed)
{
	size_t at;

	do
		at = LONG / 2 + draw(seed, LONG / 2);
	while (h->ops[at].kind != LINEAR_READ);
	return at;
}

static void long_histories_are_decided(void **state)
{
	static struct history h;
	uint64_t seed = 7;
	uint64_t steps = 0;
	(void)state;

	for (int i = 0; i < 200; i++) {
		struct linear_report report;

		GIVEN_HISTORY(&h, &seed);
		assert_int_equal(linear_check(h.ops, h.count, &linear_limits,
					      &report),
				 LINEAR_YES);
		steps += report.steps;
	}
	assert_in_range(steps / 200, LONG / 2, 100 * LONG);
}

/* The value of a read long before, or a value that nobody wrote. */
static void one_wrong_line_in_a_long_history_is_found(void **state)
{
	static struct history h;
	uint64_t seed = 8;
	size_t undecided = 0;
	(void)state;

	for (int i = 0; i < 200; i++) {
		enum linear_verdict v;
		size_t at, old;

		GIVEN_HISTORY(&h, &seed);
		at = some_read(&h, &seed);
		for (old = 1; h.ops[old].kind != LINEAR_READ; old++)
			;
		h.ops[at].text = i % 2 ? h.ops[old].text : bytes_of_text("0\n");
		v = linear_check(h.ops, h.count, &linear_limits, NULL);
		assert_int_not_equal(v, LINEAR_YES);
		undecided += v == LINEAR_UNDECIDED;
	}
	assert_in_range(undecided, 0, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other_is_legal),
		cmocka_unit_test(a_read_beside_a_write_sees_either),
		cmocka_unit_test(writes_side_by_side_take_any_order),
		cmocka_unit_test(an_unknown_write_shows_late_or_never),
		cmocka_unit_test(an_unknown_change_explains_a_refusal),
		cmocka_unit_test(unknown_appends_show_in_any_order),
		cmocka_unit_test(an_append_to_what_is_gone_has_no_effect),
		cmocka_unit_test(a_file_moves_between_names),
		cmocka_unit_test(a_move_hides_from_two_reads),
		cmocka_unit_test(equal_times_are_concurrent),
		cmocka_unit_test(a_stale_read_is_found),
		cmocka_unit_test(readers_do_not_go_back),
		cmocka_unit_test(readers_agree_on_one_order),
		cmocka_unit_test(a_lost_write_is_found),
		cmocka_unit_test(a_double_apply_is_found),
		cmocka_unit_test(a_value_from_nowhere_is_found),
		cmocka_unit_test(lines_stand_in_the_order_of_time),
		cmocka_unit_test(a_race_has_one_winner),
		cmocka_unit_test(a_file_is_in_one_place),
		cmocka_unit_test(the_operation_that_fits_nowhere_is_named),
		cmocka_unit_test(beyond_its_steps_it_is_undecided),
		cmocka_unit_test(without_memory_it_is_as_right),
		cmocka_unit_test(it_agrees_with_trying_every_order),
		cmocka_unit_test(long_histories_are_decided),
		cmocka_unit_test(one_wrong_line_in_a_long_history_is_found),
	};

	return cmocka_run_group_tests_name("sim/linear", tests, NULL, NULL);
}
