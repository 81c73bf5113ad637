#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 900
# run.sh - the image and the compose file, as a user has them: three containers
# hold one tree; the leader's is killed under load, another is cut off from the
# network, both return, all are stopped and started; what was acknowledged stays.
# A node that lost its volume is replaced.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/docker/engine.sh

PROJECT=raftfstest
NODES='n1 n2 n3'
FAILED=0
TIMEOUT_MS=5000 # --timeout
WRITERS=()
NETWORK=${PROJECT}_raftfs

compose() {
	local command=(docker compose)
	! command -v docker-compose >/dev/null || command=(docker-compose)
	timeout 120 "${command[@]}" --project-name "$PROJECT" \
		--file docker/compose.yaml "$@"
}

finish() {
	trap - EXIT INT TERM
	if [ -n "${STARTED:-}" ]; then
		[ "$FAILED" = 0 ] || compose logs --tail 15
		compose kill >/dev/null 2>&1
		compose down --volumes --timeout 1 >/dev/null 2>&1
	fi
	engine_end
}

# --- Looking in --------------------------------------------------------------------

check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@"; then
		echo "ok - $name"
	else
		echo "FAIL - $name"
		FAILED=1
	fi
}

container() { echo "${CONTAINER[$1]}"; }
in_node() { # NODE SHELL-TEXT: of bash, since dash does not tell an errno
	timeout "${LIMIT:-30}" docker exec "$(container "$1")" bash -c "$2"
}
# How long it takes there, without docker's own time: what it says, then a line
# "EXIT-CODE MILLISECONDS".
timed() { # NODE SHELL-TEXT
	in_node "$1" "exec 2>&1 # of two streams the order is lost
		began=\${EPOCHREALTIME/[.,]/}
		($2)
		echo \$? \$(((\${EPOCHREALTIME/[.,]/} - began) / 1000))"
}
others() { # NODE
	local node
	for node in $NODES; do
		[ "$node" = "$1" ] || printf '%s ' "$node"
	done
}
gives() { # NODE SHELL-TEXT EXPECTED
	local output
	output=$(in_node "$1" "$2" 2>&1)
	[ "$output" = "$3" ] || {
		echo "  $1: $2: '$output', not '$3'"
		false
	}
}
reads() { [ "$(in_node "$1" "cat /mnt/raftfs/$2" 2>/dev/null)" = "$3" ]; }
all_read() { # FILE TEXT: at once, no waiting
	local node
	for node in $NODES; do
		gives "$node" "cat /mnt/raftfs/$1" "$2" || return 1
	done
}
is_healthy() {
	[ "$(docker inspect --format '{{.State.Health.Status}}' \
		"$(container "$1")" 2>/dev/null)" = healthy ]
}
has_quorum() { in_node "$1" 'raftfsctl status' 2>/dev/null | grep -q '^quorum: yes$'; }
has_no_quorum() { in_node "$1" 'raftfsctl status' 2>/dev/null | grep -q '^quorum: no (..*)'; }
leader() {
	in_node "$1" 'cat /mnt/raftfs/.raftfs/leader' 2>/dev/null
}
knows_leader() { # NODE OLD
	local now
	now=$(leader "$1")
	[ -n "$now" ] && [ "$now" != "$2" ]
}
leader_is_found() { # it is the next one that is LOST
	LOST=$(leader n1)
	[ -n "$LOST" ]
}

returns_within() { # MS NODE SHELL-TEXT: well
	local rc took
	read -r rc took <<<"$(timed "$2" "{ $3; } >/dev/null 2>&1")"
	echo "  $2: $3: exit code ${rc:-unknown} after ${took:-more than 30000} ms"
	[ "$rc" = 0 ] && [ "$took" -le "$1" ]
}

