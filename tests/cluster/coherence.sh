#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# coherence.sh - what several nodes see of one file while it changes: never
# empty, never torn, never older after newer; names come and go at once.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

LOOPS=${LOOPS:-300}

# echo overwrites, cat reads: every line read is whole ("N ... N") and no older
# than the one before it. All lines are of one length: cat reads until the end,
# and a longer line would rightly show it one.
#
# What a shell opens with O_TRUNC and does not write within 100 ms is emptied, as
# promised. So an empty read counts when no overwrite was that slow beside it.
reader() { # FILE: until it reads the last number; lines "empty BEGUN ENDED", too
	local last=0 line first rest count=0 begun
	while [ "$last" -lt $((1000 + LOOPS)) ]; do
		begun=${EPOCHREALTIME/[.,]/}
		line=$(cat "$1") || { echo "cat failed"; return 1; }
		if [ -z "$line" ]; then
			echo "empty $begun ${EPOCHREALTIME/[.,]/} after $last"
			continue
		fi
		first=${line%% *} rest=${line##* }
		[ "$first" = "$rest" ] && [ "${#line}" -ge 100 ] ||
			{ echo "torn: $line"; return 1; }
		[ "$first" -ge "$last" ] ||
			{ echo "$first after $last"; return 1; }
		last=$first
		count=$((count + 1))
	done
	echo "$count reads, up to $last"
}
export LOOPS
filler=$(printf 'x%.0s' $(seq 120))

SLOW_US=90000 # before the 100 ms are over
overwrite() { # FILE TEXT: a line "BEGUN ENDED" of $CLUSTER_DIR/slow if it was slow
	local begun=${EPOCHREALTIME/[.,]/} ended
	echo "$2" >"$1" || return
	ended=${EPOCHREALTIME/[.,]/}
	[ $((ended - begun)) -lt "$SLOW_US" ] ||
		echo "$begun $ended" >>"$CLUSTER_DIR/slow"
}
unexplained() { # READS: the empty ones beside which no overwrite was slow
	awk -v slow="$CLUSTER_DIR/slow" '
		BEGIN {
			while ((getline line <slow) > 0) {
				split(line, at)
				begun[++count] = at[1]
				ended[count] = at[2]
			}
		}
		$1 == "empty" {
			for (i = 1; i <= count; i++)
				if (begun[i] <= $3 && $2 <= ended[i])
					next
			print
		}' "$1"
}

overwrite_and_read() { # WRITER HOW
	local i pids=() file=over.$2 reads
	echo "1001 $filler 1001" >"${MNT[$1]}/$file"
	: >"$CLUSTER_DIR/slow"
	for ((i = 1; i <= NODES; i++)); do
		within $((60 * SLOW)) bash -c "$(declare -f reader); reader \"\$1\"" \
			_ "${MNT[i]}/$file" >"$CLUSTER_DIR/reader.$i" &
		pids+=($!)
	done
	for ((i = 1002; i <= 1000 + LOOPS; i++)); do
		case $2 in
		echo) overwrite "${MNT[$1]}/$file" "$i $filler $i" ;;
		move)
			echo "$i $filler $i" >"${MNT[$1]}/$file.new" &&
				mv "${MNT[$1]}/$file.new" "${MNT[$1]}/$file"
			;;
		esac || fail "$2: write $i failed"
	done
	for ((i = 1; i <= NODES; i++)); do
		reads=$CLUSTER_DIR/reader.$i
		wait "${pids[i - 1]}" || fail "$2: n$i read: $(tail -n 1 "$reads")"
		unexplained "$reads" >"$CLUSTER_DIR/empty"
		[ ! -s "$CLUSTER_DIR/empty" ] ||
			fail "$2: n$i read: $(head -n 1 "$CLUSTER_DIR/empty")"
		echo "$2 on n$1, n$i: $(tail -n 1 "$reads")," \
			"$(grep -c ^empty "$reads") empty beside" \
			"$(wc -l <"$CLUSTER_DIR/slow") slow writes"
	done
}

