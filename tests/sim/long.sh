#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# long.sh - new seeds for an hour; the range goes to tests/sim/LEDGER.
#
# usage: BUILD=FOLDER [SECONDS_ALL=N] [WORKERS=N] tests/sim/long.sh
#
# A range begins where the last one in the ledger ended. Exit code 0: no seed
# failed.
set -u
cd "$(dirname "$0")/../.." || exit 1

ledger=tests/sim/LEDGER
first=$(awk '$1 ~ /^[0-9]+-[0-9]+$/ { split($1, r, "-"); if (r[2] > last) last = r[2] }
	END { print (last > 10000 ? last : 10000) + 1 }' "$ledger")
commit=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
git diff --quiet HEAD -- base raft kv fs proto tests/sim tests/lib 2>/dev/null ||
	commit=$commit+changes

exec "$BUILD/tests/sim/sim" --kept tests/sim/SEEDS --from "$first" \
	--count 1000000000 --seconds "${SECONDS_ALL:-3600}" \
	--workers "${WORKERS:-$(nproc)}" --ledger "$ledger" --commit "$commit"
