#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 180
# demo.sh - what a newcomer does first: the demo as it is typed, the cluster
# that KEEP=1 leaves, by the commands that it prints, and an installation.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

cluster_begin 0
export TMPDIR=$CLUSTER_DIR
line_with() { grep -m 1 -- "$1" "$CLUSTER_DIR/out" | sed 's/^ *//'; }

note "the demo, and what it leaves: nothing"
KEEP=0 BUILD=$BUILD within 120 docs/demo.sh >"$CLUSTER_DIR/out" 2>&1 </dev/null ||
	fail "$(tail -n 30 "$CLUSTER_DIR/out")"
[ "$(tail -n 1 "$CLUSTER_DIR/out")" = 'Everything read back as it was written.' ] ||
	fail "$(tail -n 30 "$CLUSTER_DIR/out")"
[ -z "$(find "$CLUSTER_DIR" -mindepth 1 -name 'raftfs-demo*')" ] ||
	fail "it leaves $(find "$CLUSTER_DIR")"
grep -qF "$CLUSTER_DIR" /proc/self/mountinfo && fail "it leaves a mount"

note "the cluster that it leaves up"
KEEP=1 BUILD=$BUILD within 120 docs/demo.sh >"$CLUSTER_DIR/out" 2>&1 </dev/null ||
	fail "$(tail -n 30 "$CLUSTER_DIR/out")"
demo=$(find "$CLUSTER_DIR" -maxdepth 1 -name 'raftfs-demo*')
for node in n1 n2 n3; do
	cluster_state "mount $demo/$node/mnt"
done
for pattern in '/raftfsctl --data ' '\.raftfs/status$' '^    kill -KILL ' \
	'^    .*/raftfs --id n1 ' '/raftfsctl --data '; do
	command=$(line_with "$pattern")
	[ -n "$command" ] || fail "it does not say: $pattern"
	echo "$command"
	within 20 bash -c "$command" >"$CLUSTER_DIR/said" 2>&1 </dev/null ||
		fail "$(cat "$CLUSTER_DIR/said")"
done
grep -q '^quorum: yes' "$CLUSTER_DIR/said" || fail "$(cat "$CLUSTER_DIR/said")"
[ "$(within 5 cat "$demo/n1/mnt/news")" = 'all here' ] || fail "it forgot"
must within 60 "$(line_with '/stop$')"
[ ! -e "$demo" ] || fail "it leaves $(find "$demo")"
grep -qF "$demo" /proc/self/mountinfo && fail "it leaves a mount"

note "an installation"
must make --no-print-directory BUILD="$BUILD" DESTDIR="$CLUSTER_DIR/root" \
	PREFIX=/usr install >"$CLUSTER_DIR/out"
[[ "$("$CLUSTER_DIR/root/usr/bin/raftfs" --version)" =~ ^raftfs\ [0-9.]+$ ]] ||
	fail "raftfs does not say its version"
[[ "$("$CLUSTER_DIR/root/usr/bin/raftfsctl" --version)" =~ ^raftfsctl\ [0-9.]+$ ]] ||
	fail "raftfsctl does not say its version"
[ "$(cd "$CLUSTER_DIR/root" && find . -type f | sort | tr '\n' ' ')" = \
"./usr/bin/raftfs ./usr/bin/raftfsctl ./usr/share/man/man8/raftfs.8 \
./usr/share/man/man8/raftfsctl.8 " ] || fail "$(find "$CLUSTER_DIR/root")"
