#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# boot.sh - what a boot script sees of a daemon that goes to the background:
# exit code 0 once it has met its cluster, or with one line that it has not;
# exit code 1 with one line, and no daemon, when its cluster refuses it, however
# much of a state it has of its own.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

# Start nN without -f: its exit code in $rc, its output in $out, the time it
# took in $took.
boot() { # N OPTION...
	local n=$1 began
	shift
	cluster_state "mount ${MNT[n]}"
	began=$(milliseconds)
	rc=0
	out=$(within 30 "$RAFTFS" --id "n$n" --data "${DATA[n]}" "$@" \
		"${MNT[n]}" 2>&1 </dev/null) || rc=$?
	took=$(($(milliseconds) - began))
	PID[n]=$(pgrep --full -- "--data ${DATA[n]} ") || PID[n]=''
	[ -z "${PID[n]}" ] || cluster_state "pid ${PID[n]} ${MNT[n]}"
}
serves() { # N: it says nothing, and is there
	[ "$rc" = 0 ] && [ -z "$out" ] || fail "n$1: exit code $rc, it said: $out"
	[ -n "${PID[$1]}" ] && node_is_up "$1" || fail "n$1 does not serve"
}
is_refused() { # N TEXT
	[ "$rc" = 1 ] || fail "n$1: exit code $rc, it said: $out"
	[ "$(wc -l <<<"$out")" = 1 ] && [[ $out == "raftfs: "*"$2"* ]] ||
		fail "n$1: it said: $out"
	! node_is_mounted "$1" || fail "n$1 is mounted"
	wait_for 5 node_is_gone "$1" || fail "n$1 goes on"
	PID[$1]=''
}
lost_quorum() { [[ $(status_of "$1" quorum) == no* ]]; }
ends() { # N, which is no child of this shell
	kill -TERM "${PID[$1]}" || fail "n$1 does not run"
	wait_for 10 node_is_gone "$1" || fail "n$1 does not end"
	PID[$1]=''
}

cluster_begin 5
NODES=3
PEERS=n1=${ADDR[1]},n2=${ADDR[2]},n3=${ADDR[3]}
cluster_start
NODES=5

note "a member that was away"
node_stop 3 || fail "n3 ended badly"
boot 3 --peers "$PEERS"
serves 3
[ "$took" -lt $((4000 * SLOW)) ] || fail "it took $took ms"
ends 3

note "removed"
ctl 1 member remove n3 || fail "n3 is not removed"
for _ in 1 2 3; do
	boot 3 --peers "$PEERS"
	is_refused 3 "node n3 was removed from cluster"
done

note "never added"
boot 4 --join "${ADDR[1]}" --listen "${ADDR[4]}"
is_refused 4 "raftfsctl member add n4"

note "of another cluster"
boot 5 --listen "${ADDR[5]}"
serves 5
ends 5
boot 5 --join "${ADDR[1]}" --listen "${ADDR[5]}"
is_refused 5 "give another --data to join"

note "removed, and nobody there to say so for sure"
node_stop 2 || fail "n2 ended badly"
wait_for 10 lost_quorum 1 || fail "n1 leads on"
boot 3 --peers "$PEERS"
[ "$rc" = 0 ] && [[ $out == "raftfs: no quorum"* ]] ||
	fail "n3: exit code $rc, it said: $out"
lines=$(grep -c 'link to n1' "${DATA[3]}/raftfs.log")
sleep 4 # of being refused
lines=$(($(grep -c 'link to n1' "${DATA[3]}/raftfs.log") - lines))
[ "$lines" -le 2 ] || fail "n3 says it $lines times in 4 s"
node_start 2
wait_for 20 node_is_gone 3 || fail "n3 goes on"
tail -n 1 "${DATA[3]}/raftfs.log" | grep -q "node n3 was removed" ||
	fail "n3: its last line: $(tail -n 1 "${DATA[3]}/raftfs.log")"
PID[3]=''

note "lost its data"
ctl 1 set /before all || fail "no quorum"
node_stop 2 || fail "n2 ended badly"
must mv "${DATA[2]}" "${DATA[2]}.kept"
wait_for 10 lost_quorum 1 || fail "n1 leads on"
boot 2 --peers "$PEERS"
[ "$rc" = 0 ] || fail "n2: exit code $rc, it said: $out"
[[ $out == "raftfs: "* ]] || fail "no word that it waits: $out"
ends 2
must mv "${DATA[2]}" "${DATA[2]}.lost"
must mv "${DATA[2]}.kept" "${DATA[2]}"
node_start 2
wait_for 10 leader_is_known || fail "n1 and n2 elect no leader"
ctl 1 member add n3 "${ADDR[3]}" >/dev/null || fail "n3 is not added"
must mv "${DATA[3]}" "${DATA[3]}.removed"
boot 3 --join "${ADDR[1]}"
serves 3
wait_for 20 members_are 1 "n1=voter n2=voter n3=voter" || fail "$(members_of 1)"
ends 3
must mv "${DATA[3]}" "${DATA[3]}.lost"
boot 3 --join "${ADDR[1]}" --listen "${ADDR[3]}"
is_refused 3 "this name was a member"
boot 3 --peers "$PEERS"
is_refused 3 "this name was a member"

note "without a quorum"
ctl 1 set /key kept || fail "no quorum"
node_stop 2 || fail "n2 ended badly"
node_stop 1 || fail "n1 ended badly"
boot 1 --peers "$PEERS"
[ "$rc" = 0 ] && [[ $out == "raftfs: no quorum"* ]] ||
	fail "n1: exit code $rc, it said: $out"
[ "$took" -lt $((8000 * SLOW)) ] || fail "it took $took ms"
[ "$(within 5 cat "${MNT[1]}/key")" = kept ] || fail "it does not serve"
ends 1

note "and in the foreground it serves at once, quorum or not"
began=$(milliseconds)
node_start 1 --timeout 60
[ "$(within 5 cat "${MNT[1]}/key")" = kept ] || fail "it does not serve"
took=$(($(milliseconds) - began))
[ "$took" -lt $((10000 * SLOW)) ] || fail "it took $took ms"
node_stop 1 || fail "n1 ended badly"
