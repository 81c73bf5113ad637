#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 120
# background.sh - a daemon without a terminal and without a system log: why it
# did not start is said to whoever started it, why it refuses writes and why it
# died stands in raftfs.log of its data folder.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

launch() { # OPTION...: in the background, until it serves; its output in $out
	cluster_state "mount ${MNT[1]}"
	out=$(within 20 "$RAFTFS" --id n1 --data "${DATA[1]}" "$@" "${MNT[1]}" 2>&1 \
		</dev/null) || return
	PID[1]=$(pgrep --full -- "--data ${DATA[1]} ") || fail "it does not run"
	cluster_state "pid ${PID[1]} ${MNT[1]}"
}
log() { cat "${DATA[1]}/raftfs.log"; }
put() { within 10 bash -c 'echo "$1" >"$2/key"' _ "$1" "${MNT[1]}"; }

cluster_begin 1
LOG[1]=${DATA[1]}/raftfs.log
must launch
[ -z "$out" ] || fail "it said: $out"
must put one
[ "$(stat -c %a "${LOG[1]}")" = 600 ] || fail "its log is for others too"
log | grep -q ' info n1: became leader' || fail "$(log)"

note "another daemon on the same folder"
before=$(log)
if said=$(within 20 "$RAFTFS" --id n1 --data "${DATA[1]}" --no-mount 2>&1); then
	fail "it started"
fi
grep -q '^raftfs: .*in use' <<<"$said" || fail "it said: $said"
[ "$(log)" = "$before" ] || fail "it wrote into the log of the first"

note "an ordered end"
node_end() { # as an administrator would; it is no child of this shell
	kill -TERM "${PID[1]}"
	wait_for 10 node_is_gone 1 || fail "it does not end"
	PID[1]=''
}
node_end
log | grep -q ' info n1: ending' || fail "$(log)"

note "a full disk"
DATA[1]=$CLUSTER_DIR/disk/d1
LOG[1]=${DATA[1]}/raftfs.log
mkdir "$CLUSTER_DIR/disk"
cluster_state "mount $CLUSTER_DIR/disk"
must mount -t tmpfs -o size=80m raftfs-test "$CLUSTER_DIR/disk"
must launch
# What only takes away, as a truncation, is not refused, and waits for room.
refuses() {
	! within 10 dd if=/dev/urandom of="${MNT[1]}/big" bs=1M count=1 conv=notrunc \
		status=none 2>"$CLUSTER_DIR/dd"
}
# A node makes room of its own log first; then nothing is left. What was under way
# when that came waits too, and its outcome is unknown: it times out.
refuses_when_filled() {
	cat /dev/zero >>"$CLUSTER_DIR/disk/filler" 2>/dev/null
	refuses && grep -q 'No space left' "$CLUSTER_DIR/dd"
}
wait_for 20 refuses_when_filled || fail "a full disk takes writes: $(cat "$CLUSTER_DIR/dd")"
log | grep -q 'the data disk is nearly full' || fail "no word of it: $(log)"
must rm "$CLUSTER_DIR/disk/filler"
wait_for 30 put again || fail "it takes no writes again: $(log)"

note "a death: no file can be opened any more"
full=$(log)
must prlimit --pid "${PID[1]}" --nofile=10:10
for ((i = 0; i < 200; i++)); do
	within 10 dd if=/dev/urandom of="${MNT[1]}/f" bs=1M count=1 status=none \
		2>/dev/null || break
done
wait_for 10 node_is_gone 1 || fail "it survived"
last=$(log | tail -c +$((${#full} + 1)))
grep -q ' error n1: .*Too many open files' <<<"$last" || fail "no word of it: $last"
echo "$last"
