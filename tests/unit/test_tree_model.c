/* SPDX-License-Identifier: Apache-2.0 */
/* The tree answers every operation of a random history as a plain model of
 * POSIX does, and holds the same names, attributes and bytes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/treegen.h"
#include "tests/lib/treemodel.h"

/* Chunks end at 8 MiB. */
#define FILE_BYTES (12ULL << 20)

/* How often each errno came. */
static unsigned seen[256];

static void run(uint64_t seed, uint64_t size_max, unsigned count)
{
	struct treekit k;
	struct treegen g;
	struct model *m;

	treekit_open(&k);
	k.batch_size = 100;
	treegen_init(&g, seed, size_max);
	m = model_new(&k, FILE_BYTES, 70);
	for (unsigned i = 1; i <= count; i++) {
		struct fs_op op = treegen_next(&g);

		model_apply(m, &op);
		seen[k.result.error]++;
		treegen_learn(&g, &op, &k.result);
		if (i % 1000 == 0) {
			model_compare(m);
			assert_sound(&k);
		}
		if (i % 3000 == 0) {
			treekit_restart(&k);
		}
	}
	model_free(m);
	treegen_deinit(&g);
	treekit_close(&k);
}

static void small_files_and_many_names_agree_with_the_model(void **state)
{
	(void)state;

	run(1, 6000, 12000);
	run(2, 6000, 12000);
}

static void large_files_agree_with_the_model(void **state)
{
	(void)state;

	run(3, FILE_BYTES + 3000000, 8000);
}

/* Were the histories worth anything? */
static void every_outcome_has_come_up(void **state)
{
	static const int errors[] = {EPERM,  ENOENT, EEXIST,	ENOTDIR,
				     EISDIR, EINVAL, EFBIG,	ENOSPC,
				     EBUSY,  ESTALE, ENOTEMPTY, ELOOP};
	(void)state;

	assert_true(seen[0] > 8000);
	for (size_t i = 0; i < COUNT_OF(errors); i++) {
		assert_true(seen[errors[i]] > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			small_files_and_many_names_agree_with_the_model),
		cmocka_unit_test(large_files_agree_with_the_model),
		cmocka_unit_test(every_outcome_has_come_up),
	};

	return cmocka_run_group_tests_name("fs/tree/model", tests, NULL, NULL);
}
