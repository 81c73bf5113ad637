/* SPDX-License-Identifier: Apache-2.0 */
/* walk.h - is the model true to the cores? */
#ifndef TESTS_EXPLORE_WALK_H
#define TESTS_EXPLORE_WALK_H

#include "tests/explore/model.h"

/* Walk at random through the model, so many choices from each start, and
 * beside it with cores that are never settled: their clocks, counters and
 * save numbers run on. After each choice, both
 *
 *   - must be the same once the real ones are settled, and have sent the same:
 *     what image_settle() makes equal, no core can tell apart;
 *   - must come out in any other order of the nodes as they do in this one:
 *     nodes are equal (image_reorder).
 *
 * Return false, and say where to `out`, at the first difference. */
bool walk(struct model *m, uint32_t starts, uint32_t choices, uint64_t seed,
	  FILE *out);

#endif
