#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 300
# repair.sh - a log, a database table and a whole state are damaged, each on a
# stopped node of three, while the others are written to. Each node says so in
# one line, keeps the damaged files aside, repairs itself from its peers and
# ends with the same tree; nothing acknowledged is lost. Damage that is found
# as the node runs ends it, and its next start repairs it. Two of three damaged
# at once: no leader, the status says why, and the way out works.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

FILES=${FILES:-40}

write_some() { # NODE FOLDER: acknowledged one by one
	local i
	within 10 mkdir -p "${MNT[$1]}/$2" || fail "no folder $2"
	for ((i = 0; i < FILES; i++)); do
		head -c 300000 /dev/urandom |
			within 10 tee "${MNT[$1]}/$2/file.$i" \
				>"$CLUSTER_DIR/kept.$2.$i" || fail "$2/file.$i"
	done
}
is_there() { # NODE FOLDER
	local i
	for ((i = 0; i < FILES; i++)); do
		within 10 cmp "$CLUSTER_DIR/kept.$2.$i" \
			"${MNT[$1]}/$2/file.$i" || fail "n$1 lost $2/file.$i"
	done
}
flip() { # FILE OFFSET
	printf 'damaged by hand.' |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none || fail "dd"
}
middle_of() { # FILE
	echo $(($(stat -c %s "$1") / 2))
}
is_repaired() { [ "$(status_of "$1" repair)" = none ] && [ ! -e "${DATA[$1]}/repair" ]; }
await_repair() { # NODE TEXT: what it said
	wait_for 20 is_repaired "$1" || fail "n$1: repair: $(status_of "$1" repair)"
	grep -q "$2.*does not vote until it is repaired from its peers" \
		"${LOG[$1]}" || fail "n$1 does not say: $2"
	grep -q 'repaired: this node has all entries' "${LOG[$1]}" ||
		fail "n$1 does not say that it is repaired"
	[ -d "${DATA[$1]}/damaged/log" ] || fail "n$1 keeps nothing"
	: >"${LOG[$1]}"
	must wait_for 20 cluster_is_one
}
largest_table() { # NODE
	find "${DATA[$1]}"/state-* -name '*.sst' -printf '%s %p\n' |
		sort -n | tail -n 1 | cut -d' ' -f2
}
all_read() { # NODE: every byte
	within 60 find "${MNT[$1]}" -path '*/.raftfs' -prune -o -type f \
		-exec cat {} + >/dev/null 2>&1
}
serves_or_ended() { # NODE: its damage may be found as it starts, too
	node_is_gone "$1" || { node_is_mounted "$1" && node_answers "$1"; }
}
ends_on_reading() { # NODE
	all_read "$1"
	node_is_gone "$1"
}

cluster_begin 3
cluster_start
write_some 1 first

note "a log is damaged in its middle"
must node_stop 2
segment=$(find "${DATA[2]}/log" -name 'log-0*' | sort | head -n 1)
flip "$segment" 100000
cp "$segment" "$CLUSTER_DIR/damaged"
write_some 1 second
node_start 2
await_repair 2 'log-0[0-9]*: damaged at offset'
cmp "$CLUSTER_DIR/damaged" "${DATA[2]}/damaged/log/${segment##*/}" ||
	fail "the damaged segment is not what is kept"
is_there 2 second
trees_are_equal || fail "trees differ"

note "it votes again: with it, n3 goes on without n1"
must node_stop 1
wait_for 20 cluster_is_one || fail "n2 and n3 are no quorum"
node_start 1
must wait_for 20 cluster_is_one

note "a table of the database is damaged where only some reads come by"
must node_stop 3
table=$(largest_table 3)
flip "$table" "$(middle_of "$table")"
write_some 2 third
node_launch 3
wait_for 15 serves_or_ended 3 || fail "n3 did not start"
node_is_gone 3 || wait_for 60 ends_on_reading 3 || fail "n3 does not mind its damage"
wait "${PID[3]}" && fail "n3 ended well"
grep -q 'is damaged.*this node ends, and its next start has it repaired' \
	"${LOG[3]}" || fail "n3 does not say why it ended"
umount -l "${MNT[3]}" 2>/dev/null
PID[3]=''
node_start 3
await_repair 3 'the state database .*damaged'
is_there 3 third
trees_are_equal || fail "trees differ"

note "a database without its list of files"
must node_stop 1
rm "$(find "${DATA[1]}"/state-* -name 'MANIFEST*' | head -n 1)"
write_some 3 fourth
node_start 1
await_repair 1 'the state database in .* does not open'
is_there 1 fourth
[ "$(find "${DATA[1]}" -maxdepth 1 -name 'damaged*' | wc -l)" = 1 ] ||
	fail "more than one set is kept"
trees_are_equal || fail "trees differ"

note "two of three are damaged: no leader, and the way out"
must node_stop 3
must node_stop 2
has_no_quorum() { status_of "$1" quorum | grep -q '^no'; }
must wait_for 20 has_no_quorum 1
for ((n = 2; n <= 3; n++)); do
	flip "$(find "${DATA[n]}/log" -name 'log-0*' | sort | tail -n 1)" 4200
	node_start "$n"
done
says_too_many() { status_of "$1" quorum | grep -q 'too many: raftfsctl recover'; }
for ((n = 1; n <= 3; n++)); do
	wait_for 20 says_too_many "$n" || fail "n$n: $(status_of "$n" quorum)"
done
within 10 touch "${MNT[1]}/never" 2>/dev/null && fail "written without a quorum"
status_of 2 repair | grep -q 'waits for a leader (log-0' ||
	fail "n2: repair: $(status_of 2 repair)"
ctl 1 status | grep -q '^member: n2 .* repairing' || fail "$(ctl 1 status)"
for ((n = 1; n <= 3; n++)); do
	must node_stop "$n"
done
within 30 "$RAFTFSCTL" --data "${DATA[2]}" recover --id n2 --yes \
	>/dev/null 2>"$CLUSTER_DIR/err" && fail "an empty node was recovered"
within 30 "$RAFTFSCTL" --data "${DATA[1]}" recover --id n1 --yes \
	>"$CLUSTER_DIR/said" || fail "not recovered: $(cat "$CLUSTER_DIR/said")"
PEERS=n1=${ADDR[1]}
NODES=1
node_start 1
wait_for 20 cluster_is_one || fail "the recovered node takes no write"
for folder in first second third fourth; do
	is_there 1 "$folder"
done
