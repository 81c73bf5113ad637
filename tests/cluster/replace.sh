#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# replace.sh - nobody that runs is replaced under its own name, the leader
# neither, and the refusal says what to do; who was killed a moment ago is. An
# invitation is taken back without the member of that name, which then goes by
# the same command.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

three="n1=voter n2=voter n3=voter"
are() { # "n1=voter ...": as nodes 1 and 2 have it
	wait_for 20 members_are 1 "$1" && wait_for 20 members_are 2 "$1" ||
		fail "$(members_of 1), not $1"
}
replace() { ctl "$1" member replace "n$2" "n$2" "${ADDR[$2]}"; } # BY N
refused() { # BY N
	! replace "$1" "$2" >"$CLUSTER_DIR/said" 2>&1 || fail "n$2 is replaced"
	[ "$(cat "$CLUSTER_DIR/said")" = "raftfsctl: member replace n$2 n$2 ${ADDR[$2]}: \
n$2 is running and answers: stop it first, or remove it" ] ||
		fail "it says: $(cat "$CLUSTER_DIR/said")"
}
# The leader refuses for whom it hears. That a mount answers does not say that the
# node's links are up.
is_connected() { # N: to both others
	local i
	for i in 1 2 3; do
		[ "$i" = "$1" ] || ctl "$i" member list |
			grep -q "^n$1 .* voter.* connected " || return 1
	done
}

cluster_begin 3
cluster_start
must ctl 1 transfer n1 >/dev/null
for n in 1 2 3; do
	wait_for 10 is_connected "$n" || fail "n$n has no links"
done

note "who runs is not replaced: a follower, the leader, asked of either"
refused 1 3
refused 3 3
refused 1 1
refused 2 1
are "$three"

note "who was killed is, at once; it comes back with its data all the same"
node_kill9 3
must replace 2 3 >/dev/null
are "$three n3=invited"
node_start 3
wait_for 10 is_connected 3 || fail "n3 has no links"
refused 1 3
wait_for 20 members_are 3 "$three n3=invited" || fail "n3: $(members_of 3)"

note "the invitation alone is taken back"
[ "$(ctl 2 member remove n3)" = "the invitation of n3 is taken back; n3 itself stays a voter,\
 which the same command removes" ] || fail "it does not say so"
are "$three"
must ctl 3 set /after back
[ "$(ctl 1 get /after)" = back ] || fail "n3 does not write"

note "the member goes by the same command"
[ "$(ctl 2 member remove n3)" = "n3 is removed" ] || fail "it does not say so"
node_ends 3 "node n3 was removed from cluster"
are "n1=voter n2=voter"
