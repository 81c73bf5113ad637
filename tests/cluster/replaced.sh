#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# limit: 120
# replaced.sh - the data folder is moved away and another daemon begins a new
# one at the same path, while the old one still runs: whatever the old one does
# until its end, it does in its own folder, and each keeps what it acknowledged.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/cluster.sh

serve() { # N FOLDER: node N's daemon, without a mount, until it can write
	"$RAFTFS" -f --id n1 --data "$2" --no-mount >>"${LOG[$1]}" 2>&1 </dev/null &
	PID[$1]=$!
	cluster_state "pid $! --data"
	wait_for 10 can_write "$2" || fail "n$1 does not serve"
}
can_write() { "$RAFTFSCTL" --data "$1" set /probe x 2>/dev/null; }
ctl() { within 10 "$RAFTFSCTL" --data "$data" "$@"; }
fill() { # WORD: more than a flush, so that files of the state are written
	local i
	for ((i = 0; i < 8; i++)); do
		head -c 1000000 /dev/zero | ctl set "/fill$i" - || return
	done
	ctl set /key "$1"
}
files_of() { (cd "$1" && find . -type f ! -path './log/*' -exec cksum {} + | sort -k 3); }

cluster_begin 2 # two daemons; neither has peers or a mount
data=$CLUSTER_DIR/data
serve 1 "$data"
must fill old

note "the folder is moved away, and a new one is made at its path"
node_freeze 1
mv "$data" "$CLUSTER_DIR/moved"
serve 2 "$data"
must fill new
node_freeze 2 # it changes nothing from here on
files_of "$data" >"$CLUSTER_DIR/before"
node_thaw 1
node_stop 1 || fail "the old daemon ended with exit code $?"
files_of "$data" >"$CLUSTER_DIR/after"
diff "$CLUSTER_DIR/before" "$CLUSTER_DIR/after" ||
	fail "the old daemon changed the new one's folder"
[ -S "$data/control" ] || fail "the old daemon removed the new one's socket"
node_thaw 2
[ "$(ctl get /key)" = new ] || fail "the new one lost its key"
node_stop 2 || fail "the new daemon ended with exit code $?"

note "each starts again with what it had"
serve 2 "$data"
[ "$(ctl get /key)" = new ] || fail "the new one lost its key"
node_stop 2 || fail "the new daemon ended with exit code $?"
data=$CLUSTER_DIR/moved
serve 1 "$data"
[ "$(ctl get /key)" = old ] || fail "the old one lost its key"
[ "$(ctl get /fill7 | wc -c)" = 1000000 ] || fail "the old one lost content"
node_stop 1 || fail "the old daemon ended with exit code $?"
