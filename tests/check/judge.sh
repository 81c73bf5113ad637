#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# judge.sh - the judge of the cluster test is content with a right history (of
# a local folder, one writer after another) and finds every planted wrong.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
history=$BUILD/tests/cluster/history
judge=$BUILD/tests/cluster/judge

scratch=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
good=$scratch/good start=$scratch/start minimum=50
mkdir -p "$good/h"
"$history" setup "$start" 1 || exit 1
"$history" setup "$good/tree" 3 || exit 1
for w in 1 2 3; do
	"$history" write "$good/tree" "$w" 3 1 7 2.5 200 "$good/h" || exit 1
done
# Writer 1 is not refused anything by a local folder: say that it was, once,
# for a file that it then did not make.
echo "1 1 append no 0 log/s0 - 1.900000 0 1 2 30" >>"$good/h/w1"

if ! "$judge" "$good/h" "$minimum" "$good/tree" "$good/tree"; then
	echo "a right history was called wrong"
	exit 1
fi

# Its time is over at once, but not what is asked of it.
mkdir "$scratch/h"
"$history" setup "$scratch/short" 1 || exit 1
"$history" write "$scratch/short" 1 1 1 7 0 30 "$scratch/h" || exit 1
if ! "$judge" "$scratch/h" 30 "$scratch/short"; then
	echo "a writer ended before it had done its least"
	exit 1
fi

rc=0
planted() { # WHAT EXPECTED SHELL: the judge must say EXPECTED
	local bad=$scratch/bad out
	rm -rf "$bad"
	cp -a "$good" "$bad"
	cp -a "$bad/tree" "$bad/other"
	(cd "$bad" && eval "$3") || {
		echo "could not plant: $1"
		rc=1
		return
	}
	if out=$("$judge" "$bad/h" "$minimum" "$bad/tree" "$bad/other"); then
		echo "not found: $1"
		rc=1
	elif ! grep -qE "$2" <<<"$out"; then
		echo "$1: expected '$2', but the judge said:"
		echo "$out"
		rc=1
	fi
}
both() { # SED-EXPRESSION FILE: the same change on both nodes
	sed -i "$1" "tree/$2" "other/$2"
}
# The first line of h/wN with these words at their places (and, of a tail, not
# of an empty file).
event() { # N ACTION OUTCOME FILE-PATTERN [last]
	awk -v a="$2" -v o="$3" -v f="$4" \
		'$3 == a && $4 == o && $6 ~ f && !(a == "tail" && $8 ~ /[.]0$/) {
			print NR }' "h/w$1" |
		if [ "${5:-}" = last ]; then tail -n 1; else head -n 1; fi
}
change() { # N LINE FIELD VALUE
	awk -v n="$2" -v k="$3" -v v="$4" 'NR == n { $k = v } { print }' \
		"h/w$1" >new && cmp -s new "h/w$1" && return 1
	mv new "h/w$1"
}

planted "a lost line" 'acknowledged and is lost' \
	'both 3d log/s0'
planted "a line that stands twice" 'stands 2 times' \
	'both "2{p}" log/s0'
planted "a torn line" 'torn at byte' \
	'both "2s/.$//" log/s0'
planted "lines in the wrong order" 'behind a later line' \
	'both "1{h;d};\$G" log/s0'
planted "a refused line that is there" 'was refused' \
	'change 1 "$(event 1 append ok log/s0)" 4 no'
planted "a line from nowhere" 'never appended' \
	'cp tree/log/s1 x; cat x >>tree/log/s0; cat x >>other/log/s0'
planted "a reader who saw no prefix" 'read no prefix' \
	'change 2 "$(event 2 tail ok log/ last)" 9 0000000000000bad'
planted "a reader who saw too little" 'did not see' \
	'change 3 "$(event 3 tail ok log/s last)" 8 3.0 &&
	 change 3 "$(event 3 tail ok log/s last)" 9 0'
planted "overwrites that were lost" 'came between' \
	'cp "$start/reg/s0" tree/reg/s0; cp "$start/reg/s0" other/reg/s0'
planted "a value that was never written" 'never written there' \
	'cp tree/reg/o1 tree/reg/o3; cp other/reg/o1 other/reg/o3'
planted "a torn value" 'torn text' \
	'printf x >>tree/reg/s1; printf x >>other/reg/s1'
planted "a register that is gone" 'no such file' \
	'rm tree/reg/s1 other/reg/s1'
planted "an empty read" 'found it empty' \
	'change 2 "$(event 2 read ok reg/)" 4 empty'
# Writer 3 did not run for so many ms in its first overwrite, and at that moment
# its first read found the same file empty.
paused() { # MS
	local line read
	line=$(event 3 overwrite ok reg/) && read=$(event 3 read ok reg/) || return
	awk -v n="$line" -v r="$read" -v ns="$(($1 * 1000000))" '
		FNR == NR && FNR == n { file = $6; call = $10; done = $11 }
		FNR == NR { next }
		FNR == n { $5 = sprintf("%.0f", call + ns) }
		FNR == r { $4 = "empty"; $6 = file; $10 = call; $11 = done }
		{ print }' h/w3 h/w3 >new && mv new h/w3
}
planted "an empty read beside a write of one go" 'found it empty' 'paused 80'
rm -rf "$scratch/bad"
cp -a "$good" "$scratch/bad"
(cd "$scratch/bad" && paused 95) &&
	"$judge" "$scratch/bad/h" "$minimum" "$scratch/bad/tree" || {
	echo "an empty read beside a writer that did not run was called wrong"
	rc=1
}
planted "a torn read" 'torn text' \
	'change 2 "$(event 2 read ok reg/)" 4 torn'
planted "a read of what was refused" 'never written there' \
	'change 2 "$(event 2 overwrite ok reg/o2 last)" 4 no &&
	 change 2 "$(event 2 replace ok reg/o2 last)" 4 no'
planted "a stale read" 'came between' \
	'change 3 "$(event 3 read ok reg/s0 last)" 8 0.1'
planted "nodes that differ" 'nodes 1 and 2 differ' \
	'sed -i "\$d" other/log/s0'
planted "a moved file that is gone" 'in 0 places' \
	'rm tree/d?/t1 other/d?/t1'
planted "a moved file that is twice there" 'in 2 places' \
	'for t in tree other; do for d in 0 1 2 3; do
		[ -e $t/d$d/t1 ] || { cp $t/d?/t1 $t/d$d/t1; break; }; done; done'
planted "two winners" '2 winners' \
	'change 2 "$(event 2 claim exists claim/)" 4 ok'
planted "a claimed name that is gone" 'lost on node' \
	'rm -r tree/claim other/claim; mkdir tree/claim other/claim'
minimum=100000
planted "too few operations" 'fewer than' true
exit "$rc"
