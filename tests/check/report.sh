#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# report.sh - tests/run.sh tells why a test failed although much was said after
# that, counts what passed, failed and was skipped, fails if one did, and runs
# nothing beside a test that is to be alone.
set -u
cd "$(dirname "$0")/../.." || exit 1

scratch=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/tests/cluster" "$scratch/tests/lib"
cp tests/run.sh "$scratch/tests"
cp tests/lib/reap.sh "$scratch/tests/lib"
echo 'all programs: ;' >"$scratch/Makefile" # its build passes as well

script() { # NAME TEXT: a test of the group cluster
	printf '#!/usr/bin/env bash\n%s\n' "$2" >"$scratch/tests/cluster/$1.sh"
	chmod +x "$scratch/tests/cluster/$1.sh"
}
fails() { # NAME REASON: a test that gives it, and 100 lines more
	script "$1" "echo begin; echo '$2'; seq -f '$1 line %g' 100; exit 1"
}
runs() {
	env -u NO_SKIPS BUILD=build JOBS=2 "$scratch/tests/run.sh" timed cluster \
		>"$scratch/out" 2>&1
}
rc=0
expect() { # LINE
	grep -qxF -- "$1" "$scratch/out" && return
	echo "not said: $1"
	rc=1
}

script passes 'echo fine'
script measures '# alone
: >measuring; sleep 0.5; rm measuring'
script beside 'sleep 0.2; [ ! -e measuring ]'
script skipped 'echo "needs a thing"; exit 77'
runs || { echo "a run without a failure failed"; rc=1; }
expect 'skip cluster/skipped: needs a thing'
expect '4 passed, 0 failed, 1 skipped'

fails shell 'FAILED: the trees differ'
fails judge 'violation: a write was lost'
fails cmocka '[  ERROR   ] --- 1 != 2'
fails sanitizer 'x.c:1:2: runtime error: index out of bounds'
fails seeds 'seed 7 failed: C1'
fails planted 'raftfs: bug: x.c:1: CHECK(a)'
! runs || { echo "a run with failures passed"; rc=1; }
expect '  > 2:FAILED: the trees differ'
expect '  > 2:violation: a write was lost'
expect '  > 2:[  ERROR   ] --- 1 != 2'
expect '  > 2:x.c:1:2: runtime error: index out of bounds'
expect '  > 2:seed 7 failed: C1'
expect '  > 2:raftfs: bug: x.c:1: CHECK(a)'
expect '    shell line 100'
expect '4 passed, 6 failed, 1 skipped'

[ "$rc" = 0 ] || sed 's/^/| /' "$scratch/out"
exit "$rc"