# A change without a quorum: the documented errno, within the timeout (5 s).
is_refused() { # NODE
	local rc took output
	output=$(timed "$1" 'echo lost >/mnt/raftfs/cut')
	echo "  $1: '$output'"
	read -r rc took <<<"${output##*$'\n'}"
	[ "$rc" = 1 ] && [ "$took" -le 8000 ] || return 1
	case $output in
	*'Read-only file system'* | *'Connection timed out'*) ;;
	*) return 1 ;;
	esac
}

tree_of() {
	in_node "$1" 'set -o pipefail; cd /mnt/raftfs && find . -printf "%P %i %m %n %s %T@ %l\n" |
		sort && find . -type f | sort | xargs sha256sum'
}
trees_are_equal() {
	local first other node
	first=$(tree_of n1) && [ -n "$first" ] || return 1
	for node in n2 n3; do
		other=$(tree_of "$node") || return 1
		diff <(echo "$first") <(echo "$other") || return 1
	done
}

# --- The walk --------------------------------------------------------------------

build_image() {
	local args=()
	[ -z "${http_proxy:-}" ] || args=(--build-arg "http_proxy=$http_proxy")
	# The legacy builder is everywhere, and knows images made here.
	DOCKER_BUILDKIT=0 timeout 600 docker build --network host \
		--tag raftfs --file docker/Dockerfile "${args[@]}" . \
		>"$WORK/build.log" 2>&1 || {
		tail -n 30 "$WORK/build.log"
		return 1
	}
	echo "  image: $(docker image inspect --format '{{.Size}}' raftfs) bytes"
}

find_containers() {
	local node
	for node in $NODES; do
		CONTAINER[$node]=$(compose ps --quiet "$node") || return 1
		[ -n "${CONTAINER[$node]}" ] || return 1
	done
}

start_all() {
	STARTED=yes
	compose up --detach --no-build >"$WORK/up.log" 2>&1 || {
		tail -n 10 "$WORK/up.log"
		return 1
	}
	find_containers || return 1
	for node in $NODES; do
		wait_for 60 is_healthy "$node" || return 1
	done
}

asks_for_little() {
	local asked
	asked=$(docker inspect --format '{{with .HostConfig}}'\
'{{.Privileged}} {{.CapAdd}} {{range .Devices}}{{.PathOnHost}}{{end}}{{end}}' \
		"$(container n1)")
	case $asked in
	'false [SYS_ADMIN] /dev/fuse' | 'false [CAP_SYS_ADMIN] /dev/fuse') ;;
	*) echo "  $asked" && false ;;
	esac
}

writes_are_replicated() {
	gives n1 'echo v1 >/mnt/raftfs/key' '' && all_read key v1 &&
		gives n2 'mkdir /mnt/raftfs/d && mv /mnt/raftfs/key /mnt/raftfs/d/' '' &&
		gives n3 'echo more >>/mnt/raftfs/d/key' '' &&
		all_read d/key $'v1\nmore'
}

# In a container: lines appended to a file of its own, each with the number of
# the one before and one more. What is acknowledged goes to $WORK/load.NODE, with
# the time in ms; what is refused to its errors.
writer_begin() { # NODE
	: >"$WORK/load.$1"
	timeout 90 docker exec "$(container "$1")" bash -c '
		until [ -e /tmp/over ]; do
			if echo "$((i))" >>"/mnt/raftfs/load/$1"; then
				echo "$((i++)) $((${EPOCHREALTIME/./} / 1000))"
			fi
		done' _ "$1" >>"$WORK/load.$1" 2>"$WORK/load.$1.errors" &
	WRITERS+=($!)
}
acknowledged() { wc -l <"$WORK/load.$1"; } # NODE
has_written() { [ "$(acknowledged "$1")" -ge "$2" ]; } # NODE COUNT
longest_gap() { # NODE: in ms, between two that were acknowledged
	awk 'NR > 1 && $2 - last > most { most = $2 - last } { last = $2 }
		END { print most + 0 }' "$WORK/load.$1"
}
both_write() { # COUNT: so many more, each
	local a b
	a=$(acknowledged "$A") b=$(acknowledged "$B")
	wait_for 20 has_written "$A" $((a + $1)) &&
		wait_for 20 has_written "$B" $((b + $1))
}
wrote_well() { # NODE: none refused, none waited for longer than the timeout
	local gap
	gap=$(longest_gap "$1")
	echo "  $1: $(acknowledged "$1") writes, the longest gap $gap ms"
	if [ -s "$WORK/load.$1.errors" ]; then
		head -n 3 "$WORK/load.$1.errors"
		return 1
	fi
	[ "$gap" -le "$TIMEOUT_MS" ]
}

