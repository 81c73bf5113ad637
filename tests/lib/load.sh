# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# sourced, after cluster.sh - writers on mounts, judged afterwards: no change
# may fail, none may take longer than --timeout, none may be lost.
#
#   load_start NAME SECONDS NODE...   writers on these nodes, in the background,
#                                     longer if they have not done MINIMUM yet
#   load_judge NAME NODE...           wait for them; against these nodes' trees
#
# WRITERS (8), MINIMUM acknowledged changes (200), CALM_MS (5000, --timeout),
# HISTORY (folder where histories are kept).

WRITERS=${WRITERS:-8}
MINIMUM=${MINIMUM:-200}
CALM_MS=${CALM_MS:-$((5000 * SLOW))}
HISTORY=${HISTORY:-$RAFTFS_BUILD/test-logs/history-$(basename "$0" .sh)}
history=$BUILD/tests/cluster/history
judge=$BUILD/tests/cluster/judge
LOAD_PIDS=()

load_start() { # NAME SECONDS NODE...
	local name=$1 seconds=$2 w n kept=$HISTORY/$1
	local least=$(((MINIMUM + WRITERS - 1) / WRITERS))
	shift 2
	rm -rf "$kept"
	mkdir -p "$kept"
	LOAD_PIDS=()
	within 10 mkdir -p "${MNT[$1]}/work" || fail "no folder to work in"
	within 30 "$history" setup "${MNT[$1]}/work/$name" "$WRITERS" ||
		fail "$name could not be set up"
	for n in "$@"; do
		timeout $((seconds + 70)) "$history" watch \
			"${MNT[n]}/.raftfs/status" "$n" "$WRITERS" "$kept" \
			>"$kept/stale.$n" &
		LOAD_PIDS+=($!)
	done
	for ((w = 1; w <= WRITERS; w++)); do
		n=${*:(w % $#) + 1:1}
		timeout $((seconds + 60)) "$history" write \
			"${MNT[n]}/work/$name" "$w" "$WRITERS" "$n" "$w$$" \
			"$seconds" "$least" "$kept" &
		LOAD_PIDS+=($!)
	done
}

load_applied() { # NODE...: they have applied the same, and nothing waits
	local n first=''
	for n in "$@"; do
		[ "$(status_of "$n" lag)" = 0 ] || return 1
		: "${first:=$(status_of "$n" applied)}"
		[ "$(status_of "$n" applied)" = "$first" ] || return 1
	done
}

load_judge() { # NAME NODE...
	local name=$1 pid n trees=() kept=$HISTORY/$1
	shift
	for pid in "${LOAD_PIDS[@]}"; do
		wait "$pid" || fail "$name: a writer did not end"
	done
	cat "$kept"/stale.* >"$kept/stale"
	wait_for 15 load_applied "$@" || fail "$name: they do not catch up"
	for n in "$@"; do
		trees+=("${MNT[n]}/work/$name")
	done
	printf '%s: ' "$name"
	within $((60 * SLOW)) "$judge" "--calm=$CALM_MS" "$kept" "$MINIMUM" \
		"${trees[@]}" || fail "$name: the judge (history in $kept)"
}
