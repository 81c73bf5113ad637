/* SPDX-License-Identifier: Apache-2.0 */
/* treemodel.c - the model beside the tree, and their comparison. */
#include "tests/lib/treemodel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/lib/treemodel_core.h"

static void compare_attr(const struct fs_attr *is_now,
			 const struct fs_attr *wanted)
{
	struct fs_attr attr = *wanted;

	attr.blocks = is_now->blocks; /* not modelled: fs_check has it */
	assert_memory_equal(is_now, &attr, sizeof(attr));
}

struct model *model_new(struct treekit *k, uint64_t file_bytes, uint64_t inodes)
{
	struct model *m = mem_zalloc(sizeof(*m));
	struct node *root = mem_zalloc(sizeof(*root));

	m->k = k;
	m->file_bytes = file_bytes;
	m->inodes = inodes;
	treekit_limits(k, file_bytes, LIMIT_TOTAL_BYTES, inodes);
	root->attr = kit_attr(k, FS_ROOT);
	root->parent = root;
	m->nodes[m->node_count++] = root;
	return m;
}

void model_free(struct model *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		mem_free(m->nodes[i]->data);
		mem_free(m->nodes[i]);
	}
	mem_free(m);
}

void model_apply(struct model *m, const struct fs_op *op)
{
	int error;

	m->op = op;
	m->now = (int64_t)m->k->time_ns;
	m->index = m->k->index + 1;
	m->made = NULL;
	m->about = NULL;
	error = model_expect(m);

	assert_int_equal(treekit_apply(m->k, op), error);
	assert_int_equal(m->k->result.created, m->made != NULL);
	if (m->made != NULL) {
		assert_null(model_find(m, m->k->result.attr.ino));
		m->made->attr.ino = m->k->result.attr.ino;
	}
	if (error == 0 && m->about != NULL) {
		compare_attr(&m->k->result.attr, &m->about->attr);
	}
}

static bool count_entry(void *context, const struct fs_dirent *entry)
{
	(void)entry;
	++*(uint64_t *)context;
	return true;
}

static void compare_node(struct model *m, struct node *node)
{
	struct kv_reader *r = treekit_reader(m->k);
	struct buffer out = {0};
	struct fs_attr attr = {0};
	uint64_t count = 0;

	if (node->purged) {
		assert_int_equal(fs_getattr(r, node->attr.ino, &attr), -ESTALE);
		return;
	}
	assert_int_equal(fs_getattr(r, node->attr.ino, &attr), 0);
	compare_attr(&attr, &node->attr);
	if (S_ISREG(attr.mode)) {
		assert_int_equal(fs_read(r, node->attr.ino, 0, attr.size, &out,
					 NULL),
				 0);
	} else if (S_ISLNK(attr.mode)) {
		assert_int_equal(fs_readlink(r, node->attr.ino, &out), 0);
	} else if (S_ISDIR(attr.mode)) {
		assert_int_equal(fs_readdir(r, node->attr.ino, 0, UINT64_MAX,
					    count_entry, &count),
				 0);
		assert_int_equal(count, node->attr.size);
	}
	if (node->data != NULL) {
		assert_int_equal(out.size, node->attr.size);
		if (out.size > 0) {
			assert_int_equal(memcmp(out.data, node->data, out.size),
					 0);
		}
	}
	buffer_deinit(&out);
}

void model_compare(struct model *m)
{
	for (size_t i = 0; i < m->node_count; i++) {
		compare_node(m, m->nodes[i]);
	}
	for (size_t i = 0; i < m->name_count; i++) {
		struct name *name = &m->names[i];

		assert_int_equal(kit_lookup(m->k, name->dir->attr.ino,
					    name->text),
				 name->node->attr.ino);
	}
}