survivors_go_on() {
	local writer rc=0
	read -r A B <<<"$(others "$LOST")"
	gives "$A" 'mkdir /mnt/raftfs/load' '' || return 1
	writer_begin "$A"
	writer_begin "$B"
	both_write 50 || rc=1
	docker kill --signal KILL "$(container "$LOST")" >/dev/null || rc=1
	both_write 200 || rc=1
	in_node "$A" 'touch /tmp/over' || rc=1
	in_node "$B" 'touch /tmp/over' || rc=1
	for writer in "${WRITERS[@]}"; do
		wait "$writer" || rc=1
	done
	wrote_well "$A" || rc=1
	wrote_well "$B" || rc=1
	returns_within 10000 "$A" 'echo survived >/mnt/raftfs/news' &&
		gives "$B" 'cat /mnt/raftfs/news' survived &&
		wait_for 10 knows_leader "$B" "$LOST" && return "$rc"
}

killed_one_returns() {
	docker start "$(container "$LOST")" >/dev/null &&
		wait_for 60 is_healthy "$LOST" &&
		wait_for 10 reads "$LOST" news survived &&
		gives "$LOST" 'echo back >/mnt/raftfs/news' '' && all_read news back
}
load_is_everywhere() { # each line once, in order, on each node
	local node writer
	for node in $NODES; do
		for writer in "$A" "$B"; do
			cut -d ' ' -f 1 "$WORK/load.$writer" |
				cmp - <(in_node "$node" "cat /mnt/raftfs/load/$writer") ||
				return 1
		done
	done
}

cut_off() {
	gives n1 'echo before >/mnt/raftfs/cut' '' && all_read cut before &&
		docker network disconnect "$NETWORK" "$(container "$LOST")"
}

cut_one_answers_reads() {
	# The first may have to find out that nobody answers (1 s).
	returns_within 3000 "$LOST" 'cat /mnt/raftfs/cut' &&
		returns_within 1500 "$LOST" 'ls /mnt/raftfs; df /mnt/raftfs' &&
		gives "$LOST" 'cat /mnt/raftfs/cut' before
}

rest_goes_on() {
	read -r A B <<<"$(others "$LOST")"
	returns_within 10000 "$A" 'echo kept >/mnt/raftfs/kept' &&
		gives "$B" 'cat /mnt/raftfs/kept' kept
}

cut_one_returns() {
	docker network connect --alias "$LOST" "$NETWORK" "$(container "$LOST")" &&
		wait_for 30 has_quorum "$LOST" && wait_for 10 reads "$LOST" kept kept &&
		gives "$LOST" 'echo after >/mnt/raftfs/cut' '' && all_read cut after
}

stops_cleanly() {
	docker stop --time 15 "$(container n3)" >/dev/null &&
		[ "$(docker inspect --format '{{.State.ExitCode}}' "$(container n3)")" = 0 ] &&
		docker start "$(container n3)" >/dev/null && wait_for 60 is_healthy n3
}

# More than the others keep of their logs, so that a newcomer needs a snapshot.
fill_the_log() {
	LIMIT=150 in_node n1 'for i in $(seq 120); do
		head -c 1048576 /dev/urandom >/mnt/raftfs/filler || exit 1
	done' && wait_for 90 log_is_cut n1
}
log_is_cut() { # NODE: what it holds is less than what was written
	[ "$(status_number "$1" log-bytes)" -lt 83886080 ]
}
status_number() { # NODE KEY
	in_node "$1" 'raftfsctl status' 2>/dev/null | sed -n "s/^$2: //p"
}

