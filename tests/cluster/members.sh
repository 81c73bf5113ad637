#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# members.sh - a cluster grows from one node to three to five and shrinks to
# three and to one while writers write: no change fails, none takes longer than
# --timeout, none is lost. Who was removed, was not added, or is of another
# cluster is told so in one line, with the command to run.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh
. tests/lib/load.sh

add_and_start() { # N, asking node 1 and joining there
	ctl 1 member add "n$1" "${ADDR[$1]}" >/dev/null || fail "n$1 is not added"
	JOIN[$1]=${ADDR[1]}
	node_start "$1"
}
removed() { # N, asking node 1
	ctl 1 member remove "n$1" || fail "n$1 is not removed"
	node_ends "$1" "node n$1 was removed from cluster"
}
rest() { sleep 0.5; } # the writers' undisturbed time

cluster_begin 6
NODES=1
PEERS=n1=${ADDR[1]}
cluster_start
NODES=6

load_start one-to-three 7 1
rest
add_and_start 2
add_and_start 3
wait_for 20 members_are 1 "n1=voter n2=voter n3=voter" ||
	fail "three: $(members_of 1)"
load_judge one-to-three 1 2 3

load_start three-to-five 7 1 2 3
rest
add_and_start 4
add_and_start 5
wait_for 20 members_are 3 "n1=voter n2=voter n3=voter n4=voter n5=voter" ||
	fail "five: $(members_of 3)"
load_judge three-to-five 1 2 3 4 5

# The leader is removed as well.
ctl 4 transfer n5 || fail "n5 does not lead"
load_start five-to-three 7 1 2 3
rest
removed 5
wait_for 10 cluster_is_one || fail "no leader after n5"
removed 4
wait_for 20 members_are 2 "n1=voter n2=voter n3=voter" ||
	fail "three again: $(members_of 2)"
load_judge five-to-three 1 2 3

load_start three-to-one 6 1
rest
removed 3
removed 2
wait_for 20 members_are 1 "n1=voter" || fail "one: $(members_of 1)"
load_judge three-to-one 1
! ctl 1 member remove n1 2>"$CLUSTER_DIR/said" || fail "the last one went"
grep -qF "n1 is the only voter" "$CLUSTER_DIR/said" || fail "it does not say why"

# Nobody who does not belong gets in, and nobody minds.
node_launch 3
node_ends 3 "raftfsctl member add n3"
JOIN[6]=${ADDR[1]}
node_launch 6
node_ends 6 "raftfsctl member add n6"
JOIN[6]=''
PEERS=n6=${ADDR[6]}
node_start 6
node_stop 6 || fail "n6 ended badly"
JOIN[6]=${ADDR[1]}
node_launch 6
node_ends 6 "give another --data to join"
ctl 1 set /after all || fail "the cluster minds"
node_stop 1 || fail "n1 ended badly"
