#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 300
# full.sh - a full data disk ends no daemon and loses nothing: a follower's
# holds up nobody, nor does the leader's, who hands over; a majority's refuses
# with ENOSPC what adds, rm always works, and everything goes on by itself once
# there is room. Each node's data folder is a file system of its own.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

DISK_MIB=${DISK_MIB:-512}

# Another program takes all the room there is on N's disk.
fill_disk() {
	dd if=/dev/zero bs=1M 2>/dev/null >>"${DATA[$1]}/filler" &&
		fail "n$1: its disk did not get full"
	note "n$1: disk filled: $(df --output=avail "${DATA[$1]}" | tail -n 1) KiB left"
}
empty_disk() { must rm "${DATA[$1]}/filler"; }

all_run() {
	local i
	for ((i = 1; i <= NODES; i++)); do
		! node_is_gone "$i" || fail "n$i ended $1"
	done
}
caught_up() { # N
	[ "$(status_of "$1" lag)" = 0 ] &&
		[ "$(status_of "$1" applied)" = "$(status_of "$(leader)" applied)" ]
}
# Nothing is emptied first: that is not refused, and waits for room.
writes() { # N FILE MIB: within the deadline, with its outcome
	within $((20 * SLOW)) dd if=/dev/urandom of="${MNT[$1]}/$2" bs=1M \
		count="$3" conv=fsync,notrunc 2>"$CLUSTER_DIR/dd"
}
writes_again() { writes "$1" again 1; }
is_refused() { # N: it takes no new content
	! writes "$1" refused 1 && grep -q 'No space left' "$CLUSTER_DIR/dd"
}
removes() { # N FILE: at once, for all
	must within $((4 * SLOW)) rm "${MNT[$1]}/$2"
	[ ! -e "${MNT[$1]}/$2" ] && [ ! -e "${MNT[$1 % 3 + 1]}/$2" ] ||
		fail "$2 is still there"
}
disk_of() { status_of "$1" disk; }
is_low() { [[ $(disk_of "$1") == *"nearly full"* ]]; }
has_room() { [ "$(disk_of "$1")" = ok ]; }

# A node makes room of its own log first; then nothing is left.
refuses_when_filled() { # N BY
	fill_disk "$1"
	is_refused "$2"
}

follower_full() {
	local f l n
	l=$(the_leader) && f=$(follower "$l") || exit 1
	note "a follower's disk is full: n$f"
	for n in 1 2 3 4; do
		must writes "$l" "kept.$n" 1
	done
	wait_for 10 caught_up "$f" || fail "n$f does not catch up"
	fill_disk "$f"
	removes "$f" kept.1 # before it knows
	wait_for 5 is_low "$f" || fail "n$f does not say that its disk is low"
	removes "$f" kept.2
	fill_disk "$f" # to the last byte, the reserve too
	removes "$f" kept.3
	removes "$f" kept.4
	# More than its log has room for: the others go on without it.
	writes "$l" big 60 || fail "held up: $(cat "$CLUSTER_DIR/dd")"
	is_refused "$f" || fail "n$f takes a write: $(cat "$CLUSTER_DIR/dd")"
	must within 5 ls "${MNT[f]}" >/dev/null
	all_run "while a follower's disk was full"
	empty_disk "$f"
	wait_for 30 caught_up "$f" || fail "n$f does not catch up"
	wait_for 5 has_room "$f" || fail "n$f: disk: $(disk_of "$f")"
	trees_are_equal || fail "the trees differ"
	must within 20 rm "${MNT[l]}/big"
}

leads_not() { # N
	local l
	l=$(leader)
	[ -n "$l" ] && [ "$l" != "$1" ]
}

