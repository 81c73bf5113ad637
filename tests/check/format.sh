#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# format.sh - clang-format would change nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1

if ! command -v clang-format >/dev/null; then
	echo "clang-format is not installed"
	exit 77
fi
find base proto raft kv fs tests -name '*.[ch]' -print0 | sort -z |
	xargs -0 clang-format --dry-run --Werror || exit 1

scratch=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
cp .clang-format "$scratch/"
echo 'int  f( void ){return 0;}' >"$scratch/plant.c"
if clang-format --dry-run --Werror "$scratch/plant.c" 2>/dev/null; then
	echo "a planted breach was not found"
	exit 1
fi
