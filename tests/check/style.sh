#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# style.sh [ROOT] - what of the house style a script can see: the licence line,
# no unfinished business, lines of 100 columns, functions of 70 lines, files of
# 700 (500 are wished for). Without ROOT: the tree, then a planted breach each.
set -u
cd "$(dirname "$0")/../.." || exit 1

sources() {
	find base proto raft kv fs tests docker .ci Makefile -type f \
		\( -name '*.[ch]' -o -name '*.sh' -o -name '*.proto' \
		-o -name run -o -name Makefile \) 2>/dev/null | sort
}

check_tree() { # ROOT
	(
		cd "$1" || exit 1
		sources | while read -r file; do
			head -n 2 "$file" |
				grep -q 'SPDX-License-Identifier: Apache-2.0' ||
				echo "$file: no SPDX line at its top"
			# The words are split so that this file does not hold them.
			grep -nE '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' "$file" |
				sed "s|^|$file:|"
			[ "$file" = Makefile ] || expand -t 8 "$file" | awk -v f="$file" \
				'length($0) > 100 { print f ":" NR " is too long" }'
		done
		sources | grep '\.[ch]$' | while read -r file; do
			awk -v f="$file" '
			/^{/ { start = NR }
			/^}/ && start {
				if (NR - start - 1 > 70)
					print f ":" start ": a function of " \
						NR - start - 1 " lines"
				start = 0
			}
			END { if (NR > 700) print f ": " NR " lines" }' "$file"
		done
		grep -nE '\b(usleep|sleep|nanosleep) ?\(' tests/unit/*.c \
			2>/dev/null | sed 's/$/ (a test that sleeps)/'
	)
}

if [ $# -ge 1 ]; then
	breaches=$(check_tree "$1")
	[ -z "$breaches" ] || { echo "$breaches"; exit 1; }
	exit 0
fi

rc=0
breaches=$(check_tree .)
[ -z "$breaches" ] || { echo "$breaches"; rc=1; }
sources | grep '\.[ch]$' | xargs wc -l |
	awk '$2 != "total" && $1 > 500 { print "note: " $2 " has " $1 " lines" }'

scratch=$(mktemp -d "${TMPDIR:-/tmp}/raftfs-test.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
word='TO''DO'
spdx='/* SPDX-License-Identifier: Apache-2.0 */'
planted() { # WHAT TEXT: must be reported
	mkdir -p "$scratch/base"
	printf '%s\n' "$2" >"$scratch/base/plant.c"
	[ -n "$(check_tree "$scratch")" ] && return
	echo "a planted breach was not found: $1"
	rc=1
}
planted "no licence" 'int x;'
planted "unfinished" "$spdx
/* $word */"
planted "a long line" "$spdx
/* $(printf '%098d' 0) */"
planted "a long function" "$spdx
int f(void)
{
$(yes '	x();' | head -n 71)
}"
planted "a long file" "$spdx
$(seq 700 | sed 's|.*|/* & */|')"
exit "$rc"
