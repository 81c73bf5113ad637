#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - run groups of tests and count them.
#
# usage: tests/run.sh GROUP...     (check sim timed asan tsan cluster posix docker fuzz)
#
# A test is a program: exit code 0 passed, 77 skipped (its last line says why),
# anything else failed. Each has a time limit: 120 s, or what its line
# "# limit: SECONDS" says; each group has one too. Tests run side by side, but a
# script of tests/cluster with a line "# alone" is of the group timed, not of the
# group cluster, and has the machine for itself. What a test left behind
# (daemons, mounts, namespaces: listed in the file $CLUSTER_STATE) is cleared
# after it, mounts first. The last line printed is "N passed, N failed".
#
# BUILD: the build folder. Logs of all tests: $BUILD/test-logs.
set -u
cd "$(dirname "$0")/.." || exit 1

BUILD=${BUILD:-build}
MAKE=${MAKE:-make}
JOBS=${JOBS:-$(nproc)}
LOGS=$BUILD/test-logs
passed=0 failed=0 skipped=0
skips=()
group_end=0
REASONS='^FAILED|^seed [0-9]* failed|^too few|violation|Assertion|ERROR|error: '
REASONS+='|Sanitizer|raftfs: bug|^expected: '
mkdir -p "$LOGS"
export BUILD MAKE

limit_of() { # SCRIPT: its own limit in seconds
	local limit
	limit=$(sed -n 's/^# limit: \([0-9]*\)$/\1/p' "$1" 2>/dev/null | head -n 1)
	echo "${limit:-120}"
}

report() { # RC NAME SECONDS LOG
	case $1 in
	0)
		passed=$((passed + 1))
		echo "ok $2 ($3 s)"
		;;
	77)
		skipped=$((skipped + 1))
		skips+=("$2: $(tail -n 1 "$4")")
		echo "skip $2: $(tail -n 1 "$4")"
		;;
	*)
		failed=$((failed + 1))
		echo "FAIL $2 ($3 s, exit code $1, log: $4)"
		# The reason may stand far above what the daemons said last.
		grep -m 15 -nE "$REASONS" "$4" | sed 's/^/  > /'
		tail -n 40 "$4" | sed 's/^/    /'
		;;
	esac
}

# --- Side by side ---------------------------------------------------------------
#
# Most tests wait most of their time, for elections and disks. So a machine has
# places, SLOTS, and a test takes some of them: those of UNIT and SCRIPT keep a
# core busy for less than a third, one of WHOLE runs alone.

SLOTS=$((8 * JOBS)) WHOLE=$SLOTS UNIT=2 SCRIPT=5
used=0
declare -A name_of=() slots_of=() start_of=()

play() { # NAME LIMIT COMMAND...: in a process of its own; its exit code
	local log=$LOGS/${1//\//-}.log left=$((group_end - SECONDS)) limit=$2 rc
	shift 2
	if [ "$left" -le 0 ]; then
		echo "the time limit of the group was over before it began" >"$log"
		return 1
	fi
	[ "$limit" -le "$left" ] || limit=$left
	CLUSTER_STATE=$(mktemp "${TMPDIR:-/tmp}/raftfs-state.XXXXXX") || exit 1
	export CLUSTER_STATE
	timeout --kill-after=15 "$limit" "$@" >"$log" 2>&1 </dev/null
	rc=$?
	[ "$rc" != 124 ] || echo "time limit of $limit s reached" >>"$log"
	tests/lib/reap.sh "$CLUSTER_STATE" >>"$log" 2>&1
	rm -f "$CLUSTER_STATE"
	return "$rc"
}

collect() { # the next one that ends
	local pid rc=0 name
	wait -n -p pid "${!name_of[@]}" || rc=$?
	name=${name_of[$pid]}
	used=$((used - slots_of[$pid]))
	report "$rc" "$name" $((SECONDS - start_of[$pid])) \
		"$LOGS/${name//\//-}.log"
	unset "name_of[$pid]" "slots_of[$pid]" "start_of[$pid]"
	return "$rc"
}
drain() { # all that run
	while [ "${#name_of[@]}" -gt 0 ]; do
		collect
	done
}
queue() { # SLOTS NAME LIMIT COMMAND...: as soon as there is room
	local slots=$1
	shift
	while [ $((used + slots)) -gt "$SLOTS" ]; do
		collect
	done
	play "$@" &
	name_of[$!]=$1 slots_of[$!]=$slots start_of[$!]=$SECONDS
	used=$((used + slots))
}

is_alone() { grep -q '^# alone$' "$1"; }

# The longest first, so that no core is idle at the end.
queue_scripts() { # GROUP FOLDER: each script of the folder that needs no word
	local script limit
	for script in "$2"/*.sh; do
		[ -x "$script" ] && ! grep -q '^# usage: ' "$script" &&
			! is_alone "$script" || continue
		echo "$(limit_of "$script") $script"
	done | sort -s -rn >"$LOGS/$1.list"
	while read -r limit script; do
		queue "$SCRIPT" "$1/$(basename "$script" .sh)" "$limit" "$script"
	done <"$LOGS/$1.list"
}
queue_units() { # GROUP BUILD
	local bin
	for bin in $("$MAKE" --no-print-directory -s BUILD="$2" unit-list); do
		queue "$UNIT" "$1/${bin##*/test_}" 300 "$bin"
	done
}

