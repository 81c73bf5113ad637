/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/logtest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"

int logtest_setup(void **state)
{
	struct fixture *f = mem_zalloc(sizeof *f);

	logkit_init(&f->kit);
	assert_int_equal(logkit_open(&f->kit), 0);
	*state = f;
	return 0;
}

int logtest_teardown(void **state)
{
	struct fixture *f = *state;

	logkit_deinit(&f->kit);
	mem_free(f);
	return 0;
}

void crash_and_open(struct fixture *f, uint64_t seed)
{
	logkit_close(&f->kit);
	faultdisk_crash(f->kit.disk, seed);
	assert_int_equal(logkit_open(&f->kit), 0);
}

void assert_holds(struct fixture *f)
{
	const char *differs = logkit_differs(f->kit.log, &f->model, 0);

	if (differs != NULL) {
		fail_msg("the log differs in %s", differs);
	}
}
