#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 240
# rolling.sh - each of five nodes is restarted in turn, the leader among them,
# while writers write on the others: no change fails, none takes longer than
# --timeout, none is lost. A leader that is stopped hands over.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh
. tests/lib/load.sh

others_than() { # N
	local i
	for ((i = 1; i <= NODES; i++)); do
		[ "$i" = "$1" ] || echo "$i"
	done
}

cluster_begin 5
cluster_start
handed=0
for ((n = 1; n <= NODES; n++)); do
	victim=$n
	# Three of the five lead when their turn comes.
	[ $((n % 2)) = 0 ] || ctl "$victim" transfer "n$victim" >/dev/null ||
		fail "n$victim does not lead"
	mapfile -t others < <(others_than "$victim")
	load_start "restart-n$victim" 3 "${others[@]}"
	sleep 0.5 # the writers' undisturbed time
	node_stop "$victim" || fail "n$victim ended badly"
	sleep 0.5 # its absence
	node_start "$victim"
	load_judge "restart-n$victim" 1 2 3 4 5
	handed=$((handed + $(grep -c "handing over to" "${LOG[victim]}")))
done
echo "handed over $handed times"
[ "$handed" -ge 3 ] || fail "leaders did not hand over"
trees_are_equal || fail "the trees differ"
for ((n = 1; n <= NODES; n++)); do
	node_stop "$n" || fail "n$n ended badly"
done