# A failing build is a failing test; it may take long on a slow machine, but not
# for ever. Nothing runs beside it, and what was built is not built again.
build() { # NAME MAKE-ARGUMENTS...
	local name=$1
	shift
	[ -z "${built[$*]:-}" ] || return 0
	drain
	queue "$WHOLE" "$name" 900 "$MAKE" --no-print-directory -j"$JOBS" "$@"
	collect && built[$*]=1
}
declare -A built=()

group_check() {
	build check/build all programs units || return
	queue_units unit "$BUILD"
	queue "$SCRIPT" check/golden 120 "$MAKE" --no-print-directory golden
	queue "$SCRIPT" check/pure 120 "$MAKE" --no-print-directory pure
	queue_scripts explore tests/explore
	queue_scripts check tests/check
}

# Unit tests, scenarios, rounds of the cluster and those of its scripts that go
# through much code soon, under a sanitizer. It costs speed: a test takes more
# places, a round asks for fewer changes, a script has more time.
sanitized() { # GROUP FLAGS SCRIPT...
	local dir=$BUILD-$1 group=$1 flags=$2 script
	shift 2
	build "$group/tools" all programs || return # rounds.sh judges with plain ones
	build "$group/build" BUILD="$dir" CFLAGS='-O1 -g' SANITIZE="$flags" \
		all programs units || return
	UNIT=4 queue_units "$group" "$dir"
	for script in "$@"; do # the longest first
		queue 8 "$group/$script" $((2 * $(limit_of "tests/cluster/$script.sh"))) \
			env RAFTFS_BUILD="$dir" SLOW=4 "tests/cluster/$script.sh"
	done
	queue "$SCRIPT" "$group/golden" 300 "$MAKE" --no-print-directory \
		BUILD="$dir" CFLAGS='-O1 -g' SANITIZE="$flags" golden
	queue 8 "$group/rounds" 240 env RAFTFS_BUILD="$dir" ROUNDS=3 SLOW=4 \
		MINIMUM=150 tests/cluster/rounds.sh
}

group_asan() {
	export ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1
	export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
	sanitized asan '-fsanitize=address,undefined -fno-sanitize-recover=all' \
		repair members backup quorum badinput
	queue "$WHOLE" asan/sim 600 "$MAKE" --no-print-directory -j"$JOBS" \
		BUILD="$BUILD-asan" CFLAGS='-O1 -g' FROM=20001 COUNT=150 \
		SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all' sim
	unset ASAN_OPTIONS UBSAN_OPTIONS
}

# Packaged libraries are not instrumented: what only they did is left out, and
# a race planted in code of our own shows that ours is still found.
group_tsan() {
	export TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=0
	export RANDOM_COUNT=100 # of the core, where there is one thread only
	sanitized tsan '-fsanitize=thread' snapshot members
	queue "$SCRIPT" tsan/planted-race 60 tests/lib/race.sh "$BUILD-tsan"
	unset TSAN_OPTIONS RANDOM_COUNT
}

# Whole clusters in one process, by seeds: with floors for what they count.
group_sim() {
	build sim/build build-sim || return
	queue "$WHOLE" sim/seeds 600 "$MAKE" --no-print-directory sim
}

# They measure how long something takes.
group_timed() {
	local script
	build timed/build all programs || return
	for script in tests/cluster/*.sh; do
		! is_alone "$script" || queue "$WHOLE" \
			"timed/$(basename "$script" .sh)" "$(limit_of "$script")" "$script"
	done
}

group_cluster() {
	build cluster/build all programs || return
	queue_scripts cluster tests/cluster
}
group_posix() {
	build posix/build all programs || return
	queue_scripts posix tests/posix
}
group_docker() {
	queue_scripts docker tests/docker
}
group_fuzz() {
	queue "$SCRIPT" fuzz/short 900 env SECONDS_EACH="${SECONDS_EACH:-6}" \
		tests/fuzz/run.sh
}

# A test of a group begins and ends within so many seconds after the group came
# to its turn; far above what it needs.
limit_of_group() {
	case $1 in
	check) echo 600 ;;
	asan | tsan) echo 1200 ;;
	cluster) echo 1500 ;;
	*) echo 1200 ;;
	esac
}

# Read whole before it runs, so that an edit meanwhile does no harm.
main() {
	for group in "$@"; do
		if ! declare -F "group_$group" >/dev/null; then
			echo "run.sh: no group named $group" >&2
			exit 2
		fi
		group_end=$((SECONDS + $(limit_of_group "$group")))
		"group_$group"
	done
	drain

	if [ "$skipped" -gt 0 ]; then
		echo "skipped:"
		printf '  %s\n' "${skips[@]}"
		echo "$passed passed, $failed failed, $skipped skipped"
	else
		echo "$passed passed, $failed failed"
	fi
	[ "$failed" = 0 ] && { [ "$skipped" = 0 ] || [ -z "${NO_SKIPS:-}" ]; }
}
main "$@"
exit
