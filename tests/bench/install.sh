#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install.sh - a state of STATE_MIB (1024) installs on a node that has nothing
# of it, while THREADS (4) threads overwrite small files on the leader's node.
# Printed are the time it takes, the latency of the writes before and during
# it, and the peak memory of both daemons, which must be below MEMORY_MIB (200).
# All data is on the disk of BENCH_DIR (default: the build folder).
set -u
cd "$(dirname "$0")/../.." || exit 1
STATE_MIB=${STATE_MIB:-1024}
THREADS=${THREADS:-4}
MEMORY_MIB=${MEMORY_MIB:-200}
BEFORE_SECONDS=${BEFORE_SECONDS:-10}
CLUSTER_BASE=${BENCH_DIR:-${BUILD:-build}}
mkdir -p "$CLUSTER_BASE"
CLUSTER_BASE=$(cd "$CLUSTER_BASE" && pwd) || exit 1
. tests/lib/cluster.sh

small=$BUILD/tests/bench/small

installed() { [ "$(status_of "$away" snapshots-installed)" = 1 ]; }
caught_up() {
	[ "$(status_of "$away" lag)" -lt 1000 ] &&
		[ "$(status_of "$away" applied)" -ge "$goal" ]
}
peak_of() { # N: in KiB, since its start or the last forget_peak
	sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/${PID[$1]}/status"
}
forget_peak() { echo 5 >"/proc/${PID[$1]}/clear_refs"; }
writes() { # NAME: in the background, until $CLUSTER_DIR/NAME.stop
	must mkdir "${MNT[lead]}/$1"
	"$small" overwrite "${MNT[lead]}/$1" "$THREADS" "$CLUSTER_DIR/$1.stop" \
		>"$CLUSTER_DIR/$1" &
	writer=$!
	cluster_state "pid $writer writer"
}
end_writes() { # NAME
	touch "$CLUSTER_DIR/$1.stop"
	wait "$writer" || fail "writes $1 the installation failed"
}
figure() { # NAME FIGURE
	sed -n "s/^overwrite.$2 \([0-9.]*\) .*/\1/p" "$CLUSTER_DIR/$1"
}

cluster_begin 3
cluster_start
lead=$(the_leader) && away=$(follower "$lead") || exit 1
must node_stop "$away"
lead=$(the_leader) || exit 1
for ((i = 0; i < STATE_MIB / 32; i++)); do
	must dd if=/dev/urandom of="${MNT[lead]}/f$i" bs=1M count=32 status=none
done
note "a state of $(($(status_of "$lead" state-bytes) >> 20)) MiB is there"

writes before
sleep "$BEFORE_SECONDS" # what is measured
end_writes before

forget_peak "$lead"
writes during
goal=$(status_of "$lead" commit)
began=$(milliseconds)
node_start "$away"
wait_for 300 installed || fail "n$away did not install the state"
took=$(($(milliseconds) - began))
wait_for 60 caught_up || fail "n$away did not catch up"
caught=$(($(milliseconds) - began))
end_writes during
lead_peak=$(peak_of "$lead") away_peak=$(peak_of "$away")
trees_are_equal before || fail "the trees differ"

bytes=$(status_of "$away" snapshot-bytes-taken)
printf '%-34s %d MiB in %d.%03d s, caught up after %d.%03d s\n' "installed" \
	$((bytes >> 20)) $((took / 1000)) $((took % 1000)) \
	$((caught / 1000)) $((caught % 1000))
for name in before during; do
	printf '%-34s p50 %8.1f us, p99 %8.1f us, %8.1f a second\n' \
		"writes $name, $THREADS threads" "$(figure "$name" p50)" \
		"$(figure "$name" p99)" "$(figure "$name" rate)"
done
printf '%-34s %d.%d MiB\n' "peak memory of the leader" \
	$((lead_peak / 1024)) $((lead_peak % 1024 * 10 / 1024)) \
	"peak memory of the receiver" \
	$((away_peak / 1024)) $((away_peak % 1024 * 10 / 1024))
[ "$bytes" -ge $((STATE_MIB << 20)) ] || fail "the state was smaller"
[ "$lead_peak" -lt $((MEMORY_MIB * 1024)) ] || fail "the leader took too much"
[ "$away_peak" -lt $((MEMORY_MIB * 1024)) ] || fail "the receiver took too much"
