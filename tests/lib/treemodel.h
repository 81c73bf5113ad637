/* SPDX-License-Identifier: Apache-2.0 */
/* treemodel.h - POSIX in plain memory, to judge the tree by: files are flat
 * arrays, names a list. Slow and simple, on purpose nothing like fs/tree. */
#ifndef TESTS_LIB_TREEMODEL_H
#define TESTS_LIB_TREEMODEL_H

#include "tests/lib/treekit.h"

struct model;

struct model *model_new(struct treekit *k, uint64_t file_bytes,
			uint64_t inodes);
void model_free(struct model *m);
/* Apply op to the tree and to the model; assert the same errno and the same
 * attributes. */
void model_apply(struct model *m, const struct fs_op *op);
/* Assert that all names, attributes and contents are the same. */
void model_compare(struct model *m);

#endif
