/* SPDX-License-Identifier: Apache-2.0 */
/* rot.c - a bit of a synced log segment that is no more what it was. */
#include <string.h>

#include "tests/sim/files.h"
#include "tests/sim/inside.h"

struct rot {
	struct vnode *file;
	unsigned files; /* fit so far */
};

static void fit(void *context, const char *name, struct vnode *file)
{
	struct rot *rot = context;

	/* Only what is synced: the rest a crash may have lost anyway. */
	if (strncmp(name, "log-0", 5) == 0 && file->inode->write_count == 0 &&
	    sim_below(&sim.disk, ++rot->files) == 0) {
		rot->file = file;
	}
}

bool disk_rot(int node)
{
	struct rot rot = {0};
	struct content *now;
	size_t used, at;
	uint8_t was, is;

	files_each(sim.hosts[node].files->root, fit, &rot);
	if (rot.file == NULL) {
		return false;
	}
	now = &rot.file->inode->now;
	used = now->size;
	while (used > 0 && now->data[used - 1] == 0) {
		used--;
	}
	at = (size_t)sim_below(&sim.disk, used);
	was = used > 0 ? now->data[at] : 0;
	is = was ^ (uint8_t)(1u << sim_below(&sim.disk, 8));
	/* Zeros are what a torn write leaves: segment.h. */
	if (was == 0 || is == 0) {
		return false;
	}
	now->data[at] = is;
	rot.file->inode->durable.data[at] = is;
	say(SIM_EV_DISK, node, "rot: a byte of the log, offset %zu", at);
	return true;
}
