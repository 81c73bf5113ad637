#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tidy.sh [FILE...] - clang-tidy over our sources, or over these.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}

command -v clang-tidy >/dev/null || { echo "clang-tidy is not installed"; exit 77; }
files=("$@")
[ $# -gt 0 ] || mapfile -t files < <(find base proto raft kv fs -name '*.c' | sort)
read -ra fuse <<<"$(pkg-config --cflags fuse3)"
run() { # FILE...
	clang-tidy --quiet "$@" -- -std=c11 -I. -I"$BUILD" -D_GNU_SOURCE \
		-DPB_ENABLE_MALLOC -DRAFTFS_VERSION='"tidy"' "${fuse[@]}" \
		2>/dev/null
}
rc=0
for file in "${files[@]}"; do
	run "$file" || rc=1
done
exit "$rc"
