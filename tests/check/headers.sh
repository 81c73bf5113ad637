#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# headers.sh - every header compiles alone, and one that does not is noticed.
# The generated headers of proto/ are in $BUILD.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
CC=${CC:-gcc}

read -ra fuse <<<"$(pkg-config --cflags fuse3 2>/dev/null)"
alone() { # HEADER
	"$CC" -std=c11 -Wall -Wextra -Werror -fsyntax-only -I. -I"$BUILD" \
		-D_GNU_SOURCE -DPB_ENABLE_MALLOC ${fuse[@]+"${fuse[@]}"} \
		-include "$1" -x c /dev/null
}

rc=0
while read -r header; do
	alone "$header" || rc=1
done < <(find base proto raft kv fs tests -name '*.h' | sort)

scratch=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
echo 'uint32_t lame(void);' >"$scratch/lame.h"
if alone "$scratch/lame.h" 2>/dev/null; then
	echo "a header that needs another was not noticed"
	rc=1
fi
exit "$rc"
