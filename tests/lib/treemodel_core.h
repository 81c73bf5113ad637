/* SPDX-License-Identifier: Apache-2.0 */
/* treemodel_core.h - what the two halves of the model share. */
#ifndef TESTS_LIB_TREEMODEL_CORE_H
#define TESTS_LIB_TREEMODEL_CORE_H

#include "tests/lib/treemodel.h"

enum { NODES_MAX = 65536, NAMES_MAX = 4096 };

struct node {
	struct fs_attr attr;
	uint8_t *data; /* file: attr.size bytes; link: its target */
	struct node *parent;
	bool purged;
};

struct name {
	struct node *dir;
	char text[16];
	struct node *node;
};

struct model {
	struct treekit *k;
	uint64_t file_bytes;
	uint64_t inodes;
	struct node *nodes[NODES_MAX];
	size_t node_count;
	struct name names[NAMES_MAX];
	size_t name_count;
	/* Of the operation under way. */
	const struct fs_op *op;
	int64_t now;
	uint64_t index;
	struct node *made;
	struct node *about;
};

/* NULL: never made, or purged. */
struct node *model_find(struct model *m, uint64_t ino);
/* Do m->op in the model; return the errno it deserves. */
int model_expect(struct model *m);

#endif