appends() { # every node appends at once: no line lost, none torn
	local i pids=()
	: >"${MNT[1]}/log"
	for ((i = 1; i <= NODES; i++)); do
		within 60 bash -c 'for k in $(seq 100); do
			echo "line $2 $k $2 end" >>"$1" || exit 1; done' \
			_ "${MNT[i]}/log" "$i" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "an append failed"
	done
	for ((i = 1; i <= NODES; i++)); do
		for k in 1 2 3; do
			# In the order in which their node appended them.
			grep "^line $k " "${MNT[i]}/log" >"$CLUSTER_DIR/got"
			seq 100 | sed "s/.*/line $k & $k end/" |
				cmp -s - "$CLUSTER_DIR/got" ||
				fail "n$i: the lines of n$k are not whole"
		done
		[ "$(wc -l <"${MNT[i]}/log")" = 300 ] || fail "n$i: other lines"
	done
}

one_winner() { # COMMAND with the path as $1: only one node succeeds
	local i round won pids
	for ((round = 1; round <= 20; round++)); do
		pids=() won=0
		for ((i = 1; i <= NODES; i++)); do
			LC_ALL=C within 20 bash -c "$1" _ "${MNT[i]}/race.$round" \
				2>"$CLUSTER_DIR/race.$i" &
			pids+=($!)
		done
		for ((i = 1; i <= NODES; i++)); do
			if wait "${pids[i - 1]}"; then
				won=$((won + 1))
			else
				grep -qE 'File exists|cannot overwrite existing' \
					"$CLUSTER_DIR/race.$i" ||
					fail "$1: $(cat "$CLUSTER_DIR/race.$i")"
			fi
		done
		[ "$won" = 1 ] || fail "$1: $won winners"
		rm -rf "${MNT[1]}/race.$round"
	done
}

names_at_once() { # no stale name, size or content on another node
	local a=${MNT[1]} b=${MNT[2]} i
	for ((i = 1; i <= 50; i++)); do
		cat "$b/name" 2>/dev/null && fail "a name before its time"
		echo "v$i" >"$a/name"
		[ "$(cat "$b/name")" = "v$i" ] || fail "n2 does not see v$i at once"
		[ "$(stat -c %s "$a/name")" = "$((${#i} + 2))" ] || fail "size"
		echo more >>"$b/name"
		[ "$(stat -c %s "$a/name")" = "$((${#i} + 7))" ] ||
			fail "n1 does not see the new size at once"
		[ "$(tail -n 1 "$a/name")" = more ] || fail "n1: old content"
		printf AAAAAAAAAAAA >"$b/name"
		printf B >"$a/name"
		[ "$(cat "$b/name")" = B ] || fail "an old tail on n2"
		mv "$a/name" "$a/moved"
		[ ! -e "$b/name" ] && [ -e "$b/moved" ] || fail "rename not seen"
		rm "$b/moved"
		[ ! -e "$a/moved" ] || fail "removal not seen"
	done
}

open_elsewhere() { # unlinked or replaced while open on another node
	local a=${MNT[1]} b=${MNT[2]}
	echo old >"$a/held"
	exec 7<>"$b/held"
	rm "$a/held"
	[ "$(cat <&7)" = old ] || fail "unlinked elsewhere: not readable"
	echo more >&7 || fail "unlinked elsewhere: not writable"
	[ ! -e "$b/held" ] || fail "unlinked elsewhere: still has its name"
	exec 7<&-
	echo old >"$a/held"
	exec 7<"$b/held"
	echo new >"$a/held.new"
	mv "$a/held.new" "$a/held"
	[ "$(cat <&7)" = old ] || fail "replaced elsewhere: not readable"
	[ "$(cat "$b/held")" = new ] || fail "replaced elsewhere: not seen"
	exec 7<&-
}

cluster_begin 3
cluster_start
l=$(the_leader) && f=$(follower "$l") || exit 1
overwrite_and_read "$l" echo
overwrite_and_read "$f" echo
overwrite_and_read "$f" move
appends
one_winner 'mkdir "$1"'
one_winner 'set -C; : >"$1"'
one_winner 'ln -s x "$1"'
names_at_once
open_elsewhere
trees_are_equal || fail "trees differ"
