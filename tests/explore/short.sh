#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# short.sh - small bounds that the exploration of the core sees all of, and
# that its model is true to the cores. About 10 seconds on one core.
# limit: 240
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
explore=$BUILD/tests/explore/explore

rc=0
run() { # EXPECTED NAME=VALUE...
	local expected=$1 out
	shift
	echo "$*"
	out=$("$explore" QUIET=1 "$@")
	tail -n 3 <<<"$out"
	grep -q "$expected" <<<"$out" || {
		echo "expected: $expected"
		rc=1
	}
}

walks='the same for real cores'
run "$walks" WALK=50 TERMS=5
run "$walks" WALK=50 TERMS=5 LAG=1
run "$walks" WALK=50 TERMS=5 LAG=3 PROMISES=1 ENTRIES=8
run "$walks" WALK=50 TERMS=5 PREVOTES=1 PROMISES=1
run "$walks" WALK=50 TERMS=5 NODES=5

complete='complete: nothing is broken within the bounds'
run "$complete" TERMS=2 CRASHES=0 PROPOSALS=0
run "$complete" TERMS=2 CRASHES=1 PROPOSALS=0 HEARTBEATS=0
run "$complete" TERMS=1 CRASHES=1 PROPOSALS=1
run "$complete" TERMS=1 CRASHES=2 PROPOSALS=1 HEARTBEATS=0 LAG=2
run "$complete" TERMS=2 CRASHES=0 PROPOSALS=0 HEARTBEATS=0 LAG=1
run "$complete" TERMS=2 CRASHES=0 PROPOSALS=0 HEARTBEATS=0 PREVOTES=1 \
	PROMISES=1
run "$complete" NODES=4 TERMS=1 CRASHES=0 PROPOSALS=0 HEARTBEATS=0
exit "$rc"
