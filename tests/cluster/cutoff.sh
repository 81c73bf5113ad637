#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# cutoff.sh - the leader's link is cut: what is written on its side is not
# acknowledged, the others go on, and when the link is back all nodes hold
# what was acknowledged. Then the same with a follower.
set -u
cd "$(dirname "$0")/../.." || exit 1
CLUSTER_NET=netns
. tests/lib/cluster.sh

put() { within 10 bash -c 'echo "$1" >"$2"' _ "$3" "${MNT[$1]}/$2"; }
majority_leads() { # the others agree on one of them
	local i l
	for ((i = 1; i <= NODES; i++)); do
		[ "$i" != "$1" ] || continue
		l=$(leader_by "$i")
		[ -n "$l" ] && [ "$l" != "$1" ] || return 1
	done
}
says_no_quorum() { grep -q '^quorum: no (..*)' "${MNT[$1]}/.raftfs/status"; }

cut_off() { # N WHAT
	local n=$1 other=$(($1 % NODES + 1)) i
	note "$2: n$n is cut off"
	must put "$n" key before
	node_cut "$n"
	if put "$n" lost lost 2>"$CLUSTER_DIR/err"; then
		fail "$2: a write on the minority's side was acknowledged"
	fi
	grep -qE 'Read-only file system|Connection timed out' \
		"$CLUSTER_DIR/err" || fail "$2: $(cat "$CLUSTER_DIR/err")"
	wait_for 5 majority_leads "$n" || fail "$2: the others have no leader"
	must put "$other" key kept
	must wait_for 5 says_no_quorum "$n"
	# It answers, from what it has; it can not know better, and says so.
	[ "$(within 5 cat "${MNT[n]}/key")" = before ] ||
		fail "$2: the node that is cut off does not answer"
	grep '^reads' "${MNT[n]}/.raftfs/status"
	node_heal "$n"
	wait_for 15 cluster_is_one || fail "$2: no cluster with the link back"
	for ((i = 1; i <= NODES; i++)); do
		[ "$(within 5 cat "${MNT[i]}/key")" = kept ] ||
			fail "$2: n$i does not have what was acknowledged"
	done
	trees_are_equal || fail "$2: the trees differ"
}

cluster_begin 3
NODE_OPTIONS="--timeout 2"
cluster_start
l=$(the_leader) || exit 1
cut_off "$l" "the leader"
f=$(follower) || exit 1
cut_off "$f" "a follower"
l=$(the_leader) || exit 1
cut_off "$l" "the leader again"