loses_its_volume() { # n2
	docker rm --force "$(container n2)" >/dev/null &&
		docker volume rm "${PROJECT}_n2" >/dev/null &&
		compose up --detach --no-build n2 >"$WORK/up.log" 2>&1 &&
		find_containers
}
says() { docker logs "$(container "$1")" 2>&1 | grep -qF "$2"; }
is_told_to_be_replaced() {
	wait_for 30 says n2 'raftfsctl member replace n2 n2 n2:7000' &&
		gives n1 'cat /mnt/raftfs/cut' after
}

# It is started again by Docker, as it was the first time.
is_replaced() {
	in_node n3 'raftfsctl member replace n2 n2 n2:7000' >/dev/null &&
		wait_for 120 is_healthy n2 && wait_for 30 is_voter n2 &&
		wait_for 10 reads n2 cut after
}
is_voter() {
	in_node n1 'raftfsctl member list' 2>/dev/null | grep -q "^$1 .* voter"
}
came_by_snapshot() { [ "$(status_number "$1" snapshots-installed)" -ge 1 ]; }

# The newcomer counts: with it and one other, all goes on.
newcomer_counts() {
	docker stop --time 15 "$(container n3)" >/dev/null &&
		returns_within 10000 n2 'echo two >/mnt/raftfs/two' &&
		docker start "$(container n3)" >/dev/null &&
		wait_for 60 is_healthy n3 && wait_for 10 reads n3 two two
}

data_outlives_containers() {
	compose down --timeout 15 >/dev/null 2>&1 && start_all && all_read cut after &&
		all_read kept kept
}

clear_earlier_run() {
	compose down --volumes --timeout 1 >/dev/null 2>&1
}

declare -A CONTAINER
WORK=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-docker.XXXXXX") || exit 1
trap 'finish; rm -rf "$WORK"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
[ -c /dev/fuse ] || skip "no /dev/fuse here"
engine_begin
check 'the base image is there' engine_base
[ "$FAILED" = 1 ] || check 'the image builds' build_image
[ "$FAILED" = 1 ] || clear_earlier_run
[ "$FAILED" = 1 ] || check 'three containers become a healthy cluster' start_all
[ "$FAILED" = 0 ] || exit 1
check 'containers ask for /dev/fuse and SYS_ADMIN, nothing more' asks_for_little
check 'what one container writes the others read' writes_are_replicated
check 'a leader is known' wait_for 10 leader_is_found
check "under load, the leader's container ($LOST) is killed: no write fails" survivors_go_on
check 'the killed container returns with everything' killed_one_returns
check 'what was acknowledged is on every node, once' load_is_everywhere
check 'a leader is known again' wait_for 10 leader_is_found
check "the leader's container ($LOST) is cut off from the network" cut_off
check 'cut off, a change is refused in time' is_refused "$LOST"
check 'cut off, reads are answered' cut_one_answers_reads
check 'cut off, the status says that the quorum is missing' has_no_quorum "$LOST"
check 'the rest goes on' rest_goes_on
check 'cut off for long, a change is refused at once' is_refused "$LOST"
check 'reconnected, it takes part again' cut_one_returns
check 'all trees are equal' trees_are_equal
check 'SIGTERM ends a container cleanly' stops_cleanly
check 'data outlives the containers' data_outlives_containers
check 'all trees are still equal' trees_are_equal
check 'logs are cut' fill_the_log
check "n2's volume is deleted, its container started anew" loses_its_volume
check 'it is told to be replaced, and the others go on' is_told_to_be_replaced
check 'after member replace it joins and catches up' is_replaced
check 'by a snapshot' came_by_snapshot n2
check 'it counts as a voter' newcomer_counts
check 'all trees are equal again' trees_are_equal
exit "$FAILED"
