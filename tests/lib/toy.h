/* SPDX-License-Identifier: Apache-2.0 */
/* toy.h - a state machine that shows order and repetition: it keeps the text
 * of all operations it applied, each followed by ';', under the key "log".
 * The result of an operation is the text so far; its note is the operation.
 * The operation "skip" does nothing and says "skipped". All operations add, but
 * for those that begin with "free". */
#ifndef TESTS_LIB_TOY_H
#define TESTS_LIB_TOY_H

#include "kv/machine.h"

/* birth is "born". context: NULL, or an atomic_int that counts the calls of
 * tidy; it then proposes "tidy7" when 7 is applied everywhere, "tidy7held" when
 * id 5 is held. */
struct kv_machine toy_machine(void *context);
/* The log as text; lent until the next call on text. */
const char *toy_log(struct kv_reader *r, struct buffer *text);

#endif
