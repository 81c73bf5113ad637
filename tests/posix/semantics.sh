#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 400
# semantics.sh - our small suite of POSIX semantics (semantics.c), on the
# leader's mount and on a follower's; afterwards all trees are equal.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

cluster_begin 3
chmod 711 "$CLUSTER_DIR" # a user without rights is to reach the mount
NODE_OPTIONS="-o allow_other"
cluster_start
l=$(the_leader) && f=$(follower "$l") || exit 1
for n in "$l" "$f"; do
	must mkdir "${MNT[n]}/posix$n"
	timeout $((120 * SLOW)) "$BUILD/tests/posix/semantics" \
		"${MNT[n]}/posix$n" raftfs >"$CLUSTER_DIR/out" 2>&1 ||
		{ grep -v '^ok' "$CLUSTER_DIR/out"; fail "on n$n"; }
	tail -n 1 "$CLUSTER_DIR/out"
done
trees_are_equal || fail "trees differ"
