# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# sourced - what bad input must get; after tests/lib/cluster.sh. $where is the
# folder in which nothing may change.
where=${where:-}

# refused WHAT PATTERN COMMAND...: in the foreground, so that the line is on
# stderr; nothing below $where may change.
refused() {
	local what=$1 pattern=$2 rc
	shift 2
	tree_of "$where" >"$CLUSTER_DIR/before"
	LC_ALL=C timeout --kill-after=5 $((15 * SLOW)) "$@" \
		>"$CLUSTER_DIR/out" 2>"$CLUSTER_DIR/err" </dev/null
	rc=$?
	[ "$rc" != 0 ] || fail "$what: exit code 0"
	[ "$rc" -lt 124 ] || fail "$what: not refused (exit code $rc):" \
		"$(cat "$CLUSTER_DIR/err")"
	[ "$(wc -l <"$CLUSTER_DIR/err")" = 1 ] ||
		fail "$what: not one line: $(cat "$CLUSTER_DIR/err")"
	grep -qiE -- "$pattern" "$CLUSTER_DIR/err" ||
		fail "$what: says: $(cat "$CLUSTER_DIR/err")"
	tree_of "$where" >"$CLUSTER_DIR/after"
	cmp -s "$CLUSTER_DIR/before" "$CLUSTER_DIR/after" || {
		diff "$CLUSTER_DIR/before" "$CLUSTER_DIR/after"
		fail "$what: something was changed"
	}
	echo "$what: $(cat "$CLUSTER_DIR/err")"
}
