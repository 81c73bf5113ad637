#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# learners.sh - 3 voters and 20 learners on one machine: each mounts the tree,
# reads and writes, and none of them votes.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

LEARNERS=${LEARNERS:-20}

everyone_has() { # FILE TEXT
	local n
	for ((n = 1; n <= NODES; n++)); do
		[ "$(within 5 cat "${MNT[n]}/$1" 2>/dev/null)" = "$2" ] || return 1
	done
}
count_of() { # STANDING
	ctl 1 member list | grep -c " $1\( \|$\)"
}
all_are_learners() { [ "$(count_of learner)" = "$LEARNERS" ]; }

cluster_begin $((3 + LEARNERS))
NODES=3
PEERS=n1=${ADDR[1]},n2=${ADDR[2]},n3=${ADDR[3]}
cluster_start
NODES=$((3 + LEARNERS))
for ((n = 4; n <= NODES; n++)); do
	ctl $((n % 3 + 1)) member add "n$n" "${ADDR[n]}" --learner >/dev/null ||
		fail "n$n is not added"
	JOIN[n]=${ADDR[n % 3 + 1]}
	node_launch "$n"
done
for ((n = 4; n <= NODES; n++)); do
	wait_for 30 node_is_up "$n" || fail "n$n did not start"
done
wait_for 20 all_are_learners || fail "not all came: $(members_of 1)"
[ "$(count_of voter)" = 3 ] || fail "voters: $(members_of 1)"

# What one writes all read, whoever it is.
for writer in 1 4 $((3 + LEARNERS)); do
	within 10 sh -c "echo from $writer >'${MNT[writer]}/hello'" ||
		fail "n$writer can not write"
	wait_for 10 everyone_has hello "from $writer" ||
		fail "not all have what n$writer wrote"
done
pids=()
for ((n = 4; n <= NODES; n++)); do # all at once, to one file
	within 20 sh -c "echo $n >>'${MNT[n]}/lines'" &
	pids+=($!)
done
for pid in "${pids[@]}"; do
	wait "$pid" || fail "a learner could not append"
done
[ "$(within 5 sort -u "${MNT[1]}/lines" | wc -l)" = "$LEARNERS" ] ||
	fail "lines were lost"

# They do not count: with one of three voters gone all goes on, with two of
# three nothing does, and no learner leads.
l=$(the_leader) || exit 1
node_kill9 "$l"
k=$(wait_for 15 leader) || fail "no leader among two voters"
[ "$k" -le 3 ] || fail "a learner leads"
within 10 sh -c "echo again >'${MNT[NODES]}/hello'" || fail "no write with two voters"
node_kill9 "$k" # whoever of the two leads now
! within 10 sh -c "echo lost >'${MNT[NODES]}/hello'" 2>/dev/null ||
	fail "a write without a quorum"
node_start "$k"
node_start "$l"
can_write() { within 10 sh -c "echo done >'${MNT[NODES]}/hello'" 2>/dev/null; }
wait_for 20 can_write || fail "no write after all came back"
wait_for 15 everyone_has hello "done" || fail "not all have the last word"
