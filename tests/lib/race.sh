#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# race.sh BUILD - the thread sanitizer, with the options our tests run under,
# reports the race planted in race.c.
set -u
cd "$(dirname "$0")/../.." || exit 1

make --no-print-directory BUILD="$1" CFLAGS='-O1 -g' \
	SANITIZE='-fsanitize=thread' "$1/tests/lib/race" || exit 1
if out=$("$1/tests/lib/race" 2>&1); then
	echo "the planted race was not reported:"
	echo "$out"
	exit 1
fi
grep -q 'WARNING: ThreadSanitizer: data race' <<<"$out"