# Another one leads as soon as the leader says that its disk is low; nobody
# else's write is refused or waits for long, before, meanwhile and after.
leader_full() {
	local l f n
	l=$(the_leader) && f=$(follower "$l") || exit 1
	note "the leader's disk is full: n$l"
	must writes "$l" kept 4
	fill_disk "$l"
	for ((n = 0; n < 40; n++)); do
		writes "$f" "on.$n" 1 || fail "refused: $(cat "$CLUSTER_DIR/dd")"
	done
	wait_for 5 is_low "$l" || fail "n$l does not say that its disk is low"
	wait_for 10 leads_not "$l" || fail "n$l leads on"
	fill_disk "$l" # and what it had made room of
	for ((; n < 80; n++)); do
		writes "$f" "on.$n" 1 || fail "refused: $(cat "$CLUSTER_DIR/dd")"
	done
	is_refused "$l" || fail "n$l takes a write: $(cat "$CLUSTER_DIR/dd")"
	must within 10 cmp "${MNT[l]}/kept" "${MNT[f]}/kept"
	must within 10 rm "${MNT[f]}/kept"
	[ "$(leader)" != "$l" ] || fail "n$l leads again"
	all_run "while the leader's disk was full"
	empty_disk "$l"
	wait_for 30 writes_again "$l" ||
		fail "writes do not resume: $(cat "$CLUSTER_DIR/dd")"
	[ ! -e "${MNT[l]}/kept" ] || fail "rm did nothing"
	wait_for 30 caught_up "$l" || fail "n$l does not catch up"
	trees_are_equal || fail "the trees differ"
	must within 20 rm "${MNT[f]}"/on.*
}

# Two of three: no majority has room.
majority_full() {
	local l f n
	l=$(the_leader) && f=$(follower "$l") || exit 1
	note "two disks are full: n$l, n$f"
	must writes "$l" kept 4
	fill_disk "$f"
	wait_for 20 refuses_when_filled "$l" "$((6 - l - f))" ||
		fail "not refused: $(cat "$CLUSTER_DIR/dd")"
	must within 10 cmp "${MNT[1]}/kept" "${MNT[2]}/kept"
	must within 10 rm "${MNT[6 - l - f]}/kept"
	all_run "while two disks were full"
	empty_disk "$f"
	empty_disk "$l"
	for ((n = 1; n <= NODES; n++)); do # each looks at its disk for itself
		wait_for 30 writes_again "$n" ||
			fail "n$n: writes do not resume: $(cat "$CLUSTER_DIR/dd")"
	done
	[ ! -e "${MNT[l]}/kept" ] || fail "rm did nothing"
	for n in "$l" "$f"; do
		wait_for 30 caught_up "$n" || fail "n$n does not catch up"
	done
	trees_are_equal || fail "the trees differ"
}

has_shrunk() { # N BYTES: to less than half of what it was
	[ "$(status_of "$1" state-bytes)" -lt $(($2 / 2)) ]
}

users_fill_it() {
	local i n=0 before
	note "users fill the tree"
	while writes 1 "fill.$n" 4; do
		n=$((n + 1))
		[ "$n" -lt "$DISK_MIB" ] || fail "never full"
	done
	grep -q 'No space left' "$CLUSTER_DIR/dd" ||
		fail "not ENOSPC: $(cat "$CLUSTER_DIR/dd")"
	note "refused after $((4 * n)) MiB"
	all_run "when users filled the tree"
	[ "$n" -gt 3 ] || fail "full far too early"
	for ((i = 1; i <= NODES; i++)); do
		node_kill9 "$i" # a full disk is also started on
	done
	cluster_start
	before=$(status_of 1 state-bytes)
	must within 60 rm "${MNT[2]}"/fill.*
	wait_for 60 writes_again 1 ||
		fail "writes do not resume: $(cat "$CLUSTER_DIR/dd")"
	# What was removed is purged 10 s later, and then compacted away.
	for ((i = 1; i <= NODES; i++)); do
		wait_for 60 has_shrunk "$i" "$before" ||
			fail "n$i: $(status_of "$i" state-bytes) bytes, as $before before"
	done
	all_run "afterwards"
	trees_are_equal || fail "the trees differ"
}

cluster_begin 3
for ((i = 1; i <= NODES; i++)); do
	mkdir "${DATA[i]}"
	cluster_state "mount ${DATA[i]}"
	mount -t tmpfs -o "size=${DISK_MIB}m,mode=0700" raftfs-test "${DATA[i]}" ||
		skip "needs to mount a tmpfs"
done
cluster_start
follower_full
leader_full
majority_full
users_fill_it
for ((i = 1; i <= NODES; i++)); do
	node_stop "$i" || fail "n$i ended with exit code $?"
done
note "a full disk ended nothing and lost nothing"
