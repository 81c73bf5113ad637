#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 120
# moved.sh - a member is given another address (raftfsctl member address) and
# started again as it always was: it listens there, although its --peers and
# those of the others name the old one, and counts as before.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

listen_of() { status_of "$1" listen; }
is_called_elsewhere() { [[ $(listen_of "$1") == *"but the cluster has this node at $2)" ]]; }
listens() { [ "$(listen_of "$1")" = "$2" ]; }

cluster_begin 3
cluster_start
new=${ADDR[2]%:*}:7421
wait_for 5 listens 2 "${ADDR[2]}" || fail "listen: $(listen_of 2)"
ctl 1 member address n2 "$new" >/dev/null || fail "no new address"
wait_for 5 is_called_elsewhere 2 "$new" || fail "listen: $(listen_of 2)"
grep -q "warn n2: listening on .*the cluster has this node at $new" "${LOG[2]}" ||
	fail "n2 does not say that it is called elsewhere"

node_stop 2 || fail "n2 ended badly"
node_start 2
wait_for 5 listens 2 "$new" || fail "listen: $(listen_of 2)"
wait_for 20 cluster_is_one || fail "n2 is alone"

note "n2 is needed for the quorum"
node_kill9 3
wait_for 20 cluster_is_one || fail "two of three are no quorum"
note "and the others find it when they are started again"
node_stop 1 || fail "n1 ended badly"
node_start 1
wait_for 20 cluster_is_one || fail "two of three are no quorum"

note "--listen wins"
node_stop 2 || fail "n2 ended badly"
node_start 2 --listen "${ADDR[2]}"
wait_for 5 is_called_elsewhere 2 "$new" || fail "listen: $(listen_of 2)"
