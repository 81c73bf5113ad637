/* SPDX-License-Identifier: Apache-2.0 */
/* rot.c - a bit of what is synced that is no more what it was: in a segment of
 * the log, or in what names the state. And: is the node whole again? */
#include <string.h>

#include "tests/sim/files.h"
#include "tests/sim/inside.h"

struct rot {
	struct vnode *folder; /* the log's; what was set aside has one, too */
	struct vnode *file;
	unsigned files; /* fit so far */
};

static struct vnode *look(int node, const char *name)
{
	const struct host *h = &sim.hosts[node];
	struct vnode *above, *data;
	const char *last;

	if (files_walk(h->files, h->files->root, h->folder + strlen("/sim"),
		       &above, &last) != 0) {
		return NULL;
	}
	data = files_look(above, last);
	return data == NULL || name == NULL ? data : files_look(data, name);
}

static void fit(void *context, const char *name, struct vnode *file)
{
	struct rot *rot = context;

	/* Only what is synced: the rest a crash may have lost anyway. */
	if (file->parent == rot->folder && strncmp(name, "log-0", 5) == 0 &&
	    file->inode->write_count == 0 &&
	    sim_below(&sim.disk, ++rot->files) == 0) {
		rot->file = file;
	}
}

static bool has(const struct files_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++) {
		if (strcmp(names->at[i].text, name) == 0) {
			return true;
		}
	}
	return false;
}

bool disk_is_repaired(int node)
{
	const struct vnode *data = look(node, NULL);

	return data != NULL && !has(&data->now, "repair") &&
	       !has(&data->durable, "repair");
}

/* The marker of the state, whole: as if a sector of the database had gone. */
static struct vnode *marker_of(int node)
{
	struct vnode *file = look(node, "state");

	return file != NULL && file->inode != NULL &&
			       file->inode->write_count == 0
		       ? file
		       : NULL;
}

bool disk_rot(int node)
{
	struct rot rot = {.folder = look(node, "log")};
	const char *what = "log";
	struct content *now;
	size_t used, at;
	uint8_t was, is;

	if (sim_below(&sim.disk, 4) == 0) {
		what = "state";
		rot.file = marker_of(node);
	} else {
		files_each(sim.hosts[node].files->root, fit, &rot);
	}
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
	say(SIM_EV_DISK, node, "rot: a byte of the %s, offset %zu", what, at);
	return true;
}
