#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every row of the catalogue that applies is watched, by a test that exists,
# and every scenario is in the table. See ROWS.
set -u
cd "$(dirname "$0")" || exit 1
failed=0
complain() {
	echo "rows: $*" >&2
	failed=1
}

for row in $(seq 1 44) $(seq 48 63); do
	grep -q "^$row " ROWS || complain "row $row is not in ROWS"
done
while read -r row test name; do
	case $row in '#' | '') continue ;; esac
	case $test in
	later: | room:)
		[ -n "$name" ] || complain "row $row: no reason"
		;;
	*.txt)
		[ -s "$test" ] || complain "row $row: no scenario $test"
		;;
	test_*:*)
		# defined, and listed: at least twice
		[ "$(grep -cw "${test#*:}" "../unit/${test%%:*}.c")" -ge 2 ] ||
			complain "row $row: no unit test $test"
		;;
	*) complain "row $row: what is $test?" ;;
	esac
done <ROWS
for scenario in *.txt; do
	row=$(echo "${scenario%%-*}" | sed 's/^0*//')
	grep -q "^$row  *$scenario\$" ROWS ||
		complain "$scenario is not in ROWS"
done
[ "$failed" -eq 0 ] && echo "rows: every row is watched"
exit "$failed"
