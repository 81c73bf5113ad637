/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - a run as one self-contained page: a sequence chart, a column a node.
 *
 * What happens is gathered as data and written between the two halves of
 * page.html, which draws it. The page is bounded: of the messages at most
 * PAGE_MESSAGES are in it, the last of the window. */
#ifndef TESTS_SIM_PAGE_H
#define TESTS_SIM_PAGE_H

#include "tests/sim/sim.h"

enum { PAGE_MESSAGES = 60000 };

struct page_window {
	uint64_t from_ns, to_ns; /* messages sent within */
};

void page_begin(const struct page_window *window);
void page_event(const struct sim_event *event);
void page_role(int node, const struct raft_act *act);
/* False: errno. */
bool page_write(const char *path, const struct sim_options *options,
		const struct sim_result *result);

#endif
